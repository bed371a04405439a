/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Restarts: decisions row by row; and a simulated storm, in which twenty containers die again and
 * again and every budget must hold to the number.
 */

#include "lib/health/ending.h"
#include "lib/health/machine.h"
#include "lib/health/restart.h"

#include <errno.h>

#include "unit.h"

#define SEC PL_USEC_PER_SEC
#define MIN PL_USEC_PER_MIN

static void event(PlEnding *e, PlEventAction action, int number, uint64_t at) {
        PlEvent ev = {
                .action = action, .time_nsec = at * 1000, .exit_code = number, .signal = number
        };

        pl_ending_event(e, &ev);
}

/* clang-format off */
static const struct {
        const char *name;
        PlRestartFacts facts;
        PlOnUnhealthy action;
        unsigned budget;
        PlRestartVerb verb;
} decisions[] = {
        { "broken", { .broken = true }, PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_QUEUE },
        { "broken, a unit", { .broken = true }, PL_ON_UNHEALTHY_UNIT, 3, PL_RESTART_UNIT },
        { "broken, nothing wanted", { .broken = true }, PL_ON_UNHEALTHY_NONE, 3, PL_RESTART_NOTHING },
        { "fails, without proof", { .failing = true }, PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_NOTHING },
        { "fails, without proof, no budget", { .failing = true }, PL_ON_UNHEALTHY_RESTART, 0,
          PL_RESTART_NOTHING },
        { "fails, without proof, a unit", { .failing = true }, PL_ON_UNHEALTHY_UNIT, 3, PL_RESTART_UNIT },
        { "fails, without proof, nothing wanted", { .failing = true }, PL_ON_UNHEALTHY_NONE, 3,
          PL_RESTART_NOTHING },
        { "not broken", { 0 }, PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_NOTHING },
        { "healthy", { .healthy = true }, PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_NOTHING },
        { "engine lost", { .broken = true, .stale = true }, PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_NOTHING },
        { "stopped by a person", { .broken = true, .requested = true }, PL_ON_UNHEALTHY_RESTART, 3,
          PL_RESTART_NOTHING },
        { "the engine is at it", { .broken = true, .engine_until_usec = PL_TIME_INFINITY },
          PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_NOTHING },
        { "the engine may be", { .broken = true, .engine_until_usec = 1001 * SEC },
          PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_WAIT },
        { "the engine had its turn", { .broken = true, .engine_until_usec = 999 * SEC },
          PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_QUEUE },
        { "part of what runs anew", { .healthy = true, .part = true }, PL_ON_UNHEALTHY_RESTART, 3,
          PL_RESTART_QUEUE },
        { "… and its probe is not asked first", { .healthy = true, .part = true, .measurable = true },
          PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_QUEUE },
        { "… by a person's hand", { .part = true, .requested = true }, PL_ON_UNHEALTHY_RESTART, 3,
          PL_RESTART_NOTHING },
        { "… without budget", { .healthy = true, .part = true }, PL_ON_UNHEALTHY_RESTART, 0,
          PL_RESTART_GIVE_UP },
        { "… a unit is no restart", { .healthy = true, .part = true }, PL_ON_UNHEALTHY_UNIT, 3,
          PL_RESTART_NOTHING },
        { "… nothing wanted", { .healthy = true, .part = true }, PL_ON_UNHEALTHY_NONE, 3,
          PL_RESTART_NOTHING },
        { "no budget at all", { .broken = true }, PL_ON_UNHEALTHY_RESTART, 0, PL_RESTART_GIVE_UP },
};
/* clang-format on */

START_TEST(decide) {
        PlRestart r = { 0 };
        PlRestartRules rules = { decisions[_i].action, { decisions[_i].budget, 10 * MIN } };
        uint64_t until = 0;
        PlRestartVerb verb =
                        pl_restart_step(&r, &rules, &decisions[_i].facts, 1000 * SEC, 0, &until);

        ck_assert_msg(verb == decisions[_i].verb, "%s: %d", decisions[_i].name, verb);
        if (verb == PL_RESTART_WAIT)
                ck_assert_uint_eq(until, decisions[_i].facts.engine_until_usec);
}
END_TEST

