/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Relearn: a log whose state record is lost, or an intent's place in it. Markers in it say what was
 * archived, but for the last archive when its rotation had not come to its end: then what that
 * archive holds still stands in the log, and would be archived again. Archive and log themselves
 * tell, and make the intent anew.
 */

#include "log-rotate-internal.h"

#include <errno.h>

#include "log-segment.h"

#define COMPARE_BYTES KIB(64)

/* Where does the marker of a generation stand, which nothing but the lost intent can have written?
 * Markers begin at a multiple of align. Return: 1; 0 there is none; -errno. */
static int find_marker(int fd, uint64_t from, uint64_t to, uint64_t align, uint64_t gen,
                       uint64_t *ret_a, uint64_t *ret_k) {
        uint64_t head, mark, found;
        int r;

        for (uint64_t a = (from + align - 1) & ~(align - 1); a < to; a += align) {
                if (pl_log_file_marker(fd, a) != gen)
                        continue;
                r = pl_log_file_find_head(fd, a, to, &head, &mark, &found);
                if (r < 0)
                        return r;
                *ret_a = a;
                *ret_k = head;
                return 1;
        }
        return 0;
}

/* Does the log go on at an offset as the archive begins? */
static bool begins_with(int fd, uint64_t offset, PlLogSegment *segment) {
        char buf[KIB(4)];
        size_t size;

        if (segment->table.n == 0 || pl_log_segment_load(segment, 0) < 0)
                return false;
        size = PL_MIN((size_t)segment->table.frames[0].raw_bytes, (size_t)COMPARE_BYTES);
        for (size_t at = 0; at < size; at += sizeof(buf)) {
                size_t n = PL_MIN(sizeof(buf), size - at);

                if (pread(fd, buf, n, (off_t)(offset + at)) != (ssize_t)n ||
                    memcmp(buf, segment->data + at, n) != 0)
                        return false;
        }
        return true;
}

/* Return: 1 state holds the intent; 0 there was none; -errno. */
static int remake(PlRotateJob *j, uint64_t size, PlLogSegment *segment) {
        PlRotateState *s = &j->state;
        uint64_t bytes = segment->raw_bytes, align;
        PlRotateFacts f = j->facts;
        PlRotateChoice choice;
        int r;

        f.wanted = PL_LOG_METHOD_AUTO;
        choice = pl_rotate_choose(&f);
        if (choice.why == PL_ROTATE_WHY_SPARED) {
                /* it will be, once the container has stopped; redo() makes no hole of it */
                f.wanted = PL_LOG_METHOD_PUNCH;
                choice = pl_rotate_choose(&f);
        }
        if (choice.method == PL_LOG_METHOD_OFF)
                return 0; /* nothing will be archived either */
        align = choice.align_bytes;
        s->method = choice.method;
        r = find_marker(j->log.fd, s->head, PL_MIN(size, s->head + bytes + align), align,
                        segment->gen, &s->a, &s->k);
        if (r != 0)
                return r;
        if (s->head + bytes > size || !begins_with(j->log.fd, s->head, segment))
                return 0;
        s->k = s->head + bytes;
        return pl_rotate_place(s, s->method, s->k, align, &s->a) < 0 ? 0 : 1;
}

int pl_rotate_relearn(PlRotateJob *j, uint64_t size, uint64_t marker_gen) {
        PlRotateState *s = &j->state;
        PlLogSegment segment = PL_LOG_SEGMENT_INIT;
        PlStoredArchive *archives = NULL;
        size_t n = 0;
        int r, fd;

        r = pl_log_store_list(j->ctx->store, s->id, &archives, &n);
        if (r < 0 || n == 0 || archives[n - 1].name.gen <= marker_gen) {
                free(archives);
                return PL_MIN(r, 0);
        }
        fd = pl_log_store_open_archive(j->ctx->store, &archives[n - 1]);
        r = fd < 0 ? fd : pl_log_segment_open(fd, &archives[n - 1].name, &segment);
        if (r >= 0) {
                r = remake(j, size, &segment);
                pl_log_segment_close(&segment);
        } else if (r == -EBADMSG || r == -ENOENT)
                r = 0; /* an archive that cannot be read archives nothing */
        if (r > 0) {
                char *archive;

                if (asprintf(&archive, "%s/%s", archives[n - 1].service, archives[n - 1].file) >=
                    0) {
                        free(s->archive);
                        s->archive = archive;
                        s->gen = archives[n - 1].name.gen - 1;
                        s->print = pl_log_file_print(j->log.fd, s);
                        s->phase = PL_ROTATE_INTENT;
                } else
                        r = -ENOMEM;
        }
        free(archives);
        return r;
}
