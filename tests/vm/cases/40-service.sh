#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What systemd and its journal see of plimsolld: status, fields, reload, crash, watchdog, stop.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

write_policy() {
    cat >"$POLICY" <<P
[Daemon]
RestoreOnStop=${2:-no}

[Service web]
Match=name:web
MemoryMax=$1
TasksMax=66
P
}

web() {
    container web -m 200m --memory-swap 200m --pids-limit 300 --
    within 3 has web memory.max=67108864 pids.max=66
}

test_the_status_counts_services_and_limits() {
    write_policy 64M
    systemctl restart plimsolld
    web
    within 3 status_says '^limits 1/1(;|$)'
    systemctl --no-pager status plimsolld | grep -E 'Status: "limits 1/1(;|")'
}

test_the_journal_has_fields_for_a_transition() {
    docker rm -f web >/dev/null
    web
    within 3 said LIMITS_APPLIED CONTAINER_NAME=web PLIMSOLL_SERVICE=web
    entries LIMITS_APPLIED CONTAINER_NAME=web | tail -n 1 | tee /dev/stderr | jq -e --arg id "$(id_of web)" '
        .CONTAINER_ID_FULL == $id and .PLIMSOLL_SERVICE == "web" and .PRIORITY == "6" and
        .SYSLOG_IDENTIFIER == "plimsolld" and ._SYSTEMD_UNIT == "plimsolld.service" and
        (.MESSAGE | test("web"))'
}

test_the_same_values_in_the_next_run_are_no_news() {
    docker restart -t 0 web >/dev/null
    within 3 has web memory.max=67108864 pids.max=66
    within 3 in_status '.containers[] | select(.name == "web") | .limits | [.[].in_force] | sort == [66, 67108864]'
    refute said LIMITS_APPLIED CONTAINER_NAME=web
}

test_the_journal_explains_itself() {
    journalctl -q -x --no-pager -u plimsolld --cursor="$CURSOR" -n 0 >/dev/null
    journalctl -q -x --no-pager -u plimsolld MESSAGE_ID="$(message LIMITS_APPLIED)" -n 1 |
        grep 'Subject: Limits of container web are in force'
}

test_a_reload_takes_a_new_policy_over() {
    local pid
    pid=$(main_pid)
    write_policy 80M
    systemctl reload plimsolld
    within 1 has web memory.max=83886080
    [ "$(main_pid)" = "$pid" ]
    said POLICY_LOADED
}

test_the_signal_alone_reloads_too() {
    write_policy 81M
    kill -HUP "$(main_pid)"
    within 2 has web memory.max=84934656
}

test_a_bad_policy_is_refused_as_a_whole_and_the_reload_fails() {
    local status=0
    {
        printf '[Service web]\nMatch=name:web\nMemoryMax=90M\n'
        printf '[Service other]\nMatch=name:other\nMemoryMax=lots\nTasksMx=3\n'
    } >"$POLICY"
    systemctl reload plimsolld || status=$?
    [ "$status" -ne 0 ] || fail "systemctl reload says that all is well"
    systemctl is-active plimsolld
    sleep 0.5
    has web memory.max=84934656 pids.max=66
    said POLICY_REJECTED
    journalctl -q -o cat -u plimsolld --cursor="$CURSOR" | tee /dev/stderr |
        grep -E "plimsoll.conf:6: .*lots"
    journalctl -q -o cat -u plimsolld --cursor="$CURSOR" | grep -E 'plimsoll.conf:7: .*TasksMx'
    status_says '^reload failed, old policy in force: .*plimsoll.conf:6: '
}

test_a_reload_by_the_control_socket_names_the_error_too() {
    local status=0 out
    out=$(plimsollctl reload 2>&1) || status=$?
    echo "$out"
    [ "$status" -ne 0 ]
    grep -E 'plimsoll.conf:6: .*lots' <<<"$out"
}

test_a_good_policy_ends_the_trouble() {
    write_policy 64M
    systemctl reload plimsolld
    within 1 has web memory.max=67108864
    within 1 status_says '^limits 1/1(;|$)'
}

test_limits_stay_in_force_through_a_crash_and_the_state_is_picked_up() {
    local pid
    pid=$(main_pid)
    kill -9 "$pid"
    has web memory.max=67108864 pids.max=66
    within 10 pid_changed "$pid"
    has web memory.max=67108864 pids.max=66
    [ "$(property NRestarts)" -ge 1 ]
    # nothing was changed by anyone meanwhile, so nothing is reported as repaired
    sleep 0.5
    refute said DRIFT_REPAIRED
    # and a value that is taken away now comes back
    echo max >"$(cgroup_of web)/pids.max"
    within 1 has web pids.max=66
}

