#!/usr/bin/env bats
# A user's week: what a real docker compose does to a project of five, under a policy that was imported
# from it, while plimsolld watches. After each act docker, the kernel, the status, its exit code and the
# journal have to say the same, and the journal says each thing that happened once.
#
# The project and plimsolld live on from test to test, as they would. Each test ends with "well", when all
# is as it was; what fails on the way leaves a new project, and a new plimsolld, to the next one.

load helper

FIVE=(migrate postgres redis web worker)

setup_file() {
    local trixie=${PLIMSOLL_TRIXIE:-$HERE/../../build/trixie}
    "$SUPPORT/trixie.sh" build "$trixie"
    DOCKER_CONFIG=$("$SUPPORT/trixie.sh" compose "$trixie")
    export DOCKER_CONFIG
    engine_begin --images "busybox postgres redis grafana"
}

teardown_file() {
    end_daemon
    engine_end
}

setup() {
    T=$E/week LOG=$E/week/log DAEMON='' NOTIFY_PID=''
    if [ -e "$T/well" ]; then
        DAEMON=$(cat "$T/daemon.pid")
        rm "$T/well"
    else
        begin_week
    fi
    mark
}

teardown() {
    if [ -n "${BATS_TEST_SKIPPED:-}" ]; then
        : >"$T/well" # it was left out before it did anything
    elif [ -z "${BATS_TEST_COMPLETED:-}" ]; then
        [ ! -f "$LOG" ] || tail -n 60 "$LOG"
    fi
}

# --- the project ---------------------------------------------------------------------------------

# project - what the person wrote; LIMIT, FAIL, RENAMED and JOBLESS are what they change in the week
project() {
    cat <<END
name: shop
services:
  postgres:
    image: postgres:debian
    restart: unless-stopped
    mem_limit: 256m
    pids_limit: 64
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: {test: [CMD-SHELL, pg_isready -q -h 127.0.0.1], interval: 2s, timeout: 2s, retries: 3, start_period: 60s}
  redis:
    image: redis:debian
    restart: unless-stopped
    mem_limit: 256m
    pids_limit: 64
  ${RENAMED:-worker}:
    image: $BB
    restart: unless-stopped
    mem_limit: ${LIMIT:-256m}
    pids_limit: 64
    command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"]
    healthcheck: {test: [CMD-SHELL, test ! -e /tmp/ill], interval: 1s, timeout: 2s, retries: 1, start_period: 1s}
  migrate:
    image: $BB
    mem_limit: 256m
    pids_limit: 64
    command: [sh, -c, "${FAIL:-sleep 1; echo 3 tables migrated; exit 0}"]
    depends_on: {postgres: {condition: service_healthy}}
  web:
    image: grafana/grafana:standin
    restart: unless-stopped
    mem_limit: 256m
    pids_limit: 64
    healthcheck: {test: [CMD-SHELL, "wget -q -O /dev/null http://127.0.0.1:3000/api/health"], interval: 2s, timeout: 2s, retries: 2, start_period: 2s}
    depends_on:
      postgres: {condition: service_healthy}
      migrate: {condition: service_completed_successfully}
volumes: {data: {}}
END
}

# compose COMMAND… - as the person types it; what it says is for who reads a failure
compose() {
    project >"$T/compose.yaml"
    docker compose --progress plain -f "$T/compose.yaml" "$@" 2>&1 3>&- 4>&-
}

# import_policy - the person's only file of their own says what may be restarted
import_policy() {
    project >"$T/compose.yaml"
    docker compose -f "$T/compose.yaml" config --format json >"$T/compose.json"
    "$BUILD_DIR/daemon/plimsollctl" import "$T/compose.json" >"$T/imported"
    policy_is <"$T/imported"
    mkdir -p "$T/plimsoll.conf.d"
    cat >"$T/plimsoll.conf.d/10-ours.conf" <<'END'
[Service shop-postgres]
FlapBudget=30/10min
[Service shop-redis]
ProbeInterval=2s
OnUnhealthy=restart
RestartBudget=30/10min
FlapBudget=30/10min
[Service shop-worker]
FlapBudget=4/15s
[Service shop-web]
OnUnhealthy=restart
RestartBudget=30/10min
FlapBudget=30/10min
END
}

