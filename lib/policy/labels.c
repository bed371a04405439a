/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Labels: whose they are. See the header; what they mean is the parser's.
 */

#include "lib/policy/labels.h"

#include <errno.h>

#include "lib/base/strv.h"
#include "lib/docker/answer.h"

#define PREFIX       "plimsoll."
#define SETTINGS_MAX PL_DOCKER_LABELS_MAX

/* Older than settings: one names a probe, the other is for Match=. */
static bool is_setting(const char *key) {
        return pl_startswith(key, PREFIX) && !pl_streq(key, PREFIX "probe") &&
               !pl_streq(key, PREFIX "service");
}

/* With the same value it may be the image's, so it is. */
static bool is_of_image(const PlContainer *image, const PlPair *label) {
        return image && pl_streq_null(pl_container_label(image, label->key), label->value);
}

int pl_labels_of(const PlContainer *c, const PlContainer *image, char ***ret) {
        char **list = NULL;
        int r = 0;

        for (size_t i = 0; i < c->n_labels && r == 0; i++) {
                const PlPair *label = &c->labels[i];
                _cleanup_free_ char *text = NULL;

                if (!is_setting(label->key) || is_of_image(image, label))
                        continue;
                if (asprintf(&text, "%s=%s", label->key + strlen(PREFIX), label->value) < 0) {
                        text = NULL;
                        r = -ENOMEM;
                } else
                        r = pl_strv_append(&list, SETTINGS_MAX, text);
        }
        if (r < 0) {
                (void)pl_strv_free(list);
                return r;
        }
        *ret = list;
        return 0;
}
