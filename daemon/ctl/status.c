/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl status, show and probe: one look.
 */

#include <errno.h>

#include "ctl/past.h"
#include "lib/evidence/recount.h"

/* @text: not the string itself: it is only there once r has been computed */
static void print_view(int r, char *const *text) {
        if (r < 0)
                pl_ctl_say("out of memory");
        else
                (void)fputs(*text, stdout);
}

int pl_ctl_cmd_status(PlCtl *ctl) {
        const PlViewOptions o = pl_ctl_view_options();
        _cleanup_free_ char *text = NULL;
        json_t *status = NULL;
        long code = 0;
        int r = pl_ctl_client_request(ctl->client, "GET", "/v1/status", &code, &status);

        if (r < 0)
                return pl_ctl_failed(ctl, r);
        if (code != 200)
                r = pl_ctl_refused(status);
        else {
                if (ctl->json)
                        pl_ctl_print_json(status);
                else
                        print_view(pl_view_status(status, &o, &text), &text);
                r = pl_view_is_good(status) > 0 ? PL_EXIT_GOOD : PL_EXIT_BAD;
        }
        json_decref(status);
        return r;
}

/* What its service is remembered by; how it is now nobody knows. */
static int show_from_files(const PlCtl *ctl, int error) {
        const PlViewOptions o = pl_ctl_view_options();
        _cleanup_free_ PlMemory *m = NULL;
        int r = pl_ctl_past(ctl, error, &m);
        json_t *past, *line;
        size_t i;

        if (r >= 0)
                return r;
        past = ctl->json ? pl_recount_document(m, o.now_usec) : pl_recount(m, o.now_usec);
        if (!past)
                pl_ctl_say("out of memory");
        else if (ctl->json)
                pl_ctl_print_json(past);
        else
                json_array_foreach(past, i, line) {
                        _cleanup_free_ char *clean =
                                        pl_text_clean(json_string_value(line), &o.look);

                        (void)fprintf(stdout, "%s\n", clean ?: "");
                }
        json_decref(past);
        return PL_EXIT_NO_DAEMON;
}

int pl_ctl_cmd_show(PlCtl *ctl) {
        const PlViewOptions o = pl_ctl_view_options();
        _cleanup_free_ char *path = pl_ctl_client_path(ctl->client, ctl->arguments[0], "");
        _cleanup_free_ char *text = NULL;
        json_t *container = NULL;
        long code = 0;
        int r = path ? pl_ctl_client_request(ctl->client, "GET", path, &code, &container) : -ENOMEM;

        if (r < 0)
                return show_from_files(ctl, r);
        if (code != 200)
                r = pl_ctl_refused(container);
        else {
                json_t *problems = pl_view_problems(container, false);

                if (ctl->json)
                        pl_ctl_print_json(container);
                else
                        print_view(pl_view_show(container, &o, &text), &text);
                r = json_array_size(problems) == 0 ? PL_EXIT_GOOD : PL_EXIT_BAD;
                json_decref(problems);
        }
        json_decref(container);
        return r;
}

int pl_ctl_cmd_probe(PlCtl *ctl) {
        const PlViewOptions o = pl_ctl_view_options();
        _cleanup_free_ char *path = pl_ctl_client_path(ctl->client, ctl->arguments[0], "/probe");
        _cleanup_free_ char *text = NULL;
        json_t *answer = NULL;
        const char *verdict;
        long code = 0;
        int r = path ? pl_ctl_client_request(ctl->client, "POST", path, &code, &answer) : -ENOMEM;

        if (r < 0)
                return pl_ctl_failed(ctl, r);
        if (code != 200) {
                r = pl_ctl_refused(answer);
        } else {
                if (ctl->json)
                        pl_ctl_print_json(answer);
                else
                        print_view(pl_view_probe(answer, &o, &text), &text);
                verdict = json_string_value(json_object_get(answer, "verdict"));
                r = verdict && pl_streq(verdict, "up") ? PL_EXIT_GOOD : PL_EXIT_BAD;
        }
        json_decref(answer);
        return r;
}
