/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Findings and the snapshot: each kind comes when its reason does and goes with it, and the status
 * counts what it shows. Whoever would notice is taken by the linker from here.
 */

#include "lib/base/strv.h"
#include "policy-texts.h"
#include "status/findings.h"
#include "status/snapshot.h"

#define ID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static PlLogStatus log_status;
static const char *log_files, *log_method;
static PlModels models;
static bool has_log, has_models, is_absent, pinched;
static PlHealthdView health;
static PlUsage usage;
static PlEngineInfo engine_info;

bool pl_logs_status(const PlLogs *l, const char *id, PlLogStatus *ret) {
        *ret = log_status;
        return has_log;
}

char *pl_logs_method_finding(const PlLogs *l, PlRotateWhy why) {
        return log_method && why == 0 ? strdup(log_method) : NULL;
}

const char *pl_log_paths_finding(const PlLogPaths *p, const char *id) {
        return log_files;
}

const PlModels *pl_health_act_models(const PlHealthAct *a, const PlSubject *s) {
        return has_models ? &models : NULL;
}

PlHealthd *pl_health_act_patients(const PlHealthAct *a) {
        return NULL;
}

bool pl_healthd_get(const PlHealthd *h, const char *id, PlHealthdView *ret) {
        *ret = health;
        return true;
}

bool pl_healthd_detail(PlHealthd *h, const char *id, bool dry_run, PlHealthdDetail *ret) {
        return false;
}

bool pl_healthd_next_absent(const PlHealthd *h, size_t *iter, PlHealthdView *ret) {
        if (!is_absent || (*iter)++ > 0)
                return false;
        *ret = (PlHealthdView){ .state = PL_HEALTH_ABSENT,
                                .reason = "no container",
                                .service = "db",
                                .latency_usec = PL_UNLIMITED };
        return true;
}

uint64_t pl_keeper_n_kills(const PlKeeper *k, const PlSubject *s) {
        return 0;
}

const char *pl_keeper_pinch(const PlKeeper *k, const PlSubject *s, PlPinchKind which) {
        return pinched && which == PL_PINCH_TASKS ? "TasksMax=64 has refused it" : NULL;
}

int pl_keeper_get(PlKeeper *k, const PlSubject *s, PlMemory *ret) {
        return -ENOENT;
}

int pl_keeper_find(PlKeeper *k, const char *name, PlMemory *ret) {
        return -ENOENT;
}

void pl_enforcer_usage(const PlEnforcer *e, const PlSubject *s, PlUsage *ret) {
        *ret = usage;
}

const PlEngineInfo *pl_engine_info(const PlEngine *e) {
        return &engine_info;
}

const char *pl_engine_url(const PlEngine *e) {
        return "unix:///run/docker.sock";
}

static PlRegistry registry;
static PlPolicyState policy_state;
static PlSubject *subject;
static PlHeld *held;
static const PlSources from = {
        .registry = &registry,
        .policy = &policy_state,
        .logs = (const PlLogs *)&log_status, /* is there, and not looked into */
};

static void setup(void) {
        static const char text[] = "[Service web]\nMatch=name:web\nMemoryMax=64M\nTasksMax=9\n";
        const char *texts[] = { text };
        PlDiagList diag = {};
        int r;

        registry = (PlRegistry){ .connected = true, .synced = true };
        registry.policy = parse_texts(texts, 1, &diag, &r);
        ck_assert_int_eq(r, 0);
        pl_diag_list_deinit(&diag);
        registry.subjects = pl_map_new();
        subject = calloc(1, sizeof(*subject));
        memcpy(subject->id, ID, sizeof(ID));
        subject->facts = calloc(1, sizeof(*subject->facts));
        memcpy(subject->facts->id, ID, sizeof(ID));
        subject->facts->name = strdup("web-1");
        subject->facts->image = strdup("web:1");
        subject->facts->phase = PL_PHASE_RUNNING;
        subject->facts->pid = 7;
        subject->service = registry.policy->services[0];
        ck_assert_int_eq(pl_map_put(registry.subjects, subject->id, subject), 0);
        held = subject->held = calloc(1, sizeof(*held));
        held->subject = subject;
        held->want.v[PL_RESOURCE_MEMORY_MAX] = (PlValue){ .set = true, .number = MIB(64) };
        held->want.v[PL_RESOURCE_TASKS_MAX] = (PlValue){ .set = true, .number = 9 };
        pl_usage_init(&usage);
        health = (PlHealthdView){ .state = PL_HEALTH_HEALTHY, .latency_usec = PL_UNLIMITED };
        models.text[0] = '\0';
}

