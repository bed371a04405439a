/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Match: the terms of a Match= line, and what they can never name. Pure.
 *
 * A line's terms must all hold; of several lines one is enough. Words are split, and quotes taken
 * away, as systemd does.
 */

#include "lib/base/macro.h"

typedef enum PlMatchKind {
        PL_MATCH_NAME,            /* name:GLOB */
        PL_MATCH_IMAGE,           /* image:GLOB */
        PL_MATCH_LABEL,           /* label:KEY=VALUE, or label:KEY */
        PL_MATCH_COMPOSE_SERVICE, /* compose-service:GLOB = label com.docker.compose.service */
        PL_MATCH_COMPOSE_PROJECT, /* compose-project:GLOB = label com.docker.compose.project */
        PL_MATCH_SWARM_SERVICE,   /* swarm-service:GLOB = label com.docker.swarm.service.name */
        PL_MATCH_UNIT,            /* unit:GLOB = label PODMAN_SYSTEMD_UNIT */
        _PL_MATCH_N,
} PlMatchKind;

typedef struct PlMatch {
        PlMatchKind kind;
        bool joined;   /* stands on the line of the one before it: both must hold */
        char *pattern; /* what follows the colon. All but a label's KEY are globs: fnmatch(3)
                        * without FNM_PATHNAME */
} PlMatch;

#define PL_MATCH_TERMS_MAX 16 /* of one line */

/** pl_match_word() - what stands before the colon: "compose-service" */
const char *pl_match_word(PlMatchKind k);

/** pl_match_label() - the label that a kind looks at; NULL: name, image, or label: itself. */
const char *pl_match_label(PlMatchKind k);

/**
 * pl_match_parse() - one line
 * @ret, @ret_n: the terms; patterns are owned by the caller
 * @ret_warning: static; NULL: the line says what it means
 * @reterr_fault: static; what is wrong, with -EBADMSG
 *
 * Return: 0; -EINVAL: does not begin with a term; -EBADMSG; -E2BIG; -ENOMEM.
 */
int pl_match_parse(const char *value, PlMatch ret[static PL_MATCH_TERMS_MAX], size_t *ret_n,
                   const char **ret_warning, const char **reterr_fault);

/** pl_match_line_length() - how many terms belong to the line that begins at m. @n: that follow */
size_t pl_match_line_length(const PlMatch *m, size_t n);

/** pl_match_never() - why no container can be matched by a line. Return: text for a message, owned
 * by the caller, in *ret; NULL there: one may be. -ENOMEM. */
int pl_match_never(const PlMatch *line, size_t n, char **ret);

/** pl_match_covers() - is all that line b matches matched by line a? False where it cannot be told.
 */
bool pl_match_covers(const PlMatch *a, size_t n_a, const PlMatch *b, size_t n_b);

/** pl_match_format() - a line as it is written, without quotes where none are needed. NULL: out of
 * memory. */
char *pl_match_format(const PlMatch *line, size_t n);
