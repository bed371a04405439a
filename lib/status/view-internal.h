/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the views share: careful access to members, and values in people's words.
 */

#include "lib/base/unit.h"
#include "lib/status/view.h"

/* The text of a member; NULL when it is missing, null or no string. */
const char *pl_view_text(const json_t *object, const char *key);

/* A whole number; PL_UNLIMITED when it is missing, null, negative or no number. */
uint64_t pl_view_number(const json_t *object, const char *key);

bool pl_view_bool(const json_t *object, const char *key);

/* One value of one limit. */
typedef struct PlViewLimit {
        bool known;    /* there is something to say */
        bool promised; /* it is only wanted: nothing is in force that we know of */
        bool unlimited;
        double number; /* bytes, tasks, percent of a CPU; 0 for texts */
        char text[64]; /* "4G", "200%", "∞" */
} PlViewLimit;

/* What is in force, or else what is wanted. */
PlViewLimit pl_view_limit(const json_t *container, const char *resource);

/* wanted or in_force of a limit object. @member: "wanted", "in_force" */
void pl_view_limit_text(const json_t *limit, const char *resource, const char *member,
                        char ret[static 64]);

/* Is the value in force what is wanted, but for the kernel's rounding? */
bool pl_view_limit_in_line(const json_t *limit, const char *resource);

/* "512M", without a useless ".0" */
const char *pl_view_size(uint64_t bytes, char buf[static PL_FORMAT_MAX]);

PlTint pl_view_health_tint(const char *health);
PlTint pl_view_fraction_tint(double fraction);
PlTint pl_view_finding_tint(const json_t *finding);

/* What a printer prints, as a text. Return: 0, -ENOMEM, or what the printer returns. */
typedef int PlViewPrinter(FILE *f, const json_t *document, const PlViewOptions *o);
int pl_view_print(PlViewPrinter *print, const json_t *document, const PlViewOptions *o, char **ret);

/* A line "  label   text", wrapped; nothing for a NULL text. Return: 0, -ENOMEM. */
int pl_view_field(FILE *f, const PlLook *look, const char *label, PlTint tint, const char *format,
                  ...) PL_PRINTF(5, 6);
