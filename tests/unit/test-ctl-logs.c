/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plimsollctl logs on files as plimsolld and the engine leave them: any tail of any log, every way
 * in which something can be missing, several containers as one.
 */
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ctl/cli.h"
#include "log-rotate-fixture.h"

#define PART 16384
#define T0   UINT64_C(1767322800) /* 2026-01-02 03:00:00 UTC */

static char *out, *err;

static char *slurp(const char *name) {
        char path[512];
        FILE *f;
        char *text = NULL;
        size_t n = 0;

        snprintf(path, sizeof(path), "%s/%s", tmp, name);
        f = fopen(path, "re");
        ck_assert_ptr_nonnull(f);
        if (getdelim(&text, &n, '\0', f) < 0) {
                free(text);
                text = strdup("");
        }
        ck_assert_int_eq(fclose(f), 0);
        return text;
}

static void redirect(FILE *f, int to, const char *name, int *ret_before) {
        char path[512];
        int fd;

        snprintf(path, sizeof(path), "%s/%s", tmp, name);
        fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
        ck_assert_int_ge(fd, 0);
        (void)fflush(f);
        *ret_before = dup(to);
        ck_assert_int_ge(dup2(fd, to), 0);
        (void)close(fd);
}

static void restore(FILE *f, int to, int before) {
        (void)fflush(f);
        ck_assert_int_ge(dup2(before, to), 0);
        (void)close(before);
}

static PlCtl ask(void) {
        static char *arguments[] = { (char *)"web", NULL };

        return (PlCtl){ .control = "/nonexistent",
                        .archive = store_path,
                        .logs = { .until_nsec = UINT64_MAX, .tail = UINT64_MAX },
                        .arguments = arguments,
                        .n_arguments = 1 };
}

/* What it prints is in out and err until the next call. Return: the exit status. */
static int run(PlCtl ctl) {
        int o, e, status;

        redirect(stdout, 1, "out", &o);
        redirect(stderr, 2, "err", &e);
        status = pl_ctl_cmd_logs(&ctl);
        restore(stdout, 1, o);
        restore(stderr, 2, e);
        free(out);
        free(err);
        out = slurp("out");
        err = slurp("err");
        return status;
}

static void setup_logs(void) {
        PlRotateRequest req = request(20, true);
        PlRotateOutcome o;

        setup();
        append(0, 0);
        req.max_size_bytes = PL_UNLIMITED;
        ck_assert_int_eq(rotate(&req, &o), 0);
        (void)setenv("DOCKER_HOST", "unix:///nonexistent", 1);
        (void)setenv("TZ", "UTC", 1);
}

static void teardown_logs(void) {
        free(out);
        free(err);
        out = err = NULL;
        teardown();
}

/* One record, as the engine writes it. */
static void say_to(const char *path, const char *text, size_t size, bool error, uint64_t nsec) {
        FILE *f = fopen(path, "ae");
        time_t sec = (time_t)(nsec / 1000000000);
        struct tm tm;

        ck_assert_ptr_nonnull(f);
        (void)gmtime_r(&sec, &tm);
        fputs("{\"log\":\"", f);
        for (size_t i = 0; i < size; i++)
                if (text[i] == '\n')
                        fputs("\\n", f);
                else
                        fputc(text[i], f);
        fprintf(f,
                "\",\"stream\":\"%s\",\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%09" PRIu64 "Z\"}\n",
                error ? "stderr" : "stdout", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                tm.tm_hour, tm.tm_min, tm.tm_sec, nsec % 1000000000);
        ck_assert_int_eq(fclose(f), 0);
}

static void say(const char *text, unsigned sec) {
        say_to(log_path, text, strlen(text), false, (T0 + sec) * 1000000000);
}

/* All that there is: what the engine's readers are left is filler. */
static void rotate_now(void) {
        PlRotateRequest req = request(20, true);
        PlRotateOutcome o;
        FILE *f = fopen(log_path, "ae");

        ck_assert_ptr_nonnull(f);
        for (unsigned i = 0; i < 64; i++)
                fprintf(f, "{}%1020s\n", "");
        ck_assert_int_eq(fclose(f), 0);
        req.max_size_bytes = PL_UNLIMITED;
        req.force = true;
        ck_assert_int_eq(rotate(&req, &o), 0);
}

