/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Course: see the header.
 */

#include "lib/health/course.h"

#include <errno.h>

static uint64_t realtime_of(PlNow now, uint64_t monotonic_usec) {
        return now.realtime_usec + monotonic_usec - now.monotonic_usec;
}

PlRestartVerb pl_course_step(PlCourse *c, const PlRestartRules *rules, const PlRestartFacts *facts,
                             PlNow now, uint32_t random, uint64_t *ret_usec) {
        PlRestart *r = &c->restart;
        bool was = pl_restart_is_under_way(r);
        PlRestartVerb verb = pl_restart_step(r, rules, facts, now.monotonic_usec, random, ret_usec);

        if (was && !pl_restart_is_under_way(r))
                pl_ending_own_over(&c->ending, now.realtime_usec);
        return verb;
}

PlRestartVerb pl_course_turn(PlCourse *c, const PlRestartRules *rules, const PlRestartFacts *facts,
                             PlNow now) {
        PlRestartVerb verb = pl_restart_turn(&c->restart, rules, facts, now.monotonic_usec);

        if (verb == PL_RESTART_STOP || verb == PL_RESTART_WHOLE)
                pl_ending_own(&c->ending, now.realtime_usec,
                              realtime_of(now, c->restart.until_usec + PL_COURSE_ANSWER_USEC));
        return verb;
}

void pl_course_answered(PlCourse *c, int error, PlNow now, uint32_t random) {
        PlRestart *r = &c->restart;
        PlEnding *e = &c->ending;
        bool sent = r->stage == PL_RESTART_SENT;

        pl_restart_answered(r, error, now.monotonic_usec, random);
        if (!sent)
                return;
        if (error == -EALREADY)
                pl_ending_not_own(e);
        if (r->stage == PL_RESTART_UNSURE) {
                pl_ending_own_unsure(e);
                pl_ending_own_until(e, realtime_of(now, r->until_usec));
        } else if (r->stage == PL_RESTART_IDLE) {
                pl_ending_own_until(e, now.realtime_usec);
        }
}

void pl_course_recall(PlCourse *c, uint64_t now_usec) {
        pl_restart_recall(&c->restart, now_usec);
        if (c->restart.stage == PL_RESTART_UNSURE)
                pl_ending_own_unsure(&c->ending);
}

uint64_t pl_course_look_since(const PlCourse *c, const PlInspected *i, uint64_t realtime_usec) {
        bool own = pl_restart_is_under_way(&c->restart) && c->ending.own.usec > 0;
        uint64_t since = own ? PL_MIN(c->ending.own.usec, realtime_usec) : realtime_usec;
        uint64_t stop = PL_MIN(i->stop_timeout_usec, PL_USEC_PER_HOUR);

        if (i->phase == PL_PHASE_EXITED && i->finished_usec > stop)
                since = PL_MIN(since, i->finished_usec - stop);
        if (i->started_usec < realtime_usec)
                since = PL_MAX(since, i->started_usec);
        return since - PL_COURSE_LOOK_USEC;
}

static bool is_started_anew(const PlCourse *c, const char *restart_policy) {
        bool engine = *restart_policy && !pl_streq(restart_policy, "no");

        return !pl_restart_is_under_way(&c->restart) &&
               (pl_ending_was_requested(&c->ending) || (c->restart.gave_up && !engine));
}

void pl_course_event(PlCourse *c, const char *restart_policy, const PlEvent *event) {
        if (pl_ending_is_late(&c->ending, event))
                return;
        if (event->action == PL_EVENT_START && is_started_anew(c, restart_policy))
                pl_restart_forgive(&c->restart);
        pl_ending_event(&c->ending, event);
}

static bool has_restart_moved(const PlRestart *was, const PlRestart *r) {
        return r->n_times != was->n_times || r->streak != was->streak ||
               r->not_before_usec != was->not_before_usec || r->gave_up != was->gave_up ||
               r->fired != was->fired || r->stage != was->stage || r->sent != was->sent;
}

static bool has_ending_moved(const PlEnding *was, const PlEnding *e) {
        return e->ender != was->ender || e->term_usec != was->term_usec ||
               e->kill_usec != was->kill_usec || e->paused_usec != was->paused_usec ||
               e->own.term_usec != was->own.term_usec || e->own.stop_usec != was->own.stop_usec;
}

static bool has_proof_moved(const PlProof *was, const PlProof *p) {
        return p->ran_usec != was->ran_usec || p->asked != was->asked || p->was_up != was->was_up ||
               p->passed != was->passed || p->ever_up != was->ever_up;
}

bool pl_course_has_moved(const PlCourse *was, const PlCourse *c) {
        return has_restart_moved(&was->restart, &c->restart) ||
               has_ending_moved(&was->ending, &c->ending) ||
               has_proof_moved(&was->proof, &c->proof);
}
