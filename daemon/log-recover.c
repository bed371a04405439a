/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Recovery: what a crash left, finished or forgotten; and the second half of a rotation (steps 5
 * to 7), which is the same whether it runs for the first time or again.
 */

#include "log-rotate-internal.h"

#include <errno.h>

#include "log-point.h"

int pl_rotate_fail(PlRotateJob *j, const char *step, int error) {
        j->out->step = step;
        return error;
}

int pl_rotate_set_string(char **s, const char *value) {
        char *copy;

        if (*s && pl_streq(*s, value ?: ""))
                return 0;
        copy = strdup(value ?: "");
        if (!copy)
                return -ENOMEM;
        free(*s);
        *s = copy;
        return 1;
}

int pl_rotate_name(PlRotateJob *j) {
        const PlRotateRequest *q = j->req;
        struct {
                char **to;
                const char *from;
        } fields[] = {
                { &j->state.name, q->name },
                { &j->state.service, q->service },
                { &j->state.path, q->path },
                { &j->state.driver, q->driver },
        };
        int changed = 0;

        memcpy(j->state.id, q->id, PL_ID_MAX);
        for (size_t i = 0; i < PL_ARRAY_SIZE(fields); i++) {
                int r = pl_rotate_set_string(fields[i].to, fields[i].from);

                if (r < 0)
                        return r;
                changed |= r;
        }
        return changed;
}

/* Without a record, the archives that are there tell the last generation. */
static int new_state(PlRotateJob *j) {
        PlStoredArchive *archives;
        size_t n;
        int r;

        r = pl_log_store_list(j->ctx->store, j->req->id, &archives, &n);
        if (r < 0)
                return r;
        j->state = (PlRotateState){ .gen = n > 0 ? archives[n - 1].name.gen : 0 };
        free(archives);
        return pl_rotate_name(j);
}

int pl_rotate_load(PlRotateJob *j) {
        int r;

        r = pl_log_store_load(j->ctx->store, j->req->id, &j->state);
        if (r == -ENOENT || r == -EBADMSG)
                r = new_state(j);
        return r < 0 ? pl_rotate_fail(j, "reading its state", r) : r;
}

int pl_rotate_save(PlRotateJob *j) {
        int r = pl_log_store_save(j->ctx->store, &j->state);

        return r < 0 ? pl_rotate_fail(j, "saving its state", r) : 0;
}

int pl_rotate_sync(PlRotateJob *j) {
        return fsync(j->log.fd) < 0 ? pl_rotate_fail(j, "syncing the log", -errno) : 0;
}

/* Forget offsets, then find out from our own markers in the file how much of it is archived. */
static int reset(PlRotateJob *j, uint64_t dev, uint64_t ino, uint64_t size) {
        /* an intent's place may have moved: adoption takes holes out of a file */
        bool relearn = j->state.phase == PL_ROTATE_INTENT ||
                       (j->state.ino == 0 && j->state.gen > 0);
        uint64_t head, mark, gen;
        int r;

        r = pl_log_file_find_head(j->log.fd, 0, size, &head, &mark, &gen);
        if (r < 0)
                return pl_rotate_fail(j, "looking for the start of the log", r);
        pl_rotate_reset(&j->state, dev, ino);
        if (gen > 0) {
                j->state.head = head;
                j->state.mark = mark;
                j->state.gen = PL_MAX(j->state.gen, gen);
        }
        r = pl_rotate_name(j);
        if (r >= 0 && relearn) {
                j->state.head = head;
                j->state.mark = mark;
                r = pl_rotate_relearn(j, size, gen);
                if (r == 0 && gen == 0)
                        j->state.head = j->state.mark = 0;
        }
        if (r < 0)
                return r;
        j->out->recovered |= j->state.phase == PL_ROTATE_INTENT;
        return pl_rotate_save(j);
}

int pl_rotate_guard(PlRotateJob *j) {
        unsigned major;
        int r;

        if (j->state.method != PL_LOG_METHOD_COLLAPSE)
                return 0;
        if (j->facts.running) {
                major = j->ctx->engine_major ? atomic_load(j->ctx->engine_major)
                                             : j->facts.engine_major;
                return major == j->facts.engine_major ? 0 : -EAGAIN;
        }
        if (j->log.leased)
                return 0;
        r = pl_log_file_lease(&j->log);
        if (r == 0 || j->facts.engine_major < PL_ROTATE_COLLAPSE_ENGINES_BELOW)
                return 0;
        j->facts.running = true; /* somebody has it open: as good as a writer */
        j->choice = pl_rotate_choose(&j->facts);
        return -EAGAIN;
}

