/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Postgres probe: see the header. The whole answer is parsed anew whenever bytes arrive: it is a
 * few hundred bytes, and a parser without memory cannot get out of step. It must not trust a
 * length, a terminator or a type byte.
 */

#include "lib/probe/postgres.h"

#include "lib/base/quote.h"

const uint8_t pl_probe_postgres_goodbye[5] = { 'X', 0, 0, 0, 4 };

/* No message before ReadyForQuery is longer: libpq's own bound for errors during start-up. */
#define MESSAGE_MAX 30000u
/* The bare text of an error of before protocol 3.0. */
#define OLD_ERROR_MAX 1024u

static uint32_t get32(const uint8_t *p) {
        return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v) {
        p[0] = (uint8_t)(v >> 24);
        p[1] = (uint8_t)(v >> 16);
        p[2] = (uint8_t)(v >> 8);
        p[3] = (uint8_t)v;
}

static size_t put_string(uint8_t *p, const char *s) {
        size_t n = strnlen(s, PL_PROBE_POSTGRES_NAME_MAX - 1);

        memcpy(p, s, n);
        p[n] = '\0';
        return n + 1;
}

size_t pl_probe_postgres_hello(const char *user, const char *database,
                               uint8_t buf[static PL_PROBE_POSTGRES_HELLO_MAX]) {
        size_t n = 8;

        if (!user || !*user)
                user = "postgres";
        if (!database || !*database)
                database = user;
        put32(buf + 4, 3u << 16); /* protocol 3.0 */
        n += put_string(buf + n, "user");
        n += put_string(buf + n, user);
        n += put_string(buf + n, "database");
        n += put_string(buf + n, database);
        n += put_string(buf + n, "application_name");
        n += put_string(buf + n, "plimsolld");
        buf[n++] = '\0';
        put32(buf, (uint32_t)n);
        return n;
}

/* One field of an ErrorResponse by its type byte; NULL: none. Fields are NUL terminated strings. */
static const char *error_field(const uint8_t *p, size_t n, char type, size_t *ret_n) {
        size_t i = 0;

        while (i < n && p[i] != 0) {
                const uint8_t *value = p + i + 1;
                const uint8_t *end = memchr(value, 0, n - i - 1);

                if (!end)
                        return NULL;
                if (p[i] == (uint8_t)type) {
                        *ret_n = (size_t)(end - value);
                        return (const char *)value;
                }
                i = (size_t)(end - p) + 1;
        }
        return NULL;
}

static bool contains(const char *s, size_t n, const char *needle) {
        return memmem(s, n, needle, strlen(needle)) != NULL;
}

/*
 * SQLSTATEs with a meaning of their own. 57P03 covers opposite things that only the text tells
 * apart; with another lc_messages the text matches nothing and the server counts as starting.
 */
static const struct {
        const char *sqlstate, *text; /* text NULL: any */
        PlVerdictKind kind;
        const char *reason;
} states[] = {
        { "57P03", "shutting down", PL_VERDICT_DOWN, "shutting down" },
        { "57P03", "recovery mode", PL_VERDICT_STARTING, "recovering after a crash" },
        { "57P03", "starting up", PL_VERDICT_STARTING, "starting up" },
        { "57P03", "not yet", PL_VERDICT_STARTING, "recovering, not consistent yet" },
        { "57P03", "not accepting", PL_VERDICT_DEGRADED, "a standby with hot_standby = off" },
        { "57P03", NULL, PL_VERDICT_STARTING, "cannot connect now" },
        { "57P01", NULL, PL_VERDICT_DOWN, "shutting down" },
        { "57P02", NULL, PL_VERDICT_DOWN, "a server process has crashed" },
        { "53300", NULL, PL_VERDICT_DEGRADED, "full" },
        { "53100", NULL, PL_VERDICT_DEGRADED, "disk full" },
        { "53200", NULL, PL_VERDICT_DEGRADED, "out of memory" },
        { "58030", NULL, PL_VERDICT_DEGRADED, "I/O error" },
        { "XX001", NULL, PL_VERDICT_DEGRADED, "data corrupted" },
        { "XX002", NULL, PL_VERDICT_DEGRADED, "index corrupted" },
};

static void judge_error(const uint8_t *p, size_t n, PlVerdict *ret) {
        size_t n_state = 0, n_text = 0;
        const char *state = error_field(p, n, 'C', &n_state);
        const char *text = error_field(p, n, 'M', &n_text);
        char code[6], quoted[120];

        if (!state || n_state != 5) {
                pl_verdict_set(ret, PL_VERDICT_DOWN, "garbage",
                               "an error without an SQLSTATE: not a Postgres server");
                return;
        }
        (void)pl_quote(text ? text : "", n_text, quoted, sizeof(quoted));
        memcpy(code, state, 5);
        code[5] = '\0';
        for (size_t i = 0; i < 5; i++)
                if (!((code[i] >= '0' && code[i] <= '9') || (code[i] >= 'A' && code[i] <= 'Z')))
                        code[i] = '?';
        for (size_t i = 0; i < PL_ARRAY_SIZE(states); i++) {
                if (!pl_streq(states[i].sqlstate, code))
                        continue;
                if (states[i].text && (!text || !contains(text, n_text, states[i].text)))
                        continue;
                if (states[i].text)
                        pl_verdict_set(ret, states[i].kind, code, "%s", states[i].reason);
                else
                        pl_verdict_set(ret, states[i].kind, code, "%s: %s", states[i].reason,
                                       quoted);
                return;
        }
        pl_verdict_set(ret, PL_VERDICT_UP, code, "%s", quoted);
}

