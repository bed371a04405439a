/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where a port can be reached: container networks, published ports, host network.
 */

#include "lib/probe/address.h"
#include "unit.h"

/* clang-format off */
static const struct {
        const char *name, *mode;
        uint16_t wanted[3];
        const char *ips[4], *ip6;
        PlPort ports[3];
        const char *expect; /* addresses in order, or why there are none */
} rows[] = {
        { "bridge", "bridge", { 6379 }, { "172.17.0.2" }, NULL, { { 0 } }, "172.17.0.2:6379" },
        { "bridge, published too", "bridge", { 6379 }, { "172.17.0.2" }, NULL,
          { { 6379, 16379, false, "127.0.0.1" } }, "172.17.0.2:6379 127.0.0.1:16379" },
        { "only published", "bridge", { 6379 }, { "" }, NULL, { { 6379, 16379, false, "" } },
          "127.0.0.1:16379" },
        { "published on all", "bridge", { 6379 }, { "" }, NULL,
          { { 6379, 16379, false, "0.0.0.0" }, { 6379, 16379, false, "::" } },
          "127.0.0.1:16379 [::1]:16379" },
        { "published on one address", "bridge", { 6379 }, { "" }, NULL,
          { { 6379, 6379, false, "192.0.2.7" } }, "192.0.2.7:6379" },
        { "another port is published", "bridge", { 6379 }, { "" }, NULL, { { 80, 8080, false, "" } },
          "no address" },
        { "UDP is published", "bridge", { 6379 }, { "" }, NULL, { { 6379, 6379, true, "" } },
          "no address" },
        { "exposed only", "bridge", { 6379 }, { "" }, NULL, { { 6379, 0, false, "" } },
          "no address" },
        { "two networks and IPv6", "a", { 80 }, { "172.18.0.2", "172.19.0.2" }, "fd00::2", { { 0 } },
          "172.18.0.2:80 172.19.0.2:80 [fd00::2]:80" },
        { "the same address twice", "a", { 80 }, { "172.18.0.2", "172.18.0.2" }, NULL, { { 0 } },
          "172.18.0.2:80" },
        { "many networks leave room for the published port", "a", { 80 },
          { "172.18.0.2", "172.19.0.2", "172.20.0.2", "172.21.0.2" }, NULL, { { 80, 8080, false, "" } },
          "172.18.0.2:80 172.19.0.2:80 172.20.0.2:80 127.0.0.1:8080" },
        { "two ports, one after the other", "a", { 80, 81 }, { "172.18.0.2", "172.19.0.2" }, NULL, { { 0 } },
          "172.18.0.2:80 172.19.0.2:80 172.18.0.2:81 172.19.0.2:81" },
        { "many networks leave room for the next port", "a", { 80, 81 },
          { "172.18.0.2", "172.19.0.2", "172.20.0.2", "172.21.0.2" }, NULL, { { 81, 8081, false, "" } },
          "172.18.0.2:80 172.19.0.2:80 172.20.0.2:80 172.18.0.2:81 172.19.0.2:81 172.20.0.2:81 127.0.0.1:8081" },
        { "three ports in the host's network", "host", { 80, 81, 82 }, { "" }, NULL, { { 0 } },
          "127.0.0.1:80 [::1]:80 127.0.0.1:81 [::1]:81 127.0.0.1:82 [::1]:82" },
        { "no port", "bridge", { 0 }, { "172.17.0.2" }, NULL, { { 0 } }, "set ProbePort=" },
        { "host network", "host", { 5432 }, { "" }, NULL, { { 0 } },
          "127.0.0.1:5432 [::1]:5432" },
        { "no network", "none", { 5432 }, { "" }, NULL, { { 0 } }, "has no network" },
        { "another's network, not known", "container:x", { 5432 }, { "" }, NULL, { { 0 } },
          "shares the network" },
        { "http: the only port", "bridge", { 8080 }, { "172.17.0.2" }, NULL,
          { { 8080, 80, false, "" }, { 8080, 80, false, "::" } },
          "172.17.0.2:8080 127.0.0.1:80 [::1]:80" },
        { "an address that is none", "bridge", { 6379 }, { "redis.local" }, NULL, { { 0 } },
          "no address" },
};
/* clang-format on */

static void fill(int i, PlContainer *c, PlNetwork networks[static 4]) {
        *c = (PlContainer){ .host.network_mode = (char *)rows[i].mode,
                            .reach.networks = networks,
                            .reach.ports = (PlPort *)rows[i].ports };
        for (size_t n = 0; n < 4 && rows[i].ips[n]; n++) {
                networks[n] = (PlNetwork){ 0 };
                (void)snprintf(networks[n].ip, sizeof(networks[n].ip), "%s", rows[i].ips[n]);
                if (n == 0 && rows[i].ip6)
                        (void)snprintf(networks[n].ip6, sizeof(networks[n].ip6), "%s", rows[i].ip6);
                c->reach.n_networks++;
        }
        while (c->reach.n_ports < 3 && rows[i].ports[c->reach.n_ports].container_port)
                c->reach.n_ports++;
}

START_TEST(addresses) {
        char text[512] = "", one[PL_PROBE_ADDRESS_TEXT_MAX];
        PlNetwork networks[4];
        PlProbeAddresses a;
        size_t n_wanted = 0;
        PlContainer c;

        fill(_i, &c, networks);
        while (n_wanted < 3 && rows[_i].wanted[n_wanted])
                n_wanted++;
        pl_probe_addresses(&c, NULL, rows[_i].wanted, n_wanted, &a);
        for (size_t n = 0; n < a.n; n++) {
                size_t len = strlen(text);

                (void)snprintf(text + len, sizeof(text) - len, "%s%s", n > 0 ? " " : "",
                               pl_probe_address_format(&a.items[n], one));
        }
        if (a.n == 0)
                ck_assert_msg(a.why && strstr(a.why, rows[_i].expect), "%s: %s", rows[_i].name,
                              a.why ? a.why : "no address, and no reason");
        else
                ck_assert_msg(pl_streq(text, rows[_i].expect), "%s: %s", rows[_i].name, text);
}
END_TEST

/* A sidecar is reached at the address of the container whose network it shares. */
START_TEST(shared_network) {
        PlNetwork network = { .ip = "172.17.0.9" };
        PlContainer owner = { .host.network_mode = (char *)"bridge",
                              .reach.networks = &network,
                              .reach.n_networks = 1 };
        PlContainer c = { .host.network_mode = (char *)"container:0123" };
        const uint16_t port = 6379;
        char text[PL_PROBE_ADDRESS_TEXT_MAX];
        PlProbeAddresses a;

        pl_probe_addresses(&c, &owner, &port, 1, &a);
        ck_assert_uint_eq(a.n, 1);
        ck_assert_str_eq(pl_probe_address_format(&a.items[0], text), "172.17.0.9:6379");
}
END_TEST

START_TEST(not_addresses) {
        static const char *const bad[] = { "",         "localhost", "1.2.3", "1.2.3.4.5",
                                           "1.2.3.4 ", "::1%lo",    "[::1]" };
        PlNetwork network = {};
        PlContainer c = { .reach.networks = &network, .reach.n_networks = 1 };
        const uint16_t port = 6379;
        PlProbeAddresses a;

        (void)snprintf(network.ip, sizeof(network.ip), "%s", bad[_i]);
        pl_probe_addresses(&c, NULL, &port, 1, &a);
        ck_assert_uint_eq(a.n, 0);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("table");

        tcase_add_loop_test(t, addresses, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, shared_network);
        tcase_add_loop_test(t, not_addresses, 0, 7);
        return run_case(t);
}
