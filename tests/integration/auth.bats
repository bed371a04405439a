#!/usr/bin/env bats
# ProbeAuth=: a probe logs in with what stands in the container's own environment, and nobody ever
# reads it anywhere.

load helper

setup_file() { engine_begin --images "postgres redis"; }
teardown_file() { engine_end; }

setup() { begin; }
teardown() { end; }

SECRET=swordfish-4711

services_begin() {
    docker run -d --name db --no-healthcheck -e POSTGRES_USER=app -e POSTGRES_PASSWORD=$SECRET \
        postgres:debian /start -c log_connections=on >/dev/null
    docker run -d --name cache -e REDIS_PASSWORD=$SECRET redis:debian redis-server --requirepass $SECRET >/dev/null
}

policy() {
    policy_is <<END
[Service db]
Match=name:db
ProbeInterval=1s
ProbeTimeout=900ms
$1
[Service redis-cache]
Match=name:cache
ProbeInterval=1s
ProbeTimeout=900ms
$1
END
}

tells() {
    wait_until 20 reason_is "$@" || fail "$1: $(health "$1"): $(reason "$1")"
}
reason_is() { reason "$1" | grep -qE -- "$2"; }

fatals() { docker logs db 2>&1 | grep -c FATAL || true; }
logins() { docker logs db 2>&1 | grep -c 'connection authorized: user=app.*application_name=plimsolld'; }
# of anybody, since the server began
calls() { docker exec cache redis-cli -a $SECRET --no-auth-warning info commandstats | sed -n "s/^cmdstat_$1:calls=\([0-9]*\),.*/\1/p"; }

@test "without it nothing is sent, and a service that wants a password is healthy" {
    policy ''
    services_begin
    daemon_begin
    turns db healthy 60
    turns cache healthy
    heard db 3
    heard cache 3
    [ "$(logins)" = 0 ]
    [ "$(calls auth)" = 1 ] # the one that asks
}

@test "with it a probe logs in, and nobody reads the password" {
    policy ProbeAuth=yes
    services_begin
    daemon_begin
    turns db healthy 60
    turns cache healthy
    wait_until 20 at_least 3 logins
    wait_until 20 at_least 4 calls auth
    [ "$(calls ping)" -ge 3 ]
    for name in db cache; do
        ctl probe "$name" >>"$T/seen"
        ctl --json probe "$name" >>"$T/seen"
        ctl show "$name" >>"$T/seen"
    done
    grep -q 'password of its environment is sent' "$T/seen"
    status_json >>"$T/seen"
    ctl check --dump "$T/plimsoll.conf" >>"$T/seen" 2>&1 || true
    cat "$LOG" >>"$T/seen"
    find "$T/state" -type f -exec cat {} + >>"$T/seen"
    ! grep -q "$SECRET" "$T/seen" || fail "$(grep "$SECRET" "$T/seen")"
    # nor what is made of it
    ! grep -qE 'p=[A-Za-z0-9+/]{43}=|SCRAM-SHA-256.*n,,' "$T/seen" || fail "$(cat "$T/seen")"
}

@test "a password that is not the right one any more is disputed, with the line that ends it" {
    policy ProbeAuth=yes
    docker run -d --name db --no-healthcheck -e POSTGRES_USER=app -e POSTGRES_PASSWORD=$SECRET postgres:debian >/dev/null
    wait_until 60 docker exec -e PGPASSWORD=$SECRET db psql -h /tmp -U app -c "alter user app password 'another'"
    docker run -d --name cache -e REDIS_PASSWORD=$SECRET redis:debian redis-server --requirepass another >/dev/null
    before=$(fatals)
    daemon_begin
    for name in db cache; do
        turns "$name" degraded 90
        tells "$name" 'set ProbeAuth=no'
    done
    heard db 3
    [ "$(fatals)" = $((before + 1)) ]
    policy ProbeAuth=no
    ctl reload
    for name in db cache; do turns "$name" healthy; done
}