START_TEST(engine_turn) {
        static const struct {
                const char *policy;
                PlPhase phase;
                int exit_code;
                bool requested;
                uint64_t ago_usec, turn_usec;
        } rows[] = {
                { "no", PL_PHASE_EXITED, 1, false, 0, 0 },
                { "always", PL_PHASE_EXITED, 1, false, 0, 5 * SEC },
                { "always", PL_PHASE_EXITED, 0, false, SEC, 4 * SEC },
                { "unless-stopped", PL_PHASE_EXITED, 1, false, 5 * SEC, 0 },
                { "unless-stopped", PL_PHASE_EXITED, 1, true, 0, 0 },
                { "on-failure", PL_PHASE_EXITED, 1, false, 0, 5 * SEC },
                { "on-failure", PL_PHASE_EXITED, 0, false, 0, 0 },
                { "on-failure", PL_PHASE_EXITED, 1, false, MIN, 0 },
                { "no", PL_PHASE_RESTARTING, 1, false, MIN, PL_TIME_INFINITY },
                { "always", PL_PHASE_RUNNING, 0, false, 0, 0 },
                { NULL, PL_PHASE_EXITED, 1, false, 0, 0 },
        };
        uint64_t now = 1767225600 * SEC;
        PlContainer c = { .phase = rows[_i].phase,
                          .exit_code = rows[_i].exit_code,
                          .finished_usec = now - rows[_i].ago_usec,
                          .host.restart_policy = (char *)rows[_i].policy };

        ck_assert_uint_eq(pl_restart_engine_turn(&c, rows[_i].requested, now), rows[_i].turn_usec);
}
END_TEST

/* Decides, and does it in no time. */
static PlRestartVerb act(PlRestart *r, const PlRestartRules *rules, const PlRestartFacts *facts,
                         uint64_t now, uint32_t random, uint64_t *ret_until) {
        PlRestartVerb verb = pl_restart_step(r, rules, facts, now, random, ret_until);

        if (verb == PL_RESTART_QUEUE) {
                ck_assert_int_ne(pl_restart_turn(r, rules, facts, now), PL_RESTART_NOTHING);
                pl_restart_answered(r, -EIO, now, random);
        }
        return verb;
}

/* Five seconds, ten, twenty … at most five minutes, plus at most a fifth. */
START_TEST(backoff_doubles) {
        PlRestart r = { 0 };
        PlRestartRules rules = { PL_ON_UNHEALTHY_RESTART, { 30, 24 * PL_USEC_PER_HOUR } };
        PlRestartFacts broken = { .broken = true };
        uint64_t now = 1000 * SEC, until = 0, expected = 5 * SEC;

        for (unsigned i = 0; i < 12; i++, expected = PL_MIN(2 * expected, 5 * MIN)) {
                uint32_t random = i % 2 ? UINT32_MAX : 0;

                ck_assert_int_eq(act(&r, &rules, &broken, now, random, &until), PL_RESTART_QUEUE);
                ck_assert_int_eq(act(&r, &rules, &broken, now, random, &until), PL_RESTART_WAIT);
                ck_assert_uint_eq(until - now, expected + (i % 2 ? expected / 5 : 0));
                now = until;
        }
}
END_TEST

START_TEST(surrender_and_cool_off) {
        PlRestart r = { 0 };
        PlRestartRules rules = { PL_ON_UNHEALTHY_RESTART, { 2, 10 * MIN } };
        PlRestartFacts broken = { .broken = true }, healthy = { .healthy = true };
        uint64_t now = 1000 * SEC, until;

        for (int i = 0; i < 2; i++, now += MIN)
                ck_assert_int_eq(act(&r, &rules, &broken, now, 0, &until), PL_RESTART_QUEUE);
        ck_assert_int_eq(act(&r, &rules, &broken, now, 0, &until), PL_RESTART_GIVE_UP);
        /* once, and for good: an emptied window alone is no reason to begin anew */
        for (int i = 0; i < 100; i++, now += MIN)
                ck_assert_int_eq(act(&r, &rules, &broken, now, 0, &until), PL_RESTART_NOTHING);
        healthy.healthy_since_usec = now;
        (void)act(&r, &rules, &healthy, now + 9 * MIN, 0, &until);
        ck_assert(r.gave_up);
        (void)act(&r, &rules, &healthy, now + 10 * MIN, 0, &until);
        ck_assert(!r.gave_up);
        ck_assert_int_eq(act(&r, &rules, &broken, now + 11 * MIN, 0, &until), PL_RESTART_QUEUE);
        ck_assert_uint_eq(r.gave_up_usec, 1120 * SEC);
        pl_restart_forgive(&r);
        ck_assert_uint_eq(pl_restart_count(&r, &rules.budget, now), 0);
}
END_TEST

