/* SPDX-License-Identifier: Apache-2.0 */

/*
 * JSON: see the header.
 */

#include "lib/base/json.h"

#include "lib/base/quote.h"

bool pl_json_put(json_t *object, const char *key, json_t *stolen) {
        return json_object_set_new(object, key, stolen) == 0;
}

bool pl_json_put_number(json_t *object, const char *key, uint64_t n) {
        return pl_json_put(object, key,
                           n == PL_UNLIMITED ? json_null()
                                             : json_integer((json_int_t)PL_MIN(
                                                               n, (uint64_t)INT64_MAX)));
}

char *pl_json_text(const json_t *j, size_t flags) {
        _cleanup_free_ char *plain = json_dumps(j, flags | JSON_ENCODE_ANY);
        size_t size = plain ? strlen(plain) : 0, n = 0;
        char *text = plain ? malloc(size * 6 + 1) : NULL; /* six for a DEL */

        if (!text)
                return NULL;
        for (size_t i = 0; i < size;) {
                uint32_t point = 0;
                size_t bytes = pl_utf8_decode(plain + i, size - i, &point) ?: 1;

                if (point >= 0x7f && pl_utf8_is_hidden(point))
                        n += (size_t)sprintf(text + n, "\\u%04x", (unsigned)point);
                else {
                        memcpy(text + n, plain + i, bytes);
                        n += bytes;
                }
                i += bytes;
        }
        text[n] = '\0';
        return text;
}
