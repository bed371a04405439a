/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Level-triggered like the rest: an update compares what it is told with what it knew, and a job
 * is begun when something that a job looks at has changed. At most one job per container.
 */

#include "logs.h"

#include <errno.h>
#include <grp.h>
#include <time.h>

#include "log-file.h"
#include "logs-internal.h"

PlRotateFacts pl_logs_facts(const PlLogs *l, const PlLogEntry *e) {
        return (PlRotateFacts){
                .engine_major = e->stale ? 0 : l->engine_major,
                .podman = l->podman,
                .driver = e->driver,
                .native_max_size = e->native,
                .has_path = e->path && *e->path,
                .running = e->running,
                .wanted = e->governed ? e->wanted : PL_LOG_METHOD_OFF,
        };
}

static PlRotateChoice choose(const PlLogs *l, const PlLogEntry *e) {
        PlRotateFacts f = pl_logs_facts(l, e);

        return pl_rotate_choose(&f);
}

void pl_logs_set_finding(PlLogEntry *e, PlLogFinding finding, const char *text) {
        if (finding == e->finding && pl_streq_null(text, e->finding_text))
                return;
        free(e->finding_text);
        e->finding_text = text ? strdup(text) : NULL;
        e->finding = finding;
        e->logs->handlers->finding(e->logs->userdata, e->id, finding, e->finding_text);
}

static void entry_free(PlLogEntry *e) {
        if (!e)
                return;
        pl_log_watch_remove(e->watched);
        sd_event_source_disable_unref(e->retry);
        free(e->name);
        free(e->path);
        free(e->driver);
        free(e->service);
        free(e->group);
        free(e->finding_text);
        free(e);
}

static void on_due(void *userdata) {
        pl_logs_begin(userdata, false);
}

static void watch(PlLogEntry *e) {
        int fd;

        if (e->watched || !e->path || !*e->path)
                return;
        fd = pl_log_file_open_path(e->path, e->id);
        if (fd >= 0 && pl_log_watch_add(e->logs->watch, fd, on_due, e, &e->watched) < 0)
                (void)close(fd);
}

void pl_logs_arm(PlLogEntry *e) {
        bool force = e->force;

        if (e->again) {
                e->again = e->force = false;
                pl_logs_begin(e, force);
                return;
        }
        watch(e);
        if (e->watched)
                (void)pl_log_watch_set(
                                e->watched,
                                choose(e->logs, e).why == PL_ROTATE_WHY_NOT_PROBED &&
                                                                e->method != PL_LOG_METHOD_OFF &&
                                                                e->max_size_bytes != PL_UNLIMITED
                                                ? e->head_bytes + e->max_size_bytes
                                                : PL_UNLIMITED);
}

static int on_expiry(sd_event_source *source, uint64_t usec, void *userdata) {
        PlLogs *l = userdata;

        l->expiry_sec = PL_TIME_INFINITY;
        pl_logs_begin_retain(l);
        return 0;
}

void pl_logs_expire_at(PlLogs *l, uint64_t sec) {
        if (sec == l->expiry_sec)
                return;
        l->expiry_sec = sec;
        if (sec == PL_TIME_INFINITY) {
                (void)sd_event_source_set_enabled(l->expiry, SD_EVENT_OFF);
                return;
        }
        (void)sd_event_source_set_time(l->expiry, sec * PL_USEC_PER_SEC);
        (void)sd_event_source_set_enabled(l->expiry, SD_EVENT_ONESHOT);
}

static gid_t find_group(void) {
        const struct group *g = getgrnam("plimsoll");

        return g ? g->gr_gid : (gid_t)-1;
}

int pl_logs_new(sd_event *event, const char *archive_dir, const PlLogsHandlers *handlers,
                void *userdata, PlLogs **ret) {
        _cleanup_(pl_logs_freep) PlLogs *l = calloc(1, sizeof(*l));
        _cleanup_(pl_log_store_freep) PlLogStore *store = NULL;
        int r;

        if (!l)
                return -ENOMEM;
        l->event = sd_event_ref(event);
        l->handlers = handlers;
        l->userdata = userdata;
        l->budget_bytes = PL_UNLIMITED;
        l->expiry_sec = PL_TIME_INFINITY;
        l->entries = pl_map_new();
        l->rules = pl_log_rules_new();
        if (!l->entries || !l->rules)
                return -ENOMEM;
        r = pl_log_store_open(archive_dir, true, find_group(), &store);
        if (r >= 0)
                r = pl_log_watch_new(event, &l->watch);
        if (r >= 0)
                r = sd_event_add_time(event, &l->expiry, CLOCK_REALTIME, 0, PL_USEC_PER_MIN,
                                      on_expiry, l);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(l->expiry, SD_EVENT_OFF);
        r = pl_log_worker_new(event, store, l, &l->worker);
        if (r < 0)
                return r;
        l->store = TAKE_PTR(store); /* the worker's now */
        *ret = TAKE_PTR(l);
        return 0;
}

