#!/usr/bin/env bats
# plimsolld dies: containers and limits do not care, and the next one knows what was there before.

load helper

setup_file() { engine_begin; }
teardown_file() { engine_end; }

setup() {
    begin
    policy_is <<'END'
[Service web-front]
Match=name:web*
MemoryMax=64M
TasksMax=50
END
}
teardown() {
    ! mountpoint -q "$T/state" || umount -l "$T/state"
    end
}

@test "kill -9: containers run on, limits stay in force" {
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    daemon_end KILL
    stays web MemoryMax $((64 * MIB))
    is web TasksMax 50
    [ "$(docker inspect -f '{{.State.Running}}' web)" = true ]
}

@test "after kill -9 a new plimsolld repairs what was changed meanwhile" {
    daemon_begin
    run_bb web
    becomes web TasksMax 50
    daemon_end KILL
    write_value web TasksMax 99
    run_bb web2
    daemon_begin
    becomes web TasksMax 50
    becomes web2 MemoryMax $((64 * MIB))
}

@test "after kill -9 the originals are still known" {
    docker run -d --name web --memory 200m --memory-swap 400m --pids-limit 333 "$BB" sleep 1000
    daemon_begin
    becomes web MemoryMax $((64 * MIB))
    becomes web TasksMax 50
    daemon_end KILL
    policy_is </dev/null
    daemon_begin
    becomes web MemoryMax $((200 * MIB))
    becomes web TasksMax 333
}

@test "kill -9 at twenty random moments under churn" {
    local _
    daemon_begin
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        docker rm -f web >/dev/null 2>&1 || true
        run_bb web
        sleep "0.$((RANDOM % 10))"
        daemon_end KILL
        daemon_spawn
    done
    docker restart -t 0 web
    wait_until 20 is web MemoryMax $((64 * MIB))
    wait_until 20 is web TasksMax 50
    # state of containers that are gone is gone too
    wait_until 10 gives 1 sh -c "ls '$T/state/containers' | wc -l"
}

