/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup watch: inotify watches by their descriptor, a hash table of chains. Descriptors only grow,
 * so their low bits spread evenly.
 */

#include "cgroup/watch-internal.h"

#include <errno.h>
#include <sys/inotify.h>

static Watch **bucket_of(const PlCgWatch *w, int wd) {
        return &w->buckets[(size_t)wd & (w->n_buckets - 1)];
}

Watch *pl_cg_watch_find(const PlCgWatch *w, int wd) {
        if (w->n_buckets == 0)
                return NULL;
        for (Watch *p = *bucket_of(w, wd); p; p = p->next)
                if (p->wd == wd)
                        return p;
        return NULL;
}

static int grow(PlCgWatch *w) {
        size_t old_n = w->n_buckets;
        Watch **old = w->buckets, **buckets;

        if (w->n_watches < old_n)
                return 0;
        buckets = calloc(PL_MAX(2 * old_n, (size_t)64), sizeof(*buckets));
        if (!buckets)
                return -ENOMEM;
        w->buckets = buckets;
        w->n_buckets = PL_MAX(2 * old_n, (size_t)64);
        for (size_t i = 0; i < old_n; i++)
                for (Watch *p = old[i], *next; p; p = next) {
                        Watch **bucket = bucket_of(w, p->wd);

                        next = p->next;
                        p->next = *bucket;
                        *bucket = p;
                }
        free(old);
        return 0;
}

int pl_cg_watch_open(PlCgWatch *w, const char *path, uint32_t mask, Watch **ret) {
        Watch *watch, **bucket;
        int wd, r;

        r = grow(w);
        if (r < 0)
                return r;
        wd = inotify_add_watch(w->fd, path, mask | IN_ONLYDIR | IN_MASK_ADD);
        if (wd < 0)
                return -errno;
        watch = pl_cg_watch_find(w, wd);
        if (!watch) {
                watch = calloc(1, sizeof(*watch));
                if (!watch) {
                        (void)inotify_rm_watch(w->fd, wd);
                        return -ENOMEM;
                }
                watch->wd = wd;
                bucket = bucket_of(w, wd);
                watch->next = *bucket;
                *bucket = watch;
                w->n_watches++;
        }
        *ret = watch;
        return 0;
}

static void drop(PlCgWatch *w, Watch *watch) {
        Watch **p = bucket_of(w, watch->wd);

        while (*p != watch)
                p = &(*p)->next;
        *p = watch->next;
        w->n_watches--;
        free(watch);
}

void pl_cg_watch_close(PlCgWatch *w, Watch *watch) {
        if (watch->node || watch->group)
                return;
        (void)inotify_rm_watch(w->fd, watch->wd);
        drop(w, watch);
}

void pl_cg_watch_forget(PlCgWatch *w, Watch *watch) {
        if (watch->node)
                watch->node->watch = NULL;
        if (watch->group)
                watch->group->watches[watch->group_controller] = NULL;
        drop(w, watch);
}
