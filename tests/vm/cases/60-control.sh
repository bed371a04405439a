#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The control socket: made by systemd, open to its group and closed to others.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

SOCKET=/run/plimsoll/control.sock

test_the_socket_belongs_to_the_group() {
    [ "$(stat -c '%U:%G %a %F' $SOCKET)" = 'root:plimsoll 660 socket' ]
}

member_sees_the_engine() {
    runuser -u member -- plimsollctl status --json | jq -e '.engine.connected'
}

test_a_member_of_the_group_may_ask() {
    id member >/dev/null 2>&1 || useradd -G plimsoll member
    within 5 member_sees_the_engine
}

test_others_may_not() {
    local out status=0
    id stranger >/dev/null 2>&1 || useradd stranger
    out=$(runuser -u stranger -- plimsollctl status 2>&1) || status=$?
    echo "$out"
    [ "$status" -ne 0 ]
    # the answer tells what to do about it
    grep 'usermod -aG plimsoll' <<<"$out"
}

test_a_question_starts_the_daemon() {
    systemctl stop plimsolld.service
    systemctl is-active plimsolld.socket
    [ "$(main_pid)" = 0 ]
    in_status '.version'
    within 5 in_status '.engine.connected'
    [ "$(main_pid)" != 0 ]
}

# Where the files are is no reason to start what somebody has stopped.
test_check_and_logs_do_not_start_it() {
    systemctl stop plimsolld.service
    systemctl is-active plimsolld.socket
    plimsollctl check | tee /dev/stderr | grep '^/etc/plimsoll/plimsoll.conf: good'
    refute plimsollctl logs nobody
    [ "$(main_pid)" = 0 ]
    # named: that one is meant, and systemd starts it
    plimsollctl check --control $SOCKET
    [ "$(main_pid)" != 0 ]
}

test_check_asks_the_running_daemon() {
    systemctl start plimsolld.service
    plimsollctl check | tee /dev/stderr | grep "^$(plimsollctl --json status | jq -r .policy.file): good"
}

test_the_socket_outlives_the_daemon() {
    local inode
    inode=$(stat -c %i $SOCKET)
    systemctl restart plimsolld.service
    kill -9 "$(main_pid)"
    # waits in the socket's queue for the next one
    within 5 in_status '.engine.connected'
    [ "$(stat -c %i $SOCKET)" = "$inode" ]
}

# The question that starts it is not asked again of each that fails.
test_a_bad_policy_does_not_kill_the_socket() {
    cp "$POLICY" /tmp/good.conf
    systemctl stop plimsolld.service
    printf '[Service a]\nMemoryMax=lots\n' >"$POLICY"
    for _ in 1 2 3; do
        refute plimsollctl status
    done
    sleep 1
    systemctl is-active plimsolld.socket
    [ "$(journalctl -q -o cat -u plimsolld --cursor="$CURSOR" | grep -c 'MemoryMax=lots')" -le 3 ]
    cp /tmp/good.conf "$POLICY"
    within 5 in_status '.engine.connected'
}

test_curl_is_enough() {
    curl -sf --unix-socket $SOCKET http://plimsoll/v1/status | jq -e '.version'
}

run_tests
