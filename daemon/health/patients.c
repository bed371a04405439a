/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Health: containers, evidence and steps. See the header.
 *
 * Every piece of evidence ends in step(): it puts the facts together, moves the state machine, and
 * reports what follows. A step is pure arithmetic, so take one too many rather than one too few.
 */

#include "health/patients.h"

#include <errno.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/loop.h"
#include "lib/base/map.h"
#include "lib/docker/compose.h"
#include "lib/health/course.h"
#include "lib/health/facts.h"
#include "lib/health/part.h"
#include "lib/probe/place.h"
#include "probe/prober.h"

/* The end of a run; told when kernel and engine have had time to say what they know of it. */
typedef struct PlObituary {
        PlEnding ending;
        uint64_t due_usec;    /* CLOCK_MONOTONIC */
        char *words, *reason; /* its last; and of our own restart. NULL: none */
        bool told;            /* as an end … */
        bool again;           /* … and that the engine's restart policy brings it back is due */
} PlObituary;

/* The end of its last run. */
typedef struct PlLast {
        char *words;          /* for the reason; NULL: there are none */
        PlObituary *obituary; /* NULL: none is due */
} PlLast;

/* What keeps it from running on, though its phase is running; and a pause. */
typedef struct PlHeld {
        bool frozen;          /* at its memory limit */
        uint64_t paused_usec; /* CLOCK_MONOTONIC, when that was seen first; 0: it is not */
        const char *still;    /* it stands still, in words; NULL: it does not. Static */
        uint64_t still_usec;  /* CLOCK_REALTIME, when that was seen last, or was over; 0: never */
} PlHeld;

/* How its course stands to what is kept outside. */
typedef struct PlKept {
        bool remembered;
        uint64_t asked;   /* its probe, in a number; 0: not probed now */
        PlProof recalled; /* what a plimsolld before this one knew, until it can be compared */
} PlKept;

/* What docker compose has written onto it. */
typedef struct PlComposed {
        char *project, *service;
        char *needs;   /* the depends_on label; "": none */
        uint32_t seen; /* by the place in needs: there was such a container */
        bool store;    /* a database, as its probe was */
} PlComposed;

/* What it lives in the network of, or is part of by PartOf=. */
typedef struct PlMembership {
        bool guest; /* its network is another container's … */
        bool gone;  /* … which is no more */
        char host[PL_ID_MAX];
        PlPart what;
        uint64_t waived_usec; /* the run that a dry run has said it would restart; 0: none */
        char *text;           /* of what; NULL: there is nothing to say */
} PlMembership;

typedef struct PlPatient {
        char id[PL_ID_MAX];
        const PlService *service; /* borrowed from the policy; NULL: none */
        PlInspected facts;
        uint64_t started_usec; /* CLOCK_MONOTONIC, of facts.started_usec */
        uint64_t oom_usec;     /* CLOCK_MONOTONIC, of a kill that the container survived; 0: none */
        PlHealth health;
        PlHealthState told; /* the last state that was news */
        PlHistory history;
        PlSlow *slow; /* while it is not up; NULL: nothing was read for it */
        PlRuns runs;
        PlCourse course;
        uint64_t looked_usec;   /* CLOCK_MONOTONIC, of the last inspection */
        uint64_t measured_usec; /* CLOCK_MONOTONIC, of the last verdict */
        bool replaced;          /* in the middle of a restart a new container came for it */
        PlKept kept;
        PlHeld held;
        PlProbeKind kind;     /* PL_PROBE_NONE: not probed now */
        const char *unprobed; /* why not, although a probe is wanted; static */
        uint64_t latency_usec;
        uint64_t wakeup_usec; /* CLOCK_MONOTONIC */
        bool heard;           /* a verdict of its probe since the last step */
        PlMembership part;
        PlComposed *compose;     /* NULL: not made by docker compose */
        const char *unreachable; /* it has lost its network, in words; static */
        PlLast last;
} PlPatient;

/* A required service, and since when it has no container. */
typedef struct PlMissing {
        const PlService *service;
        uint64_t since_usec; /* 0: it has one */
        bool said;
        char reason[PL_HEALTH_REASON_MAX];
} PlMissing;

#define NO_CONTAINER "no container matches its section"

struct PlHealthd {
        sd_event *event;
        const PlHealthdHandlers *handlers;
        void *userdata;
        PlPolicy *policy;
        PlProber *prober;
        PlMap *patients; /* id → PlPatient, owned */
        PlMissing *missing;
        size_t n_missing;
        sd_event_source *timer;
        sd_event_source *again; /* dependents of what has changed, once per iteration */
        bool stale, synced;
        bool stopping, awaited; /* no restart begins any more; the last one is waited for */
        uint64_t lost_usec;     /* CLOCK_REALTIME, when the engine was lost last; 0: never */
        uint64_t forgiven_usec; /* CLOCK_REALTIME, when the policy was loaded anew; 0: never */
        pid_t engine_pid;       /* 0: not known */
        char needed[PL_COMPOSE_NAME_MAX]; /* a service that was looked at */
};

/* --- required services without a container, and services that others need --- */

/* Recreating a container takes up to this long, and is no reason for an alarm. */
#define GRACE_USEC (10 * PL_USEC_PER_SEC)

static int load_missing(PlHealthd *h) {
        PlMissing *list;
        size_t n = 0;

        list = calloc(h->policy->n_services + 1, sizeof(*list));
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < h->policy->n_services; i++) {
                const PlService *s = h->policy->services[i];

                if (!s->probe.required)
                        continue;
                (void)snprintf(list[n].reason, sizeof(list[n].reason), NO_CONTAINER);
                for (size_t j = 0; j < h->n_missing; j++)
                        if (pl_streq(h->missing[j].service->name, s->name))
                                list[n] = h->missing[j];
                list[n++].service = s;
        }
        free(h->missing);
        h->missing = list;
        h->n_missing = n;
        return 0;
}

static bool has_container(const PlHealthd *h, const PlService *service) {
        const PlPatient *p;

        PL_MAP_FOREACH(p, h->patients)
        if (pl_service_section(p->service) == service)
                return true;
        return false;
}

static void say(PlHealthd *h, const PlMissing *m, PlHealthState from, PlHealthState to,
                uint64_t lasted_usec) {
        PlVerdict none = { .kind = PL_VERDICT_NONE };
        PlHealthChange change = {
                .from = from,
                .to = to,
                .sign = PL_SIGN_GONE,
                .lasted_usec = lasted_usec,
                .reason = to == PL_HEALTH_ABSENT ? m->reason : "",
        };
        PlHealthdReport report = {
                .service = m->service->name,
                .change = &change,
                .verdict = &none,
                .judgement = PL_JUDGEMENT_ABSENT,
                .required = true,
        };

        h->handlers->changed(h->userdata, &report);
}

static uint64_t check_missing(PlHealthd *h) {
        uint64_t now = pl_clock_loop_usec(h->event, CLOCK_MONOTONIC), at = PL_TIME_INFINITY;

        if (!h->synced || h->stale)
                return at;
        for (size_t i = 0; i < h->n_missing; i++) {
                PlMissing *m = &h->missing[i];

                if (has_container(h, m->service)) {
                        m->since_usec = 0;
                        m->said = false;
                        continue;
                }
                if (m->since_usec == 0)
                        m->since_usec = now;
                if (!m->said && now >= m->since_usec + GRACE_USEC) {
                        m->said = true;
                        say(h, m, PL_HEALTH_UNKNOWN, PL_HEALTH_ABSENT, now - m->since_usec);
                } else if (!m->said) {
                        at = PL_MIN(at, m->since_usec + GRACE_USEC);
                }
        }
        return at;
}

/* The engine does not tell who removed a container, but what happened to it before. */
static void note_removal(PlHealthd *h, const PlPatient *p) {
        char ending[PL_REASON_MAX];
        const char *how = pl_ending_describe(&p->course.ending, ending, sizeof(ending));

        for (size_t i = 0; i < h->n_missing; i++) {
                PlMissing *m = &h->missing[i];

                if (m->service != pl_service_section(p->service))
                        continue;
                if (pl_ending_was_requested(&p->course.ending))
                        (void)snprintf(m->reason, sizeof(m->reason),
                                       NO_CONTAINER ": %s was stopped and removed on request",
                                       p->facts.name);
                else if (*how)
                        (void)snprintf(m->reason, sizeof(m->reason),
                                       NO_CONTAINER ": %s was removed%s; before that: %s",
                                       p->facts.name,
                                       p->facts.auto_remove ? " at its end, as --rm says" : "",
                                       how);
                else
                        (void)snprintf(m->reason, sizeof(m->reason),
                                       NO_CONTAINER ": %s was removed on request", p->facts.name);
        }
}

