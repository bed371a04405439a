/* SPDX-License-Identifier: Apache-2.0 */

/* What must survive a crash survives it, and a broken file is put aside, not believed. */

#include "registry/state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/point.h"
#include "lib/limits/originals.h"
#include "same-limits.h"
#include "unit.h"

#define ID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "f123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define EMPTY "\"managed\":[],\"original\":{},\"engine_original\":{}}"

static const struct {
        const char *name, *text;
        int r;
} rows[] = {
        { "minimal", "{\"id\":\"" ID "\"," EMPTY, 0 },
        { "values",
          "{\"id\":\"" ID
          "\",\"managed\":[\"MemoryMax\",\"AllowedCPUs\"],\"original\":{\"MemoryMax\":"
          "\"infinity\",\"AllowedCPUs\":\"0-1\"},\"engine_original\":{\"TasksMax\":7}}",
          0 },
        { "memory.high is borrowed", "{\"id\":\"" ID "\",\"squeeze_high\":\"infinity\"," EMPTY, 0 },
        { "borrowed, but not a number", "{\"id\":\"" ID "\",\"squeeze_high\":[]," EMPTY, -EBADMSG },
        { "a member of a later version", "{\"id\":\"" ID "\",\"later\":{}," EMPTY, 0 },
        { "devices",
          "{\"id\":\"" ID "\",\"managed\":[],\"original\":{\"IOReadBandwidthMax\":"
          "\"8:0 1; 8:16 2\"},\"engine_original\":{}}",
          0 },
        { "broken devices",
          "{\"id\":\"" ID "\",\"managed\":[],\"original\":{\"IOReadBandwidthMax\":"
          "\"8:0 1; rm\"},\"engine_original\":{}}",
          -EBADMSG },
        { "no list of CPUs",
          "{\"id\":\"" ID "\",\"managed\":[],\"original\":{\"AllowedCPUs\":\"all\"},"
          "\"engine_original\":{}}",
          -EBADMSG },
        { "not JSON", "{", -EBADMSG },
        { "empty", "", -EBADMSG },
        { "no id", "{" EMPTY, -EBADMSG },
        { "path as id", "{\"id\":\"../../etc/passwd\"," EMPTY, -EBADMSG },
        { "unknown resource",
          "{\"id\":\"" ID "\",\"managed\":[\"Memory\"],\"original\":{},\"engine_original\":{}}",
          -EBADMSG },
        { "managed is no list",
          "{\"id\":\"" ID "\",\"managed\":3,\"original\":{},\"engine_original\":{}}", -EBADMSG },
        { "negative",
          "{\"id\":\"" ID
          "\",\"managed\":[],\"original\":{\"MemoryMax\":-1},\"engine_original\":{}}",
          -EBADMSG },
        { "text for a number",
          "{\"id\":\"" ID
          "\",\"managed\":[],\"original\":{\"MemoryMax\":\"4G\"},\"engine_original\":{}}",
          -EBADMSG },
        { "number for a text",
          "{\"id\":\"" ID
          "\",\"managed\":[],\"original\":{\"AllowedCPUs\":1},\"engine_original\":{}}",
          -EBADMSG },
        { "original missing", "{\"id\":\"" ID "\",\"managed\":[],\"engine_original\":{}}",
          -EBADMSG },
        { "all of version 2",
          "{\"version\":2,\"id\":\"" ID "\",\"engine\":\"ABCD:EFGH/8:1:2\",\"run_usec\":7,"
          "\"engine_told\":{\"MemoryMax\":67108864,\"CPUQuota\":500000},\"engine_asked\":"
          "{\"AllowedCPUs\":\"0\"},\"quota_period\":{\"original\":100000,\"engine_original\":5000,"
          "\"engine_told\":10000}," EMPTY,
          0 },
        { "a later version", "{\"version\":3,\"id\":\"" ID "\"," EMPTY, -EOPNOTSUPP },
        { "a later version that means something else",
          "{\"version\":3,\"id\":\"" ID "\",\"managed\":{}}", -EOPNOTSUPP },
        { "version 0", "{\"version\":0,\"id\":\"" ID "\"," EMPTY, -EBADMSG },
        { "version as a text", "{\"version\":\"2\",\"id\":\"" ID "\"," EMPTY, -EBADMSG },
        { "an engine that breaks a line",
          "{\"version\":2,\"id\":\"" ID "\",\"engine\":\"a\\nb\"," EMPTY, -EBADMSG },
        { "told is no object", "{\"version\":2,\"id\":\"" ID "\",\"engine_told\":1," EMPTY,
          -EBADMSG },
        { "asked, but unknown",
          "{\"version\":2,\"id\":\"" ID "\",\"engine_asked\":{\"Memory\":1}," EMPTY, -EBADMSG },
        { "a run before all time", "{\"version\":2,\"id\":\"" ID "\",\"run_usec\":-1," EMPTY,
          -EBADMSG },
        { "a period as a text",
          "{\"version\":2,\"id\":\"" ID "\",\"quota_period\":{\"original\":\"1\"}," EMPTY,
          -EBADMSG },
        { "twice the same", "{\"id\":\"" ID "\",\"id\":\"" ID "\"," EMPTY, -EBADMSG },
};

