/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Place: see the header.
 *
 * One row per family of images says which programs serve, which ones in the same image do not, and
 * which function reads its settings. A program's own precedence holds: its default, then the
 * environment, then the command line; the later one wins.
 */

#include "lib/probe/place.h"

#include <ctype.h>
#include <strings.h>

#include "lib/base/unit.h"

/* --- why something is not asked --- */

static const char why_job[] = "its command is a client or a job, not the server";
static const char why_shell[] =
                "its command is a shell script that does not name the server: set Probe=";
static const char why_guess[] = "where it listens is known to a shell alone, and it shares the "
                                "host's network: set ProbePort=";
static const char why_socket[] = "it listens on a unix socket only";
static const char why_local[] = "it listens on localhost only, inside the container";
static const char why_any_port[] = "it listens on a port that the kernel chooses";
static const char why_sentinel[] = "a Sentinel holds no data: set Probe=redis to ask it";
static const char why_no_port[] =
                "this process of Airflow serves no port; the web server tells of it";
static const char why_no_role[] =
                "neither its command nor its name tells which process of Airflow it is: set Probe=";
static const char why_no_health_server[] =
                "its health server is off: set AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK=true in its "
                "environment";

/* --- families --- */

typedef struct Family Family;

#define COMMANDS_MAX 8
#define PORTS_MAX    3

/* What is known while a place is looked for. */
typedef struct Finder {
        const PlContainer *c;
        const Family *family;
        PlLaunchCommand commands[COMMANDS_MAX]; /* that serve; none: the image's own start */
        size_t n_commands;
        uint16_t ports[PORTS_MAX];
        size_t n_ports;
        bool named;      /* the commands are known to be the server's */
        bool told;       /* policy or label name the kind */
        bool host;       /* in the host's network: its localhost is ours */
        bool unreadable; /* something that only a shell knows */
        const char *why; /* it cannot be reached, or is nothing to ask */
        PlPlace *place;
} Finder;

struct Family {
        PlProbeKind kind;
        uint16_t port;
        const char *images;  /* last components of image names, without tag */
        const char *servers; /* "program" or "program:subcommand" */
        const char *clients; /* programs of the same images that do not serve */
        const char *marker;  /* a variable that its images set; NULL: none */
        const char *why;     /* it is not asked unless policy or label say so; NULL: it is */
        void (*read)(Finder *f);
};

static void read_postgres(Finder *f);
static void read_pgbouncer(Finder *f);
static void read_redis(Finder *f);
static void read_airflow(Finder *f);
static void read_ollama(Finder *f);
static void read_grafana(Finder *f);
static void read_mlflow(Finder *f);
static void read_prometheus(Finder *f);

#define POSTGRES_CLIENTS                                                                          \
        "psql pg_dump pg_dumpall pg_restore pg_basebackup pg_isready pg_receivewal "              \
        "pg_receivexlog pg_recvlogical pg_rewind pg_resetwal pg_upgrade pg_amcheck pg_checksums " \
        "pg_combinebackup pg_controldata pg_verifybackup pg_waldump pgbench initdb createdb "     \
        "createuser dropdb dropuser clusterdb vacuumdb reindexdb pgbackrest wal-g barman "        \
        "docker-ensure-initdb.sh docker-enforce-initdb.sh"
#define REDIS_CLIENTS                                                                      \
        "redis-cli valkey-cli keydb-cli redis-benchmark valkey-benchmark keydb-benchmark " \
        "redis-check-aof redis-check-rdb valkey-check-aof valkey-check-rdb"

/* A Sentinel is in front of Redis, whose programs it shares. */
static const Family families[] = {
        { PL_PROBE_POSTGRES, 5432,
          "postgres postgresql postgresql-repmgr postgis pgvector timescaledb timescaledb-ha citus",
          "postgres postmaster", POSTGRES_CLIENTS, "PG_MAJOR", NULL, read_postgres },
        { PL_PROBE_POSTGRES, 6432, "pgbouncer docker-pgbouncer", "pgbouncer", POSTGRES_CLIENTS,
          NULL, NULL, read_pgbouncer },
        { PL_PROBE_REDIS, 26379, "redis-sentinel valkey-sentinel",
          "redis-sentinel valkey-sentinel keydb-sentinel", REDIS_CLIENTS, NULL, why_sentinel,
          read_redis },
        { PL_PROBE_REDIS, 6379,
          "redis redis-stack redis-stack-server redis-cluster valkey valkey-cluster valkey-bundle "
          "keydb",
          "redis-server valkey-server keydb-server keydb-pro-server", REDIS_CLIENTS, NULL, NULL,
          read_redis },
        { PL_PROBE_AIRFLOW, 8080, "airflow docker-airflow airflow-scheduler airflow-worker", "", "",
          "AIRFLOW_HOME", NULL, read_airflow },
        { PL_PROBE_OLLAMA, 11434, "ollama", "ollama:serve ollama:start", "ollama", NULL, NULL,
          read_ollama },
        { PL_PROBE_GRAFANA, 3000, "grafana grafana-oss grafana-enterprise",
          "grafana-server grafana:server", "grafana grafana-cli", "GF_PATHS_HOME", NULL,
          read_grafana },
        { PL_PROBE_MLFLOW, 5000, "mlflow", "mlflow:server mlflow:ui", "mlflow", NULL, NULL,
          read_mlflow },
        { PL_PROBE_PROMETHEUS, 9090, "prometheus", "prometheus", "promtool", NULL, NULL,
          read_prometheus },
};

