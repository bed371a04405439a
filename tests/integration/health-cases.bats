#!/usr/bin/env bats
# Answers that are otherwise than expected, and other things that are no deaths: as the real services give
# them, out of containers. Each is asked for some time, and told as what it is; none is restarted for it.

load helper

setup_file() {
    local trixie=${PLIMSOLL_TRIXIE:-$HERE/../../build/trixie}
    "$SUPPORT/trixie.sh" build "$trixie"
    engine_begin --images "busybox postgres redis prometheus replay nginx pgbouncer"
    "$SUPPORT/trixie.sh" valkey "$trixie" "$E/engine/docker.sock"
    # the names that images of these services have
    local name
    for name in apache/airflow:2.8.1 apache/airflow:3.3.2 grafana/grafana:11.2.0 \
        ghcr.io/mlflow/mlflow:v2.9.2 ollama/ollama:0.5.7 prom/prometheus:v2.45.0; do
        docker tag plimsoll/replay:1 "$name"
    done
    mkdir -m 755 "$E/tls"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=service.test -addext subjectAltName=DNS:service.test \
        -keyout "$E/tls/key.pem" -out "$E/tls/cert.pem" 2>/dev/null
    chown 70:70 "$E/tls/key.pem"
}
teardown_file() { engine_end; }

setup() {
    begin
    chmod 755 "$T"
    mkdir -m 755 "$T/answers"
}
teardown() { end; }

started_of() { docker inspect -f '{{.State.StartedAt}}' "$1"; }

# answers NAME CASE - what the container of that name says from now on
answers() {
    cp "$SUPPORT/answers/$2.json" "$T/answers/.$1"
    mv "$T/answers/.$1" "$T/answers/$1.json"
}

# serve NAME CASE IMAGE PORT OPTION… -- COMMAND… - a service that gives these answers
serve() {
    local name=$1 image=$3 port=$4 options=()
    answers "$1" "$2"
    shift 4
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    docker run -d --name "$name" -e REPLAY="$port" -e ANSWERS="/answers/$name.json" \
        -v "$T/answers:/answers:ro" --health-cmd true --health-interval 1s "${options[@]}" "$image" "${@:2}" >/dev/null
}

# asked NAME PATH - how often, so far
asked() { docker logs "$1" 2>/dev/null | grep -cF " $2 " || true; }

# Restarts as soon as it may.
STRICT='ProbeInterval=1s
ProbeTimeout=500ms
ProbeFailures=2
ProbeStartPeriod=30s
OnUnhealthy=restart
RestartBudget=3/10min
FlapBudget=50/10min'

# because NAME STATE PATTERN
because() {
    turns "$1" "$2" 40 || return
    # shellcheck disable=SC2053 # a pattern
    wait_until 15 reason_is "$1" "$3" || fail "$1 is $2: $(reason "$1"); expected $3"
}
# shellcheck disable=SC2053 # a pattern
reason_is() { [[ $(reason "$1") == $2 ]]; }

# keep NAME… - remember which run it is; kept NAME… - it is still that one, and was asked for long enough
keep() {
    local name
    for name; do started_of "$name" >"$T/run.$name"; done
}
kept() {
    local name
    for name; do
        [ "$(started_of "$name")" = "$(cat "$T/run.$name")" ] || fail "$name was restarted" || return
        [ "$(docker inspect -f '{{.State.Running}}' "$name")" = true ] || fail "$name does not run" || return
    done
    unsaid 'restarting it|not restarted any more'
}

@test "Airflow: the web server is not restarted for its scheduler, its database or one scheduler of two" {
    policy_is <<END
[Service airflow-webserver]
Match=name:a2*
Match=name:a3*
$STRICT
END
    serve a2-sched a2-ok apache/airflow:2.8.1 8080 -- airflow webserver
    serve a2-db a2-ok apache/airflow:2.8.1 8080 -- airflow webserver
    serve a3-main a3-ok apache/airflow:3.3.2 8080 -- airflow api-server
    daemon_begin
    for name in a2-sched a2-db a3-main; do turns $name healthy; done
    keep a2-sched a2-db a3-main
    for name in a2-sched a2-db a3-main; do answers $name $name; done
    because a2-sched degraded 'impaired: *scheduler*'
    because a2-db degraded 'impaired: *database*'
    because a3-main degraded 'impaired: *scheduler*s2*'
    wait_until 20 at_least $(($(asked a2-sched /health) + 6)) asked a2-sched /health
    kept a2-sched a2-db a3-main
    for name in a2-sched a2-db; do
        answers $name a2-ok
        turns $name healthy
    done
}

