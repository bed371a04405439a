/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What waits to be told: queues, how far a sender has got, what is held back, and what a message
 * is made of. The property at the end plays plimsolld, a sender and a bad network at random.
 */

#include <jansson.h>

#include "lib/notify/filter.h"
#include "lib/notify/message.h"
#include "lib/notify/queue.h"
#include "unit.h"

#define SEC PL_USEC_PER_SEC
#define MIN PL_USEC_PER_MIN
#define T0  (UINT64_C(1700000000) * SEC)
#define ID  "0123456789abcdef"

static PlNotifyQueue *q;
static PlNotifyProgress p;
static const PlQuiet never;

static void setup(void) {
        q = pl_notify_queue_new(ID, "box");
        ck_assert_ptr_nonnull(q);
        p = (PlNotifyProgress){ 0 };
        pl_notify_progress_claim(&p, q);
}

static void teardown(void) {
        q = pl_notify_queue_free(q);
}

static PlNotifyEvent *event(PlNotifyKind kind, const char *service, const char *text) {
        PlNotifyEvent *e = pl_notify_event_new(kind, T0, service, NULL, text);

        ck_assert_ptr_nonnull(e);
        return e;
}

static void push(const char *text) {
        ck_assert_uint_eq(pl_notify_queue_push(q, event(PL_NOTIFY_OOM, "db", text)), 0);
}

/* --- bounds --- */

START_TEST(count_is_bounded) {
        for (unsigned i = 0; i < PL_NOTIFY_EVENTS_MAX; i++)
                push("x");
        for (unsigned i = 0; i < 3; i++)
                ck_assert_uint_eq(pl_notify_queue_push(q, event(PL_NOTIFY_OOM, "db", "y")), 1);
        ck_assert_uint_eq(q->n, PL_NOTIFY_EVENTS_MAX);
        ck_assert_uint_eq(q->dropped, 3);
        ck_assert_uint_eq(q->events[0]->id, 4); /* the oldest have gone */
}
END_TEST

START_TEST(bytes_are_bounded) {
        char text[2000];
        unsigned dropped = 0;

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        for (unsigned i = 0; i < 200; i++)
                dropped += pl_notify_queue_push(q, event(PL_NOTIFY_OOM, "db", text));
        ck_assert_uint_le(strlen(q->events[0]->text), PL_NOTIFY_TEXT_MAX);
        ck_assert_uint_le(q->bytes, PL_NOTIFY_BYTES_MAX);
        ck_assert_uint_eq(q->dropped, dropped);
        ck_assert_uint_eq(q->n + dropped, 200);
}
END_TEST

/* --- documents --- */

START_TEST(queue_comes_back) {
        _cleanup_(pl_notify_section_freep) PlNotifySection *s = pl_notify_section_new("ops"),
                                                           *back = NULL;
        _cleanup_free_ char *text = NULL, *again = NULL;
        char why[PL_NOTIFY_WHY_MAX];
        PlNotifyQueue *other = NULL;

        ck_assert_int_eq(pl_notify_section_set(s, "Format", "ntfy", why), 0);
        ck_assert_int_eq(pl_notify_section_set(s, "URL", "https://a.example/t", why), 0);
        ck_assert_int_eq(pl_notify_section_set(s, "Credential", "tok", why), 0);
        ck_assert_int_eq(pl_notify_section_set(s, "Quiet", "22:00-07:00", why), 0);
        push("one \"quoted\" \x01 and a line\nend");
        push("two");
        q->events[1]->times = 7;
        q->dropped = 5;
        q->test_id = 2;
        ck_assert_int_eq(pl_notify_queue_format(q, s, &text), 0);
        ck_assert_int_eq(pl_notify_queue_parse(text, strlen(text), &other, &back), 0);
        ck_assert_int_eq(pl_notify_queue_format(other, back, &again), 0);
        ck_assert_str_eq(text, again);
        ck_assert_str_eq(other->events[0]->text, "one \"quoted\" \\x01 and a line\\x0aend");
        ck_assert_uint_eq(other->bytes, q->bytes);
        ck_assert_str_eq(back->credential, "tok");
        pl_notify_queue_free(other);
}
END_TEST

