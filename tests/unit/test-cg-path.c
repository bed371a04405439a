/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where containers live: whole hosts as tables of mountinfo, /proc/PID/cgroup and directories,
 * built in a temporary directory. "@" stands for that directory, "#" for the container's id.
 */
#include <errno.h>
#include <fcntl.h>

#include "cgroup/path.h"
#include "tmp.h"

#define ID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static char *expand(const char *s) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        for (; *s; s++)
                if (*s == '@')
                        fputs(tmp, f);
                else if (*s == '#')
                        fputs(ID, f);
                else if (*s == '~')
                        fputs(OTHER, f);
                else
                        fputc(*s, f);
        fclose(f);
        return text;
}

static void put(const char *path, const char *content) {
        _cleanup_free_ char *text = expand(content);

        tmp_put(path, text);
}

static void setup(void) {
        tmp_make("/tmp");
}

#define V1_MOUNTS                                                                             \
        "25 1 0:22 / @/cg ro,nosuid - tmpfs tmpfs ro,mode=755\n"                              \
        "30 25 0:28 / @/cg/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n" \
        "31 25 0:29 / @/cg/memory rw shared:10 master:3 - cgroup cgroup rw,memory\n"          \
        "32 25 0:30 / @/cg/blkio rw - cgroup cgroup rw,blkio\n"                               \
        "33 25 0:31 / @/cg/pids rw - cgroup cgroup rw,pids\n"                                 \
        "34 25 0:32 / @/cg/cpuset rw - cgroup cgroup rw,cpuset\n"                             \
        "35 25 0:33 / @/cg/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
#define V2_MOUNTS "30 25 0:28 / @/cg rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V2_ALL    "cpuset cpu io memory hugetlb pids rdma\n"

/* tree: directories below the fixture, space separated. groups: "c=relative" for the controllers
 * in their order, c of cpu, memory, cpuset (s), pids, io, cpuacct (a). */
