/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Subject: its name, and what is reported about it. See the header.
 */

#include "registry/subject.h"

#include <stdarg.h>

const char *pl_subject_name(const PlSubject *s) {
        return s->facts && s->facts->name ? s->facts->name : s->id;
}

void pl_subject_report(const PlReporter *r, const PlSubject *s, int priority,
                       const char *message_id, const char *reason, const PlLogField *fields,
                       const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        const PlEntry entry = {
                .priority = priority,
                .message_id = message_id,
                .container_name = pl_subject_name(s),
                .container_id = s->id,
                .service = s->service ? s->service->name : NULL,
                .reason = reason,
                .fields = fields,
        };
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return;
        }
        pl_report(r, &entry, "%s", text);
}
