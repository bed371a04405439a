/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Adoption's plan.
 */

#include "ctl/adopt/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fs.h"
#include "ctl/adopt/engine.h"
#include "ctl/adopt/freeze.h"
#include "ctl/systemctl.h"
#include "lib/base/strv.h"
#include "lib/base/unit.h"
#include "lib/docker/answer.h"
#include "lib/docker/container.h"
#include "lib/policy/labels.h"
#include "lib/policy/parser.h"
#include "policy-load.h"

#define DEFAULT_ENGINE "unix:///run/docker.sock"
#define DEFAULT_CONFIG "/etc/docker/daemon.json"

void pl_adopt_plan_deinit(PlAdoptPlan *plan) {
        for (size_t i = 0; i < plan->n; i++)
                (void)pl_container_free(plan->choices[i].container);
        free(plan->choices);
        free(plan->default_driver);
        (void)pl_policy_unref(plan->policy);
}

/* ---- the policy ---- */

static int load_policy(const PlCtl *ctl, PlAdoptPlan *plan) {
        const char *file = ctl->policy ?: PL_CTL_POLICY_PATH;
        PlDiagList diag = {};
        int r = 0;

        if (!ctl->policy && access(file, F_OK) < 0 && errno == ENOENT)
                return -1;
        r = pl_host_read("/proc", &plan->host);
        if (r == 0)
                r = pl_policy_load(NULL, file, &plan->host, &diag, &plan->policy);
        if (r < 0) {
                pl_ctl_print_diags(&diag);
                pl_ctl_say("%s: %s", file,
                           diag.n_errors ? "such a policy is refused" : strerror(-r));
        }
        pl_diag_list_deinit(&diag);
        return r < 0 ? PL_EXIT_BAD : -1;
}

/* The socket's path as a file name. */
static char *key_of(const char *path) {
        char *key = strdup(*path == '/' ? path + 1 : path);

        for (char *p = key; p && *p; p++)
                if (*p == '/')
                        *p = '-';
        return key;
}

int pl_adopt_plan_begin(const PlCtl *ctl, PlAdoptPlan *plan, PlAdoptRun *run) {
        const char *url, *path, *fault;
        int status = load_policy(ctl, plan);

        if (status >= 0)
                return status;
        plan->given = (PlAdoptSizes){ ctl->adopt.max_size_bytes, ctl->adopt.max_files };
        url = ctl->adopt.engine
                              ?: plan->policy && plan->policy->daemon.engine
                                 ? plan->policy->daemon.engine
                                 : DEFAULT_ENGINE;
        path = *url == '/' ? url : url + strlen("unix://");
        fault = *url == '/' ? NULL : pl_policy_engine_fault(url);
        if (fault) {
                pl_ctl_say("--engine %s: %s", url, fault);
                return PL_EXIT_USAGE;
        }
        run->archive = ctl->archive ?: PL_CTL_ARCHIVE_PATH;
        run->socket = strdup(path);
        run->journal.socket = strdup(path);
        run->key = key_of(path);
        if (!run->socket || !run->journal.socket || !run->key ||
            pl_ctl_client_new(run->socket, PL_CTL_CLIENT_TIMEOUT_MSEC, &run->engine) < 0) {
                pl_ctl_say("%s", strerror(ENOMEM));
                return PL_EXIT_BAD;
        }
        return -1;
}

/* ---- the engine: which process it is, who runs it, whether it may be restarted ---- */

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

/* The service that a process is the main process of; owned by the caller. Return: 0, -ENOENT,
 * -ENOMEM. */
static int unit_of(pid_t pid, char **ret) {
        _cleanup_free_ char *path = NULL, *text = NULL, *main_pid = NULL;
        uint64_t n = 0;

        if (!pl_systemctl_is_there())
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
        main_pid = pl_systemctl_property(unit, "MainPID");
        if (!main_pid || pl_parse_uint64(main_pid, &n) < 0 || n != (uint64_t)pid)
                return -ENOENT;
        *ret = strdup(unit);
        return *ret ? 0 : -ENOMEM;
}

static bool is_active(const char *unit) {
        const char *const arguments[] = { "is-active", "--quiet", "--", unit, NULL };

        return pl_systemctl(arguments, NULL) == 0;
}

