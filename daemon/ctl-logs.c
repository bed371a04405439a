/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl logs: archives and live log of a container as one stream, printed as docker logs
 * does.
 *
 * It asks no daemon: the archive directory says where everything is, and whoever may read the
 * files may read the log. What a container wrote to stdout goes to stdout, what it wrote to stderr
 * to stderr, byte for byte.
 */

#include "ctl-own.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <sys/inotify.h>
#include <time.h>

#include "ctl-cli.h"
#include "ctl-logs-find.h"
#include "log-reader.h"
#include "pl-log-line.h"
#include "pl-unit.h"
#include "pl-when.h"

#define ARCHIVE_PATH "/var/log/plimsoll"

typedef struct Logs {
        const char *archive, *name;
        PlLogFilter filter;
        regex_t grep;
        bool has_grep, follow, only_stdout, only_stderr;
        uint64_t tail; /* UINT64_MAX: all */
        bool progress; /* on a terminal, for long searches */
        uint64_t begin_usec;
        bool progress_shown, printed;
        PlLogStore *store;
        PlLogReader *reader;
        PlLogLines lines;
} Logs;

static void print_help(void) {
        (void)puts("plimsollctl logs [OPTION...] NAME\n"
                   "Shows a container's archived and live log as one. NAME is a container, also "
                   "one\n"
                   "that is gone, its id, or a service of the policy with one container.\n"
                   "\n"
                   "  --since WHEN, --until WHEN  10m, \"2h ago\", yesterday, \"2026-01-02 "
                   "03:04\", RFC 3339\n"
                   "  -n, --tail N                the last N lines (all)\n"
                   "  -f, --follow                go on with what is written\n"
                   "  -g, --grep RE               lines that match an extended regular expression\n"
                   "  -i, --ignore-case           ... in any case\n"
                   "  --stdout, --stderr          one of the two streams\n"
                   "  -t, --timestamps            when each line was written\n"
                   "  --details                   labels and variables of the logging options\n"
                   "  --json                      the records themselves, a line each\n"
                   "  --archive DIR               where plimsolld keeps archives (" ARCHIVE_PATH
                   ")");
}

enum {
        OPTION_SINCE = 256,
        OPTION_UNTIL,
        OPTION_STDOUT,
        OPTION_STDERR,
        OPTION_DETAILS,
        OPTION_JSON,
        OPTION_ARCHIVE,
};

static const struct option options[] = {
        { "since", required_argument, NULL, OPTION_SINCE },
        { "until", required_argument, NULL, OPTION_UNTIL },
        { "tail", required_argument, NULL, 'n' },
        { "follow", no_argument, NULL, 'f' },
        { "grep", required_argument, NULL, 'g' },
        { "ignore-case", no_argument, NULL, 'i' },
        { "stdout", no_argument, NULL, OPTION_STDOUT },
        { "stderr", no_argument, NULL, OPTION_STDERR },
        { "timestamps", no_argument, NULL, 't' },
        { "details", no_argument, NULL, OPTION_DETAILS },
        { "json", no_argument, NULL, OPTION_JSON },
        { "archive", required_argument, NULL, OPTION_ARCHIVE },
        { "help", no_argument, NULL, 'h' },
        {},
};

static int usage(const char *what, const char *value) {
        pl_ctl_say("logs %s%s; plimsollctl logs --help lists what there is", what, value);
        return PL_EXIT_USAGE;
}

