/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A stop-watch for limits, and the floor to compare with.
 *
 *   limit-latency observe DIR FILE VALUE…   watches a parent cgroup directory; prints
 *        "ID NANOSECONDS FILE" (CLOCK_REALTIME) when FILE of a group below it first reads VALUE
 *   limit-latency bare DIR FILE VALUE [DIR FILE VALUE]…   for each ID on stdin: write VALUE to
 *        DIR/ID/FILE and read it back, open and close each time; prints the seconds it took
 *   limit-latency reload PID DIR FILE VALUE [DIR FILE VALUE]…   sends SIGHUP to PID; prints the
 *        seconds until FILE of each ID on stdin reads VALUE
 *   limit-latency floor SOCKET DIR FILE VALUE [DIR FILE VALUE]…   the bare loop: reads the
 *        engine's event stream and, at each start, writes VALUE to DIR/ID/FILE; nothing else
 *
 * It shares no code with plimsoll: it is the judge.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define GROUPS_MAX 65536

static char *names[GROUPS_MAX]; /* by watch descriptor; NULL: done or unknown */

static uint64_t now_nsec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int reads_as(const char *dir, const char *name, const char *file, const char *value) {
        char path[4096], text[256];
        ssize_t n;
        int fd;

        snprintf(path, sizeof(path), "%s/%s/%s", dir, name, file);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return 0;
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
        if (n <= 0)
                return 0;
        text[n] = 0;
        text[strcspn(text, "\n")] = 0;
        return strcmp(text, value) == 0;
}

static void check(int fd, int wd, const char *dir, const char *file, const char *value) {
        if (wd < 0 || wd >= GROUPS_MAX || !names[wd])
                return;
        if (!reads_as(dir, names[wd], file, value))
                return;
        printf("%s %llu %s\n", names[wd], (unsigned long long)now_nsec(), file);
        fflush(stdout);
        free(names[wd]);
        names[wd] = NULL;
        inotify_rm_watch(fd, wd);
}

/* The kernel likes to wake an observer on the CPU of the writer that it judges: it would wait there
 * for whatever the writer does next, and count that as well. */
static void go_first(void) {
        struct sched_param p = { .sched_priority = 10 };

        if (sched_setscheduler(0, SCHED_FIFO, &p) < 0)
                fprintf(stderr, "limit-latency: no real-time priority (%s), times are late\n",
                        strerror(errno));
}

static int observe(const char *dir, const char *file, const char *value) {
        int fd = inotify_init1(IN_CLOEXEC), parent;
        char buffer[65536] __attribute__((aligned(__alignof__(struct inotify_event))));

        go_first();
        parent = inotify_add_watch(fd, dir, IN_CREATE | IN_ONLYDIR);
        if (parent < 0) {
                fprintf(stderr, "limit-latency: %s: %s\n", dir, strerror(errno));
                return 1;
        }
        for (;;) {
                ssize_t n = read(fd, buffer, sizeof(buffer));

                if (n <= 0)
                        return 0;
                for (char *p = buffer; p < buffer + n;) {
                        const struct inotify_event *e = (const struct inotify_event *)p;

                        p += sizeof(*e) + e->len;
                        if (e->wd == parent && e->mask & IN_CREATE && e->mask & IN_ISDIR) {
                                char path[4096];
                                int wd;

                                snprintf(path, sizeof(path), "%s/%s", dir, e->name);
                                wd = inotify_add_watch(fd, path, IN_MODIFY | IN_CLOSE_WRITE);
                                if (wd < 0 || wd >= GROUPS_MAX)
                                        continue;
                                free(names[wd]);
                                names[wd] = strdup(e->name);
                                check(fd, wd, dir, file, value);
                        } else if (!(e->mask & IN_IGNORED)) {
                                check(fd, e->wd, dir, file, value);
                        }
                }
        }
}

static void write_all(const char *id, int n, char **triples) {
        for (int i = 0; i + 2 < n; i += 3) {
                char path[4096];
                int fd;

                snprintf(path, sizeof(path), "%s/%s/%s", triples[i], id, triples[i + 1]);
                fd = open(path, O_WRONLY | O_CLOEXEC);
                if (fd < 0 || write(fd, triples[i + 2], strlen(triples[i + 2])) < 0)
                        fprintf(stderr, "limit-latency: %s: %s\n", path, strerror(errno));
                if (fd >= 0)
                        close(fd);
        }
        printf("%s %llu floor\n", id, (unsigned long long)now_nsec());
        fflush(stdout);
}

