/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Prober: targets, schedule and deadlines. See the header.
 *
 * One timer serves all probes. Whoever is due within an eighth of its interval goes along with the
 * one that is due now, so that the wake-ups of a few probes fall together and stay together; a
 * bound on rounds per wake-up keeps a hundred of them from becoming a burst.
 */

#include "probe-internal.h"

#include <errno.h>
#include <sys/random.h>

#include "log.h"

#define HURRY_USEC  PL_USEC_PER_SEC
#define BATCH_MAX   16                       /* rounds begun in one wake-up */
#define BATCH_USEC  (20 * PL_USEC_PER_MSEC)  /* between full batches */
#define SLACK_USEC  (250 * PL_USEC_PER_MSEC) /* by which a wake-up may be late */
#define RUNNING_MAX 128                      /* descriptors in use at once */

static uint64_t now_usec(PlProber *b) {
        uint64_t usec = 0;

        (void)sd_event_now(b->event, CLOCK_MONOTONIC, &usec);
        return usec;
}

/* Evenly from 0 up to n. Not for secrets: a failing getrandom(2) only means no jitter. */
static uint64_t up_to(uint64_t n) {
        uint32_t r = 0;

        (void)!getrandom(&r, sizeof(r), GRND_NONBLOCK);
        return n * r / UINT32_MAX;
}

static uint64_t interval_of(const PlProbe *p) {
        return p->hurry ? PL_MIN(HURRY_USEC, p->interval_usec) : p->interval_usec;
}

static char **copy_strv(char *const *from) {
        size_t n = 0;
        char **to;

        while (from && from[n])
                n++;
        to = calloc(n + 1, sizeof(*to));
        for (size_t i = 0; to && i < n; i++)
                if (!(to[i] = strdup(from[i]))) {
                        while (i > 0)
                                free(to[--i]);
                        free(to);
                        return NULL;
                }
        return to;
}

static void free_strv(char **v) {
        for (char **s = v; s && *s; s++)
                free(*s);
        free(v);
}

static bool same_strv(char *const *a, char *const *b) {
        static char *const none[] = { NULL };

        a = a ? a : none;
        b = b ? b : none;
        for (; *a && *b; a++, b++)
                if (!pl_streq(*a, *b))
                        return false;
        return !*a && !*b;
}

static void stop(PlProbe *p) {
        pl_probe_tcp_stop(p);
        pl_probe_http_stop(p);
        if (p->running)
                p->prober->n_running--;
        p->running = false;
}

static PlProbe *probe_free(PlProbe *p) {
        if (!p)
                return NULL;
        stop(p);
        free(p->user);
        free(p->database);
        free(p->path);
        free_strv(p->expect_texts);
        free_strv(p->models);
        pl_expect_list_free(p->expect);
        free(p->ollama);
        free(p);
        return NULL;
}
PL_DEFINE_CLEANUP(PlProbe *, probe_free)

const PlProbeAddress *pl_probe_address(const PlProbe *p) {
        unsigned i = p->attempt;

        /* the one that was good comes first, the others in their order */
        if (i == 0)
                i = p->good;
        else if (i <= p->good)
                i--;
        return &p->addresses.items[i];
}

static void arm(PlProber *b) {
        uint64_t at = PL_TIME_INFINITY, slack = SLACK_USEC;
        PlProbe *p;

        PL_MAP_FOREACH(p, b->probes) {
                uint64_t t = p->running ? p->deadline_usec : p->due_usec;

                if (t < at)
                        at = t;
                slack = PL_MIN(slack, interval_of(p) / 8);
        }
        if (at == PL_TIME_INFINITY) {
                (void)sd_event_source_set_enabled(b->timer, SD_EVENT_OFF);
                return;
        }
        (void)sd_event_source_set_time(b->timer, at);
        (void)sd_event_source_set_time_accuracy(b->timer, PL_MAX(slack, UINT64_C(1)));
        (void)sd_event_source_set_enabled(b->timer, SD_EVENT_ONESHOT);
}

