/* SPDX-License-Identifier: Apache-2.0 */

/*
 * HTTP services whose health is one short answer: Grafana, Prometheus, MLflow, and any other by
 * path and expectations of the policy.
 *
 * Where the body says more, the status alone is not trusted.
 */

#include "lib/base/quote.h"
#include "lib/probe/http.h"

static void up(PlVerdict *ret) {
        pl_verdict_set(ret, PL_VERDICT_UP, "", "%s", "");
}

/* --- Grafana: /api/health says whether its database answers; 200 with "ok", 503 with "failing".
 * Source: Grafana HTTP API reference, "Health API". The body decides, not the status. Served below
 * a sub-path it redirects there from the root, since Grafana 10 before its health handler. */

static const char *const grafana_paths[] = { "/api/health", NULL };

static PlProbeStep grafana_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                  uint64_t realtime_usec, PlVerdict *ret) {
        json_t *o;
        char database[32], code[8];

        if (a->status != 200 && a->status != 503) {
                pl_answer_unexpected(a, p->now.path, ret);
                return PL_PROBE_DONE;
        }
        o = pl_answer_json(a, "Grafana", ret);
        (void)pl_answer_text(o, "database", database, sizeof(database));
        (void)snprintf(code, sizeof(code), "%u", a->status);
        if (*database && !pl_streq(database, "ok"))
                pl_verdict_set(ret, PL_VERDICT_IMPAIRED, code, "its database is %s", database);
        else if (a->status != 200)
                pl_answer_unexpected(a, p->now.path, ret);
        else if (*database)
                up(ret);
        else if (o)
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code,
                               "not Grafana: the answer says nothing about its database");
        json_decref(o);
        return PL_PROBE_DONE;
}

const PlHttpTalk pl_http_grafana = { .paths = grafana_paths, .answer = grafana_answer };

/* --- Prometheus (management API): /-/ready is 503 while the write-ahead log is replayed and during
 * shutdown; /-/healthy answers 200 as long as the process serves. Ready implies healthy, so the
 * second question is only asked when the first one fails. With --web.external-url or
 * --web.route-prefix both move below its path. */

static const char *const prometheus_paths[] = { "/-/ready", NULL };

static PlProbeStep prometheus_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                     uint64_t realtime_usec, PlVerdict *ret) {
        char code[8];

        if (p->step == 0) {
                if (a->status == 200) {
                        up(ret);
                } else if (a->status == 503 && pl_probe_http_sibling(p, "/-/ready", "/-/healthy")) {
                        p->step = 1;
                        return PL_PROBE_MORE;
                } else {
                        pl_answer_unexpected(a, p->now.path, ret);
                }
                return PL_PROBE_DONE;
        }
        if (a->status == 200) {
                pl_verdict_set(ret, PL_VERDICT_STARTING, "503",
                               "healthy, not ready: replaying its log or shutting down");
        } else {
                (void)snprintf(code, sizeof(code), "%u", a->status % 1000);
                pl_verdict_set(ret, PL_VERDICT_IMPAIRED, code,
                               "not ready (HTTP 503), not healthy (HTTP %u)", a->status);
        }
        return PL_PROBE_DONE;
}

const PlHttpTalk pl_http_prometheus = { .paths = prometheus_paths, .answer = prometheus_answer };

/* --- MLflow: /health answers "OK", also with its database gone; a search of one experiment asks
 * that. Tried on 2.9.2, 2.22.5 and 3.17.2: with --static-prefix 3.x serves both below it alone, 2.x
 * both at the root alone. The search's first answer takes seconds, for its tables are looked at
 * then; without its database it hangs for 25 s and longer, and keeps a worker from everything else.
 * So one that is not answered may be the first, or ours alone: the second one tells. */

#define MLFLOW_SEARCH "/api/2.0/mlflow/experiments/search?max_results=1"

static const char *const mlflow_paths[] = { "/health", NULL };

static PlProbeStep mlflow_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                 uint64_t realtime_usec, PlVerdict *ret) {
        size_t n = a->body_size;
        char quoted[48];

        if (a->status != 200) {
                pl_answer_unexpected(a, p->now.path, ret);
                return PL_PROBE_DONE;
        }
        while (n > 0 && strchr(" \t\r\n", a->body[n - 1]) && a->body[n - 1])
                n--;
        if (n == 2 && memcmp(a->body, "OK", 2) == 0)
                up(ret);
        else
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, "200",
                               "not MLflow: HTTP 200 with \"%s\" instead of OK",
                               pl_quote(a->body ? a->body : "", PL_MIN(n, (size_t)40), quoted,
                                        sizeof(quoted)));
        return PL_PROBE_DONE;
}

static bool mlflow_rare_begin(const PlHttpSpec *s, PlHttpProbe *p) {
        return pl_probe_http_sibling(p, "/health", MLFLOW_SEARCH);
}

/* A login or a host that is not allowed say nothing of the database. */
static PlProbeStep mlflow_rare_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                      PlVerdict *ret) {
        ret->kind = PL_VERDICT_NONE;
        if (a->status == 200)
                up(ret);
        return PL_PROBE_DONE;
}

const PlHttpTalk pl_http_mlflow = {
        .paths = mlflow_paths,
        .ignores_prefix = true,
        .answer = mlflow_answer,
        .rare_begin = mlflow_rare_begin,
        .rare_answer = mlflow_rare_answer,
        .rare_hint = "its database, most likely",
        .rare_blocks = true,
};

/* --- Generic: path and expectations come from the policy. A redirect within the service is an
 * answer; one to elsewhere may be anybody's, a login's or a parking page's. */

static const char *const generic_paths[] = { "/", NULL };

static PlProbeStep generic_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                  uint64_t realtime_usec, PlVerdict *ret) {
        bool decided = s->expect && s->expect->decides; /* what was asked for, decides */
        char to[PL_HTTP_PATH_MAX];
        PlLead lead = pl_answer_lead(a, p->now.path, s->port, s->host, to);

        if (decided || (a->status >= 200 && a->status < 300) || lead == PL_LEAD_HERE ||
            lead == PL_LEAD_TLS)
                up(ret);
        else
                pl_answer_unexpected(a, p->now.path, ret);
        return PL_PROBE_DONE;
}

const PlHttpTalk pl_http_generic = { .paths = generic_paths, .answer = generic_answer };
