#!/usr/bin/env bats
# The prober against real services, in every state that the protocol can tell, and against servers
# that lie. No containers: the services run as processes of this host, on ports of their own; their
# programs come from the images that the other tests run.

SUPPORT=$BATS_TEST_DIRNAME/../support
TOOL=${PLIMSOLL_BUILD:-$BATS_TEST_DIRNAME/../../build/gcc}/tests/support/probe-tool
IMAGES=${PLIMSOLL_IMAGES:-$BATS_TEST_DIRNAME/../../build/images}

setup_file() {
    TREE=$(mktemp -d /var/tmp/plimsoll-probes.XXXXXX)
    export TREE
    chmod 755 "$TREE"
    "$SUPPORT/images.sh" tree "$IMAGES" "$TREE" postgres redis prometheus
}

teardown_file() { rm -rf "$TREE"; }

# $T is the test's directory, and $t the same inside of the tree
setup() {
    t=/t.$BATS_TEST_NUMBER
    T=$TREE$t
    mkdir "$T"
    chown 70:70 "$T"
    IN=(chroot --userspec=70:70 "$TREE" env -i PATH=/usr/bin LC_ALL=C TZ=UTC HOME="$t")
    PIDS=''
}

teardown() {
    local pid
    for pid in $PIDS; do kill -9 "$pid" 2>/dev/null || true; done
    for pid in "$T"/*/postmaster.pid; do
        [ ! -f "$pid" ] || kill -QUIT "$(head -n 1 "$pid")" 2>/dev/null || true
    done
    sleep 0.3
    rm -rf "$T"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

probe() { run "$TOOL" --timeout 2 "$@"; }

# until VERDICT OPTION… - rounds until that verdict, at most 30 s
until_verdict() {
    local verdict=$1
    shift
    run timeout 60 "$TOOL" --interval 100ms --for 30 --until "$verdict" "$@"
    [ "$status" -eq 0 ] || { echo "never $verdict: $output"; return 1; }
}

# shellcheck disable=SC2053 # a pattern
is() { [[ $output == $1 ]] || { echo "expected $1, got: $output"; return 1; }; }

inside() { "${IN[@]}" "$@"; }

# pg_make NAME - a cluster in $T/NAME; PORT and USER as in the image: POSTGRES_USER=app
pg_make() {
    PORT=$(free_port)
    inside initdb -D "$t/$1" -U app -A trust --no-sync >/dev/null
    cat >>"$T/$1/postgresql.conf" <<END
port = $PORT
listen_addresses = '127.0.0.1'
unix_socket_directories = '$t/$1'
fsync = off
log_min_messages = info
END
}

pg_start() { inside pg_ctl -D "$t/$1" -l "$t/$1/log" "${@:2}" start >/dev/null; }
sql() { inside psql -h "$t/$1" -p "$PORT" -U app -d postgres -qAtc "$2"; }

# clean_log PATTERN - Postgres has logged nothing like it
clean_log() {
    if grep -E "$1" "$T/db/log"; then return 1; fi
}

# background COMMAND… - a child of ours, inside the tree; PID
background() {
    "${IN[@]}" "$@" 3>&- 4>&- >"$T/out" 2>&1 &
    PID=$!
    PIDS="$PIDS $PID"
}

@test "Postgres: ready, and nothing but the connection in its log" {
    pg_make db
    pg_start db -w
    probe --user app --database postgres postgres "127.0.0.1:$PORT"
    is "up - "
    for _ in 1 2 3 4 5; do probe --user app --database postgres postgres "127.0.0.1:$PORT"; done
    clean_log 'FATAL|ERROR|unexpected|reset|could not'
}

@test "Postgres: a password is wanted, and nothing is logged about us" {
    pg_make db
    sed -i 's/trust/scram-sha-256/' "$T/db/pg_hba.conf"
    pg_start db -w
    probe --user app --database postgres postgres "127.0.0.1:$PORT"
    is "up - "
    sleep 0.2
    clean_log 'FATAL|ERROR|unexpected|could not'
}

@test "Postgres: wrong user, wrong database, no pg_hba.conf entry: it serves" {
    pg_make db
    pg_start db -w
    probe --user nobody postgres "127.0.0.1:$PORT"
    is 'up 28000 role "nobody" does not exist (SQLSTATE 28000)'
    probe --user app --database nowhere postgres "127.0.0.1:$PORT"
    is 'up 3D000 database "nowhere" does not exist (SQLSTATE 3D000)'
    echo 'host all all 192.0.2.0/24 trust' >"$T/db/pg_hba.conf"
    inside pg_ctl -D "$t/db" reload >/dev/null
    sleep 0.3
    probe --user app postgres "127.0.0.1:$PORT"
    is 'up 28000 no pg_hba.conf entry*'
    # whether TLS would help is not known where it is not tried
    probe --tls no --user app postgres "127.0.0.1:$PORT"
    is 'disputed 28000 it does not let the probe in without TLS; set ProbeTLS=auto: no pg_hba.conf entry*'
}

# rounds NUMBER OPTION… - one after another, 200 ms apart
rounds() { run timeout 60 "$TOOL" --interval 200ms --rounds "$@"; }

@test "Postgres: a refusal is logged once, not at each round" {
    pg_make db
    pg_start db -w
    rounds 15 --user nobody postgres "127.0.0.1:$PORT"
    is 'up 28000 role "nobody" does not exist*'
    [ "$(grep -c FATAL "$T/db/log")" = 1 ]
    # and in TLS, where the server speaks it
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=db \
        -keyout "$T/db/server.key" -out "$T/db/server.crt" 2>/dev/null
    chown 70:70 "$T/db/server.key"
    echo 'ssl = on' >>"$T/db/postgresql.conf"
    inside pg_ctl -D "$t/db" reload >/dev/null
    sleep 0.5
    rounds 15 --user nobody postgres "127.0.0.1:$PORT"
    [ "$(grep -c FATAL "$T/db/log")" = 2 ]
    clean_log 'SSL connection|reset by peer|incomplete|unexpected'
}

@test "Postgres: whose processes hang is not silent, one that hangs itself is" {
    pg_make db
    pg_start db -w
    # a lock that each new session needs
    background psql -h "$t/db" -p "$PORT" -U app -d postgres -c \
        'begin; lock pg_authid in access exclusive mode; select pg_sleep(60)'
    sleep 2
    until_verdict impaired --timeout 500ms --user app --database postgres postgres "127.0.0.1:$PORT"
    [[ $output == *"impaired timeout it answers, but begins no session"* ]] || { echo "$output"; false; }
    kill -STOP "$(head -n 1 "$T/db/postmaster.pid")"
    rounds 6 --timeout 500ms --user app --database postgres postgres "127.0.0.1:$PORT"
    is 'silent timeout it accepts connections*'
    [[ $output != *impaired* ]]
    kill -CONT "$(head -n 1 "$T/db/postmaster.pid")"
}

@test "Postgres: a password that the environment has, in each way in which a server may ask" {
    for method in password md5 scram-sha-256; do
        pg_make "$method"
        [ "$method" != md5 ] || echo 'password_encryption = md5' >>"$T/$method/postgresql.conf"
        echo 'log_connections = on' >>"$T/$method/postgresql.conf"
        pg_start "$method" -w
        sql "$method" "alter user app password 'secret'"
        sed -i "s/^host .*/host all all all $method/" "$T/$method/pg_hba.conf"
        inside pg_ctl -D "$t/$method" reload >/dev/null
        sleep 0.5
        probe --env POSTGRES_USER=app --env POSTGRES_PASSWORD=secret --database postgres postgres "127.0.0.1:$PORT"
        is "up - "
        grep -q "identity=\"app\" method=$method" "$T/$method/log"
        probe --env POSTGRES_USER=app --env POSTGRES_PASSWORD=wrong --database postgres postgres "127.0.0.1:$PORT"
        is 'disputed 28P01 it refuses the password of its environment; set ProbeAuth=no: *'
    done
}

