/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A random life between owners: what is known of it, what is told of it, and its dice. See
 * test-owners.c.
 */

#include <stdarg.h>

#include "owners-standins.h"

/* What a policy says, in the directives' terms. */
typedef struct Policy {
        uint32_t mask;
        uint64_t number[_PL_RESOURCE_N], period_usec;
        char cpus[24];
        bool kills;    /* ShrinkMode=kill */
        bool defaults; /* it stands in [Defaults], which spare what the creator has said */
} Policy;

/* Any of these is right. */
typedef struct Options {
        Value v[6];
        unsigned n;
} Options;

/* Who may have changed a value since everything was at rest last. */
enum {
        BY_UPDATE = 1 << 0,
        BY_WRITE = 1 << 1,
        BY_RELOAD = 1 << 2,
        BY_PROPERTY = 1 << 3,
};

/* What a slice has without plimsoll: more than one, where a person said the very value that was
 * ours. */
typedef struct Own {
        uint64_t n[4];
        unsigned count;
        uint64_t told[4]; /* by plimsoll, the last ones */
} Own;

static struct {
        uint64_t seed, random;
        uint64_t side_random;  /* of what happens beside the box: its own life stays as it is */
        uint64_t side_asks[2]; /* MemoryMin= and MemoryLow= of each sibling; 0: it has none */
        bool protects;         /* ProtectSlice= */
        Own own[SLICES][2];
        SliceUnit bare[SLICES]; /* as it would be without plimsoll */
        Host truth;             /* HostConfig as it would be without plimsoll */
        Host persons;           /* and with what persons changed while plimsoll held it as well */
        Host seen[8]; /* HostConfig, as a plimsolld without a record may have seen it first */
        unsigned n_seen;
        Scope scope[2]; /* systemd's properties without plimsoll, of each of them */
        Options kernel[_PL_RESOURCE_N];
        Options by_hand[_PL_RESOURCE_N]; /* in this run; systemd may have been told it */
        Policy policy;
        uint32_t giving_back;
        unsigned others;   /* BY_* */
        uint32_t named;    /* what the daemon has said that HostConfig keeps */
        bool wrote_memory; /* a person, into the kernel, while plimsoll did not hold it */
        bool runs;         /* plimsolld */
        bool ends;         /* plimsolld, and squeezes no more */
        bool over;         /* a fault was found, or a person has seen enough */
        unsigned standoffs, acts;
} life;

static struct { uint64_t lives, acts, kills, reboots, standoffs, updates, writes; } total;

static sd_event *event = (sd_event *)&life; /* nobody looks into it */
static PlRegistry *registry;
static PlEnforcer *enforcer;
static PlCgroupMounts mounts;
static char state_dir[64];
static bool verbose;

/* --- what happened, for whoever reads a failure --- */

#define TRACE_LINES 60
static char trace[TRACE_LINES][200];
static unsigned n_trace;

static void note(const char *format, ...) PL_PRINTF(1, 2);
static void note(const char *format, ...) {
        char *to = trace[n_trace++ % TRACE_LINES];
        int n = snprintf(to, sizeof(trace[0]), "%8.3f ",
                         (double)(w.now_usec % (3600 * PL_USEC_PER_SEC)) / 1e6);
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(to + n, sizeof(trace[0]) - (size_t)n, format, ap);
        va_end(ap);
        if (verbose)
                printf("%s\n", to);
}

#define KINDS_MAX 40
static struct {
        const char *kind;
        unsigned n;
        uint64_t seed;
} faults[KINDS_MAX];

/* @kind: static. */
static void fault(const char *kind, const char *format, ...) PL_PRINTF(2, 3);
static void fault(const char *kind, const char *format, ...) {
        char text[300];
        unsigned i = 0;
        va_list ap;

        if (life.over)
                return;
        life.over = true;
        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        note("FAULT %s: %s", kind, text);
        while (i + 1 < KINDS_MAX && faults[i].kind && !pl_streq(faults[i].kind, kind))
                i++;
        faults[i].kind = kind;
        if (faults[i].n++ > 0 &&
            (printf("ALL %s: life %" PRIu64 ": %s\n", kind, life.seed, text), true))
                return;
        faults[i].seed = life.seed;
        printf("# life %" PRIu64 ": %s: %s\n", life.seed, kind, text);
        if (verbose || i > 0)
                return;
        for (unsigned k = n_trace > TRACE_LINES ? n_trace - TRACE_LINES : 0; k < n_trace; k++)
                printf("#   %s\n", trace[k % TRACE_LINES]);
}

/* Of the environment. */
static uint64_t setting(const char *name, uint64_t otherwise) {
        const char *s = getenv(name);
        uint64_t n;

        return s && pl_parse_uint64(s, &n) == 0 ? n : otherwise;
}

/* --- chance --- */

static uint64_t rnd(uint64_t below) {
        life.random ^= life.random << 13;
        life.random ^= life.random >> 7;
        life.random ^= life.random << 17;
        return life.random % below;
}

static bool chance(unsigned percent) {
        return rnd(100) < percent;
}

static uint64_t side_rnd(uint64_t below) {
        life.side_random = life.side_random * UINT64_C(6364136223846793005) + 1442695040888963407;
        return (life.side_random >> 33) % below;
}

#define PICK(...)                                         \
        ({                                                \
                const uint64_t pick_[] = { __VA_ARGS__ }; \
                pick_[rnd(PL_ARRAY_SIZE(pick_))];         \
        })

static const char *pick_cpus(void) {
        static const char *const lists[] = { "0", "1", "0-1", "0,2", "1-3" };

        return lists[rnd(world_cpus < 4 ? 1 + (world_cpus > 1 ? 2 : 0) : PL_ARRAY_SIZE(lists))];
}
