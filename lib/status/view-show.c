/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Everything about one container on one page.
 *
 * Members that this file does not know, from a newer daemon or another part of it, are shown by
 * their shape: a list of events as history, a plain value as a field. Nothing is hidden.
 */

#include "lib/status/view.h"

#include <errno.h>

#include "lib/base/table.h"
#include "lib/status/view-internal.h"

#define VALUE_MAX 2048 /* of a nested member shown as JSON */

static const char *const known[] = {
        "id",       "name",   "service",  "image",     "phase",         "health",         "reason",
        "limits",   "log",    "restarts", "oom_kills", "drift_repairs", "repairs_paused", "usage",
        "findings", "models",
};

static int print_title(FILE *f, const json_t *c, const PlLook *look) {
        const char *name = pl_view_text(c, "name"), *service = pl_view_text(c, "service");
        const char *phase = pl_view_text(c, "phase"), *health = pl_view_text(c, "health");
        _cleanup_free_ char *clean_name = pl_text_clean(name ? name : "?", look);
        _cleanup_free_ char *clean_service = pl_text_clean(service ? service : "", look);
        PlTint tint = pl_view_health_tint(health);

        if (!clean_name || !clean_service)
                return -ENOMEM;
        pl_text_tint(f, look, tint, look->utf8 ? "● " : "* ");
        pl_text_tint(f, look, PL_TINT_STRONG, clean_name);
        if (service)
                (void)fprintf(f, "  service %s", clean_service);
        (void)fprintf(f, "  %s, ", phase ? phase : "unknown");
        pl_text_tint(f, look, tint, health ? health : "unknown");
        (void)fputc('\n', f);
        return 0;
}

/* What each owner that refused has said, in full. */
static int print_owner_errors(FILE *f, const json_t *c, const PlLook *look) {
        const json_t *error;
        const char *name;
        json_t *limit;
        size_t i;

        json_object_foreach(json_object_get(c, "limits"), name, limit) {
                json_array_foreach(json_object_get(limit, "owner_errors"), i, error) {
                        const char *owner = pl_view_text(error, "owner");
                        const char *message = pl_view_text(error, "message");
                        _cleanup_free_ char *raw = NULL, *clean = NULL;

                        if (asprintf(&raw, "%s: the %s says: %s", name, owner ? owner : "owner",
                                     message ? message : "no") < 0) {
                                raw = NULL;
                                return -ENOMEM;
                        }
                        if (!(clean = pl_text_clean(raw, look)))
                                return -ENOMEM;
                        pl_text_tint(f, look, PL_TINT_WARN, look->utf8 ? "● " : "* ");
                        pl_text_wrap(f, look, PL_TINT_NONE, 2, 2, clean);
                }
        }
        return 0;
}

static int print_limits(FILE *f, const json_t *c, const PlLook *look) {
        static const PlColumn columns[] = {
                { .title = "LIMIT" },
                { .title = "WANTED", .right = true },
                { .title = "IN FORCE", .right = true },
                { .title = "" },
        };
        _cleanup_(pl_table_freep) PlTable *t = pl_table_new(columns, PL_ARRAY_SIZE(columns), look);
        const char *name;
        json_t *limit;
        bool any = false;

        if (!t)
                return -ENOMEM;
        json_object_foreach(json_object_get(c, "limits"), name, limit) {
                char wanted[64], in_force[64];
                bool managed = pl_view_bool(limit, "managed");
                bool in_line = pl_view_limit_in_line(limit, name);

                pl_view_limit_text(limit, name, "wanted", wanted);
                pl_view_limit_text(limit, name, "in_force", in_force);
                any = true;
                pl_table_row(t);
                pl_table_cell(t, 0, managed ? PL_TINT_NONE : PL_TINT_DIM, "%s", name);
                pl_table_cell(t, 1, managed ? PL_TINT_NONE : PL_TINT_DIM, "%s", wanted);
                pl_table_cell(t, 2,
                              !in_line  ? PL_TINT_BAD
                              : managed ? PL_TINT_GOOD
                                        : PL_TINT_DIM,
                              "%s", in_force);
                if (!managed || !in_line)
                        pl_table_cell(t, 3, in_line ? PL_TINT_DIM : PL_TINT_BAD, "%s",
                                      in_line ? "left alone" : "out of line");
        }
        if (!any)
                return 0;
        (void)fputc('\n', f);
        int r = pl_table_print(t, f);
        return r == 0 ? print_owner_errors(f, c, look) : r;
}

