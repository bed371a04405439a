/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keeper: see the header.
 *
 * A service that has no file yet gets one with the first thing that is worth keeping, so thousands
 * of short lives cost nothing. What was kept under another section, before somebody wrote one for
 * the service, goes with it.
 */

#include "memory/keeper.h"

#include <errno.h>

#include "base/clock.h"
#include "base/loop.h"
#include "lib/evidence/change.h"
#include "lib/evidence/pace.h"
#include "lib/base/map.h"
#include "lib/base/message.h"
#include "lib/base/quote.h"

/* Samples that are kept in memory before they are worth a write to the disk: half an hour of them.
 */
#define SAMPLES_MAX 32
/* What waits to be written, of one service and of all: more of it is written at once. */
#define WAITING_MAX       64
#define WAITING_BYTES_MAX MIB(2)
/* Containers that are looked at before the loop has its turn again. */
#define SLICE 16
/* Ends on request so short before the engine goes were its own. */
#define SHUTDOWN_USEC (30 * PL_USEC_PER_SEC)
/* As in a key: '-' and sixteen digits. */
#define HASH_CHARS 17

#define ACCURACY_USEC (20 * PL_USEC_PER_MSEC)

#define SECTION_MAX sizeof(((PlMemory *)0)->section)

/* What has happened to a service since its file was written, and what is the newest of the rest. */
typedef struct Waiting {
        PlIdentity identity;
        char section[SECTION_MAX], container[128], id[PL_ID_MAX];
        uint64_t last_usec;   /* CLOCK_REALTIME */
        uint64_t wanted_usec; /* CLOCK_MONOTONIC, from when on it is to be written */
        PlChanges changes;
        size_t counted_bytes; /* of them */
} Waiting;

typedef struct Sample {
        uint32_t memory_kib, cpu_milli;
} Sample;

/* What it is called, so that not every file is read for a name: hashes, and the first digits of an
 * id. */
typedef struct Names {
        bool known; /* otherwise its file has to be asked */
        char id[12];
        uint32_t title, section, container, shown;
} Names;

typedef struct Entry {
        char key[PL_IDENTITY_KEY_MAX];
        uint64_t changed_usec, first_usec, last_end_usec; /* CLOCK_REALTIME */
        uint64_t written_usec;                            /* CLOCK_MONOTONIC; 0: not by us */
        uint64_t kills;
        unsigned n_containers; /* that it has now */
        bool on_disk, read;    /* there is a file; its kills and its last end are known */
        bool unreadable;       /* a later plimsoll has written it */
        Waiting *waiting;      /* NULL: nothing; otherwise it is in the queue */
        TAILQ_ENTRY(Entry) queue;
        Sample *samples; /* SAMPLES_MAX; NULL: there were none yet */
        unsigned n_samples;
        uint64_t peak_bytes;
        char *limits; /* as they were last, in words; NULL: not known */
        Names names;
} Entry;

/* The end of a run that was told last. */
typedef struct Told {
        uint64_t end_usec; /* 0: none was */
        PlWhyKind kind;
        bool certain;
} Told;

/* A container, and which service it is of. */
typedef struct Seen {
        char id[PL_ID_MAX];
        bool due; /* to be looked at: it is in the queue */
        Entry *entry;
        uint64_t cpu_usec, sampled_usec; /* CLOCK_BOOTTIME, of the sample before; 0: none */
        Told told;
        PlPinches pinches;
        TAILQ_ENTRY(Seen) queue;
} Seen;

struct PlKeeper {
        PlRegistry *registry;
        const PlKeeperHandlers *handlers;
        void *userdata;
        PlMemoryStore *store;
        PlMap *entries;                         /* key → Entry, owned */
        PlMap *seen;                            /* id → Seen, owned */
        TAILQ_HEAD(Unwritten, Entry) unwritten; /* by when that is wanted */
        TAILQ_HEAD(, Seen) due;
        size_t waiting_bytes;
        PlPace pace;
        sd_event_source *idle, *timer;
        bool stopping;    /* all that is known goes to the disk */
        bool failing;     /* saving fails; said, and not tried before the next sweep */
        bool full;        /* … there are too many services; said */
        PlMemory scratch; /* of whatever is read, changed or written just now */
};

static uint64_t now(void) {
        return pl_clock_usec(CLOCK_REALTIME);
}

static bool identify(const PlSubject *s, PlIdentity *ret) {
        return s->facts && pl_identity_of(s->service ? s->service->name : NULL, s->facts, ret);
}

static void wake(PlKeeper *k) {
        (void)sd_event_source_set_enabled(k->idle, SD_EVENT_ONESHOT);
}

/* --- services --- */

static void stop_waiting(PlKeeper *k, Entry *e) {
        if (!e->waiting)
                return;
        TAILQ_REMOVE(&k->unwritten, e, queue);
        k->waiting_bytes -= sizeof(*e->waiting) + e->waiting->counted_bytes;
        pl_changes_clear(&e->waiting->changes);
        free(e->waiting);
        e->waiting = NULL;
}

