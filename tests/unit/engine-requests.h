/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Requests to a fake engine with one container, "db", and the replies to them.
 */

#include "engine-fixture.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* db */
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static unsigned n_replies, n_failed;
static int reply_error;
static char reply_message[700];
static size_t listed;
static char ids[200][PL_ID_MAX];
static bool inside; /* a call that makes a request is on the stack */

static inline void note(int error, const char *message) {
        ck_assert_msg(!inside, "a reply before the request was made");
        n_replies++;
        n_failed += error < 0;
        reply_error = error;
        (void)snprintf(reply_message, sizeof(reply_message), "%s", message ?: "");
        maybe_free(REPLY);
}

static inline void on_inspected(void *userdata, const char *id, int error, const char *message,
                                PlContainer **c) {
        ck_assert((error == 0) == (*c != NULL));
        if (error == 0) {
                ck_assert_str_eq((*c)->id, id);
                pl_container_free(TAKE_PTR(*c)); /* what is taken is ours */
        }
        note(error, message);
}

static inline void on_listed(void *userdata, int error, const char *message,
                             const char (*all)[PL_ID_MAX], size_t n) {
        listed = n;
        for (size_t i = 0; i < PL_MIN(n, PL_ARRAY_SIZE(ids)); i++)
                memcpy(ids[i], all[i], PL_ID_MAX);
        note(error, message);
}

static inline void on_changed(void *userdata, const char *id, int error, const char *message) {
        note(error, message);
}

#define ASK(call)               \
        ({                      \
                int _r;         \
                                \
                inside = true;  \
                _r = (call);    \
                inside = false; \
                _r;             \
        })

static inline int list(void) {
        return ASK(pl_engine_list(engine, on_listed, NULL));
}

static inline int inspect(const char *id) {
        return ASK(pl_engine_inspect(engine, id, on_inspected, NULL));
}

static inline int update(const char *id, const char *body) {
        return ASK(pl_engine_update(engine, id, body, on_changed, NULL));
}

static unsigned n_checks;
static PlEngineAct wanted; /* what a check answers */
static PlPhase checked_phase;
static unsigned checked_events; /* told by then */

static inline PlEngineAct on_check(void *userdata, const char *id, PlContainer **c) {
        ck_assert_msg(!inside, "a check before the request was made");
        ck_assert_str_eq((*c)->id, id);
        n_checks++;
        checked_phase = (*c)->phase;
        checked_events = n_events;
        return wanted;
}

static inline int turn_of(const char *id, PlEngineAct act, uint64_t since_usec) {
        wanted = act;
        return ASK(pl_engine_turn(engine, act, id, since_usec, on_check, on_changed, NULL));
}

/* A turn that comes to nothing. */
static inline int look_at(const char *id, uint64_t since_usec) {
        wanted = PL_ENGINE_NOTHING;
        return ASK(pl_engine_turn(engine, PL_ENGINE_STOP, id, since_usec, on_check, on_changed,
                                  NULL));
}

static inline int stop(void) {
        return turn_of(A64, PL_ENGINE_STOP, 0);
}

/* Waits for the n-th reply. */
#define EXPECT_REPLY(n, error)                                      \
        do {                                                        \
                ck_assert(run_until(event, &n_replies, (n), LONG)); \
                ck_assert_int_eq(reply_error, (error));             \
        } while (0)

static inline void setup(void) {
        setup_engine();
        fake_start(&fake, NULL);
        fake_do(&fake, "[{\"op\":\"add\",\"name\":\"db\",\"id\":\"" A64
                       "\",\"running\":true,\"pid\":77}]");
        ck_assert_int_eq(list(), -ENOTCONN);
        start_engine();
}

static inline json_t *stat_of(const char *name) {
        json_t *stats = fake_tell(&fake, "{\"op\":\"stats\"}"),
               *value = json_incref(json_object_get(stats, name));

        json_decref(stats);
        return value;
}

/* Of a list: its length. */
static inline unsigned count_of(const char *name) {
        json_t *value = stat_of(name);
        unsigned n = json_is_array(value) ? (unsigned)json_array_size(value)
                                          : (unsigned)json_integer_value(value);

        json_decref(value);
        return n;
}
