#!/usr/bin/env bats
# Fifty containers that come and go as fast as the engine can: in the end each is right.

load helper

setup_file() { engine_begin; }
teardown_file() { engine_end; }

setup() {
    begin
    policy_is <<'END'
[Service odd]
Match=name:c*[13579]
MemoryMax=40M
TasksMax=31

[Service even]
Match=name:c*[02468]
MemoryMax=48M
TasksMax=42
END
}
teardown() { end; }

# right NUMBER - what c<NUMBER> must have
right() {
    if [ $(($1 % 2)) = 1 ]; then
        is "c$1" MemoryMax $((40 * MIB)) && is "c$1" TasksMax 31
    else
        is "c$1" MemoryMax $((48 * MIB)) && is "c$1" TasksMax 42
    fi
}

worker() {
    local first=$1 n round
    for round in 1 2 3; do
        for n in $(seq "$first" 5 50); do
            case $(((RANDOM + round) % 5)) in
            0) docker rm -f "c$n" && run_bb "c$n" ;;
            1) docker restart -t 0 "c$n" ;;
            2) docker kill "c$n" && docker start "c$n" ;;
            3) docker update --memory 60m --memory-swap 60m "c$n" ;;
            4) docker pause "c$n" && docker unpause "c$n" ;;
            esac
        done
    done >/dev/null 2>&1
}

@test "fifty containers churning end up right" {
    local n workers=() wrong=()
    daemon_begin
    for n in $(seq 50); do
        run_bb "c$n"
    done
    for n in 1 2 3 4 5; do
        worker "$n" 3>&- 4>&- &
        workers+=($!)
    done
    wait "${workers[@]}" || true
    # a worker may have been interrupted between remove and run
    for n in $(seq 50); do
        docker start "c$n" >/dev/null 2>&1 || run_bb "c$n"
    done
    for n in $(seq 50); do
        wait_until 5 right "$n" || wrong+=("c$n: $(value_of "c$n" MemoryMax) $(value_of "c$n" TasksMax)")
    done
    [ ${#wrong[@]} = 0 ] || fail "$(printf '%s\n' "${wrong[@]}")"
    wait_until 5 gives 50 containers
    kill -0 "$DAEMON"
}

@test "fifty containers removed at once leave nothing behind in plimsolld" {
    local n
    daemon_begin
    for n in $(seq 50); do
        run_bb "c$n"
    done
    for n in 1 25 50; do
        wait_until 5 right "$n"
    done
    # shellcheck disable=SC2046 # ids
    docker rm -f $(docker ps -aq) >/dev/null
    wait_until 10 gives 0 containers
    wait_until 10 gives 0 sh -c "ls '$T/state/containers' | wc -l"
}
