/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Recount: what is known of a service, in words. Pure: time is a parameter.
 */

#include <jansson.h>

#include "lib/base/text.h"
#include "lib/evidence/memory.h"

/** pl_recount() - its past in some sentences, for `plimsollctl show`. Return: new array of strings;
 * NULL: out of memory. */
json_t *pl_recount(const PlMemory *m, uint64_t now_usec);

/** pl_recount_document() - all of it, as the file has it, and "advice". Return: new reference;
 * NULL: out of memory. */
json_t *pl_recount_document(const PlMemory *m, uint64_t now_usec);

/**
 * pl_recount_why() - the last end of a document, or all that are known, the newest first, for
 * people
 * @document: of pl_recount_document(), perhaps of another version
 * Return: owned by the caller; "": no end is known; NULL: out of memory.
 */
char *pl_recount_why(const json_t *document, const PlLook *look, uint64_t now_usec, bool all);
