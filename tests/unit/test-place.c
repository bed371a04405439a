/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is asked of a container, and where: images, command lines, environments, networks and names
 * as people write them.
 */

#include "lib/probe/place.h"
#include "launch-text.h"

#define AUTO PL_PROBE_AUTO

typedef struct Row {
        const char *name;
        const char *image, *words, *env; /* see launch-text.h */
        const char *expect;  /* "KIND PORTS [/PREFIX] [GET PATH] [USER/DATABASE]", or "none: REASON"
                              */
        const char *service; /* of compose */
        const char *ports;   /* "80 8080:80": exposed, and published */
        const char *mode;    /* NULL: a bridge */
        PlProbeKind policy;
        uint16_t policy_port;
        const char *label, *container;
} Row;

#define PG       "docker-entrypoint.sh~postgres"
#define AF       "/usr/bin/dumb-init~--~/entrypoint~"
#define HC       "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK=true"
#define BN       "BITNAMI_APP_NAME="
#define RUN(app) "/opt/bitnami/scripts/" app "/entrypoint.sh~/opt/bitnami/scripts/" app "/run.sh"

/* clang-format off */
static const Row postgres[] = {
        { "official", "postgres:16", PG, NULL, "postgres 5432" },
        { "official, without a command line", "postgres:16", NULL, NULL, "postgres 5432" },
        { "registry, namespace, digest", "registry.example:5000/mirror/postgres@sha256:0123", PG, NULL, "postgres 5432" },
        { "upper case", "POSTGRES:16", PG, NULL, "postgres 5432" },
        { "postgis", "postgis/postgis:16-3.4", PG, NULL, "postgres 5432" },
        { "pgvector", "pgvector/pgvector:pg16", PG, NULL, "postgres 5432" },
        { "timescaledb", "timescale/timescaledb:latest-pg16", PG, NULL, "postgres 5432" },
        { "timescaledb-ha", "timescale/timescaledb-ha:pg16", "/docker-entrypoint.sh~postgres", NULL, "postgres 5432" },
        { "-c port=", "postgres:16", PG "~-c~port=5433", NULL, "postgres 5433" },
        { "-cport=", "postgres:16", PG "~-cport=5433", NULL, "postgres 5433" },
        { "-p", "postgres:16", PG "~-p~5433", NULL, "postgres 5433" },
        { "-pPORT", "postgres:16", PG "~-p5433", NULL, "postgres 5433" },
        { "--port=", "postgres:16", PG "~--port=5433", NULL, "postgres 5433" },
        { "an option as the command", "postgres:16", "docker-entrypoint.sh~-c~port=5433", NULL, "postgres 5433" },
        { "the last one wins", "postgres:16", PG "~-p~1~-c~port=5433", NULL, "postgres 5433" },
        { "PGPORT", "postgres:16", PG, "PGPORT=5433", "postgres 5433" },
        { "the command line beats PGPORT", "postgres:16", PG "~-p~5434", "PGPORT=5433", "postgres 5434" },
        { "nonsense in PGPORT", "postgres:16", PG, "PGPORT=70000", "postgres 5432" },
        { "another image's variable", "postgres:16", PG, "POSTGRESQL_PORT_NUMBER=5433", "postgres 5432" },
        { "user and database", "postgres:16", PG, "POSTGRES_USER=shop~POSTGRES_DB=orders", "postgres 5432 shop/orders" },
        { "user alone", "postgres:16", PG, "POSTGRES_USER=shop", "postgres 5432 shop/" },
        { "a file that may say otherwise", "postgres:16", PG "~-c~config_file=/etc/pg.conf", NULL, "postgres 5432,5433", NULL, "5432 5433:5433" },
        { "what is told is no guess", "postgres:16", PG "~-p~5433", NULL, "postgres 5433", NULL, "5432 9187:9187" },
        { "published before exposed", "postgres:16", PG, NULL, "postgres 5432,9000,8000", NULL, "5432 8000 9000:9000" },
        { "UDP is no candidate", "postgres:16", PG, NULL, "postgres 5432", NULL, "5432 53u" },
        { "a unix socket only", "postgres:16", PG "~-c~listen_addresses=", NULL, "none: unix socket" },
        { "a unix socket only, quoted", "postgres:16", "sh~-c~exec postgres -c listen_addresses=''", NULL, "none: unix socket" },
        { "localhost only", "postgres:16", PG "~-c~listen_addresses=localhost", NULL, "none: localhost only" },
        { "loopback addresses only", "postgres:16", PG "~--listen-addresses=127.0.0.1, ::1", NULL, "none: localhost only" },
        { "-h", "postgres:16", PG "~-h~127.0.0.1", NULL, "none: localhost only" },
        { "one address is reachable", "postgres:16", PG "~-c~listen_addresses=localhost,10.0.0.2", NULL, "postgres 5432" },
        { "all addresses", "postgres:16", PG "~-c~listen_addresses=*", NULL, "postgres 5432" },
        { "-i beats -h", "postgres:16", PG "~-h~localhost~-i", NULL, "postgres 5432" },
        { "localhost of the host", "postgres:16", PG "~-h~127.0.0.1", NULL, "postgres 5432", NULL, NULL, "host" },
        { "through a shell", "postgres:16", "sh~-c~exec postgres -c port=5433", NULL, "postgres 5433" },
        { "through a shell and the entry script", "postgres:16", "bash~-c~exec docker-entrypoint.sh postgres -p 5433", NULL, "postgres 5433" },
        { "an export in the shell", "postgres:16", "sh~-c~export PGPORT=5433; exec docker-entrypoint.sh postgres", NULL, "postgres 5433" },
        { "a port that only a shell knows", "postgres:16", "sh~-c~exec postgres -p $PORT", NULL, "postgres 5432,5433", NULL, "5432 5433:5433" },
        { "a guess in the host's network", "postgres:16", "sh~-c~exec postgres -p $PORT", NULL, "none: set ProbePort=", NULL, NULL, "host" },
        { "su", "postgres:16", "su~postgres~-c~postgres -p 5433", NULL, "postgres 5433" },
        { "a script of one's own", "postgres:16", "/start~-c~port=5433", NULL, "postgres 5433" },
        { "a script for a shell", "postgres:16", "bash~/start.sh", NULL, "postgres 5432" },
        { "a script in a shell's string", "postgres:16", "sh~-c~/start.sh", NULL, "none: does not name the server" },
        { "s6", "own/postgres", "/init", NULL, "postgres 5432" },
        { "pg_dump", "postgres:16", "docker-entrypoint.sh~pg_dump~-h~db", NULL, "none: a job" },
        { "psql", "postgres:16", "psql~postgres://u:p@db/x", NULL, "none: a job" },
        { "pg_basebackup through a shell", "postgres:16", "sh~-c~pg_basebackup -h db -D /x && exec sleep infinity", NULL, "none: a job" },
        { "a backup loop", "postgres:16", "sh~-c~while true; do pg_dump -h db x | gzip >/b; sleep 1d; done", NULL, "none: a job" },
        { "a loop that names nothing", "postgres:16", "sh~-c~while :; do /backup.sh; sleep 1d; done", NULL, "none: a job" },
        { "a backup script", "postgres:16", "/usr/local/bin/pg-backup.sh", NULL, "none: a job" },
        { "asleep", "postgres:16", "sleep~infinity", NULL, "none: a job" },
        { "a shell", "postgres:16", "docker-entrypoint.sh~bash", NULL, "none: a job" },
        { "cron", "postgres:16", "crond~-f", NULL, "none: a job" },
        { "single user", "postgres:16", PG "~--single", NULL, "none: a job" },
        { "version", "postgres:16", PG "~--version", NULL, "none: a job" },
        { "wait, then serve", "postgres:16", "sh~-c~until pg_isready -h old; do sleep 1; done; exec postgres -p 5433", NULL, "postgres 5433" },
        { "an image of one's own", "shop/db:1", PG "~-p~5433", NULL, "postgres 5433" },
        { "... and its entry script", "shop/db:1", "docker-entrypoint.sh~-c~max_connections=9", "PG_MAJOR=16", "postgres 5432" },
        { "... and a job", "shop/db:1", "docker-entrypoint.sh~pg_dump", "PG_MAJOR=16", "none" },
        { "bitnami", "bitnami/postgresql:16", RUN("postgresql"), BN "postgresql", "postgres 5432" },
        { "bitnami's port", "bitnami/postgresql:16", RUN("postgresql"), BN "postgresql~POSTGRESQL_PORT_NUMBER=5433", "postgres 5433" },
        { "bitnami's port, other name", "bitnamilegacy/postgresql", RUN("postgresql"), "POSTGRES_PORT_NUMBER=5433", "postgres 5433" },
        { "bitnami's file beats PGPORT", "bitnami/postgresql:16", RUN("postgresql"), "PGPORT=5433", "postgres 5432" },
        { "bitnami's names", "bitnami/postgresql", RUN("postgresql"), "POSTGRESQL_USERNAME=a~POSTGRESQL_DATABASE=b", "postgres 5432 a/b" },
        { "bitnami's names, second", "bitnami/postgresql", RUN("postgresql"), "POSTGRES_USER=a~POSTGRES_DB=b", "postgres 5432 a/b" },
        { "bitnami, not from outside", "bitnami/postgresql", RUN("postgresql"), "POSTGRESQL_ALLOW_REMOTE_CONNECTIONS=no", "none: localhost only" },
        { "built on bitnami's", "shop/db", RUN("postgresql"), BN "postgresql~POSTGRESQL_PORT_NUMBER=5433", "postgres 5433" },
        { "edoburu's pgbouncer", "edoburu/pgbouncer", "/entrypoint.sh~/usr/bin/pgbouncer~/etc/pgbouncer/pgbouncer.ini", "DB_USER=u~DB_NAME=d", "postgres 5432,6432 u/d" },
        { "... with its port", "edoburu/pgbouncer", "/entrypoint.sh~/usr/bin/pgbouncer", "LISTEN_PORT=7432~DATABASE_URL=postgres://u:p@h/d", "postgres 7432 u/d" },
        { "bitnami's pgbouncer", "bitnami/pgbouncer", RUN("pgbouncer"), "POSTGRESQL_USERNAME=u~PGBOUNCER_DATABASE=*", "postgres 6432,5432 u/" },
        { "... with its port", "bitnami/pgbouncer", RUN("pgbouncer"), "PGBOUNCER_PORT=7432", "postgres 7432" },
        { "... on localhost", "bitnami/pgbouncer", RUN("pgbouncer"), "PGBOUNCER_LISTEN_ADDRESS=127.0.0.1", "none: localhost only" },
        { "an exporter", "prometheuscommunity/postgres-exporter", "/bin/postgres_exporter", NULL, "none" },
        { "a name that only begins like it", "postgres-backup-local", "/init.sh", NULL, "none" },
        { "a name that only ends like it", "mypostgres", "/x", NULL, "none" },
};

