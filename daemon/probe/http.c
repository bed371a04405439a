/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Probe transport, HTTP: one request after another over libcurl, each bounded in head, body and
 * time; in TLS where a plain answer asks for it, or where it has been so before.
 *
 * A name in ProbeHost= changes what is said (Host header, SNI), never who is asked.
 *
 * No redirects, no proxies from the environment, no reuse of connections (a kept connection says
 * nothing about accept()), no name resolution. HTTP/0.9 is allowed so that bytes that are not HTTP
 * reach us and can be named.
 */

#include <errno.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/curl-loop.h"
#include "probe/transport.h"

#define STREAM_MAX MIB(64) /* of a listing; 170,000 models */

/* What all attempts share. */
typedef struct Shared {
        PlCurl *curl;
        CURL *idle[4]; /* handles that wait for their next use */
        unsigned n_idle;
} Shared;

/* One request. */
typedef struct Request {
        Shared *shared;
        CURL *easy;
        char address[PL_PROBE_ADDRESS_TEXT_MAX];
        char *body; /* grows to PL_HTTP_BODY_MAX and a NUL */
        size_t n_body, allocated;
        bool cut;
        size_t n_streamed; /* bytes that were not kept */
        char *headers;     /* of the response under way, NUL terminated */
        size_t n_headers;
        size_t n_head_bytes; /* of all responses of this request, interim ones included */
        bool head_too_long, got_status;
        struct curl_slist *headers_out; /* with the login; NULL: none */
        struct curl_slist *connect_to;  /* the address, where the URL has a name; NULL: the URL's */
        char error[CURL_ERROR_SIZE];
} Request;

/* A listing is judged as it comes, and not kept: it is as long as it is. */
static size_t on_stream(PlAttempt *a, const char *data, size_t n) {
        Request *r = a->state;

        r->n_streamed += n;
        r->cut = r->n_streamed > STREAM_MAX || !pl_probe_http_feed(&a->spec, &a->http, data, n);
        return r->cut ? 0 : n;
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata) {
        PlAttempt *a = userdata;
        Request *r = a->state;
        long status = 0;
        size_t take;

        n *= size;
        if (a->http.now.streams)
                (void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status == 200)
                return on_stream(a, data, n);
        take = PL_MIN(n, (size_t)PL_HTTP_BODY_MAX - r->n_body);
        if (r->n_body + take + 1 > r->allocated) {
                size_t wanted = PL_MAX(r->allocated, (size_t)512);
                char *bigger;

                while (wanted < r->n_body + take + 1)
                        wanted *= 2;
                bigger = realloc(r->body, wanted);
                if (!bigger)
                        return 0;
                r->body = bigger;
                r->allocated = wanted;
        }
        memcpy(r->body + r->n_body, data, take);
        r->n_body += take;
        r->body[r->n_body] = '\0';
        r->cut = take < n;
        return r->cut ? 0 : n; /* enough: libcurl ends the transfer */
}

static size_t on_header(char *data, size_t size, size_t n, void *userdata) {
        PlAttempt *a = userdata;
        Request *r = a->state;

        n *= size;
        r->n_head_bytes += n;
        if (r->n_head_bytes > PL_HTTP_HEADER_MAX) {
                r->head_too_long = true;
                return 0;
        }
        if (n >= 5 && memcmp(data, "HTTP/", 5) == 0) {
                r->n_headers = 0; /* a status line begins a response */
                r->got_status = true;
                return n;
        }
        if (!r->headers && !(r->headers = malloc(PL_HTTP_HEADER_MAX + 1)))
                return 0;
        memcpy(r->headers + r->n_headers, data, n);
        r->n_headers += n;
        r->headers[r->n_headers] = '\0';
        return n;
}

/* What libcurl itself says went over the wire, whatever is asked and however often. Of its own
 * words those about TLS are kept. Source: CURLOPT_DEBUGFUNCTION(3). */
