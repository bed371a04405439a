/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Message: a title, a text of lines, and what each format makes of them.
 *
 * Sources: docs.ntfy.sh/publish (headers, 4,096 bytes of text); api.slack.com, "Formatting text"
 * (three characters to escape); discord.com/developers, "Execute Webhook" (2,000 characters,
 * allowed_mentions); gotify.net/docs/pushmsg (POST /message, X-Gotify-Key, priority 0 to 10).
 */

#include "lib/notify/message.h"

#include <errno.h>
#include <time.h>

#include "lib/base/json.h"
#include "lib/base/quote.h"
#include "lib/base/strv.h"

#define LINE_MAX_BYTES 400 /* of one event among several */
#define AROUND_BYTES   300 /* what comes around the lines */
#define HEADERS_MAX    8

typedef struct Look {
        void (*escape)(FILE *f, const char *s);
        size_t max_bytes; /* of the text */
} Look;

/* --- escapes --- */

static void plain(FILE *f, const char *s) {
        (void)fputs(s, f);
}

static void slack(FILE *f, const char *s) {
        for (; *s; s++)
                if (*s == '&')
                        (void)fputs("&amp;", f);
                else if (*s == '<')
                        (void)fputs("&lt;", f);
                else if (*s == '>')
                        (void)fputs("&gt;", f);
                else
                        (void)fputc(*s, f);
}

static void markdown(FILE *f, const char *s) {
        for (; *s; s++) {
                if (strchr("\\*_~`|<>[]()#@", *s))
                        (void)fputc('\\', f);
                (void)fputc(*s, f);
        }
}

static const Look looks[_PL_NOTIFY_FORMAT_N] = {
        [PL_NOTIFY_JSON] = { plain, 12000 },      [PL_NOTIFY_NTFY] = { plain, 3900 },
        [PL_NOTIFY_SLACK] = { slack, 12000 },     [PL_NOTIFY_GOTIFY] = { plain, 12000 },
        [PL_NOTIFY_DISCORD] = { markdown, 1900 }, [PL_NOTIFY_TEXT] = { plain, 12000 },
};

/* --- title and lines --- */

static unsigned n_of(const PlNotifyBatch *b, PlNotifyKind k) {
        unsigned n = 0;

        for (size_t i = 0; i < b->n; i++)
                n += b->events[i]->kind == k;
        return n;
}

/* "host: 12 messages: 8 unhealthy, 4 oom" */
static char *title_of(const PlNotifyBatch *b) {
        char *text = NULL;
        size_t size, n = 0;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        fprintf(f, "%s: ", *b->host ? b->host : "plimsoll");
        if (b->n == 1) {
                const PlNotifyEvent *e = b->events[0];
                const char *who = e->service ?: e->container;

                fprintf(f, "%s%s%s", who ?: "", who ? " " : "", pl_notify_kind_word(e->kind));
        } else {
                fprintf(f, "%zu messages: ", b->n);
        }
        for (PlNotifyKind k = 0; b->n > 1 && k < _PL_NOTIFY_KIND_N; k++)
                if (n_of(b, k) > 0)
                        fprintf(f, "%s%u %s", n++ > 0 ? ", " : "", n_of(b, k),
                                pl_notify_kind_word(k));
        return pl_take_text(f, &text);
}

/* One event, cut and escaped, with its time where there are several. */
static char *line_of(const Look *look, const PlNotifyEvent *e, bool alone) {
        time_t seconds = (time_t)(e->usec / PL_USEC_PER_SEC);
        char clock[16] = "", *text = NULL;
        _cleanup_free_ char *cut = pl_escape_again(
                        e->text, alone ? (look->max_bytes - AROUND_BYTES) / 2 : LINE_MAX_BYTES);
        struct tm tm;
        size_t size;
        FILE *f = cut ? open_memstream(&text, &size) : NULL;

        if (!f)
                return NULL;
        if (localtime_r(&seconds, &tm))
                (void)strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
        if (!alone || e->times > 1)
                fprintf(f, "%s ", clock);
        look->escape(f, cut);
        if (e->times > 1)
                fprintf(f, " (the last of %u times)", e->times);
        fputc('\n', f);
        return pl_take_text(f, &text);
}

