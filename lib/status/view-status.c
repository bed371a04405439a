/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Status as a table: who, how well, how much of what it may use.
 */

#include "lib/status/view.h"

#include <errno.h>
#include <time.h>

#include "lib/base/table.h"
#include "lib/status/view-internal.h"

enum {
        COLUMN_SERVICE,
        COLUMN_CONTAINER,
        COLUMN_PHASE,
        COLUMN_HEALTH,
        COLUMN_MEMORY,
        COLUMN_BAR,
        COLUMN_PERCENT,
        COLUMN_CPU,
        COLUMN_CPU_MAX,
        COLUMN_TASKS,
        COLUMN_LOG,
        COLUMN_ARCHIVED,
        COLUMN_LOG_METHOD,
        COLUMN_RESTARTS,
        COLUMN_OOM_KILLS,
        COLUMN_REPAIRS,
};

/* At 80 columns everything but the last counters fits: names are cut to their least for that. */
static const PlColumn columns[] = {
        [COLUMN_SERVICE] = { .title = "SERVICE", .drop = 2, .min = 8 },
        [COLUMN_CONTAINER] = { .title = "CONTAINER", .min = 12 },
        [COLUMN_PHASE] = { .title = "PHASE", .drop = 7 },
        [COLUMN_HEALTH] = { .title = "HEALTH" },
        [COLUMN_MEMORY] = { .title = "MEMORY" },
        [COLUMN_BAR] = { .title = "", .drop = 6, .bar = true, .min = 6, .max = 16 },
        [COLUMN_PERCENT] = { .title = "", .drop = 8, .right = true },
        [COLUMN_CPU] = { .title = "CPU", .drop = 1, .right = true },
        [COLUMN_CPU_MAX] = { .title = "QUOTA", .drop = 3, .right = true },
        [COLUMN_TASKS] = { .title = "TASKS", .drop = 9, .right = true },
        [COLUMN_LOG] = { .title = "LOG", .drop = 10, .right = true },
        [COLUMN_ARCHIVED] = { .title = "ARCHIVED", .drop = 12, .right = true },
        [COLUMN_LOG_METHOD] = { .title = "METHOD", .drop = 13 },
        [COLUMN_RESTARTS] = { .title = "RESTARTS", .drop = 11, .right = true },
        [COLUMN_OOM_KILLS] = { .title = "OOM", .drop = 5, .right = true },
        [COLUMN_REPAIRS] = { .title = "DRIFT", .drop = 4, .right = true },
};

/* ---- the head ---- */

/* "2026-11-24T00:10:12Z" to an age in words. Return: false when it is no such time. */
static bool age_text(const char *when, uint64_t now_usec, char ret[static PL_FORMAT_MAX]) {
        struct tm tm = {};

        if (!when || !strptime(when, "%Y-%m-%dT%H:%M:%SZ", &tm))
                return false;
        uint64_t usec = (uint64_t)timegm(&tm) * PL_USEC_PER_SEC;
        if (usec > now_usec)
                return false;
        (void)pl_format_sec((now_usec - usec) / PL_USEC_PER_SEC * PL_USEC_PER_SEC, ret);
        return true;
}

static int print_engine(FILE *f, const json_t *status, const PlLook *look) {
        const json_t *engine = json_object_get(status, "engine");
        const char *version = pl_view_text(engine, "version"), *api = pl_view_text(engine, "api");
        const char *url = pl_view_text(engine, "url"), *error = pl_view_text(engine, "error");

        if (!pl_view_bool(engine, "connected"))
                return pl_view_field(f, look, "engine", PL_TINT_BAD, "not connected%s%s%s%s",
                                     url ? " to " : "", url ? url : "", error ? ": " : "",
                                     error ? error : "");
        return pl_view_field(f, look, "engine", PL_TINT_NONE, "%s, API %s%s%s",
                             version ? version : "unknown", api ? api : "unknown",
                             url ? " on " : "", url ? url : "");
}

static int print_policy(FILE *f, const json_t *status, const PlViewOptions *o) {
        const json_t *policy = json_object_get(status, "policy");
        const char *file = pl_view_text(policy, "file"), *error = pl_view_text(policy, "error");
        char age[PL_FORMAT_MAX];
        bool aged = age_text(pl_view_text(policy, "loaded_at"), o->now_usec, age);
        int r = pl_view_field(f, &o->look, "policy", PL_TINT_NONE, "%s%s%s%s", file ? file : "none",
                              aged ? ", loaded " : "", aged ? age : "", aged ? " ago" : "");

        if (r == 0 && error)
                r = pl_view_field(f, &o->look, "", PL_TINT_BAD,
                                  "a newer one was rejected, this one stays in force: %s", error);
        return r;
}

