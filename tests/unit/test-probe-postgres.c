/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Postgres probe: every answer of a server, and of things that are none, as a row.
 */

#include "lib/probe/tcp.h"
#include "probe-answers.h"

/* ErrorResponse with severity, SQLSTATE and message, as PostgreSQL 15 sends it */
#define ERR(len, state, message) \
        "E\0\0\0" len "SFATAL\0VFATAL\0C" state "\0M" message "\0Fpostmaster.c\0L2405\0\0"

/* clang-format off */
static const Answer rows[] = {
        { "ready",
          BYTES("R\0\0\0\x08\0\0\0\0S\0\0\0\x0f"
                "a\0bcdefghi\0Z\0\0\0\x05I"),
          false, PL_VERDICT_UP, "", "", true },
        { "let in, not ready yet", BYTES("R\0\0\0\x08\0\0\0\0"), false, PL_VERDICT_NONE },
        { "let in, then closed", BYTES("R\0\0\0\x08\0\0\0\0"), true, PL_VERDICT_IMPAIRED, "closed",
          "after authentication" },
        { "clear-text password", BYTES("R\0\0\0\x08\0\0\0\x03"), false, PL_VERDICT_UP, "", "" },
        { "md5 password",
          BYTES("R\0\0\0\x0c\0\0\0\x05"
                "abcd"),
          false, PL_VERDICT_UP, "", "" },
        { "SCRAM", BYTES("R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"), false, PL_VERDICT_UP, "", "" },
        { "starting", BYTES(ERR("\x52", "57P03", "the database system is starting up")), false,
          PL_VERDICT_STARTING, "57P03", "starting up" },
        { "shutting down", BYTES(ERR("\x54", "57P03", "the database system is shutting down")),
          false, PL_VERDICT_DISPUTED, "57P03", "shutting down" },
        { "crash recovery", BYTES(ERR("\x57", "57P03", "the database system is in recovery mode")),
          false, PL_VERDICT_STARTING, "57P03", "recovering after a crash" },
        { "standby not consistent",
          BYTES(ERR("\x67", "57P03", "the database system is not yet accepting connections...")),
          false, PL_VERDICT_STARTING, "57P03", "not consistent" },
        { "hot_standby off",
          BYTES(ERR("\x60", "57P03", "the database system is not accepting connections")), false,
          PL_VERDICT_IMPAIRED, "57P03", "standby" },
        { "57P03 in German", BYTES(ERR("\x52", "57P03", "das Datenbanksystem startet gerade")),
          false, PL_VERDICT_STARTING, "57P03", "cannot connect now: das Datenbank" },
        { "full", BYTES(ERR("\x4f", "53300", "sorry, too many clients already")), false,
          PL_VERDICT_IMPAIRED, "53300", "full: sorry" },
        { "reserved slots, after authentication",
          BYTES("R\0\0\0\x08\0\0\0\0" ERR("\x48", "53300", "remaining slots reserved")), false,
          PL_VERDICT_IMPAIRED, "53300", "reserved" },
        { "no such database, after authentication",
          BYTES("R\0\0\0\x08\0\0\0\0" ERR("\x4b", "3D000", "database \"x\" does not exist")), true,
          PL_VERDICT_UP, "3D000", "does not exist" },
        { "no such role", BYTES(ERR("\x47", "28000", "role \"x\" does not exist")), true,
          PL_VERDICT_UP, "28000", "role" },
        { "no pg_hba.conf entry", BYTES(ERR("\x47", "28000", "no pg_hba.conf entry...")), false,
          PL_VERDICT_UP, "28000", "pg_hba" },
        { "admin shutdown", BYTES(ERR("\x3e", "57P01", "terminating...")), true, PL_VERDICT_DISPUTED,
          "57P01", "shutting down" },
        { "disk full", BYTES(ERR("\x38", "53100", "no space")), true, PL_VERDICT_IMPAIRED, "53100",
          "disk full: no space" },
        { "cannot fork", BYTES("Ecould not fork new process for connection: Resource busy\n\0"),
          false, PL_VERDICT_IMPAIRED, "fork", "could not fork" },
        { "notice first", BYTES("N\0\0\0\x06x\0R\0\0\0\x08\0\0\0\x03"), false, PL_VERDICT_UP, "",
          "" },
        { "protocol negotiation first", BYTES("v\0\0\0\x0c\0\3\0\0\0\0\0\0R\0\0\0\x08\0\0\0\x03"),
          false, PL_VERDICT_UP, "", "" },
        { "nothing", BYTES(""), false, PL_VERDICT_NONE },
        { "closed at once", BYTES(""), true, PL_VERDICT_SILENT, "closed", "without an answer" },
        { "half an error", BYTES("E\0\0\0\x40SFATAL"), false, PL_VERDICT_NONE },
        { "half an error, closed", BYTES("E\0\0\0\x40SFATAL"), true, PL_VERDICT_SILENT, "closed",
          "middle" },
        { "HTTP", BYTES("HTTP/1.1 400 Bad Request\r\n"), false, PL_VERDICT_DISPUTED, "garbage",
          "HTTP/1.1 400" },
        { "one strange byte", BYTES("S"), false, PL_VERDICT_NONE },
        { "one strange byte, closed", BYTES("S"), true, PL_VERDICT_DISPUTED, "garbage", "not a" },
        { "SSH", BYTES("SSH-"), false, PL_VERDICT_DISPUTED, "garbage", "SSH-" },
        { "four NULs", BYTES("\0\0\0\0"), false, PL_VERDICT_DISPUTED, "garbage", "\\x00" },
        { "a Redis error", BYTES("-ERR unknown\r\n"), false, PL_VERDICT_DISPUTED, "garbage", "-ERR" },
        { "TLS alert", BYTES("\x15\x03\x03\0\x02\x02\x46"), false, PL_VERDICT_IMPAIRED, "tls",
          "TLS" },
        { "NULs", BYTES("\0\0\0\0\0\0\0\0"), false, PL_VERDICT_DISPUTED, "garbage", "\\x00" },
        { "length zero", BYTES("R\0\0\0\0\0\0\0\0"), false, PL_VERDICT_DISPUTED, "garbage", "not a" },
        { "length of 2 GiB", BYTES("R\x7f\xff\xff\xff\0\0\0\0"), false, PL_VERDICT_DISPUTED, "garbage",
          "not a" },
        { "error without terminator",
          BYTES("E\0\0\0\x0a"
                "C57P03"),
          false, PL_VERDICT_DISPUTED, "garbage", "SQLSTATE" },
        { "error without SQLSTATE", BYTES("E\0\0\0\x0dSFATAL\0\0\0"), false, PL_VERDICT_DISPUTED,
          "garbage", "SQLSTATE" },
        { "SQLSTATE with escapes",
          BYTES("E\0\0\0\x0f"
                "C\x1b[31m\0Mx\0\0"),
          false, PL_VERDICT_UP, "??31?", "x" },
        { "message with escapes", BYTES(ERR("\x40", "28000", "\x1b]0;owned\x07 \xe2\x80\xae!!")),
          true, PL_VERDICT_UP, "28000", "\\x1b]0;owned\\x07 \\xe2\\x80\\xae" },
        { "ready without authentication", BYTES("Z\0\0\0\x05I"), false, PL_VERDICT_DISPUTED, "garbage",
          "not a" },
        { "let in, at length", BYTES("R\0\0\0\x09\0\0\0\0xZ\0\0\0\x05I"), false, PL_VERDICT_DISPUTED,
          "garbage", "not a" },
        { "unknown message later", BYTES("R\0\0\0\x08\0\0\0\0q\0\0\0\x08\0\0\0\0"), false,
          PL_VERDICT_DISPUTED, "garbage", "not a" },
};
/* clang-format on */