static uint64_t now_usec(clockid_t clock) {
        struct timespec ts;

        (void)clock_gettime(clock, &ts);
        return (uint64_t)ts.tv_sec * PL_USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

static int take_tail(Logs *l, const char *value) {
        if (pl_streq(value, "all"))
                l->tail = UINT64_MAX;
        else if (pl_parse_uint64(value, &l->tail) < 0)
                return usage("--tail: not a number of lines: ", value);
        return -1;
}

/* Return: an exit status, or -1 to go on. */
static int take_option(Logs *l, int c, const char **pattern, int *flags) {
        uint64_t now = now_usec(CLOCK_REALTIME);

        switch (c) {
        case OPTION_SINCE:
                if (pl_when_parse(optarg, now, &l->filter.since_nsec) < 0)
                        return usage("--since: not a time: ", optarg);
                return -1;
        case OPTION_UNTIL:
                if (pl_when_parse(optarg, now, &l->filter.until_nsec) < 0)
                        return usage("--until: not a time: ", optarg);
                return -1;
        case 'n':
                return take_tail(l, optarg);
        case 'f':
                l->follow = true;
                return -1;
        case 'g':
                *pattern = optarg;
                return -1;
        case 'i':
                *flags |= REG_ICASE;
                return -1;
        case OPTION_STDOUT:
                l->only_stdout = true;
                return -1;
        case OPTION_STDERR:
                l->only_stderr = true;
                return -1;
        case 't':
                l->filter.timestamps = true;
                return -1;
        case OPTION_DETAILS:
                l->filter.details = true;
                return -1;
        case OPTION_JSON:
                l->filter.json = true;
                return -1;
        case OPTION_ARCHIVE:
                l->archive = optarg;
                return -1;
        case 'h':
                print_help();
                return PL_EXIT_GOOD;
        default:
                return usage("", "");
        }
}

static int parse(Logs *l, int argc, char **argv) {
        const char *pattern = NULL;
        int flags = REG_EXTENDED, c, r;

        optind = 0;
        while ((c = getopt_long(argc, argv, "n:fg:ith", options, NULL)) >= 0) {
                r = take_option(l, c, &pattern, &flags);
                if (r >= 0)
                        return r;
        }
        if (argc - optind != 1)
                return usage("needs one NAME", "");
        l->name = argv[optind];
        l->filter.no_stdout = l->only_stderr && !l->only_stdout;
        l->filter.no_stderr = l->only_stdout && !l->only_stderr;
        if (pattern) {
                char why[128];

                r = regcomp(&l->grep, pattern, flags);
                if (r != 0) {
                        (void)regerror(r, &l->grep, why, sizeof(why));
                        return usage("--grep: ", why);
                }
                l->has_grep = true;
                l->filter.grep = &l->grep;
        }
        return -1;
}

/* --- printing -----------------------------------------------------------------------------------
 */

static void clear_progress(Logs *l) {
        if (l->progress_shown)
                (void)fputs("\r\033[K", stderr);
        l->progress_shown = false;
}

static void show_progress(Logs *l) {
        if (!l->progress || l->printed || now_usec(CLOCK_MONOTONIC) - l->begin_usec < 700000)
                return;
        (void)fprintf(stderr, "\rreading archives: %3.0f %%",
                      100 * pl_log_reader_progress(l->reader));
        l->progress_shown = true;
}

/* Return: 0; -EPIPE nobody reads any more; -errno. */
static int print(Logs *l, PlJsonlogStream stream) {
        FILE *to = stream == PL_JSONLOG_STDERR && !l->filter.json ? stderr : stdout;

        clear_progress(l);
        l->printed = true;
        return fwrite(l->lines.out, 1, l->lines.n_out, to) == l->lines.n_out ? 0 : -errno;
}

typedef int (*Take)(Logs *l, PlJsonlogStream stream, uint64_t *n);

/* Feeds a block; take is called for each line that was asked for. */
static int each_line(Logs *l, const PlLogBlock *b, Take take, uint64_t *n) {
        const char *p = b->data, *end = b->data + b->size;

        while (p < end) {
                const char *nl = memchr(p, '\n', (size_t)(end - p));
                size_t size = nl ? (size_t)(nl - p) + 1 : (size_t)(end - p);
                PlJsonlogStream stream;
                int r = pl_log_lines_feed(&l->lines, p, size, &stream);

                if (r > 0)
                        r = take(l, stream, n);
                if (r < 0)
                        return r;
                p += size;
        }
        return 0;
}

static int take_count(Logs *l, PlJsonlogStream stream, uint64_t *n) {
        (*n)++;
        return 0;
}

static int take_print(Logs *l, PlJsonlogStream stream, uint64_t *skip) {
        if (*skip > 0) {
                (*skip)--;
                return 0;
        }
        return print(l, stream);
}

static int damaged(int r) {
        pl_ctl_say("an archive is damaged; a part of the log is missing here");
        return r;
}

/* Back until N lines are ahead. @ret_skip: how many more there are. */
static int find_tail(Logs *l, uint64_t *ret_skip) {
        uint64_t n = 0;
        int r;

        r = pl_log_reader_to_end(l->reader);
        while (r >= 0 && n < l->tail) {
                PlLogBlock b;
                uint64_t in_block = 0;

                r = pl_log_reader_previous(l->reader, &b);
                if (r == -EBADMSG)
                        r = damaged(1);
                else if (r > 0) {
                        pl_log_lines_reset(&l->lines);
                        r = each_line(l, &b, take_count, &in_block);
                        n += in_block;
                        /* nothing older can be asked for */
                        if (r >= 0 && l->filter.since_nsec > 0 &&
                            pl_jsonlog_first_time(b.data, b.size) + UINT64_C(60000000000) <
                                            l->filter.since_nsec)
                                break;
                        show_progress(l);
                } else
                        break;
        }
        pl_log_lines_reset(&l->lines);
        l->lines.damaged = 0;
        *ret_skip = n > l->tail ? n - l->tail : 0;
        return r;
}

/* A minute beyond the end of what was asked for, no record can belong to it. */
static bool is_over(const Logs *l, const PlLogBlock *b) {
        return l->filter.until_nsec != UINT64_MAX &&
               pl_jsonlog_first_time(b->data, b->size) >
                               l->filter.until_nsec + UINT64_C(60000000000);
}

/* To the end as it is now. Return: 1 past --until; 0; -errno. */
static int run_to_end(Logs *l, uint64_t *skip) {
        for (;;) {
                PlLogBlock b;
                int r = pl_log_reader_next(l->reader, &b);

                if (r == 0)
                        return 0;
                if (r == -EBADMSG) {
                        (void)damaged(r);
                        continue;
                }
                if (r > 0 && is_over(l, &b))
                        return 1;
                if (r > 0)
                        r = each_line(l, &b, take_print, skip);
                if (r < 0)
                        return r;
                show_progress(l);
        }
}

static int until_msec(const Logs *l) {
        uint64_t now = now_usec(CLOCK_REALTIME) * 1000, until = l->filter.until_nsec;

        if (until == UINT64_MAX)
                return -1;
        return until <= now ? 0 : (int)PL_MIN((until - now) / 1000000 + 1, (uint64_t)INT32_MAX);
}

static int follow(Logs *l) {
        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char path[64], events[4096];
        uint64_t skip = 0;
        int r;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", pl_log_reader_fd(l->reader));
        if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY | IN_ATTRIB) < 0)
                return -errno;
        for (;;) {
                r = run_to_end(l, &skip);
                if (r != 0 || fflush(stdout) != 0)
                        return r ?: -errno;
                /* rotations write to the log too, and its end changes its link count */
                if (poll(&p, 1, until_msec(l)) < 0 && errno != EINTR)
                        return -errno;
                while (read(fd, events, sizeof(events)) > 0)
                        ; /* that there was something is all that counts */
                if (l->filter.until_nsec <= now_usec(CLOCK_REALTIME) * 1000)
                        l->follow = false;
                if (!l->follow || pl_log_reader_is_gone(l->reader))
                        return run_to_end(l, &skip);
        }
}

