/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Import points: where the import of older records can be killed, so that tests can kill it there.
 *
 * The daemon's own pl_import_point() is weak and empty: one call that returns.
 */

typedef enum PlImportPoint {
        PL_IMPORT_POINT_READ,  /* a record was read, and is where it was */
        PL_IMPORT_POINT_SAVED, /* it is in both places */
        PL_IMPORT_POINT_GONE,  /* it is in its new place only */
        PL_IMPORT_POINT_EMPTY, /* all are; the old directory is still there */
        _PL_IMPORT_POINT_N,
} PlImportPoint;

void pl_import_point(PlImportPoint p);
