/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ending: see the header. Events are hints (facts come with inspect): one that is missing makes
 * the answer less precise, never wrong in the dangerous direction, which is to restart what a
 * person has stopped.
 */

#include "lib/health/ending.h"

#include <signal.h>

#include "lib/base/unit.h"

/* Older requests did not cause an end: stop timeouts are seconds, 10 by default, and a SIGTERM that
 * a program ignored means nothing an hour later. */
#define REQUEST_USEC (10 * PL_USEC_PER_MIN)
/* The engine waits for the stop timeout after it has told of the signal (tried: 20.10, 28.5), so
 * its SIGKILL is never earlier; this much is for a clock that is being set. */
#define TIMEOUT_SLACK_USEC (50 * PL_USEC_PER_MSEC)
/* From a request of ours to the engine's first signal; tried on a busy machine: 0.1 s. */
#define RECEIVE_USEC (3 * PL_USEC_PER_SEC)
/* The engine is asked for the events of so long ago, at most. */
#define LATE_USEC PL_USEC_PER_MIN
/* An engine that ends in good order stops what runs, and gives that 15 s, by default. */
#define SHUTDOWN_USEC (30 * PL_USEC_PER_SEC)
/* An end and its event are milliseconds apart. */
#define SAME_END_USEC (2 * PL_USEC_PER_SEC)
/* The kernel's kill of the first process and its end are milliseconds apart; the record of it may
 * come later. */
#define OOM_USEC (3 * PL_USEC_PER_SEC)
/* A first process that ends within this time after one of its children was killed most likely ends
 * for that. */
#define OOM_CHILD_USEC PL_USEC_PER_MIN

static bool within(uint64_t then, uint64_t now, uint64_t span) {
        return then > 0 && (now < then || now - then <= span);
}

static bool is_own(const PlEnding *e, uint64_t at) {
        return e->own.usec > 0 && at >= e->own.usec && at <= e->own.until_usec;
}

/* Nobody knows whether the engine ever got our stop, and nothing that it told since says so. */
static bool is_own_unlikely(const PlEnding *e, uint64_t at) {
        return e->own.unsure && e->own.term_usec == 0 && at > e->own.usec + RECEIVE_USEC;
}

static void add_end(PlEnding *e, uint64_t at) {
        e->ends[e->n_ends++ % PL_CRASHES_MAX] = at;
        if (e->n_ends == 2 * PL_CRASHES_MAX)
                e->n_ends = PL_CRASHES_MAX;
}

/* Signals whose purpose is an end; others (HUP, USR1, WINCH …) are messages. */
static bool ends_process(int signal) {
        return signal == SIGTERM || signal == SIGKILL || signal == SIGINT || signal == SIGQUIT ||
               signal == SIGABRT || signal == 37 /* SIGRTMIN+3, a container with systemd */;
}

static bool is_near(uint64_t a, uint64_t b, uint64_t span) {
        return a > 0 && (a > b ? a - b : b - a) <= span;
}

/* Was the first process the victim? A SIGKILL makes 137 of its exit code, and the times must agree.
 * The engine reports every OOM kill alike; only the kernel log says whose memory ran out. */
static PlEnder oom_ender(const PlEnding *e, uint64_t at) {
        if (e->exit_code != 128 + SIGKILL || e->victim == PL_OOM_VICTIM_CHILD)
                return PL_ENDER_NONE;
        if (is_near(e->host_oom_usec, at, OOM_USEC))
                return PL_ENDER_HOST_OOM;
        return is_near(e->oom_usec, at, OOM_USEC) ? PL_ENDER_OOM : PL_ENDER_NONE;
}

/* Nobody asked for it. */
static PlEnder own_accord(const PlEnding *e, uint64_t at) {
        PlEnder oom = oom_ender(e, at);

        if (oom != PL_ENDER_NONE)
                return oom;
        return e->exit_code == 128 + SIGKILL ? PL_ENDER_SIGKILL : PL_ENDER_ITSELF;
}

static bool was_engine_gone(const PlEnding *e, uint64_t at) {
        return e->engine_back_usec > 0 && at >= e->engine_lost_usec && at <= e->engine_back_usec;
}

static bool is_asked_for(const PlEnding *e, uint64_t at) {
        return within(e->kill_usec, at, REQUEST_USEC) || within(e->term_usec, at, REQUEST_USEC);
}

