/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl notify: who is told what, what waits, and a test of it.
 *
 * A test is queued by the daemon and sent by plimsoll-notify; how it went is waited for here.
 */

#include <errno.h>

#include "base/clock.h"
#include "ctl/cli.h"
#include "lib/base/table.h"
#include "lib/base/unit.h"

#define LOOK_USEC (200 * PL_USEC_PER_MSEC)
#define WAIT_USEC (45 * PL_USEC_PER_SEC) /* longer than one try may take */

static const char *text_of(const json_t *o, const char *key) {
        return json_string_value(json_object_get(o, key)) ?: "";
}

static uint64_t number_of(const json_t *o, const char *key) {
        json_int_t n = json_integer_value(json_object_get(o, key));

        return n > 0 ? (uint64_t)n : 0;
}

/* "failing for 3min: HTTP 500", "sent 2h ago", "nothing yet" */
static void add_last(PlTable *t, const json_t *s, uint64_t now_usec) {
        uint64_t sent = PL_MIN(number_of(s, "sent_usec"), now_usec),
                 since = PL_MIN(number_of(s, "failing_since_usec"), now_usec);
        char span[PL_FORMAT_MAX];

        if (json_is_true(json_object_get(s, "dry_run")))
                pl_table_cell(t, 4, PL_TINT_WARN, "dry run: nobody is told");
        else if (since > 0)
                pl_table_cell(t, 4, PL_TINT_BAD, "failing for %s: %s",
                              pl_format_sec(now_usec - since, span), text_of(s, "reason"));
        else if (json_is_true(json_object_get(s, "failing")))
                pl_table_cell(t, 4, PL_TINT_BAD, "nobody sends what waits");
        else if (number_of(s, "quiet_until_usec") > now_usec)
                pl_table_cell(t, 4, PL_TINT_NONE, "quiet for %s",
                              pl_format_sec(number_of(s, "quiet_until_usec") - now_usec, span));
        else if (sent > 0)
                pl_table_cell(t, 4, PL_TINT_GOOD, "sent %s ago",
                              pl_format_sec(now_usec - sent, span));
        else
                pl_table_cell(t, 4, PL_TINT_DIM, "nothing sent yet");
}

static int print_list(const json_t *list) {
        static const PlColumn columns[] = {
                { "SECTION", 0, 8, false }, { "FORMAT", 2, 0, false }, { "TO", 1, 12, false },
                { "WAITING", 0, 0, true },  { "LAST", 0, 12, false },
        };
        const PlViewOptions o = pl_ctl_view_options();
        _cleanup_(pl_table_freep) PlTable *t =
                        pl_table_new(columns, PL_ARRAY_SIZE(columns), &o.look);
        const json_t *s;
        size_t i;

        if (json_array_size(list) == 0) {
                (void)puts("There is no [Notify] section in the policy: nobody is told anything.");
                return PL_EXIT_GOOD;
        }
        json_array_foreach(list, i, s) {
                const char *url = text_of(s, "url");

                if (!t)
                        break;
                pl_table_row(t);
                pl_table_cell(t, 0, PL_TINT_STRONG, "%s", text_of(s, "section"));
                pl_table_cell(t, 1, PL_TINT_NONE, "%s", text_of(s, "format"));
                pl_table_cell(t, 2, PL_TINT_NONE, "%s%s", *url ? "" : "credential ",
                              *url ? url : text_of(s, "credential"));
                pl_table_cell(t, 3, PL_TINT_NONE, "%" PRIu64, number_of(s, "waiting"));
                add_last(t, s, o.now_usec);
        }
        if (!t || pl_table_print(t, stdout) < 0) {
                pl_ctl_say("out of memory");
                return PL_EXIT_BAD;
        }
        return PL_EXIT_GOOD;
}

/* Return: 0 and the list; or the exit status of what was said. */
static int get_list(PlCtl *ctl, json_t **ret) {
        long code = 0;
        int r = pl_ctl_client_request(ctl->client, "GET", "/v1/notify", &code, ret);

        if (r < 0)
                return pl_ctl_failed(ctl, r);
        if (code == 200)
                return 0;
        r = pl_ctl_refused(*ret);
        json_decref(*ret);
        *ret = NULL;
        return r;
}

static int list(PlCtl *ctl) {
        json_t *answer = NULL;
        int r = get_list(ctl, &answer);

        if (r != 0)
                return r;
        if (ctl->json)
                pl_ctl_print_json(answer);
        else
                r = print_list(answer);
        json_decref(answer);
        return r;
}

/* Return: 1: it has ended; 0: not yet; negative: an exit status. */
static int look(PlCtl *ctl, const char *section, uint64_t id, char **ret_reason) {
        json_t *answer = NULL;
        const json_t *s;
        bool done = false;
        size_t i;
        int r = get_list(ctl, &answer);

        if (r != 0)
                return -r;
        json_array_foreach(answer, i, s) if (pl_streq(text_of(s, "section"), section) &&
                                             number_of(s, "test_done_id") >= id) {
                done = true;
                *ret_reason = strdup(text_of(s, "test_reason"));
        }
        json_decref(answer);
        return done;
}

static int end_test(const PlCtl *ctl, const char *section, const char *reason) {
        if (ctl->json) {
                json_t *o = json_pack("{s:s,s:b,s:s}", "section", section, "sent", !*reason,
                                      "reason", reason);

                pl_ctl_print_json(o);
                json_decref(o);
        } else if (*reason) {
                pl_ctl_say("the test was not sent: %s", reason);
        } else {
                (void)printf("The test is sent: [Notify %s] works.\n", section);
        }
        return *reason ? PL_EXIT_BAD : PL_EXIT_GOOD;
}

static int test(PlCtl *ctl, const char *section) {
        _cleanup_free_ char *path = NULL, *reason = NULL;
        uint64_t end = pl_clock_usec(CLOCK_MONOTONIC) + WAIT_USEC, id;
        json_t *answer = NULL;
        long code = 0;
        int r;

        if (asprintf(&path, "/v1/notify/%s/test", section) < 0)
                path = NULL;
        r = path ? pl_ctl_client_request(ctl->client, "POST", path, &code, &answer) : -ENOMEM;
        if (r < 0)
                return pl_ctl_failed(ctl, r);
        if (code != 202) {
                r = pl_ctl_refused(answer);
                json_decref(answer);
                return r;
        }
        id = number_of(answer, "test_id");
        json_decref(answer);
        while ((r = look(ctl, section, id, &reason)) == 0 && pl_clock_usec(CLOCK_MONOTONIC) < end)
                pl_clock_sleep(LOOK_USEC);
        if (r < 0)
                return -r;
        return end_test(ctl, section,
                        r > 0 ? reason ?: "out of memory"
                              : "plimsoll-notify has not tried; systemctl status "
                                "plimsoll-notify.path says whether it is started");
}

static bool is_name(const char *s) {
        return *s &&
               !s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")];
}

int pl_ctl_cmd_notify(PlCtl *ctl) {
        if (ctl->n_arguments == 0)
                return list(ctl);
        if (ctl->n_arguments == 2 && pl_streq(ctl->arguments[0], "test") &&
            is_name(ctl->arguments[1]))
                return test(ctl, ctl->arguments[1]);
        pl_ctl_say("notify lists the sections; notify test NAME sends a test to one");
        return PL_EXIT_USAGE;
}
