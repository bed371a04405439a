/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Endings: who ended a container, from scripts of events; crash loops; events that were lost.
 */

#include "lib/health/ending.h"
#include "lib/probe/verdict.h"
#include "unit.h"

#define SEC PL_USEC_PER_SEC
#define MIN PL_USEC_PER_MIN

/*
 * Events, one letter and half a second each:
 *   s start   t kill 15   k kill 9   h kill 1 (SIGHUP)   u kill, signal unknown   o oom event   O
 * the kernel's record, own limit G the kernel's record, the host   x stop   p our own stop   F the
 * engine says that it failed   L the engine is lost meanwhile   _ a minute   . nothing   < two
 * seconds back: what follows comes late   0 1 v n: die with 0, 1, 139, 137     i inspect says:
 * exited I and OOMKilled   q kill 3 (SIGQUIT)   Q inspect says: SIGQUIT stops it   W and only after
 * 10 s   z pause   Z unpause   y inspect says: paused   g the engine goes   b another one is back
 *   U the answer to our own is lost   V our restart has come to its end   j inspect says: another
 * run, begun a moment ago, exited   J … runs   e inspect says: exited, under always, and the engine
 * could not start it
 */
/* clang-format off */
static const struct {
        const char *name, *events;
        PlEnder ender;
        bool requested;
        const char *text;
} endings[] = {
        { "runs", "s", PL_ENDER_NONE, false, "" },
        { "finishes", "s0", PL_ENDER_ITSELF, false, "finished with exit code 0" },
        { "fails", "s1", PL_ENDER_ITSELF, false, "by itself with exit code 1" },
        { "segfault", "sv", PL_ENDER_ITSELF, false, "139 (SIGSEGV" },
        { "docker stop", "st0x", PL_ENDER_REQUEST, true, "stopped on request, exit code 0" },
        { "docker stop, stop event lost", "st0", PL_ENDER_REQUEST, true, "stopped on request" },
        { "docker stop, kill event lost", "s0x", PL_ENDER_REQUEST, true, "stopped on request" },
        { "docker stop with another STOPSIGNAL", "sh0x", PL_ENDER_REQUEST, true, "on request" },
        { "docker stop, had to be killed", "stkn", PL_ENDER_TIMEOUT, true, "within the stop timeout" },
        { "docker stop twice seen", "sttkknnxx", PL_ENDER_TIMEOUT, true, "stop timeout" },
        { "docker kill", "skn", PL_ENDER_REQUEST, true, "killed on request (docker kill)" },
        { "docker kill of an ill container", "soOk1", PL_ENDER_REQUEST, true, "on request" },
        { "podman stop", "sx1", PL_ENDER_REQUEST, true, "stopped on request, exit code 1" },
        { "podman stop, die event lost", "sxi", PL_ENDER_UNSEEN, true, "while nobody was watching" },
        { "podman kill", "sun", PL_ENDER_REQUEST, true, "stopped on request" },
        { "a reload, then a crash", "sh__1", PL_ENDER_ITSELF, false, "exit code 1" },
        { "an old SIGTERM, ignored", "st____________1", PL_ENDER_ITSELF, false, "exit code 1" },
        { "own limit", "sOn", PL_ENDER_OOM, false, "memory limit" },
        { "own limit, engine's word", "son", PL_ENDER_OOM, false, "memory limit" },
        { "own limit, engine's word late", "sno", PL_ENDER_OOM, false, "memory limit" },
        { "own limit, kernel's word late", "snO", PL_ENDER_OOM, false, "memory limit" },
        { "a worker died, main gave up with 1", "sO1", PL_ENDER_ITSELF, false,
          "ended by itself with exit code 1, right after the kernel killed a process of it for lack of "
          "memory" },
        { "a worker died, main gave up later", "sO.......1", PL_ENDER_ITSELF, false,
          "by itself with exit code 1, 4s after the kernel killed a process of it for lack of memory" },
        { "a worker died, main gave up, engine's word alone", "so.......1", PL_ENDER_ITSELF, false,
          "by itself with exit code 1, 4s after the kernel killed" },
        { "a worker died for the host, main gave up", "sG..1", PL_ENDER_ITSELF, false,
          "1s after the kernel killed a process of it for lack of memory on the host" },
        { "a worker died long ago", "sO_.1", PL_ENDER_ITSELF, false, "by itself with exit code 1" },
        { "a worker died, the kernel's word late", "s1O", PL_ENDER_ITSELF, false, "right after the kernel" },
        { "a worker was the victim, and main passes its code on", "scn", PL_ENDER_SIGKILL, false,
          "ended with exit code 137, right after the kernel killed a process of it" },
        { "main was the victim", "sMn", PL_ENDER_OOM, false, "memory limit" },
        { "an old kill of a worker, then a kill -9", "sc_.n", PL_ENDER_SIGKILL, false, "kill -9" },
        { "137 long after a kill of unknown whom", "sO..........n", PL_ENDER_SIGKILL, false,
          "exit code 137, 5s after the kernel killed" },
        { "oom long ago", "sO_n", PL_ENDER_SIGKILL, false, "kill -9" },
        { "oom, but it finished well", "sO0", PL_ENDER_ITSELF, false, "finished" },
        { "the host", "sGn", PL_ENDER_HOST_OOM, false, "host itself ran out" },
        { "the host, and the engine's word", "sGon", PL_ENDER_HOST_OOM, false, "host itself" },
        { "the host, the engine's word first", "soGn", PL_ENDER_HOST_OOM, false, "host itself" },
        { "the host, the kernel's word late", "sonG", PL_ENDER_HOST_OOM, false, "host itself" },
        { "the host, inspected", "sGoniI", PL_ENDER_HOST_OOM, false, "host itself" },
        { "own limit, inspected alone", "sI", PL_ENDER_OOM, false, "memory limit" },
        { "137 from nowhere", "sn", PL_ENDER_SIGKILL, false,
          "exit code 137, not through the engine, and no lack of memory was seen: a SIGKILL from outside (kill "
          "-9 on the host) or the program's own code, which look the same" },
        { "its start comes late", ".1<<s", PL_ENDER_ITSELF, false, "by itself with exit code 1" },
        { "its start comes late, stopped", ".t0x<<<s", PL_ENDER_REQUEST, true, "on request" },
        { "the last run's stop comes late", "s.s<<<t", PL_ENDER_NONE, false, "" },
        { "the last run's end comes late", "s.s<<<1", PL_ENDER_NONE, false, "" },
        { "the last run's end and stop come late", "s....s<<<t0x", PL_ENDER_NONE, false, "" },
        { "our own", "sptk1x", PL_ENDER_PLIMSOLL, false, "by plimsolld" },
        { "our own, then a crash", "sptk1xs1", PL_ENDER_ITSELF, false, "by itself" },
        { "our own, its start failed", "sptk1xF", PL_ENDER_PLIMSOLL, false, "by plimsolld" },
        { "… and its events come after the answer", "sp....F<tn", PL_ENDER_PLIMSOLL, false, "plimsolld" },
        { "our own failed, then a crash", "spF_1", PL_ENDER_ITSELF, false, "by itself" },
        { "our own failed, then docker stop", "spF_t0x", PL_ENDER_REQUEST, true, "on request" },
        { "our own, inspected before its events", "spi", PL_ENDER_PLIMSOLL, false, "by plimsolld" },
        { "our own, in its own way", "sQpq0", PL_ENDER_PLIMSOLL, false, "by plimsolld" },
        { "our own, a reload meanwhile", "sphtk1x", PL_ENDER_PLIMSOLL, false, "by plimsolld" },
        { "our own, after its stop timeout", "sWpt....................kn", PL_ENDER_PLIMSOLL, false,
          "by plimsolld" },
        { "docker stop during our own", "sptt0", PL_ENDER_REQUEST, true, "on request" },
        { "docker stop just before our own", "stpt0x", PL_ENDER_REQUEST, true, "on request" },
        { "docker stop during our own, its event comes late", "spt..0<t", PL_ENDER_REQUEST, true,
          "on request" },
        { "docker stop during our own, known by its stop event", "spt0xx", PL_ENDER_REQUEST, true,
          "on request" },
        { "docker stop in its own way during our own", "sQpqq0", PL_ENDER_REQUEST, true, "on request" },
        { "docker kill during our own", "sWptkn", PL_ENDER_REQUEST, true, "killed on request" },
        { "docker kill -s QUIT during our own", "sptq0", PL_ENDER_REQUEST, true, "on request" },
        { "the engine went after the first half", "spLi", PL_ENDER_PLIMSOLL, false, "by plimsolld" },
        { "the engine went, somebody else was there", "spL_i", PL_ENDER_UNSEEN, true, "nobody" },
        { "stopped, started, crashed", "st0xs1", PL_ENDER_ITSELF, false, "by itself" },
        { "ended with the engine", "sg....b<i", PL_ENDER_ENGINE, false,
          "ended with the engine, which was gone, exit code 137" },
        { "paused by a person, and ended with the engine", "szg....b<i", PL_ENDER_ENGINE, true,
          "with the engine" },
        { "paused for a moment, and ended with the engine", "szZg....b<i", PL_ENDER_ENGINE, false,
          "with the engine" },
        { "killed by the next engine", "sg......b<tni", PL_ENDER_ENGINE, false, "with the engine" },
        { "killed by the next engine, all told", "sg......b<tnx", PL_ENDER_ENGINE, false, "with the engine" },
        { "stopped by the next engine", "sg......b<t0x", PL_ENDER_ENGINE, false, "with the engine" },
        { "stopped before the engine went", "st0xg....b", PL_ENDER_REQUEST, true, "on request" },
        { "being stopped when the engine went", "stg......b<n", PL_ENDER_REQUEST, true, "on request" },
        { "stopped after the engine came back", "sg....bt0x", PL_ENDER_REQUEST, true, "on request" },
        { "ended unseen after the engine came back", "sg....b..i", PL_ENDER_UNSEEN, true, "nobody" },
        { "the engine hung, and is the same", "sg......<tnx", PL_ENDER_REQUEST, true, "on request" },
        { "paused before plimsolld came, and ended with the engine", "yg....b<i", PL_ENDER_ENGINE, true,
          "with the engine" },
        { "its pause is told again when it is over", "s.z..Z<zg....b<i", PL_ENDER_ENGINE, false,
          "with the engine" },
        { "paused, and our own ends it", "spzt0x", PL_ENDER_PLIMSOLL, true, "by plimsolld" },
        { "paused for a moment, told after our own has ended it", "s....pt0x<<zZ", PL_ENDER_PLIMSOLL,
          false, "by plimsolld" },
        { "docker kill, told after its end", "s....n<k", PL_ENDER_REQUEST, true, "killed on request" },
        { "docker stop, told after its end", "s....0<t", PL_ENDER_REQUEST, true, "on request" },
        { "docker kill, and its start told again", "s..k<s...n", PL_ENDER_REQUEST, true, "on request" },
        { "our own, its answer lost", "spUt0x", PL_ENDER_PLIMSOLL, false, "by plimsolld" },
        { "our own, its answer and events lost", "spU.......iV", PL_ENDER_UNSEEN, true, "nobody" },
        { "… and its events come late", "spU.......i<<<t.0V", PL_ENDER_PLIMSOLL, false, "by plimsolld" },
        { "our own never came there, and it ended by itself", "spU.......1V", PL_ENDER_ITSELF, false,
          "by itself" },
        { "… inspected before", "spU.......i<1V", PL_ENDER_ITSELF, false, "by itself" },
        { "our own never came there, docker stop", "spU.......t0x", PL_ENDER_REQUEST, true, "on request" },
        { "our own never came there, docker stop, kill event lost", "spU.......0x", PL_ENDER_REQUEST,
          true, "on request" },
        { "our own never came there, stopped right then between two runs", "spU1x", PL_ENDER_REQUEST,
          true, "on request" },
        { "our own, had to be killed, told last to first", "WspU........................kn<<<<<<<<t",
          PL_ENDER_PLIMSOLL, false, "by plimsolld" },
        { "our own between two runs, told again without an answer", "spi1xU<.x", PL_ENDER_PLIMSOLL, false,
          "by plimsolld" },
        { "a crash, and another run that nobody saw", "s1j", PL_ENDER_UNSEEN, true, "nobody" },
        { "our own, and another run that nobody saw", "spt0..j", PL_ENDER_UNSEEN, true, "nobody" },
        { "shut down with its engine, which cannot start it again", "st0xg......be", PL_ENDER_ENGINE,
          false, "with the engine" },
        { "… and told of its signal alone", "stg..i....be", PL_ENDER_ENGINE, false, "with the engine" },
        { "… and told nobody of it", "sig......be", PL_ENDER_ENGINE, false, "with the engine" },
        { "… had to be killed", "stknxg......be", PL_ENDER_ENGINE, false, "with the engine" },
        { "… paused by a person", "szt0xg......be", PL_ENDER_ENGINE, true, "with the engine" },
        { "stopped long before the engine went, which cannot start it", "st0x_g......be",
          PL_ENDER_REQUEST, true, "on request" },
        { "stopped after the engine came back, and cannot be started", "sg....bt0xe", PL_ENDER_REQUEST,
          true, "on request" },
        { "stopped, and cannot be started", "st0xe", PL_ENDER_REQUEST, true, "on request" },
        { "not seen ending", "si", PL_ENDER_UNSEEN, true, "while nobody was watching" },
        { "seen late", "sin", PL_ENDER_SIGKILL, false, "137" },
};
/* clang-format on */

