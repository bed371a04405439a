/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policy values: setters for numbers, sizes, spans, words and budgets.
 *
 * Where a value is almost right, the error says what was probably meant; the rest is said by the
 * key's own "expected …".
 */

#include "lib/base/quote.h"
#include "lib/policy/parser.h"

#include <errno.h>

#include "lib/base/unit.h"

static void *field(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s) {
        char *base = s->kind == PL_SECTION_DAEMON ? (char *)&p->policy->daemon : (char *)s->service;

        return base + key->offset;
}

static const void *default_of(const PlPolicyKey *key, const PlSection *s) {
        const char *base = s->kind == PL_SECTION_DAEMON ? (const char *)&pl_daemon_defaults
                                                        : (const char *)&pl_service_defaults;

        return base + key->offset;
}

/* Return: 1, as setters do when they have said what is wrong; -ENOMEM. */
static int did_you_mean(PlPolicyParser *p, const PlPolicyKey *key, const char *value,
                        const char *meant) {
        _cleanup_free_ char *shown = pl_escape(value, 80);

        if (!shown)
                return -ENOMEM;
        pl_policy_error(p, "%s=%s: not understood; did you mean %s=%s?", key->name, shown,
                        key->name, meant);
        return 1;
}

/* "4g", "4 GB", "4GiB", "512mb", "unlimited": as compose files and people have it. */
static int refuse_size(PlPolicyParser *p, const PlPolicyKey *key, const char *value) {
        static const char *const forever[] = { "unlimited", "Infinity", "INFINITY", "inf",
                                               "max",       "none",     "-1" };
        char meant[32];
        uint64_t bytes;
        size_t n = 0;

        for (size_t i = 0; i < PL_ARRAY_SIZE(forever); i++)
                if (pl_streq(value, forever[i]))
                        return did_you_mean(p, key, value, "infinity");
        for (const char *c = value; *c && n + 1 < sizeof(meant); c++)
                if (*c != ' ')
                        meant[n++] = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
        meant[n] = '\0';
        if (n > 2 && meant[n - 1] == 'B' && strchr("IKMGTPE", meant[n - 2])) {
                meant[--n] = '\0';
                if (n > 2 && meant[n - 1] == 'I')
                        meant[--n] = '\0';
        }
        if (!pl_streq(value, meant) && pl_parse_size(meant, &bytes) == 0)
                return did_you_mean(p, key, value, meant);
        return -EINVAL;
}

static int parse_memory(PlPolicyParser *p, const PlPolicyKey *key, const char *value,
                        uint64_t *ret) {
        uint64_t permyriad;
        int r;

        if (!strchr(value, '%')) {
                r = pl_parse_size(value, ret);
                return r == -EINVAL ? refuse_size(p, key, value) : r;
        }
        r = pl_parse_permyriad(value, &permyriad);
        if (r < 0)
                return r;
        if (permyriad > 10000) {
                pl_policy_error(p, "%s=%s: more than all of the host's memory", key->name, value);
                return 1;
        }
        *ret = (uint64_t)((unsigned __int128)p->host->memory_bytes * permyriad / 10000);
        if (*ret > MIB(1)) /* nobody counts bytes in a percentage; "3686M" can be read */
                *ret -= *ret % MIB(1);
        return 0;
}

/* "2" and "1.5" are CPUs, as in compose files; "150" is a per cent sign short. */
static int parse_quota(PlPolicyParser *p, const PlPolicyKey *key, const char *value,
                       uint64_t *ret) {
        char with_sign[32];
        _cleanup_free_ char *meant = NULL;
        uint64_t permyriad;
        int r;

        if (pl_streq(value, "infinity")) {
                *ret = PL_UNLIMITED;
                return 0;
        }
        r = pl_parse_permyriad(value, &permyriad);
        if (r == 0) {
                *ret = permyriad > UINT64_MAX / 200 ? UINT64_MAX / 2 : permyriad * 100;
                return 0;
        }
        if (r == -ERANGE)
                return r;
        snprintf(with_sign, sizeof(with_sign), "%.24s%%", value);
        if (strlen(value) > 24 || pl_parse_permyriad(with_sign, &permyriad) < 0)
                return -EINVAL;
        if (permyriad < 6400) {
                PlValue v = { .set = true, .number = permyriad * 10000 };

                if (pl_value_to_string(PL_RESOURCE_CPU_QUOTA, &v, &meant) < 0)
                        return -ENOMEM;
        }
        return did_you_mean(p, key, value, meant ? meant : with_sign);
}

