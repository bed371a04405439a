/* SPDX-License-Identifier: Apache-2.0 */

/*
 * "Did you mean": the nearest of a set of words.
 */

#include "lib/base/similar.h"

#define WORD_MAX 48

static char lower(char c) {
        return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool startswith_nocase(const char *s, const char *prefix) {
        for (; *prefix && lower(*s) == lower(*prefix); s++, prefix++)
                ;
        return !*prefix;
}

/* Edits that make b of a: insert, delete, replace, swap neighbours (optimal string alignment). */
static unsigned distance(const char *a, const char *b) {
        unsigned d[3][WORD_MAX + 1], n = (unsigned)strlen(b);

        if (strlen(a) > WORD_MAX || n > WORD_MAX)
                return UINT32_MAX;
        for (unsigned j = 0; j <= n; j++)
                d[0][j] = j;
        for (unsigned i = 1; a[i - 1]; i++) {
                unsigned *row = d[i % 3], *above = d[(i + 2) % 3], *two_above = d[(i + 1) % 3];

                row[0] = i;
                for (unsigned j = 1; j <= n; j++) {
                        char x = lower(a[i - 1]), y = lower(b[j - 1]);

                        row[j] = PL_MIN(PL_MIN(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
                        if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]))
                                row[j] = PL_MIN(row[j], two_above[j - 2] + 1);
                }
        }
        return d[strlen(a) % 3][n];
}

const char *pl_similar(const char *word, const char *(*get)(const void *userdata, size_t i),
                       const void *userdata) {
        const char *best = NULL, *candidate;
        unsigned best_distance = UINT32_MAX;

        for (size_t i = 0; (candidate = get(userdata, i)); i++) {
                size_t size = strlen(candidate);
                unsigned d = distance(word, candidate);

                /* "MemoryMaximum", "Mem" and the like are nearer than their edits tell */
                if (strlen(word) >= 3 &&
                    (startswith_nocase(word, candidate) || startswith_nocase(candidate, word)))
                        d = PL_MIN(d, 2U);
                if (d <= PL_MAX(size / 3, (size_t)1) && d < best_distance) {
                        best = candidate;
                        best_distance = d;
                }
        }
        return best;
}