bool pl_healthd_next_absent(const PlHealthd *h, size_t *iter, PlHealthdView *ret) {
        while (*iter < h->n_missing) {
                const PlMissing *m = &h->missing[(*iter)++];

                if (!m->said)
                        continue;
                *ret = (PlHealthdView){
                        .state = PL_HEALTH_ABSENT,
                        .reason = m->reason,
                        .since_usec = m->since_usec,
                        .latency_usec = PL_UNLIMITED,
                        .kind = PL_PROBE_NONE,
                        .service = m->service->name,
                };
                return true;
        }
        return false;
}

static bool is_failure(PlVerdictKind k) {
        return k == PL_VERDICT_DISPUTED || k == PL_VERDICT_SILENT;
}

/* A dependency counts as failing from its first failure: its dependents' probes may come before its
 * own next one. */
static bool serves(const PlPatient *p) {
        if (p->unreachable || is_failure(p->health.last.kind) ||
            p->health.last.kind == PL_VERDICT_STARTING)
                return false;
        return p->health.state == PL_HEALTH_HEALTHY || p->health.state == PL_HEALTH_DEGRADED ||
               p->health.state == PL_HEALTH_UNKNOWN || p->health.state == PL_HEALTH_FINISHED;
}

/* The first service that it does not find serving. */
typedef struct PlWait {
        const char *name; /* borrowed until the next look; NULL: none */
        PlHealthState state;
        bool perhaps;
} PlWait;

/* By After=. */
static bool waits_by_policy(const PlHealthd *h, const PlPatient *p, PlWait *ret) {
        char **after = p->service ? p->service->probe.after : NULL;

        for (; after && *after; after++) {
                const PlService *service = pl_policy_find(h->policy, *after);
                PlHealthState state = PL_HEALTH_ABSENT;
                bool up = false;
                const PlPatient *q;

                if (!service)
                        continue;
                PL_MAP_FOREACH(q, h->patients) {
                        if (pl_service_section(q->service) != service)
                                continue;
                        up = up || serves(q);
                        state = q->health.state == PL_HEALTH_HEALTHY ? PL_HEALTH_DEGRADED
                                                                     : q->health.state;
                }
                if (up || (state == PL_HEALTH_ABSENT && !h->synced))
                        continue;
                *ret = (PlWait){ .name = service->name, .state = state };
                return true;
        }
        return false;
}

static bool is_beside(const PlPatient *p, const PlPatient *q) {
        return p != q && p->compose && q->compose &&
               pl_streq(p->compose->project, q->compose->project);
}

/* By what compose was told. One that is not there counts only if it was: whether the project has it
 * at all (a profile, "required: false") is not known. */
static bool waits_by_compose(PlHealthd *h, PlPatient *p, PlWait *ret) {
        const char *rest = p->compose ? p->compose->needs : "";

        for (unsigned i = 0; pl_compose_next_needed(&rest, h->needed); i++) {
                PlHealthState state = PL_HEALTH_ABSENT;
                bool up = false, seen = false;
                const PlPatient *q;

                PL_MAP_FOREACH(q, h->patients) {
                        if (!is_beside(p, q) || !pl_streq(q->compose->service, h->needed))
                                continue;
                        seen = true;
                        up = up || serves(q);
                        state = q->health.state == PL_HEALTH_HEALTHY ? PL_HEALTH_DEGRADED
                                                                     : q->health.state;
                }
                if (seen && i < 32)
                        p->compose->seen |= 1U << i;
                if (up || (!seen && (i >= 32 || !(p->compose->seen & 1U << i))))
                        continue;
                *ret = (PlWait){ .name = h->needed, .state = state };
                return true;
        }
        return false;
}

static bool is_store(PlProbeKind kind) {
        return kind == PL_PROBE_POSTGRES || kind == PL_PROBE_REDIS;
}

/* A database of its project that is down: a service that goes silent with it does so because of it,
 * most likely. */
static bool waits_perhaps(PlHealthd *h, const PlPatient *p, PlWait *ret) {
        const PlPatient *q;

        if (!p->compose || p->compose->store)
                return false;
        PL_MAP_FOREACH(q, h->patients) {
                if (!is_beside(p, q) || !q->compose->store || serves(q))
                        continue;
                (void)snprintf(h->needed, sizeof(h->needed), "%s", q->compose->service);
                *ret = (PlWait){ .name = h->needed, .state = q->health.state, .perhaps = true };
                return true;
        }
        return false;
}

static PlWait waits_for(PlHealthd *h, PlPatient *p) {
        PlWait wait = { 0 };

        (void)(waits_by_policy(h, p, &wait) || waits_by_compose(h, p, &wait) ||
               waits_perhaps(h, p, &wait));
        return wait;
}

/* --- what it is part of --- */

static bool is_named(char **names, const PlService *s) {
        for (; names && *names; names++)
                if (s && pl_streq_null(s->name, *names))
                        return true;
        return false;
}

static bool is_up_in_this_run(const PlPatient *q) {
        return q->health.state == PL_HEALTH_HEALTHY &&
               (q->health.was_up || q->health.docker_passed);
}

/* Might p be part of q, and not of another one of its section? */
static bool is_other_half(const PlPatient *p, const PlPatient *q) {
        if (p == q)
                return false;
        if (p->part.guest)
                return pl_streq(p->part.host, q->id);
        return is_named(p->service->probe.part_of, pl_service_section(q->service)) &&
               (!p->compose || !q->compose || is_beside(p, q));
}

static void take_other(const PlPatient *p, const PlPatient *q, PlPartFacts *f) {
        const PlService *own = pl_service_section(p->service),
                        *section = pl_service_section(q->service);

        f->named = own && own->name && section && section->name;
        f->keyed = is_named(p->service->probe.part_of, section);
        f->other.runs = q->facts.phase == PL_PHASE_RUNNING;
        f->other.healthy = is_up_in_this_run(q);
        f->other.judged = q->kind != PL_PROBE_NONE ||
                          q->facts.healthcheck.status != PL_DOCKER_HEALTH_NONE;
        f->other.created_usec = q->facts.created_usec;
        f->other.started_usec = q->facts.started_usec;
        f->other.finished_usec = q->facts.finished_usec;
}

/* Of several, one that has run anew. Return: the other one; NULL: none. */
static const PlPatient *part_facts(const PlHealthd *h, const PlPatient *p, PlPartFacts *ret) {
        PlPartFacts f = { .runs = p->facts.phase == PL_PHASE_RUNNING,
                          .started_usec = p->facts.started_usec,
                          .guest = p->part.guest,
                          .gone = p->part.gone };
        const PlPatient *q, *other = NULL;

        if (!p->service || (!p->part.guest && !p->service->probe.part_of))
                return NULL;
        PL_MAP_FOREACH(q, h->patients) {
                if (q->looked_usec == 0 || !is_other_half(p, q))
                        continue;
                f.n++;
                if (other && pl_part_ran_anew(&f))
                        continue;
                other = q;
                take_other(p, q, &f);
        }
        *ret = f;
        return other;
}

static void note_part(PlHealthd *h, PlPatient *p, PlPart what, const PlPatient *q) {
        const PlService *own = pl_service_section(p->service),
                        *section = q ? pl_service_section(q->service) : NULL;
        const PlPartNames names = { .name = p->facts.name,
                                    .section = own ? own->name : NULL,
                                    .other = q ? q->facts.name : NULL,
                                    .other_key = section ? section->name : NULL,
                                    .project = p->compose ? p->compose->project : NULL,
                                    .service = p->compose ? p->compose->service : NULL };
        char text[PL_PART_TEXT_MAX];

        free(p->part.text);
        (void)pl_part_describe(what, &names, text);
        p->part.text = *text ? strdup(text) : NULL;
        p->part.what = what;
        if (p->part.text && pl_part_is_told(what) && h->handlers->part)
                h->handlers->part(h->userdata, p->id, what, p->part.text);
}

