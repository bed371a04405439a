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
        { "starting",
          BYTES(ERR("\x52", "57P03", "the database system is starting up")),
          false, PL_VERDICT_STARTING, "57P03", "starting up (SQLSTATE 57P03)" },
        { "shutting down",
          BYTES(ERR("\x54", "57P03", "the database system is shutting down")),
          false, PL_VERDICT_IMPAIRED, "57P03", "shutting down (SQLSTATE 57P03)" },
        { "crash recovery",
          BYTES(ERR("\x57", "57P03", "the database system is in recovery mode")),
          false, PL_VERDICT_STARTING, "57P03", "recovering after a crash" },
        { "standby not consistent",
          BYTES(ERR("\x67", "57P03", "the database system is not yet accepting connections...")),
          false, PL_VERDICT_STARTING, "57P03", "not consistent" },
        { "hot_standby off",
          BYTES(ERR("\x60", "57P03", "the database system is not accepting connections")),
          false, PL_VERDICT_IMPAIRED, "57P03", "standby", false, PL_WAY_PLAIN, 1 },
        { "57P03 in German",
          BYTES(ERR("\x52", "57P03", "das Datenbanksystem startet gerade")),
          false, PL_VERDICT_STARTING, "57P03", "cannot connect now: das Datenbanksystem startet gerade (SQLSTATE 57P03)" },
        { "full",
          BYTES(ERR("\x4f", "53300", "sorry, too many clients already")),
          false, PL_VERDICT_IMPAIRED, "53300", "full: sorry, too many clients already (SQLSTATE 53300)", false, PL_WAY_PLAIN, 1 },
        { "reserved slots, after authentication",
          BYTES("R\0\0\0\x08\0\0\0\0" ERR("\x48", "53300", "remaining slots reserved")),
          false, PL_VERDICT_IMPAIRED, "53300", "reserved", false, PL_WAY_PLAIN, 1 },
        { "no such database, after authentication",
          BYTES("R\0\0\0\x08\0\0\0\0" ERR("\x4b", "3D000", "database \"x\" does not exist")),
          true, PL_VERDICT_UP, "3D000", "database \"x\" does not exist (SQLSTATE 3D000)", false, PL_WAY_PLAIN, 10 },
        { "no such role",
          BYTES(ERR("\x47", "28000", "role \"x\" does not exist")),
          true, PL_VERDICT_UP, "28000", "role \"x\" does not exist (SQLSTATE 28000)", false, PL_WAY_PLAIN, 10 },
        { "no pg_hba.conf entry",
          BYTES(ERR("\x51", "28000", "no pg_hba.conf entry for host \"h\"")),
          false, PL_VERDICT_UP, "28000", "pg_hba", false, PL_WAY_PLAIN, 10 },
        { "no pg_hba.conf entry without TLS",
          BYTES(ERR("\x60", "28000", "no pg_hba.conf entry for host \"h\", no encryption")),
          false, PL_VERDICT_UP, "28000", "no pg_hba.conf entry for host \"h\", no encryption (SQLSTATE", false, PL_WAY_STARTTLS, 10 },
        { "the same, before 14",
          BYTES(ERR("\x5a", "28000", "no pg_hba.conf entry for host \"h\", SSL off")),
          false, PL_VERDICT_UP, "28000", "no pg_hba.conf entry for host \"h\", SSL off (SQLSTATE", false, PL_WAY_STARTTLS, 10 },
        { "a client's certificate",
          BYTES(ERR("\x5e", "28000", "connection requires a valid client certificate")),
          false, PL_VERDICT_DISPUTED, "28000", "with Probe=tcp it is not asked for one: connection requires a valid client certificate (SQLSTATE 28000)", false, PL_WAY_PLAIN, 10 },
        { "wrong password",
          BYTES(ERR("\x5b", "28P01", "password authentication failed for user \"x\"")),
          false, PL_VERDICT_UP, "28P01", "password authentication failed", false, PL_WAY_PLAIN, 10 },
        { "admin shutdown",
          BYTES(ERR("\x3e", "57P01", "terminating...")),
          true, PL_VERDICT_IMPAIRED, "57P01", "shutting down: terminating... (SQLSTATE 57P01)" },
        { "crash of another process",
          BYTES(ERR("\x3e", "57P02", "terminating...")),
          true, PL_VERDICT_STARTING, "57P02", "a server process has crashed" },
        { "disk full",
          BYTES(ERR("\x38", "53100", "no space")),
          true, PL_VERDICT_IMPAIRED, "53100", "disk full: no space", false, PL_WAY_PLAIN, 1 },
        { "data corrupted",
          BYTES(ERR("\x3c", "XX001", "invalid page")),
          true, PL_VERDICT_IMPAIRED, "XX001", "data corrupted: invalid page", false, PL_WAY_PLAIN, 10 },
        { "a pooler: no such user",
          BYTES(ERR("\x46", "08P01", "no such user: postgres")),
          true, PL_VERDICT_DISPUTED, "08P01", "set Probe=tcp: no such user: postgres (SQLSTATE 08P01)", false, PL_WAY_PLAIN, 10 },
        { "a pooler: trust",
          BYTES(ERR("\x4d", "08P01", "\"trust\" authentication failed")),
          true, PL_VERDICT_DISPUTED, "08P01", "it refuses the probe", false, PL_WAY_PLAIN, 10 },
        { "a pooler: no such database",
          BYTES(ERR("\x43", "08P01", "no such database: x")),
          true, PL_VERDICT_DISPUTED, "08P01", "no such database: x", false, PL_WAY_PLAIN, 10 },
        { "a pooler: no such database, old words",
          BYTES(ERR("\x43", "08P01", "No such database: x")),
          true, PL_VERDICT_DISPUTED, "08P01", "No such database: x", false, PL_WAY_PLAIN, 10 },
        { "a pooler: refuses all",
          BYTES(ERR("\x44", "08P01", "bouncer config error")),
          true, PL_VERDICT_IMPAIRED, "08P01", "it refuses everyone: bouncer config error", false, PL_WAY_PLAIN, 1 },
        { "a pooler: full",
          BYTES(ERR("\x5d", "08P01", "no more connections allowed (max_client_conn)")),
          true, PL_VERDICT_IMPAIRED, "08P01", "full: no more connections", false, PL_WAY_PLAIN, 1 },
        { "a pooler: its server",
          BYTES(ERR("\x80", "08P01", "server login has been failing, cached error: connect failed (server_login_retry)")),
          true, PL_VERDICT_IMPAIRED, "08P01", "it cannot reach the server behind it: server login", false, PL_WAY_PLAIN, 1 },
        { "a pooler: its server, old words",
          BYTES(ERR("\x52", "08P01", "pgbouncer cannot connect to server")),
          true, PL_VERDICT_IMPAIRED, "08P01", "it cannot reach the server behind it", false, PL_WAY_PLAIN, 1 },
        { "a pooler: its server is slow",
          BYTES(ERR("\x42", "08P01", "query_wait_timeout")),
          true, PL_VERDICT_IMPAIRED, "08P01", "it cannot reach the server behind it: query_wait_timeout", false, PL_WAY_PLAIN, 1 },
        { "a pooler: shutting down",
          BYTES(ERR("\x4b", "08P01", "the pooler is shutting down")),
          true, PL_VERDICT_IMPAIRED, "08P01", "shutting down: the pooler" },
        { "a pooler: TLS alone",
          BYTES(ERR("\x3c", "08P01", "SSL required")),
          true, PL_VERDICT_DISPUTED, "08P01", "SSL required (SQLSTATE 08P01)", false, PL_WAY_STARTTLS, 10 },
        { "cannot fork", BYTES("Ecould not fork new process for connection: Resource busy\n\0"),
          false, PL_VERDICT_IMPAIRED, "fork", "could not fork" },
        { "notice first", BYTES("N\0\0\0\x06x\0R\0\0\0\x08\0\0\0\x03"), false, PL_VERDICT_UP, "",
          "" },
        { "protocol negotiation first", BYTES("v\0\0\0\x0c\0\3\0\0\0\0\0\0R\0\0\0\x08\0\0\0\x03"),
          false, PL_VERDICT_UP, "", "" },
        { "nothing", BYTES(""), false, PL_VERDICT_NONE },
        { "closed at once", BYTES(""), true, PL_VERDICT_SILENT, "closed", "without an answer", false,
          PL_WAY_TLS },
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
        { "TLS alert", BYTES("\x15\x03\x03\0\x02\x02\x46"), false, PL_VERDICT_DISPUTED, "tls",
          "set ProbeTLS=auto", false, PL_WAY_TLS },
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
          false, PL_VERDICT_UP, "??31?", "x", false, PL_WAY_PLAIN, 10 },
        { "message with escapes", BYTES(ERR("\x40", "28000", "\x1b]0;owned\x07 \xe2\x80\xae!!")),
          true, PL_VERDICT_UP, "28000", "\\x1b]0;owned\\x07 \\xe2\\x80\\xae", false, PL_WAY_PLAIN,
          10 },
        { "ready without authentication", BYTES("Z\0\0\0\x05I"), false, PL_VERDICT_DISPUTED, "garbage",
          "not a" },
        { "let in, at length", BYTES("R\0\0\0\x09\0\0\0\0xZ\0\0\0\x05I"), false, PL_VERDICT_DISPUTED,
          "garbage", "not a" },
        { "with a login: clear text", BYTES("R\0\0\0\x08\0\0\0\x03"), false, PL_VERDICT_NONE, .login = true,
          .n_challenges = 1 },
        { "with a login: SCRAM going on",
          BYTES("R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0" "R\0\0\0\x0b\0\0\0\x0br=x"), false,
          PL_VERDICT_NONE, .login = true, .n_challenges = 2 },
        { "with a login: SCRAM at its end",
          BYTES("R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0" "R\0\0\0\x0b\0\0\0\x0br=x"
                "R\0\0\0\x0b\0\0\0\x0cv=x" "R\0\0\0\x08\0\0\0\0" "Z\0\0\0\x05I"), false,
          PL_VERDICT_UP, "", "", true, .login = true },
        { "with a login: half a challenge", BYTES("R\0\0\0\x17\0\0\0\x0aSCRAM-SHA"), false,
          PL_VERDICT_NONE, .login = true },
        { "with a login: a way that we do not know", BYTES("R\0\0\0\x08\0\0\0\x07"), false,
          PL_VERDICT_UP, "", "", .login = true },
        { "with a login: refused",
          BYTES("R\0\0\0\x08\0\0\0\x03" ERR("\x5b", "28P01", "password authentication failed for user \"x\"")),
          false, PL_VERDICT_DISPUTED, "28P01", "set ProbeAuth=no: password authentication failed",
          .quiet_min = 10, .login = true },
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
        size_t n = pl_tcp_postgres.hello(hellos[_i].user, hellos[_i].database, NULL, buf);

        ck_assert_msg(n == hellos[_i].n, "%s: %zu bytes", hellos[_i].name, n);
        ck_assert_msg(memcmp(buf, hellos[_i].expect, n) == 0, "%s", hellos[_i].name);
}
END_TEST

