/* SPDX-License-Identifier: Apache-2.0 */

/* Conversation: the document of a probe that was asked for, and why a container has none. */

#include "lib/status/conversation.h"

#include "lib/base/json.h"
#include "lib/probe/kind.h"
#include "unit.h"

static PlPort ports[] = { { .container_port = 53, .udp = true }, { .container_port = 8080 } };
static PlService section = { .name = (char *)"web", .probe.kind = PL_PROBE_AUTO };
static PlService defaults = { .probe.kind = PL_PROBE_AUTO };
static PlService none = { .name = (char *)"web", .probe.kind = PL_PROBE_NONE };

/* clang-format off */
static const struct {
        const char *name;
        PlPhase phase;
        const PlService *service;
        const char *known;
        size_t n_ports;
        const char *why, *remedy; /* the beginning */
} rows[] = {
        { "no section", PL_PHASE_RUNNING, NULL, NULL, 0, "no section of the policy governs it",
          "make a section [Service NAME] with Match=name:a\\x0ab; the kind" },
        { "nothing fits", PL_PHASE_RUNNING, &section, NULL, 0,
          "Probe= is not set in [Service web], and its image tells of none", "set Probe=http and ProbePort=N (" },
        { "nothing fits, with a port", PL_PHASE_RUNNING, &section, NULL, 2,
          "Probe= is not set in [Service web], and its image tells of none", "set Probe=http and ProbePort=8080 (" },
        { "nothing fits, by the defaults", PL_PHASE_RUNNING, &defaults, NULL, 0,
          "Probe= is not set in [Defaults], and its image tells of none", "set Probe=http" },
        { "none is wanted", PL_PHASE_RUNNING, &none, NULL, 0, "Probe=none in [Service web]", "set Probe=http" },
        { "what is known", PL_PHASE_RUNNING, &section, "it has no address", 0, "it has no address", "set Probe=http" },
        { "it has ended", PL_PHASE_EXITED, &section, "it has no address", 0, "it does not run (exited)",
          "plimsollctl show a\\x0ab says why" },
        { "paused", PL_PHASE_PAUSED, &section, NULL, 0, "it is paused", "docker unpause a\\x0ab" },
};
/* clang-format on */

START_TEST(unprobed) {
        PlContainer c = { .name = (char *)"a\nb",
                          .phase = rows[_i].phase,
                          .reach = { .ports = ports, .n_ports = rows[_i].n_ports } };
        char why[PL_UNPROBED_MAX], remedy[PL_UNPROBED_MAX];

        pl_unprobed(&c, rows[_i].service, rows[_i].known, why, remedy);
        ck_assert_msg(pl_streq(why, rows[_i].why), "%s: %s", rows[_i].name, why);
        ck_assert_msg(pl_startswith(remedy, rows[_i].remedy), "%s: %s", rows[_i].name, remedy);
}
END_TEST

static void check(json_t *document, const char *expect) {
        _cleanup_json_ json_t *owned = document, *wanted = json_loads(expect, 0, NULL);
        _cleanup_free_ char *text = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);

        ck_assert_ptr_nonnull(wanted);
        ck_assert_msg(json_equal(owned, wanted), "%s", text);
}

START_TEST(asked) {
        static char *const environment[] = { (char *)"A=hunter22", NULL };
        PlVerdict v;
        _cleanup_(pl_secrets_freep) PlSecrets *secrets = NULL;
        _cleanup_(pl_trace_freep) PlTrace *trace = pl_trace_new();

        ck_assert_int_eq(pl_secrets_new(environment, &secrets), 0);
        pl_trace_add(trace, 7, PL_TRACE_ADDRESS, "1.2.3.4:80", 10);
        pl_verdict_set(&v, PL_VERDICT_DISPUTED, "404", "HTTP 404 for /a?b=c: hunter22? Or not");
        check(pl_conversation(&(PlConversation){ .id = "0123",
                                                 .name = "db",
                                                 .kind = PL_PROBE_REDIS,
                                                 .verdict = &v,
                                                 .took_usec = 1234,
                                                 .trace = trace,
                                                 .secrets = secrets }),
              "{\"id\":\"0123\",\"name\":\"db\",\"service\":null,\"probe\":\"redis\","
              "\"asked\":true,\"verdict\":\"disputed\",\"code\":\"404\","
              "\"reason\":\"HTTP 404 for /a?[cut]: [cut]? Or "
              "not\",\"remedy\":null,\"took_usec\":1234,"
              "\"conversation\":[{\"after_usec\":7,\"what\":\"address\","
              "\"text\":\"1.2.3.4:80\"}]}");
}
END_TEST

START_TEST(not_asked) {
        check(pl_conversation(&(PlConversation){ .id = "0123",
                                                 .name = "db",
                                                 .service = "x",
                                                 .why = "why",
                                                 .remedy = "remedy" }),
              "{\"id\":\"0123\",\"name\":\"db\",\"service\":\"x\",\"probe\":null,"
              "\"asked\":false,\"verdict\":\"none\",\"code\":null,\"reason\":\"why\","
              "\"remedy\":\"remedy\",\"took_usec\":null,\"conversation\":[]}");
}
END_TEST

int main(void) {
        TCase *t = tcase_create("conversation");

        tcase_add_loop_test(t, unprobed, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, asked);
        tcase_add_test(t, not_asked);
        return run_case(t);
}
