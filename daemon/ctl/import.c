/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl import: a compose configuration as policy, on stdout. Asks no daemon and writes no
 * file: what is printed is for a person to read first.
 */

#include <errno.h>

#include "ctl/cli.h"
#include "lib/policy/import.h"

static int print_result(const PlCtl *ctl, int r, const char *text, const PlDiagList *diag) {
        if (ctl->json) {
                json_t *document = json_pack("{s:s?,s:o}", "policy", text, "messages",
                                             pl_ctl_diags_to_json(diag));
                pl_ctl_print_json(document);
                json_decref(document);
        } else {
                pl_ctl_print_diags(diag);
                if (text)
                        (void)fputs(text, stdout);
        }
        if (r == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
                pl_ctl_say("standard output: %s", strerror(errno));
                return PL_EXIT_BAD;
        }
        return r == 0 ? PL_EXIT_GOOD : PL_EXIT_BAD;
}

int pl_ctl_cmd_import(PlCtl *ctl) {
        _cleanup_free_ char *json = NULL, *text = NULL;
        const char *name;
        PlDiagList diag = {};
        size_t size;
        int r = pl_ctl_read(ctl->arguments[0], PL_IMPORT_MAX, &name, &json, &size), status;

        if (r == 0)
                r = pl_import_compose(name, json, size, &diag, &text);
        if (r < 0 && diag.n_errors == 0)
                pl_diag_add(&diag, PL_SEVERITY_ERROR, name, 0, "cannot be read: %s", strerror(-r));
        status = print_result(ctl, r, text, &diag);
        pl_diag_list_deinit(&diag);
        return status;
}
