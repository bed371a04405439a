/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Prober, HTTP: one round of requests over libcurl, each bounded in head, body and time.
 *
 * No redirects, no proxies from the environment, no reuse of connections (a kept connection says
 * nothing about accept()), no name resolution. HTTP/0.9 is allowed so that bytes that are not HTTP
 * reach us and can be named.
 */

#include "probe/round.h"

#include <errno.h>

#include "base/clock.h"

struct PlHttpRound {
        CURL *easy;
        char *body; /* grows to PL_HTTP_BODY_MAX and a NUL */
        size_t n_body, allocated;
        bool cut;
        char *headers; /* of the response under way, NUL terminated */
        size_t n_headers;
        size_t n_head_bytes; /* of all responses of this request, interim ones included */
        bool head_too_long, got_status;
        char error[CURL_ERROR_SIZE];
};

static size_t on_body(char *data, size_t size, size_t n, void *userdata) {
        PlProbe *p = userdata;
        PlHttpRound *r = p->round;
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
        PlProbe *p = userdata;
        PlHttpRound *r = p->round;

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
        return easy;
}

static void round_free(PlProber *b, PlHttpRound *r) {
        if (!r)
                return;
        if (r->easy) {
                (void)curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, NULL);
                if (b->n_idle < PL_ARRAY_SIZE(b->idle))
                        b->idle[b->n_idle++] = r->easy;
                else
                        curl_easy_cleanup(r->easy);
        }
        free(r->body);
        free(r->headers);
        free(r);
}

void pl_probe_http_stop(PlProbe *p) {
        if (!p->round)
                return;
        if (p->round->easy && p->prober->curl)
                pl_curl_remove(p->prober->curl, p->round->easy);
        round_free(p->prober, TAKE_PTR(p->round));
}

static PlHttpError error_of(const PlHttpRound *r, int error, bool connected) {
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
                return pl_probe_connect_error(-error);
        }
}

static bool is_tls(const PlHttpRound *r) {
        PlVerdict unused;

        return pl_verdict_if_tls((const uint8_t *)r->body, r->n_body, &unused);
}

static void answer_of(const PlHttpRound *r, int error, bool connected, PlHttpAnswer *ret) {
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

static PlHttpSpec spec_of(const PlProbe *p) {
        return (PlHttpSpec){
                .kind = p->kind,
                .path = p->path,
                .expect = p->expect,
                .models = p->models,
        };
}

bool pl_probe_http_connected(const PlProbe *p) {
        curl_off_t usec = 0;

        if (p->round)
                (void)curl_easy_getinfo(p->round->easy, CURLINFO_CONNECT_TIME_T, &usec);
        return usec > 0;
}

static int request(PlProbe *p);

static void on_done(void *userdata, CURL *easy, int error, int fd) {
        PlProbe *p = userdata;
        PlHttpRound *r = p->round;
        PlHttpSpec spec = spec_of(p);
        PlProbeStep step;
        PlHttpAnswer a;
        PlVerdict v;

        p->connected = pl_probe_http_connected(p) || r->got_status;
        answer_of(r, error, p->connected, &a);
        p->round = NULL;
        if (!p->connected) {
                round_free(p->prober, r);
                pl_probe_unreachable(p, a.error);
                return;
        }
        step = pl_probe_http_answer(&spec, &p->http, &a, pl_clock_usec(CLOCK_REALTIME), &v);
        round_free(p->prober, r);
        if (step == PL_PROBE_MORE) {
                p->deadline_usec = p->began_usec + p->timeout_usec;
                if (request(p) >= 0)
                        return;
                pl_probe_transport(PL_HTTP_LOCAL, &v);
        }
        pl_probe_finish(p, &v);
}

static int request(PlProbe *p) {
        PlProber *b = p->prober;
        PlHttpSpec spec = spec_of(p);
        char address[PL_PROBE_ADDRESS_TEXT_MAX];
        _cleanup_free_ char *url = NULL;
        PlHttpRound *r = calloc(1, sizeof(*r));

        if (!r)
                return -ENOMEM;
        if (asprintf(&url, "http://%s%s", pl_probe_address_format(pl_probe_address(p), address),
                     pl_probe_http_path(&spec, &p->http)) < 0) {
                url = NULL;
                goto fail;
        }
        r->easy = b->n_idle > 0 ? b->idle[--b->n_idle] : handle_new();
        if (!r->easy || curl_easy_setopt(r->easy, CURLOPT_URL, url) != CURLE_OK)
                goto fail;
        (void)curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, p);
        (void)curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, p);
        (void)curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->error);
        p->round = r;
        if (pl_curl_add(b->curl, r->easy, on_done, p) < 0) {
                p->round = NULL;
                goto fail;
        }
        return 0;
fail:
        round_free(b, r);
        return -ENOMEM;
}

int pl_probe_http_start(PlProbe *p) {
        int r;

        if (!p->prober->curl) {
                r = pl_curl_new(p->prober->event, &p->prober->curl);
                if (r < 0)
                        return r;
        }
        return request(p);
}

void pl_probe_http_late(PlProbe *p, PlVerdict *ret) {
        PlHttpSpec spec = spec_of(p);
        PlHttpAnswer a;

        answer_of(p->round, -ETIMEDOUT, true, &a);
        if (a.error == PL_HTTP_OK || a.error == PL_HTTP_CLOSED)
                a.error = PL_HTTP_TIMEOUT;
        (void)pl_probe_http_answer(&spec, &p->http, &a, pl_clock_usec(CLOCK_REALTIME), ret);
        pl_probe_http_stop(p);
}