START_TEST(hello_with_login) {
        PlLogin login = { .user = "u", .password = "secret" };
        uint8_t buf[PL_TCP_HELLO_MAX];
        size_t n = pl_tcp_postgres.hello("other", "b", &login, buf);

        ck_assert_ptr_nonnull(memmem(buf, n, "user\0u\0database\0b\0", 18));
        ck_assert_ptr_null(memmem(buf, n, "secret", 6));
}
END_TEST

START_TEST(hello_is_bounded) {
        uint8_t buf[PL_TCP_HELLO_MAX];
        char name[1000];

        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        ck_assert_uint_le(pl_tcp_postgres.hello(name, name, NULL, buf), sizeof(buf));
}
END_TEST

/* Rounds ten seconds apart. W, Q: the whole and the quiet question; then what it brings: UP, a
 * refusal that is logged, no answer, another one. */
static const struct {
        const char *name, *rounds;
        const char *kinds; /* of the verdicts: up, impaired, silent */
} memories[] = {
        { "let in each time", "Wu Wu Wu", "u u u" },
        { "refused once in ten minutes",
          "Wr Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu "
          "Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu Qu "
          "Qu Qu Wr Qu",
          NULL },
        { "full for a minute, then not", "Wf Qu Qu Qu Qu Qu Wu Wu", "i i i i i i u u" },
        { "refused, then gone, then refused", "Wr Qs Ws Wr Qu", "u s s u u" },
        { "hangs for good", "Wu Wt Qt Wt Qt Wt", "u s s s s s" },
        { "the server behind a pooler is gone", "Wu Wt Qu Wt Qu Wt", "u s i i i i" },
        { "and then the pooler hangs too", "Wt Qu Wt Qt Wt Qt", "s i i s s s" },
        { "and comes back", "Wt Qu Wu Wt", "s i u s" },
};

