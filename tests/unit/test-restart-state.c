/* SPDX-License-Identifier: Apache-2.0 */

/* What of restarts is back after a start of plimsolld, and that it is the same that was there. */

#include "lib/health/restart-state.h"

#include <errno.h>

#include "registry/state.h"
#include "tmp.h"

#define SEC PL_USEC_PER_SEC
#define MIN PL_USEC_PER_MIN
#define ID  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const uint64_t now = 50000 * SEC, real = 1767225600 * SEC;

/* A restart that was under way goes on, too. */
START_TEST(course_goes_on) {
        static const char boot[] = ",\"since\":99999999999999,";
        PlRestart r = { .stage = PL_RESTART_SENT,
                        .sent = PL_RESTART_STOP,
                        .sent_usec = now - SEC,
                        .ran_usec = real,
                        .since_usec = now - SEC,
                        .until_usec = now + 20 * SEC,
                        .gave_up = true,
                        .gave_up_usec = now - MIN,
                        .booked = true },
                  back;
        PlEnding e = { .ender = PL_ENDER_PLIMSOLL, .own = { real, real + MIN } }, e_back;
        _cleanup_free_ char *text = NULL, *later = NULL;
        char *since;

        ck_assert_int_eq(pl_restart_state_format(&r, &e, &text), 0);
        ck_assert_int_eq(pl_restart_state_parse(text, strlen(text), now, &back, &e_back), 0);
        ck_assert(memcmp(&r, &back, sizeof(r)) == 0);
        ck_assert_uint_eq(e_back.own.usec, real);
        ck_assert_uint_eq(e_back.own.until_usec, real + MIN);
        pl_restart_recall(&back, now);
        ck_assert_int_eq(back.stage, PL_RESTART_UNSURE);
        /* … also beyond a boot, where nobody is at it any more: what was stopped has to be started
         */
        since = strstr(text, ",\"since\":");
        ck_assert_ptr_nonnull(since);
        ck_assert_int_ge(asprintf(&later, "%.*s%s%s", (int)(since - text), text, boot,
                                  strchr(since + 1, ',') + 1),
                         0);
        ck_assert_int_eq(pl_restart_state_parse(later, strlen(later), now, &back, &e_back), 0);
        ck_assert_int_eq(back.stage, PL_RESTART_SENT);
        ck_assert_uint_eq(back.since_usec, now);
        ck_assert_uint_eq(back.until_usec, now);
}
END_TEST

static void round_trip(const PlRestart *r, const PlEnding *e, PlRestart *ret_r, PlEnding *ret_e) {
        _cleanup_free_ char *text = NULL, *again = NULL;

        ck_assert_int_eq(pl_restart_state_format(r, e, &text), 0);
        ck_assert_int_eq(pl_restart_state_parse(text, strlen(text), now, ret_r, ret_e), 0);
        ck_assert_int_eq(pl_restart_state_format(ret_r, ret_e, &again), 0);
        ck_assert_str_eq(text, again);
}

