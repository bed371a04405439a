/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Airflow: the health document of Airflow 2 and 3, component by component.
 *
 * Who answers is the web server, and what it says is about others: so it is up, and at worst
 * impaired, with the component named. It is not fooled by an interface that answers 200 with a page
 * for every path (Airflow 3 does so for paths of Airflow 2).
 *
 * Source: Airflow documentation, "Checking Airflow Health Status": the status is 200 even when a
 * component is unhealthy; a component whose status is null is not part of the deployment. Tried on
 * 2.8.1, 2.11.2 and 3.3.2: without its database all are unhealthy and have no heartbeat; a
 * scheduler that was stopped is unhealthy at once, one that was killed when its heartbeat is 30 s
 * old.
 */

#include "lib/base/quote.h"
#include "lib/base/time.h"
#include "lib/base/unit.h"
#include "lib/probe/http.h"

/* Airflow's own default (scheduler_health_check_threshold); people raise it. */
#define HEARTBEAT_FRESH_USEC (30 * PL_USEC_PER_SEC)
/* A component that calls itself healthy is believed up to here. */
#define HEARTBEAT_CREDIBLE_USEC (10 * PL_USEC_PER_MIN)

#define INSTANCES_MAX 64 /* of a component, that are looked at */

static const struct {
        const char *key, *heartbeat;
} components[] = {
        { "metadatabase", NULL },
        { "scheduler", "latest_scheduler_heartbeat" },
        { "triggerer", "latest_triggerer_heartbeat" },
        { "dag_processor", "latest_dag_processor_heartbeat" },
};

static void up(PlVerdict *ret) {
        pl_verdict_set(ret, PL_VERDICT_UP, "", "%s", "");
}

/* Appends "SEPARATOR text" within the buffer. */
static void append(char *buf, size_t size, const char *separator, const char *text) {
        size_t n = strlen(buf);

        (void)snprintf(buf + n, size - n, "%s%s", n > 0 ? separator : "", text);
        (void)pl_utf8_trim(buf);
}

/* Return: false: no time, or none that can be read. */
static bool age_of(const json_t *o, const char *key, uint64_t now, uint64_t *ret_usec) {
        const json_t *beat = key ? json_object_get(o, key) : NULL;
        uint64_t at;

        if (!json_is_string(beat) ||
            pl_parse_time(json_string_value(beat), json_string_length(beat), PL_TIME_ISO8601, &at) <
                            0)
                return false;
        at /= PL_NSEC_PER_USEC;
        *ret_usec = now > at ? (now - at) / PL_USEC_PER_SEC * PL_USEC_PER_SEC : 0;
        return true;
}

static bool is_word(const json_t *v, const char *word) {
        return json_is_string(v) && pl_streq(json_string_value(v), word);
}

/* Airflow 3 lists the processes of a component: which of them are gone? Return: how many. */
static unsigned judge_instances(size_t i, const json_t *o, uint64_t now, char *buf, size_t size) {
        const json_t *list = json_object_get(o, "instances"), *instance;
        char host[40], since[PL_FORMAT_MAX], one[80];
        unsigned n_sick = 0;
        uint64_t age;
        size_t j;

        json_array_foreach(list, j, instance) {
                const json_t *status = json_object_get(instance, "status");

                if (j == INSTANCES_MAX)
                        break;
                if (!json_is_string(status) || is_word(status, "healthy"))
                        continue;
                (void)pl_answer_text(instance, "hostname", host, sizeof(host));
                if (age_of(instance, components[i].heartbeat, now, &age))
                        (void)snprintf(one, sizeof(one), "%s on %s heartbeat %s old",
                                       components[i].key, host, pl_format_sec(age, since));
                else
                        (void)snprintf(one, sizeof(one), "%s on %s unhealthy", components[i].key,
                                       host);
                if (n_sick++ < 2)
                        append(buf, size, ", ", one);
        }
        if (n_sick > 0) {
                (void)snprintf(one, sizeof(one), "(%u of %zu)", n_sick, json_array_size(list));
                append(buf, size, " ", one);
        }
        return n_sick;
}

/* Of a component that calls itself healthy. Return: whether there is something about it. */
static bool judge_healthy(size_t i, const json_t *o, uint64_t now, char *buf, size_t size) {
        const json_t *detail = json_object_get(o, "detailed_status");
        char quoted[32], since[PL_FORMAT_MAX];
        uint64_t age;

        if (age_of(o, components[i].heartbeat, now, &age) && age > HEARTBEAT_CREDIBLE_USEC) {
                (void)snprintf(buf, size, "%s calls itself healthy, but its heartbeat %s old",
                               components[i].key, pl_format_sec(age, since));
                return true;
        }
        if (judge_instances(i, o, now, buf, size) > 0)
                return true;
        if (!json_is_string(detail) || is_word(detail, "healthy"))
                return false;
        (void)snprintf(buf, size, "%s %s", components[i].key,
                       pl_answer_text(o, "detailed_status", quoted, sizeof(quoted)));
        return true;
}