static PlEnder own_ender(const PlEnding *e, uint64_t at) {
        return is_asked_for(e, at) ? PL_ENDER_REQUEST : PL_ENDER_PLIMSOLL;
}

static PlEnder ender_of(const PlEnding *e, uint64_t at) {
        if (is_own(e, at) && !is_own_unlikely(e, at))
                return own_ender(e, at);
        if (e->kill_usec == 0 && oom_ender(e, at) != PL_ENDER_NONE)
                return oom_ender(e, at);
        if (within(e->kill_usec, at, REQUEST_USEC) && within(e->term_usec, at, REQUEST_USEC) &&
            e->exit_code == 128 + SIGKILL)
                return PL_ENDER_TIMEOUT;
        if (is_asked_for(e, at))
                return PL_ENDER_REQUEST;
        return was_engine_gone(e, at) ? PL_ENDER_ENGINE : own_accord(e, at);
}

static bool is_by_itself(PlEnder ender) {
        return ender == PL_ENDER_ITSELF || ender == PL_ENDER_OOM || ender == PL_ENDER_SIGKILL ||
               ender == PL_ENDER_HOST_OOM;
}

static int stop_signal(const PlEnding *e) {
        return e->stop.signal > 0 ? e->stop.signal : SIGTERM;
}

/* The engine's kill at the end of our own stop's timeout was heard before that stop's first signal,
 * and taken for another one's. */
static void claim_kill(PlEnding *e, uint64_t patience) {
        PlOwnStop *own = &e->own;

        if (own->kill_usec > 0 || e->kill_usec + TIMEOUT_SLACK_USEC < own->term_usec + patience ||
            !is_own(e, e->kill_usec))
                return;
        own->kill_usec = e->kill_usec;
        e->kill_usec = 0;
        if (e->ender == PL_ENDER_REQUEST)
                e->ender = ender_of(e, e->end_usec);
}

/* Does our own stop account for this signal? Then it is noted. */
static bool take_own_signal(PlEnding *e, int signal, uint64_t at) {
        PlOwnStop *own = &e->own;
        uint64_t patience = PL_MIN(e->stop.timeout_usec, PL_USEC_PER_DAY);

        if (!is_own(e, at))
                return false;
        if (own->term_usec == at || own->kill_usec == at)
                return true; /* the same event again */
        if (is_own_unlikely(e, at))
                return false;
        if (own->term_usec == 0 && (signal == stop_signal(e) || signal == 0)) {
                own->term_usec = at;
                claim_kill(e, patience);
                return true;
        }
        if (own->kill_usec == 0 && signal == SIGKILL && own->term_usec > 0 &&
            at + TIMEOUT_SLACK_USEC >= own->term_usec + patience) {
                own->kill_usec = at;
                return true;
        }
        return false;
}

/* It was no end by itself. */
static void take_back_end(PlEnding *e) {
        e->ender = PL_ENDER_REQUEST;
        if (e->n_ends > 0 && e->ends[(e->n_ends - 1) % PL_CRASHES_MAX] == e->end_usec)
                e->ends[--e->n_ends % PL_CRASHES_MAX] = 0;
}

/* A person's act that came before the end, and is known only now. */
static void told_late(PlEnding *e, uint64_t at) {
        if (at > e->end_usec)
                return;
        if (e->ender == PL_ENDER_PLIMSOLL)
                e->ender = PL_ENDER_REQUEST;
        else if (is_by_itself(e->ender) && is_asked_for(e, e->end_usec))
                take_back_end(e);
}

static void take_kill(PlEnding *e, int signal, uint64_t at) {
        if (was_engine_gone(e, at) || take_own_signal(e, signal, at))
                return;
        /* Podman does not say which */
        if (signal != 0 && !ends_process(signal) && signal != stop_signal(e)) {
                e->asides.signal = signal;
                e->asides.signal_usec = at;
                return;
        }
        e->signal = signal;
        if (signal == SIGKILL)
                e->kill_usec = at;
        else
                e->term_usec = at;
        told_late(e, at);
}

