/* SPDX-License-Identifier: Apache-2.0 */

/* Devices: stat(2) and sysfs. See the header. */

#include "cgroup/device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/fs.h"
#include "lib/base/unit.h"

/* A partition's disk is the directory above it in sysfs. */
static dev_t whole_disk(dev_t dev) {
        char path[96], buf[32];
        unsigned major, minor;
        ssize_t n = -1;
        int fd;

        (void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(dev),
                       minor(dev));
        if (access(path, F_OK) < 0)
                return dev;
        (void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(dev), minor(dev));
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
                n = read(fd, buf, sizeof(buf) - 1);
                (void)close(fd);
        }
        if (n <= 0)
                return dev;
        buf[n] = '\0';
        return sscanf(buf, "%u:%u", &major, &minor) == 2 ? makedev(major, minor) : dev;
}

static bool is_never_on_a_disk(const char *path) {
        static const unsigned long magic[] = {
                PROC_SUPER_MAGIC,   SYSFS_MAGIC,         TMPFS_MAGIC,   DEVPTS_SUPER_MAGIC,
                CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,
        };
        struct statfs fs;

        if (statfs(path, &fs) < 0)
                return false;
        for (size_t i = 0; i < PL_ARRAY_SIZE(magic); i++)
                if ((unsigned long)fs.f_type == magic[i])
                        return true;
        return false;
}

int pl_device_number(void *unused, const char *path, char ret[static PL_DEVICE_MAX]) {
        struct stat st;
        dev_t dev;

        if (path[0] != '/') {
                (void)snprintf(ret, PL_DEVICE_MAX, "%s", path);
                return 0;
        }
        if (stat(path, &st) < 0)
                return -errno;
        if (S_ISCHR(st.st_mode))
                return -ENOTBLK;
        dev = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
        if (major(dev) == 0)
                return is_never_on_a_disk(path) ? -ENOTBLK : -ENODEV;
        dev = whole_disk(dev);
        (void)snprintf(ret, PL_DEVICE_MAX, "%u:%u", major(dev), minor(dev));
        return 0;
}

int pl_device_resolve(const PlValue *v, PlValue *ret) {
        return pl_resource_devices_resolve(v, pl_device_number, NULL, ret);
}

static bool is_node_of(const char *path, const char *number) {
        struct stat st;
        char found[PL_DEVICE_MAX];

        if (stat(path, &st) < 0 || !S_ISBLK(st.st_mode))
                return false;
        (void)snprintf(found, sizeof(found), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
        return pl_streq(found, number);
}

/* The kernel's name of it is DEVNAME=, in the file from which udev makes the node. */
static int name_of(void *unused, const char *number, char ret[static PL_DEVICE_MAX]) {
        _cleanup_free_ char *text = NULL;
        char path[PL_DEVICE_MAX + 32], node[PL_DEVICE_MAX];
        const char *name;

        (void)snprintf(path, sizeof(path), "/sys/dev/block/%s/uevent", number);
        (void)snprintf(ret, PL_DEVICE_MAX, "/dev/block/%.64s", number);
        if (pl_fs_read(AT_FDCWD, path, KIB(64), &text, NULL) < 0)
                return 0;
        name = strstr(text, "DEVNAME=");
        if (!name)
                return 0;
        name += strlen("DEVNAME=");
        (void)snprintf(node, sizeof(node), "/dev/%.*s", (int)PL_MIN(strcspn(name, "\n"), 128),
                       name);
        if (is_node_of(node, number))
                memcpy(ret, node, sizeof(node));
        return 0;
}

int pl_device_name(const PlValue *v, PlValue *ret) {
        PlValue numbers = { 0 };
        int r = pl_device_resolve(v, &numbers);

        if (r >= 0)
                r = pl_resource_devices_resolve(&numbers, name_of, NULL, ret);
        pl_value_deinit(&numbers);
        return r;
}

static bool file_says(const char *directory, const char *rest, const char *word) {
        _cleanup_free_ char *path = NULL, *text = NULL;

        if (asprintf(&path, "%s/%s", directory, rest) < 0) {
                path = NULL;
                return false;
        }
        return pl_fs_read(AT_FDCWD, path, KIB(64), &text, NULL) >= 0 && strstr(text, word);
}

bool pl_device_has_bfq(const char *sys) {
        _cleanup_free_ char *blocks = NULL;
        const struct dirent *e;
        bool found = false;
        DIR *dir;

        if (asprintf(&blocks, "%s/block", sys) < 0) {
                blocks = NULL;
                return false;
        }
        dir = opendir(blocks);
        while (dir && !found && (e = readdir(dir))) {
                char rest[PATH_MAX];

                (void)snprintf(rest, sizeof(rest), "%s/queue/scheduler", e->d_name);
                found = e->d_name[0] != '.' && file_says(blocks, rest, "[bfq]");
        }
        if (dir)
                (void)closedir(dir);
        return found;
}

bool pl_device_has_io_cost(const char *unified) {
        return unified && file_says(unified, "io.cost.qos", "enable=1");
}
