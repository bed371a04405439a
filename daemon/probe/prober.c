/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Prober: targets, schedule and deadlines. See the header.
 *
 * One timer serves all probes. A probe that is due within an eighth of its interval joins the one
 * that is due now, so that a few probes share their wake-ups and go on sharing them; a bound on the
 * rounds of one wake-up keeps a hundred probes from becoming a burst.
 */

#include "probe/prober.h"

#include <errno.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/loop.h"
#include "lib/base/map.h"
#include "lib/base/strv.h"
#include "lib/probe/kind.h"
#include "lib/probe/ollama.h"
#include "probe/transport.h"

#define FIRST_USEC  PL_USEC_PER_SEC          /* the first round comes within a fifth of this */
#define BATCH_MAX   16                       /* rounds begun in one wake-up */
#define BATCH_USEC  (20 * PL_USEC_PER_MSEC)  /* between full batches */
#define SLACK_USEC  (250 * PL_USEC_PER_MSEC) /* by which a wake-up may be late */
#define RUNNING_MAX 128                      /* descriptors in use at once */
#define ASKS_MAX    16                       /* conversations that somebody wants to see */
#define LOGIN_USEC  PL_USEC_PER_SEC          /* how long a round waits for a login */
#define ASK_USEC    PL_USEC_PER_SEC          /* between two with one service */
/* For what is only of interest: it may take longer than a sign of life. */
#define RARE_TIMEOUT_USEC (10 * PL_USEC_PER_SEC)

static const PlTransport *const transports[] = { &pl_transport_tcp, &pl_transport_http };

/* A round that somebody asked for, and the conversation. */
typedef struct Ask {
        PlProbeAnswered answered;
        void *userdata;
        PlTrace *trace;
} Ask;

/* What is asked of whom; the attempt borrows from it. */
typedef struct Target {
        PlProbeKind kind;
        PlProbeAddresses addresses;
        uint64_t interval_usec, timeout_usec;
        char *user, *database, *path, *prefix, *host;
        PlProbeTls tls;
        bool tls_verify, auth;
        char **expect_texts, **models;
        PlExpectList *expect;
        PlOllamaLook *ollama; /* what rounds learn of its models; NULL: another kind */
} Target;

typedef struct Probe {
        PlProber *prober;
        char id[PL_ID_MAX];
        Target target;
        const PlTransport *transport;

        uint64_t due_usec;   /* CLOCK_MONOTONIC; of the next round */
        uint64_t hurry_usec; /* instead of the interval; 0: no hurry */
        uint64_t ended_usec; /* the last round; 0: there was none */
        bool running; /* a round is under way: one attempt after another until one connects */
        bool rare;    /* and it asks what is only of interest */
        uint64_t began_usec, allowed_usec; /* of the round */
        uint64_t latency_usec;             /* of the last round that was for a sign of life */
        uint64_t deadline_usec;            /* of the round, or of this attempt to connect */
        unsigned good;                     /* index of the address that answered last */
        unsigned n_failed; /* attempts of this round: 0: good is asked; then the others */
        PlVerdict first;   /* of the first attempt that failed to connect */
        PlAttempt attempt;
        uint64_t asked_usec; /* when somebody wanted to see it last; 0: never */
        Ask *ask;            /* NULL: it is of the schedule */
        PlLogin *login;      /* NULL: none, or not known yet */
        bool login_wanted;   /* and not asked for yet */
} Probe;

struct PlProber {
        sd_event *event;
        const PlProbeHandlers *handlers;
        void *userdata;
        PlMap *probes; /* id → Probe, owned */
        PlMap *asks;   /* likewise: those that are asked out of turn, once */
        sd_event_source *timer;
        unsigned n_running;
        void *shared[PL_ARRAY_SIZE(transports)]; /* NULL until the first attempt */
};

/* Evenly from 0 up to n. Not for secrets: a failing getrandom(2) only means no jitter. */
static uint64_t up_to(uint64_t n) {
        uint32_t r = 0;

        (void)!getrandom(&r, sizeof(r), GRND_NONBLOCK);
        return n * r / UINT32_MAX;
}

static uint64_t interval_of(const Probe *p) {
        return p->hurry_usec > 0 ? PL_MIN(p->hurry_usec, p->target.interval_usec)
                                 : p->target.interval_usec;
}

static uint64_t now_usec(const PlProber *b) {
        return pl_clock_loop_usec(b->event, CLOCK_MONOTONIC);
}