/* It comes after die (Podman: before it), and only from a request; STOPSIGNAL may be any signal. */
static void take_stop(PlEnding *e, uint64_t at) {
        /* the signal comes first, and then the end; Podman tells of no signal, and of the end last
         */
        bool unheard = e->own.unsure && e->own.term_usec == 0 && e->told;
        bool own = is_own(e, at) && !is_own_unlikely(e, at) &&
                   (e->own.stop_usec == at || (e->own.stop_usec == 0 && !unheard));

        if (was_engine_gone(e, at))
                return;
        if (own)
                e->own.stop_usec = at;
        else
                e->asides.stop_usec = at;
        switch (e->ender) {
        case PL_ENDER_ITSELF:
        case PL_ENDER_SIGKILL:
                take_back_end(e);
                break;
        case PL_ENDER_UNSEEN:
                e->ender = PL_ENDER_REQUEST;
                break;
        case PL_ENDER_PLIMSOLL:
                if (!own) /* a person stopped it as well, and that is final */
                        e->ender = PL_ENDER_REQUEST;
                break;
        case PL_ENDER_NONE:
                if (!own)
                        e->term_usec = at;
                break;
        default:
                break;
        }
}

bool pl_ending_is_late(const PlEnding *e, const PlEvent *event) {
        uint64_t at = event->time_nsec / 1000, known = e->start_usec;

        /* a process can be killed before the engine has told of the start */
        if (event->action == PL_EVENT_OOM)
                return false;
        if (event->action == PL_EVENT_START && e->ender != PL_ENDER_NONE)
                known = PL_MAX(known, e->end_usec);
        /* further back it is the clock that was set */
        return at < known && known - at <= LATE_USEC;
}

/* Did it come before this, as far as that can be told? Further ahead it is the clock that was set.
 */
static bool is_before(uint64_t then, uint64_t at) {
        return then <= at || then - at > LATE_USEC;
}

/* What came after a start, and was heard of before it, holds: it may be told late, or twice. */
static void take_start(PlEnding *e, uint64_t at) {
        /* our own restart is over when its start has come */
        if (is_before(e->own.usec, at))
                e->own = (PlOwnStop){ 0 };
        if (is_before(e->term_usec, at))
                e->term_usec = 0;
        if (is_before(e->kill_usec, at))
                e->kill_usec = 0;
        if (is_before(e->paused_usec, at))
                e->paused_usec = 0;
        e->ender = PL_ENDER_NONE;
        e->told = false;
        e->start_usec = at;
        e->main_pid = 0;
        e->asides = (PlAsides){ 0 };
}

static void take_pause(PlEnding *e, uint64_t at) {
        if (!is_before(e->unpaused_usec, at))
                return;
        e->paused_usec = at;
}

static void take_unpause(PlEnding *e, uint64_t at) {
        e->unpaused_usec = at;
        if (is_before(e->paused_usec, at))
                e->paused_usec = 0;
}

void pl_ending_event(PlEnding *e, const PlEvent *event) {
        uint64_t at = event->time_nsec / 1000;
        bool known;

        if (pl_ending_is_late(e, event))
                return;
        switch (event->action) {
        case PL_EVENT_START:
                take_start(e, at);
                break;
        case PL_EVENT_KILL:
                take_kill(e, event->signal, at);
                break;
        case PL_EVENT_OOM:
                e->oom_usec = PL_MAX(e->oom_usec, at);
                /* it may be told after the end that it was */
                if (is_by_itself(e->ender))
                        e->ender = own_accord(e, e->end_usec);
                break;
        case PL_EVENT_DIE:
                /* the same end again: events can come twice, and after an inspection, which may
                 * have taken it for our own */
                known = e->ender != PL_ENDER_NONE && e->ender != PL_ENDER_UNSEEN &&
                        (e->ender != PL_ENDER_PLIMSOLL || e->told);
                e->told = true;
                if (known)
                        break;
                e->exit_code = event->exit_code;
                e->end_usec = at;
                e->ender = ender_of(e, at);
                if (is_by_itself(e->ender) && (e->exit_code != 0 || !e->may_finish))
                        add_end(e, at);
                break;
        case PL_EVENT_STOP:
                take_stop(e, at);
                break;
        case PL_EVENT_PAUSE:
                take_pause(e, at);
                break;
        case PL_EVENT_UNPAUSE:
                take_unpause(e, at);
                break;
        default:
                break;
        }
}

