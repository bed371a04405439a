/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Metrics: see the header.
 *
 * Both formats want all samples of a family one after the other, so each container's numbers are
 * read once, into a row, and written family by family. What is not known has no sample; memory
 * without a limit is 0 and a quota that is none has no sample, as with cAdvisor.
 */

#include "status/metrics.h"

#include <errno.h>
#include <malloc.h>

#include "base/clock.h"
#include "base/loop.h"
#include "status/findings.h"
#include "status/process.h"

/* Of one container. "digits" as in PlSample: 6 for microseconds. */
/* clang-format off */
#define CONTAINER_METRICS(ROW)                                                                     \
        ROW(LAST_SEEN, "container_last_seen", GAUGE, NULL, 6,                                      \
            "When the container was seen last, since the epoch.")                                  \
        ROW(START, "container_start_time_seconds", GAUGE, NULL, 6,                                 \
            "When the container was started, since the epoch.")                                    \
        ROW(CPU, "container_cpu_usage_seconds", COUNTER, "cpu=\"total\"", 6, "CPU time.")          \
        ROW(CPU_USER, "container_cpu_user_seconds", COUNTER, NULL, 6, "CPU time in user mode.")    \
        ROW(CPU_SYSTEM, "container_cpu_system_seconds", COUNTER, NULL, 6,                          \
            "CPU time in the kernel.")                                                             \
        ROW(PERIODS, "container_cpu_cfs_periods", COUNTER, NULL, 0,                                \
            "Periods of the CPU quota in which something ran.")                                    \
        ROW(THROTTLED_PERIODS, "container_cpu_cfs_throttled_periods", COUNTER, NULL, 0,            \
            "Periods in which the quota was used up.")                                             \
        ROW(THROTTLED, "container_cpu_cfs_throttled_seconds", COUNTER, NULL, 6,                    \
            "How long it stood still because the quota was used up.")                              \
        ROW(SPEC_QUOTA, "container_spec_cpu_quota", GAUGE, NULL, 0,                                \
            "CPU quota in microseconds for each period.")                                          \
        ROW(SPEC_PERIOD, "container_spec_cpu_period", GAUGE, NULL, 0,                              \
            "Period of the CPU quota in microseconds.")                                            \
        ROW(SPEC_SHARES, "container_spec_cpu_shares", GAUGE, NULL, 0, "CPU shares.")               \
        ROW(SPEC_MEMORY, "container_spec_memory_limit_bytes", GAUGE, NULL, 0,                      \
            "Memory limit; 0 is none.")                                                            \
        ROW(SPEC_RESERVATION, "container_spec_memory_reservation_limit_bytes", GAUGE, NULL, 0,     \
            "Memory reservation; 0 is none.")                                                      \
        ROW(SPEC_SWAP, "container_spec_memory_swap_limit_bytes", GAUGE, NULL, 0,                   \
            "Limit of memory and swap together; 0 is none.")                                       \
        ROW(USAGE, "container_memory_usage_bytes", GAUGE, NULL, 0,                                 \
            "Memory in use, page cache included.")                                                 \
        ROW(WORKING_SET, "container_memory_working_set_bytes", GAUGE, NULL, 0,                     \
            "Memory in use but for page cache that can be dropped.")                               \
        ROW(PEAK, "container_memory_max_usage_bytes", GAUGE, NULL, 0, "Most memory in use.")       \
        ROW(RSS, "container_memory_rss", GAUGE, NULL, 0, "Anonymous memory, in bytes.")            \
        ROW(CACHE, "container_memory_cache", GAUGE, NULL, 0, "Page cache, in bytes.")              \
        ROW(SWAP, "container_memory_swap", GAUGE, NULL, 0, "Swap in use, in bytes.")               \
        ROW(THREADS, "container_threads", GAUGE, NULL, 0, "Tasks.")                                \
        ROW(THREADS_MAX, "container_threads_max", GAUGE, NULL, 0,                                  \
            "Limit of tasks; 0 is none.")                                                          \
        ROW(CPU_WAITING, "container_pressure_cpu_waiting_seconds", COUNTER, NULL, 6,               \
            "How long some task waited for a CPU.")                                                \
        ROW(CPU_STALLED, "container_pressure_cpu_stalled_seconds", COUNTER, NULL, 6,               \
            "How long all tasks waited for a CPU.")                                                \
        ROW(MEMORY_WAITING, "container_pressure_memory_waiting_seconds", COUNTER, NULL, 6,         \
            "How long some task waited for memory.")                                               \
        ROW(MEMORY_STALLED, "container_pressure_memory_stalled_seconds", COUNTER, NULL, 6,         \
            "How long all tasks waited for memory.")                                               \
        ROW(IO_WAITING, "container_pressure_io_waiting_seconds", COUNTER, NULL, 6,                 \
            "How long some task waited for I/O.")                                                  \
        ROW(IO_STALLED, "container_pressure_io_stalled_seconds", COUNTER, NULL, 6,                 \
            "How long all tasks waited for I/O.")                                                  \
        ROW(OOM_EVENTS, "container_oom_events", COUNTER, NULL, 0,                                  \
            "Processes killed for want of memory, of the service, as far back as it is known.")    \
        ROW(HEALTH_STATE, "container_health_state", GAUGE, NULL, 0,                                \
            "1: healthy; 0: starting or not healthy; -1: nobody asks.")                            \
        ROW(DRIFT_REPAIRS, "plimsoll_drift_repairs", COUNTER, NULL, 0,                             \
            "Limits that somebody had changed, and that were put back.")                           \
        ROW(LIMITS_WANTED, "plimsoll_limits_wanted", GAUGE, NULL, 0,                               \
            "How many limits the policy asks for that this host has.")                             \
        ROW(LIMITS_IN_FORCE, "plimsoll_limits_in_force", GAUGE, NULL, 0,                           \
            "How many of those were read back from the kernel as wanted.")                         \
        ROW(BUDGET, "plimsoll_restart_budget_remaining", GAUGE, NULL, 0,                           \
            "Restarts that the policy leaves in its window.")                                      \
        ROW(LOG_SIZE, "plimsoll_log_size_bytes", GAUGE, NULL, 0, "The log that is being written.") \
        ROW(LOG_ARCHIVED, "plimsoll_log_archive_bytes", GAUGE, NULL, 0, "Its archives.")           \
        ROW(LOG_ROTATIONS, "plimsoll_log_rotations", COUNTER, NULL, 0,                             \
            "Rotations of its log since plimsolld started.")
