/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Queue: see the header.
 */

#include "lib/notify/queue.h"

#include <errno.h>
#include <time.h>

#include "lib/base/backoff.h"
#include "lib/base/json.h"
#include "lib/base/quote.h"
#include "lib/base/strv.h"
#include "lib/base/unit.h"

#define NAME_MAX_BYTES 256

/* --- events --- */

PlNotifyEvent *pl_notify_event_new(PlNotifyKind kind, uint64_t usec, const char *service,
                                   const char *container, const char *text) {
        PlNotifyEvent *e = calloc(1, sizeof(*e));

        if (!e)
                return NULL;
        e->kind = kind;
        e->usec = usec;
        e->times = 1;
        e->service = service ? pl_escape_again(service, NAME_MAX_BYTES) : NULL;
        e->container = container ? pl_escape_again(container, NAME_MAX_BYTES) : NULL;
        e->text = pl_escape_again(text, PL_NOTIFY_TEXT_MAX);
        if (!e->text || (service && !e->service) || (container && !e->container))
                return pl_notify_event_free(e);
        return e;
}

PlNotifyEvent *pl_notify_event_free(PlNotifyEvent *e) {
        if (!e)
                return NULL;
        free(e->service);
        free(e->container);
        free(e->text);
        free(e);
        return NULL;
}

static size_t bytes_of(const PlNotifyEvent *e) {
        return strlen(e->text) + strlen(e->service ?: "") + strlen(e->container ?: "");
}

/* --- the queue --- */

PlNotifyQueue *pl_notify_queue_new(const char *id, const char *host) {
        PlNotifyQueue *q = calloc(1, sizeof(*q));

        if (!q)
                return NULL;
        (void)snprintf(q->id, sizeof(q->id), "%s", id);
        q->host = strdup(host);
        return q->host ? q : pl_notify_queue_free(q);
}

PlNotifyQueue *pl_notify_queue_free(PlNotifyQueue *q) {
        if (!q)
                return NULL;
        for (size_t i = 0; i < q->n; i++)
                pl_notify_event_free(q->events[i]);
        pl_strv_free(q->troubles);
        free(q->host);
        free(q);
        return NULL;
}

static void shift(PlNotifyQueue *q, size_t n) {
        for (size_t i = 0; i < n; i++) {
                q->bytes -= bytes_of(q->events[i]);
                pl_notify_event_free(q->events[i]);
        }
        memmove(q->events, q->events + n, (q->n - n) * sizeof(q->events[0]));
        q->n -= n;
}

static void append(PlNotifyQueue *q, PlNotifyEvent *e) {
        q->events[q->n++] = e;
        q->bytes += bytes_of(e);
        q->last_id = e->id;
}

unsigned pl_notify_queue_push(PlNotifyQueue *q, PlNotifyEvent *stolen) {
        size_t bytes = bytes_of(stolen), n = q->n == PL_NOTIFY_EVENTS_MAX, freed = 0;

        for (size_t i = 0; i < n; i++)
                freed += bytes_of(q->events[i]);
        for (; n < q->n && q->bytes - freed + bytes > PL_NOTIFY_BYTES_MAX; n++)
                freed += bytes_of(q->events[n]);
        shift(q, n);
        q->dropped += n;
        stolen->id = q->last_id + 1;
        append(q, stolen);
        return (unsigned)n;
}

size_t pl_notify_first(const PlNotifyQueue *q, const PlNotifyProgress *p) {
        size_t i = 0;

        while (i < q->n && pl_streq(q->id, p->id) && q->events[i]->id <= p->acked)
                i++;
        return i;
}

bool pl_notify_queue_trim(PlNotifyQueue *q, const PlNotifyProgress *p) {
        size_t n = pl_notify_first(q, p);

        shift(q, n);
        return n > 0;
}

/* --- documents --- */

static bool put_text(json_t *o, const char *key, const char *value) {
        return !value || pl_json_put(o, key, json_string(value));
}

