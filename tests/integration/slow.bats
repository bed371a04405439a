#!/usr/bin/env bats
# Containers that take their time, to be filled, to stop, to serve: what looks dead is often only slow, and
# a restart that comes too early, or twice, does the harm.

load helper

setup_file() { engine_begin --images "busybox postgres redis"; }
teardown_file() { engine_end; }

setup() { begin; }
teardown() { end; }

starts_of() { docker inspect -f '{{.State.StartedAt}}' "$1"; }

# As the official image: at the first start a server that listens on the unix socket only runs the
# scripts; where there is a database already, it runs none.
# shellcheck disable=SC2016 # for the shell inside
INITDB_ENTRYPOINT='
set -e
if [ -s "$PGDATA/PG_VERSION" ]; then
    echo "Skipping initialization"
else
    initdb -D "$PGDATA" -U postgres -A trust --no-sync --locale=C -E UTF8 >/dev/null
    echo "host all all all trust" >>"$PGDATA/pg_hba.conf"
    pg_ctl -D "$PGDATA" -w -o "-c listen_addresses= -c unix_socket_directories=/tmp" start
    for script in /docker-entrypoint-initdb.d/*.sql; do
        psql -h /tmp -U postgres -v ON_ERROR_STOP=1 -f "$script"
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec postgres -D "$PGDATA" -c listen_addresses="*" -c unix_socket_directories=/tmp
'

# first_start NAME WHERE - a Postgres whose scripts take 20 s; where Docker's healthcheck asks
first_start() {
    docker run -d --name "$1" --stop-timeout 2 -v "$T/initdb:/docker-entrypoint-initdb.d:ro" \
        --health-cmd "pg_isready -q -h $2" --health-interval 1s --health-retries 2 --health-start-period 1s \
        postgres:debian sh -c "$INITDB_ENTRYPOINT" >/dev/null
}

rows_of() { docker exec "$1" psql -h /tmp -U postgres -tAc 'SELECT count(*) FROM orders'; }

docker_says() { docker inspect -f '{{.State.Health.Status}}' "$1"; }

# because NAME PATTERN - its reason matches
# shellcheck disable=SC2053 # a pattern
because() { [[ $(reason "$1") == $2 ]]; }

@test "a database that is filled at its first start is left to it, however long that takes" {
    local name started
    policy_is <<'END'
[Service all]
Match=name:*
ProbeInterval=1s
ProbeTimeout=500ms
ProbeStartPeriod=2s
OnUnhealthy=restart
RestartBudget=3/10min
END
    mkdir -m 755 "$T/initdb"
    cat >"$T/initdb/10-orders.sql" <<'END'
CREATE TABLE customers (id int);
SELECT pg_sleep(20);
CREATE TABLE orders AS SELECT generate_series(1, 1000) AS id;
END
    chmod 644 "$T/initdb/10-orders.sql"
    chmod 755 "$T"
    daemon_begin
    first_start by_socket /tmp
    first_start by_tcp 127.0.0.1
    started="$(starts_of by_socket) $(starts_of by_tcp)"
    turns by_socket degraded
    turns by_tcp degraded
    # it is told as what it is
    wait_until 10 gives healthy docker_says by_socket
    wait_until 10 gives unhealthy docker_says by_tcp
    wait_until 5 because by_socket "disputed: connection refused (*, but Docker's healthcheck says healthy: *" ||
        fail "$(reason by_socket)"
    because by_tcp "disputed: connection refused (*; it has not been seen to serve since it started: *" ||
        fail "$(reason by_tcp)"
    # who comes later knows no more, and does not do more either
    daemon_end KILL
    daemon_begin
    turns by_tcp degraded
    for name in by_socket by_tcp; do turns $name healthy 60; done
    [ "$(starts_of by_socket) $(starts_of by_tcp)" = "$started" ]
    for name in by_socket by_tcp; do
        [ "$(rows_of $name)" = 1000 ] || fail "$name: $(rows_of $name) rows"
        run docker logs $name
        [[ $output != *"Skipping initialization"* ]]
    done
    unsaid 'restarting it|not restarted any more'
    # from here on a silence is a death, once Docker's check does not say otherwise
    for name in by_socket by_tcp; do kill -STOP "$(pid_of $name)"; done
    for name in by_socket by_tcp; do
        wait_until 30 said "$name: restarting it, 1 of at most 3 in 10min: "
        turns $name healthy 60
        [ "$(rows_of $name)" = 1000 ] || fail "$name: $(rows_of $name) rows"
    done
}

@test "what was never seen to serve is told, and neither restarted nor given up" {
    local started
    policy_is <<'END'
[Service wrong]
Match=name:wrong
ProbePort=1
ProbeInterval=1s
ProbeTimeout=500ms
ProbeStartPeriod=1s
OnUnhealthy=restart
RestartBudget=1/10min
[Service sick]
Match=name:sick
Probe=none
ProbeStartPeriod=1s
OnUnhealthy=restart
RestartBudget=1/10min
END
    docker run -d --name wrong redis:debian >/dev/null
    docker run -d --name sick --health-cmd 'test -f /tmp/well' --health-interval 1s --health-retries 1 \
        "$BB" sleep 1000 >/dev/null
    started="$(starts_of wrong) $(starts_of sick)"
    daemon_begin
    turns wrong degraded
    turns sick degraded
    because wrong "disputed: connection refused (*:1)*; it has not been seen to serve since it started: *" ||
        fail "$(reason wrong)"
    because sick "disputed: Docker's healthcheck says unhealthy; it has not been seen to serve since it started: *" ||
        fail "$(reason sick)"
    # as long as a restart and the surrender would take
    heard wrong 8
    [ "$(starts_of wrong) $(starts_of sick)" = "$started" ]
    unsaid 'restarting it|not restarted any more'
    # once it has been seen, a failure is a reason
    docker exec sick touch /tmp/well
    turns sick healthy
    docker exec sick rm /tmp/well
    wait_until 20 said "sick: restarting it, 1 of at most 1 in 10min: Docker's healthcheck says unhealthy\$"
}

# slow_policy BUDGET - for containers whose names begin with s
slow_policy() {
    policy_is <<END
[Service slow]
Match=name:s*
ProbeInterval=1s
ProbeTimeout=500ms
ProbeFailures=2
OnUnhealthy=restart
RestartBudget=$1/10min
END
}

# runs_of NAME TIME - how often it was started since; the engine takes a name for its prefix, too
runs_of() { timeout 20 docker events --since "$2" --until "$(date +%s)" -f event=start -f "container=$1" | wc -l; }

@test "twelve fail at once and take 8 s to stop each: each is restarted exactly once, the last ones too" {
    local n since
    slow_policy 3
    for n in $(seq -w 12); do slow_redis "s$n" 8; done
    daemon_begin
    for n in $(seq -w 12); do turns "s$n" healthy; done
    since=$(date +%s.%N)
    for n in $(seq -w 12); do hush "s$n"; done
    # three rounds of four at a time
    wait_until 60 at_least 12 grep -c 's[0-9]*: restarting it, ' "$LOG" ||
        fail "$(grep -c 's[0-9]*: restarting it, ' "$LOG") restarts"
    for n in $(seq -w 12); do turns "s$n" healthy 30; done
    # what would be done twice, or too much, has the time for it
    sleep 8
    unsaid 'Connection timed out'
    unsaid 'did not restart it'
    unsaid 'not restarted any more'
    for n in $(seq -w 12); do
        [ "$(grep -c "s$n: restarting it, 1 of at most 3" "$LOG")" = 1 ] ||
            fail "s$n: $(grep "s$n: restarting it" "$LOG")"
        gives 1 runs_of "s$n" "$since" || fail "s$n was started $(runs_of "s$n" "$since") times"
        [ "$(health "s$n")" = healthy ]
    done
    [ "$(grep -c 'restarting it, ' "$LOG")" = 12 ]
}

@test "what takes longer to stop than the backoff is restarted once, and the new run is left alone" {
    local n since
    slow_policy 5
    # each has a place at once; whether the engine's answer or its event comes first is luck
    for n in 1 2 3 4; do slow_redis "s$n" 8; done
    daemon_begin
    for n in 1 2 3 4; do turns "s$n" healthy; done
    since=$(date +%s.%N)
    for n in 1 2 3 4; do hush "s$n"; done
    wait_until 20 at_least 4 grep -c 'restarting it, 1 of at most 5' "$LOG"
    for n in 1 2 3 4; do wait_until 25 at_least 1 runs_of "s$n" "$since"; done
    for n in 1 2 3 4; do turns "s$n" healthy; done
    sleep 12
    for n in 1 2 3 4; do
        gives 1 runs_of "s$n" "$since" || fail "s$n was started $(runs_of "s$n" "$since") times"
        [ "$(health "s$n")" = healthy ]
    done
    [ "$(grep -c 'restarting it, ' "$LOG")" = 4 ]
}

@test "what waits for its turn is not restarted when its reason is gone" {
    local n before=()
    slow_policy 3
    # sixteen are stopped at a time; their own stop timeout is waited for
    for n in {1..19}; do slow_redis "s$n" 25 --stop-timeout 40; done
    daemon_begin
    for n in {1..19}; do turns "s$n" healthy; done
    # the engine remembers 256 events, too few for these
    for n in {1..18}; do before[n]=$(starts_of "s$n"); done
    for n in {1..16}; do hush "s$n"; done
    wait_until 20 gives 16 grep -c 'restarting it, ' "$LOG"
    for n in 17 18 19; do hush "s$n"; done
    for n in 17 18 19; do turns "s$n" unhealthy; done
    # one serves again, a person stops one and removes one
    docker exec s17 sh -c 'redis-server --protected-mode no --daemonize yes' >/dev/null
    docker kill s18 >/dev/null
    docker rm -f s19 >/dev/null
    turns s17 healthy
    turns s18 absent
    [ "$(grep -c 'restarting it, ' "$LOG")" = 16 ]
    for n in {1..16}; do turns "s$n" healthy 60; done
    sleep 3
    for n in {1..16}; do [ "$(starts_of "s$n")" != "${before[n]}" ]; done
    for n in 17 18; do [ "$(starts_of "s$n")" = "${before[n]}" ]; done
    [ "$(grep -c 'restarting it, ' "$LOG")" = 16 ]
    unsaid 'did not (stop|start) it'
}

@test "what a person is stopping is not restarted while it takes its time" {
    policy_is <<'END'
[Service redis-cache]
Match=name:cache
ProbeInterval=1s
ProbeTimeout=500ms
ProbeFailures=2
OnUnhealthy=restart
RestartBudget=5/10min
END
    slow_redis cache 8
    daemon_begin
    turns cache healthy
    docker stop -t 30 cache >/dev/null &
    local stopping=$!
    turns cache unhealthy
    wait $stopping
    turns cache absent
    [[ $(reason cache) == "stopped on request, exit code 0" ]]
    sleep 2
    [ "$(docker inspect -f '{{.State.Running}}' cache)" = false ]
    unsaid 'cache: restarting it'
}

@test "an engine that dies between the two halves of a restart does not leave it stopped" {
    policy_is <<'END'
[Service redis-cache]
Match=name:cache
ProbeInterval=1s
ProbeTimeout=500ms
ProbeFailures=2
OnUnhealthy=restart
RestartBudget=5/10min
END
    slow_redis cache 3
    daemon_begin
    turns cache healthy
    # it runs on, and does not answer
    docker exec cache redis-cli shutdown nosave || true
    wait_until 15 said 'cache: restarting it, 1 of at most 5'
    sleep 0.5
    engine kill
    wait_until 10 said 'Lost the engine'
    engine up
    # what was begun is finished, and counts once
    turns cache healthy 60
    [ "$(docker inspect -f '{{.State.Running}}' cache)" = true ]
    [ "$(grep -c 'cache: restarting it' "$LOG")" = 1 ]
}

# What is at work until T/go is there, and then does COMMAND.
works_until_told() {
    docker run -d --name "$1" -v "$T/go:/go:ro" redis:debian sh -c "while [ ! -e /go/on ]; do :; done; $2" >/dev/null
}

@test "what our own quota holds back is starting, with the quota as the cause, and disputed when it is not" {
    local name started
    policy_is <<'END'
[Service starved]
Match=name:starved*
CPUQuota=5%
ProbeInterval=1s
ProbeTimeout=500ms
ProbeStartPeriod=2s
OnUnhealthy=restart
OnStartTimeout=restart
RestartBudget=1/10min
[Service slept]
Match=name:slept
CPUQuota=5%
ProbeInterval=1s
ProbeTimeout=500ms
ProbeStartPeriod=2s
OnUnhealthy=restart
[Service engines]
Match=name:engines
ProbeInterval=1s
ProbeTimeout=500ms
ProbeStartPeriod=2s
END
    mkdir "$T/go"
    chmod 755 "$T" "$T/go"
    daemon_begin
    works_until_told starved 'exec redis-server --protected-mode no'
    works_until_told starved-for-nothing 'sleep 1000; exec redis-server'
    # the limit is there, and not to blame; and a limit that is none of ours
    docker run -d --name slept redis:debian sh -c 'sleep 1000; exec redis-server' >/dev/null
    docker run -d --name engines --cpus 0.05 redis:debian sh -c 'while :; do :; done; exec redis-server' >/dev/null
    started=$(starts_of starved)
    for name in starved starved-for-nothing; do
        wait_until 20 said "^$name: starting: .*; CPUQuota=5% holds it back: throttled in [0-9]+% of the time; its start period is over" ||
            fail "$name is $(health $name): $(reason $name)"
    done
    turns slept degraded
    because slept "disputed: *; it has not been seen to serve since it started: *" || fail "$(reason slept)"
    turns engines degraded
    because engines "disputed: *" || fail "$(reason engines)"
    # by now any failure would have been counted and acted upon
    for name in starved starved-for-nothing; do gives starting health $name || fail "$name is $(health $name): $(reason $name)"; done
    unsaid '^starved.*(disputed|unhealthy|restarting it)'
    ctl show starved | grep -q 'it is starting' || fail "$(ctl show starved)"
    touch "$T/go/on"
    turns starved healthy 40
    [ "$(starts_of starved)" = "$started" ]
    [ "$(grep -c '^starved: starting' "$LOG")" = 1 ]
    # this one only waits now: it is not the quota any more, and the policy restarts what is not up in time
    wait_until 40 said '^starved-for-nothing: degraded: disputed: .*; it has not been seen to serve since it started' ||
        fail "$(health starved-for-nothing): $(reason starved-for-nothing)"
    wait_until 40 said '^starved-for-nothing: restarting it, 1 of at most 1'
}
