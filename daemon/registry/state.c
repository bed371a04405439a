/* SPDX-License-Identifier: Apache-2.0 */

/*
 * State directory: one file for each container and kind. A broken file is set aside and reported,
 * never guessed at.
 */

#include "registry/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <systemd/sd-id128.h>

#include "base/fs.h"
#include "base/journal.h"
#include "base/point.h"
#include "lib/base/json.h"

struct PlStateDir {
        int fd;
        int older_fd; /* where plimsoll 0.1 kept them, while some are left there */
        char engine[PL_ENGINE_IDENTITY_MAX];
        const PlReporter *reporter; /* borrowed; NULL: the journal alone */
};

static int open_directory(int dir_fd, const char *path, bool make, int *ret) {
        int fd;

        if (make && mkdirat(dir_fd, path, 0700) < 0 && errno != EEXIST)
                return -errno;
        fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        *ret = fd;
        return 0;
}

/* Return: -EBADF: there is none, or it is this one. */
static int open_older(const char *path, int fd) {
        _cleanup_close_ int parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), older = -EBADF;
        struct stat a, b;

        if (parent < 0 || open_directory(parent, "containers", false, &older) < 0)
                return -EBADF;
        if (fstat(fd, &a) < 0 || fstat(older, &b) < 0 ||
            (a.st_dev == b.st_dev && a.st_ino == b.st_ino))
                return -EBADF;
        return TAKE_FD(older);
}

int pl_state_dir_open(const char *path, const char *older, const PlReporter *reporter,
                      PlStateDir **ret) {
        _cleanup_(pl_state_dir_freep) PlStateDir *d = NULL;
        _cleanup_close_ int parent = -EBADF;
        int r;

        d = calloc(1, sizeof(*d));
        if (!d)
                return -ENOMEM;
        d->fd = d->older_fd = -EBADF;
        d->reporter = reporter;
        if (mkdir(path, 0750) < 0 && errno != EEXIST)
                return -errno;
        parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0)
                return -errno;
        r = open_directory(parent, "containers", true, &d->fd);
        if (r < 0)
                return r;
        if (older)
                d->older_fd = open_older(older, d->fd);
        *ret = TAKE_PTR(d);
        return 0;
}

PlStateDir *pl_state_dir_free(PlStateDir *d) {
        if (!d)
                return NULL;
        if (d->fd >= 0)
                (void)close(d->fd);
        if (d->older_fd >= 0)
                (void)close(d->older_fd);
        free(d);
        return NULL;
}

/* What is left in the older place counts while it is not here. */
static int read_file(const PlStateDir *d, const char *name, char **ret, size_t *ret_size) {
        int r = pl_fs_read(d->fd, name, PL_STATE_SIZE_MAX, ret, ret_size);

        return r == -ENOENT && d->older_fd >= 0
                               ? pl_fs_read(d->older_fd, name, PL_STATE_SIZE_MAX, ret, ret_size)
                               : r;
}

