/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which probe suits a container whose policy does not say, and which must not be guessed.
 */

#include "lib/probe/kind.h"
#include "probe-rounds.h"

/* clang-format off */
static const struct {
        const char *image, *service, *label, *name;
        PlProbeKind policy, kind;
} rows[] = {
        { "postgres",                              NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_POSTGRES },
        { "postgres:16-alpine",                    NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_POSTGRES },
        { "docker.io/library/postgres:16@sha256:1", NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_POSTGRES },
        { "localhost:5000/x/postgres",             NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_POSTGRES },
        { "bitnami/postgresql:15",                 NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_POSTGRES },
        { "pgvector/pgvector:pg16",                NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_POSTGRES },
        { "timescale/timescaledb:latest-pg16",     NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_POSTGRES },
        { "REDIS:7",                               NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_REDIS },
        { "valkey/valkey:8",                       NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_REDIS },
        { "redis/redis-stack-server",              NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_REDIS },
        { "ollama/ollama:0.5.7",                   NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_OLLAMA },
        { "grafana/grafana-oss:11.0.0",            NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_GRAFANA },
        { "ghcr.io/mlflow/mlflow:v2.14.1",         NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_MLFLOW },
        { "quay.io/prometheus/prometheus:v2.53.0", NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_PROMETHEUS },
        /* neighbours of the above */
        { "prom/node-exporter",                    NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_NONE },
        { "prometheuscommunity/postgres-exporter", NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_NONE },
        { "oliver006/redis_exporter",              NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_NONE },
        { "grafana/loki",                          NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_NONE },
        { "prom/alertmanager",                     NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_NONE },
        { "redis/backup:1",                        NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_NONE },
        { "mypostgres",                            NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_NONE },
        { "nginx",                                 NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_NONE },
        { "",                                      NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_NONE },
        { NULL,                                    NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_NONE },
        /* of Airflow only what serves HTTP */
        { "apache/airflow:2.9.2", "airflow-webserver", NULL, NULL, PL_PROBE_AUTO, PL_PROBE_AIRFLOW },
        { "apache/airflow:3.0.1", "airflow-apiserver", NULL, NULL, PL_PROBE_AUTO, PL_PROBE_AIRFLOW },
        { "apache/airflow:3.0.1", "airflow", NULL, NULL, PL_PROBE_AUTO, PL_PROBE_AIRFLOW },
        { "apache/airflow:3.0.1", NULL, NULL, "stack-airflow-webserver-1", PL_PROBE_AUTO, PL_PROBE_AIRFLOW },
        { "apache/airflow:2.9.2", "airflow-scheduler", NULL, "web-1", PL_PROBE_AUTO, PL_PROBE_NONE },
        { "apache/airflow:2.9.2", "airflow-worker", NULL, NULL, PL_PROBE_AUTO, PL_PROBE_NONE },
        { "apache/airflow:2.9.2", NULL, NULL, NULL, PL_PROBE_AUTO, PL_PROBE_NONE },
        /* compose service, where the image has a name of its own */
        { "registry/own:1", "redis", NULL, NULL, PL_PROBE_AUTO, PL_PROBE_REDIS },
        { "registry/own:1", "http", NULL, NULL, PL_PROBE_AUTO, PL_PROBE_NONE },
        { "registry/own:1", "web", NULL, NULL, PL_PROBE_AUTO, PL_PROBE_NONE },
        { "postgres", "redis", NULL, NULL, PL_PROBE_AUTO, PL_PROBE_POSTGRES },
        /* label, policy */
        { "registry/own:1", NULL, "grafana", NULL, PL_PROBE_AUTO, PL_PROBE_GRAFANA },
        { "postgres", NULL, "none", NULL, PL_PROBE_AUTO, PL_PROBE_NONE },
        { "postgres", NULL, "nonsense", NULL, PL_PROBE_AUTO, PL_PROBE_POSTGRES },
        { "postgres", NULL, "auto", NULL, PL_PROBE_AUTO, PL_PROBE_POSTGRES },
        { "postgres", "redis", "grafana", NULL, PL_PROBE_TCP, PL_PROBE_TCP },
        { "postgres", NULL, NULL, NULL, PL_PROBE_NONE, PL_PROBE_NONE },
};
/* clang-format on */

START_TEST(kinds) {
        PlPair labels[2];
        PlContainer c = { .image = (char *)rows[_i].image, .name = (char *)rows[_i].name };
        PlProbeKind kind;

        c.labels = labels;
        if (rows[_i].service)
                labels[c.n_labels++] = (PlPair){ (char *)"com.docker.compose.service",
                                                 (char *)rows[_i].service };
        if (rows[_i].label)
                labels[c.n_labels++] = (PlPair){ (char *)PL_PROBE_LABEL, (char *)rows[_i].label };
        kind = pl_probe_kind_infer(rows[_i].policy, &c);
        ck_assert_msg(kind == rows[_i].kind, "%s: %s", rows[_i].image ? rows[_i].image : "(none)",
                      pl_probe_kind_info(kind)->word);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("table");

        tcase_add_loop_test(t, kinds, 0, PL_ARRAY_SIZE(rows));
        return run_case(t);
}