static void event(PlEnding *e, PlEventAction action, int number, uint64_t at) {
        PlEvent ev = {
                .action = action, .time_nsec = at * 1000, .exit_code = number, .signal = number
        };

        pl_ending_event(e, &ev);
}

static void watch(PlEnding *e, const PlContainer *c, uint64_t at) {
        PlContainer running = *c;

        running.phase = PL_PHASE_RUNNING;
        running.pid = 7;
        pl_ending_inspect(e, &running, at);
}

/* clang-format off */
static uint64_t play(PlEnding *e, const char *events) {
        uint64_t at = 1767225600 * SEC;
        uint64_t lost = 0;
        PlContainer c = { .phase = PL_PHASE_EXITED, .exit_code = 137 };

        for (const char *p = events; *p; p++, at += SEC / 2)
                switch (*p) {
                case 's': event(e, PL_EVENT_START, 0, at); break;
                case 't': event(e, PL_EVENT_KILL, 15, at); break;
                case 'k': event(e, PL_EVENT_KILL, 9, at); break;
                case 'h': event(e, PL_EVENT_KILL, 1, at); break;
                case 'u': event(e, PL_EVENT_KILL, 0, at); break;
                case 'o': event(e, PL_EVENT_OOM, 0, at); break;
                case 'O': pl_ending_oom(e, PL_OOM_VICTIM_UNKNOWN, false, at); break;
                case 'M': pl_ending_oom(e, PL_OOM_VICTIM_MAIN, false, at); break;
                case 'c': pl_ending_oom(e, PL_OOM_VICTIM_CHILD, false, at); break;
                case 'G': pl_ending_oom(e, PL_OOM_VICTIM_UNKNOWN, true, at); break;
                case 'z': event(e, PL_EVENT_PAUSE, 0, at); break;
                case 'Z': event(e, PL_EVENT_UNPAUSE, 0, at); break;
                case 'y': c.phase = PL_PHASE_PAUSED; c.pid = 7; pl_ending_inspect(e, &c, at);
                        c.phase = PL_PHASE_EXITED; c.pid = 0; break;
                case 'U': pl_ending_own_unsure(e); break;
                case 'V': pl_ending_own_over(e, at); break;
                case 'J': c.started_usec = at - SEC / 10; watch(e, &c, at); break;
                case 'j': c.started_usec = at - SEC / 10; c.finished_usec = at;
                        pl_ending_inspect(e, &c, at); break;
                case 'e': c.start_failed = true; c.host.restart_policy = (char *)"always";
                        pl_ending_inspect(e, &c, at); break;
                case 'g': lost = at; break;
                case 'b': pl_ending_engine(e, lost, at); break;
                case 'x': event(e, PL_EVENT_STOP, 0, at); break;
                case 'p': pl_ending_own(e, at, at + 5 * MIN); break;
                case 'F': pl_ending_own_until(e, at); break;
                case 'L': pl_ending_own_until(e, at + 15 * SEC); break;
                case '.': break;
                case 'q': event(e, PL_EVENT_KILL, 3, at); break;
                case 'Q': c.stop.signal = 3; watch(e, &c, at); break;
                case 'W': c.stop.timeout_usec = 10 * SEC; watch(e, &c, at); break;
                case '_': at += MIN; break;
                case '<': at -= 2 * SEC; break;
                case '0': event(e, PL_EVENT_DIE, 0, at); break;
                case '1': event(e, PL_EVENT_DIE, 1, at); break;
                case 'v': event(e, PL_EVENT_DIE, 139, at); break;
                case 'n': event(e, PL_EVENT_DIE, 137, at); break;
                case 'I': c.oom_killed = true; /* fall through */
                case 'i': c.finished_usec = at; pl_ending_inspect(e, &c, at); break;
                default: ck_abort();
                }
        return at;
}
/* clang-format on */