/* Programs that serve nothing, in any image. */
#define IDLERS                                                                                    \
        "sleep tail cat true false : echo printf exit env printenv id ls bash sh ash dash cp mv " \
        "rm chown chmod mkdir touch curl wget cron crond supercronic ofelia python python3 perl " \
        "git tar gzip rsync aws restic rclone"
/* Words in the name of a script that say as much. */
#define JOB_WORDS                                                                                 \
        "backup backups dump restore migrate migration migrations seed init setup cron job jobs " \
        "wait check healthcheck export exporter import cli client test tests load archive "       \
        "upgrade "                                                                                \
        "cleanup clean prune vacuum worker consumer sync"

static bool is_in(const char *words, const char *s, size_t size) {
        for (size_t n; *words; words += n + strspn(words + n, " ")) {
                n = strcspn(words, " ");
                if (n == size && strncasecmp(words, s, n) == 0)
                        return true;
        }
        return false;
}

/* Is one of the words of a name ("pg-backup.sh": pg, backup, sh) among these? */
static bool has_word(const char *name, const char *words) {
        for (size_t n; *name; name += n + strspn(name + n, "-_.")) {
                n = strcspn(name, "-_.");
                if (n > 0 && is_in(words, name, n))
                        return true;
        }
        return false;
}

/* --- values --- */

/* The last command that says so wins, as the last option of one does. */
static const char *option(const Finder *f, const char *names) {
        const char *v = NULL;

        for (size_t i = f->n_commands; i-- > 0 && !v;)
                v = pl_launch_value(&f->commands[i], names);
        return v;
}

static const char *env(const Finder *f, const char *name) {
        const char *v = pl_launch_env(&f->c->launch, name);

        return v && *v ? v : NULL;
}

/* The first of two that is there. */
static const char *env2(const Finder *f, const char *name, const char *other) {
        const char *v = env(f, name);

        return v ? v : env(f, other);
}

static bool is_true(const char *s) {
        return s && is_in("true t yes y on 1", s, strlen(s));
}

static void add_port(Finder *f, uint16_t port) {
        for (size_t i = 0; i < f->n_ports; i++)
                if (f->ports[i] == port)
                        return;
        if (port != 0 && f->n_ports < PORTS_MAX)
                f->ports[f->n_ports++] = port;
}

/* Return: whether it is a port. */
static bool take_port(Finder *f, const char *s) {
        uint64_t port;

        if (!s || !*s)
                return false;
        if (strchr(s, '$'))
                f->unreadable = true;
        if (pl_parse_uint64(s, &port) < 0 || port == 0 || port > UINT16_MAX)
                return false;
        add_port(f, (uint16_t)port);
        return true;
}

/* The ports of an option: of each command, in a shell's string there may be several. Return:
 * whether there is one. */
static bool take_ports(Finder *f, const char *names) {
        bool any = false;

        for (size_t i = f->n_commands; i-- > 0;)
                any = take_port(f, pl_launch_value(&f->commands[i], names)) || any;
        return any;
}

static bool is_loopback(const char *s, size_t n) {
        while (n > 0 && strchr("-['\"", *s)) { /* Redis: "-::1" may fail */
                s++;
                n--;
        }
        return (n >= 4 && memcmp(s, "127.", 4) == 0) ||
               (n >= 9 && strncasecmp(s, "localhost", 9) == 0) ||
               (n >= 3 && memcmp(s, "::1", 3) == 0 && (n == 3 || strchr("]'\"", s[3])));
}

/* Addresses to listen on, separated by blanks or commas: nothing but the container's own? */
static void take_listen(Finder *f, const char *s) {
        bool any = false;

        if (!s)
                return;
        for (size_t n; *s; s += n) {
                s += strspn(s, " ,");
                n = strcspn(s, " ,");
                if (n > 0 && !is_loopback(s, n))
                        return;
                any = any || n > 0;
        }
        if (any && !f->host)
                f->why = why_local;
}

static void set_text(char ret[static PL_PLACE_TEXT_MAX], const char *s) {
        (void)snprintf(ret, PL_PLACE_TEXT_MAX, "%.*s", PL_PLACE_TEXT_MAX - 1, s ? s : "");
}

/* "/prom/" is "/prom"; whatever could not stand in a path is none. */
static void set_prefix(Finder *f, const char *s) {
        size_t n = s ? strlen(s) : 0;

        while (n > 0 && s[n - 1] == '/')
                n--;
        for (size_t i = 0; i < n; i++)
                if (!isalnum((unsigned char)s[i]) && !strchr("/-_.~%+", s[i]))
                        return;
        if (n == 0 || *s != '/' || n >= sizeof(f->place->prefix))
                return;
        memcpy(f->place->prefix, s, n);
        f->place->prefix[n] = '\0';
}

/* Images of bitnami and bitnamilegacy, and what is built on them, set BITNAMI_APP_NAME (source:
 * their Dockerfiles). */
