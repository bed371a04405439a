/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Part: a service that is part of another one (PartOf=), and what follows when that runs anew.
 *
 * Who lives in another container's network is left without any when that one is restarted, and
 * nothing of its own is dead. So it is restarted after it, which is the one exception to "only what
 * is dead": once, and only beside the container that it was started beside. A new container of the
 * other service says nothing about the old one, which this one may still hold on to. Pure.
 */

#include "lib/base/macro.h"

typedef enum PlPart {
        PL_PART_NONE,    /* nothing follows */
        PL_PART_WAIT,    /* it is on its way up */
        PL_PART_RESTART, /* … and up: once */
        PL_PART_BLIND,   /* … and nobody knows whether it is up */
        PL_PART_MANY,    /* which of several it is part of is not known */
        PL_PART_NEW,     /* it is another container now */
        PL_PART_GONE,    /* the container whose network it is in is no more */
        PL_PART_NO_KEY,  /* it shares its network, and no PartOf= says what is to follow */
        PL_PART_LEFT,    /* … and was left in a network that is no more */
        _PL_PART_N,
} PlPart;

/* Times: CLOCK_REALTIME, as the engine has them; 0: never. */
typedef struct PlPartFacts {
        bool runs; /* the one that is part */
        uint64_t started_usec;
        bool guest; /* … and its network is another container's: then the rest is of that one */
        bool gone;  /* … which is known to be no more */
        bool named; /* both have sections of their own, so there is a line to add */
        bool keyed; /* PartOf= names the section of the other one */
        unsigned n; /* containers that the other one may be; the rest is of any that has run anew */
        struct {
                bool runs, healthy, judged; /* judged: something tells whether it is healthy */
                uint64_t created_usec, started_usec, finished_usec; /* finished: the run before */
        } other;
} PlPartFacts;

/** pl_part_ran_anew() - has the other one ended and started while this one ran? */
static inline bool pl_part_ran_anew(const PlPartFacts *f) {
        return f->started_usec > 0 && f->other.finished_usec > f->started_usec &&
               f->other.started_usec > f->other.finished_usec;
}

/** pl_part() - what follows. */
PlPart pl_part(const PlPartFacts *f);

/** pl_part_is_told() - is it a finding? The others are no fault, or end by themselves. */
static inline bool pl_part_is_told(PlPart p) {
        return p >= PL_PART_BLIND;
}

/* Names, printable; borrowed. */
typedef struct PlPartNames {
        const char *name, *section;    /* of the one that is part; section NULL: none */
        const char *other, *other_key; /* the other container, and its section */
        const char *project, *service; /* of docker compose; NULL: not made by it */
} PlPartNames;

#define PL_PART_TEXT_MAX 512

/** pl_part_describe() - in words: the reason of the restart, or the finding with what ends it.
 * Return: buf; "": PL_PART_NONE, PL_PART_WAIT. */
const char *pl_part_describe(PlPart p, const PlPartNames *n, char buf[static PL_PART_TEXT_MAX]);
