/* SPDX-License-Identifier: Apache-2.0 */

/* What systemd and the engine must not hear of yet. */

#include "lib/limits/tell.h"
#include "limit-rows.h"

#define PAGE     4096
#define NO_GROUP NULL

static PlReading reading_of(const char *text, bool v1) {
        PlReading have = { .supported = UINT32_MAX };
        char word[WORD_MAX];

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                have.hierarchy[r] = v1 ? PL_HIERARCHY_V1 : PL_HIERARCHY_V2;
        while (next_word(&text, word))
                if (pl_startswith(word, "no "))
                        have.supported &= ~(UINT32_C(1) << resource_of(word + 3));
                else
                        ck_assert_msg(take_limit(&have.in_force, word), "%s", word);
        return have;
}

static uint32_t mask_of(const char *names) {
        char word[WORD_MAX];
        uint32_t mask = 0;

        while (next_word(&names, word))
                mask |= UINT32_C(1) << resource_of(word);
        return mask;
}

/* @told: to the engine; NULL: what is wanted. @engine: what it has.
 * @withheld, @from_engine: names; NULL: the same as from systemd. */
static const struct {
        const char *name, *want, *have, *withheld, *told, *engine, *from_engine;
        bool lives, v1;
} rows[] = {
        { "in force", "MemoryMax=40M, MemorySwapMax=0", "MemoryMax=40M, MemorySwapMax=0", "" },
        { "in force but for the page", "MemoryMax=10000001", "MemoryMax=9998336", "" },
        { "waits, is squeezed or was refused", "MemoryMax=40M", "MemoryMax=infinity", "MemoryMax",
          .from_engine = "MemoryMax, MemorySwapMax" },
        { "the swap of a limit that waits", "MemoryMax=40M, MemorySwapMax=0",
          "MemoryMax=infinity, MemorySwapMax=0", "MemoryMax",
          .from_engine = "MemoryMax, MemorySwapMax" },
        { "swap that was refused", "MemoryMax=40M, MemorySwapMax=0",
          "MemoryMax=40M, MemorySwapMax=infinity", "MemorySwapMax",
          .from_engine = "MemoryMax, MemorySwapMax" },
        { "all that can do harm", "MemoryHigh=30M, MemoryMax=40M, MemorySwapMax=0, TasksMax=9",
          "MemoryHigh=infinity, MemoryMax=infinity, MemorySwapMax=infinity, TasksMax=infinity",
          "MemoryHigh, MemoryMax, MemorySwapMax, TasksMax" },
        { "what can do none is told", "CPUQuota=10%, CPUWeight=5, AllowedCPUs=0, MemoryLow=1M",
          "CPUQuota=infinity, CPUWeight=100, AllowedCPUs=0-1, MemoryLow=0", "" },
        { "not read", "MemoryMax=40M", "", "MemoryMax", .from_engine = "MemoryMax, MemorySwapMax" },
        { "no such file here", "MemoryHigh=30M, TasksMax=9", "no MemoryHigh, no TasksMax", "" },
        { "not running", "MemoryMax=40M", NO_GROUP, "" },
        { "running, its group not found", "MemoryMax=40M, CPUQuota=10%", NO_GROUP, "MemoryMax",
          .from_engine = "MemoryMax, MemorySwapMax", .lives = true },
        { "a raise that was refused", "MemoryMax=90M", "MemoryMax=40M", "MemoryMax",
          .from_engine = "MemoryMax, MemorySwapMax" },
        { "v1: refused", "MemoryMax=40M, MemorySwapMax=1M", "MemoryMax=90M, MemorySwapMax=1M",
          "MemoryMax", .from_engine = "MemoryMax, MemorySwapMax", .v1 = true },
        { "given back, and lower at the engine", "MemoryMax=infinity", "MemoryMax=infinity", "",
          "MemoryMax=64M", "MemoryMax=300M", "MemoryMax, MemorySwapMax" },
        { "given back, and the engine has it already", "MemoryMax=infinity", "MemoryMax=infinity",
          "", "MemoryMax=64M", "MemoryMax=64M", "" },
        { "given back, and the same there", "MemoryMax=64M", "MemoryMax=64M", "", "MemoryMax=64M",
          "MemoryMax=300M", "" },
        { "given back, and higher there", "MemoryMax=64M", "MemoryMax=64M", "",
          "MemoryMax=infinity", "MemoryMax=300M", "" },
        { "given back while it does not run", "MemoryMax=infinity", NO_GROUP, "", "MemoryMax=64M",
          "MemoryMax=300M", "" },
        { "swap alone, with memory as it is", "MemorySwapMax=0", "MemoryMax=64M, MemorySwapMax=0",
          "", NULL, "MemoryMax=64M", "" },
        { "swap alone, memory was lifted", "MemorySwapMax=0", "MemoryMax=infinity, MemorySwapMax=0",
          "", NULL, "MemoryMax=64M", "MemoryMax, MemorySwapMax" },
        { "swap alone, memory was lowered by hand", "MemorySwapMax=0",
          "MemoryMax=64M, MemorySwapMax=0", "", NULL, "MemoryMax=256M",
          "MemoryMax, MemorySwapMax" },
        { "swap alone, with memory as it is but for the page", "MemorySwapMax=0",
          "MemoryMax=9998336, MemorySwapMax=0", "", NULL, "MemoryMax=10000001", "" },
        { "memory was lifted, the engine's is not told", "TasksMax=9",
          "MemoryMax=infinity, TasksMax=9", "", NULL, "MemoryMax=64M", "" },
};

