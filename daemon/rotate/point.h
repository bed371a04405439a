/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rotation points: where a rotation can be killed, so that tests can kill it there.
 *
 * The daemon's own pl_log_rotate_point() is weak and empty: one call that returns. A test program
 * defines its own, which raises SIGKILL at the point it was told.
 */

typedef enum PlRotatePoint {
        PL_ROTATE_POINT_NONE,
        PL_ROTATE_POINT_BEGIN,     /* nothing written yet */
        PL_ROTATE_POINT_ARCHIVING, /* after each frame */
        PL_ROTATE_POINT_ARCHIVED,  /* written, not on disk */
        PL_ROTATE_POINT_SYNCED,    /* on disk, not committed */
        PL_ROTATE_POINT_SAVING,    /* state written under another name, twice per rotation */
        PL_ROTATE_POINT_COMMITTED, /* intent saved */
        PL_ROTATE_POINT_PUBLISHED, /* the archive has its name */
        PL_ROTATE_POINT_MARKED,    /* marker written, not on disk */
        PL_ROTATE_POINT_FREE,      /* about to free */
        PL_ROTATE_POINT_FREEING,   /* after each piece of filler or of a hole */
        PL_ROTATE_POINT_FREED,     /* done, perhaps not on disk */
        PL_ROTATE_POINT_CLEAN,     /* clean saved */
        PL_ROTATE_POINT_DROPPING,  /* after each archive that was dropped */
        _PL_ROTATE_POINT_N,
} PlRotatePoint;

void pl_log_rotate_point(PlRotatePoint p);