static void teardown(void) {
        for (PlResource r = 0; held->owner_errors && r < _PL_RESOURCE_N; r++)
                for (PlOwner o = 0; o < _PL_OWNER_N; o++)
                        free(held->owner_errors[r][o]);
        free(held->owner_errors);
        free(held);
        pl_map_free(registry.subjects);
        pl_container_free(subject->facts);
        free(subject);
        pl_policy_unref(registry.policy);
}

static void set_error(PlResource r, PlOwner o, const char *text) {
        (void)pl_held_set_error(held, r, o, text);
}

/* Each comes (true) and goes. */
static void refuse(bool on) {
        set_error(PL_RESOURCE_MEMORY_MAX, PL_OWNER_KERNEL, on ? "memory.max: busy" : NULL);
}

static void refuse_two(bool on) {
        refuse(on);
        set_error(PL_RESOURCE_TASKS_MAX, PL_OWNER_KERNEL, on ? "pids.max: no" : NULL);
}

static void stand_off(bool on) {
        held->drift.pause_usec = on ? PL_USEC_PER_MIN : 0;
}

static void fail_log(bool on) {
        has_log = on;
        log_status = (PlLogStatus){ .finding = PL_LOG_FINDING_FAILED,
                                    .finding_text = "its log cannot be rotated" };
}

static void fill_disk(bool on) {
        has_log = on;
        log_status = (PlLogStatus){ .finding = PL_LOG_FINDING_FULL,
                                    .finding_text = "the disk is full" };
}

static void watch_log(bool on) {
        has_log = on;
        log_status = (PlLogStatus){ 0 };
}

static void fail_files(bool on) {
        log_files = on ? "/var/log/x cannot be moved" : NULL;
}

static void fail_files_dry(bool on) {
        fail_files(on);
        registry.options.dry_run = on;
}

static void load(bool on, PlOllamaFit fit) {
        has_models = on;
        models.fit = fit;
        (void)snprintf(models.text, sizeof(models.text), "llama needs 9G");
}

static void load_big(bool on) {
        load(on, PL_OLLAMA_TOO_BIG);
}

static void load_tight(bool on) {
        load(on, PL_OLLAMA_TIGHT);
}

static void load_small(bool on) {
        load(on, PL_OLLAMA_FITS);
}

static void load_stopped(bool on) {
        load_big(on);
        subject->facts->phase = on ? PL_PHASE_EXITED : PL_PHASE_RUNNING;
}

static void lack_file(bool on) {
        refuse(on);
        held->unsupported = on ? UINT32_C(1) << PL_RESOURCE_MEMORY_MAX : 0;
}

static void refuse_unwanted(bool on) {
        set_error(PL_RESOURCE_CPU_QUOTA, PL_OWNER_KERNEL, on ? "cpu.max: no" : NULL);
}

static void refuse_by_systemd(bool on) {
        set_error(PL_RESOURCE_MEMORY_MAX, PL_OWNER_SYSTEMD, on ? "no" : NULL);
        set_error(PL_RESOURCE_MEMORY_MAX, PL_OWNER_ENGINE, on ? "no" : NULL);
}

static void pinch(bool on) {
        pinched = on;
}

static PlService with_labels;

