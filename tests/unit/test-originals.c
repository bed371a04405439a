/* SPDX-License-Identifier: Apache-2.0 */

/* Whose value is it? Records and HostConfig are written as in the state files. */

#include "lib/limits/originals.h"

#include "same-limits.h"
#include "unit.h"

#define ID   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PAGE KIB(4)

/* @rest: members, with "managed", "original" and "engine_original" among them. */
static PlContainerState record(const char *row, const char *rest) {
        PlContainerState s = { 0 };
        char text[1024];
        int n = snprintf(text, sizeof(text), "{\"id\":\"" ID "\",%s}", rest);

        for (char *c = text; *c; c++) /* rows are read by people */
                if (*c == '\'')
                        *c = '"';
        ck_assert_msg(n < (int)sizeof(text) && pl_state_parse(text, (size_t)n, &s) == 0, "%s: %s",
                      row, text);
        return s;
}

static void same_record(const char *row, const PlContainerState *have, const char *want_text) {
        PlContainerState want = record(row, want_text);
        char *a = NULL, *b = NULL;

        ck_assert_int_eq(pl_state_format(have, &a), 0);
        ck_assert_int_eq(pl_state_format(&want, &b), 0);
        ck_assert_msg(pl_streq(a, b), "%s:\n  is    %s\n  wants %s", row, a, b);
        free(a);
        free(b);
        pl_container_state_deinit(&want);
}

#define V2         "'version':2,'created':{},"
#define NOTHING    V2 "'managed':[],'original':{},'engine_original':{}"
#define MANAGED    V2 "'managed':['MemoryMax'],"
#define HAD(limit) "'original':{'MemoryMax':" limit "},'engine_original':{'MemoryMax':" limit "}"
#define TOLD(v)    ",'engine_told':{'MemoryMax':" v "}"
#define ASKED(v)   ",'engine_asked':{'MemoryMax':" v "}"
#define MAX(v)     "'MemoryMax':" v
#define NEITHER    "'original':{},'engine_original':{}"

