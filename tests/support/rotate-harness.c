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
 * With a "-" behind LINES the state record is deleted now and then, too.
 *
 *   rotate-harness rotate DIR METHOD ENGINE MAX-SIZE keep|drop
 *                                       one rotation; what came of it as NAME=VALUE
 *   rotate-harness stall DIR METHOD ENGINE LINES MAX-SIZE PACE
 *                                       how long a writer has to wait, at the worst, during each
 *                                       of many rotations; method off: in as many stretches of
 *                                       50000 lines without any
 *   rotate-harness bound DIR METHOD ENGINE MAX-SIZE ROTATIONS
 *                                       so many rotations, each when the log is due: what the log
 *                                       takes on disk stays within 1.25 x MAX-SIZE + 1 MiB, then
 *                                       as verify
 *   rotate-harness verify DIR LINES     the last part alone
 *   rotate-harness write FILE LINES     the writer alone
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>

#include "logs/worker.h"
#include "rotate-lines.h"
#include "rotate/file.h"
#include "rotate/point.h"
#include "rotate/sequence.h"

static PlRotatePoint kill_point;
static unsigned kill_nth;
static int died_at_fd = -EBADF; /* tells the parent where */

/* Told to a writer that measures how long it waits. */
typedef struct Shared {
        _Atomic unsigned rotation; /* odd while one is under way */
        _Atomic unsigned real;     /* the last that was one */
        _Atomic bool written;
} Shared;

static Shared *shared;

static void tell_writer(PlRotatePoint p) {
        if (p == PL_ROTATE_POINT_BEGIN)
                shared->rotation |= 1;
        if (p == PL_ROTATE_POINT_CLEAN) {
                shared->real = shared->rotation;
                shared->rotation++;
        }
}

void pl_log_rotate_point(PlRotatePoint p) {
        if (shared)
                tell_writer(p);
        if (p != kill_point || kill_nth == 0 || --kill_nth > 0)
                return;
        if (write(died_at_fd, &p, sizeof(p)) != sizeof(p))
                die("pipe");
        (void)raise(SIGKILL);
}

