/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Section: one [Notify NAME] of a policy: whom to tell what, and how.
 *
 * It holds no secret: Credential= is the name of one, and only who sends sees what is in it.
 */

#include "lib/notify/kind.h"
#include "lib/notify/quiet.h"

typedef enum PlNotifyFormat {
        PL_NOTIFY_JSON,
        PL_NOTIFY_NTFY,
        PL_NOTIFY_SLACK,
        PL_NOTIFY_GOTIFY,
        PL_NOTIFY_DISCORD,
        PL_NOTIFY_TEXT,
        _PL_NOTIFY_FORMAT_N,
} PlNotifyFormat;

typedef struct PlNotifySection {
        char *name;
        char *file; /* where it first stands */
        unsigned line;
        char *url; /* NULL: the credential is the address */
        PlNotifyFormat format;
        bool has_format;
        uint32_t on;     /* mask of 1 << PlNotifyKind */
        char **services; /* globs; NULL: all, and what is of no service */
        uint64_t cooldown_usec;
        PlQuiet quiet;
        char *credential; /* its name; NULL: none */
} PlNotifySection;

/** pl_notify_section_new() - with the defaults. Return: NULL: out of memory. */
PlNotifySection *pl_notify_section_new(const char *name);
PlNotifySection *pl_notify_section_free(PlNotifySection *s); /* returns NULL */
PL_DEFINE_CLEANUP(PlNotifySection *, pl_notify_section_free)

/** pl_notify_section_key() - the i-th key. Return: static; NULL: no more. */
const char *pl_notify_section_key(const void *unused, size_t i);

#define PL_NOTIFY_WHY_MAX 512

/**
 * pl_notify_section_set() - one assignment
 * @value: "" puts the default back
 * @reterr_why: with -EINVAL, for people: "URL=: …"; it shows no value that may be secret
 * Return: 0; -ENOENT: there is no such key; -EINVAL; -ENOMEM.
 */
int pl_notify_section_set(PlNotifySection *s, const char *key, const char *value,
                          char reterr_why[static PL_NOTIFY_WHY_MAX]);

/**
 * pl_notify_section_check() - what all of it together lacks
 * Return: static; NULL: nothing. *ret_error: nobody could be told; else it is a warning.
 */
const char *pl_notify_section_check(const PlNotifySection *s, bool *ret_error);

/** pl_notify_section_wants() - is this one told of it?
 * @service, @container: names; NULL: it is of none */
bool pl_notify_section_wants(const PlNotifySection *s, PlNotifyKind kind, const char *service,
                             const char *container);

/** pl_notify_format_word() - "ntfy". */
const char *pl_notify_format_word(PlNotifyFormat f);

/** pl_notify_section_describe() - all of it on one line, for people: "ntfy to
 * https://…, on unhealthy oom, …". Return: owned by the caller; NULL: out of memory. */
char *pl_notify_section_describe(const PlNotifySection *s);
