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
    docker run -d --rm --name db "$BB" sh -c 'mkfifo /end; read x </end; exit 7' >/dev/null
    daemon_begin
    wait_until 10 gives running status_of db .phase
    docker exec db sh -c 'echo now >/end'
    # it is absent as soon as it has ended, and gone some moments later
    wait_until 25 said 'db: absent: no container matches its section'
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

# why NAME - for scripts, why there is no restart
why() { ctl --json show "$1" | jq -r '.recovery.no_restart.why // "-"'; }

# ends_up NAME WHY [SECONDS]
ends_up() {
    wait_until "${3:-20}" gives "$2" why "$1" || fail "$1: $(why "$1") instead of $2: $(ctl show "$1")"
}

@test "show tells the last verdicts, and that nothing is restarted because Docker's own check passes" {
    policy_is <<<$'[Service web]\nMatch=name:web\nProbe=http\nProbePort=80\nProbePath=/health\nProbeInterval=1s\nProbeTimeout=500ms\nProbeFailures=2\nProbeStartPeriod=1s\nOnUnhealthy=restart'
    run_answer web 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n' --health-cmd true --health-interval 1s
    daemon_begin
    turns web healthy
    answers web 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'
    ends_up web docker-passes
    turns web degraded
    run -1 ctl show web
    [[ $output == *"web  service web  running, degraded for "* ]]
    [[ $output == *"reason   disputed: "*404* ]]
    [[ $output == *"restart  not now: Docker's own check passes: disputed"* ]]
    [[ $output == *"restarts 0 by plimsolld, 0 by the engine, 0 by others; 3 of 3 left in 10min"* ]]
    [[ $output =~ verdicts\ [0-9a-z\ ]+ago\ disputed:\ HTTP\ 404\ [^$'\n']*\;\ "Docker's check passes" ]]
    [[ $output =~ ago\ up ]]
    run -1 ctl --json show web
    jq -e '.verdicts[0].verdict == "disputed" and .verdicts[0].code == "404" and .verdicts[1].verdict == "up" and
        (.verdicts | length) <= 5 and .verdicts[0].count >= 2 and .recovery.action == "restart" and
        .recovery.budget == {"max": 3, "left": 3, "window_usec": 600000000} and .recovery.gave_up == null and
        .recovery.no_restart.text == "Docker'"'"'s own check passes: disputed"' <<<"$output"
    [ "$(grep -c 'web: degraded: disputed: ' "$LOG")" = 1 ]
    unsaid 'web: restarting'
}

@test "a surrender is shown with its time and its reason, and what was done before it" {
    policy_is <<<$'[Service web]\nMatch=name:web\nProbe=none\nOnUnhealthy=restart\nRestartBudget=1/10min'
    docker run -d --name web --health-cmd true --health-interval 1s "$BB" sh -c 'sleep 3; exit 3' >/dev/null
    daemon_begin
    ends_up web gave-up 60
    run -1 ctl show web
    [[ $output == *"restart  not now: gave up: 1 restart in 10min did not help"* ]]
    [[ $output =~ gave\ up\ +[0-9a-z\ ]+ago:\ 1\ restart\ in\ 10min\ did\ not\ help ]]
    [[ $output == *"restarts 1 by plimsolld, 0 by the engine, 0 by others; 0 of 1 left in 10min"* ]]
    [[ $output == *"counted  restarts 1,"* ]]
    run -1 ctl --json show web
    jq -e '.restarts == 1 and (.recovery.gave_up.at | test("^20.*Z$")) and .recovery.budget.left == 0 and
        .verdicts[0].verdict == "dead" and (.verdicts[0].evidence | test("exit code 3"))' <<<"$output"
    # a person's start begins anew
    docker start web >/dev/null
    wait_until 10 gives 1 restarted_by web others
    run ctl --json show web
    jq -e '.recovery.gave_up == null' <<<"$output"
}

# restarted_by NAME WHO
restarted_by() { ctl --json show "$1" | jq ".recovery.restarts.$2"; }

@test "restarts of the engine and of people are told apart" {
    policy_is <<<$'[Service web]\nMatch=name:web\nProbe=none'
    docker run -d --name web --restart always "$BB" sh -c 'trap "exit 0" TERM; while :; do sleep 0.1; done' >/dev/null
    daemon_begin
    wait_until 5 gives 0 restarted_by web others
    docker restart -t 5 web >/dev/null
    wait_until 10 gives 1 restarted_by web others
    kill -9 "$(pid_of web)"
    wait_until 10 gives 1 restarted_by web engine
    [ "$(restarted_by web others)" = 1 ]
    [ "$(restarted_by web plimsolld)" = 0 ]
}

