#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # bats runs each test in a shell of its own
# Logs of containers on a real engine: what `docker logs` shows after a rotation, that no line is
# lost between archives and log, and that what is not ours is left alone. Each method is tried on
# the file system that it is for.

load helper

setup_file() { engine_begin; }
teardown_file() { engine_end; }

setup() {
    begin
    policy_is <<'END'
[Service chatty-app]
Match=name:chatty*
LogMaxSize=256K
LogMaxFiles=0

[Service off]
Match=name:off*
LogMaxSize=64K
LogMethod=off
END
}
teardown() {
    daemon_end KILL
    umount "$T/archive" 2>/dev/null || true
    end
    [ -z "${CONTAINERS:-}" ] || umount "$CONTAINERS" || true
    rm -f "$E"/*.img
}

# speak NAME FIRST LAST - numbered lines on a running container's standard output
speak() {
    docker exec "$1" sh -c \
        "awk 'BEGIN { for (i = $2; i <= $3; i++) printf \"line %07d of the story\n\", i }' >/proc/1/fd/1"
}

# speak_slowly NAME FIRST LAST - the same, no faster than its readers: with a rest after each 500
speak_slowly() {
    docker exec "$1" sh -c "for k in \$(seq $2 500 $3); do
        awk -v k=\$k 'BEGIN { for (i = k; i < k + 500 && i <= $3; i++) printf \"line %07d of the story\n\", i }'
        sleep 0.1
    done >/proc/1/fd/1"
}

# chatty NAME [OPTION…] - a container whose first process only holds its output open
chatty() {
    local name=$1
    shift
    docker run -d --name "$name" "$@" "$BB" sh -c 'echo line 0000000 of the story; exec sleep 100000' >/dev/null
}

rotated() { [ "$(find "$T/archive" -name '*.log.zst' | wc -l)" -ge "$1" ]; }
archives() { find "$T/archive" -name "$1@*.log.zst" | sort; }
count_archives() { archives "$1" | wc -l; }
smaller() { # NUMBER COMMAND…
    local number=$1
    shift
    [ "$("$@")" -lt "$number" ]
}
size_of_log() { stat -c %s "$(docker inspect -f '{{.LogPath}}' "$1")"; }

# quiet NAME - all that there is to rotate has been rotated
quiet() {
    [ "$(status_of "$1" .log.size_bytes)" -lt 262144 ] &&
        [ "$(jq -r .phase "$T/archive/.state/$(id_of "$1")")" = clean ]
}

# story NAME - the numbers in archives and log behind its head, in their order
story() {
    local id path head
    id=$(id_of "$1")
    path=$(docker inspect -f '{{.LogPath}}' "$1")
    head=$(jq .head "$T/archive/.state/$id")
    {
        archives "$1" | xargs -r -n 1 zstdcat
        tail -c +$((head + 1)) "$path"
    } | jq -r .log | sed -n 's/^line 0*\([0-9][0-9]*\) .*/\1/p'
}

# whole NAME LAST - each of 0 … LAST, once, in order
whole() { cmp <(story "$1") <(seq 0 "$2"); }

# --- what readers see, by method ----------------------------------------------------------------

# readers NAME LAST - docker's own reading of a log that was rotated; all that works must work
readers() {
    local name=$1 last=$2 shown
    shown=$(docker logs "$name" | wc -l)
    [ "$shown" -gt 0 ]
    docker logs "$name" | tail -n 1 | grep -qx "line 0*$last of the story"
    # what is shown is the end of the story, without a gap
    docker logs "$name" >"$T/shown"
    cmp "$T/shown" <(seq -f 'line %07g of the story' $((last - shown + 1)) "$last")
    [ "$(docker logs --tail 5 "$name")" = "$(seq -f 'line %07g of the story' $((last - 4)) "$last")" ]
    [ "$(docker logs --since 1h "$name" | tail -n 1)" = "$(docker logs --tail 1 "$name")" ]
    [ "$(docker logs --since 2h --until 1h "$name" | wc -l)" -eq 0 ]
}

# follow NAME FILE - a `docker logs -f` from the last line on, attached
follow() {
    docker logs -f --tail 1 "$1" >"$2" 2>&1 3>&- 4>&- &
    FOLLOWER=$!
    wait_until 5 test -s "$2"
}

