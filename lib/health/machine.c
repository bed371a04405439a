/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Health: what a service's state is, and how evidence moves it.
 *
 * One table decides; it does not know where evidence comes from. The words are part of the control
 * socket's contract and of the journal's PLIMSOLL_HEALTH field: they are never renamed.
 */

#include "lib/health/machine.h"

#include "lib/base/unit.h"

static const char *const names[_PL_HEALTH_N] = {
        [PL_HEALTH_UNKNOWN] = "unknown",     [PL_HEALTH_STARTING] = "starting",
        [PL_HEALTH_HEALTHY] = "healthy",     [PL_HEALTH_DEGRADED] = "degraded",
        [PL_HEALTH_UNHEALTHY] = "unhealthy", [PL_HEALTH_ABSENT] = "absent",
        [PL_HEALTH_FINISHED] = "finished",
};

void pl_health_deinit(PlHealth *h) {
        free(h->flips);
        free(h->reason.text);
        h->flips = NULL;
        h->reason.text = NULL;
        h->reason.size = 0;
}

const char *pl_health_state_to_string(PlHealthState s) {
        return (unsigned)s < _PL_HEALTH_N ? names[s] : names[PL_HEALTH_UNKNOWN];
}

PlHealthState pl_health_state_from_string(const char *s) {
        for (unsigned i = 0; s && i < _PL_HEALTH_N; i++)
                if (pl_streq(s, names[i]))
                        return (PlHealthState)i;
        return _PL_HEALTH_N;
}

/* --- the reasons that people read; the tables do not depend on them --- */

#define DISPUTED "disputed: "

/* Signs that need no more words than these. */
static const char *const plain[_PL_SIGN_N] = {
        [PL_SIGN_NOTHING] = "runs; no probe and no healthcheck say more",
        [PL_SIGN_GONE] = "there is no such container",
        [PL_SIGN_RESTARTING] = "the engine is restarting it",
        [PL_SIGN_PAUSED] = "paused",
};

static void explain_end(const PlHealthFacts *f, char *buf, size_t size) {
        if (f->ending && *f->ending)
                (void)snprintf(buf, size, "%s", f->ending);
        else
                (void)snprintf(buf, size, "exited with code %d", f->exit_code);
}

/* Of one that has been started again, the engine tells no exit code any more, and says 0. */
static void explain_last(const PlHealthFacts *f, char *buf, size_t size) {
        int n;

        if (f->phase == PL_PHASE_RUNNING && (!f->ending || !*f->ending)) {
                (void)snprintf(buf, size, "it runs again");
                return;
        }
        n = snprintf(buf, size, "last: ");
        if (n > 0 && (size_t)n < size)
                explain_end(f, buf + n, size - (size_t)n);
}

/* What its probe heard, or Docker's check says; how often. */
static void explain_evidence(const PlHealth *h, const PlHealthFacts *f, char *buf, size_t size) {
        char times[32] = "";

        if (f->unreachable) {
                (void)snprintf(buf, size, "%s", f->unreachable);
                return;
        }
        if (h->n_fail > 1)
                (void)snprintf(times, sizeof(times), " (%u times in a row)", h->n_fail);
        if (f->probed)
                (void)snprintf(buf, size, "%s%s", h->last.reason, times);
        else
                (void)snprintf(buf, size, "Docker's healthcheck says unhealthy");
}

/* The most likely cause, and the line of the policy that ends it. Those that its probe disputes
 * bring both with them. */
