/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What an engine says of its containers, where no plimsolld is needed to know it. */

#include <jansson.h>

#include "ctl/client.h"

/**
 * pl_ctl_containers() - all containers of an engine, as GET /containers/{id}/json answers
 * @url: "unix:///run/docker.sock", or its path
 * @ret: array, new reference; those that go meanwhile are left out
 *
 * Return: 0; -errno, said.
 */
int pl_ctl_containers(const char *url, json_t **ret);
