/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reporter: entries to the journal and to the event stream. See the header.
 */

#include "report/reporter.h"

#include <stdarg.h>

#include "base/clock.h"
#include "lib/status/wire.h"

/* More than any entry has: that of an OOM kill has about twenty. */
#define FIELDS_MAX 40

/* "PLIMSOLL_HEALTH_BEFORE" is "health_before" on the control socket. */
static json_t *fields_to_json(const PlLogField *fields) {
        json_t *o = json_object();

        for (; o && fields->name; fields++) {
                const char *name = fields->name;
                char key[48];
                size_t i = 0;

                if (!fields->value)
                        continue;
                if (pl_startswith(name, "PLIMSOLL_"))
                        name += strlen("PLIMSOLL_");
                for (; name[i] && i + 1 < sizeof(key); i++)
                        key[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
                key[i] = '\0';
                (void)json_object_set_new(o, key, json_string(fields->value));
        }
        return o;
}

static void publish(PlCtlServer *stream, const PlEntry *entry, const PlLogField *fields,
                    const char *text) {
        PlWireEvent e = {
                .time_usec = pl_clock_usec(CLOCK_REALTIME),
                .priority = entry->priority,
                .message = text,
                .message_id = entry->message_id,
                .container_name = entry->container_name,
                .container_id = entry->container_id,
                .service = entry->service,
        };
        json_t *o;

        if (!stream || !pl_ctl_server_has_listeners(stream))
                return;
        if (fields->name)
                e.fields = fields_to_json(fields);
        o = pl_wire_event(&e);
        json_decref(e.fields);
        if (o) /* else out of memory; the journal has it */
                pl_ctl_server_publish(stream, o);
        json_decref(o);
}

/* What an entry is about, in front of its text; NULL: nothing of the kind. */
static const char *name_of(const PlEntry *entry, char buf[static 13]) {
        const char *name = entry->container_name ?: entry->service;

        if (name || !entry->container_id)
                return name;
        /* as the docker command shows an id */
        (void)snprintf(buf, 13, "%.12s", entry->container_id);
        return buf;
}

void pl_report(const PlReporter *r, const PlEntry *entry, const char *format, ...) {
        char short_id[13];
        const char *name = name_of(entry, short_id);
        PlLogField fields[FIELDS_MAX + 1] = { 0 };
        const PlLogSubject subject = {
                .container_name = entry->container_name,
                .container_id = entry->container_id,
                .service = entry->service,
                .fields = fields,
        };
        _cleanup_free_ char *text = NULL;
        size_t n = 0;
        va_list ap;
        int len;

        if (entry->reason)
                fields[n++] = (PlLogField){ "PLIMSOLL_REASON", entry->reason };
        for (const PlLogField *f = entry->fields; f && f->name && n < FIELDS_MAX; f++)
                fields[n++] = *f;
        va_start(ap, format);
        len = vasprintf(&text, format, ap);
        va_end(ap);
        if (len < 0) {
                text = NULL;
                return;
        }
        if (r && r->gather && entry->of_many && r->gather(r->gatherer, entry, text))
                return;
        pl_log_full(entry->priority, entry->message_id, &subject, "%s%s%s", name ?: "",
                    name ? ": " : "", text);
        if (r)
                publish(r->stream, entry, fields, text);
        if (r && r->listen)
                r->listen(r->userdata, entry, text);
}

void pl_reporter_changed(const PlReporter *r) {
        if (r && r->changed)
                r->changed(r->userdata);
}
