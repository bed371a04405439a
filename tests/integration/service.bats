#!/usr/bin/env bats
# plimsolld as a service: what it tells its manager, its socket, its options, its memory.

load helper

setup_file() { engine_begin; }
teardown_file() { engine_end; }

setup() {
    begin
    policy_is <<'END'
[Service web-front]
Match=name:web
MemoryMax=64M
TasksMax=50
END
}
teardown() { end; }

daemon() { "$BUILD_DIR/daemon/plimsolld" "$@"; }

@test "a second plimsolld with the same state or archives is refused, and names the first" {
    daemon_begin
    run timeout 20 "$BUILD_DIR/daemon/plimsolld" --policy "$T/plimsoll.conf" --control "$T/second.sock" --state "$T/state" --archive "$T/other"
    echo "$output"
    [ "$status" -eq 75 ]
    [[ $output == *"Another plimsolld (pid $DAEMON) uses $T/state: stop it"* ]]
    mkdir "$T/elsewhere"
    run timeout 20 "$BUILD_DIR/daemon/plimsolld" --policy "$T/plimsoll.conf" --control "$T/second.sock" --state "$T/elsewhere" --archive "$T/archive"
    echo "$output"
    [ "$status" -eq 75 ]
    [[ $output == *"Another plimsolld (pid $DAEMON) uses $T/archive: stop it"* ]]
    # the end of the first one frees it, a violent one as well
    daemon_end KILL
    daemon_begin
}

@test "a dry run beside another plimsolld stays one, whatever a reload says" {
    local other
    daemon_begin
    { echo '[Daemon]'; echo 'DryRun=yes'; grep Engine= "$T/plimsoll.conf" || true; } >"$T/second.conf"
    "$BUILD_DIR/daemon/plimsolld" --policy "$T/second.conf" --control "$T/second.sock" --state "$T/state" --archive "$T/archive" >"$T/second.log" 2>&1 3>&- 4>&- &
    other=$!
    wait_until 10 test -S "$T/second.sock"
    sed -i 's/DryRun=yes/DryRun=no/' "$T/second.conf"
    kill -HUP "$other"
    wait_until 10 grep -q "stays in force: Another plimsolld (pid $DAEMON) uses $T/state" "$T/second.log" || { cat "$T/second.log"; kill "$other"; false; }
    "$BUILD_DIR/daemon/plimsollctl" --control "$T/second.sock" --json status | jq -e .dry_run
    # and is free to act when the first one is gone
    daemon_end
    kill -HUP "$other"
    wait_until 10 gives false dry_run_of_second || { cat "$T/second.log"; kill "$other"; false; }
    kill "$other"
    wait "$other"
}

dry_run_of_second() { "$BUILD_DIR/daemon/plimsollctl" --control "$T/second.sock" --json status | jq .dry_run; }

# second_spawn - a plimsolld with everything of its own but the engine, which it reaches by another path
second_spawn() {
    mkdir -p "$T/2/archive"
    ln -sfn "$E/engine" "$T/2/engine"
    "$BUILD_DIR/daemon/plimsolld" --policy "$T/second.conf" --engine "unix://$T/2/engine/docker.sock" \
        --control "$T/2/control.sock" --state "$T/2/state" --archive "$T/2/archive" >"$T/second.log" 2>&1 3>&- 4>&- &
    other=$!
}

second_is_refused() { wait_until 10 grep -qF "$1: Another plimsolld (pid $DAEMON, control socket $T/control.sock) looks after the engine at unix://$T/2/engine/docker.sock already" "$T/second.log"; }