static json_t *event_to_json(const PlNotifyEvent *e) {
        json_t *o = json_object();
        bool good = o && pl_json_put_number(o, "id", e->id) &&
                    pl_json_put_number(o, "usec", e->usec) &&
                    pl_json_put(o, "kind", json_string(pl_notify_kind_word(e->kind))) &&
                    pl_json_put_number(o, "times", e->times) &&
                    put_text(o, "service", e->service) && put_text(o, "container", e->container) &&
                    put_text(o, "text", e->text);

        if (good)
                return o;
        json_decref(o);
        return NULL;
}

static json_t *list_of(char *const *v) {
        json_t *list = json_array();

        for (; list && v && *v; v++)
                if (json_array_append_new(list, json_string(*v)) < 0) {
                        json_decref(list);
                        return NULL;
                }
        return list;
}

static bool put_section(json_t *o, const PlNotifySection *s) {
        char quiet[PL_QUIET_TEXT_MAX];

        return put_text(o, "section", s->name) &&
               put_text(o, "format", pl_notify_format_word(s->format)) &&
               put_text(o, "url", s->url) && put_text(o, "credential", s->credential) &&
               (!s->quiet.set || put_text(o, "quiet", pl_quiet_format(&s->quiet, quiet)));
}

int pl_notify_queue_format(const PlNotifyQueue *q, const PlNotifySection *s, char **ret) {
        _cleanup_json_ json_t *o = json_object();
        json_t *events = json_array();
        bool good = o && events && pl_json_put_number(o, "version", PL_NOTIFY_VERSION) &&
                    put_section(o, s) && put_text(o, "queue", q->id) &&
                    put_text(o, "host", q->host) && pl_json_put_number(o, "last_id", q->last_id) &&
                    pl_json_put_number(o, "dropped", q->dropped) &&
                    pl_json_put_number(o, "test_id", q->test_id) &&
                    pl_json_put(o, "troubles", list_of(q->troubles));

        for (size_t i = 0; good && i < q->n; i++)
                good = json_array_append_new(events, event_to_json(q->events[i])) == 0;
        if (!good || !pl_json_put(o, "events", json_incref(events))) {
                json_decref(events);
                return -ENOMEM;
        }
        json_decref(events);
        *ret = json_dumps(o, JSON_COMPACT);
        return *ret ? 0 : -ENOMEM;
}

static const char *text_of(const json_t *o, const char *key) {
        return json_string_value(json_object_get(o, key));
}

static uint64_t number_of(const json_t *o, const char *key) {
        json_int_t n = json_integer_value(json_object_get(o, key));

        return n > 0 ? (uint64_t)n : 0;
}

static PlNotifyEvent *event_from_json(const json_t *o) {
        PlNotifyKind kind = pl_notify_kind_from_word(text_of(o, "kind") ?: "");
        PlNotifyEvent *e = NULL;

        if (kind < _PL_NOTIFY_KIND_N && text_of(o, "text"))
                e = pl_notify_event_new(kind, number_of(o, "usec"), text_of(o, "service"),
                                        text_of(o, "container"), text_of(o, "text"));
        if (!e)
                return NULL;
        e->id = number_of(o, "id");
        e->times = (unsigned)PL_MIN(PL_MAX(number_of(o, "times"), UINT64_C(1)), UINT64_C(1000000));
        return e;
}

static int parse_section(const json_t *o, PlNotifySection **ret) {
        const char *name = text_of(o, "section"), *format = text_of(o, "format"),
                   *url = text_of(o, "url"), *credential = text_of(o, "credential"),
                   *quiet = text_of(o, "quiet");
        _cleanup_(pl_notify_section_freep) PlNotifySection *s = NULL;
        char why[PL_NOTIFY_WHY_MAX];
        int r = 0;

        if (!name || !format)
                return -EBADMSG;
        s = pl_notify_section_new(name);
        if (!s)
                return -ENOMEM;
        r = pl_notify_section_set(s, "Format", format, why);
        if (r == 0 && url)
                r = pl_notify_section_set(s, "URL", url, why);
        if (r == 0 && credential)
                r = pl_notify_section_set(s, "Credential", credential, why);
        if (r == 0 && quiet)
                r = pl_notify_section_set(s, "Quiet", quiet, why);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        *ret = TAKE_PTR(s);
        return 0;
}

