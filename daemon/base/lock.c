/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lock: see the header.
 */

#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/base/macro.h"

/* flock(2) does not tell who holds it, /proc/locks does: "1: FLOCK  ADVISORY  WRITE PID MAJ:MIN:INO
 * 0 EOF", device numbers in hex (proc_locks(5)). Return: 0: not found. */
static pid_t holder(int fd) {
        FILE *f = fopen("/proc/locks", "re");
        char line[256];
        pid_t pid = 0;
        struct stat st;

        if (!f)
                return 0;
        if (fstat(fd, &st) < 0)
                st.st_ino = 0;
        while (pid == 0 && fgets(line, sizeof(line), f)) {
                unsigned major_nr, minor_nr;
                unsigned long long ino;
                int p;

                if (sscanf(line, "%*u: FLOCK %*s WRITE %d %x:%x:%llu", &p, &major_nr, &minor_nr,
                           &ino) == 4 &&
                    p > 0 && ino == st.st_ino && makedev(major_nr, minor_nr) == st.st_dev)
                        pid = p;
        }
        (void)fclose(f);
        return pid;
}

int pl_lock_directory(const char *path, int *ret_fd, pid_t *reterr_pid) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK)
                        return -errno;
                *reterr_pid = holder(fd);
                return -EBUSY;
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}
