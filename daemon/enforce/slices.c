/* SPDX-License-Identifier: Apache-2.0 */

/* Slices: see the header. Decisions are lib/limits/protection.h's. */

#include "enforce/slices.h"

#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/fs.h"
#include "cgroup/device.h"
#include "enforce/queue.h"
#include "lib/base/message.h"
#include "lib/base/unit.h"
#include "lib/limits/protection.h"

#define SLICES_MAX     64
#define VALUE_FILE_MAX 64

typedef struct Slice {
        char *path; /* below the mount */
        PlProtection of[PL_PROTECTIONS_N];
        char *text[PL_PROTECTIONS_N];      /* the finding; NULL: none */
        bool say_raised[PL_PROTECTIONS_N]; /* once it is read back */
} Slice;

struct PlSlices {
        Slice items[SLICES_MAX];
        size_t n;
        char *weights; /* the finding about IOWeight=; NULL: none */
        char *error;   /* systemd's last refusal, said once; NULL: it took what it was told */
        unsigned in_flight;
        uint64_t answered_usec; /* CLOCK_BOOTTIME; 0: never */
        bool due, again;        /* of the next look */
        sd_event_source *look;  /* soon: systemd answers before the kernel has it */
};

#define LOOK_USEC (100 * PL_USEC_PER_MSEC)

static Slice *find(PlSlices *s, const char *path, size_t size) {
        for (size_t i = 0; i < s->n; i++)
                if (strlen(s->items[i].path) == size && strncmp(s->items[i].path, path, size) == 0)
                        return &s->items[i];
        return NULL;
}

static Slice *find_or_add(PlSlices *s, const char *path, size_t size) {
        Slice *slice = find(s, path, size);

        if (slice || s->n == SLICES_MAX)
                return slice;
        slice = &s->items[s->n];
        *slice = (Slice){ .path = strndup(path, size) };
        if (!slice->path)
                return NULL;
        s->n++;
        return slice;
}

static void slice_deinit(Slice *slice) {
        free(slice->path);
        for (unsigned i = 0; i < PL_PROTECTIONS_N; i++)
                free(slice->text[i]);
}

static void load(PlEnforcer *e, PlSlices *s) {
        _cleanup_free_ char *text = NULL;
        char *line, *save = NULL;
        int r = pl_state_dir_load_slices(e->registry->state_dir, &text);

        if (r < 0 && r != -ENOENT)
                pl_log_warning("What slices protected before cannot be read: %s", strerror(-r));
        for (line = r < 0 ? NULL : strtok_r(text, "\n", &save); line && s->n < SLICES_MAX;
             line = strtok_r(NULL, "\n", &save)) {
                Slice slice = { 0 };

                if (pl_protection_parse(line, &slice.path, slice.of) < 0)
                        pl_log_warning("What slices protected before is broken in one line, which "
                                       "is left out");
                else
                        s->items[s->n++] = slice;
        }
}

/* What was there is on disk before it is changed. */
static int keep(PlEnforcer *e) {
        const PlSlices *s = e->places.slices;
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        int r;

        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < s->n; i++) {
                _cleanup_free_ char *line = pl_protection_format(s->items[i].path, s->items[i].of);

                if (line && *line)
                        fprintf(f, "%s\n", line);
        }
        r = ferror(f) ? -ENOMEM : 0;
        if (fclose(f) != 0 || r < 0 || !text)
                return -ENOMEM;
        return pl_state_dir_save_slices(e->registry->state_dir, text);
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata) {
        PlEnforcer *e = userdata;

        pl_slices_look(e, false);
        return 0;
}

int pl_slices_new(PlEnforcer *e, PlSlices **ret) {
        PlSlices *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        r = sd_event_add_time(e->event, &s->look, CLOCK_BOOTTIME, 0, 0, on_look, e);
        if (r < 0) {
                free(s);
                return r;
        }
        (void)sd_event_source_set_enabled(s->look, SD_EVENT_OFF);
        load(e, s);
        s->due = s->again = true; /* what was told last is not what a reboot has left */
        *ret = s;
        return 0;
}

