/* SPDX-License-Identifier: Apache-2.0 */

/* What comes back from our own calls, and what somebody else must have written. */

#include "lib/limits/echo.h"
#include "limit-rows.h"

#define PAGE 4096

/* @have: what was read; @memsw: on v1 the sum of memory and swap, NULL: v2 */
static const struct {
        const char *name, *told, *have, *memsw, *echo;
} rows[] = {
        { "the value that was told", "MemoryMax=96M", "MemoryMax=96M", NULL, "MemoryMax" },
        { "another one", "MemoryMax=96M", "MemoryMax=77M", NULL, "" },
        { "some of them", "MemoryMax=96M, TasksMax=50", "MemoryMax=96M, TasksMax=77", NULL,
          "MemoryMax" },
        { "one that was not told", "TasksMax=50", "TasksMax=50, CPUWeight=100", NULL, "TasksMax" },
        { "none", "MemoryMax=infinity", "MemoryMax=infinity", NULL, "MemoryMax" },
        { "rounded to the page", "MemoryMax=50000001", "MemoryMax=49999872", NULL, "MemoryMax" },
        { "not read", "MemoryMax=96M", "", NULL, "" },
        { "texts", "AllowedCPUs=0-1", "AllowedCPUs=0-1", NULL, "AllowedCPUs" },
        { "v1: both", "MemoryMax=96M, MemorySwapMax=0", "MemoryMax=96M, MemorySwapMax=0", "96M",
          "MemoryMax, MemorySwapMax" },
        { "v1: between its two writes, memory first", "MemoryMax=96M, MemorySwapMax=0",
          "MemoryMax=96M, MemorySwapMax=32M", "128M", "MemoryMax, MemorySwapMax" },
        { "v1: between its two writes, the sum first", "MemoryMax=96M, MemorySwapMax=0",
          "MemoryMax=64M, MemorySwapMax=32M", "96M", "MemorySwapMax" },
        { "v1: somebody else's swap", "MemoryMax=96M, MemorySwapMax=0",
          "MemoryMax=64M, MemorySwapMax=9M", "73M", "" },
        { "v2: swap is its own file", "MemoryMax=96M, MemorySwapMax=0",
          "MemoryMax=96M, MemorySwapMax=9M", NULL, "MemoryMax" },
};

static void take(const char *text, PlLimits *ret) {
        char word[WORD_MAX];

        while (next_word(&text, word))
                ck_assert_msg(take_limit(ret, word), "%s", word);
}

static uint32_t mask_of(const char *names) {
        char word[WORD_MAX];
        uint32_t mask = 0;

        while (next_word(&names, word))
                mask |= UINT32_C(1) << resource_of(word);
        return mask;
}

START_TEST(echoes) {
        PlReading have = { .supported = UINT32_MAX };
        PlLimits told = { 0 };
        uint32_t echo;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                have.hierarchy[r] = rows[_i].memsw ? PL_HIERARCHY_V1 : PL_HIERARCHY_V2;
        if (rows[_i].memsw)
                have.memsw_bytes = number_of(rows[_i].memsw);
        take(rows[_i].told, &told);
        take(rows[_i].have, &have.in_force);
        echo = pl_echo_of(&told, &have, PAGE);
        ck_assert_msg(echo == mask_of(rows[_i].echo), "%s: %#x", rows[_i].name, echo);
        pl_limits_deinit(&told);
        pl_reading_deinit(&have);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("echo");

        tcase_add_loop_test(t, echoes, 0, (int)PL_ARRAY_SIZE(rows));
        return run_case(t);
}
