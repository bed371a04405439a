/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Cgroup paths: where this host keeps its hierarchies, and where a container lives in them.
 *
 * Paths are read (/proc/self/mountinfo, /proc/PID/cgroup) or observed (a directory that carries
 * the container's id appears), never composed from the engine's configuration. Roots are injected.
 */

#include <sys/types.h>

#include "lib/docker/container.h"
#include "lib/limits/resource.h"

typedef enum PlController {
        PL_CONTROLLER_CPU,
        PL_CONTROLLER_MEMORY,
        PL_CONTROLLER_CPUSET,
        PL_CONTROLLER_PIDS,
        PL_CONTROLLER_IO,      /* v1: blkio */
        PL_CONTROLLER_CPUACCT, /* usage only; v1 may mount it apart from cpu */
        _PL_CONTROLLER_N,
} PlController;

PlController pl_controller_of(PlResource r);

/* The hierarchies of the host. On v2 all controllers share one; hybrid hosts mix. */
typedef struct PlCgroupMounts {
        char *mount[_PL_CONTROLLER_N]; /* absolute; NULL: the controller is nowhere; shared where
                                        * controllers are mounted together */
        char *root[_PL_CONTROLLER_N];  /* the group that is mounted there, "/" but for binds */
        PlHierarchy hierarchy[_PL_CONTROLLER_N];
        char *unified; /* the v2 mount, NULL when there is none */
        char *proc;    /* "/proc" */
} PlCgroupMounts;

/** pl_cg_mounts_load() - @proc: root of procfs, "/proc". Return: 0, -ENOMEM, -errno, -ENODEV when
 * no controller is mounted anywhere. */
int pl_cg_mounts_load(const char *proc, PlCgroupMounts *ret);
void pl_cg_mounts_deinit(PlCgroupMounts *m);

/* One container's group in each hierarchy. Strings and descriptors are shared between controllers
 * of one mount; a controller in which the container has no group of its own has NULL and -EBADF,
 * and is never written to. */
typedef struct PlCgroup {
        char *relative[_PL_CONTROLLER_N]; /* below the mount, no leading slash: libcgroup's name */
        int dir_fd[_PL_CONTROLLER_N];     /* O_PATH|O_DIRECTORY|O_CLOEXEC */
        ino_t inode[_PL_CONTROLLER_N];
        char *scope; /* "docker-<id>.scope" when systemd owns it; NULL otherwise */
} PlCgroup;

PlCgroup *pl_cgroup_free(PlCgroup *g); /* returns NULL */
PL_DEFINE_CLEANUP(PlCgroup *, pl_cgroup_free)

/** pl_cgroup_from_pid() - by /proc/PID/cgroup. The group is the one that carries the container's
 * id; groups below it are stepped over (crun's "container", systemd's "init.scope" in a container).
 * Where somebody has moved the process away on v1, its group is the one at the same place.
 * Return: 0; -ESRCH or -ENOENT: gone; -ESTALE: another container's process (the pid was reused);
 * -ENXIO: in no container's group, as when it was moved away; -EXDEV: outside of what our cgroup
 * namespace shows; -ENOMEM, -errno. */
int pl_cgroup_from_pid(const PlCgroupMounts *m, pid_t pid, const char *id, PlCgroup **ret);

/** pl_cgroup_outside() - is a process where the container's limits hold it, in its groups or below?
 * @ret_outside: mask of 1 << PlController of groups that it is not in
 * @ret_where:   its group in the first of those, owned by the caller; NULL: none. May be NULL
 * Return: 0; -ESRCH or -ENOENT: gone; -ENOMEM, -errno. */
int pl_cgroup_outside(const PlCgroupMounts *m, const PlCgroup *g, pid_t pid, uint32_t *ret_outside,
                      char **ret_where);

/** pl_cgroup_from_parent() - open the group below a known parent (relative path), by id.
 * Tries "docker-<id>.scope", "<id>", "libpod-<id>.scope" and "libpod-<id>". While a container is
 * being born on v1 some hierarchies have its group and some do not yet.
 * Return: 0 when at least one has it, -ENOENT, -ENOMEM, -errno. */
int pl_cgroup_from_parent(const PlCgroupMounts *m, const char *parent, const char *id,
                          PlCgroup **ret);

/** pl_cgroup_parent() - relative path of the parent, owned by the caller; NULL: out of memory. */
char *pl_cgroup_parent(const PlCgroup *g);

/** pl_cgroup_id_of_name() - the container id in a directory name ("docker-<id>.scope", "<id>", …).
 * Return: true and ret filled when there is one. */
bool pl_cgroup_id_of_name(const char *name, char ret[static PL_ID_MAX]);
