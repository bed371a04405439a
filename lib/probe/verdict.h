/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Verdict: what one probe found, in the words that health understands, and why.
 *
 * A fixed-size value, so that a hundred probes allocate nothing. Everything from the service is
 * quoted before it gets in: a reason is always one printable line.
 */

#include "lib/base/macro.h"
#include "lib/base/quote.h"

#define PL_REASON_MAX 192
#define PL_CODE_MAX   32

typedef enum PlVerdictKind {
        PL_VERDICT_NONE,     /* no evidence: nothing was asked, or we failed ourselves */
        PL_VERDICT_UP,       /* serves */
        PL_VERDICT_STARTING, /* says itself that it is not ready yet: loading, recovering */
        PL_VERDICT_IMPAIRED, /* serves, but is full, busy, read-only, or a part of it is missing */
        PL_VERDICT_DISPUTED, /* something answers, but not as expected (a redirect, 404, TLS,
                              * another protocol), or there is no way to the place: alive for all we
                              * know */
        PL_VERDICT_SILENT,   /* refused, or connected and no answer */
        _PL_VERDICT_N,
} PlVerdictKind;

typedef struct PlVerdict {
        PlVerdictKind kind;
        char code[PL_CODE_MAX]; /* the protocol's own word: "57P03", "LOADING", "503"; "" none */
        char reason[PL_REASON_MAX]; /* one line, printable, no full stop; "" for a plain UP */
} PlVerdict;

/* Between bytes and verdict: what a protocol's parser says about the answer so far. */
typedef enum PlProbeStep {
        PL_PROBE_MORE, /* no verdict yet: read on, within the deadline */
        PL_PROBE_DONE, /* verdict written */
} PlProbeStep;

/** pl_verdict_set() - fill in all three; the formatted reason is cut to its size.
 * Arguments that the service controls must have been through pl_quote(). */
void pl_verdict_set(PlVerdict *v, PlVerdictKind kind, const char *code, const char *format, ...)
                PL_PRINTF(4, 5);

/** pl_verdict_add() - go on with its reason, likewise. */
void pl_verdict_add(PlVerdict *v, const char *format, ...) PL_PRINTF(2, 3);

/* To a plain question that met TLS. */
#define PL_VERDICT_TLS "it speaks TLS on this port, and was not asked in TLS: set ProbeTLS=auto"

/** pl_verdict_if_tls() - do the first bytes of an answer belong to TLS (RFC 8446, 5.1: an alert or
 * a handshake record)? Then the verdict is written: alive, with the remedy. */
bool pl_verdict_if_tls(const uint8_t *data, size_t n, PlVerdict *ret);
