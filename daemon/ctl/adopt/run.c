/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Adoption's sequence, what is done after an accident, and the guardian beside it.
 *
 * An accident: a step failed, the operator's process died, or the host did. The record says how far
 * it came; lib/adopt/rules.h says which way from there. Each way may be interrupted and
 * taken again. Whatever happens, containers are thawed in the end, and an engine is never started
 * without live-restore while they run: it would kill them.
 *
 * The guardian is a process in a session of its own that holds the other end of a pipe. When the
 * operator's process dies or hangs, it does what the record says. A signal that asks to end takes
 * effect between two steps, as long as there is something to undo.
 */

#include "ctl/adopt/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/point.h"
#include "ctl/adopt/engine.h"
#include "ctl/adopt/freeze.h"
#include "ctl/adopt/log.h"
#include "ctl/cli.h"

/* Longer than any step may take. */
#define GUARDIAN_MSEC     240000
#define LIVE_RESTORE_MSEC 15000
#define REST_MSEC         30000 /* a full pipe takes the engine this long at the most */
#define LOOK_MSEC         100
#define QUIET_LOOKS       5
#define COPY              ".plimsoll-adopt"
#define FILE_MAX          MIB(4)
#define DONE              'd'
#define STEP              's'

static volatile sig_atomic_t interrupted;

static void on_signal(int signal) {
        interrupted = 1;
}

/* ---- files of the engine, each with a copy beside it ---- */

static char *hostconfig_path(const PlAdoptRun *run, const PlAdoptItem *item, const char *suffix) {
        char *path = NULL;

        if (asprintf(&path, "%s/containers/%s/hostconfig.json%s", run->journal.data_root, item->id,
                     suffix) < 0)
                return NULL;
        return path;
}