@test "HTTP: a user and a password that the environment has" {
    PORT=$(free_port)
    python3 -c 'import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ok = self.headers["Authorization"] == "Basic YWRtaW46c2VjcmV0" # admin:secret
        self.send_response(200 if ok else 401)
        self.end_headers()
        self.wfile.write(b"{\"database\":\"ok\"}" if ok else b"")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()' "$PORT" >"$T/out" 2>&1 3>&- 4>&- &
    PIDS="$PIDS $!"
    until_verdict up --env GF_SECURITY_ADMIN_PASSWORD=secret grafana "127.0.0.1:$PORT"
    probe --env GF_SECURITY_ADMIN_PASSWORD=wrong grafana "127.0.0.1:$PORT"
    is 'disputed 401 *'
    probe grafana "127.0.0.1:$PORT"
    is 'disputed 401 *'
}

@test "Postgres: full for all, and full but for superusers" {
    pg_make db
    printf 'max_connections = 5\nsuperuser_reserved_connections = 2\n' >>"$T/db/postgresql.conf"
    pg_start db -w
    sql db 'create role web login'
    for _ in 1 2 3; do
        background psql -h 127.0.0.1 -p "$PORT" -U web -d postgres -c 'select pg_sleep(30)'
    done
    # not asked of the server: a question takes up a slot as well
    sleep 2
    # refused only after authentication
    probe --user web --database postgres postgres "127.0.0.1:$PORT"
    is 'impaired 53300 full: remaining connection slots are reserved*'
    for _ in 1 2; do
        background psql -h 127.0.0.1 -p "$PORT" -U app -d postgres -c 'select pg_sleep(30)'
    done
    sleep 1
    probe --user app --database postgres postgres "127.0.0.1:$PORT"
    is 'impaired 53300 full: sorry, too many clients already (SQLSTATE 53300)'
}

