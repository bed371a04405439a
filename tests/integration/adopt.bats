#!/usr/bin/env bats
# adopt-logs on a real engine: a busy writer loses no line, everything is put back when it fails or
# is killed at any step, and what it refuses it leaves alone.

# shellcheck disable=SC2030,SC2031 # run sets status in the shell of its test

load helper

setup_file() { engine_begin; }
teardown_file() { engine_end; }

setup() {
    begin
    SOCKET=$E/engine/docker.sock
    RECORD=/var/lib/plimsoll/adopt
    # as it was started: without live-restore
    printf '{"labels": ["kept=1"]}\n' >"$E/engine/daemon.json"
    if [ "$(docker info -f '{{.LiveRestoreEnabled}}')" = true ]; then
        engine down
        engine up
    fi
}

teardown() {
    # what failed has been shown; a frozen container cannot even be removed
    find_freezers | while read -r f; do
        case $f in */freezer.state) echo THAWED ;; *) echo 0 ;; esac >"$f"
    done
    rm -f "$E/engine/daemon.json".*
    end
}

dockerd() { cat "$E/engine/docker.pid"; }

# adopt [OPTION…] - on the private engine
adopt() {
    "$BUILD_DIR/daemon/plimsollctl" adopt-logs --engine "unix://$SOCKET" --engine-pid "$(dockerd)" \
        --policy "$T/plimsoll.conf" "$@" 3>&- 4>&-
}

# dies POINT - the same, killed there; HOLD: stands still there
dies() {
    PLIMSOLL_DIE=$1 "$BUILD_DIR/tests/support/plimsollctl-points" adopt-logs \
        --engine "unix://$SOCKET" --engine-pid "$(dockerd)" --policy "$T/plimsoll.conf" --yes 3>&- 4>&-
}

# writer NAME [OPTION…] - numbered lines, each in one piece, as fast as it can
writer() {
    local name=$1
    shift
    docker run -d --name "$name" "$@" "$BB" sh -c 'i=0; while :; do i=$((i+1)); echo "line $i"; done' >/dev/null
}

# in_order NAME - every line once and in order; prints how many
in_order() {
    docker logs "$1" 2>&1 | awk '$0 != "line " NR { print "record " NR ": " $0; bad = 1; exit 1 } END { if (!bad) print NR }'
}

option() { docker inspect -f "{{index .HostConfig.LogConfig.Config \"$2\"}}" "$1"; }
run_of() { docker inspect -f '{{.State.Pid}} {{.State.StartedAt}} {{.State.Status}}' "$1"; }

find_freezers() {
    local group
    for group in /sys/fs/cgroup/freezer /sys/fs/cgroup; do
        find "$group$(engine cgroup)" -mindepth 2 \( -name freezer.state -o -name cgroup.freeze \) 2>/dev/null || true
    done
}

thawed() {
    local f
    for f in $(find_freezers); do
        case $(cat "$f" 2>/dev/null) in FROZEN | FREEZING | 1) return 1 ;; esac
    done
}

