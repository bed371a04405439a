/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Adoption's plan: what is there, who is meant, and whether it may be done. Changes nothing.
 */

#include "ctl/adopt/files.h"
#include "ctl/cli.h"
#include "lib/policy/document.h"

typedef struct PlAdoptChoice {
        PlContainer *container;
        bool chosen; /* named, or nobody was */
        PlAdoptWhy why;
        PlAdoptSizes sizes;
} PlAdoptChoice;

typedef struct PlAdoptPlan {
        PlPolicy *policy; /* NULL: none */
        PlHost host;      /* that it was read for */
        PlAdoptSizes given;
        PlAdoptChoice *choices;
        size_t n, n_adopt, n_running;
        size_t n_unfit; /* named, and cannot be adopted */
        pid_t pid;      /* dockerd's */
        char *default_driver;
} PlAdoptPlan;

/** pl_adopt_plan_begin() - options, policy, and which engine. Return: -1 to go on, or an exit
 * status; it was said why. */
int pl_adopt_plan_begin(const PlCtl *ctl, PlAdoptPlan *plan, PlAdoptRun *run);
/** pl_adopt_plan_make() - look, check, and fill the record. Return: as above. */
int pl_adopt_plan_make(const PlCtl *ctl, PlAdoptPlan *plan, PlAdoptRun *run);
/**
 * pl_adopt_govern() - which sizes a container is to get: the command line's, its section's, its own
 * labels' (Labels=), or those of [Defaults]
 * @c: its labels are marked
 * @image: as for pl_labels_of(); NULL: not known, so its labels are not heeded
 * @ret_section: what governs it; borrowed from the policy; may be NULL
 * Labels that are wrong are said. Return: 0 or -ENOMEM.
 */
int pl_adopt_govern(const PlAdoptPlan *plan, PlContainer *c, const PlContainer *image,
                    const PlService **ret_section, PlAdoptSizes *ret);
void pl_adopt_plan_deinit(PlAdoptPlan *plan);
