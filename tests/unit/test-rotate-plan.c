/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every decision about a log as a table: the method, the cut, the recovery, what to drop, when to
 * look again.
 */
#include <errno.h>

#include "lib/logs/rotate-plan.h"
#include "unit.h"

static const PlRotateProbe xfs = { { [PL_LOG_METHOD_REFLINK] = 4096,
                                     [PL_LOG_METHOD_COLLAPSE] = 4096,
                                     [PL_LOG_METHOD_PUNCH] = 4096 } };
static const PlRotateProbe btrfs = {
        { [PL_LOG_METHOD_REFLINK] = 4096, [PL_LOG_METHOD_PUNCH] = 4096 }
};
static const PlRotateProbe ext4 = {
        { [PL_LOG_METHOD_COLLAPSE] = 4096, [PL_LOG_METHOD_PUNCH] = 4096 }
};
static const PlRotateProbe bigalloc = {
        { [PL_LOG_METHOD_COLLAPSE] = 65536, [PL_LOG_METHOD_PUNCH] = 4096 }
};
static const PlRotateProbe tmpfs = { { [PL_LOG_METHOD_PUNCH] = 4096 } };
static const PlRotateProbe nothing = { { 0 } };

#define LOG(e, r, w, p)                                                                       \
        {                                                                                     \
                .engine_major = (e), .driver = "json-file", .has_path = true, .running = (r), \
                .wanted = PL_LOG_METHOD_##w, .probe = (p)                                     \
        }