static void entry_free(PlKeeper *k, Entry *e) {
        if (!e)
                return;
        (void)pl_map_remove(k->entries, e->key);
        stop_waiting(k, e);
        free(e->samples);
        free(e->limits);
        free(e);
}

static Entry *entry_new(PlKeeper *k, const char *key) {
        Entry *e = calloc(1, sizeof(*e));

        if (!e)
                return NULL;
        (void)snprintf(e->key, sizeof(e->key), "%s", key);
        e->first_usec = e->changed_usec = now();
        if (pl_map_put(k->entries, e->key, e) >= 0)
                return e;
        free(e);
        return NULL;
}

/* Make room: what has no container and was not seen for longest. Return: whether there is room. */
static bool make_room(PlKeeper *k) {
        Entry *e, *oldest = NULL;

        if (pl_map_size(k->entries) < PL_KEEPER_SERVICES)
                return true;
        PL_MAP_FOREACH(e, k->entries)
        if (e->n_containers == 0 && (!oldest || e->changed_usec < oldest->changed_usec))
                oldest = e;
        if (oldest && pl_memory_store_remove(k->store, oldest->key) >= 0) {
                entry_free(k, oldest);
                return true;
        }
        if (!k->full)
                pl_report(k->registry->reporter, &(PlEntry){ .priority = LOG_NOTICE },
                          "More than %d services: what happens to the others is not kept",
                          PL_KEEPER_SERVICES);
        k->full = true;
        return false;
}

static Entry *entry_ensure(PlKeeper *k, const char *key) {
        Entry *e = pl_map_get(k->entries, key);

        return e ?: make_room(k) ? entry_new(k, key) : NULL;
}

static void add_samples(const Entry *e, PlMemory *m) {
        for (unsigned i = 0; i < e->n_samples; i++) {
                pl_memory_add_load(&m->memory, KIB(e->samples[i].memory_kib), PL_UNLIMITED, now());
                if (e->samples[i].cpu_milli != UINT32_MAX)
                        pl_memory_add_load(&m->cpu, e->samples[i].cpu_milli, PL_UNLIMITED, now());
        }
        if (e->peak_bytes > 0)
                pl_memory_add_load(&m->memory, PL_UNLIMITED, e->peak_bytes, now());
}

static int load(PlKeeper *k, Entry *e, PlMemory *ret) {
        int r = e->on_disk ? pl_memory_store_load(k->store, e->key, ret) : -ENOENT;

        e->unreadable = r == -EOPNOTSUPP;
        e->on_disk = e->on_disk && r != -ENOENT && r != -EBADMSG;
        return r;
}

static void name_it(const PlSubject *s, const PlIdentity *id, PlIdentity *ret,
                    char ret_section[SECTION_MAX]) {
        _cleanup_free_ char *title = pl_escape(id->title, sizeof(ret->title) - 1);

        *ret = *id;
        (void)snprintf(ret->title, sizeof(ret->title), "%s", title ?: "");
        (void)snprintf(ret_section, SECTION_MAX, "%s",
                       s->service && s->service->name ? s->service->name : "");
}

/* FNV-1a. */
static uint32_t hash(const char *s, size_t n) {
        uint32_t h = UINT32_C(0x811c9dc5);

        while (n-- > 0)
                h = (h ^ (unsigned char)*s++) * UINT32_C(0x01000193);
        return h;
}

static uint32_t hash_of(const char *s) {
        return hash(s, strlen(s));
}

static void note_names(Entry *e, const PlMemory *m) {
        size_t n = strlen(m->identity.origin);

        e->names = (Names){ .known = true,
                            .title = hash_of(m->identity.title),
                            .section = hash_of(m->section),
                            .container = hash_of(m->container),
                            .shown = hash(m->identity.origin,
                                          n > HASH_CHARS ? n - HASH_CHARS : n) };
        memcpy(e->names.id, m->id, sizeof(e->names.id));
}

/* See pl_memory_is_called(), which has the last word. */
static bool may_be_called(const Entry *e, const char *name) {
        const Names *k = &e->names;
        uint32_t h = hash_of(name);

        return !k->known || h == k->title || h == k->section || h == k->container ||
               h == k->shown || pl_streq(e->key, name) ||
               strncmp(k->id, name, PL_MIN(strlen(name), sizeof(k->id))) == 0;
}

/* What is not on disk yet is in it, too. Return: 1: it differs from the file; 0; -ENOENT: nothing
 * is known; what load() returns. */
static int read_entry(PlKeeper *k, Entry *e, PlMemory *ret) {
        const Waiting *w = e->waiting;
        int r = load(k, e, ret);

        if ((r == -ENOENT || r == -EBADMSG) && w) {
                *ret = (PlMemory){ .identity = w->identity, .first_usec = e->first_usec };
                memcpy(ret->section, w->section, sizeof(ret->section));
                r = 0;
        }
        if (r < 0)
                return r;
        add_samples(e, ret);
        if (w && *w->id) {
                memcpy(ret->container, w->container, sizeof(ret->container));
                memcpy(ret->id, w->id, sizeof(ret->id));
        }
        note_names(e, ret);
        if (!w)
                return 0;
        ret->last_usec = w->last_usec;
        return pl_changes_apply(&w->changes, ret);
}

