/* SPDX-License-Identifier: Apache-2.0 */

/* Real kills on the real cgroups of this host: each is reported once, soon, and with its victim. */

#include "oom/watch.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/xattr.h>

#include "base/clock.h"
#include "base/fs.h"
#include "cg-host.h"

#define LIMIT   MIB(24)
#define HOSTILE "x,pid=1) tot"

static CgHost h;
static sd_event *event;
static PlOomWatch *watch;
static PlOomReport reports[8];
static unsigned n_reports;
static PlKmsgKill named;
static unsigned n_named;

static void on_killed(void *userdata, const char *id, PlOomReport *r) {
        ck_assert_str_eq(id, cg_host_id);
        ck_assert_ptr_eq(userdata, &h);
        ck_assert_uint_lt(n_reports, PL_ARRAY_SIZE(reports));
        reports[n_reports++] = *r;
}

static void on_named(void *userdata, const char *id, const PlKmsgKill *kill) {
        ck_assert_str_eq(id, cg_host_id);
        named = *kill;
        n_named++;
}

static void on_pressed(void *userdata, const char *id, const PlOomRing *ring,
                       const PlOomSample *s) {
        ck_assert_uint_gt(ring->n, 0);
}

static char frozen[8]; /* f: frozen; -: not any more */
static unsigned n_frozen;

static void on_frozen(void *userdata, const char *id, bool is) {
        ck_assert_str_eq(id, cg_host_id);
        ck_assert_uint_lt(n_frozen + 1, sizeof(frozen));
        frozen[n_frozen++] = is ? 'f' : '-';
}

static const PlOomWatchHandlers handlers = {
        .killed = on_killed,
        .frozen = on_frozen,
        .named = on_named,
        .pressed = on_pressed,
};

static bool is_v1(void) {
        return h.m.hierarchy[PL_CONTROLLER_MEMORY] == PL_HIERARCHY_V1;
}

/* A process of the group takes more than there is. */
static pid_t fill(const char *name) {
        char pid[16];
        int go[2];
        pid_t child;

        ck_assert_int_eq(pipe(go), 0);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
                char *p;

                (void)prctl(PR_SET_NAME, name);
                if (read(go[0], pid, 1) < 1)
                        _exit(1);
                p = mmap(NULL, 8 * LIMIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                         0);
                for (size_t i = 0; p != MAP_FAILED && i < 8 * LIMIT; i += 4096)
                        ((volatile char *)p)[i] = 1;
                _exit(2);
        }
        (void)snprintf(pid, sizeof(pid), "%d", (int)child);
        cg_host_write(&h, PL_CONTROLLER_MEMORY, "cgroup.procs", pid);
        ck_assert_int_eq(write(go[1], "x", 1), 1);
        (void)close(go[0]);
        (void)close(go[1]);
        return child;
}

static void wait_for_kill(pid_t child) {
        int status;

        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", status);
}

static void kill_one(const char *name) {
        wait_for_kill(fill(name));
}

#define STEP_USEC (10 * PL_USEC_PER_MSEC)
#define LONG_USEC (60 * PL_USEC_PER_SEC) /* a ceiling against hanging, whatever else runs here */

/* Runs the loop until there are n, and no longer than usec. Return: for how long it has waited, not
 * counting by how much a busy machine was late in waking it. */
static uint64_t run_until(const unsigned *flag, unsigned n, uint64_t usec) {
        uint64_t begin = pl_clock_usec(CLOCK_MONOTONIC), before = begin, waited = 0;

        while (*flag < n && before - begin < usec) {
                uint64_t now;

                ck_assert_int_ge(sd_event_run(event, STEP_USEC), 0);
                now = pl_clock_usec(CLOCK_MONOTONIC);
                waited += PL_MIN(now - before, STEP_USEC);
                before = now;
        }
        return waited;
}

static void run_for(uint64_t usec) {
        static const unsigned never;

        (void)run_until(&never, 1, usec);
}

/* Return: after which wait the n-th came. */
static uint64_t run_until_report(unsigned n) {
        uint64_t waited = run_until(&n_reports, n, LONG_USEC);

        ck_assert_msg(n_reports == n, "%u reports instead of %u", n_reports, n);
        return waited;
}

