/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Restart state: see the header.
 *
 * {"times": [USEC, …], "streak": N, "not_before": USEC, "gave_up": BOOL, "fired": BOOL,
 *  "end": {"by": PlEnder, "exit_code": N, "signal": N, "at": USEC, "term": USEC, "kill": USEC,
 *          "own": USEC}},
 * the oldest time first; times are CLOCK_MONOTONIC, those of the end the engine's CLOCK_REALTIME.
 */

#include "lib/health/restart-state.h"

#include <errno.h>
#include <jansson.h>

int pl_restart_state_format(const PlRestart *r, const PlEnding *e, char **ret) {
        unsigned n = PL_MIN(r->n_times, (unsigned)PL_RESTART_TIMES_MAX);
        json_t *times = json_array(), *o;
        bool good = times != NULL;
        char *text = NULL;

        for (unsigned i = r->n_times - n; good && i < r->n_times; i++)
                good = json_array_append_new(
                                       times,
                                       json_integer((json_int_t)r->times_usec
                                                                    [i % PL_RESTART_TIMES_MAX])) ==
                       0;
        o = json_pack("{s:o, s:i, s:I, s:b, s:b, s:{s:i, s:i, s:i, s:I, s:I, s:I, s:I}}", "times",
                      times, "streak", (int)r->streak, "not_before", (json_int_t)r->not_before_usec,
                      "gave_up", (int)r->gave_up, "fired", (int)r->fired, "end", "by",
                      (int)e->ender, "exit_code", e->exit_code, "signal", e->signal, "at",
                      (json_int_t)e->end_usec, "term", (json_int_t)e->term_usec, "kill",
                      (json_int_t)e->kill_usec, "own", (json_int_t)e->own_usec);
        if (good && o)
                text = json_dumps(o, JSON_COMPACT);
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

int pl_restart_state_parse(const char *text, size_t size, uint64_t now_usec, PlRestart *ret_restart,
                           PlEnding *ret_ending) {
        json_t *o = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        json_int_t not_before = 0, at = 0, term = 0, kill = 0, own = 0;
        int streak = 0, gave_up = 0, fired = 0, by = 0;
        PlRestart r = { 0 };
        PlEnding e = { 0 };
        bool good;

        good = json_unpack(o, "{s:i, s:I, s:b, s:b, s:{s:i, s:i, s:i, s:I, s:I, s:I, s:I}}",
                           "streak", &streak, "not_before", &not_before, "gave_up", &gave_up,
                           "fired", &fired, "end", "by", &by, "exit_code", &e.exit_code, "signal",
                           &e.signal, "at", &at, "term", &term, "kill", &kill, "own", &own) == 0 &&
               streak >= 0 && not_before >= 0 && by >= PL_ENDER_NONE && by <= PL_ENDER_UNSEEN &&
               at >= 0 && term >= 0 && kill >= 0 && own >= 0 &&
               take_times(json_object_get(o, "times"), now_usec, &r);
        json_decref(o);
        if (!good)
                return -EBADMSG;
        r.streak = (unsigned)streak;
        /* no backoff is longer, jitter included */
        if ((uint64_t)not_before <= now_usec + 2 * PL_RESTART_BACKOFF_MAX_USEC)
                r.not_before_usec = (uint64_t)not_before;
        r.gave_up = gave_up;
        r.fired = fired;
        e.ender = (PlEnder)by;
        e.end_usec = (uint64_t)at;
        e.term_usec = (uint64_t)term;
        e.kill_usec = (uint64_t)kill;
        if (own > 0) { /* the engine went on with it, or not */
                pl_ending_own(&e, (uint64_t)own);
                pl_ending_own_failed(&e, true, (uint64_t)own);
        }
        *ret_restart = r;
        *ret_ending = e;
        return 0;
}
