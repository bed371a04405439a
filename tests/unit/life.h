/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Life: the truth of test-lives, which nobody in it knows as a whole: an engine, a container with a
 * service in it, persons; what plimsolld asks of them, and whether it may.
 */

#include "lib/health/course.h"
#include "lib/health/facts.h"
#include "unit.h"

#define SEC  PL_USEC_PER_SEC
#define MSEC PL_USEC_PER_MSEC

#define LIVES       1000
#define TICK_USEC   (200 * MSEC)
#define LIFE_USEC   (400 * SEC)
#define CALM_USEC   (150 * SEC) /* at the end: whatever is under way comes to its end */
#define EPOCH_USEC  (1767225600 * SEC)
#define STOP_USEC   (10 * SEC)
#define HEARS_USEC  SEC /* before it is there; as daemon/engine/client asks for */
#define FAILURES    3
#define EVENTS_MAX  256
#define EXIT_KILLED 137

/* --- chance --- */

static uint64_t seed_state;

static uint32_t chance(void) {
        seed_state = seed_state * 6364136223846793005u + 1442695040888963407u;
        return (uint32_t)(seed_state >> 33);
}

static uint32_t below(uint32_t n) {
        return chance() % n;
}

/* Once in so long, on average. */
static bool every(uint64_t usec) {
        return below((uint32_t)(usec / TICK_USEC)) == 0;
}

static uint64_t between(uint64_t from, uint64_t to) {
        return from + chance() % (to - from + 1);
}

/* --- the truth: an engine and a container --- */

typedef enum Mood { WELL, SILENT, ODD, PARTLY, LOADING, _N_MOODS } Mood;

typedef enum What { NOTHING, STOP, KILL, START, RESTART } What;

/* What plimsolld has asked the engine for. */
typedef struct Order {
        PlRestartVerb verb;
        uint64_t arrives_usec, answers_usec;  /* 0: it never does; nobody hears of it */
        bool arrived, done, refused, nothing; /* nothing: not modified */
} Order;

/* C11's unnamed members are for reading: who knows what. */
typedef struct Life {
        uint64_t seed, now; /* CLOCK_MONOTONIC; the other clock is EPOCH_USEC ahead */
        bool calm, tells;   /* nothing more happens by chance; for people */

        struct { /* the engine */
                bool connected;
                pid_t engine_pid;
                bool engine_died; /* and is not back yet */
                uint64_t comes_back_usec;
                struct {
                        PlEvent event;
                        uint64_t heard_usec;
                        bool heard;
                } events[EVENTS_MAX];
                unsigned n_events, n_history; /* history: what this engine process remembers */
        };

        struct { /* the container */
                PlContainer c;
                const char *policy;
                bool checked, lies; /* Docker has a check; it is content whatever happens */
                bool probed;
                uint64_t check_usec, restarts_usec, next_start_usec;
                bool manual; /* the engine's "has been stopped by hand" */
                bool gone;
                Mood mood;
                uint64_t up_usec, slow_usec;    /* when it is up; how long it takes to end */
                uint64_t ends_usec, kills_usec; /* being stopped: when it ends, when it is killed */
                int ends_with;
                bool ours_stops, person_stops; /* who waits for that end */
                bool person_restarts;
        };

        struct { /* the run */
                unsigned n_run;
                bool person_acted;  /* in this run, while it ran */
                bool stopped_by_us; /* our stop has reached it while it ran */
                bool ended_by_itself, ended_with_engine;
                unsigned n_our_stops, n_our_starts; /* in this run */
                unsigned intended_run; /* it was decided to stop or start it in this run */
                uint64_t unsent_usec; /* when it was decided, and never got to the engine; 0: it did
                                       */
                unsigned unknown_run; /* a person stopped it right then: nobody can tell the two
                                       * apart; or before plimsolld was there, and the engine has
                                       * forgotten it */
                uint64_t acted_usec;  /* of the person's last act */
                uint64_t hears_usec;  /* since when this plimsolld is told of events */
        };

        struct { /* what plimsolld could know, and the next one could be told */
                bool answered, passed, ever_up;
                unsigned n_silent; /* of its present life alone */
        };

        struct { /* counts */
                unsigned executed, booked, refused, lost, forgiven;
                unsigned shared;     /* stops that a person asked for as well */
                bool course_counted; /* this restart is in `executed` */
        };

        struct {                            /* plimsolld */
                bool alive, knows, recalls; /* knows: it was inspected once; recalls: what is on
                                             * disk was read */
                uint64_t born_usec;
                PlInspected inspected;
                PlHealth health;
                PlCourse course;
                PlHealthConfig config;
                PlRestartRules rules;
                bool on_exit, on_start_timeout;
                bool stale;
                uint64_t lost_usec;
                pid_t known_pid;
                uint64_t started_usec; /* CLOCK_MONOTONIC */
                uint64_t looked_usec, measured_usec;
        };

        struct {                       /* what it waits for */
                uint64_t probe_usec;   /* next round */
                uint64_t inspect_usec; /* an inspection is answered then; 0: none is asked for */
                uint64_t turn_usec;    /* the queue's turn; 0: not queued */
                uint64_t look_usec;    /* a look is answered then */
                uint64_t start_turn_usec;
                Order order;
                bool on_disk;
                PlCourse disk;
                PlProof recalled;
        };
} Life;

