/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One restart for one death: what is asked for, what is cancelled while it waits, and what follows
 * on each answer; and what of it is news. Containers are told by hand; Docker's own healthcheck is
 * the evidence.
 */

#include "healthd-fixture.h"

START_TEST(asked_once_until_it_is_answered) {
        PlHealthdRestart restart;

        fails(0);
        ck_assert_uint_eq(n_asked[0], 1);
        ck_assert_uint_eq(restarts(0), 0); /* it waits, and costs nothing yet */
        for (unsigned i = 0; i < 5; i++)
                runs(0, PL_DOCKER_HEALTH_UNHEALTHY);
        ck_assert(pl_healthd_begin_restart(healthd, containers[0].id, &restart));
        ck_assert_uint_eq(restart.n, 1);
        ck_assert_uint_eq(restart.budget->n, 5);
        ck_assert_ptr_nonnull(strstr(restart.reason, "healthcheck"));
        ck_assert(!begin_restart(0));
        runs(0, PL_DOCKER_HEALTH_UNHEALTHY);
        ck_assert_uint_eq(n_asked[0], 1);
        ck_assert_uint_eq(restarts(0), 0); /* nor while it is not done */
        answered(0, 0);
        ck_assert_uint_eq(restarts(0), 1);
}
END_TEST

/* Whatever kept it from being sent: neither budget nor backoff, and it is asked for again. */
START_TEST(what_was_not_sent_costs_nothing) {
        static const int errors[] = { -ECANCELED, -ETIMEDOUT, -ECONNRESET, -EIO, -ENOENT };
        PlHealthdRestart restart;

        for (unsigned i = 0; i < PL_ARRAY_SIZE(errors); i++) {
                fails(i);
                answered(i, errors[i]);
                runs(i, PL_DOCKER_HEALTH_UNHEALTHY);
                ck_assert_uint_eq(n_asked[i], 1); /* not as fast as it can */
        }
        run_for(2 * SEC);
        for (unsigned i = 0; i < PL_ARRAY_SIZE(errors); i++) {
                ck_assert_msg(n_asked[i] == 2, "%d", errors[i]);
                ck_assert(pl_healthd_begin_restart(healthd, containers[i].id, &restart));
                ck_assert_uint_eq(restart.n, 1);
        }
}
END_TEST

START_TEST(what_cannot_be_asked_costs_nothing) {
        answer = -ENOTCONN;
        fails(0);
        ck_assert_uint_eq(n_asked[0], 1);
        ck_assert(!begin_restart(0));
        answer = 0;
        run_for(2 * SEC);
        ck_assert_uint_eq(n_asked[0], 2);
        ck_assert(begin_restart(0));
}
END_TEST

/* While it waits the reason may go. */
START_TEST(cancelled_without_a_reason) {
        enum { STAYS, RECOVERS, REMOVED, STOPPING, STOPPED, PAUSED, POLICY, UNNAMED, LOST };

        fails(0);
        ck_assert_uint_eq(n_asked[0], 1);
        switch (_i) {
        case RECOVERS:
                runs(0, PL_DOCKER_HEALTH_HEALTHY);
                break;
        case REMOVED:
                pl_healthd_remove(healthd, containers[0].id, true);
                break;
        case STOPPING:
                happens(0, PL_EVENT_KILL, 15);
                break;
        case STOPPED:
                happens(0, PL_EVENT_KILL, 15);
                ends(0, 143);
                break;
        case PAUSED:
                containers[0].phase = PL_PHASE_PAUSED;
                inspected(0);
                break;
        case POLICY:
                load(NONE);
                inspected(0);
                break;
        case UNNAMED:
                pl_healthd_remove(healthd, containers[0].id, false);
                break;
        case LOST:
                pl_healthd_set_synced(healthd, false);
                break;
        default:
                break;
        }
        ck_assert_int_eq(begin_restart(0), _i == STAYS);
        if (_i != REMOVED && _i != UNNAMED)
                ck_assert_uint_eq(restarts(0), 0);
}
END_TEST

