/* SPDX-License-Identifier: Apache-2.0 */

/*
 * HTTP probes: each kind's answers, honest and lying, as rows; transport errors.
 */

#include "pl-probe-http.h"

#include <check.h>

#define NOW (UINT64_C(1767225600) * PL_USEC_PER_SEC) /* 2026-01-01T00:00:00Z */

/* The answers of one round; a path NULL ends it. "HANG", "CUT" … as a body set the error. */
typedef struct Reply {
        const char *path;
        unsigned status;
        const char *body;
        const char *headers;
        PlHttpError error;
} Reply;

#define AIRFLOW3 "/api/v2/monitor/health"
#define AIRFLOW(meta, sched, beat, rest)                                                 \
        "{\"metadatabase\":{\"status\":\"" meta "\"},\"scheduler\":{\"status\":\"" sched \
        "\",\"latest_scheduler_heartbeat\":" beat "}" rest "}"
#define FRESH "\"2025-12-31T23:59:55.123456+00:00\""
#define STALE "\"2025-12-31T23:58:25.123456+00:00\""

static char *const two_models[] = { (char *)"llama3", (char *)"mistral:7b", NULL };

/* clang-format off */
static const struct {
        const char *name;
        PlProbeKind kind;
        const char *path;   /* ProbePath= */
        const char *expect; /* ProbeExpect=, one */
        bool models;
        Reply replies[4];
        PlVerdictKind verdict;
        const char *code, *reason;
} rows[] = {
        /* Grafana */
        { "grafana ok", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 200,
          "{\"commit\":\"x\",\"database\":\"ok\",\"version\":\"10.4.2\"}" } }, PL_VERDICT_UP, "",
          "" },
        { "grafana failing", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 503,
          "{\"database\":\"failing\"}" } }, PL_VERDICT_DOWN, "503", "its database is failing" },
        { "grafana 200 but failing", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 200,
          "{\"database\":\"failing\"}" } }, PL_VERDICT_DOWN, "200", "its database is failing" },
        { "grafana 503 but ok", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 503,
          "{\"database\":\"ok\"}" } }, PL_VERDICT_DOWN, "503", "HTTP 503" },
        { "grafana login page", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 200,
          "<!DOCTYPE html><html>" } }, PL_VERDICT_DOWN, "200",
          "not Grafana: HTTP 200 with \"<!DOCTYPE" },
        { "grafana behind a sub-path", PL_PROBE_GRAFANA, "/grafana/api/health", NULL, false,
          { { "/grafana/api/health", 200, "{\"database\":\"ok\"}" } }, PL_VERDICT_UP, "", "" },
        { "grafana moved", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 404, "" } },
          PL_VERDICT_DOWN, "404", "ProbePath=" },
        { "grafana says nothing", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 200,
          "{}" } }, PL_VERDICT_DOWN, "200", "says nothing" },
        { "grafana mistyped", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 200,
          "{\"database\":{\"ok\":1}}" } }, PL_VERDICT_DOWN, "200", "says nothing" },
        /* Airflow 3 */
        { "airflow 3 healthy", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          AIRFLOW("healthy", "healthy", FRESH,
          ",\"triggerer\":{\"status\":\"healthy\",\"latest_triggerer_heartbeat\":" FRESH
          "},\"dag_processor\":{\"status\":null,\"latest_dag_processor_heartbeat\":" "null}"
          ",\"new_thing\":{\"status\":\"unhealthy\"}" ) } }, PL_VERDICT_UP, "", "" },
        { "airflow scheduler dead, HTTP 200", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3,
          200, AIRFLOW("healthy", "unhealthy", STALE, "" ) } }, PL_VERDICT_DOWN, "scheduler",
          "scheduler heartbeat 94s old" },
        { "airflow scheduler never there", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          AIRFLOW("healthy", "unhealthy", "null", "" ) } }, PL_VERDICT_DOWN, "scheduler",
          "scheduler has never sent a heartbeat" },
        { "airflow metadatabase", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          AIRFLOW("unhealthy", "healthy", FRESH, "" ) } }, PL_VERDICT_DOWN, "metadatabase",
          "metadatabase unhealthy" },
        { "airflow triggerer", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          AIRFLOW("healthy", "healthy", FRESH,
          ",\"triggerer\":{\"status\":\"unhealthy\",\"latest_triggerer_" "heartbeat\":" STALE "}"
          ) } }, PL_VERDICT_DEGRADED, "triggerer", "triggerer heartbeat 94s old" },
        { "airflow scheduler and dag processor", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3,
          200, AIRFLOW("healthy", "unhealthy", "null",
          ",\"dag_processor\":{\"status\":\"unhealthy\"," "\"latest_dag_processor_heartbeat\":null}"
          ) } }, PL_VERDICT_DOWN, "scheduler", "heartbeat; dag_processor has never" },
        { "airflow lies about an old heartbeat", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3,
          200, AIRFLOW("healthy", "healthy", "\"2025-12-31T22:00:00Z\"", "" ) } }, PL_VERDICT_DOWN,
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
          AIRFLOW("\\u001b[2J", "healthy", FRESH, "" ) } }, PL_VERDICT_DOWN, "metadatabase",
          "metadatabase \\x1b[2J" },
        { "airflow status mistyped", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          "{\"metadatabase\":{\"status\":7}}" } }, PL_VERDICT_DOWN, "metadatabase", "no text" },
        /* Airflow 2 */
        { "airflow 2 healthy", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 404, "<html>" },
          { "/health", 200, AIRFLOW("healthy", "healthy", FRESH, "" ) } }, PL_VERDICT_UP, "", "" },
        { "airflow 2 unhealthy", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 404, "<html>" },
          { "/health", 200, AIRFLOW("healthy", "unhealthy", STALE, "" ) } }, PL_VERDICT_DOWN,
          "scheduler", "heartbeat" },
        { "airflow page for every path", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          "<html>" }, { "/health", 200, "<html>" } }, PL_VERDICT_DOWN, "200", "not Airflow" },
        { "airflow another service's JSON", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 200,
          "{\"status\":\"ok\"}" }, { "/health", 200, "{\"status\":\"ok\"}" } }, PL_VERDICT_DOWN,
          "200", "not Airflow" },
        { "airflow 502", PL_PROBE_AIRFLOW, NULL, NULL, false, { { AIRFLOW3, 502, "" } },
          PL_VERDICT_DOWN, "502", "HTTP 502" },
        { "airflow own path", PL_PROBE_AIRFLOW, "/af/health", NULL, false, { { "/af/health", 404,
          "" } }, PL_VERDICT_DOWN, "404", "HTTP 404" },
        /* Ollama */
        { "ollama", PL_PROBE_OLLAMA, NULL, NULL, false, { { "/api/version", 200,
          "{\"version\":\"0.5.7\"}" } }, PL_VERDICT_UP, "", "" },
        { "ollama with its models", PL_PROBE_OLLAMA, NULL, NULL, true, { { "/api/version", 200,
          "{\"version\":\"0.5.7\"}" }, { "/api/tags", 200,
          "{\"models\":[{\"name\":\"llama3:latest\",\"size\":4661224676},"
          "{\"name\":\"mistral:7b\",\"size\":4109865159}]}" } }, PL_VERDICT_UP, "", "" },
        { "ollama without a model", PL_PROBE_OLLAMA, NULL, NULL, true, { { "/api/version", 200,
          "{\"version\":\"0.5.7\"}" }, { "/api/tags", 200,
          "{\"models\":[{\"name\":\"llama3:8b\"},{\"name\":\"mistral:7b\"}]}" } },
          PL_VERDICT_DEGRADED, "models", "a required model is not installed: llama3" },
        { "ollama without any", PL_PROBE_OLLAMA, NULL, NULL, true, { { "/api/version", 200,
          "{\"version\":\"0.5.7\"}" }, { "/api/tags", 200, "{\"models\":[]}" } },
          PL_VERDICT_DEGRADED, "models", "required models are not installed: llama3, mistral:7b" },
        { "ollama does not list", PL_PROBE_OLLAMA, NULL, NULL, true, { { "/api/version", 200,
          "{\"version\":\"0.5.7\"}" }, { "/api/tags", 500, "oops" } }, PL_VERDICT_DEGRADED, "tags",
          "HTTP 500" },
        { "ollama lists nonsense", PL_PROBE_OLLAMA, NULL, NULL, true, { { "/api/version", 200,
          "{\"version\":\"0.5.7\"}" }, { "/api/tags", 200,
          "{\"models\":[7,null,{\"name\":3},[]]}" } }, PL_VERDICT_DEGRADED, "models",
          "not installed" },
        { "ollama no version", PL_PROBE_OLLAMA, NULL, NULL, false, { { "/api/version", 200,
          "{}" } }, PL_VERDICT_DOWN, "200", "no version" },
        { "ollama is running (page)", PL_PROBE_OLLAMA, NULL, NULL, false, { { "/api/version", 200,
          "Ollama is running" } }, PL_VERDICT_DOWN, "200", "not Ollama" },
        /* MLflow */
        { "mlflow", PL_PROBE_MLFLOW, NULL, NULL, false, { { "/health", 200, "OK" } }, PL_VERDICT_UP,
          "", "" },
        { "mlflow with a line end", PL_PROBE_MLFLOW, NULL, NULL, false, { { "/health", 200,
          "OK\r\n" } }, PL_VERDICT_UP, "", "" },
        { "mlflow lies", PL_PROBE_MLFLOW, NULL, NULL, false, { { "/health", 200, "unhealthy" } },
          PL_VERDICT_DOWN, "200", "\"unhealthy\" instead" },
        { "mlflow empty", PL_PROBE_MLFLOW, NULL, NULL, false, { { "/health", 200, "" } },
          PL_VERDICT_DOWN, "200", "instead of OK" },
        { "mlflow 500", PL_PROBE_MLFLOW, NULL, NULL, false, { { "/health", 500, "OK" } },
          PL_VERDICT_DOWN, "500", "HTTP 500" },
        /* Prometheus */
        { "prometheus", PL_PROBE_PROMETHEUS, NULL, NULL, false, { { "/-/ready", 200,
          "Prometheus Server is Ready.\n" } }, PL_VERDICT_UP, "", "" },
        { "prometheus replays", PL_PROBE_PROMETHEUS, NULL, NULL, false, { { "/-/ready", 503,
          "Service Unavailable" }, { "/-/healthy", 200, "Healthy" } }, PL_VERDICT_STARTING, "503",
          "not ready" },
        { "prometheus broken", PL_PROBE_PROMETHEUS, NULL, NULL, false, { { "/-/ready", 503, "" },
          { "/-/healthy", 500, "" } }, PL_VERDICT_DOWN, "500",
          "not ready (HTTP 503), not healthy (HTTP 500)" },
        { "not prometheus", PL_PROBE_PROMETHEUS, NULL, NULL, false, { { "/-/ready", 404, "" } },
          PL_VERDICT_DOWN, "404", "/-/ready" },
        /* Generic */
        { "http 200", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 200, "" } }, PL_VERDICT_UP, "",
          "" },
        { "http 204", PL_PROBE_HTTP, "/up", NULL, false, { { "/up", 204, "" } }, PL_VERDICT_UP, "",
          "" },
        { "http redirect", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 302, "",
          "Location: /login\r\n" } }, PL_VERDICT_UP, "", "" },
        { "http redirect to TLS", PL_PROBE_HTTP, "/a", NULL, false, { { "/a", 301, "",
          "Location: https://h/a\r\n" } }, PL_VERDICT_UP, "", "" },
        { "http redirect to itself", PL_PROBE_HTTP, "/a", NULL, false, { { "/a", 301, "",
          "Server: x\r\nlocation:  /a \r\n" } }, PL_VERDICT_DOWN, "301", "redirects to itself" },
        { "http redirect to itself, absolute", PL_PROBE_HTTP, "/a", NULL, false, { { "/a", 307, "",
          "Location: http://other:80/a\r\n" } }, PL_VERDICT_DOWN, "307", "redirects to itself" },
        { "http redirect without a path", PL_PROBE_HTTP, "/a", NULL, false, { { "/a", 307, "",
          "Location: http://other\r\n" } }, PL_VERDICT_UP, "", "" },
        { "http 401", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 401, "" } }, PL_VERDICT_DOWN,
          "401", "ProbeExpect=status:401" },
        { "http 401 expected", PL_PROBE_HTTP, NULL, "status:401", false, { { "/", 401, "" } },
          PL_VERDICT_UP, "", "" },
        { "http 200, 401 expected", PL_PROBE_HTTP, NULL, "status:401", false, { { "/", 200, "" } },
          PL_VERDICT_DOWN, "expect", "HTTP 200; ProbeExpect=status:401" },
        { "http 404", PL_PROBE_HTTP, "/x", NULL, false, { { "/x", 404, "" } }, PL_VERDICT_DOWN,
          "404", "/x" },
        { "http 429", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 429, "" } }, PL_VERDICT_DEGRADED,
          "429", "too many" },
        { "http 500", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 500, "" } }, PL_VERDICT_DOWN,
          "500", "HTTP 500" },
        { "http status 999", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 999, "" } },
          PL_VERDICT_DOWN, "999", "HTTP 999" },
        { "http path without a slash", PL_PROBE_HTTP, "x", NULL, false, { { "/", 200, "" } },
          PL_VERDICT_UP, "", "" },
        { "http status ranges", PL_PROBE_HTTP, NULL, "status:200-204,418", false, { { "/", 418,
          "" } }, PL_VERDICT_UP, "", "" },
        /* Expectations */
        { "json met", PL_PROBE_HTTP, NULL, "json:/status=ok", false, { { "/", 200,
          "{\"status\":\"ok\"}" } }, PL_VERDICT_UP, "", "" },
        { "json lies", PL_PROBE_HTTP, NULL, "json:/status=ok", false, { { "/", 200,
          "{\"status\":\"unhealthy\"}" } }, PL_VERDICT_DOWN, "expect",
          "it is unhealthy; ProbeExpect=json:/status=ok" },
        { "json deep", PL_PROBE_HTTP, NULL, "json:/a/1/b~1c=true", false, { { "/", 200,
          "{\"a\":[0,{\"b/c\":true}]}" } }, PL_VERDICT_UP, "", "" },
        { "json number", PL_PROBE_HTTP, NULL, "json:/n=3", false, { { "/", 200, "{\"n\":3}" } },
          PL_VERDICT_UP, "", "" },
        { "json null expected", PL_PROBE_HTTP, NULL, "json:/e=null", false, { { "/", 200,
          "{\"e\":null}" } }, PL_VERDICT_UP, "", "" },
        { "json null, presence wanted", PL_PROBE_HTTP, NULL, "json:/e", false, { { "/", 200,
          "{\"e\":null}" } }, PL_VERDICT_DOWN, "expect", "null" },
        { "json present", PL_PROBE_HTTP, NULL, "json:/e", false, { { "/", 200, "{\"e\":[]}" } },
          PL_VERDICT_UP, "", "" },
        { "json missing", PL_PROBE_HTTP, NULL, "json:/status=ok", false, { { "/", 200,
          "{\"x\":1}" } }, PL_VERDICT_DOWN, "expect", "not in the answer" },
        { "json index too big", PL_PROBE_HTTP, NULL, "json:/99999999999999999999", false, { { "/",
          200, "[1]" } }, PL_VERDICT_DOWN, "expect", "not in the answer" },
        { "json string with NUL", PL_PROBE_HTTP, NULL, "json:/s=ok", false, { { "/", 200,
          "{\"s\":\"ok\\u0000no\"}" } }, PL_VERDICT_DOWN, "expect", "" },
        { "json whole", PL_PROBE_HTTP, NULL, "json:=ok", false, { { "/", 200, "\"ok\"" } },
          PL_VERDICT_UP, "", "" },
        { "not json", PL_PROBE_HTTP, NULL, "json:/status=ok", false, { { "/", 200, "ok" } },
          PL_VERDICT_DOWN, "expect", "not JSON" },
        { "body met", PL_PROBE_HTTP, NULL, "body:^(OK|ready)$", false, { { "/", 200, "ready" } },
          PL_VERDICT_UP, "", "" },
        { "body lies", PL_PROBE_HTTP, NULL, "body:^OK", false, { { "/", 200, "not OK" } },
          PL_VERDICT_DOWN, "expect", "does not match" },
        { "header met", PL_PROBE_HTTP, NULL, "header:x-ready=yes", false, { { "/", 200, "",
          "Server: a\r\nX-Ready:yes\r\nDate: b\r\n" } }, PL_VERDICT_UP, "", "" },
        { "header differs", PL_PROBE_HTTP, NULL, "header:X-Ready=yes", false, { { "/", 200, "",
          "X-Ready: no\r\n" } }, PL_VERDICT_DOWN, "expect", "it is no;" },
        { "header missing", PL_PROBE_HTTP, NULL, "header:X-Ready", false, { { "/", 200, "",
          "X-Ready-Not: 1\r\n" } }, PL_VERDICT_DOWN, "expect", "not there" },
        { "expectation on top of a kind", PL_PROBE_GRAFANA, NULL, "json:/version=11.0.0", false,
          { { "/api/health", 200, "{\"database\":\"ok\",\"version\":\"10.0.0\"}" } },
          PL_VERDICT_DOWN, "expect", "it is 10.0.0" },
        /* Transport */
        { "refused", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 0, "", NULL, PL_HTTP_REFUSED } },
          PL_VERDICT_DOWN, "refused", "refused" },
        { "slow loris", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 0, "", NULL, PL_HTTP_TIMEOUT } },
          PL_VERDICT_DOWN, "timeout", "deadline" },
        { "slow body", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 200, "", NULL,
          PL_HTTP_TIMEOUT } }, PL_VERDICT_DOWN, "timeout", "HTTP 200, but the answer did not end" },
        { "body shorter than promised", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 200, "", NULL,
          PL_HTTP_CLOSED } }, PL_VERDICT_DOWN, "closed", "middle" },
        { "chunks of garbage", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 200, "", NULL,
          PL_HTTP_GARBAGE } }, PL_VERDICT_DOWN, "garbage", "not valid" },
        { "garbage", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 0, "", NULL,
          PL_HTTP_GARBAGE } }, PL_VERDICT_DOWN, "garbage", "not HTTP" },
        { "TLS", PL_PROBE_OLLAMA, NULL, NULL, false, { { "/api/version", 0, "", NULL,
          PL_HTTP_TLS } }, PL_VERDICT_DEGRADED, "tls", "TLS" },
        { "no descriptors left here", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 0, "", NULL,
          PL_HTTP_LOCAL } }, PL_VERDICT_NONE, "local", "" },
};
/* clang-format on */