/* No other active unit stops with it. */
static bool unit_restores(const char *unit, const char *triggers) {
        static const char *const properties[] = { "RequiredBy", "BoundBy", "ConsistsOf" };

        for (size_t i = 0; i < PL_ARRAY_SIZE(properties); i++) {
                _cleanup_free_ char *list = pl_systemctl_property(unit, properties[i]);
                char *word, *save = NULL;

                if (!list)
                        return false;
                for (word = strtok_r(list, " ", &save); word; word = strtok_r(NULL, " ", &save))
                        if (!strstr(triggers, word) && is_active(word))
                                return false;
        }
        return true;
}

static bool has_security_option(const json_t *info, const char *name) {
        const json_t *option;
        size_t i;

        json_array_foreach(json_object_get(info, "SecurityOptions"), i, option) {
                const char *s = json_string_value(option);

                if (s && strstr(s, name))
                        return true;
        }
        return false;
}

static bool is_podman(const json_t *version) {
        const json_t *component;
        size_t i;

        json_array_foreach(json_object_get(version, "Components"), i, component) {
                const char *s = json_string_value(json_object_get(component, "Name"));

                if (s && strstr(s, "Podman"))
                        return true;
        }
        return false;
}

/* Its data is at the same place for us, and so is what it has mounted. */
static bool same_files(pid_t pid, const char *data_root) {
        _cleanup_free_ char *theirs = NULL, *ns = NULL;
        struct stat a, b;

        if (asprintf(&theirs, "/proc/%d/root%s/containers", (int)pid, data_root) < 0) {
                theirs = NULL;
                return false;
        }
        if (asprintf(&ns, "/proc/%d/ns/mnt", (int)pid) < 0) {
                ns = NULL;
                return false;
        }
        const char *ours = theirs + strlen(theirs) - strlen(data_root) - strlen("/containers");
        if (stat(theirs, &a) < 0 || stat(ours, &b) < 0 || a.st_ino != b.st_ino ||
            a.st_dev != b.st_dev)
                return false;
        return stat(ns, &a) == 0 && stat("/proc/self/ns/mnt", &b) == 0 && a.st_ino == b.st_ino;
}

