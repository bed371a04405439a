/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policy, one service: its defaults, its life, and the lists in it.
 */

#include "lib/base/strv.h"
#include "lib/policy/parser.h"

#include <errno.h>

const PlDaemonPolicy pl_daemon_defaults = {
        .engine = (char *)"unix:///run/docker.sock",
        .log_archive_budget_bytes = GIB(2),
};

const PlService pl_service_defaults = {
        .cpu_quota_period_usec = PL_QUOTA_PERIOD_DEFAULT_USEC,
        .shrink_mode = PL_SHRINK_SAFE,
        .log = {
                .max_size_bytes = PL_UNLIMITED,
                .max_age_usec = PL_TIME_INFINITY,
        },
        .log_path = {
                .max_size_bytes = PL_UNLIMITED,
                .max_age_usec = PL_TIME_INFINITY,
                .compress_after_usec = PL_USEC_PER_DAY,
        },
        .probe = {
                .kind = PL_PROBE_AUTO,
                .interval_usec = 10 * PL_USEC_PER_SEC,
                .timeout_usec = 2 * PL_USEC_PER_SEC,
                .start_period_usec = 60 * PL_USEC_PER_SEC,
                .failures = 3,
                .restart_budget = { 3, 10 * PL_USEC_PER_MIN },
                .flap_budget = { 6, 10 * PL_USEC_PER_MIN },
        },
};

PlService *pl_service_new(const char *name) {
        PlService *s = malloc(sizeof(*s));

        if (!s)
                return NULL;
        *s = pl_service_defaults;
        if (name) {
                s->name = strdup(name);
                if (!s->name)
                        return pl_service_free(s);
        }
        return s;
}

PlService *pl_service_free(PlService *s) {
        if (!s)
                return NULL;
        free(s->name);
        free(s->file);
        for (size_t i = 0; i < s->n_matches; i++)
                free(s->matches[i].pattern);
        free(s->matches);
        pl_limits_deinit(&s->limits);
        pl_strv_free(s->log_path.globs);
        free(s->probe.path);
        pl_strv_free(s->probe.expect);
        pl_strv_free(s->probe.ollama_models);
        free(s->probe.unit);
        pl_strv_free(s->probe.after);
        free(s);
        return NULL;
}
