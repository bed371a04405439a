#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The package: what a person has after installing it, and after upgrading, removing, purging it.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

DEB=${0%/*}/plimsoll.deb

test_the_service_runs_once_installed() {
    local unit
    for unit in plimsolld.service plimsolld.socket plimsoll-notify.path; do
        systemctl is-active $unit
        systemctl is-enabled $unit
    done
    [ "$(property NRestarts)" = 0 ]
}

test_nothing_is_limited_before_the_person_says_so() {
    container dry --label com.docker.compose.service=postgres -- sleep 1000
    grep -q '^DryRun=yes' "$POLICY"
    sleep 1
    [ "$(value dry memory.max)" = max ]
    docker rm -f dry >/dev/null
}

test_the_status_says_that_it_is_a_dry_run() {
    systemctl --no-pager status plimsolld | tee /dev/stderr | grep -iE 'Status: .*dry[- ]run'
}

# autopkgtest(1) runs it where the package is built into a distribution
test_its_own_test_passes() {
    "${0%/*}/installed"
    systemctl start plimsolld
}

test_systemd_finds_no_fault_with_the_units() {
    local out
    out=$(systemd-analyze verify --man=no plimsolld.service plimsolld.socket plimsoll-adopt.service \
        plimsoll-alert@x.service plimsoll-notify.service plimsoll-notify.path 2>&1 | grep -i plimsoll || true)
    [ -z "$out" ] || fail "$out"
}

test_the_sandbox_is_tight() {
    figure "$(systemd-analyze security --no-pager plimsolld.service | tail -n 1)"
    systemd-analyze security --no-pager --threshold=20 plimsolld.service >/dev/null
    figure "$(systemd-analyze security --no-pager plimsoll-alert@x.service | tail -n 1)"
    systemd-analyze security --no-pager --threshold=30 plimsoll-alert@x.service >/dev/null
    figure "$(systemd-analyze security --no-pager plimsoll-notify.service | tail -n 1)"
    systemd-analyze security --no-pager --threshold=30 plimsoll-notify.service >/dev/null
}

# explained UNIT DIRECTIVE - a comment above it, or one that names it
explained() {
    awk -v d="$2" '/^#/ { if ($0 ~ "[ ,]" d "[:,]") found = 1; above = 1; next }
        index($0, d "=") == 1 && above { found = 1 }
        { above = 0 }
        END { exit !found }' "$1"
}

test_what_the_sandbox_leaves_open_has_its_reason() {
    local names name directive n=0
    names=$(systemd-analyze security --json=short plimsolld.service |
        jq -r '.[] | select(.set == false and .exposure != null) | .name')
    for name in $names; do
        n=$((n + 1))
        # RootDirectory=/RootImage=, SystemCallFilter=~@resources
        directive=${name%%=*}
        explained "$(property FragmentPath)" "$directive" || fail "no word of $name"
    done
    [ "$n" -ge 5 ] || fail "only $n are open: is it read rightly?"
}

# Not what the unit says but what the kernel has made of it.
test_the_process_has_no_capability_and_cannot_gain_one() {
    local status
    status=/proc/$(main_pid)/status
    for set in CapInh CapPrm CapEff CapBnd CapAmb; do
        grep -qP "^$set:\t0000000000000000$" "$status"
    done
    grep -qP '^NoNewPrivs:\t1$' "$status"
    grep -qP '^Seccomp:\t2$' "$status"
}

test_the_type_is_the_best_that_this_systemd_has() {
    local want=notify
    [ "$(systemctl --version | sed -n 's/^systemd \([0-9]*\).*/\1/p')" -lt 253 ] || want=notify-reload
    [ "$(property Type)" = "$want" ]
}

test_every_message_has_a_catalog_entry() {
    local name id
    while read -r name id; do
        journalctl --dump-catalog "$id" | grep -q '^Subject: .' || fail "$name has none"
    done <"${0%/*}/messages"
}

test_the_group_of_the_control_socket_exists() { getent group plimsoll; }

test_the_manual_pages_and_completions_are_there() {
    local f
    for f in man8/plimsolld.8 man8/plimsoll-notify.8 man1/plimsollctl.1 man5/plimsoll.conf.5; do
        dpkg -L plimsoll | grep -q "/usr/share/man/$f" || fail "$f"
    done
    for f in bash-completion/completions/plimsollctl zsh/vendor-completions/_plimsollctl fish/vendor_completions.d/plimsollctl.fish; do
        dpkg -L plimsoll | grep -q "/usr/share/$f" || fail "$f"
    done
}

