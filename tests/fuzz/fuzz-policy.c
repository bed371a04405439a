/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fuzz: a policy of two files, cut at the first 0xff byte, into pl_policy_parse().
 *
 * Besides not crashing: a refused policy says why, an accepted one can be shown and matched, its
 * limits settle (normalised once or twice is the same), and what is shown of it, written as a
 * policy, is that policy again.
 */

#include <assert.h>
#include <errno.h>

#include "lib/docker/container.h"
#include "lib/limits/resource.h"
#include "lib/policy/document.h"
#include "lib/policy/dump.h"
#include "lib/policy/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const PlPolicy *policy) {
        static const PlContainer container = { .name = (char *)"web-1",
                                               .image = (char *)"docker.io/library/postgres:16" };
        const PlService *s = pl_policy_match(policy, &container);
        _cleanup_free_ char *text = NULL;

        assert(pl_policy_dump(policy, &text) == 0 && *text);
        for (PlResource r = 0; s && r < _PL_RESOURCE_N; r++) {
                PlValue once = { 0 }, twice = { 0 };

                assert(pl_value_copy(&s->limits.v[r], &once) == 0);
                pl_resource_normalise(r, PL_HIERARCHY_V1, 4096, &once);
                assert(pl_value_copy(&once, &twice) == 0);
                pl_resource_normalise(r, PL_HIERARCHY_V1, 4096, &twice);
                assert(pl_value_equal(&once, &twice));
                pl_value_deinit(&once);
                pl_value_deinit(&twice);
        }
}

static bool has_origin(const PlService *s, const char *key) {
        for (size_t i = 0; i < s->n_origins; i++)
                if (pl_streq(s->origins[i].key, key))
                        return !s->origins[i].inherited;
        return false;
}

/* Several devices are shown on one line, and have a line each in a policy. */
static void write_value(FILE *f, const char *key, const char *value) {
        PlResource r = pl_resource_from_name(key);
        const char *end;

        while (r != _PL_RESOURCE_INVALID && pl_resource_info(r)->kind == PL_KIND_DEVICES &&
               (end = strstr(value, "; "))) {
                fprintf(f, "%s=%.*s\n", key, (int)(end - value), value);
                value = end + 2;
        }
        fprintf(f, "%s=%s\n", key, value);
}

static void write_section(FILE *f, const PlService *s) {
        const char *key;
        unsigned sections;

        fprintf(f, s->name ? "[Service %s]\n" : "[Defaults]\n", s->name);
        for (size_t i = 0, n; s->name && i < s->n_matches; i += n) {
                _cleanup_free_ char *line = NULL;

                n = pl_match_line_length(&s->matches[i], s->n_matches - i);
                line = pl_match_format(&s->matches[i], n);
                fprintf(f, "Match=%s\n", line);
        }
        for (size_t i = 0; (key = pl_policy_key(i, &sections)); i++) {
                _cleanup_free_ char *value = NULL;

                if (pl_streq(key, "Match") || !(sections & PL_SECTION_SERVICE))
                        continue;
                if (has_origin(s, key))
                        value = pl_policy_value(s, key);
                else if (!(s->said & UINT64_C(1) << i)) /* else it says: none */
                        continue;
                write_value(f, key, value ?: "");
        }
}

static char *write_policy(const PlPolicy *policy) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        assert(f);
        if (policy->defaults)
                write_section(f, policy->defaults);
        for (size_t i = 0; i < policy->n_services; i++)
                write_section(f, policy->services[i]);
        assert(fclose(f) == 0);
        return text;
}

/* What may be rounded when it is shown. */
static void compare(const PlPolicy *a, const PlPolicy *b) {
        assert(a->n_services == b->n_services);
        for (size_t i = 0; i < a->n_services; i++) {
                const PlService *x = a->services[i], *y = b->services[i];

                for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                        assert(pl_value_equal(&x->limits.v[r], &y->limits.v[r]));
                assert(x->log.max_age_usec == y->log.max_age_usec);
                assert(x->log.max_size_bytes == y->log.max_size_bytes);
                assert(x->probe.interval_usec == y->probe.interval_usec);
                assert(x->probe.timeout_usec == y->probe.timeout_usec);
                assert(x->probe.restart_budget.window_usec == y->probe.restart_budget.window_usec);
                assert(x->cpu_quota_period_usec == y->cpu_quota_period_usec);
        }
}

/* A period of one's own makes a quota one that a policy, which has two decimals, cannot say. */
static bool has_odd_quota(const PlPolicy *p) {
        for (size_t i = 0; i <= p->n_services; i++) {
                const PlService *s = i < p->n_services ? p->services[i] : p->defaults;

                if (s && s->cpu_quota_period_usec != PL_QUOTA_PERIOD_DEFAULT_USEC)
                        return true;
        }
        return false;
}

static void read_again(const PlPolicy *policy, const PlHost *host) {
        _cleanup_free_ char *once = write_policy(policy), *twice = NULL;
        _cleanup_(pl_policy_unrefp) PlPolicy *again = NULL;
        PlDiagList diag = { 0 };

        if (pl_policy_parse(&(PlPolicySource){ "shown", once, strlen(once) }, 1, host, &diag,
                            &again) != 0) {
                for (size_t i = 0; i < diag.n; i++)
                        fprintf(stderr, "%s\n", diag.items[i].message);
                fprintf(stderr, "in\n%s", once);
                abort();
        }
        compare(policy, again);
        twice = write_policy(again);
        if (!pl_streq(once, twice)) {
                fprintf(stderr, "%s\nand then\n%s", once, twice);
                abort();
        }
        pl_diag_list_deinit(&diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const PlHost host = { GIB(8), 4, 4096 };
        const uint8_t *cut = size ? memchr(data, 0xff, size) : NULL;
        size_t first = cut ? (size_t)(cut - data) : size, second = cut ? size - first - 1 : 0;
        _cleanup_free_ char *a = malloc(first + 1), *b = malloc(second + 1);
        _cleanup_(pl_policy_unrefp) PlPolicy *policy = NULL;
        PlDiagList diag = { 0 };
        int r;

        assert(a && b);
        if (first)
                memcpy(a, data, first);
        a[first] = '\0';
        if (second)
                memcpy(b, cut + 1, second);
        b[second] = '\0';
        r = pl_policy_parse((PlPolicySource[]){ { "a.conf", a, first }, { "b.conf", b, second } },
                            2, &host, &diag, &policy);
        assert(r == 0 || r == -EBADMSG);
        assert((r == 0) == (diag.n_errors == 0));
        for (size_t i = 0; i < diag.n; i++) {
                _cleanup_free_ char *text = pl_diag_format(&diag.items[i]);

                assert(text && !strchr(text, '\n') && diag.items[i].message[0]);
        }
        if (r == 0)
                use(policy);
        if (r == 0 && !has_odd_quota(policy))
                read_again(policy, &host);
        pl_diag_list_deinit(&diag);
        return 0;
}