reload() {
    ctl reload
}

begin_week() {
    end_daemon
    docker ps -aq | xargs -r timeout 60 docker rm -f >/dev/null 2>&1 || true
    docker network prune -f >/dev/null 2>&1 || true
    docker volume ls -q | xargs -r timeout 60 docker volume rm -f >/dev/null 2>&1 || true
    rm -rf "$T"
    mkdir -m 755 "$T"
    import_policy
    spawn_daemon
    compose up -d
    all_is_well
}

# The daemon lives longer than the test that starts it.
spawn_daemon() {
    daemon_begin
    echo "$DAEMON" >"$T/daemon.pid"
    echo "$NOTIFY_PID" >"$T/notify.pid"
}

# end_daemon [SIGNAL] - whose parent may be gone by now
end_daemon() {
    local file pid
    for file in daemon notify; do
        pid=$(cat "$E/week/$file.pid" 2>/dev/null) || continue
        kill "-${1:-KILL}" "$pid" 2>/dev/null || true
        wait_until 10 gone "$pid"
        rm -f "$E/week/$file.pid"
    done
    rm -f "$E/week/notify" # else the next one seems to listen already
    DAEMON='' NOTIFY_PID=''
}
gone() { ! grep -qs '^State:[[:space:]][^ZX]' "/proc/$1/status"; }

# --- what is asserted after each act -------------------------------------------------------------

at() { printf 'shop-%s-1' "$1"; }
phase_of() { docker inspect -f '{{.State.Status}}' "$1"; }
started_of() { docker inspect -f '{{.State.StartedAt}}' "$1"; }

# rows - the containers of the project as docker has them, and as plimsolld tells them
rows() { docker ps -a --format '{{.Names}}' | sort | paste -sd' '; }
told_rows() { status_json | jq -r '[.containers[] | select(.phase != "absent") | .name] | sort | join(" ")'; }

# same NAME STATE - docker, the kernel, the socket, status and show on one container
same() {
    local phase
    phase=$(phase_of "$1")
    gives "$phase" status_of "$1" .phase || fail "$1: docker says $phase, plimsolld $(status_of "$1" .phase)"
    grep -qE "^[a-z0-9-]+ +$1 +$phase +● $2 " <<<"$output" || fail "$1 is $2; status says: $output"
    ctl show "$1" | head -n 1 | grep -qF "$phase, $2" || fail "$1 is $2; show says: $(ctl show "$1")"
    case $phase in
    running | paused)
        is "$1" TasksMax 64 || fail "$1: TasksMax is $(value_of "$1" TasksMax)"
        is "$1" MemoryMax $((256 * MIB)) || fail "$1: MemoryMax is $(value_of "$1" MemoryMax)"
        ;;
    esac
}

# tells EXIT SERVICE=STATE… - the exit code of status; NAME=STATE for what is not the first of a service
tells() {
    local exit=$1 pair name
    shift
    for pair; do turns "$(name_of "$pair")" "${pair#*=}" 40 || return; done
    wait_until 10 gives "$(rows)" told_rows || fail "docker has $(rows), plimsolld tells $(told_rows)" || return
    run ctl status
    [ "$status" = "$exit" ] || fail "status exits with $status, not $exit: $output" || return
    for pair; do
        name=$(name_of "$pair")
        same "$name" "${pair#*=}" || return
    done
}
name_of() {
    case $1 in
    shop-* | other-*) printf '%s' "${1%=*}" ;;
    *) at "${1%=*}" ;;
    esac
}

all_is_well() { tells 0 migrate=finished postgres=healthy redis=healthy web=healthy worker=healthy; }

# well - the end of a test: all is as it was
well() {
    all_is_well || return
    : >"$T/well"
}

# The journal since the act.
mark() { MARK=$(wc -l <"$LOG"); }
journal() { tail -n +$((MARK + 1)) "$LOG"; }