static const struct {
        const char *name, *mountinfo, *controllers, *cgroup, *tree;
        int r;
        const char *groups, *scope, *parent;
} hosts[] = {
        { "v1, cgroupfs driver", V1_MOUNTS, NULL,
          "9:name=systemd:/docker/#\n6:pids:/docker/#\n5:cpuset:/docker/#\n4:blkio:/docker/#\n"
          "3:memory:/docker/#\n2:cpu,cpuacct:/docker/#\n0::/\n",
          "cg/cpu,cpuacct/docker/# cg/memory/docker/# cg/blkio/docker/# cg/pids/docker/# "
          "cg/cpuset/docker/#",
          0, "c=docker/# m=docker/# s=docker/# p=docker/# i=docker/# a=docker/#", NULL, "docker" },
        { "v2, systemd driver", V2_MOUNTS, V2_ALL, "0::/system.slice/docker-#.scope\n",
          "cg/system.slice/docker-#.scope", 0,
          "c=system.slice/docker-#.scope m=system.slice/docker-#.scope "
          "s=system.slice/docker-#.scope p=system.slice/docker-#.scope "
          "i=system.slice/docker-#.scope a=system.slice/docker-#.scope",
          "docker-#.scope", "system.slice" },
        { "v2, cgroupfs driver", V2_MOUNTS, V2_ALL, "0::/docker/#\n", "cg/docker/#", 0,
          "c=docker/# m=docker/# s=docker/# p=docker/# i=docker/# a=docker/#", NULL, "docker" },
        { "v2, nested slice", V2_MOUNTS, V2_ALL, "0::/dock.slice/dock-test.slice/docker-#.scope\n",
          "cg/dock.slice/dock-test.slice/docker-#.scope", 0,
          "c=dock.slice/dock-test.slice/docker-#.scope m=dock.slice/dock-test.slice/docker-#.scope "
          "s=dock.slice/dock-test.slice/docker-#.scope p=dock.slice/dock-test.slice/docker-#.scope "
          "i=dock.slice/dock-test.slice/docker-#.scope a=dock.slice/dock-test.slice/docker-#.scope",
          "docker-#.scope", "dock.slice/dock-test.slice" },
        { "v2, few controllers", V2_MOUNTS, "memory pids\n", "0::/docker/#\n", "cg/docker/#", 0,
          "m=docker/# p=docker/#", NULL, "docker" },
        { "hybrid: systemd alone on v2",
          V1_MOUNTS "36 25 0:34 / @/cg/unified rw - cgroup2 cgroup2 rw\n", NULL,
          "3:memory:/docker/#\n2:cpu,cpuacct:/docker/#\n0::/docker/#\n",
          "cg/cpu,cpuacct/docker/# cg/memory/docker/# cg/unified/docker/#", 0,
          "c=docker/# m=docker/# a=docker/#", NULL, "docker" },
        { "hybrid: memory on v2, cpu on v1",
          "30 25 0:28 / @/v1/cpu rw - cgroup cgroup rw,cpu\n"
          "31 25 0:29 / @/cg rw - cgroup2 cgroup2 rw\n",
          "memory io pids\n", "2:cpu:/a/#\n0::/b/docker-#.scope\n",
          "v1/cpu/a/# cg/b/docker-#.scope", 0,
          "c=a/# m=b/docker-#.scope p=b/docker-#.scope i=b/docker-#.scope", "docker-#.scope", "b" },
        { "podman with crun: the leaf is stepped over", V2_MOUNTS, V2_ALL,
          "0::/machine.slice/libpod-#.scope/container\n",
          "cg/machine.slice/libpod-#.scope/container", 0,
          "c=machine.slice/libpod-#.scope m=machine.slice/libpod-#.scope "
          "s=machine.slice/libpod-#.scope p=machine.slice/libpod-#.scope "
          "i=machine.slice/libpod-#.scope a=machine.slice/libpod-#.scope",
          "libpod-#.scope", "machine.slice" },
        { "systemd inside the container", V2_MOUNTS, "memory\n",
          "0::/docker/#/system.slice/foo.service\n", "cg/docker/#", 0, "m=docker/#", NULL,
          "docker" },
        { "a controller that was not delegated is left alone", V1_MOUNTS, NULL,
          "3:memory:/docker/#\n2:cpu,cpuacct:/\n", "cg/cpu,cpuacct cg/memory/docker/#", 0,
          "m=docker/#", NULL, "docker" },
        { "moved out of one controller's group", V1_MOUNTS, NULL,
          "3:memory:/elsewhere\n2:cpu,cpuacct:/docker/#\n",
          "cg/cpu,cpuacct/docker/# cg/memory/docker/#", 0, "c=docker/# m=docker/# a=docker/#", NULL,
          "docker" },
        { "only part of a bind mount's tree", "30 25 0:28 /docker @/cg rw - cgroup2 cgroup2 rw\n",
          "memory\n", "0::/docker/#\n", "cg/#", 0, "m=#", NULL, "" },
        { "outside of a bind mount's tree", "30 25 0:28 /other @/cg rw - cgroup2 cgroup2 rw\n",
          "memory\n", "0::/docker/#\n", "cg", -EXDEV, NULL, NULL, NULL },
        { "outside of our cgroup namespace", V2_MOUNTS, V2_ALL, "0::/../../docker/#\n", "cg",
          -EXDEV, NULL, NULL, NULL },
        { "the pid is another container's now", V2_MOUNTS, V2_ALL, "0::/docker/~\n",
          "cg/docker/~ cg/docker/#", -ESTALE, NULL, NULL, NULL },
        { "the pid is a host process now", V2_MOUNTS, V2_ALL, "0::/user.slice/session-1.scope\n",
          "cg/docker/#", -ENXIO, NULL, NULL, NULL },
        { "podman's monitor is not the container", V2_MOUNTS, V2_ALL,
          "0::/machine.slice/libpod-conmon-#.scope\n", "cg/machine.slice/libpod-conmon-#.scope",
          -ENXIO, NULL, NULL, NULL },
        { "removed already", V2_MOUNTS, V2_ALL, "0::/docker/# (deleted)\n", "cg/docker", -ENXIO,
          NULL, NULL, NULL },
        { "removed between two looks", V2_MOUNTS, V2_ALL, "0::/docker/#\n", "cg/docker", -ENOENT,
          NULL, NULL, NULL },
        { "no such process", V2_MOUNTS, V2_ALL, NULL, "cg/docker/#", -ENOENT, NULL, NULL, NULL },
        { "broken lines are passed over",
          "nonsense\n30 25\n30 25 0:28 / @/cg rw - cgroup2\n" V2_MOUNTS, "memory\n",
          "\n:\n0\n0:memory\n0::/docker/#", "cg/docker/#", 0, "m=docker/#", NULL, "docker" },
        { "the first of two mounts counts",
          V2_MOUNTS "31 25 0:28 /docker/~ @/elsewhere rw - cgroup2 cgroup2 rw\n", "memory\n",
          "0::/docker/#\n", "cg/docker/# elsewhere", 0, "m=docker/#", NULL, "docker" },
};