no_record() { [ -z "$(find "$RECORD" /run/plimsoll/adopt -name '*docker.sock*' -path "*${E##*/}*" 2>/dev/null)" ]; }
no_copies() { [ -z "$(find "$E/engine/data/containers" -name '*.plimsoll-adopt*')" ]; }
as_before() {
    thawed && docker version >/dev/null && no_copies && no_record &&
        [ "$(cat "$E/engine/daemon.json")" = '{"labels": ["kept=1"]}' ]
}

policy() { policy_is <<<$'[Defaults]\nLogMaxSize=64M\nLogMaxFiles=8'; }

@test "a busy writer: no line is lost, the process is the same, the engine rotates from then on" {
    policy
    writer busy
    writer native --log-opt max-size=64m --log-opt max-file=4 # frozen, and else left alone
    docker create --name stopped "$BB" true >/dev/null
    local before
    before=$(run_of busy)
    sleep 1
    run adopt --yes --max-size 1M --max-files 64
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"2 containers adopted"* ]]
    [ "$(run_of busy)" = "$before" ]
    for c in busy stopped; do
        [ "$(option $c max-size)" = 1048576 ]
        [ "$(option $c max-file)" = 64 ]
    done
    [ "$(option native max-size)" = 64m ]
    jq -e '."live-restore" and .labels == ["kept=1"] and ."log-opts"."max-size" == "1048576"' "$E/engine/daemon.json"
    [ "$(cat "$E/engine/daemon.json".plimsoll-*)" = '{"labels": ["kept=1"]}' ]
    wait_until 20 test -s "$E/engine/data/containers/$(id_of busy)/$(id_of busy)-json.log.1"
    docker pause busy native >/dev/null
    sleep 0.5
    in_order busy
    in_order native
    no_copies
    no_record
    # again: nothing to do, and no engine is restarted for it
    before=$(dockerd)
    run adopt --yes
    [ "$status" -eq 0 ]
    [[ $output == *"nothing to do"* ]]
    [ "$(dockerd)" = "$before" ]
}

@test "--dry-run and no answer change nothing" {
    policy
    sed -i '1i[Daemon]\nLabels=yes' "$T/plimsoll.conf"
    run_bb idle
    run_bb labelled --label plimsoll.LogMaxSize=32M --label plimsoll.LogMaxFiles=many
    local pid
    pid=$(dockerd)
    run adopt --dry-run
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"idle "*"max-size 64M, max-file 8"* ]]
    [[ $output == *"labelled "*"max-size 32M, max-file 8"* ]]
    [[ $output == *"labelled: label plimsoll.LogMaxFiles: LogMaxFiles=many: not understood"* ]]
    [[ $output == *"docker logs -f"* ]]
    run adopt </dev/null
    [ "$status" -eq 2 ]
    [ "$(dockerd)" = "$pid" ]
    [ "$(option idle max-size)" = "" ]
    as_before
}

@test "what cannot be adopted is refused, and nothing changes" {
    policy
    run_bb mine --log-driver local
    local pid
    pid=$(dockerd)
    run adopt --yes nobody
    [ "$status" -eq 1 ]
    [[ $output == *"nobody: there is no such container"* ]]
    run adopt --yes mine
    [ "$status" -eq 1 ]
    [[ $output == *"not json-file"* ]]
    run "$BUILD_DIR/daemon/plimsollctl" adopt-logs --engine "unix://$SOCKET" --yes
    [ "$status" -eq 1 ]
    [[ $output == *"--engine-pid"*"$pid"* ]]
    run adopt --yes --engine-pid $$
    [ "$status" -eq 1 ]
    run adopt --max-size 3 --yes
    [ "$status" -eq 2 ]
    printf 'not json\n' >"$E/engine/daemon.json"
    run_bb other
    run adopt --yes other
    [ "$status" -eq 1 ]
    [[ $output == *"daemon.json"*"nothing was changed"* ]]
    printf '{"labels": ["kept=1"]}\n' >"$E/engine/daemon.json"
    docker swarm init --advertise-addr 127.0.0.1 >/dev/null 2>&1 || skip "no swarm here"
    run adopt --yes
    docker swarm leave --force >/dev/null
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *swarm* ]]
    [ "$(dockerd)" = "$pid" ]
    as_before
}

# killed POINT back|finish - the guardian does the rest
killed() {
    local before
    before=$(run_of busy)
    run dies "$1"
    [ "$status" -eq 137 ]
    wait_until 60 no_record || fail "$1: the record is still there"
    thawed || fail "$1: frozen"
    docker version >/dev/null || fail "$1: no engine"
    no_copies || fail "$1: copies are left"
    [ "$(run_of busy)" = "$before" ] || fail "$1: another process"
    if [ "$2" = back ]; then
        as_before || fail "$1: not as before: $(cat "$E/engine/daemon.json")"
        [ "$(option busy max-size)$(option two max-size)" = "" ] || fail "$1: half done"
    else
        [ "$(option busy max-size) $(option two max-size)" = "67108864 67108864" ] || fail "$1: half done"
    fi
}

