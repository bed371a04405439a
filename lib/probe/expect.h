/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Expectations: ProbeExpect=, what an HTTP answer must look like.
 *
 *   status:200-299,401        any of the codes or ranges
 *   json:/POINTER=VALUE       RFC 6901 pointer; VALUE is compared with the string itself, or with
 *                             the compact JSON of anything else (true, 3, null, {"a":1})
 *   json:/POINTER             the member is there and not null
 *   body:RE                   POSIX extended regular expression, anywhere in the body
 *   header:NAME=VALUE         the header is there with that value; NAME in any case
 *   header:NAME               the header is there
 *
 * The texts come from the policy, which is trusted; the answers are not. Back-references are
 * refused: they make a regular expression's time exponential in what the service sends.
 */

#include <regex.h>

#include "lib/base/macro.h"

typedef enum PlExpectKind {
        PL_EXPECT_STATUS,
        PL_EXPECT_JSON,
        PL_EXPECT_BODY,
        PL_EXPECT_HEADER,
} PlExpectKind;

#define PL_EXPECT_RANGES_MAX 8
#define PL_EXPECT_MAX        16 /* per service */

typedef struct PlExpect {
        PlExpectKind kind;
        char *text; /* as written, for messages */
        struct {
                uint16_t from, to;
        } ranges[PL_EXPECT_RANGES_MAX];
        unsigned n_ranges;
        char *name, *value; /* pointer or header; value NULL: presence is enough */
        regex_t regex;
        bool has_regex;
} PlExpect;

/* All expectations of a service; what a probe holds while the policy stays. */
typedef struct PlExpectList {
        PlExpect items[PL_EXPECT_MAX];
        size_t n;
        bool has_status; /* else 200-399, as curl --fail and Kubernetes' httpGet have it */
} PlExpectList;

/** pl_expect_list_new() - @texts: NULL terminated or NULL, already validated.
 * Return: 0 and *ret (NULL when there are none), -EINVAL, -E2BIG, -ENOMEM. */
int pl_expect_list_new(char *const *texts, PlExpectList **ret);
PlExpectList *pl_expect_list_free(PlExpectList *l); /* returns NULL */
PL_DEFINE_CLEANUP(PlExpectList *, pl_expect_list_free)
