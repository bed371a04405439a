/* SPDX-License-Identifier: Apache-2.0 */

/*
 * IN_ONESHOT makes the kernel take the watch off itself: however fast the writer, there is one
 * event. Between looking at the size and putting the watch back the log may grow: so the size is
 * looked at again after the watch is in place.
 */

#include "logs/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "lib/logs/rotate-plan.h"

struct PlLogWatch {
        sd_event *event;
        sd_event_source *source;
        int fd;
        LIST_HEAD(WatchedList, PlLogWatched) logs;
};

struct PlLogWatched {
        PlLogWatch *watch;
        LIST_ENTRY(PlLogWatched) link;
        int fd, wd; /* wd: -1 while not listening */
        PlLogDue due;
        void *userdata;
        sd_event_source *pause;
        uint64_t limit_bytes;
        uint64_t last_bytes, last_pause_usec;
};

static int listen_again(PlLogWatched *l) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", l->fd);
        l->wd = inotify_add_watch(l->watch->fd, path, IN_MODIFY | IN_ONESHOT);
        return l->wd < 0 ? -errno : 0;
}

static void stop_listening(PlLogWatched *l) {
        if (l->wd >= 0)
                (void)inotify_rm_watch(l->watch->fd, l->wd);
        l->wd = -1;
        if (l->pause)
                (void)sd_event_source_set_enabled(l->pause, SD_EVENT_OFF);
}

bool pl_log_watch_size(const PlLogWatched *l, uint64_t *ret_bytes, uint64_t *ret_ino) {
        struct stat st;

        if (fstat(l->fd, &st) < 0)
                return false;
        *ret_bytes = (uint64_t)st.st_size;
        if (ret_ino)
                *ret_ino = (uint64_t)st.st_ino;
        return true;
}

/* Return: true when it was due, and the owner was told. */
static bool look(PlLogWatched *l) {
        uint64_t size = 0;

        if (!pl_log_watch_size(l, &size, NULL) || size < l->limit_bytes)
                return false;
        stop_listening(l);
        l->limit_bytes = PL_UNLIMITED; /* until it is set anew */
        l->due(l->userdata);
        return true;
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
        PlLogWatched *l = userdata;

        (void)listen_again(l);
        (void)look(l);
        return 0;
}

static void pause_listening(PlLogWatched *l) {
        uint64_t size = l->last_bytes, grown;

        (void)pl_log_watch_size(l, &size, NULL);
        grown = size > l->last_bytes ? size - l->last_bytes : 0;
        l->last_bytes = size;
        l->last_pause_usec = pl_rotate_look_again(size < l->limit_bytes ? l->limit_bytes - size : 0,
                                                  grown, l->last_pause_usec);
        if (sd_event_source_set_time_relative(l->pause, l->last_pause_usec) < 0 ||
            sd_event_source_set_enabled(l->pause, SD_EVENT_ONESHOT) < 0)
                (void)listen_again(l);
}

static PlLogWatched *find(PlLogWatch *w, int wd) {
        PlLogWatched *l;

        LIST_FOREACH(l, &w->logs, link)
        if (l->wd == wd)
                return l;
        return NULL;
}

static void look_at_all(PlLogWatch *w) {
        for (PlLogWatched *l = LIST_FIRST(&w->logs), *next; l; l = next) {
                next = LIST_NEXT(l, link);
                if (l->limit_bytes != PL_UNLIMITED && !look(l) && l->wd >= 0) {
                        stop_listening(l);
                        (void)listen_again(l);
                }
        }
}

static int on_inotify(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        PlLogWatch *w = userdata;
        char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
        ssize_t n = read(fd, buf, sizeof(buf));

        for (char *p = buf; n > 0 && p < buf + n;) {
                const struct inotify_event *e = (const struct inotify_event *)(const void *)p;
                PlLogWatched *l = find(w, e->wd);

                if (e->mask & IN_Q_OVERFLOW)
                        look_at_all(w);
                else if (l && (e->mask & IN_MODIFY)) {
                        l->wd = -1; /* one shot: the kernel has taken it off */
                        if (!look(l))
                                pause_listening(l);
                }
                p += sizeof(*e) + e->len;
        }
        return 0;
}

int pl_log_watch_new(sd_event *event, PlLogWatch **ret) {
        _cleanup_(pl_log_watch_freep) PlLogWatch *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->event = sd_event_ref(event);
        w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (w->fd < 0)
                return -errno;
        r = sd_event_add_io(event, &w->source, w->fd, EPOLLIN, on_inotify, w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

PlLogWatch *pl_log_watch_free(PlLogWatch *w) {
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->source);
        if (w->fd >= 0)
                (void)close(w->fd);
        sd_event_unref(w->event);
        free(w);
        return NULL;
}

int pl_log_watch_add(PlLogWatch *w, int fd, PlLogDue due, void *userdata, PlLogWatched **ret) {
        PlLogWatched *l = calloc(1, sizeof(*l));
        int r;

        if (!l)
                return -ENOMEM;
        *l = (PlLogWatched){ .watch = w,
                             .fd = fd,
                             .wd = -1,
                             .due = due,
                             .userdata = userdata,
                             .limit_bytes = PL_UNLIMITED };
        r = sd_event_add_time_relative(w->event, &l->pause, CLOCK_MONOTONIC, 0,
                                       100 * PL_USEC_PER_MSEC, on_pause_over, l);
        if (r < 0) {
                free(l);
                return r;
        }
        (void)sd_event_source_set_enabled(l->pause, SD_EVENT_OFF);
        LIST_INSERT_HEAD(&w->logs, l, link);
        *ret = l;
        return 0;
}

PlLogWatched *pl_log_watch_remove(PlLogWatched *l) {
        if (!l)
                return NULL;
        stop_listening(l);
        LIST_REMOVE(l, link);
        sd_event_source_disable_unref(l->pause);
        (void)close(l->fd);
        free(l);
        return NULL;
}

int pl_log_watch_set(PlLogWatched *l, uint64_t limit_bytes) {
        int r;

        stop_listening(l);
        l->limit_bytes = limit_bytes;
        l->last_pause_usec = 0;
        if (limit_bytes == PL_UNLIMITED)
                return 0;
        r = listen_again(l);
        if (r < 0)
                return r;
        (void)look(l);
        return 0;
}