static bool is_bitnami(const Finder *f) {
        return env(f, "BITNAMI_APP_NAME") != NULL ||
               (f->c->image && strstr(f->c->image, "bitnami") != NULL);
}

/* --- Postgres. postgres(1): -p, -c port=, --port=, -h, -i; PGPORT. Official image and its kin
 * (postgis, pgvector, timescaledb): docker-library/postgres docker-entrypoint.sh: an option as
 * first argument means "postgres", POSTGRES_USER is "postgres" and POSTGRES_DB the user unless set;
 * it listens on all addresses. Bitnami (postgresql-env.sh): POSTGRESQL_PORT_NUMBER and others, each
 * also with POSTGRES_ in front; the port goes into postgresql.conf, which is stronger than PGPORT.
 * --- */

static void read_postgres(Finder *f) {
        const char *listen = option(f, "listen-addresses h"), *user;
        bool bitnami = is_bitnami(f);

        if (listen && !listen[strspn(listen, " '\"")])
                f->why = why_socket;
        else if (listen && !option(f, "i"))
                take_listen(f, listen);
        if (bitnami) {
                const char *remote = env(f, "POSTGRESQL_ALLOW_REMOTE_CONNECTIONS");

                if (remote && !is_true(remote))
                        take_listen(f, "127.0.0.1");
        }
        if (!take_ports(f, "p port"))
                (void)take_port(f,
                                bitnami ? env2(f, "POSTGRESQL_PORT_NUMBER", "POSTGRES_PORT_NUMBER")
                                        : env(f, "PGPORT"));
        user = env(f, "POSTGRES_USER");
        if (bitnami && env2(f, "POSTGRESQL_USERNAME", "POSTGRES_USERNAME"))
                user = env2(f, "POSTGRESQL_USERNAME", "POSTGRES_USERNAME");
        else if (bitnami && !user)
                user = env(f, "POSTGRESQL_USER");
        set_text(f->place->user, user);
        set_text(f->place->database,
                 bitnami && env2(f, "POSTGRESQL_DATABASE", "POSTGRES_DATABASE")
                                 ? env2(f, "POSTGRESQL_DATABASE", "POSTGRES_DATABASE")
                                 : env(f, "POSTGRES_DB"));
}

/* --- pgbouncer speaks Postgres' protocol. edoburu/pgbouncer (entrypoint.sh): LISTEN_PORT, 5432
 * unless set, LISTEN_ADDR, DB_USER and DB_NAME or DATABASE_URL. bitnami/pgbouncer
 * (pgbouncer-env.sh): PGBOUNCER_PORT, 6432 unless set, PGBOUNCER_LISTEN_ADDRESS,
 * PGBOUNCER_DATABASE, POSTGRESQL_USERNAME. pgbouncer(5): listen_port 6432. Its own pgbouncer.ini
 * may say otherwise, so both are candidates. --- */

static void read_pgbouncer(Finder *f) {
        const char *login = env(f, "DATABASE_URL"), *slash = login ? strchr(login, '/') : NULL;
        bool edoburu = f->c->image && strstr(f->c->image, "edoburu/");
        const char *database;

        take_listen(f, env2(f, "PGBOUNCER_LISTEN_ADDRESS", "LISTEN_ADDR"));
        if (!take_port(f, env2(f, "PGBOUNCER_PORT", "LISTEN_PORT"))) {
                add_port(f, edoburu ? 5432 : 6432);
                add_port(f, edoburu ? 6432 : 5432);
        }
        set_text(f->place->user, env2(f, "POSTGRESQL_USERNAME", "DB_USER"));
        database = env2(f, "PGBOUNCER_DATABASE", "DB_NAME");
        set_text(f->place->database, database && !pl_streq(database, "*") ? database : NULL);
        if (slash && slash > login)
                (void)snprintf(f->place->user, sizeof(f->place->user), "%.*s", (int)(slash - login),
                               login);
        if (slash && slash[1])
                set_text(f->place->database, slash + 1);
}

/* --- Redis, Valkey, KeyDB. redis.conf: port, tls-port, bind; each an option of the command line.
 * Official images (docker-entrypoint.sh): an option or a .conf as first argument means the server;
 * Valkey's adds VALKEY_EXTRA_FLAGS, redis-stack's REDIS_ARGS. Bitnami (redis-env.sh, libredis.sh):
 * REDIS_PORT_NUMBER, REDIS_TLS_ENABLED, REDIS_TLS_PORT_NUMBER; with TLS and both at 6379 there is
 * TLS alone; Valkey and KeyDB likewise. --- */

static void read_bitnami_redis(Finder *f) {
        const char *port = env2(f, "REDIS_PORT_NUMBER", "VALKEY_PORT_NUMBER");
        const char *tls = env2(f, "REDIS_TLS_PORT_NUMBER", "VALKEY_TLS_PORT_NUMBER");
        const char *remote = env2(f, "REDIS_ALLOW_REMOTE_CONNECTIONS",
                                  "VALKEY_ALLOW_REMOTE_CONNECTIONS");

        if (remote && !is_true(remote))
                take_listen(f, "127.0.0.1");
        if (!port)
                port = env(f, "KEYDB_PORT_NUMBER");
        if (!tls)
                tls = env(f, "REDIS_TLS_PORT");
        if (port && pl_streq(port, "0"))
                port = is_true(env2(f, "REDIS_TLS_ENABLED", "VALKEY_TLS_ENABLED"))
                                       ? tls ? tls : "6379"
                                       : NULL;
        (void)take_port(f, port);
}

