/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Views: the documents of the control socket as people read them: a table of all, one container,
 * one event. Any member may be missing or of another type, and every text goes through
 * pl_text_clean() before it is printed.
 */

#include "lib/status/view.h"

#include <errno.h>
#include <stdarg.h>
#include <time.h>

#include "lib/base/table.h"
#include "lib/base/unit.h"
#include "lib/limits/resource.h"

/* --- what the views share: careful access to members, values in people's words */

/* One value of one limit. */
typedef struct Limit {
        bool known;    /* there is something to say */
        bool promised; /* it is only wanted: nothing is in force that we know of */
        bool unlimited;
        double number; /* bytes, tasks, percent of a CPU; 0 for texts */
        char text[64]; /* "4G", "200%", "∞" */
} Limit;

/* What a printer prints, as a text. Return: 0, -ENOMEM, or what the printer returns. */
typedef int Printer(FILE *f, const json_t *document, const PlViewOptions *o);

#define LABEL_WIDTH 9

/* NULL when it is missing, null or no string. */
static const char *text_of(const json_t *object, const char *key) {
        return json_string_value(json_object_get(object, key));
}

/* PL_UNLIMITED when it is missing, null, negative or no number. */
static uint64_t number_of(const json_t *object, const char *key) {
        const json_t *j = json_object_get(object, key);
        json_int_t n = json_is_integer(j) ? json_integer_value(j) : -1;

        return n < 0 ? PL_UNLIMITED : (uint64_t)n;
}

/* 0 when it is not known. */
static uint64_t count_of(const json_t *object, const char *key) {
        uint64_t n = number_of(object, key);

        return n == PL_UNLIMITED ? 0 : n;
}

static bool bool_of(const json_t *object, const char *key) {
        return json_is_true(json_object_get(object, key));
}

/* "512M", without a useless ".0" */
static const char *size_text(uint64_t bytes, char buf[static PL_FORMAT_MAX]) {
        char *point;

        (void)pl_format_bytes(bytes, buf);
        if ((point = strstr(buf, ".0")))
                memmove(point, point + 2, strlen(point + 2) + 1);
        return buf;
}

static PlResourceKind kind_of(const char *resource) {
        PlResource r = pl_resource_from_name(resource);
        return r == _PL_RESOURCE_INVALID ? PL_KIND_COUNT : pl_resource_info(r)->kind;
}

static void value_text(const json_t *value, PlResourceKind kind, char ret[static 64]) {
        char buf[PL_FORMAT_MAX];

        if (json_is_string(value))
                (void)snprintf(ret, 64, "%s", json_string_value(value));
        else if (!json_is_number(value))
                (void)snprintf(ret, 64, "∞");
        else if (kind == PL_KIND_BYTES)
                (void)snprintf(ret, 64, "%s",
                               size_text((uint64_t)PL_MIN(PL_MAX(json_number_value(value), 0.0),
                                                          0x1p62),
                                         buf));
        else
                (void)snprintf(ret, 64, "%.10g%s", json_number_value(value),
                               kind == PL_KIND_CPU_TIME ? "%" : "");
}

/* Has the member a meaning? A null one is unlimited where it has, unknown or unasked where not. */
static bool limit_has(const json_t *limit, const char *member) {
        return bool_of(limit, pl_streq(member, "wanted") ? "managed" : "known");
}

/* wanted or in_force of a limit object. */
static void limit_text(const json_t *limit, const char *resource, const char *member,
                       char ret[static 64]) {
        if (limit_has(limit, member))
                value_text(json_object_get(limit, member), kind_of(resource), ret);
        else
                (void)snprintf(ret, 64, "-");
}

/* What is in force, or else what is wanted. */
static Limit limit_of(const json_t *container, const char *resource) {
        const json_t *limit = json_object_get(json_object_get(container, "limits"), resource);
        Limit l = { .known = limit_has(limit, "in_force") };

        if (!l.known) {
                l.promised = limit_has(limit, "wanted");
                l.known = l.promised;
        }
        if (!l.known)
                return l;

        const json_t *value = json_object_get(limit, l.promised ? "wanted" : "in_force");
        l.unlimited = json_is_null(value);
        l.number = json_number_value(value);
        value_text(value, kind_of(resource), l.text);
        return l;
}

/* Is it in force as wanted, as far as anything is known? plimsolld has judged that. */
static bool limit_in_line(const json_t *limit) {
        return !limit_has(limit, "wanted") || !limit_has(limit, "in_force") ||
               bool_of(limit, "holds");
}

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

/* A word of ours: in small letters, so it is printed as it is. NULL: none, or not one. */
static const char *word_of(const json_t *object, const char *key) {
        const char *s = json_string_value(json_object_get(object, key));

        return s && *s && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_ ")] == '\0' ? s
                                                                                          : NULL;
}

static PlTint health_tint(const char *health) {
        static const struct {
                const char *word;
                PlTint tint;
        } tints[] = {
                { "healthy", PL_TINT_GOOD },  { "starting", PL_TINT_WARN },
                { "degraded", PL_TINT_WARN }, { "unhealthy", PL_TINT_BAD },
                { "absent", PL_TINT_BAD },    { "finished", PL_TINT_GOOD },
        };

        for (size_t i = 0; health && i < PL_ARRAY_SIZE(tints); i++)
                if (pl_streq(tints[i].word, health))
                        return tints[i].tint;
        return PL_TINT_DIM;
}

