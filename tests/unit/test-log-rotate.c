/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One rotation on real files: what goes into the archive, what stays, what is refused. Crashes and
 * writers are the rotate harness's business.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <zstd.h>

#include "log-file.h"
#include "log-probe.h"
#include "log-rotate.h"
#include "pl-jsonlog.h"
#include "pl-seek-table.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char dir[64], log_path[512], store_path[128];
static PlLogStore *store;
static PlRotateProbe probe;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static void setup(void) {
        int fd;

        strcpy(dir, "/var/tmp/plimsoll-test-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        snprintf(log_path, sizeof(log_path), "%s/" ID, dir);
        ck_assert_int_eq(mkdir(log_path, 0710), 0);
        fd = open(log_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_eq(pl_log_probe(fd, &probe), 0);
        (void)close(fd);
        strcat(log_path, "/" ID "-json.log");
        snprintf(store_path, sizeof(store_path), "%s/archive", dir);
        ck_assert_int_eq(pl_log_store_open(store_path, true, (gid_t)-1, &store), 0);
}

static void teardown(void) {
        store = pl_log_store_free(store);
        (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void append(unsigned from, unsigned to) {
        FILE *f = fopen(log_path, "ae");

        ck_assert_ptr_nonnull(f);
        for (unsigned i = from; i < to; i++)
                fprintf(f,
                        "{\"log\":\"line "
                        "%u\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:%02u:"
                        "%02u.%uZ\"}\n",
                        i, i / 6000 % 60, i / 100 % 60, i % 100 + 1);
        ck_assert_int_eq(fclose(f), 0);
}

static PlRotateRequest request(unsigned engine, bool running) {
        return (PlRotateRequest){
                .id = ID,
                .name = (char *)"web",
                .path = log_path,
                .driver = (char *)"json-file",
                .service = (char *)"front",
                .facts = { .engine_major = engine, .has_path = true, .running = running },
                .max_size_bytes = KIB(64),
                .budget_bytes = PL_UNLIMITED,
        };
}

static int rotate(const PlRotateRequest *req, PlRotateOutcome *ret) {
        PlRotateContext ctx = { .store = store,
                                .archiver = pl_archiver_new(1),
                                .now_sec = 1767400000 };
        int r = pl_log_rotate(&ctx, req, ret);

        pl_archiver_free(ctx.archiver);
        return r;
}

/* All lines, archives first: "line N" must follow each other from 0. Return: how many. */
static unsigned read_back(void) {
        PlStoredArchive *archives;
        PlRotateState s;
        size_t n, all = 0, size;
        char *text = malloc(MIB(64)), *p, *nl;
        unsigned next = 0;
        int fd;
        ssize_t got;

        ck_assert_int_eq(pl_log_store_list(store, ID, &archives, &n), 0);
        for (size_t i = 0; i < n; i++) {
                char *packed = malloc(archives[i].size);
                struct stat st;

                ck_assert_uint_eq(archives[i].name.gen, i + 1);
                fd = pl_log_store_open_archive(store, &archives[i]);
                ck_assert_int_eq(fstat(fd, &st), 0);
                ck_assert_uint_eq(st.st_mode & 07777, 0640);
                ck_assert_int_eq(read(fd, packed, archives[i].size), (ssize_t)archives[i].size);
                (void)close(fd);
                size = ZSTD_decompress(text + all, MIB(64) - all, packed, archives[i].size);
                ck_assert_msg(!ZSTD_isError(size), "%s", ZSTD_getErrorName(size));
                all += size;
                free(packed);
        }
        free(archives);
        ck_assert_int_eq(pl_log_store_load(store, ID, &s), 0);
        fd = open(log_path, O_RDONLY | O_CLOEXEC);
        got = pread(fd, text + all, MIB(64) - all, (off_t)s.head);
        ck_assert_int_ge(got, 0);
        (void)close(fd);
        pl_rotate_state_deinit(&s);
        all += (size_t)got;
        for (p = text; (nl = memchr(p, '\n', (size_t)(text + all - p))); p = nl + 1) {
                PlJsonlogRecord r;

                ck_assert_int_eq(pl_jsonlog_parse(p, (size_t)(nl - p), &r), PL_JSONLOG_RECORD);
                ck_assert_uint_eq(strtoul(r.log + 5, NULL, 10), next);
                next++;
        }
        ck_assert_ptr_eq(p, text + all);
        free(text);
        return next;
}

/* clang-format off */
static const struct {
        const char *name;
        unsigned engine;
        bool running;
        PlLogMethod wanted;
} ways[] = {
        { "collapse under a live writer below 23", 20, true, PL_LOG_METHOD_COLLAPSE },
        { "punch", 26, true, PL_LOG_METHOD_PUNCH },
        { "stopped", 26, false, PL_LOG_METHOD_AUTO },
        { "reflink", 26, true, PL_LOG_METHOD_REFLINK },
};
/* clang-format on */

static bool able(size_t i) {
        PlRotateRequest req = request(ways[i].engine, ways[i].running);

        req.facts.driver = "json-file";
        req.facts.wanted = ways[i].wanted;
        req.facts.probe = &probe;
        return pl_rotate_choose(&req.facts).method != PL_LOG_METHOD_OFF;
}

START_TEST(nothing_lost) {
        PlRotateRequest req = request(ways[_i].engine, ways[_i].running);
        PlRotateOutcome o;
        unsigned n = 0;

        req.facts.wanted = ways[_i].wanted;
        if (!able((size_t)_i))
                return; /* this file system cannot; the harness runs on one that can */
        for (unsigned round = 1; round <= 6; round++) {
                append(n, n + round * 400);
                n += round * 400;
                ck_assert_msg(rotate(&req, &o) == 0, "%s: %s: %s", ways[_i].name, o.step,
                              strerror(-o.error));
                ck_assert_uint_eq(read_back(), n);
                ck_assert_uint_lt(o.size_bytes - o.head_bytes, KIB(64));
        }
        ck_assert_uint_gt(o.archived_files, 3);
        if (!ways[_i].running)
                ck_assert_uint_lt(o.size_bytes, KIB(72)); /* short indeed */
}
END_TEST

START_TEST(not_due) {
        PlRotateRequest req = request(20, true);
        PlRotateOutcome o;

        append(0, 10);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.rotations, 0);
        req.force = true; /* too small for a block to be freed */
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.rotations, 0);
        append(10, 500);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.rotations, 1);
        ck_assert_uint_gt(o.lines, 300);
        ck_assert_uint_eq(read_back(), 500);
}
END_TEST

/* Somebody else shortens the log (truncate, copytruncate): what it holds now is all new. */
START_TEST(truncated) {
        PlRotateRequest req = request(26, true);
        PlRotateOutcome o;

        req.facts.wanted = PL_LOG_METHOD_PUNCH;
        append(0, 2000);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_gt(o.rotations, 0);
        ck_assert_int_eq(truncate(log_path, 0), 0);
        append(0, _i ? 3000 : 10); /* grown beyond its old head, or not */
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.rotations, _i ? 1 : 0);
        if (_i)
                ck_assert_uint_gt(o.raw_bytes, o.head_bytes / 2);
        else
                ck_assert_uint_eq(o.head_bytes, 0);
}
END_TEST

