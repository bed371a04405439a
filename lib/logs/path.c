/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A glob is walked as a set of positions rather than by backtracking, so that "**" costs one bit
 * and hostile names cannot make it slow. fnmatch(3) compares single components.
 */

#include "lib/logs/path.h"

#include <errno.h>
#include <fnmatch.h>
#include <time.h>

#include "lib/base/diag.h"
#include "lib/base/quote.h"

static const char ANY_DEPTH[] = "**";

void pl_logpath_glob_deinit(PlLogpathGlob *g) {
        free(g->text);
        *g = (PlLogpathGlob){ 0 };
}

/* "**" may stand for nothing. */
static PlLogpathState close_over(const PlLogpathGlob *g, PlLogpathState s) {
        for (size_t i = 0; i < g->n; i++)
                if (s >> i & 1 && pl_streq(g->parts[i], ANY_DEPTH))
                        s |= UINT64_C(2) << i;
        return s;
}

/* The next component of *p, empty ones and "." left out. Return: its length, 0 at the end. */
static size_t next_part(const char **p, const char **ret) {
        for (;;) {
                size_t n;

                *p += strspn(*p, "/");
                n = strcspn(*p, "/");
                *ret = *p;
                *p += n;
                if (n != 1 || **ret != '.')
                        return n;
        }
}

/* Return: what is left of path below destination, or NULL when it does not lie there. */
static const char *below(const char *path, const char *destination, size_t *ret_depth) {
        size_t depth = 0;

        for (;;) {
                const char *a, *b, *rest = path;
                size_t n = next_part(&destination, &b);

                if (n == 0) {
                        *ret_depth = depth;
                        return path;
                }
                if (next_part(&rest, &a) != n || memcmp(a, b, n) != 0)
                        return NULL;
                path = rest;
                depth++;
        }
}

static int split(const char *rest, PlLogpathGlob *ret) {
        PlLogpathGlob g = { .text = strdup(rest) };
        const char *p = g.text, *part;
        size_t n;

        if (!g.text)
                return -ENOMEM;
        while ((n = next_part(&p, &part)) > 0) {
                bool again = *p == '/';

                if (g.n == PL_LOGPATH_PARTS_MAX || (n == 2 && memcmp(part, "..", 2) == 0)) {
                        pl_logpath_glob_deinit(&g);
                        return -EINVAL;
                }
                g.text[part - g.text + (ptrdiff_t)n] = '\0';
                g.parts[g.n++] = part;
                p += again;
        }
        if (g.n == 0) {
                pl_logpath_glob_deinit(&g);
                return -EISDIR;
        }
        g.begin = close_over(&g, 1);
        *ret = g;
        return 0;
}

static int explain(int error, const char *path, const PlMount *mount, char **reterr_text) {
        _cleanup_free_ char *p = pl_escape(path, 1024),
                            *d = pl_escape(mount ? mount->destination : "", 1024);
        int n = -1;

        *reterr_text = NULL;
        if (!p || !d)
                return -ENOMEM;
        if (error == -ENOENT)
                n = asprintf(reterr_text,
                             "LogPath=%s lies in no volume or bind mount of it; mount the "
                             "directory "
                             "of its logs, without wildcards in the mount's path",
                             p);
        else if (error == -EOPNOTSUPP)
                n = asprintf(reterr_text,
                             "LogPath=%s lies in the %s mount %s, which the host "
                             "cannot see into; use a volume or a bind mount",
                             p, mount->type, d);
        else if (error == -EISDIR)
                n = asprintf(reterr_text,
                             "LogPath=%s is the mount itself; a log file has to be renamed beside "
                             "itself, so mount the directory that holds it",
                             p);
        else
                n = asprintf(reterr_text,
                             "LogPath=%s cannot be: no \"..\", and at most %d parts "
                             "below the mount %s",
                             p, PL_LOGPATH_PARTS_MAX, d);
        if (n < 0)
                *reterr_text = NULL;
        return n < 0 ? -ENOMEM : error;
}

int pl_logpath_resolve(const PlMount *mounts, size_t n, const char *path, size_t *ret_mount,
                       PlLogpathGlob *ret, char **reterr_text) {
        const PlMount *best = NULL;
        const char *rest = NULL;
        size_t best_depth = 0;
        int r;

        for (size_t i = 0; i < n; i++) {
                size_t depth;
                const char *left = below(path, mounts[i].destination, &depth);

                /* the last one hides others at the same place */
                if (left && (!best || depth >= best_depth)) {
                        best = &mounts[i];
                        rest = left;
                        best_depth = depth;
                }
        }
        if (path[0] != '/')
                return explain(-EINVAL, path, best, reterr_text);
        if (!best)
                return explain(-ENOENT, path, NULL, reterr_text);
        if ((!pl_streq(best->type, "volume") && !pl_streq(best->type, "bind")) ||
            best->source[0] != '/')
                return explain(-EOPNOTSUPP, path, best, reterr_text);
        r = split(rest, ret);
        if (r == -ENOMEM) {
                *reterr_text = NULL;
                return r;
        }
        if (r < 0)
                return explain(r, path, best, reterr_text);
        *ret_mount = (size_t)(best - mounts);
        return 0;
}

PlLogpathState pl_logpath_step(const PlLogpathGlob *g, PlLogpathState s, const char *name,
                               bool *ret_literal) {
        PlLogpathState next = 0;

        if (pl_streq(name, ".") || pl_streq(name, "..") || strchr(name, '/'))
                return 0;
        for (size_t i = 0; i < g->n; i++) {
                if (!(s >> i & 1))
                        continue;
                if (pl_streq(g->parts[i], ANY_DEPTH)) {
                        if (name[0] != '.')
                                next |= UINT64_C(1) << i;
                } else if (fnmatch(g->parts[i], name, FNM_PERIOD) == 0) {
                        next |= UINT64_C(2) << i;
                        if (ret_literal && !strpbrk(g->parts[i], "*?["))
                                *ret_literal = true;
                }
        }
        return close_over(g, next);
}

