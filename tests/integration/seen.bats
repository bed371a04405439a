#!/usr/bin/env bats
# What people are told of health: the conversation of a probe, what was found lately, and why nothing
# is restarted. Real services, and servers that repeat secrets.

bats_require_minimum_version 1.5.0
load helper

setup_file() { engine_begin --images "busybox redis postgres"; }
teardown_file() { engine_end; }

setup() {
    begin
    export LC_ALL=C.UTF-8 COLUMNS=200
}
teardown() { end; }

# Says what is in a file, read anew for each connection; an empty file: nothing, ever.
ANSWERER='
import socket, sys, threading
def serve(c):
    request = c.recv(65536)
    with open(sys.argv[1], "rb") as f:
        answer = f.read()
    if not answer:
        threading.Event().wait()
    c.sendall(answer if request else b"")
    c.close()
s = socket.create_server(("0.0.0.0", 80))
open(sys.argv[1] + ".ready", "w").close()
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
'

# answers NAME RESPONSE - as printf(1) writes it; from now on
answers() {
    # shellcheck disable=SC2059 # it is a format
    printf "$2" >"$T/$1.response.new"
    mv "$T/$1.response.new" "$T/$1.response"
}

# run_answer NAME RESPONSE [OPTION…] - a container in whose network port 80 gives this answer
run_answer() {
    local name=$1 response=$2
    shift 2
    run_bb "$name" "$@"
    answers "$name" "$response"
    nsenter "--net=/proc/$(pid_of "$name")/ns/net" python3 -c "$ANSWERER" "$T/$name.response" 3>&- 4>&- &
    wait_until 10 test -e "$T/$name.response.ready"
}

@test "probe prints the conversation with a real Redis, and ends with 0" {
    policy_is <<<$'[Service redis]\nMatch=name:redis\nProbe=redis'
    docker run -d --name redis redis:debian >/dev/null
    daemon_begin
    turns redis healthy
    run -0 ctl probe redis
    [[ $output == *"redis  service redis  probe redis"* ]]
    [[ $output == *":6379"*'→ *1\r\n$4\r\nPING\r\n'*'← +PONG\r\n'*"verdict  up"*took* ]]
    run -0 ctl --json probe redis
    jq -e '.asked and .verdict == "up" and .probe == "redis" and .took_usec > 0 and
        ([.conversation[].what] | index("address") < index("sent") and index("sent") < index("received"))' <<<"$output"
}

@test "probe of what is not up ends with 1, and says what came" {
    policy_is <<<$'[Service web]\nMatch=name:web\nProbe=http\nProbePort=80\nProbePath=/health'
    run_answer web 'HTTP/1.1 404 Not Found\r\nServer: test\r\nContent-Length: 3\r\n\r\nno\n'
    daemon_begin
    run -1 ctl probe web
    [[ $output == *"→ GET /health HTTP/1.1"*"← HTTP/1.1 404 Not Found"*"← Server: test"*"← no"*"verdict  disputed"*404* ]]
}

@test "each address that is tried is told, and why nobody was reached there" {
    policy_is <<<$'[Service web]\nMatch=name:web\nProbe=http\nProbePort=81'
    run_bb web -p 127.0.0.1::81
    daemon_begin
    run -1 ctl --json probe web
    jq -e '[.conversation[].what] == ["address", "failed", "address", "failed"]' <<<"$output" ||
        jq -e '[.conversation[].what][0:2] == ["address", "failed"]' <<<"$output"
    jq -e '.conversation[1].text | test("refused")' <<<"$output"
}

@test "what the container's environment holds is in no answer, nor are cookies, challenges and queries" {
    local secret='s3cr=t/"word' shown
    policy_is <<<$'[Service web]\nMatch=name:web\nProbe=http\nProbePort=80\nProbePath=/?key=fromthepolicy'
    run_answer web 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="fromtheserver"\r\nSet-Cookie: id=fromthecookie; Path=/\r\nServer: s3cr=t/"word\r\nLocation: /login?next=fromthequery\r\nContent-Length: 90\r\n\r\n{"raw":"s3cr=t/"word","json":"s3cr=t/\\"word","url":"s3cr%%3Dt%%2F%%22word","pin":"77","ok":true}' \
        -e "DB_URL=$secret" -e PIN_PASSWORD=77
    daemon_begin
    run -1 ctl --json probe web
    shown=$output
    run -1 ctl probe web
    shown+=$output
    for part in s3cr fromthepolicy fromtheserver fromthecookie fromthequery '"77"' word; do
        [[ $shown != *"$part"* ]] || fail "$part is in: $shown"
    done
    [[ $output == *"WWW-Authenticate: Basic [cut]"* ]]
    [[ $output == *"Set-Cookie: [cut]"* ]]
    [[ $output == *"Location: /login?[cut]"* ]]
    [[ $output == *"GET /?[cut] HTTP/1.1"* ]]
    [[ $output == *'"ok":true'* ]]
}

