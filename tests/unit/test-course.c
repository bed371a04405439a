/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Courses: how far back a look goes, and what is worth a write. The rest of it is lived through in
 * test-lives.
 */

#include "lib/health/course.h"
#include "unit.h"

#define SEC PL_USEC_PER_SEC
#define MIN PL_USEC_PER_MIN

static const uint64_t now = 1767225600 * SEC;

START_TEST(look_since) {
        static const struct {
                const char *name;
                uint64_t started_ago, ended_ago, stop_usec, own_ago; /* 0: it has not */
                uint64_t since_ago;
        } rows[] = {
                { "it runs", 60 * MIN, 0, 10 * SEC, 0, 10 * SEC },
                { "it runs since just now", 2 * SEC, 0, 10 * SEC, 0, 10 * SEC },
                { "we stop it", 60 * MIN, 0, 10 * SEC, 5 * SEC, 15 * SEC },
                { "it has ended: somebody may have stopped it before", 60 * MIN, 20 * SEC, 10 * SEC,
                  0, 40 * SEC },
                { "… which takes long", 60 * MIN, 20 * SEC, 5 * MIN, 0, 5 * MIN + 30 * SEC },
                { "… and not before it ran", MIN, 20 * SEC, 5 * MIN, 0, MIN + 10 * SEC },
                { "we have stopped it", 60 * MIN, 20 * SEC, 10 * SEC, 25 * SEC, 40 * SEC },
                { "we had stopped it, and it runs again", 3 * SEC, 0, 10 * SEC, 2 * MIN, 13 * SEC },
                { "it never ran", 0, 0, 10 * SEC, 0, 10 * SEC },
        };
        PlCourse c = { .restart.stage = rows[_i].own_ago ? PL_RESTART_LOOKS : PL_RESTART_IDLE };
        PlInspected i = { .phase = rows[_i].ended_ago ? PL_PHASE_EXITED : PL_PHASE_RUNNING,
                          .stop_timeout_usec = rows[_i].stop_usec };
        uint64_t since;

        if (rows[_i].started_ago > 0)
                i.started_usec = now - rows[_i].started_ago;
        if (rows[_i].ended_ago > 0)
                i.finished_usec = now - rows[_i].ended_ago;
        if (rows[_i].own_ago > 0)
                c.ending.own.usec = now - rows[_i].own_ago;
        since = pl_course_look_since(&c, &i, now);
        ck_assert_msg(since == now - rows[_i].since_ago, "%s: %.1f s ago", rows[_i].name,
                      (double)(now - since) / SEC);
}
END_TEST

/* What the next plimsolld has to know is written when it changes, and nothing else is. */
START_TEST(has_moved) {
        static const struct {
                const char *name;
                PlCourse c;
                bool moved;
        } rows[] = {
                { "nothing", { .restart.since_usec = 1 }, false },
                { "a look", { .restart.looking_usec = 1 }, false },
                { "a stage", { .restart.stage = PL_RESTART_WAITS }, true },
                { "a restart", { .restart.n_times = 1 }, true },
                { "given up", { .restart.gave_up = true }, true },
                { "an end", { .ending.ender = PL_ENDER_ITSELF }, true },
                { "a person's stop under way", { .ending.term_usec = 1 }, true },
                { "a person's kill", { .ending.kill_usec = 1 }, true },
                { "a person's pause", { .ending.paused_usec = 1 }, true },
                { "the engine has got our stop", { .ending.own.term_usec = 1 }, true },
                { "an OOM kill", { .ending.oom_usec = 1 }, false },
                { "it was up", { .proof.was_up = true }, true },
                { "another run", { .proof.ran_usec = 1 }, true },
                { "another probe", { .proof.asked = 1 }, true },
        };
        PlCourse was = { 0 };

        ck_assert_msg(pl_course_has_moved(&was, &rows[_i].c) == rows[_i].moved, "%s",
                      rows[_i].name);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("course");

        tcase_add_loop_test(t, look_since, 0, 9);
        tcase_add_loop_test(t, has_moved, 0, 14);
        return run_case(t);
}
