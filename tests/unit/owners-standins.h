/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What links plimsolld's registry, enforcer, reader and writer to the world in memory: descriptors
 * of kernel files, libcgroup, the watcher, systemd's bus and the Engine API. The linker takes these
 * instead of what the daemon would use.
 */

#include <fcntl.h>
#include <libcgroup.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cgroup/watch.h"
#include "engine/client.h"
#include "enforce/enforcer.h"
#include "lib/docker/answer.h"
#include "lib/limits/unit-properties.h"
#include "owners-process.h"
#include "owners-slices.h"
#include "systemd/scope.h"

/* --- groups, as plimsolld sees them --- */

#define DIR_FD  (1 << 20) /* + group * 8 + controller */
#define FILE_FD (1 << 21)

/* Files of slices have GROUPS_MAX + their number for a group. */
static struct {
        int group; /* -1: closed */
        bool read; /* all of it */
        char name[48];
} files[16];

static bool is_watched;

static void on_group_written(Due *d);

/* A write shows up at the watcher 100 ms after the first. */
static void tell_watcher(void) {
        Group *g = box_group();

        if (!g || !g->watched || !g->written || g->tell_due)
                return;
        g->tell_due = true;
        due_in(100 * PL_USEC_PER_MSEC, on_group_written, false)->number = w.box.group;
}

static int our_write(int group, const char *file, const char *text) {
        int r;

        int who = enter_group(group);

        process.writes += who == 0;
        if (!may_act()) {
                leave_box(who);
                return -EIO;
        }
        w.our_doing = true;
        r = kernel_write(&w.groups[group], file, text);
        w.our_doing = false;
        tell_watcher();
        leave_box(who);
        (void)may_act();
        return r;
}

int openat(int dir, const char *path, int flags, ...) {
        char text[64];
        int group = (dir - DIR_FD) / 8;

        if (dir < DIR_FD || dir >= FILE_FD) {
                mode_t mode = 0;
                va_list ap;

                va_start(ap, flags);
                if (flags & O_CREAT)
                        mode = (mode_t)va_arg(ap, unsigned);
                va_end(ap);
                group = slice_of_path(path, &path);
                if (w.parent_quota >= 0 && pl_startswith(path, "/world/docker/cpu.cfs_")) {
                        group = SLICES;
                        path = strrchr(path, '/') + 1;
                }
                if (group < 0)
                        return (int)syscall(SYS_openat, dir, path, flags, mode);
                group += GROUPS_MAX;
        } else if (!w.groups[group].there ||
                   (!pl_streq(path, "memory.reclaim") &&
                    kernel_read(&w.groups[group], path, text, sizeof(text)) < 0) ||
                   (pl_streq(path, "memory.reclaim") && !w.has_reclaim)) {
                errno = ENOENT;
                return -1;
        }
        for (int i = 0; i < (int)PL_ARRAY_SIZE(files); i++)
                if (files[i].group < 0) {
                        files[i].group = group;
                        files[i].read = false;
                        (void)snprintf(files[i].name, sizeof(files[i].name), "%s", path);
                        return FILE_FD + i;
                }
        abort();
}

int faccessat(int dir, const char *path, int mode, int flags) {
        int fd;

        if (dir < DIR_FD)
                return (int)syscall(SYS_faccessat, dir, path, mode);
        fd = openat(dir, path, O_RDONLY);
        if (fd < 0)
                return -1;
        files[fd - FILE_FD].group = -1;
        return 0;
}

ssize_t read(int fd, void *buf, size_t size) {
        char text[128];
        size_t n;

        if (fd < FILE_FD)
                return syscall(SYS_read, fd, buf, size);
        if (files[fd - FILE_FD].group >= GROUPS_MAX) {
                if (files[fd - FILE_FD].read)
                        return 0;
                files[fd - FILE_FD].read = true;
                if (files[fd - FILE_FD].group == GROUPS_MAX + SLICES)
                        (void)snprintf(text, sizeof(text), "%" PRId64 "\n",
                                       strstr(files[fd - FILE_FD].name, "quota") ? w.parent_quota
                                                                                 : w.parent_period);
                else
                        format_max(text, sizeof(text),
                                   slice_number(&w.slices[files[fd - FILE_FD].group - GROUPS_MAX],
                                                files[fd - FILE_FD].name));
        } else {
                int who = enter_group(files[fd - FILE_FD].group), r;

                r = kernel_read(&w.groups[files[fd - FILE_FD].group], files[fd - FILE_FD].name,
                                text, sizeof(text));
                leave_box(who);
                if (r < 0) {
                        errno = ENODEV;
                        return -1;
                }
        }
        n = PL_MIN(strlen(text), size);
        memcpy(buf, text, n);
        return (ssize_t)n;
}

