/* SPDX-License-Identifier: Apache-2.0 */

/* Records as Linux 6.1, 6.12 and 6.18 write them, and what a container can do to them with the
 * names of its processes and groups. */

#include "lib/oom/kmsg.h"

#include <errno.h>

#include "lib/base/unit.h"
#include "lib/oom/oomd.h"
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

/* Lines of Linux 6.18, recorded; pid 0: it is none. */
static const struct {
        const char *name, *text;
        int pid;
        bool by_process;
} faults[] = {
        { "a null pointer",
          "f[7010]: segfault at 0 ip 00005614f48a81ef sp 00007ffdf6ac5e40 error 6 in "
          "f[11ef,5614f48a8000+1000] likely on CPU 0 (core 0, socket 0)",
          7010 },
        { "a jump into nothing",
          "f[7023]: segfault at 10 ip 0000000000000010 sp 00007ffe52ed8558 error 14 likely on CPU "
          "0 "
          "(core 0, socket 0)",
          7023 },
        { "an invalid opcode",
          "traps: f[7019] trap invalid opcode ip:5620a59c11fa sp:7fff5e1f2aa0 error:0 in "
          "f[11fa,5620a59c1000+1000]",
          7019 },
        { "a breakpoint",
          "traps: f[7020] trap int3 ip:55fda1bf8202 sp:7fff0c225940 error:0 in "
          "f[1202,55fda1bf8000+1000]",
          7020 },
        { "general protection",
          "traps: f[7022] general protection fault ip:55df5d385243 sp:7ffc780855b0 error:0 in "
          "f[1243,55df5d385000+1000]",
          7022 },
        /* (recorded, too) */
        { "a name that looks like one",
          "a[1]: segfault [7029]: segfault at 0 ip 000055edbe1281ef sp 00007ffd0f651030 error 6 in "
          "f[11ef,55edbe128000+1000] likely on CPU 0 (core 0, socket 0)",
          7029 },
        { "a name that looks like a trap",
          "traps: b[1] trap x ip:[7030] trap invalid opcode ip:55d36ee271fa sp:7ffdd811f410 "
          "error:0 in "
          "f[11fa,55d36ee27000+1000]",
          7030 },
        { "a file that looks like one",
          "f[9]: segfault at 0 ip 0000 sp 0000 error 6 in x[1]: segfault at 0[11ef,5614+1000]", 9 },
        { "written by a process", "f[7010]: segfault at 0 ip 0 sp 0 error 6", 0, true },
        { "the code behind it", "Code: 00 00 00 89 c0 <c7> 00 01" },
        { "no number", "f[]: segfault at 0 ip 0" },
        { "letters", "f[7a]: segfault at 0 ip 0" },
        { "zero", "f[0]: segfault at 0 ip 0" },
        { "too large", "f[99999999999]: segfault at 0 ip 0" },
        { "something else of a process", "f[7010]: segfaults often" },
        { "far behind", "something that is said of a long name[7010]: segfault at 0 ip 0" },
        { "a kill", KILLED("f", "7010") },
        { "nothing", "" },
};

START_TEST(tells_faults) {
        PlKmsgRecord r = { .from_kernel = !faults[_i].by_process, .clock_usec = 7 };
        PlKmsgFault f = { 0 };

        (void)snprintf(r.text, sizeof(r.text), "%s", faults[_i].text);
        ck_assert_msg(pl_kmsg_fault(&r, &f) == (faults[_i].pid > 0), "%s", faults[_i].name);
        ck_assert_msg(f.pid == faults[_i].pid, "%s: %d", faults[_i].name, (int)f.pid);
        ck_assert_msg(faults[_i].pid == 0 || (pl_startswith(faults[_i].text, f.text) && *f.text &&
                                              f.clock_usec == 7),
                      "%s: %s", faults[_i].name, f.text);
}
END_TEST

/* Of systemd 248, 252, 257 and 258. */
#define PRESSURE                                                                                  \
        " due to memory pressure for /system.slice being 87.18% > 50.00% for > 20s with reclaim " \
        "activity"
#define USED                                                                                   \
        " due to memory used (60776927232) / total (66940563456) and swap used (61069553664) " \
        "/ total (67830013952) being more than 90.00%"

static const struct {
        const char *name, *message, *group;
        PlOomdWord word;
} oomd[] = {
        { "it", "Killed " SCOPE PRESSURE, SCOPE, PL_OOMD_KILLED },
        { "it, without a slash", "Killed " SCOPE PRESSURE, &SCOPE[1], PL_OOMD_KILLED },
        { "for swap", "Killed " SCOPE USED, SCOPE, PL_OOMD_KILLED },
        { "for swap, 248",
          "Killed " SCOPE " due to swap used (2000000) / total (2097148) being more than 90.00%",
          SCOPE, PL_OOMD_KILLED },
        { "a plan", "Marked " SCOPE " for killing" PRESSURE, SCOPE, PL_OOMD_MARKED },
        { "a plan, for swap", "Marked " SCOPE " for killing" USED, SCOPE, PL_OOMD_MARKED },
        { "the group above", "Killed /system.slice" PRESSURE, SCOPE, PL_OOMD_KILLED },
        { "a plan for the group above", "Marked /system.slice for killing" PRESSURE, SCOPE,
          PL_OOMD_MARKED },
        { "inside it", "Killed " SCOPE "/worker" PRESSURE, SCOPE, PL_OOMD_PART },
        { "a plan inside it", "Marked " SCOPE "/worker for killing" PRESSURE, SCOPE, PL_OOMD_PART },
        { "another one", "Killed /system.slice/docker-1.scope" PRESSURE, SCOPE },
        { "a longer name", "Killed " SCOPE "2" PRESSURE, SCOPE },
        { "a shorter name", "Killed /system.sli" PRESSURE, SCOPE },
        { "inside another one, by our name", "Killed /system.slice/docker-1.scope" SCOPE PRESSURE,
          SCOPE },
        { "another one, whose name tells of ours",
          "Killed /system.slice/docker-1.scope/x due to memory pressure for " SCOPE PRESSURE,
          SCOPE },
        { "ours, whose name tells of a plan",
          "Marked " SCOPE "/ for killing due to memory used (1) for killing" PRESSURE, SCOPE,
          PL_OOMD_PART },
        { "looking", "Considered 139 cgroups for killing, top candidates were:", SCOPE },
        { "a trial", "oomd dry-run: Would have tried to kill " SCOPE " and all its descendants",
          SCOPE },
        { "no reason", "Killed " SCOPE, SCOPE },
        { "marked for something else", "Marked " SCOPE PRESSURE, SCOPE },
        { "no group is known", "Killed /" PRESSURE, "" },
        { "nothing", "", SCOPE },
};

START_TEST(takes_oomds_word) {
        PlOomdWord word = pl_oomd_word(oomd[_i].message, oomd[_i].group);

        ck_assert_msg(word == oomd[_i].word, "%s: %d", oomd[_i].name, (int)word);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("kmsg");

        tcase_add_loop_test(t, tells_faults, 0, PL_ARRAY_SIZE(faults));
        tcase_add_loop_test(t, takes_oomds_word, 0, PL_ARRAY_SIZE(oomd));

        tcase_add_loop_test(t, parses, 0, PL_ARRAY_SIZE(records));
        tcase_add_loop_test(t, folds, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, unsaid);
        tcase_add_test(t, lost_and_foreign);
        return run_case(t);
}