static int save(PlKeeper *k, const PlMemory *m) {
        int r = pl_memory_store_save(k->store, m);

        if (r < 0 && !k->failing && r != -EBUSY)
                pl_report(k->registry->reporter, &(PlEntry){ .priority = LOG_WARNING },
                          "Cannot keep what is known of service %s (%s); trying again every minute",
                          m->identity.title, strerror(-r));
        k->failing = r < 0;
        return r;
}

/* Return: 0; negative errno (reported once): it stays as it is, and is tried again later. */
static int flush(PlKeeper *k, Entry *e) {
        uint64_t at = pl_clock_usec(CLOCK_MONOTONIC);
        int r = read_entry(k, e, &k->scratch);

        if (r < 0 || (r == 0 && e->n_samples < SAMPLES_MAX && !k->stopping)) {
                stop_waiting(k, e); /* it cannot be read, or all of it was known */
                return 0;
        }
        r = save(k, &k->scratch);
        if (r < 0)
                return r;
        pl_pace_take(&k->pace, at);
        e->written_usec = at;
        e->on_disk = true;
        e->changed_usec = now();
        e->n_samples = 0;
        e->peak_bytes = 0;
        stop_waiting(k, e);
        return 0;
}

static void flush_all(PlKeeper *k) {
        Entry *e;

        while ((e = TAILQ_FIRST(&k->unwritten)))
                if (flush(k, e) < 0)
                        return;
}

/* What was kept of it under another section, or none: somebody has written one for it. A file that
 * another container uses is that one's. Return: whether there was any, in k->scratch. */
static bool adopt(PlKeeper *k, Entry *e, const PlSubject *s, const PlIdentity *id) {
        size_t n_shown = strlen(id->origin) - HASH_CHARS;
        char shown[PL_IDENTITY_KEY_MAX];
        Entry *other;

        (void)snprintf(shown, sizeof(shown), "%.*s-", (int)n_shown, id->origin);
        PL_MAP_FOREACH(other, k->entries) {
                if (other == e || other->n_containers > 0 || (!other->on_disk && !other->waiting) ||
                    !strstr(other->key, shown) || read_entry(k, other, &k->scratch) < 0 ||
                    !pl_streq(k->scratch.identity.origin, id->origin))
                        continue;
                name_it(s, id, &k->scratch.identity, k->scratch.section);
                /* the new one first: a crash in between leaves both, and loses nothing */
                if (save(k, &k->scratch) < 0)
                        return false;
                e->on_disk = true;
                (void)pl_memory_store_remove(k->store, other->key);
                entry_free(k, other);
                return true;
        }
        return false;
}

/* What its file tells about ends and kills is looked up once. */
static void ensure_read(PlKeeper *k, Entry *e, const PlSubject *s) {
        PlIdentity id;
        int r;

        if (e->read || e->unreadable)
                return;
        r = load(k, e, &k->scratch);
        if ((r == -ENOENT || r == -EBADMSG) && k->registry->synced && identify(s, &id)) {
                r = adopt(k, e, s, &id) ? 0 : r;
                e->read = true; /* or there is nothing to read */
        }
        if (r < 0)
                return;
        e->read = true;
        e->kills = PL_MAX(e->kills, k->scratch.oom.total);
        for (size_t i = 0; i < k->scratch.n_ends; i++)
                e->last_end_usec = PL_MAX(e->last_end_usec, k->scratch.ends[i].end_usec);
}

static Waiting *waiting_new(PlKeeper *k, const PlSubject *s) {
        Waiting *w = calloc(1, sizeof(*w));
        PlIdentity id;

        if (!w)
                return NULL;
        pl_changes_init(&w->changes);
        if (s && identify(s, &id))
                name_it(s, &id, &w->identity, w->section);
        k->waiting_bytes += sizeof(*w);
        return w;
}

/* Sorted by when they are wanted: what is later than now was written within a second, so it is
 * little that is passed over. */
static void enqueue(PlKeeper *k, Entry *e) {
        Entry *other;

        TAILQ_FOREACH_REVERSE(other, &k->unwritten, Unwritten, queue)
        if (other->waiting->wanted_usec <= e->waiting->wanted_usec) {
                TAILQ_INSERT_AFTER(&k->unwritten, other, e, queue);
                return;
        }
        TAILQ_INSERT_HEAD(&k->unwritten, e, queue);
}

/* Something has happened to it. @s: may be NULL where it has a file. Return: to what it is added;
 * then comes waits(). NULL: it cannot be kept. */
