/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A thousand lives of a container, simulated: an engine, a service in it, persons and a plimsolld,
 * who do at random what they can do at any moment, with delays, lost answers and lost connections,
 * and a plimsolld that is killed in between. A model of the engine knows the truth, and says of
 * each thing that plimsolld has it do whether that was allowed:
 *
 *   - no restart without proof: it was up in this run and is dead now, or it has ended by itself;
 *   - never while Docker's check passes; never a job;
 *   - never two restarts for one death: nothing is stopped or started twice in one run;
 *   - a person's stop, kill or pause is final;
 *   - the budget has what the engine did, and what was stopped for a restart does not stay down.
 *
 * A failure names its seed; PLIMSOLL_SEED=N lives that life alone, and tells it; PLIMSOLL_LIVES=N
 * lives so many.
 */

#include <errno.h>

#include "lib/health/restart-state.h"
#include "life.h"

/* --- plimsolld --- */

/* As daemon/health/patients has it: what must outlive it is on disk before anything is done. */
static uint64_t asked(const Life *l) {
        return l->probed && l->inspected.phase == PL_PHASE_RUNNING;
}

static void remember(Life *l, const PlCourse *before) {
        const PlRestart *was = &before->restart, *r = &l->course.restart;

        if (l->recalled.ran_usec == 0)
                l->course.proof = pl_health_proof(&l->health, l->inspected.started_usec, asked(l));
        if (r->stage != was->stage || r->sent != was->sent ||
            l->course.ending.ender != before->ending.ender)
                TELL(l, "  stage %d, sent %d, ender %d", r->stage, r->sent, l->course.ending.ender);
        if (r->n_times > was->n_times)
                l->booked += r->n_times - was->n_times;
        if (!pl_course_has_moved(before, &l->course))
                return;
        l->disk = l->course;
        l->on_disk = true;
}

static void dies(Life *l) {
        TELL(l, "plimsolld is killed");
        l->alive = l->knows = l->recalls = false;
        l->born_usec = l->now + between(500 * MSEC, 12 * SEC);
        l->n_silent = 0;
        l->turn_usec = l->look_usec = l->start_turn_usec = l->inspect_usec = 0;
        l->lost += pl_restart_is_under_way(&l->course.restart) ||
                   l->order.verb != PL_RESTART_NOTHING;
        if (l->order.verb != PL_RESTART_NOTHING && !l->order.arrived && below(2) == 0)
                l->order.verb = PL_RESTART_NOTHING, l->unsent_usec = l->now; /* it never left */
        else if (l->order.verb != PL_RESTART_NOTHING)
                l->order.answers_usec = PL_TIME_INFINITY; /* nobody hears of it */
}

static void is_born(Life *l) {
        TELL(l, "plimsolld is there again");
        l->alive = true;
        l->born_usec = 0;
        pl_health_deinit(&l->health);
        l->health = (PlHealth){ .since_usec = l->now };
        l->course = (PlCourse){ 0 };
        l->recalled = (PlProof){ 0 };
        l->inspected = (PlInspected){ 0 };
        l->started_usec = l->looked_usec = l->measured_usec = 0;
        l->stale = !l->connected;
        l->known_pid = l->connected ? l->engine_pid : 0;
        l->lost_usec = real(l);
        /* the stream begins a moment ago; the engine still remembers what was before */
        hears_no_more(l, real(l) - HEARS_USEC);
        l->hears_usec = l->now - HEARS_USEC;
        l->probe_usec = l->now + SEC;
        l->inspect_usec = l->connected ? l->now + between(1 * MSEC, 300 * MSEC) : 0;
}

static void recall(Life *l) {
        _cleanup_free_ char *text = NULL;

        if (l->on_disk) {
                MUST(l, pl_restart_state_format(&l->disk, &text) == 0, "disk");
                MUST(l, pl_restart_state_parse(text, strlen(text), l->now, &l->course) == 0,
                     "what was on disk cannot be read");
        }
        pl_course_recall(&l->course, l->now);
        l->recalled = l->course.proof;
        l->recalls = true;
}

