#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # bats runs each test in a shell of its own
# Rotation under a writer at full speed, killed again and again, on each kind of file system: every
# line once, in order, in archives and log. The rotate harness reads everything back itself.
# PLIMSOLL_LINES makes it longer: 800000 and more is what a change of the sequence is tried with.

load helper

LINES=${PLIMSOLL_LINES:-60000}
PACE=10000

setup() { M=$(mktemp -d /var/tmp/plimsoll-rotate.XXXXXX); }
teardown() {
    "$SUPPORT/mounts.sh" remove "$M/fs"
    rm -rf "$M"
}

# on TYPE METHOD ENGINE CHOSEN [-] - the harness says which method it came to use; "-": records of
# the state are deleted as well
on() {
    "$SUPPORT/mounts.sh" make "$1" "$M/fs" || skip "this kernel cannot mount $1"
    mkdir "$M/fs/run"
    run "$BUILD_DIR/tests/support/rotate-harness" run "$M/fs/run" "$2" "$3" "$LINES${5:-}" 65536 $RANDOM $PACE
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"engine $3, method $4:"* ]]
    [ "$(grep -c ' 0 lost, 0 doubled, 0 damaged' <<<"$output")" -eq 2 ]
}

@test "ext4, engine below 23: collapse" { on ext4 auto 20 collapse; }
@test "ext4, engine 23 and later: punch when asked for" { on ext4 punch 26 punch; }
@test "XFS, any engine: reflink" { on xfs auto 26 reflink; }
@test "XFS, engine below 23: collapse when asked for" { on xfs collapse 20 collapse; }
@test "btrfs, any engine: reflink" { on btrfs auto 28 reflink; }
@test "tmpfs: punch when asked for" { on tmpfs punch 26 punch; }
# stays_within TYPE METHOD ENGINE - what the log takes on disk, over 500 rotations
stays_within() {
    "$SUPPORT/mounts.sh" make "$1" "$M/fs" || skip "this kernel cannot mount $1"
    mkdir "$M/fs/run"
    run "$BUILD_DIR/tests/support/rotate-harness" bound "$M/fs/run" "$2" "$3" 65536 500
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *" rotations=500 "*" 0 lost, 0 doubled, 0 damaged"* ]]
}

@test "500 rotations on ext4, collapse: the log takes no more than its bound" { stays_within ext4 auto 20; }
@test "500 rotations on ext4, punch: the log takes no more than its bound" { stays_within ext4 punch 26; }
@test "500 rotations on XFS, collapse: the log takes no more than its bound" { stays_within xfs collapse 20; }
@test "500 rotations on XFS, reflink: the log takes no more than its bound" { stays_within xfs auto 26; }
@test "500 rotations on btrfs, reflink: the log takes no more than its bound" { stays_within btrfs auto 26; }

@test "state records deleted at any time, collapse" { on ext4 auto 20 collapse -; }
@test "state records deleted at any time, punch" { on ext4 punch 26 punch -; }
@test "state records deleted at any time, reflink" { on xfs auto 26 reflink -; }

@test "plimsollctl logs -f through rotations that are killed again and again: each line once" {
    "$SUPPORT/mounts.sh" make xfs "$M/fs"
    mkdir -p "$M/fs/run/archive"
    harness run "$M/fs/run" auto 26 "$LINES" 65536 $RANDOM $PACE >"$M/harness" &
    run_pid=$!
    wait_until 5 test -s "$M/fs/run/archive/.state/$ID"
    "$BUILD_DIR/daemon/plimsollctl" logs --archive "$M/fs/run/archive" --json -f harness >"$M/followed" &
    follow_pid=$!
    wait "$run_pid"
    wait_until 10 grep -q "line $(printf %010d "$LINES") " "$M/followed"
    kill "$follow_pid"
    # and read back at once, in one go
    "$BUILD_DIR/daemon/plimsollctl" logs --archive "$M/fs/run/archive" --json harness >"$M/read"
    for file in followed read; do
        cmp <(jq -r .log "$M/$file" | awk '/^line/ { print $2 + 0 }') <(seq "$LINES")
    done
}

# hold_back FILE - whoever opens it waits for a second
hold_back() {
    python3 - "$1" 3>&- 4>&- <<'END' &
import fcntl, os, signal, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
signal.signal(signal.SIGIO, lambda *_: time.sleep(1))
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
signal.pause()
END
    holder=$!
    wait_until 5 grep -q "^[0-9]*: LEASE .*:$(stat -c %i "$1") " /proc/locks
}