/*
 * One restart, step by step. What happens is one letter, and what it is answered by follows it.
 *
 * -  a step: W wait, M measure, Q queue, C cancel, L look, S start, G give up, . nothing
 *
 * T  its turn: s stop, S start, W whole, . declined
 *
 * >  the turn of its start: S start, . declined
 *
 * Answers of the engine: 0 done, l lost, a already done, e refused, n no such container, b
 * conflict, d will not be done (dry run), z not sent, c its start not sent.
 *
 * Facts: i inspected, x it has ended by our stop (told), X … (not told yet), E it has ended by
 * itself (told), t that event comes, r a new run, j a verdict on it, k it is up, p a person asks
 * for its end, P it is paused, R --rm, v a verdict on the present run, m it is probed, D it is
 * dead, N no signal of ours was heard of, G one was, _ ten seconds, F another policy, u it is not
 * paused any more.
 */
/* clang-format off */
static const struct {
        const char *name, *script;
        unsigned n;              /* in the budget */
        PlRestartStage stage;
} courses[] = {
        { "a running one: stop, look, start", "D-QTs0-Lix-S0-Lirj-W", 1, PL_RESTART_IDLE },
        { "one that has ended", "DE-QTS0-Lirj-W", 1, PL_RESTART_IDLE },
        { "--rm", "DR-QTW0-Lirj-W", 1, PL_RESTART_IDLE },
        { "measured before", "Dm-M-.v-QTs0", 0, PL_RESTART_LOOKS },
        { "measured before, and it answers", "Dm-Mkv-.", 0, PL_RESTART_IDLE },
        { "asked for once", "D-Q-.-.-.", 0, PL_RESTART_WAITS },
        { "no reason any more", "D-Qk-C", 0, PL_RESTART_IDLE },
        { "no reason when its turn comes", "D-QkT.-C", 0, PL_RESTART_IDLE },
        { "stopped by a person while it waits", "D-QpT.-C", 0, PL_RESTART_IDLE },
        { "not sent", "D-Qz-W", 0, PL_RESTART_IDLE },
        { "not sent, and asked for again", "D-Qz-W_-Q", 0, PL_RESTART_WAITS },
        { "dry run", "D-Qd-W_-Q", 0, PL_RESTART_WAITS },
        { "nothing while it is sent", "D-QTs-.-._-.", 0, PL_RESTART_SENT },
        { "an old inspection says nothing", "D-QTsix0-L-W-W", 0, PL_RESTART_LOOKS },
        { "a look that came to nothing", "D-QTs0-L-W_-L-Wix-S", 1, PL_RESTART_SENT },
        { "its end is not told yet", "D-QTs0-LiX-Wt-S", 1, PL_RESTART_SENT },
        { "its end is never told", "D-QTs0-LiX-W_-S", 1, PL_RESTART_SENT },
        { "a person stops it meanwhile", "D-QTs0-Lixp-.", 0, PL_RESTART_IDLE },
        { "… which is told late", "D-QTs0-LiX-Wpt-.", 0, PL_RESTART_IDLE },
        { "it ends by itself before the stop", "D-QTs0-LiE-Q", 0, PL_RESTART_WAITS },
        { "somebody else starts it", "D-QTs0-Lirj-W", 1, PL_RESTART_IDLE },
        { "somebody pauses it", "D-QTs0-LiP-W_-W__-Li-.", 0, PL_RESTART_IDLE },
        { "somebody pauses it, and it ends", "D-QTs0-LiP-WxpDi-.", 0, PL_RESTART_IDLE },
        { "… and unpauses it, without an answer", "D-QTsl-LiP-Wu-W_-Wix-S", 1, PL_RESTART_SENT },
        { "somebody starts it, and stops that, too", "D-QTs0-Lirp-.", 1, PL_RESTART_IDLE },
        { "somebody else stops it, starts it, and stops that", "D-QTsa-Lirp-.", 0, PL_RESTART_IDLE },
        { "no verdict on the new run yet", "D-QTs0-Lix-S0-Lir-._-._-.", 1, PL_RESTART_DONE },
        { "a stop without an answer, it runs on", "D-QTsl-Li-W_-W__-Li-Q", 0, PL_RESTART_WAITS },
        { "a stop without an answer, it ended by it", "D-QTsl-Lix-S0-Lirj-W", 1, PL_RESTART_IDLE },
        { "a start without an answer, it was done", "DE-QTSl-Lirj-W", 1, PL_RESTART_IDLE },
        { "a start without an answer, it was not", "DE-QTSl-LiE-W__-S", 0, PL_RESTART_SENT },
        { "both without an answer", "D-QTsl-Lix-Sl-Li-W__-Sl-Lirj-W", 1, PL_RESTART_IDLE },
        { "a start without an answer, stopped by a person", "DE-QTSl-LiEp-.", 0, PL_RESTART_IDLE },
        { "--rm without an answer, it runs on", "DR-QTWl-Li-W__-W_-Li-Q", 0, PL_RESTART_WAITS },
        { "refused: it tried", "D-QTse-W", 1, PL_RESTART_IDLE },
        { "conflict: it did nothing", "D-QTsb-W", 0, PL_RESTART_IDLE },
        { "somebody else has stopped it", "D-QTsa-Lip-.", 0, PL_RESTART_IDLE },
        { "somebody else has stopped and started it", "D-QTsa-Lirjk-.", 0, PL_RESTART_IDLE },
        { "somebody else has started it", "DE-QTSa-Lirjk-.", 0, PL_RESTART_IDLE },
        { "it never came to the engine", "D-QTslN-Li-W_-L-Wi-Q", 0, PL_RESTART_WAITS },
        { "… or was only slow", "D-QTslN-Li-W_-LGi-Wix-S", 1, PL_RESTART_SENT },
        { "its start is not sent", "D-QTs0-Lix-Sc-Li-S>S0-Lirj-W", 1, PL_RESTART_IDLE },
        { "a person acts while its start waits", "D-QTs0-Lix-Sp>.c-Li-.", 1, PL_RESTART_IDLE },
        { "a person starts it while its start waits", "D-QTs0-Lix-Sr>.c-Lij-W", 1, PL_RESTART_IDLE },
        { "… and just then", "D-QTs0-Lix-S>Sa-Lirj-W", 1, PL_RESTART_IDLE },
        { "gone", "D-QTsn", 0, PL_RESTART_IDLE },
        { "its start is refused", "D-QTs0-Lix-Se-W_-Q", 1, PL_RESTART_WAITS },
        { "another policy meanwhile: it is finished", "D-QTs0F-Lix-S0-Lirj-W", 1, PL_RESTART_IDLE },
};
/* clang-format on */

