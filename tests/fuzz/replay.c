/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Replays a corpus through a fuzz harness, without a fuzzer: one call per file of a directory.
 *
 * It exists so that what a fuzzer once found stays found in every build, with gcc too and under
 * every sanitizer. A corpus without files is a failure: it would prove nothing.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base/macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(int dir_fd, const char *name) {
        _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
        _cleanup_free_ uint8_t *data = NULL;
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return 0;
        /* exactly as large as the input, so that a read behind its end is caught */
        data = malloc(st.st_size ? (size_t)st.st_size : 1);
        if (!data)
                return -ENOMEM;
        if (read(fd, data, (size_t)st.st_size) != st.st_size)
                return -EIO;
        (void)LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
        return 1;
}

int main(int argc, char **argv) {
        DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
        unsigned done = 0, failed = 0;

        if (!dir) {
                fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
                return 2;
        }
        for (const struct dirent *e; (e = readdir(dir));) {
                int r = e->d_name[0] == '.' ? 0 : replay(dirfd(dir), e->d_name);

                if (r < 0) {
                        fprintf(stderr, "%s: %s\n", e->d_name, strerror(-r));
                        failed++;
                }
                done += r > 0;
        }
        (void)closedir(dir);
        printf("100%%: Checks: %u, Failures: %u, Errors: 0\n", done + failed, failed);
        return failed || !done ? 1 : 0;
}