/* --- any tail of any log -------------------------------------------------------------------------
 */

/* Lines of random length, some of many records, on two streams whose records mix; some without a
 * newline, as a crash leaves them. */
typedef struct Open {
        char *text; /* rest of a line that is being written */
        size_t n;
        uint64_t nsec;
} Open;

static unsigned rnd(unsigned n) {
        static uint64_t x = 88172645463325252;

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        return (unsigned)(x % n);
}

static void write_some(unsigned records, bool two_streams) {
        static uint64_t nsec = T0 * 1000000000;
        static unsigned n_line;
        Open open[2] = { 0 };

        for (unsigned i = 0; i < records || open[0].n || open[1].n; i++) {
                unsigned s = two_streams ? rnd(2) : 0;
                Open *o = &open[s];
                size_t n;

                if (o->n == 0) {
                        static const size_t sizes[] = { 10, 100, 1000, PART, 100000, 1200000 };

                        if (i >= records)
                                continue;
                        free(o->text);
                        o->n = sizes[rnd(20) ? rnd(4) : rnd(6)] + rnd(20);
                        o->text = malloc(o->n + 1);
                        memset(o->text, 'a' + (int)rnd(26), o->n);
                        n = (size_t)sprintf(o->text, "line %u ", n_line++);
                        o->text[n] = 'x';
                        if (rnd(10))
                                o->text[o->n - 1] = '\n';
                        o->nsec = nsec;
                }
                nsec += 1000000;
                n = PL_MIN(o->n, (size_t)PART);
                /* the newline never comes alone */
                if (n < o->n && o->n - n == 1)
                        n = o->n = n;
                say_to(log_path, o->text, n, s, o->nsec);
                o->n -= n;
                memmove(o->text, o->text + n, o->n);
        }
        free(open[0].text);
        free(open[1].text);
}

/* The last n of the lines in text, which end with a newline each, but perhaps the last. */
static const char *last_lines(const char *text, uint64_t n) {
        const char *p = text + strlen(text);

        if (n == 0)
                return p;
        if (p > text && p[-1] == '\n')
                p--;
        while (p > text) {
                if (p[-1] == '\n' && --n == 0)
                        break;
                p--;
        }
        return p;
}

static uint64_t count_lines(const char *text) {
        uint64_t n = 0;

        for (; *text; text++)
                n += *text == '\n' || text[1] == '\0';
        return n;
}

START_TEST(tails) {
        static const char *const greps[] = { NULL, NULL, "^line [0-9]*[05] ", "x$|k$" };
        _cleanup_free_ char *all = NULL;
        PlCtl ctl = ask();
        uint64_t n, total;

        for (unsigned i = 0; i < 3; i++) {
                write_some(60, _i % 4 != 0);
                if (i < 2 && _i >= 4)
                        rotate_now();
        }
        ctl.logs.grep = greps[_i % 4];
        /* one stream at a time: what two have at a time is not a matter of order */
        ctl.logs.only_stdout = true;
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_str_eq(err, "");
        all = strdup(out);
        total = count_lines(all);
        ck_assert_uint_gt(total, 4);
        for (n = 0; n < total + 3; n += n < 12 ? 1 : 7) {
                ctl.logs.tail = n;
                ck_assert_int_eq(run(ctl), 0);
                ck_assert_msg(pl_streq(out, last_lines(all, n)),
                              "%" PRIu64 " of %" PRIu64 ": %" PRIu64 " lines: %.40s", n, total,
                              count_lines(out), out);
        }
}
END_TEST

