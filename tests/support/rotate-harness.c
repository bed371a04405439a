/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Rotate harness: proves that a rotation loses nothing, whatever is killed.
 *
 *   rotate-harness run DIR METHOD ENGINE LINES MAX-SIZE SEED PACE
 *
 * writes LINES numbered records into DIR/ID/ID-json.log as dockerd does (O_APPEND, one write per
 * record, at full speed, resting PACE microseconds after each 1000 lines), while rotations of that
 * log in child processes are killed with SIGKILL at a rotation point or after a random time, again
 * and again; then reads archives and log back. Every line must be there once, unchanged and in
 * order. Prints what it did; exit status 0 only then.
 *
 *   rotate-harness rotate DIR METHOD ENGINE MAX-SIZE keep|drop
 *                                       one rotation; what came of it as NAME=VALUE
 *   rotate-harness verify DIR LINES     the last part alone
 *   rotate-harness write FILE LINES     the writer alone
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <zstd.h>

#include "log-file.h"
#include "log-point.h"
#include "log-rotate.h"
#include "pl-jsonlog.h"

#define ID         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define RECORD_MAX 1024

static PlRotatePoint kill_point;
static unsigned kill_nth;
static int died_at_fd = -EBADF; /* tells the parent where */

__attribute__((noreturn)) static void die(const char *what) {
        fprintf(stderr, "rotate-harness: %s: %m\n", what);
        exit(2);
}

void pl_log_rotate_point(PlRotatePoint p) {
        if (p != kill_point || kill_nth == 0 || --kill_nth > 0)
                return;
        if (write(died_at_fd, &p, sizeof(p)) != sizeof(p))
                die("pipe");
        (void)raise(SIGKILL);
}

/* A record that its number alone determines, but for the time. */
static size_t make_text(uint64_t n, char *buf) {
        uint64_t h = n * UINT64_C(0x9e3779b97f4a7c15);
        size_t pad = (size_t)(h >> 56) % 200, size;

        size = (size_t)sprintf(buf, "line %010" PRIu64 " %016" PRIx64 " ", n, h);
        for (size_t i = 0; i < pad; i++)
                buf[size++] = (char)('a' + (h >> (i % 57)) % 26);
        buf[size] = '\0';
        return size;
}

