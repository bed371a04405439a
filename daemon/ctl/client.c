/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Control client.
 *
 * A daemon under load may have a full backlog, which connect(2) on a unix socket reports as EAGAIN
 * at once where TCP would wait, so it tries again for a while. Answers are bounded: who listens at
 * a socket may be anybody.
 */

#include "ctl/client.h"

#include <curl/curl.h>
#include <errno.h>

#include "base/clock.h"

#define BODY_MAX       MIB(64)
#define LINE_MAX_BYTES MIB(1)
#define CONNECT_TRIES  20
#define CONNECT_PAUSE  100 /* ms */
#define BASE           "http://plimsolld"

struct PlCtlClient {
        CURL *curl;
        const char *socket_path;
        unsigned timeout_msec;
};

typedef struct Buffer {
        char *data;
        size_t size, max;
        bool too_large;
} Buffer;

int pl_ctl_client_new(const char *socket_path, unsigned timeout_msec, PlCtlClient **ret) {
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return -ENOMEM;
        PlCtlClient *c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->socket_path = socket_path;
        c->timeout_msec = timeout_msec;
        c->curl = curl_easy_init();
        if (!c->curl) {
                free(c);
                return -ENOMEM;
        }
        *ret = c;
        return 0;
}

PlCtlClient *pl_ctl_client_free(PlCtlClient *c) {
        if (!c)
                return NULL;
        curl_easy_cleanup(c->curl);
        free(c);
        return NULL;
}

static size_t take(char *data, size_t one, size_t n, void *userdata) {
        Buffer *b = userdata;

        if (n > b->max - b->size) {
                b->too_large = true;
                return 0;
        }
        char *grown = realloc(b->data, b->size + n + 1);
        if (!grown)
                return 0;
        b->data = grown;
        memcpy(b->data + b->size, data, n);
        b->size += n;
        b->data[b->size] = '\0';
        return n;
}

/* CURLE_* to errno, beside the foreign call. */
static int translate(PlCtlClient *c, CURLcode code) {
        long error = 0;

        switch (code) {
        case CURLE_OK:
                return 0;
        case CURLE_COULDNT_CONNECT:
                (void)curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &error);
                return error > 0 ? -(int)error : -ECONNREFUSED;
        case CURLE_OPERATION_TIMEDOUT:
                return -ETIMEDOUT;
        case CURLE_OUT_OF_MEMORY:
                return -ENOMEM;
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_GOT_NOTHING:
                return -ECONNRESET;
        default:
                return -EPROTO;
        }
}

static int prepare(PlCtlClient *c, const char *method, const char *path) {
        _cleanup_free_ char *url = NULL;

        if (asprintf(&url, BASE "%s", path) < 0) {
                url = NULL;
                return -ENOMEM;
        }
        curl_easy_reset(c->curl);
        if (curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket_path) != CURLE_OK ||
            curl_easy_setopt(c->curl, CURLOPT_URL, url) != CURLE_OK)
                return -ENOMEM;
        (void)curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
        (void)curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
        (void)curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1L);
        if (pl_streq(method, "POST")) {
                (void)curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
                (void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, "");
        }
        return 0;
}

int pl_ctl_client_request(PlCtlClient *c, const char *method, const char *path, long *ret_code,
                          json_t **ret) {
        Buffer b = { .max = BODY_MAX };
        long code = 0;
        int r = prepare(c, method, path);

        if (r < 0)
                return r;
        (void)curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, (long)c->timeout_msec);
        (void)curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take);
        (void)curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &b);
        for (int i = 0; (r = translate(c, curl_easy_perform(c->curl))) == -EAGAIN; i++) {
                if (i == CONNECT_TRIES)
                        break;
                pl_clock_sleep(CONNECT_PAUSE * PL_USEC_PER_MSEC);
        }
        (void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &code);

        json_t *j = r == 0 && b.data ? json_loadb(b.data, b.size, 0, NULL) : NULL;
        free(b.data);
        if (r == 0 && !j)
                r = -EPROTO;
        if (r < 0)
                return r;
        *ret_code = code;
        *ret = j;
        return 0;
}

char *pl_ctl_client_path(PlCtlClient *c, const char *name, const char *suffix) {
        char *escaped = curl_easy_escape(c->curl, name, (int)PL_MIN(strlen(name), KIB(4)));
        char *path = NULL;

        if (!escaped || asprintf(&path, "/v1/containers/%s%s", escaped, suffix) < 0)
                path = NULL;
        curl_free(escaped);
        return path;
}

/* ---- streams ---- */

