/* SPDX-License-Identifier: Apache-2.0 */

/*
 * LogPath=: which mount, which names, and what becomes of each file, as tables.
 */

#include "lib/logs/path.h"

#include <errno.h>

#include "unit.h"

static PlMount mounts[] = {
        { (char *)"volume", (char *)"/vol/root", (char *)"/data" },
        { (char *)"bind", (char *)"/srv/logs", (char *)"/data/logs/" },
        { (char *)"tmpfs", (char *)"", (char *)"/run/log" },
        { (char *)"bind", (char *)"/etc/one.log", (char *)"/var/one.log" },
        { (char *)"npipe", (char *)"x", (char *)"/pipe" },
};

static const struct {
        const char *path;
        int r;
        size_t mount;
        const char *parts; /* joined by a space */
} paths[] = {
        { "/data/a.log", 0, 0, "a.log" },
        { "/data/*/b/*.log", 0, 0, "* b *.log" },
        { "/data/logs/*.log", 0, 1, "*.log" },
        { "/data//logs/./x//**/*.log", 0, 1, "x ** *.log" },
        { "/data/logsx/*.log", 0, 0, "logsx *.log" },
        { "/data/lo*/*.log", 0, 0, "lo* *.log" },
        { "/d*/logs/*.log", -ENOENT, 0, NULL },
        { "/elsewhere/*.log", -ENOENT, 0, NULL },
        { "/datax/a.log", -ENOENT, 0, NULL },
        { "/run/log/*.log", -EOPNOTSUPP, 0, NULL },
        { "/pipe/a", -EOPNOTSUPP, 0, NULL },
        { "/var/one.log", -EISDIR, 0, NULL },
        { "/data", -EISDIR, 0, NULL },
        { "/data/./", -EISDIR, 0, NULL },
        { "/data/../etc/*", -EINVAL, 0, NULL },
        { "/data/logs/x/..", -EINVAL, 0, NULL },
        { "data/a.log", -EINVAL, 0, NULL },
        { "/data/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/1/2/3/4/5/6/7", -EINVAL, 0,
          NULL },
        { "", -EINVAL, 0, NULL },
};

START_TEST(resolves) {
        char joined[256] = "";
        _cleanup_free_ char *text = NULL;
        PlLogpathGlob g = { 0 };
        size_t mount = 99;
        int r = pl_logpath_resolve(mounts, PL_ARRAY_SIZE(mounts), paths[_i].path, &mount, &g,
                                   &text);

        ck_assert_msg(r == paths[_i].r, "%s: %d", paths[_i].path, r);
        if (r < 0) {
                ck_assert_ptr_nonnull(text);
                ck_assert_ptr_nonnull(strstr(text, paths[_i].path));
                ck_assert_uint_eq(mount, 99);
                ck_assert_ptr_null(g.text);
                return;
        }
        for (size_t i = 0; i < g.n; i++)
                (void)snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s",
                               i > 0 ? " " : "", g.parts[i]);
        ck_assert_str_eq(joined, paths[_i].parts);
        ck_assert_uint_eq(mount, paths[_i].mount);
        ck_assert_ptr_null(text);
        pl_logpath_glob_deinit(&g);
}
END_TEST

static const struct {
        const char *glob, *path;
        bool match, descends;
} matches[] = {
        { "*.log", "a.log", true, false },
        { "*.log", ".a.log", false, false },
        { "*.log", "a.log.1", false, false },
        { "*.log", "d/a.log", false, false },
        { "*.log", "..", false, false },
        { "*", ".", false, false },
        { "?.log", "ab.log", false, false },
        { "[ab].log", "b.log", true, false },
        { "*/a.log", "d", false, true },
        { "*/a.log", "d/a.log", true, false },
        { "*/a.log", ".d/a.log", false, false },
        { "**/*.log", "a.log", true, true },
        { "**/*.log", "d/e/f/a.log", true, true },
        { "**/*.log", "d/.e/a.log", false, false },
        { "**/*.log", "dag_id=x/run_id=2026-11-24T00:00:00+00:00/task_id=t/attempt=1.log", true,
          true },
        { "x/**", "x/y/z", true, true },
        { "x/**", "x", true, true },
        { "x/**", "y", false, false },
        { "**/x/**/*.log", "a/x/a.log", true, true },
        { "**/x/**/*.log", "a/b/a.log", false, true },
        { "a**b", "axxb", true, false },
        { "*.log", "\xff\xfe\n\x1b[31m.log", true, false },
        { "\\*.log", "*.log", true, false },
        { "\\*.log", "a.log", false, false },
};