START_TEST(ending) {
        PlEnding e = { 0 };
        char text[PL_REASON_MAX];

        (void)play(&e, endings[_i].events);
        (void)pl_ending_describe(&e, text, sizeof(text));
        ck_assert_msg(e.ender == endings[_i].ender, "%s: ender %d (%s)", endings[_i].name, e.ender,
                      text);
        ck_assert_msg(pl_ending_was_requested(&e) == endings[_i].requested, "%s", endings[_i].name);
        ck_assert_msg(strstr(text, endings[_i].text) && (*text || !*endings[_i].text), "%s: %s",
                      endings[_i].name, text);
}
END_TEST

/* Is its end wanted, while it runs or after it? */
START_TEST(requested) {
        static const struct {
                const char *events;
                bool requested;
        } rows[] = {
                { "s", false },     { "st", true },
                { "sk", true },     { "sh", false },
                { "st_", true },    { "st____________", false }, /* it does not mean to */
                { "sts", false },   { "sptk", false },           /* our own */
                { "sptkF", false }, { "spx", false }, /* Podman tells of it before the end */
                { "sx", true },     { "sptkF_t", true },
                { "st0x", true },   { "s1", false },
                { "stJ", false },   { "s..k<s", true }, /* another run; the same start again */
        };
        PlEnding e = { 0 };
        uint64_t at = play(&e, rows[_i].events);

        ck_assert_msg(pl_ending_is_requested(&e, at) == rows[_i].requested, "%s", rows[_i].events);
}
END_TEST

