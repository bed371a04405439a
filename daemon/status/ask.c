/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ask: first the engine, for what must be cut from the answers, then the service.
 *
 * The container may go, be renamed or lose its section meanwhile, so each step looks it up again.
 * Where the engine does not tell the environment, nothing is shown of what the service said.
 */

#include "status/ask.h"

#include <errno.h>
#include <sys/queue.h>

#include "lib/status/conversation.h"

/* One question, until it is answered. */
typedef struct Question {
        PlAsks *asks;
        PlCtlPending *pending; /* replied to exactly once */
        PlSecrets *secrets;    /* NULL: not known */
        char id[PL_ID_MAX];
        LIST_ENTRY(Question) link;
} Question;

struct PlAsks {
        const PlSources *from;
        LIST_HEAD(, Question) questions;
};

PlAsks *pl_asks_new(const PlSources *from) {
        PlAsks *a = calloc(1, sizeof(*a));

        if (a)
                a->from = from;
        return a;
}

/* @document: reference stolen */
static void reply(Question *q, unsigned status, json_t *document) {
        LIST_REMOVE(q, link);
        pl_ctl_reply(q->pending, status, document);
        pl_secrets_free(q->secrets);
        free(q);
}

PlAsks *pl_asks_free(PlAsks *a) {
        Question *q;

        if (!a)
                return NULL;
        while ((q = LIST_FIRST(&a->questions)))
                reply(q, 503, NULL);
        free(a);
        return NULL;
}

static const char *service_of(const PlSubject *s) {
        return s->service ? (s->service->name ?: "defaults") : NULL;
}

static json_t *not_probed(const PlSources *from, const PlSubject *s) {
        char why[PL_UNPROBED_MAX], remedy[PL_UNPROBED_MAX];
        PlHealthdView v = {};

        (void)pl_healthd_get(pl_health_act_patients(from->health), s->id, &v);
        pl_unprobed(s->facts, s->service, v.unprobed, why, remedy);
        return pl_conversation(&(PlConversation){
                        .id = s->id,
                        .name = pl_subject_name(s),
                        .service = service_of(s),
                        .why = why,
                        .remedy = remedy,
        });
}

static void on_answered(void *userdata, const char *id, const PlVerdict *v, uint64_t latency_usec,
                        const PlTrace *trace) {
        Question *q = userdata;
        const PlSources *from = q->asks->from;
        const PlSubject *s = pl_map_get(from->registry->subjects, id);
        PlHealthdView view = {};

        (void)pl_healthd_get(pl_health_act_patients(from->health), id, &view);
        reply(q, 200,
              pl_conversation(&(PlConversation){
                              .id = id,
                              .name = s ? pl_subject_name(s) : id,
                              .service = s ? service_of(s) : NULL,
                              .kind = view.kind,
                              .verdict = v,
                              .took_usec = latency_usec,
                              .trace = trace,
                              .secrets = q->secrets,
              }));
}

static void ask_service(Question *q) {
        const PlSources *from = q->asks->from;
        const PlSubject *s = pl_map_get(from->registry->subjects, q->id);
        int r = pl_healthd_ask(pl_health_act_patients(from->health), q->id, on_answered, q);

        if (r >= 0)
                return;
        if (r == -ENOENT && s && s->facts)
                reply(q, 200, not_probed(from, s));
        else if (r == -ENOENT)
                reply(q, 404, pl_ctl_problem("it is gone", "plimsollctl status lists all"));
        else if (r == -EALREADY || r == -EBUSY)
                reply(q, 409,
                      pl_ctl_problem(r == -EBUSY ? "too many are asked just now"
                                                 : "somebody else asks it just now",
                                     "try again in a second"));
        else
                reply(q, 500, NULL);
}

static void on_environment(void *userdata, const char *id, int error, char *const *environment) {
        Question *q = userdata;

        if (error == 0 && pl_secrets_new(environment, &q->secrets) < 0)
                q->secrets = NULL;
        ask_service(q);
}

json_t *pl_ask(PlAsks *a, const PlSubject *s, const PlCtlRequest *request) {
        Question *q;
        PlHealthdView v;

        if (!pl_healthd_get(pl_health_act_patients(a->from->health), s->id, &v) ||
            v.kind == PL_PROBE_NONE)
                return not_probed(a->from, s);
        q = calloc(1, sizeof(*q));
        if (!q)
                return NULL;
        q->asks = a;
        (void)snprintf(q->id, sizeof(q->id), "%s", s->id);
        q->pending = pl_ctl_defer(request);
        if (!q->pending) {
                free(q);
                return NULL;
        }
        LIST_INSERT_HEAD(&a->questions, q, link);
        if (pl_engine_environment(a->from->registry->engine, s->id, on_environment, q) < 0)
                ask_service(q);
        return NULL;
}

json_t *pl_ask_absent(const PlSources *from, const char *service) {
        PlHealthdView v;
        size_t iter = 0;

        while (pl_healthd_next_absent(pl_health_act_patients(from->health), &iter, &v))
                if (pl_streq(v.service, service))
                        return pl_conversation(&(PlConversation){
                                        .id = "",
                                        .name = v.service,
                                        .service = v.service,
                                        .why = v.reason,
                                        .remedy = "start it, with docker compose up -d for "
                                                  "instance",
                        });
        return NULL;
}
