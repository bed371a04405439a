/* SPDX-License-Identifier: Apache-2.0 */

/*
 * TCP probes: the first words of Postgres and of Redis.
 *
 * The whole answer is parsed again whenever bytes arrive: it has a few hundred bytes, and a parser
 * without state cannot get out of step. It trusts no length, terminator or type byte.
 */

#include "lib/probe/tcp.h"

#include "lib/base/quote.h"

/* An alert, or silence and a close, is how TLS servers take a plain question. */
static bool is_tls(const uint8_t *data, size_t n, PlTcpAnswer *ret) {
        if (!pl_verdict_if_tls(data, n, &ret->verdict))
                return false;
        ret->better = PL_WAY_TLS;
        return true;
}

static void closed(PlTcpAnswer *ret) {
        pl_verdict_set(&ret->verdict, PL_VERDICT_SILENT, "closed",
                       "the connection was closed without an answer");
        ret->better = PL_WAY_TLS;
}

/*
 * --- Postgres: a start-up packet out, the server's first words in.
 *
 * Without a login it never authenticates: a server that asks for a password is serving. It must not
 * leave error lines in the server's log, so it names a user and a database that exist
 * (POSTGRES_USER, POSTGRES_DB) and says goodbye properly once the server lets it in. After
 * AuthenticationOk it reads on to ReadyForQuery: slots that are reserved for superusers are refused
 * only then, with 53300.
 *
 * Each refusal is a FATAL line in the server's log, so after one that will not change by itself the
 * quiet question is asked: SSLRequest, and after its answer a close. What was tried on PostgreSQL
 * 15 and pgbouncer 1.18, and what they logged:
 *   connect, close                         nothing; nobody but the kernel has answered
 *   SSLRequest, 'N', close                 nothing; the postmaster has forked a process that
 * answers SSLRequest, 'S', close                 "could not accept SSL connection: EOF detected"
 *   SSLRequest, 'S', handshake, close      "Connection reset by peer" (session tickets were unread)
 *   the same, but read on to the end       nothing
 *   a part of a packet, close              "incomplete startup packet"
 *   CancelRequest of nobody                "PID 1 in cancel request did not match any process"
 *   GSSENCRequest, 'G' or 'N', close       nothing; before 12 a FATAL line
 * A server that starts up or is full answers the quiet question as well: it proves life, no more.
 *
 * Source: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats"; SQLSTATEs:
 * appendix A; the rule that any other error means "up" is libpq's PQping(). pgbouncer gives all its
 * own errors the SQLSTATE 08P01 (its src/objects.c and src/client.c).
 */

#define NAME_MAX_BYTES 128 /* the server itself cuts at 63 (NAMEDATALEN) */

/* No message before ReadyForQuery is longer: libpq's own bound for errors during start-up. */
#define MESSAGE_MAX 30000u
/* The bare text of an error of before protocol 3.0. */
#define OLD_ERROR_MAX 1024u

#define POOLER_ALONE "it cannot reach the server behind it: "

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
        size_t n = strnlen(s, NAME_MAX_BYTES - 1);

        memcpy(p, s, n);
        p[n] = '\0';
        return n + 1;
}

