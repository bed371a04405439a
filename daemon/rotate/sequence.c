/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rotation sequence: each function below is one step of what the header lists, or of finishing
 * what a crash left. None of them decides anything that lib/logs/rotate-plan could.
 */

#include "rotate/sequence.h"

#include <errno.h>
#include <fcntl.h>

#include "rotate/file.h"
#include "rotate/methods.h"
#include "rotate/point.h"
#include "rotate/segment.h"

#define COMPARE_BYTES KIB(64)
#define ROTATIONS_MAX 1024 /* in one job, on a full disk, where each archives what fits */

typedef struct Job {
        const PlRotateContext *ctx;
        const PlRotateRequest *req;
        PlRotateOutcome *out;
        const atomic_bool *stop;
        PlLogFile log;
        PlRotateState state;
        PlRotateProbe probe;
        PlRotateFacts facts;
        PlRotateChoice choice;
} Job;

/* --- the state record --- */

/* Notes what failed, for people. Return: error. */
static int fail(Job *j, const char *step, int error) {
        j->out->step = step;
        return error;
}

/* Return: 1 changed; 0 it was so already; -ENOMEM. */
static int set_string(char **s, const char *value) {
        char *copy;

        if (*s == value)
                return 0;
        if (*s && pl_streq(*s, value ?: ""))
                return 0;
        copy = strdup(value ?: "");
        if (!copy)
                return -ENOMEM;
        free(*s);
        *s = copy;
        return 1;
}

/* Name, service and path follow the engine and the policy; only while no archive is under way.
 * Return: 1 when something changed; 0; -ENOMEM. */
static int take_name(Job *j) {
        const PlRotateRequest *q = j->req;
        struct {
                char **to;
                const char *from;
        } fields[] = {
                { &j->state.name, q->name },
                { &j->state.service, q->service },
                { &j->state.path, q->path },
                { &j->state.driver, q->driver },
                { &j->state.origin, q->origin ?: j->state.origin },
                { &j->state.title, q->title ?: j->state.title },
        };
        int changed = 0;

        memcpy(j->state.id, q->id, PL_ID_MAX);
        for (size_t i = 0; i < PL_ARRAY_SIZE(fields); i++) {
                int r = set_string(fields[i].to, fields[i].from);

                if (r < 0)
                        return r;
                changed |= r;
        }
        return changed;
}

/* Without a record, the archives that are there tell the last generation. */
static int new_state(Job *j) {
        PlStoredArchive *archives;
        size_t n;
        int r;

        r = pl_log_store_list(j->ctx->store, j->req->id, &archives, &n);
        if (r < 0)
                return r;
        j->state = (PlRotateState){ .gen = n > 0 ? archives[n - 1].name.gen : 0 };
        free(archives);
        return take_name(j);
}

/* Return: 1 there was no record; 0; -errno. */
static int load(Job *j) {
        int r;

        r = pl_log_store_load(j->ctx->store, j->req->id, &j->state);
        if (r == -ENOENT || r == -EBADMSG)
                r = new_state(j);
        return r < 0 ? fail(j, "reading its state", r) : r;
}

static int save(Job *j) {
        int r = pl_log_store_save(j->ctx->store, &j->state);

        return r < 0 ? fail(j, "saving its state", r) : 0;
}

static int sync_log(Job *j) {
        return fsync(j->log.fd) < 0 ? fail(j, "syncing the log", -errno) : 0;
}

/* --- freeing the head: steps 5 to 7, the first time or once more --- */

/* What was known of the container when the job was made need not be true any more: an adoption
 * stops the engine, takes the head out of the log and lets the engine rotate it from then on. */
static bool is_stale(const Job *j) {
        return j->ctx->engine_epoch && atomic_load(j->ctx->engine_epoch) != j->req->engine_epoch;
}

/*
 * Collapsing a log that may have a writer is right only below Docker 23, and a stopped one only
 * while nobody opens it. Return: 0 go ahead; -EAGAIN not now, the choice may have changed.
 */
