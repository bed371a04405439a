#!/usr/bin/env bash
# A private Docker engine: own network namespace, data, exec root, socket and cgroup parent, so
# that nothing of the host's own engine is touched. Sourced or run:
#   engine.sh start DIR [DOCKERD-OPTION…]   a new engine; its socket is DIR/docker.sock
#   engine.sh stop DIR                      ends it; leaves no process, mount, namespace or cgroup
#   engine.sh down DIR | kill DIR           dockerd ends in good order | dies (kill -9); data stays
#   engine.sh up DIR                        dockerd again, as it was started
#   engine.sh freeze DIR | thaw DIR         dockerd hangs: its socket accepts, nobody answers
#   engine.sh netns DIR                     the namespace's path: containers are reachable in there
#   engine.sh cgroup DIR                    the cgroup parent as the kernel shows it
# Everything that belongs to an engine carries DIR or the name derived from it, so a run that was
# killed half way is cleaned up by "stop", and by the next "start" in the same place.
set -euo pipefail

engine_die() {
    echo "engine.sh: $*" >&2
    return 1
}

engine_name() { printf 'plimsoll-%s' "$(printf '%s' "$1" | cksum | cut -d' ' -f1)"; }

# The driver that dockerd would choose: systemd where it runs on the unified hierarchy.
engine_driver() {
    local option
    for option in "$@"; do
        case $option in *native.cgroupdriver=*) printf '%s' "${option##*=}" && return ;; esac
    done
    if [ -d /run/systemd/system ] && [ -f /sys/fs/cgroup/cgroup.controllers ]; then
        printf systemd
    else
        printf cgroupfs
    fi
}

# engine_parent DIR [DOCKERD-OPTION…] - for --cgroup-parent
engine_parent() {
    local name
    name=$(engine_name "$1")
    shift
    case $(engine_driver "$@") in
    systemd) printf '%s.slice' "${name//-/}" ;; # a dash would nest it in another slice
    *) printf '/%s' "$name" ;;
    esac
}

