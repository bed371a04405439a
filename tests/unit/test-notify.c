/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who is told what, and when: kinds of entries, quiet hours, addresses, and [Notify] sections.
 */

#include <time.h>

#include "lib/base/message.h"
#include "lib/base/strv.h"
#include "lib/notify/kind.h"
#include "lib/notify/quiet.h"
#include "lib/notify/section.h"
#include "lib/notify/url.h"
#include "unit.h"

#define NONE      _PL_NOTIFY_KIND_N
#define BIT(kind) (UINT32_C(1) << PL_NOTIFY_##kind)

/* --- kinds --- */

static const struct {
        const char *name, *message_id;
        int priority;
        const char *health;
        bool counts;
        PlNotifyKind kind;
} entries[] = {
        { "no id", NULL, 3, NULL, false, NONE },
        { "unhealthy", PL_MESSAGE_HEALTH_FAILED, 3, "unhealthy", false, PL_NOTIFY_UNHEALTHY },
        { "absent", PL_MESSAGE_HEALTH_FAILED, 3, "absent", false, PL_NOTIFY_UNHEALTHY },
        { "well again", PL_MESSAGE_HEALTH_CHANGED, 5, "healthy", true, PL_NOTIFY_RECOVERED },
        { "after a start", PL_MESSAGE_HEALTH_CHANGED, 6, "healthy", true, PL_NOTIFY_RECOVERED },
        { "well, nobody knew it was not", PL_MESSAGE_HEALTH_CHANGED, 5, "healthy", false, NONE },
        { "starting", PL_MESSAGE_HEALTH_CHANGED, 6, "starting", true, NONE },
        { "for want of another", PL_MESSAGE_HEALTH_CHANGED, 5, "unhealthy", false, NONE },
        { "disputed", PL_MESSAGE_HEALTH_DISPUTED, 4, "degraded", false, PL_NOTIFY_DISPUTED },
        { "flapping", PL_MESSAGE_HEALTH_FLAPPING, 4, "degraded", false, PL_NOTIFY_FLAPPING },
        { "a minor change", PL_MESSAGE_HEALTH_FLAPPING, 7, "degraded", false, NONE },
        { "restarted", PL_MESSAGE_RESTARTED, 4, NULL, false, PL_NOTIFY_RESTARTED },
        { "gave up", PL_MESSAGE_RESTART_GAVE_UP, 2, NULL, false, PL_NOTIFY_GAVE_UP },
        { "oom", PL_MESSAGE_OOM_KILLED, 3, NULL, false, PL_NOTIFY_OOM },
        { "disk full", PL_MESSAGE_LOG_FAILED, 2, NULL, false, PL_NOTIFY_LOG_FULL },
        { "rotation failed", PL_MESSAGE_LOG_FAILED, 3, NULL, false, PL_NOTIFY_LOG_FAILED },
        { "log files", PL_MESSAGE_LOG_FILES_FAILED, 4, NULL, false, PL_NOTIFY_LOG_FAILED },
        { "rotated", PL_MESSAGE_LOG_ROTATED, 6, NULL, false, NONE },
        { "who is not told is not told that", PL_MESSAGE_NOTIFY_FAILED, 3, NULL, false, NONE },
        { "an id of another", "00000000000000000000000000000000", 3, NULL, false, NONE },
};

START_TEST(kind_of_entry) {
        PlNotifyKind k = pl_notify_kind_of(entries[_i].message_id, entries[_i].priority,
                                           entries[_i].health, entries[_i].counts);

        ck_assert_msg(k == entries[_i].kind, "%s: %d", entries[_i].name, (int)k);
}
END_TEST

/* A new message id is either told, or said not to be. */
START_TEST(every_message_has_a_row) {
        char line[256], source[60000] = "";
        FILE *f = fopen(PLIMSOLL_SOURCE_ROOT "/lib/notify/kind.c", "re");
        unsigned n = 0;

        ck_assert_ptr_nonnull(f);
        source[fread(source, 1, sizeof(source) - 1, f)] = '\0';
        (void)fclose(f);
        f = fopen(PLIMSOLL_SOURCE_ROOT "/lib/base/message.h", "re");
        ck_assert_ptr_nonnull(f);
        while (fgets(line, sizeof(line), f)) {
                char name[64], row[80];

                if (sscanf(line, "#define %63s \"", name) != 1 ||
                    !pl_startswith(name, "PL_MESSAGE_"))
                        continue;
                (void)snprintf(row, sizeof(row), "{ %s,", name);
                ck_assert_msg(strstr(source, row) != NULL, "lib/notify/kind.c has no row for %s",
                              name);
                n++;
        }
        (void)fclose(f);
        ck_assert_uint_gt(n, 25);
}
END_TEST