/* The process that listens on a socket; 0: unknown. */
static pid_t find_listener(const char *socket_path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -EBADF;
        struct ucred peer = {};
        socklen_t size = sizeof(peer);

        if (strlen(socket_path) >= sizeof(a.sun_path))
                return 0;
        strcpy(a.sun_path, socket_path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
            getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return 0;
        return peer.pid;
}

/* Which process, and who runs it. */
static void find_runner(const PlCtl *ctl, PlAdoptPlan *plan, PlAdoptRun *run, PlAdoptFacts *f) {
        PlAdoptJournal *j = &run->journal;
        pid_t listener = find_listener(j->socket), given = ctl->adopt.engine_pid;
        uint64_t pid = 0;

        if (given > 0 && (listener <= 1 || given == listener))
                plan->pid = given;
        else if (given == 0 && listener > 1)
                plan->pid = listener;
        else if (given == 0) { /* systemd holds the socket */
                _cleanup_free_ char *text = pl_systemctl_property("docker.service", "MainPID");

                if (text && pl_parse_uint64(text, &pid) == 0 && pid <= INT32_MAX)
                        plan->pid = (pid_t)pid;
        }
        if (plan->pid <= 1 || pl_adopt_process_read(run, plan->pid) < 0)
                return;
        f->flags = run->flags = pl_adopt_flags(run->cmdline, run->cmdline_size);
        if (unit_of(plan->pid, &j->unit) == 0) {
                _cleanup_free_ char *mode = pl_systemctl_property(j->unit, "KillMode");

                j->triggers = pl_systemctl_property(j->unit, "TriggeredBy");
                f->runner = PL_ADOPT_RUNNER_SYSTEMD;
                f->kill_mode_process =
                                mode && (pl_streq(mode, "process") || pl_streq(mode, "none"));
                f->restores = unit_restores(j->unit, j->triggers ?: "");
        } else if (given > 0)
                f->runner = PL_ADOPT_RUNNER_PROCESS;
}

/* What and whose it is; refuses what would do harm. Return: -1 to go on, or an exit status. */
static int ask_engine(const PlCtl *ctl, PlAdoptPlan *plan, PlAdoptRun *run) {
        json_t *version = NULL, *info = NULL;
        PlAdoptFacts f = { .root = geteuid() == 0 };
        int r = pl_adopt_get(run, "/version", &version);

        if (r == 0)
                r = pl_adopt_get(run, "/info", &info);
        if (r < 0) {
                pl_ctl_say("no engine at %s: %s", run->journal.socket, strerror(-r));
                json_decref(version);
                return PL_EXIT_BAD;
        }
        const char *state = NULL, *root = json_string_value(json_object_get(info, "DockerRootDir"));
        const char *driver = json_string_value(json_object_get(info, "LoggingDriver"));
        (void)json_unpack(info, "{s:{s:s}}", "Swarm", "LocalNodeState", &state);
        f.version = json_string_value(json_object_get(version, "Version"));
        f.podman = is_podman(version);
        f.rootless = has_security_option(info, "name=rootless");
        f.swarm = state && *state && !pl_streq(state, "inactive");
        run->journal.data_root = strdup(root && *root == '/' ? root : "/nonexistent");
        plan->default_driver = strdup(driver ?: "");
        if (f.root && !f.podman)
                find_runner(ctl, plan, run, &f);
        f.same_files = plan->pid > 1 && run->journal.data_root &&
                       same_files(plan->pid, run->journal.data_root);
        PlAdoptRefusal refusal = pl_adopt_check(&f);
        json_decref(version);
        json_decref(info);
        if (refusal == PL_ADOPT_REFUSE_NOT)
                return -1;
        pl_ctl_say("%s", pl_adopt_refusal_info(refusal)->text);
        if (refusal == PL_ADOPT_REFUSE_RUNNER && plan->pid > 1)
                pl_ctl_say("to do: %s (it is %d now)", pl_adopt_refusal_info(refusal)->remedy,
                           plan->pid);
        else
                pl_ctl_say("to do: %s", pl_adopt_refusal_info(refusal)->remedy);
        return PL_EXIT_BAD;
}

/* ---- containers ---- */

static bool is_meant(const PlCtl *ctl, const PlContainer *c, const PlService *s, bool *found) {
        bool meant = ctl->n_arguments == 0;

        for (int i = 0; i < ctl->n_arguments; i++) {
                const char *name = ctl->arguments[i];

                if (pl_streq(c->name, name) || (strlen(name) >= 4 && pl_startswith(c->id, name)) ||
                    (s && s->name && pl_streq(s->name, name)))
                        meant = found[i] = true;
        }
        return meant;
}

static void say_faults(const PlContainer *c, const PlDiagList *diag) {
        for (size_t i = 0; i < diag->n; i++)
                if (diag->items[i].severity == PL_SEVERITY_ERROR)
                        pl_ctl_say("%s: %s: %s", c->name, diag->items[i].file,
                                   diag->items[i].message);
}

int pl_adopt_govern(const PlAdoptPlan *plan, PlContainer *c, const PlContainer *image,
                    const PlService **ret_section, PlAdoptSizes *ret) {
        const PlService *section = NULL;
        PlService *own = NULL;
        char **labels = NULL;
        PlDiagList diag = {};
        int r = 0;

        if (plan->policy) {
                pl_container_mark(c, plan->policy->daemon.match_image_labels ? NULL : image);
                section = pl_policy_match(plan->policy, c);
        }
        if (plan->policy && plan->policy->daemon.labels && image)
                r = pl_labels_of(c, image, &labels);
        if (labels)
                r = pl_policy_label(plan->policy, section, &plan->host, labels, &diag, &own);
        if (r == 0) {
                say_faults(c, &diag);
                *ret = pl_adopt_sizes(&plan->given, own ?: section);
                *ret_section = section;
        }
        (void)pl_service_free(own);
        (void)pl_strv_free(labels);
        pl_diag_list_deinit(&diag);
        return r;
}

/* What its image says. Return: 0, with NULL where the engine does not tell; -ENOMEM, -errno. */
static int image_of(PlAdoptRun *run, const PlContainer *c, PlContainer **ret) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        json_t *j = NULL;
        int r;

        if (!c->image_id || !*c->image_id) { /* of a bare directory */
                *ret = calloc(1, sizeof(**ret));
                return *ret ? 0 : -ENOMEM;
        }
        if (asprintf(&path, "/images/%s/json", c->image_id) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = pl_adopt_get(run, path, &j);
        if (r == -EREMOTEIO || r == -ENOENT) /* removed since */
                return 0;
        if (r < 0)
                return r;
        text = json_dumps(j, JSON_COMPACT);
        json_decref(j);
        r = text ? pl_docker_parse_image(text, strlen(text), ret) : -ENOMEM;
        return r == -EBADMSG ? 0 : r;
}

static int take_container(const PlCtl *ctl, PlAdoptPlan *plan, PlAdoptRun *run, PlContainer *c,
                          bool *found) {
        _cleanup_(pl_container_freep) PlContainer *image = NULL;
        PlAdoptChoice *grown = reallocarray(plan->choices, plan->n + 1, sizeof(*grown));
        const PlService *s = NULL;
        PlAdoptSizes sizes;
        int r = grown ? 0 : -ENOMEM;

        if (grown)
                plan->choices = grown;
        if (r == 0 && plan->policy && c->n_labels > 0)
                r = image_of(run, c, &image);
        if (r == 0)
                r = pl_adopt_govern(plan, c, image, &s, &sizes);
        if (r < 0) {
                (void)pl_container_free(c);
                return r;
        }
        PlAdoptChoice *choice = &grown[plan->n++];
        *choice = (PlAdoptChoice){ .container = c,
                                   .chosen = is_meant(ctl, c, s, found),
                                   .sizes = sizes };
        choice->why = pl_adopt_choose(c, &choice->sizes);
        plan->n_running += pl_container_is_live(c);
        if (!choice->chosen)
                return 0;
        plan->n_adopt += choice->why == PL_ADOPT_OK;
        plan->n_unfit += ctl->n_arguments > 0 && choice->why != PL_ADOPT_OK &&
                         choice->why != PL_ADOPT_NATIVE;
        return 0;
}

static int inspect(PlAdoptRun *run, const char *id, PlContainer **ret) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        json_t *j = NULL;
        int r;

        if (asprintf(&path, "/containers/%s/json", id) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = pl_adopt_get(run, path, &j);
        if (r < 0)
                return r;
        text = json_dumps(j, JSON_COMPACT);
        json_decref(j);
        return text ? pl_docker_parse_inspect(text, strlen(text), ret) : -ENOMEM;
}

static int take_all(const PlCtl *ctl, PlAdoptPlan *plan, PlAdoptRun *run, bool *found) {
        json_t *list = NULL, *entry;
        size_t i;
        int r = pl_adopt_get(run, "/containers/json?all=1", &list);

        json_array_foreach(list, i, entry) {
                const char *id = json_string_value(json_object_get(entry, "Id"));
                PlContainer *c = NULL;

                if (r < 0)
                        break;
                r = id && pl_is_id(id) ? inspect(run, id, &c) : -EBADMSG;
                if (r == -ENOENT) /* gone since the list was made */
                        r = 0;
                else if (r == 0)
                        r = take_container(ctl, plan, run, c, found);
        }
        json_decref(list);
        return r;
}

static int list_containers(const PlCtl *ctl, PlAdoptPlan *plan, PlAdoptRun *run) {
        _cleanup_free_ bool *found = calloc((size_t)ctl->n_arguments + 1, sizeof(*found));
        int r = found ? take_all(ctl, plan, run, found) : -ENOMEM, status = -1;

        if (r < 0) {
                pl_ctl_say("the engine's containers cannot be listed: %s", strerror(-r));
                return PL_EXIT_BAD;
        }
        for (int i = 0; i < ctl->n_arguments; i++)
                if (!found[i]) {
                        pl_ctl_say("%s: there is no such container; nothing was changed",
                                   ctl->arguments[i]);
                        status = PL_EXIT_BAD;
                }
        return status;
}

/* ---- the record ---- */

static bool runs_inside(const char *id) {
        _cleanup_free_ char *text = NULL;

        return pl_fs_read(AT_FDCWD, "/proc/self/cgroup", KIB(64), &text, NULL) == 0 &&
               strstr(text, id);
}

static int fill_item(PlAdoptJournal *j, const PlAdoptChoice *choice) {
        const PlContainer *c = choice->container;
        PlAdoptItem *item = pl_adopt_journal_add(j);
        int r = 0;

        if (!item)
                return -ENOMEM;
        memcpy(item->id, c->id, PL_ID_MAX);
        item->name = strdup(c->name);
        item->adopt = choice->chosen && choice->why == PL_ADOPT_OK;
        item->started_usec = c->started_usec;
        item->sizes = choice->sizes;
        if (pl_container_is_live(c)) {
                item->pid = c->pid;
                if (runs_inside(c->id)) {
                        pl_ctl_say("%s", pl_adopt_refusal_info(PL_ADOPT_REFUSE_INSIDE)->text);
                        return -EDEADLK;
                }
                if (c->phase == PL_PHASE_RUNNING)
                        r = pl_adopt_freezer_find(c->pid, c->id, &item->freezer);
                if (r == -ESRCH)
                        r = 0;
        }
        if (r < 0)
                pl_ctl_say("%s cannot be frozen: %s", c->name, strerror(-r));
        return item->name ? r : -ENOMEM;
}

static char *config_path(const PlAdoptRun *run) {
        const char *file = run->flags.config_file ?: DEFAULT_CONFIG;
        char *path = NULL;

        if (*file != '/' && asprintf(&path, "%s/%s", run->journal.cwd ?: "", file) < 0)
                return NULL;
        if (!path)
                path = strdup(file);
        char *real = path ? realpath(path, NULL) : NULL; /* a link stays one */
        if (real) {
                free(path);
                return real;
        }
        return path;
}

static int plan_config(PlAdoptPlan *plan, PlAdoptRun *run) {
        PlAdoptJournal *j = &run->journal;
        PlAdoptSizes defaults =
                        pl_adopt_sizes(&plan->given, plan->policy ? plan->policy->defaults : NULL);
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r;

        if (defaults.max_size_bytes == PL_UNLIMITED)
                defaults.max_size_bytes = PL_ADOPT_SIZE_BYTES;
        j->config = config_path(run);
        if (!j->config)
                return -ENOMEM;
        r = pl_fs_read(AT_FDCWD, j->config, MIB(1), &text, &size);
        j->config_existed = r == 0;
        if (r < 0 && r != -ENOENT)
                return r;
        r = pl_adopt_daemon_json(text ?: "", size, &run->flags, &defaults, plan->default_driver,
                                 &run->config_text);
        if (r < 0)
                return r;
        j->config_backup = run->config_text ? pl_adopt_backup_name(j->config,
                                                                   pl_clock_usec(CLOCK_REALTIME) /
                                                                                   PL_USEC_PER_SEC)
                                            : strdup("");
        return j->config_backup ? 0 : -ENOMEM;
}

int pl_adopt_plan_make(const PlCtl *ctl, PlAdoptPlan *plan, PlAdoptRun *run) {
        int status = ask_engine(ctl, plan, run), r = 0;

        if (status < 0)
                status = list_containers(ctl, plan, run);
        if (status >= 0)
                return status;
        for (size_t i = 0; r == 0 && i < plan->n; i++)
                r = fill_item(&run->journal, &plan->choices[i]);
        if (r < 0)
                return PL_EXIT_BAD;
        r = plan_config(plan, run);
        if (r < 0) {
                pl_ctl_say("%s: %s", run->journal.config ?: DEFAULT_CONFIG,
                           r == -EBADMSG ? "not what dockerd would read; nothing was changed"
                                         : strerror(-r));
                return PL_EXIT_BAD;
        }
        run->journal.boot_id = pl_adopt_boot_id();
        if (run->journal.unit) {               /* systemd starts it, and needs nothing from us */
                run->flags.config_file = NULL; /* borrowed from it */
                free(TAKE_PTR(run->cmdline));
                free(TAKE_PTR(run->environ));
                free(TAKE_PTR(run->exe));
                free(TAKE_PTR(run->journal.netns));
        } else
                run->journal.unit = strdup("");
        return run->journal.boot_id && run->journal.unit ? -1 : PL_EXIT_BAD;
}
