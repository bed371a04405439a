/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The control server on a real socket, spoken to by libcurl and by clients that mean harm.
 *
 * The server has a loop of its own in a thread; the handlers below are its daemon. What a test
 * wants to happen on the loop it asks for by a request, as anybody would.
 */

#include <check.h>
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

#include "ctl-server.h"

#define TIMEOUT_USEC (500 * PL_USEC_PER_MSEC)
#define LINE_BYTES   KIB(64)

static char dir[] = "/tmp/plimsoll-test-XXXXXX", path[64];
static int stop_fd = -EBADF;
static pthread_t thread;
static PlCtlServer *server;
static atomic_uint iterations;
static atomic_uint sequence;

/* ---- the daemon's part ---- */

static json_t *handle_status(void *userdata) {
        return json_pack("{s:s}", "version", "test");
}

static json_t *handle_container(void *userdata, const char *name) {
        return pl_streq(name, "web") ? json_pack("{s:s}", "name", name) : NULL;
}

static json_t *handle_findings(void *userdata) {
        return NULL; /* out of memory */
}

/* A good reload publishes one long line. */
static atomic_bool policy_is_bad;

static int handle_reload(void *userdata, char **ret_message) {
        if (policy_is_bad) {
                *ret_message = strdup("a.conf:3: one\na.conf:7: two");
                return -EBADMSG;
        }
        _cleanup_free_ char *filler = malloc(LINE_BYTES);
        memset(filler, 'x', LINE_BYTES);
        filler[LINE_BYTES - 1] = '\0';
        json_t *line = json_pack("{s:i,s:s}", "n", (int)sequence++, "filler", filler);
        pl_ctl_server_publish(server, line);
        json_decref(line);
        return 0;
}

static int handle_rotate(void *userdata, const char *name, char **ret_message) {
        if (pl_streq(name, "web"))
                return 0;
        if (pl_streq(name, "native")) {
                *ret_message = strdup("the engine rotates it itself");
                return -EOPNOTSUPP;
        }
        return -ENOENT;
}

static const PlCtlHandlers handlers = {
        .status = handle_status,
        .container = handle_container,
        .findings = handle_findings,
        .reload = handle_reload,
        .rotate = handle_rotate,
};

