/* SPDX-License-Identifier: Apache-2.0 */

/* The small rooms of lib/base: identities, words, string vectors, JSON. */

#include <errno.h>

#include "lib/base/id.h"
#include "lib/base/json.h"
#include "lib/base/strv.h"
#include "lib/base/word.h"
#include "unit.h"

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
        const char *text;
        bool is_id;
} ids[] = {
        { A63 "0", true },   { "", false },      { "abc", false },   { A63, false },
        { A63 "aa", false }, { A63 "A", false }, { A63 "/", false }, { "../", false },
};

START_TEST(id) {
        ck_assert_msg(pl_is_id(ids[_i].text) == ids[_i].is_id, "%s", ids[_i].text);
}
END_TEST

START_TEST(word) {
        static const PlWord words[] = { { "none", 0 }, { "HUP", 1 }, { "SIGHUP", 1 }, { NULL } };

        ck_assert_str_eq(pl_word_of(words, 0), "none");
        ck_assert_str_eq(pl_word_of(words, 1), "HUP");
        ck_assert_str_eq(pl_word_of(words, 2), "unknown");
}
END_TEST

START_TEST(strv) {
        char **v = NULL, **copy;

        ck_assert(pl_strv_equal(NULL, v));
        ck_assert_int_eq(pl_strv_append(&v, 2, "a"), 0);
        ck_assert(!pl_strv_equal(NULL, v));
        ck_assert_int_eq(pl_strv_append(&v, 2, "b"), 0);
        ck_assert_int_eq(pl_strv_append(&v, 2, "c"), -E2BIG);
        copy = pl_strv_copy(v);
        ck_assert_ptr_nonnull(copy);
        ck_assert(pl_strv_equal(copy, v));
        ck_assert_str_eq(copy[1], "b");
        ck_assert_ptr_null(copy[2]);
        v = pl_strv_free(v);
        ck_assert_ptr_null(v);
        pl_strv_free(copy);
        copy = pl_strv_copy(NULL);
        ck_assert(copy && !copy[0] && pl_strv_equal(copy, NULL));
        pl_strv_free(copy);
}
END_TEST

START_TEST(json) {
        json_t *o = json_object();
        char *text;

        ck_assert(pl_json_put_text(o, "a", NULL) && pl_json_put_text(o, "b", "x\xff") &&
                  pl_json_put_number(o, "c", PL_UNLIMITED) && pl_json_put_number(o, "d", 7) &&
                  pl_json_put_number(o, "e", UINT64_MAX - 1) && pl_json_put_bool(o, "f", true));
        ck_assert(!pl_json_put(o, "g", NULL));
        text = json_dumps(o, JSON_COMPACT);
        ck_assert_str_eq(text, "{\"a\":null,\"b\":\"x\\\\xff\",\"c\":null,\"d\":7,"
                               "\"e\":9223372036854775807,\"f\":true}");
        free(text);
        json_decref(o);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("base");

        tcase_add_loop_test(t, id, 0, PL_ARRAY_SIZE(ids));
        tcase_add_test(t, word);
        tcase_add_test(t, strv);
        tcase_add_test(t, json);
        return run_case(t);
}
