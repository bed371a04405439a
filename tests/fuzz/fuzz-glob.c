/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Words of a policy that name what others have made: LogPath= globs and the names below a mount,
 * Match= lines, an engine's command line. The first line is the pattern, the others are names.
 */

#include "lib/docker/setting.h"
#include "lib/logs/archive-name.h"
#include "lib/logs/path.h"
#include "lib/policy/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

static void names(char *text, const PlLogpathGlob *g) {
        PlLogpathState s = g ? g->begin : 0;
        const char *previous = NULL, *name;
        PlSetting setting = { 0 };
        PlArchiveName archive;
        size_t base;

        while ((name = strsep(&text, "/\n"))) {
                bool literal = false;

                if (g)
                        s = pl_logpath_step(g, s, name, &literal);
                check(!literal || s != 0);
                (void)pl_logpath_kind(name, &base);
                check(base <= strlen(name));
                if (pl_archive_name_parse(name, &archive)) {
                        char again[PL_ARCHIVE_NAME_MAX];

                        check(strlen(archive.id) == 12 && archive.from_sec <= archive.to_sec);
                        (void)pl_archive_name_format(&archive, again);
                }
                pl_setting_take(previous, name, &setting);
                previous = name;
        }
}

static void match(const char *pattern) {
        PlMatch terms[PL_MATCH_TERMS_MAX];
        const char *warning = NULL, *fault = NULL;
        _cleanup_free_ char *never = NULL, *again = NULL;
        size_t n = 0;

        if (pl_match_parse(pattern, terms, &n, &warning, &fault) < 0)
                return;
        check(n > 0 && n <= PL_MATCH_TERMS_MAX);
        check(pl_match_never(terms, n, &never) == 0);
        (void)pl_match_covers(terms, n, terms, n);
        again = pl_match_format(terms, n);
        check(again);
        {
                PlMatch twice[PL_MATCH_TERMS_MAX];
                size_t n_twice = 0;

                check(pl_match_parse(again, twice, &n_twice, &warning, &fault) == 0);
                check(n_twice == n);
                for (size_t i = 0; i < n; i++) {
                        check(twice[i].kind == terms[i].kind &&
                              pl_streq(twice[i].pattern, terms[i].pattern));
                        free(twice[i].pattern);
                }
        }
        for (size_t i = 0; i < n; i++)
                free(terms[i].pattern);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const PlMount mounts[] = {
                { .type = (char *)"bind", .source = (char *)"/a", .destination = (char *)"/logs" },
                { .type = (char *)"volume",
                  .source = (char *)"/b",
                  .destination = (char *)"/logs/x" },
        };
        _cleanup_free_ char *text = strndup((const char *)data, size), *error = NULL;
        _cleanup_free_ char *path = NULL;
        char *rest = text;
        const char *pattern;
        PlLogpathGlob g;
        size_t which;

        check(text);
        pattern = strsep(&rest, "\n");
        match(pattern);
        check(asprintf(&path, "/logs/%s", pattern) >= 0);
        if (pl_logpath_resolve(mounts, PL_ARRAY_SIZE(mounts), path, &which, &g, &error) == 0) {
                check(which < PL_ARRAY_SIZE(mounts) && g.n <= PL_LOGPATH_PARTS_MAX);
                if (rest)
                        names(rest, &g);
                pl_logpath_glob_deinit(&g);
        } else {
                check(error);
                if (rest)
                        names(rest, NULL);
        }
        return 0;
}
