/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of events, trimmed as it arrives: the same is left however it was cut; what was JSON is
 * JSON; what is short stays as it is; and what an event is read for stays.
 *
 * A NUL in the input, followed by a count, stands for that many KiB of the byte before it: lines
 * and strings have to be long before anything goes.
 */
#include "fuzz-verdict.h"
#include "lib/base/unit.h"
#include "lib/docker/trim.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINE_MAX_BYTES KIB(192)

static size_t inflate(const uint8_t *data, size_t size, char *to) {
        size_t n = 0;

        for (size_t i = 0; i < size && n < LINE_MAX_BYTES; i++) {
                size_t more;

                if (data[i] != '\0') {
                        to[n++] = (char)data[i];
                        continue;
                }
                more = i + 1 < size ? data[++i] * KIB(1) : 0;
                if (n == 0 || more > LINE_MAX_BYTES - n)
                        continue;
                memset(to + n, to[n - 1], more);
                n += more;
        }
        return n;
}

/* As the client does: what is left of the line so far, and the next piece behind it. */
static size_t trim(const char *line, size_t size, size_t piece, char *to) {
        PlTrim t = { 0 };
        size_t n = 0;

        for (size_t i = 0; i < size; i += piece) {
                size_t more = PL_MIN(piece, size - i), left;

                memcpy(to + n, line + i, more);
                left = pl_trim(&t, to, n, n + more);
                must(left <= n + more);
                n = left;
        }
        return n;
}

static size_t longest_string(const json_t *v) {
        size_t longest = json_string_length(v), n, i;
        const char *key;
        json_t *item;

        json_array_foreach(v, i, item) {
                n = longest_string(item);
                longest = PL_MAX(longest, n);
        }
        json_object_foreach((json_t *)v, key, item) {
                n = longest_string(item);
                longest = PL_MAX(longest, n);
                longest = PL_MAX(longest, strlen(key));
        }
        return longest;
}

static void must_stay(const json_t *before, const json_t *after, const char *key) {
        const json_t *a = json_object_get(before, key), *b = json_object_get(after, key);

        if (!json_is_string(a) || json_string_length(a) > PL_TRIM_STRING_MAX / 6)
                return;
        must(json_equal(a, b));
}

static void compare(const char *line, size_t size, const char *left, size_t n) {
        json_t *before = json_loadb(line, size, 0, NULL), *after;
        const json_t *a, *b;

        if (!before)
                return;
        after = json_loadb(left, n, 0, NULL);
        must(after);
        if (size <= PL_TRIM_LINE_MAX && longest_string(before) <= PL_TRIM_STRING_MAX / 6)
                must(size == n && memcmp(line, left, n) == 0);
        a = json_object_get(json_object_get(before, "Actor"), "Attributes");
        b = json_object_get(json_object_get(after, "Actor"), "Attributes");
        if (json_is_object(a) && !memchr(line, '\\', size)) {
                must_stay(a, b, "name");
                must_stay(a, b, "image");
                must_stay(a, b, "exitCode");
                must_stay(a, b, "container");
        }
        must_stay(before, after, "Action");
        json_decref(before);
        json_decref(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static char line[LINE_MAX_BYTES], whole[LINE_MAX_BYTES], pieces[LINE_MAX_BYTES];
        size_t n = inflate(data, size, line), n_whole, n_pieces;

        n_whole = trim(line, n, n ?: 1, whole);
        for (size_t piece = 1; piece <= KIB(64); piece = piece * 37 + 1) {
                n_pieces = trim(line, n, piece, pieces);
                must(n_pieces == n_whole && memcmp(whole, pieces, n_whole) == 0);
        }
        compare(line, n, whole, n_whole);
        return 0;
}
