/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Findings: what is wrong with a container and stays so until somebody does something about it.
 */

#include <jansson.h>

#include "status/sources.h"

/** pl_findings_count_host(), pl_findings_add_host() - those that concern the host and no container.
 */
unsigned pl_findings_count_host(const PlSources *from);
bool pl_findings_add_host(const PlSources *from, json_t *list);

/** pl_findings_count() - of one container. */
unsigned pl_findings_count(const PlSources *from, const PlSubject *s);

/** pl_findings_add() - those of one container to an array. Return: false: out of memory. */
bool pl_findings_add(const PlSources *from, const PlSubject *s, json_t *list);