void pl_ending_own(PlEnding *e, uint64_t realtime_usec, uint64_t until_usec) {
        e->own = (PlOwnStop){ .usec = realtime_usec, .until_usec = until_usec };
}

void pl_ending_own_until(PlEnding *e, uint64_t until_usec) {
        e->own.until_usec = PL_MIN(e->own.until_usec, until_usec);
}

void pl_ending_own_unsure(PlEnding *e) {
        if (e->own.term_usec > e->own.usec + RECEIVE_USEC)
                pl_ending_not_own(e);
        else
                e->own.unsure = true;
}

void pl_ending_own_over(PlEnding *e, uint64_t realtime_usec) {
        if (e->ender == PL_ENDER_PLIMSOLL && !pl_ending_is_own(e))
                e->ender = PL_ENDER_UNSEEN;
        pl_ending_own_until(e, realtime_usec);
}

void pl_ending_not_own(PlEnding *e) {
        if (e->own.term_usec > 0)
                e->term_usec = e->own.term_usec;
        if (e->own.kill_usec > 0)
                e->kill_usec = e->own.kill_usec;
        e->own = (PlOwnStop){ 0 };
        /* without the event of its end, that is still to be told */
        if (e->ender == PL_ENDER_PLIMSOLL)
                e->ender = e->told ? ender_of(e, e->end_usec) : PL_ENDER_UNSEEN;
}

void pl_ending_oom(PlEnding *e, PlOomVictim victim, bool host, uint64_t realtime_usec) {
        if (host)
                e->host_oom_usec = realtime_usec;
        else
                e->oom_usec = realtime_usec;
        e->victim = victim;
        /* the kernel's word may arrive after the engine's */
        if (is_by_itself(e->ender))
                e->ender = own_accord(e, e->end_usec);
}

void pl_ending_engine(PlEnding *e, uint64_t lost_usec, uint64_t back_usec) {
        e->engine_lost_usec = lost_usec;
        e->engine_back_usec = back_usec;
}

static bool has_policy(const PlContainer *c, const char *policy) {
        return c->host.restart_policy && pl_startswith(c->host.restart_policy, policy);
}

/* An end whose event is lost, or still to come, and with it the reason; it ran when last seen. */
static PlEnder unseen_ender(const PlEnding *e, uint64_t at) {
        if (is_own(e, at))
                return own_ender(e, at);
        if (is_asked_for(e, at))
                return PL_ENDER_UNSEEN;
        return was_engine_gone(e, at) ? PL_ENDER_ENGINE : PL_ENDER_UNSEEN;
}

/*
 * Was it stopped by its engine, and not by a person?
 *
 * dockerd tells of its own stops, when it ends in good order, as of anybody's (20.10), or has gone
 * before they are heard (28.5). The next one starts again what it stopped (always, unless-stopped),
 * and what a person has stopped only under always. So whatever it tried to start, and could not,
 * was not to stay down (tried: 20.10, 28.5).
 */
static bool was_shut_down(const PlEnding *e, const PlContainer *c) {
        return c->start_failed && !e->may_finish && e->engine_back_usec > 0 &&
               (e->ender == PL_ENDER_REQUEST || e->ender == PL_ENDER_TIMEOUT ||
                e->ender == PL_ENDER_UNSEEN) &&
               e->end_usec <= e->engine_back_usec &&
               e->end_usec + SHUTDOWN_USEC >= e->engine_lost_usec;
}

/* Nothing from before its start has ended this run, nor does it hold it. */
static void forget_before(PlEnding *e, uint64_t start_usec) {
        if (e->own.usec < start_usec)
                e->own = (PlOwnStop){ 0 };
        if (e->term_usec < start_usec)
                e->term_usec = 0;
        if (e->kill_usec < start_usec)
                e->kill_usec = 0;
        if (e->paused_usec < start_usec)
                e->paused_usec = 0;
        e->start_usec = start_usec;
        e->main_pid = 0;
        e->asides = (PlAsides){ 0 };
}

