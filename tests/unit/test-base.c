/* SPDX-License-Identifier: Apache-2.0 */

/* The small rooms of lib/base: identities, words, string vectors, JSON, unit names. */

#include <errno.h>

#include "lib/base/id.h"
#include "lib/base/json.h"
#include "lib/base/strv.h"
#include "lib/base/unit-name.h"
#include "lib/base/word.h"
#include "lib/logs/method.h"
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
        ck_assert_str_eq(pl_word_of(pl_log_method_words, PL_LOG_METHOD_PUNCH), "punch");
        ck_assert_str_eq(pl_word_of(pl_log_method_words, _PL_LOG_METHOD_N), "unknown");
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

        ck_assert(pl_json_put(o, "a", json_true()) && pl_json_put_number(o, "c", PL_UNLIMITED) &&
                  pl_json_put_number(o, "d", 7) && pl_json_put_number(o, "e", UINT64_MAX - 1));
        ck_assert(!pl_json_put(o, "g", NULL));
        text = json_dumps(o, JSON_COMPACT);
        ck_assert_str_eq(text, "{\"a\":true,\"c\":null,\"d\":7,\"e\":9223372036854775807}");
        free(text);
        json_decref(o);
}
END_TEST

static const struct {
        const char *template, *what, *unit; /* unit NULL: refused */
} name_rows[] = {
        { "plimsoll-alert@%s.service", "postgres", "plimsoll-alert@postgres.service" },
        { "plimsoll-alert@%s.service", "ml-db_1.x", "plimsoll-alert@ml\\x2ddb_1.x.service" },
        { "plimsoll-alert@%s.service", ".x/y z", "plimsoll-alert@\\x2ex-y\\x20z.service" },
        { "page.target", "postgres", "page.target" },
        { "a%%b.service", "x", NULL }, /* a unit's name holds no per cent sign */
        { "%s", "postgres", NULL },
        { "x@%i.service", "postgres", NULL },
        { "x y.service", "postgres", NULL },
        { "../x.service", "postgres", NULL },
        { ".service", "postgres", NULL },
        { "", "postgres", NULL },
};

START_TEST(name_expand) {
        _cleanup_free_ char *unit = NULL;
        int r;

        r = pl_unit_name_expand(name_rows[_i].template, name_rows[_i].what, &unit);
        ck_assert_msg(r == (name_rows[_i].unit ? 0 : -EINVAL), "%s: %d", name_rows[_i].template, r);
        ck_assert_msg(pl_streq_null(unit, name_rows[_i].unit), "%s, %s: got %s",
                      name_rows[_i].template, name_rows[_i].what, unit);
}
END_TEST

START_TEST(name_too_long) {
        char what[300], *unit;

        memset(what, 'a', sizeof(what) - 1);
        what[sizeof(what) - 1] = 0;
        ck_assert_int_eq(pl_unit_name_expand("x@%s.service", what, &unit), -EINVAL);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("base");

        tcase_add_loop_test(t, id, 0, PL_ARRAY_SIZE(ids));
        tcase_add_test(t, word);
        tcase_add_test(t, strv);
        tcase_add_test(t, json);
        tcase_add_loop_test(t, name_expand, 0, PL_ARRAY_SIZE(name_rows));
        tcase_add_test(t, name_too_long);
        return run_case(t);
}