ssize_t write(int fd, const void *buf, size_t size) {
        char text[128];
        int r;

        if (fd < FILE_FD)
                return syscall(SYS_write, fd, buf, size);
        (void)snprintf(text, sizeof(text), "%.*s", (int)size, (const char *)buf);
        r = our_write(files[fd - FILE_FD].group, files[fd - FILE_FD].name, text);
        if (r < 0) {
                errno = -r;
                return -1;
        }
        return (ssize_t)size;
}

int close(int fd) {
        if (fd < FILE_FD)
                return fd >= DIR_FD ? 0 : (int)syscall(SYS_close, fd);
        files[fd - FILE_FD].group = -1;
        return 0;
}

/* The state directory is a real one: what a killed plimsolld would still write never gets its
 * name, or never loses it. */
int renameat(int from_dir, const char *from, int to_dir, const char *to) {
        int r;

        if (!may_act()) {
                errno = EIO;
                return -1;
        }
        r = (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
        (void)may_act();
        return r;
}

int unlinkat(int dir, const char *path, int flags) {
        int r;

        if (!may_act()) {
                errno = EIO;
                return -1;
        }
        r = (int)syscall(SYS_unlinkat, dir, path, flags);
        (void)may_act();
        return r;
}

/* The world's only disk. */
int stat(const char *path, struct stat *ret) {
        if (pl_streq(path, WORLD_DEVICE)) {
                *ret = (struct stat){ .st_mode = S_IFBLK | 0600, .st_rdev = makedev(250, 0) };
                return 0;
        }
        return (int)syscall(SYS_newfstatat, AT_FDCWD, path, ret, 0);
}

/* --- libcgroup: one value of one group --- */

struct cgroup {
        char name[128], file[64], value[96];
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

/* By name: it finds the group of that name that is there now. */
static int modify_cgroup(struct cgroup *group) {
        char text[64];
        int r;

        if (!box_group() || !strstr(group->name, w.box.id) || !box_group()->there ||
            kernel_read(box_group(), group->file, text, sizeof(text)) < 0)
                return ECGROUPVALUENOTEXIST;
        r = our_write(w.box.group, group->file, group->value);
        if (r == -ENOENT)
                return ECGROUPVALUENOTEXIST;
        if (r < 0)
                libcgroup_errno = -r;
        return r < 0 ? ECGOTHER : 0;
}

int cgroup_modify_cgroup(struct cgroup *group) {
        int r, who = 0;

        for (int i = 0; i < SIBLINGS && who == 0; i++)
                if (w.has_siblings && strstr(group->name, w.siblings[i].id))
                        who = enter_box(w.siblings[i].id);
        r = modify_cgroup(group);
        leave_box(who);
        return r;
}

void cgroup_free(struct cgroup **group) {
        *group = NULL;
}

int cgroup_get_last_errno(void) {
        return libcgroup_errno;
}

/* --- where groups are --- */

PlController pl_controller_of(PlResource r) {
        const char *c = pl_resource_info(r)->controller;

        return pl_streq(c, "cpu")      ? PL_CONTROLLER_CPU
               : pl_streq(c, "memory") ? PL_CONTROLLER_MEMORY
               : pl_streq(c, "cpuset") ? PL_CONTROLLER_CPUSET
               : pl_streq(c, "pids")   ? PL_CONTROLLER_PIDS
                                       : PL_CONTROLLER_IO;
}

PlCgroup *pl_cgroup_free(PlCgroup *g) {
        if (!g)
                return NULL;
        free(g->relative[0]);
        free(g->scope);
        free(g);
        return NULL;
}

static PlCgroup *cgroup_of(int group, const char *id) {
        PlCgroup *g = calloc(1, sizeof(*g));
        char name[128];

        (void)snprintf(name, sizeof(name), w.systemd ? "%s/docker-%s.scope" : "%s/%s", w.parent,
                       id);
        g->relative[0] = strdup(name);
        if (w.systemd)
                g->scope = strdup(strrchr(name, '/') + 1);
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++) {
                g->relative[c] = g->relative[0];
                g->dir_fd[c] = DIR_FD + group * 8 + (int)c;
                g->inode[c] = (ino_t)group + 1;
        }
        return g;
}

int pl_cgroup_from_pid(const PlCgroupMounts *m, pid_t pid, const char *id, PlCgroup **ret) {
        int who = enter_box(id), r = -ESRCH;

        if (w.box.running && w.box.pid == pid && pl_streq(w.box.id, id)) {
                *ret = cgroup_of(w.box.group, id);
                r = 0;
        }
        leave_box(who);
        return r;
}

int pl_cgroup_from_parent(const PlCgroupMounts *m, const char *parent, const char *id,
                          PlCgroup **ret) {
        int who = enter_box(id), r = -ENOENT;

        if (box_group() && box_group()->there && pl_streq(w.box.id, id) &&
            pl_streq(parent, w.parent)) {
                *ret = cgroup_of(w.box.group, id);
                r = 0;
        }
        leave_box(who);
        return r;
}

/* Nobody moves processes in this world. */
int pl_cgroup_outside(const PlCgroupMounts *m, const PlCgroup *g, pid_t pid, uint32_t *ret_outside,
                      char **ret_where) {
        return -ESRCH;
}

char *pl_cgroup_parent(const PlCgroup *g) {
        return strndup(g->relative[0], (size_t)(strrchr(g->relative[0], '/') - g->relative[0]));
}

int pl_cg_mounts_load(const char *proc, PlCgroupMounts *ret) {
        return -ENODEV;
}

void pl_cg_mounts_deinit(PlCgroupMounts *m) {}

bool pl_cgroup_id_of_name(const char *name, char ret[static PL_ID_MAX]) {
        return false;
}

static PlCgroupMounts world_mounts(void) {
        static char root[] = "/", mount[] = "/world", proc[] = "/world/proc";
        PlCgroupMounts m = { .proc = proc, .unified = w.h == PL_HIERARCHY_V2 ? mount : NULL };

        for (PlController c = 0; c < _PL_CONTROLLER_N; c++) {
                m.mount[c] = mount;
                m.root[c] = root;
                m.hierarchy[c] = w.h;
        }
        return m;
}

/* --- the watcher --- */

static const PlCgWatchHandlers *watch_handlers;
static void *watch_userdata;

static void on_group_written(Due *d) {
        Group *g = &w.groups[d->number];
        uint32_t mask = g->written;

        g->tell_due = false;
        g->written = 0;
        if (g->watched && g->there)
                watch_handlers->changed(watch_userdata, d->id, mask);
}

static void on_group_gone(Due *d) {
        watch_handlers->gone(watch_userdata, d->id);
}

static void on_group_appeared(Due *d) {
        watch_handlers->appeared(watch_userdata, d->id, w.parent, PL_CONTROLLER_MEMORY, true);
}

int pl_cg_watch_new(sd_event *e, const PlCgroupMounts *m, const PlCgWatchHandlers *handlers,
                    void *userdata, PlCgWatch **ret) {
        watch_handlers = handlers;
        watch_userdata = userdata;
        is_watched = true;
        *ret = NULL;
        return 0;
}

PlCgWatch *pl_cg_watch_free(PlCgWatch *watch) {
        is_watched = false;
        for (int i = 0; i < w.n_groups; i++)
                w.groups[i].watched = w.groups[i].tell_due = false;
        return NULL;
}

int pl_cg_watch_parent(PlCgWatch *watch, const char *parent) {
        return 0;
}

void pl_cg_watch_forget_parent(PlCgWatch *watch, const char *parent) {}

int pl_cg_watch_discover(PlCgWatch *watch) {
        return 0;
}

int pl_cg_watch_add(PlCgWatch *watch, const char *id, const PlCgroup *g) {
        Group *group = &w.groups[(g->dir_fd[0] - DIR_FD) / 8];

        if (!group->watched)
                group->written = 0;
        group->watched = true;
        return 0;
}

void pl_cg_watch_remove(PlCgWatch *watch, const char *id) {
        int who = enter_box(id);

        if (pl_streq(id, w.box.id) && box_group())
                box_group()->watched = false;
        leave_box(who);
}

/* --- systemd --- */

static const PlSystemdHandlers *systemd_handlers;
static void *systemd_userdata;
static uint64_t last_set_usec; /* CLOCK_REALTIME; of the box */

static void note_set(void) {
        if (w.changed_places == 0)
                last_set_usec = pl_clock_usec(CLOCK_REALTIME);
}

/* SetUnitProperties(). */
static void systemd_properties(const PlUnitProperties *p) {
        Scope *s = &w.box.scope;

        for (size_t i = 0; i < p->n; i++) {
                const PlUnitProperty *item = &p->items[i];

                if (pl_streq(item->name, "CPUQuotaPeriodUSec"))
                        s->period_usec = item->number == PL_UNLIMITED ? 0 : item->number;
                for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                        if (!pl_streq(pl_resource_info(r)->unit_property, item->name))
                                continue;
                        if (item->type == PL_UNIT_PROPERTY_DEVICES)
                                scope_set(s, r,
                                          item->n_devices > 0 ? item->devices[0].bytes_per_sec
                                                              : PL_UNLIMITED);
                        else
                                scope_set(s, r, item->number);
                        if (item->type != PL_UNIT_PROPERTY_MASK)
                                continue;
                        s->cpus[0] = '\0';
                        for (unsigned cpu = 0; cpu < 8 * item->mask_size; cpu++)
                                if (item->mask[cpu / 8] & 1U << cpu % 8)
                                        (void)snprintf(s->cpus + strlen(s->cpus),
                                                       sizeof(s->cpus) - strlen(s->cpus), "%s%u",
                                                       s->cpus[0] ? "," : "", cpu);
                        if (!s->cpus[0])
                                s->set &= ~(UINT32_C(1) << r);
                }
        }
        note_set();
        if (box_group() && box_group()->there) {
                systemd_write(box_group(), s);
                tell_watcher();
        }
}