static const struct {
        const char *name, *before, *now;
        bool answered;
        int r;
        const char *after;
} learned[] = {
        { "nothing managed: whatever HostConfig says is the original", NOTHING, MAX("5"), false, 2,
          V2 "'managed':[],'original':{},'engine_original':{" MAX("5") "}" },
        { "managed, the same as before", MANAGED HAD("9"), MAX("9"), false, 0, MANAGED HAD("9") },
        { "managed, and HostConfig has what was told: ours", MANAGED HAD("9") TOLD("5"), MAX("5"),
          false, 0, MANAGED HAD("9") TOLD("5") },
        { "a reboot: there was no limit, HostConfig has ours", MANAGED NEITHER TOLD("5"), MAX("5"),
          false, 0, MANAGED NEITHER TOLD("5") },
        { "asked for and seen: told from now on", MANAGED HAD("9") ASKED("5"), MAX("5"), false, 1,
          MANAGED HAD("9") TOLD("5") },
        { "asked for, not seen yet", MANAGED HAD("9") ASKED("5"), MAX("9"), false, 0,
          MANAGED HAD("9") ASKED("5") },
        { "killed between two updates: the older one is ours, too",
          MANAGED HAD("9") TOLD("7") ASKED("5"), MAX("7"), false, 0,
          MANAGED HAD("9") TOLD("7") ASKED("5") },
        { "the second has come", MANAGED HAD("9") TOLD("7") ASKED("5"), MAX("5"), false, 1,
          MANAGED HAD("9") TOLD("5") },
        { "accepted, and kept in another form", MANAGED HAD("9") ASKED("5"), MAX("4"), true, 1,
          MANAGED HAD("9") TOLD("4") },
        { "accepted, and not kept", MANAGED HAD("9") ASKED("5"), MAX("9"), true, 1,
          MANAGED HAD("9") },
        { "given back", MANAGED HAD("9") TOLD("5") ASKED("9"), MAX("9"), true, 1,
          MANAGED HAD("9") },
        { "docker update by a person: a new original, in the kernel too",
          MANAGED HAD("9") TOLD("5"), MAX("6"), false, 2, MANAGED HAD("6") },
        { "… while ours is under way", MANAGED HAD("9") TOLD("5") ASKED("4"), MAX("6"), false, 2,
          MANAGED HAD("6") ASKED("4") },
        { "… before anything was told", MANAGED HAD("9"), MAX("6"), false, 2, MANAGED HAD("6") },
        { "a person puts the original back", MANAGED HAD("9") TOLD("5"), MAX("9"), false, 2,
          MANAGED HAD("9") },
        { "a person takes the limit away", MANAGED HAD("9") TOLD("5"), "", false, 2,
          MANAGED NEITHER },
        { "the kernel's own original, from before a person's update",
          MANAGED "'original':{" MAX("3") "},'engine_original':{}" TOLD("5"), MAX("6"), false, 2,
          MANAGED HAD("6") },
        { "the kernel's own original stays while HostConfig does",
          MANAGED "'original':{" MAX("3") "},'engine_original':{}", "", false, 0,
          MANAGED "'original':{" MAX("3") "},'engine_original':{}" },
        { "no limit and no word are the same",
          V2 "'managed':['TasksMax'],'original':{},'engine_original':{},'engine_told':{'TasksMax':"
             "5},'engine_asked':{'TasksMax':'infinity'}",
          "", false, 1, V2 "'managed':['TasksMax'],'original':{},'engine_original':{}" },
        { "captured before HostConfig was known: it is what was there", MANAGED NEITHER, MAX("9"),
          false, 2, MANAGED HAD("9") },
        { "swap that goes along with memory", MANAGED HAD("9") TOLD("5"),
          MAX("20") ",'MemorySwapMax':7", false, 2,
          MANAGED "'original':{" MAX("20") ",'MemorySwapMax':7},'engine_original':{" MAX(
                          "20") ",'MemorySwapMax':7}" },
        { "docker update --memory alone: the sum of memory and swap is still ours",
          MANAGED "'original':{" MAX("9") ",'MemorySwapMax':3},'engine_original':{" MAX(
                          "9") ",'MemorySwapMax':3},'engine_told':{" MAX("50") "}",
          MAX("8") ",'MemorySwapMax':45", false, 2,
          MANAGED "'original':{" MAX("8") ",'MemorySwapMax':4},'engine_original':{" MAX(
                          "8") ",'MemorySwapMax':4},'engine_told':{'MemorySwapMax':45}" },
        { "… also where memory is what it was before us",
          MANAGED "'original':{" MAX("9") ",'MemorySwapMax':3},'engine_original':{" MAX(
                          "9") ",'MemorySwapMax':3},'engine_told':{" MAX("50") ",'MemorySwapMax':"
                                                                               "0}",
          MAX("9") ",'MemorySwapMax':41", false, 2,
          MANAGED "'original':{" MAX("9") ",'MemorySwapMax':3},'engine_original':{" MAX(
                          "9") ",'MemorySwapMax':3},'engine_told':{'MemorySwapMax':41}" },
        { "… and one without a limit stays that",
          MANAGED "'original':{},'engine_original':{}" TOLD("50"), MAX("8"), false, 2,
          MANAGED HAD("8") },
        { "docker update --memory --memory-swap: as much swap as ours, and theirs",
          MANAGED "'original':{" MAX("9") ",'MemorySwapMax':3},'engine_original':{" MAX(
                          "9") ",'MemorySwapMax':3},'engine_told':{'MemorySwapMax':0}",
          MAX("20") ",'MemorySwapMax':0", false, 2,
          MANAGED "'original':{" MAX("20") ",'MemorySwapMax':0},'engine_original':{" MAX(
                          "20") ",'MemorySwapMax':0}" },
        { "… which is not so while an update of ours may still come",
          MANAGED "'original':{},'engine_original':{},'engine_told':{" MAX(
                          "512") ",'MemorySwapMax':"
                                 "20},'engine_asked':{" MAX(
                                                 "'infinity'") ",'MemorySwapMax':'infinity'}",
          MAX("512") ",'MemorySwapMax':20", false, 0,
          MANAGED "'original':{},'engine_original':{},'engine_told':{" MAX(
                          "512") ",'MemorySwapMax':"
                                 "20},'engine_asked':{" MAX(
                                                 "'infinity'") ",'MemorySwapMax':'infinity'}" },
        { "version 1: a managed value is taken for told",
          "'created':{},'managed':['MemoryMax'],'original':{'MemoryMax':9},'engine_original':{'"
          "MemoryMax':9}",
          MAX("5"), false, 1, MANAGED HAD("9") TOLD("5") },
        { "version 1: one that is not managed is the original",
          "'created':{},'managed':['TasksMax'],'original':{},'engine_original':{}", MAX("5"), false,
          2, V2 "'managed':['TasksMax'],'original':{},'engine_original':{" MAX("5") "}" },
        { "version 1: nothing differs",
          "'created':{},'managed':[],'original':{},'engine_original':{}", "", false, 1, NOTHING },
};

