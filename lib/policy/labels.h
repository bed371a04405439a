/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Labels: settings that a container brings along, plimsoll.MemoryMax=2G ([Daemon] Labels=). Pure.
 *
 * A container bears the labels of its image, too. Whoever made the image may be anybody, so only
 * those count that the image does not have: its creator has given them.
 */

#include "lib/docker/container.h"

/** pl_labels_of() - settings among a container's labels
 * @image: what pl_docker_parse_image() made of its image; NULL: leave out none
 * @ret: "MemoryMax=2G" each, without plimsoll.probe and plimsoll.service, which any label may be;
 *       NULL: none; owned by the caller. Return: 0 or -ENOMEM. */
int pl_labels_of(const PlContainer *c, const PlContainer *image, char ***ret);