/* The record is gone, the log and its archives are not: our own markers tell where to go on. */
START_TEST(state_lost) {
        PlRotateRequest req = request(_i == 0 ? 20 : 26, true);
        PlRotateOutcome o;
        char path[512];

        req.facts.wanted = _i == 0 ? PL_LOG_METHOD_COLLAPSE : PL_LOG_METHOD_PUNCH;
        append(0, 2000);
        ck_assert_int_eq(rotate(&req, &o), 0);
        snprintf(path, sizeof(path), "%s/.state/" ID, store_path);
        ck_assert_int_eq(unlink(path), 0);
        append(2000, 4000);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_gt(o.rotations, 0);
        ck_assert_uint_eq(read_back(), 4000);
}
END_TEST

START_TEST(stale_partial) {
        PlRotateRequest req = request(20, true);
        PlRotateOutcome o;
        char path[512];
        int fd = pl_log_store_begin(store, "front", ID);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, "half", 4), 4);
        (void)close(fd);
        append(0, 10);
        ck_assert_int_eq(rotate(&req, &o), 0); /* takes the log up */
        ck_assert_int_eq(rotate(&req, &o), 0);
        snprintf(path, sizeof(path), "%s/front/.partial-" ID, store_path);
        ck_assert_int_lt(access(path, F_OK), 0);
        ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* A container stopped, but somebody reads its log: nothing is made shorter under a reader's feet on
 * an engine that would not survive it. */