/* Before its first inspection: it is known from a start, or from what is done to it. */
static bool is_heard(Life *l, const PlEvent *e) {
        if (l->knows)
                return true;
        if (e->action == PL_EVENT_HEALTH_STATUS || (e->action == PL_EVENT_DIE && !l->recalls))
                return false;
        if (!l->recalls)
                recall(l);
        if (e->action == PL_EVENT_START || l->course.ending.start_usec > 0)
                return true;
        if (pl_restart_is_under_way(&l->course.restart))
                l->hears_usec = l->now; /* which is not told apart from ours, but by the engine */
        return e->action != PL_EVENT_DIE && !pl_restart_is_under_way(&l->course.restart);
}

static void carry_out(Life *l, PlRestartVerb verb) {
        switch (verb) {
        case PL_RESTART_MEASURE:
                l->probe_usec = l->now + between(1 * MSEC, 200 * MSEC);
                break;
        case PL_RESTART_QUEUE:
                if (!l->connected) {
                        pl_restart_answered(&l->course.restart, -ENOTCONN, l->now, chance());
                        break;
                }
                if (l->turn_usec == 0)
                        l->turn_usec = l->now + between(10 * MSEC, below(4) == 0 ? 20 * SEC : SEC);
                break;
        case PL_RESTART_LOOK:
                l->look_usec = l->now + between(10 * MSEC, 500 * MSEC);
                break;
        case PL_RESTART_START:
                if (!l->connected)
                        pl_restart_answered(&l->course.restart, -ECANCELED, l->now, chance());
                else
                        l->start_turn_usec = l->now + between(10 * MSEC, 2 * SEC);
                break;
        default:
                break;
        }
}

static PlRestartFacts restart_facts(const Life *l) {
        PlRestartFacts f = pl_restart_facts(&l->inspected, &l->health, &l->course.ending, l->probed,
                                            false, now_of(l));

        f.stale = l->stale;
        f.looked_usec = l->looked_usec;
        f.measured_usec = l->measured_usec;
        return f;
}

static void step(Life *l) {
        PlHealthFacts f;
        PlHealthChange change;
        PlRestartFacts rf;
        PlCourse before = l->course;
        uint64_t until = PL_TIME_INFINITY;
        PlRestartVerb verb;

        if (!l->alive || !l->knows)
                return;
        f = pl_health_facts(&l->inspected, &l->course.ending, &l->course.restart, l->on_exit,
                            real(l));
        f.stale = l->stale;
        f.probed = l->probed;
        f.started_usec = l->started_usec;
        (void)pl_health_step(&l->health, &l->config, &f, l->now, &change);
        rf = restart_facts(l);
        verb = pl_course_step(&l->course, &l->rules, &rf, now_of(l), chance(), &until);
        if (verb == PL_RESTART_GIVE_UP)
                TELL(l, "given up");
        remember(l, &before);
        before = l->course;
        carry_out(l, verb);
        remember(l, &before);
}

static void hear(Life *l, unsigned i) {
        const PlEvent *e = &l->events[i % EVENTS_MAX].event;
        PlCourse before;

        l->events[i % EVENTS_MAX].heard = true;
        if (!is_heard(l, e))
                return;
        before = l->course;
        TELL(l, "  hears event %d, %d, of %.1f", e->action, e->signal,
             (double)(e->time_nsec / 1000 - EPOCH_USEC) / SEC - 1000);
        pl_course_event(&l->course, l->policy, e);
        if (l->course.restart.n_times < before.restart.n_times)
                before = l->course;
        remember(l, &before);
        if (l->inspect_usec == 0)
                l->inspect_usec = l->now + between(1 * MSEC, 300 * MSEC);
}

/* A look: what this engine process remembers since our stop, or since a moment ago; some of that
 * was heard before. */
static void hear_history(Life *l) {
        unsigned n = PL_MIN(l->n_history, (unsigned)EVENTS_MAX);
        uint64_t since = pl_course_look_since(&l->course, &l->inspected, real(l));

        for (unsigned i = l->n_events - n; i < l->n_events; i++)
                if (l->events[i % EVENTS_MAX].event.time_nsec / 1000 >= since)
                        hear(l, i);
}

