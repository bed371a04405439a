/* SPDX-License-Identifier: Apache-2.0 */

/* What a slice is told, and is given back, whatever happens in between; and what is said of it. */

#include "lib/limits/protection.h"

#include <errno.h>

#include "unit.h"

#define LEAVE  PL_PROTECTION_LEAVE
#define KEEP   PL_PROTECTION_KEEP
#define TELL   PL_PROTECTION_TELL
#define FORGET PL_PROTECTION_FORGET

/* One look each: what the kernel has, what is asked for, may it be raised, is it told again; the
 * step and, where it tells, the value. */
typedef struct Look {
        uint64_t in_force, asked;
        bool raise, again;
        PlProtectionStep step;
        uint64_t told;
} Look;

static const struct {
        const char *name;
        Look looks[7];
        unsigned n;
} rows[] = {
        { "nobody may raise it", { { 0, 300, false, true, LEAVE, 0 } }, 1 },
        { "nobody asks", { { 0, 0, true, true, LEAVE, 0 } }, 1 },
        { "it has enough of its own", { { 400, 300, true, true, LEAVE, 0 } }, 1 },
        { "it protects everything", { { PL_UNLIMITED, 300, true, true, LEAVE, 0 } }, 1 },
        { "raised, kept, given back",
          { { 0, 300, true, false, TELL, 300 },
            { 0, 300, true, false, LEAVE, 0 },
            { 300, 300, true, true, KEEP, 0 },
            { 300, 0, true, false, TELL, 0 },
            { 0, 0, true, false, KEEP, 0 },
            { 0, 0, true, true, FORGET, 0 },
            { 0, 0, true, true, LEAVE, 0 } },
          7 },
        { "given back to what it had",
          { { 100, 300, true, false, TELL, 300 }, { 300, 300, false, false, TELL, 100 } },
          2 },
        { "never below its own",
          { { 100, 300, true, false, TELL, 300 }, { 300, 50, true, false, TELL, 100 } },
          2 },
        { "the sum grows while the kernel has the old one",
          { { 0, 200, true, false, TELL, 200 },
            { 200, 300, true, false, TELL, 300 },
            { 200, 300, true, false, LEAVE, 0 },
            { 300, 0, true, false, TELL, 0 } },
          4 },
        { "systemd has not taken it: again at the sweep",
          { { 0, 200, true, false, TELL, 200 },
            { 0, 200, true, false, LEAVE, 0 },
            { 0, 200, true, true, TELL, 200 } },
          3 },
        { "a reboot takes it away",
          { { 0, 200, true, false, TELL, 200 },
            { 200, 200, true, true, KEEP, 0 },
            { 200, 200, true, true, LEAVE, 0 },
            { 0, 200, true, true, TELL, 200 } },
          4 },
        { "a reboot takes away what a person set for one run of the host",
          { { 0, 200, true, false, TELL, 200 },
            { 200, 200, true, false, KEEP, 0 },
            { 100, 200, true, true, TELL, 200 },
            { 0, 200, true, true, TELL, 200 },
            { 200, 0, true, false, TELL, 0 } },
          5 },
        { "a person sets more: it is theirs",
          { { 0, 200, true, false, TELL, 200 },
            { 999, 200, true, false, TELL, 999 },
            { 999, 200, true, true, FORGET, 0 } },
          3 },
        { "a person sets less: raised again, and their value is what it goes back to",
          { { 100, 300, true, false, TELL, 300 },
            { 300, 300, true, true, KEEP, 0 },
            { 150, 300, true, false, KEEP, 0 },
            { 150, 300, true, true, TELL, 300 },
            { 300, 300, false, false, TELL, 150 } },
          5 },
        { "stopped while it is on its way",
          { { 0, 200, true, false, TELL, 200 }, { 0, 200, false, false, TELL, 0 } },
          2 },
};

START_TEST(steps) {
        PlProtection p = { 0 };

        for (unsigned i = 0; i < rows[_i].n; i++) {
                const Look *l = &rows[_i].looks[i];
                PlProtectionStep step;

                p.in_force = l->in_force;
                p.asked = l->asked;
                step = pl_protection_step(&p, l->raise, l->again);
                ck_assert_msg(step == l->step, "%s: look %u: step %d", rows[_i].name, i, step);
                if (step == TELL)
                        ck_assert_msg(p.told == l->told, "%s: look %u: told %" PRIu64,
                                      rows[_i].name, i, p.told);
        }
}
END_TEST

