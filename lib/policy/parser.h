/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Policy, inner parts: what the files of the parser share. Nobody else includes this.
 *
 *   pl-policy-lines.c   bytes to logical lines: continuation, comments, encoding, length
 *   pl-policy.c         lines to sections and keys (inih splits them), errors, life of a policy
 *   pl-policy-keys.c    the table of keys: where each may stand, how it is set, what it accepts
 *   pl-policy-values.c  setters for numbers, words and lists
 *   pl-policy-texts.c   setters for values with a grammar of their own (Match=, ProbeExpect= …)
 *   pl-policy-service.c one service's life, its defaults, lists
 *   pl-policy-similar.c "did you mean"
 *   pl-policy-check.c   what must hold between keys, between services, and against the host
 */

#include "lib/policy/document.h"

#define PL_POLICY_KEYS_MAX 64
#define PL_POLICY_LINE_MAX KIB(16) /* one logical line */
#define PL_POLICY_FILE_MAX MIB(1)
#define PL_POLICY_LIST_MAX 256 /* elements of one list, matches of one service */

typedef struct PlPlace {
        const char *file; /* borrowed from the sources; NULL: not assigned */
        unsigned line;
} PlPlace;

/* A section under construction: the daemon's, or one service's. */
typedef struct PlSection {
        unsigned kind;                   /* PL_SECTION_* */
        PlService *service;              /* NULL for [Daemon] */
        PlPlace first, reopened;         /* reopened: in the file that is being read */
        PlPlace set[PL_POLICY_KEYS_MAX]; /* by index of the key: where it was assigned last */
        PlPlace *match_places;           /* beside service->matches */
} PlSection;

typedef struct PlPolicyParser {
        const PlHost *host;
        PlDiagList *diag;
        PlPolicy *policy;
        PlSection daemon, defaults;
        PlSection **services; /* beside policy->services */
        PlPlace at;           /* of the line being read */
        PlSection *current;   /* NULL: none yet, or one that is to be skipped */
        bool seen_section;    /* in the file being read */
        bool complained;      /* about keys outside of every section, in this file */
        bool oom;
} PlPolicyParser;

/* Return: 0; -EINVAL or -ERANGE: the caller says what the key accepts; 1: said already; -ENOMEM. */
typedef struct PlPolicyKey PlPolicyKey;
typedef int PlPolicySetter(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s,
                           const char *value);

struct PlPolicyKey {
        const char *name;
        unsigned sections;
        PlPolicySetter *set;
        size_t offset; /* in PlDaemonPolicy or PlService */
        uint64_t min, max;
        const char *expects; /* completes "expected …", with an example */
        const void *extra;   /* the setter's own: words, a resource */
};

extern const PlPolicyKey pl_policy_keys[];
extern const size_t pl_policy_n_keys;

/** pl_policy_error() / _warning() - one message about the line being read. */
#define pl_policy_error(p, ...) \
        pl_diag_add((p)->diag, PL_SEVERITY_ERROR, (p)->at.file, (p)->at.line, __VA_ARGS__)
#define pl_policy_warning(p, ...) \
        pl_diag_add((p)->diag, PL_SEVERITY_WARNING, (p)->at.file, (p)->at.line, __VA_ARGS__)

/** pl_policy_similar() - the word that was probably meant: the nearest by edit distance, ignoring
 * case. @get: the i-th candidate, NULL behind the last. Return: NULL when none is near. */
const char *pl_policy_similar(const char *word, const char *(*get)(const void *userdata, size_t i),
                              const void *userdata);

/* What an empty assignment puts back, and what holds without any. */
extern const PlService pl_service_defaults;
extern const PlDaemonPolicy pl_daemon_defaults; /* .engine is to be copied */

/** pl_service_new() - with every default. @name: copied, may be NULL. NULL: out of memory. */
PlService *pl_service_new(const char *name);
PlService *pl_service_free(PlService *s);

/* pl-policy-lines.c */
typedef struct PlLineReader {
        const char *text, *end; /* what is left */
        unsigned line;          /* number of the physical line that ended last */
        unsigned first;         /* … that the current logical line began on */
        bool begun;
        char buf[PL_POLICY_LINE_MAX + 1];
} PlLineReader;

/** pl_policy_next_line() - the next logical line that is neither empty nor a comment, without
 * surrounding white space, in reader->buf. Complains about bytes that have no place in a policy
 * and skips such lines. Return: false at the end. */
bool pl_policy_next_line(PlPolicyParser *p, PlLineReader *r);

/* pl-policy-values.c */
PlPolicySetter pl_policy_set_resource, pl_policy_set_bandwidth, pl_policy_set_size,
                pl_policy_set_sec, pl_policy_set_unsigned, pl_policy_set_port,
                pl_policy_set_boolean, pl_policy_set_word, pl_policy_set_budget;
/* pl-policy-texts.c */
PlPolicySetter pl_policy_set_engine, pl_policy_set_listen, pl_policy_set_match,
                pl_policy_set_expect, pl_policy_set_names, pl_policy_set_models,
                pl_policy_set_log_path, pl_policy_set_http_path, pl_policy_set_unhealthy;

/** pl_service_name_valid() - fit for a file name, a unit name and a journal field. */
bool pl_service_name_valid(const char *s);

/* pl-policy-check.c */
void pl_policy_check(PlPolicyParser *p);
