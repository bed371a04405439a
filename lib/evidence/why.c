/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Why: see the header. lib/health/ending says who has ended it, for the decision whether to start
 * it again, where the safe side is "a person has". Here it is said to a person, so what other
 * stories fit as well is weighed once more.
 */

#include "lib/evidence/why.h"

#include <signal.h>
#include <stdarg.h>

#include "lib/base/unit.h"

/* The engine's signal and the end that it leads to are milliseconds apart; this much is for a busy
 * machine. */
#define NEAR_USEC (3 * PL_USEC_PER_SEC)
/* A dockerd that ends in good order stops what runs first, and gives that 15 s, by default. */
#define SHUTDOWN_USEC (30 * PL_USEC_PER_SEC)
/* As lib/health/ending has it: a first process ends for a child that the kernel has killed. */
#define CHILD_USEC   PL_USEC_PER_MIN
#define SIGNAL_BASE  128
#define EXIT_SIGKILL (SIGNAL_BASE + SIGKILL)

static const struct {
        const char *word, *would, *advice;
} kinds[_PL_WHY_N] = {
        [PL_WHY_UNKNOWN] = { "unknown", "plimsolld running when it ends", "" },
        [PL_WHY_FINISHED] = { "finished",
                              "its own log: a signal from outside the engine that it handles looks "
                              "the same",
                              "" },
        [PL_WHY_EXIT] = { "exit",
                          "its own log: a signal from outside the engine that it handles looks the "
                          "same",
                          "read the end of its log: plimsollctl logs NAME --tail 50" },
        [PL_WHY_NOT_FOUND] = { "not-found", "the name of the command in the last line of its log",
                               "check command and entrypoint: the program must be in the image, "
                               "and in its PATH" },
        [PL_WHY_NOT_EXECUTABLE] = { "not-executable",
                                    "the name of the command in the last line of its log",
                                    "give the file the x bit and a valid first line (#!), or run "
                                    "it by its interpreter" },
        [PL_WHY_NO_SPACE] = { "no-space", "the file system that was full, at that time",
                              "make room, or give the volume more: docker system df, df -h, df "
                              "-i" },
        [PL_WHY_CRASHED] = { "crashed",
                             "the kernel's line about it (segfault at …) or a core dump: a signal "
                             "sent by hand looks the same",
                             "report it to those who make the program, with a core dump "
                             "(coredumpctl)" },
        [PL_WHY_SIGNAL] = { "signal",
                            "an audit rule for kill(2) on the host: neither kernel nor engine "
                            "tells who sent it",
                            "look for what sends signals on the host, or inside the container" },
        [PL_WHY_SIGKILL] = { "sigkill",
                             "an audit rule for kill(2) on the host: neither kernel nor engine "
                             "tells who sent it, and a program may exit with 137 by itself",
                             "look for a kill -9 on the host, or inside the container" },
        [PL_WHY_MEMORY_LIMIT] = { "memory-limit",
                                  "a kernel log that plimsolld can read (/dev/kmsg), which names "
                                  "the victim",
                                  "" },
        [PL_WHY_MEMORY_CHILD] = { "memory-limit-child",
                                  "its own log, if it tells of the child that was killed", "" },
        [PL_WHY_PARENT_LIMIT] = { "parent-limit",
                                  "a kernel log that names its first process as the victim",
                                  "raise the limit of the group above, or lower what its members "
                                  "may use" },
        [PL_WHY_HOST_MEMORY] = { "host-memory",
                                 "a kernel log that names its first process as the victim",
                                 "give the containers of this host limits whose sum it has "
                                 "(MemoryMax=)" },
        [PL_WHY_OOMD] = { "systemd-oomd",
                          "its own entry in the journal, where plimsolld can read it: journalctl "
                          "-u "
                          "systemd-oomd",
                          "see oomctl; ManagedOOMMemoryPressure= of the slice above decides" },
        [PL_WHY_STOPPED] = { "stopped", "an exit code that is the signal's, or 0 at a docker stop",
                             "" },
        [PL_WHY_STOP_TIMEOUT] = { "stop-timeout",
                                  "the time given to docker stop: a docker kill after as long "
                                  "looks the same",
                                  "let it end on its stop signal, or give it longer "
                                  "(stop_grace_period, --stop-timeout)" },
        [PL_WHY_KILLED] = { "killed", "an end right after the signal, and no other cause near",
                            "" },
        [PL_WHY_PLIMSOLLD] = { "plimsolld", "the engine's word that it got our stop", "" },
        [PL_WHY_ENGINE] = { "engine", "the engine's own log: journalctl -u docker",
                            "set \"live-restore\": true in daemon.json, so that containers "
                            "outlive the engine" },
};