static int guard(Job *j) {
        int r;

        if (j->state.method != PL_LOG_METHOD_COLLAPSE)
                return 0;
        if (j->facts.running)
                return is_stale(j) ? -EAGAIN : 0;
        if (j->log.leased)
                return 0;
        r = pl_log_file_lease(&j->log);
        if (r == 0 || j->facts.engine_major < PL_ROTATE_COLLAPSE_ENGINES_BELOW)
                return 0;
        j->facts.running = true; /* somebody has it open: as good as a writer */
        j->choice = pl_rotate_choose(&j->facts);
        return -EAGAIN;
}

/* Steps 5 to 7 of an intent; doing them twice does no harm. */
static int free_head(Job *j) {
        PlRotateState *s = &j->state;
        bool collapse = s->method == PL_LOG_METHOD_COLLAPSE;
        /* begun when the file system could; perhaps it cannot be tried on a full disk */
        uint64_t align = j->probe.align_bytes[s->method] ?: j->probe.block_bytes;
        int r;

        r = pl_log_file_mark(j->log.fd, s->a, s->k, s->gen + 1);
        if (r < 0)
                return fail(j, "marking the log", r);
        pl_log_rotate_point(PL_ROTATE_POINT_MARKED);
        r = sync_log(j);
        if (r < 0)
                return r;
        pl_log_rotate_point(PL_ROTATE_POINT_FREE);
        r = pl_log_file_free(&j->log, s->method, collapse ? 0 : pl_rotate_free_from(s, align), s->a,
                             align);
        if (r < 0)
                return fail(j, "freeing the head of the log", r);
        pl_log_rotate_point(PL_ROTATE_POINT_FREED);
        r = sync_log(j);
        if (r < 0)
                return r;
        pl_rotate_advance(s);
        r = save(j);
        pl_log_rotate_point(PL_ROTATE_POINT_CLEAN);
        return r;
}

static int publish(Job *j) {
        int r;

        if (pl_streq(j->state.archive, PL_LOG_NO_ARCHIVE))
                return 0;
        r = pl_log_store_publish(j->ctx->store, &j->state);
        /* somebody deleted it: it cannot be brought back */
        return r < 0 && r != -ENOENT ? fail(j, "naming the archive", r) : 0;
}

/*
 * --- relearning ---
 *
 * The state record is lost, or the place that an intent names has moved. Markers in the log tell
 * what was archived, but not the last archive when its rotation was interrupted: what that archive
 * holds still stands in the log, and would be archived again. So the archive and the log are
 * compared, and the intent is made anew.
 */

/* Where does the marker of a generation stand, which nothing but the lost intent can have written?
 * Markers begin at a multiple of align. Return: 1; 0 there is none; -errno. */
static int find_marker(int fd, uint64_t from, uint64_t to, uint64_t align, uint64_t gen,
                       uint64_t *ret_a, uint64_t *ret_k) {
        uint64_t head, mark, found;
        int r;

        for (uint64_t a = (from + align - 1) & ~(align - 1); a < to; a += align) {
                if (pl_log_file_marker(fd, a) != gen)
                        continue;
                r = pl_log_file_find_head(fd, a, to, &head, &mark, &found);
                if (r < 0)
                        return r;
                *ret_a = a;
                *ret_k = head;
                return 1;
        }
        return 0;
}

/* Does the log hold, at an offset, what the archive begins with? */
static bool begins_with(int fd, uint64_t offset, PlLogSegment *segment) {
        char buf[KIB(4)];
        size_t size;

        if (segment->table.n == 0 || pl_log_segment_load(segment, 0) < 0)
                return false;
        size = PL_MIN((size_t)segment->table.frames[0].raw_bytes, (size_t)COMPARE_BYTES);
        for (size_t at = 0; at < size; at += sizeof(buf)) {
                size_t n = PL_MIN(sizeof(buf), size - at);

                if (pread(fd, buf, n, (off_t)(offset + at)) != (ssize_t)n ||
                    memcmp(buf, segment->data + at, n) != 0)
                        return false;
        }
        return true;
}

