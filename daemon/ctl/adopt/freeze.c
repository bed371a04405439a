/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Adoption's freezer: containers stand still while nobody reads what they write.
 *
 * The cgroup's own control file, not the engine's pause: the engine would remember it, and it must
 * be possible to thaw them without an engine.
 */

#include "ctl/adopt/freeze.h"

#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/fs.h"
#include "cgroup/freezer.h"
#include "ctl/cli.h"

#define FREEZE_MSEC 10000

int pl_adopt_freezer_find(pid_t pid, const char *id, char **ret) {
        char *file = NULL;
        int r = pl_cg_freezer_find(pid, id, &file);

        if (r < 0)
                return r;
        if (access(file, W_OK) < 0) {
                r = -errno;
                free(file);
                return r;
        }
        if (pl_cg_freezer_is_frozen(file) == 1)
                *file = '\0';
        *ret = file;
        return 0;
}

static int write_state(const char *file, const char *value) {
        _cleanup_close_ int fd = open(file, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        return pl_fs_write_all(fd, value, strlen(value), NULL);
}

int pl_adopt_freeze(const char *file) {
        uint64_t until = pl_clock_usec(CLOCK_MONOTONIC) + FREEZE_MSEC * PL_USEC_PER_MSEC;

        for (;;) {
                /* on v1 a write again hurries tasks that have forked meanwhile */
                int r = write_state(file, pl_cg_freezer_is_v1(file) ? "FROZEN" : "1");

                if (r == 0)
                        r = pl_cg_freezer_is_frozen(file);
                if (r != 0)
                        return r < 0 ? r : 0;
                if (pl_clock_usec(CLOCK_MONOTONIC) > until)
                        return -ETIMEDOUT;
                pl_clock_sleep(5 * PL_USEC_PER_MSEC);
        }
}

int pl_adopt_thaw_all(const PlAdoptJournal *j) {
        int result = 0;

        for (size_t i = 0; i < j->n_items; i++) {
                const char *file = j->items[i].freezer;

                if (!file || !*file)
                        continue;
                int r = write_state(file, pl_cg_freezer_is_v1(file) ? "THAWED" : "0");
                if (r < 0 && r != -ENOENT && r != -ENODEV && result == 0)
                        result = r;
        }
        return result;
}