/* clang-format off */
static const struct {
        const char *name;
        PlRotateFacts facts;
        PlLogMethod method;
        PlRotateWhy why;
        uint64_t align;
} choices[] = {
        { "xfs 20", LOG(20, true, AUTO, &xfs), PL_LOG_METHOD_REFLINK, PL_ROTATE_WHY_OK, 4096 },
        { "xfs 26", LOG(26, true, AUTO, &xfs), PL_LOG_METHOD_REFLINK, PL_ROTATE_WHY_OK, 4096 },
        { "btrfs 28", LOG(28, true, AUTO, &btrfs), PL_LOG_METHOD_REFLINK, PL_ROTATE_WHY_OK, 4096 },
        { "ext4 20", LOG(20, true, AUTO, &ext4), PL_LOG_METHOD_COLLAPSE, PL_ROTATE_WHY_OK, 4096 },
        { "ext4 22", LOG(22, true, AUTO, &bigalloc), PL_LOG_METHOD_COLLAPSE, PL_ROTATE_WHY_OK,
          65536 },
        { "ext4 23", LOG(23, true, AUTO, &ext4), PL_LOG_METHOD_OFF, PL_ROTATE_WHY_SPARED, 0 },
        { "ext4 26", LOG(26, true, AUTO, &ext4), PL_LOG_METHOD_OFF, PL_ROTATE_WHY_SPARED, 0 },
        { "ext4 26 stopped", LOG(26, false, AUTO, &ext4), PL_LOG_METHOD_COLLAPSE, PL_ROTATE_WHY_OK,
          4096 },
        { "xfs 26 stopped", LOG(26, false, AUTO, &xfs), PL_LOG_METHOD_COLLAPSE, PL_ROTATE_WHY_OK,
          4096 },
        { "btrfs stopped", LOG(26, false, AUTO, &btrfs), PL_LOG_METHOD_REFLINK, PL_ROTATE_WHY_OK,
          4096 },
        { "tmpfs 20", LOG(20, true, AUTO, &tmpfs), PL_LOG_METHOD_OFF, PL_ROTATE_WHY_SPARED, 0 },
        { "tmpfs 26", LOG(26, true, AUTO, &tmpfs), PL_LOG_METHOD_OFF, PL_ROTATE_WHY_SPARED, 0 },
        { "tmpfs 26 stopped", LOG(26, false, AUTO, &tmpfs), PL_LOG_METHOD_OFF,
          PL_ROTATE_WHY_SPARED, 0 },
        { "unable", LOG(26, true, AUTO, &nothing), PL_LOG_METHOD_OFF, PL_ROTATE_WHY_UNABLE, 0 },
        { "collapse wanted, 26 running", LOG(26, true, COLLAPSE, &ext4), PL_LOG_METHOD_OFF,
          PL_ROTATE_WHY_UNSAFE, 0 },
        { "collapse wanted, 26 stopped", LOG(26, false, COLLAPSE, &ext4), PL_LOG_METHOD_COLLAPSE,
          PL_ROTATE_WHY_OK, 4096 },
        { "collapse wanted on xfs 20", LOG(20, true, COLLAPSE, &xfs), PL_LOG_METHOD_COLLAPSE,
          PL_ROTATE_WHY_OK, 4096 },
        { "collapse wanted on btrfs", LOG(20, true, COLLAPSE, &btrfs), PL_LOG_METHOD_OFF,
          PL_ROTATE_WHY_UNABLE, 0 },
        { "reflink wanted on ext4", LOG(20, true, REFLINK, &ext4), PL_LOG_METHOD_OFF,
          PL_ROTATE_WHY_UNABLE, 0 },
        { "reflink wanted, stopped", LOG(26, false, REFLINK, &xfs), PL_LOG_METHOD_REFLINK,
          PL_ROTATE_WHY_OK, 4096 },
        { "punch wanted on xfs", LOG(26, true, PUNCH, &xfs), PL_LOG_METHOD_PUNCH,
          PL_ROTATE_WHY_HOLES, 4096 },
        { "punch wanted on ext4", LOG(28, true, PUNCH, &ext4), PL_LOG_METHOD_PUNCH,
          PL_ROTATE_WHY_HOLES, 4096 },
        { "punch wanted on tmpfs", LOG(20, true, PUNCH, &tmpfs), PL_LOG_METHOD_PUNCH,
          PL_ROTATE_WHY_HOLES, 4096 },
        { "punch wanted, and cannot be", LOG(28, true, PUNCH, &nothing), PL_LOG_METHOD_OFF,
          PL_ROTATE_WHY_UNABLE, 0 },
        { "off", LOG(20, true, OFF, &ext4), PL_LOG_METHOD_OFF, PL_ROTATE_WHY_OFF, 0 },
        { "engine unknown", LOG(0, true, AUTO, &xfs), PL_LOG_METHOD_OFF,
          PL_ROTATE_WHY_ENGINE_UNKNOWN, 0 },
        { "not probed", LOG(20, true, AUTO, NULL), PL_LOG_METHOD_OFF, PL_ROTATE_WHY_NOT_PROBED, 0 },
        { "native",
          { .engine_major = 20,
            .driver = "json-file",
            .native_max_size = true,
            .has_path = true,
            .running = true,
            .probe = &xfs },
          PL_LOG_METHOD_OFF,
          PL_ROTATE_WHY_NATIVE,
          0 },
        { "local",
          { .engine_major = 20,
            .driver = "local",
            .has_path = true,
            .running = true,
            .probe = &xfs },
          PL_LOG_METHOD_OFF,
          PL_ROTATE_WHY_DRIVER,
          0 },
        { "journald",
          { .engine_major = 20, .driver = "journald", .running = true, .probe = &xfs },
          PL_LOG_METHOD_OFF,
          PL_ROTATE_WHY_DRIVER,
          0 },
        { "no driver",
          { .engine_major = 20, .has_path = true, .probe = &xfs },
          PL_LOG_METHOD_OFF,
          PL_ROTATE_WHY_DRIVER,
          0 },
        { "no path",
          { .engine_major = 20, .driver = "json-file", .probe = &xfs },
          PL_LOG_METHOD_OFF,
          PL_ROTATE_WHY_NO_FILE,
          0 },
        { "podman",
          { .engine_major = 20,
            .podman = true,
            .driver = "json-file",
            .has_path = true,
            .probe = &xfs },
          PL_LOG_METHOD_OFF,
          PL_ROTATE_WHY_PODMAN,
          0 },
};
/* clang-format on */

START_TEST(choose) {
        PlRotateChoice c = pl_rotate_choose(&choices[_i].facts);

        ck_assert_msg(c.method == choices[_i].method && c.why == choices[_i].why &&
                                      c.align_bytes == choices[_i].align,
                      "%s: method %d, why '%s', align %" PRIu64, choices[_i].name, c.method,
                      pl_rotate_why_info(c.why)->text, c.align_bytes);
        ck_assert(pl_rotate_why_info(c.why)->finding ==
                  (c.why == PL_ROTATE_WHY_UNABLE || c.why == PL_ROTATE_WHY_UNSAFE ||
                   c.why == PL_ROTATE_WHY_HOLES || c.why == PL_ROTATE_WHY_SPARED));
}
END_TEST

