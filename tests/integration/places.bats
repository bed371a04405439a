#!/usr/bin/env bats
# Where a service is asked: real services told to listen elsewhere, by command line and environment;
# what is no service; and networks that come and go. No ProbePort= anywhere.

load helper

setup_file() { engine_begin --images "busybox postgres redis prometheus pgbouncer replay"; }
teardown_file() { engine_end; }

setup() { begin; }
teardown() { end; }

policy() {
    policy_is <<'END'
[Service all]
Match=name:*
ProbeInterval=1s
ProbeTimeout=500ms
ProbeStartPeriod=10s
OnUnhealthy=restart
END
}

# listens NAME PORT - inside of the container
listens() {
    nsenter "--net=/proc/$(pid_of "$1")/ns/net" ss -Hltn "sport = :$2" | grep -q .
}

# never_restarted NAME…
never_restarted() {
    local name
    for name in "$@"; do
        [ "$(docker inspect -f '{{.RestartCount}}' "$name")" = 0 ] || fail "$name was restarted by the engine"
    done
    unsaid 'restarting it|restarted'
}

# shellcheck disable=SC2053 # a pattern
reason_is() { [[ $(reason "$1") == $2 ]] || fail "$1: $(reason "$1")"; }

@test "Postgres: -c port=, -p, PGPORT, and the command line beats the environment" {
    policy
    docker run -d --name long --no-healthcheck postgres:debian /start -c port=5433 >/dev/null
    docker run -d --name short --no-healthcheck postgres:debian /start -p 5434 >/dev/null
    docker run -d --name env --no-healthcheck -e PGPORT=5435 postgres:debian >/dev/null
    docker run -d --name both --no-healthcheck -e PGPORT=5436 postgres:debian /start -cport=5437 >/dev/null
    daemon_begin
    turns long healthy 60
    turns short healthy 60
    turns env healthy 60
    turns both healthy 60
    listens long 5433
    listens short 5434
    listens env 5435
    listens both 5437
    never_restarted long short env both
}

@test "pgbouncer: its own port, and the other one that images use" {
    local port
    policy
    for port in 6432 5432; do
        docker run -d --name "pool-$port" pgbouncer/pgbouncer:debian sh -c "
            printf '\"postgres\" \"secret\"\n' >/tmp/users
            printf '[databases]\n* = host=127.0.0.1\n[pgbouncer]\nlisten_addr = *\nlisten_port = $port\n' >/tmp/ini
            printf 'unix_socket_dir =\nauth_type = md5\nauth_file = /tmp/users\n' >>/tmp/ini
            exec pgbouncer /tmp/ini" >/dev/null
    done
    daemon_begin
    turns pool-6432 healthy
    turns pool-5432 healthy
    listens pool-5432 5432
    never_restarted pool-6432 pool-5432
}

@test "Redis: --port on the command line and through a shell, and another one that is only published" {
    policy
    docker run -d --name plain redis:debian redis-server --protected-mode no --port 7000 >/dev/null
    docker run -d --name shell redis:debian sh -c 'exec redis-server --protected-mode no --port 7001' >/dev/null
    # the port stands in a file that nobody can read from outside: published is what tells it
    docker run -d --name file -p 7002 redis:debian sh -c \
        'printf "port 7002\nprotected-mode no\n" >/tmp/redis.conf && exec redis-server /tmp/redis.conf' >/dev/null
    daemon_begin
    turns plain healthy
    turns shell healthy
    turns file healthy
    listens file 7002
    never_restarted plain shell file
}

@test "a port that is only a guess is believed for the right answer alone" {
    policy
    # nothing where Redis would be, and something else behind the published port
    docker run -d --name guess -p 8080 redis:debian nc -ll -p 8080 -e echo hello >/dev/null
    daemon_begin
    wait_until 30 reason_is guess '*refused*:6379*'
    wait_until 30 reason_is guess '*not * since*'
    [ "$(health guess)" != healthy ]
    never_restarted guess
}

@test "jobs and sidecars in a service's image are not asked, and the reason says so" {
    policy
    docker run -d --name dump --no-healthcheck postgres:debian sh -c \
        'while :; do psql -h nowhere -c "select 1"; sleep 100; done' >/dev/null
    docker run -d --name idle --no-healthcheck postgres:debian sleep 1000 >/dev/null
    docker run -d --name cache redis:debian >/dev/null
    docker run -d --name cli --network container:cache redis:debian redis-cli monitor >/dev/null
    docker run -d --name sentinel redis:debian sh -c \
        'printf "sentinel monitor m 127.0.0.1 1 1\n" >/tmp/s.conf && exec redis-server /tmp/s.conf --sentinel' >/dev/null
    daemon_begin
    wait_until 20 at_least 5 containers
    for name in dump idle cli; do
        wait_until 10 gives unknown health $name
        reason_is $name '*a client or a job*'
    done
    reason_is sentinel '*Sentinel*'
    never_restarted dump idle cli sentinel
}

@test "what listens on localhost or a unix socket only has no probe; Docker's own check counts" {
    policy
    docker run -d --name local redis:debian redis-server --bind 127.0.0.1 >/dev/null
    docker run -d --name socket redis:debian redis-server --port 0 --unixsocket /tmp/s >/dev/null
    docker run -d --name checked --health-interval 1s postgres:debian /start -c listen_addresses=localhost >/dev/null
    daemon_begin
    turns checked healthy 60
    reason_is local '*localhost only*'
    reason_is socket '*unix socket only*'
    [ "$(health local)" = unknown ]
    never_restarted local socket checked
}