static const struct {
        const char *word;
        uint32_t mask;
} words[] = {
        { "oom", BIT(OOM) },
        { "finding-critical", BIT(GAVE_UP) | BIT(LOG_FULL) },
        { "finding-high", BIT(UNHEALTHY) | BIT(GAVE_UP) | BIT(OOM) | BIT(MODEL) |
                                          BIT(LIMIT_FAILED) | BIT(STANDOFF) | BIT(LOG_FULL) |
                                          BIT(LOG_FAILED) | BIT(LOG_DROPPED) | BIT(ENGINE_LOST) |
                                          BIT(POLICY_REJECTED) },
        { "all", BIT(TEST) - 1 },
        { "test", 0 },
        { "Oom", 0 },
        { "", 0 },
};

START_TEST(on_word) {
        ck_assert_msg(pl_notify_on(words[_i].word) == words[_i].mask, "%s: %x", words[_i].word,
                      (unsigned)pl_notify_on(words[_i].word));
}
END_TEST

START_TEST(words_are_one_to_one) {
        for (PlNotifyKind k = 0; k < _PL_NOTIFY_KIND_N; k++)
                ck_assert_int_eq(pl_notify_kind_from_word(pl_notify_kind_word(k)), k);
        ck_assert_int_eq(pl_notify_kind_from_word("none"), NONE);
        for (size_t i = 0; pl_notify_on_word(NULL, i); i++)
                ck_assert_uint_ne(pl_notify_on(pl_notify_on_word(NULL, i)), 0);
}
END_TEST

/* --- quiet hours --- */

static const struct {
        const char *name, *zone, *quiet, *now, *until; /* UTC; NULL: it is not quiet */
} nights[] = {
        { "by day", "UTC", "22:00-07:00", "2026-01-10 12:00:00", NULL },
        { "before midnight", "UTC", "22:00-07:00", "2026-01-10 23:30:10", "2026-01-11 07:00:00" },
        { "after midnight", "UTC", "22:00-07:00", "2026-01-11 03:00:00", "2026-01-11 07:00:00" },
        { "its first second", "UTC", "22:00-07:00", "2026-01-10 22:00:00", "2026-01-11 07:00:00" },
        { "the second before", "UTC", "22:00-07:00", "2026-01-10 21:59:59", NULL },
        { "its end", "UTC", "22:00-07:00", "2026-01-11 07:00:00", NULL },
        { "its last second", "UTC", "22:00-07:00", "2026-01-11 06:59:59", "2026-01-11 07:00:00" },
        { "at noon", "UTC", "12:00-13:30", "2026-01-10 12:15:00", "2026-01-10 13:30:00" },
        { "after noon", "UTC", "12:00-13:30", "2026-01-10 13:30:00", NULL },
        { "to midnight", "UTC", "20:00-00:00", "2026-01-10 20:00:00", "2026-01-11 00:00:00" },
        { "from midnight", "UTC", "00:00-06:00", "2026-12-31 23:59:00", NULL },
        { "the year ends", "UTC", "22:00-07:00", "2026-12-31 23:00:00", "2027-01-01 07:00:00" },
        { "local time", "Europe/Berlin", "22:00-07:00", "2026-01-10 21:30:00",
          "2026-01-11 06:00:00" },
        { "not by UTC", "Asia/Tokyo", "22:00-07:00", "2026-01-10 23:00:00", NULL },
        { "half an hour off", "Asia/Kolkata", "22:00-07:00", "2026-01-10 17:00:00",
          "2026-01-11 01:30:00" },
        /* 2026-03-29, 02:00 becomes 03:00 */
        { "the short night", "Europe/Berlin", "22:00-07:00", "2026-03-28 22:00:00",
          "2026-03-29 05:00:00" },
        { "it ends in the hour that is left out", "Europe/Berlin", "22:00-02:30",
          "2026-03-29 00:30:00", "2026-03-29 01:30:00" },
        { "after the jump", "Europe/Berlin", "22:00-02:30", "2026-03-29 01:00:00", NULL },
        /* 2026-10-25, 03:00 becomes 02:00 */
        { "the long night", "Europe/Berlin", "22:00-07:00", "2026-10-24 21:00:00",
          "2026-10-25 06:00:00" },
        { "before the hour that comes twice", "Europe/Berlin", "22:00-04:00", "2026-10-25 00:30:00",
          "2026-10-25 03:00:00" },
        { "in its second time", "Europe/Berlin", "22:00-04:00", "2026-10-25 01:30:00",
          "2026-10-25 03:00:00" },
};

