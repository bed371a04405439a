/* SPDX-License-Identifier: Apache-2.0 */

/*
 * systemctl(1), asked and told.
 */

#include "ctl/systemctl.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#define ARGUMENTS_MAX 48
#define OUTPUT_MAX    KIB(64)

extern char **environ;

static int read_all(int fd, char **ret) {
        _cleanup_free_ char *text = malloc(OUTPUT_MAX + 1);
        size_t n = 0;

        if (!text)
                return -ENOMEM;
        for (ssize_t got; n < OUTPUT_MAX; n += (size_t)got) {
                got = read(fd, text + n, OUTPUT_MAX - n);
                if (got < 0 && errno == EINTR)
                        got = 0;
                else if (got <= 0)
                        break;
        }
        while (n > 0 && text[n - 1] == '\n')
                n--;
        text[n] = '\0';
        *ret = TAKE_PTR(text);
        return 0;
}

bool pl_systemctl_is_there(void) {
        return access("/run/systemd/system", F_OK) == 0; /* as sd_booted(3) */
}

int pl_systemctl(const char *const *arguments, char **ret) {
        char *argv[ARGUMENTS_MAX + 2] = { (char *)"systemctl" };
        posix_spawn_file_actions_t actions;
        int pipe_fds[2], status = 0, r;
        pid_t pid;

        for (size_t i = 0; arguments[i] && i < ARGUMENTS_MAX; i++)
                argv[i + 1] = (char *)arguments[i];
        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return -errno;
        (void)posix_spawn_file_actions_init(&actions);
        (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        (void)posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
        /* a session of its own: a Ctrl-C is for us, who then ends it in good order */
        posix_spawnattr_t attributes;
        (void)posix_spawnattr_init(&attributes);
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
        r = -posix_spawnp(&pid, "systemctl", &actions, &attributes, argv, environ);
        (void)posix_spawnattr_destroy(&attributes);
        (void)posix_spawn_file_actions_destroy(&actions);
        (void)close(pipe_fds[1]);

        _cleanup_free_ char *text = NULL;
        if (r == 0)
                r = read_all(pipe_fds[0], &text);
        (void)close(pipe_fds[0]);
        if (r < 0)
                return r;
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        if (ret)
                *ret = TAKE_PTR(text);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

char *pl_systemctl_property(const char *unit, const char *property) {
        char *value = NULL;
        const char *const arguments[] = { "show", "--value", "--property", property,
                                          "--",   unit,      NULL };

        if (pl_systemctl(arguments, &value) != 0) {
                free(value);
                return NULL;
        }
        return value;
}
