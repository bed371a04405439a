#!/usr/bin/env bats
# What plimsolld restarts, how often, and what it leaves alone: real containers that die.

load helper

setup_file() { engine_begin --images "busybox redis"; }
teardown_file() { engine_end; }

setup() { begin; }
teardown() {
    inside iptables -F OUTPUT || true
    end
}

starts_of() { docker inspect -f '{{.State.StartedAt}}' "$1"; }

# The storm: twenty containers die at the same moment, and again after each restart.
@test "twenty die at once: each is restarted within its budget, to the number, and then given up" {
    local n
    policy_is <<'END'
[Service dies-one]
Match=name:one*
Probe=none
OnUnhealthy=restart
OnExit=restart
RestartBudget=1/10min
[Service dies-two]
Match=name:two*
Probe=none
OnUnhealthy=restart
OnExit=restart
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
    docker stop cache >/dev/null
    turns cache absent
    [[ $(reason cache) == "stopped on request"* ]]
    sleep 3
    [ "$(docker inspect -f '{{.State.Running}}' cache)" = false ]
    docker start cache >/dev/null
    turns cache healthy
    kill -9 "$(pid_of cache)"
    turns cache unhealthy || turns cache starting || turns cache healthy
    wait_until 10 said 'restarting it, 1 of at most 5 .*exit code 137, not through the engine, and no lack of memory was seen: a SIGKILL from outside'
    turns cache healthy
    docker kill cache >/dev/null
    turns cache absent
    [[ $(reason cache) == "killed on request (docker kill)"* ]]
    sleep 2
    [ "$(docker inspect -f '{{.State.Running}}' cache)" = false ]
}

@test "what is frozen, behind a firewall, moved to another network or was paused is told, and never restarted" {
    local address freezer name
    policy_is <<'END'
[Service cache]
Match=name:c-*
ProbeInterval=1s
ProbeTimeout=500ms
ProbeFailures=2
OnUnhealthy=restart
END
    docker run -d --name c-wall redis:debian >/dev/null
    docker run -d --name c-ice redis:debian >/dev/null
    docker run -d --name c-host redis:debian >/dev/null
    docker run -d --name c-guest --network container:c-host redis:debian redis-server --protected-mode no --port 7001 >/dev/null
    docker run -d --name c-nap --health-cmd true --health-interval 1s --health-retries 1 "$BB" sleep 1000 >/dev/null
    daemon_begin
    for name in wall ice host guest nap; do turns "c-$name" healthy; done
    address=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' c-wall)
    freezer=$(is_v2 && echo "$(group_of c-ice memory)/cgroup.freeze" || echo "$(group_of c-ice freezer)/freezer.state")
    inside iptables -A OUTPUT -d "$address" -p tcp -j REJECT --reject-with tcp-reset
    is_v2 && echo 1 >"$freezer" || echo FROZEN >"$freezer"
    docker pause c-nap >/dev/null
    docker restart c-host >/dev/null
    for name in wall ice guest nap; do turns "c-$name" degraded; done
    [[ $(reason c-wall) == "disputed: connection refused"*"it listens on port 6379 all the same: a firewall"* ]]
    [[ $(reason c-ice) == "impaired: frozen by its cgroup's freezer"* ]]
    [[ $(reason c-guest) == "disputed: connection refused"*"in a network that is no more: docker restart"* ]]
    wait_until 20 gives unhealthy docker inspect -f '{{.State.Health.Status}}' c-nap
    docker unpause c-nap >/dev/null
    turns c-nap healthy
    is_v2 && echo 0 >"$freezer" || echo THAWED >"$freezer"
    inside iptables -F OUTPUT
    turns c-ice healthy
    turns c-wall healthy
    heard c-guest 3
    unsaid 'unhealthy|restarting it'
}

@test "a container that is made anew has what is left of its service's budget" {
    policy_is <<'END'
[Service dies]
Match=name:dies
Probe=none
OnUnhealthy=restart
OnExit=restart
RestartBudget=1/10min
END
    daemon_begin
    docker run -d --name dies "$BB" sh -c 'exit 3' >/dev/null
    wait_until 20 said 'dies: restarting it, 1 of at most 1 in 10min'
    docker rm -f dies >/dev/null
    docker run -d --name dies "$BB" sh -c 'exit 3' >/dev/null
    wait_until 20 said 'dies: not restarted any more: 1 restart in 10min'
    [ "$(grep -c 'restarting it' "$LOG")" = 1 ]
    # without the daemon, from what it has written down; a daemon that was named has to answer
    ctl why dies | grep -F 'ended by itself with exit code 3'
    daemon_end
    run ctl why dies
    [ "$status" -eq 3 ]
    run ctl why dies --state "$T/state"
    [ "$status" -eq 0 ]
    [[ $output == *"no daemon at "*"what it has written down"* ]]
    [[ $output == *"ended by itself with exit code 3"* ]]
    run ctl show dies --state "$T/state"
    [ "$status" -eq 3 ]
    [[ $output == *"restarted 1 time by plimsolld"* ]]
    run ctl why nobody --state "$T/state"
    [ "$status" -eq 3 ]
}

