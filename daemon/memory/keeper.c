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
#include "lib/base/map.h"
#include "lib/base/message.h"
#include "lib/base/quote.h"

/* Samples that are kept in memory before they are worth a write to the disk: half an hour of them.
 */
#define SAMPLES_MAX 32
/* Services that are read, changed, and not written yet. */
#define OPEN_MAX 16
/* Containers that are looked at before the loop has its turn again. */
#define SLICE 16
/* Ends on request so short before the engine goes were its own. */
#define SHUTDOWN_USEC (30 * PL_USEC_PER_SEC)
/* As in a key: '-' and sixteen digits. */
#define HASH_CHARS 17

typedef struct Entry {
        char key[PL_IDENTITY_KEY_MAX];
        uint64_t changed_usec, first_usec, last_end_usec; /* CLOCK_REALTIME */
        uint64_t kills;
        unsigned n_containers; /* that it has now */
        bool on_disk, read;    /* there is a file; its kills are known */
        bool unreadable;       /* a later plimsoll has written it */
        bool dirty;
        PlMemory *open; /* NULL: not read now */
        struct {
                uint32_t memory_kib, cpu_milli;
        } samples[SAMPLES_MAX];
        unsigned n_samples;
        uint64_t peak_bytes;
        char *limits; /* as they were last, in words; NULL: not known */
} Entry;

/* A container, and which service it is of. */
typedef struct Seen {
        char id[PL_ID_MAX];
        Entry *entry;
        uint64_t cpu_usec, sampled_usec; /* CLOCK_BOOTTIME, of the sample before; 0: none */
        bool due;
        PlPinches pinches;
} Seen;