static PlTint verdict_tint(const char *verdict) {
        static const struct {
                const char *word;
                PlTint tint;
        } tints[] = {
                { "up", PL_TINT_GOOD },       { "finished", PL_TINT_GOOD },
                { "starting", PL_TINT_WARN }, { "impaired", PL_TINT_WARN },
                { "disputed", PL_TINT_WARN }, { "silent", PL_TINT_BAD },
                { "dead", PL_TINT_BAD },
        };

        for (size_t i = 0; verdict && i < PL_ARRAY_SIZE(tints); i++)
                if (pl_streq(tints[i].word, verdict))
                        return tints[i].tint;
        return PL_TINT_DIM;
}

static PlTint finding_tint(const json_t *finding) {
        const char *severity = word_of(finding, "severity");

        if (severity && (pl_streq(severity, "critical") || pl_streq(severity, "high")))
                return PL_TINT_BAD;
        return PL_TINT_WARN;
}

static PlTint fraction_tint(double fraction) {
        return fraction >= 0.9 ? PL_TINT_BAD : fraction >= 0.75 ? PL_TINT_WARN : PL_TINT_GOOD;
}

static int print_to(Printer *print, const json_t *document, const PlViewOptions *o, char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        int r;

        if (!f)
                return -ENOMEM;
        r = print(f, document, o);
        if (fclose(f) != 0)
                r = -ENOMEM;
        if (r == 0)
                *ret = TAKE_PTR(text);
        return r;
}

/* A line "  label   text", wrapped; nothing for a NULL text. Return: 0, -ENOMEM. */
static int print_field(FILE *f, const PlLook *look, const char *label, PlTint tint,
                       const char *format, ...) PL_PRINTF(5, 6);
static int print_field(FILE *f, const PlLook *look, const char *label, PlTint tint,
                       const char *format, ...) {
        _cleanup_free_ char *raw = NULL, *clean = NULL, *head = NULL;
        _cleanup_free_ char *clean_label = pl_text_clean(label, look);
        va_list ap;

        va_start(ap, format);
        int n = vasprintf(&raw, format, ap);
        va_end(ap);
        if (n < 0) {
                raw = NULL;
                return -ENOMEM;
        }
        if (!clean_label || asprintf(&head, "  %-*s ", LABEL_WIDTH - 1, clean_label) < 0) {
                head = NULL;
                return -ENOMEM;
        }
        clean = pl_text_clean(raw, look);
        if (!clean)
                return -ENOMEM;
        pl_text_tint(f, look, PL_TINT_DIM, head);
        pl_text_wrap(f, look, tint, strlen(head), strlen(head), clean);
        return 0;
}

/* --- what is wrong */

static bool add(json_t *list, const char *format, ...) PL_PRINTF(2, 3);

static bool add(json_t *list, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        json_t *s = json_vsprintf(format, ap);
        va_end(ap);
        return json_array_append_new(list, s) == 0;
}

static bool add_limit(json_t *list, const char *name, const json_t *limit, bool dry_run) {
        const json_t *error;
        size_t i;

        if (!dry_run && !limit_in_line(limit)) {
                char wanted[64], in_force[64];

                limit_text(limit, name, "wanted", wanted);
                limit_text(limit, name, "in_force", in_force);
                /* else its owners' errors say why */
                if (!pl_streq(wanted, in_force) &&
                    !add(list, "%s is %s instead of %s", name, *in_force ? in_force : "not set",
                         *wanted ? wanted : "not set"))
                        return false;
        }
        json_array_foreach(json_object_get(limit, "owner_errors"), i, error) {
                const char *owner = text_of(error, "owner");
                const char *message = text_of(error, "message");

                if (!add(list, "%s: the %s says: %s", name, owner ? owner : "owner",
                         message ? message : "no"))
                        return false;
        }
        return true;
}

json_t *pl_view_problems(const json_t *container, bool dry_run) {
        const char *health = word_of(container, "health");
        const char *reason = text_of(container, "reason");
        json_t *list = json_array();
        const char *name;
        json_t *limit;
        bool ok = list != NULL;

        if (health && (pl_streq(health, "unhealthy") || pl_streq(health, "degraded") ||
                       pl_streq(health, "absent")))
                ok = ok && add(list, "%s%s%s", health, reason ? ": " : "", reason ? reason : "");
        json_object_foreach(json_object_get(container, "limits"), name, limit) ok =
                        ok && add_limit(list, name, limit, dry_run);
        if (bool_of(container, "repairs_paused"))
                ok = ok && add(list, "something keeps changing its limits: repairs are paused");
        if (ok)
                return list;
        json_decref(list);
        return NULL;
}

int pl_view_is_good(const json_t *status) {
        const json_t *container;
        size_t i;

        if (text_of(json_object_get(status, "policy"), "error") ||
            !bool_of(json_object_get(status, "engine"), "connected") || bool_of(status, "stale"))
                return 0;
        json_array_foreach(json_object_get(status, "containers"), i, container) {
                json_t *problems = pl_view_problems(container, bool_of(status, "dry_run"));

                if (!problems)
                        return -ENOMEM;
                bool good = json_array_size(problems) == 0;
                json_decref(problems);
                if (!good)
                        return 0;
        }
        return 1;
}

