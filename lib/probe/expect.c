/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Expectations: see the header.
 */

#include "lib/probe/expect.h"

#include <errno.h>

#include "lib/base/quote.h"

static void explain(char *why, const char *text) {
        (void)snprintf(why, PL_EXPECT_WHY_MAX, "%s", text);
}

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

static int parse_status(const char *s, PlExpect *e, char *why) {
        explain(why, "expected a status or a range, such as status:200-299");
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

static int parse_json(const char *text, PlExpect *e, char *why) {
        const char *s;
        int r = parse_pair(text, e);

        explain(why, "expected a JSON pointer and a value, such as json:/database=ok");
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

static int parse_header(const char *text, PlExpect *e, char *why) {
        /* RFC 9110, 5.6.2: token */
        static const char others[] = "!#$%&'*+-.^_`|~";
        const char *s;
        int r = parse_pair(text, e);

        explain(why, "expected a header and its value, such as header:Content-Type=text/html");
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

static int parse_body(const char *s, PlExpect *e, char *why) {
        if (!*s) {
                explain(why, "nothing follows the colon");
                return -EINVAL;
        }
        return pl_pattern_new(s, false, &e->pattern, why);
}

static int parse(const char *s, PlExpect *e, char *why) {
        static const struct {
                const char *prefix;
                int (*parse)(const char *s, PlExpect *e, char *why);
        } kinds[] = {
                [PL_EXPECT_STATUS] = { "status:", parse_status },
                [PL_EXPECT_JSON] = { "json:", parse_json },
                [PL_EXPECT_BODY] = { "body:", parse_body },
                [PL_EXPECT_HEADER] = { "header:", parse_header },
        };

        for (size_t i = 0; i < PL_ARRAY_SIZE(kinds); i++)
                if (pl_startswith(s, kinds[i].prefix)) {
                        e->kind = (PlExpectKind)i;
                        return kinds[i].parse(s + strlen(kinds[i].prefix), e, why);
                }
        return -EINVAL;
}

static void expect_deinit(PlExpect *e) {
        free(e->text);
        free(e->name);
        free(e->value);
        pl_pattern_free(e->pattern);
        *e = (PlExpect){ 0 };
}

static int expect_parse(const char *s, char *why, PlExpect *ret) {
        PlExpect e = { 0 };
        int r;

        explain(why, "");

        e.text = strdup(s);
        if (!e.text)
                return -ENOMEM;
        r = parse(s, &e, why);
        if (r < 0) {
                expect_deinit(&e);
                return r;
        }
        *ret = e;
        return 0;
}

int pl_expect_valid(const char *text, char reterr_why[static PL_EXPECT_WHY_MAX]) {
        PlExpect e;
        int r = expect_parse(text, reterr_why, &e);

        if (r < 0)
                return r;
        expect_deinit(&e);
        return 0;
}

int pl_expect_list_new(char *const *texts, PlExpectList **ret) {
        _cleanup_(pl_expect_list_freep) PlExpectList *l = NULL;
        char why[PL_EXPECT_WHY_MAX];
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
                r = expect_parse(*texts, why, &l->items[l->n]);
                if (r < 0)
                        return r;
                l->decides |= l->items[l->n].kind == PL_EXPECT_STATUS ||
                              (l->items[l->n].kind == PL_EXPECT_HEADER &&
                               strcasecmp(l->items[l->n].name, "Location") == 0);
                l->n++;
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

/* --- does an answer meet them? --- */

static void up(PlVerdict *ret) {
        pl_verdict_set(ret, PL_VERDICT_UP, "", "%s", "");
}

static void unmet(const PlExpect *e, const char *what, PlVerdict *ret) {
        char quoted[72];

        pl_verdict_set(ret, PL_VERDICT_DISPUTED, "expect", "%s; ProbeExpect=%s", what,
                       pl_quote(e->text, strlen(e->text), quoted, sizeof(quoted)));
}

/* RFC 6901. Return: borrowed, or NULL. */
static const json_t *resolve(const json_t *v, const char *pointer) {
        while (*pointer && v) {
                char key[256];
                size_t n = 0;

                pointer++; /* the slash */
                for (; *pointer && *pointer != '/'; pointer++) {
                        char c = *pointer;

                        if (c == '~')
                                c = *++pointer == '0' ? '~' : '/';
                        if (n + 1 == sizeof(key))
                                return NULL;
                        key[n++] = c;
                }
                key[n] = '\0';
                if (json_is_object(v)) {
                        v = json_object_get(v, key);
                } else if (json_is_array(v)) {
                        size_t digits = strspn(key, "0123456789");

                        if (n == 0 || n > 6 || digits != n || (n > 1 && key[0] == '0'))
                                return NULL;
                        v = json_array_get(v, strtoul(key, NULL, 10));
                } else {
                        return NULL;
                }
        }
        return v;
}

static void check_json(const PlExpect *e, const PlHttpAnswer *a, PlVerdict *ret) {
        json_t *root = json_loadb(a->body ? a->body : "", a->body_size, JSON_DECODE_ANY, NULL);
        const json_t *v = root ? resolve(root, e->name) : NULL;
        char seen[64], quoted[48];
        bool met;

        if (!root)
                unmet(e, a->body_cut ? "the answer is longer than 64K" : "the answer is not JSON",
                      ret);
        else if (!v || json_is_null(v)) {
                if (v && e->value && pl_streq(e->value, "null"))
                        up(ret);
                else
                        unmet(e, v ? "it is null" : "it is not in the answer", ret);
        } else if (!e->value) {
                up(ret);
        } else {
                _cleanup_free_ char *dump =
                                json_is_string(v) ? strndup(json_string_value(v),
                                                            json_string_length(v))
                                                  : json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY |
                                                                                  JSON_SORT_KEYS);

                /* a string with an embedded NUL must not pass for its beginning */
                met = dump && pl_streq(dump, e->value) &&
                      (!json_is_string(v) || json_string_length(v) == strlen(e->value));
                if (met) {
                        up(ret);
                } else {
                        (void)snprintf(seen, sizeof(seen), "it is %s",
                                       pl_quote(dump ? dump : "", dump ? strlen(dump) : 0, quoted,
                                                sizeof(quoted)));
                        unmet(e, seen, ret);
                }
        }
        json_decref(root);
}

static void check_body(const PlExpect *e, const PlHttpAnswer *a, PlVerdict *ret) {
        int r = pl_pattern_match(e->pattern, a->body, a->body_size);

        if (r > 0)
                up(ret);
        else
                unmet(e,
                      r == 0 ? "the body does not match"
                             : "the body takes too long to be searched for it",
                      ret);
}

static void check_header(const PlExpect *e, const PlHttpAnswer *a, PlVerdict *ret) {
        size_t n = 0;
        const char *v = pl_answer_header(a->headers, e->name, &n);
        char seen[64], quoted[48];

        if (!v) {
                unmet(e, "the header is not there", ret);
        } else if (e->value && (n != strlen(e->value) || memcmp(v, e->value, n) != 0)) {
                (void)snprintf(seen, sizeof(seen), "it is %s",
                               pl_quote(v, n, quoted, sizeof(quoted)));
                unmet(e, seen, ret);
        } else {
                up(ret);
        }
}

static bool is_expected(const PlExpect *e, unsigned status) {
        for (unsigned i = 0; i < e->n_ranges; i++)
                if (status >= e->ranges[i].from && status <= e->ranges[i].to)
                        return true;
        return false;
}

bool pl_expect_status(const PlExpectList *l, unsigned status) {
        for (size_t i = 0; l && i < l->n; i++)
                if (l->items[i].kind == PL_EXPECT_STATUS && is_expected(&l->items[i], status))
                        return true;
        return false;
}

void pl_expect_check(const PlExpectList *l, const PlHttpAnswer *a, PlVerdict *ret) {
        PlVerdict v = { .kind = PL_VERDICT_UP };

        for (size_t i = 0; l && i < l->n && v.kind == PL_VERDICT_UP; i++) {
                const PlExpect *e = &l->items[i];
                char seen[32];

                switch (e->kind) {
                case PL_EXPECT_STATUS:
                        if (!is_expected(e, a->status)) {
                                (void)snprintf(seen, sizeof(seen), "HTTP %u", a->status);
                                unmet(e, seen, &v);
                        }
                        break;
                case PL_EXPECT_JSON:
                        check_json(e, a, &v);
                        break;
                case PL_EXPECT_BODY:
                        check_body(e, a, &v);
                        break;
                case PL_EXPECT_HEADER:
                        check_header(e, a, &v);
                        break;
                }
        }
        if (v.kind != PL_VERDICT_UP)
                *ret = v;
}
