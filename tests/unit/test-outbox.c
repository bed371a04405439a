/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The outbox on a real loop: what gets into the queue on disk, that the loop waits for no disk, and
 * what is found out of the sender's progress.
 */

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/fs.h"
#include "lib/base/message.h"
#include "lib/notify/queue.h"
#include "notify/outbox.h"
#include "policy-texts.h"
#include "tmp.h"

#define SECTION "[Notify ops]\nFormat=text\nURL=https://a.example/\n"
#define ALL     SECTION "On=all\nCooldown=0\n"

/* --- a disk that can hang --- */

static pthread_t loop_thread;
static sem_t disk;
static bool hangs;
static atomic_uint n_syncs, n_syncs_of_loop;

int fsync(int fd) {
        n_syncs++;
        if (pthread_equal(pthread_self(), loop_thread))
                n_syncs_of_loop++;
        else if (hangs)
                (void)sem_wait(&disk);
        return 0;
}

static PlRegistry registry;
static PlReporter reporter;
static PlOutbox *outbox;
static char sent[64], last_report[300];
static unsigned n_reports;

static void on_entry(void *userdata, const PlEntry *entry, const char *text) {
        (void)snprintf(last_report, sizeof(last_report), "%s", text);
        n_reports++;
}

static PlPolicy *policy_of(const char *text) {
        PlDiagList diag = { 0 };
        int r;
        PlPolicy *p = parse_texts(&text, 1, &diag, &r);

        ck_assert_msg(r == 0, "%s", diag.n > 0 ? diag.items[0].message : "");
        pl_diag_list_deinit(&diag);
        return p;
}

static void use_policy(const char *text) {
        PlPolicy *old = registry.policy;

        registry.policy = policy_of(text);
        if (outbox)
                pl_outbox_set_policy(outbox);
        pl_policy_unref(old);
}

static void begin(void) {
        const PlOutboxOptions options = { .state_dir = tmp, .unit_state_dir = sent };

        ck_assert_int_eq(pl_outbox_new(&registry, &options, &outbox), 0);
        pl_outbox_set_policy(outbox);
}

/* As at a stop: all that is known is written. */
static void end(void) {
        outbox = pl_outbox_free(outbox);
}

static void setup(void) {
        tmp_make("/tmp");
        (void)snprintf(sent, sizeof(sent), "%s/sent", tmp);
        ck_assert_int_eq(mkdir(sent, 0755), 0);
        loop_thread = pthread_self();
        hangs = false;
        ck_assert_int_eq(sem_init(&disk, 0, 0), 0);
        reporter = (PlReporter){ .listen = on_entry };
        registry = (PlRegistry){ .reporter = &reporter };
        ck_assert_int_ge(sd_event_new(&registry.event), 0);
        registry.subjects = pl_map_new();
        use_policy(ALL);
        begin();
}

static void teardown(void) {
        end();
        registry.policy = pl_policy_unref(registry.policy);
        pl_map_free(registry.subjects);
        sd_event_unref(registry.event);
        tmp_remove();
}

static void say_as(const char *message_id, int priority, const char *service, const char *container,
                   const char *health, const char *text) {
        const PlLogField fields[] = { { "PLIMSOLL_HEALTH", health }, {} };

        pl_outbox_entry(outbox,
                        &(PlEntry){ .message_id = message_id,
                                    .priority = priority,
                                    .service = service,
                                    .container_name = container,
                                    .fields = fields },
                        text);
}

static void oom(const char *service, const char *text) {
        say_as(PL_MESSAGE_OOM_KILLED, LOG_ERR, service, NULL, NULL, text);
}

static void health(const char *id, int priority, const char *state) {
        say_as(id, priority, "db", "shop-db-1", state, state);
}

/* NULL: there is no file. */
static PlNotifyQueue *queue_on_disk(const char *section, char **ret_url) {
        _cleanup_(pl_notify_section_freep) PlNotifySection *s = NULL;
        _cleanup_free_ char *text = NULL;
        PlNotifyQueue *q = NULL;
        char path[128];
        size_t size;

        (void)snprintf(path, sizeof(path), "%s/notify/%s.json", tmp, section);
        if (pl_fs_read(AT_FDCWD, path, MIB(2), &text, &size) < 0)
                return NULL;
        ck_assert_int_eq(pl_notify_queue_parse(text, size, &q, &s), 0);
        if (ret_url)
                *ret_url = strdup(s->url);
        return q;
}

/* "oom unhealthy recovered": kinds of what is in the queue on disk, after a stop. */
static void holds(const char *kinds) {
        _cleanup_(pl_notify_queue_freep) PlNotifyQueue *q = NULL;
        char got[400] = "";

        end();
        q = queue_on_disk("ops", NULL);
        ck_assert_ptr_nonnull(q);
        for (size_t i = 0; i < q->n; i++)
                (void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? " " : "",
                               pl_notify_kind_word(q->events[i]->kind));
        ck_assert_str_eq(got, kinds);
        begin();
}