static uint64_t usec_of(const char *s) {
        struct tm tm = { 0 };

        ck_assert_ptr_nonnull(strptime(s, "%Y-%m-%d %H:%M:%S", &tm));
        return (uint64_t)timegm(&tm) * PL_USEC_PER_SEC;
}

START_TEST(quiet) {
        uint64_t want = nights[_i].until ? usec_of(nights[_i].until) : 0, got;
        char buf[PL_QUIET_TEXT_MAX];
        PlQuiet q;

        (void)setenv("TZ", nights[_i].zone, 1);
        tzset();
        ck_assert_int_eq(pl_quiet_parse(nights[_i].quiet, &q), 0);
        ck_assert_str_eq(pl_quiet_format(&q, buf), nights[_i].quiet);
        got = pl_quiet_until(&q, usec_of(nights[_i].now));
        ck_assert_msg(got == want, "%s: %lld s off", nights[_i].name,
                      ((long long)got - (long long)want) / 1000000);
}
END_TEST

/* Whatever the clocks do: an end is later, at most 25 hours, and then it is over. */
START_TEST(quiet_ends) {
        static const char *const hours[] = { "22:00-07:00", "22:00-02:30", "02:15-02:45",
                                             "01:00-03:00", "02:30-22:00", "00:00-23:59" };
        PlQuiet q;

        (void)setenv("TZ", "Europe/Berlin", 1);
        tzset();
        ck_assert_int_eq(pl_quiet_parse(hours[_i], &q), 0);
        for (uint64_t day = 0; day < 365; day++)
                for (uint64_t m = 0; m < 24 * 60; m += 7) {
                        uint64_t now = usec_of("2026-01-01 00:00:00") + day * PL_USEC_PER_DAY +
                                       m * PL_USEC_PER_MIN;
                        uint64_t end = pl_quiet_until(&q, now);

                        if (end == 0)
                                continue;
                        ck_assert_uint_gt(end, now);
                        ck_assert_uint_le(end, now + 25 * PL_USEC_PER_HOUR);
                        end = pl_quiet_until(&q, end) ?: end;
                        ck_assert_uint_eq(pl_quiet_until(&q, end), 0);
                }
}
END_TEST

START_TEST(no_quiet) {
        static const char *const bad[] = {
                "",           "22:00",        "22:00-22:00", "24:00-07:00", "22:60-07:00",
                "2:00-07:00", "22:00-07:00 ", "22.00-07.00", "22:00–07:00"
        };
        PlQuiet q;

        for (size_t i = 0; i < PL_ARRAY_SIZE(bad); i++)
                ck_assert_msg(pl_quiet_parse(bad[i], &q) == -EINVAL, "%s", bad[i]);
        q = (PlQuiet){ 0 };
        ck_assert_uint_eq(pl_quiet_until(&q, 1), 0);
}
END_TEST

/* --- addresses --- */

static const struct {
        const char *url, *fault; /* NULL: none */
} addresses[] = {
        { "https://ntfy.example.org/alerts", NULL },
        { "http://10.0.0.7:8080/", NULL },
        { "https://[2001:db8::1]:443/x?topic=a&lang=en", NULL },
        { "HTTPS://example.org", NULL },
        { "https://example.org/?page=1", NULL },
        { "ftp://example.org/", "begins with https://" },
        { "example.org/alerts", "begins with https://" },
        { "file:///etc/shadow", "begins with https://" },
        { "https://", "no name of a host" },
        { "https:///x", "no name of a host" },
        { "https://:80/x", "no name of a host" },
        { "https://ex%41mple.org/", "no name of a host" },
        { "https://user:hunter2@example.org/", "a user or a password" },
        { "https://hunter2@example.org/", "a user or a password" },
        { "https://example.org/a@b", NULL },
        { "https://example.org/?token=hunter2", "a token or a key" },
        { "https://example.org/?x=1&access_token=hunter2", "a token or a key" },
        { "https://example.org/?apikey=hunter2", "a token or a key" },
        { "https://example.org/?Auth=hunter2", "a token or a key" },
        { "https://hooks.slack.com/services/T0/B0/hunter2", "a secret itself" },
        { "https://discord.com/api/webhooks/1/hunter2", "a secret itself" },
        { "https://example.org/hunter2#x", "no # in it" },
        { "https://example.org/hunter2 x", "%20" },
        { "https://example.org/\thunter2", "%20" },
        { "https://example.org/h\xc3\xbcnter2", "%20" },
};