PlSlices *pl_slices_free(PlSlices *s) {
        for (size_t i = 0; s && i < s->n; i++)
                slice_deinit(&s->items[i]);
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->look);
        free(s->weights);
        free(s->error);
        free(s);
        return NULL;
}

static bool is_wanted(const PlHeld *h, PlResource r) {
        return h->cgroup && h->service && h->want.v[r].set && !(h->restoring & (1U << r));
}

static void ask(PlEnforcer *e, const PlHeld *h) {
        const char *path = h->cgroup ? h->cgroup->relative[PL_CONTROLLER_MEMORY] : NULL;

        for (unsigned i = 0; path && i < PL_PROTECTIONS_N; i++) {
                PlResource r = pl_protection_resource(i);
                PlValue v = { .set = true, .number = h->want.v[r].number };

                if (!is_wanted(h, r) || v.number == 0)
                        continue;
                pl_resource_normalise(r, PL_HIERARCHY_V2, e->registry->options.host.page_bytes, &v);
                for (size_t n = 0; (n = pl_protection_next_above(path, n)) > 0;) {
                        Slice *slice = find_or_add(e->places.slices, path, n);

                        if (slice)
                                pl_protection_ask(&slice->of[i], v.number);
                }
        }
}

/* Return: is there such a group? */
static bool read_in_force(const PlEnforcer *e, Slice *slice) {
        for (unsigned i = 0; i < PL_PROTECTIONS_N; i++) {
                PlResource r = pl_protection_resource(i);
                _cleanup_free_ char *path = NULL, *text = NULL;
                PlValue v = { 0 };

                if (asprintf(&path, "%s/%s/%s", e->mounts->mount[PL_CONTROLLER_MEMORY], slice->path,
                             pl_resource_info(r)->file[PL_HIERARCHY_V2]) < 0) {
                        path = NULL;
                        return false;
                }
                if (pl_fs_read(AT_FDCWD, path, VALUE_FILE_MAX, &text, NULL) < 0 ||
                    pl_resource_parse_file(r, PL_HIERARCHY_V2, text, &v) < 0)
                        return false;
                slice->of[i].in_force = v.number;
        }
        return true;
}

/* @text: taken over; NULL: there is nothing to say. */
static void note(PlEnforcer *e, char **said, char *text) {
        if (pl_streq_null(*said, text)) {
                free(text);
                return;
        }
        if (text)
                pl_report(e->reporter,
                          &(PlEntry){ .priority = LOG_NOTICE,
                                      .message_id = PL_MESSAGE_UNSUPPORTED },
                          "%s", text);
        free(*said);
        *said = text;
        pl_reporter_changed(e->reporter);
}

/* @was_told: and not in force since then. */
static void note_slice(PlEnforcer *e, Slice *slice, unsigned i, bool again, bool was_told) {
        const PlProtection *p = &slice->of[i];
        char *text = NULL;

        if (pl_registry_is_dry_run(e->registry) ||
            pl_protection_text(p, i, slice->path, &text) <= 0)
                text = NULL;
        /* it was told just now: the sweep will see whether that helped */
        if (text && p->ours && p->told >= p->asked && !(again && was_told)) {
                free(text);
                return;
        }
        note(e, &slice->text[i], text);
}

static void tell(PlEnforcer *e, Slice *slice, uint32_t mask) {
        const char *unit = pl_protection_unit(slice->path);
        PlLimits limits = { 0 };
        int r = keep(e);

        for (unsigned i = 0; i < PL_PROTECTIONS_N; i++)
                if (mask & (1U << i))
                        limits.v[pl_protection_resource(i)] =
                                        (PlValue){ .set = true, .number = slice->of[i].told };
        if (r >= 0)
                r = pl_systemd_set(e->systemd, "", unit, &limits, NULL, 0);
        if (r >= 0)
                e->places.slices->in_flight++;
        else if (r != -ENOTCONN)
                pl_log_warning("%s: cannot change what it protects: %s", unit, strerror(-r));
}

