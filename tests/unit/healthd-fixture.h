/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Containers that are told to health/patients by hand; what it asks for is counted. */

#include "health/patients.h"
#include "policy-texts.h"

#define SEC PL_USEC_PER_SEC

#define RESTART \
        "[Service a]\nMatch=name:*\nProbe=none\nOnUnhealthy=restart\nRestartBudget=5/10min\n"
#define NONE "[Service a]\nMatch=name:*\nProbe=none\nOnUnhealthy=none\n"

#define RUNS_MAX 16

/* What the engine would say of each. */
static PlContainer containers[RUNS_MAX];
static unsigned n_asked[RUNS_MAX];
static int answer; /* to "restart" */
static sd_event *event;
static PlHealthd *healthd;
static PlPolicy *policy;
static uint64_t started_usec; /* of the first runs, CLOCK_REALTIME */

static inline unsigned index_of(const char *id) {
        for (unsigned i = 0; i < RUNS_MAX; i++)
                if (pl_streq(containers[i].id, id))
                        return i;
        ck_abort_msg("%s", id);
}

/* A letter for each report that is news: h healthy, s starting, f finished, u unknown … */
static char news[32];

static inline void on_changed(void *userdata, const PlHealthdReport *report) {
        size_t n = strlen(news);

        if (!report->minor && n + 1 < sizeof(news))
                memcpy(news + n, (char[]){ *pl_health_state_to_string(report->change->to), 0 }, 2);
}

static unsigned n_again;
static char again_how[PL_HEALTH_REASON_MAX];

static inline void on_run_again(void *userdata, const char *id, const PlEnding *ending,
                                const char *how) {
        n_again++;
        (void)snprintf(again_how, sizeof(again_how), "%s", how);
}

static inline char *on_words(void *userdata, const char *id) {
        return strdup("; its last line: no door");
}

static unsigned n_looks, n_ended;
static PlEnding told_end; /* the last one */

static inline void on_ended(void *userdata, const char *id, const PlEnding *ending,
                            const char *words, const char *reason) {
        n_ended++;
        told_end = *ending;
}

static inline int on_restart(void *userdata, const char *id, PlRestartVerb verb,
                             const char *reason) {
        n_looks += verb == PL_RESTART_LOOK;
        if (verb == PL_RESTART_LOOK || verb == PL_RESTART_CANCEL)
                return 0;
        n_asked[index_of(id)]++;
        return answer;
}

static inline void on_start_unit(void *userdata, const char *id, const char *unit,
                                 const char *reason) {
        ck_abort();
}

static unsigned n_inherited; /* restarts of the container before it, a second apart … */
static uint64_t ago_usec;    /* … the last one so long ago */
static unsigned n_gave_up;

static inline size_t on_inherit(void *userdata, const char *id, uint64_t *ret, size_t max) {
        struct timespec t;

        (void)clock_gettime(CLOCK_REALTIME, &t);
        for (unsigned i = 0; i < n_inherited; i++)
                ret[i] = ((uint64_t)t.tv_sec - i) * SEC - ago_usec;
        return n_inherited;
}

static inline void on_gave_up(void *userdata, const char *id, const char *reason,
                              const PlBudget *budget) {
        ck_assert_uint_gt(n_inherited, 0);
        n_gave_up++;
}

static inline void on_doubted(void *userdata, const char *id) {}

/* A restart that was sent a second ago, when plimsolld ended. */
static bool recalls;

/* … or what was kept last. */
static bool keeps, kept_any;
static PlCourse kept;

static inline bool on_recall(void *userdata, const char *id, uint64_t now_usec, PlCourse *ret) {
        if (keeps && kept_any) {
                *ret = kept;
                return true;
        }
        if (!recalls)
                return false;
        *ret = (PlCourse){ 0 };
        ret->restart = (PlRestart){
                .stage = PL_RESTART_SENT,
                .sent = PL_RESTART_WHOLE,
                .ran_usec = started_usec,
                .sent_usec = now_usec - SEC,
                .since_usec = now_usec - SEC,
                .until_usec = now_usec + 24 * SEC,
        };
        pl_ending_own(&ret->ending, started_usec + 59 * SEC, started_usec + 84 * SEC);
        return true;
}

static inline uint64_t realtime(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_REALTIME, &t);
        return (uint64_t)t.tv_sec * SEC + (uint64_t)t.tv_nsec / 1000;
}

/* A restart that is over explains nothing that comes later, to the next plimsolld neither. */
static int remembering; /* what comes of it */

