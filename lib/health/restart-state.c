/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Restart state: see the header.
 *
 * {"times": [USEC, …], "streak": N, "not_before": USEC, "gave_up": BOOL, "gave_up_at": USEC,
 *  "fired": BOOL,
 *  "course": {"stage": PlRestartStage, "sent": PlRestartVerb, "sent_at": USEC, "ran": USEC,
 * "since": USEC, "until": USEC, "booked": BOOL}, "end": {"by": PlEnder, "exit_code": N, "signal":
 * N, "at": USEC, "term": USEC, "kill": USEC, "paused": USEC, "own": USEC, "own_until": USEC,
 * "own_term": USEC, "own_stop": USEC, "stop_signal": N, "stop_timeout": USEC}, "proof": {"ran":
 * USEC, "asked": N, "up": BOOL, "passed": BOOL, "ever": BOOL}}, the oldest time first; times are
 * CLOCK_MONOTONIC, those of the end and "ran" the engine's CLOCK_REALTIME. "course" is a restart
 * under way; without it there is none, and nothing is proven without "proof". What a version before
 * this one does not know it ignores, and what it does not write may be missing.
 */

#include "lib/health/restart-state.h"

#include <errno.h>
#include <jansson.h>

/* Docker's own default, for what an older version has written. */
#define DOCKER_STOP_USEC ((json_int_t)(10 * PL_USEC_PER_SEC))

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
        return json_pack("{s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:I}", "by",
                         (int)e->ender, "exit_code", e->exit_code, "signal", e->signal, "at",
                         (json_int_t)e->end_usec, "term", (json_int_t)e->term_usec, "kill",
                         (json_int_t)e->kill_usec, "paused", (json_int_t)e->paused_usec, "own",
                         (json_int_t)e->own.usec, "own_until", (json_int_t)e->own.until_usec,
                         "own_term", (json_int_t)e->own.term_usec, "own_stop",
                         (json_int_t)e->own.stop_usec, "stop_signal", e->stop.signal,
                         "stop_timeout", (json_int_t)PL_MIN(e->stop.timeout_usec, PL_USEC_PER_DAY));
}

static json_t *format_course(const PlRestart *r) {
        return json_pack("{s:i, s:i, s:I, s:I, s:I, s:I, s:b}", "stage", (int)r->stage, "sent",
                         (int)r->sent, "sent_at", (json_int_t)r->sent_usec, "ran",
                         (json_int_t)r->ran_usec, "since", (json_int_t)r->since_usec, "until",
                         (json_int_t)r->until_usec, "booked", (int)r->booked);
}

static json_t *format_proof(const PlProof *p) {
        return json_pack("{s:I, s:I, s:b, s:b, s:b}", "ran", (json_int_t)p->ran_usec, "asked",
                         (json_int_t)p->asked, "up", (int)p->was_up, "passed", (int)p->passed,
                         "ever", (int)p->ever_up);
}

int pl_restart_state_format(const PlCourse *c, char **ret) {
        const PlRestart *r = &c->restart;
        /* NULL for any of the four makes none of it */
        json_t *o = json_pack("{s:o, s:i, s:I, s:b, s:I, s:b, s:o, s:o, s:o}", "times",
                              format_times(r), "streak", (int)r->streak, "not_before",
                              (json_int_t)r->not_before_usec, "gave_up", (int)r->gave_up,
                              "gave_up_at", (json_int_t)r->gave_up_usec, "fired", (int)r->fired,
                              "course", format_course(r), "end", format_end(&c->ending), "proof",
                              format_proof(&c->proof));
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
        json_int_t at, term, kill, paused = 0, own, own_until = 0, own_term = 0, own_stop = 0;
        json_int_t stop_timeout = DOCKER_STOP_USEC;
        int by;

        if (json_unpack(end,
                        "{s:i, s:i, s:i, s:I, s:I, s:I, s?:I, s:I, s?:I, s?:I, s?:I, s?:i, s?:I}",
                        "by", &by, "exit_code", &e->exit_code, "signal", &e->signal, "at", &at,
                        "term", &term, "kill", &kill, "paused", &paused, "own", &own, "own_until",
                        &own_until, "own_term", &own_term, "own_stop", &own_stop, "stop_signal",
                        &e->stop.signal, "stop_timeout", &stop_timeout) < 0 ||
            by < PL_ENDER_NONE || by >= _PL_ENDER_N || at < 0 || term < 0 || kill < 0 ||
            paused < 0 || own < 0 || own_until < 0 || own_term < 0 || own_stop < 0 ||
            stop_timeout < 0)
                return false;
        e->stop.timeout_usec = (uint64_t)stop_timeout;
        e->ender = (PlEnder)by;
        e->end_usec = (uint64_t)at;
        e->term_usec = (uint64_t)term;
        e->kill_usec = (uint64_t)kill;
        e->own.usec = (uint64_t)own;
        e->own.until_usec = (uint64_t)own_until;
        e->own.term_usec = (uint64_t)own_term;
        e->own.stop_usec = (uint64_t)own_stop;
        e->paused_usec = (uint64_t)paused;
        return true;
}

static bool take_proof(json_t *proof, PlProof *ret) {
        json_int_t ran, asked;
        int up, passed, ever;

        if (!proof)
                return true;
        if (json_unpack(proof, "{s:I, s:I, s:b, s:b, s:b}", "ran", &ran, "asked", &asked, "up", &up,
                        "passed", &passed, "ever", &ever) < 0 ||
            ran < 0 || asked < 0)
                return false;
        *ret = (PlProof){ (uint64_t)ran, (uint64_t)asked, up, passed, ever };
        return true;
}

int pl_restart_state_parse(const char *text, size_t size, uint64_t now_usec, PlCourse *ret) {
        json_t *o = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        json_int_t not_before = 0, gave_up_at = 0;
        int streak = 0, gave_up = 0, fired = 0;
        PlCourse c = { 0 };
        PlRestart *r = &c.restart;
        bool good;

        good = json_unpack(o, "{s:i, s:I, s:b, s?:I, s:b}", "streak", &streak, "not_before",
                           &not_before, "gave_up", &gave_up, "gave_up_at", &gave_up_at, "fired",
                           &fired) == 0 &&
               streak >= 0 && not_before >= 0 && gave_up_at >= 0 &&
               take_times(json_object_get(o, "times"), now_usec, r) &&
               take_course(json_object_get(o, "course"), now_usec, r) &&
               take_end(json_object_get(o, "end"), &c.ending) &&
               take_proof(json_object_get(o, "proof"), &c.proof);
        json_decref(o);
        if (!good)
                return -EBADMSG;
        if (now_usec > 0) {
                r->streak = (unsigned)streak;
                /* no backoff is longer, jitter included */
                if ((uint64_t)not_before <= now_usec + 2 * PL_RESTART_BACKOFF_MAX_USEC)
                        r->not_before_usec = (uint64_t)not_before;
                r->gave_up = gave_up;
                r->gave_up_usec = PL_MIN((uint64_t)gave_up_at, now_usec);
        }
        r->fired = fired;
        *ret = c;
        return 0;
}
