/* SPDX-License-Identifier: Apache-2.0 */

/* Prune: see the header. */

#include "lib/docker/prune.h"

#include <errno.h>

typedef struct Text {
        const char *p, *end;
} Text;

static void skip_space(Text *t) {
        while (t->p < t->end && strchr(" \t\r\n", *t->p) && *t->p)
                t->p++;
}

static bool is_next(const Text *t, char c) {
        return t->p < t->end && *t->p == c;
}

/* From its first quote to behind its last. */
static bool skip_string(Text *t) {
        for (t->p++; t->p < t->end; t->p++) {
                if (*t->p == '"') {
                        t->p++;
                        return true;
                }
                if (*t->p == '\\')
                        t->p++; /* whatever is escaped cannot end the string */
        }
        return false;
}

static bool skip_nested(Text *t) {
        size_t depth = 0;

        while (t->p < t->end) {
                char c = *t->p;

                if (c == '"') {
                        if (!skip_string(t))
                                return false;
                        continue;
                }
                t->p++;
                if (c == '{' || c == '[')
                        depth++;
                else if ((c == '}' || c == ']') && --depth == 0)
                        return true;
        }
        return false;
}

static bool skip_value(Text *t) {
        if (is_next(t, '"'))
                return skip_string(t);
        if (is_next(t, '{') || is_next(t, '['))
                return skip_nested(t);
        while (t->p < t->end && !memchr(",}] \t\r\n", *t->p, 7))
                t->p++;
        return t->p < t->end;
}

static const PlKeep *find(const PlKeep *keep, const char *name, size_t size) {
        for (; keep->name; keep++)
                if (pl_streq(keep->name, "*") ||
                    (strlen(keep->name) == size && memcmp(keep->name, name, size) == 0))
                        return keep;
        return NULL;
}

static void copy(char **out, const char *from, const char *to) {
        *out = mempcpy(*out, from, (size_t)(to - from));
}

static bool prune_object(Text *t, const PlKeep *keep, char **out);

/* t is behind a member's colon. */
static bool prune_value(Text *t, const PlKeep *k, char **out) {
        const char *begin = t->p;

        if (k->members && is_next(t, '{'))
                return prune_object(t, k->members, out);
        if (!skip_value(t))
                return false;
        copy(out, begin, t->p);
        return true;
}

/* One member, and what comes before the next. */
static bool prune_member(Text *t, const PlKeep *keep, bool *first, char **out) {
        const char *begin = t->p, *end;
        const PlKeep *k;

        if (!is_next(t, '"') || !skip_string(t))
                return false;
        end = t->p;
        skip_space(t);
        if (!is_next(t, ':'))
                return false;
        t->p++;
        skip_space(t);
        k = find(keep, begin + 1, (size_t)(end - begin) - 2);
        if (!k)
                return skip_value(t);
        if (!*first)
                *(*out)++ = ',';
        *first = false;
        copy(out, begin, end);
        *(*out)++ = ':';
        return prune_value(t, k, out);
}

/* No deeper than the tables are. */
static bool prune_object(Text *t, const PlKeep *keep, char **out) {
        bool first = true;

        t->p++;
        *(*out)++ = '{';
        skip_space(t);
        while (!is_next(t, '}')) {
                if (!prune_member(t, keep, &first, out))
                        return false;
                skip_space(t);
                if (is_next(t, '}'))
                        break;
                if (!is_next(t, ','))
                        return false;
                t->p++;
                skip_space(t);
        }
        t->p++;
        *(*out)++ = '}';
        return true;
}

int pl_prune(const char *text, size_t size, const PlKeep *keep, char **ret, size_t *ret_size) {
        Text t = { text, text ? text + size : NULL }; /* an empty answer has none */
        char *pruned, *out;

        skip_space(&t);
        if (!is_next(&t, '{'))
                return -EBADMSG;
        pruned = out = malloc(size);
        if (!pruned)
                return -ENOMEM;
        if (prune_object(&t, keep, &out))
                skip_space(&t);
        else
                t.p = text;
        if (t.p != t.end) { /* cut off, or followed by something */
                free(pruned);
                return -EBADMSG;
        }
        *ret = pruned;
        *ret_size = (size_t)(out - pruned);
        return 0;
}
