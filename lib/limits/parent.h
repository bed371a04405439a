/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Parent: where containers' cgroups may appear, judged by names.
 *
 * A container is limited before its first instruction only if somebody already looks at the
 * directory in which its group will appear. The answer is only a place to watch: plimsoll writes to
 * a group because its directory has a container's id, never because of this.
 */

#include "lib/base/macro.h"

/**
 * pl_parent_of_setting() - where HostConfig.CgroupParent points to
 * @setting: as the engine shows it; NULL and "" are the engine's own default
 * @ret: path below the mount without a slash at either end, owned by the caller
 *
 * "/a/b" is a path (cgroupfs driver), "a-b.slice" lies in "a.slice" (systemd driver;
 * systemd.slice(5)). A relative path starts at whichever group the engine lives in, which only the
 * kernel can tell.
 *
 * Return: 1; 0 when it cannot be told; -ENOMEM.
 */
int pl_parent_of_setting(const char *setting, char **ret);

/** pl_parent_may_be() - may a directory of this name hold containers' groups?
 * A slice may, and what is no unit of systemd's; services and scopes hold processes. */
bool pl_parent_may_be(const char *name);
