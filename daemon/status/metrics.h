/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Metrics: everything that is known in numbers, for Prometheus.
 *
 * What cAdvisor exports as well has cAdvisor's names, labels and units, so dashboards and rules
 * that people have go on working; what it does not know is called plimsoll_*.
 */

#include "lib/metrics/exposition.h"
#include "status/sources.h"

/** pl_metrics() - read now. Return: owned by the caller; NULL: out of memory. */
char *pl_metrics(const PlSources *from, PlExpositionFormat format, size_t *ret_size);
