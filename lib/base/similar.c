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

/* Edits that make b of a: insert, delete, replace, swap neighbours (optimal string alignment).
 * Return: their number; UINT32_MAX: more than max. */
static unsigned distance(const char *a, unsigned n_a, const char *b, unsigned n_b, unsigned max) {
        unsigned d[3][WORD_MAX + 1], last_best = 0;

        /* most words differ by more than that in length alone */
        if (n_a > WORD_MAX || n_b > WORD_MAX || n_a > n_b + max || n_b > n_a + max)
                return UINT32_MAX;
        for (unsigned j = 0; j <= n_b; j++)
                d[0][j] = j;
        for (unsigned i = 1; i <= n_a; i++) {
                unsigned *row = d[i % 3], *above = d[(i + 2) % 3], *two_above = d[(i + 1) % 3];
                unsigned best = i;

                row[0] = i;
                for (unsigned j = 1; j <= n_b; j++) {
                        char x = lower(a[i - 1]), y = lower(b[j - 1]);

                        row[j] = PL_MIN(PL_MIN(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
                        if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]))
                                row[j] = PL_MIN(row[j], two_above[j - 2] + 1);
                        best = PL_MIN(best, row[j]);
                }
                if (best > max && last_best > max) /* what follows builds on these two */
                        return UINT32_MAX;
                last_best = best;
        }
        return d[n_a % 3][n_b] > max ? UINT32_MAX : d[n_a % 3][n_b];
}

const char *pl_similar(const char *word, const char *(*get)(const void *userdata, size_t i),
                       const void *userdata) {
        const char *best = NULL, *candidate;
        size_t n = strnlen(word, WORD_MAX + 1);
        unsigned best_distance = UINT32_MAX;

        for (size_t i = 0; (candidate = get(userdata, i)) && best_distance > 0; i++) {
                size_t size = strlen(candidate);
                unsigned max = PL_MIN((unsigned)PL_MAX(size / 3, (size_t)1), best_distance - 1);
                unsigned d = distance(word, (unsigned)n, candidate, (unsigned)size, max);

                /* "MemoryMaximum", "Mem" and the like are nearer than their edits tell */
                if (n >= 3 && d > 2 &&
                    (startswith_nocase(word, candidate) || startswith_nocase(candidate, word)))
                        d = 2;
                if (d <= max) {
                        best = candidate;
                        best_distance = d;
                }
        }
        return best;
}