static char *show_groups(const PlCgroupMounts *m, const PlCgroup *g) {
        static const char letters[] = "cmspia";
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        bool first = true;

        for (PlController c = 0; c < _PL_CONTROLLER_N; c++) {
                _cleanup_free_ char *path = NULL;
                struct stat st, at;

                if (!g->relative[c]) {
                        ck_assert_int_lt(g->dir_fd[c], 0);
                        continue;
                }
                fprintf(f, "%s%c=%s", first ? "" : " ", letters[c], g->relative[c]);
                first = false;
                ck_assert(asprintf(&path, "%s/%s", m->mount[c], g->relative[c]) > 0);
                ck_assert_int_eq(stat(path, &st), 0);
                ck_assert_int_eq(fstat(g->dir_fd[c], &at), 0);
                ck_assert_uint_eq(st.st_ino, at.st_ino);
                ck_assert_uint_eq(st.st_ino, g->inode[c]);
        }
        fclose(f);
        return text;
}

static void make_tree(const char *tree) {
        _cleanup_free_ char *copy = strdup(tree);
        char *save = NULL;

        for (char *dir = strtok_r(copy, " ", &save); dir; dir = strtok_r(NULL, " ", &save)) {
                _cleanup_free_ char *expanded = expand(dir), *file = NULL;

                ck_assert(asprintf(&file, "%s/.keep", expanded) > 0);
                put(file, "");
        }
}

static int find_on_host(int i, PlCgroupMounts *m, PlCgroup **g) {
        _cleanup_free_ char *proc = expand("@/proc");
        int r;

        put("proc/self/mountinfo", hosts[i].mountinfo);
        if (hosts[i].cgroup)
                put("proc/77/cgroup", hosts[i].cgroup);
        make_tree(hosts[i].tree);
        if (hosts[i].controllers)
                put("cg/cgroup.controllers", hosts[i].controllers);
        r = pl_cg_mounts_load(proc, m);
        return r < 0 ? r : pl_cgroup_from_pid(m, 77, ID, g);
}

START_TEST(test_hosts) {
        _cleanup_(pl_cg_mounts_deinit) PlCgroupMounts m = {};
        _cleanup_(pl_cgroup_freep) PlCgroup *g = NULL, *again = NULL;
        _cleanup_free_ char *groups = NULL, *wanted = NULL, *parent = NULL, *scope = NULL;
        const char *name = hosts[_i].name;
        int r;

        r = find_on_host(_i, &m, &g);
        ck_assert_msg(r == hosts[_i].r, "%s: %s", name, strerror(-r));
        if (r < 0)
                return;
        groups = show_groups(&m, g);
        wanted = expand(hosts[_i].groups);
        ck_assert_msg(pl_streq(groups, wanted), "%s: found %s", name, groups);
        scope = hosts[_i].scope ? expand(hosts[_i].scope) : NULL;
        ck_assert_msg(pl_streq_null(g->scope, scope), "%s: scope %s", name, g->scope ?: "NULL");
        parent = pl_cgroup_parent(g);
        ck_assert_msg(pl_streq(parent, hosts[_i].parent), "%s: parent %s", name, parent);

        /* A parent leads to the same group, where it is the parent in every hierarchy. */
        if (m.mount[PL_CONTROLLER_CPU] &&
            m.hierarchy[PL_CONTROLLER_CPU] != m.hierarchy[PL_CONTROLLER_MEMORY])
                return;
        ck_assert_msg(pl_cgroup_from_parent(&m, parent, ID, &again) == 0, "%s", name);
        ck_assert_uint_eq(again->inode[PL_CONTROLLER_MEMORY], g->inode[PL_CONTROLLER_MEMORY]);
        ck_assert(pl_streq_null(again->scope, g->scope));
}
END_TEST

