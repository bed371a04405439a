/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Event streams: order, slow readers, readers that go away, and a loop that sleeps meanwhile.
 */

#include "ctl-fixture.h"

/* Return: the stream behind its header, or -1: it was cut off before. */
static int try_stream(void) {
        char head[KIB(2)];
        int fd = dial();
        size_t n = 0;

        (void)send_text(fd, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n");
        while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) {
                ck_assert_uint_lt(n, sizeof head - 1);
                if (recv(fd, head + n++, 1, 0) != 1) {
                        (void)close(fd);
                        return -1;
                }
        }
        head[n] = '\0';
        ck_assert_msg(strstr(head, " 200 ") != NULL, "%s", head);
        return fd;
}

static int open_stream(void) {
        int fd = try_stream();

        ck_assert_int_ge(fd, 0);
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

/* A stream whose request had a short deadline. */
static int open_short_stream(void) {
        int fd;

        pl_ctl_server_set_timeout(server, DEADLINE_USEC);
        while ((fd = try_stream()) < 0)
                ; /* a slow machine was later than the deadline */
        return fd;
}

START_TEST(test_stream) {
        _cleanup_fclose_ FILE *fa = fdopen(open_short_stream(), "r"),
                              *fb = fdopen(open_short_stream(), "r");
        Reader a = { fa }, b = { fb };

        pause_msec(2 * DEADLINE_USEC / 1000); /* quiet streams outlive the deadline of requests */
        pl_ctl_server_set_timeout(server, PL_USEC_PER_HOUR);
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

START_TEST(test_stream_from_outside) {
        _cleanup_fclose_ FILE *f = fdopen(open_stream(), "r");
        Reader r = { f };

        for (int i = 0; i < 40; i++) {
                (void)eventfd_write(publish_fd, 1);
                expect_lines(&r, i, 1);
        }
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
        ssize_t n = drain(lazy, LONG_MSEC, NULL, 0);
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
        for (int tries = 0; tries < LONG_MSEC / 50; tries++) {
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
        unsigned before;

        assert_serves("before the silence");
        pause_msec(3 * DEADLINE_USEC / 1000);
        for (int tries = 0; tries < LONG_MSEC / 700; tries++) {
                before = iterations;
                pause_msec(700);
                if (iterations == before) {
                        (void)close(fd);
                        return;
                }
        }
        ck_abort_msg("the loop is never idle");
}
END_TEST

int main(void) {
        TCase *cases = tcase_create("all");

        tcase_add_checked_fixture(cases, setup, teardown);
        tcase_set_timeout(cases, 300);
        tcase_add_test(cases, test_stream);
        tcase_add_test(cases, test_stream_from_outside);
        tcase_add_test(cases, test_stream_unread);
        tcase_add_test(cases, test_stream_limit);
        tcase_add_test(cases, test_idle_is_idle);
        return run_case(cases);
}
