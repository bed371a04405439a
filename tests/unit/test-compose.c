/* SPDX-License-Identifier: Apache-2.0 */

/* What docker compose writes onto its containers. */

#include "lib/docker/compose.h"

#include "unit.h"

#define LONG "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
        const char *name, *label, *needed;
} rows[] = {
        { "nothing", "", "" },
        { "one", "db:service_healthy:false", "db " },
        { "two", "db:service_healthy:false,migrate:service_completed_successfully:true",
          "db migrate " },
        { "of an older compose", "db:service_started,cache", "db cache " },
        { "empty ones", ",,:x,db:y,", "db " },
        { "a name that is too long", LONG ":service_started:false,db:y", "db " },
        { "one byte less",
          "a"
          ":x",
          "a " },
};

START_TEST(needed) {
        const char *rest = rows[_i].label;
        char name[PL_COMPOSE_NAME_MAX], all[256] = "";

        while (pl_compose_next_needed(&rest, name))
                (void)snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s ", name);
        ck_assert_msg(pl_streq(all, rows[_i].needed), "%s: %s", rows[_i].name, all);
        ck_assert(!pl_compose_next_needed(&rest, name));
}
END_TEST

int main(void) {
        TCase *t = tcase_create("compose");

        tcase_add_loop_test(t, needed, 0, PL_ARRAY_SIZE(rows));
        return run_case(t);
}