static void inspect(Life *l) {
        bool first = !l->knows;
        PlCourse before;
        uint64_t age;

        if (!l->recalls)
                recall(l);
        else if (first)
                pl_course_recall(&l->course, l->now); /* this is no look */
        before = l->course;
        if (first)
                before.ending = (PlEnding){ 0 }; /* what was heard is not on disk yet */
        l->knows = true;
        l->looked_usec = l->now;
        if (l->c.started_usec != l->inspected.started_usec || l->started_usec == 0) {
                age = real(l) > l->c.started_usec ? real(l) - l->c.started_usec : 0;
                l->started_usec = PL_MAX(l->now, age + 1) - age;
        }
        pl_inspected_take(&l->inspected, &l->c);
        pl_ending_inspect(&l->course.ending, &l->c, real(l));
        if (l->c.phase == PL_PHASE_RUNNING && l->c.healthcheck.status == PL_DOCKER_HEALTH_HEALTHY)
                l->passed = l->ever_up = true;
        if (l->recalled.ran_usec > 0) {
                pl_health_recall(&l->health, &l->recalled, l->inspected.started_usec, asked(l),
                                 l->started_usec);
                if (asked(l) || l->recalled.ran_usec != l->inspected.started_usec)
                        l->recalled = (PlProof){ 0 };
        }
        remember(l, &before);
        step(l);
}

/* A round of its probe. */
static void probe(Life *l) {
        static const PlVerdictKind kinds[_N_MOODS] = {
                [WELL] = PL_VERDICT_UP,          [SILENT] = PL_VERDICT_SILENT,
                [ODD] = PL_VERDICT_DISPUTED,     [PARTLY] = PL_VERDICT_IMPAIRED,
                [LOADING] = PL_VERDICT_STARTING,
        };
        PlVerdict v = { .kind = kinds[l->now < l->up_usec ? SILENT : l->mood] };

        l->probe_usec = l->now + SEC;
        /* an answer of another run than the one that is known is none */
        if (!l->probed || !l->knows || l->inspected.phase != PL_PHASE_RUNNING ||
            l->course.restart.stage == PL_RESTART_SENT)
                return;
        if (!runs(l) || l->c.started_usec != l->inspected.started_usec)
                v.kind = PL_VERDICT_SILENT;
        if (l->c.phase == PL_PHASE_PAUSED || (l->ends_usec > 0 && below(2) == 0))
                v.kind = PL_VERDICT_SILENT;
        if (below(30) == 0)
                v.kind = PL_VERDICT_NONE;
        (void)snprintf(v.reason, sizeof(v.reason), "verdict %d", v.kind);
        if (v.kind != PL_VERDICT_NONE) {
                l->measured_usec = l->now;
                l->n_silent = v.kind == PL_VERDICT_SILENT ? l->n_silent + 1 : 0;
                if (v.kind == PL_VERDICT_UP || v.kind == PL_VERDICT_IMPAIRED)
                        l->answered = l->ever_up = true;
        }
        pl_health_probe(&l->health, &v);
        step(l);
}

static void answered(Life *l, int error) {
        PlCourse before = l->course;

        pl_course_answered(&l->course, error, now_of(l), chance());
        if (l->course.restart.stage == PL_RESTART_DONE &&
            l->inspected.started_usec == l->course.restart.ran_usec)
                l->started_usec = l->now; /* verdicts are about the old run */
        remember(l, &before);
        step(l);
}

static void take_turn(Life *l) {
        PlCourse before;
        PlRestartFacts f;
        PlRestartVerb verb;

        hear_history(l);
        inspect(l);
        l->turn_usec = 0; /* until here it has one */
        before = l->course;
        f = restart_facts(l);
        verb = pl_course_turn(&l->course, &l->rules, &f, now_of(l));
        if (verb == PL_RESTART_NOTHING) {
                answered(l, -ECANCELED);
                return;
        }
        l->course_counted = false;
        check_order(l, verb, false);
        l->intended_run = l->n_run;
        remember(l, &before);
        if (below(10) == 0 && !l->calm) {
                l->lost++;
                l->unsent_usec = l->now;
                dies(l);
                return;
        }
        send(l, verb);
}

static void take_start_turn(Life *l) {
        PlRestartFacts f;

        l->start_turn_usec = 0;
        hear_history(l);
        inspect(l);
        f = restart_facts(l);
        if (!pl_restart_turn_to_start(&l->course.restart, &f, l->now)) {
                answered(l, -ECANCELED);
                return;
        }
        check_order(l, PL_RESTART_START, true);
        if (below(10) == 0 && !l->calm) {
                l->lost++;
                dies(l);
                return;
        }
        send(l, PL_RESTART_START);
}

