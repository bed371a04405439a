/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Devices: a policy names them by any path, plans and the kernel by MAJ:MIN, systemd by one path.
 *
 * systemd keeps an entry per path, and writes every value of each entry: a disk that it knows by
 * two names gets the values of one and loses those of the other. So it is told one name per disk.
 */

#include "lib/limits/resource.h"

/**
 * pl_device_number() - "MAJ:MIN" of the disk that a path stands for; MAJ:MIN itself stays
 *
 * As systemd does it: a device node stands for itself, any other path for the device of its file
 * system, a partition for its disk (the kernel limits whole disks alone).
 *
 * Return: 0; -ENOTBLK: a character device, or a file system that never is on a disk; -ENODEV: no
 *         block device stands behind it, as far as can be told (btrfs hides its own); -errno.
 */
int pl_device_number(void *unused, const char *path, char ret[static PL_DEVICE_MAX]);

/** pl_device_resolve() - a value with paths as one with MAJ:MIN, as plans need it
 * Return: 0 and *ret replaced; -ENOMEM; the error of the first path that cannot be resolved. */
int pl_device_resolve(const PlValue *v, PlValue *ret);

/** pl_device_has_bfq() - is there a disk whose scheduler knows weights? @sys: "/sys". */
bool pl_device_has_bfq(const char *sys);

/** pl_device_has_io_cost() - does a disk have io.cost? @unified: the v2 mount, or NULL. */
bool pl_device_has_io_cost(const char *unified);

/** pl_device_name() - a value with paths or MAJ:MIN as one with each disk's node, "/dev/sda", or
 * /dev/block/MAJ:MIN where it has none. Return: as above. */
int pl_device_name(const PlValue *v, PlValue *ret);
