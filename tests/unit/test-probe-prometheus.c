/* SPDX-License-Identifier: Apache-2.0 */

/*
 * MLflow and Prometheus: a status and a line of text.
 */

#include "probe-rounds.h"

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
          PL_VERDICT_DISPUTED, "500", "HTTP 500" },
        /* Prometheus */
        { "prometheus", PL_PROBE_PROMETHEUS, NULL, NULL, false, { { "/-/ready", 200,
          "Prometheus Server is Ready.\n" } }, PL_VERDICT_UP, "", "" },
        { "prometheus replays", PL_PROBE_PROMETHEUS, NULL, NULL, false, { { "/-/ready", 503,
          "Service Unavailable" }, { "/-/healthy", 200, "Healthy" } }, PL_VERDICT_STARTING, "503",
          "not ready" },
        { "prometheus broken", PL_PROBE_PROMETHEUS, NULL, NULL, false, { { "/-/ready", 503, "" },
          { "/-/healthy", 500, "" } }, PL_VERDICT_DISPUTED, "500",
          "not ready (HTTP 503), not healthy (HTTP 500)" },
        { "not prometheus", PL_PROBE_PROMETHEUS, NULL, NULL, false, { { "/-/ready", 404, "" } },
          PL_VERDICT_DISPUTED, "404", "/-/ready" },
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