/* The newest are shown, oldest first: what was before them is counted. */
static char *lines_of(const Look *look, const PlNotifyBatch *b) {
        char *lines[PL_NOTIFY_LINES_MAX] = { 0 }, *text = NULL;
        size_t n = 0, bytes = AROUND_BYTES, size;
        FILE *f = open_memstream(&text, &size);
        bool failed = !f;

        for (size_t i = b->n; i > 0 && n < PL_NOTIFY_LINES_MAX && !failed; i--) {
                lines[n] = line_of(look, b->events[i - 1], b->n == 1);
                failed = !lines[n];
                bytes += failed ? 0 : strlen(lines[n]);
                if (bytes > look->max_bytes && n > 0) {
                        free(TAKE_PTR(lines[n]));
                        break;
                }
                n += !failed;
        }
        if (f && b->lost > 0)
                fprintf(f,
                        "%" PRIu64 " older message%s lost: there were too many, or the server "
                        "refused them\n",
                        b->lost, b->lost == 1 ? " was" : "s were");
        if (f && n < b->n)
                fprintf(f, "%zu more before these\n", b->n - n);
        for (size_t i = n; f && i > 0; i--)
                fputs(lines[i - 1], f);
        if (f && b->may_repeat)
                fputs("Some of this may have come before: an answer of the server was lost\n", f);
        for (size_t i = 0; i < n; i++)
                free(lines[i]);
        text = f ? pl_take_text(f, &text) : NULL;
        if (text && *text && !failed)
                text[strlen(text) - 1] = '\0'; /* the last end of a line */
        else if (failed)
                free(TAKE_PTR(text));
        return text;
}

static unsigned worst_of(const PlNotifyBatch *b) {
        unsigned worst = 5;

        for (size_t i = 0; i < b->n; i++) {
                unsigned s = pl_notify_kind_severity(b->events[i]->kind) ?: 5;

                worst = PL_MIN(worst, s);
        }
        return worst;
}

/* --- documents --- */

static json_t *json_event(const PlNotifyEvent *e) {
        return json_pack("{s:I,s:I,s:s,s:i,s:s*,s:s*,s:s}", "id", (json_int_t)e->id, "time_usec",
                         (json_int_t)e->usec, "kind", pl_notify_kind_word(e->kind), "times",
                         (int)e->times, "service", e->service, "container", e->container, "message",
                         e->text);
}

static json_t *json_batch(const PlNotifyBatch *b, const char *title, const char *text) {
        json_t *list = json_array();

        for (size_t i = 0; list && i < b->n; i++)
                if (json_array_append_new(list, json_event(b->events[i])) < 0) {
                        json_decref(list);
                        return NULL;
                }
        return json_pack("{s:i,s:s,s:s,s:s,s:s,s:I,s:b,s:o}", "version", PL_NOTIFY_VERSION, "host",
                         b->host, "section", b->section, "title", title, "text", text, "lost",
                         (json_int_t)b->lost, "may_repeat", (int)b->may_repeat, "events", list);
}

static json_t *document_of(PlNotifyFormat format, const PlNotifyBatch *b, const char *title,
                           const char *text) {
        static const int gotify_priorities[] = { 0, 10, 8, 5, 3, 3 };
        _cleanup_free_ char *both = NULL;
        char *escaped = NULL;
        json_t *o = NULL;
        size_t size;
        FILE *f;

        if (format == PL_NOTIFY_JSON)
                return json_batch(b, title, text);
        if (format == PL_NOTIFY_GOTIFY)
                return json_pack("{s:s,s:s,s:i}", "title", title, "message", text, "priority",
                                 gotify_priorities[worst_of(b)]);
        f = open_memstream(&escaped, &size);
        if (!f)
                return NULL;
        fputs(format == PL_NOTIFY_SLACK ? "*" : "**", f);
        looks[format].escape(f, title);
        fprintf(f, "%s\n%s", format == PL_NOTIFY_SLACK ? "*" : "**", text);
        both = pl_take_text(f, &escaped);
        if (both && format == PL_NOTIFY_SLACK)
                o = json_pack("{s:s}", "text", both);
        else if (both)
                o = json_pack("{s:s,s:{s:[]}}", "content", both, "allowed_mentions", "parse");
        return o;
}