@test "a container without a probe: why, and what could be set" {
    policy_is <<<$'[Service web]\nMatch=name:web\nMemoryMax=64M\n[Service off]\nMatch=name:off\nProbe=none'
    run_bb web --expose 8080
    run_bb off
    run_bb stray
    daemon_begin
    run -1 ctl probe web
    [[ $output == *"no probe"*"[Service web]"*"Probe=http"*"ProbePort=8080"* ]]
    run -1 ctl probe off
    [[ $output == *"Probe=none in [Service off]"* ]]
    run -1 ctl probe stray
    [[ $output == *"no section of the policy governs it"*"Match=name:stray"* ]]
    docker pause web >/dev/null
    wait_until 5 gives paused status_of web .phase
    run -1 ctl probe web
    [[ $output == *"it is paused"*"docker unpause web"* ]]
    run -1 ctl probe nobody
    [[ $output == *"nobody"* ]]
}

@test "probe asks a service once at a time and once a second, whoever asks how often" {
    local begun i askers=()
    policy_is <<<$'[Service web]\nMatch=name:web\nProbe=http\nProbePort=80\nProbeInterval=1h'
    run_answer web 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
    daemon_begin
    turns web healthy
    for i in 1 2 3 4 5 6 7 8; do
        ctl --json probe web >"$T/answer.$i" 2>&1 3>&- &
        askers+=($!)
    done
    for i in "${askers[@]}"; do wait "$i" || true; done
    # one is asked, the others are told so
    [ "$(grep -l '"verdict":"up"' "$T"/answer.* | wc -l)" -ge 1 ]
    [ "$(grep -l 'somebody else asks it just now' "$T"/answer.* | wc -l)" -ge 4 ]
    begun=$EPOCHREALTIME
    for i in 1 2 3; do ctl probe web >/dev/null; done
    awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { exit !(b - a >= 1.8) }'
}

@test "a service that never answers is asked no longer than its timeout, and others are served meanwhile" {
    policy_is <<<$'[Service web]\nMatch=name:web\nProbe=http\nProbePort=80\nProbeTimeout=3s\nProbeInterval=1h'
    run_answer web ''
    daemon_begin
    ctl --json probe web >"$T/answer" 3>&- &
    local asker=$! status=0
    run ctl --json status
    jq -e .version <<<"$output"
    wait "$asker" || status=$?
    [ $status = 1 ]
    jq -e '.verdict == "silent" and .took_usec >= 2900000 and .took_usec < 8000000' "$T/answer"
}

@test "a probe that somebody asks for is no evidence" {
    policy_is <<<$'[Service web]\nMatch=name:web\nProbe=http\nProbePort=80\nProbeInterval=1h\nProbeFailures=2'
    run_answer web 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
    daemon_begin
    turns web healthy
    answers web 'HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n'
    for _ in 1 2 3 4; do
        run -1 ctl probe web
        [[ $output == *disputed* ]]
    done
    [ "$(health web)" = healthy ]
}

@test "a required service without a container has a row, a page, and says what became of the last one" {
    policy_is <<<$'[Service db]\nMatch=name:db\nRequired=yes\nMemoryMax=64M\n[Service late]\nMatch=name:late\nRequired=yes'
    run_bb db
    daemon_begin
    becomes db MemoryMax $((64 * MIB))
    docker rm -f db >/dev/null
    wait_until 20 gives absent status_of db .health
    run -1 ctl show db
    [[ $output == *"db  service db  absent, absent for "* ]]
    [[ $output == *"no container matches its section: db was stopped and removed on request"* ]]
    run -1 ctl show late
    [[ $output == *"no container matches its section"* ]]
    run -1 ctl --json show db
    jq -e '.health == "absent" and .id == "" and (.health_since | test("Z$"))' <<<"$output"
    run -1 ctl probe db
    [[ $output == *"no probe"*"no container matches its section"* ]]
    run -1 ctl status
    [[ $output == *"db"*"absent"* ]]
}

@test "of a container that was gone with its end, that is said" {
    policy_is <<<$'[Service db]\nMatch=name:db\nRequired=yes'
    docker run -d --rm --name db "$BB" sh -c 'sleep 3; exit 7' >/dev/null
    daemon_begin
    wait_until 25 gives absent status_of db .health
    run -1 ctl show db
    [[ $output == *"db was removed at its end, as --rm says"*"exit code 7"* ]]
}

@test "a name that is nearly right is suggested" {
    policy_is <<<$'[Service postgres]\nMatch=name:shop-db-1'
    run_bb shop-db-1
    daemon_begin
    run -1 ctl show postgers
    [[ $output == *'no container or service "postgers"'*"did you mean postgres?"* ]]
    run -1 ctl probe shop-db-2
    [[ $output == *"did you mean shop-db-1?"* ]]
    run -1 ctl show xyz
    [[ $output != *"did you mean"* && $output == *"plimsollctl status"* ]]
}