@test "Airflow: a metadata database that is gone is put down to the Postgres that is down" {
    policy_is <<END
[Service db]
Match=name:db
ProbeInterval=1s
ProbeTimeout=500ms
ProbeFailures=2
[Service airflow-webserver]
Match=name:web
After=db
$STRICT
END
    docker run -d --name db --no-healthcheck postgres:debian >/dev/null
    serve web a2-ok apache/airflow:2.8.1 8080 -- airflow webserver
    daemon_begin
    turns db healthy 60
    turns web healthy
    keep web
    docker stop db >/dev/null
    answers web a2-db
    turns db absent
    because web degraded 'impaired: *database*db, which it needs, is absent*'
    kept web
}

@test "Grafana, MLflow, Prometheus: failing, behind a sub-path, with a login, replaying its log" {
    policy_is <<END
[Service all]
Match=name:*
$STRICT
END
    serve g-fail g-ok grafana/grafana:11.2.0 3000 -- grafana-server
    serve g-sub g-ok grafana/grafana:11.2.0 3000 -- grafana-server
    serve m-auth m-ok ghcr.io/mlflow/mlflow:v2.9.2 5000 -- mlflow server --host 0.0.0.0
    serve p-wal p-ok prom/prometheus:v2.45.0 9090 -- prometheus --web.external-url=http://metrics.test/prometheus
    daemon_begin
    local names='g-fail g-sub m-auth p-wal' name
    for name in $names; do turns $name healthy; done
    # shellcheck disable=SC2086 # a list
    keep $names
    for name in $names; do answers $name $name; done
    because g-fail degraded 'impaired: *database*'
    because m-auth degraded 'disputed: *401*'
    because p-wal starting '*replaying*'
    turns g-sub healthy
    wait_until 20 at_least $(($(asked g-sub /grafana/api/health) + 6)) asked g-sub /grafana/api/health
    # shellcheck disable=SC2086 # a list
    kept $names
    gives healthy health g-sub
    # said once, with the line that ends it
    [ "$(grep -c 'm-auth: degraded: disputed: ' "$LOG")" = 1 ]
    grep -qE 'm-auth: degraded: disputed: .*(ProbeAuth=yes|ProbeExpect=status:401)' "$LOG" || fail "$(reason m-auth)"
    # and it does end it
    printf 'Probe=http\nProbePort=5000\nProbePath=/health\nProbeExpect=status:401\n' >"$T/lines"
    policy_is <<END
[Service auth]
Match=name:m-auth
$(cat "$T/lines")
$STRICT
[Service all]
Match=name:*
$STRICT
END
    kill -HUP "$DAEMON"
    turns m-auth healthy
}

# models NAME - 301 of them, and what compose-sized buffers do not hold
many_models() {
    jq -n '[range(300) | {name: "m\(1e4 + .):latest", model: "m\(1e4 + .):latest",
        modified_at: "2026-11-30T00:40:11.1Z", size: 1613174016, digest: ("fb2322bed14b42bc" * 4),
        details: {parent_model: "", format: "gguf", family: "llama", families: ["llama"],
            parameter_size: "1.2B", quantization_level: "Q8_0", context_length: 2048, embedding_length: 2048},
        capabilities: ["completion"]}]
        | {"/api/version": [200, {}, {version: "0.0.0"}], "/api/ps": [200, {}, {models: []}],
            "/api/tags": [200, {}, {models: (. + [.[0] | .name = "Big:latest" | .model = .name])}]}'
}

