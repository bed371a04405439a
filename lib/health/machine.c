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
};

const char *pl_health_state_to_string(PlHealthState s) {
        return (unsigned)s < _PL_HEALTH_N ? names[s] : names[PL_HEALTH_UNKNOWN];
}

PlHealthState pl_health_state_from_string(const char *s) {
        for (unsigned i = 0; s && i < _PL_HEALTH_N; i++)
                if (pl_streq(s, names[i]))
                        return (PlHealthState)i;
        return _PL_HEALTH_N;
}

/* --- the reasons that people read; the table below does not depend on them */

/* Signs that need no more words than these. */
static const char *const plain[_PL_SIGN_N] = {
        [PL_SIGN_NOTHING] = "runs; no probe and no healthcheck say more",
        [PL_SIGN_GONE] = "there is no such container",
        [PL_SIGN_RESTARTING] = "the engine is restarting it",
        [PL_SIGN_PAUSED] = "paused",
        [PL_SIGN_DISPUTED] = "it answers, but Docker's healthcheck says unhealthy",
        [PL_SIGN_OOM] = "a process in it was killed for lack of memory",
};

static void explain_end(const PlHealthFacts *f, char *buf, size_t size) {
        if (f->ending && *f->ending)
                (void)snprintf(buf, size, "%s", f->ending);
        else
                (void)snprintf(buf, size, "exited with code %d", f->exit_code);
}

static void explain_failure(const PlHealth *h, const PlHealthFacts *f, char *buf, size_t size) {
        char times[32] = "";
        const char *doubt = "";

        if (h->n_fail > 1)
                (void)snprintf(times, sizeof(times), " (%u times in a row)", h->n_fail);
        /* why this is only reported, and not acted on */
        if (f->docker == PL_DOCKER_HEALTH_HEALTHY)
                doubt = f->stale ? "" : "; Docker's healthcheck says healthy";
        else if (!h->proven)
                doubt = h->was_up && f->probed ? "; it has not answered since its probe was changed"
                                               : "; it has not been seen to serve since it started";
        (void)snprintf(buf, size, "%s%s%s",
                       f->probed ? h->last.reason : "Docker's healthcheck says unhealthy",
                       f->probed ? times : "", doubt);
}

/* Why a sign: one line into buf; "" where the state says it all. */
static void explain_sign(const PlHealth *h, const PlHealthFacts *f, PlHealthSign sign,
                         uint64_t now_usec, char *buf, size_t size) {
        char text[PL_FORMAT_MAX];
        uint64_t age = f->started_usec > 0 && now_usec > f->started_usec
                                       ? now_usec - f->started_usec
                                       : 0;
        int n;

        (void)snprintf(buf, size, "%s", plain[sign] ? plain[sign] : "");
        switch (sign) {
        case PL_SIGN_NOTHING:
                if (f->phase == PL_PHASE_CREATED)
                        (void)snprintf(buf, size, "created, never started");
                break;
        case PL_SIGN_STOPPED:
        case PL_SIGN_EXITED:
                explain_end(f, buf, size);
                break;
        case PL_SIGN_CRASHING:
                n = snprintf(buf, size,
                             "crash loop, it ended %u times in a row; last: ", f->crashes);
                if (n > 0 && (size_t)n < size)
                        explain_end(f, buf + n, size - (size_t)n);
                break;
        case PL_SIGN_LOADING:
        case PL_SIGN_FAILS_EARLY:
                (void)snprintf(buf, size, "%s",
                               f->probed ? h->last.reason : "its healthcheck is starting");
                break;
        case PL_SIGN_LOADING_LONG:
                age -= age % PL_USEC_PER_SEC;
                (void)snprintf(buf, size, "still starting after %s: %s", pl_format_sec(age, text),
                               h->last.reason);
                break;
        case PL_SIGN_FAILS:
                explain_failure(h, f, buf, size);
                break;
        case PL_SIGN_PART_ONCE:
        case PL_SIGN_PART:
                (void)snprintf(buf, size, "%s", h->last.reason);
                break;
        default:
                break;
        }
}

/* --- the machine */

#define U PL_HEALTH_UNKNOWN
#define S PL_HEALTH_STARTING
#define H PL_HEALTH_HEALTHY
#define D PL_HEALTH_DEGRADED
#define B PL_HEALTH_UNHEALTHY
#define A PL_HEALTH_ABSENT

/*
 * Rows where all columns agree are facts; the others are uncertain, and keep the state it had.
 * Loading never leads to unhealthy: a database that replays its log would start over at a restart.
 */
