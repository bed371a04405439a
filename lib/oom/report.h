/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * OOM: everything known about an OOM kill, merged and explained; and the warning before one.
 *
 * Samples are taken when the kernel reports pressure or a kill, never on a timer, so a quiet
 * container has none. Pure: time is a parameter, and the daemon reads the files.
 */

#include <jansson.h>

#include "lib/base/macro.h"
#include "lib/oom/kmsg.h"

#define PL_OOM_SAMPLES 16 /* kept of each container: under pressure, half a minute */
#define PL_OOM_REPORTS 8  /* last reports of each container that are kept */
#define PL_OOM_TIMES   64 /* kills that "how often lately" can count */

/* PL_UNLIMITED: unknown (of limits: none, or unknown). Pressure as in PSI's files, 1/100 of a
 * percent of wall time. */
typedef struct PlOomSample {
        uint64_t time_usec; /* CLOCK_BOOTTIME */
        uint64_t usage_bytes, inactive_file_bytes, swap_bytes, peak_bytes;
        uint64_t limit_bytes, high_bytes;
        uint64_t some_avg10, full_avg10, some_avg60, full_avg60;
} PlOomSample;

typedef struct PlOomRing {
        PlOomSample samples[PL_OOM_SAMPLES];
        unsigned n; /* ever added */
} PlOomRing;

/** pl_oom_sample_init() - everything unknown */
void pl_oom_sample_init(PlOomSample *s, uint64_t boottime_usec);

/** pl_oom_parse_pressure() - memory.pressure, "some avg10=0.00 avg60=0.00 …\nfull …"; what is not
 * in there stays as it was. */
void pl_oom_parse_pressure(const char *text, PlOomSample *s);

void pl_oom_ring_add(PlOomRing *ring, const PlOomSample *s);

typedef enum PlOomCause {
        PL_OOM_CAUSE_UNKNOWN,
        PL_OOM_CAUSE_LIMIT,  /* the container's own limit, or one that it made itself */
        PL_OOM_CAUSE_PARENT, /* the limit of a group above it */
        PL_OOM_CAUSE_HOST,   /* the host ran out of memory */
} PlOomCause;

/* Who set the limit in force. */
typedef enum PlOomOwner {
        PL_OOM_OWNER_NOBODY, /* there is none, or neither of those below knows it */
        PL_OOM_OWNER_POLICY,
        PL_OOM_OWNER_ENGINE,
} PlOomOwner;

/* Context that explains a kill; whoever knows it fills it in before the text is made. */
typedef struct PlOomSurroundings {
        PlOomOwner owner;
        char section[80];    /* of the policy: "Service web", "Defaults"; "": none governs it */
        char proposed[80];   /* "Service web": a section of its own, where it has none; "": none */
        uint64_t host_bytes; /* 0: unknown */
        uint64_t all_limits_bytes;     /* of all running containers that have one, together */
        unsigned n_unlimited;          /* running containers that have none */
        const char *product, *setting; /* "Postgres", "shared_buffers"; static; NULL: not known */
        uint64_t setting_bytes;
} PlOomSurroundings;

typedef struct PlOomReport {
        uint64_t time_usec; /* CLOCK_REALTIME when it was noticed */
        uint64_t kills;     /* at once */
        PlOomCause cause;
        pid_t pid;                  /* 0: the victim is not known */
        uint64_t uid, victim_bytes; /* resident; PL_UNLIMITED: not known, as everywhere here */
        char victim[PL_KMSG_COMM_MAX];
        char limit_group[PL_KMSG_GROUP_MAX]; /* PL_OOM_CAUSE_PARENT: whose limit it was */
        const char *directive; /* whose value limit_bytes is: "MemoryMax", "MemoryHigh"; static */
        uint64_t limit_bytes, usage_bytes, peak_bytes, working_set_bytes, swap_bytes;
        uint64_t some_permyriad, full_permyriad; /* highest pressure in the minute before */
        unsigned in_10min, in_hour, in_day;      /* kills lately, these included */
        PlOomSurroundings around;
} PlOomReport;

/**
 * pl_oom_report_init() - merge what is known of a kill
 * @ring:  samples from before it
 * @after: read right after it; NULL: the group has gone already
 * @kill:  from the kernel log; NULL: it does not tell
 * @id:    of the container
 */
void pl_oom_report_init(PlOomReport *ret, const PlOomRing *ring, const PlOomSample *after,
                        const PlKmsgKill *kill, const char *id, uint64_t kills,
                        uint64_t boottime_usec, uint64_t realtime_usec);

typedef struct PlOomHistory {
        PlOomReport reports[PL_OOM_REPORTS]; /* a ring, as the next one */
        unsigned n_reports;
        uint64_t times[PL_OOM_TIMES]; /* CLOCK_REALTIME, one for each kill */
        unsigned n_times;
        uint64_t total; /* kills */
} PlOomHistory;

