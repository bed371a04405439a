/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Postgres probe: a start-up packet out, the server's first words in, a verdict.
 *
 * It never authenticates: that the server asks for a password proves that it serves. It must not
 * leave error lines in the server's log, so it names a user and a database that exist
 * (POSTGRES_USER, POSTGRES_DB) and takes leave properly once it was let in.
 *
 * Source: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats"; SQLSTATEs:
 * appendix A; the rule that any other error means "up" is libpq's PQping().
 */

#include "lib/probe/verdict.h"

#define PL_PROBE_POSTGRES_HELLO_MAX 320
#define PL_PROBE_POSTGRES_NAME_MAX  128 /* the server itself cuts at 63 (NAMEDATALEN) */

/**
 * pl_probe_postgres_hello() - StartupMessage, protocol 3.0
 * @user, @database: NULL or empty: "postgres", and the user's name; cut to the maximum
 *
 * Return: the number of bytes written to buf.
 */
size_t pl_probe_postgres_hello(const char *user, const char *database,
                               uint8_t buf[static PL_PROBE_POSTGRES_HELLO_MAX]);

/**
 * pl_probe_postgres_parse() - everything received since the hello, from its first byte
 * @eof: the server has closed
 * @ret: written with PL_PROBE_DONE
 * @ret_goodbye: whether a Terminate message is due before closing (the server let us in)
 *
 * After AuthenticationOk it reads on to ReadyForQuery: slots that are reserved for superusers are
 * refused only then, with 53300.
 */
PlProbeStep pl_probe_postgres_parse(const uint8_t *data, size_t n, bool eof, PlVerdict *ret,
                                    bool *ret_goodbye);

/* Terminate. */
extern const uint8_t pl_probe_postgres_goodbye[5];