static void say_raised(Slice *slice, unsigned i) {
        PlProtection *p = &slice->of[i];
        const char *name = pl_resource_info(pl_protection_resource(i))->name;
        char now[PL_FORMAT_MAX], own[PL_FORMAT_MAX];

        if (!slice->say_raised[i] || p->in_force != p->told)
                return;
        slice->say_raised[i] = false;
        if (p->told == p->own)
                pl_log_info("%s: given back: %s=%s", slice->path, name,
                            pl_format_bytes(p->own, own));
        else
                pl_log_info("%s: protects what is asked for below it: %s=%s (was %s)", slice->path,
                            name, pl_format_bytes(p->told, now), pl_format_bytes(p->own, own));
}

/* Return: is there anything to remember of it? */
static bool step(PlEnforcer *e, Slice *slice, bool raise, bool again) {
        bool can = pl_protection_unit(slice->path) && pl_systemd_is_supported(e->systemd) &&
                   !pl_registry_is_dry_run(e->registry);
        uint32_t mask = 0;
        bool any = false, changed = false;

        for (unsigned i = 0; i < PL_PROTECTIONS_N; i++) {
                PlProtection *p = &slice->of[i];

                say_raised(slice, i);
                switch (can ? pl_protection_step(p, raise, again) : PL_PROTECTION_LEAVE) {
                case PL_PROTECTION_TELL:
                        mask |= 1U << i;
                        slice->say_raised[i] = true;
                        break;
                case PL_PROTECTION_KEEP:
                case PL_PROTECTION_FORGET:
                        changed = true;
                        break;
                default:
                        break;
                }
                any = any || p->ours || p->n > 0;
        }
        if (mask)
                tell(e, slice, mask);
        else if (changed)
                (void)keep(e);
        return any;
}

/* Mostly nobody asks, and then thousands need not be looked at in each tick. */
static unsigned count_weights(PlEnforcer *e, bool v1, bool bfq) {
        const PlHeld *h;
        unsigned n = 0;
        bool any = false;

        if (!e->places.weights)
                return 0;
        TAILQ_FOREACH(h, &e->all, all) {
                any = any || h->want.v[PL_RESOURCE_IO_WEIGHT].set;
                /* on v2 it is systemd that also writes bfq's own file */
                if (is_wanted(h, PL_RESOURCE_IO_WEIGHT) && !(bfq && (v1 || h->cgroup->scope)))
                        n++;
        }
        e->places.weights = any;
        return n;
}

/* Looks at every disk: only where somebody asks for weights. */
static void update_weights(PlEnforcer *e) {
        bool v1 = e->mounts->hierarchy[PL_CONTROLLER_IO] == PL_HIERARCHY_V1, bfq = false;
        unsigned n = pl_registry_is_dry_run(e->registry) ? 0 : count_weights(e, v1, false);
        char *text = NULL;

        if (n > 0 && !v1 && pl_device_has_io_cost(e->mounts->unified))
                n = 0;
        if (n > 0) {
                bfq = pl_device_has_bfq("/sys");
                n = count_weights(e, v1, bfq);
        }
        if (n > 0 &&
            asprintf(&text,
                     "IOWeight= of %u container%s: no effect: no disk has a scheduler that knows "
                     "weights%s",
                     n, pl_plural(n),
                     bfq ? " of this kind of group"
                         : "; `echo bfq >/sys/block/DISK/queue/scheduler` gives it one") < 0)
                text = NULL;
        note(e, &e->places.slices->weights, text);
}

void pl_slices_look(PlEnforcer *e, bool again) {
        PlSlices *s = e->places.slices;

        s->due = true;
        s->again = s->again || again;
        pl_queue_arm(e);
}

