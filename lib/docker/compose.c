/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Compose: see the header.
 */

#include "lib/docker/compose.h"

bool pl_compose_next_needed(const char **rest, char ret[static PL_COMPOSE_NAME_MAX]) {
        const char *s = *rest;

        while (*s) {
                size_t entry = strcspn(s, ","), name = strcspn(s, ":,");
                const char *word = s;

                s += entry + (s[entry] == ',');
                if (name == 0 || name >= PL_COMPOSE_NAME_MAX)
                        continue;
                (void)snprintf(ret, PL_COMPOSE_NAME_MAX, "%.*s", (int)name, word);
                *rest = s;
                return true;
        }
        *rest = s;
        return false;
}