typedef struct Course {
        PlRestart r;
        PlRestartRules rules;
        PlRestartFacts f;
        uint64_t now;
} Course;

/* clang-format off */
static bool happens(Course *c, char what) {
        PlRestartFacts *f = &c->f;

        switch (what) {
        case '0': pl_restart_answered(&c->r, 0, c->now, 0); break;
        case 'l': pl_restart_answered(&c->r, -ECONNRESET, c->now, 0); break;
        case 'e': pl_restart_answered(&c->r, -EIO, c->now, 0); break;
        case 'a': pl_restart_answered(&c->r, -EALREADY, c->now, 0); break;
        case 'c': pl_restart_answered(&c->r, -ECANCELED, c->now, 0); break;
        case 'N': f->received = false; break;
        case 'G': f->received = true; break;
        case 'n': pl_restart_answered(&c->r, -ENOENT, c->now, 0); break;
        case 'b': pl_restart_answered(&c->r, -EBUSY, c->now, 0); break;
        case 'd': pl_restart_answered(&c->r, 1, c->now, 0); break;
        case 'z': pl_restart_answered(&c->r, -ENOTCONN, c->now, 0); break;
        case 'i': f->looked_usec = c->now; break;
        case 'x': f->phase = PL_PHASE_EXITED; f->own_end = f->end_told = true; break;
        case 'X': f->phase = PL_PHASE_EXITED; f->own_end = true; break;
        case 'E': f->phase = PL_PHASE_EXITED; f->own_end = false; f->end_told = true; break;
        case 't': f->end_told = true; break;
        case 'r': f->phase = PL_PHASE_RUNNING; f->started_usec++; f->judged = false; f->own_end = false; break;
        case 'j': f->judged = true; break;
        case 'k': f->broken = false; break;
        case 'p': f->requested = true; break;
        case 'P': f->phase = PL_PHASE_PAUSED; f->broken = false; break;
        case 'u': f->phase = PL_PHASE_RUNNING; f->broken = true; break;
        case 'R': f->whole = true; break;
        case 'v': f->measured_usec = c->now; break;
        case 'm': f->measurable = true; break;
        case 'D': f->broken = true; break;
        case '_': c->now += 10 * SEC; break;
        case 'F': pl_restart_forgive(&c->r); break;
        default: return false;
        }
        return true;
}
/* clang-format on */