/* --- everything about one container */

#define VALUE_MAX 2048 /* of a nested member shown as JSON */

static const char *const known[] = {
        "id",       "name",   "service",  "image",     "phase",         "health",         "reason",
        "limits",   "log",    "restarts", "oom_kills", "drift_repairs", "repairs_paused", "usage",
        "findings", "models", "verdicts", "recovery",  "health_since",  "remembered",     "origins",
        "rules",
};

static int print_title(FILE *f, const json_t *c, const PlViewOptions *o) {
        const PlLook *look = &o->look;
        const char *name = text_of(c, "name"), *service = text_of(c, "service");
        const char *phase = word_of(c, "phase"), *health = word_of(c, "health");
        _cleanup_free_ char *clean_name = pl_text_clean(name ? name : "?", look);
        _cleanup_free_ char *clean_service = pl_text_clean(service ? service : "", look);
        PlTint tint = health_tint(health);
        char age[PL_FORMAT_MAX];

        if (!clean_name || !clean_service)
                return -ENOMEM;
        pl_text_tint(f, look, tint, look->utf8 ? "● " : "* ");
        pl_text_tint(f, look, PL_TINT_STRONG, clean_name);
        if (service)
                (void)fprintf(f, "  service %s", clean_service);
        (void)fprintf(f, "  %s, ", phase ? phase : "unknown");
        pl_text_tint(f, look, tint, health ? health : "unknown");
        if (age_text(text_of(c, "health_since"), o->now_usec, age))
                (void)fprintf(f, " for %s", age);
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
                        const char *owner = text_of(error, "owner");
                        const char *message = text_of(error, "message");
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
        const json_t *origins = json_object_get(c, "origins");
        const char *name;
        json_t *limit;
        bool any = false;

        if (!t)
                return -ENOMEM;
        json_object_foreach(json_object_get(c, "limits"), name, limit) {
                char wanted[64], in_force[64];
                bool managed = bool_of(limit, "managed");
                bool in_line = limit_in_line(limit);

                limit_text(limit, name, "wanted", wanted);
                limit_text(limit, name, "in_force", in_force);
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
                else if (json_object_get(origins, name))
                        pl_table_cell(t, 3, PL_TINT_DIM, "%s",
                                      json_string_value(json_object_get(origins, name)) ?: "");
        }
        if (!any)
                return 0;
        (void)fputc('\n', f);
        int r = pl_table_print(t, f);
        return r == 0 ? print_owner_errors(f, c, look) : r;
}

/* What the policy says of its log and health, and where. */
static int print_rules(FILE *f, const json_t *c, const PlLook *look) {
        static const PlColumn columns[] = {
                { .title = "RULE" },
                { .title = "VALUE" },
                { .title = "" },
        };
        _cleanup_(pl_table_freep) PlTable *t = pl_table_new(columns, PL_ARRAY_SIZE(columns), look);
        const json_t *rules = json_object_get(c, "rules");
        const char *name;
        json_t *rule;

        if (!t)
                return -ENOMEM;
        json_object_foreach((json_t *)rules, name, rule) {
                pl_table_row(t);
                pl_table_cell(t, 0, PL_TINT_NONE, "%s", name);
                pl_table_cell(t, 1, PL_TINT_NONE, "%.80s", text_of(rule, "value") ?: "?");
                pl_table_cell(t, 2, PL_TINT_DIM, "%s", text_of(rule, "from") ?: "");
        }
        if (json_object_size(rules) == 0)
                return 0;
        (void)fputc('\n', f);
        return pl_table_print(t, f);
}

static int print_usage(FILE *f, const json_t *c, const PlLook *look) {
        const json_t *usage = json_object_get(c, "usage");
        uint64_t memory = number_of(usage, "memory_bytes");
        uint64_t peak = number_of(usage, "memory_peak_bytes");
        uint64_t working = number_of(usage, "working_set_bytes");
        uint64_t cpu = number_of(usage, "cpu_usec"), pids = number_of(usage, "pids");
        Limit max = limit_of(c, "MemoryMax"), tasks = limit_of(c, "TasksMax");
        char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX], d[PL_FORMAT_MAX];
        int r = 0;

        if (memory != PL_UNLIMITED) {
                double fraction = max.number > 0 ? (double)memory / max.number : -1;
                char percent[32] = "";

                if (fraction >= 0)
                        (void)snprintf(percent, sizeof(percent), " (%.0f%%)", fraction * 100);
                r = print_field(f, look, "memory",
                                fraction >= 0.75 ? fraction_tint(fraction) : PL_TINT_NONE,
                                "%s of %s%s%s%s%s%s", size_text(memory, a),
                                max.known ? max.text : "unknown", percent,
                                working != PL_UNLIMITED ? ", working set " : "",
                                working != PL_UNLIMITED ? size_text(working, d) : "",
                                peak != PL_UNLIMITED ? ", peak " : "",
                                peak != PL_UNLIMITED ? size_text(peak, b) : "");
        }
        if (r == 0 && cpu != PL_UNLIMITED)
                r = print_field(f, look, "CPU", PL_TINT_NONE, "%s in all", pl_format_sec(cpu, a));
        if (r == 0 && pids != PL_UNLIMITED)
                r = print_field(f, look, "tasks", PL_TINT_NONE, "%" PRIu64 " of %s", pids,
                                tasks.known ? tasks.text : "unknown");
        return r;
}

