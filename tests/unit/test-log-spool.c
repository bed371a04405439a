/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's stream of a log, cut anywhere, becomes records. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "ctl/logs/spool.h"
#include "unit.h"

#define TIME "2026-01-02T03:04:05.000000006Z"
#define OUT(stream, text, attrs) \
        "{\"log\":\"" text "\",\"stream\":\"" stream "\"," attrs "\"time\":\"" TIME "\"}\n"

/* clang-format off */
static const struct {
        const char *name;
        bool tty, details;
        struct {
                char stream;
                const char *text;
        } in[3]; /* a message each, with its time in front */
        const char *out;
        int error;
} rows[] = {
        { "two streams", false, false, { { 1, " a\n" }, { 2, " b\"\\\x01\n" } },
          OUT("stdout", "a\\n", "") OUT("stderr", "b\\\"\\\\\\u0001\\n", "") },
        { "without a newline", false, false, { { 1, " a" } }, OUT("stdout", "a", "") },
        { "an empty line", false, false, { { 1, " \n" } }, OUT("stdout", "\\n", "") },
        { "no UTF-8", false, false, { { 1, " \xff\xfe\n" } }, OUT("stdout", "\xff\xfe\\n", "") },
        { "details", false, true, { { 1, " k=b+c%2Cd,l= a b\n" } },
          OUT("stdout", "a b\\n", "\"attrs\":{\"k\":\"b c,d\",\"l\":\"\"},") },
        { "no details", false, true, { { 1, "  a\n" } }, OUT("stdout", "a\\n", "") },
        { "a terminal", true, false, { { 1, " a\r\n" }, { 1, " b\n" } },
          OUT("stdout", "a\\u000d\\n", "") OUT("stdout", "b\\n", "") },
        { "no time", false, false, { { 1, "nonsense\n" } }, "", -EPROTO },
        { "no such stream", false, false, { { 7, " a\n" } }, "", -EPROTO },
};
/* clang-format on */

/* What the engine sends. */
static size_t make(int row, char *buf) {
        size_t n = 0;

        for (size_t i = 0; i < 3 && rows[row].in[i].text; i++) {
                size_t size = strlen(TIME) + strlen(rows[row].in[i].text);
                const char header[8] = { rows[row].in[i].stream, [7] = (char)size };

                if (!rows[row].tty) {
                        memcpy(buf + n, header, sizeof(header));
                        n += sizeof(header);
                }
                n += (size_t)sprintf(buf + n, "%s%s", TIME, rows[row].in[i].text);
        }
        return n;
}

START_TEST(fed) {
        char buf[1024], out[1024];
        size_t n = make(_i, buf);

        for (size_t piece = 1; piece <= n; piece++) {
                int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), r = 0;
                PlLogSpool *s = pl_log_spool_make(fd, rows[_i].tty, rows[_i].details);
                ssize_t got;

                for (size_t at = 0; at < n && r == 0; at += piece)
                        r = pl_log_spool_feed(s, buf + at, PL_MIN(piece, n - at));
                ck_assert_msg(r == rows[_i].error, "%s: %d", rows[_i].name, r);
                got = pread(fd, out, sizeof(out) - 1, 0);
                ck_assert_int_ge(got, 0);
                out[got] = '\0';
                ck_assert_msg(pl_streq(out, rows[_i].out), "%s: %s", rows[_i].name, out);
                pl_log_spool_free(s);
        }
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, fed, 0, PL_ARRAY_SIZE(rows));
        return run_case(c);
}