static int on_debug(CURL *easy, curl_infotype type, char *data, size_t n, void *userdata) {
        static const char *const about_tls[] = { "SSL connection using", "SSL certificate",
                                                 " subject:", " issuer:" };
        static const PlTraceKind kinds[] = {
                [CURLINFO_HEADER_IN] = PL_TRACE_HEAD,
                [CURLINFO_DATA_IN] = PL_TRACE_BODY,
                [CURLINFO_HEADER_OUT] = PL_TRACE_SENT,
                [CURLINFO_DATA_OUT] = PL_TRACE_SENT,
        };
        const PlAttempt *a = userdata;

        if (type != CURLINFO_TEXT) {
                if ((size_t)type < PL_ARRAY_SIZE(kinds))
                        pl_attempt_trace(a, kinds[type], data, n);
                return 0;
        }
        while (n > 0 && (data[n - 1] == '\n' || data[n - 1] == '\r'))
                n--;
        for (size_t i = 0; i < PL_ARRAY_SIZE(about_tls); i++)
                if (n >= strlen(about_tls[i]) &&
                    memcmp(data, about_tls[i], strlen(about_tls[i])) == 0)
                        pl_attempt_trace(a, PL_TRACE_TLS, data, n);
        return 0;
}

/* Fixed for the life of a handle; what differs from request to request is set in request(). */
static CURL *handle_new(void) {
        CURL *easy = curl_easy_init();

        if (!easy)
                return NULL;
        if (curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK ||
            curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") != CURLE_OK ||
            curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
            curl_easy_setopt(easy, CURLOPT_USERAGENT, "plimsolld/" PLIMSOLL_VERSION) != CURLE_OK) {
                curl_easy_cleanup(easy);
                return NULL;
        }
        (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        (void)curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 4096L);
        (void)curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
        (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
        (void)curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
        return easy;
}

static void request_free(Request *r) {
        Shared *s;

        if (!r)
                return;
        s = r->shared;
        if (r->easy) {
                (void)curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, NULL);
                (void)curl_easy_setopt(r->easy, CURLOPT_VERBOSE, 0L);
                (void)curl_easy_setopt(r->easy, CURLOPT_CONNECT_TO, NULL);
                (void)curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, NULL);
                if (s->n_idle < PL_ARRAY_SIZE(s->idle))
                        s->idle[s->n_idle++] = r->easy;
                else
                        curl_easy_cleanup(r->easy);
        }
        curl_slist_free_all(r->connect_to);
        for (struct curl_slist *l = r->headers_out; l; l = l->next)
                explicit_bzero(l->data, strlen(l->data));
        curl_slist_free_all(r->headers_out);
        free(r->body);
        free(r->headers);
        free(r);
}

static void stop(PlAttempt *a) {
        Request *r = a->state;

        if (!r)
                return;
        pl_curl_remove(r->shared->curl, r->easy);
        request_free(r);
        a->state = NULL;
}

static PlHttpError error_of(const Request *r, int error, bool connected) {
        if (error == 0 || r->cut)
                return PL_HTTP_OK;
        if (r->head_too_long)
                return PL_HTTP_GARBAGE;
        switch (error) {
        case -ENOMEM:
                /* also libcurl's word for a header line without end */
                return connected ? PL_HTTP_GARBAGE : PL_HTTP_LOCAL;
        case -EMFILE:
        case -ENFILE:
        case -EMSGSIZE: /* our own receiver ran out of memory */
                return PL_HTTP_LOCAL;
        case -EBADMSG:
        case -EIO:
                return PL_HTTP_GARBAGE;
        case -ECONNRESET:
                /* libcurl has one code for a broken connection and for broken chunks */
                return r->got_status && strcasestr(r->error, "chunk") ? PL_HTTP_GARBAGE
                                                                      : PL_HTTP_CLOSED;
        default:
                return pl_transport_error(-error);
        }
}

static bool is_tls(const Request *r) {
        PlVerdict unused;

        return pl_verdict_if_tls((const uint8_t *)r->body, r->n_body, &unused);
}

