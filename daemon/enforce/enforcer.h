/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Enforcer: holds the values. It compares what the policy wants with what is in force and writes
 * the difference: to the kernel at once, then to systemd and the engine.
 *
 * Callbacks record and queue; the tick decides and acts.
 */

#include "cgroup/read.h"
#include "enforce/context.h"
#include "lib/evidence/pinch.h"
#include "lib/health/slow.h"

/**
 * pl_enforcer_new() - @registry, @reporter, @mounts, @handlers: borrowed, must outlive it
 * Return: 0, -ENOMEM, -errno (reported).
 */
int pl_enforcer_new(PlRegistry *registry, const PlCgroupMounts *mounts, bool no_early_write,
                    const PlEnforceHandlers *handlers, void *userdata, PlEnforcer **ret);
PlEnforcer *pl_enforcer_free(PlEnforcer *e); /* no subject may have values any more; returns NULL */
PL_DEFINE_CLEANUP(PlEnforcer *, pl_enforcer_free)

/** pl_enforcer_begin() - take away what older versions have left at systemd; done again it does no
 * harm. */
void pl_enforcer_begin(PlEnforcer *e);

/* What the registry announces; see PlRegistryHandlers. */
int pl_enforcer_add(PlEnforcer *e, PlSubject *s);
void pl_enforcer_remove(PlEnforcer *e, PlSubject *s);
void pl_enforcer_event(PlEnforcer *e, PlSubject *s, const PlEvent *event);
void pl_enforcer_inspected(PlEnforcer *e, PlSubject *s);
void pl_enforcer_connected(PlEnforcer *e);

/** pl_enforcer_rest() - nothing is looked after for a while, because the engine is lost or the
 * daemon ends: what memory is squeezed with goes back at once. */
void pl_enforcer_rest(PlEnforcer *e);

/** pl_enforcer_set_policy() - the registry has a new one; look at every container again. */
void pl_enforcer_set_policy(PlEnforcer *e);

/** pl_enforcer_quiet() - the process is awake anyway, so a sweep that is due soon runs now. */
void pl_enforcer_quiet(PlEnforcer *e);

/** pl_enforcer_stop() - give everything back, then call stopped(); also when the engine takes too
 * long to answer. */
void pl_enforcer_stop(PlEnforcer *e);

/** pl_enforcer_limit() - what the container is held to now, in the unit of the resource.
 * @ret_policy: the same as far as the policy asks for it; PL_UNLIMITED: it does not
 * Return: the memory limit in force, else the engine's; PL_UNLIMITED: none, or not known. */
uint64_t pl_enforcer_limit(const PlSubject *s, PlResource which, uint64_t *ret_policy);

/** pl_enforcer_describe() - the limits that were read last, in words: "MemoryMax=4G CPUQuota=200%"
 * @ret_ours: one of them at least is the policy's
 * Return: owned by the caller; NULL: it does not run, or out of memory. */
char *pl_enforcer_describe(const PlSubject *s, bool *ret_ours);

/** pl_enforcer_bounds() - the limits in force that may pinch; all but the counters. */
void pl_enforcer_bounds(const PlSubject *s, PlPinchReading *ret);

/** pl_enforcer_usage() - read now. What the kernel does not tell is PL_UNLIMITED. */
void pl_enforcer_usage(const PlEnforcer *e, const PlSubject *s, PlUsage *ret);

/** pl_enforcer_read() - all that the kernel tells of its group, now: what is unset, empty or
 * PL_UNLIMITED is not known.
 * @ret_spec: to be freed by pl_reading_deinit()
 * Return: its path in the hierarchy of memory, borrowed, without a leading slash; NULL: it has no
 * group, and nothing was read. */
const char *pl_enforcer_read(const PlEnforcer *e, const PlSubject *s, PlUsage *ret_usage,
                             PlFlow *ret_flow, PlReading *ret_spec);

/** pl_enforcer_slow() - the limits of the policy that may make it slow, and what they cost; all but
 * the time. */
void pl_enforcer_slow(const PlEnforcer *e, const PlSubject *s, PlSlowReading *ret);