static int print_findings(FILE *f, const json_t *status, const PlLook *look) {
        static const char *const words[] = { "critical", "high", "medium", "low" };
        const json_t *findings = json_object_get(status, "findings");
        char text[128] = "";

        for (size_t i = 0; i < PL_ARRAY_SIZE(words); i++) {
                uint64_t n = pl_view_number(findings, words[i]);
                size_t used = strlen(text);

                if (n > 0 && n != PL_UNLIMITED)
                        (void)snprintf(text + used, sizeof(text) - used, "%s%" PRIu64 " %s",
                                       used ? ", " : "", n, words[i]);
        }
        if (!*text)
                return 0;
        uint64_t critical = pl_view_number(findings, "critical");
        bool bad = critical > 0 && critical != PL_UNLIMITED;
        return pl_view_field(f, look, "findings", bad ? PL_TINT_BAD : PL_TINT_NONE, "%s", text);
}

/* Those of no container; the others stand with theirs. */
static int print_host_findings(FILE *f, const json_t *status, const PlLook *look) {
        const json_t *finding;
        int r = 0;
        size_t i;

        json_array_foreach(json_object_get(status, "host_findings"), i, finding) {
                const char *severity = pl_view_text(finding, "severity");
                const char *message = pl_view_text(finding, "message");

                if (r == 0 && severity && message)
                        r = pl_view_field(f, look, "", pl_view_finding_tint(finding), "%s: %s",
                                          severity, message);
        }
        return r;
}

static int print_head(FILE *f, const json_t *status, const PlViewOptions *o) {
        const char *version = pl_view_text(status, "version");
        const char *summary = pl_view_text(status, "summary");
        _cleanup_free_ char *clean = pl_text_clean(summary ? summary : "", &o->look);
        _cleanup_free_ char *title = NULL;
        int good = pl_view_is_good(status), r;

        if (!clean || good < 0 || asprintf(&title, "plimsolld %s", version ? version : "") < 0)
                return -ENOMEM;
        pl_text_tint(f, &o->look, good ? PL_TINT_GOOD : PL_TINT_BAD, o->look.utf8 ? "●" : "*");
        (void)fputc(' ', f);
        pl_text_tint(f, &o->look, PL_TINT_STRONG, title);
        if (*clean) {
                (void)fputs("  ", f);
                pl_text_wrap(f, &o->look, PL_TINT_NONE, 4 + strlen(title), 4, clean);
        } else
                (void)fputc('\n', f);

        if ((r = print_engine(f, status, &o->look)) < 0 || (r = print_policy(f, status, o)) < 0 ||
            (r = print_findings(f, status, &o->look)) < 0 ||
            (r = print_host_findings(f, status, &o->look)) < 0)
                return r;
        if (pl_view_bool(status, "dry_run"))
                r = pl_view_field(f, &o->look, "DRY RUN", PL_TINT_WARN,
                                  "nothing is changed; DryRun=no in the policy lets limits be set");
        if (r == 0 && pl_view_bool(status, "stale"))
                r = pl_view_field(f, &o->look, "STALE", PL_TINT_WARN,
                                  "what follows was true when the engine last answered");
        return r;
}

/* ---- rows ---- */

typedef struct Row {
        const json_t *container;
        const char *service, *name, *id;
        double cpu_percent; /* in use; below 0: unknown */
        uint64_t memory_bytes;
} Row;

static double cpu_in_use(const Row *row, const PlViewOptions *o) {
        const json_t *before;
        size_t i;

        json_array_foreach(json_object_get(o->previous, "containers"), i, before) {
                const char *id = pl_view_text(before, "id");

                if (!id || !row->id || !pl_streq(id, row->id))
                        continue;
                uint64_t a = pl_view_number(json_object_get(before, "usage"), "cpu_usec");
                uint64_t b = pl_view_number(json_object_get(row->container, "usage"), "cpu_usec");
                if (a == PL_UNLIMITED || b == PL_UNLIMITED || b < a || o->elapsed_usec == 0)
                        return -1;
                return (double)(b - a) * 100.0 / (double)o->elapsed_usec;
        }
        return -1;
}

static void fill_memory(PlTable *t, const Row *row) {
        PlViewLimit max = pl_view_limit(row->container, "MemoryMax");
        char buf[PL_FORMAT_MAX];
        bool used = row->memory_bytes != PL_UNLIMITED;

        if (!used && !max.known)
                return;
        double fraction = used && !max.unlimited && max.number > 0
                                          ? (double)row->memory_bytes / max.number
                                          : -1;
        bool tight = fraction >= 0.75 && !max.promised;

        pl_table_cell(t, COLUMN_MEMORY,
                      tight   ? pl_view_fraction_tint(fraction)
                      : !used ? PL_TINT_DIM
                              : PL_TINT_NONE,
                      "%6s/%s", used ? pl_view_size(row->memory_bytes, buf) : "-",
                      max.known ? max.text : "-");
        if (fraction >= 0) {
                pl_table_bar(t, COLUMN_BAR, pl_view_fraction_tint(fraction), fraction);
                pl_table_cell(t, COLUMN_PERCENT, PL_TINT_DIM, "%.0f%%", fraction * 100);
        }
}