static PlChanges *happened(PlKeeper *k, Entry *e, const PlSubject *s) {
        if (e->unreadable)
                return NULL;
        if (!e->waiting) {
                e->waiting = waiting_new(k, s);
                if (!e->waiting)
                        return NULL;
                e->waiting->wanted_usec =
                                pl_pace_wanted(e->written_usec, pl_clock_usec(CLOCK_MONOTONIC));
                enqueue(k, e);
        }
        if (s) {
                e->names.known = false; /* its last container may be another one now */
                (void)snprintf(e->waiting->container, sizeof(e->waiting->container), "%s",
                               pl_subject_name(s));
                (void)snprintf(e->waiting->id, sizeof(e->waiting->id), "%s", s->id);
        }
        e->waiting->last_usec = now();
        return &e->waiting->changes;
}

/* Bounded: what waits longest is written before its time, and what cannot be written goes. */
static void waits(PlKeeper *k, Entry *e) {
        Waiting *w = e->waiting;

        k->waiting_bytes += w->changes.bytes - w->counted_bytes;
        w->counted_bytes = w->changes.bytes;
        wake(k);
        if (w->changes.n <= WAITING_MAX && k->waiting_bytes <= WAITING_BYTES_MAX)
                return;
        if (!k->failing &&
            flush(k, w->changes.n > WAITING_MAX ? e : TAILQ_FIRST(&k->unwritten)) >= 0)
                return;
        pl_changes_drop_first(&w->changes);
        k->waiting_bytes -= w->counted_bytes - w->changes.bytes;
        w->counted_bytes = w->changes.bytes;
}

/* A kill must not wait behind what can be asked of the engine again. */
static void hurry(PlKeeper *k, Entry *e) {
        if (!e->waiting || e->waiting->wanted_usec > pl_clock_usec(CLOCK_MONOTONIC))
                return;
        TAILQ_REMOVE(&k->unwritten, e, queue);
        e->waiting->wanted_usec = 0;
        TAILQ_INSERT_HEAD(&k->unwritten, e, queue);
}

/* --- containers --- */

static Seen *seen_of(const PlKeeper *k, const PlSubject *s) {
        return pl_map_get(k->seen, s->id);
}

static void set_due(PlKeeper *k, Seen *n) {
        if (!n->due)
                TAILQ_INSERT_TAIL(&k->due, n, queue);
        n->due = true;
        wake(k);
}

static void unset_due(PlKeeper *k, Seen *n) {
        if (n->due)
                TAILQ_REMOVE(&k->due, n, queue);
        n->due = false;
}

static void seen_free(PlKeeper *k, Seen *n) {
        if (!n)
                return;
        (void)pl_map_remove(k->seen, n->id);
        unset_due(k, n);
        if (n->entry)
                n->entry->n_containers--;
        pl_pinches_clear(&n->pinches);
        free(n);
}

void pl_keeper_seen(PlKeeper *k, const PlSubject *s) {
        Seen *n = seen_of(k, s);
        PlIdentity id;
        Entry *e;

        if (!identify(s, &id) || (n && n->entry && pl_streq(n->entry->key, id.key)))
                return;
        e = entry_ensure(k, id.key);
        if (!n) {
                n = calloc(1, sizeof(*n));
                if (!n)
                        return;
                memcpy(n->id, s->id, sizeof(n->id));
                if (pl_map_put(k->seen, n->id, n) < 0) {
                        free(n);
                        return;
                }
        }
        if (n->entry)
                n->entry->n_containers--;
        n->entry = e;
        if (e)
                e->n_containers++;
        set_due(k, n);
}

void pl_keeper_removed(PlKeeper *k, const PlSubject *s) {
        seen_free(k, seen_of(k, s));
}

static uint32_t small(uint64_t n) {
        return (uint32_t)PL_MIN(n, (uint64_t)UINT32_MAX - 1);
}

/* @changes: NULL: there is no room for them */
static bool add(PlChanges *changes, const PlHappening *h) {
        return changes && pl_changes_add(changes, h) >= 0;
}

static void tell_pinch(PlKeeper *k, const Seen *n, const PlSubject *s, PlPinchKind which) {
        const PlPinches *p = &n->pinches;
        const PlPinchInfo *kind = pl_pinch_info(which);
        const PlLogField fields[] = { { "PLIMSOLL_RESOURCE", kind->limit },
                                      { "PLIMSOLL_CAUSE", kind->cause },
                                      {} };
        PlMemoryPinch pinch;
        PlChanges *changes;

        if (!p->on[which]) {
                pl_subject_report(k->registry->reporter, s, kind->told ? LOG_DEBUG : LOG_INFO,
                                  PL_MESSAGE_PINCHED, NULL, fields,
                                  "%s= does not hold it back any more (%s)", kind->limit,
                                  kind->cause);
                return;
        }
        pl_subject_report(k->registry->reporter, s, kind->told ? LOG_DEBUG : LOG_WARNING,
                          PL_MESSAGE_PINCHED, p->text[which], fields, "%s", p->text[which]);
        changes = happened(k, n->entry, s);
        pinch = (PlMemoryPinch){ .last_usec = now(), .need = p->need[which] };
        (void)snprintf(pinch.limit, sizeof(pinch.limit), "%s", kind->limit);
        (void)snprintf(pinch.cause, sizeof(pinch.cause), "%s", kind->cause);
        if (add(changes, PL_HAPPENED(PINCH, pinch = &pinch)))
                waits(k, n->entry);
}