static int parse_events(const json_t *list, PlNotifyQueue *q) {
        const json_t *o;
        size_t i;

        if (!json_is_array(list) || json_array_size(list) > PL_NOTIFY_EVENTS_MAX)
                return -EBADMSG;
        json_array_foreach((json_t *)list, i, o) {
                PlNotifyEvent *e = event_from_json(o);

                if (!e || e->id <= (q->n > 0 ? q->events[q->n - 1]->id : 0)) {
                        pl_notify_event_free(e);
                        return -EBADMSG;
                }
                append(q, e);
        }
        return 0;
}

static json_t *load(const char *text, size_t size, int *ret_error) {
        json_t *o = size <= PL_NOTIFY_FILE_MAX ? json_loadb(text, size, 0, NULL) : NULL;
        uint64_t version = number_of(o, "version");

        *ret_error = version > PL_NOTIFY_VERSION ? -EOPNOTSUPP : -EBADMSG;
        if (version == PL_NOTIFY_VERSION)
                return o;
        json_decref(o);
        return NULL;
}

int pl_notify_queue_parse(const char *text, size_t size, PlNotifyQueue **ret,
                          PlNotifySection **ret_section) {
        _cleanup_(pl_notify_queue_freep) PlNotifyQueue *q = NULL;
        _cleanup_(pl_notify_section_freep) PlNotifySection *s = NULL;
        _cleanup_json_ json_t *o = NULL;
        const json_t *trouble;
        size_t i;
        int r;

        o = load(text, size, &r);
        if (!o)
                return r;
        if (!text_of(o, "queue") || strlen(text_of(o, "queue")) + 1 != PL_NOTIFY_ID_MAX)
                return -EBADMSG;
        q = pl_notify_queue_new(text_of(o, "queue"), text_of(o, "host") ?: "");
        if (!q)
                return -ENOMEM;
        r = parse_section(o, &s);
        if (r == 0)
                r = parse_events(json_object_get(o, "events"), q);
        if (r < 0)
                return r;
        q->last_id = PL_MAX(q->last_id, number_of(o, "last_id"));
        q->dropped = number_of(o, "dropped");
        q->test_id = number_of(o, "test_id");
        json_array_foreach(json_object_get(o, "troubles"), i,
                           trouble) if (json_is_string(trouble) &&
                                        pl_strv_append(&q->troubles, PL_NOTIFY_TROUBLES_MAX,
                                                       json_string_value(trouble)) ==
                                                        -ENOMEM) return -ENOMEM;
        *ret = TAKE_PTR(q);
        *ret_section = TAKE_PTR(s);
        return 0;
}

/* --- progress --- */

char *pl_notify_progress_format(const PlNotifyProgress *p) {
        _cleanup_json_ json_t *o = json_object();

        if (!o || !pl_json_put_number(o, "version", PL_NOTIFY_VERSION) ||
            !put_text(o, "queue", p->id) || !pl_json_put_number(o, "acked", p->acked) ||
            !pl_json_put_number(o, "lost", p->lost) ||
            !pl_json_put_number(o, "sent_usec", p->sent_usec) ||
            !pl_json_put_number(o, "tried_usec", p->tried_usec) ||
            !pl_json_put_number(o, "retry_usec", p->retry_usec) ||
            !pl_json_put_number(o, "failing_usec", p->failing_usec) ||
            !pl_json_put_number(o, "failures", p->failures) ||
            !pl_json_put_number(o, "refusals", p->refusals) ||
            !pl_json_put_number(o, "unsure_id", p->unsure_id) ||
            !put_text(o, "reason", p->reason) || !pl_json_put_number(o, "test_id", p->test_id) ||
            !put_text(o, "test_reason", p->test_reason))
                return NULL;
        return json_dumps(o, JSON_COMPACT);
}

