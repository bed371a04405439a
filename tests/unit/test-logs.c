/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop's side of rotation: it is noticed when a log has grown, work is done elsewhere, and what
 * must not be touched is not.
 */
#include <poll.h>

#include "base/fs.h"
#include "logs-fixture.h"
#include "service-manager.h"

/* Of all archives. */
static uint64_t bytes_on_disk(void) {
        PlStoredArchive *archives;
        PlLogStore *store;
        uint64_t bytes = 0;
        size_t n;

        ck_assert_int_eq(pl_log_store_open(archive, false, (gid_t)-1, &store), 0);
        ck_assert_int_eq(pl_log_store_list(store, NULL, &archives, &n), 0);
        for (size_t i = 0; i < n; i++)
                bytes += archives[i].bytes;
        free(archives);
        pl_log_store_free(store);
        return bytes;
}

START_TEST(rotates_when_grown) {
        PlLogStatus s;

        append(100);
        update(20);
        LOOP_UNTIL(settled());
        ck_assert_uint_eq(n_rotated, 0);
        append(2000);
        LOOP_UNTIL(n_rotated == 1);
        ck_assert_uint_gt(lines, 1000);
        ck_assert(pl_logs_status(logs, ID, &s));
        ck_assert_uint_lt(s.size_bytes, KIB(64));
        ck_assert_uint_eq(s.archived_files, 1);
        ck_assert_uint_eq(s.lines, lines);
        ck_assert_uint_eq(bytes_on_disk(), s.archived_bytes);
        append(2000); /* and again: the watch was put back */
        LOOP_UNTIL(n_rotated == 2);
        (void)loop(500);
        ck_assert_uint_eq(loop(500), 0); /* quiet: not one wake-up */
}
END_TEST

/* Somebody removes the archives, or puts others there, under the daemon: that is said as what it
 * is, once, and the next rotation has a directory again. */
START_TEST(archives_removed) {
        char moved[sizeof(archive) + 8];

        append(3000);
        update(20);
        LOOP_UNTIL(n_rotated == 1);
        snprintf(moved, sizeof(moved), "%s.old", archive);
        ck_assert_int_eq(rename(archive, moved), 0);
        if (_i == 1)
                ck_assert_int_eq(mkdir(archive, 0700), 0);
        append(3000);
        LOOP_UNTIL(n_rotated == 2);
        ck_assert_uint_eq(n_findings, 0);
        ck_assert_uint_eq(n_archive_said, 1);
        ck_assert_uint_gt(bytes_on_disk(), 0);
        append(3000);
        LOOP_UNTIL(n_rotated == 3);
        ck_assert_uint_eq(n_archive_said, 1);
        ck_assert_uint_lt(lines, 9001);
        ck_assert_uint_gt(lines, 8000); /* and nothing was archived twice */
}
END_TEST

/* Slow writing wakes the loop now and then, not at each line. */
START_TEST(few_wakeups) {
        unsigned n = 0;

        update(20);
        LOOP_UNTIL(settled());
        for (unsigned i = 0; i < 200; i++) {
                append(1);
                (void)usleep(2000);
                while (sd_event_run(event, 0) > 0)
                        n++;
        }
        ck_assert_uint_le(n, 12);
        ck_assert_uint_eq(n_rotated, 0);
}
END_TEST

START_TEST(waits_for_the_engine) {
        append(3000);
        update(0);
        (void)loop(300);
        ck_assert_uint_eq(n_rotated, 0);
        update(20);
        LOOP_UNTIL(n_rotated == 1);
        pl_logs_set_engine(logs, NULL); /* lost */
        append(3000);
        (void)loop(600);
        ck_assert_uint_eq(n_rotated, 1);
        update(20);
        LOOP_UNTIL(n_rotated == 2);
}
END_TEST

START_TEST(left_alone) {
        PlPair max_size = { (char *)"max-size", (char *)"10m" };
        struct stat before, after;
        const char *why = NULL;
        PlLogStatus s;

        if (_i == 0) {
                container.log.options = &max_size;
                container.log.n_options = 1;
        } else if (_i == 1)
                container.log.driver = (char *)"journald";
        else if (_i == 2)
                policy.method = PL_LOG_METHOD_OFF;
        append(3000);
        ck_assert_int_eq(stat(log_path, &before), 0);
        if (_i == 3) {
                static PlPolicy p = { .n_ref = 99,
                                      .daemon.log_archive_budget_bytes = PL_UNLIMITED };

                pl_logs_set_policy(logs, &p, true);
        }
        update(20);
        (void)loop(400);
        ck_assert_int_eq(stat(log_path, &after), 0);
        ck_assert_int_eq(memcmp(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim)), 0);
        ck_assert_uint_eq(n_rotated, 0);
        ck_assert(pl_logs_status(logs, ID, &s));
        ck_assert_str_eq(s.method, _i == 0   ? "native"
                                   : _i == 1 ? "journald"
                                   : _i == 2 ? "off"
                                             : "auto");
        ck_assert_int_eq(pl_logs_rotate_now(logs, ID, &why), -EOPNOTSUPP);
        ck_assert_str_ne(why, "");
}
END_TEST

