/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* OOM watch, inside: what oom-watch.c and the two hierarchies' files share. Nobody else. */

#include "cgroup/read.h"
#include "lib/base/map.h"
#include "oom/kmsg.h"
#include "oom/watch.h"

/* A report that waits for the kernel log. */
typedef struct OomPending {
        uint64_t kills, found;    /* as the group counts; as the log tells */
        uint64_t begin_usec;      /* CLOCK_BOOTTIME */
        uint64_t realtime_usec;   /* when the kill was noticed */
        bool whole;               /* memory.oom.group: the others are being killed, too */
        bool has_after, has_kill; /* are the next two there? */
        PlOomSample after;
        PlKmsgKill kill; /* the first one */
} OomPending;

/* The kernel's counters of a group. */
typedef struct PlOomCount {
        uint64_t kills;  /* of processes */
        uint64_t groups; /* of whole groups, Linux 5.17 */
} PlOomCount;

typedef struct OomEntry OomEntry;
struct OomEntry {
        char id[PL_ID_MAX];
        PlOomWatch *w;
        const PlCgroup *g;    /* borrowed; NULL: none at present */
        PlHierarchy h;        /* of the memory controller */
        PlOomCount count;     /* the group's counters when we last looked */
        int oom_fd, press_fd; /* v1: eventfds; v2: memory.events, memory.pressure */
        sd_event_source *oom, *press;
        sd_event_source *timer;     /* looks again */
        sd_event_source *calm;      /* switches pressure on again (v1) */
        uint64_t look_until_usec;   /* something was announced: look again until then; 0: no */
        uint64_t step_usec;         /* between looks */
        uint64_t untold;            /* reported kills that the log had nothing on, yet */
        uint64_t untold_until_usec; /* it is asked until then; 0: no */
        bool whole; /* a whole group was reported just now: who dies meanwhile belongs to it */
        OomPending *pending;
        PlOomRing *ring; /* NULL until the first sample */
};

struct PlOomWatch {
        sd_event *event;
        const PlCgroupMounts *mounts;
        const PlOomWatchHandlers *handlers;
        void *userdata;
        PlKmsg *kmsg;
        PlMap *entries;     /* id → OomEntry */
        unsigned n_pending; /* entries that wait for the kernel log */
        bool said_press;    /* what this kernel cannot do is said once */
};

/* oom-v1.c, oom-v2.c. Arming returns 0, -ENODEV when the group is gone, -errno. */
int pl_oom_v1_arm(OomEntry *e);
int pl_oom_v2_arm(OomEntry *e);
/** Return: 0; -ENODEV: the group is gone; -errno. */
int pl_oom_v1_count(OomEntry *e, PlOomCount *ret);
int pl_oom_v2_count(OomEntry *e, PlOomCount *ret);

/* oom-watch.c */
/** Read a sample. Return: false when the group is gone. */
bool pl_oom_watch_sample(OomEntry *e, PlOomSample *ret);
/** Keep a sample of before the kill. */
void pl_oom_watch_keep(OomEntry *e, const PlOomSample *s);
/** Compare counters and go on from there. The entry may be gone afterwards. */
void pl_oom_watch_look(OomEntry *e);
/** Look again after step, doubling, for a time. */
void pl_oom_watch_look_again(OomEntry *e, uint64_t step_usec, uint64_t for_usec);
/** Take a sample and hand it out. Return: false when the group is gone. */
bool pl_oom_watch_press(OomEntry *e);
/** Close what the group needed. */
void pl_oom_watch_disarm(OomEntry *e);
