/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Dump: a policy as it was understood, for people.
 */

#include "lib/base/diag.h"
#include "lib/policy/document.h"

/** pl_policy_dump() - what was understood, as an aligned table for people ("check --verbose").
 * Return: 0 and *ret owned by the caller, or -ENOMEM. */
int pl_policy_dump(const PlPolicy *p, char **ret);

struct PlContainer;

/** pl_policy_explain() - which section governs a container, by which line, and which others match
 * and why they do not ("match"). Lines, without an end of the last one.
 * Return: 0 and *ret owned by the caller, or -ENOMEM. */
int pl_policy_explain(const PlPolicy *p, const struct PlContainer *c, char **ret);

/** pl_policy_tell_inherited() - a warning for each section that has values of [Defaults], and
 * which. For whoever comes from a version in which sections had none. */
void pl_policy_tell_inherited(const PlPolicy *p, PlDiagList *diag);