START_TEST(crash_loops) {
        static const struct {
                const char *name;
                unsigned n_dies;
                uint64_t apart_usec, later_usec;
                bool running;
                unsigned crashes;
                int exit_code;
                const char *policy;
        } rows[] = {
                { "three good ends under no", 3, SEC, SEC, false, 0, 0, "no" },
                { "three good ends under on-failure", 3, SEC, SEC, false, 0, 0, "on-failure" },
                { "three ends with 0 of what should not end", 3, SEC, SEC, false, 3, 0, "always" },
                { "three bad ends under no", 3, SEC, SEC, false, 3, 1, "no" },
                { "two ends", 2, SEC, SEC, false, 0, 1 },
                { "three ends", 3, SEC, SEC, false, 3, 1 },
                { "running just now", 3, SEC, SEC, true, 3, 1 },
                { "running for long", 3, SEC, 61 * SEC, true, 0, 1 },
                { "ends far apart", 5, 3 * MIN, SEC, false, 0, 1 },
                { "long ago", 5, SEC, 6 * MIN, false, 0, 1 },
                { "more than the ring holds", 99, SEC, SEC, false, 16, 1 },
        };
        PlEnding e = { 0 };
        uint64_t at = 1767225600 * SEC;

        watch(&e, &(PlContainer){ .host.restart_policy = (char *)rows[_i].policy }, at);
        for (unsigned i = 0; i < rows[_i].n_dies; i++, at += rows[_i].apart_usec) {
                event(&e, PL_EVENT_START, 0, at);
                event(&e, PL_EVENT_DIE, rows[_i].exit_code, at + SEC / 10);
        }
        at -= rows[_i].apart_usec;
        if (rows[_i].running)
                event(&e, PL_EVENT_START, 0, at + SEC / 5);
        ck_assert_msg(pl_ending_crashes(&e, rows[_i].running, at + rows[_i].later_usec) ==
                                      rows[_i].crashes,
                      "%s: %u", rows[_i].name,
                      pl_ending_crashes(&e, rows[_i].running, at + rows[_i].later_usec));
}
END_TEST

