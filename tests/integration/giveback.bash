# shellcheck shell=bash
# shellcheck disable=SC2154 # T, LOG: helper.bash
# The table of what is given back: each resource, on containers with and without a limit of their own,
# in each way in which plimsoll lets go of it. What counts is every file of the container's groups, and
# HostConfig, as they were before plimsoll. Loaded after helper, by one file for each engine.

# cases - NAME|RESOURCE|POLICY (; for a new line)|OPTIONS OF ITS OWN, generated: RESOURCE x OWN
cases() {
    local disk=$E resource policy owns own i
    while IFS='|' read -r resource policy owns; do
        i=0
        while IFS= read -r own; do
            printf '%s-%d|%s|%s|%s\n' "${resource,,}" $i "$resource" "$policy" "$own"
            i=$((i + 1))
        done < <(printf '%s\n' "${owns//;/$'\n'}")
    done <<END
CPUQuota|CPUQuota=50%|;--cpus 1.5;--cpu-period 30000 --cpu-quota 10001;--cpu-period 50000
CPUQuotaPeriodSec|CPUQuota=50%;CPUQuotaPeriodSec=10ms|;--cpus 1;--cpu-period 20000 --cpu-quota 15000
CPUWeight|CPUWeight=200|;--cpu-shares 1000;--cpu-shares 2
AllowedCPUs|AllowedCPUs=0|;--cpuset-cpus 1
MemoryMin|MemoryMin=16M|;-m 100m
MemoryLow|MemoryLow=32M|;--memory-reservation 48m;-m 100m;-m 100m --memory-reservation 48m
MemoryHigh|MemoryHigh=64M|;-m 100m
MemoryMax|MemoryMax=80M|;-m 100m --memory-swap 150m;-m 100m;-m 100m --memory-swap -1;-m 40m
MemorySwapMax|MemoryMax=80M;MemorySwapMax=0|;-m 100m --memory-swap 150m;-m 100m --memory-swap 100m
TasksMax|TasksMax=50|;--pids-limit 333;--pids-limit 20
IOWeight|IOWeight=200|;--blkio-weight 300
IOReadBandwidthMax|IOReadBandwidthMax=$disk 10M|;--device-read-bps $DISK:5mb;--device-write-bps $DISK:5mb
IOWriteBandwidthMax|IOWriteBandwidthMax=$disk 10M|;--device-write-bps $DISK:5mb
all|CPUQuota=50%;CPUWeight=200;AllowedCPUs=0;MemoryLow=32M;MemoryMax=80M;MemorySwapMax=0;TasksMax=50;IOWeight=200|;-m 100m --memory-swap 150m --memory-reservation 48m --cpus 1 --cpu-shares 1000 --pids-limit 333 --cpuset-cpus 1
END
}

table_setup_file() {
    engine_begin
    DISK=/dev/$(lsblk -no PKNAME "$(df --output=source "$E" | tail -n 1)" | grep . ||
        basename "$(df --output=source "$E" | tail -n 1)")
    export DISK
}

names() { cases | cut -d'|' -f1; }

# policy_with - the policy of the whole table; policy_without - one that leaves all of it alone
policy_with() {
    local name resource policy own
    cases | while IFS='|' read -r name resource policy own; do
        printf '[Service %s]\nMatch=name:%s\n%s\n' "$name" "$name" "${policy//;/$'\n'}"
    done | policy_is "$@"
}
policy_without() { policy_is </dev/null; }

# each COMMAND… - for every container, four at a time; {} is its name
each() { names | xargs -P 4 -I {} timeout 120 "$@" >/dev/null; }

run_all() {
    local name resource policy own
    cases | while IFS='|' read -r name resource policy own; do
        printf '%s\n' "--name $name $own"
    done | sed 's/ *$//' | xargs -P 4 -L 1 sh -c \
        'exec docker run -d --restart unless-stopped --network none "$@" "$0" sleep 100000' "$BB" >/dev/null 2>"$T/run" ||
        fail "$(cat "$T/run")"
}

# look AT - what the kernel and the engine say of all of them, into T/AT.kernel and T/AT.engine
look() {
    # shellcheck disable=SC2046 # names
    docker inspect $(names) >"$T/inspect"
    "$SUPPORT/limits.py" kernel <"$T/inspect" >"$T/$1.kernel" || return
    "$SUPPORT/limits.py" engine <"$T/inspect" >"$T/$1.engine"
}

# as_before AT - every kernel file of every container is as it was
as_before() {
    look "$1" && cmp -s "$T/before.kernel" "$T/$1.kernel"
}

# left_over AT - what HostConfig still shows, "NAME FIELD"
left_over() { "$SUPPORT/limits.py" differ "$T/before.engine" "$T/$1.engine"; }

