/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log rules: what is kept of whose archives, for the loop that knows it and the worker that acts
 * on it.
 *
 * One table behind a mutex instead of a copy in each job: at start every container has a job, and
 * copies of all rules in all of them would be memory and time by the square of their number.
 */

#include "lib/logs/rotate-plan.h"

typedef struct PlLogRules PlLogRules;

PlLogRules *pl_log_rules_new(void); /* NULL: out of memory */
PlLogRules *pl_log_rules_free(PlLogRules *r);
PL_DEFINE_CLEANUP(PlLogRules *, pl_log_rules_free)

/**
 * pl_log_rules_set() - the rule of a container's archives, in place of the one it had
 * @group: "<service>/<container>" as archive names have them
 * Return: 0, or -ENOMEM with what was there untouched.
 */
int pl_log_rules_set(PlLogRules *r, const char *id, const char *group, const PlRetainRule *rule);

/** pl_log_rules_remove() - no section governs it, or it is gone: its archives stay until the budget
 * takes them. */
void pl_log_rules_remove(PlLogRules *r, const char *id);

/** pl_log_rules_get() - Return: whether somebody has a rule for this group. @ret: a copy. */
bool pl_log_rules_get(PlLogRules *r, const char *group, PlRetainRule *ret);