START_TEST(learn) {
        PlContainerState s = record(learned[_i].name, learned[_i].before), now;
        PlLimits limits;
        char text[512];
        int r;

        (void)snprintf(text, sizeof(text), V2 "'managed':[],'original':{%s},'engine_original':{}",
                       learned[_i].now);
        now = record(learned[_i].name, text);
        limits = pl_some_limits_all(&now.original);
        r = pl_state_learn(&s, &limits, 0, learned[_i].answered);
        ck_assert_msg(r == learned[_i].r, "%s: %d", learned[_i].name, r);
        same_record(learned[_i].name, &s, learned[_i].after);
        ck_assert_msg(pl_state_learn(&s, &limits, 0, false) == 0, "%s: learnt twice",
                      learned[_i].name);
        pl_container_state_deinit(&s);
        pl_container_state_deinit(&now);
}
END_TEST

/* Accepted, and HostConfig shows another value; then an event says that somebody else has told the
 * engine something. */
static const struct {
        const char *name, *before, *now;
        int r;
        const char *after;
} doubts[] = {
        { "a person's update came right after ours", MANAGED HAD("9") ASKED("5"), MAX("4"), 2,
          MANAGED HAD("4") },
        { "… while we gave back", MANAGED HAD("9") TOLD("5") ASKED("9"), MAX("4"), 2,
          MANAGED HAD("4") },
        { "what was asked for is ours all the same", MANAGED HAD("9") ASKED("5"), MAX("5"), 0,
          MANAGED HAD("9") TOLD("5") },
        { "not kept", MANAGED HAD("9") ASKED("5"), MAX("9"), 0, MANAGED HAD("9") },
};

START_TEST(doubt) {
        const char *name = doubts[_i].name;
        PlContainerState s = record(name, doubts[_i].before), now;
        PlLimits limits;
        char text[512];
        int r;

        (void)snprintf(text, sizeof(text), V2 "'managed':[],'original':{%s},'engine_original':{}",
                       doubts[_i].now);
        now = record(name, text);
        limits = pl_some_limits_all(&now.original);
        r = pl_state_learn(&s, &limits, 0, true);
        ck_assert_msg(r == 1, "%s: %d", name, r);
        pl_state_doubt(&s);
        r = pl_state_learn(&s, &limits, 0, false);
        ck_assert_msg(r == doubts[_i].r, "%s: %d", name, r);
        same_record(name, &s, doubts[_i].after);
        pl_container_state_deinit(&s);
        pl_container_state_deinit(&now);
}
END_TEST

/* What an earlier plimsolld has asked for, and was not seen yet. */
static const struct {
        const char *name, *record;
        uint32_t mask;
} awaits[] = {
        { "nothing was asked for", MANAGED HAD("9") TOLD("5"), 0 },
        { "asked for", MANAGED HAD("9") ASKED("5"), 1U << PL_RESOURCE_MEMORY_MAX },
        { "asked for again", MANAGED HAD("9") TOLD("5") ASKED("6"), 1U << PL_RESOURCE_MEMORY_MAX },
        { "the original was asked for: it undoes nothing", MANAGED HAD("9") TOLD("5") ASKED("9"),
          0 },
        { "… which is no limit",
          V2 "'managed':['TasksMax'],'original':{},'engine_original':{},'engine_asked':{'TasksMax':"
             "'infinity'}",
          0 },
};

START_TEST(awaited) {
        PlContainerState s = record(awaits[_i].name, awaits[_i].record);

        ck_assert_msg(pl_state_awaited(&s) == awaits[_i].mask, "%s: %#x", awaits[_i].name,
                      pl_state_awaited(&s));
        pl_container_state_deinit(&s);
}
END_TEST

#define PERIOD(kernel, engine, told)                                                              \
        ",'quota_period':{'original':" kernel ",'engine_original':" engine ",'engine_told':" told \
        "}"

static const struct {
        const char *name, *before;
        uint64_t now_usec;
        const char *after;
} periods[] = {
        { "never captured", NOTHING, 0, NOTHING },
        { "ours", NOTHING PERIOD("100000", "0", "10000"), 10000,
          NOTHING PERIOD("100000", "0", "10000") },
        { "a person's", NOTHING PERIOD("100000", "0", "10000"), 20000,
          NOTHING PERIOD("20000", "20000", "0") },
        { "its own", NOTHING PERIOD("5000", "5000", "0"), 5000,
          NOTHING PERIOD("5000", "5000", "0") },
};