void pl_ending_inspect(PlEnding *e, const PlContainer *c, uint64_t realtime_usec) {
        bool ended = c->phase == PL_PHASE_EXITED || c->phase == PL_PHASE_DEAD;

        e->stop = c->stop;
        e->once = !has_policy(c, "always") && !has_policy(c, "unless-stopped") &&
                  !has_policy(c, "on-failure");
        e->may_finish = e->once || has_policy(c, "on-failure");
        if (e->counted && c->restart_count > e->restart_count) {
                /* ends that events reported are in the ring already */
                unsigned missed = c->restart_count - e->restart_count;
                unsigned seen = 0;

                for (unsigned i = 0; i < PL_MIN(e->n_ends, (unsigned)PL_CRASHES_MAX); i++)
                        seen += within(e->ends[i], realtime_usec, PL_CRASH_WINDOW_USEC);
                for (; missed > seen && missed <= PL_CRASHES_MAX; missed--)
                        add_end(e, realtime_usec);
        }
        e->restart_count = c->restart_count;
        e->counted = true;
        if (c->started_usec > e->start_usec)
                forget_before(e, c->started_usec);
        /* one that was known before this run began is another one's */
        if (ended && (e->ender == PL_ENDER_NONE ||
                      (c->started_usec > e->end_usec && c->finished_usec > e->end_usec) ||
                      c->finished_usec > e->end_usec + SAME_END_USEC)) {
                e->told = false;
                e->exit_code = c->exit_code;
                e->end_usec = c->finished_usec;
                e->ender = unseen_ender(e, c->finished_usec);
        }
        if (ended && was_shut_down(e, c))
                e->ender = PL_ENDER_ENGINE;
        /* the engine's mark bears no time, and no victim */
        if (ended && c->oom_killed && c->exit_code == 128 + SIGKILL && e->oom_usec == 0 &&
            e->host_oom_usec == 0 && (e->ender == PL_ENDER_SIGKILL || e->ender == PL_ENDER_UNSEEN))
                e->ender = PL_ENDER_OOM;
        if (c->phase == PL_PHASE_PAUSED && e->paused_usec == 0)
                e->paused_usec = realtime_usec;
        if (c->phase == PL_PHASE_RUNNING && e->paused_usec > 0)
                take_unpause(e, realtime_usec);
        if (pl_container_is_live(c)) {
                e->ender = PL_ENDER_NONE;
                e->told = false;
                e->main_pid = c->pid;
        }
}

unsigned pl_ending_crashes(const PlEnding *e, bool running, uint64_t realtime_usec) {
        unsigned n = 0;

        if (running && !within(e->start_usec, realtime_usec, PL_CRASH_CALM_USEC))
                return 0;
        for (unsigned i = 0; i < PL_MIN(e->n_ends, (unsigned)PL_CRASHES_MAX); i++)
                n += within(e->ends[i], realtime_usec, PL_CRASH_WINDOW_USEC);
        return n >= PL_CRASH_MIN ? n : 0;
}

const char *pl_ending_act(const PlEnding *e) {
        if (e->paused_usec > 0 && e->term_usec == 0 && e->kill_usec == 0)
                return "paused";
        return e->kill_usec > 0 && e->term_usec == 0 ? "killed" : "stopped";
}

bool pl_ending_was_requested(const PlEnding *e) {
        return e->ender == PL_ENDER_REQUEST || e->ender == PL_ENDER_TIMEOUT ||
               e->ender == PL_ENDER_UNSEEN ||
               /* what a person has paused is not for us to start, whoever ended it */
               (e->ender != PL_ENDER_NONE && e->paused_usec > 0);
}

bool pl_ending_is_own(const PlEnding *e) {
        return e->ender == PL_ENDER_PLIMSOLL && !is_own_unlikely(e, e->end_usec);
}

bool pl_ending_is_requested(const PlEnding *e, uint64_t realtime_usec) {
        if (e->ender != PL_ENDER_NONE)
                return pl_ending_was_requested(e);
        return within(e->term_usec, realtime_usec, REQUEST_USEC) ||
               within(e->kill_usec, realtime_usec, REQUEST_USEC);
}

