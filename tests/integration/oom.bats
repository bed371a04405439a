#!/usr/bin/env bats
# Exit status 137, and why: kills by the kernel are explained, others are not mistaken for them.

load helper

setup_file() { engine_begin --images "busybox postgres"; }
teardown_file() { engine_end; }

setup() {
    begin
    policy_is <<'END'
[Service mem-eater]
Match=name:eater*
MemoryMax=48M
MemorySwapMax=0

[Service roomy]
Match=name:roomy*
MemoryMax=256M
MemorySwapMax=0
END
    daemon_begin
}
teardown() { end; }

# What takes too much: reads zeroes into one block of 200 MiB. The kernel's name for it is "dd". It
# waits for its limit, which on a busy host may come after the first instruction.
DD='dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null'
EAT="sleep 0.7; $DD"

show() { curl -sf --max-time 5 --unix-socket "$T/control.sock" "http://plimsolld/v1/containers/$1"; }
reports() { show "$1" | jq '.oom_reports | length'; }
report_of() { show "$1" | jq -r ".oom_reports[-1].$2"; }
kernel_log() { dd if=/dev/kmsg iflag=nonblock of=/dev/null bs=8k count=1 2>/dev/null; }
exited() { [ "$(docker inspect -f '{{.State.Status}}' "$1")" = exited ]; }

@test "a kill is explained: who, which limit, whose, how full, what to do" {
    docker run -d --name eater "$BB" sh -c "$EAT; sleep 100000" >/dev/null
    wait_until 5 gives 1 reports eater
    report_of eater message
    [ "$(report_of eater cause)" = limit ]
    [ "$(report_of eater limit_bytes)" = $((48 * MIB)) ]
    [ "$(report_of eater limit_owner)" = policy ]
    [ "$(report_of eater limit_section)" = 'Service mem-eater' ]
    [ "$(report_of eater peak_bytes)" -gt $((44 * MIB)) ]
    [ "$(report_of eater peak_bytes)" -le $((48 * MIB)) ]
    [ "$(report_of eater usage_bytes)" -gt $((40 * MIB)) ]
    [ "$(report_of eater working_set_bytes)" -le "$(report_of eater usage_bytes)" ]
    [ "$(report_of eater swap_bytes)" = 0 ]
    [ "$(report_of eater kills_1h)" = 1 ]
    report_of eater advice | grep -qF 'raise MemoryMax= to 64M in [Service mem-eater]'
    if kernel_log; then
        [ "$(report_of eater victim)" = dd ]
        [ "$(report_of eater victim_pid)" -gt 1 ]
        said 'eater: OOM kill: dd \(pid [0-9]+, uid 0, [0-9.]+M\) was killed at the limit of 48.0M, set by \[Service mem-eater\]'
    fi
    [ "$(status_of eater .oom_kills)" = 1 ]
    # the container itself goes on
    [ "$(status_of eater .phase)" = running ]
    ctl show eater | grep -q 'OOM kill: '
}

@test "it is said within 200 ms of the kill" {
    local offset killed said
    ctl --json events >"$T/events" 3>&- 4>&- &
    local listener=$!
    # the container's only clock below the second is /proc/uptime, in hundredths
    docker run -d --name eater "$BB" \
        sh -c "for i in 1 2 3 4 5; do $EAT; cut -d ' ' -f 1 /proc/uptime; done; sleep 100000" >/dev/null
    wait_until 10 gives 5 reports eater
    kill "$listener"
    wait "$listener" || true
    offset=$(($(date +%s%N) / 1000 - $(cut -d ' ' -f 1 /proc/uptime | tr -d .) * 10000))
    paste -d ' ' <(docker logs eater | tr -d .) \
        <(jq 'select(.message | test("OOM kill")) | .time_usec' "$T/events") >"$T/times"
    [ "$(wc -l <"$T/times")" = 5 ]
    while read -r killed said; do
        echo "said $((said - killed * 10000 - offset)) us after the kill"
        [ $((said - killed * 10000 - offset)) -lt 200000 ]
    done <"$T/times"
    [ "$(report_of eater kills_10min)" = 5 ]
    report_of eater advice | grep -qF '5 times in an hour'
    [ "$(grep -c 'OOM kill: ' "$LOG")" = 5 ]
}