/* 30 lines of 100 KiB; one of 3 MiB. */
START_TEST(long_lines) {
        char *part = malloc(PART + 1);
        PlCtl ctl = ask();

        memset(part, 'x', PART);
        part[PART] = '\0';
        for (unsigned line = 0; line < 30; line++) {
                for (unsigned i = 0; i < 6; i++)
                        say(part, line);
                say("end\n", line);
        }
        rotate_now();
        ctl.logs.tail = 11;
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_uint_eq(strlen(out), 11 * (6 * PART + 4));
        memcpy(part, "BEGIN", 5);
        say(part, 50);
        memcpy(part, "xxxxx", 5);
        for (unsigned i = 1; i < 192; i++)
                say(part, 50);
        say("END of it\n", 50);
        ctl.logs.tail = 1;
        ctl.logs.timestamps = true;
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_uint_eq(strlen(out), 31 + 3145728 + 10);
        ctl.logs.grep = "^BEGIN.*END of it$";
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_uint_eq(strlen(out), 31 + 3145728 + 10);
        ctl.logs.tail = UINT64_MAX;
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_uint_eq(strlen(out), 31 + 3145728 + 10);
        free(part);
}
END_TEST

START_TEST(last_words) {
        PlCtl ctl = ask();

        say("one\n", 1);
        say("two, cut sh", 2);
        say("three\n", 3);
        say("four without end", 4);
        rotate_now();
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_str_eq(out, "one\ntwo, cut sh\nthree\nfour without end");
        for (ctl.logs.tail = 1; ctl.logs.tail < 5; ctl.logs.tail++) {
                ck_assert_int_eq(run(ctl), 0);
                ck_assert_uint_eq(count_lines(out), ctl.logs.tail);
        }
        ctl.logs.tail = UINT64_MAX;
        ctl.logs.since_nsec = (T0 + 3) * 1000000000;
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_str_eq(out, "three\nfour without end");
        ctl.logs.grep = "^three$";
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_str_eq(out, "three\n");
}
END_TEST

/* The clock steps back by an hour, within an archive, between two, and in the live log. */
START_TEST(clock_steps) {
        static const unsigned secs[] = { 100, 4000, 500, 4100, 600, 4200, 700, 4300 };
        PlCtl ctl = ask();
        char line[32];

        for (unsigned i = 0; i < PL_ARRAY_SIZE(secs); i++) {
                snprintf(line, sizeof(line), "%u\n", secs[i]);
                say(line, secs[i]);
                if ((int)i == _i)
                        rotate_now();
        }
        ctl.logs.since_nsec = (T0 + 4000) * 1000000000;
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_str_eq(out, "4000\n4100\n4200\n4300\n");
        ctl.logs.tail = 3;
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_str_eq(out, "4100\n4200\n4300\n");
        ctl.logs.tail = UINT64_MAX;
        ctl.logs.since_nsec = 0;
        ctl.logs.until_nsec = (T0 + 3000) * 1000000000;
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_str_eq(out, "100\n500\n600\n700\n");
        ctl.logs.tail = 2;
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_str_eq(out, "600\n700\n");
}
END_TEST

/* --- what is missing
 * ------------------------------------------------------------------------------ */

static const struct {
        const char *name;
        const char *how; /* a shell command: A: an archive, the second of three; L: the live log;
                          * S: its record; D: the archive directory */
        const char *says, *shows;
        int status;
} missing[] = {
        { "nothing", ":", "", "1\n2\n3\n4\n", 0 },
        { "live log removed", "rm $L", "somebody has removed or moved", "1\n2\n3\n", 1 },
        { "live log moved", "mv $L $L.x", "somebody has removed or moved", "1\n2\n3\n", 1 },
        { "copied and moved over", "cp $L $L.x; mv $L.x $L", "", "1\n2\n3\n4\n", 0 },
        { "a link in its place", "mv $L $L.x; ln -s $L.x $L", "a symbolic link", "1\n2\n3\n", 1 },
        { "a second name", "ln $L $L.x", "no regular file with one name", "1\n2\n3\n", 1 },
        { "a directory in its place", "rm $L; mkdir $L", "no regular file", "1\n2\n3\n", 1 },
        { "container removed", "rm -r $(dirname $L)", "web was removed, and its live log with it",
          "1\n2\n3\n", 1 },
        { "record and container removed", "rm -r $S $(dirname $L)", "", "1\n2\n3\n", 0 },
        { "record damaged", "echo x >$S", "cannot be read, so its live log is not found",
          "1\n2\n3\n", 1 },
        { "records removed", "rm -r $D/.state", "", "1\n2\n3\n", 1 },
        { "archive removed", "rm $A", "archive 2 of web is not there", "1\n3\n4\n", 1 },
        { "archive empty", ": >$A", "_000002_", "1\n3\n4\n", 1 },
        { "archive of rubbish", "head -c 5000 /dev/zero >$A", ": damaged", "1\n3\n4\n", 1 },
        { "archive without its table", "truncate -s -20 $A", "its end is missing", "1\n2\n3\n4\n",
          1 },
        { "archive with a damaged frame",
          "printf XXXX | dd of=$A bs=1 seek=12 conv=notrunc status=none", "part 1 of 1: damaged",
          "1\n3\n4\n", 1 },
        { "garbage in the live log", "echo garbage >>$L", "1 line of the log of web skipped",
          "1\n2\n3\n4\n", 1 },
        { "archive directory removed", "rm -r $D", "no such archive directory", "", 1 },
};

