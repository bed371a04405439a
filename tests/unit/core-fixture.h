/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The registry on a fake engine, and every entry that is reported.
 *
 * A test waits for what must come, however slow the machine is, and never for a span: what must not
 * come is shown by something that comes after it.
 */

#include "fake.h"
#include "lib/base/message.h"
#include "policy-texts.h"
#include "registry/containers.h"
#include "tmp.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

/* Against hanging only; Check's own limit says nothing of the reason. */
#define CEILING_SEC 50

/* Runs the loop until it is true. */
#define RUN_UNTIL(condition)                                                             \
        do {                                                                             \
                time_t run_begin = time(NULL);                                           \
                while (!(condition)) {                                                   \
                        ck_assert_msg(time(NULL) - run_begin < CEILING_SEC, "never: %s", \
                                      #condition);                                       \
                        ck_assert_int_ge(sd_event_run(event, PL_USEC_PER_SEC), 0);       \
                }                                                                        \
        } while (0)

typedef struct Entry {
        int priority;
        char message_id[40], name[64], id[PL_ID_MAX], service[64], reason[200], text[400];
        char fields[600]; /* "PLIMSOLL_X=y " each */
} Entry;

static Fake fake;
static sd_event *event;
static PlRegistry *registry;
static Entry entries[512];
static unsigned n_entries, n_changes;
static char state_dir[64];

static inline void on_entry(void *userdata, const PlEntry *e, const char *text) {
        Entry *to = &entries[n_entries];
        size_t n = 0;

        ck_assert_uint_lt(n_entries, PL_ARRAY_SIZE(entries));
        *to = (Entry){ .priority = e->priority };
        (void)snprintf(to->message_id, sizeof(to->message_id), "%s", e->message_id ?: "");
        (void)snprintf(to->name, sizeof(to->name), "%s", e->container_name ?: "");
        (void)snprintf(to->id, sizeof(to->id), "%s", e->container_id ?: "");
        (void)snprintf(to->service, sizeof(to->service), "%s", e->service ?: "");
        (void)snprintf(to->reason, sizeof(to->reason), "%s", e->reason ?: "");
        (void)snprintf(to->text, sizeof(to->text), "%s", text);
        for (const PlLogField *f = e->fields; f && f->name && n < sizeof(to->fields); f++)
                if (f->value)
                        n += (size_t)snprintf(to->fields + n, sizeof(to->fields) - n, "%s=%s ",
                                              f->name, f->value);
        n_entries++;
}

static inline void on_reporter_changed(void *userdata) {
        n_changes++;
}

static PlReporter reporter = { .listen = on_entry, .changed = on_reporter_changed };

/** The last entry about a container (NULL: any) that says so; NULL: none. */
static inline const Entry *said(const char *name, const char *part) {
        for (unsigned i = n_entries; i-- > 0;)
                if ((!name || pl_streq(entries[i].name, name)) && strstr(entries[i].text, part))
                        return &entries[i];
        return NULL;
}

static inline unsigned n_said(const char *part) {
        unsigned n = 0;

        for (unsigned i = 0; i < n_entries; i++)
                n += strstr(entries[i].text, part) != NULL;
        return n;
}

static inline PlPolicy *parse_policy(const char *text) {
        PlDiagList diag = {};
        PlPolicy *p;
        int r;

        p = parse_texts(&text, 1, &diag, &r);
        ck_assert_msg(r == 0, "%s", text);
        pl_diag_list_deinit(&diag);
        return p;
}

static inline void make_registry(const PlRegistryHandlers *handlers, PlRegistryOptions options,
                                 const char *policy) {
        (void)snprintf(state_dir, sizeof(state_dir), "%s/state", tmp);
        options.state_dir = state_dir;
        options.host = host;
        ck_assert_int_eq(pl_registry_new(event, &reporter, &options, handlers, NULL, &registry), 0);
        ck_assert_ptr_null(pl_registry_set_policy(registry, parse_policy(policy)));
}

/* However slow the machine is, the engine answers in time. */
static inline void use_engine(void) {
        const PlEngineTuning patient = {
                .pong_usec = PL_USEC_PER_MIN * 2,
                .ping_usec = PL_USEC_PER_MIN * 2,
                .version_usec = PL_USEC_PER_MIN * 2,
                .read_usec = PL_USEC_PER_MIN * 2,
                .update_usec = PL_USEC_PER_MIN * 2,
                .patience_usec = PL_USEC_PER_MIN * 2,
                .backoff_base_usec = 20 * PL_USEC_PER_MSEC,
                .backoff_max_usec = 100 * PL_USEC_PER_MSEC,
        };

        ck_assert_int_eq(pl_registry_use_engine(registry), 0);
        pl_engine_tune(registry->engine, &patient);
        ck_assert_int_eq(pl_engine_start(registry->engine), 0);
}

static inline PlSubject *subject(const char *id) {
        return pl_map_get(registry->subjects, id);
}

/* How often the fake engine was asked, as "GET /containers/json". */
static inline json_int_t n_requests(const char *what) {
        json_t *stats = fake_tell(&fake, "{\"op\":\"stats\"}");
        json_int_t n = json_integer_value(
                        json_object_get(json_object_get(stats, "requests"), what));

        json_decref(stats);
        return n;
}

/* Its answer to this path (a regular expression) waits for "release". */
static inline void hold(const char *path) {
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"%s\",\"kind\":\"hold\"}", path);
}

static inline void release(void) {
        fake_do(&fake, "[{\"op\":\"clear\"},{\"op\":\"release\"}]");
}

static inline void core_setup(void) {
        n_entries = n_changes = 0;
        tmp_make("/tmp");
        fake_init(&fake);
        fake_start(&fake, NULL);
        ck_assert_int_ge(sd_event_new(&event), 0);
}

static inline void core_teardown(void) {
        registry = pl_registry_free(registry);
        event = sd_event_unref(event);
        fake_deinit(&fake);
        tmp_remove();
}
