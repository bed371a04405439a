/* SPDX-License-Identifier: Apache-2.0 */

/*
 * JSON: see the header.
 */

#include "lib/base/json.h"

bool pl_json_put(json_t *object, const char *key, json_t *stolen) {
        return json_object_set_new(object, key, stolen) == 0;
}

bool pl_json_put_number(json_t *object, const char *key, uint64_t n) {
        return pl_json_put(object, key,
                           n == PL_UNLIMITED ? json_null()
                                             : json_integer((json_int_t)PL_MIN(
                                                               n, (uint64_t)INT64_MAX)));
}
