/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Labels: a container's facts wait until its image has told which labels are its own.
 */

#include "core-fixture.h"
#include "lib/policy/document.h"

static unsigned n_inspected[26], n_outdated, n_events, n_listed, n_removed, n_lost;

static int on_added(void *userdata, PlSubject *s) {
        return 0;
}

static int on_claim(void *userdata, const PlEngineInfo *info) {
        return 0;
}

static void on_removed(void *userdata, PlSubject *s, PlRemoval why) {
        n_removed += why == PL_REMOVAL_GONE;
}

static void on_event(void *userdata, PlSubject *s, const PlEvent *e) {
        n_events++;
}

static void on_inspected(void *userdata, PlSubject *s, bool current) {
        *(current ? &n_inspected[s->id[0] - 'a'] : &n_outdated) += 1;
}

static void on_engine(void *userdata, const PlEngineInfo *info) {
        n_lost += !info;
}

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

static void setup(void) {
        core_setup();
        make_registry(&handlers, (PlRegistryOptions){ .engine_url = fake.url }, "");
        fake_do(&fake, "[{\"op\":\"add\",\"name\":\"web\",\"id\":\"" ID_A "\",\"running\":true},"
                       "{\"op\":\"add\",\"name\":\"db\",\"id\":\"" ID_B "\",\"running\":true,"
                       "\"inspect\":{\"Config\":{\"Labels\":null}}}]");
}

/* The loop, until whatever was sent before is through. */
static void run_through(void) {
        unsigned before = n_events;

        fake_do(&fake, "{\"op\":\"kill\",\"name\":\"db\"}");
        RUN_UNTIL(n_events > before);
}

#define LABELS   "[Daemon]\nLabels=yes\n[Defaults]\nMemoryMax=256M\n"
#define LABELLED "\"inspect\":{\"Config\":{\"Labels\":{\"plimsoll.MemoryMax\":\"2G\"}}}"
#define IMAGE    "sha256:5f9b8590646523b82c9ad1f958c1b68e9abdafa3ad3a032e25baa8d80797338d"

static uint64_t memory_max(const char *id) {
        return subject(id)->service->limits.v[PL_RESOURCE_MEMORY_MAX].number;
}

static void image_has(const char *labels) {
        fake_do(&fake, "{\"op\":\"image\",\"id\":\"" IMAGE "\",\"labels\":%s}", labels);
}

static void use_policy(const char *text) {
        pl_policy_unref(pl_registry_set_policy(registry, parse_policy(text)));
}

static void label_web(void) {
        fake_do(&fake, "{\"op\":\"set\",\"name\":\"web\"," LABELLED "}");
        use_policy(LABELS);
}

/* Nothing is known of a container whose [Defaults] a label may change, until that is known, too. */
START_TEST(labels_wait_for_the_image) {
        label_web();
        image_has("{\"a\":\"b\"}");
        hold("/images/");
        use_engine();
        RUN_UNTIL(n_inspected[1] == 1);
        run_through();
        ck_assert_ptr_null(subject(ID_A)->facts);
        ck_assert_uint_eq(n_listed, 0);
        release();
        RUN_UNTIL(n_listed > 0);
        ck_assert_uint_eq(n_inspected[0], 1);
        ck_assert_uint_eq(memory_max(ID_A), GIB(2));
        ck_assert_uint_eq(memory_max(ID_B), MIB(256));
        /* it is asked once, and by no container without labels */
        pl_registry_inspect(registry, subject(ID_A));
        RUN_UNTIL(n_inspected[0] == 2);
        ck_assert_uint_eq(memory_max(ID_A), GIB(2));
        ck_assert_int_eq(n_requests("GET /images/sha256:ID/json"), 1);
}
END_TEST

START_TEST(labels_of_the_image) {
        label_web();
        image_has("{\"plimsoll.MemoryMax\":\"2G\"}");
        use_engine();
        RUN_UNTIL(n_listed > 0);
        ck_assert_uint_eq(memory_max(ID_A), MIB(256));
        ck_assert_ptr_null(subject(ID_A)->labels);
        ck_assert_ptr_null(subject(ID_A)->labels_error);
}
END_TEST