# lives NAME METHOD - rotations of a running container, its readers, a restart
lives() {
    local name=$1 method=$2
    chatty "$name"
    daemon_begin
    speak "$name" 1 20000
    wait_until 15 rotated 1
    wait_until 15 quiet "$name"
    gives "$method" status_of "$name" .log.method
    whole "$name" 20000
    readers "$name" 20000
    follow "$name" "$T/follow"
    speak "$name" 20001 20010
    wait_until 5 grep -q 'line 0020010 ' "$T/follow"
    speak_slowly "$name" 20011 40000
    wait_until 15 grep -q 'line 0040000 ' "$T/follow"
    wait_until 15 rotated 2
    wait_until 15 quiet "$name"
    whole "$name" 40000
    readers "$name" 40000
    speak "$name" 40001 40002
    wait_until 5 grep -q 'line 0040002 ' "$T/follow" # still alive after a rotation
    kill "$FOLLOWER"
    wait "$FOLLOWER" || true
    docker restart -t 0 "$name" >/dev/null # says line 0 again
    speak "$name" 40003 50000
    wait_until 5 gives "line 0050000 of the story" docker logs --tail 1 "$name"
    wait_until 15 quiet "$name"
    [ "$(story "$name" | grep -cx 0)" -eq 2 ]
    cmp <(story "$name" | grep -vx 0) <(seq 50000)
}

# on_fs TYPE [MIB] - the containers' directory of the engine, on a file system of its own
on_fs() {
    CONTAINERS=$E/engine/data/containers
    "$SUPPORT/mounts.sh" make "$1" "$E/fs" "${2:-300}" || skip "this kernel cannot mount $1"
    umount "$E/fs"
    mount -o loop "$E/fs.img" "$CONTAINERS"
}

@test "ext4, engine below 23: collapse, and docker logs in every form" {
    [ "$(docker version -f '{{.Server.Version}}' | cut -d. -f1)" -lt 23 ] || skip "engine is 23 or later"
    on_fs ext4
    lives chatty collapse
}

@test "engine below 23: docker prints the end of what it prints of an untouched container" {
    [ "$(docker version -f '{{.Server.Version}}' | cut -d. -f1)" -lt 23 ] || skip "engine is 23 or later"
    local n=${PLIMSOLL_LOG_LINES:-12000} # "./dev test gib": 1 GiB of records
    policy_is <<END
[Service chatty-app]
Match=name:chatty*
LogMaxSize=${PLIMSOLL_LOG_SIZE:-256K}
END
    chatty chatty
    chatty untouched # governed by no section
    daemon_begin
    for name in chatty untouched; do speak $name 1 "$n"; done
    wait_until 30 rotated 1
    wait_until 30 gives clean jq -r .phase "$T/archive/.state/$(id_of chatty)"
    docker logs chatty >"$T/shown"
    [ "$(wc -l <"$T/shown")" -gt 100 ]
    cmp "$T/shown" <(docker logs untouched | tail -n "$(wc -l <"$T/shown")")
    cmp "$T/shown" <(docker logs --since 24h chatty)
    cmp <(docker logs --tail 5 chatty) <(docker logs --tail 5 untouched)
    cmp <(logs chatty) <(docker logs untouched)
    cmp <(logs --tail 5000 chatty) <(docker logs --tail 5000 untouched)
}

@test "XFS: reflink, and docker logs in every form" {
    on_fs xfs
    lives chatty reflink
}

@test "btrfs: reflink, and docker logs in every form" {
    on_fs btrfs
    lives chatty reflink
}

@test "a stopped container's log is made short" {
    on_fs xfs
    chatty chatty
    daemon_begin
    speak chatty 1 20000
    wait_until 15 rotated 1
    [ "$(size_of_log chatty)" -gt 1000000 ] # filler keeps positions
    docker stop -t 0 chatty >/dev/null
    wait_until 20 smaller 300000 size_of_log chatty
    whole chatty 20000
    docker start chatty >/dev/null
    speak chatty 20001 20010
    docker logs --tail 1 chatty | grep -q 'line 0020010 '
}

# --- plimsollctl logs ---------------------------------------------------------------------------

logs() { "$BUILD_DIR/daemon/plimsollctl" logs --archive "$T/archive" "$@"; }
tale() { seq -f 'line %07g of the story' "$1" "$2"; }