@test "Ollama: names, a model that cannot fit, a listing that hangs, fails, or is long" {
    local name
    policy_is <<END
[Service names]
Match=name:names
OllamaModels=Llama3.2 library/llama3.2 llama3.2 registry.ollama.ai/library/llama3.2:latest http://localhost:5000/ns/mymodel
$STRICT
[Service loaded]
Match=name:loaded
OllamaModels=Big big library/BIG registry.ollama.ai/library/big:latest
MemoryMax=1280M
$STRICT
[Service many]
Match=name:many
OllamaModels=big
$STRICT
[Service all]
Match=name:*
OllamaModels=llama3.2
$STRICT
END
    serve names o-ok ollama/ollama:0.5.7 11434 -- ollama serve
    serve loaded o-loaded ollama/ollama:0.5.7 11434 -- ollama serve
    serve hang o-ok ollama/ollama:0.5.7 11434 -- ollama serve
    serve fails o-ok ollama/ollama:0.5.7 11434 -- ollama serve
    serve hang-first o-hang ollama/ollama:0.5.7 11434 -- ollama serve
    serve fails-first o-500 ollama/ollama:0.5.7 11434 -- ollama serve
    serve many o-ok ollama/ollama:0.5.7 11434 -- ollama serve
    many_models >"$T/answers/many.json"
    [ "$(wc -c <"$T/answers/many.json")" -gt 100000 ]
    daemon_begin
    for name in names loaded hang fails many; do turns $name healthy; done
    wait_until 20 said 'loaded: model Big:latest .* cannot fit: it needs 1.8G and MemoryMax is 1.3G'
    because hang-first degraded 'impaired: */api/tags*'
    because fails-first degraded 'impaired: */api/tags*dangling*'
    keep hang fails
    answers hang o-hang
    answers fails o-500
    wait_until 30 at_least $(($(asked hang /api/version) + 8)) asked hang /api/version
    kept hang fails
    for name in hang fails; do [[ $(health $name) =~ healthy|degraded ]] || fail "$name: $(health $name)"; done
}

# ten_policy [LINE…] - for services that Docker's own check finds well
ten_policy() {
    policy_is <<END
[Service proxy]
Match=name:proxy*
Probe=http
ProbePort=80
ProbePath=/health
$1
$STRICT
[Service all]
Match=name:*
$1
$STRICT
END
}

proxy_says() {
    {
        printf 'user service; error_log stderr; pid /tmp/nginx.pid; events {}\nhttp { access_log off; server { %s } }\n' "$2"
    } >"$T/$1/.new"
    mv "$T/$1/.new" "$T/$1/nginx.conf"
}

# proxy NAME - a real nginx, which says OK
proxy() {
    mkdir -m 755 "$T/$1"
    proxy_says "$1" 'listen 80; location /health { return 200 OK; }'
    docker run -d --name "$1" -v "$T/$1:/etc/nginx:ro" -v "$E/tls:/tls:ro" --health-cmd true --health-interval 1s \
        nginx:debian >/dev/null
}

# reproxy NAME SERVER - from now on
reproxy() {
    proxy_says "$1" "$2"
    docker exec "$1" nginx -s reload
}

TLS_SERVER='listen 80 ssl; ssl_certificate /tls/cert.pem; ssl_certificate_key /tls/key.pem; location /health { return 200 OK; }'

TEN='m-auth g-sub a-base m-prefix prom proxy-login proxy-moved proxy-away proxy-tls cache'

# ten_begin - ten services that answer as expected, with a check of Docker's own that passes
ten_begin() {
    local name
    serve m-auth m-ok ghcr.io/mlflow/mlflow:v2.9.2 5000 -- mlflow server --host 0.0.0.0
    serve g-sub g-ok grafana/grafana:11.2.0 3000 -- grafana-server
    serve a-base a2-ok apache/airflow:2.8.1 8080 -- airflow webserver
    serve m-prefix m-ok ghcr.io/mlflow/mlflow:v2.9.2 5000 -- mlflow server --host 0.0.0.0
    mkdir -m 755 "$T/prom"
    : >"$T/prom/web.yml"
    docker run -d --name prom -v "$T/prom:/web:ro" --health-cmd true --health-interval 1s prom/prometheus:debian \
        prometheus --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/prometheus --web.config.file=/web/web.yml >/dev/null
    for name in proxy-login proxy-moved proxy-away proxy-tls; do proxy $name; done
    docker run -d --name cache -v "$E/tls:/tls:ro" --health-cmd true --health-interval 1s redis:debian >/dev/null
    daemon_begin
    for name in $TEN; do turns "$name" healthy 60; done
}

# ten_change - … and then otherwise, though nothing is wrong with any
ten_change() {
    answers m-auth m-auth
    answers g-sub g-sub
    # below a base_url, and below a prefix, that nobody tells of
    answers a-base none
    answers m-prefix none
    # bcrypt of "secret"; the real one reads it at each request
    # shellcheck disable=SC2016 # a hash
    printf 'basic_auth_users: {ops: "$2y$05$abcdefghijklmnopqrstuuEMxxXx7JQTnvTDnm2lcoKbvcmwpnWFu"}\n' >"$T/prom/.new"
    mv "$T/prom/.new" "$T/prom/web.yml"
    reproxy proxy-login 'listen 80; location / { return 401; }'
    reproxy proxy-moved 'listen 80; location /health { return 301 https://login.test/; }'
    reproxy proxy-away 'listen 80; location / { return 404; }'
    reproxy proxy-tls "$TLS_SERVER"
    docker exec cache redis-cli config set tls-cert-file /tls/cert.pem tls-key-file /tls/key.pem tls-auth-clients no >/dev/null
    docker exec cache redis-cli config set tls-port 6380 >/dev/null
    docker exec cache redis-cli config set requirepass secret >/dev/null
}

