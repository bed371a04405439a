/* SPDX-License-Identifier: Apache-2.0 */
/* Where containers may appear, by the engine's setting and by a directory's name. */

#include "lib/limits/parent.h"
#include "unit.h"

static const struct {
        const char *setting, *path; /* NULL: cannot be told */
} settings[] = {
        { NULL, NULL },
        { "", NULL },
        { "/", "" },
        { "/docker", "docker" },
        { "/a/b", "a/b" },
        { "//a//b///", "a/b" },
        { "/a/./b/.", "a/b" },
        { "/a/../../etc", NULL },
        { "/..", NULL },
        { "/..a/b..", "..a/b.." },
        { "/a.slice", "a.slice" },
        { "/a.slice/a-b.slice", "a.slice/a-b.slice" },
        { "a", NULL },
        { "a/b", NULL },
        { "../a", NULL },
        { "a/b.slice", NULL },
        { "a.slice", "a.slice" },
        { "a-b.slice", "a.slice/a-b.slice" },
        { "a-b-c.slice", "a.slice/a-b.slice/a-b-c.slice" },
        { "long-er.slice", "long.slice/long-er.slice" },
        { "-.slice", "" },
        { "-a.slice", NULL },
        { "a-.slice", NULL },
        { "a--b.slice", NULL },
        { ".slice", NULL },
        { "slice", NULL },
        { "a.slice:docker:b", NULL },
};

START_TEST(of_setting) {
        const char *path = settings[_i].path;
        _cleanup_free_ char *got = NULL;
        int r = pl_parent_of_setting(settings[_i].setting, &got);

        ck_assert_msg(r == (path ? 1 : 0), "\"%s\": %d", settings[_i].setting, r);
        ck_assert_msg(pl_streq_null(got, path), "\"%s\": %s, not %s", settings[_i].setting, got,
                      path);
}
END_TEST

static const struct {
        const char *name;
        bool may;
} names[] = {
        { "docker", true },
        { "libpod_parent", true },
        { "machine.slice", true },
        { "a-b.slice", true },
        { "plimsoll-4711", true },
        { "init.scope", false },
        { "docker.service", false },
        { "docker-0123.scope", false },
        { "dbus.socket", false },
        { "dev-mqueue.mount", false },
        { "dev-sda2.swap", false },
        { "user.slice", true },
        { "service", true },
        { ".service", false },
        { ".", false },
        { "..", false },
        { "", false },
};

START_TEST(may_be) {
        ck_assert_msg(pl_parent_may_be(names[_i].name) == names[_i].may, "\"%s\"", names[_i].name);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("parent");

        tcase_add_loop_test(t, of_setting, 0, PL_ARRAY_SIZE(settings));
        tcase_add_loop_test(t, may_be, 0, PL_ARRAY_SIZE(names));
        return run_case(t);
}