/* What Ollama has loaded, shown next to its usage. */
static int print_models(FILE *f, const json_t *c, const PlLook *look) {
        const json_t *model;
        size_t i;

        json_array_foreach(json_object_get(c, "models"), i, model) {
                const char *name = text_of(model, "name");
                uint64_t size = number_of(model, "size_bytes");
                uint64_t vram = number_of(model, "vram_bytes");
                char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX];
                int r;

                r = print_field(f, look, i == 0 ? "models" : "", PL_TINT_NONE, "%s, %s%s%s%s",
                                name ? name : "?", size_text(size, a),
                                vram > 0 && vram != PL_UNLIMITED ? ", of it " : "",
                                vram > 0 && vram != PL_UNLIMITED ? size_text(vram, b) : "",
                                vram > 0 && vram != PL_UNLIMITED ? " on a GPU" : "");
                if (r < 0)
                        return r;
        }
        return 0;
}

/* " (332K on disk)" where a log takes so much more than what was not archived of it; else "". */
static const char *held_text(const json_t *log, uint64_t more, const char *unit,
                             char buf[static 64]) {
        uint64_t size = number_of(log, "size_bytes"), held = number_of(log, "held_bytes");
        char text[PL_FORMAT_MAX];

        *buf = '\0';
        if (size != PL_UNLIMITED && held != PL_UNLIMITED && held > size && held - size >= more)
                snprintf(buf, 64, " (%s%s)", size_text(held, text), unit);
        return buf;
}

static int print_log(FILE *f, const json_t *c, const PlLook *look) {
        const json_t *log = json_object_get(c, "log");
        const char *path = text_of(log, "path"), *method = word_of(log, "method");
        const char *why = text_of(log, "why");
        uint64_t size = number_of(log, "size_bytes");
        uint64_t archived = number_of(log, "archived_bytes");
        char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX], held[64];

        if (!path || !*path)
                return 0;
        return print_field(f, look, "log", PL_TINT_NONE, "%s%s%s%s%s%s%s%s%s%s", path,
                           size != PL_UNLIMITED ? ", " : "",
                           size != PL_UNLIMITED ? size_text(size, a) : "",
                           held_text(log, KIB(64), " on disk", held),
                           archived != PL_UNLIMITED && archived > 0 ? ", archived " : "",
                           archived != PL_UNLIMITED && archived > 0 ? size_text(archived, b) : "",
                           method ? ", method " : "", method ? method : "",
                           method && why && *why ? ": " : "", method && why ? why : "");
}

static int print_container_findings(FILE *f, const json_t *c, const PlLook *look) {
        const json_t *finding;
        int r = 0;
        size_t i;

        json_array_foreach(json_object_get(c, "findings"), i, finding) {
                const char *severity = word_of(finding, "severity");
                const char *message = text_of(finding, "message");

                if (r == 0)
                        r = print_field(f, look, "finding", finding_tint(finding), "%s: %s",
                                        severity ? severity : "?", message ? message : "?");
        }
        return r;
}

static int print_counters(FILE *f, const json_t *c, const PlLook *look) {
        uint64_t kills = count_of(c, "oom_kills");

        return print_field(f, look, "counted", kills > 0 ? PL_TINT_BAD : PL_TINT_NONE,
                           "restarts %" PRIu64 ", OOM kills %" PRIu64 ", drift repairs %" PRIu64
                           "%s",
                           count_of(c, "restarts"), kills, count_of(c, "drift_repairs"),
                           bool_of(c, "repairs_paused") ? "; repairs are paused" : "");
}

/* Of its service, whose containers come and go. */
static int print_remembered(FILE *f, const json_t *c, const PlLook *look) {
        const json_t *line;
        int r = 0;
        size_t i;

        json_array_foreach(json_object_get(c, "remembered"), i, line) if (r == 0) r =
                        print_field(f, look, i == 0 ? "remembered" : "", PL_TINT_NONE, "%s",
                                    json_string_value(line) ? json_string_value(line) : "?");
        return r;
}

static bool is_known(const char *key) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(known); i++)
                if (pl_streq(known[i], key))
                        return true;
        return false;
}

static bool is_events(const json_t *value) {
        return text_of(json_array_get(value, 0), "message") != NULL;
}

