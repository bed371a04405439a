/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * plimsolld's process in the world in memory: its loop, its clocks, and its death.
 *
 * Time is the world's, and passes in jumps from one thing that is due to the next. A plimsolld that
 * is killed goes on running to the next return to its loop, but none of its acts reaches the world
 * any more.
 */

#include <systemd/sd-event.h>

#include "base/clock.h"
#include "lib/docker/container.h"
#include "owners-world.h"

/* 2026-01-01 */
#define WORLD_EPOCH_USEC (UINT64_C(1767225600) * PL_USEC_PER_SEC)

/* --- plimsolld's process --- */

static struct {
        unsigned run;    /* of which what is under way is for */
        bool dead;       /* killed; nothing that it does has an effect */
        unsigned die_in; /* so many acts more; 0: it lives */
        unsigned acts, updates, writes;
} process;

/* It may be killed before each of its acts, and after. Return: has the act any effect? */
static bool may_act(void) {
        if (process.die_in > 0 && --process.die_in == 0)
                process.dead = true;
        return !process.dead;
}

/* --- what is due --- */

typedef struct Due Due;
struct Due {
        uint64_t usec;
        unsigned run; /* of plimsolld; 0: the world's own */
        void (*happen)(Due *d);
        int number;
        uint32_t mask;
        char id[PL_ID_MAX];
        char *text;
        PlContainer *container;
        void (*reply)(void);
        void *userdata;
};

static Due due[256];
static unsigned n_due;

static Due *due_in(uint64_t usec, void (*happen)(Due *), bool is_worlds) {
        Due *d;

        if (n_due == PL_ARRAY_SIZE(due))
                abort();
        d = &due[n_due++];
        *d = (Due){ .usec = w.now_usec + usec,
                    .happen = happen,
                    .run = is_worlds ? 0 : process.run };
        memcpy(d->id, w.box.id, sizeof(d->id));
        return d;
}

static void due_drop(Due *d) {
        free(d->text);
        pl_container_free(d->container);
}

/* --- the loop and its clocks --- */

struct sd_event_source {
        bool used, deferred;
        int enabled;
        uint64_t usec;
        sd_event_handler_t handler;
        sd_event_time_handler_t on_time;
        void *userdata;
};

static struct sd_event_source sources[16];

static sd_event_source *source_new(void *userdata) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(sources); i++)
                if (!sources[i].used) {
                        sources[i] = (struct sd_event_source){ .used = true,
                                                               .enabled = SD_EVENT_ONESHOT,
                                                               .userdata = userdata };
                        return &sources[i];
                }
        abort();
}

sd_event *sd_event_ref(sd_event *e) {
        return e;
}

sd_event *sd_event_unref(sd_event *e) {
        return NULL;
}

int sd_event_add_defer(sd_event *e, sd_event_source **s, sd_event_handler_t handler,
                       void *userdata) {
        *s = source_new(userdata);
        (*s)->deferred = true;
        (*s)->handler = handler;
        return 0;
}

int sd_event_add_time(sd_event *e, sd_event_source **s, clockid_t clock, uint64_t usec,
                      uint64_t accuracy, sd_event_time_handler_t handler, void *userdata) {
        *s = source_new(userdata);
        (*s)->usec = usec;
        (*s)->on_time = handler;
        return 0;
}

int sd_event_add_time_relative(sd_event *e, sd_event_source **s, clockid_t clock, uint64_t usec,
                               uint64_t accuracy, sd_event_time_handler_t handler, void *userdata) {
        return sd_event_add_time(e, s, clock, w.now_usec + usec, accuracy, handler, userdata);
}

int sd_event_source_set_enabled(sd_event_source *s, int enabled) {
        s->enabled = enabled;
        return 0;
}

int sd_event_source_set_priority(sd_event_source *s, int64_t priority) {
        return 0;
}

int sd_event_source_get_enabled(sd_event_source *s, int *ret) {
        *ret = s->enabled;
        return s->enabled != SD_EVENT_OFF;
}

int sd_event_source_set_time(sd_event_source *s, uint64_t usec) {
        s->usec = usec;
        return 0;
}

int sd_event_source_set_time_relative(sd_event_source *s, uint64_t usec) {
        s->usec = w.now_usec + usec;
        return 0;
}

int sd_event_source_get_time(sd_event_source *s, uint64_t *ret) {
        *ret = s->usec;
        return 0;
}

sd_event_source *sd_event_source_disable_unref(sd_event_source *s) {
        if (s)
                s->used = false;
        return NULL;
}

/* MONOTONIC is what a turn of the loop measures its own length by: whoever asks has worked. */
uint64_t pl_clock_usec(clockid_t clock) {
        static uint64_t work_usec;

        if (clock == CLOCK_MONOTONIC)
                return w.now_usec + (work_usec += PL_USEC_PER_MSEC);
        return w.now_usec + (clock == CLOCK_REALTIME ? WORLD_EPOCH_USEC : 0);
}

uint64_t pl_clock_loop_usec(sd_event *loop, clockid_t clock) {
        return pl_clock_usec(clock);
}

void pl_clock_sleep(uint64_t usec) {}

/* Runs what is due next. Return: false when nothing is until then. */
static bool step(uint64_t until_usec) {
        struct sd_event_source *source = NULL;
        uint64_t best = until_usec;
        unsigned which = n_due;
        Due d;

        for (size_t i = 0; i < PL_ARRAY_SIZE(sources); i++) {
                struct sd_event_source *s = &sources[i];
                uint64_t usec = s->deferred ? w.now_usec : PL_MAX(s->usec, w.now_usec);

                if (!s->used || s->enabled == SD_EVENT_OFF || (source && usec >= best) ||
                    usec > best)
                        continue;
                source = s;
                best = usec;
        }
        for (unsigned i = 0; i < n_due; i++)
                if (due[i].usec < best || (due[i].usec == best && which == n_due && !source)) {
                        which = i;
                        best = PL_MAX(due[i].usec, w.now_usec);
                        source = NULL;
                }
        w.now_usec = best;
        if (source) {
                if (source->enabled == SD_EVENT_ONESHOT)
                        source->enabled = SD_EVENT_OFF;
                if (source->deferred)
                        (void)source->handler(source, source->userdata);
                else
                        (void)source->on_time(source, source->usec, source->userdata);
                return true;
        }
        if (which == n_due)
                return false;
        d = due[which];
        memmove(due + which, due + which + 1, (--n_due - which) * sizeof(*due));
        if (d.run == 0 || (d.run == process.run && !process.dead))
                d.happen(&d);
        due_drop(&d);
        return true;
}
