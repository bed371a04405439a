#!/usr/bin/env bats
# LogPath=: log files in a container's volume and bind mount, as a daemon looks after them.

load helper

setup_file() { engine_begin; }
teardown_file() { engine_end; }

setup() {
    begin
    mkdir -p "$T/srv/dag=1/run=2026" "$T/srv/task" "$T/elsewhere"
}
teardown() {
    ! mountpoint -q "$T/srv/mount" || umount "$T/srv/mount"
    end
}

# aged FILE DAYS [KIB] - a log of so many KiB, last written so long ago
aged() {
    mkdir -p "$(dirname "$1")"
    awk -v n="$((${3:-1} * 16))" 'BEGIN { for (i = 0; i < n; i++) printf "%063d\n", i }' >"$1"
    touch -d "$2 days ago" "$1"
}

gone() { [ ! -e "$1" ]; }
tidied() { grep -q "$1: log files: " "$LOG"; }

@test "a bind mount: old files and empty folders go, others are compressed or stay" {
    policy_is <<'END'
[Service airflow-tasks]
Match=name:tasks
LogPath=/logs/**/*.log
LogPathMaxAge=7d
END
    aged "$T/srv/dag=1/run=2026/attempt=1.log" 9
    aged "$T/srv/task/yesterday.log" 2 64
    aged "$T/srv/task/today.log" 0
    aged "$T/srv/task/note.txt" 9
    aged "$T/elsewhere/old.log" 9
    # hours of work, and more blocks than one turn takes: neither keeps the others waiting
    truncate -s 15T "$T/srv/sparse.log"
    fallocate -l 300M "$T/srv/blocks.log"
    touch -d '3 days ago' "$T/srv/sparse.log" "$T/srv/blocks.log"
    ln -s "$T/elsewhere" "$T/srv/link"
    ln -s "$T/elsewhere/old.log" "$T/srv/link.log"
    # of the same file system: only the mount's own number tells it apart
    mkdir "$T/srv/mount"
    mount --bind "$T/elsewhere" "$T/srv/mount"
    run_bb tasks -v "$T/srv:/logs"
    daemon_begin
    wait_until 10 tidied tasks
    gone "$T/srv/dag=1"
    gone "$T/srv/task/yesterday.log"
    [ "$(zstd -dcq "$T/srv/task/.plimsoll/yesterday.log.zst" | wc -c)" -eq 65536 ]
    [ -f "$T/srv/task/today.log" ]
    [ -f "$T/srv/task/note.txt" ]
    [ -f "$T/elsewhere/old.log" ]
    [ -L "$T/srv/link.log" ]
    said "2 compressed; .* became .*; 15[.]0T of holes in them were left out; 1 removed; .* freed; 2 empty folders removed"
    wait_until 10 said 'log files: 1 compressed; 300[.]0M of holes in them were left out'
    gone "$T/srv/blocks.log"
}

@test "a named volume: an open file is copied and truncated, and its writer goes on" {
    policy_is <<'END'
[Service app]
Match=name:app
LogPath=/var/log/app/*.log
LogPathMaxSize=64K
END
    docker run -d --name app -v app-logs:/var/log/app "$BB" sh -c \
        'exec >>/var/log/app/app.log; yes "a line of the log" | head -n 10000; while :; do echo more; sleep 0.2; done' >/dev/null
    V=$(docker volume inspect -f '{{.Mountpoint}}' app-logs)
    wait_until 5 at_least 180000 stat -c %s "$V/app.log"
    daemon_begin
    wait_until 10 tidied app
    [ "$(zstd -dcq "$V"/.plimsoll/app.log.*Z.zst | grep -c '^a line of the log$')" -eq 10000 ]
    [ "$(stat -c %s "$V/app.log")" -lt 65536 ]
    wait_until 5 grep -q more "$V/app.log"
    docker rm -f app >/dev/null
    docker volume rm app-logs >/dev/null
}

@test "LogReopen= renames and signals, and loses nothing" {
    policy_is <<'END'
[Service app]
Match=name:app
LogPath=/logs/*.log
LogPathMaxSize=64K
LogReopen=USR1
END
    docker run -d --name app -v "$T/srv:/logs" "$BB" sh -c \
        'reopen() { exec >>/logs/app.log; echo opened; }; trap reopen USR1; reopen
         yes "a line of the log" | head -n 10000; while :; do sleep 0.2; done' >/dev/null
    wait_until 5 at_least 180000 stat -c %s "$T/srv/app.log"
    daemon_begin
    wait_until 10 tidied app
    wait_until 5 grep -q opened "$T/srv/app.log"
    [ "$(cat "$T/srv"/app.log.*Z | grep -c '^a line of the log$')" -eq 10000 ]
    # the next pass packs what nobody has open any more
    sleep 0.5
    touch -d '1 hour ago' "$T/srv"/app.log.*Z
    kill -HUP "$DAEMON"
    wait_until 10 said 'app: log files: 1 compressed'
    [ "$(zstd -dcq "$T/srv"/.plimsoll/app.log.*Z.zst | grep -c '^a line of the log$')" -eq 10000 ]
}

@test "a dry run says what it would do, once, and does nothing" {
    policy_is <<'END'
[Service airflow-tasks]
Match=name:tasks
LogPath=/logs/**/*.log
LogPathMaxAge=7d
END
    aged "$T/srv/task/old.log" 9
    aged "$T/srv/task/large.log" 2 64
    run_bb tasks -v "$T/srv:/logs"
    daemon_begin --dry-run
    wait_until 10 said 'log files: would be 1 compressed; would be 1 removed \(dry run\)'
    kill -HUP "$DAEMON"
    sleep 5
    [ "$(grep -c 'would be 1 compressed' "$LOG")" -eq 1 ]
    [ -f "$T/srv/task/old.log" ]
    [ -f "$T/srv/task/large.log" ]
}

