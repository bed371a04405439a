/* SPDX-License-Identifier: Apache-2.0 */

/* Why a run ended: each kind, what looks like it, and that "certain" is never said of two. */

#include "lib/evidence/why.h"

#include <signal.h>

#include "unit.h"

#define S(n) (UINT64_C(1800000000000000) + (uint64_t)((n)*1000000.0))
#define END  100.0

/* Seconds; 0: it did not happen. The run ends at END. */
static const struct {
        const char *name;
        PlEnder ender;
        int code;
        double term, kill;
        int signal;
        bool stopped;
        double usr1;
        PlOomVictim victim;
        double oom;
        PlOomCause cause;
        const char *words;
        double lost;
        PlOomTraces traces;
        bool start_failed;
        PlWhyKind kind;
        bool certain;
        const char *says; /* somewhere in it */
} rows[] = {
        { .name = "finished", .ender = PL_ENDER_ITSELF, .kind = PL_WHY_FINISHED },
        { .name = "exit 1",
          .ender = PL_ENDER_ITSELF,
          .code = 1,
          .words = "no such table",
          .kind = PL_WHY_EXIT,
          .says = "no such table" },
        { .name = "exit 3, nothing said",
          .ender = PL_ENDER_ITSELF,
          .code = 3,
          .kind = PL_WHY_EXIT,
          .says = "exit code 3" },
        { .name = "127", .ender = PL_ENDER_ITSELF, .code = 127, .kind = PL_WHY_NOT_FOUND },
        { .name = "127, and the shell says so",
          .ender = PL_ENDER_ITSELF,
          .code = 127,
          .words = "sh: foo: not found",
          .kind = PL_WHY_NOT_FOUND,
          .certain = true },
        { .name = "127, the engine says so",
          .ender = PL_ENDER_ITSELF,
          .code = 127,
          .start_failed = true,
          .kind = PL_WHY_NOT_FOUND,
          .certain = true },
        { .name = "126",
          .ender = PL_ENDER_ITSELF,
          .code = 126,
          .words = "sh: x: Permission denied",
          .kind = PL_WHY_NOT_EXECUTABLE,
          .certain = true },
        { .name = "no space",
          .ender = PL_ENDER_ITSELF,
          .code = 1,
          .words = "write: No space left on device",
          .kind = PL_WHY_NO_SPACE,
          .says = "docker system df" },
        { .name = "no space, but it was killed",
          .ender = PL_ENDER_SIGKILL,
          .code = 137,
          .words = "write: No space left on device",
          .kind = PL_WHY_SIGKILL },
        { .name = "SIGSEGV",
          .ender = PL_ENDER_ITSELF,
          .code = 139,
          .kind = PL_WHY_CRASHED,
          .says = "SIGSEGV" },
        { .name = "SIGABRT", .ender = PL_ENDER_ITSELF, .code = 134, .kind = PL_WHY_CRASHED },
        { .name = "kill by a person",
          .ender = PL_ENDER_ITSELF,
          .code = 143,
          .kind = PL_WHY_SIGNAL,
          .says = "SIGTERM" },
        { .name = "kill -HUP",
          .ender = PL_ENDER_ITSELF,
          .code = 129,
          .kind = PL_WHY_SIGNAL,
          .says = "SIGHUP" },
        { .name = "exit 255 is no signal",
          .ender = PL_ENDER_ITSELF,
          .code = 255,
          .kind = PL_WHY_EXIT },
        { .name = "kill -9 by a person",
          .ender = PL_ENDER_SIGKILL,
          .code = 137,
          .kind = PL_WHY_SIGKILL,
          .says = "kill -9" },
        /* memory */
        { .name = "own limit",
          .ender = PL_ENDER_OOM,
          .code = 137,
          .victim = PL_OOM_VICTIM_MAIN,
          .oom = 99.9,
          .cause = PL_OOM_CAUSE_LIMIT,
          .kind = PL_WHY_MEMORY_LIMIT,
          .certain = true,
          .says = "MemoryMax=" },
        { .name = "own limit, told after the end",
          .ender = PL_ENDER_OOM,
          .code = 137,
          .victim = PL_OOM_VICTIM_MAIN,
          .oom = 100.1,
          .cause = PL_OOM_CAUSE_LIMIT,
          .kind = PL_WHY_MEMORY_LIMIT,
          .certain = true },
        { .name = "nobody names the victim",
          .ender = PL_ENDER_OOM,
          .code = 137,
          .oom = 99.9,
          .cause = PL_OOM_CAUSE_LIMIT,
          .kind = PL_WHY_MEMORY_LIMIT,
          .says = "/dev/kmsg" },
        { .name = "the engine's word alone",
          .ender = PL_ENDER_OOM,
          .code = 137,
          .kind = PL_WHY_MEMORY_LIMIT },
        { .name = "a kill of long ago",
          .ender = PL_ENDER_OOM,
          .code = 137,
          .victim = PL_OOM_VICTIM_MAIN,
          .oom = 10,
          .cause = PL_OOM_CAUSE_LIMIT,
          .kind = PL_WHY_MEMORY_LIMIT },
        { .name = "a parent's limit",
          .ender = PL_ENDER_OOM,
          .code = 137,
          .victim = PL_OOM_VICTIM_MAIN,
          .oom = 99.9,
          .cause = PL_OOM_CAUSE_PARENT,
          .kind = PL_WHY_PARENT_LIMIT,
          .certain = true },
        { .name = "the host's memory",
          .ender = PL_ENDER_HOST_OOM,
          .code = 137,
          .victim = PL_OOM_VICTIM_MAIN,
          .oom = 99.9,
          .cause = PL_OOM_CAUSE_HOST,
          .kind = PL_WHY_HOST_MEMORY,
          .certain = true },
        { .name = "… of an unknown victim",
          .ender = PL_ENDER_HOST_OOM,
          .code = 137,
          .oom = 99.9,
          .cause = PL_OOM_CAUSE_HOST,
          .kind = PL_WHY_HOST_MEMORY },
        { .name = "a child, and then the parent",
          .ender = PL_ENDER_ITSELF,
          .code = 1,
          .victim = PL_OOM_VICTIM_CHILD,
          .oom = 98,
          .cause = PL_OOM_CAUSE_LIMIT,
          .kind = PL_WHY_MEMORY_CHILD,
          .says = "another process in it" },
        { .name = "a shell that passes its child's 137 on",
          .ender = PL_ENDER_SIGKILL,
          .code = 137,
          .victim = PL_OOM_VICTIM_CHILD,
          .oom = 99.9,
          .cause = PL_OOM_CAUSE_LIMIT,
          .kind = PL_WHY_MEMORY_CHILD },
        { .name = "a child, and it went on well",
          .ender = PL_ENDER_ITSELF,
          .code = 0,
          .victim = PL_OOM_VICTIM_CHILD,
          .oom = 98,
          .cause = PL_OOM_CAUSE_LIMIT,
          .kind = PL_WHY_FINISHED },
        { .name = "a child an hour ago",
          .ender = PL_ENDER_ITSELF,
          .code = 1,
          .victim = PL_OOM_VICTIM_CHILD,
          .oom = 1,
          .cause = PL_OOM_CAUSE_LIMIT,
          .kind = PL_WHY_EXIT },
        { .name = "systemd-oomd",
          .ender = PL_ENDER_SIGKILL,
          .code = 137,
          .traces = { .oomd = "Killed /system.slice/docker-1.scope due to memory pressure",
                      .killed = true },
          .kind = PL_WHY_OOMD,
          .certain = true,
          .says = "due to memory pressure" },
        { .name = "systemd-oomd, which says only what it is about to do",
          .ender = PL_ENDER_SIGKILL,
          .code = 137,
          .traces = { .oomd = "Marked /system.slice/docker-1.scope for killing due to memory "
                              "used" },
          .kind = PL_WHY_OOMD,
          .says = "journalctl -u systemd-oomd" },
        { .name = "systemd-oomd, while nobody was looking",
          .ender = PL_ENDER_UNSEEN,
          .code = 137,
          .traces = { .oomd = "Killed /system.slice/docker-1.scope due to memory pressure" },
          .kind = PL_WHY_OOMD },
        { .name = "systemd-oomd killed another process of it",
          .ender = PL_ENDER_ITSELF,
          .code = 1,
          .traces = { .oomd = "Killed /system.slice/docker-1.scope/x due to memory pressure" },
          .kind = PL_WHY_EXIT,
          .says = "systemd-oomd: Killed" },
        { .name = "systemd-oomd's word, and docker kill",
          .ender = PL_ENDER_REQUEST,
          .code = 137,
          .kill = 99.9,
          .signal = 9,
          .traces = { .oomd = "Marked /system.slice/docker-1.scope for killing due to memory "
                              "used" },
          .kind = PL_WHY_KILLED },
        /* the kernel's line */
        { .name = "SIGSEGV, and the kernel says so",
          .ender = PL_ENDER_ITSELF,
          .code = 139,
          .traces = { .fault = "web[7010]: segfault at 0 ip 00005614f48a81ef" },
          .kind = PL_WHY_CRASHED,
          .certain = true,
          .says = "the kernel: web[7010]: segfault at 0" },
        { .name = "a trap, and the kernel says so",
          .ender = PL_ENDER_ITSELF,
          .code = 132,
          .traces = { .fault = "traps: web[7019] trap invalid opcode ip:5620a59c11fa" },
          .kind = PL_WHY_CRASHED,
          .certain = true },
        { .name = "SIGSEGV while nobody was looking, and the kernel says so",
          .ender = PL_ENDER_UNSEEN,
          .code = 139,
          .traces = { .fault = "web[7010]: segfault at 0 ip 00005614f48a81ef" },
          .kind = PL_WHY_CRASHED,
          .certain = true },
        { .name = "a crash, and no code of one",
          .ender = PL_ENDER_ITSELF,
          .code = 143,
          .traces = { .fault = "web[7010]: segfault at 0 ip 00005614f48a81ef" },
          .kind = PL_WHY_SIGNAL },
        /* through the engine */
        { .name = "docker stop",
          .ender = PL_ENDER_REQUEST,
          .code = 143,
          .term = 99.8,
          .signal = 15,
          .kind = PL_WHY_STOPPED,
          .certain = true },
        { .name = "docker stop, and it ends well",
          .ender = PL_ENDER_REQUEST,
          .code = 0,
          .term = 95,
          .signal = 15,
          .stopped = true,
          .kind = PL_WHY_STOPPED,
          .certain = true },
        { .name = "docker kill -s TERM, and it ends well, perhaps by itself",
          .ender = PL_ENDER_REQUEST,
          .code = 0,
          .term = 97.3,
          .signal = 15,
          .kind = PL_WHY_STOPPED },
        { .name = "docker kill -s USR1, and it ends",
          .ender = PL_ENDER_ITSELF,
          .code = 7,
          .usr1 = 99.9,
          .kind = PL_WHY_EXIT,
          .says = "the engine sent SIGUSR1 (docker kill -s) 100ms before the end" },
        { .name = "docker stop, exit code 1",
          .ender = PL_ENDER_REQUEST,
          .code = 1,
          .term = 99,
          .signal = 15,
          .kind = PL_WHY_STOPPED },
        { .name = "a SIGTERM of long ago",
          .ender = PL_ENDER_REQUEST,
          .code = 0,
          .term = 50,
          .signal = 15,
          .kind = PL_WHY_STOPPED },
        { .name = "docker stop, and somebody's kill -9",
          .ender = PL_ENDER_REQUEST,
          .code = 137,
          .term = 98,
          .signal = 15,
          .kind = PL_WHY_STOPPED },
        { .name = "docker kill -s INT",
          .ender = PL_ENDER_REQUEST,
          .code = 130,
          .term = 99.9,
          .signal = 2,
          .kind = PL_WHY_STOPPED,
          .says = "SIGINT" },
        { .name = "docker stop that timed out",
          .ender = PL_ENDER_TIMEOUT,
          .code = 137,
          .term = 89.9,
          .kill = 99.9,
          .signal = 9,
          .kind = PL_WHY_STOP_TIMEOUT,
          .certain = true,
          .says = "10s" },
        { .name = "docker stop -t 2, or a docker kill",
          .ender = PL_ENDER_TIMEOUT,
          .code = 137,
          .term = 97.9,
          .kill = 99.9,
          .signal = 9,
          .kind = PL_WHY_STOP_TIMEOUT },
        { .name = "docker kill",
          .ender = PL_ENDER_REQUEST,
          .code = 137,
          .kill = 99.9,
          .signal = 9,
          .kind = PL_WHY_KILLED,
          .certain = true },
        { .name = "docker kill, long before",
          .ender = PL_ENDER_REQUEST,
          .code = 137,
          .kill = 50,
          .signal = 9,
          .kind = PL_WHY_KILLED },
        { .name = "docker kill, and the kernel kills too",
          .ender = PL_ENDER_REQUEST,
          .code = 137,
          .kill = 99.9,
          .signal = 9,
          .victim = PL_OOM_VICTIM_MAIN,
          .oom = 99.9,
          .cause = PL_OOM_CAUSE_LIMIT,
          .kind = PL_WHY_KILLED },
        { .name = "docker stop by an engine that goes down",
          .ender = PL_ENDER_REQUEST,
          .code = 143,
          .term = 99.8,
          .signal = 15,
          .lost = 101,
          .kind = PL_WHY_ENGINE },
        { .name = "… which had to kill it",
          .ender = PL_ENDER_TIMEOUT,
          .code = 137,
          .term = 89.9,
          .kill = 99.9,
          .signal = 9,
          .lost = 103,
          .kind = PL_WHY_ENGINE },
        { .name = "the engine goes an hour later",
          .ender = PL_ENDER_REQUEST,
          .code = 143,
          .term = 99.8,
          .signal = 15,
          .lost = 3700,
          .kind = PL_WHY_STOPPED,
          .certain = true },
        { .name = "the engine was gone",
          .ender = PL_ENDER_ENGINE,
          .code = 137,
          .kind = PL_WHY_ENGINE,
          .says = "live-restore" },
        /* nobody saw it */
        { .name = "unseen, 0",
          .ender = PL_ENDER_UNSEEN,
          .kind = PL_WHY_FINISHED,
          .says = "finished by itself, or stopped" },
        { .name = "unseen, 137",
          .ender = PL_ENDER_UNSEEN,
          .code = 137,
          .kind = PL_WHY_SIGKILL,
          .says = "while nobody was looking (exit code 137): a docker stop that ran out" },
        { .name = "unseen, the code of the stop signal",
          .ender = PL_ENDER_UNSEEN,
          .code = 143,
          .kind = PL_WHY_STOPPED,
          .says = "most likely stopped on request" },
        { .name = "unseen, the code of another signal",
          .ender = PL_ENDER_UNSEEN,
          .code = 130,
          .kind = PL_WHY_SIGNAL },
        { .name = "unseen, a crash",
          .ender = PL_ENDER_UNSEEN,
          .code = 139,
          .kind = PL_WHY_CRASHED },
        { .name = "unseen, 1", .ender = PL_ENDER_UNSEEN, .code = 1, .kind = PL_WHY_EXIT },
        { .name = "unseen, 127", .ender = PL_ENDER_UNSEEN, .code = 127, .kind = PL_WHY_NOT_FOUND },
        { .name = "unseen, and it runs again",
          .ender = PL_ENDER_NONE,
          .kind = PL_WHY_UNKNOWN,
          .says = "keeps no exit code" },
};