static int print_events(FILE *f, const char *key, const json_t *list, const PlViewOptions *o) {
        _cleanup_free_ char *clean = pl_text_clean(key, &o->look);
        const json_t *event;
        size_t i;

        if (!clean)
                return -ENOMEM;
        (void)fputc('\n', f);
        pl_text_tint(f, &o->look, PL_TINT_DIM, clean);
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

/* Members that this file does not know, except lists of events. */
static int print_other_fields(FILE *f, const json_t *c, const PlLook *look) {
        const char *key;
        json_t *value;
        int r = 0;

        json_object_foreach((json_t *)c, key, value) {
                if (is_known(key) || json_is_null(value) || is_events(value) || r < 0)
                        continue;
                if (json_is_string(value)) {
                        r = print_field(f, look, key, PL_TINT_NONE, "%s", json_string_value(value));
                        continue;
                }
                _cleanup_free_ char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
                r = text ? print_field(f, look, key, PL_TINT_NONE, "%.*s", VALUE_MAX, text)
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

/* What it was lately, the newest first: when that began, and why. */
static int print_verdicts(FILE *f, const json_t *list, const PlViewOptions *o) {
        const json_t *v;
        int r = 0;
        size_t i;

        json_array_foreach(list, i, v) {
                const char *verdict = word_of(v, "verdict"), *evidence = text_of(v, "evidence");
                uint64_t n = number_of(v, "count");
                char first[PL_FORMAT_MAX] = "?", last[PL_FORMAT_MAX] = "?", times[128] = "";

                (void)age_text(text_of(v, "first_at"), o->now_usec, first);
                if (n > 1 && n != PL_UNLIMITED &&
                    age_text(text_of(v, "last_at"), o->now_usec, last))
                        (void)snprintf(times, sizeof(times), " (%" PRIu64 " times, last %s ago)", n,
                                       last);
                if (r == 0)
                        r = print_field(f, &o->look, i == 0 ? "verdicts" : "",
                                        verdict_tint(verdict), "%s ago %s%s%s%s", first,
                                        verdict ? verdict : "?", evidence && *evidence ? ": " : "",
                                        evidence ? evidence : "", times);
        }
        return r;
}

/* Who has restarted it, what is left of the budget, and why nothing is done now. */
static int print_recovery(FILE *f, const json_t *recovery, const PlViewOptions *o) {
        const json_t *restarts = json_object_get(recovery, "restarts");
        const json_t *budget = json_object_get(recovery, "budget");
        const json_t *gave_up = json_object_get(recovery, "gave_up");
        const char *why = text_of(json_object_get(recovery, "no_restart"), "text");
        const char *reason = text_of(gave_up, "reason");
        uint64_t left = number_of(budget, "left"), window = number_of(budget, "window_usec");
        char text[128] = "", age[PL_FORMAT_MAX], span[PL_FORMAT_MAX];
        int r = 0;

        if (!json_is_object(recovery))
                return 0;
        if (why)
                r = print_field(f, &o->look, "restart", PL_TINT_WARN, "not now: %s", why);
        if (r == 0 && age_text(text_of(gave_up, "at"), o->now_usec, age))
                r = print_field(f, &o->look, "gave up", PL_TINT_BAD, "%s ago%s%s", age,
                                reason ? ": " : "", reason ? reason : "");
        if (left != PL_UNLIMITED && window != PL_UNLIMITED)
                (void)snprintf(text, sizeof(text), "; %" PRIu64 " of %" PRIu64 " left in %s", left,
                               number_of(budget, "max"), pl_format_sec(window, span));
        if (r == 0)
                r = print_field(f, &o->look, "restarts", PL_TINT_NONE,
                                "%" PRIu64 " by plimsolld, %" PRIu64 " by the engine, %" PRIu64
                                " by others%s",
                                count_of(restarts, "plimsolld"), count_of(restarts, "engine"),
                                count_of(restarts, "others"), text);
        return r;
}

static int print_container(FILE *f, const json_t *c, const PlViewOptions *o) {
        const PlLook *look = &o->look;
        const char *image = text_of(c, "image"), *id = text_of(c, "id");
        const char *reason = text_of(c, "reason");
        int r = print_title(f, c, o);

        if (r == 0 && reason)
                r = print_field(f, look, "reason", health_tint(word_of(c, "health")), "%s", reason);
        if (r == 0)
                r = print_recovery(f, json_object_get(c, "recovery"), o);
        if (r == 0)
                r = print_verdicts(f, json_object_get(c, "verdicts"), o);
        if (r == 0)
                r = print_field(f, look, "image", PL_TINT_NONE, "%s", image ? image : "unknown");
        if (r == 0)
                r = print_field(f, look, "id", PL_TINT_NONE, "%s", id ? id : "unknown");
        if (r == 0)
                r = print_usage(f, c, look);
        if (r == 0)
                r = print_models(f, c, look);
        if (r == 0)
                r = print_log(f, c, look);
        if (r == 0)
                r = print_container_findings(f, c, look);
        if (r == 0)
                r = print_counters(f, c, look);
        if (r == 0)
                r = print_remembered(f, c, look);
        if (r == 0)
                r = print_other_fields(f, c, look);
        if (r == 0)
                r = print_limits(f, c, look);
        if (r == 0)
                r = print_rules(f, c, look);
        return r == 0 ? print_histories(f, c, o) : r;
}

int pl_view_show(const json_t *container, const PlViewOptions *o, char **ret) {
        return print_to(print_container, container, o, ret);
}

/* --- a probe's conversation */

/* Of a text that the daemon has escaped already: its backslashes stay. NULL: out of memory. */
static char *clean_again(const char *s, const PlLook *look) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        while (*s) {
                _cleanup_free_ char *piece = strndup(s, strcspn(s, "\\"));
                _cleanup_free_ char *clean = piece ? pl_text_clean(piece, look) : NULL;

                if (!clean) {
                        (void)fclose(f);
                        free(text);
                        return NULL;
                }
                s += strlen(piece);
                (void)fprintf(f, "%s%s", clean, *s ? "\\" : "");
                s += *s == '\\';
        }
        return pl_take_text(f, &text);
}

/* "  > GET /health HTTP/1.1": what was sent, what came, and between them what happened. */
static int print_step(FILE *f, const json_t *step, const PlLook *look, const char **direction) {
        const char *what = text_of(step, "what"), *text = text_of(step, "text");
        _cleanup_free_ char *clean = clean_again(text ? text : "", look);
        PlTint tint = PL_TINT_NONE;
        const char *mark = *direction;

        if (!clean)
                return -ENOMEM;
        if (!what)
                return 0;
        if (pl_streq(what, "address") || pl_streq(what, "note") || pl_streq(what, "tls")) {
                mark = pl_streq(what, "address") ? "" : "  ";
                tint = pl_streq(what, "address") ? PL_TINT_STRONG : PL_TINT_DIM;
        } else if (pl_streq(what, "failed")) {
                mark = "  ";
                tint = PL_TINT_BAD;
        } else if (pl_streq(what, "sent")) {
                *direction = mark = look->utf8 ? "→ " : "> ";
        } else if (!pl_streq(what, "header")) {
                *direction = mark = look->utf8 ? "← " : "< ";
        } else {
                tint = PL_TINT_DIM;
        }
        (void)fputs("  ", f);
        pl_text_tint(f, look, PL_TINT_DIM, mark);
        pl_text_wrap(f, look, tint, 2 + pl_text_width(mark, look), *mark ? 6 : 4, clean);
        return 0;
}

static int print_verdict(FILE *f, const json_t *c, const PlLook *look) {
        const char *verdict = word_of(c, "verdict"), *reason = text_of(c, "reason");
        const char *code = text_of(c, "code"), *remedy = text_of(c, "remedy");
        uint64_t took = number_of(c, "took_usec");
        char span[PL_FORMAT_MAX];
        bool why = reason && *reason;
        int r;

        if (!json_is_true(json_object_get(c, "asked")))
                r = print_field(f, look, "no probe", PL_TINT_WARN, "%s", why ? reason : "?");
        else
                r = print_field(f, look, "verdict", verdict_tint(verdict), "%s%s%s%s%s%s",
                                verdict ? verdict : "?", why ? ": " : "", why ? reason : "",
                                code ? " [" : "", code ? code : "", code ? "]" : "");
        if (r == 0 && remedy)
                r = print_field(f, look, "remedy", PL_TINT_NONE, "%s", remedy);
        if (r == 0 && took != PL_UNLIMITED)
                r = print_field(f, look, "took", PL_TINT_NONE, "%s", pl_format_sec(took, span));
        return r;
}

static int print_probe(FILE *f, const json_t *c, const PlViewOptions *o) {
        const PlLook *look = &o->look;
        const char *name = text_of(c, "name"), *service = text_of(c, "service");
        const char *probe = word_of(c, "probe"), *direction = "  ";
        _cleanup_free_ char *clean_name = pl_text_clean(name ? name : "?", look);
        _cleanup_free_ char *clean_service = pl_text_clean(service ? service : "", look);
        const json_t *step;
        int r = 0;
        size_t i;

        if (!clean_name || !clean_service)
                return -ENOMEM;
        pl_text_tint(f, look, verdict_tint(word_of(c, "verdict")), look->utf8 ? "● " : "* ");
        pl_text_tint(f, look, PL_TINT_STRONG, clean_name);
        if (service)
                (void)fprintf(f, "  service %s", clean_service);
        if (probe)
                (void)fprintf(f, "  probe %s", probe);
        (void)fputc('\n', f);
        json_array_foreach(json_object_get(c, "conversation"), i, step) if (r == 0) r =
                        print_step(f, step, look, &direction);
        return r == 0 ? print_verdict(f, c, look) : r;
}

int pl_view_probe(const json_t *conversation, const PlViewOptions *o, char **ret) {
        return print_to(print_probe, conversation, o, ret);
}

/* --- the table */

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

/* At 80 columns everything but the last counters fits, with names cut to their minimum. */
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

static int print_engine(FILE *f, const json_t *status, const PlLook *look) {
        const json_t *engine = json_object_get(status, "engine");
        const char *version = text_of(engine, "version"), *api = text_of(engine, "api");
        const char *url = text_of(engine, "url"), *error = text_of(engine, "error");

        if (!bool_of(engine, "connected"))
                return print_field(f, look, "engine", PL_TINT_BAD, "not connected%s%s%s%s",
                                   url ? " to " : "", url ? url : "", error ? ": " : "",
                                   error ? error : "");
        return print_field(f, look, "engine", PL_TINT_NONE, "%s, API %s%s%s",
                           version ? version : "unknown", api ? api : "unknown", url ? " on " : "",
                           url ? url : "");
}

static int print_policy(FILE *f, const json_t *status, const PlViewOptions *o) {
        const json_t *policy = json_object_get(status, "policy");
        const char *file = text_of(policy, "file"), *error = text_of(policy, "error");
        char age[PL_FORMAT_MAX];
        bool aged = age_text(text_of(policy, "loaded_at"), o->now_usec, age);
        int r = print_field(f, &o->look, "policy", PL_TINT_NONE, "%s%s%s%s", file ? file : "none",
                            aged ? ", loaded " : "", aged ? age : "", aged ? " ago" : "");

        if (r == 0 && error)
                r = print_field(f, &o->look, "", PL_TINT_BAD,
                                "a newer one was rejected, this one stays in force: %s", error);
        return r;
}

static int print_findings(FILE *f, const json_t *status, const PlLook *look) {
        static const char *const words[] = { "critical", "high", "medium", "low" };
        const json_t *findings = json_object_get(status, "findings");
        char text[128] = "";

        for (size_t i = 0; i < PL_ARRAY_SIZE(words); i++) {
                uint64_t n = number_of(findings, words[i]);
                size_t used = strlen(text);

                if (n > 0 && n != PL_UNLIMITED)
                        (void)snprintf(text + used, sizeof(text) - used, "%s%" PRIu64 " %s",
                                       used ? ", " : "", n, words[i]);
        }
        if (!*text)
                return 0;
        uint64_t critical = number_of(findings, "critical");
        bool bad = critical > 0 && critical != PL_UNLIMITED;
        return print_field(f, look, "findings", bad ? PL_TINT_BAD : PL_TINT_NONE, "%s", text);
}

/* Findings of no container; the others are shown with their container. */
static int print_host_findings(FILE *f, const json_t *status, const PlLook *look) {
        const json_t *finding;
        int r = 0;
        size_t i;

        json_array_foreach(json_object_get(status, "host_findings"), i, finding) {
                const char *severity = word_of(finding, "severity");
                const char *message = text_of(finding, "message");

                if (r == 0 && severity && message)
                        r = print_field(f, look, "", finding_tint(finding), "%s: %s", severity,
                                        message);
        }
        return r;
}

/* So long a turn is felt: it says why limits or probes came late. */
#define LONG_TURN_USEC (100 * PL_USEC_PER_MSEC)

static int print_loop(FILE *f, const json_t *status, const PlLook *look) {
        const json_t *loop = json_object_get(status, "loop");
        uint64_t usec = number_of(loop, "longest_usec"), cpu_usec = number_of(loop, "cpu_usec");
        const char *doing = text_of(loop, "doing");
        char took[PL_FORMAT_MAX], cpu[PL_FORMAT_MAX];

        if (!doing || usec == PL_UNLIMITED || usec < LONG_TURN_USEC || cpu_usec == PL_UNLIMITED)
                return 0;
        return print_field(f, look, "slowest", PL_TINT_NONE,
                           "one turn of plimsolld's loop took %s, %s of it on a CPU (%s)",
                           pl_format_sec(usec, took), pl_format_sec(cpu_usec, cpu), doing);
}

static int print_head(FILE *f, const json_t *status, const PlViewOptions *o) {
        const char *version = text_of(status, "version");
        const char *summary = text_of(status, "summary");
        _cleanup_free_ char *clean = pl_text_clean(summary ? summary : "", &o->look);
        _cleanup_free_ char *number = pl_text_clean(version ? version : "", &o->look);
        _cleanup_free_ char *title = NULL;
        int good = pl_view_is_good(status), r;

        if (!clean || !number || good < 0 || asprintf(&title, "plimsolld %s", number) < 0)
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
            (r = print_host_findings(f, status, &o->look)) < 0 ||
            (r = print_loop(f, status, &o->look)) < 0)
                return r;
        if (bool_of(status, "dry_run"))
                r = print_field(f, &o->look, "DRY RUN", PL_TINT_WARN,
                                "nothing is changed; DryRun=no in the policy lets limits be set");
        if (r == 0 && bool_of(status, "stale"))
                r = print_field(f, &o->look, "STALE", PL_TINT_WARN, "%s",
                                text_of(json_object_get(status, "engine"), "version")
                                                ? "what follows was true when the engine last "
                                                  "answered"
                                                : "nothing is known yet: the engine has not "
                                                  "answered since plimsolld started");
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
                const char *id = text_of(before, "id");

                if (!id || !row->id || !pl_streq(id, row->id))
                        continue;
                uint64_t a = number_of(json_object_get(before, "usage"), "cpu_usec");
                uint64_t b = number_of(json_object_get(row->container, "usage"), "cpu_usec");
                if (a == PL_UNLIMITED || b == PL_UNLIMITED || b < a || o->elapsed_usec == 0)
                        return -1;
                return (double)(b - a) * 100.0 / (double)o->elapsed_usec;
        }
        return -1;
}

