#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A memory limit below usage: nobody dies of it, neither by our hand nor by that of systemd or the
# engine, and it comes into force as soon as it can.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

kills() { sed -n 's/^oom_kill //p' "$(cgroup_of "$1")/memory.events"; }

# full NAME - with a dd that holds 100M of anonymous memory, from now or from the file /go on: it has read
# its one block, and nobody takes that off it
DD='dd if=/dev/zero bs=104857600 count=1 | sleep 100000'
full() { container "$1" sh -c "$DD"; }
full_later() { container "$1" sh -c "until [ -e /go ]; do sleep 0.3; done; $DD"; }
go() { touch "/proc/$(value "$1" cgroup.procs | head -n 1)/root/go"; }

is_full() { [ "$(value "$1" memory.current)" -ge 104857600 ]; }

dd_of() {
    local pid
    for pid in $(value "$1" cgroup.procs); do
        ! grep -qx dd "/proc/$pid/comm" || echo "$pid"
    done
}

lives() { [ -n "$(dd_of "$1")" ] && [ "$(kills "$1")" = 0 ]; }

# it goes, and its container does not
let_go() { kill "$(dd_of "$1")"; }

scope_has() { property "$2" "docker-$(id_of "$1").scope" | tee /dev/stderr | grep -qx "$3"; }

# engine_has NAME KEY VALUE - in its own file, which is what "docker inspect" shows
engine_has() {
    jq -r ".$2" "/var/lib/docker/containers/$(id_of "$1")/hostconfig.json" | tee /dev/stderr |
        grep -qx -- "$3"
}

# What the kernel does not hold yet, nobody else may hear of: systemd and the engine write it at once.
test_a_limit_below_usage_waits_and_nobody_dies() {
    local i
    remove_containers
    policy <<'P'
[Service full]
Match=name:full*
TasksMax=55
P
    for i in 1 2 3 4; do full "full$i"; done
    for i in 1 2 3 4; do within 60 is_full "full$i"; done
    for i in 1 2 3 4; do within 10 engine_has "full$i" PidsLimit 55; done
    printf '%s\n' MemoryMax=40M MemorySwapMax=0 CPUQuota=70% >>"$POLICY"
    systemctl reload plimsolld
    for i in 1 2 3 4; do
        within 20 said LIMITS_WAITING "CONTAINER_NAME=full$i"
        # told at the same time
        within 10 engine_has "full$i" NanoCpus 700000000
        within 10 scope_has "full$i" CPUQuotaPerSecUSec 700ms
    done
    systemctl daemon-reload
    sleep 2
    for i in 1 2 3 4; do
        lives "full$i"
        has "full$i" memory.max=max memory.swap.max=0 'cpu.max=70000 100000'
        scope_has "full$i" MemoryMax infinity
        engine_has "full$i" Memory 0
    done
    refute said LIMITS_FAILED
    # all at once: each is tried again when its own pause is over, which grows
    for i in 1 2 3 4; do let_go "full$i"; done
    for i in 1 2 3 4; do
        within 60 has "full$i" memory.max=41943040
        within 10 scope_has "full$i" MemoryMax 41943040
        within 10 engine_has "full$i" Memory 41943040
        within 10 engine_has "full$i" MemorySwap 41943040
        [ "$(kills "full$i")" = 0 ]
    done
    refute said DRIFT_REPAIRED
}

# systemd's own file for new containers reaches those that run as well, at its next reload.
test_defaults_that_wait_are_not_written_by_a_daemon_reload() {
    remove_containers
    policy <<'P'
[Service other]
Match=name:other
P
    full default
    within 60 is_full default
    printf '%s\n' '[Defaults]' MemoryMax=40M MemorySwapMax=0 >"$POLICY"
    systemctl reload plimsolld
    within 20 said LIMITS_WAITING CONTAINER_NAME=default
    systemctl daemon-reload
    sleep 2
    lives default
    has default memory.max=max
    # also by one that knows of nobody yet
    systemctl stop plimsolld
    systemctl daemon-reload
    systemctl start plimsolld
    systemctl daemon-reload
    within 20 said LIMITS_WAITING CONTAINER_NAME=default
    systemctl daemon-reload
    sleep 2
    lives default
    has default memory.max=max
    let_go default
    within 60 has default memory.max=41943040
    within 10 scope_has default MemoryMax 41943040
}

# What [Defaults] says is less than what one has by a section of its own.
test_a_section_wins_over_defaults_at_a_daemon_reload() {
    remove_containers
    policy <<'P'
[Service own]
Match=name:own
MemoryMax=200M
MemorySwapMax=0
TasksMax=77

[Defaults]
MemoryMax=40M
TasksMax=99
P
    full_later own
    within 10 has own memory.max=209715200 pids.max=77
    within 10 scope_has own MemoryMax 209715200
    refute test -e /run/systemd/system/docker-.scope.d/00-plimsoll.conf
    go own
    within 60 is_full own
    # what systemd makes of it by itself, and when it is told again
    systemctl stop plimsolld
    systemctl daemon-reload
    sleep 2
    scope_has own MemoryMax 209715200
    scope_has own TasksMax 77
    systemctl start plimsolld
    systemctl daemon-reload
    sleep 2
    lives own
    has own memory.max=209715200 pids.max=77
    scope_has own MemoryMax 209715200
    refute said DRIFT_REPAIRED
}

# Lifted by hand, the engine's own limit is below what is in use: no update may bring it back.
test_a_limit_that_was_lifted_waits_to_come_back() {
    remove_containers
    policy <<'P'
[Service lifted]
Match=name:lifted
MemoryMax=40M
MemorySwapMax=0
P
    full_later lifted
    within 10 scope_has lifted MemoryMax 41943040
    within 10 engine_has lifted Memory 41943040
    systemctl stop plimsolld
    echo max >"$(cgroup_of lifted)/memory.max"
    go lifted
    within 60 is_full lifted
    printf '%s\n' CPUQuota=70% MemoryLow=10M >>"$POLICY"
    systemctl start plimsolld
    within 20 said LIMITS_WAITING CONTAINER_NAME=lifted
    within 10 engine_has lifted NanoCpus 700000000
    within 10 scope_has lifted MemoryLow 10485760
    systemctl daemon-reload
    sleep 2
    lives lifted
    has lifted memory.max=max
    let_go lifted
    within 60 has lifted memory.max=41943040
    within 10 scope_has lifted MemoryMax 41943040
}

run_tests