START_TEST(leased) {
        PlRotateRequest req = request(26, false);
        PlRotateOutcome o;
        int fd;

        append(0, 2000);
        fd = open(log_path, O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_int_ne(o.method, PL_LOG_METHOD_COLLAPSE);
        ck_assert_uint_eq(read_back(), 2000);
        (void)close(fd);
        ck_assert_int_eq(rotate(&req, &o), 0); /* now the hole is given back */
        ck_assert_int_eq(o.method, PL_LOG_METHOD_COLLAPSE);
        ck_assert_uint_lt(o.size_bytes, KIB(72));
        ck_assert_uint_eq(read_back(), 2000);
}
END_TEST

/* clang-format off */
static const struct {
        const char *name, *command; /* in the container's directory, $L = its log */
        int r;
} odd[] = {
        { "symbolic link", "mv $L x && ln -s x $L", -ELOOP },
        { "link to elsewhere", "rm $L && ln -s /etc/passwd $L", -ELOOP },
        { "second name", "ln $L x", -EMEDIUMTYPE },
        { "FIFO", "rm $L && mkfifo $L", -EMEDIUMTYPE },
        { "directory", "rm $L && mkdir $L", -EISDIR },
        { "gone", "rm $L", -ENOENT },
        { "linked directory", "cd .. && mv " ID " d && ln -s d " ID, -ELOOP },
};
/* clang-format on */

START_TEST(odd_file) {
        PlRotateRequest req = request(20, true);
        PlRotateOutcome o;
        char command[1024];

        append(0, 2000);
        snprintf(command, sizeof(command), "cd %s/" ID " && L=" ID "-json.log && %s", dir,
                 odd[_i].command);
        ck_assert_int_eq(system(command), 0);
        ck_assert_msg(rotate(&req, &o) == odd[_i].r, "%s: %d (%s)", odd[_i].name, o.error,
                      strerror(-o.error));
        ck_assert_uint_eq(o.rotations, 0);
        if (odd[_i].r != -ENOENT)
                ck_assert_str_eq(o.step, "opening the log");
}
END_TEST

START_TEST(odd_path) {
        static const char *const paths[] = {
                "",
                "x",
                "/etc/passwd",
                "/" ID "-json.log",
                "/x/" ID "/" ID "-json.log/..",
                "/x/y/" ID "-json.log",
        };
        PlLogFile f = PL_LOG_FILE_INIT;

        ck_assert_int_eq(pl_log_file_open(paths[_i], ID, true, &f), -EINVAL);
        ck_assert_int_eq(pl_log_file_open_path(paths[_i], ID), -EINVAL);
}
END_TEST

/* What is not ours is not touched, not even opened. */
START_TEST(left_alone) {
        PlRotateRequest req = request(20, true);
        PlRotateOutcome o;
        struct stat before, after;

        if (_i == 0)
                req.facts.native_max_size = true;
        else if (_i == 1)
                req.driver = (char *)"local";
        else
                req.facts.wanted = PL_LOG_METHOD_OFF;
        append(0, 2000);
        ck_assert_int_eq(stat(log_path, &before), 0);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_int_eq(stat(log_path, &after), 0);
        ck_assert_int_eq(o.method, PL_LOG_METHOD_OFF);
        ck_assert_int_eq(o.why, _i == 0   ? PL_ROTATE_WHY_NATIVE
                                : _i == 1 ? PL_ROTATE_WHY_DRIVER
                                          : PL_ROTATE_WHY_OFF);
        ck_assert_int_eq(memcmp(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim)), 0);
        ck_assert_int_eq(before.st_size, after.st_size);
}
END_TEST

START_TEST(retention) {
        _cleanup_(pl_log_rules_freep) PlLogRules *rules = pl_log_rules_new();
        const PlRetainRule two = { 2, PL_TIME_INFINITY };
        PlRotateRequest req = request(20, true);
        PlStoredArchive *archives;
        PlRotateOutcome o;
        size_t n;

        ck_assert_ptr_nonnull(rules);
        ck_assert_int_eq(pl_log_rules_set(rules, ID, "front/web", &two), 0);
        req.rules = rules;
        for (unsigned i = 0; i < 5; i++) {
                append(i * 2000, i * 2000 + 2000);
                ck_assert_int_eq(rotate(&req, &o), 0);
        }
        ck_assert_uint_eq(o.archived_files, 2);
        ck_assert_int_eq(pl_log_store_list(store, NULL, &archives, &n), 0);
        ck_assert_uint_eq(n, 2);
        ck_assert_uint_eq(archives[0].name.gen, 4); /* the newest stay */
        ck_assert_uint_eq(archives[1].name.gen, 5);
        ck_assert_uint_eq(o.archived_bytes, archives[0].bytes + archives[1].bytes);
        free(archives);
        req.budget_bytes = 0;
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.archives_dropped, 2);
        ck_assert_uint_eq(o.archived_total_bytes, 0);
        append(0, 2000); /* the directory is made anew */
        req.budget_bytes = PL_UNLIMITED;
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.archived_files, 1);
}
END_TEST