int pl_policy_set_resource(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s,
                           const char *value) {
        PlResource resource = (PlResource)key->offset;
        const PlResourceInfo *info = pl_resource_info(resource);
        PlValue parsed = { .set = true };
        int r = -EINVAL;

        if (!*value) {
                pl_value_deinit(&s->service->limits.v[resource]);
                return 0;
        }
        switch (info->kind) {
        case PL_KIND_CPU_TIME:
                r = parse_quota(p, key, value, &parsed.number);
                break;
        case PL_KIND_BYTES:
                r = parse_memory(p, key, value, &parsed.number);
                break;
        case PL_KIND_COUNT:
                if (pl_streq(value, "infinity")) {
                        parsed.number = PL_UNLIMITED;
                        r = 0;
                        break;
                }
                r = pl_parse_uint64(value, &parsed.number);
                if (r == -EINVAL)
                        r = refuse_size(p, key, value);
                break;
        case PL_KIND_WEIGHT:
                r = pl_parse_uint64(value, &parsed.number);
                break;
        case PL_KIND_CPUSET:
                r = pl_parse_cpuset(value, &parsed.text);
                break;
        case PL_KIND_DEVICES: /* has a setter of its own */
                break;
        }
        if (r != 0)
                return r;
        if (!parsed.text && (parsed.number != PL_UNLIMITED || info->kind == PL_KIND_WEIGHT) &&
            (parsed.number < info->min || parsed.number > info->max))
                return -ERANGE;
        pl_value_deinit(&s->service->limits.v[resource]);
        s->service->limits.v[resource] = parsed;
        return 0;
}

/* "/dev/sda 10M": adds to the list, or replaces the device's earlier rate. */
int pl_policy_set_bandwidth(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s,
                            const char *value) {
        PlResource resource = (PlResource)key->offset;
        PlValue *v = &s->service->limits.v[resource];
        size_t n = 0, path_size = strcspn(value, " \t");
        const char *rate = value + path_size + strspn(value + path_size, " \t");
        _cleanup_free_ PlDeviceRate *rates = NULL;
        const char *cursor = v->text;
        char *text;
        int r;

        if (!*value) {
                pl_value_deinit(v);
                return 0;
        }
        if (value[0] != '/' || path_size >= PL_DEVICE_MAX || memchr(value, ';', path_size))
                return -EINVAL;
        rates = calloc(PL_POLICY_LIST_MAX + 1, sizeof(*rates));
        if (!rates)
                return -ENOMEM;
        while (n < PL_POLICY_LIST_MAX && pl_resource_devices_next(&cursor, &rates[n]))
                n++;
        if (n == PL_POLICY_LIST_MAX)
                return -E2BIG;
        r = pl_parse_rate(rate, &rates[n].bytes);
        if (r < 0)
                return r;
        if (rates[n].bytes != PL_UNLIMITED && (rates[n].bytes < pl_resource_info(resource)->min ||
                                               rates[n].bytes > pl_resource_info(resource)->max))
                return -ERANGE;
        memcpy(rates[n].device, value, path_size);
        rates[n].device[path_size] = '\0';
        r = pl_resource_devices_join(rates, n + 1, &text);
        if (r < 0)
                return r;
        pl_value_deinit(v);
        *v = (PlValue){ .set = true, .text = text };
        return 0;
}

