/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Memory: what is known of a service, for as long as the service lives, as JSON in one file.
 *
 * Containers come and go; whoever follows our advice makes a new one, and that must not erase what
 * the advice was based on. Everything in it is bounded: rings that drop their oldest, counters, and
 * spreads. Pure: time is a parameter.
 */

#include "lib/docker/identity.h"
#include "lib/evidence/spread.h"
#include "lib/evidence/why.h"

#define PL_MEMORY_VERSION  1
#define PL_MEMORY_SIZE_MAX KIB(64) /* of the file */

#define PL_MEMORY_ENDS    20
#define PL_MEMORY_LOOPS   8
#define PL_MEMORY_TIMES   64
#define PL_MEMORY_HEALTH  24
#define PL_MEMORY_LIMITS  8
#define PL_MEMORY_PINCHES 8

/* Times: CLOCK_REALTIME in usec; 0: never. */
typedef struct PlMemoryEnd {
        uint64_t end_usec, start_usec;
        int64_t exit_code;
        char container[128], id[PL_ID_MAX];
        PlWhy why;
        bool own; /* not asked for by anybody: it counts for crash loops */
} PlMemoryEnd;

typedef struct PlMemoryLoop {
        uint64_t first_usec, last_usec, ends;
} PlMemoryLoop;

typedef struct PlMemoryRestart {
        uint64_t usec;
        unsigned number; /* of the container in its service, see pl_identity_number() */
} PlMemoryRestart;

typedef struct PlMemoryRestarts {
        uint64_t total, gave_up, gave_up_usec; /* plimsolld's own */
        PlMemoryRestart times[PL_MEMORY_TIMES];
        size_t n_times;
} PlMemoryRestarts;

typedef struct PlMemoryHealth {
        uint64_t usec;
        char from[16], to[16], container[128], reason[192];
} PlMemoryHealth;

typedef struct PlMemoryLoad {
        uint64_t peak, peak_usec; /* bytes, or thousandths of a CPU */
        PlSpread spread;
} PlMemoryLoad;

/* "MemoryMax=4G CPUQuota=200%", and who had set it. */
typedef struct PlMemoryLimits {
        uint64_t usec;
        char text[256], by[64];
} PlMemoryLimits;

/* A limit that held it back, without a kill. */
typedef struct PlMemoryPinch {
        char limit[32], cause[32];
        uint64_t episodes, first_usec, last_usec, need;
} PlMemoryPinch;

typedef struct PlMemory {
        PlIdentity identity;
        char section[80];                   /* of the policy; "": [Defaults], or none */
        char container[128], id[PL_ID_MAX]; /* the last one */
        uint64_t first_usec, last_usec;     /* seen */
        PlOomHistory oom;
        PlMemoryEnd ends[PL_MEMORY_ENDS]; /* oldest first, as all rings here */
        size_t n_ends;
        uint64_t ends_total, kinds[_PL_WHY_N];
        PlMemoryLoop loops[PL_MEMORY_LOOPS];
        size_t n_loops;
        uint64_t loops_total;
        PlMemoryRestarts restarts;
        PlMemoryHealth health[PL_MEMORY_HEALTH];
        size_t n_health;
        PlMemoryLoad memory, cpu;
        PlMemoryLimits limits[PL_MEMORY_LIMITS];
        size_t n_limits;
        PlMemoryPinch pinches[PL_MEMORY_PINCHES];
        size_t n_pinches;
} PlMemory;

/** pl_memory_format() - never longer than PL_MEMORY_SIZE_MAX; what is oldest goes for that. Return:
 * 0 and *ret owned by the caller; -ENOMEM. */
int pl_memory_format(const PlMemory *m, char **ret);

/** pl_memory_parse() - strict, but for members that it does not know. Return: 0; -EBADMSG;
 * -EOPNOTSUPP written by a later version; -ENOMEM. */
int pl_memory_parse(const char *text, size_t size, PlMemory *ret);

/* An end is told by its event and by inspections, whose times differ a little. */
#define PL_MEMORY_SAME_USEC (2 * PL_USEC_PER_SEC)

/** pl_memory_is_same_end() - of one container, by its times. */
static inline bool pl_memory_is_same_end(uint64_t a_usec, uint64_t b_usec) {
        return (a_usec > b_usec ? a_usec - b_usec : b_usec - a_usec) <= PL_MEMORY_SAME_USEC;
}

/** pl_memory_knows_more() - does a word on the same end take the place of one that is there? Only
 * one that knows more. */
static inline bool pl_memory_knows_more(PlWhyKind kind, bool certain, bool now_certain) {
        return kind == PL_WHY_UNKNOWN || (!certain && now_certain);
}

/* What happens to a service. */
typedef struct PlHappening {
        enum {
                PL_HAPPENED_END,    /* Loops are counted from ends. One that is known already is
                                     * replaced where this is a surer word. */
                PL_HAPPENED_KILLS,  /* all that is known of its kills */
                PL_HAPPENED_HEALTH, /* a transition */
                PL_HAPPENED_LIMITS, /* what is in force now */
                PL_HAPPENED_PINCH,  /* an episode, at last_usec; need 0: not known */
                PL_HAPPENED_RESTART,
                PL_HAPPENED_SURRENDER,   /* no more restarts */
                PL_HAPPENED_ENGINE_LOST, /* ends on request right before were the engine's */
        } kind;
        union {
                const PlMemoryEnd *end;
                const PlOomHistory *kills;
                const PlMemoryHealth *health;
                const PlMemoryLimits *limits;
                const PlMemoryPinch *pinch;
                const PlMemoryRestart *restart;
                uint64_t usec; /* of the last two */
        };
} PlHappening;

/* PL_HAPPENED(SURRENDER, usec = now()) */
#define PL_HAPPENED(what, value) (&(const PlHappening){ PL_HAPPENED_##what, { .value } })

/** pl_memory_add() - Return: false: it is known, or in force as before, or says nothing of what is
 * there. */
bool pl_memory_add(PlMemory *m, const PlHappening *h);

/** pl_memory_add_load() - a sample. @peak: of the kernel's own counter, which sees what is between
 * samples; PL_UNLIMITED: not known, as @value may be. */
void pl_memory_add_load(PlMemoryLoad *l, uint64_t value, uint64_t peak, uint64_t realtime_usec);

/** pl_memory_is_called() - by any of its names: title ("shop/web", "shop-web"), key, section, the
 * name of its last container, or four digits or more of that one's id. */
bool pl_memory_is_called(const PlMemory *m, const char *name);

#define PL_MEMORY_ADVICE_MAX PL_OOM_PAST_MAX

/** pl_memory_advice() - "killed 3 times in 2 days at 4.0G; peak before each 4.0G", what advice
 * about its memory is based on. Return: buf; "": nothing was killed. */
const char *pl_memory_advice(const PlMemory *m, uint64_t now_usec,
                             char buf[static PL_MEMORY_ADVICE_MAX]);