@test "why nothing is restarted: a person's stop, a job, the policy, a start period, a pause" {
    policy_is <<'END'
[Service stopped]
Match=name:stopped
OnUnhealthy=restart
[Service job]
Match=name:job
OnUnhealthy=restart
[Service failed]
Match=name:failed
OnUnhealthy=restart
[Service none]
Match=name:none
OnUnhealthy=none
[Service early]
Match=name:early
Probe=tcp
ProbePort=80
ProbeStartPeriod=5min
OnUnhealthy=restart
[Service late]
Match=name:late
Probe=tcp
ProbePort=80
ProbeInterval=1s
ProbeTimeout=500ms
ProbeFailures=1
ProbeStartPeriod=1s
OnUnhealthy=restart
[Service paused]
Match=name:paused
OnUnhealthy=restart
END
    run_bb stopped
    docker run -d --name job "$BB" true >/dev/null
    docker run -d --name failed "$BB" false >/dev/null
    docker run -d --name none --restart always --health-cmd 'test -e /ok' --health-interval 1s --health-retries 1 "$BB" \
        sh -c 'touch /ok; sleep 1000' >/dev/null
    run_bb early
    run_bb late
    run_bb paused
    daemon_begin
    docker stop -t 0 stopped >/dev/null
    docker pause paused >/dev/null
    ends_up stopped stopped
    ends_up early starting
    ends_up late never-up
    ends_up paused paused
    turns none healthy
    docker exec none rm /ok
    ends_up none policy
    run ctl show none
    [[ $output == *"restart  not now: policy: OnUnhealthy=none"* ]]
    run ctl show early
    [[ $output == *"restart  not now: it is starting, "*" of its start period are left"* ]]
    docker unpause paused >/dev/null
    # what has ended before plimsolld came is a person's business; what it sees end is a job
    docker start job failed >/dev/null
    ends_up job job
    ends_up failed job
    run ctl show job
    [[ $output == *"finished"*"restart  not now: a job that has ended: OnExit= is none"* ]]
    unsaid 'restarting it'
}

@test "what waits for another service says for which" {
    policy_is <<'END'
[Service db]
Match=name:db
Probe=none
OnUnhealthy=none
[Service web]
Match=name:web
Probe=none
After=db
OnUnhealthy=restart
END
    local name
    for name in db web; do
        docker run -d --name "$name" --health-cmd 'test -e /ok' --health-interval 1s --health-retries 1 "$BB" \
            sh -c 'touch /ok; sleep 1000' >/dev/null
    done
    daemon_begin
    turns db healthy
    turns web healthy
    docker exec db rm /ok
    turns db unhealthy
    docker exec web rm /ok
    turns web unhealthy
    ends_up web dependency
    run -1 ctl show web
    [[ $output == *"restart  not now: waits for db, which is unhealthy"* ]]
}

@test "a finished job is good: counted apart, no problem, exit status 0" {
    policy_is <<<$'[Service migrate]\nMatch=name:migrate\n[Service web]\nMatch=name:web\nProbe=http\nProbePort=80'
    run_answer web 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
    docker run -d --name migrate "$BB" sleep 1 >/dev/null
    daemon_begin
    turns migrate finished
    turns web healthy
    run -0 ctl status
    [[ $output == *"1/1 healthy, 1 finished"* ]]
    [[ $output == *"● finished"* ]]
    run -0 ctl show migrate
    run -0 ctl wait migrate --for finished
    wait_until 5 grep -q '^STATUS=.*1/1 healthy, 1 finished' "$T/notify.log"
    [ "$(ctl --json status | jq -r .summary)" = "$(tac "$T/notify.log" | sed -n 's/^STATUS=//p' | head -n 1)" ]
}

@test "the removal of a required service's container is no alarm yet: it may be made anew" {
    policy_is <<<$'[Service web]\nMatch=name:web\nRequired=yes'
    docker run -d --name web --health-cmd true --health-interval 1s "$BB" sh -c 'sleep 3; exit 3' >/dev/null
    daemon_begin
    turns web unhealthy
    ctl --json events >"$T/events" 3>&- &
    sleep 0.3
    ctl status >/dev/null || true
    docker rm web >/dev/null
    wait_until 5 grep -q '"health":"absent"' "$T/events"
    run_bb web
    wait_until 5 gives running status_of web .phase
    jq -es 'map(select(.health == "absent")) | length == 1 and .[0].priority == 6' "$T/events"
}
