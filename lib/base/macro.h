/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Macros and tiny inlines that every layer shares.
 *
 * They exist so that ownership is visible at a glance (cleanup attributes, TAKE_*) and so that
 * "unlimited" is one value everywhere. Nothing here does I/O except closing a descriptor on the
 * way out of a scope.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No limit at all: "infinity" in a policy, "max" in cgroup v2, -1 in v1. It differs from unset. */
#define PL_UNLIMITED UINT64_MAX

/* No such point in time, or no such reading. */
#define PL_TIME_INFINITY UINT64_MAX

#define PL_NSEC_PER_USEC UINT64_C(1000)
#define PL_USEC_PER_MSEC UINT64_C(1000)
#define PL_USEC_PER_SEC  UINT64_C(1000000)
#define PL_USEC_PER_MIN  (60 * PL_USEC_PER_SEC)
#define PL_USEC_PER_HOUR (60 * PL_USEC_PER_MIN)
#define PL_USEC_PER_DAY  (24 * PL_USEC_PER_HOUR)

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

#define PL_ARRAY_SIZE(a)                 (sizeof(a) / sizeof((a)[0]))
#define PL_MIN(a, b)                     ((a) < (b) ? (a) : (b))
#define PL_MAX(a, b)                     ((a) > (b) ? (a) : (b))
#define PL_CONTAINER_OF(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))
#define PL_PRINTF(fmt, args)             __attribute__((format(printf, fmt, args)))

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Moves ownership out of a variable that has a cleanup attribute. */
#define TAKE_PTR(p)                         \
        ({                                  \
                __typeof__(p) _taken = (p); \
                (p) = NULL;                 \
                _taken;                     \
        })
#define TAKE_FD(fd)                \
        ({                         \
                int _taken = (fd); \
                (fd) = -EBADF;     \
                _taken;            \
        })

/* Defines TYPE_freep style cleanup functions from destructors that accept NULL. */
#define PL_DEFINE_CLEANUP(type, destructor)         \
        static inline void destructor##p(type *p) { \
                if (*p)                             \
                        destructor(*p);             \
        }

static inline void pl_freep(void *p) {
        free(*(void **)p);
}

static inline void pl_closep(const int *fd) {
        if (*fd >= 0)
                (void)close(*fd);
}

static inline void pl_fclosep(FILE **f) {
        if (*f)
                (void)fclose(*f);
}

#define _cleanup_free_   _cleanup_(pl_freep)
#define _cleanup_close_  _cleanup_(pl_closep)
#define _cleanup_fclose_ _cleanup_(pl_fclosep)

/* Closes what open_memstream() opened. Return: its text, owned by the caller; NULL: out of memory.
 */
static inline char *pl_take_text(FILE *f, char **text) {
        bool failed = ferror(f);

        if (fclose(f) == 0 && !failed)
                return TAKE_PTR(*text);
        free(*text);
        *text = NULL;
        return NULL;
}

static inline bool pl_streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

/* Like pl_streq(), but NULL equals NULL and nothing else. */
static inline bool pl_streq_null(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

/* The end of a noun that is counted: "1 service", "2 services". */
static inline const char *pl_plural(uint64_t n) {
        return n == 1 ? "" : "s";
}

static inline bool pl_startswith(const char *s, const char *prefix) {
        return strncmp(s, prefix, strlen(prefix)) == 0;
}