static void answer_of(const Request *r, int error, bool connected, PlHttpAnswer *ret) {
        long status = 0;

        (void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
        *ret = (PlHttpAnswer){
                .got_status = r->got_status,
                .status = r->got_status ? (unsigned)PL_MAX(status, 0L) : 0,
                .headers = r->headers ? r->headers : "",
                .body = r->body ? r->body : "",
                .body_size = r->n_body,
                .body_cut = r->cut,
                .asked = r->address,
        };
        ret->error = error_of(r, error, connected);
        if (ret->got_status || ret->error == PL_HTTP_LOCAL)
                return;
        /* no status line: "HTTP/0.9", which is to say anything at all */
        if (r->n_body > 0 && is_tls(r))
                ret->error = PL_HTTP_TLS;
        else if (r->n_body > 0 || ret->error == PL_HTTP_OK)
                ret->error = r->n_body > 0 ? PL_HTTP_GARBAGE : PL_HTTP_CLOSED;
}

static bool is_connected(const PlAttempt *a) {
        const Request *r = a->state;
        curl_off_t usec = 0;

        if (r)
                (void)curl_easy_getinfo(r->easy, CURLINFO_CONNECT_TIME_T, &usec);
        return usec > 0;
}

static bool has_shaken_hands(const Request *r) {
        curl_off_t usec = 0;

        (void)curl_easy_getinfo(r->easy, CURLINFO_APPCONNECT_TIME_T, &usec);
        return usec > 0;
}

/* What is to be done with an answer, as far as TLS goes. */
typedef enum Next {
        NEXT_JUDGE,   /* it is an answer */
        NEXT_AGAIN,   /* ask the same again, the way that stands in the attempt now */
        NEXT_VERDICT, /* written */
} Next;

static Next after_plain(PlAttempt *a, const PlHttpAnswer *answer, PlVerdict *ret) {
        bool told = answer->error == PL_HTTP_TLS ||
                    (answer->error == PL_HTTP_OK &&
                     pl_tls_is_asked_for(answer->status, answer->body, answer->body_size));
        bool closed = answer->error == PL_HTTP_CLOSED && !answer->got_status;
        PlHttpProbe copy = a->http;

        if (a->tls == PL_PROBE_TLS_NO && told) {
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, "tls", "%s", PL_VERDICT_TLS);
                return NEXT_VERDICT;
        }
        if (a->tls == PL_PROBE_TLS_NO || a->asked_plain || a->http.rare || (!told && !closed))
                return NEXT_JUDGE;
        if (pl_probe_http_answer(&a->spec, &copy, answer, pl_clock_usec(CLOCK_REALTIME),
                                 &a->plain) != PL_PROBE_DONE)
                pl_answer_unexpected(answer, a->http.now.path, &a->plain);
        a->asked_plain = true;
        a->way = PL_WAY_TLS;
        return NEXT_AGAIN;
}

static Next after_tls(PlAttempt *a, const Request *r, int error, const PlHttpAnswer *answer,
                      PlVerdict *ret) {
        const char *words = r->error;
        PlTlsError e;

        if (answer->error == PL_HTTP_OK &&
            pl_tls_wants_certificate(answer->status, answer->body, answer->body_size)) {
                pl_tls_verdict(PL_TLS_CERTIFICATE, PL_TLS_NO_CERTIFICATE, ret);
                return NEXT_VERDICT;
        }
        if (answer->got_status ||
            (error != -EPROTO && error != -EKEYREJECTED && error != -ECONNRESET))
                return NEXT_JUDGE;
        e = error == -EKEYREJECTED ? PL_TLS_UNTRUSTED : pl_tls_error(words);
        /* who has come through a handshake is alive */
        if (e == PL_TLS_CLOSED && has_shaken_hands(r)) {
                e = PL_TLS_REFUSED;
                words = "closed after the handshake";
        }
        if (a->tls == PL_PROBE_TLS_AUTO && (e == PL_TLS_CLOSED || e == PL_TLS_ABSENT)) {
                a->way = PL_WAY_PLAIN;
                if (!a->asked_plain && e == PL_TLS_ABSENT)
                        return NEXT_AGAIN; /* it was TLS, and is no more */
                if (a->asked_plain) {
                        *ret = a->plain;
                        return NEXT_VERDICT;
                }
        }
        pl_tls_verdict(e, words, ret);
        return NEXT_VERDICT;
}

