/* SPDX-License-Identifier: Apache-2.0 */

/*
 * HTTP probes: rounds. See the header.
 */

#include "lib/probe/http.h"

#include <strings.h>

#include "lib/base/quote.h"
#include "lib/base/time.h"

#define SEARCH_AGAIN_USEC \
        (10 * PL_USEC_PER_MIN) /* of a service that is none of what it should be */
#define RARE_ROUNDS   60
#define RARE_MAX_USEC (10 * PL_USEC_PER_MIN)
#define RARE_HURRY    5 /* so much oftener while something was found */
/* A question that was given up keeps a worker of the service busy until its own timeout ends it:
 * gunicorn's is 30 s, a database driver's longer. */
#define HUNG_USEC       (2 * PL_USEC_PER_MIN)
#define HUNG_AGAIN_USEC (30 * PL_USEC_PER_SEC)

static void up(PlVerdict *ret) {
        pl_verdict_set(ret, PL_VERDICT_UP, "", "%s", "");
}

/* --- places: where it may answer --- */

static size_t count(const char *const *list) {
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

static bool has_prefix(const PlHttpSpec *s) {
        return s->prefix && s->prefix[0] == '/' && s->prefix[1];
}

static unsigned count_places(const PlHttpSpec *s) {
        if (s->path)
                return 1;
        return (unsigned)count(s->talk->paths) << (has_prefix(s) && s->talk->ignores_prefix);
}

/* Each of the kind's paths below its prefix, and then below the root. */
static void place_path(const PlHttpSpec *s, unsigned place, char ret[static PL_HTTP_PATH_MAX]) {
        size_t paths = count(s->talk->paths), n = 0;
        const char *own = s->path ? s->path : s->talk->paths[place % paths];

        if (!s->path && place < paths && has_prefix(s))
                for (n = strlen(s->prefix); n > 0 && s->prefix[n - 1] == '/';)
                        n--;
        if (own[0] != '/' || n + strlen(own) >= PL_HTTP_PATH_MAX)
                (void)snprintf(ret, PL_HTTP_PATH_MAX, "/");
        else
                (void)snprintf(ret, PL_HTTP_PATH_MAX, "%.*s%s", (int)n, n ? s->prefix : "", own);
}

/* Where it answers, as far as is known. */
static void home(const PlHttpSpec *s, const PlHttpProbe *p, char ret[static PL_HTTP_PATH_MAX]) {
        if (*p->moved)
                (void)snprintf(ret, PL_HTTP_PATH_MAX, "%s", p->moved);
        else
                place_path(s, p->place, ret);
}

void pl_probe_http_begin(const PlHttpSpec *s, PlHttpProbe *p) {
        p->step = 0;
        p->rare = p->followed = p->served = false;
        p->now.streams = false;
        p->searching = !p->known && p->searched_usec == 0;
        if (p->searching) {
                p->place = 0;
                p->best = (PlVerdict){};
        }
        home(s, p, p->now.path);
}

bool pl_probe_http_sibling(PlHttpProbe *p, const char *own, const char *other) {
        size_t n = strcspn(p->now.path, "?"), n_own = strlen(own);

        if (n < n_own || memcmp(p->now.path + n - n_own, own, n_own) != 0 ||
            n - n_own + strlen(other) >= PL_HTTP_PATH_MAX)
                return false;
        (void)snprintf(p->now.path + n - n_own, PL_HTTP_PATH_MAX - (n - n_own), "%s", other);
        return true;
}

/* How much an answer that is not as expected tells of the place: who wants a login is more likely
 * the service than who has no such path. */
static int rank(unsigned status) {
        if (status == 401 || status == 403)
                return 4;
        if (status == 404)
                return 1;
        return status >= 300 && status < 400 ? 3 : 2;
}

/* It is at none of its places: all that were asked are named. */
static void nowhere(const PlHttpSpec *s, PlVerdict *ret) {
        char path[PL_HTTP_PATH_MAX], quoted[48], list[112] = "";
        unsigned n = count_places(s);

        for (unsigned i = 0; i < n; i++) {
                size_t len = strlen(list);

                place_path(s, i, path);
                (void)snprintf(list + len, sizeof(list) - len, "%s%s", i > 0 ? ", " : "",
                               pl_quote(path, strlen(path), quoted, sizeof(quoted)));
        }
        pl_verdict_set(ret, PL_VERDICT_DISPUTED, "404",
                       "HTTP 404 for %s: set ProbePath= to where it is served", pl_utf8_trim(list));
}

/* It has not answered as it should. Return: whether another place is to be asked. */
static bool search(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                   uint64_t realtime_usec, PlVerdict *ret) {
        unsigned n = count_places(s);

        if (a->status >= 500)
                return false;
        if (*p->moved) {
                p->moved[0] = '\0';
                p->known = false;
        }
        if (p->known || n == 1)
                return false;
        if (!p->searching) {
                if (a->status == p->best_status)
                        *ret = p->best;
                if (a->status != p->best_status || realtime_usec < p->searched_usec ||
                    realtime_usec - p->searched_usec >= SEARCH_AGAIN_USEC)
                        p->searched_usec = 0;
                return false;
        }
        if (p->best.kind == PL_VERDICT_NONE || rank(a->status) > rank(p->best_status)) {
                p->best = *ret;
                p->best_place = p->place;
                p->best_status = a->status;
        }
        if (p->place + 1 < n) {
                p->place++;
                p->step = 0;
                p->followed = false;
                place_path(s, p->place, p->now.path);
                return true;
        }
        if (p->best_status == 404)
                nowhere(s, &p->best);
        *ret = p->best;
        p->place = p->best_place;
        p->searched_usec = realtime_usec;
        return false;
}

/* --- one answer --- */

static bool wants_location(const PlExpectList *l) {
        for (size_t i = 0; l && i < l->n; i++)
                if (l->items[i].kind == PL_EXPECT_HEADER &&
                    strcasecmp(l->items[i].name, "Location") == 0)
                        return true;
        return false;
}

/* Return: PL_PROBE_MORE: it is followed; PL_PROBE_DONE with *ret written when it leads in a circle,
 * and else as it was. */
static PlProbeStep follow(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                          PlVerdict *ret) {
        char to[PL_HTTP_PATH_MAX], first[PL_HTTP_PATH_MAX], code[8];
        PlLead lead = pl_answer_lead(a, p->now.path, s->port, s->host, to);

        place_path(s, p->place, first);
        if ((lead == PL_LEAD_HERE || (lead == PL_LEAD_TLS && !p->now.tls)) && !p->followed &&
            p->step == 0 && !wants_location(s->expect)) {
                p->now.tls = p->now.tls || lead == PL_LEAD_TLS;
                p->followed = true;
                memcpy(p->now.path, to, sizeof(to));
                memcpy(p->moved, to, sizeof(to));
                return PL_PROBE_MORE;
        }
        if (lead == PL_LEAD_ITSELF || (lead == PL_LEAD_HERE && pl_streq(to, first))) {
                (void)snprintf(code, sizeof(code), "%u", a->status % 1000);
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code, "HTTP %u that redirects to itself",
                               a->status);
        }
        return PL_PROBE_DONE;
}

