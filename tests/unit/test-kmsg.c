/* SPDX-License-Identifier: Apache-2.0 */

/* Records as Linux 6.1, 6.12 and 6.18 write them, and what a container can do to them with the
 * names of its processes and groups. */

#include "lib/oom/kmsg.h"

#include <errno.h>

#include "lib/base/unit.h"
#include "unit.h"

#define ID "3f4e7a90c1d2b3a4958677665544332211ffeeddccbbaa998877665544332211"

static const struct {
        const char *name, *data;
        int r;
        const char *text;
        uint64_t sequence, clock_usec;
        bool from_kernel;
} records[] = {
        { "kernel", "6,7127,5633020515,-;oom-kill:x\n", 0, "oom-kill:x", 7127, 5633020515, true },
        { "dictionary is left out", "6,339,5140900,-;NET: up\n SUBSYSTEM=net\n DEVICE=n2\n", 0,
          "NET: up", 339, 5140900, true },
        { "a caller behind the flags", "6,1,2,-,caller=T1;text\n", 0, "text", 1, 2, true },
        { "written by a process", "12,7,8,-;Killed process 1\n", 0, "Killed process 1", 7, 8,
          false },
        { "escapes", "6,1,2,-;a\\x5cb\\x0ac\\xzz\\x4\n", 0, "a\\b\nc\\xzz\\x4", 1, 2, true },
        { "a NUL", "6,1,2,-;a\\x00b\n", 0, "a?b", 1, 2, true },
        { "no newline", "6,1,2,-;cut", 0, "cut", 1, 2, true },
        { "no text", "6,1,2,-;", 0, "", 1, 2, true },
        { "empty", "", -EBADMSG },
        { "no header", "hello\n", -EBADMSG },
        { "short header", "6,1;text\n", -EBADMSG },
        { "letters", "6,a,2,-;text\n", -EBADMSG },
        { "overflow", "6,99999999999999999999999,2,-;text\n", -EBADMSG },
        { "semicolon first", ";text\n", -EBADMSG },
};

START_TEST(parses) {
        PlKmsgRecord r = { 0 };

        ck_assert_msg(pl_kmsg_parse(records[_i].data, strlen(records[_i].data), &r) ==
                                      records[_i].r,
                      "%s", records[_i].name);
        if (records[_i].r < 0)
                return;
        ck_assert_msg(pl_streq(r.text, records[_i].text), "%s: '%s'", records[_i].name, r.text);
        ck_assert_msg(r.sequence == records[_i].sequence && r.clock_usec == records[_i].clock_usec,
                      "%s", records[_i].name);
        ck_assert_msg(r.from_kernel == records[_i].from_kernel, "%s", records[_i].name);
}
END_TEST

#define SCOPE   "/system.slice/docker-" ID ".scope"
#define INVOKED "python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"
#define USAGE   "memory: usage 65536kB, limit 65536kB, failcnt 22"
#define GROUPS_(oom, task, comm, pid)                                                      \
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=docker-" ID ".scope," \
        "mems_allowed=0,oom_memcg=" oom ",task_memcg=" task ",task=" comm ",pid=" pid ",uid=70"
#define HOST_GROUPS(task, comm, pid)                                                   \
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0," \
        "global_oom,task_memcg=" task ",task=" comm ",pid=" pid ",uid=1000"
#define KILLED(comm, pid)                                                                    \
        "Memory cgroup out of memory: Killed process " pid " (" comm ") total-vm:221368kB, " \
        "anon-rss:32512kB, file-rss:6640kB, shmem-rss:4kB, UID:70 pgtables:124kB "           \
        "oom_score_adj:0"
#define HOST_KILLED(comm, pid)                                                       \
        "Out of memory: Killed process " pid " (" comm ") total-vm:517892kB, "       \
        "anon-rss:263092kB, file-rss:29128kB, shmem-rss:0kB, UID:33 pgtables:740kB " \
        "oom_score_adj:0"

/* expected: the number of kills, and of the last one: NAME[PID], whose memory was short, "ours"
 * when it is about the container, "own" when it was at the container's limit, and USAGE/LIMIT if
 * said. */
