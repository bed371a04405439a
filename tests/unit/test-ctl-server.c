/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requests and answers, and clients that mean harm.
 */

#include <sys/wait.h>

#include "ctl-fixture.h"

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
        { "reload, an object", "POST", "/v1/reload", "{\"a\":[7]}", 0, false, 200,
          "\"body\":{\"a\":[7]}", NULL },
        { "half a document", "POST", "/v1/reload", "{\"a\":", 0, false, 400, "JSON object", NULL },
        { "an array", "POST", "/v1/reload", "[1]", 0, false, 400, "JSON object", NULL },
        { "chunked, small", "POST", "/v1/reload", NULL, 10, false, 400, "JSON object", NULL },
        { "chunked, large", "POST", "/v1/reload", NULL, KIB(200), false, 413, "64 KiB", NULL },
        { "rotate", "POST", "/v1/containers/web/rotate", NULL, 0, false, 202, "started", NULL },
        { "rotate, unknown", "POST", "/v1/containers/db/rotate", "", 0, false, 404, "db", NULL },
        { "rotate, native", "POST", "/v1/containers/native/rotate", "", 0, false, 409,
          "the engine rotates it itself", NULL },
        { "no headers alone of a stream", "HEAD", "/v1/events", NULL, 0, false, 405, NULL, "GET" },
        { "page", "GET", "/page", NULL, 0, false, 200, "text/plain, page 1\n", NULL },
        { "page, headers alone", "HEAD", "/page", NULL, 0, false, 200, NULL, NULL },
        { "method for a page", "POST", "/page", "", 0, false, 405, "method", "GET, HEAD" },
        { "one address, two methods", "POST", "/v1/two", "", 0, false, 404, "no container", NULL },
        { "neither of two methods", "PUT", "/v1/two", "", 0, false, 405, "method",
          "GET, HEAD, POST" },
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

/* ---- who asks by which name ---- */

static bool only_x(void *userdata, const char *host) {
        return !host || pl_streq(host, "x");
}

static const struct {
        const char *request, *first;
} names[] = {
        { "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", " 200 " },
        { "GET /v1/status HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n", " 421 " },
        { "GET /v1/nowhere HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n", " 421 " },
        { "GET /v1/status HTTP/1.0\r\n\r\n", " 200 " },
};

START_TEST(test_names) {
        char answer[KIB(4)] = "";
        _cleanup_close_ int fd = dial();

        pl_ctl_server_set_guard(server, only_x);
        ck_assert_int_ge(write(fd, names[_i].request, strlen(names[_i].request)), 0);
        ck_assert_int_ge(recv(fd, answer, 20, MSG_WAITALL), 12);
        ck_assert_msg(strstr(answer, names[_i].first) != NULL, "%s: %s", names[_i].request, answer);
}
END_TEST

/* ---- pages ---- */

#define PAGE "GET /page HTTP/1.1\r\nHost: x\r\n"

static void ask_for(int fd, const char *request, const char *part) {
        char answer[KIB(4)] = "";
        size_t n = 0;
        ssize_t r;

        ck_assert_int_ge(write(fd, request, strlen(request)), 0);
        while (n < sizeof answer - 1 && !strstr(answer, part) &&
               (r = recv(fd, answer + n, sizeof answer - 1 - n, 0)) > 0)
                n += (size_t)r;
        ck_assert_msg(strstr(answer, part) != NULL, "no %s in %s", part, answer);
}

/* Whoever asks within a second shares one of each type. */
START_TEST(test_pages_are_shared) {
        for (int i = 0; i < 5; i++) {
                _cleanup_close_ int fd = dial();

                ask_for(fd, PAGE "\r\n", "text/plain, page ");
                ask_for(fd, PAGE "Accept: other\r\n\r\n", "text/other, page ");
        }
        /* a slow machine may need a second of them */
        ck_assert_uint_le(n_pages_made, 4);
}
END_TEST

/* Readers that do not read hold a few pages, and no more are made until they are cut off. */
START_TEST(test_pages_are_bounded) {
        int slow[8];

        page_bytes = MIB(8); /* more than any socket buffers */
        for (unsigned i = 0; i < PL_ARRAY_SIZE(slow); i++) {
                slow[i] = dial();
                ask_for(slow[i], PAGE "\r\n", i < 4 ? " 200 " : "others are still reading");
                ck_assert_uint_eq(n_pages_made, PL_MIN(i + 1, 4U));
                pause_msec(1100);
        }
        for (unsigned i = 0; i < PL_ARRAY_SIZE(slow); i++)
                (void)close(slow[i]);
        for (int i = 0; i < LONG_MSEC / 10 && n_pages_made == 4; i++) {
                _cleanup_close_ int fd = dial();

                ask_for(fd, PAGE "\r\n", "HTTP/1.1 ");
                pause_msec(10);
        }
        ck_assert_uint_eq(n_pages_made, 5);
}
END_TEST