/* A hole breaks the engine's own readers: nothing makes one but a policy that says so. */
START_TEST(never_punches_unasked) {
        static const PlRotateProbe *const probes[] = { &xfs,      &btrfs, &ext4,
                                                       &bigalloc, &tmpfs, &nothing };

        for (unsigned e = 1; e < 40; e++)
                for (unsigned w = 0; w < _PL_LOG_METHOD_N; w++)
                        for (size_t p = 0; p < 2 * PL_ARRAY_SIZE(probes); p++) {
                                PlRotateFacts f = LOG(e, p & 1, AUTO, probes[p / 2]);

                                f.wanted = (PlLogMethod)w;
                                ck_assert(pl_rotate_choose(&f).method != PL_LOG_METHOD_PUNCH ||
                                          f.wanted == PL_LOG_METHOD_PUNCH);
                        }
}
END_TEST

/* The rule that must hold whatever else changes: no shrinking under a live writer of 23 or later.
 */
START_TEST(never_shrinks_under_a_new_engine) {
        static const PlRotateProbe *const probes[] = { &xfs, &btrfs, &ext4, &bigalloc, &tmpfs };

        for (unsigned e = 23; e < 40; e++)
                for (unsigned w = 0; w < _PL_LOG_METHOD_N; w++)
                        for (size_t p = 0; p < PL_ARRAY_SIZE(probes); p++) {
                                PlRotateFacts f = LOG(e, true, AUTO, probes[p]);

                                f.wanted = (PlLogMethod)w;
                                ck_assert_int_ne(pl_rotate_choose(&f).method,
                                                 PL_LOG_METHOD_COLLAPSE);
                        }
}
END_TEST

/* clang-format off */
static const struct {
        const char *name;
        uint64_t head, mark, k, align;
        PlLogMethod method;
        int r;
        uint64_t a;
} places[] = {
        { "first", 0, 0, 10000, 4096, PL_LOG_METHOD_COLLAPSE, 0, 8192 },
        { "no room for the marker in its block", 0, 0, 8192 + 47, 4096, PL_LOG_METHOD_COLLAPSE, 0,
          4096 },
        { "just room", 0, 0, 8192 + 48, 4096, PL_LOG_METHOD_COLLAPSE, 0, 8192 },
        { "cut on a block", 0, 0, 8192, 4096, PL_LOG_METHOD_COLLAPSE, 0, 4096 },
        { "too small", 0, 0, 4000, 4096, PL_LOG_METHOD_COLLAPSE, -ENODATA, 0 },
        { "one block and a bit", 0, 0, 4100, 4096, PL_LOG_METHOD_COLLAPSE, -ENODATA, 0 },
        { "tiny", 0, 0, 10, 4096, PL_LOG_METHOD_PUNCH, -ENODATA, 0 },
        { "empty", 0, 0, 0, 4096, PL_LOG_METHOD_PUNCH, -ENODATA, 0 },
        { "cut at head", 9000, 8192, 9000, 4096, PL_LOG_METHOD_PUNCH, -ENODATA, 0 },
        { "cut before head", 9000, 8192, 8999, 4096, PL_LOG_METHOD_PUNCH, -ENODATA, 0 },
        { "nothing new to punch", 9000, 8192, 12288 + 10, 4096, PL_LOG_METHOD_PUNCH, -ENODATA, 0 },
        { "a block to punch", 9000, 8192, 12288 + 90, 4096, PL_LOG_METHOD_PUNCH, 0, 12288 },
        { "collapse after collapse", 900, 0, 12288 + 90, 4096, PL_LOG_METHOD_COLLAPSE, 0, 12288 },
        { "clusters", 0, 0, 200000, 65536, PL_LOG_METHOD_COLLAPSE, 0, 196608 },
        { "below a cluster", 0, 0, 60000, 65536, PL_LOG_METHOD_COLLAPSE, -ENODATA, 0 },
};
/* clang-format on */