@test "a second plimsolld for the same engine is refused, whatever its directories are" {
    local other status=0
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    sed 's/MemoryMax=.*/MemoryMax=32M/' "$T/plimsoll.conf" >"$T/second.conf"
    second_spawn
    wait "$other" || status=$?
    cat "$T/second.log"
    [ "$status" -eq 75 ]
    grep -qF "Another plimsolld (pid $DAEMON, control socket $T/control.sock) looks after the engine at unix://$T/2/engine/docker.sock already" "$T/second.log"
    is web MemoryMax $((64 * MIB))
    [ -z "$(ls "$T/2/state/containers")" ]
    unsaid 'limits changed by'
    # the end of the first one frees it, a violent one as well
    daemon_end KILL
    second_spawn
    wait_until 10 grep -q 'Connected to the engine' "$T/second.log" || { cat "$T/second.log"; false; }
    kill "$other"
    wait "$other"
}

@test "a dry run beside another plimsolld of the same engine cannot be ended by a reload" {
    local other
    daemon_begin
    printf '[Daemon]\nDryRun=yes\n' >"$T/second.conf"
    second_spawn
    wait_until 10 grep -q 'Connected to the engine' "$T/second.log" || { cat "$T/second.log"; false; }
    printf '[Daemon]\nDryRun=no\n' >"$T/second.conf"
    kill -HUP "$other"
    second_is_refused 'stays in force' || { cat "$T/second.log"; kill "$other"; false; }
    daemon_end
    kill -HUP "$other"
    wait_until 10 gives false sh -c "'$BUILD_DIR/daemon/plimsollctl' --control '$T/2/control.sock' --json status | jq .dry_run" ||
        { cat "$T/second.log"; kill "$other"; false; }
    kill "$other"
    wait "$other"
}

@test "READY comes after the first full reconcile" {
    run_bb web
    daemon_begin
    is web MemoryMax $((64 * MIB))
    grep -q '^STATUS=.' "$T/notify.log"
}

@test "STATUS counts what is held" {
    run_bb web
    daemon_begin
    wait_until 5 grep -qE '^STATUS=.*1/1' "$T/notify.log"
}

@test "SIGHUP sends RELOADING with a monotonic time, then READY" {
    daemon_begin
    : >"$T/notify.log"
    kill -HUP "$DAEMON"
    wait_until 5 ready
    grep -q '^RELOADING=1' "$T/notify.log"
    grep -qE '^MONOTONIC_USEC=[0-9]+$' "$T/notify.log"
    [ "$(grep -n '^RELOADING=1' "$T/notify.log" | head -n 1 | cut -d: -f1)" -lt \
        "$(grep -n '^READY=1' "$T/notify.log" | tail -n 1 | cut -d: -f1)" ]
}

@test "SIGTERM and SIGINT send STOPPING and exit 0" {
    daemon_begin
    daemon_end TERM
    [ "${ended:?}" = 0 ]
    wait_until 5 grep -q '^STOPPING=1' "$T/notify.log"
    daemon_begin
    daemon_end INT
    [ "${ended:?}" = 0 ]
    wait_until 5 grep -q '^STOPPING=1' "$T/notify.log"
}

@test "the watchdog is fed while the loop runs, and not when it hangs" {
    local n
    # what systemd sets with WatchdogSec=1s
    DAEMON_WRAPPER='env WATCHDOG_USEC=1000000' daemon_begin
    sleep 3
    n=$(grep -c '^WATCHDOG=1' "$T/notify.log")
    echo "$n pings in 3 s"
    [ "$n" -ge 3 ]
    kill -STOP "$DAEMON"
    sleep 0.5
    n=$(grep -c '^WATCHDOG=1' "$T/notify.log")
    sleep 1.5
    [ "$(grep -c '^WATCHDOG=1' "$T/notify.log")" = "$n" ]
    kill -CONT "$DAEMON"
}

@test "the control socket is for root and its group alone, and goes away" {
    daemon_begin
    [ "$(stat -c %a "$T/control.sock")" = 660 ]
    [ "$(stat -c %U "$T/control.sock")" = root ]
    # nobody has no business here
    chmod 711 "$E" "$T"
    run setpriv --reuid 65534 --regid 65534 --clear-groups \
        curl -s --max-time 5 --unix-socket "$T/control.sock" http://x/v1/status
    [ "$status" -ne 0 ]
    curl -sf --unix-socket "$T/control.sock" http://x/v1/status | jq -e .version
    daemon_end
    [ ! -e "$T/control.sock" ]
}

