/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Import, inner parts: compose's values to numbers. Included by pl-import*.c alone.
 */

#include <jansson.h>

#include "lib/policy/import.h"

/* All: 0; -ENOENT absent, null or "unlimited"; -EINVAL; -ERANGE. */

/** pl_import_size() - 4294967296, "4294967296", "4g", "512 MiB"
 * @base: 1024 for memory, 1000 for logs, as in docker/go-units RAMInBytes() and FromHumanSize() */
int pl_import_size(const json_t *v, uint64_t base, uint64_t *ret_bytes);
/** pl_import_cpus() - 1.5 or "1.5", in CPU microseconds per second; 0 is none. */
int pl_import_cpus(const json_t *v, uint64_t *ret);
/** pl_import_count() - 100, "100"; 0 and negative numbers are none. */
int pl_import_count(const json_t *v, uint64_t *ret);
/** pl_import_duration() - "1m30s", as Go prints it, in microseconds. */
int pl_import_duration(const json_t *v, uint64_t *ret_usec);
