/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An engine that makes up containers without end, or lets each say a lot of itself: what is known
 * is looked after as before, and the memory that all of it takes has an end.
 */

#include <malloc.h>

#include "core-fixture.h"

#define MOST 12 /* asked of the engine, whatever else waits */

static unsigned n_events, n_inspected, n_listed;

static int on_added(void *userdata, PlSubject *s) {
        return 0;
}

static int on_claim(void *userdata, const PlEngineInfo *info) {
        return 0;
}

static void on_removed(void *userdata, PlSubject *s, PlRemoval why) {}

static void on_event(void *userdata, PlSubject *s, const PlEvent *e) {
        n_events++;
}

static void on_inspected(void *userdata, PlSubject *s, bool current) {
        n_inspected += pl_streq(s->id, ID_A);
}

static void on_engine(void *userdata, const PlEngineInfo *info) {}

static void on_listed(void *userdata) {
        n_listed++;
}

static void on_synced(void *userdata, bool first) {}

static void on_quiet(void *userdata) {}

static const PlRegistryHandlers handlers = {
        .added = on_added,
        .claim = on_claim,
        .removed = on_removed,
        .event = on_event,
        .inspected = on_inspected,
        .engine = on_engine,
        .listed = on_listed,
        .synced = on_synced,
        .quiet = on_quiet,
};

static size_t in_use(void) {
        struct mallinfo2 m = mallinfo2();

        return m.uordblks + m.hblkhd;
}

static size_t before;

static void setup(void) {
        core_setup();
        make_registry(&handlers, (PlRegistryOptions){ .engine_url = fake.url },
                      "[Service web]\nMatch=name:web\n");
        fake_do(&fake, "{\"op\":\"add\",\"name\":\"web\",\"id\":\"" ID_A "\",\"running\":true}");
        use_engine();
        RUN_UNTIL(n_listed > 0);
        ck_assert_ptr_nonnull(subject(ID_A)->service);
        before = in_use();
}

/* Whatever the others do: an event of it is heard, and what it changed is asked for. */
static void web_is_looked_after(void) {
        unsigned inspected = n_inspected;

        fake_do(&fake, "{\"op\":\"pause\",\"name\":\"web\"}");
        RUN_UNTIL(n_inspected > inspected);
        ck_assert_int_eq(subject(ID_A)->facts->phase, PL_PHASE_PAUSED);
}

START_TEST(events_of_new_ids) {
        hold("/containers/f");
        fake_do(&fake, "{\"op\":\"flood\",\"n\":%d,\"bytes\":100}", PL_REGISTRY_MAX + 1999);
        RUN_UNTIL(registry->n_over == 2000);
        ck_assert_uint_eq(pl_map_size(registry->subjects), PL_REGISTRY_MAX);
        ck_assert_uint_lt(in_use() - before, MIB(48));
        ck_assert_ptr_nonnull(subject(ID_A)->service);
        ck_assert(subject(ID_A)->facts && !subject(ID_A)->provisional);
        /* a list shows who is there: what was made up makes room */
        pl_registry_resync(registry);
        RUN_UNTIL(pl_map_size(registry->subjects) == 1);
        ck_assert_uint_eq(registry->n_over, 0);
        ck_assert_uint_eq(registry->bytes, subject(ID_A)->facts->packed_bytes);
        release();
        web_is_looked_after();
}
END_TEST

START_TEST(events_that_say_a_lot) {
        size_t refused = 0;
        PlSubject *s;

        hold("/containers/f");
        fake_do(&fake, "{\"op\":\"flood\",\"n\":%d,\"bytes\":%d}", 400, 200000);
        RUN_UNTIL(n_events == 400);
        ck_assert_uint_le(registry->bytes, PL_REGISTRY_BYTES);
        ck_assert_uint_lt(in_use() - before, MIB(48));
        PL_MAP_FOREACH(s, registry->subjects)
        refused += s->refused;
        ck_assert_uint_gt(refused, 0);
        release();
        RUN_UNTIL(pl_map_size(registry->subjects) == 1); /* there is none of them */
        ck_assert_uint_eq(registry->bytes, subject(ID_A)->facts->packed_bytes);
        web_is_looked_after();
}
END_TEST

/* 128 labels of 4 KiB each are what one container may say. */
START_TEST(containers_that_say_a_lot) {
        unsigned n = PL_REGISTRY_BYTES / (128 * 4096) + 10;
        size_t refused = 0;
        PlSubject *s;

        fake_do(&fake, "{\"op\":\"generate\",\"n\":%u,\"labels\":128,\"bytes\":4095}", n);
        n_listed = 0;
        pl_registry_resync(registry);
        RUN_UNTIL(n_listed > 0);
        ck_assert_uint_le(registry->bytes, PL_REGISTRY_BYTES);
        PL_MAP_FOREACH(s, registry->subjects) {
                ck_assert(!s->refused || !s->facts);
                refused += s->refused;
        }
        ck_assert_uint_gt(refused, 0);
        ck_assert_uint_lt(refused, MOST);
        ck_assert(said(NULL, "say more of themselves"));
        web_is_looked_after();
}
END_TEST

int main(void) {
        TCase *t = tcase_create("registry-flood");

        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, core_teardown);
        tcase_add_test(t, events_of_new_ids);
        tcase_add_test(t, events_that_say_a_lot);
        tcase_add_test(t, containers_that_say_a_lot);
        return run_case(t);
}
