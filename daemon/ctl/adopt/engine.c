/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Adoption's engine: asked, told to read its file again, stopped, started.
 */

#include "ctl/adopt/engine.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "ctl/systemctl.h"
#include "lib/base/unit.h"

/* ---- a dockerd that systemd does not run ---- */

/* How it was started is read from /proc, and it is started again in the same way. */

#define CMDLINE_MAX MIB(2) /* the kernel's own limit on most hosts */

extern char **environ;

static char *proc_path(pid_t pid, const char *name) {
        char *path = NULL;

        return asprintf(&path, "/proc/%d/%s", (int)pid, name) < 0 ? NULL : path;
}

static int read_proc(pid_t pid, const char *name, char **ret, size_t *ret_size) {
        _cleanup_free_ char *path = proc_path(pid, name);

        return path ? pl_fs_read(AT_FDCWD, path, CMDLINE_MAX, ret, ret_size) : -ENOMEM;
}

/* A name for a network namespace that outlives its process; else the process's own link, which can
 * only be opened as long as it lives. */
static char *name_of_netns(pid_t pid, const struct stat *ns) {
        DIR *dir = opendir("/run/netns");
        char *path = NULL;

        for (const struct dirent *e; dir && !path && (e = readdir(dir));) {
                struct stat st;

                if (fstatat(dirfd(dir), e->d_name, &st, 0) == 0 && st.st_ino == ns->st_ino &&
                    st.st_dev == ns->st_dev && asprintf(&path, "/run/netns/%s", e->d_name) < 0)
                        path = NULL;
        }
        if (dir)
                (void)closedir(dir);
        return path ?: proc_path(pid, "ns/net");
}

static int read_netns(PlAdoptRun *run, pid_t pid) {
        _cleanup_free_ char *path = proc_path(pid, "ns/net");
        struct stat theirs, ours;

        if (!path)
                return -ENOMEM;
        if (stat(path, &theirs) < 0 || stat("/proc/self/ns/net", &ours) < 0)
                return -errno;
        if (theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev)
                return 0;
        run->netns_fd = open(path, O_RDONLY | O_CLOEXEC);
        if (run->netns_fd < 0)
                return -errno;
        run->journal.netns = name_of_netns(pid, &theirs);
        return run->journal.netns ? 0 : -ENOMEM;
}

/* Where it wrote to: a file, a terminal or a pipe can be opened again. */
static int open_output(pid_t pid, const char *name) {
        _cleanup_free_ char *path = proc_path(pid, name);

        return path ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
}

