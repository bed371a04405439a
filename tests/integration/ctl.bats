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
    # it has passed before it fails
    docker run -d --name web --health-cmd 'test -e /tmp/up' --health-interval 1s --health-retries 1 "$BB" sh -c 'touch /tmp/up; sleep 1000'
    daemon_begin
    wait_until 15 gives healthy status_of web .health
    docker exec web rm /tmp/up
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

@test "options stand before or after the command, and what a command does not take is refused" {
    local c=$BUILD_DIR/daemon/plimsollctl
    run_bb web
    daemon_begin
    for words in "--control $T/control.sock --json show web" "show web --json --control $T/control.sock" \
        "--json show --control=$T/control.sock web"; do
        # shellcheck disable=SC2086 # words
        [ "$("$c" $words | jq -r .name)" = web ]
    done
    run -2 ctl check --for running
    [[ $output == *"check takes no --for; wait does"* ]]
    run -2 ctl lgos web
    [[ $output == *"did you mean logs?"* ]]
    run -2 ctl logs web --folow
    [[ $output == *"did you mean --follow?"* ]]
    run -2 "$c" import
    [[ $output == *"import takes one FILE"* ]]
    run -0 ctl wait --help
    [[ $output == *--timeout* ]]
    run -0 "$c" help exit-status
    run -2 "$c" help exit-stauts
    [[ $output == *"did you mean exit-status?"* ]]
}

@test "check reads the policy of the running daemon as it is on disk, not as it was loaded" {
    daemon_begin
    run -0 ctl check
    [[ $output == "$T/plimsoll.conf: good"* ]]
    echo 'MemoryMax=abc' >>"$T/plimsoll.conf"
    run -1 ctl check
    [[ $output == *"$T/plimsoll.conf:$(wc -l <"$T/plimsoll.conf"):"* ]]
    mkdir "$T/plimsoll.conf.d"
    sed -i '$d' "$T/plimsoll.conf"
    echo 'Nonsense=1' >"$T/plimsoll.conf.d/10-bad.conf"
    run -1 ctl check
    [[ $output == *"10-bad.conf:1:"* ]]
    run -0 ctl check --policy "$HERE/../../conf/plimsoll.conf"
    run -2 ctl check --policy x y
    daemon_end
    run -3 ctl check
    run -3 ctl logs web
}

@test "a daemon that was told relative paths tells absolute ones" {
    cd "$T"
    daemon_begin --policy ./plimsoll.conf --archive archive
    cd /
    [ "$(status_json | jq -r .policy.file)" = "$T/./plimsoll.conf" ]
    [ "$(status_json | jq -r .archive.path)" = "$T/archive" ]
    run -0 ctl check
}

# Only an engine says what it has been told.
@test "import --engine: what containers have, and the same again once the policy holds; check --engine" {
    local engine=unix://$E/engine/docker.sock c=$BUILD_DIR/daemon/plimsollctl
    run_bb web --memory 96m --memory-swap 96m --pids-limit 20 --cpus 0.3 --cpu-shares 512
    run_bb db --label com.docker.compose.project=shop --label com.docker.compose.service=db --memory 64m
    "$c" import --engine "$engine" >"$T/first"
    grep -A9 '^\[Service web\]' "$T/first" | grep -q '^TasksMax=20$'
    grep -q '^Match=compose-project:shop compose-service:db$' "$T/first"
    policy_is <"$T/first"
    daemon_begin
    becomes web TasksMax 20
    "$c" import --engine "$engine" >"$T/second"
    diff "$T/first" "$T/second"
    policy_is <<<$'[Service web]\nMatch=name:web\nMemoryMax=256M'
    ctl check --engine "$engine" "$T/plimsoll.conf" 2>&1 | grep -q 'MemoryMax: its creator says 96M, the policy 256M'
    ctl reload
    becomes web MemoryMax $((256 * MIB))
    ctl show web | grep -q 'MemoryMax: its creator says 96M, the policy 256M'
}

@test "import --engine: an engine that refuses is told, and nothing is freed twice" {
    python3 -c 'import http.server, socketserver, sys
class Refusing(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500)
        self.send_header("Content-Length", "16")
        self.end_headers()
        self.wfile.write(b"{\"message\":\"no\"}")
    def log_message(self, *a): pass
    def address_string(self): return "engine"
socketserver.UnixStreamServer(sys.argv[1], Refusing).serve_forever()' "$T/refusing.sock" 3>&- &
    wait_until 5 test -S "$T/refusing.sock"
    run valgrind -q --error-exitcode=99 "$BUILD_DIR/daemon/plimsollctl" import --engine "unix://$T/refusing.sock"
    [ "$status" -ne 0 ] && [ "$status" -ne 99 ]
    [[ $output == *"does not tell of its containers"* ]]
    kill %%
}