START_TEST(test_rows) {
        _cleanup_(pl_limits_deinit) PlLimits want = limits_of(rows[_i].want);
        _cleanup_(pl_limits_deinit) PlLimits told = limits_of(rows[_i].told ?: rows[_i].want);
        _cleanup_(pl_limits_deinit) PlLimits engine = limits_of(rows[_i].engine);
        _cleanup_(pl_reading_deinit) PlReading reading =
                        reading_of(rows[_i].have ?: "", rows[_i].v1);
        const PlReading *have = rows[_i].have ? &reading : NULL;
        uint32_t withheld = pl_tell_withheld(&want, have, rows[_i].lives, PAGE), from_engine;

        ck_assert_msg(withheld == mask_of(rows[_i].withheld), "%s: %x", rows[_i].name, withheld);
        from_engine = pl_tell_withheld_from_engine(&told, &engine, have, withheld, PAGE);
        ck_assert_msg(from_engine == mask_of(rows[_i].from_engine ?: rows[_i].withheld),
                      "%s: %x from the engine", rows[_i].name, from_engine);
}
END_TEST

static const struct {
        const char *name, *systemd, *have, *told;
} by_hand[] = {
        { "as systemd has it", "MemoryMax=64M, TasksMax=9", "MemoryMax=64M, TasksMax=9", "" },
        { "raised by hand", "MemoryMax=64M", "MemoryMax=300M", "MemoryMax" },
        { "taken away by hand", "MemorySwapMax=0", "MemorySwapMax=infinity", "MemorySwapMax" },
        { "lowered by hand", "MemoryMax=300M", "MemoryMax=64M", "MemoryMax" },
        { "rounded to a page", "MemoryMax=10000001", "MemoryMax=9998336", "" },
        { "each that can do harm", "MemoryHigh=1M, MemoryMax=2M, MemorySwapMax=3M, TasksMax=4",
          "MemoryHigh=2M, MemoryMax=3M, MemorySwapMax=4M, TasksMax=5",
          "MemoryHigh, MemoryMax, MemorySwapMax, TasksMax" },
        { "what can do none", "CPUWeight=5, MemoryLow=0", "CPUWeight=500, MemoryLow=1M", "" },
        { "not read", "MemoryMax=64M", "", "" },
        { "systemd knows of none", "", "MemoryMax=64M", "" },
};

START_TEST(test_by_hand) {
        _cleanup_(pl_limits_deinit) PlLimits systemd = limits_of(by_hand[_i].systemd);
        _cleanup_(pl_reading_deinit) PlReading have = reading_of(by_hand[_i].have, false);
        uint32_t mask = pl_tell_by_hand(&systemd, &have, PAGE);

        ck_assert_msg(mask == mask_of(by_hand[_i].told), "%s: %x", by_hand[_i].name, mask);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("tell");

        tcase_add_loop_test(t, test_rows, 0, (int)PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, test_by_hand, 0, (int)PL_ARRAY_SIZE(by_hand));
        return run_case(t);
}
