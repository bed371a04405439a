/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Policies from texts, for one small host.
 */

#include <errno.h>

#include "lib/policy/document.h"
#include "lib/policy/parser.h"
#include "unit.h"

#define SVC "[Service a]\nMatch=name:a\n" /* two lines */

static const PlHost host = { GIB(8), 4, 4096 };

static inline PlPolicy *parse_texts(const char *const *texts, size_t n, PlDiagList *diag,
                                    int *ret_r) {
        static const char *const names[] = { "main.conf", "10-a.conf", "20-b.conf" };
        PlPolicySource sources[3];
        PlPolicy *p = NULL;

        for (size_t i = 0; i < n; i++)
                sources[i] = (PlPolicySource){ names[i], texts[i], strlen(texts[i]) };
        *ret_r = pl_policy_parse(sources, n, &host, diag, &p);
        return p;
}
