#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # bats runs each test in a shell of its own
# Logs under an engine of 23 or later whose containers lie on ext4, where nothing but a hole could shorten
# a live log: what docker itself prints must be what it prints of a log that nobody has touched.

load helper

setup_file() {
    newest_engine
    engine_begin
    # it sees mounts that are there before it starts, and none below its data root
    engine down
    rm -rf "$E/engine/data"
    "$SUPPORT/mounts.sh" make ext4 "$E/engine/data" "${PLIMSOLL_LOG_DISK_MIB:-300}"
    engine up
    "$SUPPORT/images.sh" load "$IMAGES" "$E/engine/docker.sock" busybox
}
teardown_file() { engine_end; }

setup() {
    begin
    policy_is <<END
[Service talker]
Match=name:talker*
LogMaxSize=${PLIMSOLL_LOG_SIZE:-128K}

[Service holed]
Match=name:holed*
LogMaxSize=128K
LogMethod=punch
END
}
teardown() {
    daemon_end KILL
    end
}

# talker NAME - a container whose first process only holds its output open
talker() {
    docker run -d --name "$1" "${@:2}" "$BB" sh -c 'echo line 0000000 of the story; exec sleep 100000' >/dev/null
}

# speak NAME FIRST LAST - at the end of it the engine has written all
speak() {
    docker exec "$1" sh -c \
        "awk 'BEGIN { for (i = $2; i <= $3; i++) printf \"line %07d of the story\n\", i }' >/proc/1/fd/1"
    wait_until 20 gives "$(tale "$3" "$3")" docker logs --tail 1 "$1"
}
tale() { seq -f 'line %07.0f of the story' "$1" "$2"; }

logs() { "$BUILD_DIR/daemon/plimsollctl" logs --archive "$T/archive" "$@"; }
log_of() { docker inspect -f '{{.LogPath}}' "$1"; }
size_of_log() { stat -c %s "$(log_of "$1")"; }
state_of() { jq -r "$2" "$T/archive/.state/$(id_of "$1")"; }
no_hole() { ! grep -qPa '\x00' "$(log_of "$1")" || fail "$1: a hole"; }
short() { [ "$(size_of_log "$1")" -lt "${PLIMSOLL_LOG_SHORT:-300000}" ]; }

# prints NAME FIRST LAST HALF TIME - docker's own reading, in each form; HALF is the first line after TIME
prints() {
    docker logs "$1" >"$T/shown" 2>&1
    cmp "$T/shown" <(tale "$2" "$3")
    [ "$(docker logs --tail 5 "$1" 2>&1)" = "$(tale $(($3 - 4)) "$3")" ]
    docker logs --since "$5" "$1" >"$T/shown" 2>&1
    cmp "$T/shown" <(tale "$4" "$3")
    docker logs --until "$5" "$1" >"$T/shown" 2>&1
    cmp "$T/shown" <(tale "$2" $(($4 - 1)))
}

@test "the engine is one of 23 or later, and its containers lie on ext4" {
    docker version -f '{{.Server.Version}}' | tee "$T/version"
    [ "$(cut -d. -f1 "$T/version")" -ge 23 ]
    [ "$(stat -f -c %T "/proc/$(cat "$E/engine/docker.pid")/root$E/engine/data/containers")" = ext2/ext3 ]
}