static const Row redis[] = {
        { "official", "redis:7", "docker-entrypoint.sh~redis-server", NULL, "redis 6379" },
        { "valkey", "valkey/valkey:8", "docker-entrypoint.sh~valkey-server", NULL, "redis 6379" },
        { "keydb", "eqalpha/keydb", "docker-entrypoint.sh~keydb-server~/etc/keydb/keydb.conf", NULL, "redis 6379" },
        { "redis-stack", "redis/redis-stack:7.2.0-v10", "/entrypoint.sh", NULL, "redis 6379,8001", NULL, "6379 8001:8001" },
        { "redis-stack-server", "redis/redis-stack-server", "/entrypoint.sh", "REDIS_ARGS=--requirepass s --port 7000", "redis 7000" },
        { "--port", "redis:7", "docker-entrypoint.sh~redis-server~--port~7000", NULL, "redis 7000" },
        { "--port, in one word", "redis:7", "docker-entrypoint.sh~redis-server~--port 7000", NULL, "redis 7000" },
        { "a file, then --port", "redis:7", "docker-entrypoint.sh~redis-server~/etc/redis.conf~--port~7000", NULL, "redis 7000" },
        { "an option as the command", "redis:7", "docker-entrypoint.sh~--port~7000", NULL, "redis 7000" },
        { "a file as the command", "redis:7", "docker-entrypoint.sh~/etc/redis.conf", NULL, "redis 6379,7000", NULL, "6379 7000:7000" },
        { "PGPORT is another's", "redis:7", "redis-server", "PGPORT=7000", "redis 6379" },
        { "through a shell", "redis:7", "sh~-c~exec redis-server --requirepass $P --port 7000", NULL, "redis 7000" },
        { "two in a shell", "redis:7", "sh~-c~redis-server --port 7000 & redis-server --port 7001 & wait", NULL, "redis 7001,7000" },
        { "Valkey's extra flags", "valkey/valkey:8", "docker-entrypoint.sh~valkey-server", "VALKEY_EXTRA_FLAGS=--port 7000", "redis 7000" },
        { "TLS beside plain", "redis:7", "redis-server~--tls-port~6380", NULL, "redis 6379" },
        { "TLS alone", "redis:7", "redis-server~--port~0~--tls-port~6380", NULL, "redis 6380" },
        { "a unix socket only", "redis:7", "redis-server~--port~0~--unixsocket~/s", NULL, "none: unix socket" },
        { "bind 127.0.0.1", "redis:7", "redis-server~--bind~127.0.0.1", NULL, "none: localhost only" },
        { "bind 127.0.0.1 -::1", "redis:7", "redis-server~--bind~127.0.0.1~-::1~--port~7000", NULL, "none: localhost only" },
        { "bind to one more", "redis:7", "redis-server~--bind~127.0.0.1~10.0.0.2", NULL, "redis 6379" },
        { "bind to all", "redis:7", "redis-server~--bind~*", NULL, "redis 6379" },
        { "bind in the host's network", "redis:7", "redis-server~--bind~127.0.0.1", NULL, "redis 6379", NULL, NULL, "host" },
        { "redis-cli", "redis:7", "docker-entrypoint.sh~redis-cli~-h~x~ping", NULL, "none: a job" },
        { "redis-cli in a loop", "redis:7", "sh~-c~while redis-cli -h r ping; do sleep 5; done", NULL, "none: a job" },
        { "redis-benchmark", "redis:7", "redis-benchmark", NULL, "none: a job" },
        { "a cluster is made", "redis:7", "sh~-c~sleep 5; redis-cli --cluster create a:1 b:1 --cluster-yes", NULL, "none: a job" },
        { "redis-sentinel", "redis:7", "docker-entrypoint.sh~redis-sentinel~/s.conf", NULL, "none: Sentinel" },
        { "--sentinel", "redis:7", "redis-server~/s.conf~--sentinel", NULL, "none: Sentinel" },
        { "bitnami's sentinel", "bitnami/redis-sentinel", RUN("redis-sentinel"), BN "redis-sentinel", "none: Sentinel" },
        { "a sentinel that is asked for", "redis:7", "redis-sentinel~/s.conf", NULL, "redis 26379", NULL, NULL, NULL, PL_PROBE_REDIS },
        { "bitnami", "bitnami/redis:7", RUN("redis"), BN "redis", "redis 6379" },
        { "bitnami's port", "bitnami/redis:7", RUN("redis"), BN "redis~REDIS_PORT_NUMBER=7000", "redis 7000" },
        { "bitnami's extra flags", "bitnami/redis:7", RUN("redis"), "REDIS_EXTRA_FLAGS=--port 7000", "redis 7000" },
        { "bitnami's arguments", "bitnami/redis:7", RUN("redis") "~--port~7000", NULL, "redis 7000" },
        { "bitnami's TLS alone", "bitnami/redis:7", RUN("redis"), "REDIS_PORT_NUMBER=0~REDIS_TLS_ENABLED=yes~REDIS_TLS_PORT_NUMBER=6380", "redis 6380" },
        { "bitnami, not from outside", "bitnami/redis:7", RUN("redis"), "REDIS_ALLOW_REMOTE_CONNECTIONS=no", "none: localhost only" },
        { "bitnami's valkey", "bitnami/valkey", RUN("valkey"), "VALKEY_PORT_NUMBER=7000", "redis 7000" },
        { "bitnami's keydb", "bitnami/keydb", RUN("keydb"), "KEYDB_PORT_NUMBER=7000", "redis 7000" },
        { "an image of one's own", "shop/cache:1", "docker-entrypoint.sh~redis-server~--port~7000", NULL, "redis 7000" },
        { "an application that has one inside", "shop/app:1", "sh~-c~redis-server --daemonize yes; exec node app.js", NULL, "none" },
        { "a service called redis", "shop/cache:1", "/run", NULL, "redis 6379", "redis" },
        { "... that is a job", "shop/cache:1", "redis-cli~ping", NULL, "none: a job", "redis" },
        { "an exporter called redis", "oliver006/redis_exporter", "/redis_exporter", NULL, "none", "redis" },
        { "an exporter", "oliver006/redis_exporter", "/redis_exporter", NULL, "none" },
        { "a name within a path", "redis/backup:1", "/x", NULL, "none" },
};