@test "Postgres: killed, recovers, serves again; a standby is starting until it is consistent" {
    pg_make db
    pg_start db -w
    sql db 'create table t as select generate_series(1, 300000) as i'
    # recovery takes as long as we like
    printf "restore_command = 'sleep 3; false'\n" >>"$T/db/postgresql.conf"
    kill -9 "$(head -n 1 "$T/db/postmaster.pid")"
    touch "$T/db/recovery.signal"
    # the orphans of the old server hold its shared memory for a moment
    for _ in $(seq 50); do
        rm -f "$T/db/postmaster.pid"
        pg_start db -W
        sleep 0.3
        "$TOOL" --user app postgres "127.0.0.1:$PORT" | grep -q refused || break
    done
    until_verdict starting --user app postgres "127.0.0.1:$PORT"
    [[ $output == *"starting 57P03 "* ]]
    until_verdict up --user app --database postgres postgres "127.0.0.1:$PORT"
}

@test "Postgres: a crash of one backend makes it recover" {
    pg_make db
    pg_start db -w
    background psql -h "$t/db" -p "$PORT" -U app -d postgres -c 'select pg_sleep(30)'
    sleep 1
    kill -9 "$(sql db "select pid from pg_stat_activity where query like 'select pg_sleep%' limit 1")"
    until_verdict up --user app --database postgres postgres "127.0.0.1:$PORT"
    grep -q 'all server processes terminated; reinitializing' "$T/db/log"
}

@test "Postgres: shutting down while a client holds on" {
    pg_make db
    pg_start db -w
    background psql -h "$t/db" -p "$PORT" -U app -d postgres -c 'select pg_sleep(30)'
    sleep 0.5
    inside pg_ctl -D "$t/db" -m smart -W stop >/dev/null
    until_verdict impaired --user app --database postgres postgres "127.0.0.1:$PORT"
    [[ $output == *"impaired 57P03 shutting down"* ]] || { echo "$output"; false; }
}