@test "check and import wait for a slow pipe, a FIFO and a process substitution" {
    local c=$BUILD_DIR/daemon/plimsollctl json='{"services":{"web":{"image":"x","mem_limit":"67108864"}}}'
    slowly() {
        sleep 0.5
        printf '%s' "${1:0:20}"
        sleep 0.5
        printf '%s' "${1:20}"
    }
    slowly "$json" | "$c" import - >"$T/imported"
    grep -q '^MemoryMax=64M$' "$T/imported"
    # as a shell may leave it: standard input that does not block
    slowly "$json" | python3 -c 'import os, sys
os.set_blocking(0, False)
os.execv(sys.argv[1], sys.argv[1:])' "$c" import - | cmp - "$T/imported"
    mkfifo "$T/fifo"
    slowly "$json" >"$T/fifo" 3>&- &
    # but for the name in its head
    cmp <("$c" import "$T/fifo" | tail -n +2) <(tail -n +2 "$T/imported")
    cmp <("$c" import <(slowly "$json") | tail -n +2) <(tail -n +2 "$T/imported")

    # and a socket that somebody writes into, slowly
    python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
for text in sys.argv[2:]:
    c = s.accept()[0]
    c.sendall(text[:20].encode())
    time.sleep(0.2)
    c.sendall(text[20:].encode())
    c.close()' "$T/sock" "$json" "$(<"$T/imported")" 3>&- &
    wait_until 5 test -S "$T/sock"
    cmp <("$c" import "$T/sock" | tail -n +2) <(tail -n +2 "$T/imported")
    "$c" check "$T/sock"
    run -1 "$c" import "$T/sock"
    [[ $output == *"cannot be read: Connection refused"* ]]

    slowly "$(<"$T/imported")" | "$c" check -
    "$c" check <(slowly "$(<"$T/imported")")
    # docker compose is asked for all profiles
    mkdir "$T/bin"
    printf '#!/bin/sh\necho "$*" >"%s/asked"\necho \047%s\047\n' "$T" "$json" >"$T/bin/docker"
    chmod +x "$T/bin/docker"
    PATH=$T/bin:$PATH "$c" import --compose a.yaml b.yaml | cmp <(tail -n +2 "$T/imported") <(tail -n +2)
    grep -qxF 'compose --profile * -f a.yaml -f b.yaml config --format json' "$T/asked"
    slowly "$(<"$T/imported")" >"$T/fifo" 3>&- &
    "$c" check --policy "$T/fifo"
    run -1 "$c" check - <<<$'[Service x]\nMatch=name:x\nMemoryMax=abc'
    [[ $output == *"standard input:3:"* ]]
    head -c 2M /dev/zero >"$T/large"
    run -1 "$c" check - <"$T/large"
    [[ $output == *"1 MiB"* ]]
}

@test "match tells which section governs a container, and why" {
    cat >"$T/match.conf" <<'END'
[Service any]
Match=compose-service:db
[Service shop]
Match=compose-project:shop compose-service:db
END
    docker create --name shop-db-1 --label com.docker.compose.project=shop --label com.docker.compose.service=db \
        "$BB" true >/dev/null
    run -0 ctl match --policy "$T/match.conf" --engine "$DOCKER_HOST" shop-db-1
    [ "${lines[0]}" = "shop-db-1: [Service shop], $T/match.conf:3: Match=compose-project:shop compose-service:db" ]
    [ "${lines[1]}" = "        not [Service any], $T/match.conf:1: Match=compose-service:db has fewer terms" ]
    # labels of its own set something, of its image none
    printf 'FROM %s\nLABEL plimsoll.TasksMax=7\n' "$BB" | docker build -q -t labelled - >/dev/null
    docker create --name own --label plimsoll.MemoryMax=2G labelled true >/dev/null
    printf '[Daemon]\nLabels=yes\n' >>"$T/match.conf"
    run -0 ctl match --policy "$T/match.conf" --engine "$DOCKER_HOST" own
    [ "${lines[0]}" = "own: its labels alone: no [Service] matches it, and there is no [Defaults]" ]
    [ "${lines[1]}" = "        label plimsoll.MemoryMax: MemoryMax=2G" ]
    [ "${#lines[@]}" = 2 ]
    run -1 ctl match --policy "$T/match.conf" --engine "$DOCKER_HOST" nobody
    [[ $output == *"nobody: there is no such container"* ]]
    run -2 ctl match --policy "$T/match.conf"
}

