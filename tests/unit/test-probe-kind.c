/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which probe a container gets when the policy does not say: by label, image and Airflow's parts.
 */

#include <check.h>

#include "pl-probe-kind.h"

static const struct {
        const char *name;
        PlProbeKind policy;
        const char *label, *image, *container;
        PlProbeKind kind;
} rows[] = {
        { "official", PL_PROBE_AUTO, NULL, "postgres:16", "db", PL_PROBE_POSTGRES },
        { "registry, port, digest", PL_PROBE_AUTO, NULL, "reg.example:5000/x/redis@sha256:00", "c",
          PL_PROBE_REDIS },
        { "bitnami's name", PL_PROBE_AUTO, NULL, "bitnami/postgresql", "c", PL_PROBE_POSTGRES },
        { "capitals", PL_PROBE_AUTO, NULL, "ghcr.io/mlflow/MLflow:v2", "c", PL_PROBE_MLFLOW },
        { "prefix is not enough", PL_PROBE_AUTO, NULL, "postgres-exporter:1", "c", PL_PROBE_NONE },
        { "the registry's host is no image", PL_PROBE_AUTO, NULL, "redis.example/tool:1", "c",
          PL_PROBE_NONE },
        { "unknown", PL_PROBE_AUTO, NULL, "busybox", "c", PL_PROBE_NONE },
        { "label before image", PL_PROBE_AUTO, "redis", "busybox", "c", PL_PROBE_REDIS },
        { "policy before label", PL_PROBE_TCP, "redis", "postgres:16", "c", PL_PROBE_TCP },
        { "none is a choice", PL_PROBE_NONE, NULL, "postgres:16", "c", PL_PROBE_NONE },
        { "airflow's web server", PL_PROBE_AUTO, NULL, "apache/airflow:2.9", "airflow-webserver",
          PL_PROBE_AIRFLOW },
};

START_TEST(infer) {
        PlPair label = { (char *)PL_PROBE_LABEL, (char *)rows[_i].label };
        PlContainer c = {
                .name = (char *)rows[_i].container,
                .image = (char *)rows[_i].image,
                .labels = &label,
                .n_labels = rows[_i].label ? 1 : 0,
        };
        PlProbeKind kind = pl_probe_kind_infer(rows[_i].policy, &c);

        ck_assert_msg(kind == rows[_i].kind, "%s: %s", rows[_i].name,
                      pl_probe_kind_to_string(kind));
}
END_TEST

int main(void) {
        Suite *suite = suite_create("probe-kind");
        TCase *cases = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(cases, infer, 0, (int)PL_ARRAY_SIZE(rows));
        suite_add_tcase(suite, cases);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