/* ---- answers that come later ---- */

#define LATER "POST /v1/later HTTP/1.1\r\nHost: x\r\n\r\n"

static void wait_deferred(unsigned n) {
        for (int i = 0; i < LONG_MSEC / 10 && n_deferred < n; i++)
                pause_msec(10);
        ck_assert_uint_ge(n_deferred, n);
}

START_TEST(test_soon) {
        Answer a;

        ck_assert_int_eq(http("POST", "/v1/soon", "", 0, &a), CURLE_OK);
        ck_assert_int_eq(a.code, 409);
        ck_assert_str_eq(a.text, "{\"message\":\"not now\"}\n");
}
END_TEST

/* Others are answered meanwhile, and the connection goes on afterwards. */
START_TEST(test_later) {
        static const struct {
                unsigned code;
                const char *first, *part;
        } rows[] = { { 200, " 200 ", "{\"came\":\"later\"}" }, { 500, " 500 ", "out of memory" } };
        char answer[KIB(4)] = "";
        _cleanup_close_ int fd = dial();

        ck_assert_int_eq(send_text(fd, LATER), 0);
        wait_deferred(1);
        assert_serves("while an answer is due");
        (void)eventfd_write(later_fd, rows[_i].code);
        ck_assert_int_eq(send_text(fd, "GET /v1/status HTTP/1.1\r\nHost: x\r\n"
                                       "Connection: close\r\n\r\n"),
                         0);
        ck_assert_int_gt(drain(fd, LONG_MSEC, answer, sizeof answer), 0);
        ck_assert_msg(strstr(answer, rows[_i].first) && strstr(answer, rows[_i].part), "%s",
                      answer);
        ck_assert_msg(strstr(answer, "\"version\":\"test\""), "%s", answer);
}
END_TEST

/* The deadline of a request is not that of its answer; that of the next request is as ever. */
START_TEST(test_later_than_the_deadline) {
        char answer[KIB(4)] = "";
        _cleanup_close_ int fd = -EBADF;

        pl_ctl_server_set_timeout(server, DEADLINE_USEC);
        fd = dial();
        ck_assert_int_eq(send_text(fd, LATER), 0);
        wait_deferred(1);
        ck_assert_int_eq(drain(fd, 2 * (int)(DEADLINE_USEC / PL_USEC_PER_MSEC), NULL, 0), -ETIME);
        (void)eventfd_write(later_fd, 200);
        ck_assert_int_gt(drain(fd, LONG_MSEC, answer, sizeof answer), 0);
        ck_assert_msg(strstr(answer, "later"), "%s", answer);
}
END_TEST

START_TEST(test_later_for_nobody) {
        for (unsigned i = 0; i < 8; i++) {
                int fd = dial();

                ck_assert_int_eq(send_text(fd, LATER), 0);
                wait_deferred(i + 1);
                (void)close(fd);
        }
        (void)eventfd_write(later_fd, 200);
        assert_serves("after answers for nobody");
}
END_TEST

/* The server ends first: who waits is told, and who replies afterwards does no harm. */
START_TEST(test_later_than_the_end) {
        char answer[KIB(4)] = "";
        _cleanup_close_ int fd = dial();

        ck_assert_int_eq(send_text(fd, LATER), 0);
        wait_deferred(1);
        stop_server();
        ck_assert_int_gt(drain(fd, LONG_MSEC, answer, sizeof answer), 0);
        ck_assert_msg(strstr(answer, " 503 ") && strstr(answer, "plimsolld is ending"), "%s",
                      answer);
}
END_TEST

START_TEST(test_announced_size) {
        char answer[KIB(4)] = "";
        _cleanup_close_ int fd = dial();

        ck_assert_int_eq(send_text(fd, "POST /v1/reload HTTP/1.1\r\nHost: x\r\n"
                                       "Content-Length: 99999999999\r\n\r\n"),
                         0);
        ck_assert_int_gt(drain(fd, LONG_MSEC, answer, sizeof answer), 0);
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
        (void)drain(fd, LONG_MSEC, answer, sizeof answer);
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
        int fd;

        pl_ctl_server_set_timeout(server, DEADLINE_USEC); /* some of it may go on */
        fd = dial();
        (void)send_text(fd, garbage[_i]);
        (void)shutdown(fd, SHUT_WR);
        ck_assert_msg(drain(fd, LONG_MSEC, NULL, 0) >= 0, "row %d: not closed", _i);
        (void)close(fd);
        assert_serves("after garbage");
}
END_TEST

