#!/usr/bin/env bats
# A new policy: all of it or nothing, and what is dropped from it is given back.

load helper

setup_file() { engine_begin; }
teardown_file() { engine_end; }

setup() {
    begin
    simple 64M
}
teardown() { end; }

simple() {
    policy_is "${@:2}" <<END
[Service web-front]
Match=name:web
MemoryMax=$1
TasksMax=50
END
}

@test "SIGHUP brings a new value into force" {
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    simple 96M
    kill -HUP "$DAEMON"
    becomes web MemoryMax $((96 * MIB))
    is web TasksMax 50
}

@test "two reloads 50 ms apart, with 48 containers: nobody is blamed, and the last value holds" {
    local i
    policy_is <<<$'[Service many]\nMatch=name:many*\nMemoryMax=64M\nMemorySwapMax=0\nTasksMax=50'
    for i in $(seq 48); do
        run_bb "many$i" &
        [ $((i % 8)) != 0 ] || wait_until 30 at_least "$i" sh -c "docker ps -q | wc -l"
    done
    wait_until 60 at_least 48 sh -c "docker ps -q | wc -l"
    daemon_begin
    many_hold() {
        local files
        files=$(find "$(dirname "$(group_of many1 memory)")" -name "$(is_v2 && echo memory.max || echo memory.limit_in_bytes)" \
            -mindepth 2 -maxdepth 2)
        [ "$(wc -l <<<"$files")" = 48 ]
        # shellcheck disable=SC2086 # a list
        [ "$(sort -u $files)" = "$1" ]
    }
    told() { [ "$(docker ps -q | xargs docker inspect -f '{{.HostConfig.Memory}}' | sort -u)" = "$1" ]; }
    wait_until 30 told $((64 * MIB))
    sed -i 's/=64M/=96M/' "$T/plimsoll.conf"
    kill -HUP "$DAEMON"
    sleep 0.05
    sed -i 's/=96M/=80M/' "$T/plimsoll.conf"
    kill -HUP "$DAEMON"
    wait_until 60 told $((80 * MIB))
    wait_until 10 many_hold $((80 * MIB))
    echo "# blamed: $(grep -c 'limits changed' "$LOG"), stand-offs: $(grep -c 'stand-off' "$LOG")" >&3
    unsaid 'limits changed|stand-off'
    [ "$(status_json | jq '[.containers[].drift_repairs] | add')" = 0 ]
}

@test "v1: MemorySwapMax= that is left without MemoryMax= is told as impossible, and nobody is blamed" {
    is_v2 && skip 'v2 limits swap by itself'
    policy_is <<<$'[Service web]\nMatch=name:web\nMemoryMax=64M\nMemorySwapMax=0'
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    wait_until 5 said 'web: limits in force: .*MemorySwapMax=0'
    sed -i '/^MemoryMax=/d' "$T/plimsoll.conf"
    ctl reload
    becomes web MemoryMax infinity
    wait_until 5 said 'web: MemorySwapMax= has no effect here'
    wait_until 5 said 'web: limits given back: MemoryMax'
    unsaid 'limits changed|not in force'
}

@test "plimsollctl reload brings it into force and exits 0" {
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    simple 32M
    run ctl reload
    [ "$status" -eq 0 ]
    becomes web MemoryMax $((32 * MIB))
}

@test "MetricsListen= at an address that others reach: check, reload and the start tell it, with its line" {
    simple 64M MetricsListen=0.0.0.0:9478
    daemon_begin
    said 'plimsoll.conf:4: .*MetricsListen=0.0.0.0:9478: whoever reaches this address'
    run ctl reload
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *"plimsoll.conf:4:"*"MetricsListen=0.0.0.0:9478: whoever reaches this address"* ]]
    run ctl check
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *"plimsoll.conf:4:"*"MetricsListen=0.0.0.0:9478: whoever reaches this address"* ]]
}

@test "a bad policy: exit status, every error with its place, the old one stays" {
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    policy_is <<'END'
[Service web-front]
Match=name:web
MemroyMax=96M
TasksMax=lots
END
    run ctl reload
    [ "$status" -eq 1 ]
    echo "$output"
    [[ "$output" == *"plimsoll.conf:6:"*MemroyMax* ]]
    [[ "$output" == *"plimsoll.conf:7:"*TasksMax* ]]
    [[ "$output" == *"MemoryMax"* ]]
    stays web MemoryMax $((64 * MIB))
    said 'plimsoll.conf:6:'
    [ "$(status_json | jq -r '.policy.error')" != null ]
    # it still holds: drift is repaired by the old policy
    write_value web TasksMax 77
    becomes web TasksMax 50
}

