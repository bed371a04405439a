/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policy: lifetime of the document, and which section governs a container.
 *
 * Names, images and labels are the container's own and may be anything; fnmatch(3) of glibc goes
 * back to the last star only, so that no pair of pattern and text takes exponential time.
 */

#include "lib/policy/document.h"

#include <fnmatch.h>

#include "lib/base/strv.h"
#include "lib/docker/container.h"

bool pl_service_name_valid(const char *s) {
        static const char alphanumeric[] =
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
        size_t n = strspn(s, alphanumeric);

        return n > 0 && n <= PL_SERVICE_NAME_MAX && !s[n] && !strchr("-_.", s[0]);
}

PlService *pl_service_free(PlService *s) {
        if (!s)
                return NULL;
        free(s->name);
        free(s->file);
        for (size_t i = 0; i < s->n_matches; i++)
                free(s->matches[i].pattern);
        free(s->matches);
        free(s->origins);
        pl_limits_deinit(&s->limits);
        pl_strv_free(s->log_path.globs);
        free(s->log_path.archive_dir);
        free(s->probe.path);
        free(s->probe.host);
        pl_strv_free(s->probe.expect);
        pl_strv_free(s->probe.ollama_models);
        free(s->probe.unit);
        pl_strv_free(s->probe.after);
        pl_strv_free(s->probe.part_of);
        pl_strv_free(s->faults);
        free(s);
        return NULL;
}

PlPolicy *pl_policy_ref(PlPolicy *p) {
        p->n_ref++;
        return p;
}

PlPolicy *pl_policy_unref(PlPolicy *p) {
        if (!p || --p->n_ref > 0)
                return NULL;
        free(p->daemon.engine);
        pl_strv_free(p->daemon.metrics_listen);
        pl_strv_free(p->daemon.metrics_host);
        pl_service_free(p->defaults);
        for (size_t i = 0; i < p->n_services; i++)
                pl_service_free(p->services[i]);
        for (PlService *s = p->labelled; s;) {
                PlService *next = s->next;

                pl_service_free(s);
                s = next;
        }
        free(p->services);
        for (size_t i = 0; i < p->n_notifies; i++)
                pl_notify_section_free(p->notifies[i]);
        free(p->notifies);
        pl_strv_free(p->daemon.labels);
        pl_strv_free(p->files);
        free(p);
        return NULL;
}

const PlService *pl_policy_find(const PlPolicy *p, const char *service) {
        for (size_t i = 0; i < p->n_services; i++)
                if (pl_streq(p->services[i]->name, service))
                        return p->services[i];
        return NULL;
}

static bool glob(const char *pattern, const char *text) {
        return text && fnmatch(pattern, text, 0) == 0;
}

static bool match_label(const char *pattern, const PlContainer *c) {
        const char *equal = strchr(pattern, '='), *text;
        char key[256];

        if (!equal)
                return pl_container_label(c, pattern) != NULL;
        if ((size_t)(equal - pattern) >= sizeof(key))
                return false;
        memcpy(key, pattern, (size_t)(equal - pattern));
        key[equal - pattern] = '\0';
        text = pl_container_label(c, key);
        return glob(equal + 1, text);
}

static bool match(const PlMatch *m, const PlContainer *c) {
        switch (m->kind) {
        case PL_MATCH_NAME:
                return glob(m->pattern, c->name);
        case PL_MATCH_IMAGE:
                return glob(m->pattern, c->image);
        case PL_MATCH_LABEL:
                return match_label(m->pattern, c);
        default:
                return glob(m->pattern, pl_container_label(c, pl_match_label(m->kind)));
        }
}

size_t pl_service_match_line(const PlService *s, const PlContainer *c, size_t *ret) {
        size_t most = 0;

        for (size_t i = 0, n; i < s->n_matches; i += n) {
                size_t k = 0;

                n = pl_match_line_length(&s->matches[i], s->n_matches - i);
                while (n > most && k < n && match(&s->matches[i + k], c))
                        k++;
                if (k < n)
                        continue;
                most = n;
                *ret = i;
        }
        return most;
}

const PlService *pl_policy_match(const PlPolicy *p, const PlContainer *c) {
        const PlService *best = p->defaults;
        size_t line, most = 0;

        for (size_t i = 0; i < p->n_services; i++) {
                size_t n = pl_service_match_line(p->services[i], c, &line);

                if (n > most) {
                        most = n;
                        best = p->services[i];
                }
        }
        return best;
}

static const PlOrigin *find_origin(const PlService *s, const char *key) {
        for (size_t i = 0; i < s->n_origins; i++)
                if (pl_streq(s->origins[i].key, key))
                        return &s->origins[i];
        return NULL;
}

bool pl_service_has_label(const PlService *s, const char *key) {
        const PlOrigin *o = find_origin(s, key);

        return o && o->line == 0;
}

char *pl_service_origin(const PlService *s, const char *key) {
        const PlOrigin *o = find_origin(s, key);
        char *text;
        int r;

        if (!o)
                return NULL;
        if (o->line == 0)
                r = asprintf(&text, "label plimsoll.%s", key);
        else
                r = asprintf(&text, "%s:%u%s", o->file, o->line,
                             o->inherited || !s->name ? " [Defaults]" : "");
        return r < 0 ? NULL : text;
}