/* --- headers --- */

static int add_header(PlNotifyMessage *m, const char *name, const char *value) {
        char clean[300];
        size_t n = 0;
        int r;

        (void)snprintf(clean, sizeof(clean), "%s: ", name);
        n = strlen(clean);
        /* a character of several bytes becomes one question mark */
        for (; *value && n + 1 < sizeof(clean); value++)
                if ((unsigned char)*value < 0x80 || (unsigned char)*value >= 0xc0)
                        clean[n++] = *value >= ' ' && *value < 0x7f ? *value : '?';
        clean[n] = '\0';
        r = pl_strv_append(&m->headers, HEADERS_MAX, clean);
        return r == -E2BIG ? -ENOMEM : r;
}

static int add_token(PlNotifyMessage *m, PlNotifyFormat format, const char *token) {
        _cleanup_free_ char *header = NULL;

        for (const char *c = token; *c; c++)
                if (*c <= ' ' || *c >= 0x7f)
                        return -EINVAL;
        if (asprintf(&header,
                     format == PL_NOTIFY_GOTIFY ? "X-Gotify-Key: %s" : "Authorization: Bearer %s",
                     token) < 0) {
                header = NULL;
                return -ENOMEM;
        }
        return pl_strv_append(&m->headers, HEADERS_MAX, header);
}

static int add_ntfy(PlNotifyMessage *m, const PlNotifyBatch *b, const char *title) {
        static const char *const priorities[] = { "3", "5", "4", "3", "2", "3" };
        unsigned worst = worst_of(b);
        int r = add_header(m, "Title", title);

        if (r >= 0)
                r = add_header(m, "Priority", priorities[worst]);
        return r < 0 ? r
                     : add_header(m, "Tags",
                                  worst == 5   ? "white_check_mark"
                                  : worst <= 2 ? "rotating_light"
                                               : "warning");
}

void pl_notify_message_deinit(PlNotifyMessage *m) {
        free(m->body);
        pl_strv_free(m->headers);
}

int pl_notify_message(PlNotifyFormat format, const PlNotifyBatch *b, const char *token,
                      PlNotifyMessage *ret) {
        bool text_format = format == PL_NOTIFY_NTFY || format == PL_NOTIFY_TEXT;
        _cleanup_(pl_notify_message_deinit) PlNotifyMessage m = { .path = "" };
        _cleanup_free_ char *title = title_of(b), *text = lines_of(&looks[format], b);
        _cleanup_json_ json_t *o = NULL;
        int r = title && text ? 0 : -ENOMEM;

        if (r >= 0)
                r = add_header(&m, "Content-Type",
                               text_format ? "text/plain; charset=utf-8" : "application/json");
        if (r >= 0 && token)
                r = add_token(&m, format, token);
        if (r >= 0 && format == PL_NOTIFY_NTFY)
                r = add_ntfy(&m, b, title);
        if (r < 0)
                return r;
        if (format == PL_NOTIFY_NTFY) {
                m.body = TAKE_PTR(text);
        } else if (format == PL_NOTIFY_TEXT) {
                if (asprintf(&m.body, "%s\n%s\n", title, text) < 0)
                        m.body = NULL;
        } else {
                o = document_of(format, b, title, text);
                m.body = o ? json_dumps(o, JSON_COMPACT) : NULL;
        }
        if (!m.body)
                return -ENOMEM;
        if (format == PL_NOTIFY_GOTIFY)
                m.path = "/message";
        *ret = m;
        m = (PlNotifyMessage){ 0 };
        return 0;
}