static void plimsolld(Life *l) {
        Order *o = &l->order;

        if (!l->alive) {
                if (l->born_usec > 0 && l->now >= l->born_usec)
                        is_born(l);
                return;
        }
        if (o->verb != PL_RESTART_NOTHING && o->answers_usec > 0 && l->now >= o->answers_usec) {
                TELL(l, "its answer is lost");
                o->answers_usec = PL_TIME_INFINITY; /* it may be on its way all the same */
                answered(l, -ECONNRESET);
        } else if (o->verb != PL_RESTART_NOTHING && o->answers_usec == 0 && o->done) {
                int error = o->refused ? -EIO : o->nothing ? -EALREADY : 0;

                o->verb = PL_RESTART_NOTHING;
                answered(l, error);
                if (l->inspect_usec == 0)
                        l->inspect_usec = l->now + between(1 * MSEC, 300 * MSEC);
        }
        if (!l->connected)
                return;
        for (unsigned i = first_event(l); i < l->n_events; i++)
                if (!l->events[i % EVENTS_MAX].heard &&
                    l->now >= l->events[i % EVENTS_MAX].heard_usec)
                        hear(l, i);
        if (l->inspect_usec > 0 && l->now >= l->inspect_usec) {
                l->inspect_usec = 0;
                inspect(l);
        }
        if (l->look_usec > 0 && l->now >= l->look_usec) {
                l->look_usec = 0;
                hear_history(l);
                inspect(l);
        }
        if (l->alive && l->turn_usec > 0 && l->now >= l->turn_usec)
                take_turn(l);
        if (l->alive && l->start_turn_usec > 0 && l->now >= l->start_turn_usec)
                take_start_turn(l);
}

/* --- the world --- */

static void lose_engine(Life *l, bool dies) {
        TELL(l, "the engine %s", dies ? "is killed" : "is lost");
        /* what it has told is here within milliseconds */
        for (unsigned i = first_event(l); l->alive && dies && i < l->n_events; i++)
                if (!l->events[i % EVENTS_MAX].heard)
                        hear(l, i);
        l->connected = false;
        l->comes_back_usec = l->now + between(SEC, 8 * SEC);
        l->engine_died = dies;
        l->engine_pid += dies;
        if (l->alive) {
                l->stale = true;
                l->lost_usec = real(l);
        }
        if (l->turn_usec > 0) {
                l->turn_usec = 0;
                if (l->alive)
                        answered(l, -ECONNRESET);
        }
        if (l->start_turn_usec > 0) {
                l->start_turn_usec = 0;
                if (l->alive)
                        answered(l, -ECANCELED);
        }
        l->inspect_usec = l->look_usec = 0;
        step(l);
}

static void engine_is_back(Life *l, bool died) {
        TELL(l, "the engine is back");
        if (died) {
                /* it kills what the last one left, remembers nothing, and obeys restart policies */
                l->n_history = 0;
                if (l->person_acted && l->acted_usec <= l->hears_usec)
                        l->unknown_run = l->n_run;
                hears_no_more(l, PL_TIME_INFINITY);
                if (runs(l)) {
                        bool person_acted = l->person_acted;

                        l->c.phase = PL_PHASE_RUNNING;
                        l->manual = true;
                        l->person_stops = l->ours_stops = false;
                        ends(l, below(2) == 0 ? 0 : EXIT_KILLED);
                        l->ended_by_itself = false;
                        l->ended_with_engine = !person_acted;
                        l->person_acted = person_acted;
                        hears_no_more(l, PL_TIME_INFINITY);
                        l->n_history = 0;
                        if (pl_streq(l->policy, "always"))
                                begins(l);
                } else if (l->c.phase == PL_PHASE_RESTARTING) {
                        begins(l);
                }
        }
        l->connected = true;
        l->engine_died = false;
        l->comes_back_usec = 0;
        if (!l->alive)
                return;
        if (l->known_pid != 0 && l->known_pid != l->engine_pid)
                pl_ending_engine(&l->course.ending, l->lost_usec, real(l));
        l->known_pid = l->engine_pid;
        hear_history(l);
        inspect(l);
        l->stale = false;
        step(l);
}