@test "a socket that a killed plimsolld left is replaced; one in use is not" {
    daemon_begin
    daemon_end KILL
    [ -S "$T/control.sock" ]
    daemon_begin
    ctl status >/dev/null
    run timeout 10 nsenter "--net=$(engine netns)" "$BUILD_DIR/daemon/plimsolld" --policy "$T/plimsoll.conf" \
        --control "$T/control.sock" --state "$T/state2" --archive "$T/archive2"
    [ "$status" -ne 0 ]
    [ "$status" -ne 124 ]
    [[ "$output" == *control.sock* ]]
    ctl status >/dev/null
}

@test "what cannot be made where it is to be: exit 73" {
    local long
    long=$T/$(printf 'x%.0s' {1..120})
    mkdir "$T/directory"
    touch "$T/file"
    ln -s loop "$T/loop"
    for option in "--control=$T/directory" "--control=$T/file" "--control=$long" "--control=$T/loop" \
        "--control=$T/file/x" "--state=$T/loop" "--state=$T/file" "--archive=$T/file"; do
        run timeout 20 "$BUILD_DIR/daemon/plimsolld" --policy "$T/plimsoll.conf" --control "$T/c" \
            --state "$T/s" --archive "$T/a" "$option"
        [ "$status" -eq 73 ] || fail "$option: $status: $output"
    done
}

@test "no daemon: plimsollctl exits 3 with a helpful line" {
    run ctl status
    [ "$status" -eq 3 ]
    [[ "$output" == *control.sock* ]]
    [[ "$output" == *plimsolld* ]]
}

@test "--check: 0 for a good policy, 78 for a bad one, with every error and its place" {
    run daemon --check --policy "$T/plimsoll.conf"
    [ "$status" -eq 0 ]
    printf '[Service x]\nMatch=name:x\nMemoryMax=abc\nCPUQuta=1%%\n' >"$T/bad.conf"
    run daemon --check --policy "$T/bad.conf"
    echo "$output"
    [ "$status" -eq 78 ]
    [[ "$output" == *"bad.conf:3:"* ]]
    [[ "$output" == *"bad.conf:4:"*CPUQuota* ]]
    run daemon --check --policy "$T/none.conf"
    [ "$status" -eq 78 ]
    [[ "$output" == *none.conf* ]]
}

@test "a bad policy at the start: exit 78, and nothing was touched" {
    run_bb web
    echo 'MemoryMax=1' >"$T/plimsoll.conf"
    run timeout 10 "$BUILD_DIR/daemon/plimsolld" --policy "$T/plimsoll.conf" --control "$T/control.sock" \
        --state "$T/state" --archive "$T/archive" --engine "$DOCKER_HOST"
    [ "$status" -eq 78 ]
    is web MemoryMax infinity
}

@test "plimsollctl check says the same" {
    run ctl check "$T/plimsoll.conf"
    [ "$status" -eq 0 ]
    printf '[Service x]\nMatch=name:x\nMemoryMax=abc\n' >"$T/bad.conf"
    run ctl check "$T/bad.conf"
    [ "$status" -eq 1 ]
    [[ "$output" == *"bad.conf:3:"* ]]
    run ctl check --verbose "$T/plimsoll.conf"
    [ "$status" -eq 0 ]
    [[ "$output" == *web*64M* ]]
}

