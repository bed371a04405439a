/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Probes services with the daemon's own prober and prints verdicts: for tests and measurements.
 *
 *   probe-tool [OPTION…] KIND IP:PORT…          one round: "VERDICT CODE REASON"
 *   probe-tool --until VERDICT [OPTION…] …      rounds, a line each, until that verdict
 *   probe-tool --rounds N [OPTION…] …           so many rounds, a line each that is another
 *   probe-tool --bench N --for SEC [OPTION…] …  N probes at --interval: CPU and memory of this
 * process
 */

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "lib/base/unit.h"
#include "lib/probe/kind.h"
#include "probe/prober.h"

typedef struct Tool {
        sd_event *event;
        PlProber *prober;
        const char *until;
        unsigned long n_rounds, n_up, bench;
        unsigned long rounds; /* ends after so many; 0: see until */
        uint64_t latency_usec;
        char *environment[9]; /* of the container, for ProbeAuth= */
        size_t n_environment;
        PlProbeKind kind;
        bool ended;
        char line[300]; /* last printed */
} Tool;

static const char *const kind_names[_PL_VERDICT_N] = {
        [PL_VERDICT_NONE] = "none",         [PL_VERDICT_UP] = "up",
        [PL_VERDICT_STARTING] = "starting", [PL_VERDICT_IMPAIRED] = "impaired",
        [PL_VERDICT_DISPUTED] = "disputed", [PL_VERDICT_SILENT] = "silent",
};

static const char *kind_to_string(PlVerdictKind k) {
        return (unsigned)k < _PL_VERDICT_N ? kind_names[k] : "none";
}

static void on_verdict(void *userdata, const char *id, const PlVerdict *v, uint64_t latency_usec,
                       const PlOllamaFacts *ollama) {
        Tool *t = userdata;
        const char *word = kind_to_string(v->kind);
        char line[sizeof(t->line)];

        t->n_rounds++;
        t->n_up += v->kind == PL_VERDICT_UP;
        t->latency_usec += latency_usec;
        if (t->bench)
                return;
        (void)snprintf(line, sizeof(line), "%s %s %s", word, *v->code ? v->code : "-", v->reason);
        if (!pl_streq(line, t->line))
                (void)puts(line); /* the same again is not news */
        memcpy(t->line, line, sizeof(line));
        for (unsigned i = 0; ollama && i < ollama->n_loaded; i++)
                (void)printf("loaded %s %" PRIu64 "\n", ollama->loaded[i].name,
                             ollama->loaded[i].size_bytes);
        (void)fflush(stdout);
        if (t->rounds > 0 ? t->n_rounds >= t->rounds : !t->until || pl_streq(t->until, word)) {
                t->ended = true;
                pl_prober_remove(t->prober, id);
                (void)sd_event_exit(t->event, 0);
        }
}

static void on_login(void *userdata, const char *id) {
        Tool *t = userdata;

        pl_prober_login(t->prober, id,
                        pl_login_new(pl_probe_kind_info(t->kind)->word, t->environment));
}

static int on_end(sd_event_source *source, uint64_t usec, void *userdata) {
        Tool *t = userdata;

        t->ended = true;
        return sd_event_exit(t->event, t->bench ? 0 : 1);
}

static PlProbeKind kind_from_word(const char *s) {
        for (PlProbeKind k = 0; k < _PL_PROBE_N; k++)
                if (pl_streq(s, pl_probe_kind_info(k)->word))
                        return k;
        return PL_PROBE_AUTO;
}

static int parse_address(char *s, PlProbeAddresses *to) {
        PlNetwork network = {};
        PlContainer c = { .reach.networks = &network, .reach.n_networks = 1 };
        PlProbeAddresses one;
        char *colon = strrchr(s, ':');
        uint64_t number;
        uint16_t port;

        if (!colon || to->n == PL_PROBE_ADDRESSES_MAX || pl_parse_uint64(colon + 1, &number) < 0)
                return -1;
        port = (uint16_t)number;
        *colon = '\0';
        if (*s == '[') {
                s++;
                colon[-1] = '\0';
        }
        (void)snprintf(network.ip, sizeof(network.ip), "%s", s);
        pl_probe_addresses(&c, NULL, &port, 1, &one);
        if (one.n != 1)
                return -1;
        to->items[to->n++] = one.items[0];
        return 0;
}

static void bench_report(const Tool *t, const struct rusage *before, uint64_t wall_usec) {
        struct rusage after;
        double cpu;

        (void)getrusage(RUSAGE_SELF, &after);
        cpu = (double)(after.ru_utime.tv_sec - before->ru_utime.tv_sec) * 1e6 +
              (double)(after.ru_utime.tv_usec - before->ru_utime.tv_usec) +
              (double)(after.ru_stime.tv_sec - before->ru_stime.tv_sec) * 1e6 +
              (double)(after.ru_stime.tv_usec - before->ru_stime.tv_usec);
        (void)printf("rounds=%lu up=%lu cpu_usec_per_probe=%.1f core_percent=%.3f "
                     "latency_usec=%.0f wakeups=%ld maxrss_kib=%ld\n",
                     t->n_rounds, t->n_up, t->n_rounds ? cpu / (double)t->n_rounds : 0,
                     cpu * 100 / (double)wall_usec,
                     t->n_rounds ? (double)t->latency_usec / (double)t->n_rounds : 0,
                     after.ru_nvcsw - before->ru_nvcsw, after.ru_maxrss);
}