/* The engine brings it back: why it ended is told once, when the kernel has had its say. */
START_TEST(ended_and_comes_back) {
        enum { RUNS, BETWEEN, STAYS, STOPPED, NO_POLICY, OOM };

        containers[0].host.restart_policy = (char *)(_i == NO_POLICY ? "no" : "on-failure");
        runs(0, PL_DOCKER_HEALTH_HEALTHY);
        if (_i == STOPPED)
                happens(0, PL_EVENT_KILL, 15);
        ends(0, _i == OOM ? 137 : 3);
        if (_i == OOM)
                pl_healthd_oom(healthd, containers[0].id, 0, false);
        ck_assert_uint_eq(n_again, 0);
        if (_i == RUNS || _i == OOM || _i == NO_POLICY)
                begins(0);
        if (_i == BETWEEN) {
                containers[0].phase = PL_PHASE_RESTARTING;
                inspected(0);
        }
        run_for(2 * SEC);
        ck_assert_uint_eq(n_again, _i == RUNS || _i == BETWEEN || _i == OOM);
        if (n_again > 0)
                ck_assert_ptr_nonnull(
                                strstr(again_how, _i == OOM ? "it reached its memory limit"
                                                            : "code 3; its last line: no door"));
}
END_TEST

/* What ends before its first inspection ended by itself, or by a person's hand, and not unseen. */
START_TEST(ended_before_it_was_inspected) {
        enum { BY_ITSELF, STOPPED, REMOVED };

        containers[0].started_usec = realtime();
        happens(0, PL_EVENT_START, 0);
        if (_i == STOPPED)
                happens(0, PL_EVENT_KILL, 15);
        happens(0, PL_EVENT_DIE, 3);
        if (_i == REMOVED) {
                pl_healthd_remove(healthd, containers[0].id, true);
                ck_assert_str_eq(news, "");
                return;
        }
        containers[0].host.restart_policy = (char *)"on-failure";
        containers[0].phase = PL_PHASE_EXITED;
        containers[0].exit_code = 3;
        containers[0].finished_usec = realtime();
        inspected(0);
        ck_assert_str_eq(news, _i == STOPPED ? "a" : "u");
}
END_TEST

static PlPair web_labels[] = {
        { (char *)"com.docker.compose.depends_on",
          (char *)"db:service_healthy:false,jobs:service_started:false" },
        { (char *)"com.docker.compose.project", (char *)"shop" },
        { (char *)"com.docker.compose.service", (char *)"web" },
};
static PlPair db_labels[] = {
        { (char *)"com.docker.compose.project", (char *)"shop" },
        { (char *)"com.docker.compose.service", (char *)"db" },
};
static PlPair other_labels[] = {
        { (char *)"com.docker.compose.project", (char *)"other" },
        { (char *)"com.docker.compose.service", (char *)"db" },
};

/* What compose was told that it needs: a failure then is that one's, and no reason for a restart.
 */
START_TEST(compose_dependency) {
        enum { SERVES, FAILS, STOPPED, REMOVED, NEVER_THERE, OTHER_PROJECT };

        pl_healthd_set_synced(healthd, true);
        containers[0].labels = web_labels, containers[0].n_labels = 3;
        containers[1].labels = db_labels, containers[1].n_labels = 2;
        if (_i == OTHER_PROJECT)
                containers[1].labels = other_labels;
        if (_i != NEVER_THERE)
                runs(1, PL_DOCKER_HEALTH_HEALTHY);
        runs(0, PL_DOCKER_HEALTH_HEALTHY);
        if (_i == FAILS || _i == OTHER_PROJECT)
                runs(1, PL_DOCKER_HEALTH_UNHEALTHY);
        if (_i == STOPPED) {
                happens(1, PL_EVENT_KILL, 15);
                ends(1, 0);
        }
        if (_i == REMOVED)
                pl_healthd_remove(healthd, containers[1].id, true);
        runs(0, PL_DOCKER_HEALTH_UNHEALTHY);
        ck_assert_uint_eq(n_asked[0], _i == SERVES || _i == NEVER_THERE || _i == OTHER_PROJECT);
        if (n_asked[0] > 0)
                return;
        /* it is back, and this one fails on: that is its own fault */
        if (_i == STOPPED)
                happens(1, PL_EVENT_START, 0);
        runs(1, PL_DOCKER_HEALTH_HEALTHY);
        run_for(SEC / 10);
        runs(0, PL_DOCKER_HEALTH_UNHEALTHY);
        ck_assert_uint_eq(n_asked[0], 1);
}
END_TEST