static size_t postgres_hello(const char *user, const char *database, const PlLogin *login,
                             uint8_t buf[static PL_TCP_HELLO_MAX]) {
        size_t n = 8;

        if (login)
                user = login->user;
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

/* For how long the quiet question is asked after a refusal. */
#define QUIET_REFUSED_USEC (10 * PL_USEC_PER_MIN)
#define QUIET_FULL_USEC    PL_USEC_PER_MIN

/*
 * SQLSTATEs with a meaning of their own. 57P03 covers opposite things that only the text tells
 * apart; with another lc_messages the text matches nothing and the server counts as starting.
 */
static const struct {
        const char *sqlstate, *text; /* text NULL: any */
        PlVerdictKind kind;
        const char *reason; /* ends in ": ": the server's words follow */
        uint64_t quiet_usec;
        PlProbeWay better;
} states[] = {
        { "57P03", "shutting down", PL_VERDICT_IMPAIRED, "shutting down" },
        { "57P03", "recovery mode", PL_VERDICT_STARTING, "recovering after a crash" },
        { "57P03", "starting up", PL_VERDICT_STARTING, "starting up" },
        { "57P03", "not yet", PL_VERDICT_STARTING, "recovering, not consistent yet" },
        { "57P03", "not accepting", PL_VERDICT_IMPAIRED, "a standby with hot_standby = off",
          QUIET_FULL_USEC },
        { "57P03", NULL, PL_VERDICT_STARTING, "cannot connect now: " },
        { "57P01", NULL, PL_VERDICT_IMPAIRED, "shutting down: " },
        { "57P02", NULL, PL_VERDICT_STARTING, "a server process has crashed: " },
        { "53300", NULL, PL_VERDICT_IMPAIRED, "full: ", QUIET_FULL_USEC },
        { "53100", NULL, PL_VERDICT_IMPAIRED, "disk full: ", QUIET_FULL_USEC },
        { "53200", NULL, PL_VERDICT_IMPAIRED, "out of memory: ", QUIET_FULL_USEC },
        { "58030", NULL, PL_VERDICT_IMPAIRED, "I/O error: ", QUIET_FULL_USEC },
        { "XX001", NULL, PL_VERDICT_IMPAIRED, "data corrupted: ", QUIET_REFUSED_USEC },
        { "XX002", NULL, PL_VERDICT_IMPAIRED, "index corrupted: ", QUIET_REFUSED_USEC },
        /* "no encryption" from 14 on, "SSL off" before: perhaps there is an entry for TLS */
        { "28000", "no encryption", PL_VERDICT_UP, "", QUIET_REFUSED_USEC, PL_WAY_STARTTLS },
        { "28000", "SSL off", PL_VERDICT_UP, "", QUIET_REFUSED_USEC, PL_WAY_STARTTLS },
        { "28000", "valid client certificate", PL_VERDICT_DISPUTED,
          "it wants a certificate of its clients, and the probe has none; with Probe=tcp it is not "
          "asked for one: ",
          QUIET_REFUSED_USEC },
        /* pgbouncer: what it says of itself and of the server behind it, then what it says of us */
        { "08P01", "SSL required", PL_VERDICT_DISPUTED, "", QUIET_REFUSED_USEC, PL_WAY_STARTTLS },
        { "08P01", "no more connections", PL_VERDICT_IMPAIRED, "full: ", QUIET_FULL_USEC },
        { "08P01", "shut", PL_VERDICT_IMPAIRED, "shutting down: " },
        { "08P01", "config error", PL_VERDICT_IMPAIRED, "it refuses everyone: ", QUIET_FULL_USEC },
        { "08P01", "login has been failing", PL_VERDICT_IMPAIRED, POOLER_ALONE, QUIET_FULL_USEC },
        { "08P01", "cannot connect", PL_VERDICT_IMPAIRED, POOLER_ALONE, QUIET_FULL_USEC },
        { "08P01", "server down", PL_VERDICT_IMPAIRED, POOLER_ALONE, QUIET_FULL_USEC },
        { "08P01", "connect failed", PL_VERDICT_IMPAIRED, POOLER_ALONE, QUIET_FULL_USEC },
        { "08P01", "wait_timeout", PL_VERDICT_IMPAIRED, POOLER_ALONE, QUIET_FULL_USEC },
        { "08P01", NULL, PL_VERDICT_DISPUTED,
          "it refuses the probe; if that is as it should be, set Probe=tcp: ", QUIET_REFUSED_USEC },
};

/* The verdict of a SQLSTATE: the row's words, the server's where the row wants them, and the code.
 */
static void judge_state(const char *code, const char *text, size_t n_text, PlTcpAnswer *ret) {
        const char *reason = "", *words;
        size_t i = 0, n_reason;
        char quoted[96];

        while (i < PL_ARRAY_SIZE(states) &&
               (!pl_streq(states[i].sqlstate, code) ||
                (states[i].text && (!text || !contains(text, n_text, states[i].text)))))
                i++;
        words = pl_quote(text ? text : "", n_text, quoted, sizeof(quoted));
        ret->quiet_usec = QUIET_REFUSED_USEC;
        ret->verdict.kind = PL_VERDICT_UP;
        if (i < PL_ARRAY_SIZE(states)) {
                ret->verdict.kind = states[i].kind;
                ret->quiet_usec = states[i].quiet_usec;
                ret->better = states[i].better;
                reason = states[i].reason;
        }
        n_reason = strlen(reason);
        if (n_reason > 0 && reason[n_reason - 1] != ' ')
                words = "";
        pl_verdict_set(&ret->verdict, ret->verdict.kind, code, "%s%s (SQLSTATE %s)", reason, words,
                       code);
}

/* The login that the policy wants used is no good. */
static void refuse_login(PlTcpAnswer *ret) {
        PlVerdict v = ret->verdict;

        pl_verdict_set(&ret->verdict, PL_VERDICT_DISPUTED, v.code,
                       "it refuses the password of its environment; set ProbeAuth=no: %s",
                       v.reason);
}

static void postgres_error(const uint8_t *p, size_t n, bool login, PlTcpAnswer *ret) {
        size_t n_state = 0, n_text = 0;
        const char *state = error_field(p, n, 'C', &n_state);
        const char *text = error_field(p, n, 'M', &n_text);
        char code[6];

        if (!state || n_state != 5) {
                pl_verdict_set(&ret->verdict, PL_VERDICT_DISPUTED, "garbage",
                               "an error without an SQLSTATE: not a Postgres server");
                return;
        }
        memcpy(code, state, 5);
        code[5] = '\0';
        for (size_t i = 0; i < 5; i++)
                if (!((code[i] >= '0' && code[i] <= '9') || (code[i] >= 'A' && code[i] <= 'Z')))
                        code[i] = '?';
        judge_state(code, text, n_text, ret);
        if (login && pl_streq(code, "28P01"))
                refuse_login(ret);
}

/* A message that asks for a password, whole: does it want a reply? Codes: clear text, MD5, SASL,
 * SASL going on, SASL at its end (which wants none). Others are ways in which we know none. */
static bool take_challenge(const uint8_t *body, size_t n, PlTcpAnswer *ret) {
        static const uint8_t codes[] = { 3, 5, 10, 11 };
        uint32_t code = get32(body);

        if (code == 12)
                return true;
        if (code > UINT8_MAX || !memchr(codes, (int)code, sizeof(codes)))
                return false;
        ret->challenge = body;
        ret->n_challenge = n;
        ret->n_challenges++;
        return true;
}

static void judge_garbage(const uint8_t *data, size_t n, PlTcpAnswer *ret) {
        char quoted[48];

        if (is_tls(data, n, ret))
                return;
        pl_verdict_set(&ret->verdict, PL_VERDICT_DISPUTED, "garbage",
                       "not a Postgres server: it says \"%s\"",
                       pl_quote(data, PL_MIN(n, (size_t)40), quoted, sizeof(quoted)));
}

/*
 * A postmaster that cannot fork answers with 'E' and bare text up to a NUL (the protocol before
 * 3.0, report_fork_failure_to_client()); its "length" is then text, far above any real one.
 */
static PlProbeStep old_error(const uint8_t *data, size_t n, bool eof, PlTcpAnswer *ret) {
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
        pl_verdict_set(&ret->verdict, PL_VERDICT_IMPAIRED, "fork",
                       "cannot start a server process: %s",
                       pl_quote(data + 1, len - 1, quoted, sizeof(quoted)));
        return PL_PROBE_DONE;
}

/* Messages that may come up to ReadyForQuery, and those that may come up to AuthenticationOk. */
static bool is_type(uint8_t c, bool let_in) {
        return memchr(let_in ? "RENvSKZ" : "RENv", c, let_in ? 7 : 4) != NULL;
}

static void postgres_closed(size_t n, bool let_in, PlTcpAnswer *ret) {
        if (n == 0)
                closed(ret);
        else if (let_in)
                pl_verdict_set(&ret->verdict, PL_VERDICT_IMPAIRED, "closed",
                               "closed after authentication, before it was ready");
        else
                pl_verdict_set(&ret->verdict, PL_VERDICT_SILENT, "closed",
                               "the connection was closed in the middle of an answer");
}

static PlProbeStep postgres_parse(const uint8_t *data, size_t n, bool eof, bool login,
                                  PlTcpAnswer *ret) {
        bool let_in = false;
        size_t i = 0;

        *ret = (PlTcpAnswer){ 0 };
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
                        bool wants = get32(body) != 0;

                        if (wants && login && n - i < (size_t)len + 1)
                                break;
                        if (wants && (!login || !take_challenge(body, len - 4, ret))) {
                                /* it asks for a password: it serves */
                                pl_verdict_set(&ret->verdict, PL_VERDICT_UP, "", "%s", "");
                                return PL_PROBE_DONE;
                        }
                        if (!wants && len != 8) { /* AuthenticationOk is nothing but its code */
                                judge_garbage(data, n, ret);
                                return PL_PROBE_DONE;
                        }
                        let_in = let_in || !wants;
                }
                if (n - i < (size_t)len + 1)
                        break;
                if (type == 'E') {
                        postgres_error(body, len - 4, login, ret);
                        return PL_PROBE_DONE;
                }
                if (type == 'Z') {
                        pl_verdict_set(&ret->verdict, PL_VERDICT_UP, "", "%s", "");
                        ret->goodbye = true;
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
        postgres_closed(n, let_in, ret);
        return PL_PROBE_DONE;
}

static const uint8_t postgres_goodbye[5] = { 'X', 0, 0, 0, 4 }; /* Terminate */

const PlTcpTalk pl_tcp_postgres = { postgres_hello, postgres_parse, postgres_goodbye,
                                    sizeof(postgres_goodbye), true };

/*
 * --- Redis: PING out, one line of RESP in. Without a password: NOAUTH means that it serves (and
 * hides LOADING, since Redis checks the password first). It must not read past the first line: that
 * line is the answer.
 *
 * Source: Redis documentation, "RESP protocol specification"; error words: Redis server.c, shared
 * objects (LOADING, BUSY, MASTERDOWN, MISCONF, NOREPLICAS …); Valkey and KeyDB use the same.
 */

/* A longer first line is no answer to PING; that of protected mode has 1,066 bytes. */
#define REDIS_LINE_MAX 1536

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
        { "-MASTERDOWN", "MASTERDOWN", PL_VERDICT_IMPAIRED, "the link to its master is down" },
        { "-BUSY", "BUSY", PL_VERDICT_IMPAIRED, NULL },
        { "-MISCONF", "MISCONF", PL_VERDICT_IMPAIRED, NULL },
        { "-NOREPLICAS", "NOREPLICAS", PL_VERDICT_IMPAIRED, NULL },
        { "-OOM", "OOM", PL_VERDICT_IMPAIRED, NULL },
        { "-CLUSTERDOWN", "CLUSTERDOWN", PL_VERDICT_IMPAIRED, NULL },
        { "-TRYAGAIN", "TRYAGAIN", PL_VERDICT_IMPAIRED, NULL },
        { "-ERR max number of clients", "maxclients", PL_VERDICT_IMPAIRED,
          "full: the maximum number of clients is reached" },
        { "-ERR operation not permitted", "NOAUTH", PL_VERDICT_UP, "" }, /* < 2.8 */
        { "-ERR DISABLED", "DISABLED", PL_VERDICT_UP, "" },
        { "-ERR unknown command", "renamed", PL_VERDICT_UP, "PING is renamed" },
        { "-ERR", "ERR", PL_VERDICT_IMPAIRED, NULL },
};