static void take_text(const json_t *o, const char *key, char *buf, size_t size) {
        const char *s = text_of(o, key);

        (void)pl_quote(s ?: "", strlen(s ?: ""), buf, size);
}

int pl_notify_progress_parse(const char *text, size_t size, PlNotifyProgress *ret) {
        _cleanup_json_ json_t *o = NULL;
        int r;

        o = load(text, size, &r);
        if (!o)
                return -EBADMSG;
        *ret = (PlNotifyProgress){
                .acked = number_of(o, "acked"),
                .lost = number_of(o, "lost"),
                .sent_usec = number_of(o, "sent_usec"),
                .tried_usec = number_of(o, "tried_usec"),
                .retry_usec = number_of(o, "retry_usec"),
                .failing_usec = number_of(o, "failing_usec"),
                .failures = (unsigned)PL_MIN(number_of(o, "failures"), UINT64_C(1000000)),
                .refusals = (unsigned)PL_MIN(number_of(o, "refusals"), UINT64_C(1000000)),
                .unsure_id = number_of(o, "unsure_id"),
                .test_id = number_of(o, "test_id"),
        };
        take_text(o, "queue", ret->id, sizeof(ret->id));
        take_text(o, "reason", ret->reason, sizeof(ret->reason));
        take_text(o, "test_reason", ret->test_reason, sizeof(ret->test_reason));
        return 0;
}

void pl_notify_progress_claim(PlNotifyProgress *p, const PlNotifyQueue *q) {
        uint64_t gone = (q->n > 0 ? q->events[0]->id : q->last_id + 1) - 1;

        if (pl_streq(p->id, q->id))
                return;
        *p = (PlNotifyProgress){ .sent_usec = p->sent_usec };
        p->acked = gone - PL_MIN(gone, q->dropped);
        p->unsure_id = p->acked > 0 ? q->last_id : 0;
        memcpy(p->id, q->id, sizeof(p->id));
}

uint64_t pl_notify_lost(const PlNotifyQueue *q, const PlNotifyProgress *p) {
        size_t first = pl_notify_first(q, p);

        return p->lost + (first < q->n ? q->events[first]->id - 1 - p->acked : 0);
}

uint64_t pl_notify_due(const PlNotifyQueue *q, const PlQuiet *quiet, const PlNotifyProgress *p,
                       uint64_t now_usec) {
        bool ours = pl_streq(q->id, p->id);
        uint64_t due = now_usec, until;

        if (pl_notify_first(q, p) == q->n)
                return 0;
        /* a clock that was set back makes no one wait for it */
        if (p->sent_usec <= now_usec)
                due = PL_MAX(due, p->sent_usec + PL_NOTIFY_INTERVAL_USEC);
        if (ours && p->retry_usec <= now_usec + PL_NOTIFY_RETRY_AFTER_MAX_USEC)
                due = PL_MAX(due, p->retry_usec);
        until = pl_quiet_until(quiet, due);
        return PL_MAX(due, until);
}

static void succeed(PlNotifyProgress *p, uint64_t through) {
        p->acked = PL_MAX(p->acked, through);
        p->lost = 0;
}

static void forget_failures(PlNotifyProgress *p) {
        p->retry_usec = p->failing_usec = p->unsure_id = 0;
        p->failures = p->refusals = 0;
}

