/* SPDX-License-Identifier: Apache-2.0 */

/* A line cut down while it arrives is still an event, and the same one, however it is cut into
 * pieces on the way. */

#include "lib/docker/answer.h"
#include "lib/docker/trim.h"

#include "unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD \
        "{\"Type\":\"container\",\"Action\":\"%s\",\"Actor\":{\"ID\":\"" ID "\",\"Attributes\":{"
#define TAIL  "\"name\":\"web\"}},\"scope\":\"local\",\"timeNano\":1700000000000000001}"
#define PIECE 7

/* @unit is repeated; @n: bytes of all of them. */
static const struct {
        const char *name, *action, *before, *unit;
        size_t n;
        const char *after;
        size_t left; /* at most; 0: as it was */
} rows[] = {
        { "short", "die", "\"exitCode\":\"3\",", "", 0, "", 0 },
        { "a label of 1 MB", "die", "\"exitCode\":\"3\",\"l\":\"", "x", MIB(1), "\",", KIB(25) },
        { "… before what is needed", "die", "\"a\":\"", "x", MIB(1), "\",\"exitCode\":\"3\",",
          KIB(25) },
        { "… in a name", "die", "\"exitCode\":\"3\",\"", "x", MIB(1), "\":\"l\",", KIB(25) },
        { "… of escapes", "die", "\"exitCode\":\"3\",\"l\":\"", "\\\\\\\"\\u003c}", MIB(1), "\",",
          KIB(25) },
        { "… of pairs of escapes", "die", "\"exitCode\":\"3\",\"l\":\"", "\\ud83d\\ude00,", MIB(1),
          "\",", KIB(25) },
        { "… of three bytes a letter", "die", "\"exitCode\":\"3\",\"l\":\"", "€ €", MIB(1), "\",",
          KIB(25) },
        { "a thousand labels", "die", "\"exitCode\":\"3\",", "\"a\":\"0123456789abcdef\",", KIB(30),
          "", 0 },
        { "all too many", "die", "\"exitCode\":\"3\",", "\"a\":\"0123456789abcdef\",", MIB(2), "",
          KIB(130) },
        { "… from the first on", "die", "", "\"a\":\"0123456789abcdef\",", MIB(2),
          "\"exitCode\":\"3\",", KIB(130) },
        { "… with values that are none", "die", "\"exitCode\":\"3\",", "\"a\":{\"b\":[1,2,{}]},",
          MIB(2), "", KIB(130) },
        { "a new container's label", "create", "\"l\":\"", "x", MIB(1), "\",\"image\":\"i:1\",",
          KIB(25) },
        { "a new container's labels", "create", "\"app\":\"a\",", "\"b\":\"0123456789abcdef\",",
          MIB(2), "\"image\":\"i:1\",", KIB(130) },
};

static char *text_of(int i, size_t *ret_size) {
        size_t n_units = rows[i].n > 0 ? rows[i].n / strlen(rows[i].unit) : 0;
        char *text = NULL;
        FILE *f = open_memstream(&text, ret_size);

        (void)fprintf(f, HEAD "%s", rows[i].action, rows[i].before);
        while (n_units-- > 0)
                (void)fputs(rows[i].unit, f);
        (void)fprintf(f, "%s" TAIL, rows[i].after);
        (void)fclose(f);
        return text;
}

static void check_event(const char *name, const char *line, size_t size) {
        PlEvent e;
        int r = pl_docker_parse_event(line, size, &e);

        ck_assert_msg(r == 0, "%s: %d in %.*s", name, r, (int)PL_MIN(size, (size_t)300), line);
        ck_assert_str_eq(e.id, ID);
        ck_assert_msg(strcmp(e.name, "web") == 0, "%s: %s", name, e.name);
        ck_assert_uint_eq(e.time_nsec, UINT64_C(1700000000000000001));
        if (e.action == PL_EVENT_DIE)
                ck_assert_msg(e.exit_code == 3, "%s: %d", name, e.exit_code);
        else
                ck_assert_str_eq(e.born->image, "i:1");
        pl_event_deinit(&e);
}

START_TEST(trims) {
        size_t size, left, done = 0;
        char *whole = text_of(_i, &size), *pieces = malloc(size);
        const char *name = rows[_i].name;
        PlTrim t = { 0 };

        memcpy(pieces, whole, size);
        left = pl_trim(&t, whole, 0, size);
        if (rows[_i].left == 0)
                ck_assert_msg(left == size && memcmp(whole, pieces, size) == 0, "%s", name);
        else
                ck_assert_msg(left <= rows[_i].left, "%s: %zu", name, left);
        check_event(name, whole, left);
        t = (PlTrim){ 0 };
        for (size_t at = 0; at < size; at += PIECE) {
                size_t n = PL_MIN(size - at, (size_t)PIECE);

                memmove(pieces + done, pieces + at, n);
                done = pl_trim(&t, pieces, done, done + n);
        }
        ck_assert_msg(done == left && memcmp(pieces, whole, left) == 0, "%s: in pieces", name);
        free(pieces);
        free(whole);
}
END_TEST

/* What is no event is nobody's to mend. */
START_TEST(leaves_others) {
        char text[] = "]]}}{,\"\\", same[] = "]]}}{,\"\\";
        PlTrim t = { 0 };

        ck_assert_uint_eq(pl_trim(&t, text, 0, strlen(same)), strlen(same));
        ck_assert_str_eq(text, same);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("trim");

        tcase_add_loop_test(t, trims, 0, (int)PL_ARRAY_SIZE(rows));
        tcase_add_test(t, leaves_others);
        return run_case(t);
}