/* A byte now and then keeps a silence timeout alive for ever; the deadline it cannot stretch. */
START_TEST(test_slow_loris) {
        static const char request[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Slow: yes\r\n";
        _cleanup_close_ int fd = -EBADF;
        bool closed = false;

        pl_ctl_server_set_timeout(server, DEADLINE_USEC); /* before it is accepted */
        fd = dial();
        for (int i = 0; i < LONG_MSEC / 50 && !closed; i++) {
                char c = request[(size_t)i % (sizeof request - 1)];
                closed = send(fd, i < (int)sizeof request - 1 ? &c : "a", 1, MSG_NOSIGNAL) < 0;
                pause_msec(50);
        }
        ck_assert_msg(closed, "still open after a minute");
        assert_serves("after a slow client");
}
END_TEST

static const int crowds[] = { 100, 300 };

START_TEST(test_idle_crowd) {
        int fds[300];

        pl_ctl_server_set_timeout(server, DEADLINE_USEC);
        for (int i = 0; i < crowds[_i]; i++)
                fds[i] = dial();
        assert_serves("in a crowd"); /* above the limit: once the deadline has made room */
        for (int i = 0; i < crowds[_i]; i++) {
                ck_assert_msg(drain(fds[i], LONG_MSEC, NULL, 0) == 0, "client %d stays", i);
                (void)close(fds[i]);
        }
        assert_serves("after a crowd");
}
END_TEST

/* At its limit libmicrohttpd does not listen: whoever waits has the place of the next that goes,
 * and does not wait for somebody's deadline. */
START_TEST(test_full_house) {
        static const char request[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
        int fds[256], waiting;
        char head[13] = "";

        for (size_t i = 0; i < PL_ARRAY_SIZE(fds); i++) {
                fds[i] = dial();
                ck_assert_int_eq(send_text(fds[i], request), 0);
                ck_assert_int_eq(recv(fds[i], head, 12, MSG_WAITALL), 12); /* it is in */
        }
        waiting = dial();
        ck_assert_int_eq(send_text(waiting, request), 0);
        pause_msec(50);
        ck_assert_int_lt(recv(waiting, head, 12, MSG_DONTWAIT), 0);
        (void)close(fds[7]);
        ck_assert_int_eq(recv(waiting, head, 12, MSG_WAITALL), 12);
        ck_assert_str_eq(head, "HTTP/1.1 200");
        for (size_t i = 0; i < PL_ARRAY_SIZE(fds); i++)
                if (i != 7)
                        (void)close(fds[i]);
        (void)close(waiting);
}
END_TEST

/* ---- who may ask ---- */

static long ask_for_root(void) {
        Answer a;

        ck_assert_int_eq(http("GET", "/v1/root", NULL, 0, &a), CURLE_OK);
        return a.code;
}

START_TEST(test_root_alone) {
        char parent[64];

        if (geteuid() != 0) {
                ck_assert_int_eq(ask_for_root(), 403);
                SKIP_HERE("not root");
        }
        ck_assert_int_eq(ask_for_root(), 200);

        /* anybody may connect here, and is asked who it is */
        (void)snprintf(parent, sizeof parent, "%s/run", dir);
        ck_assert(chmod(dir, 0755) == 0 && chmod(parent, 0755) == 0 && chmod(path, 0666) == 0);
        ck_assert_int_eq(seteuid(65534), 0);
        ck_assert_int_eq(ask_for_root(), 403);
        assert_serves("somebody who is not root");
        ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* ---- fair shares ---- */

#define REQUEST_TEXT "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
#define STREAM_TEXT  "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"

/* Connect and ask. Return: the status that is answered; the connection stays. */
static int ask_and_stay(const char *request, int *ret_fd) {
        char head[13] = "";

        *ret_fd = dial();
        (void)send_text(*ret_fd, request); /* it may be answered before it has asked */
        ck_assert_int_eq(recv(*ret_fd, head, 12, MSG_WAITALL), 12);
        return atoi(head + 9);
}

static void become_a_stranger(void) {
        char parent[64];

        (void)snprintf(parent, sizeof parent, "%s/run", dir);
        ck_assert(chmod(dir, 0755) == 0 && chmod(parent, 0755) == 0 && chmod(path, 0666) == 0);
        ck_assert_int_eq(seteuid(65534), 0);
}

static const struct {
        const char *name, *request;
        int one; /* what one process may hold */
} shares[] = {
        { "connections", REQUEST_TEXT, 56 },
        { "event streams", STREAM_TEXT, 14 },
};

/* One process has a quarter; what it holds beyond that is answered, and closed. Root has its own.
 */
START_TEST(test_share_of_one) {
        int fds[64], fd, n = shares[_i].one;

        if (geteuid() != 0)
                SKIP_HERE("not root");
        become_a_stranger();
        for (int i = 0; i < n; i++)
                ck_assert_int_eq(ask_and_stay(shares[_i].request, &fds[i]), 200);
        ck_assert_int_eq(ask_and_stay(shares[_i].request, &fd), 503);
        (void)close(fd);
        ck_assert_int_eq(seteuid(0), 0);
        ck_assert_int_eq(ask_and_stay(shares[_i].request, &fd), 200);
        (void)close(fd);
        for (int i = 0; i < n; i++)
                (void)close(fds[i]);
        assert_serves("after a greedy one");
}
END_TEST

/* A process that holds its whole share, until its standard input ends. */
static pid_t hold_share(const char *request, int n, const int hold[static 2], int ready) {
        pid_t pid = fork();

        if (pid != 0)
                return pid;
        (void)close(hold[1]);
        for (int i = 0; i < n; i++) {
                char head[13] = "";
                int fd = dial();

                if (send_text(fd, request) < 0 || recv(fd, head, 12, MSG_WAITALL) != 12 ||
                    atoi(head + 9) != 200)
                        _exit(1);
        }
        if (write(ready, "", 1) != 1)
                _exit(1);
        (void)!read(hold[0], &n, 1);
        _exit(0);
}

/* However many processes strangers have, root comes in. */
START_TEST(test_share_of_all) {
        int hold[2], ready[2], fd, status;
        pid_t pids[4];
        char c;

        if (geteuid() != 0)
                SKIP_HERE("not root");
        ck_assert(pipe(hold) == 0 && pipe(ready) == 0);
        become_a_stranger();
        for (size_t i = 0; i < PL_ARRAY_SIZE(pids); i++) {
                pids[i] = hold_share(shares[_i].request, shares[_i].one, hold, ready[1]);
                ck_assert_int_eq(read(ready[0], &c, 1), 1);
        }
        ck_assert_int_eq(ask_and_stay(shares[_i].request, &fd), 503);
        (void)close(fd);
        ck_assert_int_eq(seteuid(0), 0);
        for (int i = 0; i < 4; i++) {
                ck_assert_int_eq(ask_and_stay(shares[_i].request, &fd), 200);
                (void)close(fd);
        }
        (void)close(hold[1]);
        for (size_t i = 0; i < PL_ARRAY_SIZE(pids); i++) {
                ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
                ck_assert_int_eq(status, 0);
        }
        for (size_t i = 0; i < 2; i++)
                (void)close(ready[i]);
        (void)close(hold[0]);
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
        TCase *cases = tcase_create("all");

        tcase_add_checked_fixture(cases, setup, teardown);
        tcase_set_timeout(cases, 300);
        tcase_add_loop_test(cases, test_requests, 0, PL_ARRAY_SIZE(requests));
        tcase_add_test(cases, test_soon);
        tcase_add_test(cases, test_pages_are_shared);
        tcase_add_test(cases, test_pages_are_bounded);
        tcase_add_loop_test(cases, test_names, 0, PL_ARRAY_SIZE(names));
        tcase_add_loop_test(cases, test_later, 0, 2);
        tcase_add_test(cases, test_later_than_the_deadline);
        tcase_add_test(cases, test_later_for_nobody);
        tcase_add_test(cases, test_later_than_the_end);
        tcase_add_test(cases, test_announced_size);
        tcase_add_test(cases, test_giant_header);
        tcase_add_loop_test(cases, test_garbage, 0, PL_ARRAY_SIZE(garbage));
        tcase_add_test(cases, test_slow_loris);
        tcase_add_loop_test(cases, test_idle_crowd, 0, PL_ARRAY_SIZE(crowds));
        tcase_add_test(cases, test_full_house);
        tcase_add_test(cases, test_root_alone);
        tcase_add_loop_test(cases, test_share_of_one, 0, (int)PL_ARRAY_SIZE(shares));
        tcase_add_loop_test(cases, test_share_of_all, 0, (int)PL_ARRAY_SIZE(shares));
        tcase_add_test(cases, test_listen);
        return run_case(cases);
}
