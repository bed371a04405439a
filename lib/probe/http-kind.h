/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * HTTP probes, between pl-probe-http.c and the kinds: one row per kind, and what they share.
 */

#include <jansson.h>

#include "lib/probe/http.h"

typedef struct PlHttpKind {
        uint16_t port;
        const char *(*path)(const PlHttpSpec *s, const PlHttpProbe *p);
        /* only called for complete answers (error is PL_HTTP_OK) */
        PlProbeStep (*answer)(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                              uint64_t realtime_usec, PlVerdict *ret);
} PlHttpKind;

extern const PlHttpKind pl_http_kind_airflow, pl_http_kind_grafana, pl_http_kind_ollama,
                pl_http_kind_mlflow, pl_http_kind_prometheus, pl_http_kind_generic;

/** pl_http_json() - the body as a JSON object. Return: new reference, or NULL with *ret written
 * ("not PRODUCT: …"), for an answer of any status. */
json_t *pl_http_json(const PlHttpAnswer *a, const char *product, PlVerdict *ret);

/** pl_http_unexpected() - verdict for a status that the kind does not know. */
void pl_http_unexpected(const PlHttpSpec *s, const PlHttpProbe *p, const PlHttpAnswer *a,
                        PlVerdict *ret);

/** pl_http_string() - a member's text, quoted into buf; "" when it is not a string. */
const char *pl_http_string(const json_t *o, const char *key, char *buf, size_t size);

void pl_http_up(PlVerdict *ret);
