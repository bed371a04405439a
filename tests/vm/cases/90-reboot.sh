#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real boot: run once with "before", then, after a reboot, with "after".
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

if [ "$1" = before ]; then
    test_a_policy_and_a_container_that_is_always_restarted() {
        policy <<'P'
[Service always]
Match=name:always
MemoryMax=64M

[Defaults]
TasksMax=88
P
        container always --restart always -- \
            sh -c 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max; sleep 100000'
        container plain --restart always -- sh -c 'cat /sys/fs/cgroup/pids.max; sleep 100000'
        within 3 has always memory.max=67108864
        sync
    }
else
    test_it_is_up_after_a_boot_by_itself() {
        within 30 systemctl -q is-active plimsolld
        [ "$(property NRestarts)" = 0 ]
        within 30 docker inspect -f '{{.State.Pid}}' always
    }

    test_containers_that_came_with_the_engine_are_limited() {
        within 5 has always memory.max=67108864
        within 5 has plain pids.max=88
    }
fi

run_tests
