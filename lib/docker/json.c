/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Docker JSON: one linear pass that bounds a document, then jansson, then careful member access.
 */

#include "lib/docker/json.h"

#include <ctype.h>
#include <errno.h>

/* As it is written in JSON; both are six bytes, so that one replaces the other in place. */
#define ESCAPED_NUL         "\\u0000"
#define ESCAPED_REPLACEMENT "\\ufffd"
#define ESCAPED_SIZE        6

static bool is_escaped_nul(const char *s, size_t size) {
        return size >= ESCAPED_SIZE && memcmp(s, ESCAPED_NUL, ESCAPED_SIZE) == 0;
}

static size_t skip_string(const char *text, size_t size, size_t i, bool *has_nul) {
        for (; i < size; i++) {
                if (text[i] == '"')
                        return i;
                if (text[i] == '\\') {
                        if (is_escaped_nul(text + i, size - i))
                                *has_nul = true;
                        i++; /* whatever is escaped cannot end the string */
                }
        }
        return size;
}

int pl_json_scan(const char *text, size_t size, PlJsonScan *ret) {
        PlJsonScan s = {};
        size_t i = 0, depth = 0;

        while (i < size && isspace((unsigned char)text[i]))
                i++;
        if (i == size || (text[i] != '{' && text[i] != '['))
                return -EBADMSG;

        for (; i < size; i++) {
                switch (text[i]) {
                case '"':
                        i = skip_string(text, size, i + 1, &s.has_nul);
                        break;
                case '{':
                case '[':
                        depth++;
                        s.n_values++;
                        break;
                case ',':
                        s.n_values++;
                        break;
                case '}':
                case ']':
                        depth--;
                        break;
                default:
                        break;
                }
                if (s.n_values > PL_JSON_VALUES_MAX)
                        return -E2BIG;
                if (depth == 0) {
                        s.end = i + 1;
                        *ret = s;
                        return 0;
                }
        }
        return -EBADMSG;
}

/* jansson cannot keep U+0000 in a key, and a label may have one: without this, one container could
 * make the whole list unreadable. */
static char *without_nul(const char *text, size_t size) {
        char *copy = malloc(size);

        if (!copy)
                return NULL;
        memcpy(copy, text, size);
        for (size_t i = 0; i < size; i++)
                if (copy[i] == '\\') {
                        if (is_escaped_nul(copy + i, size - i))
                                memcpy(copy + i, ESCAPED_REPLACEMENT, ESCAPED_SIZE);
                        i++;
                }
        return copy;
}

int pl_json_load_object(const char *text, size_t size, json_t **ret) {
        _cleanup_free_ char *copy = NULL;
        _cleanup_json_ json_t *root = NULL;
        json_error_t error;
        PlJsonScan scan;
        int r;

        r = pl_json_scan(text, size, &scan);
        if (r < 0)
                return r;
        if (scan.has_nul) {
                copy = without_nul(text, size);
                if (!copy)
                        return -ENOMEM;
        }

        root = json_loadb(copy ?: text, size, 0, &error);
        if (!root)
                return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
        if (!json_is_object(root))
                return -EBADMSG;

        *ret = TAKE_PTR(root);
        return 0;
}

const char *pl_json_string(const json_t *object, const char *key) {
        return json_string_value(json_object_get(object, key));
}

int64_t pl_json_int(const json_t *object, const char *key, int64_t min, int64_t max,
                    int64_t fallback) {
        const json_t *j = json_object_get(object, key);
        json_int_t v;

        if (!json_is_integer(j))
                return fallback;
        v = json_integer_value(j);
        return v < min || v > max ? fallback : v;
}

bool pl_json_true(const json_t *object, const char *key) {
        return json_is_true(json_object_get(object, key));
}

/* The longest prefix of at most max_bytes that ends with a whole UTF-8 character. */
static size_t cut_length(const char *s, size_t max_bytes) {
        size_t n = strnlen(s, max_bytes + 1);

        if (n <= max_bytes)
                return n;
        n = max_bytes;
        while (n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80)
                n--;
        return n;
}

int pl_json_dup(const char *s, size_t max_bytes, char **ret) {
        char *copy = strndup(s ?: "", s ? cut_length(s, max_bytes) : 0);

        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

int pl_json_dup_member(const json_t *object, const char *key, size_t max_bytes, char **ret) {
        return pl_json_dup(pl_json_string(object, key), max_bytes, ret);
}

void pl_json_cut(const char *s, char *buf, size_t buf_size) {
        size_t n = s ? cut_length(s, buf_size - 1) : 0;

        if (n > 0)
                memcpy(buf, s, n);
        buf[n] = '\0';
}