START_TEST(learn_period) {
        PlContainerState s = record(periods[_i].name, periods[_i].before);
        PlLimits none = { 0 };

        ck_assert_int_ge(pl_state_learn(&s, &none, periods[_i].now_usec, false), 0);
        same_record(periods[_i].name, &s, periods[_i].after);
        pl_container_state_deinit(&s);
}
END_TEST

#define MAX_MASK  (UINT32_C(1) << PL_RESOURCE_MEMORY_MAX)
#define SWAP_MASK (UINT32_C(1) << PL_RESOURCE_MEMORY_SWAP_MAX)
#define CPU_MASK  (UINT32_C(1) << PL_RESOURCE_CPU_QUOTA)
#define RUN(n)    ",'run_usec':" n

static const struct {
        const char *name, *before;
        uint32_t mask;
        const char *in_force; /* NULL: no group to be relied on */
        uint64_t period_usec;
        const char *after;
} captures[] = {
        { "from the kernel", NOTHING, MAX_MASK, MAX("8192") ",'MemorySwapMax':4096", 0,
          MANAGED
          "'original':{" MAX("8192") ",'MemorySwapMax':4096},'engine_original':{}" RUN("7") },
        { "no group yet: what the engine will write",
          V2 "'managed':[],'original':{},'engine_original':{" MAX("9") ",'MemorySwapMax':3}",
          MAX_MASK, NULL, 0,
          MANAGED "'original':{" MAX("9") ",'MemorySwapMax':3},'engine_original':{" MAX(
                          "9") ",'MemorySwapMax':3}" },
        { "the kernel shows what the engine was told: no original",
          V2 "'managed':[],'original':{},'engine_original':{" MAX("16384") "}" TOLD("8192"),
          MAX_MASK, MAX("8192"), 0,
          MANAGED "'original':{" MAX("16384") "},'engine_original':{" MAX("16384") "}" TOLD("8192")
                          RUN("7") },
        { "… rounded down to the page",
          V2 "'managed':[],'original':{},'engine_original':{}" TOLD("8200"), MAX_MASK, MAX("8192"),
          0, MANAGED NEITHER TOLD("8200") RUN("7") },
        { "the engine was told, but somebody has written since",
          V2 "'managed':[],'original':{},'engine_original':{}" TOLD("8192"), MAX_MASK, MAX("12288"),
          0, MANAGED "'original':{" MAX("12288") "},'engine_original':{}" TOLD("8192") RUN("7") },
        { "once only: what is in force may be ours", MANAGED HAD("9") RUN("7"), MAX_MASK,
          MAX("4096"), 0, MANAGED HAD("9") RUN("7") },
        { "swap that went along has its original already",
          MANAGED "'original':{'MemorySwapMax':4096},'engine_original':{}" RUN("7"),
          MAX_MASK | SWAP_MASK, "'MemorySwapMax':0", 0,
          V2 "'managed':['MemoryMax','MemorySwapMax'],'original':{'MemorySwapMax':4096},"
             "'engine_original':{}" RUN("7") },
        { "a squeeze has borrowed it: what was there before that",
          NOTHING ",'squeeze_high':'infinity'", UINT32_C(1) << PL_RESOURCE_MEMORY_HIGH,
          "'MemoryHigh':8192", 0,
          V2 "'managed':['MemoryHigh'],'original':{'MemoryHigh':'infinity'},'engine_original':{}"
             ",'squeeze_high':'infinity'" RUN("7") },
        { "a quota's period", NOTHING, CPU_MASK, "'CPUQuota':'infinity'", 50000,
          V2 "'managed':['CPUQuota'],'original':{'CPUQuota':'infinity'},'engine_original':{}" RUN(
                          "7") PERIOD("50000", "0", "0") },
        { "a quota's period: as the engine will write it", NOTHING PERIOD("0", "5000", "0"),
          CPU_MASK, NULL, 0, V2 "'managed':['CPUQuota']," NEITHER PERIOD("5000", "5000", "0") },
        { "a quota's period: the kernel's own", NOTHING, CPU_MASK, NULL, 0,
          V2 "'managed':['CPUQuota']," NEITHER PERIOD("100000", "0", "0") },
        { "a quota that is ours has our period", NOTHING ",'engine_told':{'CPUQuota':500000}",
          CPU_MASK, "'CPUQuota':500000", 10000,
          V2 "'managed':['CPUQuota']," NEITHER ",'engine_told':{'CPUQuota':500000}" RUN("7")
                          PERIOD("100000", "0", "0") },
};