static void stop(Probe *p) {
        p->transport->stop(&p->attempt);
        if (p->running)
                p->prober->n_running--;
        p->running = false;
}

static void target_deinit(Target *t) {
        free(t->user);
        free(t->database);
        free(t->path);
        free(t->host);
        free(t->prefix);
        pl_strv_free(t->expect_texts);
        pl_strv_free(t->models);
        pl_expect_list_free(t->expect);
        free(t->ollama);
}

static Probe *probe_free(Probe *p) {
        if (!p)
                return NULL;
        stop(p);
        target_deinit(&p->target);
        pl_login_free(p->login);
        if (p->ask)
                pl_trace_free(p->ask->trace);
        free(p->ask);
        free(p);
        return NULL;
}
PL_DEFINE_CLEANUP(Probe *, probe_free)

/* The address of this attempt: the one that was good comes first, the others in their order. */
static unsigned address_of(const Probe *p) {
        if (p->n_failed == 0)
                return p->good;
        return p->n_failed <= p->good ? p->n_failed - 1 : p->n_failed;
}

static void arm(PlProber *b) {
        uint64_t at = PL_TIME_INFINITY, slack = SLACK_USEC;
        Probe *p;

        PL_MAP_FOREACH(p, b->probes) {
                uint64_t t = p->running ? p->deadline_usec : p->due_usec;

                if (t < at)
                        at = t;
                slack = PL_MIN(slack, interval_of(p) / 8);
        }
        PL_MAP_FOREACH(p, b->asks)
        at = PL_MIN(at, p->running ? p->deadline_usec : p->due_usec);
        if (at == PL_TIME_INFINITY) {
                (void)sd_event_source_set_enabled(b->timer, SD_EVENT_OFF);
                return;
        }
        (void)sd_event_source_set_time(b->timer, at);
        (void)sd_event_source_set_time_accuracy(b->timer, PL_MAX(slack, UINT64_C(1)));
        (void)sd_event_source_set_enabled(b->timer, SD_EVENT_ONESHOT);
}

/* Where it went wrong belongs to reasons that are about reaching it. */
static void add_address(const Probe *p, PlVerdict *v) {
        char text[PL_PROBE_ADDRESS_TEXT_MAX];

        pl_verdict_add(v, " (%s)", pl_probe_address_format(p->attempt.address, text));
}

static void answer(Probe *p, const PlVerdict *v, uint64_t latency) {
        PlProber *b = p->prober;

        stop(p);
        (void)pl_map_remove(b->asks, p->id);
        arm(b);
        p->ask->answered(p->ask->userdata, p->id, v, latency, p->ask->trace);
        probe_free(p);
}

static bool begin(Probe *p, bool rare);

/* The verdict stands, and the service is well: is there more to ask? */
static void begin_rare(Probe *p) {
        PlProber *b = p->prober;

        if (p->running || b->n_running >= RUNNING_MAX || p->transport != &pl_transport_http ||
            !pl_probe_http_rare(&p->attempt.spec, &p->attempt.http, now_usec(b),
                                p->target.interval_usec))
                return;
        if (begin(p, true))
                arm(b);
}

/* Calls the handler, so the probe may be gone afterwards. */
static void finish(Probe *p, const PlVerdict *v) {
        PlProber *b = p->prober;
        uint64_t now = now_usec(b);
        PlVerdict copy = *v;
        char id[PL_ID_MAX];

        if (p->ask) {
                answer(p, &copy, now - p->began_usec);
                return;
        }
        if (p->attempt.connected)
                p->good = address_of(p);
        stop(p);
        if (!p->rare) {
                p->latency_usec = now - p->began_usec;
                p->ended_usec = now;
                p->due_usec = now + interval_of(p) + up_to(interval_of(p) / 5);
        }
        arm(b);
        if (p->rare && copy.kind != PL_VERDICT_UP && copy.kind != PL_VERDICT_IMPAIRED)
                return; /* nobody was reached: the next round tells */
        memcpy(id, p->id, sizeof(id));
        b->handlers->verdict(b->userdata, id, &copy, p->latency_usec,
                             p->target.ollama ? &p->target.ollama->facts : NULL);
        p = pl_map_get(b->probes, id);
        if (p)
                begin_rare(p);
}