const char *pl_why_to_string(PlWhyKind k) {
        return kinds[(unsigned)k < _PL_WHY_N ? k : PL_WHY_UNKNOWN].word;
}

PlWhyKind pl_why_from_string(const char *s) {
        for (PlWhyKind k = 0; s && k < _PL_WHY_N; k++)
                if (pl_streq(kinds[k].word, s))
                        return k;
        return PL_WHY_UNKNOWN;
}

typedef struct Decision {
        PlWhyKind kind;
        bool certain;
} Decision;

static bool is_near(uint64_t then, uint64_t end, uint64_t span) {
        return then > 0 && then <= end + NEAR_USEC && (then >= end || end - then <= span);
}

static bool says(const PlWhyFacts *f, const char *text) {
        return f->words && strstr(f->words, text);
}

/* The kill that the report is about is this end's. */
static bool is_killed_at_end(const PlWhyFacts *f) {
        return f->oom && is_near(f->oom->time_usec, f->ending->end_usec, NEAR_USEC);
}

static Decision by_memory(const PlWhyFacts *f, bool host) {
        bool named = f->ending->victim == PL_OOM_VICTIM_MAIN && is_killed_at_end(f);

        if (is_killed_at_end(f) && f->oom->cause == PL_OOM_CAUSE_PARENT)
                return (Decision){ PL_WHY_PARENT_LIMIT, named };
        if (host || (is_killed_at_end(f) && f->oom->cause == PL_OOM_CAUSE_HOST))
                return (Decision){ PL_WHY_HOST_MEMORY, named };
        return (Decision){ PL_WHY_MEMORY_LIMIT, named && f->oom->cause == PL_OOM_CAUSE_LIMIT };
}

/* A child was killed, and the first process ends badly within the minute. */
static bool is_bereft(const PlWhyFacts *f) {
        const PlEnding *e = f->ending;

        return e->exit_code != 0 && e->victim != PL_OOM_VICTIM_MAIN &&
               is_near(PL_MAX(e->oom_usec, e->host_oom_usec), e->end_usec, CHILD_USEC);
}

static bool is_crash(int signal) {
        return signal == SIGSEGV || signal == SIGABRT || signal == SIGBUS || signal == SIGILL ||
               signal == SIGFPE || signal == SIGTRAP || signal == SIGSYS;
}

/* Nobody asked the engine for it. */
static Decision by_code(const PlWhyFacts *f) {
        int code = f->ending->exit_code, signal = code - SIGNAL_BASE;

        if (code == 0)
                return (Decision){ PL_WHY_FINISHED, false };
        if (f->traces && *f->traces->oomd && code == EXIT_SIGKILL)
                return (Decision){ PL_WHY_OOMD, f->traces->killed };
        if (is_bereft(f))
                return (Decision){ PL_WHY_MEMORY_CHILD, false };
        if (code == 127)
                return (Decision){ PL_WHY_NOT_FOUND, f->start_failed || says(f, "not found") ||
                                                                     says(f, "No such file") };
        if (code == 126)
                return (Decision){ PL_WHY_NOT_EXECUTABLE,
                                   f->start_failed || says(f, "ermission denied") ||
                                                   says(f, "xec format error") };
        if (code == EXIT_SIGKILL)
                return (Decision){ PL_WHY_SIGKILL, false };
        if (is_crash(signal))
                return (Decision){ PL_WHY_CRASHED, f->traces && *f->traces->fault };
        if (says(f, "No space left on device") || says(f, "ENOSPC"))
                return (Decision){ PL_WHY_NO_SPACE, false };
        if (signal > 0 && signal < 65)
                return (Decision){ PL_WHY_SIGNAL, false };
        return (Decision){ PL_WHY_EXIT, false };
}

/* What is likeliest of an end that nobody saw: a stop leaves the code of its signal. */
static Decision unseen(const PlWhyFacts *f) {
        const PlEnding *e = f->ending;
        int stop = e->stop.signal > 0 ? e->stop.signal : SIGTERM;

        if (e->exit_code == SIGNAL_BASE + stop && !is_crash(stop) && stop != SIGKILL)
                return (Decision){ PL_WHY_STOPPED, false };
        return by_code(f);
}

