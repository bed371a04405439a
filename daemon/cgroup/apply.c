/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup writer. Everything that libcgroup makes peculiar ends here.
 *
 * - One value per cgroup_modify_cgroup(): it stops at the first failure, without undoing, and does
 *   not say where.
 * - The cost of a write is libcgroup's reading of /proc/mounts before each value (about two thirds
 *   of 32 us, against 7 us for the bare open, write, close); none of its calls avoids it, in 2.0.2
 *   or 3.1.0. What can be avoided is: cgroup_get_cgroup(), which reads every file of the group.
 *   Mostly that is nothing. Where time counts it is a quarter of what lies between a start event
 *   and the limit in force (130 of 450 us, caches cold), and half of a reload that changes a
 *   thousand containers: there the same text goes to the same file below the group's descriptor.
 * - cgroup_get_last_errno() is meaningful after ECGOTHER alone, and stale otherwise.
 * - An empty line is not written at all; a space is, and the kernel strips it.
 * - Files are opened for reading and writing, which memory.reclaim (mode 0200) allows to nobody
 *   without CAP_DAC_OVERRIDE, root included: a squeeze goes past it always.
 */

#include "cgroup/apply.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <link.h>
#include <sys/mman.h>

#include "lib/base/unit.h"

/*
 * cgroup_init() zeroes its table of mounts, 100 entries of 8 KiB, of which a dozen are ever used:
 * 0.8 MiB of touched pages, a third of what the daemon would have. Pages of private anonymous
 * memory that hold nothing but zeroes can be given back: they read as zeroes again (madvise(2)).
 */
static void give_back_zero_pages(const char *symbol) {
        uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin, end;
        const ElfW(Sym) *entry = NULL;
        Dl_info info;
        void *table = dlsym(RTLD_DEFAULT, symbol);

        if (!table || !dladdr1(table, &info, (void **)&entry, RTLD_DL_SYMENT) || !entry)
                return;
        begin = ((uintptr_t)table + page - 1) & ~(page - 1);
        end = ((uintptr_t)table + entry->st_size) & ~(page - 1);
        for (; begin < end; begin += page) {
                const uint64_t *p = (const uint64_t *)begin;
                size_t n = page / sizeof(*p), i = 0;

                while (i < n && p[i] == 0)
                        i++;
                if (i == n)
                        (void)madvise((void *)begin, page, MADV_DONTNEED);
        }
}

int pl_cg_apply_init(void) {
        static bool done;
        int r;

        if (done)
                return 0;
        r = cgroup_init();
        if (r == ECGOTHER && cgroup_get_last_errno() > 0)
                return -cgroup_get_last_errno();
        if (r != 0)
                return -EIO;
        done = true;
        give_back_zero_pages("cg_mount_table");
        return 0;
}

/* libcgroup's word for an open(2) that failed says nothing of the reason: look again. */
static int why_missing(int dir_fd, const char *file) {
        if (faccessat(dir_fd, file, F_OK, 0) == 0)
                return -EACCES;
        return faccessat(dir_fd, "cgroup.procs", F_OK, 0) < 0 ? -ENODEV : -EOPNOTSUPP;
}

static int translate(int ecg, int dir_fd, const char *file) {
        switch (ecg) {
        case 0:
                return 0;
        case ECGOTHER: {
                int e = cgroup_get_last_errno();

                return e > 0 ? -e : -EIO;
        }
        case ECGROUPVALUENOTEXIST:
        case ECGROUPNOTEXIST:
                return why_missing(dir_fd, file);
        case ECGROUPNOTALLOWED:
        case ECGROUPNOTOWNER:
                return -EPERM;
        case ECGROUPNOTMOUNTED:
        case ECGROUPSUBSYSNOTMOUNTED:
                return -EOPNOTSUPP;
        case ECGROUPNOTINITIALIZED:
                return -EINVAL;
        default:
                return -EIO;
        }
}

typedef struct Version Version;

/* Where a step goes; fixed while it is executed. */
typedef struct Target {
        const PlCgroup *g;
        PlController c;
        PlHierarchy hierarchy;
        const Version *version;
        bool direct;
        const char *file; /* the last one tried */
} Target;

/* What differs between the versions beyond file names and formats. */
struct Version {
        const char *controllers[_PL_CONTROLLER_N]; /* libcgroup's names */
        uint64_t (*read_period)(int dir_fd);       /* of the CPU quota; 0: it cannot be read */
        /* @current_usec: the period in force, 0: unknown; @period_usec: the one to be written */
        int (*write_quota)(Target *t, const char *quota, bool unlimited, uint64_t current_usec,
                           uint64_t period_usec);
        int (*write_all_cpus)(Target *t);
};

