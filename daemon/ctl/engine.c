/* SPDX-License-Identifier: Apache-2.0 */

/* Containers of an engine: see the header. */

#include "ctl/engine.h"

#include <errno.h>

#include "ctl/cli.h"
#include "lib/base/id.h"
#include "lib/base/json.h"
#include "lib/docker/answer.h"

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

/* What is asked of an engine, and what it has answered of images. */
typedef struct Asking {
        PlCtlClient *engine;
        bool all_labels;
        json_t *images; /* by their id */
} Asking;

/* Return: borrowed; NULL: it does not tell. */
static const json_t *image_of(Asking *a, const char *id) {
        const char *digits = pl_startswith(id, "sha256:") ? id + strlen("sha256:") : id;
        json_t *image = json_object_get(a->images, id);
        _cleanup_free_ char *path = NULL;

        if (image || !pl_is_id(digits))
                return image;
        if (asprintf(&path, "/images/%s/json", id) < 0) {
                path = NULL;
                return NULL;
        }
        if (get(a->engine, path, &image) < 0)
                image = json_null();
        return json_object_set_new(a->images, id, image) < 0 ? NULL : image;
}

/* Its image beside it, and unless all labels count, as if that had none. One that does not tell
 * counts for none, as for plimsolld. */
static int take_image(Asking *a, json_t *container) {
        _cleanup_(pl_container_freep) PlContainer *c = NULL, *of_image = NULL;
        _cleanup_free_ char *text = json_dumps(container, JSON_COMPACT), *image_text = NULL;
        json_t *labels = json_object_get(json_object_get(container, "Config"), "Labels");
        const json_t *image;
        int r = text ? pl_docker_parse_inspect(text, strlen(text), &c) : -ENOMEM;

        if (r < 0 || c->n_labels == 0 || !c->image_id || !*c->image_id)
                return r == -EBADMSG ? 0 : r;
        image = image_of(a, c->image_id);
        image_text = json_dumps(image, JSON_COMPACT | JSON_ENCODE_ANY);
        if (!image_text || pl_docker_parse_image(image_text, strlen(image_text), &of_image) < 0)
                return 0;
        (void)json_object_set(container, PL_CTL_IMAGE, (json_t *)image);
        pl_container_mark(c, of_image);
        for (size_t i = 0; i < c->n_labels && !a->all_labels; i++)
                if (c->labels[i].of_image)
                        (void)json_object_del(labels, c->labels[i].key);
        return 0;
}

static int take(Asking *a, const char *id, json_t *to) {
        _cleanup_free_ char *path = NULL;
        json_t *container = NULL;
        int r;

        if (!id || !pl_is_id(id))
                return -EBADMSG;
        if (asprintf(&path, "/containers/%s/json", id) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = get(a->engine, path, &container);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = take_image(a, container);
        if (r < 0) {
                json_decref(container);
                return r;
        }
        return json_array_append_new(to, container) < 0 ? -ENOMEM : 0;
}

int pl_ctl_containers(const char *url, bool all_labels, json_t **ret) {
        const char *path = pl_startswith(url, "unix://") ? url + strlen("unix://") : url;
        _cleanup_(pl_ctl_client_freep) PlCtlClient *engine = NULL;
        _cleanup_json_ json_t *list = NULL, *all = json_array(), *images = json_object();
        Asking a = { NULL, all_labels, images };
        int r = all && images ? pl_ctl_client_new(path, PL_CTL_CLIENT_TIMEOUT_MSEC, &engine)
                              : -ENOMEM;

        if (r == 0)
                r = get(engine, "/containers/json?all=1", &list);
        a.engine = engine;
        for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
                r = take(&a, json_string_value(json_object_get(json_array_get(list, i), "Id")),
                         all);
        if (r < 0) {
                pl_ctl_say("the engine at %s does not tell of its containers: %s", path,
                           strerror(-r));
                return r;
        }
        *ret = TAKE_PTR(all);
        return 0;
}
