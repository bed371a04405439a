/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Redis probe: see the header. It must not read past the first line: that line is the answer.
 */

#include "lib/probe/redis.h"

#include "lib/base/quote.h"

/* First match by prefix wins; the text after the prefix is Redis's own and is shown. */
static const struct {
        const char *prefix, *code;
        PlVerdictKind kind;
        const char *reason; /* NULL: Redis's words */
} answers[] = {
        { "+PONG", "", PL_VERDICT_UP, "" },
        { "-NOAUTH", "NOAUTH", PL_VERDICT_UP, "" },
        /* ACL: the default user may not PING, or is off */
        { "-NOPERM", "NOPERM", PL_VERDICT_UP, "" },
        { "-WRONGPASS", "WRONGPASS", PL_VERDICT_UP, "" },
        { "-LOADING", "LOADING", PL_VERDICT_STARTING, "loading its data set into memory" },
        { "-DENIED", "DENIED", PL_VERDICT_UP, "protected mode" },
        { "-MASTERDOWN", "MASTERDOWN", PL_VERDICT_DEGRADED, "the link to its master is down" },
        { "-BUSY", "BUSY", PL_VERDICT_DEGRADED, NULL },
        { "-MISCONF", "MISCONF", PL_VERDICT_DEGRADED, NULL },
        { "-NOREPLICAS", "NOREPLICAS", PL_VERDICT_DEGRADED, NULL },
        { "-OOM", "OOM", PL_VERDICT_DEGRADED, NULL },
        { "-CLUSTERDOWN", "CLUSTERDOWN", PL_VERDICT_DEGRADED, NULL },
        { "-TRYAGAIN", "TRYAGAIN", PL_VERDICT_DEGRADED, NULL },
        { "-ERR max number of clients", "maxclients", PL_VERDICT_DEGRADED,
          "full: the maximum number of clients is reached" },
        { "-ERR operation not permitted", "NOAUTH", PL_VERDICT_UP, "" }, /* < 2.8 */
        { "-ERR DISABLED", "DISABLED", PL_VERDICT_UP, "" },
        { "-ERR unknown command", "renamed", PL_VERDICT_UP, "PING is renamed" },
        { "-ERR", "ERR", PL_VERDICT_DEGRADED, NULL },
};

/* An error reply is "-WORD text": anything else that begins with '-' is not Redis. */
static bool is_error_word(const uint8_t *line, size_t n) {
        size_t i = 1;

        while (i < n && line[i] >= 'A' && line[i] <= 'Z')
                i++;
        return i > 2 && (i == n || line[i] == ' ');
}

static void judge(const uint8_t *line, size_t n, PlVerdict *ret) {
        char quoted[128];

        for (size_t i = 0; i < PL_ARRAY_SIZE(answers); i++) {
                size_t len = strlen(answers[i].prefix);

                if (n < len || memcmp(line, answers[i].prefix, len) != 0)
                        continue;
                /* "+PONGO" and "-BUSYBODY" are not ours */
                if (n > len && line[len] != ' ' && line[len] != ',')
                        continue;
                pl_verdict_set(ret, answers[i].kind, answers[i].code, "%s",
                               answers[i].reason
                                               ? answers[i].reason
                                               : pl_quote(line + 1, n - 1, quoted, sizeof(quoted)));
                return;
        }
        if (pl_verdict_if_tls(line, n, ret))
                return;
        if (line[0] == '-' && is_error_word(line, n))
                /* a word that a later Redis may know: it answers, but not PONG */
                pl_verdict_set(ret, PL_VERDICT_DEGRADED, "error", "answers PING with %s",
                               pl_quote(line + 1, n - 1, quoted, sizeof(quoted)));
        else
                pl_verdict_set(ret, PL_VERDICT_DOWN, "garbage",
                               "not a Redis server: it says \"%s\"",
                               pl_quote(line, PL_MIN(n, (size_t)40), quoted, sizeof(quoted)));
}

PlProbeStep pl_probe_redis_parse(const uint8_t *data, size_t n, bool eof, PlVerdict *ret) {
        const uint8_t *end = memmem(data, PL_MIN(n, (size_t)PL_PROBE_REDIS_LINE_MAX), "\r\n", 2);

        if (end && end > data) {
                judge(data, (size_t)(end - data), ret);
                return PL_PROBE_DONE;
        }
        /* what does not begin as a simple string or an error will not become one */
        if (n > 0 && data[0] != '+' && data[0] != '-' && (n >= 3 || eof)) {
                judge(data, PL_MIN(n, (size_t)40), ret);
                return PL_PROBE_DONE;
        }
        if (n >= PL_PROBE_REDIS_LINE_MAX) {
                pl_verdict_set(ret, PL_VERDICT_DOWN, "garbage",
                               "not a Redis server: its first line does not end");
                return PL_PROBE_DONE;
        }
        if (!eof)
                return PL_PROBE_MORE;
        pl_verdict_set(ret, PL_VERDICT_DOWN, "closed", "%s",
                       n == 0 ? "the connection was closed without an answer"
                              : "the connection was closed in the middle of an answer");
        return PL_PROBE_DONE;
}
