/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Policy: what the administrator asked for, parsed and validated as a whole.
 *
 * A policy is immutable once built (lib/policy/parser) and shared by reference count, so a reload
 * swaps one pointer.
 */

#include "lib/base/macro.h"
#include "lib/health/restart.h"
#include "lib/limits/plan.h"
#include "lib/logs/path.h"
#include "lib/logs/rotate-plan.h"
#include "lib/notify/section.h"
#include "lib/policy/match.h"
#include "lib/probe/kind.h"

typedef struct PlProbePolicy {
        PlProbeKind kind;
        uint16_t port; /* 0: the kind's own default, or the container's only port */
        uint64_t interval_usec, timeout_usec, start_period_usec;
        unsigned failures; /* in a row, before unhealthy */
        char *path;        /* http; NULL: the kind's own */
        char **expect;     /* ProbeExpect=, each "status:200-299", "json:/POINTER=VALUE", "body:RE",
                            * "header:NAME=VALUE"; validated by the parser; NULL terminated or NULL */
        char **ollama_models; /* OllamaModels=; NULL terminated or NULL */
        PlProbeTls tls;
        bool tls_verify;
        char *host; /* ProbeHost=, the Host header and the name in TLS; NULL: the address */
        bool auth;  /* ProbeAuth=, use credentials of the container's own environment */
        PlOnUnhealthy on_unhealthy;
        PlOnUnhealthy on_start_timeout, on_exit; /* none or restart */
        char *unit; /* what is started, with RESTART when that is given up; %s: service name */
        PlBudget restart_budget;
        PlBudget flap_budget; /* FlapBudget=6/10min: more transitions than this = degraded */
        bool required;
        char **after;   /* After=; service names; NULL terminated or NULL */
        char **part_of; /* PartOf=, likewise */
} PlProbePolicy;

/* Where a value was written. */
typedef struct PlOrigin {
        const char *key;  /* "MemoryMax", static */
        const char *file; /* borrowed from the policy */
        unsigned line;    /* 0: in a label of the container, and file is none */
        bool inherited;   /* there is [Defaults] */
} PlOrigin;

typedef struct PlService {
        char *name; /* "postgres"; NULL for [Defaults] */
        char *file; /* where its section first stands */
        unsigned line;
        PlOrigin *origins; /* of all that is set, in the order of the keys */
        size_t n_origins;
        PlMatch *matches; /* of all lines, one after the other */
        size_t n_matches;
        PlLimits limits;                /* percentages already resolved against the host */
        uint32_t by_default;            /* mask of 1 << PlResource: what [Defaults] says */
        uint64_t cpu_quota_period_usec; /* CPUQuotaPeriodSec=; default 100 ms */
        PlShrinkMode shrink_mode;
        PlLogPolicy log;
        PlLogpathPolicy log_path;
        PlProbePolicy probe;
        uint64_t said; /* mask by the parser's keys: named in the section, if with no value */
        struct PlService *next, *section; /* of one with a container's labels: of the same
                                           * container; what governs it, NULL: nothing */
        char **faults; /* … and its labels that are not heeded, and why; NULL: none */
} PlService;

typedef struct PlDaemonPolicy {
        char *engine;          /* unix:///run/docker.sock */
        char **metrics_listen; /* as lib/metrics/address.h reads them; NULL: off */
        char **metrics_host;   /* names that others may ask for there; NULL: none */
        uint64_t log_archive_budget_bytes;
        unsigned log_punch_below_percent; /* LogPunchBelow=; 0: never */
        uint64_t service_max_age_usec;    /* what is known of a service that is not seen any more */
        bool dry_run;
        bool restore_on_stop;
        bool protect_slice;
        bool match_image_labels; /* MatchImageLabels= */
        bool log_adopt;          /* LogAdopt=, for plimsollctl adopt-logs --at-start */
        char **labels; /* Labels=: keys that labels may set, "*" for all; NULL: none may */
} PlDaemonPolicy;

typedef struct PlPolicy {
        unsigned n_ref;
        PlDaemonPolicy daemon;
        PlService *defaults;  /* NULL when there is no [Defaults] or it is empty */
        PlService **services; /* in the order in which they were first named */
        size_t n_services;
        PlNotifySection **notifies; /* in the order in which they were first named */
        size_t n_notifies;
        char **files;        /* what it was read from, main file first; NULL terminated */
        PlService *labelled; /* of containers, to be freed with it: others borrow them as well */
} PlPolicy;

/* What the policy is measured against. */
typedef struct PlHost {
        uint64_t memory_bytes; /* MemTotal; base of percentages for memory */
        unsigned n_cpus;       /* online CPUs */
        uint64_t page_bytes;
        /* MAJ:MIN of a path, as pl_device_number() says it; NULL: devices are not looked at */
        int (*device)(void *unused, const char *path, char ret[static PL_DEVICE_MAX]);
        PlHierarchy hierarchy; /* that holds the cpu and io controllers */
} PlHost;

PlPolicy *pl_policy_ref(PlPolicy *p);
PlPolicy *pl_policy_unref(PlPolicy *p); /* Return: NULL */
PL_DEFINE_CLEANUP(PlPolicy *, pl_policy_unref)

PlService *pl_service_free(PlService *s); /* Return: NULL */

/** pl_service_name_valid() - fit for a file name, a unit name and a journal field. */
#define PL_SERVICE_NAME_MAX 64
bool pl_service_name_valid(const char *s);

struct PlContainer;

/**
 * pl_policy_match() - the section that governs a container: of all that match the one whose line
 * has the most terms, and of several such the first
 * Return: borrowed from the policy; [Defaults] when no [Service] matches; NULL when there is none.
 */
const PlService *pl_policy_match(const PlPolicy *p, const struct PlContainer *c);

/** pl_service_match_line() - by which of its lines does a section match?
 * @ret: index in matches of the first term of the line with the most terms; written only when there
 *       is one. Return: how many terms that line has; 0: none matches */
size_t pl_service_match_line(const PlService *s, const struct PlContainer *c, size_t *ret);

/** pl_service_section() - that of the policy: s, or what it is where labels made one of it. */
static inline const PlService *pl_service_section(const PlService *s) {
        return s && s->section ? s->section : s;
}

/** pl_service_origin() - where the value of a key was written: "/etc/plimsoll/plimsoll.conf:31
 * [Defaults]", "label plimsoll.MemoryMax".
 * Return: owned by the caller; NULL: nowhere, or out of memory. */
char *pl_service_origin(const PlService *s, const char *key);

/** pl_service_has_label() - does a label of the container say what it has of a key? */
bool pl_service_has_label(const PlService *s, const char *key);

/** pl_policy_find() - a [Service] by name. Return: borrowed, or NULL. */
const PlService *pl_policy_find(const PlPolicy *p, const char *service);
