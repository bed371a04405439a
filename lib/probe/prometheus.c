/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Prometheus and MLflow: services whose health is a status and a line of text.
 *
 * Prometheus (management API): /-/ready is 503 while the write-ahead log is replayed and during
 * shutdown; /-/healthy answers 200 as long as the process serves. Ready implies healthy, so the
 * second request is only made when the first one fails. MLflow: /health answers "OK".
 */

#include "lib/base/quote.h"
#include "lib/probe/http-kind.h"

static const char *prometheus_path(const PlHttpSpec *s, const PlHttpProbe *p) {
        if (s->path)
                return s->path;
        return p->step == 0 ? "/-/ready" : "/-/healthy";
}

static PlProbeStep prometheus_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                     uint64_t realtime_usec, PlVerdict *ret) {
        char code[8];

        (void)snprintf(code, sizeof(code), "%u", a->status % 1000);
        if (p->step == 0) {
                if (a->status == 200 || s->path) {
                        if (a->status == 200)
                                pl_http_up(ret);
                        else
                                pl_http_unexpected(s, p, a, ret);
                        return PL_PROBE_DONE;
                }
                if (a->status != 503) {
                        pl_http_unexpected(s, p, a, ret);
                        return PL_PROBE_DONE;
                }
                p->status = a->status;
                p->step = 1;
                return PL_PROBE_MORE;
        }
        if (a->status == 200)
                pl_verdict_set(ret, PL_VERDICT_STARTING, "503",
                               "healthy, not ready: replaying its log or shutting down");
        else
                pl_verdict_set(ret, PL_VERDICT_DOWN, code,
                               "not ready (HTTP %u), not healthy (HTTP %u)", p->status, a->status);
        return PL_PROBE_DONE;
}

const PlHttpKind pl_http_kind_prometheus = { 9090, prometheus_path, prometheus_answer };

static const char *mlflow_path(const PlHttpSpec *s, const PlHttpProbe *p) {
        return s->path ? s->path : "/health";
}

static PlProbeStep mlflow_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                 uint64_t realtime_usec, PlVerdict *ret) {
        size_t n = a->body_size;
        char quoted[48];

        if (a->status != 200) {
                pl_http_unexpected(s, p, a, ret);
                return PL_PROBE_DONE;
        }
        while (n > 0 && strchr(" \t\r\n", a->body[n - 1]) && a->body[n - 1])
                n--;
        if (n == 2 && memcmp(a->body, "OK", 2) == 0)
                pl_http_up(ret);
        else
                pl_verdict_set(ret, PL_VERDICT_DOWN, "200", "HTTP 200 with \"%s\" instead of OK",
                               pl_quote(a->body ? a->body : "", PL_MIN(n, (size_t)40), quoted,
                                        sizeof(quoted)));
        return PL_PROBE_DONE;
}

const PlHttpKind pl_http_kind_mlflow = { 5000, mlflow_path, mlflow_answer };
