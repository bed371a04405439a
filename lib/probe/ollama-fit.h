/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ollama under a limit: do its models fit, and what does it really use?
 *
 * Ollama itself takes memory.max − memory.current for free memory, page cache included: after it
 * has read a model from disk it sees no room for it, and older releases refuse it then. What counts
 * is the working set.
 */

#include <jansson.h>

#include "lib/base/macro.h"
#include "lib/probe/ollama.h"

typedef enum PlOllamaFit {
        PL_OLLAMA_FITS,
        PL_OLLAMA_TIGHT,   /* loaded models nearly fill the limit */
        PL_OLLAMA_TOO_BIG, /* a model can never be loaded */
} PlOllamaFit;

/** pl_ollama_working_set() - what cannot be dropped of a group's memory; PL_UNLIMITED: unknown. */
uint64_t pl_ollama_working_set(uint64_t usage_bytes, uint64_t inactive_file_bytes);

/** pl_ollama_json() - the loaded models, [{"name", "size_bytes", "vram_bytes"}]. Return: new
 * reference, NULL: out of memory. */
json_t *pl_ollama_json(const PlOllamaFacts *f);

/**
 * pl_ollama_judge()
 * @limit_bytes: memory limit in force; PL_UNLIMITED: none
 * @usage_bytes, @inactive_file_bytes: of the container's group; PL_UNLIMITED: unknown
 * @ret: one line for people, with the remedy; "" when there is nothing to say
 */
PlOllamaFit pl_ollama_judge(const PlOllamaFacts *f, uint64_t limit_bytes, uint64_t usage_bytes,
                            uint64_t inactive_file_bytes, char *ret, size_t size);