static void explain_dispute(const PlHealth *h, const PlHealthFacts *f, char *buf, size_t size) {
        char evidence[PL_REASON_MAX + 32];

        explain_evidence(h, f, evidence, sizeof(evidence));
        switch (h->row->cause) {
        case PL_CAUSE_DOCKER_FAILS:
                (void)snprintf(buf, size,
                               "it answers, but Docker's healthcheck says unhealthy: that asks for "
                               "more, or at another place; Probe=none leaves the word to it");
                break;
        case PL_CAUSE_DOCKER_PASSES:
                (void)snprintf(buf, size,
                               "%s, but Docker's healthcheck says healthy: the probe asks at the "
                               "wrong place, or not in its protocol; ProbePort= names its port, "
                               "Probe=none leaves the word to Docker",
                               evidence);
                break;
        case PL_CAUSE_NOT_RUN:
                (void)snprintf(buf, size,
                               "%s%sDocker's healthcheck could not be run, which says nothing of "
                               "the "
                               "service: no task is left for it (TasksMax=), or its command is "
                               "missing; docker inspect has the engine's words",
                               f->probed ? evidence : "", f->probed ? "; " : "");
                break;
        case PL_CAUSE_NEVER_UP:
                if (h->was_up && f->probed)
                        (void)snprintf(buf, size,
                                       "%s; it has not answered since its probe was "
                                       "changed, which asks at the wrong place; "
                                       "ProbePort= names its port",
                                       evidence);
                else
                        (void)snprintf(buf, size,
                                       "%s; it has not been seen to serve since it "
                                       "started: %s; OnStartTimeout=restart restarts it",
                                       evidence,
                                       f->probed ? "it hangs, is still at work, or serves "
                                                   "elsewhere "
                                                   "(ProbePort=, or Probe=none)"
                                                 : "it hangs, or its healthcheck is wrong");
                break;
        default:
                (void)snprintf(buf, size, "%s", evidence);
        }
}

static bool is_frozen(const PlHealthFacts *f) {
        return f->frozen && (f->stale || (f->present && f->phase == PL_PHASE_RUNNING));
}

static void explain_start(const PlHealth *h, const PlHealthFacts *f, char *buf, size_t size) {
        const char *why = f->unreachable ?: f->probed ? h->last.reason : "";

        if (!f->probed && f->docker == PL_DOCKER_HEALTH_STARTING)
                why = "its healthcheck is starting";
        else if (!f->probed && f->docker == PL_DOCKER_HEALTH_UNHEALTHY)
                why = "Docker's healthcheck says unhealthy";
        else if (!f->probed && f->docker == PL_DOCKER_HEALTH_NOT_RUN)
                why = "Docker's healthcheck could not be run";
        (void)snprintf(buf, size, "%s%s%s%s", why, *why && f->held ? "; " : "", f->held ?: "",
                       h->late ? "; its start period is over" : "");
}

/* Why a sign: one line into buf; "" where the state says it all. */
static void explain_sign(const PlHealth *h, const PlHealthFacts *f, PlHealthSign sign, char *buf,
                         size_t size) {
        int n;

        (void)snprintf(buf, size, "%s", plain[sign] ? plain[sign] : "");
        switch (sign) {
        case PL_SIGN_NOTHING:
                if (f->phase == PL_PHASE_CREATED && f->waits_for)
                        (void)snprintf(buf, size,
                                       "created, never started: it waits for %s, which is %s",
                                       f->waits_for, pl_health_state_to_string(f->waits_state));
                else if (f->phase == PL_PHASE_CREATED)
                        (void)snprintf(buf, size, "created, never started");
                break;
        case PL_SIGN_STOPPED:
        case PL_SIGN_FINISHED:
        case PL_SIGN_EXITED:
                explain_end(f, buf, size);
                break;
        case PL_SIGN_RESTARTING:
                if (f->own)
                        (void)snprintf(buf, size, "plimsolld is restarting it");
                break;
        case PL_SIGN_PAUSED:
                if (f->still)
                        (void)snprintf(buf, size, "impaired: %s", f->still);
                break;
        case PL_SIGN_CRASHING:
                n = snprintf(buf, size, "crash loop, it ended %u times in a row; ", f->crashes);
                if (n > 0 && (size_t)n < size)
                        explain_last(f, buf + n, size - (size_t)n);
                break;
        case PL_SIGN_STARTING:
                explain_start(h, f, buf, size);
                break;
        case PL_SIGN_FAILS:
                explain_evidence(h, f, buf, size);
                if (f->frozen)
                        (void)snprintf(buf + strlen(buf), size - strlen(buf),
                                       "; it is frozen at its memory limit (OomKillDisable)");
                break;
        case PL_SIGN_DISPUTED:
                n = snprintf(buf, size, DISPUTED);
                explain_dispute(h, f, buf + n, size - (size_t)n);
                break;
        case PL_SIGN_PART_ONCE:
        case PL_SIGN_PART:
                (void)snprintf(buf, size, "impaired: %s", h->last.reason);
                break;
        case PL_SIGN_KILLED:
                (void)snprintf(buf, size, "impaired: %s",
                               is_frozen(f) ? "frozen at its memory limit: OomKillDisable keeps "
                                              "the kernel from killing, so whatever needs memory "
                                              "there stops; raise MemoryMax=, or end a process of "
                                              "it"
                                            : "a process in it was killed for lack of memory");
                break;
        default:
                break;
        }
}

