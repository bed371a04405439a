# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # bats and the tests set and use these
# What the integration tests share: one private engine per file, plimsolld with directories of its
# own, and assertions that read the kernel's files themselves. Nothing here believes plimsoll's word
# about a limit. Loaded with: load helper

bats_require_minimum_version 1.5.0

HERE=$(cd -P "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
SUPPORT=$HERE/../support
BUILD_DIR=${PLIMSOLL_BUILD:-$HERE/../../build/gcc}
IMAGES=${PLIMSOLL_IMAGES:-$HERE/../../build/images}
BB=plimsoll/busybox:1
MIB=1048576

# newest_engine - engine_begin's is one out of Debian's newest suite; for setup_file
newest_engine() {
    local newest=${PLIMSOLL_NEWEST:-$HERE/../../build/engine-newest}
    "$SUPPORT/engine-newest.sh" build "$newest"
    PATH=$("$SUPPORT/engine-newest.sh" path "$newest"):$PATH
    export PATH
}

# engine_begin [--images "NAME…"] [DOCKERD-OPTION…] - for setup_file; PLIMSOLL_ENGINE=newest in the
# environment of any file is for trying it with that engine
engine_begin() {
    local images=busybox
    [ "${PLIMSOLL_ENGINE:-}" != newest ] || newest_engine
    if [ "${1:-}" = --images ]; then
        images=$2
        shift 2
    fi
    E=$(mktemp -d "/var/tmp/plimsoll-test.XXXXXX")
    export E
    "$SUPPORT/engine.sh" start "$E/engine" "$@"
    export DOCKER_HOST=unix://$E/engine/docker.sock
    # shellcheck disable=SC2086 # a list
    "$SUPPORT/images.sh" load "$IMAGES" "$E/engine/docker.sock" $images
}

# engine_end - for teardown_file
engine_end() {
    [ -n "${E:-}" ] || return 0
    "$SUPPORT/engine.sh" stop "$E/engine"
    rm -rf "$E"
}

# an engine that hangs must not hang a test
# shellcheck disable=SC2032
docker() { timeout "${PLIMSOLL_DOCKER_SEC:-60}" docker "$@"; }

engine() { "$SUPPORT/engine.sh" "$1" "$E/engine"; }

# policy_is [DAEMON-LINE…] <<POLICY - the policy file, with the [Daemon] section that tests need
policy_is() {
    mkdir -p "$T"
    {
        printf '[Daemon]\nEngine=unix://%s/engine/docker.sock\nDryRun=no\n' "$E"
        [ $# -eq 0 ] || printf '%s\n' "$@"
        cat
    } >"$T/plimsoll.conf.new"
    mv "$T/plimsoll.conf.new" "$T/plimsoll.conf"
}

# daemon_begin [OPTION…] - plimsolld, ready; T holds its directories, LOG what it says
# shellcheck disable=SC2120 # tests give options
daemon_begin() {
    daemon_spawn "$@"
    wait_until 10 ready || fail "plimsolld was not ready in 10 s"
}

# daemon_spawn [OPTION…] - without waiting; DAEMON_WRAPPER goes in front of it, DAEMON_PROGRAM in its place
daemon_spawn() {
    mkdir -p "$T/state" "$T/archive"
    LOG=$T/log
    : >"$T/notify.log"
    notify_begin
    # shellcheck disable=SC2086 # a command with options
    NOTIFY_SOCKET=$T/notify nsenter "--net=$(engine netns)" ${DAEMON_WRAPPER:-} \
        "${DAEMON_PROGRAM:-$BUILD_DIR/daemon/plimsolld}" --policy "$T/plimsoll.conf" --control "$T/control.sock" \
        --state "$T/state" --archive "$T/archive" "$@" 3>&- 4>&- >>"$LOG" 2>&1 &
    DAEMON=$!
}

# A listener where systemd's would be; what is sent stands in T/notify.log, one assignment a line.
notify_begin() {
    [ -z "${NOTIFY_PID:-}" ] || return 0
    python3 "$SUPPORT/notify.py" "$T/notify" >>"$T/notify.log" 2>/dev/null 3>&- 4>&- &
    NOTIFY_PID=$!
    wait_until 5 test -S "$T/notify"
}

ready() { grep -qs '^READY=1' "$T/notify.log"; }

# daemon_end [SIGNAL] - ends plimsolld; its exit status in $ended
daemon_end() {
    [ -n "${DAEMON:-}" ] || return 0
    kill "-${1:-TERM}" "$DAEMON" 2>/dev/null || true
    ended=0
    wait "$DAEMON" || ended=$?
    DAEMON=''
}

# for setup and teardown of each test
begin() {
    T=$(mktemp -d "$E/t.XXXXXX")
    DAEMON='' NOTIFY_PID='' BATS_JOBS=$(jobs -p)
}

end() {
    # what plimsolld said, for whoever reads the failure
    [ -n "${BATS_TEST_COMPLETED:-}" ] || { [ ! -f "$T/log" ] || tail -n 60 "$T/log"; }
    if [ -n "${DAEMON:-}" ]; then
        kill -9 "$DAEMON" 2>/dev/null || true
        wait "$DAEMON" 2>/dev/null || true
    fi
    [ -z "${NOTIFY_PID:-}" ] || { kill "$NOTIFY_PID" && wait "$NOTIFY_PID"; } 2>/dev/null || true
    # what a test that failed half way left running would hold bats' pipes, and the whole file with them;
    # bats has a job of its own, which ends a test that hangs
    jobs -p | grep -vxF "${BATS_JOBS:-none}" | xargs -r kill 2>/dev/null || true
    # shellcheck disable=SC2033
    docker ps -aq | xargs -r timeout 60 docker rm -f >/dev/null 2>&1 || true
    rm -rf "$T"
}

fail() {
    printf '%s\n' "$*" >&2
    return 1
}

# wait_until SECONDS COMMAND… - 20 tries a second, and 5 when that was not enough: each try is a process or
# three, on a machine where others compute. It ends when the command is content; SECONDS only guards against
# hanging, and a machine with other work is given more. What must be fast is measured by timestamps.
wait_until() {
    local deadline=$((SECONDS + 4 * $1 + 1)) tries=0 rest=0.05
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep $rest
        [ $((tries += 1)) -lt 20 ] || rest=0.2
    done
}

# gives VALUE COMMAND… - its output is VALUE
gives() {
    local value=$1
    shift
    [ "$("$@")" = "$value" ]
}

# at_least NUMBER COMMAND…
at_least() {
    local number=$1
    shift
    [ "$("$@")" -ge "$number" ]
}

ctl() { "$BUILD_DIR/daemon/plimsollctl" --control "$T/control.sock" "$@"; }

status_json() { curl -sf --max-time 5 --unix-socket "$T/control.sock" http://plimsolld/v1/status; }

# containers - how many plimsolld knows
containers() { status_json | jq '.containers | length'; }

# status_of NAME JQ-PATH
status_of() { status_json | jq -r --arg n "$1" ".containers[] | select(.name == \$n) | $2"; }

# run_bb NAME [OPTION…] - a container that sleeps
run_bb() {
    local name=$1
    shift
    docker run -d --name "$name" "$@" "$BB" sleep 100000 >/dev/null
}

# --- the kernel's own words ---------------------------------------------------------------------

pid_of() { docker inspect -f '{{.State.Pid}}' "$1"; }
id_of() { docker inspect -f '{{.Id}}' "$1"; }

is_v2() { [ -f /sys/fs/cgroup/cgroup.controllers ]; }

# group_of NAME CONTROLLER - the container's directory
group_of() {
    local pid
    pid=$(pid_of "$1")
    [ "$pid" != 0 ] || return 1
    if is_v2; then
        printf '/sys/fs/cgroup%s' "$(sed -n 's/^0:://p' "/proc/$pid/cgroup")"
    else
        awk -F: -v c="$2" '{ n = split($2, a, ","); for (i = 1; i <= n; i++) if (a[i] == c) print "/sys/fs/cgroup/" c $3 }' \
            "/proc/$pid/cgroup"
    fi
}

# value_of NAME RESOURCE - as a policy would write it: bytes, percent, count or "infinity"
value_of() {
    local group quota period value
    case $2 in
    MemoryMax) value=$(cat "$(group_of "$1" memory)/$(is_v2 && echo memory.max || echo memory.limit_in_bytes)") ;;
    MemorySwapMax)
        group=$(group_of "$1" memory)
        if is_v2; then
            value=$(cat "$group/memory.swap.max")
        else
            value=$(($(cat "$group/memory.memsw.limit_in_bytes") - $(cat "$group/memory.limit_in_bytes")))
        fi
        ;;
    MemoryLow) value=$(cat "$(group_of "$1" memory)/$(is_v2 && echo memory.low || echo memory.soft_limit_in_bytes)") ;;
    TasksMax) value=$(cat "$(group_of "$1" pids)/pids.max") ;;
    CPUWeight)
        group=$(group_of "$1" cpu)
        value=$(cat "$group/$(is_v2 && echo cpu.weight || echo cpu.shares)")
        ;;
    AllowedCPUs) value=$(cat "$(group_of "$1" cpuset)/cpuset.cpus") ;;
    CPUQuota)
        group=$(group_of "$1" cpu)
        if is_v2; then
            read -r quota period <"$group/cpu.max"
        else
            quota=$(cat "$group/cpu.cfs_quota_us") period=$(cat "$group/cpu.cfs_period_us")
        fi
        case $quota in max | -1) value=max ;; *) value=$((quota * 100 / period))% ;; esac
        ;;
    *) fail "value_of: $2?" || return ;;
    esac
    # v1 says "no limit" as the largest multiple of the page
    case $value in max | 9223372036854771712 | 0x7*) value=infinity ;; esac
    printf '%s' "$value"
}

