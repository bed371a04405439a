/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Redis probe: every answer of a server, and of things that are none, as a row.
 */

#include "lib/probe/tcp.h"
#include "probe-answers.h"

/* clang-format off */
static const Answer rows[] = {
        { "pong", BYTES("+PONG\r\n"), false, PL_VERDICT_UP, "", "" },
        { "pong, then closed", BYTES("+PONG\r\n"), true, PL_VERDICT_UP, "", "" },
        { "half a pong", BYTES("+PON"), false, PL_VERDICT_NONE },
        { "half a line end", BYTES("+PONG\r"), false, PL_VERDICT_NONE },
        { "half a pong, closed", BYTES("+PON"), true, PL_VERDICT_SILENT, "closed", "middle" },
        { "password", BYTES("-NOAUTH Authentication required.\r\n"), false, PL_VERDICT_UP, "NOAUTH",
          "" },
        { "old password", BYTES("-ERR operation not permitted\r\n"), false, PL_VERDICT_UP, "NOAUTH",
          "" },
        { "ACL", BYTES("-NOPERM this user has no permissions to run the 'ping' command\r\n"), false,
          PL_VERDICT_UP, "NOPERM", "" },
        { "loading", BYTES("-LOADING Redis is loading the dataset in memory\r\n"), false,
          PL_VERDICT_STARTING, "LOADING", "loading" },
        { "protected mode", BYTES("-DENIED Redis is running in protected mode because\r\n"), true,
          PL_VERDICT_UP, "DENIED", "protected" },
        { "replica without master",
          BYTES("-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to "
                "'no'.\r\n"),
          false, PL_VERDICT_IMPAIRED, "MASTERDOWN", "master" },
        { "script", BYTES("-BUSY Redis is busy running a script.\r\n"), false, PL_VERDICT_IMPAIRED,
          "BUSY", "BUSY Redis is busy" },
        { "full", BYTES("-ERR max number of clients reached\r\n"), true, PL_VERDICT_IMPAIRED,
          "maxclients", "full" },
        { "full, cluster's words", BYTES("-ERR max number of clients + cluster connections\r\n"),
          true, PL_VERDICT_IMPAIRED, "maxclients", "full" },
        { "cannot save", BYTES("-MISCONF Errors writing to the AOF file: No space left\r\n"), false,
          PL_VERDICT_IMPAIRED, "MISCONF", "No space left" },
        { "cluster down", BYTES("-CLUSTERDOWN The cluster is down\r\n"), false, PL_VERDICT_IMPAIRED,
          "CLUSTERDOWN", "cluster is down" },
        { "PING renamed", BYTES("-ERR unknown command 'PING', with args\r\n"), false, PL_VERDICT_UP,
          "renamed", "renamed" },
        { "another ERR", BYTES("-ERR something\r\n"), false, PL_VERDICT_IMPAIRED, "ERR",
          "something" },
        { "a word of the future", BYTES("-FUTURE unheard of\r\n"), false, PL_VERDICT_IMPAIRED,
          "error", "FUTURE unheard" },
        { "a word with escapes", BYTES("-FUTURE \x1b[2J\r\n"), false, PL_VERDICT_IMPAIRED, "error",
          "\\x1b[2J" },
        { "with a login", BYTES("+OK\r\n+PONG\r\n"), false, PL_VERDICT_UP, "", "", .login = true },
        { "with a login, PING to come", BYTES("+OK\r\n"), false, PL_VERDICT_NONE, .login = true },
        { "with a login, then closed", BYTES("+OK\r\n"), true, PL_VERDICT_SILENT, "closed", "without",
          false, PL_WAY_TLS, .login = true },
        { "a login that is wrong",
          BYTES("-WRONGPASS invalid username-password pair\r\n-NOAUTH Authentication required.\r\n"),
          false, PL_VERDICT_DISPUTED, "WRONGPASS", "set ProbeAuth=no", .login = true },
        { "a login that is wrong, before 6",
          BYTES("-ERR invalid password\r\n-NOAUTH Authentication required.\r\n"), false,
          PL_VERDICT_DISPUTED, "WRONGPASS", "set ProbeAuth=no", .login = true },
        { "a login that nobody wants",
          BYTES("-ERR AUTH <password> called without any password configured\r\n+PONG\r\n"), false,
          PL_VERDICT_UP, "", "", .login = true },
        { "a login shows that it is loading", BYTES("+OK\r\n-LOADING Redis is loading\r\n"), false,
          PL_VERDICT_STARTING, "LOADING", "", .login = true },
        { "a login, and no Redis", BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"), false,
          PL_VERDICT_DISPUTED, "garbage", "HTTP", .login = true },
        { "nothing", BYTES(""), false, PL_VERDICT_NONE },
        { "closed at once", BYTES(""), true, PL_VERDICT_SILENT, "closed", "without", false,
          PL_WAY_TLS },
        { "HTTP", BYTES("HTTP/1.1 400 Bad Request\r\n"), false, PL_VERDICT_DISPUTED, "garbage",
          "HTTP" },
        { "a Postgres error", BYTES("E\0\0\0\x40SFATAL"), false, PL_VERDICT_DISPUTED, "garbage",
          "not a Redis" },
        { "SSH", BYTES("SSH-2.0-OpenSSH_9.2\r\n"), false, PL_VERDICT_DISPUTED, "garbage", "SSH-2.0" },
        { "TLS alert", BYTES("\x15\x03\x03\0\x02\x02\x46"), true, PL_VERDICT_DISPUTED, "tls",
          "TLS", false, PL_WAY_TLS },
        { "one strange byte", BYTES("x"), false, PL_VERDICT_NONE },
        { "one strange byte, closed", BYTES("x"), true, PL_VERDICT_DISPUTED, "garbage", "\"x\"" },
        { "NULs", BYTES("\0\0\0\0"), false, PL_VERDICT_DISPUTED, "garbage", "\\x00" },
        { "an integer", BYTES(":1\r\n"), false, PL_VERDICT_DISPUTED, "garbage", ":1" },
        { "PONGO", BYTES("+PONGO\r\n"), false, PL_VERDICT_DISPUTED, "garbage", "+PONGO" },
        { "another string", BYTES("+OK\r\n"), false, PL_VERDICT_DISPUTED, "garbage", "+OK" },
        { "a minus", BYTES("-\r\n"), false, PL_VERDICT_DISPUTED, "garbage", "-" },
        { "a telling minus", BYTES("-bash: command not found\r\n"), false, PL_VERDICT_DISPUTED,
          "garbage", "-bash" },
        { "only a line end", BYTES("\r\n+PONG\r\n"), false, PL_VERDICT_DISPUTED, "garbage", "" },
};
/* clang-format on */

