/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where metrics are served, and to whom: names that a page in a browser could have made up are not
 * answered.
 */

#include "lib/metrics/address.h"

#include <arpa/inet.h>
#include <errno.h>

#include "unit.h"

static const struct {
        const char *text;
        int r;
        int family;
        const char *host; /* or path */
        int port;
        bool near;
} rows[] = {
        { "127.0.0.1:9478", 0, AF_INET, "127.0.0.1", 9478, true },
        { "127.8.0.1:1", 0, AF_INET, "127.8.0.1", 1, true },
        { "0.0.0.0:65535", 0, AF_INET, "0.0.0.0", 65535, false },
        { "172.17.0.1:9478", 0, AF_INET, "172.17.0.1", 9478, false },
        { "9478", 0, AF_INET, "127.0.0.1", 9478, true },
        { "[::1]:9478", 0, AF_INET6, "::1", 9478, true },
        { "[::]:9478", 0, AF_INET6, "::", 9478, false },
        { "[fd00::1]:9478", 0, AF_INET6, "fd00::1", 9478, false },
        { "unix:/run/plimsoll/metrics.sock", 0, AF_UNIX, "/run/plimsoll/metrics.sock", 0, true },
        { "unix:/run/other/metrics.sock", -EACCES },
        { "unix:/run/plimsoll/../x.sock", -EACCES },
        { "unix:/run/plimsoll/..", -EACCES },
        { "unix:/run/plimsoll/", -EACCES },
        { "unix:metrics.sock", -EACCES },
        { "unix:/run/plimsoll/"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaaaaaaaaaaa",
          -ENAMETOOLONG },
        { "localhost:9478", -ENOENT },
        { "*:9478", -ENOENT },
        { ":9478", -ENOENT },
        { "", -EINVAL },
        { "127.0.0.1", -EINVAL },
        { "127.0.0.1:", -EINVAL },
        { "127.0.0.1:0", -EINVAL },
        { "127.0.0.1:65536", -EINVAL },
        { "127.0.0.1:+80", -EINVAL },
        { "127.0.0.1:80 ", -EINVAL },
        { "127.1:80", -EINVAL },
        { "::1:9478", -EINVAL },
        { "[::1:9478", -EINVAL },
        { "[]:9478", -EINVAL },
        { "[127.0.0.1]:9478", -EINVAL },
        { "example.org:9478", -EINVAL },
};

START_TEST(addresses) {
        const typeof(rows[0]) *row = &rows[_i];
        PlMetricsAddress a;
        char text[INET6_ADDRSTRLEN];
        int r = pl_metrics_address_parse(row->text, &a);

        ck_assert_msg(r == row->r, "%s: %d", row->text, r);
        if (r < 0)
                return;
        ck_assert_msg(a.any.sa_family == row->family && a.near == row->near, "%s", row->text);
        if (row->family == AF_UNIX) {
                ck_assert_str_eq(a.path.sun_path, row->host);
                return;
        }
        (void)inet_ntop(row->family,
                        row->family == AF_INET ? (void *)&a.v4.sin_addr : (void *)&a.v6.sin6_addr,
                        text, sizeof(text));
        ck_assert_str_eq(text, row->host);
        ck_assert_int_eq(ntohs(row->family == AF_INET ? a.v4.sin_port : a.v6.sin6_port), row->port);
}
END_TEST

static char grafana[] = "grafana.lan", box[] = "box.example.net";
static char *const others[] = { grafana, box, NULL };

static const struct {
        const char *host;
        bool allowed;
} hosts[] = {
        { NULL, true },
        { "127.0.0.1:9478", true },
        { "127.0.0.1", true },
        { "192.168.1.7:9478", true },
        { "[::1]:9478", true },
        { "[::1]", true },
        { "localhost", true },
        { "LOCALHOST:9478", true },
        { "localhost.:9478", true },
        { "devbox.example.org:9478", true },
        { "devbox:9478", true },
        { "DevBox", true },
        { "grafana.lan", true },
        { "Box.Example.Net:80", true },
        { "devbox.evil.example", false },
        { "dev", false },
        { "evil.example:9478", false },
        { "127.0.0.1.evil.example", false },
        { "localhost.evil.example", false },
        { "localhost:", false },
        { "localhost:9478:9478", false },
        { "localhost:x", false },
        { "[::1", false },
        { "[evil]", false },
        { "", false },
        { ".", false },
        { ":9478", false },
};

START_TEST(names) {
        ck_assert_msg(pl_metrics_host_allowed(hosts[_i].host, "devbox.example.org", others) ==
                                      hosts[_i].allowed,
                      "%s", hosts[_i].host);
}
END_TEST

START_TEST(host_without_a_name) {
        ck_assert(!pl_metrics_host_allowed("", "", NULL));
        ck_assert(!pl_metrics_host_allowed("evil", "", NULL));
        ck_assert(pl_metrics_host_allowed("localhost", "", NULL));
}
END_TEST

int main(void) {
        TCase *t = tcase_create("metrics-address");

        tcase_add_loop_test(t, addresses, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, names, 0, PL_ARRAY_SIZE(hosts));
        tcase_add_test(t, host_without_a_name);
        return run_case(t);
}
