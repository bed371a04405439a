#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # bats runs each test in a shell of its own
# A restart is a stop, a look and a start: a person who acts meanwhile has the last word. And what there is
# of containers that are restarted in a way of their own. The engine's own events are counted.

load helper

setup_file() { engine_begin --images "busybox redis"; }
teardown_file() { engine_end; }

setup() {
    begin
    policy_is <<'END'
[Service slow]
Match=name:s-*
ProbeInterval=2s
ProbeTimeout=2s
ProbeFailures=2
OnUnhealthy=restart
RestartBudget=5/10min
END
}
teardown() { end; }

# left NAME WORD - it says so
left() {
    wait_until 20 said "$1: $2 by somebody else during our restart: left as it is" || fail "$1: $(grep "$1" "$LOG")"
}

# started NAME-OR-ID N
started() { [ "$(happened "$1" start)" = "$2" ] || fail "$1 was started $(happened "$1" start) times: $(cat "$T/events")"; }

@test "a person's stop, kill, rm, pause or restart while ours stops it is final" {
    local name all='stop kill rm pause restart hup'
    for name in $all; do slow_redis "s-$name" 8; done
    daemon_begin
    for name in $all; do turns "s-$name" healthy; done
    watch_begin
    for name in $all; do hush "s-$name"; done
    for name in $all; do happens "s-$name" kill; done
    docker restart s-restart >/dev/null &
    docker stop s-stop >/dev/null &
    docker kill s-kill >/dev/null
    docker rm -f s-rm >/dev/null
    docker pause s-pause >/dev/null
    docker kill -s HUP s-hup >/dev/null
    left s-stop stopped
    left s-kill killed
    left s-pause paused
    # a signal that is a message is none of these
    happens s-hup start 30
    happens s-restart start 30
    turns s-restart healthy 30
    turns s-hup healthy 30
    sleep 6
    for name in stop kill rm pause; do started "s-$name" 0; done
    for name in restart hup; do started "s-$name" 1; done
    [[ $(reason s-stop) == "stopped on request"* ]]
    [ "$(grep -c 'restarting it, ' "$LOG")" = 6 ]
}

held() { grep -q '^State:.T' "/proc/$DAEMON/status"; }

# acts_at POINT COMMAND… - a person, while plimsolld stands still there
acts_at() {
    slow_redis s-one "${SECONDS_TO_STOP:-0}"
    points_begin "PLIMSOLL_HOLD=restart-$1"
    turns s-one healthy
    ID=$(id_of s-one)
    watch_begin
    hush s-one
    wait_until 20 held || fail "it did not stand still"
    "${@:2}" >/dev/null
    kill -CONT "$DAEMON"
}

@test "a person's stop just before ours is final" {
    acts_at intent docker stop s-one
    left s-one stopped
    sleep 4
    started s-one 0
    [ "$(happened s-one stop)" = 1 ]
}

@test "a person's stop that is under way when ours comes is final" {
    stopping() {
        docker stop s-one &
        happens s-one kill
    }
    SECONDS_TO_STOP=4 acts_at intent stopping
    left s-one stopped
    happens s-one die
    sleep 4
    started s-one 0
}

@test "a person starts it between our stop and our look: once is enough" {
    acts_at stopped docker start s-one
    turns s-one healthy
    sleep 5
    started s-one 1
    [ "$(happened s-one kill)" = 1 ]
}

@test "a person starts it between our look and our start: once is enough" {
    acts_at starting docker start s-one
    turns s-one healthy
    sleep 5
    started s-one 1
    [ "$(happened s-one kill)" = 1 ]
}

@test "a person removes it between our look and our start: nothing more" {
    acts_at starting docker rm s-one
    wait_until 10 gives 0 containers
    started "$ID" 0
}

@test "docker compose recreates it while ours stops it: it is left to that" {
    # as recreateContainer() of compose 2 does it
    recreate() { docker create --name "${ID:0:12}_s-one" redis:debian redis-server --protected-mode no; }
    acts_at stopped recreate
    left s-one replaced
    docker stop s-one >/dev/null
    docker rm s-one >/dev/null
    docker rename "${ID:0:12}_s-one" s-one
    docker start s-one >/dev/null
    turns s-one healthy
    sleep 5
    started "$ID" 0
    started s-one 1
    [ "$(grep -c 'restarting it, ' "$LOG")" = 1 ]
}

@test "--rm, each restart policy, and what takes 12 s to stop: once, and nothing is told in between" {
    local name all='rm long no always unless-stopped on-failure'
    slow_redis s-rm 2 --rm
    slow_redis s-long 12 --stop-timeout 20
    for name in no always unless-stopped on-failure; do slow_redis "s-$name" 2 --restart $name; done
    daemon_begin
    for name in $all; do turns "s-$name" healthy; done
    watch_begin
    for name in $all; do hush "s-$name"; done
    for name in $all; do
        happens "s-$name" start 40
        turns "s-$name" healthy 30
    done
    sleep 6
    for name in $all; do
        started "s-$name" 1
        [ "$(happened "s-$name" kill)" = 1 ]
    done
    [ "$(happened s-rm restart)" = 1 ]
    [ "$(grep -c 'restarting it, ' "$LOG")" = 6 ]
    unsaid 's-[a-z-]*: absent|exit code|not restarted any more|left as it is'
    # nobody has stopped them by hand, says the engine
    daemon_end
    engine down
    engine up
    for name in always unless-stopped; do
        wait_until 10 gives true docker inspect -f '{{.State.Running}}' "s-$name" || fail "s-$name is down"
    done
}

@test "dockerd ends in good order: what it stopped, and then cannot start, is no person's stop" {
    local name
    mkdir "$T/door"
    for name in always unless-stopped; do
        slow_redis "s-$name" 0 --restart "$name" --mount "type=bind,src=$T/door,dst=/door"
    done
    slow_redis s-stopped 0 --restart unless-stopped --mount "type=bind,src=$T/door,dst=/door"
    daemon_begin
    for name in always unless-stopped stopped; do turns "s-$name" healthy; done
    docker stop s-stopped >/dev/null
    turns s-stopped absent
    engine down
    rmdir "$T/door"
    engine up
    for name in always unless-stopped; do
        wait_until 30 said "^s-$name: restarting it, 1 of .*: ended with the engine, which was gone"
    done
    mkdir "$T/door"
    for name in always unless-stopped; do turns "s-$name" healthy 60; done
    [[ $(reason s-stopped) == "stopped on request"* ]] || fail "$(reason s-stopped)"
    unsaid '^s-stopped: restarting it'
}