@test "Postgres: not there" {
    probe postgres "127.0.0.1:$(free_port)"
    is 'silent refused connection refused (127.0.0.1:*'
}

# redis_start OPTION… - on $PORT
redis_start() {
    background redis-server --port "$PORT" --bind 127.0.0.1 --dir "$t" --save '' --daemonize no "$@"
    REDIS=$PID
}

@test "Redis: ready, with and without a password, renamed PING" {
    PORT=$(free_port)
    redis_start
    until_verdict up redis "127.0.0.1:$PORT"
    kill "$REDIS"
    PORT=$(free_port)
    redis_start --requirepass secret
    until_verdict up redis "127.0.0.1:$PORT"
    is '*up NOAUTH *'
    PORT=$(free_port)
    redis_start --rename-command PING ''
    until_verdict up redis "127.0.0.1:$PORT"
    is '*up renamed *'
}

@test "Redis: loading a large RDB file, then ready" {
    PORT=$(free_port)
    redis_start --dbfilename big.rdb --enable-debug-command local
    until_verdict up redis "127.0.0.1:$PORT"
    inside redis-cli -p "$PORT" debug populate 60000 key 200 >/dev/null
    inside redis-cli -p "$PORT" save >/dev/null
    kill -9 "$REDIS"
    sleep 0.2
    # slowed down as a bigger file or a slower disk would
    redis_start --dbfilename big.rdb --key-load-delay 5 --loading-process-events-interval-bytes 1024
    until_verdict starting redis "127.0.0.1:$PORT"
    is '*starting LOADING loading its data set*'
    until_verdict up redis "127.0.0.1:$PORT"
}

@test "Redis: full" {
    PORT=$(free_port)
    redis_start --maxclients 2
    until_verdict up redis "127.0.0.1:$PORT"
    for _ in 1 2; do background redis-cli -p "$PORT" subscribe x; done
    until_verdict impaired redis "127.0.0.1:$PORT"
    is '*impaired maxclients full: *'
}

@test "Redis: a replica without its master" {
    PORT=$(free_port)
    redis_start --replicaof 127.0.0.1 "$(free_port)" --replica-serve-stale-data no
    until_verdict impaired redis "127.0.0.1:$PORT"
    is '*impaired MASTERDOWN the link to its master is down*'
}

@test "Redis: busy with a script" {
    PORT=$(free_port)
    redis_start --busy-reply-threshold 100
    until_verdict up redis "127.0.0.1:$PORT"
    background redis-cli -p "$PORT" eval 'while true do end' 0
    until_verdict impaired redis "127.0.0.1:$PORT"
    is '*impaired BUSY BUSY Redis is busy*'
}

@test "Redis: protected mode" {
    PORT=$(free_port)
    address=$(ip -4 -o addr show scope global | awk '{ sub("/.*", "", $4); print $4; exit }')
    [ -n "$address" ] || skip "no address but the loopback's"
    background redis-server --port "$PORT" --dir "$t" --save '' --protected-mode yes --bind '*'
    until_verdict up redis "$address:$PORT"
    is '*up DENIED protected mode*'
}

@test "Redis: stopped in its tracks: it accepts, but does not answer" {
    PORT=$(free_port)
    redis_start
    until_verdict up redis "127.0.0.1:$PORT"
    kill -STOP "$REDIS"
    probe --timeout 500ms redis "127.0.0.1:$PORT"
    is 'silent timeout it accepts connections, but did not answer*'
    kill -CONT "$REDIS"
}