test_a_value_lost_while_it_was_dead_comes_back() {
    local pid
    pid=$(main_pid)
    kill -9 "$pid"
    echo max >"$(cgroup_of web)/pids.max"
    within 10 pid_changed "$pid"
    within 1 has web memory.max=67108864 pids.max=66
}

test_a_stop_leaves_limits_in_force() {
    systemctl stop plimsolld.socket plimsolld
    [ "$(property Result)" = success ]
    sleep 0.3
    has web memory.max=67108864 pids.max=66
    [ "$(docker inspect -f '{{.State.Running}}' web)" = true ]
    systemctl start plimsolld
}

# Also across the crashes above: what was there before the first daemon, not before the last.
test_a_stop_with_restore_gives_back_what_was_there_before() {
    write_policy 64M yes
    systemctl reload plimsolld
    systemctl stop plimsolld.socket plimsolld
    has web memory.max=209715200 memory.swap.max=0 pids.max=300
    systemctl daemon-reload
    systemctl restart systemd-journald
    has web memory.max=209715200 pids.max=300
    [ "$(docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}' web)" = '209715200 300' ]
    systemctl start plimsolld
    within 3 has web memory.max=67108864 pids.max=66
}

short_watchdog() {
    mkdir -p /run/systemd/system/plimsolld.service.d
    printf '[Service]\nWatchdogSec=3s\n' >/run/systemd/system/plimsolld.service.d/watchdog.conf
    systemctl daemon-reload
    systemctl restart plimsolld
}

test_the_watchdog_is_fed() {
    local pid
    short_watchdog
    pid=$(main_pid)
    sleep 8
    [ "$(main_pid)" = "$pid" ]
    [ "$(property Result)" = success ]
}

# An engine that takes a connection and then says nothing, for longer than the watchdog waits.
test_the_watchdog_is_fed_through_a_start_that_takes_long() {
    local engine pid
    engine=$(property MainPID docker.service)
    systemctl stop plimsolld
    kill -STOP "$engine"
    systemctl start --no-block plimsolld
    within 10 main_pid_is_there
    pid=$(main_pid)
    sleep 8
    kill -CONT "$engine"
    [ "$(main_pid)" = "$pid" ]
    within 30 systemctl -q is-active plimsolld
    within 30 status_says '^limits 1/1(;|$)'
    [ "$(main_pid)" = "$pid" ]
}

main_pid_is_there() { [ "$(main_pid)" != 0 ]; }

test_the_watchdog_is_fed_through_reloads() {
    local pid
    pid=$(main_pid)
    for _ in 1 2 3 4 5 6; do
        systemctl reload plimsolld
        sleep 0.5
    done
    [ "$(main_pid)" = "$pid" ]
}

killed_by_watchdog() {
    journalctl --sync
    journalctl -q -o cat --cursor="$CURSOR" _PID=1 UNIT=plimsolld.service | grep -q 'Watchdog timeout'
}

test_the_watchdog_kills_a_stopped_process() {
    local pid
    pid=$(main_pid)
    kill -STOP "$pid"
    within 20 pid_changed "$pid"
    killed_by_watchdog
    has web memory.max=67108864
}

# The process lives and its other threads run, but its loop stands still in one system call.
test_the_watchdog_kills_a_loop_that_hangs() {
    local pid tracer
    pid=$(main_pid)
    strace -qq -p "$pid" -e trace=epoll_wait,epoll_pwait,epoll_pwait2 \
        -e inject=epoll_wait,epoll_pwait,epoll_pwait2:delay_enter=60000000 >/tmp/strace.out 2>&1 &
    tracer=$!
    # wake it up, so that it enters the next wait
    sleep 0.5
    kill -HUP "$pid"
    within 15 killed_by_watchdog
    # the tracer's injection holds it against every signal but the last
    kill $tracer
    within 10 pid_changed "$pid"
    within 3 in_status '.containers | length == 1'
}

test_a_daemon_that_is_killed_again_and_again_is_started_again_and_again() {
    local pid
    for _ in 1 2 3; do
        pid=$(main_pid)
        kill -SEGV "$pid"
        within 10 pid_changed "$pid"
    done
    has web memory.max=67108864 pids.max=66
}

test_it_does_not_start_with_a_bad_policy_and_says_why() {
    echo 'nonsense' >>"$POLICY"
    refute systemctl restart plimsolld
    journalctl --sync
    journalctl -q -o cat -u plimsolld --cursor="$CURSOR" | grep 'plimsoll.conf:'
    write_policy 64M
    systemctl reset-failed plimsolld.service plimsolld.socket
    systemctl restart plimsolld.socket plimsolld
    remove_containers
}

run_tests
