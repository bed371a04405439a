/* SPDX-License-Identifier: Apache-2.0 */

/* Which files make a policy: three places, drop-ins by name, masks, and clear words when none does.
 */

#include "policy-load.h"

#include <errno.h>
#include <fcntl.h>

#include "tmp.h"

#include "lib/policy/parser.h"

#define MAIN(mem)   "[Service a]\nMatch=name:a\nMemoryMax=" mem "\n"
#define DROPIN(mem) "[Service a]\nMemoryMax=" mem "\n"
#define NULL_LINK   "->/dev/null"

static void setup(void) {
        tmp_make("/tmp");
}

/* "->TARGET" makes a link. */
static void put(const char *path, const char *content) {
        char full[512];

        tmp_put(path, content);
        if (!pl_startswith(content, "->"))
                return;
        (void)snprintf(full, sizeof(full), "%s/%s", tmp, path);
        ck_assert_int_eq(unlink(full), 0);
        ck_assert_int_eq(symlink(content + 2, full), 0);
}

#define ETC "etc/plimsoll/plimsoll.conf"
#define RUN "run/plimsoll/plimsoll.conf"
#define USR "usr/lib/plimsoll/plimsoll.conf"

static const struct {
        const char *name;
        const char *files[8]; /* path, content, … */
        int r;
        uint64_t memory;
        const char *message; /* part of some message */
} rows[] = {
        { "main alone", { ETC, MAIN("64M") }, 0, MIB(64), NULL },
        { "vendor's main", { USR, MAIN("64M") }, 0, MIB(64), NULL },
        { "etc before run before usr",
          { USR, MAIN("1G"), RUN, MAIN("2G"), ETC, MAIN("64M") },
          0,
          MIB(64),
          NULL },
        { "a drop-in wins",
          { ETC, MAIN("64M"), ETC ".d/10-a.conf", DROPIN("65M") },
          0,
          MIB(65),
          NULL },
        { "the last name wins, wherever it is",
          { ETC, MAIN("64M"), ETC ".d/10-a.conf", DROPIN("65M"), USR ".d/20-b.conf",
            DROPIN("66M") },
          0,
          MIB(66),
          NULL },
        { "etc masks usr of the same name",
          { ETC, MAIN("64M"), ETC ".d/20-b.conf", DROPIN("65M"), USR ".d/20-b.conf",
            DROPIN("66M") },
          0,
          MIB(65),
          NULL },
        { "a link to /dev/null masks",
          { ETC, MAIN("64M"), ETC ".d/20-b.conf", NULL_LINK, USR ".d/20-b.conf", DROPIN("66M") },
          0,
          MIB(64),
          NULL },
        { "other endings do not count",
          { ETC, MAIN("64M"), ETC ".d/20-b.conf~", DROPIN("66M") },
          0,
          MIB(64),
          NULL },
        { "hidden ones do not count",
          { ETC, MAIN("64M"), ETC ".d/.20-b.conf", DROPIN("66M") },
          0,
          MIB(64),
          NULL },
        { "no policy at all", { "etc/other", "" }, -EBADMSG, 0, "no such policy" },
        { "a folder in its place", { ETC "/x", "" }, -EBADMSG, 0, "Cannot be read" },
        { "a drop-in that leads nowhere",
          { ETC, MAIN("64M"), ETC ".d/a.conf", "->/nowhere/at/all" },
          -EBADMSG,
          0,
          "a.conf: A link to /nowhere/at/all, where nothing is" },
        { "a directory among the drop-ins",
          { ETC, MAIN("64M"), ETC ".d/a.conf/x", "", ETC ".d/b.conf", DROPIN("65M") },
          0,
          MIB(65),
          "a.conf: warning: A directory, which is no drop-in" },
        { "an error in a drop-in names it",
          { ETC, MAIN("64M"), ETC ".d/a.conf", DROPIN("much") },
          -EBADMSG,
          0,
          "plimsoll.conf.d/a.conf:2: " },
};

START_TEST(load) {
        const PlHost host = { GIB(16), 4, 4096 };
        PlDiagList diags = { 0 };
        PlPolicy *policy = NULL;
        bool found = false;
        int r;

        for (size_t i = 0; i + 1 < PL_ARRAY_SIZE(rows[_i].files) && rows[_i].files[i]; i += 2)
                put(rows[_i].files[i], rows[_i].files[i + 1]);
        r = pl_policy_load(tmp, "/etc/plimsoll/plimsoll.conf", &host, &diags, &policy);
        ck_assert_msg(r == rows[_i].r, "%s: %d", rows[_i].name, r);
        for (size_t i = 0; i < diags.n; i++) {
                _cleanup_free_ char *line = pl_diag_format(&diags.items[i]);

                found |= rows[_i].message && strstr(line, rows[_i].message);
        }
        ck_assert_msg(!rows[_i].message || found, "%s: message not found", rows[_i].name);
        if (r >= 0)
                ck_assert_msg(policy->services[0]->limits.v[PL_RESOURCE_MEMORY_MAX].number ==
                                              rows[_i].memory,
                              "%s", rows[_i].name);
        pl_policy_unref(policy);
        pl_diag_list_deinit(&diags);
}
END_TEST

START_TEST(outside_etc) {
        const PlHost host = { GIB(16), 4, 4096 };
        PlDiagList diags = { 0 };
        PlPolicy *policy = NULL;
        char file[256];

        put("my.conf", MAIN("64M"));
        put("my.conf.d/x.conf", DROPIN("65M"));
        put(USR ".d/x.conf", DROPIN("66M"));
        (void)snprintf(file, sizeof(file), "%s/my.conf", tmp);
        ck_assert_int_eq(pl_policy_load(NULL, file, &host, &diags, &policy), 0);
        ck_assert_uint_eq(policy->services[0]->limits.v[PL_RESOURCE_MEMORY_MAX].number, MIB(65));
        ck_assert_str_eq(policy->files[0], file);
        pl_policy_unref(policy);
        pl_diag_list_deinit(&diags);
}
END_TEST

/* Sections that gain limits are told once, where an older version was at work before. */
START_TEST(inherits_newly) {
        ck_assert(!pl_policy_inherits_newly("/nowhere"));
        put("containers/.x", "");
        ck_assert(!pl_policy_inherits_newly(tmp)); /* a new installation */
        put("containers/0123", "{}");
        ck_assert(pl_policy_inherits_newly(tmp));
        ck_assert_int_eq(pl_policy_inherits_noted(tmp), 0);
        ck_assert(!pl_policy_inherits_newly(tmp));
        ck_assert_int_eq(pl_policy_inherits_noted(tmp), 0);
}
END_TEST

START_TEST(host) {
        PlHost h = { 0 };

        put("meminfo", "MemTotal:       16384 kB\nMemFree: 1 kB\n");
        ck_assert_int_eq(pl_host_read(tmp, &h), 0);
        ck_assert_uint_eq(h.memory_bytes, MIB(16));
        ck_assert_uint_ge(h.n_cpus, 1);
        ck_assert_uint_ge(h.page_bytes, 4096);
        put("meminfo", "garbage\n");
        ck_assert_int_eq(pl_host_read(tmp, &h), -EBADMSG);
        ck_assert_int_eq(pl_host_read("/nowhere", &h), -ENOENT);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("policy-load");

        tcase_add_checked_fixture(t, setup, tmp_remove);
        tcase_add_loop_test(t, load, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, outside_etc);
        tcase_add_test(t, inherits_newly);
        tcase_add_test(t, host);
        return run_case(t);
}
