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
        const PlHost *host;
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

/* Return: 0, with NULL where the engine does not tell; -ENOMEM. */
static int image_of(const json_t *document, const PlContainer *c, PlContainer **ret) {
        const json_t *image = json_object_get(document, PL_CTL_IMAGE);
        _cleanup_free_ char *text = image ? json_dumps(image, JSON_COMPACT) : NULL;
        int r;

        if (!c->image_id || !*c->image_id) { /* of a bare directory */
                *ret = calloc(1, sizeof(**ret));
                return *ret ? 0 : -ENOMEM;
        }
        if (!text)
                return image ? -ENOMEM : 0;
        r = pl_docker_parse_image(text, strlen(text), ret);
        return r == -EBADMSG ? 0 : r;
}

static int tell(Matching *m, const json_t *document, const PlContainer *c) {
        const PlService *s = pl_policy_match(m->policy, c);
        _cleanup_(pl_container_freep) PlContainer *image = NULL;
        _cleanup_free_ char *why = NULL;
        int r = image_of(document, c, &image);

        if (r == 0)
                r = pl_policy_explain(m->policy, c, image, m->host, &why);

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

        if (r < 0)
                return r == -EBADMSG ? 0 : r; /* it is nothing that plimsolld would see, either */
        return is_meant(m, c) ? tell(m, document, c) : 0;
}

static int match(const PlCtl *ctl, const PlPolicy *policy, const PlHost *host) {
        _cleanup_free_ bool *found = calloc((size_t)ctl->n_arguments + 1, sizeof(*found));
        _cleanup_json_ json_t *documents = json_array(), *containers = NULL;
        Matching m = { ctl, policy, host, documents, found };
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

static int load(const char *file, PlHost *ret_host, PlPolicy **ret) {
        PlDiagList diag = {};
        int r = pl_host_read("/proc", ret_host);

        if (r == 0)
                r = pl_policy_load(NULL, file, ret_host, &diag, ret);
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
        PlHost host;
        int status;

        if (ctl->all == (ctl->n_arguments > 0)) {
                pl_ctl_say("match needs names of containers, or --all");
                return PL_EXIT_USAGE;
        }
        status = ctl->policy ? -1 : pl_ctl_paths(ctl, &file, NULL);
        if (status >= 0)
                return status;
        return load(ctl->policy ?: file, &host, &policy) < 0 ? PL_EXIT_BAD
                                                             : match(ctl, policy, &host);
}