static int request(Shared *s, PlAttempt *a);

/* The next request of this round. */
static void go_on(Shared *s, PlAttempt *a) {
        PlVerdict v;

        a->handlers->connected(a);
        if (request(s, a) >= 0)
                return;
        pl_probe_transport(PL_HTTP_LOCAL, &v);
        a->handlers->verdict(a, &v);
}

/* A redirect may lead to the same place with TLS: that is tried as after an answer that asks for
 * it.
 */
static PlProbeStep judge(PlAttempt *a, const PlHttpAnswer *answer, PlVerdict *ret) {
        bool tls = a->http.now.tls;
        PlProbeStep step;

        step = pl_probe_http_answer(&a->spec, &a->http, answer, pl_clock_usec(CLOCK_REALTIME), ret);
        if (step == PL_PROBE_MORE && a->http.now.tls && !tls && a->way == PL_WAY_PLAIN &&
            a->tls == PL_PROBE_TLS_AUTO) {
                pl_answer_unexpected(answer, a->http.now.path, &a->plain);
                a->asked_plain = true;
                a->way = PL_WAY_TLS;
        }
        return step;
}

static void on_done(void *userdata, CURL *easy, int error, int fd) {
        PlAttempt *a = userdata;
        Request *r = a->state;
        Shared *s = r->shared;
        PlHttpAnswer answer;
        PlProbeStep step;
        PlVerdict v;
        Next next;

        pl_loop_doing("probes");
        /* libcurl calls it connected when TLS is, too */
        a->connected = is_connected(a) || r->got_status || error == -EPROTO ||
                       error == -EKEYREJECTED;
        answer_of(r, error, a->connected, &answer);
        a->state = NULL;
        if (!a->connected && a->asked_plain) { /* gone between two questions */
                request_free(r);
                a->way = PL_WAY_PLAIN;
                a->connected = true;
                v = a->plain;
                a->handlers->verdict(a, &v);
                return;
        }
        if (!a->connected) {
                request_free(r);
                a->handlers->unreachable(a, answer.error);
                return;
        }
        next = a->way == PL_WAY_PLAIN ? after_plain(a, &answer, &v)
                                      : after_tls(a, r, error, &answer, &v);
        step = next == NEXT_AGAIN ? PL_PROBE_MORE : PL_PROBE_DONE;
        if (next == NEXT_JUDGE)
                step = judge(a, &answer, &v);
        request_free(r);
        if (step == PL_PROBE_MORE)
                go_on(s, a);
        else
                a->handlers->verdict(a, &v);
}

