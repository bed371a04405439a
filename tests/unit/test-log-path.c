/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Log files in real directories: what is kept, what is packed, and that nothing beside the mount is
 * ever touched, whatever lies in it or changes under the walk.
 */

#include "logs/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <zstd.h>

#include "base/clock.h"
#include "tmp.h"

static char mnt[64], outside[64];
static PlArchiver *archiver;
static PlMount mounts[1];
static PlLogPathRequest request;
static PlLogPathOutcome outcome;

static void setup(void) {
        tmp_make("/tmp");
        (void)snprintf(mnt, sizeof(mnt), "%s/mnt", tmp);
        (void)snprintf(outside, sizeof(outside), "%s/outside", tmp);
        ck_assert_int_eq(mkdir(mnt, 0755), 0);
        ck_assert_int_eq(mkdir(outside, 0755), 0);
        mounts[0] = (PlMount){ (char *)"bind", mnt, (char *)"/logs" };
        archiver = pl_archiver_new(1);
        request = (PlLogPathRequest){ .source = strdup(mnt),
                                      .globs = calloc(4, sizeof(PlLogpathGlob)),
                                      .policy = { .max_size_bytes = KIB(64),
                                                  .max_age_usec = 7 * PL_USEC_PER_DAY,
                                                  .compress_after_usec = PL_USEC_PER_DAY } };
}

static void teardown(void) {
        pl_archiver_free(archiver);
        pl_log_path_request_deinit(&request);
        pl_log_path_outcome_deinit(&outcome);
        tmp_remove();
}

static void glob(const char *path) {
        size_t mount;
        char *text;

        ck_assert_int_eq(pl_logpath_resolve(mounts, 1, path, &mount,
                                            &request.globs[request.n_globs], &text),
                         0);
        request.n_globs++;
}

static uint64_t behind_sec;

static void pass(void) {
        const PlRotateContext ctx = { .archiver = archiver,
                                      .now_sec = (uint64_t)time(NULL),
                                      .behind_sec = behind_sec };

        pl_log_path_outcome_deinit(&outcome);
        (void)pl_log_path_run(&ctx, &request, "/proc", &outcome);
}

static const char *at(const char *dir, const char *name) {
        static char paths[4][512];
        static unsigned i;
        char *path = paths[i++ % 4];

        (void)snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
        return path;
}

static void make(const char *path, size_t size, unsigned age_sec) {
        const struct timespec t[2] = { { time(NULL) - age_sec, 5 }, { time(NULL) - age_sec, 5 } };
        _cleanup_fclose_ FILE *f = tmp_open(path + strlen(tmp) + 1);

        for (size_t i = 0; i < size; i++)
                (void)fputc(i % 50 == 49 ? '\n' : 'a' + (int)(i % 7), f);
        ck_assert_int_eq(fflush(f), 0);
        ck_assert_int_eq(futimens(fileno(f), t), 0);
}

static bool there(const char *path) {
        struct stat st;

        return lstat(path, &st) == 0;
}

/* Of all frames, one behind another; the text is checked by zstd's own checksums. */
static uint64_t unpacked_size(const char *path) {
        _cleanup_fclose_ FILE *f = fopen(path, "r");
        ZSTD_DCtx *zstd = ZSTD_createDCtx();
        static char in[65536], out[65536];
        uint64_t total = 0;
        size_t n, left = 0;

        ck_assert_ptr_nonnull(f);
        while ((n = fread(in, 1, sizeof(in), f)) > 0) {
                ZSTD_inBuffer i = { in, n, 0 };

                while (i.pos < i.size) {
                        ZSTD_outBuffer o = { out, sizeof(out), 0 };

                        left = ZSTD_decompressStream(zstd, &o, &i);
                        ck_assert_msg(!ZSTD_isError(left), "%s: %s", path, ZSTD_getErrorName(left));
                        total += o.pos;
                }
        }
        ck_assert_uint_eq(left, 0); /* the last frame is complete */
        ZSTD_freeDCtx(zstd);
        return total;
}

