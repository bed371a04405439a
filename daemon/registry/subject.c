/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Subject: its name, and what is reported about it. See the header.
 */

#include "registry/subject.h"

#include <stdarg.h>

const char *pl_subject_name(const PlSubject *s) {
        return s->facts && s->facts->name && *s->facts->name ? s->facts->name : s->id;
}

PL_PRINTF(4, 0)
static void report(const PlReporter *r, const PlSubject *s, PlEntry entry, const char *format,
                   va_list ap) {
        _cleanup_free_ char *text = NULL;

        entry.container_name = pl_subject_name(s);
        entry.container_id = s->id;
        entry.service = s->service ? s->service->name : NULL;
        if (vasprintf(&text, format, ap) < 0) {
                text = NULL;
                return;
        }
        pl_report(r, &entry, "%s", text);
}

void pl_subject_report(const PlReporter *r, const PlSubject *s, int priority,
                       const char *message_id, const char *reason, const PlLogField *fields,
                       const char *format, ...) {
        const PlEntry entry = {
                .priority = priority, .message_id = message_id, .reason = reason, .fields = fields
        };
        va_list ap;

        va_start(ap, format);
        report(r, s, entry, format, ap);
        va_end(ap);
}

void pl_subject_report_of_many(const PlReporter *r, const PlSubject *s, int priority,
                               const char *message_id, const char *reason, const char *format,
                               ...) {
        const PlEntry entry = {
                .priority = priority, .message_id = message_id, .reason = reason, .of_many = true
        };
        va_list ap;

        va_start(ap, format);
        report(r, s, entry, format, ap);
        va_end(ap);
}
