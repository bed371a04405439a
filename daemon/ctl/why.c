/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl why: what is known of the last end, or of all of them.
 */

#include <errno.h>

#include "ctl/past.h"
#include "lib/evidence/recount.h"

static int print_why(const PlCtl *ctl, const json_t *past) {
        const PlViewOptions o = pl_ctl_view_options();
        _cleanup_free_ char *text = pl_recount_why(past, &o.look, o.now_usec, ctl->all);

        if (!text)
                pl_ctl_say("out of memory");
        else if (!*text)
                pl_ctl_say("no end of %s is known", ctl->arguments[0]);
        else
                (void)fputs(text, stdout);
        return text && *text ? PL_EXIT_GOOD : PL_EXIT_BAD;
}

static int print(const PlCtl *ctl, const json_t *past) {
        if (!ctl->json)
                return print_why(ctl, past);
        pl_ctl_print_json(past);
        return PL_EXIT_GOOD;
}

static int from_files(const PlCtl *ctl, int error) {
        _cleanup_free_ PlMemory *m = NULL;
        int r = pl_ctl_past(ctl, error, &m);
        json_t *past;

        if (r >= 0)
                return r;
        past = pl_recount_document(m, pl_ctl_view_options().now_usec);
        if (!past)
                pl_ctl_say("out of memory");
        r = past ? print(ctl, past) : PL_EXIT_BAD;
        json_decref(past);
        return r;
}

int pl_ctl_cmd_why(PlCtl *ctl) {
        _cleanup_free_ char *path = pl_ctl_client_path(ctl->client, ctl->arguments[0], "/past");
        json_t *past = NULL;
        long code = 0;
        int r = path ? pl_ctl_client_request(ctl->client, "GET", path, &code, &past) : -ENOMEM;

        if (r < 0)
                return from_files(ctl, r);
        r = code != 200 ? pl_ctl_refused(past) : print(ctl, past);
        json_decref(past);
        return r;
}