# impostor [HOW…] - a process with the engine's command line; its pid in IMPOSTORS
impostor() {
    "$@" "$BUILD_DIR/tests/support/impostor" "$(dockerd)" 3>&- 4>&- &
    IMPOSTORS+=("$!")
    wait_until 5 cmp -s "/proc/$!/cmdline" "/proc/$(dockerd)/cmdline"
}

@test "somebody else with the engine's command line is not taken for it" {
    policy
    writer busy
    IMPOSTORS=()
    impostor setpriv --reuid=65534 --clear-groups
    impostor unshare --mount
    impostor env
    run adopt --yes
    kill "${IMPOSTORS[@]}"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(option busy max-size)" = 67108864 ]
    thawed
    docker pause busy >/dev/null
    in_order busy
}

@test "killed at any step: the guardian puts everything back, or finishes" {
    policy
    writer busy
    run_bb two
    local p
    for p in planned configuring configured freezing frozen stopping stopped rewriting; do
        echo "# $p"
        killed $p back
    done
    killed rewritten finish
    docker pause busy >/dev/null
    sleep 0.5
    in_order busy
}

@test "killed when the engine runs again: the guardian finishes" {
    policy
    writer busy
    run_bb two
    killed started finish
    docker rm -f two >/dev/null
    run_bb two --log-driver json-file
    docker pause busy >/dev/null
    sleep 0.5
    in_order busy
}

# both_die POINT - the operator's process and its guardian
both_die() {
    local pid guardian
    PLIMSOLL_HOLD=$1 "$BUILD_DIR/tests/support/plimsollctl-points" adopt-logs --engine "unix://$SOCKET" \
        --engine-pid "$(dockerd)" --policy "$T/plimsoll.conf" --yes >/dev/null 2>&1 3>&- 4>&- &
    pid=$!
    wait_until 30 grep -q '^State:.T' "/proc/$pid/status"
    guardian=$(cat "/proc/$pid/task/$pid/children")
    # shellcheck disable=SC2086
    kill -9 $guardian
    kill -9 "$pid"
    wait "$pid" 2>/dev/null || true
}

@test "both killed: the next run sets it right" {
    policy
    writer busy
    run_bb two
    local before p
    before=$(run_of busy)
    for p in frozen rewriting; do
        both_die $p
        ! thawed || fail "$p: not frozen?"
        run "$BUILD_DIR/daemon/plimsollctl" adopt-logs --engine "unix://$SOCKET" --policy "$T/plimsoll.conf" --yes 3>&- 4>&-
        echo "$output"
        [[ $output == *"everything is as it was before"* ]]
        as_before
        [ "$(run_of busy)" = "$before" ]
    done
    run adopt --yes
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(option busy max-size)" = 67108864 ]
    [ "$(run_of busy)" = "$before" ]
    docker pause busy >/dev/null
    sleep 0.5
    in_order busy
}

# held POINT - the operator's process stands still there; its pid in HELD
held() {
    PLIMSOLL_HOLD=$1 "$BUILD_DIR/tests/support/plimsollctl-points" adopt-logs --engine "unix://$SOCKET" \
        --engine-pid "$(dockerd)" --policy "$T/plimsoll.conf" --yes >"$T/adopt.out" 2>&1 3>&- 4>&- &
    HELD=$!
    wait_until 30 grep -q '^State:.T' "/proc/$HELD/status"
}

# goes_on STATUS - HELD, to its end
goes_on() {
    local ended=0
    kill -CONT "$HELD"
    wait "$HELD" || ended=$?
    cat "$T/adopt.out"
    [ "$ended" -eq "$1" ]
}

