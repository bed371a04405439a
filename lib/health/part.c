/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Part: see the header.
 */

#include "lib/health/part.h"

/* It is in the other one's network, and nobody has said what is to follow. */
static PlPart without_key(const PlPartFacts *f) {
        if (pl_part_ran_anew(f))
                return PL_PART_LEFT;
        return f->named ? PL_PART_NO_KEY : PL_PART_NONE;
}

PlPart pl_part(const PlPartFacts *f) {
        if (!f->runs || f->started_usec == 0)
                return PL_PART_NONE; /* what does not run is a matter of OnExit=, or of a person */
        if (f->guest && f->gone)
                return PL_PART_GONE;
        if (f->n == 0)
                return PL_PART_NONE;
        if (!f->keyed)
                return f->guest ? without_key(f) : PL_PART_NONE;
        if (f->n == 1 && f->other.created_usec > f->started_usec)
                return f->other.runs ? PL_PART_NEW : PL_PART_NONE;
        if (!f->other.runs || !pl_part_ran_anew(f))
                return PL_PART_NONE;
        if (f->n > 1)
                return PL_PART_MANY;
        if (!f->other.judged)
                return PL_PART_BLIND;
        return f->other.healthy ? PL_PART_RESTART : PL_PART_WAIT;
}

/* The command that makes it anew, beside what is there now. */
static const char *remedy(const PlPartNames *n, char *buf, size_t size) {
        if (n->project && n->service)
                (void)snprintf(buf, size, "`docker compose -p %s up -d --force-recreate %s`",
                               n->project, n->service);
        else
                (void)snprintf(buf, size, "removing %s and making it anew", n->name);
        return buf;
}

const char *pl_part_describe(PlPart p, const PlPartNames *n, char buf[static PL_PART_TEXT_MAX]) {
        char how[PL_PART_TEXT_MAX / 2];
        const char *other = n->other ?: "another container";

        *buf = '\0';
        switch (p) {
        case PL_PART_RESTART:
                (void)snprintf(buf, PL_PART_TEXT_MAX,
                               "%s, which it is part of (PartOf=), was restarted and is healthy",
                               other);
                break;
        case PL_PART_BLIND:
                (void)snprintf(buf, PL_PART_TEXT_MAX,
                               "%s, which it is part of (PartOf=), was restarted, and nothing "
                               "tells "
                               "whether that is healthy, so it is left as it is: give [Service %s] "
                               "a Probe= or a healthcheck; `docker restart %s` ends it now",
                               other, n->other_key ?: "?", n->name);
                break;
        case PL_PART_MANY:
                (void)snprintf(buf, PL_PART_TEXT_MAX,
                               "%s was restarted, one of several containers of [Service %s], and "
                               "which of them it is part of (PartOf=) is not known: left as it is; "
                               "`docker restart %s` ends it where it is that one",
                               other, n->other_key ?: "?", n->name);
                break;
        case PL_PART_NEW:
                (void)snprintf(buf, PL_PART_TEXT_MAX,
                               "%s, which it is part of (PartOf=), was made after it began; where "
                               "it holds on to the one before, %s ends that",
                               other, remedy(n, how, sizeof(how)));
                break;
        case PL_PART_GONE:
                (void)snprintf(buf, PL_PART_TEXT_MAX,
                               "the container whose network it is in is no more, so it reaches "
                               "nothing, and could not be started again: %s ends that",
                               remedy(n, how, sizeof(how)));
                break;
        case PL_PART_NO_KEY:
                (void)snprintf(buf, PL_PART_TEXT_MAX,
                               "it is in the network of %s, and a restart of that leaves it in a "
                               "network that is no more: add PartOf=%s to [Service %s]",
                               other, n->other_key ?: "?", n->section ?: "?");
                break;
        case PL_PART_LEFT:
                (void)snprintf(buf, PL_PART_TEXT_MAX,
                               "%s, in whose network it is, was restarted, which left it in a "
                               "network that is no more: `docker restart %s` ends that%s%s%s%s%s",
                               other, n->name,
                               n->section && n->other_key ? "; next time PartOf=" : "",
                               n->section && n->other_key ? n->other_key : "",
                               n->section && n->other_key ? " in [Service " : "",
                               n->section && n->other_key ? n->section : "",
                               n->section && n->other_key ? "] does it" : "");
                break;
        default:
                break;
        }
        return buf;
}