static void read_redis(Finder *f) {
        const char *port, *tls;
        PlLaunchCommand c;

        /* options that stand in a variable are the server's */
        for (size_t i = 0; pl_launch_next(&f->c->launch, &i, &c);)
                if (is_in("REDIS_ARGS REDIS_EXTRA_FLAGS VALKEY_EXTRA_FLAGS KEYDB_EXTRA_FLAGS",
                          c.program, strlen(c.program)) &&
                    f->n_commands < COMMANDS_MAX)
                        f->commands[f->n_commands++] = c;
        take_listen(f, option(f, "bind"));
        port = option(f, "port");
        tls = option(f, "tls-port");
        if (port && pl_streq(port, "0")) {
                if (!take_port(f, tls))
                        f->why = why_socket;
        } else if (!take_ports(f, "port") && is_bitnami(f)) {
                read_bitnami_redis(f);
        }
}

/* --- Airflow: each process has its own proof. Tried on 2.8, 2.11 and 3.3, and its configuration
 * reference: webserver and api-server serve 8080, -p and --port; a scheduler with
 * ENABLE_HEALTH_CHECK serves /health on 8974; flower 5555; the others nothing. In 3.x [api] falls
 * back to [webserver] (airflow/configuration.py, deprecated options). The official image's
 * /entrypoint (entrypoint_prod.sh) and puckel's take the subcommand with or without "airflow";
 * bitnami's run.sh takes it from AIRFLOW_COMPONENT_TYPE. --- */

typedef enum Role {
        ROLE_UNKNOWN,
        ROLE_WEB, /* 2.x */
        ROLE_API, /* 3.x */
        ROLE_EITHER,
        ROLE_SCHEDULER,
        ROLE_FLOWER,
        ROLE_SILENT,
        ROLE_JOB,
} Role;

static const struct {
        const char *word;
        Role role;
} roles[] = {
        { "webserver", ROLE_WEB },
        { "api-server", ROLE_API },
        { "standalone", ROLE_EITHER },
        { "scheduler", ROLE_SCHEDULER },
        { "flower", ROLE_FLOWER },
        { "worker", ROLE_SILENT },
        { "triggerer", ROLE_SILENT },
        { "dag-processor", ROLE_SILENT },
        { "kerberos", ROLE_SILENT },
        { "edge", ROLE_SILENT },
        { "db", ROLE_JOB },
        { "users", ROLE_JOB },
        { "initdb", ROLE_JOB },
        { "upgradedb", ROLE_JOB },
        { "variables", ROLE_JOB },
        { "connections", ROLE_JOB },
        { "version", ROLE_JOB },
};

static Role role_of_word(const char *s) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(roles); i++)
                if (pl_streq(roles[i].word, s))
                        return roles[i].role;
        return ROLE_UNKNOWN;
}

/* "airflow webserver", "webserver" behind an entry script, "airflow celery worker". */
static Role role_of_command(const PlLaunchCommand *c) {
        bool airflow = pl_streq(pl_launch_name(c), "airflow");
        const char *word = airflow ? pl_launch_word(c, 0) : pl_launch_name(c);
        Role role;

        if (!word)
                return airflow ? ROLE_JOB : ROLE_UNKNOWN;
        if (pl_streq(word, "celery")) {
                word = pl_launch_word(c, airflow ? 1 : 0);
                return word && pl_streq(word, "flower") ? ROLE_FLOWER : ROLE_SILENT;
        }
        role = role_of_word(word);
        return role == ROLE_UNKNOWN && airflow ? ROLE_JOB : role;
}

/* By what people call it: the end of the name counts, and no part of a word. "stack-web-1" is a web
 * server, "airflow-api-server-init" and "webhook-consumer" are none. */
static Role role_of_name(const char *name) {
        static const struct {
                const char *end;
                Role role;
        } ends[] = {
                { "webserver", ROLE_WEB },        { "web-server", ROLE_WEB },
                { "web", ROLE_EITHER },           { "apiserver", ROLE_API },
                { "api-server", ROLE_API },       { "api", ROLE_API },
                { "standalone", ROLE_EITHER },    { "scheduler", ROLE_SCHEDULER },
                { "flower", ROLE_FLOWER },        { "triggerer", ROLE_SILENT },
                { "dag-processor", ROLE_SILENT }, { "worker", ROLE_SILENT },
        };
        size_t n = strlen(name), len;

        while (n > 0 && strchr("0123456789-_.", name[n - 1])) /* "-1" of compose */
                n--;
        if (n == 7 && strncasecmp(name, "airflow", n) == 0)
                return ROLE_EITHER;
        for (size_t i = 0; i < PL_ARRAY_SIZE(ends); i++) {
                const char *p = name + n;

                len = strlen(ends[i].end);
                if (len > n || (len < n && !strchr("-_.", p[-(ptrdiff_t)len - 1])))
                        continue;
                for (p -= len; len > 0; len--, p++)
                        if (tolower(*p == '_' || *p == '.' ? '-' : (unsigned char)*p) !=
                            ends[i].end[strlen(ends[i].end) - len])
                                break;
                if (len == 0)
                        return ends[i].role;
        }
        return ROLE_UNKNOWN;
}

