/* SPDX-License-Identifier: Apache-2.0 */

/*
 * String vectors: see the header. They are short: an append counts from the front.
 */

#include "lib/base/strv.h"

#include <errno.h>

char **pl_strv_free(char **v) {
        for (char **s = v; s && *s; s++)
                free(*s);
        free(v);
        return NULL;
}

int pl_strv_append(char ***v, size_t max, const char *item) {
        size_t n = 0;
        char **grown, *copy;

        while (*v && (*v)[n])
                n++;
        if (n >= max)
                return -E2BIG;
        grown = realloc(*v, (n + 2) * sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        *v = grown;
        grown[n] = NULL;
        copy = strdup(item);
        if (!copy)
                return -ENOMEM;
        grown[n] = copy;
        grown[n + 1] = NULL;
        return 0;
}

char **pl_strv_copy(char *const *v) {
        size_t n = 0;
        char **to;

        while (v && v[n])
                n++;
        to = calloc(n + 1, sizeof(*to));
        for (size_t i = 0; to && i < n; i++)
                if (!(to[i] = strdup(v[i]))) {
                        while (i > 0)
                                free(to[--i]);
                        free(to);
                        return NULL;
                }
        return to;
}

bool pl_strv_equal(char *const *a, char *const *b) {
        static char *const none[] = { NULL };

        a = a ? a : none;
        b = b ? b : none;
        for (; *a && *b; a++, b++)
                if (!pl_streq(*a, *b))
                        return false;
        return !*a && !*b;
}
