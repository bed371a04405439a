/* SPDX-License-Identifier: Apache-2.0 */

/*
 * MLflow and Prometheus: a status and a line of text.
 */

#include "probe-rounds.h"

#define SEARCH "/api/2.0/mlflow/experiments/search?max_results=1"

/* clang-format off */
static const Round rows[] = {
        /* MLflow */
        { "mlflow", PL_PROBE_MLFLOW, NULL, NULL, false, { { "/health", 200, "OK" } }, PL_VERDICT_UP,
          "", "" },
        { "mlflow with a line end", PL_PROBE_MLFLOW, NULL, NULL, false, { { "/health", 200,
          "OK\r\n" } }, PL_VERDICT_UP, "", "" },
        { "mlflow lies", PL_PROBE_MLFLOW, NULL, NULL, false, { { "/health", 200, "unhealthy" } },
          PL_VERDICT_DISPUTED, "200", "\"unhealthy\" instead" },
        { "mlflow empty", PL_PROBE_MLFLOW, NULL, NULL, false, { { "/health", 200, "" } },
          PL_VERDICT_DISPUTED, "200", "instead of OK" },
        { "mlflow 500", PL_PROBE_MLFLOW, NULL, NULL, false, { { "/health", 500, "OK" } },
          PL_VERDICT_IMPAIRED, "500", "HTTP 500" },
        { "mlflow wants a login", PL_PROBE_MLFLOW, NULL, NULL, false, { { "/health", 401,
          "not authenticated" } }, PL_VERDICT_DISPUTED, "401", "set ProbeExpect=status:401" },
        { "mlflow login expected", PL_PROBE_MLFLOW, NULL, "status:401", false, { { "/health", 401,
          "not authenticated" } }, PL_VERDICT_UP, "", "" },
        { "mlflow 3 below a prefix", PL_PROBE_MLFLOW, NULL, NULL, false, { { "/mlflow/health", 200,
          "OK" } }, PL_VERDICT_UP, "", "", .prefix = "/mlflow",
          .rare = { { "/mlflow" SEARCH, 200, "{}" } }, PL_VERDICT_UP, "", "" },
        { "mlflow 2 does not heed its prefix", PL_PROBE_MLFLOW, NULL, NULL, false,
          { { "/mlflow/health", 404, "" }, { "/health", 200, "OK" } }, PL_VERDICT_UP, "", "",
          .prefix = "/mlflow", .rare = { { SEARCH, 200, "{}" } }, PL_VERDICT_UP, "", "" },
        { "mlflow at neither", PL_PROBE_MLFLOW, NULL, NULL, false, { { "/mlflow/health", 404, "" },
          { "/health", 403, "Invalid Host header - possible DNS rebinding attack detected" } },
          PL_VERDICT_DISPUTED, "403", "set ProbeHost= to one that it allows",
          .prefix = "/mlflow" },
        { "mlflow without its database", PL_PROBE_MLFLOW, NULL, NULL, false, { { "/health", 200,
          "OK" } }, PL_VERDICT_UP, "", "", .rare = { { SEARCH, 500,
          "{\"error_code\":\"TEMPORARILY_UNAVAILABLE\",\"message\":\"no database\"}" } },
          PL_VERDICT_IMPAIRED, "500",
          "experiments/search?max_results=1: \"no database\"; /health answers" },
        { "mlflow wants a login for more", PL_PROBE_MLFLOW, NULL, NULL, false, { { "/health", 200,
          "OK" } }, PL_VERDICT_UP, "", "", .rare = { { SEARCH, 401, "" } }, PL_VERDICT_UP, "", "" },
        { "mlflow at a path of its own", PL_PROBE_MLFLOW, "/ready", NULL, false, { { "/ready", 200,
          "OK" } }, PL_VERDICT_UP, "", "" },
        /* Prometheus */
        { "prometheus", PL_PROBE_PROMETHEUS, NULL, NULL, false, { { "/-/ready", 200,
          "Prometheus Server is Ready.\n" } }, PL_VERDICT_UP, "", "" },
        { "prometheus replays", PL_PROBE_PROMETHEUS, NULL, NULL, false, { { "/-/ready", 503,
          "Service Unavailable" }, { "/-/healthy", 200, "Healthy" } }, PL_VERDICT_STARTING, "503",
          "not ready" },
        { "prometheus broken", PL_PROBE_PROMETHEUS, NULL, NULL, false, { { "/-/ready", 503, "" },
          { "/-/healthy", 500, "" } }, PL_VERDICT_IMPAIRED, "500",
          "not ready (HTTP 503), not healthy (HTTP 500)" },
        { "prometheus replays below a prefix", PL_PROBE_PROMETHEUS, NULL, NULL, false,
          { { "/prometheus/-/ready", 503, "Service Unavailable" },
          { "/prometheus/-/healthy", 200, "Healthy" } }, PL_VERDICT_STARTING, "503", "not ready",
          .prefix = "/prometheus/" },
        { "prometheus replays at a path of the policy", PL_PROBE_PROMETHEUS, "/p/-/ready", NULL,
          false, { { "/p/-/ready", 503, "" }, { "/p/-/healthy", 200, "" } }, PL_VERDICT_STARTING,
          "503", "not ready" },
        { "prometheus replays behind a redirect", PL_PROBE_PROMETHEUS, NULL, NULL, false,
          { { "/-/ready", 302, "", "Location: /p/-/ready\r\n" }, { "/p/-/ready", 503, "" },
          { "/p/-/healthy", 200, "" } }, PL_VERDICT_STARTING, "503", "not ready" },
        { "prometheus with a login", PL_PROBE_PROMETHEUS, NULL, NULL, false, { { "/-/ready", 401,
          "Unauthorized" } }, PL_VERDICT_DISPUTED, "401", "set ProbeExpect=status:401" },
        { "not prometheus", PL_PROBE_PROMETHEUS, NULL, NULL, false, { { "/-/ready", 404, "" } },
          PL_VERDICT_DISPUTED, "404", "/-/ready" },
};
/* clang-format on */

