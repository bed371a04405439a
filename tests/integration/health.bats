#!/usr/bin/env bats
# Health from end to end: real services and stand-ins in containers, plimsolld beside them, and what
# it says and does when they fail.

load helper

setup_file() { engine_begin --images "busybox postgres redis airflow grafana ollama"; }
teardown_file() { engine_end; }

setup() { begin; }
teardown() {
    engine thaw
    end
}

jq_status() { status_json | jq -r "$1"; }

starts_of() { docker inspect -f '{{.State.StartedAt}}' "$1"; }

@test "real services become healthy, by network probes alone" {
    policy_is <<'END'
[Service db]
Match=name:db
[Service redis-cache]
Match=name:cache
END
    docker run -d --name db --no-healthcheck -e POSTGRES_USER=app postgres:debian >/dev/null
    docker run -d --name cache redis:debian >/dev/null
    daemon_begin
    turns db healthy 60
    turns cache healthy
    wait_until 5 grep -q 'STATUS=2/2 healthy' "$T/notify.log"
    # no exec: the engine was not asked to run anything
    [ "$(docker inspect -f '{{len .ExecIDs}}' db)" = 0 ]
    # but for the answer that it starts, which Postgres logs whoever asks
    run bash -c 'docker logs db 2>&1 | grep -v "FATAL:  the database system is starting up"'
    echo "$output" | grep -E "FATAL|EOF" || true
    [[ $output != *FATAL* && $output != *"unexpected EOF"* ]]
    run ctl wait db --for healthy --timeout 5s
    [ "$status" -eq 0 ]
}

@test "a service that stops answering is unhealthy, and healthy again when it answers" {
    policy_is <<'END'
[Service redis-cache]
Match=name:cache
ProbeInterval=1s
ProbeTimeout=500ms
END
    docker run -d --name cache redis:debian >/dev/null
    daemon_begin
    turns cache healthy
    kill -STOP "$(pid_of cache)"
    turns cache unhealthy
    [[ $(reason cache) == *"did not answer within the deadline (3 times in a row)"* ]]
    said 'cache: unhealthy: it accepts connections'
    kill -CONT "$(pid_of cache)"
    turns cache healthy
    said 'cache: healthy again, after [0-9]'
}

@test "a paused container is degraded, not probed, and well again" {
    policy_is <<'END'
[Service redis-cache]
Match=name:cache
ProbeInterval=1s
ProbeTimeout=500ms
END
    docker run -d --name cache redis:debian >/dev/null
    daemon_begin
    turns cache healthy
    docker pause cache
    turns cache degraded
    [ "$(reason cache)" = paused ]
    docker unpause cache
    turns cache healthy
}

@test "a failure is put down to the service that is needed" {
    policy_is <<'END'
[Service db]
Match=name:db
ProbeInterval=1s
ProbeTimeout=500ms
[Service web]
Match=name:web
ProbeInterval=1s
ProbeTimeout=500ms
After=db
OnUnhealthy=restart
RestartBudget=5/10min
END
    # two stand-ins of which both stop when the first one does
    docker run -d --name db redis:debian >/dev/null
    docker run -d --name web redis:debian >/dev/null
    daemon_begin
    turns db healthy
    turns web healthy
    started=$(starts_of web)
    kill -STOP "$(pid_of db)" "$(pid_of web)"
    turns web unhealthy
    turns db unhealthy
    [[ $(reason web) == *"; db, which it needs, is "* ]]
    heard web 3
    unsaid 'web: restarting'
    kill -CONT "$(pid_of db)"
    turns db healthy
    # now it is web's own fault
    wait_until 10 said 'web: restarting it, 1 of at most 5'
    kill -CONT "$(pid_of web)" || true
    turns web healthy 30
    [ "$(starts_of web)" != "$started" ]
}

