/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The count is one, whoever asks: two that are counted apart could be told apart by a clock that is
 * set between their looks.
 */

#include "logs/time.h"

#include <fcntl.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/fs.h"

#define SAVE_SEC 600 /* so much of the count may be lost */

struct PlLogTime {
        pthread_mutex_t mutex;
        PlProvenTime time, saved;
        uint64_t newest_sec; /* of all archives, as long as nothing else was known */
};

static uint64_t newest(PlLogStore *store) {
        PlStoredArchive *archives = NULL;
        uint64_t sec = 0;
        size_t n = 0;

        if (pl_log_store_list(store, NULL, &archives, &n) >= 0)
                for (size_t i = 0; i < n; i++)
                        sec = PL_MAX(sec, archives[i].name.to_sec);
        free(archives);
        return sec;
}

PlLogTime *pl_log_time_new(PlLogStore *store) {
        PlLogTime *t = calloc(1, sizeof(*t));

        if (!t)
                return NULL;
        (void)pthread_mutex_init(&t->mutex, NULL);
        if (pl_log_store_load_time(store, &t->time) < 0)
                t->newest_sec = newest(store);
        return t;
}

PlLogTime *pl_log_time_free(PlLogTime *t) {
        if (!t)
                return NULL;
        (void)pthread_mutex_destroy(&t->mutex);
        free(t);
        return NULL;
}

static bool is_to_be_saved(const PlLogTime *l) {
        const PlProvenTime *t = &l->time, *s = &l->saved;

        return t->doubted != s->doubted || !pl_streq(t->boot_id, s->boot_id) ||
               t->counted_sec - s->counted_sec >= SAVE_SEC || s->now_sec == 0;
}

void pl_log_time_tell(PlLogTime *t, PlLogStore *store, PlRotateContext *ret) {
        _cleanup_free_ char *boot_id = NULL;
        PlClocks c = { .newest_sec = t->newest_sec };
        uint64_t look;

        (void)pl_fs_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 4096, &boot_id, NULL);
        c.boot_id = boot_id ?: "";
        (void)pthread_mutex_lock(&t->mutex);
        c.wall_sec = pl_clock_usec(CLOCK_REALTIME) / PL_USEC_PER_SEC;
        c.boot_sec = pl_clock_usec(CLOCK_BOOTTIME) / PL_USEC_PER_SEC;
        ret->now_sec = c.wall_sec;
        ret->behind_sec = c.wall_sec - pl_proven_time_step(&t->time, &c, &look);
        ret->look_sec = look == PL_TIME_INFINITY ? 0 : c.wall_sec + look;
        if (store && is_to_be_saved(t) && pl_log_store_save_time(store, &t->time) >= 0)
                t->saved = t->time;
        (void)pthread_mutex_unlock(&t->mutex);
}