@test "a container whose first process is killed is explained too, and each run of it once" {
    docker run -d --name eater "$BB" sh -c "sleep 0.7; exec $DD" >/dev/null
    wait_until 5 exited eater
    [ "$(docker inspect -f '{{.State.ExitCode}}' eater)" = 137 ]
    wait_until 5 gives 1 reports eater
    docker start eater >/dev/null
    wait_until 5 gives 2 reports eater
    sleep 0.5
    [ "$(reports eater)" = 2 ]
    [ "$(report_of eater kills)" = 1 ]
    [ "$(status_of eater .oom_kills)" = 2 ]
    status_of eater .reason | grep -qF 'exit code 137: it reached its memory limit'
}

@test "a setting that fills the limit is named in the advice" {
    docker run -d --name eater "$BB" sh -c "$EAT; sleep 100000" postgres -c shared_buffers=40MB >/dev/null
    wait_until 5 gives 1 reports eater
    report_of eater advice
    [ "$(report_of eater advice)" = 'Postgres shared_buffers is 40.0M: lower it, or raise MemoryMax= to 64M in [Service mem-eater]' ]
}

@test "a container that is removed when it ends is explained all the same" {
    docker run --rm --name eater "$BB" sh -c "sleep 0.7; exec $DD" || true
    wait_until 5 said 'OOM kill: .* at the limit of 48.0M'
    sleep 0.5
    [ "$(grep -c 'OOM kill: ' "$LOG")" = 1 ]
}

@test "docker kill, docker stop and a crash with status 137 are no OOM kills" {
    docker run -d --name eater-kill "$BB" sleep 100000 >/dev/null
    docker run -d --name eater-stop "$BB" sh -c 'trap "" TERM; while :; do sleep 0.1; done' >/dev/null
    docker run -d --name eater-exit "$BB" sh -c 'exit 137' >/dev/null
    docker kill eater-kill >/dev/null
    docker stop -t 1 eater-stop >/dev/null
    wait_until 5 exited eater-exit
    sleep 0.5
    local name
    for name in eater-kill eater-stop eater-exit; do
        [ "$(docker inspect -f '{{.State.ExitCode}}' $name)" = 137 ]
        [ "$(show $name | jq '.oom_reports')" = null ]
    done
    run ! said 'OOM kill'
    # … and each is told for what it was
    status_of eater-kill .reason | grep -qF 'killed on request (docker kill), exit code 137'
    status_of eater-stop .reason | grep -qF 'it did not end within the stop timeout'
    status_of eater-exit .reason | grep -qF 'not through the engine, and no lack of memory was seen'
}

@test "kills from before plimsolld are not reported, those after it are" {
    daemon_end
    docker run -d --memory 48m --memory-swap 48m --name other "$BB" \
        sh -c "$EAT; touch /once; while [ ! -f /go ]; do sleep 0.1; done; $EAT; sleep 100000" >/dev/null
    wait_until 5 docker exec other test -f /once
    daemon_begin
    sleep 0.5
    [ "$(show other | jq '.oom_reports')" = null ]
    docker exec other touch /go
    wait_until 5 gives 1 reports other
    # no section matches: the limit is the engine's own
    [ "$(report_of other limit_owner)" = engine ]
    [ "$(report_of other limit_bytes)" = $((48 * MIB)) ]
    report_of other advice | grep -q 'set MemoryMax=64M in a section of its own, \[Service '
}

