#!/usr/bin/env bats
# Where a service is asked: real services told to listen elsewhere, by command line and environment;
# what is no service; and networks that come and go. No ProbePort= anywhere.

load helper

setup_file() { engine_begin --images "busybox postgres redis prometheus pgbouncer"; }
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

@test "a network that is taken away and given back takes the probe along" {
    policy
    docker network create back >/dev/null
    docker run -d --name cache --network back redis:debian >/dev/null
    daemon_begin
    turns cache healthy
    docker network disconnect back cache
    turns cache unknown
    reason_is cache '*no address*'
    docker network connect back cache
    turns cache healthy
    docker network disconnect back cache
    turns cache unknown
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
