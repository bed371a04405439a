/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl check and import: is a policy right, and what would one be for a compose file?
 *
 * check: a running daemon tells where its policy is, and what is there now is checked, not what it
 * has loaded. A pipe is one text: it has no place beside which there could be drop-ins.
 *
 * import asks no daemon, but the engine where it is told to, and writes no file: what it prints is
 * for a person to read first.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "ctl/cli.h"
#include "ctl/engine.h"
#include "ctl/paths.h"
#include "lib/base/json.h"
#include "lib/docker/answer.h"
#include "lib/docker/update.h"
#include "lib/limits/originals.h"
#include "lib/policy/dump.h"
#include "lib/policy/import.h"
#include "policy-load.h"

#define TEXT_MAX  MIB(1) /* as of a file */
#define STATE_DIR "/var/lib/plimsoll"

static json_t *diags_to_json(const PlDiagList *diag) {
        json_t *list = json_array();

        for (size_t i = 0; list && i < diag->n; i++) {
                const PlDiag *d = &diag->items[i];
                (void)json_array_append_new(
                                list,
                                json_pack("{s:s,s:s,s:I,s:s}", "severity",
                                          d->severity == PL_SEVERITY_ERROR ? "error" : "warning",
                                          "file", d->file ? d->file : "", "line",
                                          (json_int_t)d->line, "message", d->message));
        }
        return list;
}

/* A socket has no end of its own while somebody keeps it open and says nothing, as an engine does
 * until it is asked something. */
#define SOCKET_SILENCE_MSEC 30000

/* Return: a descriptor, -errno. */
static int connect_to(const char *path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        if (strlen(path) >= sizeof(a.sun_path))
                return -ENAMETOOLONG;
        memcpy(a.sun_path, path, strlen(path));
        return connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : TAKE_FD(fd);
}

/* What a person names as FILE: a file, a pipe, a socket that somebody writes into for whoever
 * connects, or "-" for standard input. Waits for whoever writes. Return: 0, -EFBIG, -ETIMEDOUT: a
 * socket says nothing, -errno; *ret_name, what to call it, is set in any case. */
static int read_text(const char *file, size_t max_bytes, const char **ret_name, char **ret,
                     size_t *ret_size) {
        _cleanup_close_ int fd = -EBADF;

        if (pl_streq(file, "-")) {
                *ret_name = "standard input";
                return pl_fs_read_stream(STDIN_FILENO, -1, max_bytes, ret, ret_size);
        }
        *ret_name = file;
        fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd >= 0)
                return pl_fs_read_stream(fd, -1, max_bytes, ret, ret_size);
        if (errno != ENXIO) /* as open(2) says of a socket */
                return -errno;
        fd = connect_to(file);
        return fd < 0 ? fd : pl_fs_read_stream(fd, SOCKET_SILENCE_MSEC, max_bytes, ret, ret_size);
}

/* ---- check ---- */

static int report(const PlCtl *ctl, const char *file, int r, const PlDiagList *diag,
                  const PlPolicy *policy) {
        if (ctl->json) {
                json_t *document = json_pack("{s:b,s:o}", "good", r == 0, "messages",
                                             diags_to_json(diag));
                pl_ctl_print_json(document);
                json_decref(document);
                return r == 0 ? PL_EXIT_GOOD : PL_EXIT_BAD;
        }
        pl_ctl_print_diags(diag);
        if (r < 0) {
                if (diag->n_errors == 0)
                        pl_ctl_say("%s: %s", file, strerror(-r));
                else
                        pl_ctl_say("%s: %zu error%s; such a policy is refused as a whole", file,
                                   diag->n_errors, pl_plural(diag->n_errors));
                return PL_EXIT_BAD;
        }
        size_t n = policy->n_services;
        (void)printf("%s: good, %zu service%s%s\n", file, n, pl_plural(n),
                     policy->defaults ? " and defaults" : "");
        return PL_EXIT_GOOD;
}

static bool is_stream(const char *file) {
        struct stat st;

        return pl_streq(file, "-") ||
               (stat(file, &st) == 0 &&
                (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode) || S_ISSOCK(st.st_mode)));
}

static int load_stream(const char *file, const PlHost *host, PlDiagList *diag,
                       const char **ret_name, PlPolicy **ret) {
        _cleanup_free_ char *text = NULL;
        PlPolicySource source = {};
        int r = read_text(file, TEXT_MAX, ret_name, &text, &source.size);

        if (r == -EFBIG)
                pl_diag_add(diag, PL_SEVERITY_ERROR, *ret_name, 0,
                            "Larger than 1 MiB: not a policy");
        if (r < 0)
                return r;
        source.file = *ret_name;
        source.text = text;
        return pl_policy_parse(&source, 1, host, diag, ret);
}