/* Events were lost; RestartCount tells. */
START_TEST(restart_count_makes_up) {
        PlEnding e = { 0 };
        PlContainer c = { .phase = PL_PHASE_RUNNING, .pid = 7, .restart_count = 2 };
        uint64_t at = 1767225600 * SEC;

        pl_ending_inspect(&e, &c, at);
        ck_assert_uint_eq(pl_ending_crashes(&e, false, at), 0);
        c.restart_count = 5;
        c.started_usec = at + SEC;
        pl_ending_inspect(&e, &c, at + SEC);
        ck_assert_uint_eq(pl_ending_crashes(&e, true, at + 2 * SEC), 3);
        /* said once */
        pl_ending_inspect(&e, &c, at + 2 * SEC);
        ck_assert_uint_eq(pl_ending_crashes(&e, true, at + 3 * SEC), 3);
}
END_TEST

/* What the engine tells besides is of one run. */
START_TEST(asides) {
        PlEnding e = { 0 };
        uint64_t at = 1767225600 * SEC;
        PlEvent usr1 = { .action = PL_EVENT_KILL, .signal = 10, .time_nsec = (at + SEC) * 1000 };

        event(&e, PL_EVENT_START, 0, at);
        pl_ending_event(&e, &usr1);
        ck_assert_int_eq(e.asides.signal, 10);
        ck_assert_uint_eq(e.asides.signal_usec, at + SEC);
        ck_assert_uint_eq(e.term_usec, 0);
        event(&e, PL_EVENT_KILL, 15, at + 2 * SEC);
        event(&e, PL_EVENT_DIE, 0, at + 3 * SEC);
        ck_assert_uint_eq(e.asides.stop_usec, 0);
        event(&e, PL_EVENT_STOP, 0, at + 4 * SEC);
        ck_assert_uint_eq(e.asides.stop_usec, at + 4 * SEC);
        event(&e, PL_EVENT_START, 0, at + 5 * SEC);
        ck_assert(e.asides.stop_usec == 0 && e.asides.signal_usec == 0);
}
END_TEST