static void start(void) {
        char text[32];

        cg_host_start(&h);
        (void)snprintf(text, sizeof(text), "%" PRIu64, LIMIT);
        cg_host_write(&h, PL_CONTROLLER_MEMORY, is_v1() ? "memory.limit_in_bytes" : "memory.max",
                      text);
        if (!is_v1() && cg_host_has(&h, PL_CONTROLLER_MEMORY, "memory.swap.max"))
                cg_host_write(&h, PL_CONTROLLER_MEMORY, "memory.swap.max", "0");
        else if (is_v1() && cg_host_has(&h, PL_CONTROLLER_MEMORY, "memory.memsw.limit_in_bytes"))
                cg_host_write(&h, PL_CONTROLLER_MEMORY, "memory.memsw.limit_in_bytes", text);
        ck_assert_int_ge(sd_event_new(&event), 0);
        n_reports = n_named = n_frozen = 0;
}

static void watch_from_now(const char *kmsg) {
        ck_assert_int_eq(pl_oom_watch_new(event, &h.m, kmsg, &handlers, &h, &watch), 0);
        ck_assert_int_eq(pl_oom_watch_add(watch, cg_host_id, h.g), 0);
}

static void stop(void) {
        watch = pl_oom_watch_free(watch);
        event = sd_event_unref(event);
        cg_host_stop(&h);
}

static bool log_is_readable(void) {
        int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

        if (fd >= 0)
                (void)close(fd);
        return fd >= 0;
}

START_TEST(is_explained) {
        uint64_t waited;

        watch_from_now("/dev/kmsg");
        kill_one(HOSTILE);
        waited = run_until_report(1);
        ck_assert_msg(waited < 200 * PL_USEC_PER_MSEC, "%" PRIu64 " us late", waited);
        ck_assert_int_eq(reports[0].cause, PL_OOM_CAUSE_LIMIT);
        ck_assert_uint_eq(reports[0].kills, 1);
        ck_assert_uint_eq(reports[0].limit_bytes, LIMIT);
        ck_assert_uint_gt(reports[0].peak_bytes, LIMIT / 10 * 9);
        ck_assert_uint_le(reports[0].peak_bytes, LIMIT);
        if (!log_is_readable())
                SKIP_HERE("the kernel log cannot be read");
        ck_assert_str_eq(reports[0].victim, HOSTILE);
        ck_assert_int_gt(reports[0].pid, 1);
        ck_assert_uint_gt(reports[0].usage_bytes, LIMIT / 10 * 9);
}
END_TEST

START_TEST(is_counted_and_told_once) {
        kill_one("before");
        watch_from_now("/dev/kmsg");
        run_for(300 * PL_USEC_PER_MSEC);
        ck_assert_uint_eq(n_reports, 0);
        for (unsigned i = 1; i <= 3; i++) {
                kill_one("again");
                (void)run_until_report(i);
        }
        /* somebody asks, whom the counter has answered already */
        pl_oom_watch_check(watch, cg_host_id);
        pl_oom_watch_remove(watch, cg_host_id);
        pl_oom_watch_check(watch, cg_host_id);
        run_for(300 * PL_USEC_PER_MSEC);
        ck_assert_uint_eq(n_reports, 3);
}
END_TEST

START_TEST(without_a_log) {
        watch_from_now("/nowhere/kmsg");
        kill_one("nameless");
        (void)run_until_report(1);
        ck_assert_int_eq(reports[0].cause, PL_OOM_CAUSE_LIMIT);
        ck_assert_uint_eq(reports[0].limit_bytes, LIMIT);
}
END_TEST

/* One record to a read(2), as the kernel gives them. */
static void log_record(int fd, unsigned sequence, const char *text) {
        char record[1024];
        int n = snprintf(record, sizeof(record), "3,%u,%u,-;%s\n", sequence, sequence, text);

        ck_assert_int_eq(write(fd, record, (size_t)n), n);
}

/* The report does not wait for a slow log, whose word is taken when it comes, and for nothing else.
 */