static PlExpectList *expectations(const char *text) {
        char *texts[] = { (char *)text, NULL };
        PlExpectList *l = NULL;

        ck_assert_int_eq(pl_expect_list_new(texts, &l), 0);
        return l;
}

START_TEST(rounds) {
        PlExpectList *expect = expectations(rows[_i].expect);
        PlHttpSpec spec = { .kind = rows[_i].kind,
                            .path = rows[_i].path,
                            .expect = expect,
                            .models = rows[_i].models ? two_models : NULL };
        PlHttpProbe probe = { 0 };
        PlVerdict v = { 0 };
        PlProbeStep step = PL_PROBE_MORE;
        size_t i = 0;

        pl_probe_http_begin(&probe);
        for (; step == PL_PROBE_MORE && i < 4 && rows[_i].replies[i].path; i++) {
                const Reply *reply = &rows[_i].replies[i];
                PlHttpAnswer a = { .error = reply->error,
                                   .got_status = reply->status != 0,
                                   .status = reply->status,
                                   .headers = reply->headers };

                ck_assert_msg(pl_streq(pl_probe_http_path(&spec, &probe), reply->path),
                              "%s: asks %s", rows[_i].name, pl_probe_http_path(&spec, &probe));
                a.body_size = strlen(reply->body);
                /* exact size: reads beyond it are seen by the sanitizer */
                a.body = memcpy(malloc(a.body_size + 1), reply->body, a.body_size + 1);
                step = pl_probe_http_answer(&spec, &probe, &a, NOW, &v);
                free((char *)a.body);
        }
        ck_assert_msg(step == PL_PROBE_DONE, "%s: no verdict", rows[_i].name);
        ck_assert_msg(i == 4 || !rows[_i].replies[i].path, "%s: verdict before the last answer",
                      rows[_i].name);
        ck_assert_msg(v.kind == rows[_i].verdict, "%s: %s (%s)", rows[_i].name,
                      pl_verdict_kind_to_string(v.kind), v.reason);
        ck_assert_msg(pl_streq(v.code, rows[_i].code), "%s: code %s", rows[_i].name, v.code);
        ck_assert_msg(strstr(v.reason, rows[_i].reason) != NULL, "%s: reason %s", rows[_i].name,
                      v.reason);
        pl_expect_list_free(expect);
}
END_TEST

