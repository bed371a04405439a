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

static int lock(int fd, pid_t *reterr_pid) {
        if (flock(fd, LOCK_EX | LOCK_NB) >= 0)
                return 0;
        if (errno != EWOULDBLOCK)
                return -errno;
        *reterr_pid = holder(fd);
        return -EBUSY;
}

int pl_lock_directory(const char *path, int *ret_fd, pid_t *reterr_pid) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r = fd < 0 ? -errno : lock(fd, reterr_pid);

        if (r >= 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}

/* Readable, and two names never become one: what is no letter or digit is written in hex. */
static char *file_name(const char *name) {
        size_t n = 0;
        char *text = malloc(3 * strlen(name) + sizeof(".lock"));

        if (!text)
                return NULL;
        for (; *name; name++)
                if ((*name >= '0' && *name <= '9') || (*name >= 'A' && *name <= 'Z') ||
                    (*name >= 'a' && *name <= 'z') || *name == '-')
                        text[n++] = *name;
                else
                        n += (size_t)sprintf(text + n, "_%02x", (unsigned char)*name);
        memcpy(text + n, ".lock", sizeof(".lock"));
        return text;
}

/* It is shown to people, and root alone can write it. */
static void read_who(int fd, char ret[static PL_LOCK_WHO_MAX]) {
        ssize_t n = pread(fd, ret, PL_LOCK_WHO_MAX - 1, 0);

        ret[n > 0 ? n : 0] = '\0';
        ret[strcspn(ret, "\n")] = '\0';
}

int pl_lock_name(const char *dir, const char *name, const char *who, int *ret_fd, pid_t *reterr_pid,
                 char reterr_who[static PL_LOCK_WHO_MAX]) {
        _cleanup_close_ int dir_fd = -EBADF, fd = -EBADF;
        _cleanup_free_ char *file = file_name(name);
        int r;

        if (!file)
                return -ENOMEM;
        if (mkdir(dir, 0755) < 0 && errno != EEXIST)
                return -errno;
        dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                return -errno;
        fd = openat(dir_fd, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        r = lock(fd, reterr_pid);
        if (r == -EBUSY)
                read_who(fd, reterr_who);
        if (r < 0)
                return r;
        /* the lock is what counts; the word is a courtesy, also on a full disk */
        if (ftruncate(fd, 0) >= 0)
                (void)dprintf(fd, "%s\n", who);
        *ret_fd = TAKE_FD(fd);
        return 0;
}