NEWER=/run/newer.deb

# The same, one version later, with a word more in its policy.
make_newer_package() {
    local dir
    dir=$(mktemp -d)
    dpkg-deb -R "$DEB" "$dir/tree"
    sed -i 's/^Version: .*/&+1/' "$dir/tree/DEBIAN/control"
    echo '# a newer example' >>"$dir/tree$POLICY"
    (cd "$dir/tree" && md5sum "${POLICY#/}") >"$dir/sum"
    sed -i "s,^.*  ${POLICY#/}\$,$(cat "$dir/sum")," "$dir/tree/DEBIAN/md5sums"
    dpkg-deb -Znone -b "$dir/tree" $NEWER >/dev/null
    rm -r "$dir"
}

# Nobody has touched it, so nobody is asked.
test_an_upgrade_brings_the_newer_example_to_whom_has_none_of_his_own() {
    make_newer_package
    dpkg -i $NEWER </dev/null
    grep -qx '# a newer example' "$POLICY"
    dpkg -i "$DEB" </dev/null
    refute grep -qx '# a newer example' "$POLICY"
    systemctl is-active plimsolld
}

test_an_upgrade_keeps_the_policy_and_every_limit() {
    local before
    policy <<'P'
[Service up]
Match=name:up
MemoryMax=77M
P
    container up
    within 3 has up memory.max=80740352
    # as an earlier version wrote it
    mkdir -p /run/systemd/system/docker-.scope.d
    echo '[Scope]' >/run/systemd/system/docker-.scope.d/50-plimsoll.conf
    before=$(main_pid)
    dpkg -i --force-confdef --force-confold $NEWER </dev/null
    has up memory.max=80740352
    within 10 pid_changed "$before"
    grep -q 'MemoryMax=77M' "$POLICY"
    [ ! -e /run/systemd/system/docker-.scope.d/50-plimsoll.conf ]
    # the newer example is there to compare with, and is not read as policy
    grep -qx '# a newer example' "$POLICY.dpkg-dist"
    within 3 in_status '.containers[] | select(.name == "up") | .limits.MemoryMax.in_force == 80740352'
}

test_removal_stops_the_service_and_leaves_containers_running() {
    mkdir -p /run/systemd/system/docker-.scope.d
    dpkg -r plimsoll
    refute systemctl -q is-active plimsolld.service
    refute systemctl -q is-active plimsolld.socket
    refute pgrep -x plimsolld
    [ ! -e /run/plimsoll/control.sock ]
    [ ! -e /run/systemd/system/docker-.scope.d/00-plimsoll.conf ]
    [ "$(docker inspect -f '{{.State.Running}}' up)" = true ]
    # a configuration file, which outlives a removal
    grep -q 'MemoryMax=77M' "$POLICY"
}

test_a_removed_package_that_comes_back_finds_the_policy() {
    dpkg -i --force-confdef --force-confold "$DEB" </dev/null
    systemctl is-active plimsolld.service
    grep -q 'MemoryMax=77M' "$POLICY"
    within 3 has up memory.max=80740352
    dpkg -r plimsoll
}

test_purging_leaves_nothing() {
    local left
    mkdir -p /var/log/plimsoll/x
    dpkg --purge plimsoll
    for f in /etc/plimsoll /run/plimsoll /var/lib/plimsoll /var/log/plimsoll; do
        [ ! -e "$f" ] || fail "$f is left"
    done
    # all that is on the disk now and was not before it was installed, but for what others keep:
    # dpkg's own records, the container, the users that Debian does not remove, this test
    left=$(find / -xdev | sort | comm -13 "${0%/*}/files-before" - | grep -vE \
        '^/(var/lib/(dpkg|docker|containerd)|var/log/(journal|dpkg.log)|var/cache|tmp)(/|$)' || true)
    [ -z "$left" ] || fail "$left is left"
    # systemd has forgotten it, too
    [ "$(systemctl show -P LoadState plimsolld.service)" = not-found ]
}

test_it_can_be_installed_again() {
    dpkg -i "$DEB"
    systemctl is-active plimsolld.service
    grep -q '^DryRun=yes' "$POLICY"
    remove_containers
}

run_tests
