/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Filter: the same of the same service is told once in a while (Cooldown=).
 *
 * What is held back is not lost: the last of each kind waits for the end of the while and is told
 * then, with how often it came, so that nobody takes for well what is in trouble again. Pure.
 */

#include "lib/notify/queue.h"

#define PL_NOTIFY_FILTER_MAX 512 /* pairs of service and kind; what is beyond is told at once */

typedef struct PlNotifyFilter PlNotifyFilter;

PlNotifyFilter *pl_notify_filter_new(void);               /* NULL: out of memory */
PlNotifyFilter *pl_notify_filter_free(PlNotifyFilter *f); /* returns NULL */
PL_DEFINE_CLEANUP(PlNotifyFilter *, pl_notify_filter_free)

/**
 * pl_notify_filter_add()
 * @key:      of the service
 * @stolen:   ownership passes
 * @now_usec: CLOCK_BOOTTIME
 * Return: the event, if it is to be told now, owned by the caller; NULL: it waits.
 */
PlNotifyEvent *pl_notify_filter_add(PlNotifyFilter *f, const char *key, PlNotifyEvent *stolen,
                                    uint64_t cooldown_usec, uint64_t now_usec);

/** pl_notify_filter_due() - when the next of those that wait is to be told; 0: none waits. */
uint64_t pl_notify_filter_due(const PlNotifyFilter *f, uint64_t cooldown_usec);

/** pl_notify_filter_take() - one that is due; with it all of the same service are. @now_usec:
 * UINT64_MAX: whatever waits. Return: owned by the caller; NULL: none is. */
PlNotifyEvent *pl_notify_filter_take(PlNotifyFilter *f, uint64_t cooldown_usec, uint64_t now_usec);
