/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Redis probe: PING out, one line of RESP in, a verdict. Without a password: NOAUTH means that it
 * serves (and hides LOADING, since Redis checks the password first).
 *
 * Source: Redis documentation, "RESP protocol specification"; error words: Redis server.c, shared
 * objects (LOADING, BUSY, MASTERDOWN, MISCONF, NOREPLICAS …); Valkey and KeyDB use the same.
 */

#include "lib/probe/verdict.h"

#define PL_PROBE_REDIS_HELLO "*1\r\n$4\r\nPING\r\n"

/* A longer first line is no answer to PING; that of protected mode has 1,066 bytes. */
#define PL_PROBE_REDIS_LINE_MAX 1536

/** pl_probe_redis_parse() - everything received since the hello.
 * @eof: the server has closed; @ret: written with PL_PROBE_DONE. */
PlProbeStep pl_probe_redis_parse(const uint8_t *data, size_t n, bool eof, PlVerdict *ret);
