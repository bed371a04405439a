/* SPDX-License-Identifier: Apache-2.0 */

/* Setting: see the header. */

#include "lib/docker/setting.h"

#include <strings.h>

#include "lib/base/unit.h"

#define POSTGRES       "Postgres"
#define SHARED_BUFFERS "shared_buffers"
#define REDIS          "Redis"
#define MAXMEMORY      "maxmemory"

typedef struct Unit {
        const char *name;
        uint64_t bytes;
} Unit;

/* a bare number is in blocks of 8 KiB; names are case sensitive */
static const Unit postgres_units[] = {
        { "", KIB(8) },   { "B", 1 },       { "kB", KIB(1) },
        { "MB", MIB(1) }, { "GB", GIB(1) }, { "TB", GIB(1024) },
};

/* 1k is 1000, 1kb is 1024; any case */
static const Unit redis_units[] = {
        { "", 1 },        { "b", 1 },       { "k", 1000 },       { "kb", KIB(1) },
        { "m", 1000000 }, { "mb", MIB(1) }, { "g", 1000000000 }, { "gb", GIB(1) },
};

static bool parse(const char *s, const Unit *units, size_t n, bool any_case, uint64_t *ret) {
        char digits[24];
        size_t len = strspn(s, "0123456789");
        uint64_t number;

        if (len == 0 || len >= sizeof(digits))
                return false;
        memcpy(digits, s, len);
        digits[len] = '\0';
        if (pl_parse_uint64(digits, &number) < 0)
                return false;
        s += len + strspn(s + len, " ");
        for (size_t i = 0; i < n; i++)
                if (any_case ? strcasecmp(s, units[i].name) == 0 : pl_streq(s, units[i].name))
                        return !__builtin_mul_overflow(number, units[i].bytes, ret);
        return false;
}

/* Return: what follows "NAME=" with blanks around it, NULL: another name. */
static const char *value_of(const char *s, const char *name) {
        size_t n = strlen(name);

        s += strspn(s, " ");
        for (size_t i = 0; i < n; i++) {
                char c = s[i] == '-' ? '_' : s[i]; /* --shared-buffers=… is accepted too */

                if (c != name[i])
                        return NULL;
        }
        s += n;
        s += strspn(s, " ");
        if (*s != '=')
                return NULL;
        return s + 1 + strspn(s + 1, " ");
}

static void take(const char *product, const char *name, const char *value, const Unit *units,
                 size_t n, PlSetting *ret) {
        uint64_t bytes;

        /* 0: Redis' "as much as there is" */
        if (!value || !parse(value, units, n, units == redis_units, &bytes) || bytes == 0)
                return;
        *ret = (PlSetting){ product, name, bytes };
}

const char *pl_setting_of(const char *product, const char **ret_product) {
        static const PlSetting known[] = {
                { .product = POSTGRES, .name = SHARED_BUFFERS },
                { .product = REDIS, .name = MAXMEMORY },
        };

        for (size_t i = 0; product && i < PL_ARRAY_SIZE(known); i++)
                if (pl_streq(known[i].product, product)) {
                        *ret_product = known[i].product;
                        return known[i].name;
                }
        return NULL;
}

void pl_setting_take(const char *previous, const char *argument, PlSetting *ret) {
        const char *value = NULL;

        /* -c NAME=VALUE, -cNAME=VALUE, --NAME=VALUE, -B BLOCKS */
        if (previous && pl_streq(previous, "-c"))
                value = value_of(argument, "shared_buffers");
        else if (pl_startswith(argument, "-c") || pl_startswith(argument, "--"))
                value = value_of(argument + 2, "shared_buffers");
        take(POSTGRES, SHARED_BUFFERS, value, postgres_units, PL_ARRAY_SIZE(postgres_units), ret);
        if (previous && pl_streq(previous, "--maxmemory"))
                take(REDIS, MAXMEMORY, argument, redis_units, PL_ARRAY_SIZE(redis_units), ret);
}
