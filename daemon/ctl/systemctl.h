/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * systemctl(1), asked and told.
 *
 * The program, not D-Bus: it waits for jobs, it works with every version and without a message bus
 * for root, and a person can type what was done.
 */

#include "lib/base/macro.h"

/** pl_systemctl_is_there() - does systemd run this host? */
bool pl_systemctl_is_there(void);

/** pl_systemctl() - run it. @arguments: end with NULL. @ret: its output, may be NULL; owned by the
 * caller. Return: its exit status, or -errno. */
int pl_systemctl(const char *const *arguments, char **ret);

/** pl_systemctl_property() - of a unit; owned by the caller, NULL: unknown. */
char *pl_systemctl_property(const char *unit, const char *property);