static void write_lines(const char *path, uint64_t lines, unsigned pace_usec) {
        int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        char buf[2 * RECORD_MAX];

        if (fd < 0)
                die(path);
        for (uint64_t n = 1; n <= lines; n++) {
                size_t size = rotate_make_record(n, buf);

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

/* --- rotating and killing -----------------------------------------------------------------------
 */

typedef struct Run {
        const char *dir;
        PlLogMethod method;
        unsigned engine;
        uint64_t max_size;
        unsigned pace_usec;
        PlLogOnFull on_full;
        bool lose_state;
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
        ctx.archiver = pl_archiver_new(PL_ARCHIVE_LEVEL);
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

static unsigned n_lost_states;

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

/* What a careless rm leaves of it. */
static void lose_state(const Run *run) {
        char path[4096];

        snprintf(path, sizeof(path), "%s/archive/.state/" ID, run->dir);
        if (unlink(path) == 0)
                n_lost_states++;
}

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
        if (run->lose_state && rand_r(seed) % 3 == 0)
                lose_state(run);
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
        printf("%s: engine %u, method %s:", run->dir, run->engine,
               pl_word_of(pl_log_method_words, o.method));
        for (size_t i = 1; i < _PL_ROTATE_POINT_N; i++) {
                printf(" %u", t.at[i]);
                killed += t.at[i];
        }
        printf(" kills at points 1-%d, %u at random, %u not killed\n", _PL_ROTATE_POINT_N - 1,
               t.at_random, t.whole);
        if (run->lose_state)
                printf("  %u state records deleted\n", n_lost_states);
        killed += t.at_random;
        if (killed == 0) {
                fprintf(stderr, "rotate-harness: nothing was killed: this proves nothing\n");
                return 1;
        }
        status = rotate_verify(run->dir, lines);
        /* stopped: the same once more, and whatever grew is given back */
        if (rotate(run, false, true, &o) < 0) {
                fprintf(stderr, "rotate-harness: stopped: %s: %s\n", o.step ?: "?",
                        strerror(-o.error));
                return 1;
        }
        printf("  stopped: method %s, log of %" PRIu64 " bytes, head at %" PRIu64 "\n",
               pl_word_of(pl_log_method_words, o.method), o.size_bytes, o.head_bytes);
        return status | rotate_verify(run->dir, lines);
}

/* --- how long writers wait ----------------------------------------------------------------------
 */

static int compare_nsec(const void *pa, const void *pb) {
        const uint64_t *a = pa, *b = pb;

        return *a < *b ? -1 : *a > *b;
}

static uint64_t nsec_now(void) {
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void rotate_on_and_on(const Run *run) {
        pl_log_worker_be_modest();
        while (!shared->written) {
                PlRotateOutcome o;

                if (rotate(run, true, false, &o) < 0)
                        die(o.step);
                (void)usleep(10000); /* the daemon waits for an event */
        }
        _exit(0);
}

static int stall(const Run *run, uint64_t lines) {
        uint64_t *worst = NULL, n_worst = 0, now_worst = 0, bytes = 0, start = nsec_now();
        unsigned rotation = 0;
        char path[4096], buf[2 * RECORD_MAX];
        pid_t pid;
        int fd;

        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                      0);
        snprintf(path, sizeof(path), "%s/" ID, run->dir);
        (void)mkdir(path, 0710);
        snprintf(path, sizeof(path), "%s/" ID "/" ID "-json.log", run->dir);
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        if (fd < 0 || shared == MAP_FAILED)
                die(path);
        pid = run->method == PL_LOG_METHOD_OFF ? -1 : fork();
        if (pid == 0)
                rotate_on_and_on(run);
        for (uint64_t i = 1; i <= lines; i++) {
                size_t size = rotate_make_record(i, buf);
                uint64_t begin = nsec_now(), took;

                if (write(fd, buf, size) != (ssize_t)size)
                        die("write");
                took = nsec_now() - begin;
                if (run->method == PL_LOG_METHOD_OFF && i % 50000 == 0)
                        tell_writer(i % 100000 ? PL_ROTATE_POINT_BEGIN : PL_ROTATE_POINT_CLEAN);
                if (shared->rotation != rotation) {
                        if (rotation % 2 == 1 && shared->real == rotation) {
                                worst = realloc(worst, (n_worst + 1) * sizeof(*worst));
                                worst[n_worst++] = PL_MAX(now_worst, took);
                        }
                        rotation = shared->rotation;
                        now_worst = 0;
                }
                now_worst = PL_MAX(now_worst, took);
                bytes += size;
                if (run->pace_usec > 0 && i % 1000 == 0)
                        (void)usleep(run->pace_usec);
        }
        start = nsec_now() - start;
        shared->written = true;
        if (pid > 0)
                (void)waitpid(pid, NULL, 0);
        if (n_worst == 0)
                die("no rotation");
        qsort(worst, n_worst, sizeof(*worst), compare_nsec);
        printf("mib_per_sec=%.0f rotations=%" PRIu64 " p50_msec=%.3f p99_msec=%.3f max_msec=%.3f\n",
               (double)bytes * 1e9 / (1 << 20) / (double)start, n_worst,
               (double)worst[n_worst / 2] / 1e6, (double)worst[n_worst * 99 / 100] / 1e6,
               (double)worst[n_worst - 1] / 1e6);
        free(worst);
        return 0;
}

/* --- how much of the disk a log takes ------------------------------------------------------------
 */

static uint64_t used_bytes(const char *dir) {
        struct statvfs s;

        if (statvfs(dir, &s) < 0)
                die(dir);
        return (uint64_t)(s.f_blocks - s.f_bfree) * s.f_frsize;
}

static int bound(const Run *run, unsigned rotations) {
        uint64_t line = 0, limit = run->max_size + run->max_size / 4 + MIB(1), held = 0, max = 0;
        char path[4096], buf[2 * RECORD_MAX];
        PlRotateOutcome o = { 0 };
        struct stat st;
        int fd, held_fd;

        snprintf(path, sizeof(path), "%s/" ID, run->dir);
        (void)mkdir(path, 0710);
        snprintf(path, sizeof(path), "%s/" ID "/" ID "-json.log", run->dir);
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        held_fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || held_fd < 0)
                die(path);
        for (unsigned done = 0; done < rotations; done += o.rotations) {
                do {
                        size_t size = rotate_make_record(++line, buf);

                        if (write(fd, buf, size) != (ssize_t)size || fstat(fd, &st) < 0)
                                die("write");
                } while ((uint64_t)st.st_size - o.head_bytes < run->max_size);
                (void)fsync(fd);
                if (pl_log_file_held(held_fd, &held) < 0)
                        die("FIEMAP");
                max = PL_MAX(max, held);
                if (rotate(run, true, false, &o) < 0 || o.rotations == 0)
                        die(o.step ?: "no rotation");
                max = PL_MAX(max, o.held_bytes);
        }
        if (fstat(fd, &st) < 0)
                die(path);
        printf("method=%s rotations=%u size=%" PRIu64 " blocks=%" PRIu64 " held=%" PRIu64
               " max_held=%" PRIu64 " limit=%" PRIu64 " used=%" PRIu64 "\n",
               pl_word_of(pl_log_method_words, o.method), rotations, (uint64_t)st.st_size,
               (uint64_t)st.st_blocks * 512, o.held_bytes, max, limit, used_bytes(run->dir));
        return rotate_verify(run->dir, line) | (max >= limit);
}

static PlLogMethod method_of(const char *word) {
        for (unsigned m = 0; m < _PL_LOG_METHOD_N; m++)
                if (pl_streq(word, pl_word_of(pl_log_method_words, m)))
                        return (PlLogMethod)m;
        fprintf(stderr, "rotate-harness: no such method: %s\n", word);
        exit(2);
}

static int rotate_once(const Run *run) {
        PlRotateOutcome o;
        int r = rotate(run, true, false, &o);

        printf("error=%d step=%s method=%s rotations=%u lines=%" PRIu64 " raw=%" PRIu64
               " dropped=%" PRIu64 " archives_dropped=%u full=%d\n",
               -r, o.step ?: "-", pl_word_of(pl_log_method_words, o.method), o.rotations, o.lines,
               o.raw_bytes, o.dropped_bytes, o.archives.dropped, o.full);
        return 0;
}

int main(int argc, char **argv) {
        if (argc == 9 && pl_streq(argv[1], "run")) {
                Run run = { .dir = argv[2],
                            .method = method_of(argv[3]),
                            .engine = (unsigned)atoi(argv[4]),
                            .max_size = strtoull(argv[6], NULL, 10),
                            .pace_usec = (unsigned)atoi(argv[8]),
                            .lose_state = strchr(argv[5], '-') };
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
        if (argc == 8 && pl_streq(argv[1], "stall")) {
                Run run = { .dir = argv[2],
                            .method = method_of(argv[3]),
                            .engine = (unsigned)atoi(argv[4]),
                            .max_size = strtoull(argv[6], NULL, 10),
                            .pace_usec = (unsigned)atoi(argv[7]) };

                return stall(&run, strtoull(argv[5], NULL, 10));
        }
        if (argc == 7 && pl_streq(argv[1], "bound")) {
                Run run = { .dir = argv[2],
                            .method = method_of(argv[3]),
                            .engine = (unsigned)atoi(argv[4]),
                            .max_size = strtoull(argv[5], NULL, 10) };

                return bound(&run, (unsigned)atoi(argv[6]));
        }
        if (argc == 4 && pl_streq(argv[1], "verify"))
                return rotate_verify(argv[2], strtoull(argv[3], NULL, 10));
        if (argc == 4 && pl_streq(argv[1], "write")) {
                write_lines(argv[2], strtoull(argv[3], NULL, 10), 0);
                return 0;
        }
        fprintf(stderr, "usage: rotate-harness run DIR METHOD ENGINE LINES MAX-SIZE SEED PACE\n"
                        "       rotate-harness rotate DIR METHOD ENGINE MAX-SIZE keep|drop\n"
                        "       rotate-harness stall DIR METHOD ENGINE LINES MAX-SIZE PACE\n"
                        "       rotate-harness bound DIR METHOD ENGINE MAX-SIZE ROTATIONS\n"
                        "       rotate-harness verify DIR LINES\n"
                        "       rotate-harness write FILE LINES\n");
        return 2;
}