static void service(Life *l) {
        if (l->c.phase == PL_PHASE_RESTARTING && l->connected && l->now >= l->restarts_usec)
                begins(l);
        if (l->next_start_usec > 0 && l->now >= l->next_start_usec) {
                l->next_start_usec = 0;
                if (l->c.phase == PL_PHASE_EXITED)
                        begins(l);
        }
        if (!runs(l))
                return;
        if (l->kills_usec > 0 && l->now >= l->kills_usec && l->connected &&
            (l->ends_usec == 0 || l->ends_usec > l->kills_usec)) {
                happens(l, PL_EVENT_KILL, 9);
                l->kills_usec = 0;
                l->ends_usec = l->now;
                l->ends_with = EXIT_KILLED;
        }
        if (l->ends_usec > 0 && l->now >= l->ends_usec) {
                ends(l, l->ends_with);
                return;
        }
        if (l->c.phase == PL_PHASE_PAUSED)
                return;
        if (l->checked && l->now >= l->check_usec) {
                l->check_usec = l->now + 3 * SEC;
                if (l->now >= l->up_usec && (l->mood == WELL || l->mood == PARTLY || l->lies))
                        set_docker(l, PL_DOCKER_HEALTH_HEALTHY);
                else if (l->c.healthcheck.status != PL_DOCKER_HEALTH_STARTING ||
                         real(l) - l->c.started_usec > 20 * SEC)
                        set_docker(l, PL_DOCKER_HEALTH_UNHEALTHY);
        }
        if (l->calm || l->manual)
                return;
        if (every(40 * SEC)) {
                l->mood = below(2) == 0 ? SILENT : below(_N_MOODS);
                TELL(l, "mood %d", l->mood);
        }
        if (every(120 * SEC)) {
                static const int codes[] = { 0, 1, 3, EXIT_KILLED };

                TELL(l, "ends by itself");
                ends(l, codes[below(PL_ARRAY_SIZE(codes))]);
        }
}

static void persons(Life *l) {
        if (l->calm || !l->connected)
                return;
        if (every(90 * SEC))
                person(l, STOP);
        if (every(150 * SEC))
                person(l, KILL);
        if (every(150 * SEC))
                person(l, RESTART);
        if (every(40 * SEC))
                person(l, START);
        if (every(150 * SEC) || (l->c.phase == PL_PHASE_PAUSED && every(10 * SEC)))
                person_pauses(l);
        /* in the middle of our restart, most of all */
        if (l->ours_stops && every(6 * SEC))
                person(l, below(2) == 0 ? STOP : KILL);
}

static void tick(Life *l) {
        bool busy = l->order.verb != PL_RESTART_NOTHING;

        if (!l->connected && l->now >= l->comes_back_usec)
                engine_is_back(l, l->engine_died);
        if (busy && !l->order.arrived && l->now >= l->order.arrives_usec && l->connected)
                order_arrives(l);
        service(l);
        persons(l);
        if (l->order.answers_usec == PL_TIME_INFINITY && (l->order.done || !l->order.arrived) &&
            (l->order.done || l->order.arrives_usec == PL_TIME_INFINITY))
                l->order = (Order){ 0 };
        plimsolld(l);
        if (l->alive && l->now >= l->probe_usec)
                probe(l);
        step(l);
        if (l->calm)
                return;
        if (l->alive && every(80 * SEC))
                dies(l);
        if (l->connected && l->order.verb == PL_RESTART_NOTHING && every(90 * SEC))
                lose_engine(l, below(2) == 0 && l->alive &&
                                               !pl_restart_is_under_way(&l->course.restart));
        if (l->alive && every(200 * SEC)) { /* a reload */
                PlCourse before = l->course;

                /* the restart under way counts in the new budget, too */
                l->forgiven += l->course.restart.booked;
                pl_restart_forgive(&l->course.restart);
                remember(l, &before);
        }
}

