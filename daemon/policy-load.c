/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policy loader.
 *
 * Every file is read before anything is parsed, and what can be read is parsed even if the rest
 * cannot: whoever edits a policy sees all errors at once.
 */

#include "policy-load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "cgroup/device.h"
#include "cgroup/path.h"
#include "lib/base/quote.h"
#include "lib/base/unit.h"
#include "lib/policy/parser.h"

#define FILE_SIZE_MAX MIB(1)
#define FILES_MAX     256

/* From the weakest to the strongest. */
static const char *const places[] = { "/usr/lib/", "/run/", "/etc/" };

typedef struct Found {
        char *name; /* file name, the key for masking; NULL for the main file */
        char *path; /* with the root */
        char *text;
        size_t size;
} Found;

typedef struct Files {
        Found *items;
        size_t n;
} Files;

static void files_deinit(Files *f) {
        for (size_t i = 0; i < f->n; i++) {
                free(f->items[i].name);
                free(f->items[i].path);
                free(f->items[i].text);
        }
        free(f->items);
}

int pl_host_read(const char *proc, PlHost *ret) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        PlHierarchy hierarchy = PL_HIERARCHY_V2;
        PlCgroupMounts mounts = { 0 };
        const char *line;
        uint64_t kib;
        int r;

        if (asprintf(&path, "%s/meminfo", proc) < 0)
                return -ENOMEM;
        r = pl_fs_read(AT_FDCWD, path, KIB(64), &text, NULL);
        if (r < 0)
                return r;
        line = strstr(text, "MemTotal:");
        if (!line || sscanf(line, "MemTotal: %" SCNu64 " kB", &kib) != 1)
                return -EBADMSG;
        if (pl_cg_mounts_load(proc, &mounts) == 0)
                hierarchy = mounts.hierarchy[PL_CONTROLLER_CPU];
        pl_cg_mounts_deinit(&mounts);
        *ret = (PlHost){
                .memory_bytes = kib << 10,
                .n_cpus = (unsigned)PL_MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L),
                .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
                .device = pl_device_number,
                .hierarchy = hierarchy,
        };
        return 0;
}

static int files_add(Files *f, const char *name, const char *path) {
        Found *grown = reallocarray(f->items, f->n + 1, sizeof(Found)), item = { 0 };

        if (!grown)
                return -ENOMEM;
        f->items = grown;
        item.name = name ? strdup(name) : NULL;
        item.path = strdup(path);
        if (!item.path || (name && !item.name)) {
                free(item.name);
                free(item.path);
                return -ENOMEM;
        }
        grown[f->n++] = item;
        return 0;
}

/* A stronger place takes the name over. */
static int files_override(Files *f, const char *name, const char *path) {
        for (size_t i = 0; i < f->n; i++) {
                char *copy;

                if (!pl_streq(f->items[i].name, name))
                        continue;
                copy = strdup(path);
                if (!copy)
                        return -ENOMEM;
                free(f->items[i].path);
                f->items[i].path = copy;
                return 0;
        }
        return f->n >= FILES_MAX ? -E2BIG : files_add(f, name, path);
}

static int by_name(const void *a, const void *b) {
        return strcmp(((const Found *)a)->name, ((const Found *)b)->name);
}

static int collect_dropins(const char *dir, PlDiagList *diag, Files *files) {
        DIR *d = opendir(dir);
        const struct dirent *e;
        int r = 0;

        if (!d) {
                if (errno != ENOENT && errno != ENOTDIR)
                        pl_diag_add(diag, PL_SEVERITY_ERROR, dir, 0, "Cannot read the drop-ins: %s",
                                    strerror(errno));
                return 0;
        }
        while (r >= 0 && (e = readdir(d))) {
                _cleanup_free_ char *path = NULL;
                size_t n = strlen(e->d_name);

                if (e->d_name[0] == '.' || n < 6 || !pl_streq(e->d_name + n - 5, ".conf"))
                        continue;
                if (asprintf(&path, "%s/%s", dir, e->d_name) < 0) {
                        path = NULL;
                        r = -ENOMEM;
                        break;
                }
                r = files_override(files, e->d_name, path);
        }
        (void)closedir(d);
        if (r == -E2BIG) {
                pl_diag_add(diag, PL_SEVERITY_ERROR, dir, 0, "More than %d drop-ins", FILES_MAX);
                return 0;
        }
        return r;
}

/* Perhaps its file system is not mounted: what it would limit must not go without. */
static void complain_of_link(const char *path, PlDiagList *diag) {
        _cleanup_free_ char *shown = NULL;
        char target[256];
        ssize_t n = readlink(path, target, sizeof(target) - 1);

        target[PL_MAX(n, (ssize_t)0)] = '\0';
        shown = pl_escape(target, 200);
        pl_diag_add(diag, PL_SEVERITY_ERROR, path, 0,
                    "A link to %s, where nothing is; mend it or remove it (one to /dev/null masks)",
                    shown ?: "");
}

