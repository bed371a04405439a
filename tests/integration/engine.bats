#!/usr/bin/env bats
# The engine dies, hangs, comes back or is not there: limits stay, nothing is missed.

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
    # whatever state a failed test left it in
    engine thaw
    docker version >/dev/null 2>&1 || { engine kill; engine up; }
    end
}

connected() { [ "$(status_json | jq -r .engine.connected)" = "$1" ]; }

@test "stopped and started again in good order: a full resync" {
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    engine down
    wait_until 5 connected false
    wait_until 5 said '[Ee]ngine'
    engine up
    wait_until 40 connected true
    docker start web
    run_bb web2
    becomes web MemoryMax $((64 * MIB))
    becomes web2 TasksMax 50
}

@test "kill -9 of the engine: lost is said once, and it is found again" {
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    engine kill
    wait_until 5 connected false
    kill -0 "$DAEMON"
    # what is observed is stale, not empty
    status_json | jq -e '.containers[] | select(.name == "web")'
    sleep 3
    [ "$(grep -ciE 'lost' "$LOG")" -eq 1 ] || fail "$(grep -iE lost "$LOG")"
    engine up
    wait_until 40 connected true
    docker start web
    becomes web TasksMax 50
}

@test "what is created while plimsolld is not listening is found afterwards" {
    daemon_begin
    engine down
    wait_until 5 connected false
    # plimsolld's way to the engine stays barred, ours does not
    mv "$E/engine/docker.sock" "$E/engine/hidden.sock" 2>/dev/null || true
    engine up
    mv "$E/engine/docker.sock" "$E/engine/hidden.sock"
    DOCKER_HOST=unix://$E/engine/hidden.sock docker run -d --name web "$BB" sleep 1000
    mv "$E/engine/hidden.sock" "$E/engine/docker.sock"
    wait_until 40 connected true
    becomes web MemoryMax $((64 * MIB))
}

@test "no engine at the start: plimsolld waits for it" {
    engine down
    daemon_spawn
    wait_until 10 connected false
    kill -0 "$DAEMON"
    # its status says so; systemctl status shows that
    wait_until 5 grep -q '^STATUS=.*engine' "$T/notify.log"
    engine up
    run_bb web
    wait_until 40 is web MemoryMax $((64 * MIB))
    wait_until 5 ready
}

@test "an engine that hangs is noticed within 30 s, said, and gone on with" {
    local file
    daemon_begin
    run_bb web
    becomes web TasksMax 50
    file=$(group_of web pids)/pids.max
    engine freeze
    # limits do not depend on it
    echo 77 >"$file"
    wait_until 5 grep -qx 50 "$file"
    wait_until 30 connected false
    said 'Lost the engine at .*no answer in time: does the engine hang\?.*Limits stay in force'
    wait_until 5 grep -q '^STATUS=.*lost the engine .*hang.* limits stay in force' "$T/notify.log"
    echo 78 >"$file"
    engine thaw
    wait_until 40 connected true
    is web TasksMax 50
    run_bb web2
    becomes web2 MemoryMax $((64 * MIB))
}

# updates_of NAME - how often the engine was told its limits
updates_of() {
    docker events --since "$BEGIN" --until "$(date +%s)" --filter event=update --filter "container=$1" | wc -l
}

@test "what happens during a hang is seen afterwards, and each thing is done once" {
    local client pid told
    BEGIN=$(date +%s)
    daemon_begin
    run_bb web1
    run_bb web2
    wait_until 5 gives $((64 * MIB)) docker inspect -f '{{.HostConfig.Memory}}' web1
    wait_until 5 gives $((64 * MIB)) docker inspect -f '{{.HostConfig.Memory}}' web2
    sleep 1
    told="$(updates_of web1) $(updates_of web2)"
    pid=$(pid_of web2)
    engine freeze
    # what dockerd was asked for, and what it would have noticed
    docker run -d --name web3 "$BB" sleep 100000 3>&- 4>&- >/dev/null &
    client=$!
    kill -9 "$pid"
    wait_until 30 connected false
    engine thaw
    wait "$client"
    becomes web3 TasksMax 50
    wait_until 40 connected true
    wait_until 10 gives exited status_of web2 .phase
    wait_until 5 gives $((64 * MIB)) docker inspect -f '{{.HostConfig.Memory}}' web3
    sleep 2
    [ "$(grep -c 'web3: .*MemoryMax=64M' "$LOG") $(grep -c 'web3: .*TasksMax=50' "$LOG")" = '1 1' ]
    [ "$(updates_of web1) $(updates_of web2)" = "$told" ]
    [ "$(updates_of web3)" = 1 ]
    [ "$(status_of web1 .drift_repairs) $(status_of web3 .drift_repairs)" = '0 0' ]
}

@test "the engine restarts ten times in a row" {
    local _
    daemon_begin
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        engine kill
        engine up
    done
    run_bb web
    wait_until 60 is web MemoryMax $((64 * MIB))
    wait_until 10 connected true
}

@test "memory and descriptors do not grow over losses" {
    local before after _
    daemon_begin
    before=$(find "/proc/$DAEMON/fd" | wc -l)
    for _ in 1 2 3 4 5; do
        engine kill
        wait_until 10 connected false
        engine up
        wait_until 40 connected true
    done
    sleep 1
    after=$(find "/proc/$DAEMON/fd" | wc -l)
    echo "descriptors: $before, then $after"
    [ "$after" -le $((before + 3)) ]
}
