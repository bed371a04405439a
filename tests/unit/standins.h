/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What stands in for the kernel, libcgroup, systemd and the clock. The linker takes these instead
 * of what the daemon would use, so that a test sees each write, decides how it ends, and moves
 * time.
 *
 * A group is a directory of plain files below <tmp>/cg, one v2 hierarchy; <tmp>/proc tells which
 * process is in which.
 */

#include <fcntl.h>
#include <libcgroup.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "cgroup/path.h"
#include "systemd/scope.h"
#include "tmp.h"

/* --- clock --- */

/* CLOCK_BOOTTIME is so far ahead of the real one; tests move it forward only. The others go as they
 * do, since timers go by them. */
static uint64_t ahead_usec;

uint64_t pl_clock_usec(clockid_t clock) {
        struct timespec t;

        (void)clock_gettime(clock, &t);
        return (uint64_t)t.tv_sec * PL_USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000 +
               (clock == CLOCK_BOOTTIME ? ahead_usec : 0);
}

uint64_t pl_clock_loop_usec(sd_event *loop, clockid_t clock) {
        uint64_t now = 0;

        (void)sd_event_now(loop, clock, &now);
        return now + (clock == CLOCK_BOOTTIME ? ahead_usec : 0);
}

/* --- kernel --- */

/* What the kernel does with writes to this file. */
typedef struct KernelRule {
        const char *file;
        int error;        /* it refuses */
        const char *says; /* it takes the write and shows this; NULL: what was written */
        unsigned times;   /* and then is as usual again; 0: always */
} KernelRule;

static KernelRule kernel_rules[4];
static char written[256][128]; /* "memory.max=64", in order; refused ones are in it, too */
static unsigned n_written;
static bool state_disk_full;

static inline unsigned n_written_to(const char *file) {
        unsigned n = 0;

        for (unsigned i = 0; i < n_written; i++)
                n += pl_startswith(written[i], file) && written[i][strlen(file)] == '=';
        return n;
}

/* Where a write is in the order of all of them; fails the test if there was none. */
static inline unsigned written_at(const char *what) {
        for (unsigned i = 0; i < n_written; i++)
                if (pl_streq(written[i], what))
                        return i;
        ck_abort_msg("never written: %s", what);
}

static inline ssize_t kernel_write(int fd, const char *file, const char *text) {
        const char *content = text;

        if (n_written < PL_ARRAY_SIZE(written))
                (void)snprintf(written[n_written++], sizeof(written[0]), "%.60s=%.60s", file, text);
        for (unsigned i = 0; i < PL_ARRAY_SIZE(kernel_rules); i++) {
                KernelRule *rule = &kernel_rules[i];
                KernelRule now = *rule;

                if (!rule->file || !pl_streq(rule->file, file))
                        continue;
                if (rule->times > 0 && --rule->times == 0)
                        *rule = (KernelRule){};
                if (now.error > 0) {
                        errno = now.error;
                        return -1;
                }
                content = now.says ?: text;
                break;
        }
        (void)ftruncate(fd, 0);
        (void)syscall(SYS_pwrite64, fd, content, strlen(content), 0);
        (void)syscall(SYS_pwrite64, fd, "\n", 1, strlen(content));
        return (ssize_t)strlen(text);
}

ssize_t write(int fd, const void *data, size_t size) {
        char link[48], path[512], kernel[64], state[64], text[48];
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        path[n > 0 ? n : 0] = '\0';
        (void)snprintf(kernel, sizeof(kernel), "%s/cg/", tmp);
        (void)snprintf(state, sizeof(state), "%s/state/", tmp);
        if (*tmp && state_disk_full && pl_startswith(path, state)) {
                errno = ENOSPC;
                return -1;
        }
        if (!*tmp || !pl_startswith(path, kernel))
                return syscall(SYS_write, fd, data, size);
        (void)snprintf(text, sizeof(text), "%.*s", (int)size, (const char *)data);
        return kernel_write(fd, strrchr(path, '/') + 1, text);
}

/* --- libcgroup: one value of one group --- */

struct cgroup {
        char name[256], file[64], value[96];
};

struct cgroup_controller {
        struct cgroup group;
};

static int libcgroup_errno;
static struct cgroup_controller the_controller;

int cgroup_init(void) {
        return 0;
}

struct cgroup *cgroup_new_cgroup(const char *name) {
        (void)snprintf(the_controller.group.name, sizeof(the_controller.group.name), "%s", name);
        return &the_controller.group;
}

struct cgroup_controller *cgroup_add_controller(struct cgroup *group, const char *name) {
        return &the_controller;
}

int cgroup_add_value_string(struct cgroup_controller *c, const char *name, const char *value) {
        (void)snprintf(c->group.file, sizeof(c->group.file), "%s", name);
        (void)snprintf(c->group.value, sizeof(c->group.value), "%s", value);
        return 0;
}

int cgroup_modify_cgroup(struct cgroup *group) {
        char path[512];
        int fd, r = 0;

        (void)snprintf(path, sizeof(path), "%s/cg/%s/%s", tmp, group->name, group->file);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return ECGROUPVALUENOTEXIST;
        if (write(fd, group->value, strlen(group->value)) < 0) {
                libcgroup_errno = errno;
                r = ECGOTHER;
        }
        (void)close(fd);
        return r;
}

