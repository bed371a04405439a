/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Members: the containers whose logs a name stands for, past and present.
 *
 * A name is that of containers (one that runs, and those that had it before), else an id or the
 * first four digits or more of one, else a service: a section, "PROJECT/SERVICE" of compose, or
 * SERVICE where only one project has such a one. Whatever the containers and the section of a
 * service were called, all that it has had are its own.
 */

#include "rotate/store.h"

typedef struct PlLogMember {
        char id[PL_ID_MAX];   /* only its first 12 digits when just archives are left */
        char *name;           /* as its last archive or its record says; never NULL */
        char *path, *driver;  /* of its record; NULL: there is none, or it cannot be read */
        char *origin, *title; /* PlIdentity; NULL: not known */
        bool recorded;
        size_t n_archives;
        uint64_t from_sec, to_sec, bytes; /* of the archives */
} PlLogMember;

typedef struct PlLogMembers {
        PlLogMember *items; /* those that began first come first */
        size_t n;
        int records_error; /* -errno: there are no records, or they may not be read */
        bool services;     /* with -ENOTUNIQ: several services are called so */
} PlLogMembers;

void pl_log_members_deinit(PlLogMembers *m);

/**
 * pl_log_members_find() - from the state records and the names of archives
 * @name: as above
 * @container: of those the one with this id, or the first digits of it; NULL: all
 * Return: 0, also when there is none; -ENOTUNIQ an id with several that begin so, or several
 *         services: all of them in *ret; -ENOMEM, -errno.
 */
int pl_log_members_find(PlLogStore *store, const char *name, const char *container,
                        PlLogMembers *ret);
