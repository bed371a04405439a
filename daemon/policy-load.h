/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Policy loader: finds the main file and its drop-ins, reads them, and hands the texts to the
 * parser.
 *
 * Drop-ins of DIR/NAME.conf are DIR/NAME.conf.d, names ending in .conf, in the order of their
 * names. For a file below /etc the same folders below /run and /usr/lib count too, as in systemd: a
 * file of the same name in /etc masks one in /run masks one in /usr/lib, and a link to /dev/null
 * masks for good. The main file itself is taken from the first of the three places that has it.
 */

#include "lib/policy/document.h"
#include "lib/policy/parser.h"

/** pl_host_read() - what percentages refer to, and how devices are found. @proc: "/proc". Return:
 * 0, -EBADMSG, -errno. */
int pl_host_read(const char *proc, PlHost *ret);

/** pl_policy_inherits_newly() - has an older version, in which sections had nothing of [Defaults],
 * been at work last? Where that cannot be looked at: no. @state_dir: "/var/lib/plimsoll" */
bool pl_policy_inherits_newly(const char *state_dir);

/** pl_policy_inherits_noted() - from now on it has not. Return: 0, -ENOMEM, -errno. */
int pl_policy_inherits_noted(const char *state_dir);

/**
 * pl_policy_load()
 * @root: prefix of all three places, "" or NULL for none
 * @file: the main file, absolute or relative
 * @diag: every error and warning, also those of reading files
 * @ret:  one reference, owned by the caller
 *
 * Return: 0; -EBADMSG when diag has errors (also: no such file, not readable); -ENOMEM.
 */
int pl_policy_load(const char *root, const char *file, const PlHost *host, PlDiagList *diag,
                   PlPolicy **ret);