/* Who is held by the container's limits, and who is not. @outside: letters as above. */
static const struct {
        const char *name, *mounts, *controllers, *own, *tree, *process, *outside, *where;
} outsides[] = {
        { "v2: in the group", V2_MOUNTS, V2_ALL, "0::/docker/#\n", "cg/docker/#", "0::/docker/#\n",
          "", NULL },
        { "v2: below it", V2_MOUNTS, V2_ALL, "0::/docker/#\n", "cg/docker/#",
          "0::/docker/#/init.scope\n", "", NULL },
        { "v2: above it", V2_MOUNTS, V2_ALL, "0::/docker/#\n", "cg/docker/#", "0::/docker\n",
          "cmspia", "/docker" },
        { "v2: a group whose name begins like its", V2_MOUNTS, V2_ALL, "0::/docker/#\n",
          "cg/docker/#", "0::/docker/#0\n", "cmspia", "/docker/#0" },
        { "v2: out of our cgroup namespace", V2_MOUNTS, V2_ALL, "0::/docker/#\n", "cg/docker/#",
          "0::/../other\n", "cmspia", "/../other" },
        { "v1: in both", V1_MOUNTS, NULL, "3:memory:/docker/#\n2:cpu,cpuacct:/docker/#\n",
          "cg/memory/docker/# cg/cpu,cpuacct/docker/#",
          "3:memory:/docker/#\n2:cpu,cpuacct:/docker/#/x\n", "", NULL },
        { "v1: out of one controller's", V1_MOUNTS, NULL,
          "3:memory:/docker/#\n2:cpu,cpuacct:/docker/#\n",
          "cg/memory/docker/# cg/cpu,cpuacct/docker/#", "3:memory:/\n2:cpu,cpuacct:/docker/#\n",
          "m", "/" },
        { "v1: where the container has no group nobody is outside", V1_MOUNTS, NULL,
          "3:memory:/docker/#\n2:cpu,cpuacct:/\n", "cg/memory/docker/# cg/cpu,cpuacct",
          "3:memory:/docker/#\n2:cpu,cpuacct:/\n", "", NULL },
};

START_TEST(test_outside) {
        _cleanup_(pl_cg_mounts_deinit) PlCgroupMounts m = {};
        _cleanup_(pl_cgroup_freep) PlCgroup *g = NULL;
        _cleanup_free_ char *proc = expand("@/proc"), *where = NULL, *wanted = NULL;
        char letters[_PL_CONTROLLER_N + 1] = "";
        uint32_t mask = 0;
        size_t n = 0;

        put("proc/self/mountinfo", outsides[_i].mounts);
        put("proc/77/cgroup", outsides[_i].own);
        put("proc/78/cgroup", outsides[_i].process);
        make_tree(outsides[_i].tree);
        if (outsides[_i].controllers)
                put("cg/cgroup.controllers", outsides[_i].controllers);
        ck_assert_int_eq(pl_cg_mounts_load(proc, &m), 0);
        ck_assert_int_eq(pl_cgroup_from_pid(&m, 77, ID, &g), 0);
        ck_assert_int_eq(pl_cgroup_outside(&m, g, 78, &mask, &where), 0);
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++)
                if (mask & (UINT32_C(1) << c))
                        letters[n++] = "cmspia"[c];
        ck_assert_msg(pl_streq(letters, outsides[_i].outside), "%s: %s", outsides[_i].name,
                      letters);
        wanted = outsides[_i].where ? expand(outsides[_i].where) : NULL;
        ck_assert_msg(pl_streq_null(where, wanted), "%s: %s", outsides[_i].name,
                      where ?: "nowhere");
        ck_assert_int_eq(pl_cgroup_outside(&m, g, 79, &mask, NULL), -ENOENT);
}
END_TEST

START_TEST(test_shared_directory_is_opened_once) {
        _cleanup_(pl_cg_mounts_deinit) PlCgroupMounts m = {};
        _cleanup_(pl_cgroup_freep) PlCgroup *g = NULL;

        ck_assert_int_eq(find_on_host(1, &m, &g), 0);
        for (PlController c = 1; c < _PL_CONTROLLER_N; c++)
                ck_assert_int_eq(g->dir_fd[c], g->dir_fd[0]);
}
END_TEST