/* A loop is told as one. */
START_TEST(ends_again_and_again) {
        containers[0].host.restart_policy = (char *)"always";
        runs(0, PL_DOCKER_HEALTH_HEALTHY);
        for (unsigned i = 0; i < 5; i++) {
                ends(0, 3);
                begins(0);
                run_for(SEC);
        }
        ck_assert_uint_eq(n_again, 2);
}
END_TEST

static const struct {
        const char *name;
        int error; /* the engine's answer */
        enum { SILENCE, SAME_RUN, SAME_RUN_ENDED, NEW_RUN, NEW_RUN_FAILS, NEW_RUN_ENDED } after;
        unsigned n_restarts; /* what the engine did, as far as can be told */
        unsigned n_asked;    /* when the backoff is over */
} answers[] = {
        { "done", 0, SILENCE, 1, 1 },
        { "done, and an inspection from before", 0, SAME_RUN, 1, 1 },
        { "done, and the new run is starting", 0, NEW_RUN, 1, 1 },
        { "done, and the new run fails as well", 0, NEW_RUN_FAILS, 1, 2 },
        { "done, and the new run has ended", 0, NEW_RUN_ENDED, 1, 2 },
        { "lost, and not inspected since", -ECONNRESET, SILENCE, 0, 1 },
        { "lost, and it may be stopping", -ECONNRESET, SAME_RUN, 0, 1 },
        { "lost, and it was stopped", -ECONNRESET, SAME_RUN_ENDED, 1, 1 },
        { "lost, and it was done", -ECONNRESET, NEW_RUN, 1, 1 },
        { "lost, done, and the new run has ended", -ECONNRESET, NEW_RUN_ENDED, 1, 2 },
        { "no answer in time", -ETIMEDOUT, SAME_RUN, 0, 1 },
        { "refused", -EIO, SAME_RUN, 1, 2 },
        { "refused half way", -EIO, SAME_RUN_ENDED, 1, 2 },
};

START_TEST(one_restart_for_one_death) {
        for (unsigned i = 0; i < PL_ARRAY_SIZE(answers); i++) {
                fails(i);
                ck_assert(begin_restart(i));
                answered(i, answers[i].error);
                switch (answers[i].after) {
                case SAME_RUN:
                        if (answers[i].error == -ECONNRESET || answers[i].error == -ETIMEDOUT)
                                happens(i, PL_EVENT_KILL, 15); /* the engine has got it */
                        runs(i, PL_DOCKER_HEALTH_UNHEALTHY);
                        break;
                case SAME_RUN_ENDED:
                        ends(i, 137);
                        break;
                case NEW_RUN:
                        begins(i);
                        break;
                case NEW_RUN_FAILS:
                        begins(i);
                        fails(i);
                        break;
                case NEW_RUN_ENDED:
                        begins(i);
                        ends(i, 3);
                        break;
                default:
                        break;
                }
        }
        run_for(4 * SEC);
        for (unsigned i = 0; i < PL_ARRAY_SIZE(answers); i++)
                ck_assert_msg(n_asked[i] == 1, "%s: within the backoff", answers[i].name);
        run_for(4 * SEC);
        for (unsigned i = 0; i < PL_ARRAY_SIZE(answers); i++) {
                ck_assert_msg(n_asked[i] == answers[i].n_asked, "%s: %u", answers[i].name,
                              n_asked[i]);
                ck_assert_msg(restarts(i) == answers[i].n_restarts, "%s: %u in the budget",
                              answers[i].name, restarts(i));
        }
}
END_TEST