@test "plimsollctl logs: archives and log as one, in every form, with and without a daemon" {
    chatty chatty-1
    daemon_begin
    speak chatty-1 1 15000
    sleep 1.1
    between=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
    sleep 1.1
    speak chatty-1 15001 40000
    docker exec chatty-1 sh -c 'echo oops >/proc/1/fd/2'
    wait_until 15 rotated 2
    wait_until 15 quiet chatty-1
    for _ in with without; do
        cmp <(logs chatty-1 2>/dev/null) <(tale 0 40000)
        [ "$(logs --stderr chatty-1 2>&1)" = oops ]
        [ "$(logs --tail 3 --stdout chatty-1)" = "$(tale 39998 40000)" ]
        cmp <(logs --tail 30000 --stdout chatty-1) <(tale 10001 40000)
        cmp <(logs --since "$between" chatty-1 2>/dev/null) <(tale 15001 40000)
        cmp <(logs --until "$between" chatty-1 2>/dev/null) <(tale 0 15000)
        [ "$(logs --since "$between" --tail 2 --stdout chatty-1)" = "$(tale 39999 40000)" ]
        [ -z "$(logs --since 2h --until 1h chatty-1)" ]
        [ "$(logs --grep '^line 0(012345|023456) ' chatty-1)" = "$(tale 12345 12345)
$(tale 23456 23456)" ]
        [ "$(logs --json --tail 1 chatty-1 | jq -r .stream)" = stderr ]
        # the same as docker's own, where docker still has it
        shown=$(docker logs -t chatty-1 2>/dev/null | wc -l)
        cmp <(docker logs -t chatty-1 2>/dev/null) <(logs -t --stdout --tail "$shown" chatty-1)
        [ "$(logs "$(id_of chatty-1 | cut -c1-8)" 2>/dev/null | wc -l)" -eq 40001 ] # by id
        [ "$(logs chatty-app 2>/dev/null | wc -l)" -eq 40001 ]                      # by service
        [ -z "$DAEMON" ] || daemon_end
    done
    docker rm -f chatty-1 >/dev/null
    daemon_begin # learns that it is gone; its archives can still be read
    wait_until 5 gives '' ls "$T/archive/.state"
    [ "$(logs chatty-1 | head -n 1)" = "$(tale 0 0)" ]
    run logs nobody
    [ "$status" -eq 1 ]
    run logs --since soon chatty-1
    [ "$status" -eq 2 ]
}

@test "plimsollctl logs --details: as docker has it, with every kind of character" {
    docker run -d --name chatty-labelled --label b=2 --label 'a=one two,three=4 & "x"; ü' --label c= -e X=y/z \
        --log-opt labels=a,b,c --log-opt env=X "$BB" \
        sh -c 'echo out; echo err >&2; exec sleep 100000' >/dev/null
    daemon_begin
    wait_until 5 logs chatty-labelled
    for options in --details '--details -t' '-t'; do
        # shellcheck disable=SC2086 # words
        cmp <(logs $options chatty-labelled 2>&1 | sort) <(docker logs $options chatty-labelled 2>&1 | sort)
    done
    logs --details --stdout chatty-labelled | tee "$T/details"
    grep -q 'b=2.* out$' "$T/details"
}

# same_as_docker OPTION TEXT - docker logs and ours print the same, or refuse it both
same_as_docker() {
    local theirs=0 ours=0
    docker logs "$1" "$2" chatty-timed >"$T/theirs" 2>/dev/null || theirs=$?
    logs "$1" "$2" chatty-timed >"$T/ours" 2>/dev/null || ours=$?
    [ $((theirs > 0)) -eq $((ours > 0)) ] && cmp "$T/theirs" "$T/ours" ||
        {
            echo "$1 '$2': docker $theirs, $(wc -l <"$T/theirs") lines; ours $ours, $(wc -l <"$T/ours") lines"
            return 1
        }
}

@test "plimsollctl logs: times and --tail as docker's own parser reads them" {
    local path text
    [ ! -e /usr/share/zoneinfo/Asia/Kolkata ] || export TZ=Asia/Kolkata # half an hour from the others
    chatty chatty-timed
    daemon_begin
    wait_until 5 logs --tail 1 chatty-timed
    docker stop -t 0 chatty-timed >/dev/null
    path=$(docker inspect -f '{{.LogPath}}' chatty-timed)
    # a record at each time that an input may mean, and one just before it
    jq -ncr --argjson now "$(date +%s)" '
        [range(1767261600; 1767384000; 1800) | ., . + 240, . + 245, . + 245.5] as $dates |
        [5, 5.5, 5.123456789] + $dates + [range($now - 12000; $now - 300; 600) | . + 30.25] + [$now + 3000] |
        map((. | floor) as $s | ((. - $s) * 1e9 | round) as $n | if $n > 0 then [$s, $n - 1], [$s, $n]
            else [$s - 1, 999999999], [$s, 0] end) | sort | .[] |
        {log: "\(.[0]).\(.[1])\n", stream: "stdout",
         time: "\(.[0] | todate[:-1]).\(1000000000 + .[1] | tostring[1:])Z"}' >"$path"
    for text in 0 5 5.5 5.123456789 5.1234567891 5.000000001 5. .5 +5 -5 5e0 1767300000 1767300000.5 \
        9223372036854775808 10m 30m 1h 1h30m 90m 1.5h .5h 1.h +2h -2h +0 -0 0s 5400s 5400000ms \
        5400000000us 5400000000µs 1x h "" " " \
        2026-01-02 2026-01-02Z 2026-01-02+01:00 2026-01-02-01:00 2026-1-2 2026-02-30 2025-02-29 2026-13-01 \
        2026-01-02T10 2026-01-02T3 2026-01-02T10Z 2026-01-02T10+01:00 2026-01-02T10-01:00 2026-01-02T24 \
        2026-01-02T10:04 2026-01-02T10:04Z 2026-01-02T10:04-01:00 2026-01-02T10:4Z \
        2026-01-02T10:04:05 2026-01-02T10:04:05Z 2026-01-02T10:04:05+05:30 2026-01-02T10:04:05.5 \
        2026-01-02T10:04:05.5Z 2026-01-02T10:04:05.500000001+01:00 2026-01-02T10:04:05,5 \
        2026-01-02T10:04:05.4999999999Z 2026-01-02T10:04:05. 2026-01-02T10:04:60Z 2026-01-02t10:04:05Z \
        2026-01-02T10:04:05z 2026-01-02T10:04:05+0100 2026-01-02T 0001-01-01T00:00:00Z; do
        same_as_docker --since "$text"
    done
    for text in 0 0s 5.5 10m -2h 2026-01-02 2026-01-02T10:04:05.5 ""; do
        same_as_docker --until "$text"
    done
    for text in 0 1 5 +5 007 all ALL -1 "" "5 " 5.0 1e3 0x5 99999999999999999999; do
        same_as_docker --tail "$text"
    done
    # and what docker refuses
    for text in "2h ago" 1h30 "1h 30min" "2026-01-02 10:04" @1767300000 yesterday 3d; do
        logs --since "$text" chatty-timed >/dev/null
        ! docker logs --since "$text" chatty-timed >/dev/null 2>&1
    done
}

@test "plimsollctl logs: what is left, whatever is missing" {
    local id path
    chatty chatty-1
    daemon_begin
    speak chatty-1 1 15000
    wait_until 15 rotated 1
    wait_until 15 quiet chatty-1
    id=$(id_of chatty-1)
    path=$(docker inspect -f '{{.LogPath}}' chatty-1)
    daemon_end
    mv "$path" "$path.away" # by hand
    run logs chatty-1
    [ "$status" -eq 1 ]
    [ "${lines[1]}" = "line 0000000 of the story" ]
    [[ ${lines[0]} == *"somebody has removed or moved $path"* ]]
    mv "$path.away" "$path"
    cmp <(logs chatty-1) <(tale 0 15000)
    docker rm -f chatty-1 >/dev/null # while plimsolld is down
    chatty chatty-1                  # its name is used again
    run logs --container "$id" chatty-1
    [ "$status" -eq 1 ]
    [[ $output == *"was removed, and its live log with it"* ]]
    daemon_begin
    wait_until 5 test -e "$T/archive/.state/$(id_of chatty-1)"
    speak chatty-1 15001 15002
    # both, in their order, with a marker between them
    logs --details chatty-1 >"$T/both" 2>/dev/null || true
    [ "$(head -n 1 "$T/both")" = "-- chatty-1 ${id:0:12} --" ]
    grep -qx -- "-- chatty-1 $(id_of chatty-1 | cut -c1-12) --" "$T/both"
    [ "$(tail -n 1 "$T/both")" = " line 0015002 of the story" ]
    cmp <(logs chatty-app 2>/dev/null) <(logs chatty-1 2>/dev/null)
}

@test "plimsollctl logs: other drivers, and a container of which there is no record" {
    mkdir -p "$T/archive/.state"
    docker run --name chatty-local --log-driver local "$BB" \
        sh -c 'echo out; echo err >&2; seq 3; printf end'
    docker run --name chatty-tty -t --log-driver local "$BB" sh -c 'seq 3'
    docker run --name nobodys "$BB" sh -c 'seq 3; echo err >&2'
    for name in chatty-local chatty-tty nobodys; do # no daemon: the engine of DOCKER_HOST is asked
        for options in -t --details "--tail 2"; do
            # shellcheck disable=SC2086 # words
            cmp <(logs $options "$name" 2>"$T/err") <(docker logs $options "$name" 2>/dev/null)
        done
    done
    [ "$(logs --stderr chatty-local 2>&1)" = err ]
    [ "$(logs --grep '^[12]$' chatty-local)" = "1
2" ]
    docker run -d --name chatty-more --log-driver local "$BB" sh -c 'echo one; read x </dev/null; exec sleep 1000' >/dev/null
    logs -f chatty-more >"$T/followed" 3>&- 4>&- &
    follower=$!
    wait_until 5 grep -q one "$T/followed"
    docker exec chatty-more sh -c 'echo two >/proc/1/fd/1'
    wait_until 5 grep -q two "$T/followed"
    docker rm -f chatty-more >/dev/null
    wait "$follower" # it ends with its container
    docker run --name chatty-none --log-driver none "$BB" echo lost
    run logs chatty-none
    [ "$status" -eq 1 ]
    [[ $output == *"logs to none"* ]]
    policy_is <<'END'
[Daemon]
DryRun=yes
[Service chatty-app]
Match=name:chatty*
LogMaxSize=256K
END
    chatty chatty-dry
    daemon_begin
    run "$BUILD_DIR/daemon/plimsollctl" --control "$T/control.sock" logs chatty-dry
    [ "$status" -eq 0 ]
    [[ $output == *"DryRun=yes: nothing of chatty-dry is archived"* ]]
    [[ $output == *"line 0000000 of the story"* ]]
    run "$BUILD_DIR/daemon/plimsollctl" --control "$T/control.sock" logs nobody
    [ "$status" -eq 1 ]
    [[ $output == *"DryRun=yes"* ]]
}

# journald_is_read - in a mount namespace with a journald
journald_is_read() {
    local options
    export DOCKER_HOST=unix://$T/engine/docker.sock
    "$SUPPORT/engine.sh" start "$T/engine"
    # shellcheck disable=SC2064 # this very one
    trap "'$SUPPORT/engine.sh' stop '$T/engine'" EXIT
    "$SUPPORT/images.sh" load "$IMAGES" "$T/engine/docker.sock" busybox
    docker run --name short --log-driver journald "$BB" sh -c 'echo out; echo err >&2; seq 3; printf end' >/dev/null
    docker run --name long --log-driver journald "$BB" sh -c 'head -c 40000 /dev/zero | tr "\0" x; echo; echo end' >/dev/null
    wait_until 5 gives end docker logs --tail 1 short
    for options in "" -t "--tail 2" "--since 1h" "--until 1h"; do
        # shellcheck disable=SC2086 # words
        cmp <(logs $options short 2>/dev/null) <(docker logs $options short 2>/dev/null)
    done
    [ "$(logs --stderr short 2>&1)" = err ]
    cmp <(logs long) <(docker logs long)
    [ "$(logs --tail 2 long | wc -c)" -eq 40005 ] # a line is a line, of however many entries
    docker run -d --name more --log-driver journald "$BB" sh -c 'echo one; exec sleep 1000'
    logs -f more >"$T/followed" 3>&- 4>&- &
    wait_until 5 grep -q one "$T/followed"
    docker exec more sh -c 'echo two >/proc/1/fd/1'
    wait_until 5 grep -q two "$T/followed"
    docker rm -f more
    kill $!
}

@test "plimsollctl logs: the driver journald, out of the journal" {
    [ -x /usr/lib/systemd/systemd-journald ] || skip "no systemd-journald"
    mkdir -p "$T/archive/.state"
    export -f journald_is_read logs docker wait_until gives
    export T SUPPORT IMAGES BB BUILD_DIR
    "$SUPPORT/with-journal.sh" bash -euo pipefail -c journald_is_read
}

# natives NAME - the files that the engine has rotated away
natives() { dirname "$(docker inspect -f '{{.LogPath}}' "$1")" | xargs -I{} find {} -name '*-json.log.*'; }

# reads_natives NAME [LOG-OPT…] - what the engine rotates is one story with the live log
reads_natives() {
    local name=$1 count
    shift
    chatty "$name" --log-opt max-size=64k --log-opt max-file=5 "$@"
    wait_until 5 gives native status_of "$name" .log.method
    wait_until 5 logs --tail 1 "$name" >/dev/null
    logs -f "$name" >"$T/followed" &
    follow_pid=$!
    speak_slowly "$name" 1 10000
    speak "$name" 10001 12000
    wait_until 10 grep -q 'line 0012000 ' "$T/followed"
    kill "$follow_pid"
    cmp "$T/followed" <(tale 0 12000) # through any number of rotations
    [ "$(natives "$name" | wc -l)" -eq 4 ]
    # all that the engine itself still shows, and in its order
    cmp <(logs "$name") <(docker logs "$name")
    count=$(logs "$name" | wc -l)
    [ "$count" -gt 1500 ]
    cmp <(logs "$name") <(tale $((12001 - count)) 12000)
    cmp <(logs --tail 1400 "$name") <(tale 10601 12000)
    cmp <(logs --since 1h "$name") <(logs "$name")
    [ -z "$(logs --until 1h "$name")" ]
}

@test "plimsollctl logs: what the engine rotates itself, plain and packed, in order" {
    daemon_begin
    reads_natives chatty-plain
    reads_natives chatty-packed --log-opt compress=true
    natives chatty-packed | grep -q '\.gz$'
    # a damaged one costs its own lines and is told
    second=$(natives chatty-packed | grep '\.2\.gz$')
    cp "$second" "$T/second"
    : >"$second"
    run logs chatty-packed
    [[ $output == *"line 0012000 of the story"* ]]
    cat "$T/second" >"$second"
    # and all of it outlives its container
    for name in chatty-plain chatty-packed; do
        logs "$name" >"$T/before"
        docker rm -f "$name" >/dev/null
        wait_until 10 said "$name: [0-9]+ lines archived that its log has left"
        cmp <(logs "$name") "$T/before"
    done
}

# --- whose log is whose -------------------------------------------------------------------------

@test "native rotation, other drivers and LogMethod=off are left alone and shown as such" {
    chatty chatty-native --log-opt max-size=1m
    chatty chatty-local --log-driver local
    chatty chatty-none --log-driver none
    chatty off
    daemon_begin
    for name in chatty-native chatty-local chatty-none off; do speak "$name" 1 8000; done
    sleep 1
    [ -z "$(find "$T/archive" -name '*.log.zst')" ]
    gives native status_of chatty-native .log.method
    gives local status_of chatty-local .log.method
    gives none status_of chatty-none .log.method
    gives off status_of off .log.method
    run ctl rotate chatty-native
    [ "$status" -ne 0 ]
    [[ $output == *max-size* ]]
}

@test "rotate NAME rotates now, and status shows sizes" {
    chatty chatty
    daemon_begin
    speak chatty 1 1000
    ctl rotate chatty
    wait_until 5 rotated 1
    whole chatty 1000
    wait_until 5 at_least 1 status_of chatty .log.archived_bytes
    [ "$(status_of chatty .log.size_bytes)" -lt 100000 ]
    wait_until 5 said 'log rotated by .* lines'
}

@test "an archive directory removed under plimsolld is made anew, and is plimsolld's alone again" {
    daemon_begin
    chatty chatty1
    speak chatty1 1 2000
    ctl rotate chatty1
    wait_until 10 rotated 1
    rm -r "$T/archive"
    flock -n "$T" true # the tool works
    speak chatty1 2001 4000
    ctl rotate chatty1
    wait_until 10 said "it has been made anew"
    wait_until 10 rotated 1
    run flock -n "$T/archive" true
    [ "$status" -eq 1 ]
}

@test "a live log removed by hand: told with what to do, what is written on is archived, well again after a restart" {
    local log
    chatty chatty
    daemon_begin
    speak chatty 1 100
    log=$(docker inspect -f '{{.LogPath}}' chatty)
    wait_until 10 gives collapse status_of chatty .log.method
    rm "$log"
    wait_until 2 said 'chatty: its log was removed or moved away'
    wait_until 10 rotated 1
    [ "$(archives chatty | xargs zstdcat | jq -r .log | grep -c story)" -eq 101 ]
    run ctl rotate chatty
    [ "$status" -ne 0 ]
    [[ $output == *"restart the container"* ]]
    status_of chatty '.findings[].message' | grep -q 'restart the container'
    speak chatty 101 200
    docker restart -t 0 chatty >/dev/null
    wait_until 10 gives null status_of chatty '.findings[0]'
    wait_until 10 rotated 2
    archives chatty | xargs zstdcat | jq -r .log | awk '/story/ && $2 != n++ { print; exit 1 } END { exit n != 201 }'
    [ "$(grep -c 'chatty: its log was' "$LOG")" -eq 1 ]
}

@test "archives have their place, mode and name; LogMaxFiles= and the budget bound them" {
    policy_is LogArchiveBudget=1M <<'END'
[Service story-teller]
Match=name:chatty*
LogMaxSize=64K
LogMaxFiles=2
END
    chatty chatty
    daemon_begin
    for i in 0 1 2 3 4; do
        speak chatty $((i * 2000)) $((i * 2000 + 1999))
        wait_until 10 at_least $((i + 1)) jq .gen "$T/archive/.state/$(id_of chatty)"
    done
    wait_until 5 gives 2 count_archives chatty
    archive=$(archives chatty | tail -n 1)
    [[ $archive == "$T/archive/story-teller/chatty@$(id_of chatty | cut -c1-12)_0000"??_2*Z_2*Z.log.zst ]]
    [ "$(stat -c %a "$archive")" = 640 ]
    [ "$(stat -c %a "$(dirname "$archive")")" = 2750 ]
    zstd -tq "$archive"
    # the line of systemctl status: what there is of what there may be
    summary=$(status_json | jq -r .summary)
    [[ $summary == *"; logs "*" of 128.0K" ]] || fail "$summary"
}

@test "a writer that never rests: each rotation is told, and archives keep within bounds meanwhile" {
    policy_is <<<$'[Service chatty-app]\nMatch=name:chatty*\nLogMaxSize=64K\nLogMaxFiles=2'
    docker run -d --name chatty "$BB" sh -c 'while :; do echo a line of a story without an end; done' >/dev/null
    daemon_begin
    for n in 2 4 6; do
        wait_until 20 at_least "$n" grep -c 'chatty: log rotated by' "$LOG"
        [ "$(count_archives chatty)" -le 3 ] # one may just have come
    done
    docker pause chatty >/dev/null
    said 'chatty: log rotated by [a-z]+: [1-9][0-9]* lines, [0-9.]+[KMG]? to [0-9.]+[KMG]? \([0-9.]+ to 1\) in [0-9]+ ms'
    wait_until 5 test "$(status_of chatty .log.size_bytes)" -gt 0
}

critical() { [ "$(status_json | jq .findings.critical)" = "$1" ]; }

# full_archive - room for archives, and then none
full_archive() {
    mkdir -p "$T/archive"
    mount -t tmpfs -o size=256k plimsoll-test "$T/archive"
    chatty chatty
    daemon_begin
    ctl rotate chatty || true
    wait_until 5 test -s "$T/archive/.state/$(id_of chatty)"
    fallocate -l "$(($(df --output=avail -k "$T/archive" | tail -n 1) - 4))K" "$T/archive/ballast"
}

@test "no room for archives: a critical finding, no line is lost, and it goes on when there is some" {
    full_archive
    speak chatty 1 20000
    wait_until 10 critical 1
    said 'chatty: disk full: writing the archive: .*LogOnFull=drop'
    ctl show chatty | grep 'critical: disk full'
    [ "$(docker logs chatty | wc -l)" -eq 20001 ]
    speak chatty 20001 20002
    [ "$(grep -c 'disk full' "$LOG")" -eq 1 ] # said once, however often it is tried
    rm "$T/archive/ballast"
    wait_until 30 rotated 1
    wait_until 10 quiet chatty
    wait_until 5 critical 0
    whole chatty 20002
}

@test "no room for archives and LogOnFull=drop: the log is bounded, and what went is said" {
    policy_is <<<$'[Service chatty-app]\nMatch=name:chatty*\nLogMaxSize=256K\nLogOnFull=drop'
    full_archive
    speak chatty 1 20000
    wait_until 10 said 'chatty: disk full: .* of its log dropped without an archive \(LogOnFull=drop\)'
    wait_until 10 quiet chatty
    critical 0
    [ -z "$(archives chatty)" ]
    story chatty >"$T/story"
    cmp "$T/story" <(seq "$(head -n 1 "$T/story")" 20000) # what is left is the end
}

@test "the daemon killed in the middle of rotations: nothing lost, nothing twice" {
    chatty chatty
    for i in 0 1 2 3 4 5; do
        daemon_begin
        speak chatty $((i * 20000 + 1)) $((i * 20000 + 20000)) &
        speaker=$!
        sleep "0.$((i * 7 % 10))"
        daemon_end KILL
        wait "$speaker"
    done
    daemon_begin
    wait_until 15 rotated 3
    wait_until 10 quiet chatty
    whole chatty 120000
}

@test "a container that is gone leaves all that it said in archives, and no state" {
    chatty chatty
    daemon_begin
    speak chatty 1 20000
    wait_until 15 rotated 1
    id=$(id_of chatty)
    docker rm -f chatty >/dev/null
    wait_until 5 test ! -e "$T/archive/.state/$id"
    cmp <(archives chatty | xargs -n 1 zstdcat | jq -r .log | sed '/^$/d') <(tale 0 20000)
    said 'chatty: [0-9]+ lines archived that its log has left, its container was removed'
}

@test "docker compose up --force-recreate and down: all that a service has said, as one stream" {
    local name trixie=${PLIMSOLL_TRIXIE:-$HERE/../../build/trixie}
    "$SUPPORT/trixie.sh" build "$trixie"
    DOCKER_CONFIG=$("$SUPPORT/trixie.sh" compose "$trixie")
    export DOCKER_CONFIG
    policy_is <<<$'[Defaults]\nLogMaxSize=256K'
    cat >"$T/compose.yaml" <<END
name: shop
services:
  talk:
    image: $BB
    command: [sh, -c, "trap 'echo dies; exit 0' TERM; echo born; while :; do sleep 1000 & wait; done"]
END
    daemon_begin
    docker compose -f "$T/compose.yaml" up -d 2>&1 3>&- 4>&-
    wait_until 10 gives born logs shop/talk
    docker compose -f "$T/compose.yaml" up -d --force-recreate 2>&1 3>&- 4>&-
    wait_until 10 gives "$(printf '%s\n' born dies born)" logs shop/talk
    docker compose -f "$T/compose.yaml" down 2>&1 3>&- 4>&-
    for name in shop/talk talk shop-talk-1; do
        wait_until 10 gives "$(printf '%s\n' born dies born dies)" logs "$name"
    done
    [ "$(find "$T/archive" -name 'shop-talk-1@*.log.zst' | wc -l)" -eq 2 ]
}

# PLIMSOLL_REMOVALS, PLIMSOLL_KILLS: how many, and how often plimsolld is killed meanwhile;
# ./dev test removals makes 1000 and 100 of it, and a tenth as many of logs that the engine rotates
removals_on() {
    daemon_end KILL
    on_fs "$1" 2000 # what is removed takes room until it is archived, however long that takes
    run "$SUPPORT/removals.py" "$E/engine" "$BUILD_DIR" "$E/removals-$1" "${PLIMSOLL_REMOVALS:-30}" \
        "${PLIMSOLL_KILLS:-3}"
    rm -rf "$E/removals-$1"
    printf '%s\n' "$output"
    [ "$status" -eq 0 ]
    printf '# %s: %s\n' "$1" "${lines[-1]}" >&3
    [ -n "${PLIMSOLL_REMOVALS:-}" ] || return 0
    run "$SUPPORT/removals.py" "$E/engine" "$BUILD_DIR" "$E/removals-$1" $((PLIMSOLL_REMOVALS / 10)) \
        $((${PLIMSOLL_KILLS:-3} / 10)) $RANDOM native
    rm -rf "$E/removals-$1"
    printf '%s\n' "$output"
    [ "$status" -eq 0 ]
    printf '# %s, rotated by the engine: %s\n' "$1" "${lines[-1]}" >&3
}

@test "removals at full speed, plimsolld killed meanwhile, ext4: each line once" { removals_on ext4; }
@test "removals at full speed, plimsolld killed meanwhile, XFS: each line once" { removals_on xfs; }
@test "removals at full speed, plimsolld killed meanwhile, btrfs: each line once" { removals_on btrfs; }

@test "dry run touches no log" {
    chatty chatty
    daemon_begin --dry-run
    speak chatty 1 20000
    sleep 1
    [ -z "$(find "$T/archive" -name '*.zst')" ]
    [ "$(docker logs chatty | wc -l)" -eq 20001 ]
}