/* A web server in the command is worth more than what runs beside it; then the last one counts. */
static Role find_role(const PlContainer *c) {
        const char *service = pl_container_label(c, "com.docker.compose.service");
        const char *component = pl_launch_env(&c->launch, "AIRFLOW_COMPONENT_TYPE");
        Role role = ROLE_UNKNOWN, one;
        PlLaunchCommand command;

        for (size_t i = 0; pl_launch_next(&c->launch, &i, &command);) {
                one = role_of_command(&command);
                if (one == ROLE_WEB || one == ROLE_API || one == ROLE_EITHER)
                        return one;
                if (one != ROLE_UNKNOWN)
                        role = one;
        }
        if (role == ROLE_UNKNOWN && component && *component)
                role = role_of_word(component);
        if (role == ROLE_UNKNOWN && service && *service)
                return role_of_name(service); /* the container's name repeats it */
        return role == ROLE_UNKNOWN && c->name ? role_of_name(c->name) : role;
}

static void read_airflow_server(Finder *f, Role role) {
        bool api = role != ROLE_WEB, web = role != ROLE_API;
        const char *path;

        take_listen(f, option(f, "H hostname host"));
        if (!option(f, "H hostname host"))
                take_listen(f, api && env(f, "AIRFLOW__API__HOST")
                                               ? env(f, "AIRFLOW__API__HOST")
                                               : env(f, "AIRFLOW__WEBSERVER__WEB_SERVER_HOST"));
        path = api ? env2(f, "AIRFLOW__API__BASE_URL", "AIRFLOW__WEBSERVER__BASE_URL")
                   : env(f, "AIRFLOW__WEBSERVER__BASE_URL");
        set_prefix(f, path);
        if (take_ports(f, "p port"))
                return;
        if (api && take_port(f, env2(f, "AIRFLOW__API__PORT", "AIRFLOW_APISERVER_PORT_NUMBER")) &&
            !web)
                return;
        (void)take_port(f, env2(f, "AIRFLOW__WEBSERVER__WEB_SERVER_PORT",
                                "AIRFLOW_WEBSERVER_PORT_NUMBER"));
}

static void read_airflow_scheduler(Finder *f) {
        f->place->path = "/health";
        if (!is_true(env(f, "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK")))
                f->why = why_no_health_server;
        take_listen(f, env(f, "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST"));
        if (!take_port(f, env(f, "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT")))
                add_port(f, 8974);
}

static void read_airflow_flower(Finder *f) {
        /* its pages may want a login: that it accepts a connection is the answer */
        f->place->kind = PL_PROBE_TCP;
        take_listen(f, env(f, "AIRFLOW__CELERY__FLOWER_HOST"));
        if (!take_ports(f, "p port") && !take_port(f, env(f, "AIRFLOW__CELERY__FLOWER_PORT")))
                add_port(f, 5555);
}

static void read_airflow(Finder *f) {
        Role role = find_role(f->c);

        if (role == ROLE_UNKNOWN && f->told)
                role = ROLE_EITHER;
        switch (role) {
        case ROLE_WEB:
        case ROLE_API:
        case ROLE_EITHER:
                read_airflow_server(f, role);
                break;
        case ROLE_SCHEDULER:
                read_airflow_scheduler(f);
                break;
        case ROLE_FLOWER:
                read_airflow_flower(f);
                break;
        case ROLE_SILENT:
                f->why = why_no_port;
                break;
        case ROLE_JOB:
                f->why = why_job;
                break;
        case ROLE_UNKNOWN:
                f->why = f->c->launch.shell ? why_shell : why_no_role;
                break;
        }
}

/* --- Ollama, to the letter (ollama/envconfig/config.go, Host and Var; tried): blanks and quotes
 * are trimmed; "http://" alone means port 80, "https://" 443, no scheme 11434; the path is cut; a
 * port that is none is the default one. Host and port are split as Go's net.SplitHostPort does it.
 * --- */

/* Return: whether there are both; *ret_port is inside s. */
static bool split_host_port(const char *s, size_t n, size_t *ret_host, const char **ret_port) {
        const char *colon = memrchr(s, ':', n), *end;

        *ret_port = "";
        if (!colon)
                return false;
        if (n > 0 && *s == '[') {
                end = memchr(s, ']', n);
                if (!end || end + 1 != colon)
                        return false;
        } else if (memchr(s, ':', (size_t)(colon - s)) || memchr(s, '[', n) || memchr(s, ']', n)) {
                return false;
        }
        *ret_host = (size_t)(colon - s);
        *ret_port = colon + 1;
        return true;
}

