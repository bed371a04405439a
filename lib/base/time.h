/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Docker time: RFC 3339 time stamps as Go writes them. For pl-docker*.c alone; knows no clock.
 */

#include "lib/base/macro.h"

/**
 * pl_docker_parse_time() - "2024-05-01T10:00:00.123456789Z", also with "+02:00" (Podman)
 * @s: may be NULL
 *
 * Return: CLOCK_REALTIME in microseconds; 0 for Go's zero time (year 1), for anything before 1970
 *         and for text that is no time stamp.
 */
uint64_t pl_docker_parse_time(const char *s);
