#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What readers see of a rotated log, on this machine's own engine: docker logs in every form, before and
# after rotations, a container's and the engine's restart, by the file system that the logs are on.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

ENGINE=$(docker version -f '{{.Server.Version}}' | cut -d. -f1)
CONTAINERS=/var/lib/docker/containers
BEGIN=$(cursor)

# talker NAME - a container whose first process says the lines that it is told to
talker() {
    mkdir -p "/run/talk/$1"
    mkfifo "/run/talk/$1/in"
    # shellcheck disable=SC2016
    container "$1" -v "/run/talk/$1:/talk" -- sh -c 'exec 3<>/talk/in
        while read -r from to <&3; do
            busybox awk -v i=$from -v to=$to "BEGIN { while (i <= to) printf \"line %07d of the story\\n\", i++ }"
        done'
}

# burst NAME FROM TO - as fast as it can
burst() { echo "$2 $3" >"/run/talk/$1/in"; }

# tell NAME FROM TO - no faster than an emulated docker logs -f can read
tell() {
    local i
    for ((i = $2; i <= $3; i += 250)); do
        burst "$1" $i $((i + 249 < $3 ? i + 249 : $3))
        sleep 0.1
    done
}
lines() { seq -f 'line %07g of the story' "$1" "$2"; }
log_of() { echo "$CONTAINERS/$(id_of "$1")/$(id_of "$1")-json.log"; }
state_of() { cat "/var/log/plimsoll/.state/$(id_of "$1")"; }
method_is() { in_status ".containers[] | select(.name == \"$1\") | .log.method == \"$2\""; }
# the last line has come, and nothing is left to rotate
settled() {
    docker logs --tail 1 "$1" 2>&1 | grep -qx "$(lines "$2" "$2")" &&
        in_status ".containers[] | select(.name == \"$1\") | .log.size_bytes < 262144" &&
        state_of "$1" | jq -e '.phase == "clean" and .gen > 0'
}

# whole NAME TO - archives and log of this very container are the whole story
whole() { plimsollctl logs --container "$(id_of "$1")" "$1" | cmp - <(lines 1 "$2"); }

# ends_with NAME TO - docker shows the story's end without a gap, and not nothing
ends_with() {
    local shown
    docker logs "$1" >/tmp/shown
    shown=$(wc -l </tmp/shown)
    [ "$shown" -gt 500 ] || fail "$shown lines are shown"
    cmp /tmp/shown <(lines $(($2 - shown + 1)) "$2")
}

tail_works() { docker logs --tail 5 "$1" | cmp - <(lines $(($2 - 4)) "$2"); }

since_works() {
    docker logs --since 1h "$1" | tail -n 1 | cmp - <(lines "$2" "$2")
    [ -z "$(docker logs --since 2h --until 1h "$1")" ]
}

all_works() {
    whole "$1" "$2"
    ends_with "$1" "$2"
    tail_works "$1" "$2"
    since_works "$1" "$2"
}

# follow NAME FILE - docker logs -f from the last line on, attached when this returns
follow() {
    rm -f "$2"
    docker logs -f --tail 1 "$1" >"$2" 2>&1 &
    within 20 test -s "$2"
}

# hears FILE FROM TO - all of these have come, each once; earlier ones do not count
hears() {
    within 30 grep -qx "$(lines "$3" "$3")" "$1"
    sed -n "/^$(lines "$2" "$2")\$/,\$p" "$1" | cmp - <(lines "$2" "$3")
}

# lives NAME ALL - rotations under a live writer, with followers from before and after them; ALL judges
# what docker shows of the log
lives() {
    local name=$1 all=$2
    talker "$name"
    tell "$name" 1 10
    follow "$name" /tmp/before
    tell "$name" 11 12000
    within 60 settled "$name" 12000
    hears /tmp/before 11 12000
    "$all" "$name" 12000
    follow "$name" /tmp/after
    tell "$name" 12001 24000
    within 60 settled "$name" 24000
    hears /tmp/before 12001 24000
    hears /tmp/after 12001 24000
    "$all" "$name" 24000
    tell "$name" 24001 24002
    hears /tmp/before 24001 24002 # none has fallen silent
    hears /tmp/after 24001 24002
}

# restarts NAME ALL - the container's own, and the engine's, which ends containers
restarts() {
    local name=$1 all=$2
    docker restart -t 0 "$name" >/dev/null
    tell "$name" 24003 30000
    within 60 settled "$name" 30000
    "$all" "$name" 30000
    systemctl restart docker
    docker start "$name" >/dev/null
    follow "$name" /tmp/restarted
    tell "$name" 30001 36000
    within 60 settled "$name" 36000
    hears /tmp/restarted 30001 36000
    "$all" "$name" 36000
}

# --- the machine's own file system ------------------------------------------------------------

# tests/integration/logs.bats tries the older one
needs_23() { [ "$ENGINE" -ge 23 ] || skip "engine $ENGINE"; }

