/* SPDX-License-Identifier: Apache-2.0 */

/* Trace: of a conversation, what is kept, and what of it is told to people. */

#include "lib/probe/trace.h"

#include "lib/base/json.h"
#include "unit.h"

#define BYTES(s) s, sizeof(s) - 1

typedef struct Piece {
        PlTraceKind kind;
        const char *data;
        size_t n;
} Piece;

/* clang-format off */
static const struct {
        const char *name;
        Piece pieces[4];
        const char *expect; /* "what text|what text" */
} rows[] = {
        { "an address that is refused",
          { { PL_TRACE_ADDRESS, BYTES("172.17.0.2:80") }, { PL_TRACE_FAILED, BYTES("connection refused") } },
          "address 172.17.0.2:80|failed connection refused" },
        { "a request and its answer",
          { { PL_TRACE_SENT, BYTES("GET /health HTTP/1.1\r\nHost: 172.17.0.2:80\r\nAccept: */*\r\n\r\n") },
            { PL_TRACE_HEAD, BYTES("HTTP/1.1 404 Not Found\r\n") },
            { PL_TRACE_HEAD, BYTES("Server: nginx\r\nX-Other: a\r\n\r\n") },
            { PL_TRACE_BODY, BYTES("<html>\r\nno\0such") } },
          "sent GET /health HTTP/1.1|header Host: 172.17.0.2:80|status HTTP/1.1 404 Not Found|"
          "header Server: nginx|body <html>\\r\\nno.such" },
        { "a response after an interim one",
          { { PL_TRACE_HEAD, BYTES("HTTP/1.1 100 Continue\r\n\r\n") }, { PL_TRACE_HEAD, BYTES("HTTP/1.1 200 OK\r\n") } },
          "status HTTP/1.1 100 Continue|status HTTP/1.1 200 OK" },
        { "secrets of the environment",
          { { PL_TRACE_HEAD, BYTES("HTTP/1.1 500 hunter22\r\nServer: hunter22/1\r\n\r\n") },
            { PL_TRACE_BODY, BYTES("cannot log in with hunt") }, { PL_TRACE_BODY, BYTES("er22: denied") } },
          "status HTTP/1.1 500 [cut]|header Server: [cut]/1|body cannot log in with [cut]: denied" },
        { "credentials that are sent",
          { { PL_TRACE_SENT, BYTES("GET /h?token=abc HTTP/1.1\r\nAuthorization: Basic dXNlcg==\r\nCookie: a=b\r\n\r\n") } },
          "sent GET /h?[cut] HTTP/1.1|header Authorization: Basic [cut]|header Cookie: [cut]" },
        { "challenges and cookies",
          { { PL_TRACE_HEAD, BYTES("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest nonce=\"x\", realm=y\r\n"
                                   "set-cookie: session=abc; Path=/\r\nWWW-authenticate: Negotiate\r\n\r\n") } },
          "status HTTP/1.1 401 Unauthorized|header WWW-Authenticate: Digest [cut]|header Set-Cookie: [cut]|"
          "header WWW-Authenticate: Negotiate" },
        { "a redirect with a query",
          { { PL_TRACE_HEAD, BYTES("HTTP/1.1 302 Found\r\nLocation: https://a:b@x.example/login?next=1&s=2\r\n\r\n") } },
          "status HTTP/1.1 302 Found|header Location: https://[cut]@x.example/login?[cut]" },
        { "a redirect without one",
          { { PL_TRACE_HEAD, BYTES("HTTP/1.1 301 Moved\r\nLocation: /grafana/\r\n\r\n") } },
          "status HTTP/1.1 301 Moved|header Location: /grafana/" },
        { "bytes of a protocol",
          { { PL_TRACE_SENT, BYTES("*1\r\n$4\r\nPING\r\n") }, { PL_TRACE_RECEIVED, BYTES("-NOAU") },
            { PL_TRACE_RECEIVED, BYTES("TH x\r\n") } },
          "sent *1\\r\\n$4\\r\\nPING\\r\\n|received -NOAUTH x\\r\\n" },
        { "hostile bytes",
          { { PL_TRACE_RECEIVED, BYTES("\x1b[31m\xff\xe2\x80\xaeok") } }, "received .[31m.\\xe2\\x80\\xaeok" },
        { "TLS", { { PL_TRACE_TLS, BYTES("SSL connection using TLSv1.3") } }, "tls SSL connection using TLSv1.3" },
        { "our own words are not cut", { { PL_TRACE_NOTE, BYTES("hunter22") } }, "note hunter22" },
};
/* clang-format on */

