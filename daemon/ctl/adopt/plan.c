/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Adoption's plan.
 */

#include "ctl/adopt/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "lib/base/unit.h"
#include "lib/docker/api.h"
#include "policy-load.h"

#define DEFAULT_POLICY "/etc/plimsoll/plimsoll.conf" /* as plimsolld */
#define DEFAULT_ENGINE "unix:///run/docker.sock"
#define DEFAULT_CONFIG "/etc/docker/daemon.json"

void pl_adopt_plan_deinit(PlAdoptPlan *plan) {
        for (size_t i = 0; i < plan->n; i++)
                (void)pl_container_free(plan->choices[i].container);
        free(plan->choices);
        free(plan->default_driver);
        (void)pl_policy_unref(plan->policy);
}

void pl_adopt_plan_reset(PlAdoptRun *run) {
        char *socket = TAKE_PTR(run->journal.socket);

        pl_adopt_journal_deinit(&run->journal);
        run->journal.socket = socket;
        free(TAKE_PTR(run->cmdline));
        free(TAKE_PTR(run->environ));
}

/* ---- options and policy ---- */

static int take_sizes(const PlAdoptCli *ctl, PlAdoptSizes *ret) {
        uint64_t files = 0;

        *ret = (PlAdoptSizes){ PL_UNLIMITED, 0 };
        if (ctl->max_size && (pl_parse_size(ctl->max_size, &ret->max_size_bytes) < 0 ||
                              ret->max_size_bytes < KIB(64) || ret->max_size_bytes > INT64_MAX)) {
                pl_ctl_say("--max-size %s: not a size of 64K or more; 10M is", ctl->max_size);
                return PL_EXIT_USAGE;
        }
        if (ctl->max_files &&
            (pl_parse_uint64(ctl->max_files, &files) < 0 || files == 0 || files > 10000)) {
                pl_ctl_say("--max-files %s: not a count of 1 to 10000", ctl->max_files);
                return PL_EXIT_USAGE;
        }
        ret->max_files = (unsigned)files;
        return -1;
}

static int load_policy(const PlAdoptCli *ctl, PlAdoptPlan *plan) {
        const char *file = ctl->policy ?: DEFAULT_POLICY;
        PlDiagList diag = {};
        PlHost host;
        int r = 0;

        if (!ctl->policy && access(file, F_OK) < 0 && errno == ENOENT)
                return -1;
        r = pl_host_read("/proc", &host);
        if (r == 0)
                r = pl_policy_load(NULL, file, &host, &diag, &plan->policy);
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

int pl_adopt_plan_begin(const PlAdoptCli *ctl, PlAdoptPlan *plan, PlAdoptRun *run) {
        const char *url, *path;
        int status = take_sizes(ctl, &plan->given);

        if (status < 0)
                status = load_policy(ctl, plan);
        if (status >= 0)
                return status;
        url = ctl->engine
                              ?: plan->policy && plan->policy->daemon.engine
                                 ? plan->policy->daemon.engine
                                 : DEFAULT_ENGINE;
        path = pl_startswith(url, "unix://") ? url + strlen("unix://") : url;
        if (*path != '/') {
                pl_ctl_say("--engine %s: only unix:///PATH can be adopted from", url);
                return PL_EXIT_USAGE;
        }
        run->archive = ctl->archive ?: PL_CTL_ARCHIVE_PATH;
        run->socket = strdup(path);
        run->journal.socket = strdup(path);
        run->key = key_of(path);
        if (!run->socket || !run->journal.socket || !run->key ||
            pl_ctl_client_new(run->socket, &run->engine) < 0) {
                pl_ctl_say("%s", strerror(ENOMEM));
                return PL_EXIT_BAD;
        }
        return -1;
}

/* ---- containers ---- */

static bool is_meant(const PlAdoptCli *ctl, const PlContainer *c, const PlService *s, bool *found) {
        bool meant = ctl->n_arguments == 0;

        for (int i = 0; i < ctl->n_arguments; i++) {
                const char *name = ctl->arguments[i];

                if (pl_streq(c->name, name) || (strlen(name) >= 4 && pl_startswith(c->id, name)) ||
                    (s && s->name && pl_streq(s->name, name)))
                        meant = found[i] = true;
        }
        return meant;
}

static int take_container(const PlAdoptCli *ctl, PlAdoptPlan *plan, PlContainer *c, bool *found) {
        const PlService *s = plan->policy ? pl_policy_match(plan->policy, c) : NULL;
        PlAdoptChoice *grown = reallocarray(plan->choices, plan->n + 1, sizeof(*grown));

        if (!grown) {
                (void)pl_container_free(c);
                return -ENOMEM;
        }
        plan->choices = grown;
        PlAdoptChoice *choice = &grown[plan->n++];
        *choice = (PlAdoptChoice){ .container = c,
                                   .chosen = is_meant(ctl, c, s, found),
                                   .sizes = pl_adopt_sizes(&plan->given, s) };
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

static int take_all(const PlAdoptCli *ctl, PlAdoptPlan *plan, PlAdoptRun *run, bool *found) {
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
                        r = take_container(ctl, plan, c, found);
        }
        json_decref(list);
        return r;
}

static int list_containers(const PlAdoptCli *ctl, PlAdoptPlan *plan, PlAdoptRun *run) {
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
                        pl_ctl_say("%s", pl_adopt_refusal_to_string(PL_ADOPT_REFUSE_INSIDE));
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

int pl_adopt_plan_make(const PlAdoptCli *ctl, PlAdoptPlan *plan, PlAdoptRun *run) {
        int status = pl_adopt_ask_engine(ctl, plan, run), r = 0;

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
                free(TAKE_PTR(run->journal.netns));
        } else
                run->journal.unit = strdup("");
        return run->journal.boot_id && run->journal.unit ? -1 : PL_EXIT_BAD;
}
