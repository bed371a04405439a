/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Expectations: see the header. This file only parses them; lib/probe/http.c matches answers.
 */

#include "lib/probe/expect.h"

#include <errno.h>

static int parse_code(const char **s, uint16_t *ret) {
        unsigned v = 0;
        int i;

        for (i = 0; i < 3 && **s >= '0' && **s <= '9'; i++)
                v = v * 10 + (unsigned)(*(*s)++ - '0');
        if (i != 3 || v < 100 || v > 599)
                return -EINVAL;
        *ret = (uint16_t)v;
        return 0;
}

static int parse_status(const char *s, PlExpect *e) {
        for (;;) {
                uint16_t from, to;

                if (e->n_ranges == PL_EXPECT_RANGES_MAX)
                        return -EINVAL;
                if (parse_code(&s, &from) < 0)
                        return -EINVAL;
                to = from;
                if (*s == '-') {
                        s++;
                        if (parse_code(&s, &to) < 0 || to < from)
                                return -EINVAL;
                }
                e->ranges[e->n_ranges].from = from;
                e->ranges[e->n_ranges++].to = to;
                if (*s == '\0')
                        return 0;
                if (*s++ != ',')
                        return -EINVAL;
        }
}

static int parse_pair(const char *s, PlExpect *e) {
        const char *eq = strchr(s, '=');

        e->name = eq ? strndup(s, (size_t)(eq - s)) : strdup(s);
        if (!e->name)
                return -ENOMEM;
        if (eq) {
                e->value = strdup(eq + 1);
                if (!e->value)
                        return -ENOMEM;
        }
        return 0;
}

static int parse_json(const char *text, PlExpect *e) {
        const char *s;
        int r = parse_pair(text, e);

        if (r < 0)
                return r;
        s = e->name;
        if (*s != '/' && *s != '\0')
                return -EINVAL;
        for (; *s; s++)
                if (*s == '~' && s[1] != '0' && s[1] != '1')
                        return -EINVAL;
        return 0;
}

static int parse_header(const char *text, PlExpect *e) {
        /* RFC 9110, 5.6.2: token */
        static const char others[] = "!#$%&'*+-.^_`|~";
        const char *s;
        int r = parse_pair(text, e);

        if (r < 0)
                return r;
        s = e->name;
        if (!*s)
                return -EINVAL;
        for (; *s; s++)
                if (!((*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z') ||
                      (*s >= 'a' && *s <= 'z') || strchr(others, *s)))
                        return -EINVAL;
        return 0;
}

static int parse_body(const char *s, PlExpect *e) {
        int r;

        if (!*s)
                return -EINVAL;
        for (const char *p = s; *p; p++)
                if (*p == '\\') {
                        if (p[1] >= '1' && p[1] <= '9')
                                return -EINVAL;
                        if (p[1])
                                p++;
                }
        r = regcomp(&e->regex, s, REG_EXTENDED | REG_NOSUB);
        if (r == REG_ESPACE)
                return -ENOMEM;
        if (r != 0)
                return -EINVAL;
        e->has_regex = true;
        return 0;
}

static int parse(const char *s, PlExpect *e) {
        static const struct {
                const char *prefix;
                int (*parse)(const char *s, PlExpect *e);
        } kinds[] = {
                [PL_EXPECT_STATUS] = { "status:", parse_status },
                [PL_EXPECT_JSON] = { "json:", parse_json },
                [PL_EXPECT_BODY] = { "body:", parse_body },
                [PL_EXPECT_HEADER] = { "header:", parse_header },
        };

        for (size_t i = 0; i < PL_ARRAY_SIZE(kinds); i++)
                if (pl_startswith(s, kinds[i].prefix)) {
                        e->kind = (PlExpectKind)i;
                        return kinds[i].parse(s + strlen(kinds[i].prefix), e);
                }
        return -EINVAL;
}

static void expect_deinit(PlExpect *e) {
        free(e->text);
        free(e->name);
        free(e->value);
        if (e->has_regex)
                regfree(&e->regex);
        *e = (PlExpect){ 0 };
}

static int expect_parse(const char *s, PlExpect *ret) {
        PlExpect e = { 0 };
        int r;

        e.text = strdup(s);
        if (!e.text)
                return -ENOMEM;
        r = parse(s, &e);
        if (r < 0) {
                expect_deinit(&e);
                return r;
        }
        *ret = e; /* glibc's regex_t holds pointers only, so it can move */
        return 0;
}

int pl_expect_list_new(char *const *texts, PlExpectList **ret) {
        _cleanup_(pl_expect_list_freep) PlExpectList *l = NULL;
        int r;

        if (!texts || !texts[0]) {
                *ret = NULL;
                return 0;
        }
        l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        for (; *texts; texts++) {
                if (l->n == PL_EXPECT_MAX)
                        return -E2BIG;
                r = expect_parse(*texts, &l->items[l->n]);
                if (r < 0)
                        return r;
                l->has_status |= l->items[l->n++].kind == PL_EXPECT_STATUS;
        }
        *ret = TAKE_PTR(l);
        return 0;
}

PlExpectList *pl_expect_list_free(PlExpectList *l) {
        if (!l)
                return NULL;
        for (size_t i = 0; i < l->n; i++)
                expect_deinit(&l->items[i]);
        free(l);
        return NULL;
}