@test "Prometheus: --web.listen-address and --web.route-prefix" {
    policy
    docker run -d --name prom prom/prometheus:debian prometheus --config.file=/etc/prometheus/prometheus.yml \
        --storage.tsdb.path=/prometheus --web.listen-address=:9091 --web.route-prefix=/prom >/dev/null
    docker run -d --name url prom/prometheus:debian prometheus --config.file=/etc/prometheus/prometheus.yml \
        --storage.tsdb.path=/prometheus --web.external-url=http://example.org/metrics/ >/dev/null
    daemon_begin
    turns prom healthy 30
    turns url healthy 30
    listens prom 9091
    never_restarted prom url
}

# replay NAME PORT ANSWERS [DOCKER-OPTION…] -- COMMAND… - a service whose words are known
replay() {
    local name=$1 port=$2 options=()
    printf '%s' "$3" >"$T/$name.json"
    chmod 644 "$T/$name.json"
    shift 3
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    docker run -d --name "$name" -v "$T/$name.json:/answers:ro" -e ANSWERS=/answers -e "REPLAY=$port" "${options[@]}" \
        plimsoll/replay:1 "$@" >/dev/null
}

@test "each process of Airflow has its own proof, and what serves no port has none" {
    local component='{"status": "healthy", "latest_scheduler_heartbeat": "@NOW@"}'
    local web="[200, {}, {\"metadatabase\": {\"status\": \"healthy\"}, \"scheduler\": $component}]"
    policy
    replay web2 8081 "{\"/af/health\": $web}" -e AIRFLOW__WEBSERVER__BASE_URL=https://example.org/af/ \
        -- airflow webserver -p 8081
    replay api3 9000 "{\"/api/v2/monitor/health\": $web}" -e AIRFLOW__API__PORT=9000 -- airflow api-server
    replay scheduler 8974 '{"/health": [200, {}, ""]}' -e AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK=true \
        -- airflow scheduler
    replay silent 8974 '{}' -- airflow scheduler
    replay triggerer 8974 '{}' -- airflow triggerer
    replay migrate 8974 '{}' -- airflow db migrate
    daemon_begin
    turns web2 healthy
    turns api3 healthy
    turns scheduler healthy
    reason_is silent '*ENABLE_HEALTH_CHECK*'
    reason_is triggerer '*serves no port*'
    reason_is migrate '*a client or a job*'
    # a scheduler that says itself that it hangs is told, and the web server is none the worse
    printf '{"/health": [503, {}, ""]}' >"$T/scheduler.json"
    turns scheduler degraded
    [ "$(health web2)" = healthy ]
    never_restarted web2 api3 scheduler silent triggerer migrate
}

@test "OLLAMA_HOST in the forms that Ollama takes, and prefixes of Grafana and MLflow" {
    local version='[200, {}, {"version": "0.12.0"}]' ok='[200, {}, "OK"]'
    local grafana='[200, {}, {"database": "ok", "version": "12.0.0"}]'
    policy
    replay scheme 80 "{\"/api/version\": $version}" -e 'OLLAMA_HOST= "http://0.0.0.0/" ' -- ollama serve
    replay port 8000 "{\"/api/version\": $version}" -e OLLAMA_HOST=:8000 -- ollama serve
    replay six 8001 "{\"/api/version\": $version}" -e 'OLLAMA_HOST=[::]:8001/x' -- ollama serve
    replay wrong 11434 "{\"/api/version\": $version}" -e OLLAMA_HOST=0.0.0.0:99999 -- ollama serve
    replay sub 3001 "{\"/grafana/api/health\": $grafana}" -e GF_SERVER_HTTP_PORT=3001 \
        -e 'GF_SERVER_ROOT_URL=%(protocol)s://%(domain)s/grafana/' -e GF_SERVER_SERVE_FROM_SUB_PATH=true -- grafana-server
    # version 2 stays at the root, version 3 goes below the prefix
    replay mlflow2 5001 "{\"/health\": $ok}" -- mlflow server --host 0.0.0.0 -p 5001 --static-prefix /ml
    replay mlflow3 5002 "{\"/ml/health\": $ok}" -e MLFLOW_STATIC_PREFIX=/ml -- mlflow server --host=0.0.0.0 --port=5002
    daemon_begin
    for name in scheme port six wrong sub mlflow2 mlflow3; do turns $name healthy; done
    never_restarted scheme port six wrong sub mlflow2 mlflow3
}

@test "a network that is taken away and given back takes the probe along" {
    policy
    docker network create back >/dev/null
    docker run -d --name cache --network back redis:debian >/dev/null
    daemon_begin
    turns cache healthy
    docker network disconnect back cache
    turns cache degraded
    reason_is cache 'disputed: unreachable: no network*'
    docker network connect back cache
    turns cache healthy
    docker network disconnect back cache
    turns cache degraded
    # an address of another network is as good
    docker network connect bridge cache
    turns cache healthy
    never_restarted cache
    docker rm -f cache >/dev/null
    docker network rm back >/dev/null
}

@test "a network into which the host has no way is told, not asked; one more that has one is" {
    docker network create -d macvlan --subnet 192.0.2.0/24 lan >/dev/null 2>&1 ||
        skip "this kernel has no macvlan"
    policy
    docker run -d --name apart --network lan redis:debian >/dev/null
    daemon_begin
    wait_until 20 at_least 1 containers
    wait_until 10 gives unknown health apart
    wait_until 10 reason_is apart '*cannot reach the addresses*macvlan*'
    docker network connect bridge apart
    turns apart healthy
    docker network disconnect bridge apart
    turns apart unknown
    never_restarted apart
    docker rm -f apart >/dev/null
    docker network rm lan >/dev/null
}
