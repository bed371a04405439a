/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names are looked for in the state records, then, for containers that are gone, in the names of
 * their archives.
 */

#include "ctl/logs-find.h"

/* How well a record fits: 3 the name, 2 the id, 1 the service, 0 not at all. */
static int fit(const char *name, const PlRotateState *s) {
        char dir[PL_ARCHIVE_NAME_MAX];

        if (pl_streq(name, s->name))
                return 3;
        if (strlen(name) >= 4 && pl_startswith(s->id, name))
                return 2;
        pl_archive_dir_name(name, dir);
        return pl_streq(dir, s->service) ? 1 : 0;
}

static int find_live(PlLogStore *store, const char *name, PlLogsFound *ret) {
        char(*ids)[PL_ID_MAX] = NULL;
        size_t n = 0;
        int best = 0, r;

        r = pl_log_store_states(store, &ids, &n);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                PlRotateState s = { 0 };
                int f;

                if (pl_log_store_load(store, ids[i], &s) < 0)
                        continue;
                f = fit(name, &s);
                if (f > best) {
                        best = f;
                        ret->n = 0;
                        memcpy(ret->id, s.id, PL_ID_MAX);
                        snprintf(ret->driver, sizeof(ret->driver), "%s", s.driver);
                        ret->live = true;
                }
                ret->n += f > 0 && f == best;
                pl_rotate_state_deinit(&s);
        }
        free(ids);
        return r;
}

/* A container that is gone, by what its archives are called; the last one of that name. */
static int find_archived(PlLogStore *store, const char *name, PlLogsFound *ret) {
        PlStoredArchive *a = NULL;
        uint64_t newest = 0;
        size_t n = 0;
        int r;

        r = pl_log_store_list(store, NULL, &a, &n);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                bool match = pl_streq(a[i].name.container, name) ||
                             (strlen(name) >= 4 && strlen(name) <= 64 &&
                              strncmp(a[i].name.id, name, PL_MIN(strlen(name), (size_t)12)) == 0);

                if (match && a[i].name.to_sec >= newest) {
                        newest = a[i].name.to_sec;
                        snprintf(ret->id, sizeof(ret->id), "%s", a[i].name.id);
                        ret->n = 1;
                }
        }
        free(a);
        return r;
}

int pl_ctl_logs_find(PlLogStore *store, const char *name, PlLogsFound *ret) {
        int r = find_live(store, name, ret);

        return r >= 0 && ret->n == 0 ? find_archived(store, name, ret) : r;
}
