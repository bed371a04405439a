/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Adoption's engine: which process it is, who runs it, and whether it may be restarted under its
 * containers.
 */

#include <errno.h>
#include <sys/stat.h>

#include "ctl/adopt/plan.h"
#include "lib/base/unit.h"

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

/* Which process, and who runs it. */
static void find_runner(const PlAdoptCli *ctl, PlAdoptPlan *plan, PlAdoptRun *run,
                        PlAdoptFacts *f) {
        PlAdoptJournal *j = &run->journal;
        pid_t listener = pl_adopt_listener(j->socket);
        uint64_t pid = 0;

        if (ctl->engine_pid && pl_parse_uint64(ctl->engine_pid, &pid) == 0 && pid > 1 &&
            pid <= INT32_MAX && (listener <= 1 || (pid_t)pid == listener))
                plan->pid = (pid_t)pid;
        else if (!ctl->engine_pid && listener > 1)
                plan->pid = listener;
        else if (!ctl->engine_pid) { /* systemd holds the socket */
                _cleanup_free_ char *text = pl_adopt_unit_property("docker.service", "MainPID");

                if (text && pl_parse_uint64(text, &pid) == 0 && pid <= INT32_MAX)
                        plan->pid = (pid_t)pid;
        }
        if (plan->pid <= 1 || pl_adopt_process_read(run, plan->pid) < 0)
                return;
        f->flags = run->flags = pl_adopt_flags(run->cmdline, run->cmdline_size);
        if (pl_adopt_unit_of(plan->pid, &j->unit) == 0) {
                _cleanup_free_ char *mode = pl_adopt_unit_property(j->unit, "KillMode");

                j->triggers = pl_adopt_unit_property(j->unit, "TriggeredBy");
                f->runner = PL_ADOPT_RUNNER_SYSTEMD;
                f->kill_mode_process =
                                mode && (pl_streq(mode, "process") || pl_streq(mode, "none"));
                f->restores = pl_adopt_unit_restores(j->unit, j->triggers ?: "");
        } else if (ctl->engine_pid)
                f->runner = PL_ADOPT_RUNNER_PROCESS;
}

int pl_adopt_ask_engine(const PlAdoptCli *ctl, PlAdoptPlan *plan, PlAdoptRun *run) {
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
        pl_ctl_say("%s", pl_adopt_refusal_to_string(refusal));
        if (refusal == PL_ADOPT_REFUSE_RUNNER && plan->pid > 1)
                pl_ctl_say("to do: %s (it is %d now)", pl_adopt_refusal_remedy(refusal), plan->pid);
        else
                pl_ctl_say("to do: %s", pl_adopt_refusal_remedy(refusal));
        return PL_EXIT_BAD;
}
