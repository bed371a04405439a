/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stand-in: answers like Airflow, Ollama, Grafana or MLflow do, in a few hundred kilobytes.
 *
 * The demo stack and the tests need containers that speak these services' health protocols without
 * a registry to pull the real ones from. What it answers can be changed from outside by files in
 * /run/standin: "sick" makes it report a failing part (Airflow with HTTP 200, as the real one
 * does), "slow" makes it wait five seconds, "down" makes it close the connection without a word.
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
#define AIRFLOW(scheduler)                                                                  \
        "{\"metadatabase\":{\"status\":\"healthy\"},\"scheduler\":{\"status\":\"" scheduler \
        "\",\"latest_scheduler_heartbeat\":\"%s\"},\"triggerer\":{\"status\":null,"         \
        "\"latest_triggerer_heartbeat\":null}}"
#define GRAFANA(database) "{\"database\":\"" database "\",\"version\":\"11.1.0\"}"
#define MODEL             "{\"models\":[{\"name\":\"llama3.2:1b\",\"size\":1321098329,\"size_vram\":0}]}"
#define FAILED            "{\"error\":\"runner failed\"}"

static const struct {
        const char *name;
        uint16_t port;
} services[] = {
        { "airflow", 8080 },
        { "ollama", 11434 },
        { "grafana", 3000 },
        { "mlflow", 5000 },
};

typedef struct Answer {
        const char *service, *path, *body;
        int sick_status;
        const char *sick_body;
} Answer;

static const Answer answers[] = {
        { "airflow", "/health", AIRFLOW("healthy"), 200, AIRFLOW("unhealthy") },
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
                    strncmp(request + 4, answers[i].path, n) == 0 && strchr(" ?", request[4 + n]))
                        return &answers[i];
        }
        return NULL;
}

static size_t compose(const Answer *a, char *out, size_t size) {
        int sick = flag("sick"), status = !a ? 404 : sick ? a->sick_status : 200;
        const char *format = !a ? "not found" : sick ? a->sick_body : a->body;
        time_t t = time(NULL) - (sick ? 3600 : 0);
        char when[40], body[1024];
        struct tm tm;

        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S.000000+00:00", gmtime_r(&t, &tm));
        if (strstr(format, "%s")) {
                const char *at = strstr(format, "%s");

                snprintf(body, sizeof body, "%.*s%s%s", (int)(at - format), format, when, at + 2);
        } else
                snprintf(body, sizeof body, "%s", format);
        return (size_t)snprintf(out, size,
                                "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                                "Connection: close\r\n\r\n%s",
                                status, status == 200 ? "OK" : "Error",
                                body[0] == '{' ? "application/json" : "text/plain", strlen(body),
                                body);
}

static void serve(const char *service, int fd) {
        struct timeval timeout = { .tv_sec = 2 };
        char request[2048], response[2048];
        size_t size;
        ssize_t n;

        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        n = recv(fd, request, sizeof request - 1, 0);
        if (n <= 0 || flag("down"))
                return;
        request[n] = 0;
        request[strcspn(request, "\r\n")] = 0;
        if (flag("slow"))
                sleep(5);
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
                fprintf(stderr, "usage: standin airflow|ollama|grafana|mlflow\n");
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