/* The reason of a restart stays up to the end of that. Return: whether one is due for it. */
static bool look_at_part(PlHealthd *h, PlPatient *p) {
        PlPartFacts f = { 0 };
        const PlPatient *q = part_facts(h, p, &f);
        PlPart what = pl_part(&f);

        if (h->stale || !h->synced || pl_restart_is_under_way(&p->course.restart))
                return false;
        if (p->part.what != what)
                note_part(h, p, what, q);
        return what == PL_PART_RESTART && p->part.waived_usec != p->facts.started_usec &&
               !pl_restart_was_for(&p->course.restart, p->facts.started_usec);
}

/* Why it is restarted. */
static const char *reason_of(const PlPatient *p) {
        bool part = p->part.what == PL_PART_RESTART && p->part.text &&
                    !pl_health_is_broken(&p->health);

        return part ? p->part.text : pl_health_reason(&p->health);
}

/* Does it wait for q, or might it? */
static bool is_needed(const PlPatient *p, const PlPatient *q) {
        char **after = p->service ? p->service->probe.after : NULL;
        const char *rest = is_beside(p, q) ? p->compose->needs : "";
        char name[PL_COMPOSE_NAME_MAX];

        for (; after && *after; after++)
                if (q->service && pl_streq_null(q->service->name, *after))
                        return true;
        while (pl_compose_next_needed(&rest, name))
                if (pl_streq(q->compose->service, name))
                        return true;
        return is_beside(p, q) && q->compose->store;
}

static void look_at_dependencies(PlHealthd *h, const PlPatient *p) {
        const PlPatient *q;

        PL_MAP_FOREACH(q, h->patients)
        if (q->kind != PL_PROBE_NONE && is_needed(p, q))
                pl_prober_soon(h->prober, q->id);
}

/* --- from what is known of a container to the facts that the state machine takes --- */

/* Without a section of the policy; the policy's own defaults. */
#define DEFAULT_FAILURES   3
#define DEFAULT_START_USEC (60 * PL_USEC_PER_SEC)
#define DEFAULT_FLAP       ((PlBudget){ 6, 10 * PL_USEC_PER_MIN })

static PlHealthConfig config_of(const PlPatient *p) {
        const PlProbePolicy *policy = p->service ? &p->service->probe : NULL;
        uint64_t start = policy ? policy->start_period_usec : DEFAULT_START_USEC;

        return (PlHealthConfig){
                .failures = policy ? policy->failures : DEFAULT_FAILURES,
                .start_period_usec = PL_MAX(start, p->facts.healthcheck.start_period_usec),
                .flap = policy ? policy->flap_budget : DEFAULT_FLAP,
                .on_start_timeout = policy && policy->on_start_timeout == PL_ON_UNHEALTHY_RESTART,
                .on_exit = policy && policy->on_exit == PL_ON_UNHEALTHY_RESTART,
        };
}

/* The policy wants it back, however it ends. */
static bool is_run_again(const PlPatient *p) {
        return p->service && p->service->probe.on_exit != PL_ON_UNHEALTHY_NONE;
}

/* A start that a limit of ours holds back may be over at any moment, and Docker's check tells only
 * what has changed. */
#define SLOW_LOOK_USEC (10 * PL_USEC_PER_SEC)
/* What a person has made stand still goes on without a word, as Docker's check does after a pause.
 */
#define LOOK_USEC (10 * PL_USEC_PER_SEC)

/* Return: which limit of ours holds its start back, and how much; NULL: none does. */
static const char *held_back_by(PlHealthd *h, PlPatient *p) {
        bool probed = p->kind != PL_PROBE_NONE;
        bool up = probed ? p->health.answered : p->health.docker_passed;
        PlSlowReading now;

        if (up || p->facts.phase != PL_PHASE_RUNNING || !p->service || !h->handlers->slow ||
            (!probed && p->facts.healthcheck.status == PL_DOCKER_HEALTH_NONE) ||
            !h->handlers->slow(h->userdata, p->id, &now))
                return NULL;
        if (!p->slow)
                p->slow = calloc(1, sizeof(*p->slow));
        if (!p->slow)
                return NULL;
        now.usec = pl_clock_loop_usec(h->event, CLOCK_MONOTONIC);
        return pl_slow_take(p->slow, &now);
}

static void forget_slow(PlPatient *p) {
        free(p->slow);
        p->slow = NULL;
}

/* Docker's last check began when nothing in the container could answer it. */
static bool is_check_old(const PlPatient *p) {
        return p->held.still_usec > 0 && p->facts.healthcheck.checked_usec <= p->held.still_usec;
}

/* Looked for only where something does not answer; it is what a restart must not end. */
static void note_still(PlHealthd *h, PlPatient *p) {
        bool fails = p->facts.healthcheck.status == PL_DOCKER_HEALTH_UNHEALTHY ||
                     p->facts.healthcheck.status == PL_DOCKER_HEALTH_NOT_RUN ||
                     (p->kind != PL_PROBE_NONE && p->health.last.kind == PL_VERDICT_SILENT);
        bool was = p->held.still;

        if (h->stale || !h->handlers->still || (!was && !fails))
                return;
        p->held.still = p->facts.phase == PL_PHASE_RUNNING
                                        ? h->handlers->still(h->userdata, p->facts.main_pid, p->id)
                                        : NULL;
        if (was || p->held.still)
                p->held.still_usec = pl_clock_usec(CLOCK_REALTIME);
}

/* The engine tells of its check when its word changes, and does not change it where it is unhealthy
 * already. Return: when to look again; PL_TIME_INFINITY: there is no need. */
static uint64_t look_again(PlHealthd *h, PlPatient *p, uint64_t now) {
        bool unsure = p->facts.phase == PL_PHASE_RUNNING && !h->stale &&
                      (p->facts.healthcheck.unsure ||
                       (p->facts.healthcheck.status == PL_DOCKER_HEALTH_UNHEALTHY &&
                        is_check_old(p)));

        if (!unsure)
                return p->held.still ? now + LOOK_USEC : PL_TIME_INFINITY;
        if (now >= p->looked_usec + LOOK_USEC) {
                h->handlers->doubted(h->userdata, p->id);
                return now + LOOK_USEC;
        }
        return p->looked_usec + LOOK_USEC;
}

/* By itself, and not well: what it said last is the likeliest reason. */
static bool is_mourned(const PlEnding *e) {
        return (e->ender == PL_ENDER_ITSELF || e->ender == PL_ENDER_SIGKILL ||
                e->ender == PL_ENDER_UNSEEN) &&
               e->exit_code != 0;
}

/* Return: buf; how it ended, and its last words. */
static const char *describe(const PlPatient *p, const PlEnding *e, char buf[PL_HEALTH_REASON_MAX]) {
        size_t n;

        (void)pl_ending_describe(e, buf, PL_HEALTH_REASON_MAX);
        n = strlen(buf);
        if (n > 0 && p->last.words && is_mourned(e))
                (void)snprintf(buf + n, PL_HEALTH_REASON_MAX - n, "%s", p->last.words);
        return buf;
}

static PlHealthFacts facts_of(PlHealthd *h, PlPatient *p, char ending[PL_HEALTH_REASON_MAX]) {
        PlWait wait = waits_for(h, p);
        PlHealthFacts f = pl_health_facts(&p->facts, &p->course.ending, &p->course.restart,
                                          is_run_again(p), pl_clock_usec(CLOCK_REALTIME));

        f.stale = h->stale;
        f.probed = p->kind != PL_PROBE_NONE || p->unreachable;
        f.unreachable = p->unreachable;
        f.paused_usec = p->held.paused_usec;
        f.still = p->held.still;
        /* what was asked while nothing in it could answer */
        if (f.docker == PL_DOCKER_HEALTH_UNHEALTHY && is_check_old(p))
                f.docker = PL_DOCKER_HEALTH_NOT_RUN;
        f.started_usec = p->started_usec;
        f.oom_usec = p->oom_usec;
        f.frozen = p->held.frozen;
        f.ending = describe(p, &p->course.ending, ending);
        f.waits_for = wait.name;
        f.waits_state = wait.state;
        f.waits_perhaps = wait.perhaps;
        return f;
}

/* In whose network it is. */
static void take_host(PlPatient *p, const PlContainer *c, const PlContainer *netns) {
        static const char prefix[] = "container:";
        const char *mode = c->host.network_mode ?: "";

        p->part.guest = pl_startswith(mode, prefix);
        p->part.gone = p->part.guest && !netns;
        (void)snprintf(p->part.host, sizeof(p->part.host), "%s",
                       p->part.guest ? mode + strlen(prefix) : "");
}