static int transport_start(Probe *p) {
        PlProber *b = p->prober;
        void **shared = NULL;
        int r;

        for (size_t i = 0; i < PL_ARRAY_SIZE(transports); i++)
                if (transports[i] == p->transport)
                        shared = &b->shared[i];
        if (!*shared) {
                r = p->transport->open(b->event, shared);
                if (r < 0)
                        return r;
        }
        return p->transport->start(*shared, &p->attempt);
}

static void unreachable(Probe *p, PlHttpError error);

/* Return: false when the probe ended at once (and may be gone). */
static bool start_attempt(Probe *p) {
        uint64_t now = now_usec(p->prober), end = p->began_usec + p->allowed_usec;
        char text[PL_PROBE_ADDRESS_TEXT_MAX];
        int r;

        p->attempt.connected = false;
        p->attempt.address = &p->target.addresses.items[address_of(p)];
        (void)pl_probe_address_format(p->attempt.address, text);
        pl_attempt_trace(&p->attempt, PL_TRACE_ADDRESS, text, strlen(text));
        /* an address that swallows packets must leave time for the others */
        p->deadline_usec =
                        now + (end > now ? end - now : 0) / (p->target.addresses.n - p->n_failed);
        r = transport_start(p);
        if (r < 0) {
                unreachable(p, pl_transport_error(-r));
                return false;
        }
        if (p->attempt.connected)
                p->deadline_usec = end;
        return true;
}

/* Nobody is there for this attempt: the next address, or finish. The probe may be gone afterwards.
 */
static void go_on(Probe *p, const PlVerdict *v, bool more) {
        PlVerdict first;

        if (p->n_failed == 0)
                p->first = *v;
        if (more && p->n_failed + 1 < p->target.addresses.n) {
                p->n_failed++;
                (void)start_attempt(p);
                return;
        }
        first = p->first.kind == PL_VERDICT_NONE ? *v : p->first;
        if (first.kind == PL_VERDICT_SILENT && p->prober->handlers->unmet)
                p->prober->handlers->unmet(p->prober->userdata, p->id,
                                           p->target.addresses.items[0].port, &first);
        finish(p, &first);
}

static void unreachable(Probe *p, PlHttpError error) {
        PlVerdict v;

        pl_probe_transport(error, &v);
        pl_attempt_trace(&p->attempt, PL_TRACE_FAILED, v.reason, strlen(v.reason));
        if (error != PL_HTTP_LOCAL)
                add_address(p, &v);
        go_on(p, &v, error != PL_HTTP_LOCAL);
}

/* What was learnt of where a service answers is not for one that may be another. */
static void begin_talk(Probe *p) {
        const PlProbeAddresses *a = &p->target.addresses;
        bool guess = false;

        if (p->transport != &pl_transport_http)
                return;
        for (size_t i = 1; i < a->n; i++)
                guess = guess || a->items[i].port != a->items[0].port;
        if (guess && !p->attempt.http.known)
                p->attempt.http = (PlHttpProbe){ .ollama = p->target.ollama };
        pl_probe_http_begin(&p->attempt.spec, &p->attempt.http);
}

/* A port that is a guess may be another service's: nothing but an answer as it should be says that
 * it is the one. */
static void settle(Probe *p, const PlVerdict *v) {
        const PlProbeAddress *likeliest = &p->target.addresses.items[0];

        if (p->attempt.address->port == likeliest->port || address_of(p) == p->good ||
            v->kind == PL_VERDICT_UP || v->kind == PL_VERDICT_STARTING ||
            v->kind == PL_VERDICT_IMPAIRED) {
                finish(p, v);
                return;
        }
        p->attempt.connected = false;
        begin_talk(p);
        go_on(p, v, true);
}

static Probe *probe_of(PlAttempt *a) {
        return (Probe *)((char *)a - offsetof(Probe, attempt));
}

static void on_connected(PlAttempt *a) {
        Probe *p = probe_of(a);

        p->deadline_usec = p->began_usec + p->allowed_usec;
}

static void on_unreachable(PlAttempt *a, PlHttpError error) {
        unreachable(probe_of(a), error);
}

static void on_verdict(PlAttempt *a, const PlVerdict *v) {
        settle(probe_of(a), v);
}

static const PlAttemptHandlers attempt_handlers = {
        .connected = on_connected,
        .unreachable = on_unreachable,
        .verdict = on_verdict,
};

