/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Launch: see the header.
 *
 * Three layers: a string for a shell becomes commands, a command loses what wraps it, and what is
 * left is reduced to the words that are kept. A wrapper that is not known is the program itself, so
 * a mistake here ends in "some other program", which is asked nothing.
 */

#include "lib/docker/launch.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

#include "lib/base/strv.h"

/* A shell within a shell, an entry script that is given a shell, and so on. */
#define DEPTH_MAX 4
/* Words of one command, and bytes of them, before they are reduced. */
#define RAW_WORDS_MAX   96
#define RAW_BYTES_MAX   8192
#define SUBCOMMANDS_MAX 3

static const char *base_of(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static bool is_in(const char *words, const char *s, size_t size) {
        for (size_t n; *words; words += n + strspn(words + n, " ")) {
                n = strcspn(words, " ");
                if (n == size && memcmp(words, s, n) == 0)
                        return true;
        }
        return false;
}

/* --- what is kept of an environment --- */

typedef enum Keep {
        KEEP_WHOLE,
        KEEP_PATH,    /* of a URL: the path, for the rest may hold a login */
        KEEP_LOGIN,   /* of a database URL: "USER/DATABASE" */
        KEEP_NOTHING, /* that it is there */
        KEEP_OPTIONS, /* it is part of the command line: a command of this name */
} Keep;

/* Sorted. Where each one comes from stands in lib/probe/place.c, which reads them. */
static const struct {
        const char *name;
        Keep keep;
} variables[] = {
        { "AIRFLOW_APISERVER_PORT_NUMBER", KEEP_WHOLE },
        { "AIRFLOW_COMPONENT_TYPE", KEEP_WHOLE },
        { "AIRFLOW_HOME", KEEP_NOTHING },
        { "AIRFLOW_WEBSERVER_PORT_NUMBER", KEEP_WHOLE },
        { "AIRFLOW__API__BASE_URL", KEEP_PATH },
        { "AIRFLOW__API__HOST", KEEP_WHOLE },
        { "AIRFLOW__API__PORT", KEEP_WHOLE },
        { "AIRFLOW__CELERY__FLOWER_HOST", KEEP_WHOLE },
        { "AIRFLOW__CELERY__FLOWER_PORT", KEEP_WHOLE },
        { "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK", KEEP_WHOLE },
        { "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST", KEEP_WHOLE },
        { "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT", KEEP_WHOLE },
        { "AIRFLOW__WEBSERVER__BASE_URL", KEEP_PATH },
        { "AIRFLOW__WEBSERVER__WEB_SERVER_HOST", KEEP_WHOLE },
        { "AIRFLOW__WEBSERVER__WEB_SERVER_PORT", KEEP_WHOLE },
        { "BITNAMI_APP_NAME", KEEP_WHOLE },
        { "DATABASE_URL", KEEP_LOGIN },
        { "DB_NAME", KEEP_WHOLE },
        { "DB_USER", KEEP_WHOLE },
        { "GF_PATHS_HOME", KEEP_NOTHING },
        { "GF_SERVER_HTTP_ADDR", KEEP_WHOLE },
        { "GF_SERVER_HTTP_PORT", KEEP_WHOLE },
        { "GF_SERVER_PROTOCOL", KEEP_WHOLE },
        { "GF_SERVER_ROOT_URL", KEEP_PATH },
        { "GF_SERVER_SERVE_FROM_SUB_PATH", KEEP_WHOLE },
        { "KEYDB_EXTRA_FLAGS", KEEP_OPTIONS },
        { "KEYDB_PORT_NUMBER", KEEP_WHOLE },
        { "LISTEN_ADDR", KEEP_WHOLE },
        { "LISTEN_PORT", KEEP_WHOLE },
        { "MLFLOW_GUNICORN_OPTS", KEEP_NOTHING },
        { "MLFLOW_HOST", KEEP_WHOLE },
        { "MLFLOW_PORT", KEEP_WHOLE },
        { "MLFLOW_STATIC_PREFIX", KEEP_PATH },
        { "OLLAMA_HOST", KEEP_WHOLE },
        { "PGBOUNCER_DATABASE", KEEP_WHOLE },
        { "PGBOUNCER_LISTEN_ADDRESS", KEEP_WHOLE },
        { "PGBOUNCER_PORT", KEEP_WHOLE },
        { "PGPORT", KEEP_WHOLE },
        { "PG_MAJOR", KEEP_NOTHING },
        { "POSTGRESQL_ALLOW_REMOTE_CONNECTIONS", KEEP_WHOLE },
        { "POSTGRESQL_DATABASE", KEEP_WHOLE },
        { "POSTGRESQL_PORT_NUMBER", KEEP_WHOLE },
        { "POSTGRESQL_USER", KEEP_WHOLE },
        { "POSTGRESQL_USERNAME", KEEP_WHOLE },
        { "POSTGRES_DATABASE", KEEP_WHOLE },
        { "POSTGRES_DB", KEEP_WHOLE },
        { "POSTGRES_PORT_NUMBER", KEEP_WHOLE },
        { "POSTGRES_USER", KEEP_WHOLE },
        { "POSTGRES_USERNAME", KEEP_WHOLE },
        { "REDIS_ALLOW_REMOTE_CONNECTIONS", KEEP_WHOLE },
        { "REDIS_ARGS", KEEP_OPTIONS },
        { "REDIS_EXTRA_FLAGS", KEEP_OPTIONS },
        { "REDIS_PORT_NUMBER", KEEP_WHOLE },
        { "REDIS_TLS_ENABLED", KEEP_WHOLE },
        { "REDIS_TLS_PORT", KEEP_WHOLE },
        { "REDIS_TLS_PORT_NUMBER", KEEP_WHOLE },
        { "VALKEY_ALLOW_REMOTE_CONNECTIONS", KEEP_WHOLE },
        { "VALKEY_EXTRA_FLAGS", KEEP_OPTIONS },
        { "VALKEY_PORT_NUMBER", KEEP_WHOLE },
        { "VALKEY_TLS_ENABLED", KEEP_WHOLE },
        { "VALKEY_TLS_PORT_NUMBER", KEEP_WHOLE },
};

/* Return: its row, or the number of rows. */
static size_t variable_of(const char *name, size_t size) {
        size_t low = 0, high = PL_ARRAY_SIZE(variables);

        while (low < high) {
                size_t middle = (low + high) / 2;
                int d = strncmp(name, variables[middle].name, size);

                if (d == 0)
                        d = variables[middle].name[size] ? -1 : 0;
                if (d == 0)
                        return middle;
                if (d < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return PL_ARRAY_SIZE(variables);
}

/* The path of a URL, or of what is one but for its scheme and host. */
static const char *url_path(const char *s) {
        const char *scheme = strstr(s, "://");

        if (!scheme)
                return *s == '/' ? s : "";
        s = strchr(scheme + 3, '/');
        return s ? s : "";
}

/* "postgres://USER:PASSWORD@HOST:PORT/DATABASE?options" without what is secret. */
static void login_of(const char *s, char buf[static PL_LAUNCH_WORD_MAX]) {
        const char *user = strstr(s, "://"), *at, *slash;
        int n_user = 0, n_database = 0;

        user = user ? user + 3 : s;
        at = strrchr(user, '@');
        slash = strchr(at ? at : user, '/');
        if (at)
                n_user = (int)PL_MIN(strcspn(user, ":@/"), (size_t)63);
        if (slash)
                n_database = (int)PL_MIN(strcspn(slash + 1, "?"), (size_t)63);
        (void)snprintf(buf, PL_LAUNCH_WORD_MAX, "%.*s/%.*s", n_user, user, n_database,
                       slash ? slash + 1 : "");
}

/* Reads a launch: what is kept so far, and the memory that failed. */
typedef struct Reader {
        PlLaunch *l;
        size_t n_words;
        bool failed; /* out of memory */
} Reader;

static void keep_word(Reader *r, const char *word) {
        if (r->failed)
                return;
        if (r->n_words == PL_LAUNCH_WORDS_MAX) {
                r->l->unsure = true;
                return;
        }
        if (pl_strv_append(&r->l->words, PL_LAUNCH_WORDS_MAX, word) < 0)
                r->failed = true;
        else
                r->n_words++;
}

static void set_env(Reader *r, const char *name, const char *value) {
        PlLaunch *l = r->l;
        PlPair p = { strdup(name), strndup(value, PL_LAUNCH_WORD_MAX) }, *grown;
        size_t i = 0;

        if (!p.key || !p.value)
                goto fail;
        while (i < l->n_env && strcmp(l->env[i].key, name) < 0)
                i++;
        if (i < l->n_env && pl_streq(l->env[i].key, name)) { /* the last one wins */
                free(l->env[i].key);
                free(l->env[i].value);
                l->env[i] = p;
                return;
        }
        grown = reallocarray(l->env, l->n_env + 1, sizeof(*grown));
        if (!grown)
                goto fail;
        l->env = grown;
        memmove(&grown[i + 1], &grown[i], (l->n_env - i) * sizeof(*grown));
        grown[i] = p;
        l->n_env++;
        return;
fail:
        free(p.key);
        free(p.value);
        r->failed = true;
}

static void read_options(Reader *r, const char *name, const char *value);

/* "NAME=VALUE". Return: whether it is an assignment at all. */
static bool take_assignment(Reader *r, const char *s) {
        size_t n = 0;
        char login[PL_LAUNCH_WORD_MAX];
        const char *value;

        if (!isalpha((unsigned char)*s) && *s != '_')
                return false;
        while (isalnum((unsigned char)s[n]) || s[n] == '_')
                n++;
        if (s[n] != '=')
                return false;
        value = s + n + 1;
        n = variable_of(s, n);
        if (n == PL_ARRAY_SIZE(variables))
                return true;
        switch (variables[n].keep) {
        case KEEP_WHOLE:
                set_env(r, variables[n].name, value);
                break;
        case KEEP_PATH:
                set_env(r, variables[n].name, url_path(value));
                break;
        case KEEP_LOGIN:
                login_of(value, login);
                set_env(r, variables[n].name, login);
                break;
        case KEEP_NOTHING:
                set_env(r, variables[n].name, "");
                break;
        case KEEP_OPTIONS:
                read_options(r, variables[n].name, value);
                break;
        }
        return true;
}

/* --- what is kept of a command --- */

/* Options that say where a program listens, or that it does not serve at all. */
static const struct {
        const char *name; /* '-' for '_'; of more than a letter: lower case */
        enum { FLAG, ONE, MANY, URL, HIDDEN } takes;
} options[] = {
        /* several programs: which one means what is decided by who reads them */
        { "p", ONE },
        { "port", ONE },
        { "h", ONE },
        { "H", ONE },
        { "host", ONE },
        { "hostname", ONE },
        { "help", FLAG },
        { "version", FLAG },
        { "V", FLAG },
        /* Postgres; "-c NAME=VALUE" ends here too */
        { "listen-addresses", ONE },
        { "config-file", ONE },
        { "i", FLAG },
        { "single", FLAG },
        { "boot", FLAG },
        { "check", FLAG },
        { "describe-config", FLAG },
        /* Redis */
        { "bind", MANY },
        { "tls-port", ONE },
        { "sentinel", FLAG },
        /* Prometheus */
        { "web.listen-address", ONE },
        { "web.external-url", URL },
        { "web.route-prefix", ONE },
        /* MLflow */
        { "static-prefix", ONE },
        { "gunicorn-opts", HIDDEN },
        { "uvicorn-opts", HIDDEN },
        /* Grafana, "cfg:SECTION.KEY=VALUE" */
        { "server.http-port", ONE },
        { "server.http-addr", ONE },
        { "server.protocol", ONE },
        { "server.root-url", URL },
        { "server.serve-from-sub-path", ONE },
        { "default.server.http-port", ONE },
        { "default.server.http-addr", ONE },
        { "default.server.protocol", ONE },
        { "default.server.root-url", URL },
        { "default.server.serve-from-sub-path", ONE },
};

static char folded(char c, size_t size) {
        return size == 1 ? c : c == '_' ? '-' : (char)tolower((unsigned char)c);
}

/* Return: its row, or the number of rows. */
static size_t option_of(const char *name, size_t size) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(options); i++) {
                const char *s = options[i].name;
                size_t n = 0;

                while (n < size && s[n] && folded(name[n], size) == s[n])
                        n++;
                if (n == size && !s[n])
                        return i;
        }
        return PL_ARRAY_SIZE(options);
}

static void keep_option(Reader *r, size_t i, const char *value) {
        char word[PL_LAUNCH_WORD_MAX * 2];

        if (options[i].takes == HIDDEN)
                value = "";
        else if (options[i].takes == URL)
                value = strchr(value, '$') ? "$" : url_path(value);
        else if (strchr(value, '$'))
                value = "$";
        (void)snprintf(word, sizeof(word), "%s=%.*s", options[i].name, PL_LAUNCH_WORD_MAX, value);
        keep_word(r, word);
}

/* The values of an option that takes several, up to the next option. Return: how many. */
static size_t join(const char *const *w, size_t n, char *buf, size_t size) {
        size_t used = 0, i;

        *buf = '\0';
        for (i = 0; i < n && !pl_startswith(w[i], "--"); i++) {
                int len = snprintf(buf + used, size - used, "%s%s", used > 0 ? " " : "", w[i]);

                if (len < 0 || (size_t)len >= size - used)
                        break;
                used += (size_t)len;
        }
        return i;
}

/* "--name=value", "--name value", "-nvalue", "-c name=value", "cfg:name=value", and Redis' "--name
 * value" in one word. Return: how many words it takes. */
static size_t read_option(Reader *r, const char *const *w, size_t n) {
        bool cfg = pl_startswith(w[0], "cfg:"), two = pl_startswith(w[0], "--");
        const char *name = w[0] + (cfg ? 4 : two ? 2 : 1), *value;
        size_t size = strcspn(name, "= "), i = option_of(name, size);
        char joined[PL_LAUNCH_WORD_MAX];

        if (!cfg && !two && *name == 'c') {
                value = name[1] ? name + 1 : n > 1 ? w[1] : "";
                size = strcspn(value, "= ");
                i = option_of(value, size);
                if (i < PL_ARRAY_SIZE(options) && options[i].takes == ONE && size > 1)
                        keep_option(r, i, value + size + strspn(value + size, "= "));
                return name[1] ? 1 : 2;
        }
        if (!cfg && !two && i == PL_ARRAY_SIZE(options))
                i = option_of(name, size = 1); /* the value sticks to the letter */
        if (i == PL_ARRAY_SIZE(options))
                return 1;
        value = name + size + strspn(name + size, "= ");
        if (options[i].takes == FLAG) {
                keep_option(r, i, "");
                return 1;
        }
        if (name[size]) {
                keep_option(r, i, value);
                return 1;
        }
        if (options[i].takes == MANY) {
                size = join(w + 1, n - 1, joined, sizeof(joined));
                keep_option(r, i, joined);
                return 1 + size;
        }
        if (n > 1)
                keep_option(r, i, w[1]);
        return 2;
}

/* Nothing that could be a secret: names of subcommands and files. */
static bool is_plain(const char *s) {
        size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-");

        return n > 0 && !s[n] && n < PL_LAUNCH_WORD_MAX / 2;
}

static void read_arguments(Reader *r, const char *const *w, size_t n) {
        bool option_seen = false;
        size_t subcommands = 0, i = 0;

        while (i < n) {
                if ((w[i][0] == '-' && w[i][1]) || pl_startswith(w[i], "cfg:")) {
                        option_seen = true;
                        i += read_option(r, w + i, n - i);
                        continue;
                }
                if (!option_seen && subcommands < SUBCOMMANDS_MAX && is_plain(w[i])) {
                        keep_word(r, w[i]);
                        subcommands++;
                }
                i++;
        }
}

/* An empty word ends a command: no program has that name, no subcommand, no option. */
static void keep_command(Reader *r, const char *const *w, size_t n) {
        char program[PL_LAUNCH_WORD_MAX];

        (void)snprintf(program, sizeof(program), "%s", strchr(w[0], '$') ? "$" : w[0]);
        if (pl_streq(program, "$"))
                r->l->unsure = true;
        keep_word(r, program);
        read_arguments(r, w + 1, n - 1);
        keep_word(r, "");
}

/* --- what wraps a command --- */

static void read_shell(Reader *r, const char *s, unsigned depth);

static const struct {
        const char *names;
        const char *valued;  /* options that take the next word as well */
        unsigned n_operands; /* words of its own in front of the command */
} wrappers[] = {
        { "tini tini-static docker-init", "-p -e", 0 },
        { "dumb-init", "-r --rewrite", 0 },
        { "catatonit nohup setsid command builtin time exec ddtrace-run opentelemetry-instrument",
          "-a", 0 },
        { "gosu su-exec setuidgid s6-setuidgid", "", 1 },
        { "setpriv", "--reuid --regid --groups", 0 },
        { "runuser sudo", "-u -g --user --group", 0 },
        { "chpst", "-u -U -e -/ -n -l -L -P -m -d -o -p -f -c -t -r", 0 },
        { "nice", "-n", 0 },
        { "ionice", "-c -n -t", 0 },
        { "stdbuf", "-i -o -e", 0 },
        { "timeout", "-s -k", 1 },
        { "dockerize",
          "-wait -timeout -wait-retry-interval -template -stdout -stderr -wait-http-header", 0 },
};

static bool is_option(const char *s) {
        return *s == '-' && s[1];
}

/* Options, and the operands behind them. Return: how many words. */
static size_t skip_options(const char *const *w, size_t n, const char *valued,
                           unsigned n_operands) {
        size_t i = 0;

        while (i < n && is_option(w[i])) {
                if (pl_streq(w[i], "--")) {
                        i++;
                        break;
                }
                i += is_in(valued, w[i], strlen(w[i])) ? 2 : 1;
        }
        i += n_operands;
        while (i < n && pl_streq(w[i], "--"))
                i++;
        return PL_MIN(i, n);
}

/* Scripts that run what they are given: "docker-entrypoint.sh postgres", "/entrypoint webserver".
 */
static bool is_entry(const char *base) {
        const char *s = strcasestr(base, "entrypoint");

        return s && (s == base || !isalnum((unsigned char)s[-1])) &&
               !isalnum((unsigned char)s[strlen("entrypoint")]);
}

static bool is_config_file(const char *s) {
        size_t n = strlen(s);

        return n > 5 && pl_streq(s + n - 5, ".conf");
}

static bool is_shell(const char *base) {
        return is_in("sh bash ash dash zsh ksh", base, strlen(base));
}

/* What a script runs that waits for something first: "wait-for-it.sh db:5432 -- postgres". */
static size_t skip_waiter(const char *const *w, size_t n) {
        for (size_t i = 1; i < n; i++)
                if (pl_streq(w[i], "--"))
                        return i + 1;
        return 0;
}

/* "python -m mlflow", "python /opt/venv/bin/mlflow". Return: how many words; 0: it runs code of its
 * own. */
static size_t skip_python(const char *const *w, size_t n) {
        for (size_t i = 1; i < n; i++) {
                if (pl_streq(w[i], "-m"))
                        return i + 1;
                if (w[i][0] != '-')
                        return i;
                if (pl_streq(w[i], "-W") || pl_streq(w[i], "-X"))
                        i++;
                else if (strchr(w[i], 'c') || !w[i][1])
                        break;
        }
        return 0;
}

/* Return: how many words in front of the command belong to what wraps it; 0: none. */
static size_t skip_wrapper(Reader *r, const char *const *w, size_t n) {
        const char *base = base_of(w[0]);
        size_t len = strlen(base), i;

        for (i = 0; i < PL_ARRAY_SIZE(wrappers); i++)
                if (is_in(wrappers[i].names, base, len))
                        return 1 + skip_options(w + 1, n - 1, wrappers[i].valued,
                                                wrappers[i].n_operands);
        if (pl_streq(base, "env")) {
                i = 1 + skip_options(w + 1, n - 1, "-u --unset -C --chdir", 0);
                while (i < n && take_assignment(r, w[i]))
                        i++;
                return i;
        }
        if (n > 1 && pl_streq(w[1], "run") &&
            is_in("uv poetry pipenv pdm rye conda hatch", base, len))
                return 2 + skip_options(w + 2, n - 2, "-n -p --name --prefix", 0);
        if (pl_startswith(base, "wait") || pl_startswith(base, "dockerize"))
                return skip_waiter(w, n);
        if (pl_startswith(base, "python"))
                return skip_python(w, n);
        if (is_entry(base) && n > 1 && !is_option(w[1]) && !is_config_file(w[1]))
                return 1;
        return 0;
}

/* The string that a shell gets with -c (bash -euo pipefail -c STRING, su postgres -c STRING).
 * Return: its index; 0: none, and then *ret_script is that of a script. */
static size_t find_string(const char *const *w, size_t n, size_t *ret_script) {
        bool string = false, su = pl_streq(base_of(w[0]), "su");
        size_t i;

        *ret_script = 0;
        for (i = 1; i < n; i++) {
                if (su && !pl_startswith(w[i], "-c"))
                        continue;
                if (w[i][0] != '-' && w[i][0] != '+')
                        break;
                if (pl_startswith(w[i], "--")) {
                        i += pl_streq(w[i], "--rcfile") || pl_streq(w[i], "--init-file");
                        continue;
                }
                string = string || (w[i][0] == '-' && strchr(w[i], 'c'));
                if (!su && strchr(w[i], 'o') && w[i][strlen(w[i]) - 1] == 'o')
                        i++; /* the name of an option */
                if (su)
                        return i + 1 < n ? i + 1 : 0;
        }
        if (i >= n)
                return 0;
        if (string)
                return i;
        *ret_script = i;
        return 0;
}

static void read_command(Reader *r, const char *const *w, size_t n, unsigned depth) {
        for (size_t skip; n > 0 && *w[0]; w += skip, n -= skip) {
                const char *base = base_of(w[0]);

                if (is_shell(base) || pl_streq(base, "su")) {
                        size_t script, string = find_string(w, n, &script);

                        if (string > 0) {
                                r->l->shell = true;
                                read_shell(r, w[string], depth + 1);
                                return;
                        }
                        if (script == 0)
                                break;
                        skip = script;
                        continue;
                }
                skip = skip_wrapper(r, w, n);
                if (skip == 0)
                        break;
        }
        if (n > 0 && *w[0])
                keep_command(r, w, n);
}

/* --- strings for a shell (POSIX.1, "Shell Command Language", as far as commands go) --- */

typedef struct Lexer {
        const char *s;
        char text[RAW_BYTES_MAX];
        size_t used;
        const char *words[RAW_WORDS_MAX];
        size_t n;
        bool full; /* words are missing */
} Lexer;

static void put(Lexer *x, char c) {
        if (x->used + 1 < sizeof(x->text))
                x->text[x->used++] = c;
        else
                x->full = true;
}

/* Behind the bracket that closes one; s is behind the one that opens. */
static const char *skip_brackets(const char *s, char open, char close) {
        unsigned depth = 1;

        for (; *s; s++) {
                if (*s == '\\' && s[1])
                        s++;
                else if (*s == open)
                        depth++;
                else if (*s == close && --depth == 0)
                        return s + 1;
        }
        return s;
}

/* Whatever a shell puts in place of it, "$" stands there. */
static void skip_expansion(Lexer *x) {
        const char *s = x->s;

        put(x, '$');
        if (*s == '`') {
                s = strchr(s + 1, '`');
                x->s = s ? s + 1 : x->s + strlen(x->s);
                return;
        }
        s++;
        if (*s == '(')
                s = skip_brackets(s + 1, '(', ')');
        else if (*s == '{')
                s = skip_brackets(s + 1, '{', '}');
        else if (isalpha((unsigned char)*s) || *s == '_')
                while (isalnum((unsigned char)*s) || *s == '_')
                        s++;
        else if (*s)
                s++;
        x->s = s;
}

static void read_quoted(Lexer *x) {
        char quote = *x->s++;

        while (*x->s && *x->s != quote) {
                if (quote == '"' && (*x->s == '$' || *x->s == '`')) {
                        skip_expansion(x);
                        continue;
                }
                if (quote == '"' && *x->s == '\\' && x->s[1] && strchr("\"\\$`\n", x->s[1])) {
                        x->s++;
                        if (*x->s == '\n') {
                                x->s++;
                                continue;
                        }
                        /* it is no expansion, but a secret may begin with it */
                }
                put(x, *x->s++);
        }
        if (*x->s)
                x->s++;
}

static void read_word(Lexer *x) {
        size_t start = x->used;

        while (*x->s && !strchr(" \t\n;&|()<>", *x->s)) {
                if (*x->s == '\'' || *x->s == '"') {
                        read_quoted(x);
                } else if (*x->s == '$' || *x->s == '`') {
                        skip_expansion(x);
                } else if (*x->s == '\\' && x->s[1]) {
                        x->s++;
                        if (*x->s != '\n')
                                put(x, *x->s);
                        x->s++;
                } else {
                        put(x, *x->s++);
                }
        }
        put(x, '\0');
        if (x->full || x->n == RAW_WORDS_MAX)
                x->full = true;
        else
                x->words[x->n++] = x->text + start;
}

/* ">file", "2>&1", "<<END" with the lines up to END. The number in front is a word already. */
static void skip_redirection(Lexer *x) {
        bool here = pl_startswith(x->s, "<<") && x->s[2] != '<';
        size_t n = x->n, used = x->used;
        const char *end;

        if (x->n > 0 && x->s[0] && isdigit((unsigned char)x->s[-1]) &&
            strspn(x->words[x->n - 1], "0123456789") == strlen(x->words[x->n - 1]))
                n--;
        x->s += strspn(x->s, "<>&|-");
        x->s += strspn(x->s, " \t");
        read_word(x);
        if (here && x->n > n) {
                end = strstr(x->s, x->words[x->n - 1]);
                x->s = end ? end + strlen(x->words[x->n - 1]) : x->s + strlen(x->s);
        }
        x->n = n;
        x->used = used;
}

/* One command is complete. Words of the shell in front of it ("if", "then", "{") are none of it. */
static void end_command(Reader *r, Lexer *x, unsigned depth) {
        const char *const *w = x->words;
        size_t n = x->n;

        while (n > 0 && (is_in("! { } if then elif else while until do done fi export", w[0],
                               strlen(w[0])) ||
                         take_assignment(r, w[0]))) {
                w++;
                n--;
        }
        if (x->full)
                r->l->unsure = true;
        if (n > 0)
                read_command(r, w, n, depth);
        x->n = 0;
        x->used = 0;
        x->full = false;
}

static void read_shell(Reader *r, const char *s, unsigned depth) {
        _cleanup_free_ Lexer *x = NULL;

        if (depth > DEPTH_MAX) {
                r->l->unsure = true;
                return;
        }
        x = malloc(sizeof(*x));
        if (!x) {
                r->failed = true;
                return;
        }
        x->s = s;
        x->used = x->n = 0;
        x->full = false;
        while (*x->s && !r->failed) {
                if (strchr("<>", *x->s) || pl_startswith(x->s, "&>")) {
                        skip_redirection(x);
                } else if (strchr("\n;&|()", *x->s)) {
                        end_command(r, x, depth);
                        x->s++;
                } else if (strchr(" \t\r", *x->s)) {
                        x->s++;
                } else if (*x->s == '#') {
                        x->s += strcspn(x->s, "\n");
                } else {
                        read_word(x);
                }
        }
        end_command(r, x, depth);
}

/* A variable that holds options is split at blanks, as the scripts that use it do. */
static void read_options(Reader *r, const char *name, const char *value) {
        _cleanup_free_ char *copy = strdup(value);
        const char *words[RAW_WORDS_MAX];
        size_t n = 0;
        char *state = NULL;

        if (!copy) {
                r->failed = true;
                return;
        }
        words[n++] = name;
        for (char *w = strtok_r(copy, " \t\n", &state); w && n < RAW_WORDS_MAX;
             w = strtok_r(NULL, " \t\n", &state))
                words[n++] = w;
        keep_command(r, words, n);
}

int pl_launch_read(const char *const *words, size_t n_words, const char *const *env, size_t n_env,
                   PlLaunch *ret) {
        const char *w[RAW_WORDS_MAX];
        PlLaunch l = {};
        Reader r = { .l = &l };
        size_t n = 0;

        for (size_t i = 0; i < n_env; i++)
                if (env[i])
                        (void)take_assignment(&r, env[i]);
        for (size_t i = 0; i < n_words; i++)
                if (words[i] && n < RAW_WORDS_MAX)
                        w[n++] = words[i];
                else if (words[i])
                        l.unsure = true;
        read_command(&r, w, n, 0);
        if (r.failed) {
                pl_launch_deinit(&l);
                return -ENOMEM;
        }
        *ret = l;
        return 0;
}

void pl_launch_deinit(PlLaunch *l) {
        l->words = pl_strv_free(l->words);
        for (size_t i = 0; i < l->n_env; i++) {
                free(l->env[i].key);
                free(l->env[i].value);
        }
        free(TAKE_PTR(l->env));
        l->n_env = 0;
}

const char *pl_launch_env(const PlLaunch *l, const char *name) {
        for (size_t i = 0; i < l->n_env; i++)
                if (pl_streq(l->env[i].key, name))
                        return l->env[i].value;
        return NULL;
}

bool pl_launch_next(const PlLaunch *l, size_t *iter, PlLaunchCommand *ret) {
        char *const *w = l->words ? l->words + *iter : NULL;
        size_t n = 0;

        if (!w || !*w)
                return false;
        while (w[1 + n] && *w[1 + n])
                n++;
        *ret = (PlLaunchCommand){ .program = w[0], .words = w + 1, .n_words = n };
        *iter += 1 + n + (w[1 + n] ? 1 : 0);
        return true;
}

const char *pl_launch_name(const PlLaunchCommand *c) {
        return base_of(c->program);
}

const char *pl_launch_value(const PlLaunchCommand *c, const char *names) {
        for (size_t i = c->n_words; i-- > 0;) {
                size_t n = strcspn(c->words[i], "=");

                if (c->words[i][n] && is_in(names, c->words[i], n))
                        return c->words[i] + n + 1;
        }
        return NULL;
}

const char *pl_launch_word(const PlLaunchCommand *c, size_t nth) {
        return nth < c->n_words && !strchr(c->words[nth], '=') ? c->words[nth] : NULL;
}
