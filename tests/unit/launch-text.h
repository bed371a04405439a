/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Command lines and environments as texts, for the rows of tables: '~' stands between the words of
 * a command line, and between the entries of an environment.
 */

#include "lib/docker/launch.h"
#include "unit.h"

static inline size_t split_launch(char *s, const char **ret, size_t max) {
        size_t n = 0;

        while (*s && n < max) {
                ret[n++] = s;
                s += strcspn(s, "~");
                if (*s)
                        *s++ = '\0';
        }
        return n;
}

/* @words, @env: NULL: none. @ret: pl_launch_deinit() it. */
static inline void read_launch(const char *words, const char *env, PlLaunch *ret) {
        char w_text[1024], e_text[1024];
        const char *w[64], *e[16];

        (void)snprintf(w_text, sizeof(w_text), "%s", words ? words : "");
        (void)snprintf(e_text, sizeof(e_text), "%s", env ? env : "");
        ck_assert_int_eq(pl_launch_read(w, split_launch(w_text, w, PL_ARRAY_SIZE(w)), e,
                                        split_launch(e_text, e, PL_ARRAY_SIZE(e)), ret),
                         0);
}
