/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl match: which section of a policy governs a container, and why.
 *
 * The engine is asked, and the policy as it is on disk: so it answers before a reload, too, and
 * where no plimsolld runs.
 */

#include <errno.h>

#include "ctl/cli.h"
#include "ctl/engine.h"
#include "ctl/paths.h"
#include "lib/base/json.h"
#include "lib/docker/answer.h"
#include "lib/docker/container.h"
#include "lib/policy/dump.h"
#include "lib/policy/parser.h"
#include "policy-load.h"

typedef struct Matching {
        const PlCtl *ctl;
        const PlPolicy *policy;
        json_t *documents; /* --json */
        bool *found;       /* beside the command line's names */
} Matching;

static bool is_meant(const Matching *m, const PlContainer *c) {
        bool meant = m->ctl->all;

        for (int i = 0; i < m->ctl->n_arguments; i++) {
                const char *name = m->ctl->arguments[i];

                if (pl_streq(c->name, name) || (strlen(name) >= 4 && pl_startswith(c->id, name)))
                        meant = m->found[i] = true;
        }
        return meant;
}

static int tell(Matching *m, const PlContainer *c) {
        const PlService *s = pl_policy_match(m->policy, c);
        _cleanup_free_ char *why = NULL;
        int r = pl_policy_explain(m->policy, c, &why);

        if (r < 0)
                return r;
        if (!m->ctl->json) {
                (void)printf("%s: %s\n", c->name, why);
                return 0;
        }
        return json_array_append_new(m->documents,
                                     json_pack("{s:s,s:s?,s:s}", "name", c->name, "section",
                                               s ? s->name ?: "Defaults" : NULL, "why", why)) < 0
                               ? -ENOMEM
                               : 0;
}

static int take(Matching *m, const json_t *document) {
        _cleanup_free_ char *text = json_dumps(document, JSON_COMPACT);
        _cleanup_(pl_container_freep) PlContainer *c = NULL;
        int r = text ? pl_docker_parse_inspect(text, strlen(text), &c) : -ENOMEM;

        return r == 0 && is_meant(m, c) ? tell(m, c) : r;
}

static int match(const PlCtl *ctl, const PlPolicy *policy) {
        _cleanup_free_ bool *found = calloc((size_t)ctl->n_arguments + 1, sizeof(*found));
        _cleanup_json_ json_t *documents = json_array(), *containers = NULL;
        Matching m = { ctl, policy, documents, found };
        int r, status = PL_EXIT_GOOD;

        if (pl_ctl_containers(ctl->adopt.engine ?: policy->daemon.engine,
                              policy->daemon.match_image_labels, &containers) < 0)
                return PL_EXIT_BAD;
        r = found && documents ? 0 : -ENOMEM;
        for (size_t i = 0; r == 0 && i < json_array_size(containers); i++)
                r = take(&m, json_array_get(containers, i));
        if (r < 0) {
                pl_ctl_say("what the engine tells of its containers: %s", strerror(-r));
                return PL_EXIT_BAD;
        }
        if (ctl->json)
                pl_ctl_print_json(documents);
        for (int i = 0; i < ctl->n_arguments; i++)
                if (!found[i]) {
                        pl_ctl_say("%s: there is no such container", ctl->arguments[i]);
                        status = PL_EXIT_BAD;
                }
        return status;
}

static int load(const char *file, PlPolicy **ret) {
        PlDiagList diag = {};
        PlHost host;
        int r = pl_host_read("/proc", &host);

        if (r == 0)
                r = pl_policy_load(NULL, file, &host, &diag, ret);
        if (r < 0) {
                pl_ctl_print_diags(&diag);
                pl_ctl_say("%s: %s", file,
                           diag.n_errors ? "such a policy is refused" : strerror(-r));
        }
        pl_diag_list_deinit(&diag);
        return r;
}

int pl_ctl_cmd_match(PlCtl *ctl) {
        _cleanup_(pl_policy_unrefp) PlPolicy *policy = NULL;
        _cleanup_free_ char *file = NULL;
        int status;

        if (ctl->all == (ctl->n_arguments > 0)) {
                pl_ctl_say("match needs names of containers, or --all");
                return PL_EXIT_USAGE;
        }
        status = ctl->policy ? -1 : pl_ctl_paths(ctl, &file, NULL);
        if (status >= 0)
                return status;
        return load(ctl->policy ?: file, &policy) < 0 ? PL_EXIT_BAD : match(ctl, policy);
}
