/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log time: the wall clock, and what is proven of it (lib/logs/proven-time), for all who remove
 * what is old. One for a daemon: its threads ask it, and what it has counted is kept in the store.
 */

#include "rotate/sequence.h"

typedef struct PlLogTime PlLogTime;

/** pl_log_time_new() - @store: for this call. Return: NULL when out of memory. */
PlLogTime *pl_log_time_new(PlLogStore *store);
PlLogTime *pl_log_time_free(PlLogTime *t);
PL_DEFINE_CLEANUP(PlLogTime *, pl_log_time_free)

/**
 * pl_log_time_tell() - as it is now, into now_sec, behind_sec and look_sec. Any thread.
 * @store: the calling thread's: what was counted is saved now and then; NULL: by others
 */
void pl_log_time_tell(PlLogTime *t, PlLogStore *store, PlRotateContext *ret);