@test "ten of ten healthy services whose answer becomes another one are never restarted" {
    local name
    ten_policy ''
    ten_begin
    # shellcheck disable=SC2086 # a list
    keep $TEN
    ten_change
    for name in m-auth a-base m-prefix prom proxy-login proxy-moved proxy-away; do
        because $name degraded 'disputed: *'
    done
    wait_until 20 at_least $(($(asked m-auth /health) + 8)) asked m-auth /health
    # shellcheck disable=SC2086 # a list
    kept $TEN
    # these are asked otherwise, or answer well enough: a sub-path on the same host, TLS, a password
    for name in g-sub proxy-tls cache; do gives healthy health $name || fail "$name: $(health $name): $(reason $name)"; done
    for name in m-auth prom proxy-login; do [[ $(reason $name) == *401* ]] || fail "$name: $(reason $name)"; done
    for name in a-base m-prefix proxy-away; do [[ $(reason $name) == *404* ]] || fail "$name: $(reason $name)"; done
    [[ $(reason proxy-moved) == "disputed: HTTP 301 for /health leads to https://login.test/: "*"ProbeExpect=status:301"* ]] ||
        fail "$(reason proxy-moved)"
    # each is told once
    for name in $TEN; do
        [ "$(grep -c "^$name: degraded" "$LOG")" -le 1 ] || fail "$(grep "^$name: " "$LOG")"
    done
}

@test "TLS alone: asked in TLS, and with ProbeTLS=no disputed; never restarted" {
    local name
    policy_is <<END
[Service proxy]
Match=name:proxy*
Probe=http
ProbePort=443
ProbePath=/health
$STRICT
[Service plain]
Match=name:plain*
Probe=redis
ProbeTLS=no
$STRICT
ProbeStartPeriod=1s
[Service all]
Match=name:*
$STRICT
END
    mkdir -m 755 "$T/proxy" "$T/prom"
    proxy_says proxy "${TLS_SERVER/80/443}"
    docker run -d --name proxy -v "$T/proxy:/etc/nginx:ro" -v "$E/tls:/tls:ro" nginx:debian >/dev/null
    # Go's answer to plain HTTP
    printf 'tls_server_config: {cert_file: /tls/cert.pem, key_file: /tls/key.pem}\n' >"$T/prom/web.yml"
    docker run -d --name prom -v "$T/prom:/web:ro" -v "$E/tls:/tls:ro" prom/prometheus:debian \
        prometheus --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/prometheus --web.config.file=/web/web.yml >/dev/null
    # Python's: it closes
    serve grafana g-ok grafana/grafana:11.2.0 3000 -v "$E/tls:/tls:ro" -e TLS=/tls -- grafana-server
    for name in cache plain; do
        docker run -d --name $name -v "$E/tls:/tls:ro" redis:debian redis-server --protected-mode no --port 0 \
            --tls-port 6379 --tls-cert-file /tls/cert.pem --tls-key-file /tls/key.pem --tls-auth-clients no >/dev/null
    done
    # hostssl alone
    docker run -d --name db --no-healthcheck -v "$E/tls:/tls:ro" postgres:debian sh -c '
        initdb -D "$PGDATA" -U postgres -A trust --no-sync --locale=C -E UTF8 >/dev/null
        printf "local all all trust\nhostssl all all all scram-sha-256\n" >"$PGDATA/pg_hba.conf"
        exec postgres -D "$PGDATA" -c listen_addresses="*" -c unix_socket_directories=/tmp -c ssl=on \
            -c ssl_cert_file=/tls/cert.pem -c ssl_key_file=/tls/key.pem' >/dev/null
    daemon_begin
    for name in proxy prom grafana cache; do turns $name healthy 40; done
    turns db healthy 60
    because plain degraded 'disputed: *'
    keep plain
    heard plain 4
    kept plain
    # what has no TLS any more, and no answer either, is dead
    kill -STOP "$(pid_of cache)"
    wait_until 30 said 'cache: restarting it, 1 of at most 3'
    turns cache healthy
}

