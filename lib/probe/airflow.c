/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Airflow: see the header. It must not be fooled by an interface that answers 200 with a page for
 * every path (Airflow 3 does so for paths of Airflow 2).
 */

#include "lib/probe/airflow.h"

#include "lib/base/time.h"
#include "lib/base/unit.h"
#include "lib/probe/http-kind.h"

/* Airflow's own default is 30 s (scheduler_health_check_threshold); people raise it. A component
 * that calls itself healthy is believed up to here. */
#define HEARTBEAT_CREDIBLE_USEC (10 * PL_USEC_PER_MIN)

static const struct {
        const char *key, *heartbeat;
        bool vital; /* without it nothing is scheduled */
} components[] = {
        { "metadatabase", NULL, true },
        { "scheduler", "latest_scheduler_heartbeat", true },
        { "triggerer", "latest_triggerer_heartbeat", false },
        { "dag_processor", "latest_dag_processor_heartbeat", false },
};

/* Appends "; text" within the buffer. */
static void append(char *buf, size_t size, const char *text) {
        size_t n = strlen(buf);

        (void)snprintf(buf + n, size - n, "%s%s", n > 0 ? "; " : "", text);
}

/* Is the component failing? Then what about it. */
static bool judge_component(size_t i, const json_t *o, uint64_t now, char *buf, size_t size) {
        const json_t *status = json_object_get(o, "status");
        const json_t *beat = components[i].heartbeat ? json_object_get(o, components[i].heartbeat)
                                                     : NULL;
        bool healthy = json_is_string(status) && pl_streq(json_string_value(status), "healthy");
        char quoted[32], since[PL_FORMAT_MAX];
        uint64_t at, age;

        if (!status || json_is_null(status))
                return false; /* not part of this deployment */
        if (json_is_string(beat) && pl_parse_time(json_string_value(beat), json_string_length(beat),
                                                  PL_TIME_ISO8601, &at) == 0) {
                at /= PL_NSEC_PER_USEC;
                age = now > at ? (now - at) / PL_USEC_PER_SEC * PL_USEC_PER_SEC : 0;
                if (healthy && age <= HEARTBEAT_CREDIBLE_USEC)
                        return false;
                (void)snprintf(buf, size, "%s %sheartbeat %s old", components[i].key,
                               healthy ? "calls itself healthy, but its " : "",
                               pl_format_sec(age, since));
                return true;
        }
        if (healthy)
                return false;
        if (components[i].heartbeat && json_is_null(beat))
                (void)snprintf(buf, size, "%s has never sent a heartbeat", components[i].key);
        else
                (void)snprintf(buf, size, "%s %s", components[i].key,
                               json_is_string(status)
                                               ? pl_http_string(o, "status", quoted, sizeof(quoted))
                                               : "has a status that is no text");
        return true;
}

static bool judge(const json_t *root, uint64_t now, PlVerdict *ret) {
        char vital[PL_REASON_MAX] = "", other[PL_REASON_MAX] = "", one[96];
        const char *first = "";
        bool known = false;

        for (size_t i = 0; i < PL_ARRAY_SIZE(components); i++) {
                const json_t *o = json_object_get(root, components[i].key);

                if (!json_is_object(o))
                        continue;
                known = true;
                if (!judge_component(i, o, now, one, sizeof(one)))
                        continue;
                if (!*first)
                        first = components[i].key;
                append(components[i].vital ? vital : other, PL_REASON_MAX, one);
        }
        if (!known || !json_is_object(json_object_get(root, "metadatabase")))
                return false;
        if (*vital) {
                if (*other)
                        append(vital, sizeof(vital), other);
                pl_verdict_set(ret, PL_VERDICT_DOWN, first, "%s", vital);
        } else if (*other) {
                pl_verdict_set(ret, PL_VERDICT_DEGRADED, first, "%s", other);
        } else {
                pl_http_up(ret);
        }
        return true;
}

bool pl_probe_airflow_judge(const char *body, size_t size, uint64_t realtime_usec, PlVerdict *ret) {
        json_t *root = json_loadb(body ? body : "", size, 0, NULL);
        bool known = json_is_object(root) && judge(root, realtime_usec, ret);

        json_decref(root);
        return known;
}

static const char *airflow_path(const PlHttpSpec *s, const PlHttpProbe *p) {
        if (s->path)
                return s->path;
        return p->variant == 0 ? "/api/v2/monitor/health" : "/health";
}

static PlProbeStep airflow_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                  uint64_t realtime_usec, PlVerdict *ret) {
        json_t *root;

        if (a->status < 500 && pl_probe_airflow_judge(a->body, a->body_size, realtime_usec, ret))
                return PL_PROBE_DONE;
        /* the other version's path, once a round; what answers is kept for the next round */
        if (!s->path && p->step == 0 && a->status < 500) {
                p->step = 1;
                p->variant ^= 1;
                return PL_PROBE_MORE;
        }
        if (a->status >= 300) {
                pl_http_unexpected(s, p, a, ret);
                return PL_PROBE_DONE;
        }
        root = pl_http_json(a, "Airflow", ret);
        if (root)
                pl_verdict_set(ret, PL_VERDICT_DOWN, "200",
                               "not Airflow: the answer does not mention a metadatabase");
        json_decref(root);
        return PL_PROBE_DONE;
}

const PlHttpKind pl_http_kind_airflow = { 8080, airflow_path, airflow_answer };