static uint64_t real(const Life *l) {
        return EPOCH_USEC + l->now;
}

static PlNow now_of(const Life *l) {
        return (PlNow){ l->now, real(l) };
}

#define TELL(l, ...)                                                                         \
        do {                                                                                 \
                if ((l)->tells) {                                                            \
                        printf("%7.1f run %u: ", (double)(l)->now / SEC - 1000, (l)->n_run); \
                        printf(__VA_ARGS__);                                                 \
                        putchar(10);                                                         \
                        fflush(stdout);                                                      \
                }                                                                            \
        } while (0)

#define MUST(l, condition, what)                                                            \
        ck_assert_msg(condition, "seed %" PRIu64 ", at %.1f s, run %u: %s (%s)", (l)->seed, \
                      (double)(l)->now / SEC - 1000, (l)->n_run, what,                      \
                      pl_health_reason(&(l)->health))

/* No two things happen at the same moment. */
static uint64_t stamp(const Life *l) {
        return real(l) + l->n_events % 100000;
}

/* The oldest event that is kept. */
static unsigned first_event(const Life *l) {
        return l->n_events > EVENTS_MAX ? l->n_events - EVENTS_MAX : 0;
}

/* @before_usec: CLOCK_REALTIME; what came later is still to be told, or told again. */
static void hears_no_more(Life *l, uint64_t before_usec) {
        for (unsigned i = first_event(l); i < l->n_events; i++)
                l->events[i % EVENTS_MAX].heard =
                                l->events[i % EVENTS_MAX].event.time_nsec / 1000 < before_usec;
}

static void happens(Life *l, PlEventAction action, int number) {
        unsigned i = l->n_events % EVENTS_MAX;
        uint64_t before =
                        l->n_events > 0 ? l->events[(l->n_events - 1) % EVENTS_MAX].heard_usec : 0;

        l->events[i].event = (PlEvent){ .action = action,
                                        .time_nsec = stamp(l) * 1000,
                                        .exit_code = number,
                                        .signal = number };
        l->events[i].heard = false;
        l->events[i].heard_usec = PL_MAX(before, l->now + between(1 * MSEC, 600 * MSEC));
        l->n_events++;
        l->n_history++;
}

static bool runs(const Life *l) {
        return !l->gone && (l->c.phase == PL_PHASE_RUNNING || l->c.phase == PL_PHASE_PAUSED);
}

static void set_docker(Life *l, PlDockerHealth health) {
        if (!l->checked || l->c.healthcheck.status == health)
                return;
        l->c.healthcheck.status = health;
        happens(l, PL_EVENT_HEALTH_STATUS, 0);
}

static void begins(Life *l) {
        l->n_run++;
        TELL(l, "starts");
        l->c.phase = PL_PHASE_RUNNING;
        l->c.pid = (pid_t)(1000 + l->n_run);
        l->c.started_usec = stamp(l);
        l->c.healthcheck.status = l->checked ? PL_DOCKER_HEALTH_STARTING : PL_DOCKER_HEALTH_NONE;
        l->mood = below(8) == 0 ? SILENT : WELL;
        l->up_usec = l->now + between(0, below(4) == 0 ? 40 * SEC : 4 * SEC);
        l->slow_usec = below(3) == 0 ? between(0, 14 * SEC) : between(0, SEC);
        l->check_usec = l->now + 2 * SEC;
        l->ends_usec = l->kills_usec = l->restarts_usec = 0;
        l->manual = l->ours_stops = l->person_stops = false;
        l->person_acted = l->stopped_by_us = l->ended_by_itself = l->ended_with_engine = false;
        l->n_our_stops = l->n_our_starts = 0;
        l->answered = l->passed = false;
        l->n_silent = 0;
        l->course_counted = false;
        happens(l, PL_EVENT_START, 0);
}

static void count_once(Life *l) {
        l->executed += !l->course_counted;
        l->course_counted = true;
}