static void take_facts(PlPatient *p, const PlContainer *c, uint64_t now_usec) {
        uint64_t real = pl_clock_usec(CLOCK_REALTIME), age;

        if (c->started_usec != p->facts.started_usec)
                forget_slow(p);
        if (c->started_usec != p->facts.started_usec || p->started_usec == 0) {
                age = real > c->started_usec ? real - c->started_usec : 0;
                p->started_usec = c->started_usec == 0 ? 0 : PL_MAX(now_usec, age + 1) - age;
        }
        if (c->phase != PL_PHASE_PAUSED)
                p->held.paused_usec = 0;
        else if (p->held.paused_usec == 0)
                p->held.paused_usec = now_usec;
        pl_inspected_take(&p->facts, c);
}

/* --- what must outlive plimsolld: the budget that is used up, the backoff, a surrender, and how
 * the container ended; only where OnUnhealthy= wants something to be done --- */

static bool is_concerned(const PlPatient *p) {
        const PlProbePolicy *policy = p->service ? &p->service->probe : NULL;

        return policy && (policy->part_of || policy->on_unhealthy != PL_ON_UNHEALTHY_NONE ||
                          policy->on_start_timeout != PL_ON_UNHEALTHY_NONE ||
                          policy->on_exit != PL_ON_UNHEALTHY_NONE);
}

static void recall(PlHealthd *h, PlPatient *p) {
        p->kept.remembered = h->handlers->recall(h->userdata, p->id, pl_clock_usec(CLOCK_MONOTONIC),
                                                 &p->course);
        pl_course_recall(&p->course, pl_clock_usec(CLOCK_MONOTONIC));
        p->kept.recalled = p->course.proof;
}

/* Here the clock is read, and not the loop's: an answer, and the look that is asked for because of
 * it, may come in the same iteration, and the look is the later one all the same. */
static PlNow right_now(void) {
        return (PlNow){ pl_clock_usec(CLOCK_MONOTONIC), pl_clock_usec(CLOCK_REALTIME) };
}

/* A new id is no new budget. */
static void inherit(PlHealthd *h, PlPatient *p) {
        uint64_t times[PL_RESTART_TIMES_MAX];
        PlNow now = right_now();
        size_t n;

        if (p->kept.remembered || !h->handlers->inherit || !is_concerned(p))
                return;
        n = h->handlers->inherit(h->userdata, p->id, times, PL_ARRAY_SIZE(times));
        for (size_t i = 0; i < n; i++)
                if (times[i] <= h->forgiven_usec)
                        n = i; /* the last one comes first */
        pl_restart_inherit(&p->course.restart, times, n, now.realtime_usec, now.monotonic_usec);
}

/* Its place may not be known at the first inspection: other containers and networks come later. */
static void recall_proof(PlPatient *p) {
        if (p->kept.recalled.ran_usec == 0)
                return;
        pl_health_recall(&p->health, &p->kept.recalled, p->facts.started_usec, p->kept.asked,
                         p->started_usec);
        if (p->kept.asked != 0 || p->kept.recalled.ran_usec != p->facts.started_usec)
                p->kept.recalled = (PlProof){ 0 };
}

static void again(PlHealthd *h) {
        (void)sd_event_source_set_enabled(h->again, SD_EVENT_ONESHOT);
}

/* In the middle of a restart, between its stop and its start. */
static bool is_half_done(const PlRestart *r) {
        return pl_restart_is_under_way(r) && r->stage != PL_RESTART_DONE;
}

/* Return: 0, also where there is nothing to keep; negative errno: it is not kept. */
static int remember(PlHealthd *h, PlPatient *p, const PlCourse *before) {
        bool concerned = is_concerned(p);

        if (h->awaited && is_half_done(&before->restart))
                again(h);
        if (concerned && p->kept.recalled.ran_usec == 0)
                p->course.proof = pl_health_proof(&p->health, p->facts.started_usec, p->kept.asked);
        if (!pl_course_has_moved(before, &p->course) || (!p->kept.remembered && !concerned))
                return 0;
        p->kept.remembered = true;
        return h->handlers->remember(h->userdata, p->id, &p->course);
}

/* --- from a container and its section to what is asked of it, and where --- */

static int set_probe(PlHealthd *h, PlPatient *p, const PlContainer *c, const PlContainer *netns) {
        const PlProbePolicy *policy = p->service ? &p->service->probe : NULL;
        PlProbeTarget target = {};
        PlPlace place = { .kind = PL_PROBE_NONE };
        int r;

        /* a paused container accepts connections and never answers */
        if (policy && c->phase == PL_PHASE_RUNNING && c->pid > 0)
                pl_place_find(c, netns, policy->kind, policy->port, &place);
        p->kind = place.kind;
        p->kept.asked = 0;
        p->unprobed = place.why;
        if (p->compose && p->kind != PL_PROBE_NONE)
                p->compose->store = is_store(p->kind);
        if (place.cut_off && !p->unreachable)
                pl_health_cut_off(&p->health);
        p->unreachable = place.cut_off ? place.why : NULL;
        if (p->kind == PL_PROBE_NONE) {
                pl_prober_remove(h->prober, p->id);
                return 0;
        }
        target = (PlProbeTarget){
                .kind = p->kind,
                .addresses = &place.addresses,
                .interval_usec = policy->interval_usec,
                .timeout_usec = policy->timeout_usec,
                .user = place.user,
                .database = place.database,
                .path = policy->path ? policy->path : place.path,
                .prefix = place.prefix,
                .expect = policy->expect,
                .models = policy->ollama_models,
                .host = policy->host,
                .tls = policy->tls,
                .tls_verify = policy->tls_verify,
                .auth = policy->auth,
        };
        p->kept.asked = pl_prober_number(&target);
        r = pl_prober_set(h->prober, p->id, &target);
        if (r > 0)
                pl_health_reprobe(&p->health);
        if (r < 0) {
                p->kind = PL_PROBE_NONE;
                p->unprobed = "the probe could not be set up";
        }
        return r == -ENOMEM ? r : 0;
}

/* --- one restart for one death: facts for lib/health/restart, and what follows from its verbs.
 * What has changed is on disk before the engine hears of it --- */

