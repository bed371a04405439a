/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pattern: see the header.
 *
 * PCRE2's own match limit counts from anew at each start, and does not see what a repetition runs
 * over. So a callout before each item adds up the distance between two looks, and ends the match
 * when the sum is too large (pcre2callout(3); checked on 10.42: both limits are per start).
 */

#include "lib/base/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>
#include <regex.h>

/* Characters looked at, with each look counted as so many: under 20 ms. */
#define WORK_MAX     UINT64_C(10000000)
#define WORK_OF_LOOK 8
#define MATCHES_MAX  1000000 /* of one start, where repetitions of groups call out rarely */
#define HEAP_KIB_MAX 4096

struct PlPattern {
        pcre2_code *code;
        pcre2_match_context *context;
        pcre2_match_data *found;
        uint64_t work;
        size_t position;
};

static int on_look(pcre2_callout_block *block, void *userdata) {
        PlPattern *p = userdata;
        size_t at = block->current_position;

        p->work += WORK_OF_LOOK + (at > p->position ? at - p->position : p->position - at);
        p->position = at;
        return p->work > WORK_MAX ? PCRE2_ERROR_CALLOUT : 0;
}

PlPattern *pl_pattern_free(PlPattern *p) {
        if (!p)
                return NULL;
        pcre2_match_data_free(p->found);
        pcre2_match_context_free(p->context);
        pcre2_code_free(p->code);
        free(p);
        return NULL;
}

static int compile(const char *text, bool ignore_case, pcre2_code **ret, char *why) {
        uint32_t options = PCRE2_AUTO_CALLOUT | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY |
                           PCRE2_NEVER_BACKSLASH_C | PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
        PCRE2_SIZE offset = 0;
        char message[72]; /* pcre2api(3): a longer one is cut */
        int error = 0;

        if (strlen(text) > PL_PATTERN_MAX) {
                (void)snprintf(why, PL_PATTERN_WHY_MAX,
                               "a regular expression of more than %d bytes", PL_PATTERN_MAX);
                return -EINVAL;
        }
        *ret = pcre2_compile((PCRE2_SPTR)text, strlen(text),
                             options | (ignore_case ? PCRE2_CASELESS : 0), &error, &offset, NULL);
        if (*ret)
                return 0;
        if (error == PCRE2_ERROR_NOMEMORY)
                return -ENOMEM;
        (void)pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof message);
        (void)snprintf(why, PL_PATTERN_WHY_MAX, "not a regular expression: %s, at byte %zu",
                       message, offset + 1);
        return -EINVAL;
}

int pl_pattern_new(const char *text, bool ignore_case, PlPattern **ret,
                   char reterr_why[static PL_PATTERN_WHY_MAX]) {
        _cleanup_(pl_pattern_freep) PlPattern *p = calloc(1, sizeof *p);
        int r;

        reterr_why[0] = '\0';
        if (!p)
                return -ENOMEM;
        r = compile(text, ignore_case, &p->code, reterr_why);
        if (r < 0)
                return r;
        p->context = pcre2_match_context_create(NULL);
        p->found = pcre2_match_data_create(1, NULL);
        if (!p->context || !p->found)
                return -ENOMEM;
        (void)pcre2_set_callout(p->context, on_look, p);
        (void)pcre2_set_match_limit(p->context, MATCHES_MAX);
        (void)pcre2_set_heap_limit(p->context, HEAP_KIB_MAX);
        *ret = TAKE_PTR(p);
        return 0;
}

int pl_pattern_match(PlPattern *p, const char *s, size_t size) {
        int r;

        p->work = p->position = 0;
        r = pcre2_match(p->code, (PCRE2_SPTR)(s ?: ""), s ? size : 0, 0, 0, p->found, p->context);
        if (r >= 0)
                return 1;
        switch (r) {
        case PCRE2_ERROR_NOMATCH:
                return 0;
        case PCRE2_ERROR_NOMEMORY:
                return -ENOMEM;
        default: /* our own end of it, or one of its limits */
                return -E2BIG;
        }
}

#define COPIES_MAX 8 /* each may double it */

bool pl_pattern_posix_differs(const char *text) {
        unsigned copies = 0;
        regex_t posix;

        /* glibc copies what is repeated, and copies of copies: (a{9999}){999} takes gigabytes */
        for (const char *c = text; *c; c++)
                copies += *c == '+' ? 1 : *c == '{' ? COPIES_MAX + 1 : 0;
        if (copies > COPIES_MAX)
                return false;
        if (regcomp(&posix, text, REG_EXTENDED | REG_NOSUB) != 0)
                return true;
        regfree(&posix);
        return false;
}