/* Return: 1 when the file masks its name and is not to be parsed. */
static int read_file(Found *f, PlDiagList *diag) {
        struct stat st;
        int r = 0;

        if (stat(f->path, &st) < 0)
                r = -errno;
        else if (S_ISCHR(st.st_mode))
                return 1; /* /dev/null */
        else if (S_ISDIR(st.st_mode) && f->name) {
                pl_diag_add(diag, PL_SEVERITY_WARNING, f->path, 0,
                            "A directory, which is no drop-in: passed over");
                return 1;
        } else if (S_ISDIR(st.st_mode))
                r = -EISDIR;
        else if (!S_ISREG(st.st_mode)) {
                pl_diag_add(diag, PL_SEVERITY_ERROR, f->path, 0,
                            "Not a regular file; a reload could not read it again");
                return 0;
        }
        if (r >= 0)
                r = pl_fs_read(AT_FDCWD, f->path, FILE_SIZE_MAX, &f->text, &f->size);
        if (r == -ENOMEM)
                return r;
        if (r == -ENOENT && lstat(f->path, &st) == 0)
                complain_of_link(f->path, diag);
        else if (r == -ENOENT)
                pl_diag_add(diag, PL_SEVERITY_ERROR, f->path, 0,
                            "There is no such policy. Install the example as a start (see "
                            "plimsoll.conf(5)), or name another with --policy");
        else if (r == -EFBIG)
                pl_diag_add(diag, PL_SEVERITY_ERROR, f->path, 0, "Larger than 1 MiB: not a policy");
        else if (r < 0)
                pl_diag_add(diag, PL_SEVERITY_ERROR, f->path, 0, "Cannot be read: %s",
                            strerror(-r));
        return 0;
}

/* Below /etc: the part after it, so that the other places can be tried. */
static const char *below_etc(const char *file) {
        return pl_startswith(file, "/etc/") ? file + strlen("/etc/") : NULL;
}

static int find_main(const char *root, const char *file, Files *ret) {
        const char *rest = below_etc(file);

        for (size_t i = PL_ARRAY_SIZE(places); rest && i-- > 0;) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s%s%s", root, places[i], rest) < 0)
                        return -ENOMEM;
                if (access(path, F_OK) >= 0 || errno != ENOENT)
                        return files_add(ret, NULL, path);
        }
        if (rest) {
                _cleanup_free_ char *path = NULL;

                return asprintf(&path, "%s%s", root, file) < 0 ? -ENOMEM
                                                               : files_add(ret, NULL, path);
        }
        return files_add(ret, NULL, file);
}

static int find_dropins(const char *root, const char *file, PlDiagList *diag, Files *ret) {
        const char *rest = below_etc(file);
        int r = 0;

        for (size_t i = 0; r >= 0 && i < (rest ? PL_ARRAY_SIZE(places) : 1); i++) {
                _cleanup_free_ char *dir = NULL;

                if (asprintf(&dir, "%s%s%s.d", rest ? root : "", rest ? places[i] : "",
                             rest ?: file) < 0)
                        return -ENOMEM;
                r = collect_dropins(dir, diag, ret);
        }
        if (ret->n > 1)
                qsort(ret->items, ret->n, sizeof(Found), by_name);
        return r;
}

static int gather(Files *from, PlDiagList *diag, PlPolicySource *sources, size_t *n) {
        for (size_t i = 0; i < from->n; i++) {
                int r = read_file(&from->items[i], diag);

                if (r < 0)
                        return r;
                if (r == 0 && from->items[i].text)
                        sources[(*n)++] =
                                        (PlPolicySource){ from->items[i].path, from->items[i].text,
                                                          from->items[i].size };
        }
        return 0;
}

int pl_policy_load(const char *root, const char *file, const PlHost *host, PlDiagList *diag,
                   PlPolicy **ret) {
        _cleanup_(files_deinit) Files main_file = { 0 }, dropins = { 0 };
        _cleanup_free_ PlPolicySource *sources = NULL;
        size_t n = 0;
        int r;

        r = find_main(root ?: "", file, &main_file);
        if (r >= 0)
                r = find_dropins(root ?: "", file, diag, &dropins);
        if (r < 0)
                return r;
        sources = calloc(main_file.n + dropins.n, sizeof(*sources));
        if (!sources)
                return -ENOMEM;
        r = gather(&main_file, diag, sources, &n);
        if (r >= 0)
                r = gather(&dropins, diag, sources, &n);
        if (r < 0)
                return r;
        if (n == 0 || diag->n_errors > 0) {
                /* what could be read is checked all the same: every error at once */
                PlPolicy *p = NULL;

                if (n > 0 && pl_policy_parse(sources, n, host, diag, &p) >= 0)
                        pl_policy_unref(p);
                return -EBADMSG;
        }
        return pl_policy_parse(sources, n, host, diag, ret);
}

#define NOTED_FILE "inherits" /* in the state directory */

static bool has_files(const char *path) {
        DIR *dir = opendir(path);
        const struct dirent *e;
        bool any = false;

        while (dir && !any && (e = readdir(dir)))
                any = e->d_name[0] != '.';
        if (dir)
                (void)closedir(dir);
        return any;
}

bool pl_policy_inherits_newly(const char *state_dir) {
        _cleanup_free_ char *records = NULL, *noted = NULL;

        if (asprintf(&noted, "%s/" NOTED_FILE, state_dir) < 0)
                noted = NULL;
        if (asprintf(&records, "%s/containers", state_dir) < 0)
                records = NULL;
        return noted && records && access(noted, F_OK) < 0 && errno == ENOENT && has_files(records);
}

int pl_policy_inherits_noted(const char *state_dir) {
        _cleanup_free_ char *noted = NULL;

        if (asprintf(&noted, "%s/" NOTED_FILE, state_dir) < 0) {
                noted = NULL;
                return -ENOMEM;
        }
        return pl_fs_replace(AT_FDCWD, noted, "", 0, 0644, false);
}