static uint32_t draw(void) {
        uint32_t random = 0;

        (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
        return random;
}

static PlRestartRules rules_of(const PlPatient *p) {
        const PlProbePolicy *policy = p->service ? &p->service->probe : NULL;
        PlRestartRules rules = { .action = PL_ON_UNHEALTHY_NONE };

        if (!policy)
                return rules;
        rules = (PlRestartRules){ policy->on_unhealthy, policy->restart_budget };
        if (p->facts.phase == PL_PHASE_EXITED && policy->on_exit != PL_ON_UNHEALTHY_NONE)
                rules.action = policy->on_exit;
        else if (pl_health_is_late(&p->health) && policy->on_start_timeout != PL_ON_UNHEALTHY_NONE)
                rules.action = policy->on_start_timeout;
        if (p->part.what == PL_PART_RESTART && !pl_health_is_broken(&p->health))
                rules.action = PL_ON_UNHEALTHY_RESTART;
        return rules;
}

static PlRestartFacts restart_facts(PlHealthd *h, PlPatient *p, PlNow now) {
        PlRestartFacts f = pl_restart_facts(&p->facts, &p->health, &p->course.ending,
                                            p->kind != PL_PROBE_NONE, p->replaced, now);

        f.part = look_at_part(h, p);
        f.stale = h->stale;
        f.looked_usec = p->looked_usec;
        f.measured_usec = p->measured_usec;
        return f;
}

/* In the middle of a restart. */
static void go_on(PlHealthd *h, PlPatient *p, PlRestartVerb verb) {
        int r = h->handlers->restart(h->userdata, p->id, verb, reason_of(p));

        if (r < 0)
                pl_restart_answered(&p->course.restart, -ECANCELED, pl_clock_usec(CLOCK_MONOTONIC),
                                    draw());
}

static void queue(PlHealthd *h, PlPatient *p) {
        uint64_t now = pl_clock_usec(CLOCK_MONOTONIC);
        int r = h->handlers->restart(h->userdata, p->id, PL_RESTART_QUEUE, reason_of(p));

        if (r == 0)
                return;
        /* nothing of its own is wrong that could end or change, so it is said once */
        if (r > 0 && p->part.what == PL_PART_RESTART)
                p->part.waived_usec = p->facts.started_usec;
        pl_restart_answered(&p->course.restart, r, now, draw());
        p->wakeup_usec = PL_MIN(p->wakeup_usec, p->course.restart.not_before_usec);
}

static void carry_out(PlHealthd *h, PlPatient *p, PlRestartVerb verb, uint64_t until) {
        const PlProbePolicy *policy = p->service ? &p->service->probe : NULL;

        switch (verb) {
        case PL_RESTART_WAIT:
                p->wakeup_usec = PL_MIN(p->wakeup_usec, until);
                break;
        case PL_RESTART_MEASURE:
                pl_prober_soon(h->prober, p->id);
                break;
        case PL_RESTART_QUEUE:
                queue(h, p);
                break;
        case PL_RESTART_CANCEL:
        case PL_RESTART_LOOK:
        case PL_RESTART_START:
                go_on(h, p, verb);
                break;
        case PL_RESTART_UNIT:
                h->handlers->start_unit(h->userdata, p->id, policy->unit,
                                        pl_health_reason(&p->health));
                break;
        case PL_RESTART_GIVE_UP:
                h->handlers->gave_up(h->userdata, p->id, reason_of(p), &policy->restart_budget);
                if (policy->unit)
                        h->handlers->start_unit(h->userdata, p->id, policy->unit,
                                                pl_health_reason(&p->health));
                break;
        default:
                break;
        }
}

/* Is it a person's act that it is as it is? */
static bool is_left(const PlRestartFacts *f) {
        return f->requested || f->phase == PL_PHASE_PAUSED || f->phase == PL_PHASE_REMOVING;
}

static void decide(PlHealthd *h, PlPatient *p) {
        uint64_t until = PL_TIME_INFINITY;
        PlNow now = right_now();
        PlRestartFacts f = restart_facts(h, p, now);
        PlRestartRules rules = rules_of(p);
        PlCourse before = p->course;
        PlRestartVerb verb;

        verb = pl_course_step(&p->course, &rules, &f, now, draw(), &until);
        remember(h, p, &before);
        if (pl_restart_is_under_way(&before.restart) && before.restart.stage != PL_RESTART_DONE &&
            p->course.restart.stage == PL_RESTART_IDLE && is_left(&f))
                h->handlers->left(h->userdata, p->id,
                                  p->replaced ? "replaced" : pl_ending_act(&p->course.ending));
        before = p->course;
        carry_out(h, p, verb, until);
        remember(h, p, &before);
}

PlRestartVerb pl_healthd_begin_restart(PlHealthd *h, const char *id, PlHealthdRestart *ret) {
        PlPatient *p = pl_map_get(h->patients, id);
        PlNow now = right_now();
        PlCourse before;
        PlRestartFacts f;
        PlRestartRules rules;
        PlRestartVerb verb;

        if (!p || !p->service || h->stopping)
                return PL_RESTART_NOTHING;
        before = p->course;
        rules = rules_of(p);
        f = restart_facts(h, p, now);
        verb = pl_course_turn(&p->course, &rules, &f, now);
        if (verb == PL_RESTART_NOTHING)
                return verb;
        /* what is stopped, and not written down, might stay down */
        if (remember(h, p, &before) < 0 && verb == PL_RESTART_STOP) {
                p->course = before;
                return PL_RESTART_NOTHING;
        }
        *ret = (PlHealthdRestart){
                .reason = reason_of(p),
                .n = pl_restart_count(&p->course.restart, &rules.budget, now.monotonic_usec) + 1,
                .budget = &p->service->probe.restart_budget,
        };
        return verb;
}

bool pl_healthd_begin_start(PlHealthd *h, const char *id, bool replaced) {
        PlPatient *p = pl_map_get(h->patients, id);
        PlNow now = right_now();
        PlRestartFacts f;

        if (!p)
                return false;
        p->replaced = p->replaced || replaced;
        f = restart_facts(h, p, now);
        return pl_restart_turn_to_start(&p->course.restart, &f, now.monotonic_usec);
}

uint64_t pl_healthd_look_since(const PlHealthd *h, const char *id) {
        static const PlCourse none;
        static const PlInspected never;
        const PlPatient *p = pl_map_get(h->patients, id);

        return pl_course_look_since(p ? &p->course : &none, p ? &p->facts : &never,
                                    pl_clock_usec(CLOCK_REALTIME));
}

/* Without the engine nothing goes on, and the next plimsolld has all of it on disk. */
static size_t count_half_done(const PlHealthd *h) {
        const PlPatient *p;
        size_t n = 0;

        PL_MAP_FOREACH(p, h->patients)
        n += !h->stale && is_half_done(&p->course.restart);
        return n;
}

size_t pl_healthd_stop(PlHealthd *h) {
        size_t n = count_half_done(h);

        h->stopping = true;
        h->awaited = n > 0;
        return n;
}

bool pl_healthd_is_restarting(const PlHealthd *h, const char *id) {
        const PlPatient *p = pl_map_get(h->patients, id);

        return p && pl_restart_is_under_way(&p->course.restart);
}

/* What the engine did, as far as it told. */
static void end_restart(PlHealthd *h, PlPatient *p, int error) {
        PlNow now = right_now();
        PlCourse before = p->course;

        pl_course_answered(&p->course, error, now, draw());
        if (p->course.restart.stage == PL_RESTART_DONE &&
            p->facts.started_usec == p->course.restart.ran_usec) {
                /* the new run is not inspected yet; verdicts are about the old one */
                pl_prober_remove(h->prober, p->id);
                p->started_usec = now.monotonic_usec;
        }
        remember(h, p, &before);
}

/* --- evidence and steps --- */

static void wake_at(PlHealthd *h, uint64_t usec) {
        uint64_t armed = 0;
        int enabled = SD_EVENT_OFF;

        if (usec == PL_TIME_INFINITY)
                return;
        (void)sd_event_source_get_enabled(h->timer, &enabled);
        (void)sd_event_source_get_time(h->timer, &armed);
        if (enabled != SD_EVENT_OFF && armed <= usec)
                return;
        (void)sd_event_source_set_time(h->timer, usec);
        (void)sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
}

/* A start is told by what comes of it, unless the service itself says that it will take long. A job
 * that is done once more, as each "docker compose up" has it, is done as before. */
static bool is_news(PlPatient *p, const PlHealthChange *change) {
        bool done = p->told == PL_HEALTH_FINISHED;

        if (change->to == PL_HEALTH_STARTING)
                return change->late || p->health.last.kind == PL_VERDICT_STARTING;
        if (done && (change->to == PL_HEALTH_FINISHED || change->to == PL_HEALTH_UNKNOWN))
                return false;
        p->told = change->to;
        return true;
}

static void report(PlHealthd *h, PlPatient *p, const PlHealthFacts *f,
                   const PlHealthChange *change) {
        PlHealthdReport r = {
                .id = p->id,
                .service = p->service ? p->service->name : NULL,
                .change = change,
                .waits_for = change->attributed ? f->waits_for : NULL,
                .verdict = &p->health.last,
                .judgement = pl_health_judgement(&p->health),
                .ender = p->course.ending.ender,
                .exit_code = p->course.ending.exit_code,
                .crashes = f->crashes,
                .required = p->service && p->service->probe.required,
                .minor = !is_news(p, change),
        };

        h->handlers->changed(h->userdata, &r);
}

/* Keeps the verdict that was just made. The reason is that of the published state, which may lag
 * behind while nothing is settled. */
static void note_verdict(PlPatient *p, const PlHealthFacts *f) {
        static const char *const docker[] = {
                [PL_DOCKER_HEALTH_NONE] = "",
                [PL_DOCKER_HEALTH_STARTING] = "Docker's check is starting",
                [PL_DOCKER_HEALTH_HEALTHY] = "Docker's check passes",
                [PL_DOCKER_HEALTH_UNHEALTHY] = "Docker's check fails",
                [PL_DOCKER_HEALTH_NOT_RUN] = "Docker's check could not be run",
        };
        PlJudgement judgement = pl_health_judgement(&p->health);
        bool runs = f->phase == PL_PHASE_RUNNING;
        const char *what = runs ? (f->probed ? p->health.last.reason : "") : f->ending;
        const char *check = runs ? docker[f->docker] : "";
        char evidence[PL_EVIDENCE_MAX];

        if (judgement == PL_JUDGEMENT_NONE || (f->stale && !f->probed))
                return;
        (void)snprintf(evidence, sizeof(evidence), "%s%s%s", what, *what && *check ? "; " : "",
                       check);
        pl_history_add(&p->history, pl_judgement_to_string(judgement),
                       runs && f->probed ? p->health.last.code : "", evidence, p->heard,
                       pl_clock_usec(CLOCK_REALTIME));
        p->heard = false;
}

/* --- who ends by itself, and comes back by the engine's hand --- */

/* The kernel's word of an OOM kill comes within 150 ms of it. */
#define OBITUARY_USEC (300 * PL_USEC_PER_MSEC)

/* What has come to light since, unless it runs again. */
static void tell_ended(PlHealthd *h, PlPatient *p, PlObituary *o) {
        const PlEnding *now = &p->course.ending;

        uint64_t a = now->end_usec, b = o->ending.end_usec;

        /* its event and an inspection differ a little */
        if (now->ender != PL_ENDER_NONE && (a > b ? a - b : b - a) <= 2 * PL_USEC_PER_SEC)
                o->ending = *now;
        /* where its log is was not known yet when it ended */
        if (!o->told && !o->words && o->ending.exit_code != 0 && h->handlers->words &&
            p->facts.phase != PL_PHASE_RUNNING)
                o->words = h->handlers->words(h->userdata, p->id);
        if (!o->told && h->handlers->ended)
                h->handlers->ended(h->userdata, p->id, &o->ending, o->words, o->reason);
        o->told = true;
}

static void bury(PlPatient *p) {
        PlObituary *o = TAKE_PTR(p->last.obituary);

        if (!o)
                return;
        free(o->words);
        free(o->reason);
        free(o);
}

/* It ended just now. A loop is told as one, by its health. */
static void note_end(PlHealthd *h, PlPatient *p, const PlEnding *ending) {
        const char *policy = p->facts.restart_policy;
        PlEnder ender = ending->ender;
        bool by_itself = ender == PL_ENDER_ITSELF || ender == PL_ENDER_SIGKILL ||
                         ender == PL_ENDER_OOM || ender == PL_ENDER_HOST_OOM;
        PlObituary *o = p->last.obituary;

        if (o) {
                tell_ended(h, p, o);
                bury(p);
        }
        p->last.obituary = o = calloc(1, sizeof(*o));
        if (!o)
                return;
        o->ending = *ending;
        o->due_usec = pl_clock_usec(CLOCK_MONOTONIC) + OBITUARY_USEC;
        o->again = by_itself && *policy && !pl_streq(policy, "no") &&
                   pl_ending_crashes(&p->course.ending, false, pl_clock_usec(CLOCK_REALTIME)) == 0;
        /* it may be gone with its log in a moment */
        if (ending->exit_code != 0 && h->handlers->words)
                o->words = h->handlers->words(h->userdata, p->id);
        if (ender == PL_ENDER_PLIMSOLL)
                o->reason = strdup(reason_of(p));
        p->wakeup_usec = PL_MIN(p->wakeup_usec, o->due_usec);
        wake_at(h, p->wakeup_usec);
}

/* The engine remembers some hundred events, which tell how it was while nobody was looking. What
 * ended longer ago than this is not asked for: thousands may have. */
#define ASK_BACK_USEC PL_USEC_PER_HOUR
/* … and its answer is waited for so long. */
#define ASK_USEC (3 * PL_USEC_PER_SEC)

/* At the first look at a container: a run of it may have ended while plimsolld was down. */
static void note_unseen(PlHealthd *h, PlPatient *p, const PlContainer *c) {
        uint64_t ran = p->kept.recalled.ran_usec, now = pl_clock_usec(CLOCK_REALTIME);
        const PlEnding before = { .start_usec = ran, .end_usec = c->finished_usec };

        if (pl_container_is_live(c) && ran > 0 && c->started_usec > c->finished_usec &&
            c->finished_usec > ran)
                note_end(h, p, &before);
        if (p->course.ending.ender != PL_ENDER_UNSEEN || !p->last.obituary ||
            c->finished_usec + ASK_BACK_USEC < now || pl_restart_is_under_way(&p->course.restart))
                return;
        p->last.obituary->due_usec = pl_clock_usec(CLOCK_MONOTONIC) + ASK_USEC;
        (void)h->handlers->restart(h->userdata, p->id, PL_RESTART_LOOK, "");
}

/* Return: when to ask again; PL_TIME_INFINITY: it is told, or there is nothing to tell. */
static uint64_t tell_end(PlHealthd *h, PlPatient *p, uint64_t now) {
        PlObituary *o = p->last.obituary;
        bool runs = p->facts.phase == PL_PHASE_RUNNING;
        char how[PL_HEALTH_REASON_MAX];

        if (!o)
                return PL_TIME_INFINITY;
        if (now < o->due_usec)
                return o->due_usec;
        tell_ended(h, p, o);
        if (o->again && runs && p->facts.started_usec <= o->ending.end_usec)
                return now + OBITUARY_USEC; /* not inspected since */
        if (o->again && (runs || p->facts.phase == PL_PHASE_RESTARTING) && h->handlers->run_again)
                h->handlers->run_again(h->userdata, p->id, &o->ending,
                                       describe(p, &o->ending, how));
        bury(p);
        return PL_TIME_INFINITY;
}

/* Once for each end. The log has its last lines before the engine tells of the end. */
static void take_words(PlHealthd *h, PlPatient *p, const PlContainer *c) {
        bool ended = c->phase == PL_PHASE_EXITED || c->phase == PL_PHASE_DEAD ||
                     c->phase == PL_PHASE_RESTARTING;

        if (!ended || (c->finished_usec == p->facts.finished_usec && p->last.words) ||
            !h->handlers->words)
                return;
        free(p->last.words);
        p->last.words = c->exit_code != 0 ? h->handlers->words(h->userdata, p->id) : NULL;
}

static PlComposed *composed_free(PlComposed *c) {
        if (!c)
                return NULL;
        free(c->project);
        free(c->service);
        free(c->needs);
        free(c);
        return NULL;
}

/* Labels never change. Return: NULL: not made by docker compose, or out of memory. */
static PlComposed *composed_new(const PlContainer *c) {
        const char *project = pl_container_label(c, PL_COMPOSE_PROJECT);
        const char *service = pl_container_label(c, PL_COMPOSE_SERVICE);
        PlComposed *made = project && service ? calloc(1, sizeof(*made)) : NULL;

        if (!made)
                return NULL;
        made->project = strdup(project);
        made->service = strdup(service);
        made->needs = strdup(pl_container_label(c, PL_COMPOSE_NEEDS) ?: "");
        return made->project && made->service && made->needs ? made : composed_free(made);
}

static PlPatient *patient_free(PlPatient *p) {
        if (!p)
                return NULL;
        composed_free(p->compose);
        free(p->last.words);
        free(p->part.text);
        pl_history_clear(&p->history);
        pl_health_deinit(&p->health);
        forget_slow(p);
        bury(p);
        free(p);
        return NULL;
}

/* Return: whether something changed that others may depend on. */
static bool step(PlHealthd *h, PlPatient *p) {
        PlHealthConfig config = config_of(p);
        uint64_t now = pl_clock_loop_usec(h->event, CLOCK_MONOTONIC);
        bool served = p->health.state == PL_HEALTH_HEALTHY, changed;
        char ending[PL_HEALTH_REASON_MAX];
        PlHealthChange change;
        PlHealthFacts f;

        note_still(h, p);
        f = facts_of(h, p, ending);
        f.held = held_back_by(h, p);
        changed = pl_health_step(&p->health, &config, &f, now, &change);
        note_verdict(p, &f);
        p->wakeup_usec =
                        PL_MIN(pl_health_wakeup(&p->health, &config, &f, now), tell_end(h, p, now));
        if (f.crashes > 0 && f.phase == PL_PHASE_RUNNING)
                p->wakeup_usec = PL_MIN(p->wakeup_usec, PL_MAX(p->started_usec + PL_CRASH_CALM_USEC,
                                                               now + PL_USEC_PER_SEC));
        if (f.held)
                p->wakeup_usec = PL_MIN(p->wakeup_usec, now + SLOW_LOOK_USEC);
        p->wakeup_usec = PL_MIN(p->wakeup_usec, look_again(h, p, now));
        pl_prober_hurry(h->prober, p->id, pl_health_hurry(&p->health));
        if (changed)
                report(h, p, &f, &change);
        decide(h, p);
        wake_at(h, p->wakeup_usec);
        if (changed)
                h->handlers->touched(h->userdata);
        return changed || served != (p->health.state == PL_HEALTH_HEALTHY);
}

static void step_and_tell(PlHealthd *h, PlPatient *p) {
        if (step(h, p))
                again(h);
}

/* Dependents follow their dependency, so a chain takes one iteration for each link. */
static int on_again(sd_event_source *source, void *userdata) {
        PlHealthd *h = userdata;
        bool changed = false;
        PlPatient *p;

        pl_loop_doing("health");
        PL_MAP_FOREACH(p, h->patients)
        if ((p->service && (p->service->probe.after || p->service->probe.part_of)) || p->compose ||
            p->part.guest)
                changed = step(h, p) || changed;
        if (changed)
                again(h);
        wake_at(h, check_missing(h));
        if (h->awaited && count_half_done(h) == 0) {
                h->awaited = false;
                h->handlers->stopped(h->userdata);
        }
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        PlHealthd *h = userdata;
        uint64_t now = pl_clock_loop_usec(h->event, CLOCK_MONOTONIC);
        PlPatient *p;

        pl_loop_doing("health");
        PL_MAP_FOREACH(p, h->patients)
        if (p->wakeup_usec <= now)
                step_and_tell(h, p);
        PL_MAP_FOREACH(p, h->patients)
        wake_at(h, p->wakeup_usec);
        wake_at(h, check_missing(h));
        return 0;
}

static void on_verdict(void *userdata, const char *id, const PlVerdict *v, uint64_t latency_usec,
                       const PlOllamaFacts *ollama) {
        PlHealthd *h = userdata;
        PlPatient *p = pl_map_get(h->patients, id);
        bool failed;

        if (!p)
                return;
        failed = is_failure(p->health.last.kind);
        p->latency_usec = latency_usec;
        if (v->kind != PL_VERDICT_NONE)
                p->measured_usec = pl_clock_usec(CLOCK_MONOTONIC);
        pl_health_probe(&p->health, v);
        p->heard = v->kind != PL_VERDICT_NONE;
        if (is_failure(v->kind) && !failed) {
                look_at_dependencies(h, p);
                h->handlers->doubted(h->userdata, p->id);
        }
        /* dependents react to the first failure, not to the settled state */
        if (failed != (is_failure(p->health.last.kind)))
                again(h);
        step_and_tell(h, p);
        if (ollama && v->kind == PL_VERDICT_UP)
                h->handlers->ollama(h->userdata, id, ollama);
}

static void on_unmet(void *userdata, const char *id, uint16_t port, PlVerdict *v) {
        PlHealthd *h = userdata;
        const PlPatient *p = pl_map_get(h->patients, id);

        if (p && !h->stale && p->facts.phase == PL_PHASE_RUNNING && h->handlers->listens)
                pl_listen_judge(h->handlers->listens(h->userdata, p->facts.main_pid, port), port,
                                p->part.guest && !p->part.gone, v);
}

static void on_login(void *userdata, const char *id) {
        PlHealthd *h = userdata;

        if (h->handlers->environment)
                h->handlers->environment(h->userdata, id);
}

void pl_healthd_environment(PlHealthd *h, const char *id, char *const *environment) {
        const PlPatient *p = pl_map_get(h->patients, id);

        if (p)
                pl_prober_login(h->prober, id,
                                pl_login_new(pl_probe_kind_info(p->kind)->word, environment));
}

static const PlProbeHandlers probe_handlers = {
        .verdict = on_verdict,
        .unmet = on_unmet,
        .login = on_login,
};

int pl_healthd_new(sd_event *event, const PlHealthdHandlers *handlers, void *userdata,
                   PlHealthd **ret) {
        _cleanup_(pl_healthd_freep) PlHealthd *h = calloc(1, sizeof(*h));
        int r;

        if (!h)
                return -ENOMEM;
        h->event = sd_event_ref(event);
        h->handlers = handlers;
        h->userdata = userdata;
        h->patients = pl_map_new();
        if (!h->patients)
                return -ENOMEM;
        r = pl_prober_new(event, &probe_handlers, h, &h->prober);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &h->timer, CLOCK_MONOTONIC, 0, 500 * PL_USEC_PER_MSEC,
                              on_timer, h);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
        (void)sd_event_source_set_description(h->timer, "health-timer");
        r = sd_event_add_defer(event, &h->again, on_again, h);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(h->again, SD_EVENT_OFF);
        *ret = TAKE_PTR(h);
        return 0;
}

