/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Exposition: metrics as the text that Prometheus reads.
 *
 * Two formats of one content: OpenMetrics 1.0 and Prometheus' own text format 0.0.4. What differs
 * (the names of counters, "# EOF", times of creation) is known here alone. Values are integers with
 * a power of ten, so nothing is lost on the way, and no locale changes a point into a comma.
 */

#include "lib/base/macro.h"

typedef enum PlExpositionFormat {
        PL_EXPOSITION_TEXT,
        PL_EXPOSITION_OPENMETRICS,
        _PL_EXPOSITION_N,
} PlExpositionFormat;

/**
 * pl_exposition_choose() - the format that a client likes best, by its Accept: (RFC 9110, 12.5.1)
 * @accept: NULL, or what cannot be read: the text format, which everything understands
 */
PlExpositionFormat pl_exposition_choose(const char *accept);

/** pl_exposition_content_type() - for the answer's Content-Type:. */
const char *pl_exposition_content_type(PlExpositionFormat f);

typedef enum PlMetricType {
        PL_METRIC_GAUGE,
        PL_METRIC_COUNTER,
        PL_METRIC_INFO,      /* its value is 1, what it says is in its labels */
        PL_METRIC_STATESET,  /* a sample for each state, with the family's name as label */
        PL_METRIC_HISTOGRAM, /* samples end in "_bucket", "_sum" and "_count" */
        _PL_METRIC_TYPE_N,
} PlMetricType;

/* A family. Its unit is in its name, as both formats have it. */
typedef struct PlMetric {
        const char *name; /* of a counter without "_total", of an info without "_info" */
        PlMetricType type;
        const char *help;
} PlMetric;

/* Ended by a row without a name. Values that are NULL or empty are left out: in both formats a
 * label without a value is none. */
typedef struct PlMetricLabel {
        const char *name, *value;
} PlMetricLabel;

/** pl_metric_labels() - escaped, without braces; bytes that are no UTF-8 become U+FFFD.
 * Return: owned by the caller, "" for none; NULL: out of memory. */
char *pl_metric_labels(const PlMetricLabel *labels);

typedef struct PlSample {
        const char *suffix;        /* "_bucket", "_created" …; NULL: the one of the type */
        const char *labels, *more; /* from pl_metric_labels(), both may be NULL */
        int64_t value;
        unsigned digits; /* of the value that are behind the point: 6 for microseconds */
} PlSample;

typedef struct PlExposition PlExposition;

/** pl_exposition_new() - Return: NULL when out of memory. */
PlExposition *pl_exposition_new(PlExpositionFormat f);
PlExposition *pl_exposition_free(PlExposition *e);
PL_DEFINE_CLEANUP(PlExposition *, pl_exposition_free)

/** pl_exposition_add() - one sample. All of a family come one after the other; what describes it
 * stands before the first. What a format does not have (times of creation) is left out.
 * @m: borrowed; its name until the next sample */
void pl_exposition_add(PlExposition *e, const PlMetric *m, const PlSample *s);

/* Of a page: 1,500 containers with all there is to say of them. Names and images may be long. */
#define PL_EXPOSITION_MAX MIB(32)

/** pl_exposition_finish() - Return: 0 and the text, owned by the caller; -ENOMEM, also when any
 * sample could not be kept; -E2BIG: it would be larger than PL_EXPOSITION_MAX. */
int pl_exposition_finish(PlExposition *e, char **ret, size_t *ret_size);
