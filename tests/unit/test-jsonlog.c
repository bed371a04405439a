/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as dockerd writes them, as others might, and as nobody should; where to cut; what spans.
 */

#include "lib/logs/jsonlog.h"
#include "unit.h"

#define TAIL ",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05.000000006Z\"}\n"

static const uint64_t t0 = UINT64_C(1767323045000000006);

/* clang-format off */
static const struct {
        const char *name, *line;
        PlJsonlogKind kind;
        PlJsonlogStream stream;
        uint64_t time_nsec;
        const char *log; /* unescaped; NULL: not looked at */
        const char *attrs;
        bool partial;
        uint64_t gen;
} records[] = {
        { "plain", "{\"log\":\"hi\\n\"" TAIL, PL_JSONLOG_RECORD, PL_JSONLOG_STDOUT, t0, "hi\n" },
        { "stderr", "{\"log\":\"e\\n\",\"stream\":\"stderr\",\"time\":\"2026-01-02T03:04:05Z\"}",
          PL_JSONLOG_RECORD, PL_JSONLOG_STDERR, t0 - 6, "e\n" },
        { "partial", "{\"log\":\"half\"" TAIL, PL_JSONLOG_RECORD, PL_JSONLOG_STDOUT, t0, "half",
          .partial = true },
        { "backslash and n are text", "{\"log\":\"half\\\\n\"" TAIL, PL_JSONLOG_RECORD,
          PL_JSONLOG_STDOUT, t0, "half\\n", .partial = true },
        { "empty text", "{\"log\":\"\"" TAIL, PL_JSONLOG_RECORD, PL_JSONLOG_STDOUT, t0, "",
          .partial = true },
        { "attrs",
          "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"attrs\":{\"k\":\"}\\\"v\",\"n\":[1,{}]},"
          "\"time\":\"2026-01-02T03:04:05.000000006Z\"}",
          PL_JSONLOG_RECORD, PL_JSONLOG_STDOUT, t0, "a\n", "{\"k\":\"}\\\"v\",\"n\":[1,{}]}" },
        { "other order, blanks",
          " { \"time\" : \"2026-01-02T04:04:05.000000006+01:00\" , \"log\" : \"x\\n\", \"z\": null "
          "}",
          PL_JSONLOG_RECORD, PL_JSONLOG_OTHER, t0, "x\n" },
        { "forged marker is text", "{\"log\":\"{\\\"rotmark\\\":7}\\n\"" TAIL, PL_JSONLOG_RECORD,
          PL_JSONLOG_STDOUT, t0, "{\"rotmark\":7}\n" },
        { "marker beside log is none", "{\"log\":\"x\\n\",\"rotmark\":7}", PL_JSONLOG_RECORD,
          PL_JSONLOG_OTHER, 0, "x\n" },
        { "marker before log is none", "{\"rotmark\":7,\"log\":\"x\\n\"}", PL_JSONLOG_RECORD,
          PL_JSONLOG_OTHER, 0, "x\n" },
        { "marker", "{\"rotmark\":42}        \n", PL_JSONLOG_MARKER, PL_JSONLOG_OTHER, .gen = 42 },
        { "marker with a sign", "{\"rotmark\":-42}\n", PL_JSONLOG_FILLER, PL_JSONLOG_OTHER },
        { "filler", "{}                 \n", PL_JSONLOG_FILLER, PL_JSONLOG_OTHER },
        { "blank", "  \n", PL_JSONLOG_FILLER, PL_JSONLOG_OTHER },
        { "empty", "", PL_JSONLOG_FILLER, PL_JSONLOG_OTHER },
        { "not JSON", "panic: oh no\n", PL_JSONLOG_DAMAGED, PL_JSONLOG_OTHER },
        { "torn", "{\"log\":\"hi\\n\",\"stre", PL_JSONLOG_DAMAGED, PL_JSONLOG_OTHER },
        { "torn in an escape", "{\"log\":\"hi\\", PL_JSONLOG_DAMAGED, PL_JSONLOG_OTHER },
        { "two on a line", "{\"log\":\"a\\n\"}{\"log\":\"b\\n\"}", PL_JSONLOG_DAMAGED,
          PL_JSONLOG_OTHER },
        { "no value", "{\"log\":,\"stream\":\"stdout\"}", PL_JSONLOG_DAMAGED, PL_JSONLOG_OTHER },
        { "unbalanced", "{\"attrs\":{{}", PL_JSONLOG_DAMAGED, PL_JSONLOG_OTHER },
        { "surrogates", "{\"log\":\"\\ud83d\\ude00 \\ud83d \\u00e9\\u003c\\n\"" TAIL,
          PL_JSONLOG_RECORD, PL_JSONLOG_STDOUT, t0, "\xf0\x9f\x98\x80 \xef\xbf\xbd \xc3\xa9<\n" },
        { "broken escapes", "{\"log\":\"\\uZZ \\q \\b\\f\\r\\t\\/\\\"\\n\"" TAIL, PL_JSONLOG_RECORD,
          PL_JSONLOG_STDOUT, t0, "?ZZ q \b\f\r\t/\"\n" },
        { "no time", "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"yesterday\"}",
          PL_JSONLOG_RECORD, PL_JSONLOG_STDOUT, 0, "x\n" },
};
/* clang-format on */

