/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Grafana: its database decides, whatever the status says.
 */

#include "probe-rounds.h"

/* clang-format off */
static const Round rows[] = {
        /* Grafana */
        { "grafana ok", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 200,
          "{\"commit\":\"x\",\"database\":\"ok\",\"version\":\"10.4.2\"}" } }, PL_VERDICT_UP, "",
          "" },
        { "grafana failing", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 503,
          "{\"database\":\"failing\"}" } }, PL_VERDICT_IMPAIRED, "503", "its database is failing" },
        { "grafana 200 but failing", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 200,
          "{\"database\":\"failing\"}" } }, PL_VERDICT_IMPAIRED, "200", "its database is failing" },
        { "grafana 503 but ok", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 503,
          "{\"database\":\"ok\"}" } }, PL_VERDICT_IMPAIRED, "503", "HTTP 503" },
        { "grafana login page", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 200,
          "<!DOCTYPE html><html>" } }, PL_VERDICT_DISPUTED, "200",
          "not Grafana: HTTP 200 with \"<!DOCTYPE" },
        { "grafana behind a sub-path", PL_PROBE_GRAFANA, "/grafana/api/health", NULL, false,
          { { "/grafana/api/health", 200, "{\"database\":\"ok\"}" } }, PL_VERDICT_UP, "", "" },
        { "grafana moved", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 404, "" } },
          PL_VERDICT_DISPUTED, "404", "ProbePath=" },
        { "grafana says nothing", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 200,
          "{}" } }, PL_VERDICT_DISPUTED, "200", "says nothing" },
        { "grafana mistyped", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 200,
          "{\"database\":{\"ok\":1}}" } }, PL_VERDICT_DISPUTED, "200", "says nothing" },
        { "grafana redirects to its sub-path", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health",
          301, "<a>", "Location: http://localhost:3000/grafana/api/health\r\n" },
          { "/grafana/api/health", 200, "{\"database\":\"ok\"}" } }, PL_VERDICT_UP, "", "" },
        { "grafana redirects to its sub-path, sick", PL_PROBE_GRAFANA, NULL, NULL, false,
          { { "/api/health", 301, "", "Location: /g/api/health\r\n" },
          { "/g/api/health", 503, "{\"database\":\"failing\"}" } }, PL_VERDICT_IMPAIRED, "503",
          "its database is failing" },
        { "grafana redirects to its root URL", PL_PROBE_GRAFANA, NULL, NULL, false,
          { { "/api/health", 301, "", "Location: https://g.example.org/g/api/health\r\n" },
          { "/g/api/health", 200, "{\"database\":\"ok\"}" } }, PL_VERDICT_UP, "", "",
          .host = "g.example.org" },
        { "grafana redirects to elsewhere", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health",
          301, "", "Location: https://u:pw@sso.example.org/login?state=secret\r\n" } },
          PL_VERDICT_DISPUTED, "301", "HTTP 301 for /api/health leads to sso.example.org/login: set" },
        { "grafana redirects to a login page", PL_PROBE_GRAFANA, NULL, NULL, false,
          { { "/api/health", 302, "", "Location: /login\r\n" }, { "/login", 200, "<html>" } },
          PL_VERDICT_DISPUTED, "200", "not Grafana: HTTP 200 with \"<html>\" (redirected to /login)" },
        { "grafana redirects twice", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 302, "",
          "Location: /a\r\n" }, { "/a", 302, "", "Location: /b\r\n" } }, PL_VERDICT_DISPUTED, "302",
          "HTTP 302 for /a leads to /b" },
        { "grafana redirects in a circle", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health",
          302, "", "Location: /a\r\n" }, { "/a", 302, "", "Location: /api/health\r\n" } },
          PL_VERDICT_DISPUTED, "302", "redirects to itself" },
        { "grafana login expected", PL_PROBE_GRAFANA, NULL, "status:401", false, { { "/api/health",
          401, "{}" } }, PL_VERDICT_UP, "", "" },
        { "grafana redirect expected", PL_PROBE_GRAFANA, NULL, "status:302", false,
          { { "/api/health", 302, "", "Location: /login\r\n" } }, PL_VERDICT_UP, "", "" },
        { "grafana login expected, and it answers", PL_PROBE_GRAFANA, NULL, "status:401", false,
          { { "/api/health", 200, "{\"database\":\"ok\"}" } }, PL_VERDICT_DISPUTED, "expect",
          "HTTP 200; ProbeExpect=status:401" },
        { "grafana below a prefix", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/g/api/health", 200,
          "{\"database\":\"ok\"}" } }, PL_VERDICT_UP, "", "", .prefix = "/g" },
        { "grafana 500 with its reason", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 500,
          "{\"message\":\"internal\\nerror\"}" } }, PL_VERDICT_IMPAIRED, "500",
          "HTTP 500 for /api/health: \"internal\\x0aerror\"" },
};
/* clang-format on */

START_TEST(rounds) {
        check_round(&rows[_i]);
}
END_TEST

/* A redirect that leads to the right answer is not asked for again. */
START_TEST(where_it_moved_is_kept) {
        PlHttpSpec spec = { .talk = pl_probe_kind_info(PL_PROBE_GRAFANA)->http };
        PlHttpProbe probe = {};
        static const Reply asked[][3] = {
                { { "/api/health", 301, "", "Location: /g/api/health\r\n" },
                  { "/g/api/health", 200, "{\"database\":\"ok\"}" } },
                { { "/g/api/health", 200, "{\"database\":\"ok\"}" } },
                { { "/g/api/health", 503, "{\"database\":\"failing\"}" } },
                { { "/g/api/health", 404, "" } }, /* it has moved again */
                { { "/api/health", 200, "{\"database\":\"ok\"}" } },
                { { "/api/health", 200, "{\"database\":\"ok\"}" } },
        };
        PlVerdict v;

        for (size_t i = 0; i < PL_ARRAY_SIZE(asked); i++) {
                pl_probe_http_begin(&spec, &probe);
                check_replies("grafana", &spec, &probe, asked[i], 3, 1, NOW, &v);
        }
        ck_assert_int_eq(v.kind, PL_VERDICT_UP);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("rounds");

        tcase_add_loop_test(t, rounds, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, where_it_moved_is_kept);
        return run_case(t);
}