test_the_containers_are_on_ext4() {
    [ "$(stat -f -c %T $CONTAINERS)" = ext2/ext3 ]
    policy <<'P'
[Service talker]
Match=name:talker*
LogMaxSize=256K
LogMethod=punch

[Service spared]
Match=name:spared*
LogMaxSize=256K
P
}

test_by_default_docker_prints_all_of_a_log_that_only_a_hole_could_shorten() {
    needs_23
    talker spared
    tell spared 1 12000
    within 60 sh -c 'docker logs --tail 1 spared | grep -q 0012000'
    sleep 2 # for what should not come
    docker logs spared | cmp - <(lines 1 12000)
    tail_works spared 12000
    since_works spared 12000
    docker logs --since 1h spared | cmp - <(lines 1 12000)
    whole spared 12000
    method_is spared off
    plimsollctl status | tee /dev/stderr | grep "medium: log of 1 container (spared): not rotated.*adopt-logs"
    docker rm -f spared >/dev/null
    CURSOR=$BEGIN
    said_of_host 'log of 1 container (spared): not rotated .*adopt-logs.*LogMethod=punch'
}

said_of_host() {
    journalctl --sync
    journalctl -q -o cat -u plimsolld --after-cursor="$CURSOR" | grep "^$1"
}

# The hole stays, so a reading from its start or by time does not come over it.
punched() {
    local out status=0
    whole "$1" "$2"
    tail_works "$1" "$2"
    out=$(docker logs "$1" 2>&1) || status=$?
    echo "docker logs: $status: ${out:0:200}" | tee -a /tmp/holes
    refute cmp <(echo "$out") <(lines 1 "$2")
    [ "$status" -ne 0 ] || [ -z "$out" ] || grep -q 'invalid character' <<<"$out"
    out=$(docker logs --since 1h "$1" 2>&1) || true
    refute grep -qx "$(lines "$2" "$2")" <<<"$out"
}

test_an_engine_of_23_and_later_has_its_logs_punched_when_asked_to() {
    needs_23
    lives talker punched
    method_is talker punch
    # the size stays, the blocks are free
    [ "$(stat -c %s "$(log_of talker)")" -gt 1500000 ]
    [ "$(stat -c %b "$(log_of talker)")" -lt 2048 ]
}

test_a_finding_says_what_docker_logs_lacks_and_which_command_ends_it() {
    needs_23
    CURSOR=$BEGIN
    plimsollctl status | tee /dev/stderr | grep "talker.*docker logs.*'plimsollctl adopt-logs' ends this"
    plimsollctl show talker | tee /dev/stderr | grep "adopt-logs"
    said_of_host 'log of 1 container (talker): .*docker logs.*adopt-logs'
    in_status '.findings.medium == 1'
}

test_a_punched_log_goes_on_after_restarts_of_container_and_engine() {
    needs_23
    restarts talker punched
}

# Who is overtaken by a rotation is told so, and not left waiting for ever.
test_a_follower_that_does_not_keep_up_ends_with_an_error() {
    needs_23
    follow talker /tmp/slow
    kill -STOP $!
    burst talker 36001 50000
    within 60 settled talker 50000
    kill -CONT $!
    within 30 told_or_gone $!
    tail_works talker 50000
}
told_or_gone() { grep -qx "$(lines 50000 50000)" /tmp/slow || ! kill -0 "$1" 2>/dev/null; }

test_a_stopped_container_gets_a_short_log_and_all_works_again() {
    needs_23
    auto
    within 30 in_status '.host_findings[].message | test("earlier rotation has left a hole")'
    docker stop -t 0 talker >/dev/null
    within 30 short talker
    docker start talker >/dev/null
    all_works talker 50000
}
auto() {
    policy <<'P'
[Service talker]
Match=name:talker*
LogMaxSize=256K
P
}
short() { [ "$(stat -c %s "$(log_of "$1")")" -lt 600000 ]; }

# --- others -------------------------------------------------------------------------------------

# on_fs TYPE - the containers' directory on a file system of its own
on_fs() {
    remove_containers
    modprobe -q loop || true
    modprobe -q "$1" || true
    truncate -s 400M "/var/tmp/$1.img"
    "mkfs.$1" -q "/var/tmp/$1.img"
    mount -o loop "/var/tmp/$1.img" $CONTAINERS
    [ "$(stat -f -c %T $CONTAINERS)" = "$1" ]
    rm -rf /run/talk
}

reflinked() {
    needs_23
    auto
    on_fs "$1"
    lives talker all_works
    method_is talker reflink
    in_status '.findings.medium == 0'
    # the file's size stays, but its blocks are shared; what is stopped is made short, where that is possible
    [ "$(stat -c %s "$(log_of talker)")" -gt 1500000 ]
    restarts talker all_works
    remove_containers
    within 20 umount $CONTAINERS # the engine's followers let go of it when they notice
}

test_xfs_shares_filler_and_all_works() { reflinked xfs; }
test_btrfs_shares_filler_and_all_works() { reflinked btrfs; }

run_tests
