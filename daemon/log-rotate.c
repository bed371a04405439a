/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Each function below is one step of the sequence in the header; none of them decides anything
 * that lib/pl-rotate-plan could.
 */

#include "log-rotate.h"

#include <errno.h>
#include <fcntl.h>

#include "log-point.h"
#include "log-probe.h"
#include "log-rotate-internal.h"

#define ROTATIONS_MAX 1024 /* in one job, on a full disk, where each archives what fits */

__attribute__((weak)) void pl_log_rotate_point(PlRotatePoint p) {
        (void)p;
}

void pl_rotate_request_deinit(PlRotateRequest *r) {
        free(r->name);
        free(r->path);
        free(r->driver);
        free(r->service);
        *r = (PlRotateRequest){ 0 };
}

/* Step 2. */
static int pick(PlRotateJob *j, uint64_t limit) {
        PlRotateState *s = &j->state;
        uint64_t k, a;
        int r;

        if (limit <= s->head)
                return -ENODATA;
        r = pl_log_file_cut(j->log.fd, s->head, limit, &k);
        if (r >= 0)
                r = pl_rotate_place(s, j->choice.method, k, j->choice.align_bytes, &a);
        if (r < 0)
                return r == -ENODATA ? r : pl_rotate_fail(j, "looking for a line end", r);
        s->k = k;
        s->a = a;
        s->method = j->choice.method;
        return 0;
}

static int name_archive(PlRotateJob *j, const PlArchiveResult *a) {
        PlArchiveName n = { .gen = j->state.gen + 1, .from_sec = a->min_sec, .to_sec = a->max_sec };
        char file[PL_ARCHIVE_NAME_MAX], *archive;
        int r;

        if (a->max_sec == 0) /* no record had a time */
                n.from_sec = n.to_sec = j->ctx->now_sec;
        snprintf(n.container, sizeof(n.container), "%s", j->req->name);
        memcpy(n.id, j->req->id, 12);
        r = pl_archive_name_format(&n, file);
        if (r < 0)
                return r;
        if (asprintf(&archive, "%s/%s", j->req->service, file) < 0)
                return -ENOMEM;
        free(j->state.archive);
        j->state.archive = archive;
        return 0;
}

/* What did not fit is left in the log: the cut moves back to what the archive holds. */
static int cut_to(PlRotateJob *j, uint64_t raw_bytes) {
        j->state.k = j->state.head + raw_bytes;
        return pl_rotate_place(&j->state, j->state.method, j->state.k, j->choice.align_bytes,
                               &j->state.a);
}

/* No room for even one frame. Return: 0 try again; 1 go on without an archive; -ENOSPC. */
static int make_room(PlRotateJob *j) {
        PlRotateOutcome *o = j->out;
        int r;

        r = pl_log_retain(j->ctx, j->req, MIB(16), o);
        if (r < 0)
                return pl_rotate_fail(j, "dropping old archives", r);
        if (pl_rotate_full(0, (size_t)r, j->req->on_full) == PL_ROTATE_FULL_MAKE_ROOM)
                return 0;
        return pl_rotate_full(0, 0, j->req->on_full) == PL_ROTATE_FULL_DROP
                               ? 1
                               : pl_rotate_fail(j, "writing the archive", -ENOSPC);
}

/* Step 3. Return: 0; 1 there is no archive, and need not be one; -ENODATA too little; -errno. */
static int archive(PlRotateJob *j, PlArchiveResult *ret) {
        PlLogStore *store = j->ctx->store;
        const char *service = j->req->service;
        int r;

        for (;;) {
                _cleanup_close_ int fd = pl_log_store_begin(store, service, j->req->id);

                pl_log_rotate_point(PL_ROTATE_POINT_BEGIN);
                r = fd < 0 ? fd
                           : pl_archive_write(j->ctx->archiver, j->log.fd, j->state.head,
                                              j->state.k, fd, j->ctx->stop, ret);
                if ((r == -ENOSPC || r == -EDQUOT) && fd >= 0 && ret->raw_bytes > 0) {
                        j->out->full = true;
                        r = cut_to(j, ret->raw_bytes);
                }
                if (r >= 0) {
                        pl_log_rotate_point(PL_ROTATE_POINT_ARCHIVED);
                        r = pl_log_store_sync(store, service, fd);
                        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
                }
                if (r >= 0)
                        return 0;
                (void)pl_log_store_abandon(store, service, j->req->id);
                if (r != -ENOSPC && r != -EDQUOT)
                        return r == -ENODATA ? r : pl_rotate_fail(j, "writing the archive", r);
                j->out->full = true;
                r = make_room(j);
                if (r != 0)
                        return r;
        }
}

