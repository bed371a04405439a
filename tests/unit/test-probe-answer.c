/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Answers over HTTP: headers, where redirects lead, and what statuses say.
 */

#include "lib/probe/answer.h"
#include "probe-answers.h"

/* clang-format off */
static const struct {
        const char *name, *location;
        PlLead lead;
        const char *to;
        const char *path, *asked, *host;
        uint16_t port;
} leads[] = {
        { "absolute path", "/grafana/api/health", PL_LEAD_HERE, "/grafana/api/health" },
        { "the same path", "/api/health", PL_LEAD_ITSELF, "/api/health" },
        { "relative path", "status", PL_LEAD_HERE, "/api/status" },
        { "relative to a path with a query", "status", PL_LEAD_HERE, "/a/status", "/a/b?c=/d" },
        { "relative path with a dot", "./status", PL_LEAD_HERE, "/api/status" },
        { "a query alone", "?x=1", PL_LEAD_HERE, "/api/health?x=1" },
        { "a fragment", "/a#b", PL_LEAD_HERE, "/a" },
        { "upwards", "../../etc", PL_LEAD_NONE },
        { "upwards in the middle", "/a/../b", PL_LEAD_NONE },
        { "a blank in it", "/a b", PL_LEAD_NONE },
        { "nothing", "", PL_LEAD_NONE },
        { "the address that was asked", "http://172.17.0.2:3000/a", PL_LEAD_HERE, "/a" },
        { "the same host, another port", "http://172.17.0.2:3001/a", PL_LEAD_ELSEWHERE },
        { "the same host, no port", "http://172.17.0.2/a", PL_LEAD_ELSEWHERE },
        { "no port where it was not needed", "http://172.17.0.2/a", PL_LEAD_HERE, "/a", NULL, "172.17.0.2:80" },
        { "without a path", "http://172.17.0.2:3000", PL_LEAD_HERE, "/" },
        { "without a path, with a query", "http://172.17.0.2:3000?x", PL_LEAD_HERE, "/" },
        { "without a scheme", "//172.17.0.2:3000/a", PL_LEAD_HERE, "/a" },
        { "in capitals", "HTTP://LOCALHOST:3000/A", PL_LEAD_HERE, "/A" },
        { "localhost", "http://localhost:3000/a", PL_LEAD_HERE, "/a" },
        { "localhost, another port", "http://localhost:8080/a", PL_LEAD_ELSEWHERE },
        { "localhost, the port in the container", "http://localhost:8080/a", PL_LEAD_HERE, "/a", NULL, NULL, NULL, 8080 },
        { "IPv6", "http://[fd00::2]:3000/a", PL_LEAD_HERE, "/a", NULL, "[fd00::2]:3000" },
        { "IPv6, broken", "http://[fd00::2/a", PL_LEAD_ELSEWHERE, NULL, NULL, "[fd00::2]:3000" },
        { "another host", "http://192.0.2.1:3000/a", PL_LEAD_ELSEWHERE },
        { "another host that begins the same", "http://172.17.0.20:3000/a", PL_LEAD_ELSEWHERE },
        { "a user before another host", "http://172.17.0.2:3000@evil/a", PL_LEAD_ELSEWHERE },
        { "its name", "http://g.example.org/a", PL_LEAD_HERE, "/a", NULL, NULL, "g.example.org" },
        { "its name, behind a proxy with TLS", "https://G.example.org/a/", PL_LEAD_HERE, "/a/", NULL, NULL, "g.example.org" },
        { "its name with TLS, the same path", "https://g.example.org/api/health", PL_LEAD_TLS, "/api/health", NULL, NULL, "g.example.org" },
        { "the same place with TLS", "https://172.17.0.2:3000/api/health", PL_LEAD_TLS, "/api/health" },
        { "TLS at its own port", "https://172.17.0.2/", PL_LEAD_ELSEWHERE },
        { "TLS at its own port, asked there", "https://172.17.0.2/", PL_LEAD_TLS, "/", NULL, "172.17.0.2:443" },
        { "another scheme", "file:///etc/passwd", PL_LEAD_ELSEWHERE },
        { "a colon in a path is no scheme", "/a:b", PL_LEAD_HERE, "/a:b" },
        { "a port of six digits", "http://172.17.0.2:300000/a", PL_LEAD_ELSEWHERE },
};
/* clang-format on */

