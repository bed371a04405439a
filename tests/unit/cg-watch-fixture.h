/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A watcher, what it has reported, and plain directories for it to watch, which inotify treats like
 * cgroups.
 */

#include <dirent.h>

#include "cg-host.h"

#include "cgroup/watch.h"
#include "tmp.h"

#define BIT(r) (UINT32_C(1) << PL_RESOURCE_##r)
#define OTHER  "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"

typedef struct Heard {
        char appeared[64][PL_ID_MAX];
        PlController controllers[64];
        char parents[64][64];
        bool made[64];
        size_t n_appeared, n_changed, n_gone;
        uint32_t changed;
        uint64_t changed_usec;
        PlCgWatch *remove_from; /* remove the group from inside the callback */
} Heard;

static Heard heard;
static sd_event *event;
static PlCgWatch *watch;

static inline uint64_t now_usec(void) {
        struct timespec t;

        ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &t), 0);
        return (uint64_t)t.tv_sec * PL_USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

static inline void on_appeared(void *userdata, const char *id, const char *parent, PlController c,
                               bool made) {
        Heard *h = userdata;

        if (h->n_appeared == PL_ARRAY_SIZE(h->appeared))
                return;
        (void)snprintf(h->appeared[h->n_appeared], PL_ID_MAX, "%s", id);
        (void)snprintf(h->parents[h->n_appeared], 64, "%s", parent);
        h->made[h->n_appeared] = made;
        h->controllers[h->n_appeared++] = c;
}

static inline void on_changed(void *userdata, const char *id, uint32_t mask) {
        Heard *h = userdata;

        ck_assert_str_eq(id, CG_HOST_ID);
        h->n_changed++;
        h->changed |= mask;
        h->changed_usec = now_usec();
        if (h->remove_from)
                pl_cg_watch_remove(h->remove_from, id);
}

static inline void on_gone(void *userdata, const char *id) {
        Heard *h = userdata;

        h->n_gone++;
        if (h->remove_from)
                pl_cg_watch_remove(h->remove_from, id);
}

static const PlCgWatchHandlers handlers = { on_appeared, on_changed, on_gone };

/* Runs the loop until nothing has happened in it for so long: a slow machine may take its time. */
static inline void run(uint64_t usec) {
        int r;

        while ((r = sd_event_run(event, usec)) > 0)
                ;
        ck_assert_int_eq(r, 0);
}

/* As the kernel counts them: proc_pid_fdinfo(5). */
static inline unsigned count_watches(void) {
        DIR *d = opendir("/proc/self/fdinfo");
        struct dirent *e;
        unsigned n = 0;

        ck_assert_ptr_nonnull(d);
        while ((e = readdir(d))) {
                char path[512], line[512];
                FILE *f;

                (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", e->d_name);
                f = e->d_name[0] == '.' ? NULL : fopen(path, "re");
                while (f && fgets(line, sizeof(line), f))
                        n += pl_startswith(line, "inotify wd:");
                if (f)
                        (void)fclose(f);
        }
        (void)closedir(d);
        return n;
}

static inline void start(const PlCgroupMounts *m) {
        heard = (Heard){};
        ck_assert_int_ge(sd_event_new(&event), 0);
        ck_assert_int_eq(pl_cg_watch_new(event, m, &handlers, &heard, &watch), 0);
}

static inline void stop(void) {
        watch = pl_cg_watch_free(watch);
        event = sd_event_unref(event);
}

/* Plain directories in the place of a hierarchy. */
static PlCgroupMounts plain;

static inline void setup_plain(void) {
        tmp_make("/tmp");
        plain = (PlCgroupMounts){ .mount[PL_CONTROLLER_MEMORY] = tmp,
                                  .mount[PL_CONTROLLER_PIDS] = tmp,
                                  .hierarchy[PL_CONTROLLER_MEMORY] = PL_HIERARCHY_V2,
                                  .hierarchy[PL_CONTROLLER_PIDS] = PL_HIERARCHY_V2 };
        start(&plain);
}

static inline void teardown_plain(void) {
        stop();
        tmp_remove();
}

static inline void dir_make(const char *relative) {
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/%s", tmp, relative);
        ck_assert_msg(mkdir(path, 0755) == 0, "%s", path);
}

static inline void dir_remove(const char *relative) {
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/%s", tmp, relative);
        ck_assert_msg(rmdir(path) == 0, "%s", path);
}