START_TEST(rotates_now) {
        const char *why = NULL;
        PlLogStatus s;

        append(300);
        update(20);
        LOOP_UNTIL(settled());
        ck_assert_uint_eq(n_rotated, 0);
        ck_assert_int_eq(pl_logs_rotate_now(logs, "x", &why), -ENOENT);
        /* so little is not worth an archive, which could push out another one */
        ck_assert_int_eq(pl_logs_rotate_now(logs, ID, &why), -ENODATA);
        ck_assert_ptr_nonnull(strstr(why, "nothing is done"));
        append(700);
        ck_assert_int_eq(pl_logs_rotate_now(logs, ID, &why), 0);
        ck_assert_int_eq(pl_logs_rotate_now(logs, ID, &why), 0); /* again, while it is under way */
        LOOP_UNTIL(n_rotated >= 1);
        ck_assert(pl_logs_status(logs, ID, &s));
        ck_assert_uint_ge(s.archived_files, 1);
}
END_TEST

/* Asked again before the first answer is heard: what it has archived counts. */
START_TEST(rotates_now_twice) {
        static PlPolicy p = { .n_ref = 99, .daemon.log_archive_budget_bytes = PL_UNLIMITED };
        const char *why = NULL;
        uint64_t first;

        pl_logs_set_policy(logs, &p, false);
        policy.max_size_bytes = MIB(64);
        policy.max_files = 1;
        append(300);
        update(20);
        LOOP_UNTIL(settled());
        append(1000);
        ck_assert_int_eq(pl_logs_rotate_now(logs, ID, &why), 0);
        for (unsigned i = 0; i < 3000 && lines_archived() == 0; i++)
                (void)poll(NULL, 0, 10); /* it is done, and nobody has heard of it */
        first = lines_archived();
        append(1000);
        ck_assert_int_eq(pl_logs_rotate_now(logs, ID, &why), 0);
        LOOP_UNTIL(n_rotated == 1);
        (void)loop(500); /* time enough for another one */
        ck_assert_uint_eq(n_rotated, 1);
        ck_assert_uint_eq(lines_archived(), first); /* it was not pushed out */
        ck_assert_int_eq(pl_logs_rotate_now(logs, ID, &why), -ENODATA);
}
END_TEST

/* It is removed while a job is under way: what that did is told all the same. */
START_TEST(removed_meanwhile) {
        static PlPolicy p = { .n_ref = 99, .daemon.log_archive_budget_bytes = PL_UNLIMITED };
        const char *why = NULL;

        pl_logs_set_policy(logs, &p, false);
        append(300);
        update(20);
        LOOP_UNTIL(settled());
        append(1000);
        ck_assert_int_eq(pl_logs_rotate_now(logs, ID, &why), 0);
        for (unsigned i = 0; i < 3000 && lines_archived() == 0; i++)
                (void)poll(NULL, 0, 10); /* it is done, and nobody has heard of it */
        pl_logs_remove(logs, ID, true);
        remove_directory();
        (void)loop(300);
        LOOP_UNTIL(is_forgotten());
        ck_assert_uint_eq(lines_archived(), 1300);
        ck_assert_uint_eq(lines, 1300);
}
END_TEST

/* What fails is found, said once, and gone when it works again. */
START_TEST(odd_log) {
        char command[2048];

        append(3000);
        snprintf(command, sizeof(command), "mv %s %s/x && ln -s %s/x %s", log_path, tmp, tmp,
                 log_path);
        ck_assert_int_eq(system(command), 0);
        update(20);
        LOOP_UNTIL(finding_now() == PL_LOG_FINDING_FAILED);
        ck_assert_uint_eq(n_findings, 1);
        ck_assert_uint_eq(n_rotated, 0);
        snprintf(command, sizeof(command), "rm %s && mv %s/x %s", log_path, tmp, log_path);
        ck_assert_int_eq(system(command), 0);
        update(20);
        LOOP_UNTIL(finding_now() == PL_LOG_FINDING_NONE);
        ck_assert_uint_eq(n_rotated, 1);
}
END_TEST