struct PlKeeper {
        PlRegistry *registry;
        const PlKeeperHandlers *handlers;
        void *userdata;
        PlMemoryStore *store;
        PlMap *entries; /* key → Entry, owned */
        PlMap *seen;    /* id → Seen, owned */
        sd_event_source *idle;
        size_t n_open;
        bool failing; /* saving fails; said, and not tried before the next sweep */
        bool full;    /* … there are too many services; said */
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

static void entry_free(PlKeeper *k, Entry *e) {
        if (!e)
                return;
        (void)pl_map_remove(k->entries, e->key);
        k->n_open -= e->open != NULL;
        free(e->open);
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

static void close_entry(PlKeeper *k, Entry *e) {
        k->n_open -= e->open != NULL;
        free(e->open);
        e->open = NULL;
        e->dirty = false;
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

/* Return: 0; negative errno (reported once): it stays as it is, and is tried again later. */
static int flush(PlKeeper *k, Entry *e) {
        int r;

        if (!e->open || !e->dirty)
                return 0;
        add_samples(e, e->open);
        e->n_samples = 0;
        e->peak_bytes = 0;
        r = pl_memory_store_save(k->store, e->open);
        if (r < 0) {
                if (!k->failing && r != -EBUSY)
                        pl_report(k->registry->reporter, &(PlEntry){ .priority = LOG_WARNING },
                                  "Cannot keep what is known of service %s (%s); trying again "
                                  "every minute",
                                  e->open->identity.title, strerror(-r));
                k->failing = true;
                return r;
        }
        k->failing = false;
        e->on_disk = true;
        e->changed_usec = now();
        close_entry(k, e);
        return 0;
}

static void flush_all(PlKeeper *k) {
        Entry *e;

        PL_MAP_FOREACH(e, k->entries)
        if (flush(k, e) < 0)
                return;
}

static int load(PlKeeper *k, Entry *e, PlMemory *ret) {
        int r = e->on_disk ? pl_memory_store_load(k->store, e->key, ret) : -ENOENT;

        e->unreadable = r == -EOPNOTSUPP;
        e->on_disk = e->on_disk && r != -ENOENT && r != -EBADMSG;
        if (r >= 0) {
                e->kills = ret->oom.total;
                e->read = true;
        }
        return r;
}

static void name_it(PlMemory *m, const PlSubject *s, const PlIdentity *id) {
        _cleanup_free_ char *title = pl_escape(id->title, sizeof(m->identity.title) - 1);

        m->identity = *id;
        (void)snprintf(m->identity.title, sizeof(m->identity.title), "%s", title ?: "");
        (void)snprintf(m->section, sizeof(m->section), "%s",
                       s->service && s->service->name ? s->service->name : "");
}

/* What was kept of it under another section, or none: somebody has written one for it. A file that
 * another container uses is that one's. Return: whether there was any. */
static bool adopt(PlKeeper *k, Entry *e, const PlSubject *s, const PlIdentity *id, PlMemory *m) {
        size_t n_shown = strlen(id->origin) - HASH_CHARS;
        char shown[PL_IDENTITY_KEY_MAX];
        Entry *other;

        if (!k->registry->synced)
                return false;
        (void)snprintf(shown, sizeof(shown), "%.*s-", (int)n_shown, id->origin);
        PL_MAP_FOREACH(other, k->entries) {
                if (other == e || other->n_containers > 0 || !strstr(other->key, shown) ||
                    flush(k, other) < 0 || load(k, other, m) < 0 ||
                    !pl_streq(m->identity.origin, id->origin))
                        continue;
                name_it(m, s, id);
                e->kills = m->oom.total;
                e->read = true;
                /* the new one first: a crash in between leaves both, and loses nothing */
                if (pl_memory_store_save(k->store, m) >= 0) {
                        e->on_disk = true;
                        (void)pl_memory_store_remove(k->store, other->key);
                        entry_free(k, other);
                }
                return true;
        }
        return false;
}

/* Return: what is known of the service, to be changed; NULL: not to be had. */
static PlMemory *open_entry(PlKeeper *k, Entry *e, const PlSubject *s) {
        PlIdentity id;
        PlMemory *m;
        int r;

        if (e->open)
                return e->open;
        if (k->n_open >= OPEN_MAX)
                flush_all(k);
        if (k->n_open >= OPEN_MAX || e->unreadable)
                return NULL;
        m = calloc(1, sizeof(*m));
        if (!m)
                return NULL;
        r = load(k, e, m);
        if (r < 0 && (!s || !identify(s, &id) || (r != -ENOENT && r != -EBADMSG))) {
                free(m);
                return NULL;
        }
        if (r < 0 && !adopt(k, e, s, &id, m)) {
                *m = (PlMemory){ .first_usec = e->first_usec };
                name_it(m, s, &id);
        }
        e->open = m;
        k->n_open++;
        return m;
}

/* A change is to be written. */
static void touch(PlKeeper *k, Entry *e, const PlSubject *s) {
        e->open->last_usec = now();
        if (s) {
                (void)snprintf(e->open->container, sizeof(e->open->container), "%s",
                               pl_subject_name(s));
                (void)snprintf(e->open->id, sizeof(e->open->id), "%s", s->id);
        }
        e->dirty = true;
        wake(k);
}

/* --- containers --- */

static Seen *seen_of(const PlKeeper *k, const PlSubject *s) {
        return pl_map_get(k->seen, s->id);
}

static void seen_free(PlKeeper *k, Seen *n) {
        if (!n)
                return;
        (void)pl_map_remove(k->seen, n->id);
        if (n->entry)
                n->entry->n_containers--;
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
        n->due = true;
        wake(k);
}

void pl_keeper_removed(PlKeeper *k, const PlSubject *s) {
        seen_free(k, seen_of(k, s));
}

static uint32_t small(uint64_t n) {
        return (uint32_t)PL_MIN(n, (uint64_t)UINT32_MAX - 1);
}

static void tell_pinch(PlKeeper *k, const Seen *n, const PlSubject *s, PlPinchKind which) {
        const PlPinches *p = &n->pinches;
        const char *limit = pl_pinch_limit(which);
        const PlLogField fields[] = { { "PLIMSOLL_RESOURCE", limit },
                                      { "PLIMSOLL_CAUSE", pl_pinch_cause(which) },
                                      {} };

        if (!p->on[which]) {
                pl_subject_report(k->registry->reporter, s, LOG_INFO, PL_MESSAGE_PINCHED, NULL,
                                  fields, "%s= does not hold it back any more (%s)", limit,
                                  pl_pinch_cause(which));
                return;
        }
        pl_subject_report(k->registry->reporter, s, LOG_WARNING, PL_MESSAGE_PINCHED, p->text[which],
                          fields, "%s", p->text[which]);
        if (!open_entry(k, n->entry, s))
                return;
        pl_memory_add_pinch(n->entry->open, limit, pl_pinch_cause(which), p->need[which], now());
        touch(k, n->entry, s);
}

static void look_at_pinches(PlKeeper *k, Seen *n, const PlSubject *s, const PlUsage *u) {
        PlPinchReading r = { .usec = pl_clock_usec(CLOCK_BOOTTIME),
                             .n_refused = u->pids_refused,
                             .n_throttled = u->throttled_periods };
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
        e->n_samples -= e->n_samples == SAMPLES_MAX; /* they could not be written */
        e->samples[e->n_samples].memory_kib = small(u.memory_bytes / KIB(1));
        e->samples[e->n_samples].cpu_milli = milli == UINT64_MAX ? UINT32_MAX : small(milli);
        if (++e->n_samples == SAMPLES_MAX && open_entry(k, e, s))
                touch(k, e, s);
}

static void look_at_limits(PlKeeper *k, Entry *e, const PlSubject *s) {
        _cleanup_free_ char *text = NULL;
        PlMemoryLimits l = { 0 };

        /* of a service that is worth a file, alone */
        if (!e->on_disk && !e->open)
                return;
        k->handlers->limits(k->userdata, s, &l);
        l.usec = now();
        if (asprintf(&text, "%s %s", l.by, l.text) < 0)
                text = NULL;
        if (!text || (e->limits && pl_streq(text, e->limits)) || !open_entry(k, e, s))
                return;
        free(e->limits);
        e->limits = TAKE_PTR(text);
        if (pl_memory_add_limits(e->open, &l))
                touch(k, e, s);
        else if (!e->dirty)
                close_entry(k, e);
}

static void look(PlKeeper *k, Seen *n) {
        const PlSubject *s = pl_map_get(k->registry->subjects, n->id);
        Entry *e = n->entry;

        n->due = false;
        if (!s || !s->facts || !e)
                return;
        if (!e->read && k->registry->synced) {
                e->read = true; /* or there is nothing to read */
                if (open_entry(k, e, s) && !e->dirty)
                        close_entry(k, e); /* its kills are known now */
        }
        if (pl_container_is_live(s->facts)) {
                sample(k, n, s);
                look_at_limits(k, e, s);
        } else {
                n->pinches = (PlPinches){ 0 };
        }
}

/* One thing at a time, when nobody else wants the loop. */
static int on_idle(sd_event_source *source, void *userdata) {
        PlKeeper *k = userdata;
        unsigned looked = 0;
        Entry *e;
        Seen *n;

        PL_MAP_FOREACH(e, k->entries)
        if (e->dirty && !k->failing) {
                (void)flush(k, e);
                wake(k);
                return 0;
        }
        PL_MAP_FOREACH(n, k->seen) {
                if (!n->due)
                        continue;
                if (looked++ == SLICE) {
                        wake(k);
                        return 0;
                }
                look(k, n);
        }
        return 0;
}

void pl_keeper_sweep(PlKeeper *k, uint64_t max_age_usec) {
        uint64_t at = now();
        Entry *e;
        Seen *n;

        k->failing = false;
        PL_MAP_FOREACH(n, k->seen)
        n->due = true;
        PL_MAP_FOREACH(e, k->entries)
        if (e->n_containers == 0 && !e->dirty &&
            (!e->on_disk || (max_age_usec != PL_TIME_INFINITY && at > e->changed_usec &&
                             at - e->changed_usec > max_age_usec)) &&
            k->registry->synced && pl_memory_store_remove(k->store, e->key) >= 0)
                entry_free(k, e);
        wake(k);
}

/* --- what happens --- */

/* Return: what is known of its service, to be changed and touch()ed; NULL: not to be had. */
static PlMemory *open_of(PlKeeper *k, const PlSubject *s, Entry **ret) {
        Seen *n;

        pl_keeper_seen(k, s);
        n = seen_of(k, s);
        if (!n || !n->entry)
                return NULL;
        *ret = n->entry;
        return open_entry(k, n->entry, s);
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

void pl_keeper_ended(PlKeeper *k, const PlSubject *s, const PlEnding *ending, const char *words,
                     const char *reason) {
        const PlContainer *c = s->facts;
        bool ended = c && (c->phase == PL_PHASE_EXITED || c->phase == PL_PHASE_DEAD);
        PlWhyFacts f = {
                .ending = ending,
                .words = words,
                .reason = reason,
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
        Entry *e = NULL;
        PlMemory *m = open_of(k, s, &e);

        if (m && m->oom.n_reports > 0)
                f.oom = &m->oom.reports[(m->oom.n_reports - 1) % PL_OOM_REPORTS];
        if (words && pl_startswith(words, "; "))
                f.words = words + 2;
        pl_why(&f, &end.why);
        if (!m) {
                tell(k, s, ending, &end.why);
                return;
        }
        memcpy(end.id, s->id, sizeof(end.id));
        (void)snprintf(end.container, sizeof(end.container), "%s", pl_subject_name(s));
        e->last_end_usec = PL_MAX(e->last_end_usec, end.end_usec);
        if (!pl_memory_add_end(m, &end))
                return;
        touch(k, e, s);
        tell(k, s, ending, &end.why);
}

void pl_keeper_engine_lost(PlKeeper *k) {
        uint64_t at = now();
        Entry *e;

        PL_MAP_FOREACH(e, k->entries)
        if (e->last_end_usec > 0 && e->last_end_usec + SHUTDOWN_USEC >= at &&
            open_entry(k, e, NULL) && pl_memory_engine_lost(e->open, at))
                touch(k, e, NULL);
}

bool pl_keeper_recall_kills(PlKeeper *k, const PlSubject *s, PlOomHistory *ret) {
        Entry *e = NULL;
        PlMemory *m = open_of(k, s, &e);
        PlOomHistory *older;

        if (!m)
                return false;
        if (m->oom.total == 0) {
                /* an older plimsoll kept them by container */
                older = pl_state_dir_load_oom(k->registry->state_dir, s->id);
                if (older)
                        m->oom = *older;
                free(older);
        }
        *ret = m->oom;
        return m->oom.total > 0;
}

void pl_keeper_remember_kills(PlKeeper *k, const PlSubject *s, const PlOomHistory *h) {
        Entry *e = NULL;
        PlMemory *m = open_of(k, s, &e);

        if (!m)
                return;
        m->oom = *h;
        e->kills = h->total;
        touch(k, e, s);
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

static void add_health(PlKeeper *k, const PlSubject *s, const PlEntry *entry) {
        const char *to = field_of(entry, "PLIMSOLL_HEALTH");
        const char *from = field_of(entry, "PLIMSOLL_HEALTH_BEFORE");
        const char *reason = field_of(entry, "PLIMSOLL_REASON");
        PlMemoryHealth h = { .usec = now() };
        Entry *e = NULL;

        /* that it starts and is well is no evidence of anything */
        if (!to || !from || entry->priority > LOG_NOTICE || !open_of(k, s, &e))
                return;
        (void)snprintf(h.to, sizeof(h.to), "%s", to);
        (void)snprintf(h.from, sizeof(h.from), "%s", from);
        (void)snprintf(h.container, sizeof(h.container), "%s", pl_subject_name(s));
        (void)snprintf(h.reason, sizeof(h.reason), "%s", reason ?: "");
        pl_memory_add_health(e->open, &h);
        touch(k, e, s);
}

void pl_keeper_entry(PlKeeper *k, const PlEntry *entry) {
        const PlSubject *s =
                        entry->container_id ? pl_map_get(k->registry->subjects, entry->container_id)
                                            : NULL;
        Entry *e = NULL;

        if (!s || !entry->message_id)
                return;
        if (is_health(entry)) {
                add_health(k, s, entry);
        } else if (pl_streq(entry->message_id, PL_MESSAGE_RESTARTED) &&
                   field_of(entry, "PLIMSOLL_RESTARTS") && open_of(k, s, &e)) {
                pl_memory_add_restart(e->open, now());
                touch(k, e, s);
        } else if (pl_streq(entry->message_id, PL_MESSAGE_RESTART_GAVE_UP) && open_of(k, s, &e)) {
                e->open->restarts.gave_up++;
                e->open->restarts.gave_up_usec = now();
                touch(k, e, s);
        }
}

/* --- who asks --- */

/* What is not on disk yet is in it, too. */
static int read_entry(PlKeeper *k, Entry *e, PlMemory *ret) {
        int r = 0;

        if (e->open)
                *ret = *e->open;
        else
                r = load(k, e, ret);
        if (r >= 0)
                add_samples(e, ret);
        return r;
}

int pl_keeper_get(PlKeeper *k, const PlSubject *s, PlMemory *ret) {
        Entry *e = NULL;

        /* this is where what was kept under another section is found */
        if (!open_of(k, s, &e))
                return -ENOENT;
        *ret = *e->open;
        add_samples(e, ret);
        ret->last_usec = now();
        if (!e->dirty)
                close_entry(k, e);
        return 0;
}

static bool is_called(const PlMemory *m, const char *name) {
        size_t n = strlen(name), shown = strlen(m->identity.origin);

        if (shown == n + HASH_CHARS && strncmp(m->identity.origin, name, n) == 0)
                return true; /* "shop-web" */
        return pl_streq(m->identity.title, name) || pl_streq(m->identity.key, name) ||
               pl_streq(m->container, name) || (*m->section && pl_streq(m->section, name)) ||
               (n >= 4 && pl_startswith(m->id, name));
}

int pl_keeper_find(PlKeeper *k, const char *name, PlMemory *ret) {
        _cleanup_free_ PlMemory *m = calloc(1, sizeof(*m));
        int r = -ENOENT;
        Entry *e;

        if (!m)
                return -ENOMEM;
        PL_MAP_FOREACH(e, k->entries)
        if (read_entry(k, e, m) >= 0 && is_called(m, name) &&
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
        if (r < 0) {
                pl_log_error("Cannot keep what is known of services in %s: %s", state_dir,
                             strerror(-r));
                pl_keeper_free(k);
                return r;
        }
        *ret = k;
        return 0;
}

/* The half hour that was not written yet goes with the rest. */
static void flush_samples(PlKeeper *k) {
        Entry *e;

        PL_MAP_FOREACH(e, k->entries)
        if (e->on_disk && e->n_samples > 0 && open_entry(k, e, NULL))
                touch(k, e, NULL);
        flush_all(k);
}

PlKeeper *pl_keeper_free(PlKeeper *k) {
        Entry *e;
        Seen *n;

        if (!k)
                return NULL;
        if (k->idle)
                flush_samples(k);
        sd_event_source_disable_unref(k->idle);
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