START_TEST(course) {
        static const char verbs[] = ".WMQCsLSWUG", steps[] = ".WMQC-LS-UG";
        Course c = { .rules = { PL_ON_UNHEALTHY_RESTART, { 3, 10 * MIN } },
                     .f = { .phase = PL_PHASE_RUNNING,
                            .started_usec = 7,
                            .judged = true,
                            .received = true,
                            .stop_timeout_usec = 10 * SEC },
                     .now = 1000 * SEC };
        const char *name = courses[_i].name;

        for (const char *p = courses[_i].script; *p; p++) {
                uint64_t until = 0;
                char said;

                c.now += SEC / 100;
                if (happens(&c, *p))
                        continue;
                if (*p == '-')
                        said = steps[pl_restart_step(&c.r, &c.rules, &c.f, c.now, 0, &until)];
                else if (*p == '>')
                        said = pl_restart_turn_to_start(&c.r, &c.f, c.now) ? 'S' : '.';
                else if (*p == 'T')
                        said = verbs[pl_restart_turn(&c.r, &c.rules, &c.f, c.now)];
                else
                        ck_abort_msg("%s: %s", name, p);
                if (said == 'W' && *p == '-')
                        ck_assert_msg(until > c.now, "%s: at %s", name, p);
                p++;
                ck_assert_msg(said == *p, "%s: %c at %s", name, said, p);
        }
        ck_assert_msg(pl_restart_count(&c.r, &c.rules.budget, c.now) == courses[_i].n, "%s: %u",
                      name, pl_restart_count(&c.r, &c.rules.budget, c.now));
        ck_assert_msg(c.r.stage == courses[_i].stage, "%s: %d", name, c.r.stage);
}
END_TEST

/* Budget and backoff count from when it was done: a stop may take longer than either. */
START_TEST(counts_from_when_it_was_done) {
        Course c = { .rules = { PL_ON_UNHEALTHY_RESTART, { 3, 10 * MIN } },
                     .f = { .broken = true, .phase = PL_PHASE_RUNNING, .started_usec = 7 },
                     .now = 1000 * SEC };
        uint64_t until = 0;

        ck_assert_int_eq(pl_restart_step(&c.r, &c.rules, &c.f, c.now, 0, &until), PL_RESTART_QUEUE);
        ck_assert_int_eq(pl_restart_turn(&c.r, &c.rules, &c.f, c.now), PL_RESTART_STOP);
        c.now += 20 * MIN;
        pl_restart_answered(&c.r, 0, c.now, 0);
        c.now++;
        (void)happens(&c, 'i');
        (void)happens(&c, 'x');
        ck_assert_int_eq(pl_restart_step(&c.r, &c.rules, &c.f, c.now, 0, &until), PL_RESTART_START);
        ck_assert_uint_eq(pl_restart_count(&c.r, &c.rules.budget, c.now), 1);
        c.now += MIN;
        pl_restart_answered(&c.r, 0, c.now, 0);
        ck_assert_uint_eq(pl_restart_count(&c.r, &c.rules.budget, c.now + 10 * MIN - 1), 1);
        ck_assert_uint_eq(c.r.not_before_usec, c.now + 5 * SEC);
        ck_assert_uint_eq(c.r.streak, 1);
}
END_TEST