START_TEST(place) {
        PlRotateState s = { .head = places[_i].head, .mark = places[_i].mark };
        uint64_t a = 0;
        int r = pl_rotate_place(&s, places[_i].method, places[_i].k, places[_i].align, &a);

        ck_assert_msg(r == places[_i].r && a == places[_i].a, "%s: %d, a %" PRIu64, places[_i].name,
                      r, a);
}
END_TEST

#define CLEAN(h, m) \
        { .dev = 1, .ino = 2, .gen = 5, .head = (h), .mark = (m), .phase = PL_ROTATE_CLEAN }
#define INTENT(m)                                                                               \
        {                                                                                       \
                .dev = 1, .ino = 2, .gen = 5, .head = 9000, .mark = 8192,                       \
                .phase = PL_ROTATE_INTENT, .k = 70000, .a = 69632, .method = PL_LOG_METHOD_##m, \
                .print = 77                                                                     \
        }

/* read where it does not lie at its path: no marker */
#define TAKEN(h, p)                                                                            \
        {                                                                                      \
                .dev = 1, .ino = 2, .gen = 5, .head = (h), .mark = 0, .taken = true,           \
                .phase = PL_ROTATE_##p, .k = 70000, .method = PL_LOG_METHOD_PUNCH, .print = 77 \
        }

/* clang-format off */
static const struct {
        const char *name;
        PlRotateState state;
        PlRotateSeen seen;
        PlRotateRecovery recovery;
} recoveries[] = {
        { "new", CLEAN(0, 0), { 1, 2, 100 }, PL_ROTATE_GO_ON },
        { "marker stands", CLEAN(9000, 8192), { 1, 2, 9000, .gen_at_mark = 5 }, PL_ROTATE_GO_ON },
        { "other file", CLEAN(9000, 8192), { 1, 3, 9000, .gen_at_mark = 5 }, PL_ROTATE_RESET },
        { "other device", CLEAN(0, 0), { 2, 2, 9000 }, PL_ROTATE_RESET },
        { "truncated", CLEAN(9000, 8192), { 1, 2, 10 }, PL_ROTATE_RESET },
        { "truncated and grown", CLEAN(9000, 8192), { 1, 2, 90000 }, PL_ROTATE_RESET },
        { "marker of another generation",
          CLEAN(9000, 8192),
          { 1, 2, 90000, .gen_at_mark = 4 },
          PL_ROTATE_RESET },
        { "collapsed", INTENT(COLLAPSE), { 1, 2, 1000, .gen_at_zero = 6 }, PL_ROTATE_FINISH },
        { "not collapsed, marked",
          INTENT(COLLAPSE),
          { 1, 2, 80000, .gen_at_zero = 5, .gen_at_a = 6 },
          PL_ROTATE_REDO },
        { "not collapsed, not marked",
          INTENT(COLLAPSE),
          { 1, 2, 80000, .gen_at_zero = 5, .print = 77 },
          PL_ROTATE_REDO },
        { "reflink, marked", INTENT(REFLINK), { 1, 2, 80000, .gen_at_a = 6 }, PL_ROTATE_REDO },
        { "punch, not marked",
          INTENT(PUNCH),
          { 1, 2, 80000, .gen_at_mark = 5, .print = 77 },
          PL_ROTATE_REDO },
        { "a marker at zero is nothing to punch",
          INTENT(PUNCH),
          { 1, 2, 80000, .gen_at_zero = 6, .print = 77 },
          PL_ROTATE_REDO },
        { "intent, truncated", INTENT(PUNCH), { 1, 2, 500, .print = 77 }, PL_ROTATE_RESET },
        { "intent, truncated and grown",
          INTENT(COLLAPSE),
          { 1, 2, 80000, .print = 78 },
          PL_ROTATE_RESET },
        { "taken", TAKEN(9000, CLEAN), { 1, 2, 9000, .print = 77 }, PL_ROTATE_GO_ON },
        { "taken, nothing of it", TAKEN(0, CLEAN), { 1, 2, 9000, .print = 77 }, PL_ROTATE_GO_ON },
        { "taken, truncated", TAKEN(9000, CLEAN), { 1, 2, 8999, .print = 77 }, PL_ROTATE_RESET },
        { "taken, another file by now",
          TAKEN(9000, CLEAN),
          { 1, 2, 90000, .print = 78 },
          PL_ROTATE_RESET },
        { "taken, other file", TAKEN(9000, CLEAN), { 1, 3, 9000, .print = 77 }, PL_ROTATE_RESET },
        { "taken, committed", TAKEN(9000, INTENT), { 1, 2, 70000 }, PL_ROTATE_FINISH },
        { "taken, committed, truncated",
          TAKEN(9000, INTENT),
          { 1, 2, 69999, .print = 77 },
          PL_ROTATE_RESET },
        { "intent, other file",
          INTENT(COLLAPSE),
          { 1, 9, 80000, .gen_at_a = 6, .print = 77 },
          PL_ROTATE_RESET },
};
/* clang-format on */