static inline int on_remember(void *userdata, const char *id, const PlCourse *c) {
        if (c->restart.stage == PL_RESTART_IDLE && c->ending.own.usec > 0)
                ck_assert_uint_le(c->ending.own.until_usec, realtime() + SEC / 10);
        kept = *c;
        kept_any = true;
        return remembering;
}

static inline void on_touched(void *userdata) {}

static const char *still; /* the container stands still, in words */

static inline const char *on_still(void *userdata, pid_t pid, const char *id) {
        return still;
}

static const PlHealthdHandlers handlers = {
        .changed = on_changed,
        .words = on_words,
        .run_again = on_run_again,
        .ended = on_ended,
        .restart = on_restart,
        .start_unit = on_start_unit,
        .gave_up = on_gave_up,
        .doubted = on_doubted,
        .still = on_still,
        .inherit = on_inherit,
        .recall = on_recall,
        .remember = on_remember,
        .touched = on_touched,
};

static inline void load(const char *text) {
        PlPolicy *old = policy;
        PlDiagList diag = {};
        int r;

        policy = parse_texts(&text, 1, &diag, &r);
        ck_assert_int_eq(r, 0);
        pl_diag_list_deinit(&diag);
        pl_healthd_set_policy(healthd, policy);
        pl_policy_unref(old);
}

static inline void run_for(uint64_t usec) {
        uint64_t now = 0, end;

        (void)sd_event_now(event, CLOCK_MONOTONIC, &now);
        for (end = now + usec; now < end; (void)sd_event_now(event, CLOCK_MONOTONIC, &now))
                ck_assert_int_ge(sd_event_run(event, 50 * PL_USEC_PER_MSEC), 0);
}

static inline void inspected(unsigned i) {
        ck_assert_int_eq(pl_healthd_update(healthd, &containers[i], NULL,
                                           pl_policy_match(policy, &containers[i])),
                         0);
}

static inline void happens(unsigned i, PlEventAction action, int number) {
        PlEvent e = { .action = action,
                      .time_nsec = realtime() * 1000,
                      .exit_code = number,
                      .signal = number };

        memcpy(e.id, containers[i].id, PL_ID_MAX);
        pl_healthd_event(healthd, &e);
}

static inline void runs(unsigned i, PlDockerHealth docker) {
        containers[i].phase = PL_PHASE_RUNNING;
        containers[i].pid = 7;
        containers[i].healthcheck.status = docker;
        inspected(i);
}

static inline void begins(unsigned i) {
        happens(i, PL_EVENT_START, 0);
        containers[i].started_usec = realtime();
        runs(i, PL_DOCKER_HEALTH_STARTING);
}

static inline void ends(unsigned i, int exit_code) {
        happens(i, PL_EVENT_DIE, exit_code);
        containers[i].phase = PL_PHASE_EXITED;
        containers[i].pid = 0;
        containers[i].exit_code = exit_code;
        containers[i].finished_usec = realtime();
        inspected(i);
}

/* It was well, and is not any more. */
static inline void fails(unsigned i) {
        runs(i, PL_DOCKER_HEALTH_HEALTHY);
        runs(i, PL_DOCKER_HEALTH_UNHEALTHY);
}

static inline unsigned restarts(unsigned i) {
        PlHealthdView v;

        ck_assert(pl_healthd_get(healthd, containers[i].id, &v));
        return v.restarts;
}

static inline bool begin_restart(unsigned i) {
        PlHealthdRestart restart;

        return pl_healthd_begin_restart(healthd, containers[i].id, &restart) != PL_RESTART_NOTHING;
}

static inline void answered(unsigned i, int error) {
        pl_healthd_restarted(healthd, containers[i].id, error);
}

static inline void setup(void) {
        news[0] = '\0';
        n_inherited = n_gave_up = 0;
        ago_usec = 0;
        n_again = 0;
        still = NULL;
        remembering = 0;
        started_usec = realtime() - 60 * SEC;
        for (unsigned i = 0; i < RUNS_MAX; i++) {
                containers[i] = (PlContainer){ .name = (char *)"a",
                                               .image = (char *)"a",
                                               .started_usec = started_usec,
                                               .stop.timeout_usec = 10 * SEC,
                                               /* --rm: one request, and one answer */
                                               .host.auto_remove = true,
                                               .host.restart_policy = (char *)"no" };
                (void)snprintf(containers[i].id, PL_ID_MAX, "%064x", i + 1);
        }
        ck_assert_int_ge(sd_event_new(&event), 0);
        ck_assert_int_eq(pl_healthd_new(event, &handlers, NULL, &healthd), 0);
        load(RESTART);
}

static inline void teardown(void) {
        healthd = pl_healthd_free(healthd);
        pl_policy_unref(policy);
        event = sd_event_unref(event);
}
