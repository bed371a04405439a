#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A disk has many names, and systemd keeps an entry for each: plimsolld tells it one.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

DISK=/dev/$(lsblk -no PKNAME "$(findmnt -no SOURCE /)" | head -n 1)
[ "$DISK" != /dev/ ] || DISK=$(findmnt -no SOURCE /)
NUMBER=$(lsblk -dno MAJ:MIN "$DISK" | tr -d ' ')

# rates RBPS WBPS - what the kernel has for the disk, and no other
rates() { has disk "io.max=$NUMBER rbps=$1 wbps=$2 riops=max wiops=max"; }

# settled RBPS WBPS - and it stays, while systemd writes all that it knows
settled() {
    within 5 rates "$1" "$2"
    systemctl set-property --runtime "docker-$(id_of disk).scope" CPUWeight=77
    sleep 0.5
    within 2 rates "$1" "$2"
    systemctl daemon-reload
    systemctl restart systemd-journald
    sleep 0.5
    rates "$1" "$2"
    refute said DRIFT_STANDOFF
}

test_two_names_of_one_disk_do_not_fight() {
    policy <<P
[Service disk]
Match=name:disk
IOReadBandwidthMax=$DISK 10M
IOWriteBandwidthMax=/ 20M
P
    container disk
    settled 10000000 20000000
    [ "$(property IOReadBandwidthMax "docker-$(id_of disk).scope")" = "$DISK 10000000" ]
    [ "$(property IOWriteBandwidthMax "docker-$(id_of disk).scope")" = "$DISK 20000000" ]
    refute said DRIFT_REPAIRED
}

test_a_name_that_leaves_the_policy_leaves_nothing_behind() {
    printf '[Service disk]\nMatch=name:disk\nIOReadBandwidthMax=/usr 11M\n' >"$POLICY"
    systemctl reload plimsolld
    settled 11000000 max
    [ -z "$(property IOWriteBandwidthMax "docker-$(id_of disk).scope")" ]
}

lifted() { [ -z "$(value disk io.max)" ]; }

test_what_leaves_the_policy_is_gone() {
    printf '[Service disk]\nMatch=name:disk\nTasksMax=100\n' >"$POLICY"
    systemctl reload plimsolld
    within 5 lifted
    systemctl daemon-reload
    sleep 0.5
    lifted
}

test_defaults_by_two_names_are_in_force_at_birth() {
    policy <<P
[Defaults]
IOReadBandwidthMax=/ 12M
IOWriteBandwidthMax=$DISK 13M
P
    docker rm -f disk >/dev/null
    container disk
    settled 12000000 13000000
}

test_check_names_one_disk_with_two_rates() {
    printf '[Service disk]\nMatch=name:disk\nIOReadBandwidthMax=%s 10M\nIOReadBandwidthMax=/ 20M\n' \
        "$DISK" >/tmp/two.conf
    plimsollctl check /tmp/two.conf 2>&1 | tee /dev/stderr |
        grep "two.conf:4: .*/ and $DISK are the same disk"
}

run_tests
