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
          "{\"database\":\"failing\"}" } }, PL_VERDICT_DISPUTED, "503", "its database is failing" },
        { "grafana 200 but failing", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 200,
          "{\"database\":\"failing\"}" } }, PL_VERDICT_DISPUTED, "200", "its database is failing" },
        { "grafana 503 but ok", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 503,
          "{\"database\":\"ok\"}" } }, PL_VERDICT_DISPUTED, "503", "HTTP 503" },
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
};
/* clang-format on */

START_TEST(rounds) {
        check_round(&rows[_i]);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("rounds");

        tcase_add_loop_test(t, rounds, 0, PL_ARRAY_SIZE(rows));
        return run_case(t);
}
