/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where a service can be reached: container networks, published ports, host network, environment.
 */

#include "lib/probe/address.h"
#include "probe-rounds.h"

/* clang-format off */
static const struct {
        const char *name, *mode;
        PlProbeKind kind;
        uint16_t policy_port;
        const char *ips[4], *ip6;
        PlPort ports[3];
        PlPair env;
        const char *expect; /* addresses in order, or why there are none */
} rows[] = {
        { "bridge", "bridge", PL_PROBE_REDIS, 0, { "172.17.0.2" }, NULL, { { 0 } }, { 0 }, "172.17.0.2:6379" },
        { "bridge, published too", "bridge", PL_PROBE_REDIS, 0, { "172.17.0.2" }, NULL,
          { { 6379, 16379, false, "127.0.0.1" } }, { 0 }, "172.17.0.2:6379 127.0.0.1:16379" },
        { "only published", "bridge", PL_PROBE_REDIS, 0, { "" }, NULL, { { 6379, 16379, false, "" } }, { 0 },
          "127.0.0.1:16379" },
        { "published on all", "bridge", PL_PROBE_REDIS, 0, { "" }, NULL,
          { { 6379, 16379, false, "0.0.0.0" }, { 6379, 16379, false, "::" } }, { 0 },
          "127.0.0.1:16379 [::1]:16379" },
        { "published on one address", "bridge", PL_PROBE_REDIS, 0, { "" }, NULL,
          { { 6379, 6379, false, "192.0.2.7" } }, { 0 }, "192.0.2.7:6379" },
        { "another port is published", "bridge", PL_PROBE_REDIS, 0, { "" }, NULL, { { 80, 8080, false, "" } },
          { 0 }, "no address" },
        { "UDP is published", "bridge", PL_PROBE_REDIS, 0, { "" }, NULL, { { 6379, 6379, true, "" } }, { 0 },
          "no address" },
        { "exposed only", "bridge", PL_PROBE_REDIS, 0, { "" }, NULL, { { 6379, 0, false, "" } }, { 0 },
          "no address" },
        { "two networks and IPv6", "a", PL_PROBE_HTTP, 80, { "172.18.0.2", "172.19.0.2" }, "fd00::2", { { 0 } },
          { 0 }, "172.18.0.2:80 172.19.0.2:80 [fd00::2]:80" },
        { "the same address twice", "a", PL_PROBE_HTTP, 80, { "172.18.0.2", "172.18.0.2" }, NULL, { { 0 } }, { 0 },
          "172.18.0.2:80" },
        { "many networks leave room for the published port", "a", PL_PROBE_HTTP, 80,
          { "172.18.0.2", "172.19.0.2", "172.20.0.2", "172.21.0.2" }, NULL, { { 80, 8080, false, "" } }, { 0 },
          "172.18.0.2:80 172.19.0.2:80 172.20.0.2:80 127.0.0.1:8080" },
        { "host network", "host", PL_PROBE_POSTGRES, 0, { "" }, NULL, { { 0 } }, { 0 },
          "127.0.0.1:5432 [::1]:5432" },
        { "no network", "none", PL_PROBE_POSTGRES, 0, { "" }, NULL, { { 0 } }, { 0 }, "has no network" },
        { "another's network, not known", "container:x", PL_PROBE_POSTGRES, 0, { "" }, NULL, { { 0 } }, { 0 },
          "shares the network" },
        { "port from the policy", "bridge", PL_PROBE_POSTGRES, 6000, { "172.17.0.2" }, NULL, { { 0 } },
          { (char *) "PGPORT", (char *) "7000" }, "172.17.0.2:6000" },
        { "port from the environment", "bridge", PL_PROBE_POSTGRES, 0, { "172.17.0.2" }, NULL, { { 0 } },
          { (char *) "PGPORT", (char *) "7000" }, "172.17.0.2:7000" },
        { "nonsense in the environment", "bridge", PL_PROBE_POSTGRES, 0, { "172.17.0.2" }, NULL, { { 0 } },
          { (char *) "PGPORT", (char *) "70000" }, "172.17.0.2:5432" },
        { "OLLAMA_HOST with a port", "bridge", PL_PROBE_OLLAMA, 0, { "172.17.0.2" }, NULL, { { 0 } },
          { (char *) "OLLAMA_HOST", (char *) "0.0.0.0:8000" }, "172.17.0.2:8000" },
        { "OLLAMA_HOST with a scheme and a port", "bridge", PL_PROBE_OLLAMA, 0, { "172.17.0.2" }, NULL, { { 0 } },
          { (char *) "OLLAMA_HOST", (char *) "http://0.0.0.0:8000" }, "172.17.0.2:8000" },
        { "OLLAMA_HOST without a port", "bridge", PL_PROBE_OLLAMA, 0, { "172.17.0.2" }, NULL, { { 0 } },
          { (char *) "OLLAMA_HOST", (char *) "0.0.0.0" }, "172.17.0.2:11434" },
        { "OLLAMA_HOST with a scheme alone", "bridge", PL_PROBE_OLLAMA, 0, { "172.17.0.2" }, NULL, { { 0 } },
          { (char *) "OLLAMA_HOST", (char *) "http://0.0.0.0" }, "172.17.0.2:11434" },
        { "OLLAMA_HOST, bare IPv6", "bridge", PL_PROBE_OLLAMA, 0, { "172.17.0.2" }, NULL, { { 0 } },
          { (char *) "OLLAMA_HOST", (char *) "::1" }, "172.17.0.2:11434" },
        { "OLLAMA_HOST, IPv6 and port", "bridge", PL_PROBE_OLLAMA, 0, { "172.17.0.2" }, NULL, { { 0 } },
          { (char *) "OLLAMA_HOST", (char *) "[::]:8000" }, "172.17.0.2:8000" },
        { "another kind's environment", "bridge", PL_PROBE_REDIS, 0, { "172.17.0.2" }, NULL, { { 0 } },
          { (char *) "PGPORT", (char *) "7000" }, "172.17.0.2:6379" },
        { "http: the only port", "bridge", PL_PROBE_HTTP, 0, { "172.17.0.2" }, NULL,
          { { 8080, 80, false, "" }, { 8080, 80, false, "::" } }, { 0 },
          "172.17.0.2:8080 127.0.0.1:80 [::1]:80" },
        { "http: several ports", "bridge", PL_PROBE_HTTP, 0, { "172.17.0.2" }, NULL,
          { { 8080, 0, false, "" }, { 9090, 0, false, "" } }, { 0 }, "set ProbePort=" },
        { "tcp: no port", "bridge", PL_PROBE_TCP, 0, { "172.17.0.2" }, NULL, { { 0 } }, { 0 }, "set ProbePort=" },
        { "an address that is none", "bridge", PL_PROBE_REDIS, 0, { "redis.local" }, NULL, { { 0 } }, { 0 },
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
        if (rows[i].env.key) {
                c->launch.env = (PlPair *)&rows[i].env;
                c->launch.n_env = 1;
        }
}

START_TEST(addresses) {
        char text[512] = "", one[PL_PROBE_ADDRESS_TEXT_MAX];
        PlNetwork networks[4];
        PlProbeAddresses a;
        PlContainer c;

        fill(_i, &c, networks);
        pl_probe_addresses(&c, NULL, rows[_i].kind, rows[_i].policy_port, &a);
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
        char text[PL_PROBE_ADDRESS_TEXT_MAX];
        PlProbeAddresses a;

        pl_probe_addresses(&c, &owner, PL_PROBE_REDIS, 0, &a);
        ck_assert_uint_eq(a.n, 1);
        ck_assert_str_eq(pl_probe_address_format(&a.items[0], text), "172.17.0.9:6379");
}
END_TEST

START_TEST(not_addresses) {
        static const char *const bad[] = { "",         "localhost", "1.2.3", "1.2.3.4.5",
                                           "1.2.3.4 ", "::1%lo",    "[::1]" };
        PlNetwork network = {};
        PlContainer c = { .reach.networks = &network, .reach.n_networks = 1 };
        PlProbeAddresses a;

        (void)snprintf(network.ip, sizeof(network.ip), "%s", bad[_i]);
        pl_probe_addresses(&c, NULL, PL_PROBE_REDIS, 0, &a);
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