START_TEST(address) {
        const char *fault = pl_notify_url_fault(addresses[_i].url, false),
                   *want = addresses[_i].fault;

        ck_assert_msg(want ? fault && strstr(fault, want) : !fault, "%s: %s", addresses[_i].url,
                      fault ?: "no fault");
        ck_assert(!fault || !strstr(fault, "hunter2"));
}
END_TEST

START_TEST(address_of_a_credential) {
        ck_assert_ptr_null(pl_notify_url_fault("https://hooks.slack.com/services/T/B/X", true));
        ck_assert_ptr_null(pl_notify_url_fault("https://example.org/?token=x", true));
        ck_assert_ptr_nonnull(pl_notify_url_fault("https://a:b@example.org/", true));
        ck_assert_ptr_nonnull(pl_notify_url_fault("just-a-token", true));
}
END_TEST

START_TEST(open_address) {
        ck_assert(pl_notify_url_is_open("http://example.org/"));
        ck_assert(pl_notify_url_is_open("http://[2001:db8::1]/"));
        ck_assert(!pl_notify_url_is_open("https://example.org/"));
        ck_assert(!pl_notify_url_is_open("http://localhost:8080/x"));
        ck_assert(!pl_notify_url_is_open("http://127.0.0.1/x"));
        ck_assert(!pl_notify_url_is_open("http://[::1]/x"));
}
END_TEST

/* --- sections --- */

static const struct {
        const char *key, *value, *why; /* NULL: it is taken */
} assignments[] = {
        { "URL", "https://ntfy.example.org/a", NULL },
        { "URL", "https://x:hunter2@example.org", "URL=: a user or a password" },
        { "URL", "", NULL },
        { "Format", "ntfy", NULL },
        { "Format", "nfty", "did you mean ntfy?" },
        { "Format", "mail", "expected json, ntfy, slack, gotify, discord or text" },
        { "On", "oom, gave-up unhealthy", NULL },
        { "On", "oom,gaveup", "there is no gaveup; did you mean gave-up?" },
        { "On", "test", "there is no test" },
        { "Services", "db-* web", NULL },
        { "Cooldown", "10min", NULL },
        { "Cooldown", "0", NULL },
        { "Cooldown", "31d", "a time span up to 30d" },
        { "Cooldown", "soon", "a time span up to 30d" },
        { "Quiet", "22:00-07:00", NULL },
        { "Quiet", "22-7", "such as 22:00-07:00" },
        { "Credential", "ops-token", NULL },
        { "Credential", "hunter2 hunter2", "the name of a credential" },
        { "Credential", "../hunter2", "the name of a credential" },
        { "Credential", "https://hooks.slack.com/hunter2", "the name of a credential" },
};

START_TEST(assignment) {
        _cleanup_(pl_notify_section_freep) PlNotifySection *s = pl_notify_section_new("ops");
        char why[PL_NOTIFY_WHY_MAX] = "";
        int r = pl_notify_section_set(s, assignments[_i].key, assignments[_i].value, why);

        if (!assignments[_i].why)
                ck_assert_msg(r == 0, "%s: %s", assignments[_i].value, why);
        else
                ck_assert_msg(r == -EINVAL && strstr(why, assignments[_i].why), "%s: %d, %s",
                              assignments[_i].value, r, why);
        ck_assert_msg(!strstr(why, "hunter2"), "%s", why);
}
END_TEST

static const struct {
        const char *format, *url, *credential, *fault;
        bool error;
} sections[] = {
        { "json", "https://a.example/", NULL, NULL, false },
        { "ntfy", "https://a.example/t", "x", NULL, false },
        { "text", NULL, "x", NULL, false },
        { "slack", NULL, "x", NULL, false },
        { "gotify", "https://a.example", "x", NULL, false },
        { "json", NULL, NULL, "URL= is missing", true },
        { NULL, "https://a.example/", NULL, "Format= is missing", true },
        { "slack", NULL, NULL, "Credential= is missing", true },
        { "slack", "https://chat.example/hook", "x", "URL= is not for this Format=", true },
        { "discord", "https://chat.example/hook", NULL, "URL= is not for this Format=", true },
        { "gotify", "https://a.example", NULL, "Credential= is missing", true },
        { "gotify", NULL, "x", "URL= is missing", true },
        { "json", "http://a.example/", "x", "unencrypted", false },
        { "json", "http://a.example/", NULL, NULL, false },
        { "json", "http://localhost/", "x", NULL, false },
};

