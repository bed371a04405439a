/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Inspect: what the engine tells of one container, as a value.
 */

#include <jansson.h>

#include "lib/docker/container.h"

/* Limits on what is kept of one container; more is cut (labels, mounts …). */
#define PL_DOCKER_LABELS_MAX 128
#define PL_DOCKER_STRING_MAX 4096

/** pl_docker_parse_inspect() - body of GET /containers/{id}/json. Return: 0, -EBADMSG, -ENOMEM. */
int pl_docker_parse_inspect(const char *body, size_t size, PlContainer **ret);

/** pl_docker_parse_born() - the attributes of a create event: name, image and labels, and nothing
 * that only an inspection tells. Return: 0 and *ret owned by the caller; -ENOMEM. */
int pl_docker_parse_born(const char *id, const json_t *attributes, PlContainer **ret);

/** pl_docker_health_from_string() - State.Health.Status; NULL and unknown words are NONE. */
PlDockerHealth pl_docker_health_from_string(const char *s);
