# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the cases share. A case sources this, defines functions test_* and calls run_tests, which
# runs them in the order of their definition, each in a shell of its own with "set -e", and prints
# TAP: the name is the function's, its failure comes with its trace and the journal's end.

POLICY=/etc/plimsoll/plimsoll.conf
CURSOR=

run_tests() {
    local test name status out n=0
    out=$(mktemp)
    # shellcheck disable=SC2013 # names have no spaces
    for test in $(sed -n 's/^ *\(test_[a-z0-9_]*\)() .*/\1/p' "$0"); do
        # a case may define some of them only now and then
        declare -F "$test" >/dev/null || continue
        n=$((n + 1)) name=${test#test_}
        CURSOR=$(cursor)
        (
            set -euo pipefail
            PS4='+ ${BASH_SOURCE##*/}:${LINENO}: '
            exec 9>"$out.trace"
            BASH_XTRACEFD=9
            set -x
            "$test"
        ) >"$out" 2>&1 &
        limit_time $!
        status=$?
        # the answer comes when all is over; who watches the console (build/vm/SUITE/run) sees it before
        echo "$(date +%T) $name: $status" >/dev/console
        case $status in
        0)
            echo "ok ${name//_/ }"
            sed -n 's/^figure: /# /p' "$out"
            ;;
        77) echo "ok ${name//_/ } # skip $(tail -n 1 "$out")" ;;
        *)
            echo "not ok ${name//_/ }"
            {
                echo "exit status $status"
                tail -n 20 "$out"
                echo "--- the last commands"
                tail -n 12 "$out.trace"
                echo "--- the journal"
                journalctl --sync
                journalctl -q --no-pager -o short-precise -u plimsolld --cursor="$CURSOR" |
                    tail -n 30
            } 2>&1 | cut -c 1-400 | sed 's/^/# /'
            ;;
        esac
    done
    rm -f "$out" "$out.trace"
    echo "1..$n"
}

# cursor - an entry of now, for journalctl --cursor. It is one that no test asks for: journalctl 252 leaves
# out the first entry that matches when it is told to begin after a cursor that does not.
cursor() {
    logger -t plimsoll-test "from here on"
    journalctl --sync
    journalctl -t plimsoll-test -n 1 --show-cursor -q -o cat | sed -n 's/^-- cursor: //p'
}

# limit_time PID - waits for a test, whose status it returns, but not for ever
limit_time() {
    local killer status
    (
        sleep "${TEST_LIMIT_SEC:-100}"
        kill -KILL "$1"
    ) >/dev/null 2>&1 &
    killer=$!
    wait "$1" 2>/dev/null
    status=$?
    kill "$killer" 2>/dev/null
    return $status
}

fail() {
    echo "$*" >&2
    return 1
}

# refute COMMAND… - it must fail; "!" alone is not seen by "set -e"
refute() {
    if "$@"; then
        fail "should not be so: $*"
    fi
}

skip() {
    echo "$*"
    exit 77
}

# figure TEXT - what was measured, for whoever reads the results
figure() { echo "figure: $*"; }

# within SECONDS COMMAND… - until it succeeds; says how long that took. It rests as long as each try takes:
# to a guest that is idle time goes as on the host, to one that asks all the time it goes far slower.
within() {
    local limit=${1%.*}000000 start now last=0
    shift
    start=${EPOCHREALTIME/./}
    until
        now=${EPOCHREALTIME/./}
        "$@" >/tmp/within.out 2>&1
    do
        if [ $last = 1 ]; then
            cat /tmp/within.out
            fail "not within ${limit%000000} s: $*"
            return 1
        fi
        rest $((${EPOCHREALTIME/./} - now)) $((start + limit - ${EPOCHREALTIME/./})) || last=1
    done
    now=${EPOCHREALTIME/./}
    echo "after $(((now - start) / 1000)) ms: $*"
}

