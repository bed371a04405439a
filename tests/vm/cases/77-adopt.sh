#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# adopt-logs where the engine is a service of systemd and plimsolld runs: what it refuses, what it does,
# killed at each step, with an engine that does not start again.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

ENGINE=$(docker version -f '{{.Server.Version}}' | cut -d. -f1)
RECORD=/var/lib/plimsoll/adopt/run-docker.sock.json
CONFIG=/etc/docker/daemon.json
DROPIN=/run/systemd/system/docker.service.d/test.conf

# writer NAME - numbered lines for ever, in bursts
writer() {
    # shellcheck disable=SC2016
    container "$1" -- sh -c 'i=0; while :; do
        for k in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do i=$((i+1)); echo "line $i"; done
        sleep 0.1
    done'
}

# anew - a writer on an engine that knows nothing of adoption
anew() {
    docker rm -f busy >/dev/null
    rm -f $DROPIN $CONFIG.plimsoll-*
    cp /run/daemon.json $CONFIG
    systemctl daemon-reload
    systemctl restart docker
    writer busy
    within 30 sh -c 'docker logs --tail 1 busy | grep -q ^line'
}

run_of() { docker inspect -f '{{.State.Pid}} {{.State.StartedAt}} {{.State.Status}}' "$1"; }
max_size() { docker inspect -f '{{index .HostConfig.LogConfig.Config "max-size"}}' "$1"; }
engine_pid() { property MainPID docker.service; }
method_is() { in_status ".containers[] | select(.name == \"$1\") | .log.method == \"$2\""; }
no_record() { [ ! -e $RECORD ] && ! pgrep -x plimsollctl; }
no_copies() { ! ls /var/lib/docker/containers/*/*.plimsoll-adopt 2>/dev/null; }
thawed() { ! grep -qx 1 "$(cgroup_of "$1")/cgroup.freeze"; }

# in_order FILE - lines that count up by one; at least one
in_order() {
    awk '/^line / { if (last && $2 != last + 1) { print $0 " after " last; bad = 1 } last = $2 } END { exit bad || !last }' "$1"
}

# story NAME - archives and log, from the first line on, without a gap
story() {
    plimsollctl logs "$(id_of "$1")" >/tmp/story
    head -n 1 /tmp/story | grep -qx 'line 1'
    in_order /tmp/story
}

as_before() {
    no_record
    no_copies
    thawed busy
    cmp $CONFIG /run/daemon.json
    systemctl is-active docker.service docker.socket
    [ -z "$(max_size busy)" ]
}

test_a_writer_whose_log_is_rotated() {
    cp $CONFIG /run/daemon.json
    policy <<P
[Service busy]
Match=name:busy*
LogMaxSize=64K
$([ "$ENGINE" -lt 23 ] || echo LogMethod=punch)
P
    writer busy
    container other --log-driver local --
    within 60 said LOG_ROTATED CONTAINER_NAME=busy
}

test_a_dry_run_says_what_it_would_do_and_does_nothing() {
    local pid
    pid=$(engine_pid)
    plimsollctl adopt-logs --dry-run | tee /tmp/out
    grep 'busy .*max-size 64K' /tmp/out
    grep 'docker.service, docker.socket' /tmp/out
    grep "$CONFIG gets live-restore and log-opts" /tmp/out
    [ "$(engine_pid)" = "$pid" ]
    as_before
}

refused() {
    refute plimsollctl adopt-logs --yes "${@:2}" >/tmp/out 2>&1
    cat /tmp/out
    grep -- "$1" /tmp/out
    as_before
}

test_what_cannot_be_adopted_is_refused() {
    refused 'there is no such container' nobody
    refused 'not json-file' other
}

test_a_swarm_is_refused() {
    docker swarm init --advertise-addr 127.0.0.1 || skip "this engine cannot be a swarm"
    refused swarm
    docker swarm leave --force >/dev/null
}

test_live_restore_that_a_flag_forbids_is_refused() {
    mkdir -p "${DROPIN%/*}"
    printf '[Service]\nExecStart=\nExecStart=%s --live-restore=false\n' \
        "$(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/docker.service)" >$DROPIN
    systemctl daemon-reload
    systemctl restart docker
    docker start busy >/dev/null
    refused '--live-restore=false'
    anew
}

# killed_at PHASE back|finish|either - kill -9 as soon as the record says so; the guardian does the rest
killed_at() {
    local pid before text=
    before=$(run_of busy)
    plimsollctl adopt-logs --yes >/tmp/out 2>&1 &
    pid=$!
    set +x
    while kill -0 $pid 2>/dev/null; do
        read -r -d '' text 2>/dev/null <$RECORD || true
        [[ $text != *"\"$1\""* ]] || break
    done
    set -x
    kill -9 $pid || fail "$1: not seen"
    wait $pid || true
    within 80 no_record
    no_copies
    thawed busy
    systemctl is-active docker.service docker.socket
    docker version >/dev/null
    [ "$(run_of busy)" = "$before" ] || fail "$1: another process: $before, $(run_of busy)"
    echo "$1: $(max_size busy)"
    case $2 in
    back) as_before ;;
    finish) [ "$(max_size busy)" = 65536 ] ;;
    *) [ "$(max_size busy)" = 65536 ] || as_before ;;
    esac
    story busy
    [ -z "$(max_size busy)" ] || anew # for the next one
}

# what is seen in the record may be over by the time of the kill, but half done it never stays
test_killed_when_planned() { killed_at planned either; }
test_killed_when_configured() { killed_at configured either; }
test_killed_when_frozen() { killed_at frozen either; }
test_killed_when_stopping() { killed_at stopping back; }
test_killed_when_stopped() { killed_at stopped either; }
test_killed_when_rewritten() { killed_at rewritten finish; }

# An engine that refuses the new file, and starts with the old one.
test_an_engine_that_does_not_take_the_new_options_gets_the_old_ones() {
    local before
    before=$(run_of busy)
    mkdir -p "${DROPIN%/*}"
    # only a start reads it
    printf '[Service]\nExecStartPre=/bin/sh -c "! grep -q max-size %s"\n' $CONFIG >$DROPIN
    systemctl daemon-reload
    refute plimsollctl adopt-logs --yes >/tmp/out 2>&1
    cat /tmp/out
    grep 'starting the engine' /tmp/out
    grep 'everything is as it was' /tmp/out
    rm $DROPIN
    systemctl daemon-reload
    as_before
    [ "$(run_of busy)" = "$before" ]
    within 20 story busy
}

# One that does not start at all: nobody stays frozen, and the next run puts things right.
test_an_engine_that_does_not_start_at_all_leaves_nobody_frozen() {
    local before
    before=$(run_of busy)
    mkdir -p "${DROPIN%/*}"
    printf '[Service]\nExecStartPre=/bin/sh -c "test ! -e /run/no-engine"\n' >$DROPIN
    systemctl daemon-reload
    touch /run/no-engine
    refute plimsollctl adopt-logs --yes >/tmp/out 2>&1
    cat /tmp/out
    grep 'journalctl -u docker.service' /tmp/out
    thawed busy
    [ -e $RECORD ]
    rm /run/no-engine
    plimsollctl adopt-logs --yes >/tmp/out 2>&1 || fail "$(cat /tmp/out)"
    cat /tmp/out
    grep 'everything is as it was before' /tmp/out
    grep 'adopted in' /tmp/out
    [ "$(run_of busy)" = "$before" ]
    [ "$(max_size busy)" = 65536 ]
    rm $DROPIN
    systemctl daemon-reload
}

# As a person would do it, with a log that plimsolld has had to punch.
test_a_busy_writer_is_adopted_and_no_line_is_lost() {
    local before pid
    anew
    within 60 said LOG_ROTATED CONTAINER_NAME=busy
    if [ "$ENGINE" -ge 23 ]; then
        method_is busy punch
        refute cmp <(docker logs busy 2>&1 | head -n 1) <(echo 'line 1')
    fi
    before=$(run_of busy) pid=$(engine_pid)
    cursor >/tmp/adopted-from
    plimsollctl adopt-logs --yes --max-size 4M --max-files 5 | tee /tmp/out
    grep '1 container adopted in' /tmp/out
    [ "$(engine_pid)" != "$pid" ]
    [ "$(run_of busy)" = "$before" ]
    [ "$(max_size busy)" = 4194304 ]
    jq -e '."live-restore" and ."log-opts"."max-size" == "4194304" and ."log-opts"."max-file" == "5" and
        ."storage-driver" == "overlay2" and .bip == "172.29.0.1/24"' $CONFIG
    cmp $CONFIG.plimsoll-* /run/daemon.json
    within 30 method_is busy native
    # a container to come has it from the start
    container later --
    [ "$(max_size later)" = 4194304 ]
}

# The hole that a full docker logs could not read is out of the file.
test_docker_logs_reads_all_of_it_again() {
    docker logs busy >/tmp/shown
    cat -A /tmp/shown | head -n 3
    in_order /tmp/shown
    docker logs --since 1h busy >/tmp/since
    cmp <(head -n 100 /tmp/since) <(head -n 100 /tmp/shown)
    story busy
    # from the first line in an archive to one that is being written now
    [ "$(tail -n 1 /tmp/story | cut -d' ' -f2)" -ge "$(tail -n 1 /tmp/shown | cut -d' ' -f2)" ]
    [ "$(wc -l </tmp/story)" -gt "$(wc -l </tmp/shown)" ]
    in_status '.findings.medium == 0'
}

test_plimsolld_raised_no_alarm_and_rotated_no_more() {
    local n
    n=$(docker logs busy | wc -l)
    sleep 3
    [ "$(docker logs busy | wc -l)" -gt "$n" ]
    refute said LOG_ROTATED CONTAINER_NAME=busy
    CURSOR=$(</tmp/adopted-from)
    refute said HEALTH_FAILED
    refute said LOG_FAILED
    remove_containers
}

run_tests