static const struct {
        const char *name, *text;
        int error;
} documents[] = {
        { "nothing", "", -EBADMSG },
        { "half", "{\"version\":1,\"sec", -EBADMSG },
        { "no version", "{}", -EBADMSG },
        { "a later one", "{\"version\":2}", -EOPNOTSUPP },
        { "no queue", "{\"version\":1,\"section\":\"a\",\"format\":\"json\",\"events\":[]}",
          -EBADMSG },
        { "no such format",
          "{\"version\":1,\"queue\":\"" ID "\",\"section\":\"a\",\"format\":\"x\",\"events\":[]}",
          -EBADMSG },
        { "an address with a password",
          "{\"version\":1,\"queue\":\"" ID "\",\"section\":\"a\",\"format\":\"json\",\"url\":"
          "\"https://a:b@c\",\"events\":[]}",
          -EBADMSG },
        { "numbers that do not grow",
          "{\"version\":1,\"queue\":\"" ID "\",\"section\":\"a\",\"format\":\"json\",\"events\":["
          "{\"id\":2,\"kind\":\"oom\",\"text\":\"a\"},{\"id\":2,\"kind\":\"oom\",\"text\":\"a\"}]}",
          -EBADMSG },
        { "an unknown kind",
          "{\"version\":1,\"queue\":\"" ID "\",\"section\":\"a\",\"format\":\"json\",\"events\":["
          "{\"id\":2,\"kind\":\"moo\",\"text\":\"a\"}]}",
          -EBADMSG },
        { "good",
          "{\"version\":1,\"queue\":\"" ID
          "\",\"section\":\"a\",\"format\":\"json\",\"events\":[]}",
          0 },
};

START_TEST(document) {
        _cleanup_(pl_notify_section_freep) PlNotifySection *s = NULL;
        _cleanup_(pl_notify_queue_freep) PlNotifyQueue *other = NULL;
        int r = pl_notify_queue_parse(documents[_i].text, strlen(documents[_i].text), &other, &s);

        ck_assert_msg(r == documents[_i].error, "%s: %d", documents[_i].name, r);
}
END_TEST

START_TEST(progress_comes_back) {
        PlNotifyProgress other = { .id = ID,
                                   .acked = 4,
                                   .lost = 1,
                                   .sent_usec = T0,
                                   .tried_usec = T0 + 1,
                                   .retry_usec = T0 + 2,
                                   .failing_usec = T0 - 1,
                                   .failures = 3,
                                   .refusals = 2,
                                   .unsure_id = 4,
                                   .test_id = 9,
                                   .reason = "HTTP 500",
                                   .test_reason = "x" },
                         back;
        _cleanup_free_ char *text = pl_notify_progress_format(&other), *again = NULL;

        ck_assert_int_eq(pl_notify_progress_parse(text, strlen(text), &back), 0);
        again = pl_notify_progress_format(&back);
        ck_assert_str_eq(text, again);
        ck_assert_int_eq(pl_notify_progress_parse("{", 1, &back), -EBADMSG);
}
END_TEST

/* --- when --- */

static const struct {
        const char *name;
        unsigned n;
        uint64_t acked, sent, retry; /* sent, retry: usec after T0 - 1 h; 0: none */
        const char *quiet;
        uint64_t due; /* after T0; UINT64_MAX: nothing is */
} times[] = {
        { "nothing waits", 0, 0, 0, 0, "", UINT64_MAX },
        { "all is sent", 2, 2, 0, 0, "", UINT64_MAX },
        { "the first of all", 1, 0, 0, 0, "", 0 },
        { "some of it is sent", 2, 1, 0, 0, "", 0 },
        { "sent just now", 2, 1, 60 * MIN, 0, "", 30 * SEC },
        { "sent a minute ago", 2, 1, 59 * MIN, 0, "", 0 },
        { "the clock was set back", 2, 1, 600 * MIN, 0, "", 0 },
        { "tried in vain", 1, 0, 0, 62 * MIN, "", 2 * MIN },
        { "a wait that no server may ask for", 1, 0, 0, 50 * 60 * MIN, "", 0 },
        /* T0 is 22:13:20 UTC */
        { "quiet", 1, 0, 0, 0, "22:00-22:14", 40 * SEC },
        { "quiet when it would be tried again", 1, 0, 0, 61 * MIN, "22:14-22:20", 400 * SEC },
        { "quiet is over by then", 1, 0, 0, 61 * MIN, "22:00-22:14", 60 * SEC },
};

