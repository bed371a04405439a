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

# health NAME - its state
health() { status_of "$1" .health; }
reason() { status_of "$1" .reason; }

# turns NAME STATE [SECONDS] - and the reason, for who reads the failure
turns() {
    wait_until "${3:-20}" gives "$2" health "$1" ||
        fail "$1 is $(health "$1") ($(reason "$1")), and should be $2"
}

# unsaid PATTERN - "! said" alone would not fail a test
unsaid() { ! said "$1" || fail "said: $1"; }

jq_status() { status_json | jq -r "$1"; }

starts_of() { docker inspect -f '{{.State.StartedAt}}' "$1"; }

@test "real services become healthy, by network probes alone" {
    policy_is <<'END'
[Service db]
Match=name:db
[Service cache]
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
    run docker logs db
    [[ $output != *FATAL* && $output != *"unexpected EOF"* ]]
    run ctl wait db --for healthy --timeout 5s
    [ "$status" -eq 0 ]
}

@test "a service that stops answering is unhealthy, and healthy again when it answers" {
    policy_is <<'END'
[Service cache]
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
[Service cache]
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

# The storm: twenty containers die at the same moment, and again after each restart.
@test "twenty die at once: each is restarted within its budget, to the number, and then given up" {
    local n
    policy_is <<'END'
[Service one]
Match=name:one*
Probe=none
OnUnhealthy=restart
RestartBudget=1/10min
[Service two]
Match=name:two*
Probe=none
OnUnhealthy=restart
RestartBudget=2/10min
END
    mkdir "$T/gate"
    daemon_begin
    for n in 1 2 3 4 5 6 7 8 9 10; do
        run_waiting "one$n"
        run_waiting "two$n"
    done
    wait_until 30 gives 20 containers
    sleep 1
    touch "$T/gate/open"
    wait_until 120 gives 20 grep -c 'not restarted any more: ' "$LOG" ||
        fail "$(grep -c 'not restarted any more' "$LOG") gave up"
    sleep 5
    [ "$(grep -c 'one[0-9]*: restarting it, 1 of at most 1 in 10min' "$LOG")" = 10 ]
    [ "$(grep -c 'two[0-9]*: restarting it, 1 of at most 2 in 10min' "$LOG")" = 10 ]
    [ "$(grep -c 'two[0-9]*: restarting it, 2 of at most 2 in 10min' "$LOG")" = 10 ]
    [ "$(grep -c 'restarting it, ' "$LOG")" = 30 ]
    [ "$(grep -c 'not restarted any more: ' "$LOG")" = 20 ]
}

# run_waiting NAME - dies with 3 as soon as the gate is open
run_waiting() {
    docker run -d --name "$1" -v "$T/gate:/gate" "$BB" \
        sh -c 'until [ -e /gate/open ]; do sleep 0.1; done; echo "no door" >&2; exit 3' >/dev/null
}

@test "what a person has stopped stays stopped; what is killed from outside comes back" {
    policy_is <<'END'
[Service cache]
Match=name:cache
ProbeInterval=1s
ProbeTimeout=500ms
OnUnhealthy=restart
RestartBudget=5/10min
END
    docker run -d --name cache redis:debian >/dev/null
    daemon_begin
    turns cache healthy
    docker stop cache >/dev/null
    turns cache absent
    [[ $(reason cache) == "stopped on request"* ]]
    sleep 3
    [ "$(docker inspect -f '{{.State.Running}}' cache)" = false ]
    docker start cache >/dev/null
    turns cache healthy
    kill -9 "$(pid_of cache)"
    turns cache unhealthy || turns cache starting || turns cache healthy
    said 'restarting it, 1 of at most 5 .*exit code 137: SIGKILL, but neither through the engine'
    turns cache healthy
    docker kill cache >/dev/null
    turns cache absent
    [[ $(reason cache) == "killed on request (docker kill)"* ]]
    sleep 2
    [ "$(docker inspect -f '{{.State.Running}}' cache)" = false ]
}

@test "the engine's own restart policy has the first word; a crash loop says why" {
    policy_is <<'END'
[Service loop]
Match=name:loop
Probe=none
OnUnhealthy=restart
RestartBudget=5/10min
END
    daemon_begin
    docker run -d --name loop --restart always "$BB" \
        sh -c 'echo "no such database: mlflow" >&2; exit 4' >/dev/null
    turns loop unhealthy
    [[ $(reason loop) == "crash loop, it ended "*" times in a row; last: ended by itself with exit code 4" ]]
    unsaid 'restarting it, '
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
    sleep 3
    unsaid 'web: restarting'
    kill -CONT "$(pid_of db)"
    turns db healthy
    # now it is web's own fault
    wait_until 10 said 'web: restarting it, 1 of at most 5'
    kill -CONT "$(pid_of web)" || true
    turns web healthy 30
    [ "$(starts_of web)" != "$started" ]
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

@test "a section's change and a reload move the probe" {
    policy_is <<'END'
[Service cache]
Match=name:cache
ProbeInterval=1s
ProbeTimeout=500ms
END
    docker run -d --name cache redis:debian >/dev/null
    daemon_begin
    turns cache healthy
    policy_is <<'END'
[Service cache]
Match=name:cache
ProbePort=1
ProbeInterval=1s
ProbeTimeout=500ms
END
    kill -HUP "$DAEMON"
    turns cache unhealthy
    [[ $(reason cache) == "connection refused ("*":1)"* ]]
}

@test "an engine that hangs changes no verdict of a probe, and gets no restart to do later" {
    local pid started
    policy_is <<'END'
[Service cache]
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
    sleep 3
    [ "$(starts_of cache)" = "$started" ]
    turns cache healthy
}

@test "dry run: nothing is restarted" {
    policy_is DryRun=yes <<'END'
[Service cache]
Match=name:cache
ProbeInterval=1s
ProbeTimeout=500ms
OnUnhealthy=restart
RestartBudget=5/10min
END
    docker run -d --name cache redis:debian >/dev/null
    daemon_begin
    turns cache healthy
    started=$(starts_of cache)
    kill -STOP "$(pid_of cache)"
    wait_until 15 said 'cache: would be restarted'
    sleep 2
    kill -CONT "$(pid_of cache)"
    [ "$(starts_of cache)" = "$started" ]
    unsaid 'cache: restarting it'
}

@test "Docker's own healthcheck counts where there is no probe, and disputes where there is one" {
    policy_is <<'END'
[Service plain]
Match=name:plain
Probe=none
[Service cache]
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
    [[ $(reason cache) == "it answers, but Docker's healthcheck says unhealthy" ]]
}
