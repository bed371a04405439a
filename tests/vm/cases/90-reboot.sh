#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# phases: before after
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
        within 3 has plain pids.max=88
        # so that plimsolld is there long before the engine
        mkdir -p /etc/systemd/system/docker.service.d
        printf '[Service]\nExecStartPre=/bin/sleep 5\n' >/etc/systemd/system/docker.service.d/late.conf
        sync
    }
else
    test_it_is_up_after_a_boot_by_itself() {
        within 30 systemctl -q is-active plimsolld
        [ "$(property NRestarts)" = 0 ]
        within 30 docker inspect -f '{{.State.Pid}}' always
    }

    started() { property ExecMainStartTimestampMonotonic "$1"; }

    test_it_has_waited_for_an_engine_that_came_late() {
        figure "the engine came $((($(started docker.service) - $(started plimsolld.service)) / 1000)) ms after plimsolld"
        [ $(($(started docker.service) - $(started plimsolld.service))) -gt 3000000 ]
        within 5 in_status '.engine.connected'
        within 5 status_says '^limits 2/2(;|$)'
    }

    test_containers_that_came_with_the_engine_are_limited() {
        within 5 has always memory.max=67108864
        within 5 has plain pids.max=88
    }

    # Each has begun a second time by reading its own.
    test_they_were_born_limited() {
        [ "$(docker logs always | sed -n 3p)" = 67108864 ]
        [ "$(docker logs plain | sed -n 2p)" = 88 ]
    }
fi

run_tests