static const struct {
        const char *name, *path;
        unsigned i;
        PlProtection p;
        const char *text; /* NULL: none */
} texts[] = {
        { "nothing",
          "system.slice",
          1,
          { .in_force = 0, .asked = GIB(2), .n = 3 },
          "MemoryLow= of 3 containers: no effect: system.slice protects nothing; `systemctl "
          "set-property system.slice MemoryLow=2G` ends it, and so does ProtectSlice=yes" },
        { "less",
          "a.slice/a-b.slice",
          0,
          { .in_force = MIB(100), .asked = MIB(200), .n = 1 },
          "MemoryMin= of 1 container, 200M together: less effect: a-b.slice protects 100M in all; "
          "`systemctl set-property a-b.slice MemoryMin=200M` ends it, and so does "
          "ProtectSlice=yes" },
        { "no slice",
          "docker",
          1,
          { .in_force = 0, .asked = MIB(1), .n = 1 },
          "MemoryLow= of 1 container: no effect: docker protects nothing; `echo 1048576 "
          ">/sys/fs/cgroup/docker/memory.low` ends it" },
        { "all of it",
          "docker",
          1,
          { .in_force = 0, .asked = PL_UNLIMITED, .n = 1 },
          "MemoryLow= of 1 container: no effect: docker protects nothing; `echo max "
          ">/sys/fs/cgroup/docker/memory.low` ends it" },
        { "enough", "system.slice", 1, { .in_force = 300, .asked = 300, .n = 3 }, NULL },
        { "nobody asks", "system.slice", 1, { .in_force = 0, .asked = 0 }, NULL },
};

START_TEST(says) {
        _cleanup_free_ char *text = NULL;
        int r = pl_protection_text(&texts[_i].p, texts[_i].i, texts[_i].path, &text);

        ck_assert_msg(r == (texts[_i].text != NULL), "%s: %d", texts[_i].name, r);
        ck_assert_pstr_eq(text, texts[_i].text);
}
END_TEST

START_TEST(asks) {
        PlProtection p = { 0 };

        pl_protection_ask(&p, 0);
        ck_assert_uint_eq(p.n, 0);
        pl_protection_ask(&p, 5);
        pl_protection_ask(&p, 7);
        ck_assert_uint_eq(p.asked, 12);
        pl_protection_ask(&p, PL_UNLIMITED);
        pl_protection_ask(&p, 7);
        ck_assert_uint_eq(p.asked, PL_UNLIMITED);
        ck_assert_uint_eq(p.n, 4);
}
END_TEST

START_TEST(groups_above) {
        static const struct {
                const char *path, *above;
        } paths[] = {
                { "docker-1.scope", "" },
                { "system.slice/docker-1.scope", "system.slice|" },
                { "a.slice/a-b.slice/docker-1.scope", "a.slice|a.slice/a-b.slice|" },
                { "docker/1", "docker|" },
        };

        for (size_t i = 0; i < PL_ARRAY_SIZE(paths); i++) {
                char found[128] = "";

                for (size_t n = 0; (n = pl_protection_next_above(paths[i].path, n)) > 0;)
                        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%.*s|",
                                 (int)n, paths[i].path);
                ck_assert_str_eq(found, paths[i].above);
        }
        ck_assert_str_eq(pl_protection_unit("a.slice/a-b.slice"), "a-b.slice");
        ck_assert_ptr_null(pl_protection_unit("docker"));
        ck_assert_ptr_null(pl_protection_unit("x/.slice"));
}
END_TEST

START_TEST(is_kept) {
        const PlProtection of[] = {
                { .ours = false, .own = 9 },
                { .ours = true, .own = 1, .told = PL_UNLIMITED, .told_before = 3 }
        };
        const PlProtection none[PL_PROTECTIONS_N] = { 0 };
        PlProtection back[PL_PROTECTIONS_N] = { 0 };
        _cleanup_free_ char *line = pl_protection_format("a.slice/a-b.slice", of), *path = NULL,
                            *empty = pl_protection_format("a.slice", none);

        ck_assert_str_eq(empty, "");
        ck_assert_int_eq(pl_protection_parse(line, &path, back), 0);
        ck_assert_str_eq(path, "a.slice/a-b.slice");
        ck_assert(!back[0].ours && back[1].ours);
        ck_assert_uint_eq(back[1].own, 1);
        ck_assert_uint_eq(back[1].told, PL_UNLIMITED);
        ck_assert_uint_eq(back[1].told_before, 3);
}
END_TEST

START_TEST(broken_lines) {
        static const char *const lines[] = {
                "",
                "a.slice",
                "MemoryLow=1,2 a.slice",
                "MemoryLow=1,2,3",
                "MemoryLow=1,2,3 ",
                "MemoryLow=1,2,3 /etc",
                "MemoryLow=1,2,3 a/../../b",
                "MemoryLow=1,2,3 a b",
                "MemoryMax=1,2,3 a",
        };

        for (size_t i = 0; i < PL_ARRAY_SIZE(lines); i++) {
                PlProtection of[PL_PROTECTIONS_N];
                char *path = NULL;

                ck_assert_msg(pl_protection_parse(lines[i], &path, of) == -EBADMSG, "%s", lines[i]);
                ck_assert_ptr_null(path);
        }
}
END_TEST

int main(void) {
        TCase *t = tcase_create("protection");

        tcase_add_loop_test(t, steps, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, says, 0, PL_ARRAY_SIZE(texts));
        tcase_add_test(t, asks);
        tcase_add_test(t, groups_above);
        tcase_add_test(t, is_kept);
        tcase_add_test(t, broken_lines);
        return run_case(t);
}