@test "Prometheus behind a prefix: healthy there, and starting while it replays its log" {
    policy_is <<END
[Service all]
Match=name:*
$STRICT
END
    docker run -d --name url prom/prometheus:debian prometheus --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/prometheus \
        --web.external-url=http://metrics.test/prometheus/ >/dev/null
    docker run -d --name route prom/prometheus:debian prometheus --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/prometheus \
        --web.external-url=http://metrics.test/metrics --web.route-prefix=/inner >/dev/null
    daemon_begin
    turns url healthy 40
    turns route healthy 40
    # it is up, and replays: the real one's words, below the prefix
    serve p-wal p-wal prom/prometheus:v2.45.0 9090 -- prometheus --web.external-url=http://metrics.test/prometheus
    because p-wal starting '*replaying*'
    keep url route p-wal
    wait_until 20 at_least 8 asked p-wal /prometheus/-/ready
    kept url route p-wal
    gives starting health p-wal
    answers p-wal p-ok
    turns p-wal healthy
}

@test "pgbouncer that refuses everyone is not healthy, and is not restarted for it" {
    policy_is <<END
[Service pool]
Match=name:pool
Probe=postgres
ProbePort=6432
$STRICT
END
    mkdir -m 755 "$T/pool"
    printf '[databases]\npostgres = host=127.0.0.1\n[pgbouncer]\nlisten_addr = *\nlisten_port = 6432\nauth_type = md5\nauth_file = /etc/pgbouncer/users\n' \
        >"$T/pool/pgbouncer.ini"
    echo '"postgres" "secret"' >"$T/pool/users"
    docker run -d --name pool -e POSTGRES_USER=postgres -v "$T/pool:/etc/pgbouncer:ro" pgbouncer/pgbouncer:debian >/dev/null
    daemon_begin
    turns pool healthy
    keep pool
    # nobody is asked for a password: it lets in, and waits for the server, which is gone
    sed -i 's/= md5/= trust/' "$T/pool/pgbouncer.ini"
    docker kill -s HUP pool >/dev/null
    because pool degraded 'impaired: *'
    # there is no such database, and for pgbouncer every refusal is one of the protocol
    sed -i 's/^postgres.*/other = host=127.0.0.1/' "$T/pool/pgbouncer.ini"
    docker kill -s HUP pool >/dev/null
    because pool degraded '*08P01*'
    heard pool 4
    kept pool
}

@test "Valkey: healthy by its image's name, restarted when it is deaf" {
    policy_is <<END
[Service all]
Match=name:*
$STRICT
END
    docker run -d --name cache valkey/valkey:debian >/dev/null
    daemon_begin
    turns cache healthy
    kill -STOP "$(pid_of cache)"
    wait_until 30 said 'cache: restarting it, 1 of at most 3'
    turns cache healthy
    [ "$(grep -c 'cache: restarting it' "$LOG")" = 1 ]
}

@test "a job that ends well three times is finished, and one that fails is told and not run again" {
    local name _
    policy_is <<END
[Service again]
Match=name:again
OnExit=restart
$STRICT
[Service jobs]
Match=name:*
$STRICT
END
    daemon_begin
    docker run -d --name batch "$BB" sh -c 'sleep 0.3; exit 0' >/dev/null
    docker run -d --name batch-of --restart on-failure:3 "$BB" sh -c 'sleep 0.3; exit 0' >/dev/null
    docker run -d --name migrate "$BB" sh -c 'sleep 0.3; echo "no such table: orders" >&2; exit 1' >/dev/null
    for name in batch batch-of; do
        for _ in 1 2; do
            turns $name finished
            docker start $name >/dev/null
        done
        turns $name finished
    done
    because migrate unhealthy '*exit code 1*'
    keep batch batch-of migrate
    sleep 4
    for name in batch batch-of migrate; do
        [ "$(started_of $name)" = "$(cat "$T/run.$name")" ] || fail "$name was run again"
    done
    unsaid 'crash loop|restarting it|not restarted any more'
    [ "$(grep -c '^migrate: unhealthy' "$LOG")" = 1 ]
    for name in batch batch-of; do [ "$(grep -c "^$name: finished" "$LOG")" = 1 ]; done
    # who wants it otherwise says so
    docker run -d --name again "$BB" sh -c 'sleep 0.3; exit 1' >/dev/null
    wait_until 20 said '^again: restarting it, 1 of at most 3'
}