@test "Prometheus: starting is not ready; then ready; the wrong product is named" {
    PORT=$(free_port)
    echo 'global: {}' >"$T/p.yml"
    background prometheus "--config.file=$t/p.yml" "--storage.tsdb.path=$t/data" \
        "--web.listen-address=127.0.0.1:$PORT"
    until_verdict up prometheus "127.0.0.1:$PORT"
    probe --path /-/ready --expect 'body:^Prometheus Server is (Ready|Healthy)' http "127.0.0.1:$PORT"
    is 'up - '
    probe --path /api/v1/status/runtimeinfo --expect json:/status=success http "127.0.0.1:$PORT"
    is 'up - '
    probe grafana "127.0.0.1:$PORT"
    is 'disputed 404 HTTP 404 for /api/health*'
    probe redis "127.0.0.1:$PORT"
    is 'disputed garbage not a Redis server: it says "HTTP/1.1 400*'
}

@test "Prometheus below a path, with a login: how it is asked, and the line that ends a dispute" {
    PORT=$(free_port)
    echo 'global: {}' >"$T/p.yml"
    printf 'basic_auth_users:\n  a: $2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay\n' >"$T/web.yml"
    background prometheus "--config.file=$t/p.yml" "--storage.tsdb.path=$t/data" \
        "--web.listen-address=127.0.0.1:$PORT" "--web.external-url=http://prom.example.org/prom/"
    until_verdict up --prefix /prom/ prometheus "127.0.0.1:$PORT"
    probe --path /prom/-/ready prometheus "127.0.0.1:$PORT"
    is 'up - '
    probe prometheus "127.0.0.1:$PORT"
    is 'disputed 404 HTTP 404 for /-/ready: set ProbePath= to where it is served'
    # its / leads to /prom/graph by way of /prom/: a redirect is followed once
    probe http "127.0.0.1:$PORT"
    is 'up - '

    PORT=$(free_port)
    background prometheus "--config.file=$t/p.yml" "--storage.tsdb.path=$t/data2" \
        "--web.listen-address=127.0.0.1:$PORT" "--web.config.file=$t/web.yml"
    until_verdict disputed prometheus "127.0.0.1:$PORT"
    is '*disputed 401 HTTP 401 for /-/ready: it wants authentication; *set ProbeExpect=status:401'
    probe --expect status:401 prometheus "127.0.0.1:$PORT"
    is 'up - '
}

@test "several addresses: the first that connects, and it is remembered" {
    PORT=$(free_port)
    redis_start
    until_verdict up redis "127.0.0.1:$(free_port)" "127.0.0.1:$PORT"
    [ "$(grep -c . <<<"$output")" = 1 ] || [[ ${lines[-1]} == up* ]]
    probe redis "127.0.0.1:$(free_port)" "127.0.0.1:$(free_port)"
    is 'silent refused connection refused (127.0.0.1:*'
}

@test "a second port is a guess: only the right answer counts there" {
    local odd closed
    PORT=$(free_port) closed=$(free_port)
    redis_start
    until_verdict up redis "127.0.0.1:$PORT"
    probe redis "127.0.0.1:$closed" "127.0.0.1:$PORT"
    is 'up - '
    python3 "$SUPPORT/hostile.py" --serve 'HTTP behind redis' 3>&- 4>&- >"$T/odd" &
    PIDS="$PIDS $!"
    for _ in $(seq 100); do
        [ ! -s "$T/odd" ] || break
        sleep 0.05
    done
    odd=$(head -n 1 "$T/odd")
    probe redis "127.0.0.1:$odd"
    is 'disputed garbage *'
    probe redis "127.0.0.1:$closed" "127.0.0.1:$odd"
    is "silent refused connection refused (127.0.0.1:$closed)"
    # what answers where it is most likely is believed
    probe redis "127.0.0.1:$odd" "127.0.0.1:$PORT"
    is 'disputed garbage *'
    probe redis "127.0.0.1:$closed" "127.0.0.1:$odd" "127.0.0.1:$PORT"
    is 'up - '
}

@test "servers that lie, stall, babble and break off" {
    run python3 "$SUPPORT/hostile.py" "$TOOL"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *" rows, 0 differ" ]]
}
