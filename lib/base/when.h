/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * When: points in time as people write them on a command line.
 */

#include "lib/base/macro.h"

/**
 * pl_when_parse() - what `docker logs --since` takes, and what `journalctl --since` takes beyond it
 *
 * As docker: a Go duration before now, cut down to a second ("10m", "1h30m", "+2h"; "-2h" lies
 * ahead); a date, with a time and a zone or without ("2026-01-02T03", "2026-01-02T03:04:05.6Z",
 * "2026-01-02Z"; without a zone: local time); SECONDS[.FRACTION] since 1970.
 * As journalctl: "2026-01-02 03:04[:05]", "03:04[:05]" of today; now, today, yesterday; a span
 * before now ("1h 30min", "2h ago", "3d"); @SECONDS.
 *
 * @now_usec: CLOCK_REALTIME
 * Return: 0 and nanoseconds since 1970, 0 for what is before it; -EINVAL.
 * Source: moby, api/types/time/timestamp.go; Go, time.Parse() and time.ParseDuration().
 */
int pl_when_parse(const char *s, uint64_t now_usec, uint64_t *ret_nsec);

/** pl_when_parse_tail() - what `docker logs --tail` takes, where everything but a number from 0 on
 * is all. Return: lines; UINT64_MAX: all. Source: moby, daemon/logs.go. */
uint64_t pl_when_parse_tail(const char *s);