static const Row airflow[] = {
        { "webserver", "apache/airflow:2.11.2", AF "webserver", NULL, "airflow 8080" },
        { "airflow webserver", "apache/airflow:2.11.2", AF "airflow~webserver", NULL, "airflow 8080" },
        { "api-server", "apache/airflow:3.3.2", AF "api-server", NULL, "airflow 8080" },
        { "standalone", "apache/airflow:3.3.2", AF "standalone", NULL, "airflow 8080" },
        { "-p", "apache/airflow:2.11.2", AF "webserver~-p~8081", NULL, "airflow 8081" },
        { "--port", "apache/airflow:3.3.2", AF "api-server~--port~8081", NULL, "airflow 8081" },
        { "port of the web server", "apache/airflow:2.11.2", AF "webserver", "AIRFLOW__WEBSERVER__WEB_SERVER_PORT=8081", "airflow 8081" },
        { "port of the API server", "apache/airflow:3.3.2", AF "api-server", "AIRFLOW__API__PORT=8081", "airflow 8081" },
        { "2.x does not know [api] port", "apache/airflow:2.11.2", AF "webserver", "AIRFLOW__API__PORT=8081", "airflow 8080" },
        { "3.x falls back to [webserver]", "apache/airflow:3.3.2", AF "api-server", "AIRFLOW__WEBSERVER__WEB_SERVER_PORT=8081", "airflow 8081" },
        { "[api] beats [webserver] in 3.x", "apache/airflow:3.3.2", AF "api-server", "AIRFLOW__API__PORT=8081~AIRFLOW__WEBSERVER__WEB_SERVER_PORT=8082", "airflow 8081" },
        { "standalone of either version", "apache/airflow", AF "standalone", "AIRFLOW__API__PORT=8081~AIRFLOW__WEBSERVER__WEB_SERVER_PORT=8082", "airflow 8081,8082" },
        { "base_url", "apache/airflow:2.8.1", AF "webserver", "AIRFLOW__WEBSERVER__BASE_URL=https://x.example/airflow/", "airflow 8080 /airflow" },
        { "base_url of 3.x", "apache/airflow:3.3.2", AF "api-server", "AIRFLOW__API__BASE_URL=http://localhost:8080/af", "airflow 8080 /af" },
        { "base_url at the root", "apache/airflow:2.8.1", AF "webserver", "AIRFLOW__WEBSERVER__BASE_URL=http://localhost:8080", "airflow 8080" },
        { "localhost only", "apache/airflow:2.8.1", AF "webserver~-H~127.0.0.1", NULL, "none: localhost only" },
        { "localhost only, by the environment", "apache/airflow:2.8.1", AF "webserver", "AIRFLOW__WEBSERVER__WEB_SERVER_HOST=localhost", "none: localhost only" },
        { "scheduler", "apache/airflow:2.11.2", AF "scheduler", HC, "airflow 8974 GET /health" },
        { "scheduler, its port", "apache/airflow:2.11.2", AF "scheduler", HC "~AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT=9000", "airflow 9000 GET /health" },
        { "scheduler without a health server", "apache/airflow:2.11.2", AF "scheduler", NULL, "none: ENABLE_HEALTH_CHECK" },
        { "scheduler, switched off", "apache/airflow:2.11.2", AF "scheduler", "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK=False", "none: ENABLE_HEALTH_CHECK" },
        { "scheduler on localhost", "apache/airflow:2.11.2", AF "scheduler", HC "~AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST=127.0.0.1", "none: localhost only" },
        { "scheduler, told to be Airflow", "apache/airflow:2.11.2", AF "scheduler", HC, "airflow 8974 GET /health", NULL, NULL, NULL, PL_PROBE_AIRFLOW },
        { "scheduler, a port told", "apache/airflow:2.11.2", AF "scheduler", NULL, "airflow 9000 GET /health", NULL, NULL, NULL, AUTO, 9000 },
        { "triggerer", "apache/airflow:2.11.2", AF "triggerer", HC, "none: serves no port" },
        { "dag-processor", "apache/airflow:3.3.2", AF "dag-processor", HC, "none: serves no port" },
        { "worker", "apache/airflow:2.11.2", AF "celery~worker", HC, "none: serves no port" },
        { "worker of 1.10", "puckel/docker-airflow", "/entrypoint.sh~worker", NULL, "none: serves no port" },
        { "flower", "apache/airflow:2.11.2", AF "celery~flower", NULL, "tcp 5555" },
        { "flower, its port", "apache/airflow:2.11.2", AF "celery~flower~--port~5556", NULL, "tcp 5556" },
        { "migrate", "apache/airflow:2.11.2", AF "db~migrate", NULL, "none: a job" },
        { "airflow db migrate", "apache/airflow:2.11.2", AF "airflow~db~migrate", NULL, "none: a job", "airflow-webserver" },
        { "version", "apache/airflow:2.11.2", AF "airflow~version", NULL, "none: a job" },
        { "the compose file's init", "apache/airflow:2.11.2", "/bin/bash~-c~if [[ -z \"${AIRFLOW_UID}\" ]]; then\n echo x\nfi\nmkdir -p /sources\nexec /entrypoint airflow version\n", NULL, "none: a job", "airflow-init" },
        { "migrate, then serve", "apache/airflow:2.11.2", "bash~-c~airflow db migrate && exec airflow webserver -p 8081", NULL, "airflow 8081" },
        { "scheduler beside a web server", "apache/airflow:2.11.2", "bash~-c~airflow scheduler & exec airflow webserver", NULL, "airflow 8080" },
        { "the command beats the name", "apache/airflow:2.11.2", AF "scheduler", HC, "airflow 8974 GET /health", "airflow-webserver" },
        { "by the service's name", "apache/airflow:2.9.2", NULL, NULL, "airflow 8080", "airflow-webserver" },
        { "by the service's name, 3.x", "apache/airflow:3.0.1", NULL, NULL, "airflow 8080", "airflow-apiserver" },
        { "by the service's name, three words", "apache/airflow:3.0.1", NULL, NULL, "airflow 8080", "airflow-api-server" },
        { "by the service's name alone", "apache/airflow:3.0.1", NULL, NULL, "airflow 8080", "airflow" },
        { "by the container's name", "apache/airflow:3.0.1", NULL, NULL, "airflow 8080", NULL, NULL, NULL, AUTO, 0, NULL, "stack-airflow-webserver-1" },
        { "by the container's name, old style", "apache/airflow:3.0.1", NULL, NULL, "airflow 8080", NULL, NULL, NULL, AUTO, 0, NULL, "stack_web_server_1" },
        { "the service's name beats the container's", "apache/airflow:2.9.2", NULL, NULL, "none: health server is off", "airflow-scheduler", NULL, NULL, AUTO, 0, NULL, "web-1" },
        { "airflow-scraping-worker", "apache/airflow:2.9.2", NULL, NULL, "none: serves no port", "airflow-scraping-worker" },
        { "webhook-consumer", "apache/airflow:2.9.2", NULL, NULL, "none: set Probe=", "webhook-consumer" },
        { "airflow-api-server-init", "apache/airflow:3.0.1", NULL, NULL, "none: set Probe=", "airflow-api-server-init" },
        { "capital", "apache/airflow:3.0.1", NULL, NULL, "none: set Probe=", "capital" },
        { "no name at all", "apache/airflow:2.9.2", NULL, NULL, "none: set Probe=" },
        { "no name, but told", "apache/airflow:2.9.2", NULL, NULL, "airflow 8080", NULL, NULL, NULL, PL_PROBE_AIRFLOW },
        { "puckel", "puckel/docker-airflow:1.10.9", "/entrypoint.sh~webserver", NULL, "airflow 8080" },
        { "puckel's port", "puckel/docker-airflow:1.10.9", "/entrypoint.sh~webserver", "AIRFLOW__WEBSERVER__WEB_SERVER_PORT=8081", "airflow 8081" },
        { "bitnami", "bitnami/airflow:2", RUN("airflow"), "AIRFLOW_COMPONENT_TYPE=webserver~AIRFLOW_WEBSERVER_PORT_NUMBER=8081", "airflow 8081" },
        { "bitnami of 3.x", "bitnami/airflow:3", RUN("airflow"), "AIRFLOW_COMPONENT_TYPE=api-server~AIRFLOW_APISERVER_PORT_NUMBER=8081", "airflow 8081" },
        { "bitnami's worker", "bitnami/airflow-worker:2", RUN("airflow-worker"), "AIRFLOW_COMPONENT_TYPE=worker", "none: serves no port" },
        { "an image of one's own", "shop/flows:1", AF "webserver", "AIRFLOW_HOME=/opt/airflow", "airflow 8080" },
        { "an image of one's own, airflow", "shop/flows:1", "airflow~api-server~--port~8081", NULL, "airflow 8081" },
        { "somebody else's scheduler", "shop/jobs:1", "/entrypoint~scheduler", NULL, "none" },
};