/* Lines as dockerd writes them, to the file that it opened at the container's start. */
static void write_to(int fd, unsigned n) {
        static const char line[] = "{\"log\":\"x\\n\",\"stream\":\"stdout\","
                                   "\"time\":\"2026-01-02T03:04:05Z\"}\n";

        for (unsigned i = 0; i < n; i++)
                ck_assert_int_eq(write(fd, line, sizeof(line) - 1), (ssize_t)sizeof(line) - 1);
}

static void meddle(int how) {
        char command[2048];

        if (how == 0)
                snprintf(command, sizeof(command), "rm %s", log_path);
        else if (how == 1)
                snprintf(command, sizeof(command), "mv %s %s/away", log_path, tmp);
        else
                snprintf(command, sizeof(command), "cp %s %s/x && mv %s/x %s", log_path, tmp, tmp,
                         log_path);
        ck_assert_int_eq(system(command), 0);
}

static bool archived(uint64_t n) {
        PlLogStatus s;

        return pl_logs_status(logs, ID, &s) && s.lines == n;
}

/* Somebody removes, moves or replaces a log that the engine writes to: noticed at once, told once,
 * what can be reached is archived, nobody is told that a rotation has begun, and all is well again
 * when the container runs anew. */
START_TEST(meddled_with) {
        const char *why = NULL;
        PlLogStatus s;
        uint64_t start;
        struct stat st;
        int fd;

        append(0);
        fd = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        container.started_usec = 1;
        write_to(fd, 1200);
        update(20);
        LOOP_UNTIL(archived(lines) && n_rotated == 1);
        write_to(fd, 100);
        meddle(_i);
        start = pl_clock_usec(CLOCK_MONOTONIC);
        LOOP_UNTIL(finding_now() == PL_LOG_FINDING_FAILED);
        ck_assert_uint_lt(pl_clock_usec(CLOCK_MONOTONIC) - start, PL_USEC_PER_SEC);
        ck_assert_int_eq(pl_logs_rotate_now(logs, ID, &why), -EOPNOTSUPP);
        ck_assert_ptr_nonnull(strstr(why, "restart the container"));
        LOOP_UNTIL(archived(1300));
        write_to(fd, 2000); /* and it goes on */
        LOOP_UNTIL(archived(3300));
        ck_assert_int_eq(fstat(fd, &st), 0);
        if (_i == 0) /* every file system here can punch */
                ck_assert_uint_lt((uint64_t)st.st_blocks * 512, KIB(64));
        update(20);
        (void)loop(200);
        ck_assert_uint_eq(n_findings, 1);
        ck_assert_int_eq(finding_now(), PL_LOG_FINDING_FAILED);
        write_to(fd, 3);
        (void)close(fd);
        (void)unlink(log_path);
        append(5); /* the container is started again */
        container.started_usec = 2;
        update(20);
        LOOP_UNTIL(archived(3303));
        ck_assert_int_eq(finding_now(), PL_LOG_FINDING_NONE);
        append(1000);
        LOOP_UNTIL(pl_logs_rotate_now(logs, ID, &why) == 0);
        append(1000);
        LOOP_UNTIL(pl_logs_status(logs, ID, &s) && s.lines > 3303 + 500);
        ck_assert_uint_eq(n_findings, 1);
}
END_TEST

/* Somebody removes a log to have its space, and nobody has bounded it until then: as much is
 * archived as the policy would have kept, and the space is given back. */
START_TEST(removed_for_its_space) {
        struct stat st;
        int fd;

        append(0);
        fd = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
        write_to(fd, 40000);
        policy.method = PL_LOG_METHOD_COLLAPSE; /* which may not be, under this engine */
        policy.max_files = 1;
        if (_i == 1)
                policy.max_size_bytes = PL_UNLIMITED;
        update(28);
        LOOP_UNTIL(settled());
        meddle(0);
        LOOP_UNTIL(finding_now() == PL_LOG_FINDING_FAILED);
        if (_i == 1) {
                (void)loop(300);
                ck_assert(archived(0)); /* nobody asked for archives of it */
        } else {
                LOOP_UNTIL(n_dropped_said == 1);
                ck_assert_uint_gt(lines, 1000);
                ck_assert_uint_lt(lines, 2200); /* 128 KiB */
                ck_assert_int_eq(fstat(fd, &st), 0);
                ck_assert_uint_lt((uint64_t)st.st_blocks * 512, KIB(64));
        }
        (void)close(fd);
}
END_TEST

