/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ollama: does it answer, are the models there that the stack needs, and what is loaded.
 *
 * That it answers is asked each time; the listings rarely, as they are only of interest and grow
 * with the models.
 */

#include "lib/probe/http.h"
#include "lib/probe/listing.h"

#define PL_OLLAMA_LOADED_MAX 8
#define PL_OLLAMA_WANTED_MAX 256 /* PL_POLICY_LIST_MAX */

typedef struct PlOllamaModel {
        char name[96];       /* quoted */
        uint64_t size_bytes; /* in memory, from /api/ps; or on disk, from /api/tags */
        uint64_t vram_bytes;
} PlOllamaModel;

/* What is known of the models, for the report about models and the limit. */
typedef struct PlOllamaFacts {
        PlOllamaModel loaded[PL_OLLAMA_LOADED_MAX];
        unsigned n_loaded;
        char largest_name[96]; /* largest of the required, else of the installed models */
        uint64_t largest_bytes;
} PlOllamaFacts;

/* The look at its models: the facts of the last one that came to its end, and the one under way. */
typedef struct PlOllamaLook {
        PlOllamaFacts facts, next;
        PlListing listing;
        bool bad;                               /* the listing is no JSON */
        uint8_t have[PL_OLLAMA_WANTED_MAX / 8]; /* a bit for each model that is wanted */
} PlOllamaLook;

/** pl_ollama_same_model() - do both name the same model? As Ollama has it: in any case of letters,
 * without what is implied: registry.ollama.ai, its namespace library, the tag latest, a scheme. */
bool pl_ollama_same_model(const char *a, const char *b);
