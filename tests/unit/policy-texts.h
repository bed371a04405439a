/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Policies from texts, for one small host.
 */

#include <errno.h>

#include "lib/policy/document.h"
#include "lib/policy/parser.h"
#include "unit.h"

#define SVC "[Service a]\nMatch=name:a\n"                       /* two lines */
#define NTF "[Notify a]\nFormat=json\nURL=https://a.example/\n" /* three */

/* /dev/sda and what is on it, a disk that is away, and what is none */
static int device_of(void *unused, const char *path, char ret[static PL_DEVICE_MAX]) {
        if (pl_streq(path, "/dev/null") || pl_streq(path, "/proc"))
                return -ENOTBLK;
        if (pl_streq(path, "/dev/gone"))
                return -ENOENT;
        snprintf(ret, PL_DEVICE_MAX, "%s", pl_streq(path, "/dev/sdb") ? "8:16" : "8:0");
        return 0;
}

static const PlHost host = { GIB(8), 4, 4096, device_of };

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