findings() { curl -sf --max-time 5 --unix-socket "$T/control.sock" http://plimsolld/v1/findings | jq -r ".[].message"; }
answers_at() { inside timeout 2 bash -c "exec 3<>/dev/tcp/$1/$2 && echo PING >&3 && read -r -t 2 x <&3 && [[ \$x == +PONG* ]]" 2>/dev/null; }

@test "what lives in another container's network answers again after that was restarted; without PartOf= it does not" {
    local with without address
    policy_is <<'END'
[Service host]
Match=name:p-host
ProbeInterval=1s
[Service with]
Match=name:p-with
ProbeInterval=1s
PartOf=host
RestartBudget=1/10min
[Service without]
Match=name:p-without
ProbeInterval=1s
END
    docker run -d --name p-host redis:debian >/dev/null
    docker run -d --name p-with --network container:p-host redis:debian redis-server --protected-mode no --port 7001 >/dev/null
    docker run -d --name p-without --network container:p-host redis:debian redis-server --protected-mode no --port 7002 >/dev/null
    daemon_begin
    for name in host with without; do turns "p-$name" healthy; done
    findings | grep -F 'add PartOf=host to [Service without]'
    with=$(pid_of p-with) without=$(pid_of p-without)
    docker restart -t 1 p-host >/dev/null
    address=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' p-host)
    wait_until 20 said 'p-with: restarting it, 1 of at most 1 in 10min: p-host, which it is part of'
    wait_until 20 answers_at "$address" 7001
    [ "$(pid_of p-with)" != "$with" ]
    turns p-with healthy
    if answers_at "$address" 7002; then fail "it answers in a network that is no more"; fi
    [ "$(pid_of p-without)" = "$without" ]
    findings | grep -F '`docker restart p-without` ends that; next time PartOf=host in [Service without] does it'
    [ "$(grep -c "restarting it" "$LOG")" = 1 ]
}

loop_says_why() {
    [[ $(reason loop) == "crash loop, it ended "*" times in a row; last: ended by itself with exit code 4; its last line: no such database: \\x1b[31mmlflow" ]]
}

@test "the engine's own restart policy has the first word; a crash loop says why" {
    policy_is <<'END'
[Service crash-loop]
Match=name:loop
Probe=none
OnUnhealthy=restart
OnExit=restart
RestartBudget=5/10min
END
    daemon_begin
    ctl --json events >"$T/events" 3>&- 4>&- &
    local listener=$!
    # shellcheck disable=SC2016 # for the shell inside
    docker run -d --name loop --restart always "$BB" sh -c 'head -c 100000 /dev/zero | tr "\0" x
        echo; printf "no such database: \033[31mmlflow\n"; exit 4' >/dev/null
    turns loop unhealthy
    # while it runs again, its reason says that instead
    wait_until 10 loop_says_why || fail "$(reason loop)"
    unsaid 'restarting it, '
    sleep 1
    kill $listener
    wait $listener || true
    # its exit code and last words: bounded, and nothing in them that a terminal would obey
    jq -s '[.[] | select(.container == "loop" and .exit_code)][-1]' "$T/events" | tee "$T/words"
    [ "$(jq -r .exit_code "$T/words")" = 4 ]
    [[ $(jq -r .last_log "$T/words") == *'xxx… | no such database: \x1b[31mmlflow' ]]
    [ "$(jq -r .last_log "$T/words" | wc -c)" -lt 1024 ]
}

@test "dry run: nothing is restarted" {
    policy_is DryRun=yes <<'END'
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
    started=$(starts_of cache)
    kill -STOP "$(pid_of cache)"
    wait_until 15 said 'cache: would be restarted'
    sleep 2
    kill -CONT "$(pid_of cache)"
    [ "$(starts_of cache)" = "$started" ]
    unsaid 'cache: restarting it'
}

@test "the unit of a service whose name has a dash is asked for by its escaped name" {
    policy_is DryRun=yes <<'END'
[Service airflow-webserver]
Match=name:airflow-webserver
Probe=none
OnUnhealthy=unit:plimsoll-alert@%s.service
END
    daemon_begin
    docker run -d --name airflow-webserver "$BB" sh -c 'sleep 1; exit 3' >/dev/null
    wait_until 20 said 'airflow-webserver: .* would be started \(dry run\)'
    grep -F 'airflow-webserver: plimsoll-alert@airflow\x2dwebserver.service would be started' "$LOG"
}

@test "what was given up is forgiven when a person starts it, and not when the engine does" {
    policy_is <<'END'
[Service dies-young]
Match=name:dies
Probe=none
OnUnhealthy=restart
OnExit=restart
RestartBudget=1/10min
END
    daemon_begin
    run_bb neighbour
    docker run -d --name dies "$BB" sh -c 'sleep 1; exit 3' >/dev/null
    wait_until 30 said 'dies: not restarted any more: 1 restart in 10min did not help'
    [ "$(grep -c 'dies: restarting it' "$LOG")" = 1 ]
    docker start dies >/dev/null
    wait_until 30 gives 2 grep -c 'dies: restarting it' "$LOG"
    wait_until 30 gives 2 grep -c 'dies: not restarted any more' "$LOG"
}

@test "on-failure restarts of the engine come first; when they are used up it is plimsolld's turn" {
    policy_is <<'END'
[Service dies-young]
Match=name:dies
Probe=none
OnUnhealthy=restart
OnExit=restart
RestartBudget=1/10min
END
    daemon_begin
    docker run -d --name dies --restart on-failure:2 "$BB" sh -c 'exit 3' >/dev/null
    wait_until 30 said 'dies: restarting it, 1 of at most 1'
    # the engine's count was full by then: it has begun anew since
    wait_until 30 said 'dies: not restarted any more'
    [ "$(grep -c 'dies: restarting it' "$LOG")" = 1 ]
}

@test "a restart that ends it and cannot start it is tried again, and counted" {
    policy_is <<'END'
[Service redis-cache]
Match=name:cache
ProbeInterval=1s
ProbeTimeout=500ms
ProbeFailures=2
OnUnhealthy=restart
RestartBudget=2/10min
END
    mkdir "$T/data"
    docker run -d --name cache --mount "type=bind,src=$T/data,dst=/data" redis:debian >/dev/null
    daemon_begin
    turns cache healthy
    # its volume is gone: the engine cannot mount it
    rmdir "$T/data"
    kill -STOP "$(pid_of cache)"
    wait_until 20 said 'cache: restarting it, 1 of at most 2'
    wait_until 30 said 'cache: the engine did not start it: .*data'
    wait_until 30 said 'cache: restarting it, 2 of at most 2'
    wait_until 30 said 'cache: not restarted any more: 2 restarts in 10min did not help'
    [ "$(health cache)" = unhealthy ]
}

@test "neither budget nor backoff begin anew with plimsolld, and who saw it end remembers" {
    policy_is <<'END'
[Service dies-young]
Match=name:dies
Probe=none
OnUnhealthy=restart
OnExit=restart
RestartBudget=2/10min
END
    daemon_begin
    run_bb neighbour
    docker run -d --name dies "$BB" sh -c 'sleep 1; exit 3' >/dev/null
    wait_until 30 said 'dies: restarting it, 1 of at most 2'
    # it dies again, and the backoff begins
    wait_until 10 gives 3 docker inspect -f '{{.State.ExitCode}}' dies
    daemon_end KILL
    daemon_begin
    turns dies unhealthy
    [[ $(reason dies) == "ended by itself with exit code 3" ]]
    wait_until 30 said 'dies: restarting it, 2 of at most 2'
    wait_until 30 said 'dies: not restarted any more: 2 restarts in 10min did not help'
    daemon_end TERM
    daemon_begin
    turns dies unhealthy
    sleep 3
    [ "$(grep -c 'dies: restarting it' "$LOG")" = 2 ]
    [ "$(grep -c 'dies: not restarted any more' "$LOG")" = 1 ]
    # a person stops it: that is remembered as well
    docker start dies >/dev/null
    docker stop dies >/dev/null
    turns dies absent
    daemon_end KILL
    daemon_begin
    turns dies absent
    sleep 2
    [ "$(grep -c 'dies: restarting it' "$LOG")" = 2 ]
}
