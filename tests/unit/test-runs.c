/* SPDX-License-Identifier: Apache-2.0 */

/* Runs: inspections in a row, and who has started the container again. */

#include "lib/health/runs.h"
#include "unit.h"

/* clang-format off */
static const struct {
        const char *name;
        struct {
                uint64_t started; /* 0: that was the last inspection; 1: it was never started */
                unsigned engine_count;
                bool own, restarting; /* restarting: the engine's phase, between two runs */
        } seen[5];
        uint64_t by_plimsolld, by_engine, by_others;
} rows[] = {
        { "never looked at", { { 0 } }, 0, 0, 0 },
        { "one run", { { 10, 0 }, { 10, 0 } }, 0, 0, 0 },
        { "the engine has restarted it before we looked", { { 10, 4 } }, 0, 4, 0 },
        { "its first start", { { 1, 0 }, { 10, 0 } }, 0, 0, 0 },
        { "by the engine", { { 10, 0 }, { 20, 1 }, { 30, 2 } }, 0, 2, 0 },
        { "by the engine, several between two looks", { { 10, 1 }, { 40, 4 } }, 0, 4, 0 },
        { "by the engine, looked at between the runs", { { 10, 0 }, { 10, 1, false, true }, { 20, 1 } }, 0, 1, 0 },
        { "… which was the first look", { { 10, 4, false, true }, { 20, 4 } }, 0, 4, 0 },
        { "by the engine, and then by others", { { 10, 0 }, { 10, 1, false, true }, { 20, 1 }, { 30, 0 } }, 0, 1, 1 },
        { "by us", { { 10, 0 }, { 10, 0, true }, { 20, 0, true }, { 20, 0 } }, 1, 0, 0 },
        { "by others", { { 10, 0 }, { 20, 0 } }, 0, 0, 1 },
        { "by others, after the engine: it counts anew", { { 10, 3 }, { 20, 0 }, { 30, 1 } }, 0, 4, 1 },
        { "by us, and then by the engine at once", { { 10, 0 }, { 30, 1, true } }, 1, 1, 0 },
        { "each", { { 10, 0 }, { 20, 1 }, { 30, 0, true }, { 40, 0 } }, 1, 1, 1 },
};
/* clang-format on */

START_TEST(runs) {
        PlRuns r = {};

        for (unsigned i = 0; i < PL_ARRAY_SIZE(rows[_i].seen) && rows[_i].seen[i].started; i++) {
                uint64_t started = rows[_i].seen[i].started;
                PlContainer c = { .started_usec = started == 1 ? 0 : started,
                                  .phase = rows[_i].seen[i].restarting ? PL_PHASE_RESTARTING
                                                                       : PL_PHASE_RUNNING,
                                  .restart_count = rows[_i].seen[i].engine_count };

                pl_runs_inspect(&r, &c, rows[_i].seen[i].own);
        }
        ck_assert_msg(r.by_plimsolld == rows[_i].by_plimsolld &&
                                      r.by_engine == rows[_i].by_engine &&
                                      r.by_others == rows[_i].by_others,
                      "%s: %" PRIu64 ", %" PRIu64 ", %" PRIu64, rows[_i].name, r.by_plimsolld,
                      r.by_engine, r.by_others);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("runs");

        tcase_add_loop_test(t, runs, 0, PL_ARRAY_SIZE(rows));
        return run_case(t);
}