/* Makes the directory durable, so that the copy exists before the original changes. */
static int sync_dir_of(const char *path) {
        _cleanup_free_ char *dir = strdup(path);
        _cleanup_close_ int fd = -EBADF;

        if (!dir)
                return -ENOMEM;
        char *slash = strrchr(dir, '/');
        slash[slash == dir ? 1 : 0] = '\0';
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* The new text under the old name, owner and mode; the old file as copy. */
static int replace_keeping(const char *path, const char *copy, const char *text) {
        struct stat st;
        int r;

        if (lstat(path, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -ELOOP;
        if (unlink(copy) < 0 && errno != ENOENT)
                return -errno;
        if (link(path, copy) < 0)
                return -errno;
        r = sync_dir_of(copy);
        if (r < 0)
                return r;
        r = pl_fs_replace(AT_FDCWD, path, text, strlen(text), st.st_mode & 07777, true);
        if (r == 0 && (st.st_uid != 0 || st.st_gid != 0) && lchown(path, st.st_uid, st.st_gid) < 0)
                r = -errno;
        return r;
}

/* One container's hostconfig.json, with a copy beside it. Return: 0, -EBADMSG, -errno. */
static int rewrite_hostconfig(const PlAdoptRun *run, const PlAdoptItem *item) {
        _cleanup_free_ char *path = hostconfig_path(run, item, ""), *text = NULL, *new = NULL;
        _cleanup_free_ char *copy = hostconfig_path(run, item, COPY);
        size_t size;
        int r = path && copy ? pl_fs_read(AT_FDCWD, path, FILE_MAX, &text, &size) : -ENOMEM;

        if (r == 0)
                r = pl_adopt_hostconfig(text, size, &item->sizes, &new);
        return r < 0 ? r : replace_keeping(path, copy, new);
}

static int restore(const char *copy, const char *path) {
        if (rename(copy, path) < 0)
                return errno == ENOENT ? 0 : -errno;
        (void)unlink(copy); /* rename(2) does nothing if both are one file */
        return sync_dir_of(path);
}

/* Every hostconfig.json of which there is a copy. Return: 0 or the first error. */
static int put_back_hostconfigs(const PlAdoptRun *run) {
        int result = 0;

        for (size_t i = 0; i < run->journal.n_items; i++) {
                _cleanup_free_ char *path = hostconfig_path(run, &run->journal.items[i], "");
                _cleanup_free_ char *copy = hostconfig_path(run, &run->journal.items[i], COPY);
                int r = path && copy ? restore(copy, path) : -ENOMEM;

                if (r < 0 && result == 0)
                        result = r;
        }
        return result;
}

static int config_install(const PlAdoptRun *run) {
        const PlAdoptJournal *j = &run->journal;
        int r;

        if (!run->config_text)
                return 0;
        if (j->config_existed)
                return replace_keeping(j->config, j->config_backup, run->config_text);
        _cleanup_free_ char *dir = strdup(j->config);
        if (!dir)
                return -ENOMEM;
        *strrchr(dir, '/') = '\0';
        if (*dir && mkdir(dir, 0755) < 0 && errno != EEXIST)
                return -errno;
        r = pl_fs_replace(AT_FDCWD, j->config, run->config_text, strlen(run->config_text), 0644,
                          true);
        return r;
}

/* daemon.json as it was, but with live-restore: an engine that starts without it kills what
 * runs. */
static int config_safe(const PlAdoptRun *run) {
        const PlAdoptJournal *j = &run->journal;
        _cleanup_free_ char *text = NULL, *safe = NULL;
        size_t size = 0;
        int r;

        if (!j->config_backup || !*j->config_backup)
                return 0;
        if (j->config_existed) {
                r = pl_fs_read(AT_FDCWD, j->config_backup, FILE_MAX, &text, &size);
                if (r < 0) /* no copy yet: the file is the original */
                        return r == -ENOENT ? 0 : r;
        }
        r = pl_adopt_daemon_json(text ?: "", size, &run->flags, NULL, NULL, &safe);
        if (r < 0)
                return r;
        const char *content = safe ?: text;
        struct stat st = { .st_mode = 0644 };
        if (!content)
                return 0;
        if (stat(j->config, &st) < 0 && errno != ENOENT)
                return -errno;
        r = pl_fs_replace(AT_FDCWD, j->config, content, strlen(content), st.st_mode & 07777, true);
        if (r == 0 && (st.st_uid != 0 || st.st_gid != 0))
                r = lchown(j->config, st.st_uid, st.st_gid) < 0 ? -errno : 0;
        return r;
}

static int config_put_back(const PlAdoptRun *run) {
        const PlAdoptJournal *j = &run->journal;

        if (!j->config_backup || !*j->config_backup)
                return 0;
        if (j->config_existed)
                return restore(j->config_backup, j->config);
        if (unlink(j->config) < 0 && errno != ENOENT)
                return -errno;
        return 0;
}

/* It is over: the record and the copies go. */
static void forget(PlAdoptRun *run) {
        for (size_t i = 0; i < run->journal.n_items; i++) {
                _cleanup_free_ char *copy = hostconfig_path(run, &run->journal.items[i], COPY);

                if (copy)
                        (void)unlink(copy);
        }
        pl_adopt_forget(run);
}

/* ---- steps ---- */

static int verify_one(PlAdoptRun *run, const PlAdoptItem *item) {
        _cleanup_free_ char *path = NULL;
        char want[24];
        json_t *j = NULL;
        int r;

        if (asprintf(&path, "/containers/%s/json", item->id) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = pl_adopt_get(run, path, &j);
        if (r < 0)
                return r == -ENOENT ? 0 : r; /* it was told to go when it ends */
        const char *size = NULL;
        int pid = 0;
        (void)json_unpack(j, "{s:{s:{s:{s:s}}}}", "HostConfig", "LogConfig", "Config", "max-size",
                          &size);
        (void)json_unpack(j, "{s:{s:i}}", "State", "Pid", &pid);
        (void)snprintf(want, sizeof(want), "%" PRIu64, item->sizes.max_size_bytes);
        if (item->adopt && !pl_streq_null(size, want))
                r = -EBADMSG;
        json_decref(j);
        if (r == 0 && item->pid > 0 && pid != item->pid)
                pl_ctl_say("%s: it has ended meanwhile and was started again", item->name);
        return r;
}

/* By inspect: sizes, and the same process. Return: 0 or -EBADMSG, said. */
static int verify(PlAdoptRun *run) {
        for (size_t i = 0; i < run->journal.n_items; i++) {
                int r = verify_one(run, &run->journal.items[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

static bool has_live_restore(PlAdoptRun *run) {
        json_t *j = NULL;
        bool on = pl_adopt_get(run, "/info", &j) == 0 &&
                  json_is_true(json_object_get(j, "LiveRestoreEnabled"));

        json_decref(j);
        return on;
}

static int configure(PlAdoptRun *run) {
        uint64_t until = pl_clock_usec(CLOCK_MONOTONIC) + LIVE_RESTORE_MSEC * PL_USEC_PER_MSEC;
        pid_t pid = pl_adopt_engine_pid(run);
        int r = config_install(run);

        pl_point("configuring");
        if (r < 0)
                return r;
        if (pid == 0)
                return -ESRCH;
        if ((run->config_text || !has_live_restore(run)) && kill(pid, SIGHUP) < 0)
                return -errno;
        while (!has_live_restore(run)) {
                if (pl_clock_usec(CLOCK_MONOTONIC) > until) {
                        pl_ctl_say("the engine did not take up live-restore; its log says why");
                        return -ETIMEDOUT;
                }
                pl_clock_sleep(100 * PL_USEC_PER_MSEC);
        }
        return 0;
}

/* Somebody may have started a container since the plan was made. */
static int nobody_else_runs(PlAdoptRun *run) {
        json_t *list = NULL, *c;
        size_t i;
        int r = pl_adopt_get(run, "/containers/json", &list);

        json_array_foreach(list, i, c) {
                const char *id = json_string_value(json_object_get(c, "Id"));
                bool known = false;

                for (size_t k = 0; id && k < run->journal.n_items; k++)
                        known = known || (run->journal.items[k].pid > 0 &&
                                          pl_streq(run->journal.items[k].id, id));
                if (!known)
                        r = -EAGAIN;
        }
        json_decref(list);
        if (r == -EAGAIN)
                pl_ctl_say("a container was started meanwhile; try again");
        return r;
}

static uint64_t bytes_in(char *path) {
        struct stat st;
        uint64_t sum = 0;

        if (path && stat(path, &st) == 0)
                sum = (uint64_t)st.st_size + (uint64_t)st.st_ino;
        free(path);
        return sum;
}

/* What the engine has written so far: the files of both drivers that write files. */
static uint64_t bytes_of(const PlAdoptRun *run) {
        uint64_t sum = 0;

        for (size_t i = 0; i < run->journal.n_items; i++) {
                const char *root = run->journal.data_root, *id = run->journal.items[i].id;
                char *json = NULL, *local = NULL;

                if (asprintf(&json, "%s/containers/%s/%s-json.log", root, id, id) < 0)
                        json = NULL;
                if (asprintf(&local, "%s/containers/%s/local-logs/container.log", root, id) < 0)
                        local = NULL;
                sum += bytes_in(json) + bytes_in(local);
        }
        return sum;
}

/* Until no log of the record's containers grows. Return: 0, -ETIMEDOUT. */
static int logs_at_rest(const PlAdoptRun *run) {
        uint64_t until = pl_clock_usec(CLOCK_MONOTONIC) + REST_MSEC * PL_USEC_PER_MSEC,
                 last = bytes_of(run);

        for (unsigned quiet = 0; quiet < QUIET_LOOKS;) {
                pl_clock_sleep(LOOK_MSEC * PL_USEC_PER_MSEC);
                uint64_t now = bytes_of(run);
                quiet = now == last ? quiet + 1 : 0;
                last = now;
                if (pl_clock_usec(CLOCK_MONOTONIC) > until)
                        return -ETIMEDOUT;
        }
        return 0;
}

static int freeze(PlAdoptRun *run) {
        for (size_t i = 0; i < run->journal.n_items; i++) {
                const char *file = run->journal.items[i].freezer;

                if (!file || !*file)
                        continue;
                int r = pl_adopt_freeze(file);
                if (r < 0 && r != -ENOENT && r != -ENODEV)
                        return r;
                pl_point("freezing");
        }
        int r = nobody_else_runs(run);
        return r < 0 ? r : logs_at_rest(run);
}

static int stop(PlAdoptRun *run) {
        int r = pl_adopt_save(run, PL_ADOPT_STOPPING);

        pl_point("stopping");
        return r < 0 ? r : pl_adopt_engine_stop(run);
}

static int rewrite(PlAdoptRun *run) {
        for (size_t i = 0; i < run->journal.n_items; i++) {
                const PlAdoptItem *item = &run->journal.items[i];
                int r;

                if (!item->adopt)
                        continue;
                pl_adopt_shorten(run, item);
                r = rewrite_hostconfig(run, item);
                if (r < 0)
                        return r;
                pl_point("rewriting");
        }
        return 0;
}

static int start(PlAdoptRun *run) {
        int r = pl_adopt_engine_start(run);

        /* while they stand still: nothing is lost by going back */
        return r < 0 ? r : verify(run);
}

static int thaw(PlAdoptRun *run) {
        return pl_adopt_thaw_all(&run->journal);
}

static const struct {
        const char *name; /* what is being done, for people */
        int (*step)(PlAdoptRun *run);
        PlAdoptPhase phase; /* when it is done */
} steps[] = {
        { "switching live-restore on", configure, PL_ADOPT_CONFIGURED },
        { "freezing the containers", freeze, PL_ADOPT_FROZEN },
        { "stopping the engine", stop, PL_ADOPT_STOPPED },
        { "writing the log options", rewrite, PL_ADOPT_REWRITTEN },
        { "starting the engine", start, PL_ADOPT_STARTED },
        { "thawing the containers", thaw, PL_ADOPT_THAWED },
};

static int run_steps(PlAdoptRun *run, int guardian_fd) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(steps); i++) {
                int r = interrupted && run->journal.phase < PL_ADOPT_REWRITTEN ? -ECANCELED : 0;

                if (r == 0 && write(guardian_fd, &(char){ STEP }, 1) < 0 && errno == EPIPE)
                        r = -EOWNERDEAD; /* without a guardian nothing is frozen */
                if (r == 0)
                        r = steps[i].step(run);
                if (r == 0)
                        r = pl_adopt_save(run, steps[i].phase);
                if (r < 0) {
                        pl_ctl_say("%s: %s", steps[i].name, strerror(-r));
                        return r;
                }
                pl_point(pl_adopt_phase_to_string(steps[i].phase));
        }
        return 0;
}

/* ---- while nothing runs ---- */

void pl_adopt_end(PlAdoptRun *run) {
        forget(run);
}

int pl_adopt_write(PlAdoptRun *run) {
        int r = pl_adopt_save(run, PL_ADOPT_STOPPED), n = 0;

        if (r < 0)
                return r;
        pl_point("stopped");
        for (size_t i = 0; i < run->journal.n_items; i++) {
                const PlAdoptItem *item = &run->journal.items[i];

                pl_adopt_shorten(run, item);
                r = rewrite_hostconfig(run, item);
                if (r < 0)
                        pl_ctl_say("%s: its log options stay as they are: %s", item->name,
                                   strerror(-r));
                n += r >= 0;
                pl_point("rewriting");
        }
        forget(run);
        return n;
}

/* ---- after an accident ---- */

static bool is_same_boot(const PlAdoptRun *run) {
        _cleanup_free_ char *id = pl_adopt_boot_id();

        return pl_streq_null(id, run->journal.boot_id);
}

static void tell_engine(PlAdoptRun *run) {
        pid_t pid = pl_adopt_engine_pid(run);

        if (pid > 0)
                (void)kill(pid, SIGHUP);
}

static int thaw_all(PlAdoptRun *run) {
        int r = pl_adopt_thaw_all(&run->journal);

        if (r < 0)
                pl_ctl_say("a container could not be thawed: %s; see the files %s", strerror(-r),
                           "freezer.state or cgroup.freeze of its cgroup");
        return r;
}

static int start_failed(const PlAdoptRun *run, int error) {
        const char *unit = run->journal.unit;

        pl_ctl_say("the engine does not start: %s", strerror(-error));
        if (unit && *unit)
                pl_ctl_say("see: journalctl -u %s; then run plimsollctl adopt-logs again", unit);
        else
                pl_ctl_say("start dockerd by hand as before, with --live-restore");
        return error;
}

/* The engine was never stopped. */
static int release(PlAdoptRun *run) {
        int thawed = thaw_all(run), r = config_put_back(run);

        if (pl_adopt_engine_pid(run) == 0) {
                int started = pl_adopt_engine_start(run);

                if (started < 0)
                        return start_failed(run, started);
        }
        tell_engine(run);
        return thawed < 0 ? thawed : r;
}

static int undo(PlAdoptRun *run) {
        bool same_boot = is_same_boot(run);
        int r = pl_adopt_save(run, PL_ADOPT_UNDOING), files, started;

        if (r == 0)
                r = pl_adopt_engine_stop(run);
        /* one that does not stop has read the old files */
        files = r == 0 ? put_back_hostconfigs(run) : 0;
        if (r == 0 && files == 0)
                files = same_boot ? config_safe(run) : config_put_back(run);
        started = pl_adopt_engine_start(run);
        int thawed = thaw_all(run);
        if (started < 0)
                return start_failed(run, started);
        if (r < 0 || files < 0 || thawed < 0)
                return r < 0 ? r : files < 0 ? files : thawed;
        r = config_put_back(run);
        tell_engine(run);
        return r;
}

static int finish(PlAdoptRun *run) {
        int r = pl_adopt_engine_start(run);

        if (r == 0)
                r = verify(run);
        return r < 0 ? r : pl_adopt_thaw_all(&run->journal);
}

int pl_adopt_recover_run(PlAdoptRun *run) {
        bool same_boot = is_same_boot(run), process = !*run->journal.unit;
        PlAdoptRecovery way;
        int r;

        if (process && (r = pl_adopt_process_recall(run)) < 0 && same_boot) {
                (void)thaw_all(run);
                pl_ctl_say("what dockerd was started with is not known any more: %s", strerror(-r));
                return r;
        }
        run->flags = pl_adopt_flags(run->cmdline ?: "", run->cmdline_size);
        way = pl_adopt_recover(run->journal.phase, same_boot, pl_adopt_answers(run));
        if (way == PL_ADOPT_FINISH && finish(run) == 0) {
                forget(run);
                return 1;
        }
        switch (way) {
        case PL_ADOPT_FORGET:
                r = 0;
                break;
        case PL_ADOPT_RELEASE:
                r = release(run);
                break;
        default:
                r = undo(run);
        }
        if (r == 0)
                forget(run);
        else
                pl_ctl_say("not everything could be put back: %s", strerror(-r));
        return r;
}

/* ---- the guardian ---- */

static void guard(PlAdoptRun *run, int fd, pid_t operator_pid) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char c = 0;

        for (;;) {
                int n = poll(&p, 1, GUARDIAN_MSEC);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n == 0) {
                        (void)kill(operator_pid, SIGKILL);
                        break;
                }
                ssize_t got = read(fd, &c, 1);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        break;
                if (c == DONE)
                        _exit(0);
        }
        int r = pl_adopt_load(run);
        if (r == 0)
                forget(run);
        if (r != 1)
                _exit(0);
        r = pl_adopt_recover_run(run);
        if (r >= 0)
                pl_ctl_say("adopt-logs was interrupted; %s",
                           r ? "it has been finished" : "everything is as it was");
        _exit(r < 0);
}

static int begin_guardian(PlAdoptRun *run, int *ret_fd, pid_t *ret_pid) {
        static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT, SIGTSTP };
        pid_t self = getpid();
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        (void)fflush(NULL);
        pid_t pid = fork();
        if (pid < 0) {
                int r = -errno;
                (void)close(fds[0]);
                (void)close(fds[1]);
                return r;
        }
        if (pid == 0) {
                (void)setsid();
                for (size_t i = 0; i < PL_ARRAY_SIZE(ignored); i++)
                        (void)signal(ignored[i], SIG_IGN);
                (void)close(fds[1]);
                /* a connection of its own; the other one stays as it is, for both would use it */
                run->engine = NULL;
                if (pl_ctl_client_new(run->socket, PL_CTL_CLIENT_TIMEOUT_MSEC, &run->engine) < 0)
                        _exit(1);
                guard(run, fds[0], self);
        }
        (void)close(fds[0]);
        *ret_fd = fds[1];
        *ret_pid = pid;
        return 0;
}

static void end_guardian(int fd, pid_t pid) {
        if (write(fd, &(char){ DONE }, 1) < 0)
                pl_ctl_say("the guardian was not there any more");
        (void)close(fd);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

int pl_adopt_run(PlAdoptRun *run) {
        static const int asked[] = { SIGINT, SIGTERM, SIGHUP };
        const struct sigaction sa = { .sa_handler = on_signal }, pipes = { .sa_handler = SIG_IGN };
        pid_t guardian = 0;
        int fd = -EBADF, r;

        for (size_t i = 0; i < PL_ARRAY_SIZE(asked); i++)
                (void)sigaction(asked[i], &sa, NULL);
        (void)sigaction(SIGPIPE, &pipes, NULL);
        r = run->cmdline ? pl_adopt_process_keep(run) : 0;
        /* before there is a record, so that none is ever without one */
        if (r == 0)
                r = begin_guardian(run, &fd, &guardian);
        if (r == 0)
                r = pl_adopt_save(run, PL_ADOPT_PLANNED);
        if (r < 0) {
                pl_ctl_say("the record cannot be kept: %s", strerror(-r));
                forget(run);
                if (guardian > 0)
                        end_guardian(fd, guardian);
                return r;
        }
        pl_point("planned");
        r = run_steps(run, fd);
        if (r == 0)
                forget(run);
        else {
                int back = pl_adopt_recover_run(run);

                if (back == 0)
                        pl_ctl_say("everything is as it was");
                else if (back > 0)
                        r = 0; /* the second attempt came off */
        }
        end_guardian(fd, guardian);
        return r;
}