static int write_directly(int dir_fd, const char *file, const char *value) {
        _cleanup_close_ int fd = openat(dir_fd, file, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return errno == ENOENT ? why_missing(dir_fd, file) : -errno;
        return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

static int write_through_libcgroup(const Target *t, const char *file, const char *value) {
        struct cgroup_controller *controller;
        struct cgroup *group;
        int ecg;

        group = cgroup_new_cgroup(t->g->relative[t->c]);
        if (!group)
                return -ENOMEM;
        controller = cgroup_add_controller(group, t->version->controllers[t->c]);
        ecg = !controller ? ECGFAIL : cgroup_add_value_string(controller, file, value);
        if (ecg == 0)
                ecg = cgroup_modify_cgroup(group);
        cgroup_free(&group);
        return translate(ecg, t->g->dir_fd[t->c], file);
}

static int write_value(Target *t, const char *file, const char *value) {
        t->file = file;
        if (pl_streq(value, "\n"))
                value = " ";
        return t->direct ? write_directly(t->g->dir_fd[t->c], file, value)
                         : write_through_libcgroup(t, file, value);
}

static int write_number(Target *t, const char *file, uint64_t number) {
        char value[24];

        (void)snprintf(value, sizeof(value), "%" PRIu64, number);
        return write_value(t, file, value);
}

static int read_line(int dir_fd, const char *file, char *buf, size_t size) {
        _cleanup_close_ int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = read(fd, buf, size - 1);
        if (n < 0)
                return -errno;
        buf[n] = '\0';
        buf[strcspn(buf, "\n")] = '\0';
        return 0;
}

static uint64_t read_v1_period(int dir_fd) {
        char buf[64];
        uint64_t usec;

        if (read_line(dir_fd, "cpu.cfs_period_us", buf, sizeof(buf)) < 0)
                return 0;
        return pl_parse_uint64(buf, &usec) < 0 ? 0 : usec;
}

static uint64_t read_v2_period(int dir_fd) {
        char buf[64], *space;
        uint64_t usec;

        if (read_line(dir_fd, "cpu.max", buf, sizeof(buf)) < 0)
                return 0;
        space = strchr(buf, ' ');
        return !space || pl_parse_uint64(space + 1, &usec) < 0 ? 0 : usec;
}

/* The kernel has refused the second of two writes: take back the first. Return: error. */
static int refused(Target *t, int error, const char *first, const char *before) {
        const char *file = t->file;

        (void)write_value(t, first, before);
        t->file = file;
        return error;
}

/* Two files, and between the two writes the ratio must not exceed both the old one and the new one:
 * the kernel refuses a ratio above the parent's. When it refuses the second, the first goes back:
 * half of a change may leave a fraction of either limit. */
static int write_v1_quota(Target *t, const char *quota, bool unlimited, uint64_t current_usec,
                          uint64_t period_usec) {
        char before[32];
        int r;

        current_usec = current_usec ?: read_v1_period(t->g->dir_fd[t->c]);
        if (period_usec == current_usec || unlimited) {
                r = write_value(t, "cpu.cfs_quota_us", quota);
                if (r < 0 || period_usec == current_usec)
                        return r;
                return write_number(t, "cpu.cfs_period_us", period_usec); /* no quota, no ratio */
        }
        if (period_usec < current_usec) {
                r = read_line(t->g->dir_fd[t->c], "cpu.cfs_quota_us", before, sizeof(before));
                if (r >= 0)
                        r = write_value(t, "cpu.cfs_quota_us", quota);
                if (r < 0)
                        return r;
                r = write_number(t, "cpu.cfs_period_us", period_usec);
                return r < 0 ? refused(t, r, "cpu.cfs_quota_us", before) : 0;
        }
        (void)snprintf(before, sizeof(before), "%" PRIu64, current_usec);
        r = write_number(t, "cpu.cfs_period_us", period_usec);
        if (r < 0)
                return r;
        r = write_value(t, "cpu.cfs_quota_us", quota);
        return r < 0 ? refused(t, r, "cpu.cfs_period_us", before) : 0;
}

static int write_v2_quota(Target *t, const char *quota, bool unlimited, uint64_t current_usec,
                          uint64_t period_usec) {
        return write_value(t, "cpu.max", quota);
}

/* The parent's own list restricts nothing either. */
static int write_parents_cpus(Target *t, const char *file) {
        char buf[4096];
        int r;

        t->file = "cpuset.cpus";
        r = read_line(t->g->dir_fd[t->c], file, buf, sizeof(buf));
        return r < 0 ? r : write_value(t, "cpuset.cpus", buf);
}

/* v1 refuses an empty list. */
static int write_v1_all_cpus(Target *t) {
        return write_parents_cpus(t, "../cpuset.cpus");
}

/* v2 takes one, but not from a group with tasks that has a list (validate_change() in
 * kernel/cgroup/cpuset.c: ENOSPC). */
static int write_v2_all_cpus(Target *t) {
        int r = write_value(t, "cpuset.cpus", "\n");

        return r == -ENOSPC ? write_parents_cpus(t, "../cpuset.cpus.effective") : r;
}

static const Version versions[] = {
        [PL_HIERARCHY_V1] = { { [PL_CONTROLLER_CPU] = "cpu",
                                [PL_CONTROLLER_MEMORY] = "memory",
                                [PL_CONTROLLER_CPUSET] = "cpuset",
                                [PL_CONTROLLER_PIDS] = "pids",
                                [PL_CONTROLLER_IO] = "blkio" },
                              read_v1_period,
                              write_v1_quota,
                              write_v1_all_cpus },
        [PL_HIERARCHY_V2] = { { [PL_CONTROLLER_CPU] = "cpu",
                                [PL_CONTROLLER_MEMORY] = "memory",
                                [PL_CONTROLLER_CPUSET] = "cpuset",
                                [PL_CONTROLLER_PIDS] = "pids",
                                [PL_CONTROLLER_IO] = "io" },
                              read_v2_period,
                              write_v2_quota,
                              write_v2_all_cpus },
};

static int apply_quota(Target *t, const PlValue *v, uint64_t in_force_usec, uint64_t period_usec) {
        _cleanup_free_ char *quota = NULL;
        uint64_t current = in_force_usec, period;
        int r;

        if (current == 0 && period_usec == 0)
                current = t->version->read_period(t->g->dir_fd[t->c]);
        r = pl_resource_format_quota(t->hierarchy, v, period_usec ?: current, &quota, &period);
        if (r < 0)
                return r;
        return t->version->write_quota(t, quota, v->number == PL_UNLIMITED, current, period);
}

static int apply_devices(Target *t, const PlStep *step, const char *file) {
        PlHierarchy h = t->hierarchy;
        _cleanup_free_ char *lines = NULL;
        char *line, *save = NULL;
        int r;

        r = pl_resource_format_devices(step->resource, h, &step->value, &step->before, &lines);
        if (r < 0)
                return r;
        for (line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                r = write_value(t, file, line);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int apply_write(Target *t, const PlStep *step, uint64_t period_usec) {
        const PlResourceInfo *info = pl_resource_info(step->resource);
        PlHierarchy h = t->hierarchy;
        _cleanup_free_ char *text = NULL;
        PlValue v = step->value;
        int r;

        t->file = info->file[h];
        if (!t->file)
                return -EOPNOTSUPP;
        if (info->kind == PL_KIND_CPU_TIME)
                return apply_quota(t, &v, step->period_usec, period_usec);
        if (info->kind == PL_KIND_DEVICES)
                return apply_devices(t, step, t->file);
        if (info->kind == PL_KIND_CPUSET && (!v.text || !*v.text))
                return t->version->write_all_cpus(t);
        v.number = step->number;
        r = pl_resource_format_file(step->resource, h, &v, &text);
        return r < 0 ? r : write_value(t, t->file, text);
}

static int apply_squeeze(Target *t, const PlStep *step) {
        return write_number(t,
                            step->resource == PL_RESOURCE_MEMORY_HIGH ? "memory.high"
                                                                      : "memory.reclaim",
                            step->number);
}

int pl_cg_apply(const PlCgroupMounts *m, const PlCgroup *g, const PlStep *step,
                uint64_t quota_period_usec, bool direct, const char **ret_file) {
        PlController c = pl_controller_of(step->resource);
        Target t = { .g = g,
                     .c = c,
                     .hierarchy = m->hierarchy[c],
                     .version = &versions[m->hierarchy[c]],
                     .direct = direct };
        int r;

        if (step->kind == PL_STEP_SQUEEZE)
                t.direct = true;
        if (g->dir_fd[t.c] < 0)
                r = -EOPNOTSUPP;
        else if (step->kind == PL_STEP_WRITE)
                r = apply_write(&t, step, quota_period_usec);
        else if (step->kind == PL_STEP_SQUEEZE)
                r = apply_squeeze(&t, step);
        else
                r = -EINVAL;
        if (ret_file)
                *ret_file = t.file;
        return r;
}
