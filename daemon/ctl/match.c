/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl match: which section of a policy governs a container, and why.
 *
 * The engine is asked, and the policy as it is on disk: so it answers before a reload, too, and
 * where no plimsolld runs.
 */

#include <errno.h>

#include "ctl/cli.h"
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
        PlCtlClient *engine;
        json_t *documents; /* --json */
        bool *found;       /* beside the command line's names */
} Matching;

static int get(PlCtlClient *engine, const char *path, json_t **ret) {
        long code = 0;
        int r = pl_ctl_client_request(engine, "GET", path, &code, ret);

        if (r == 0 && code != 200) {
                json_decref(*ret);
                r = code == 404 ? -ENOENT : -EREMOTEIO;
        }
        return r;
}

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

/* Return: 0, also when it is gone; -errno. */
static int take(Matching *m, const char *id) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        PlContainer *c = NULL;
        json_t *j = NULL;
        int r;

        if (asprintf(&path, "/containers/%s/json", id) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = get(m->engine, path, &j);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        text = json_dumps(j, JSON_COMPACT);
        json_decref(j);
        r = text ? pl_docker_parse_inspect(text, strlen(text), &c) : -ENOMEM;
        if (r == 0 && is_meant(m, c))
                r = tell(m, c);
        (void)pl_container_free(c);
        return r;
}

static int take_all(Matching *m) {
        json_t *list = NULL, *entry;
        size_t i;
        int r = get(m->engine, "/containers/json?all=1", &list);

        if (r < 0)
                return r;
        json_array_foreach(list, i, entry) {
                const char *id = json_string_value(json_object_get(entry, "Id"));

                r = id && pl_is_id(id) ? take(m, id) : -EBADMSG;
                if (r < 0)
                        break;
        }
        json_decref(list);
        return r;
}

static int match(const PlCtl *ctl, const PlPolicy *policy) {
        _cleanup_(pl_ctl_client_freep) PlCtlClient *engine = NULL;
        _cleanup_free_ bool *found = calloc((size_t)ctl->n_arguments + 1, sizeof(*found));
        _cleanup_json_ json_t *documents = json_array();
        Matching m = { ctl, policy, NULL, documents, found };
        const char *url = ctl->adopt.engine ?: policy->daemon.engine;
        const char *path = pl_startswith(url, "unix://") ? url + strlen("unix://") : url;
        int r, status = PL_EXIT_GOOD;

        r = found && documents ? pl_ctl_client_new(path, PL_CTL_CLIENT_TIMEOUT_MSEC, &engine)
                               : -ENOMEM;
        m.engine = engine;
        if (r == 0)
                r = take_all(&m);
        if (r < 0) {
                pl_ctl_say("the engine at %s does not tell of its containers: %s", path,
                           strerror(-r));
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