/* clang-format on */

#define CONTAINER_ENUM(constant, ...) C_##constant,
enum { CONTAINER_METRICS(CONTAINER_ENUM) _C_N };
#undef CONTAINER_ENUM

static const struct {
        PlMetric metric;
        const char *more;
        unsigned digits;
} columns[_C_N] = {
#define CONTAINER_ROW(constant, name, type, more, digits, help) \
        [C_##constant] = { { name, PL_METRIC_##type, help }, more, digits },
        CONTAINER_METRICS(CONTAINER_ROW)
#undef CONTAINER_ROW
};

typedef struct Row {
        const PlSubject *subject;
        char *labels;
        int64_t v[_C_N]; /* UNKNOWN: no sample */
        PlFlow flow;
        PlInterface interfaces[PL_INTERFACES_MAX];
        size_t n_interfaces;
        PlHealthState health;
        uint64_t restarts[3]; /* by plimsolld, the engine, others */
        bool watched, read;
} Row;

typedef struct Page {
        const PlSources *from;
        PlExposition *e;
        Row *rows;
        size_t n;
        uint64_t now_usec;
} Page;

#define UNKNOWN INT64_MIN

/* Nothing that the kernel counts in bytes, microseconds or tasks is as large as that. */
static int64_t known(uint64_t v) {
        return v > INT64_MAX ? UNKNOWN : (int64_t)v;
}

/* A limit: 0 is none. */
static int64_t limit_of(const PlReading *spec, PlResource r) {
        const PlValue *v = &spec->in_force.v[r];

        return !(spec->supported & (1U << r)) || !v->set ? UNKNOWN
               : v->number == PL_UNLIMITED               ? 0
                                                         : known(v->number);
}

/* ---- a row ---- */

static void fill_spec(const PlReading *spec, int64_t v[static _C_N]) {
        const PlValue *quota = &spec->in_force.v[PL_RESOURCE_CPU_QUOTA],
                      *weight = &spec->in_force.v[PL_RESOURCE_CPU_WEIGHT];
        int64_t memory = limit_of(spec, PL_RESOURCE_MEMORY_MAX),
                swap = limit_of(spec, PL_RESOURCE_MEMORY_SWAP_MAX);

        if (spec->cpu_period_usec > 0)
                v[C_SPEC_PERIOD] = known(spec->cpu_period_usec);
        if (quota->set && quota->number != PL_UNLIMITED && spec->cpu_period_usec > 0)
                v[C_SPEC_QUOTA] = known(quota->number * spec->cpu_period_usec / PL_USEC_PER_SEC);
        if (weight->set && spec->hierarchy[PL_RESOURCE_CPU_WEIGHT] == PL_HIERARCHY_V1)
                v[C_SPEC_SHARES] = weight->text ? atoll(weight->text)
                                                : known(weight->number * 1024 / 100);
        else if (weight->set) /* as runc turns them into each other, and cAdvisor back */
                v[C_SPEC_SHARES] = known(2 + (weight->number - 1) * 262142 / 9999);
        v[C_SPEC_MEMORY] = memory;
        v[C_SPEC_RESERVATION] = limit_of(spec, PL_RESOURCE_MEMORY_LOW);
        if (memory != UNKNOWN && swap != UNKNOWN)
                v[C_SPEC_SWAP] =
                                memory == 0 || spec->in_force.v[PL_RESOURCE_MEMORY_SWAP_MAX].number ==
                                                                                PL_UNLIMITED
                                                ? 0
                                                : memory + swap;
        v[C_THREADS_MAX] = limit_of(spec, PL_RESOURCE_TASKS_MAX);
}

static void fill_usage(const PlUsage *u, int64_t v[static _C_N]) {
        v[C_CPU] = known(u->cpu_usec);
        v[C_PERIODS] = known(u->periods);
        v[C_THROTTLED_PERIODS] = known(u->throttled_periods);
        v[C_THROTTLED] = known(u->throttled_usec);
        v[C_USAGE] = known(u->memory_bytes);
        if (u->memory_bytes != PL_UNLIMITED && u->inactive_file_bytes != PL_UNLIMITED)
                v[C_WORKING_SET] = u->memory_bytes > u->inactive_file_bytes
                                                   ? known(u->memory_bytes - u->inactive_file_bytes)
                                                   : 0;
        v[C_PEAK] = known(u->memory_peak_bytes);
        v[C_RSS] = known(u->anon_bytes);
        v[C_CACHE] = known(u->file_bytes);
        v[C_SWAP] = known(u->swap_bytes);
        v[C_THREADS] = known(u->pids);
}

static void fill_flow(const PlFlow *f, int64_t v[static _C_N]) {
        static const int waiting[] = { C_CPU_WAITING, C_MEMORY_WAITING, C_IO_WAITING },
                         stalled[] = { C_CPU_STALLED, C_MEMORY_STALLED, C_IO_STALLED };

        v[C_CPU_USER] = known(f->user_usec);
        v[C_CPU_SYSTEM] = known(f->system_usec);
        for (size_t i = 0; i < PL_ARRAY_SIZE(f->waited); i++) {
                v[waiting[i]] = known(f->waited[i].some_usec);
                v[stalled[i]] = known(f->waited[i].full_usec);
        }
}

static int64_t state_of(const Row *row) {
        PlDockerHealth own = row->subject->facts->healthcheck.status;

        if (row->watched && row->health != PL_HEALTH_UNKNOWN && row->health != PL_HEALTH_FINISHED)
                return row->health == PL_HEALTH_HEALTHY;
        if (own == PL_DOCKER_HEALTH_NONE)
                return -1;
        return own == PL_DOCKER_HEALTH_HEALTHY;
}

static void fill_health(const Page *p, Row *row) {
        PlHealthd *patients = pl_health_act_patients(p->from->health);
        PlHealthdView view;
        PlHealthdDetail d;

        row->watched = pl_healthd_get(patients, row->subject->id, &view);
        row->health = row->watched ? view.state : PL_HEALTH_UNKNOWN;
        row->v[C_HEALTH_STATE] = state_of(row);
        if (!pl_healthd_detail(patients, row->subject->id,
                               pl_registry_is_dry_run(p->from->registry), &d))
                return;
        row->restarts[0] = d.runs->by_plimsolld;
        row->restarts[1] = d.runs->by_engine;
        row->restarts[2] = d.runs->by_others;
        if (d.rules.budget.n > 0)
                row->v[C_BUDGET] = (int64_t)(d.rules.budget.n -
                                             PL_MIN(d.rules.budget.n, d.budget_used));
}

/* What this host cannot do at all was said once, and is nobody's wish, as in STATUS=. */
static uint32_t wanted_of(const PlHeld *h) {
        return (pl_held_wanted(h) & ~h->unsupported) | h->truth.impossible;
}

static void fill_own(const Page *p, Row *row) {
        const PlHeld *h = row->subject->held;
        PlLogStatus log;

        row->v[C_OOM_EVENTS] = known(pl_keeper_n_kills(p->from->keeper, row->subject));
        row->v[C_DRIFT_REPAIRS] = (int64_t)h->drift.repairs;
        row->v[C_LIMITS_WANTED] = __builtin_popcount(wanted_of(h));
        row->v[C_LIMITS_IN_FORCE] = __builtin_popcount(wanted_of(h) & pl_held_in_force(h));
        if (!p->from->logs || !pl_logs_status(p->from->logs, row->subject->id, &log))
                return;
        row->v[C_LOG_SIZE] = known(log.size_bytes);
        row->v[C_LOG_ARCHIVED] = known(log.archived_bytes);
        row->v[C_LOG_ROTATIONS] = known(log.rotations);
}

#define COMPOSE "com.docker.compose."

static char *labels_of(const PlSubject *s, const char *group) {
        _cleanup_free_ char *id = NULL;

        /* without a group it has no place, and is known by the engine's */
        if (asprintf(&id, "/%s", group ?: s->id) < 0)
                return NULL;
        return pl_metric_labels((const PlMetricLabel[]){
                        { "container_label_com_docker_compose_project",
                          pl_container_label(s->facts, COMPOSE "project") },
                        { "container_label_com_docker_compose_service",
                          pl_container_label(s->facts, COMPOSE "service") },
                        { "id", id },
                        { "image", s->facts->image },
                        { "name", pl_subject_name(s) },
                        {},
        });
}

static int fill_row(const Page *p, const PlSubject *s, Row *row) {
        PlReading spec = {};
        const char *group;
        PlUsage usage;

        *row = (Row){ .subject = s };
        for (int i = 0; i < _C_N; i++)
                row->v[i] = UNKNOWN;
        group = pl_enforcer_read(p->from->enforcer, s, &usage, &row->flow, &spec);
        row->read = group != NULL;
        if (group) {
                row->v[C_LAST_SEEN] = (int64_t)p->now_usec;
                fill_usage(&usage, row->v);
                fill_flow(&row->flow, row->v);
                fill_spec(&spec, row->v);
                pl_reading_deinit(&spec);
        }
        if (pl_container_is_live(s->facts) && s->facts->started_usec > 0)
                row->v[C_START] = (int64_t)s->facts->started_usec;
        /* in the host's network it is the host's traffic */
        if (row->read && s->facts->pid > 0 && !pl_streq_null(s->facts->host.network_mode, "host"))
                row->n_interfaces =
                                pl_process_network(p->from->proc, s->facts->pid, row->interfaces);
        fill_health(p, row);
        fill_own(p, row);
        row->labels = labels_of(s, group);
        return row->labels ? 0 : -ENOMEM;
}

static int fill_rows(Page *p) {
        PlSubject *s;
        size_t n = 0;

        PL_MAP_FOREACH(s, p->from->registry->subjects)
        n += s->facts != NULL;
        p->rows = calloc(n ?: 1, sizeof(*p->rows));
        if (!p->rows)
                return -ENOMEM;
        PL_MAP_FOREACH(s, p->from->registry->subjects) {
                if (!s->facts || p->n == n)
                        continue;
                if (fill_row(p, s, &p->rows[p->n++]) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* ---- what all containers have ---- */

/* Counters of the kernel begin with the group, which begins with the run. */
static void add_created(const Page *p, const PlMetric *m, const Row *row, const char *more) {
        if (m->type == PL_METRIC_COUNTER && row->v[C_START] != UNKNOWN)
                pl_exposition_add(p->e, m,
                                  &(PlSample){ "_created", row->labels, more, row->v[C_START], 6 });
}

static bool is_of_group(int column) {
        return column <= C_IO_STALLED;
}

static void add_columns(const Page *p) {
        for (int c = 0; c < _C_N; c++)
                for (size_t i = 0; i < p->n; i++) {
                        const Row *row = &p->rows[i];

                        if (row->v[c] == UNKNOWN)
                                continue;
                        pl_exposition_add(p->e, &columns[c].metric,
                                          &(PlSample){ NULL, row->labels, columns[c].more,
                                                       row->v[c], columns[c].digits });
                        if (is_of_group(c))
                                add_created(p, &columns[c].metric, row, columns[c].more);
                }
}

/* ---- what some have several of ---- */

static void add_disks(const Page *p) {
        static const PlMetric metrics[2] = {
                { "container_fs_reads_bytes", PL_METRIC_COUNTER, "Bytes read from a disk." },
                { "container_fs_writes_bytes", PL_METRIC_COUNTER, "Bytes written to a disk." },
        };

        for (int m = 0; m < 2; m++)
                for (size_t i = 0; i < p->n; i++)
                        for (size_t d = 0; p->rows[i].read && d < p->rows[i].flow.n_disks; d++) {
                                uint64_t n = m == 0 ? p->rows[i].flow.disks[d].read_bytes
                                                    : p->rows[i].flow.disks[d].written_bytes;
                                char device[32];

                                if (n > INT64_MAX)
                                        continue;
                                (void)snprintf(device, sizeof(device), "device=\"%u:%u\"",
                                               p->rows[i].flow.disks[d].major,
                                               p->rows[i].flow.disks[d].minor);
                                pl_exposition_add(p->e, &metrics[m],
                                                  &(PlSample){ NULL, p->rows[i].labels, device,
                                                               (int64_t)n, 0 });
                                add_created(p, &metrics[m], &p->rows[i], device);
                        }
}

static void add_interfaces(const Page *p) {
        static const struct {
                PlMetric metric;
                size_t offset;
        } fields[] = {
#define FIELD(name, field, help) \
        { { "container_network_" name, PL_METRIC_COUNTER, help }, offsetof(PlInterface, field) }
                FIELD("receive_bytes", received_bytes, "Bytes received."),
                FIELD("receive_packets", received_packets, "Packets received."),
                FIELD("receive_errors", received_errors, "Errors at receiving."),
                FIELD("receive_packets_dropped", received_dropped, "Packets dropped at receiving."),
                FIELD("transmit_bytes", sent_bytes, "Bytes sent."),
                FIELD("transmit_packets", sent_packets, "Packets sent."),
                FIELD("transmit_errors", sent_errors, "Errors at sending."),
                FIELD("transmit_packets_dropped", sent_dropped, "Packets dropped at sending."),
#undef FIELD
        };

        for (size_t f = 0; f < PL_ARRAY_SIZE(fields); f++)
                for (size_t i = 0; i < p->n; i++)
                        for (size_t k = 0; k < p->rows[i].n_interfaces; k++) {
                                const PlInterface *at = &p->rows[i].interfaces[k];
                                _cleanup_free_ char *name =
                                                pl_metric_labels((const PlMetricLabel[]){
                                                                { "interface", at->name }, {} });
                                uint64_t n = *(const uint64_t *)((const char *)at +
                                                                 fields[f].offset);

                                pl_exposition_add(p->e, &fields[f].metric,
                                                  &(PlSample){ NULL, p->rows[i].labels, name,
                                                               known(n), 0 });
                                add_created(p, &fields[f].metric, &p->rows[i], name);
                        }
}

static void add_health(const Page *p) {
        static const PlMetric metric = { "plimsoll_health", PL_METRIC_STATESET,
                                         "Health of the container: the state that it has is 1." };

        for (size_t i = 0; i < p->n; i++)
                for (PlHealthState s = PL_HEALTH_UNKNOWN + 1;
                     p->rows[i].watched && s < _PL_HEALTH_N; s++) {
                        char state[64];

                        (void)snprintf(state, sizeof(state), "plimsoll_health=\"%s\"",
                                       pl_health_state_to_string(s));
                        pl_exposition_add(p->e, &metric,
                                          &(PlSample){ NULL, p->rows[i].labels, state,
                                                       p->rows[i].health == s, 0 });
                }
}

static void add_restarts(const Page *p) {
        static const PlMetric metric = { "plimsoll_restarts", PL_METRIC_COUNTER,
                                         "Restarts since plimsolld knows the container." };
        static const char *const by[] = { "by=\"plimsolld\"", "by=\"engine\"", "by=\"others\"" };

        for (size_t i = 0; i < p->n; i++)
                for (size_t k = 0; p->rows[i].watched && k < PL_ARRAY_SIZE(by); k++)
                        pl_exposition_add(p->e, &metric,
                                          &(PlSample){ NULL, p->rows[i].labels, by[k],
                                                       known(p->rows[i].restarts[k]), 0 });
}

/* Whether each limit of the policy holds, by its name. */
static void add_limits(const Page *p) {
        static const PlMetric metric = { "plimsoll_limit_in_force", PL_METRIC_GAUGE,
                                         "1: this limit of the policy was read back as wanted." };

        for (size_t i = 0; i < p->n; i++) {
                const PlHeld *h = p->rows[i].subject->held;

                for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                        char limit[64];

                        if (!(wanted_of(h) & (1U << r)))
                                continue;
                        (void)snprintf(limit, sizeof(limit), "limit=\"%s\"",
                                       pl_resource_info(r)->name);
                        pl_exposition_add(p->e, &metric,
                                          &(PlSample){ NULL, p->rows[i].labels, limit,
                                                       (pl_held_in_force(h) >> r) & 1, 0 });
                }
        }
}

/* ---- the host and plimsolld ---- */

static void add_one(const Page *p, const PlMetric *m, const char *labels, int64_t v,
                    unsigned digits) {
        if (v != UNKNOWN)
                pl_exposition_add(p->e, m, &(PlSample){ NULL, labels, NULL, v, digits });
}

#define METRIC(name, type, help) (&(const PlMetric){ name, PL_METRIC_##type, help })

static int add_findings(const Page *p) {
        static const PlMetric metric = { "plimsoll_findings", PL_METRIC_GAUGE,
                                         "What is wrong until somebody mends it, by severity." };
        static const char *const severities[] = { "critical", "high", "medium", "low" };
        json_t *list = json_array();
        const json_t *o;
        size_t i;

        if (!list || pl_findings(p->from, NULL, list) < 0) {
                json_decref(list);
                return -ENOMEM;
        }
        for (size_t k = 0; k < p->n; k++)
                (void)pl_findings(p->from, p->rows[k].subject, list);
        for (size_t k = 0; k < PL_ARRAY_SIZE(severities); k++) {
                char label[32];
                int64_t n = 0;

                json_array_foreach(list, i, o) n += pl_streq_null(
                                json_string_value(json_object_get(o, "severity")), severities[k]);
                (void)snprintf(label, sizeof(label), "severity=\"%s\"", severities[k]);
                add_one(p, &metric, label, n, 0);
        }
        json_decref(list);
        return 0;
}

static int add_engine(const Page *p) {
        const PlRegistry *g = p->from->registry;
        const PlEngineInfo *info = pl_engine_info(g->engine);
        _cleanup_free_ char *build = pl_metric_labels((const PlMetricLabel[]){
                                            { "version", PLIMSOLL_VERSION }, {} }),
                            *engine = NULL;
        char api[32];

        add_one(p, METRIC("plimsoll_build", INFO, "Version of plimsolld."), build, 1, 0);
        add_one(p, METRIC("plimsoll_engine_up", GAUGE, "1: the engine answers."), NULL,
                g->connected, 0);
        if (!info)
                return build ? 0 : -ENOMEM;
        (void)snprintf(api, sizeof(api), "%u.%u", info->api.major, info->api.minor);
        engine = pl_metric_labels((const PlMetricLabel[]){
                        { "api_version", api }, { "version", info->version }, {} });
        add_one(p, METRIC("plimsoll_engine", INFO, "Version of the engine."), engine, 1, 0);
        return build && engine ? 0 : -ENOMEM;
}

static void add_daemon(const Page *p) {
        const PlPolicyState *policy = p->from->policy;
        const PlLoopTurn *turn = pl_loop_longest();

        add_one(p,
                METRIC("plimsoll_config_last_reload_successful", GAUGE,
                       "1: the policy that was loaded last is in force."),
                NULL, policy->error == NULL, 0);
        add_one(p,
                METRIC("plimsoll_config_last_reload_success_timestamp_seconds", GAUGE,
                       "When the policy in force was loaded, since the epoch."),
                NULL, known(policy->loaded_usec), 6);
        add_one(p, METRIC("plimsoll_dry_run", GAUGE, "1: nothing is changed."), NULL,
                pl_registry_is_dry_run(p->from->registry), 0);
        add_one(p,
                METRIC("plimsoll_loop_turn_max_seconds", GAUGE,
                       "The turn of the event loop that took longest."),
                NULL, known(turn->usec), 6);
}

static void add_process(const Page *p) {
        PlProcess me;

        pl_process_self(p->from->proc, &me);
        add_one(p, METRIC("process_cpu_seconds", COUNTER, "CPU time of plimsolld."), NULL,
                known(me.cpu_usec), 6);
        add_one(p,
                METRIC("process_start_time_seconds", GAUGE,
                       "When plimsolld was started, since the epoch."),
                NULL, known(me.start_usec), 6);
        add_one(p, METRIC("process_resident_memory_bytes", GAUGE, "Memory of plimsolld."), NULL,
                known(me.resident_bytes), 0);
        add_one(p, METRIC("process_virtual_memory_bytes", GAUGE, "Address space of plimsolld."),
                NULL, known(me.virtual_bytes), 0);
        add_one(p, METRIC("process_open_fds", GAUGE, "Open descriptors of plimsolld."), NULL,
                known(me.open_fds), 0);
        add_one(p, METRIC("process_max_fds", GAUGE, "Limit of its descriptors."), NULL,
                known(me.max_fds), 0);
}

static void add_machine(const Page *p) {
        const PlHost *host = &p->from->registry->options.host;

        add_one(p, METRIC("machine_memory_bytes", GAUGE, "Memory of this host."), NULL,
                known(host->memory_bytes), 0);
        add_one(p, METRIC("machine_cpu_cores", GAUGE, "CPUs of this host."), NULL, host->n_cpus, 0);
}

/* Of some 100 containers: the page and its rows were large, and the heap is worth a look. */
#define MANY_ROWS 100

char *pl_metrics(const PlSources *from, PlExpositionFormat format, size_t *ret_size) {
        _cleanup_(pl_exposition_freep) PlExposition *e = pl_exposition_new(format);
        Page p = { .from = from, .e = e, .now_usec = pl_clock_usec(CLOCK_REALTIME) };
        char *text = NULL;
        int r;

        if (!e)
                return NULL;
        pl_loop_doing("metrics");
        r = fill_rows(&p);
        if (r >= 0) {
                add_columns(&p);
                add_disks(&p);
                add_interfaces(&p);
                add_health(&p);
                add_restarts(&p);
                add_limits(&p);
                r = add_findings(&p);
        }
        if (r >= 0)
                r = add_engine(&p);
        add_daemon(&p);
        add_process(&p);
        add_machine(&p);
        if (r < 0 || pl_exposition_finish(e, &text, ret_size) < 0)
                text = NULL;
        for (size_t i = 0; i < p.n; i++)
                free(p.rows[i].labels);
        free(p.rows);
        if (p.n > MANY_ROWS)
                (void)malloc_trim(0);
        return text;
}