# settled - nothing was told for two seconds
settled() {
    local before
    while :; do
        before=$(wc -l <"$LOG")
        sleep 2
        [ "$(wc -l <"$LOG")" != "$before" ] || return 0
    done
}

# told TIMES PATTERN
told() { [ "$(journal | grep -cE -- "$2")" = "$1" ] || fail "not told $1 times: $2; told: $(journal)"; }

# told_lines NUMBER - all in all
told_lines() { [ "$(journal | wc -l)" = "$1" ] || fail "not $1 lines: $(journal)"; }

# told_but_limits NUMBER - lines of anything else
told_but_limits() { [ "$(journal | grep -cv ': limits in force: ')" = "$1" ] || fail "not $1 lines: $(journal)"; }

# as_up - what a project that comes up says of its health: five lines
as_up() {
    local service
    settled
    for service in postgres redis web worker; do told 1 "^$(at "$service"): healthy" || return; done
    told 1 "^$(at migrate): finished" || return
    told_but_limits 5
}

# --- the week ------------------------------------------------------------------------------------

@test "up: five lines of health, the migration is finished, and status exits with 0" {
    compose down -v
    mark
    compose up -d
    all_is_well
    as_up
    # done is good, and counted apart
    [[ $(ctl status | head -n 1) == *"4/4 healthy"* ]] || fail "$(ctl status)"
    wait_until 5 grep -q '^STATUS=4/4 healthy' "$T/notify.log"
    well
}

@test "up: five lines of limits" {
    local service
    compose down -v
    mark
    compose up -d
    all_is_well
    settled
    for service in "${FIVE[@]}"; do told 1 "^$(at "$service"): limits in force: "; done
    told_lines 10
    well
}

@test "up again, three times: the migration runs and finishes again, and there is nothing to say" {
    local started
    for _ in 1 2 3; do
        started=$(started_of shop-migrate-1)
        compose up -d
        [ "$(started_of shop-migrate-1)" != "$started" ]
        all_is_well
    done
    settled
    told_but_limits 0
    started=$(started_of shop-migrate-1)
    sleep 2
    [ "$(started_of shop-migrate-1)" = "$started" ]
    well
}

@test "up again: the limits of a container that only runs again are no news" {
    compose up -d
    all_is_well
    settled
    told_lines 0
    well
}

@test "up --force-recreate: as up" {
    skip "not there yet: the stop and the start of a recreation are told as one thing"
    compose up -d --force-recreate
    all_is_well
    as_up
    well
}

@test "up --force-recreate: what is known of the service goes on" {
    compose up -d --force-recreate redis
    all_is_well
    wait_until 10 remembers 'remembered +ended [0-9]+ times?.*stopped on request' || fail "$(ctl show shop-redis-1)"
    well
}
remembers() { ctl show shop-redis-1 | grep -qE "$1"; }

@test "up --force-recreate: logs go on" {
    skip "not there yet: a log that no rule of the policy archives ends with its container"
    compose up -d --force-recreate redis
    all_is_well
    # one stream: the old container's first line is still there
    [ "$(ctl logs shop-redis | grep -c 'Ready to accept connections')" -ge 2 ] || fail "$(ctl logs shop-redis)"
    well
}

@test "up --scale web=3 and back: three rows, then one, none stale" {
    compose up -d --scale web=3 --no-recreate
    tells 0 migrate=finished web=healthy shop-web-2=healthy shop-web-3=healthy
    compose up -d --scale web=1 --no-recreate
    all_is_well
    settled
    told 2 '^shop-web-[23]: healthy'
    told 0 'unhealthy|degraded|no such container'
    well
}

@test "restart and stop of one are told once, by whom, and a stop is final" {
    compose restart web
    all_is_well
    settled
    told 1 '^shop-web-1: healthy'
    # it may be up again before anybody has looked
    [ "$(journal | grep -cE '^shop-web-1: absent: stopped on request')" -le 1 ]
    told 0 'restarting it|unhealthy|degraded'
    ctl show shop-web-1 | grep -qE "restarts .*0 by plimsolld, 0 by the engine, 1 by others" || fail "$(ctl show shop-web-1)"
    mark
    compose stop web
    tells 1 web=absent migrate=finished redis=healthy
    [[ $(reason shop-web-1) == "stopped on request"* ]] || fail "$(reason shop-web-1)"
    settled
    told_lines 1
    [ "$(phase_of shop-web-1)" = exited ]
    compose start web
    well
}

