/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Generic HTTP, expectations and errors of the transport.
 */

#include "lib/probe/http.h"
#include "probe-rounds.h"

/* clang-format off */
static const Round rows[] = {
        /* Generic */
        { "http 200", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 200, "" } }, PL_VERDICT_UP, "",
          "" },
        { "http 204", PL_PROBE_HTTP, "/up", NULL, false, { { "/up", 204, "" } }, PL_VERDICT_UP, "",
          "" },
        { "http redirect", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 302, "",
          "Location: /login\r\n" }, { "/login", 200, "" } }, PL_VERDICT_UP, "", "" },
        { "http redirect to what fails", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 302, "",
          "Location: /app/\r\n" }, { "/app/", 404, "" } }, PL_VERDICT_DISPUTED, "404",
          "HTTP 404 for /app/" },
        { "http two redirects", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 302, "",
          "Location: web\r\n" }, { "/web", 301, "", "Location: /web/\r\n" } }, PL_VERDICT_UP, "",
          "" },
        { "http redirect, and its Location is wanted", PL_PROBE_HTTP, NULL, "header:location=/login",
          false, { { "/", 302, "", "Location: /login\r\n" } }, PL_VERDICT_UP, "", "" },
        { "http redirect to another host", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 302, "",
          "Location: http://192.0.2.1/login\r\n" } }, PL_VERDICT_DISPUTED, "302",
          "HTTP 302 for / leads to http://192.0.2.1/login: set ProbePath= or ProbeHost= if that is the "
          "service itself, else ProbeExpect=status:302" },
        { "http redirect to another host, which is expected", PL_PROBE_HTTP, NULL, "status:302", false,
          { { "/", 302, "", "Location: http://192.0.2.1/login\r\n" } }, PL_VERDICT_UP, "", "" },
        { "http redirect to another host after one within", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 302,
          "", "Location: /login\r\n" }, { "/login", 302, "", "Location: https://sso.example.org/\r\n" } },
          PL_VERDICT_DISPUTED, "302", "leads to https://sso.example.org/" },
        { "http redirect to another host, and that Location is wanted", PL_PROBE_HTTP, NULL,
          "header:location=http://192.0.2.1/", false, { { "/", 302, "", "Location: http://192.0.2.1/\r\n" } },
          PL_VERDICT_UP, "", "" },
        { "http redirect to another host than wanted", PL_PROBE_HTTP, NULL,
          "header:location=http://192.0.2.1/", false, { { "/", 302, "", "Location: http://192.0.2.2/\r\n" } },
          PL_VERDICT_DISPUTED, "expect", "" },
        { "http redirect without a Location", PL_PROBE_HTTP, "/a", NULL, false, { { "/a", 301, "" } },
          PL_VERDICT_DISPUTED, "301", "no Location: if that is as it should be, set ProbeExpect=status:301" },
        { "http 304", PL_PROBE_HTTP, "/a", NULL, false, { { "/a", 304, "" } }, PL_VERDICT_DISPUTED, "304",
          "set ProbeExpect=status:304" },
        { "http redirect to the TLS of another host", PL_PROBE_HTTP, "/a", NULL, false, { { "/a", 301, "",
          "Location: https://h/a\r\n" } }, PL_VERDICT_DISPUTED, "301", "leads to https://h/a" },
        { "http redirect to itself", PL_PROBE_HTTP, "/a", NULL, false, { { "/a", 301, "",
          "Server: x\r\nlocation:  /a \r\n" } }, PL_VERDICT_DISPUTED, "301", "redirects to itself" },
        { "http redirect to itself, absolute", PL_PROBE_HTTP, "/a", NULL, false, { { "/a", 307, "",
          "Location: http://172.17.0.2:3000/a\r\n" } }, PL_VERDICT_DISPUTED, "307",
          "redirects to itself" },
        { "http redirect without a path", PL_PROBE_HTTP, "/a", NULL, false, { { "/a", 307, "",
          "Location: http://other\r\n" } }, PL_VERDICT_DISPUTED, "307", "leads to http://other" },
        { "http 401", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 401, "" } }, PL_VERDICT_DISPUTED,
          "401", "ProbeExpect=status:401" },
        { "http 401 expected", PL_PROBE_HTTP, NULL, "status:401", false, { { "/", 401, "" } },
          PL_VERDICT_UP, "", "" },
        { "http 200, 401 expected", PL_PROBE_HTTP, NULL, "status:401", false, { { "/", 200, "" } },
          PL_VERDICT_DISPUTED, "expect", "HTTP 200; ProbeExpect=status:401" },
        { "http 404", PL_PROBE_HTTP, "/x", NULL, false, { { "/x", 404, "" } }, PL_VERDICT_DISPUTED,
          "404", "/x" },
        { "http 405", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 405, "" } }, PL_VERDICT_DISPUTED,
          "405", "set ProbeExpect=status:405" },
        { "http 405 expected", PL_PROBE_HTTP, NULL, "status:405", false, { { "/", 405, "" } },
          PL_VERDICT_UP, "", "" },
        { "http host not allowed", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 400,
          "Invalid host header" } }, PL_VERDICT_DISPUTED, "400", "set ProbeHost=" },
        { "http 503 with its reason", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 503,
          "{\"error\":{\"message\":\"no \\u001bdisk\"}}" } }, PL_VERDICT_IMPAIRED, "503",
          "HTTP 503 for /: \"no \\x1bdisk\"" },
        { "http 429", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 429, "" } }, PL_VERDICT_IMPAIRED,
          "429", "too many" },
        { "http 500", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 500, "" } }, PL_VERDICT_IMPAIRED,
          "500", "HTTP 500" },
        { "http status 999", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 999, "" } },
          PL_VERDICT_DISPUTED, "999", "HTTP 999" },
        { "http path without a slash", PL_PROBE_HTTP, "x", NULL, false, { { "/", 200, "" } },
          PL_VERDICT_UP, "", "" },
        { "http status ranges", PL_PROBE_HTTP, NULL, "status:200-204,418", false, { { "/", 418,
          "" } }, PL_VERDICT_UP, "", "" },
        /* Expectations */
        { "json met", PL_PROBE_HTTP, NULL, "json:/status=ok", false, { { "/", 200,
          "{\"status\":\"ok\"}" } }, PL_VERDICT_UP, "", "" },
        { "json lies", PL_PROBE_HTTP, NULL, "json:/status=ok", false, { { "/", 200,
          "{\"status\":\"unhealthy\"}" } }, PL_VERDICT_DISPUTED, "expect",
          "it is unhealthy; ProbeExpect=json:/status=ok" },
        { "json deep", PL_PROBE_HTTP, NULL, "json:/a/1/b~1c=true", false, { { "/", 200,
          "{\"a\":[0,{\"b/c\":true}]}" } }, PL_VERDICT_UP, "", "" },
        { "json number", PL_PROBE_HTTP, NULL, "json:/n=3", false, { { "/", 200, "{\"n\":3}" } },
          PL_VERDICT_UP, "", "" },
        { "json null expected", PL_PROBE_HTTP, NULL, "json:/e=null", false, { { "/", 200,
          "{\"e\":null}" } }, PL_VERDICT_UP, "", "" },
        { "json null, presence wanted", PL_PROBE_HTTP, NULL, "json:/e", false, { { "/", 200,
          "{\"e\":null}" } }, PL_VERDICT_DISPUTED, "expect", "null" },
        { "json present", PL_PROBE_HTTP, NULL, "json:/e", false, { { "/", 200, "{\"e\":[]}" } },
          PL_VERDICT_UP, "", "" },
        { "json missing", PL_PROBE_HTTP, NULL, "json:/status=ok", false, { { "/", 200,
          "{\"x\":1}" } }, PL_VERDICT_DISPUTED, "expect", "not in the answer" },
        { "json index too big", PL_PROBE_HTTP, NULL, "json:/99999999999999999999", false, { { "/",
          200, "[1]" } }, PL_VERDICT_DISPUTED, "expect", "not in the answer" },
        { "json string with NUL", PL_PROBE_HTTP, NULL, "json:/s=ok", false, { { "/", 200,
          "{\"s\":\"ok\\u0000no\"}" } }, PL_VERDICT_DISPUTED, "expect", "" },
        { "json whole", PL_PROBE_HTTP, NULL, "json:=ok", false, { { "/", 200, "\"ok\"" } },
          PL_VERDICT_UP, "", "" },
        { "not json", PL_PROBE_HTTP, NULL, "json:/status=ok", false, { { "/", 200, "ok" } },
          PL_VERDICT_DISPUTED, "expect", "not JSON" },
        { "body met", PL_PROBE_HTTP, NULL, "body:^(OK|ready)$", false, { { "/", 200, "ready" } },
          PL_VERDICT_UP, "", "" },
        { "body lies", PL_PROBE_HTTP, NULL, "body:^OK", false, { { "/", 200, "not OK" } },
          PL_VERDICT_DISPUTED, "expect", "does not match" },
        { "header met", PL_PROBE_HTTP, NULL, "header:x-ready=yes", false, { { "/", 200, "",
          "Server: a\r\nX-Ready:yes\r\nDate: b\r\n" } }, PL_VERDICT_UP, "", "" },
        { "header differs", PL_PROBE_HTTP, NULL, "header:X-Ready=yes", false, { { "/", 200, "",
          "X-Ready: no\r\n" } }, PL_VERDICT_DISPUTED, "expect", "it is no;" },
        { "header missing", PL_PROBE_HTTP, NULL, "header:X-Ready", false, { { "/", 200, "",
          "X-Ready-Not: 1\r\n" } }, PL_VERDICT_DISPUTED, "expect", "not there" },
        { "expectation on top of a kind", PL_PROBE_GRAFANA, NULL, "json:/version=11.0.0", false,
          { { "/api/health", 200, "{\"database\":\"ok\",\"version\":\"10.0.0\"}" } },
          PL_VERDICT_DISPUTED, "expect", "it is 10.0.0" },
        /* Transport */
        { "refused", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 0, "", NULL, PL_HTTP_REFUSED } },
          PL_VERDICT_SILENT, "refused", "refused" },
        { "slow loris", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 0, "", NULL, PL_HTTP_TIMEOUT } },
          PL_VERDICT_SILENT, "timeout", "deadline" },
        { "slow body", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 200, "", NULL,
          PL_HTTP_TIMEOUT } }, PL_VERDICT_DISPUTED, "timeout", "HTTP 200, but the answer did not end" },
        { "body shorter than promised", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 200, "", NULL,
          PL_HTTP_CLOSED } }, PL_VERDICT_DISPUTED, "closed", "middle" },
        { "closed", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 0, "", NULL, PL_HTTP_CLOSED } },
          PL_VERDICT_SILENT, "closed", "closed without an answer" },
        { "no route", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 0, "", NULL, PL_HTTP_UNREACHABLE } },
          PL_VERDICT_DISPUTED, "unreachable", "unreachable" },
        { "chunks of garbage", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 200, "", NULL,
          PL_HTTP_GARBAGE } }, PL_VERDICT_DISPUTED, "garbage", "not valid" },
        { "garbage", PL_PROBE_GRAFANA, NULL, NULL, false, { { "/api/health", 0, "", NULL,
          PL_HTTP_GARBAGE } }, PL_VERDICT_DISPUTED, "garbage", "not HTTP" },
        { "TLS", PL_PROBE_OLLAMA, NULL, NULL, false, { { "/api/version", 0, "", NULL,
          PL_HTTP_TLS } }, PL_VERDICT_DISPUTED, "tls", "set ProbeTLS=auto" },
        { "no descriptors left here", PL_PROBE_HTTP, NULL, NULL, false, { { "/", 0, "", NULL,
          PL_HTTP_LOCAL } }, PL_VERDICT_NONE, "local", "" },
};
/* clang-format on */

