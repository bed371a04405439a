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
    engine_end
    [ -n "${BATS_TEST_COMPLETED:-}" ] || cat "$OUT"
    rm -f "$OUT"
}

# the directories of runs that this test started
runs() { grep -oE '/var/tmp/plimsoll-run\.[A-Za-z0-9]+' "$OUT" | sort -u; }

# start_run [OPTION…] - as a terminal would: an own process group that Ctrl-C signals as a whole
start_run() {
    echo '---' >>"$OUT"
    setsid env --default-signal=INT,TERM,HUP "$ROOT/dev" run "$@" >>"$OUT" 2>&1 3>&- 4>&- &
    PGID=$!
}

# start_piped_run - the same, with all that it says going through a tee that Ctrl-C kills as well
start_piped_run() {
    echo '---' >>"$OUT"
    # shellcheck disable=SC2016 # for the shell inside
    setsid env --default-signal=INT,TERM,HUP,PIPE bash -c '"$1/dev" run 2>&1 | tee -a "$2"' _ "$ROOT" "$OUT" \
        >/dev/null 2>&1 3>&- 4>&- &
    PGID=$!
}

press() { kill "-$1" -- "-$PGID"; }

gone() { ! kill -0 -- "-$PGID" 2>/dev/null; }

# ends_within SECONDS - and says how long it took, which is the machine's affair, too
ends_within() {
    local begin=$EPOCHREALTIME
    wait_until "$1" gone || return
    echo "# gone after $(((${EPOCHREALTIME/./} - ${begin/./}) / 1000)) ms" >&3
}

# what the runs of this test have left: directories, mounts, processes, namespaces (with bridges),
# cgroups; other engines may run beside it
traces() {
    local dir name
    for dir in $(runs); do
        [ ! -e "$dir" ] || echo "directory $dir"
        grep -o "${dir}[^ ]*" /proc/self/mountinfo || true
        # not grep itself
        grep -ls "${dir/run/ru[n]}" /proc/[0-9]*/cmdline | sed 's/^/process /' || true
        # shellcheck source=tests/support/engine.sh
        name=$(. "$SUPPORT/engine.sh" && engine_name "$dir/engine")
        [ ! -e "/run/netns/$name" ] || echo "namespace $name"
        find /sys/fs/cgroup -maxdepth 3 -type d \( -name "$name" -o -name "${name//-/}.slice" \) 2>/dev/null || true
    done
}

nothing_left() {
    local left
    left=$(traces)
    [ -z "$left" ] || fail "left behind: $left"
}

# the last one that was started
# shellcheck disable=SC2016 # sed's dollar
up() { sed -n '/^---$/{h;d};H;${x;p}' "$OUT" | grep -q 'In another terminal'; }

@test "the demo comes up, holds its stack, and Ctrl-C leaves nothing behind" {
    local run ctl line
    start_run
    wait_until 120 up
    run=$(runs | tail -n 1)
    export DOCKER_HOST=unix://$run/engine/docker.sock
    wait_until 15 is mlstack-redis-1 MemoryMax "$(policy_bytes redis)"
    [ "$(docker ps -q | wc -l)" = 8 ]
    run "$BUILD_DIR/daemon/plimsollctl" --control "$run/control.sock" status
    echo "$output"
    # 1: some of them may still be starting
    [ "$status" -le 1 ]
    [[ "$output" == *mlstack-postgres-1* ]]
    # as it is printed: the assignment, then the command up to its explanation
    ctl=$(sed -n 's/^  ctl="\(.*\)"$/\1/p' "$OUT" | tail -n 1)
    line=$(sed -n 's/^  \$ctl \(logs .*[^ ]\)   *the end.*/\1/p' "$OUT" | tail -n 1)
    wait_until 15 talks
    press INT
    ends_within 30
    nothing_left
}

@test "Ctrl-C leaves nothing behind where a pipe takes what is said" {
    start_piped_run
    wait_until 120 up
    press INT
    ends_within 30
    nothing_left
}

@test "a reader that is gone before Ctrl-C makes no difference" {
    start_piped_run
    wait_until 120 up
    pkill -KILL -g "$PGID" -x tee
    press INT
    ends_within 30
    nothing_left
}

# the demo's own command line, word by word
# shellcheck disable=SC2086,SC2154 # words; the test sets them
talks() { $ctl $line | grep -q 'of a chatty service$'; }

# policy_bytes SERVICE - MemoryMax of the shipped policy
policy_bytes() {
    awk -v s="[Service $1]" '$0 == s { on = 1; next } /^\[/ { on = 0 } on && /^MemoryMax=/ { print substr($0, 11) }' \
        "$ROOT/conf/plimsoll.conf" | numfmt --from=iec
}

@test "Ctrl-C during the start leaves nothing behind" {
    local delay
    for delay in 0.3 1 1.7 2.5 4; do
        start_run
        sleep "$delay"
        press INT
        wait_until 40 gone || fail "still there after $delay s + 40 s"
        nothing_left
    done
}

@test "Ctrl-C pressed again and again, and a terminal that closes" {
    local _
    start_run
    wait_until 120 up
    sleep 1
    for _ in 1 2 3 4 5 6; do
        press INT || true
        sleep 0.2
    done
    wait_until 40 gone
    nothing_left
    start_run
    wait_until 120 up
    press HUP
    wait_until 40 gone
    nothing_left
}

@test "a run that was killed (-9) is cleared by the next one" {
    start_run
    wait_until 120 up
    press KILL
    wait_until 10 gone
    start_run
    wait_until 120 up
    press INT
    wait_until 40 gone
    nothing_left
}

@test "an engine of yours: dry-run unless --apply, and given back in the end" {
    engine_begin
    run_bb redis
    printf '[Service redis]\nMatch=name:redis\nMemoryMax=64M\n' >"$E/p.conf"
    start_run --engine "$DOCKER_HOST" --policy "$E/p.conf"
    wait_until 30 grep -qE 'redis.*MemoryMax|MemoryMax.*redis' "$OUT"
    stays redis MemoryMax infinity
    press INT
    wait_until 20 gone
    nothing_left
    start_run --engine "$DOCKER_HOST" --policy "$E/p.conf" --apply
    becomes redis MemoryMax $((64 * MIB))
    press INT
    wait_until 20 gone
    is redis MemoryMax infinity
    [ "$(docker ps -q | wc -l)" = 1 ]
}
