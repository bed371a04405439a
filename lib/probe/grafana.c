/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Grafana: /api/health says whether its database answers; 200 with "ok", 503 with "failing".
 * Source: Grafana HTTP API reference, "Health API". The body decides, not the status.
 */

#include "lib/probe/http-kind.h"

static const char *grafana_path(const PlHttpSpec *s, const PlHttpProbe *p) {
        return s->path ? s->path : "/api/health";
}

static PlProbeStep grafana_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                  uint64_t realtime_usec, PlVerdict *ret) {
        json_t *o;
        char database[32], code[8];

        if (a->status != 200 && a->status != 503) {
                pl_http_unexpected(s, p, a, ret);
                return PL_PROBE_DONE;
        }
        o = pl_http_json(a, "Grafana", ret);
        if (!o)
                return PL_PROBE_DONE;
        (void)pl_http_string(o, "database", database, sizeof(database));
        (void)snprintf(code, sizeof(code), "%u", a->status);
        if (!*database)
                pl_verdict_set(ret, PL_VERDICT_DOWN, code,
                               "not Grafana: the answer says nothing about its database");
        else if (!pl_streq(database, "ok"))
                pl_verdict_set(ret, PL_VERDICT_DOWN, code, "its database is %s", database);
        else if (a->status != 200)
                pl_verdict_set(ret, PL_VERDICT_DOWN, code, "HTTP %u, though its database is ok",
                               a->status);
        else
                pl_http_up(ret);
        json_decref(o);
        return PL_PROBE_DONE;
}

const PlHttpKind pl_http_kind_grafana = { 3000, grafana_path, grafana_answer };