# cannot [stopped] - what the Engine API cannot take away: the table in lib/docker/engines.c. Each is
# named in the journal. The list of all CPUs is known of a container that runs.
cannot() {
    local name resource policy own
    cases | while IFS='|' read -r name resource policy own; do
        case $policy,$own in
        *CPUQuota=*,*--cpu*-quota* | *CPUQuota=*,*--cpus* | *CPUQuota=*,*--cpu-period*) ;;
        *CPUQuota=*) echo "$name NanoCpus" ;;
        esac
        case ${1:-},$policy,$own in
        *,*--cpuset-cpus*) ;;
        stopped,*AllowedCPUs=*) echo "$name CpusetCpus" ;;
        esac
        # v2 protects no less than the engine's least
        case $policy,$own in
        *,*--memory-reservation*) ;;
        *MemoryLow=*) ! is_v2 || echo "$name MemoryReservation" ;;
        esac
    done | sort
}

# given_back LEG - or the lines that differ
given_back() {
    wait_until 10 as_before "$1" || {
        diff "$T/before.kernel" "$T/$1.kernel" | grep '^[<>]'
        fail "$1: not as it was"
    }
    COUNT=$((COUNT + $(names | wc -l)))
    echo "# $1: $(names | wc -l) containers as before, to the bit" >&3
}

# unseen - the names of those of which this kernel shows nothing: MemoryMin= and MemoryHigh= are v2's, and
# there IOWeight= needs no scheduler that knows it
unseen() { is_v2 && echo '^$' || echo '^memory\(min\|high\)-\|^ioweight-'; }

# changed WHAT SKIP - of every container but those whose names SKIP matches, T/before.WHAT is no longer true
changed() {
    ! comm -23 <(names | grep -v "$2" | sort) \
        <("$SUPPORT/limits.py" differ "$T/before.$1" "$T/taken.$1" | cut -d' ' -f1 | sort -u) | grep .
}

taken() {
    look taken || return
    changed kernel "$(unseen)" || return
    # the engine has been told, and has answered
    changed engine '^memory\(min\|high\)-\|^io'
}
in_force() { wait_until 10 taken || fail "not in force: $(taken)"; }

# reboot - nobody is asked: plimsolld, the engine and all containers die, the run directory is gone, and
# all of them are started again
reboot() {
    local pids
    # shellcheck disable=SC2046 # names
    pids=$(docker inspect -f '{{.State.Pid}}' $(names))
    daemon_end KILL
    engine kill
    # shellcheck disable=SC2046,SC2086 # pids
    kill -9 $pids $(grep -lasF "$E/engine/exec" /proc/[0-9]*/cmdline | cut -d/ -f3) 2>/dev/null || true
    # shellcheck disable=SC2086 # pids
    wait_until 10 none_of $pids
    awk -v e="$E/engine/" 'index($2, e) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount -l
    rm -rf "$E/engine/exec"
    : >"$T/notify.log"
    engine up
    each docker start {}
}

# none_of PID… - lives any more
none_of() {
    local pid
    for pid in "$@"; do
        ! kill -0 "$pid" 2>/dev/null || return 1
    done
}

before_plimsoll() {
    run_all
    look before
    [ "$(cut -d' ' -f1 "$T/before.kernel" | uniq | wc -l)" = "$(names | wc -l)" ]
}

leg_dropped() {
    policy_with
    daemon_begin
    in_force
    policy_without
    ctl reload
    given_back dropped
}

leg_restarted() {
    each docker restart -t 0 {}
    given_back 'dropped, restarted'
    cmp <(left_over 'dropped, restarted') <(cannot)
    named_in_the_journal
}

leg_rebooted() {
    daemon_begin
    given_back 'dropped, rebooted'
    wait_until 10 told_back
}

leg_stopped() {
    policy_with RestoreOnStop=yes
    ctl reload
    in_force
    daemon_end
    given_back 'RestoreOnStop=yes'
    cmp <(left_over 'RestoreOnStop=yes') <(cannot)
}

leg_dropped_while_stopped() {
    daemon_begin
    in_force
    each docker stop -t 0 {}
    policy_without
    ctl reload
    wait_until 30 told_nothing
    each docker start {}
    given_back 'dropped while stopped, started'
    wait_until 10 told_back
}

leg_held() {
    policy_with
    ctl reload
    in_force
}

leg_rebooted_while_held() {
    daemon_begin
    in_force
    policy_without
    ctl reload
    given_back 'rebooted, dropped'
    wait_until 10 told_back
}

every_way_out() {
    COUNT=0
    before_plimsoll
    leg_dropped
    leg_restarted
    reboot
    leg_rebooted
    leg_stopped
    leg_dropped_while_stopped
    leg_held
    reboot
    leg_rebooted_while_held
    echo "# $COUNT cases" >&3
}

named_in_the_journal() {
    local name field
    cannot | while read -r name field; do
        said "^$name: given back in the kernel, but the Engine API cannot take away .*HostConfig\\.$field" ||
            fail "$name: $field is left, and unsaid"
    done
}

told_back() {
    look back
    cmp -s <(left_over back) <(cannot)
}

told_nothing() {
    # shellcheck disable=SC2046 # names
    docker inspect $(names) | "$SUPPORT/limits.py" engine >"$T/stopped.engine"
    cmp -s <(left_over stopped) <(cannot stopped)
}
