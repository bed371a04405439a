/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Endpoints: requests in, documents out. Errors say what would be right.
 */

#include "status/endpoints.h"

#include <errno.h>

#include "status/findings.h"
#include "status/metrics.h"
#include "status/snapshot.h"

static json_t *no_container(const PlEndpoints *e, const char *name, unsigned *status) {
        const char *similar = pl_snapshot_similar(e->from, name);
        _cleanup_free_ char *message = NULL, *remedy = NULL;

        *status = 404;
        if (asprintf(&message, "no container or service \"%s\"", name) < 0) {
                message = NULL;
                return NULL;
        }
        if (asprintf(&remedy, "%s%s%splimsollctl status lists all of them",
                     similar ? "did you mean " : "", similar ?: "", similar ? "? " : "") < 0) {
                remedy = NULL;
                return NULL;
        }
        return pl_ctl_problem(message, remedy);
}

static json_t *get_status(void *userdata, const PlCtlRequest *q, unsigned *status) {
        const PlEndpoints *e = userdata;

        return pl_snapshot_status(e->from);
}

static json_t *get_container(void *userdata, const PlCtlRequest *q, unsigned *status) {
        const PlEndpoints *e = userdata;
        const PlSubject *s = pl_registry_find(e->from->registry, q->name);
        json_t *absent = s ? NULL : pl_snapshot_absent(e->from, q->name);

        if (s)
                return pl_snapshot_show(e->from, s);
        if (!absent)
                absent = pl_snapshot_gone(e->from, q->name);
        return absent ?: no_container(e, q->name, status);
}

static json_t *get_past(void *userdata, const PlCtlRequest *q, unsigned *status) {
        const PlEndpoints *e = userdata;
        json_t *past = pl_snapshot_past(e->from, pl_registry_find(e->from->registry, q->name),
                                        q->name);

        return past ?: no_container(e, q->name, status);
}

static json_t *get_findings(void *userdata, const PlCtlRequest *q, unsigned *status) {
        const PlEndpoints *e = userdata;
        json_t *list = json_array();
        const PlSubject *s;

        if (list && pl_findings(e->from, NULL, list) < 0) {
                json_decref(list);
                return NULL;
        }
        PL_MAP_FOREACH(s, e->from->registry->subjects)
        if (list && pl_findings(e->from, s, list) < 0) {
                json_decref(list);
                return NULL;
        }
        return list;
}

static json_t *post_reload(void *userdata, const PlCtlRequest *q, unsigned *status) {
        const PlEndpoints *e = userdata;
        _cleanup_free_ char *message = NULL;
        json_t *errors;
        char *rest;

        if (e->reload(e->userdata, &message) >= 0)
                return json_pack("{s:b,s:s*}", "reloaded", 1, "message", message);
        *status = 422;
        errors = json_array();
        rest = message;
        for (const char *line; errors && (line = strsep(&rest, "\n"));)
                if (*line)
                        (void)json_array_append_new(errors, json_string(line));
        return json_pack("{s:b,s:s,s:s,s:o}", "reloaded", 0, "message",
                         "the policy was rejected; the one before stays in force", "remedy",
                         "mend the lines named and reload again", "errors", errors);
}

static json_t *post_rotate(void *userdata, const PlCtlRequest *q, unsigned *status) {
        const PlEndpoints *e = userdata;
        const PlSubject *s = pl_registry_find(e->from->registry, q->name);
        const char *why = NULL;
        int r;

        if (!s)
                return no_container(e, q->name, status);
        r = e->logs ? pl_logs_rotate_now(e->logs, s->id, &why) : -EOPNOTSUPP;
        if (r >= 0) {
                *status = 202;
                return json_pack("{s:b}", "started", 1);
        }
        if (r == -ENOENT)
                return no_container(e, q->name, status);
        *status = 409;
        return pl_ctl_problem(why && *why ? why : strerror(-r),
                              "plimsollctl show NAME says how its log is kept");
}

/* Asks, and changes nothing: whoever may read may do this. The prober bounds how often. */
static json_t *post_probe(void *userdata, const PlCtlRequest *q, unsigned *status) {
        const PlEndpoints *e = userdata;
        const PlSubject *s = pl_registry_find(e->from->registry, q->name);
        json_t *absent = s ? NULL : pl_ask_absent(e->from, q->name);

        if (s)
                return pl_ask(e->asks, s, q);
        return absent ?: no_container(e, q->name, status);
}

static json_t *get_notify(void *userdata, const PlCtlRequest *q, unsigned *status) {
        const PlEndpoints *e = userdata;

        return pl_outbox_list(e->from->outbox);
}

/* It sends something to somebody, so members of the group may, as they may rotate a log. */
static json_t *post_notify_test(void *userdata, const PlCtlRequest *q, unsigned *status) {
        const PlEndpoints *e = userdata;
        _cleanup_free_ char *message = NULL;
        uint64_t id;
        int r = pl_outbox_test(e->from->outbox, q->name, &id);

        if (r >= 0) {
                *status = 202;
                return json_pack("{s:I}", "test_id", (json_int_t)id);
        }
        if (r == -ENOENT) {
                *status = 404;
                if (asprintf(&message, "there is no [Notify %s] in the policy in force", q->name) <
                    0) {
                        message = NULL;
                        return NULL;
                }
                return pl_ctl_problem(message, "plimsollctl notify lists all of them");
        }
        *status = 409;
        return pl_ctl_problem("in a dry run nobody is told anything",
                              "take DryRun=yes out of the policy and reload it");
}

const char *pl_endpoint_metrics_type(const PlCtlRequest *q) {
        return pl_exposition_content_type(pl_exposition_choose(q->accept));
}

char *pl_endpoint_metrics(void *userdata, const char *type, size_t *ret_size) {
        const PlEndpoints *e = userdata;
        bool openmetrics = type == pl_exposition_content_type(PL_EXPOSITION_OPENMETRICS);

        return pl_metrics(e->from, openmetrics ? PL_EXPOSITION_OPENMETRICS : PL_EXPOSITION_TEXT,
                          ret_size);
}

/* Each has its place in plimsollctl(1). */
const PlCtlEndpoint pl_endpoints[] = {
        { "GET", "/v1/status", get_status, PL_CTL_CONNECTED },
        { "GET", "/v1/containers/*", get_container, PL_CTL_CONNECTED },
        { "GET", "/v1/containers/*/past", get_past, PL_CTL_CONNECTED },
        { "GET", "/v1/findings", get_findings, PL_CTL_CONNECTED },
        { "GET", "/v1/events", NULL, PL_CTL_CONNECTED },
        { "GET", "/metrics", NULL, PL_CTL_CONNECTED, pl_endpoint_metrics_type,
          pl_endpoint_metrics },
        { "GET", "/v1/notify", get_notify, PL_CTL_CONNECTED },
        { "POST", "/v1/reload", post_reload, PL_CTL_CONNECTED },
        { "POST", "/v1/containers/*/rotate", post_rotate, PL_CTL_CONNECTED },
        { "POST", "/v1/containers/*/probe", post_probe, PL_CTL_CONNECTED },
        { "POST", "/v1/notify/*/test", post_notify_test, PL_CTL_CONNECTED },
        {},
};