/* Without verification anything that encrypts will do: see probe/tls.c. */
static void set_tls(CURL *easy, bool verify) {
        const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
        bool is_openssl = info->ssl_version && pl_startswith(info->ssl_version, "OpenSSL");

        /* libcurl keeps the certificates that it has read from a bundle (reading them takes 40 ms
         * of CPU), but not where there is a directory of them beside it */
        if (info->age >= CURLVERSION_SEVENTH && info->cainfo)
                (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
        (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
        (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                               verify ? (long)CURL_SSLVERSION_DEFAULT
                                      : (long)CURL_SSLVERSION_TLSv1);
        (void)curl_easy_setopt(easy, CURLOPT_SSL_CIPHER_LIST,
                               verify || !is_openssl ? NULL : "DEFAULT@SECLEVEL=0");
}

/* By a header of our own, which can be wiped. Return: 0, -ENOMEM. */
static int set_login(Request *r, const PlLogin *l) {
        char header[PL_LOGIN_BASIC_MAX];

        (void)pl_login_basic(l, header);
        r->headers_out = curl_slist_append(NULL, header);
        explicit_bzero(header, sizeof(header));
        if (!r->headers_out ||
            curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers_out) != CURLE_OK)
                return -ENOMEM;
        return 0;
}

/* Return: 0, -ENOMEM. */
static int set_url(Request *r, const PlAttempt *a) {
        const char *scheme = a->way == PL_WAY_PLAIN ? "http" : "https";
        char to[PL_PROBE_ADDRESS_TEXT_MAX + 2];
        _cleanup_free_ char *url = NULL;

        (void)pl_probe_address_format(a->address, r->address);
        if (asprintf(&url, "%s://%s%s", scheme, a->host ? a->host : r->address, a->http.now.path) <
            0) {
                url = NULL;
                return -ENOMEM;
        }
        if (a->host) {
                (void)snprintf(to, sizeof(to), "::%s", r->address); /* whatever host and port */
                r->connect_to = curl_slist_append(NULL, to);
                if (!r->connect_to)
                        return -ENOMEM;
        }
        if (curl_easy_setopt(r->easy, CURLOPT_CONNECT_TO, r->connect_to) != CURLE_OK ||
            curl_easy_setopt(r->easy, CURLOPT_URL, url) != CURLE_OK)
                return -ENOMEM;
        return 0;
}

static int request(Shared *s, PlAttempt *a) {
        Request *r = calloc(1, sizeof(*r));

        if (!r)
                return -ENOMEM;
        r->shared = s;
        r->easy = s->n_idle > 0 ? s->idle[--s->n_idle] : handle_new();
        if (!r->easy || set_url(r, a) < 0 || (a->login && set_login(r, a->login) < 0))
                goto fail;
        if (a->way != PL_WAY_PLAIN)
                set_tls(r->easy, a->tls_verify);
        (void)curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, a);
        (void)curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, a);
        (void)curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->error);
        (void)curl_easy_setopt(r->easy, CURLOPT_DEBUGDATA, a);
        (void)curl_easy_setopt(r->easy, CURLOPT_VERBOSE, a->trace ? 1L : 0L);
        if (pl_curl_add(s->curl, r->easy, on_done, a) < 0)
                goto fail;
        a->state = r;
        return 0;
fail:
        request_free(r);
        return -ENOMEM;
}

static int start(void *shared, PlAttempt *a) {
        a->asked_plain = false;
        if (a->tls != PL_PROBE_TLS_AUTO)
                a->way = a->tls == PL_PROBE_TLS_YES ? PL_WAY_TLS : PL_WAY_PLAIN;
        return request(shared, a);
}

static void late(PlAttempt *a, PlVerdict *ret) {
        const Request *r = a->state;
        PlHttpAnswer answer;

        if (a->asked_plain && a->way != PL_WAY_PLAIN && !has_shaken_hands(r)) {
                a->way = PL_WAY_PLAIN;
                *ret = a->plain;
                stop(a);
                return;
        }
        answer_of(a->state, -ETIMEDOUT, true, &answer);
        if (answer.error == PL_HTTP_OK || answer.error == PL_HTTP_CLOSED)
                answer.error = PL_HTTP_TIMEOUT;
        (void)pl_probe_http_answer(&a->spec, &a->http, &answer, pl_clock_usec(CLOCK_REALTIME), ret);
        stop(a);
}

static int open_shared(sd_event *event, void **ret) {
        _cleanup_free_ Shared *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        r = pl_curl_new(event, NULL, NULL, &s->curl);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

static void close_shared(void *shared) {
        Shared *s = shared;

        if (!s)
                return;
        while (s->n_idle > 0)
                curl_easy_cleanup(s->idle[--s->n_idle]);
        pl_curl_free(s->curl);
        free(s);
}

const PlTransport pl_transport_http = {
        .open = open_shared,
        .close = close_shared,
        .start = start,
        .stop = stop,
        .is_connected = is_connected,
        .late = late,
};