#define HOUR 3600U
#define DAY  (24 * HOUR)

START_TEST(does_each_thing) {
        struct stat st;

        glob("/logs/**/*.log");
        make(at(mnt, "young.log"), 100, HOUR);
        make(at(mnt, "day.log"), 1234, 2 * DAY);
        ck_assert_int_eq(chmod(at(mnt, "day.log"), 0640), 0);
        if (geteuid() == 0)
                ck_assert_int_eq(chown(at(mnt, "day.log"), 999, 998), 0);
        make(at(mnt, "large.log"), 100000, HOUR);
        make(at(mnt, "dag=1/run=2026/old.log"), 10, 9 * DAY);
        make(at(mnt, "dag=1/other.txt"), 10, 9 * DAY);
        make(at(mnt, "dag=2/run=2026/t/old.log"), 10, 9 * DAY);
        make(at(mnt, "old.log.20260101T000000Z.zst"), 10, 9 * DAY);
        make(at(mnt, "x.log.zst.plimsoll-tmp"), 10, 0);
        make(at(mnt, "x.txt.zst.plimsoll-tmp"), 10, 0);
        request.dry_run = true;
        behind_sec = 9 * DAY; /* of the clock, so much is not proven */
        pass();
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_DELETE] + outcome.folders, 0);
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_COMPRESS], 1);
        behind_sec = 0;
        pass();
        ck_assert_int_eq(outcome.error, 0);
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_COMPRESS], 2);
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_DELETE], 3);
        ck_assert(there(at(mnt, "day.log")) && there(at(mnt, "dag=2/run=2026/t/old.log")));

        request.dry_run = false;
        pass();
        ck_assert_msg(outcome.error == 0, "%s: %s", outcome.errors[0].step,
                      strerror(-outcome.error));
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_COMPRESS], 2);
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_DELETE], 3);
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_DELETE_PARTIAL], 1);
        ck_assert_uint_eq(outcome.raw_bytes, 101234);
        ck_assert_uint_eq(outcome.folders, 4);
        ck_assert(there(at(mnt, "young.log")) && !there(at(mnt, "day.log")));
        ck_assert(!there(at(mnt, "large.log")) && there(at(mnt, "dag=1/other.txt")));
        ck_assert(!there(at(mnt, "dag=1/run=2026")) && !there(at(mnt, "dag=2")));
        ck_assert(there(at(mnt, "x.txt.zst.plimsoll-tmp")));
        ck_assert_uint_eq(unpacked_size(at(mnt, ".plimsoll/day.log.zst")), 1234);
        ck_assert_uint_eq(unpacked_size(at(mnt, ".plimsoll/large.log.zst")), 100000);
        ck_assert_int_eq(stat(at(mnt, ".plimsoll/day.log.zst"), &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0640);
        ck_assert_int_le(st.st_mtim.tv_sec, time(NULL) - 2 * (time_t)DAY);
        ck_assert_int_eq(st.st_mtim.tv_nsec, 5);
        if (geteuid() == 0)
                ck_assert(st.st_uid == 999 && st.st_gid == 998);

        pass();
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_COMPRESS] + outcome.n[PL_LOGPATH_DELETE], 0);
        request.dry_run = true;
        pass();
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_KEEP], 3);
        if (geteuid() != 0)
                SKIP_HERE("not root: whose the archive is");
}
END_TEST