START_TEST(recover) {
        PlRotateRecovery r = pl_rotate_recover(&recoveries[_i].state, &recoveries[_i].seen);

        ck_assert_msg(r == recoveries[_i].recovery, "%s: %d", recoveries[_i].name, r);
}
END_TEST

START_TEST(advance_and_reset) {
        PlRotateState c = INTENT(COLLAPSE), p = INTENT(PUNCH), i = INTENT(PUNCH), n = CLEAN(9, 0);

        pl_rotate_advance(&c);
        ck_assert(c.gen == 6 && c.head == 70000 - 69632 && c.mark == 0 &&
                  c.phase == PL_ROTATE_CLEAN);
        pl_rotate_advance(&p);
        ck_assert(p.gen == 6 && p.head == 70000 && p.mark == 69632 && p.phase == PL_ROTATE_CLEAN);
        pl_rotate_reset(&i, 7, 8);
        ck_assert(i.gen == 6 && i.head == 0 && i.dev == 7 && i.ino == 8 &&
                  i.phase == PL_ROTATE_CLEAN);
        pl_rotate_reset(&n, 7, 8);
        ck_assert(n.gen == 5 && n.head == 0 && n.mark == 0);
}
END_TEST

static const PlRetainRule three = { 3, PL_TIME_INFINITY }, day = { 0, PL_USEC_PER_DAY };

#define NOW   UINT64_C(10000000)
#define MONTH UINT64_C(2592000)

