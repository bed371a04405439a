/* SPDX-License-Identifier: Apache-2.0 */

/* Which service a container is of. Rows with the same number are one service, all others differ. */

#include "lib/docker/identity.h"

#include "unit.h"

#define P  "com.docker.compose.project="
#define S  "com.docker.compose.service="
#define N  "com.docker.compose.container-number="
#define H  "com.docker.compose.config-hash="
#define O  "com.docker.compose.oneoff="
#define V  "com.docker.compose.version="
#define SW "com.docker.swarm.service.name="

#define LONG60 "a23456789b123456789c123456789d123456789e123456789f1234567890"
#define LONG   LONG60 LONG60 LONG60

static const struct {
        const char *name;
        int service;
        const char *section, *container;
        const char *labels[7];
        const char *title;
} rows[] = {
        /* compose */
        { "compose 2",
          1,
          "web",
          "shop-web-1",
          { P "shop", S "web", N "1", O "False" },
          "shop/web" },
        { "scaled: the second", 1, "web", "shop-web-2", { P "shop", S "web", N "2" }, "shop/web" },
        { "scaled: the eleventh",
          1,
          "web",
          "shop-web-11",
          { P "shop", S "web", N "11" },
          "shop/web" },
        { "compose 1 names", 1, "web", "shop_web_1", { P "shop", S "web", N "1" }, "shop/web" },
        { "recreated, the new one before it has its name",
          1,
          "web",
          "0123456789ab_shop-web-1",
          { P "shop", S "web", N "1", H "abc" },
          "shop/web" },
        { "recreated with another configuration",
          1,
          "web",
          "shop-web-1",
          { P "shop", S "web", N "1", H "def", V "2.40.3" },
          "shop/web" },
        { "renamed by a person",
          1,
          "web",
          "the-old-one",
          { P "shop", S "web", N "1" },
          "shop/web" },
        { "container_name: in the file",
          1,
          "web",
          "web",
          { P "shop", S "web", N "1" },
          "shop/web" },
        { "the two labels, given by hand", 1, "web", "byhand", { P "shop", S "web" }, "shop/web" },
        { "no name yet", 1, "web", NULL, { P "shop", S "web", N "1" }, "shop/web" },
        { "another service", 2, "web", "shop-db-1", { P "shop", S "db", N "1" }, "shop/db" },
        { "another project, the same service",
          3,
          "web",
          "blog-web-1",
          { P "blog", S "web", N "1" },
          "blog/web" },
        { "another section", 4, "front", "shop-web-1", { P "shop", S "web", N "1" }, "shop/web" },
        { "[Defaults]", 5, NULL, "shop-web-1", { P "shop", S "web", N "1" }, "shop/web" },
        { "… or none", 5, "", "shop-web-2", { P "shop", S "web", N "2" }, "shop/web" },
        { "where one name ends counts", 6, NULL, "a-b-c-1", { P "a-b", S "c", N "1" }, "a-b/c" },
        { "… there, too", 7, NULL, "a-b-c-1", { P "a", S "b-c", N "1" }, "a/b-c" },
        { "letters differ", 8, NULL, "shop-Web-1", { P "shop", S "Web", N "1" }, "shop/Web" },
        /* one-off runs */
        { "docker compose run",
          9,
          "web",
          "shop-web-run-0123456789ab",
          { P "shop", S "web", O "True", N "1" },
          "shop/web run" },
        { "another run of it",
          9,
          "web",
          "shop-web-run-ba9876543210",
          { P "shop", S "web", O "True", N "1" },
          "shop/web run" },
        { "compose 1 run",
          9,
          "web",
          "shop_web_run_5f4e3d2c1b0a",
          { P "shop", S "web", O "True" },
          "shop/web run" },
        { "run --name", 9, "web", "migrate", { P "shop", S "web", O "True" }, "shop/web run" },
        { "a service that is called run",
          10,
          "web",
          "shop-web-run-1",
          { P "shop", S "web-run", O "False", N "1" },
          "shop/web-run" },
        { "a run without labels", 11, NULL, "shop-web-run-0123456789ab", { NULL }, "shop-web-run" },
        { "another one", 11, NULL, "shop-web-run-aaaaaaaaaaaa", { NULL }, "shop-web-run" },
        { "of compose 1", 12, NULL, "shop_web_run_0123456789ab", { NULL }, "shop_web_run" },
        { "eleven digits are a name",
          13,
          NULL,
          "shop-web-run-0123456789a",
          { NULL },
          "shop-web-run-0123456789a" },
        { "no digits",
          14,
          NULL,
          "shop-web-run-deadbeefcafz",
          { NULL },
          "shop-web-run-deadbeefcafz" },
        { "nothing before it", 15, NULL, "run-0123456789ab", { NULL }, "run-0123456789ab" },
        { "not a run",
          16,
          NULL,
          "shop-web-fun-0123456789ab",
          { NULL },
          "shop-web-fun-0123456789ab" },
        { "rerun", 17, NULL, "shop-rerun-0123456789ab", { NULL }, "shop-rerun-0123456789ab" },
        /* an image that compose has built bears its labels */
        { "docker run of an image of compose",
          18,
          NULL,
          "trial",
          { P "shop", S "web", V "2.40.3" },
          "trial" },
        { "… another one of it", 19, NULL, "trial2", { P "shop", S "web", V "2.40.3" }, "trial2" },
        { "compose without the labels of its version",
          5,
          NULL,
          "shop-web-1",
          { P "shop", S "web", V "2.40.3", H "x" },
          "shop/web" },
        /* half of it is nothing */
        { "a project alone", 20, NULL, "x", { P "shop" }, "x" },
        { "a service alone", 20, NULL, "x", { S "web" }, "x" },
        { "empty labels", 20, NULL, "x", { P "", S "", SW "" }, "x" },
        /* swarm */
        { "a swarm task",
          21,
          "web",
          "stack_web.1.h5w6o7a8f9q0r1s2t3u4v5w6x",
          { SW "stack_web" },
          "stack_web" },
        { "its next one",
          21,
          "web",
          "stack_web.1.aaaaaaaaaaaaaaaaaaaaaaaaa",
          { SW "stack_web" },
          "stack_web" },
        { "its second",
          21,
          "web",
          "stack_web.2.bbbbbbbbbbbbbbbbbbbbbbbbb",
          { SW "stack_web" },
          "stack_web" },
        { "compose goes before swarm",
          1,
          "web",
          "x",
          { P "shop", S "web", SW "stack_web" },
          "shop/web" },
        { "a swarm service called as a run",
          22,
          NULL,
          "x",
          { SW "a-run-0123456789ab" },
          "a-run-0123456789ab" },
        /* names alone */
        { "docker run --name", 23, NULL, "redis", { NULL }, "redis" },
        { "… recreated", 23, NULL, "redis", { "maintainer=x" }, "redis" },
        { "… renamed: nothing tells", 24, NULL, "redis-old", { NULL }, "redis-old" },
        { "a name that the engine made up", 25, NULL, "silly_newton", { NULL }, "silly_newton" },
        { "numbers of names are names", 26, NULL, "redis-2", { NULL }, "redis-2" },
        { "… of a section", 27, "redis", "redis", { NULL }, "redis" },
        { "a section and a name that look like another", 28, "shop", "db", { NULL }, "db" },
        { "… that one", 29, NULL, "shop.db", { NULL }, "shop.db" },
        /* hostile */
        { "a path", 30, NULL, "x", { P "../../etc", S "passwd", N "1" }, "../../etc/passwd" },
        { "white space and controls",
          31,
          NULL,
          "x",
          { P "a b", S "c\n\x1b[1m", N "1" },
          "a b/c\n\x1b[1m" },
        { "what cleans to the same", 32, NULL, "x", { P "a_b", S "c___1m", N "1" }, "a_b/c___1m" },
        { "long", 33, LONG, LONG "1", { NULL }, NULL },
        { "long, and differs at its end", 34, LONG, LONG "2", { NULL }, NULL },
        { "long labels", 35, LONG, "x", { P LONG, S LONG "1", O "True" }, NULL },
        { "long labels that differ", 36, LONG, "x", { P LONG, S LONG "2", O "True" }, NULL },
        { "no name, no labels", 0, "web", NULL, { NULL }, NULL },
        { "an empty name", 0, "web", "", { "maintainer=x" }, NULL },
};

