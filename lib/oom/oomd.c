/* SPDX-License-Identifier: Apache-2.0 */

/*
 * systemd-oomd: see the header. A container may give the groups below its own any name, so the path
 * is compared from its beginning, and nothing is searched for in it.
 */

#include "lib/oom/oomd.h"

/* Where the path ends: the first of these behind it. Return: its length; 0: none is there. */
static size_t length(const char *path, bool marked) {
        static const char *const why[] = { " due to memory pressure for ", " due to memory used (",
                                           " due to swap used (" };
        size_t n = 0;

        for (size_t i = 0; i < PL_ARRAY_SIZE(why); i++) {
                static const char plan[] = " for killing";
                const char *end = strstr(path, why[i]);
                size_t len = end ? (size_t)(end - path) : 0;

                if (marked && len >= strlen(plan))
                        len = strncmp(end - strlen(plan), plan, strlen(plan)) == 0
                                              ? len - strlen(plan)
                                              : 0;
                if (len > 0 && (n == 0 || len < n))
                        n = len;
        }
        return n;
}

PlOomdWord pl_oomd_word(const char *message, const char *group) {
        bool marked = pl_startswith(message, "Marked /");
        const char *path = message + strlen("Killed /");
        size_t n, len;

        if (!marked && !pl_startswith(message, "Killed /"))
                return PL_OOMD_NOTHING;
        group += *group == '/';
        len = strlen(group);
        n = length(path, marked);
        if (n == 0 || len == 0 || strncmp(path, group, PL_MIN(n, len)) != 0)
                return PL_OOMD_NOTHING;
        if (n > len)
                return path[len] == '/' ? PL_OOMD_PART : PL_OOMD_NOTHING;
        if (group[n] != '\0' && group[n] != '/')
                return PL_OOMD_NOTHING;
        return marked ? PL_OOMD_MARKED : PL_OOMD_KILLED;
}