/* --- the machine --- */

#define U PL_HEALTH_UNKNOWN
#define S PL_HEALTH_STARTING
#define H PL_HEALTH_HEALTHY
#define D PL_HEALTH_DEGRADED
#define B PL_HEALTH_UNHEALTHY
#define A PL_HEALTH_ABSENT
#define F PL_HEALTH_FINISHED

/* Rows where all columns agree are facts; the others are uncertain, and keep the state it had. */
/* clang-format off */
static const uint8_t table[_PL_SIGN_N][_PL_HEALTH_N] = {
        /*                  from:   U  S  H  D  B  A  F */
        [PL_SIGN_STALE]         = { U, S, H, D, B, A, F },
        [PL_SIGN_KEEP]          = { U, S, H, D, B, U, U },
        [PL_SIGN_NOTHING]       = { U, U, U, U, U, U, U },
        [PL_SIGN_GONE]          = { A, A, A, A, A, A, A },
        [PL_SIGN_STOPPED]       = { A, A, A, A, A, A, A },
        [PL_SIGN_FINISHED]      = { F, F, F, F, F, F, F },
        [PL_SIGN_EXITED]        = { B, B, B, B, B, B, B },
        [PL_SIGN_CRASHING]      = { B, B, B, B, B, B, B },
        [PL_SIGN_RESTARTING]    = { S, S, S, S, B, S, S },
        [PL_SIGN_PAUSED]        = { D, D, D, D, D, D, D },
        [PL_SIGN_STARTING]      = { S, S, S, S, S, S, S },
        [PL_SIGN_FAILS_ONCE]    = { U, S, H, D, B, S, S },
        [PL_SIGN_FAILS]         = { B, B, B, B, B, B, B },
        [PL_SIGN_DISPUTED]      = { D, D, D, D, D, D, D },
        [PL_SIGN_PART_ONCE]     = { D, D, H, D, B, D, D },
        [PL_SIGN_PART]          = { D, D, D, D, D, D, D },
        [PL_SIGN_KILLED]        = { D, D, D, D, D, D, D },
        [PL_SIGN_SERVES_ONCE]   = { H, H, H, D, B, H, H },
        [PL_SIGN_SERVES]        = { H, H, H, H, H, H, H },
};
/* clang-format on */

#undef U
#undef S
#undef H
#undef D
#undef B
#undef A
#undef F

static PlHealthState next_state(PlHealthSign sign, PlHealthState from) {
        return (PlHealthState)table[sign][from];
}

void pl_health_probe(PlHealth *h, const PlVerdict *v) {
        unsigned n_up = h->n_up, n_part = h->n_part, n_fail = h->n_fail;

        if (v->kind == PL_VERDICT_NONE)
                return;
        h->last = *v;
        h->n_heard++;
        h->n_up = h->n_part = h->n_fail = 0;
        h->n_silent = v->kind == PL_VERDICT_SILENT ? h->n_silent + 1 : 0;
        switch (v->kind) {
        case PL_VERDICT_UP:
                h->n_up = n_up + 1;
                h->was_up = h->answered = h->ever_up = true;
                break;
        case PL_VERDICT_IMPAIRED:
                h->n_part = n_part + 1;
                h->was_up = h->answered = h->ever_up = true;
                break;
        case PL_VERDICT_DISPUTED:
        case PL_VERDICT_SILENT:
                h->n_fail = n_fail + 1;
                break;
        default:
                break;
        }
}

void pl_health_reprobe(PlHealth *h) {
        h->answered = false;
        h->n_fail = h->n_silent = 0;
}

