/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Listing: Ollama's list of models, {"models":[{"name":…,"size":…},…]}, read as a stream.
 *
 * A listing is as long as people have models (some 390 bytes each), so it is never held as a whole:
 * bytes go in as they come, and each model comes out when its object ends. Memory is fixed,
 * whatever comes. What is no JSON ends the reading. Pure.
 */

#include "lib/base/macro.h"

#define PL_LISTING_NAME_MAX  384 /* host, namespace, model and tag; what is longer is cut */
#define PL_LISTING_DEPTH_MAX 64  /* of objects and lists in each other */

typedef struct PlListingEntry {
        char name[PL_LISTING_NAME_MAX];  /* "name", else "model"; UTF-8 unless the listing is not */
        bool has_name, cut;              /* cut: the name is longer */
        uint64_t size_bytes, vram_bytes; /* 0: not there, or no number above it */
} PlListingEntry;

typedef struct PlListing {
        /* Where it is in the document. */
        uint8_t state, member;
        unsigned depth, models_depth; /* models_depth: of the list; 0: outside of it */
        uint64_t objects;             /* a bit for each depth: an object, else a list */
        bool seen;                    /* the list of models */
        /* What is being read. */
        char text[PL_LISTING_NAME_MAX]; /* of a string, or of a number or word */
        size_t n_text;
        bool is_key, text_cut;
        uint32_t unicode, high; /* of \uXXXX; high: the first half of a pair */
        unsigned n_hex;
        PlListingEntry entry;
} PlListing;

/** pl_listing_begin() - a new listing. */
void pl_listing_begin(PlListing *m);

/**
 * pl_listing_read() - read on
 * @data, @n: what has come; moved to what is left of it
 * Return: 1: m->entry is a model, call again for what is left; 0: all is read; -EBADMSG: it is no
 * JSON, and is not read any further.
 */
int pl_listing_read(PlListing *m, const char **data, size_t *n);

/** pl_listing_complete() - has the document ended, with a list of models (or null for one) in it?
 */
bool pl_listing_complete(const PlListing *m);