/* Return: false when the round ended at once (and the probe may be gone). */
static bool begin(Probe *p, bool rare) {
        PlProber *b = p->prober;

        p->running = true;
        p->rare = rare;
        b->n_running++;
        p->began_usec = now_usec(b);
        p->allowed_usec = rare ? PL_MAX(p->target.timeout_usec, RARE_TIMEOUT_USEC)
                               : p->target.timeout_usec;
        p->n_failed = 0;
        p->first = (PlVerdict){ 0 };
        p->attempt.traced_usec = p->began_usec;
        p->attempt.login = p->login;
        if (!rare)
                begin_talk(p);
        return start_attempt(p);
}

static void late(Probe *p) {
        uint64_t end = p->began_usec + p->allowed_usec;
        PlAttempt *a = &p->attempt;
        PlVerdict v;

        a->connected = a->connected || p->transport->is_connected(a);
        if (!a->connected) {
                p->transport->stop(a);
                unreachable(p, PL_HTTP_TIMEOUT);
                return;
        }
        if (now_usec(p->prober) < end) {
                /* that was the deadline for connecting alone */
                p->deadline_usec = end;
                return;
        }
        p->transport->late(a, &v);
        settle(p, &v);
}

/* Return: false when a probe has ended: it may be gone, and others with it, which ends the walk. */
static bool walk(PlProber *b, const PlMap *probes, uint64_t now, unsigned *n) {
        size_t iter = 0;
        Probe *p;

        while ((p = pl_map_next(probes, &iter))) {
                if (p->running && p->deadline_usec <= now) {
                        late(p);
                        return false;
                }
                if (p->running || p->due_usec > now + (p->ask ? 0 : interval_of(p) / 8))
                        continue;
                if (*n == BATCH_MAX || b->n_running >= RUNNING_MAX) {
                        p->due_usec = now + BATCH_USEC;
                        continue;
                }
                if (p->login_wanted && !p->ask) {
                        p->login_wanted = false;
                        p->due_usec = now + LOGIN_USEC;
                        b->handlers->login(b->userdata, p->id);
                        continue;
                }
                (*n)++;
                if (!begin(p, false))
                        return false;
        }
        return true;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        PlProber *b = userdata;
        uint64_t now = now_usec(b);
        unsigned n = 0;

        pl_loop_doing("probes");
        if (walk(b, b->asks, now, &n))
                (void)walk(b, b->probes, now, &n);
        arm(b);
        return 0;
}

int pl_prober_new(sd_event *event, const PlProbeHandlers *handlers, void *userdata,
                  PlProber **ret) {
        _cleanup_(pl_prober_freep) PlProber *b = calloc(1, sizeof(*b));
        int r;

        if (!b)
                return -ENOMEM;
        b->event = sd_event_ref(event);
        b->handlers = handlers;
        b->userdata = userdata;
        b->probes = pl_map_new();
        b->asks = pl_map_new();
        if (!b->probes || !b->asks)
                return -ENOMEM;
        r = sd_event_add_time(event, &b->timer, CLOCK_MONOTONIC, 0, 0, on_timer, b);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(b->timer, SD_EVENT_OFF);
        (void)sd_event_source_set_description(b->timer, "probe-timer");
        *ret = TAKE_PTR(b);
        return 0;
}

PlProber *pl_prober_free(PlProber *b) {
        Probe *p;

        if (!b)
                return NULL;
        if (b->probes)
                PL_MAP_FOREACH(p, b->probes) {
                        (void)pl_map_remove(b->probes, p->id);
                        probe_free(p);
                }
        if (b->asks)
                PL_MAP_FOREACH(p, b->asks) {
                        (void)pl_map_remove(b->asks, p->id);
                        probe_free(p);
                }
        for (size_t i = 0; i < PL_ARRAY_SIZE(transports); i++)
                transports[i]->close(b->shared[i]);
        pl_map_free(b->probes);
        pl_map_free(b->asks);
        sd_event_source_disable_unref(b->timer);
        sd_event_unref(b->event);
        free(b);
        return NULL;
}

static bool same_target(const Target *a, const PlProbeTarget *b) {
        return a->kind == b->kind && a->interval_usec == b->interval_usec &&
               a->timeout_usec == b->timeout_usec && a->addresses.n == b->addresses->n &&
               memcmp(a->addresses.items, b->addresses->items,
                      b->addresses->n * sizeof(a->addresses.items[0])) == 0 &&
               pl_streq_null(a->user, b->user) && pl_streq_null(a->database, b->database) &&
               pl_streq_null(a->path, b->path) && pl_streq_null(a->prefix, b->prefix) &&
               pl_streq_null(a->host, b->host) && a->tls == b->tls &&
               a->tls_verify == b->tls_verify && a->auth == b->auth &&
               pl_strv_equal(a->expect_texts, b->expect) && pl_strv_equal(a->models, b->models);
}

