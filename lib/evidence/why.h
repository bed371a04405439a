/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Why: one answer to why a run of a container ended, with the evidence and how sure it is.
 *
 * An exit code of 137 has at least six meanings, and one of 1 says nothing. "Certain" is said where
 * no other story fits what was seen; everything else is likely, with what would settle it. Pure.
 */

#include "lib/health/ending.h"
#include "lib/oom/oomd.h"
#include "lib/oom/report.h"

typedef enum PlWhyKind {
        PL_WHY_UNKNOWN,
        PL_WHY_FINISHED,       /* exit code 0, by itself */
        PL_WHY_EXIT,           /* another one, by itself */
        PL_WHY_NOT_FOUND,      /* 127 */
        PL_WHY_NOT_EXECUTABLE, /* 126 */
        PL_WHY_NO_SPACE,
        PL_WHY_CRASHED,      /* SIGSEGV and its like: of its own making */
        PL_WHY_SIGNAL,       /* another signal, not through the engine */
        PL_WHY_SIGKILL,      /* … SIGKILL */
        PL_WHY_MEMORY_LIMIT, /* its own; its first process was killed */
        PL_WHY_MEMORY_CHILD, /* … another one of its processes */
        PL_WHY_PARENT_LIMIT, /* of a group above it */
        PL_WHY_HOST_MEMORY,
        PL_WHY_OOMD, /* systemd-oomd */
        PL_WHY_STOPPED,
        PL_WHY_STOP_TIMEOUT, /* … and it had to be killed */
        PL_WHY_KILLED,       /* docker kill */
        PL_WHY_PLIMSOLLD,    /* our own restart */
        PL_WHY_ENGINE,       /* went down, or restarted */
        _PL_WHY_N,
} PlWhyKind;

/** pl_why_to_string() - "memory-limit": a word that scripts may know. */
const char *pl_why_to_string(PlWhyKind k);
/** pl_why_from_string() - Return: PL_WHY_UNKNOWN where it is none. */
PlWhyKind pl_why_from_string(const char *s);

/* What is known of an end. Borrowed; NULL: not known. */
typedef struct PlWhyFacts {
        const PlEnding *ending;
        const PlOomReport *oom;    /* the last kill in it */
        const char *words;         /* the end of its log, printable */
        const PlOomTraces *traces; /* what kernel and systemd-oomd have written of it */
        const char *reason;        /* of our own restart */
        bool start_failed;         /* the engine could not start it */
        bool docker_known;         /* the next two are of the engine's inspection after the end */
        bool docker_oom;           /* State.OOMKilled */
        int docker_code;
        bool check_failed;    /* Docker's own check was failing */
        uint64_t engine_usec; /* CLOCK_REALTIME, when the engine was lost after it; 0: it was not */
} PlWhyFacts;

#define PL_WHY_WHAT_MAX     288
#define PL_WHY_EVIDENCE_MAX 640
#define PL_WHY_ADVICE_MAX   256

typedef struct PlWhy {
        PlWhyKind kind;
        bool certain;
        char what[PL_WHY_WHAT_MAX];         /* one sentence, without a full stop */
        char evidence[PL_WHY_EVIDENCE_MAX]; /* one item a line, no newline at the end */
        char would[PL_WHY_ADVICE_MAX];      /* what would make it certain; "" where it is */
        char advice[PL_WHY_ADVICE_MAX];     /* "": none */
} PlWhy;

/** pl_why() - of an end that is known: ending->ender is not PL_ENDER_NONE. */
void pl_why(const PlWhyFacts *f, PlWhy *ret);