static PlProbeTls tls_from_word(const char *s) {
        return pl_streq(s, "yes")  ? PL_PROBE_TLS_YES
               : pl_streq(s, "no") ? PL_PROBE_TLS_NO
                                   : PL_PROBE_TLS_AUTO;
}

/* What points into argv or these arrays is good for the whole run. */
static bool parse_options(int argc, char **argv, Tool *t, PlProbeTarget *target,
                          uint64_t *for_usec) {
        static const struct option options[] = {
                { "timeout", required_argument, NULL, 't' },
                { "interval", required_argument, NULL, 'i' },
                { "path", required_argument, NULL, 'p' },
                { "prefix", required_argument, NULL, 'x' },
                { "expect", required_argument, NULL, 'e' },
                { "model", required_argument, NULL, 'm' },
                { "user", required_argument, NULL, 'u' },
                { "database", required_argument, NULL, 'd' },
                { "host", required_argument, NULL, 'h' },
                { "env", required_argument, NULL, 'E' },
                { "tls", required_argument, NULL, 'T' },
                { "verify", no_argument, NULL, 'v' },
                { "until", required_argument, NULL, 'U' },
                { "rounds", required_argument, NULL, 'r' },
                { "bench", required_argument, NULL, 'b' },
                { "for", required_argument, NULL, 'f' },
                {},
        };
        static char *expect[PL_EXPECT_MAX + 1], *models[9];
        size_t n_expect = 0, n_models = 0;
        int c, r = 0;

        target->expect = expect;
        target->models = models;
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                const char **text = c == 'p'   ? &target->path
                                    : c == 'x' ? &target->prefix
                                    : c == 'u' ? &target->user
                                    : c == 'd' ? &target->database
                                    : c == 'h' ? &target->host
                                    : c == 'U' ? &t->until
                                               : NULL;
                uint64_t *sec = c == 't'   ? &target->timeout_usec
                                : c == 'i' ? &target->interval_usec
                                : c == 'f' ? for_usec
                                           : NULL;

                if (c == '?')
                        return false;
                if (text)
                        *text = optarg;
                else if (sec)
                        r = PL_MIN(r, pl_parse_sec(optarg, sec));
                else if (c == 'e' && n_expect < PL_EXPECT_MAX)
                        expect[n_expect++] = optarg;
                else if (c == 'm' && n_models < 8)
                        models[n_models++] = optarg;
                else if (c == 'r')
                        t->rounds = strtoul(optarg, NULL, 10);
                else if (c == 'b')
                        t->bench = strtoul(optarg, NULL, 10);
                else if (c == 'T')
                        target->tls = tls_from_word(optarg);
                else if (c == 'E' && t->n_environment < 8)
                        t->environment[t->n_environment++] = optarg;
                else if (c == 'v')
                        target->tls_verify = true;
        }
        return r >= 0 && argc - optind >= 2;
}

int main(int argc, char **argv) {
        static const PlProbeHandlers handlers = { .verdict = on_verdict, .login = on_login };
        PlProbeAddresses addresses = {};
        PlProbeTarget target = { .interval_usec = PL_USEC_PER_SEC,
                                 .timeout_usec = 2 * PL_USEC_PER_SEC,
                                 .addresses = &addresses };
        uint64_t for_usec = 60 * PL_USEC_PER_SEC;
        struct rusage before;
        Tool t = {};
        int r;

        (void)signal(SIGPIPE, SIG_IGN); /* as plimsolld does */
        if (!parse_options(argc, argv, &t, &target, &for_usec))
                return 2;
        target.kind = t.kind = kind_from_word(argv[optind++]);
        target.auth = t.n_environment > 0;
        for (; optind < argc; optind++)
                if (parse_address(argv[optind], &addresses) < 0) {
                        (void)fprintf(stderr, "probe-tool: %s: expected IP:PORT\n", argv[optind]);
                        return 2;
                }
        if (sd_event_new(&t.event) < 0 || pl_prober_new(t.event, &handlers, &t, &t.prober) < 0)
                return 1;
        for (unsigned long i = 0; i < PL_MAX(t.bench, 1ul); i++) {
                char id[PL_ID_MAX];

                (void)snprintf(id, sizeof(id), "%064lx", i);
                r = pl_prober_set(t.prober, id, &target);
                if (r < 0) {
                        (void)fprintf(stderr, "probe-tool: %s\n", strerror(-r));
                        return 2;
                }
                if (t.bench)
                        pl_prober_hurry(t.prober, id, 0);
        }
        if (t.bench || t.until || t.rounds) {
                r = sd_event_add_time_relative(t.event, NULL, CLOCK_MONOTONIC, for_usec, 0, on_end,
                                               &t);
                if (r < 0)
                        return 1;
        }
        (void)getrusage(RUSAGE_SELF, &before);
        r = sd_event_loop(t.event);
        if (t.bench)
                bench_report(&t, &before, for_usec);
        pl_prober_free(t.prober);
        sd_event_unref(t.event);
        return r;
}
