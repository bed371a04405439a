/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The reporter: one entry becomes one entry of the journal and one line of the event stream, and
 * both say the same.
 */

#include <sys/stat.h>
#include <sys/uio.h>

#include "lib/base/message.h"
#include "report/reporter.h"
#include "unit.h"

/* --- what the linker takes for the journal and the stream --- */

int sd_journal_sendv_with_location(const char *file, const char *line, const char *func,
                                   const struct iovec *iov, int n);

static char journal[64][200]; /* "MESSAGE=…" of the last entry */
static unsigned n_fields, n_entries, n_published, n_heard;
static json_t *streamed; /* the last line */
static bool listening;
static char heard[200];

int sd_journal_sendv_with_location(const char *file, const char *line, const char *func,
                                   const struct iovec *iov, int n) {
        ck_assert_int_le(n, (int)PL_ARRAY_SIZE(journal));
        for (int i = 0; i < n; i++)
                (void)snprintf(journal[i], sizeof(journal[0]), "%.*s", (int)iov[i].iov_len,
                               (const char *)iov[i].iov_base);
        n_fields = (unsigned)n;
        n_entries++;
        return 0;
}

bool pl_ctl_server_has_listeners(const PlCtlServer *s) {
        return listening;
}

void pl_ctl_server_publish(PlCtlServer *s, json_t *entry) {
        json_decref(streamed);
        streamed = json_deep_copy(entry);
        n_published++;
}

static void on_entry(void *userdata, const PlEntry *entry, const char *text) {
        (void)snprintf(heard, sizeof(heard), "%s", text);
        n_heard++;
}

static int a_server;
static PlReporter reporter = { .stream = (PlCtlServer *)&a_server, .listen = on_entry };

/* NULL: the entry has no such field. */
static const char *in_journal(const char *name) {
        for (unsigned i = 0; i < n_fields; i++)
                if (pl_startswith(journal[i], name) && journal[i][strlen(name)] == '=')
                        return journal[i] + strlen(name) + 1;
        return NULL;
}

static const char *in_stream(const char *key) {
        return json_string_value(json_object_get(streamed, key));
}

static void setup(void) {
        struct stat st;
        char stream[64];

        /* stderr is the journal's, as under systemd */
        ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
        (void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
                       (unsigned long long)st.st_ino);
        (void)setenv("JOURNAL_STREAM", stream, 1);
        pl_log_setup(LOG_INFO);
        listening = true;
}

static void teardown(void) {
        json_decref(streamed);
        streamed = NULL;
}

static const PlLogField two[] = { { "PLIMSOLL_HEALTH", "unhealthy" },
                                  { "PLIMSOLL_WAITS_FOR", NULL },
                                  { "PLIMSOLL_EXIT_CODE", "137" },
                                  {} };

static const struct {
        const char *name;
        PlEntry entry;
        const char *message; /* the journal's */
} rows[] = {
        { "all of it",
          { LOG_ERR, PL_MESSAGE_HEALTH_FAILED, "web-1", "0123", "web", "exit code 137", two },
          "web-1: it says so" },
        { "a container alone",
          { LOG_WARNING, NULL, "web-1", "0123", NULL, NULL, NULL },
          "web-1: it says so" },
        { "a service without a container",
          { LOG_ERR, PL_MESSAGE_HEALTH_FAILED, NULL, NULL, "web", NULL, two },
          "web: it says so" },
        { "nobody's",
          { LOG_INFO, PL_MESSAGE_ENGINE_CONNECTED, NULL, NULL, NULL, NULL, NULL },
          "it says so" },
        { "a reason alone", { LOG_NOTICE, NULL, NULL, NULL, NULL, "because", NULL }, "it says so" },
};

/* A field of the journal and the stream's member for it. */
static const char *const pairs[][2] = {
        { "MESSAGE_ID", "message_id" },        { "CONTAINER_NAME", "container" },
        { "CONTAINER_ID_FULL", "id" },         { "PLIMSOLL_SERVICE", "service" },
        { "PLIMSOLL_REASON", "reason" },       { "PLIMSOLL_HEALTH", "health" },
        { "PLIMSOLL_WAITS_FOR", "waits_for" }, { "PLIMSOLL_EXIT_CODE", "exit_code" },
};

