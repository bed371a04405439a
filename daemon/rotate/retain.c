/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Retention: the rules are lib/logs/rotate-plan's; here they meet the directory.
 */

#include "rotate/sequence.h"

#include <errno.h>

#include "rotate/point.h"

static char *group_of(const PlStoredArchive *a) {
        char *s;

        return asprintf(&s, "%s/%s", a->service, a->name.container) < 0 ? NULL : s;
}

static int drop_marked(const PlRotateContext *ctx, PlRetainEntry *entries, size_t n) {
        int dropped = 0, r;

        for (size_t i = 0; i < n; i++) {
                if (entries[i].drop == PL_RETAIN_KEEP)
                        continue;
                r = pl_log_store_drop(ctx->store, entries[i].userdata);
                if (r < 0)
                        return r;
                dropped++;
                pl_log_rotate_point(PL_ROTATE_POINT_DROPPING);
        }
        return dropped;
}

int pl_log_retain(const PlRotateContext *ctx, const PlRotateRequest *req, uint64_t free_bytes,
                  PlRotateOutcome *ret) {
        _cleanup_free_ PlStoredArchive *archives = NULL;
        _cleanup_free_ PlRetainEntry *entries = NULL;
        _cleanup_free_ PlRetainRule *rules = NULL;
        size_t n = 0, n_groups = 0;
        int r;

        r = pl_log_store_list(ctx->store, NULL, &archives, &n);
        if (r < 0)
                return r;
        entries = calloc(n ?: 1, sizeof(*entries));
        rules = calloc(n ?: 1, sizeof(*rules));
        if (!entries || !rules)
                return -ENOMEM;
        r = -ENOMEM;
        for (; n_groups < n; n_groups++) {
                PlStoredArchive *a = &archives[n_groups];
                char *group = group_of(a);
                bool ruled;

                if (!group)
                        goto out;
                ruled = req->rules && pl_log_rules_get(req->rules, group, &rules[n_groups]);
                entries[n_groups] = (PlRetainEntry){ .group = group,
                                                     .rule = ruled ? &rules[n_groups] : NULL,
                                                     .gen = a->name.gen,
                                                     .to_sec = a->name.to_sec,
                                                     .bytes = a->bytes,
                                                     .userdata = a };
        }
        ret->archived_total_bytes = pl_retain_plan(entries, n, req->budget_bytes, free_bytes,
                                                   ctx->now_sec, &ret->next_expiry_sec);
        ret->archived_bytes = ret->archived_files = 0;
        for (size_t i = 0; i < n; i++) {
                const PlStoredArchive *a = entries[i].userdata;

                if (entries[i].drop == PL_RETAIN_KEEP && strncmp(a->name.id, req->id, 12) == 0) {
                        ret->archived_bytes += a->bytes;
                        ret->archived_files++;
                }
        }
        r = drop_marked(ctx, entries, n);
        if (r > 0)
                ret->archives_dropped += (unsigned)r;
out:
        for (size_t i = 0; i < n_groups; i++)
                free((char *)entries[i].group);
        return r;
}