/* Return: 1 state holds the intent; 0 there was none; -errno. */
static int remake(Job *j, uint64_t size, PlLogSegment *segment) {
        PlRotateState *s = &j->state;
        uint64_t bytes = segment->raw_bytes, align;
        PlRotateFacts f = j->facts;
        PlRotateChoice choice;
        int r;

        f.wanted = PL_LOG_METHOD_AUTO;
        choice = pl_rotate_choose(&f);
        if (choice.why == PL_ROTATE_WHY_SPARED) {
                /* it will be, once the container has stopped; redo() makes no hole of it */
                f.wanted = PL_LOG_METHOD_PUNCH;
                choice = pl_rotate_choose(&f);
        }
        if (choice.method == PL_LOG_METHOD_OFF)
                return 0; /* then nothing is archived again either */
        align = choice.align_bytes;
        s->method = choice.method;
        r = find_marker(j->log.fd, s->head, PL_MIN(size, s->head + bytes + align), align,
                        segment->gen, &s->a, &s->k);
        if (r != 0)
                return r;
        if (s->head + bytes > size || !begins_with(j->log.fd, s->head, segment))
                return 0;
        s->k = s->head + bytes;
        /* there may be no block to free, and the archive counts all the same: it was begun when
         * the log was longer, or by a method that frees more */
        return pl_rotate_mark_at(s->k, align, &s->a) < 0 ? 0 : 1;
}

/*
 * Makes a lost intent anew, from the last archive and the log behind state.head.
 * @marker_gen: of the last marker before it; 0: none
 * Return: 1 state holds it, not yet saved; 0 there was none; -errno.
 */
static int relearn(Job *j, uint64_t size, uint64_t marker_gen) {
        PlRotateState *s = &j->state;
        PlLogSegment segment = PL_LOG_SEGMENT_INIT;
        PlStoredArchive *archives = NULL;
        size_t n = 0;
        int r, fd;

        r = pl_log_store_list(j->ctx->store, s->id, &archives, &n);
        if (r < 0 || n == 0 || archives[n - 1].name.gen <= marker_gen) {
                free(archives);
                return PL_MIN(r, 0);
        }
        fd = pl_log_store_open_archive(j->ctx->store, &archives[n - 1]);
        r = fd < 0 ? fd : pl_log_segment_open(fd, &archives[n - 1].name, &segment);
        if (r >= 0) {
                r = segment.cut ? 0 : remake(j, size, &segment);
                pl_log_segment_close(&segment);
        } else if (r == -EBADMSG || r == -ENOENT)
                r = 0; /* an archive that cannot be read archives nothing */
        if (r > 0) {
                char *archive;

                if (asprintf(&archive, "%s/%s", archives[n - 1].service, archives[n - 1].file) >=
                    0) {
                        free(s->archive);
                        s->archive = archive;
                        s->gen = archives[n - 1].name.gen - 1;
                        s->print = pl_log_file_print(j->log.fd, s);
                        s->phase = PL_ROTATE_INTENT;
                } else
                        r = -ENOMEM;
        }
        free(archives);
        return r;
}

/* --- recovery: step 1 --- */

/* Forget offsets, then find out from our own markers in the file how much of it is archived. */
static int reset(Job *j, uint64_t dev, uint64_t ino, uint64_t size) {
        /* an intent's place may have moved: adoption takes holes out of a file */
        bool lost = (j->state.phase == PL_ROTATE_INTENT && !j->state.taken) ||
                    (j->state.ino == 0 && j->state.gen > 0);
        bool same = j->state.dev == dev && j->state.ino == ino && j->state.head > 0;
        uint64_t head, mark, gen;
        int r;

        r = pl_log_file_find_head(j->log.fd, 0, size, &head, &mark, &gen);
        if (r < 0)
                return fail(j, "looking for the start of the log", r);
        /* one that an adoption has shortened still has our marker */
        j->out->shortened = same && gen == 0;
        pl_rotate_reset(&j->state, dev, ino);
        if (gen > 0) {
                j->state.head = head;
                j->state.mark = mark;
                j->state.gen = PL_MAX(j->state.gen, gen);
        }
        r = take_name(j);
        if (r >= 0 && lost) {
                j->state.head = head;
                j->state.mark = mark;
                r = relearn(j, size, gen);
                if (r == 0 && gen == 0)
                        j->state.head = j->state.mark = 0;
        }
        if (r < 0)
                return r;
        j->out->recovered |= j->state.phase == PL_ROTATE_INTENT;
        return save(j);
}