static void look_at_pinches(PlKeeper *k, Seen *n, const PlSubject *s, const PlUsage *u) {
        PlPinchReading r = { .usec = pl_clock_usec(CLOCK_BOOTTIME),
                             .n_refused = u->pids_refused,
                             .n_throttled = u->throttled_periods,
                             .memory.n_high = u->high_events,
                             .memory.n_max = u->max_events,
                             .memory.n_kills = u->oom_kills,
                             .memory.waited_usec = u->memory_wait_usec };
        unsigned changed;

        k->handlers->bounds(k->userdata, s, &r);
        changed = pl_pinch_take(&n->pinches, &r);
        for (PlPinchKind which = 0; changed && which < _PL_PINCH_N; which++)
                if (changed & (1U << which))
                        tell_pinch(k, n, s, which);
        if (changed)
                pl_reporter_changed(k->registry->reporter);
}

static void sample(PlKeeper *k, Seen *n, const PlSubject *s) {
        uint64_t at = pl_clock_usec(CLOCK_BOOTTIME), milli = UINT64_MAX;
        Entry *e = n->entry;
        PlUsage u;

        pl_usage_init(&u);
        k->handlers->usage(k->userdata, s, &u);
        if (s->service)
                look_at_pinches(k, n, s, &u);
        if (u.memory_bytes == PL_UNLIMITED)
                return;
        if (n->sampled_usec > 0 && at > n->sampled_usec && u.cpu_usec != PL_UNLIMITED &&
            u.cpu_usec >= n->cpu_usec)
                milli = (u.cpu_usec - n->cpu_usec) * 1000 / (at - n->sampled_usec);
        n->cpu_usec = u.cpu_usec;
        n->sampled_usec = u.cpu_usec == PL_UNLIMITED ? 0 : at;
        if (u.memory_peak_bytes != PL_UNLIMITED)
                e->peak_bytes = PL_MAX(e->peak_bytes, u.memory_peak_bytes);
        if (!e->samples)
                e->samples = calloc(SAMPLES_MAX, sizeof(*e->samples));
        if (!e->samples)
                return;
        e->n_samples -= e->n_samples == SAMPLES_MAX; /* they could not be written */
        e->samples[e->n_samples].memory_kib = small(u.memory_bytes / KIB(1));
        e->samples[e->n_samples].cpu_milli = milli == UINT64_MAX ? UINT32_MAX : small(milli);
        if (++e->n_samples == SAMPLES_MAX && happened(k, e, s))
                waits(k, e);
}

static void look_at_limits(PlKeeper *k, Entry *e, const PlSubject *s) {
        _cleanup_free_ char *text = NULL;
        PlMemoryLimits l = { 0 };
        PlChanges *changes;

        /* of a service that is worth a file, alone */
        if (!e->on_disk && !e->waiting)
                return;
        k->handlers->limits(k->userdata, s, &l);
        l.usec = now();
        if (asprintf(&text, "%s %s", l.by, l.text) < 0)
                text = NULL;
        if (!text || (e->limits && pl_streq(text, e->limits)))
                return;
        changes = happened(k, e, s);
        if (!add(changes, PL_HAPPENED(LIMITS, limits = &l)))
                return;
        free(e->limits);
        e->limits = TAKE_PTR(text);
        waits(k, e);
}

static void look(PlKeeper *k, Seen *n) {
        const PlSubject *s = pl_map_get(k->registry->subjects, n->id);
        Entry *e = n->entry;

        unset_due(k, n);
        if (!s || !s->facts || !e)
                return;
        ensure_read(k, e, s);
        if (pl_container_is_live(s->facts)) {
                sample(k, n, s);
                look_at_limits(k, e, s);
        } else {
                pl_pinches_clear(&n->pinches);
        }
}

/* Return: whether one was written, and another one may be. */
static bool write_one(PlKeeper *k) {
        Entry *e = TAILQ_FIRST(&k->unwritten);
        uint64_t at = pl_clock_usec(CLOCK_MONOTONIC), due;

        if (!e || k->failing)
                return false;
        due = pl_pace_due(&k->pace, e->waiting->wanted_usec, at);
        if (due <= at)
                return flush(k, e) >= 0;
        (void)sd_event_source_set_time(k->timer, due);
        (void)sd_event_source_set_enabled(k->timer, SD_EVENT_ONESHOT);
        return false;
}

/* What was here before this life, and has no container, is read once. Return: whether one was. */
static bool index_one(PlKeeper *k) {
        Entry *e;

        PL_MAP_FOREACH(e, k->entries) {
                if (e->names.known || e->waiting || !e->on_disk || e->unreadable)
                        continue;
                if (read_entry(k, e, &k->scratch) < 0)
                        e->names = (Names){ .known = true }; /* it has none that can be read */
                return true;
        }
        return false;
}

