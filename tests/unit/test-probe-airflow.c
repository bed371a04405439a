/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Airflow 2 and 3: components, heartbeats, and answers that only look like it.
 */

#include "probe-rounds.h"

#define AIRFLOW3 "/api/v2/monitor/health"
#define AIRFLOW(meta, sched, beat, rest)                                                 \
        "{\"metadatabase\":{\"status\":\"" meta "\"},\"scheduler\":{\"status\":\"" sched \
        "\",\"latest_scheduler_heartbeat\":" beat "}" rest "}"
#define FRESH "\"2025-12-31T23:59:55.123456+00:00\""
#define STALE "\"2025-12-31T23:58:25.123456+00:00\""

/* clang-format off */
static const Round rows[] = {
        /* Airflow 3 */
        { "airflow 3 healthy", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          AIRFLOW("healthy", "healthy", FRESH,
          ",\"triggerer\":{\"status\":\"healthy\",\"latest_triggerer_heartbeat\":" FRESH
          "},\"dag_processor\":{\"status\":null,\"latest_dag_processor_heartbeat\":" "null}"
          ",\"new_thing\":{\"status\":\"unhealthy\"}" ) } }, PL_VERDICT_UP, "", "" },
        { "airflow scheduler dead, HTTP 200", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3,
          200, AIRFLOW("healthy", "unhealthy", STALE, "" ) } }, PL_VERDICT_IMPAIRED, "scheduler",
          "scheduler heartbeat 94s old" },
        { "airflow scheduler never there", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          AIRFLOW("healthy", "unhealthy", "null", "" ) } }, PL_VERDICT_IMPAIRED, "scheduler",
          "scheduler has never sent a heartbeat" },
        { "airflow metadatabase", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          AIRFLOW("unhealthy", "healthy", FRESH, "" ) } }, PL_VERDICT_IMPAIRED, "metadatabase",
          "metadatabase unhealthy" },
        { "airflow triggerer", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          AIRFLOW("healthy", "healthy", FRESH,
          ",\"triggerer\":{\"status\":\"unhealthy\",\"latest_triggerer_" "heartbeat\":" STALE "}"
          ) } }, PL_VERDICT_IMPAIRED, "triggerer", "triggerer heartbeat 94s old" },
        { "airflow scheduler stopped just now", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3,
          200, AIRFLOW("healthy", "unhealthy", FRESH, "" ) } }, PL_VERDICT_IMPAIRED, "scheduler",
          "scheduler was stopped: unhealthy with a heartbeat 4s old" },
        { "airflow without its database", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          AIRFLOW("unhealthy", "unhealthy", "null",
          ",\"triggerer\":{\"status\":\"unhealthy\",\"latest_triggerer_heartbeat\":null}") } },
          PL_VERDICT_IMPAIRED, "metadatabase",
          "metadatabase unhealthy, and with it scheduler, triggerer" },
        { "airflow one of two schedulers", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          "{\"metadatabase\":{\"status\":\"healthy\"},\"scheduler\":{\"status\":\"healthy\","
          "\"latest_scheduler_heartbeat\":" FRESH ",\"detailed_status\":\"degraded\",\"instances\":"
          "[{\"hostname\":\"s1\",\"status\":\"healthy\"},{\"hostname\":\"s2\",\"status\":"
          "\"unhealthy\",\"latest_scheduler_heartbeat\":" STALE "},7,{\"status\":null}]}}" } },
          PL_VERDICT_IMPAIRED, "scheduler", "scheduler on s2 heartbeat 94s old (1 of 4)" },
        { "airflow three of four schedulers", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          "{\"metadatabase\":{\"status\":\"healthy\"},\"scheduler\":{\"status\":\"healthy\","
          "\"instances\":[{\"hostname\":\"a\",\"status\":\"x\"},{\"hostname\":\"b\\u001b\","
          "\"status\":\"x\"},{\"status\":\"x\"},{\"status\":\"healthy\"}]}}" } },
          PL_VERDICT_IMPAIRED, "scheduler",
          "scheduler on a unhealthy, scheduler on b\\x1b unhealthy (3 of 4)" },
        { "airflow says less than it details", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3,
          200, "{\"metadatabase\":{\"status\":\"healthy\"},\"triggerer\":{\"status\":\"healthy\","
          "\"detailed_status\":\"degraded\",\"instances\":[]}}" } }, PL_VERDICT_IMPAIRED,
          "triggerer", "triggerer degraded" },
        { "airflow details nothing", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          "{\"metadatabase\":{\"status\":\"healthy\"},\"triggerer\":{\"status\":\"healthy\","
          "\"detailed_status\":null,\"instances\":null},\"scheduler\":{\"status\":\"healthy\","
          "\"detailed_status\":\"healthy\",\"instances\":[]}}" } }, PL_VERDICT_UP, "", "" },
        { "airflow scheduler and dag processor", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3,
          200, AIRFLOW("healthy", "unhealthy", "null",
          ",\"dag_processor\":{\"status\":\"unhealthy\"," "\"latest_dag_processor_heartbeat\":null}"
          ) } }, PL_VERDICT_IMPAIRED, "scheduler", "heartbeat; dag_processor has never" },
        { "airflow lies about an old heartbeat", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3,
          200, AIRFLOW("healthy", "healthy", "\"2025-12-31T22:00:00Z\"", "" ) } }, PL_VERDICT_IMPAIRED,
          "scheduler", "calls itself healthy, but its heartbeat 2h old" },
        { "airflow heartbeat in the future", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          AIRFLOW("healthy", "healthy", "\"2026-01-01T00:00:09+00:00\"", "" ) } }, PL_VERDICT_UP,
          "", "" },
        { "airflow heartbeat in another zone", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3,
          200, AIRFLOW("healthy", "healthy", "\"2026-01-01T01:59:58+02:00\"", "" ) } },
          PL_VERDICT_UP, "", "" },
        { "airflow heartbeat garbage", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          AIRFLOW("healthy", "healthy", "\"yesterday\"", "" ) } }, PL_VERDICT_UP, "", "" },
        { "airflow without scheduler component", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3,
          200, "{\"metadatabase\":{\"status\":\"healthy\"},\"scheduler\":{\"status\":null}}" } },
          PL_VERDICT_UP, "", "" },
        { "airflow status with escapes", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          AIRFLOW("\\u001b[2J", "healthy", FRESH, "" ) } }, PL_VERDICT_IMPAIRED, "metadatabase",
          "metadatabase \\x1b[2J" },
        { "airflow status mistyped", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          "{\"metadatabase\":{\"status\":7}}" } }, PL_VERDICT_IMPAIRED, "metadatabase", "no text" },
        /* Airflow 2 */
        { "airflow 2 healthy", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 404, "<html>" },
          { "/health", 200, AIRFLOW("healthy", "healthy", FRESH, "" ) } }, PL_VERDICT_UP, "", "" },
        { "airflow 2 unhealthy", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 404, "<html>" },
          { "/health", 200, AIRFLOW("healthy", "unhealthy", STALE, "" ) } }, PL_VERDICT_IMPAIRED,
          "scheduler", "heartbeat" },
        { "airflow page for every path", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          "<html>" }, { "/health", 200, "<html>" } }, PL_VERDICT_DISPUTED, "200", "not Airflow" },
        { "airflow another service's JSON", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          "{\"status\":\"ok\"}" }, { "/health", 200, "{\"status\":\"ok\"}" } }, PL_VERDICT_DISPUTED,
          "200", "not Airflow" },
        { "airflow 502", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 502, "" } },
          PL_VERDICT_IMPAIRED, "502", "HTTP 502" },
        { "airflow own path", PL_PROBE_AIRFLOW, "/af/health", NULL, false, { { "/af/health", 404,
          "" } }, PL_VERDICT_DISPUTED, "404", "HTTP 404" },
        { "airflow nowhere", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 404, "" },
          { "/health", 404, "" } }, PL_VERDICT_DISPUTED, "404",
          "HTTP 404 for " AIRFLOW3 ", /health: set ProbePath=" },
        { "airflow 2 below a base URL", PL_PROBE_AIRFLOW, NULL, NULL, false, { { "/af" AIRFLOW3, 404,
          "" }, { "/af/health", 200, AIRFLOW("healthy", "healthy", FRESH, "" ) } }, PL_VERDICT_UP, "",
          "", .prefix = "/af/" },
        { "airflow wants a login", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 404, "" },
          { "/health", 401, "" } }, PL_VERDICT_DISPUTED, "401",
          "it wants authentication; if that is as it should be, set ProbeExpect=status:401" },
        { "airflow scheduler's own server", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 404,
          "" }, { "/health", 200, "" } }, PL_VERDICT_UP, "", "" },
        { "airflow scheduler's own server, it hangs", PL_PROBE_AIRFLOW, NULL, NULL, false,
          { { AIRFLOW3, 404, "" }, { "/health", 503, "" } }, PL_VERDICT_IMPAIRED, "503", "HTTP 503" },
};
/* clang-format on */