/** pl_oom_history_add() - count and keep a report; its in_* are set. */
void pl_oom_history_add(PlOomHistory *h, PlOomReport *r);

/** pl_oom_history_name() - the kernel log was late: the victim of the last report without one. */
void pl_oom_history_name(PlOomHistory *h, const PlKmsgKill *kill, const char *id);

/** pl_oom_history_get() - Return: borrowed, the oldest one first; NULL behind the last. */
const PlOomReport *pl_oom_history_get(const PlOomHistory *h, unsigned i);

/** pl_oom_history_format() - as JSON, for a file. Return: 0 and *ret owned by the caller; -ENOMEM.
 */
int pl_oom_history_format(const PlOomHistory *h, char **ret);

/** pl_oom_history_parse() - strict, but for members that it does not know.
 * Return: 0, -EBADMSG, -ENOMEM. */
int pl_oom_history_parse(const char *text, size_t size, PlOomHistory *ret);

/** pl_oom_text() - the report as one line for the journal; names are escaped. Caller owns it;
 * NULL: out of memory. */
char *pl_oom_text(const PlOomReport *r);

#define PL_OOM_PAST_MAX 256

/** pl_oom_past() - "killed 3 times in 2d at 4.0G; peak before each 4.0G": what advice is based on.
 * Return: buf; "": nothing was killed. */
const char *pl_oom_past(const PlOomHistory *h, uint64_t now_usec, char buf[static PL_OOM_PAST_MAX]);

/** pl_oom_entry() - pl_oom_text() for the journal, and what the service has been through, where
 * that is more than the report has counted. @h: has the report, too. Caller owns it; NULL: out of
 * memory. */
char *pl_oom_entry(const PlOomReport *r, const PlOomHistory *h);

/* Structured fields of the journal entry. */
#define PL_OOM_FIELDS_MAX 16
typedef struct PlOomFields {
        struct {
                const char *name; /* static */
                char value[96];
        } items[PL_OOM_FIELDS_MAX];
        size_t n;
} PlOomFields;
void pl_oom_fields(const PlOomReport *r, PlOomFields *ret);

/** pl_oom_json() - one element of "oom_reports": an event (pl_wire_event()) with more members.
 * @container: its name; @message_id: may be NULL. Return: new reference, NULL: out of memory. */
json_t *pl_oom_json(const PlOomReport *r, const char *container, const char *message_id);

/*
 * Pressure. The kernel wakes us when tasks of a container have waited for memory during
 * PL_OOM_TRIGGER_USEC of a PL_OOM_WINDOW_USEC: a root without CAP_SYS_RESOURCE may only have
 * windows that are multiples of 2 s (kernel/sched/psi.c), and a tenth is well above what a healthy
 * service shows while it reads its files.
 */
#define PL_OOM_WINDOW_USEC  (2 * PL_USEC_PER_SEC)
#define PL_OOM_TRIGGER_USEC (200 * PL_USEC_PER_MSEC)
/* A tenth of the time lost for half a minute: by then a backup or a big query is over, but a
 * service that does not fit still suffers. */
#define PL_OOM_SUSTAIN_USEC (30 * PL_USEC_PER_SEC)
#define PL_OOM_SOME_AVG10   1000
/* Two signs of pressure further apart than this are not one: five windows, or v1's quiet spells. */
#define PL_OOM_GAP_USEC (10 * PL_USEC_PER_SEC)
/* Pressure with much of the limit still free comes from elsewhere (the host, MemoryHigh= of a group
 * above), and is no sign of a kill to come. */
#define PL_OOM_NEAR_PERCENT 90
/* One warning per episode: the next one after an hour, or after ten quiet minutes. */
#define PL_OOM_REPEAT_USEC PL_USEC_PER_HOUR
#define PL_OOM_QUIET_USEC  (10 * PL_USEC_PER_MIN)

typedef struct PlOomPressure {
        uint64_t since_usec, last_usec; /* the spell under way; CLOCK_BOOTTIME, 0: none */
        uint64_t warned_usec;           /* 0: not yet */
} PlOomPressure;

/**
 * pl_oom_pressure() - a sample was taken because the kernel reported pressure
 * @s:   that sample; ring has it too, or not yet
 * @ret: the numbers of a warning, of the tighter one of MemoryMax and MemoryHigh; written when one
 *       is due
 * Return: true when a warning is due.
 */
bool pl_oom_pressure(PlOomPressure *p, const PlOomRing *ring, const PlOomSample *s,
                     uint64_t realtime_usec, PlOomReport *ret);

/** pl_oom_pressure_text() - the warning, one line. @lasting_usec: how long it has gone on. Caller
 * owns it; NULL: out of memory. */
char *pl_oom_pressure_text(const PlOomReport *r, uint64_t lasting_usec);
