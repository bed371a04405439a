/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is let go is lost with its container: only a directory that is whole tells that it is
 * history.
 */

#include "lib/logs/rotated.h"

static bool is_same(const PlLogRotated *a, const PlLogRotated *b) {
        return a->dev == b->dev && a->ino == b->ino;
}

/* It lies there still; or packed, where one rotation has moved it to. */
static bool is_there(const PlLogRotated *old, const PlLogRotated *now, size_t n_now) {
        for (size_t i = 0; i < n_now; i++)
                if (is_same(old, &now[i]) ||
                    (now[i].packed && !old->packed && now[i].number == old->number + 1 &&
                     now[i].bytes == old->bytes))
                        return true;
        return false;
}

size_t pl_log_rotated_keep(const PlLogRotated *old, size_t n_old, const PlLogRotated *now,
                           size_t n_now, size_t max_files, bool *ret_keep) {
        /* a rotation makes them one more, up to what is kept; a removal makes them fewer */
        size_t whole = PL_MIN(n_old + 1, max_files), kept = 0;

        for (size_t i = 0; i < n_old; i++) {
                ret_keep[i] = n_now + kept < whole && !is_there(&old[i], now, n_now);
                kept += ret_keep[i];
        }
        return kept;
}

size_t pl_log_rotated_within(const PlLogRotated *files, size_t n, uint64_t max_bytes) {
        uint64_t bytes = 0;
        size_t i;

        for (i = 0; i < n && bytes < max_bytes; i++)
                bytes += files[i].bytes;
        return i;
}
