/* SPDX-License-Identifier: Apache-2.0 */

/* What of restarts is back after a start of plimsolld, and that it is the same that was there. */

#include "lib/health/restart-state.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fs.h"
#include "registry/state.h"
#include "tmp.h"

#define SEC PL_USEC_PER_SEC
#define MIN PL_USEC_PER_MIN
#define ID  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const uint64_t now = 50000 * SEC, real = 1767225600 * SEC;

/* A restart that was under way goes on, too. */
START_TEST(course_goes_on) {
        static const char boot[] = ",\"since\":99999999999999,";
        PlCourse c = { .restart = { .stage = PL_RESTART_SENT,
                                    .sent = PL_RESTART_STOP,
                                    .sent_usec = now - SEC,
                                    .ran_usec = real,
                                    .since_usec = now - SEC,
                                    .until_usec = now + 20 * SEC,
                                    .gave_up = true,
                                    .gave_up_usec = now - MIN,
                                    .booked = true },
                       .ending = { .ender = PL_ENDER_PLIMSOLL,
                                   .paused_usec = real + 2,
                                   .stop = { 3, 20 * SEC },
                                   .own = { real, real + MIN, .term_usec = real + 1,
                                            .stop_usec = real + 3 } },
                       .proof = { real, 77, .was_up = true, .ever_up = true } },
                 back;
        _cleanup_free_ char *text = NULL, *later = NULL;
        char *since;

        ck_assert_int_eq(pl_restart_state_format(&c, &text), 0);
        ck_assert_int_eq(pl_restart_state_parse(text, strlen(text), now, &back), 0);
        ck_assert(memcmp(&c.restart, &back.restart, sizeof(c.restart)) == 0);
        ck_assert_uint_eq(back.ending.own.usec, real);
        ck_assert_uint_eq(back.ending.own.until_usec, real + MIN);
        ck_assert_uint_eq(back.ending.own.term_usec, real + 1);
        ck_assert_uint_eq(back.ending.own.stop_usec, real + 3);
        ck_assert_uint_eq(back.ending.paused_usec, real + 2);
        ck_assert_int_eq(back.ending.stop.signal, 3);
        ck_assert_uint_eq(back.ending.stop.timeout_usec, 20 * SEC);
        ck_assert_uint_eq(back.proof.ran_usec, real);
        ck_assert_uint_eq(back.proof.asked, 77);
        ck_assert(back.proof.was_up && back.proof.ever_up && !back.proof.passed);
        pl_course_recall(&back, now);
        ck_assert_int_eq(back.restart.stage, PL_RESTART_UNSURE);
        ck_assert(back.ending.own.unsure);
        /* … also beyond a boot, where nobody is at it any more: what was stopped has to be started
         */
        since = strstr(text, ",\"since\":");
        ck_assert_ptr_nonnull(since);
        ck_assert_int_ge(asprintf(&later, "%.*s%s%s", (int)(since - text), text, boot,
                                  strchr(since + 1, ',') + 1),
                         0);
        ck_assert_int_eq(pl_restart_state_parse(later, strlen(later), now, &back), 0);
        ck_assert_int_eq(back.restart.stage, PL_RESTART_SENT);
        ck_assert_uint_eq(back.restart.since_usec, now);
        ck_assert_uint_eq(back.restart.until_usec, now);
}
END_TEST

static void round_trip(const PlCourse *c, PlCourse *ret) {
        _cleanup_free_ char *text = NULL, *again = NULL;

        ck_assert_int_eq(pl_restart_state_format(c, &text), 0);
        ck_assert_int_eq(pl_restart_state_parse(text, strlen(text), now, ret), 0);
        ck_assert_int_eq(pl_restart_state_format(ret, &again), 0);
        ck_assert_str_eq(text, again);
}

/* A budget goes on where it was, however often plimsolld starts, and so does the backoff. */
START_TEST(budget_goes_on) {
        PlCourse c = { 0 }, back;
        PlRestart *r = &c.restart;
        PlBudget budget = { _i ? 40 : 3, 5 * PL_USEC_PER_HOUR };
        PlRestartRules rules = { PL_ON_UNHEALTHY_RESTART, budget };
        PlRestartFacts broken = { .broken = true, .phase = PL_PHASE_EXITED };
        unsigned n = 0, limit = PL_MIN(budget.n, (unsigned)PL_RESTART_TIMES_MAX);
        uint64_t at = now - 4 * PL_USEC_PER_HOUR, until = 0;
        PlRestartVerb verb;

        while ((verb = pl_restart_step(r, &rules, &broken, at, 0, &until)) != PL_RESTART_GIVE_UP) {
                if (verb == PL_RESTART_WAIT)
                        at = until;
                if (verb == PL_RESTART_QUEUE) {
                        ck_assert_int_eq(pl_restart_turn(r, &rules, &broken, at), PL_RESTART_START);
                        pl_restart_answered(r, -EIO, at, 0);
                        n++;
                }
                round_trip(&c, &back);
                ck_assert_uint_eq(back.restart.streak, r->streak);
                c = back;
        }
        ck_assert_uint_eq(n, limit);
        round_trip(&c, &back);
        ck_assert(back.restart.gave_up);
        ck_assert_uint_eq(pl_restart_count(&back.restart, &budget, at), limit);
}
END_TEST

