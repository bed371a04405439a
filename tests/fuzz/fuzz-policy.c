/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fuzz: a policy of two files, cut at the first 0xff byte, into pl_policy_parse().
 *
 * Besides not crashing: a refused policy says why, an accepted one can be shown and matched, and
 * its limits settle (normalised once or twice is the same).
 */

#include <assert.h>
#include <errno.h>

#include "lib/docker/container.h"
#include "lib/limits/resource.h"
#include "lib/policy/document.h"
#include "lib/policy/dump.h"
#include "lib/policy/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const PlPolicy *policy) {
        static const PlContainer container = { .name = (char *)"web-1",
                                               .image = (char *)"docker.io/library/postgres:16" };
        const PlService *s = pl_policy_match(policy, &container);
        _cleanup_free_ char *text = NULL;

        assert(pl_policy_dump(policy, &text) == 0 && *text);
        for (PlResource r = 0; s && r < _PL_RESOURCE_N; r++) {
                PlValue once = { 0 }, twice = { 0 };

                assert(pl_value_copy(&s->limits.v[r], &once) == 0);
                pl_resource_normalise(r, PL_HIERARCHY_V1, 4096, &once);
                assert(pl_value_copy(&once, &twice) == 0);
                pl_resource_normalise(r, PL_HIERARCHY_V1, 4096, &twice);
                assert(pl_value_equal(&once, &twice));
                pl_value_deinit(&once);
                pl_value_deinit(&twice);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const PlHost host = { GIB(8), 4, 4096 };
        const uint8_t *cut = size ? memchr(data, 0xff, size) : NULL;
        size_t first = cut ? (size_t)(cut - data) : size, second = cut ? size - first - 1 : 0;
        _cleanup_free_ char *a = malloc(first + 1), *b = malloc(second + 1);
        _cleanup_(pl_policy_unrefp) PlPolicy *policy = NULL;
        PlDiagList diag = { 0 };
        int r;

        assert(a && b);
        if (first)
                memcpy(a, data, first);
        a[first] = '\0';
        if (second)
                memcpy(b, cut + 1, second);
        b[second] = '\0';
        r = pl_policy_parse((PlPolicySource[]){ { "a.conf", a, first }, { "b.conf", b, second } },
                            2, &host, &diag, &policy);
        assert(r == 0 || r == -EBADMSG);
        assert((r == 0) == (diag.n_errors == 0));
        for (size_t i = 0; i < diag.n; i++) {
                _cleanup_free_ char *text = pl_diag_format(&diag.items[i]);

                assert(text && !strchr(text, '\n') && diag.items[i].message[0]);
        }
        if (r == 0)
                use(policy);
        pl_diag_list_deinit(&diag);
        return 0;
}