PlHealthd *pl_healthd_free(PlHealthd *h) {
        PlPatient *p;

        if (!h)
                return NULL;
        pl_prober_free(h->prober);
        if (h->patients)
                PL_MAP_FOREACH(p, h->patients) {
                        (void)pl_map_remove(h->patients, p->id);
                        patient_free(p);
                }
        pl_map_free(h->patients);
        free(h->missing);
        sd_event_source_disable_unref(h->timer);
        sd_event_source_disable_unref(h->again);
        sd_event_unref(h->event);
        pl_policy_unref(h->policy);
        free(h);
        return NULL;
}

void pl_healthd_set_policy(PlHealthd *h, PlPolicy *policy) {
        PlPolicy *old = h->policy;
        PlPatient *p;

        if (old)
                h->forgiven_usec = pl_clock_usec(CLOCK_REALTIME);
        h->policy = pl_policy_ref(policy);
        PL_MAP_FOREACH(p, h->patients) {
                PlCourse before = p->course;

                p->service = NULL;
                p->part.waived_usec = 0;
                pl_restart_forgive(&p->course.restart);
                remember(h, p, &before);
        }
        if (load_missing(h) < 0)
                h->n_missing = 0; /* those are the old policy's; absence goes unnoticed */
        pl_policy_unref(old);
        again(h);
}

