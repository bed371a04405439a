/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Kernel log: what the OOM killer writes about its victims.
 *
 * One kill is several records: usage and limit of the group that is full, then "oom-kill:" with the
 * groups, then "Killed process". They come in this order and never interleaved (the kernel holds
 * oom_lock), but any of them may be missing: the ring wraps, and after ten kills within five
 * seconds only "Killed process" is written. Pure: no I/O; daemon/oom/watch.c reads.
 *
 * A container chooses the names of its processes and of the groups inside it. They are kept
 * unchanged; whoever prints them escapes them.
 *
 * Sources: kernel Documentation/ABI/testing/dev-kmsg, mm/oom_kill.c, mm/memcontrol.c.
 */

#include <sys/types.h>

#include "lib/base/macro.h"

#define PL_KMSG_TEXT_MAX  2048 /* the kernel's own limit is 1024 bytes before escaping */
#define PL_KMSG_GROUP_MAX 512
#define PL_KMSG_COMM_MAX  16 /* TASK_COMM_LEN */

typedef struct PlKmsgRecord {
        bool from_kernel;    /* facility 0, which no process can write to /dev/kmsg */
        uint64_t sequence;   /* grows by one; a gap is a loss */
        uint64_t clock_usec; /* since boot, the kernel's own clock; no clock_gettime() clock */
        char text[PL_KMSG_TEXT_MAX];
} PlKmsgRecord;

/**
 * pl_kmsg_parse() - one record as read(2) gives it: "PRIO,SEQ,USEC,FLAGS[,MORE];TEXT\n KEY=VALUE\n"
 * Escapes in the text are undone, a NUL becomes "?"; dictionary lines are left out; a text that is
 * too long is cut.
 * Return: 0; -EBADMSG: no record.
 */
int pl_kmsg_parse(const char *data, size_t size, PlKmsgRecord *ret);

typedef enum PlKmsgScope {
        PL_KMSG_SCOPE_UNKNOWN,
        PL_KMSG_SCOPE_GROUP, /* a group's limit was reached */
        PL_KMSG_SCOPE_HOST,  /* the host has no memory left */
} PlKmsgScope;

/* PL_UNLIMITED: not said. */
typedef struct PlKmsgKill {
        uint64_t sequence, clock_usec; /* of "Killed process" */
        PlKmsgScope scope;
        pid_t pid; /* as the host sees it; 0: not said */
        uint64_t uid;
        char name[PL_KMSG_COMM_MAX]; /* of the process */
        uint64_t anon_rss_bytes, file_rss_bytes, shmem_rss_bytes;
        char group[PL_KMSG_GROUP_MAX];       /* the victim's; "": not said */
        char limit_group[PL_KMSG_GROUP_MAX]; /* whose limit it was; "": not said */
        uint64_t usage_bytes, limit_bytes;   /* of limit_group at the moment of the kill */
} PlKmsgKill;

/* The records of one kill, half read. Starts as zeroes. */
typedef struct PlKmsgFold {
        PlKmsgKill next;
        bool has_usage, has_groups, whole_group;
        uint64_t last_sequence, whole_group_usec;
} PlKmsgFold;

/** pl_kmsg_fold() - take the next record; those of processes are left out. Return: true when it
 * completes a kill. A gap in
 * the sequence means that records are missing: what is half read belongs to nothing then. */
bool pl_kmsg_fold(PlKmsgFold *f, const PlKmsgRecord *r, PlKmsgKill *ret);

#define PL_KMSG_FAULT_MAX 160

/* A process did what no process may, and the signal for that ends it. */
typedef struct PlKmsgFault {
        pid_t pid; /* as the host sees it */
        uint64_t clock_usec;
        char text[PL_KMSG_FAULT_MAX]; /* "web[7010]: segfault at 0 ip …" */
} PlKmsgFault;

/** pl_kmsg_fault() - is it the kernel's line about that? It is written where the process does not
 * handle the signal itself, so the process ends. Source: arch/x86/mm/fault.c, show_signal_msg();
 * arch/x86/kernel/traps.c, do_trap() and exc_general_protection(). Other CPUs are silent by
 * default. */
bool pl_kmsg_fault(const PlKmsgRecord *r, PlKmsgFault *ret);

/** pl_kmsg_is_about() - was the victim in this container's group, or in one below it? */
bool pl_kmsg_is_about(const PlKmsgKill *k, const char *id);

/** pl_kmsg_own_limit() - was it the limit of the container's group itself (or of one below it)? */
bool pl_kmsg_own_limit(const PlKmsgKill *k, const char *id);
