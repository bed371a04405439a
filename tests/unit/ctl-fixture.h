/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A control server on a real socket, and clients for it: libcurl for the polite ones, plain
 * sockets for the others.
 *
 * The server has a loop of its own in a thread; the endpoints below are its daemon. What a test
 * wants to happen on the loop it asks for by a request, as anybody would.
 */

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "control/server.h"
#include "unit.h"

#define DEADLINE_USEC (500 * PL_USEC_PER_MSEC) /* of a request, in tests that wait for its end */
#define LONG_MSEC     60000 /* a ceiling against hanging, whatever else runs here */
#define LINE_BYTES    KIB(64)

static char dir[] = "/tmp/plimsoll-test-XXXXXX", path[64];
static int stop_fd = -EBADF, publish_fd = -EBADF;
static pthread_t thread;
static PlCtlServer *server;
static atomic_uint iterations;
static atomic_uint sequence;

/* ---- the daemon's part ---- */

static json_t *get_status(void *userdata, const PlCtlRequest *q, unsigned *status) {
        return json_pack("{s:s}", "version", "test");
}

static json_t *no_container(const char *name, unsigned *status) {
        char message[320];

        *status = 404;
        (void)snprintf(message, sizeof message, "no container or service \"%s\"", name);
        return pl_ctl_problem(message, "ask for web");
}

static json_t *get_container(void *userdata, const PlCtlRequest *q, unsigned *status) {
        return pl_streq(q->name, "web") ? json_pack("{s:s}", "name", q->name)
                                        : no_container(q->name, status);
}

static json_t *get_findings(void *userdata, const PlCtlRequest *q, unsigned *status) {
        return NULL; /* out of memory */
}

static atomic_bool policy_is_bad;

static void publish_line(void) {
        _cleanup_free_ char *filler = malloc(LINE_BYTES);
        memset(filler, 'x', LINE_BYTES);
        filler[LINE_BYTES - 1] = '\0';
        json_t *line = json_pack("{s:i,s:s}", "n", (int)sequence++, "filler", filler);
        pl_ctl_server_publish(server, line);
        json_decref(line);
}

/* A good reload publishes one long line. */
static json_t *post_reload(void *userdata, const PlCtlRequest *q, unsigned *status) {
        if (policy_is_bad) {
                *status = 422;
                return json_pack("{s:[s,s]}", "errors", "a.conf:3: one", "a.conf:7: two");
        }
        publish_line();
        return json_pack("{s:b,s:O*}", "reloaded", 1, "body", (json_t *)q->body);
}

static json_t *post_rotate(void *userdata, const PlCtlRequest *q, unsigned *status) {
        if (pl_streq(q->name, "native")) {
                *status = 409;
                return pl_ctl_problem("the engine rotates it itself", "leave it alone");
        }
        if (!pl_streq(q->name, "web"))
                return no_container(q->name, status);
        *status = 202;
        return json_pack("{s:b}", "started", 1);
}

/* ---- answers that come later: when the test writes to later_fd, or at once, or never ---- */

static int later_fd = -EBADF;
static PlCtlPending *deferred[16];
static atomic_uint n_deferred;

static json_t *post_later(void *userdata, const PlCtlRequest *q, unsigned *status) {
        deferred[n_deferred % 16] = pl_ctl_defer(q);
        n_deferred++;
        return NULL;
}

static json_t *post_soon(void *userdata, const PlCtlRequest *q, unsigned *status) {
        pl_ctl_reply(pl_ctl_defer(q), 409, json_pack("{s:s}", "message", "not now"));
        return NULL;
}

/* ---- pages ---- */

static size_t page_bytes; /* of each */
static atomic_uint n_pages_made;

static const char *page_type(const PlCtlRequest *q) {
        return q->accept && strstr(q->accept, "other") ? "text/other" : "text/plain";
}

static char *get_page(void *userdata, const char *type, size_t *ret_size) {
        char *text = NULL;
        int n = asprintf(&text, "%s, page %u%*s\n", type, ++n_pages_made, (int)page_bytes, "");

        *ret_size = n < 0 ? 0 : (size_t)n;
        return n < 0 ? NULL : text;
}

