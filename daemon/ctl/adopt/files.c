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

void pl_adopt_run_deinit(PlAdoptRun *run) {
        const int fds[] = { run->state_dir, run->process_dir, run->out_fd, run->err_fd,
                            run->netns_fd };

        for (size_t i = 0; i < PL_ARRAY_SIZE(fds); i++)
                if (fds[i] >= 0)
                        (void)close(fds[i]);
        for (size_t i = 0; i < run->n_locks; i++)
                (void)close(run->locks[i]);
        free(run->locks);
        pl_adopt_journal_deinit(&run->journal);
        (void)pl_ctl_client_free(run->engine);
        free(run->socket);
        free(run->key);
        free(run->cmdline);
        free(run->environ);
        free(run->exe);
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

void pl_adopt_forget(PlAdoptRun *run) {
        _cleanup_free_ char *name = record_name(run);

        if (name)
                (void)unlinkat(run->state_dir, name, 0);
        (void)fsync(run->state_dir);
        for (const char *const *s = (const char *const[]){ "cmdline", "environ", "exe", NULL }; *s;
             s++) {
                _cleanup_free_ char *file = NULL;

                if (asprintf(&file, "%s.%s", run->key, *s) < 0) {
                        file = NULL;
                        continue;
                }
                (void)unlinkat(run->process_dir, file, 0);
        }
}