/* Limits that containers were created with, and the policy raises. plimsolld's own record goes
 * first: what it has told the engine, no creator said. */
static int created_with(const PlContainer *c, PlHierarchy hierarchy, PlLimits *ret) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        PlContainerState state = { 0 };
        size_t size;

        if (asprintf(&path, STATE_DIR "/containers/%s", c->id) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (pl_fs_read(AT_FDCWD, path, PL_STATE_SIZE_MAX, &text, &size) == 0 &&
            pl_state_parse(text, size, &state) == 0 && state.created_known) {
                const PlLimits created = pl_some_limits_all(&state.created);
                int r = 0;

                for (PlResource k = 0; k < _PL_RESOURCE_N && r >= 0; k++)
                        r = pl_value_copy(&created.v[k], &ret->v[k]);
                pl_container_state_deinit(&state);
                return r;
        }
        pl_container_state_deinit(&state);
        return pl_container_limits(c, hierarchy, ret);
}

static int compare(const PlPolicy *policy, const json_t *document, PlDiagList *diag) {
        _cleanup_free_ char *text = json_dumps(document, JSON_COMPACT), *raised = NULL;
        _cleanup_(pl_container_freep) PlContainer *c = NULL;
        PlLimits created = { 0 };
        const PlService *s;
        int r = text ? pl_docker_parse_inspect(text, strlen(text), &c) : -ENOMEM;

        if (r < 0)
                return r == -EBADMSG ? 0 : r;
        s = pl_policy_match(policy, c);
        if (!s)
                return 0;
        r = created_with(c, PL_HIERARCHY_V2, &created); /* weights are not compared */
        if (r == 0)
                raised = pl_policy_raised(s, &created);
        if (raised)
                pl_diag_add(diag, PL_SEVERITY_WARNING, c->name, 0, "%s", raised);
        pl_limits_deinit(&created);
        return r;
}

static int compare_all(const PlCtl *ctl, const PlPolicy *policy, PlDiagList *diag) {
        _cleanup_json_ json_t *containers = NULL;
        int r = pl_ctl_containers(*ctl->engine ? ctl->engine : policy->daemon.engine,
                                  policy->daemon.match_image_labels, &containers);

        for (size_t i = 0; r == 0 && i < json_array_size(containers); i++)
                r = compare(policy, json_array_get(containers, i), diag);
        return r;
}

static int check(const PlCtl *ctl, const char *file) {
        _cleanup_(pl_policy_unrefp) PlPolicy *policy = NULL;
        _cleanup_free_ char *dump = NULL;
        PlDiagList diag = {};
        PlHost host;
        int r = pl_host_read("/proc", &host);

        if (r < 0) {
                pl_ctl_say("/proc: %s", strerror(-r));
                return PL_EXIT_BAD;
        }
        r = is_stream(file) ? load_stream(file, &host, &diag, &file, &policy)
                            : pl_policy_load(NULL, file, &host, &diag, &policy);
        if (r == 0 && pl_policy_inherits_newly(STATE_DIR))
                pl_policy_tell_inherited(policy, &diag);
        if (r == 0 && ctl->engine)
                r = compare_all(ctl, policy, &diag);
        int status = report(ctl, file, r, &diag, policy);
        if (r == 0 && ctl->verbose && !ctl->json && pl_policy_dump(policy, &dump) == 0)
                (void)printf("\n%s", dump);
        pl_diag_list_deinit(&diag);
        return status;
}

int pl_ctl_cmd_check(PlCtl *ctl) {
        _cleanup_free_ char *policy = NULL;
        const char *file = ctl->n_arguments > 0 ? ctl->arguments[0] : ctl->policy;

        if (ctl->n_arguments > 0 && ctl->policy) {
                pl_ctl_say("check has a FILE and --policy; one is enough");
                return PL_EXIT_USAGE;
        }
        int status = file ? -1 : pl_ctl_paths(ctl, &policy, NULL);
        return status < 0 ? check(ctl, file ?: policy) : status;
}

/* ---- import ---- */

static int print_result(const PlCtl *ctl, int r, const char *text, const PlDiagList *diag,
                        const char *name, const PlImportCount *count) {
        if (ctl->json) {
                json_t *document = json_pack("{s:s?,s:o}", "policy", text, "messages",
                                             diags_to_json(diag));
                pl_ctl_print_json(document);
                json_decref(document);
        } else {
                pl_ctl_print_diags(diag);
                if (text)
                        (void)fputs(text, stdout);
                if (text && r == 0)
                        pl_ctl_say("%s: %zu service%s, %zu limit%s and log rule%s; %zu thing%s "
                                   "left "
                                   "out%s",
                                   name, count->n_services, pl_plural(count->n_services),
                                   count->n_limits, pl_plural(count->n_limits),
                                   pl_plural(count->n_limits), count->n_left_out,
                                   pl_plural(count->n_left_out),
                                   count->n_left_out ? ", see above" : "");
        }
        if (r == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
                pl_ctl_say("standard output: %s", strerror(errno));
                return PL_EXIT_BAD;
        }
        return r == 0 ? PL_EXIT_GOOD : PL_EXIT_BAD;
}

