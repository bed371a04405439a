/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * State: what plimsoll must not forget about one container, as JSON.
 *
 * What was there before the first write, so that a value can be given back, also by a daemon that
 * was killed and started again, and after a reboot. What is in force is not stored: the kernel
 * knows it. What we told the engine is: otherwise nobody could tell our values in HostConfig from
 * those of a person, and HostConfig, not the kernel, is what a reboot leaves.
 */

#include "lib/base/id.h"
#include "lib/limits/plan.h"

#define PL_STATE_SIZE_MAX KIB(64)

/* What this daemon writes. Version 1 had no member "version", and did not say what the engine was
 * told. */
#define PL_STATE_VERSION 2

/* The period of a CPU quota, which is no limit of its own. usec; 0: unknown, or not set. */
typedef struct PlQuotaPeriod {
        uint64_t original_usec;        /* in the kernel before plimsoll */
        uint64_t engine_original_usec; /* HostConfig.CpuPeriod before plimsoll */
        uint64_t engine_told_usec;     /* HostConfig.CpuPeriod as plimsoll told it */
} PlQuotaPeriod;

typedef struct PlContainerState {
        unsigned version; /* of the record that was read; 0: a new one */
        char id[PL_ID_MAX];
        char engine[PL_ENGINE_IDENTITY_MAX]; /* the engine that has it; "": not known */
        uint64_t run_usec; /* State.StartedAt of the run that `original` is of; CLOCK_REALTIME, 0:
                            * not known */
        uint32_t managed;  /* mask of 1 << PlResource that plimsoll has set */
        PlSomeLimits original; /* in the kernel before plimsoll; unset: as a new group has it */
        PlSomeLimits engine_original; /* in HostConfig before plimsoll; unset: HostConfig had 0 */
        PlSomeLimits created; /* in HostConfig when the container was first seen; unset: no limit */
        bool created_known;   /* false: it was not seen yet */
        PlSomeLimits engine_told;  /* what HostConfig shows that is ours; unset: nothing that was
                                      told */
        PlSomeLimits engine_asked; /* told, and not yet seen in HostConfig: a crash may lie between
                                    */
        uint32_t guessed; /* mask: what was told is not what was asked for, but what HostConfig
                           * showed after that. Not on disk */
        PlQuotaPeriod period;
        PlValue squeeze_high; /* memory.high before a squeeze borrowed it; unset: none has */
} PlContainerState;

void pl_container_state_deinit(PlContainerState *s);

/** pl_state_format() - in this version, but for a record of version 1: that stays one until
 * somebody has seen what the engine was told. Return: 0 and *ret owned by the caller; -ENOMEM. */
int pl_state_format(const PlContainerState *s, char **ret);

/** pl_state_parse() - strict: unknown resources, wrong types, texts that no kernel file holds or a
 * wrong id make it -EBADMSG. Unknown members are ignored.
 * Return: 0, -EBADMSG, -ENOMEM; -EOPNOTSUPP: of a later version, which is to be left alone. */
int pl_state_parse(const char *text, size_t size, PlContainerState *ret);

/*
 * Whose value is it? A value in HostConfig is ours where it equals what we told the engine, or what
 * we asked it for and may have been told no answer. Any other is somebody else's, and what there is
 * to give back from then on; the engine has written it into the kernel as well.
 *
 *   HostConfig shows        and before         what it is
 *   what was told           -                  ours; the original stays
 *   what was asked for      -                  ours; told from now on
 *   the original            something told     original: a person's, or it was given back
 *   something else          our update was     ours: the form in which the engine keeps it (or
 * none, just accepted      where it takes a value and does not keep it) something else          -
 * a person's: a new original
 *
 * A person who sets our very value cannot be told from us.
 *
 * A run begins with a new group, in which the kernel has what the engine writes from HostConfig.
 * Without us that would be the engine's originals, so these are the kernel's in a new run, also
 * after a reboot. Values that somebody wrote into the kernel's files in an older run are gone with
 * it. (TasksMax that HostConfig leaves open is systemd's default: where nobody knows that, it stays
 * what it was.) What was given back, but cannot be taken away from HostConfig, the engine has
 * written again, so it is given back to each new run.
 */

/** pl_state_captured() - mask of the values with an original on record: those that are managed, and
 * the swap allowance that goes along with a memory limit. */
uint32_t pl_state_captured(const PlContainerState *s);

/**
 * pl_state_learn() - HostConfig was seen
 * @now:    its limits (pl_container_limits())
 * @period_usec: HostConfig.CpuPeriod
 * @answered: it was asked for after the engine had accepted our last update, and nobody else has
 *            sent one since
 * Return: 2: the record has changed, because somebody else has told the engine something; 1: it has
 * changed; 0; -ENOMEM.
 */
int pl_state_learn(PlContainerState *s, const PlLimits *now, uint64_t period_usec, bool answered);

/**
 * pl_state_ask() - the engine is about to be told
 * @now, @after: HostConfig's limits before and after; what differs is asked for
 * @period_usec: HostConfig.CpuPeriod after
 * Return: 0, -ENOMEM.
 */
int pl_state_ask(PlContainerState *s, const PlLimits *now, const PlLimits *after,
                 uint64_t period_usec);

/** pl_state_awaited() - mask of the values that the engine was asked for and HostConfig did not
 * show yet, but for those that would be as before plimsoll. Where nobody is left who would hear the
 * answer, they may come at any moment. */
uint32_t pl_state_awaited(const PlContainerState *s);

/** pl_state_doubt() - somebody else has told the engine something just now: what is only guessed to
 * be ours is theirs, and the next pl_state_learn() takes it for that. */
void pl_state_doubt(PlContainerState *s);

/** pl_state_answered() - the engine has taken what it was asked for (nobody will look at HostConfig
 * any more), or has refused all of it. Return: 0, -ENOMEM. */
int pl_state_answered(PlContainerState *s, bool taken);

/**
 * pl_state_capture() - record what was there before a first write. Values on record are left alone:
 * what is in force by now may be ours.
 * @mask:    values that are to be managed from now on
 * @reading: of the group before anything of it was written; NULL: there is no group yet, or it is
 *           only being made: what the engine will write counts
 * @run_usec: the run that the reading is of; 0: not known yet
 * @page:    page size in bytes
 *
 * Call pl_state_learn() before. A reading that shows what the engine was told shows no original.
 * Return: 0, -ENOMEM with the record as it was but for values that are not managed.
 */
int pl_state_capture(PlContainerState *s, uint32_t mask, const PlReading *reading,
                     uint64_t run_usec, uint64_t page);

/**
 * pl_state_begin_run() - the container runs since run_usec: another run has other originals in the
 * kernel, see above
 * @tasks: TasksMax of a new group where HostConfig leaves it open; 0: not known
 * Return: 1: the record has changed, 0, -ENOMEM.
 */
int pl_state_begin_run(PlContainerState *s, uint64_t run_usec, uint64_t tasks);

/** pl_state_swap_allowance() - how much swap goes along with a memory limit when the policy says
 * nothing of swap: as much as before plimsoll, for every owner. On v2 that is what HostConfig says
 * where the kernel has no limit (moby#51446). @memory: the hierarchy. Return: unset: not on record.
 */
PlValue pl_state_swap_allowance(const PlContainerState *s, PlHierarchy memory);

/** pl_state_is_needed() - is anything of ours left somewhere, that the record tells from others'?
 */
bool pl_state_is_needed(const PlContainerState *s);
