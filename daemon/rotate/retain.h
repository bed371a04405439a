/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Retention: which archives stay. The event loop knows the rules, the worker drops what they do not
 * keep.
 *
 * The rules are one table behind a mutex instead of a copy in each job: at start every container
 * has a job, and copies of all rules in all of them would cost memory and time by the square of
 * their number.
 */

#include "lib/logs/rotate-plan.h"
#include "rotate/store.h"

typedef struct PlLogRules PlLogRules;

PlLogRules *pl_log_rules_new(void); /* NULL: out of memory */
PlLogRules *pl_log_rules_free(PlLogRules *r);
PL_DEFINE_CLEANUP(PlLogRules *, pl_log_rules_free)

/**
 * pl_log_rules_set() - the rule of a container's archives, in place of the one it had
 * @group: "<service>/<container>" as archive names have them
 * Return: 0, or -ENOMEM with what was there untouched.
 */
int pl_log_rules_set(PlLogRules *r, const char *id, const char *group, const PlRetainRule *rule);

/** pl_log_rules_complete() - every container that the engine has was told of: of whom there is
 * neither a rule nor a record is gone. */
void pl_log_rules_complete(PlLogRules *r);

/** pl_log_rules_remove() - no section governs the container, or it is gone: the rule of the section
 * that its archives are of holds from now on. */
void pl_log_rules_remove(PlLogRules *r, const char *id);

typedef struct PlLogSectionRule {
        const char *service; /* the section's name; NULL: [Defaults] */
        PlRetainRule rule;
} PlLogSectionRule;

/**
 * pl_log_rules_set_sections() - the rules of archives whose container is gone or has another name
 *
 * Archives of a service that is none of these (any more) are kept as [Defaults] says, and without
 * it as long as the budget allows. Return: 0, or -ENOMEM with what was there untouched.
 */
int pl_log_rules_set_sections(PlLogRules *r, const PlLogSectionRule *sections, size_t n);

/**
 * pl_log_rules_take_stranger() - a service of which there are archives and no section, to be told
 * @ret: its directory @ret_rule: what holds for it; not written when there is no [Defaults]
 * Return: 1; 2 without [Defaults]; 0 none that was not told already.
 */
int pl_log_rules_take_stranger(PlLogRules *r, char ret[static PL_ARCHIVE_NAME_MAX],
                               PlRetainRule *ret_rule);

typedef struct PlRetainRequest {
        PlLogRules *rules;     /* borrowed; NULL: nobody has one */
        const char *id;        /* whose archives to count; borrowed */
        uint64_t budget_bytes; /* for all archives; PL_UNLIMITED */
        uint64_t free_bytes;   /* free at least so much besides */
        uint64_t now_sec;      /* CLOCK_REALTIME */
} PlRetainRequest;

/* What the budget, or a full disk, has taken before a rule would have. Of all groups together, but
 * for the name. Adds up over calls. */
typedef struct PlRetainedEarly {
        unsigned n;
        uint64_t bytes;
        bool promised; /* LogMaxFiles= or LogMaxAge= of one of them would have kept it */
        bool disk;     /* it was the disk */
        bool others;   /* they are of more than one group */
        char group[2 * PL_ARCHIVE_NAME_MAX]; /* "<service>/<container>" of the first */
} PlRetainedEarly;

typedef struct PlRetained {
        unsigned dropped; /* archives of anybody; adds up over calls */
        unsigned gone;    /* of these because their group is gone */
        unsigned own;     /* of these as a rule of the container's own group says */
        PlRetainedEarly early;
        uint64_t bytes, files;    /* on disk, of the container */
        uint64_t total_bytes;     /* of all */
        uint64_t next_expiry_sec; /* CLOCK_REALTIME; PL_TIME_INFINITY: none */
} PlRetained;

/**
 * pl_log_retain() - drop what the rules and the budget do not keep
 * Return: archives dropped, or -errno. @ret is untouched when they cannot be listed.
 */
int pl_log_retain(PlLogStore *store, const PlRetainRequest *req, PlRetained *ret);