/* How it ended is known again, unless it has ended anew meanwhile. */
START_TEST(end_goes_on) {
        static const struct {
                const char *name;
                uint64_t later_usec; /* when inspect says that it ended */
                PlPhase phase;
                PlEnder before, after;
        } rows[] = {
                { "crashed", 0, PL_PHASE_EXITED, PL_ENDER_ITSELF, PL_ENDER_ITSELF },
                { "stopped", 0, PL_PHASE_EXITED, PL_ENDER_REQUEST, PL_ENDER_REQUEST },
                { "our own restart", 0, PL_PHASE_EXITED, PL_ENDER_PLIMSOLL, PL_ENDER_PLIMSOLL },
                { "and ended again", MIN, PL_PHASE_EXITED, PL_ENDER_ITSELF, PL_ENDER_UNSEEN },
                { "plimsolld went between the halves of a restart", 6 * SEC, PL_PHASE_EXITED,
                  PL_ENDER_NONE, PL_ENDER_PLIMSOLL },
                { "and somebody else was there", MIN, PL_PHASE_EXITED, PL_ENDER_NONE,
                  PL_ENDER_UNSEEN },
                { "runs again", 0, PL_PHASE_RUNNING, PL_ENDER_ITSELF, PL_ENDER_NONE },
        };
        PlContainer c = { .phase = rows[_i].phase,
                          .pid = rows[_i].phase == PL_PHASE_RUNNING ? 7 : 0,
                          .exit_code = 3,
                          .finished_usec = real + rows[_i].later_usec };
        PlCourse was = { .ending = { .ender = rows[_i].before,
                                     .exit_code = 3,
                                     .end_usec = real + SEC / 100 } },
                 back;

        if (was.ending.ender == PL_ENDER_NONE) {
                was.ending.end_usec = 0;
                pl_ending_own(&was.ending, real, real + 25 * SEC);
        }
        round_trip(&was, &back);
        pl_ending_inspect(&back.ending, &c, real + 2 * MIN);
        ck_assert_msg(back.ending.ender == rows[_i].after, "%s: %d", rows[_i].name,
                      back.ending.ender);
}
END_TEST

/* Of a boot before this one, the machine's clock began anew. */
START_TEST(times_of_another_boot) {
        PlCourse c = { .restart = { .times_usec = { now + MIN, now - MIN }, .n_times = 2 } }, back;
        PlBudget budget = { 3, 60 * MIN };
        _cleanup_free_ char *text = NULL;

        c.restart.not_before_usec = now + 60 * MIN;
        ck_assert_int_eq(pl_restart_state_format(&c, &text), 0);
        ck_assert_int_eq(pl_restart_state_parse(text, strlen(text), now, &back), 0);
        ck_assert_uint_eq(pl_restart_count(&back.restart, &budget, now), 1);
        ck_assert_uint_eq(back.restart.not_before_usec, 0);
}
END_TEST

/* Its times may be low enough to look like this boot's. */
START_TEST(all_of_another_boot) {
        PlCourse c = { .restart = { .times_usec = { now - MIN, now }, .n_times = 2 } }, back;
        PlBudget budget = { 3, 60 * MIN };
        _cleanup_free_ char *text = NULL;

        c.restart.not_before_usec = MIN;
        c.restart.gave_up = true;
        c.restart.gave_up_usec = now - MIN;
        c.restart.streak = 4;
        ck_assert_int_eq(pl_restart_state_format(&c, &text), 0);
        ck_assert_int_eq(pl_restart_state_parse(text, strlen(text), 0, &back), 0);
        ck_assert_uint_eq(pl_restart_count(&back.restart, &budget, now), 0);
        ck_assert_uint_eq(back.restart.not_before_usec, 0);
        ck_assert(!back.restart.gave_up);
        ck_assert_uint_eq(back.restart.streak, 0);
}
END_TEST

#define END(by)               \
        "\"end\":{\"by\":" by \
        ",\"exit_code\":3,\"signal\":0,\"at\":5,\"term\":0,\"kill\":0,\"own\":0}"