@test "how often lately outlives plimsolld, and the container" {
    docker run -d --name eater "$BB" sh -c "$EAT; while [ ! -f /go ]; do sleep 0.1; done; $EAT; sleep 100000" >/dev/null
    wait_until 5 gives 1 reports eater
    local before after
    before=$(report_of eater message)
    daemon_end KILL
    daemon_begin
    wait_until 5 gives 1 reports eater
    after=$(report_of eater message)
    [ "$before" = "$after" ]
    [ "$(status_of eater .oom_kills)" = 1 ]
    docker exec eater touch /go
    wait_until 5 gives 2 reports eater
    [ "$(report_of eater kills_1h)" = 2 ]
    report_of eater advice | grep -qF '2 times in an hour'
    [ "$(grep -c 'OOM kill: ' "$LOG")" = 2 ]
    [ "$(stat -c %a "$T"/state/services/*eater-*.json)" = 600 ]
    docker rm -f eater >/dev/null
    # it is gone, and still known: by the daemon, and without it
    wait_until 5 ctl show eater
    ctl show eater | grep -q 'OOM kills 2'
    show eater | jq -r '.remembered[]'
    show eater | jq -r '.remembered[0]' | grep -qE '^killed 2 times in .* at 48.0M; peak before each 4[0-9.]+M'
    ctl why eater | grep -q '^eater ended '
    # … a second after the kills at the latest
    wait_until 5 jq -e '.version == 1 and .oom.total == 2 and (.ends | length) >= 1' \
        "$T"/state/services/*eater-*.json
    # made anew under the same name, with more memory
    docker run -d --name eater "$BB" sleep 100000 >/dev/null
    wait_until 5 gives running status_of eater .phase
    wait_until 5 gives 2 status_of eater .oom_kills
    daemon_end
    daemon_begin
    wait_until 5 gives 2 status_of eater .oom_kills
    report_of eater limit_bytes
    [ "$(report_of eater limit_bytes)" = $((48 * MIB)) ]
}

@test "hostile names of processes do no harm" {
    # busybox goes by its second word when the first begins with its own name
    run_bb roomy
    docker exec roomy sh -c 'cp /bin/busybox "/tmp/busybox,pid=1,uid=0"
        cp /bin/busybox "$(printf "/tmp/busybox\033[31m")"'
    docker exec roomy "/tmp/busybox,pid=1,uid=0" dd if=/dev/zero of=/dev/null bs=600M count=1 || true
    wait_until 5 gives 1 reports roomy
    docker exec roomy "$(printf '/tmp/busybox\033[31m')" dd if=/dev/zero of=/dev/null bs=600M count=1 || true
    wait_until 5 gives 2 reports roomy
    [ "$(report_of roomy limit_bytes)" = $((256 * MIB)) ]
    kernel_log || skip 'the kernel log cannot be read here'
    show roomy | jq -r '.oom_reports[].victim'
    [ "$(show roomy | jq -r '.oom_reports[0].victim')" = 'busybox,pid=1,u' ]
    [ "$(show roomy | jq -r '.oom_reports[1].victim')" = 'busybox\x1b[31m' ]
    run ! grep -q "$(printf '\033')" "$LOG"
}

@test "a limit above the container's own is named as such" {
    is_v2 && skip 'the engine owns the groups above on v2 with systemd'
    local parent
    docker run -d --name roomy "$BB" sleep 100000 >/dev/null
    parent=$(dirname "$(group_of roomy memory)")/above
    mkdir "$parent"
    echo $((64 * MIB)) >"$parent/memory.limit_in_bytes"
    docker run -d --name roomy2 --cgroup-parent "${parent#/sys/fs/cgroup/memory}" "$BB" sh -c "$EAT; sleep 100000" >/dev/null
    wait_until 5 gives 1 reports roomy2
    report_of roomy2 message
    docker rm -f roomy2 >/dev/null
    find "/sys/fs/cgroup" -mindepth 3 -maxdepth 4 -type d -path "*${parent#/sys/fs/cgroup/memory}" -exec rmdir {} + 2>/dev/null || true
    kernel_log || skip 'the kernel log cannot be read here'
    said 'roomy2: OOM kill: dd .* at the limit of 64.0M of .*/above, the group above it'
}

@test "memory that is short for half a minute is a warning, once, before anything is killed" {
    is_v2 && skip 'the machine tries it there'
    policy_is <<'END'
[Service too-tight]
Match=name:tight
MemoryMax=64M
MemorySwapMax=0
END
    kill -HUP "$DAEMON"
    # more than nine tenths of it cannot be freed; the rest is wanted by what is written
    docker run -d --name tight --tmpfs /fill "$BB" sh -c '
        sleep 1; dd if=/dev/zero of=/fill/x bs=1M count=58 2>/dev/null
        while :; do dd if=/dev/zero of=/tmp/y bs=1M count=64 2>/dev/null; done' >/dev/null
    wait_until 75 said 'tight: memory is short: working set .* of 64.0M, set by \[Service too-tight\], for 3[0-9]s now'
    said 'raise MemoryMax= to 80M in \[Service too-tight\]'
    sleep 2
    [ "$(grep -c 'memory is short' "$LOG")" = 1 ]
    unsaid 'OOM kill'
}