static const char *code_meaning(int code) {
        switch (code) {
        case 125:
                return " (the engine could not start it)";
        case 126:
                return " (its command cannot be executed)";
        case 127:
                return " (its command was not found)";
        case 128 + SIGABRT:
                return " (SIGABRT: it gave up by itself)";
        case 128 + SIGSEGV:
                return " (SIGSEGV: an invalid memory access)";
        case 128 + SIGBUS:
                return " (SIGBUS: a mapped file shrank, or /dev/shm is full)";
        case 128 + SIGILL:
                return " (SIGILL: an instruction that this CPU does not have)";
        case 128 + SIGTERM:
                return " (SIGTERM)";
        case 128 + SIGINT:
                return " (SIGINT)";
        default:
                return "";
        }
}

/* ", 4 s after the kernel killed a process of it …": a child was the victim. Return: buf. */
static const char *after_kill(const PlEnding *e, char *buf, size_t size) {
        uint64_t oom = PL_MAX(e->oom_usec, e->host_oom_usec), ago;
        char text[PL_FORMAT_MAX];

        buf[0] = '\0';
        if (e->exit_code == 0 || oom == 0 || e->end_usec + OOM_USEC < oom ||
            (e->end_usec > oom && e->end_usec - oom > OOM_CHILD_USEC))
                return buf;
        ago = e->end_usec > oom ? (e->end_usec - oom) / PL_USEC_PER_SEC * PL_USEC_PER_SEC : 0;
        (void)snprintf(buf, size, ", %s%s the kernel killed a process of it for lack of memory%s",
                       ago > 0 ? pl_format_sec(ago, text) : "right", " after",
                       e->host_oom_usec > e->oom_usec ? " on the host" : "");
        return buf;
}

static void describe_request(const PlEnding *e, char *buf, size_t size) {
        uint64_t took = e->kill_usec > e->term_usec ? e->kill_usec - e->term_usec : 0;
        char text[PL_FORMAT_MAX];

        took = (took + PL_USEC_PER_SEC / 2) / PL_USEC_PER_SEC * PL_USEC_PER_SEC;
        if (e->ender == PL_ENDER_TIMEOUT)
                (void)snprintf(buf, size,
                               "stopped on request, exit code 137: it did not end within the stop "
                               "timeout (%s), so the engine killed it",
                               pl_format_sec(took, text));
        else
                (void)snprintf(buf, size, "%s, exit code %d",
                               e->signal == SIGKILL && e->term_usec == 0
                                               ? "killed on request (docker kill)"
                                               : "stopped on request",
                               e->exit_code);
}

const char *pl_ending_describe(const PlEnding *e, char *buf, size_t size) {
        static const char *const words[_PL_ENDER_N] = {
                [PL_ENDER_PLIMSOLL] = "stopped by plimsolld to restart it, exit code ",
                [PL_ENDER_UNSEEN] = "ended while nobody was watching, exit code ",
                [PL_ENDER_ENGINE] = "ended with the engine, which was gone, exit code ",
        };
        char after[96];
        int code = e->exit_code;

        switch (e->ender) {
        case PL_ENDER_REQUEST:
        case PL_ENDER_TIMEOUT:
                describe_request(e, buf, size);
                break;
        case PL_ENDER_ITSELF:
                if (code == 0)
                        (void)snprintf(buf, size, "finished with exit code 0");
                else
                        (void)snprintf(buf, size, "ended by itself with exit code %d%s%s", code,
                                       code_meaning(code), after_kill(e, after, sizeof(after)));
                break;
        case PL_ENDER_OOM:
                (void)snprintf(buf, size,
                               "exit code %d: it reached its memory limit and the kernel killed it",
                               code);
                break;
        case PL_ENDER_HOST_OOM:
                (void)snprintf(buf, size,
                               "exit code %d: the host itself ran out of memory and the kernel "
                               "killed it",
                               code);
                break;
        case PL_ENDER_SIGKILL:
                if (*after_kill(e, after, sizeof(after)))
                        (void)snprintf(buf, size, "ended with exit code 137%s", after);
                else
                        (void)snprintf(buf, size,
                                       "exit code 137, not through the engine, and no lack of "
                                       "memory was seen: a SIGKILL from outside (kill -9 on the "
                                       "host) or the program's own code, which look the same");
                break;
        case PL_ENDER_PLIMSOLL:
        case PL_ENDER_UNSEEN:
        case PL_ENDER_ENGINE:
                (void)snprintf(buf, size, "%s%d%s", words[e->ender], code, code_meaning(code));
                break;
        default:
                (void)snprintf(buf, size, "%s", "");
        }
        return buf;
}
