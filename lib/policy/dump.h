/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Dump: a policy as it was understood, for people.
 */

#include "lib/policy/document.h"

/** pl_policy_dump() - what was understood, as an aligned table for people ("check --verbose").
 * Return: 0 and *ret owned by the caller, or -ENOMEM. */
int pl_policy_dump(const PlPolicy *p, char **ret);