@test "frozen at its limit, because the kernel may not kill: told as that, once, what to do, and never restarted" {
    is_v2 && skip 'v2 has no oom_kill_disable'
    local started
    policy_is <<'END'
[Service ice]
Match=name:ice*
Probe=none
ProbeStartPeriod=1s
OnUnhealthy=restart
OnStartTimeout=restart
END
    ctl reload
    # one that has no check, and one whose check cannot run any more
    docker run -d --name ice --oom-kill-disable -m 32m "$BB" sh -c "$EAT; sleep 100000" >/dev/null
    docker run -d --name ice-checked --oom-kill-disable -m 32m --health-cmd 'test -e /never' --health-interval 1s \
        --health-retries 1 "$BB" sh -c "$EAT; sleep 100000" >/dev/null
    started="$(docker inspect -f '{{.State.StartedAt}}' ice ice-checked)"
    turns ice degraded
    turns ice-checked degraded
    for name in ice ice-checked; do
        [[ $(reason $name) == "impaired: frozen at its memory limit: "*"raise MemoryMax="* ]] || fail "$(reason $name)"
    done
    # who comes later sees it, too
    daemon_end KILL
    daemon_begin
    turns ice degraded
    [ "$(docker inspect -f '{{.State.StartedAt}}' ice ice-checked)" = "$started" ]
    [ "$(grep -c '^ice: degraded: impaired: frozen' "$LOG")" = 2 ]
    unsaid 'restarting it|OOM kill'
    # what it says is what helps
    sed -i '/^Match=/a MemoryMax=400M\nMemorySwapMax=infinity' "$T/plimsoll.conf"
    ctl reload
    turns ice unknown
    turns ice-checked degraded
    [[ $(reason ice-checked) == *"Docker's healthcheck says unhealthy"* ]] || fail "$(reason ice-checked)"
}

@test "a child is killed, and the first process ends by itself later: told as that, and not as an OOM kill of it" {
    docker run -d --name eater "$BB" sh -c "$EAT; sleep 4; echo 'no worker left' >&2; exit 1" >/dev/null
    turns eater unhealthy
    [[ $(reason eater) == "ended by itself with exit code 1, "[345]"s after the kernel killed a process of it for lack of memory; its last line: no worker left" ]] ||
        fail "$(reason eater)"
    said '^eater: unhealthy: ended by itself with exit code 1, .s after'
}

@test "a full /dev/shm is named as the reason of an end, whatever the exit code" {
    # a real Postgres that wants more of it than there is
    docker run -d --name roomy --shm-size 1m -e POSTGRES_USER=app postgres:debian /start \
        -c dynamic_shared_memory_type=posix -c min_dynamic_shared_memory=64MB >/dev/null
    docker run -d --name roomy-dd --shm-size 1m "$BB" \
        sh -c 'dd if=/dev/zero of=/dev/shm/x bs=64k count=64; exit 5' >/dev/null
    turns roomy unhealthy 60
    turns roomy-dd unhealthy
    docker logs roomy 2>&1 | tail -n 3
    [[ $(reason roomy) == "ended by itself with exit code 1; its /dev/shm is full: give it more (shm_size"*"; its last line: "* ]] ||
        fail "$(reason roomy)"
    [[ $(reason roomy-dd) == "ended by itself with exit code 5; its /dev/shm is full: "*"; its last line: "*" records out" ]] ||
        fail "$(reason roomy-dd)"
}

# One end of a kind: its container, which has no label, is a service of its own.
seed() { # KIND NAME
    local quiet='trap "exit 143" TERM; while :; do sleep 0.1; done' pid
    case $1 in
    finished) docker run -d --name "$2" "$BB" true ;;
    exit) docker run -d --name "$2" "$BB" sh -c 'echo no such table; exit 1' ;;
    not-found) docker run -d --name "$2" "$BB" sh -c 'no-such-command' ;;
    not-executable) docker run -d --name "$2" "$BB" sh -c '/etc/passwd' ;;
    no-space) docker run -d --name "$2" --tmpfs /small:size=64k "$BB" sh -c 'cat /dev/zero >/small/x || exit 1' ;;
    crashed) docker run -d --name "$2" "$BB" sh -c 'sh -c "kill -SEGV \$\$"; exit $?' ;;
    memory-limit) docker run -d --name "$2" -m 48m --memory-swap 48m "$BB" sh -c "sleep 0.7; exec $DD" ;;
    memory-limit-child) docker run -d --name "$2" -m 48m --memory-swap 48m "$BB" sh -c "sleep 0.7; $DD; exit 3" ;;
    stop-timeout) docker run -d --name "$2" --stop-timeout 1 "$BB" sleep 1000 && docker stop "$2" ;;
    killed) docker run -d --name "$2" "$BB" sleep 1000 && docker kill "$2" ;;
    stopped) docker run -d --name "$2" "$BB" sh -c "$quiet" && sleep 0.3 && docker stop "$2" ;;
    signal) docker run -d --name "$2" "$BB" sh -c "$quiet" && sleep 0.3 && kill "$(pid_of "$2")" ;;
    sigkill) docker run -d --name "$2" "$BB" sleep 1000 && pid=$(pid_of "$2") && kill -9 "$pid" ;;
    esac >/dev/null
}