static inline void reply_to_all(unsigned code) {
        for (unsigned i = 0; i < 16; i++)
                if (deferred[i]) {
                        pl_ctl_reply(deferred[i], code,
                                     code == 500 ? NULL : json_pack("{s:s}", "came", "later"));
                        deferred[i] = NULL;
                }
}

/* The number written is the status. */
static int on_later(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        eventfd_t code;

        if (eventfd_read(fd, &code) == 0)
                reply_to_all((unsigned)code);
        return 0;
}

static const PlCtlEndpoint endpoints[] = {
        { "GET", "/v1/status", get_status, PL_CTL_CONNECTED },
        { "GET", "/v1/containers/*", get_container, PL_CTL_CONNECTED },
        { "GET", "/v1/findings", get_findings, PL_CTL_CONNECTED },
        { "GET", "/v1/events", NULL, PL_CTL_CONNECTED },
        { "POST", "/v1/reload", post_reload, PL_CTL_CONNECTED },
        { "POST", "/v1/containers/*/rotate", post_rotate, PL_CTL_CONNECTED },
        { "GET", "/v1/two", get_status, PL_CTL_CONNECTED },
        { "POST", "/v1/two", post_rotate, PL_CTL_CONNECTED },
        { "GET", "/v1/root", get_status, PL_CTL_ROOT },
        { "POST", "/v1/later", post_later, PL_CTL_CONNECTED },
        { "POST", "/v1/soon", post_soon, PL_CTL_CONNECTED },
        { "GET", "/page", NULL, PL_CTL_CONNECTED, page_type, get_page },
        {},
};

/* Most events come from the daemon's own work, not from within a request. */
static int on_publish(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        eventfd_t n;

        if (eventfd_read(fd, &n) == 0)
                publish_line();
        return 0;
}

