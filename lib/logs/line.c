/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A line's bytes are passed on as the container wrote them, colours included, as docker logs does.
 */

#include "lib/logs/line.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>

#include "lib/base/time.h"

static int append(char **buf, size_t *n, size_t *allocated, const char *s, size_t size) {
        if (*n + size + 1 > *allocated) {
                size_t want = PL_MAX(*n + size + 1, *allocated * 2);
                char *bigger = realloc(*buf, want);

                if (!bigger)
                        return -ENOMEM;
                *buf = bigger;
                *allocated = want;
        }
        memcpy(*buf + *n, s, size);
        *n += size;
        (*buf)[*n] = '\0';
        return 0;
}

static int put(PlLogLines *l, const char *s, size_t size) {
        return append(&l->out, &l->n_out, &l->out_allocated, s, size);
}

void pl_log_lines_deinit(PlLogLines *l) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(l->parts); i++) {
                free(l->parts[i].text);
                free(l->parts[i].raw);
                free(l->parts[i].attrs);
        }
        free(l->out);
        *l = (PlLogLines){ .filter = l->filter, .damaged = l->damaged };
}

/* As Go's url.QueryEscape(). */
static int put_escaped(PlLogLines *l, const char *text) {
        static const char hex[] = "0123456789ABCDEF";
        int r = 0;

        for (; *text && r >= 0; text++) {
                const unsigned char c = (unsigned char)*text;
                const char escaped[] = { '%', hex[c >> 4], hex[c & 15] };

                if (c == ' ')
                        r = put(l, "+", 1);
                else if ((c < 0x80 && isalnum(c)) || strchr("-_.~", c))
                        r = put(l, text, 1);
                else
                        r = put(l, escaped, sizeof(escaped));
        }
        return r;
}

/* "k=v,k=v " as docker logs --details has it; dockerd wrote them in the order of their names. */
static int put_details(PlLogLines *l, const char *attrs) {
        json_t *j = json_loads(attrs, 0, NULL), *value;
        const char *key, *comma = "";
        int r = 0;

        json_object_foreach(j, key, value) {
                const char *text = json_string_value(value);

                if (r >= 0)
                        r = put(l, comma, strlen(comma));
                if (r >= 0)
                        r = put_escaped(l, key);
                if (r >= 0)
                        r = put(l, "=", 1);
                if (r >= 0)
                        r = put_escaped(l, text ?: "");
                comma = ",";
        }
        json_decref(j);
        return r < 0 ? r : put(l, " ", 1);
}

static bool wanted(const PlLogFilter *f, const PlLogPart *p, PlJsonlogStream stream) {
        size_t size = p->n_text;

        if (stream == PL_JSONLOG_STDERR ? f->no_stderr : f->no_stdout)
                return false;
        if (p->time_nsec < f->since_nsec || p->time_nsec > f->until_nsec)
                return false;
        if (!f->grep)
                return true;
        if (size > 0 && p->text[size - 1] == '\n')
                size--;
        return pl_pattern_match(f->grep, p->text, size) != 0; /* too much to search: shown */
}

/* The line is whole: into l->out, if anybody wants it. */
static int finish(PlLogLines *l, PlJsonlogStream stream) {
        PlLogPart *p = &l->parts[stream];
        const PlLogFilter *f = l->filter;
        char when[PL_TIME_TEXT_MAX];
        int r = 0;

        l->n_out = 0;
        if (!wanted(f, p, stream))
                goto out;
        if (f->json) {
                r = put(l, p->raw, p->n_raw);
        } else {
                if (f->timestamps && p->time_nsec > 0) {
                        pl_format_time(p->time_nsec, when);
                        r = put(l, when, strlen(when));
                        if (r >= 0)
                                r = put(l, " ", 1);
                }
                if (r >= 0 && f->details)
                        r = put_details(l, p->attrs ?: "{}");
                if (r >= 0)
                        r = put(l, p->text ?: "", p->n_text);
        }
        r = r < 0 ? r : l->n_out > 0;
out:
        p->n_text = p->n_raw = 0;
        p->time_nsec = 0;
        free(p->attrs);
        p->attrs = NULL;
        return r;
}

static int add_record(PlLogLines *l, PlLogPart *p, const PlJsonlogRecord *rec, const char *line,
                      size_t size) {
        int r;

        if (p->n_text == 0) {
                p->time_nsec = rec->time_nsec;
                if (rec->attrs && l->filter->details) {
                        free(p->attrs);
                        p->attrs = strndup(rec->attrs, rec->attrs_size);
                        if (!p->attrs)
                                return -ENOMEM;
                }
        }
        /* room for the escaped text is room for the text */
        if (p->n_text + rec->log_size + 1 > p->text_allocated) {
                size_t want = PL_MAX(p->n_text + rec->log_size + 1, p->text_allocated * 2);
                char *bigger = realloc(p->text, want);

                if (!bigger)
                        return -ENOMEM;
                p->text = bigger;
                p->text_allocated = want;
        }
        p->n_text += pl_jsonlog_unescape(rec->log, rec->log_size, p->text + p->n_text);
        p->text[p->n_text] = '\0';
        if (!l->filter->json)
                return 0;
        while (size > 0 && *line == '\0') { /* a hole that ends within the block */
                line++;
                size--;
        }
        r = append(&p->raw, &p->n_raw, &p->raw_allocated, line, size);
        if (r >= 0 && (size == 0 || line[size - 1] != '\n'))
                r = append(&p->raw, &p->n_raw, &p->raw_allocated, "\n", 1);
        return r;
}

int pl_log_lines_feed(PlLogLines *l, const char *line, size_t size, PlJsonlogStream *ret_stream) {
        PlJsonlogRecord rec;
        PlLogPart *p;
        int r;

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
        p = &l->parts[rec.stream];
        r = add_record(l, p, &rec, line, size);
        if (r < 0)
                return r;
        if (rec.partial && p->n_text < PL_LOG_LINE_MAX)
                return 0;
        *ret_stream = rec.stream;
        return finish(l, rec.stream);
}

int pl_log_lines_flush(PlLogLines *l, PlJsonlogStream *ret_stream) {
        for (unsigned i = 0; i < PL_ARRAY_SIZE(l->parts); i++) {
                int r;

                if (l->parts[i].n_text == 0)
                        continue;
                *ret_stream = (PlJsonlogStream)i;
                r = finish(l, (PlJsonlogStream)i);
                if (r != 0)
                        return r;
        }
        return 0;
}
