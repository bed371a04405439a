/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Adoption's files: the record, each hostconfig.json, daemon.json.
 *
 * A copy is a hard link to the file as it was, and putting it back is a rename: owner, mode and
 * content are those of the original, and there is no moment without a whole file.
 */

#include "ctl/adopt/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "ctl/cli.h"

#define STATE_DIR   "/var/lib/plimsoll/adopt"
#define PROCESS_DIR "/run/plimsoll/adopt"
#define COPY        ".plimsoll-adopt"
#define FILE_MAX    MIB(4)

void pl_adopt_run_deinit(PlAdoptRun *run) {
        const int fds[] = { run->state_dir, run->process_dir, run->out_fd, run->err_fd,
                            run->netns_fd };

        for (size_t i = 0; i < PL_ARRAY_SIZE(fds); i++)
                if (fds[i] >= 0)
                        (void)close(fds[i]);
        pl_adopt_journal_deinit(&run->journal);
        (void)pl_ctl_client_free(run->engine);
        free(run->socket);
        free(run->key);
        free(run->cmdline);
        free(run->environ);
        free(run->config_text);
}

char *pl_adopt_boot_id(void) {
        char *text = NULL;

        if (pl_fs_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 4096, &text, NULL) < 0)
                return NULL;
        text[strcspn(text, "\n")] = '\0';
        return text;
}

static int make_dir(const char *path, mode_t mode) {
        _cleanup_free_ char *parent = strdup(path);

        if (!parent)
                return -ENOMEM;
        *strrchr(parent, '/') = '\0';
        if (mkdir(parent, 0755) < 0 && errno != EEXIST)
                return -errno;
        if (mkdir(path, mode) < 0 && errno != EEXIST)
                return -errno;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? -errno : fd;
}

int pl_adopt_open(PlAdoptRun *run) {
        int r = make_dir(STATE_DIR, 0700);

        if (r < 0)
                return r;
        run->state_dir = r;
        r = make_dir(PROCESS_DIR, 0700);
        if (r < 0)
                return r;
        run->process_dir = r;
        if (flock(run->state_dir, LOCK_EX | LOCK_NB) < 0) {
                pl_ctl_say("another adoption is under way; waiting for its end");
                if (flock(run->state_dir, LOCK_EX) < 0)
                        return -errno;
        }
        return 0;
}

static char *record_name(const PlAdoptRun *run) {
        char *name = NULL;

        return asprintf(&name, "%s.json", run->key) < 0 ? NULL : name;
}

int pl_adopt_load(PlAdoptRun *run) {
        _cleanup_free_ char *name = record_name(run), *text = NULL;
        PlAdoptJournal j;
        size_t size;
        int r = name ? pl_fs_read(run->state_dir, name, MIB(16), &text, &size) : -ENOMEM;

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = pl_adopt_journal_decode(text, size, &j);
        if (r < 0)
                return r;
        pl_adopt_journal_deinit(&run->journal);
        run->journal = j;
        return 1;
}

int pl_adopt_save(PlAdoptRun *run, PlAdoptPhase phase) {
        _cleanup_free_ char *name = record_name(run), *text = NULL;
        int r;

        run->journal.phase = phase;
        r = name ? pl_adopt_journal_encode(&run->journal, &text) : -ENOMEM;
        if (r < 0)
                return r;
        return pl_fs_replace(run->state_dir, name, text, strlen(text), 0600, true);
}

static char *hostconfig_path(const PlAdoptRun *run, const PlAdoptItem *item, const char *suffix) {
        char *path = NULL;

        if (asprintf(&path, "%s/containers/%s/hostconfig.json%s", run->journal.data_root, item->id,
                     suffix) < 0)
                return NULL;
        return path;
}

void pl_adopt_forget(PlAdoptRun *run) {
        _cleanup_free_ char *name = record_name(run);

        for (size_t i = 0; i < run->journal.n_items; i++) {
                _cleanup_free_ char *copy = hostconfig_path(run, &run->journal.items[i], COPY);

                if (copy)
                        (void)unlink(copy);
        }
        if (name)
                (void)unlinkat(run->state_dir, name, 0);
        (void)fsync(run->state_dir);
        for (const char *const *s = (const char *const[]){ "cmdline", "environ", NULL }; *s; s++) {
                _cleanup_free_ char *file = NULL;

                if (asprintf(&file, "%s.%s", run->key, *s) < 0) {
                        file = NULL;
                        continue;
                }
                (void)unlinkat(run->process_dir, file, 0);
        }
}

