/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A pass: list, ask who writes, decide, act. What frees space comes first, what needs some last;
 * folders at the very end, the inner ones before the outer.
 */

#include "logs/path-internal.h"

#include <errno.h>
#include <fcntl.h>

void pl_log_path_request_deinit(PlLogPathRequest *r) {
        for (size_t i = 0; i < r->n_globs; i++)
                pl_logpath_glob_deinit(&r->globs[i]);
        free(r->globs);
        free(r->source);
        *r = (PlLogPathRequest){ 0 };
}

void pl_log_path_outcome_deinit(PlLogPathOutcome *o) {
        free(o->path);
        o->path = NULL;
}

static void note(PlLogPathOutcome *o, int error, const char *step, const char *dir,
                 const char *name) {
        if (o->error < 0)
                return;
        o->error = error;
        o->step = step;
        if (asprintf(&o->path, "%s%s%s", dir && !pl_streq(dir, ".") ? dir : "",
                     dir && !pl_streq(dir, ".") && *name ? "/" : "", name) < 0)
                o->path = NULL;
}

static bool is_open(ino_t ino, const ino_t *open_files, size_t n) {
        size_t lo = 0, hi = n;

        while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;

                if (open_files[mid] == ino)
                        return true;
                if (open_files[mid] < ino)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return false;
}

static int act(const PlRotateContext *ctx, PlLogPathTree *t, const PlLogpathFile *f,
               PlLogPathOutcome *o, const char **reterr_step) {
        const PlLogPathName *name = f->userdata;
        PlLogPathDir *dir = &t->dirs[name->dir];
        _cleanup_close_ int fd = -EBADF;
        int r;

        /* changes the file system, or its times: not O_PATH, for fsync() */
        fd = pl_log_path_open_beneath(t->fd, dir->path, O_RDONLY | O_DIRECTORY);
        if (fd < 0) {
                *reterr_step = "opening its folder";
                return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -EXDEV ? -ESTALE
                                                                                       : fd;
        }
        switch (f->action) {
        case PL_LOGPATH_DELETE:
        case PL_LOGPATH_DELETE_PARTIAL:
                r = pl_log_path_delete(fd, name, reterr_step);
                if (r >= 0) {
                        dir->folder.gone++;
                        o->deleted_bytes += f->size_bytes;
                }
                return r;
        case PL_LOGPATH_REOPEN:
                return pl_log_path_rename(fd, name, ctx->now_sec * PL_USEC_PER_SEC, reterr_step);
        case PL_LOGPATH_TRUNCATE:
                return pl_log_path_truncate(ctx, fd, name, o, reterr_step);
        case PL_LOGPATH_COMPRESS:
                return pl_log_path_compress(ctx, fd, name, o, reterr_step);
        default:
                return 0;
        }
}

static bool needs_space(PlLogpathAction a) {
        return a == PL_LOGPATH_TRUNCATE || a == PL_LOGPATH_COMPRESS;
}

static int act_on_all(const PlRotateContext *ctx, PlLogPathTree *t, const PlLogpathFile *files,
                      PlLogPathOutcome *o) {
        static const PlLogpathAction order[] = { PL_LOGPATH_DELETE_PARTIAL, PL_LOGPATH_DELETE,
                                                 PL_LOGPATH_REOPEN,         PL_LOGPATH_SIGNAL,
                                                 PL_LOGPATH_TRUNCATE,       PL_LOGPATH_COMPRESS };
        bool full = false;

        for (size_t k = 0; k < PL_ARRAY_SIZE(order); k++)
                for (size_t i = 0; i < t->n_names; i++) {
                        const PlLogPathName *name = files[i].userdata;
                        const char *step = NULL;
                        int r;

                        if (files[i].action != order[k] || (full && needs_space(order[k])))
                                continue;
                        if (ctx->stop && atomic_load_explicit(ctx->stop, memory_order_relaxed))
                                return -ECANCELED;
                        r = act(ctx, t, &files[i], o, &step);
                        if (r == -ECANCELED)
                                return r;
                        if (r >= 0)
                                o->n[order[k]]++;
                        else if (r != -ESTALE && r != -EAGAIN) /* the next pass looks again */
                                note(o, r, step, t->dirs[name->dir].path, name->name);
                        full = full || r == -ENOSPC || r == -EDQUOT || r == -EROFS;
                }
        return 0;
}