START_TEST(something_missing) {
        PlStoredArchive *archives;
        PlCtl ctl = ask();
        char path[1024], text[16];
        size_t n;

        for (unsigned i = 1; i <= 4; i++) {
                snprintf(text, sizeof(text), "%u\n", i);
                say(text, i);
                if (i < 4)
                        rotate_now();
        }
        ck_assert_int_eq(pl_log_store_list(store, ID, &archives, &n), 0);
        ck_assert_uint_eq(n, 3);
        snprintf(path, sizeof(path), "%s/%s/%s", store_path, archives[1].service, archives[1].file);
        free(archives);
        (void)setenv("A", path, 1);
        (void)setenv("L", log_path, 1);
        (void)setenv("D", store_path, 1);
        snprintf(path, sizeof(path), "%s/.state/" ID, store_path);
        (void)setenv("S", path, 1);
        ck_assert_int_eq(system(missing[_i].how), 0);
        for (unsigned i = 0; i < 2; i++) { /* forward, and backward to the beginning */
                ctl.logs.tail = i ? 100 : UINT64_MAX;
                ck_assert_msg(run(ctl) == missing[_i].status, "%s: %s", missing[_i].name, err);
                ck_assert_msg(pl_streq(out, missing[_i].shows), "%s: %s%s", missing[_i].name, out,
                              err);
                ck_assert_msg(strstr(err, missing[_i].says) &&
                                              (*missing[_i].says || !*err || missing[_i].status),
                              "%s: %s", missing[_i].name, err);
        }
}
END_TEST

/* What is damaged and was not asked for is none of the reader's business. */
START_TEST(missing_elsewhere) {
        PlStoredArchive *archives;
        PlCtl ctl = ask();
        char path[1024];
        size_t n;

        say("1\n", 1);
        rotate_now();
        say("2\n", 100);
        rotate_now();
        say("3\n", 200);
        rotate_now();
        say("4\n", 300);
        ck_assert_int_eq(pl_log_store_list(store, ID, &archives, &n), 0);
        snprintf(path, sizeof(path), "%s/%s/%s", store_path, archives[1].service, archives[1].file);
        free(archives);
        ck_assert_int_eq(unlink(path), 0);
        ctl.logs.since_nsec = (T0 + 300) * 1000000000;
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_str_eq(out, "4\n");
        ctl.logs.since_nsec = 0;
        ctl.logs.tail = 2;
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_str_eq(out, "3\n4\n");
        ctl.logs.tail = 3;
        ck_assert_int_eq(run(ctl), 1);
        ck_assert_str_eq(out, "1\n3\n4\n");
}
END_TEST

