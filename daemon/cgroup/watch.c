/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup watch: from inotify events to what they mean.
 *
 * Two kinds of news with opposite needs. A group that appears must get its limits before the first
 * instruction of its container, so that is reported from inside the event. Files are written in
 * storms by systemd and runc, and by plimsoll itself; those are collected for 100 ms.
 *
 * inotify says nothing of who wrote; the receiver compares values, so our own writes cost one
 * reading and no more. Reading a file is no event.
 *
 * Must not: read or write a value.
 */

#include "cgroup/watch.h"

#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>

#include "base/clock.h"
#include "cgroup/watch-internal.h"

#define DEBOUNCE_USEC (100 * PL_USEC_PER_MSEC)

/* Before anything else that is ready: the container is about to run. */
#define PRIORITY (SD_EVENT_PRIORITY_IMPORTANT - 10)

/* Read at once: a storm of 100 events and more. */
#define BUFFER_BYTES 16384

static uint32_t bit(PlResource r) {
        return UINT32_C(1) << r;
}

/* The resources behind a file of this mount; 0: none of ours. */
static uint32_t resources_of(const PlCgroupMounts *m, PlController first, const char *name) {
        uint32_t mask = 0;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                PlController c = pl_controller_of(r);
                const char *file = pl_resource_info(r)->file[m->hierarchy[c]];

                if (file && m->mount[c] && pl_streq(m->mount[c], m->mount[first]) &&
                    pl_streq(file, name))
                        mask |= bit(r);
        }
        if (pl_streq(name, "cpu.cfs_period_us"))
                mask |= bit(PL_RESOURCE_CPU_QUOTA);
        /* on v1 the swap limit is the difference of two files */
        if (pl_streq(name, "memory.limit_in_bytes"))
                mask |= bit(PL_RESOURCE_MEMORY_SWAP_MAX);
        return mask;
}

