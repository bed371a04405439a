/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What an engine says of its containers, where no plimsolld is needed to know it. */

#include <jansson.h>

#include "ctl/client.h"

#define PL_CTL_IMAGE "x-plimsoll-image"

/**
 * pl_ctl_containers() - all containers of an engine, as GET /containers/{id}/json answers; those
 * with labels have what GET /images/{id}/json answers as PL_CTL_IMAGE, where the engine tells
 * @url: "unix:///run/docker.sock", or its path
 * @all_labels: MatchImageLabels=; without it those that their images brought along are left out
 * @ret: array, new reference; those that go meanwhile are left out
 *
 * Return: 0; -errno, said.
 */
int pl_ctl_containers(const char *url, bool all_labels, json_t **ret);