static void ask(size_t i, PlWhy *ret) {
        PlOomReport oom = { .time_usec = S(rows[i].oom),
                            .cause = rows[i].cause,
                            .victim = "python3",
                            .limit_bytes = MIB(64),
                            .usage_bytes = MIB(64) };
        PlEnding e = { .ender = rows[i].ender,
                       .exit_code = rows[i].code,
                       .end_usec = S(END),
                       .term_usec = rows[i].term > 0 ? S(rows[i].term) : 0,
                       .kill_usec = rows[i].kill > 0 ? S(rows[i].kill) : 0,
                       .signal = rows[i].signal,
                       .asides = { .stop_usec = rows[i].stopped ? S(END) : 0,
                                   .signal_usec = rows[i].usr1 > 0 ? S(rows[i].usr1) : 0,
                                   .signal = SIGUSR1 },
                       .victim = rows[i].victim,
                       .stop.timeout_usec = 10 * PL_USEC_PER_SEC };
        PlWhyFacts f = { .ending = &e,
                         .oom = rows[i].oom > 0 ? &oom : NULL,
                         .words = rows[i].words,
                         .traces = &rows[i].traces,
                         .start_failed = rows[i].start_failed,
                         .engine_usec = rows[i].lost > 0 ? S(rows[i].lost) : 0 };

        if (rows[i].cause == PL_OOM_CAUSE_HOST)
                e.host_oom_usec = S(rows[i].oom);
        else if (rows[i].oom > 0)
                e.oom_usec = S(rows[i].oom);
        pl_why(&f, ret);
}