static const struct {
        const char *name;
        const char *lines[8];
        const char *expected;
} rows[] = {
        { "v2, systemd driver",
          { INVOKED, USAGE, GROUPS_(SCOPE, SCOPE, "python3", "1234"), KILLED("python3", "1234") },
          "1 python3[1234] group ours own 64M/64M" },
        { "v1, cgroupfs driver",
          { "sh invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
            "memory: usage 32768kB, limit 32768kB, failcnt 60",
            "memory+swap: usage 32768kB, limit 9007199254740988kB, failcnt 0",
            "Memory cgroup stats for /docker/" ID ":", "cache 0",
            GROUPS_("/docker/" ID, "/docker/" ID, "sh", "7"), KILLED("sh", "7") },
          "1 sh[7] group ours own 32M/32M" },
        { "crun's leaf, podman",
          { GROUPS_("/machine.slice/libpod-" ID ".scope",
                    "/machine.slice/libpod-" ID ".scope/container", "a", "7"),
            KILLED("a", "7") },
          "1 a[7] group ours own" },
        { "limit of the slice above",
          { INVOKED, USAGE, GROUPS_("/system.slice", SCOPE, "postgres", "9"),
            KILLED("postgres", "9") },
          "1 postgres[9] group ours 64M/64M" },
        { "host",
          { INVOKED, HOST_GROUPS(SCOPE, "uwsgi", "44"), HOST_KILLED("uwsgi", "44") },
          "1 uwsgi[44] host ours" },
        { "host, somebody else's",
          { HOST_GROUPS("/user.slice", "uwsgi", "44"), HOST_KILLED("uwsgi", "44") },
          "1 uwsgi[44] host" },
        { "another container whose id begins alike",
          { GROUPS_("/docker/" ID "00", "/docker/" ID "00", "sh", "7"), KILLED("sh", "7") },
          "1 sh[7] group" },
        { "rate limit: the kill alone", { KILLED("redis", "8") }, "1 redis[8] group" },
        { "rate limit: the groups of an earlier kill are not taken",
          { GROUPS_(SCOPE, SCOPE, "a", "1"), KILLED("b", "2") },
          "1 b[2] group" },
        { "host, nothing but the kill", { HOST_KILLED("x", "2") }, "1 x[2] host" },
        { "memory.oom.group",
          { INVOKED, USAGE, GROUPS_(SCOPE, SCOPE, "a", "1"), KILLED("a", "1"),
            "Tasks in " SCOPE " are going to be killed due to memory.oom.group set",
            KILLED("b", "2"), KILLED("c", "3") },
          "3 c[3] group ours own" },
        { "name with a comma and keys",
          { GROUPS_(SCOPE, SCOPE, "a,pid=1,uid=0", "12"), KILLED("a,pid=1,uid=0", "12") },
          "1 a,pid=1,uid=0[12] group ours own" },
        { "name with another task",
          { GROUPS_(SCOPE, SCOPE, "a,task=b", "12"), KILLED("a,task=b", "12") },
          "1 a,task=b[12] group ours own" },
        { "name that closes the bracket",
          { GROUPS_(SCOPE, SCOPE, "x) total-vm:1kB", "12"), KILLED("x) total-vm:1kB", "12") },
          "1 x) total-vm:1kB[12] group ours own" },
        { "name with brackets and spaces",
          { GROUPS_(SCOPE, SCOPE, ") (", "12"), KILLED(") (", "12") },
          "1 ) ([12] group ours own" },
        { "no name",
          { GROUPS_(SCOPE, SCOPE, "", "12"), KILLED("", "12") },
          "1 [12] group ours own" },
        { "group named like a key",
          { GROUPS_(SCOPE, SCOPE "/a,task=evil,pid=99999999999,uid=0", "real", "12"),
            KILLED("real", "12") },
          "1 real[12] group ours own" },
        { "process that is called like a line",
          { GROUPS_(SCOPE, SCOPE, "oom-kill:", "12"), KILLED("Killed process ", "12") },
          "1 Killed process [12] group ours own" },
        { "cut lines",
          { "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpu",
            "Memory cgroup out of memory: Killed process 12 (py" },
          "0" },
        { "cut groups",
          { "oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/docker/" ID, KILLED("py", "12") },
          "1 py[12] group" },
        { "pid of no process", { KILLED("py", "0"), KILLED("py", "4294967297") }, "0" },
        { "talk about it",
          { "systemd[1]: Out of memory: Killed process 12 (a) total-vm:1kB" },
          "0" },
};

static unsigned fold(PlKmsgFold *f, const char *const *lines, size_t n, PlKmsgKill *ret) {
        static PlKmsgRecord r;
        unsigned kills = 0;

        for (size_t i = 0; i < n && lines[i]; i++) {
                r = (PlKmsgRecord){ .from_kernel = true,
                                    .sequence = f->last_sequence + 1,
                                    .clock_usec = 1000 * i };
                (void)snprintf(r.text, sizeof(r.text), "%s", lines[i]);
                kills += pl_kmsg_fold(f, &r, ret);
        }
        return kills;
}