/* Little at a time, when nobody else wants the loop. What a look finds is written along. */
static int on_idle(sd_event_source *source, void *userdata) {
        PlKeeper *k = userdata;
        Seen *n;

        pl_loop_doing("what is known of services");
        for (unsigned i = 0; i < SLICE && (n = TAILQ_FIRST(&k->due)); i++)
                look(k, n);
        if (!TAILQ_EMPTY(&k->due) || write_one(k) || index_one(k))
                wake(k);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        pl_loop_doing("what is known of services");
        wake(userdata);
        return 0;
}

void pl_keeper_sweep(PlKeeper *k, uint64_t max_age_usec) {
        uint64_t at = now();
        Entry *e;
        Seen *n;

        k->failing = false;
        PL_MAP_FOREACH(n, k->seen)
        set_due(k, n);
        PL_MAP_FOREACH(e, k->entries)
        if (e->n_containers == 0 && !e->waiting &&
            (!e->on_disk || (max_age_usec != PL_TIME_INFINITY && at > e->changed_usec &&
                             at - e->changed_usec > max_age_usec)) &&
            k->registry->synced && pl_memory_store_remove(k->store, e->key) >= 0)
                entry_free(k, e);
        wake(k);
}

/* --- what happens --- */

/* Return: of which service it is; NULL: it has no name yet, or there are too many. */
static Entry *entry_of(PlKeeper *k, const PlSubject *s) {
        Seen *n;

        pl_keeper_seen(k, s);
        n = seen_of(k, s);
        return n ? n->entry : NULL;
}

/* What is known of its service. Return: in k->scratch; NULL: nothing. */
static const PlMemory *memory_of(PlKeeper *k, Entry *e) {
        return e && read_entry(k, e, &k->scratch) >= 0 ? &k->scratch : NULL;
}

/* One entry for each end, in the words of plimsollctl why; of a container whose health is told the
 * end is told already, and this one is for who asks for debug entries. */
static void tell(PlKeeper *k, const PlSubject *s, const PlEnding *ending, const PlWhy *w) {
        const PlLogField fields[] = {
                { "PLIMSOLL_WHY", pl_why_to_string(w->kind) },
                { "PLIMSOLL_CERTAIN", w->certain ? "yes" : "no" },
                { "PLIMSOLL_EVIDENCE", w->evidence },
                { "PLIMSOLL_ADVICE", *w->advice ? w->advice : NULL },
                {},
        };
        bool old = ending->end_usec + PL_USEC_PER_HOUR < now();
        bool told = s->service && s->service->name;

        pl_subject_report(k->registry->reporter, s, old || told ? LOG_DEBUG : LOG_INFO,
                          PL_MESSAGE_ENDED, w->what, fields, "ended: %s (%s)", w->what,
                          w->certain ? "certain" : "likely");
}

static bool is_own(PlEnder ender) {
        return ender == PL_ENDER_ITSELF || ender == PL_ENDER_OOM || ender == PL_ENDER_HOST_OOM ||
               ender == PL_ENDER_SIGKILL;
}

/* The engine tells of an end again: by its event, by inspections, and to our next life. */
static bool is_told(PlKeeper *k, Entry *e, const Told *last, const PlMemoryEnd *end) {
        if (last->end_usec > 0 && pl_memory_is_same_end(last->end_usec, end->end_usec))
                return !pl_memory_knows_more(last->kind, last->certain, end->why.certain);
        if (e->read && end->end_usec > e->last_end_usec + PL_MEMORY_SAME_USEC)
                return false;
        return memory_of(k, e) && !pl_memory_add(&k->scratch, PL_HAPPENED(END, end = end));
}

void pl_keeper_ended(PlKeeper *k, const PlSubject *s, const PlEnding *ending, const char *words,
                     const char *reason, const PlOomTraces *traces) {
        const PlContainer *c = s->facts;
        bool ended = c && (c->phase == PL_PHASE_EXITED || c->phase == PL_PHASE_DEAD);
        PlWhyFacts f = {
                .ending = ending,
                .words = words,
                .reason = reason,
                .traces = traces,
                .start_failed = c && c->start_failed,
                .docker_known = ended,
                .docker_oom = ended && c->oom_killed,
                .docker_code = ended ? c->exit_code : 0,
                .check_failed = c && c->healthcheck.status == PL_DOCKER_HEALTH_UNHEALTHY,
        };
        PlMemoryEnd end = { .end_usec = ending->end_usec,
                            .start_usec = ending->start_usec,
                            .exit_code = ending->exit_code,
                            .own = is_own(ending->ender) };
        Entry *e = entry_of(k, s);
        const PlMemory *m;
        PlChanges *changes;
        Told *last;

        if (e)
                ensure_read(k, e, s);
        m = e && e->kills > 0 ? memory_of(k, e) : NULL;
        if (m && m->oom.n_reports > 0)
                f.oom = &m->oom.reports[(m->oom.n_reports - 1) % PL_OOM_REPORTS];
        if (words && pl_startswith(words, "; "))
                f.words = words + 2;
        pl_why(&f, &end.why);
        if (!e) {
                tell(k, s, ending, &end.why);
                return;
        }
        memcpy(end.id, s->id, sizeof(end.id));
        (void)snprintf(end.container, sizeof(end.container), "%s", pl_subject_name(s));
        last = &seen_of(k, s)->told;
        if (is_told(k, e, last, &end))
                return;
        *last = (Told){ end.end_usec, end.why.kind, end.why.certain };
        e->last_end_usec = PL_MAX(e->last_end_usec, end.end_usec);
        changes = happened(k, e, s);
        if (add(changes, PL_HAPPENED(END, end = &end)))
                waits(k, e);
        tell(k, s, ending, &end.why);
}