START_TEST(due) {
        PlQuiet quiet = { 0 };
        uint64_t got;

        (void)setenv("TZ", "UTC", 1);
        if (*times[_i].quiet)
                ck_assert_int_eq(pl_quiet_parse(times[_i].quiet, &quiet), 0);
        for (unsigned i = 0; i < times[_i].n; i++)
                push("x");
        p.acked = times[_i].acked;
        p.sent_usec = times[_i].sent ? T0 - 60 * MIN + times[_i].sent : 0;
        p.retry_usec = times[_i].retry ? T0 - 60 * MIN + times[_i].retry : 0;
        got = pl_notify_due(q, &quiet, &p, T0);
        ck_assert_msg(got == (times[_i].due == UINT64_MAX ? 0 : T0 + times[_i].due), "%s: %lld",
                      times[_i].name, (long long)(got - T0));
}
END_TEST

static const struct {
        const char *name;
        long status;
        const char *retry_after;
        PlNotifyResult result;
        uint64_t wait;
} answers[] = {
        { "taken", 200, NULL, PL_NOTIFY_SENT, 0 },
        { "no content", 204, "60", PL_NOTIFY_SENT, 0 },
        { "elsewhere", 302, NULL, PL_NOTIFY_LATER, 0 },
        { "wrong", 400, NULL, PL_NOTIFY_REFUSED, 0 },
        { "not allowed", 401, NULL, PL_NOTIFY_LATER, 0 },
        { "too large", 413, NULL, PL_NOTIFY_REFUSED, 0 },
        { "too many", 429, "120", PL_NOTIFY_LATER, 120 * SEC },
        { "too many, until then", 429, "Tue, 14 Nov 2023 22:14:20 GMT", PL_NOTIFY_LATER, 60 * SEC },
        { "in the past", 503, "Tue, 14 Nov 2023 22:00:00 GMT", PL_NOTIFY_LATER, 0 },
        { "for ever", 503, "99999999999999", PL_NOTIFY_LATER, 24 * 60 * MIN },
        { "nonsense", 503, "soon", PL_NOTIFY_LATER, 0 },
        { "negative", 503, "-5", PL_NOTIFY_LATER, 0 },
        { "broken", 500, "", PL_NOTIFY_LATER, 0 },
};

START_TEST(answer) {
        PlNotifyOutcome o;

        pl_notify_outcome(answers[_i].status, answers[_i].retry_after, T0, &o);
        ck_assert_msg(o.result == answers[_i].result && (o.result == PL_NOTIFY_SENT ||
                                                         o.retry_after_usec == answers[_i].wait),
                      "%s: %d, %llu", answers[_i].name, (int)o.result,
                      (unsigned long long)o.retry_after_usec);
        ck_assert((o.result == PL_NOTIFY_SENT) == !*o.reason);
}
END_TEST

/* --- what is held back --- */

#define COOL (5 * MIN)

START_TEST(cooldown) {
        _cleanup_(pl_notify_filter_freep) PlNotifyFilter *f = pl_notify_filter_new();
        PlNotifyEvent *e;

        e = pl_notify_filter_add(f, "db", event(PL_NOTIFY_OOM, "db", "1"), COOL, MIN);
        ck_assert_str_eq(e->text, "1");
        pl_notify_event_free(e);
        ck_assert_uint_eq(pl_notify_filter_due(f, COOL), 0);
        /* another kind, and another service, are told */
        e = pl_notify_filter_add(f, "db", event(PL_NOTIFY_UNHEALTHY, "db", "2"), COOL, MIN);
        pl_notify_event_free(e);
        ck_assert_ptr_nonnull(e);
        e = pl_notify_filter_add(f, "web", event(PL_NOTIFY_OOM, "web", "3"), COOL, MIN);
        pl_notify_event_free(e);
        ck_assert_ptr_nonnull(e);
        for (unsigned i = 0; i < 4; i++)
                ck_assert_ptr_null(pl_notify_filter_add(f, "db", event(PL_NOTIFY_OOM, "db", "more"),
                                                        COOL, 2 * MIN + i));
        ck_assert_uint_eq(pl_notify_filter_due(f, COOL), MIN + COOL);
        ck_assert_ptr_null(pl_notify_filter_take(f, COOL, MIN + COOL - 1));
        e = pl_notify_filter_take(f, COOL, MIN + COOL);
        ck_assert_uint_eq(e->times, 4);
        ck_assert_str_eq(e->text, "more");
        pl_notify_event_free(e);
        ck_assert_ptr_null(pl_notify_filter_take(f, COOL, UINT64_MAX));
        /* that it was told begins the next while */
        ck_assert_ptr_null(pl_notify_filter_add(f, "db", event(PL_NOTIFY_OOM, "db", "4"), COOL,
                                                2 * COOL));
        e = pl_notify_filter_take(f, COOL, UINT64_MAX);
        ck_assert_str_eq(e->text, "4");
        pl_notify_event_free(e);
}
END_TEST

