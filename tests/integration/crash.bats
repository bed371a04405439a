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
teardown() { end; }

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