@test "a failure is put down to what compose was told, or to a database of the same project" {
    local name started
    policy_is <<'END'
[Defaults]
ProbeInterval=1s
ProbeTimeout=500ms
OnUnhealthy=restart
[Service db]
Match=name:db
ProbeInterval=1s
ProbeTimeout=500ms
END
    # compose's own labels; stand-ins of which all stop when the first one does
    docker run -d --name db --label com.docker.compose.project=shop --label com.docker.compose.service=postgres \
        redis:debian >/dev/null
    docker run -d --name told --label com.docker.compose.project=shop --label com.docker.compose.service=told \
        --label com.docker.compose.depends_on=postgres:service_started:false ollama/ollama:standin >/dev/null
    docker run -d --name beside --label com.docker.compose.project=shop --label com.docker.compose.service=beside \
        grafana/grafana:standin >/dev/null
    docker run -d --name elsewhere --label com.docker.compose.project=other --label com.docker.compose.service=x \
        grafana/grafana:standin >/dev/null
    daemon_begin
    for name in db told beside elsewhere; do turns $name healthy; done
    started="$(starts_of told) $(starts_of beside)"
    kill -STOP "$(pid_of db)" "$(pid_of told)" "$(pid_of beside)" "$(pid_of elsewhere)"
    turns told unhealthy
    [[ $(reason told) == *"; postgres, which it needs, is "* ]] || fail "$(reason told)"
    wait_until 20 said '^beside: (degraded|unhealthy): .*; postgres, which it may need, is ' || fail "$(reason beside)"
    # by then they would have been, as this one is
    wait_until 20 said '^elsewhere: restarting it'
    turns elsewhere healthy
    [ "$(starts_of told) $(starts_of beside)" = "$started" ]
    unsaid '^(told|beside): restarting it'
    # now it is their own fault
    kill -CONT "$(pid_of db)"
    turns db healthy
    wait_until 20 said '^told: restarting it'
}

@test "a required service without a container is absent, and that is said once" {
    policy_is <<'END'
[Service db]
Match=name:db
Required=yes
END
    daemon_begin
    turns db absent
    [ "$(status_of db .phase)" = absent ]
    wait_until 5 grep -q 'STATUS=0/1 healthy: db absent' "$T/notify.log"
    sleep 1
    [ "$(grep -c 'db: absent: no container matches' "$LOG")" = 1 ]
    docker run -d --name db redis:debian >/dev/null
    turns db healthy
}

@test "a section's change and a reload move the probe, and a wrong one restarts nothing" {
    local started
    policy_is <<'END'
[Service redis-cache]
Match=name:cache
ProbeInterval=1s
ProbeTimeout=500ms
OnUnhealthy=restart
END
    docker run -d --name cache redis:debian >/dev/null
    started=$(starts_of cache)
    daemon_begin
    turns cache healthy
    policy_is <<'END'
[Service redis-cache]
Match=name:cache
ProbePort=1
ProbeInterval=1s
ProbeTimeout=500ms
OnUnhealthy=restart
END
    kill -HUP "$DAEMON"
    # it served, so it may well be the new port that is wrong
    turns cache degraded
    [[ $(reason cache) == "disputed: connection refused ("*":1)"*"; it has not answered since its probe was changed, which asks at the wrong place; ProbePort= names its port" ]] ||
        fail "$(reason cache)"
    heard cache 3
    [ "$(starts_of cache)" = "$started" ]
    unsaid 'restarting it'
}

@test "an engine that hangs changes no verdict of a probe, and gets no restart to do later" {
    local pid started
    policy_is <<'END'
[Service redis-cache]
Match=name:cache
ProbeInterval=1s
ProbeTimeout=500ms
OnUnhealthy=restart
RestartBudget=5/10min
END
    docker run -d --name cache redis:debian >/dev/null
    daemon_begin
    turns cache healthy
    pid=$(pid_of cache)
    started=$(starts_of cache)
    engine freeze
    kill -STOP "$pid"
    turns cache unhealthy
    kill -CONT "$pid"
    turns cache healthy
    engine thaw
    wait_until 40 gives true jq_status .engine.connected
    heard cache 3
    [ "$(starts_of cache)" = "$started" ]
    turns cache healthy
}

@test "Docker's own healthcheck counts where there is no probe, and disputes where there is one" {
    policy_is <<'END'
[Service plain]
Match=name:plain
Probe=none
[Service redis-cache]
Match=name:cache
ProbeInterval=1s
ProbeTimeout=500ms
END
    docker run -d --name plain --health-cmd 'test ! -f /tmp/ill' --health-interval 1s \
        --health-retries 1 "$BB" sleep 1000 >/dev/null
    docker run -d --name cache --health-cmd 'test ! -f /tmp/ill' --health-interval 1s \
        --health-retries 1 redis:debian >/dev/null
    daemon_begin
    turns plain healthy
    turns cache healthy
    docker exec plain touch /tmp/ill
    turns plain unhealthy
    [[ $(reason plain) == "Docker's healthcheck says unhealthy" ]]
    docker exec plain rm /tmp/ill
    turns plain healthy
    docker exec cache touch /tmp/ill
    turns cache degraded
    [[ $(reason cache) == "disputed: it answers, but Docker's healthcheck says unhealthy: that asks for more, or at another place; Probe=none leaves the word to it" ]]
}

