/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * When: points in time as people write them on a command line.
 */

#include "lib/base/macro.h"

/**
 * pl_when_parse() - what `docker logs --since` and `journalctl --since` take
 *
 * RFC 3339 (2026-01-02T03:04:05.6Z), "2026-01-02", "2026-01-02 03:04[:05]" and "03:04[:05]" in
 * local time; now, today, yesterday; a span before now ("10m", "1h 30min", "-2h", "2h ago");
 * @SECONDS or plain seconds since 1970.
 *
 * @now_usec: CLOCK_REALTIME
 * Return: 0 and nanoseconds since 1970; -EINVAL.
 */
int pl_when_parse(const char *s, uint64_t now_usec, uint64_t *ret_nsec);