static void judge_garbage(const uint8_t *data, size_t n, PlVerdict *ret) {
        char quoted[48];

        if (pl_verdict_if_tls(data, n, ret))
                return;
        pl_verdict_set(ret, PL_VERDICT_DOWN, "garbage", "not a Postgres server: it says \"%s\"",
                       pl_quote(data, PL_MIN(n, (size_t)40), quoted, sizeof(quoted)));
}

/*
 * A postmaster that cannot fork answers with 'E' and bare text up to a NUL (the protocol before
 * 3.0, report_fork_failure_to_client()); its "length" is then text, far above any real one.
 */
static PlProbeStep old_error(const uint8_t *data, size_t n, bool eof, PlVerdict *ret) {
        size_t most = PL_MIN(n, (size_t)OLD_ERROR_MAX);
        const uint8_t *end = memchr(data, 0, most);
        size_t len = end ? (size_t)(end - data) : most;
        char quoted[120];

        if (!end && !eof && n < OLD_ERROR_MAX)
                return PL_PROBE_MORE;
        for (size_t i = 0; i < PL_MIN(len, (size_t)16); i++)
                if (data[i] < 0x20 || data[i] == 0x7f) {
                        judge_garbage(data, n, ret);
                        return PL_PROBE_DONE;
                }
        if (!contains((const char *)data, len, "fork")) {
                judge_garbage(data, n, ret);
                return PL_PROBE_DONE;
        }
        pl_verdict_set(ret, PL_VERDICT_DEGRADED, "fork", "cannot start a server process: %s",
                       pl_quote(data + 1, len - 1, quoted, sizeof(quoted)));
        return PL_PROBE_DONE;
}

/* Messages that may come up to ReadyForQuery, and those that may come up to AuthenticationOk. */
static bool is_type(uint8_t c, bool let_in) {
        return memchr(let_in ? "RENvSKZ" : "RENv", c, let_in ? 7 : 4) != NULL;
}

PlProbeStep pl_probe_postgres_parse(const uint8_t *data, size_t n, bool eof, PlVerdict *ret,
                                    bool *ret_goodbye) {
        bool let_in = false;
        size_t i = 0;

        *ret_goodbye = false;
        while (n - i >= 5) {
                uint8_t type = data[i];
                uint32_t len = get32(data + i + 1);
                const uint8_t *body = data + i + 5;

                if (!is_type(type, let_in)) {
                        judge_garbage(data, n, ret);
                        return PL_PROBE_DONE;
                }
                if (len < 4 || len > MESSAGE_MAX) {
                        if (i == 0 && type == 'E')
                                return old_error(data, n, eof, ret);
                        judge_garbage(data, n, ret);
                        return PL_PROBE_DONE;
                }
                if (type == 'R' && len >= 8 && n - i >= 9) {
                        if (get32(body) != 0) {
                                /* it asks for a password: it serves */
                                pl_verdict_set(ret, PL_VERDICT_UP, "", "%s", "");
                                return PL_PROBE_DONE;
                        }
                        if (len != 8) { /* AuthenticationOk is nothing but its code */
                                judge_garbage(data, n, ret);
                                return PL_PROBE_DONE;
                        }
                        let_in = true;
                }
                if (n - i < (size_t)len + 1)
                        break;
                if (type == 'E') {
                        judge_error(body, len - 4, ret);
                        return PL_PROBE_DONE;
                }
                if (type == 'Z') {
                        pl_verdict_set(ret, PL_VERDICT_UP, "", "%s", "");
                        *ret_goodbye = true;
                        return PL_PROBE_DONE;
                }
                i += (size_t)len + 1;
        }
        if (i == 0 && n > 0 && !is_type(data[0], false) && (n >= 3 || eof)) {
                judge_garbage(data, n, ret);
                return PL_PROBE_DONE;
        }
        if (!eof)
                return PL_PROBE_MORE;
        if (n == 0)
                pl_verdict_set(ret, PL_VERDICT_DOWN, "closed",
                               "the connection was closed without an answer");
        else if (let_in)
                pl_verdict_set(ret, PL_VERDICT_DEGRADED, "closed",
                               "closed after authentication, before it was ready");
        else
                pl_verdict_set(ret, PL_VERDICT_DOWN, "closed",
                               "the connection was closed in the middle of an answer");
        return PL_PROBE_DONE;
}
