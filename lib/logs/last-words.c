/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Last words: see the header. Each line gets its share of the room, so that one long line does not
 * crowd out the one that matters.
 */

#include "lib/logs/last-words.h"

#include "lib/base/quote.h"
#include "lib/logs/jsonlog.h"

#define SHARE_MAX (PL_LAST_WORDS_MAX / PL_LAST_WORDS_LINES - 3)

/* The text of a record, quoted and without its line end; "" when there is nothing to show. */
static void quote_record(const char *line, size_t size, char *buf) {
        _cleanup_free_ char *raw = NULL;
        PlJsonlogRecord r;
        size_t n;

        buf[0] = '\0';
        if (pl_jsonlog_parse(line, size, &r) != PL_JSONLOG_RECORD || r.log_size == 0)
                return;
        raw = malloc(r.log_size);
        if (!raw)
                return;
        n = pl_jsonlog_unescape(r.log, r.log_size, raw);
        while (n > 0 && strchr("\r\n \t", raw[n - 1]) && raw[n - 1])
                n--;
        (void)pl_quote(raw, n, buf, SHARE_MAX);
}

const char *pl_last_words(const char *tail, size_t size, bool whole,
                          char buf[static PL_LAST_WORDS_MAX]) {
        char lines[PL_LAST_WORDS_LINES][SHARE_MAX];
        unsigned n = 0;
        size_t begin = 0, used = 0, last = 0;

        if (!whole) {
                const char *first = memchr(tail, '\n', size);

                begin = first ? (size_t)(first - tail) + 1 : size;
        }
        /* backwards, line by line */
        for (size_t end = size; end > begin && n < PL_LAST_WORDS_LINES;) {
                const char *newline;
                size_t start;

                if (tail[end - 1] == '\n')
                        end--;
                newline = memrchr(tail + begin, '\n', end - begin);
                start = newline ? (size_t)(newline - tail) + 1 : begin;
                quote_record(tail + start, end - start, lines[n]);
                if (*lines[n])
                        n++;
                end = start;
        }
        buf[0] = '\0';
        while (n-- > 0) {
                int len;

                if (used > 0)
                        last = used + strlen(" | ");
                len = snprintf(buf + used, PL_LAST_WORDS_MAX - used, "%s%s", used > 0 ? " | " : "",
                               lines[n]);

                used += PL_MIN((size_t)PL_MAX(len, 0), PL_LAST_WORDS_MAX - 1 - used);
        }
        return buf + last;
}

/* What programs say when /dev/shm is full: in Docker it has 64 MiB unless shm_size says otherwise.
 * Sources: Postgres, src/backend/storage/ipc/dsm_impl.c; PyTorch, torch/utils/data/_utils/
 * signal_handling.py; a "Bus error" is how the kernel tells who has mapped it. */
static bool is_shm_full(const char *words) {
        bool no_space = strstr(words, "No space left on device") != NULL;

        return (no_space && strstr(words, "shared memory segment")) ||
               (no_space && strstr(words, "/dev/shm")) ||
               strstr(words, "raise your shared memory limit") != NULL;
}

const char *pl_last_words_explain(const char *words, const char *last,
                                  char buf[static PL_LAST_WORDS_EXPLAINED_MAX]) {
        const char *cause = "";

        buf[0] = '\0';
        if (is_shm_full(words))
                cause = "; its /dev/shm is full: give it more (shm_size in compose, docker run "
                        "--shm-size)";
        else if (strstr(words, "Bus error"))
                cause = "; a bus error: a mapped file shrank, or its /dev/shm is full (shm_size)";
        if (*last)
                (void)snprintf(buf, PL_LAST_WORDS_EXPLAINED_MAX, "%s; its last line: %s", cause,
                               last);
        return buf;
}