START_TEST(answers) {
        check_answer(&rows[_i], pl_tcp_postgres.parse);
}
END_TEST

START_TEST(packets) {
        check_packets(&rows[_i], pl_tcp_postgres.parse);
}
END_TEST

static const struct {
        const char *name, *user, *database, *expect;
        size_t n;
} hellos[] = {
        { "defaults", NULL, "",
          BYTES("\0\0\0\x44\0\3\0\0user\0postgres\0database\0postgres\0"
                "application_name\0plimsolld\0\0") },
        { "database named after the user", "mlflow", NULL,
          BYTES("\0\0\0\x40\0\3\0\0user\0mlflow\0database\0mlflow\0"
                "application_name\0plimsolld\0\0") },
        { "both", "a", "b",
          BYTES("\0\0\0\x36\0\3\0\0user\0a\0database\0b\0application_name\0plimsolld\0\0") },
};

START_TEST(hello) {
        uint8_t buf[PL_TCP_HELLO_MAX];
        size_t n = pl_tcp_postgres.hello(hellos[_i].user, hellos[_i].database, buf);

        ck_assert_msg(n == hellos[_i].n, "%s: %zu bytes", hellos[_i].name, n);
        ck_assert_msg(memcmp(buf, hellos[_i].expect, n) == 0, "%s", hellos[_i].name);
}
END_TEST

START_TEST(hello_is_bounded) {
        uint8_t buf[PL_TCP_HELLO_MAX];
        char name[1000];

        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        ck_assert_uint_le(pl_tcp_postgres.hello(name, name, buf), sizeof(buf));
}
END_TEST

int main(void) {
        TCase *t = tcase_create("tables");

        tcase_add_loop_test(t, answers, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, packets, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, hello, 0, PL_ARRAY_SIZE(hellos));
        tcase_add_test(t, hello_is_bounded);
        return run_case(t);
}