@test "a bad policy by SIGHUP leaves the old one in force, and a good one ends the complaint" {
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    echo 'nonsense' >>"$T/plimsoll.conf"
    kill -HUP "$DAEMON"
    wait_until 5 said 'plimsoll.conf:8:'
    stays web MemoryMax $((64 * MIB))
    wait_until 5 grep -q '^STATUS=.*[Pp]olicy' "$T/notify.log"
    simple 96M
    kill -HUP "$DAEMON"
    becomes web MemoryMax $((96 * MIB))
    [ "$(status_json | jq -r '.policy.error')" = null ]
}

@test "a rejected reload is headed by its error, whole, not by a warning" {
    daemon_begin
    cat >>"$T/plimsoll.conf" <<'END'

[Service bad]
Match=name:nobody
IOReadBandwidthMax=/nonexistent 10M
MemoryMax=4 gigabytes
END
    run ctl reload
    [ "$status" -ne 0 ]
    wait_until 5 grep -qE 'STATUS=reload failed, old policy in force: [^ ]*plimsoll.conf:[0-9]+: MemoryMax=4 gigabytes: .*at least 6M' \
        "$T/notify.log"
    said 'Policy rejected, the one loaded before stays in force: [^ ]*plimsoll.conf:[0-9]+: MemoryMax=4 gigabytes: .*at least 6M, because less kills'
    unsaid 'rejected.*nonexistent'
}

@test "a policy file that is gone is a bad policy" {
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    rm "$T/plimsoll.conf"
    run ctl reload
    [ "$status" -eq 1 ]
    is web MemoryMax $((64 * MIB))
}

@test "a drop-in overrides, and its removal is undone by a reload" {
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    mkdir "$T/plimsoll.conf.d"
    printf '[Service web-front]\nMemoryMax=80M\n' >"$T/plimsoll.conf.d/50-more.conf"
    ctl reload
    becomes web MemoryMax $((80 * MIB))
    is web TasksMax 50
    rm "$T/plimsoll.conf.d/50-more.conf"
    ctl reload
    becomes web MemoryMax $((64 * MIB))
}

@test "a key dropped from the policy gives back what was there before" {
    docker run -d --name web --memory 200m --memory-swap 400m --pids-limit 333 "$BB" sleep 1000
    daemon_begin
    becomes web MemoryMax $((64 * MIB))
    becomes web TasksMax 50
    policy_is <<'END'
[Service web-front]
Match=name:web
TasksMax=50
END
    ctl reload
    becomes web MemoryMax $((200 * MIB))
    is web TasksMax 50
    # the section goes, too
    policy_is </dev/null
    ctl reload
    becomes web TasksMax 333
    # not as drift: it stays so
    docker update --pids-limit 222 web
    stays web TasksMax 222
}

@test "a container without limits is without limits again" {
    run_bb web
    daemon_begin
    becomes web MemoryMax $((64 * MIB))
    policy_is </dev/null
    ctl reload
    becomes web MemoryMax infinity
    becomes web TasksMax infinity
}

@test "a stop leaves limits in force" {
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    daemon_end
    [ "${ended:?}" = 0 ]
    stays web MemoryMax $((64 * MIB))
}

@test "RestoreOnStop=yes puts back what was there" {
    simple 64M RestoreOnStop=yes
    docker run -d --name web --memory 200m --memory-swap 400m "$BB" sleep 1000
    daemon_begin
    becomes web MemoryMax $((64 * MIB))
    daemon_end
    [ "${ended:?}" = 0 ]
    is web MemoryMax $((200 * MIB))
    is web TasksMax infinity
    [ "$(docker inspect -f '{{.HostConfig.Memory}}' web)" = $((200 * MIB)) ]
}

@test "another Engine= is gone over to, whatever is under way" {
    local i
    ln -s "$E/engine/docker.sock" "$T/other.sock"
    daemon_begin
    for i in 1 2 3 4 5 6 7 8; do run_bb "web-$i"; done
    run_bb web
    for i in 61 62 63 64 65 66 67 68 69 70 71; do
        simple "${i}M"
        [ $((i % 2)) = 0 ] || sed -i "s|^Engine=.*|Engine=unix://$T/other.sock|" "$T/plimsoll.conf"
        kill -HUP "$DAEMON"
        sleep "0.0$((i % 7))"
    done
    becomes web MemoryMax $((71 * MIB))
    # every one is still looked at, and told to the engine
    wait_until 10 gives $((71 * MIB)) docker inspect -f '{{.HostConfig.Memory}}' web
    docker stop -t 0 web web-1 web-2 web-3 web-4 web-5 web-6 web-7 web-8
    wait_until 5 gives 9 eval 'status_json | jq "[.containers[] | select(.phase == \"exited\")] | length"'
    [ "$(status_json | jq -r .engine.connected)" = true ]
}

@test "twenty reloads at once end with the last policy" {
    local i
    daemon_begin
    run_bb web
    for i in 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39; do
        simple "${i}M"
        kill -HUP "$DAEMON"
    done
    becomes web MemoryMax $((39 * MIB))
    stays web MemoryMax $((39 * MIB))
}
