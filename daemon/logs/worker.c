/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two lists under one mutex: to do, and done. An eventfd wakes the loop when something was done.
 *
 * SCHED_BATCH, nice values and the idle I/O class apply to threads on Linux
 * (sched_setscheduler(2), setpriority(2), ioprio_set(2)); where they are refused the work is done
 * all the same.
 */

#include "logs/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include "base/loop.h"

#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_CLASS_IDLE  3
#define IOPRIO_CLASS_SHIFT 13
/* A container that writes gets nine turns for one of ours, where there are not CPUs for both. */
#define NICE 10

typedef STAILQ_HEAD(Queue, PlWork) Queue;

struct PlLogWorker {
        PlLogStore *store;
        PlLogTime *time;
        PlArchiver *archiver;
        void *userdata;
        sd_event_source *source;
        int fd;
        atomic_bool stop;
        atomic_bool halt; /* stop, or the engine is lost */
        atomic_uint engine_epoch;

        pthread_t thread;
        bool started;
        pthread_mutex_t mutex;
        pthread_cond_t more;
        Queue todo, done;
};

static PlWork *queue_take(Queue *q) {
        PlWork *w = STAILQ_FIRST(q);

        if (w)
                STAILQ_REMOVE_HEAD(q, link);
        return w;
}

void pl_log_worker_be_modest(void) {
        struct sched_param param = { 0 };

        (void)sched_setscheduler(0, SCHED_BATCH, &param);
        (void)setpriority(PRIO_PROCESS, 0, NICE);
        (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
                      IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT);
}

static void leave_signals_to_loop(void) {
        sigset_t all;

        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
}

static void *work(void *userdata) {
        PlLogWorker *w = userdata;
        PlRotateContext ctx = { .store = w->store,
                                .archiver = w->archiver,
                                .stop = &w->halt,
                                .engine_epoch = &w->engine_epoch };

        pl_log_worker_be_modest();
        leave_signals_to_loop();
        (void)pthread_mutex_lock(&w->mutex);
        while (!atomic_load(&w->stop)) {
                PlWork *job = queue_take(&w->todo);

                if (!job) {
                        pl_archiver_shrink(w->archiver);
                        (void)pthread_cond_wait(&w->more, &w->mutex);
                        continue;
                }
                (void)pthread_mutex_unlock(&w->mutex);
                pl_log_time_tell(w->time, w->store, &ctx);
                job->run(job, &ctx);
                (void)pthread_mutex_lock(&w->mutex);
                STAILQ_INSERT_TAIL(&w->done, job, link);
                (void)eventfd_write(w->fd, 1);
        }
        (void)pthread_mutex_unlock(&w->mutex);
        return NULL;
}

static void give_back(PlLogWorker *w) {
        for (;;) {
                PlWork *job;

                (void)pthread_mutex_lock(&w->mutex);
                job = queue_take(&w->done);
                (void)pthread_mutex_unlock(&w->mutex);
                if (!job)
                        break;
                job->done(job, w->userdata, true);
        }
}

static int on_done(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        PlLogWorker *w = userdata;
        eventfd_t n;

        pl_loop_doing("logs");
        (void)eventfd_read(fd, &n);
        give_back(w);
        return 0;
}

int pl_log_worker_new(sd_event *event, PlLogStore *store, PlLogTime *time, void *userdata,
                      PlLogWorker **ret) {
        _cleanup_(pl_log_worker_freep) PlLogWorker *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->userdata = userdata;
        w->time = time;
        STAILQ_INIT(&w->todo);
        STAILQ_INIT(&w->done);
        (void)pthread_mutex_init(&w->mutex, NULL);
        (void)pthread_cond_init(&w->more, NULL);
        w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (w->fd < 0)
                return -errno;
        w->archiver = pl_archiver_new(PL_ARCHIVE_LEVEL);
        if (!w->archiver)
                return -ENOMEM;
        r = sd_event_add_io(event, &w->source, w->fd, EPOLLIN, on_done, w);
        if (r < 0)
                return r;
        w->store = store;
        r = -pthread_create(&w->thread, NULL, work, w);
        if (r < 0) {
                w->store = NULL; /* still the caller's */
                return r;
        }
        (void)pthread_setname_np(w->thread, "plimsoll-logs");
        w->started = true;
        *ret = TAKE_PTR(w);
        return 0;
}

PlLogWorker *pl_log_worker_free(PlLogWorker *w) {
        PlWork *job;

        if (!w)
                return NULL;
        if (w->started) {
                (void)pthread_mutex_lock(&w->mutex);
                atomic_store(&w->stop, true);
                atomic_store(&w->halt, true);
                (void)pthread_cond_signal(&w->more);
                (void)pthread_mutex_unlock(&w->mutex);
                (void)pthread_join(w->thread, NULL);
        }
        give_back(w);
        while ((job = queue_take(&w->todo)))
                job->done(job, w->userdata, false);
        sd_event_source_disable_unref(w->source);
        pl_archiver_free(w->archiver);
        pl_log_store_free(w->store);
        if (w->fd >= 0)
                (void)close(w->fd);
        (void)pthread_cond_destroy(&w->more);
        (void)pthread_mutex_destroy(&w->mutex);
        free(w);
        return NULL;
}

void pl_log_worker_submit(PlLogWorker *w, PlWork *job) {
        (void)pthread_mutex_lock(&w->mutex);
        STAILQ_INSERT_TAIL(&w->todo, job, link);
        (void)pthread_cond_signal(&w->more);
        (void)pthread_mutex_unlock(&w->mutex);
}

unsigned pl_log_worker_engine_changed(PlLogWorker *w, bool lost) {
        atomic_store(&w->halt, lost);
        return atomic_fetch_add(&w->engine_epoch, 1) + 1;
}