/* --- rows --- */

/* A thousand entries, while the disk takes none: each costs no wait, the loop turns on, and one
 * file has the newest of them. */
START_TEST(storm_on_a_disk_that_hangs) {
        _cleanup_(pl_notify_queue_freep) PlNotifyQueue *q = NULL;
        unsigned turns = 0, before;

        before = n_syncs;
        hangs = true;
        for (unsigned i = 0; i < 1000; i++) {
                char service[16];

                (void)snprintf(service, sizeof(service), "s%u", i);
                oom(service, "killed");
                ck_assert_int_ge(sd_event_run(registry.event, 0), 0);
        }
        for (unsigned i = 0; n_syncs == before && i < 600; i++)
                ck_assert_int_ge(sd_event_run(registry.event, 50000), 0);
        ck_assert_uint_eq(n_syncs, before + 1); /* and there it hangs */
        for (; turns < 100; turns++) {
                oom("late", "killed");
                ck_assert_int_ge(sd_event_run(registry.event, 1000), 0);
        }
        ck_assert_uint_eq(n_syncs_of_loop, 0);
        ck_assert_uint_eq(n_syncs, before + 1);
        hangs = false;
        (void)sem_post(&disk);
        end();
        q = queue_on_disk("ops", NULL);
        ck_assert_uint_eq(q->last_id, 1100);
        ck_assert_uint_eq(q->n, PL_NOTIFY_EVENTS_MAX);
        ck_assert_uint_eq(q->dropped, 1100 - PL_NOTIFY_EVENTS_MAX);
        ck_assert_uint_eq(n_syncs, before + 4); /* two files, each with its directory */
}
END_TEST

START_TEST(trouble_and_its_end) {
        health(PL_MESSAGE_HEALTH_CHANGED, LOG_INFO, "healthy"); /* nobody knew of trouble */
        health(PL_MESSAGE_HEALTH_FAILED, LOG_ERR, "unhealthy");
        health(PL_MESSAGE_HEALTH_CHANGED, LOG_INFO, "starting");
        holds("unhealthy");
        /* that it is in trouble has outlived plimsolld */
        health(PL_MESSAGE_HEALTH_CHANGED, LOG_INFO, "healthy");
        health(PL_MESSAGE_HEALTH_CHANGED, LOG_INFO, "healthy");
        holds("unhealthy recovered");
}
END_TEST

START_TEST(another_container_of_the_service) {
        health(PL_MESSAGE_HEALTH_FAILED, LOG_ERR, "unhealthy");
        say_as(PL_MESSAGE_HEALTH_CHANGED, LOG_INFO, "db", "shop-db-2", "healthy", "healthy");
        holds("unhealthy");
        /* a service without any container is well with the first that is */
        say_as(PL_MESSAGE_HEALTH_FAILED, LOG_ERR, "web", NULL, "absent", "no container");
        say_as(PL_MESSAGE_HEALTH_CHANGED, LOG_INFO, "web", "shop-web-1", "healthy", "healthy");
        holds("unhealthy unhealthy recovered");
}
END_TEST

START_TEST(engine) {
        say_as(PL_MESSAGE_ENGINE_CONNECTED, LOG_INFO, NULL, NULL, NULL, "at the start");
        say_as(PL_MESSAGE_ENGINE_LOST, LOG_WARNING, NULL, NULL, NULL, "gone");
        say_as(PL_MESSAGE_ENGINE_CONNECTED, LOG_INFO, NULL, NULL, NULL, "back");
        holds("engine-lost engine-back");
}
END_TEST

START_TEST(held_back) {
        use_policy(SECTION "Cooldown=1h\nServices=db\n");
        oom("db", "1");
        oom("db", "2");
        oom("db", "3");
        oom("web", "not of this section");
        say_as(PL_MESSAGE_DRIFT_REPAIRED, LOG_NOTICE, "db", NULL, NULL, "not on by itself");
        holds("oom oom"); /* a stop does not lose what waited */
}
END_TEST

START_TEST(dry_run) {
        json_t *list;
        uint64_t id;

        use_policy("[Daemon]\nDryRun=yes\n" ALL);
        oom("db", "1");
        ck_assert_int_eq(pl_outbox_test(outbox, "ops", &id), -EROFS);
        list = pl_outbox_list(outbox);
        ck_assert(json_is_true(json_object_get(json_array_get(list, 0), "dry_run")));
        json_decref(list);
        /* what is real again begins with what is on disk */
        use_policy(ALL);
        holds("");
}
END_TEST