static void count(PlRotateJob *j, const PlArchiveResult *a, bool archived) {
        PlRotateOutcome *o = j->out;

        o->rotations++;
        if (archived) {
                o->lines += a->lines;
                o->raw_bytes += a->raw_bytes;
                o->packed_bytes += a->packed_bytes;
        } else
                o->dropped_bytes += j->state.k - j->state.head;
}

/* Step 4 and on. The method may change once more, when a stopped container turns out not to be. */
static int commit(PlRotateJob *j, const PlArchiveResult *a, bool archived) {
        PlRotateState *s = &j->state;
        int r;

        if (archived)
                r = name_archive(j, a);
        else
                r = pl_rotate_set_string(&s->archive, PL_LOG_NO_ARCHIVE);
        if (r < 0)
                return pl_rotate_fail(j, "naming the archive", r);
        /* what is dirty is written now, while nothing waits for it */
        if (fdatasync(j->log.fd) < 0)
                return pl_rotate_fail(j, "syncing the log", -errno);
        if (pl_rotate_guard(j) < 0) {
                if (j->choice.method == PL_LOG_METHOD_OFF || j->choice.method == s->method)
                        return -EAGAIN;
                s->method = j->choice.method;
                r = pl_rotate_place(s, s->method, s->k, j->choice.align_bytes, &s->a);
                if (r < 0)
                        return -EAGAIN;
        }
        s->print = pl_log_file_print(j->log.fd, s);
        s->phase = PL_ROTATE_INTENT;
        pl_log_rotate_point(PL_ROTATE_POINT_SYNCED);
        r = pl_rotate_save(j);
        if (r < 0) {
                s->phase = PL_ROTATE_CLEAN;
                return r;
        }
        pl_log_rotate_point(PL_ROTATE_POINT_COMMITTED);
        r = pl_rotate_publish(j);
        if (r < 0)
                return r;
        pl_log_rotate_point(PL_ROTATE_POINT_PUBLISHED);
        count(j, a, archived);
        return pl_rotate_free_head(j);
}

/* Return: 1 rotated; 0 nothing to do; -errno. */
static int rotate_once(PlRotateJob *j) {
        PlArchiveResult a = { 0 };
        struct stat st;
        uint64_t size, live;
        int r;

        if (fstat(j->log.fd, &st) < 0)
                return pl_rotate_fail(j, "reading the log", -errno);
        size = (uint64_t)st.st_size;
        live = size > j->state.head ? size - j->state.head : 0;
        if (live < j->req->max_size_bytes && !(j->req->force && j->out->rotations == 0))
                return 0;
        r = pick(j, size - pl_rotate_keep(live, j->req->max_size_bytes));
        if (r < 0)
                return r == -ENODATA ? 0 : r;
        r = archive(j, &a);
        if (r < 0)
                return r == -ENODATA ? 0 : r;
        r = commit(j, &a, r == 0);
        pl_log_file_unlease(&j->log);
        if (r < 0 && j->state.phase == PL_ROTATE_CLEAN)
                (void)pl_log_store_abandon(j->ctx->store, j->req->service, j->req->id);
        return r < 0 ? r : 1;
}

/*
 * A stopped container's log whose head is only filler or a hole is made short: nothing is archived,
 * so nothing can be lost; a crash in between is found by the marker that is then at offset 0.
 */
static int trim(PlRotateJob *j) {
        PlRotateState *s = &j->state;
        uint64_t align = j->probe.collapse_align_bytes, cut = align ? s->mark & ~(align - 1) : 0;
        int r;

        if (j->facts.running || j->choice.method != PL_LOG_METHOD_COLLAPSE || cut == 0)
                return 0;
        s->method = PL_LOG_METHOD_COLLAPSE;
        if (pl_rotate_guard(j) < 0) {
                j->out->later = true;
                return 0;
        }
        r = pl_log_file_free(&j->log, PL_LOG_METHOD_COLLAPSE, 0, cut, align);
        if (r < 0)
                return pl_rotate_fail(j, "freeing the head of the log", r);
        r = pl_rotate_sync(j);
        pl_log_file_unlease(&j->log);
        if (r < 0)
                return r;
        s->mark -= cut;
        s->head -= cut;
        return pl_rotate_save(j);
}

/*
 * Has somebody a stopped container's log open, and is there no other way than to make it short?
 * Then nothing is archived in vain: it is tried again later. The lease is given back at once,
 * because a container that starts would wait for it.
 */
