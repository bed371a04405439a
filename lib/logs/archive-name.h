/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Archive names: the only index there is. A name has the container, the number of the archive and
 * the time span inside, so that a reader opens only what it needs:
 *
 *     stack-postgres-1@3f2a9c0d1e2b_000042_20260102T030405Z_20260102T031500Z.log.zst
 *
 * Spans are whole seconds, rounded outwards. A container's name cannot hold '@' (moby, names.go).
 */

#include "lib/base/macro.h"

#define PL_ARCHIVE_SUFFIX   ".log.zst"
#define PL_ARCHIVE_NAME_MAX 256 /* NAME_MAX and the NUL */

typedef struct PlArchiveName {
        char container[PL_ARCHIVE_NAME_MAX];
        char id[13];               /* the first twelve digits */
        uint64_t gen;              /* 1 is the oldest */
        uint64_t from_sec, to_sec; /* CLOCK_REALTIME; both inclusive */
} PlArchiveName;

/** pl_archive_name_format() - Return: 0; -ENAMETOOLONG. A name that is too long or would not be a
 * container's is cut and cleaned: the id alone decides whose archive it is. */
int pl_archive_name_format(const PlArchiveName *n, char ret[static PL_ARCHIVE_NAME_MAX]);

/** pl_archive_name_parse() - Return: true when it is such a name. */
bool pl_archive_name_parse(const char *s, PlArchiveName *ret);

/** pl_archive_dir_name() - a service's name as a directory: anything but letters, digits, '_', '-'
 * and inner '.' becomes '_'. @service: NULL or "": "defaults" */
void pl_archive_dir_name(const char *service, char ret[static PL_ARCHIVE_NAME_MAX]);

/** pl_archive_container_name() - a container's name as archive names have it. */
void pl_archive_container_name(const char *name, char ret[static PL_ARCHIVE_NAME_MAX]);
