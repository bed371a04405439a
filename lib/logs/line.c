/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A line's bytes are passed on as the container wrote them, colours included, as docker logs does.
 */

#include "lib/logs/line.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>

#include "lib/base/time.h"

static int reserve(PlLogText *t, size_t size) {
        if (t->n + size + 1 > t->allocated) {
                size_t want = PL_MAX(t->n + size + 1, t->allocated * 2);
                char *bigger = realloc(t->data, want);

                if (!bigger)
                        return -ENOMEM;
                t->data = bigger;
                t->allocated = want;
        }
        return 0;
}

static int put(PlLogText *t, const char *s, size_t size) {
        int r = reserve(t, size);

        if (r < 0)
                return r;
        memcpy(t->data + t->n, s, size);
        t->n += size;
        t->data[t->n] = '\0';
        return 0;
}

static void text_deinit(PlLogText *t) {
        free(t->data);
        *t = (PlLogText){ 0 };
}

void pl_log_lines_deinit(PlLogLines *l) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(l->parts); i++) {
                text_deinit(&l->parts[i].text);
                text_deinit(&l->parts[i].raw);
                free(l->parts[i].attrs);
        }
        for (size_t i = 0; i < PL_ARRAY_SIZE(l->pieces); i++)
                text_deinit(&l->pieces[i].out);
        *l = (PlLogLines){ .filter = l->filter,
                           .damaged = l->damaged,
                           .unsearched = l->unsearched };
}

/* As Go's url.QueryEscape(). */
static int put_escaped(PlLogText *to, const char *text) {
        static const char hex[] = "0123456789ABCDEF";
        int r = 0;

        for (; *text && r >= 0; text++) {
                const unsigned char c = (unsigned char)*text;
                const char escaped[] = { '%', hex[c >> 4], hex[c & 15] };

                if (c == ' ')
                        r = put(to, "+", 1);
                else if ((c < 0x80 && isalnum(c)) || strchr("-_.~", c))
                        r = put(to, text, 1);
                else
                        r = put(to, escaped, sizeof(escaped));
        }
        return r;
}

/* "k=v,k=v " as docker logs --details has it; dockerd wrote them in the order of their names. */
static int put_details(PlLogText *to, const char *attrs) {
        json_t *j = json_loads(attrs, 0, NULL), *value;
        const char *key, *comma = "";
        int r = 0;

        json_object_foreach(j, key, value) {
                const char *text = json_string_value(value);

                if (r >= 0)
                        r = put(to, comma, strlen(comma));
                if (r >= 0)
                        r = put_escaped(to, key);
                if (r >= 0)
                        r = put(to, "=", 1);
                if (r >= 0)
                        r = put_escaped(to, text ?: "");
                comma = ",";
        }
        json_decref(j);
        return r < 0 ? r : put(to, " ", 1);
}

/* By stream and time alone, which its first record tells. */
static bool passes(const PlLogFilter *f, const PlLogPart *p, PlJsonlogStream stream) {
        return !(stream == PL_JSONLOG_STDERR ? f->no_stderr : f->no_stdout) &&
               p->time_nsec >= f->since_nsec && p->time_nsec <= f->until_nsec;
}

/* What takes too long to search is shown. */
static bool matches(const PlLogFilter *f, const PlLogPart *p) {
        size_t size = p->text.n;

        if (!f->grep)
                return true;
        if (size > 0 && p->text.data[size - 1] == '\n')
                size--;
        return pl_pattern_match(f->grep, p->text.data, size) != 0;
}

static void close_part(PlLogPart *p) {
        p->phase = PL_LOG_PART_NONE;
        p->text.n = p->raw.n = 0;
        p->time_nsec = 0;
        free(p->attrs);
        p->attrs = NULL;
}

static int put_head(PlLogText *to, const PlLogFilter *f, const PlLogPart *p) {
        char when[PL_TIME_TEXT_MAX];
        int r = 0;

        if (f->timestamps && p->time_nsec > 0) {
                pl_format_time(p->time_nsec, when);
                r = put(to, when, strlen(when));
                if (r >= 0)
                        r = put(to, " ", 1);
        }
        return r < 0 || !f->details ? r : put_details(to, p->attrs ?: "{}");
}

/* What is held of a line becomes a piece, if anybody wants it. @last: the line is over */
static int emit(PlLogLines *l, PlJsonlogStream stream, bool last) {
        PlLogPart *p = &l->parts[stream];
        PlLogPiece *piece = &l->pieces[l->n_pieces];
        const PlLogFilter *f = l->filter;
        PlLogText *from = f->json ? &p->raw : &p->text;
        bool first = p->phase == PL_LOG_PART_HELD;
        int r = 0;

        if (first && !matches(f, p))
                p->phase = PL_LOG_PART_SKIPPED;
        if (p->phase != PL_LOG_PART_SKIPPED) {
                PlLogText out = piece->out;

                out.n = 0;
                if (first && !f->json && !f->count)
                        r = put_head(&out, f, p);
                if (r >= 0 && !f->count)
                        r = put(&out, from->data ?: "", from->n);
                *piece = (PlLogPiece){ .out = out,
                                       .stream = stream,
                                       .time_nsec = p->time_nsec,
                                       .first = first,
                                       .last = last };
                l->n_pieces++;
                p->phase = PL_LOG_PART_PRINTED;
        }
        p->text.n = p->raw.n = 0;
        if (last)
                close_part(p);
        return r;
}

