/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The enforcer between a fake engine and stand-ins for kernel and systemd. */

#include "core-fixture.h"
#include "enforce/enforcer.h"
#include "enforce/queue.h"
#include "standins.h"

#define GROUP_A "docker/" ID_A
#define SCOPE_A "system.slice/docker-" ID_A ".scope"
#define PID_A   41

#define DAEMON  "[Daemon]\n"
#define SECTION "[Service web]\nMatch=name:web\n"
#define M64     SECTION "MemoryMax=64M\n"
#define BIT(r)  (UINT32_C(1) << PL_RESOURCE_##r)

static PlEnforcer *enforcer;
static PlCgroupMounts mounts;
static unsigned n_stopped, n_starts, n_kills, n_groups, n_no_groups, n_written_before_start;

static inline int on_added(void *userdata, PlSubject *s) {
        return pl_enforcer_add(enforcer, s);
}

static int on_claim(void *userdata, const PlEngineInfo *info) {
        return 0;
}

static inline void on_removed(void *userdata, PlSubject *s, PlRemoval why) {
        pl_enforcer_remove(enforcer, s);
}

static inline void on_event(void *userdata, PlSubject *s, const PlEvent *e) {
        if (e->action == PL_EVENT_START && n_starts++ == 0)
                n_written_before_start = n_written;
        n_kills += e->action == PL_EVENT_KILL;
        pl_enforcer_event(enforcer, s, e);
}

static inline void on_inspected(void *userdata, PlSubject *s, bool current) {
        pl_enforcer_inspected(enforcer, s);
}

static inline void on_engine(void *userdata, const PlEngineInfo *info) {
        if (info)
                pl_enforcer_connected(enforcer);
}

static inline void on_listed(void *userdata) {
        pl_queue_arm(enforcer);
}

static inline void on_synced(void *userdata, bool first) {}

static inline void on_quiet(void *userdata) {}

static const PlRegistryHandlers registry_handlers = {
        .added = on_added,
        .claim = on_claim,
        .removed = on_removed,
        .event = on_event,
        .inspected = on_inspected,
        .engine = on_engine,
        .listed = on_listed,
        .synced = on_synced,
        .quiet = on_quiet,
};

static inline void on_group(void *userdata, PlSubject *s, const PlCgroup *g) {
        *(g ? &n_groups : &n_no_groups) += 1;
}

static inline void on_idle(void *userdata) {}

static inline void on_stopping(void *userdata, unsigned updates_in_flight, uint64_t usec) {
        ck_assert_uint_gt(usec, 0);
}

static inline void on_stopped(void *userdata) {
        n_stopped++;
}

static const PlEnforceHandlers enforce_handlers = {
        .group = on_group,
        .idle = on_idle,
        .stopping = on_stopping,
        .stopped = on_stopped,
};

static inline void make_with(const char *policy, PlRegistryOptions options, bool no_early_write) {
        options.engine_url = fake.url;
        mounts = standin_mounts();
        (void)mkdir(standin_mount, 0755);
        (void)mkdir(standin_proc, 0755);
        make_registry(&registry_handlers, options, policy);
        ck_assert_int_eq(pl_enforcer_new(registry, &mounts, no_early_write, &enforce_handlers, NULL,
                                         &enforcer),
                         0);
        pl_enforcer_begin(enforcer);
}

static inline void make(const char *policy) {
        make_with(policy, (PlRegistryOptions){}, false);
}

static inline void setup(void) {
        core_setup();
}

static inline void teardown(void) {
        registry = pl_registry_free(registry);
        enforcer = pl_enforcer_free(enforcer);
        core_teardown();
}

static inline void sync_all(void) {
        use_engine();
        RUN_UNTIL(registry->synced);
}

static inline void run_through(void) {
        unsigned before = n_kills;

        fake_do(&fake, "{\"op\":\"kill\",\"name\":\"web\"}");
        RUN_UNTIL(n_kills > before);
}

/* It runs since before plimsolld. */
static inline void runs_already(const char *group) {
        group_make(group);
        process_put(PID_A, group);
        fake_do(&fake,
                "{\"op\":\"add\",\"name\":\"web\",\"id\":\"" ID_A "\",\"running\":true,"
                "\"pid\":%d}",
                PID_A);
}

static inline const PlHeld *held(void) {
        return subject(ID_A)->held;
}

static inline bool has_error(uint32_t mask, PlOwner o) {
        for (PlResource r = 0; held()->owner_errors && r < _PL_RESOURCE_N; r++)
                if (mask & (UINT32_C(1) << r) && held()->owner_errors[r][o])
                        return true;
        return false;
}

/* Everything has been looked at and everybody has answered. */
static inline bool is_settled(void) {
        return TAILQ_EMPTY(&enforcer->queue[PL_QUEUE_KERNEL]) &&
               TAILQ_EMPTY(&enforcer->queue[PL_QUEUE_OWNERS]) && enforcer->updates_in_flight == 0 &&
               subject(ID_A) && !subject(ID_A)->inspect_in_flight;
}

/* What comes every minute, now. */
static inline void sweep(void) {
        ahead_usec += 70 * PL_USEC_PER_SEC;
        pl_enforcer_quiet(enforcer);
        RUN_UNTIL(is_settled());
}

static inline void change_policy_only(const char *text) {
        PlPolicy *old = pl_registry_set_policy(registry, parse_policy(text));

        pl_enforcer_set_policy(enforcer);
        pl_policy_unref(old);
}

static inline void change_policy(const char *text) {
        change_policy_only(text);
        RUN_UNTIL(is_settled());
}

/* A number in the engine's last update; 0: there was none, -1: it has no such member. */
static inline json_int_t updated(const char *member) {
        json_t *stats = fake_tell(&fake, "{\"op\":\"stats\"}"),
               *updates = json_object_get(stats, "updates");
        size_t n = json_array_size(updates);
        json_t *body = n > 0 ? json_object_get(json_array_get(updates, n - 1), "body") : NULL,
               *value = json_object_get(body, member);
        json_int_t ret = !body ? 0 : value ? json_integer_value(value) : -1;

        json_decref(stats);
        return ret;
}

static inline unsigned n_updates(void) {
        json_t *stats = fake_tell(&fake, "{\"op\":\"stats\"}");
        unsigned n = (unsigned)json_array_size(json_object_get(stats, "updates"));

        json_decref(stats);
        return n;
}

static inline bool has_state(void) {
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/containers/" ID_A, state_dir);
        return access(path, F_OK) == 0;
}
