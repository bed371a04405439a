/* SPDX-License-Identifier: Apache-2.0 */

/* What must survive a crash survives it, and a broken file is put aside, not believed. */

#include "registry/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fs.h"
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
                ck_assert(same_limits(&s.original, &t.original));
                ck_assert(same_limits(&s.engine_original, &t.engine_original));
                ck_assert(same_limits(&s.engine_told, &t.engine_told));
                ck_assert(same_limits(&s.engine_asked, &t.engine_asked));
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

static bool keep_other(void *userdata, const char *id) {
        return pl_streq(id, OTHER);
}

START_TEST(directory) {
        char path[] = "/tmp/plimsoll-test-state-XXXXXX", inner[64];
        PlContainerState s = { .id = ID, .managed = 1U << PL_RESOURCE_MEMORY_MAX }, t = { 0 };
        PlStateDir *d = NULL;
        struct stat st;
        int fd;

        ck_assert_ptr_nonnull(mkdtemp(path));
        (void)snprintf(inner, sizeof(inner), "%s/containers", path);
        ck_assert_int_eq(pl_state_dir_open(path, NULL, &d), 0);
        ck_assert_int_eq(stat(inner, &st), 0);
        ck_assert_int_eq(st.st_mode & 0777, 0700);
        fd = open(inner, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        ck_assert_int_eq(pl_state_dir_load(d, ID, &t), -ENOENT);
        ck_assert_int_eq(pl_state_dir_load(d, "../containers", &t), -EINVAL);
        s.original.v[PL_RESOURCE_MEMORY_MAX] = (PlValue){ .set = true, .number = PL_UNLIMITED };
        ck_assert_int_eq(pl_state_dir_save(d, &s, true), 0);
        ck_assert_int_eq(pl_state_dir_load(d, ID, &t), 0);
        ck_assert_uint_eq(t.managed, s.managed);
        ck_assert_uint_eq(t.original.v[PL_RESOURCE_MEMORY_MAX].number, PL_UNLIMITED);

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

        pl_state_dir_prune(d, keep_other, NULL);
        ck_assert_int_eq(pl_state_dir_load(d, ID, &t), -ENOENT);
        ck_assert_int_eq(faccessat(fd, OTHER ".bad", F_OK, 0), 0);
        ck_assert_int_eq(pl_state_dir_remove(d, ID), 0);

        (void)unlinkat(fd, OTHER ".bad", 0);
        (void)close(fd);
        d = pl_state_dir_free(d);
        ck_assert_int_eq(rmdir(inner), 0);
        ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("state");

        tcase_add_loop_test(t, parse, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, directory);
        return run_case(t);
}