static int print_usage(FILE *f, const json_t *c, const PlLook *look) {
        const json_t *usage = json_object_get(c, "usage");
        uint64_t memory = pl_view_number(usage, "memory_bytes");
        uint64_t peak = pl_view_number(usage, "memory_peak_bytes");
        uint64_t working = pl_view_number(usage, "working_set_bytes");
        uint64_t cpu = pl_view_number(usage, "cpu_usec"), pids = pl_view_number(usage, "pids");
        PlViewLimit max = pl_view_limit(c, "MemoryMax"), tasks = pl_view_limit(c, "TasksMax");
        char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX], d[PL_FORMAT_MAX];
        int r = 0;

        if (memory != PL_UNLIMITED) {
                double fraction = max.number > 0 ? (double)memory / max.number : -1;
                char percent[32] = "";

                if (fraction >= 0)
                        (void)snprintf(percent, sizeof(percent), " (%.0f%%)", fraction * 100);
                r = pl_view_field(f, look, "memory",
                                  fraction >= 0.75 ? pl_view_fraction_tint(fraction) : PL_TINT_NONE,
                                  "%s of %s%s%s%s%s%s", pl_view_size(memory, a),
                                  max.known ? max.text : "unknown", percent,
                                  working != PL_UNLIMITED ? ", working set " : "",
                                  working != PL_UNLIMITED ? pl_view_size(working, d) : "",
                                  peak != PL_UNLIMITED ? ", peak " : "",
                                  peak != PL_UNLIMITED ? pl_view_size(peak, b) : "");
        }
        if (r == 0 && cpu != PL_UNLIMITED)
                r = pl_view_field(f, look, "CPU", PL_TINT_NONE, "%s in all", pl_format_sec(cpu, a));
        if (r == 0 && pids != PL_UNLIMITED)
                r = pl_view_field(f, look, "tasks", PL_TINT_NONE, "%" PRIu64 " of %s", pids,
                                  tasks.known ? tasks.text : "unknown");
        return r;
}

/* What Ollama has loaded, which is to be seen beside what it uses. */
static int print_models(FILE *f, const json_t *c, const PlLook *look) {
        const json_t *model;
        size_t i;

        json_array_foreach(json_object_get(c, "models"), i, model) {
                const char *name = pl_view_text(model, "name");
                uint64_t size = pl_view_number(model, "size_bytes");
                uint64_t vram = pl_view_number(model, "vram_bytes");
                char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX];
                int r;

                r = pl_view_field(f, look, i == 0 ? "models" : "", PL_TINT_NONE, "%s, %s%s%s%s",
                                  name ? name : "?", pl_view_size(size, a),
                                  vram > 0 && vram != PL_UNLIMITED ? ", of it " : "",
                                  vram > 0 && vram != PL_UNLIMITED ? pl_view_size(vram, b) : "",
                                  vram > 0 && vram != PL_UNLIMITED ? " on a GPU" : "");
                if (r < 0)
                        return r;
        }
        return 0;
}

static int print_log(FILE *f, const json_t *c, const PlLook *look) {
        const json_t *log = json_object_get(c, "log");
        const char *path = pl_view_text(log, "path"), *method = pl_view_text(log, "method");
        const char *why = pl_view_text(log, "why");
        uint64_t size = pl_view_number(log, "size_bytes");
        uint64_t archived = pl_view_number(log, "archived_bytes");
        char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX];

        if (!path || !*path)
                return 0;
        return pl_view_field(f, look, "log", PL_TINT_NONE, "%s%s%s%s%s%s%s%s%s", path,
                             size != PL_UNLIMITED ? ", " : "",
                             size != PL_UNLIMITED ? pl_view_size(size, a) : "",
                             archived != PL_UNLIMITED && archived > 0 ? ", archived " : "",
                             archived != PL_UNLIMITED && archived > 0 ? pl_view_size(archived, b)
                                                                      : "",
                             method ? ", method " : "", method ? method : "",
                             method && why && *why ? ": " : "", method && why ? why : "");
}

