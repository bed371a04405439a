/* SPDX-License-Identifier: Apache-2.0 */

/* What is known of a service survives kill -9 at each step of a write, whole: the old or the new.
 */

#include "memory/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "tmp.h"
#include "unit.h"

#define KEY "web.shop-web-5f974e8335ec7ea1"

/* --- the calls that a write is made of; each is a step, before and after it --- */

static unsigned kill_at; /* the step at which it is killed; 0: never */

static void step(void) {
        if (kill_at > 0 && --kill_at == 0)
                (void)raise(SIGKILL);
}

ssize_t write(int fd, const void *data, size_t size) {
        ssize_t n;

        step();
        /* half of it first, when there is a kill to come */
        n = syscall(SYS_write, fd, data, kill_at > 0 && size > 1 ? size / 2 : size);
        step();
        return n;
}

int fsync(int fd) {
        int r;

        step();
        r = (int)syscall(SYS_fsync, fd);
        step();
        return r;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to) {
        int r;

        step();
        r = (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
        step();
        return r;
}

/* --- */

static void fill(PlMemory *m, uint64_t restarts) {
        *m = (PlMemory){ .restarts.total = restarts, .first_usec = 1, .last_usec = 2 };
        strcpy(m->identity.key, KEY);
        strcpy(m->identity.origin, "shop-web-96e8ab6f223df9e5");
        strcpy(m->identity.title, "shop/web");
        for (int i = 0; i < PL_MEMORY_ENDS; i++) {
                PlMemoryEnd e = { .end_usec = (uint64_t)(i + 1) * PL_USEC_PER_HOUR, .id = "a" };

                memset(e.why.evidence, 'x', sizeof(e.why.evidence) - 1);
                (void)pl_memory_add(m, PL_HAPPENED(END, end = &e));
        }
}

static void count(void *userdata, const char *key, uint64_t changed_usec) {
        ck_assert_str_eq(key, KEY);
        ck_assert_uint_gt(changed_usec, 0);
        ++*(unsigned *)userdata;
}

static unsigned n_files(void) {
        char command[160];
        unsigned n = 0;
        FILE *f;

        (void)snprintf(command, sizeof(command), "ls -A %s/services | wc -l", tmp);
        f = popen(command, "r");
        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(fscanf(f, "%u", &n), 1);
        (void)pclose(f);
        return n;
}

/* Return: whether the child got as far as the step. */
static bool killed_at(unsigned at) {
        _cleanup_free_ PlMemory *m = malloc(sizeof(*m));
        PlMemoryStore *s = NULL;
        unsigned found = 0;
        int status = 0;
        pid_t child;

        ck_assert_int_eq(pl_memory_store_open(tmp, NULL, &s), 0);
        fill(m, 1);
        ck_assert_int_eq(pl_memory_store_save(s, m), 0);
        s = pl_memory_store_free(s);
        child = fork();
        if (child == 0) {
                if (pl_memory_store_open(tmp, NULL, &s) < 0)
                        _exit(2);
                fill(m, 2);
                kill_at = at;
                _exit(pl_memory_store_save(s, m) < 0 ? 3 : 0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSIGNALED(status) || WEXITSTATUS(status) == 0, "step %u: %x", at, status);

        ck_assert_int_eq(pl_memory_store_open(tmp, NULL, &s), 0);
        ck_assert_int_eq(pl_memory_store_load(s, KEY, m), 0);
        ck_assert_msg(m->restarts.total == 1 || (m->restarts.total == 2 && m->n_ends > 0),
                      "killed at step %u: %" PRIu64, at, m->restarts.total);
        ck_assert(WIFSIGNALED(status) || m->restarts.total == 2);
        /* nothing is left over */
        ck_assert_int_eq(pl_memory_store_list(s, count, &found), 0);
        ck_assert_uint_eq(found, 1);
        ck_assert_uint_eq(n_files(), 1);
        (void)pl_memory_store_free(s);
        return WIFSIGNALED(status);
}

START_TEST(kill_at_each_step) {
        unsigned at = 1;

        tmp_make("/tmp");
        while (killed_at(at))
                ck_assert_uint_lt(++at, 100);
        /* write in halves, fsync, rename, fsync of the directory: before and after each */
        ck_assert_uint_ge(at, 9);
        tmp_remove();
}
END_TEST

START_TEST(one_writer) {
        _cleanup_free_ PlMemory *m = malloc(sizeof(*m));
        PlMemoryStore *first = NULL, *second = NULL;

        tmp_make("/tmp");
        ck_assert_int_eq(pl_memory_store_open(tmp, NULL, &first), 0);
        ck_assert_int_eq(pl_memory_store_open(tmp, NULL, &second), 0);
        fill(m, 1);
        ck_assert_int_eq(pl_memory_store_save(first, m), 0);
        m->restarts.total = 7;
        ck_assert_int_eq(pl_memory_store_save(second, m), -EBUSY);
        ck_assert_int_eq(pl_memory_store_remove(second, KEY), -EBUSY);
        ck_assert_int_eq(pl_memory_store_load(second, KEY, m), 0);
        ck_assert_uint_eq(m->restarts.total, 1);
        first = pl_memory_store_free(first);
        ck_assert_int_eq(pl_memory_store_save(second, m), 0); /* its turn has come */
        ck_assert_int_eq(pl_memory_store_remove(second, KEY), 0);
        ck_assert_int_eq(pl_memory_store_load(second, KEY, m), -ENOENT);
        (void)pl_memory_store_free(second);
        tmp_remove();
}
END_TEST

static const struct {
        const char *name, *text;
        int error;
        bool aside;
} broken[] = {
        { "cut", "{\"version\":1,", -EBADMSG, true },
        { "of another service", "{\"version\":1,\"key\":\"other\"}", -EBADMSG, true },
        { "of a later version", "{\"version\":9,\"key\":\"" KEY "\"}", -EOPNOTSUPP, false },
};

START_TEST(broken_files) {
        char path[160];
        _cleanup_free_ PlMemory *m = malloc(sizeof(*m));
        PlMemoryStore *s = NULL;
        FILE *f;

        tmp_make("/tmp");
        ck_assert_int_eq(pl_memory_store_open(tmp, NULL, &s), 0);
        (void)snprintf(path, sizeof(path), "%s/services/" KEY ".json", tmp);
        f = fopen(path, "w");
        ck_assert(f && fputs(broken[_i].text, f) >= 0 && fclose(f) == 0);
        ck_assert_msg(pl_memory_store_load(s, KEY, m) == broken[_i].error, "%s", broken[_i].name);
        ck_assert_msg((access(path, F_OK) < 0) == broken[_i].aside, "%s", broken[_i].name);
        (void)snprintf(path, sizeof(path), "%s/services/" KEY ".bad", tmp);
        ck_assert_msg((access(path, F_OK) == 0) == broken[_i].aside, "%s", broken[_i].name);
        (void)pl_memory_store_free(s);
        tmp_remove();
}
END_TEST

START_TEST(odd_keys) {
        static const char *const keys[] = { "", ".", "..", "../x", "a/b", ".hidden" };
        _cleanup_free_ PlMemory *m = calloc(1, sizeof(*m));
        PlMemoryStore *s = NULL;

        tmp_make("/tmp");
        ck_assert_int_eq(pl_memory_store_open(tmp, NULL, &s), 0);
        strcpy(m->identity.key, keys[_i]);
        ck_assert_int_eq(pl_memory_store_save(s, m), -EINVAL);
        ck_assert_int_eq(pl_memory_store_load(s, keys[_i], m), -ENOENT);
        ck_assert_uint_eq(n_files(), 0);
        (void)pl_memory_store_free(s);
        tmp_remove();
}
END_TEST

int main(void) {
        TCase *t = tcase_create("memory-store");

        tcase_add_test(t, kill_at_each_step);
        tcase_add_test(t, one_writer);
        tcase_add_loop_test(t, broken_files, 0, PL_ARRAY_SIZE(broken));
        tcase_add_loop_test(t, odd_keys, 0, 6);
        return run_case(t);
}