START_TEST(parse) {
        PlContainerState s = { 0 };
        int r = pl_state_parse(rows[_i].text, strlen(rows[_i].text), &s);

        ck_assert_msg(r == rows[_i].r, "%s: %d", rows[_i].name, r);
        if (r >= 0) {
                char *again = NULL;
                PlContainerState t = { 0 };

                ck_assert_int_eq(pl_state_format(&s, &again), 0);
                ck_assert_int_eq(pl_state_parse(again, strlen(again), &t), 0);
                ck_assert_uint_eq(s.managed, t.managed);
                ck_assert(same_some_limits(&s.original, &t.original));
                ck_assert(same_some_limits(&s.engine_original, &t.engine_original));
                ck_assert(same_some_limits(&s.engine_told, &t.engine_told));
                ck_assert(same_some_limits(&s.engine_asked, &t.engine_asked));
                ck_assert(pl_value_equal(&s.squeeze_high, &t.squeeze_high));
                ck_assert_uint_eq(s.version, t.version);
                ck_assert_str_eq(s.engine, t.engine);
                ck_assert_uint_eq(s.run_usec, t.run_usec);
                ck_assert_mem_eq(&s.period, &t.period, sizeof(s.period));
                free(again);
                pl_container_state_deinit(&t);
        }
        pl_container_state_deinit(&s);
}
END_TEST

static void put(int fd, const char *name, const char *text) {
        ck_assert_int_eq(pl_fs_replace(fd, name, text, strlen(text), 0600, false), 0);
}

static bool keep_other(void *userdata, const char *id) {
        return pl_streq(id, OTHER);
}

#define DAY (24 * PL_USEC_PER_HOUR)
#define NOW (40000 * DAY)

/* What a file is, how old, and whether the engine "A" leaves it where it has no such container, and
 * where it has. */
static const struct {
        const char *name, *file, *text;
        unsigned days;
        bool stays_without, stays_with;
} pruned_rows[] = {
        { "limits, ours", ID, "{\"engine\":\"A\"}", 0, false, true },
        { "limits, another's", ID, "{\"engine\":\"B\"}", 400, true, true },
        { "limits, of nobody", ID, "{}", 400, true, true },
        { "restarts, ours", ID ".restart", "{\"engine\":\"A\"}", 0, false, true },
        { "restarts, another's", ID ".restart", "{\"engine\":\"B\"}", 400, true, true },
        { "restarts, of nobody, old", ID ".restart", "{}", 31, false, true },
        { "kills, of nobody, old", ID ".oom", "{}", 31, false, true },
        { "kills, of nobody, young", ID ".oom", "{}", 29, true, true },
        { "broken, young", ID ".bad", "{", 29, true, true },
        { "broken, old", ID ".bad", "{", 31, false, false },
        { "left of a crash", ID ".new", "{", 0, false, true },
        { "about no container", "slices", "{\"engine\":\"A\"}", 400, true, true },
};

