/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup reader: small kernel files, one read(2) each, parsed on the stack.
 *
 * Sources: kernel Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/{memory,cpuacct,pids}.rst.
 * A reconcile of a thousand containers passes here several times, so nothing is read that the
 * planner does not need, and nothing is allocated but texts.
 */

#include "cgroup/read.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/base/unit.h"

#define BIT(r) (UINT32_C(1) << (r))

/*
 * What differs between the versions beyond file names. Usage is by hierarchy, since a host may have
 * memory on v1 and the rest on v2; a descriptor is negative where there is no group.
 */
typedef struct Version {
        int (*read_quota)(int cpu_fd, char *buf, size_t size);
        bool (*has_parents_cpus)(int cpuset_fd, const char *cpus);
        /* Return: what the planner needs to know besides */
        uint32_t (*needs)(int memory_fd, uint32_t mask, PlReading *ret);
        void (*read_current)(int memory_fd, PlReading *ret);
        void (*read_memory)(int memory_fd, PlUsage *ret);
        void (*read_cpu)(int cpu_fd, PlUsage *ret);
        void (*read_cpuacct)(int cpuacct_fd, PlUsage *ret);
        void (*read_modes)(int cpuacct_fd, PlFlow *ret);
        void (*read_disks)(int io_fd, PlFlow *ret);
        bool has_pressure;
} Version;

/* The largest files read whole: io.max and the throttle files, one line per device. */
#define FILE_MAX 4096

/**
 * read_file() - a kernel file into a buffer
 * Return: 0, NUL terminated; -ENOENT no such file; -ENODEV the group is gone; -errno.
 */
static int read_file(int dir_fd, const char *name, char *buf, size_t size) {
        _cleanup_close_ int fd = -EBADF;
        ssize_t n;

        fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        n = read(fd, buf, size - 1);
        if (n < 0)
                return -errno;
        buf[n] = '\0';
        return 0;
}

/* A removed directory answers ENOENT to every openat(), as a missing file does. */
static bool is_gone(int dir_fd) {
        return faccessat(dir_fd, "cgroup.procs", F_OK, 0) < 0 && errno == ENOENT;
}

static int read_number(int dir_fd, const char *name, uint64_t *ret) {
        char buf[32];
        int r;

        if (dir_fd < 0)
                return -ENOENT;
        r = read_file(dir_fd, name, buf, sizeof(buf));
        if (r < 0)
                return r;
        buf[strcspn(buf, "\n")] = '\0';
        if (pl_streq(buf, "max")) {
                *ret = PL_UNLIMITED;
                return 0;
        }
        return pl_parse_uint64(buf, ret) < 0 ? -EBADMSG : 0;
}

void pl_cg_take_key(const char *text, const char *key, uint64_t *ret) {
        size_t n = strlen(key);

        for (const char *s = text; s; s = strchr(s, '\n')) {
                char digits[24];
                uint64_t value;

                s += *s == '\n';
                if (strncmp(s, key, n) != 0 || s[n] != ' ')
                        continue;
                (void)snprintf(digits, sizeof(digits), "%.*s", (int)strcspn(s + n + 1, "\n"),
                               s + n + 1);
                if (pl_parse_uint64(digits, &value) == 0)
                        *ret = value;
                return;
        }
}

static int read_v2_quota(int dir_fd, char *buf, size_t size) {
        return read_file(dir_fd, "cpu.max", buf, size);
}

/* cpu.cfs_quota_us and cpu.cfs_period_us as one text, like cpu.max */
static int read_v1_quota(int dir_fd, char *buf, size_t size) {
        size_t n;
        int r;

        r = read_file(dir_fd, "cpu.cfs_quota_us", buf, size);
        if (r < 0)
                return r;
        n = strcspn(buf, "\n");
        buf[n++] = ' ';
        return read_file(dir_fd, "cpu.cfs_period_us", buf + n, size - n);
}

static void take_period(const char *text, PlReading *ret) {
        const char *space = strchr(text, ' ');
        char digits[24];

        if (!space)
                return;
        (void)snprintf(digits, sizeof(digits), "%.*s", (int)strcspn(space + 1, "\n"), space + 1);
        if (pl_parse_uint64(digits, &ret->cpu_period_usec) < 0)
                ret->cpu_period_usec = 0;
}

static bool is_in_file(int dir_fd, const char *file, const char *text) {
        char buf[FILE_MAX];

        return read_file(dir_fd, file, buf, sizeof(buf)) == 0 && pl_streq(buf, text);
}

