/* SPDX-License-Identifier: Apache-2.0 */
/* The word that was probably meant. */
#include "lib/base/similar.h"
#include "unit.h"

static const char *const words[] = { "MemoryMax", "MemoryLow", "CPUQuota", "logs", "import", NULL };

static const struct {
        const char *word, *meant; /* NULL: none */
} rows[] = {
        { "MemoryMaximum", "MemoryMax" },
        { "memorymax", "MemoryMax" },
        { "MemoryLo", "MemoryLow" },
        { "CPUQuta", "CPUQuota" },
        { "lgos", "logs" },
        { "log", "logs" },
        { "MemoryLax", "MemoryMax" }, /* one edit from both: the first one */
        { "Meomryaxm", "MemoryMax" },
        { "QuotaCPU", NULL },
        { "imp", "import" },
        { "", NULL },
        { "nonsense", NULL },
        { "a word that is longer than any of ours could ever be", NULL },
};

static const char *word_at(const void *userdata, size_t i) {
        return words[i];
}

START_TEST(similar) {
        const char *meant = pl_similar(rows[_i].word, word_at, NULL);

        ck_assert_msg(pl_streq_null(meant, rows[_i].meant), "'%s': %s", rows[_i].word,
                      meant ? meant : "(none)");
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, similar, 0, PL_ARRAY_SIZE(rows));
        return run_case(c);
}
