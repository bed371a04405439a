/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Policy: what the person asked for, parsed and validated as a whole.
 *
 * The parser (inih) takes texts, not paths: daemon/policy-load.c finds the files and their
 * drop-ins. A policy is immutable once built and shared by reference count, so a reload swaps one
 * pointer. Any error means no policy at all: nothing is half applied.
 *
 * Syntax as in systemd.syntax(7): sections, KEY=VALUE, comment lines that begin with # or ;, lines
 * continued by a backslash. Beyond it, white space and # end a value with a comment. Later keys
 * override earlier ones within a section of the same name (systemd's rule); an empty assignment
 * resets a list or unsets a value.
 */

#include "lib/base/diag.h"
#include "lib/base/macro.h"
#include "lib/health/restart.h"
#include "lib/limits/plan.h"
#include "lib/logs/path.h"
#include "lib/logs/rotate-plan.h"
#include "lib/probe/kind.h"

typedef enum PlMatchKind {
        PL_MATCH_NAME,            /* name:GLOB */
        PL_MATCH_IMAGE,           /* image:GLOB */
        PL_MATCH_LABEL,           /* label:KEY=VALUE, or label:KEY */
        PL_MATCH_COMPOSE_SERVICE, /* compose-service:NAME = label com.docker.compose.service */
        PL_MATCH_COMPOSE_PROJECT, /* compose-project:NAME = label com.docker.compose.project */
} PlMatchKind;

typedef struct PlMatch {
        PlMatchKind kind;
        char *pattern; /* what follows the colon. All but a label's KEY are globs: fnmatch(3)
                        * without FNM_PATHNAME */
} PlMatch;

typedef struct PlProbePolicy {
        PlProbeKind kind;
        uint16_t port; /* 0: the kind's own default, or the container's only port */
        uint64_t interval_usec, timeout_usec, start_period_usec;
        unsigned failures; /* in a row, before unhealthy */
        char *path;        /* http; NULL: the kind's own */
        char **expect;     /* ProbeExpect=, each "status:200-299", "json:/POINTER=VALUE", "body:RE",
                            * "header:NAME=VALUE"; validated by the parser; NULL terminated or NULL */
        char **ollama_models; /* OllamaModels=; NULL terminated or NULL */
        PlOnUnhealthy on_unhealthy;
        char *unit; /* what is started, with RESTART when that is given up; %s: service name */
        PlBudget restart_budget;
        PlBudget flap_budget; /* FlapBudget=6/10min: more transitions than this = degraded */
        bool required;
        char **after; /* After=; service names; NULL terminated or NULL */
} PlProbePolicy;

typedef struct PlService {
        char *name; /* "postgres"; NULL for [Defaults] */
        char *file; /* where its section first stands */
        unsigned line;
        PlMatch *matches;
        size_t n_matches;
        PlLimits limits;                /* percentages already resolved against the host */
        uint64_t cpu_quota_period_usec; /* CPUQuotaPeriodSec=; default 100 ms */
        PlShrinkMode shrink_mode;
        PlLogPolicy log;
        PlLogpathPolicy log_path;
        PlProbePolicy probe;
} PlService;

typedef struct PlDaemonPolicy {
        char *engine;         /* unix:///run/docker.sock */
        char *metrics_listen; /* ADDRESS:PORT, or NULL: off */
        uint64_t log_archive_budget_bytes;
        bool dry_run;
        bool restore_on_stop;
} PlDaemonPolicy;

typedef struct PlPolicy {
        unsigned n_ref;
        PlDaemonPolicy daemon;
        PlService *defaults;  /* NULL when there is no [Defaults] or it is empty */
        PlService **services; /* in the order in which they were first named */
        size_t n_services;
        char **files; /* what it was read from, main file first; NULL terminated */
} PlPolicy;

/* What the policy is measured against. */
typedef struct PlHost {
        uint64_t memory_bytes; /* MemTotal; base of percentages for memory */
        unsigned n_cpus;       /* online CPUs */
        uint64_t page_bytes;
} PlHost;

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

PlPolicy *pl_policy_ref(PlPolicy *p);
PlPolicy *pl_policy_unref(PlPolicy *p); /* Return: NULL */
PL_DEFINE_CLEANUP(PlPolicy *, pl_policy_unref)

struct PlContainer;

/**
 * pl_policy_match() - the section that governs a container; the first that matches wins
 * Return: borrowed from the policy; [Defaults] when no [Service] matches; NULL when there is none.
 */
const PlService *pl_policy_match(const PlPolicy *p, const struct PlContainer *c);

/** pl_policy_find() - a [Service] by name. Return: borrowed, or NULL. */
const PlService *pl_policy_find(const PlPolicy *p, const char *service);

/** pl_policy_dump() - what was understood, as an aligned table for people ("check --verbose").
 * Return: 0 and *ret owned by the caller, or -ENOMEM. */
int pl_policy_dump(const PlPolicy *p, char **ret);

/* Sections that a key may stand in. */
#define PL_SECTION_DAEMON   (1U << 0)
#define PL_SECTION_DEFAULTS (1U << 1)
#define PL_SECTION_SERVICE  (1U << 2)

/** pl_policy_key() - the i-th key of the language, for completion and for the test that each is
 * documented. Return: its name, static; NULL behind the last one. */
const char *pl_policy_key(size_t i, unsigned *ret_sections);
