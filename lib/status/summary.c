/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Summary: see the header. Names and reasons come from containers and the engine: all are escaped
 * and cut.
 */

#include "lib/status/summary.h"

#include "lib/base/diag.h"
#include "lib/base/quote.h"
#include "lib/base/unit.h"

/* Long reasons make `systemctl status` wrap; the whole text is in the journal. */
#define REASON_MAX 80
/* … but of a policy's error it is the end that says what would be right. */
#define ERROR_MAX 600

static void write_health(FILE *f, const PlSummary *s) {
        _cleanup_free_ char *name = NULL, *reason = NULL;

        if (s->n_watched > 0)
                fprintf(f, "%u/%u healthy%s", s->n_healthy, s->n_watched,
                        s->n_finished > 0 ? ", " : "");
        if (s->n_finished > 0)
                fprintf(f, "%u finished", s->n_finished);
        if (!s->worst_name)
                return;
        name = pl_escape(s->worst_name, REASON_MAX);
        reason = s->worst_reason ? pl_escape(s->worst_reason, REASON_MAX) : NULL;
        fprintf(f, ": %s %s", name ?: "?", s->worst_health);
        if (reason)
                fprintf(f, " (%s)", reason);
}

static void write_engine(FILE *f, const PlSummary *s) {
        _cleanup_free_ char *why = s->engine_error ? pl_escape(s->engine_error, REASON_MAX) : NULL;

        fprintf(f, "%s the engine%s%s%s%s", s->synced ? "lost" : "waiting for", why ? " (" : "",
                why ?: "", why ? ")" : "", s->synced ? ", limits stay in force" : "");
}

static void write_line(FILE *f, const PlSummary *s) {
        char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX];

        if (s->policy_error) {
                _cleanup_free_ char *e = pl_escape(s->policy_error, ERROR_MAX);

                fprintf(f, "reload failed, old policy in force: %s; ", e ?: "?");
        }
        if (s->dry_run)
                fputs("DRY RUN, nothing is changed; ", f);
        if (!s->engine_connected) {
                write_engine(f, s);
                return;
        }
        if (!s->synced) {
                fputs("reading containers", f);
                return;
        }
        if (s->n_watched + s->n_finished > 0) {
                write_health(f, s);
                fputs("; ", f);
        }
        if (s->n_governed == 0)
                fputs("no container matches the policy yet", f);
        else
                fprintf(f, "limits %u/%u%s", s->n_limits_in_force, s->n_limits_wanted,
                        s->dry_run ? " already as wanted" : "");
        if (s->n_standoffs > 0)
                fprintf(f, "; %u in stand-off with another manager", s->n_standoffs);
        if (s->log_bytes > 0 || (s->log_max_bytes > 0 && s->log_max_bytes != PL_UNLIMITED)) {
                fprintf(f, "; logs %s", pl_format_bytes(s->log_bytes, a));
                if (s->log_max_bytes != PL_UNLIMITED && s->log_max_bytes > 0)
                        fprintf(f, " of %s", pl_format_bytes(s->log_max_bytes, b));
        }
        if (s->n_findings > 0)
                fprintf(f, "; %" PRIu64 " finding%s", s->n_findings, pl_plural(s->n_findings));
}

char *pl_summary_line(const PlSummary *s) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        write_line(f, s);
        return pl_take_text(f, &text);
}

const char *pl_summary_kernel(uint32_t wanted, uint32_t unsupported, uint32_t held) {
        if (wanted & ~unsupported & ~held)
                return "The kernel does not hold all of them either";
        return wanted & ~unsupported ? "They are in force in the kernel"
                                     : "The kernel has none of them either";
}

static void write_change(FILE *f, PlResource r, const PlValue *value, const PlValue *was,
                         bool *first) {
        _cleanup_free_ char *to = NULL, *from = NULL;

        if (pl_value_to_string(r, value, &to) < 0 || pl_value_to_string(r, was, &from) < 0)
                return; /* the text is shorter, not wrong */
        fprintf(f, "%s%s=%s", *first ? "" : ", ", pl_resource_info(r)->name, to);
        if (!pl_streq(to, from))
                fprintf(f, " (was %s)", from);
        *first = false;
}

char *pl_summary_values(const PlLimits *values, const PlLimits *was, uint32_t mask) {
        char *text = NULL;
        size_t size = 0;
        bool first = true;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (mask & (UINT32_C(1) << r))
                        write_change(f, r, &values->v[r], &was->v[r], &first);
        return pl_take_text(f, &text);
}

char *pl_summary_steps(const PlPlan *plan, PlStepKind kind, uint32_t mask) {
        char *text = NULL;
        size_t size = 0;
        bool first = true;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (size_t i = 0; i < plan->n_steps; i++) {
                const PlStep *step = &plan->steps[i];

                if (step->kind != kind || !(mask & (1U << step->resource)) ||
                    pl_value_equal(&step->value, &step->before))
                        continue; /* on v1 MemorySwapMax= stays as it is by being written anew */
                write_change(f, step->resource, &step->value, &step->before, &first);
        }
        return pl_take_text(f, &text);
}