/* Frames of other times are not even unpacked, forward and backward: here they cannot be. */
START_TEST(frames_passed_over) {
        PlStoredArchive *archives;
        PlCtl ctl = ask();
        char path[1024];
        size_t n;
        FILE *f = fopen(log_path, "ae");
        int fd;

        for (unsigned i = 0; i < 200000; i++) /* three frames */
                fprintf(f,
                        "{\"log\":\"%u and some text to make it longer\\n\",\"stream\":\"stdout\","
                        "\"time\":\"2026-01-02T03:%02u:%02u.5Z\"}\n",
                        i, i / 6000, i / 100 % 60);
        ck_assert_int_eq(fclose(f), 0);
        rotate_now();
        ck_assert_int_eq(pl_log_store_list(store, ID, &archives, &n), 0);
        snprintf(path, sizeof(path), "%s/%s/%s", store_path, archives[0].service, archives[0].file);
        free(archives);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        ck_assert_int_eq(pwrite(fd, "rubbish", 7, 0), 7);
        (void)close(fd);
        ctl.logs.since_nsec = (T0 + 1000) * 1000000000;
        ctl.logs.until_nsec = (T0 + 1001) * 1000000000;
        for (unsigned i = 0; i < 2; i++) {
                ctl.logs.tail = i ? 1000 : UINT64_MAX;
                ck_assert_int_eq(run(ctl), 0);
                ck_assert_str_eq(err, "");
                ck_assert_uint_eq(count_lines(out), 100);
                ck_assert(pl_startswith(out, "100000 and some"));
        }
        ctl.logs.since_nsec = 0;
        ctl.logs.tail = UINT64_MAX;
        ck_assert_int_eq(run(ctl), 1);
        ck_assert(strstr(err, "part 1 of "));
}
END_TEST

/* --- several containers
 * --------------------------------------------------------------------------- */

#define ID2 "fedcba98fedcba98fedcba98fedcba98fedcba98fedcba98fedcba98fedcba98"
#define ID3 "fedcaaaafedcba98fedcba98fedcba98fedcba98fedcba98fedcba98fedcba98"

/* A container of service front with a log of its own. */
static void other(const char *id, const char *name, char path[static 512]) {
        PlRotateRequest req = request(20, true);
        PlRotateOutcome o;

        snprintf(path, 512, "%s/%s", tmp, id);
        ck_assert_int_eq(mkdir(path, 0710), 0);
        snprintf(path, 512, "%s/%s/%s-json.log", tmp, id, id);
        (void)close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        memcpy(req.id, id, PL_ID_MAX);
        req.name = (char *)name;
        req.path = path;
        req.max_size_bytes = PL_UNLIMITED;
        ck_assert_int_eq(rotate(&req, &o), 0);
}

static void say_other(const char *path, const char *text, unsigned sec) {
        say_to(path, text, strlen(text), false, (T0 + sec) * 1000000000);
}

START_TEST(one_stream) {
        char *arguments[] = { (char *)"front", NULL };
        PlCtl ctl = ask();
        char second[512], third[512];

        ctl.arguments = arguments;
        say("a1\n", 10);
        say("a2\n", 30);
        rotate_now();
        say("a3 back\n", 5); /* its clock stepped: it does not go before a2 */
        say("a4\n", 50);
        rotate_now();
        (void)unlink(log_path);
        ck_assert_int_eq(pl_log_store_forget(store, ID), 0); /* it is gone */
        other(ID2, "web", second);
        say_other(second, "b1\n", 20);
        say_other(second, "b2\n", 60);
        other(ID3, "web-2", third);
        say_other(third, "c1\n", 40);
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_str_eq(out, "a1\nb1\na2\na3 back\nc1\na4\nb2\n");
        for (ctl.logs.tail = 0; ctl.logs.tail < 9; ctl.logs.tail++) {
                ck_assert_int_eq(run(ctl), 0);
                ck_assert_str_eq(out,
                                 last_lines("a1\nb1\na2\na3 back\nc1\na4\nb2\n", ctl.logs.tail));
        }
        ctl.logs.tail = UINT64_MAX;
        ctl.logs.container = "fedcaa";
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_str_eq(out, "c1\n");
        ctl.logs.container = "0123456789ab"; /* gone: its archives */
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_str_eq(out, "a1\na2\na3 back\na4\n");
        ctl.logs.container = "fedc";
        ck_assert_int_eq(run(ctl), PL_EXIT_USAGE);
        ck_assert(strstr(err, "fedcaaaafedc web-2") && strstr(err, "fedcba98fedc web"));
        ctl.logs.container = NULL;
        arguments[0] = (char *)"web"; /* the name, before and now */
        ctl.logs.details = true;
        ck_assert_int_eq(run(ctl), 0);
        ck_assert_str_eq(out, "-- web 0123456789ab --\n a1\n-- web fedcba98fedc --\n b1\n"
                              "-- web 0123456789ab --\n a2\n a3 back\n a4\n"
                              "-- web fedcba98fedc --\n b2\n");
}
END_TEST