static void fill_cpu(PlTable *t, const Row *row) {
        PlViewLimit max = pl_view_limit(row->container, "CPUQuota");

        if (row->cpu_percent >= 0) {
                double fraction = max.number > 0 ? row->cpu_percent / max.number : 0;
                pl_table_cell(t, COLUMN_CPU,
                              fraction >= 0.75 ? pl_view_fraction_tint(fraction) : PL_TINT_NONE,
                              "%.1f%%", row->cpu_percent);
        }
        if (max.known)
                pl_table_cell(t, COLUMN_CPU_MAX, max.promised ? PL_TINT_DIM : PL_TINT_NONE, "%s",
                              max.text);
}

static void fill_log(PlTable *t, const Row *row) {
        const json_t *log = json_object_get(row->container, "log");
        uint64_t size = pl_view_number(log, "size_bytes");
        uint64_t archived = pl_view_number(log, "archived_bytes");
        const char *method = pl_view_text(log, "method");
        char buf[PL_FORMAT_MAX];

        if (size != PL_UNLIMITED)
                pl_table_cell(t, COLUMN_LOG, PL_TINT_NONE, "%s", pl_view_size(size, buf));
        if (archived != PL_UNLIMITED && archived > 0)
                pl_table_cell(t, COLUMN_ARCHIVED, PL_TINT_NONE, "%s", pl_view_size(archived, buf));
        if (method)
                pl_table_cell(t, COLUMN_LOG_METHOD, PL_TINT_DIM, "%s", method);
}

static void fill_counters(PlTable *t, const Row *row) {
        const json_t *c = row->container;
        PlViewLimit max = pl_view_limit(c, "TasksMax");
        uint64_t pids = pl_view_number(json_object_get(c, "usage"), "pids");
        uint64_t restarts = pl_view_number(c, "restarts"), kills = pl_view_number(c, "oom_kills");
        uint64_t repairs = pl_view_number(c, "drift_repairs");
        bool paused = pl_view_bool(c, "repairs_paused");

        if (pids != PL_UNLIMITED)
                pl_table_cell(t, COLUMN_TASKS,
                              max.number > 0 && (double)pids >= 0.9 * max.number ? PL_TINT_BAD
                                                                                 : PL_TINT_NONE,
                              "%" PRIu64 "/%s", pids, max.known ? max.text : "-");
        if (restarts != PL_UNLIMITED && restarts > 0)
                pl_table_cell(t, COLUMN_RESTARTS, PL_TINT_WARN, "%" PRIu64, restarts);
        if (kills != PL_UNLIMITED && kills > 0)
                pl_table_cell(t, COLUMN_OOM_KILLS, PL_TINT_BAD, "%" PRIu64, kills);
        if (repairs != PL_UNLIMITED && (repairs > 0 || row->service))
                pl_table_cell(t, COLUMN_REPAIRS,
                              paused        ? PL_TINT_BAD
                              : repairs > 0 ? PL_TINT_NONE
                                            : PL_TINT_DIM,
                              "%" PRIu64 "%s", repairs, paused ? "!" : "");
}

static void fill_row(PlTable *t, const Row *row) {
        const char *phase = pl_view_text(row->container, "phase");
        const char *health = pl_view_text(row->container, "health");
        bool running = phase && pl_streq(phase, "running");

        pl_table_row(t);
        pl_table_cell(t, COLUMN_SERVICE, row->service ? PL_TINT_STRONG : PL_TINT_DIM, "%s",
                      row->service ? row->service : "-");
        pl_table_cell(t, COLUMN_CONTAINER, row->service ? PL_TINT_NONE : PL_TINT_DIM, "%s",
                      row->name ? row->name : (row->id ? row->id : "?"));
        pl_table_cell(t, COLUMN_PHASE, running ? PL_TINT_NONE : PL_TINT_WARN, "%s",
                      phase ? phase : "unknown");
        pl_table_cell(t, COLUMN_HEALTH, pl_view_health_tint(health), "● %s",
                      health ? health : "unknown");
        fill_memory(t, row);
        fill_cpu(t, row);
        fill_log(t, row);
        fill_counters(t, row);
}

/* ---- order ---- */

static int compare_text(const char *a, const char *b) {
        return a && b ? strcmp(a, b) : (b ? 1 : 0) - (a ? 1 : 0);
}

