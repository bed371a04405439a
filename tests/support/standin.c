/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stand-in: answers like Airflow, Ollama, Grafana or MLflow do, in a few hundred kilobytes.
 *
 * The demo stack and the tests need containers that speak these services' health protocols without
 * a registry to pull the real ones from. What it answers can be changed from outside by files in
 * /run/standin. "sick": it reports a failing part (Airflow with HTTP 200, as the real one does).
 * The others are no answers of these services: "slow" waits five seconds, "down" closes the
 * connection without a word, "page" is HTTP 200 and a web page whatever was asked, "garbage" is not
 * HTTP, "endless" has a body without an end, "loop" redirects to itself.
 * It must not be taken for the service: it knows its health endpoints and nothing else.
 */

#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* %s: a time of day, now or (sick) an hour ago */
#define AIRFLOW(scheduler, rest)                                                            \
        "{\"metadatabase\":{\"status\":\"healthy\"},\"scheduler\":{\"status\":\"" scheduler \
        "\",\"latest_scheduler_heartbeat\":\"%s\"},\"triggerer\":{" rest "}"
#define AIRFLOW_2(scheduler) \
        AIRFLOW(scheduler, "\"status\":null,\"latest_triggerer_heartbeat\":null") "}"
#define AIRFLOW_3(scheduler)                                                               \
        AIRFLOW(scheduler, "\"status\":\"healthy\",\"latest_triggerer_heartbeat\":\"%s\"") \
        ",\"dag_processor\":{\"status\":\"healthy\",\"latest_dag_processor_heartbeat\":\"%s\"}}"
#define GRAFANA(database) "{\"database\":\"" database "\",\"version\":\"11.1.0\"}"
#define MODEL             "{\"models\":[{\"name\":\"llama3.2:1b\",\"size\":1321098329,\"size_vram\":0}]}"
#define FAILED            "{\"error\":\"runner failed\"}"
#define PAGE              "<!doctype html><title>Welcome</title>"

static const struct {
        const char *name;
        uint16_t port;
} services[] = {
        { "airflow", 8080 }, { "airflow3", 8080 }, { "ollama", 11434 },
        { "grafana", 3000 }, { "mlflow", 5000 },
};

typedef struct Answer {
        const char *service, *path, *body;
        int sick_status;
        const char *sick_body;
} Answer;

static const Answer answers[] = {
        { "airflow", "/health", AIRFLOW_2("healthy"), 200, AIRFLOW_2("unhealthy") },
        { "airflow3", "/api/v2/monitor/health", AIRFLOW_3("healthy"), 200, AIRFLOW_3("unhealthy") },
        /* its web interface has a page for every path */
        { "airflow3", "", PAGE, 200, PAGE },
        { "ollama", "/api/version", "{\"version\":\"0.3.14\"}", 500, FAILED },
        { "ollama", "/api/ps", MODEL, 500, FAILED },
        { "ollama", "/api/tags", MODEL, 500, FAILED },
        { "grafana", "/api/health", GRAFANA("ok"), 503, GRAFANA("failing") },
        { "mlflow", "/health", "OK", 500, "Internal Server Error" },
};

static int flag(const char *name) {
        char path[64];

        snprintf(path, sizeof path, "/run/standin/%s", name);
        return access(path, F_OK) == 0;
}

static const Answer *find(const char *service, const char *request) {
        for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
                size_t n = strlen(answers[i].path);

                if (strcmp(answers[i].service, service) == 0 && strncmp(request, "GET ", 4) == 0 &&
                    (n == 0 || (strncmp(request + 4, answers[i].path, n) == 0 &&
                                strchr(" ?", request[4 + n]))))
                        return &answers[i];
        }
        return NULL;
}

/* Every %s becomes a time of day. */
static void fill_in(const char *format, time_t t, char *out, size_t size) {
        struct tm tm;
        char when[40];
        size_t n = 0;

        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S.000000+00:00", gmtime_r(&t, &tm));
        for (const char *at; (at = strstr(format, "%s")); format = at + 2)
                n += (size_t)snprintf(out + n, size - n, "%.*s%s", (int)(at - format), format,
                                      when);
        snprintf(out + n, size - n, "%s", format);
}

static size_t compose(const Answer *a, char *out, size_t size) {
        int sick = flag("sick"), status = !a ? 404 : sick ? a->sick_status : 200;
        const char *format = !a ? "not found" : sick ? a->sick_body : a->body;
        char body[1024];

        if (flag("page")) {
                status = 200;
                format = PAGE;
        }
        fill_in(format, time(NULL) - (sick ? 3600 : 0), body, sizeof body);
        return (size_t)snprintf(out, size,
                                "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                                "Connection: close\r\n\r\n%s",
                                status, status == 200 ? "OK" : "Error",
                                body[0] == '{' ? "application/json" : "text/plain", strlen(body),
                                body);
}

/* What no service answers. Returns 0 when there is no such flag. */
static int lie(int fd, const char *request) {
        static const char garbage[] = "\x16\x05\xffSSH-2.0-not-http\n", more[4096] = "x";
        char head[2200];

        if (flag("garbage"))
                return (void)send(fd, garbage, sizeof garbage - 1, MSG_NOSIGNAL), 1;
        if (flag("loop")) {
                snprintf(head, sizeof head,
                         "HTTP/1.1 302 Found\r\nLocation: %.*s\r\nContent-Length: 0\r\n\r\n",
                         (int)strcspn(request + 4, " "), request + 4);
                return (void)send(fd, head, strlen(head), MSG_NOSIGNAL), 1;
        }
        if (!flag("endless"))
                return 0;
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
        for (ssize_t n = send(fd, head, strlen(head), MSG_NOSIGNAL); n > 0;)
                n = send(fd, more, sizeof more, MSG_NOSIGNAL);
        return 1;
}

static void serve(const char *service, int fd) {
        struct timeval timeout = { .tv_sec = 2 };
        char request[2048], response[2048];
        size_t size;
        ssize_t n;

        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        n = recv(fd, request, sizeof request - 1, 0);
        if (n < 5 || flag("down"))
                return;
        request[n] = 0;
        request[strcspn(request, "\r\n")] = 0;
        if (flag("slow"))
                sleep(5);
        if (lie(fd, request))
                return;
        size = compose(find(service, request), response, sizeof response);
        (void)send(fd, response, size, MSG_NOSIGNAL);
        printf("%s: %s\n", service, request);
        fflush(stdout);
}

int main(int argc, char **argv) {
        struct sockaddr_in address = { .sin_family = AF_INET };
        int one = 1, fd;

        for (size_t i = 0; argc == 2 && i < sizeof services / sizeof *services; i++)
                if (strcmp(services[i].name, argv[1]) == 0)
                        address.sin_port = htons(services[i].port);
        if (!address.sin_port) {
                fprintf(stderr, "usage: standin airflow|airflow3|ollama|grafana|mlflow\n");
                return 2;
        }
        signal(SIGTERM, _exit); /* the first process of a container ignores it otherwise */
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
            bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 64) < 0) {
                perror("standin");
                return 1;
        }
        for (;;) {
                int client = accept(fd, NULL, NULL);

                if (client < 0)
                        continue;
                serve(argv[1], client);
                close(client);
        }
}