void pl_keeper_engine_lost(PlKeeper *k) {
        uint64_t at = now();
        Entry *e;

        PL_MAP_FOREACH(e, k->entries) {
                PlChanges *changes;

                if (e->last_end_usec == 0 || e->last_end_usec + SHUTDOWN_USEC < at ||
                    (!e->on_disk && !e->waiting))
                        continue;
                changes = happened(k, e, NULL);
                if (add(changes, PL_HAPPENED(ENGINE_LOST, usec = at)))
                        waits(k, e);
        }
}

bool pl_keeper_recall_kills(PlKeeper *k, const PlSubject *s, PlOomHistory *ret) {
        Entry *e = entry_of(k, s);
        const PlMemory *m;
        PlOomHistory *older;

        if (!e)
                return false;
        ensure_read(k, e, s);
        m = memory_of(k, e);
        *ret = m ? m->oom : (PlOomHistory){ 0 };
        if (ret->total > 0)
                return true;
        /* an older plimsoll kept them by container */
        older = pl_state_dir_load_oom(k->registry->state_dir, s->id);
        if (older)
                *ret = *older;
        free(older);
        return ret->total > 0;
}

void pl_keeper_remember_kills(PlKeeper *k, const PlSubject *s, const PlOomHistory *h) {
        Entry *e = entry_of(k, s);
        PlChanges *changes;

        if (!e)
                return;
        e->kills = h->total;
        changes = happened(k, e, s);
        if (!add(changes, PL_HAPPENED(KILLS, kills = h)))
                return;
        hurry(k, e);
        waits(k, e);
}

uint64_t pl_keeper_n_kills(const PlKeeper *k, const PlSubject *s) {
        const Seen *n = seen_of(k, s);

        return n && n->entry ? n->entry->kills : 0;
}

const char *pl_keeper_pinch(const PlKeeper *k, const PlSubject *s, PlPinchKind which) {
        const Seen *n = seen_of(k, s);

        return n && n->pinches.on[which] && pl_container_is_live(s->facts) ? n->pinches.text[which]
                                                                           : NULL;
}

size_t pl_keeper_restarts(PlKeeper *k, const PlSubject *s, uint64_t *ret, size_t max) {
        Entry *e = entry_of(k, s);
        const PlMemory *m;
        unsigned number;
        size_t n = 0;

        if (!e || !s->facts)
                return 0;
        ensure_read(k, e, s);
        m = memory_of(k, e);
        number = pl_identity_number(s->facts);
        for (size_t i = m ? m->restarts.n_times : 0; i > 0 && n < max; i--)
                if (m->restarts.times[i - 1].number == number)
                        ret[n++] = m->restarts.times[i - 1].usec;
        return n;
}

static const char *field_of(const PlEntry *entry, const char *name) {
        for (const PlLogField *f = entry->fields; f && f->name; f++)
                if (pl_streq(f->name, name))
                        return f->value;
        return NULL;
}

static bool is_health(const PlEntry *entry) {
        return pl_streq(entry->message_id, PL_MESSAGE_HEALTH_CHANGED) ||
               pl_streq(entry->message_id, PL_MESSAGE_HEALTH_FAILED) ||
               pl_streq(entry->message_id, PL_MESSAGE_HEALTH_DISPUTED) ||
               pl_streq(entry->message_id, PL_MESSAGE_HEALTH_FLAPPING);
}

static bool add_health(PlChanges *changes, const PlSubject *s, const PlEntry *entry) {
        PlMemoryHealth h = { .usec = now() };

        (void)snprintf(h.to, sizeof(h.to), "%s", field_of(entry, "PLIMSOLL_HEALTH"));
        (void)snprintf(h.from, sizeof(h.from), "%s", field_of(entry, "PLIMSOLL_HEALTH_BEFORE"));
        (void)snprintf(h.container, sizeof(h.container), "%s", pl_subject_name(s));
        (void)snprintf(h.reason, sizeof(h.reason), "%s", field_of(entry, "PLIMSOLL_REASON") ?: "");
        return add(changes, PL_HAPPENED(HEALTH, health = &h));
}

