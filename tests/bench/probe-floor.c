/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The floor under a network probe: what its system calls cost, without a daemon around them.
 *
 *   probe-floor ROUNDS REDIS-PORT HTTP-PORT IP…
 *
 * Asks each address, Redis and HTTP in turn, one after the other without a pause, which is as cheap
 * as it gets: caches stay warm. Prints "redis MS http MS", the CPU time of one probe. It judges
 * nothing beyond the first byte and has no deadlines: whoever does more must cost more.
 */

#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *const questions[] = {
        "*1\r\n$4\r\nPING\r\n",
        "GET /api/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
};
static const char answers[] = { '+', 'H' };

static int64_t used_nsec(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void await(int fd, short events) {
        struct pollfd p = { .fd = fd, .events = events };

        if (poll(&p, 1, 2000) != 1)
                exit(1);
}

static void ask(const char *ip, uint16_t port, int what) {
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        char buf[4096];
        ssize_t n;

        if (inet_pton(AF_INET, ip, &sa.sin_addr) != 1)
                exit(2);
        (void)connect(fd, (struct sockaddr *)&sa, sizeof(sa));
        await(fd, POLLOUT);
        if (send(fd, questions[what], strlen(questions[what]), MSG_NOSIGNAL) < 0)
                exit(1);
        await(fd, POLLIN);
        n = recv(fd, buf, sizeof(buf), 0);
        if (n < 1 || buf[0] != answers[what]) {
                fprintf(stderr, "probe-floor: no such service at %s:%u\n", ip, port);
                exit(1);
        }
        close(fd);
}

int main(int argc, char **argv) {
        uint16_t ports[2];
        int rounds;

        if (argc < 5) {
                fprintf(stderr, "usage: probe-floor ROUNDS REDIS-PORT HTTP-PORT IP…\n");
                return 2;
        }
        rounds = atoi(argv[1]);
        ports[0] = (uint16_t)atoi(argv[2]);
        ports[1] = (uint16_t)atoi(argv[3]);
        for (int what = 0; what < 2; what++) {
                int64_t before = used_nsec();

                for (int i = 0; i < rounds; i++)
                        for (int k = 4; k < argc; k++)
                                ask(argv[k], ports[what], what);
                printf("%s %.4f ", what ? "http" : "redis",
                       (double)(used_nsec() - before) / rounds / (argc - 4) / 1e6);
        }
        return 0;
}