START_TEST(capture) {
        PlContainerState s = record(captures[_i].name, captures[_i].before), kernel = { 0 };
        PlReading reading = { .cpu_period_usec = captures[_i].period_usec,
                              .supported = UINT32_MAX };
        char text[512];

        if (captures[_i].in_force) {
                (void)snprintf(text, sizeof(text),
                               V2 "'managed':[],'original':{%s},'engine_original':{}",
                               captures[_i].in_force);
                kernel = record(captures[_i].name, text);
                reading.in_force = pl_some_limits_all(&kernel.original);
        }
        ck_assert_int_eq(pl_state_capture(&s, captures[_i].mask,
                                          captures[_i].in_force ? &reading : NULL, 7, PAGE),
                         0);
        same_record(captures[_i].name, &s, captures[_i].after);
        pl_container_state_deinit(&s);
        pl_container_state_deinit(&kernel);
}
END_TEST

static const struct {
        const char *name, *before;
        uint64_t run_usec;
        const char *after;
        uint64_t tasks;
} runs[] = {
        { "the same run", MANAGED "'original':{" MAX("3") "},'engine_original':{}" RUN("7"), 7,
          MANAGED "'original':{" MAX("3") "},'engine_original':{}" RUN("7") },
        { "a reboot or a restart: what was written into the old group is gone",
          MANAGED "'original':{" MAX("3") "},'engine_original':{}" RUN("7"), 8,
          MANAGED NEITHER RUN("8") },
        { "… and HostConfig without us is what a new group has",
          MANAGED "'original':{" MAX("3") "},'engine_original':{" MAX("9") "}" TOLD("5") RUN("7"),
          8, MANAGED HAD("9") TOLD("5") RUN("8") },
        { "systemd's default of tasks stays",
          V2 "'managed':['TasksMax'],'original':{'TasksMax':4915},'engine_original':{}" RUN("7"), 8,
          V2 "'managed':['TasksMax'],'original':{'TasksMax':4915},'engine_original':{}" RUN("8") },
        { "… or is what systemd says",
          V2 "'managed':['TasksMax'],'original':{'TasksMax':44},'engine_original':{}" RUN("7"), 8,
          V2 "'managed':['TasksMax']," NEITHER RUN("8"), 4915 },
        { "a limit of tasks that was told as systemd has it needs nobody",
          V2 "'managed':[]," NEITHER ",'engine_told':{'TasksMax':4915}" RUN("7"), 8,
          V2 "'managed':[]," NEITHER ",'engine_told':{'TasksMax':4915}" RUN("8"), 4915 },
        { "… and one that was told otherwise is given back to each run",
          V2 "'managed':[]," NEITHER ",'engine_told':{'TasksMax':44}" RUN("7"), 8,
          V2 "'managed':['TasksMax']," NEITHER ",'engine_told':{'TasksMax':44}" RUN("8"), 4915 },
        { "the period of a quota",
          V2 "'managed':['CPUQuota']," NEITHER PERIOD("20000", "5000", "0") RUN("7"), 8,
          V2 "'managed':['CPUQuota']," NEITHER PERIOD("5000", "5000", "0") RUN("8") },
        { "given back before the first run, but for HostConfig: its own is what a run begins with",
          V2 "'managed':[],'original':{},'engine_original':{'MemoryLow':9},'engine_told':{"
             "'MemoryLow':6}",
          8,
          V2 "'managed':['MemoryLow'],'original':{'MemoryLow':9},'engine_original':{'MemoryLow':9},"
             "'engine_told':{'MemoryLow':6}" RUN("8") },
        { "a record that does not know its run",
          MANAGED "'original':{" MAX("3") "},"
                                          "'engine_original':{}",
          8, MANAGED "'original':{" MAX("3") "},'engine_original':{}" RUN("8") },
};

START_TEST(begin_run) {
        PlContainerState s = record(runs[_i].name, runs[_i].before);

        ck_assert_int_ge(pl_state_begin_run(&s, runs[_i].run_usec, runs[_i].tasks), 0);
        same_record(runs[_i].name, &s, runs[_i].after);
        pl_container_state_deinit(&s);
}
END_TEST

