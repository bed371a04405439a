#!/usr/bin/env bats
# Limits that something takes away come back; a fight ends in words, not in a busy loop.

load helper

setup_file() { engine_begin; }
teardown_file() { engine_end; }

setup() {
    begin
    policy_is <<'END'
[Service web-front]
Match=name:web*
CPUQuota=50%
MemoryMax=64M
MemorySwapMax=0
TasksMax=50
END
}
teardown() { end; }

repairs() { status_of web .drift_repairs; }

@test "docker update of memory is put back" {
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    docker update --memory 100m --memory-swap 200m web
    becomes web MemoryMax $((64 * MIB))
    wait_until 5 at_least 1 repairs
    wait_until 5 said 'web.*MemoryMax'
    # the engine must not keep the other value for the next start
    wait_until 5 gives $((64 * MIB)) docker inspect -f '{{.HostConfig.Memory}}' web
}

@test "docker update of cpus is put back" {
    daemon_begin
    run_bb web
    becomes web CPUQuota 50%
    docker update --cpus 2 web
    becomes web CPUQuota 50%
    stays web CPUQuota 50%
}

@test "docker update of the pids limit is put back" {
    daemon_begin
    run_bb web
    becomes web TasksMax 50
    docker update --pids-limit 500 web
    becomes web TasksMax 50
}

@test "a direct write is put back within half a second" {
    daemon_begin
    run_bb web
    becomes web MemoryMax $((64 * MIB))
    becomes web TasksMax 50
    sleep 1
    write_value web TasksMax 77
    sleep 0.5
    is web TasksMax 50
    write_value web TasksMax max
    sleep 0.5
    is web TasksMax 50
}

@test "what the start of a container writes itself is nobody's drift" {
    local i
    daemon_begin
    for i in 1 2 3 4 5; do
        docker run -d --name "web$i" --memory 100m --pids-limit 70 --cpus 2 "$BB" sleep 100000 >/dev/null
    done
    for i in 1 2 3 4 5; do
        becomes "web$i" MemoryMax $((64 * MIB))
        becomes "web$i" TasksMax 50
        becomes "web$i" CPUQuota 50%
    done
    sleep 1
    for i in 1 2 3 4 5; do
        [ "$(status_of "web$i" .drift_repairs)" = 0 ]
    done
    ! grep 'limits changed by' "$LOG" || fail "a start was taken for drift"
}

@test "the repair is said with the old and the new value, and counted" {
    daemon_begin
    run_bb web
    becomes web TasksMax 50
    sleep 1
    write_value web TasksMax 77
    becomes web TasksMax 50
    wait_until 5 said 'web.*TasksMax.*77.*50|web.*TasksMax.*50.*77'
    [ "$(repairs)" -ge 1 ]
}

@test "values that plimsoll does not manage are nobody's drift" {
    daemon_begin
    run_bb web
    becomes web TasksMax 50
    docker update --cpu-shares 512 web
    sleep 1
    [ "$(cat "$(group_of web cpu)/$(is_v2 && echo cpu.weight || echo cpu.shares)")" = "$(is_v2 && echo 20 || echo 512)" ]
    is web TasksMax 50
}

@test "a fight is reported as a stand-off and costs next to nothing" {
    local fighter before after file
    daemon_begin
    run_bb web
    becomes web TasksMax 50
    file=$(group_of web pids)/pids.max
    (while echo 99 >"$file"; do sleep 0.02; done) 3>&- 2>/dev/null &
    fighter=$!
    wait_until 15 said '[Ss]tand-?off|fight|gives? up|another manager' || { kill "$fighter"; fail "nothing was said"; }
    before=$(awk '{ print $14 + $15 }' "/proc/$DAEMON/stat")
    sleep 3
    after=$(awk '{ print $14 + $15 }' "/proc/$DAEMON/stat")
    kill "$fighter"
    wait "$fighter" || true
    # hundredths of a second, of 3 s: under 5 % even beside other tests
    echo "cpu: $((after - before)) ticks in 3 s"
    [ $((after - before)) -le 15 ]
    # when the other one is gone it is put right, by the next write or the slow audit
    write_value web TasksMax 98
    wait_until 90 is web TasksMax 50
}

# status_line - the last one that systemd was told
status_line() { grep '^STATUS=' "$T/notify.log" | tail -n 1; }
counts() { [[ $(status_line) == *"limits $1"* ]]; }

@test "a stand-off holds nothing, and a reload ends it: what is written then is put back at once" {
    local fighter file i
    daemon_begin
    run_bb web
    becomes web TasksMax 50
    wait_until 5 counts 1/1
    file=$(group_of web pids)/pids.max
    (while echo 99 >"$file"; do sleep 0.02; done) 3>&- 2>/dev/null &
    fighter=$!
    wait_until 15 said 'stand-off' || { kill "$fighter"; fail "nothing was said"; }
    kill "$fighter"
    wait "$fighter" || true
    wait_until 5 counts 0/1 || fail "$(status_line)"
    gives false status_of web .limits.TasksMax.holds
    gives true status_of web .limits.MemoryMax.holds
    run ctl status
    [ "$status" -eq 1 ]
    ctl reload
    becomes web TasksMax 50
    wait_until 5 counts 1/1 || fail "$(status_line)"
    for i in 1 2 3; do
        write_value web TasksMax 97
        becomes web TasksMax 50
    done
}

@test "dry-run changes nothing, and says what it would change" {
    daemon_begin --dry-run
    run_bb web
    wait_until 5 said 'web.*MemoryMax|MemoryMax.*web'
    stays web MemoryMax infinity
    is web CPUQuota infinity
    is web TasksMax infinity
    [ "$(docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}' web)" = '0 0' ]
    docker restart -t 0 web
    stays web MemoryMax infinity
}

@test "DryRun=yes in the policy does the same, and a reload with DryRun=no ends it" {
    run_bb web
    policy_is 'DryRun=yes' <<'END'
[Service web-front]
Match=name:web
MemoryMax=64M
END
    daemon_begin
    stays web MemoryMax infinity
    policy_is <<'END'
[Service web-front]
Match=name:web
MemoryMax=64M
END
    ctl reload
    becomes web MemoryMax $((64 * MIB))
}