START_TEST(an_open_file_is_written) {
        _cleanup_close_ int fd = -EBADF;
        char line[] = "a line\n";

        glob("/logs/*.log");
        make(at(mnt, "day.log"), 1000, 2 * DAY);
        make(at(mnt, "old.log"), 1000, 9 * DAY);
        make(at(mnt, "large.log"), 100000, 0);
        fd = open(at(mnt, "day.log"), O_WRONLY | O_APPEND | O_CLOEXEC);
        pass();
        ck_assert(there(at(mnt, "day.log")) && !there(at(mnt, "old.log")));
        (void)close(fd);

        /* copied and truncated; an appending writer goes on at the start */
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_TRUNCATE], 1);
        ck_assert_uint_eq(outcome.lost_bytes, 0);
        ck_assert_uint_eq(outcome.raw_bytes, 100000);
        fd = open(at(mnt, "large.log"), O_RDWR | O_APPEND | O_CLOEXEC);
        ck_assert_int_eq(lseek(fd, 0, SEEK_END), 0);

        /* renamed, and packed once it is closed */
        (void)close(fd);
        request.policy.reopen_signal = 1;
        make(at(mnt, "large.log"), 100000, 0);
        fd = open(at(mnt, "large.log"), O_WRONLY | O_APPEND | O_CLOEXEC);
        pass();
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_REOPEN], 1);
        ck_assert(!there(at(mnt, "large.log")));
        ck_assert_int_eq(write(fd, line, 7), 7); /* no line is lost */
        pass();
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_SIGNAL], 1);
        ck_assert_int_eq(futimens(fd, (struct timespec[2]){ { 1700000000, 0 },
                                                            { time(NULL) - HOUR, 0 } }),
                         0);
        (void)close(TAKE_FD(fd));
        pass();
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_COMPRESS], 1);
        ck_assert_uint_eq(outcome.raw_bytes, 100007);
}
END_TEST

START_TEST(what_is_odd_is_left) {
        glob("/logs/**/*.log");
        make(at(outside, "a.log"), 1000, 9 * DAY);
        make(at(outside, "dir/b.log"), 1000, 9 * DAY);
        ck_assert_int_eq(symlink(at(outside, "a.log"), at(mnt, "link.log")), 0);
        ck_assert_int_eq(symlink("/proc/self/root", at(mnt, "root.log")), 0);
        ck_assert_int_eq(symlink(outside, at(mnt, "linkdir")), 0);
        ck_assert_int_eq(symlink("..", at(mnt, "up")), 0);
        ck_assert_int_eq(link(at(outside, "a.log"), at(mnt, "hard.log")), 0);
        ck_assert_int_eq(mkfifo(at(mnt, "fifo.log"), 0666), 0);
        ck_assert_int_eq(mkdir(at(mnt, "dir.log"), 0777), 0);
        make(at(mnt, "-rf \n\x1b[31m$(x)'\".log"), 1000, 9 * DAY);
        request.policy.max_size_bytes = 1;
        pass();
        ck_assert_int_eq(outcome.error, 0);
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_DELETE], 1);
        ck_assert(there(at(outside, "a.log")) && there(at(outside, "dir/b.log")));
        ck_assert(there(at(mnt, "link.log")) && there(at(mnt, "hard.log")) &&
                  there(at(mnt, "fifo.log")));

        /* nor is a link in the way to the mount followed */
        free(request.source);
        request.source = strdup(at(mnt, "linkdir"));
        pass();
        ck_assert_int_eq(outcome.error, -ELOOP);
        ck_assert_str_eq(outcome.errors[0].path, request.source);
        ck_assert(there(at(outside, "a.log")));
}
END_TEST

static void age_all(const char *folder, const struct timespec times[2]) {
        DIR *d = opendir(folder);

        for (const struct dirent *e; (e = readdir(d));)
                if (e->d_type == DT_REG)
                        ck_assert_int_eq(utimensat(dirfd(d), e->d_name, times, 0), 0);
        (void)closedir(d);
}

static unsigned archives_of(const char *name) {
        DIR *d = opendir(at(mnt, ".plimsoll"));
        unsigned n = 0;

        for (const struct dirent *e; (e = readdir(d));)
                n += strncmp(e->d_name, name, strlen(name)) == 0 && strstr(e->d_name, ".zst");
        (void)closedir(d);
        return n;
}

