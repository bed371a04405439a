/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log worker: one thread for bulk file work, at idle I/O priority, beside the event loop.
 *
 * The loop hands over work that owns all it needs and gets it back when it is done; the two share
 * nothing else but some atomics and the table of rules. So a rotation of ten gigabytes costs the
 * loop two wake-ups.
 */

#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "logs/time.h"

typedef struct PlLogWorker PlLogWorker;

/* One piece of work; embedded in what it needs. */
typedef struct PlWork PlWork;
struct PlWork {
        /* On the worker thread. ctx->now_sec, and what is proven of it, is set afresh. */
        void (*run)(PlWork *w, const PlRotateContext *ctx);
        /* On the loop; frees it. ran is false when the worker ended before its turn came. */
        void (*done)(PlWork *w, void *userdata, bool ran);
        STAILQ_ENTRY(PlWork) link; /* the worker's */
};

/**
 * pl_log_worker_new()
 * @store: ownership passes on success; only work on the thread may use it from then on
 * @time: borrowed, must outlive it
 * @userdata: for PlWork.done
 * Return: 0, -ENOMEM, -errno.
 */
int pl_log_worker_new(sd_event *event, PlLogStore *store, PlLogTime *time, void *userdata,
                      PlLogWorker **ret);

/** pl_log_worker_free() - ends work that is under way at its next safe place, waits for it, gives
 * back the rest. Returns NULL. */
PlLogWorker *pl_log_worker_free(PlLogWorker *w);
PL_DEFINE_CLEANUP(PlLogWorker *, pl_log_worker_free)

/** pl_log_worker_be_modest() - let the calling thread have the CPU and the disk only when others
 * leave them, as the worker does. */
void pl_log_worker_be_modest(void);

/** pl_log_worker_submit() - first in, first out. Ownership passes. */
void pl_log_worker_submit(PlLogWorker *w, PlWork *work);

/**
 * pl_log_worker_engine_changed() - at once seen by work under way, which commits nothing that rests
 *                                  on what was known before
 * @lost: there is none now: archiving stops at the next safe place, so that nobody who stops the
 *        engine to work on its logs has to wait
 * Return: the epoch that begins, for PlRotateRequest.
 */
unsigned pl_log_worker_engine_changed(PlLogWorker *w, bool lost);
