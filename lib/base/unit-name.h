/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Unit names: a template from the policy and the text for its %s become the name of a systemd unit.
 */

#include "lib/base/macro.h"

/**
 * pl_unit_name_expand() - "plimsoll-alert@%s.service" to a unit's name
 * @what: put in place of each %s, escaped as systemd-escape(1) does; "%%" is one per cent sign
 * Return: 0 and *ret owned by the caller; -EINVAL: not a unit name afterwards; -ENOMEM.
 */
int pl_unit_name_expand(const char *template, const char *what, char **ret);