void pl_healthd_set_synced(PlHealthd *h, bool synced) {
        bool turns = h->stale == synced;
        PlPatient *p;

        if (!turns && h->synced >= synced)
                return;
        h->stale = !synced;
        h->synced |= synced;
        if (turns) {
                if (!synced)
                        h->lost_usec = pl_clock_usec(CLOCK_REALTIME);
                PL_MAP_FOREACH(p, h->patients)
                step_and_tell(h, p);
        }
        again(h);
}

void pl_healthd_engine(PlHealthd *h, pid_t pid) {
        bool other = h->engine_pid > 0 && pid > 0 && h->engine_pid != pid;
        PlPatient *p;

        if (other && h->lost_usec > 0)
                PL_MAP_FOREACH(p, h->patients)
        pl_ending_engine(&p->course.ending, h->lost_usec, pl_clock_usec(CLOCK_REALTIME));
        h->engine_pid = pid;
}

static PlPatient *patient_ensure(PlHealthd *h, const char *id) {
        PlPatient *p = pl_map_get(h->patients, id);

        if (p)
                return p;
        p = calloc(1, sizeof(*p));
        if (!p)
                return NULL;
        (void)snprintf(p->id, sizeof(p->id), "%s", id);
        p->kind = PL_PROBE_NONE;
        p->latency_usec = PL_UNLIMITED;
        p->wakeup_usec = PL_TIME_INFINITY;
        p->health.since_usec = pl_clock_loop_usec(h->event, CLOCK_MONOTONIC);
        if (pl_map_put(h->patients, p->id, p) < 0) {
                free(p);
                return NULL;
        }
        return p;
}