static int floor_loop(const char *socket_path, int n, char **triples) {
        static const char request[] = "GET "
                                      "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C%"
                                      "22event%22%3A%5B%22"
                                      "start%22%5D%7D HTTP/1.1\r\nHost: docker\r\n\r\n";
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        static char buffer[1 << 20];
        size_t used = 0;

        snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", socket_path);
        if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
            write(fd, request, sizeof(request) - 1) < 0) {
                fprintf(stderr, "limit-latency: %s: %s\n", socket_path, strerror(errno));
                return 1;
        }
        for (;;) {
                ssize_t got = read(fd, buffer + used, sizeof(buffer) - used - 1);
                char *line = buffer, *end;

                if (got <= 0)
                        return 0;
                used += (size_t)got;
                buffer[used] = 0;
                while ((end = strchr(line, '\n'))) {
                        char *id = strstr(line, "\"Actor\":{\"ID\":\"");

                        if (id && id < end && strlen(id + 15) >= 64) {
                                char copy[65];

                                memcpy(copy, id + 15, 64);
                                copy[64] = 0;
                                write_all(copy, n, triples);
                        }
                        line = end + 1;
                }
                used -= (size_t)(line - buffer);
                memmove(buffer, line, used);
        }
}

static void write_and_read(const char *dir, const char *id, const char *file, const char *value) {
        char path[4096], text[256];
        int fd;

        snprintf(path, sizeof(path), "%s/%s/%s", dir, id, file);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, value, strlen(value)) < 0)
                fprintf(stderr, "limit-latency: %s: %s\n", path, strerror(errno));
        if (fd >= 0)
                close(fd);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, text, sizeof(text)) < 0)
                fprintf(stderr, "limit-latency: %s: %s\n", path, strerror(errno));
        if (fd >= 0)
                close(fd);
}

static char ids[65536][65];
static size_t n_ids;

static void read_ids(void) {
        while (n_ids < 65536 && scanf("%64s", ids[n_ids]) == 1)
                n_ids++;
}

static int bare(int n, char **triples) {
        uint64_t begin;

        read_ids();
        begin = now_nsec();
        for (size_t i = 0; i < n_ids; i++)
                for (int k = 0; k + 2 < n; k += 3)
                        write_and_read(triples[k], ids[i], triples[k + 1], triples[k + 2]);
        printf("%.6f\n", (double)(now_nsec() - begin) / 1e9);
        return 0;
}

static int is_value(int fd, const char *value) {
        char text[256];
        ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

        if (n <= 0)
                return 0;
        text[n] = 0;
        text[strcspn(text, "\n")] = 0;
        return strcmp(text, value) == 0;
}

/* The files are open beforehand: what is left to be looked at after the last write is a pread each,
 * a tenth of what the write has cost. */
static int reload(pid_t pid, int n, char **triples) {
        size_t n_files = 0, n_of_each = (size_t)n / 3;
        struct rlimit limit = { 1 << 20, 1 << 20 };
        uint64_t begin, patience = (uint64_t)120 * 1000000000;
        int *fds;

        read_ids();
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        fds = calloc(n_ids * n_of_each + 1, sizeof(*fds));
        for (size_t i = 0; fds && i < n_ids; i++)
                for (size_t k = 0; k < n_of_each; k++) {
                        char path[4096];

                        snprintf(path, sizeof(path), "%s/%s/%s", triples[3 * k], ids[i],
                                 triples[3 * k + 1]);
                        fds[n_files] = open(path, O_RDONLY | O_CLOEXEC);
                        if (fds[n_files++] < 0) {
                                fprintf(stderr, "limit-latency: %s: %s\n", path, strerror(errno));
                                return 1;
                        }
                }
        begin = now_nsec();
        if (kill(pid, SIGHUP) < 0)
                return 1;
        for (size_t i = 0; i < n_files; i++)
                while (!is_value(fds[i], triples[3 * (i % n_of_each) + 2])) {
                        if (now_nsec() - begin > patience)
                                return 1;
                        usleep(500);
                }
        printf("%.6f\n", (double)(now_nsec() - begin) / 1e9);
        return 0;
}

int main(int argc, char **argv) {
        if (argc == 5 && strcmp(argv[1], "observe") == 0)
                return observe(argv[2], argv[3], argv[4]);
        if (argc >= 6 && strcmp(argv[1], "floor") == 0)
                return floor_loop(argv[2], argc - 3, argv + 3);
        if (argc >= 5 && strcmp(argv[1], "bare") == 0)
                return bare(argc - 2, argv + 2);
        if (argc >= 6 && strcmp(argv[1], "reload") == 0)
                return reload(atoi(argv[2]), argc - 3, argv + 3);
        fprintf(stderr, "usage: limit-latency observe DIR FILE VALUE\n"
                        "       limit-latency bare DIR FILE VALUE [DIR FILE VALUE]… <IDS\n"
                        "       limit-latency reload PID DIR FILE VALUE [DIR FILE VALUE]… <IDS\n"
                        "       limit-latency floor SOCKET DIR FILE VALUE [DIR FILE VALUE]…\n");
        return 2;
}