static void read_ollama(Finder *f) {
        const char *s = pl_launch_env(&f->c->launch, "OLLAMA_HOST"), *port = NULL, *scheme;
        uint16_t fallback = 11434;
        size_t n, host = 0;
        unsigned value = 0;
        bool both;

        if (!s)
                return;
        s += strspn(s, " \t\r\n");
        for (n = strlen(s); n > 0 && strchr(" \t\r\n", s[n - 1]);)
                n--;
        for (; n > 0 && strchr("\"' \t", *s); n--)
                s++;
        while (n > 0 && strchr("\"' \t", s[n - 1]))
                n--;
        scheme = memmem(s, n, "://", 3);
        if (scheme) {
                size_t len = (size_t)(scheme - s);

                if (len == 4 && memcmp(s, "http", 4) == 0)
                        fallback = 80;
                else if (len == 5 && memcmp(s, "https", 5) == 0)
                        fallback = 443;
                n -= len + 3;
                s = scheme + 3;
        }
        if (memchr(s, '/', n))
                n = (size_t)((const char *)memchr(s, '/', n) - s);
        if (memchr(s, '$', n))
                f->unreadable = true;
        both = split_host_port(s, n, &host, &port);
        if (!both) {
                host = n;
                port = s + n;
        }
        if (!f->host && ((!both && n == 0) || is_loopback(s, host)))
                f->why = why_local;
        n -= (size_t)(port - s);
        if (n > 0 && (*port == '+')) {
                port++;
                n--;
        }
        for (size_t i = 0; i < n; i++) {
                if (!isdigit((unsigned char)port[i]) || value > UINT16_MAX) {
                        n = 0;
                        break;
                }
                value = value * 10 + (unsigned)(port[i] - '0');
        }
        if (n > 0 && value == 0)
                f->why = why_any_port;
        add_port(f, n == 0 || value > UINT16_MAX ? fallback : (uint16_t)value);
}

/* --- Grafana. Its image's run.sh runs "grafana server" with what it is given. Precedence (Grafana,
 * "Configure Grafana"): cfg:default.* < grafana.ini < GF_* < cfg:*. With SERVE_FROM_SUB_PATH it is
 * served below the path of ROOT_URL. --- */

static const char *grafana_value(const Finder *f, const char *name, const char *variable) {
        char given[48], preset[48];
        const char *v;

        (void)snprintf(given, sizeof(given), "server.%s", name);
        (void)snprintf(preset, sizeof(preset), "default.server.%s", name);
        v = option(f, given);
        if (!v)
                v = env(f, variable);
        return v ? v : option(f, preset);
}

static void read_grafana(Finder *f) {
        const char *protocol = grafana_value(f, "protocol", "GF_SERVER_PROTOCOL");

        if (protocol && pl_streq(protocol, "socket"))
                f->why = why_socket;
        take_listen(f, grafana_value(f, "http-addr", "GF_SERVER_HTTP_ADDR"));
        (void)take_port(f, grafana_value(f, "http-port", "GF_SERVER_HTTP_PORT"));
        if (is_true(grafana_value(f, "serve-from-sub-path", "GF_SERVER_SERVE_FROM_SUB_PATH")))
                set_prefix(f, grafana_value(f, "root-url", "GF_SERVER_ROOT_URL"));
}

/* --- MLflow (mlflow/utils/cli_args.py, mlflow/cli.py): --host, -h, MLFLOW_HOST, 127.0.0.1 unless
 * set; --port, -p, MLFLOW_PORT; --static-prefix, MLFLOW_STATIC_PREFIX. "ui" is "server". Options
 * for its web server may say something else. --- */

static void read_mlflow(Finder *f) {
        const char *host = option(f, "h host");
        bool hidden = option(f, "gunicorn-opts uvicorn-opts") ||
                      pl_launch_env(&f->c->launch, "MLFLOW_GUNICORN_OPTS");

        if (!host)
                host = env(f, "MLFLOW_HOST");
        if (!host && f->named && !hidden)
                host = "127.0.0.1";
        take_listen(f, host);
        if (!take_ports(f, "p port"))
                (void)take_port(f, env(f, "MLFLOW_PORT"));
        set_prefix(f, option(f, "static-prefix") ? option(f, "static-prefix")
                                                 : env(f, "MLFLOW_STATIC_PREFIX"));
}

/* --- Prometheus (cmd/prometheus/main.go): --web.listen-address, several from 3.0 on; the prefix of
 * all paths is --web.route-prefix, else the path of --web.external-url. --- */

static void read_prometheus(Finder *f) {
        static const char name[] = "web.listen-address=";
        const char *prefix = option(f, "web.route-prefix"), *port;
        bool any = false, reachable = false;
        size_t host;

        for (size_t i = 0; i < f->n_commands; i++)
                for (size_t j = 0; j < f->commands[i].n_words; j++) {
                        const char *s = f->commands[i].words[j];

                        if (!pl_startswith(s, name))
                                continue;
                        s += strlen(name);
                        any = true;
                        if (!split_host_port(s, strlen(s), &host, &port) || f->host ||
                            !is_loopback(s, host)) {
                                reachable = true;
                                (void)take_port(f, port);
                        }
                }
        if (any && !reachable)
                f->why = why_local;
        set_prefix(f, prefix ? prefix : option(f, "web.external-url"));
}

/* --- which family, and does it serve? --- */