@test "with the default method docker prints what it prints of an untouched container" {
    talker talker
    talker untouched # governed by no section
    daemon_begin
    local name half n=${PLIMSOLL_LOG_LINES:-30000} # "./dev test gib": 1 GiB of records
    docker logs -f talker >"$T/followed" 2>&1 3>&- 4>&- &
    for name in talker untouched; do speak $name 1 8000; done
    sleep 1.1
    half=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
    sleep 1.1
    for name in talker untouched; do speak $name 8001 "$n"; done
    [ "$(size_of_log talker)" -gt $((2 * MIB)) ]
    sleep 1 # for what should not come
    for name in talker untouched; do prints $name 0 "$n" 8001 "$half"; done
    wait_until 10 cmp "$T/followed" <(tale 0 "$n")
    cmp "$T/followed" <(docker logs untouched)
    no_hole talker
    cmp <(logs talker) <(tale 0 "$n")
    # nobody rotates it, and that is said where one looks
    gives off status_of talker .log.method
    status_of talker .log.why | grep "hole.*adopt-logs.*LogMethod=punch"
    ctl show talker | tr -s ' \n' ' ' | tee "$T/show"
    grep "method off: not rotated" "$T/show"
    run ctl rotate talker
    [ "$status" -ne 0 ]
    [[ $output == *adopt-logs* ]]

    # stopped, it is short; nothing is lost, and what docker prints is the end of it
    docker stop -t 0 talker >/dev/null
    wait_until 20 short talker
    wait_until 5 gives clean state_of talker .phase
    no_hole talker
    cmp <(logs talker) <(tale 0 "$n")
    docker start talker >/dev/null # says line 0 again
    speak talker $((n + 1)) $((n + 6000))
    no_hole talker
    cmp <(logs talker | grep -v 'line 0000000 ') <(tale 1 $((n + 6000)))
    docker logs talker | grep -v 'line 0000000 ' >"$T/shown"
    [ "$(wc -l <"$T/shown")" -gt 6000 ]
    cmp "$T/shown" <(tale $((n + 6001 - $(wc -l <"$T/shown"))) $((n + 6000)))
}

@test "docker compose logs prints all of it, too" {
    printf 'services: {talker: {image: "%s", container_name: talker-1, network_mode: none, command: [sh, -c, "%s"]}}\n' \
        "$BB" 'echo line 0000000 of the story; exec sleep 100000' >"$T/compose.yaml"
    daemon_begin
    docker compose -p told -f "$T/compose.yaml" up -d 2>&1
    local n=${PLIMSOLL_LOG_LINES:-20000}
    speak talker-1 1 "$n"
    sleep 1
    docker compose -p told -f "$T/compose.yaml" logs --no-log-prefix --no-color talker >"$T/shown"
    cmp "$T/shown" <(tale 0 "$n")
    docker compose -p told -f "$T/compose.yaml" logs --no-log-prefix --no-color --tail 5 talker >"$T/shown"
    cmp "$T/shown" <(tale $((n - 4)) "$n")
}

@test "it is said once for the host, not for each container and not at each start" {
    local i
    for i in 1 2 3 4 5; do talker talker-$i; done
    daemon_begin
    wait_until 10 said '^([^:]*: )?log of 5 containers \(talker-.*, talker-.*, talker-.* and 2 more\): not rotated'
    for i in 1 2 3; do docker restart -t 0 talker-$i >/dev/null; done
    sleep 3
    [ "$(grep -c 'adopt-logs' "$LOG")" -eq 1 ]
    [ "$(status_json | jq .findings.medium)" = 1 ]
    ctl status | tr -s ' \n' ' ' | tee "$T/status"
    [ "$(grep -o 'adopt-logs' "$T/status" | wc -l)" -eq 1 ]
    grep 'medium: log of 5 containers' "$T/status"
}

@test "LogMethod=punch makes holes all the same; without it from then on they stay, and no line is lost" {
    talker holed
    daemon_begin
    speak holed 1 20000
    wait_until 10 gives punch status_of holed .log.method
    wait_until 10 at_least 1 state_of holed .gen
    wait_until 10 gives clean state_of holed .phase
    run no_hole holed
    [ "$status" -ne 0 ]
    cmp <(logs holed) <(tale 0 20000)
    daemon_end
    policy_is <<<$'[Service holed]\nMatch=name:holed*\nLogMaxSize=128K'
    daemon_begin
    wait_until 10 said 'log of 1 container \(holed\): not rotated .* earlier rotation has left a hole'
    gives off status_of holed .log.method
    local gen
    gen=$(state_of holed .gen)
    speak holed 20001 40000
    sleep 1
    [ "$(state_of holed .gen)" = "$gen" ]
    cmp <(logs holed) <(tale 0 40000)
    [ "$(docker logs --tail 5 holed 2>&1)" = "$(tale 39996 40000)" ]
    docker stop -t 0 holed >/dev/null
    wait_until 20 short holed
    wait_until 5 gives clean state_of holed .phase
    no_hole holed
    cmp <(logs holed) <(tale 0 40000)
    docker logs holed 2>&1 | tail -n 1 | cmp - <(tale 40000 40000)
}