static bool keep_it(void *userdata, const char *id) {
        return *(bool *)userdata;
}

START_TEST(pruned) {
        char path[] = "/tmp/plimsoll-test-prune-XXXXXX", command[64];
        const char *file = pruned_rows[_i].file;
        PlStateDir *d = NULL;

        ck_assert_ptr_nonnull(mkdtemp(path));
        ck_assert_int_eq(pl_state_dir_open(path, NULL, NULL, &d), 0);
        pl_state_dir_set_engine(d, "A");
        for (int with = 0; with < 2; with++) {
                struct timespec times[2] = { 0 };
                bool keep = with, there,
                     stays = with ? pruned_rows[_i].stays_with : pruned_rows[_i].stays_without;
                unsigned n;
                int fd;

                (void)snprintf(command, sizeof(command), "%s/containers", path);
                fd = open(command, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                put(fd, file, pruned_rows[_i].text);
                times[0].tv_sec = times[1].tv_sec =
                                (time_t)((NOW - pruned_rows[_i].days * DAY) / PL_USEC_PER_SEC);
                ck_assert_int_eq(utimensat(fd, file, times, 0), 0);
                n = pl_state_dir_prune(d, NOW, keep_it, &keep);
                there = faccessat(fd, file, F_OK, 0) == 0;
                ck_assert_msg(there == stays && n == !stays, "%s, %s: %s, %u", pruned_rows[_i].name,
                              with ? "with" : "without", there ? "there" : "gone", n);
                (void)close(fd);
        }
        pl_state_dir_free(d);
        (void)snprintf(command, sizeof(command), "rm -r %s", path);
        ck_assert_int_eq(system(command), 0);
}
END_TEST

static void prune_others(PlStateDir *d) {
        (void)pl_state_dir_prune(d, (uint64_t)time(NULL) * PL_USEC_PER_SEC, keep_other, NULL);
}

static void had(PlContainerState *s, uint64_t memory) {
        const PlValue v = { .set = true, .number = memory };

        ck_assert_int_eq(pl_some_limits_put(&s->original, PL_RESOURCE_MEMORY_MAX, &v), 0);
}

static uint64_t memory_of(const PlContainerState *s) {
        return pl_some_limits_get(&s->original, PL_RESOURCE_MEMORY_MAX)->number;
}

START_TEST(directory) {
        char path[] = "/tmp/plimsoll-test-state-XXXXXX", inner[64];
        PlContainerState s = { .id = ID, .managed = 1U << PL_RESOURCE_MEMORY_MAX }, t = { 0 };
        PlStateDir *d = NULL;
        struct stat st;
        int fd;

        ck_assert_ptr_nonnull(mkdtemp(path));
        (void)snprintf(inner, sizeof(inner), "%s/containers", path);
        ck_assert_int_eq(pl_state_dir_open(path, NULL, NULL, &d), 0);
        ck_assert(stat(inner, &st) == 0 && (st.st_mode & 0777) == 0700);
        fd = open(inner, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        ck_assert_int_eq(pl_state_dir_load(d, ID, &t), -ENOENT);
        ck_assert_int_eq(pl_state_dir_load(d, "../containers", &t), -EINVAL);
        had(&s, PL_UNLIMITED);
        ck_assert_int_eq(pl_state_dir_save(d, &s, true), 0);
        ck_assert_int_eq(pl_state_dir_load(d, ID, &t), 0);
        ck_assert(t.managed == s.managed && memory_of(&t) == PL_UNLIMITED);

        /* another container's file under this name is not believed, but kept */
        ck_assert_int_eq(pl_fs_replace(fd, OTHER, "{\"id\":\"" ID "\"," EMPTY,
                                       strlen("{\"id\":\"" ID "\"," EMPTY), 0600, false),
                         0);
        ck_assert_int_eq(pl_state_dir_load(d, OTHER, &t), -EBADMSG);
        ck_assert_int_eq(faccessat(fd, OTHER ".bad", F_OK, 0), 0);

        /* nor is that of a later version touched */
        ck_assert_int_eq(pl_fs_replace(fd, OTHER, "{\"version\":3,\"id\":\"" OTHER "\"}",
                                       strlen("{\"version\":3,\"id\":\"" OTHER "\"}"), 0600, false),
                         0);
        ck_assert_int_eq(pl_state_dir_load(d, OTHER, &t), -EOPNOTSUPP);
        ck_assert_int_eq(faccessat(fd, OTHER, F_OK, 0), 0);
        ck_assert_int_eq(unlinkat(fd, OTHER, 0), 0);

        /* nobody knows whose it is; then another's; then this engine's */
        prune_others(d);
        pl_state_dir_set_engine(d, "A");
        ck_assert_int_eq(pl_state_dir_save(d, &s, false), 0);
        put(fd, ID ".oom", "{\"engine\":\"A\"}");
        put(fd, ID ".restart", "{\"engine\":\"B\"}");
        pl_state_dir_set_engine(d, "B");
        prune_others(d);
        pl_container_state_deinit(&t);
        ck_assert_int_eq(pl_state_dir_load(d, ID, &t), 0);
        ck_assert_str_eq(t.engine, "A");
        ck_assert_int_eq(faccessat(fd, ID ".oom", F_OK, 0), 0);
        ck_assert_int_lt(faccessat(fd, ID ".restart", F_OK, 0), 0);
        pl_state_dir_set_engine(d, "A");
        prune_others(d);
        ck_assert_int_lt(faccessat(fd, ID ".oom", F_OK, 0), 0);
        ck_assert_int_eq(pl_state_dir_load(d, ID, &t), -ENOENT);
        ck_assert_int_eq(faccessat(fd, OTHER ".bad", F_OK, 0), 0);
        ck_assert_int_eq(pl_state_dir_remove(d, ID), 0);

        pl_container_state_deinit(&s);
        pl_container_state_deinit(&t);
        (void)unlinkat(fd, OTHER ".bad", 0);
        (void)close(fd);
        d = pl_state_dir_free(d);
        ck_assert(rmdir(inner) == 0 && rmdir(path) == 0);
}
END_TEST

/* --- import --- */

static unsigned kill_at; /* the point of the run at which it is killed; 0: never */

void pl_point(const char *name) {
        if (kill_at > 0 && --kill_at == 0)
                (void)raise(SIGKILL);
}

static int make_directory(const char *parent, const char *name) {
        char path[96];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/%s", parent, name);
        (void)mkdir(path, 0700);
        (void)snprintf(path, sizeof(path), "%s/%s/containers", parent, name);
        (void)mkdir(path, 0700);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        return fd;
}

static void check_record(PlStateDir *d, const char *id, uint64_t memory, unsigned at) {
        PlContainerState s = { 0 };

        ck_assert_msg(pl_state_dir_load(d, id, &s) == 0, "killed at point %u: lost", at);
        ck_assert_msg(memory_of(&s) == memory, "killed at point %u: %" PRIu64, at, memory_of(&s));
        pl_container_state_deinit(&s);
}

#define RECORD(id, memory)                                                                   \
        "{\"id\":\"" id "\",\"managed\":[\"MemoryMax\"],\"original\":{\"MemoryMax\":" memory \
        "},\"engine_original\":{}}"

/* kill -9 at each point in turn, and the whole once more from there: nothing is lost, and what was
 * captured first stays. Return: whether it got as far as the point. */
static bool import_killed_at(unsigned at) {
        char tmp[] = "/tmp/plimsoll-test-import-XXXXXX", from[64], to[64], command[96];
        PlStateDir *d = NULL;
        int older, newer, status = 0;
        pid_t child;

        ck_assert_ptr_nonnull(mkdtemp(tmp));
        (void)snprintf(from, sizeof(from), "%s/run", tmp);
        (void)snprintf(to, sizeof(to), "%s/lib", tmp);
        older = make_directory(tmp, "run");
        newer = make_directory(tmp, "lib");
        put(older, ID, RECORD(ID, "111"));
        put(older, ID ".oom", "{}");
        put(older, ID ".restart", "{\"x\":1}");
        put(older, OTHER, RECORD(OTHER, "999"));
        put(newer, OTHER, RECORD(OTHER, "222"));
        put(older, "readme", "not about a container");

        child = fork();
        if (child == 0) {
                kill_at = at;
                _exit(pl_state_dir_open(to, from, NULL, &d) < 0 || pl_state_dir_import(d) < 0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        if (at == 0)
                ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);

        /* whatever happened, both places together have it all */
        ck_assert_int_eq(pl_state_dir_open(to, from, NULL, &d), 0);
        check_record(d, ID, 111, at);
        check_record(d, OTHER, 222, at);
        ck_assert_int_ge(pl_state_dir_import(d), 0);
        ck_assert_int_eq(pl_state_dir_import(d), 0);
        check_record(d, ID, 111, at);
        check_record(d, OTHER, 222, at);
        ck_assert_int_eq(faccessat(newer, ID ".oom", F_OK, 0), 0);
        ck_assert_int_eq(faccessat(newer, ID ".restart", F_OK, 0), 0);
        ck_assert_int_lt(faccessat(older, ID, F_OK, 0), 0);
        ck_assert_int_eq(faccessat(older, "readme", F_OK, 0), 0);
        pl_state_dir_free(d);
        (void)close(older);
        (void)close(newer);
        (void)snprintf(command, sizeof(command), "rm -rf %s", tmp);
        ck_assert_int_eq(system(command), 0);
        return WIFSIGNALED(status);
}

START_TEST(import_is_killed) {
        unsigned at = 1;

        (void)import_killed_at(0);
        while (import_killed_at(at))
                at++;
        /* three points for each of four files, and one at the end */
        ck_assert_uint_eq(at - 1, 13);
}
END_TEST

/* A disk that is full, or worse: it is still known, and where it was. */
START_TEST(import_fails) {
        char tmp[] = "/tmp/plimsoll-test-import-XXXXXX", from[64], to[64], command[96];
        PlStateDir *d = NULL;
        int older, newer;

        ck_assert_ptr_nonnull(mkdtemp(tmp));
        (void)snprintf(from, sizeof(from), "%s/run", tmp);
        (void)snprintf(to, sizeof(to), "%s/lib", tmp);
        older = make_directory(tmp, "run");
        newer = make_directory(tmp, "lib");
        put(older, ID, RECORD(ID, "111"));
        /* in the way of the temporary file */
        ck_assert_int_eq(mkdirat(newer, ID ".new", 0700), 0);
        ck_assert_int_eq(pl_state_dir_open(to, from, NULL, &d), 0);
        ck_assert_int_lt(pl_state_dir_import(d), 0);
        check_record(d, ID, 111, 0);
        ck_assert_int_eq(faccessat(older, ID, F_OK, 0), 0);
        ck_assert_int_eq(pl_state_dir_remove(d, ID), 0);
        ck_assert_int_lt(faccessat(older, ID, F_OK, 0), 0);
        pl_state_dir_free(d);
        ck_assert_int_eq(unlinkat(newer, ID ".new", AT_REMOVEDIR), 0);
        /* the same directory is no older place */
        ck_assert_int_eq(pl_state_dir_open(to, to, NULL, &d), 0);
        put(newer, ID, RECORD(ID, "111"));
        ck_assert_int_eq(pl_state_dir_import(d), 0);
        check_record(d, ID, 111, 0);
        pl_state_dir_free(d);
        (void)close(older);
        (void)close(newer);
        (void)snprintf(command, sizeof(command), "rm -rf %s", tmp);
        ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("state");

        tcase_add_loop_test(t, parse, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, pruned, 0, (int)PL_ARRAY_SIZE(pruned_rows));
        tcase_add_test(t, directory);
        tcase_add_test(t, import_is_killed);
        tcase_add_test(t, import_fails);
        return run_case(t);
}