/* Moved away and back: nothing is archived twice, nothing is lost. */
START_TEST(moved_and_back) {
        char command[2048];
        int fd;

        append(0);
        fd = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
        write_to(fd, 100);
        update(20);
        LOOP_UNTIL(settled());
        meddle(1);
        LOOP_UNTIL(archived(100));
        for (int i = 0; i < _i; i++) {
                write_to(fd, 1200);
                LOOP_UNTIL(archived(1300));
        }
        snprintf(command, sizeof(command), "mv %s/away %s", tmp, log_path);
        ck_assert_int_eq(system(command), 0);
        LOOP_UNTIL(finding_now() == PL_LOG_FINDING_NONE);
        write_to(fd, 10);
        policy.max_size_bytes = 400; /* whatever is left */
        update(20);
        (void)loop(500);
        write_to(fd, 1000);
        LOOP_UNTIL(lines > (uint64_t)(_i ? 2000 : 1000));
        (void)loop(300);
        ck_assert_uint_le(lines, (uint64_t)(_i ? 2310 : 1110));
        (void)close(fd);
}
END_TEST

/* The engine removes a container, with all that it has: no alarm. */
START_TEST(removed_by_the_engine) {
        char command[2048];
        uint64_t start;

        append(1000);
        update(20);
        LOOP_UNTIL(n_rotated == 1);
        snprintf(command, sizeof(command), "rm -r %s/%s", tmp, ID);
        ck_assert_int_eq(system(command), 0);
        start = pl_clock_usec(CLOCK_MONOTONIC); /* it takes its time */
        while (pl_clock_usec(CLOCK_MONOTONIC) - start < 1500 * PL_USEC_PER_MSEC)
                (void)sd_event_run(event, 100000);
        ck_assert_int_eq(finding_now(), PL_LOG_FINDING_NONE);
        pl_logs_remove(logs, ID, true);
        (void)loop(200);
        ck_assert_uint_eq(n_findings, 0);
}
END_TEST

/* --- its container is removed --- */

/* A directory as the engine's, with a log of its own. Return: as PlContainer.log_path. */
static char *log_of(const char *id) {
        static char path[8][512];
        static unsigned next;
        char *p = path[next++ % 8];

        snprintf(p, 512, "%s/%s", tmp, id);
        ck_assert_int_eq(mkdir(p, 0710), 0);
        strcat(strcat(strcat(p, "/"), id), "-json.log");
        (void)close(open(p, O_CREAT | O_WRONLY | O_CLOEXEC, 0640));
        return p;
}

enum {
        UNLINKED_FIRST,
        UNLINKED_AFTER,
        NEVER_INSPECTED,
        OLD_ANSWER, /* an inspection that was asked for before the start */
        SEEN_GONE,  /* a job, and then an inspection of what is left of it, find no log */
        RENAMED,    /* by compose, which has made another one in its place */
        LOST_FIRST, /* for so long that it was taken for removed by hand */
        LEASED
};

/* Whatever the engine does first: its lines are archived to the last, or, where the policy does not
 * ask for it, left as they were. */
static const struct {
        const char *name;
        int order;
        PlLogKeep keep;
        uint64_t max_size, archived;
        const char *driver;
} removals[] = {
        { "unlinked first", UNLINKED_FIRST, 0, KIB(64), 1304, "json-file" },
        { "unlinked after", UNLINKED_AFTER, 0, KIB(64), 1304, "json-file" },
        { "a rotation has a lease on it", LEASED, 0, KIB(64), 1304, "json-file" },
        { "only started", NEVER_INSPECTED, 0, KIB(64), 1304, "json-file" },
        { "an answer from before its start", OLD_ANSWER, 0, KIB(64), 1304, "json-file" },
        { "a job has found nothing", SEEN_GONE, 0, KIB(64), 1304, "json-file" },
        { "recreated by compose", RENAMED, 0, KIB(64), 1304, "json-file" },
        { "its end takes long", LOST_FIRST, 0, KIB(64), 1304, "json-file" },
        { "LogKeep=yes, its end takes long", LOST_FIRST, PL_LOG_KEEP_YES, PL_UNLIMITED, 1304,
          "json-file" },
        { "no LogMaxSize=", UNLINKED_FIRST, 0, PL_UNLIMITED, 0, "json-file" },
        { "LogKeep=yes", UNLINKED_FIRST, PL_LOG_KEEP_YES, PL_UNLIMITED, 1304, "json-file" },
        { "LogKeep=no", UNLINKED_FIRST, PL_LOG_KEEP_NO, MIB(1), 0, "json-file" },
        { "another driver", UNLINKED_FIRST, PL_LOG_KEEP_YES, KIB(64), 0, "local" },
};