static size_t make_record(uint64_t n, char *buf) {
        char text[RECORD_MAX], when[PL_JSONLOG_TIME_MAX];
        struct timespec ts;

        (void)clock_gettime(CLOCK_REALTIME, &ts);
        pl_jsonlog_format_time((uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec, when);
        make_text(n, text);
        return (size_t)sprintf(buf, "{\"log\":\"%s\\n\",\"stream\":\"%s\",\"time\":\"%s\"}\n", text,
                               n % 7 ? "stdout" : "stderr", when);
}

static void write_lines(const char *path, uint64_t lines, unsigned pace_usec) {
        int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        char buf[2 * RECORD_MAX];

        if (fd < 0)
                die(path);
        for (uint64_t n = 1; n <= lines; n++) {
                size_t size = make_record(n, buf);

                while (write(fd, buf, size) != (ssize_t)size) {
                        if (errno != ENOSPC)
                                die("write");
                        (void)usleep(1000);
                }
                if (pace_usec > 0 && n % 1000 == 0)
                        (void)usleep(pace_usec);
        }
        (void)close(fd);
}

/* --- reading back -------------------------------------------------------------------------------
 */

typedef struct Check {
        uint64_t next; /* the line that has to come */
        uint64_t lost, doubled, damaged;
        char *rest; /* an unfinished line */
        size_t n_rest;
} Check;

static void check_line(Check *c, const char *line, size_t size) {
        char want[RECORD_MAX];
        PlJsonlogRecord r;
        uint64_t n;

        switch (pl_jsonlog_parse(line, size, &r)) {
        case PL_JSONLOG_FILLER:
        case PL_JSONLOG_MARKER:
                return;
        case PL_JSONLOG_DAMAGED:
                c->damaged++;
                return;
        case PL_JSONLOG_RECORD:
                break;
        }
        if (r.log_size < 17 || memcmp(r.log, "line ", 5) != 0) {
                c->damaged++;
                return;
        }
        n = strtoull(r.log + 5, NULL, 10);
        if (make_text(n, want) + 2 != r.log_size || memcmp(want, r.log, r.log_size - 2) != 0)
                c->damaged++;
        if (n < c->next)
                c->doubled++;
        else {
                c->lost += n - c->next;
                c->next = n + 1;
        }
}

static void feed(Check *c, const char *data, size_t size) {
        char *all = malloc(c->n_rest + size), *p = all, *end, *nl;

        if (!all)
                die("malloc");
        memcpy(all, c->rest, c->n_rest);
        memcpy(all + c->n_rest, data, size);
        end = all + c->n_rest + size;
        while ((nl = memchr(p, '\n', (size_t)(end - p)))) {
                check_line(c, p, (size_t)(nl - p));
                p = nl + 1;
        }
        free(c->rest);
        c->n_rest = (size_t)(end - p);
        c->rest = malloc(c->n_rest ?: 1);
        memcpy(c->rest, p, c->n_rest);
        free(all);
}

static void feed_archive(Check *c, PlLogStore *store, const PlStoredArchive *a) {
        int fd = pl_log_store_open_archive(store, a);
        ZSTD_DCtx *z = ZSTD_createDCtx();
        static char in[1 << 17], out[1 << 17];
        size_t left = 0;
        ssize_t n;

        if (fd < 0 || !z)
                die(a->file);
        while ((n = read(fd, in, sizeof(in))) > 0) {
                ZSTD_inBuffer i = { in, (size_t)n, 0 };

                while (i.pos < i.size) {
                        ZSTD_outBuffer o = { out, sizeof(out), 0 };

                        left = ZSTD_decompressStream(z, &o, &i);
                        if (ZSTD_isError(left)) {
                                fprintf(stderr, "%s: %s\n", a->file, ZSTD_getErrorName(left));
                                exit(1);
                        }
                        feed(c, out, o.pos);
                }
        }
        if (left != 0 || c->n_rest != 0) {
                fprintf(stderr, "%s: ends in the middle\n", a->file);
                exit(1);
        }
        ZSTD_freeDCtx(z);
        (void)close(fd);
}

static void feed_log(Check *c, const char *path, uint64_t head) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        static char buf[1 << 20];
        uint64_t at = 0;
        Check before = { .next = 1 };
        ssize_t n;

        if (fd < 0)
                die(path);
        while ((n = pread(fd, buf, sizeof(buf), (off_t)at)) > 0) {
                size_t skip = at < head ? (size_t)PL_MIN(head - at, (uint64_t)n) : 0;

                feed(&before, buf, skip);
                if (before.damaged || before.next > 1) {
                        fprintf(stderr, "%s: something else than filler before its head\n", path);
                        exit(1);
                }
                feed(c, buf + skip, (size_t)n - skip);
                at += (uint64_t)n;
        }
        (void)close(fd);
        free(before.rest);
}

static int verify(const char *dir, uint64_t lines) {
        char path[4096], store_path[4096];
        PlLogStore *store;
        PlStoredArchive *archives;
        PlRotateState state;
        size_t n, size = 0;
        Check c = { .next = 1 };
        int r;

        snprintf(path, sizeof(path), "%s/" ID "/" ID "-json.log", dir);
        snprintf(store_path, sizeof(store_path), "%s/archive", dir);
        r = pl_log_store_open(store_path, false, (gid_t)-1, &store);
        if (r >= 0)
                r = pl_log_store_load(store, ID, &state);
        if (r >= 0)
                r = pl_log_store_list(store, ID, &archives, &n);
        errno = -r;
        if (r < 0)
                die(store_path);
        if (n > state.gen || state.phase != PL_ROTATE_CLEAN) {
                fprintf(stderr, "%zu archives, generation %" PRIu64 ", phase %d\n", n, state.gen,
                        state.phase);
                return 1;
        }
        for (size_t i = 0; i < n; i++) {
                feed_archive(&c, store, &archives[i]);
                size += archives[i].size;
        }
        feed_log(&c, path, state.head);
        c.lost += lines + 1 - c.next;
        printf("  %" PRIu64 " lines in %zu archives (%zu bytes) and the log: %" PRIu64
               " lost, %" PRIu64 " doubled, %" PRIu64 " damaged\n",
               lines, n, size, c.lost, c.doubled, c.damaged);
        free(c.rest);
        free(archives);
        pl_rotate_state_deinit(&state);
        pl_log_store_free(store);
        return c.lost || c.doubled || c.damaged ? 1 : 0;
}

/* --- rotating and killing -----------------------------------------------------------------------
 */

static const char *const method_words[_PL_LOG_METHOD_N] = {
        [PL_LOG_METHOD_AUTO] = "auto",         [PL_LOG_METHOD_REFLINK] = "reflink",
        [PL_LOG_METHOD_COLLAPSE] = "collapse", [PL_LOG_METHOD_PUNCH] = "punch",
        [PL_LOG_METHOD_OFF] = "off",
};

