/* SPDX-License-Identifier: Apache-2.0 */

/*
 * impostor PID: becomes a process with that one's command line, and does nothing.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
        static char text[1 << 16];
        char path[64], *list[1024] = { NULL };
        size_t n = 0;
        ssize_t size;
        int fd;

        if (getenv("IMPOSTOR"))
                for (;;)
                        (void)pause();
        if (argc != 2)
                return 2;
        (void)snprintf(path, sizeof(path), "/proc/%s/cmdline", argv[1]);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (size <= 0)
                return 1;
        for (char *s = text; s < text + size && n < 1023; s += strlen(s) + 1)
                list[n++] = s;
        (void)setenv("IMPOSTOR", "yes", 1);
        (void)execv("/proc/self/exe", list);
        return 1;
}