static int remove_file(const PlStateDir *d, const char *name) {
        if (d->older_fd >= 0)
                (void)unlinkat(d->older_fd, name, 0);
        return unlinkat(d->fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* A file that cannot be read: what is lost with it. */
static void broken(const PlStateDir *d, const char *id, int error, const char *lost) {
        pl_report(d->reporter, &(PlEntry){ .priority = LOG_WARNING, .container_id = id },
                  "its %s, their file is broken (%s)", lost, strerror(-error));
}

void pl_state_dir_set_engine(PlStateDir *d, const char *engine) {
        (void)snprintf(d->engine, sizeof(d->engine), "%s", engine);
}

int pl_state_dir_save(PlStateDir *d, const PlContainerState *s, bool durable) {
        _cleanup_free_ char *text = NULL;
        PlContainerState stamped = *s; /* a shallow copy */
        int r;

        if (!pl_is_id(s->id))
                return -EINVAL;
        memcpy(stamped.engine, d->engine, sizeof(stamped.engine));
        r = pl_state_format(&stamped, &text);
        if (r < 0)
                return r;
        return pl_fs_replace(d->fd, s->id, text, strlen(text), 0600, durable);
}

int pl_state_dir_load(PlStateDir *d, const char *id, PlContainerState *ret) {
        _cleanup_free_ char *text = NULL, *aside = NULL;
        PlContainerState s;
        size_t size = 0;
        int r;

        if (!pl_is_id(id))
                return -EINVAL;
        r = read_file(d, id, &text, &size);
        if (r == -ENOENT)
                return r;
        if (r >= 0)
                r = pl_state_parse(text, size, &s);
        if (r >= 0 && !pl_streq(s.id, id)) {
                pl_container_state_deinit(&s);
                r = -EBADMSG;
        }
        if (r >= 0) {
                *ret = s;
                return 0;
        }
        if (r == -EOPNOTSUPP) {
                pl_report(d->reporter, &(PlEntry){ .priority = LOG_WARNING, .container_id = id },
                          "its state file was written by a later plimsoll: both are left as they "
                          "are, because what its limits were before cannot be read");
                return r;
        }
        pl_report(d->reporter, &(PlEntry){ .priority = LOG_WARNING, .container_id = id },
                  "its state file is broken (%s), so its original limits are lost; kept as "
                  "%.12s….bad",
                  strerror(-r), id);
        if (asprintf(&aside, "%s.bad", id) >= 0 && renameat(d->fd, id, d->fd, aside) >= 0)
                (void)utimensat(d->fd, aside, NULL, AT_SYMLINK_NOFOLLOW); /* see is_old() */
        return -EBADMSG;
}

int pl_state_dir_remove(PlStateDir *d, const char *id) {
        if (!pl_is_id(id))
                return -EINVAL;
        return remove_file(d, id);
}

#define NAME_MAX_BYTES (PL_ID_MAX + 16)

static const char *name_of(const char *id, const char *what, char buf[static NAME_MAX_BYTES]) {
        (void)snprintf(buf, NAME_MAX_BYTES, "%s.%s", id, what);
        return buf;
}

/* Times by a clock of the machine mean nothing to the next boot. Empty where it is not known. */
static const char *this_boot(char ret[static SD_ID128_STRING_MAX]) {
        sd_id128_t id;

        *ret = '\0';
        return sd_id128_get_boot(&id) < 0 ? ret : sd_id128_to_string(id, ret);
}

/* The same document, whose container it is about, and when. Return: owned by the caller, or NULL.
 */
static char *stamped_text(const PlStateDir *d, const char *text) {
        _cleanup_json_ json_t *o = json_loads(text, 0, NULL);
        char boot[SD_ID128_STRING_MAX];

        if (!o || json_object_set_new(o, "engine", json_string(d->engine)) < 0 ||
            json_object_set_new(o, "boot", json_string(this_boot(boot))) < 0)
                return NULL;
        return json_dumps(o, JSON_COMPACT);
}

/* A record without the stamp was kept in /run by an earlier version, so it is of this boot. */
static bool of_this_boot(const char *text, size_t size) {
        _cleanup_json_ json_t *o = json_loadb(text, size, 0, NULL);
        const char *boot = json_string_value(json_object_get(o, "boot"));
        char now[SD_ID128_STRING_MAX];

        return !boot || pl_streq(boot, this_boot(now));
}

/* @text: owned by the callee; NULL: there was no memory for it. */
static int save_beside(PlStateDir *d, const char *id, const char *what, char *text, bool durable) {
        _cleanup_free_ char *owned = text, *stamped = owned ? stamped_text(d, owned) : NULL;
        char name[NAME_MAX_BYTES];

        if (!stamped)
                return -ENOMEM;
        if (!pl_is_id(id))
                return -EINVAL;
        return pl_fs_replace(d->fd, name_of(id, what, name), stamped, strlen(stamped), 0600,
                             durable);
}

static int load_beside(PlStateDir *d, const char *id, const char *what, char **ret, size_t *ret_n) {
        char name[NAME_MAX_BYTES];

        if (!pl_is_id(id))
                return -ENOENT;
        return read_file(d, name_of(id, what, name), ret, ret_n);
}

PlOomHistory *pl_state_dir_load_oom(PlStateDir *d, const char *id) {
        _cleanup_free_ PlOomHistory *h = NULL;
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r = load_beside(d, id, "oom", &text, &size);

        if (r == -ENOENT)
                return NULL;
        h = calloc(1, sizeof(*h));
        if (!h)
                return NULL;
        if (r >= 0)
                r = pl_oom_history_parse(text, size, h);
        if (r >= 0)
                return TAKE_PTR(h);
        broken(d, id, r, "OOM kills are lost");
        return NULL;
}

int pl_state_dir_save_restart(PlStateDir *d, const char *id, const PlCourse *c) {
        char *text = NULL;

        (void)pl_restart_state_format(c, &text);
        /* What plimsolld has stopped nobody else starts after a loss of power: the engine takes it
         * for a person's wish. The budget begins anew with each boot, and history is history. */
        return save_beside(d, id, "restart", text, pl_restart_is_under_way(&c->restart));
}

int pl_state_dir_load_restart(PlStateDir *d, const char *id, uint64_t now_usec, PlCourse *ret) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r = load_beside(d, id, "restart", &text, &size);

        if (r == -ENOENT)
                return r;
        if (r >= 0)
                r = pl_restart_state_parse(text, size, of_this_boot(text, size) ? now_usec : 0,
                                           ret);
        if (r < 0)
                broken(d, id, r, "restarts are lost");
        return r;
}

#define SLICES_FILE "slices" /* no container's id */

int pl_state_dir_save_slices(PlStateDir *d, const char *text) {
        if (*text)
                return pl_fs_replace(d->fd, SLICES_FILE, text, strlen(text), 0600, false);
        return unlinkat(d->fd, SLICES_FILE, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int pl_state_dir_load_slices(PlStateDir *d, char **ret) {
        return pl_fs_read(d->fd, SLICES_FILE, PL_STATE_SIZE_MAX, ret, NULL);
}

void pl_state_dir_forget(PlStateDir *d, const char *id) {
        static const char *const what[] = { "oom", "restart" };
        char name[NAME_MAX_BYTES];

        for (size_t i = 0; i < PL_ARRAY_SIZE(what) && pl_is_id(id); i++)
                (void)remove_file(d, name_of(id, what[i], name));
}

/* Return: 0: it is no file about a container; else @ret_id. */
static bool is_about(const char *name, char ret_id[static PL_ID_MAX]) {
        if (strlen(name) < PL_ID_MAX - 1)
                return false;
        memcpy(ret_id, name, PL_ID_MAX - 1);
        ret_id[PL_ID_MAX - 1] = '\0';
        return pl_is_id(ret_id);
}

/* Return: 0, -errno: then it is where it was. */
static int import_file(PlStateDir *d, const char *name) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r = pl_fs_read(d->older_fd, name, PL_STATE_SIZE_MAX, &text, &size);

        if (r < 0)
                return r;
        pl_point("import-read");
        /* A record that is here already is the older one, and so the truer: what is there was
         * captured when our values were in force. */
        if (faccessat(d->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                r = pl_fs_replace(d->fd, name, text, size, 0600, true);
        if (r < 0)
                return r;
        pl_point("import-saved"); /* it is in both places */
        if (unlinkat(d->older_fd, name, 0) < 0)
                return -errno;
        pl_point("import-gone"); /* it is in its new place only */
        return 0;
}

int pl_state_dir_import(PlStateDir *d) {
        int fd = d->older_fd >= 0 ? openat(d->older_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                                  : -EBADF;
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        const struct dirent *e;
        int n = 0, r = 0;

        if (!dir) {
                if (fd >= 0)
                        (void)close(fd);
                return 0;
        }
        while ((e = readdir(dir))) {
                char id[PL_ID_MAX];
                int k = is_about(e->d_name, id) ? import_file(d, e->d_name) : -ENOENT;

                n += k >= 0;
                r = k < 0 && k != -ENOENT ? k : r;
        }
        (void)closedir(dir);
        if (r < 0)
                return r;
        pl_point("import-empty"); /* all are; the old directory is still there */
        (void)close(d->older_fd);
        d->older_fd = -EBADF;
        return n;
}

static bool has_end(const char *name, const char *end) {
        size_t n = strlen(name), m = strlen(end);

        return n >= m && pl_streq(name + n - m, end);
}

/* Of whose container is it? Return: "": nobody knows. */
static const char *engine_of(const PlStateDir *d, const char *name,
                             char ret[static PL_ENGINE_IDENTITY_MAX]) {
        _cleanup_json_ json_t *o = NULL;
        _cleanup_free_ char *text = NULL;
        const char *engine = NULL;
        size_t size = 0;

        if (pl_fs_read(d->fd, name, PL_STATE_SIZE_MAX, &text, &size) >= 0) {
                o = json_loadb(text, size, 0, NULL);
                engine = json_string_value(json_object_get(o, "engine"));
        }
        (void)snprintf(ret, PL_ENGINE_IDENTITY_MAX, "%s", engine ?: "");
        return ret;
}

/* Written, or set aside, so long ago that nobody will look at it. */
static bool is_old(const PlStateDir *d, const char *name, uint64_t now_usec) {
        struct stat st;

        return fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 &&
               (uint64_t)st.st_mtim.tv_sec * PL_USEC_PER_SEC + PL_STATE_ASIDE_USEC < now_usec;
}

/* Of a container that the engine does not have. An earlier version did not say of which engine's
 * containers it kept OOM kills and restarts. */
static bool may_go(const PlStateDir *d, const char *name, uint64_t now_usec) {
        char engine[PL_ENGINE_IDENTITY_MAX];

        if (has_end(name, ".new")) /* left of a crash */
                return true;
        if (*engine_of(d, name, engine))
                return pl_streq(engine, d->engine);
        return (has_end(name, ".oom") || has_end(name, ".restart")) && is_old(d, name, now_usec);
}

unsigned pl_state_dir_prune(PlStateDir *d, uint64_t now_usec,
                            bool (*keep)(void *userdata, const char *id), void *userdata) {
        int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        const struct dirent *e;
        unsigned n = 0;

        if (!dir) {
                if (fd >= 0)
                        (void)close(fd);
                return 0;
        }
        while ((e = readdir(dir))) {
                char id[PL_ID_MAX];
                bool goes;

                if (!is_about(e->d_name, id))
                        continue;
                /* ID, ID.oom …: all go with the container; what is broken says of whom by its name
                 * alone */
                goes = has_end(e->d_name, ".bad")
                                       ? is_old(d, e->d_name, now_usec)
                                       : !keep(userdata, id) && may_go(d, e->d_name, now_usec);
                n += goes && unlinkat(d->fd, e->d_name, 0) >= 0;
        }
        (void)closedir(dir);
        return n;
}