START_TEST(log_is_late) {
        char path[] = "/tmp/plimsoll-kmsg.XXXXXX", victim[512];
        uint64_t waited;
        int fd;

        ck_assert_ptr_nonnull(mkdtemp(path));
        (void)rmdir(path);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        watch_from_now(path);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        (void)unlink(path);
        ck_assert_int_eq(fcntl(fd, F_SETFL, O_DIRECT), 0); /* packets, pipe(2) */
        kill_one("late");
        waited = run_until_report(1);
        ck_assert_msg(waited < 200 * PL_USEC_PER_MSEC, "%" PRIu64 " us late", waited);
        ck_assert_int_eq(reports[0].pid, 0);
        ck_assert_uint_eq(n_named, 0);
        (void)snprintf(victim, sizeof(victim),
                       "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,"
                       "mems_allowed=0,oom_memcg=/docker/%s,task_memcg=/docker/%s,task=late,"
                       "pid=77,uid=0",
                       cg_host_id, cg_host_id);
        log_record(fd, 1, victim);
        log_record(fd, 2,
                   "Memory cgroup out of memory: Killed process 77 (late) total-vm:9kB, "
                   "anon-rss:8kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:0");
        (void)run_until(&n_named, 1, LONG_USEC);
        ck_assert_uint_eq(n_named, 1);
        ck_assert_str_eq(named.name, "late");
        ck_assert_uint_eq(n_reports, 1);
        (void)close(fd);
}
END_TEST

/* The kernel logs ten kills (and faults) in five seconds, whoever they are of, and hides the
 * others.
 */
#define LOG_WINDOW_USEC (6 * PL_USEC_PER_SEC)

static pid_t crash_one(void) {
        pid_t child = fork();

        if (child == 0) {
                struct rlimit none = { 0 };

                (void)prctl(PR_SET_NAME, "a[1]: segfault ");
                (void)setrlimit(RLIMIT_CORE, &none);
                __builtin_trap();
        }
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        return child;
}

static bool faults_are_told(void) {
        _cleanup_free_ char *text = NULL;

        return pl_fs_read(AT_FDCWD, "/proc/sys/debug/exception-trace", 16, &text, NULL) >= 0 &&
               *text != '0';
}

/* A crash: its line is the process' own, and told once. */
START_TEST(fault_is_told) {
        PlOomTraces t = { 0 };
        pid_t child = 0;

        if (!log_is_readable() || !faults_are_told())
                SKIP_HERE("the kernel does not tell of faults, or its log cannot be read");
        watch_from_now("/dev/kmsg");
        for (unsigned tries = 0; tries < 10 && !*t.fault; tries++) {
                if (tries > 0)
                        (void)usleep(LOG_WINDOW_USEC);
                child = crash_one();
                pl_oom_watch_fault(watch, child + 1, &t);
                ck_assert_str_eq(t.fault, "");
                pl_oom_watch_fault(watch, child, &t);
        }
        ck_assert_msg(pl_startswith(t.fault, "traps: a[1]: segfault ["), "%s", t.fault);
        t = (PlOomTraces){ 0 };
        pl_oom_watch_fault(watch, child, &t);
        ck_assert_str_eq(t.fault, "");
}
END_TEST

/* A group that systemd-oomd has killed bears its mark, also when it has gone. */
START_TEST(mark_is_seen) {
        uint64_t now = pl_clock_usec(CLOCK_REALTIME);
        PlOomTraces t = { 0 };
        char path[64];

        if (is_v1())
                SKIP_HERE("systemd-oomd has v2 only");
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", h.g->dir_fd[PL_CONTROLLER_MEMORY]);
        ck_assert_int_eq(setxattr(path, "user.oomd_ooms", "2", 1, 0), 0);
        watch_from_now("/dev/kmsg");
        pl_oom_watch_oomd(watch, cg_host_id, now, &t);
        ck_assert_str_eq(t.oomd, "");
        ck_assert_int_eq(setxattr(path, "user.oomd_ooms", "3", 1, 0), 0);
        cg_host_remove(&h, cg_host_id);
        pl_oom_watch_remove(watch, cg_host_id);
        pl_oom_watch_oomd(watch, cg_host_id, now, &t);
        ck_assert_ptr_nonnull(strstr(t.oomd, "user.oomd_ooms"));
        ck_assert(!t.killed);
}
END_TEST

