/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OOM watch: see the header. A kill is noticed by the group's own counter, explained by the kernel
 * log, and reported when both have spoken or the log has had its time.
 */

#include "oom/watch.h"

#include <errno.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/journal.h"
#include "oom/internal.h"

/* Between the first looks into the kernel log; doubles. */
#define GRACE_STEP_USEC (2 * PL_USEC_PER_MSEC)
/* For so long a victim is still worth knowing after its report. */
#define LATE_USEC      (3 * PL_USEC_PER_SEC)
#define LATE_STEP_USEC (20 * PL_USEC_PER_MSEC)
/* Processes of a group that are killed at once and may be missing in its report. */
#define WHOLE_MAX 64

static int count(OomEntry *e, PlOomCount *ret) {
        return e->h == PL_HIERARCHY_V1 ? pl_oom_v1_count(e, ret) : pl_oom_v2_count(e, ret);
}

bool pl_oom_watch_sample(OomEntry *e, PlOomSample *ret) {
        const PlCgroupMounts *m = e->w->mounts;
        _cleanup_free_ char *text = NULL;
        PlReading limits = { 0 };
        PlUsage u;

        pl_oom_sample_init(ret, pl_clock_usec(CLOCK_BOOTTIME));
        if (!e->g || pl_cg_read_usage(m, e->g, &u) < 0)
                return false;
        ret->usage_bytes = u.memory_bytes;
        ret->inactive_file_bytes = u.inactive_file_bytes;
        ret->swap_bytes = u.swap_bytes;
        ret->peak_bytes = u.memory_peak_bytes;
        if (pl_cg_read(m, e->g, 1U << PL_RESOURCE_MEMORY_MAX | 1U << PL_RESOURCE_MEMORY_HIGH,
                       &limits) == 0) {
                const PlValue *max = &limits.in_force.v[PL_RESOURCE_MEMORY_MAX];
                const PlValue *high = &limits.in_force.v[PL_RESOURCE_MEMORY_HIGH];

                ret->limit_bytes = max->set ? max->number : PL_UNLIMITED;
                ret->high_bytes = high->set ? high->number : PL_UNLIMITED;
        }
        pl_reading_deinit(&limits);
        if (e->h == PL_HIERARCHY_V2 && pl_fs_read(e->g->dir_fd[PL_CONTROLLER_MEMORY],
                                                  "memory.pressure", 4096, &text, NULL) == 0)
                pl_oom_parse_pressure(text, ret);
        return true;
}

void pl_oom_watch_keep(OomEntry *e, const PlOomSample *s) {
        if (!e->ring)
                e->ring = calloc(1, sizeof(*e->ring));
        if (e->ring)
                pl_oom_ring_add(e->ring, s);
}

bool pl_oom_watch_press(OomEntry *e) {
        PlOomSample s;

        if (!pl_oom_watch_sample(e, &s))
                return false;
        pl_oom_watch_keep(e, &s);
        if (e->ring)
                e->w->handlers->pressed(e->w->userdata, e->id, e->ring, &s);
        return true;
}

void pl_oom_watch_disarm(OomEntry *e) {
        e->oom = sd_event_source_disable_unref(e->oom);
        e->press = sd_event_source_disable_unref(e->press);
        e->calm = sd_event_source_disable_unref(e->calm);
        pl_closep(&e->oom_fd);
        pl_closep(&e->press_fd);
        e->oom_fd = e->press_fd = -EBADF;
        e->look_until_usec = 0;
}

/* Nobody waits for it any more. */
static void leave_log(PlOomWatch *w) {
        if (--w->n_pending == 0)
                pl_kmsg_rest(w->kmsg);
}

static void end_pending(OomEntry *e) {
        free(e->pending);
        e->pending = NULL;
        leave_log(e->w);
        if (e->oom)
                (void)sd_event_source_set_enabled(e->oom, SD_EVENT_ON);
}

static void wait_for_names(OomEntry *e) {
        if (e->untold_until_usec == 0)
                e->w->n_pending++; /* the log stays open */
        e->untold_until_usec = pl_clock_usec(CLOCK_BOOTTIME) + LATE_USEC;
        pl_oom_watch_look_again(e, LATE_STEP_USEC, LATE_USEC);
}

/* What the log has by now on kills that were reported without it. */
static void name_untold(OomEntry *e) {
        PlKmsgKill kill;

        if (e->untold == 0)
                return;
        pl_kmsg_poll(e->w->kmsg);
        while (e->untold > 0 && pl_kmsg_take(e->w->kmsg, e->id, &kill)) {
                e->untold--;
                e->w->handlers->named(e->w->userdata, e->id, &kill);
        }
        if (e->untold == 0 || pl_clock_usec(CLOCK_BOOTTIME) >= e->untold_until_usec) {
                e->untold = e->untold_until_usec = 0;
                e->whole = false;
                leave_log(e->w);
        }
}