static void begin(Life *l, uint64_t seed) {
        static const char *const policies[] = { "no", "no", "on-failure", "always",
                                                "unless-stopped" };

        seed_state = seed * 0x9e3779b97f4a7c15u + 1;
        (void)chance();
        *l = (Life){
                .seed = seed,
                .now = 1000 * SEC,
                .connected = true,
                .engine_pid = 100,
                .checked = below(2) == 0,
                .lies = below(4) == 0,
                .policy = policies[below(PL_ARRAY_SIZE(policies))],
                .on_exit = below(6) == 0,
                .on_start_timeout = below(6) == 0,
                .tells = getenv("PLIMSOLL_SEED") != NULL,
        };
        l->probed = !l->checked || below(3) > 0;
        l->config = (PlHealthConfig){ .failures = FAILURES,
                                      .start_period_usec = between(0, 20 * SEC),
                                      .flap = { 6, 600 * SEC },
                                      .on_exit = l->on_exit,
                                      .on_start_timeout = l->on_start_timeout };
        l->rules = (PlRestartRules){ PL_ON_UNHEALTHY_RESTART, { between(1, 5), 600 * SEC } };
        l->c.stop.timeout_usec = STOP_USEC;
        l->c.host.restart_policy = (char *)l->policy;
        begins(l);
        is_born(l);
        TELL(l, "policy %s%s%s%s%s%s", l->policy, l->probed ? ", probed" : "",
             l->checked ? ", checked" : "", l->lies ? ", which lies" : "",
             l->on_exit ? ", OnExit=" : "", l->on_start_timeout ? ", OnStartTimeout=" : "");
}

static void check_end(const Life *l) {
        bool left_by_us = l->c.phase == PL_PHASE_EXITED && l->stopped_by_us && !l->person_acted;

        MUST(l,
             l->course.restart.stage == PL_RESTART_IDLE ||
                             l->course.restart.stage == PL_RESTART_DONE,
             "a restart does not come to its end");
        MUST(l, !left_by_us || l->refused > 0 || l->n_our_starts > 0,
             "it is left as we have stopped it");
        /* an answer that is lost leaves open who has started it; to the number otherwise */
        ck_assert_msg(l->booked + l->lost >= l->executed &&
                                      l->booked <= l->executed + l->shared + l->lost + l->forgiven,
                      "seed %" PRIu64 ": %u restarts, %u booked, %u answers lost", l->seed,
                      l->executed, l->booked, l->lost);
}

static unsigned live(uint64_t seed) {
        Life *l = calloc(1, sizeof(*l));
        unsigned executed;

        ck_assert_ptr_nonnull(l);
        begin(l, seed);
        while (l->now < 1000 * SEC + LIFE_USEC) {
                l->now += TICK_USEC;
                tick(l);
        }
        l->calm = true;
        TELL(l, "calm");
        while (l->now < 1000 * SEC + LIFE_USEC + CALM_USEC) {
                l->now += TICK_USEC;
                tick(l);
        }
        /* and to the end of what began in that time */
        for (unsigned i = 0;
             i < 60 * SEC / TICK_USEC && pl_restart_is_under_way(&l->course.restart); i++) {
                l->now += TICK_USEC;
                tick(l);
        }
        check_end(l);
        executed = l->executed;
        TELL(l, "%u restarts, %u booked, %u lost", l->executed, l->booked, l->lost);
        pl_health_deinit(&l->health);
        free(l);
        return executed;
}

/* Each process lives so many. */
#define LIVES_EACH 100u

static unsigned number_of(const char *variable, unsigned otherwise) {
        const char *text = getenv(variable);

        return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

START_TEST(lives) {
        unsigned restarts = 0;

        for (unsigned i = 1; i <= LIVES_EACH; i++)
                restarts += live((unsigned)_i * LIVES_EACH + i);
        /* a test in which nothing is restarted shows nothing */
        ck_assert_uint_gt(restarts, LIVES_EACH / 2);
}
END_TEST

START_TEST(one_life) {
        (void)live(number_of("PLIMSOLL_SEED", 1));
}
END_TEST

int main(void) {
        unsigned n = PL_MAX(number_of("PLIMSOLL_LIVES", LIVES), LIVES_EACH);
        TCase *t = tcase_create("lives");

        if (getenv("PLIMSOLL_SEED"))
                tcase_add_test(t, one_life);
        else
                tcase_add_loop_test(t, lives, 0, (int)(n / LIVES_EACH));
        return run_case(t);
}
