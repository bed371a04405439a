/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What an engine says of its containers: labels that are settings, and the policy that is written
 * from it. Whoever creates a container chooses all of it. A fault is one line without what a
 * terminal would obey, and what is written is a policy.
 */

#include <assert.h>
#include <errno.h>

#include "lib/base/quote.h"
#include "lib/base/strv.h"
#include "lib/base/text.h"
#include "lib/docker/answer.h"
#include "lib/policy/import.h"
#include "lib/policy/labels.h"
#include "lib/policy/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const PlHost host = { GIB(8), 4, 4096 };

static PlPolicy *parse(const char *text, PlDiagList *diag) {
        PlPolicySource source = { "a.conf", text, strlen(text) };
        PlPolicy *policy = NULL;

        return pl_policy_parse(&source, 1, &host, diag, &policy) == 0 ? policy : NULL;
}

static void look(PlDiagList *diag) {
        for (size_t i = 0; i < diag->n; i++) {
                _cleanup_free_ char *text = pl_diag_format(&diag->items[i]);
                uint32_t c;

                assert(text && *text);
                for (const char *p = text; *p; p += pl_utf8_decode(p, strlen(p), &c))
                        assert(pl_utf8_decode(p, strlen(p), &c) > 0 && !pl_utf8_is_hidden(c));
        }
        pl_diag_list_deinit(diag);
}

static void label(const PlPolicy *policy, const PlContainer *c) {
        PlService *s = NULL;
        PlDiagList diag = { 0 };
        char **labels = NULL;

        assert(pl_labels_of(c, NULL, &labels) == 0);
        if (labels) {
                assert(pl_policy_label(policy, pl_policy_match(policy, c), &host, labels, &diag,
                                       &s) == 0);
                /* these take no label */
                assert(!s || !s->log_path.globs || !*s->log_path.globs);
                s = pl_service_free(s);
        }
        look(&diag);
        pl_strv_free(labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static PlPolicy *policy;
        _cleanup_(pl_policy_unrefp) PlPolicy *written = NULL;
        PlDiagList diag = { 0 };
        _cleanup_free_ char *text = NULL;
        json_t *document, *one;
        size_t i;
        int r;

        if (!policy)
                policy = parse("[Daemon]\nLabels=yes\n[Defaults]\nMemoryMax=1G\nTasksMax=100\n"
                               "[Service web]\nMatch=name:web*\nMemoryMax=2G\n",
                               &diag);
        assert(policy);
        document = json_loadb((const char *)data, size, 0, NULL);
        if (!document)
                return 0;
        json_array_foreach(document, i, one) {
                _cleanup_free_ char *inspect = json_dumps(one, JSON_COMPACT | JSON_ENCODE_ANY);
                _cleanup_(pl_container_freep) PlContainer *c = NULL;

                if (inspect && pl_docker_parse_inspect(inspect, strlen(inspect), &c) == 0)
                        label(policy, c);
        }
        r = pl_import_engine("engine", document, &host, &diag, NULL, &text);
        assert(r == 0 || r == -EBADMSG);
        look(&diag);
        if (r == 0)
                written = parse(text, &diag);
        assert(r < 0 || written);
        look(&diag);
        json_decref(document);
        return 0;
}