/* An error reply is "-WORD text": anything else that begins with '-' is not Redis. */
static bool is_error_word(const uint8_t *line, size_t n) {
        size_t i = 1;

        while (i < n && line[i] >= 'A' && line[i] <= 'Z')
                i++;
        return i > 2 && (i == n || line[i] == ' ');
}

static void judge_line(const uint8_t *line, size_t n, PlTcpAnswer *ret) {
        char quoted[128];

        for (size_t i = 0; i < PL_ARRAY_SIZE(answers); i++) {
                size_t len = strlen(answers[i].prefix);

                if (n < len || memcmp(line, answers[i].prefix, len) != 0)
                        continue;
                /* "+PONGO" and "-BUSYBODY" are not ours */
                if (n > len && line[len] != ' ' && line[len] != ',')
                        continue;
                pl_verdict_set(&ret->verdict, answers[i].kind, answers[i].code, "%s",
                               answers[i].reason
                                               ? answers[i].reason
                                               : pl_quote(line + 1, n - 1, quoted, sizeof(quoted)));
                return;
        }
        if (is_tls(line, n, ret))
                return;
        if (line[0] == '-' && is_error_word(line, n))
                /* a word that a later Redis may know: it answers, but not PONG */
                pl_verdict_set(&ret->verdict, PL_VERDICT_IMPAIRED, "error", "answers PING with %s",
                               pl_quote(line + 1, n - 1, quoted, sizeof(quoted)));
        else
                pl_verdict_set(&ret->verdict, PL_VERDICT_DISPUTED, "garbage",
                               "not a Redis server: it says \"%s\"",
                               pl_quote(line, PL_MIN(n, (size_t)40), quoted, sizeof(quoted)));
}