START_TEST(record) {
        size_t size = strlen(records[_i].line);
        char *line = malloc(size ?: 1), *text;
        PlJsonlogRecord r;

        memcpy(line, records[_i].line, size); /* no NUL behind it: sanitizers see a read too far */
        ck_assert_msg(pl_jsonlog_parse(line, size, &r) == records[_i].kind, "%s: kind %d",
                      records[_i].name, r.kind);
        ck_assert_msg(r.stream == records[_i].stream, "%s: stream %d", records[_i].name, r.stream);
        ck_assert_msg(r.time_nsec == records[_i].time_nsec, "%s: time %" PRIu64, records[_i].name,
                      r.time_nsec);
        ck_assert_msg(r.partial == records[_i].partial, "%s: partial", records[_i].name);
        ck_assert_msg(r.marker_gen == records[_i].gen, "%s: gen", records[_i].name);
        if (records[_i].log) {
                size_t n;

                text = malloc(r.log_size ?: 1);
                n = pl_jsonlog_unescape(r.log, r.log_size, text);
                ck_assert_msg(n == strlen(records[_i].log) && memcmp(text, records[_i].log, n) == 0,
                              "%s: text '%.*s'", records[_i].name, (int)n, text);
                free(text);
        }
        if (records[_i].attrs)
                ck_assert_msg(r.attrs_size == strlen(records[_i].attrs) &&
                                              memcmp(r.attrs, records[_i].attrs, r.attrs_size) == 0,
                              "%s: attrs '%.*s'", records[_i].name, (int)r.attrs_size, r.attrs);
        else
                ck_assert_msg(!r.attrs, "%s: attrs", records[_i].name);
        free(line);
}
END_TEST

START_TEST(hole_before_record) {
        static const char line[] = "\0\0\0\0{\"log\":\"hi\\n\"" TAIL;
        PlJsonlogRecord r;

        ck_assert_int_eq(pl_jsonlog_parse(line, sizeof(line) - 1, &r), PL_JSONLOG_RECORD);
        ck_assert_int_eq(pl_jsonlog_parse("\0\0\0", 3, &r), PL_JSONLOG_FILLER);
}
END_TEST

#define FULL "{\"log\":\"a\\n\"" TAIL
#define PART "{\"log\":\"a\"" TAIL

/* clang-format off */
static const struct {
        const char *name, *buf;
        size_t cut; /* of the buffer's length, counted from its end */
        bool none;
} cuts[] = {
        { "whole", FULL FULL, 0 },
        { "torn tail", FULL FULL "{\"log", 5 },
        { "line goes on", FULL FULL PART, sizeof(PART) - 1 },
        { "line goes on twice", FULL FULL PART PART "{", 2 * (sizeof(PART) - 1) + 1 },
        { "nothing but parts", PART PART PART, 0 },
        { "marker", FULL "{\"rotmark\":1}  \n", 0 },
        { "no newline", "{\"log\":\"a", 0, .none = true },
        { "only the first, whose start is unknown", "xx\"}\n", 0 },
        { "empty", "", 0, .none = true },
};
/* clang-format on */