/* v1 has no "all", and v2 does not take it back: a list that is the parent's restricts nothing. */
static bool has_v1_parents_cpus(int dir_fd, const char *cpus) {
        return is_in_file(dir_fd, "../cpuset.cpus", cpus);
}

static bool has_v2_parents_cpus(int dir_fd, const char *cpus) {
        return *cpus && *cpus != '\n' && is_in_file(dir_fd, "../cpuset.cpus.effective", cpus);
}

/* v1 refuses a limit below usage instead of killing: the planner does not ask. */
static void read_v1_current(int memory_fd, PlReading *ret) {}

static void read_v2_current(int memory_fd, PlReading *ret) {
        if (read_number(memory_fd, "memory.current", &ret->memory_current_bytes) < 0)
                ret->memory_current_bytes = PL_UNLIMITED;
}

/* v1 knows the sum of memory and swap alone. */
static uint32_t v1_needs(int memory_fd, uint32_t mask, PlReading *ret) {
        const uint32_t memory = BIT(PL_RESOURCE_MEMORY_MAX) | BIT(PL_RESOURCE_MEMORY_SWAP_MAX);

        return mask & memory ? memory : 0;
}

static uint32_t v2_needs(int memory_fd, uint32_t mask, PlReading *ret) {
        /* the engine takes no limit of swap without one of memory, which must not come as news */
        if (!(mask & BIT(PL_RESOURCE_MEMORY_MAX)))
                return mask & BIT(PL_RESOURCE_MEMORY_SWAP_MAX) ? BIT(PL_RESOURCE_MEMORY_MAX) : 0;
        ret->has_reclaim = faccessat(memory_fd, "memory.reclaim", F_OK, 0) == 0;
        read_v2_current(memory_fd, ret);
        return ret->has_reclaim ? 0 : BIT(PL_RESOURCE_MEMORY_HIGH);
}

/* Return: whether the file could be read. */
static bool read_whole(int dir_fd, const char *name, char buf[static FILE_MAX]) {
        return dir_fd >= 0 && read_file(dir_fd, name, buf, FILE_MAX) == 0;
}