void pl_health_cut_off(PlHealth *h) {
        pl_health_reprobe(h);
        h->n_up = h->n_part = 0;
        h->last = (PlVerdict){ 0 };
}

static uint64_t start_deadline(const PlHealthConfig *c, const PlHealthFacts *f) {
        return f->started_usec == 0 ? 0 : f->started_usec + c->start_period_usec;
}

/* --- what is known, as lib/health/judge takes it --- */

static PlEvidence evidence_of(const PlHealth *h, const PlHealthFacts *f) {
        static const PlEvidence evidence[_PL_VERDICT_N] = {
                [PL_VERDICT_NONE] = PL_EVIDENCE_UNHEARD,
                [PL_VERDICT_UP] = PL_EVIDENCE_UP,
                [PL_VERDICT_STARTING] = PL_EVIDENCE_STARTING,
                [PL_VERDICT_IMPAIRED] = PL_EVIDENCE_IMPAIRED,
                [PL_VERDICT_DISPUTED] = PL_EVIDENCE_DISPUTED,
                [PL_VERDICT_SILENT] = PL_EVIDENCE_SILENT,
        };

        if (f->unreachable)
                return PL_EVIDENCE_DISPUTED;
        return f->probed ? evidence[h->last.kind] : PL_EVIDENCE_NO_PROBE;
}

/* Of a container that runs: is it not up yet, and may it take its time? The first good answer ends
 * that; and as long as a limit of ours holds it back, it does not end. */
static bool is_early(const PlHealth *h, const PlHealthConfig *c, const PlHealthFacts *f,
                     uint64_t now) {
        /* it was up, and then it had no network: that is over, or not, but no start */
        bool cut_off = h->was_up && h->last.kind == PL_VERDICT_NONE;
        bool up = f->probed ? h->answered || cut_off : h->docker_passed;

        return !up && (now < start_deadline(c, f) || f->held);
}

static PlRun run_of(const PlHealth *h, const PlHealthConfig *c, const PlHealthFacts *f,
                    uint64_t now) {
        if (!f->stale && !f->present)
                return PL_RUN_GONE;
        switch (f->stale ? PL_PHASE_RUNNING : f->phase) {
        case PL_PHASE_CREATED:
                return PL_RUN_CREATED;
        case PL_PHASE_REMOVING:
                return PL_RUN_STOPPED;
        case PL_PHASE_EXITED:
        case PL_PHASE_DEAD:
                if (f->by_request)
                        return PL_RUN_STOPPED;
                if (f->between)
                        return PL_RUN_RESTARTING;
                /* what has served is no job, and a good end with the engine none of its own */
                return f->exit_code == 0 && f->may_finish && !c->on_exit &&
                                                       !(f->by_engine && h->ever_up)
                                       ? PL_RUN_DONE
                                       : PL_RUN_FAILED;
        case PL_PHASE_PAUSED:
                return PL_RUN_PAUSED;
        case PL_PHASE_RESTARTING:
                return f->crashes > 0 ? PL_RUN_FAILED : PL_RUN_RESTARTING;
        default:
                break;
        }
        if (f->still)
                return PL_RUN_PAUSED;
        if (f->crashes > 0 && !f->stale)
                return PL_RUN_LOOPS;
        return is_early(h, c, f, now) ? PL_RUN_EARLY : PL_RUN_RUNS;
}

/* --- from the verdict to a sign: is it settled? --- */

static bool was_killed(const PlHealthFacts *f, uint64_t now) {
        return is_frozen(f) || (f->oom_usec > 0 && now < f->oom_usec + PL_HEALTH_OOM_USEC);
}

static PlHealthSign up_sign(const PlHealth *h, const PlHealthFacts *f, uint64_t now) {
        if (was_killed(f, now))
                return PL_SIGN_KILLED;
        return !f->probed || h->n_up >= PL_HEALTH_CONFIRM ? PL_SIGN_SERVES : PL_SIGN_SERVES_ONCE;
}