START_TEST(cut) {
        size_t size = strlen(cuts[_i].buf), got = pl_jsonlog_last_cut(cuts[_i].buf, size);

        ck_assert_msg(got == (cuts[_i].none ? 0 : size - cuts[_i].cut), "%s: %zu of %zu",
                      cuts[_i].name, got, size);
}
END_TEST

/* A span must come out the same however the bytes are split. */
START_TEST(stats) {
        static const char log[] = "{\"log\":\"b\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-"
                                  "02T03:04:05.9Z\"}\n"
                                  "{\"log\":\"a\\n\",\"stream\":\"stderr\",\"time\":\"2026-01-"
                                  "02T03:04:04.1Z\"}\n"
                                  "{}      \n"
                                  "{\"log\":\"c\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-"
                                  "02T03:05:00Z\"}\n"
                                  "{\"log\":\"d\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-"
                                  "02T03:04:59Z\"}\n"
                                  "garbage\n"
                                  "{\"log\":\"not ended";
        size_t step = (size_t)_i + 1;
        PlJsonlogStats s = { 0 };

        for (size_t i = 0; i < sizeof(log) - 1; i += step)
                pl_jsonlog_stats_feed(&s, log + i, PL_MIN(step, sizeof(log) - 1 - i));
        ck_assert_uint_eq(s.lines, 6);
        ck_assert_uint_eq(s.min_sec, 1767323044);
        ck_assert_uint_eq(s.max_sec, 1767323100);
        ck_assert_uint_eq(pl_jsonlog_first_time(FULL, sizeof(FULL) - 1), t0);
        ck_assert_uint_eq(pl_jsonlog_first_time("{}\n", 3), 0);
}
END_TEST

static const size_t sizes[] = {
        PL_JSONLOG_MARKER_MIN, 4096, 65535, 65536, 65537, 65538, 65539, 200000
};

START_TEST(filler_and_marker) {
        size_t size = sizes[_i], n = 0;
        char *buf = malloc(size);
        PlJsonlogRecord r;

        pl_jsonlog_write_filler(buf, size);
        for (size_t at = 0; at < size; n++) {
                char *nl = memchr(buf + at, '\n', size - at);

                ck_assert_ptr_nonnull(nl);
                ck_assert_int_eq(pl_jsonlog_parse(buf + at, (size_t)(nl - buf) + 1 - at, &r),
                                 PL_JSONLOG_FILLER);
                ck_assert_int_eq(buf[at], '{');
                ck_assert_uint_le((size_t)(nl - buf) + 1 - at, PL_JSONLOG_FILLER_BYTES + 2);
                at = (size_t)(nl - buf) + 1;
        }
        ck_assert_uint_eq(n, (size + PL_JSONLOG_FILLER_BYTES - 3) / PL_JSONLOG_FILLER_BYTES ?: 1);
        pl_jsonlog_write_marker(buf, size, UINT64_MAX);
        ck_assert_int_eq(buf[size - 1], '\n');
        ck_assert_int_eq(pl_jsonlog_parse(buf, size, &r), PL_JSONLOG_FILLER); /* beyond any gen */
        pl_jsonlog_write_marker(buf, size, UINT64_C(999999999999999999));
        ck_assert_int_eq(pl_jsonlog_parse(buf, size, &r), PL_JSONLOG_MARKER);
        ck_assert_uint_eq(r.marker_gen, UINT64_C(999999999999999999));
        free(buf);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, record, 0, PL_ARRAY_SIZE(records));
        tcase_add_test(c, hole_before_record);
        tcase_add_loop_test(c, cut, 0, PL_ARRAY_SIZE(cuts));
        tcase_add_loop_test(c, stats, 0, 200);
        tcase_add_loop_test(c, filler_and_marker, 0, PL_ARRAY_SIZE(sizes));
        return run_case(c);
}