static void label(bool on) {
        static char *labels[] = { (char *)"MemoryMax=lots", NULL },
                    *faults[] = { (char *)"label plimsoll.MemoryMax: not understood", NULL };

        with_labels.faults = faults;
        subject->labels = on ? labels : NULL;
        subject->labelled = on ? &with_labels : NULL;
        registry.policy->daemon.labels = on ? pl_strv_copy((char *[]){ (char *)"*", NULL })
                                            : pl_strv_free(registry.policy->daemon.labels);
}

static void label_unknown(bool on) {
        label(on);
        subject->labelled = NULL;
        subject->labels_error = on ? (char *)"No such image" : NULL;
}

/* What nobody heeds is not wrong. */
static void label_unheeded(bool on) {
        label(on);
        registry.policy->daemon.labels = pl_strv_free(registry.policy->daemon.labels);
}

static PlOrigin origins[] = { { "MemoryMax", "x.conf", 3, false } };

/* The section says 64M. */
static void raise_limit(bool on) {
        PlService *s = registry.policy->services[0];

        held->service = on ? s : NULL;
        held->originals.state.created_known = on;
        if (!on) {
                pl_some_limits_deinit(&held->originals.state.created);
                return;
        }
        ck_assert_int_eq(pl_some_limits_put(&held->originals.state.created, PL_RESOURCE_MEMORY_MAX,
                                            &(PlValue){ .set = true, .number = MIB(48) }),
                         0);
        ck_assert_int_eq(pl_some_limits_put(&held->originals.state.created, PL_RESOURCE_TASKS_MAX,
                                            &(PlValue){ .set = true, .number = 9 }),
                         0);
}

static void raise_by_label(bool on) {
        with_labels = *registry.policy->services[0];
        with_labels.origins = origins;
        with_labels.n_origins = 1;
        origins[0].line = 0;
        raise_limit(on);
        held->service = on ? &with_labels : NULL;
}

static void raise_unknown(bool on) {
        raise_limit(on);
        held->originals.state.created_known = false;
}

static void lack_method(bool on) {
        log_method = on ? "2 logs are copied: old kernel" : NULL;
}

static const struct {
        const char *name;
        void (*set)(bool on);
        unsigned n;
        const char *check, *severity, *message;
        bool host;
} rows[] = {
        { "refused", refuse, 1, "limit-refused", "high",
          "MemoryMax= is not in force: memory.max: busy", false },
        { "two refused", refuse_two, 2, "limit-refused", "high", "is not in force", false },
        { "stand-off", stand_off, 1, "limit-standoff", "high", "another manager", false },
        { "log fails", fail_log, 1, "log-rotation", "high", "cannot be rotated", false },
        { "disk full", fill_disk, 1, "log-disk-full", "critical", "the disk is full", false },
        { "log files", fail_files, 1, "log-files", "high", "cannot be moved", false },
        { "model too large", load_big, 1, "model-too-large", "high", "llama needs 9G", false },
        { "models tight", load_tight, 1, "model-tight", "medium", "llama needs 9G", false },
        { "pinched", pinch, 1, "limit-pinch", "medium", "has refused it", false },
        { "label", label, 1, "label", "medium", "label plimsoll.MemoryMax: not", false },
        { "label of nobody knows whom", label_unknown, 1, "label", "medium",
          "its image does not tell which of them are its own (No such image)", false },
        { "raised", raise_limit, 1, "limit-raised", "low",
          "MemoryMax: its creator says 48M, the policy 64M (main.conf:3)", false },
        { "method", lack_method, 1, "log-method", "medium", "2 logs are copied", true },
        /* none */
        { "log well", watch_log, 0, NULL, NULL, NULL, false },
        { "models fit", load_small, 0, NULL, NULL, NULL, false },
        { "models of a stopped one", load_stopped, 0, NULL, NULL, NULL, false },
        { "not in this kernel", lack_file, 0, NULL, NULL, NULL, false },
        { "refused, and wanted no more", refuse_unwanted, 0, NULL, NULL, NULL, false },
        { "the kernel has it", refuse_by_systemd, 0, NULL, NULL, NULL, false },
        { "labels that the policy does not heed", label_unheeded, 0, NULL, NULL, NULL, false },
        { "raised by its creator's own label", raise_by_label, 0, NULL, NULL, NULL, false },
        { "raised, perhaps", raise_unknown, 0, NULL, NULL, NULL, false },
        { "log files in a dry run", fail_files_dry, 0, NULL, NULL, NULL, false },
};

