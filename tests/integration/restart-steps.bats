#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # bats runs each test in a shell of its own; helper.bash sets some
# A restart is a stop, a look and a start, with the intent on disk: what comes of it when plimsolld is
# killed at any step. The engine's own events are counted.

load helper

setup_file() { engine_begin --images "busybox redis"; }
teardown_file() { engine_end; }

setup() {
    begin
    policy_is <<'END'
[Service slow]
Match=name:s-*
ProbeInterval=1s
ProbeTimeout=500ms
ProbeFailures=2
OnUnhealthy=restart
RestartBudget=5/10min
END
}
teardown() { end; }

dead() { ! kill -0 "$DAEMON"; }

# once NAME - started again, and only once
once() {
    happens "$1" start 30
    turns "$1" healthy 30
    sleep 6 # as long as a second one would take
    [ "$(happened "$1" start)" = 1 ] || fail "$1 was started $(happened "$1" start) times"
    [ "$(health "$1")" = healthy ]
}

# dies_at POINT - … in a restart
dies_at() {
    slow_redis s-one 0
    points_begin "PLIMSOLL_DIE=restart-$1"
    turns s-one healthy
    watch_begin
    hush s-one
    wait_until 20 dead || fail "it did not die"
}

@test "plimsolld dies with the intent on disk, and nothing sent: the next one restarts it once" {
    dies_at intent
    again
    once s-one
    [ "$(happened s-one kill)" = 1 ]
}

@test "plimsolld dies between stop and look: the next one starts it once" {
    dies_at stopped
    again
    once s-one
}

@test "plimsolld dies between look and start: the next one starts it once" {
    dies_at starting
    again
    once s-one
}

@test "plimsolld dies after the start: the next one leaves it at that" {
    dies_at started
    again
    once s-one
}

@test "plimsolld dies while the container stops: the next one starts it once, however late it comes" {
    slow_redis s-one 4
    slow_redis s-two 4
    daemon_begin
    turns s-one healthy
    turns s-two healthy
    watch_begin
    hush s-one
    happens s-one kill
    daemon_end KILL
    again
    happens s-one start 30
    turns s-one healthy 30
    # … and one that comes when the container has ended
    hush s-two
    happens s-two kill
    daemon_end KILL
    happens s-two die
    again
    once s-two
    once s-one
    unsaid 'left as it is'
}

@test "plimsolld dies while the container stops, and a person ends it as well: it stays so" {
    local name
    for name in stop kill; do slow_redis s-$name 6; done
    daemon_begin
    for name in stop kill; do turns s-$name healthy; done
    watch_begin
    for name in stop kill; do hush s-$name; done
    for name in stop kill; do happens s-$name kill; done
    daemon_end KILL
    docker kill s-kill >/dev/null
    docker stop s-stop >/dev/null
    again
    wait_until 20 said "s-stop: stopped by somebody else during our restart: left as it is"
    wait_until 20 said "s-kill: killed by somebody else during our restart: left as it is"
    sleep 6
    for name in stop kill; do [ "$(happened s-$name start)" = 0 ]; done
}

@test "plimsolld dies before it has sent the stop, and a person stops it: it stays so" {
    dies_at intent
    sleep 4 # longer than the engine would have taken to tell of ours
    docker stop s-one >/dev/null
    again
    wait_until 20 said "s-one: stopped by somebody else during our restart: left as it is"
    turns s-one absent
    [[ $(reason s-one) == "stopped on request"* ]]
    sleep 4
    [ "$(happened s-one start)" = 0 ]
}

@test "it was up before plimsolld came, in this run: when it is silent it is restarted, and another run is not" {
    sed -i 's/^ProbeFailures=.*/&\nProbeStartPeriod=1s/' "$T/plimsoll.conf"
    slow_redis s-same 0
    slow_redis s-other 0
    daemon_begin
    turns s-same healthy
    turns s-other healthy
    daemon_end
    docker restart -t 1 s-other >/dev/null
    hush s-same
    hush s-other
    watch_begin
    daemon_begin
    once s-same
    wait_until 20 said '^s-other: degraded: disputed: .*has not been seen to serve since it started'
    [ "$(happened s-other kill)" = 0 ]
}

@test "plimsolld is stopped while the container stops: it is started before plimsolld ends" {
    slow_redis s-one 4
    daemon_begin
    turns s-one healthy
    watch_begin
    hush s-one
    happens s-one kill
    daemon_end
    [ "$ended" = 0 ]
    wait_until 5 at_least 1 happened s-one start || fail "it is left as plimsolld has stopped it"
    [ "$(happened s-one start)" = 1 ]
    said 'Stopping; finishing 1 restart first'
    again
    turns s-one healthy
    [ "$(happened s-one start)" = 1 ]
}

@test "plimsolld is stopped while the container takes longer to stop than systemd waits: the next one starts it" {
    slow_redis s-one 30 --stop-timeout 60
    daemon_begin
    turns s-one healthy
    watch_begin
    hush s-one
    happens s-one kill
    daemon_end
    [ "$ended" = 0 ]
    [ "$(happened s-one die)" = 0 ]
    again
    happens s-one start 60
    once s-one
}

@test "the policy does not want it any more, and plimsolld dies in between: it is finished all the same" {
    dies_at stopped
    policy_is <<'END'
[Service other]
Match=name:other
END
    again
    happens s-one start
    sleep 4
    [ "$(happened s-one start)" = 1 ]
}
