#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What else plimsolld does works in its sandbox, too: rotating logs of running containers, limiting
# a block device, telling people.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

N_LINES=30000
BEGIN=$(cursor)

test_a_policy_for_logs() {
    policy <<'P'
[Service chatty-app]
Match=name:chatty-app
LogMethod=punch
LogMaxSize=1M
LogMaxFiles=9
MemoryMax=64M
IOReadBandwidthMax=/dev/vda 5M
P
    container chatty-app -- sh -c "for i in \$(seq $N_LINES); do
        echo line number \$i of a service that has much to tell and nothing to say; done; sleep 100000"
    within 20 sh -c "docker logs --tail 1 chatty-app | grep -q 'number $N_LINES '"
}

archives() { find /var/log/plimsoll -name '*.zst' | grep .; }

test_the_log_of_a_running_container_is_rotated() {
    CURSOR=$BEGIN
    within 30 archives
    within 5 said LOG_ROTATED CONTAINER_NAME=chatty-app
    refute said LOG_FAILED
}

# Archive and live log are one stream, from the first line to the last, each once.
test_no_line_is_lost_or_doubled() {
    plimsollctl logs chatty-app | sed -n 's/.*line number \([0-9]*\) of.*/\1/p' >/tmp/numbers
    seq $N_LINES | cmp - /tmp/numbers
}

test_members_of_the_group_read_archives_and_others_do_not() {
    local f
    f=$(archives | head -n 1)
    [ "$(stat -c '%U:%G %a' "$f")" = 'root:plimsoll 640' ]
    id reader >/dev/null 2>&1 || useradd -G plimsoll reader
    runuser -u reader -- cat "$f" >/dev/null
    refute runuser -u nobody -- cat "$f"
}

# Its number comes from /dev, which the sandbox shows but does not let it open.
test_a_block_device_is_found_by_its_name() {
    [ "$(value chatty-app io.max)" = '254:0 rbps=5000000 wbps=max riops=max wiops=max' ]
}

# Log files in a volume: those of root need no more than the unit as it is.
aged_logs() {
    local dir
    dir=$(docker volume inspect -f '{{.Mountpoint}}' "$1")
    seq 20000 >"$dir/old.log"
    touch -d '2 days ago' "$dir/old.log"
    chown "$2" "$dir" "$dir/old.log"
    echo "$dir"
}

compressed() { [ "$(zstdcat "$1/.plimsoll/old.log.zst" | tail -n 1)" = 20000 ] && [ ! -e "$1/old.log" ]; }

test_log_files_of_root_in_a_volume_are_compressed() {
    local dir
    cat >>"$POLICY" <<'P'

[Service filer]
Match=name:filer*
LogPath=/logs/*.log
P
    container filer -v filer:/logs --
    dir=$(aged_logs filer root)
    chmod 640 "$dir/old.log"
    systemctl reload plimsolld
    within 20 compressed "$dir"
    # not in its own group's hands, since plimsolld's group could read it there
    [ "$(stat -c '%U:%G %a' "$dir/.plimsoll/old.log.zst")" = 'root:plimsoll 600' ]
}

# Those of other users need the drop-in that plimsoll.conf(5) gives, as it gives it.
test_log_files_of_others_are_compressed_with_the_drop_in_of_the_manual() {
    local dir dropin=/run/systemd/system/plimsolld.service.d/logpath.conf
    container filer-other -v filer-other:/logs --
    dir=$(aged_logs filer-other nobody)
    systemctl reload plimsolld
    within 20 said LOG_FILES_FAILED CONTAINER_NAME=filer-other
    [ -e "$dir/old.log" ]
    mkdir -p "${dropin%/*}"
    zcat /usr/share/man/man5/plimsoll.conf.5.gz | sed -n '/^\[Service\]$/,/^\.Ed$/p' | sed '/^\.Ed$/q' |
        grep -v '^\.' | tee $dropin
    grep -q '^CapabilityBoundingSet=' $dropin
    mkdir -p /srv/logs
    systemctl daemon-reload
    systemctl restart plimsolld
    within 20 compressed "$dir"
    [ "$(stat -c %U "$dir/.plimsoll/old.log.zst")" = nobody ]
    rm $dropin
    systemctl daemon-reload
    systemctl restart plimsolld
}

# A real database on the engine's bridge: IPAddressDeny= leaves its address open. When it hangs, it is
# restarted, over the engine's socket.
test_a_database_is_probed_over_the_network_and_restarted_when_it_hangs() {
    cat >>"$POLICY" <<'P'

[Service pg]
Match=name:pg
Probe=postgres
ProbePort=5432
ProbeInterval=1s
ProbeTimeout=1s
ProbeFailures=3
ProbeStartPeriod=60s
OnUnhealthy=restart
RestartBudget=3/10min
P
    systemctl reload plimsolld
    docker run -d --name pg --stop-timeout 1 -v /usr:/usr:ro --user postgres debian-usr:1 sh -ec '
        bin=$(echo /usr/lib/postgresql/*/bin)
        [ -s /data/db/PG_VERSION ] || $bin/initdb -D /data/db -A trust --no-sync >/dev/null
        exec $bin/postgres -D /data/db -k /tmp -c fsync=off -c listen_addresses=*' >/dev/null
    within 60 is_healthy pg
    kill -STOP "$(docker inspect -f '{{.State.Pid}}' pg)"
    within 30 said HEALTH_FAILED CONTAINER_NAME=pg PLIMSOLL_HEALTH=unhealthy
    within 30 said RESTARTED CONTAINER_NAME=pg
    within 60 is_healthy pg
    docker rm -f pg >/dev/null
}

