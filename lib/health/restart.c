/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Restart: see the header. The cool-off is the budget's window: a service must be healthy for that
 * long before its backoff is reset, or before we try again after giving up.
 */

#include "lib/health/restart.h"

#include <errno.h>

uint64_t pl_restart_engine_turn(const PlContainer *c, bool requested, uint64_t realtime_usec) {
        const char *policy = c->host.restart_policy ? c->host.restart_policy : "";
        uint64_t since;
        bool due;

        if (c->phase == PL_PHASE_RESTARTING)
                return PL_TIME_INFINITY;
        if (c->phase != PL_PHASE_EXITED || requested)
                return 0;
        /* moby, restartmanager: only "on-failure" looks at the exit code */
        due = pl_streq(policy, "always") || pl_streq(policy, "unless-stopped") ||
              (pl_startswith(policy, "on-failure") && c->exit_code != 0);
        since = realtime_usec > c->finished_usec ? realtime_usec - c->finished_usec : 0;
        return due && since < PL_RESTART_ENGINE_USEC ? PL_RESTART_ENGINE_USEC - since : 0;
}

/* --- budget and backoff --- */

unsigned pl_restart_count(const PlRestart *r, const PlBudget *budget, uint64_t now_usec) {
        unsigned n = 0;

        for (unsigned i = 0; i < PL_MIN(r->n_times, (unsigned)PL_RESTART_TIMES_MAX); i++)
                n += now_usec - r->times_usec[i] < budget->window_usec;
        return n;
}

static uint64_t backoff(unsigned streak, uint32_t random) {
        uint64_t usec = PL_RESTART_BACKOFF_USEC;

        while (streak-- > 1 && usec < PL_RESTART_BACKOFF_MAX_USEC)
                usec *= 2;
        usec = PL_MIN(usec, PL_RESTART_BACKOFF_MAX_USEC);
        return usec + usec / 5 * random / UINT32_MAX;
}

/* The engine has done something. Once per restart: what it did last says from when it counts. */
static void book(PlRestart *r, uint64_t now_usec, uint32_t random) {
        if (r->booked && r->n_times > 0) {
                r->times_usec[(r->n_times - 1) % PL_RESTART_TIMES_MAX] = now_usec;
        } else {
                r->times_usec[r->n_times++ % PL_RESTART_TIMES_MAX] = now_usec;
                if (r->n_times == 2 * PL_RESTART_TIMES_MAX)
                        r->n_times = PL_RESTART_TIMES_MAX;
                r->streak++;
        }
        r->booked = true;
        r->not_before_usec = now_usec + backoff(r->streak, random);
}

void pl_restart_inherit(PlRestart *r, const uint64_t *times_usec, size_t n, uint64_t realtime_usec,
                        uint64_t now_usec) {
        for (size_t i = 0; i < PL_MIN(n, (size_t)PL_RESTART_TIMES_MAX); i++) {
                /* in a clock that was set back since, it is to come */
                uint64_t age = realtime_usec > times_usec[i] ? realtime_usec - times_usec[i] : 0;

                if (age < now_usec) /* otherwise it was before this boot */
                        r->times_usec[r->n_times++] = now_usec - age;
        }
}

bool pl_restart_was_for(const PlRestart *r, uint64_t started_usec) {
        return r->booked && r->ran_usec == started_usec;
}

void pl_restart_forgive(PlRestart *r) {
        *r = (PlRestart){
                .stage = r->stage,
                .sent = r->sent,
                .ran_usec = r->ran_usec,
                .since_usec = r->since_usec,
                .until_usec = r->until_usec,
                .sent_usec = r->sent_usec,
                .looking_usec = r->looking_usec,
        };
}

/* --- whether, and when --- */