START_TEST(redirects) {
        char headers[256], to[PL_HTTP_PATH_MAX] = "";
        PlHttpAnswer a = { .status = 302,
                           .headers = headers,
                           .asked = leads[_i].asked ? leads[_i].asked : "172.17.0.2:3000" };
        PlLead lead;

        (void)snprintf(headers, sizeof(headers), "Server: x\r\nlocation:  %s \r\nDate: y\r\n",
                       leads[_i].location);
        lead = pl_answer_lead(&a, leads[_i].path ? leads[_i].path : "/api/health", leads[_i].port,
                              leads[_i].host, to);
        ck_assert_msg(lead == leads[_i].lead, "%s: %d (%s)", leads[_i].name, lead, to);
        if (leads[_i].to)
                ck_assert_msg(pl_streq(to, leads[_i].to), "%s: %s", leads[_i].name, to);
        a.status = 200;
        ck_assert_int_eq(pl_answer_lead(&a, "/", 0, NULL, to), PL_LEAD_NONE);
}
END_TEST

/* A path that does not fit is not asked. */
START_TEST(long_redirect) {
        char headers[1024] = "Location: /", to[PL_HTTP_PATH_MAX];
        PlHttpAnswer a = { .status = 302, .headers = headers };
        size_t n = strlen(headers);

        memset(headers + n, 'a', PL_HTTP_PATH_MAX - 2);
        ck_assert_int_eq(pl_answer_lead(&a, "/", 0, NULL, to), PL_LEAD_HERE);
        ck_assert_uint_eq(strlen(to), PL_HTTP_PATH_MAX - 1);
        headers[n + PL_HTTP_PATH_MAX - 2] = 'a';
        ck_assert_int_eq(pl_answer_lead(&a, "/", 0, NULL, to), PL_LEAD_NONE);
}
END_TEST

/* clang-format off */
static const struct {
        unsigned status;
        const char *body, *headers;
        PlVerdictKind kind;
        const char *reason;
} statuses[] = {
        { 100, "", "", PL_VERDICT_DISPUTED, "set ProbeExpect=status:100" },
        { 204, "", "", PL_VERDICT_DISPUTED, "HTTP 204 for /x: if that is as it should be, set ProbeExpect=status:204" },
        { 301, "", "", PL_VERDICT_DISPUTED, "HTTP 301 for /x, and no Location" },
        { 302, "", "Location: https://a:b@sso.example.org/in?token=t\r\n", PL_VERDICT_DISPUTED,
          "leads to sso.example.org/in: set ProbePath= or ProbeHost= if that is the service itself, else ProbeExpect=status:302" },
        { 400, "Invalid host header", "", PL_VERDICT_DISPUTED, "set ProbeHost= to one that it allows" },
        { 401, "", "", PL_VERDICT_DISPUTED, "it wants authentication; if that is as it should be, set ProbeExpect=status:401" },
        { 403, "{\"error\":\"no\"}", "", PL_VERDICT_DISPUTED, "set ProbeExpect=status:403" },
        { 403, "Invalid Host header - possible", "", PL_VERDICT_DISPUTED, "ProbeHost=" },
        { 404, "", "", PL_VERDICT_DISPUTED, "set ProbePath= to where it is served" },
        { 429, "", "", PL_VERDICT_IMPAIRED, "too many requests" },
        { 500, "{\"error\":\"stat \\u001b\"}", "", PL_VERDICT_IMPAIRED, "HTTP 500 for /x: \"stat \\x1b\"" },
        { 500, "{\"error\":{\"message\":\"m\"}}", "", PL_VERDICT_IMPAIRED, ": \"m\"" },
        { 502, "{\"error\":7,\"message\":\"n\"}", "", PL_VERDICT_IMPAIRED, ": \"n\"" },
        { 503, "{\"detail\":\"d\"}", "", PL_VERDICT_IMPAIRED, ": \"d\"" },
        { 503, "<html>", "", PL_VERDICT_IMPAIRED, "HTTP 503 for /x" },
        { 600, "", "", PL_VERDICT_DISPUTED, "HTTP 600" },
};
/* clang-format on */

START_TEST(unexpected) {
        PlHttpAnswer a = { .status = statuses[_i].status,
                           .headers = statuses[_i].headers,
                           .body = statuses[_i].body,
                           .body_size = strlen(statuses[_i].body) };
        char name[32], code[8];
        PlVerdict v = {};

        (void)snprintf(code, sizeof(code), "%u", a.status);
        (void)snprintf(name, sizeof(name), "row %d", _i);
        pl_answer_unexpected(&a, "/x", &v);
        check_verdict(name, &v, statuses[_i].kind, code, statuses[_i].reason);
        ck_assert_msg(!strstr(v.reason, "token") && !strstr(v.reason, "a:b"), "%s", v.reason);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("answers");

        tcase_add_loop_test(t, redirects, 0, PL_ARRAY_SIZE(leads));
        tcase_add_test(t, long_redirect);
        tcase_add_loop_test(t, unexpected, 0, PL_ARRAY_SIZE(statuses));
        return run_case(t);
}