START_TEST(globs) {
        _cleanup_free_ char *text = NULL, *path = strdup(matches[_i].path);
        char glob[200];
        PlLogpathGlob g = { 0 };
        PlLogpathState s;
        size_t mount;

        (void)snprintf(glob, sizeof(glob), "/data/%s", matches[_i].glob);
        ck_assert_int_eq(pl_logpath_resolve(mounts, 1, glob, &mount, &g, &text), 0);
        s = g.begin;
        for (char *save, *name = strtok_r(path, "/", &save); name;
             name = strtok_r(NULL, "/", &save))
                s = pl_logpath_step(&g, s, name, NULL);
        ck_assert_msg(pl_logpath_matches(&g, s) == matches[_i].match, "%s: %s", matches[_i].glob,
                      matches[_i].path);
        ck_assert_msg(pl_logpath_descends(&g, s) == matches[_i].descends, "%s below %s",
                      matches[_i].glob, matches[_i].path);
        pl_logpath_glob_deinit(&g);
}
END_TEST

START_TEST(a_name_is_one_component) {
        _cleanup_free_ char *text = NULL;
        PlLogpathGlob g = { 0 };
        bool literal = false;
        size_t mount;

        ck_assert_int_eq(pl_logpath_resolve(mounts, 1, "/data/**/x", &mount, &g, &text), 0);
        ck_assert_uint_eq(pl_logpath_step(&g, g.begin, "a/x", NULL), 0);
        (void)pl_logpath_step(&g, g.begin, "y", &literal);
        ck_assert(!literal);
        (void)pl_logpath_step(&g, g.begin, "x", &literal);
        ck_assert(literal);
        pl_logpath_glob_deinit(&g);
}
END_TEST

static const struct {
        const char *name;
        PlLogpathKind kind;
        size_t base;
} kinds[] = {
        { "a.log", PL_LOGPATH_LOG, 5 },
        { "a.log.zst", PL_LOGPATH_PACKED, 5 },
        { "a.log.20261124T015300Z.zst", PL_LOGPATH_PACKED, 5 },
        { "a.log.20261124T015300Z", PL_LOGPATH_RENAMED, 5 },
        { "a.log.20261124T01530Z", PL_LOGPATH_LOG, 21 },
        { "a.log.2026112xT015300Z", PL_LOGPATH_LOG, 22 },
        { "a.log.1.gz", PL_LOGPATH_PACKED, 10 },
        { "a.log.zst.plimsoll-tmp", PL_LOGPATH_PARTIALLY_PACKED, 5 },
        { "a.log.20261124T015300Z.zst.plimsoll-tmp", PL_LOGPATH_PARTIALLY_PACKED, 5 },
        { "a.plimsoll-tmp", PL_LOGPATH_LOG, 14 },
        { "a.zst.tmp", PL_LOGPATH_LOG, 9 },
        { ".zst", PL_LOGPATH_LOG, 4 },
        { ".20261124T015300Z", PL_LOGPATH_LOG, 17 },
        { "", PL_LOGPATH_LOG, 0 },
};

START_TEST(names) {
        size_t base;

        ck_assert_msg(pl_logpath_kind(kinds[_i].name, &base) == kinds[_i].kind, "%s",
                      kinds[_i].name);
        ck_assert_msg(base == kinds[_i].base, "%s: %zu", kinds[_i].name, base);
}
END_TEST

START_TEST(stamps) {
        char buf[PL_LOGPATH_STAMP_MAX];

        ck_assert_str_eq(pl_logpath_stamp(UINT64_C(1795485180) * PL_USEC_PER_SEC, buf),
                         ".20261124T015300Z");
        ck_assert_str_eq(pl_logpath_stamp(UINT64_MAX, buf), ".00000000T000000Z");
}
END_TEST

#define NOW (UINT64_C(1800000000) * PL_USEC_PER_SEC)
#define NONE                                                                      \
        {                                                                         \
                .max_size_bytes = PL_UNLIMITED, .max_age_usec = PL_TIME_INFINITY, \
                .compress_after_usec = PL_TIME_INFINITY                           \
        }
#define SOME(signal)                                                              \
        {                                                                         \
                .max_size_bytes = MIB(1), .max_age_usec = 7 * PL_USEC_PER_DAY,    \
                .compress_after_usec = PL_USEC_PER_DAY, .reopen_signal = (signal) \
        }