/* The ring of times, too, has its last one moved and no other. */
START_TEST(done_in_a_full_ring) {
        PlRestart r = { 0 };
        PlRestartRules rules = { PL_ON_UNHEALTHY_RESTART, { 40, PL_USEC_PER_HOUR } };
        PlRestartFacts f = { .broken = true, .phase = PL_PHASE_RUNNING, .whole = true };
        uint64_t now = 10000 * SEC, until;

        for (unsigned i = 0; i < 3 * PL_RESTART_TIMES_MAX; i++) {
                now += 2 * PL_USEC_PER_HOUR;
                ck_assert_int_eq(pl_restart_step(&r, &rules, &f, now, 0, &until), PL_RESTART_QUEUE);
                ck_assert_int_eq(pl_restart_turn(&r, &rules, &f, now), PL_RESTART_WHOLE);
                pl_restart_answered(&r, 0, now + i, 0);
                r.stage = PL_RESTART_IDLE;
        }
        for (unsigned i = 2 * PL_RESTART_TIMES_MAX; i < 3 * PL_RESTART_TIMES_MAX; i++)
                ck_assert_uint_eq(r.times_usec[i % PL_RESTART_TIMES_MAX],
                                  10000 * SEC + 2 * PL_USEC_PER_HOUR * (i + 1) + i);
}
END_TEST

/* A dry run asks again after the backoff, which does not grow. */
START_TEST(put_off) {
        PlRestart r = { 0 };
        PlRestartRules rules = { PL_ON_UNHEALTHY_RESTART, { 1, 10 * MIN } };
        PlRestartFacts broken = { .broken = true };
        uint64_t until = 0, now = 1000 * SEC;

        for (unsigned i = 0; i < 5; i++, now = until) {
                ck_assert_int_eq(pl_restart_step(&r, &rules, &broken, now, 0, &until),
                                 PL_RESTART_QUEUE);
                pl_restart_answered(&r, 1, now, 0);
                ck_assert_int_eq(pl_restart_step(&r, &rules, &broken, now, 0, &until),
                                 PL_RESTART_WAIT);
                ck_assert_uint_eq(until - now, 5 * SEC);
        }
        ck_assert_uint_eq(pl_restart_count(&r, &rules.budget, now), 0);
}
END_TEST

/* The budget is for restarts alone. */
START_TEST(unit_once_per_failure) {
        PlRestart r = { 0 };
        PlRestartRules rules = { PL_ON_UNHEALTHY_UNIT, { 1, 10 * MIN } };
        PlRestartFacts broken = { .broken = true }, healthy = { .healthy = true };
        uint64_t now = 1000 * SEC, until;

        for (int i = 0; i < 3; i++, now += 3 * MIN) {
                ck_assert_int_eq(act(&r, &rules, &broken, now, 0, &until), PL_RESTART_UNIT);
                ck_assert_int_eq(act(&r, &rules, &broken, now + MIN, 0, &until),
                                 PL_RESTART_NOTHING);
                healthy.healthy_since_usec = now + MIN;
                (void)act(&r, &rules, &healthy, now + MIN, 0, &until);
        }
}
END_TEST

/*
 * The storm: 20 containers with budgets of 0 to 6, dead at the same second, and dead again two
 * seconds after every restart (every fifth recovers after its third). Ten hours of it.
 */
typedef struct Patient {
        PlHealth health;
        PlEnding ending;
        PlRestart restart;
        PlRestartRules rules;
        unsigned restarts, surrenders, cure_after;
        uint64_t started_usec, dies_usec, times[64];
        PlContainer c;
} Patient;