/* The engine removes a container's group within milliseconds: before we have looked once. */
START_TEST(group_has_gone) {
        for (unsigned tries = 0; tries < 10 && n_reports == 0; tries++) {
                if (tries > 0) {
                        stop();
                        (void)usleep(LOG_WINDOW_USEC);
                        start();
                }
                watch_from_now("/dev/kmsg");
                kill_one("quick");
                cg_host_remove(&h, cg_host_id);
                if (_i == 0)
                        pl_oom_watch_remove(watch, cg_host_id);
                run_for(50 * PL_USEC_PER_MSEC);
                pl_oom_watch_check(watch, cg_host_id);
                if (!log_is_readable())
                        SKIP_HERE("the kernel log cannot be read");
                (void)run_until(&n_reports, 1, PL_USEC_PER_SEC);
        }
        ck_assert_uint_eq(n_reports, 1);
        ck_assert_str_eq(reports[0].victim, "quick");
        ck_assert_int_eq(reports[0].cause, PL_OOM_CAUSE_LIMIT);
        ck_assert_uint_eq(reports[0].limit_bytes, LIMIT);
        ck_assert_uint_gt(reports[0].usage_bytes, LIMIT / 10 * 9);
        run_for(200 * PL_USEC_PER_MSEC);
        ck_assert_uint_eq(n_reports, 1);
}
END_TEST

/* A removed group is quiet, whatever poll(2) says of it. */
START_TEST(removal_is_quiet) {
        uint64_t end;
        unsigned n = 0;

        watch_from_now("/dev/kmsg");
        run_for(10 * PL_USEC_PER_MSEC);
        cg_host_remove(&h, cg_host_id);
        run_for(100 * PL_USEC_PER_MSEC);
        end = pl_clock_usec(CLOCK_MONOTONIC) + 300 * PL_USEC_PER_MSEC;
        while (pl_clock_usec(CLOCK_MONOTONIC) < end)
                n += sd_event_run(event, STEP_USEC) > 0;
        ck_assert_uint_eq(n_reports, 0);
        /* a descriptor that is always ready makes thousands */
        ck_assert_uint_lt(n, 30);
}
END_TEST

/* The kernel may not kill, so it waits; whoever comes later sees it, too, and an end is seen. */
START_TEST(freezes) {
        pid_t child;

        if (!is_v1())
                SKIP_HERE("v2 has no oom_kill_disable");
        cg_host_write(&h, PL_CONTROLLER_MEMORY, "memory.oom_control", "1");
        watch_from_now("/dev/kmsg");
        run_for(100 * PL_USEC_PER_MSEC);
        child = fill("frozen");
        (void)run_until(&n_frozen, 1, LONG_USEC);
        run_for(1500 * PL_USEC_PER_MSEC);
        ck_assert_uint_eq(n_frozen, 1); /* told once */
        pl_oom_watch_remove(watch, cg_host_id);
        ck_assert_int_eq(pl_oom_watch_add(watch, cg_host_id, h.g), 0);
        (void)run_until(&n_frozen, 3, LONG_USEC);
        cg_host_write(&h, PL_CONTROLLER_MEMORY, "memory.oom_control", "0");
        wait_for_kill(child);
        (void)run_until(&n_frozen, 4, LONG_USEC);
        ck_assert_mem_eq(frozen, "f-f-", 4);
        run_until_report(1);
}
END_TEST

int main(void) {
        Suite *s = suite_create("oom-watch");
        TCase *t = tcase_create("oom-watch");

        (void)snprintf(cg_host_id + PL_ID_MAX - 9, 9, "%08x", (unsigned)getpid());
        tcase_set_timeout(t, 300);
        tcase_add_checked_fixture(t, start, stop);
        tcase_add_test(t, is_explained);
        tcase_add_test(t, is_counted_and_told_once);
        tcase_add_test(t, without_a_log);
        tcase_add_test(t, log_is_late);
        tcase_add_loop_test(t, group_has_gone, 0, 2);
        tcase_add_test(t, fault_is_told);
        tcase_add_test(t, mark_is_seen);
        tcase_add_test(t, removal_is_quiet);
        tcase_add_test(t, freezes);
        suite_add_tcase(s, t);
        return cg_host_run(s);
}
