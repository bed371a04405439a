/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Docker: the Engine API's versions, lists and errors to values.
 *
 * Everything the engine says is treated as hostile: missing, mistyped and huge members give a
 * clear error or a safe default, never a crash. Unknown members are ignored. Sources: Docker
 * Engine API 1.24-1.52 reference; Podman's compatible API where noted.
 */

#include "lib/base/macro.h"
#include "lib/base/id.h"

/* More is refused. */
#define PL_DOCKER_BODY_MAX MIB(16) /* a list of thousands */

typedef struct PlApiVersion {
        unsigned major, minor;
} PlApiVersion;

/* The highest version these parsers were tested with; a newer engine is asked for this one. */
#define PL_DOCKER_API_TESTED ((PlApiVersion){ 1, 52 })
#define PL_DOCKER_API_MIN    ((PlApiVersion){ 1, 24 })

typedef struct PlEngineInfo {
        char *version; /* "20.10.24+dfsg1" */
        PlApiVersion api, api_min;
        bool podman; /* Components[].Name says "Podman Engine" */
} PlEngineInfo;

void pl_engine_info_deinit(PlEngineInfo *i);

/** pl_docker_parse_version() - body of GET /version. Return: 0, -EBADMSG, -ENOMEM. */
int pl_docker_parse_version(const char *body, size_t size, PlEngineInfo *ret);

/** pl_docker_negotiate() - the version to speak.
 * Return: 0; -EPROTONOSUPPORT when the ranges do not meet. */
int pl_docker_negotiate(PlApiVersion server_max, PlApiVersion server_min, PlApiVersion *ret);

/** pl_docker_parse_list() - body of GET /containers/json: the ids.
 * @ret_ids: array of n 64-digit ids, one block, owned by the caller
 * Return: 0, -EBADMSG, -ENOMEM. */
int pl_docker_parse_list(const char *body, size_t size, char (**ret_ids)[PL_ID_MAX], size_t *ret_n);

/** pl_docker_parse_error() - {"message": …} of an error answer, escaped and bounded.
 * Return: owned by the caller, NULL when there is none. */
char *pl_docker_parse_error(const char *body, size_t size);

/** pl_docker_parse_warnings() - {"Warnings": […]} of an update's answer, joined, escaped and
 * bounded. Return: owned by the caller, NULL when there are none. */
char *pl_docker_parse_warnings(const char *body, size_t size);
