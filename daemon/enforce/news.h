/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * News: which values have come into force, told once, in one line.
 *
 * A start is written in several passes, by runc, systemd and us; none of them is news. What counts
 * is the first look at the group of a container that runs: what is in force there that was not told
 * yet, with what was true before.
 */

#include "enforce/context.h"

/** pl_news_start() - a run begins: its group is new, and what is in it is nobody's wish yet. */
void pl_news_start(PlHeld *h);

/** pl_news_managed() - values are managed from now on, whoever put them there. */
void pl_news_managed(PlHeld *h, uint32_t mask);

/** pl_news_written() - steps of the plan were written, those of the mask. */
void pl_news_written(PlHeld *h, const PlPlan *plan, uint32_t mask);

/** pl_news_say() - after a look: tell what is due and in force. */
void pl_news_say(PlEnforcer *e, PlHeld *h);

/**
 * pl_news_changed() - somebody else has changed values
 * @put_back, @lost: those that are as wanted again, and those that are not; ownership passes. NULL
 * or
 *          "": none
 * @who:   static; NULL: nobody can be named
 * @guess: named for want of any sign. The event of an update may be late: then nothing is said
 *         before the engine was asked what it has
 */
void pl_news_changed(PlEnforcer *e, PlHeld *h, char *put_back, char *lost, const char *who,
                     bool guess);

/** pl_news_inspected() - the engine was asked. @last: nobody will be asked any more */
void pl_news_inspected(PlEnforcer *e, PlHeld *h, bool last);

void pl_news_deinit(PlHeldNews *n);
