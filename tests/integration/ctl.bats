#!/usr/bin/env bats
# plimsollctl beside a real daemon and real containers: what people see, and what scripts get.

bats_require_minimum_version 1.5.0
load helper

setup_file() { engine_begin; }
teardown_file() { engine_end; }

setup() {
    begin
    export LC_ALL=C.UTF-8 COLUMNS=120
    policy_is <<'END'
[Service web]
Match=name:web
MemoryMax=64M
CPUQuota=50%
TasksMax=50
END
}
teardown() { end; }

@test "status is a table that fits, and says that all is well" {
    local line
    run_bb web
    run_bb stray
    daemon_begin
    run -0 ctl status
    [[ $output == *SERVICE*CONTAINER*HEALTH*MEMORY*QUOTA*DRIFT* ]]
    [[ $output == *web*running*/64M*50%* ]]
    [[ $output == *stray* ]]
    for COLUMNS in 40 60 80 200; do
        while read -r line; do
            [ ${#line} -le "$COLUMNS" ] || fail "$COLUMNS: $line"
        done < <(ctl status | sed -n '/CONTAINER/,$p')
    done
}

@test "an unhealthy container: exit 1, with its name and the reason" {
    docker run -d --name web --health-cmd false --health-interval 1s --health-retries 1 "$BB" sleep 1000
    daemon_begin
    wait_until 15 gives unhealthy status_of web .health
    run -1 ctl status
    [[ $output == *web*unhealthy* ]]
    run -1 ctl show web
    [[ $output == *reason* ]]
}

@test "show has each limit as wanted and as in force, from the kernel" {
    run_bb web
    daemon_begin
    becomes web MemoryMax $((64 * MIB))
    wait_until 5 gives $((64 * MIB)) status_of web .limits.MemoryMax.in_force
    run -0 ctl show web
    [[ $output =~ MemoryMax\ +64M\ +64M ]]
    [[ $output =~ CPUQuota\ +50%\ +50% ]]
    run -0 ctl --json show "$(id_of web)"
    [ "$(jq -r .name <<<"$output")" = web ]
    [ "$(jq .limits.CPUQuota.in_force <<<"$output")" = 50 ]
    run -1 ctl show nobody
    [[ $output == *nobody*status* ]]
}

@test "events tells of a repair while it happens" {
    run_bb web
    daemon_begin
    becomes web TasksMax 50
    ctl events >"$T/events" 3>&- &
    local reader=$!
    # the stream is open when the daemon has answered a later request
    sleep 0.3
    ctl status >/dev/null
    write_value web TasksMax 77
    wait_until 5 grep -qE 'web: .*TasksMax' "$T/events"
    kill "$reader"
    is web TasksMax 50
}

@test "events ends with its reader, and says when the daemon ends" {
    run_bb web
    daemon_begin
    ctl events >"$T/events" 2>"$T/errors" 3>&- &
    local reader=$! status=0
    sleep 0.3
    daemon_end
    wait "$reader" || status=$?
    [ $status = 3 ]
    grep -q 'ended the stream' "$T/errors"
}

@test "top shows the CPU in use" {
    docker run -d --name web "$BB" sh -c 'while :; do :; done'
    daemon_begin
    becomes web CPUQuota 50%
    run -0 ctl top --interval 1s -n 3
    # held at half a CPU: it gets no more, and on a busy host less
    [[ $output =~ \ ([0-9]+)\.[0-9]%\ +50% ]]
    [ "${BASH_REMATCH[1]}" -ge 5 ] && [ "${BASH_REMATCH[1]}" -le 60 ]
    run -0 ctl --json top --interval 100ms -n 2
    [ "$(jq -s length <<<"$output")" = 2 ]
}

@test "top gives the terminal back, by q and by SIGTERM" {
    local end=$'\e[?25h\e[?1049l'
    run_bb web
    daemon_begin
    (sleep 1; printf q) | script -qec "$BUILD_DIR/daemon/plimsollctl --control $T/control.sock top" "$T/q" >/dev/null
    grep -qF -- $'\e[?1049h' "$T/q"
    [[ $(tail -n 3 "$T/q") == *"$end"* ]]
    sleep 3 | script -qec "timeout --foreground 1 $BUILD_DIR/daemon/plimsollctl --control $T/control.sock top; stty -a" "$T/term" >/dev/null
    [[ $(<"$T/term") == *"$end"* ]]
    [[ $(<"$T/term") == *" icanon"*" echo "* ]]
}

@test "wait returns when the container is healthy, and not before" {
    docker run -d --name web --health-cmd 'test -e /ok' --health-interval 1s --health-retries 1000 "$BB" sleep 1000
    daemon_begin
    run -1 ctl wait web --timeout 1s
    [[ $output == *web*in\ time* ]]
    ctl wait web --timeout 20s 3>&- &
    docker exec web touch /ok
    wait $!
    run -0 ctl wait web --for running
    run -2 ctl wait web --for fine
}

@test "wait is there before the daemon and the container" {
    ctl wait web --for running --timeout 30s 3>&- &
    local waiter=$!
    daemon_begin
    run_bb web
    wait $waiter
    daemon_end
    run -3 ctl wait web --timeout 500ms
}

@test "documents for scripts are one line with the keys of the contract" {
    run_bb web
    daemon_begin
    becomes web MemoryMax $((64 * MIB))
    ctl --json status >"$T/json"
    [ "$(wc -l <"$T/json")" = 1 ]
    jq -e 'has("version") and (.engine | has("connected") and has("version") and has("api")) and
        (.policy | has("file") and has("loaded_at") and has("error")) and
        (.findings | has("critical") and has("high") and has("medium") and has("low")) and
        (.containers[] | has("id") and has("name") and has("service") and has("image") and
            has("phase") and has("health") and has("reason") and has("restarts") and
            has("oom_kills") and has("drift_repairs") and
            (.limits.MemoryMax | has("wanted") and has("in_force") and has("owner_errors")) and
            (.usage | has("memory_bytes") and has("memory_peak_bytes") and has("cpu_usec")) and
            (.log | has("path") and has("method") and has("size_bytes") and has("archived_bytes")))' \
        "$T/json"
}

@test "completion offers the names that are there now" {
    run_bb web
    run_bb stray
    daemon_begin
    wait_until 5 gives 2 containers
    # shellcheck disable=SC2016 # for that shell
    run -0 bash -c '
        PATH=$1:$PATH; . "$2/conf/completions/plimsollctl.bash"
        COMP_WORDS=(plimsollctl --control "$3" show ""); COMP_CWORD=4
        _plimsollctl; echo ${COMPREPLY[*]}
        COMP_WORDS=(plimsollctl re); COMP_CWORD=1
        _plimsollctl; echo ${COMPREPLY[*]}' - "$BUILD_DIR/daemon" "$HERE/../.." "$T/control.sock"
    [ "${lines[0]}" = "stray web" ]
    [ "${lines[1]}" = "reload" ]
}