/* The pid of one run is never taken for another one's. */
START_TEST(process_of_the_run) {
        PlEnding e = { 0 };
        uint64_t at = 1767225600 * SEC;
        PlContainer c = { .phase = PL_PHASE_RUNNING, .pid = 7, .started_usec = at };

        event(&e, PL_EVENT_START, 0, at);
        ck_assert_int_eq(e.main_pid, 0);
        pl_ending_inspect(&e, &c, at + SEC);
        ck_assert_int_eq(e.main_pid, 7);
        event(&e, PL_EVENT_DIE, 139, at + 2 * SEC);
        c.phase = PL_PHASE_EXITED;
        c.pid = 0;
        c.finished_usec = at + 2 * SEC;
        pl_ending_inspect(&e, &c, at + 3 * SEC);
        ck_assert_int_eq(e.main_pid, 7);
        /* it runs again, and ends before anybody has looked */
        event(&e, PL_EVENT_START, 0, at + 4 * SEC);
        event(&e, PL_EVENT_DIE, 139, at + 5 * SEC);
        ck_assert_int_eq(e.main_pid, 0);
        /* … which an inspection alone tells */
        c.started_usec = at + 6 * SEC;
        c.finished_usec = at + 7 * SEC;
        e.main_pid = 7;
        pl_ending_inspect(&e, &c, at + 8 * SEC);
        ck_assert_int_eq(e.main_pid, 0);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("tables");

        tcase_add_loop_test(t, ending, 0, PL_ARRAY_SIZE(endings));
        tcase_add_loop_test(t, requested, 0, 16);
        tcase_add_loop_test(t, crash_loops, 0, 11);
        tcase_add_test(t, restart_count_makes_up);
        tcase_add_test(t, asides);
        tcase_add_test(t, process_of_the_run);
        return run_case(t);
}
