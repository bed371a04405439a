/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Listen: what the kernel's list of sockets says of a port, and what that makes of a verdict.
 */

#include "lib/probe/listen.h"
#include "unit.h"

#define TITLES "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
#define V4(address, port, state, waiting)                                                        \
        "   0: " address ":" port " 00000000:0000 " state " 00000000:" waiting " 00:00000000 0 " \
        "0\n"
#define ZERO "00000000000000000000000000000000"
#define V6(address, port, state, waiting)                                                        \
        "  10: " address ":" port " " ZERO ":0000 " state " 00000000:" waiting " 00:00000000 0 " \
        "0\n"

static const struct {
        const char *name, *text;
        PlListen listen;
} rows[] = {
        { "nothing at all", "", PL_LISTEN_NO },
        { "nobody", TITLES, PL_LISTEN_NO },
        { "everywhere", TITLES V4("00000000", "18EB", "0A", "00000000"), PL_LISTEN_YES },
        { "on its address", TITLES V4("020011AC", "18EB", "0A", "00000000"), PL_LISTEN_YES },
        { "on another port", TITLES V4("00000000", "18EC", "0A", "00000000"), PL_LISTEN_NO },
        { "on localhost", TITLES V4("0100007F", "18EB", "0A", "00000000"), PL_LISTEN_LOCAL },
        { "on Docker's resolver", TITLES V4("0B00007F", "18EB", "0A", "00000000"),
          PL_LISTEN_LOCAL },
        { "and takes no connections", TITLES V4("00000000", "18EB", "0A", "00000003"),
          PL_LISTEN_STUCK },
        { "connected, and not listening", TITLES V4("020011AC", "18EB", "01", "00000000"),
          PL_LISTEN_NO },
        { "the second one",
          TITLES V4("0100007F", "18EC", "0A", "00000000") V4("00000000", "18EB", "0A", "00000000"),
          PL_LISTEN_YES },
        { "on localhost, and everywhere",
          TITLES V4("0100007F", "18EB", "0A", "00000000") V4("020011AC", "18EB", "0A", "00000000"),
          PL_LISTEN_YES },
        { "v6, everywhere", TITLES V6(ZERO, "18EB", "0A", "00000000"), PL_LISTEN_YES },
        { "v6, ::1", TITLES V6("00000000000000000000000001000000", "18EB", "0A", "00000000"),
          PL_LISTEN_LOCAL },
        { "v6, an address that ends like ::1",
          TITLES V6("0000FD00000000000000000001000000", "18EB", "0A", "00000000"), PL_LISTEN_YES },
        { "v6, ::ffff:127.0.0.1",
          TITLES V6("0000000000000000FFFF00000100007F", "18EB", "0A", "00000000"),
          PL_LISTEN_LOCAL },
        { "cut in the middle", TITLES "   0: 00000000:18EB 000", PL_LISTEN_NO },
        { "without an end", TITLES "   0: 00000000:18EB 00000000:0000 0A 00000000:00000000",
          PL_LISTEN_YES },
        { "another format", TITLES "tcp LISTEN 0 0 *:6379\n", PL_LISTEN_NO },
};

/* The rows are written as a little-endian host has it. */
START_TEST(find) {
        if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
                return;
        ck_assert_msg(pl_listen_find(rows[_i].text, 6379) == rows[_i].listen, "%s: %d",
                      rows[_i].name, pl_listen_find(rows[_i].text, 6379));
}
END_TEST

static const struct {
        const char *name;
        PlVerdictKind kind;
        PlListen listen;
        bool shared;
        PlVerdictKind made;
        const char *reason; /* a part */
} judged[] = {
        { "nobody listens", PL_VERDICT_SILENT, PL_LISTEN_NO, false, PL_VERDICT_SILENT, "refused" },
        { "it takes none", PL_VERDICT_SILENT, PL_LISTEN_STUCK, false, PL_VERDICT_SILENT,
          "refused" },
        { "it listens", PL_VERDICT_SILENT, PL_LISTEN_YES, false, PL_VERDICT_DISPUTED,
          "refused; it listens on port 6379 all the same: a firewall" },
        { "localhost", PL_VERDICT_SILENT, PL_LISTEN_LOCAL, false, PL_VERDICT_DISPUTED,
          "refused; it listens on localhost alone: set Probe=none" },
        { "in a network that is gone", PL_VERDICT_SILENT, PL_LISTEN_YES, true, PL_VERDICT_DISPUTED,
          "in a network that is no more: docker restart" },
        { "up", PL_VERDICT_UP, PL_LISTEN_YES, false, PL_VERDICT_UP, "refused" },
        { "disputed anyway", PL_VERDICT_DISPUTED, PL_LISTEN_LOCAL, false, PL_VERDICT_DISPUTED,
          "refused" },
};

START_TEST(judge) {
        PlVerdict v = { .kind = judged[_i].kind, .reason = "refused" };

        pl_listen_judge(judged[_i].listen, 6379, judged[_i].shared, &v);
        ck_assert_msg(v.kind == judged[_i].made, "%s: %d", judged[_i].name, v.kind);
        ck_assert_msg(pl_startswith(v.reason, judged[_i].reason) ||
                                      strstr(v.reason, judged[_i].reason),
                      "%s: %s", judged[_i].name, v.reason);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("listen");

        tcase_add_loop_test(t, find, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, judge, 0, PL_ARRAY_SIZE(judged));
        return run_case(t);
}
