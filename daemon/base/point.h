/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Points: where a test may have plimsolld or plimsollctl die, or stand still. (A rotation's are in
 * rotate/point.h: there a test needs to know them all.)
 */

/**
 * pl_point() - the program has come to a point of a sequence that has to survive it
 * @name: the sequence and the point: "restart-intent"
 *
 * The programs' own function is weak and empty: one call that returns. A test program's replaces
 * it.
 */
void pl_point(const char *name);