@test "a path in no mount, and a mount behind a link, are findings" {
    policy_is <<'END'
[Service none]
Match=name:none
LogPath=/var/log/*.log

[Service linked]
Match=name:linked
LogPath=/logs/*.log
LogPathMaxAge=7d
END
    aged "$T/elsewhere/old.log" 9
    run_bb none
    run_bb linked -v "$T/srv/link:/logs"
    # the container's directory is swapped for a link to what is not its own
    rm -rf "$T/srv/link"
    ln -s "$T/elsewhere" "$T/srv/link"
    daemon_begin
    wait_until 10 said 'none: LogPath=/var/log/\*\.log lies in no volume or bind mount'
    wait_until 10 said 'linked: a log file in .*/srv/link: following no symbolic link'
    [ -f "$T/elsewhere/old.log" ]
    [ "$(status_json | jq .findings.high)" -eq 2 ]
    gives log-files status_of linked '.findings[0].check'
    [ "$(curl -sS --unix-socket "$T/control.sock" http://localhost/v1/findings | jq length)" -eq 2 ]
    [[ $(ctl status) == *"findings 2 high"*"high: a log file in "*"following no symbolic link"* ]]
    [[ $(ctl show linked) == *"finding  high: a log file in "* ]]
}

@test "logs --path: archives of both places and the file as one, in order; what cannot be read is said" {
    local d=$T/srv/task
    mkdir "$d/.plimsoll"
    put() { # FILE AGE TEXT
        case $1 in *.zst) echo "$3" | zstd -q >"$d/$1" ;; *) echo "$3" >"$d/$1" ;; esac
        touch -d "$2 days ago" "$d/$1"
    }
    put a.log.zst 9 1
    put .plimsoll/a.log.zst 7 2
    put .plimsoll/a.log.20260101T000000Z.zst 6 3
    put a.log.20261101T000000Z 5 4
    put a.log 0 5
    put a.log.1 1 no
    put b.log.zst 1 no
    ln -s "$T/srv/task/b.log.zst" "$d/.plimsoll/a.log.20260202T000000Z.zst"
    [ "$(ctl_offline logs --path "$d/a.log" | xargs)" = "1 2 3 4 5" ]
    [ "$(cd "$d" && ctl_offline logs --path a.log | xargs)" = "1 2 3 4 5" ]
    truncate -s 5 "$d/.plimsoll/a.log.zst"
    run ctl_offline logs --path "$d/a.log"
    [ "$status" -eq 1 ]
    [[ $output == *"a.log.zst: "*"lines are missing here"* ]]
    [ "$(grep -x '[0-9]' <<<"$output" | xargs)" = "1 3 4 5" ]
    rm "$d"/a.log*
    [ "$(ctl_offline logs --path "$d/a.log" 2>/dev/null | xargs)" = 3 ]
    run ctl_offline logs --path "$d/nothing.log"
    [ "$status" -eq 1 ]
    [[ $output == *"no archive of it"* ]]
    run ctl_offline logs --path "$d/a.log" --since 1h
    [ "$status" -eq 2 ]
    run ctl_offline logs
    [ "$status" -eq 2 ]
}

ctl_offline() { "$BUILD_DIR/daemon/plimsollctl" "$@"; }