static void read_v1_memory(int fd, PlUsage *u) {
        char buf[FILE_MAX];
        uint64_t memsw;

        (void)read_number(fd, "memory.usage_in_bytes", &u->memory_bytes);
        (void)read_number(fd, "memory.max_usage_in_bytes", &u->memory_peak_bytes);
        if (read_number(fd, "memory.memsw.usage_in_bytes", &memsw) == 0 &&
            u->memory_bytes != PL_UNLIMITED)
                u->swap_bytes = memsw > u->memory_bytes ? memsw - u->memory_bytes : 0;
        if (read_whole(fd, "memory.stat", buf)) {
                pl_cg_take_key(buf, "total_inactive_file", &u->inactive_file_bytes);
                pl_cg_take_key(buf, "total_rss", &u->anon_bytes);
                pl_cg_take_key(buf, "total_cache", &u->file_bytes);
        }
        if (read_whole(fd, "memory.oom_control", buf))
                pl_cg_take_key(buf, "oom_kill", &u->oom_kills);
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", then "full …". Source: psi.rst. */
static void take_waited(const char *pressure, const char *line, uint64_t *ret) {
        const char *total = strstr(pressure, line);

        total = total ? strstr(total, " total=") : NULL;
        if (total)
                (void)sscanf(total, " total=%" SCNu64, ret);
}

static void read_v2_memory(int fd, PlUsage *u) {
        char buf[FILE_MAX];

        (void)read_number(fd, "memory.current", &u->memory_bytes);
        (void)read_number(fd, "memory.peak", &u->memory_peak_bytes); /* Linux 5.19 */
        (void)read_number(fd, "memory.swap.current", &u->swap_bytes);
        if (read_whole(fd, "memory.stat", buf)) {
                pl_cg_take_key(buf, "inactive_file", &u->inactive_file_bytes);
                pl_cg_take_key(buf, "anon", &u->anon_bytes);
                pl_cg_take_key(buf, "file", &u->file_bytes);
        }
        if (read_whole(fd, "memory.events", buf)) {
                pl_cg_take_key(buf, "oom_kill", &u->oom_kills);
                pl_cg_take_key(buf, "high", &u->high_events);
                pl_cg_take_key(buf, "max", &u->max_events);
        }
        if (read_whole(fd, "memory.pressure", buf))
                take_waited(buf, "some ", &u->memory_wait_usec);
}

static void read_v1_cpu(int fd, PlUsage *u) {
        uint64_t nsec = PL_UNLIMITED;
        char buf[FILE_MAX];

        if (read_whole(fd, "cpu.stat", buf)) {
                pl_cg_take_key(buf, "throttled_time", &nsec);
                pl_cg_take_key(buf, "nr_periods", &u->periods);
                pl_cg_take_key(buf, "nr_throttled", &u->throttled_periods);
        }
        if (nsec != PL_UNLIMITED)
                u->throttled_usec = nsec / 1000;
}

static void read_v2_cpu(int fd, PlUsage *u) {
        char buf[FILE_MAX];

        if (!read_whole(fd, "cpu.stat", buf))
                return;
        pl_cg_take_key(buf, "usage_usec", &u->cpu_usec);
        pl_cg_take_key(buf, "throttled_usec", &u->throttled_usec);
        pl_cg_take_key(buf, "nr_periods", &u->periods);
        pl_cg_take_key(buf, "nr_throttled", &u->throttled_periods);
}

static void read_v1_cpuacct(int fd, PlUsage *u) {
        uint64_t nsec;

        if (read_number(fd, "cpuacct.usage", &nsec) == 0)
                u->cpu_usec = nsec / 1000;
}

/* It is all in cpu.stat. */
static void read_v2_cpuacct(int fd, PlUsage *u) {}

/* Linux 4.7. */
static void read_v1_modes(int fd, PlFlow *f) {
        uint64_t nsec;

        if (read_number(fd, "cpuacct.usage_user", &nsec) == 0)
                f->user_usec = nsec / 1000;
        if (read_number(fd, "cpuacct.usage_sys", &nsec) == 0)
                f->system_usec = nsec / 1000;
}

static void read_v2_modes(int fd, PlFlow *f) {
        char buf[FILE_MAX];

        if (!read_whole(fd, "cpu.stat", buf))
                return;
        pl_cg_take_key(buf, "user_usec", &f->user_usec);
        pl_cg_take_key(buf, "system_usec", &f->system_usec);
}

/* The disk's place in the flow. Return: false when there are too many. */
static bool disk_of(PlFlow *f, unsigned major, unsigned minor, uint64_t **ret_read,
                    uint64_t **ret_written) {
        size_t i = 0;

        while (i < f->n_disks && (f->disks[i].major != major || f->disks[i].minor != minor))
                i++;
        if (i == PL_FLOW_DISKS_MAX)
                return false;
        if (i == f->n_disks) {
                f->n_disks++;
                f->disks[i].major = major;
                f->disks[i].minor = minor;
                f->disks[i].read_bytes = f->disks[i].written_bytes = PL_UNLIMITED;
        }
        *ret_read = &f->disks[i].read_bytes;
        *ret_written = &f->disks[i].written_bytes;
        return true;
}

/* "8:0 Read 4096", a line for each direction; then the total. Source: blkio-controller.rst. */
static void read_v1_disks(int fd, PlFlow *f) {
        uint64_t *read, *written, bytes;
        unsigned major, minor;
        char buf[FILE_MAX], word[8];

        if (!read_whole(fd, "blkio.throttle.io_service_bytes_recursive", buf))
                return;
        for (const char *s = buf; *s; s += strcspn(s, "\n"), s += *s == '\n') {
                if (sscanf(s, "%u:%u %7s %" SCNu64, &major, &minor, word, &bytes) != 4 ||
                    !disk_of(f, major, minor, &read, &written))
                        continue;
                if (pl_streq(word, "Read"))
                        *read = bytes;
                else if (pl_streq(word, "Write"))
                        *written = bytes;
        }
}

/* "8:0 rbytes=4096 wbytes=0 rios=…"; a disk that did nothing yet may be without them. */
static void read_v2_disks(int fd, PlFlow *f) {
        uint64_t *read, *written, bytes[2];
        unsigned major, minor;
        char buf[FILE_MAX];

        if (!read_whole(fd, "io.stat", buf))
                return;
        for (const char *s = buf; *s; s += strcspn(s, "\n"), s += *s == '\n') {
                if (sscanf(s, "%u:%u rbytes=%" SCNu64 " wbytes=%" SCNu64, &major, &minor, &bytes[0],
                           &bytes[1]) != 4 ||
                    !disk_of(f, major, minor, &read, &written))
                        continue;
                *read = bytes[0];
                *written = bytes[1];
        }
}

static const Version versions[] = {
        [PL_HIERARCHY_V1] = { read_v1_quota, has_v1_parents_cpus, v1_needs, read_v1_current,
                              read_v1_memory, read_v1_cpu, read_v1_cpuacct, read_v1_modes,
                              read_v1_disks, false },
        [PL_HIERARCHY_V2] = { read_v2_quota, has_v2_parents_cpus, v2_needs, read_v2_current,
                              read_v2_memory, read_v2_cpu, read_v2_cpuacct, read_v2_modes,
                              read_v2_disks, true },
};

static const Version *version_of(const PlCgroupMounts *m, PlController c) {
        return &versions[m->hierarchy[c]];
}
/* Return: 0, also when there is no such file; -ENODEV, -ENOMEM, -errno. */
static int read_resource(const PlCgroupMounts *m, const PlCgroup *g, PlResource r, PlReading *ret) {
        PlController c = pl_controller_of(r);
        PlHierarchy h = m->hierarchy[c];
        const char *file = pl_resource_info(r)->file[h];
        int fd = g->dir_fd[c], e;
        char buf[FILE_MAX];

        ret->hierarchy[r] = h;
        ret->supported &= ~BIT(r);
        if (!file || fd < 0)
                return 0;
        if (r == PL_RESOURCE_CPU_QUOTA)
                e = versions[h].read_quota(fd, buf, sizeof(buf));
        else
                e = read_file(fd, file, buf, sizeof(buf));
        if (e == -ENOENT)
                return is_gone(fd) ? -ENODEV : 0;
        if (e == -EOPNOTSUPP) /* memory.memsw.* without swap accounting */
                return 0;
        if (e < 0)
                return e;
        e = pl_resource_parse_file(r, h, buf, &ret->in_force.v[r]);
        if (e < 0)
                return e == -ENOMEM ? e : -EBADMSG;
        if (r == PL_RESOURCE_CPU_QUOTA)
                take_period(buf, ret);
        if (r == PL_RESOURCE_ALLOWED_CPUS)
                ret->cpus_of_parent = versions[h].has_parents_cpus(fd, buf);
        ret->supported |= BIT(r);
        return 0;
}

/* v1 knows the sum of memory and swap; MemorySwapMax is swap alone. */
static void split_memsw(PlReading *ret, bool sum_is_new) {
        PlValue *swap = &ret->in_force.v[PL_RESOURCE_MEMORY_SWAP_MAX];
        const PlValue *memory = &ret->in_force.v[PL_RESOURCE_MEMORY_MAX];

        if (ret->hierarchy[PL_RESOURCE_MEMORY_SWAP_MAX] != PL_HIERARCHY_V1 || !swap->set)
                return;
        if (sum_is_new)
                ret->memsw_bytes = swap->number;
        if (ret->memsw_bytes == PL_UNLIMITED)
                swap->number = PL_UNLIMITED;
        else if (memory->set && memory->number <= ret->memsw_bytes)
                swap->number = ret->memsw_bytes - memory->number;
        else
                swap->number = 0;
}

static int read_mask(const PlCgroupMounts *m, const PlCgroup *g, uint32_t mask, PlReading *ret) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                int e;

                if (!(mask & BIT(r))) {
                        ret->hierarchy[r] = m->hierarchy[pl_controller_of(r)];
                        continue;
                }
                e = read_resource(m, g, r, ret);
                if (e < 0)
                        return e;
        }
        split_memsw(ret, mask & BIT(PL_RESOURCE_MEMORY_SWAP_MAX));
        return 0;
}