/* --- what comes
 * ----------------------------------------------------------------------------------- */

static bool wait_for(const char *text) {
        for (unsigned i = 0; i < 500; i++) {
                _cleanup_free_ char *now = slurp("out");

                if (pl_streq(now, text))
                        return true;
                (void)usleep(10000);
        }
        return false;
}

static pid_t follow(PlCtl ctl) {
        int o, e;
        pid_t pid;

        ctl.logs.follow = true;
        redirect(stdout, 1, "out", &o);
        redirect(stderr, 2, "err", &e);
        pid = fork();
        if (pid == 0)
                _exit(pl_ctl_cmd_logs(&ctl));
        restore(stdout, 1, o);
        restore(stderr, 2, e);
        return pid;
}

/* Last words are shown when they are said, and containers that the service gets are followed. */
START_TEST(followed) {
        char *arguments[] = { (char *)"front", NULL };
        char second[512], moved[520], *part = malloc(PART + 4);
        PlCtl ctl = ask();
        int status;
        pid_t pid;

        ctl.arguments = arguments;
        say("one\n", 1);
        rotate_now();
        pid = follow(ctl);
        ck_assert(wait_for("one\n"));
        say("last words", 2);
        ck_assert(wait_for("one\nlast words"));
        say("again\n", 3);
        ck_assert(wait_for("one\nlast words\nagain\n"));
        rotate_now();
        say("two\n", 4);
        ck_assert(wait_for("one\nlast words\nagain\ntwo\n"));
        snprintf(moved, sizeof(moved), "%s.1", log_path); /* the engine rotates */
        say("three\n", 5);
        ck_assert_int_eq(rename(log_path, moved), 0);
        say("four\n", 6);
        ck_assert(wait_for("one\nlast words\nagain\ntwo\nthree\nfour\n"));
        other(ID2, "web-2", second);
        say_other(second, "new\n", 7);
        ck_assert(wait_for("one\nlast words\nagain\ntwo\nthree\nfour\nnew\n"));
        memset(part, 'x', PART);
        part[PART] = '\0';
        say_other(second, part, 8);
        strcpy(part + PART, "new");
        ck_assert_int_eq(unlink(second), 0);
        ck_assert_int_eq(unlink(log_path), 0);
        ck_assert_int_eq(unlink(moved), 0);
        *strrchr(second, '/') = *strrchr(moved, '/') = '\0';
        ck_assert_int_eq(rmdir(second), 0);
        ck_assert_int_eq(rmdir(moved), 0);
        for (unsigned i = 0; i < 500 && waitpid(pid, &status, WNOHANG) == 0; i++)
                (void)usleep(10000);
        ck_assert_int_eq(kill(pid, 0), -1); /* nothing is left to follow */
        ck_assert_int_eq(status, 0);
        free(part);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_checked_fixture(c, setup_logs, teardown_logs);
        tcase_set_timeout(c, 60);
        tcase_add_loop_test(c, tails, 0, 8);
        tcase_add_test(c, long_lines);
        tcase_add_test(c, last_words);
        tcase_add_loop_test(c, clock_steps, 0, 8);
        tcase_add_loop_test(c, something_missing, 0, PL_ARRAY_SIZE(missing));
        tcase_add_test(c, missing_elsewhere);
        tcase_add_test(c, frames_passed_over);
        tcase_add_test(c, one_stream);
        tcase_add_test(c, followed);
        return run_case(c);
}