/* The engine tells of its own stops, when it goes down, as of anybody's. */
static bool may_be_shutdown(const PlWhyFacts *f) {
        return f->engine_usec > 0 && f->engine_usec + NEAR_USEC >= f->ending->end_usec &&
               f->engine_usec <= f->ending->end_usec + SHUTDOWN_USEC;
}

static uint64_t patience(const PlEnding *e) {
        return PL_MIN(e->stop.timeout_usec, PL_USEC_PER_DAY);
}

static Decision by_request(const PlWhyFacts *f) {
        const PlEnding *e = f->ending;
        int code = e->exit_code, stop = e->stop.signal > 0 ? e->stop.signal : SIGTERM;
        bool memory = is_killed_at_end(f) || (f->traces && *f->traces->oomd);

        if (may_be_shutdown(f))
                return (Decision){ PL_WHY_ENGINE, false };
        if (e->ender == PL_ENDER_TIMEOUT) {
                uint64_t took = e->kill_usec > e->term_usec ? e->kill_usec - e->term_usec : 0;
                bool as_set = took + PL_USEC_PER_SEC / 2 >= patience(e) &&
                              took <= patience(e) + 2 * PL_USEC_PER_SEC;

                return (Decision){ PL_WHY_STOP_TIMEOUT,
                                   as_set && !memory &&
                                                   is_near(e->kill_usec, e->end_usec, NEAR_USEC) };
        }
        if (e->kill_usec > 0 && e->term_usec == 0)
                return (Decision){ PL_WHY_KILLED,
                                   code == EXIT_SIGKILL && !memory &&
                                                   is_near(e->kill_usec, e->end_usec, NEAR_USEC) };
        /* a program that does not mind the signal of a docker kill -s may finish by itself as well
         */
        return (Decision){ PL_WHY_STOPPED,
                           e->signal == stop &&
                                           (code == SIGNAL_BASE + stop ||
                                            (code == 0 && e->asides.stop_usec > 0)) &&
                                           is_near(e->term_usec, e->end_usec,
                                                   patience(e) + NEAR_USEC) };
}

static Decision decide(const PlWhyFacts *f) {
        const PlEnding *e = f->ending;

        switch (e->ender) {
        case PL_ENDER_REQUEST:
        case PL_ENDER_TIMEOUT:
                return by_request(f);
        case PL_ENDER_PLIMSOLL:
                return (Decision){ PL_WHY_PLIMSOLLD, pl_ending_is_own(e) && e->own.term_usec > 0 };
        case PL_ENDER_OOM:
                return by_memory(f, false);
        case PL_ENDER_HOST_OOM:
                return by_memory(f, true);
        case PL_ENDER_ENGINE:
                return (Decision){ PL_WHY_ENGINE, false };
        case PL_ENDER_ITSELF:
        case PL_ENDER_SIGKILL:
                return by_code(f);
        case PL_ENDER_UNSEEN:
                return unseen(f);
        default:
                return (Decision){ PL_WHY_UNKNOWN, false };
        }
}

/* --- words --- */

static const char *signal_name(int signal, char buf[static 24]) {
        const char *name = signal > 0 && signal < 32 ? sigabbrev_np(signal) : NULL;

        if (name)
                (void)snprintf(buf, 24, "SIG%s", name);
        else
                (void)snprintf(buf, 24, "signal %d", signal);
        return buf;
}

PL_PRINTF(2, 3) static void add(PlWhy *w, const char *format, ...) {
        size_t n = strlen(w->evidence);
        va_list ap;

        if (n > 0 && n + 2 < sizeof(w->evidence))
                w->evidence[n++] = '\n';
        va_start(ap, format);
        (void)vsnprintf(w->evidence + n, sizeof(w->evidence) - n, format, ap);
        va_end(ap);
}

static const char *before(uint64_t then, uint64_t end, char buf[static PL_FORMAT_MAX]) {
        uint64_t span = end > then ? end - then : 0;

        /* a tenth of a second is enough */
        return pl_format_sec(span < PL_USEC_PER_SEC ? span / 1000 * 1000 : span / 100000 * 100000,
                             buf);
}