static PlHealthSign disputed_sign(const PlHealth *h, const PlHealthConfig *c,
                                  const PlHealthFacts *f) {
        bool failed = f->probed && !f->unreachable &&
                      (h->last.kind == PL_VERDICT_DISPUTED || h->last.kind == PL_VERDICT_SILENT);

        return failed && h->n_fail < PL_MAX(c->failures, 1u) ? PL_SIGN_FAILS_ONCE
                                                             : PL_SIGN_DISPUTED;
}

/* Settled: other answers in between are signs of life. */
static bool is_silent(const PlHealth *h, const PlHealthConfig *c) {
        return h->n_silent >= PL_MAX(c->failures, 1u);
}

/* Dead, if it is settled; only silence counts for that. Docker has counted already. */
static PlHealthSign dead_sign(const PlHealth *h, const PlHealthConfig *c, const PlHealthFacts *f,
                              PlRun run) {
        if (run == PL_RUN_FAILED)
                return f->crashes > 0 ? PL_SIGN_CRASHING : PL_SIGN_EXITED;
        if (run == PL_RUN_LOOPS && h->row->cause == PL_CAUSE_LOOPS)
                return PL_SIGN_CRASHING;
        if (!f->probed || is_silent(h, c))
                return PL_SIGN_FAILS;
        return disputed_sign(h, c, f);
}

static PlHealthSign sign_of(PlHealth *h, const PlHealthConfig *c, const PlHealthFacts *f,
                            uint64_t now) {
        PlRun run = run_of(h, c, f, now);
        PlJudgeFacts known = {
                .run = run,
                .evidence = evidence_of(h, f),
                /* an old "unhealthy" proves nothing */
                .docker = f->stale && (f->docker == PL_DOCKER_HEALTH_UNHEALTHY ||
                                       f->docker == PL_DOCKER_HEALTH_NOT_RUN)
                                          ? PL_DOCKER_HEALTH_NONE
                                          : f->docker,
                .answered = h->answered,
                .passed = h->docker_passed,
        };

        if (f->stale && !f->probed)
                return PL_SIGN_STALE;
        h->row = pl_judge(&known);
        /* what stands still answers nobody, and is as alive as before */
        if (run == PL_RUN_EARLY || run == PL_RUN_PAUSED)
                h->n_fail = h->n_silent = 0;
        /* that is why it does not start, or answers otherwise; whether it is dead is another matter
         */
        if (is_frozen(f) && h->row->judgement != PL_JUDGEMENT_DEAD)
                return PL_SIGN_KILLED;
        switch (h->row->judgement) {
        case PL_JUDGEMENT_UNKNOWN:
                return run != PL_RUN_CREATED && was_killed(f, now) ? PL_SIGN_KILLED
                                                                   : PL_SIGN_NOTHING;
        case PL_JUDGEMENT_ABSENT:
                return run == PL_RUN_GONE ? PL_SIGN_GONE : PL_SIGN_STOPPED;
        case PL_JUDGEMENT_FINISHED:
                return PL_SIGN_FINISHED;
        case PL_JUDGEMENT_UP:
                return up_sign(h, f, now);
        case PL_JUDGEMENT_IMPAIRED:
                if (run == PL_RUN_PAUSED)
                        return !f->still && now < f->paused_usec + PL_HEALTH_PAUSE_USEC
                                               ? PL_SIGN_KEEP
                                               : PL_SIGN_PAUSED;
                return h->n_part >= PL_HEALTH_CONFIRM ? PL_SIGN_PART : PL_SIGN_PART_ONCE;
        case PL_JUDGEMENT_STARTING:
                return run == PL_RUN_RESTARTING ? PL_SIGN_RESTARTING : PL_SIGN_STARTING;
        case PL_JUDGEMENT_DISPUTED:
                return disputed_sign(h, c, f);
        case PL_JUDGEMENT_DEAD:
                return dead_sign(h, c, f, run);
        default:
                return PL_SIGN_KEEP;
        }
}

static unsigned n_flips(const PlHealth *h) {
        return h->flips ? PL_MIN(h->flips->n, (unsigned)PL_HEALTH_FLIPS_MAX) : 0;
}

/* How many raw changes lie within the window. */
static unsigned flips_within(const PlHealth *h, uint64_t window, uint64_t now) {
        unsigned n = 0;

        for (unsigned i = 0; i < n_flips(h); i++)
                n += now - h->flips->usec[i] < window;
        return n;
}