/* "grafana:server" asks for the program's first word, too. */
static bool runs(const char *servers, const PlLaunchCommand *c) {
        const char *name = pl_launch_name(c), *word = pl_launch_word(c, 0);
        char both[PL_LAUNCH_WORD_MAX * 2];

        (void)snprintf(both, sizeof(both), "%s:%s", name, word ? word : "");
        return is_in(servers, name, strlen(name)) || is_in(servers, both, strlen(both));
}

/* "postgres --single", "prometheus --version". */
static bool is_server(const Family *family, const PlLaunchCommand *c) {
        return runs(family->servers, c) &&
               !pl_launch_value(c, "help version V single boot check describe-config");
}

static bool is_sentinel(const PlLaunchCommand *c) {
        return pl_launch_value(c, "sentinel") || has_word(pl_launch_name(c), "sentinel");
}

static bool is_idle(const PlLaunchCommand *c) {
        const char *name = pl_launch_name(c);

        return is_in(IDLERS, name, strlen(name));
}

/* The command that a container lives by: in a shell's string the last one that does something. */
static bool main_command(const PlContainer *c, PlLaunchCommand *ret) {
        PlLaunchCommand command;
        bool found = false;

        for (size_t i = 0; pl_launch_next(&c->launch, &i, &command);)
                if (!found || !is_in("wait tail sleep exit", pl_launch_name(&command),
                                     strlen(pl_launch_name(&command)))) {
                        *ret = command;
                        found = true;
                }
        return found;
}

static const Family *family_of_kind(PlProbeKind kind) {
        const Family *first = NULL;

        for (size_t i = 0; i < PL_ARRAY_SIZE(families); i++)
                if (families[i].kind == kind && !families[i].why && !first)
                        first = &families[i];
        return first;
}

static const Family *family_of_command(const PlContainer *c) {
        PlLaunchCommand command;

        if (!main_command(c, &command))
                return NULL;
        if (pl_streq(pl_launch_name(&command), "airflow"))
                return family_of_kind(PL_PROBE_AIRFLOW);
        for (size_t i = 0; i < PL_ARRAY_SIZE(families); i++)
                if (is_server(&families[i], &command) ||
                    (families[i].why && is_sentinel(&command) &&
                     is_server(family_of_kind(families[i].kind), &command)))
                        return &families[i];
        return NULL;
}

/* By the last component of the image's name, without registry, tag and digest. */
static const Family *family_of_image(const char *image) {
        const char *base = strrchr(image, '/');
        size_t n;

        base = base ? base + 1 : image;
        n = strcspn(base, ":@");
        for (size_t i = 0; i < PL_ARRAY_SIZE(families); i++)
                if (is_in(families[i].images, base, n))
                        return &families[i];
        return NULL;
}

/* An image with a name of its own that is built on a known one, and started as that one is: its
 * entry script runs the server. */
static const Family *family_of_base(const PlContainer *c) {
        const char *bitnami = pl_launch_env(&c->launch, "BITNAMI_APP_NAME");
        PlLaunchCommand command;
        const char *name;

        if (!main_command(c, &command))
                return NULL;
        name = pl_launch_name(&command);
        if (pl_launch_env(&c->launch, "AIRFLOW_HOME") && role_of_command(&command) != ROLE_UNKNOWN)
                return family_of_kind(PL_PROBE_AIRFLOW);
        if (!has_word(name, "entrypoint run"))
                return NULL;
        if (bitnami && *bitnami)
                return family_of_image(bitnami);
        for (size_t i = 0; i < PL_ARRAY_SIZE(families); i++)
                if (families[i].marker && pl_launch_env(&c->launch, families[i].marker))
                        return &families[i];
        return NULL;
}

/* An image with a name of its own behind a service called "redis". */
static const Family *family_of_service(const PlContainer *c) {
        const char *service = pl_container_label(c, "com.docker.compose.service");
        const char *image = c->image ? strrchr(c->image, '/') : NULL;

        if (!service ||
            has_word(image      ? image + 1
                     : c->image ? c->image
                                : "",
                     "exporter backup client cli proxy operator agent insight commander admin ui"))
                return NULL;
        for (size_t i = 0; i < PL_ARRAY_SIZE(families); i++)
                if (!families[i].why &&
                    strcasecmp(service, pl_probe_kind_info(families[i].kind)->word) == 0)
                        return &families[i];
        return NULL;
}

static const Family *find_family(const PlContainer *c) {
        const Family *f = family_of_command(c);

        if (!f && c->image)
                f = family_of_image(c->image);
        if (!f)
                f = family_of_base(c);
        return f ? f : family_of_service(c);
}

/* Of what is not the server: does the name of its program say that it serves nothing? "/init" is
 * what s6-overlay starts everything with. */
static bool is_job(const Family *family, const PlLaunchCommand *c) {
        const char *name = pl_launch_name(c);

        return runs(family->clients, c) || runs(family->servers, c) || is_idle(c) ||
               (!pl_streq(name, "init") && has_word(name, JOB_WORDS));
}