/* Of what was found after a redirect, say so. */
static void add_lead(const PlHttpProbe *p, PlVerdict *ret) {
        char quoted[48];

        if (p->followed && ret->kind == PL_VERDICT_DISPUTED)
                pl_verdict_add(ret, " (redirected to %s)",
                               pl_quote(p->now.path, strcspn(p->now.path, "?"), quoted,
                                        sizeof(quoted)));
}

static void judge_error(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                        uint64_t realtime_usec, PlVerdict *ret) {
        char quoted[64];

        pl_answer_error(a, ret);
        if (ret->kind != PL_VERDICT_SILENT)
                return;
        if (p->searching && p->best.kind != PL_VERDICT_NONE)
                *ret = p->best; /* another place did answer, just now */
        else if (a->error == PL_HTTP_TIMEOUT && s->talk->rare_blocks && p->hung > 0 &&
                 realtime_usec >= p->hung_usec && realtime_usec - p->hung_usec < HUNG_USEC)
                pl_verdict_set(ret, PL_VERDICT_IMPAIRED, "timeout",
                               "%s does not answer while an earlier question hangs: %s",
                               pl_quote(p->now.path, strlen(p->now.path), quoted, sizeof(quoted)),
                               s->talk->rare_hint);
}

/* What is only of interest: at worst it is impaired. */
static PlProbeStep answer_rare(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                               uint64_t realtime_usec, PlVerdict *ret) {
        char asked[64], served[PL_HTTP_PATH_MAX], quoted[64];
        PlVerdict v = {};

        home(s, p, served);
        (void)pl_quote(p->now.path, strcspn(p->now.path, "?"), asked, sizeof(asked));
        (void)pl_quote(served, strlen(served), quoted, sizeof(quoted));
        if (a->error == PL_HTTP_OK && a->status < 500) {
                p->hung = 0;
                if (s->talk->rare_answer(s, p, a, &v) == PL_PROBE_MORE)
                        return PL_PROBE_MORE;
        } else if (a->error == PL_HTTP_OK) {
                p->hung = 0;
                pl_answer_unexpected(a, p->now.path, &v);
                pl_verdict_add(&v, "; %s answers", quoted);
        } else if (a->error == PL_HTTP_TIMEOUT && s->talk->rare_blocks && p->hung++ == 0) {
                /* once is no evidence, but it is worth another look */
                p->hung_usec = realtime_usec;
                p->rare_due_usec -= p->rare_period_usec / RARE_HURRY;
                p->rare_due_usec += PL_MIN(p->rare_period_usec / RARE_HURRY, HUNG_AGAIN_USEC);
        } else if (a->error == PL_HTTP_TIMEOUT || a->error == PL_HTTP_CLOSED ||
                   a->error == PL_HTTP_GARBAGE) {
                p->hung_usec = realtime_usec;
                pl_verdict_set(&v, PL_VERDICT_IMPAIRED, "hangs", "%s %s, %s does: %s", asked,
                               a->error == PL_HTTP_TIMEOUT ? "does not answer"
                                                           : "breaks off its answer",
                               quoted, s->talk->rare_hint);
        }
        if (v.kind != PL_VERDICT_NONE)
                p->found = v;
        if (p->found.kind != PL_VERDICT_IMPAIRED && p->hung == 0)
                p->rare_due_usec += p->rare_period_usec - p->rare_period_usec / RARE_HURRY;
        if (p->found.kind == PL_VERDICT_IMPAIRED)
                *ret = p->found;
        else
                up(ret);
        return PL_PROBE_DONE;
}