#define COURSE                                                                                \
        "\"course\":{\"stage\":3,\"sent\":5,\"sent_at\":1,\"ran\":1,\"since\":1,\"until\":2," \
        "\"booked\":false}"
#define REST "\"streak\":1,\"not_before\":0,\"gave_up\":false,\"fired\":false,"

static const struct {
        const char *text;
        int r;
} files[] = {
        { "{\"times\":[5]," REST END("1") "}", 0 },
        { "{\"times\":[],\"more\":{}," REST END("8") "}", 0 },
        /* of the version before this one: nothing is proven */
        { "{\"times\":[5]," REST COURSE "," END("1") "}", 0 },
        { "{\"times\":[]," REST END("1") ",\"proof\":{\"ran\":-1}}", -EBADMSG },
        { "", -EBADMSG },
        { "[]", -EBADMSG },
        { "{\"times\":[5]," REST END("99") "}", -EBADMSG },
        { "{\"times\":[5]," REST END("-1") "}", -EBADMSG },
        { "{\"times\":[-5]," REST END("1") "}", -EBADMSG },
        { "{\"times\":[1.5]," REST END("1") "}", -EBADMSG },
        { "{\"times\":{}," REST END("1") "}", -EBADMSG },
        { "{\"times\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,"
          "29,30,31,32,33]," REST END("1") "}",
          -EBADMSG },
        { "{\"times\":[]," REST "\"end\":null}", -EBADMSG },
        { "{\"times\":[],\"streak\":-1,\"not_before\":0,\"gave_up\":false,\"fired\":false," END(
                          "1") "}",
          -EBADMSG },
};

START_TEST(reads_a_file) {
        PlCourse c;
        int k = pl_restart_state_parse(files[_i].text, strlen(files[_i].text), now, &c);

        ck_assert_msg(k == files[_i].r, "%s: %d", files[_i].text, k);
        if (k == 0)
                ck_assert_uint_eq(c.restart.streak, 1);
        if (k == 0)
                ck_assert_uint_eq(c.proof.ran_usec, 0);
}
END_TEST

static void written_in_another_boot(void) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        char *boot;
        size_t size = 0;
        FILE *f;

        ck_assert_int_ge(asprintf(&path, "%s/containers/%s.restart", tmp, ID), 0);
        ck_assert_int_eq(pl_fs_read(AT_FDCWD, path, KIB(64), &text, &size), 0);
        boot = strstr(text, "\"boot\":\"");
        ck_assert_ptr_nonnull(boot);
        boot += strlen("\"boot\":\"");
        *boot = *boot == '0' ? '1' : '0';
        f = fopen(path, "we");
        ck_assert_ptr_nonnull(f);
        ck_assert_uint_eq(fwrite(text, 1, size, f), size);
        ck_assert_int_eq(fclose(f), 0);
}

START_TEST(goes_with_the_container) {
        PlCourse c = { .restart = { .streak = 2 }, .ending = { .exit_code = 3 } };
        PlStateDir *d = NULL;

        tmp_make("/tmp");
        ck_assert_int_eq(pl_state_dir_open(tmp, NULL, NULL, &d), 0);
        ck_assert_int_eq(pl_state_dir_load_restart(d, ID, now, &c), -ENOENT);
        ck_assert_int_eq(pl_state_dir_save_restart(d, ID, &c), 0);
        c.restart.streak = 0;
        ck_assert_int_eq(pl_state_dir_load_restart(d, ID, now, &c), 0);
        ck_assert_uint_eq(c.restart.streak, 2);
        written_in_another_boot();
        ck_assert_int_eq(pl_state_dir_load_restart(d, ID, now, &c), 0);
        ck_assert_uint_eq(c.restart.streak, 0);
        ck_assert_int_eq(pl_state_dir_save_restart(d, "../x", &c), -EINVAL);
        pl_state_dir_forget(d, ID);
        ck_assert_int_eq(pl_state_dir_load_restart(d, ID, now, &c), -ENOENT);
        pl_state_dir_free(d);
        tmp_remove();
}
END_TEST

int main(void) {
        TCase *t = tcase_create("restart-state");

        tcase_add_loop_test(t, budget_goes_on, 0, 2);
        tcase_add_loop_test(t, end_goes_on, 0, 7);
        tcase_add_test(t, course_goes_on);
        tcase_add_test(t, times_of_another_boot);
        tcase_add_test(t, all_of_another_boot);
        tcase_add_loop_test(t, reads_a_file, 0, PL_ARRAY_SIZE(files));
        tcase_add_test(t, goes_with_the_container);
        return run_case(t);
}
