/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine has rotated away, as one stretch: plain and packed, in order, while it goes on
 * rotating, and with damage in it.
 */
#include <errno.h>
#include <fcntl.h>

#include "ctl/native.h"
#include "tmp.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char path[256];
static PlLogFile file;
static PlLogNatives natives;

static void setup(void) {
        tmp_make("/var/tmp");
        snprintf(path, sizeof(path), "%s/" ID, tmp);
        ck_assert_int_eq(mkdir(path, 0710), 0);
        strcat(path, "/" ID "-json.log");
        file = (PlLogFile)PL_LOG_FILE_INIT;
        natives = (PlLogNatives){ 0 };
}

static void teardown(void) {
        pl_log_natives_deinit(&natives);
        pl_log_file_close(&file);
        tmp_remove();
}

static const char *name(const char *suffix) {
        static char buf[300];

        snprintf(buf, sizeof(buf), "%s%s", path, suffix);
        return buf;
}

static void put(const char *suffix, const char *text) {
        FILE *f = fopen(name(suffix), "we");

        ck_assert_ptr_nonnull(f);
        ck_assert_int_ge(fputs(text, f), 0);
        ck_assert_int_eq(fclose(f), 0);
}

/* @suffix: without ".gz" */
static void pack(const char *suffix, const char *text) {
        char command[320];

        put(suffix, text);
        snprintf(command, sizeof(command), "gzip %s", name(suffix));
        ck_assert_int_eq(system(command), 0);
}

static void open_all(void) {
        ck_assert_int_eq(pl_log_file_open(path, ID, false, &file), 0);
        ck_assert_int_eq(pl_log_natives_open(&file, ID, &natives), 0);
}

static void assert_reads(const char *expected) {
        char text[256] = "";
        size_t n = 0;
        ssize_t got;

        while ((got = pl_log_natives_read(&natives, text + n, 7, n)) > 0)
                n += (size_t)got;
        ck_assert_int_eq(got, 0);
        ck_assert_str_eq(text, expected);
        ck_assert_uint_eq(natives.bytes, strlen(expected));
}

/* The engine's own sequence, with max-file=4. */
static void rotate(const char *text, bool packed) {
        const char *tail = packed ? ".gz" : "";
        char from[300], suffix[16];

        for (int i = 3; i > 1; i--) {
                snprintf(suffix, sizeof(suffix), ".%d%s", i - 1, tail);
                strcpy(from, name(suffix));
                snprintf(suffix, sizeof(suffix), ".%d%s", i, tail);
                (void)rename(from, name(suffix));
        }
        strcpy(from, name(""));
        ck_assert_int_eq(rename(from, name(".1")), 0);
        if (packed) {
                char command[320];

                snprintf(command, sizeof(command), "gzip %s", name(".1"));
                ck_assert_int_eq(system(command), 0);
        }
        put("", text);
}

START_TEST(none) {
        put("", "live\n");
        open_all();
        assert_reads("");
}
END_TEST

START_TEST(in_order) {
        put("", "live\n");
        put(".1", "{}\nthree\n"); /* filler of ours at its head */
        pack(".2", "two\n");
        put(".3", "one\n");
        open_all();
        assert_reads("one\ntwo\nthree\n");
        /* and again, when it has been unpacked, and whatever has become of the names */
        rotate("new\n", false);
        assert_reads("one\ntwo\nthree\n");
}
END_TEST

/* The newest one and its packed form stand side by side for a moment. */
START_TEST(plain_first) {
        put("", "live\n");
        put(".1", "one\n");
        put(".1.gz", "half of");
        open_all();
        assert_reads("one\n");
}
END_TEST

START_TEST(renaming) {
        char from[300];

        put("", "live\n");
        put(".2", "one\n"); /* .1 is on its way */
        ck_assert_int_eq(pl_log_file_open(path, ID, false, &file), 0);
        ck_assert_int_eq(pl_log_natives_open(&file, ID, &natives), -EAGAIN);
        strcpy(from, name(""));
        ck_assert_int_eq(rename(from, name(".1")), 0);
        put("", "new\n"); /* it is done, but what is open is not the live log any more */
        ck_assert_int_eq(pl_log_natives_open(&file, ID, &natives), -EAGAIN);
}
END_TEST

static const struct {
        const char *name;
        int times;
        bool packed;
        int result;
        const char *text;
} renewals[] = {
        { "once", 1, false, 0, "zero\nlive\n" },
        { "once, packed", 1, true, 0, "zero\nlive\n" },
        { "three times", 3, false, 0, "zero\nlive\nnew 0\nnew 1\n" },
        { "three times, packed", 3, true, 0, "zero\nlive\nnew 0\nnew 1\n" },
        { "too often", 5, false, 1, "zero\nlive\nnew 1\nnew 2\nnew 3\n" },
        { "too often, packed", 5, true, 1, "zero\nlive\nnew 1\nnew 2\nnew 3\n" },
};

START_TEST(renewed) {
        PlLogFile now = PL_LOG_FILE_INIT;
        int r;

        put("", "live\n");
        if (renewals[_i].packed)
                pack(".1", "zero\n");
        else
                put(".1", "zero\n");
        open_all();
        for (int i = 0; i < renewals[_i].times; i++) {
                char text[16];

                snprintf(text, sizeof(text), "new %d\n", i);
                rotate(text, renewals[_i].packed);
        }
        ck_assert_int_eq(pl_log_file_is_replaced(&file, ID), 1);
        ck_assert_int_eq(pl_log_file_open(path, ID, false, &now), 0);
        r = pl_log_natives_renew(&natives, &now, ID, file.fd, 0);
        ck_assert_msg(r == renewals[_i].result, "%s: %d", renewals[_i].name, r);
        file.fd = -EBADF;
        assert_reads(renewals[_i].text);
        pl_log_file_close(&now);
}
END_TEST

START_TEST(damaged) {
        char text[64];

        put("", "live\n");
        put(".1", "two\n");
        put(".2.gz", _i == 0 ? "" : "this is no gzip at all, however long it may be");
        open_all();
        ck_assert_int_eq(pl_log_natives_read(&natives, text, sizeof(text), 0), -EBADMSG);
        for (uint64_t at = 0; at < natives.bytes - 4 && at < 1 << 20;) { /* once is enough */
                ssize_t n = pl_log_natives_read(&natives, text, sizeof(text), at);

                ck_assert_int_gt(n, 0);
                for (ssize_t i = 0; i < n; i++)
                        ck_assert_int_eq(text[i], 0);
                at += (uint64_t)n;
        }
        ck_assert_int_eq(pl_log_natives_read(&natives, text, sizeof(text), natives.bytes - 4), 4);
        ck_assert_int_eq(memcmp(text, "two\n", 4), 0);
}
END_TEST

/* A link is no file of the engine's. */
START_TEST(odd) {
        put("", "live\n");
        ck_assert_int_eq(symlink("/etc/passwd", name(".1")), 0);
        ck_assert_int_eq(pl_log_file_open(path, ID, false, &file), 0);
        ck_assert_int_eq(pl_log_natives_open(&file, ID, &natives), -ELOOP);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("all");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, none);
        tcase_add_test(t, in_order);
        tcase_add_test(t, plain_first);
        tcase_add_test(t, renaming);
        tcase_add_loop_test(t, renewed, 0, (int)PL_ARRAY_SIZE(renewals));
        tcase_add_loop_test(t, damaged, 0, 2);
        tcase_add_test(t, odd);
        return run_case(t);
}