static void make_blocking(int fd) {
        int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

        if (flags >= 0)
                (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/* The path of its program; an upgrade leaves " (deleted)" behind it. NULL: unknown. */
static char *read_exe(pid_t pid) {
        static const char gone[] = " (deleted)";
        _cleanup_free_ char *link = proc_path(pid, "exe");
        char path[PATH_MAX];
        ssize_t n = link ? readlink(link, path, sizeof(path) - 1) : -1;

        if (n < 0)
                return NULL;
        path[n] = '\0';
        if ((size_t)n > strlen(gone) && pl_streq(path + n - strlen(gone), gone))
                path[(size_t)n - strlen(gone)] = '\0';
        return strdup(path);
}

int pl_adopt_process_read(PlAdoptRun *run, pid_t pid) {
        _cleanup_free_ char *link = proc_path(pid, "cwd");
        char cwd[PATH_MAX];
        ssize_t n;
        int r;

        if (!link)
                return -ENOMEM;
        r = read_proc(pid, "cmdline", &run->cmdline, &run->cmdline_size);
        if (r == 0)
                r = read_proc(pid, "environ", &run->environ, &run->environ_size);
        if (r == 0)
                r = read_netns(run, pid);
        if (r < 0)
                return r;
        if (run->cmdline_size == 0)
                return -ESRCH;
        free(run->exe);
        run->exe = read_exe(pid);
        if (!run->exe)
                return -ESRCH;
        n = readlink(link, cwd, sizeof(cwd) - 1);
        if (n < 0)
                return -errno;
        cwd[n] = '\0';
        free(run->journal.cwd);
        run->journal.cwd = strdup(cwd);
        if (!run->journal.cwd)
                return -ENOMEM;
        run->out_fd = open_output(pid, "fd/1");
        run->err_fd = open_output(pid, "fd/2");
        make_blocking(run->out_fd);
        make_blocking(run->err_fd);
        run->has_limits = true;
        for (int i = 0; i < RLIM_NLIMITS; i++)
                if (prlimit(pid, (__rlimit_resource_t)i, NULL, &run->limits[i]) < 0)
                        run->has_limits = false;
        return 0;
}

static int keep(const PlAdoptRun *run, const char *suffix, const char *data, size_t size) {
        _cleanup_free_ char *name = NULL;

        if (asprintf(&name, "%s.%s", run->key, suffix) < 0) {
                name = NULL;
                return -ENOMEM;
        }
        return pl_fs_replace(run->process_dir, name, data, size, 0600, false);
}

int pl_adopt_process_keep(const PlAdoptRun *run) {
        int r = keep(run, "cmdline", run->cmdline, run->cmdline_size);

        if (r == 0)
                r = keep(run, "environ", run->environ, run->environ_size);
        return r < 0 || !run->exe ? r : keep(run, "exe", run->exe, strlen(run->exe));
}

static int recall(const PlAdoptRun *run, const char *suffix, char **ret, size_t *ret_size) {
        _cleanup_free_ char *name = NULL;

        if (asprintf(&name, "%s.%s", run->key, suffix) < 0) {
                name = NULL;
                return -ENOMEM;
        }
        return pl_fs_read(run->process_dir, name, CMDLINE_MAX, ret, ret_size);
}

int pl_adopt_process_recall(PlAdoptRun *run) {
        int r = 0;

        if (!run->cmdline)
                r = recall(run, "cmdline", &run->cmdline, &run->cmdline_size);
        if (r == 0 && !run->environ)
                r = recall(run, "environ", &run->environ, &run->environ_size);
        if (r == 0 && !run->exe)
                (void)recall(run, "exe", &run->exe, NULL); /* an older one did not keep it */
        return r;
}

/* Real, effective, saved and of files: of a process that cannot be dumped, the owner of /proc/PID
 * says nothing. */
static bool is_of_root(pid_t pid) {
        _cleanup_free_ char *text = NULL;

        return read_proc(pid, "status", &text, NULL) == 0 && strstr(text, "\nUid:\t0\t0\t0\t0\n");
}

/* Whoever is in a container is not. */
static bool is_beside_us(pid_t pid) {
        for (const char *const *s = (const char *const[]){ "ns/mnt", "ns/pid", "ns/user", NULL };
             *s; s++) {
                _cleanup_free_ char *theirs = proc_path(pid, *s), *ours = proc_path(getpid(), *s);
                struct stat a, b;

                if (!theirs || !ours || stat(theirs, &a) < 0 || stat(ours, &b) < 0 ||
                    a.st_ino != b.st_ino || a.st_dev != b.st_dev)
                        return false;
        }
        return true;
}

/* Anybody may have its command line; so it is root's, outside of all containers, and runs the same
 * program. */
static bool is_engine(const PlAdoptRun *run, pid_t pid) {
        _cleanup_free_ char *text = NULL, *exe = NULL;
        size_t size = 0;

        if (read_proc(pid, "cmdline", &text, &size) < 0 || size == 0 || size != run->cmdline_size ||
            memcmp(text, run->cmdline, size) != 0 || !is_of_root(pid) || !is_beside_us(pid))
                return false;
        exe = read_exe(pid);
        return exe && (!run->exe || pl_streq(exe, run->exe));
}

/* 0: it does not run */
static pid_t process_find(const PlAdoptRun *run) {
        DIR *dir = opendir("/proc");
        pid_t found = 0;

        for (const struct dirent *e; dir && found == 0 && (e = readdir(dir));) {
                pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

                if (isdigit((unsigned char)e->d_name[0]) && is_engine(run, pid))
                        found = pid;
        }
        if (dir)
                (void)closedir(dir);
        return found;
}

/* The number may be another's by now: the descriptor is not, and what it is of is looked at again.
 */
static int process_stop(const PlAdoptRun *run) {
        pid_t pid = process_find(run);
        _cleanup_close_ int fd = pid > 0 ? pidfd_open(pid, 0) : -1;

        if (pid == 0)
                return 0;
        if (fd < 0)
                return errno == ESRCH ? 0 : -errno;
        if (!is_engine(run, pid))
                return 0;
        return pidfd_send_signal(fd, SIGTERM, NULL, 0) < 0 && errno != ESRCH ? -errno : 0;
}

/* Strings that are ended by NULs, as execve(2) wants them; the last of them is ended by fs.c's. */
static char **split(char *data, size_t size) {
        size_t n = 0;

        for (size_t i = 0; i < size; i += strlen(data + i) + 1)
                n++;
        char **list = calloc(n + 1, sizeof(*list));
        n = 0;
        for (size_t i = 0; list && i < size; i += strlen(data + i) + 1)
                list[n++] = data + i;
        return list;
}

static void to(int fd, int target, int flags) {
        int from = fd >= 0 ? fd : open("/dev/null", flags | O_CLOEXEC | O_NOCTTY);

        if (from >= 0)
                (void)dup2(from, target);
}

static void become_engine(const PlAdoptRun *run, char **argv, char **envp) {
        const PlAdoptJournal *j = &run->journal;
        sigset_t none;
        int ns = run->netns_fd;

        (void)setsid();
        if (ns < 0 && j->netns && *j->netns)
                ns = open(j->netns, O_RDONLY | O_CLOEXEC);
        /* in another network it would not be the same engine */
        if (j->netns && *j->netns && (ns < 0 || setns(ns, CLONE_NEWNET) < 0))
                _exit(126);
        if (chdir(j->cwd && *j->cwd ? j->cwd : "/") < 0 && chdir("/") < 0)
                _exit(126);
        for (int i = 1; i < NSIG; i++)
                (void)signal(i, SIG_DFL);
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        for (int i = 0; run->has_limits && i < RLIM_NLIMITS; i++)
                (void)setrlimit((__rlimit_resource_t)i, &run->limits[i]);
        to(-1, STDIN_FILENO, O_RDONLY);
        to(run->out_fd, STDOUT_FILENO, O_WRONLY);
        to(run->err_fd, STDERR_FILENO, O_WRONLY);
        (void)close_range(3, UINT32_MAX, 0);
        environ = envp;
        (void)execvp(argv[0], argv);
        _exit(127);
}

/* Return: 0 when it was started, which says nothing of its success. */
static int process_start(const PlAdoptRun *run) {
        char **argv = split(run->cmdline, run->cmdline_size);
        char **envp = split(run->environ, run->environ_size);
        int status, r = argv && envp && argv[0] ? 0 : -ENOMEM;
        pid_t pid = -1;

        if (r == 0 && (pid = fork()) < 0)
                r = -errno;
        if (pid == 0) { /* twice: it shall be init's child */
                if (fork() == 0)
                        become_engine(run, argv, envp);
                _exit(0);
        }
        if (r == 0)
                while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                        ;
        free(argv);
        free(envp);
        return r;
}

/* dockerd gives itself 15 s for its containers, and a loaded host more. */
#define STOP_MSEC  90000
#define START_MSEC 90000
#define LOOK_MSEC  100
/* A supervisor other than systemd would have started it again by then. */
#define AFTER_STOP_MSEC 300
/* How long the process may be gone before we give up. */
#define GONE_MSEC 3000

int pl_adopt_get(PlAdoptRun *run, const char *path, json_t **ret) {
        long code = 0;
        json_t *j = NULL;
        int r = pl_ctl_client_request(run->engine, "GET", path, &code, &j);

        if (r < 0)
                return r;
        if (code != 200) {
                json_decref(j);
                return code == 404 ? -ENOENT : -EREMOTEIO;
        }
        *ret = j;
        return 0;
}

bool pl_adopt_answers(PlAdoptRun *run) {
        json_t *j = NULL;
        int r;

        /* under systemd a connection alone would start it */
        if (pl_adopt_engine_pid(run) == 0)
                return false;
        r = pl_adopt_get(run, "/version", &j);
        json_decref(j);
        return r == 0;
}

static bool has_unit(const PlAdoptRun *run) {
        return run->journal.unit && *run->journal.unit;
}

pid_t pl_adopt_engine_pid(const PlAdoptRun *run) {
        uint64_t pid = 0;

        if (!has_unit(run))
                return run->cmdline ? process_find(run) : 0;
        _cleanup_free_ char *text = pl_systemctl_property(run->journal.unit, "MainPID");
        return text && pl_parse_uint64(text, &pid) == 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

/* systemctl VERB SOCKET… SERVICE */
static int systemctl(const PlAdoptRun *run, const char *verb) {
        const char *arguments[16] = { verb, "--" };
        _cleanup_free_ char *triggers = strdup(run->journal.triggers ?: "");
        char *word, *save = NULL;
        size_t n = 2;

        if (!triggers)
                return -ENOMEM;
        for (word = strtok_r(triggers, " ", &save); word && n < PL_ARRAY_SIZE(arguments) - 2;
             word = strtok_r(NULL, " ", &save))
                arguments[n++] = word;
        arguments[n] = run->journal.unit;
        int r = pl_systemctl(arguments, NULL);
        return r <= 0 ? r : -EIO;
}

static int wait_gone(PlAdoptRun *run) {
        uint64_t until = pl_clock_usec(CLOCK_MONOTONIC) + STOP_MSEC * PL_USEC_PER_MSEC;

        while (pl_adopt_engine_pid(run) != 0) {
                if (pl_clock_usec(CLOCK_MONOTONIC) > until)
                        return -ETIMEDOUT;
                pl_clock_sleep(LOOK_MSEC * PL_USEC_PER_MSEC);
        }
        return 0;
}

int pl_adopt_engine_stop(PlAdoptRun *run) {
        int r;

        if (has_unit(run)) {
                r = systemctl(run, "stop");
                return r < 0 ? r : wait_gone(run);
        }
        r = run->cmdline ? process_stop(run) : 0;
        if (r == 0)
                r = wait_gone(run);
        if (r < 0)
                return r;
        pl_clock_sleep(AFTER_STOP_MSEC * PL_USEC_PER_MSEC);
        return pl_adopt_engine_pid(run) == 0 ? 0 : -EBUSY;
}

static int wait_up(PlAdoptRun *run) {
        uint64_t until = pl_clock_usec(CLOCK_MONOTONIC) + START_MSEC * PL_USEC_PER_MSEC,
                 seen = pl_clock_usec(CLOCK_MONOTONIC);

        for (;;) {
                if (pl_adopt_engine_pid(run) != 0)
                        seen = pl_clock_usec(CLOCK_MONOTONIC);
                if (pl_adopt_answers(run))
                        return 0;
                if (pl_clock_usec(CLOCK_MONOTONIC) > seen + GONE_MSEC * PL_USEC_PER_MSEC)
                        return -ECHILD;
                if (pl_clock_usec(CLOCK_MONOTONIC) > until)
                        return -ETIMEDOUT;
                pl_clock_sleep(LOOK_MSEC * PL_USEC_PER_MSEC);
        }
}

int pl_adopt_engine_start(PlAdoptRun *run) {
        int r;

        if (has_unit(run)) {
                /* stops and starts count against its start limit */
                (void)systemctl(run, "reset-failed");
                r = systemctl(run, "start");
        } else if (pl_adopt_engine_pid(run) == 0)
                r = process_start(run);
        else
                r = 0;
        return r < 0 ? r : wait_up(run);
}
