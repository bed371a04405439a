/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Protection: does MemoryLow= or MemoryMin= of a container protect anything?
 *
 * On cgroup v2 a group is protected up to what each group above it is (cgroup-v2.rst, memory.low):
 * below a slice that has nothing, a container has nothing, whatever its own file says. The slice's
 * value is therefore to be the sum of what is asked for below it. It belongs to whoever set it: it
 * is raised where ProtectSlice= asks for that, never lowered below what was there, and given back.
 *
 * Pure: no I/O, clock or logging.
 */

#include "lib/limits/resource.h"

/* The two values that protect, and their number. */
#define PL_PROTECTIONS_N 2
PlResource pl_protection_resource(unsigned i);

/* One of the values of one slice, bytes. */
typedef struct PlProtection {
        uint64_t in_force;    /* what the kernel has now */
        uint64_t asked;       /* the sum of what containers below it want; 0: none does */
        unsigned n;           /* … so many of them */
        bool ours;            /* it was told by plimsoll; only then are these three valid: */
        uint64_t own;         /* what is there without plimsoll */
        uint64_t told;        /* by plimsoll, last … */
        uint64_t told_before; /* … and before that: what the kernel may have until it has `told` */
} PlProtection;

typedef enum PlProtectionStep {
        PL_PROTECTION_LEAVE,
        PL_PROTECTION_KEEP,   /* keep *p on disk: somebody else's value, or older ones have gone */
        PL_PROTECTION_TELL,   /* keep *p on disk, then tell systemd p->told */
        PL_PROTECTION_FORGET, /* the slice has its own value again: nothing is ours any more */
} PlProtectionStep;

/**
 * pl_protection_step() - what to do about one value of one slice; not while an answer of systemd's
 * is due: then the kernel may have any value of ours, and a person's would be lost
 * @p:     changed as the step says
 * @raise: ProtectSlice=yes
 * @again: tell it once more if the kernel does not have what was told
 */
PlProtectionStep pl_protection_step(PlProtection *p, bool raise, bool again);

/** pl_protection_ask() - one more container below it wants @bytes; PL_UNLIMITED is all there is. */
void pl_protection_ask(PlProtection *p, uint64_t bytes);

/**
 * pl_protection_text() - why the value of containers below it has no effect, or less, and what ends
 * it
 * @path: of the slice or group, below the mount
 * Return: 1 and *ret owned by the caller; 0: it has its effect; -ENOMEM.
 */
int pl_protection_text(const PlProtection *p, unsigned i, const char *path, char **ret);

/** pl_protection_unit() - the slice unit of a path, its last name. NULL: it is no slice. */
const char *pl_protection_unit(const char *path);

/** pl_protection_next_above() - the groups above a container's, the topmost first: "a.slice", then
 * "a.slice/a-b.slice". @offset: start with 0. Return: the length of the next one's path, 0: no
 * more. */
size_t pl_protection_next_above(const char *path, size_t offset);

/** pl_protection_format() - what must not be forgotten of one slice, as a line.
 * Return: owned by the caller; NULL: out of memory; "" when nothing is ours. */
char *pl_protection_format(const char *path, const PlProtection of[static PL_PROTECTIONS_N]);

/** pl_protection_parse() - one such line, without its end.
 * Return: 0 with *ret_path owned by the caller; -EBADMSG; -ENOMEM. */
int pl_protection_parse(const char *line, char **ret_path,
                        PlProtection ret[static PL_PROTECTIONS_N]);