int pl_rotate_free_head(PlRotateJob *j) {
        PlRotateState *s = &j->state;
        bool collapse = s->method == PL_LOG_METHOD_COLLAPSE;
        uint64_t align = collapse ? j->probe.collapse_align_bytes : j->probe.align_bytes;
        int r;

        r = pl_log_file_mark(j->log.fd, s->a, s->k, s->gen + 1);
        if (r < 0)
                return pl_rotate_fail(j, "marking the log", r);
        pl_log_rotate_point(PL_ROTATE_POINT_MARKED);
        r = pl_rotate_sync(j);
        if (r < 0)
                return r;
        pl_log_rotate_point(PL_ROTATE_POINT_FREE);
        r = pl_log_file_free(&j->log, s->method, collapse ? 0 : pl_rotate_free_from(s, align), s->a,
                             align);
        if (r < 0)
                return pl_rotate_fail(j, "freeing the head of the log", r);
        pl_log_rotate_point(PL_ROTATE_POINT_FREED);
        r = pl_rotate_sync(j);
        if (r < 0)
                return r;
        pl_rotate_advance(s);
        r = pl_rotate_save(j);
        pl_log_rotate_point(PL_ROTATE_POINT_CLEAN);
        return r;
}

int pl_rotate_publish(PlRotateJob *j) {
        int r;

        if (pl_streq(j->state.archive, PL_LOG_NO_ARCHIVE))
                return 0;
        r = pl_log_store_publish(j->ctx->store, j->state.id, j->state.archive);
        /* somebody deleted it: nothing that could be brought back */
        return r < 0 && r != -ENOENT ? pl_rotate_fail(j, "naming the archive", r) : 0;
}

/*
 * An intent whose method is not right any more is finished with one that is. A hole is made for
 * none but a policy that says so now, whoever began it: the archive has its name and must count, so
 * what it holds is overwritten in the log, where nothing else is allowed.
 */
static int redo(PlRotateJob *j) {
        PlRotateState *s = &j->state;
        PlRotateFacts f = j->facts;

        for (int tries = 0; tries < 2; tries++) {
                f.running = j->facts.running;
                f.wanted = PL_LOG_METHOD_AUTO; /* the policy may have changed; a half done one has
                                                  not */
                j->choice = pl_rotate_choose(&f);
                if (j->choice.why == PL_ROTATE_WHY_SPARED &&
                    j->facts.wanted == PL_LOG_METHOD_PUNCH) {
                        f.wanted = PL_LOG_METHOD_PUNCH;
                        j->choice = pl_rotate_choose(&f);
                }
                if (j->choice.why == PL_ROTATE_WHY_SPARED) {
                        s->method = PL_LOG_METHOD_OFF;
                        return pl_rotate_free_head(j);
                }
                if (j->choice.method == PL_LOG_METHOD_OFF)
                        return pl_rotate_fail(j, "finishing an interrupted rotation", -EOPNOTSUPP);
                if (s->method == PL_LOG_METHOD_COLLAPSE && j->choice.method != s->method) {
                        int r;

                        s->method = j->choice.method;
                        s->a &= ~(j->choice.align_bytes - 1);
                        r = pl_rotate_save(j);
                        if (r < 0)
                                return r;
                }
                if (pl_rotate_guard(j) >= 0)
                        return pl_rotate_free_head(j);
        }
        return pl_rotate_fail(j, "finishing an interrupted rotation", -EAGAIN);
}

int pl_rotate_run_recovery(PlRotateJob *j) {
        PlRotateState *s = &j->state;
        PlRotateSeen seen = { 0 };
        int r = pl_log_file_see(j->log.fd, s, &seen);

        if (r < 0)
                return pl_rotate_fail(j, "reading the log", r);
        if (s->phase == PL_ROTATE_INTENT) {
                j->out->recovered = true;
                r = pl_rotate_publish(j);
        } else
                r = pl_log_store_abandon(j->ctx->store, s->service, s->id);
        if (r < 0)
                return r;
        switch (pl_rotate_recover(s, &seen)) {
        case PL_ROTATE_RESET:
                r = reset(j, seen.dev, seen.ino, seen.size);
                return r >= 0 && s->phase == PL_ROTATE_INTENT ? redo(j) : r;
        case PL_ROTATE_FINISH:
                r = pl_rotate_sync(j);
                if (r < 0)
                        return r;
                pl_rotate_advance(s);
                return pl_rotate_save(j);
        case PL_ROTATE_REDO:
                return redo(j);
        case PL_ROTATE_GO_ON:
                break;
        }
        r = pl_rotate_name(j);
        return r > 0 ? pl_rotate_save(j) : r;
}

int pl_rotate_settle(PlRotateJob *j) {
        int r;

        if (j->state.phase != PL_ROTATE_INTENT)
                return 0;
        r = pl_rotate_publish(j);
        if (r < 0)
                return r;
        pl_rotate_reset(&j->state, 0, 0);
        return pl_rotate_save(j);
}