/* Then nobody knows whose they are. The container is looked after all the same. */
START_TEST(labels_of_an_image_that_is_gone) {
        label_web();
        use_engine();
        RUN_UNTIL(n_listed > 0);
        ck_assert_uint_eq(memory_max(ID_A), MIB(256));
        ck_assert_ptr_nonnull(strstr(subject(ID_A)->labels_error, "No such image"));
        image_has("{}");
        pl_registry_inspect(registry, subject(ID_A));
        RUN_UNTIL(n_inspected[0] == 2);
        ck_assert_uint_eq(memory_max(ID_A), GIB(2));
        ck_assert_ptr_null(subject(ID_A)->labels_error);
}
END_TEST

/* What happens while the image is asked is not in the answer about the container. */
START_TEST(labels_and_events) {
        label_web();
        image_has("{}");
        hold("/images/");
        use_engine();
        RUN_UNTIL(n_inspected[1] == 1);
        fake_do(&fake, "{\"op\":\"die\",\"name\":\"web\",\"exit\":1}");
        RUN_UNTIL(n_events > 0);
        release();
        RUN_UNTIL(n_inspected[0] == 1);
        ck_assert_uint_eq(n_outdated, 1);
        ck_assert_int_eq(subject(ID_A)->facts->phase, PL_PHASE_EXITED);
}
END_TEST

START_TEST(labels_and_the_engine_that_goes) {
        label_web();
        image_has("{}");
        hold("/images/");
        use_engine();
        RUN_UNTIL(n_inspected[1] == 1);
        run_through();
        fake_do(&fake, "[{\"op\":\"clear\"},{\"op\":\"cut\"}]");
        RUN_UNTIL(n_lost > 0 && n_inspected[0] > 0);
        ck_assert_uint_eq(memory_max(ID_A), GIB(2));
        ck_assert_uint_eq(n_inspected[0], 1);
}
END_TEST

/* Removed, renamed to another section, and reloaded: what was borrowed is there as long as it may
 * be looked at, which the sanitizers see. */
START_TEST(labels_and_policies) {
        const PlService *first, *named;

        label_web();
        image_has("{}");
        use_engine();
        RUN_UNTIL(n_listed > 0);
        first = subject(ID_A)->service;
        use_policy("[Defaults]\nMemoryMax=256M\n");
        ck_assert_uint_eq(memory_max(ID_A), MIB(256));
        use_policy("[Daemon]\nLabels=TasksMax\n[Defaults]\nMemoryMax=256M\n");
        ck_assert_uint_eq(memory_max(ID_A), MIB(256));
        ck_assert_ptr_nonnull(said("web", "Labels= of the policy does not name MemoryMax"));
        use_policy(LABELS "[Service x]\nMatch=name:x\nTasksMax=9\n");
        ck_assert_uint_eq(memory_max(ID_A), GIB(2));
        first = subject(ID_A)->service;
        fake_do(&fake, "{\"op\":\"rename\",\"name\":\"web\",\"to\":\"x\"}");
        RUN_UNTIL(subject(ID_A)->service->name);
        named = subject(ID_A)->service;
        ck_assert_uint_eq(memory_max(ID_A), GIB(2));
        ck_assert_ptr_eq(pl_service_section(named), registry->policy->services[0]);
        ck_assert_uint_eq(first->limits.v[PL_RESOURCE_MEMORY_MAX].number, GIB(2));
        fake_do(&fake, "{\"op\":\"rename\",\"name\":\"x\",\"to\":\"web\"}");
        RUN_UNTIL(subject(ID_A)->service == first);
        ck_assert_int_eq(n_requests("GET /images/sha256:ID/json"), 1);
        fake_do(&fake, "{\"op\":\"destroy\",\"name\":\"web\"}");
        RUN_UNTIL(n_removed > 0);
}
END_TEST

/* Without [Defaults] and a section nothing is done to it, unless a label says something. */
START_TEST(labels_alone) {
        fake_do(&fake, "{\"op\":\"set\",\"name\":\"web\",\"inspect\":{\"Config\":{\"Labels\":"
                       "{\"plimsoll.MemoryMax\":\"lots\"}}}}");
        image_has("{}");
        use_policy("[Daemon]\nLabels=yes\n");
        use_engine();
        RUN_UNTIL(n_listed > 0);
        ck_assert_ptr_null(subject(ID_A)->service);
        ck_assert_ptr_nonnull(strstr(subject(ID_A)->labelled->faults[0], "not understood"));
        ck_assert_ptr_nonnull(said("web", "label plimsoll.MemoryMax: MemoryMax=lots: not"));
        fake_do(&fake, "{\"op\":\"create\",\"name\":\"c\",\"id\":\"" ID_C "\"," LABELLED "}");
        RUN_UNTIL(subject(ID_C) && subject(ID_C)->service);
        ck_assert_uint_eq(memory_max(ID_C), GIB(2));
}
END_TEST