static void ends(Life *l, int code) {
        bool asked = l->ours_stops || l->person_stops;

        TELL(l, "ends with %d%s%s", code, l->ours_stops ? ", as we asked" : "",
             l->person_stops || l->person_acted ? ", a person's act" : "");
        l->c.phase = PL_PHASE_EXITED;
        l->c.pid = 0;
        l->c.exit_code = code;
        l->c.finished_usec = stamp(l);
        l->ends_usec = l->kills_usec = 0;
        l->ended_by_itself = !asked && !l->manual;
        l->ended_with_engine = l->engine_died && !l->person_acted;
        l->c.healthcheck.status = l->checked ? PL_DOCKER_HEALTH_UNHEALTHY : PL_DOCKER_HEALTH_NONE;
        happens(l, PL_EVENT_DIE, code);
        if (l->ours_stops)
                happens(l, PL_EVENT_STOP, 0);
        if (l->person_stops)
                happens(l, PL_EVENT_STOP, 0);
        if (l->ours_stops && !l->person_acted)
                count_once(l);
        else if (l->ours_stops)
                l->shared++;
        if (l->order.arrived && l->order.verb != PL_RESTART_START)
                l->order.done = true;
        if (!l->manual && (pl_streq(l->policy, "always") || pl_streq(l->policy, "unless-stopped") ||
                           (pl_streq(l->policy, "on-failure") && code != 0))) {
                l->c.phase = PL_PHASE_RESTARTING;
                l->c.restart_count++;
                l->restarts_usec = l->now + between(100 * MSEC, 2 * SEC);
        }
        if (l->person_restarts)
                l->next_start_usec = l->now + between(1 * MSEC, 100 * MSEC);
        l->ours_stops = l->person_stops = l->person_restarts = false;
}

/* Whoever asks: SIGTERM, and SIGKILL when the stop timeout is over. */
static void stop_it(Life *l) {
        l->manual = true;
        happens(l, PL_EVENT_KILL, 15);
        if (l->c.phase == PL_PHASE_PAUSED || l->mood == SILENT)
                l->slow_usec = PL_MAX(l->slow_usec, 14 * SEC * (below(2) == 0));
        if (l->c.phase != PL_PHASE_PAUSED && l->ends_usec == 0) {
                l->ends_usec = l->now + l->slow_usec;
                l->ends_with = below(2) == 0 ? 0 : 143;
        }
        if (l->kills_usec == 0)
                l->kills_usec = l->now + STOP_USEC;
}

/* Between two runs the engine gives up, and tells of the stop alone. */
static void stop_between(Life *l) {
        l->c.phase = PL_PHASE_EXITED;
        l->restarts_usec = 0;
        l->manual = true;
        happens(l, PL_EVENT_STOP, 0);
}

static void person(Life *l, What what) {
        if (l->gone)
                return;
        switch (what) {
        case STOP:
        case RESTART:
                if (!runs(l)) {
                        if (what == RESTART && l->c.phase == PL_PHASE_EXITED)
                                l->next_start_usec = l->now + between(1 * MSEC, 100 * MSEC);
                        if (l->c.phase == PL_PHASE_RESTARTING) {
                                stop_between(l);
                                if (l->unsent_usec > 0 && l->now <= l->unsent_usec + 6 * SEC)
                                        l->unknown_run = l->n_run;
                                l->person_acted = true;
                                TELL(l, "a person stops it between two runs");
                        }
                        return;
                }
                TELL(l, "a person %s it", what == STOP ? "stops" : "restarts");
                if (l->unsent_usec > 0 && l->now <= l->unsent_usec + 6 * SEC)
                        l->unknown_run = l->n_run;
                l->person_acted = l->person_stops = true;
                l->acted_usec = l->now;
                l->person_restarts = what == RESTART;
                stop_it(l);
                return;
        case KILL:
                if (l->c.phase != PL_PHASE_RUNNING)
                        return;
                TELL(l, "a person kills it");
                l->person_acted = l->manual = true;
                l->acted_usec = l->now;
                happens(l, PL_EVENT_KILL, 9);
                l->ends_usec = l->now + MSEC;
                l->ends_with = EXIT_KILLED;
                return;
        case START:
                if (l->c.phase == PL_PHASE_EXITED) {
                        TELL(l, "a person starts it");
                        begins(l);
                }
                return;
        default:
                return;
        }
}