START_TEST(rounds) {
        check_round(&rows[_i]);
}
END_TEST

/* One question an interval once a path has answered, whatever happens to it later: Airflow 2.8
 * writes a row into its database for each path that it does not have. */
START_TEST(airflow_keeps_its_path) {
        PlHttpSpec spec = { .talk = pl_probe_kind_info(PL_PROBE_AIRFLOW)->http };
        PlHttpProbe probe = {};
        static const Reply asked[][3] = {
                { { AIRFLOW3, 404, "<html>" },
                  { "/health", 200, AIRFLOW("healthy", "healthy", FRESH, "") } },
                { { "/health", 200, AIRFLOW("healthy", "healthy", FRESH, "") } },
                { { "/health", 0, "", NULL, PL_HTTP_TIMEOUT } },
                { { "/health", 404, "<html>" } },
                { { "/health", 502, "<html>" } },
                { { "/health", 200, AIRFLOW("healthy", "healthy", FRESH, "") } },
        };
        PlVerdict v;

        for (size_t i = 0; i < PL_ARRAY_SIZE(asked); i++) {
                pl_probe_http_begin(&spec, &probe);
                check_replies("airflow", &spec, &probe, asked[i], 3, 1, NOW, &v);
        }
        ck_assert_int_eq(v.kind, PL_VERDICT_UP);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("rounds");

        tcase_add_loop_test(t, rounds, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, airflow_keeps_its_path);
        return run_case(t);
}