static void quote_signals(const PlEnding *e, PlWhy *ret) {
        const PlOwnStop *own = &e->own;
        uint64_t term = e->term_usec ?: own->term_usec, kill = e->kill_usec ?: own->kill_usec;
        int sig = e->term_usec > 0 && e->signal > 0 && e->signal != SIGKILL ? e->signal
                  : e->stop.signal > 0                                      ? e->stop.signal
                                                                            : SIGTERM;
        char name[24], text[PL_FORMAT_MAX];

        if (term > 0)
                add(ret, "the engine sent %s %s before the end", signal_name(sig, name),
                    before(term, e->end_usec, text));
        if (kill > 0)
                add(ret, "the engine sent SIGKILL %s before the end",
                    before(kill, e->end_usec, text));
        if (is_near(e->asides.signal_usec, e->end_usec, NEAR_USEC))
                add(ret, "the engine sent %s (docker kill -s) %s before the end",
                    signal_name(e->asides.signal, name),
                    before(e->asides.signal_usec, e->end_usec, text));
}

static void quote_kill(const PlWhyFacts *f, PlWhy *ret) {
        static const char *const whose[] = {
                [PL_OOM_VICTIM_UNKNOWN] = "a process",
                [PL_OOM_VICTIM_MAIN] = "its first process",
                [PL_OOM_VICTIM_CHILD] = "another process in it",
        };
        char limit[PL_FORMAT_MAX], usage[PL_FORMAT_MAX], text[PL_FORMAT_MAX];
        const PlOomReport *r = f->oom;

        if (!r || !is_near(r->time_usec, f->ending->end_usec, CHILD_USEC))
                return;
        add(ret, "the kernel killed %s%s%.15s%s %s before the end%s%s%s%s",
            whose[f->ending->victim], *r->victim ? " (" : "", r->victim, *r->victim ? ")" : "",
            before(r->time_usec, f->ending->end_usec, text),
            r->limit_bytes != PL_UNLIMITED ? "; limit " : "",
            r->limit_bytes != PL_UNLIMITED ? pl_format_bytes(r->limit_bytes, limit) : "",
            r->usage_bytes != PL_UNLIMITED ? ", in use " : "",
            r->usage_bytes != PL_UNLIMITED ? pl_format_bytes(r->usage_bytes, usage) : "");
}

static void quote(const PlWhyFacts *f, PlWhy *ret) {
        const PlEnding *e = f->ending;
        char name[24];

        if (e->ender == PL_ENDER_NONE)
                add(ret, "it was started again before plimsolld looked, and the engine keeps no "
                         "exit code of the run before");
        else if (e->exit_code > SIGNAL_BASE && e->exit_code < SIGNAL_BASE + 65)
                add(ret, "exit code %d, as of %s", e->exit_code,
                    signal_name(e->exit_code - SIGNAL_BASE, name));
        else
                add(ret, "exit code %d", e->exit_code);
        quote_signals(e, ret);
        quote_kill(f, ret);
        if (f->traces && *f->traces->oomd)
                add(ret, "systemd-oomd: %s", f->traces->oomd);
        if (f->traces && *f->traces->fault)
                add(ret, "the kernel: %s", f->traces->fault);
        if (may_be_shutdown(f) || e->ender == PL_ENDER_ENGINE)
                add(ret, "the engine was gone at that time, or right after it");
        if (f->check_failed)
                add(ret, "Docker's own health check was failing");
        if (f->docker_known)
                add(ret, "docker inspect: ExitCode %d, OOMKilled %s", f->docker_code,
                    f->docker_oom ? "true" : "false");
        if (f->words && *f->words && e->exit_code != 0)
                add(ret, "end of its log: %.280s", f->words);
}

static void set_limit_advice(const PlWhyFacts *f, PlWhy *ret) {
        const PlOomReport *r = f->oom;
        char limit[PL_FORMAT_MAX];
        const char *section = r && *r->around.section    ? r->around.section
                              : r && *r->around.proposed ? r->around.proposed
                                                         : "Service NAME";

        if (r && r->limit_bytes != PL_UNLIMITED)
                (void)snprintf(ret->advice, sizeof(ret->advice),
                               "[%s] MemoryMax= more than %s, or make it need less", section,
                               pl_format_bytes(r->limit_bytes, limit));
        else
                (void)snprintf(ret->advice, sizeof(ret->advice),
                               "[%s] MemoryMax= more than now, or make it need less", section);
}