/* What the rules say, and nothing is changed. Return: WAIT, GIVE_UP, UNIT, NOTHING, or QUEUE. */
static PlRestartVerb judge(const PlRestart *r, const PlRestartRules *rules, const PlRestartFacts *f,
                           uint64_t now_usec, uint64_t *ret_usec) {
        unsigned limit = PL_MIN(rules->budget.n, (unsigned)PL_RESTART_TIMES_MAX);
        bool unit = rules->action == PL_ON_UNHEALTHY_UNIT;
        /* a unit may be just an alarm, which needs no proof */
        bool cause = f->broken || (f->part && !unit) || (f->failing && unit);
        uint64_t due = PL_MAX(r->not_before_usec, f->engine_until_usec);

        if (rules->action == PL_ON_UNHEALTHY_NONE || !cause || f->stale || f->requested ||
            r->gave_up || (unit && r->fired))
                return PL_RESTART_NOTHING;
        if (due == PL_TIME_INFINITY)
                return PL_RESTART_NOTHING; /* the next phase decides */
        if (now_usec < due) {
                *ret_usec = due;
                return PL_RESTART_WAIT;
        }
        if (unit)
                return PL_RESTART_UNIT;
        return pl_restart_count(r, &rules->budget, now_usec) >= limit ? PL_RESTART_GIVE_UP
                                                                      : PL_RESTART_QUEUE;
}

static void enter(PlRestart *r, PlRestartStage stage, uint64_t now_usec) {
        r->stage = stage;
        r->since_usec = now_usec;
        r->looking_usec = 0;
}

static PlRestartVerb decide(PlRestart *r, const PlRestartRules *rules, const PlRestartFacts *f,
                            uint64_t now_usec, uint32_t random, uint64_t *ret_usec) {
        PlRestartVerb verb;
        bool measure;

        if (f->healthy && !f->part) {
                r->fired = false;
                if (now_usec - f->healthy_since_usec >= rules->budget.window_usec) {
                        r->streak = 0;
                        r->gave_up = false;
                }
                return PL_RESTART_NOTHING;
        }
        verb = judge(r, rules, f, now_usec, ret_usec);
        switch (verb) {
        case PL_RESTART_GIVE_UP:
                r->gave_up = true;
                r->gave_up_usec = now_usec;
                return verb;
        case PL_RESTART_UNIT:
                r->booked = false;
                book(r, now_usec, random);
                r->fired = true;
                return verb;
        case PL_RESTART_QUEUE:
                r->booked = false;
                /* an answer of its own says nothing against it where it is part of another one */
                measure = f->measurable && !f->part;
                enter(r, measure ? PL_RESTART_MEASURES : PL_RESTART_WAITS, now_usec);
                return measure ? PL_RESTART_MEASURE : verb;
        default:
                return verb;
        }
}

/* Is the reason still there? Waiting for the backoff or for the engine is none. */
static bool is_wanted(const PlRestart *r, const PlRestartRules *rules, const PlRestartFacts *f,
                      uint64_t now_usec) {
        uint64_t until;

        return (!f->healthy || f->part) && judge(r, rules, f, now_usec, &until) == PL_RESTART_QUEUE;
}

/* --- in the middle of it --- */

static PlRestartVerb wait_until(uint64_t usec, uint64_t *ret_usec) {
        *ret_usec = usec;
        return PL_RESTART_WAIT;
}

/* There was none since a time that counts. */
static PlRestartVerb look(PlRestart *r, uint64_t since_usec, uint64_t now_usec,
                          uint64_t *ret_usec) {
        if (r->looking_usec >= since_usec && r->looking_usec > 0 &&
            now_usec < r->looking_usec + PL_RESTART_LOOK_USEC)
                return wait_until(r->looking_usec + PL_RESTART_LOOK_USEC, ret_usec);
        r->looking_usec = now_usec;
        return PL_RESTART_LOOK;
}

/* Nothing more is to be done about it. */
static PlRestartVerb end(PlRestart *r, uint64_t now_usec) {
        enter(r, PL_RESTART_IDLE, now_usec);
        return PL_RESTART_NOTHING;
}

/* It has ended, and nobody has started it since. */
static PlRestartVerb after_end(PlRestart *r, const PlRestartFacts *f, uint64_t now_usec,
                               uint32_t random, uint64_t *ret_usec) {
        uint64_t settled = r->since_usec + PL_RESTART_SETTLE_USEC;

        if (!f->end_told && now_usec < settled)
                return wait_until(settled, ret_usec);
        if (r->sent != PL_RESTART_START && !f->own_end)
                return end(r, now_usec); /* by itself: what follows is decided anew */
        if (r->sent != PL_RESTART_START && !r->booked)
                book(r, now_usec, random);
        if (r->sent != PL_RESTART_STOP) {
                /* The engine may still go on with a start. What it was stopped for has to be
                 * finished, whatever the budget says, but ever more slowly. */
                uint64_t due = PL_MAX(r->until_usec, r->not_before_usec);

                if (now_usec < due)
                        return wait_until(due, ret_usec);
                r->not_before_usec = now_usec + backoff(++r->streak, random);
        }
        r->sent = PL_RESTART_START;
        r->until_usec = now_usec + PL_RESTART_UNSURE_USEC;
        r->sent_usec = now_usec;
        enter(r, PL_RESTART_SENT, now_usec);
        return PL_RESTART_START;
}

