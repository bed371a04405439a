/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of any HTTP service to each kind of probe. An input is a text: the kind and words that
 * set things, on the first line; then answers, each after a line "%% STATUS", with their headers up
 * to an empty line. A round must end within as many requests as the longest kind needs, with paths
 * that are paths; when the answers run out the last one is given again. Rounds for what is only of
 * interest never find anything worse than an impairment.
 */
#include "fuzz-verdict.h"
#include "lib/probe/kind.h"
#include "lib/probe/ollama.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUESTS_MAX 8 /* two paths below a prefix and the root, a redirect each */
#define NOW_USEC     (UINT64_C(1790000000) * PL_USEC_PER_SEC)

static char *const expectations[] = {
        (char *)"status:200-299,401", (char *)"json:/database=ok",  (char *)"json:/a~1b/0",
        (char *)"body:^(ok|\"OK\")",  (char *)"header:X-Ready=yes", NULL,
};
static char *const models[] = { (char *)"llama3.2", (char *)"nomic-embed-text:v1.5", NULL };

static bool has(const char *line, size_t n, const char *word) {
        return memmem(line, n, word, strlen(word)) != NULL;
}

/* Cuts the next answer off; its copy ends with a NUL, as the transport's does. */
static char *next_answer(const char **p, const char *end, PlHttpAnswer *ret) {
        static const char mark[] = "\n%% ";
        const char *stop = memmem(*p, (size_t)(end - *p), mark, sizeof(mark) - 1);
        size_t n = (size_t)((stop ? stop : end) - *p), line;
        char *copy = malloc(n + 1), *blank;

        must(copy);
        memcpy(copy, *p, n);
        copy[n] = '\0';
        *p = stop ? stop + sizeof(mark) - 1 : end;
        *ret = (PlHttpAnswer){ .got_status = true, .status = (unsigned)atoi(copy) % 1000 };
        if (copy[0] == '!') /* a failed transfer */
                ret->error = (PlHttpError)(unsigned char)copy[1];
        line = strcspn(copy, "\n");
        ret->body = copy + PL_MIN(line + 1, n);
        blank = strstr(ret->body, "\n\n");
        if (blank) {
                blank[1] = '\0';
                ret->headers = ret->body;
                ret->body = blank + 2;
        }
        ret->body_size = PL_MIN(n - (size_t)(ret->body - copy), (size_t)PL_HTTP_BODY_MAX);
        ret->body_cut = ret->body_size == PL_HTTP_BODY_MAX;
        return copy;
}

/* A body that streams comes in pieces, and not with the answer. */
static void stream(const PlHttpSpec *s, PlHttpProbe *p, PlHttpAnswer *a) {
        size_t n = a->body_size;

        if (!p->now.streams || a->status != 200)
                return;
        a->body_size = 0;
        for (size_t i = 0, piece = n % 7 + 1; i < n; i += piece)
                if (!pl_probe_http_feed(s, p, a->body + i, PL_MIN(piece, n - i)))
                        return;
}

static void check_question(const PlHttpQuestion *q) {
        must(q->path[0] == '/' && memchr(q->path, '\0', sizeof(q->path)));
        must(!strpbrk(q->path, " \r\n#"));
}

static void one_round(const PlHttpSpec *s, PlHttpProbe *p, const char *data, const char *end,
                      PlVerdict *ret) {
        for (unsigned i = 0;; i++) {
                const char *again = data;
                PlHttpAnswer a;
                char *copy = next_answer(&data, end, &a);
                PlProbeStep step;

                if (data == end)
                        data = again;
                must(i < REQUESTS_MAX);
                check_question(&p->now);
                a.asked = "172.17.0.2:80";
                memset(ret, 0xA5, sizeof(*ret));
                stream(s, p, &a);
                step = pl_probe_http_answer(s, p, &a, NOW_USEC, ret);
                free(copy);
                if (step == PL_PROBE_DONE)
                        break;
        }
        check_verdict(ret);
}

static void rounds(const PlHttpSpec *s, PlHttpProbe *p, const char *data, const char *end) {
        PlVerdict v;

        /* more than once: the kinds keep what they have learnt */
        for (unsigned i = 0; i < 3; i++) {
                uint64_t now = NOW_USEC + i * PL_USEC_PER_DAY;

                pl_probe_http_begin(s, p);
                one_round(s, p, data, end, &v);
                if (!pl_probe_http_rare(s, p, now, PL_USEC_PER_SEC))
                        continue;
                must(v.kind == PL_VERDICT_UP || v.kind == PL_VERDICT_IMPAIRED);
                one_round(s, p, data, end, &v);
                must(v.kind == PL_VERDICT_UP || v.kind == PL_VERDICT_IMPAIRED);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = (const char *)data, *end = text + size;
        const char *eol = memmem(text, size, "\n%% ", 4);
        size_t n = eol ? (size_t)(eol - text) : size;
        PlOllamaLook look = { 0 };
        PlHttpProbe p = { 0 };
        PlHttpSpec s = { .talk = pl_probe_kind_info(PL_PROBE_HTTP)->http };

        if (!eol)
                return 0;
        for (PlProbeKind k = 0; k < _PL_PROBE_N; k++)
                if (pl_probe_kind_info(k)->http && has(text, n, pl_probe_kind_info(k)->word))
                        s.talk = pl_probe_kind_info(k)->http;
        if (has(text, n, "models"))
                s.models = models;
        if (has(text, n, "facts"))
                p.ollama = &look;
        if (has(text, n, "path"))
                s.path = "/here";
        if (has(text, n, "expect")) {
                PlExpectList *l = NULL;

                must(pl_expect_list_new(expectations, &l) == 0);
                s.expect = l;
        }
        if (has(text, n, "prefix"))
                s.prefix = "/a/";
        rounds(&s, &p, eol + 4, end);
        for (unsigned i = 0; i < look.facts.n_loaded; i++)
                check_line(look.facts.loaded[i].name, sizeof(look.facts.loaded[i].name));
        check_line(look.facts.largest_name, sizeof(look.facts.largest_name));
        pl_expect_list_free((PlExpectList *)s.expect);
        return 0;
}