@test "pause and kill of one are told once, by whom, and a kill is final" {
    compose pause redis
    tells 1 redis=degraded
    [ "$(reason shop-redis-1)" = paused ] || fail "$(reason shop-redis-1)"
    compose unpause redis
    all_is_well
    settled
    told 1 '^shop-redis-1: degraded: paused'
    told 1 '^shop-redis-1: healthy again'
    told_lines 2
    mark
    compose kill web
    tells 1 web=absent
    [[ $(reason shop-web-1) == "killed on request (docker kill)"* ]] || fail "$(reason shop-web-1)"
    settled
    told_lines 1
    [ "$(phase_of shop-web-1)" = exited ]
    compose start web
    well
}

@test "web stops answering while the migration is finished: it is restarted, once" {
    local started
    started=$(started_of shop-web-1)
    kill -STOP "$(pid_of shop-web-1)"
    wait_until 40 said '^shop-web-1: restarting it, 1 of at most 30'
    all_is_well
    [ "$(started_of shop-web-1)" != "$started" ]
    settled
    # Docker's own check may need a moment longer than ours: until it fails as well, that is a dispute
    [ "$(journal | grep -cE '^shop-web-1: degraded: disputed: ')" -le 1 ]
    told 1 '^shop-web-1: unhealthy: '
    told 1 '^shop-web-1: restarting it'
    told 1 '^shop-web-1: healthy'
    [ "$(journal | grep -cvE 'limits in force|degraded: disputed')" = 3 ] || fail "$(journal)"
    well
}

@test "a migration fails: it has failed with its last line, and web waits for it" {
    local started
    compose rm -sf web migrate
    settled
    mark
    FAIL="sleep 1; echo 'no such table: orders' >&2; exit 1" compose up -d || true
    [ "$(phase_of shop-web-1)" = created ]
    tells 1 migrate=unhealthy postgres=healthy redis=healthy worker=healthy
    [[ $(reason shop-migrate-1) == *"exit code 1"*"no such table: orders"* ]] || fail "$(reason shop-migrate-1)"
    [[ $(reason shop-web-1) == *"waits for"*migrate* ]] || fail "$(health shop-web-1): $(reason shop-web-1)"
    ctl status | grep -q 'shop-migrate-1  unhealthy: .*no such table: orders'
    # it is told, and not run again
    started=$(started_of shop-migrate-1)
    settled
    told 1 '^shop-migrate-1: unhealthy: '
    told 0 'restarting it|crash loop'
    sleep 3
    [ "$(started_of shop-migrate-1)" = "$started" ]
    compose up -d
    well
}

@test "rm -s web: a row says that a person removed it; unhealthy only where the policy says required" {
    skip "not there yet: what is known of a service outlives its container"
    printf '[Service shop-web]\nRequired=yes\n' >"$T/plimsoll.conf.d/20-required.conf"
    reload
    mark
    compose rm -sf web
    compose rm -sf worker
    wait_until 20 gives absent health web
    [[ $(reason web) == "removed by a person"* ]] || fail "$(reason web)"
    run ctl status
    [ "$status" = 1 ]
    grep -qE '^web +- +absent +● absent' <<<"$output"
    # nobody requires the other one
    [[ $(status_json | jq -r '.containers[] | select(.service == "shop-worker") | .reason') == "removed by a person"* ]]
    settled
    told 1 '^web: unhealthy: removed by a person'
    told 1 '^worker: .*removed by a person'
    rm "$T/plimsoll.conf.d/20-required.conf"
    reload
    compose up -d
    well
}

@test "compose's limit goes from 256m to 512m: the policy's holds, and both are told once" {
    skip "not there yet: the stop and the start of a recreation are told as one thing"
    LIMIT=512m compose up -d worker
    all_is_well
    is shop-worker-1 MemoryMax $((256 * MIB))
    settled
    told 1 '^shop-worker-1: .*MemoryMax=256M.*512M'
    told_lines 2
    compose up -d worker
    well
}