/* Out of memory, one is not counted. */
static void add_flip(PlHealth *h, uint64_t now) {
        if (!h->flips)
                h->flips = calloc(1, sizeof(*h->flips));
        if (!h->flips)
                return;
        h->flips->usec[h->flips->n++ % PL_HEALTH_FLIPS_MAX] = now;
        if (h->flips->n == 2 * PL_HEALTH_FLIPS_MAX)
                h->flips->n = PL_HEALTH_FLIPS_MAX;
}

static unsigned flap_limit(const PlHealthConfig *c) {
        return PL_MIN(c->flap.n, (unsigned)PL_HEALTH_FLIPS_MAX - 1);
}

/* Damping: more changes than the budget in its window make one "degraded" of them all, until only
 * half the budget is left in the window. A person's stop and a removal end it at once. */
static void damp(PlHealth *h, const PlHealthConfig *c, bool flipped, bool by_hand, uint64_t now) {
        unsigned n;

        if (by_hand || c->flap.n == 0) {
                free(h->flips);
                h->flips = NULL;
                h->flapping = false;
                return;
        }
        if (flipped)
                add_flip(h, now);
        n = flips_within(h, c->flap.window_usec, now);
        if (n > flap_limit(c))
                h->flapping = true;
        else if (n <= flap_limit(c) / 2)
                h->flapping = false;
}

void pl_health_proved(PlHealth *h, uint64_t started_usec) {
        h->started_usec = started_usec;
        h->was_up = h->answered = h->docker_passed = h->ever_up = true;
}

PlProof pl_health_proof(const PlHealth *h, uint64_t ran_usec, uint64_t asked) {
        return (PlProof){
                .ran_usec = h->was_up || h->docker_passed || h->ever_up ? ran_usec : 0,
                .asked = h->answered ? asked : 0,
                .was_up = h->was_up,
                .passed = h->docker_passed,
                .ever_up = h->ever_up,
        };
}

void pl_health_recall(PlHealth *h, const PlProof *proof, uint64_t ran_usec, uint64_t asked,
                      uint64_t started_usec) {
        h->ever_up = h->ever_up || proof->ever_up;
        if (proof->ran_usec == 0 || proof->ran_usec != ran_usec)
                return;
        h->started_usec = started_usec;
        h->was_up = h->was_up || proof->was_up;
        h->docker_passed = h->docker_passed || proof->passed;
        h->answered = h->answered || (proof->asked != 0 && proof->asked == asked);
}

static void begin_run(PlHealth *h, const PlHealthFacts *f) {
        h->started_usec = f->started_usec;
        h->own_run = f->own;
        h->late = false;
        h->n_up = h->n_part = h->n_fail = h->n_silent = h->n_heard = 0;
        h->was_up = h->answered = h->docker_passed = false;
        h->last = (PlVerdict){ 0 };
}

/* See pl_health_is_broken(). Only a settled failure counts: one good answer in between is a sign of
 * life and restarts the count. */
static bool is_proven(const PlHealth *h, const PlHealthConfig *c, const PlHealthFacts *f,
                      PlHealthSign sign, uint64_t now) {
        switch (sign) {
        case PL_SIGN_EXITED:
        case PL_SIGN_CRASHING:
                return c->on_exit || !f->once || h->ever_up;
        case PL_SIGN_RESTARTING:
                return h->raw == PL_HEALTH_UNHEALTHY; /* it does not run */
        case PL_SIGN_FAILS:
                return true;
        case PL_SIGN_DISPUTED:
                return pl_health_is_late(h) && c->on_start_timeout && !f->waits_for &&
                       (!f->probed || is_silent(h, c)) && h->state == PL_HEALTH_DEGRADED &&
                       now >= h->since_usec + PL_HEALTH_LATE_USEC;
        default:
                return false;
        }
}