engine_check() {
    local dir=$1 tool
    for tool in dockerd docker containerd ip nsenter setsid; do
        command -v "$tool" >/dev/null ||
            engine_die "$tool is missing (Debian: docker.io, docker-cli, containerd, iproute2, util-linux)" || return
    done
    [ "$(id -u)" = 0 ] || engine_die "only root can run an engine" || return
    # containerd adds 30 characters; the kernel's limit for a socket is 107
    [ ${#dir} -le 70 ] || engine_die "path too long for a socket: $dir" || return
    grep -q '[[:space:]]cgroup2\?$\|cgroup' /proc/filesystems || engine_die "this kernel has no cgroups" || return
    [ -n "$(find /sys/fs/cgroup -maxdepth 1 -mindepth 1 -print -quit 2>/dev/null)" ] ||
        engine_die "no cgroups at /sys/fs/cgroup: an engine needs them, writable" || return
}

# engine_up DIR - start dockerd in an existing namespace and wait until it answers
engine_up() {
    local dir ns options=() pid _
    dir=$(cd "$1" && pwd)
    ns=$(engine_name "$dir")
    mapfile -t options <"$dir/options"
    rm -f "$dir/docker.pid"
    # dockerd takes a zombie for a living containerd, and waits for it
    pid=$(cat "$dir/exec/containerd/containerd.pid" 2>/dev/null || true)
    [ -z "$pid" ] || engine_alive "$pid" || rm -f "$dir/exec/containerd/containerd.pid"
    # Not `ip netns exec`: it mounts a new /sys, which hides the cgroup hierarchies. Own session: a
    # Ctrl-C is for the caller, who then ends the engine in good order. containerd is dockerd's
    # child, below exec-root. No descriptor of the caller's (a lock, bats's pipe) may leak into it.
    (
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            [ "$fd" -le 2 ] || [ "$fd" = 255 ] || eval "exec $fd>&-"
        done
        exec setsid nsenter --net="/run/netns/$ns" dockerd --config-file "$dir/daemon.json" \
            --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/docker.pid" \
            -H "unix://$dir/docker.sock" --group root --iptables=false --ip6tables=false \
            --cgroup-parent "$(engine_parent "$dir" "${options[@]}")" "${options[@]}"
    ) </dev/null >>"$dir/dockerd.log" 2>&1 &
    pid=$!
    for _ in $(seq 300); do
        docker -H "unix://$dir/docker.sock" version >/dev/null 2>&1 && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    echo "engine.sh: dockerd did not come up; the end of $dir/dockerd.log:" >&2
    tail -n 20 "$dir/dockerd.log" >&2
    return 1
}

engine_start() {
    local dir=$1 ns
    shift
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    engine_check "$dir" || return
    ns=$(engine_name "$dir")
    if [ -e "/run/netns/$ns" ] || [ -e "$dir/docker.pid" ]; then
        engine_stop "$dir" # left by a run that was killed
        mkdir -p "$dir"
    fi
    if ! ip netns add "$ns"; then
        engine_die "no network namespace: this needs CAP_SYS_ADMIN, and is refused in an unprivileged container"
        return
    fi
    ip -n "$ns" link set lo up
    printf '{}\n' >"$dir/daemon.json"
    printf '%s\n' "$@" >"$dir/options"
    [ $# -gt 0 ] || : >"$dir/options"
    engine_up "$dir"
}

# engine_pids DIR - every process of this engine: its paths stand in their command lines
engine_pids() {
    local dir=$1 f
    # one look at all processes first: a fork for each takes seconds on a busy machine
    for f in $(grep -lasF "$dir/exec" /proc/[0-9]*/cmdline); do
        case $({ tr '\0' ' ' <"$f"; } 2>/dev/null || true) in
        *"dockerd "*"$dir/exec"* | *"containerd"*"$dir/exec/"* | *"docker-proxy"*"$dir/exec/"*)
            f=${f#/proc/}
            printf '%s\n' "${f%/cmdline}"
            ;;
        esac
    done
}

# engine_pid DIR - dockerd's
engine_pid() {
    local pid
    pid=$(cat "$1/docker.pid" 2>/dev/null) || return 1
    grep -qF "$1/exec" "/proc/$pid/cmdline" 2>/dev/null && printf '%s' "$pid"
}

# a zombie that nobody reaps (no init in a container) is not alive
engine_alive() { grep -qs '^State:[[:space:]][^ZX]' "/proc/$1/status"; }

engine_wait_gone() { # PID TENTHS
    local _
    for _ in $(seq "$2"); do
        engine_alive "$1" || return 0
        sleep 0.1
    done
    return 1
}

# engine_end_all PID… - kill -9 at once, then wait for all of them together, five seconds at most
engine_end_all() {
    local pid _
    [ $# -gt 0 ] || return 0
    for pid in "$@"; do kill -9 "$pid" 2>/dev/null || true; done
    for _ in $(seq 100); do
        while [ $# -gt 0 ] && ! engine_alive "$1"; do shift; done
        [ $# -gt 0 ] || return 0
        sleep 0.05
    done
}

engine_down() {
    local dir pid
    dir=$(cd "$1" && pwd)
    pid=$(engine_pid "$dir") || return 0
    kill "$pid" 2>/dev/null || true
    engine_wait_gone "$pid" 300
}

engine_kill() {
    local dir pid daemon
    dir=$(cd "$1" && pwd)
    pid=$(engine_pid "$dir") || return 0
    daemon=$(cat "$dir/exec/containerd/containerd.pid" 2>/dev/null || true)
    kill -9 "$pid" 2>/dev/null || true
    engine_wait_gone "$pid" 100
    # it is told to die with its parent
    [ -z "$daemon" ] || engine_wait_gone "$daemon" 100
}

engine_freeze() {
    local dir pid
    dir=$(cd "$1" && pwd)
    pid=$(engine_pid "$dir") || engine_die "no engine runs in $dir" || return
    kill -STOP "$pid"
}

engine_thaw() {
    local dir pid
    dir=$(cd "$1" && pwd)
    pid=$(engine_pid "$dir") || return 0
    kill -CONT "$pid"
}

# engine_cgroups DIR - the parent's directories, in all hierarchies
engine_cgroups() {
    local name
    name=$(engine_name "$1")
    find /sys/fs/cgroup -maxdepth 3 -type d \( -name "$name" -o -name "${name//-/}.slice" \) 2>/dev/null
}

engine_cgroup() {
    local dir options=()
    dir=$(cd "$1" && pwd)
    mapfile -t options <"$dir/options"
    engine_parent "$dir" "${options[@]}"
}

engine_netns() { printf '/run/netns/%s\n' "$(engine_name "$(cd "$1" && pwd)")"; }

engine_stop() {
    local dir ns group pids=() _
    [ -d "$1" ] || return 0
    dir=$(cd "$1" && pwd)
    ns=$(engine_name "$dir")
    # Nothing of its data is wanted any more, so it need not shut down in good order. This also finds
    # a dockerd without a pid file yet, and shims and containerd of one that was killed.
    for _ in 1 2 3; do
        mapfile -t pids < <(engine_pids "$dir")
        [ ${#pids[@]} -gt 0 ] || break
        engine_end_all "${pids[@]}"
    done
    # containers that outlived their shim; a frozen one dies only when thawed
    for group in $(engine_cgroups "$dir"); do
        find "$group" -depth \( -name freezer.state -exec sh -c 'echo THAWED >"$1"' _ {} \; -o \
            -name cgroup.freeze -exec sh -c 'echo 0 >"$1"' _ {} \; \) 2>/dev/null || true
    done
    mapfile -t pids < <(for group in $(engine_cgroups "$dir"); do
        find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null || true
    done | sort -u)
    engine_end_all "${pids[@]}"
    # overlays, shm and namespace handles that are still mounted below it
    awk -v d="$dir/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r m; do
        umount -l "$m" 2>/dev/null || true
    done
    ip netns del "$ns" 2>/dev/null || true
    for group in $(engine_cgroups "$dir"); do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
    # many at once: each of some thousand files waits for the disk
    find "$dir" -mindepth 3 -maxdepth 3 -print0 2>/dev/null |
        xargs -0 -r -P 16 -n 2 rm -rf 2>/dev/null || true
    rm -rf "$dir"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    case ${1:-} in
    start | stop | up | down | kill | freeze | thaw | netns | cgroup)
        [ $# -ge 2 ] || engine_die "$1: which directory?" || exit 2
        cmd=engine_$1
        shift
        "$cmd" "$@"
        ;;
    *)
        echo "usage: engine.sh start DIR [DOCKERD-OPTION…] | stop|up|down|kill|freeze|thaw|netns|cgroup DIR" >&2
        exit 2
        ;;
    esac
fi