START_TEST(archives_do_not_clash) {
        struct stat st;

        glob("/logs/*.log");
        make(at(mnt, "a.log"), 1000, 2 * DAY);
        make(at(mnt, ".plimsoll/a.log.zst"), 77, 3 * DAY); /* of another time: stays */
        pass();
        ck_assert_int_eq(stat(at(mnt, ".plimsoll/a.log.zst"), &st), 0);
        ck_assert_int_eq(st.st_size, 77);
        ck_assert(!there(at(mnt, "a.log")));

        /* of the same time, to the nanosecond, and something else: both stay */
        make(at(mnt, "b.log"), 1000, 2 * DAY);
        ck_assert_int_eq(stat(at(mnt, "b.log"), &st), 0);
        pass();
        ck_assert_uint_eq(unpacked_size(at(mnt, ".plimsoll/b.log.zst")), 1000);
        for (unsigned i = 1; i <= 2; i++) {
                make(at(mnt, "b.log"), 1000 + i, 0);
                ck_assert_int_eq(utimensat(AT_FDCWD, at(mnt, "b.log"),
                                           (struct timespec[2]){ st.st_mtim, st.st_mtim }, 0),
                                 0);
                pass();
                ck_assert_int_eq(outcome.error, 0);
                ck_assert(!there(at(mnt, "b.log")));
                ck_assert_uint_eq(unpacked_size(at(mnt, ".plimsoll/b.log.zst")), 1000);
                ck_assert_uint_eq(archives_of("b.log"), 1 + i);
        }

        /* killed between naming the archive and removing the log: the same */
        make(at(mnt, "b.log"), 1002, 0);
        ck_assert_int_eq(utimensat(AT_FDCWD, at(mnt, "b.log"),
                                   (struct timespec[2]){ st.st_mtim, st.st_mtim }, 0),
                         0);
        pass();
        ck_assert(!there(at(mnt, "b.log")));
        ck_assert_uint_eq(archives_of("b.log"), 3);
}
END_TEST

/* How many names in the folder of a log its own name with a star finds, as Airflow looks for it. */
static unsigned found_beside(const char *folder, const char *pattern) {
        DIR *d = opendir(folder);
        unsigned n = 0;

        for (const struct dirent *e; (e = readdir(d));)
                n += fnmatch(pattern, e->d_name, 0) == 0;
        (void)closedir(d);
        return n;
}

/* No program that looks for its logs finds an archive; what is in there is known all the same, and
 * goes in its time, with the folder. */
START_TEST(archives_lie_apart) {
        const struct timespec old[2] = { { 1, 0 }, { time(NULL) - 9 * DAY, 0 } };
        char folder[256];
        struct stat st;

        glob("/logs/**/*.log");
        (void)snprintf(folder, sizeof(folder), "%s/run", mnt);
        ck_assert_int_eq(mkdir(folder, 0751), 0);
        ck_assert_int_eq(chmod(folder, 0751), 0);
        make(at(folder, "attempt=1.log"), 1000, 2 * DAY);
        make(at(folder, "attempt=2.log"), 100000, 0);
        request.policy.compress_after_usec = PL_USEC_PER_DAY;
        pass();
        ck_assert_int_eq(outcome.error, 0);
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_COMPRESS], 1);
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_TRUNCATE], 1);
        ck_assert_uint_eq(found_beside(folder, "attempt=1.log*"), 0);
        ck_assert_uint_eq(found_beside(folder, "attempt=2.log*"), 1);
        ck_assert_uint_eq(unpacked_size(at(folder, ".plimsoll/attempt=1.log.zst")), 1000);
        ck_assert_int_eq(stat(at(folder, ".plimsoll"), &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0751);

        ck_assert_int_eq(unlink(at(folder, "attempt=2.log")), 0);
        ck_assert_int_eq(utimensat(AT_FDCWD, at(folder, ".plimsoll/attempt=1.log.zst"), old, 0), 0);
        pass(); /* one goes, one is as young as it was */
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_DELETE], 1);
        ck_assert_uint_eq(outcome.folders, 0);
        ck_assert_uint_eq(found_beside(at(folder, ".plimsoll"), "attempt=2.log.*Z.zst"), 1);
        request.policy.max_files = 1;
        make(at(folder, "attempt=3.log"), 10, 0); /* the newest */
        pass();
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_DELETE], 0); /* it is quite new */
        age_all(at(folder, ".plimsoll"), old);
        pass();
        ck_assert_uint_eq(outcome.folders, 1); /* .plimsoll: the log is still there */
        ck_assert(!there(at(folder, ".plimsoll")));
        age_all(folder, old);
        pass();
        ck_assert_uint_eq(outcome.folders, 1);
        ck_assert(!there(folder));
}
END_TEST