PlLogs *pl_logs_free(PlLogs *l) {
        PlLogEntry *e;

        if (!l)
                return NULL;
        l->worker = pl_log_worker_free(l->worker);
        if (l->entries)
                PL_MAP_FOREACH(e, l->entries)
        entry_free(e);
        pl_map_free(l->entries);
        pl_log_rules_free(l->rules);
        pl_log_watch_free(l->watch);
        sd_event_source_disable_unref(l->expiry);
        sd_event_source_disable_unref(l->notice);
        sd_event_unref(l->event);
        free(l);
        return NULL;
}

void pl_logs_set_engine(PlLogs *l, const PlEngineInfo *info) {
        unsigned major = info && info->version ? (unsigned)strtoul(info->version, NULL, 10) : 0;
        PlLogEntry *e;

        l->podman = info && info->podman;
        l->engine_major = l->podman && major == 0 ? 1 : major;
        pl_log_worker_set_engine(l->worker, l->engine_major);
        /* What was known of a container may have changed while the engine was away (an adoption
         * makes its log native): it is left alone until pl_logs_update() has told it anew. */
        if (l->engine_major == 0) {
                PL_MAP_FOREACH(e, l->entries)
                e->stale = true;
        }
        if (l->engine_major > 0 && l->engine_major != l->last_major) {
                l->last_major = l->engine_major;
                memset(l->said, 0, sizeof(l->said));
                PL_MAP_FOREACH(e, l->entries)
                pl_logs_begin(e, false);
                return;
        }
        PL_MAP_FOREACH(e, l->entries)
        if (!e->busy && e->settled)
                pl_logs_arm(e);
}

void pl_logs_set_policy(PlLogs *l, const PlDaemonPolicy *policy, bool dry_run) {
        bool changed = policy->log_archive_budget_bytes != l->budget_bytes;

        l->budget_bytes = policy->log_archive_budget_bytes;
        l->dry_run = dry_run;
        if (changed)
                pl_logs_begin_retain(l);
}

/* Return: 1 changed, 0 not, -ENOMEM. */
static int take_string(char **s, const char *value) {
        char *copy;

        if (pl_streq_null(*s, value))
                return 0;
        copy = value ? strdup(value) : NULL;
        if (value && !copy)
                return -ENOMEM;
        free(*s);
        *s = copy;
        return 1;
}

static bool has_max_size(const PlContainer *c) {
        for (size_t i = 0; i < c->n_log_options; i++)
                if (pl_streq(c->log_options[i].key, "max-size"))
                        return !pl_streq(c->log_options[i].value, "-1");
        return false;
}

static int take_group(PlLogEntry *e) {
        char dir[PL_ARCHIVE_NAME_MAX], container[PL_ARCHIVE_NAME_MAX];
        char group[2 * PL_ARCHIVE_NAME_MAX];

        pl_archive_dir_name(e->service, dir);
        pl_archive_container_name(e->name, container);
        snprintf(group, sizeof(group), "%s/%s", dir, container);
        return take_string(&e->group, group);
}

static int take_facts(PlLogEntry *e, const PlContainer *c, const char *service,
                      const PlLogPolicy *p) {
        PlLogEntry old = *e;
        const struct {
                char **to;
                const char *from;
        } strings[] = {
                { &e->name, c->name ?: c->id },
                { &e->path, c->log_path },
                { &e->driver, c->log_driver },
                { &e->service, service },
        };
        int changed = 0, r;

        for (size_t i = 0; i < PL_ARRAY_SIZE(strings); i++) {
                r = take_string(strings[i].to, strings[i].from);
                if (r < 0)
                        return r;
                if (r > 0 && strings[i].to == &e->path)
                        e->watched = pl_log_watch_remove(e->watched);
                changed |= r;
        }
        r = take_group(e);
        if (r < 0)
                return r;
        e->native = has_max_size(c);
        e->running = pl_container_is_live(c) || c->phase == PL_PHASE_RESTARTING ||
                     c->phase == PL_PHASE_UNKNOWN;
        e->governed = p;
        e->wanted = p ? p->method : PL_LOG_METHOD_OFF;
        e->on_full = p ? p->on_full : PL_LOG_ON_FULL_KEEP;
        e->max_size_bytes = p ? p->max_size_bytes : PL_UNLIMITED;
        e->rule = p ? (PlRetainRule){ p->max_files, p->max_age_usec }
                    : (PlRetainRule){ 0, PL_TIME_INFINITY };
        return changed || old.native != e->native || old.running != e->running ||
               old.governed != e->governed || old.wanted != e->wanted ||
               old.on_full != e->on_full || old.max_size_bytes != e->max_size_bytes ||
               old.rule.max_files != e->rule.max_files ||
               old.rule.max_age_usec != e->rule.max_age_usec;
}

static int tell_rule(const PlLogEntry *e) {
        if (e->governed)
                return pl_log_rules_set(e->logs->rules, e->id, e->group, &e->rule);
        pl_log_rules_remove(e->logs->rules, e->id);
        return 0;
}

