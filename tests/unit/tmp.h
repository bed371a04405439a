/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A directory of a test's own, made before it and removed after it with all that is in it.
 */

#include <ftw.h>
#include <sys/stat.h>

#include "unit.h"

static char tmp[48];

/** @under: /tmp, or /var/tmp for what needs the file system that logs lie on. */
static inline void tmp_make(const char *under) {
        (void)snprintf(tmp, sizeof(tmp), "%s/plimsoll-test-XXXXXX", under);
        ck_assert_ptr_nonnull(mkdtemp(tmp));
}

static inline int tmp_remove_one(const char *path, const struct stat *st, int type,
                                 struct FTW *ftw) {
        return remove(path);
}

static inline void tmp_remove(void) {
        int r = nftw(tmp, tmp_remove_one, 16, FTW_DEPTH | FTW_PHYS);

        ck_assert_msg(r == 0 || errno == ENOENT, "%s: %s", tmp, strerror(errno));
}

/** Opens a file for writing and makes the directories above it. @path: below tmp, relative. */
static inline FILE *tmp_open(const char *path) {
        char full[512];
        FILE *f;

        (void)snprintf(full, sizeof(full), "%s/%s", tmp, path);
        for (char *s = full + strlen(tmp) + 1; (s = strchr(s, '/')); s++) {
                *s = '\0';
                (void)mkdir(full, 0755);
                *s = '/';
        }
        f = fopen(full, "we");
        ck_assert_msg(f, "%s: %s", full, strerror(errno));
        return f;
}

static inline void tmp_put(const char *path, const char *content) {
        FILE *f = tmp_open(path);

        ck_assert_int_ge(fputs(content, f), 0);
        ck_assert_int_eq(fclose(f), 0);
}