@test "a broken state file is set aside, not believed and not fatal" {
    local f
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    wait_until 5 test -f "$T/state/containers/$(id_of web)"
    daemon_end KILL
    for f in "$T"/state/containers/*; do
        head -c 20 "$f" >"$f.cut" && mv "$f.cut" "$f"
    done
    daemon_begin
    becomes web MemoryMax $((64 * MIB))
    [ "$(docker inspect -f '{{.State.Running}}' web)" = true ]
}

# --- a reboot: containers and engine are killed, /run is empty, all is started again

# daemon_as_packaged - the state where systemd's StateDirectory= would be, and /run/plimsoll
daemon_as_packaged() {
    mkdir -p "$T/run" "$T/lib" "$T/archive"
    LOG=$T/log
    : >"$T/notify.log"
    notify_begin
    NOTIFY_SOCKET=$T/notify STATE_DIRECTORY=$T/lib RUNTIME_DIRECTORY=$T/run nsenter "--net=$(engine netns)" \
        "${DAEMON_PROGRAM:-$BUILD_DIR/daemon/plimsolld}" --policy "$T/plimsoll.conf" --control "$T/control.sock" \
        --archive "$T/archive" 3>&- 4>&- >>"$LOG" 2>&1 &
    DAEMON=$!
    wait_until 10 ready || fail "plimsolld was not ready in 10 s"
}

# reboot NAME… - and nothing runs but the engine
reboot() {
    daemon_end KILL
    docker kill "$@" >/dev/null
    engine kill
    rm -rf "$T/run"
    engine up
}

told() { docker inspect -f "{{.HostConfig.$2}}" "$1"; }

@test "a reboot: values that leave the policy are the originals again, in the kernel and in the engine" {
    docker run -d --name web --memory 200m --memory-swap 400m --pids-limit 333 "$BB" sleep 1000
    daemon_as_packaged
    becomes web MemoryMax $((64 * MIB))
    wait_until 5 gives $((64 * MIB)) told web Memory
    wait_until 5 gives 50 told web PidsLimit
    reboot web
    docker start web
    is web MemoryMax $((64 * MIB)) # the engine remembers what it was told
    policy_is </dev/null
    daemon_as_packaged
    becomes web MemoryMax $((200 * MIB))
    becomes web TasksMax 333
    becomes web MemorySwapMax $((200 * MIB))
    wait_until 5 gives $((200 * MIB)) told web Memory
    wait_until 5 gives $((400 * MIB)) told web MemorySwap
    wait_until 5 gives 333 told web PidsLimit
    # and nothing is kept of it
    wait_until 5 gives 0 sh -c "ls '$T/lib/containers' | wc -l"
}

@test "a reboot: the policy still holds, and what a new plimsolld captures is not its own" {
    docker run -d --name web --memory 200m --memory-swap 400m "$BB" sleep 1000
    policy_is <<'END'
[Service web-front]
Match=name:web*
MemoryMax=64M
END
    daemon_as_packaged
    wait_until 5 gives $((64 * MIB)) told web Memory
    reboot web
    docker start web
    daemon_as_packaged
    becomes web MemoryMax $((64 * MIB))
    reboot web
    docker start web
    policy_is </dev/null
    daemon_as_packaged
    becomes web MemoryMax $((200 * MIB))
    becomes web MemorySwapMax $((200 * MIB))
}

@test "what was written into the kernel's files is given back in the same run, and gone with it" {
    run_bb web
    write_value web TasksMax 77
    daemon_as_packaged
    becomes web TasksMax 50
    daemon_end KILL
    policy_is </dev/null
    daemon_as_packaged
    becomes web TasksMax 77
    policy_is <<'END'
[Service web-front]
Match=name:web*
MemoryMax=64M
END
    write_value web MemoryMax $((300 * MIB))
    kill -HUP "$DAEMON"
    becomes web MemoryMax $((64 * MIB))
    docker restart -t 0 web
    becomes web MemoryMax $((64 * MIB))
    policy_is </dev/null
    kill -HUP "$DAEMON"
    becomes web MemoryMax infinity
}

@test "an upgrade: the records of the run directory are taken over" {
    docker run -d --name web --memory 200m --memory-swap 400m "$BB" sleep 1000
    daemon_as_packaged
    becomes web MemoryMax $((64 * MIB))
    wait_until 5 gives $((64 * MIB)) told web Memory
    daemon_end KILL
    # as version 0.1 had it
    mkdir -p "$T/run/containers"
    printf '{"id":"%s","managed":["MemoryMax","TasksMax"],"original":{"MemoryMax":%d,"MemorySwapMax":%d,"TasksMax":"infinity"},"engine_original":{"MemoryMax":%d,"MemorySwapMax":%d}}' \
        "$(id_of web)" $((200 * MIB)) $((200 * MIB)) $((200 * MIB)) $((200 * MIB)) >"$T/run/containers/$(id_of web)"
    rm "$T/lib/containers/$(id_of web)"
    daemon_as_packaged
    wait_until 5 test -f "$T/lib/containers/$(id_of web)"
    [ ! -e "$T/run/containers/$(id_of web)" ]
    said "Moved 1 file about containers from $T/run to $T/lib"
    reboot web
    docker start web
    policy_is </dev/null
    daemon_as_packaged
    becomes web MemoryMax $((200 * MIB))
    becomes web TasksMax infinity
}

@test "the record of a later version is left alone, and its container too" {
    run_bb web
    mkdir -p "$T/lib/containers"
    printf '{"version":99,"id":"%s","managed":{}}' "$(id_of web)" >"$T/lib/containers/$(id_of web)"
    daemon_as_packaged
    run_bb web2
    becomes web2 MemoryMax $((64 * MIB))
    is web MemoryMax infinity
    [ "$(jq .version "$T/lib/containers/$(id_of web)")" = 99 ]
    [ "$(grep -c 'written by a later plimsoll' "$LOG")" = 1 ]
}

@test "the state directory is nobody else's" {
    daemon_as_packaged
    [ "$(stat -c %a "$T/lib/containers")" = 700 ]
    rm -rf "$T/fresh"
    daemon_end
    timeout 10 "$BUILD_DIR/daemon/plimsolld" --policy "$T/none" --state "$T/fresh" 2>/dev/null || true
    [ ! -e "$T/fresh" ] # the policy comes first
}

@test "the state directory is full: limits are left alone, that is said once, and status knows why" {
    local n
    mkdir -p "$T/state"
    mount -t tmpfs -o size=64k tmpfs "$T/state"
    daemon_begin
    dd if=/dev/zero of="$T/state/full" bs=4k 2>/dev/null || true
    run_bb web
    wait_until 5 said 'limits not touched: what was there before cannot be kept in .*: No space left on device'
    for n in 1 2 3; do
        kill -HUP "$DAEMON"
        wait_until 5 at_least $((n + 1)) sh -c "grep -c 'Policy .*: 1 service' '$LOG'"
    done
    docker restart -t 0 web
    is web MemoryMax infinity
    [ "$(docker inspect -f '{{.HostConfig.Memory}}' web)" = 0 ]
    [ "$(grep -c 'limits not touched' "$LOG")" -le 2 ] || { grep 'limits not touched' "$LOG"; false; } # once per run of it
    ctl show web | grep -q 'cannot be kept'
    rm "$T/state/full"
    kill -HUP "$DAEMON"
    becomes web MemoryMax $((64 * MIB))
    daemon_end
}

swap_told() { docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}' "$1"; }

@test "swap that goes along with memory: a person's docker update counts, for kernel and engine alike" {
    policy_is <<'END'
[Service web-front]
Match=name:web*
MemoryMax=64M
END
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    wait_until 5 gives "$((64 * MIB)) -1" swap_told web
    docker update --memory 100m --memory-swap 150m web >/dev/null
    becomes web MemoryMax $((64 * MIB))
    becomes web MemorySwapMax $((50 * MIB))
    wait_until 5 gives "$((64 * MIB)) $((114 * MIB))" swap_told web
    policy_is </dev/null
    kill -HUP "$DAEMON"
    becomes web MemoryMax $((100 * MIB))
    becomes web MemorySwapMax $((50 * MIB))
    wait_until 5 gives "$((100 * MIB)) $((150 * MIB))" swap_told web
}