/* A container that takes longer to stop than the backoff: that runs from the answer. */
START_TEST(backoff_from_the_answer) {
        fails(0);
        ck_assert(begin_restart(0));
        run_for(7 * SEC);
        ck_assert_uint_eq(n_asked[0], 1);
        answered(0, -EIO);
        run_for(4 * SEC);
        ck_assert_uint_eq(n_asked[0], 1);
        run_for(4 * SEC);
        ck_assert_uint_eq(n_asked[0], 2);
}
END_TEST

/* plimsolld ended while the engine was at it, and its backoff is over. */
START_TEST(not_again_by_the_next_plimsolld) {
        recalls = true;
        fails(0);
        run_for(SEC);
        ck_assert_uint_eq(n_asked[0], 0); /* it may be stopping still */
        begins(0);
        run_for(SEC);
        ck_assert_uint_eq(n_asked[0], 0); /* it was done */
        ck_assert_uint_eq(restarts(0), 1);
        fails(0);
        run_for(2 * SEC);
        ck_assert_uint_eq(n_asked[0], 0); /* within the backoff, which begins with what was done */
        run_for(4 * SEC);
        ck_assert_uint_eq(n_asked[0], 1);
        ck_assert(begin_restart(0));
}
END_TEST

static void works(unsigned i, int exit_code) {
        happens(i, PL_EVENT_START, 0);
        containers[i].started_usec = realtime();
        runs(i, PL_DOCKER_HEALTH_NONE);
        ends(i, exit_code);
}

/* As each "docker compose up" has it: done is done, worth one line, and no crash loop. */
START_TEST(a_job_is_done_again) {
        for (unsigned i = 0; i < 6; i++)
                works(0, 0);
        ck_assert_str_eq(news, "f");
        works(0, 1);
        ck_assert_str_eq(news, "fu"); /* unhealthy */
        works(0, 0);
        ck_assert_uint_eq(n_asked[0], 0);
}
END_TEST

START_TEST(a_start_is_told_by_what_comes_of_it) {
        begins(0);
        runs(0, PL_DOCKER_HEALTH_STARTING);
        ck_assert_str_eq(news, "");
        runs(0, PL_DOCKER_HEALTH_HEALTHY);
        ck_assert_str_eq(news, "h");
}
END_TEST

/* Which ended before anybody looked: by code and restart policy, and what starts it again. */
static const struct {
        const char *name, *restart_policy, *section;
        int exit_code;
        const char *news;
} unseen[] = {
        { "a job", "no", NONE, 0, "f" },
        { "a job by the engine's word for no", "", NONE, 0, "f" },
        { "a job that may be tried again", "on-failure", RESTART, 0, "f" },
        { "a service", "unless-stopped", RESTART, 0, "a" },
        { "a job, or a service, that failed", "no", RESTART, 1, "a" },
        { "what is started whenever it ends", "no", RESTART "OnExit=restart\n", 0, "a" },
};

START_TEST(ended_unseen) {
        load(unseen[_i].section);
        containers[0].host.restart_policy = (char *)unseen[_i].restart_policy;
        containers[0].phase = PL_PHASE_EXITED;
        containers[0].exit_code = unseen[_i].exit_code;
        containers[0].finished_usec = started_usec + SEC;
        inspected(0);
        ck_assert_msg(pl_streq(news, unseen[_i].news), "%s: %s", unseen[_i].name, news);
        ck_assert_uint_eq(n_asked[0], 0);
}
END_TEST

/* The engine is killed, and the next one kills what it finds before it listens: nobody's request.
 */
