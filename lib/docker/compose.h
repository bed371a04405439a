/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Compose: what docker compose writes onto the containers that it makes. Pure.
 */

#include "lib/base/macro.h"

#define PL_COMPOSE_PROJECT "com.docker.compose.project"
#define PL_COMPOSE_SERVICE "com.docker.compose.service"
#define PL_COMPOSE_NEEDS   "com.docker.compose.depends_on"
/* Longer names are left out. */
#define PL_COMPOSE_NAME_MAX 64

/**
 * pl_compose_next_needed() - the services of a depends_on label, one by one
 * @rest: begins as the label,
 * "db:service_healthy:false,migrate:service_completed_successfully:false" (source: docker/compose,
 * pkg/compose/create.go, getCreateConfigs())
 * @ret: the name
 * Return: false at the end.
 */
bool pl_compose_next_needed(const char **rest, char ret[static PL_COMPOSE_NAME_MAX]);
