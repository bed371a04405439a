#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Who takes a value away: whatever systemd, the engine or a person does to a container, every value
# of the policy is in force again within a second, and the journal says what was lost to whom.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

IO='254:0 rbps=10000000 wbps=20000000 riops=max wiops=max'
VALUES=('cpu.max=25000 50000' cpu.weight=77 cpuset.cpus=0 memory.min=4194304 memory.low=16777216
    memory.high=125829120 memory.max=134217728 memory.swap.max=0 pids.max=55 "io.max=$IO" 'io.weight=default 77')

all_in_force() { has all "${VALUES[@]}"; }

# Within a second, and not only for a moment of it.
in_force_again() {
    within 1 all_in_force
    sleep 0.3
    all_in_force
}

# lost_to WHO PROPERTY - the journal says what was lost, and to whom
lost_to() {
    within 1 said DRIFT_REPAIRED CONTAINER_NAME=all PLIMSOLL_SERVICE=all PLIMSOLL_REASON="$1"
    entries DRIFT_REPAIRED CONTAINER_NAME=all PLIMSOLL_REASON="$1" | jq -r .MESSAGE | tee /dev/stderr |
        grep -E "limits changed by $1, putting back .*$2="
}

# systemd agrees, so that it will not take the values away the next time
systemd_agrees() {
    local scope is
    scope=docker-$(id_of all).scope
    is=$(systemctl show "$scope" -p CPUQuotaPerSecUSec -p CPUWeight -p MemoryMax -p MemoryHigh \
        -p MemoryLow -p MemoryMin -p MemorySwapMax -p TasksMax -p AllowedCPUs \
        -p IOReadBandwidthMax -p IOWeight | sort | tr '\n' ' ')
    echo "$is"
    [ "$is" = "AllowedCPUs=0 CPUQuotaPerSecUSec=500ms CPUWeight=77 IOReadBandwidthMax=/dev/vda 10000000 IOWeight=77 MemoryHigh=125829120 MemoryLow=16777216 MemoryMax=134217728 MemoryMin=4194304 MemorySwapMax=0 TasksMax=55 " ]
}

engine_agrees() {
    [ "$(docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemoryReservation}} {{.HostConfig.PidsLimit}} {{.HostConfig.CpusetCpus}}' all)" = '134217728 16777216 55 0' ]
}

test_every_value_is_in_force_and_all_owners_agree() {
    policy <<'P'
[Service all]
Match=name:all
CPUQuota=50%
CPUQuotaPeriodSec=50ms
CPUWeight=77
AllowedCPUs=0
MemoryMin=4M
MemoryLow=16M
MemoryHigh=120M
MemoryMax=128M
MemorySwapMax=0
TasksMax=55
IOWeight=77
IOReadBandwidthMax=/dev/vda 10M
IOWriteBandwidthMax=/dev/vda 20M

[Service swap]
Match=name:swap
MemoryMax=64M
P
    container all --restart always --
    # where the kernel says that it is
    [ "$(cgroup_of all)" = "/sys/fs/cgroup$(cut -d: -f3 "/proc/$(docker inspect -f '{{.State.Pid}}' all)/cgroup")" ]
    within 3 all_in_force
    within 3 systemd_agrees
    within 3 engine_agrees
}

test_a_written_value_comes_back() {
    echo 99999744 >"$(cgroup_of all)/memory.max"
    in_force_again
    lost_to 'systemd or a direct write to the cgroup' 'MemoryMax'
}

test_values_survive_daemon_reload() {
    systemctl daemon-reload
    in_force_again
}

test_values_survive_daemon_reload_and_a_restarted_service() {
    systemctl daemon-reload
    systemctl restart systemd-journald
    in_force_again
    systemctl restart dbus
    in_force_again
    systemctl daemon-reload
    in_force_again
}

# Where systemd keeps what it was told of the container's scope.
told_files() { find /run/systemd -path "*/docker-$(id_of all).scope.d/*.conf"; }

# What it was told is gone, so now it does take the values away: when it reads its units (252), or at
# the next start of anything (257).
test_values_that_a_daemon_reload_takes_away_come_back() {
    told_files | grep -q 'MemoryHigh'
    told_files | xargs rm
    # that has left a trace as of somebody who sets a property; let it grow old
    sleep 3
    systemctl daemon-reload
    in_force_again
    # where nothing was lost yet, it was told again in time
    [ "$(systemctl --version | sed -n 's/^systemd \([0-9]*\).*/\1/p')" -ge 253 ] ||
        lost_to 'systemd daemon-reload' MemoryHigh
    systemctl restart systemd-journald
    in_force_again
    within 3 systemd_agrees
    # and keeps them from here on
    told_files | grep -q 'MemoryHigh'
}

test_values_survive_set_property_of_another_property() {
    systemctl set-property --runtime "docker-$(id_of all).scope" IOAccounting=yes
    in_force_again
    systemctl set-property --runtime "docker-$(id_of all).scope" StartupCPUWeight=200
    in_force_again
}

test_a_managed_property_that_set_property_changes_comes_back() {
    systemctl set-property --runtime "docker-$(id_of all).scope" MemoryMax=99999744 TasksMax=66
    in_force_again
    within 3 systemd_agrees
    lost_to 'systemctl set-property or the engine' MemoryMax
}

# It begins anew to count repairs, too; what follows are more within a minute than it takes for honest.
test_values_survive_a_restart_of_plimsolld() {
    systemctl restart plimsolld
    in_force_again
    refute said DRIFT_REPAIRED
}