/* It runs on, and the engine may still be at it; not for long, if its first signal was not heard
 * of. */
static PlRestartVerb while_it_runs(PlRestart *r, const PlRestartFacts *f, uint64_t now_usec,
                                   uint64_t *ret_usec) {
        uint64_t until =
                        f->received ? r->until_usec
                                    : PL_MIN(r->until_usec, r->sent_usec + PL_RESTART_RECEIVE_USEC);

        if (now_usec < until)
                return wait_until(until, ret_usec);
        if (f->looked_usec >= until)
                return end(r, now_usec); /* the engine did nothing */
        return look(r, until, now_usec, ret_usec);
}

/* The stop was answered, or whatever it was is without an answer. */
static PlRestartVerb go_on(PlRestart *r, const PlRestartFacts *f, uint64_t now_usec,
                           uint32_t random, uint64_t *ret_usec) {
        if (f->looked_usec <= r->since_usec)
                return look(r, r->since_usec, now_usec, ret_usec);
        if (f->started_usec != r->ran_usec && r->sent == PL_RESTART_NOTHING)
                return end(r, now_usec);
        /* whoever has started it, and whatever a person does to the new run: the engine did what it
         * was asked for */
        if (f->started_usec != r->ran_usec) {
                book(r, now_usec, random);
                enter(r, PL_RESTART_DONE, f->looked_usec - 1); /* and seen */
                return PL_RESTART_NOTHING;
        }
        if (f->requested)
                return end(r, now_usec);
        switch (f->phase) {
        case PL_PHASE_EXITED:
                return after_end(r, f, now_usec, random, ret_usec);
        case PL_PHASE_RUNNING:
        case PL_PHASE_RESTARTING:
        case PL_PHASE_PAUSED: /* by a person, and the engine is at our stop all the same */
                return while_it_runs(r, f, now_usec, ret_usec);
        default: /* somebody removes it */
                return end(r, now_usec);
        }
}

static PlRestartVerb after_start(PlRestart *r, const PlRestartFacts *f, uint64_t now_usec,
                                 uint64_t *ret_usec) {
        if (f->looked_usec <= r->since_usec)
                return look(r, r->since_usec, now_usec, ret_usec);
        if (f->requested || (f->started_usec != r->ran_usec && f->judged))
                return end(r, now_usec);
        if (f->started_usec != r->ran_usec)
                return PL_RESTART_NOTHING;
        if (now_usec < r->since_usec + PL_RESTART_UNSURE_USEC)
                return wait_until(r->since_usec + PL_RESTART_UNSURE_USEC, ret_usec);
        return end(r, now_usec); /* there is no new run after all */
}

static PlRestartVerb under_way(PlRestart *r, const PlRestartRules *rules, const PlRestartFacts *f,
                               uint64_t now_usec, uint32_t random, uint64_t *ret_usec) {
        switch (r->stage) {
        case PL_RESTART_MEASURES:
                if (!is_wanted(r, rules, f, now_usec))
                        return end(r, now_usec);
                if (f->measurable && f->measured_usec <= r->since_usec)
                        return PL_RESTART_NOTHING;
                enter(r, PL_RESTART_WAITS, now_usec);
                return PL_RESTART_QUEUE;
        case PL_RESTART_WAITS:
                if (is_wanted(r, rules, f, now_usec))
                        return PL_RESTART_NOTHING;
                (void)end(r, now_usec);
                return PL_RESTART_CANCEL;
        case PL_RESTART_LOOKS:
        case PL_RESTART_UNSURE:
                return f->stale ? PL_RESTART_NOTHING : go_on(r, f, now_usec, random, ret_usec);
        case PL_RESTART_DONE:
                return f->stale ? PL_RESTART_NOTHING : after_start(r, f, now_usec, ret_usec);
        default:
                return PL_RESTART_NOTHING;
        }
}

