/* SPDX-License-Identifier: Apache-2.0 */

/* Containers of an engine: see the header. */

#include "ctl/engine.h"

#include <errno.h>

#include "ctl/cli.h"
#include "lib/base/id.h"
#include "lib/base/json.h"

/* Return: 0, -ENOENT: it is gone, -errno. */
static int get(PlCtlClient *engine, const char *path, json_t **ret) {
        long code = 0;
        int r = pl_ctl_client_request(engine, "GET", path, &code, ret);

        if (r == 0 && code != 200) {
                json_decref(*ret);
                *ret = NULL;
                r = code == 404 ? -ENOENT : -EREMOTEIO;
        }
        return r;
}

static int take(PlCtlClient *engine, const char *id, json_t *to) {
        _cleanup_free_ char *path = NULL;
        json_t *container = NULL;
        int r;

        if (!id || !pl_is_id(id))
                return -EBADMSG;
        if (asprintf(&path, "/containers/%s/json", id) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = get(engine, path, &container);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        return json_array_append_new(to, container) < 0 ? -ENOMEM : 0;
}

int pl_ctl_containers(const char *url, json_t **ret) {
        const char *path = pl_startswith(url, "unix://") ? url + strlen("unix://") : url;
        _cleanup_(pl_ctl_client_freep) PlCtlClient *engine = NULL;
        _cleanup_json_ json_t *list = NULL, *all = json_array();
        int r = all ? pl_ctl_client_new(path, PL_CTL_CLIENT_TIMEOUT_MSEC, &engine) : -ENOMEM;

        if (r == 0)
                r = get(engine, "/containers/json?all=1", &list);
        for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
                r = take(engine, json_string_value(json_object_get(json_array_get(list, i), "Id")),
                         all);
        if (r < 0) {
                pl_ctl_say("the engine at %s does not tell of its containers: %s", path,
                           strerror(-r));
                return r;
        }
        *ret = TAKE_PTR(all);
        return 0;
}