is_healthy() { in_status ".containers[] | select(.name == \"$1\") | .health == \"healthy\""; }

test_the_alert_tells_what_is_known() {
    local since
    since=$(date '+%F %T')
    systemctl start "plimsoll-alert@chatty\x2dapp.service"
    journalctl --sync
    journalctl -q -o cat -u "plimsoll-alert@chatty\x2dapp.service" --since "$since" | tee /tmp/alert
    grep -q 'plimsoll: chatty-app is not healthy on plimsoll-test' /tmp/alert
    # what plimsollctl show says, from within the unit
    grep -q 'MemoryMax' /tmp/alert
}

# What goes to people's terminals; there are none here, so what wall(1) is given counts.
test_the_alert_is_told_by_wall() {
    printf '#!/bin/sh\ncat >/run/wall\n' >/usr/local/bin/wall
    chmod +x /usr/local/bin/wall
    systemctl start "plimsoll-alert@chatty\x2dapp.service"
    rm /usr/local/bin/wall
    cat /run/wall
    grep -q 'plimsoll: chatty-app is not healthy on plimsoll-test' /run/wall
    grep -q 'plimsollctl show chatty-app' /run/wall
    # what a container has made is for who may ask, not for everybody at a terminal
    refute grep -q 'MemoryMax' /run/wall
}

# A healthcheck that begins to fail, and what the policy says to do about it.
test_an_unhealthy_service_starts_its_unit() {
    cat >>"$POLICY" <<'P'

[Service sick-web]
Match=name:sick-web
OnUnhealthy=unit:plimsoll-alert@%s.service
P
    systemctl reload plimsolld
    container sick-web --health-cmd 'test ! -e /tmp/ill' --health-interval 1s --health-retries 2 --
    within 30 is_healthy sick-web
    docker exec sick-web sh -c 'true >/tmp/ill'
    within 30 said HEALTH_FAILED CONTAINER_NAME=sick-web PLIMSOLL_HEALTH=unhealthy
    within 10 told_of_sick
}

told_of_sick() {
    journalctl --sync
    journalctl -q -o cat -u "plimsoll-alert@sick\x2dweb.service" --cursor="$CURSOR" |
        grep 'plimsoll: sick-web is not healthy'
}

test_the_alert_can_be_sent_by_mail() {
    printf '#!/bin/sh\n{ printf "%%s\\n" "$@"; cat; } >/run/mail\n' >/usr/local/bin/mail
    chmod +x /usr/local/bin/mail
    mkdir -p /run/systemd/system/plimsoll-alert@.service.d
    printf '[Service]\nEnvironment=PLIMSOLL_MAILTO=someone@localhost\n' \
        >/run/systemd/system/plimsoll-alert@.service.d/mail.conf
    systemctl daemon-reload
    systemctl start "plimsoll-alert@chatty\x2dapp.service"
    cat /run/mail
    grep -qx 'someone@localhost' /run/mail
    grep -q 'chatty-app is not healthy' /run/mail
    grep -q 'MemoryMax' /run/mail
}

test_nothing_was_refused_by_the_sandbox() {
    # but for the files of another user, which it could not pack without the drop-in
    journalctl -q -b -u plimsolld -o cat | grep -v '^filer-other: ' |
        grep -iE 'not permitted|denied|read-only' >/tmp/refused || true
    [ ! -s /tmp/refused ] || fail "$(cat /tmp/refused)"
}

run_tests