/* Who is told that it is in trouble again is told in one breath that it is well again. */
START_TEST(one_service_at_once) {
        _cleanup_(pl_notify_filter_freep) PlNotifyFilter *f = pl_notify_filter_new();
        static const PlNotifyKind kinds[] = { PL_NOTIFY_UNHEALTHY, PL_NOTIFY_RECOVERED };
        PlNotifyEvent *e;

        for (uint64_t i = 0; i < 4; i++) {
                e = event(kinds[i % 2], "db", i % 2 ? "well" : "ill");
                e->usec = T0 + i;
                e = pl_notify_filter_add(f, "db", e, COOL, MIN + i * MIN);
                ck_assert(i < 2 ? e != NULL : !e);
                pl_notify_event_free(e);
        }
        e = pl_notify_filter_take(f, COOL, MIN + COOL);
        ck_assert_str_eq(e->text, "ill");
        pl_notify_event_free(e);
        e = pl_notify_filter_take(f, COOL, MIN + COOL);
        ck_assert_str_eq(e->text, "well");
        pl_notify_event_free(e);
        ck_assert_uint_eq(pl_notify_filter_due(f, COOL), 0);
}
END_TEST

START_TEST(filter_is_bounded) {
        _cleanup_(pl_notify_filter_freep) PlNotifyFilter *f = pl_notify_filter_new();

        for (unsigned i = 0; i < 3 * PL_NOTIFY_FILTER_MAX; i++) {
                char key[32];
                PlNotifyEvent *e;

                (void)snprintf(key, sizeof(key), "s%u", i);
                e = pl_notify_filter_add(f, key, event(PL_NOTIFY_OOM, key, "x"), COOL, MIN);
                ck_assert_ptr_nonnull(e); /* none is held for want of room */
                pl_notify_event_free(e);
        }
}
END_TEST

/* --- messages: what a container says is no more than text --- */

static const char hostile[] =
                "\"}],\"text\":\"<!channel> @everyone <@1> *b* _i_ `c` & \\ [l](http://x)\r\n"
                "X-Evil: 1\xff\xe2\x80\xae";

START_TEST(hostile_text) {
        PlNotifyFormat format = (PlNotifyFormat)_i;
        PlNotifyEvent *e = event(PL_NOTIFY_OOM, "db\r\nX: y", hostile);
        const PlNotifyBatch b = { "box", "ops", &e, 1, 0, false };
        PlNotifyMessage m = { 0 };
        json_t *o;

        ck_assert_int_eq(pl_notify_message(format, &b, format == PL_NOTIFY_NTFY ? "tok" : NULL, &m),
                         0);
        for (char **v = m.headers; *v; v++)
                ck_assert_msg(!strpbrk(*v, "\r\n"), "%s", *v);
        ck_assert_ptr_null(strchr(m.body, '\r'));
        o = json_loads(m.body, 0, NULL);
        ck_assert((o != NULL) == (format != PL_NOTIFY_NTFY && format != PL_NOTIFY_TEXT));
        if (format == PL_NOTIFY_SLACK) {
                const char *text = json_string_value(json_object_get(o, "text"));

                ck_assert_uint_eq(json_object_size(o), 1);
                ck_assert(!strchr(text, '<') && !strchr(text, '>'));
        } else if (format == PL_NOTIFY_DISCORD) {
                const char *text = json_string_value(json_object_get(o, "content"));

                ck_assert_ptr_null(strstr(text, " @everyone"));
                ck_assert_ptr_null(strstr(text, " *b*"));
                ck_assert_uint_eq(json_array_size(json_object_get(
                                                  json_object_get(o, "allowed_mentions"), "parse")),
                                  0);
        }
        json_decref(o);
        pl_notify_message_deinit(&m);
        pl_notify_event_free(e);
}
END_TEST

