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
 * and why they do not; which of its labels set something, and which do not ("match"). Lines,
 * without an end of the last one.
 * @image: as pl_labels_of(), but NULL: it has not told, and no label is heeded
 * Return: 0 and *ret owned by the caller, or -ENOMEM. */
int pl_policy_explain(const PlPolicy *p, const struct PlContainer *c,
                      const struct PlContainer *image, const PlHost *host, char **ret);

/** pl_policy_tell_inherited() - a warning for each section that has values of [Defaults], and
 * which. For whoever comes from a version in which sections had none. */
void pl_policy_tell_inherited(const PlPolicy *p, PlDiagList *diag);

/** pl_policy_raised() - which limits a container was created with, and its section raises:
 * "MemoryMax: its creator says 96M, the policy 256M (/etc/plimsoll/plimsoll.conf:31)". What its
 * labels say, its creator says. Return: owned by the caller; NULL: none, or out of memory. */
char *pl_policy_raised(const PlService *s, const PlLimits *created);