static PlUnitProperties asked[256];
static unsigned n_asked;

static void on_set_done(Due *d) {
        systemd_handlers->set_done(systemd_userdata, d->id, d->number, NULL);
}

static void (*listen_set)(const char *text);
static void on_slice_set(Due *d) {
        PlUnitProperties *p = &asked[d->mask];
        bool there = slice_properties(d->text, p);
        int run = d->number;
        Due *answer;

        pl_unit_properties_deinit(p);
        if (run != (int)process.run)
                return;
        answer = due_in(PL_USEC_PER_MSEC, on_set_done, false);
        answer->id[0] = '\0';
        answer->number = there ? 0 : -ENOENT;
}

static void on_properties(Due *d) {
        PlUnitProperties *p = &asked[d->mask];
        int who = enter_box(d->id);
        bool there = box_group() && box_group()->there && pl_streq(d->id, w.box.id);

        if (there) {
                w.our_doing = true;
                systemd_properties(p);
                w.our_doing = false;
                if (listen_set && who == 0) {
                        char text[160] = "";

                        for (size_t i = 0; i < p->n && strlen(text) < 120; i++)
                                (void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
                                               "%s=%" PRId64 " ", p->items[i].name,
                                               (int64_t)p->items[i].number);
                        listen_set(text);
                }
        }
        pl_unit_properties_deinit(p);
        if (d->number == (int)process.run)
                due_in(PL_USEC_PER_MSEC, on_set_done, false)->number = there ? 0 : -ENOENT;
        leave_box(who);
}