/* Bodies that are only hostile by their size or bytes. */
START_TEST(big_bodies) {
        static const PlProbeKind kinds[] = { PL_PROBE_GRAFANA, PL_PROBE_AIRFLOW, PL_PROBE_OLLAMA,
                                             PL_PROBE_MLFLOW };
        static const char *const fills[] = { "[", "{\"a\":", "[[],", "\"", " ", "\xff", "9" };
        char *body = calloc(1, PL_HTTP_BODY_MAX + 1);

        for (size_t f = 0; f < PL_ARRAY_SIZE(fills); f++) {
                size_t len = strlen(fills[f]);

                for (size_t i = 0; i < PL_HTTP_BODY_MAX; i++)
                        body[i] = fills[f][i % len];
                for (size_t k = 0; k < PL_ARRAY_SIZE(kinds); k++) {
                        PlHttpSpec spec = { .kind = kinds[k] };
                        PlHttpProbe probe = { 0 };
                        PlHttpAnswer a = { .got_status = true,
                                           .status = 200,
                                           .body = body,
                                           .body_size = PL_HTTP_BODY_MAX,
                                           .body_cut = f % 2 };
                        PlVerdict v = { 0 };

                        while (pl_probe_http_answer(&spec, &probe, &a, NOW, &v) == PL_PROBE_MORE)
                                ;
                        ck_assert_msg(v.kind == PL_VERDICT_DOWN, "%s, kind %zu", fills[f], k);
                        ck_assert_ptr_ne(strstr(v.reason, "200"), NULL);
                }
        }
        memset(body, 0, PL_HTTP_BODY_MAX);
        memcpy(body + PL_HTTP_BODY_MAX - 5, "READY", 5);
        {
                PlExpectList *expect = expectations("body:READY");
                PlHttpSpec spec = { .kind = PL_PROBE_HTTP, .expect = expect };
                PlHttpProbe probe = { 0 };
                PlHttpAnswer a = { .got_status = true,
                                   .status = 200,
                                   .body = body,
                                   .body_size = PL_HTTP_BODY_MAX };
                PlVerdict v = { 0 };

                ck_assert_int_eq(pl_probe_http_answer(&spec, &probe, &a, NOW, &v), PL_PROBE_DONE);
                ck_assert_msg(v.kind == PL_VERDICT_UP, "NULs before the match: %s", v.reason);
                pl_expect_list_free(expect);
        }
        free(body);
}
END_TEST

