/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Probe transport, HTTP: one request after another over libcurl, each bounded in head, body and
 * time.
 *
 * No redirects, no proxies from the environment, no reuse of connections (a kept connection says
 * nothing about accept()), no name resolution. HTTP/0.9 is allowed so that bytes that are not HTTP
 * reach us and can be named.
 */

#include <errno.h>

#include "base/clock.h"
#include "base/curl-loop.h"
#include "probe/transport.h"

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
        char *body; /* grows to PL_HTTP_BODY_MAX and a NUL */
        size_t n_body, allocated;
        bool cut;
        char *headers; /* of the response under way, NUL terminated */
        size_t n_headers;
        size_t n_head_bytes; /* of all responses of this request, interim ones included */
        bool head_too_long, got_status;
        char error[CURL_ERROR_SIZE];
} Request;

static size_t on_body(char *data, size_t size, size_t n, void *userdata) {
        PlAttempt *a = userdata;
        Request *r = a->state;
        size_t take;

        n *= size;
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
            curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http") != CURLE_OK ||
            curl_easy_setopt(easy, CURLOPT_USERAGENT, "plimsolld/" PLIMSOLL_VERSION) != CURLE_OK) {
                curl_easy_cleanup(easy);
                return NULL;
        }
        (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        (void)curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 4096L);
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
                if (s->n_idle < PL_ARRAY_SIZE(s->idle))
                        s->idle[s->n_idle++] = r->easy;
                else
                        curl_easy_cleanup(r->easy);
        }
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

static int request(Shared *s, PlAttempt *a);

static void on_done(void *userdata, CURL *easy, int error, int fd) {
        PlAttempt *a = userdata;
        Request *r = a->state;
        Shared *s = r->shared;
        PlHttpAnswer answer;
        PlProbeStep step;
        PlVerdict v;

        a->connected = is_connected(a) || r->got_status;
        answer_of(r, error, a->connected, &answer);
        a->state = NULL;
        if (!a->connected) {
                request_free(r);
                a->handlers->unreachable(a, answer.error);
                return;
        }
        step = pl_probe_http_answer(&a->spec, &a->http, &answer, pl_clock_usec(CLOCK_REALTIME), &v);
        request_free(r);
        if (step == PL_PROBE_MORE) {
                a->handlers->connected(a);
                if (request(s, a) >= 0)
                        return;
                pl_probe_transport(PL_HTTP_LOCAL, &v);
        }
        a->handlers->verdict(a, &v);
}

static int request(Shared *s, PlAttempt *a) {
        char address[PL_PROBE_ADDRESS_TEXT_MAX];
        _cleanup_free_ char *url = NULL;
        Request *r = calloc(1, sizeof(*r));

        if (!r)
                return -ENOMEM;
        r->shared = s;
        if (asprintf(&url, "http://%s%s", pl_probe_address_format(a->address, address),
                     pl_probe_http_path(&a->spec, &a->http)) < 0) {
                url = NULL;
                goto fail;
        }
        r->easy = s->n_idle > 0 ? s->idle[--s->n_idle] : handle_new();
        if (!r->easy || curl_easy_setopt(r->easy, CURLOPT_URL, url) != CURLE_OK)
                goto fail;
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
        return request(shared, a);
}

static void late(PlAttempt *a, PlVerdict *ret) {
        PlHttpAnswer answer;

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
