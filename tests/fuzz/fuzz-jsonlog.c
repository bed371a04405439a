/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Log bytes are whatever a container, a crash or a hole left there: every function of pl-jsonlog
 * over them, and the promises that rotation rests on.
 */

#include "lib/base/time.h"
#include "lib/logs/jsonlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

static void one_line(const char *line, size_t size) {
        PlJsonlogRecord r;

        if (pl_jsonlog_parse(line, size, &r) == PL_JSONLOG_RECORD) {
                char *text = malloc(r.log_size ?: 1);

                check(text && pl_jsonlog_unescape(r.log, r.log_size, text) <= r.log_size);
                free(text);
        }
        if (r.time_nsec) {
                char back[PL_TIME_TEXT_MAX];
                uint64_t nsec = 0;

                pl_format_time(r.time_nsec, back);
                check(pl_parse_time(back, strlen(back), PL_TIME_RFC3339, &nsec) == 0 &&
                      nsec == r.time_nsec);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *buf = (const char *)data;
        size_t cut = pl_jsonlog_last_cut(buf, size), step = size ? data[0] % 61 + 1U : 1;
        PlJsonlogStats whole = { 0 }, pieces = { 0 };

        check(cut <= size && (cut == 0 || buf[cut - 1] == '\n'));
        check((cut == 0) == (pl_jsonlog_last_line_end(buf, size) == 0));
        pl_jsonlog_stats_feed(&whole, buf, size);
        for (size_t i = 0; i < size; i += step)
                pl_jsonlog_stats_feed(&pieces, buf + i, PL_MIN(step, size - i));
        check(whole.lines == pieces.lines && whole.max_sec == pieces.max_sec &&
              whole.min_sec == pieces.min_sec);
        for (size_t at = 0; at < size;) {
                const char *nl = memchr(buf + at, '\n', size - at);
                size_t end = nl ? (size_t)(nl - buf) + 1 : size;

                one_line(buf + at, end - at);
                at = end;
        }
        return 0;
}
