/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl check: is a policy right?
 *
 * A running daemon tells where its policy is, and what is there now is checked, not what it has
 * loaded. A pipe is one text: it has no place beside which there could be drop-ins.
 */

#include <errno.h>
#include <sys/stat.h>

#include "ctl/cli.h"
#include "ctl/paths.h"
#include "policy-load.h"

#include "lib/policy/dump.h"

#define TEXT_MAX MIB(1) /* as of a file */

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

static bool is_stream(const char *file) {
        struct stat st;

        return pl_streq(file, "-") ||
               (stat(file, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)));
}

static int load_stream(const char *file, const PlHost *host, PlDiagList *diag,
                       const char **ret_name, PlPolicy **ret) {
        _cleanup_free_ char *text = NULL;
        PlPolicySource source = {};
        int r = pl_ctl_read(file, TEXT_MAX, ret_name, &text, &source.size);

        if (r == -EFBIG)
                pl_diag_add(diag, PL_SEVERITY_ERROR, *ret_name, 0,
                            "Larger than 1 MiB: not a policy");
        if (r < 0)
                return r;
        source.file = *ret_name;
        source.text = text;
        return pl_policy_parse(&source, 1, host, diag, ret);
}

static int check(const PlCtl *ctl, const char *file) {
        _cleanup_(pl_policy_unrefp) PlPolicy *policy = NULL;
        _cleanup_free_ char *dump = NULL;
        PlDiagList diag = {};
        PlHost host;
        int r = pl_host_read("/proc", &host);

        if (r < 0) {
                pl_ctl_say("/proc: %s", strerror(-r));
                return PL_EXIT_BAD;
        }
        r = is_stream(file) ? load_stream(file, &host, &diag, &file, &policy)
                            : pl_policy_load(NULL, file, &host, &diag, &policy);
        int status = report(ctl, file, r, &diag, policy);
        if (r == 0 && ctl->verbose && !ctl->json && pl_policy_dump(policy, &dump) == 0)
                (void)printf("\n%s", dump);
        pl_diag_list_deinit(&diag);
        return status;
}

int pl_ctl_cmd_check(PlCtl *ctl) {
        _cleanup_free_ char *policy = NULL;
        const char *file = ctl->n_arguments > 0 ? ctl->arguments[0] : ctl->policy;

        if (ctl->n_arguments > 0 && ctl->policy) {
                pl_ctl_say("check has a FILE and --policy; one is enough");
                return PL_EXIT_USAGE;
        }
        int status = file ? -1 : pl_ctl_paths(ctl, &policy, NULL);
        return status < 0 ? check(ctl, file ?: policy) : status;
}