START_TEST(attributes_stay) {
        char value[16] = "";

        glob("/logs/*.log");
        make(at(mnt, "a.log"), 1000, 0);
        if (setxattr(at(mnt, "a.log"), "user.owner", "ml", 2, 0) < 0)
                SKIP_HERE("no extended attributes here");
        ck_assert_int_eq(utimensat(AT_FDCWD, at(mnt, "a.log"),
                                   (struct timespec[2]){ { 1e9, 0 }, { time(NULL) - 2 * DAY, 0 } },
                                   0),
                         0);
        pass();
        ck_assert_int_eq(outcome.error, 0);
        ck_assert_int_eq(getxattr(at(mnt, ".plimsoll/a.log.zst"), "user.owner", value,
                                  sizeof(value)),
                         2);
        ck_assert_str_eq(value, "ml");
}
END_TEST

/* Each file that could not be packed is told, some by name. */
START_TEST(every_error_is_told) {
        char name[256];

        glob("/logs/*");
        memset(name, 'x', 255);
        name[255] = '\0';
        for (unsigned i = 0; i < PL_LOG_PATH_ERRORS_MAX + 2; i++) {
                name[0] = (char)('a' + i);
                make(at(mnt, name), 10, 2 * DAY);
        }
        pass();
        ck_assert_uint_eq(outcome.n_errors, PL_LOG_PATH_ERRORS_MAX + 2);
        for (unsigned i = 0; i < PL_LOG_PATH_ERRORS_MAX; i++) {
                ck_assert_int_eq(outcome.errors[i].error, -ENAMETOOLONG);
                for (unsigned k = 0; k < i; k++)
                        ck_assert_str_ne(outcome.errors[i].path, outcome.errors[k].path);
        }
}
END_TEST

/* Somebody swaps folders and files for links to the outside as fast as they can. */
static atomic_bool swapping;

static void *swap(void *userdata) {
        char dir[600], real[600], file[600];

        (void)snprintf(dir, sizeof(dir), "%s/d", mnt);
        (void)snprintf(real, sizeof(real), "%s/real", mnt);
        (void)snprintf(file, sizeof(file), "%s/f.log", mnt);
        while (atomic_load(&swapping)) {
                (void)rename(dir, real);
                (void)symlink(outside, dir);
                (void)unlink(file);
                (void)symlink(userdata, file);
                (void)unlink(dir);
                (void)rename(real, dir);
                (void)unlink(file);
                (void)link(userdata, file);
        }
        return NULL;
}

