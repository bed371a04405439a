/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A fake engine, a connection to it, and what the connection has said.
 */

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "engine/client.h"
#include "fake.h"
#include "unit.h"

#define LONG (20 * PL_USEC_PER_SEC) /* passed over only by a bug; sanitizers are slow */

typedef enum When { NEVER, CONNECTED, EVENT, LOST, REPLY } When;

static Fake fake;
static sd_event *event;
static PlEngine *engine;
static unsigned n_connected, n_lost, n_events, n_missed, n_quiet;
static int lost_error;
static char lost_why[700];
static PlEvent last_event;
static When free_when; /* the engine is freed in that callback */

static inline void maybe_free(When when) {
        if (free_when == when)
                engine = pl_engine_free(engine);
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
        ck_assert(!pl_engine_is_connected(engine));
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

static inline void setup_engine(uint64_t patience_usec) {
        const PlEngineTuning quick = {
                .pong_usec = patience_usec,
                .ping_usec = patience_usec,
                .read_usec = patience_usec,
                .update_usec = patience_usec,
                .backoff_base_usec = 20 * PL_USEC_PER_MSEC,
                .backoff_max_usec = 100 * PL_USEC_PER_MSEC,
        };

        fake_init(&fake);
        ck_assert_int_ge(sd_event_new(&event), 0);
        ck_assert_int_eq(pl_engine_new(event, fake.url, &handlers, NULL, &engine), 0);
        pl_engine_tune(engine, &quick);
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
