/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * History: the last verdicts on a container, each with its evidence and when, for whoever asks what
 * has happened.
 *
 * The same verdict again and again is one entry, so that five of them reach back as far as
 * something has changed. Bounded, and as large as what is said: most containers have one verdict
 * in their life. Begins as zeroes. Pure.
 */

#include "lib/base/macro.h"
#include "lib/probe/verdict.h"

#define PL_HISTORY_MAX  5
#define PL_EVIDENCE_MAX 256

typedef struct PlHistoryEntry {
        uint64_t first_usec, last_usec; /* CLOCK_REALTIME */
        uint64_t n;                     /* so often in a row */
        const char *verdict;            /* "disputed"; static */
        char code[PL_CODE_MAX];         /* the protocol's own word; "" none */
        char *evidence; /* one printable line below PL_EVIDENCE_MAX, of the last time */
} PlHistoryEntry;

typedef struct PlHistory {
        PlHistoryEntry *entries[PL_HISTORY_MAX]; /* a ring, owned */
        unsigned n;
} PlHistory;

/** pl_history_clear() - as it began. */
void pl_history_clear(PlHistory *h);

/**
 * pl_history_add() - a verdict. Out of memory, it is not kept.
 * @verdict:  static
 * @evidence: copied; cut. Numbers in it may change while it stays the same: "… 95 s old"
 * @anew:     it was found anew, and counts; otherwise the same as before is no news
 */
void pl_history_add(PlHistory *h, const char *verdict, const char *code, const char *evidence,
                    bool anew, uint64_t realtime_usec);

/** pl_history_get() - the i-th, the newest first. Return: borrowed; NULL: there are no more. */
const PlHistoryEntry *pl_history_get(const PlHistory *h, unsigned i);