static int compare_rows(const void *pa, const void *pb, void *userdata) {
        const Row *a = pa, *b = pb;
        const PlViewOptions *o = userdata;
        int r = 0;

        if (o->sort == PL_VIEW_SORT_CPU)
                r = (a->cpu_percent < b->cpu_percent) - (a->cpu_percent > b->cpu_percent);
        else if (o->sort == PL_VIEW_SORT_MEMORY) {
                uint64_t x = a->memory_bytes + 1, y = b->memory_bytes + 1; /* unknown becomes 0 */
                r = (x < y) - (x > y);
        }
        if (r == 0)
                r = compare_text(a->service, b->service);
        if (r == 0)
                r = compare_text(a->name, b->name);
        return r ? r : compare_text(a->id, b->id);
}

static Row *rows_new(const json_t *status, const PlViewOptions *o, size_t *ret_n) {
        const json_t *list = json_object_get(status, "containers"), *c;
        Row *rows = calloc(json_array_size(list) + 1, sizeof(*rows));
        size_t i;

        if (!rows)
                return NULL;
        json_array_foreach(list, i, c) {
                rows[i] = (Row){ .container = c,
                                 .service = pl_view_text(c, "service"),
                                 .name = pl_view_text(c, "name"),
                                 .id = pl_view_text(c, "id"),
                                 .memory_bytes = pl_view_number(json_object_get(c, "usage"),
                                                                "memory_bytes") };
                rows[i].cpu_percent = cpu_in_use(&rows[i], o);
        }
        *ret_n = json_array_size(list);
        qsort_r(rows, *ret_n, sizeof(*rows), compare_rows, (void *)o);
        return rows;
}

/* ---- what is wrong ---- */

/* Problems, then findings, one text each. Return: new reference, NULL: out of memory. */
static json_t *trouble_new(const json_t *container, bool dry_run) {
        json_t *list = pl_view_problems(container, dry_run);
        const json_t *finding;
        size_t i;

        json_array_foreach(json_object_get(container, "findings"), i, finding) {
                const char *severity = pl_view_text(finding, "severity");
                const char *message = pl_view_text(finding, "message");

                if (list && severity && message)
                        (void)json_array_append_new(list,
                                                    json_sprintf("%s: %s", severity, message));
        }
        return list;
}

/* The first problem stands behind the container's name, the others below it. */
static int print_problems(FILE *f, const Row *row, bool dry_run, const PlLook *look, bool *any) {
        _cleanup_free_ char *name = pl_text_clean(row->name ? row->name : "?", look);
        json_t *problems = trouble_new(row->container, dry_run);
        PlTint tint = pl_view_health_tint(pl_view_text(row->container, "health"));
        const json_t *p;
        int r = problems && name ? 0 : -ENOMEM;
        size_t i;

        json_array_foreach(problems, i, p) {
                _cleanup_free_ char *text = pl_text_clean(json_string_value(p), look);

                if (r < 0 || !text)
                        break;
                if (!*any)
                        (void)fputc('\n', f);
                *any = true;
                if (i == 0) {
                        pl_text_tint(f, look, tint == PL_TINT_BAD ? PL_TINT_BAD : PL_TINT_WARN,
                                     look->utf8 ? "● " : "* ");
                        pl_text_tint(f, look, PL_TINT_STRONG, name);
                        (void)fputs("  ", f);
                } else
                        pl_text_pad(f, 4);
                pl_text_wrap(f, look, PL_TINT_NONE, i == 0 ? 4 + pl_text_width(name, look) : 4, 4,
                             text);
        }
        json_decref(problems);
        return r;
}

static int print_status(FILE *f, const json_t *status, const PlViewOptions *o) {
        _cleanup_(pl_table_freep) PlTable *t =
                        pl_table_new(columns, PL_ARRAY_SIZE(columns), &o->look);
        _cleanup_free_ Row *rows = NULL;
        bool any = false;
        size_t n = 0;
        int r = print_head(f, status, o);

        rows = rows_new(status, o, &n);
        if (r < 0 || !t || !rows)
                return -ENOMEM;
        (void)fputc('\n', f);
        if (n == 0) {
                (void)fputs("No containers.\n", f);
                return 0;
        }
        for (size_t i = 0; i < n; i++)
                fill_row(t, &rows[i]);
        r = pl_table_print(t, f);
        for (size_t i = 0; r == 0 && i < n; i++)
                r = print_problems(f, &rows[i], pl_view_bool(status, "dry_run"), &o->look, &any);
        return r;
}

int pl_view_status(const json_t *status, const PlViewOptions *o, char **ret) {
        return pl_view_print(print_status, status, o, ret);
}
