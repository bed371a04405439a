/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Log source.
 *
 * The last lines are found backward, a block at a time, and a line may have begun in the block
 * before: the engine cuts a long line into records. Whether the first record of a block begins a
 * line is known only when the one before it in its stream has been seen. So the first line of each
 * stream counts with a question mark, until an earlier block answers it.
 */

#include "ctl/logs/source.h"

#include <errno.h>

#define STREAMS       3 /* PlJsonlogStream */
#define BETWEEN_BYTES KIB(64)

void pl_log_source_deinit(PlLogSource *s) {
        pl_log_lines_deinit(&s->lines);
        s->reader = pl_log_reader_free(s->reader);
        s->spool = pl_log_spool_free(s->spool);
}

/* The next record of the block. Return: as pl_log_lines_feed(). */
static int feed(PlLogLines *lines, const char **p, const char *end, const char **ret_line,
                size_t *ret_size) {
        const char *nl = memchr(*p, '\n', (size_t)(end - *p));

        *ret_line = *p;
        *ret_size = nl ? (size_t)(nl - *p) + 1 : (size_t)(end - *p);
        *p += *ret_size;
        return pl_log_lines_feed(lines, *ret_line, *ret_size);
}

/* Of the piece at hand: is it of a line that is left out? */
static bool drop(PlLogSource *s, const PlLogPiece *piece) {
        bool *dropping = &s->dropping[piece->stream];

        if (piece->first) {
                *dropping = s->skip > 0;
                s->skip -= s->skip > 0;
        }
        return *dropping;
}

int pl_log_source_fill(PlLogSource *s, bool final) {
        int r = 0;

        for (;;) {
                const char *line;
                size_t size;

                for (; s->piece < s->lines.n_pieces; s->piece++)
                        if (!drop(s, &s->lines.pieces[s->piece]))
                                return 1;
                s->piece = s->lines.n_pieces = 0;
                if (s->p < s->end)
                        r = feed(&s->lines, &s->p, s->end, &line, &size);
                else {
                        PlLogBlock b;

                        r = s->reader ? pl_log_reader_next(s->reader, &b) : 0;
                        if (r > 0) {
                                s->p = b.data;
                                s->end = b.data + b.size;
                                if (s->progress)
                                        s->progress(s->userdata);
                        } else if (r == 0) {
                                r = final ? pl_log_lines_flush(&s->lines) : 0;
                                if (r == 0)
                                        return 0;
                        }
                }
                if (r < 0)
                        return r;
        }
}

const PlLogPiece *pl_log_source_piece(const PlLogSource *s) {
        return s->piece < s->lines.n_pieces ? &s->lines.pieces[s->piece] : NULL;
}

void pl_log_source_took(PlLogSource *s) {
        const PlLogPiece *piece = &s->lines.pieces[s->piece++];

        s->order_nsec = PL_MAX(s->order_nsec, piece->time_nsec);
        s->inside = !piece->last;
}

/* --- the last lines
 * -------------------------------------------------------------------------------
 */

/* The first line of a stream in what was counted until now. */
typedef struct First {
        bool seen, open; /* open: records of it may still follow in the block */
        bool counted;
        uint64_t time_nsec;
        uint64_t from_end; /* counted lines from it to the end, itself included */
        PlLogText records; /* kept where an expression has to see all of a line */
} First;

/* A place in a block where no line was open, and how many of its lines come before it. */
typedef struct Between {
        size_t offset;
        uint64_t n;
} Between;

typedef struct Count {
        PlLogLines lines; /* of a block */
        Between *between; /* in the last block, some way from each other */
        size_t n_between;
        const PlLogFilter *filter;
        First first[STREAMS];
        uint64_t n;
        uint64_t oldest_nsec;
        bool joined; /* the last block held the beginning of a line that goes on after it */
} Count;

static int keep(First *f, const char *line, size_t size) {
        PlLogText *t = &f->records;

        if (t->n + size > t->allocated) {
                size_t want = PL_MAX(t->n + size, t->allocated * 2);
                char *bigger = realloc(t->data, want);

                if (!bigger)
                        return -ENOMEM;
                t->data = bigger;
                t->allocated = want;
        }
        memcpy(t->data + t->n, line, size);
        t->n += size;
        return 0;
}

/* What the last call to lines has made. @first: of this block; @n: of this block */
static void count_pieces(Count *c, First first[static STREAMS], uint64_t *n) {
        for (size_t i = 0; i < c->lines.n_pieces; i++) {
                const PlLogPiece *piece = &c->lines.pieces[i];
                First *f = &first[piece->stream];

                if (!piece->first)
                        continue;
                (*n)++;
                c->oldest_nsec = PL_MIN(c->oldest_nsec, piece->time_nsec);
                if (f->seen && f->open && !f->counted && f->time_nsec == piece->time_nsec) {
                        f->counted = true;
                        f->from_end = *n; /* from the block's start, for now */
                }
        }
}

static int count_record(Count *c, First first[static STREAMS], const char *line, size_t size,
                        uint64_t *n) {
        PlLogLines *l = &c->lines;
        First *f;
        int r = 0;

        if (!l->is_record)
                return 0;
        f = &first[l->stream];
        if (!f->seen) {
                f->seen = f->open = true;
                f->time_nsec = l->time_nsec;
        }
        count_pieces(c, first, n);
        f->open = f->open && l->time_nsec == f->time_nsec;
        if (f->open && c->filter->grep && f->records.n < PL_LOG_LINE_SEARCH)
                r = keep(f, line, size);
        f->open = f->open && l->parts[l->stream].phase != PL_LOG_PART_NONE;
        return r;
}

