/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The decision who stays held is lib/logs/rotated's.
 */

#include "rotate/rotated.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/fs.h"

#define RATIO_MAX 1032 /* of deflate: what says more is damaged */
#define FILES_MAX 1000 /* max-file of one container */
#define HELD_MAX  64   /* of one container: descriptors are for all */

void pl_rotated_deinit(PlRotatedFiles *r) {
        for (size_t i = 0; i < r->n; i++)
                pl_closep(&r->files[i].fd);
        free(r->files);
        *r = (PlRotatedFiles){ 0 };
}

uint64_t pl_log_unpacked_size(int fd, uint64_t size) {
        uint8_t b[4];

        if (size < 18 || pread(fd, b, sizeof(b), (off_t)(size - sizeof(b))) != sizeof(b))
                return 1;
        return PL_MIN(b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24,
                      size * RATIO_MAX);
}

int pl_log_unpack(int from, int to) {
        static char *const argv[] = { (char *)"gzip", (char *)"-dcq", NULL };
        posix_spawn_file_actions_t actions;
        int r, status;
        pid_t pid;

        if (lseek(from, 0, SEEK_SET) < 0)
                return -errno;
        if (posix_spawn_file_actions_init(&actions) != 0)
                return -ENOMEM;
        r = -posix_spawn_file_actions_adddup2(&actions, from, STDIN_FILENO);
        if (r == 0)
                r = -posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
        if (r == 0)
                r = -posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
                                                      O_WRONLY, 0);
        if (r == 0)
                r = -posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
        if (r < 0)
                return r;
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return status == 0 ? 0 : -EBADMSG;
}

static bool holds(const PlRotatedFiles *r, const struct stat *st) {
        for (size_t i = 0; i < r->n; i++)
                if (r->files[i].dev == st->st_dev && r->files[i].ino == st->st_ino)
                        return true;
        return false;
}

static int by_number(const void *a, const void *b) {
        const PlLogRotated *x = a, *y = b;

        return x->number < y->number ? -1 : x->number > y->number;
}

int pl_rotated_add(PlRotatedFiles *r, unsigned number, bool packed, int fd) {
        _cleanup_close_ int file = fd;
        PlLogRotated *bigger;
        struct stat st;

        if (fstat(file, &st) < 0)
                return -errno;
        if (holds(r, &st))
                return 0; /* it was renamed since */
        bigger = reallocarray(r->files, r->n + 1, sizeof(*bigger));
        if (!bigger)
                return -ENOMEM;
        r->files = bigger;
        bigger[r->n++] = (PlLogRotated){
                .number = number,
                .packed = packed,
                .dev = st.st_dev,
                .ino = st.st_ino,
                .bytes = packed ? pl_log_unpacked_size(file, (uint64_t)st.st_size)
                                : (uint64_t)st.st_size,
                .fd = TAKE_FD(file),
        };
        if (r->n > 1 && bigger[r->n - 2].number > number)
                qsort(bigger, r->n, sizeof(*bigger), by_number);
        return 0;
}

/* Gaps are passed over: a container that is being removed loses its files in any order. */
static int list(PlLogFile *log, const char *id, size_t max_files, PlRotatedFiles *ret) {
        int r = pl_rotated_add(ret, 0, false, TAKE_FD(log->fd));

        for (unsigned i = 1; r >= 0 && i < max_files; i++)
                for (int packed = 0; packed <= 1; packed++) {
                        int fd = pl_log_file_open_rotated(log, id, i, packed);

                        if (fd < 0)
                                continue;
                        r = pl_rotated_add(ret, i, packed, fd);
                        break; /* what is packed beside it is not whole yet */
                }
        return r;
}

/* Who was the live log has grown since. */
static void measure(PlRotatedFiles *r) {
        struct stat st;

        for (size_t i = 0; i < r->n; i++)
                if (!r->files[i].packed && fstat(r->files[i].fd, &st) == 0)
                        r->files[i].bytes = (uint64_t)st.st_size;
}

/* What is held beside what lies there. Return: 0; -ENOMEM. */
static int take_over(PlRotatedFiles *old, PlRotatedFiles *now, size_t max_files) {
        _cleanup_free_ bool *keep = calloc(old->n + 1, sizeof(*keep));
        PlLogRotated *bigger;

        if (!keep)
                return -ENOMEM;
        measure(old);
        if (pl_log_rotated_keep(old->files, old->n, now->files, now->n, max_files, keep) == 0)
                return 0;
        bigger = reallocarray(now->files, now->n + old->n, sizeof(*bigger));
        if (!bigger)
                return -ENOMEM;
        now->files = bigger;
        for (size_t i = 0; i < old->n; i++) {
                if (!keep[i])
                        continue;
                now->files[now->n] = old->files[i];
                now->files[now->n++].number++;
                old->files[i].fd = -EBADF;
        }
        qsort(now->files, now->n, sizeof(*now->files), by_number);
        return 0;
}

