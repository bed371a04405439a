# shellcheck shell=bash
# ./dev run: plimsolld in the foreground, on a private engine with a demo stack or on an engine of
# yours. Everything it makes carries the run's directory in its name, and an EXIT trap takes it
# away again; a run that was killed (-9) is cleared by the next one.

# shellcheck source=tests/support/build.sh
. "$SUPPORT/build.sh"

RUN='' DAEMON=''

run_options() {
    ENGINE='' KEEP='' POLICY=$ROOT/conf/plimsoll.conf APPLY='' DRY=''
    while [ $# -gt 0 ]; do
        case $1 in
        --engine | --policy)
            [ $# -ge 2 ] || die 64 "$1 needs a value"
            case $1 in --engine) ENGINE=$2 ;; *) POLICY=$2 ;; esac
            shift
            ;;
        --engine=*) ENGINE=${1#*=} ;;
        --policy=*) POLICY=${1#*=} ;;
        --keep) KEEP=yes ;;
        --apply) APPLY=yes ;;
        --dry-run) DRY=yes ;;
        *) die 64 "run: no such option: $1 (./dev --help)" ;;
        esac
        shift
    done
    [ -z "$APPLY" ] || [ -z "$DRY" ] || die 64 "--apply and --dry-run exclude each other"
    case $ENGINE in
    '' | unix:///*) ;;
    *) die 64 "--engine $ENGINE: only unix:///PATH" ;;
    esac
    need_root run "it runs a Docker engine and writes cgroups"
    [ -f "$POLICY" ] || die 66 "no such policy: $POLICY"
    [ -z "$ENGINE" ] || [ -S "${ENGINE#unix://}" ] || die 69 "$ENGINE: no such socket; is Docker running?"
}

# run_leave - undo everything; neither a second Ctrl-C nor a reader that it ended ("| tee log") may
# stop it half way
run_leave() {
    local status=$?
    trap - EXIT
    trap '' INT TERM HUP PIPE
    if [ -n "$DAEMON" ] && kill -TERM "$DAEMON" 2>/dev/null; then
        wait "$DAEMON" 2>/dev/null || true
    fi
    [ -z "$RUN" ] || run_remove "$RUN" "$KEEP"
    give_back
    exit "$status"
}

# run_remove DIR [KEEP]
run_remove() {
    [ ! -d "$1/engine" ] || {
        note "removing the demo stack and its engine"
        # its own session: a Ctrl-C at the terminal reaches it not
        setsid -w "$SUPPORT/engine.sh" stop "$1/engine" || note "something of $1 could not be removed"
    }
    if [ -n "${2:-}" ]; then
        rm -f "$1/owner" "$1/control.sock"
        note "kept: $1"
    else
        rm -rf "$1"
    fi
}

# Runs whose ./dev is gone without a trap: kill -9, a crash of the machine.
run_reap() {
    local dir pid started
    for dir in /var/tmp/plimsoll-run.*; do
        [ -f "$dir/owner" ] || continue
        read -r pid started <"$dir/owner"
        [ "$started" != "$(run_started "$pid")" ] || continue
        note "clearing what an earlier run left in $dir"
        for pid in $(run_daemons "$dir"); do
            kill "$pid" 2>/dev/null || true
        done
        run_remove "$dir"
    done
}

run_started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

run_daemons() {
    local f
    for f in /proc/[0-9]*/cmdline; do
        case $({ tr '\0' ' ' <"$f"; } 2>/dev/null || true) in
        *plimsolld*"--state $1/"*) basename "$(dirname "$f")" ;;
        esac
    done
}

# demo_up SOCKET - the stack, labelled as docker compose would label it
demo_up() {
    local socket=$1
    export DOCKER_HOST=unix://$socket
    docker network create mlstack >/dev/null
    container postgres postgres:debian -e POSTGRES_PASSWORD=changeme -e POSTGRES_DB=mlflow \
        -v mlstack_pgdata:/var/lib/postgresql/data
    container redis redis:debian -v mlstack_redis:/data
    container airflow-webserver apache/airflow:2-standin -p 127.0.0.1:8080:8080
    container ollama ollama/ollama:standin --memory 256m
    container grafana grafana/grafana:standin -p 3000:3000
    container mlflow mlflow/mlflow:standin --cpus 1
    container prometheus prom/prometheus:debian
    # talks all day long, and nobody limited its log
    # shellcheck disable=SC2016 # for the shell inside
    container chatter plimsoll/busybox:1 -- sh -c \
        'i=0; while :; do i=$((i + 1)); echo "line $i of a chatty service"; usleep 20000; done'
    unset DOCKER_HOST
}

