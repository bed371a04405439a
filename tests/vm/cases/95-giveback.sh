#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# phases: before rebooted held
# What is taken is given back: the table of tests/integration/giveback.bash on this machine's engine, by
# systemd's scopes and cgroup v2, and with real reboots. Every file of a container's group, and
# HostConfig, is to the bit what it was before plimsoll.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

TEST_LIMIT_SEC=900
COUNT=0
T=/var/tmp/giveback E=/ DISK=/dev/vda BB=busybox:1 SUPPORT=${0%/*}
DEFAULT_TASKS_MAX=$(systemctl show -P DefaultTasksMax)
export DEFAULT_TASKS_MAX
mkdir -p $T
exec 3>>$T/notes

# what the table asks of helper.bash, with systemd's plimsolld instead of its own
is_v2() { true; }
wait_until() { within $(($1 * 6)) "${@:2}"; } # so many at once take their time
daemon_begin() { systemctl start plimsolld; }
daemon_end() { systemctl stop plimsolld; }
ctl() { plimsollctl "$@"; }
policy_is() {
    { printf '%s\n' '[Daemon]' 'DryRun=no' "$@" && cat; } >"$POLICY"
}
said() { journalctl -q -b -o cat -u plimsolld --grep="$1" >/dev/null; }
# shellcheck source=tests/integration/giveback.bash
. "${0%/*}/giveback.bash"

case ${1:-} in
before)
    test_the_containers_run_before_plimsoll() {
        systemctl stop plimsolld.socket plimsolld.service
        before_plimsoll
    }
    test_what_leaves_the_policy_is_given_back() { leg_dropped; }
    test_it_stays_so_over_a_restart_of_the_containers() { leg_restarted; }
    ;;
rebooted)
    test_it_stays_so_over_a_reboot() { leg_rebooted; }
    test_a_stop_that_restores_gives_it_back() { leg_stopped; }
    test_what_leaves_the_policy_while_containers_are_stopped_is_given_back() { leg_dropped_while_stopped; }
    test_the_policy_takes_it_again() { leg_held; }
    ;;
held)
    test_what_a_reboot_has_outlived_is_given_back() { leg_rebooted_while_held; }
    ;;
esac

run_tests