START_TEST(container_removed) {
        static PlPolicy p = { .n_ref = 99, .daemon.log_archive_budget_bytes = PL_UNLIMITED };
        static char other[] = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
        PlContainer first = container;
        int fd = -EBADF;

        (void)signal(SIGIO, SIG_IGN); /* that the lease is wanted back */
        pl_logs_set_policy(logs, &p, false);
        policy.keep = removals[_i].keep;
        policy.max_size_bytes = removals[_i].max_size;
        container.log.driver = (char *)removals[_i].driver;
        append(1300);
        if (removals[_i].order == NEVER_INSPECTED || removals[_i].order == OLD_ANSWER ||
            removals[_i].order == SEEN_GONE) {
                memcpy(first.id, other, PL_ID_MAX); /* tells where logs are */
                first.log.path = log_of(other);
                pl_logs_set_engine(logs, &(PlEngineInfo){ .version = "28.5.2" });
                ck_assert_int_eq(pl_logs_update(logs, &first, "front", &policy), 0);
                container.log.path = (char *)"";
                container.phase = PL_PHASE_CREATED;
                ck_assert_int_eq(pl_logs_update(logs, &container, "front", &policy), 0);
                pl_logs_started(logs, ID);
                if (removals[_i].order == OLD_ANSWER)
                        ck_assert_int_eq(pl_logs_update(logs, &container, "front", &policy), 0);
        } else {
                update(28);
        }
        append(4);
        if (removals[_i].order == LEASED) {
                fd = open(log_path, O_RDWR | O_CLOEXEC);
                /* the worker may look at it just now */
                LOOP_UNTIL(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
        }
        if (removals[_i].order == RENAMED) { /* on_entry() expects the name */
                container.name = (char *)"0123456789ab_web";
                ck_assert_int_eq(pl_logs_update(logs, &container, "front", &policy), 0);
        }
        if (removals[_i].order == LOST_FIRST) {
                LOOP_UNTIL(settled());
                ck_assert_int_eq(unlink(log_path), 0);
                LOOP_UNTIL(finding_now() != PL_LOG_FINDING_NONE);
        }
        if (removals[_i].order == UNLINKED_FIRST || removals[_i].order == SEEN_GONE)
                remove_directory();
        if (removals[_i].order == SEEN_GONE || removals[_i].order == LOST_FIRST) {
                container.phase = PL_PHASE_DEAD;
                container.log.path = log_path;
                ck_assert_int_eq(pl_logs_update(logs, &container, "front", &policy), 0);
                (void)loop(600);
                ck_assert_int_eq(pl_logs_update(logs, &container, "front", &policy), 0);
        }
        pl_logs_remove(logs, ID, true);
        if (access(log_path, F_OK) == 0 || removals[_i].order == LOST_FIRST)
                remove_directory();
        (void)close(fd);
        (void)loop(300);
        LOOP_UNTIL(lines_archived() == removals[_i].archived);
        LOOP_UNTIL(is_forgotten());
        ck_assert_msg(n_findings <= (fd >= 0 || removals[_i].order == LOST_FIRST) &&
                                      n_dropped_said == 0,
                      "%s", removals[_i].name);
}
END_TEST

static bool record_has_path(void) {
        _cleanup_free_ char *text = NULL;
        char state[512];

        (void)snprintf(state, sizeof(state), "%s/.state/" ID, archive);
        return pl_fs_read(AT_FDCWD, state, KIB(16), &text, NULL) == 0 && strstr(text, log_path);
}

/* What was seen before its start had no log yet; readers find the log by its record, also where the
 * engine rotates it and nothing is to be done here. */
START_TEST(record_of_a_started_one) {
        static char other[] = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
        static PlPair max_size = { .key = (char *)"max-size", .value = (char *)"1m" };
        static PlPolicy p = { .n_ref = 99, .daemon.log_archive_budget_bytes = PL_UNLIMITED };
        PlContainer first = container;

        pl_logs_set_policy(logs, &p, false);
        append(10);
        memcpy(first.id, other, PL_ID_MAX);
        first.log.path = log_of(other);
        pl_logs_set_engine(logs, &(PlEngineInfo){ .version = "28.5.2" });
        ck_assert_int_eq(pl_logs_update(logs, &first, "front", &policy), 0);
        container.log.options = _i == 0 ? &max_size : NULL;
        container.log.n_options = _i == 0 ? 1 : 0;
        container.log.path = (char *)"";
        container.phase = PL_PHASE_CREATED;
        ck_assert_int_eq(pl_logs_update(logs, &container, "front", &policy), 0);
        (void)loop(200); /* its record is made, without a path */
        pl_logs_started(logs, ID);
        container.log.path = log_path;
        container.phase = PL_PHASE_RUNNING;
        ck_assert_int_eq(pl_logs_update(logs, &container, "front", &policy), 0);
        LOOP_UNTIL(record_has_path());
}
END_TEST

static bool keep_none(void *userdata, const char *id) {
        return false;
}

static bool keep_all(void *userdata, const char *id) {
        return true;
}

enum { REMOVED, STAYS, REPLACED, ANOTHER_ENGINES, NOT_RECORDED, NOT_INSPECTED, _RESTART_N };

/* What happens to a log while plimsolld is away. */
static void happen(int what) {
        char command[2048];

        append(4);
        if (what == REMOVED || what == NOT_RECORDED || what == NOT_INSPECTED)
                remove_directory();
        if (what == NOT_RECORDED) { /* it was killed before a job looked at the log */
                snprintf(command, sizeof(command), "rm %s/.state/" ID, archive);
                ck_assert_int_eq(system(command), 0);
        }
        if (what == REPLACED) {
                snprintf(command, sizeof(command), "cd %s/%s && cp *.log x && rm *.log && mv x %s",
                         tmp, ID, log_path);
                ck_assert_int_eq(system(command), 0);
                ck_assert_int_eq(truncate(log_path, 0), 0);
        }
}

/* plimsolld is away while its container is removed, or not. */
START_TEST(kept_over_a_restart) {
        static PlService front = { .name = (char *)"front" };
        static PlService *services[] = { &front };
        static PlPolicy p = { .n_ref = 99,
                              .services = services,
                              .n_services = 1,
                              .daemon.log_archive_budget_bytes = PL_UNLIMITED };
        bool removed = _i == REMOVED || _i == NOT_RECORDED || _i == NOT_INSPECTED;
        bool known = _i == STAYS || _i == REPLACED;
        ServiceManager m;
        char notify[140];
        struct stat st;

        logs = pl_logs_free(logs);
        snprintf(notify, sizeof(notify), "%s/notify", tmp);
        manage(&m, notify);
        front.log = policy;
        make_logs();
        pl_logs_set_policy(logs, &p, false);
        append(1300);
        update(28);
        LOOP_UNTIL(settled());
        hear(&m);
        ck_assert_int_ge(m.fd, 0);
        append(4);
        logs = pl_logs_free(logs);
        hear(&m);
        ck_assert_int_ge(m.fd, 0); /* who ends leaves it there */
        happen(_i);
        pass(&m);
        make_logs();
        pl_logs_set_policy(logs, &p, false);
        if (known)
                update(28);
        pl_logs_prune(logs, known || _i == NOT_INSPECTED ? keep_all : keep_none, NULL);
        if (_i == NOT_INSPECTED)
                pl_logs_remove(logs, ID, true);
        if (removed || _i == REPLACED) { /* killed now, the next one has it again */
                hear(&m);
                ck_assert_int_ge(m.fd, 0);
                ck_assert_int_eq(fstat(m.fd, &st), 0);
                ck_assert_uint_eq(st.st_nlink, 0);
        }
        (void)loop(300);
        LOOP_UNTIL(lines_archived() == (_i == STAYS || _i == ANOTHER_ENGINES ? 0 : 1308));
        if (removed)
                LOOP_UNTIL(is_forgotten());
        hear(&m);
        ck_assert(known ? m.fd >= 0 : m.fd < 0);
        ck_assert_int_eq(is_forgotten(), removed);
        if (known) {
                append(3);
                pl_logs_remove(logs, ID, true);
                LOOP_UNTIL(is_forgotten());
                ck_assert_uint_eq(lines_archived(), 1311);
                hear(&m);
                ck_assert_int_lt(m.fd, 0);
        }
}
END_TEST

/* logrotate with copytruncate, or a hand with truncate(1). */
START_TEST(truncated) {
        append(1000);
        update(20);
        LOOP_UNTIL(n_rotated == 1);
        (void)loop(200);
        ck_assert_int_eq(truncate(log_path, 0), 0);
        LOOP_UNTIL(finding_now() == PL_LOG_FINDING_FAILED);
        update(20);
        (void)loop(200);
        ck_assert_uint_eq(n_findings, 1);
        append(1000);
        LOOP_UNTIL(n_rotated == 2);
        ck_assert_int_eq(finding_now(), PL_LOG_FINDING_NONE);
}
END_TEST

/* It was never rotated, so there is no marker that could be missing; and it may be left to grow. */
START_TEST(truncated_before) {
        static const unsigned engines[] = { 20, 28 };

        append(300);
        update(engines[_i]);
        LOOP_UNTIL(settled());
        (void)loop(500);
        ck_assert_int_eq(finding_now(), PL_LOG_FINDING_NONE);
        ck_assert_int_eq(truncate(log_path, 0), 0);
        LOOP_UNTIL(finding_now() == PL_LOG_FINDING_FAILED);
        append(100);
        (void)loop(500);
        ck_assert_int_eq(truncate(log_path, 0), 0); /* each night */
        (void)loop(500);
        update(engines[_i]);
        (void)loop(200);
        ck_assert_uint_eq(n_findings, 1);
        ck_assert_int_eq(finding_now(), PL_LOG_FINDING_FAILED);
        if (engines[_i] < 23) {
                append(1000);
                LOOP_UNTIL(n_rotated == 1);
                ck_assert_int_eq(finding_now(), PL_LOG_FINDING_NONE);
                ck_assert_uint_eq(n_findings, 1);
        }
}
END_TEST

static bool is_spared(void) {
        _cleanup_free_ char *text = pl_logs_method_finding(logs, PL_ROTATE_WHY_SPARED);

        return text != NULL;
}

/* Five containers on a host whose logs must not be shortened under their writers: one line for the
 * host, however often they are started; methods and reasons with each. tmpfs is such a host for any
 * engine. */
START_TEST(spared_is_said_once) {
        char ids[5][PL_ID_MAX], names[5][8];
        PlContainer c[5];
        PlLogStatus s;
        const char *why = NULL;
        char *text;

        pl_logs_free(logs);
        tmp_remove();
        tmp_make("/dev/shm");
        snprintf(archive, sizeof(archive), "%s/archive", tmp);
        make_logs();
        pl_logs_set_engine(logs, &(PlEngineInfo){ .version = "28.5.2" });
        for (unsigned i = 0; i < 5; i++) {
                memset(ids[i], 'a' + (int)i, PL_ID_MAX - 1);
                ids[i][PL_ID_MAX - 1] = '\0';
                snprintf(names[i], sizeof(names[i]), "web%u", i);
                c[i] = container;
                memcpy(c[i].id, ids[i], PL_ID_MAX);
                c[i].name = names[i];
                c[i].log.path = log_of(ids[i]);
                ck_assert_int_eq(pl_logs_update(logs, &c[i], "front", &policy), 0);
        }
        LOOP_UNTIL(n_method_said == 1);
        ck_assert_msg(strncmp(method_said, "log of 5 containers (web", 24) == 0 &&
                                      strstr(method_said, " and 2 more): not rotated") &&
                                      strstr(method_said, "plimsollctl adopt-logs") &&
                                      strstr(method_said, "LogMethod=punch"),
                      "%s", method_said);
        ck_assert_uint_eq(n_findings, 0);
        ck_assert(pl_logs_status(logs, ids[3], &s));
        ck_assert_str_eq(s.method, "off");
        ck_assert(strstr(s.why, "adopt-logs"));
        ck_assert_uint_eq(s.bound_bytes, PL_UNLIMITED);
        ck_assert_ptr_null(s.finding_text);
        ck_assert_int_eq(pl_logs_rotate_now(logs, ids[3], &why), -EOPNOTSUPP);
        ck_assert(strstr(why, "LogMethod=punch"));
        for (unsigned i = 0; i < 3; i++) { /* restarts are no news */
                c[0].phase = i & 1 ? PL_PHASE_RUNNING : PL_PHASE_EXITED;
                ck_assert_int_eq(pl_logs_update(logs, &c[0], "front", &policy), 0);
                (void)loop(100);
        }
        (void)loop(2500);
        ck_assert_uint_eq(n_method_said, 1);
        for (unsigned i = 1; i < 5; i++)
                pl_logs_remove(logs, ids[i], true);
        text = pl_logs_method_finding(logs, PL_ROTATE_WHY_SPARED);
        ck_assert(strncmp(text, "log of 1 container (web0): ", 27) == 0);
        free(text);
        policy.method = PL_LOG_METHOD_OFF;
        ck_assert_int_eq(pl_logs_update(logs, &c[0], "front", &policy), 0);
        LOOP_UNTIL(!is_spared());
        ck_assert_ptr_null(pl_logs_method_finding(logs, PL_ROTATE_WHY_OFF)); /* as was asked for */
}
END_TEST

static bool is_method(const char *method) {
        PlLogStatus s;

        return pl_logs_status(logs, ID, &s) && pl_streq(s.method, method);
}

/* A log that is left to grow: the finding tells how much, and when its file system is nearly full,
 * that is said and a hole is made; not without it, and not any more when there is room. */
START_TEST(punched_below) {
        static PlPolicy p = { .n_ref = 99, .daemon.log_archive_budget_bytes = PL_UNLIMITED };
        char *text;

        pl_logs_free(logs);
        tmp_remove();
        tmp_make("/dev/shm");
        snprintf(archive, sizeof(archive), "%s/archive", tmp);
        make_logs();
        container.log.path = log_of(ID);
        memcpy(log_path, container.log.path, sizeof(log_path));
        p.daemon.log_punch_below_percent = 0;
        pl_logs_set_policy(logs, &p, false);
        append(3000);
        update(28);
        LOOP_UNTIL(is_spared());
        append(3000);
        (void)loop(300);
        text = pl_logs_method_finding(logs, PL_ROTATE_WHY_SPARED);
        ck_assert_msg(strstr(text, "; above LogMaxSize= now: ") && strstr(text, "; free: "), "%s",
                      text);
        free(text);
        ck_assert_uint_eq(n_rotated, 0);
        p.daemon.log_punch_below_percent = 101; /* no file system has so much */
        pl_logs_set_policy(logs, &p, false);
        ck_assert_uint_eq(n_findings, 1); /* said before */
        ck_assert_uint_eq(n_rotated, 0);
        LOOP_UNTIL(n_rotated == 1 && is_method("punch"));
        ck_assert_ptr_nonnull(text = pl_logs_method_finding(logs, PL_ROTATE_WHY_LOW));
        free(text);
        append(3000);
        LOOP_UNTIL(n_rotated == 2);
        ck_assert_uint_eq(n_findings, 1);
        p.daemon.log_punch_below_percent = 0;
        pl_logs_set_policy(logs, &p, false);
        LOOP_UNTIL(is_method("off"));
        append(3000);
        (void)loop(300);
        ck_assert_uint_eq(n_rotated, 2);
}
END_TEST

static bool keep(void *userdata, const char *id) {
        ck_assert_str_eq(id, ID);
        return userdata != NULL;
}

START_TEST(remembers_and_forgets) {
        char state[512];

        snprintf(state, sizeof(state), "%s/.state/" ID, archive);
        append(3000);
        update(20);
        LOOP_UNTIL(n_rotated == 1);
        logs = pl_logs_free(logs);
        make_logs(); /* a new daemon: nothing is rotated twice */
        update(20);
        LOOP_UNTIL(settled());
        ck_assert_uint_eq(n_rotated, 1);
        pl_logs_prune(logs, keep, logs);
        (void)loop(200);
        ck_assert_int_eq(access(state, F_OK), 0);
        pl_logs_remove(logs, ID, true);
        LOOP_UNTIL(access(state, F_OK) < 0);
        update(20); /* it is back; the next daemon starts after it has gone */
        LOOP_UNTIL(access(state, F_OK) == 0);
        logs = pl_logs_free(logs);
        make_logs();
        /* another engine's list says nothing: its log is there, so it is, too */
        pl_logs_remove(logs, ID, false);
        pl_logs_prune(logs, keep, NULL);
        logs = pl_logs_free(logs); /* after its last jobs */
        ck_assert_int_eq(access(state, F_OK), 0);
        make_logs();
        ck_assert_int_eq(unlink(log_path), 0);
        pl_logs_prune(logs, keep, NULL);
        LOOP_UNTIL(access(state, F_OK) < 0);
}
END_TEST

/* Stopping in the middle of much work neither hangs nor tears anything. */
START_TEST(stops_in_the_middle) {
        append(600000);
        update(20);
        (void)sd_event_run(event, 10000);
        logs = pl_logs_free(logs);
        make_logs();
        update(20);
        LOOP_UNTIL(n_rotated >= 1);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_test(c, rotates_when_grown);
        tcase_add_loop_test(c, archives_removed, 0, 2);
        tcase_add_loop_test(c, meddled_with, 0, 3);
        tcase_add_loop_test(c, removed_for_its_space, 0, 2);
        tcase_add_loop_test(c, moved_and_back, 0, 2);
        tcase_add_test(c, removed_by_the_engine);
        tcase_add_loop_test(c, container_removed, 0, PL_ARRAY_SIZE(removals));
        tcase_add_loop_test(c, record_of_a_started_one, 0, 2);
        tcase_add_loop_test(c, kept_over_a_restart, 0, _RESTART_N);
        tcase_add_test(c, truncated);
        tcase_add_loop_test(c, truncated_before, 0, 2);
        tcase_add_test(c, few_wakeups);
        tcase_add_test(c, waits_for_the_engine);
        tcase_add_loop_test(c, left_alone, 0, 4);
        tcase_add_test(c, rotates_now);
        tcase_add_test(c, rotates_now_twice);
        tcase_add_test(c, removed_meanwhile);
        tcase_add_test(c, odd_log);
        tcase_add_test(c, spared_is_said_once);
        tcase_add_test(c, punched_below);
        tcase_add_test(c, remembers_and_forgets);
        tcase_add_test(c, stops_in_the_middle);
        return run_case(c);
}
