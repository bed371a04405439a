/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl check: is a policy right? Asks no daemon.
 */

#include <errno.h>

#include "ctl/cli.h"
#include "policy-load.h"

#define DEFAULT_POLICY "/etc/plimsoll/plimsoll.conf" /* as plimsolld */

void pl_ctl_print_diags(const PlDiagList *diag) {
        for (size_t i = 0; i < diag->n; i++) {
                _cleanup_free_ char *line = pl_diag_format(&diag->items[i]);

                (void)fprintf(stderr, "%s\n", line ? line : diag->items[i].message);
        }
}

json_t *pl_ctl_diags_to_json(const PlDiagList *diag) {
        json_t *list = json_array();

        for (size_t i = 0; list && i < diag->n; i++) {
                const PlDiag *d = &diag->items[i];
                (void)json_array_append_new(
                                list,
                                json_pack("{s:s,s:s,s:I,s:s}", "severity",
                                          d->severity == PL_SEVERITY_ERROR ? "error" : "warning",
                                          "file", d->file ? d->file : "", "line",
                                          (json_int_t)d->line, "message", d->message));
        }
        return list;
}

static int report(const PlCtl *ctl, const char *file, int r, const PlDiagList *diag,
                  const PlPolicy *policy) {
        if (ctl->json) {
                json_t *document = json_pack("{s:b,s:o}", "good", r == 0, "messages",
                                             pl_ctl_diags_to_json(diag));
                pl_ctl_print_json(document);
                json_decref(document);
                return r == 0 ? PL_EXIT_GOOD : PL_EXIT_BAD;
        }
        pl_ctl_print_diags(diag);
        if (r < 0) {
                if (diag->n_errors == 0)
                        pl_ctl_say("%s: %s", file, strerror(-r));
                else
                        pl_ctl_say("%s: %zu error%s; such a policy is refused as a whole", file,
                                   diag->n_errors, pl_plural(diag->n_errors));
                return PL_EXIT_BAD;
        }
        size_t n = policy->n_services;
        (void)printf("%s: good, %zu service%s%s\n", file, n, pl_plural(n),
                     policy->defaults ? " and defaults" : "");
        return PL_EXIT_GOOD;
}

int pl_ctl_cmd_check(PlCtl *ctl) {
        const char *file = ctl->n_arguments > 0 ? ctl->arguments[0] : DEFAULT_POLICY;
        _cleanup_(pl_policy_unrefp) PlPolicy *policy = NULL;
        _cleanup_free_ char *dump = NULL;
        PlDiagList diag = {};
        PlHost host;
        int r = pl_host_read("/proc", &host);

        if (r < 0) {
                pl_ctl_say("/proc: %s", strerror(-r));
                return PL_EXIT_BAD;
        }
        r = pl_policy_load(NULL, file, &host, &diag, &policy);
        int status = report(ctl, file, r, &diag, policy);
        if (r == 0 && ctl->verbose && !ctl->json && pl_policy_dump(policy, &dump) == 0)
                (void)printf("\n%s", dump);
        pl_diag_list_deinit(&diag);
        return status;
}