START_TEST(why) {
        PlWhy w;

        ask((size_t)_i, &w);
        ck_assert_msg(w.kind == rows[_i].kind, "%s: %s (%s)", rows[_i].name,
                      pl_why_to_string(w.kind), w.what);
        ck_assert_msg(w.certain == rows[_i].certain, "%s: %s", rows[_i].name,
                      w.certain ? "certain" : "likely");
        ck_assert_msg(*w.what && *w.evidence, "%s: %s", rows[_i].name, w.what);
        /* what is not certain says what would settle it */
        ck_assert_msg(w.certain == !*w.would, "%s: %s", rows[_i].name, w.would);
        if (rows[_i].says)
                ck_assert_msg(strstr(w.what, rows[_i].says) || strstr(w.evidence, rows[_i].says) ||
                                              strstr(w.would, rows[_i].says) ||
                                              strstr(w.advice, rows[_i].says),
                              "%s: %s / %s / %s / %s", rows[_i].name, w.what, w.evidence, w.would,
                              w.advice);
}
END_TEST

START_TEST(own_restart) {
        PlEnding e = { .ender = PL_ENDER_PLIMSOLL,
                       .exit_code = 137,
                       .end_usec = S(END),
                       .own = { .usec = S(99), .until_usec = S(200), .term_usec = S(99.1) } };
        PlWhyFacts f = { .ending = &e, .reason = "connection refused" };
        PlWhy w;

        pl_why(&f, &w);
        ck_assert(w.kind == PL_WHY_PLIMSOLLD && w.certain);
        ck_assert_ptr_nonnull(strstr(w.what, "connection refused"));
        e.own.unsure = true;
        e.own.term_usec = 0;
        pl_why(&f, &w);
        ck_assert(w.kind == PL_WHY_PLIMSOLLD && !w.certain);
}
END_TEST