static void let_go_beyond(PlRotatedFiles *r, uint64_t max_bytes) {
        size_t n = PL_MIN(pl_log_rotated_within(r->files, r->n, max_bytes), (size_t)HELD_MAX);

        while (r->n > PL_MAX(n, (size_t)1)) {
                PlLogRotated *f = &r->files[--r->n];

                r->beyond_bytes += f->bytes;
                pl_closep(&f->fd);
        }
}

int pl_rotated_look(PlRotatedFiles *r, const char *path, const char *id, size_t max_files,
                    uint64_t max_bytes) {
        _cleanup_(pl_log_file_close) PlLogFile log = PL_LOG_FILE_INIT;
        PlRotatedFiles now = { 0 };
        struct stat st;
        int e = pl_log_file_open(path, id, false, &log);

        if (e < 0)
                return e;
        if (fstat(log.fd, &st) < 0)
                return -errno;
        if (r->n > 0 && r->files[0].dev == st.st_dev && r->files[0].ino == st.st_ino)
                return 0;
        max_files = PL_MIN(max_files, (size_t)FILES_MAX);
        e = list(&log, id, max_files, &now);
        if (e >= 0)
                e = take_over(r, &now, max_files);
        if (e < 0) {
                pl_rotated_deinit(&now);
                return e;
        }
        let_go_beyond(&now, max_bytes);
        pl_rotated_deinit(r);
        *r = now;
        return 1;
}

/* --- as one --- */

/* Records end where lines end; a file that was cut off does not. */
static int end_line(int fd, uint64_t *size) {
        char last;

        if (*size == 0 || pread(fd, &last, 1, (off_t)*size - 1) != 1 || last == '\n')
                return 0;
        (*size)++;
        return pwrite(fd, "\n", 1, (off_t)*size - 1) == 1 ? 0 : -errno;
}

/* @offset: of from. To where `to` stands. Return: 0; -errno. */
static int copy(int from, uint64_t offset, uint64_t bytes, int to) {
        char buf[KIB(64)];

        while (bytes > 0) {
                ssize_t n = pread(from, buf, PL_MIN(bytes, (uint64_t)sizeof(buf)), (off_t)offset);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0; /* shorter than it was: that is all */
                r = pl_fs_write_all(to, buf, (size_t)n, NULL);
                if (r < 0)
                        return r;
                offset += (uint64_t)n;
                bytes -= (uint64_t)n;
        }
        return 0;
}

/* @size: of `to`, where it stands. What our own archives hold of a log that was adopted, a marker
 * tells. */
static int join(const PlLogRotated *f, int to, uint64_t *size, uint64_t *dropped) {
        uint64_t from = 0, mark, gen, bytes;
        struct stat st;
        int r;

        if (f->packed) {
                r = pl_log_unpack(f->fd, to);
                if (fstat(to, &st) < 0)
                        return -errno;
                bytes = (uint64_t)st.st_size - *size;
                *dropped += f->bytes > bytes ? f->bytes - bytes : 0;
                r = r == -EBADMSG ? 0 : r;
        } else {
                if (fstat(f->fd, &st) < 0)
                        return -errno; /* the live log has grown since */
                r = pl_log_file_find_head(f->fd, 0, (uint64_t)st.st_size, &from, &mark, &gen);
                if (r >= 0)
                        r = copy(f->fd, from, (uint64_t)st.st_size - from, to);
        }
        if (r < 0)
                return r;
        if (fstat(to, &st) < 0)
                return -errno;
        *size = (uint64_t)st.st_size;
        r = end_line(to, size);
        return r < 0 ? r : lseek(to, (off_t)*size, SEEK_SET) < 0 ? -errno : 0;
}

int pl_rotated_join(PlRotatedFiles *r, PlLogStore *store, uint64_t max_bytes,
                    uint64_t *ret_dropped_bytes) {
        _cleanup_close_ int fd = pl_log_store_nameless(store);
        uint64_t dropped = r->beyond_bytes, size = 0;
        size_t n;
        int e;

        if (fd < 0)
                return fd;
        measure(r);
        n = pl_log_rotated_within(r->files, r->n, max_bytes);
        for (size_t i = n; i < r->n; i++)
                dropped += r->files[i].bytes;
        for (size_t i = n; i > 0; i--) {
                e = join(&r->files[i - 1], fd, &size, &dropped);
                if (e < 0)
                        return e;
        }
        *ret_dropped_bytes = dropped;
        return TAKE_FD(fd);
}
