/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Identity of a container: strict, because it becomes part of paths.
 */

#include "lib/base/id.h"

bool pl_is_id(const char *s) {
        size_t i;

        for (i = 0; i < PL_ID_MAX - 1; i++)
                if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
                        return false;
        return s[i] == '\0';
}