START_TEST(ended_with_the_engine) {
        static const struct {
                const char *name, *policy;
                pid_t next; /* the engine's process, which was 100 */
                bool late;  /* it ends when the engine is back */
                PlHealthState state;
        } ends[] = {
                { "unless-stopped", "unless-stopped", 101, false, PL_HEALTH_UNHEALTHY },
                { "no, and it was up", "no", 101, false, PL_HEALTH_UNHEALTHY },
                { "the same engine, which hung", "unless-stopped", 100, false, PL_HEALTH_ABSENT },
                { "nobody knows which", "unless-stopped", 0, false, PL_HEALTH_ABSENT },
                { "a person stops it later", "unless-stopped", 101, true, PL_HEALTH_ABSENT },
        };
        PlContainer *c = &containers[0];
        PlHealthdView v;

        c->host.restart_policy = (char *)ends[_i].policy;
        pl_healthd_engine(healthd, 100);
        runs(0, PL_DOCKER_HEALTH_HEALTHY);
        pl_healthd_set_synced(healthd, false);
        if (!ends[_i].late)
                c->finished_usec = realtime();
        pl_healthd_engine(healthd, ends[_i].next);
        if (ends[_i].late)
                c->finished_usec = realtime() + SEC;
        c->phase = PL_PHASE_EXITED;
        c->pid = 0;
        c->exit_code = 0;
        inspected(0);
        pl_healthd_set_synced(healthd, true);
        ck_assert(pl_healthd_get(healthd, c->id, &v));
        ck_assert_msg(v.state == ends[_i].state, "%s: %s (%s)", ends[_i].name,
                      pl_health_state_to_string(v.state), v.reason);
        run_for(6 * SEC);
        ck_assert_msg(n_asked[0] == (v.state == PL_HEALTH_UNHEALTHY), "%s: %u", ends[_i].name,
                      n_asked[0]);
}
END_TEST

/* The engine is killed, starts it again, and tells of that before it is inspected. */
START_TEST(started_and_not_seen_yet) {
        PlContainer *c = &containers[0];
        PlHealthdView v;

        c->host.restart_policy = (char *)"always";
        pl_healthd_engine(healthd, 100);
        runs(0, PL_DOCKER_HEALTH_HEALTHY);
        pl_healthd_set_synced(healthd, false);
        c->finished_usec = realtime();
        pl_healthd_engine(healthd, 101);
        c->phase = PL_PHASE_EXITED;
        c->pid = 0;
        c->exit_code = 0;
        inspected(0);
        happens(0, PL_EVENT_START, 0);
        pl_healthd_set_synced(healthd, true);
        ck_assert(pl_healthd_get(healthd, c->id, &v));
        ck_assert_str_eq(news, "h");
        ck_assert_int_eq(v.state, PL_HEALTH_STARTING);
        ck_assert_uint_eq(n_asked[0], 0);
        c->started_usec = realtime();
        runs(0, PL_DOCKER_HEALTH_HEALTHY);
        ck_assert_str_eq(news, "hh");
}
END_TEST

/* A person's act just after plimsolld is connected, and before the first inspection: the engine is
 * killed while it is done, and remembers nothing. */
START_TEST(acted_upon_before_it_is_seen) {
        static const struct {
                PlEventAction action;
                int number;
                PlHealthState state;
        } acts[] = {
                { PL_EVENT_KILL, 15, PL_HEALTH_ABSENT },
                { PL_EVENT_KILL, 1, PL_HEALTH_UNHEALTHY }, /* a message, which ends nothing */
        };
        PlContainer *c = &containers[0];
        PlHealthdView v;

        c->host.restart_policy = (char *)"unless-stopped";
        pl_healthd_engine(healthd, 100);
        happens(0, acts[_i].action, acts[_i].number);
        runs(0, PL_DOCKER_HEALTH_HEALTHY);
        pl_healthd_set_synced(healthd, true);
        pl_healthd_set_synced(healthd, false);
        c->finished_usec = realtime();
        pl_healthd_engine(healthd, 101);
        c->phase = PL_PHASE_EXITED;
        c->pid = 0;
        c->exit_code = 137;
        inspected(0);
        pl_healthd_set_synced(healthd, true);
        ck_assert(pl_healthd_get(healthd, c->id, &v));
        ck_assert_msg(v.state == acts[_i].state, "%d: %s (%s)", _i,
                      pl_health_state_to_string(v.state), v.reason);
}
END_TEST

/* … in the middle of our own restart: what is whose is asked of the engine, and no first inspection
 * stands for that. */