START_TEST(whole_section) {
        _cleanup_(pl_notify_section_freep) PlNotifySection *s = pl_notify_section_new("ops");
        const char *fault, *want = sections[_i].fault;
        char why[PL_NOTIFY_WHY_MAX];
        bool error;

        if (sections[_i].format)
                ck_assert_int_eq(pl_notify_section_set(s, "Format", sections[_i].format, why), 0);
        if (sections[_i].url)
                ck_assert_int_eq(pl_notify_section_set(s, "URL", sections[_i].url, why), 0);
        if (sections[_i].credential)
                ck_assert_int_eq(pl_notify_section_set(s, "Credential", sections[_i].credential,
                                                       why),
                                 0);
        fault = pl_notify_section_check(s, &error);
        ck_assert_msg(want ? fault && strstr(fault, want) : !fault, "row %d: %s", _i,
                      fault ?: "no fault");
        ck_assert(error == sections[_i].error);
}
END_TEST

static const struct {
        const char *services;
        PlNotifyKind kind;
        const char *service, *container;
        bool wanted;
} wants[] = {
        { "", PL_NOTIFY_OOM, "db", "shop-db-1", true },
        { "", PL_NOTIFY_POLICY_REJECTED, NULL, NULL, true },
        { "", PL_NOTIFY_DRIFT, "db", "shop-db-1", false },
        { "db", PL_NOTIFY_OOM, "db", "shop-db-1", true },
        { "shop-*", PL_NOTIFY_OOM, NULL, "shop-db-1", true },
        { "shop/*", PL_NOTIFY_OOM, "shop/db", "shop-db-1", true },
        { "web cache", PL_NOTIFY_OOM, "db", "shop-db-1", false },
        { "web, db", PL_NOTIFY_OOM, "db", "shop-db-1", true },
        { "*", PL_NOTIFY_POLICY_REJECTED, NULL, NULL, false },
};

START_TEST(wanted) {
        _cleanup_(pl_notify_section_freep) PlNotifySection *s = pl_notify_section_new("ops");
        char why[PL_NOTIFY_WHY_MAX];

        ck_assert_int_eq(pl_notify_section_set(s, "Services", wants[_i].services, why), 0);
        ck_assert_msg(pl_notify_section_wants(s, wants[_i].kind, wants[_i].service,
                                              wants[_i].container) == wants[_i].wanted,
                      "row %d", _i);
}
END_TEST

START_TEST(defaults_come_back) {
        _cleanup_(pl_notify_section_freep) PlNotifySection *s = pl_notify_section_new("ops");
        static const char *const set[][2] = { { "On", "drift" },
                                              { "Services", "a b" },
                                              { "Cooldown", "0" },
                                              { "Quiet", "01:00-02:00" },
                                              { "Credential", "x" } };
        _cleanup_free_ char *text = NULL;
        char why[PL_NOTIFY_WHY_MAX];

        for (size_t i = 0; i < 2 * PL_ARRAY_SIZE(set); i++)
                ck_assert_int_eq(pl_notify_section_set(s, set[i / 2][0], i % 2 ? "" : set[i / 2][1],
                                                       why),
                                 0);
        ck_assert_uint_eq(s->on, PL_NOTIFY_ON_DEFAULT);
        ck_assert_ptr_null(s->services);
        ck_assert_uint_eq(s->cooldown_usec, 5 * PL_USEC_PER_MIN);
        ck_assert(!s->quiet.set && !s->credential);
        text = pl_notify_section_describe(s);
        ck_assert_msg(strstr(text, "json to the address in its credential, on unhealthy"), "%s",
                      text);
        ck_assert_int_eq(pl_notify_section_set(s, "Url", "x", why), -ENOENT);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("notify");

        tcase_add_loop_test(t, kind_of_entry, 0, PL_ARRAY_SIZE(entries));
        tcase_add_test(t, every_message_has_a_row);
        tcase_add_loop_test(t, on_word, 0, PL_ARRAY_SIZE(words));
        tcase_add_test(t, words_are_one_to_one);
        tcase_add_loop_test(t, quiet, 0, PL_ARRAY_SIZE(nights));
        tcase_add_loop_test(t, quiet_ends, 0, 6);
        tcase_add_test(t, no_quiet);
        tcase_add_loop_test(t, address, 0, PL_ARRAY_SIZE(addresses));
        tcase_add_test(t, address_of_a_credential);
        tcase_add_test(t, open_address);
        tcase_add_loop_test(t, assignment, 0, PL_ARRAY_SIZE(assignments));
        tcase_add_loop_test(t, whole_section, 0, PL_ARRAY_SIZE(sections));
        tcase_add_loop_test(t, wanted, 0, PL_ARRAY_SIZE(wants));
        tcase_add_test(t, defaults_come_back);
        return run_case(t);
}