START_TEST(rounds) {
        check_round(&rows[_i]);
}
END_TEST

/* Without its database MLflow answers no search, and a worker that waits for it answers nothing.
 * The first search of a run may only be slow, so it takes two. */
START_TEST(mlflow_hangs) {
        PlHttpSpec spec = { .talk = pl_probe_kind_info(PL_PROBE_MLFLOW)->http };
        PlHttpProbe probe = {};
        static const Reply ok[] = { { "/health", 200, "OK" }, {} },
                           late[] = { { "/health", 0, "", NULL, PL_HTTP_TIMEOUT }, {} },
                           hangs[] = { { SEARCH, 0, "", NULL, PL_HTTP_TIMEOUT }, {} },
                           found[] = { { SEARCH, 200, "{}" }, {} };
        static const struct {
                const Reply *reply;
                unsigned sec;
                PlVerdictKind verdict;
                const char *reason;
        } asked[] = {
                { ok, 0, PL_VERDICT_UP, "" },
                { hangs, 0, PL_VERDICT_UP, "" }, /* it may be its first */
                { late, 10, PL_VERDICT_IMPAIRED, "/health does not answer while an earlier" },
                { ok, 29, PL_VERDICT_UP, "" },
                { ok, 30, PL_VERDICT_UP, "" },
                { hangs, 30, PL_VERDICT_IMPAIRED,
                  "search does not answer, /health does: its database, most likely" },
                { ok, 40, PL_VERDICT_IMPAIRED, "its database" },
                { late, 50, PL_VERDICT_IMPAIRED, "/health does not answer while" },
                { late, 149, PL_VERDICT_IMPAIRED, "/health does not answer while" },
                { late, 151, PL_VERDICT_SILENT, "deadline" }, /* that is not from our question */
                { ok, 160, PL_VERDICT_IMPAIRED, "its database" },
                { found, 160, PL_VERDICT_UP, "" },
                { ok, 170, PL_VERDICT_UP, "" },
                { late, 180, PL_VERDICT_SILENT, "deadline" },
        };
        PlVerdict v;

        for (size_t i = 0; i < PL_ARRAY_SIZE(asked); i++) {
                uint64_t now = NOW + asked[i].sec * PL_USEC_PER_SEC;
                bool rare = asked[i].reply == hangs || asked[i].reply == found;
                char name[32];

                (void)snprintf(name, sizeof(name), "row %zu", i);
                if (rare)
                        ck_assert_msg(pl_probe_http_rare(&spec, &probe, now, 10 * PL_USEC_PER_SEC),
                                      "%s: is not asked", name);
                else
                        pl_probe_http_begin(&spec, &probe);
                check_replies(name, &spec, &probe, asked[i].reply, 1, 1, now, &v);
                check_verdict(name, &v, asked[i].verdict, v.code, asked[i].reason);
                if (i + 1 < PL_ARRAY_SIZE(asked) && asked[i + 1].reply != hangs &&
                    asked[i + 1].reply != found)
                        ck_assert_msg(!pl_probe_http_rare(&spec, &probe, now, 10 * PL_USEC_PER_SEC),
                                      "%s: is asked", name);
        }
}
END_TEST

int main(void) {
        TCase *t = tcase_create("rounds");

        tcase_add_loop_test(t, rounds, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, mlflow_hangs);
        return run_case(t);
}