int pl_healthd_update(PlHealthd *h, const PlContainer *c, const PlContainer *netns,
                      const PlService *service) {
        bool known = pl_map_get(h->patients, c->id);
        PlPatient *p = patient_ensure(h, c->id);
        PlCourse before = { 0 };
        bool first;
        int r;

        if (!p)
                return -ENOMEM;
        p->service = service;
        first = p->looked_usec == 0;
        p->looked_usec = pl_clock_usec(CLOCK_MONOTONIC);
        if (!known)
                recall(h, p);
        else if (first)
                pl_course_recall(&p->course, pl_clock_usec(CLOCK_MONOTONIC));
        if (first)
                inherit(h, p);
        /* … which is none of its looks: see there */
        if (!known || !first)
                before = p->course; /* otherwise nothing of what was heard is on disk yet */
        if (c->started_usec != p->facts.started_usec)
                pl_prober_remove(h->prober, p->id); /* an answer would be about the last run */
        pl_runs_inspect(&p->runs, c,
                        pl_restart_is_under_way(&p->course.restart) &&
                                        p->facts.started_usec == p->course.restart.ran_usec);
        if (!p->compose)
                p->compose = composed_new(c);
        take_words(h, p, c);
        take_host(p, c, netns);
        take_facts(p, c, pl_clock_loop_usec(h->event, CLOCK_MONOTONIC));
        pl_ending_inspect(&p->course.ending, c, pl_clock_usec(CLOCK_REALTIME));
        if (p->course.ending.ender != PL_ENDER_NONE &&
            (before.ending.ender == PL_ENDER_NONE ||
             before.ending.end_usec != p->course.ending.end_usec))
                note_end(h, p, &p->course.ending); /* its event is lost, or still to come */
        if (first)
                note_unseen(h, p, c);
        r = set_probe(h, p, c, netns);
        if (first && pl_restart_is_under_way(&p->course.restart) &&
            p->course.restart.ran_usec == c->started_usec)
                pl_health_proved(&p->health, p->started_usec);
        recall_proof(p);
        remember(h, p, &before);
        step_and_tell(h, p);
        again(h); /* a service may have a container now */
        return r;
}

/* Says who acts upon a container. */
static bool is_act(PlEventAction a) {
        return a == PL_EVENT_KILL || a == PL_EVENT_STOP || a == PL_EVENT_PAUSE ||
               a == PL_EVENT_UNPAUSE;
}

/* Before it is inspected for the first time, how it ended is told by its end only to whom has heard
 * what came before; in the middle of our own restart, what is ours. That is looked for there. */
static bool tells_alone(const PlCourse *c, const PlEvent *event) {
        return event->action == PL_EVENT_START || c->ending.start_usec > 0 ||
               (event->action != PL_EVENT_DIE && !pl_restart_is_under_way(&c->restart));
}

void pl_healthd_event(PlHealthd *h, const PlEvent *event) {
        PlPatient *p = pl_map_get(h->patients, event->id);
        PlCourse before;

        /* it may have ended before it is inspected for the first time, which tells nothing of how;
         * or a person stops it just then */
        if (!p && (event->action == PL_EVENT_START || (!h->synced && is_act(event->action)))) {
                p = patient_ensure(h, event->id);
                if (p)
                        recall(h, p);
        }
        if (!p || pl_ending_is_late(&p->course.ending, event))
                return;
        if (p->looked_usec == 0 && !tells_alone(&p->course, event))
                return;
        before = p->course;
        if (event->action == PL_EVENT_START)
                p->replaced = false;
        pl_course_event(&p->course, p->facts.restart_policy, event);
        if (event->action == PL_EVENT_DIE && before.ending.ender == PL_ENDER_NONE)
                note_end(h, p, &p->course.ending);
        else if (event->action == PL_EVENT_STOP && p->last.obituary)
                pl_ending_event(&p->last.obituary->ending, event);
        remember(h, p, &before);
}

void pl_healthd_oom(PlHealthd *h, const char *id, pid_t victim, bool host) {
        PlPatient *p = pl_map_get(h->patients, id);
        PlOomVictim who = PL_OOM_VICTIM_UNKNOWN;
        PlCourse before;

        if (!p)
                return;
        before = p->course;
        if (victim > 0 && p->facts.main_pid > 0)
                who = victim == p->facts.main_pid ? PL_OOM_VICTIM_MAIN : PL_OOM_VICTIM_CHILD;
        pl_ending_oom(&p->course.ending, who, host, pl_clock_usec(CLOCK_REALTIME));
        if (p->last.obituary)
                pl_ending_oom(&p->last.obituary->ending, who, host, pl_clock_usec(CLOCK_REALTIME));
        remember(h, p, &before);
        p->oom_usec = pl_clock_loop_usec(h->event, CLOCK_MONOTONIC);
        step_and_tell(h, p);
}

void pl_healthd_frozen(PlHealthd *h, const char *id, bool frozen) {
        PlPatient *p = pl_map_get(h->patients, id);

        if (!p || p->held.frozen == frozen)
                return;
        p->held.frozen = frozen;
        step_and_tell(h, p);
}

void pl_healthd_restarted(PlHealthd *h, const char *id, int error) {
        PlPatient *p = pl_map_get(h->patients, id);

        if (!p)
                return;
        end_restart(h, p, error);
        step_and_tell(h, p);
}

void pl_healthd_remove(PlHealthd *h, const char *id, bool gone) {
        PlPatient *p = pl_map_get(h->patients, id);
        PlHealthChange change;
        PlHealthConfig config;
        PlHealthFacts f = { 0 };
        PlPatient *q;

        if (gone)
                PL_MAP_FOREACH(q, h->patients)
        q->part.gone |= q->part.guest && pl_streq(q->part.host, id);
        if (!p && gone)
                again(h); /* those in its network */
        if (!p)
                return;
        config = config_of(p);
        if (gone && p->looked_usec > 0 &&
            pl_health_step(&p->health, &config, &f, pl_clock_loop_usec(h->event, CLOCK_MONOTONIC),
                           &change))
                report(h, p, &f, &change);
        if (gone && p->looked_usec > 0)
                note_removal(h, p);
        if (p->last.obituary)
                tell_ended(h, p, p->last.obituary);
        pl_prober_remove(h->prober, id);
        (void)pl_map_remove(h->patients, id);
        patient_free(p);
        again(h);
}

bool pl_healthd_get(const PlHealthd *h, const char *id, PlHealthdView *ret) {
        const PlPatient *p = pl_map_get(h->patients, id);
        const char *reason;

        if (!p)
                return false;
        reason = p->health.state == PL_HEALTH_UNKNOWN && p->unprobed ? p->unprobed
                                                                     : pl_health_reason(&p->health);
        *ret = (PlHealthdView){
                .state = p->health.state,
                .reason = *reason ? reason : NULL,
                .since_usec = p->health.since_usec,
                .latency_usec = p->latency_usec,
                .kind = p->kind,
                .restarts = p->service ? pl_restart_count(&p->course.restart,
                                                          &p->service->probe.restart_budget,
                                                          pl_clock_loop_usec(h->event,
                                                                             CLOCK_MONOTONIC))
                                       : 0,
                .gave_up = p->course.restart.gave_up,
                .flapping = p->health.flapping,
                .unprobed = p->unprobed,
                .part = pl_part_is_told(p->part.what) ? p->part.text : NULL,
                .part_kind = p->part.what,
        };
        return true;
}

static PlNoRestartFacts no_restart_facts(PlHealthd *h, PlPatient *p, PlNow now) {
        PlWait wait = waits_for(h, p);
        PlHealthConfig config = config_of(p);
        uint64_t start = p->started_usec + config.start_period_usec;
        PlNoRestartFacts f = {
                .restart = restart_facts(h, p, now),
                .governed = p->service,
                .row = p->health.row,
                .docker = p->facts.healthcheck.status,
                .n_failed = p->health.n_silent,
                .failures = config.failures,
                .start_left_usec = start > now.monotonic_usec && !p->health.answered
                                                   ? start - now.monotonic_usec
                                                   : 0,
        };

        if (p->health.attributed) {
                f.waits_for = wait.name;
                f.waits_state = wait.state;
        }
        return f;
}

bool pl_healthd_detail(PlHealthd *h, const char *id, bool dry_run, PlHealthdDetail *ret) {
        PlPatient *p = pl_map_get(h->patients, id);
        PlNow now = right_now();
        PlNoRestartFacts f;

        if (!p)
                return false;
        f = no_restart_facts(h, p, now);
        f.dry_run = dry_run;
        *ret = (PlHealthdDetail){
                .history = &p->history,
                .runs = &p->runs,
                .rules = rules_of(p),
                .gave_up_usec = p->course.restart.gave_up ? p->course.restart.gave_up_usec : 0,
        };
        ret->budget_used = pl_restart_count(&p->course.restart, &ret->rules.budget,
                                            now.monotonic_usec);
        ret->no_restart = pl_no_restart(&p->course.restart, &ret->rules, &f, now.monotonic_usec,
                                        ret->no_restart_text, sizeof(ret->no_restart_text));
        return true;
}

int pl_healthd_ask(PlHealthd *h, const char *id, PlProbeAnswered answered, void *userdata) {
        return pl_prober_ask(h->prober, id, answered, userdata);
}
