/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Adoption's view of systemd: which unit the engine is, and what else stops with it.
 *
 * systemctl, not D-Bus: it waits for jobs, it works with every version, and what was done can be
 * typed by a person.
 */

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "ctl/adopt/parts.h"
#include "lib/base/unit.h"

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

int pl_adopt_run_systemctl(const char *const *arguments, char **ret) {
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

char *pl_adopt_unit_property(const char *unit, const char *property) {
        char *value = NULL;
        const char *const arguments[] = { "show", "--value", "--property", property,
                                          "--",   unit,      NULL };

        if (pl_adopt_run_systemctl(arguments, &value) != 0) {
                free(value);
                return NULL;
        }
        return value;
}

/* The last service in the process's group; its main process must be that very one. */
static char *unit_in(char *text) {
        char *line, *save = NULL, *found = NULL;

        for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *slash = strrchr(line, '/');
                size_t n = slash ? strlen(slash) : 0;

                if (n > strlen("/.service") && pl_streq(slash + n - strlen(".service"), ".service"))
                        found = slash + 1;
        }
        return found;
}

int pl_adopt_unit_of(pid_t pid, char **ret) {
        _cleanup_free_ char *path = NULL, *text = NULL, *main_pid = NULL;
        uint64_t n = 0;

        if (access("/run/systemd/system", F_OK) < 0)
                return -ENOENT;
        if (asprintf(&path, "/proc/%d/cgroup", (int)pid) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        FILE *f = fopen(path, "re");
        size_t size = 0;
        if (!f || getdelim(&text, &size, '\0', f) < 0) {
                if (f)
                        (void)fclose(f);
                return -ENOENT;
        }
        (void)fclose(f);
        char *unit = unit_in(text);
        if (!unit || *unit == '-')
                return -ENOENT;
        main_pid = pl_adopt_unit_property(unit, "MainPID");
        if (!main_pid || pl_parse_uint64(main_pid, &n) < 0 || n != (uint64_t)pid)
                return -ENOENT;
        *ret = strdup(unit);
        return *ret ? 0 : -ENOMEM;
}

static bool is_active(const char *unit) {
        const char *const arguments[] = { "is-active", "--quiet", "--", unit, NULL };

        return pl_adopt_run_systemctl(arguments, NULL) == 0;
}

bool pl_adopt_unit_restores(const char *unit, const char *triggers) {
        static const char *const properties[] = { "RequiredBy", "BoundBy", "ConsistsOf" };

        for (size_t i = 0; i < PL_ARRAY_SIZE(properties); i++) {
                _cleanup_free_ char *list = pl_adopt_unit_property(unit, properties[i]);
                char *word, *save = NULL;

                if (!list)
                        return false;
                for (word = strtok_r(list, " ", &save); word; word = strtok_r(NULL, " ", &save))
                        if (!strstr(triggers, word) && is_active(word))
                                return false;
        }
        return true;
}