static const struct {
        const char *name;
        PlLogpathPolicy policy;
        PlLogpathKind kind;
        uint64_t size, age_usec;
        bool open;
        PlLogpathAction action;
} decisions[] = {
        { "no rules", NONE, PL_LOGPATH_LOG, GIB(9), 999 * PL_USEC_PER_DAY, false, PL_LOGPATH_KEEP },
        { "young", SOME(0), PL_LOGPATH_LOG, 9, PL_USEC_PER_HOUR, false, PL_LOGPATH_KEEP },
        { "a day", SOME(0), PL_LOGPATH_LOG, 9, 25 * PL_USEC_PER_HOUR, false, PL_LOGPATH_COMPRESS },
        { "a day, open", SOME(0), PL_LOGPATH_LOG, 9, 25 * PL_USEC_PER_HOUR, true, PL_LOGPATH_KEEP },
        { "a day, empty", SOME(0), PL_LOGPATH_LOG, 0, 25 * PL_USEC_PER_HOUR, false,
          PL_LOGPATH_KEEP },
        { "a day, packed", SOME(0), PL_LOGPATH_PACKED, 9, 25 * PL_USEC_PER_HOUR, false,
          PL_LOGPATH_KEEP },
        { "old", SOME(0), PL_LOGPATH_LOG, 9, 8 * PL_USEC_PER_DAY, false, PL_LOGPATH_DELETE },
        { "old, packed", SOME(0), PL_LOGPATH_PACKED, 9, 8 * PL_USEC_PER_DAY, false,
          PL_LOGPATH_DELETE },
        { "old, renamed", SOME(0), PL_LOGPATH_RENAMED, 9, 8 * PL_USEC_PER_DAY, false,
          PL_LOGPATH_DELETE },
        { "old, open", SOME(0), PL_LOGPATH_LOG, 9, 8 * PL_USEC_PER_DAY, true, PL_LOGPATH_KEEP },
        { "large, written", SOME(0), PL_LOGPATH_LOG, MIB(2), 0, true, PL_LOGPATH_TRUNCATE },
        { "large, written a minute ago", SOME(0), PL_LOGPATH_LOG, MIB(2), PL_USEC_PER_MIN, false,
          PL_LOGPATH_TRUNCATE },
        { "large, open for long", SOME(0), PL_LOGPATH_LOG, MIB(2), PL_USEC_PER_HOUR, true,
          PL_LOGPATH_TRUNCATE },
        { "large, closed", SOME(0), PL_LOGPATH_LOG, MIB(2), PL_USEC_PER_HOUR, false,
          PL_LOGPATH_COMPRESS },
        { "just not large", SOME(0), PL_LOGPATH_LOG, MIB(1), 0, true, PL_LOGPATH_KEEP },
        { "large, reopen", SOME(1), PL_LOGPATH_LOG, MIB(2), 0, true, PL_LOGPATH_REOPEN },
        { "large, reopen, closed", SOME(1), PL_LOGPATH_LOG, MIB(2), PL_USEC_PER_HOUR, false,
          PL_LOGPATH_COMPRESS },
        { "renamed, open", SOME(1), PL_LOGPATH_RENAMED, MIB(2), 0, true, PL_LOGPATH_SIGNAL },
        { "renamed, just closed", SOME(1), PL_LOGPATH_RENAMED, 9, 0, false, PL_LOGPATH_KEEP },
        { "renamed, closed", NONE, PL_LOGPATH_RENAMED, 9, PL_USEC_PER_HOUR, false,
          PL_LOGPATH_COMPRESS },
        { "renamed, open, no signal", SOME(0), PL_LOGPATH_RENAMED, MIB(2), 0, true,
          PL_LOGPATH_KEEP },
        { "large, packed, written", SOME(0), PL_LOGPATH_PACKED, MIB(2), 0, true, PL_LOGPATH_KEEP },
        { "partial", NONE, PL_LOGPATH_PARTIALLY_PACKED, 9, 0, false, PL_LOGPATH_DELETE_PARTIAL },
};

START_TEST(decides) {
        PlLogpathFile f = { .kind = decisions[_i].kind,
                            .size_bytes = decisions[_i].size,
                            .mtime_usec = NOW - decisions[_i].age_usec,
                            .open = decisions[_i].open };

        pl_logpath_plan(&f, 1, &decisions[_i].policy, NOW, NOW);
        ck_assert_msg(f.action == decisions[_i].action, "%s: %d", decisions[_i].name, f.action);
}
END_TEST

START_TEST(a_time_to_come_is_now) {
        PlLogpathPolicy policy = SOME(0);
        PlLogpathFile f = { .size_bytes = 9, .mtime_usec = UINT64_MAX };

        pl_logpath_plan(&f, 1, &policy, NOW, NOW);
        ck_assert_int_eq(f.action, PL_LOGPATH_KEEP);
}
END_TEST