void cgroup_free(struct cgroup **group) {
        *group = NULL;
}

int cgroup_get_last_errno(void) {
        return libcgroup_errno;
}

/* --- systemd --- */

static struct {
        bool there; /* is there one? */
        const PlSystemdHandlers *handlers;
        void *userdata;
        unsigned n_set, n_units;
        char set[400]; /* the last limits, "MemoryMax=64M " each */
        char scope[128], unit[128];
        uint64_t last_set_usec; /* by whomever */
        uint64_t tasks;         /* DefaultTasksMax; 0: not known */
} systemd_standin;

int pl_systemd_new(sd_event *loop, const PlSystemdHandlers *handlers, void *userdata,
                   PlSystemd **ret) {
        systemd_standin.handlers = handlers;
        systemd_standin.userdata = userdata;
        *ret = NULL;
        return 0;
}

PlSystemd *pl_systemd_free(PlSystemd *s) {
        return NULL;
}

bool pl_systemd_is_supported(const PlSystemd *s) {
        return systemd_standin.there;
}

uint64_t pl_systemd_scope_tasks(const PlSystemd *s) {
        return systemd_standin.tasks;
}

int pl_systemd_set(PlSystemd *s, const char *id, const char *scope, const PlLimits *limits,
                   const PlLimits *base, uint64_t quota_period_usec) {
        size_t n = 0;

        if (!systemd_standin.there)
                return -EOPNOTSUPP;
        systemd_standin.set[0] = '\0';
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                _cleanup_free_ char *text = NULL;

                if (!limits->v[r].set || pl_value_to_string(r, &limits->v[r], &text) < 0)
                        continue;
                n += (size_t)snprintf(systemd_standin.set + n, sizeof(systemd_standin.set) - n,
                                      "%s=%s ", pl_resource_info(r)->name, text);
        }
        (void)snprintf(systemd_standin.scope, sizeof(systemd_standin.scope), "%s", scope);
        systemd_standin.n_set++;
        return 0;
}

int pl_systemd_remove_defaults(PlSystemd *s) {
        return 0;
}

int pl_systemd_start_unit(PlSystemd *s, const char *unit, const char *id) {
        (void)snprintf(systemd_standin.unit, sizeof(systemd_standin.unit), "%s", unit);
        systemd_standin.n_units++;
        return systemd_standin.there ? 0 : -EOPNOTSUPP;
}

uint64_t pl_systemd_last_set_usec(const char *scope) {
        return systemd_standin.last_set_usec;
}

/* --- groups --- */

static char standin_mount[64], standin_proc[64];

static inline PlCgroupMounts standin_mounts(void) {
        static char root[] = "/";
        PlCgroupMounts m = { .proc = standin_proc, .unified = standin_mount };

        (void)snprintf(standin_mount, sizeof(standin_mount), "%s/cg", tmp);
        (void)snprintf(standin_proc, sizeof(standin_proc), "%s/proc", tmp);
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++) {
                m.mount[c] = standin_mount;
                m.root[c] = root;
                m.hierarchy[c] = PL_HIERARCHY_V2;
        }
        return m;
}

/** @group: below the mount. */
static inline void group_put(const char *group, const char *file, const char *content) {
        char path[256];

        (void)snprintf(path, sizeof(path), "cg/%s/%s", group, file);
        tmp_put(path, content);
}

/** A new group, as the kernel makes it. */
static inline void group_make(const char *group) {
        static const char *const files[][2] = {
                { "cgroup.procs", "" },         { "memory.max", "max\n" },
                { "memory.high", "max\n" },     { "memory.low", "0\n" },
                { "memory.min", "0\n" },        { "memory.swap.max", "max\n" },
                { "memory.current", "4096\n" }, { "cpu.max", "max 100000\n" },
                { "cpu.weight", "100\n" },      { "pids.max", "max\n" },
                { "pids.current", "1\n" },      { "memory.events", "oom_kill 0\n" },
        };

        for (unsigned i = 0; i < PL_ARRAY_SIZE(files); i++)
                group_put(group, files[i][0], files[i][1]);
}

static inline void group_drop(const char *group, const char *file) {
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/cg/%s/%s", tmp, group, file);
        ck_assert_int_eq(unlink(path), 0);
}

static inline void group_remove(const char *group) {
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/cg/%s", tmp, group);
        ck_assert_int_eq(nftw(path, tmp_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/** The first line of a group's file. */
static inline const char *group_get(const char *group, const char *file) {
        static char line[96];
        char path[256];
        FILE *f;

        (void)snprintf(path, sizeof(path), "%s/cg/%s/%s", tmp, group, file);
        f = fopen(path, "re");
        ck_assert_msg(f, "%s", path);
        if (!fgets(line, sizeof(line), f))
                line[0] = '\0';
        (void)fclose(f);
        line[strcspn(line, "\n")] = '\0';
        return line;
}

static inline void process_put(int pid, const char *group) {
        char path[64], line[200];

        (void)snprintf(path, sizeof(path), "proc/%d/cgroup", pid);
        (void)snprintf(line, sizeof(line), "0::/%s\n", group);
        tmp_put(path, line);
}