/* Airflow 2's path is kept once it has answered. */
START_TEST(airflow_keeps_its_path) {
        PlHttpSpec spec = { .kind = PL_PROBE_AIRFLOW };
        PlHttpProbe probe = { 0 };
        const char *good = AIRFLOW("healthy", "healthy", FRESH, "");
        PlHttpAnswer miss = { .got_status = true, .status = 404, .body = "", .body_size = 0 };
        PlHttpAnswer hit = {
                .got_status = true, .status = 200, .body = good, .body_size = strlen(good)
        };
        PlVerdict v;

        pl_probe_http_begin(&probe);
        ck_assert_int_eq(pl_probe_http_answer(&spec, &probe, &miss, NOW, &v), PL_PROBE_MORE);
        ck_assert_int_eq(pl_probe_http_answer(&spec, &probe, &hit, NOW, &v), PL_PROBE_DONE);
        pl_probe_http_begin(&probe);
        ck_assert_str_eq(pl_probe_http_path(&spec, &probe), "/health");
        ck_assert_int_eq(pl_probe_http_answer(&spec, &probe, &hit, NOW, &v), PL_PROBE_DONE);
        ck_assert_int_eq(v.kind, PL_VERDICT_UP);
}
END_TEST

START_TEST(ollama_facts) {
        PlHttpSpec spec = { .kind = PL_PROBE_OLLAMA };
        PlOllamaFacts facts;
        PlHttpProbe probe = { .ollama = &facts };
        static const char *const bodies[] = {
                "{\"version\":\"0.5.7\"}",
                ("{\"models\":[{\"name\":\"llama3:8b\",\"size\":6654289920,\"size_vram\":0},"
                 "{\"model\":\"tiny\\u001b\",\"size\":-5,\"size_vram\":\"x\"}]}"),
                "{\"models\":[{\"name\":\"a:1b\",\"size\":100},{\"name\":\"b:70b\",\"size\":"
                "39969745349}]}",
        };
        PlVerdict v = { 0 };

        for (size_t i = 0; i < PL_ARRAY_SIZE(bodies); i++) {
                PlHttpAnswer a = { .got_status = true,
                                   .status = 200,
                                   .body = bodies[i],
                                   .body_size = strlen(bodies[i]) };

                ck_assert_int_eq(pl_probe_http_answer(&spec, &probe, &a, NOW, &v),
                                 i == 2 ? PL_PROBE_DONE : PL_PROBE_MORE);
        }
        ck_assert_int_eq(v.kind, PL_VERDICT_UP);
        ck_assert_uint_eq(facts.n_loaded, 2);
        ck_assert_str_eq(facts.loaded[0].name, "llama3:8b");
        ck_assert_uint_eq(facts.loaded[0].size_bytes, 6654289920);
        ck_assert_str_eq(facts.loaded[1].name, "tiny\\x1b");
        ck_assert_uint_eq(facts.loaded[1].size_bytes, 0);
        ck_assert_str_eq(facts.largest_name, "b:70b");
        ck_assert_uint_eq(facts.largest_bytes, 39969745349);
}
END_TEST

int main(void) {
        Suite *s = suite_create("pl-probe-http");
        TCase *t = tcase_create("tables");
        SRunner *r;
        int failed;

        tcase_add_loop_test(t, rounds, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, big_bodies);
        tcase_add_test(t, airflow_keeps_its_path);
        tcase_add_test(t, ollama_facts);
        suite_add_tcase(s, t);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