int pl_systemd_new(sd_event *loop, const PlSystemdHandlers *handlers, void *userdata,
                   PlSystemd **ret) {
        systemd_handlers = handlers;
        systemd_userdata = userdata;
        *ret = NULL;
        return 0;
}

PlSystemd *pl_systemd_free(PlSystemd *s) {
        return NULL;
}

bool pl_systemd_is_supported(const PlSystemd *s) {
        return w.systemd;
}

uint64_t pl_systemd_scope_tasks(const PlSystemd *s) {
        return SYSTEMD_TASKS;
}

int pl_systemd_set(PlSystemd *s, const char *id, const char *scope, const PlLimits *limits,
                   const PlLimits *base, uint64_t quota_period_usec) {
        PlUnitProperties p = { 0 };
        Due *d;
        int r;

        if (!w.systemd)
                return -EOPNOTSUPP;
        if (!may_act())
                return -ENOTCONN;
        r = pl_unit_properties_from_limits(limits, base, quota_period_usec, &p);
        if (r < 0)
                return r;
        n_asked = (n_asked + 1) % PL_ARRAY_SIZE(asked);
        asked[n_asked] = p;
        d = due_in(2 * PL_USEC_PER_MSEC, *id ? on_properties : on_slice_set, true);
        memcpy(d->id, id, strlen(id) + 1);
        d->text = *id ? NULL : strdup(scope);
        d->mask = n_asked;
        d->number = (int)process.run;
        process.acts++;
        (void)may_act();
        return 0;
}

