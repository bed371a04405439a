/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fuzz: a compose configuration into pl_import_compose(); what comes out must be a policy.
 */

#include <assert.h>
#include <errno.h>

#include "lib/policy/document.h"
#include "lib/policy/import.h"
#include "lib/policy/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const PlHost host = { GIB(8), 4, 4096 };
        _cleanup_(pl_policy_unrefp) PlPolicy *policy = NULL;
        PlDiagList diag = { 0 }, problems = { 0 };
        _cleanup_free_ char *text = NULL;
        int r;

        r = pl_import_compose("compose.json", (const char *)data, size, NULL, &diag, NULL, &text);
        assert(r == 0 || (r == -EBADMSG && diag.n_errors == 1));
        if (r == 0) {
                PlPolicySource source = { "imported", text, strlen(text) };

                r = pl_policy_parse(&source, 1, &host, &problems, &policy);
                for (size_t i = 0; i < problems.n; i++)
                        assert(problems.items[i].severity == PL_SEVERITY_WARNING);
        }
        pl_diag_list_deinit(&diag);
        pl_diag_list_deinit(&problems);
        return 0;
}