/* Of each format, whatever is in it. */
START_TEST(message_is_bounded) {
        static const size_t max[] = { MIB(1), 4096, 40000, 20000, 2 * 2000, 20000 };
        PlNotifyMessage m = { 0 };
        char text[PL_NOTIFY_TEXT_MAX];

        memset(text, '*', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        for (unsigned i = 0; i < 300; i++)
                (void)pl_notify_queue_push(q, event(PL_NOTIFY_OOM, "db", text));
        for (size_t n = 1; n <= q->n; n += 60) {
                const PlNotifyBatch b = { "box", "ops", q->events, n, 3, true };

                ck_assert_int_eq(pl_notify_message((PlNotifyFormat)_i, &b, NULL, &m), 0);
                ck_assert_msg(strlen(m.body) <= max[_i], "%zu bytes of %zu events", strlen(m.body),
                              n);
                if (_i == PL_NOTIFY_DISCORD) {
                        json_t *o = json_loads(m.body, 0, NULL);

                        ck_assert_uint_le(json_string_length(json_object_get(o, "content")), 2000);
                        json_decref(o);
                }
                pl_notify_message_deinit(&m);
        }
}
END_TEST

START_TEST(token_is_no_header) {
        PlNotifyEvent *e = event(PL_NOTIFY_OOM, "db", "x");
        const PlNotifyBatch b = { "box", "ops", &e, 1, 0, false };
        PlNotifyMessage m;

        ck_assert_int_eq(pl_notify_message(PL_NOTIFY_JSON, &b, "a\r\nX: b", &m), -EINVAL);
        ck_assert_int_eq(pl_notify_message(PL_NOTIFY_JSON, &b, "a b", &m), -EINVAL);
        pl_notify_event_free(e);
}
END_TEST

/* --- the property --- */

typedef struct World {
        uint32_t seed;
        uint64_t now;
        unsigned happened, taken[4000]; /* how often the server took each */
        uint64_t told_lost;
        bool doubt[4000]; /* it was sent, and the answer was lost */
} World;

static uint32_t any(World *w, uint32_t n) {
        w->seed = w->seed * 1664525 + 1013904223;
        return (w->seed >> 8) % n;
}

/* A sender, from the documents on disk, which may die before it has noted what came of it. */
static void try_to_send(World *w, bool lost_answers) {
        uint64_t at = pl_notify_due(q, &never, &p, w->now), through;
        size_t first = pl_notify_first(q, &p);
        PlNotifyOutcome o = { 0 };
        uint64_t lost;

        if (at == 0 || at > w->now)
                return;
        through = q->events[q->n - 1]->id;
        lost = pl_notify_lost(q, &p);
        o.result = (PlNotifyResult)any(w, 4);
        if (o.result == PL_NOTIFY_UNSURE && !lost_answers)
                o.result = PL_NOTIFY_LATER;
        if (o.result != PL_NOTIFY_SENT)
                (void)snprintf(o.reason, sizeof(o.reason), "HTTP 500");
        if (o.result == PL_NOTIFY_SENT || (o.result == PL_NOTIFY_UNSURE && any(w, 2)))
                for (size_t i = first; i < q->n; i++) {
                        unsigned number = (unsigned)atoi(q->events[i]->text);

                        ck_assert_msg(w->taken[number] == 0 || p.unsure_id >= q->events[i]->id,
                                      "%u is sent twice", number);
                        w->taken[number]++;
                        w->doubt[number] = o.result == PL_NOTIFY_UNSURE;
                }
        if (o.result == PL_NOTIFY_SENT)
                w->told_lost += lost;
        pl_notify_apply(&p, q, through, &o, w->now, any(w, UINT32_MAX));
        ck_assert(o.result == PL_NOTIFY_SENT || p.retry_usec > w->now);
}

/* plimsolld is killed, or started anew: what it had written is what there is. */
static void start_again(World *w) {
        PlNotifySection *s = pl_notify_section_new("ops"), *back = NULL;
        char why[PL_NOTIFY_WHY_MAX], *text = NULL, *progress = pl_notify_progress_format(&p);
        PlNotifyQueue *other = NULL;

        (void)pl_notify_section_set(s, "Format", "text", why);
        ck_assert_int_eq(pl_notify_queue_format(q, s, &text), 0);
        ck_assert_int_eq(pl_notify_queue_parse(text, strlen(text), &other, &back), 0);
        ck_assert_int_eq(pl_notify_progress_parse(progress, strlen(progress), &p), 0);
        pl_notify_queue_free(q);
        q = other;
        pl_notify_section_free(s);
        pl_notify_section_free(back);
        free(text);
        free(progress);
}

/* Nothing is sent twice but what may have got lost on its way, which is said; nothing is lost but
 * what is counted, and the count is told. */
static void play(unsigned seed) {
        World *w = calloc(1, sizeof(*w));
        unsigned steps = 60 + seed % 200, never_taken = 0;
        bool lost_answers = seed % 2;

        w->seed = seed + 1;
        w->now = T0;
        for (unsigned i = 0; i < steps; i++) {
                unsigned n = any(w, 10) ? any(w, 4) : any(w, 60);

                for (unsigned k = 0; k < n && w->happened < PL_ARRAY_SIZE(w->taken); k++) {
                        char text[16];

                        (void)snprintf(text, sizeof(text), "%u", w->happened++);
                        (void)pl_notify_queue_push(q, event(PL_NOTIFY_OOM, "db", text));
                }
                w->now += any(w, 5) ? any(w, 40) * SEC : any(w, 7200) * SEC;
                if (any(w, 2))
                        try_to_send(w, lost_answers);
                if (any(w, 4) == 0)
                        (void)pl_notify_queue_trim(q, &p);
                if (any(w, 40) == 0)
                        start_again(w);
        }
        while (pl_notify_first(q, &p) < q->n || p.lost > 0) {
                if (pl_notify_first(q, &p) == q->n) {
                        char text[16];

                        ck_assert_uint_lt(w->happened, PL_ARRAY_SIZE(w->taken));
                        (void)snprintf(text, sizeof(text), "%u", w->happened++);
                        (void)pl_notify_queue_push(q, event(PL_NOTIFY_OOM, "db", text));
                }
                w->now += 2 * 60 * MIN;
                try_to_send(w, false);
        }
        for (unsigned i = 0; i < w->happened; i++)
                never_taken += w->taken[i] == 0;
        /* what was taken while its answer was lost, and dropped later, counts as lost, too */
        if (lost_answers)
                ck_assert_msg(w->told_lost >= never_taken, "seed %u: %u of %u, told %u", seed,
                              never_taken, w->happened, (unsigned)w->told_lost);
        else
                ck_assert_msg(w->told_lost == never_taken, "seed %u: %u of %u, told %u", seed,
                              never_taken, w->happened, (unsigned)w->told_lost);
        free(w);
}

START_TEST(property) {
        for (unsigned i = 0; i < 50; i++) {
                play((unsigned)_i * 50 + i);
                teardown();
                setup();
        }
}
END_TEST

int main(void) {
        TCase *t = tcase_create("notify-queue");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, count_is_bounded);
        tcase_add_test(t, bytes_are_bounded);
        tcase_add_test(t, queue_comes_back);
        tcase_add_loop_test(t, document, 0, PL_ARRAY_SIZE(documents));
        tcase_add_test(t, progress_comes_back);
        tcase_add_loop_test(t, due, 0, PL_ARRAY_SIZE(times));
        tcase_add_loop_test(t, answer, 0, PL_ARRAY_SIZE(answers));
        tcase_add_test(t, cooldown);
        tcase_add_test(t, one_service_at_once);
        tcase_add_test(t, filter_is_bounded);
        tcase_add_loop_test(t, hostile_text, 0, _PL_NOTIFY_FORMAT_N);
        tcase_add_loop_test(t, message_is_bounded, 0, _PL_NOTIFY_FORMAT_N);
        tcase_add_test(t, token_is_no_header);
        tcase_add_loop_test(t, property, 0, 20);
        return run_case(t);
}
