/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Units: sizes, percentages, time spans and budgets as systemd writes them.
 *
 * Sources: systemd.syntax(7) "sizes", systemd.time(7) "parsing time spans",
 * systemd.resource-control(5). Sizes are base 1024; a time span without a unit is in seconds. Pure;
 * a value parses in full or not at all.
 */

#include "lib/base/macro.h"

/** pl_parse_uint64() - decimal digits only, no sign, no space. Return: 0, -EINVAL, -ERANGE. */
int pl_parse_uint64(const char *s, uint64_t *ret);

/**
 * pl_parse_size() - "4G", "1.5G", "512", "infinity"
 * @ret_bytes: PL_UNLIMITED for "infinity"
 * Return: 0; -EINVAL not a size; -ERANGE does not fit.
 */
int pl_parse_size(const char *s, uint64_t *ret_bytes);

/**
 * pl_parse_rate() - bytes per second, base 1000 as systemd.resource-control(5) has it for
 * IOReadBandwidthMax=: "10M" is 10,000,000. Return: as pl_parse_size().
 */
int pl_parse_rate(const char *s, uint64_t *ret_bytes);

/** pl_parse_permyriad() - "25%", "12.5%", "200%" in 1/100 of a percent. Return: 0, -EINVAL,
 * -ERANGE. */
int pl_parse_permyriad(const char *s, uint64_t *ret);

/** pl_parse_sec() - a time span in microseconds: "10", "2min 30s", "1h", "infinity".
 * Return: 0, -EINVAL, -ERANGE. */
int pl_parse_sec(const char *s, uint64_t *ret_usec);

/** pl_parse_cpuset() - "0-3,6" or "0 1 2" to the canonical list, owned by the caller.
 * Return: 0, -EINVAL, -ERANGE (a CPU number above 8191, the kernel's largest NR_CPUS), -ENOMEM. */
int pl_parse_cpuset(const char *s, char **ret);

/** pl_cpuset_within() - are all CPUs of a canonical list in another one? "" is within every list.
 */
bool pl_cpuset_within(const char *list, const char *all);

/** pl_format_bytes() - "512B", "4.0K", "12.3M", "infinity"; at most 15 bytes with the NUL.
 * Return: buf. */
#define PL_FORMAT_MAX 48
const char *pl_format_bytes(uint64_t bytes, char buf[static PL_FORMAT_MAX]);

/** pl_format_bytes_exact() - the shortest exact form a policy accepts: "4G", "1536M", "1000000".
 * Return: buf. */
const char *pl_format_bytes_exact(uint64_t bytes, char buf[static PL_FORMAT_MAX]);

/** pl_format_sec() - "95s", "2min 30s", "3.2ms"; "infinity". At most two units; what is
 * below the second is cut off. Return: buf. */
const char *pl_format_sec(uint64_t usec, char buf[static PL_FORMAT_MAX]);

/** pl_format_sec_exact() - as pl_format_sec() where pl_parse_sec() takes that for the same span, or
 * else in the largest unit that says it: "1500001us". Return: buf. */
const char *pl_format_sec_exact(uint64_t usec, char buf[static PL_FORMAT_MAX]);