@test "check and logs never start a daemon that is stopped" {
    # in a mount namespace: a host that systemd runs, with states of the test's choice, and a listener
    # at the socket that leaves a mark when it is asked
    cat >"$T/host" <<'END'
set -eu
mount -t tmpfs tmpfs /run
mkdir -p /run/plimsoll "$T/bin"
cat >"$T/bin/systemctl" <<'S'
#!/bin/sh
for unit; do :; done
cat "$T/state-of-$unit"
S
chmod +x "$T/bin/systemctl"
python3 - 3>&- <<'P' &
import json, os, socket
t = os.environ["T"]
s = socket.socket(socket.AF_UNIX)
s.bind("/run/plimsoll/control.sock")
s.listen()
while True:
    c, _ = s.accept()
    open(t + "/asked", "w").close()
    c.recv(4096)
    body = json.dumps({"policy": {"file": t + "/plimsoll.conf"}, "archive": {"path": t + "/archive"}})
    c.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    c.close()
P
trap "kill $!" EXIT
while [ ! -S /run/plimsoll/control.sock ]; do sleep 0.1; done
PATH=$T/bin:$PATH
asked() { rm -f "$T/asked"; "$@" >"$T/said" 2>&1 || true; [ -e "$T/asked" ]; }
asked "$CTL" check # no systemd: a plain look at the socket
grep -q "^$T/plimsoll.conf: good" "$T/said"
mkdir -p /run/systemd/system
while read -r service socket want; do
    printf '%s\n' "$service" >"$T/state-of-plimsolld.service"
    printf '%s\n' "$socket" >"$T/state-of-plimsolld.socket"
    for command in check "logs web"; do
        got=no
        ! asked "$CTL" $command || got=yes
        [ $got = $want ] || { echo "$command, service $service, socket $socket: asked $got"; exit 1; }
    done
done <<'ROWS'
active active yes
active inactive yes
reloading active yes
inactive active no
failed active no
activating active no
deactivating active no
inactive inactive yes
inactive failed yes
ROWS
grep -q "$T/archive" "$T/said"
rm "$T"/state-of-* # systemd does not say
! asked "$CTL" check
grep -q "/etc/plimsoll/plimsoll.conf" "$T/said"
echo inactive >"$T/state-of-plimsolld.service"
echo active >"$T/state-of-plimsolld.socket"
asked "$CTL" check --control /run/plimsoll/control.sock # named: whoever runs it
END
    mkdir -p "$T/archive"
    export T CTL=$BUILD_DIR/daemon/plimsollctl
    unshare -m bash "$T/host"
}

@test "metrics: cAdvisor's names with the container's true figures, at an address of its own" {
    local port=$((20000 + RANDOM % 20000)) page=$T/page
    run_bb web
    policy_is "MetricsListen=$port" "MetricsListen=127.0.0.1:$port" \
        "MetricsListen=unix:/run/plimsoll/metrics-test-$port" <<'END'
[Service web]
Match=name:web
MemoryMax=64M
CPUQuota=50%
TasksMax=50
END
    daemon_begin
    wait_until 10 said "web: limits in force"
    inside curl -fsS "http://127.0.0.1:$port/metrics" >"$page"
    grep -q '^container_spec_memory_limit_bytes{.*name="web"} 67108864$' "$page"
    grep -q '^container_spec_cpu_quota{.*name="web"} 50000$' "$page"
    grep -q '^container_threads_max{.*name="web"} 50$' "$page"
    grep -q '^plimsoll_limits_in_force{.*name="web"} 3$' "$page"
    grep -q '^plimsoll_engine_up 1$' "$page"
    # one that takes the address first leaves the second line nothing
    said "Cannot serve metrics at 127.0.0.1:$port: Address already in use"
    run -0 inside curl -sS -o /dev/null -w '%{http_code}' -H 'Host: evil.example' "http://127.0.0.1:$port/metrics"
    [ "$output" = 421 ]
    run -0 inside curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/v1/status"
    [ "$output" = 404 ]
    run -0 inside curl -sS -D - -H 'Accept: application/openmetrics-text;version=1.0.0' "http://127.0.0.1:$port/metrics"
    [[ $output == *"Content-Type: application/openmetrics-text; version=1.0.0"* ]]
    [[ $output == *"# EOF" ]]
    # by a socket no browser comes, so any name will do
    curl -fsS --unix-socket "/run/plimsoll/metrics-test-$port" http://x/metrics | grep -q '^plimsoll_engine_up 1$'
    # what leaves the policy is closed, and the control socket still tells
    policy_is </dev/null
    ctl reload
    run -7 inside curl -sS "http://127.0.0.1:$port/metrics"
    [ ! -e "/run/plimsoll/metrics-test-$port" ]
    curl -fsS --unix-socket "$T/control.sock" http://x/metrics | grep -q '^plimsoll_build_info'
}