int pl_policy_set_size(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s, const char *value) {
        uint64_t bytes;
        int r;

        if (!*value) {
                memcpy(field(p, key, s), default_of(key, s), sizeof(bytes));
                return 0;
        }
        r = pl_parse_size(value, &bytes);
        if (r == -EINVAL)
                return refuse_size(p, key, value);
        if (r < 0 || (bytes != PL_UNLIMITED && (bytes < key->min || bytes > key->max)))
                return -ERANGE;
        memcpy(field(p, key, s), &bytes, sizeof(bytes));
        return 0;
}

int pl_policy_set_sec(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s, const char *value) {
        uint64_t usec;
        int r;

        if (!*value) {
                memcpy(field(p, key, s), default_of(key, s), sizeof(usec));
                return 0;
        }
        r = pl_parse_sec(value, &usec);
        if (r < 0)
                return r;
        if (usec < key->min || usec > key->max)
                return -ERANGE;
        memcpy(field(p, key, s), &usec, sizeof(usec));
        return 0;
}

int pl_policy_set_unsigned(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s,
                           const char *value) {
        uint64_t n;
        unsigned number;
        int r;

        if (!*value) {
                memcpy(field(p, key, s), default_of(key, s), sizeof(number));
                return 0;
        }
        r = pl_parse_uint64(value, &n);
        if (r < 0)
                return r;
        if (n < key->min || n > key->max)
                return -ERANGE;
        number = (unsigned)n;
        memcpy(field(p, key, s), &number, sizeof(number));
        return 0;
}

int pl_policy_set_port(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s, const char *value) {
        uint64_t n = 0;
        uint16_t port;
        int r = *value ? pl_parse_uint64(value, &n) : 0;

        if (r < 0)
                return r;
        if (*value && (n < key->min || n > key->max))
                return -ERANGE;
        port = (uint16_t)n;
        memcpy(field(p, key, s), &port, sizeof(port));
        return 0;
}

int pl_policy_set_boolean(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s,
                          const char *value) {
        int r = *value ? pl_parse_boolean(value) : *(const bool *)default_of(key, s);

        if (r < 0)
                return r;
        *(bool *)field(p, key, s) = r > 0;
        return 0;
}

static const char *get_word(const void *userdata, size_t i) {
        return ((const PlWord *)userdata)[i].word;
}

int pl_policy_set_word(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s, const char *value) {
        const PlWord *words = key->extra;
        const char *similar;

        if (!*value) {
                memcpy(field(p, key, s), default_of(key, s), sizeof(words->value));
                return 0;
        }
        for (; words->word; words++)
                if (pl_streq(words->word, value)) {
                        memcpy(field(p, key, s), &words->value, sizeof(words->value));
                        return 0;
                }
        similar = pl_policy_similar(value, get_word, key->extra);
        return similar ? did_you_mean(p, key, value, similar) : -EINVAL;
}

/* "3/10min" */
int pl_policy_set_budget(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s,
                         const char *value) {
        const char *slash = strchr(value, '/');
        PlBudget budget;
        char count[8];
        uint64_t n;
        int r;

        if (!*value) {
                memcpy(field(p, key, s), default_of(key, s), sizeof(budget));
                return 0;
        }
        if (!slash)
                return -EINVAL;
        if ((size_t)(slash - value) >= sizeof(count))
                return strspn(value, "0123456789") == (size_t)(slash - value) ? -ERANGE : -EINVAL;
        snprintf(count, sizeof(count), "%.*s", (int)(slash - value), value);
        r = pl_parse_uint64(count, &n);
        if (r == 0)
                r = pl_parse_sec(slash + 1, &budget.window_usec);
        if (r < 0)
                return r;
        if (n < key->min || n > key->max || budget.window_usec < PL_USEC_PER_SEC ||
            budget.window_usec > 365 * PL_USEC_PER_DAY)
                return -ERANGE;
        budget.n = (unsigned)n;
        memcpy(field(p, key, s), &budget, sizeof(budget));
        return 0;
}