/* Calls the handler, which must not forget the container. */
static void report(OomEntry *e) {
        static const PlOomRing none;
        OomPending *p = e->pending;
        PlOomWatch *w = e->w;
        PlOomReport r;

        pl_oom_report_init(&r, e->ring ?: &none, p->has_after ? &p->after : NULL,
                           p->has_kill ? &p->kill : NULL, e->id, PL_MAX(p->kills, p->found),
                           p->begin_usec, p->realtime_usec);
        if (p->kills > p->found)
                e->untold += p->kills - p->found;
        e->whole = p->whole;
        if (p->whole) /* some may die after the report, and with a group that is gone by then */
                e->untold += WHOLE_MAX;
        if (e->untold > 0)
                wait_for_names(e);
        end_pending(e);
        w->handlers->killed(w->userdata, e->id, &r);
}

/* What the log has on our kills. Return: true when it has all. */
static bool consult(OomEntry *e) {
        OomPending *p = e->pending;
        PlKmsgKill kill;

        pl_kmsg_poll(e->w->kmsg);
        while (pl_kmsg_take(e->w->kmsg, e->id, &kill)) {
                if (!p->has_kill)
                        p->kill = kill;
                p->has_kill = true;
                p->found++;
        }
        return p->found >= p->kills;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        OomEntry *e = userdata;
        uint64_t now = pl_clock_usec(CLOCK_BOOTTIME);

        if (now < e->look_until_usec) {
                e->step_usec = PL_MIN(2 * e->step_usec, 50 * PL_USEC_PER_MSEC);
                (void)sd_event_source_set_time(source,
                                               PL_MIN(now + e->step_usec, e->look_until_usec));
                (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        } else {
                e->look_until_usec = 0;
                if (e->oom)
                        (void)sd_event_source_set_enabled(e->oom, SD_EVENT_ON);
        }
        pl_oom_watch_look(e);
        return 0;
}

void pl_oom_watch_look_again(OomEntry *e, uint64_t step_usec, uint64_t for_usec) {
        uint64_t now = pl_clock_usec(CLOCK_BOOTTIME);
        int r;

        e->step_usec = step_usec;
        e->look_until_usec = PL_MAX(e->look_until_usec, now + for_usec);
        if (!e->timer)
                r = sd_event_add_time(e->w->event, &e->timer, CLOCK_BOOTTIME, now + step_usec,
                                      PL_USEC_PER_MSEC, on_timer, e);
        else
                r = sd_event_source_set_time(e->timer, now + step_usec);
        if (r >= 0)
                (void)sd_event_source_set_enabled(e->timer, SD_EVENT_ONESHOT);
}

static void begin(OomEntry *e, uint64_t kills) {
        if (!e->pending) {
                e->pending = calloc(1, sizeof(*e->pending));
                if (!e->pending) {
                        pl_log_error("Out of memory: an OOM kill in %.12s is not explained", e->id);
                        return;
                }
                e->w->n_pending++;
                e->pending->begin_usec = pl_clock_usec(CLOCK_BOOTTIME);
                e->pending->realtime_usec = pl_clock_usec(CLOCK_REALTIME);
                e->pending->has_after = pl_oom_watch_sample(e, &e->pending->after);
        }
        e->pending->kills += kills;
        pl_oom_watch_look_again(e, GRACE_STEP_USEC, pl_kmsg_delay(e->w->kmsg));
}

void pl_oom_watch_look(OomEntry *e) {
        PlOomCount now = { 0 };
        int r = e->g && e->oom_fd >= 0 ? count(e, &now) : -ENODEV;
        /* as of now: a first look into the journal may itself take longer than the log's line */
        bool late = e->pending &&
                    pl_clock_usec(CLOCK_BOOTTIME) >=
                                    e->pending->begin_usec + pl_kmsg_delay(e->w->kmsg);

        if (r == 0 && now.kills > e->count.kills) {
                PlOomCount before = e->count;

                if (!e->pending)
                        name_untold(e); /* the log's next ones are about these */
                e->count = now;
                if (!e->whole || now.groups > before.groups)
                        begin(e, now.kills - before.kills);
                if (e->pending)
                        e->pending->whole |= now.groups > before.groups;
        } else if (r == -ENODEV && e->g) {
                /* v1 signals the removal too, v2 for as long as one listens */
                pl_oom_watch_disarm(e);
        }
        if (e->pending && ((consult(e) && !e->pending->whole) || late))
                report(e);
        else if (!e->pending)
                name_untold(e);
}

int pl_oom_watch_new(sd_event *event, const PlCgroupMounts *m, const char *kmsg,
                     const PlOomWatchHandlers *handlers, void *userdata, PlOomWatch **ret) {
        _cleanup_(pl_oom_watch_freep) PlOomWatch *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->event = sd_event_ref(event);
        w->mounts = m;
        w->handlers = handlers;
        w->userdata = userdata;
        w->entries = pl_map_new();
        if (!w->entries)
                return -ENOMEM;
        r = pl_kmsg_new(kmsg, &w->kmsg);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

static void entry_free(OomEntry *e) {
        pl_oom_watch_disarm(e);
        sd_event_source_disable_unref(e->timer);
        if (e->pending)
                end_pending(e);
        if (e->untold_until_usec > 0)
                leave_log(e->w);
        free(e->ring);
        free(e);
}

PlOomWatch *pl_oom_watch_free(PlOomWatch *w) {
        OomEntry *e;

        if (!w)
                return NULL;
        if (w->entries)
                PL_MAP_FOREACH(e, w->entries)
        entry_free(e);
        pl_map_free(w->entries);
        pl_kmsg_free(w->kmsg);
        sd_event_unref(w->event);
        free(w);
        return NULL;
}

static OomEntry *ensure(PlOomWatch *w, const char *id) {
        OomEntry *e = pl_map_get(w->entries, id);

        if (e)
                return e;
        e = calloc(1, sizeof(*e));
        if (!e)
                return NULL;
        (void)snprintf(e->id, sizeof(e->id), "%s", id);
        e->w = w;
        e->oom_fd = e->press_fd = -EBADF;
        if (pl_map_put(w->entries, e->id, e) == 0)
                return e;
        free(e);
        return NULL;
}

int pl_oom_watch_add(PlOomWatch *w, const char *id, const PlCgroup *g) {
        OomEntry *e;
        int r;

        if (g->dir_fd[PL_CONTROLLER_MEMORY] < 0)
                return -ENOENT;
        e = ensure(w, id);
        if (!e)
                return -ENOMEM;
        pl_oom_watch_disarm(e);
        e->g = g;
        e->h = w->mounts->hierarchy[PL_CONTROLLER_MEMORY];
        r = e->h == PL_HIERARCHY_V1 ? pl_oom_v1_arm(e) : pl_oom_v2_arm(e);
        if (r >= 0)
                return 0;
        pl_oom_watch_disarm(e);
        e->g = NULL;
        return r;
}

void pl_oom_watch_remove(PlOomWatch *w, const char *id) {
        OomEntry *e = pl_map_get(w->entries, id);
        PlOomCount now;

        if (!e || !e->g)
                return;
        if (e->oom_fd >= 0 && count(e, &now) == 0 && now.kills > e->count.kills)
                begin(e, now.kills - e->count.kills);
        pl_oom_watch_disarm(e);
        e->g = NULL;
        /* disarming has stopped the clock of the timer, not the report */
        if (e->pending)
                pl_oom_watch_look_again(e, GRACE_STEP_USEC, pl_kmsg_delay(w->kmsg));
        else if (e->untold > 0)
                pl_oom_watch_look_again(e, LATE_STEP_USEC, LATE_USEC);
}

void pl_oom_watch_check(PlOomWatch *w, const char *id) {
        OomEntry *e = pl_map_get(w->entries, id);
        PlKmsgKill kill;

        if (!e)
                return;
        if (!e->pending) {
                pl_kmsg_poll(w->kmsg);
                name_untold(e);
        }
        if (e->g && e->oom_fd >= 0) {
                pl_oom_watch_look(e);
                return;
        }
        if (!e->pending && pl_kmsg_take(w->kmsg, id, &kill)) {
                begin(e, 1);
                if (e->pending) {
                        e->pending->kill = kill;
                        e->pending->has_kill = true;
                        e->pending->found = 1;
                        pl_oom_watch_look(e);
                        return;
                }
        }
        if (w->n_pending == 0)
                pl_kmsg_rest(w->kmsg);
}

void pl_oom_watch_forget(PlOomWatch *w, const char *id) {
        OomEntry *e = pl_map_get(w->entries, id);

        if (!e)
                return;
        pl_oom_watch_remove(w, id);
        if (e->pending) {
                (void)consult(e);
                report(e);
        }
        (void)pl_map_remove(w->entries, id);
        entry_free(e);
}
