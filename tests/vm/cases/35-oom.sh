#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# OOM kills on cgroup v2, told by a service that has no capability, and where systemd cannot pass it
# the kernel log (252) only the journal: victim, limit, pressure; and the warning before a kill.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

# reads zeroes into one block of 200 MiB
EAT='dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null'

explained() { [ "$(plimsollctl show "$1" --json | jq '.oom_reports | length')" = "$2" ]; }

test_a_kill_is_explained() {
    local report
    policy <<'P'
[Service mem-eater]
Match=name:eater*
MemoryMax=48M
MemorySwapMax=0
P
    container eater -- sh -c "sleep 2; $EAT; sleep 100000"
    within 20 explained eater 1
    # it is degraded now, which plimsollctl says by its exit status
    report=$(plimsollctl show eater --json | jq '.oom_reports[0]') || [ -n "$report" ]
    echo "$report"
    jq -e '.cause == "limit" and .victim == "dd" and .victim_pid > 1' <<<"$report"
    jq -e '.limit_bytes == 48 * 1048576 and .limit_section == "Service mem-eater"' <<<"$report"
    jq -e '.usage_bytes > 40 * 1048576 and .peak_bytes <= 48 * 1048576' <<<"$report"
    jq -e '.peak_bytes == null or .peak_bytes > 44 * 1048576' <<<"$report"
    jq -e '.pressure_some_percent != null and .swap_bytes == 0' <<<"$report"
    entries OOM_KILLED CONTAINER_NAME=eater PLIMSOLL_VICTIM=dd PLIMSOLL_OOM_CAUSE=limit \
        PLIMSOLL_LIMIT_BYTES=$((48 * 1048576)) | tee /tmp/entry | grep -q .
    within 10 in_status '.containers[] | select(.name == "eater") | .oom_kills == 1'
}

# When the kernel wrote it, and when plimsolld did: both are the journal's own, on two clocks.
test_it_is_said_within_200_ms() {
    local killed said offset i
    container eater-late -- sh -c "for i in 1 2 3 4 5; do sleep 2; $EAT; done; sleep 100000"
    within 40 explained eater-late 5
    journalctl --sync
    offset=$(($(date +%s%N) / 1000 - $(cut -d ' ' -f 1 /proc/uptime | tr -d .) * 10000))
    mapfile -t killed < <(journalctl -k -q -o json --cursor="$CURSOR" --grep 'Killed process' |
        jq -r '._SOURCE_BOOTTIME_TIMESTAMP // ._SOURCE_MONOTONIC_TIMESTAMP')
    mapfile -t said < <(entries OOM_KILLED CONTAINER_NAME=eater-late | jq -r '._SOURCE_REALTIME_TIMESTAMP')
    for i in 0 1 2 3 4; do
        echo "said $((said[i] - offset - killed[i])) us after the kill"
        [ $((said[i] - offset - killed[i])) -lt 200000 ] || late=$((${late:-0} + 1))
    done
    # an emulated machine may be busy once
    [ "${late:-0}" -le 1 ]
}

# memory.oom.group: the kernel kills all at once, which is one story. It counts and logs the process
# that it chose first a second time.
test_a_whole_group_is_one_entry() {
    container eater-group -- sh -c "
        for i in 1 2 3 4; do sleep 100000 & done
        until [ -e /go ]; do sleep 0.1; done; exec $EAT"
    echo 1 >"$(cgroup_of eater-group)/memory.oom.group"
    docker exec eater-group sh -c 'true >/go'
    within 20 said OOM_KILLED CONTAINER_NAME=eater-group
    sleep 2
    entries OOM_KILLED CONTAINER_NAME=eater-group | jq -r .MESSAGE | tee /tmp/entry
    [ "$(wc -l </tmp/entry)" = 1 ]
    grep -q '^eater-group: OOM kill: dd (.*) and [345] more were killed at the limit of 48.0M' /tmp/entry
}

# The host's own OOM killer, called by hand: it takes the process with the highest score.
test_the_hosts_oom_killer_is_told_apart() {
    docker run -d --name eater-host --network none --oom-score-adj 1000 busybox:1 \
        sh -c 'dd if=/dev/zero of=/dev/shm/fill bs=1M count=8; exec sleep 100000'
    within 20 sh -c 'docker top eater-host | grep -q "sleep 100000"'
    sleep 1
    echo f >/proc/sysrq-trigger
    within 20 said OOM_KILLED CONTAINER_NAME=eater-host PLIMSOLL_OOM_CAUSE=host
    entries OOM_KILLED CONTAINER_NAME=eater-host | jq -r .MESSAGE | tee /tmp/entry
    grep -q '^eater-host: OOM kill: sleep (.*) was killed because the host ran out of memory' /tmp/entry
    [ "$(docker inspect -f '{{.State.ExitCode}}' eater-host)" = 137 ]
    within 10 in_status '.containers[] | select(.name == "eater-host") | .reason |
        test("exit code 137: the host itself ran out of memory")'
}

test_a_container_that_goes_at_once_is_explained_too() {
    docker run --rm --name eater-gone --network none busybox:1 sh -c "sleep 2; exec $EAT" || true
    within 20 said OOM_KILLED CONTAINER_NAME=eater-gone
    [ "$(entries OOM_KILLED CONTAINER_NAME=eater-gone | wc -l)" = 1 ]
}

test_status_137_without_a_kill_is_none() {
    container eater-137 -- sh -c 'exit 137'
    docker kill eater >/dev/null
    sleep 2
    refute said OOM_KILLED
}

# More than MemoryHigh= again and again: the kernel makes it wait, however fast or slow the machine.
test_pressure_is_a_warning() {
    cat >>"$POLICY" <<'P'

[Service too-tight]
Match=name:tight
MemoryMax=64M
MemoryHigh=40M
MemorySwapMax=0
P
    systemctl reload plimsolld
    container tight -- sh -c 'sleep 2; while :; do dd if=/dev/zero of=/dev/null bs=44M count=1 2>/dev/null; done'
    within 80 said MEMORY_PRESSURE CONTAINER_NAME=tight || {
        value tight memory.pressure
        value tight memory.current
        return 1
    }
    entries MEMORY_PRESSURE CONTAINER_NAME=tight | jq -r .MESSAGE | tee /tmp/entry
    [ "$(wc -l </tmp/entry)" = 1 ]
    grep -q '^tight: memory is short: working set .* of 40.0M, set by \[Service too-tight\]; tasks wait for memory' /tmp/entry
    grep -q 'raise MemoryHigh= to ' /tmp/entry
    refute said OOM_KILLED
}

test_nothing_wakes_it_without_a_reason() {
    local before after
    remove_containers
    container eater-calm
    sleep 3
    before=$(awk '/ctxt/ { n += $2 } END { print n }' "/proc/$(main_pid)/status")
    sleep 10
    after=$(awk '/ctxt/ { n += $2 } END { print n }' "/proc/$(main_pid)/status")
    echo "$((after - before)) switches in 10 s"
    # watchdog, nothing else
    [ $((after - before)) -lt 20 ]
}

run_tests