static int schedule(PlCgWatch *w) {
        uint64_t due = w->first_pending ? w->first_pending->due_usec : 0;
        int r;

        if (!w->first_pending)
                return sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
        r = sd_event_source_set_time(w->timer, due);
        return r < 0 ? r : sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

static void note_change(PlCgWatch *w, Group *g, uint32_t mask) {
        if (mask == 0)
                return;
        if (g->pending == 0) {
                g->due_usec = pl_clock_loop_usec(w->event, CLOCK_MONOTONIC) + DEBOUNCE_USEC;
                g->next_pending = NULL;
                if (w->last_pending)
                        w->last_pending->next_pending = g;
                else
                        w->first_pending = g;
                w->last_pending = g;
        }
        g->pending |= mask;
        if (w->first_pending == g)
                (void)schedule(w);
}

static void drop_pending(PlCgWatch *w, Group *g) {
        Group *before = NULL;

        if (g->pending == 0)
                return;
        g->pending = 0;
        for (Group *p = w->first_pending; p != g; p = p->next_pending)
                before = p;
        if (before)
                before->next_pending = g->next_pending;
        else
                w->first_pending = g->next_pending;
        if (w->last_pending == g)
                w->last_pending = before;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        PlCgWatch *w = userdata;

        while (w->first_pending && w->first_pending->due_usec <= usec) {
                Group *g = w->first_pending;
                uint32_t mask = g->pending;
                char id[PL_ID_MAX];

                drop_pending(w, g);
                memcpy(id, g->id, sizeof(id)); /* the handler may remove the group */
                w->handlers->changed(w->userdata, id, mask);
        }
        return schedule(w);
}

static int on_scan(sd_event_source *source, void *userdata) {
        pl_cg_watch_scan(userdata);
        return 0;
}

static void on_made(PlCgWatch *w, Node *n, const char *name) {
        char id[PL_ID_MAX];

        pl_cg_watch_made(w, n, name);
        if (n->is_parent && pl_cgroup_id_of_name(name, id))
                w->handlers->appeared(w->userdata, id, n->relative, n->c);
}

static void on_removed(PlCgWatch *w, Node *n, const char *name) {
        char id[PL_ID_MAX];

        pl_cg_watch_removed(w, n, name);
        if (n->is_parent && pl_cgroup_id_of_name(name, id))
                w->handlers->gone(w->userdata, id);
}

static int report_everything(PlCgWatch *w) {
        Group *g;

        PL_MAP_FOREACH(g, w->groups)
        note_change(w, g, (UINT32_C(1) << _PL_RESOURCE_N) - 1);
        return pl_cg_watch_rescan(w);
}

static void on_event(PlCgWatch *w, const struct inotify_event *e) {
        Watch *watch;

        if (e->mask & IN_Q_OVERFLOW) {
                (void)report_everything(w);
                return;
        }
        watch = pl_cg_watch_find(w, e->wd);
        if (!watch)
                return;
        if (e->mask & IN_IGNORED) {
                pl_cg_watch_forget(w, watch);
                return;
        }
        if (e->len == 0)
                return;
        if (!(e->mask & IN_ISDIR)) {
                if (watch->group && e->mask & IN_CLOSE_WRITE)
                        note_change(w, watch->group,
                                    resources_of(w->mounts, watch->group_controller, e->name));
                return;
        }
        if (watch->node && e->mask & IN_CREATE)
                on_made(w, watch->node, e->name);
        else if (watch->node && e->mask & IN_DELETE)
                on_removed(w, watch->node, e->name);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        _Alignas(struct inotify_event) char buf[BUFFER_BYTES];
        PlCgWatch *w = userdata;
        ssize_t n;

        n = read(fd, buf, sizeof(buf)); /* what is left wakes the loop again */
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        for (char *p = buf; p < buf + n;) {
                const struct inotify_event *e = (const struct inotify_event *)p;

                p += sizeof(*e) + e->len;
                on_event(w, e);
        }
        return 0;
}

static int add_sources(PlCgWatch *w) {
        int r;

        r = sd_event_add_io(w->event, &w->io, w->fd, EPOLLIN, on_io, w);
        if (r >= 0)
                r = sd_event_source_set_priority(w->io, PRIORITY);
        if (r >= 0)
                r = sd_event_add_time(w->event, &w->timer, CLOCK_MONOTONIC, 0, PL_USEC_PER_MSEC,
                                      on_timer, w);
        if (r >= 0)
                r = sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(w->event, &w->scan, on_scan, w);
        if (r >= 0)
                r = sd_event_source_set_enabled(w->scan, SD_EVENT_OFF);
        return r;
}

int pl_cg_watch_new(sd_event *event, const PlCgroupMounts *m, const PlCgWatchHandlers *handlers,
                    void *userdata, PlCgWatch **ret) {
        _cleanup_(pl_cg_watch_freep) PlCgWatch *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (w->fd < 0)
                return -errno;
        w->event = sd_event_ref(event);
        w->mounts = m;
        w->handlers = handlers;
        w->userdata = userdata;
        w->groups = pl_map_new();
        if (!w->groups)
                return -ENOMEM;
        r = add_sources(w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

static void close_role(PlCgWatch *w, Group *g, PlController c) {
        Watch *watch = g->watches[c];

        if (!watch)
                return;
        g->watches[c] = NULL;
        watch->group = NULL;
        pl_cg_watch_close(w, watch);
}

static void free_group(PlCgWatch *w, Group *g) {
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++)
                close_role(w, g, c);
        drop_pending(w, g);
        free(g);
}

PlCgWatch *pl_cg_watch_free(PlCgWatch *w) {
        Group *g;

        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->io);
        sd_event_source_disable_unref(w->timer);
        sd_event_source_disable_unref(w->scan);
        if (w->groups) {
                PL_MAP_FOREACH(g, w->groups) {
                        pl_map_remove(w->groups, g->id);
                        free_group(w, g);
                }
                pl_map_free(w->groups);
        }
        pl_cg_watch_free_nodes(w);
        free(w->buckets);
        if (w->fd >= 0)
                (void)close(w->fd);
        sd_event_unref(w->event);
        free(w);
        return NULL;
}

/* "/a/b/" to "a/b". Return: owned by the caller; NULL: out of memory. */
static char *without_slashes(const char *parent) {
        size_t n;

        parent += strspn(parent, "/");
        for (n = strlen(parent); n > 0 && parent[n - 1] == '/';)
                n--;
        return strndup(parent, n);
}

int pl_cg_watch_parent(PlCgWatch *w, const char *parent) {
        _cleanup_free_ char *copy = without_slashes(parent);
        int r;

        if (!copy)
                return -ENOMEM;
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++) {
                if (!pl_cg_watch_is_first(w->mounts, c))
                        continue;
                r = pl_cg_watch_add_parent(w, c, copy);
                if (r < 0)
                        return r;
        }
        return sd_event_source_set_enabled(w->scan, SD_EVENT_ONESHOT);
}

