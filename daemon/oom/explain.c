/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OOM: kills and pressure, explained, reported and remembered. The words are lib/oom's.
 */

#include "oom/explain.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "lib/base/message.h"
#include "lib/limits/resource.h"

typedef struct Kept {
        char id[PL_ID_MAX];
        PlOomPressure pressure;
} Kept;

struct PlOomExplainer {
        PlRegistry *registry;
        const PlOomHandlers *handlers;
        void *userdata;
        PlOomWatch *watch;
        PlMap *kept; /* id → Kept, owned */
};

static bool same_limit(const PlOomExplainer *o, uint64_t wanted, uint64_t in_force) {
        return wanted != PL_UNLIMITED && in_force <= wanted &&
               wanted - in_force < o->registry->options.host.page_bytes;
}

/* plimsoll tells the engine what it sets, so the engine's limit counts only where the policy has
 * none. */
static PlOomOwner owner_of(const PlOomExplainer *o, const PlSubject *s, const PlOomReport *r) {
        PlResource which = pl_resource_from_name(r->directive);
        uint64_t policy;

        (void)o->handlers->limit(o->userdata, s, which, &policy);
        if (same_limit(o, policy, r->limit_bytes))
                return PL_OOM_OWNER_POLICY;
        if (which == PL_RESOURCE_MEMORY_MAX && s->facts && s->facts->host.memory > 0 &&
            same_limit(o, (uint64_t)s->facts->host.memory, r->limit_bytes))
                return PL_OOM_OWNER_ENGINE;
        return PL_OOM_OWNER_NOBODY;
}

static void sum_limits(const PlOomExplainer *o, PlOomReport *r) {
        PlSubject *s;

        r->around.all_limits_bytes = 0;
        PL_MAP_FOREACH(s, o->registry->subjects) {
                uint64_t bytes, policy;

                if (!s->facts || !pl_container_is_live(s->facts))
                        continue;
                bytes = o->handlers->limit(o->userdata, s, PL_RESOURCE_MEMORY_MAX, &policy);
                if (bytes == PL_UNLIMITED)
                        r->around.n_unlimited++;
                else
                        r->around.all_limits_bytes += bytes;
        }
}

/* A name for a section: compose's, or the container's. */
static void propose(const PlSubject *s, PlOomReport *r) {
        const char *name = s->facts ? pl_container_label(s->facts, "com.docker.compose.service")
                                    : NULL;

        name = name && pl_service_name_valid(name) ? name : pl_subject_name(s);
        if (pl_service_name_valid(name))
                (void)snprintf(r->around.proposed, sizeof(r->around.proposed), "Service %s", name);
}

static void surround(const PlOomExplainer *o, const PlSubject *s, PlOomReport *r) {
        r->around.host_bytes = o->registry->options.host.memory_bytes;
        r->around.owner = owner_of(o, s, r);
        if (s->service && pl_service_has_label(s->service, "MemoryMax"))
                (void)snprintf(r->around.section, sizeof(r->around.section),
                               "label plimsoll.MemoryMax");
        else if (s->service && s->service->name)
                (void)snprintf(r->around.section, sizeof(r->around.section), "Service %s",
                               s->service->name);
        else if (s->service)
                (void)snprintf(r->around.section, sizeof(r->around.section), "Defaults");
        if (!s->service || !s->service->name)
                propose(s, r);
        if (s->facts && s->facts->setting.name) {
                r->around.product = s->facts->setting.product;
                r->around.setting = s->facts->setting.name;
                r->around.setting_bytes = s->facts->setting.bytes;
        }
        if (r->cause == PL_OOM_CAUSE_HOST)
                sum_limits(o, r);
}

static void report(const PlOomExplainer *o, const PlSubject *s, int priority,
                   const char *message_id, const PlOomReport *r, const char *text) {
        PlLogField fields[PL_OOM_FIELDS_MAX + 1];
        PlOomFields f;

        pl_oom_fields(r, &f);
        for (size_t i = 0; i < f.n; i++)
                fields[i] = (PlLogField){ f.items[i].name, f.items[i].value };
        fields[f.n] = (PlLogField){ NULL, NULL };
        pl_subject_report(o->registry->reporter, s, priority, message_id, NULL, fields, "%s", text);
}

/* Also for other containers of its service: each kill is told with how often lately. Return: the
 * entry; NULL: out of memory. */
static char *remember(const PlOomExplainer *o, const PlSubject *s, PlOomReport *r) {
        _cleanup_free_ PlOomHistory *h = calloc(1, sizeof(*h));

        if (!h)
                return pl_oom_text(r);
        (void)o->handlers->recall(o->userdata, s, h);
        pl_oom_history_add(h, r);
        o->handlers->remember(o->userdata, s, h);
        return pl_oom_entry(r, h);
}

/* Return: what is kept of a container, made if need be; NULL: out of memory. */
static Kept *kept_ensure(PlOomExplainer *o, const PlSubject *s) {
        Kept *k = pl_map_get(o->kept, s->id);

        if (k)
                return k;
        k = calloc(1, sizeof(*k));
        if (!k)
                return NULL;
        (void)snprintf(k->id, sizeof(k->id), "%s", s->id);
        if (pl_map_put(o->kept, k->id, k) < 0) {
                free(k);
                return NULL;
        }
        return k;
}

/* The kernel log has the pids of the first namespace. Source: include/linux/proc_ns.h,
 * PROC_PID_INIT_INO. */