void pl_keeper_entry(PlKeeper *k, const PlEntry *entry) {
        const PlSubject *s =
                        entry->container_id ? pl_map_get(k->registry->subjects, entry->container_id)
                                            : NULL;
        bool health, restart, surrender;
        PlMemoryRestart r = { .usec = now() };
        PlChanges *changes;
        Entry *e;

        if (!s || !entry->message_id)
                return;
        /* that it starts and is well is no evidence of anything */
        health = is_health(entry) && entry->priority <= LOG_NOTICE &&
                 field_of(entry, "PLIMSOLL_HEALTH") && field_of(entry, "PLIMSOLL_HEALTH_BEFORE");
        restart = pl_streq(entry->message_id, PL_MESSAGE_RESTARTED) &&
                  field_of(entry, "PLIMSOLL_RESTARTS");
        surrender = pl_streq(entry->message_id, PL_MESSAGE_RESTART_GAVE_UP);
        if (!health && !restart && !surrender)
                return;
        e = entry_of(k, s);
        changes = e ? happened(k, e, s) : NULL;
        if (!changes)
                return;
        r.number = s->facts ? pl_identity_number(s->facts) : 0;
        if (health    ? add_health(changes, s, entry)
            : restart ? add(changes, PL_HAPPENED(RESTART, restart = &r))
                      : add(changes, PL_HAPPENED(SURRENDER, usec = now())))
                waits(k, e);
}

/* --- who asks --- */

int pl_keeper_get(PlKeeper *k, const PlSubject *s, PlMemory *ret) {
        Entry *e = entry_of(k, s);
        PlIdentity id;
        int r;

        if (!e)
                return -ENOENT;
        ensure_read(k, e, s);
        r = read_entry(k, e, ret);
        if ((r == -ENOENT || r == -EBADMSG) && identify(s, &id)) {
                *ret = (PlMemory){ .first_usec = e->first_usec };
                name_it(s, &id, &ret->identity, ret->section);
                add_samples(e, ret);
                r = 0;
        }
        if (r < 0)
                return -ENOENT;
        ret->last_usec = now();
        return 0;
}

int pl_keeper_find(PlKeeper *k, const char *name, PlMemory *ret) {
        _cleanup_free_ PlMemory *m = calloc(1, sizeof(*m));
        int r = -ENOENT;
        Entry *e;

        if (!m)
                return -ENOMEM;
        PL_MAP_FOREACH(e, k->entries)
        if (may_be_called(e, name) && read_entry(k, e, m) >= 0 && pl_memory_is_called(m, name) &&
            (r < 0 || m->last_usec > ret->last_usec)) {
                *ret = *m;
                r = 0;
        }
        return r;
}

/* --- life --- */

static void found(void *userdata, const char *key, uint64_t changed_usec) {
        PlKeeper *k = userdata;
        Entry *e = entry_new(k, key);

        if (!e)
                return;
        e->on_disk = true;
        e->changed_usec = changed_usec;
}

int pl_keeper_new(PlRegistry *registry, const char *state_dir, const PlKeeperHandlers *handlers,
                  void *userdata, PlKeeper **ret) {
        PlKeeper *k = calloc(1, sizeof(*k));
        int r = -ENOMEM;

        if (!k)
                return r;
        k->registry = registry;
        k->handlers = handlers;
        k->userdata = userdata;
        TAILQ_INIT(&k->unwritten);
        TAILQ_INIT(&k->due);
        k->entries = pl_map_new();
        k->seen = pl_map_new();
        if (k->entries && k->seen)
                r = pl_memory_store_open(state_dir, registry->reporter, &k->store);
        if (r >= 0)
                r = pl_memory_store_list(k->store, found, k);
        if (r >= 0)
                r = sd_event_add_defer(registry->event, &k->idle, on_idle, k);
        if (r >= 0)
                r = sd_event_source_set_priority(k->idle, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_source_set_enabled(k->idle, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(registry->event, &k->timer, CLOCK_MONOTONIC, 0, ACCURACY_USEC,
                                      on_timer, k);
        if (r >= 0)
                r = sd_event_source_set_enabled(k->timer, SD_EVENT_OFF);
        if (r < 0) {
                pl_log_error("Cannot keep what is known of services in %s: %s", state_dir,
                             strerror(-r));
                pl_keeper_free(k);
                return r;
        }
        wake(k); /* for the index of names */
        *ret = k;
        return 0;
}

/* The half hour that was not written yet goes with the rest. */
static void flush_samples(PlKeeper *k) {
        Entry *e;

        k->stopping = true;
        flush_all(k);
        PL_MAP_FOREACH(e, k->entries)
        if (e->on_disk && e->n_samples > 0 && flush(k, e) < 0)
                return;
}

PlKeeper *pl_keeper_free(PlKeeper *k) {
        Entry *e;
        Seen *n;

        if (!k)
                return NULL;
        if (k->timer)
                flush_samples(k);
        sd_event_source_disable_unref(k->idle);
        sd_event_source_disable_unref(k->timer);
        if (k->seen)
                PL_MAP_FOREACH(n, k->seen)
        seen_free(k, n);
        if (k->entries)
                PL_MAP_FOREACH(e, k->entries)
        entry_free(k, e);
        pl_map_free(k->seen);
        pl_map_free(k->entries);
        pl_memory_store_free(k->store);
        free(k);
        return NULL;
}