START_TEST(acted_upon_in_the_middle) {
        PlContainer *c = &containers[0];

        recalls = true;
        n_looks = 0;
        happens(0, PL_EVENT_KILL, 15);
        happens(0, PL_EVENT_DIE, 0);
        c->phase = PL_PHASE_EXITED;
        c->finished_usec = realtime();
        inspected(0);
        ck_assert_uint_eq(n_looks, 1);
        ck_assert(pl_healthd_is_restarting(healthd, c->id));
}
END_TEST

/* What it knew of this run goes with plimsolld to the next one, and of this run alone. */
START_TEST(proof_outlives_plimsolld) {
        PlPolicy *same = policy;

        keeps = true;
        runs(0, PL_DOCKER_HEALTH_HEALTHY);
        pl_healthd_free(healthd);
        ck_assert_int_eq(pl_healthd_new(event, &handlers, NULL, &healthd), 0);
        pl_healthd_set_policy(healthd, same);
        if (_i)
                containers[0].started_usec += SEC;
        runs(0, PL_DOCKER_HEALTH_UNHEALTHY);
        run_for(SEC / 10);
        ck_assert_uint_eq(n_asked[0], !_i);
}
END_TEST

/* What is stopped, and not written down, might stay down. */
START_TEST(nothing_is_stopped_that_is_not_written_down) {
        containers[0].host.auto_remove = false;
        fails(0);
        remembering = -ENOSPC;
        ck_assert(!begin_restart(0));
        answered(0, -ECANCELED);
        remembering = 0;
        run_for(2 * SEC);
        ck_assert_uint_eq(n_asked[0], 2);
        ck_assert(begin_restart(0));
}
END_TEST

/* Docker's check fails while nothing in it can answer; and a check that began then is no proof
 * when that is over. */
START_TEST(stands_still) {
        PlHealthdView v;

        runs(0, PL_DOCKER_HEALTH_HEALTHY);
        still = "frozen";
        containers[0].healthcheck.checked_usec = realtime();
        runs(0, PL_DOCKER_HEALTH_UNHEALTHY);
        run_for(SEC / 10);
        ck_assert(pl_healthd_get(healthd, containers[0].id, &v));
        ck_assert_str_eq(v.reason, "impaired: frozen");
        still = NULL;
        runs(0, PL_DOCKER_HEALTH_UNHEALTHY);
        run_for(SEC / 10);
        ck_assert_uint_eq(n_asked[0], 0);
        if (_i)
                containers[0].healthcheck.checked_usec = realtime();
        runs(0, PL_DOCKER_HEALTH_UNHEALTHY);
        run_for(SEC / 10);
        ck_assert_uint_eq(n_asked[0], _i);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("restarts");

        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, ended_and_comes_back, 0, 6);
        tcase_add_loop_test(t, ended_before_it_was_inspected, 0, 3);
        tcase_add_test(t, ends_again_and_again);
        tcase_add_loop_test(t, compose_dependency, 0, 6);
        tcase_add_test(t, asked_once_until_it_is_answered);
        tcase_add_test(t, what_was_not_sent_costs_nothing);
        tcase_add_test(t, what_cannot_be_asked_costs_nothing);
        tcase_add_loop_test(t, cancelled_without_a_reason, 0, 9);
        tcase_add_test(t, one_restart_for_one_death);
        tcase_add_loop_test(t, ended_with_the_engine, 0, 5);
        tcase_add_test(t, started_and_not_seen_yet);
        tcase_add_loop_test(t, acted_upon_before_it_is_seen, 0, 2);
        tcase_add_test(t, acted_upon_in_the_middle);
        tcase_add_test(t, backoff_from_the_answer);
        tcase_add_test(t, not_again_by_the_next_plimsolld);
        tcase_add_loop_test(t, proof_outlives_plimsolld, 0, 2);
        tcase_add_test(t, nothing_is_stopped_that_is_not_written_down);
        tcase_add_loop_test(t, stands_still, 0, 2);
        tcase_add_test(t, a_job_is_done_again);
        tcase_add_test(t, a_start_is_told_by_what_comes_of_it);
        tcase_add_loop_test(t, ended_unseen, 0, (int)PL_ARRAY_SIZE(unseen));
        return run_case(t);
}