static char *show(unsigned n, const PlKmsgKill *k) {
        static const char *const scopes[] = { [PL_KMSG_SCOPE_UNKNOWN] = "unknown",
                                              [PL_KMSG_SCOPE_GROUP] = "group",
                                              [PL_KMSG_SCOPE_HOST] = "host" };
        char *text = NULL, usage[PL_FORMAT_MAX], limit[PL_FORMAT_MAX];
        size_t size;
        FILE *f = open_memstream(&text, &size);

        fprintf(f, "%u", n);
        if (n > 0)
                fprintf(f, " %s[%d] %s%s%s", k->name, k->pid, scopes[k->scope],
                        pl_kmsg_is_about(k, ID) ? " ours" : "",
                        pl_kmsg_own_limit(k, ID) ? " own" : "");
        if (n > 0 && (k->usage_bytes != PL_UNLIMITED || k->limit_bytes != PL_UNLIMITED))
                fprintf(f, " %s/%s", pl_format_bytes_exact(k->usage_bytes, usage),
                        pl_format_bytes_exact(k->limit_bytes, limit));
        fclose(f);
        return text;
}

START_TEST(folds) {
        PlKmsgFold f = { 0 };
        PlKmsgKill k = { 0 };
        unsigned n = fold(&f, rows[_i].lines, PL_ARRAY_SIZE(rows[_i].lines), &k);
        _cleanup_free_ char *text = show(n, &k);

        ck_assert_msg(pl_streq(text, rows[_i].expected), "%s: %s (group '%s', limit of '%s')",
                      rows[_i].name, text, k.group, k.limit_group);
        if (n == 0)
                return;
        ck_assert_msg(k.anon_rss_bytes == KIB(32512) || k.anon_rss_bytes == KIB(263092), "%s",
                      rows[_i].name);
        ck_assert_msg(k.uid == 70 || k.uid == 33, "%s: uid", rows[_i].name);
}
END_TEST

/* Linux 5.2 and before say no uid. */
START_TEST(unsaid) {
        static const char *const lines[] = {
                "Killed process 77 (java) total-vm:20255636kB, anon-rss:466160kB, file-rss:13684kB",
        };
        PlKmsgFold f = { 0 };
        PlKmsgKill k = { 0 };

        ck_assert_uint_eq(fold(&f, lines, 1, &k), 1);
        ck_assert_int_eq(k.scope, PL_KMSG_SCOPE_UNKNOWN);
        ck_assert(k.uid == PL_UNLIMITED && k.shmem_rss_bytes == PL_UNLIMITED);
        ck_assert_uint_eq(k.file_rss_bytes, KIB(13684));
}
END_TEST

START_TEST(lost_and_foreign) {
        static PlKmsgRecord r;
        PlKmsgFold f = { 0 };
        PlKmsgKill k = { 0 };

        /* groups, a gap, then the kill: whose it was is unknown */
        r = (PlKmsgRecord){ .from_kernel = true, .sequence = 10 };
        (void)snprintf(r.text, sizeof(r.text), "%s", GROUPS_(SCOPE, SCOPE, "a", "5"));
        ck_assert(!pl_kmsg_fold(&f, &r, &k));
        r.sequence = 12;
        (void)snprintf(r.text, sizeof(r.text), "%s", KILLED("a", "5"));
        ck_assert(pl_kmsg_fold(&f, &r, &k));
        ck_assert_str_eq(k.group, "");
        /* a process that writes to /dev/kmsg is not believed */
        r.sequence = 13;
        r.from_kernel = false;
        ck_assert(!pl_kmsg_fold(&f, &r, &k));
        /* long after memory.oom.group a kill without groups is another one */
        r = (PlKmsgRecord){ .from_kernel = true, .sequence = 14, .clock_usec = 1 };
        (void)snprintf(r.text, sizeof(r.text), "Tasks in %s are going to be killed due to %s set",
                       SCOPE, "memory.oom.group");
        ck_assert(!pl_kmsg_fold(&f, &r, &k));
        r.sequence = 15;
        r.clock_usec = 10 * PL_USEC_PER_SEC;
        (void)snprintf(r.text, sizeof(r.text), "%s", KILLED("z", "6"));
        ck_assert(pl_kmsg_fold(&f, &r, &k));
        ck_assert_str_eq(k.group, "");
}
END_TEST

int main(void) {
        TCase *t = tcase_create("kmsg");

        tcase_add_loop_test(t, parses, 0, PL_ARRAY_SIZE(records));
        tcase_add_loop_test(t, folds, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, unsaid);
        tcase_add_test(t, lost_and_foreign);
        return run_case(t);
}