static int on_stop(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

static inline void *serve(void *userdata) {
        sd_event *event = NULL;

        ck_assert_int_ge(sd_event_new(&event), 0);
        int fd = pl_ctl_server_listen(path);
        ck_assert_msg(fd >= 0, "listen: %s", strerror(-fd));
        ck_assert_int_eq(pl_ctl_server_new(event, fd, endpoints, NULL, &server), 0);
        pl_ctl_server_set_timeout(server, PL_USEC_PER_HOUR);
        ck_assert_int_ge(sd_event_add_io(event, NULL, stop_fd, 1, on_stop, NULL), 0);
        ck_assert_int_ge(sd_event_add_io(event, NULL, publish_fd, 1, on_publish, NULL), 0);
        ck_assert_int_ge(sd_event_add_io(event, NULL, later_fd, 1, on_later, NULL), 0);
        (void)eventfd_write(*(int *)userdata, 1);

        while (sd_event_get_state(event) != SD_EVENT_FINISHED) {
                ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
                iterations++;
        }
        server = pl_ctl_server_free(server);
        reply_to_all(200); /* to nobody */
        sd_event_unref(event);
        return NULL;
}

static inline void setup(void) {
        ck_assert_ptr_nonnull(mkdtemp(dir));
        (void)snprintf(path, sizeof path, "%s/run/control.sock", dir);
        stop_fd = eventfd(0, EFD_CLOEXEC);
        publish_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        later_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        int ready = eventfd(0, EFD_CLOEXEC);
        ck_assert_int_eq(pthread_create(&thread, NULL, serve, &ready), 0);
        eventfd_t one;
        ck_assert_int_eq(eventfd_read(ready, &one), 0);
        (void)close(ready);
        ck_assert_int_eq(curl_global_init(CURL_GLOBAL_DEFAULT), CURLE_OK);
}

static inline void stop_server(void) {
        if (stop_fd < 0)
                return;
        (void)eventfd_write(stop_fd, 1);
        (void)pthread_join(thread, NULL);
        (void)close(stop_fd);
        (void)close(publish_fd);
        (void)close(later_fd);
        stop_fd = publish_fd = later_fd = -EBADF;
}

static inline void teardown(void) {
        stop_server();
        (void)unlink(path);
        *strrchr(path, '/') = '\0';
        (void)rmdir(path);
        (void)rmdir(dir);
        curl_global_cleanup();
}

/* ---- clients ---- */

static inline void pause_msec(unsigned msec) {
        struct timespec t = { msec / 1000, (long)(msec % 1000) * 1000000 };

        (void)nanosleep(&t, NULL);
}

typedef struct Answer {
        long code;
        char text[KIB(8)];
        size_t size;
        char allow[64];
} Answer;

static size_t take_body(char *data, size_t one, size_t n, void *userdata) {
        Answer *a = userdata;
        size_t room = PL_MIN(n, sizeof a->text - 1 - a->size);

        memcpy(a->text + a->size, data, room);
        a->size += room;
        a->text[a->size] = '\0';
        return n;
}

static size_t take_header(char *data, size_t one, size_t n, void *userdata) {
        Answer *a = userdata;

        if (n > 7 && strncasecmp(data, "Allow: ", 7) == 0)
                (void)snprintf(a->allow, sizeof a->allow, "%.*s", (int)n - 9, data + 7);
        return n;
}

typedef struct Upload {
        size_t left;
} Upload;

static size_t give_body(char *data, size_t one, size_t n, void *userdata) {
        Upload *u = userdata;
        size_t size = PL_MIN(n, u->left);

        memset(data, 'x', size);
        u->left -= size;
        return size;
}

/* chunked: that many bytes with chunked transfer instead of body. Return: transport succeeded. */
static inline CURLcode http(const char *method, const char *target, const char *body,
                            size_t chunked, Answer *a) {
        CURL *curl = curl_easy_init();
        Upload upload = { chunked };
        char url[1024];

        *a = (Answer){};
        (void)snprintf(url, sizeof url, "http://plimsoll%s", target);
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, path);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)LONG_MSEC);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
        curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
        curl_easy_setopt(curl, CURLOPT_HEADERDATA, a);
        if (chunked) {
                curl_easy_setopt(curl, CURLOPT_POST, 1L);
                curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
                curl_easy_setopt(curl, CURLOPT_READDATA, &upload);
        } else if (body)
                curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        else if (pl_streq(method, "HEAD"))
                curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
        struct curl_slist *headers =
                        chunked ? curl_slist_append(NULL, "Transfer-Encoding: chunked") : NULL;
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
        CURLcode code = curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a->code);
        curl_slist_free_all(headers);
        curl_easy_cleanup(curl);
        return code;
}

static inline void assert_serves(const char *when) {
        Answer a;
        CURLcode c = CURLE_COULDNT_CONNECT;

        /* connect() to a full backlog is EAGAIN at once, which curl gives up on; and a short
         * deadline may be over before a slow machine has asked */
        for (int i = 0; i < LONG_MSEC / 50 && c != CURLE_OK; i++) {
                if (i > 0)
                        pause_msec(50);
                c = http("GET", "/v1/status", NULL, 0, &a);
        }
        ck_assert_msg(c == CURLE_OK && a.code == 200, "%s: %s, HTTP %ld", when,
                      curl_easy_strerror(c), a.code);
}

static inline int dial(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        strcpy(address.sun_path, path);
        ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
        return fd;
}

static inline int send_text(int fd, const char *s) {
        return send(fd, s, strlen(s), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Reads until the far end closes, for at most msec. Return: bytes, or -ETIME. */
static inline ssize_t drain(int fd, int msec, char *ret, size_t max) {
        size_t total = 0;
        char buf[KIB(16)];

        for (;;) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                if (poll(&p, 1, msec) == 0)
                        return -ETIME;
                ssize_t n = recv(fd, buf, sizeof buf, 0);
                if (n <= 0)
                        break;
                if (ret && total + (size_t)n < max)
                        memcpy(ret + total, buf, (size_t)n), ret[total + (size_t)n] = '\0';
                total += (size_t)n;
        }
        return (ssize_t)total;
}
