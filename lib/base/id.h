/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Identity of a container: what the engine calls it, and what may stand in a URL or a file name.
 */

#include "lib/base/macro.h"

#define PL_ID_MAX 65 /* 64 hex digits and the NUL */

/* Identity of an engine, see pl_docker_identity(). */
#define PL_ENGINE_IDENTITY_MAX 192

/** pl_is_id() - 64 lower-case hex digits, nothing else: safe in a URL and in a file name. */
bool pl_is_id(const char *s);
