/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Curl loop: descriptors and the timer of a multi handle as sources of the event loop.
 *
 * libcurl forbids most calls from inside its callbacks. Its callbacks here only note what is to be
 * done; run() is the one place that lets libcurl work; it calls back when libcurl is done.
 */

#include "base/curl-loop.h"

#include <errno.h>
#include <sys/epoll.h>

/* Rounds of "libcurl wants to go on at once" before the rest of the loop has its turn. */
#define ROUNDS_MAX 16

typedef struct Transfer {
        PlCurlDone done;
        void *userdata;
} Transfer;

struct PlCurl {
        sd_event *event;
        CURLM *multi;
        sd_event_source *timer; /* libcurl's own timeouts */
        sd_event_source *defer; /* "at once", when libcurl says so outside of run() */
        void (*dispatched)(void *userdata);
        void *userdata;
        unsigned running; /* run() is on the stack */
        bool now;         /* libcurl wants to go on at once */
        bool freed;
};

static int curl_error(CURL *easy, CURLcode code) {
        long os_errno = 0;

        switch (code) {
        case CURLE_OK:
                return 0;
        case CURLE_OUT_OF_MEMORY:
                return -ENOMEM;
        case CURLE_OPERATION_TIMEDOUT:
                return -ETIMEDOUT;
        case CURLE_COULDNT_CONNECT:
                (void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
                return os_errno > 0 ? -(int)os_errno : -ECONNREFUSED;
        case CURLE_GOT_NOTHING:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_PARTIAL_FILE:
                return -ECONNRESET;
        case CURLE_WRITE_ERROR: /* the receiver has had enough */
                return -EMSGSIZE;
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
                return -EPROTO;
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
                return -EKEYREJECTED;
        case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: anything that is no HTTP at all */
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_BAD_CONTENT_ENCODING:
                return -EBADMSG;
        default:
                return -EIO;
        }
}

static void really_free(PlCurl *c) {
        if (c->multi)
                (void)curl_multi_cleanup(c->multi);
        sd_event_source_disable_unref(c->timer);
        sd_event_source_disable_unref(c->defer);
        sd_event_unref(c->event);
        free(c);
        curl_global_cleanup();
}

PlCurl *pl_curl_free(PlCurl *c) {
        if (!c)
                return NULL;
        c->freed = true;
        if (c->running == 0)
                really_free(c);
        return NULL;
}

static void tell_done(PlCurl *c) {
        CURLMsg *m;
        int left;

        while (!c->freed && (m = curl_multi_info_read(c->multi, &left))) {
                CURL *easy = m->easy_handle;
                CURLcode code = m->data.result;
                curl_socket_t fd = CURL_SOCKET_BAD;
                char *private = NULL;
                Transfer t;

                if (m->msg != CURLMSG_DONE)
                        continue;
                (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
                t = *(Transfer *)private;
                /* known to libcurl from the end of a transfer until it is removed */
                (void)curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
                pl_curl_remove(c, easy);
                t.done(t.userdata, easy, curl_error(easy, code), fd);
        }
}

static int run(PlCurl *c, curl_socket_t fd, int mask) {
        int unused, r = 0;

        c->running++;
        for (unsigned i = 0; i < ROUNDS_MAX; i++) {
                c->now = false;
                (void)curl_multi_socket_action(c->multi, fd, mask, &unused);
                if (c->dispatched && !c->freed)
                        c->dispatched(c->userdata);
                tell_done(c);
                if (c->freed || !c->now)
                        break;
                fd = CURL_SOCKET_TIMEOUT;
                mask = 0;
        }
        c->running--;

        if (c->freed)
                really_free(c);
        else if (c->now)
                r = sd_event_source_set_enabled(c->defer, SD_EVENT_ONESHOT);
        return r;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        int mask = 0;

        if (events & (EPOLLIN | EPOLLHUP))
                mask |= CURL_CSELECT_IN;
        if (events & EPOLLOUT)
                mask |= CURL_CSELECT_OUT;
        if (events & EPOLLERR)
                mask |= CURL_CSELECT_ERR;
        return run(userdata, fd, mask);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        return run(userdata, CURL_SOCKET_TIMEOUT, 0);
}

static int on_defer(sd_event_source *source, void *userdata) {
        return run(userdata, CURL_SOCKET_TIMEOUT, 0);
}

static int socket_callback(CURL *easy, curl_socket_t fd, int what, void *userdata,
                           void *socket_data) {
        sd_event_source *source = socket_data;
        PlCurl *c = userdata;
        uint32_t events = 0;

        if (what == CURL_POLL_REMOVE) {
                sd_event_source_disable_unref(source);
                (void)curl_multi_assign(c->multi, fd, NULL);
                return 0;
        }
        if (what & CURL_POLL_IN)
                events |= EPOLLIN;
        if (what & CURL_POLL_OUT)
                events |= EPOLLOUT;
        if (source)
                return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
        if (sd_event_add_io(c->event, &source, fd, events, on_io, c) < 0)
                return -1;
        (void)sd_event_source_set_description(source, "curl-io");
        (void)curl_multi_assign(c->multi, fd, source);
        return 0;
}

static int timer_callback(CURLM *multi, long timeout_msec, void *userdata) {
        PlCurl *c = userdata;
        uint64_t usec;

        c->now = timeout_msec == 0;
        if (c->now && c->running == 0)
                return sd_event_source_set_enabled(c->defer, SD_EVENT_ONESHOT) < 0 ? -1 : 0;
        if (timeout_msec <= 0)
                return sd_event_source_set_enabled(c->timer, SD_EVENT_OFF) < 0 ? -1 : 0;

        usec = (uint64_t)timeout_msec * PL_USEC_PER_MSEC;
        /* a long timeout may share its wake-up with somebody else's timer */
        (void)sd_event_source_set_time_accuracy(c->timer, PL_MAX(usec / 16, PL_USEC_PER_MSEC));
        if (sd_event_source_set_time_relative(c->timer, usec) < 0 ||
            sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT) < 0)
                return -1;
        return 0;
}

int pl_curl_new(sd_event *event, void (*dispatched)(void *userdata), void *userdata, PlCurl **ret) {
        _cleanup_(pl_curl_freep) PlCurl *c = NULL;
        int r;

        /* Nothing that has global state: unix sockets and plain HTTP need none, and since 1.1.0
         * OpenSSL begins by itself (OPENSSL_init_ssl(3)), as GnuTLS does since 3.3. */
        if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK)
                return -ENOMEM;
        c = calloc(1, sizeof(*c));
        if (!c) {
                curl_global_cleanup();
                return -ENOMEM;
        }
        c->event = sd_event_ref(event);
        c->dispatched = dispatched;
        c->userdata = userdata;
        r = sd_event_add_time_relative(event, &c->timer, CLOCK_MONOTONIC, 0, 0, on_timer, c);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
        (void)sd_event_source_set_description(c->timer, "curl-timer");
        r = sd_event_add_defer(event, &c->defer, on_defer, c);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(c->defer, SD_EVENT_OFF);
        (void)sd_event_source_set_description(c->defer, "curl-defer");

        c->multi = curl_multi_init();
        if (!c->multi)
                return -ENOMEM;
        (void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, socket_callback);
        (void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
        (void)curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, timer_callback);
        (void)curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);

        *ret = TAKE_PTR(c);
        return 0;
}

int pl_curl_add(PlCurl *c, CURL *easy, PlCurlDone done, void *userdata) {
        Transfer *t = malloc(sizeof(*t));

        if (!t)
                return -ENOMEM;
        *t = (Transfer){ .done = done, .userdata = userdata };
        (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        if (curl_easy_setopt(easy, CURLOPT_PRIVATE, t) != CURLE_OK ||
            curl_multi_add_handle(c->multi, easy) != CURLM_OK) {
                (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
                free(t);
                return -ENOMEM;
        }
        return 0;
}

void pl_curl_remove(PlCurl *c, CURL *easy) {
        char *private = NULL;

        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
        (void)curl_multi_remove_handle(c->multi, easy);
        (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
        free(private);
}