/* The commands that serve. Return: why there is none; NULL: there may be one. */
static const char *find_servers(Finder *f) {
        const Family *family = f->family;
        PlLaunchCommand c;
        bool job = false, any = false;

        for (size_t i = 0; pl_launch_next(&f->c->launch, &i, &c);) {
                if (f->n_commands < COMMANDS_MAX &&
                    (is_server(family, &c) ||
                     (family->kind == PL_PROBE_AIRFLOW && role_of_command(&c) != ROLE_UNKNOWN) ||
                     (family->why && is_sentinel(&c))))
                        f->commands[f->n_commands++] = c;
        }
        f->named = f->n_commands > 0;
        if (f->named || family->kind == PL_PROBE_AIRFLOW)
                return NULL;
        for (size_t i = 0; pl_launch_next(&f->c->launch, &i, &c);) {
                any = true;
                if (is_job(family, &c)) {
                        job = true;
                } else if (!f->c->launch.shell || has_word(pl_launch_name(&c), "entrypoint run")) {
                        f->commands[0] =
                                        c; /* the image's own start: its options are the server's */
                        f->n_commands = 1;
                }
        }
        return !any || f->n_commands > 0 ? NULL : job ? why_job : why_shell;
}

/* --- ports --- */

/* The container's only TCP port; 0: none, or several. */
static uint16_t only_port(const PlContainer *c) {
        uint16_t port = 0;

        for (size_t i = 0; i < c->reach.n_ports; i++) {
                if (c->reach.ports[i].udp || c->reach.ports[i].container_port == port)
                        continue;
                if (port != 0)
                        return 0;
                port = c->reach.ports[i].container_port;
        }
        return port;
}

/* Nobody told: the default, and behind it what is published or exposed, for a file that we cannot
 * read may say otherwise. A guess is believed when the right answer comes. */
static void guess_ports(Finder *f) {
        const PlContainer *c = f->c;

        if (f->unreadable && f->host) {
                f->why = why_guess;
                return;
        }
        add_port(f, f->family->port);
        for (size_t i = 0; !f->host && i < 2 * c->reach.n_ports; i++) {
                const PlPort *p = &c->reach.ports[i % c->reach.n_ports];

                if (!p->udp && (p->host_port > 0 || i >= c->reach.n_ports))
                        add_port(f, p->container_port);
        }
}

static bool is_host_network(const PlContainer *c, const PlContainer *netns) {
        const char *mode = c->host.network_mode ? c->host.network_mode : "";

        if (pl_startswith(mode, "container:") && netns)
                mode = netns->host.network_mode ? netns->host.network_mode : "";
        return pl_streq(mode, "host");
}

static PlProbeKind word_of_label(const PlContainer *c) {
        const char *label = pl_container_label(c, PL_PROBE_LABEL);

        for (PlProbeKind k = PL_PROBE_NONE; label && k < _PL_PROBE_N; k++)
                if (strcasecmp(label, pl_probe_kind_info(k)->word) == 0)
                        return k;
        return PL_PROBE_AUTO;
}

static void no_probe(PlPlace *ret, const char *why) {
        *ret = (PlPlace){ .kind = PL_PROBE_NONE, .why = why };
}

/* A kind that no family knows: what policy and ports say. */
static void find_plain(const PlContainer *c, const PlContainer *netns, uint16_t port,
                       PlPlace *ret) {
        if (port == 0)
                port = only_port(c);
        pl_probe_addresses(c, netns, &port, port != 0, &ret->addresses);
}

static void find_known(Finder *f, const PlContainer *netns, uint16_t port) {
        const char *why = find_servers(f);

        if (!f->told && (f->family->why || why)) {
                f->why = f->family->why ? f->family->why : why;
                return;
        }
        f->family->read(f);
        if (port != 0) {
                /* who names a port knows that it can be reached, but a job stays a job */
                f->n_ports = 0;
                add_port(f, port);
                if (f->told || f->why != why_job)
                        f->why = NULL;
        } else if (f->n_ports == 0 && !f->why) {
                guess_ports(f);
        }
        if (!f->why)
                pl_probe_addresses(f->c, netns, f->ports, f->n_ports, &f->place->addresses);
}

void pl_place_find(const PlContainer *c, const PlContainer *netns, PlProbeKind policy,
                   uint16_t port, PlPlace *ret) {
        PlProbeKind told = policy != PL_PROBE_AUTO ? policy : word_of_label(c);
        Finder f = {
                .c = c,
                .told = told != PL_PROBE_AUTO,
                .host = is_host_network(c, netns),
                .place = ret,
        };

        no_probe(ret, NULL);
        f.family = told == PL_PROBE_NONE ? NULL : find_family(c);
        if (told != PL_PROBE_AUTO && (!f.family || f.family->kind != told))
                f.family = family_of_kind(told);
        ret->kind = f.family ? f.family->kind : told == PL_PROBE_AUTO ? PL_PROBE_NONE : told;
        if (ret->kind == PL_PROBE_NONE)
                return;
        if (f.family)
                find_known(&f, netns, port);
        else
                find_plain(c, netns, port, ret);
        if (f.why || ret->addresses.n == 0) {
                bool cut_off = !f.why && ret->addresses.cut_off;

                no_probe(ret, f.why ? f.why : ret->addresses.why);
                ret->cut_off = cut_off;
        }
}
