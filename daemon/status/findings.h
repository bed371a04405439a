/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Findings: what is wrong with a container or the host, and stays wrong until somebody mends it.
 */

#include <jansson.h>

#include "status/sources.h"

/**
 * pl_findings() - what is wrong
 * @s:    of this container; NULL: of the host, and of no container
 * @list: an array to which each is added; NULL: they are counted alone
 * Return: how many there are; -ENOMEM.
 */
int pl_findings(const PlSources *from, const PlSubject *s, json_t *list);