START_TEST(sections_come_and_go) {
        _cleanup_free_ char *url = NULL;
        PlNotifyQueue *q;

        oom("db", "1");
        use_policy("[Notify ops]\nFormat=json\nURL=https://b.example/\n[Notify dev]\nFormat=text\n"
                   "URL=https://c.example/\n");
        holds("oom"); /* it goes where it is wanted now */
        q = queue_on_disk("ops", &url);
        ck_assert_str_eq(url, "https://b.example/");
        pl_notify_queue_free(q);
        q = queue_on_disk("dev", NULL);
        ck_assert_ptr_nonnull(q);
        pl_notify_queue_free(q);
        use_policy("[Defaults]\nMemoryMax=1G\n");
        ck_assert_ptr_null(queue_on_disk("ops", NULL));
        ck_assert_ptr_null(queue_on_disk("dev", NULL));
}
END_TEST

static void put_progress(unsigned failures, uint64_t acked, const char *reason) {
        _cleanup_(pl_notify_queue_freep) PlNotifyQueue *q = queue_on_disk("ops", NULL);
        PlNotifyProgress p = { .acked = acked,
                               .failures = failures,
                               .failing_usec = failures,
                               .tried_usec = failures + acked + 1 };
        _cleanup_free_ char *text = NULL;
        char from[128], to[128];

        memcpy(p.id, q->id, sizeof(p.id));
        (void)snprintf(p.reason, sizeof(p.reason), "%s", reason);
        text = pl_notify_progress_format(&p);
        tmp_put("sent/ops.new", text);
        (void)snprintf(from, sizeof(from), "%s/ops.new", sent);
        (void)snprintf(to, sizeof(to), "%s/ops.json", sent);
        ck_assert_int_eq(rename(from, to), 0);
}

/* It comes when sending keeps failing, and goes when something was sent; each is told once. */
START_TEST(finding) {
        json_t *list;
        char *text;

        oom("db", "1");
        for (unsigned i = 0; n_syncs < 2 && i < 600; i++)
                ck_assert_int_ge(sd_event_run(registry.event, 50000), 0);
        ck_assert_ptr_null(pl_outbox_finding(outbox, 0));
        put_progress(3, 0, "HTTP 500");
        for (unsigned i = 0; !(text = pl_outbox_finding(outbox, 0)) && i < 600; i++)
                ck_assert_int_ge(sd_event_run(registry.event, 50000), 0);
        ck_assert_msg(text && strstr(text, "[Notify ops]: nothing is sent for") &&
                                      strstr(text, "HTTP 500; 1 message waits"),
                      "%s", text ?: "none");
        ck_assert_ptr_null(pl_outbox_finding(outbox, 1));
        ck_assert_uint_eq(n_reports, 1);
        ck_assert_str_eq(last_report, text);
        free(text);
        put_progress(0, 1, "");
        for (unsigned i = 0; (text = pl_outbox_finding(outbox, 0)) && i < 600; i++) {
                free(text);
                ck_assert_int_ge(sd_event_run(registry.event, 50000), 0);
        }
        ck_assert_ptr_null(text);
        ck_assert_uint_eq(n_reports, 2);
        ck_assert_str_eq(last_report, "[Notify ops]: messages are sent again");
        list = pl_outbox_list(outbox);
        ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 0), "waiting")),
                         0);
        json_decref(list);
}
END_TEST

START_TEST(test_is_queued) {
        PlNotifyQueue *q;
        uint64_t id;

        ck_assert_int_eq(pl_outbox_test(outbox, "nobody", &id), -ENOENT);
        ck_assert_int_eq(pl_outbox_test(outbox, "ops", &id), 0);
        ck_assert_uint_eq(id, 1);
        ck_assert_int_eq(pl_outbox_test(outbox, "ops", &id), 0);
        ck_assert_uint_eq(id, 2);
        holds("");
        q = queue_on_disk("ops", NULL);
        ck_assert_uint_eq(q->test_id, 2);
        pl_notify_queue_free(q);
}
END_TEST

START_TEST(broken_queue) {
        end();
        tmp_put("notify/ops.json", "{half");
        tmp_put("notify/gone.json", "{}");
        tmp_put("notify/ops.json.new", "{");
        begin();
        ck_assert_uint_eq(n_reports, 1);
        ck_assert_ptr_nonnull(strstr(last_report, "what [Notify ops] had still to tell is lost"));
        oom("db", "1");
        holds("oom");
        ck_assert_ptr_null(queue_on_disk("gone", NULL));
}
END_TEST

int main(void) {
        TCase *t = tcase_create("outbox");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, storm_on_a_disk_that_hangs);
        tcase_add_test(t, trouble_and_its_end);
        tcase_add_test(t, another_container_of_the_service);
        tcase_add_test(t, engine);
        tcase_add_test(t, held_back);
        tcase_add_test(t, dry_run);
        tcase_add_test(t, sections_come_and_go);
        tcase_add_test(t, finding);
        tcase_add_test(t, test_is_queued);
        tcase_add_test(t, broken_queue);
        return run_case(t);
}