typedef struct Run {
        const char *dir;
        PlLogMethod method;
        unsigned engine;
        uint64_t max_size;
        unsigned pace_usec;
        PlLogOnFull on_full;
} Run;

static int rotate(const Run *run, bool running, bool force, PlRotateOutcome *ret) {
        char path[4096], store_path[4096];
        PlRotateContext ctx = { .now_sec = (uint64_t)time(NULL) };
        PlRotateRequest req = {
                .id = ID,
                .name = (char *)"harness",
                .path = path,
                .driver = (char *)"json-file",
                .service = (char *)"test",
                .facts = { .engine_major = run->engine,
                           .has_path = true,
                           .running = running,
                           .wanted = run->method },
                .max_size_bytes = run->max_size,
                .on_full = run->on_full,
                .budget_bytes = PL_UNLIMITED,
                .force = force,
        };
        int r;

        snprintf(path, sizeof(path), "%s/" ID "/" ID "-json.log", run->dir);
        snprintf(store_path, sizeof(store_path), "%s/archive", run->dir);
        r = pl_log_store_open(store_path, true, (gid_t)-1, &ctx.store);
        if (r < 0)
                return r;
        ctx.archiver = pl_archiver_new(3);
        r = pl_log_rotate(&ctx, &req, ret);
        pl_archiver_free(ctx.archiver);
        pl_log_store_free(ctx.store);
        return r;
}

static void child(const Run *run, int pipe_fd, PlRotatePoint point, unsigned nth, bool force) {
        PlRotateOutcome o;
        int r;

        died_at_fd = pipe_fd;
        kill_point = point;
        kill_nth = nth;
        r = rotate(run, true, force, &o);
        if (r < 0) {
                fprintf(stderr, "rotate-harness: %s: %s\n", o.step ?: "?", strerror(-r));
                _exit(3);
        }
        _exit(0);
}

typedef struct Tally {
        unsigned at[_PL_ROTATE_POINT_N], at_random, whole;
} Tally;

/* Points that every rotation passes, and that many more kills at any moment. */
static const PlRotatePoint points[] = {
        PL_ROTATE_POINT_BEGIN,     PL_ROTATE_POINT_ARCHIVING, PL_ROTATE_POINT_ARCHIVED,
        PL_ROTATE_POINT_SYNCED,    PL_ROTATE_POINT_SAVING,    PL_ROTATE_POINT_COMMITTED,
        PL_ROTATE_POINT_PUBLISHED, PL_ROTATE_POINT_MARKED,    PL_ROTATE_POINT_FREE,
        PL_ROTATE_POINT_FREEING,   PL_ROTATE_POINT_FREED,     PL_ROTATE_POINT_CLEAN,
};

/* One child: killed where it was told, or at the latest after some milliseconds. */
static void one(const Run *run, unsigned *seed, bool force, Tally *t) {
        unsigned pick = (unsigned)rand_r(seed) % (PL_ARRAY_SIZE(points) + 6);
        bool at_point = pick < PL_ARRAY_SIZE(points);
        PlRotatePoint point = at_point ? points[pick] : PL_ROTATE_POINT_NONE;
        unsigned nth = (unsigned)rand_r(seed) % 3 ? 1 : 2 + (unsigned)rand_r(seed) % 4;
        struct pollfd poll_fd = { .events = POLLIN };
        int fds[2], status;
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0)
                die("fork");
        if (pid == 0)
                child(run, fds[1], point, nth, force);
        (void)close(fds[1]);
        poll_fd.fd = fds[0];
        if (poll(&poll_fd, 1, at_point ? 250 : rand_r(seed) % 30) == 0)
                (void)kill(pid, SIGKILL);
        if (waitpid(pid, &status, 0) < 0)
                die("waitpid");
        if (WIFEXITED(status)) {
                if (WEXITSTATUS(status) != 0)
                        exit(1);
                t->whole++;
                (void)usleep(1000);
        } else if (read(fds[0], &point, sizeof(point)) == sizeof(point))
                t->at[point]++;
        else
                t->at_random++;
        (void)close(fds[0]);
}