static const struct {
        const char *name, *state;
        bool set;
        uint64_t number;
        bool needed;
        PlHierarchy hierarchy;
} others[] = {
        { "nothing", NOTHING, false, 0, false },
        { "memory without swap on record", MANAGED NEITHER, true, PL_UNLIMITED, true },
        { "as much as before", MANAGED "'original':{'MemorySwapMax':50},'engine_original':{}", true,
          50, true },
#define LOST                                                                                      \
        V2 "'managed':['MemoryMax'],'original':{'MemorySwapMax':'infinity'},'engine_original':{'" \
           "MemorySwapMax':0}"
        { "v2: systemd has taken HostConfig's away", LOST, true, 0, true, PL_HIERARCHY_V2 },
        { "v1: the kernel's own", LOST, true, PL_UNLIMITED, true, PL_HIERARCHY_V1 },
        { "given back in the kernel, but HostConfig still has ours", NOTHING TOLD("5"), false, 0,
          true },
        { "an update on its way", NOTHING ASKED("5"), false, 0, true },
        { "memory.high is borrowed", NOTHING ",'squeeze_high':5", false, 0, true },
};

START_TEST(allowance_and_need) {
        PlContainerState s = record(others[_i].name, others[_i].state);
        PlValue v = pl_state_swap_allowance(&s, others[_i].hierarchy);

        ck_assert_msg(v.set == others[_i].set && v.number == others[_i].number, "%s",
                      others[_i].name);
        ck_assert_msg(pl_state_is_needed(&s) == others[_i].needed, "%s", others[_i].name);
        pl_container_state_deinit(&s);
}
END_TEST

/* What the creator has said is what HostConfig says at first sight, without what is ours in it; and
 * no later update changes it. */
static const struct {
        const char *name, *before, *now, *created;
} creations[] = {
        { "a new one", "'version':2,'managed':[]," NEITHER, MAX("5"), MAX("5") },
        { "without a limit", "'version':2,'managed':[]," NEITHER, "", "" },
        { "a weight that is everybody's may be what we gave back",
          "'version':2,'managed':[]," NEITHER, "'CPUWeight':100", "" },
        { "a record of an older version: our value is not its creator's",
          "'version':2,'managed':['MemoryMax']," HAD("9") TOLD("5"), MAX("5"), MAX("9") },
        { "somebody's update before we saw it",
          "'version':2,'managed':['MemoryMax']," HAD("9") TOLD("5"), MAX("7"), MAX("7") },
        { "a later update by a person",
          "'version':2,'managed':[],'created':{" MAX("3") "}," NEITHER, MAX("5"), MAX("3") },
};

START_TEST(created) {
        const char *name = creations[_i].name;
        PlContainerState s = record(name, creations[_i].before), now, want;
        PlLimits limits;
        char text[512];

        (void)snprintf(text, sizeof(text), V2 "'managed':[],'original':{%s},'engine_original':{%s}",
                       creations[_i].now, creations[_i].created);
        now = record(name, text);
        limits = pl_some_limits_all(&now.original);
        ck_assert_int_ge(pl_state_learn(&s, &limits, 0, false), 0);
        ck_assert_msg(s.created_known && same_some_limits(&s.created, &now.engine_original), "%s",
                      name);
        {
                _cleanup_free_ char *kept = NULL;

                ck_assert_int_eq(pl_state_format(&s, &kept), 0);
                ck_assert_int_eq(pl_state_parse(kept, strlen(kept), &want), 0);
                ck_assert_msg(want.created_known && same_some_limits(&want.created, &s.created),
                              "%s: not kept: %s", name, kept);
        }
        pl_container_state_deinit(&want);
        pl_container_state_deinit(&s);
        pl_container_state_deinit(&now);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("originals");

        tcase_add_loop_test(t, learn, 0, PL_ARRAY_SIZE(learned));
        tcase_add_loop_test(t, created, 0, PL_ARRAY_SIZE(creations));
        tcase_add_loop_test(t, doubt, 0, PL_ARRAY_SIZE(doubts));
        tcase_add_loop_test(t, awaited, 0, PL_ARRAY_SIZE(awaits));
        tcase_add_loop_test(t, learn_period, 0, PL_ARRAY_SIZE(periods));
        tcase_add_loop_test(t, capture, 0, PL_ARRAY_SIZE(captures));
        tcase_add_loop_test(t, begin_run, 0, PL_ARRAY_SIZE(runs));
        tcase_add_loop_test(t, allowance_and_need, 0, PL_ARRAY_SIZE(others));
        return run_case(t);
}