typedef struct Stream {
        const PlCtlStreamHandlers *handlers;
        void *userdata;
        CURL *curl;
        Buffer line;
        int result;
        bool open;
} Stream;

static void end_line(Stream *s) {
        json_t *entry = json_loadb(s->line.data, s->line.size, 0, NULL);

        s->line.size = 0;
        s->result = entry ? s->handlers->entry(s->userdata, entry) : -EPROTO;
        json_decref(entry);
}

static size_t take_lines(char *data, size_t one, size_t n, void *userdata) {
        Stream *s = userdata;
        size_t left = n;

        while (left > 0) {
                const char *end = memchr(data, '\n', left);
                size_t size = end ? (size_t)(end - data) : left;

                if (size > 0 && take(data, 1, size, &s->line) != size) {
                        s->result = s->line.too_large ? -EPROTO : -ENOMEM;
                        return 0;
                }
                if (end && s->line.size > 0)
                        end_line(s);
                if (s->result != 0)
                        return 0;
                size += end ? 1 : 0;
                data += size;
                left -= size;
        }
        return n;
}

/* The header has arrived: is this the stream? */
static void look_at_head(Stream *s) {
        long code = 0;

        (void)curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &code);
        if (code == 0 || s->open)
                return;
        s->open = true;
        if (code != 200)
                s->result = code == 503 ? -EUSERS : -EPROTO;
        else if (s->handlers->tick)
                s->result = s->handlers->tick(s->userdata);
}

static size_t take_head(char *data, size_t one, size_t n, void *userdata) {
        if (n <= 2) /* the empty line that ends it */
                look_at_head(userdata);
        return n;
}

/* Return: a CURLcode when the transfer is over, CURLE_AGAIN when a handler ended it. */
static CURLcode run(CURLM *multi, Stream *s) {
        uint64_t next = pl_clock_usec(CLOCK_MONOTONIC) / PL_USEC_PER_MSEC + s->handlers->tick_msec;
        bool ticking = s->handlers->tick && s->handlers->tick_msec > 0;

        for (;;) {
                int running = 0, left = 0;

                if (curl_multi_perform(multi, &running) != CURLM_OK)
                        return CURLE_OUT_OF_MEMORY;
                const CURLMsg *m = curl_multi_info_read(multi, &left);
                if (s->result != 0)
                        return CURLE_AGAIN;
                if (m && m->msg == CURLMSG_DONE)
                        return m->data.result;

                uint64_t now = pl_clock_usec(CLOCK_MONOTONIC) / PL_USEC_PER_MSEC;
                int wait = ticking ? (int)(next - PL_MIN(now, next)) : 60000;
                (void)curl_multi_poll(multi, NULL, 0, wait, NULL);
                if (ticking && s->open &&
                    pl_clock_usec(CLOCK_MONOTONIC) / PL_USEC_PER_MSEC >= next) {
                        next = pl_clock_usec(CLOCK_MONOTONIC) / PL_USEC_PER_MSEC +
                               s->handlers->tick_msec;
                        s->result = s->handlers->tick(s->userdata);
                        if (s->result != 0)
                                return CURLE_AGAIN;
                } else if (ticking && pl_clock_usec(CLOCK_MONOTONIC) / PL_USEC_PER_MSEC >= next)
                        next = pl_clock_usec(CLOCK_MONOTONIC) / PL_USEC_PER_MSEC +
                               s->handlers->tick_msec;
        }
}

int pl_ctl_client_stream(PlCtlClient *c, const PlCtlStreamHandlers *handlers, void *userdata) {
        Stream s = { .handlers = handlers,
                     .userdata = userdata,
                     .curl = c->curl,
                     .line = { .max = LINE_MAX_BYTES } };
        int r = prepare(c, "GET", "/v1/events");

        if (r < 0)
                return r;
        CURLM *multi = curl_multi_init();
        if (!multi)
                return -ENOMEM;
        (void)curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_lines);
        (void)curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &s);
        (void)curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, take_head);
        (void)curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, &s);
        for (int i = 0;; i++) {
                (void)curl_multi_add_handle(multi, c->curl);
                CURLcode code = run(multi, &s);
                r = code == CURLE_AGAIN ? s.result : translate(c, code);
                (void)curl_multi_remove_handle(multi, c->curl);
                if (r != -EAGAIN || i == CONNECT_TRIES)
                        break;
                pl_clock_sleep(CONNECT_PAUSE * PL_USEC_PER_MSEC);
        }
        (void)curl_multi_cleanup(multi);
        free(s.line.data);
        return r;
}
