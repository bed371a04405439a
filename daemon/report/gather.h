/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Gather: entries of one cause, said of many containers, held back for a moment and told as one;
 * see lib/status/repeat.h. */

#include "report/reporter.h"

typedef struct PlGather PlGather;

/** pl_gather_new() - @reporter: borrowed; its `gather` is set. Return: 0, -ENOMEM, -errno. */
int pl_gather_new(sd_event *event, PlReporter *reporter, PlGather **ret);
/* What it holds is told. Returns NULL. */
PlGather *pl_gather_free(PlGather *g);