static bool is_held(PlRotateJob *j) {
        PlRotateFacts f = j->facts;
        int r;

        if (f.running || j->choice.method != PL_LOG_METHOD_COLLAPSE ||
            f.engine_major < PL_ROTATE_COLLAPSE_ENGINES_BELOW)
                return false;
        f.running = true;
        if (pl_rotate_choose(&f).method != PL_LOG_METHOD_OFF)
                return false;
        r = pl_log_file_lease(&j->log);
        pl_log_file_unlease(&j->log);
        return r < 0;
}

/* Where a log is left alone for the sake of `docker logs`: is it too late for that? A marker
 * without a hole before it hides nothing. */
static bool has_hole(const PlRotateJob *j) {
        off_t hole = j->state.mark > 0 ? lseek(j->log.fd, 0, SEEK_HOLE) : -1;

        return hole >= 0 && (uint64_t)hole < j->state.mark;
}

static int work(PlRotateJob *j) {
        int r;

        r = pl_log_probe(j->log.dir_fd, &j->probe);
        if (r == -ENOSPC || r == -EDQUOT)
                j->out->full = true;
        if (r < 0)
                return pl_rotate_fail(j, "probing the file system", r);
        j->facts.probe = &j->probe;
        r = pl_rotate_run_recovery(j);
        if (r < 0)
                return r;
        j->choice = pl_rotate_choose(&j->facts);
        if (j->choice.why == PL_ROTATE_WHY_SPARED && has_hole(j))
                j->choice.why = PL_ROTATE_WHY_HOLED;
        if (j->choice.method == PL_LOG_METHOD_OFF)
                return 0;
        if (is_held(j)) {
                j->choice.method = PL_LOG_METHOD_OFF; /* nothing is done now, nor said to be */
                j->out->later = true;
                return 0;
        }
        r = trim(j);
        for (int i = 0; r >= 0 && i < ROTATIONS_MAX; i++) {
                j->choice = pl_rotate_choose(&j->facts);
                if (j->choice.method == PL_LOG_METHOD_OFF)
                        break; /* somebody has opened it meanwhile */
                r = rotate_once(j);
                /* whoever writes faster than we archive gets job after job: between them old
                 * archives go, and it is told how it is going */
                if (r <= 0 || !j->out->full)
                        break;
        }
        return r < 0 ? r : 0;
}

static void finish(PlRotateJob *j) {
        PlRotateOutcome *o = j->out;
        struct stat st;

        o->method = j->choice.method;
        o->why = j->choice.why;
        if (j->log.fd >= 0 && fstat(j->log.fd, &st) == 0) {
                o->ino = st.st_ino;
                o->size_bytes = (uint64_t)st.st_size;
                o->head_bytes = j->state.head;
        }
        pl_log_file_close(&j->log);
        pl_rotate_state_deinit(&j->state);
}

/* LogMethod=off came in the middle of a rotation: what was begun is finished. */
static bool may_finish(const PlRotateJob *j) {
        return j->state.phase == PL_ROTATE_INTENT && j->facts.engine_major > 0;
}

int pl_log_rotate(const PlRotateContext *ctx, const PlRotateRequest *req, PlRotateOutcome *ret) {
        PlRotateJob j = { .ctx = ctx, .req = req, .out = ret, .log = PL_LOG_FILE_INIT };
        int r, retained;
        bool fresh;

        *ret = (PlRotateOutcome){ .next_expiry_sec = PL_TIME_INFINITY };
        j.facts = req->facts;
        j.facts.driver = req->driver;
        j.facts.probe = NULL;
        j.choice = pl_rotate_choose(&j.facts);
        r = pl_rotate_load(&j);
        fresh = r > 0;
        if (r >= 0 && (j.choice.why == PL_ROTATE_WHY_NOT_PROBED ||
                       (j.choice.why == PL_ROTATE_WHY_OFF && may_finish(&j)))) {
                r = pl_log_file_open(req->path, req->id, true, &j.log);
                r = r < 0 ? pl_rotate_fail(&j, "opening the log", r) : work(&j);
        } else if (r >= 0 && j.choice.why != PL_ROTATE_WHY_ENGINE_UNKNOWN) {
                r = pl_rotate_settle(&j);
                if (r >= 0)
                        r = pl_rotate_name(&j);
                if (r > 0 || (r == 0 && fresh)) /* readers find a log by its record */
                        r = pl_rotate_save(&j);
        }
        finish(&j);
        retained = pl_log_retain(ctx, req, 0, ret);
        if (r >= 0 && retained < 0) {
                ret->step = "dropping old archives";
                r = retained;
        }
        ret->error = r < 0 ? r : 0;
        return ret->error;
}