@test "unknown options and arguments: exit 64 for plimsolld, 2 for plimsollctl" {
    run daemon --nonsense
    [ "$status" -eq 64 ]
    run daemon extra
    [ "$status" -eq 64 ]
    run daemon --engine http://example.org
    [ "$status" -eq 64 ]
    run daemon --policy "$T/plimsoll.conf" --control "$T/control.sock" --state /proc/none
    [ "$status" -eq 73 ]
    run ctl --nonsense
    [ "$status" -eq 2 ]
    run ctl nonsense
    [ "$status" -eq 2 ]
    run daemon --engine unix://run/docker.sock
    [ "$status" -eq 64 ]
    [[ "$output" == *"unix:///run/docker.sock"* ]] || fail "$output"
}

@test "--help fits one screen, --version names the version" {
    run daemon --help
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -le 24 ]
    run ctl --help
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -le 30 ]
    run daemon --version
    [ "$status" -eq 0 ]
    [[ "$output" == *0.1.0* ]]
}

@test "events are streamed live" {
    daemon_begin
    ctl events >"$T/events" 2>&1 3>&- 4>&- &
    local reader=$!
    sleep 0.5
    run_bb web
    becomes web TasksMax 50
    sleep 1
    write_value web TasksMax 77
    wait_until 5 grep -q 'web.*TasksMax' "$T/events"
    kill "$reader"
    wait "$reader" || true
}

@test "hostile names and labels reach neither terminal nor log unescaped" {
    daemon_begin
    docker run -d --name web --label "$(printf 'a\033[31mb')=$(printf 'c\033]0;x\007\nd')" \
        "$BB" sleep 1000
    becomes web MemoryMax $((64 * MIB))
    ctl show web >"$T/show" || true
    ctl status >"$T/status" || true
    run ! grep -lP '\x1b|\x07' "$T/show" "$T/status" "$LOG"
}

@test "valgrind: start, reload, lose and regain the engine, stop: no leak, no error" {
    DAEMON_WRAPPER="valgrind -q --leak-check=full --show-leak-kinds=definite,indirect,possible \
        --errors-for-leak-kinds=definite,indirect,possible --error-exitcode=99 --child-silent-after-fork=yes \
        --log-file=$T/valgrind.log" daemon_spawn
    wait_until 60 ready
    run_bb web
    wait_until 20 is web MemoryMax $((64 * MIB))
    docker update --pids-limit 99 web
    wait_until 20 is web TasksMax 50
    policy_is <<'END'
[Service web-front]
Match=name:web
MemoryMax=96M
END
    ctl reload
    wait_until 20 is web MemoryMax $((96 * MIB))
    echo nonsense >>"$T/plimsoll.conf"
    run ctl reload
    [ "$status" -eq 1 ]
    ctl status || true
    ctl show web || true
    engine kill
    sleep 2
    engine up
    docker start web
    wait_until 60 is web MemoryMax $((96 * MIB))
    docker rm -f web
    sleep 1
    daemon_end
    cat "$T/valgrind.log"
    [ "${ended:?}" = 0 ]
    # a syscall that this valgrind does not know (openat2) is no error: ours begin with ==
    run ! grep "^==" "$T/valgrind.log"
}

@test "the first start after an upgrade names each limit that a section gains, once" {
    run_bb web
    daemon_begin
    becomes web MemoryMax $((64 * MIB))
    # an older version leaves records of containers, and no note that it knew of [Defaults]
    daemon_end
    rm "$T/state/inherits"
    compgen -G "$T/state/containers/*"
    cat >>"$T/plimsoll.conf" <<'END'
[Service own]
Match=name:own
CPUQuota=20%
LogMaxSize=
[Defaults]
CPUQuota=50%
LogMaxSize=8M
END
    daemon_begin
    grep -F "[Service web-front] had no LogMaxSize=8M, CPUQuota=50% until now, and has it from [Defaults] ($T/plimsoll.conf:" "$LOG"
    # what it says itself, or leaves out, is no gain
    run ! grep -F '[Service own] had no' "$LOG"
    becomes web CPUQuota 50%
    daemon_end
    daemon_begin
    daemon_end
    [ "$(grep -c 'until now' "$LOG")" = 1 ]
}