# is NAME RESOURCE VALUE - in force right now
is() { [ "$(value_of "$1" "$2")" = "$3" ]; }

# becomes NAME RESOURCE VALUE - within five seconds
becomes() {
    wait_until 5 is "$@" || fail "$1: $2 is $(value_of "$1" "$2" 2>&1), and should be $3"
}

# stays NAME RESOURCE VALUE - for two seconds
stays() {
    local _
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        is "$@" || fail "$1: $2 is $(value_of "$1" "$2"), and should have stayed $3" || return
        sleep 0.2
    done
}

# write NAME RESOURCE VALUE - behind plimsoll's back, straight into the kernel
write_value() {
    case $2 in
    MemoryMax) echo "$3" >"$(group_of "$1" memory)/$(is_v2 && echo memory.max || echo memory.limit_in_bytes)" ;;
    TasksMax) echo "$3" >"$(group_of "$1" pids)/pids.max" ;;
    esac
}

said() { grep -qE -- "$1" "$LOG"; }

# unsaid PATTERN - "! said" alone would not fail a test
unsaid() { ! said "$1" || fail "said: $1"; }

# --- what plimsolld makes of it -----------------------------------------------------------------

# health NAME - its state
health() { status_of "$1" .health; }
reason() { status_of "$1" .reason; }

