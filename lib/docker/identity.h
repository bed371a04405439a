/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Identity: which service a container belongs to.
 *
 * Containers come and go: recreated, scaled, renamed, run once. What is learnt of a service must
 * outlive them, so it is kept under this, never under a container's id. Pure.
 *
 * A service is the policy's section, and with it the first of these that there is:
 *   1. compose project and service; one-off runs (`docker compose run`) are a service beside it;
 *   2. the name of the swarm service;
 *   3. the container's name, without the random suffix that compose gives to a one-off run.
 */

#include "lib/docker/container.h"

#define PL_IDENTITY_KEY_MAX   112
#define PL_IDENTITY_TITLE_MAX 136

typedef struct PlIdentity {
        /* "postgres.shop-db-0123456789abcdef", a file's name: letters, digits, '_', '-', '.', and
         * no dot first. The hash is over all that makes the service, uncut. It is stable: files
         * that were written by another version bear it */
        char key[PL_IDENTITY_KEY_MAX];
        /* … without the section, which may change when somebody writes one: "shop-db-…" */
        char origin[PL_IDENTITY_KEY_MAX];
        /* for people, cut: "shop/db", "shop/db run", "stack_web", "my-container". A label is
         * anybody's text: escape it */
        char title[PL_IDENTITY_TITLE_MAX];
} PlIdentity;

/**
 * pl_identity_of() - which service is this container of?
 * @section: the name of the policy's section that holds it; NULL: [Defaults], or none
 * @c:       its name and labels are read; those of its create event will do
 * Return: false when it has no name yet. Then @ret is not written.
 */
bool pl_identity_of(const char *section, const PlContainer *c, PlIdentity *ret);

/** pl_identity_number() - which of its service's containers it is, as docker compose counts them: a
 * recreated one has the number of the one before. Return: 0: not told. */
unsigned pl_identity_number(const PlContainer *c);