@test "plimsollctl logs on a terminal tells how far a long search is, and wipes it out in the end" {
    mkdir -p "$M/$ID" "$M/archive"
    harness write "$M/$ID/$ID-json.log" 60000
    harness rotate "$M" punch 26 65536 keep
    hold_back "$M/archive/.state/$ID" # a slow disk
    script -qec "$BUILD_DIR/daemon/plimsollctl logs --archive $M/archive --grep 'line 0000060000 ' harness" \
        "$M/screen" </dev/null >/dev/null 3>&- 4>&-
    wait "$holder" || true
    tr '\r' '\n' <"$M/screen" | grep -E '^reading archives: +[0-9]+ %'
    # the line that was found begins where the progress stood
    tr -d '\n' <"$M/screen" | grep -F $'\r\033[Kline 0000060000 '
    # and nowhere but on a terminal
    [ -z "$("$BUILD_DIR/daemon/plimsollctl" logs --archive "$M/archive" --grep nothing harness 2>&1)" ]
}

# --- full disks ---------------------------------------------------------------------------------

ID=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

harness() { "$BUILD_DIR/tests/support/rotate-harness" "$@"; }

# full_disk TYPE LINES FREE-KIB - a log of so many lines, and so much room for anything else
full_disk() {
    local free
    "$SUPPORT/mounts.sh" make "$1" "$M/fs" "${4:-48}" || skip "this kernel cannot mount $1"
    mkdir -p "$M/fs/run/$ID" "$M/fs/run/archive"
    harness write "$M/fs/run/$ID/$ID-json.log" "$2"
    # the directories and a first state record, as in a daemon that has been there before
    harness rotate "$M/fs/run" off 20 65536 keep >/dev/null
    sync -f "$M/fs"
    free=$(df --output=avail -k "$M/fs" | tail -n 1)
    fallocate -l "$((free - $3))K" "$M/fs/ballast"
}

rotates() { # METHOD ENGINE keep|drop - into $output
    run harness rotate "$M/fs/run" "$1" "$2" 65536 "$3"
    echo "$output"
    [ "$status" -eq 0 ]
}

nothing_lost() { harness verify "$M/fs/run" "$1"; }

for_each_fs() { # the same on each kind; tmpfs has no blocks for root alone
    local type
    for type in ext4 xfs tmpfs; do
        echo "# $type"
        "$@" "$type"
        "$SUPPORT/mounts.sh" remove "$M/fs"
    done
}

no_room() {
    local size=48 method=punch
    [ "$1" != xfs ] || size=320 method=auto
    full_disk "$1" 100000 100 $size
    rotates $method 26 keep
    [[ $output == "error=28 step=writing the archive "*" rotations=0 "*" dropped=0 "*" full=1" ]]
    nothing_lost 100000
    [ -z "$(find "$M/fs/run/archive" -name '.partial*')" ]
    rm "$M/fs/ballast" # somebody frees some space
    rotates $method 26 keep
    [[ $output == "error=0 "*" rotations=1 "* ]]
    nothing_lost 100000
}

@test "a full disk: nothing is freed that is not in an archive" { for_each_fs no_room; }

little_room() {
    local size=48 method=punch
    [ "$1" != xfs ] || size=320 method=auto
    full_disk "$1" 150000 2600 $size
    rotates $method 26 keep
    [[ $output == "error=0 "*" full=1" ]]
    [[ $output != *" rotations=1 "* ]]
    nothing_lost 150000
}

@test "a full disk: what fits is archived, its blocks are freed, and so on to the end" {
    for_each_fs little_room
}

@test "a full disk: the oldest archives go first" {
    full_disk tmpfs 100000 20000
    rotates punch 26 keep
    [[ $output == "error=0 "*" rotations=1 "* ]]
    rm -f "$M/fs/ballast"
    # as much again, and no room: the archive that is there has to go
    tail -c 12000000 "$M/fs/run/$ID/$ID-json.log" >/dev/null
    for _ in 1 2 3; do harness write "$M/fs/run/$ID/$ID-json.log" 30000; done
    fallocate -l "$(($(df --output=avail -k "$M/fs" | tail -n 1) - 200))K" "$M/fs/ballast"
    rotates punch 26 keep
    [[ $output == "error=0 "*" dropped=0 archives_dropped=1 full=1" ]]
}

@test "a full disk and LogOnFull=drop: the head goes without an archive, and is owned up to" {
    full_disk ext4 100000 100
    rotates auto 20 drop
    [[ $output == "error=0 "*" rotations=1 lines=0 raw=0 dropped=1"*" full=1" ]]
    run harness verify "$M/fs/run" 100000
    [ "$status" -ne 0 ] # the lines are gone, and what remains is in order
    [[ $output == *" lost, 0 doubled, 0 damaged"* ]]
}