int pl_systemd_remove_defaults(PlSystemd *s) {
        return 0;
}

int pl_systemd_start_unit(PlSystemd *s, const char *unit, const char *id) {
        return -EOPNOTSUPP;
}

uint64_t pl_systemd_last_set_usec(const char *scope) {
        return strstr(scope, w.box.id) ? last_set_usec : 0;
}

/* --- the Engine API --- */

static const PlEngineHandlers *engine_handlers;
static void *engine_userdata;
static bool engine_connected;
static PlEngineInfo engine_info;
static unsigned engine_jitter; /* a life's own pace of answers */

static uint64_t pace(unsigned least_msec, unsigned spread) {
        engine_jitter = engine_jitter * 1103515245U + 12345U;
        return (least_msec * UINT64_C(1000)) + (engine_jitter >> 8) % (spread * 1000);
}

static PlContainer *inspected(void) {
        const Box *b = &w.box;
        PlContainer *c = calloc(1, sizeof(*c));

        memcpy(c->id, b->id, sizeof(c->id));
        c->name = strdup(name_of(b->id));
        c->image = strdup("image");
        c->phase = b->running            ? PL_PHASE_RUNNING
                   : b->started_usec > 0 ? PL_PHASE_EXITED
                                         : PL_PHASE_CREATED;
        c->pid = b->running ? b->pid : 0;
        c->started_usec = b->started_usec;
        c->created_usec = WORLD_EPOCH_USEC;
        c->host = (PlHostConfig){
                .memory = b->host.memory,
                .memory_swap = b->host.memory_swap,
                .memory_reservation = b->host.reservation,
                .nano_cpus = b->host.nano,
                .cpu_quota = b->host.quota,
                .cpu_period = b->host.period,
                .cpu_shares = b->host.shares,
                .pids_limit = b->host.pids,
                .blkio_weight = (uint16_t)b->host.blkio,
                .cpuset_cpus = strdup(b->host.cpus),
                .restart_policy = strdup(b->host.restart),
                .cgroup_parent = strdup(w.systemd && !pl_streq(w.parent, "system.slice")
                                                        ? slice_name(1)
                                                        : ""),
                .network_mode = strdup("none"),
        };
        if (asprintf(&c->host.read_bps, b->host.rbps ? WORLD_DEVICE " %" PRIu64 : "%.0" PRIu64,
                     b->host.rbps) < 0 ||
            asprintf(&c->host.write_bps, b->host.wbps ? WORLD_DEVICE " %" PRIu64 : "%.0" PRIu64,
                     b->host.wbps) < 0)
                abort();
        return c;
}

static void on_engine_event(Due *d) {
        PlEvent e = { .action = (PlEventAction)d->number, .exit_code = -1 };

        if (!engine_connected)
                return;
        memcpy(e.id, d->id, sizeof(e.id));
        (void)snprintf(e.name, sizeof(e.name), "%s", name_of(d->id));
        e.time_nsec = (WORLD_EPOCH_USEC + w.now_usec) * 1000;
        if (e.action == PL_EVENT_CREATE) {
                e.born = calloc(1, sizeof(*e.born));
                memcpy(e.born->id, d->id, sizeof(e.id));
                e.born->name = strdup(name_of(d->id));
                e.born->image = strdup("image");
                e.born->phase = PL_PHASE_CREATED;
        }
        engine_handlers->event(engine_userdata, &e);
        pl_container_free(e.born);
}

