#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Health told to systemd: a unit that waits for a container, one that is started when restarts have
# not helped, and why a container keeps crashing, in the journal.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

test_a_unit_waits_for_a_container() {
    policy <<'P'
[Service slow]
Match=name:slow

[Service crash-loop]
Match=name:crash-loop
Probe=none
OnUnhealthy=restart unit:plimsoll-alert@%s.service
OnExit=restart
RestartBudget=2/10min
P
    container slow --health-cmd 'test -e /tmp/ready' --health-interval 1s --health-start-period 60s --
    cat >/run/systemd/system/needs-slow.service <<'U'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPre=/usr/bin/plimsollctl wait slow --for healthy --timeout 60s
ExecStart=/usr/bin/touch /run/slow-is-ready
U
    systemctl daemon-reload
    systemctl start --no-block needs-slow.service
    sleep 3
    [ "$(property ActiveState needs-slow.service)" = activating ]
    refute test -e /run/slow-is-ready
    docker exec slow sh -c 'true >/tmp/ready'
    within 30 test -e /run/slow-is-ready
    within 5 test "$(property ActiveState needs-slow.service)" = active
    # and not for ever
    docker rm -f slow >/dev/null
    systemctl stop needs-slow.service
    sed -i 's/--timeout 60s/--timeout 2s/' /run/systemd/system/needs-slow.service
    systemctl daemon-reload
    refute systemctl start needs-slow.service
}

# Two restarts are in the budget; then it is given up loudly, and the unit is started in addition.
test_restarts_within_the_budget_then_the_unit() {
    # shellcheck disable=SC2016 # for the shell inside
    container crash-loop -- sh -c 'echo "no such database: $(printf "\033[31mmlflow")" >&2; sleep 1; exit 4'
    within 60 said RESTART_GAVE_UP CONTAINER_NAME=crash-loop
    entries RESTARTED CONTAINER_NAME=crash-loop | jq -r .MESSAGE | tee /tmp/restarts
    [ "$(grep -c 'crash-loop: restarting it, [12] of at most 2 in 10min: ' /tmp/restarts)" = 2 ]
    [ "$(grep -cF 'crash-loop: starting plimsoll-alert@crash\x2dloop.service: ' /tmp/restarts)" = 1 ]
    entries RESTART_GAVE_UP CONTAINER_NAME=crash-loop | jq -r '.PRIORITY + " " + .MESSAGE' | tee /tmp/entry
    grep -q '^2 crash-loop: not restarted any more: 2 restarts in 10min did not help: ' /tmp/entry
    within 10 alerted
}

alerted() {
    journalctl --sync
    journalctl -q -o cat -u "plimsoll-alert@crash\x2dloop.service" --cursor="$CURSOR" |
        grep 'plimsoll: crash-loop is not healthy'
}

# With its exit code and last words, in which nothing is left that a terminal would obey.
test_the_entry_of_a_crash_has_its_last_words() {
    local entry
    entry=$(journalctl -q -b -o json "MESSAGE_ID=$(message HEALTH_FAILED)" CONTAINER_NAME=crash-loop | tail -n 1)
    echo "$entry"
    jq -e '.PLIMSOLL_EXIT_CODE == "4" and .PLIMSOLL_HEALTH == "unhealthy"' <<<"$entry"
    jq -e '.PLIMSOLL_LAST_LOG | endswith("no such database: \\x1b[31mmlflow")' <<<"$entry"
    jq -e '.PLIMSOLL_LAST_LOG | length < 1024' <<<"$entry"
}

test_what_a_person_starts_anew_is_forgiven() {
    docker start crash-loop >/dev/null
    within 60 said RESTARTED CONTAINER_NAME=crash-loop
    docker stop crash-loop >/dev/null 2>&1 || true
}

run_tests
