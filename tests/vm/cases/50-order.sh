#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whichever comes first, plimsolld or the engine, and whichever goes: limits are in force.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

is_connected() { in_status '.engine.connected'; }
is_lost() { in_status '.engine.connected | not'; }

test_it_starts_without_an_engine_and_says_so() {
    systemctl stop plimsolld docker.socket docker
    cat >"$POLICY" <<'P'
[Service keeper]
Match=name:keeper
MemoryMax=64M

[Defaults]
TasksMax=88
P
    systemctl start plimsolld
    systemctl is-active plimsolld
    within 3 status_says '^waiting for the engine'
    within 3 is_lost
    [ "$(systemctl is-active docker || true)" != active ]
}

test_an_engine_that_comes_later_is_found() {
    systemctl start docker
    # reconnecting backs off, to a few seconds at most
    within 10 is_connected
    container keeper --restart always --
    within 1 has keeper memory.max=67108864
}

test_an_engine_that_is_lost_takes_no_limit_along() {
    local dir
    dir=$(cgroup_of keeper)
    kill -9 "$(property MainPID docker.service)"
    # containers of a killed engine run on
    [ "$(cat "$dir/memory.max")" = 67108864 ]
    within 3 said ENGINE_LOST
    within 30 is_connected
    within 5 has keeper memory.max=67108864
}

test_an_engine_that_is_restarted_is_found_again() {
    # so many starts in a minute are not what systemd expects of it
    systemctl reset-failed docker.service
    systemctl restart docker
    within 15 is_connected
    within 1 has keeper memory.max=67108864
}

test_a_daemon_that_comes_after_the_engine_finds_what_runs() {
    systemctl stop plimsolld.socket plimsolld
    container other
    echo max >"$(cgroup_of keeper)/memory.max"
    systemctl start plimsolld
    # READY=1 means that all has been looked at
    has keeper memory.max=67108864
    has other pids.max=88
}

test_the_bus_may_be_restarted() {
    local pid
    pid=$(main_pid)
    systemctl restart dbus
    sleep 1
    [ "$(main_pid)" = "$pid" ]
    docker restart -t 0 keeper >/dev/null
    within 1 has keeper memory.max=67108864
    within 3 [ "$(property MemoryMax "docker-$(id_of keeper).scope")" = 67108864 ]
}

run_tests
