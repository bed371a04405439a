/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Part: what follows for a service when the one that it is part of runs anew, row by row.
 */

#include "lib/health/part.h"

#include "unit.h"

#define AT(sec) (1790000000 * PL_USEC_PER_SEC + (sec)*PL_USEC_PER_SEC)
/* It has run since 100; the other one since 10. */
#define RUNS       .runs = true, .started_usec = AT(100), .named = true
#define KEYED      RUNS, .keyed = true, .n = 1
#define GUEST      RUNS, .guest = true, .n = 1
#define STEADY     .created_usec = AT(1), .started_usec = AT(10), .runs = true, .judged = true
#define ANEW       .created_usec = AT(1), .finished_usec = AT(200), .started_usec = AT(201), .runs = true
#define OTHER(...) .other = { __VA_ARGS__ }

/* clang-format off */
static const struct {
        const char *name;
        PlPartFacts facts;
        PlPart what;
        const char *says; /* NULL: nothing */
} rows[] = {
        { "nothing beside it", { RUNS }, PL_PART_NONE, NULL },
        { "no key, no network", { RUNS, .n = 1, OTHER(ANEW, .healthy = true, .judged = true) }, PL_PART_NONE, NULL },
        { "as ever", { KEYED, OTHER(STEADY, .healthy = true) }, PL_PART_NONE, NULL },
        { "restarted, healthy", { KEYED, OTHER(ANEW, .healthy = true, .judged = true) }, PL_PART_RESTART,
          "vpn-1, which it is part of (PartOf=), was restarted and is healthy" },
        { "restarted, healthy, in its network", { GUEST, .keyed = true, OTHER(ANEW, .healthy = true, .judged = true) },
          PL_PART_RESTART, "was restarted and is healthy" },
        { "restarted, not healthy yet", { KEYED, OTHER(ANEW, .judged = true) }, PL_PART_WAIT, NULL },
        { "restarted, nobody knows whether it is up", { KEYED, OTHER(ANEW) }, PL_PART_BLIND,
          "give [Service vpn] a Probe= or a healthcheck; `docker restart web-1` ends it now" },
        { "ended, not back", { KEYED, OTHER(.created_usec = AT(1), .started_usec = AT(10), .finished_usec = AT(200)) },
          PL_PART_NONE, NULL },
        { "restarted before it began", { KEYED, OTHER(.created_usec = AT(1), .finished_usec = AT(90), .started_usec = AT(91),
                                                    .runs = true, .healthy = true, .judged = true) }, PL_PART_NONE, NULL },
        { "both came back with the host, it first", { KEYED, OTHER(.created_usec = AT(1), .finished_usec = AT(50),
                                                    .started_usec = AT(120), .runs = true, .healthy = true, .judged = true) },
          PL_PART_NONE, NULL },
        { "it was restarted since", { .runs = true, .started_usec = AT(202), .named = true, .keyed = true, .n = 1,
                                      OTHER(ANEW, .healthy = true, .judged = true) }, PL_PART_NONE, NULL },
        { "it does not run", { .started_usec = AT(100), .named = true, .keyed = true, .n = 1,
                               OTHER(ANEW, .healthy = true, .judged = true) }, PL_PART_NONE, NULL },
        { "its start is not known", { .runs = true, .keyed = true, .n = 1, OTHER(ANEW, .healthy = true, .judged = true) },
          PL_PART_NONE, NULL },
        { "another container", { KEYED, OTHER(.created_usec = AT(150), .started_usec = AT(151), .runs = true,
                                              .healthy = true, .judged = true) }, PL_PART_NEW,
          "made after it began; where it holds on to the one before, `docker compose -p shop up -d --force-recreate web`" },
        { "another container, restarted since", { KEYED, OTHER(.created_usec = AT(150), .finished_usec = AT(160),
                                              .started_usec = AT(161), .runs = true, .healthy = true, .judged = true) },
          PL_PART_NEW, "made after it began" },
        { "another container, made and not started", { KEYED, OTHER(.created_usec = AT(150)) }, PL_PART_NONE, NULL },
        { "one of three restarted", { RUNS, .keyed = true, .n = 3, OTHER(ANEW, .healthy = true, .judged = true) },
          PL_PART_MANY, "one of several containers of [Service vpn]" },
        { "none of three restarted", { RUNS, .keyed = true, .n = 3, OTHER(STEADY, .healthy = true) }, PL_PART_NONE, NULL },
        { "its network's container is gone", { RUNS, .guest = true, .gone = true }, PL_PART_GONE,
          "could not be started again: `docker compose -p shop up -d --force-recreate web` ends that" },
        { "… with the key", { RUNS, .guest = true, .gone = true, .keyed = true }, PL_PART_GONE, "could not be started again" },
        { "… and it does not run", { .guest = true, .gone = true, .started_usec = AT(100) }, PL_PART_NONE, NULL },
        { "a shared network without the key", { GUEST, OTHER(STEADY, .healthy = true) }, PL_PART_NO_KEY,
          "add PartOf=vpn to [Service web]" },
        { "… and no section to write it into", { .runs = true, .started_usec = AT(100), .guest = true, .n = 1,
                                                 OTHER(STEADY, .healthy = true) }, PL_PART_NONE, NULL },
        { "left behind without the key", { GUEST, OTHER(ANEW, .healthy = true, .judged = true) }, PL_PART_LEFT,
          "`docker restart web-1` ends that; next time PartOf=vpn in [Service web] does it" },
        { "a shared network with the key", { GUEST, .keyed = true, OTHER(STEADY, .healthy = true) }, PL_PART_NONE, NULL },
        { "a network of a container under no section", { RUNS, .guest = true }, PL_PART_NONE, NULL },
};
/* clang-format on */

START_TEST(table) {
        const PlPartNames names = { "web-1", "web", "vpn-1", "vpn", "shop", "web" };
        PlPart what = pl_part(&rows[_i].facts);
        char text[PL_PART_TEXT_MAX];

        ck_assert_msg(what == rows[_i].what, "%s: %d", rows[_i].name, what);
        (void)pl_part_describe(what, &names, text);
        ck_assert_msg(rows[_i].says ? strstr(text, rows[_i].says) != NULL : !*text, "%s: \"%s\"",
                      rows[_i].name, text);
}
END_TEST

/* Long names cut nothing but the end. */
START_TEST(long_names) {
        char name[64], text[PL_PART_TEXT_MAX];
        const PlPartNames names = { name, name, name, name, name, name };

        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        for (PlPart p = 0; p < _PL_PART_N; p++) {
                size_t n = strlen(pl_part_describe(p, &names, text));

                ck_assert_msg(n < PL_PART_TEXT_MAX - 1, "%d: %zu", p, n);
                ck_assert(pl_part_is_told(p) ? n > 0 : true);
        }
}
END_TEST

int main(void) {
        TCase *t = tcase_create("part");

        tcase_add_loop_test(t, table, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, long_names);
        return run_case(t);
}
