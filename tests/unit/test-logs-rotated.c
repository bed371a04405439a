/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container whose log the engine rotates itself is removed: all that the engine had of it is
 * archived, once and in order.
 */
#include <poll.h>

#include "logs-fixture.h"
#include "service-manager.h"

static unsigned said;

static void say(unsigned n) {
        FILE *f = fopen(log_path, "ae");

        for (unsigned i = 0; i < n; i++)
                fprintf(f,
                        "{\"log\":\"line %4u\\n\",\"stream\":\"stdout\","
                        "\"time\":\"2026-01-02T03:04:05Z\"}\n",
                        ++said);
        ck_assert_int_eq(fclose(f), 0);
}

/* In the container's directory, with $L as the live log. */
static void shell(const char *command) {
        _cleanup_free_ char *all = NULL;

        ck_assert_int_ge(asprintf(&all, "cd %s/" ID " && L=" ID "-json.log; %s", tmp, command), 0);
        ck_assert_int_eq(system(all), 0);
}

/* As the engine does with max-file=3. */
static void rotate_natively(void) {
        shell("rm -f $L.2 $L.2.gz; for s in '' .gz; do [ ! -e $L.1$s ] || mv $L.1$s $L.2$s; done; "
              "mv $L $L.1; : >$L");
}

enum {
        ALL_UNLINKED,
        AT_ONCE,       /* after a rotation that nobody has seen */
        PARTLY,        /* it begins while the last rotation is looked at */
        PACKED,        /* just now */
        PACKED_BEFORE, /* and rotated once more */
        PACKING,       /* what is packed is not whole yet */
        BROKEN,        /* a packed one is damaged */
        BEFORE_US      /* all was there when plimsolld came */
};

static const struct {
        const char *name;
        int how;
        unsigned rotations; /* of 100 lines each; 10 more follow */
        PlLogKeep keep;
        uint64_t max_size;
        unsigned first, last; /* lines that are archived; 0: none */
        bool dropped;         /* and that is said */
} native_removals[] = {
        { "never rotated", ALL_UNLINKED, 0, 0, MIB(1), 1, 10, false },
        { "once", ALL_UNLINKED, 1, 0, MIB(1), 1, 110, false },
        { "as often as files are kept", ALL_UNLINKED, 2, 0, MIB(1), 1, 210, false },
        { "more often", ALL_UNLINKED, 6, 0, MIB(1), 401, 610, false },
        { "rotated and removed at once", AT_ONCE, 2, 0, MIB(1), 1, 300, false },
        { "rotated, and partly removed", PARTLY, 1, 0, MIB(1), 1, 210, false },
        { "packed", PACKED, 2, 0, MIB(1), 1, 210, false },
        { "packed before", PACKED_BEFORE, 1, 0, MIB(1), 1, 210, false },
        { "while it is packed", PACKING, 2, 0, MIB(1), 1, 210, false },
        { "a packed one is damaged", BROKEN, 1, 0, MIB(1), 101, 210, true },
        { "before plimsolld", BEFORE_US, 2, 0, MIB(1), 1, 210, false },
        { "bounded", ALL_UNLINKED, 2, 0, 35 * 70, 141, 210, true },
        { "LogKeep=no", ALL_UNLINKED, 2, PL_LOG_KEEP_NO, MIB(1), 0, 0, false },
        { "no LogMaxSize=", ALL_UNLINKED, 2, 0, PL_UNLIMITED, 0, 0, false },
        { "LogKeep=yes", ALL_UNLINKED, 2, PL_LOG_KEEP_YES, PL_UNLIMITED, 1, 210, false },
};

/* The lines of all archives are first to last, each once and in order. */
static bool archived_are(unsigned first, unsigned last) {
        _cleanup_free_ char *command = NULL;

        ck_assert_int_ge(asprintf(&command,
                                  "zstdcat %s/front/*.zst 2>/dev/null | sed 's/.*line *//; "
                                  "s/[^0-9].*//' | cmp -s - /dev/fd/3 3<<END\n$([ %u = 0 ] || seq "
                                  "%u %u)\nEND",
                                  archive, first, first, last),
                         0);
        return system(command) == 0 || (first == 0 && lines_archived() == 0);
}