PlProbeStep pl_probe_http_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                 uint64_t realtime_usec, PlVerdict *ret) {
        bool expected;

        if (p->rare)
                return answer_rare(s, p, a, realtime_usec, ret);
        if (a->error != PL_HTTP_OK) {
                judge_error(s, p, a, realtime_usec, ret);
                return PL_PROBE_DONE;
        }
        /* what the policy expects is good, whatever the kind knows of it; 200 says too little */
        expected = a->status != 200 && pl_expect_status(s->expect, a->status);
        ret->kind = PL_VERDICT_NONE;
        if (expected)
                up(ret);
        else if (follow(s, p, a, ret) == PL_PROBE_MORE)
                return PL_PROBE_MORE;
        else if (ret->kind == PL_VERDICT_NONE &&
                 s->talk->answer(s, p, a, realtime_usec, ret) == PL_PROBE_MORE)
                return PL_PROBE_MORE;
        add_lead(p, ret);
        if (ret->kind == PL_VERDICT_DISPUTED || (a->status >= 500 && !expected)) {
                if (search(s, p, a, realtime_usec, ret))
                        return PL_PROBE_MORE;
        } else {
                p->known = true;
        }
        if (ret->kind == PL_VERDICT_UP)
                pl_expect_check(s->expect, a, ret);
        p->served = ret->kind == PL_VERDICT_UP && !expected;
        if (p->served && p->found.kind == PL_VERDICT_IMPAIRED)
                *ret = p->found;
        return PL_PROBE_DONE;
}

bool pl_probe_http_feed(const PlHttpSpec *s, PlHttpProbe *p, const char *data, size_t n) {
        return s->talk->feed && s->talk->feed(s, p, data, n);
}

bool pl_probe_http_rare(const PlHttpSpec *s, PlHttpProbe *p, uint64_t now_usec,
                        uint64_t interval_usec) {
        if (p->rare || !s->talk->rare_begin)
                return false;
        if (!p->served) {
                if (p->hung == 0)
                        p->rare_due_usec = 0;
                return false;
        }
        if (now_usec < p->rare_due_usec)
                return false;
        home(s, p, p->now.path);
        p->step = 0;
        if (!s->talk->rare_begin(s, p))
                return false;
        p->rare = true;
        p->rare_period_usec =
                        PL_MIN(RARE_ROUNDS * interval_usec, PL_MAX(RARE_MAX_USEC, interval_usec));
        p->rare_due_usec = now_usec + p->rare_period_usec / RARE_HURRY;
        return true;
}