/* Evidence is cut, never spilt. */
START_TEST(long_words) {
        char words[4096];
        PlEnding e = { .ender = PL_ENDER_ITSELF, .exit_code = 1, .end_usec = S(END) };
        PlOomTraces traces = { 0 };
        PlWhyFacts f = { .ending = &e, .words = words, .traces = &traces, .reason = words };
        PlWhy w;

        memset(words, 'x', sizeof(words) - 1);
        words[sizeof(words) - 1] = '\0';
        memset(traces.oomd, 'x', sizeof(traces.oomd) - 1);
        memset(traces.fault, 'x', sizeof(traces.fault) - 1);
        pl_why(&f, &w);
        ck_assert_uint_lt(strlen(w.evidence), PL_WHY_EVIDENCE_MAX);
        e.ender = PL_ENDER_PLIMSOLL;
        pl_why(&f, &w);
        ck_assert_uint_lt(strlen(w.what), PL_WHY_WHAT_MAX);
}
END_TEST

START_TEST(names) {
        for (PlWhyKind k = 0; k < _PL_WHY_N; k++)
                ck_assert_int_eq(pl_why_from_string(pl_why_to_string(k)), k);
        ck_assert_int_eq(pl_why_from_string("nonsense"), PL_WHY_UNKNOWN);
        ck_assert_int_eq(pl_why_from_string(NULL), PL_WHY_UNKNOWN);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("why");

        tcase_add_loop_test(t, why, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, own_restart);
        tcase_add_test(t, long_words);
        tcase_add_test(t, names);
        return run_case(t);
}