PlHttpError pl_probe_connect_error(int error) {
        switch (error) {
        case ECONNREFUSED:
                return PL_HTTP_REFUSED;
        case ECONNRESET:
        case EPIPE:
                return PL_HTTP_CLOSED;
        case ETIMEDOUT:
                return PL_HTTP_TIMEOUT;
        case EHOSTUNREACH:
        case ENETUNREACH:
        case EHOSTDOWN:
        case ENETDOWN:
        case EACCES: /* a firewall of the host */
        case EPERM:
        case EADDRNOTAVAIL: /* no ::1 here */
        case EAFNOSUPPORT:
                return PL_HTTP_UNREACHABLE;
        default:
                return PL_HTTP_LOCAL;
        }
}

/* Where it went wrong belongs to reasons that are about reaching it. */
static void add_address(const PlProbe *p, PlVerdict *v) {
        char text[PL_PROBE_ADDRESS_TEXT_MAX];
        size_t n = strlen(v->reason);

        (void)snprintf(v->reason + n, sizeof(v->reason) - n, " (%s)",
                       pl_probe_address_format(pl_probe_address(p), text));
}

void pl_probe_finish(PlProbe *p, const PlVerdict *v) {
        PlProber *b = p->prober;
        uint64_t now = now_usec(b), latency = now - p->began_usec;
        PlVerdict copy = *v;
        char id[PL_ID_MAX];

        if (p->connected && p->attempt > 0) {
                const PlProbeAddress *a = pl_probe_address(p);

                p->good = (unsigned)(a - p->addresses.items);
        }
        stop(p);
        p->due_usec = now + interval_of(p) + up_to(interval_of(p) / 5);
        arm(b);
        memcpy(id, p->id, sizeof(id));
        b->handlers->verdict(b->userdata, id, &copy, latency, p->ollama);
}

/* Return: false when the probe ended at once (and may be gone). */
static bool start_attempt(PlProbe *p) {
        uint64_t now = now_usec(p->prober), left;
        int r;

        p->connected = false;
        p->deadline_usec = p->began_usec + p->timeout_usec;
        /* an address that swallows packets must leave time for the others */
        left = p->deadline_usec > now ? p->deadline_usec - now : 0;
        p->deadline_usec = now + left / (p->addresses.n - p->attempt);
        r = pl_probe_is_http(p->kind) ? pl_probe_http_start(p) : pl_probe_tcp_start(p);
        if (r >= 0)
                return true;
        pl_probe_unreachable(p, pl_probe_connect_error(-r));
        return false;
}

void pl_probe_unreachable(PlProbe *p, PlHttpError error) {
        PlVerdict v;

        pl_probe_transport(error, &v);
        if (error != PL_HTTP_LOCAL)
                add_address(p, &v);
        if (p->attempt == 0)
                p->first = v;
        if (error != PL_HTTP_LOCAL && p->attempt + 1 < p->addresses.n) {
                p->attempt++;
                (void)start_attempt(p);
                return;
        }
        v = p->first.kind == PL_VERDICT_NONE ? v : p->first;
        pl_probe_finish(p, &v);
}

/* Return: false when the round ended at once (and the probe may be gone). */
static bool begin(PlProbe *p) {
        PlProber *b = p->prober;

        p->running = true;
        b->n_running++;
        p->began_usec = now_usec(b);
        p->attempt = 0;
        p->first = (PlVerdict){ 0 };
        pl_probe_http_begin(&p->http);
        return start_attempt(p);
}

static void late(PlProbe *p) {
        PlVerdict v;

        p->connected = p->connected || pl_probe_http_connected(p);
        if (!p->connected) {
                pl_probe_tcp_stop(p);
                pl_probe_http_stop(p);
                pl_probe_unreachable(p, PL_HTTP_TIMEOUT);
                return;
        }
        if (now_usec(p->prober) < p->began_usec + p->timeout_usec) {
                /* that was the deadline for connecting alone */
                p->deadline_usec = p->began_usec + p->timeout_usec;
                return;
        }
        if (pl_probe_is_http(p->kind))
                pl_probe_http_late(p, &v);
        else
                pl_probe_tcp_late(p, &v);
        pl_probe_finish(p, &v);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        PlProber *b = userdata;
        uint64_t now = now_usec(b);
        unsigned n = 0;
        size_t iter = 0;
        PlProbe *p;

        /* a handler may remove or add probes meanwhile: each step is safe against that only because
         * a probe that ends at once ends this walk as well */
        while ((p = pl_map_next(b->probes, &iter))) {
                if (p->running && p->deadline_usec <= now) {
                        late(p);
                        break;
                }
                if (p->running || p->due_usec > now + interval_of(p) / 8)
                        continue;
                if (n == BATCH_MAX || b->n_running >= RUNNING_MAX) {
                        p->due_usec = now + BATCH_USEC;
                        continue;
                }
                n++;
                if (!begin(p))
                        break;
        }
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
        if (!b->probes)
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
        PlProbe *p;

        if (!b)
                return NULL;
        PL_MAP_FOREACH(p, b->probes) {
                (void)pl_map_remove(b->probes, p->id);
                probe_free(p);
        }
        while (b->n_idle > 0)
                curl_easy_cleanup(b->idle[--b->n_idle]);
        pl_curl_free(b->curl);
        pl_map_free(b->probes);
        sd_event_source_disable_unref(b->timer);
        sd_event_unref(b->event);
        free(b);
        return NULL;
}