static int show(Logs *l) {
        PlJsonlogStream stream;
        uint64_t skip = 0;
        int r = 0;

        if (l->tail != UINT64_MAX)
                r = find_tail(l, &skip);
        else if (l->filter.since_nsec > 0)
                r = pl_log_reader_seek_time(l->reader, l->filter.since_nsec);
        if (r >= 0)
                r = run_to_end(l, &skip);
        if (r == 0 && l->follow && pl_log_reader_fd(l->reader) >= 0)
                r = follow(l);
        while (r >= 0 && (r = pl_log_lines_flush(&l->lines, &stream)) > 0)
                r = take_print(l, stream, &skip);
        clear_progress(l);
        if (fflush(stdout) != 0 && r >= 0)
                r = -errno;
        return r;
}

/* ------------------------------------------------------------------------------------------------
 */

static int say_error(const Logs *l, int r) {
        if (r == -EACCES || r == -EPERM)
                pl_ctl_say("%s and the log may not be read: run as root (archives alone: as a "
                           "member "
                           "of group plimsoll)",
                           l->archive);
        else if (r == -ENOENT)
                pl_ctl_say("%s: no such archive directory; has plimsolld run here?", l->archive);
        else
                pl_ctl_say("%s: %s", l->name, strerror(-r));
        return PL_EXIT_BAD;
}