/* `docker compose --profile '*' -f FILE … config --format json`, which says itself what it does not
 * like. Return: 0; -ECANCELED: it has failed, and has said why; -EFBIG, -errno. */
static int ask_compose(const PlCtl *ctl, char **ret, size_t *ret_size) {
        _cleanup_free_ const char **argv = calloc((size_t)ctl->n_arguments * 2 + 8, sizeof(*argv));
        _cleanup_close_ int from = -EBADF, to = -EBADF;
        int pipe_fds[2], status = 0, n = 0, r;
        pid_t pid;

        if (!argv)
                return -ENOMEM;
        argv[n++] = "docker";
        argv[n++] = "compose";
        argv[n++] = "--profile"; /* or services of those that are not active are left out */
        argv[n++] = "*";
        for (int i = 0; i < ctl->n_arguments; i++) {
                argv[n++] = "-f";
                argv[n++] = ctl->arguments[i];
        }
        argv[n++] = "config";
        argv[n++] = "--format";
        argv[n++] = "json";
        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return -errno;
        from = pipe_fds[0];
        to = pipe_fds[1];
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0) {
                if (dup2(to, STDOUT_FILENO) >= 0)
                        (void)execvp("docker", (char *const *)argv);
                pl_ctl_say("docker: %s; without it, give the JSON of `docker compose config "
                           "--format json`",
                           strerror(errno));
                _exit(127);
        }
        (void)close(TAKE_FD(to));
        r = pl_fs_read_stream(from, -1, PL_IMPORT_MAX, ret, ret_size);
        (void)close(TAKE_FD(from)); /* it ends, also when it has more to say */
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        return r == 0 && status != 0 ? -ECANCELED : r;
}

static int import_files(const PlCtl *ctl, const PlHost *host, const char **ret_name,
                        PlDiagList *diag, PlImportCount *ret_count, char **ret) {
        _cleanup_free_ char *json = NULL;
        size_t size;
        int r = ctl->compose ? ask_compose(ctl, &json, &size)
                             : read_text(ctl->arguments[0], PL_IMPORT_MAX, ret_name, &json, &size);

        return r < 0 ? r : pl_import_compose(*ret_name, json, size, host, diag, ret_count, ret);
}

static int import_engine(const char *url, const PlHost *host, PlDiagList *diag,
                         PlImportCount *ret_count, char **ret) {
        _cleanup_json_ json_t *containers = NULL;

        if (pl_ctl_containers(url, false, &containers) < 0)
                return -ECANCELED;
        return pl_import_engine(url, containers, host, diag, ret_count, ret);
}

int pl_ctl_cmd_import(PlCtl *ctl) {
        _cleanup_free_ char *text = NULL;
        const char *name = ctl->n_arguments > 0 ? ctl->arguments[0] : NULL;
        PlImportCount count = {};
        PlDiagList diag = {};
        PlHost host;
        int r, status;

        if (ctl->engine && (ctl->compose || name)) {
                pl_ctl_say("import --engine takes no FILE%s",
                           name ? ", but the engine's URL, such as " PL_CTL_ENGINE_URL : "");
                return PL_EXIT_USAGE;
        }
        if (!ctl->engine && (!name || (ctl->n_arguments > 1 && !ctl->compose))) {
                pl_ctl_say("import takes one FILE, several with --compose, or --engine");
                return PL_EXIT_USAGE;
        }
        if (ctl->engine)
                name = *ctl->engine ? ctl->engine : PL_CTL_ENGINE_URL;
        r = pl_host_read("/proc", &host);
        if (r == 0)
                r = ctl->engine ? import_engine(name, &host, &diag, &count, &text)
                                : import_files(ctl, &host, &name, &diag, &count, &text);
        if (r == -ECANCELED)
                return PL_EXIT_BAD; /* said already */
        if (r == -ETIMEDOUT && diag.n_errors == 0)
                pl_diag_add(&diag, PL_SEVERITY_ERROR, name, 0,
                            "nothing comes from this socket; an engine's is read by: plimsollctl "
                            "import --engine");
        else if (r < 0 && diag.n_errors == 0)
                pl_diag_add(&diag, PL_SEVERITY_ERROR, name, 0, "cannot be read: %s", strerror(-r));
        status = print_result(ctl, r, text, &diag, name, &count);
        pl_diag_list_deinit(&diag);
        return status;
}