static int run_all(const Run *run, uint64_t lines, unsigned seed) {
        char path[4096];
        PlRotateOutcome o;
        Tally t = { 0 };
        unsigned killed = 0;
        int status;
        pid_t writer;

        snprintf(path, sizeof(path), "%s/" ID, run->dir);
        if (mkdir(path, 0710) < 0)
                die(path);
        snprintf(path, sizeof(path), "%s/" ID "/" ID "-json.log", run->dir);
        (void)close(open(path, O_CREAT | O_CLOEXEC, 0640));
        writer = fork();
        if (writer < 0)
                die("fork");
        if (writer == 0) {
                write_lines(path, lines, run->pace_usec);
                _exit(0);
        }
        while (waitpid(writer, &status, WNOHANG) == 0)
                one(run, &seed, false, &t);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                die("the writer failed");
        for (int i = 0; i < 10; i++) /* and of a log that nobody writes */
                one(run, &seed, true, &t);
        if (rotate(run, true, true, &o) < 0) {
                fprintf(stderr, "rotate-harness: last rotation: %s: %s\n", o.step ?: "?",
                        strerror(-o.error));
                return 1;
        }
        printf("%s: engine %u, method %s:", run->dir, run->engine, method_words[o.method]);
        for (size_t i = 1; i < _PL_ROTATE_POINT_N; i++) {
                printf(" %u", t.at[i]);
                killed += t.at[i];
        }
        printf(" kills at points 1-%d, %u at random, %u not killed\n", _PL_ROTATE_POINT_N - 1,
               t.at_random, t.whole);
        killed += t.at_random;
        if (killed == 0) {
                fprintf(stderr, "rotate-harness: nothing was killed: this proves nothing\n");
                return 1;
        }
        status = verify(run->dir, lines);
        /* stopped: the same once more, and whatever grew is given back */
        if (rotate(run, false, true, &o) < 0) {
                fprintf(stderr, "rotate-harness: stopped: %s: %s\n", o.step ?: "?",
                        strerror(-o.error));
                return 1;
        }
        printf("  stopped: method %s, log of %" PRIu64 " bytes, head at %" PRIu64 "\n",
               method_words[o.method], o.size_bytes, o.head_bytes);
        return status | verify(run->dir, lines);
}

static PlLogMethod method_of(const char *word) {
        for (unsigned m = 0; m < _PL_LOG_METHOD_N; m++)
                if (pl_streq(word, method_words[m]))
                        return (PlLogMethod)m;
        fprintf(stderr, "rotate-harness: no such method: %s\n", word);
        exit(2);
}

static int rotate_once(const Run *run) {
        PlRotateOutcome o;
        int r = rotate(run, true, false, &o);

        printf("error=%d step=%s method=%s rotations=%u lines=%" PRIu64 " raw=%" PRIu64
               " dropped=%" PRIu64 " archives_dropped=%u full=%d\n",
               -r, o.step ?: "-", method_words[o.method], o.rotations, o.lines, o.raw_bytes,
               o.dropped_bytes, o.archives_dropped, o.full);
        return 0;
}

int main(int argc, char **argv) {
        if (argc == 9 && pl_streq(argv[1], "run")) {
                Run run = { .dir = argv[2],
                            .method = method_of(argv[3]),
                            .engine = (unsigned)atoi(argv[4]),
                            .max_size = strtoull(argv[6], NULL, 10),
                            .pace_usec = (unsigned)atoi(argv[8]) };
                return run_all(&run, strtoull(argv[5], NULL, 10), (unsigned)atoi(argv[7]));
        }
        if (argc == 7 && pl_streq(argv[1], "rotate")) {
                Run run = { .dir = argv[2],
                            .method = method_of(argv[3]),
                            .engine = (unsigned)atoi(argv[4]),
                            .max_size = strtoull(argv[5], NULL, 10),
                            .on_full = pl_streq(argv[6], "drop") ? PL_LOG_ON_FULL_DROP
                                                                 : PL_LOG_ON_FULL_KEEP };

                return rotate_once(&run);
        }
        if (argc == 4 && pl_streq(argv[1], "verify"))
                return verify(argv[2], strtoull(argv[3], NULL, 10));
        if (argc == 4 && pl_streq(argv[1], "write")) {
                write_lines(argv[2], strtoull(argv[3], NULL, 10), 0);
                return 0;
        }
        fprintf(stderr, "usage: rotate-harness run DIR METHOD ENGINE LINES MAX-SIZE SEED PACE\n"
                        "       rotate-harness rotate DIR METHOD ENGINE MAX-SIZE keep|drop\n"
                        "       rotate-harness verify DIR LINES\n"
                        "       rotate-harness write FILE LINES\n");
        return 2;
}