#define BY_LABEL \
        "[Service web]\nMatch=compose-service:web\nMemoryMax=2G\n[Defaults]\nMemoryMax=256M\n"

static const struct {
        const char *name, *daemon, *image;
        uint64_t memory_max;
        bool unknown; /* it is what its labels say */
} choices[] = {
        { "the creator's", "", "{\"a\":\"b\"}", GIB(2), false },
        { "another value of the image", "", "{\"com.docker.compose.service\":\"db\"}", GIB(2),
          false },
        { "the image's own", "", "{\"com.docker.compose.service\":\"web\"}", MIB(256), false },
        { "the image's own, which may", "[Daemon]\nMatchImageLabels=yes\n",
          "{\"com.docker.compose.service\":\"web\"}", GIB(2), false },
        { "the image is gone", "", NULL, GIB(2), true },
};

/* No image chooses the section of its container. */
START_TEST(section_by_label) {
        char text[400];

        (void)snprintf(text, sizeof(text), "%s" BY_LABEL, choices[_i].daemon);
        use_policy(text);
        if (choices[_i].image)
                image_has(choices[_i].image);
        use_engine();
        RUN_UNTIL(n_listed > 0);
        ck_assert_msg(memory_max(ID_A) == choices[_i].memory_max, "%s: %" PRIu64, choices[_i].name,
                      memory_max(ID_A));
        ck_assert((subject(ID_A)->labels_error != NULL) == choices[_i].unknown);
        ck_assert_uint_eq(memory_max(ID_B), MIB(256));
        /* a reload may change what counts, and needs no further question */
        use_policy(BY_LABEL);
        ck_assert_uint_eq(memory_max(ID_A), choices[_i].image && strstr(choices[_i].image, "web")
                                                            ? MIB(256)
                                                            : GIB(2));
        ck_assert_int_eq(n_requests("GET /images/sha256:ID/json"), 1);
}
END_TEST

/* Many containers of one image ask it once between them. */
START_TEST(one_question_for_all) {
        fake_do(&fake, "[{\"op\":\"set\",\"name\":\"db\",\"inspect\":{\"Config\":{\"Labels\":"
                       "{\"com.docker.compose.service\":\"web\"}}}}]");
        use_policy(BY_LABEL);
        image_has("{\"com.docker.compose.service\":\"web\"}");
        hold("/images/");
        use_engine();
        RUN_UNTIL(n_requests("GET /images/sha256:ID/json") > 0 && subject(ID_A) &&
                  subject(ID_A)->labels_asked && subject(ID_B)->labels_asked);
        release();
        RUN_UNTIL(n_listed > 0);
        ck_assert_uint_eq(memory_max(ID_A), MIB(256));
        ck_assert_uint_eq(memory_max(ID_B), MIB(256));
        ck_assert_int_eq(n_requests("GET /images/sha256:ID/json"), 1);
        fake_do(&fake,
                "[{\"op\":\"destroy\",\"name\":\"web\"},{\"op\":\"destroy\",\"name\":\"db\"}]");
        RUN_UNTIL(n_removed == 2);
        ck_assert_uint_eq(pl_map_size(registry->images), 0);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("registry-labels");

        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, core_teardown);
        tcase_add_test(t, labels_wait_for_the_image);
        tcase_add_test(t, labels_of_the_image);
        tcase_add_test(t, labels_of_an_image_that_is_gone);
        tcase_add_test(t, labels_and_events);
        tcase_add_test(t, labels_and_the_engine_that_goes);
        tcase_add_test(t, labels_and_policies);
        tcase_add_test(t, labels_alone);
        tcase_add_loop_test(t, section_by_label, 0, PL_ARRAY_SIZE(choices));
        tcase_add_test(t, one_question_for_all);
        return run_case(t);
}