void pl_notify_apply(PlNotifyProgress *p, const PlNotifyQueue *q, uint64_t through,
                     const PlNotifyOutcome *o, uint64_t now_usec, uint64_t random) {
        uint64_t wait;

        p->tried_usec = now_usec;
        memcpy(p->reason, o->reason, sizeof(p->reason));
        if (o->result == PL_NOTIFY_SENT) {
                succeed(p, through);
                forget_failures(p);
                p->sent_usec = now_usec;
                return;
        }
        if (p->failures == 0)
                p->failing_usec = now_usec;
        wait = pl_backoff_usec(p->failures, PL_NOTIFY_RETRY_USEC, PL_NOTIFY_RETRY_MAX_USEC, random);
        p->failures++;
        p->refusals = o->result == PL_NOTIFY_REFUSED ? p->refusals + 1 : 0;
        if (o->result == PL_NOTIFY_UNSURE)
                p->unsure_id = through;
        p->retry_usec = now_usec +
                        PL_MAX(wait, PL_MIN(o->retry_after_usec, PL_NOTIFY_RETRY_AFTER_MAX_USEC));
        if (p->refusals < PL_NOTIFY_REFUSALS_MAX)
                return;
        p->lost += through - PL_MIN(p->acked, through); /* with those that were dropped before */
        p->acked = PL_MAX(p->acked, through);
        p->refusals = 0;
}

/* --- answers --- */

/* "120", or "Wed, 21 Oct 2015 07:28:00 GMT" (RFC 9110, 10.2.3). Return: 0: neither, or over. */
static uint64_t parse_retry_after(const char *s, uint64_t now_usec) {
        struct tm tm = { 0 };
        uint64_t seconds;
        const char *end;
        time_t at;

        if (pl_parse_uint64(s, &seconds) == 0)
                return PL_MIN(seconds, PL_NOTIFY_RETRY_AFTER_MAX_USEC / PL_USEC_PER_SEC) *
                       PL_USEC_PER_SEC;
        end = strptime(s, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        at = end && !*end ? timegm(&tm) : 0;
        if (at <= 0 || (uint64_t)at * PL_USEC_PER_SEC <= now_usec)
                return 0;
        return (uint64_t)at * PL_USEC_PER_SEC - now_usec;
}

static const struct {
        long status;
        PlNotifyResult result;
        const char *hint;
} answers[] = {
        { 400, PL_NOTIFY_REFUSED, "it does not understand the message: is Format= right?" },
        { 401, PL_NOTIFY_LATER, "the credential is missing or wrong" },
        { 403, PL_NOTIFY_LATER, "the credential does not allow it" },
        { 404, PL_NOTIFY_LATER, "there is nothing at the address" },
        { 410, PL_NOTIFY_LATER, "there is nothing at the address any more" },
        { 413, PL_NOTIFY_REFUSED, "the message is too large for it" },
        { 415, PL_NOTIFY_REFUSED, "it takes no such message: is Format= right?" },
        { 422, PL_NOTIFY_REFUSED, "it takes no such message: is Format= right?" },
        { 429, PL_NOTIFY_LATER, "it asks to send less" },
};

void pl_notify_outcome(long status, const char *retry_after, uint64_t now_usec,
                       PlNotifyOutcome *ret) {
        const char *hint = NULL;

        *ret = (PlNotifyOutcome){ .result = PL_NOTIFY_LATER };
        if (status >= 200 && status < 300) {
                ret->result = PL_NOTIFY_SENT;
                return;
        }
        for (size_t i = 0; i < PL_ARRAY_SIZE(answers); i++)
                if (answers[i].status == status) {
                        ret->result = answers[i].result;
                        hint = answers[i].hint;
                }
        if (status >= 300 && status < 400)
                hint = "it sends elsewhere, where nothing is sent to: name the last address itself";
        if (retry_after)
                ret->retry_after_usec = parse_retry_after(retry_after, now_usec);
        (void)snprintf(ret->reason, sizeof(ret->reason), "HTTP %ld%s%s", status, hint ? ": " : "",
                       hint ?: "");
}
