#!/usr/bin/env bats
# A storm: more fail at the same time than can be restarted at once, and each takes its time to stop.

load helper

setup_file() { engine_begin --images "busybox redis"; }
teardown_file() { engine_end; }

setup() {
    begin
    policy_is <<'END'
[Service cache]
Match=name:*
ProbeInterval=1s
ProbeTimeout=500ms
ProbeFailures=2
OnUnhealthy=restart
RestartBudget=5/10min
END
}
teardown() { end; }

# slow_redis NAME SECONDS [OPTION…] - asked to end, it stops to serve at once, and takes its time to go
slow_redis() {
    docker run -d --name "$1" --stop-timeout 30 "${@:3}" redis:debian sh -c "
        trap 'redis-cli shutdown nosave; sleep $2; exit 0' TERM
        redis-server --protected-mode no --save '' --daemonize yes >/dev/null
        while :; do sleep 1000 & wait; done" >/dev/null
}

# listen - to every start from now on; the engine keeps no more than its last 256 events
listen() {
    timeout 170 docker events -f type=container -f event=start --format '{{.Actor.Attributes.name}}' \
        >"$T/starts" 3>&- 4>&- &
    sleep 0.5
}
restarts() { grep -c "^$1: restarting it, " "$LOG" || true; }

@test "a storm: fifty fail at once and take 10 s to stop each, and each is restarted exactly once" {
    local n
    for n in $(seq -w 50); do slow_redis "s$n" 10; done
    daemon_begin
    for n in $(seq -w 50); do turns "s$n" healthy 60; done
    listen
    for n in $(seq -w 50); do echo "s$n"; done | xargs -P 8 -I{} timeout 60 docker exec {} redis-cli shutdown nosave || true
    wait_until 300 at_least 50 grep -c 's[0-9]*: restarting it, ' "$LOG" ||
        fail "$(grep -c 's[0-9]*: restarting it, ' "$LOG") restarts"
    for n in $(seq -w 50); do turns "s$n" healthy 60; done
    # what would be done twice has the time for it: more than the first backoff
    sleep 6
    diff <(seq -w 50 | sed 's/^/1 s/') <(sort "$T/starts" | uniq -c | awk '{ print $1, $2 }')
    [ "$(restarts 's[0-9]*')" = 50 ]
    [ "$(grep -c 'restarting it, 1 of at most 5' "$LOG")" = 50 ]
    for n in $(seq -w 50); do gives healthy health "s$n"; done
    unsaid 'timed out|did not restart it|not restarted any more'
}