/* clang-format off */
static const uint8_t table[_PL_SIGN_N][_PL_HEALTH_N] = {
        /*                  from:   U  S  H  D  B  A */
        [PL_SIGN_KEEP]          = { U, S, H, D, B, U },
        [PL_SIGN_NOTHING]       = { U, U, U, U, U, U },
        [PL_SIGN_GONE]          = { A, A, A, A, A, A },
        [PL_SIGN_STOPPED]       = { A, A, A, A, A, A },
        [PL_SIGN_EXITED]        = { B, B, B, B, B, B },
        [PL_SIGN_CRASHING]      = { B, B, B, B, B, B },
        [PL_SIGN_RESTARTING]    = { S, S, S, S, B, S },
        [PL_SIGN_PAUSED]        = { D, D, D, D, D, D },
        [PL_SIGN_STARTED]       = { S, S, S, S, S, S },
        [PL_SIGN_LOADING]       = { S, S, S, S, S, S },
        [PL_SIGN_LOADING_LONG]  = { D, D, D, D, D, D },
        [PL_SIGN_FAILS_EARLY]   = { S, S, S, S, S, S },
        [PL_SIGN_FAILS_ONCE]    = { U, S, H, D, B, S },
        [PL_SIGN_FAILS]         = { B, B, B, B, B, B },
        [PL_SIGN_PART_ONCE]     = { D, D, H, D, B, D },
        [PL_SIGN_PART]          = { D, D, D, D, D, D },
        [PL_SIGN_DISPUTED]      = { D, D, D, D, D, D },
        [PL_SIGN_OOM]           = { D, D, D, D, D, D },
        [PL_SIGN_SERVES_ONCE]   = { H, H, H, D, B, H },
        [PL_SIGN_SERVES]        = { H, H, H, H, H, H },
};
/* clang-format on */

#undef U
#undef S
#undef H
#undef D
#undef B
#undef A

static PlHealthState next_state(PlHealthSign sign, PlHealthState from) {
        return (PlHealthState)table[sign][from];
}

