/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/docker/stream.h"

#include <errno.h>

#include "unit.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

#define EVENT(id, action, time)                                                     \
        "{\"Type\":\"container\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" id \
        "\",\"Attributes\":{\"name\":\"web\",\"exitCode\":\"1\"}},\"timeNano\":" #time "}\n"

static PlEventStream stream;
static char told[400];
static bool go_on;

static bool on_event(void *userdata, PlEvent *e) {
        size_t n = strlen(told);

        (void)snprintf(told + n, sizeof(told) - n, "%s%c%d@%" PRIu64 "%s", n > 0 ? " " : "",
                       e->id[0], (int)e->action, e->time_nsec, e->late ? " late" : "");
        return go_on;
}

static void setup(void) {
        told[0] = '\0';
        go_on = true;
}

static void teardown(void) {
        pl_event_stream_deinit(&stream);
}

static void feed(const char *text) {
        ck_assert_int_eq(pl_event_stream_feed(&stream, text, strlen(text)), 0);
}

static const char *expect(const char *form, int action) {
        static char text[200];
        size_t n = 0;

        for (; *form && n < sizeof(text) - 4; form++)
                n += (size_t)(*form == '%' ? snprintf(text + n, 4, "%d", action)
                                           : snprintf(text + n, 4, "%c", *form));
        text[n] = '\0';
        return text;
}

START_TEST(in_pieces) {
        static const char text[] = EVENT(A, "die", 5) EVENT(B, "die", 6);

        for (size_t i = 0; text[i]; i++) {
                ck_assert_int_eq(pl_event_stream_feed(&stream, text + i, 1), 0);
                ck_assert(pl_event_stream_dispatch(&stream, on_event, NULL));
        }
        ck_assert_str_eq(told, expect("a%@5 b%@6", PL_EVENT_DIE));
        ck_assert(!stream.damaged);
        ck_assert_uint_eq(stream.last_nsec, 6);
        ck_assert_uint_eq(stream.size, 0);
}
END_TEST

/* An engine that is asked for events since then sends again what it sent. */
START_TEST(told_once) {
        feed(EVENT(A, "die", 5) "{\"Type\":\"cont");
        ck_assert(pl_event_stream_dispatch(&stream, on_event, NULL));
        pl_event_stream_reset(&stream);
        stream.asked_nsec = 6;
        feed(EVENT(A, "die", 5) EVENT(A, "start", 5) EVENT(B, "die", 5) EVENT(B, "die", 6));
        ck_assert(pl_event_stream_dispatch(&stream, on_event, NULL));
        ck_assert_ptr_nonnull(strstr(told, "late"));
        ck_assert_uint_eq(stream.n_seen, 4);
        ck_assert(!stream.damaged);
}
END_TEST

static const struct {
        const char *name, *text;
        bool damaged;
        const char *told;
} lines[] = {
        { "white space", "\n\r\n" EVENT(A, "die", 5), false, "a%@5" },
        { "no JSON", "what?\n" EVENT(A, "die", 5), true, "a%@5" },
        { "no object", "[]\n", true, "" },
        { "of an image", "{\"Type\":\"image\",\"Action\":\"pull\",\"Actor\":{\"ID\":\"x\"}}\n",
          false, "" },
        { "not ended", "{\"Type\":", false, "" },
        { "without a time", EVENT(A, "die", 0) EVENT(A, "die", 0), false, "a%@0 a%@0" },
};

START_TEST(line) {
        feed(lines[_i].text);
        ck_assert(pl_event_stream_dispatch(&stream, on_event, NULL));
        ck_assert_msg(pl_streq(told, expect(lines[_i].told, PL_EVENT_DIE)), "%s: %s",
                      lines[_i].name, told);
        ck_assert_msg(stream.damaged == lines[_i].damaged, "%s", lines[_i].name);
}
END_TEST

/* What cannot be trimmed is skipped to its end, and what follows it is told. */
START_TEST(too_long) {
        static char junk[PL_DOCKER_RECORD_MAX / 2 + 100];

        memset(junk, 'x', sizeof(junk) - 1);
        for (unsigned i = 0; i < 6; i++) {
                feed(junk);
                ck_assert(pl_event_stream_dispatch(&stream, on_event, NULL));
                ck_assert_uint_le(stream.size, PL_DOCKER_RECORD_MAX);
        }
        ck_assert(stream.damaged);
        feed("x\n" EVENT(A, "die", 5));
        ck_assert(pl_event_stream_dispatch(&stream, on_event, NULL));
        ck_assert_str_eq(told, expect("a%@5", PL_EVENT_DIE));
}
END_TEST

START_TEST(too_much_unread) {
        static char much[MIB(1)];

        memset(much, 'x', sizeof(much));
        for (size_t n = 0; n < PL_EVENT_STREAM_MAX; n += sizeof(much))
                ck_assert_int_eq(pl_event_stream_feed(&stream, much, sizeof(much)), 0);
        ck_assert_int_eq(pl_event_stream_feed(&stream, much, 1), -ENOBUFS);
}
END_TEST

START_TEST(handler_stops) {
        go_on = false;
        feed(EVENT(A, "die", 5) EVENT(B, "die", 6));
        ck_assert(!pl_event_stream_dispatch(&stream, on_event, NULL));
        ck_assert_str_eq(told, expect("a%@5", PL_EVENT_DIE));
}
END_TEST

/* Of one container; what says who did something is told again where that is asked for. */
START_TEST(recalled) {
        static const char again[] = EVENT(A, "die", 5) EVENT(B, "die", 7) EVENT(A, "start", 6);
        char data[sizeof(again)];

        feed(EVENT(A, "die", 5) EVENT(A, "start", 6));
        ck_assert(pl_event_stream_dispatch(&stream, on_event, NULL));
        told[0] = '\0';
        memcpy(data, again, sizeof(again));
        pl_event_stream_recall(&stream, data, strlen(data), A, _i == 1, on_event, NULL);
        ck_assert_str_eq(told, _i == 1 ? expect("a%@5 late", PL_EVENT_DIE) : "");
        ck_assert_uint_eq(stream.last_nsec, 6);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("stream");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, in_pieces);
        tcase_add_test(t, told_once);
        tcase_add_loop_test(t, line, 0, PL_ARRAY_SIZE(lines));
        tcase_add_test(t, too_long);
        tcase_add_test(t, too_much_unread);
        tcase_add_test(t, handler_stops);
        tcase_add_loop_test(t, recalled, 0, 2);
        return run_case(t);
}
