/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Kinds: what people can be told of, and which entry of the reporter is which.
 *
 * Every message id of lib/base/message.h has a row in the table, be it that nobody is told. Pure.
 */

#include "lib/base/macro.h"

/*
 *   constant   PL_NOTIFY_…
 *   word       in On=
 *   severity   1 critical, 2 high, 3 medium, 4 low: as findings have it; 0: it is good news
 */
/* clang-format off */
#define PL_NOTIFY_KINDS(ROW) \
        ROW(UNHEALTHY, "unhealthy", 2)             \
        ROW(RECOVERED, "recovered", 0)             \
        ROW(DISPUTED, "disputed", 3)               \
        ROW(FLAPPING, "flapping", 3)               \
        ROW(RESTARTED, "restarted", 3)             \
        ROW(GAVE_UP, "gave-up", 1)                 \
        ROW(ENDED, "ended", 3)                     \
        ROW(OOM, "oom", 2)                         \
        ROW(PRESSURE, "memory-pressure", 3)        \
        ROW(PINCHED, "pinched", 3)                 \
        ROW(MODEL, "model-too-large", 2)           \
        ROW(LIMIT_FAILED, "limit-failed", 2)       \
        ROW(LIMIT_WAITS, "limit-waits", 3)         \
        ROW(STANDOFF, "standoff", 2)               \
        ROW(DRIFT, "drift", 4)                     \
        ROW(LOG_FULL, "log-full", 1)               \
        ROW(LOG_FAILED, "log-failed", 2)           \
        ROW(LOG_DROPPED, "log-dropped", 2)         \
        ROW(ENGINE_LOST, "engine-lost", 2)         \
        ROW(ENGINE_BACK, "engine-back", 0)         \
        ROW(POLICY_REJECTED, "policy-rejected", 2) \
        ROW(TEST, NULL, 4)
/* clang-format on */

typedef enum PlNotifyKind {
#define ROW(constant, word, severity) PL_NOTIFY_##constant,
        PL_NOTIFY_KINDS(ROW)
#undef ROW
                        _PL_NOTIFY_KIND_N,
} PlNotifyKind;

/* What a new section tells of when it does not say it. */
#define PL_NOTIFY_ON_DEFAULT                                                        \
        (UINT32_C(1) << PL_NOTIFY_UNHEALTHY | UINT32_C(1) << PL_NOTIFY_RECOVERED |  \
         UINT32_C(1) << PL_NOTIFY_GAVE_UP | UINT32_C(1) << PL_NOTIFY_OOM |          \
         UINT32_C(1) << PL_NOTIFY_LOG_FULL | UINT32_C(1) << PL_NOTIFY_LOG_DROPPED | \
         UINT32_C(1) << PL_NOTIFY_STANDOFF | UINT32_C(1) << PL_NOTIFY_MODEL |       \
         UINT32_C(1) << PL_NOTIFY_LIMIT_FAILED | UINT32_C(1) << PL_NOTIFY_POLICY_REJECTED)

/** pl_notify_kind_word() - "gave-up"; of a test "test". Return: static. */
const char *pl_notify_kind_word(PlNotifyKind k);

/** pl_notify_kind_from_word() - of a file's. Return: _PL_NOTIFY_KIND_N: there is none. */
PlNotifyKind pl_notify_kind_from_word(const char *word);

/** pl_notify_kind_severity() - Return: 0 to 4, see PL_NOTIFY_KINDS. */
unsigned pl_notify_kind_severity(PlNotifyKind k);

/** pl_notify_on() - a word of On=: a kind, "all", or "finding-critical", "finding-high",
 * "finding-medium": kinds of that severity or a worse one.
 * Return: a mask of 1 << PlNotifyKind; 0: there is no such word. */
uint32_t pl_notify_on(const char *word);

/** pl_notify_on_word() - the i-th word that On= takes, for messages. Return: static; NULL: no more.
 */
const char *pl_notify_on_word(const void *unused, size_t i);

/**
 * pl_notify_kind_of() - what kind is an entry of the reporter?
 * @message_id: of lib/base/message.h; NULL: none
 * @priority:   as in syslog(3)
 * @health:     PLIMSOLL_HEALTH=; NULL: none
 * @healthy_counts: the container, or its service, was told of as in trouble: that it is healthy
 *              now is news
 * Return: _PL_NOTIFY_KIND_N: nobody is told.
 */
PlNotifyKind pl_notify_kind_of(const char *message_id, int priority, const char *health,
                               bool healthy_counts);

/** pl_notify_is_trouble() - does it last until the service is healthy again? */
bool pl_notify_is_trouble(PlNotifyKind k);
