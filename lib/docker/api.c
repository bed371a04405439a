/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Docker: versions, the list of containers and error answers.
 *
 * The larger documents have files of their own: inspect, event, update. No I/O here: the daemon's
 * engine/ asks.
 */

#include "lib/docker/api.h"

#include <ctype.h>
#include <errno.h>

#include "lib/base/quote.h"
#include "lib/docker/json.h"

#define VERSION_STRING_MAX 128
#define ERROR_STRING_MAX   400

void pl_engine_info_deinit(PlEngineInfo *i) {
        free(i->version);
        *i = (PlEngineInfo){};
}

static int version_compare(PlApiVersion a, PlApiVersion b) {
        if (a.major != b.major)
                return a.major < b.major ? -1 : 1;
        return a.minor == b.minor ? 0 : a.minor < b.minor ? -1 : 1;
}

/* Up to four digits and no sign: a version that needs more is not one. */
static bool parse_component(const char **s, unsigned *ret) {
        unsigned v = 0;
        int n;

        for (n = 0; n < 4 && isdigit((unsigned char)**s); n++, (*s)++)
                v = v * 10 + (unsigned)(**s - '0');
        *ret = v;
        return n > 0;
}

/* "1.41"; Podman says "1.41.0" in some versions. */
static int parse_api_version(const char *s, PlApiVersion *ret) {
        PlApiVersion v;

        if (!s || !parse_component(&s, &v.major) || *s++ != '.' || !parse_component(&s, &v.minor))
                return -EBADMSG;
        if (*s != '\0' && *s != '.')
                return -EBADMSG;
        *ret = v;
        return 0;
}

static bool is_podman(const json_t *root) {
        const json_t *component;
        size_t i;

        json_array_foreach(json_object_get(root, "Components"), i, component) {
                const char *name = pl_json_string(component, "Name");

                if (name && strcasestr(name, "podman"))
                        return true;
        }
        return false;
}

int pl_docker_parse_version(const char *body, size_t size, PlEngineInfo *ret) {
        _cleanup_json_ json_t *root = NULL;
        PlEngineInfo info = {};
        int r;

        r = pl_json_load_object(body, size, &root);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;

        r = parse_api_version(pl_json_string(root, "ApiVersion"), &info.api);
        if (r < 0)
                return r;
        /* Engines before 1.13 do not tell their minimum: they speak everything up to their own. */
        if (parse_api_version(pl_json_string(root, "MinAPIVersion"), &info.api_min) < 0)
                info.api_min = PL_DOCKER_API_MIN;
        info.podman = is_podman(root);
        r = pl_json_dup_member(root, "Version", VERSION_STRING_MAX, &info.version);
        if (r < 0)
                return r;

        *ret = info;
        return 0;
}

int pl_docker_negotiate(PlApiVersion server_max, PlApiVersion server_min, PlApiVersion *ret) {
        PlApiVersion v = PL_DOCKER_API_TESTED;

        if (version_compare(server_max, v) < 0)
                v = server_max;
        if (version_compare(v, server_min) < 0 || version_compare(v, PL_DOCKER_API_MIN) < 0)
                return -EPROTONOSUPPORT;
        *ret = v;
        return 0;
}

typedef struct IdList {
        char (*ids)[PL_ID_MAX];
        size_t n, allocated;
} IdList;

static int id_list_add(IdList *l, const char *id) {
        if (l->n == l->allocated) {
                size_t wanted = l->allocated ? l->allocated * 2 : 16;
                void *p = reallocarray(l->ids, wanted, PL_ID_MAX);

                if (!p)
                        return -ENOMEM;
                l->ids = p;
                l->allocated = wanted;
        }
        memcpy(l->ids[l->n++], id, PL_ID_MAX);
        return 0;
}

/* One element at a time: the tree of a list of thousands would be tens of megabytes. */
static int parse_element(const char *text, size_t size, IdList *l) {
        _cleanup_json_ json_t *element = NULL;
        const char *id;
        int r;

        r = pl_json_load_object(text, size, &element);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        id = pl_json_string(element, "Id");
        if (!id || !pl_is_id(id))
                return -EBADMSG;
        return id_list_add(l, id);
}

static void skip_space(const char **p, const char *end) {
        while (*p < end && isspace((unsigned char)**p))
                (*p)++;
}

static int parse_elements(const char *p, const char *end, IdList *l) {
        PlJsonScan scan;
        int r;

        skip_space(&p, end);
        if (p == end || *p++ != '[')
                return -EBADMSG;
        skip_space(&p, end);
        if (p < end && *p == ']')
                p++;
        else
                for (;;) {
                        skip_space(&p, end);
                        r = pl_json_scan(p, (size_t)(end - p), &scan);
                        if (r < 0)
                                return -EBADMSG;
                        r = parse_element(p, scan.end, l);
                        if (r < 0)
                                return r;
                        p += scan.end;
                        skip_space(&p, end);
                        if (p == end || (*p != ',' && *p != ']'))
                                return -EBADMSG;
                        if (*p++ == ']')
                                break;
                }
        skip_space(&p, end);
        return p == end ? 0 : -EBADMSG;
}

int pl_docker_parse_list(const char *body, size_t size, char (**ret_ids)[PL_ID_MAX],
                         size_t *ret_n) {
        IdList l = {};
        int r;

        r = parse_elements(body, body + size, &l);
        if (r < 0) {
                free(l.ids);
                return r;
        }
        *ret_ids = l.ids;
        *ret_n = l.n;
        return 0;
}

char *pl_docker_parse_error(const char *body, size_t size) {
        _cleanup_json_ json_t *root = NULL;
        const char *message;

        if (pl_json_load_object(body, size, &root) < 0)
                return NULL;
        message = pl_json_string(root, "message");
        return message && message[0] ? pl_escape(message, ERROR_STRING_MAX) : NULL;
}

char *pl_docker_parse_warnings(const char *body, size_t size) {
        _cleanup_json_ json_t *root = NULL;
        _cleanup_free_ char *all = NULL;
        const json_t *warning;
        size_t i, n = 0;

        if (pl_json_load_object(body, size, &root) < 0)
                return NULL;
        json_array_foreach(json_object_get(root, "Warnings"), i, warning) {
                const char *w = json_string_value(warning);
                size_t w_size = w ? strlen(w) : 0;
                char *grown;

                if (w_size == 0 || n + w_size > ERROR_STRING_MAX)
                        continue;
                grown = realloc(all, n + w_size + 3);
                if (!grown)
                        return NULL;
                all = grown;
                n += (size_t)sprintf(all + n, "%s%s", n > 0 ? "; " : "", w);
        }
        return all ? pl_escape(all, ERROR_STRING_MAX) : NULL;
}
