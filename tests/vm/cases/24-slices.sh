#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# MemoryLow= protects a container as far as its slice is protected: said, and with ProtectSlice= ended.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

slice_has() { [ "$(cat "/sys/fs/cgroup/system.slice/memory.$1")" = "$2" ]; }
finding() { in_status "[.host_findings[].message] | any(test(\"$1\"))"; }

write_policy() {
    cat >"$POLICY" <<P
[Daemon]
RestoreOnStop=yes
ProtectSlice=$1

[Service a]
Match=name:aa
MemoryLow=$2

[Service b]
Match=name:bb
MemoryLow=20M
MemoryMin=8M
P
}

test_a_slice_without_protection_is_a_finding() {
    write_policy no 40M
    systemctl restart plimsolld
    container aa
    container bb
    within 5 has aa memory.low=41943040
    within 5 has bb memory.low=20971520 memory.min=8388608
    within 5 finding 'MemoryLow= of 2 containers: no effect: system.slice protects nothing; `systemctl set-property system.slice MemoryLow=60M`'
    finding 'set-property system.slice MemoryMin=8M'
    slice_has low 0
}

test_what_it_says_ends_it() {
    systemctl set-property --runtime system.slice MemoryLow=60M MemoryMin=8M
    systemctl reload plimsolld
    within 5 refute finding protects
    systemctl set-property --runtime system.slice MemoryLow=10M MemoryMin=0
    systemctl reload plimsolld
    within 5 finding 'MemoryLow= of 2 containers, 60M together: less effect: system.slice protects 10M'
}

test_protectslice_raises_it_by_what_is_asked_for() {
    write_policy yes 40M
    systemctl reload plimsolld
    within 5 slice_has low 62914560
    within 5 slice_has min 8388608
    within 5 refute finding protects
    systemctl daemon-reload
    systemctl restart systemd-journald
    slice_has low 62914560
    write_policy yes 50M
    systemctl reload plimsolld
    within 5 slice_has low 73400320
}

test_it_is_lowered_with_its_containers_and_not_below_its_own() {
    docker rm -f aa >/dev/null
    within 5 slice_has low 20971520
    docker rm -f bb >/dev/null
    within 5 slice_has low 10485760
    within 5 slice_has min 0
}

test_a_crash_forgets_nothing() {
    local pid
    container aa
    container bb
    within 5 slice_has low 73400320
    pid=$(main_pid)
    kill -9 "$pid"
    within 10 pid_changed "$pid"
    slice_has low 73400320
    write_policy no 50M
    systemctl reload plimsolld
    within 5 slice_has low 10485760
}

test_a_stop_with_restore_gives_it_back() {
    write_policy yes 50M
    systemctl reload plimsolld
    within 5 slice_has low 73400320
    systemctl stop plimsolld.socket plimsolld
    within 5 slice_has low 10485760
    slice_has min 0
    systemctl start plimsolld
}

test_weights_without_a_scheduler_are_a_finding() {
    systemctl start plimsolld
    printf '[Service a]\nMatch=name:aa\nIOWeight=200\n' >"$POLICY"
    systemctl reload plimsolld
    grep -q '\[bfq\]' /sys/block/*/queue/scheduler && skip "a disk has bfq"
    within 5 finding 'IOWeight= of 1 container: no effect: no disk has a scheduler that knows weights'
}

run_tests