static void end_natively(int how) {
        if (how == AT_ONCE) {
                say(100);
                rotate_natively();
        }
        if (how == PARTLY) {
                say(100);
                rotate_natively();
                shell("rm $L.1"); /* nobody has looked yet */
        }
        if (how == PACKED || how == PACKED_BEFORE || how == BROKEN) {
                shell("gzip $L.1");
                (void)loop(50);
        }
        if (how == BROKEN)
                shell("printf XXXXXXXXXXXXXXXXXXXX | dd of=$L.1.gz bs=1 seek=120 conv=notrunc "
                      "2>/dev/null");
        if (how == PACKED_BEFORE || how == BROKEN) {
                say(100);
                rotate_natively();
                (void)loop(50);
        }
        if (how == PACKING)
                shell("gzip -c $L.1 | head -c 50 >$L.1.gz");
        say(10);
        if (how != AT_ONCE) /* these ten are in a file that nobody has seen */
                (void)loop(50);
}

static PlPair options[] = { { (char *)"max-size", (char *)"10k" },
                            { (char *)"max-file", (char *)"3" } };

START_TEST(rotated_by_the_engine) {
        static PlPolicy p = { .n_ref = 99, .daemon.log_archive_budget_bytes = PL_UNLIMITED };
        int how = native_removals[_i].how;
        PlLogStatus s;

        container.log.options = options;
        container.log.n_options = PL_ARRAY_SIZE(options);
        policy.keep = native_removals[_i].keep;
        policy.max_size_bytes = native_removals[_i].max_size;
        policy.max_files = 1;
        said = 0;
        pl_logs_set_policy(logs, &p, false);
        say(0);
        if (how != BEFORE_US)
                update(28);
        for (unsigned i = 0; i < native_removals[_i].rotations; i++) {
                say(100);
                rotate_natively();
                (void)loop(50);
        }
        if (how == BEFORE_US)
                update(28);
        end_natively(how);
        ck_assert(pl_logs_status(logs, ID, &s));
        ck_assert(how == AT_ONCE || s.size_bytes < 1000); /* of those ten */
        remove_directory();
        pl_logs_remove(logs, ID, true);
        (void)loop(300);
        LOOP_UNTIL(archived_are(native_removals[_i].first, native_removals[_i].last));
        LOOP_UNTIL(is_forgotten());
        ck_assert_msg(n_dropped_said == native_removals[_i].dropped, "%s: %u",
                      native_removals[_i].name, n_dropped_said);
        ck_assert_uint_eq(n_findings, 0);
}
END_TEST

static bool keep_none(void *userdata, const char *id) {
        return false;
}

static bool keep_all(void *userdata, const char *id) {
        return true;
}

/* It ends and comes again, and its container is removed meanwhile, or not. */
enum { GOES, GOES_KILLED, STAYS };

START_TEST(kept_over_a_restart) {
        static PlService front = { .name = (char *)"front" };
        static PlService *services[] = { &front };
        static PlPolicy p = { .n_ref = 99,
                              .services = services,
                              .n_services = 1,
                              .daemon.log_archive_budget_bytes = PL_UNLIMITED };
        ServiceManager m;
        char notify[140];

        logs = pl_logs_free(logs);
        snprintf(notify, sizeof(notify), "%s/notify", tmp);
        manage(&m, notify);
        container.log.options = options;
        container.log.n_options = PL_ARRAY_SIZE(options);
        policy.max_size_bytes = MIB(1);
        front.log = policy;
        said = 0;
        make_logs();
        pl_logs_set_policy(logs, &p, false);
        say(100);
        update(28);
        rotate_natively();
        say(100);
        shell("gzip $L.1");
        rotate_natively();
        (void)loop(50);
        say(10);
        hear(&m);
        ck_assert_uint_eq(m.n_numbered, 0); /* nothing as long as it runs */
        logs = pl_logs_free(logs);
        hear(&m);
        ck_assert_uint_eq(m.n_numbered, 3);
        ck_assert_int_lt(m.fd, 0);
        if (_i != STAYS)
                remove_directory();
        for (int again = _i == GOES_KILLED; again >= 0; again--) {
                pass(&m);
                make_logs();
                pl_logs_set_policy(logs, &p, false);
                if (_i == STAYS)
                        update(28);
                pl_logs_prune(logs, _i == STAYS ? keep_all : keep_none, NULL);
                if (again) { /* the job is done, and nobody has heard of it */
                        for (unsigned i = 0; i < 3000 && !archived_are(1, 210); i++)
                                (void)poll(NULL, 0, 10);
                        logs = pl_logs_free(logs);
                }
        }
        (void)loop(300);
        if (_i != STAYS)
                LOOP_UNTIL(is_forgotten());
        LOOP_UNTIL(archived_are(_i == STAYS ? 0 : 1, _i == STAYS ? 0 : 210));
        hear(&m);
        ck_assert_uint_eq(m.n_numbered, 0);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_loop_test(c, rotated_by_the_engine, 0, PL_ARRAY_SIZE(native_removals));
        tcase_add_loop_test(c, kept_over_a_restart, 0, 3);
        return run_case(c);
}