# Each value that the engine can change, changed by it: docker_update PROPERTY OPTION…
docker_update() {
    docker update "${@:2}" all >/dev/null
    in_force_again
    lost_to 'docker update' "$1"
}

test_docker_update_of_cpu_quota() { docker_update CPUQuota --cpus 0.77; }
test_docker_update_of_cpu_shares() { docker_update CPUWeight --cpu-shares 512; }
test_docker_update_of_cpuset() { docker_update AllowedCPUs --cpuset-cpus 1; }
test_docker_update_of_memory() { docker_update MemoryMax --memory 90m --memory-swap 90m; }
test_docker_update_of_memory_and_swap() { docker_update MemorySwapMax --memory 90m --memory-swap 190m; }
test_docker_update_of_memory_reservation() { docker_update MemoryLow --memory-reservation 32m; }
test_docker_update_of_pids_limit() { docker_update TasksMax --pids-limit 44; }
test_docker_update_of_blkio_weight() { docker_update IOWeight --blkio-weight 300; }

test_docker_update_of_restart_policy_loses_nothing() {
    docker update --restart always all >/dev/null
    in_force_again
}

test_the_owners_agree_again_after_all_updates() {
    within 5 systemd_agrees
    within 5 engine_agrees
}

told_calls() {
    jq -c --arg sender "$1" 'select(.member == "SetUnitProperties" and .sender == $sender) | .payload.data' /tmp/calls
}

# All that the section says, as properties of the scope, and that they are not to outlive it.
test_systemd_is_told_of_all_values_in_one_call() {
    local monitor name
    name=$(busctl list --no-legend --unique | awk -v pid="$(main_pid)" '$2 == pid { print $1 }')
    [ -n "$name" ]
    busctl monitor --json=short --match "type='method_call',member='SetUnitProperties'" >/tmp/calls 2>/dev/null &
    monitor=$!
    # each makes it tell systemd anew; the first ones may come before the monitor is there
    within 20 sh -c 'systemctl daemon-reload; sleep 1; [ -s /tmp/calls ]'
    kill $monitor
    told_calls "$name" | tee /dev/stderr | jq -es 'length > 0 and
        all(.[]; .[1] == true and ([.[2][][0]] | unique) == ["AllowedCPUs", "CPUQuotaPerSecUSec",
        "CPUQuotaPeriodUSec", "CPUWeight", "IOReadBandwidthMax", "IOWeight", "IOWriteBandwidthMax",
        "MemoryHigh", "MemoryLow", "MemoryMax", "MemoryMin", "MemorySwapMax", "TasksMax"])'
}

test_values_survive_a_container_restart() {
    docker restart -t 0 all >/dev/null
    in_force_again
    within 3 systemd_agrees
}

test_values_survive_a_container_that_dies() {
    kill -9 "$(docker inspect -f '{{.State.Pid}}' all)"
    within 5 all_in_force
}

test_values_survive_an_engine_restart() {
    systemctl restart docker
    in_force_again
    within 3 systemd_agrees
}

test_values_survive_daemon_reexec() {
    systemctl daemon-reexec
    in_force_again
    # only now does the new instance realise what it has read
    systemctl restart systemd-journald
    in_force_again
    within 3 systemd_agrees
}

# The engine writes memory.swap.max behind systemd's back (moby 51446).
test_a_swap_limit_that_only_the_engine_knows_is_not_lost() {
    container swap -m 64m --memory-swap 64m --
    within 3 has swap memory.max=67108864 memory.swap.max=0
    within 3 [ "$(property MemorySwapMax "docker-$(id_of swap).scope")" = 0 ]
    systemctl daemon-reload
    systemctl set-property --runtime "docker-$(id_of swap).scope" IOAccounting=yes
    systemctl restart systemd-journald
    has swap memory.max=67108864 memory.swap.max=0
}

cpu_of_plimsolld() { sed -n 's/^usage_usec //p' /sys/fs/cgroup/system.slice/plimsolld.service/cpu.stat; }

# fight FILE - writes another value 100 times a second and counts its blows
fight() {
    local n=0 never
    exec {never}<>/run/never
    while echo 66 >"$1"; do
        n=$((n + 1))
        [ $((n % 10)) -ne 0 ] || echo $n >/run/blows
        # waits without a process of its own
        read -rt 0.009 -u "$never" || true
    done
}

test_a_fight_ends_in_a_reported_stand_off() {
    local fighter before after used start blows
    systemctl restart plimsolld
    mkfifo /run/never
    fight "$(cgroup_of all)/pids.max" 2>/dev/null &
    fighter=$!
    within 20 said DRIFT_STANDOFF CONTAINER_NAME=all
    blows=$(cat /run/blows) start=${EPOCHREALTIME/./} before=$(cpu_of_plimsolld)
    sleep 10
    after=${EPOCHREALTIME/./} used=$(($(cpu_of_plimsolld) - before)) blows=$(($(cat /run/blows) - blows))
    kill $fighter
    wait $fighter || true
    figure "$blows blows and $used us of plimsolld's CPU in $(((after - start) / 1000)) ms:" \
        "$((used * 10000 / (after - start))) hundredths of a per cent of a core"
    # an emulated machine may be somewhat late for each
    [ $blows -ge 500 ]
    [ $((used * 100)) -le $((after - start)) ]
    # one report, not one per blow
    [ "$(entries DRIFT_STANDOFF CONTAINER_NAME=all | wc -l)" = 1 ]
    in_status '.containers[] | select(.name == "all") | .drift_repairs > 0'
}

run_tests