/* clang-format off */
static const struct {
        const char *name;
        uint64_t budget, need;
        const char *kept; /* gens, oldest first */
        uint64_t next;
        PlRetainEntry e[8];
        size_t n;
} retains[] = {
        { "nothing", PL_UNLIMITED, 0, "", PL_TIME_INFINITY, .n = 0 },
        { "count per group",
          PL_UNLIMITED,
          0,
          "2,3,9,4",
          PL_TIME_INFINITY,
          { { "a", &three, 1, 10, 5 },
            { "a", &three, 2, 20, 5 },
            { "a", &three, 4, 40, 5 },
            { "a", &three, 3, 30, 5 },
            { "b", &three, 9, 35, 5 } },
          5 },
        { "gone for a month: all of the group, after the last",
          PL_UNLIMITED,
          0,
          "3,5,6,4",
          NOW + 1,
          { { "a", &three, 1, 10, 5, .gone = true },
            { "a", NULL, 2, NOW - MONTH - 1, 5, .gone = true },
            { "b", &three, 3, 10, 5, .gone = true },
            { "b", NULL, 4, NOW - MONTH, 5, .gone = true },
            { "c", &three, 5, 10, 5 },
            { "d", NULL, 6, 10, 5 } },
          6 },
        { "gone, and an age of its own",
          PL_UNLIMITED,
          0,
          "2",
          NOW + 1,
          { { "a", &day, 1, NOW - 86401, 5, .gone = true },
            { "a", &day, 2, NOW - 86400, 5, .gone = true } },
          2 },
        { "age",
          PL_UNLIMITED,
          0,
          "2,3",
          NOW + 1,
          { { "a", &day, 1, NOW - 86401, 5 },
            { "a", &day, 2, NOW - 86400, 5 },
            { "a", &day, 3, NOW + 9, 5 } },
          3 },
        { "budget drops the oldest of all",
          12,
          0,
          "3,4",
          PL_TIME_INFINITY,
          { { "a", &three, 1, 10, 5 },
            { "b", NULL, 2, 20, 5 },
            { "a", &three, 3, 30, 6 },
            { "b", NULL, 4, 40, 6 } },
          4 },
        { "the largest gives first, however young it is",
          130,
          0,
          "1,2,5,6",
          PL_TIME_INFINITY,
          { { "a", &three, 1, 10, 5 },
            { "a", &three, 2, 20, 5 },
            { "flood", &three, 4, NOW - 30, 50 },
            { "flood", &three, 5, NOW - 20, 50 },
            { "flood", &three, 6, NOW - 10, 50 } },
          5 },
        { "a full disk: the largest, too",
          PL_UNLIMITED,
          50,
          "1,5",
          PL_TIME_INFINITY,
          { { "a", &three, 1, 10, 5 },
            { "flood", &three, 4, NOW - 30, 50 },
            { "flood", &three, 5, NOW - 20, 50 } },
          3 },
        { "the last of a group stays as long as others have more than one",
          110,
          0,
          "1,4",
          PL_TIME_INFINITY,
          { { "a", &three, 1, 10, 100 },
            { "b", &three, 2, 20, 10 },
            { "b", &three, 3, 30, 10 },
            { "b", &three, 4, 40, 10 } },
          4 },
        { "each has but one: the oldest of all",
          12,
          0,
          "2",
          PL_TIME_INFINITY,
          { { "a", &three, 1, 10, 5 }, { "b", &three, 2, 20, 10 } },
          2 },
        { "count first, then budget",
          15,
          0,
          "2,3,4",
          PL_TIME_INFINITY,
          { { "a", &three, 1, 10, 5 },
            { "a", &three, 2, 20, 5 },
            { "a", &three, 3, 30, 5 },
            { "a", &three, 4, 40, 5 } },
          4 },
        { "a full disk",
          PL_UNLIMITED,
          6,
          "3",
          PL_TIME_INFINITY,
          { { "a", NULL, 1, 10, 5 }, { "a", NULL, 2, 20, 5 }, { "a", NULL, 3, 30, 5 } },
          3 },
        { "budget of nothing",
          0,
          0,
          "",
          PL_TIME_INFINITY,
          { { "a", NULL, 1, 10, 5 }, { "a", NULL, 2, 20, 5 } },
          2 },
        { "a clock that was ahead, and is right again",
          PL_UNLIMITED,
          0,
          "6,7,8",
          PL_TIME_INFINITY,
          { { "a", &three, 1, NOW + 86000, 5 },
            { "a", &three, 2, NOW + 86010, 5 },
            { "a", &three, 3, NOW + 86020, 5 },
            { "a", &three, 4, NOW + 86030, 5 },
            { "a", &three, 5, NOW - 30, 5 },
            { "a", &three, 6, NOW - 20, 5 },
            { "a", &three, 7, NOW - 10, 5 },
            { "a", &three, 8, NOW, 5 } },
          8 },
        { "the same when that day is over",
          PL_UNLIMITED,
          0,
          "4,5,6",
          PL_TIME_INFINITY,
          { { "a", &three, 1, NOW - 100, 5 },
            { "a", &three, 2, NOW - 90, 5 },
            { "a", &three, 3, NOW - 80, 5 },
            { "a", &three, 4, NOW - 86430, 5 },
            { "a", &three, 5, NOW - 86420, 5 },
            { "a", &three, 6, NOW - 86410, 5 } },
          6 },
        { "in the budget: as old as what came after it",
          15,
          0,
          "4,9,5",
          PL_TIME_INFINITY,
          { { "a", NULL, 1, NOW + 10, 5 },
            { "a", NULL, 2, NOW + 20, 5 },
            { "a", NULL, 3, NOW + 30, 5 },
            { "a", NULL, 4, NOW - 50, 5 },
            { "a", NULL, 5, NOW - 20, 5 },
            { "b", NULL, 8, NOW - 60, 5 },
            { "b", NULL, 9, NOW - 40, 5 } },
          7 },
        { "a clock that was behind makes nothing old",
          PL_UNLIMITED,
          0,
          "1,2,3",
          NOW + 86401 - 100,
          { { "a", &day, 1, NOW - 100, 5 },
            { "a", &day, 2, 5, 5 },
            { "a", &day, 3, NOW - 50, 5 } },
          3 },
        { "all in the future: from now, at the latest",
          PL_UNLIMITED,
          0,
          "1,2",
          NOW + 86401,
          { { "a", &day, 1, NOW + 500000, 5 }, { "a", &day, 2, NOW + 600000, 5 } },
          2 },
        { "the name passed on: generations begin anew",
          PL_UNLIMITED,
          0,
          "9,1,2",
          PL_TIME_INFINITY,
          { { "a", &three, 8, 10, 5, "old" },
            { "a", &three, 9, 20, 5, "old" },
            { "a", &three, 1, 30, 5, "new" },
            { "a", &three, 2, 40, 5, "new" } },
          4 },
        { "who has the name is the newest, whatever the clock said",
          PL_UNLIMITED,
          0,
          "9,1,2",
          PL_TIME_INFINITY,
          { { "a", &three, 8, NOW + 10, 5, "old" },
            { "a", &three, 9, NOW + 20, 5, "old" },
            { "a", &three, 1, NOW - 30, 5, "new", true },
            { "a", &three, 2, NOW - 20, 5, "new", true } },
          4 },
};
/* clang-format on */

