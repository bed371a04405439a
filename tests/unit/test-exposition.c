/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Exposition: both formats, escapes, values, and which format a client gets.
 */

#include "lib/metrics/exposition.h"

#include <errno.h>

#include "unit.h"

static const struct {
        const char *name, *accept;
        PlExpositionFormat format;
} accepts[] = {
        { "no header", NULL, PL_EXPOSITION_TEXT },
        { "empty", "", PL_EXPOSITION_TEXT },
        { "curl", "*/*", PL_EXPOSITION_TEXT },
        { "a browser", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
          PL_EXPOSITION_TEXT },
        { "Prometheus 2.42",
          "application/openmetrics-text;version=1.0.0,application/"
          "openmetrics-text;version=0.0.1;q=0"
          ".75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
          PL_EXPOSITION_OPENMETRICS },
        { "Prometheus 3",
          "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
          "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping="
          "allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
          PL_EXPOSITION_OPENMETRICS },
        { "text is liked better",
          "application/openmetrics-text;version=1.0.0;q=0.3, text/plain;version=0.0.4;q=0.5",
          PL_EXPOSITION_TEXT },
        { "blanks and capitals",
          " Application/OpenMetrics-Text ; Version=1.0.0 ; Q=0.9 , */*;q=0.1",
          PL_EXPOSITION_OPENMETRICS },
        { "a version that does not exist yet", "application/openmetrics-text;version=2.0.0",
          PL_EXPOSITION_TEXT },
        { "refused", "application/openmetrics-text;q=0", PL_EXPOSITION_TEXT },
        { "no weight", "application/openmetrics-text;q=much", PL_EXPOSITION_TEXT },
        { "more digits than there may be", "application/openmetrics-text;q=0.1234",
          PL_EXPOSITION_TEXT },
        { "as well", "text/plain,application/openmetrics-text", PL_EXPOSITION_OPENMETRICS },
        { "separators alone", ";;,,;q=,=", PL_EXPOSITION_TEXT },
};

START_TEST(chooses) {
        ck_assert_msg(pl_exposition_choose(accepts[_i].accept) == accepts[_i].format, "%s",
                      accepts[_i].name);
}
END_TEST

static const struct {
        const char *name;
        PlMetricLabel labels[4];
        const char *text;
} labelled[] = {
        { "none", { {} }, "" },
        { "one", { { "name", "web" } }, "name=\"web\"" },
        { "empty ones are none",
          { { "name", "" }, { "image", NULL }, { "id", "/a" } },
          "id=\"/a\"" },
        { "two", { { "a", "1" }, { "b", "2" } }, "a=\"1\",b=\"2\"" },
        { "what is escaped", { { "a", "x\"y\\z\nw" } }, "a=\"x\\\"y\\\\z\\nw\"" },
        { "no way out of it", { { "a", "\"} 1\nup 0" } }, "a=\"\\\"} 1\\nup 0\"" },
        { "UTF-8 stays", { { "a", "h\xc3\xa9" } }, "a=\"h\xc3\xa9\"" },
        { "what is none does not", { { "a", "h\xe9\xff" } }, "a=\"h\xef\xbf\xbd\xef\xbf\xbd\"" },
};

START_TEST(labels) {
        _cleanup_free_ char *text = pl_metric_labels(labelled[_i].labels);

        ck_assert_str_eq(text, labelled[_i].text);
}
END_TEST

static const PlMetric cpu = { "container_cpu_usage_seconds", PL_METRIC_COUNTER, "CPU time." },
                      memory = { "container_memory_usage_bytes", PL_METRIC_GAUGE, "Memory." },
                      build = { "plimsoll_build", PL_METRIC_INFO, "Version." },
                      health = { "plimsoll_health", PL_METRIC_STATESET, "State." },
                      probe = { "plimsoll_probe_seconds", PL_METRIC_HISTOGRAM, "Probes." };

static const struct {
        const PlMetric *m;
        PlSample s;
} samples[] = {
        { &cpu, { NULL, "name=\"a\"", "cpu=\"total\"", 1500000, 6 } },
        { &cpu, { "_created", "name=\"a\"", "cpu=\"total\"", 1700000000123000, 6 } },
        { &cpu, { NULL, "name=\"b\"", NULL, 1000001, 6 } },
        { &memory, { NULL, NULL, NULL, 4096, 0 } },
        { &memory, { NULL, "", "x=\"y\"", -1, 0 } },
        { &memory, { NULL, NULL, NULL, -1500, 3 } },
        { &memory, { NULL, NULL, NULL, INT64_MIN, 0 } },
        { &build, { NULL, "version=\"1\"", NULL, 1, 0 } },
        { &health, { NULL, "name=\"a\"", "plimsoll_health=\"healthy\"", 0, 0 } },
        { &probe, { "_bucket", NULL, "le=\"+Inf\"", 3, 0 } },
        { &probe, { "_sum", NULL, NULL, 20, 3 } },
        { &probe, { "_count", NULL, NULL, 3, 0 } },
};