static int copy_text(char **to, const char *from) {
        if (from && !(*to = strdup(from)))
                return -ENOMEM;
        return 0;
}

/* Half of it may be filled when it fails. */
static int target_init(Target *t, const PlProbeTarget *from) {
        int r;

        t->kind = from->kind;
        t->addresses = *from->addresses;
        t->interval_usec = PL_MAX(from->interval_usec, PL_USEC_PER_SEC / 10);
        t->timeout_usec = PL_MAX(from->timeout_usec, PL_USEC_PER_MSEC);
        t->tls = from->tls;
        t->tls_verify = from->tls_verify;
        t->auth = from->auth;
        if (copy_text(&t->user, from->user) < 0 || copy_text(&t->database, from->database) < 0 ||
            copy_text(&t->path, from->path) < 0 || copy_text(&t->prefix, from->prefix) < 0 ||
            copy_text(&t->host, from->host) < 0 ||
            !(t->expect_texts = pl_strv_copy(from->expect)) ||
            !(t->models = pl_strv_copy(from->models)))
                return -ENOMEM;
        r = pl_expect_list_new(from->expect, &t->expect);
        if (r < 0)
                return r;
        if (t->kind == PL_PROBE_OLLAMA && !(t->ollama = calloc(1, sizeof(*t->ollama))))
                return -ENOMEM;
        return 0;
}

/* The same target again, borrowed. */
static PlProbeTarget target_of(const Target *t) {
        return (PlProbeTarget){
                .kind = t->kind,
                .addresses = &t->addresses,
                .interval_usec = t->interval_usec,
                .timeout_usec = t->timeout_usec,
                .user = t->user,
                .database = t->database,
                .path = t->path,
                .prefix = t->prefix,
                .expect = t->expect_texts,
                .models = t->models,
                .host = t->host,
                .tls = t->tls,
                .tls_verify = t->tls_verify,
                .auth = t->auth,
        };
}

static int probe_new(PlProber *b, const char *id, const PlProbeTarget *target,
                     const PlTransport *transport, Probe **ret) {
        _cleanup_(probe_freep) Probe *p = calloc(1, sizeof(*p));
        const Target *t;
        int r;

        if (!p)
                return -ENOMEM;
        p->prober = b;
        p->transport = transport;
        p->login_wanted = target->auth && b->handlers->login;
        (void)snprintf(p->id, sizeof(p->id), "%s", id);
        r = target_init(&p->target, target);
        if (r < 0)
                return r;
        t = &p->target;
        p->attempt = (PlAttempt){
                .handlers = &attempt_handlers,
                .kind = t->kind,
                .user = t->user,
                .database = t->database,
                .host = t->host,
                .tls = t->tls,
                .tls_verify = t->tls_verify,
                .spec = { .talk = pl_probe_kind_info(t->kind)->http,
                          .path = t->path,
                          .prefix = t->prefix,
                          .host = t->host,
                          .port = t->addresses.port,
                          .expect = t->expect,
                          .models = t->models },
                .http.ollama = t->ollama,
        };
        *ret = TAKE_PTR(p);
        return 0;
}

static const PlTransport *transport_of(PlProbeKind k) {
        switch (pl_probe_kind_info(k)->transport) {
        case PL_TRANSPORT_CONNECT:
        case PL_TRANSPORT_TCP:
                return &pl_transport_tcp;
        case PL_TRANSPORT_HTTP:
                return &pl_transport_http;
        case PL_TRANSPORT_NONE:
                break;
        }
        return NULL;
}

int pl_prober_set(PlProber *b, const char *id, const PlProbeTarget *t) {
        Probe *old = pl_map_get(b->probes, id), *p;
        const PlTransport *transport = transport_of(t->kind);
        bool other = old != NULL;
        int r;

        if (t->addresses->n == 0 || t->addresses->n > PL_PROBE_ADDRESSES_MAX || !transport)
                return -EINVAL;
        if (old && same_target(&old->target, t))
                return 0;
        r = probe_new(b, id, t, transport, &p);
        if (r < 0)
                return r;
        p->hurry_usec = old ? old->hurry_usec : FIRST_USEC;
        p->due_usec = now_usec(b) + up_to(interval_of(p) / 5);
        if (old) {
                (void)pl_map_remove(b->probes, id);
                probe_free(old);
        }
        r = pl_map_put(b->probes, p->id, p);
        if (r < 0) {
                probe_free(p);
                return r;
        }
        arm(b);
        return other;
}