START_TEST(journal_and_stream_agree) {
        const char *name = rows[_i].name;

        pl_report(&reporter, &rows[_i].entry, "it says %s", "so");
        ck_assert_str_eq(in_journal("MESSAGE"), rows[_i].message);
        ck_assert_str_eq(in_stream("message"), "it says so");
        ck_assert_str_eq(heard, "it says so");
        ck_assert_int_eq(atoi(in_journal("PRIORITY")), rows[_i].entry.priority);
        ck_assert_int_eq((int)json_integer_value(json_object_get(streamed, "priority")),
                         rows[_i].entry.priority);
        for (unsigned i = 0; i < PL_ARRAY_SIZE(pairs); i++) {
                const char *j = in_journal(pairs[i][0]), *s = in_stream(pairs[i][1]);

                ck_assert_msg(pl_streq(j ?: "-", s ?: "-"), "%s: %s=%s, but \"%s\": %s", name,
                              pairs[i][0], j ?: "-", pairs[i][1], s ?: "-");
        }
        ck_assert_str_eq(in_journal("PLIMSOLL_REASON") ?: "-", rows[_i].entry.reason ?: "-");
        ck_assert_str_eq(in_journal("PLIMSOLL_EXIT_CODE") ?: "-",
                         rows[_i].entry.fields ? "137" : "-");
        ck_assert_str_eq(in_journal("CONTAINER_NAME") ?: "-", rows[_i].entry.container_name ?: "-");
        ck_assert_uint_gt(json_integer_value(json_object_get(streamed, "time_usec")), 0);
}
END_TEST

/* Once in each place, whoever listens. */
START_TEST(one_entry_one_wording) {
        pl_report(&reporter, &rows[0].entry, "one");
        ck_assert_uint_eq(n_entries, 1);
        ck_assert_uint_eq(n_published, 1);
        ck_assert_uint_eq(n_heard, 1);
        listening = false; /* costs nothing then */
        pl_report(&reporter, &rows[0].entry, "two");
        ck_assert_uint_eq(n_entries, 2);
        ck_assert_uint_eq(n_published, 1);
        ck_assert_uint_eq(n_heard, 2);
        pl_report(&(PlReporter){}, &rows[0].entry, "before anybody can listen");
        pl_report(NULL, &rows[0].entry, "the journal alone");
        ck_assert_uint_eq(n_entries, 4);
        ck_assert_uint_eq(n_published, 1);
}
END_TEST

/* An entry as long as any, with its reason: neither loses the last one. */
START_TEST(many_fields) {
        static char names[20][32];
        PlLogField fields[21] = {};
        PlEntry entry = rows[0].entry;
        char key[32];

        for (unsigned i = 0; i < 20; i++) {
                (void)snprintf(names[i], sizeof(names[i]), "PLIMSOLL_N%u", i);
                fields[i] = (PlLogField){ names[i], "x" };
        }
        entry.fields = fields;
        pl_report(&reporter, &entry, "many");
        for (unsigned i = 0; i < 20; i++) {
                (void)snprintf(key, sizeof(key), "n%u", i);
                ck_assert_msg(in_stream(key) != NULL, "the stream has no %s", key);
                ck_assert_msg(in_journal(names[i]) != NULL, "the journal has no %s", names[i]);
        }
}
END_TEST

/* What a container chose does not steer a terminal; the stream's JSON has its own escapes. */
START_TEST(control_characters) {
        pl_report(&reporter, &(PlEntry){ .priority = LOG_INFO, .container_name = "a\033[2Jb" },
                  "x\ny");
        ck_assert_ptr_null(strchr(in_journal("MESSAGE"), '\033'));
        ck_assert_ptr_null(strchr(in_journal("MESSAGE"), '\n'));
        ck_assert_ptr_null(strchr(in_journal("CONTAINER_NAME"), '\033'));
        ck_assert_str_eq(in_stream("message"), "x\ny");
}
END_TEST

int main(void) {
        TCase *t = tcase_create("reporter");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, journal_and_stream_agree, 0, (int)PL_ARRAY_SIZE(rows));
        tcase_add_test(t, one_entry_one_wording);
        tcase_add_test(t, many_fields);
        tcase_add_test(t, control_characters);
        return run_case(t);
}