START_TEST(test_escaped_mount_point) {
        _cleanup_(pl_cg_mounts_deinit) PlCgroupMounts m = {};
        _cleanup_free_ char *proc = expand("@/proc"), *wanted = expand("@/c g\\x\ty");

        put("proc/self/mountinfo", "30 25 0:28 / @/c\\040g\\134x\\011y rw - cgroup2 cgroup2 rw\n");
        put("c g\\x\ty/cgroup.controllers", "memory\n");
        ck_assert_int_eq(pl_cg_mounts_load(proc, &m), 0);
        ck_assert_str_eq(m.mount[PL_CONTROLLER_MEMORY], wanted);
        ck_assert_ptr_null(m.mount[PL_CONTROLLER_CPU]);
}
END_TEST

START_TEST(test_no_cgroups) {
        _cleanup_(pl_cg_mounts_deinit) PlCgroupMounts m = {};
        _cleanup_free_ char *proc = expand("@/proc");

        ck_assert_int_eq(pl_cg_mounts_load(proc, &m), -ENOENT);
        put("proc/self/mountinfo", "21 1 0:20 / /proc rw - proc proc rw\n");
        ck_assert_int_eq(pl_cg_mounts_load(proc, &m), -ENODEV);
}
END_TEST

/* While a container is born its groups appear one by one. */
START_TEST(test_half_born) {
        _cleanup_(pl_cg_mounts_deinit) PlCgroupMounts m = {};
        _cleanup_(pl_cgroup_freep) PlCgroup *g = NULL;
        _cleanup_free_ char *proc = expand("@/proc");

        put("proc/self/mountinfo", V1_MOUNTS);
        make_tree("cg/memory/docker cg/cpu,cpuacct/docker");
        ck_assert_int_eq(pl_cg_mounts_load(proc, &m), 0);
        ck_assert_int_eq(pl_cgroup_from_parent(&m, "docker", ID, &g), -ENOENT);
        make_tree("cg/memory/docker/#");
        ck_assert_int_eq(pl_cgroup_from_parent(&m, "/docker", ID, &g), 0);
        ck_assert_int_ge(g->dir_fd[PL_CONTROLLER_MEMORY], 0);
        ck_assert_int_lt(g->dir_fd[PL_CONTROLLER_CPU], 0);
}
END_TEST

static const struct {
        const char *name;
        bool is;
} names[] = {
        { "#", true },
        { "docker-#.scope", true },
        { "libpod-#.scope", true },
        { "libpod-#", true },
        { "cri-containerd-#.scope", true },
        { "", false },
        { "-", false },
        { "docker-.scope", false },
        { "#0", false },
        { "#.slice", false },
        { "#.scope.d", false },
        { "docker-0123.scope", false },
        { "libpod-conmon-#.scope", false },
        { "docker-0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef.scope", false },
        { "system.slice", false },
};

START_TEST(test_names) {
        _cleanup_free_ char *name = expand(names[_i].name);
        char id[PL_ID_MAX] = "";

        ck_assert_msg(pl_cgroup_id_of_name(name, id) == names[_i].is, "%s", name);
        ck_assert_str_eq(id, names[_i].is ? ID : "");
}
END_TEST

START_TEST(test_controllers) {
        ck_assert_int_eq(pl_controller_of(PL_RESOURCE_CPU_QUOTA), PL_CONTROLLER_CPU);
        ck_assert_int_eq(pl_controller_of(PL_RESOURCE_ALLOWED_CPUS), PL_CONTROLLER_CPUSET);
        ck_assert_int_eq(pl_controller_of(PL_RESOURCE_MEMORY_SWAP_MAX), PL_CONTROLLER_MEMORY);
        ck_assert_int_eq(pl_controller_of(PL_RESOURCE_TASKS_MAX), PL_CONTROLLER_PIDS);
        ck_assert_int_eq(pl_controller_of(PL_RESOURCE_IO_WEIGHT), PL_CONTROLLER_IO);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("cg-path");

        tcase_add_checked_fixture(t, setup, tmp_remove);
        tcase_add_loop_test(t, test_outside, 0, (int)PL_ARRAY_SIZE(outsides));
        tcase_add_loop_test(t, test_hosts, 0, PL_ARRAY_SIZE(hosts));
        tcase_add_test(t, test_shared_directory_is_opened_once);
        tcase_add_test(t, test_escaped_mount_point);
        tcase_add_test(t, test_no_cgroups);
        tcase_add_test(t, test_half_born);
        tcase_add_loop_test(t, test_names, 0, PL_ARRAY_SIZE(names));
        tcase_add_test(t, test_controllers);
        return run_case(t);
}