int pl_logs_update(PlLogs *l, const PlContainer *c, const char *service,
                   const PlLogPolicy *policy) {
        PlLogEntry *e = pl_map_get(l->entries, c->id);
        uint64_t size, ino;
        int r;

        if (!e) {
                e = calloc(1, sizeof(*e));
                if (!e)
                        return -ENOMEM;
                e->logs = l;
                memcpy(e->id, c->id, PL_ID_MAX);
                r = pl_map_put(l->entries, e->id, e);
                if (r < 0) {
                        entry_free(e);
                        return r;
                }
        }
        r = take_facts(e, c, service, policy);
        if (r < 0 || (r > 0 && tell_rule(e) < 0))
                return -ENOMEM;
        if (e->stale) {
                e->stale = false;
                r = 1;
        }
        /* another file in its place: the one that was watched is history */
        if (e->watched && e->settled && pl_log_watch_size(e->watched, &size, &ino) &&
            ino != e->ino) {
                e->watched = pl_log_watch_remove(e->watched);
                r = 1;
        }
        if (r > 0 || !e->settled || (!e->watched && choose(l, e).why == PL_ROTATE_WHY_NOT_PROBED))
                pl_logs_begin(e, false);
        return 0;
}

void pl_logs_remove(PlLogs *l, const char *id) {
        PlLogEntry *e = pl_map_remove(l->entries, id);

        if (!e)
                return;
        pl_logs_set_finding(e, PL_LOG_FINDING_NONE, NULL);
        pl_log_rules_remove(l->rules, id);
        entry_free(e);
        if (!l->dry_run)
                pl_logs_begin_forget(l, id);
}

void pl_logs_prune(PlLogs *l, bool (*keep)(void *userdata, const char *id), void *userdata) {
        _cleanup_free_ char(*ids)[PL_ID_MAX] = NULL;
        size_t n = 0;

        if (l->dry_run || pl_log_store_states(l->store, &ids, &n) < 0)
                return;
        for (size_t i = 0; i < n; i++)
                if (!keep(userdata, ids[i]))
                        pl_logs_begin_forget(l, ids[i]);
}

int pl_logs_rotate_now(PlLogs *l, const char *id, const char **ret_why) {
        PlLogEntry *e = pl_map_get(l->entries, id);
        PlRotateChoice c;

        if (!e)
                return -ENOENT;
        c = choose(l, e);
        if (c.why == PL_ROTATE_WHY_NOT_PROBED && e->settled && e->method == PL_LOG_METHOD_OFF)
                c.why = e->why;
        *ret_why = l->dry_run ? "dry run" : pl_rotate_why_to_string(c.why);
        if (c.why == PL_ROTATE_WHY_ENGINE_UNKNOWN)
                return -EBUSY;
        if (c.why != PL_ROTATE_WHY_NOT_PROBED || l->dry_run)
                return -EOPNOTSUPP;
        pl_logs_begin(e, true);
        return 0;
}

static const char *method_word(const PlLogs *l, const PlLogEntry *e) {
        PlRotateChoice c = choose(l, e);

        if (c.why == PL_ROTATE_WHY_NATIVE)
                return "native";
        if (c.why == PL_ROTATE_WHY_DRIVER)
                return e->driver ?: "unknown";
        return pl_log_method_to_string(e->settled ? e->method : PL_LOG_METHOD_AUTO);
}

static uint64_t bound_of(const PlLogEntry *e, const PlRotateChoice *c) {
        if (c->why == PL_ROTATE_WHY_NATIVE || c->why == PL_ROTATE_WHY_DRIVER)
                return 0;
        if (e->settled && e->method == PL_LOG_METHOD_OFF && pl_rotate_why_is_finding(e->why))
                return PL_UNLIMITED; /* nobody bounds it */
        if (e->max_size_bytes == PL_UNLIMITED || e->rule.max_files == 0 ||
            e->max_size_bytes > PL_UNLIMITED / 2 / e->rule.max_files)
                return PL_UNLIMITED;
        return e->max_size_bytes * e->rule.max_files;
}

bool pl_logs_status(const PlLogs *l, const char *id, PlLogStatus *ret) {
        const PlLogEntry *e = pl_map_get(l->entries, id);
        PlRotateChoice c;
        uint64_t size = 0;

        if (!e)
                return false;
        c = choose(l, e);
        if (e->watched)
                (void)pl_log_watch_size(e->watched, &size, NULL);
        *ret = (PlLogStatus){
                .path = e->path && *e->path ? e->path : NULL,
                .method = method_word(l, e),
                .why = pl_rotate_why_to_string(
                                c.why == PL_ROTATE_WHY_NOT_PROBED && e->settled ? e->why : c.why),
                .size_bytes = size > e->head_bytes ? size - e->head_bytes : 0,
                .max_size_bytes = e->max_size_bytes,
                .bound_bytes = bound_of(e, &c),
                .archived_bytes = e->archived_bytes,
                .archived_files = e->archived_files,
                .rotations = e->rotations,
                .lines = e->lines,
                .finding = e->finding,
                .finding_text = e->finding_text,
        };
        return true;
}

uint64_t pl_logs_archived_bytes(const PlLogs *l) {
        return l->archived_bytes;
}
