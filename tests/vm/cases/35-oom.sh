#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# OOM kills on cgroup v2, told by a service that has no capability and no kernel log: victim, limit,
# pressure; and the warning before a kill.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

# reads zeroes into one block of 200 MiB
EAT='dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null'

explained() { [ "$(plimsollctl show "$1" --json | jq '.oom_reports | length')" = "$2" ]; }

test_a_kill_is_explained() {
    local report
    policy <<'P'
[Service eater]
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
    jq -e '.limit_bytes == 48 * 1048576 and .limit_section == "Service eater"' <<<"$report"
    jq -e '.usage_bytes > 40 * 1048576 and .peak_bytes <= 48 * 1048576' <<<"$report"
    jq -e '.peak_bytes == null or .peak_bytes > 44 * 1048576' <<<"$report"
    jq -e '.pressure_some_percent != null and .swap_bytes == 0' <<<"$report"
    entries OOM_KILLED CONTAINER_NAME=eater PLIMSOLL_VICTIM=dd PLIMSOLL_OOM_CAUSE=limit \
        PLIMSOLL_LIMIT_BYTES=$((48 * 1048576)) | tee /tmp/entry | grep -q .
    within 10 in_status '.containers[] | select(.name == "eater") | .oom_kills == 1'
}

test_it_is_said_within_200_ms() {
    local killed said
    container eater-late -- sh -c "sleep 3; $EAT; sleep 100000"
    within 30 explained eater-late 1
    journalctl --sync
    # both are the journal's own: when the kernel wrote it, and when plimsolld did
    killed=$(journalctl -k -q -o json --after-cursor="$CURSOR" --grep 'Killed process' |
        jq -r '._SOURCE_BOOTTIME_TIMESTAMP // ._SOURCE_MONOTONIC_TIMESTAMP' | tail -n 1)
    said=$(entries OOM_KILLED CONTAINER_NAME=eater-late | jq -r '._SOURCE_REALTIME_TIMESTAMP')
    echo "killed at $killed (since boot), said at $said"
    said=$((said - $(date +%s%N) / 1000 + $(cut -d ' ' -f 1 /proc/uptime | tr -d .) * 10000))
    echo "said $((said - killed)) us after the kill"
    # an emulated machine, and /proc/uptime in hundredths
    [ $((said - killed)) -lt 1000000 ]
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

# A working set that does not quite fit: a file is read again and again, and a part of it has to go
# each time. The kernel counts that as waiting for memory, unlike a file that never had a chance.
test_pressure_is_a_warning() {
    container eater-tight -- sh -c '
        dd if=/dev/zero of=/dev/shm/fill bs=1M count=42 2>/dev/null
        dd if=/dev/zero of=/file bs=1M count=8 2>/dev/null
        for i in 1 2 3; do while :; do cat /file >/dev/null; done & done
        wait'
    within 80 said MEMORY_PRESSURE CONTAINER_NAME=eater-tight || {
        value eater-tight memory.pressure
        value eater-tight memory.stat | grep -E '^(inactive_file|active_file|shmem|workingset)'
        value eater-tight memory.current
        return 1
    }
    entries MEMORY_PRESSURE CONTAINER_NAME=eater-tight | jq -r .MESSAGE
    [ "$(entries MEMORY_PRESSURE CONTAINER_NAME=eater-tight | wc -l)" = 1 ]
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