# A pid file of a process that lives is what dockerd refuses to start over.
@test "an engine that will not start: what was written goes back, nobody stays frozen" {
    policy
    writer busy
    run_bb two
    local before blocker
    before=$(run_of busy)
    held rewritten
    ! thawed || fail "not frozen"
    sleep 1000 3>&- 4>&- &
    blocker=$!
    echo "$blocker" >"$E/engine/docker.pid"
    goes_on 1
    thawed
    # the cause goes away; the next run sets right what is left
    kill "$blocker"
    rm -f "$E/engine/docker.pid"
    run adopt_again
    echo "$output"
    wait_until 30 docker version
    [ "$(run_of busy)" = "$before" ]
    as_before
    run adopt --yes
    [ "$status" -eq 0 ]
    [ "$(option busy max-size)" = 67108864 ]
    [ "$(run_of busy)" = "$before" ]
}

adopt_again() {
    "$BUILD_DIR/daemon/plimsollctl" adopt-logs --engine "unix://$SOCKET" --policy "$T/plimsoll.conf" --yes 3>&- 4>&-
}

@test "a daemon.json that the engine refuses: it is put back and the engine runs" {
    policy
    writer busy
    local before
    before=$(run_of busy)
    held stopped
    # somebody's edit, or a newer option than this engine knows
    echo '{"labels": ["kept=1"], "no-such-option": true}' >"$E/engine/daemon.json"
    goes_on 1
    docker version
    thawed
    no_record
    no_copies
    [ "$(run_of busy)" = "$before" ]
    [ "$(option busy max-size)" = "" ]
    docker pause busy >/dev/null
    sleep 0.5
    in_order busy
}

# with_holes NAME - those of its log files that have one
with_holes() { grep -lPa '\x00' "$E/engine/data/containers/$(id_of "$1")/$(id_of "$1")"-json.log* || true; }

connected_twice() { [ "$(grep -c 'Connected to the engine' "$LOG")" -ge 2 ]; }

# plimsolld sees an engine go and come again: nobody has died, and no log is touched meanwhile.
@test "under a running plimsolld: no alarm, no rotation in between, native from then on" {
    policy_is <<<$'[Service busy]\nMatch=name:busy\nLogMaxSize=256K\nLogMaxFiles=90\nLogMethod=punch'
    writer busy
    daemon_begin
    wait_until 20 said 'busy: log rotated by'
    local before
    before=$(run_of busy)
    held frozen
    with_holes busy | grep -q .
    goes_on 0
    wait_until 20 connected_twice
    wait_until 20 gives native status_of busy .log.method
    [ "$(run_of busy)" = "$before" ]
    # one that was under way when the engine went is told afterwards
    [ "$(sed '1,/Lost the engine/d' "$LOG" | grep -c 'log rotated')" -le 1 ]
    [ "$(status_of busy .phase)" = running ]
    ! grep -iE "died|unhealthy|gone|absent" "$LOG" || fail "a false alarm"
    docker pause busy >/dev/null
    sleep 1
    # nothing that docker logs could stop at
    [ -z "$(with_holes busy)" ]
    docker logs busy | awk 'NR > 1 && $2 != last + 1 { print NR ": " $0; exit 1 } { last = $2 }'
    "$BUILD_DIR/daemon/plimsollctl" logs --archive "$T/archive" busy | awk '$0 != "line " NR { print NR ": " $0; exit 1 }'
}

# cut_off METHOD POINT - plimsolld dies in a rotation behind its commit point, and finds the log adopted:
# what is in the archive and was still in the log is shown once
cut_off() {
    local state=$T/archive/.state
    policy_is <<<$'[Service busy]\nMatch=name:busy\nLogMaxSize=256K\nLogMaxFiles=90\nLogMethod='"$1"
    writer busy
    state=$state/$(id_of busy)
    DAEMON_PROGRAM=$BUILD_DIR/tests/support/plimsolld-points DAEMON_WRAPPER="env PLIMSOLL_ROTATE_DIE=$2" daemon_spawn
    wait_until 20 dead "$DAEMON"
    daemon_end
    [ "$(jq -r '.phase, .gen, .intent.method' "$state" | xargs)" = "intent 1 $1" ]
    docker pause busy >/dev/null
    run plimsollctl_logs
    [ "$status" -eq 0 ]
    docker unpause busy >/dev/null
    run adopt --yes --archive "$T/archive" --max-size 64M
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output != *"still takes space"* ]]
    docker pause busy >/dev/null
    plimsollctl_logs
    [ -z "$(with_holes busy)" ]
    daemon_begin
    wait_until 20 gives native status_of busy .log.method
    wait_until 20 gives clean jq -r .phase "$state"
    plimsollctl_logs
    docker logs busy | awk 'NR > 1 && $2 != last + 1 { print NR ": " $0; exit 1 } { last = $2 }'
}

