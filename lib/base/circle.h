/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Circles: what leads back to itself.
 */

#include "lib/base/macro.h"

typedef struct PlArrow {
        size_t from, to; /* both below n */
} PlArrow;

/**
 * pl_circles() - find which of n things lead to each other, by way of others or not
 * @arrows:     in the order of `from`; those from a thing to itself do not count
 * @ret:        n elements: the lowest of the things that are on circles with this one; SIZE_MAX: it
 *              is on none, though it may lead to one
 *
 * Takes time in proportion to things and arrows.
 *
 * Return: 0, -ENOMEM.
 */
int pl_circles(size_t n, const PlArrow *arrows, size_t n_arrows, size_t *ret);