START_TEST(races_lead_nowhere) {
        char victim[600];
        struct stat before, after;
        pthread_t thread;

        glob("/logs/**/*.log");
        (void)snprintf(victim, sizeof(victim), "%s/victim.log", outside);
        make(victim, 5000, 2 * DAY);
        make(at(mnt, "d/keep.txt"), 1, 0);
        ck_assert_int_eq(stat(victim, &before), 0);
        atomic_store(&swapping, true);
        ck_assert_int_eq(pthread_create(&thread, NULL, swap, victim), 0);
        for (unsigned i = 0; i < 120; i++) {
                char name[32];

                /* in d while that is a folder; a file of that name beside the victim otherwise */
                (void)snprintf(name, sizeof(name), "d/%u.log", i);
                int fd = open(at(mnt, name), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
                if (fd >= 0)
                        (void)close(fd);
                request.policy.max_age_usec = i % 2 ? PL_USEC_PER_DAY : PL_TIME_INFINITY;
                pass();
        }
        atomic_store(&swapping, false);
        (void)pthread_join(thread, NULL);
        ck_assert_int_eq(stat(victim, &after), 0);
        ck_assert_int_eq(after.st_size, before.st_size);
        ck_assert_int_eq(after.st_ino, before.st_ino);
        ck_assert(!there(at(outside, "victim.log.zst")));
}
END_TEST

/* A child packs and is killed somewhere: the log is whole, or its archive is. */
START_TEST(killed_anywhere) {
        glob("/logs/*.log");
        for (unsigned i = 0; i < 24; i++) {
                pid_t child;

                make(at(mnt, "a.log"), 3000000, 2 * DAY);
                child = fork();
                if (child == 0) {
                        pass();
                        _exit(0);
                }
                (void)usleep(i * 1200);
                (void)kill(child, SIGKILL);
                (void)waitpid(child, NULL, 0);
                if (!there(at(mnt, "a.log")))
                        ck_assert(there(at(mnt, ".plimsoll/a.log.zst")));
                pass();
                ck_assert_int_eq(outcome.error, 0);
                ck_assert(!there(at(mnt, "a.log")));
                ck_assert(!there(at(mnt, ".plimsoll/a.log.zst.plimsoll-tmp")));
                ck_assert_uint_eq(unpacked_size(at(mnt, ".plimsoll/a.log.zst")), 3000000);
                ck_assert_int_eq(unlink(at(mnt, ".plimsoll/a.log.zst")), 0);
        }
}
END_TEST

START_TEST(long_names) {
        char name[256];

        glob("/logs/*");
        memset(name, 'x', 255);
        name[255] = '\0';
        make(at(mnt, name), 10, 2 * DAY);
        pass();
        ck_assert_int_eq(outcome.error, -ENAMETOOLONG);
        ck_assert_str_eq(outcome.errors[0].path, name);
        ck_assert(there(at(mnt, name)));
}
END_TEST

static void make_sparse(const char *path, uint64_t size, unsigned age_sec) {
        const struct timespec t[2] = { { time(NULL) - age_sec, 5 }, { time(NULL) - age_sec, 5 } };
        _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        off_t at = (off_t)size;

        while (ftruncate(fd, at) < 0) { /* what the file system allows */
                ck_assert_int_eq(errno, EFBIG);
                at /= 2;
        }
        ck_assert_int_eq(pwrite(fd, "begin\n", 6, 0), 6);
        ck_assert_int_eq(pwrite(fd, "middle\n", 7, at / 2), 7);
        ck_assert_int_eq(futimens(fd, t), 0);
}

/* The answer of a neighbour in time, measured as the work that it takes. */
START_TEST(holes_are_no_work) {
        uint64_t begin = pl_clock_usec(CLOCK_THREAD_CPUTIME_ID);

        glob("/logs/*.log");
        make_sparse(at(mnt, "a.log"), UINT64_C(1) << 43, 2 * DAY);
        make_sparse(at(mnt, "written.log"), UINT64_C(1) << 43, 0);
        make(at(mnt, "neighbour.log"), 1000, 2 * DAY + HOUR);
        pass();
        ck_assert_uint_le(pl_clock_usec(CLOCK_THREAD_CPUTIME_ID) - begin, PL_USEC_PER_SEC);
        ck_assert_msg(outcome.error == 0, "%s: %s", outcome.errors[0].step,
                      strerror(-outcome.error));
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_COMPRESS], 2);
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_TRUNCATE], 1);
        ck_assert_uint_eq(outcome.n_large, 0);
        ck_assert_uint_gt(outcome.hole_bytes, GIB(1));
        ck_assert(!there(at(mnt, "a.log")) && !there(at(mnt, "neighbour.log")));
        ck_assert_uint_lt(unpacked_size(at(mnt, ".plimsoll/a.log.zst")), MIB(1));
        ck_assert_uint_gt(unpacked_size(at(mnt, ".plimsoll/a.log.zst")), 12);
}
END_TEST

