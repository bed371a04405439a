/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Times as text: RFC 3339 to nanoseconds and back. It reads no clock.
 */

#include "lib/base/macro.h"

typedef enum PlTimeStyle {
        PL_TIME_RFC3339, /* as Go writes it: "2024-05-01T10:00:00.123456789Z", or "+02:00" */
        PL_TIME_ISO8601, /* also a space for the T, "+0200", and no zone at all, which is UTC */
} PlTimeStyle;

/**
 * pl_parse_time() - a time stamp with any number of fractional digits
 * @ret_nsec: nanoseconds since 1970; finer digits are dropped
 * Return: 0; -EINVAL for what is no such text, or is before 1970 (Go's zero time is the year 1).
 */
int pl_parse_time(const char *s, size_t size, PlTimeStyle style, uint64_t *ret_nsec);

/** pl_format_time() - as `docker logs --timestamps`: RFC 3339, UTC, always nine digits.
 * @buf: PL_TIME_TEXT_MAX bytes */
#define PL_TIME_TEXT_MAX 32
void pl_format_time(uint64_t nsec, char buf[static PL_TIME_TEXT_MAX]);
