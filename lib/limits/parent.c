/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Parents: names of groups as systemd and the engine write them. It must not touch the file system.
 */

#include "lib/limits/parent.h"

#include <errno.h>

#define SLICE ".slice"

/* Units whose groups systemd keeps for processes alone: systemd.unit(5). */
static const char *const leaves[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

static bool ends_with(const char *s, const char *suffix) {
        size_t n = strlen(s), m = strlen(suffix);

        return n > m && pl_streq(s + n - m, suffix);
}

bool pl_parent_may_be(const char *name) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(leaves); i++)
                if (ends_with(name, leaves[i]))
                        return false;
        return *name && *name != '.';
}

/* "a-b-c.slice" to "a.slice/a-b.slice/a-b-c.slice"; "-.slice" is the root. */
static int expand_slice(const char *name, char **ret) {
        size_t length = strlen(name) - strlen(SLICE), size = 0;
        char *text = NULL;
        FILE *f;

        if (pl_streq(name, "-" SLICE)) {
                *ret = strdup("");
                return *ret ? 1 : -ENOMEM;
        }
        if (name[0] == '-' || name[length - 1] == '-' || strstr(name, "--"))
                return 0; /* systemd takes no such name */
        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        for (size_t i = 1; i < length; i++)
                if (name[i] == '-')
                        fprintf(f, "%.*s" SLICE "/", (int)i, name);
        fputs(name, f);
        if (fclose(f) != 0) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        return 1;
}

/* "/a//b/" to "a/b" */
static int clean_path(const char *path, char **ret) {
        _cleanup_free_ char *clean = malloc(strlen(path) + 1);
        char *end = clean;

        if (!clean)
                return -ENOMEM;
        for (size_t n; *path; path += n) {
                path += strspn(path, "/");
                n = strcspn(path, "/");
                if (n == 2 && strncmp(path, "..", n) == 0)
                        return 0;
                if (n == 0 || (n == 1 && *path == '.'))
                        continue;
                if (end > clean)
                        *end++ = '/';
                end = mempcpy(end, path, n);
        }
        *end = '\0';
        *ret = TAKE_PTR(clean);
        return 1;
}

int pl_parent_of_setting(const char *setting, char **ret) {
        if (!setting || !*setting)
                return 0;
        if (*setting == '/')
                return clean_path(setting, ret);
        if (strchr(setting, '/') || !ends_with(setting, SLICE))
                return 0;
        return expand_slice(setting, ret);
}
