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
 * They come on top of a kind's own check, whichever kind it is; a status other than 200 that is
 * expected replaces it.
 *
 * The texts come from the policy, which is trusted; the answers are not. Regular expressions are
 * bounded in size, and back-references refused: they make their time exponential in what the
 * service sends.
 */

#include "lib/base/pattern.h"
#include "lib/probe/answer.h"

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
        PlPattern *pattern;
} PlExpect;

/* All expectations of a service; what a probe holds while the policy stays. */
typedef struct PlExpectList {
        PlExpect items[PL_EXPECT_MAX];
        size_t n;
        bool decides; /* a status, or where it leads; else 200-299 and what stays in the service */
} PlExpectList;

/** pl_expect_valid() - the policy's own check: what passes here, pl_expect_list_new() takes
 * @reterr_why: with -EINVAL: what is wrong, for people; "": it is none of the forms above
 * Return: 0, -EINVAL, -ENOMEM. */
#define PL_EXPECT_WHY_MAX 128
int pl_expect_valid(const char *text, char reterr_why[static PL_EXPECT_WHY_MAX]);

/** pl_expect_list_new() - @texts: NULL terminated or NULL, already validated.
 * Return: 0 and *ret (NULL when there are none), -EINVAL, -E2BIG, -ENOMEM. */
int pl_expect_list_new(char *const *texts, PlExpectList **ret);
PlExpectList *pl_expect_list_free(PlExpectList *l); /* returns NULL */
PL_DEFINE_CLEANUP(PlExpectList *, pl_expect_list_free)

/** pl_expect_status() - is there an expectation of a status that this one meets? @l: may be NULL */
bool pl_expect_status(const PlExpectList *l, unsigned status);

/** pl_expect_check() - the first expectation that an answer does not meet
 * @ret: written only then: PL_VERDICT_DISPUTED, "expect" */
void pl_expect_check(const PlExpectList *l, const PlHttpAnswer *a, PlVerdict *ret);