/* Makes the directory durable, so that the copy exists before the original changes. */
static int sync_dir_of(const char *path) {
        _cleanup_free_ char *dir = strdup(path);
        _cleanup_close_ int fd = -EBADF;

        if (!dir)
                return -ENOMEM;
        char *slash = strrchr(dir, '/');
        slash[slash == dir ? 1 : 0] = '\0';
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* The new text under the old name, owner and mode; the old file as copy. */
static int replace_keeping(const char *path, const char *copy, const char *text) {
        struct stat st;
        int r;

        if (lstat(path, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -ELOOP;
        if (unlink(copy) < 0 && errno != ENOENT)
                return -errno;
        if (link(path, copy) < 0)
                return -errno;
        r = sync_dir_of(copy);
        if (r < 0)
                return r;
        r = pl_fs_replace(AT_FDCWD, path, text, strlen(text), st.st_mode & 07777, true);
        if (r == 0 && (st.st_uid != 0 || st.st_gid != 0) && lchown(path, st.st_uid, st.st_gid) < 0)
                r = -errno;
        return r;
}

int pl_adopt_rewrite(const PlAdoptRun *run, const PlAdoptItem *item) {
        _cleanup_free_ char *path = hostconfig_path(run, item, ""), *text = NULL, *new = NULL;
        _cleanup_free_ char *copy = hostconfig_path(run, item, COPY);
        size_t size;
        int r = path && copy ? pl_fs_read(AT_FDCWD, path, FILE_MAX, &text, &size) : -ENOMEM;

        if (r == 0)
                r = pl_adopt_hostconfig(text, size, &item->sizes, &new);
        return r < 0 ? r : replace_keeping(path, copy, new);
}

static int restore(const char *copy, const char *path) {
        if (rename(copy, path) < 0)
                return errno == ENOENT ? 0 : -errno;
        (void)unlink(copy); /* rename(2) does nothing if both are one file */
        return sync_dir_of(path);
}

int pl_adopt_put_back(const PlAdoptRun *run) {
        int result = 0;

        for (size_t i = 0; i < run->journal.n_items; i++) {
                _cleanup_free_ char *path = hostconfig_path(run, &run->journal.items[i], "");
                _cleanup_free_ char *copy = hostconfig_path(run, &run->journal.items[i], COPY);
                int r = path && copy ? restore(copy, path) : -ENOMEM;

                if (r < 0 && result == 0)
                        result = r;
        }
        return result;
}

/* ---- daemon.json ---- */

int pl_adopt_config_install(const PlAdoptRun *run) {
        const PlAdoptJournal *j = &run->journal;
        int r;

        if (!run->config_text)
                return 0;
        if (j->config_existed)
                return replace_keeping(j->config, j->config_backup, run->config_text);
        _cleanup_free_ char *dir = strdup(j->config);
        if (!dir)
                return -ENOMEM;
        *strrchr(dir, '/') = '\0';
        if (*dir && mkdir(dir, 0755) < 0 && errno != EEXIST)
                return -errno;
        r = pl_fs_replace(AT_FDCWD, j->config, run->config_text, strlen(run->config_text), 0644,
                          true);
        return r;
}

int pl_adopt_config_safe(const PlAdoptRun *run) {
        const PlAdoptJournal *j = &run->journal;
        _cleanup_free_ char *text = NULL, *safe = NULL;
        size_t size = 0;
        int r;

        if (!j->config_backup || !*j->config_backup)
                return 0;
        if (j->config_existed) {
                r = pl_fs_read(AT_FDCWD, j->config_backup, FILE_MAX, &text, &size);
                if (r < 0) /* no copy yet: the file is the original */
                        return r == -ENOENT ? 0 : r;
        }
        r = pl_adopt_daemon_json(text ?: "", size, &run->flags, NULL, NULL, &safe);
        if (r < 0)
                return r;
        const char *content = safe ?: text;
        struct stat st = { .st_mode = 0644 };
        if (!content)
                return 0;
        if (stat(j->config, &st) < 0 && errno != ENOENT)
                return -errno;
        r = pl_fs_replace(AT_FDCWD, j->config, content, strlen(content), st.st_mode & 07777, true);
        if (r == 0 && (st.st_uid != 0 || st.st_gid != 0))
                r = lchown(j->config, st.st_uid, st.st_gid) < 0 ? -errno : 0;
        return r;
}

int pl_adopt_config_put_back(const PlAdoptRun *run) {
        const PlAdoptJournal *j = &run->journal;

        if (!j->config_backup || !*j->config_backup)
                return 0;
        if (j->config_existed)
                return restore(j->config_backup, j->config);
        if (unlink(j->config) < 0 && errno != ENOENT)
                return -errno;
        return 0;
}
