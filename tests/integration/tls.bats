#!/usr/bin/env bats
# Services that speak TLS where they are asked in plain: real ones of each kind in containers, and
# plimsolld beside them. Alive is what counts, and what is disputed is never restarted.

load helper

setup_file() {
    engine_begin --images "postgres redis prometheus nginx replay"
    certificates
}
teardown_file() { engine_end; }

setup() { begin; }
teardown() { end; }

# certificates - in $E/tls: one of its own for svc.example, which nobody has signed, and what the
# services want beside it
certificates() {
    mkdir "$E/tls"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=svc.example \
        -addext subjectAltName=DNS:svc.example -keyout "$E/tls/key.pem" -out "$E/tls/cert.pem" 2>/dev/null
    cat >"$E/tls/nginx.conf" <<'END'
user root;
events {}
http {
    access_log off;
    server {
        listen 443 ssl;
        ssl_certificate /tls/cert.pem;
        ssl_certificate_key /tls/key.pem;
        location / { return 200 "hello to $host of $ssl_server_name\n"; }
    }
    server {
        listen 444 ssl;
        ssl_certificate /tls/cert.pem;
        ssl_certificate_key /tls/key.pem;
        ssl_client_certificate /tls/cert.pem;
        ssl_verify_client on;
        location / { return 200 "hello\n"; }
    }
}
END
    printf 'tls_server_config:\n  cert_file: /tls/cert.pem\n  key_file: /tls/key.pem\n' >"$E/tls/web.yml"
    echo 'hostssl all all all scram-sha-256' >"$E/tls/pg_hba.conf"
    cat >"$E/tls/https.py" <<'END'
import http.server, ssl
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8443), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/cert.pem", "/tls/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
END
    # Postgres wants its key to be its own
    cp "$E/tls/key.pem" "$E/tls/pg.pem"
    chmod 644 "$E/tls/key.pem"
    chmod 600 "$E/tls/pg.pem"
    chown 70:70 "$E/tls/pg.pem"
}

SERVICES=(web prom py cache db)

services_begin() {
    local tls=(-v "$E/tls:/tls:ro")
    docker run -d --name web "${tls[@]}" nginx:debian nginx -c /tls/nginx.conf -g 'daemon off;' >/dev/null
    docker run -d --name prom "${tls[@]}" prom/prometheus:debian prometheus \
        --config.file=/etc/prometheus/prometheus.yml --web.config.file=/tls/web.yml \
        --storage.tsdb.path=/prometheus >/dev/null
    docker run -d --name py "${tls[@]}" plimsoll/replay:1 python3 /tls/https.py >/dev/null
    docker run -d --name cache "${tls[@]}" redis:debian redis-server --port 0 --tls-port 6379 \
        --tls-cert-file /tls/cert.pem --tls-key-file /tls/key.pem --tls-auth-clients no >/dev/null
    docker run -d --name db --no-healthcheck "${tls[@]}" postgres:debian /start -c ssl=on \
        -c ssl_cert_file=/tls/cert.pem -c ssl_key_file=/tls/pg.pem -c hba_file=/tls/pg_hba.conf >/dev/null
}

# policy [LINE…] - each service with these lines
policy() {
    local name
    for name in "${SERVICES[@]}"; do
        printf '[Service %s]\nMatch=name:%s\n' "$name" "$name"
        printf '%s\n' ProbeInterval=1s ProbeTimeout=900ms ProbeStartPeriod=2s ProbeFailures=1 OnUnhealthy=restart "$@"
        case $name in
        web) printf 'Probe=http\nProbePort=443\n' ;;
        py) printf 'Probe=http\nProbePort=8443\n' ;;
        esac
    done | policy_is
}

starts_of() { docker inspect -f '{{.State.StartedAt}}' "${SERVICES[@]}"; }

# tells NAME PATTERN - in its reason, within 20 s
tells() {
    wait_until 20 reason_is "$@" || fail "$1: $(health "$1"): $(reason "$1")"
}
reason_is() { reason "$1" | grep -qE -- "$2"; }

