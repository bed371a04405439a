/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Limits in rows of tables as a policy has them: "MemoryMax=64M, CPUQuota=50%, AllowedCPUs=0-1,3".
 * The library's own parsers read the numbers; a CPUQuota without % is in its unit, microseconds.
 * Texts are taken as they stand. What cannot be read fails the test: it is the row that is wrong.
 */

#include "lib/base/unit.h"
#include "lib/limits/resource.h"
#include "unit.h"

#define BIT(r)   (UINT32_C(1) << PL_RESOURCE_##r)
#define WORD_MAX 128

/** Moves on in words that are separated by ", ". Return: false at the end. */
static inline bool next_word(const char **text, char ret[static WORD_MAX]) {
        const char *end = strstr(*text, ", ");
        size_t n = end ? (size_t)(end - *text) : strlen(*text);

        ck_assert_uint_lt(n, WORD_MAX);
        memcpy(ret, *text, n);
        ret[n] = '\0';
        *text += end ? n + 2 : n;
        return n > 0;
}

static inline uint64_t number_of(const char *text) {
        bool percent = strchr(text, '%');
        uint64_t n = 0;

        ck_assert_msg((percent ? pl_parse_permyriad : pl_parse_size)(text, &n) == 0, "%s", text);
        return percent ? n * 100 : n;
}

static inline PlResource resource_of(const char *name) {
        PlResource r = pl_resource_from_name(name);

        ck_assert_msg(r != _PL_RESOURCE_INVALID, "%s", name);
        return r;
}

/** Return: false for a word that is no "NAME=VALUE". */
static inline bool take_limit(PlLimits *l, const char *word) {
        char name[WORD_MAX];
        const char *value = strchr(word, '=');
        PlValue *v;

        if (!value)
                return false;
        (void)snprintf(name, sizeof(name), "%.*s", (int)(value++ - word), word);
        v = &l->v[resource_of(name)];
        *v = (PlValue){ .set = true };
        if (pl_resource_is_text(resource_of(name)))
                v->text = strdup(value);
        else
                v->number = number_of(value);
        return true;
}

/** NULL: none. Return: to be freed by pl_limits_deinit(). */
static inline PlLimits limits_of(const char *text) {
        char word[WORD_MAX];
        PlLimits l = {};

        while (text && next_word(&text, word))
                ck_assert_msg(take_limit(&l, word), "%s", word);
        return l;
}
