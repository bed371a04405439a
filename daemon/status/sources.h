/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Sources: whom the status asks. */

#include "enforce/enforcer.h"
#include "health/act.h"
#include "logs/live.h"
#include "logs/paths.h"
#include "memory/keeper.h"
#include "notify/outbox.h"

/* The state of the policy; kept by the manager. */
typedef struct PlPolicyState {
        const char *file;     /* as on the command line */
        uint64_t loaded_usec; /* CLOCK_REALTIME */
        char *error;          /* of the last reload; NULL: it was good */
} PlPolicyState;

/* Whom to ask; all borrowed. */
typedef struct PlSources {
        const PlRegistry *registry;
        const PlEnforcer *enforcer;
        PlKeeper *keeper; /* reads files when it is asked */
        PlOutbox *outbox; /* likewise */
        const PlHealthAct *health;
        const PlLogs *logs;
        const PlLogPaths *log_paths;
        const PlPolicyState *policy;
        const char *archive_dir;
        const char *proc; /* root of procfs */
} PlSources;