/* Nothing is to be said to Redis at the end. */
START_TEST(answers) {
        check_answer(&rows[_i], pl_tcp_redis.parse);
}
END_TEST

START_TEST(packets) {
        check_packets(&rows[_i], pl_tcp_redis.parse);
}
END_TEST

START_TEST(endless_line) {
        uint8_t data[1536];
        PlTcpAnswer a;

        memset(data, 'A', sizeof(data));
        data[0] = '+';
        ck_assert_int_eq(pl_tcp_redis.parse(data, sizeof(data) - 1, false, false, &a),
                         PL_PROBE_MORE);
        ck_assert_int_eq(pl_tcp_redis.parse(data, sizeof(data), false, false, &a), PL_PROBE_DONE);
        ck_assert_int_eq(a.verdict.kind, PL_VERDICT_DISPUTED);
}
END_TEST

/* What Redis 7 says of protected mode, in full. */
START_TEST(long_line) {
        char data[1066 + 2];
        PlTcpAnswer a;

        memset(data, 'a', sizeof(data));
        memcpy(data, "-DENIED ", 8);
        memcpy(data + sizeof(data) - 2, "\r\n", 2);
        ck_assert_int_eq(pl_tcp_redis.parse((uint8_t *)data, sizeof(data), false, false, &a),
                         PL_PROBE_DONE);
        ck_assert_int_eq(a.verdict.kind, PL_VERDICT_UP);
}
END_TEST

START_TEST(hello) {
        PlLogin login = { .password = "pa ss" };
        uint8_t buf[PL_TCP_HELLO_MAX];
        size_t n = pl_tcp_redis.hello(NULL, NULL, NULL, buf);

        ck_assert(n == 14 && memcmp(buf, "*1\r\n$4\r\nPING\r\n", n) == 0);
        n = pl_tcp_redis.hello(NULL, NULL, &login, buf);
        ck_assert(n == 39 &&
                  memcmp(buf, "*2\r\n$4\r\nAUTH\r\n$5\r\npa ss\r\n*1\r\n$4\r\nPING\r\n", n) == 0);
        memset(login.password, 'x', PL_LOGIN_MAX);
        ck_assert_uint_le(pl_tcp_redis.hello(NULL, NULL, &login, buf), sizeof(buf));
}
END_TEST

int main(void) {
        TCase *t = tcase_create("tables");

        tcase_add_loop_test(t, answers, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, packets, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, hello);
        tcase_add_test(t, endless_line);
        tcase_add_test(t, long_line);
        return run_case(t);
}