START_TEST(memory) {
        PlTcpMemory m = { 0 };
        const char *kinds = memories[_i].kinds;
        uint64_t now = PL_USEC_PER_HOUR;

        for (const char *p = memories[_i].rounds; *p; p += 2 + (p[2] == ' ')) {
                PlTcpAnswer a = { .verdict.kind = PL_VERDICT_UP };
                PlVerdict v;
                bool quiet = pl_tcp_is_quiet(&m, now);

                ck_assert_msg(quiet == (*p == 'Q'), "%s: at \"%s\"", memories[_i].name, p);
                if (p[1] == 'r')
                        a.quiet_usec = 10 * PL_USEC_PER_MIN;
                if (p[1] == 'f') {
                        a.quiet_usec = PL_USEC_PER_MIN;
                        a.verdict.kind = PL_VERDICT_IMPAIRED;
                }
                if (p[1] == 't')
                        pl_verdict_set(&a.verdict, PL_VERDICT_SILENT, "timeout", "late");
                if (p[1] == 's')
                        pl_verdict_set(&a.verdict, PL_VERDICT_SILENT, "refused", "refused");
                pl_tcp_learn(&m, quiet, &a, now, &v);
                if (kinds) {
                        ck_assert_msg(v.kind == (*kinds == 'u'   ? PL_VERDICT_UP
                                                 : *kinds == 'i' ? PL_VERDICT_IMPAIRED
                                                                 : PL_VERDICT_SILENT),
                                      "%s: %d at \"%s\"", memories[_i].name, v.kind, p);
                        kinds += 2;
                }
                now += 10 * PL_USEC_PER_SEC;
        }
}
END_TEST