START_TEST(retain) {
        PlRetainEntry e[8];
        uint64_t next, stay = 0, r;
        char kept[64] = "";

        memcpy(e, retains[_i].e, sizeof(e));
        r = pl_retain_plan(e, retains[_i].n, retains[_i].budget, retains[_i].need, NOW, &next);
        for (size_t i = 0; i < retains[_i].n; i++)
                if (e[i].drop == PL_RETAIN_KEEP) {
                        snprintf(kept + strlen(kept), sizeof(kept) - strlen(kept), "%s%" PRIu64,
                                 *kept ? "," : "", e[i].gen);
                        stay += e[i].bytes;
                }
        ck_assert_msg(pl_streq(kept, retains[_i].kept), "%s: kept %s", retains[_i].name, kept);
        ck_assert_msg(r == stay, "%s: says %" PRIu64 " stay", retains[_i].name, r);
        ck_assert_msg(next == retains[_i].next, "%s: next at %" PRIu64, retains[_i].name, next);
}
END_TEST

START_TEST(full_disk) {
        ck_assert_int_eq(pl_rotate_full(1, 3, PL_LOG_ON_FULL_KEEP), PL_ROTATE_FULL_CUT);
        ck_assert_int_eq(pl_rotate_full(0, 3, PL_LOG_ON_FULL_DROP), PL_ROTATE_FULL_MAKE_ROOM);
        ck_assert_int_eq(pl_rotate_full(0, 0, PL_LOG_ON_FULL_DROP), PL_ROTATE_FULL_DROP);
        ck_assert_int_eq(pl_rotate_full(0, 0, PL_LOG_ON_FULL_KEEP), PL_ROTATE_FULL_GIVE_UP);
}
END_TEST

START_TEST(keep_and_look) {
        ck_assert_uint_eq(pl_rotate_keep(MIB(100), PL_UNLIMITED), MIB(1));
        ck_assert_uint_eq(pl_rotate_keep(KIB(100), PL_UNLIMITED), KIB(25));
        ck_assert_uint_eq(pl_rotate_keep(GIB(1), KIB(64)), KIB(16));
        ck_assert_uint_eq(pl_rotate_look_again(1000, 0, 0), PL_ROTATE_LOOK_MIN_USEC);
        ck_assert_uint_eq(pl_rotate_look_again(1000, 10, 300000), 600000);
        ck_assert_uint_eq(pl_rotate_look_again(1000, 10, PL_ROTATE_LOOK_MAX_USEC),
                          PL_ROTATE_LOOK_MAX_USEC);
        ck_assert_uint_eq(pl_rotate_look_again(1000, 500, PL_ROTATE_LOOK_MAX_USEC),
                          PL_ROTATE_LOOK_MIN_USEC);
}
END_TEST

static const struct {
        const char *name;
        PlLogPolicy policy;
        uint64_t budget;
        bool keeps;
        uint64_t bytes;
} keeps[] = {
        { "default", { .max_size_bytes = PL_UNLIMITED }, GIB(2), false, GIB(2) / 10 },
        { "LogMaxSize=", { .max_size_bytes = MIB(10), .max_files = 3 }, GIB(2), true, MIB(40) },
        { "no LogMaxFiles=", { .max_size_bytes = MIB(10) }, GIB(2), true, GIB(2) / 10 },
        { "no budget", { .max_size_bytes = MIB(10) }, PL_UNLIMITED, true, PL_UNLIMITED },
        { "yes",
          { .max_size_bytes = PL_UNLIMITED, .keep = PL_LOG_KEEP_YES },
          MIB(10),
          true,
          MIB(1) },
        { "no",
          { .max_size_bytes = KIB(64), .max_files = 1, .keep = PL_LOG_KEEP_NO },
          0,
          false,
          KIB(128) },
        { "huge", { .max_size_bytes = PL_UNLIMITED / 2, .max_files = 9 }, 0, true, PL_UNLIMITED },
};