static int open_reader(Logs *l) {
        PlLogsFound f = { 0 };
        int r;

        r = pl_log_store_open(l->archive, false, (gid_t)-1, &l->store);
        if (r >= 0)
                r = pl_ctl_logs_find(l->store, l->name, &f);
        if (r < 0)
                return say_error(l, r);
        if (f.n == 0) {
                pl_ctl_say("no log of \"%s\" is known in %s", l->name, l->archive);
                return PL_EXIT_BAD;
        }
        if (f.n > 1) {
                pl_ctl_say("\"%s\" has %u containers; name one of them", l->name, f.n);
                return PL_EXIT_USAGE;
        }
        if (f.live && !pl_streq(f.driver, "json-file")) {
                pl_ctl_say("%s logs to %s, which is not read here: docker logs %s", l->name,
                           f.driver, l->name);
                return PL_EXIT_BAD;
        }
        r = pl_log_reader_new(l->store, f.id, f.live, &l->reader);
        if (r == -EACCES && f.live) {
                pl_ctl_say("the live log may not be read, only its archives follow; root may read "
                           "both");
                r = pl_log_reader_new(l->store, f.id, false, &l->reader);
        }
        return r < 0 ? say_error(l, r == -ENOENT ? -ENODATA : r) : -1;
}

int pl_ctl_logs_main(int argc, char **argv) {
        Logs l = { .archive = ARCHIVE_PATH,
                   .filter.until_nsec = UINT64_MAX,
                   .tail = UINT64_MAX,
                   .progress = isatty(STDERR_FILENO) == 1,
                   .begin_usec = now_usec(CLOCK_MONOTONIC) };
        int status, r;

        status = parse(&l, argc, argv);
        if (status < 0)
                status = open_reader(&l);
        if (status < 0) {
                l.lines.filter = &l.filter;
                r = show(&l);
                if (pl_log_reader_gaps(l.reader) > 0)
                        pl_ctl_say("%u archive%s dropped meanwhile", pl_log_reader_gaps(l.reader),
                                   pl_plural(pl_log_reader_gaps(l.reader)));
                if (l.lines.damaged > 0)
                        pl_ctl_say("%" PRIu64
                                   " line%s of the log skipped: no record of the engine's",
                                   l.lines.damaged, pl_plural(l.lines.damaged));
                status = r < 0 && r != -EPIPE ? say_error(&l, r) : PL_EXIT_GOOD;
        }
        pl_log_lines_deinit(&l.lines);
        pl_log_reader_free(l.reader);
        pl_log_store_free(l.store);
        if (l.has_grep)
                regfree(&l.grep);
        return status;
}