static const char *text_of(const json_t *o, const char *key) {
        return json_string_value(json_object_get(o, key));
}

static json_t *get_status(void) {
        json_t *o = pl_snapshot_status(&from);

        ck_assert_ptr_nonnull(o);
        return o;
}

/* The line counts what the lists show. */
static void check_count(const char *name, unsigned n) {
        _cleanup_free_ char *line = pl_snapshot_line(&from), *expected = NULL;

        ck_assert_int_ge(asprintf(&expected, "; %u finding%s", n, pl_plural(n)), 0);
        ck_assert_msg(n == 0 ? !strstr(line, "finding") : strstr(line, expected) != NULL, "%s: %s",
                      name, line);
}

START_TEST(comes_and_goes) {
        const char *name = rows[_i].name;
        json_t *list = json_array(), *again = json_array(), *status;

        ck_assert_int_eq(pl_findings(&from, subject, list) + pl_findings(&from, NULL, list), 0);
        check_count(name, 0);

        rows[_i].set(true);
        ck_assert_msg(pl_findings(&from, rows[_i].host ? NULL : subject, list) == (int)rows[_i].n,
                      "%s", name);
        ck_assert_msg(pl_findings(&from, rows[_i].host ? subject : NULL, NULL) == 0, "%s", name);
        ck_assert_uint_eq(json_array_size(list), rows[_i].n);
        for (unsigned i = 0; i < rows[_i].n; i++) {
                const json_t *f = json_array_get(list, i);

                ck_assert_str_eq(text_of(f, "check"), rows[_i].check);
                ck_assert_str_eq(text_of(f, "severity"), rows[_i].severity);
                ck_assert_msg(strstr(text_of(f, "message"), rows[_i].message) != NULL, "%s: %s",
                              name, text_of(f, "message"));
                ck_assert_str_eq(text_of(f, "container") ?: "-", rows[_i].host ? "-" : "web-1");
                ck_assert_str_eq(text_of(f, "service") ?: "-", rows[_i].host ? "-" : "web");
        }
        check_count(name, rows[_i].n);
        status = get_status();
        if (!rows[_i].host)
                ck_assert_uint_eq(json_array_size(json_object_get(
                                                  json_array_get(json_object_get(status,
                                                                                 "containers"),
                                                                 0),
                                                  "findings")),
                                  rows[_i].n);
        json_decref(status);

        rows[_i].set(false);
        ck_assert_msg(pl_findings(&from, subject, again) + pl_findings(&from, NULL, again) == 0,
                      "%s", name);
        ck_assert_uint_eq(json_array_size(again), 0);
        check_count(name, 0);
        json_decref(again);
        json_decref(list);
}
END_TEST

/* More than one kind, and more than two of them. */
START_TEST(all_at_once) {
        unsigned n = 0;

        refuse_two(true);
        stand_off(true);
        fill_disk(true);
        fail_files(true);
        load_big(true);
        lack_method(true);
        n = (unsigned)(pl_findings(&from, subject, NULL) + pl_findings(&from, NULL, NULL));
        ck_assert_uint_eq(n, 7);
        check_count("all", 7);
}
END_TEST

/* Before its first inspection there is nothing to say. */
START_TEST(unknown_yet) {
        PlContainer *facts = subject->facts;

        refuse(true);
        subject->facts = NULL;
        ck_assert_int_eq(pl_findings(&from, subject, NULL), 0);
        subject->facts = facts;
}
END_TEST