@test "a service that flips is degraded, said once, and well again when it is calm" {
    local _
    policy_is <<'END'
[Service flips-often]
Match=name:flips
Probe=none
FlapBudget=4/20s
END
    docker run -d --name flips --health-cmd 'test ! -f /tmp/ill' --health-interval 1s \
        --health-retries 1 "$BB" sleep 1000 >/dev/null
    daemon_begin
    turns flips healthy
    for _ in 1 2 3; do
        docker exec flips touch /tmp/ill
        wait_until 10 gives unhealthy docker inspect -f '{{.State.Health.Status}}' flips
        sleep 0.3
        docker exec flips rm /tmp/ill
        wait_until 10 gives healthy docker inspect -f '{{.State.Health.Status}}' flips
        sleep 0.3
    done
    turns flips degraded
    [[ $(reason flips) == "flapping: "*" changes of state within its FlapBudget= window"* ]]
    [ "$(grep -c 'flips: degraded: flapping' "$LOG")" = 1 ]
    turns flips healthy 40
    [ "$(grep -c 'flips: degraded: flapping' "$LOG")" = 1 ]
}

# A Redis that loads for eight questions, and says when it was asked
LOADS_A_WHILE='
import socket, time
server, n = socket.create_server(("127.0.0.1", 7777)), 0
while True:
    client, _ = server.accept()
    n += 1
    print(time.monotonic(), flush=True)
    client.recv(99)
    client.sendall(b"-LOADING Redis is loading\r\n" if n <= 8 else b"+PONG\r\n")
    client.close()
'
# Late is the machine, early would be ours.
JUDGE_GAPS='
import statistics, sys
times = [float(line) for line in sys.stdin]
gaps = [b - a for a, b in zip(times, times[1:])]
print(gaps)
# after 1, 2 and 4 seconds (here the interval, which is less), then at the interval, starting or not
first, second, later = gaps[0], gaps[1], gaps[2:12]
assert 0.85 < first and 1.7 < second
assert min(later) > 2.6 and statistics.median(later) < 4.0
assert max(later) - min(later) > 0.01
'

@test "asked twice more soon after its start, then at its interval, and never quite the same" {
    policy_is <<'END'
[Service asked]
Match=name:asked
Probe=redis
ProbePort=7777
ProbeInterval=3s
ProbeTimeout=500ms
END
    # no function: what is killed below has to be Python itself
    nsenter "--net=$(engine netns)" python3 -c "$LOADS_A_WHILE" >"$T/times" 3>&- 4>&- &
    local server=$!
    run_bb asked --network host
    daemon_begin
    wait_until 20 gives 'loading its data set into memory' reason asked
    gives starting health asked
    wait_until 60 at_least 13 grep -c . "$T/times"
    kill $server
    wait $server || true
    python3 -c "$JUDGE_GAPS" <"$T/times"
}

@test "a script can wait for a state, for a service that is not there yet, and not for ever" {
    policy_is <<'END'
[Service redis-cache]
Match=name:cache
ProbeInterval=1s
ProbeTimeout=500ms
END
    daemon_begin
    run ctl wait cache --for healthy --timeout 1s
    [ "$status" -eq 1 ]
    ctl wait cache --for healthy --timeout 30s 3>&- 4>&- &
    local waiting=$!
    docker run -d --name cache redis:debian >/dev/null
    wait $waiting
    gives healthy health cache
    run ctl wait cache --for unhealthy --timeout 1s
    [ "$status" -eq 1 ]
    [[ $output == *"cache is running, healthy, and not unhealthy in time"* ]] || fail "$output"
    kill -STOP "$(pid_of cache)"
    run ctl wait cache --for unhealthy --timeout 30s
    [ "$status" -eq 0 ]
    kill -CONT "$(pid_of cache)"
    run ctl wait cache --for excellent
    [ "$status" -eq 2 ]
}
