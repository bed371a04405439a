/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Findings: a table of kinds. Whoever noticed something keeps it and has reported it; this file
 * only collects what there is now. A new kind is a row, and a function that says where it holds.
 */

#include "status/findings.h"

#include <errno.h>

#include "enforce/slices.h"
#include "lib/policy/dump.h"
#include "lib/status/wire.h"

/* Where findings go: counted always, collected where there is a list. */
typedef struct Collector {
        const PlSources *from;
        const PlSubject *subject; /* NULL: the host */
        json_t *list;
        unsigned n;
        bool failed; /* out of memory */
} Collector;

static void add(Collector *c, PlFindingSeverity severity, const char *check, const char *message) {
        const PlSubject *s = c->subject;
        const PlFinding f = {
                .severity = severity,
                .check = check,
                .container_name = s ? pl_subject_name(s) : NULL,
                .container_id = s ? s->id : NULL,
                .service = s && s->service ? (s->service->name ?: "defaults") : NULL,
                .message = message,
        };

        c->n++;
        if (c->list && json_array_append_new(c->list, pl_wire_finding(&f)) < 0)
                c->failed = true;
}

static void find_log(Collector *c) {
        static const struct {
                PlFindingSeverity severity;
                const char *check;
        } kinds[] = {
                [PL_LOG_FINDING_FAILED] = { PL_FINDING_HIGH, "log-rotation" },
                [PL_LOG_FINDING_FULL] = { PL_FINDING_CRITICAL, "log-disk-full" },
        };
        PlLogStatus log;

        if (c->from->logs && pl_logs_status(c->from->logs, c->subject->id, &log) &&
            log.finding_text)
                add(c, kinds[log.finding].severity, kinds[log.finding].check, log.finding_text);
}

static void find_log_files(Collector *c) {
        const char *text = pl_log_paths_finding(c->from->log_paths, c->subject->id);

        if (text && !pl_registry_is_dry_run(c->from->registry))
                add(c, PL_FINDING_HIGH, "log-files", text);
}

static void find_standoff(Collector *c) {
        if (pl_drift_is_standoff(&c->subject->held->drift))
                add(c, PL_FINDING_HIGH, "limit-standoff",
                    "another manager keeps changing its limits, and repairs are paused: find it "
                    "(the journal names the means), or drop the value from the policy");
}

/* What the host cannot do at all was said once, and is no finding. */
static void find_refused(Collector *c) {
        const PlHeld *h = c->subject->held;
        uint32_t mask = (pl_held_wanted(h) & ~h->unsupported) | h->truth.impossible;

        if (!h->owner_errors)
                return;
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                _cleanup_free_ char *text = NULL;
                const char *why = h->owner_errors[r][PL_OWNER_KERNEL];

                if (!why || !(mask & (1U << r)))
                        continue;
                if (asprintf(&text, "%s= is not in force: %s", pl_resource_info(r)->name, why) < 0)
                        text = NULL;
                add(c, PL_FINDING_HIGH,
                    h->truth.evaded & (1U << r) ? "limit-evaded" : "limit-refused", text ?: why);
        }
}

static void find_models(Collector *c) {
        const PlModels *m = pl_health_act_models(c->from->health, c->subject);

        if (!m || m->fit == PL_OLLAMA_FITS || !pl_container_is_live(c->subject->facts))
                return;
        add(c, m->fit == PL_OLLAMA_TOO_BIG ? PL_FINDING_HIGH : PL_FINDING_MEDIUM,
            m->fit == PL_OLLAMA_TOO_BIG ? "model-too-large" : "model-tight", m->text);
}

/* Which section governs it may be its image's own choice, and nobody can tell. */
static void find_image(Collector *c) {
        const PlSubject *s = c->subject;
        const PlService *section = pl_service_section(s->service);
        _cleanup_free_ char *text = NULL;
        size_t at, n;

        if (!s->labels_error || !section || c->from->registry->policy->daemon.match_image_labels)
                return;
        n = pl_service_match_line(section, s->facts, &at);
        while (n > 0 && (section->matches[at].kind == PL_MATCH_NAME ||
                         section->matches[at].kind == PL_MATCH_IMAGE)) {
                at++;
                n--;
        }
        if (n == 0)
                return;
        if (asprintf(&text,
                     "its labels choose [Service %s] for it, and its image does not tell whether "
                     "they are its own (%s)",
                     section->name, s->labels_error) < 0)
                text = NULL;
        add(c, PL_FINDING_MEDIUM, "image-labels", text ?: s->labels_error);
}

