/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Prober: a question that somebody asks out of turn, and its conversation. A service on the same
 * loop answers; each answer ends its connection.
 */

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "probe/prober.h"
#include "unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

typedef struct Service {
        sd_event *event;
        sd_event_source *source;
        int fd;
        uint16_t port;
        const char *answer;
        const char *hangs; /* a request that begins so is not answered; NULL: none */
        unsigned n_asked;
} Service;

static Service service;
static PlProber *prober;
static unsigned n_verdicts, n_answered;
static PlVerdict answered_verdict, last_verdict;
static char *conversation; /* "what text|what text" */
static uint64_t answered_usec[4];

static int on_request(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Service *s = userdata;
        char request[4096];

        if (recv(fd, request, sizeof(request), MSG_DONTWAIT) > 0) {
                s->n_asked++;
                if (s->hangs && strncmp(request, s->hangs, strlen(s->hangs)) == 0) {
                        (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
                        return 0; /* and is left open */
                }
                ck_assert_int_gt(send(fd, s->answer, strlen(s->answer), MSG_NOSIGNAL), 0);
        }
        (void)close(fd);
        (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Service *s = userdata;
        int one = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        ck_assert_int_ge(one, 0);
        ck_assert_int_ge(sd_event_add_io(s->event, NULL, one, EPOLLIN, on_request, s), 0);
        return 0;
}

static void service_begin(const char *answer) {
        struct sockaddr_in in = { .sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(in);

        service.answer = answer;
        service.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(service.fd, 0);
        ck_assert_int_eq(bind(service.fd, (struct sockaddr *)&in, size), 0);
        ck_assert_int_eq(getsockname(service.fd, (struct sockaddr *)&in, &size), 0);
        ck_assert_int_eq(listen(service.fd, 16), 0);
        service.port = ntohs(in.sin_port);
        ck_assert_int_ge(sd_event_add_io(service.event, &service.source, service.fd, EPOLLIN,
                                         on_connection, &service),
                         0);
}

static void on_verdict(void *userdata, const char *id, const PlVerdict *v, uint64_t latency_usec,
                       const PlOllamaFacts *ollama) {
        last_verdict = *v;
        n_verdicts++;
}

static uint16_t unmet_port; /* on which nobody was reached; 0: somebody was */

static void on_unmet(void *userdata, const char *id, uint16_t port, PlVerdict *v) {
        unmet_port = port;
        pl_verdict_add(v, "; but");
}

static const PlProbeHandlers handlers = { .verdict = on_verdict, .unmet = on_unmet };

static void on_answered(void *userdata, const char *id, const PlVerdict *v, uint64_t latency_usec,
                        const PlTrace *trace) {
        static char *const environment[] = { (char *)"X=hunter22", NULL };
        _cleanup_(pl_secrets_freep) PlSecrets *secrets = NULL;
        json_t *list, *o;
        size_t size = 0, i;
        FILE *f;

        ck_assert_int_eq(pl_secrets_new(environment, &secrets), 0);
        list = pl_trace_json(trace, secrets);
        free(conversation);
        conversation = NULL;
        f = open_memstream(&conversation, &size);
        json_array_foreach(list, i, o)(void) fprintf(f, "%s%s %s", i > 0 ? "|" : "",
                                                     json_string_value(json_object_get(o, "what")),
                                                     json_string_value(json_object_get(o, "text")));
        (void)fclose(f);
        json_decref(list);
        ck_assert_str_eq(id, ID);
        answered_verdict = *v;
        answered_usec[n_answered++ % 4] = pl_clock_usec(CLOCK_MONOTONIC);
}

static void run_until_answered(unsigned n) {
        for (int i = 0; i < 200 && n_answered < n; i++)
                ck_assert_int_ge(sd_event_run(service.event, 50 * PL_USEC_PER_MSEC), 0);
        ck_assert_uint_eq(n_answered, n);
}

/* The schedule's first question is answered, its next one comes in an hour. @dead: an address in
 * front where nobody listens */
static void probe(PlProbeKind kind, bool dead) {
        PlProbeAddresses to = { .n = 1 };
        PlProbeTarget target = {
                .kind = kind,
                .addresses = &to,
                .interval_usec = PL_USEC_PER_HOUR,
                .timeout_usec = 2 * PL_USEC_PER_SEC,
        };

        to.items[0].in = (struct sockaddr_in){ .sin_family = AF_INET,
                                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                               .sin_port = htons(service.port) };
        to.items[0].size = sizeof(struct sockaddr_in);
        to.items[0].port = service.port;
        if (dead) {
                to.items[1] = to.items[0];
                to.items[0].in.sin_port = htons(1);
                to.n = 2;
        }
        ck_assert_int_ge(pl_prober_set(prober, ID, &target), 0);
        pl_prober_hurry(prober, ID, 0);
        for (int i = 0; i < 200 && n_verdicts == 0; i++)
                ck_assert_int_ge(sd_event_run(service.event, 50 * PL_USEC_PER_MSEC), 0);
        ck_assert_uint_eq(n_verdicts, 1);
        service.n_asked = 0;
}

static void setup(void) {
        ck_assert_int_ge(sd_event_new(&service.event), 0);
        ck_assert_int_ge(pl_prober_new(service.event, &handlers, NULL, &prober), 0);
}

static void teardown(void) {
        prober = pl_prober_free(prober);
        sd_event_source_disable_unref(service.source);
        (void)close(service.fd);
        sd_event_unref(service.event);
        free(conversation);
}

START_TEST(http) {
        char address[64];

        service_begin("HTTP/1.1 404 Not Found\r\nServer: test\r\nSet-Cookie: a=b\r\n"
                      "Content-Length: 12\r\n\r\nno hunter22\n");
        probe(PL_PROBE_HTTP, false);
        ck_assert_int_eq(pl_prober_ask(prober, ID, on_answered, NULL), 0);
        run_until_answered(1);
        ck_assert_int_eq(answered_verdict.kind, PL_VERDICT_DISPUTED);
        (void)snprintf(address, sizeof(address), "address 127.0.0.1:%u|sent GET / HTTP/1.1|",
                       service.port);
        ck_assert_msg(pl_startswith(conversation, address), "%s", conversation);
        ck_assert_msg(strstr(conversation, "|status HTTP/1.1 404 Not Found|header Server: test|"
                                           "header Set-Cookie: [cut]|header Content-Length: 12|"
                                           "body no [cut]\\n"),
                      "%s", conversation);
        ck_assert_uint_eq(service.n_asked, 1);
}
END_TEST

START_TEST(redis) {
        service_begin("-NOAUTH Authentication required.\r\n");
        probe(PL_PROBE_REDIS, false);
        ck_assert_int_eq(pl_prober_ask(prober, ID, on_answered, NULL), 0);
        run_until_answered(1);
        ck_assert_msg(strstr(conversation, "|sent *1\\r\\n$4\\r\\nPING\\r\\n|received -NOAUTH "
                                           "Authentication required.\\r\\n"),
                      "%s", conversation);
}
END_TEST

START_TEST(each_address_is_told) {
        service_begin("+PONG\r\n");
        probe(PL_PROBE_REDIS, true);
        ck_assert_int_eq(pl_prober_ask(prober, ID, on_answered, NULL), 0);
        run_until_answered(1);
        ck_assert_msg(pl_startswith(conversation, "address 127.0.0.1:1|failed "), "%s",
                      conversation);
        ck_assert_int_eq(answered_verdict.kind, PL_VERDICT_UP);
}
END_TEST

/* Nobody else hears of it: asking often must not make failures count faster. */
START_TEST(no_evidence) {
        service_begin("-ERR no\r\n");
        probe(PL_PROBE_REDIS, false);
        ck_assert_int_eq(pl_prober_ask(prober, ID, on_answered, NULL), 0);
        run_until_answered(1);
        ck_assert_uint_eq(n_verdicts, 1);
}
END_TEST

START_TEST(one_at_a_time_and_not_often) {
        service_begin("+PONG\r\n");
        ck_assert_int_eq(pl_prober_ask(prober, ID, on_answered, NULL), -ENOENT);
        probe(PL_PROBE_REDIS, false);
        ck_assert_int_eq(pl_prober_ask(prober, ID, on_answered, NULL), 0);
        ck_assert_int_eq(pl_prober_ask(prober, ID, on_answered, NULL), -EALREADY);
        run_until_answered(1);
        ck_assert_int_eq(pl_prober_ask(prober, ID, on_answered, NULL), 0);
        ck_assert_int_eq(pl_prober_ask(prober, ID, on_answered, NULL), -EALREADY);
        run_until_answered(2);
        ck_assert_uint_ge(answered_usec[1] - answered_usec[0], 900 * PL_USEC_PER_MSEC);
        ck_assert_uint_eq(service.n_asked, 2);
}
END_TEST

/* What is only of interest is asked after the verdict, which does not wait for it. */
START_TEST(rarely) {
        static const char answer[] = "HTTP/1.1 200 OK\r\n\r\n{\"version\":\"1\",\"models\":[]}";

        service_begin(answer);
        service.hangs = "GET /api/tags ";
        probe(PL_PROBE_OLLAMA, false);
        ck_assert_int_eq(last_verdict.kind, PL_VERDICT_UP);
        while (service.n_asked < 2) /* /api/ps, and then the one that hangs */
                ck_assert_int_ge(sd_event_run(service.event, 50 * PL_USEC_PER_MSEC), 0);
        ck_assert_uint_eq(n_verdicts, 1);
        /* a sign of life that is wanted now does not wait for it either */
        pl_prober_soon(prober, ID);
        for (int i = 0; i < 40 && n_verdicts < 2; i++)
                ck_assert_int_ge(sd_event_run(service.event, 50 * PL_USEC_PER_MSEC), 0);
        ck_assert_uint_eq(n_verdicts, 2);
        ck_assert_int_eq(last_verdict.kind, PL_VERDICT_UP);
}
END_TEST

/* It ends at a deadline of its own, and is told. */
START_TEST(rarely_without_an_answer) {
        service_begin("HTTP/1.1 200 OK\r\n\r\n{\"version\":\"1\"}");
        service.hangs = "GET /api/ps ";
        probe(PL_PROBE_OLLAMA, false);
        for (int i = 0; i < 300 && n_verdicts < 2; i++)
                ck_assert_int_ge(sd_event_run(service.event, 50 * PL_USEC_PER_MSEC), 0);
        ck_assert_uint_eq(n_verdicts, 2);
        ck_assert_int_eq(last_verdict.kind, PL_VERDICT_IMPAIRED);
        ck_assert_msg(strstr(last_verdict.reason, "/api/ps does not answer, /api/version does"),
                      "%s", last_verdict.reason);
}
END_TEST

/* Its container is gone, or its probe is another one: the answer comes all the same. */
START_TEST(removed_meanwhile) {
        service_begin("+PONG\r\n");
        probe(PL_PROBE_REDIS, false);
        ck_assert_int_eq(pl_prober_ask(prober, ID, on_answered, NULL), 0);
        pl_prober_remove(prober, ID);
        run_until_answered(1);
        ck_assert_int_eq(answered_verdict.kind, PL_VERDICT_UP);
        ck_assert_int_eq(pl_prober_ask(prober, ID, on_answered, NULL), -ENOENT);
}
END_TEST

/* Who was not there is asked about; who was, is not. */
START_TEST(nobody_was_reached) {
        unmet_port = 0;
        service_begin("+PONG\r\n");
        if (_i) {
                sd_event_source_disable_unref(service.source);
                service.source = NULL;
                (void)close(service.fd);
                service.fd = -EBADF;
        }
        probe(PL_PROBE_REDIS, false);
        ck_assert_int_eq(last_verdict.kind, _i ? PL_VERDICT_SILENT : PL_VERDICT_UP);
        ck_assert_uint_eq(unmet_port, _i ? service.port : 0);
        ck_assert_int_eq(strstr(last_verdict.reason, "; but") != NULL, _i);
}
END_TEST

START_TEST(freed_meanwhile) {
        service_begin("+PONG\r\n");
        probe(PL_PROBE_HTTP, false);
        ck_assert_int_eq(pl_prober_ask(prober, ID, on_answered, NULL), 0);
        prober = pl_prober_free(prober);
        ck_assert_uint_eq(n_answered, 0);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("prober");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, http);
        tcase_add_test(t, redis);
        tcase_add_test(t, each_address_is_told);
        tcase_add_test(t, no_evidence);
        tcase_add_test(t, one_at_a_time_and_not_often);
        tcase_add_test(t, rarely);
        tcase_add_test(t, rarely_without_an_answer);
        tcase_add_test(t, removed_meanwhile);
        tcase_add_loop_test(t, nobody_was_reached, 0, 2);
        tcase_add_test(t, freed_meanwhile);
        return run_case(t);
}
