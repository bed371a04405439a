/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which containers to adopt, when to refuse, and how to recover from an accident: tables.
 */

#include "lib/adopt/rules.h"

/* live-restore came with 1.12. Before 17 the version scheme was another, and nobody runs those. */
#define ENGINE_MAJOR_MIN 17

PlAdoptSizes pl_adopt_sizes(const PlAdoptSizes *given, const PlService *service) {
        PlAdoptSizes s = *given;

        if (s.max_size_bytes == PL_UNLIMITED && service)
                s.max_size_bytes = service->log.max_size_bytes;
        if (s.max_files == 0 && service)
                s.max_files = service->log.max_files;
        if (s.max_files == 0)
                s.max_files = PL_ADOPT_FILES;
        return s;
}

static bool has_max_size(const PlContainer *c) {
        for (size_t i = 0; i < c->log.n_options; i++)
                if (pl_streq(c->log.options[i].key, "max-size"))
                        return true;
        return false;
}

PlAdoptWhy pl_adopt_choose(const PlContainer *c, const PlAdoptSizes *sizes) {
        if (!c->log.driver || !pl_streq(c->log.driver, "json-file"))
                return PL_ADOPT_DRIVER;
        if (has_max_size(c))
                return PL_ADOPT_NATIVE;
        if (c->phase == PL_PHASE_REMOVING || c->phase == PL_PHASE_DEAD)
                return PL_ADOPT_REMOVING;
        if (sizes->max_size_bytes == PL_UNLIMITED || sizes->max_size_bytes == 0)
                return PL_ADOPT_NO_SIZE;
        return PL_ADOPT_OK;
}

const char *pl_adopt_why_to_string(PlAdoptWhy w) {
        static const char *const texts[] = {
                [PL_ADOPT_OK] = "gets max-size and max-file",
                [PL_ADOPT_NATIVE] = "has max-size already",
                [PL_ADOPT_DRIVER] = "its log driver is not json-file",
                [PL_ADOPT_NO_SIZE] = "no LogMaxSize= applies to it, and no --max-size was given",
                [PL_ADOPT_REMOVING] = "is being removed",
        };

        return texts[w];
}

/* ---- dockerd's command line ---- */

/* A flag with its value, as "--name=value" or as two arguments. Return: its value, or NULL. */
static const char *flag_value(const char *arg, const char *next, const char *name) {
        size_t n = strlen(name);

        if (strncmp(arg, name, n) != 0)
                return NULL;
        if (arg[n] == '=')
                return arg + n + 1;
        return arg[n] == '\0' ? next : NULL;
}

/* As Go's strconv.ParseBool: dockerd has refused everything else. */
static bool is_false(const char *value) {
        return strchr("0fF", *value) != NULL;
}

PlAdoptFlags pl_adopt_flags(const char *cmdline, size_t size) {
        PlAdoptFlags f = {};

        for (size_t i = 0, n; i < size; i += n) {
                const char *arg = cmdline + i, *value;

                n = strnlen(arg, size - i) + 1;
                if (i + n > size) /* cut: cannot be trusted to end */
                        break;
                const char *next = memchr(arg + n, '\0', size - i - n) ? arg + n : NULL;
                if ((value = flag_value(arg, next, "--config-file")))
                        f.config_file = value;
                if (flag_value(arg, next, "--log-opt") || pl_streq(arg, "--log-opt"))
                        f.log_opts = true;
                if (pl_streq(arg, "--live-restore"))
                        f.live_restore = true;
                else if (pl_startswith(arg, "--live-restore=")) {
                        f.no_live_restore = is_false(arg + strlen("--live-restore="));
                        f.live_restore = !f.no_live_restore;
                }
        }
        return f;
}

/* ---- whether ---- */

static bool no_root(const PlAdoptFacts *f) {
        return !f->root;
}
static bool is_podman(const PlAdoptFacts *f) {
        return f->podman;
}
static bool too_old(const PlAdoptFacts *f) {
        return !f->version || strtoul(f->version, NULL, 10) < ENGINE_MAJOR_MIN;
}
static bool is_rootless(const PlAdoptFacts *f) {
        return f->rootless;
}
static bool in_swarm(const PlAdoptFacts *f) {
        return f->swarm;
}
static bool is_inside(const PlAdoptFacts *f) {
        return f->inside;
}
static bool no_runner(const PlAdoptFacts *f) {
        return f->runner == PL_ADOPT_RUNNER_UNKNOWN;
}
static bool kills_all(const PlAdoptFacts *f) {
        return f->runner == PL_ADOPT_RUNNER_SYSTEMD && !f->kill_mode_process;
}
static bool has_dependents(const PlAdoptFacts *f) {
        return f->runner == PL_ADOPT_RUNNER_SYSTEMD && !f->restores;
}
static bool other_files(const PlAdoptFacts *f) {
        return !f->same_files;
}
static bool flag_forbids(const PlAdoptFacts *f) {
        return f->flags.no_live_restore;
}