dead() { [ "$(ps -o stat= -p "$1")" = Z ] || ! kill -0 "$1"; }
plimsollctl_logs() {
    "$BUILD_DIR/daemon/plimsollctl" logs --archive "$T/archive" busy | awk '$0 != "line " NR { print NR ": " $0; exit 1 }'
}

@test "a rotation cut off before it collapsed the log, then adopted: no line is shown twice" { cut_off collapse committed; }
@test "a rotation cut off before it punched the log, then adopted: no line is shown twice" { cut_off punch committed; }
@test "a rotation cut off behind its marker, then adopted: no line is shown twice" { cut_off punch marked; }

# at_start - as plimsoll-adopt.service does before the engine starts
at_start() {
    "$BUILD_DIR/daemon/plimsollctl" adopt-logs --at-start --root "$E/engine/data" --policy "$T/plimsoll.conf"
}

@test "at the engine's start: sizes of the policy, and nothing while it runs, or where the policy does not ask" {
    policy_is LogAdopt=yes <<<$'[Defaults]\nLogMaxSize=64M\nLogMaxFiles=8'
    docker run --name stopped "$BB" echo line 1 >/dev/null
    docker create --name labelled --label plimsoll.LogMaxSize=32M "$BB" true >/dev/null
    docker create --name native --log-opt max-size=1m "$BB" true >/dev/null
    run at_start
    [ "$status" -eq 0 ]
    [[ $output == *": log options stay as they are: the engine runs"* ]]
    engine down
    policy
    [ -z "$(at_start)" ]
    policy_is LogAdopt=yes Labels=yes <<<$'[Defaults]\nLogMaxSize=64M\nLogMaxFiles=8'
    # killed in the middle, and once more
    run env PLIMSOLL_DIE=rewriting "$BUILD_DIR/tests/support/plimsollctl-points" adopt-logs --at-start \
        --root "$E/engine/data" --policy "$T/plimsoll.conf"
    [ "$status" -eq 137 ]
    run at_start
    [ "$status" -eq 0 ]
    [ -z "$(at_start)" ] # there is nothing left to do
    no_copies
    engine up
    [ "$(option stopped max-size)" = 67108864 ]
    [ "$(option stopped max-file)" = 8 ]
    [ "$(option native max-size)" = 1m ]
    [ "$(option labelled max-size)" = 33554432 ]
    docker start stopped >/dev/null
    wait_until 5 gives 2 said_lines stopped
}

said_lines() { docker logs "$1" | wc -l; }

@test "at the engine's start: a container that runs on under live-restore is left alone" {
    policy_is LogAdopt=yes <<<$'[Defaults]\nLogMaxSize=64M\nLogMaxFiles=8'
    printf '{"labels": ["kept=1"], "live-restore": true}\n' >"$E/engine/daemon.json"
    engine down
    engine up
    writer busy
    docker create --name idle "$BB" true >/dev/null
    engine down
    run at_start
    [ "$status" -eq 0 ]
    [[ $output == *"busy: left alone: its processes run (live-restore)"* ]]
    [[ $output == *"1 container adopted: the engine rotates its log from now on."* ]]
    engine up
    [ -z "$(option busy max-size)" ]
    [ "$(option idle max-size)" = 67108864 ]
}