# container SERVICE IMAGE [OPTION…] [-- COMMAND…]
container() {
    local service=$1 image=$2 options=()
    shift 2
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    [ $# -eq 0 ] || shift
    docker run -d --name "mlstack-$service-1" --hostname "$service" --network mlstack \
        --network-alias "$service" --restart unless-stopped \
        --label com.docker.compose.project=mlstack --label "com.docker.compose.service=$service" \
        "${options[@]}" "$image" "$@" >/dev/null
}

run_intro() {
    local ctl="'$BUILD/gcc/daemon/plimsollctl' --control $RUN/control.sock" docker
    docker="docker -H unix://$RUN/engine/docker.sock"
    cat <<END

$(printf '%s' "$1")
  policy    $RUN/plimsoll.conf (a copy of ${POLICY#"$ROOT/"}), $RUN/plimsoll.conf.d
  state     $RUN/state

In another terminal, as root:
  ctl="${ctl//\'/}"
  \$ctl status                      what it holds, and to what
  \$ctl events                      what it does, live
  \$ctl reload                      after you have edited the policy
END
    [ -n "$ENGINE" ] || cat <<END
  \$ctl logs mlstack-chatter-1 -n 5  the end of a log, archives and all
  d="$docker"
  \$d update --memory 512m --memory-swap 512m mlstack-postgres-1     take its memory; plimsolld gives it back
  \$d exec mlstack-grafana-1 touch /run/standin/sick                    make a service report that it is ill
  \$d restart mlstack-postgres-1                                        born again, with its limits
END
    printf '\nCtrl-C ends it%s.\n\n' "$([ -n "$ENGINE" ] || printf ' and removes all of this')"
}

run_build() {
    mkdir -p "$LOGS"
    note "building (what the compiler says is in build/log)"
    build_one gcc >"$LOGS/build-gcc.log" 2>&1 || {
        tail -n 40 "$LOGS/build-gcc.log" >&2
        die 70 "the build failed"
    }
}

run_private_engine() {
    "$SUPPORT/images.sh" has "$BUILD/images" ||
        note "making container images from Debian packages (once; about half a minute)"
    "$SUPPORT/images.sh" build "$BUILD/images" >"$LOGS/images.log" 2>&1 || {
        tail -n 20 "$LOGS/images.log" >&2
        die 69 "no images; all that was said is in build/log/images.log"
    }
    note "starting a private Docker engine and the demo stack"
    # an own session: Ctrl-C during the start must not kill half of it
    setsid -w "$SUPPORT/engine.sh" start "$RUN/engine" || die 69 "no engine"
    "$SUPPORT/images.sh" load "$BUILD/images" "$RUN/engine/docker.sock"
    demo_up "$RUN/engine/docker.sock"
}

dev_run() {
    local command=()
    run_options "$@"
    need build
    if [ -z "$ENGINE" ]; then need engine; fi
    trap run_leave EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    trap 'exit 141' PIPE
    run_reap
    run_build
    RUN=$(mktemp -d /var/tmp/plimsoll-run.XXXXXX)
    printf '%s %s\n' $$ "$(run_started $$)" >"$RUN/owner"
    note "everything of this run is in $RUN"
    mkdir "$RUN/plimsoll.conf.d" "$RUN/state" "$RUN/archive"
    cp "$POLICY" "$RUN/plimsoll.conf"
    command=("$BUILD/gcc/daemon/plimsolld" --policy "$RUN/plimsoll.conf" --control "$RUN/control.sock"
        --state "$RUN/state" --archive "$RUN/archive")
    if [ -z "$ENGINE" ]; then
        run_private_engine
        command+=(--engine "unix://$RUN/engine/docker.sock")
        # containers have addresses in there only
        command=(nsenter "--net=$("$SUPPORT/engine.sh" netns "$RUN/engine")" "${command[@]}")
        [ -n "$DRY" ] || printf '[Daemon]\nDryRun=no\n' >"$RUN/plimsoll.conf.d/10-demo.conf"
        run_intro "plimsoll watches a demo stack of 8 containers on a private Docker engine; yours is not touched."
    else
        command+=(--engine "$ENGINE")
        if [ -n "$APPLY" ]; then
            printf '[Daemon]\nDryRun=no\nRestoreOnStop=yes\n' >"$RUN/plimsoll.conf.d/10-apply.conf"
            run_intro "plimsoll APPLIES limits to the containers of $ENGINE; when it ends it puts back what was there."
        else
            DRY=yes
            run_intro "plimsoll looks at $ENGINE and says what it would do; it changes nothing (--apply to do it)."
        fi
    fi
    [ -z "$DRY" ] || command+=(--dry-run)
    # in the background, so that a signal interrupts the wait and not the cleaning up after it; in a
    # session of its own, so that Ctrl-C tells it once, by us: told twice it does not wait for the
    # engine, which may then write a limit over what was given back
    setsid "${command[@]}" &
    DAEMON=$!
    local status=0
    wait "$DAEMON" || status=$?
    DAEMON=''
    exit "$status"
}