static bool sees_host_pids(void) {
        struct stat st;

        return stat("/proc/self/ns/pid", &st) >= 0 && st.st_ino == 0xEFFFFFFCU;
}

static void on_killed(void *userdata, const char *id, PlOomReport *r) {
        PlOomExplainer *o = userdata;
        PlSubject *s = pl_map_get(o->registry->subjects, id);
        _cleanup_free_ char *text = NULL;

        if (!s)
                return;
        surround(o, s, r);
        text = remember(o, s, r);
        if (text)
                report(o, s, LOG_ERR, PL_MESSAGE_OOM_KILLED, r, text);
        o->handlers->killed(o->userdata, s, r->kills == 1 && sees_host_pids() ? r->pid : 0,
                            r->cause == PL_OOM_CAUSE_HOST);
        pl_reporter_changed(o->registry->reporter);
}

static void on_named(void *userdata, const char *id, const PlKmsgKill *kill) {
        PlOomExplainer *o = userdata;
        PlSubject *s = pl_map_get(o->registry->subjects, id);
        _cleanup_free_ PlOomHistory *h = s ? calloc(1, sizeof(*h)) : NULL;

        if (!h || !o->handlers->recall(o->userdata, s, h))
                return;
        pl_oom_history_name(h, kill, id);
        o->handlers->remember(o->userdata, s, h);
}

static void on_pressed(void *userdata, const char *id, const PlOomRing *ring,
                       const PlOomSample *sample) {
        PlOomExplainer *o = userdata;
        PlSubject *s = pl_map_get(o->registry->subjects, id);
        Kept *k = s ? kept_ensure(o, s) : NULL;
        _cleanup_free_ char *text = NULL;
        PlOomReport r;

        if (!k || !pl_oom_pressure(&k->pressure, ring, sample, pl_clock_usec(CLOCK_REALTIME), &r))
                return;
        surround(o, s, &r);
        text = pl_oom_pressure_text(&r, sample->time_usec - k->pressure.since_usec);
        if (text)
                report(o, s, LOG_WARNING, PL_MESSAGE_MEMORY_PRESSURE, &r, text);
}

static void on_frozen(void *userdata, const char *id, bool frozen) {
        PlOomExplainer *o = userdata;
        const PlSubject *s = pl_map_get(o->registry->subjects, id);

        if (s)
                o->handlers->frozen(o->userdata, s, frozen);
}

static const PlOomWatchHandlers watch_handlers = {
        .killed = on_killed,
        .frozen = on_frozen,
        .named = on_named,
        .pressed = on_pressed,
};

int pl_oom_explainer_new(PlRegistry *registry, const PlCgroupMounts *mounts,
                         const PlOomHandlers *handlers, void *userdata, PlOomExplainer **ret) {
        PlOomExplainer *o = calloc(1, sizeof(*o));
        int r = -ENOMEM;

        if (!o)
                return r;
        o->registry = registry;
        o->handlers = handlers;
        o->userdata = userdata;
        o->kept = pl_map_new();
        if (o->kept)
                r = pl_oom_watch_new(registry->event, mounts, "/dev/kmsg", &watch_handlers, o,
                                     &o->watch);
        if (r < 0) {
                pl_log_error("Cannot watch for OOM kills: %s", strerror(-r));
                pl_oom_explainer_free(o);
                return r;
        }
        *ret = o;
        return 0;
}

static void kept_free(PlOomExplainer *o, Kept *k) {
        if (!k)
                return;
        (void)pl_map_remove(o->kept, k->id);
        free(k);
}

PlOomExplainer *pl_oom_explainer_free(PlOomExplainer *o) {
        Kept *k;

        if (!o)
                return NULL;
        pl_oom_watch_free(o->watch);
        if (o->kept)
                PL_MAP_FOREACH(k, o->kept)
        kept_free(o, k);
        pl_map_free(o->kept);
        free(o);
        return NULL;
}

void pl_oom_explainer_remove(PlOomExplainer *o, const PlSubject *s) {
        pl_oom_watch_forget(o->watch, s->id);
        kept_free(o, pl_map_get(o->kept, s->id));
}

void pl_oom_explainer_died(PlOomExplainer *o, const PlSubject *s) {
        pl_oom_watch_check(o->watch, s->id);
}

void pl_oom_explainer_traces(PlOomExplainer *o, const PlSubject *s, const PlEnding *ending,
                             PlOomTraces *ret) {
        int signal = ending->exit_code - 128;

        *ret = (PlOomTraces){ 0 };
        if (signal <= 0)
                return;
        if (signal == SIGKILL)
                pl_oom_watch_oomd(o->watch, s->id, ending->end_usec, ret);
        else if (ending->main_pid > 0 && sees_host_pids())
                pl_oom_watch_fault(o->watch, ending->main_pid, ret);
}

void pl_oom_explainer_set_group(PlOomExplainer *o, const PlSubject *s, const PlCgroup *g) {
        int r;

        if (!g) {
                pl_oom_watch_remove(o->watch, s->id);
                return;
        }
        r = pl_oom_watch_add(o->watch, s->id, g);
        /* on v1 the memory group comes a moment after the others, and we are called again */
        if (r < 0 && r != -ENOENT && r != -ENODEV)
                pl_subject_report(o->registry->reporter, s, LOG_WARNING, NULL, strerror(-r), NULL,
                                  "OOM kills in it will not be explained: %s", strerror(-r));
}