static int on_stop(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

static void *serve(void *userdata) {
        sd_event *event = NULL;

        ck_assert_int_ge(sd_event_new(&event), 0);
        int fd = pl_ctl_server_listen(path);
        ck_assert_msg(fd >= 0, "listen: %s", strerror(-fd));
        ck_assert_int_eq(pl_ctl_server_new(event, fd, &handlers, NULL, &server), 0);
        pl_ctl_server_set_timeout(server, TIMEOUT_USEC);
        ck_assert_int_ge(sd_event_add_io(event, NULL, stop_fd, 1, on_stop, NULL), 0);
        (void)eventfd_write(*(int *)userdata, 1);

        while (sd_event_get_state(event) != SD_EVENT_FINISHED) {
                ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
                iterations++;
        }
        server = pl_ctl_server_free(server);
        sd_event_unref(event);
        return NULL;
}

static void setup(void) {
        ck_assert_ptr_nonnull(mkdtemp(dir));
        (void)snprintf(path, sizeof path, "%s/run/control.sock", dir);
        stop_fd = eventfd(0, EFD_CLOEXEC);
        int ready = eventfd(0, EFD_CLOEXEC);
        ck_assert_int_eq(pthread_create(&thread, NULL, serve, &ready), 0);
        eventfd_t one;
        ck_assert_int_eq(eventfd_read(ready, &one), 0);
        (void)close(ready);
        ck_assert_int_eq(curl_global_init(CURL_GLOBAL_DEFAULT), CURLE_OK);
}

static void stop_server(void) {
        if (stop_fd < 0)
                return;
        (void)eventfd_write(stop_fd, 1);
        (void)pthread_join(thread, NULL);
        (void)close(stop_fd);
        stop_fd = -EBADF;
}

static void teardown(void) {
        stop_server();
        (void)unlink(path);
        *strrchr(path, '/') = '\0';
        (void)rmdir(path);
        (void)rmdir(dir);
        curl_global_cleanup();
}

/* ---- clients ---- */

static void pause_msec(unsigned msec) {
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
static CURLcode http(const char *method, const char *target, const char *body, size_t chunked,
                     Answer *a) {
        CURL *curl = curl_easy_init();
        Upload upload = { chunked };
        char url[1024];

        *a = (Answer){};
        (void)snprintf(url, sizeof url, "http://plimsoll%s", target);
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, path);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10000L);
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

static void assert_serves(const char *when) {
        Answer a;
        CURLcode c = CURLE_COULDNT_CONNECT;

        /* connect() to a full backlog is EAGAIN at once, which curl gives up on */
        for (int i = 0; i < 50 && c == CURLE_COULDNT_CONNECT; i++) {
                if (i > 0)
                        pause_msec(50);
                c = http("GET", "/v1/status", NULL, 0, &a);
        }
        ck_assert_msg(c == CURLE_OK && a.code == 200, "%s: %s, HTTP %ld", when,
                      curl_easy_strerror(c), a.code);
}

static int dial(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        strcpy(address.sun_path, path);
        ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
        return fd;
}

static int send_text(int fd, const char *s) {
        return send(fd, s, strlen(s), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Reads until the far end closes, for at most msec. Return: bytes, or -ETIME. */
static ssize_t drain(int fd, int msec, char *ret, size_t max) {
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

/* ---- requests ---- */

static char long_name[400];

static const struct {
        const char *name, *method, *target, *body;
        size_t chunked;
        bool bad_policy;
        long code;
        const char *part, *allow;
} requests[] = {
        { "status", "GET", "/v1/status", NULL, 0, false, 200, "\"version\":\"test\"", NULL },
        { "status, headers alone", "HEAD", "/v1/status", NULL, 0, false, 200, NULL, NULL },
        { "status with a query", "GET", "/v1/status?x=%2f", NULL, 0, false, 200, "version", NULL },
        { "container", "GET", "/v1/containers/web", NULL, 0, false, 200, "\"web\"", NULL },
        { "container, encoded", "GET", "/v1/containers/%77eb", NULL, 0, false, 200, "\"web\"",
          NULL },
        { "container, unknown", "GET", "/v1/containers/db", NULL, 0, false, 404,
          "no container or service \\\"db\\\"", NULL },
        { "out of memory", "GET", "/v1/findings", NULL, 0, false, 500, "\"remedy\"", NULL },
        { "root", "GET", "/", NULL, 0, false, 404, "\"remedy\"", NULL },
        { "trailing slash", "GET", "/v1/status/", NULL, 0, false, 404, "no such address", NULL },
        { "prefix", "GET", "/v1/stat", NULL, 0, false, 404, "no such address", NULL },
        { "dots", "GET", "/v1/containers/../status", NULL, 0, false, 404, "no such address", NULL },
        { "dots alone", "GET", "/v1/containers/..", NULL, 0, false, 400, "not the name", NULL },
        { "dots encoded", "GET", "/v1/containers/%2e%2E", NULL, 0, false, 400, "not the name",
          NULL },
        { "slash encoded", "GET", "/v1/containers/..%2f..%2Fetc%2fpasswd", NULL, 0, false, 400,
          "not the name", NULL },
        { "rotate through a slash", "POST", "/v1/containers/web%2frotate", NULL, 0, false, 405,
          "\"remedy\"", "GET, HEAD" },
        { "NUL", "GET", "/v1/containers/web%00", NULL, 0, false, 400, "not the name", NULL },
        { "newline", "GET", "/v1/containers/web%0a", NULL, 0, false, 400, "not the name", NULL },
        { "half an escape", "GET", "/v1/containers/web%2", NULL, 0, false, 400, "not the name",
          NULL },
        { "no escape", "GET", "/v1/containers/web%zz", NULL, 0, false, 400, "not the name", NULL },
        { "empty name", "GET", "/v1/containers/", NULL, 0, false, 400, "not the name", NULL },
        { "long name", "GET", long_name, NULL, 0, false, 400, "not the name", NULL },
        { "method for status", "POST", "/v1/status", "{}", 0, false, 405, "method", "GET, HEAD" },
        { "method for reload", "GET", "/v1/reload", NULL, 0, false, 405, "method", "POST" },
        { "method unknown", "BREW", "/v1/reload", NULL, 0, false, 405, "method", "POST" },
        { "reload", "POST", "/v1/reload", NULL, 0, false, 200, "\"reloaded\":true", NULL },
        { "reload, empty object", "POST", "/v1/reload", "{}", 0, false, 200, "reloaded", NULL },
        { "reload, bad policy", "POST", "/v1/reload", "", 0, true, 422,
          "\"errors\":[\"a.conf:3: one\",\"a.conf:7: two\"]", NULL },
        { "half a document", "POST", "/v1/reload", "{\"a\":", 0, false, 400, "JSON object", NULL },
        { "an array", "POST", "/v1/reload", "[1]", 0, false, 400, "JSON object", NULL },
        { "chunked, small", "POST", "/v1/reload", NULL, 10, false, 400, "JSON object", NULL },
        { "chunked, large", "POST", "/v1/reload", NULL, KIB(200), false, 413, "64 KiB", NULL },
        { "rotate", "POST", "/v1/containers/web/rotate", NULL, 0, false, 202, "started", NULL },
        { "rotate, unknown", "POST", "/v1/containers/db/rotate", "", 0, false, 404, "db", NULL },
        { "rotate, native", "POST", "/v1/containers/native/rotate", "", 0, false, 409,
          "the engine rotates it itself", NULL },
};

START_TEST(test_requests) {
        Answer a;

        memset(long_name, 'x', sizeof long_name - 1);
        memcpy(long_name, "/v1/containers/", 15);
        policy_is_bad = requests[_i].bad_policy;
        CURLcode c = http(requests[_i].method, requests[_i].target, requests[_i].body,
                          requests[_i].chunked, &a);
        ck_assert_msg(c == CURLE_OK, "%s: %s", requests[_i].name, curl_easy_strerror(c));
        ck_assert_msg(a.code == requests[_i].code, "%s: HTTP %ld instead of %ld: %s",
                      requests[_i].name, a.code, requests[_i].code, a.text);
        if (requests[_i].part)
                ck_assert_msg(strstr(a.text, requests[_i].part) != NULL, "%s: %s",
                              requests[_i].name, a.text);
        if (requests[_i].allow)
                ck_assert_str_eq(a.allow, requests[_i].allow);
        if (a.size > 0)
                ck_assert_int_eq(a.text[a.size - 1], '\n');
}
END_TEST

START_TEST(test_announced_size) {
        char answer[KIB(4)] = "";
        _cleanup_close_ int fd = dial();

        ck_assert_int_eq(send_text(fd, "POST /v1/reload HTTP/1.1\r\nHost: x\r\n"
                                       "Content-Length: 99999999999\r\n\r\n"),
                         0);
        ck_assert_int_gt(drain(fd, 5000, answer, sizeof answer), 0);
        ck_assert_msg(strstr(answer, " 413 ") != NULL, "%s", answer);
}
END_TEST

/* ---- clients that mean harm ---- */

START_TEST(test_giant_header) {
        char answer[KIB(4)] = "";
        _cleanup_close_ int fd = dial();
        char filler[1025];

        memset(filler, 'y', sizeof filler - 1);
        filler[sizeof filler - 1] = '\0';
        ck_assert_int_eq(send_text(fd, "GET /v1/status HTTP/1.1\r\nX-Filler: "), 0);
        for (int i = 0; i < 1024 && send_text(fd, filler) == 0; i++)
                ;
        (void)drain(fd, 5000, answer, sizeof answer);
        ck_assert_msg(strstr(answer, " 200 ") == NULL, "%s", answer);
        assert_serves("after a giant header");
}
END_TEST

#define CHUNKED "POST /v1/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

static const char *const garbage[] = {
        "\r\n\r\n\r\n\r\n",
        "\026\003\001\002 TLS hello\r\n\r\n",
        "GET\r\n\r\n",
        "GET /v1/status HTTP/9.9\r\n\r\n",
        "GET /v1/status HTTP/1.1\r\nContent-Length: -5\r\nHost: x\r\n\r\n",
        (CHUNKED "zzzz\r\nfoo"),
        (CHUNKED "ffffffffffffffff\r\n"),
        "GET http://[::1 HTTP/1.1\r\nHost: \001\002\r\n\r\n",
};

START_TEST(test_garbage) {
        _cleanup_close_ int fd = dial();

        ck_assert_int_eq(send_text(fd, garbage[_i]), 0);
        (void)shutdown(fd, SHUT_WR);
        ck_assert_msg(drain(fd, 5000, NULL, 0) >= 0, "row %d: not closed", _i);
        assert_serves("after garbage");
}
END_TEST

/* A byte now and then keeps a silence timeout alive for ever; the deadline it cannot stretch. */
START_TEST(test_slow_loris) {
        static const char request[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Slow: yes\r\n";
        _cleanup_close_ int fd = dial();
        bool closed = false;

        for (int i = 0; i < 200 && !closed; i++) {
                char c = request[(size_t)i % (sizeof request - 1)];
                closed = send(fd, i < (int)sizeof request - 1 ? &c : "a", 1, MSG_NOSIGNAL) < 0;
                pause_msec(50);
        }
        ck_assert_msg(closed, "still open after 10 s");
        assert_serves("after a slow client");
}
END_TEST

static const int crowds[] = { 100, 300 };

START_TEST(test_idle_crowd) {
        int fds[300];

        for (int i = 0; i < crowds[_i]; i++)
                fds[i] = dial();
        assert_serves("in a crowd"); /* above the limit: once the deadline has made room */
        for (int i = 0; i < crowds[_i]; i++) {
                ck_assert_msg(drain(fds[i], 5000, NULL, 0) == 0, "client %d stays", i);
                (void)close(fds[i]);
        }
        assert_serves("after a crowd");
}
END_TEST

/* ---- streams ---- */

static int open_stream(void) {
        char head[KIB(2)];
        int fd = dial();
        size_t n = 0;

        ck_assert_int_eq(send_text(fd, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
        while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) {
                ck_assert_uint_lt(n, sizeof head - 1);
                ck_assert_int_eq(recv(fd, head + n++, 1, 0), 1);
        }
        head[n] = '\0';
        ck_assert_msg(strstr(head, " 200 ") != NULL, "%s", head);
        return fd;
}

static void publish(int n) {
        Answer a;

        for (int i = 0; i < n; i++)
                ck_assert_int_eq(http("POST", "/v1/reload", NULL, 0, &a), CURLE_OK);
}

/* One stream as a client sees it: chunks undone. */
typedef struct Reader {
        FILE *f;
        size_t left; /* of the chunk at hand */
} Reader;

static int next_byte(Reader *r) {
        if (r->left == 0) {
                char head[32];

                do
                        if (!fgets(head, sizeof head, r->f))
                                return -2; /* torn off */
                while (pl_streq(head, "\r\n"));
                r->left = strtoul(head, NULL, 16);
                if (r->left == 0)
                        return EOF;
        }
        r->left--;
        return getc(r->f);
}

/* Reads n lines, which must carry the numbers from first on. */
static void expect_lines(Reader *r, int first, int n) {
        static const char start[] = "{\"n\":";

        for (int i = 0; i < n; i++) {
                char head[16];
                size_t size = 0;
                int c;

                while ((c = next_byte(r)) != '\n' && c >= 0)
                        if (size < sizeof head - 1)
                                head[size++] = (char)c;
                ck_assert_msg(c >= 0, "line %d: torn off", first + i);
                head[size] = '\0';
                ck_assert_msg(pl_startswith(head, start), "%s", head);
                ck_assert_int_eq(atoi(head + strlen(start)), first + i);
        }
}

START_TEST(test_stream) {
        _cleanup_fclose_ FILE *fa = fdopen(open_stream(), "r"), *fb = fdopen(open_stream(), "r");
        Reader a = { fa }, b = { fb };

        pause_msec(2 * TIMEOUT_USEC / 1000); /* quiet streams outlive the deadline of requests */
        for (int i = 0; i < 40; i++) {
                publish(1);
                expect_lines(&a, i, 1);
                expect_lines(&b, i, 1);
        }
        stop_server(); /* ends streams in good order: with the last chunk */
        ck_assert_int_eq(next_byte(&a), EOF);
        ck_assert_int_eq(next_byte(&b), EOF);
}
END_TEST

START_TEST(test_stream_unread) {
        int lazy = open_stream();
        _cleanup_fclose_ FILE *f = fdopen(open_stream(), "r");
        Reader good = { f };

        for (int i = 0; i < 64; i++) { /* 4 MiB */
                publish(1);
                expect_lines(&good, i, 1);
        }
        ssize_t n = drain(lazy, 5000, NULL, 0);
        ck_assert_msg(n >= 0 && n < (ssize_t)MIB(4), "the unread stream gave %zd bytes", n);
        (void)close(lazy);
}
END_TEST

START_TEST(test_stream_limit) {
        int fds[64];
        Answer a;

        for (size_t i = 0; i < PL_ARRAY_SIZE(fds); i++)
                fds[i] = open_stream();
        ck_assert_int_eq(http("GET", "/v1/events", NULL, 0, &a), CURLE_OK);
        ck_assert_int_eq(a.code, 503);

        /* gone in a quiet hour: nothing is published that would show it */
        for (size_t i = 0; i < PL_ARRAY_SIZE(fds); i++)
                (void)close(fds[i]);
        for (int tries = 0; tries < 100; tries++) {
                _cleanup_close_ int fd = dial();
                char head[13] = "";
                ck_assert_int_eq(send_text(fd, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
                ck_assert_int_eq(recv(fd, head, 12, MSG_WAITALL), 12);
                if (pl_streq(head, "HTTP/1.1 200"))
                        return;
                pause_msec(50);
        }
        ck_abort_msg("places of clients that went away are not free again");
}
END_TEST

START_TEST(test_idle_is_idle) {
        int fd = open_stream();

        assert_serves("before the silence");
        pause_msec(3 * TIMEOUT_USEC / 1000);
        unsigned before = iterations;
        pause_msec(700);
        ck_assert_uint_eq(iterations, before);
        (void)close(fd);
}
END_TEST

/* ---- the socket ---- */

START_TEST(test_listen) {
        char other[96];
        struct stat st;

        ck_assert_int_eq(pl_ctl_server_listen(path), -EADDRINUSE);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_int_eq(st.st_mode & 07777, 0660);
        assert_serves("after a second daemon tried");

        (void)snprintf(other, sizeof other, "%s/run/other.sock", dir);
        int fd = pl_ctl_server_listen(other);
        ck_assert_int_ge(fd, 0);
        (void)close(fd); /* leaves a stale socket behind, as a crash does */
        fd = pl_ctl_server_listen(other);
        ck_assert_msg(fd >= 0, "stale: %s", strerror(-fd));
        (void)close(fd);
        (void)unlink(other);

        _cleanup_fclose_ FILE *f = fopen(other, "w");
        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(pl_ctl_server_listen(other), -EEXIST);
        (void)unlink(other);

        char too_long[200];
        memset(too_long, 'x', sizeof too_long - 1);
        too_long[sizeof too_long - 1] = '\0';
        ck_assert_int_eq(pl_ctl_server_listen(too_long), -ENAMETOOLONG);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("ctl-server");
        TCase *cases = tcase_create("all");

        tcase_add_checked_fixture(cases, setup, teardown);
        tcase_set_timeout(cases, 60);
        tcase_add_loop_test(cases, test_requests, 0, (int)PL_ARRAY_SIZE(requests));
        tcase_add_test(cases, test_announced_size);
        tcase_add_test(cases, test_giant_header);
        tcase_add_loop_test(cases, test_garbage, 0, (int)PL_ARRAY_SIZE(garbage));
        tcase_add_test(cases, test_slow_loris);
        tcase_add_loop_test(cases, test_idle_crowd, 0, (int)PL_ARRAY_SIZE(crowds));
        tcase_add_test(cases, test_stream);
        tcase_add_test(cases, test_stream_unread);
        tcase_add_test(cases, test_stream_limit);
        tcase_add_test(cases, test_idle_is_idle);
        tcase_add_test(cases, test_listen);
        suite_add_tcase(suite, cases);

        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