/* Is a dependency to blame? Return: whether that has changed and must be reported. */
static bool attribute(PlHealth *h, const PlHealthFacts *f, PlHealthSign sign) {
        bool was = h->attributed;

        if (h->raw != PL_HEALTH_UNHEALTHY) {
                h->attributed = false;
                return false;
        }
        if (f->waits_for) {
                /* it failed before the dependency did: its own fault */
                if (h->state != PL_HEALTH_UNHEALTHY)
                        h->attributed = true;
                return false;
        }
        /* the dependency is back and the count restarted: only a settled failure is its own */
        if (was && sign != PL_SIGN_FAILS_ONCE && sign != PL_SIGN_SERVES_ONCE &&
            sign != PL_SIGN_PART_ONCE && sign != PL_SIGN_KEEP && sign != PL_SIGN_STALE &&
            sign != PL_SIGN_RESTARTING)
                h->attributed = false;
        return was && !h->attributed;
}

/* Signs that leave the state as it was, and with it the reason. */
static bool is_unsettled(PlHealthSign sign) {
        return sign == PL_SIGN_STALE || sign == PL_SIGN_KEEP || sign == PL_SIGN_FAILS_ONCE ||
               sign == PL_SIGN_PART_ONCE || sign == PL_SIGN_SERVES_ONCE ||
               sign == PL_SIGN_RESTARTING;
}

/* Rounded up, so that what follows finds room most of the time. Out of memory there is none. */
static void keep_reason(PlHealth *h, const char *text) {
        size_t n = (strlen(text) + 64) & ~(size_t)63;

        if (n > h->reason.size) {
                free(h->reason.text);
                h->reason.text = malloc(n);
                h->reason.size = h->reason.text ? n : 0;
        }
        if (h->reason.text)
                (void)snprintf(h->reason.text, h->reason.size, "%s", text);
}

static void compose_reason(PlHealth *h, const PlHealthConfig *c, const PlHealthFacts *f,
                           PlHealthSign sign, uint64_t now_usec) {
        bool blames = h->attributed || sign == PL_SIGN_DISPUTED || sign == PL_SIGN_PART;
        char why[PL_HEALTH_REASON_MAX], text[PL_HEALTH_REASON_MAX];
        int n = 0;

        explain_sign(h, f, sign, why, sizeof(why));
        if (h->damped)
                n = snprintf(text, sizeof(text),
                             "flapping: %u changes of state within its FlapBudget= window%s",
                             flips_within(h, c->flap.window_usec, now_usec), *why ? "; " : "");
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%s", why);
        if (blames && f->waits_for && (size_t)n < sizeof(text))
                (void)snprintf(text + n, sizeof(text) - (size_t)n, "; %s, which it %s, is %s",
                               f->waits_for, f->waits_perhaps ? "may need" : "needs",
                               pl_health_state_to_string(f->waits_state));
        keep_reason(h, text);
}

/* What the facts say of this run. */
static void take_facts(PlHealth *h, const PlHealthFacts *f) {
        if (f->started_usec != h->started_usec)
                begin_run(h, f);
        if (h->waited && !f->waits_for && h->attributed)
                h->n_fail = h->n_silent = 0;
        h->waited = f->waits_for != NULL;
        if (!f->stale && f->phase == PL_PHASE_RUNNING && f->docker == PL_DOCKER_HEALTH_HEALTHY)
                h->docker_passed = h->ever_up = true;
}

/* That it has ended is none: damping hides only what a running one is said to be. */
static bool is_opinion(PlHealthSign sign) {
        return sign != PL_SIGN_EXITED && sign != PL_SIGN_CRASHING;
}

/* The way through our own restart is no flapping, nor is the next death of what we have started:
 * the restart's budget bounds both. */
static bool is_flip(PlHealth *h, const PlHealthFacts *f, PlHealthState before) {
        bool own = f->own || h->own_run;

        if (h->raw == before || before == PL_HEALTH_UNKNOWN)
                return false;
        if (h->raw != PL_HEALTH_STARTING && h->raw != PL_HEALTH_HEALTHY)
                h->own_run = false;
        return !own;
}

/* Degraded is two things, and from one to the other is a change that people must hear of. */
static bool turns(const PlHealth *h, PlHealthState before, PlHealthSign sign) {
        return before == PL_HEALTH_DEGRADED && h->raw == before && !h->damped &&
               !is_unsettled(sign) &&
               pl_startswith(pl_health_reason(h), DISPUTED) != (sign == PL_SIGN_DISPUTED);
}

