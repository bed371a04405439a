/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The slices of the world in memory, and who else is below them. See owners-world.h.
 */

#include "lib/limits/unit-properties.h"
#include "owners-world.h"

/* The names of the slices in w.parent. */
static inline const char *slice_name(int i) {
        static const char *const nested[] = { "dock.slice", "dock-a.slice" };

        if (!w.systemd || !w.has_siblings)
                return NULL;
        return pl_streq(w.parent, "system.slice") ? (i == 0 ? w.parent : NULL) : nested[i];
}

static inline void slice_set(SliceUnit *s, int i, uint64_t n, bool runtime) {
        s->is[i] = n;
        if (runtime) {
                s->has_runtime[i] = true;
                s->runtime[i] = n;
        } else {
                s->has_lasting[i] = true;
                s->lasting[i] = n;
        }
}

static inline void slice_reload(SliceUnit *s) {
        for (int i = 0; i < 2; i++)
                s->is[i] = s->has_lasting[i]   ? s->lasting[i]
                           : s->has_runtime[i] ? s->runtime[i]
                                               : 0;
}

static inline void slice_reboot(SliceUnit *s) {
        memset(s->has_runtime, 0, sizeof(s->has_runtime));
        slice_reload(s);
}

/* Who is in this group, by its number. */
static int enter_group(int group) {
        for (int i = 0; w.has_siblings && i < SIBLINGS; i++)
                if (w.siblings[i].group == group)
                        return enter_box(w.siblings[i].id);
        return 0;
}

/* "/world/dock.slice/dock-a.slice/memory.low" Return: the number of the slice, or -1. */
static int slice_of_path(const char *path, const char **ret_file) {
        const char *slash = strrchr(path, '/'), *name;

        if (!w.has_siblings || !pl_startswith(path, "/world/"))
                return -1;
        for (int i = 0; i < SLICES; i++) {
                name = slice_name(i);
                if (name && (size_t)(slash - path) > strlen(name) &&
                    strncmp(slash - strlen(name), name, strlen(name)) == 0 &&
                    slash[-(ssize_t)strlen(name) - 1] == '/') {
                        *ret_file = slash + 1;
                        return i;
                }
        }
        return -1;
}

static uint64_t slice_number(const SliceUnit *s, const char *file) {
        return s->is[pl_streq(file, "memory.low")];
}

static const char *name_of(const char *id) {
        static const char *const names[SIBLINGS] = { "side0", "side1" };

        for (int i = 0; w.has_siblings && i < SIBLINGS; i++)
                if (pl_streq(w.changed_places == i + 1 ? w.box.id : w.siblings[i].id, id))
                        return names[i];
        return "web";
}

static void (*listen_slice)(int slice, int which, uint64_t n);

static bool slice_properties(const char *unit, const PlUnitProperties *p) {
        for (int k = 0; k < SLICES; k++) {
                if (!pl_streq_null(slice_name(k), unit))
                        continue;
                for (size_t i = 0; i < p->n; i++) {
                        int which = pl_streq(p->items[i].name, "MemoryLow");

                        slice_set(&w.slices[k], which, page_down(p->items[i].number), true);
                        listen_slice(k, which, w.slices[k].is[which]);
                }
                return true;
        }
        return false;
}