/* A budget goes on where it was, however often plimsolld starts, and so does the backoff. */
START_TEST(budget_goes_on) {
        PlRestart r = { 0 }, back;
        PlEnding e = { 0 }, unused;
        PlBudget budget = { _i ? 40 : 3, 5 * PL_USEC_PER_HOUR };
        PlRestartRules rules = { PL_ON_UNHEALTHY_RESTART, budget };
        PlRestartFacts broken = { .broken = true, .phase = PL_PHASE_EXITED };
        unsigned n = 0, limit = PL_MIN(budget.n, (unsigned)PL_RESTART_TIMES_MAX);
        uint64_t at = now - 4 * PL_USEC_PER_HOUR, until = 0;
        PlRestartVerb verb;

        while ((verb = pl_restart_step(&r, &rules, &broken, at, 0, &until)) != PL_RESTART_GIVE_UP) {
                if (verb == PL_RESTART_WAIT)
                        at = until;
                if (verb == PL_RESTART_QUEUE) {
                        ck_assert_int_eq(pl_restart_turn(&r, &rules, &broken, at),
                                         PL_RESTART_START);
                        pl_restart_answered(&r, -EIO, at, 0);
                        n++;
                }
                round_trip(&r, &e, &back, &unused);
                ck_assert_uint_eq(back.streak, r.streak);
                r = back;
        }
        ck_assert_uint_eq(n, limit);
        round_trip(&r, &e, &back, &unused);
        ck_assert(back.gave_up);
        ck_assert_uint_eq(pl_restart_count(&back, &budget, at), limit);
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
        PlEnding e = { .ender = rows[_i].before, .exit_code = 3, .end_usec = real + SEC / 100 };
        PlEnding back;
        PlRestart r = { 0 }, unused;

        if (e.ender == PL_ENDER_NONE) {
                e.end_usec = 0;
                pl_ending_own(&e, real, real + 25 * SEC);
        }
        round_trip(&r, &e, &unused, &back);
        pl_ending_inspect(&back, &c, real + 2 * MIN);
        ck_assert_msg(back.ender == rows[_i].after, "%s: %d", rows[_i].name, back.ender);
}
END_TEST

/* Of a boot before this one, the machine's clock began anew. */
START_TEST(times_of_another_boot) {
        PlRestart r = { .times_usec = { now + MIN, now - MIN }, .n_times = 2 }, back;
        PlBudget budget = { 3, 60 * MIN };
        PlEnding e = { 0 }, unused;
        _cleanup_free_ char *text = NULL;

        r.not_before_usec = now + 60 * MIN;
        ck_assert_int_eq(pl_restart_state_format(&r, &e, &text), 0);
        ck_assert_int_eq(pl_restart_state_parse(text, strlen(text), now, &back, &unused), 0);
        ck_assert_uint_eq(pl_restart_count(&back, &budget, now), 1);
        ck_assert_uint_eq(back.not_before_usec, 0);
}
END_TEST

#define END(by)               \
        "\"end\":{\"by\":" by \
        ",\"exit_code\":3,\"signal\":0,\"at\":5,\"term\":0,\"kill\":0,\"own\":0}"
#define REST "\"streak\":1,\"not_before\":0,\"gave_up\":false,\"fired\":false,"

static const struct {
        const char *text;
        int r;
} files[] = {
        { "{\"times\":[5]," REST END("1") "}", 0 },
        { "{\"times\":[],\"more\":{}," REST END("8") "}", 0 },
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
        PlRestart r;
        PlEnding e;
        int k = pl_restart_state_parse(files[_i].text, strlen(files[_i].text), now, &r, &e);

        ck_assert_msg(k == files[_i].r, "%s: %d", files[_i].text, k);
        if (k == 0)
                ck_assert_uint_eq(r.streak, 1);
}
END_TEST

START_TEST(goes_with_the_container) {
        PlRestart r = { .streak = 2 };
        PlEnding e = { .exit_code = 3 };
        PlStateDir *d = NULL;

        tmp_make("/tmp");
        ck_assert_int_eq(pl_state_dir_open(tmp, NULL, NULL, &d), 0);
        ck_assert_int_eq(pl_state_dir_load_restart(d, ID, now, &r, &e), -ENOENT);
        ck_assert_int_eq(pl_state_dir_save_restart(d, ID, &r, &e), 0);
        r.streak = 0;
        ck_assert_int_eq(pl_state_dir_load_restart(d, ID, now, &r, &e), 0);
        ck_assert_uint_eq(r.streak, 2);
        ck_assert_int_eq(pl_state_dir_save_restart(d, "../x", &r, &e), -EINVAL);
        pl_state_dir_forget(d, ID);
        ck_assert_int_eq(pl_state_dir_load_restart(d, ID, now, &r, &e), -ENOENT);
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
        tcase_add_loop_test(t, reads_a_file, 0, PL_ARRAY_SIZE(files));
        tcase_add_test(t, goes_with_the_container);
        return run_case(t);
}