void pl_health_probe(PlHealth *h, const PlVerdict *v) {
        unsigned n_up = h->n_up, n_part = h->n_part, n_fail = h->n_fail;

        if (v->kind == PL_VERDICT_NONE)
                return;
        h->last = *v;
        h->n_up = h->n_part = h->n_fail = 0;
        switch (v->kind) {
        case PL_VERDICT_UP:
                h->n_up = n_up + 1;
                h->was_up = h->answered = true;
                break;
        case PL_VERDICT_IMPAIRED:
                h->n_part = n_part + 1;
                h->was_up = h->answered = true;
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
        h->n_fail = 0;
}

static uint64_t start_deadline(const PlHealthConfig *c, const PlHealthFacts *f) {
        return f->started_usec == 0 ? 0 : f->started_usec + c->start_period_usec;
}

static bool oom_is_recent(const PlHealthFacts *f, uint64_t now) {
        return f->oom_usec > 0 && now < f->oom_usec + PL_HEALTH_OOM_USEC;
}

/* Of a running container, by its own healthcheck alone. */
static PlHealthSign docker_sign(const PlHealthFacts *f, uint64_t now) {
        switch (f->docker) {
        case PL_DOCKER_HEALTH_HEALTHY:
                return oom_is_recent(f, now) ? PL_SIGN_OOM : PL_SIGN_SERVES;
        case PL_DOCKER_HEALTH_UNHEALTHY:
                return PL_SIGN_FAILS;
        case PL_DOCKER_HEALTH_STARTING:
                return PL_SIGN_LOADING;
        default:
                return oom_is_recent(f, now) ? PL_SIGN_OOM : PL_SIGN_NOTHING;
        }
}

static PlHealthSign probe_sign(const PlHealth *h, const PlHealthConfig *c, const PlHealthFacts *f,
                               uint64_t now) {
        bool early = now < start_deadline(c, f);

        switch (h->last.kind) {
        case PL_VERDICT_UP:
                if (f->docker == PL_DOCKER_HEALTH_UNHEALTHY && !f->stale)
                        return PL_SIGN_DISPUTED;
                if (oom_is_recent(f, now))
                        return PL_SIGN_OOM;
                return h->n_up >= PL_HEALTH_CONFIRM ? PL_SIGN_SERVES : PL_SIGN_SERVES_ONCE;
        case PL_VERDICT_IMPAIRED:
                return h->n_part >= PL_HEALTH_CONFIRM ? PL_SIGN_PART : PL_SIGN_PART_ONCE;
        case PL_VERDICT_STARTING:
                return early ? PL_SIGN_LOADING : PL_SIGN_LOADING_LONG;
        case PL_VERDICT_DISPUTED:
        case PL_VERDICT_SILENT:
                if (early && !h->was_up)
                        return PL_SIGN_FAILS_EARLY;
                return h->n_fail >= PL_MAX(c->failures, 1u) ? PL_SIGN_FAILS : PL_SIGN_FAILS_ONCE;
        default:
                return early ? PL_SIGN_STARTED : PL_SIGN_KEEP;
        }
}

static PlHealthSign sign_of(const PlHealth *h, const PlHealthConfig *c, const PlHealthFacts *f,
                            uint64_t now) {
        if (!f->stale) {
                if (!f->present)
                        return PL_SIGN_GONE;
                switch (f->phase) {
                case PL_PHASE_CREATED:
                        return PL_SIGN_NOTHING;
                case PL_PHASE_REMOVING:
                        return PL_SIGN_STOPPED;
                case PL_PHASE_EXITED:
                case PL_PHASE_DEAD:
                        return f->by_request       ? PL_SIGN_STOPPED
                               : f->crashes > 0    ? PL_SIGN_CRASHING
                               : f->exit_code == 0 ? PL_SIGN_STOPPED
                                                   : PL_SIGN_EXITED;
                case PL_PHASE_PAUSED:
                        return PL_SIGN_PAUSED;
                case PL_PHASE_RESTARTING:
                        return f->crashes > 0 ? PL_SIGN_CRASHING : PL_SIGN_RESTARTING;
                default:
                        break;
                }
                /* it runs between two crashes, and may even answer */
                if (f->crashes > 0)
                        return PL_SIGN_CRASHING;
        }
        if (f->probed)
                return probe_sign(h, c, f, now);
        return f->stale ? PL_SIGN_KEEP : docker_sign(f, now);
}

/* How many raw changes lie within the window. */
static unsigned flips_within(const PlHealth *h, uint64_t window, uint64_t now) {
        unsigned n = 0;

        for (unsigned i = 0; i < PL_MIN(h->n_flips, (unsigned)PL_HEALTH_FLIPS_MAX); i++)
                n += now - h->flips[i] < window;
        return n;
}

static unsigned flap_limit(const PlHealthConfig *c) {
        return PL_MIN(c->flap.n, (unsigned)PL_HEALTH_FLIPS_MAX - 1);
}

/* Damping: more changes than the budget in its window make one "degraded" of them all, until only
 * half the budget is left in the window. A person's stop and a removal end it at once. */
static void damp(PlHealth *h, const PlHealthConfig *c, bool flipped, bool by_hand, uint64_t now) {
        unsigned n;

        if (by_hand || c->flap.n == 0) {
                h->n_flips = 0;
                h->flapping = false;
                return;
        }
        if (flipped)
                h->flips[h->n_flips++ % PL_HEALTH_FLIPS_MAX] = now;
        if (h->n_flips == 2 * PL_HEALTH_FLIPS_MAX)
                h->n_flips = PL_HEALTH_FLIPS_MAX;
        n = flips_within(h, c->flap.window_usec, now);
        if (n > flap_limit(c))
                h->flapping = true;
        else if (n <= flap_limit(c) / 2)
                h->flapping = false;
}

static void begin_run(PlHealth *h, uint64_t started_usec) {
        h->started_usec = started_usec;
        h->n_up = h->n_part = h->n_fail = 0;
        h->was_up = h->answered = h->docker_passed = false;
        h->last = (PlVerdict){ 0 };
}

/* See pl_health_is_broken(). Only a settled failure counts: one good answer in between is a sign of
 * life and restarts the count. */
static bool is_proven(const PlHealth *h, const PlHealthFacts *f, PlHealthSign sign) {
        switch (sign) {
        case PL_SIGN_EXITED:
        case PL_SIGN_CRASHING:
        case PL_SIGN_RESTARTING:
                return true; /* it does not run */
        case PL_SIGN_FAILS:
                if (f->docker == PL_DOCKER_HEALTH_HEALTHY)
                        return false;
                return (h->answered && f->probed) ||
                       (h->docker_passed && f->docker == PL_DOCKER_HEALTH_UNHEALTHY);
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
            sign != PL_SIGN_PART_ONCE && sign != PL_SIGN_KEEP && sign != PL_SIGN_RESTARTING)
                h->attributed = false;
        return was && !h->attributed;
}

/* Signs whose reason moves while the state stays. */
static bool has_detail(PlHealthSign sign) {
        return sign == PL_SIGN_NOTHING || sign == PL_SIGN_FAILS || sign == PL_SIGN_PART ||
               sign == PL_SIGN_LOADING || sign == PL_SIGN_LOADING_LONG ||
               sign == PL_SIGN_FAILS_EARLY;
}

static void compose_reason(PlHealth *h, const PlHealthConfig *c, const PlHealthFacts *f,
                           PlHealthSign sign, uint64_t now_usec) {
        char why[PL_REASON_MAX + 128];

        explain_sign(h, f, sign, now_usec, why, sizeof(why));
        if (h->flapping)
                (void)snprintf(h->reason, sizeof(h->reason),
                               "flapping: %u changes of state within its FlapBudget= window%s%s",
                               flips_within(h, c->flap.window_usec, now_usec), *why ? "; " : "",
                               why);
        else if (h->attributed && f->waits_for)
                (void)snprintf(h->reason, sizeof(h->reason), "%s; %s, which it needs, is %s", why,
                               f->waits_for, pl_health_state_to_string(f->waits_state));
        else
                (void)snprintf(h->reason, sizeof(h->reason), "%s", why);
}

bool pl_health_step(PlHealth *h, const PlHealthConfig *config, const PlHealthFacts *facts,
                    uint64_t now_usec, PlHealthChange *ret) {
        PlHealthState before = h->state, raw_before = h->raw, to;
        bool was_flapping = h->flapping, alarm;
        PlHealthSign sign;

        if (facts->started_usec != h->started_usec)
                begin_run(h, facts->started_usec);
        if (h->waited && !facts->waits_for && h->attributed)
                h->n_fail = 0;
        h->waited = facts->waits_for != NULL;
        if (!facts->stale && facts->phase == PL_PHASE_RUNNING &&
            facts->docker == PL_DOCKER_HEALTH_HEALTHY)
                h->docker_passed = true;

        sign = sign_of(h, config, facts, now_usec);
        if (sign == PL_SIGN_FAILS_EARLY)
                h->n_fail = 0;
        h->proven = is_proven(h, facts, sign);
        h->raw = next_state(sign, h->raw);
        h->reprieved = sign == PL_SIGN_CRASHING && facts->phase == PL_PHASE_RUNNING;
        alarm = attribute(h, facts, sign);
        damp(h, config, h->raw != raw_before && raw_before != PL_HEALTH_UNKNOWN,
             sign == PL_SIGN_GONE || sign == PL_SIGN_STOPPED, now_usec);
        to = h->flapping ? PL_HEALTH_DEGRADED : h->raw;

        if (to == before && h->flapping == was_flapping && !alarm) {
                /* the same state may have a new reason: it is shown, not reported */
                if (!h->flapping && has_detail(sign))
                        compose_reason(h, config, facts, sign, now_usec);
                return false;
        }
        compose_reason(h, config, facts, sign, now_usec);
        *ret = (PlHealthChange){
                .from = before,
                .to = to,
                .sign = sign,
                .attributed = h->attributed,
                .flapping = h->flapping && !was_flapping,
                .lasted_usec = now_usec - h->since_usec,
                .reason = h->reason,
        };
        if (to != before)
                h->since_usec = now_usec;
        h->state = to;
        return to != before || alarm || h->flapping != was_flapping;
}

uint64_t pl_health_wakeup(const PlHealth *h, const PlHealthConfig *config,
                          const PlHealthFacts *facts, uint64_t now_usec) {
        uint64_t at = PL_TIME_INFINITY, t;

        t = start_deadline(config, facts);
        if (facts->present && h->raw == PL_HEALTH_STARTING && t > now_usec)
                at = t;
        t = facts->oom_usec + PL_HEALTH_OOM_USEC;
        if (facts->oom_usec > 0 && t > now_usec)
                at = PL_MIN(at, t);
        if (h->flapping)
                for (unsigned i = 0; i < PL_MIN(h->n_flips, (unsigned)PL_HEALTH_FLIPS_MAX); i++) {
                        t = h->flips[i] + config->flap.window_usec;
                        if (t > now_usec)
                                at = PL_MIN(at, t);
                }
        return at;
}

bool pl_health_wants_hurry(const PlHealth *h) {
        if (h->raw == PL_HEALTH_STARTING)
                return h->n_fail == 0;
        return (h->raw == PL_HEALTH_UNHEALTHY || h->raw == PL_HEALTH_DEGRADED) && h->n_up > 0 &&
               h->n_up < PL_HEALTH_CONFIRM;
}
