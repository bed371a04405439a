/* SPDX-License-Identifier: Apache-2.0 */

/*
 * "Did you mean": the nearest of a set of words, or the word that another tool has for the same.
 */

#include "lib/policy/parser.h"

#define WORD_MAX 48

/* What compose files, docker run and older systemd call our keys. */
static const char *const foreign[][2] = {
        { "MemoryLimit", "MemoryMax" },
        { "mem_limit", "MemoryMax" },
        { "memory", "MemoryMax" },
        { "memory_limit", "MemoryMax" },
        { "mem_reservation", "MemoryLow" },
        { "memory-reservation", "MemoryLow" },
        { "memswap_limit", "MemorySwapMax" },
        { "memory-swap", "MemorySwapMax" },
        { "cpus", "CPUQuota" },
        { "CPUShares", "CPUWeight" },
        { "cpu_shares", "CPUWeight" },
        { "cpu-shares", "CPUWeight" },
        { "cpuset", "AllowedCPUs" },
        { "cpuset-cpus", "AllowedCPUs" },
        { "pids_limit", "TasksMax" },
        { "pids-limit", "TasksMax" },
        { "BlockIOWeight", "IOWeight" },
        { "blkio_weight", "IOWeight" },
        { "max-size", "LogMaxSize" },
        { "max-file", "LogMaxFiles" },
        { "BlockIOReadBandwidth", "IOReadBandwidthMax" },
        { "BlockIOWriteBandwidth", "IOWriteBandwidthMax" },
};

static char lower(char c) {
        return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool equal_nocase(const char *a, const char *b) {
        for (; *a && lower(*a) == lower(*b); a++, b++)
                ;
        return lower(*a) == lower(*b);
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

const char *pl_policy_similar(const char *word, const char *(*get)(const void *userdata, size_t i),
                              const void *userdata) {
        const char *best = NULL, *candidate, *want = word;
        unsigned best_distance = UINT32_MAX;

        for (size_t i = 0; i < PL_ARRAY_SIZE(foreign); i++)
                if (equal_nocase(word, foreign[i][0]))
                        want = foreign[i][1];
        for (size_t i = 0; (candidate = get(userdata, i)); i++) {
                size_t size = strlen(candidate);
                unsigned d = distance(want, candidate);

                /* "MemoryMaximum", "Mem" and the like are nearer than their edits tell */
                if (strlen(want) >= 3 &&
                    (startswith_nocase(want, candidate) || startswith_nocase(candidate, want)))
                        d = PL_MIN(d, 2U);
                if (d <= PL_MAX(size / 3, (size_t)1) && d < best_distance) {
                        best = candidate;
                        best_distance = d;
                }
        }
        return best;
}