/* What needs no figures. */
static const char *const plain[_PL_WHY_N] = {
        [PL_WHY_UNKNOWN] = "nobody saw why",
        [PL_WHY_FINISHED] = "finished by itself with exit code 0",
        [PL_WHY_NOT_FOUND] = "its command was not found (exit code 127)",
        [PL_WHY_NOT_EXECUTABLE] = "its command cannot be executed (exit code 126)",
        [PL_WHY_NO_SPACE] = "a file system that it writes to was full",
        [PL_WHY_SIGKILL] = "a SIGKILL, not through the engine, and no lack of "
                           "memory was seen: a kill -9, or the program's own exit code 137",
        [PL_WHY_MEMORY_LIMIT] = "it reached its memory limit, and the kernel killed it",
        [PL_WHY_MEMORY_CHILD] = "the kernel killed a process of it for lack of memory, and "
                                "its first process ended soon after",
        [PL_WHY_PARENT_LIMIT] = "the group above it reached its memory limit, and "
                                "the kernel killed it",
        [PL_WHY_HOST_MEMORY] = "the host ran out of memory, and the kernel killed it",
        [PL_WHY_OOMD] = "systemd-oomd killed it for memory pressure",
        [PL_WHY_KILLED] = "killed on request through the engine (docker kill)",
        [PL_WHY_ENGINE] = "it went with the engine, which stopped or crashed",
};

/* Nobody saw it: the engine's record is all there is, and a stop may look the same. */
static const char *const blind[_PL_WHY_N] = {
        [PL_WHY_FINISHED] = "it ended with exit code 0 while nobody was looking: finished by "
                            "itself, or stopped",
        [PL_WHY_SIGKILL] = "it was killed while nobody was looking (exit code 137): a docker stop "
                           "that ran out of time, a docker kill, a kill -9, or a lack of memory "
                           "that the engine did not note",
        [PL_WHY_STOPPED] = "it ended while nobody was looking, with the exit code of its stop "
                           "signal: most likely stopped on request",
};

static void say_what(const PlWhyFacts *f, PlWhy *ret) {
        const PlEnding *e = f->ending;
        char name[24], text[PL_FORMAT_MAX];
        size_t size = sizeof(ret->what);
        uint64_t took = e->kill_usec > e->term_usec ? e->kill_usec - e->term_usec : 0;
        int code = e->exit_code, sig = e->signal > 0 ? e->signal : SIGTERM;

        if (e->ender == PL_ENDER_UNSEEN && blind[ret->kind]) {
                (void)snprintf(ret->what, size, "%s", blind[ret->kind]);
                return;
        }
        switch (ret->kind) {
        case PL_WHY_STOPPED:
                (void)snprintf(ret->what, size,
                               "stopped on request through the engine (%s), exit code %d",
                               sig == (e->stop.signal ?: SIGTERM) ? "docker stop or its like"
                                                                  : signal_name(sig, name),
                               code);
                break;
        case PL_WHY_STOP_TIMEOUT:
                (void)snprintf(ret->what, size,
                               "stopped on request, but it did not end within %s, so the engine "
                               "killed it",
                               pl_format_sec((took + PL_USEC_PER_SEC / 2) / PL_USEC_PER_SEC *
                                                             PL_USEC_PER_SEC,
                                             text));
                break;
        case PL_WHY_PLIMSOLLD:
                (void)snprintf(ret->what, size, "plimsolld stopped it to restart it%s%.200s",
                               f->reason && *f->reason ? ": " : "", f->reason ?: "");
                break;
        case PL_WHY_SIGNAL:
        case PL_WHY_CRASHED:
                (void)snprintf(ret->what, size,
                               ret->kind == PL_WHY_CRASHED
                                               ? "its first process crashed: %s"
                                               : "%s ended it, sent from outside the engine, or "
                                                 "by the program itself",
                               signal_name(code - SIGNAL_BASE, name));
                break;
        case PL_WHY_EXIT:
                (void)snprintf(ret->what, size, "ended by itself with exit code %d", code);
                break;
        default:
                (void)snprintf(ret->what, size, "%s", plain[ret->kind]);
        }
}

void pl_why(const PlWhyFacts *f, PlWhy *ret) {
        Decision d = decide(f);

        *ret = (PlWhy){ .kind = d.kind, .certain = d.certain };
        say_what(f, ret);
        quote(f, ret);
        (void)snprintf(ret->advice, sizeof(ret->advice), "%s", kinds[d.kind].advice);
        if (d.kind == PL_WHY_MEMORY_LIMIT || d.kind == PL_WHY_MEMORY_CHILD)
                set_limit_advice(f, ret);
        if (!d.certain)
                (void)snprintf(ret->would, sizeof(ret->would), "%s", kinds[d.kind].would);
}
