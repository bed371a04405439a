/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Endpoints: what the control socket answers. One row for each; see PlCtlEndpoint.
 */

#include "control/server.h"
#include "status/ask.h"

/* What the rows need; all borrowed. */
typedef struct PlEndpoints {
        const PlSources *from;
        PlAsks *asks;
        PlLogs *logs;
        /* 0, or negative errno with *ret_message (owned by the caller): every error of the policy
         */
        int (*reload)(void *userdata, char **ret_message);
        void *userdata;
} PlEndpoints;

/* "GET /metrics", see PlCtlEndpoint.text. */
const char *pl_endpoint_metrics_type(const PlCtlRequest *q);
char *pl_endpoint_metrics(void *userdata, const char *type, size_t *ret_size);

extern const PlCtlEndpoint pl_endpoints[]; /* userdata: a PlEndpoints */
