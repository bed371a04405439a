/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A fake engine, a connection to it, and what the connection has said.
 */

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "engine/client.h"
#include "fake.h"
#include "unit.h"

#define LONG  (120 * PL_USEC_PER_SEC)  /* a ceiling against hanging, whatever else runs here */
#define SHORT (100 * PL_USEC_PER_MSEC) /* for what must run out */

typedef enum When { NEVER, CONNECTED, EVENT, LOST, REPLY } When;

static Fake fake;
static sd_event *event;
static PlEngine *engine;
static unsigned n_connected, n_lost, n_events, n_missed, n_quiet, n_freed;
static int lost_error;
static char lost_why[700];
static PlEvent last_event;
static When free_when; /* the engine is freed in that callback */

static inline void maybe_free(When when) {
        if (free_when != when)
                return;
        engine = pl_engine_free(engine);
        n_freed++;
}

/* A wrong id is refused as such only while there is a connection. */
static inline bool is_connected(void) {
        int r = pl_engine_inspect(engine, "", NULL, NULL);

        ck_assert(r == -EINVAL || r == -ENOTCONN);
        return r == -EINVAL;
}

static inline void on_connected(void *userdata, const PlEngineInfo *info) {
        n_connected++;
        maybe_free(CONNECTED);
}

static inline void on_lost(void *userdata, int error, const char *why, uint64_t retry_usec) {
        n_lost++;
        lost_error = error;
        (void)snprintf(lost_why, sizeof(lost_why), "%s", why);
        ck_assert_uint_gt(retry_usec, 0);
        ck_assert(!is_connected());
        maybe_free(LOST);
}

static inline void on_event(void *userdata, PlEvent *e) {
        n_events++;
        last_event = *e;
        last_event.born = NULL;
        maybe_free(EVENT);
}

static inline void on_missed(void *userdata, const char *why) {
        n_missed++;
}

static inline void on_quiet(void *userdata) {
        n_quiet++;
}

static const PlEngineHandlers handlers = {
        .connected = on_connected,
        .lost = on_lost,
        .event = on_event,
        .missed = on_missed,
        .quiet = on_quiet,
};

/* However slow the machine is, it answers in time: a test that needs an answer to be late says so.
 */
static inline void make_engine(void) {
        const PlEngineTuning patient = {
                .pong_usec = LONG,
                .ping_usec = LONG,
                .version_usec = LONG,
                .read_usec = LONG,
                .update_usec = LONG,
                .patience_usec = LONG,
                .backoff_base_usec = 20 * PL_USEC_PER_MSEC,
                .backoff_max_usec = 100 * PL_USEC_PER_MSEC,
        };

        ck_assert_int_eq(pl_engine_new(event, fake.url, &handlers, NULL, &engine), 0);
        pl_engine_tune(engine, &patient);
}

static inline void setup_engine(void) {
        fake_init(&fake);
        ck_assert_int_ge(sd_event_new(&event), 0);
        make_engine();
}

static inline void teardown(void) {
        engine = pl_engine_free(engine);
        event = sd_event_unref(event);
        fake_deinit(&fake);
}

static inline void start_engine(void) {
        ck_assert_int_eq(pl_engine_start(engine), 0);
        ck_assert(run_until(event, &n_connected, 1, LONG));
}

static inline void connect_to_fake(void) {
        fake_start(&fake, NULL);
        start_engine();
}

/* Accepts connections (the kernel does), answers nothing. */
static inline void freeze(void) {
        int status;

        ck_assert_int_eq(kill(fake.pid, SIGSTOP), 0);
        ck_assert_int_eq(waitpid(fake.pid, &status, WUNTRACED), fake.pid);
        ck_assert(WIFSTOPPED(status));
}

static inline void thaw(void) {
        ck_assert_int_eq(kill(fake.pid, SIGCONT), 0);
}

/* Runs the loop until the fake says that a number is so large. path: as in "requests", or NULL */
static inline void run_until_stat(const char *name, const char *path, json_int_t n) {
        for (json_int_t v = -1; v < n;) {
                json_t *stats = fake_tell(&fake, "{\"op\":\"stats\"}"),
                       *value = json_object_get(stats, name);

                v = json_integer_value(path ? json_object_get(value, path) : value);
                json_decref(stats);
                if (v < n)
                        run_for(event, 10 * PL_USEC_PER_MSEC);
        }
}