static size_t redis_hello(const char *user, const char *database, const PlLogin *login,
                          uint8_t buf[static PL_TCP_HELLO_MAX]) {
        static const char ping[] = "*1\r\n$4\r\nPING\r\n";
        char *text = (char *)buf;
        size_t n = 0;

        if (login)
                n = (size_t)snprintf(text, PL_TCP_HELLO_MAX, "*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n",
                                     strlen(login->password), login->password);
        memcpy(buf + n, ping, sizeof(ping) - 1);
        return n + sizeof(ping) - 1;
}

static PlProbeStep pong(const uint8_t *data, size_t n, bool eof, PlTcpAnswer *ret) {
        const uint8_t *end = memmem(data, PL_MIN(n, (size_t)REDIS_LINE_MAX), "\r\n", 2);

        if (end && end > data) {
                judge_line(data, (size_t)(end - data), ret);
                return PL_PROBE_DONE;
        }
        /* what does not begin as a simple string or an error will not become one */
        if (n > 0 && data[0] != '+' && data[0] != '-' && (n >= 3 || eof)) {
                judge_line(data, PL_MIN(n, (size_t)40), ret);
                return PL_PROBE_DONE;
        }
        if (n >= REDIS_LINE_MAX) {
                pl_verdict_set(&ret->verdict, PL_VERDICT_DISPUTED, "garbage",
                               "not a Redis server: its first line does not end");
                return PL_PROBE_DONE;
        }
        if (!eof)
                return PL_PROBE_MORE;
        if (n == 0)
                closed(ret);
        else
                pl_verdict_set(&ret->verdict, PL_VERDICT_SILENT, "closed",
                               "the connection was closed in the middle of an answer");
        return PL_PROBE_DONE;
}