@test "a limit leaves the policy: compose's own is in force after a reload" {
    LIMIT=512m compose up -d worker
    all_is_well
    sed -i '/^\[Service shop-worker\]/,/^$/{/^MemoryMax=/d}' "$T/plimsoll.conf"
    reload
    becomes shop-worker-1 MemoryMax $((512 * MIB))
    is shop-worker-1 TasksMax 64
    gives null status_of shop-worker-1 .limits.MemoryMax.wanted
    import_policy
    reload
    becomes shop-worker-1 MemoryMax $((256 * MIB))
    compose up -d worker
    well
}

@test "a service that is renamed in compose falls to [Defaults], and that is told" {
    skip "not there yet: what no section matches any more is told"
    RENAMED=background compose up -d --remove-orphans
    wait_until 20 gives running status_of shop-background-1 .phase
    settled
    told 1 '^shop-background-1: .*no section .*\[Defaults\].*\[Service shop-worker\]'
    compose up -d --remove-orphans
    well
}

@test "a second project with the same names: its limits stay, and it is told which section did not match" {
    skip "not there yet: what no section matches any more is told"
    project | sed 's/^name: shop/name: other/; s/256m/96m/; s/pids_limit: 64/pids_limit: 20/' >"$T/other.yaml"
    docker compose -f "$T/other.yaml" up -d redis
    wait_until 20 gives running status_of other-redis-1 .phase
    stays other-redis-1 MemoryMax $((96 * MIB))
    is other-redis-1 TasksMax 20
    settled
    told 1 '^other-redis-1: .*\[Service shop-redis\].*compose-project'
    docker compose -f "$T/other.yaml" down -v
    well
}

@test "run --rm web true: nothing but a line" {
    compose run --rm -T web true
    settled
    all_is_well
    [ "$(journal | grep -cv ': limits in force: ')" -le 1 ] || fail "$(journal)"
    told 0 'unhealthy|degraded'
    well
}

@test "a healthcheck flaps, and settles: each is told as what it is" {
    local _
    for _ in 1 2 3; do
        docker exec shop-worker-1 touch /tmp/ill
        wait_until 10 gives unhealthy docker inspect -f '{{.State.Health.Status}}' shop-worker-1
        sleep 0.3
        docker exec shop-worker-1 rm /tmp/ill
        wait_until 10 gives healthy docker inspect -f '{{.State.Health.Status}}' shop-worker-1
        sleep 0.3
    done
    turns shop-worker-1 degraded
    [[ $(reason shop-worker-1) == "flapping: "* ]] || fail "$(reason shop-worker-1)"
    turns shop-worker-1 healthy 40
    settled
    told 1 '^shop-worker-1: degraded: flapping'
    [ "$(reason shop-worker-1)" = "" ] || [[ $(reason shop-worker-1) != *flapping* ]] || fail "$(reason shop-worker-1)"
    well
}

@test "the first process of what has flapped is killed: exited, with the signal" {
    kill -9 "$(pid_of shop-worker-1)"
    wait_until 20 gives 1 docker inspect -f '{{.RestartCount}}' shop-worker-1
    all_is_well
    settled
    told 1 '^shop-worker-1: .*SIGKILL'
    told 0 'flapping|restarting it,'
    well
}

@test "network disconnect and connect: disputed, then healthy within an interval, and never restarted" {
    local started
    started=$(started_of shop-redis-1)
    docker network disconnect shop_default shop-redis-1
    tells 1 redis=degraded web=healthy
    [[ $(reason shop-redis-1) == "disputed: "* ]] || fail "$(reason shop-redis-1)"
    sleep 5
    docker network connect shop_default shop-redis-1
    wait_until 6 gives healthy health shop-redis-1 || fail "$(health shop-redis-1): $(reason shop-redis-1)"
    all_is_well
    settled
    told 1 '^shop-redis-1: degraded: disputed: '
    told 1 '^shop-redis-1: healthy again'
    told_lines 2
    [ "$(started_of shop-redis-1)" = "$started" ]
    well
}