/*
 * An intent whose method is not right any more is finished with one that is. A hole is made for
 * none but a policy that says so now, whoever began it: the archive has its name and must count, so
 * what it holds is overwritten in the log, where nothing else is allowed.
 */
static int redo(Job *j) {
        PlRotateState *s = &j->state;
        PlRotateFacts f = j->facts;

        for (int tries = 0; tries < 2; tries++) {
                f.running = j->facts.running;
                /* whatever the policy wants by now: a rotation that was begun is finished */
                f.wanted = PL_LOG_METHOD_AUTO;
                j->choice = pl_rotate_choose(&f);
                if (j->choice.why == PL_ROTATE_WHY_SPARED &&
                    j->facts.wanted == PL_LOG_METHOD_PUNCH) {
                        f.wanted = PL_LOG_METHOD_PUNCH;
                        j->choice = pl_rotate_choose(&f);
                }
                if (j->choice.why == PL_ROTATE_WHY_SPARED) {
                        s->method = PL_LOG_METHOD_OFF;
                        return free_head(j);
                }
                if (j->choice.method == PL_LOG_METHOD_OFF)
                        return fail(j, "finishing an interrupted rotation", -EOPNOTSUPP);
                if (s->method == PL_LOG_METHOD_COLLAPSE && j->choice.method != s->method) {
                        int r;

                        s->method = j->choice.method;
                        s->a &= ~(j->choice.align_bytes - 1);
                        r = save(j);
                        if (r < 0)
                                return r;
                }
                if (guard(j) >= 0)
                        return free_head(j);
        }
        return fail(j, "finishing an interrupted rotation", -EAGAIN);
}

static int recover(Job *j) {
        PlRotateState *s = &j->state;
        PlRotateSeen seen = { 0 };
        int r = pl_log_file_see(j->log.fd, s, &seen);

        if (r < 0)
                return fail(j, "reading the log", r);
        if (s->phase == PL_ROTATE_INTENT) {
                j->out->recovered = true;
                r = publish(j);
        } else
                r = pl_log_store_abandon(j->ctx->store, s->service, s->id);
        if (r < 0)
                return r;
        switch (pl_rotate_recover(s, &seen)) {
        case PL_ROTATE_RESET:
                r = reset(j, seen.dev, seen.ino, seen.size);
                return r >= 0 && s->phase == PL_ROTATE_INTENT ? redo(j) : r;
        case PL_ROTATE_FINISH:
                r = sync_log(j);
                if (r < 0)
                        return r;
                pl_rotate_advance(s);
                if (s->taken)
                        s->print = pl_log_file_print(j->log.fd, s);
                return save(j);
        case PL_ROTATE_REDO:
                return redo(j);
        case PL_ROTATE_GO_ON:
                break;
        }
        r = take_name(j);
        return r > 0 ? save(j) : r;
}

/* Step 1 for a log that is gone, or that plimsolld may not touch any more. */
static int settle(Job *j) {
        int r;

        if (j->state.phase != PL_ROTATE_INTENT)
                return 0;
        r = publish(j);
        if (r < 0)
                return r;
        pl_rotate_reset(&j->state, 0, 0);
        return save(j);
}

/* --- a rotation: steps 2 to 7 --- */

/* Step 2. */
static int pick(Job *j, uint64_t limit) {
        PlRotateState *s = &j->state;
        uint64_t k, a;
        int r;

        if (limit <= s->head)
                return -ENODATA;
        r = pl_log_file_cut(j->log.fd, s->head, limit, &k);
        if (r >= 0)
                r = pl_rotate_place(s, j->choice.method, k, j->choice.align_bytes, &a);
        if (r < 0)
                return r == -ENODATA ? r : fail(j, "looking for a line end", r);
        s->k = k;
        s->a = a;
        s->method = j->choice.method;
        return 0;
}