/* What one container may take of the thread that works for all of them. */
START_TEST(a_turn_ends) {
        static const uint64_t sizes[] = { 5000, 4000, 3000, 20000 };
        char name[32];

        glob("/logs/*.log");
        request.turn.max_bytes = 8192;
        for (size_t i = 0; i < PL_ARRAY_SIZE(sizes); i++) {
                (void)snprintf(name, sizeof(name), "%zu.log", i);
                make(at(mnt, name), sizes[i], 2 * DAY + (unsigned)i);
        }
        pass(); /* the newest first: 5000, and 4000 more are over the turn's 8192 */
        ck_assert_int_eq(outcome.error, 0);
        ck_assert(outcome.unfinished);
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_COMPRESS], 2);
        pass(); /* what is too large for any such turn is left, and said to be */
        ck_assert(!outcome.unfinished);
        ck_assert_uint_eq(outcome.n[PL_LOGPATH_COMPRESS], 1);
        ck_assert_uint_eq(outcome.n_large, 1);
        ck_assert_int_eq(outcome.error, 0);
        ck_assert(there(at(mnt, "3.log")));

        request.turn = (PlLogPathTurn){ .file_usec = 1 }; /* of large files, in no time */
        pass();
        ck_assert_int_eq(outcome.error, -ETIME);
        ck_assert(there(at(mnt, "3.log")) && !there(at(mnt, ".plimsoll/3.log.zst")) &&
                  !there(at(mnt, ".plimsoll/3.log.zst.plimsoll-tmp")));
        request.turn = (PlLogPathTurn)PL_LOG_PATH_LARGE_TURN;
        pass();
        ck_assert_int_eq(outcome.error, 0);
        ck_assert_uint_eq(unpacked_size(at(mnt, ".plimsoll/3.log.zst")), 20000);

        request.turn = (PlLogPathTurn){ .max_usec = 1 }; /* of time alone */
        make(at(mnt, "4.log"), 10, 2 * DAY);
        make(at(mnt, "5.log"), 10, 3 * DAY);
        pass();
        ck_assert(outcome.unfinished && there(at(mnt, "5.log")));
}
END_TEST

/* A partial archive that a thread is just writing is not what a crash has left. */
START_TEST(work_of_another_thread_stays) {
        _cleanup_close_ int fd = -EBADF;

        glob("/logs/*.log");
        make(at(mnt, "x.log.zst.plimsoll-tmp"), 10, 0);
        fd = open(at(mnt, "x.log.zst.plimsoll-tmp"), O_WRONLY | O_CLOEXEC);
        pass();
        ck_assert(there(at(mnt, "x.log.zst.plimsoll-tmp")));
        (void)close(fd);
        pass();
        ck_assert(!there(at(mnt, "x.log.zst.plimsoll-tmp")));
}
END_TEST

START_TEST(gone) {
        glob("/logs/*");
        (void)rmdir(mnt);
        pass();
        ck_assert_int_eq(outcome.error, -ENOENT);
        ck_assert_ptr_nonnull(outcome.errors[0].step);
        ck_assert_int_eq(mkdir(mnt, 0755), 0);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("log-path");

        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, does_each_thing);
        tcase_add_test(t, an_open_file_is_written);
        tcase_add_test(t, what_is_odd_is_left);
        tcase_add_test(t, archives_do_not_clash);
        tcase_add_test(t, archives_lie_apart);
        tcase_add_test(t, attributes_stay);
        tcase_add_test(t, every_error_is_told);
        tcase_add_test(t, races_lead_nowhere);
        tcase_add_test(t, killed_anywhere);
        tcase_add_test(t, long_names);
        tcase_add_test(t, holes_are_no_work);
        tcase_add_test(t, a_turn_ends);
        tcase_add_test(t, work_of_another_thread_stays);
        tcase_add_test(t, gone);
        return run_case(t);
}