static uint64_t last_event_usec;

/* In order; that of an update follows when runc has ended, which may take a while. */
static void engine_says(PlEventAction action) {
        bool late = action == PL_EVENT_UPDATE && pace(0, 10) < 2000;
        uint64_t at = PL_MAX(w.now_usec + (late ? pace(100, 700) : pace(0, 3)), last_event_usec);

        last_event_usec = at;
        due_in(at - w.now_usec, on_engine_event, false)->number = action;
}

static void on_connect(Due *d) {
        if (!w.engine_up || engine_connected)
                return;
        engine_connected = true;
        engine_handlers->connected(engine_userdata, &engine_info);
}

int pl_engine_new(sd_event *e, const char *url, const PlEngineHandlers *handlers, void *userdata,
                  PlEngine **ret) {
        engine_handlers = handlers;
        engine_userdata = userdata;
        engine_connected = false;
        engine_info = (PlEngineInfo){ .version = "20.10.24", .podman = w.podman };
        engine_info.api = engine_info.api_max = (PlApiVersion){ 1, 41 };
        *ret = (PlEngine *)&engine_info;
        return 0;
}

PlEngine *pl_engine_free(PlEngine *e) {
        return NULL;
}

void pl_engine_hang_up(PlEngine *e) {}

void pl_engine_tune(PlEngine *e, const PlEngineTuning *tuning) {}

int pl_engine_start(PlEngine *e) {
        due_in(3 * PL_USEC_PER_MSEC, on_connect, false);
        return 0;
}

const PlEngineInfo *pl_engine_info(const PlEngine *e) {
        return &engine_info;
}

const char *pl_engine_url(const PlEngine *e) {
        return "unix:///run/docker.sock";
}

/* A reply that the loss of the engine has overtaken is an error. */
static int lost_or(int error) {
        return engine_connected ? error : -ECONNRESET;
}

static void on_list(Due *d) {
        char ids[1 + SIBLINGS][PL_ID_MAX];
        int error = lost_or(0);
        size_t n = 0;

        if (w.box.exists)
                memcpy(ids[n++], w.box.id, sizeof(ids[0]));
        for (int i = 0; w.has_siblings && i < SIBLINGS; i++)
                if (w.siblings[i].exists)
                        memcpy(ids[n++], w.siblings[i].id, sizeof(ids[0]));
        ((PlEngineListReply)d->reply)(d->userdata, error, NULL, ids, error == 0 ? n : 0);
}

int pl_engine_list(PlEngine *e, PlEngineListReply reply, void *userdata) {
        Due *d;

        if (!engine_connected)
                return -ENOTCONN;
        d = due_in(pace(1, 3), on_list, false);
        d->reply = (void (*)(void))reply;
        d->userdata = userdata;
        return 0;
}

static void on_inspect_reply(Due *d) {
        int error = lost_or(d->number);

        if (error < 0)
                d->container = pl_container_free(d->container);
        ((PlEngineInspectReply)d->reply)(d->userdata, d->id, error, NULL, &d->container);
}

/* The engine looks, and the answer takes its time. */
static void on_inspect(Due *d) {
        int who = enter_box(d->id);
        bool there = w.box.exists && pl_streq(d->id, w.box.id);
        Due *answer = due_in(pace(0, 2), on_inspect_reply, false);

        memcpy(answer->id, d->id, sizeof(d->id));
        answer->number = there ? 0 : -ENOENT;
        answer->container = there ? inspected() : NULL;
        answer->reply = d->reply;
        answer->userdata = d->userdata;
        leave_box(who);
}

/* Whatever happens between a question and its answer may have been missed by it. */
uint64_t pl_engine_n_sent(const PlEngine *e) {
        return 0;
}

bool pl_engine_was_sent_after(const PlEngine *e, uint64_t n_sent) {
        return false;
}

int pl_engine_inspect(PlEngine *e, const char *id, PlEngineInspectReply reply, void *userdata) {
        Due *d;

        if (!engine_connected)
                return -ENOTCONN;
        d = due_in(pace(0, 2), on_inspect, false);
        memcpy(d->id, id, strlen(id) + 1);
        d->reply = (void (*)(void))reply;
        d->userdata = userdata;
        return 0;
}