static int name_archive(Job *j, const PlArchiveResult *a) {
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
static int cut_to(Job *j, uint64_t raw_bytes) {
        j->state.k = j->state.head + raw_bytes;
        if (j->state.taken)
                return 0; /* nothing is marked, nor freed by a method */
        return pl_rotate_place(&j->state, j->state.method, j->state.k, j->choice.align_bytes,
                               &j->state.a);
}

int pl_log_rotate_retain(const PlRotateContext *ctx, const PlRotateRequest *req,
                         uint64_t free_bytes, PlRotateOutcome *ret) {
        const PlRetainRequest retain = { .rules = req->rules,
                                         .id = req->id,
                                         .budget_bytes = req->budget_bytes,
                                         .free_bytes = free_bytes,
                                         .now_sec = ctx->now_sec - ctx->behind_sec };
        PlRetained *o = &ret->archives;
        int r = pl_log_retain(ctx->store, &retain, o);

        if (r < 0)
                return r;
        if (o->next_expiry_sec < PL_TIME_INFINITY - ctx->behind_sec)
                o->next_expiry_sec += ctx->behind_sec;
        /* what is thought to be proven then may be earlier: when the doubt ends */
        if (ctx->look_sec > 0 && o->next_expiry_sec != PL_TIME_INFINITY)
                o->next_expiry_sec = PL_MIN(o->next_expiry_sec, ctx->look_sec);
        return r;
}

/* No room for even one frame. Return: 0 try again; 1 go on without an archive; -ENOSPC. */
static int make_room(Job *j) {
        PlRotateOutcome *o = j->out;
        int r;

        r = pl_log_rotate_retain(j->ctx, j->req, MIB(16), o);
        if (r < 0)
                return fail(j, "dropping old archives", r);
        if (pl_rotate_full(0, (size_t)r, j->req->on_full) == PL_ROTATE_FULL_MAKE_ROOM)
                return 0;
        return pl_rotate_full(0, 0, j->req->on_full) == PL_ROTATE_FULL_DROP
                               ? 1
                               : fail(j, "writing the archive", -ENOSPC);
}

/* Step 3. Return: 0; 1 without an archive, as the policy allows; -ENODATA too little; -errno. */
static int archive(Job *j, PlArchiveResult *ret) {
        PlLogStore *store = j->ctx->store;
        const PlArchiveLimits limits = { .stop = j->stop };
        const char *service = j->req->service;
        int r;

        for (;;) {
                _cleanup_close_ int fd = pl_log_store_begin(store, service, j->req->id);

                pl_log_rotate_point(PL_ROTATE_POINT_BEGIN);
                r = fd < 0 ? fd
                           : pl_archive_write(j->ctx->archiver, j->log.fd, j->state.head,
                                              j->state.k, fd, &limits, ret);
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
                        return r == -ENODATA ? r : fail(j, "writing the archive", r);
                j->out->full = true;
                r = make_room(j);
                if (r != 0)
                        return r;
        }
}

static void count(Job *j, const PlArchiveResult *a, bool archived) {
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
static int commit(Job *j, const PlArchiveResult *a, bool archived) {
        PlRotateState *s = &j->state;
        int r;

        if (archived)
                r = name_archive(j, a);
        else
                r = set_string(&s->archive, PL_LOG_NO_ARCHIVE);
        if (r < 0)
                return fail(j, "naming the archive", r);
        /* write what is dirty now, while nobody waits for it */
        if (fdatasync(j->log.fd) < 0)
                return fail(j, "syncing the log", -errno);
        if (is_stale(j))
                return fail(j, "waiting for the engine", -EAGAIN);
        if (guard(j) < 0) {
                if (j->choice.method == PL_LOG_METHOD_OFF || j->choice.method == s->method)
                        return -EAGAIN;
                s->method = j->choice.method;
                r = pl_rotate_place(s, s->method, s->k, j->choice.align_bytes, &s->a);
                if (r < 0)
                        return -EAGAIN;
        }
        s->taken = false;
        s->print = pl_log_file_print(j->log.fd, s);
        s->phase = PL_ROTATE_INTENT;
        pl_log_rotate_point(PL_ROTATE_POINT_SYNCED);
        r = save(j);
        if (r < 0) {
                s->phase = PL_ROTATE_CLEAN;
                return r;
        }
        pl_log_rotate_point(PL_ROTATE_POINT_COMMITTED);
        r = publish(j);
        if (r < 0)
                return r;
        pl_log_rotate_point(PL_ROTATE_POINT_PUBLISHED);
        count(j, a, archived);
        r = free_head(j);
        j->out->unfreed = r < 0;
        return r;
}

/* Return: 1 rotated; 0 nothing to do; -errno. */
static int rotate_once(Job *j) {
        PlArchiveResult a = { 0 };
        struct stat st;
        uint64_t size, live;
        int r;

        if (fstat(j->log.fd, &st) < 0)
                return fail(j, "reading the log", -errno);
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
static int trim(Job *j) {
        PlRotateState *s = &j->state;
        uint64_t align = j->probe.align_bytes[PL_LOG_METHOD_COLLAPSE];
        uint64_t cut = align ? s->mark & ~(align - 1) : 0;
        int r;

        if (j->facts.running || j->choice.method != PL_LOG_METHOD_COLLAPSE || cut == 0 || s->taken)
                return 0;
        s->method = PL_LOG_METHOD_COLLAPSE;
        if (guard(j) < 0) {
                j->out->later = true;
                return 0;
        }
        r = pl_log_file_free(&j->log, PL_LOG_METHOD_COLLAPSE, 0, cut, align);
        if (r < 0)
                return fail(j, "freeing the head of the log", r);
        r = sync_log(j);
        pl_log_file_unlease(&j->log);
        if (r < 0)
                return r;
        s->mark -= cut;
        s->head -= cut;
        return save(j);
}

/*
 * Has somebody a stopped container's log open, and is there no other way than to make it short?
 * Then nothing is archived in vain: it is tried again later. The lease is given back at once,
 * because a container that starts would wait for it.
 */
static bool is_held(Job *j) {
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
static bool has_hole(const Job *j) {
        off_t hole = j->state.mark > 0 ? lseek(j->log.fd, 0, SEEK_HOLE) : -1;

        return hole >= 0 && (uint64_t)hole < j->state.mark;
}

static int work(Job *j) {
        int r;

        r = pl_log_probe(j->log.dir_fd, &j->probe);
        if (r == -ENOSPC || r == -EDQUOT)
                j->out->full = true;
        if (r < 0)
                return fail(j, "probing the file system", r);
        j->facts.probe = &j->probe;
        r = recover(j);
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
                /* a writer that is faster than the archiver gets job after job: between jobs
                 * old archives are dropped, and progress is reported */
                if (r <= 0 || !j->out->full)
                        break;
        }
        return r < 0 ? r : 0;
}

static void finish(Job *j) {
        PlRotateOutcome *o = j->out;
        struct stat st;

        o->method = j->choice.method;
        o->why = j->choice.why;
        if (j->log.fd >= 0 && fstat(j->log.fd, &st) == 0) {
                o->ino = st.st_ino;
                o->size_bytes = (uint64_t)st.st_size;
                o->head_bytes = j->state.head;
                o->held_bytes = (uint64_t)st.st_blocks * 512;
                if (j->probe.align_bytes[PL_LOG_METHOD_REFLINK] > 0)
                        (void)pl_log_file_held(j->log.fd, &o->held_bytes);
        }
        pl_log_file_close(&j->log);
        pl_rotate_state_deinit(&j->state);
}

/* LogMethod=off was set in the middle of a rotation, which is finished all the same. */
static bool may_finish(const Job *j) {
        return j->state.phase == PL_ROTATE_INTENT && j->facts.engine_major > 0;
}

int pl_log_rotate(const PlRotateContext *ctx, const PlRotateRequest *req, PlRotateOutcome *ret) {
        Job j = { .ctx = ctx, .req = req, .out = ret, .stop = ctx->stop, .log = PL_LOG_FILE_INIT };
        int r, retained;
        bool fresh;

        *ret = (PlRotateOutcome){ .archives.next_expiry_sec = PL_TIME_INFINITY };
        j.facts = req->facts;
        j.facts.driver = req->driver;
        j.facts.probe = NULL;
        j.choice = pl_rotate_choose(&j.facts);
        r = pl_log_store_renew(ctx->store);
        ret->renewed = r > 0;
        r = r < 0 ? fail(&j, "making the archive directory anew", r) : load(&j);
        fresh = r > 0;
        if (r >= 0 && (j.choice.why == PL_ROTATE_WHY_NOT_PROBED ||
                       (j.choice.why == PL_ROTATE_WHY_OFF && may_finish(&j)))) {
                r = pl_log_file_open(req->path, req->id, true, &j.log);
                if (r < 0)
                        r = fail(&j, "opening the log", r);
                else if (pl_log_file_lock(&j.log) < 0 || is_stale(&j))
                        r = fail(&j, "waiting for an adoption or the engine", -EAGAIN);
                else
                        r = work(&j);
        } else if (r >= 0 && j.choice.why != PL_ROTATE_WHY_ENGINE_UNKNOWN) {
                r = settle(&j);
                if (r >= 0)
                        r = take_name(&j);
                if (r > 0 || (r == 0 && fresh)) /* readers find a log by its record */
                        r = save(&j);
        }
        finish(&j);
        retained = pl_log_rotate_retain(ctx, req, 0, ret);
        if (r >= 0 && retained < 0) {
                ret->step = "dropping old archives";
                r = retained;
        }
        ret->error = r < 0 ? r : 0;
        return ret->error;
}

/* --- a log that does not lie at its path any more --- */

/*
 * Where does that begin which no archive holds? From here on the record tells it, with the file
 * that it is of, and no marker: a file that somebody has put elsewhere stays as it is, and whoever
 * comes after a crash has nothing else to go by.
 */
static int take(Job *j) {
        PlRotateState *s = &j->state;
        uint64_t head = 0, mark = 0, gen = 0;
        PlRotateSeen seen;
        int r = pl_log_file_see(j->log.fd, s, &seen);

        if (r < 0)
                return fail(j, "reading the log", r);
        if (j->req->joined && s->taken) { /* by what stands in it, it is the same or is not */
                s->dev = seen.dev;
                s->ino = seen.ino;
        }
        switch (pl_rotate_recover(s, &seen)) {
        case PL_ROTATE_GO_ON:
                if (s->taken)
                        return 0;
                head = s->head;
                mark = s->mark;
                break;
        case PL_ROTATE_REDO:
                head = s->k;
                mark = s->mark;
                break;
        case PL_ROTATE_FINISH:
                head = s->k - s->a;
                break;
        case PL_ROTATE_RESET: /* our own markers tell */
                r = pl_log_file_find_head(j->log.fd, 0, seen.size, &head, &mark, &gen);
                if (r < 0)
                        return fail(j, "looking for the start of the log", r);
                if (gen == 0)
                        head = mark = 0;
        }
        if (s->phase == PL_ROTATE_INTENT)
                r = publish(j);
        if (r < 0)
                return r;
        pl_rotate_reset(s, seen.dev, seen.ino);
        s->gen = PL_MAX(s->gen, gen);
        s->head = head;
        s->mark = mark;
        s->taken = true;
        s->print = pl_log_file_print(j->log.fd, s);
        return save(j);
}

/* Of a log that nobody has bounded, the newest: archives of others must not go for its sake. */
static int skip_oldest(Job *j, uint64_t size) {
        uint64_t max = j->req->salvage_max_bytes, k = size, head = j->state.head;
        int r;

        if (size - head <= max)
                return 0;
        r = pl_log_file_newest(j->log.fd, size - max - 1, size, &k);
        if (r < 0 && r != -ENODATA)
                return fail(j, "looking for a line end", r);
        j->out->dropped_bytes += k - head;
        j->state.head = k;
        j->state.print = pl_log_file_print(j->log.fd, &j->state);
        return save(j);
}

/* The archive counts from its commit point on. Return: 1 archived; 0 nothing to do; -errno. */
static int salvage_once(Job *j) {
        PlRotateState *s = &j->state;
        PlArchiveResult a = { 0 };
        struct stat st;
        uint64_t size;
        bool archived;
        int r;

        if (fstat(j->log.fd, &st) < 0)
                return fail(j, "reading the log", -errno);
        size = (uint64_t)st.st_size;
        if (size <= s->head)
                return 0;
        r = j->out->rotations == 0 ? skip_oldest(j, size) : 0;
        if (r >= 0)
                r = j->req->last ? pl_log_file_end(j->log.fd, s->head, size, &s->k)
                                 : pl_log_file_cut(j->log.fd, s->head, size, &s->k);
        if (r < 0)
                return r == -ENODATA ? 0 : fail(j, "looking for a line end", r);
        s->a = 0;
        s->method = PL_LOG_METHOD_PUNCH;
        r = archive(j, &a);
        if (r < 0)
                return r == -ENODATA ? 0 : r;
        archived = r == 0;
        r = archived ? name_archive(j, &a) : set_string(&s->archive, PL_LOG_NO_ARCHIVE);
        if (r < 0)
                return fail(j, "naming the archive", r);
        s->print = pl_log_file_print(j->log.fd, s);
        s->phase = PL_ROTATE_INTENT;
        pl_log_rotate_point(PL_ROTATE_POINT_SYNCED);
        r = save(j);
        if (r < 0)
                return r;
        pl_log_rotate_point(PL_ROTATE_POINT_COMMITTED);
        r = publish(j);
        if (r < 0)
                return r;
        pl_log_rotate_point(PL_ROTATE_POINT_PUBLISHED);
        count(j, &a, archived);
        pl_rotate_advance(s);
        s->print = pl_log_file_print(j->log.fd, s);
        r = save(j);
        pl_log_rotate_point(PL_ROTATE_POINT_CLEAN);
        return r < 0 ? r : 1;
}

/* Nobody but us and the engine, at its end, has it: what is archived gives its blocks back. */
static void give_back(Job *j) {
        uint64_t to = j->state.head > PL_LOG_FILE_PRINT_BYTES
                                      ? (j->state.head - PL_LOG_FILE_PRINT_BYTES) & ~UINT64_C(4095)
                                      : 0;
        struct stat st;

        if (to > 0 && fstat(j->log.fd, &st) == 0 && st.st_nlink == 0)
                (void)pl_log_file_free(&j->log, PL_LOG_METHOD_PUNCH, 0, to, 4096);
}

int pl_log_salvage(const PlRotateContext *ctx, const PlRotateRequest *req, int fd,
                   PlRotateOutcome *ret) {
        /* what is the last chance of a log does not wait for another run, or another engine */
        Job j = { .ctx = ctx,
                  .req = req,
                  .out = ret,
                  .stop = req->last ? NULL : ctx->stop,
                  .log = PL_LOG_FILE_INIT };
        int r, retained;

        *ret = (PlRotateOutcome){ .archives.next_expiry_sec = PL_TIME_INFINITY };
        j.log.fd = pl_log_file_reopen(fd);
        j.choice.align_bytes = 4096;
        r = j.log.fd < 0 ? fail(&j, "opening the log", j.log.fd) : pl_log_store_renew(ctx->store);
        ret->renewed = r > 0;
        if (r >= 0)
                r = load(&j);
        if (r >= 0)
                r = take(&j);
        if (r >= 0)
                r = take_name(&j);
        if (r >= 0 && j.state.phase == PL_ROTATE_CLEAN)
                r = pl_log_store_abandon(ctx->store, j.state.service, req->id);
        for (int i = 0; r >= 0 && i < ROTATIONS_MAX; i++) {
                r = salvage_once(&j);
                if (r <= 0 || !ret->full)
                        break;
        }
        if (r >= 0)
                give_back(&j);
        ret->head_bytes = j.state.head;
        finish(&j);
        retained = pl_log_rotate_retain(ctx, req, 0, ret);
        ret->error = PL_MIN(r < 0 ? r : retained, 0);
        return ret->error;
}