static bool strip(const char *name, size_t *n, const char *suffix) {
        size_t k = strlen(suffix);

        if (*n <= k || memcmp(name + *n - k, suffix, k) != 0)
                return false;
        *n -= k;
        return true;
}

static bool strip_stamp(const char *name, size_t *n) {
        static const char form[] = ".99999999T999999Z";
        size_t k = sizeof(form) - 1;

        if (*n <= k)
                return false;
        for (size_t i = 0; i < k; i++) {
                char c = name[*n - k + i];

                if (form[i] == '9' ? c < '0' || c > '9' : c != form[i])
                        return false;
        }
        *n -= k;
        return true;
}

PlLogpathKind pl_logpath_kind(const char *name, size_t *ret_base) {
        static const char *const others[] = { ".gz", ".xz", ".bz2", ".lz4", ".zip" };
        size_t n = strlen(name), whole = n;

        *ret_base = n;
        if (strip(name, &n, PL_LOGPATH_ARCHIVE PL_LOGPATH_PARTIAL)) {
                (void)strip_stamp(name, &n);
                *ret_base = n;
                return PL_LOGPATH_PARTIALLY_PACKED;
        }
        if (strip(name, &n, PL_LOGPATH_ARCHIVE)) {
                (void)strip_stamp(name, &n);
                *ret_base = n;
                return PL_LOGPATH_PACKED;
        }
        for (size_t i = 0; i < PL_ARRAY_SIZE(others); i++)
                if (strip(name, &whole, others[i]))
                        return PL_LOGPATH_PACKED;
        if (!strip_stamp(name, &n))
                return PL_LOGPATH_LOG;
        *ret_base = n;
        return PL_LOGPATH_RENAMED;
}

const char *pl_logpath_stamp(uint64_t usec, char buf[PL_LOGPATH_STAMP_MAX]) {
        time_t sec = (time_t)(usec / PL_USEC_PER_SEC);
        struct tm tm;

        if (!gmtime_r(&sec, &tm) || tm.tm_year > 9999 - 1900 ||
            strftime(buf, PL_LOGPATH_STAMP_MAX, ".%Y%m%dT%H%M%SZ", &tm) == 0)
                strcpy(buf, ".00000000T000000Z");
        return buf;
}

static int newest_first(const void *a, const void *b) {
        const PlLogpathFile *x = a, *y = b;

        return x->mtime_usec < y->mtime_usec ? 1 : x->mtime_usec > y->mtime_usec ? -1 : 0;
}

static uint64_t since(uint64_t usec, uint64_t now_usec) {
        return now_usec > usec ? now_usec - usec : 0;
}

static PlLogpathAction decide(const PlLogpathFile *f, size_t newer, const PlLogpathPolicy *policy,
                              uint64_t now_usec, uint64_t proven_usec) {
        uint64_t age = since(f->mtime_usec, proven_usec);
        bool written = f->open || since(f->mtime_usec, now_usec) < PL_LOGPATH_QUIET_USEC;
        bool large = policy->max_size_bytes != PL_UNLIMITED &&
                     f->size_bytes > policy->max_size_bytes;

        if (!written) {
                if (policy->max_age_usec != PL_TIME_INFINITY && age > policy->max_age_usec)
                        return PL_LOGPATH_DELETE;
                if (policy->max_files > 0 && newer >= policy->max_files)
                        return PL_LOGPATH_DELETE;
                /* an empty file says that there was nothing to say; it costs nothing */
                if (f->kind == PL_LOGPATH_PACKED || f->size_bytes == 0)
                        return PL_LOGPATH_KEEP;
                if (f->kind == PL_LOGPATH_RENAMED || large)
                        return PL_LOGPATH_COMPRESS;
                return policy->compress_after_usec != PL_TIME_INFINITY &&
                                                       age > policy->compress_after_usec
                                       ? PL_LOGPATH_COMPRESS
                                       : PL_LOGPATH_KEEP;
        }
        if (f->kind == PL_LOGPATH_RENAMED)
                return f->open && policy->reopen_signal > 0 ? PL_LOGPATH_SIGNAL : PL_LOGPATH_KEEP;
        if (f->kind == PL_LOGPATH_PACKED || !large)
                return PL_LOGPATH_KEEP;
        return policy->reopen_signal > 0 ? PL_LOGPATH_REOPEN : PL_LOGPATH_TRUNCATE;
}

void pl_logpath_plan(PlLogpathFile *files, size_t n, const PlLogpathPolicy *policy,
                     uint64_t now_usec, uint64_t proven_usec) {
        size_t newer = 0;

        if (n > 0)
                qsort(files, n, sizeof(*files), newest_first);
        for (size_t i = 0; i < n; i++) {
                if (files[i].kind == PL_LOGPATH_PARTIALLY_PACKED) /* open: it is being written */
                        files[i].action =
                                        files[i].open ? PL_LOGPATH_KEEP : PL_LOGPATH_DELETE_PARTIAL;
                else
                        files[i].action = decide(&files[i], newer++, policy, now_usec, proven_usec);
        }
}

bool pl_logpath_folder_goes(const PlLogpathFolder *f, const PlLogpathPolicy *policy,
                            uint64_t proven_usec) {
        if (f->gone < f->entries)
                return false;
        if (f->archive)
                return true;
        if (policy->max_age_usec == PL_TIME_INFINITY || f->literal)
                return false;
        return f->gone > 0 || since(f->mtime_usec, proven_usec) > PL_LOGPATH_FOLDER_USEC;
}