static int read_for_plan(const PlCgroupMounts *m, const PlCgroup *g, uint32_t mask,
                         PlReading *ret) {
        int fd = g->dir_fd[PL_CONTROLLER_MEMORY];

        if (fd >= 0)
                mask |= version_of(m, PL_CONTROLLER_MEMORY)->needs(fd, mask, ret);
        return read_mask(m, g, mask, ret);
}

static void reading_init(PlReading *r) {
        *r = (PlReading){ .memory_current_bytes = PL_UNLIMITED, .memsw_bytes = PL_UNLIMITED };
}

int pl_cg_read(const PlCgroupMounts *m, const PlCgroup *g, uint32_t mask, PlReading *ret) {
        PlReading reading;
        int r;

        reading_init(&reading);
        r = read_for_plan(m, g, mask, &reading);
        if (r < 0) {
                pl_reading_deinit(&reading);
                return r;
        }
        *ret = reading;
        return 0;
}

int pl_cg_read_back(const PlCgroupMounts *m, const PlCgroup *g, uint32_t mask, PlReading *reading) {
        return read_mask(m, g, mask, reading);
}

void pl_cg_refresh(const PlCgroupMounts *m, const PlCgroup *g, PlReading *reading) {
        version_of(m, PL_CONTROLLER_MEMORY)->read_current(g->dir_fd[PL_CONTROLLER_MEMORY], reading);
}