/* Is the component failing? Then what about it. */
static bool judge_component(size_t i, const json_t *o, uint64_t now, char *buf, size_t size) {
        const json_t *status = json_object_get(o, "status");
        char quoted[32], since[PL_FORMAT_MAX];
        uint64_t age;

        buf[0] = '\0';
        if (!status || json_is_null(status))
                return false; /* not part of this deployment */
        if (is_word(status, "healthy"))
                return judge_healthy(i, o, now, buf, size);
        if (age_of(o, components[i].heartbeat, now, &age))
                (void)snprintf(buf, size,
                               age <= HEARTBEAT_FRESH_USEC
                                               ? "%s was stopped: unhealthy with a heartbeat %s old"
                                               : "%s heartbeat %s old",
                               components[i].key, pl_format_sec(age, since));
        else if (components[i].heartbeat &&
                 json_is_null(json_object_get(o, components[i].heartbeat)))
                (void)snprintf(buf, size, "%s has never sent a heartbeat", components[i].key);
        else
                (void)snprintf(buf, size, "%s %s", components[i].key,
                               json_is_string(status)
                                               ? pl_answer_text(o, "status", quoted, sizeof(quoted))
                                               : "has a status that is no text");
        return true;
}

/* Without its database nothing is known of the others, which end for the lack of it. */
static void judge_without_database(const char *what, const char *others, PlVerdict *ret) {
        pl_verdict_set(ret, PL_VERDICT_IMPAIRED, components[0].key, "%s%s%s", what,
                       *others ? ", and with it " : "", others);
}

/* Return: false: it is not the health document. */
static bool judge_components(const json_t *root, uint64_t now, PlVerdict *ret) {
        char what[PL_REASON_MAX] = "", others[64] = "", one[PL_REASON_MAX];
        const char *first = "";

        if (!json_is_object(json_object_get(root, components[0].key)))
                return false;
        for (size_t i = 0; i < PL_ARRAY_SIZE(components); i++) {
                const json_t *o = json_object_get(root, components[i].key);

                if (!json_is_object(o) || !judge_component(i, o, now, one, sizeof(one)))
                        continue;
                if (!*first)
                        first = components[i].key;
                else
                        append(others, sizeof(others), ", ", components[i].key);
                if (first != components[0].key || i == 0)
                        append(what, sizeof(what), "; ", one);
        }
        if (!*first)
                up(ret);
        else if (first == components[0].key)
                judge_without_database(what, others, ret);
        else
                pl_verdict_set(ret, PL_VERDICT_IMPAIRED, first, "%s", what);
        return true;
}

static bool judge_document(const PlHttpAnswer *a, uint64_t realtime_usec, PlVerdict *ret) {
        json_t *root = json_loadb(a->body ? a->body : "", a->body_size, 0, NULL);
        bool known = json_is_object(root) && judge_components(root, realtime_usec, ret);

        json_decref(root);
        return known;
}

/* A scheduler's own health server (8974, where it is enabled) answers /health with a status alone:
 * 200, or 503 when its heartbeat is old. */
static bool is_scheduler(const PlHttpProbe *p, const PlHttpAnswer *a) {
        size_t n = strlen(p->now.path);

        return a->status == 200 && a->body_size == 0 && n >= 7 &&
               pl_streq(p->now.path + n - 7, "/health");
}

static PlProbeStep airflow_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                  uint64_t realtime_usec, PlVerdict *ret) {
        json_t *root;

        if (a->status < 500 && judge_document(a, realtime_usec, ret))
                return PL_PROBE_DONE;
        if (is_scheduler(p, a)) {
                up(ret);
                return PL_PROBE_DONE;
        }
        if (a->status != 200) {
                pl_answer_unexpected(a, p->now.path, ret);
                return PL_PROBE_DONE;
        }
        root = pl_answer_json(a, "Airflow", ret);
        if (root)
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, "200",
                               "not Airflow: the answer does not mention a metadatabase");
        json_decref(root);
        return PL_PROBE_DONE;
}

/* Airflow 2.8 writes a row into its database for each question about a path that it does not have,
 * so what has answered once is asked alone. */
static const char *const paths[] = { "/api/v2/monitor/health", "/health", NULL };

const PlHttpTalk pl_http_airflow = { .paths = paths, .answer = airflow_answer };
