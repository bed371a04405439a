/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Setting: how much memory a service's own command line tells it to use.
 *
 * A limit explains half of a kill; "shared_buffers=3GB" explains the other half. Only options with
 * a well-known meaning are read, and nothing but their number is kept: command lines hold secrets.
 */

#include "lib/base/macro.h"

typedef struct PlSetting {
        const char *product, *name; /* "Postgres", "shared_buffers"; static; NULL: none found */
        uint64_t bytes;
} PlSetting;

/** pl_setting_of() - the one setting that is read of a product. Return: static; NULL: none. */
const char *pl_setting_of(const char *product, const char **ret_product);

/**
 * pl_setting_take() - feed the arguments one by one, in their order; later ones override
 * @previous: the one before it; NULL for the first
 * Sources: PostgreSQL "Parameter Names and Values" and postgres(1), redis.conf "units".
 */
void pl_setting_take(const char *previous, const char *argument, PlSetting *ret);