static const char *const expected[_PL_EXPOSITION_N] = {
        [PL_EXPOSITION_TEXT] = "# HELP container_cpu_usage_seconds_total CPU time.\n"
                               "# TYPE container_cpu_usage_seconds_total counter\n"
                               "container_cpu_usage_seconds_total{name=\"a\",cpu=\"total\"} 1.5\n"
                               "container_cpu_usage_seconds_total{name=\"b\"} 1.000001\n"
                               "# HELP container_memory_usage_bytes Memory.\n"
                               "# TYPE container_memory_usage_bytes gauge\n"
                               "container_memory_usage_bytes 4096\n"
                               "container_memory_usage_bytes{x=\"y\"} -1\n"
                               "container_memory_usage_bytes -1.5\n"
                               "container_memory_usage_bytes -9223372036854775808\n"
                               "# HELP plimsoll_build_info Version.\n"
                               "# TYPE plimsoll_build_info gauge\n"
                               "plimsoll_build_info{version=\"1\"} 1\n"
                               "# HELP plimsoll_health State.\n"
                               "# TYPE plimsoll_health gauge\n"
                               "plimsoll_health{name=\"a\",plimsoll_health=\"healthy\"} 0\n"
                               "# HELP plimsoll_probe_seconds Probes.\n"
                               "# TYPE plimsoll_probe_seconds histogram\n"
                               "plimsoll_probe_seconds_bucket{le=\"+Inf\"} 3\n"
                               "plimsoll_probe_seconds_sum 0.02\n"
                               "plimsoll_probe_seconds_count 3\n",
        [PL_EXPOSITION_OPENMETRICS] =
                        "# HELP container_cpu_usage_seconds CPU time.\n"
                        "# TYPE container_cpu_usage_seconds counter\n"
                        "# UNIT container_cpu_usage_seconds seconds\n"
                        "container_cpu_usage_seconds_total{name=\"a\",cpu=\"total\"} 1.5\n"
                        "container_cpu_usage_seconds_created{name=\"a\",cpu=\"total\"} "
                        "1700000000.123\n"
                        "container_cpu_usage_seconds_total{name=\"b\"} 1.000001\n"
                        "# HELP container_memory_usage_bytes Memory.\n"
                        "# TYPE container_memory_usage_bytes gauge\n"
                        "# UNIT container_memory_usage_bytes bytes\n"
                        "container_memory_usage_bytes 4096\n"
                        "container_memory_usage_bytes{x=\"y\"} -1\n"
                        "container_memory_usage_bytes -1.5\n"
                        "container_memory_usage_bytes -9223372036854775808\n"
                        "# HELP plimsoll_build Version.\n"
                        "# TYPE plimsoll_build info\n"
                        "plimsoll_build_info{version=\"1\"} 1\n"
                        "# HELP plimsoll_health State.\n"
                        "# TYPE plimsoll_health stateset\n"
                        "plimsoll_health{name=\"a\",plimsoll_health=\"healthy\"} 0\n"
                        "# HELP plimsoll_probe_seconds Probes.\n"
                        "# TYPE plimsoll_probe_seconds histogram\n"
                        "# UNIT plimsoll_probe_seconds seconds\n"
                        "plimsoll_probe_seconds_bucket{le=\"+Inf\"} 3\n"
                        "plimsoll_probe_seconds_sum 0.02\n"
                        "plimsoll_probe_seconds_count 3\n"
                        "# EOF\n",
};

START_TEST(formats) {
        _cleanup_(pl_exposition_freep) PlExposition *e = pl_exposition_new(_i);
        _cleanup_free_ char *text = NULL;
        size_t size;

        for (size_t i = 0; i < PL_ARRAY_SIZE(samples); i++)
                pl_exposition_add(e, samples[i].m, &samples[i].s);
        ck_assert_int_eq(pl_exposition_finish(e, &text, &size), 0);
        ck_assert_str_eq(text, expected[_i]);
        ck_assert_uint_eq(size, strlen(text));
}
END_TEST

START_TEST(nothing_at_all) {
        _cleanup_(pl_exposition_freep) PlExposition *e = pl_exposition_new(PL_EXPOSITION_TEXT);
        _cleanup_free_ char *text = NULL;
        size_t size;

        ck_assert_int_eq(pl_exposition_finish(e, &text, &size), 0);
        ck_assert_str_eq(text, "");
}
END_TEST

/* Containers without end, or with endless names: half a page would be a lie, a whole one too much.
 */
START_TEST(too_large) {
        _cleanup_(pl_exposition_freep) PlExposition *e = pl_exposition_new(PL_EXPOSITION_TEXT);
        _cleanup_free_ char *long_name = malloc(MIB(1) + 1), *text = NULL;
        size_t size;

        memset(long_name, 'x', MIB(1));
        long_name[MIB(1)] = '\0';
        for (int i = 0; i < 100; i++)
                pl_exposition_add(e, &memory, &(PlSample){ NULL, long_name, NULL, 1, 0 });
        ck_assert_int_eq(pl_exposition_finish(e, &text, &size), -E2BIG);
        ck_assert_ptr_null(text);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("exposition");

        tcase_add_loop_test(t, chooses, 0, PL_ARRAY_SIZE(accepts));
        tcase_add_loop_test(t, labels, 0, PL_ARRAY_SIZE(labelled));
        tcase_add_loop_test(t, formats, 0, _PL_EXPOSITION_N);
        tcase_add_test(t, nothing_at_all);
        tcase_add_test(t, too_large);
        return run_case(t);
}