static bool same_target(const PlProbe *p, const PlProbeTarget *t) {
        return p->kind == t->kind && p->interval_usec == t->interval_usec &&
               p->timeout_usec == t->timeout_usec && p->addresses.n == t->addresses->n &&
               memcmp(p->addresses.items, t->addresses->items,
                      t->addresses->n * sizeof(p->addresses.items[0])) == 0 &&
               pl_streq_null(p->user, t->user) && pl_streq_null(p->database, t->database) &&
               pl_streq_null(p->path, t->path) && same_strv(p->expect_texts, t->expect) &&
               same_strv(p->models, t->models);
}

static int replace(char **to, const char *from) {
        if (from && !(*to = strdup(from)))
                return -ENOMEM;
        return 0;
}

static int probe_new(PlProber *b, const char *id, const PlProbeTarget *t, PlProbe **ret) {
        _cleanup_(probe_freep) PlProbe *p = calloc(1, sizeof(*p));
        int r;

        if (!p)
                return -ENOMEM;
        p->prober = b;
        p->fd = -EBADF;
        (void)snprintf(p->id, sizeof(p->id), "%s", id);
        p->kind = t->kind;
        p->addresses = *t->addresses;
        p->interval_usec = PL_MAX(t->interval_usec, HURRY_USEC / 10);
        p->timeout_usec = PL_MAX(t->timeout_usec, PL_USEC_PER_MSEC);
        if (replace(&p->user, t->user) < 0 || replace(&p->database, t->database) < 0 ||
            replace(&p->path, t->path) < 0 || !(p->expect_texts = copy_strv(t->expect)) ||
            !(p->models = copy_strv(t->models)))
                return -ENOMEM;
        r = pl_expect_list_new(t->expect, &p->expect);
        if (r < 0)
                return r;
        if (p->kind == PL_PROBE_OLLAMA) {
                p->ollama = calloc(1, sizeof(*p->ollama));
                if (!p->ollama)
                        return -ENOMEM;
                p->http.ollama = p->ollama;
        }
        *ret = TAKE_PTR(p);
        return 0;
}

int pl_prober_set(PlProber *b, const char *id, const PlProbeTarget *t) {
        PlProbe *old = pl_map_get(b->probes, id), *p;
        bool other = old != NULL;
        int r;

        if (t->addresses->n == 0 || t->addresses->n > PL_PROBE_ADDRESSES_MAX ||
            (!pl_probe_is_http(t->kind) && t->kind != PL_PROBE_POSTGRES &&
             t->kind != PL_PROBE_REDIS && t->kind != PL_PROBE_TCP))
                return -EINVAL;
        if (old && same_target(old, t))
                return 0;
        r = probe_new(b, id, t, &p);
        if (r < 0)
                return r;
        p->hurry = !old || old->hurry;
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

void pl_prober_hurry(PlProber *b, const char *id, bool hurry) {
        PlProbe *p = pl_map_get(b->probes, id);

        if (!p || p->hurry == hurry)
                return;
        p->hurry = hurry;
        if (!p->running && hurry)
                p->due_usec = PL_MIN(p->due_usec, now_usec(b) + interval_of(p));
        arm(b);
}

void pl_prober_soon(PlProber *b, const char *id) {
        PlProbe *p = pl_map_get(b->probes, id);

        if (!p || p->running)
                return;
        p->due_usec = now_usec(b);
        arm(b);
}

void pl_prober_remove(PlProber *b, const char *id) {
        PlProbe *p = pl_map_remove(b->probes, id);

        if (!p)
                return;
        probe_free(p);
        arm(b);
}