static void fill_memory(PlTable *t, const Row *row) {
        Limit max = limit_of(row->container, "MemoryMax");
        char buf[PL_FORMAT_MAX];
        bool used = row->memory_bytes != PL_UNLIMITED;

        if (!used && !max.known)
                return;
        double fraction = used && !max.unlimited && max.number > 0
                                          ? (double)row->memory_bytes / max.number
                                          : -1;
        bool tight = fraction >= 0.75 && !max.promised;

        pl_table_cell(t, COLUMN_MEMORY,
                      tight   ? fraction_tint(fraction)
                      : !used ? PL_TINT_DIM
                              : PL_TINT_NONE,
                      "%6s/%s", used ? size_text(row->memory_bytes, buf) : "-",
                      max.known ? max.text : "-");
        if (fraction >= 0) {
                pl_table_bar(t, COLUMN_BAR, fraction_tint(fraction), fraction);
                pl_table_cell(t, COLUMN_PERCENT, PL_TINT_DIM, "%.0f%%", fraction * 100);
        }
}

static void fill_cpu(PlTable *t, const Row *row) {
        Limit max = limit_of(row->container, "CPUQuota");

        if (row->cpu_percent >= 0) {
                double fraction = max.number > 0 ? row->cpu_percent / max.number : 0;
                pl_table_cell(t, COLUMN_CPU,
                              fraction >= 0.75 ? fraction_tint(fraction) : PL_TINT_NONE, "%.1f%%",
                              row->cpu_percent);
        }
        if (max.known)
                pl_table_cell(t, COLUMN_CPU_MAX, max.promised ? PL_TINT_DIM : PL_TINT_NONE, "%s",
                              max.text);
}

