#!/usr/bin/env bats
# ./dev run: it comes up, and Ctrl-C leaves nothing behind, whenever it is pressed.
# shellcheck disable=SC2030,SC2031 # each test is a subshell, on purpose

load helper

ROOT=$BATS_TEST_DIRNAME/../..

setup() {
    OUT=$(mktemp /var/tmp/plimsoll-out.XXXXXX)
    PGID=''
}
teardown() {
    [ -z "$PGID" ] || kill -9 -- "-$PGID" 2>/dev/null || true
    # a run that a failed test left: as a user's next run would
    for dir in $(runs); do
        "$SUPPORT/engine.sh" stop "$dir/engine"
        rm -rf "$dir"
    done
    [ -n "${BATS_TEST_COMPLETED:-}" ] || cat "$OUT"
    rm -f "$OUT"
}

# the directories of runs that this test started
runs() { grep -oE '/var/tmp/plimsoll-run\.[A-Za-z0-9]+' "$OUT" | sort -u; }

# start_run [OPTION…] - as a terminal would: an own process group that Ctrl-C signals as a whole
start_run() {
    setsid env --default-signal=INT,TERM,HUP "$ROOT/dev" run "$@" >"$OUT" 2>&1 3>&- 4>&- &
    PGID=$!
}

press() { kill "-$1" -- "-$PGID"; }

gone() { ! kill -0 -- "-$PGID" 2>/dev/null; }

# what a run could leave: processes, mounts, namespaces, bridges, cgroups, directories
traces() {
    local dir
    for dir in /var/tmp/plimsoll-run.*; do
        [ ! -e "$dir" ] || echo "directory $dir"
    done
    grep -o '/var/tmp/plimsoll-run[^ ]*' /proc/self/mountinfo || true
    for dir in /proc/[0-9]*; do
        if tr '\0' ' ' <"$dir/cmdline" 2>/dev/null | grep -q '/var/tmp/plimsoll-run'; then
            echo "process ${dir#/proc/}: $(tr '\0' ' ' <"$dir/cmdline" 2>/dev/null)"
        fi
    done
    ip netns list | sed 's/ .*//; s/^/netns /'
    ip -o link show type bridge | awk '{ print "bridge", $2 }'
    find /sys/fs/cgroup -maxdepth 3 -type d -name 'plimsoll*' -printf 'cgroup %p\n' 2>/dev/null
}

# nothing_left BEFORE - other engines may run beside this test: compare
nothing_left() {
    local left
    left=$(comm -13 <(sort <<<"$1") <(traces | sort) | grep -v '^$' || true)
    [ -z "$left" ] || fail "left behind: $left"
}

up() { grep -q 'In another terminal' "$OUT"; }

@test "the demo comes up, holds its stack, and Ctrl-C leaves nothing behind" {
    local before run
    before=$(traces)
    start_run
    wait_until 120 up
    run=$(runs)
    export DOCKER_HOST=unix://$run/engine/docker.sock
    wait_until 15 is mlstack-redis-1 MemoryMax "$(policy_bytes redis)"
    [ "$(docker ps -q | wc -l)" = 8 ]
    "$BUILD_DIR/daemon/plimsollctl" --control "$run/control.sock" status
    press INT
    wait_until 30 gone
    nothing_left "$before"
}

# policy_bytes SERVICE - MemoryMax of the shipped policy
policy_bytes() {
    awk -v s="[Service $1]" '$0 == s { on = 1; next } /^\[/ { on = 0 } on && /^MemoryMax=/ { print substr($0, 11) }' \
        "$ROOT/conf/plimsoll.conf" | numfmt --from=iec
}

@test "Ctrl-C during the start leaves nothing behind" {
    local before delay
    before=$(traces)
    for delay in 0.3 1 1.7 2.5 4; do
        start_run
        sleep "$delay"
        press INT
        wait_until 40 gone || fail "still there after $delay s + 40 s"
        nothing_left "$before"
    done
}

@test "Ctrl-C pressed again and again, and a terminal that closes" {
    local before _
    before=$(traces)
    start_run
    wait_until 120 up
    sleep 1
    for _ in 1 2 3 4 5 6; do
        press INT || true
        sleep 0.2
    done
    wait_until 40 gone
    nothing_left "$before"
    start_run
    wait_until 120 up
    press HUP
    wait_until 40 gone
    nothing_left "$before"
}

@test "a run that was killed (-9) is cleared by the next one" {
    local before
    before=$(traces)
    start_run
    wait_until 120 up
    press KILL
    wait_until 10 gone
    start_run
    wait_until 120 up
    press INT
    wait_until 40 gone
    nothing_left "$before"
}

@test "an engine of yours: dry-run unless --apply, and given back in the end" {
    local dir
    dir=$(mktemp -d /var/tmp/plimsoll-test.XXXXXX)
    "$SUPPORT/engine.sh" start "$dir/engine"
    export DOCKER_HOST=unix://$dir/engine/docker.sock
    "$SUPPORT/images.sh" load "$IMAGES" "$dir/engine/docker.sock" busybox
    run_bb redis
    printf '[Service redis]\nMatch=name:redis\nMemoryMax=64M\n' >"$dir/p.conf"
    start_run --engine "$DOCKER_HOST" --policy "$dir/p.conf"
    wait_until 30 grep -qE 'redis.*MemoryMax|MemoryMax.*redis' "$OUT"
    stays redis MemoryMax infinity
    press INT
    wait_until 20 gone
    start_run --engine "$DOCKER_HOST" --policy "$dir/p.conf" --apply
    becomes redis MemoryMax $((64 * MIB))
    press INT
    wait_until 20 gone
    is redis MemoryMax infinity
    [ "$(docker ps -q | wc -l)" = 1 ]
    "$SUPPORT/engine.sh" stop "$dir/engine"
    rm -rf "$dir"
}