/* What is told again is the refusal, word for word; a quiet question that is not quiet is dropped.
 */
START_TEST(told_again) {
        PlTcpAnswer refused = { .quiet_usec = PL_USEC_PER_HOUR },
                    up = { .verdict.kind = PL_VERDICT_UP };
        PlTcpMemory m = { 0 };
        PlVerdict v;

        pl_verdict_set(&refused.verdict, PL_VERDICT_DISPUTED, "08P01", "no such user");
        pl_tcp_learn(&m, false, &refused, PL_USEC_PER_HOUR, &v);
        pl_tcp_learn(&m, true, &up, PL_USEC_PER_HOUR + 1, &v);
        check_verdict("told again", &v, PL_VERDICT_DISPUTED, "08P01", "no such user");
        ck_assert(pl_tcp_is_quiet(&m, PL_USEC_PER_HOUR + 2));
        m.noisy = true;
        ck_assert(!pl_tcp_is_quiet(&m, PL_USEC_PER_HOUR + 2));
}
END_TEST

int main(void) {
        TCase *t = tcase_create("tables");

        tcase_add_loop_test(t, answers, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, packets, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, hello, 0, PL_ARRAY_SIZE(hellos));
        tcase_add_test(t, hello_with_login);
        tcase_add_test(t, hello_is_bounded);
        tcase_add_loop_test(t, memory, 0, PL_ARRAY_SIZE(memories));
        tcase_add_test(t, told_again);
        return run_case(t);
}
