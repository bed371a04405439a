/* SPDX-License-Identifier: Apache-2.0 */

/* Trim: see the header. */

#include "lib/docker/trim.h"

/* {"Actor": {"Attributes": { */
#define DEPTH_OF_ATTRIBUTES 3

static bool is_needed(const char *key, size_t n) {
        static const char *const needed[] = { "name",     "image",
                                              "exitCode", "containerExitCode",
                                              "signal",   "health_status",
                                              "container" };

        for (size_t i = 0; i < PL_ARRAY_SIZE(needed); i++)
                if (strlen(needed[i]) == n && memcmp(needed[i], key, n) == 0)
                        return true;
        return false;
}

/* A string is cut only before a byte that stands for itself: what is left has to be valid. */
static bool may_cut(char c) {
        return c >= ' ' && c <= '~' && c != '\\' && c != '"';
}

/* Return: whether the byte stays. */
static bool in_string(PlTrim *t, char c, size_t n) {
        if (t->escaped > 0) {
                t->escaped += c == 'u' && t->escaped == 1 ? 4 : 0;
                t->escaped--;
        } else if (c == '\\') {
                t->escaped = 1;
        } else if (c == '"') {
                t->in_string = t->dropping = false;
                return true;
        } else if (n - t->string_begin >= PL_TRIM_STRING_MAX && may_cut(c)) {
                t->dropping = true;
        }
        return !t->dropping;
}

static void begin_member(PlTrim *t, size_t at, bool first) {
        t->member_begin = at;
        t->key_begin = t->n_key = 0;
        t->first = first;
}

/* An attribute ends at c. Return: the size of what is left. */
static size_t end_member(PlTrim *t, const char *line, size_t n, char c, bool *ret_keep) {
        bool goes = n > PL_TRIM_LINE_MAX && t->n_key > 0 &&
                    !is_needed(line + t->key_begin, t->n_key);

        if (goes)
                n = t->member_begin;
        *ret_keep = c != ',' || !goes || !t->first;
        if (c == ',')
                begin_member(t, n, goes && t->first);
        return n;
}

size_t pl_trim(PlTrim *t, char *line, size_t done, size_t size) {
        size_t n = done;

        for (size_t i = done; i < size; i++) {
                char c = line[i];
                bool keep = true;

                if (t->in_string) {
                        keep = in_string(t, c, n);
                        if (!t->in_string && t->depth == DEPTH_OF_ATTRIBUTES && t->n_key == 0) {
                                t->key_begin = t->string_begin;
                                t->n_key = n - t->string_begin;
                        }
                } else if (c == '"') {
                        t->in_string = true;
                        t->string_begin = n + 1;
                } else if (c == ',' && t->depth == DEPTH_OF_ATTRIBUTES) {
                        n = end_member(t, line, n, c, &keep);
                } else if (c == '{' || c == '[') {
                        t->depth++;
                        if (t->depth == DEPTH_OF_ATTRIBUTES)
                                begin_member(t, n + 1, true);
                } else if (c == '}' || c == ']') {
                        if (t->depth == DEPTH_OF_ATTRIBUTES)
                                n = end_member(t, line, n, c, &keep);
                        t->depth -= t->depth > 0;
                }
                if (keep)
                        line[n++] = c;
        }
        return n;
}