START_TEST(container_as_it_is) {
        json_t *status, *c;

        held->reading.in_force.v[PL_RESOURCE_MEMORY_MAX] =
                        (PlValue){ .set = true, .number = MIB(64) };
        held->drift.repairs = 3;
        subject->facts->restart_count = 2;
        usage.memory_bytes = MIB(20);
        usage.inactive_file_bytes = MIB(5);
        usage.oom_kills = 1;
        health = (PlHealthdView){ .state = PL_HEALTH_DEGRADED, .reason = "slow" };
        stand_off(true);
        status = get_status();
        c = json_array_get(json_object_get(status, "containers"), 0);
        ck_assert_str_eq(text_of(c, "name"), "web-1");
        ck_assert_str_eq(text_of(c, "service"), "web");
        ck_assert_str_eq(text_of(c, "phase"), "running");
        ck_assert_str_eq(text_of(c, "health"), "degraded");
        ck_assert_str_eq(text_of(c, "reason"), "slow");
        ck_assert_int_eq(json_integer_value(json_object_get(c, "drift_repairs")), 3);
        ck_assert_int_eq(json_integer_value(json_object_get(c, "restarts")), 2);
        ck_assert_int_eq(json_integer_value(json_object_get(c, "oom_kills")), 1);
        ck_assert(json_is_true(json_object_get(c, "repairs_paused")));
        c = json_object_get(c, "usage");
        ck_assert_int_eq(json_integer_value(json_object_get(c, "working_set_bytes")), MIB(15));
        json_decref(status);
}
END_TEST

/* A lost engine: what is known is shown, and called old. */
START_TEST(lost_engine) {
        _cleanup_free_ char *line = NULL;
        json_t *status;

        registry.connected = false;
        registry.stale = true;
        registry.engine_error = (char *)"nobody listens";
        line = pl_snapshot_line(&from);
        ck_assert_msg(strstr(line, "lost the engine (nobody listens)") != NULL, "%s", line);
        status = get_status();
        ck_assert(json_is_true(json_object_get(status, "stale")));
        ck_assert_uint_eq(json_array_size(json_object_get(status, "containers")), 1);
        json_decref(status);
        registry.connected = true;
        registry.stale = false;
        registry.engine_error = NULL;
        status = get_status();
        ck_assert(json_is_false(json_object_get(status, "stale")));
        json_decref(status);
}
END_TEST

/* A required service without a container is a row of its own, and the worst one. */
START_TEST(absent_service) {
        _cleanup_free_ char *line = NULL;
        json_t *status, *c;

        is_absent = true;
        line = pl_snapshot_line(&from);
        ck_assert_msg(strstr(line, "1/2 healthy: db absent (no container)") != NULL, "%s", line);
        status = get_status();
        ck_assert_uint_eq(json_array_size(json_object_get(status, "containers")), 2);
        c = json_array_get(json_object_get(status, "containers"), 1);
        ck_assert_str_eq(text_of(c, "name"), "db");
        ck_assert_str_eq(text_of(c, "phase"), "absent");
        json_decref(status);
}
END_TEST

START_TEST(rejected_policy) {
        _cleanup_free_ char *line = NULL;

        policy_state.error = (char *)"a.conf:3: no such key";
        line = pl_snapshot_line(&from);
        ck_assert_msg(strstr(line, "reload failed, old policy in force: a.conf:3") != NULL, "%s",
                      line);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("findings");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, comes_and_goes, 0, (int)PL_ARRAY_SIZE(rows));
        tcase_add_test(t, all_at_once);
        tcase_add_test(t, unknown_yet);
        tcase_add_test(t, container_as_it_is);
        tcase_add_test(t, lost_engine);
        tcase_add_test(t, absent_service);
        tcase_add_test(t, rejected_policy);
        return run_case(t);
}