/* The clock is a week ahead, says what is proven: nothing is old, and what is written is seen. */
START_TEST(a_clock_that_is_ahead) {
        static const struct {
                const char *name;
                PlLogpathFile file;
                PlLogpathAction action;
        } rows[] = {
                { "old", { .size_bytes = 9, .mtime_usec = NOW - 8 * PL_USEC_PER_DAY }, 0 },
                { "a day", { .size_bytes = 9, .mtime_usec = NOW - 7 * PL_USEC_PER_DAY }, 0 },
                { "old, packed",
                  { .kind = PL_LOGPATH_PACKED,
                    .size_bytes = 9,
                    .mtime_usec = NOW - 8 * PL_USEC_PER_DAY },
                  0 },
                { "old all the same",
                  { .size_bytes = 9, .mtime_usec = NOW - 15 * PL_USEC_PER_DAY },
                  PL_LOGPATH_DELETE },
                { "large, quiet",
                  { .size_bytes = GIB(9), .mtime_usec = NOW - PL_USEC_PER_DAY },
                  PL_LOGPATH_COMPRESS },
                { "large, written",
                  { .size_bytes = GIB(9), .mtime_usec = NOW },
                  PL_LOGPATH_TRUNCATE },
        };
        PlLogpathPolicy policy = SOME(0);

        for (size_t i = 0; i < PL_ARRAY_SIZE(rows); i++) {
                PlLogpathFile f = rows[i].file;

                pl_logpath_plan(&f, 1, &policy, NOW, NOW - 7 * PL_USEC_PER_DAY);
                ck_assert_msg(f.action == rows[i].action, "%s: %d", rows[i].name, f.action);
        }
}
END_TEST

START_TEST(keeps_the_newest) {
        PlLogpathPolicy policy = NONE;
        PlLogpathFile files[6] = { 0 };

        policy.max_files = 2;
        for (size_t i = 0; i < 5; i++) {
                files[i].size_bytes = 1;
                files[i].mtime_usec = NOW - (5 - i) * PL_USEC_PER_HOUR;
        }
        files[0].open = true;                        /* the oldest: counts, but stays */
        files[5].kind = PL_LOGPATH_PARTIALLY_PACKED; /* does not count */
        files[5].mtime_usec = NOW;
        pl_logpath_plan(files, 6, &policy, NOW, NOW);
        ck_assert_int_eq(files[0].action, PL_LOGPATH_DELETE_PARTIAL);
        ck_assert_int_eq(files[1].action, PL_LOGPATH_KEEP);
        ck_assert_int_eq(files[2].action, PL_LOGPATH_KEEP);
        ck_assert_int_eq(files[3].action, PL_LOGPATH_DELETE);
        ck_assert_int_eq(files[4].action, PL_LOGPATH_DELETE);
        ck_assert_int_eq(files[5].action, PL_LOGPATH_KEEP);
        ck_assert(files[5].open);
        pl_logpath_plan(NULL, 0, &policy, NOW, NOW);
}
END_TEST

static const struct {
        const char *name;
        PlLogpathPolicy policy;
        PlLogpathFolder folder;
        bool goes;
} folders[] = {
        { "emptied", SOME(0), { false, 2, 2, NOW }, true },
        { "one left", SOME(0), { false, 2, 1, NOW }, false },
        { "named", SOME(0), { true, 2, 2, NOW }, false },
        { "made just now", SOME(0), { false, 0, 0, NOW }, false },
        { "empty for days", SOME(0), { false, 0, 0, NOW - 3 * PL_USEC_PER_DAY }, true },
        { "empty, to come", SOME(0), { false, 0, 0, NOW + 3 * PL_USEC_PER_DAY }, false },
        { "of archives, empty", NONE, { false, 2, 2, NOW, true }, true },
        { "of archives, one left", SOME(0), { false, 2, 1, 0, true }, false },
        { "no rule of age", NONE, { false, 2, 2, NOW }, false },
};

START_TEST(removes_folders) {
        ck_assert_msg(pl_logpath_folder_goes(&folders[_i].folder, &folders[_i].policy, NOW) ==
                                      folders[_i].goes,
                      "%s", folders[_i].name);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("logpath");

        tcase_add_loop_test(t, resolves, 0, PL_ARRAY_SIZE(paths));
        tcase_add_loop_test(t, globs, 0, PL_ARRAY_SIZE(matches));
        tcase_add_test(t, a_name_is_one_component);
        tcase_add_loop_test(t, names, 0, PL_ARRAY_SIZE(kinds));
        tcase_add_test(t, stamps);
        tcase_add_loop_test(t, decides, 0, PL_ARRAY_SIZE(decisions));
        tcase_add_test(t, a_time_to_come_is_now);
        tcase_add_test(t, a_clock_that_is_ahead);
        tcase_add_test(t, keeps_the_newest);
        tcase_add_loop_test(t, removes_folders, 0, PL_ARRAY_SIZE(folders));
        return run_case(t);
}
