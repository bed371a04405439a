/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Parser: texts to a policy. It takes texts, not paths: daemon/policy-load.c finds the files and
 * their drop-ins. Any error means no policy at all: nothing is half applied.
 *
 * Syntax as in systemd.syntax(7): sections, KEY=VALUE, comment lines that begin with # or ;, lines
 * continued by a backslash. Beyond it, white space and # end a value with a comment. Later keys
 * override earlier ones within a section of the same name (systemd's rule); an empty assignment
 * resets a list or unsets a value.
 */

#include "lib/base/diag.h"
#include "lib/policy/document.h"

#define PL_POLICY_LIST_MAX     256 /* elements of one list, matches of one service */
#define PL_POLICY_NOTIFIES_MAX 32  /* [Notify] sections */

typedef struct PlPolicySource {
        const char *file; /* name for messages */
        const char *text; /* NUL terminated */
        size_t size;      /* an embedded NUL (strlen < size) is an error with its line */
} PlPolicySource;

/**
 * pl_policy_parse() - build a policy from texts, main file first, then drop-ins in their order
 * @diag: every error and warning is appended, with file and line
 * @ret:  written only on success; one reference owned by the caller
 *
 * Return: 0; -EBADMSG when diag has errors; -ENOMEM.
 */
int pl_policy_parse(const PlPolicySource *sources, size_t n_sources, const PlHost *host,
                    PlDiagList *diag, PlPolicy **ret);

/** pl_policy_engine_fault() - what is wrong with Engine=, and what would be right.
 * Return: static; NULL: nothing. */
const char *pl_policy_engine_fault(const char *url);

/* Sections that a key may stand in. */
#define PL_SECTION_DAEMON   (1U << 0)
#define PL_SECTION_DEFAULTS (1U << 1)
#define PL_SECTION_SERVICE  (1U << 2)
#define PL_SECTION_NOTIFY   (1U << 4)
#define PL_SECTION_INHERITS                                                  \
        (1U << 3) /* not a section: one that does not say it has [Defaults]' \
                   */

/** pl_policy_value() - what a section says of a key, as it is written in a policy: percentages are
 * resolved, lists are on one line.
 * @key: one that a [Service] may have. Return: owned by the caller; NULL: out of memory. */
char *pl_policy_value(const PlService *s, const char *key);

/** pl_policy_key() - the i-th key of the language, for completion and for the test that each is
 * documented. Return: its name, static; NULL behind the last one. */
const char *pl_policy_key(size_t i, unsigned *ret_sections);

/**
 * pl_policy_label() - the section of one container: what governs it, its labels, then [Defaults]
 * @section: a [Service], [Defaults], or NULL: neither
 * @labels:  as pl_labels_of() has them
 * @diag:    an error for each label that is not heeded, a warning for each value of [Defaults] that
 *           gives way to one
 * @ret:     owned by the caller, with @section in it, and faults: what the errors say. It has no
 *           origins where nothing governs the container, and borrows from @policy
 *
 * Return: 0 or -ENOMEM.
 */
int pl_policy_label(const PlPolicy *policy, const PlService *section, const PlHost *host,
                    char *const *labels, PlDiagList *diag, PlService **ret);