PlRestartVerb pl_restart_step(PlRestart *r, const PlRestartRules *rules,
                              const PlRestartFacts *facts, uint64_t now_usec, uint32_t random,
                              uint64_t *ret_usec) {
        for (;;) {
                PlRestartStage stage = r->stage;
                PlRestartVerb verb;

                if (stage == PL_RESTART_IDLE)
                        return decide(r, rules, facts, now_usec, random, ret_usec);
                verb = under_way(r, rules, facts, now_usec, random, ret_usec);
                if (verb != PL_RESTART_NOTHING || r->stage == stage)
                        return verb;
        }
}

PlRestartVerb pl_restart_turn(PlRestart *r, const PlRestartRules *rules,
                              const PlRestartFacts *facts, uint64_t now_usec) {
        uint64_t stop = facts->phase == PL_PHASE_EXITED
                                        ? 0
                                        : PL_MIN(facts->stop_timeout_usec, PL_USEC_PER_DAY);

        if (r->stage != PL_RESTART_WAITS || !is_wanted(r, rules, facts, now_usec))
                return PL_RESTART_NOTHING;
        r->sent = facts->phase == PL_PHASE_EXITED ? PL_RESTART_START
                  : facts->whole                  ? PL_RESTART_WHOLE
                                                  : PL_RESTART_STOP;
        r->ran_usec = facts->started_usec;
        r->until_usec = now_usec + stop + PL_RESTART_UNSURE_USEC;
        r->booked = false;
        r->sent_usec = now_usec;
        enter(r, PL_RESTART_SENT, now_usec);
        return r->sent;
}

bool pl_restart_turn_to_start(PlRestart *r, const PlRestartFacts *facts, uint64_t now_usec) {
        if (r->stage != PL_RESTART_SENT || r->sent != PL_RESTART_START || facts->requested ||
            facts->phase != PL_PHASE_EXITED || facts->started_usec != r->ran_usec)
                return false;
        r->until_usec = now_usec + PL_RESTART_UNSURE_USEC;
        return true;
}

static void not_sent(PlRestart *r, int error, uint64_t now_usec, uint32_t random) {
        r->not_before_usec = now_usec +
                             (error > 0 ? backoff(r->streak + 1, random) : PL_RESTART_RETRY_USEC);
        enter(r, PL_RESTART_IDLE, now_usec);
}

void pl_restart_answered(PlRestart *r, int error, uint64_t now_usec, uint32_t random) {
        if (r->stage == PL_RESTART_WAITS)
                not_sent(r, error, now_usec, random);
        if (r->stage != PL_RESTART_SENT)
                return;
        switch (error) {
        case 0:
                /* whether the stop ended it, or somebody else did, is seen in a moment */
                if (r->sent != PL_RESTART_STOP)
                        book(r, now_usec, random);
                enter(r, r->sent == PL_RESTART_STOP ? PL_RESTART_LOOKS : PL_RESTART_DONE, now_usec);
                break;
        case -ECONNRESET:
        case -ETIMEDOUT:
                enter(r, PL_RESTART_UNSURE, now_usec);
                break;
        case -ECANCELED: /* the engine has stopped it, and did nothing since */
                r->sent = PL_RESTART_STOP;
                enter(r, PL_RESTART_LOOKS, now_usec);
                break;
        case -EALREADY: /* it had ended, or somebody has started it: seen in a moment */
                enter(r, r->sent == PL_RESTART_STOP ? PL_RESTART_LOOKS : PL_RESTART_DONE, now_usec);
                if (r->stage == PL_RESTART_LOOKS)
                        r->sent = PL_RESTART_NOTHING;
                break;
        case -ENOENT:
        case -EBUSY:
                r->not_before_usec = now_usec + backoff(r->streak + 1, random);
                enter(r, PL_RESTART_IDLE, now_usec);
                break;
        default:
                book(r, now_usec, random);
                enter(r, PL_RESTART_IDLE, now_usec);
        }
}

void pl_restart_recall(PlRestart *r, uint64_t now_usec) {
        /* what the engine remembers is part of a look, and its first inspection is not */
        r->looking_usec = 0;
        r->since_usec = now_usec;
        r->until_usec = PL_MIN(r->until_usec, now_usec + PL_USEC_PER_DAY + PL_RESTART_UNSURE_USEC);
        if (r->stage == PL_RESTART_MEASURES || r->stage == PL_RESTART_WAITS)
                r->stage = PL_RESTART_IDLE;
        else if (r->stage == PL_RESTART_SENT || r->stage == PL_RESTART_LOOKS)
                r->stage = PL_RESTART_UNSURE;
}