/* Its start period is over, and for a good reason it still starts: that is told once. */
static bool grows_late(PlHealth *h, const PlHealthConfig *c, const PlHealthFacts *f,
                       PlHealthSign sign, uint64_t now) {
        if (h->late || sign != PL_SIGN_STARTING || h->was_up || f->started_usec == 0 ||
            now < start_deadline(c, f) || (!f->held && h->last.kind != PL_VERDICT_STARTING))
                return false;
        h->late = true;
        return true;
}

bool pl_health_step(PlHealth *h, const PlHealthConfig *config, const PlHealthFacts *facts,
                    uint64_t now_usec, PlHealthChange *ret) {
        PlHealthState before = h->state, raw_before = h->raw;
        bool was_damped = h->damped, alarm, changed, turned, late;
        PlHealthSign sign;

        take_facts(h, facts);
        sign = sign_of(h, config, facts, now_usec);
        h->raw = next_state(sign, h->raw);
        h->proven = is_proven(h, config, facts, sign, now_usec);
        h->reprieved = sign == PL_SIGN_CRASHING && facts->phase == PL_PHASE_RUNNING;
        late = grows_late(h, config, facts, sign, now_usec);
        alarm = attribute(h, facts, sign);
        turned = turns(h, raw_before, sign);
        damp(h, config, turned || is_flip(h, facts, raw_before),
             sign == PL_SIGN_GONE || sign == PL_SIGN_STOPPED || sign == PL_SIGN_FINISHED, now_usec);
        h->damped = h->flapping && is_opinion(sign);
        h->state = h->damped ? PL_HEALTH_DEGRADED : h->raw;

        changed = h->state != before || alarm || h->damped != was_damped || turned || late;
        /* the same state may have a new reason: it is shown, not reported */
        if (changed || !is_unsettled(sign))
                compose_reason(h, config, facts, sign, now_usec);
        if (!changed)
                return false;
        *ret = (PlHealthChange){
                .from = before,
                .to = h->state,
                .sign = sign,
                .attributed = h->attributed,
                .flapping = h->damped && !was_damped,
                .late = late,
                .lasted_usec = now_usec - h->since_usec,
                .reason = pl_health_reason(h),
        };
        if (h->state != before)
                h->since_usec = now_usec;
        return true;
}

uint64_t pl_health_wakeup(const PlHealth *h, const PlHealthConfig *config,
                          const PlHealthFacts *facts, uint64_t now_usec) {
        uint64_t at = PL_TIME_INFINITY, t;

        t = start_deadline(config, facts);
        if (facts->present && h->raw == PL_HEALTH_STARTING && t > now_usec)
                at = t;
        t = h->since_usec + PL_HEALTH_LATE_USEC;
        if (config->on_start_timeout && h->state == PL_HEALTH_DEGRADED && t > now_usec)
                at = PL_MIN(at, t);
        t = facts->oom_usec + PL_HEALTH_OOM_USEC;
        if (facts->oom_usec > 0 && t > now_usec)
                at = PL_MIN(at, t);
        t = facts->paused_usec + PL_HEALTH_PAUSE_USEC;
        if (facts->paused_usec > 0 && t > now_usec)
                at = PL_MIN(at, t);
        if (h->flapping)
                for (unsigned i = 0; i < n_flips(h); i++) {
                        t = h->flips->usec[i] + config->flap.window_usec;
                        if (t > now_usec)
                                at = PL_MIN(at, t);
                }
        return at;
}

uint64_t pl_health_hurry(const PlHealth *h) {
        static const uint64_t early[] = PL_HEALTH_EARLY_USEC;

        if (h->raw == PL_HEALTH_STARTING)
                return h->n_heard == 0                      ? early[0]
                       : h->n_heard <= PL_ARRAY_SIZE(early) ? early[h->n_heard - 1]
                                                            : 0;
        return (h->raw == PL_HEALTH_UNHEALTHY || h->raw == PL_HEALTH_DEGRADED) && h->n_up > 0 &&
                                               h->n_up < PL_HEALTH_CONFIRM
                               ? PL_USEC_PER_SEC
                               : 0;
}