WHYS='finished exit not-found not-executable no-space crashed memory-limit memory-limit-child stop-timeout killed stopped signal sigkill'

# One line for each end: what was seeded, what why says, and what docker inspect does.
answer() { # KIND NAME
    ctl --json why "$2" | jq -r --arg k "$1" '.ends[-1] | "\($k) \(.kind) \(if .certain then "certain" else "likely" end)"' |
        tr '\n' ' '
    docker inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' "$2"
}
ends_known() { [ "$(ctl --json why "$1" 2>/dev/null | jq '.ends | length')" = 1 ]; }

@test "why: each kind of end is told apart, in any order, and never certain and wrong" {
    kernel_log || skip 'the kernel log cannot be read here'
    local rounds=${PLIMSOLL_WHY_ROUNDS:-1} kind n
    policy_is <<'END'
[Defaults]
MemoryMax=48M
MemorySwapMax=0
Probe=none
END
    ctl reload
    # a fault of its own, which the kernel's log tells from a kill -ILL
    echo 'int main(void) { sleep(2); __builtin_trap(); }' | gcc -w -static -include unistd.h -x c -o "$T/faulty" -
    docker run -d --name faulty -v "$T/faulty:/faulty:ro" "$BB" /faulty >/dev/null
    for ((n = 1; n <= rounds; n++)); do
        for kind in $WHYS; do echo "$kind w-$kind-$n"; done
    done | shuf >"$T/order"
    while read -r kind name; do seed "$kind" "$name"; done <"$T/order"
    while read -r kind name; do
        wait_until 10 ends_known "$name"
        answer "$kind" "$name"
    done <"$T/order" >"$T/answers"
    sort "$T/answers" | uniq -c
    awk '{ n++; right += $1 == $2; certain += $3 == "certain"; wrong += $1 != $2 && $3 == "certain"
           docker += $1 == "memory-limit" ? $5 == "true" : $1 == "memory-limit-child" ? 0 : $5 == "false" && $4 !~ /137|143|139/ }
         END { printf "right %d of %d, certain %d, certain and wrong %d; docker inspect alone tells %d\n", right, n, certain, wrong, docker
               exit !(right == n && wrong == 0 && certain > 0) }' "$T/answers" >"$T/sum" || fail "$(cat "$T/sum")"
    sed 's/^/# /' "$T/sum" >&3
    ctl why w-memory-limit-1
    if [ "$(cat /proc/sys/debug/exception-trace)" = 1 ]; then
        wait_until 10 ends_known faulty
        ctl why faulty
        ctl why faulty | grep -q 'certain (crashed)'
        ctl why faulty | grep -q 'the kernel: .*trap'
    fi
    ctl why w-memory-limit-1 | grep -q 'certain (memory-limit)'
    said 'w-exit-1: ended: ended by itself with exit code 1'
}

@test "why: what ends while plimsolld is down is told, and never certain and wrong" {
    local rounds=${PLIMSOLL_WHY_ROUNDS:-1} kind name n kinds='stopped killed memory-limit'
    [ "$rounds" -eq 1 ] || kinds=$WHYS
    policy_is <<'END'
[Defaults]
MemoryMax=48M
MemorySwapMax=0
Probe=none
END
    : >"$T/answers"
    for ((n = 1; n <= rounds; n++)); do
        daemon_end "$([ $((n % 2)) = 0 ] && echo TERM || echo KILL)"
        for kind in $kinds; do echo "$kind d-$kind-$n"; done | shuf >"$T/order"
        while read -r kind name; do seed "$kind" "$name"; done <"$T/order"
        while read -r kind name; do wait_until 10 exited "$name"; done <"$T/order"
        daemon_begin
        while read -r kind name; do
            wait_until 15 ends_known "$name"
            answer "$kind" "$name" >>"$T/answers"
        done <"$T/order"
    done
    sort "$T/answers" | uniq -c
    awk '{ n++; right += $1 == $2; certain += $3 == "certain"; wrong += $1 != $2 && $3 == "certain" }
         END { printf "# while down: right %d of %d, certain %d, certain and wrong %d\n", right, n, certain, wrong
               exit !(wrong == 0 && 3 * right >= 2 * n) }' "$T/answers" >"$T/sum" || fail "$(cat "$T/sum")"
    cat "$T/sum" >&3
}