int pl_cg_read_parents_cpus(const PlCgroupMounts *m, const PlCgroup *g, char **ret) {
        bool v2 = m->hierarchy[PL_CONTROLLER_CPUSET] == PL_HIERARCHY_V2;
        char buf[FILE_MAX];
        int fd = g->dir_fd[PL_CONTROLLER_CPUSET], r;

        r = fd < 0 ? -ENOENT
                   : read_file(fd, v2 ? "../cpuset.cpus.effective" : "../cpuset.cpus", buf,
                               sizeof(buf));
        if (r < 0)
                return r;
        buf[strcspn(buf, "\n")] = '\0';
        return *buf ? pl_parse_cpuset(buf, ret) : -ENOENT;
}

int pl_cg_read_cpus(const PlCgroupMounts *m, char **ret) {
        bool v2 = m->hierarchy[PL_CONTROLLER_CPUSET] == PL_HIERARCHY_V2;
        _cleanup_close_ int fd = -EBADF;
        char buf[FILE_MAX];
        int r;

        if (!m->mount[PL_CONTROLLER_CPUSET])
                return -ENOENT;
        fd = open(m->mount[PL_CONTROLLER_CPUSET], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = read_file(fd, v2 ? "cpuset.cpus.effective" : "cpuset.cpus", buf, sizeof(buf));
        if (r < 0)
                return r;
        buf[strcspn(buf, "\n")] = '\0';
        return *buf ? pl_parse_cpuset(buf, ret) : -ENOENT;
}

int pl_cg_read_usage(const PlCgroupMounts *m, const PlCgroup *g, PlUsage *ret) {
        char buf[FILE_MAX];
        bool any = false;
        PlUsage u;

        for (PlController c = 0; c < _PL_CONTROLLER_N && !any; c++)
                any = g->dir_fd[c] >= 0 && !is_gone(g->dir_fd[c]);
        if (!any)
                return -ENODEV;

        pl_usage_init(&u);
        version_of(m, PL_CONTROLLER_MEMORY)->read_memory(g->dir_fd[PL_CONTROLLER_MEMORY], &u);
        version_of(m, PL_CONTROLLER_CPU)->read_cpu(g->dir_fd[PL_CONTROLLER_CPU], &u);
        version_of(m, PL_CONTROLLER_CPUACCT)->read_cpuacct(g->dir_fd[PL_CONTROLLER_CPUACCT], &u);
        (void)read_number(g->dir_fd[PL_CONTROLLER_PIDS], "pids.current", &u.pids);
        if (read_whole(g->dir_fd[PL_CONTROLLER_PIDS], "pids.events", buf))
                pl_cg_take_key(buf, "max", &u.pids_refused);
        *ret = u;
        return 0;
}

void pl_cg_read_flow(const PlCgroupMounts *m, const PlCgroup *g, PlFlow *ret) {
        static const struct {
                PlController controller;
                const char *file;
        } pressures[PL_ARRAY_SIZE(ret->waited)] = {
                { PL_CONTROLLER_CPU, "cpu.pressure" },
                { PL_CONTROLLER_MEMORY, "memory.pressure" },
                { PL_CONTROLLER_IO, "io.pressure" },
        };
        char buf[FILE_MAX];

        memset(ret, 0xff, sizeof(*ret));
        ret->n_disks = 0;
        version_of(m, PL_CONTROLLER_CPUACCT)->read_modes(g->dir_fd[PL_CONTROLLER_CPUACCT], ret);
        version_of(m, PL_CONTROLLER_IO)->read_disks(g->dir_fd[PL_CONTROLLER_IO], ret);
        for (size_t i = 0; i < PL_ARRAY_SIZE(pressures); i++) {
                PlController c = pressures[i].controller;

                if (!version_of(m, c)->has_pressure ||
                    !read_whole(g->dir_fd[c], pressures[i].file, buf))
                        continue;
                take_waited(buf, "some ", &ret->waited[i].some_usec);
                take_waited(buf, "full ", &ret->waited[i].full_usec);
        }
}