int pl_engine_networks(PlEngine *e, PlEngineNetworksReply reply, void *userdata) {
        return -ENOTCONN;
}

int pl_engine_image(PlEngine *e, const char *id, PlEngineInspectReply reply, void *userdata) {
        return -ENOTCONN;
}

int pl_engine_environment(PlEngine *e, const char *id, PlEngineEnvironmentReply reply,
                          void *userdata) {
        return -ENOTCONN;
}

static void on_update_reply(Due *d) {
        int error = lost_or(d->number);

        ((PlEngineReply)d->reply)(d->userdata, d->id, error, error < 0 ? d->text : NULL);
}

/* What the driver of a life hears of the daemon's updates. */
static void (*listen_update)(const char *body, const char *refusal);

static void update_box(Due *d) {
        Host q;
        const char *refusal;
        Due *answer;

        if (!w.engine_up) { /* it has hung up, and so the answer is */
                if (d->number == (int)process.run && !process.dead) {
                        answer = due_in(0, on_update_reply, false);
                        memcpy(answer->id, d->id, sizeof(d->id));
                        answer->number = -ECONNRESET;
                        answer->text = strdup("");
                        answer->reply = d->reply;
                        answer->userdata = d->userdata;
                }
                return;
        }
        if (w.box.starting && pl_streq(d->id, w.box.id)) {
                /* the engine holds the container's lock */
                answer = due_in(PL_USEC_PER_MSEC, d->happen, true);
                memcpy(answer->id, d->id, sizeof(d->id));
                answer->number = d->number;
                answer->text = TAKE_PTR(d->text);
                answer->reply = d->reply;
                answer->userdata = d->userdata;
                return;
        }
        q = update_from_json(d->text);
        w.our_doing = true;
        refusal = pl_streq(d->id, w.box.id) ? engine_update(&q) : "No such container";
        w.our_doing = false;
        if (w.systemd)
                note_set();
        tell_watcher();
        if (listen_update && w.changed_places == 0)
                listen_update(d->text, refusal);
        if (!refusal && engine_connected)
                engine_says(PL_EVENT_UPDATE);
        if (d->number != (int)process.run || process.dead)
                return;
        answer = due_in(pace(0, 8), on_update_reply, false);
        memcpy(answer->id, d->id, sizeof(d->id));
        answer->number = !refusal ? 0 : pl_streq(d->id, w.box.id) ? -EIO : -ENOENT;
        answer->text = strdup(refusal ?: "");
        answer->reply = d->reply;
        answer->userdata = d->userdata;
}

static void on_update(Due *d) {
        int who = enter_box(d->id);

        update_box(d);
        leave_box(who);
}

int pl_engine_update(PlEngine *e, const char *id, const char *body, PlEngineReply reply,
                     void *userdata) {
        Due *d;

        if (!engine_connected || !may_act())
                return -ENOTCONN;
        process.updates += pl_streq(id, w.box.id);
        process.acts++;
        d = due_in(pace(5, 20), on_update, true);
        d->number = (int)process.run;
        memcpy(d->id, id, strlen(id) + 1);
        d->text = strdup(body);
        d->reply = (void (*)(void))reply;
        d->userdata = userdata;
        (void)may_act();
        return 0;
}

int pl_engine_turn(PlEngine *e, PlEngineAct act, const char *id, uint64_t since_usec,
                   PlEngineCheck check, PlEngineReply reply, void *userdata) {
        return -ENOTCONN;
}

int pl_engine_kill(PlEngine *e, const char *id, int signal, PlEngineReply reply, void *userdata) {
        return -ENOTCONN;
}

/** The engine ends: what it was asked fails, and plimsolld notices. */
static void engine_lost(void) {
        if (!engine_connected)
                return;
        engine_connected = false;
        engine_handlers->lost(engine_userdata, -ECONNRESET, "it has hung up", PL_USEC_PER_SEC);
        for (unsigned i = 0; i < n_due; i++)
                if (due[i].run == process.run && due[i].reply)
                        due[i].usec = w.now_usec;
}