static int compare(const void *a, const void *b) {
        return strcmp(((const PlPair *)a)->key, ((const PlPair *)b)->key);
}

static bool identify(size_t i, PlIdentity *ret) {
        PlContainer c = { .name = (char *)rows[i].container };
        char text[7][512];
        PlPair pairs[7];

        c.labels = pairs;
        for (; c.n_labels < 7 && rows[i].labels[c.n_labels]; c.n_labels++) {
                char *s = text[c.n_labels], *equal;

                ck_assert(strlen(rows[i].labels[c.n_labels]) < sizeof(text[0]));
                strcpy(s, rows[i].labels[c.n_labels]);
                equal = strchr(s, '=');
                *equal = '\0';
                pairs[c.n_labels] = (PlPair){ .key = s, .value = equal + 1 };
        }
        qsort(pairs, c.n_labels, sizeof(PlPair), compare);
        return pl_identity_of(rows[i].section, &c, ret);
}

static void assert_file_name(const char *row, const char *s) {
        ck_assert_msg(*s && *s != '.' && strlen(s) < 200, "%s: '%s'", row, s);
        ck_assert_msg(s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_-.")] == '\0',
                      "%s: '%s'", row, s);
}

START_TEST(identity) {
        const char *name = rows[_i].name;
        PlIdentity id = { 0 }, other;

        ck_assert_msg(identify((size_t)_i, &id) == (rows[_i].service > 0), "%s", name);
        if (rows[_i].service == 0) {
                ck_assert_str_eq(id.key, "");
                return;
        }
        ck_assert_msg(!rows[_i].title || pl_streq(id.title, rows[_i].title), "%s: title '%s'", name,
                      id.title);
        assert_file_name(name, id.key);
        assert_file_name(name, id.origin);
        for (size_t i = 0; i < PL_ARRAY_SIZE(rows); i++)
                if (rows[i].service > 0 && identify(i, &other))
                        ck_assert_msg(pl_streq(id.key, other.key) ==
                                                      (rows[i].service == rows[_i].service),
                                      "%s and %s: %s, %s", name, rows[i].name, id.key, other.key);
}
END_TEST

