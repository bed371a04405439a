/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl reload and rotate: asks the daemon to do something now.
 */

#include <errno.h>

#include "ctl/cli.h"

static void print_errors(const json_t *document) {
        const PlLook look = pl_ctl_view_options().look;
        const json_t *line;
        size_t i;

        json_array_foreach(json_object_get(document, "errors"), i, line) {
                const char *raw = json_string_value(line);
                _cleanup_free_ char *clean = pl_text_clean(raw ? raw : "?", &look);

                (void)fprintf(stderr, "%s\n", clean ? clean : "");
        }
}

static int post(PlCtl *ctl, const char *path, const char *done) {
        json_t *answer = NULL;
        long code = 0;
        int r = path ? pl_ctl_client_request(ctl->client, "POST", path, &code, &answer) : -ENOMEM;

        if (r < 0)
                return pl_ctl_failed(ctl, r);
        bool good = code >= 200 && code < 300;
        if (ctl->json)
                pl_ctl_print_json(answer);
        else if (good) {
                const char *message = json_string_value(json_object_get(answer, "message"));
                (void)printf("%s\n", message && *message ? message : done);
        }
        if (!good && !ctl->json) {
                print_errors(answer);
                (void)pl_ctl_refused(answer);
        }
        json_decref(answer);
        return good ? PL_EXIT_GOOD : PL_EXIT_BAD;
}

int pl_ctl_cmd_reload(PlCtl *ctl) {
        return post(ctl, "/v1/reload", "The policy is loaded and in force.");
}

int pl_ctl_cmd_rotate(PlCtl *ctl) {
        _cleanup_free_ char *path = pl_ctl_client_path(ctl->client, ctl->arguments[0], "/rotate");

        return post(ctl, path, "The rotation has begun; plimsollctl events shows its end.");
}