static const Row ollama[] = {
        { "official", "ollama/ollama:0.5.7", "/bin/ollama~serve", "OLLAMA_HOST=0.0.0.0:11434", "ollama 11434" },
        { "not set", "ollama/ollama:0.5.7", "/bin/ollama~serve", NULL, "ollama 11434" },
        { "a port", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=0.0.0.0:8000", "ollama 8000" },
        { "no port", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=0.0.0.0", "ollama 11434" },
        { ":PORT", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=:8000", "ollama 8000" },
        { "http", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=http://0.0.0.0", "ollama 80" },
        { "https", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=https://0.0.0.0", "ollama 443" },
        { "http and a port", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=http://0.0.0.0:8000", "ollama 8000" },
        { "another scheme", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=tcp://0.0.0.0", "ollama 11434" },
        { "HTTP is another scheme", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=HTTP://0.0.0.0", "ollama 11434" },
        { "a path", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=0.0.0.0:8000/ollama/", "ollama 8000" },
        { "a scheme and a path", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=http://0.0.0.0/ollama", "ollama 80" },
        { "blanks", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=  0.0.0.0:8000 \t", "ollama 8000" },
        { "quotes", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=\"0.0.0.0:8000\"", "ollama 8000" },
        { "blanks and quotes", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST= ' http://0.0.0.0:8000 ' ", "ollama 8000" },
        { "IPv6", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=[::]:8000", "ollama 8000" },
        { "IPv6 without a port", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=[::]", "ollama 11434" },
        { "bare IPv6", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=::", "ollama 11434" },
        { "too large a port", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=0.0.0.0:70000", "ollama 11434" },
        { "a negative port", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=0.0.0.0:-1", "ollama 11434" },
        { "no number", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=http://0.0.0.0:x", "ollama 80" },
        { "a sign", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=0.0.0.0:+8000", "ollama 8000" },
        { "leading zeros", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=0.0.0.0:08000", "ollama 8000" },
        { "an empty port", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=0.0.0.0:", "ollama 11434" },
        { "port 0", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=0.0.0.0:0", "none: the kernel chooses" },
        { "localhost", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=127.0.0.1:11434", "none: localhost only" },
        { "set to nothing is localhost", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=", "none: localhost only" },
        { "bare IPv6 localhost", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=::1", "none: localhost only" },
        { "localhost of the host", "ollama/ollama", "/bin/ollama~serve", "OLLAMA_HOST=127.0.0.1:8000", "ollama 8000", NULL, NULL, "host" },
        { "serve, then pull", "ollama/ollama", "sh~-c~ollama serve & sleep 5; ollama pull x; wait", "OLLAMA_HOST=0.0.0.0", "ollama 11434" },
        { "a host for one command", "ollama/ollama", "sh~-c~OLLAMA_HOST=0.0.0.0:8000 ollama serve", "OLLAMA_HOST=0.0.0.0:11434", "ollama 8000" },
        { "a pull", "ollama/ollama", "/bin/ollama~pull~llama3", "OLLAMA_HOST=ollama:11434", "none: a job" },
        { "a pull through a shell", "ollama/ollama", "sh~-c~sleep 5; ollama pull llama3", "OLLAMA_HOST=ollama", "none: a job" },
        { "an image of one's own", "shop/llm", "ollama~serve", "OLLAMA_HOST=:8000", "ollama 8000" },
};

static const Row web[] = {
        { "grafana", "grafana/grafana-oss:11.0.0", "/run.sh", NULL, "grafana 3000" },
        { "grafana enterprise", "grafana/grafana-enterprise", "/run.sh", NULL, "grafana 3000" },
        { "grafana's port", "grafana/grafana", "/run.sh", "GF_SERVER_HTTP_PORT=3001", "grafana 3001" },
        { "grafana's port, given", "grafana/grafana", "/run.sh~cfg:server.http_port=3002", "GF_SERVER_HTTP_PORT=3001", "grafana 3002" },
        { "grafana's port, preset", "grafana/grafana", "/run.sh~cfg:default.server.http_port=3002", "GF_SERVER_HTTP_PORT=3001", "grafana 3001" },
        { "grafana-server", "grafana/grafana", "grafana-server~cfg:server.http_port=3002", NULL, "grafana 3002" },
        { "grafana server", "shop/dash", "grafana~server~cfg:server.http_port=3002", NULL, "grafana 3002" },
        { "grafana below a path", "grafana/grafana", "/run.sh", "GF_SERVER_ROOT_URL=%(protocol)s://%(domain)s:%(http_port)s/grafana/~GF_SERVER_SERVE_FROM_SUB_PATH=true", "grafana 3000 /grafana" },
        { "grafana behind a proxy that cuts the path", "grafana/grafana", "/run.sh", "GF_SERVER_ROOT_URL=http://x/grafana/", "grafana 3000" },
        { "grafana on localhost", "grafana/grafana", "/run.sh", "GF_SERVER_HTTP_ADDR=127.0.0.1", "none: localhost only" },
        { "grafana on a unix socket", "grafana/grafana", "/run.sh", "GF_SERVER_PROTOCOL=socket", "none: unix socket" },
        { "grafana cli", "grafana/grafana", "grafana~cli~plugins~ls", NULL, "none: a job" },
        { "grafana, one's own image", "shop/dash", "/run.sh", "GF_PATHS_HOME=/usr/share/grafana", "grafana 3000" },
        { "a neighbour", "grafana/loki", "/usr/bin/loki", NULL, "none" },

        { "mlflow", "ghcr.io/mlflow/mlflow:v2.14.1", "mlflow~server~--host~0.0.0.0", NULL, "mlflow 5000" },
        { "mlflow's port", "ghcr.io/mlflow/mlflow", "mlflow~server~--host=0.0.0.0~--port=5001", NULL, "mlflow 5001" },
        { "mlflow's port, short", "ghcr.io/mlflow/mlflow", "mlflow~server~-h~0.0.0.0~-p~5001", NULL, "mlflow 5001" },
        { "mlflow's environment", "ghcr.io/mlflow/mlflow", "mlflow~server", "MLFLOW_HOST=0.0.0.0~MLFLOW_PORT=5001", "mlflow 5001" },
        { "mlflow listens on localhost by itself", "ghcr.io/mlflow/mlflow", "mlflow~server", NULL, "none: localhost only" },
        { "mlflow, what its options hide", "ghcr.io/mlflow/mlflow", "mlflow~server~--gunicorn-opts~-b 0.0.0.0:5000", NULL, "mlflow 5000" },
        { "mlflow below a path", "ghcr.io/mlflow/mlflow", "mlflow~server~--host~0.0.0.0~--static-prefix~/mlflow", NULL, "mlflow 5000 /mlflow" },
        { "mlflow below a path, environment", "ghcr.io/mlflow/mlflow", "mlflow~server~--host~0.0.0.0", "MLFLOW_STATIC_PREFIX=/ml", "mlflow 5000 /ml" },
        { "a python image", "python:3.12", "mlflow~server~--host~0.0.0.0~--port~5001", NULL, "mlflow 5001" },
        { "a python image, after pip", "python:3.12-slim", "bash~-c~pip install mlflow && mlflow server --host 0.0.0.0 -p 5001", NULL, "mlflow 5001" },
        { "python -m mlflow ui", "shop/ml", "python~-m~mlflow~ui~-h~0.0.0.0", NULL, "mlflow 5000" },
        { "uv run", "shop/ml", "uv~run~mlflow~server~--host~0.0.0.0", NULL, "mlflow 5000" },
        { "bitnami's", "bitnami/mlflow:2", "mlflow~server~--host~0.0.0.0", BN "mlflow", "mlflow 5000" },
        { "a script of one's own", "ghcr.io/mlflow/mlflow", "/start.sh", NULL, "mlflow 5000" },
        { "mlflow db upgrade", "ghcr.io/mlflow/mlflow", "mlflow~db~upgrade~x", NULL, "none: a job" },
        { "mlflow models serve", "ghcr.io/mlflow/mlflow", "mlflow~models~serve~-p~5000", NULL, "none: a job" },
        { "python alone", "ghcr.io/mlflow/mlflow", "python3", NULL, "none: a job" },

        { "prometheus", "prom/prometheus:v2.53.0", "/bin/prometheus~--config.file=/x", NULL, "prometheus 9090" },
        { "prometheus of quay", "quay.io/prometheus/prometheus:v2.53.0", "/bin/prometheus", NULL, "prometheus 9090" },
        { "bitnami's", "bitnami/prometheus", "/opt/bitnami/prometheus/bin/prometheus~--config.file=/x", BN "prometheus", "prometheus 9090" },
        { "listen address", "prom/prometheus", "/bin/prometheus~--web.listen-address=:9091", NULL, "prometheus 9091" },
        { "listen address, two words", "prom/prometheus", "/bin/prometheus~--web.listen-address~0.0.0.0:9091", NULL, "prometheus 9091" },
        { "listen address, IPv6", "prom/prometheus", "/bin/prometheus~--web.listen-address=[::]:9091", NULL, "prometheus 9091" },
        { "on localhost", "prom/prometheus", "/bin/prometheus~--web.listen-address=127.0.0.1:9090", NULL, "none: localhost only" },
        { "on localhost, IPv6", "prom/prometheus", "/bin/prometheus~--web.listen-address=[::1]:9090", NULL, "none: localhost only" },
        { "on localhost and elsewhere", "prom/prometheus", "/bin/prometheus~--web.listen-address=127.0.0.1:9090~--web.listen-address=:9091", NULL, "prometheus 9091" },
        { "on the host's localhost", "prom/prometheus", "/bin/prometheus~--web.listen-address=127.0.0.1:9091", NULL, "prometheus 9091", NULL, NULL, "host" },
        { "external URL", "prom/prometheus", "/bin/prometheus~--web.external-url=http://x:9090/prom/", NULL, "prometheus 9090 /prom" },
        { "external URL that is a path", "prom/prometheus", "/bin/prometheus~--web.external-url=/prom", NULL, "prometheus 9090 /prom" },
        { "route prefix", "prom/prometheus", "/bin/prometheus~--web.route-prefix=/prom", NULL, "prometheus 9090 /prom" },
        { "route prefix beats external URL", "prom/prometheus", "/bin/prometheus~--web.external-url=http://x/a~--web.route-prefix=/", NULL, "prometheus 9090" },
        { "both", "prom/prometheus", "/bin/prometheus~--web.listen-address=:9091~--web.route-prefix=/prom", NULL, "prometheus 9091 /prom" },
        { "a prefix that is none", "prom/prometheus", "/bin/prometheus~--web.route-prefix=/a b", NULL, "prometheus 9090" },
        { "through a shell", "prom/prometheus", "sh~-c~exec prometheus --web.listen-address=:9091", NULL, "prometheus 9091" },
        { "promtool", "prom/prometheus", "promtool~check~config~/x", NULL, "none: a job" },
        { "version", "prom/prometheus", "/bin/prometheus~--version", NULL, "none: a job" },
        { "a neighbour", "prom/node-exporter", "/bin/node_exporter", NULL, "none" },
        { "another neighbour", "prom/alertmanager", "/bin/alertmanager", NULL, "none" },
        { "nginx", "nginx", "nginx", NULL, "none" },
        { "no image", NULL, NULL, NULL, "none" },
        { "an empty image", "", NULL, NULL, "none" },
};

static const Row told[] = {
        { "port of the policy", "postgres:16", PG "~-p~5433", "PGPORT=5434", "postgres 6000", NULL, NULL, NULL, AUTO, 6000 },
        { "port of the policy, though localhost", "postgres:16", PG "~-h~localhost", NULL, "postgres 6000", NULL, NULL, NULL, AUTO, 6000 },
        { "port of the policy does not make a job a server", "postgres:16", "pg_dump", NULL, "none: a job", NULL, NULL, NULL, AUTO, 6000 },
        { "kind and port of the policy do", "postgres:16", "pg_dump", NULL, "postgres 6000", NULL, NULL, NULL, PL_PROBE_POSTGRES, 6000 },
        { "kind of the policy", "registry/own:1", "/x", NULL, "postgres 5432", NULL, NULL, NULL, PL_PROBE_POSTGRES },
        { "kind of the policy, where it listens is read", "registry/own:1", PG "~-p~5433", NULL, "postgres 5433", NULL, NULL, NULL, PL_PROBE_POSTGRES },
        { "kind of the policy, localhost is read", "registry/own:1", PG "~-h~localhost", NULL, "none: localhost only", NULL, NULL, NULL, PL_PROBE_POSTGRES },
        { "kind of the policy, another image", "postgres:16", PG, "PGPORT=5433", "redis 6379", NULL, NULL, NULL, PL_PROBE_REDIS },
        { "kind of the policy, a shell's script", "postgres:16", "sh~-c~/start.sh", NULL, "postgres 5432", NULL, NULL, NULL, PL_PROBE_POSTGRES },
        { "kind of the policy, pgbouncer", "edoburu/pgbouncer", "/entrypoint.sh~/usr/bin/pgbouncer", NULL, "postgres 5432,6432", NULL, NULL, NULL, PL_PROBE_POSTGRES },
        { "none", "postgres:16", PG, NULL, "none", NULL, NULL, NULL, PL_PROBE_NONE },
        { "a label", "registry/own:1", NULL, NULL, "grafana 3000", NULL, NULL, NULL, AUTO, 0, "grafana" },
        { "a label that says none", "postgres:16", PG, NULL, "none", NULL, NULL, NULL, AUTO, 0, "none" },
        { "a label without sense", "postgres:16", PG, NULL, "postgres 5432", NULL, NULL, NULL, AUTO, 0, "nonsense" },
        { "auto as a label", "postgres:16", PG, NULL, "postgres 5432", NULL, NULL, NULL, AUTO, 0, "auto" },
        { "the policy beats the label", "postgres:16", PG, NULL, "tcp 80", "redis", "80", NULL, PL_PROBE_TCP, 0, "grafana" },
        { "a service that is a kind", "registry/own:1", NULL, NULL, "redis 6379", "redis" },
        { "a service that is a plain kind", "registry/own:1", NULL, NULL, "none", "http" },
        { "the image beats the service", "postgres", NULL, NULL, "postgres 5432", "redis" },
        { "http: the only port", "registry/own:1", NULL, NULL, "http 8080", NULL, "8080 53u", NULL, PL_PROBE_HTTP },
        { "http: several ports", "registry/own:1", NULL, NULL, "none: set ProbePort=", NULL, "80 8080", NULL, PL_PROBE_HTTP },
        { "http: several ports, one told", "registry/own:1", NULL, NULL, "http 80", NULL, "80 8080", NULL, PL_PROBE_HTTP, 80 },
        { "tcp: no port", "registry/own:1", NULL, NULL, "none: set ProbePort=", NULL, NULL, NULL, PL_PROBE_TCP },
        { "no network", "postgres:16", PG, NULL, "none: no network", NULL, NULL, "none" },
        { "another's network, not known", "postgres:16", PG, NULL, "none: shares the network", NULL, NULL, "container:x" },
        { "no guesses in the host's network", "postgres:16", PG, NULL, "postgres 5432", NULL, "5432 8000", "host" },
};
/* clang-format on */

/* "80 8080:80 53u" */
static size_t parse_ports(const char *s, PlPort *ret) {
        size_t n = 0;

        while (s && *s && n < 4) {
                char *end;
                unsigned long first = strtoul(s, &end, 10);

                ret[n] = (PlPort){ .container_port = (uint16_t)first, .udp = *end == 'u' };
                if (*end == ':') {
                        ret[n].host_port = (uint16_t)first;
                        ret[n].container_port = (uint16_t)strtoul(end + 1, &end, 10);
                }
                n++;
                s = end + strcspn(end, " ");
                s += strspn(s, " ");
        }
        return n;
}

static void show(const PlPlace *p, char *buf, size_t size) {
        FILE *f = fmemopen(buf, size, "w");
        uint16_t last = 0;

        if (p->kind == PL_PROBE_NONE) {
                fprintf(f, "none%s%s", p->why ? ": " : "", p->why ? p->why : "");
                (void)fclose(f);
                return;
        }
        fputs(pl_probe_kind_info(p->kind)->word, f);
        for (size_t i = 0; i < p->addresses.n; i++) {
                if (p->addresses.items[i].port != last)
                        fprintf(f, "%c%u", i > 0 ? ',' : ' ', p->addresses.items[i].port);
                last = p->addresses.items[i].port;
        }
        if (*p->prefix)
                fprintf(f, " %s", p->prefix);
        if (p->path)
                fprintf(f, " GET %s", p->path);
        if (*p->user || *p->database)
                fprintf(f, " %s/%s", p->user, p->database);
        (void)fclose(f);
}

static void check(const Row *row) {
        PlNetwork network = { .ip = "172.17.0.2" };
        char text[512] = "";
        PlPort ports[4];
        PlPair labels[2];
        PlContainer c = {
                .image = (char *)row->image,
                .name = (char *)row->container,
                .host.network_mode = (char *)(row->mode ? row->mode : "bridge"),
                .labels = labels,
                .reach.networks = &network,
                .reach.n_networks = 1,
                .reach.ports = ports,
                .reach.n_ports = parse_ports(row->ports, ports),
        };
        PlPlace place;

        if (row->service)
                labels[c.n_labels++] = (PlPair){ (char *)"com.docker.compose.service",
                                                 (char *)row->service };
        if (row->label)
                labels[c.n_labels++] = (PlPair){ (char *)PL_PROBE_LABEL, (char *)row->label };
        read_launch(row->words, row->env, &c.launch);
        pl_place_find(&c, NULL, row->policy, row->policy_port, &place);
        show(&place, text, sizeof(text));
        if (pl_startswith(row->expect, "none: "))
                ck_assert_msg(pl_startswith(text, "none: ") && strstr(text, row->expect + 6),
                              "%s: %s", row->name, text);
        else
                ck_assert_msg(pl_streq(text, row->expect), "%s: %s", row->name, text);
        pl_launch_deinit(&c.launch);
}

#define TABLE(rows)               \
        START_TEST(rows##_rows) { \
                check(&rows[_i]); \
        }                         \
        END_TEST
TABLE(postgres)
TABLE(redis)
TABLE(airflow)
TABLE(ollama)
TABLE(web)
TABLE(told)

/* A sidecar is reached where the container is whose network it shares. */
START_TEST(shared_network) {
        PlContainer owner = { .host.network_mode = (char *)"host" };
        PlContainer c = { .image = (char *)"redis:7",
                          .host.network_mode = (char *)"container:0123" };
        char text[PL_PROBE_ADDRESS_TEXT_MAX];
        PlPlace place;

        read_launch("redis-server~--bind~127.0.0.1", NULL, &c.launch);
        pl_place_find(&c, &owner, AUTO, 0, &place);
        ck_assert_uint_eq(place.addresses.n, 2);
        ck_assert_str_eq(pl_probe_address_format(&place.addresses.items[0], text),
                         "127.0.0.1:6379");
        pl_launch_deinit(&c.launch);
}
END_TEST

/* The host has no way to the containers of a macvlan. */
START_TEST(apart) {
        PlNetwork networks[2] = { { .ip = "192.0.2.7", .apart = true }, { .ip = "172.18.0.2" } };
        PlPort port = { .container_port = 6379, .host_port = 16379 };
        PlContainer c = {
                .image = (char *)"redis:7",
                .host.network_mode = (char *)"lan",
                .reach.networks = networks,
                .reach.n_networks = 1,
                .reach.ports = &port,
        };
        char text[PL_PROBE_ADDRESS_TEXT_MAX];
        PlPlace place;

        pl_place_find(&c, NULL, AUTO, 0, &place);
        ck_assert_int_eq(place.kind, PL_PROBE_NONE);
        ck_assert(strstr(place.why, "macvlan"));

        c.reach.n_ports = 1;
        pl_place_find(&c, NULL, AUTO, 0, &place);
        ck_assert_uint_eq(place.addresses.n, 1);
        ck_assert_str_eq(pl_probe_address_format(&place.addresses.items[0], text),
                         "127.0.0.1:16379");

        c.reach.n_ports = 0;
        c.reach.n_networks = 2;
        pl_place_find(&c, NULL, AUTO, 0, &place);
        ck_assert_uint_eq(place.addresses.n, 1);
        ck_assert_str_eq(pl_probe_address_format(&place.addresses.items[0], text),
                         "172.18.0.2:6379");
}
END_TEST

int main(void) {
        TCase *t = tcase_create("table");

        tcase_add_loop_test(t, postgres_rows, 0, PL_ARRAY_SIZE(postgres));
        tcase_add_loop_test(t, redis_rows, 0, PL_ARRAY_SIZE(redis));
        tcase_add_loop_test(t, airflow_rows, 0, PL_ARRAY_SIZE(airflow));
        tcase_add_loop_test(t, ollama_rows, 0, PL_ARRAY_SIZE(ollama));
        tcase_add_loop_test(t, web_rows, 0, PL_ARRAY_SIZE(web));
        tcase_add_loop_test(t, told_rows, 0, PL_ARRAY_SIZE(told));
        tcase_add_test(t, shared_network);
        tcase_add_test(t, apart);
        return run_case(t);
}