/* FNV-1a, 64 bits. Source: draft-eastlake-fnv. The NUL counts, so that texts have an end. */
static uint64_t add_text(uint64_t hash, const char *text) {
        do {
                hash = (hash ^ (uint8_t)(text ? *text : 1)) * UINT64_C(0x100000001b3);
        } while (text && *text++);
        return hash;
}

uint64_t pl_prober_number(const PlProbeTarget *t) {
        char address[PL_PROBE_ADDRESS_TEXT_MAX], how[32];
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        (void)snprintf(how, sizeof(how), "%d %d %d %d", t->kind, t->tls, t->tls_verify, t->auth);
        hash = add_text(hash, how);
        for (size_t i = 0; i < t->addresses->n; i++)
                hash = add_text(hash, pl_probe_address_format(&t->addresses->items[i], address));
        hash = add_text(hash, t->user);
        hash = add_text(hash, t->database);
        hash = add_text(hash, t->path);
        hash = add_text(hash, t->prefix);
        hash = add_text(hash, t->host);
        for (char *const *e = t->expect; e && *e; e++)
                hash = add_text(hash, *e);
        return PL_MAX(hash & INT64_MAX, UINT64_C(1));
}

/* A sign of life is wanted now; what is only of interest can wait. */
static void drop_rare(Probe *p) {
        if (p->running && p->rare)
                stop(p);
}

void pl_prober_hurry(PlProber *b, const char *id, uint64_t usec) {
        Probe *p = pl_map_get(b->probes, id);

        if (!p || p->hurry_usec == usec)
                return;
        p->hurry_usec = usec;
        if (usec > 0)
                drop_rare(p);
        /* what is due stays due */
        if (!p->running && p->ended_usec > 0 && p->due_usec > now_usec(b))
                p->due_usec = PL_MAX(now_usec(b),
                                     p->ended_usec + interval_of(p) + up_to(interval_of(p) / 5));
        arm(b);
}

void pl_prober_soon(PlProber *b, const char *id) {
        Probe *p = pl_map_get(b->probes, id);

        if (!p)
                return;
        drop_rare(p);
        if (p->running)
                return;
        p->due_usec = now_usec(b);
        arm(b);
}

void pl_prober_login(PlProber *b, const char *id, PlLogin *login) {
        Probe *p = pl_map_get(b->probes, id);

        if (!p || p->login || !p->target.auth) {
                pl_login_free(login);
                return;
        }
        p->login = login;
        pl_prober_soon(b, id);
}

int pl_prober_ask(PlProber *b, const char *id, PlProbeAnswered answered, void *userdata) {
        Probe *of = pl_map_get(b->probes, id);
        _cleanup_(probe_freep) Probe *p = NULL;
        PlProbeTarget target;
        int r;

        if (!of)
                return -ENOENT;
        if (pl_map_get(b->asks, id))
                return -EALREADY;
        if (pl_map_size(b->asks) >= ASKS_MAX)
                return -EBUSY;
        target = target_of(&of->target);
        r = probe_new(b, id, &target, of->transport, &p);
        if (r < 0)
                return r;
        p->ask = calloc(1, sizeof(*p->ask));
        if (!p->ask || !(p->ask->trace = pl_trace_new()))
                return -ENOMEM;
        p->ask->answered = answered;
        p->ask->userdata = userdata;
        p->attempt.trace = p->ask->trace;
        p->login = pl_login_copy(of->login);
        p->attempt.way = of->attempt.way;   /* what the rounds before have learnt */
        p->attempt.http = of->attempt.http; /* it asks where the schedule asks */
        p->attempt.http.ollama = p->target.ollama;
        p->due_usec = now_usec(b);
        if (of->asked_usec > 0)
                p->due_usec = PL_MAX(p->due_usec, of->asked_usec + ASK_USEC);
        r = pl_map_put(b->asks, p->id, p);
        if (r < 0)
                return r;
        of->asked_usec = p->due_usec;
        p = NULL;
        arm(b);
        return 0;
}

void pl_prober_remove(PlProber *b, const char *id) {
        Probe *p = pl_map_remove(b->probes, id);

        if (!p)
                return;
        probe_free(p);
        arm(b);
}
