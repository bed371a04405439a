/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Proven time: how late it is at least, for whoever removes what is old.
 *
 * A wall clock may be wrong by years: a dead battery, a guest that was restored, a hand. What is
 * removed because a wrong clock calls it old does not come back. So time is counted here by the
 * clock that nobody sets (CLOCK_BOOTTIME, which goes on in a suspended machine), and the wall clock
 * is believed as far as the count confirms it, and besides
 *   - at once, where it differs by an hour or less;
 *   - at a boot, by a day at most: nobody has counted while the machine was off;
 *   - in any case when it has said the same for a whole counted day, in which people and NTP would
 *     have set it.
 * So an archive may stay a day longer, and a wrong clock has to stay wrong for a day to hurt. Pure.
 */

#include "lib/base/macro.h"

#define PL_PROVEN_TIME_MAX KIB(4) /* largest record that is read */

typedef struct PlProvenTime {
        uint64_t now_sec;     /* proven; 0: nothing is known yet */
        uint64_t boot_sec;    /* CLOCK_BOOTTIME then */
        char boot_id[40];     /* of that boot */
        uint64_t counted_sec; /* in all that time */
        bool doubted;         /* the wall clock says something else … */
        int64_t ahead_sec;    /* … by so much, when that began; negative: behind */
        uint64_t since_sec;   /* as counted_sec */
} PlProvenTime;

typedef struct PlClocks {
        uint64_t wall_sec, boot_sec;
        const char *boot_id; /* /proc/sys/kernel/random/boot_id, up to the end of its line */
        uint64_t newest_sec; /* without a record: of all that was stored, the newest; 0: nothing */
} PlClocks;

/**
 * pl_proven_time_step() - the clocks were read
 * @ret_look_sec: so long from now on the answer will change by itself; PL_TIME_INFINITY: it goes
 *                with the wall clock
 * Return: what is proven now, never later than the wall clock.
 */
uint64_t pl_proven_time_step(PlProvenTime *t, const PlClocks *c, uint64_t *ret_look_sec);

/** pl_proven_time_encode() - Return: 0 and *ret owned by the caller, or -ENOMEM. */
int pl_proven_time_encode(const PlProvenTime *t, char **ret);

/** pl_proven_time_decode() - Return: 0; -EBADMSG when it is not such a record. */
int pl_proven_time_decode(const char *text, size_t size, PlProvenTime *ret);
