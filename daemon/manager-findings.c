/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Findings: what is wrong with a container and stays so until somebody does something about it.
 * Whoever noticed keeps it and has logged it; this file only tells what there is now.
 */

#include "manager-internal.h"

#include "pl-wire.h"

#define OF_ONE_MAX 2

static const struct {
        PlFindingSeverity severity;
        const char *check;
} log_findings[] = {
        [PL_LOG_FINDING_FAILED] = { PL_FINDING_HIGH, "log-rotation" },
        [PL_LOG_FINDING_FULL] = { PL_FINDING_CRITICAL, "log-disk-full" },
};

static size_t collect(const PlManager *m, const PlSubject *s, PlFinding ret[static OF_ONE_MAX]) {
        PlFinding f = {
                .container_name = pl_subject_name(s),
                .container_id = s->id,
                .service = s->service ? (s->service->name ?: "defaults") : NULL,
        };
        PlLogStatus log;
        size_t n = 0;

        if (m->logs && pl_logs_status(m->logs, s->id, &log) && log.finding_text) {
                f.severity = log_findings[log.finding].severity;
                f.check = log_findings[log.finding].check;
                f.message = log.finding_text;
                ret[n++] = f;
        }
        if (s->log_paths_said && !pl_manager_dry_run(m)) {
                f.severity = PL_FINDING_HIGH;
                f.check = "log-files";
                f.message = s->log_paths_said;
                ret[n++] = f;
        }
        return n;
}

/* Return: false when memory ran out. */
static bool add_all(const PlManager *m, const PlSubject *s, json_t *list) {
        PlFinding findings[OF_ONE_MAX];
        size_t n = collect(m, s, findings);

        for (size_t i = 0; i < n; i++)
                if (json_array_append_new(list, pl_wire_finding(&findings[i])) < 0)
                        return false;
        return true;
}

unsigned pl_manager_count_findings(const PlManager *m, const PlSubject *s) {
        PlFinding findings[OF_ONE_MAX];

        return (unsigned)collect(m, s, findings);
}

json_t *pl_manager_findings_of(const PlManager *m, const PlSubject *s) {
        json_t *list = json_array();

        if (list && add_all(m, s, list))
                return list;
        json_decref(list);
        return NULL;
}

unsigned pl_manager_count_host_findings(const PlManager *m) {
        unsigned n = 0;

        for (int why = 0; m->logs && why < _PL_ROTATE_WHY_N; why++) {
                _cleanup_free_ char *text = pl_logs_method_finding(m->logs, why);

                n += text != NULL;
        }
        return n;
}

/* Those that concern the host and no container. Return: false when memory ran out. */
static bool add_of_host(const PlManager *m, json_t *list) {
        for (int why = 0; m->logs && why < _PL_ROTATE_WHY_N; why++) {
                _cleanup_free_ char *text = pl_logs_method_finding(m->logs, why);
                PlFinding f = { .severity = PL_FINDING_MEDIUM,
                                .check = "log-method",
                                .message = text };

                if (text && json_array_append_new(list, pl_wire_finding(&f)) < 0)
                        return false;
        }
        return true;
}

json_t *pl_manager_findings(void *userdata) {
        const PlManager *m = userdata;
        json_t *list = json_array();
        const PlSubject *s;

        if (list && !add_of_host(m, list)) {
                json_decref(list);
                return NULL;
        }

        PL_MAP_FOREACH(s, m->subjects)
        if (list && !add_all(m, s, list)) {
                json_decref(list);
                return NULL;
        }
        return list;
}