/* Labels of it that say nothing, while the policy lets labels say something. */
static void find_labels(Collector *c) {
        const PlSubject *s = c->subject;
        _cleanup_free_ char *text = NULL;

        if (!c->from->registry->policy->daemon.labels || !s->labels)
                return;
        for (char **v = s->labelled ? s->labelled->faults : NULL; v && *v; v++)
                add(c, PL_FINDING_MEDIUM, "label", *v);
        if (!s->labels_error)
                return;
        if (asprintf(&text,
                     "its labels are not heeded: its image does not tell which of them are its "
                     "own (%s)",
                     s->labels_error) < 0)
                text = NULL;
        add(c, PL_FINDING_MEDIUM, "label", text ?: s->labels_error);
}

/* Which is meant, or a section that matches more than it should. */
static void find_raised(Collector *c) {
        const PlHeld *h = c->subject->held;
        const PlLimits created = pl_some_limits_all(&h->originals.state.created);
        _cleanup_free_ char *text = NULL;

        if (h->service && h->originals.state.created_known)
                text = pl_policy_raised(h->service, &created);
        if (text)
                add(c, PL_FINDING_LOW, "limit-raised", text);
}

/* What is told before it kills. */
static void find_pinches(Collector *c) {
        for (PlPinchKind k = 0; k < _PL_PINCH_N; k++) {
                const char *text = pl_keeper_pinch(c->from->keeper, c->subject, k);

                if (text)
                        add(c, PL_FINDING_MEDIUM, "limit-pinch", text);
        }
}

/* What it is part of, or shares a network with, and what would end a lack of that. */
static void find_part(Collector *c) {
        PlHealthdView v;

        if (!pl_healthd_get(pl_health_act_patients(c->from->health), c->subject->id, &v) || !v.part)
                return;
        add(c,
            v.part_kind == PL_PART_NO_KEY                                ? PL_FINDING_LOW
            : v.part_kind == PL_PART_GONE || v.part_kind == PL_PART_LEFT ? PL_FINDING_HIGH
                                                                         : PL_FINDING_MEDIUM,
            "part-of", v.part);
}

/* Of the host: why a log method of the policy does not work here. */
static void find_log_methods(Collector *c) {
        for (int why = 0; c->from->logs && why < _PL_ROTATE_WHY_N; why++) {
                _cleanup_free_ char *text = pl_logs_method_finding(c->from->logs, why);

                if (text)
                        add(c, PL_FINDING_MEDIUM, "log-method", text);
        }
}

/* Of the host: why values that are in force have no effect. */
static void find_no_effect(Collector *c) {
        const char *text;

        for (unsigned i = 0; c->from->enforcer && (text = pl_slices_finding(c->from->enforcer, i));
             i++)
                add(c, PL_FINDING_MEDIUM, "limit-no-effect", text);
}

/* Of the host: who is to be told, and is not. */
static void find_untold(Collector *c) {
        char *text;

        for (size_t i = 0; (text = pl_outbox_finding(c->from->outbox, i)); i++) {
                add(c, PL_FINDING_HIGH, "notify", text);
                free(text);
        }
}

/* Of the host: whom nobody looks after. */
static void find_unknown(Collector *c) {
        const PlRegistry *g = c->from->registry;
        _cleanup_free_ char *over = NULL, *large = NULL;
        size_t n = 0;
        PlSubject *s;

        PL_MAP_FOREACH(s, g->subjects)
        n += s->refused;
        if (g->n_over > 0 &&
            asprintf(&over, "the engine has more than %d containers: %zu are not looked at",
                     PL_REGISTRY_MAX, g->n_over) >= 0)
                add(c, PL_FINDING_HIGH, "too-many-containers", over);
        if (n > 0 &&
            asprintf(&large,
                     "%zu container%s not looked at: all of them say more of themselves (labels, "
                     "command lines) than plimsolld keeps",
                     n, n == 1 ? " is" : "s are") >= 0)
                add(c, PL_FINDING_HIGH, "too-many-containers", large);
}

static void (*const kinds[])(Collector *c) = {
        find_log,     find_log_files, find_standoff, find_refused, find_models,
        find_pinches, find_image,     find_labels,   find_raised,  find_part,
};

int pl_findings(const PlSources *from, const PlSubject *s, json_t *list) {
        Collector c = { .from = from, .subject = s, .list = list };

        if (!s) {
                find_log_methods(&c);
                find_no_effect(&c);
                find_untold(&c);
                find_unknown(&c);
        }
        for (size_t i = 0; s && s->facts && s->held && i < PL_ARRAY_SIZE(kinds); i++)
                kinds[i](&c);
        return c.failed ? -ENOMEM : (int)c.n;
}