/* The line of this stream that is open at the block's end, and what was taken for the first line
 * after it. */
static int join(Count *c, First first[static STREAMS], unsigned stream, uint64_t *n) {
        PlLogPart *part = &c->lines.parts[stream];
        First *next = &c->first[stream];
        uint64_t time_nsec = part->time_nsec;
        const char *p = next->records.data, *line;
        size_t size;
        int r = 0;

        if (part->phase == PL_LOG_PART_NONE || !next->seen || next->time_nsec != time_nsec)
                return 0;
        c->joined = true;
        if (next->counted) { /* it is no line of its own */
                c->n--;
                for (unsigned i = 0; i < STREAMS; i++)
                        if (i != stream && c->first[i].from_end > next->from_end)
                                c->first[i].from_end--;
        }
        while (r >= 0 && part->phase == PL_LOG_PART_HELD && p &&
               p < next->records.data + next->records.n) {
                r = feed(&c->lines, &p, next->records.data + next->records.n, &line, &size);
                if (r >= 0)
                        r = count_record(c, first, line, size, n);
        }
        return r;
}

/* So that not all of the block has to be read again. Return: 0, -ENOMEM. */
static int note_between(Count *c, size_t offset, uint64_t n) {
        Between *more;

        if (!pl_log_lines_is_between(&c->lines) ||
            offset < (c->n_between > 0 ? c->between[c->n_between - 1].offset : 0) + BETWEEN_BYTES)
                return 0;
        more = reallocarray(c->between, c->n_between + 1, sizeof(*more));
        if (!more)
                return -ENOMEM;
        c->between = more;
        more[c->n_between++] = (Between){ offset, n };
        return 0;
}

static int count_block(Count *c, const PlLogBlock *b) {
        const char *p = b->data, *line;
        First first[STREAMS] = { 0 };
        uint64_t n = 0;
        size_t size;
        int r = 0;

        pl_log_lines_deinit(&c->lines);
        c->joined = false;
        c->n_between = 0;
        while (r >= 0 && p < b->data + b->size) {
                r = feed(&c->lines, &p, b->data + b->size, &line, &size);
                if (r >= 0)
                        r = count_record(c, first, line, size, &n);
                if (r >= 0)
                        r = note_between(c, (size_t)(p - b->data), n);
        }
        for (unsigned i = 0; i < STREAMS && r >= 0; i++)
                r = join(c, first, i, &n);
        while (r >= 0 && (r = pl_log_lines_flush(&c->lines)) > 0)
                count_pieces(c, first, &n); /* what goes on no more */
        for (unsigned i = 0; i < STREAMS; i++) {
                if (!first[i].seen)
                        continue;
                free(c->first[i].records.data);
                c->first[i] = first[i];
                if (first[i].counted)
                        c->first[i].from_end = c->n + n - first[i].from_end + 1;
        }
        c->n += n;
        return r;
}

/* Is one of the lines that will be shown perhaps the end of a line? */
static bool is_doubtful(const Count *c, uint64_t n) {
        for (unsigned i = 0; i < STREAMS; i++)
                if (c->first[i].counted && c->first[i].from_end <= n)
                        return true;
        return false;
}

/* From the start of the block to the last place in it from which enough lines are ahead. */
static void go_on(PlLogSource *s, Count *c, uint64_t n) {
        PlLogPlace place = pl_log_reader_tell(s->reader);

        for (size_t i = c->n_between; i > 0; i--) {
                const Between *b = &c->between[i - 1];

                if (c->n < b->n + n)
                        continue;
                c->n -= b->n;
                place.offset += b->offset;
                pl_log_reader_go(s->reader, place);
                return;
        }
}

int pl_log_source_rewind(PlLogSource *s, const PlLogFilter *filter, uint64_t n,
                         void (*progress)(void *userdata), void *userdata, PlLogTail *ret) {
        PlLogFilter counting = *filter;
        Count c = { .lines = { .filter = &counting },
                    .filter = &counting,
                    .oldest_nsec = UINT64_MAX };
        int r = pl_log_reader_to_end(s->reader);

        counting.count = true;
        while (r >= 0 && n > 0 && (c.n < n || is_doubtful(&c, n))) {
                PlLogPlace place = pl_log_reader_tell(s->reader);
                uint64_t before = c.n;
                PlLogBlock b;

                r = pl_log_reader_previous(s->reader, &b);
                if (r <= 0)
                        break;
                r = count_block(&c, &b);
                if (progress)
                        progress(userdata);
                /* one block further is enough: a stream that has said nothing for so long has no
                 * line open */
                if (before >= n && !c.joined) {
                        pl_log_reader_go(s->reader, place);
                        c.n = before;
                        c.n_between = 0;
                        break;
                }
        }
        if (r >= 0)
                go_on(s, &c, n);
        pl_log_lines_deinit(&c.lines);
        for (unsigned i = 0; i < STREAMS; i++)
                free(c.first[i].records.data);
        free(c.between);
        if (r < 0)
                return r;
        s->skip = c.n > n ? c.n - n : 0;
        *ret = (PlLogTail){ .n = PL_MIN(c.n, n), .oldest_nsec = c.oldest_nsec };
        return 0;
}