@test "services that speak TLS alone are healthy, and asked in plain once" {
    policy
    services_begin
    daemon_begin
    for name in "${SERVICES[@]}"; do turns "$name" healthy 60; done
    # some more rounds, which the services' logs would tell of
    first=$(docker logs py 2>&1 | grep -c GET)
    wait_until 20 at_least $((first + 5)) py_requests
    # Postgres tells whoever asks it while it starts; only an answer that it did not get is our doing
    [ "$(docker logs db 2>&1 | grep FATAL | grep -vc 'the database system is starting up')" -le 1 ]
    [ "$(docker logs db 2>&1 | grep -cE 'SSL|incomplete|reset by peer')" = 0 ]
    [ "$(docker logs prom 2>&1 | grep -c 'TLS handshake error')" -le 1 ]
    [ "$(docker logs cache 2>&1 | grep -c 'Error accepting a client connection')" -le 1 ]
    # after a start everything may be otherwise, and is learnt anew
    docker restart -t 1 cache
    turns cache healthy
}

py_requests() { docker logs py 2>&1 | grep -c GET; }

@test "without TLS they are disputed, told how that ends, and never restarted" {
    policy ProbeTLS=no
    services_begin
    started=$(starts_of)
    daemon_begin
    for name in web prom cache db; do
        tells "$name" 'ProbeTLS=auto|closed'
    done
    for name in web prom db; do
        turns "$name" degraded
        tells "$name" 'set ProbeTLS=auto'
    done
    for name in py cache; do
        wait_until 20 not_healthy "$name"
        tells "$name" closed
    done
    for name in web prom db py cache; do heard "$name" 3; done
    [ "$(starts_of)" = "$started" ]
    unsaid restarting
    policy
    ctl reload
    for name in "${SERVICES[@]}"; do turns "$name" healthy 60; done
}

not_healthy() { [[ $(health "$1") != healthy && $(health "$1") != unhealthy ]]; }

@test "a certificate is verified on demand, with the name in ProbeHost=" {
    SERVICES=(web db)
    policy ProbeTLSVerify=yes
    services_begin
    # the roots of this daemon alone: the services' own certificate
    mkdir "$T/roots"
    cp "$E/tls/cert.pem" "$T/roots/ca-certificates.crt"
    cp "$E/tls/cert.pem" "$T/roots/$(openssl x509 -hash -noout -in "$E/tls/cert.pem").0"
    # shellcheck disable=SC2034 # daemon_spawn
    DAEMON_WRAPPER="unshare -m $SUPPORT/with-roots.sh $T/roots"
    daemon_begin
    for name in web db; do
        turns "$name" degraded 60
        tells "$name" 'certificate does not verify.*set ProbeHost= to the name in it, or ProbeTLSVerify=no'
    done
    policy ProbeTLSVerify=yes ProbeHost=svc.example ProbeExpect='body:hello to svc.example of svc.example'
    sed -i '/^\[Service db\]/,$ s/^ProbeExpect=.*//' "$T/plimsoll.conf"
    ctl reload
    for name in web db; do turns "$name" healthy; done
    policy ProbeTLSVerify=yes ProbeHost=other.example
    ctl reload
    for name in web db; do
        tells "$name" 'certificate does not verify'
    done
    [ "$(docker logs db 2>&1 | grep -cE 'SSL|incomplete|reset by peer')" = 0 ]
}

@test "a service that wants a certificate of its clients is alive" {
    SERVICES=(web cache)
    policy
    sed -i 's/ProbePort=443/ProbePort=444/' "$T/plimsoll.conf"
    docker run -d --name web -v "$E/tls:/tls:ro" nginx:debian nginx -c /tls/nginx.conf -g 'daemon off;' >/dev/null
    docker run -d --name cache -v "$E/tls:/tls:ro" redis:debian redis-server --port 0 --tls-port 6379 \
        --tls-cert-file /tls/cert.pem --tls-key-file /tls/key.pem --tls-ca-cert-file /tls/cert.pem >/dev/null
    started=$(starts_of)
    daemon_begin
    for name in web cache; do turns "$name" degraded; done
    tells web 'No required SSL certificate was sent.*set Probe=tcp'
    tells cache 'wants a certificate of its clients.*set Probe=tcp'
    for name in web cache; do heard "$name" 3; done
    [ "$(starts_of)" = "$started" ]
}