START_TEST(keep) {
        ck_assert_msg(pl_log_keeps(&keeps[_i].policy) == keeps[_i].keeps, "%s", keeps[_i].name);
        ck_assert_msg(pl_log_keep_bytes(&keeps[_i].policy, keeps[_i].budget) == keeps[_i].bytes,
                      "%s", keeps[_i].name);
}
END_TEST

static const struct {
        const char *name;
        uint64_t free_bytes, total_bytes;
        unsigned percent;
        bool low;
        uint64_t look_at; /* from 100M, with LogMaxSize=10M */
} rooms[] = {
        { "a tenth", GIB(10), GIB(100), 10, false, MIB(110) },
        { "below it", GIB(10) - 1, GIB(100), 10, true, MIB(110) },
        { "much room", GIB(50), GIB(100), 10, false, MIB(100) + GIB(20) },
        { "little room", GIB(10) + MIB(30), GIB(100), 10, false, MIB(115) },
        { "full", 0, GIB(100), 10, true, MIB(110) },
        { "full, never", 0, GIB(100), 0, false, MIB(110) },
        { "not known", 0, 0, 10, false, MIB(110) },
};

START_TEST(room) {
        uint64_t at = pl_rotate_look_at(MIB(100), MIB(10), rooms[_i].free_bytes,
                                        rooms[_i].total_bytes, rooms[_i].percent);

        ck_assert_msg(pl_rotate_is_low(rooms[_i].free_bytes, rooms[_i].total_bytes,
                                       rooms[_i].percent) == rooms[_i].low,
                      "%s", rooms[_i].name);
        ck_assert_msg(at / MIB(1) == rooms[_i].look_at / MIB(1), "%s: %" PRIu64, rooms[_i].name,
                      at);
}
END_TEST

/* The file system is nearly full: a hole where nothing else can be done, and only there. */
START_TEST(low) {
        PlRotateFacts f = LOG(26, true, AUTO, &ext4);
        PlRotateChoice c;

        f.low = true;
        c = pl_rotate_choose(&f);
        ck_assert(c.method == PL_LOG_METHOD_PUNCH && c.why == PL_ROTATE_WHY_LOW);
        ck_assert(pl_rotate_why_info(c.why)->finding);
        f.running = false;
        ck_assert_int_eq(pl_rotate_choose(&f).method, PL_LOG_METHOD_COLLAPSE);
        f.running = true;
        f.probe = &xfs;
        ck_assert_int_eq(pl_rotate_choose(&f).method, PL_LOG_METHOD_REFLINK);
        f.probe = &ext4;
        f.wanted = PL_LOG_METHOD_COLLAPSE; /* asked for, and not auto */
        ck_assert_int_eq(pl_rotate_choose(&f).method, PL_LOG_METHOD_OFF);
        f.wanted = PL_LOG_METHOD_OFF;
        ck_assert_int_eq(pl_rotate_choose(&f).method, PL_LOG_METHOD_OFF);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, choose, 0, PL_ARRAY_SIZE(choices));
        tcase_add_test(c, never_shrinks_under_a_new_engine);
        tcase_add_test(c, never_punches_unasked);
        tcase_add_loop_test(c, place, 0, PL_ARRAY_SIZE(places));
        tcase_add_loop_test(c, recover, 0, PL_ARRAY_SIZE(recoveries));
        tcase_add_test(c, advance_and_reset);
        tcase_add_loop_test(c, retain, 0, PL_ARRAY_SIZE(retains));
        tcase_add_test(c, full_disk);
        tcase_add_test(c, keep_and_look);
        tcase_add_loop_test(c, keep, 0, PL_ARRAY_SIZE(keeps));
        tcase_add_loop_test(c, room, 0, PL_ARRAY_SIZE(rooms));
        tcase_add_test(c, low);
        return run_case(c);
}