static void patient_tick(Patient *p, uint64_t now, uint32_t random) {
        PlHealthConfig config = { .failures = 3, .start_period_usec = SEC };
        PlVerdict v = { .kind = PL_VERDICT_DISPUTED };
        PlHealthFacts f;
        PlRestartFacts rf;
        PlHealthChange change;
        uint64_t until;

        if (p->c.phase == PL_PHASE_RUNNING && now >= p->dies_usec && p->restarts < p->cure_after) {
                event(&p->ending, PL_EVENT_DIE, 1, now);
                p->c.phase = PL_PHASE_EXITED;
                p->c.exit_code = 1;
                p->c.finished_usec = now;
        }
        if (p->c.phase == PL_PHASE_RUNNING)
                v.kind = PL_VERDICT_UP;
        f = (PlHealthFacts){ .present = true,
                             .probed = true,
                             .phase = p->c.phase,
                             .exit_code = p->c.exit_code,
                             .started_usec = p->started_usec,
                             .by_request = pl_ending_was_requested(&p->ending),
                             .crashes = pl_ending_crashes(&p->ending,
                                                          p->c.phase == PL_PHASE_RUNNING, now) };
        (void)pl_health_step(&p->health, &config, &f, now, &change);
        pl_health_probe(&p->health, &v);
        (void)pl_health_step(&p->health, &config, &f, now, &change);
        rf = (PlRestartFacts){ .broken = pl_health_is_broken(&p->health),
                               .healthy = p->health.state == PL_HEALTH_HEALTHY,
                               .requested = pl_ending_was_requested(&p->ending),
                               .healthy_since_usec = p->health.since_usec };
        switch (act(&p->restart, &p->rules, &rf, now, random, &until)) {
        case PL_RESTART_QUEUE:
                ck_assert_uint_lt(p->restarts, PL_ARRAY_SIZE(p->times));
                p->times[p->restarts++] = now;
                pl_ending_own(&p->ending, now, now + MIN);
                event(&p->ending, PL_EVENT_START, 0, now);
                p->c.phase = PL_PHASE_RUNNING;
                p->started_usec = now;
                p->dies_usec = now + 2 * SEC;
                break;
        case PL_RESTART_GIVE_UP:
                p->surrenders++;
                break;
        default:
                break;
        }
}

START_TEST(storm) {
        enum { N = 20 };
        Patient *all = calloc(N, sizeof(*all));
        uint64_t begin = 1767225600 * SEC, end = begin + 10 * PL_USEC_PER_HOUR, seed = 4711;

        for (unsigned i = 0; i < N; i++) {
                all[i].rules = (PlRestartRules){ PL_ON_UNHEALTHY_RESTART,
                                                 { i % 7, (i % 3 + 1) * 10 * MIN } };
                all[i].cure_after = i % 5 == 4 && i % 7 >= 3 ? 3 : UINT32_MAX;
                all[i].c.phase = PL_PHASE_RUNNING;
                all[i].started_usec = begin - MIN;
                all[i].dies_usec = begin;
                event(&all[i].ending, PL_EVENT_START, 0, begin - MIN);
                all[i].health.since_usec = begin - MIN;
        }
        for (uint64_t now = begin; now < end; now += SEC)
                for (unsigned i = 0; i < N; i++) {
                        seed = seed * 6364136223846793005u + 1442695040888963407u;
                        patient_tick(&all[i], now, (uint32_t)(seed >> 32));
                }
        for (unsigned i = 0; i < N; i++) {
                Patient *p = &all[i];
                bool cured = p->cure_after == 3;

                /* to the number: the whole budget is used, and not one more in ten hours */
                ck_assert_msg(p->restarts == (cured ? 3 : p->rules.budget.n),
                              "patient %u: %u restarts of %u", i, p->restarts, p->rules.budget.n);
                ck_assert_msg(p->surrenders == !cured, "patient %u: %u surrenders", i,
                              p->surrenders);
                ck_assert_msg((p->health.state == PL_HEALTH_HEALTHY) == cured, "patient %u: %s", i,
                              pl_health_state_to_string(p->health.state));
                for (unsigned j = 1; j < p->restarts; j++)
                        ck_assert_uint_ge(p->times[j] - p->times[j - 1], (5 * SEC) << (j - 1));
                pl_health_deinit(&p->health);
        }
        free(all);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("tables");

        tcase_set_timeout(t, 60);
        tcase_add_loop_test(t, decide, 0, PL_ARRAY_SIZE(decisions));
        tcase_add_loop_test(t, engine_turn, 0, 11);
        tcase_add_test(t, backoff_doubles);
        tcase_add_test(t, surrender_and_cool_off);
        tcase_add_loop_test(t, course, 0, PL_ARRAY_SIZE(courses));
        tcase_add_test(t, counts_from_when_it_was_done);
        tcase_add_test(t, done_in_a_full_ring);
        tcase_add_test(t, put_off);
        tcase_add_test(t, unit_once_per_failure);
        tcase_add_test(t, storm);
        return run_case(t);
}