static int begin(PlLogLines *l, PlLogPart *p, const PlJsonlogRecord *rec) {
        p->time_nsec = rec->time_nsec;
        p->phase = passes(l->filter, p, rec->stream) ? PL_LOG_PART_HELD : PL_LOG_PART_SKIPPED;
        if (rec->attrs && l->filter->details && p->phase == PL_LOG_PART_HELD) {
                p->attrs = strndup(rec->attrs, rec->attrs_size);
                if (!p->attrs)
                        return -ENOMEM;
        }
        return 0;
}

static int put_raw(PlLogText *to, const char *line, size_t size) {
        int r;

        while (size > 0 && *line == '\0') { /* a hole that ends within the block */
                line++;
                size--;
        }
        r = put(to, line, size);
        return r >= 0 && (size == 0 || line[size - 1] != '\n') ? put(to, "\n", 1) : r;
}

/* Adds a record to its line, and finds out whether the engine has cut it. */
static int add_record(PlLogLines *l, PlLogPart *p, const PlJsonlogRecord *rec, const char *line,
                      size_t size) {
        bool skipped = p->phase == PL_LOG_PART_SKIPPED;
        int r = 0;

        p->full = false;
        if (!rec->partial && (skipped || (l->filter->count && !l->filter->grep)))
                return 0;
        /* room for the escaped text is room for the text */
        r = reserve(&p->text, rec->log_size);
        if (r < 0)
                return r;
        size_t n = pl_jsonlog_unescape(rec->log, rec->log_size, p->text.data + p->text.n);

        p->full = rec->partial && n >= PL_LOG_PART_BYTES;
        if (skipped)
                return 0;
        p->text.n += n;
        p->text.data[p->text.n] = '\0';
        return l->filter->json ? put_raw(&p->raw, line, size) : 0;
}

/* Is so much held that it has to be decided now? */
static bool is_long(PlLogLines *l, const PlLogPart *p) {
        const PlLogFilter *f = l->filter;

        if (p->phase == PL_LOG_PART_PRINTED)
                return true;
        if (f->grep && p->text.n >= PL_LOG_LINE_SEARCH) {
                l->unsearched++;
                return true;
        }
        return !f->grep && (f->count || PL_MAX(p->text.n, p->raw.n) >= PL_LOG_LINE_HOLD);
}

/* All pieces of a line have one time, so what is not asked for is known by it alone. */
static bool is_outside(const PlLogLines *l, const char *line, size_t size) {
        const PlLogFilter *f = l->filter;
        uint64_t nsec;

        if ((f->since_nsec == 0 && f->until_nsec == UINT64_MAX) || !pl_log_lines_is_between(l))
                return false;
        nsec = pl_jsonlog_time(line, size);
        return nsec > 0 && (nsec < f->since_nsec || nsec > f->until_nsec);
}

bool pl_log_lines_is_between(const PlLogLines *l) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(l->parts); i++)
                if (l->parts[i].phase != PL_LOG_PART_NONE)
                        return false;
        return true;
}

int pl_log_lines_feed(PlLogLines *l, const char *line, size_t size) {
        PlJsonlogRecord rec;
        PlLogPart *p;
        int r = 0;

        l->n_pieces = 0;
        l->is_record = false;
        if (is_outside(l, line, size))
                return 0;
        switch (pl_jsonlog_parse(line, size, &rec)) {
        case PL_JSONLOG_DAMAGED:
                l->damaged++;
                return 0;
        case PL_JSONLOG_FILLER:
        case PL_JSONLOG_MARKER:
                return 0;
        case PL_JSONLOG_RECORD:
                break;
        }
        l->is_record = true;
        l->stream = rec.stream;
        l->time_nsec = rec.time_nsec;
        p = &l->parts[rec.stream];
        if (p->phase != PL_LOG_PART_NONE && p->time_nsec != rec.time_nsec)
                r = emit(l, rec.stream, true); /* its run is over */
        if (r >= 0 && p->phase == PL_LOG_PART_NONE)
                r = begin(l, p, &rec);
        if (r >= 0)
                r = add_record(l, p, &rec, line, size);
        if (r >= 0 && !p->full)
                r = emit(l, rec.stream, true);
        else if (r >= 0 && p->phase != PL_LOG_PART_SKIPPED && is_long(l, p))
                r = emit(l, rec.stream, false);
        return r < 0 ? r : (int)l->n_pieces;
}

int pl_log_lines_flush(PlLogLines *l) {
        int r = 0;

        l->n_pieces = 0;
        for (unsigned i = 0; i < PL_ARRAY_SIZE(l->parts) && r >= 0 && l->n_pieces == 0; i++)
                if (l->parts[i].phase != PL_LOG_PART_NONE)
                        r = emit(l, (PlJsonlogStream)i, true);
        return r < 0 ? r : (int)l->n_pieces;
}

int pl_log_lines_show(PlLogLines *l) {
        int r = 0;

        l->n_pieces = 0;
        for (unsigned i = 0; i < PL_ARRAY_SIZE(l->parts) && r >= 0 && l->n_pieces == 0; i++)
                if (l->parts[i].phase == PL_LOG_PART_HELD && !l->filter->grep)
                        r = emit(l, (PlJsonlogStream)i, false);
        return r < 0 ? r : (int)l->n_pieces;
}
