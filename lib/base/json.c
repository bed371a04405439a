/* SPDX-License-Identifier: Apache-2.0 */

/*
 * JSON: see the header. jansson refuses text that is not UTF-8; such text is escaped first.
 */

#include "lib/base/json.h"

#include "lib/base/quote.h"

#define TEXT_MAX KIB(16) /* of one string; longer is cut: no reason is that long */

json_t *pl_json_text(const char *s) {
        if (!s)
                return json_null();
        json_t *j = strlen(s) <= TEXT_MAX ? json_string(s) : NULL;
        if (j)
                return j;
        _cleanup_free_ char *escaped = pl_escape(s, TEXT_MAX);
        return escaped ? json_string(escaped) : NULL;
}

json_t *pl_json_number(uint64_t n) {
        return n == PL_UNLIMITED ? json_null()
                                 : json_integer((json_int_t)PL_MIN(n, (uint64_t)INT64_MAX));
}

bool pl_json_put(json_t *object, const char *key, json_t *stolen) {
        return json_object_set_new(object, key, stolen) == 0;
}

bool pl_json_put_text(json_t *object, const char *key, const char *s) {
        return pl_json_put(object, key, pl_json_text(s));
}

bool pl_json_put_number(json_t *object, const char *key, uint64_t n) {
        return pl_json_put(object, key, pl_json_number(n));
}

bool pl_json_put_bool(json_t *object, const char *key, bool b) {
        return pl_json_put(object, key, json_boolean(b));
}