void pl_cg_watch_forget_parent(PlCgWatch *w, const char *parent) {
        _cleanup_free_ char *copy = without_slashes(parent);

        for (PlController c = 0; copy && c < _PL_CONTROLLER_N; c++)
                if (pl_cg_watch_is_first(w->mounts, c))
                        pl_cg_watch_drop_parent(w, c, copy);
}

int pl_cg_watch_discover(PlCgWatch *w) {
        PlController chosen = _PL_CONTROLLER_N;
        int r;

        for (PlController c = 0; c < _PL_CONTROLLER_N; c++)
                if (pl_cg_watch_is_first(w->mounts, c) &&
                    (chosen == _PL_CONTROLLER_N ||
                     pl_streq_null(w->mounts->mount[c], w->mounts->mount[PL_CONTROLLER_MEMORY])))
                        chosen = c;
        if (chosen == _PL_CONTROLLER_N)
                return -ENODEV;
        r = pl_cg_watch_explore(w, chosen);
        return r < 0 ? r : sd_event_source_set_enabled(w->scan, SD_EVENT_ONESHOT);
}

static int get_group(PlCgWatch *w, const char *id, Group **ret) {
        Group *g = pl_map_get(w->groups, id);
        int r;

        if (!g) {
                g = calloc(1, sizeof(*g));
                if (!g)
                        return -ENOMEM;
                (void)snprintf(g->id, sizeof(g->id), "%s", id);
                r = pl_map_put(w->groups, g->id, g);
                if (r < 0) {
                        free(g);
                        return r;
                }
        }
        *ret = g;
        return 0;
}

static int add_one(PlCgWatch *w, Group *group, PlController c, int dir_fd) {
        char path[64];
        Watch *watch;
        int r;

        /* by descriptor: this very directory, not one that has its name by now */
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
        r = pl_cg_watch_open(w, path, IN_CLOSE_WRITE, &watch);
        if (r < 0)
                return r;
        if (group->watches[c] == watch)
                return 0;
        close_role(w, group, c);
        group->watches[c] = watch;
        watch->group = group;
        watch->group_controller = c;
        return 0;
}

int pl_cg_watch_add(PlCgWatch *w, const char *id, const PlCgroup *g) {
        Group *group;
        int r;

        r = get_group(w, id, &group);
        for (PlController c = 0; r == 0 && c < _PL_CONTROLLER_N; c++) {
                int fd = -EBADF;

                if (!pl_cg_watch_is_first(w->mounts, c))
                        continue;
                /* any controller of this mount has the directory */
                for (PlController d = c; d < _PL_CONTROLLER_N && fd < 0; d++)
                        if (w->mounts->mount[d] && g->dir_fd[d] >= 0 &&
                            pl_streq(w->mounts->mount[d], w->mounts->mount[c]))
                                fd = g->dir_fd[d];
                if (fd >= 0)
                        r = add_one(w, group, c, fd);
        }
        return r;
}

void pl_cg_watch_remove(PlCgWatch *w, const char *id) {
        Group *g = pl_map_remove(w->groups, id);

        if (g)
                free_group(w, g);
}

size_t pl_cg_watch_count(const PlCgWatch *w) {
        return w->n_watches;
}