static bool starts(const uint8_t *data, size_t n, const char *with) {
        return n >= strlen(with) && memcmp(data, with, strlen(with)) == 0;
}

/* With a login the first line answers AUTH. Whatever it is, PING has an answer of its own; a server
 * without a password calls AUTH an error. */
static PlProbeStep redis_parse(const uint8_t *data, size_t n, bool eof, bool login,
                               PlTcpAnswer *ret) {
        const uint8_t *end = NULL;
        PlProbeStep step;
        bool refused;

        *ret = (PlTcpAnswer){ 0 };
        if (login && n > 0 && (data[0] == '+' || data[0] == '-'))
                end = memmem(data, PL_MIN(n, (size_t)REDIS_LINE_MAX), "\r\n", 2);
        if (!end)
                return pong(data, n, eof, ret);
        refused = starts(data, n, "-WRONGPASS") || starts(data, n, "-ERR invalid pass");
        end += 2;
        step = pong(end, n - (size_t)(end - data), eof, ret);
        if (step == PL_PROBE_DONE && refused && ret->verdict.kind == PL_VERDICT_UP) {
                pl_verdict_set(&ret->verdict, PL_VERDICT_UP, "WRONGPASS", "WRONGPASS");
                refuse_login(ret);
        }
        return step;
}

const PlTcpTalk pl_tcp_redis = { redis_hello, redis_parse };

/* --- which question is asked next, and what its answer means beside the ones before --- */

const uint8_t pl_tcp_starttls[8] = { 0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f }; /* SSLRequest */

void pl_tcp_kept_plain(PlTcpAnswer *a) {
        PlVerdict v = a->verdict;

        if (a->better == PL_WAY_STARTTLS)
                pl_verdict_set(&a->verdict, PL_VERDICT_DISPUTED, v.code,
                               "it does not let the probe in without TLS; set ProbeTLS=auto: %s",
                               v.reason);
}

bool pl_tcp_is_quiet(const PlTcpMemory *m, uint64_t now_usec) {
        return !m->noisy && (m->unanswered || now_usec < m->quiet_until_usec);
}

static void learn_quiet(PlTcpMemory *m, PlVerdict *v) {
        bool answered = v->kind == PL_VERDICT_UP;

        if (answered)
                *v = m->told;
        else
                m->quiet_until_usec = 0;
        m->alive = answered && m->unanswered;
        m->unanswered = false;
}

void pl_tcp_learn(PlTcpMemory *m, bool quiet, const PlTcpAnswer *a, uint64_t now_usec,
                  PlVerdict *ret) {
        *ret = a->verdict;
        if (quiet) {
                learn_quiet(m, ret);
                return;
        }
        m->unanswered = a->verdict.kind == PL_VERDICT_SILENT &&
                        pl_streq(a->verdict.code, "timeout");
        m->alive = m->alive && m->unanswered;
        m->quiet_until_usec = a->quiet_usec ? now_usec + a->quiet_usec : 0;
        m->told = a->verdict;
        if (m->unanswered)
                pl_verdict_set(&m->told, PL_VERDICT_IMPAIRED, "timeout",
                               "it answers, but begins no session within the deadline: its disk "
                               "hangs, or the server behind a pooler is gone");
        if (m->alive)
                *ret = m->told;
}