/* Files on disk bear them: a change would make plimsoll forget. */
static const struct {
        const char *row, *key, *origin;
} stable[] = {
        { "compose 2", "web.shop-web-5f974e8335ec7ea1", "shop-web-96e8ab6f223df9e5" },
        { "[Defaults]", "shop-web-96e8ab6f223df9e5", "shop-web-96e8ab6f223df9e5" },
        { "docker compose run", "web.shop-web-run-9b7b99e695e74d74",
          "shop-web-run-05772c9e13f60760" },
        { "a swarm task", "web.stack_web-8afe3adbeca17dc2", "stack_web-63d81a63a4a4e2de" },
        { "docker run --name", "redis-a4d9fef8f05b343c", "redis-a4d9fef8f05b343c" },
        { "a path", "_._.._etc-passwd-30aae2e165324dcd", "_._.._etc-passwd-30aae2e165324dcd" },
};

START_TEST(keys_are_stable) {
        PlIdentity id;
        size_t i = 0;

        while (!pl_streq(rows[i].name, stable[_i].row))
                i++;
        ck_assert(identify(i, &id));
        ck_assert_str_eq(id.key, stable[_i].key);
        ck_assert_str_eq(id.origin, stable[_i].origin);
}
END_TEST

START_TEST(sections_of_one_origin) {
        PlIdentity a, b;

        ck_assert(identify(0, &a) && identify(12, &b));
        ck_assert_str_ne(a.key, b.key);
        ck_assert_str_eq(a.origin, b.origin);
}
END_TEST

static const struct {
        const char *label;
        unsigned number;
} numbers[] = {
        { "1", 1 },  { "12", 12 }, { NULL, 0 }, { "", 0 },      { "0", 0 },
        { "-1", 0 }, { "1x", 0 },  { " 1", 0 }, { "70000", 0 }, { "99999999999999999999999", 0 },
};

START_TEST(number) {
        PlPair label = { (char *)"com.docker.compose.container-number",
                         (char *)(numbers[_i].label ?: "") };
        PlContainer c = { .labels = &label, .n_labels = numbers[_i].label ? 1 : 0 };

        ck_assert_uint_eq(pl_identity_number(&c), numbers[_i].number);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("identity");

        tcase_add_loop_test(t, identity, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, keys_are_stable, 0, PL_ARRAY_SIZE(stable));
        tcase_add_test(t, sections_of_one_origin);
        tcase_add_loop_test(t, number, 0, PL_ARRAY_SIZE(numbers));
        return run_case(t);
}