static int print_findings(FILE *f, const json_t *c, const PlLook *look) {
        const json_t *finding;
        int r = 0;
        size_t i;

        json_array_foreach(json_object_get(c, "findings"), i, finding) {
                const char *severity = pl_view_text(finding, "severity");
                const char *message = pl_view_text(finding, "message");

                if (r == 0)
                        r = pl_view_field(f, look, "finding", pl_view_finding_tint(finding),
                                          "%s: %s", severity ? severity : "?",
                                          message ? message : "?");
        }
        return r;
}

static int print_counters(FILE *f, const json_t *c, const PlLook *look) {
        uint64_t restarts = pl_view_number(c, "restarts"), kills = pl_view_number(c, "oom_kills");
        uint64_t repairs = pl_view_number(c, "drift_repairs");

        return pl_view_field(
                        f, look, "counted",
                        kills > 0 && kills != PL_UNLIMITED ? PL_TINT_BAD : PL_TINT_NONE,
                        "restarts %" PRIu64 ", OOM kills %" PRIu64 ", drift repairs %" PRIu64 "%s",
                        restarts == PL_UNLIMITED ? 0 : restarts, kills == PL_UNLIMITED ? 0 : kills,
                        repairs == PL_UNLIMITED ? 0 : repairs,
                        pl_view_bool(c, "repairs_paused") ? "; repairs are paused" : "");
}

static bool is_known(const char *key) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(known); i++)
                if (pl_streq(known[i], key))
                        return true;
        return false;
}

static bool is_events(const json_t *value) {
        return pl_view_text(json_array_get(value, 0), "message") != NULL;
}

static int print_events(FILE *f, const char *key, const json_t *list, const PlViewOptions *o) {
        const json_t *event;
        size_t i;

        (void)fputc('\n', f);
        pl_text_tint(f, &o->look, PL_TINT_DIM, key);
        (void)fputc('\n', f);
        json_array_foreach(list, i, event) {
                _cleanup_free_ char *line = NULL;
                int r = pl_view_event(event, o, &line);

                if (r < 0)
                        return r;
                (void)fputs(line, f);
        }
        return 0;
}

/* Members of no name that this file knows, but for lists of events. */
static int print_other_fields(FILE *f, const json_t *c, const PlLook *look) {
        const char *key;
        json_t *value;
        int r = 0;

        json_object_foreach((json_t *)c, key, value) {
                if (is_known(key) || json_is_null(value) || is_events(value) || r < 0)
                        continue;
                if (json_is_string(value)) {
                        r = pl_view_field(f, look, key, PL_TINT_NONE, "%s",
                                          json_string_value(value));
                        continue;
                }
                _cleanup_free_ char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
                r = text ? pl_view_field(f, look, key, PL_TINT_NONE, "%.*s", VALUE_MAX, text)
                         : -ENOMEM;
        }
        return r;
}

static int print_histories(FILE *f, const json_t *c, const PlViewOptions *o) {
        const char *key;
        json_t *value;
        int r = 0;

        json_object_foreach((json_t *)c, key,
                            value) if (r == 0 && !is_known(key) && is_events(value)) r =
                        print_events(f, key, value, o);
        return r;
}

static int print_container(FILE *f, const json_t *c, const PlViewOptions *o) {
        const PlLook *look = &o->look;
        const char *image = pl_view_text(c, "image"), *id = pl_view_text(c, "id");
        const char *reason = pl_view_text(c, "reason");
        int r = print_title(f, c, look);

        if (r == 0 && reason)
                r = pl_view_field(f, look, "reason", pl_view_health_tint(pl_view_text(c, "health")),
                                  "%s", reason);
        if (r == 0)
                r = pl_view_field(f, look, "image", PL_TINT_NONE, "%s", image ? image : "unknown");
        if (r == 0)
                r = pl_view_field(f, look, "id", PL_TINT_NONE, "%s", id ? id : "unknown");
        if (r == 0)
                r = print_usage(f, c, look);
        if (r == 0)
                r = print_models(f, c, look);
        if (r == 0)
                r = print_log(f, c, look);
        if (r == 0)
                r = print_findings(f, c, look);
        if (r == 0)
                r = print_counters(f, c, look);
        if (r == 0)
                r = print_other_fields(f, c, look);
        if (r == 0)
                r = print_limits(f, c, look);
        return r == 0 ? print_histories(f, c, o) : r;
}

int pl_view_show(const json_t *container, const PlViewOptions *o, char **ret) {
        return pl_view_print(print_container, container, o, ret);
}