# rest USEC LEFT - at least 20 ms; no longer than LEFT, and false when that is all
rest() {
    local usec=$(($1 > 20000 ? $1 : 20000)) left=$(($2 > 0 ? $2 : 0))
    local all=$((left <= usec))
    [ $all = 0 ] || usec=$left
    sleep "$((usec / 1000000)).$(printf %06d $((usec % 1000000)))"
    [ $all = 0 ]
}

# policy - a new policy from stdin, in force when this returns
policy() {
    cat >"$POLICY"
    systemctl restart plimsolld
}

# container NAME [DOCKER-OPTION… --] [COMMAND…] - started; busybox, asleep, unless said otherwise
container() {
    local name=$1 options=()
    shift
    case " $* " in *" -- "*)
        while [ "$1" != -- ]; do
            options+=("$1")
            shift
        done
        shift
        ;;
    esac
    [ $# -gt 0 ] || set -- sleep 100000
    mkdir -p /run/ids
    docker run -d --name "$name" --network none "${options[@]}" busybox:1 "$@" >"/run/ids/$name"
}

remove_containers() {
    local ids
    ids=$(docker ps -aq)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || docker rm -f $ids >/dev/null
}

# id_of NAME - of a container that "container" has made without asking the engine: its client takes its
# time on an emulated machine, and the polls of "within" are many
id_of() { cat "/run/ids/$1" 2>/dev/null || docker inspect -f '{{.Id}}' "$1"; }

# cgroup_of NAME - the directory of one that runs
cgroup_of() {
    local dir
    dir=/sys/fs/cgroup/system.slice/docker-$(id_of "$1").scope
    [ -d "$dir" ] && echo "$dir"
}

# value NAME FILE - one value of a container, as the kernel has it
value() { cat "$(cgroup_of "$1")/$2"; }

# has NAME FILE=VALUE… - every value is in force
has() {
    local dir pair is bad=0
    dir=$(cgroup_of "$1") || return 1
    shift
    for pair in "$@"; do
        # not $(<…): where there is no such file, bash 5.2.15 then ends the whole test
        is=
        IFS= read -rd '' is 2>/dev/null <"$dir/${pair%%=*}" || [ -n "$is" ] || return 1
        is=${is%$'\n'}
        [ "$is" = "${pair#*=}" ] || {
            echo "${pair%%=*} is \"$is\", not \"${pair#*=}\""
            bad=1
        }
    done
    return $bad
}

# message NAME - the id of PL_MESSAGE_NAME, from what the package documents
message() { sed -n "s/^$1 //p" "${0%/*}/messages"; }

# entries NAME [FIELD=VALUE…] - JSON entries that plimsolld wrote during this test
entries() {
    local id
    id=$(message "$1")
    [ -n "$id" ] || fail "no such message: $1" || return
    shift
    journalctl --sync
    journalctl -q -o json --cursor="$CURSOR" _SYSTEMD_UNIT=plimsolld.service \
        MESSAGE_ID="$id" "$@"
}

# said NAME [FIELD=VALUE…] - at least one such entry
said() { entries "$@" | grep -q .; }

# a property of a unit, plimsolld.service unless said otherwise
property() { systemctl show -P "$1" "${2:-plimsolld.service}"; }

main_pid() { property MainPID; }

# status_says REGEX - the service's status text, which "systemctl status" shows
status_says() { property StatusText | tee /dev/stderr | grep -qE "$1"; }

pid_changed() { [ "$(main_pid)" != "$1" ] && [ "$(main_pid)" != 0 ] && systemctl -q is-active plimsolld; }

# in_status JQ-FILTER - a filter over "plimsollctl status --json" that must yield true; the exit
# status 1 of plimsollctl says that something is out of line, which is often what a test wants
in_status() {
    local json status=0
    json=$(plimsollctl status --json) || status=$?
    [ "$status" -le 1 ] || return "$status"
    jq -e "$1" >/dev/null <<<"$json"
}