@test "dockerd is killed and started again: who died with it is told, and is started where that was asked for" {
    local service
    engine kill
    engine up
    wait_until 30 gives true sh -c "curl -sf --unix-socket '$T/control.sock' http://plimsolld/v1/status | jq .engine.connected"
    # whoever the engine does not start itself
    turns shop-redis-1 healthy 60
    for service in postgres worker; do
        [ "$(phase_of "$(at $service)")" != running ] || continue
        # the policy does not restart it: it is told, and not as a person's stop
        turns "$(at $service)" unhealthy
        [[ $(reason "$(at $service)") == *"engine"* ]] || fail "$(reason "$(at $service)")"
        docker start "$(at $service)"
    done
    turns shop-web-1 healthy 60 # it needs the database, and waits for it
    all_is_well
    settled
    told 0 'on request'
    for service in redis web worker; do
        [ "$(journal | grep -c "^$(at "$service"): restarting it")" -le 1 ] || fail "$(journal)"
    done
    told 1 '^Lost the engine'
    well
}

@test "plimsolld is killed, meanwhile a limit is changed: it is back, with the hand that is likely" {
    end_daemon KILL
    docker update --memory 300m --memory-swap 300m shop-worker-1
    spawn_daemon
    becomes shop-worker-1 MemoryMax $((256 * MIB))
    all_is_well
    skip "not there yet: whose hand a limit's change is likely to be"
    told 1 '^shop-worker-1: .*MemoryMax=256M .*300M.*docker update'
    well
}

@test "plimsolld is killed, meanwhile one is killed: that is explained afterwards, and it stays so" {
    end_daemon KILL
    docker kill shop-web-1
    spawn_daemon
    tells 1 web=absent migrate=finished redis=healthy
    [[ $(reason shop-web-1) == *"exit code 137"* ]] || fail "$(reason shop-web-1)"
    settled
    told 1 '^shop-web-1: absent: '
    told 0 'restarting it'
    [ "$(phase_of shop-web-1)" = exited ]
    docker start shop-web-1
    well
}

@test "kill -9 of the database's first process: from outside, and the engine restarts it" {
    kill -9 "$(pid_of shop-postgres-1)"
    wait_until 20 gives 1 docker inspect -f '{{.RestartCount}}' shop-postgres-1
    all_is_well
    settled
    told 1 '^shop-postgres-1: .*SIGKILL.*outside.*engine.* restarts? it'
    told 0 '^shop-postgres-1: restarting it'
    well
}

@test "down, up, down -v: nothing stale" {
    compose down
    wait_until 10 gives 0 containers
    run ctl status
    [ "$status" = 0 ]
    mark
    compose up -d
    all_is_well
    compose down -v
    wait_until 10 gives 0 containers
    run ctl status
    [ "$status" = 0 ]
    compose up -d
    well
}

@test "down -v: the loss of the volumes is told" {
    skip "not there yet: the loss of a volume is told"
    compose down -v
    settled
    told 1 'volume shop_data .*removed'
    compose up -d
    well
}

@test "commit: nothing" {
    docker commit shop-redis-1 keep:1 >/dev/null
    settled
    told_lines 0
    well
}

@test "rename, volume rm, update: the right section; nothing; the drift" {
    docker rename shop-worker-1 shop-night-1
    wait_until 10 gives shop-worker status_of shop-night-1 .service
    docker rename shop-night-1 shop-worker-1
    wait_until 10 gives shop-worker status_of shop-worker-1 .service
    settled
    mark
    docker volume create spare >/dev/null
    docker volume rm spare >/dev/null
    settled
    told_lines 0
    docker update --memory 300m --memory-swap 300m shop-worker-1 >/dev/null
    wait_until 10 said '^shop-worker-1: .*MemoryMax.*(300M|314572800)'
    becomes shop-worker-1 MemoryMax $((256 * MIB))
    settled
    told 1 '^shop-worker-1: .*MemoryMax'
    well
}