static PlSecrets *secrets(void) {
        static char *const environment[] = { (char *)"PASSWORD=hunter22", NULL };
        PlSecrets *s = NULL;

        ck_assert_int_eq(pl_secrets_new(environment, &s), 0);
        return s;
}

/* The conversation as "what text|what text". */
static char *told(const PlTrace *t, const PlSecrets *s) {
        _cleanup_json_ json_t *list = pl_trace_json(t, s);
        char *text = NULL;
        size_t size = 0, i;
        FILE *f = open_memstream(&text, &size);
        const json_t *o;

        ck_assert_ptr_nonnull(list);
        ck_assert_ptr_nonnull(f);
        json_array_foreach(list, i, o)(void) fprintf(f, "%s%s %s", i > 0 ? "|" : "",
                                                     json_string_value(json_object_get(o, "what")),
                                                     json_string_value(json_object_get(o, "text")));
        ck_assert_int_eq(fclose(f), 0);
        return text;
}

START_TEST(tell) {
        _cleanup_(pl_trace_freep) PlTrace *t = pl_trace_new();
        _cleanup_(pl_secrets_freep) PlSecrets *s = secrets();
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < PL_ARRAY_SIZE(rows[_i].pieces) && rows[_i].pieces[i].data; i++)
                pl_trace_add(t, i, rows[_i].pieces[i].kind, rows[_i].pieces[i].data,
                             rows[_i].pieces[i].n);
        text = told(t, s);
        ck_assert_msg(pl_streq(text, rows[_i].expect), "%s: %s", rows[_i].name, text);
}
END_TEST

/* Nothing of what the service said is told while nobody knows what must be cut. */
START_TEST(without_secrets) {
        _cleanup_(pl_trace_freep) PlTrace *t = pl_trace_new();
        _cleanup_free_ char *text = NULL;

        pl_trace_add(t, 0, PL_TRACE_ADDRESS, BYTES("172.17.0.2:80"));
        pl_trace_add(t, 0, PL_TRACE_HEAD, BYTES("HTTP/1.1 200 hunter22\r\n\r\n"));
        pl_trace_add(t, 0, PL_TRACE_BODY, BYTES("hunter22"));
        text = told(t, NULL);
        ck_assert_ptr_nonnull(strstr(text, "address 172.17.0.2:80|status 25 bytes, not shown"));
        ck_assert_ptr_nonnull(strstr(text, "|body 8 bytes, not shown"));
        ck_assert_ptr_null(strstr(text, "hunter22"));
}
END_TEST

/* However much is said, what is kept and told stays small, and says how much it was. */
START_TEST(bounded) {
        _cleanup_(pl_trace_freep) PlTrace *t = pl_trace_new();
        _cleanup_(pl_secrets_freep) PlSecrets *s = secrets();
        _cleanup_free_ char *text = NULL;
        char block[1000];

        memset(block, 'x', sizeof(block));
        for (int i = 0; i < 1000; i++)
                pl_trace_add(t, 0, PL_TRACE_BODY, block, sizeof(block));
        for (int i = 0; i < 1000; i++)
                pl_trace_add(t, 0, PL_TRACE_SENT, block, sizeof(block));
        text = told(t, s);
        ck_assert_ptr_nonnull(strstr(text, "… (1000000 bytes in all)|sent "));
        ck_assert_uint_lt(strlen(text), 100 * 600);
}
END_TEST

/* A secret that is cut in two by what is kept does not show its first half. */
START_TEST(cut_in_two) {
        _cleanup_(pl_secrets_freep) PlSecrets *s = secrets();

        for (size_t before = 0; before < 8192; before++) {
                _cleanup_(pl_trace_freep) PlTrace *one = pl_trace_new();
                _cleanup_free_ char *data = malloc(before + 8), *text = NULL;

                ck_assert_ptr_nonnull(data);
                memset(data, '.', before);
                memcpy(data + before, "hunter22", 8);
                pl_trace_add(one, 0, PL_TRACE_BODY, data, before + 8);
                text = told(one, s);
                ck_assert_msg(!strstr(text, "hun"), "%zu: %s", before, text);
        }
}
END_TEST

START_TEST(nobody) {
        pl_trace_add(NULL, 0, PL_TRACE_NOTE, BYTES("x"));
}
END_TEST

int main(void) {
        TCase *t = tcase_create("trace");

        tcase_add_loop_test(t, tell, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, without_secrets);
        tcase_add_test(t, bounded);
        tcase_add_test(t, cut_in_two);
        tcase_add_test(t, nobody);
        return run_case(t);
}