/* Once for whatever else happens until then: it looks at every container. */
static void look_soon(PlSlices *s) {
        int enabled = SD_EVENT_OFF;

        (void)sd_event_source_get_enabled(s->look, &enabled);
        if (enabled != SD_EVENT_OFF)
                return;
        (void)sd_event_source_set_time_relative(s->look, LOOK_USEC);
        (void)sd_event_source_set_enabled(s->look, SD_EVENT_ONESHOT);
}

/* May the kernel have older values of ours still? See LOOK_USEC. */
static bool is_due(const PlEnforcer *e) {
        const PlSlices *s = e->places.slices;

        return s->in_flight > 0 ||
               (s->answered_usec > 0 &&
                pl_clock_loop_usec(e->event, CLOCK_BOOTTIME) < s->answered_usec + LOOK_USEC);
}

static void update(PlEnforcer *e, bool again) {
        PlSlices *s = e->places.slices;
        bool raise = e->registry->policy->daemon.protect_slice && !e->stopping;
        PlHeld *h;

        update_weights(e);
        if (e->mounts->hierarchy[PL_CONTROLLER_MEMORY] != PL_HIERARCHY_V2 ||
            !e->mounts->mount[PL_CONTROLLER_MEMORY])
                return;
        for (size_t i = 0; i < s->n; i++)
                for (unsigned k = 0; k < PL_PROTECTIONS_N; k++)
                        s->items[i].of[k].n = 0, s->items[i].of[k].asked = 0;
        TAILQ_FOREACH(h, &e->all, all)
        ask(e, h);
        for (size_t i = s->n; i-- > 0;) {
                Slice *slice = &s->items[i];
                bool there = read_in_force(e, slice), was_told[PL_PROTECTIONS_N];

                memcpy(was_told, slice->say_raised, sizeof(was_told));
                if (there && step(e, slice, raise, again)) {
                        for (unsigned k = 0; k < PL_PROTECTIONS_N; k++)
                                note_slice(e, slice, k, again, was_told[k]);
                        continue;
                }
                slice_deinit(slice);
                *slice = s->items[--s->n];
                pl_reporter_changed(e->reporter);
                if (!there)
                        (void)keep(e);
        }
}

void pl_slices_update(PlEnforcer *e) {
        PlSlices *s = e->places.slices;
        bool again = s->again;

        if (!s->due) {
                if (e->touched)
                        look_soon(s);
                return;
        }
        /* until the containers are known, nobody seems to ask */
        if (!e->registry->synced && !e->stopping)
                return;
        if (is_due(e)) {
                look_soon(s);
                return;
        }
        s->due = s->again = false;
        update(e, again);
}

void pl_slices_answered(PlEnforcer *e, int error, const char *message) {
        PlSlices *s = e->places.slices;
        const char *why = error < 0 ? (message ?: strerror(-error)) : NULL;

        if (s->in_flight > 0)
                s->in_flight--;
        s->answered_usec = pl_clock_loop_usec(e->event, CLOCK_BOOTTIME);
        if (why && !pl_streq_null(s->error, why))
                pl_log_warning("systemd did not change what a slice protects: %s", why);
        free(s->error);
        s->error = why ? strdup(why) : NULL;
        look_soon(s);
}

bool pl_slices_wait(const PlEnforcer *e) {
        return e->places.slices->in_flight > 0 || e->places.slices->due;
}

const char *pl_slices_finding(const PlEnforcer *e, unsigned i) {
        const PlSlices *s = e->places.slices;

        if (s->weights && i-- == 0)
                return s->weights;
        for (size_t k = 0; k < s->n; k++)
                for (unsigned j = 0; j < PL_PROTECTIONS_N; j++)
                        if (s->items[k].text[j] && i-- == 0)
                                return s->items[k].text[j];
        return NULL;
}
