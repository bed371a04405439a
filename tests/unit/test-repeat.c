/* SPDX-License-Identifier: Apache-2.0 */

/* One line for what is said of many: gathered, counted, and rarer the more often it comes. */

#include <errno.h>

#include "lib/base/id.h"
#include "lib/status/repeat.h"
#include "unit.h"

#define MSEC PL_USEC_PER_MSEC
#define SEC  PL_USEC_PER_SEC
#define T0   (1000 * SEC)

static PlRepeats *r;
static PlRepeat line;

static void setup(void) {
        r = pl_repeats_new();
        ck_assert_ptr_nonnull(r);
}

static void teardown(void) {
        r = pl_repeats_free(r);
}

static void say(const char *name, const char *text, uint64_t now) {
        const PlRepeat what = { .message_id = "m",
                                .priority = 5,
                                .name = name,
                                .id = name,
                                .service = "s",
                                .text = text };

        ck_assert_int_eq(pl_repeats_add(r, &what, now), 0);
}

static const struct {
        const char *name, *who, *text;
        unsigned n;
} rows[] = {
        { "one keeps its name", "a", "no", 1 },
        { "two", "a b", "2 containers (a and b): no", 2 },
        { "three", "a b c", "3 containers (a, b and c): no", 3 },
        { "many", "a b c d e f g", "7 containers (a, b, c and 4 more): no", 7 },
        { "one again and again", "a a a a", "no", 1 },
        { "two again and again", "a b a b a", "2 containers (a and b): no", 2 },
};

START_TEST(gathered) {
        _cleanup_free_ char *who = strdup(rows[_i].who);
        char *save = NULL;

        for (char *w = strtok_r(who, " ", &save); w; w = strtok_r(NULL, " ", &save))
                say(w, "no", T0);
        ck_assert_uint_eq(pl_repeats_due(r), T0 + PL_REPEAT_GATHER_USEC);
        ck_assert(!pl_repeats_take(r, T0, &line));
        ck_assert(pl_repeats_take(r, T0 + PL_REPEAT_GATHER_USEC, &line));
        ck_assert_msg(pl_streq(line.text, rows[_i].text), "%s: %s", rows[_i].name, line.text);
        ck_assert_uint_eq(line.n, rows[_i].n);
        ck_assert(pl_streq_null(line.name, rows[_i].n == 1 ? "a" : NULL));
        ck_assert(pl_streq_null(line.service, rows[_i].n == 1 ? "s" : NULL));
        ck_assert_str_eq(line.message_id, "m");
        ck_assert(!pl_repeats_take(r, UINT64_MAX, &line));
        ck_assert_uint_eq(pl_repeats_due(r), 0);
}
END_TEST

START_TEST(causes_are_apart) {
        say("a", "no", T0);
        say("a", "never", T0);
        ck_assert(pl_repeats_take(r, UINT64_MAX, &line));
        ck_assert(pl_repeats_take(r, UINT64_MAX, &line));
        ck_assert(!pl_repeats_take(r, UINT64_MAX, &line));
}
END_TEST

/* The engine's words name the container that it was asked about. */
START_TEST(the_id_is_no_cause) {
        char id[PL_ID_MAX] = { 0 }, text[2 * PL_ID_MAX + 40];

        for (char c = 'a'; c <= 'f'; c++) {
                memset(id, c, PL_ID_MAX - 1);
                (void)snprintf(text, sizeof(text), "no (Cannot update container %s: /x/%s.scope)",
                               id, id);
                say(id, text, T0);
        }
        ck_assert(pl_repeats_take(r, UINT64_MAX, &line));
        ck_assert_uint_eq(line.n, 6);
        ck_assert_ptr_nonnull(strstr(line.text, "): no (Cannot update container …: /x/….scope)"));
        ck_assert(!pl_repeats_take(r, UINT64_MAX, &line));
}
END_TEST

/* Told once per container, until the cause has rested. */
START_TEST(once_per_container) {
        say("a", "no", T0);
        ck_assert(pl_repeats_take(r, T0 + SEC, &line));
        say("a", "no", T0 + 9 * SEC);
        ck_assert_uint_eq(pl_repeats_due(r), 0);
        say("b", "no", T0 + 9 * SEC);
        ck_assert(pl_repeats_take(r, T0 + 10 * SEC, &line));
        ck_assert_str_eq(line.name, "b");
        say("a", "no", T0 + 9 * SEC + PL_REPEAT_REST_USEC + SEC);
        ck_assert_uint_gt(pl_repeats_due(r), 0);
}
END_TEST

/* Ten thousand new containers in an hour, all with the same fault. */
START_TEST(flooded) {
        unsigned lines = 0, told = 0;

        for (unsigned i = 0; i < 10000; i++) {
                uint64_t now = T0 + i * 360 * MSEC;
                char name[16];

                (void)snprintf(name, sizeof(name), "c%u", i);
                say(name, "no", now);
                while (pl_repeats_take(r, now, &line)) {
                        lines++;
                        told += line.n;
                }
        }
        while (pl_repeats_take(r, UINT64_MAX, &line)) {
                lines++;
                told += line.n;
        }
        ck_assert_uint_eq(told, 10000);
        ck_assert_msg(lines <= 9, "%u lines", lines);
}
END_TEST

/* More causes than there is room for: what waits is kept, the rest is to be told at once. */
START_TEST(bounded) {
        char text[16];

        for (unsigned i = 0; i < PL_REPEAT_CAUSES_MAX; i++) {
                (void)snprintf(text, sizeof(text), "no %u", i);
                say("a", text, T0);
        }
        ck_assert_int_eq(pl_repeats_add(r, &(PlRepeat){ .id = "a", .name = "a", .text = "more" },
                                        T0),
                         -ENOSPC);
        ck_assert(pl_repeats_take(r, T0 + SEC, &line));
        say("a", "more", T0 + SEC);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("repeat");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, the_id_is_no_cause);
        tcase_add_loop_test(t, gathered, 0, (int)PL_ARRAY_SIZE(rows));
        tcase_add_test(t, causes_are_apart);
        tcase_add_test(t, once_per_container);
        tcase_add_test(t, flooded);
        tcase_add_test(t, bounded);
        return run_case(t);
}
