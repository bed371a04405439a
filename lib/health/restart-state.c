/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Restart state: see the header.
 *
 * {"times": [USEC, …], "streak": N, "not_before": USEC, "gave_up": BOOL, "gave_up_at": USEC,
 *  "fired": BOOL,
 *  "course": {"stage": PlRestartStage, "sent": PlRestartVerb, "sent_at": USEC, "ran": USEC,
 * "since": USEC, "until": USEC, "booked": BOOL}, "end": {"by": PlEnder, "exit_code": N, "signal":
 * N, "at": USEC, "term": USEC, "kill": USEC, "own": USEC, "own_until": USEC}}, the oldest time
 * first; times are CLOCK_MONOTONIC, those of the end and "ran" the engine's CLOCK_REALTIME.
 * "course" is a restart under way; without it there is none.
 */

#include "lib/health/restart-state.h"

#include <errno.h>
#include <jansson.h>

static json_t *format_times(const PlRestart *r) {
        unsigned n = PL_MIN(r->n_times, (unsigned)PL_RESTART_TIMES_MAX);
        json_t *times = json_array();

        for (unsigned i = r->n_times - n; times && i < r->n_times; i++)
                if (json_array_append_new(
                                    times,
                                    json_integer((json_int_t)r->times_usec[i %
                                                                           PL_RESTART_TIMES_MAX])) <
                    0) {
                        json_decref(times);
                        return NULL;
                }
        return times;
}

static json_t *format_end(const PlEnding *e) {
        return json_pack("{s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I}", "by", (int)e->ender,
                         "exit_code", e->exit_code, "signal", e->signal, "at",
                         (json_int_t)e->end_usec, "term", (json_int_t)e->term_usec, "kill",
                         (json_int_t)e->kill_usec, "own", (json_int_t)e->own.usec, "own_until",
                         (json_int_t)e->own.until_usec);
}

static json_t *format_course(const PlRestart *r) {
        return json_pack("{s:i, s:i, s:I, s:I, s:I, s:I, s:b}", "stage", (int)r->stage, "sent",
                         (int)r->sent, "sent_at", (json_int_t)r->sent_usec, "ran",
                         (json_int_t)r->ran_usec, "since", (json_int_t)r->since_usec, "until",
                         (json_int_t)r->until_usec, "booked", (int)r->booked);
}

int pl_restart_state_format(const PlRestart *r, const PlEnding *e, char **ret) {
        /* NULL for any of the three makes none of it */
        json_t *o = json_pack("{s:o, s:i, s:I, s:b, s:I, s:b, s:o, s:o}", "times", format_times(r),
                              "streak", (int)r->streak, "not_before",
                              (json_int_t)r->not_before_usec, "gave_up", (int)r->gave_up,
                              "gave_up_at", (json_int_t)r->gave_up_usec, "fired", (int)r->fired,
                              "course", format_course(r), "end", format_end(e));
        char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

        json_decref(o);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

static bool take_times(const json_t *times, uint64_t now, PlRestart *r) {
        const json_t *v;
        size_t i;

        if (!json_is_array(times) || json_array_size(times) > PL_RESTART_TIMES_MAX)
                return false;
        json_array_foreach(times, i, v) {
                if (!json_is_integer(v) || json_integer_value(v) < 0)
                        return false;
                if ((uint64_t)json_integer_value(v) <= now)
                        r->times_usec[r->n_times++] = (uint64_t)json_integer_value(v);
        }
        return true;
}

static bool take_course(json_t *course, uint64_t now, PlRestart *r) {
        json_int_t sent_at = 0, ran, since, until;
        int stage, sent, booked;

        if (!course)
                return true;
        if (json_unpack(course, "{s:i, s:i, s?:I, s:I, s:I, s:I, s:b}", "stage", &stage, "sent",
                        &sent, "sent_at", &sent_at, "ran", &ran, "since", &since, "until", &until,
                        "booked", &booked) < 0 ||
            stage < 0 || stage >= _PL_RESTART_STAGE_N || sent < 0 || sent >= _PL_RESTART_VERB_N ||
            sent_at < 0 || ran < 0 || since < 0 || until < 0)
                return false;
        r->stage = (PlRestartStage)stage;
        r->sent = (PlRestartVerb)sent;
        r->ran_usec = (uint64_t)ran;
        /* later times are of another boot: what it stopped before is started all the same */
        r->sent_usec = PL_MIN((uint64_t)sent_at, now);
        r->since_usec = PL_MIN((uint64_t)since, now);
        r->until_usec = (uint64_t)since > now ? now : (uint64_t)until;
        r->booked = booked;
        return true;
}

static bool take_end(json_t *end, PlEnding *e) {
        json_int_t at, term, kill, own, own_until = 0;
        int by;

        if (json_unpack(end, "{s:i, s:i, s:i, s:I, s:I, s:I, s:I, s?:I}", "by", &by, "exit_code",
                        &e->exit_code, "signal", &e->signal, "at", &at, "term", &term, "kill",
                        &kill, "own", &own, "own_until", &own_until) < 0 ||
            by < PL_ENDER_NONE || by >= _PL_ENDER_N || at < 0 || term < 0 || kill < 0 || own < 0 ||
            own_until < 0)
                return false;
        e->ender = (PlEnder)by;
        e->end_usec = (uint64_t)at;
        e->term_usec = (uint64_t)term;
        e->kill_usec = (uint64_t)kill;
        e->own.usec = (uint64_t)own;
        e->own.until_usec = (uint64_t)own_until;
        return true;
}

int pl_restart_state_parse(const char *text, size_t size, uint64_t now_usec, PlRestart *ret_restart,
                           PlEnding *ret_ending) {
        json_t *o = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        json_int_t not_before = 0, gave_up_at = 0;
        int streak = 0, gave_up = 0, fired = 0;
        PlRestart r = { 0 };
        PlEnding e = { 0 };
        bool good;

        good = json_unpack(o, "{s:i, s:I, s:b, s?:I, s:b}", "streak", &streak, "not_before",
                           &not_before, "gave_up", &gave_up, "gave_up_at", &gave_up_at, "fired",
                           &fired) == 0 &&
               streak >= 0 && not_before >= 0 && gave_up_at >= 0 &&
               take_times(json_object_get(o, "times"), now_usec, &r) &&
               take_course(json_object_get(o, "course"), now_usec, &r) &&
               take_end(json_object_get(o, "end"), &e);
        json_decref(o);
        if (!good)
                return -EBADMSG;
        r.streak = (unsigned)streak;
        /* no backoff is longer, jitter included */
        if ((uint64_t)not_before <= now_usec + 2 * PL_RESTART_BACKOFF_MAX_USEC)
                r.not_before_usec = (uint64_t)not_before;
        r.gave_up = gave_up;
        r.gave_up_usec = PL_MIN((uint64_t)gave_up_at, now_usec);
        r.fired = fired;
        *ret_restart = r;
        *ret_ending = e;
        return 0;
}