static void person_pauses(Life *l) {
        if (l->c.phase == PL_PHASE_RUNNING && !l->manual) {
                TELL(l, "a person pauses it");
                l->person_acted = true;
                l->c.phase = PL_PHASE_PAUSED;
                happens(l, PL_EVENT_PAUSE, 0);
        } else if (l->c.phase == PL_PHASE_PAUSED) {
                TELL(l, "a person unpauses it");
                l->person_acted = l->person_stops;
                l->c.phase = PL_PHASE_RUNNING;
                happens(l, PL_EVENT_UNPAUSE, 0);
        }
}

/* --- what plimsolld may do --- */

static bool is_job(const Life *l) {
        bool once = pl_streq(l->policy, "no"),
             may_finish = once || pl_streq(l->policy, "on-failure");

        if (l->on_exit)
                return false;
        /* what has served is none, and the engine takes a service with it whatever its code */
        if (may_finish && l->c.exit_code == 0 && !(l->ended_with_engine && l->ever_up))
                return true;
        return once && !l->ever_up;
}

/* It runs, and its death is known. */
static bool is_proven(const Life *l) {
        bool fails = l->c.healthcheck.status == PL_DOCKER_HEALTH_UNHEALTHY;
        bool silent = l->probed && l->n_silent >= FAILURES;

        if (l->c.healthcheck.status == PL_DOCKER_HEALTH_HEALTHY)
                return false;
        if (silent && l->answered)
                return true;
        if (l->passed && fails && (silent || !l->probed))
                return true;
        return l->on_start_timeout && !l->answered && !l->passed && (silent || !l->probed);
}

/* At the look right before it is sent. */
static void check_order(Life *l, PlRestartVerb verb, bool in_the_middle) {
        TELL(l, "we %s it: %s", verb == PL_RESTART_START ? "start" : "stop",
             pl_health_reason(&l->health));
        MUST(l, !l->gone, "it is gone");
        MUST(l, !l->person_acted || l->unknown_run == l->n_run, "a person's act is final");
        if (verb != PL_RESTART_START) {
                MUST(l, l->c.phase == PL_PHASE_RUNNING, "it does not run");
                MUST(l, l->c.healthcheck.status != PL_DOCKER_HEALTH_HEALTHY,
                     "Docker's check passes");
                MUST(l, is_proven(l), "there is no proof");
                MUST(l, l->n_our_stops == 0, "it is stopped twice");
                return;
        }
        MUST(l, l->c.phase == PL_PHASE_EXITED, "it has not ended");
        if (!in_the_middle) {
                MUST(l,
                     l->ended_by_itself || l->ended_with_engine || l->stopped_by_us ||
                                     l->refused > 0 || l->unknown_run == l->n_run,
                     "it did not end by itself");
                MUST(l, l->stopped_by_us || !is_job(l) || l->unknown_run == l->n_run,
                     "it is a job");
        } else {
                MUST(l, l->intended_run == l->n_run, "nobody has decided that");
                MUST(l,
                     l->stopped_by_us || l->ended_by_itself || l->ended_with_engine ||
                                     l->unknown_run == l->n_run,
                     "nobody stopped it");
        }
        MUST(l, l->n_our_starts == 0 || l->lost > 0 || l->refused > 0, "it is started twice");
}

static void order_arrives(Life *l) {
        Order *o = &l->order;

        o->arrived = true;
        switch (o->verb) {
        case PL_RESTART_STOP:
        case PL_RESTART_WHOLE:
                o->done = !runs(l);
                o->nothing = o->done && l->c.phase != PL_PHASE_RESTARTING;
                if (o->nothing)
                        return;
                TELL(l, "our stop arrives");
                if (o->done) {
                        stop_between(l);
                        l->stopped_by_us = true;
                        count_once(l);
                        return;
                }
                l->n_our_stops++;
                l->stopped_by_us = l->ours_stops = true;
                stop_it(l);
                return;
        case PL_RESTART_START:
                o->done = true;
                if (l->gone || l->c.phase != PL_PHASE_EXITED) {
                        o->nothing = true;
                        return;
                }
                l->n_our_starts++;
                count_once(l);
                if (below(12) == 0 && !l->calm) {
                        TELL(l, "the engine cannot start it");
                        l->refused++;
                        o->refused = true;
                        return;
                }
                begins(l);
                return;
        default:
                ck_abort();
        }
}

static void send(Life *l, PlRestartVerb verb) {
        bool lost = below(6) == 0 && !l->calm;

        l->order = (Order){ .verb = verb, .arrives_usec = l->now + between(0, 300 * MSEC) };
        if (lost) {
                l->order.answers_usec = l->now + between(0, 12 * SEC);
                l->lost++;
                if (below(2) == 0) {
                        l->order.arrives_usec = PL_TIME_INFINITY; /* it never gets there */
                        l->unsent_usec = l->now;
                }
        }
}