/* Checked in this order: what nobody can change comes first. */
static const PlAdoptRefusalInfo refusals[_PL_ADOPT_REFUSE_N] = {
        [PL_ADOPT_REFUSE_ROOT] = { no_root, "only root can stop the engine and change its files",
                                   "run it with sudo" },
        [PL_ADOPT_REFUSE_PODMAN] = { is_podman, "this is Podman, which has no daemon to restart",
                                     "create the containers with --log-opt max-size=" },
        [PL_ADOPT_REFUSE_VERSION] = { too_old,
                                      "this engine is too old to keep containers running "
                                      "while it restarts",
                                      "upgrade Docker to 20.10 or later" },
        [PL_ADOPT_REFUSE_ROOTLESS] = { is_rootless, "a rootless engine cannot be adopted from",
                                       "recreate the containers with --log-opt max-size=" },
        [PL_ADOPT_REFUSE_SWARM] = { in_swarm,
                                    "the engine is part of a swarm, where live-restore "
                                    "does not work",
                                    "recreate the services with --log-opt max-size=" },
        [PL_ADOPT_REFUSE_INSIDE] = { is_inside,
                                     "this runs inside one of the engine's containers, "
                                     "and would freeze itself",
                                     "run it on the host" },
        [PL_ADOPT_REFUSE_RUNNER] = { no_runner, "the engine is not a service of systemd",
                                     "say --engine-pid PID of dockerd: it is then started again "
                                     "with the same command line" },
        [PL_ADOPT_REFUSE_KILL_MODE] = { kills_all,
                                        "stopping the engine's unit would kill its "
                                        "containers",
                                        "set KillMode=process in its [Service] section" },
        [PL_ADOPT_REFUSE_DEPENDENTS] = { has_dependents,
                                         "other units stop together with the "
                                         "engine's",
                                         "stop them first, and start them afterwards" },
        [PL_ADOPT_REFUSE_FILES] = { other_files, "the engine's data is not where this sees it",
                                    "run it in dockerd's mount namespace" },
        [PL_ADOPT_REFUSE_FLAG] = { flag_forbids,
                                   "dockerd's command line says "
                                   "--live-restore=false",
                                   "remove that flag, and restart the engine when it suits" },
};

PlAdoptRefusal pl_adopt_check(const PlAdoptFacts *f) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(refusals); i++)
                if (refusals[i].holds && refusals[i].holds(f))
                        return (PlAdoptRefusal)i;
        return PL_ADOPT_REFUSE_NOT;
}

const PlAdoptRefusalInfo *pl_adopt_refusal_info(PlAdoptRefusal r) {
        return &refusals[r];
}

/* ---- after an accident ---- */

PlAdoptRecovery pl_adopt_recover(PlAdoptPhase phase, bool same_boot, bool answers) {
        static const PlAdoptRecovery ways[] = {
                [PL_ADOPT_PLANNED] = PL_ADOPT_RELEASE, [PL_ADOPT_CONFIGURED] = PL_ADOPT_RELEASE,
                [PL_ADOPT_FROZEN] = PL_ADOPT_RELEASE,  [PL_ADOPT_STOPPING] = PL_ADOPT_UNDO,
                [PL_ADOPT_STOPPED] = PL_ADOPT_UNDO,    [PL_ADOPT_REWRITTEN] = PL_ADOPT_FINISH,
                [PL_ADOPT_STARTED] = PL_ADOPT_FINISH,  [PL_ADOPT_THAWED] = PL_ADOPT_FINISH,
                [PL_ADOPT_UNDOING] = PL_ADOPT_UNDO,
        };

        /* The engine has read the files, and each of them is whole. */
        if (!same_boot && answers)
                return PL_ADOPT_FORGET;
        return same_boot ? ways[phase] : PL_ADOPT_UNDO;
}
