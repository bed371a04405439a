/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The engine's own files, rewritten. What we do not understand stays as it was.
 */

#include <errno.h>
#include <jansson.h>
#include <time.h>

#include "lib/adopt/rules.h"
#include "lib/base/json.h"

/* NULs in strings are kept; a document that is no object is refused. */
static int load(const char *text, size_t size, json_t **ret) {
        json_error_t error;
        json_t *j = json_loadb(text, size, JSON_ALLOW_NUL, &error);

        if (!j)
                return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
        if (!json_is_object(j)) {
                json_decref(j);
                return -EBADMSG;
        }
        *ret = j;
        return 0;
}

static int dump(const json_t *j, size_t flags, char **ret) {
        _cleanup_free_ char *text = json_dumps(j, flags);
        char *line = NULL;

        if (!text || asprintf(&line, "%s\n", text) < 0)
                return -ENOMEM;
        *ret = line;
        return 0;
}

/* max-size, and max-file where there is none: Docker wants both as strings. */
static int set_sizes(json_t *options, const PlAdoptSizes *sizes) {
        char size[24], files[16];

        (void)snprintf(size, sizeof(size), "%" PRIu64, sizes->max_size_bytes);
        (void)snprintf(files, sizeof(files), "%u", sizes->max_files);
        if (json_object_set_new(options, "max-size", json_string(size)) < 0)
                return -ENOMEM;
        if (!json_object_get(options, "max-file") &&
            json_object_set_new(options, "max-file", json_string(files)) < 0)
                return -ENOMEM;
        return 0;
}

/* A member that is an object; made when it is absent or null. */
static int want_object(json_t *parent, const char *key, json_t **ret) {
        json_t *j = json_object_get(parent, key);

        if (!j || json_is_null(j)) {
                if (json_object_set_new(parent, key, json_object()) < 0)
                        return -ENOMEM;
                j = json_object_get(parent, key);
        }
        if (!json_is_object(j))
                return -EBADMSG;
        *ret = j;
        return 0;
}

int pl_adopt_hostconfig(const char *text, size_t size, const PlAdoptSizes *sizes, char **ret) {
        _cleanup_json_ json_t *root = NULL;
        json_t *log, *options;
        int r = load(text, size, &root);

        if (r < 0)
                return r;
        log = json_object_get(root, "LogConfig");
        const char *type = json_string_value(json_object_get(log, "Type"));
        if (!type)
                return -EBADMSG;
        if (!pl_streq(type, "json-file"))
                return -EINVAL;
        r = want_object(log, "Config", &options);
        if (r < 0)
                return r;
        if (json_object_get(options, "max-size"))
                return -EALREADY;
        r = set_sizes(options, sizes);
        return r < 0 ? r : dump(root, JSON_COMPACT, ret);
}

/* Return: 1 when it changed, 0 when not. */
static int set_live_restore(json_t *root, const PlAdoptFlags *flags) {
        const json_t *j = json_object_get(root, "live-restore");

        if (j && !json_is_boolean(j))
                return -EBADMSG;
        if (json_is_true(j) || flags->live_restore)
                return 0;
        return json_object_set_new(root, "live-restore", json_true()) < 0 ? -ENOMEM : 1;
}

static int set_log_opts(json_t *root, const PlAdoptFlags *flags, const PlAdoptSizes *defaults,
                        const char *driver) {
        json_t *options = json_object_get(root, "log-opts");

        if (options && !json_is_object(options) && !json_is_null(options))
                return -EBADMSG;
        if (flags->log_opts || !defaults || defaults->max_size_bytes == PL_UNLIMITED ||
            json_object_get(options, "max-size") ||
            !(pl_streq_null(driver, "json-file") || pl_streq_null(driver, "local")))
                return 0;
        int r = want_object(root, "log-opts", &options);
        if (r == 0)
                r = set_sizes(options, defaults);
        return r < 0 ? r : 1;
}

int pl_adopt_daemon_json(const char *text, size_t size, const PlAdoptFlags *flags,
                         const PlAdoptSizes *defaults, const char *driver, char **ret) {
        _cleanup_json_ json_t *root = NULL;
        char *out = NULL;
        int r, live, opts;

        /* dockerd takes an empty file for an empty object */
        if (strspn(text, " \t\r\n") >= size)
                root = json_object();
        else if ((r = load(text, size, &root)) < 0)
                return r;
        if (!root)
                return -ENOMEM;
        live = set_live_restore(root, flags);
        if (live < 0)
                return live;
        opts = set_log_opts(root, flags, defaults, driver);
        if (opts < 0)
                return opts;
        if (live || opts) {
                r = dump(root, JSON_INDENT(4), &out);
                if (r < 0)
                        return r;
        }
        *ret = out;
        return 0;
}

char *pl_adopt_backup_name(const char *path, uint64_t now_sec) {
        time_t t = (time_t)now_sec;
        struct tm tm;
        char stamp[32];
        char *name = NULL;

        if (!gmtime_r(&t, &tm) || strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm) == 0 ||
            asprintf(&name, "%s.plimsoll-%s", path, stamp) < 0)
                return NULL;
        return name;
}