START_TEST(rounds) {
        check_round(&rows[_i]);
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
                        PlHttpSpec spec = { .talk = pl_probe_kind_info(kinds[k])->http };
                        PlHttpProbe probe = { 0 };
                        PlHttpAnswer a = { .got_status = true,
                                           .status = 200,
                                           .body = body,
                                           .body_size = PL_HTTP_BODY_MAX,
                                           .body_cut = f % 2 };
                        PlVerdict v = { 0 };

                        pl_probe_http_begin(&spec, &probe);
                        while (pl_probe_http_answer(&spec, &probe, &a, NOW, &v) == PL_PROBE_MORE)
                                ;
                        ck_assert_msg(v.kind == PL_VERDICT_DISPUTED, "%s, kind %zu", fills[f], k);
                        ck_assert_ptr_ne(strstr(v.reason, "200"), NULL);
                }
        }
        memset(body, 0, PL_HTTP_BODY_MAX);
        memcpy(body + PL_HTTP_BODY_MAX - 5, "READY", 5);
        {
                PlExpectList *expect = expectations("body:READY");
                PlHttpSpec spec = { .talk = pl_probe_kind_info(PL_PROBE_HTTP)->http,
                                    .expect = expect };
                PlHttpProbe probe = { 0 };
                PlHttpAnswer a = { .got_status = true,
                                   .status = 200,
                                   .body = body,
                                   .body_size = PL_HTTP_BODY_MAX };
                PlVerdict v = { 0 };

                pl_probe_http_begin(&spec, &probe);
                ck_assert_int_eq(pl_probe_http_answer(&spec, &probe, &a, NOW, &v), PL_PROBE_DONE);
                ck_assert_msg(v.kind == PL_VERDICT_UP, "NULs before the match: %s", v.reason);
                pl_expect_list_free(expect);
        }
        free(body);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("rounds");

        tcase_add_loop_test(t, rounds, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, big_bodies);
        return run_case(t);
}