/* Interrupted by LogMethod=off: what was begun is finished, then the log is left alone. */
START_TEST(off_in_the_middle) {
        PlRotateRequest req = request(26, true);
        PlRotateState s;
        PlRotateOutcome o;
        int fd;

        req.facts.wanted = PL_LOG_METHOD_PUNCH;
        append(0, 2000);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_int_eq(pl_log_store_load(store, ID, &s), 0);
        s.phase = PL_ROTATE_INTENT; /* as if killed after the commit, without an archive to name */
        s.k = o.size_bytes;
        s.a = s.k & ~UINT64_C(4095);
        s.method = PL_LOG_METHOD_PUNCH;
        s.archive = strdup("front/none");
        fd = open(log_path, O_RDONLY | O_CLOEXEC);
        s.print = pl_log_file_print(fd, &s);
        (void)close(fd);
        if (s.k - s.a < PL_JSONLOG_MARKER_MIN)
                s.a -= 4096;
        ck_assert_int_eq(pl_log_store_save(store, &s), 0);
        pl_rotate_state_deinit(&s);
        req.facts.wanted = PL_LOG_METHOD_OFF;
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert(o.recovered);
        ck_assert_uint_eq(o.head_bytes, o.size_bytes);
        ck_assert_int_eq(o.why, PL_ROTATE_WHY_OFF);
        ck_assert_int_eq(pl_log_store_load(store, ID, &s), 0);
        ck_assert_int_eq(s.phase, PL_ROTATE_CLEAN);
        pl_rotate_state_deinit(&s);
}
END_TEST

/* Frames end at line ends and the table finds each of them. */
START_TEST(seekable) {
        PlRotateRequest req = request(20, true);
        PlStoredArchive *archives;
        PlRotateOutcome o;
        PlSeekTable t;
        uint8_t *data;
        size_t n, size, at = 0;
        char *raw = malloc(MIB(16));
        int fd;

        append(0, 300000);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_int_eq(pl_log_store_list(store, ID, &archives, &n), 0);
        ck_assert_uint_eq(n, 1);
        data = malloc(archives[0].size);
        fd = pl_log_store_open_archive(store, &archives[0]);
        ck_assert_int_eq(read(fd, data, archives[0].size), (ssize_t)archives[0].size);
        (void)close(fd);
        size = pl_seek_table_size(data + archives[0].size - PL_SEEK_FOOTER_BYTES);
        ck_assert_int_eq(pl_seek_table_decode(data + archives[0].size - size, size,
                                              archives[0].size, &t),
                         0);
        ck_assert_uint_ge(t.n, 3);
        for (size_t i = 0; i < t.n; at += t.frames[i++].packed_bytes) {
                size_t got = ZSTD_decompress(raw, MIB(16), data + at, t.frames[i].packed_bytes);

                ck_assert_uint_eq(got, t.frames[i].raw_bytes);
                ck_assert_int_eq(raw[0], '{');
                ck_assert_int_eq(raw[got - 1], '\n');
        }
        pl_seek_table_deinit(&t);
        free(data);
        free(raw);
        free(archives);
        ck_assert_uint_eq(read_back(), 300000);
}
END_TEST

int main(void) {
        Suite *s = suite_create("log-rotate");
        TCase *c = tcase_create("all");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_loop_test(c, nothing_lost, 0, PL_ARRAY_SIZE(ways));
        tcase_add_test(c, not_due);
        tcase_add_loop_test(c, truncated, 0, 2);
        tcase_add_loop_test(c, state_lost, 0, 2);
        tcase_add_test(c, stale_partial);
        tcase_add_test(c, leased);
        tcase_add_loop_test(c, odd_file, 0, PL_ARRAY_SIZE(odd));
        tcase_add_loop_test(c, odd_path, 0, 6);
        tcase_add_loop_test(c, left_alone, 0, 3);
        tcase_add_test(c, retention);
        tcase_add_test(c, off_in_the_middle);
        tcase_add_test(c, seekable);
        suite_add_tcase(s, c);
        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
