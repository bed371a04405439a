/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Addresses of probes: text to socket address and back.
 */

#include <check.h>
#include <errno.h>

#include "pl-probe-address.h"

static const struct {
        const char *ip;
        uint16_t port;
        int error;
        const char *text;
} rows[] = {
        { "172.17.0.2", 5432, 0, "172.17.0.2:5432" },
        { "127.0.0.1", 1, 0, "127.0.0.1:1" },
        { "::1", 80, 0, "[::1]:80" },
        { "fd00:0:0:0::2", 65535, 0, "[fd00::2]:65535" },
        { "", 80, -EINVAL, NULL },
        { "172.17.0", 80, -EINVAL, NULL },
        { "172.17.0.256", 80, -EINVAL, NULL },
        { "postgres", 80, -EINVAL, NULL },
        { "::1%lo", 80, -EINVAL, NULL },
        { "1.2.3.4 ", 80, -EINVAL, NULL },
};

START_TEST(parse) {
        char buf[PL_PROBE_ADDRESS_TEXT_MAX];
        PlProbeAddress a = { 0 };
        int r = pl_probe_address_parse(rows[_i].ip, rows[_i].port, &a);

        ck_assert_msg(r == rows[_i].error, "'%s': %d", rows[_i].ip, r);
        if (r == 0)
                ck_assert_str_eq(pl_probe_address_format(&a, buf), rows[_i].text);
        else
                ck_assert_msg(a.size == 0, "'%s': written in spite of the error", rows[_i].ip);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("probe-address");
        TCase *cases = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(cases, parse, 0, (int)PL_ARRAY_SIZE(rows));
        suite_add_tcase(suite, cases);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
