/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Logs: what the engine and the policy say of a container's log is handed to daemon/logs, and what
 * comes back is published. Decisions and work are all there.
 */

#include "manager-internal.h"

#include <errno.h>

#include "log.h"
#include "pl-unit.h"

static void on_rotated(void *userdata, const PlLogRotated *r) {
        PlManager *m = userdata;
        PlSubject *s = pl_map_get(m->subjects, r->id);
        char text[160], raw[PL_FORMAT_MAX], packed[PL_FORMAT_MAX];

        snprintf(text, sizeof(text), "log rotated by %s: %" PRIu64 " line%s, %s to %s",
                 pl_log_method_to_string(r->method), r->lines, pl_plural(r->lines),
                 pl_format_bytes(r->raw_bytes, raw), pl_format_bytes(r->packed_bytes, packed));
        pl_manager_publish(m, s, LOG_INFO, PL_MESSAGE_LOG_ROTATED, NULL, text);
        pl_manager_report(m);
}

static void on_finding(void *userdata, const char *id, PlLogFinding finding, const char *text) {
        PlManager *m = userdata;
        PlSubject *s = pl_map_get(m->subjects, id);

        pl_manager_report(m);
        if (finding != PL_LOG_FINDING_NONE)
                pl_manager_publish(m, s, LOG_ERR, PL_MESSAGE_LOG_FAILED, NULL, text);
}

static void on_method(void *userdata, const char *text) {
        PlManager *m = userdata;

        pl_manager_report(m);
        pl_manager_say(m, NULL, LOG_NOTICE, NULL, NULL, "%s", text);
}

static const PlLogsHandlers handlers = { .rotated = on_rotated,
                                         .finding = on_finding,
                                         .method = on_method };

int pl_manager_open_logs(PlManager *m) {
        int r = pl_logs_new(m->event, m->options.archive_dir, &handlers, m, &m->logs);

        if (r < 0)
                pl_log_error("Cannot use the archive directory %s: %s", m->options.archive_dir,
                             strerror(-r));
        else
                pl_logs_set_policy(m->logs, &m->policy->daemon, pl_manager_dry_run(m));
        return r;
}

void pl_manager_update_log(PlManager *m, PlSubject *s) {
        const PlService *service;

        /* what the create event tells says nothing of the log yet */
        if (!m->logs || !s->facts || s->provisional)
                return;
        service = pl_policy_match(m->policy, s->facts);
        if (pl_logs_update(m->logs, s->facts, service ? service->name : NULL,
                           service ? &service->log : NULL) < 0)
                pl_manager_say(m, s, LOG_ERR, PL_MESSAGE_LOG_FAILED, "out of memory",
                               "its log is not watched: out of memory");
}

int pl_manager_rotate(PlManager *m, PlSubject *s, char **ret_message) {
        const char *why = NULL;
        int r = m->logs ? pl_logs_rotate_now(m->logs, s->id, &why) : -EOPNOTSUPP;

        if (r < 0 && why && *why)
                *ret_message = strdup(why);
        return r;
}