/* Children come after their parents in the list. rmdir(2) itself knows best what is empty. */
static void remove_folders(PlLogPathTree *t, const PlLogPathRequest *req, uint64_t now_usec,
                           PlLogPathOutcome *o) {
        for (size_t i = t->n_dirs; i-- > 1;) {
                PlLogPathDir *d = &t->dirs[i], *parent = &t->dirs[d->parent];
                const char *slash = strrchr(d->path, '/');
                _cleanup_close_ int fd = -EBADF;

                if (!pl_logpath_folder_goes(&d->folder, &req->policy, now_usec))
                        continue;
                fd = pl_log_path_open_beneath(t->fd, parent->path, O_RDONLY | O_DIRECTORY);
                if (fd < 0)
                        continue;
                if (unlinkat(fd, slash ? slash + 1 : d->path, AT_REMOVEDIR) >= 0) {
                        parent->folder.gone++;
                        o->folders++;
                } else if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOENT &&
                           errno != ENOTDIR) {
                        note(o, -errno, "removing the empty folder", d->path, "");
                }
        }
}

static int decide(const PlRotateContext *ctx, const PlLogPathRequest *req, const char *proc,
                  PlLogPathTree *t, PlLogpathFile **ret) {
        _cleanup_free_ PlLogpathFile *files = calloc(t->n_names + 1, sizeof(*files));
        _cleanup_free_ ino_t *open_files = NULL;
        size_t n_open = 0;
        int r = 0;

        if (!files)
                return -ENOMEM;
        if (t->n_names > 0)
                r = pl_log_path_open_files(ctx, proc, t->dev, &open_files, &n_open);
        if (r < 0)
                return r;
        for (size_t i = 0; i < t->n_names; i++) {
                PlLogPathName *n = &t->names[i];
                int64_t sec = PL_MAX(n->st.st_mtim.tv_sec, 0);
                size_t base;

                files[i] = (PlLogpathFile){
                        .kind = pl_logpath_kind(n->name, &base),
                        .size_bytes = (uint64_t)n->st.st_size,
                        .mtime_usec = (uint64_t)PL_MIN(sec, INT64_MAX / 1000000) * PL_USEC_PER_SEC,
                        .open = is_open(n->st.st_ino, open_files, n_open),
                        .userdata = n,
                };
        }
        pl_logpath_plan(files, t->n_names, &req->policy, ctx->now_sec * PL_USEC_PER_SEC);
        *ret = TAKE_PTR(files);
        return 0;
}

int pl_log_path_run(const PlRotateContext *ctx, const PlLogPathRequest *req, const char *proc,
                    PlLogPathOutcome *ret) {
        _cleanup_(pl_log_path_tree_deinit) PlLogPathTree t = PL_LOG_PATH_TREE_INIT;
        _cleanup_free_ PlLogpathFile *files = NULL;
        int r;

        *ret = (PlLogPathOutcome){ 0 };
        r = pl_log_path_walk(ctx, req, &t);
        if (r < 0) {
                note(ret, r, r == -ELOOP ? "following no symbolic link to" : "opening", NULL,
                     req->source);
                return r;
        }
        ret->too_many = t.too_many;
        r = decide(ctx, req, proc, &t, &files);
        if (r < 0) {
                note(ret, r, "looking at", NULL, req->source);
                return r;
        }
        if (req->dry_run) {
                for (size_t i = 0; i < t.n_names; i++)
                        ret->n[files[i].action]++;
        } else {
                r = act_on_all(ctx, &t, files, ret);
                if (r >= 0)
                        remove_folders(&t, req, ctx->now_sec * PL_USEC_PER_SEC, ret);
        }
        if (t.error < 0)
                note(ret, t.error, "reading the folder", t.error_name, "");
        if (r == -ECANCELED && ret->error == 0)
                ret->error = r;
        return ret->error;
}