# turns NAME STATE [SECONDS] - and the reason, for who reads the failure
turns() {
    wait_until "${3:-20}" gives "$2" health "$1" ||
        fail "$1 is $(health "$1") ($(reason "$1")), and should be $2"
}

# heard NAME NUMBER - so many more answers of its probe, all alike: what follows from them has happened
heard() {
    local before
    before=$(heard_of "$1")
    wait_until 30 at_least $((before + $2)) heard_of "$1" || fail "$1: $(ctl show "$1")"
}
heard_of() { ctl --json show "$1" | jq '.verdicts[0].count'; }

# inside COMMAND… - in the engine's network namespace
inside() { nsenter "--net=$(engine netns)" "$@"; }

# --- restarts -----------------------------------------------------------------------------------

# slow_redis NAME SECONDS [OPTION…] - asked to end, it stops to serve at once, and takes its time to go
slow_redis() {
    docker run -d --name "$1" "${@:3}" redis:debian sh -c "
        trap 'redis-cli shutdown nosave; sleep $2; exit 0' TERM
        redis-server --protected-mode no --save '' --daemonize yes >/dev/null
        while :; do sleep 0.1; done" >/dev/null
}

# hush NAME - it runs on, and does not answer
hush() { docker exec "$1" redis-cli shutdown nosave >/dev/null 2>&1 || true; }

# watch_begin - from now on the engine's events of containers stand in T/events: ID NAME ACTION
watch_begin() {
    command docker events --since "$(date +%s.%N)" --filter type=container \
        --format '{{.Actor.ID}} {{.Actor.Attributes.name}} {{.Action}}' >"$T/events" 2>/dev/null 3>&- 4>&- &
}

# happened NAME-OR-ID ACTION - how often since then
happened() { grep -cE "(^| )$1( [^ ]*)? $2\$" "$T/events" || true; }

# happens NAME-OR-ID ACTION [SECONDS]
happens() { wait_until "${3:-20}" at_least 1 happened "$1" "$2" || fail "$1: no $2: $(cat "$T/events")"; }

# points_begin VARIABLE=POINT - a plimsolld that dies or stands still in its first restart
points_begin() {
    DAEMON_PROGRAM=$BUILD_DIR/tests/support/plimsolld-points DAEMON_WRAPPER="env $1" daemon_begin
}

# again - the next plimsolld, after one that was killed
again() {
    wait "$DAEMON" 2>/dev/null || true
    : >"$T/notify.log"
    daemon_begin
}