static void fill_log(PlTable *t, const Row *row) {
        const json_t *log = json_object_get(row->container, "log");
        uint64_t size = number_of(log, "size_bytes");
        uint64_t archived = number_of(log, "archived_bytes");
        const char *method = word_of(log, "method");
        char buf[PL_FORMAT_MAX], held[64];

        if (size != PL_UNLIMITED)
                pl_table_cell(t, COLUMN_LOG, PL_TINT_NONE, "%s%s", size_text(size, buf),
                              held_text(log, MIB(1), "", held));
        if (archived != PL_UNLIMITED && archived > 0)
                pl_table_cell(t, COLUMN_ARCHIVED, PL_TINT_NONE, "%s", size_text(archived, buf));
        if (method)
                pl_table_cell(t, COLUMN_LOG_METHOD, PL_TINT_DIM, "%s", method);
}

static void fill_counters(PlTable *t, const Row *row) {
        const json_t *c = row->container;
        Limit max = limit_of(c, "TasksMax");
        uint64_t pids = number_of(json_object_get(c, "usage"), "pids");
        uint64_t restarts = number_of(c, "restarts"), kills = number_of(c, "oom_kills");
        uint64_t repairs = number_of(c, "drift_repairs");
        bool paused = bool_of(c, "repairs_paused");

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
        const char *phase = text_of(row->container, "phase");
        const char *health = text_of(row->container, "health");
        bool running = phase && pl_streq(phase, "running");

        pl_table_row(t);
        pl_table_cell(t, COLUMN_SERVICE, row->service ? PL_TINT_STRONG : PL_TINT_DIM, "%s",
                      row->service ? row->service : "-");
        pl_table_cell(t, COLUMN_CONTAINER, row->service ? PL_TINT_NONE : PL_TINT_DIM, "%s",
                      row->name ? row->name : (row->id ? row->id : "?"));
        pl_table_cell(t, COLUMN_PHASE, running ? PL_TINT_NONE : PL_TINT_WARN, "%s",
                      phase ? phase : "unknown");
        pl_table_cell(t, COLUMN_HEALTH, health_tint(health), "● %s", health ? health : "unknown");
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
                                 .service = text_of(c, "service"),
                                 .name = text_of(c, "name"),
                                 .id = text_of(c, "id"),
                                 .memory_bytes = number_of(json_object_get(c, "usage"),
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
                const char *severity = word_of(finding, "severity");
                const char *message = text_of(finding, "message");

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
        PlTint tint = health_tint(text_of(row->container, "health"));
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
                        (void)fputs("    ", f);
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
                r = print_problems(f, &rows[i], bool_of(status, "dry_run"), &o->look, &any);
        return r;
}

int pl_view_status(const json_t *status, const PlViewOptions *o, char **ret) {
        return print_to(print_status, status, o, ret);
}

/* --- one event as one line, as journalctl would show it: when, who, what */

/* syslog(3) priorities */
static PlTint priority_tint(uint64_t priority) {
        return priority <= 3                               ? PL_TINT_BAD
               : priority == 4                             ? PL_TINT_WARN
               : priority == 5                             ? PL_TINT_STRONG
               : priority >= 7 && priority != PL_UNLIMITED ? PL_TINT_DIM
                                                           : PL_TINT_NONE;
}

static void print_event_time(FILE *f, uint64_t usec, const PlLook *look) {
        time_t seconds = (time_t)(usec / PL_USEC_PER_SEC);
        char text[64] = "-";
        struct tm tm;

        if (usec != PL_UNLIMITED && localtime_r(&seconds, &tm))
                (void)strftime(text, sizeof(text), "%b %d %H:%M:%S", &tm);
        pl_text_tint(f, look, PL_TINT_DIM, text);
}

static int print_event(FILE *f, const json_t *event, const PlViewOptions *o) {
        const char *container = text_of(event, "container");
        const char *message = text_of(event, "message");
        _cleanup_free_ char *who = pl_text_clean(container ? container : "plimsolld", &o->look);
        _cleanup_free_ char *what = pl_text_clean(message ? message : "", &o->look);

        if (!who || !what)
                return -ENOMEM;
        print_event_time(f, number_of(event, "time_usec"), &o->look);
        (void)fputs("  ", f);
        pl_text_tint(f, &o->look, container ? PL_TINT_STRONG : PL_TINT_DIM, who);
        (void)fputs(": ", f);
        pl_text_tint(f, &o->look, priority_tint(number_of(event, "priority")), what);
        (void)fputc('\n', f);
        return 0;
}

int pl_view_event(const json_t *event, const PlViewOptions *o, char **ret) {
        return print_to(print_event, event, o, ret);
}
