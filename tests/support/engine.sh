#!/usr/bin/env bash
# A private Docker engine: own network namespace, data, exec root, socket and cgroup parent, so
# that nothing of the host's own engine is touched. Sourced or run:
#   engine.sh start DIR [DOCKERD-OPTION…]   socket at DIR/docker.sock
#   engine.sh stop DIR                      ends it; leaves no process, mount, namespace or cgroup
set -euo pipefail

engine_name() { printf 'plimsoll-%s' "$(printf '%s' "$1" | cksum | cut -d' ' -f1)"; }

engine_start() {
    local dir=$1 ns
    shift
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    ns=$(engine_name "$dir")
    ip netns add "$ns"
    ip -n "$ns" link set lo up
    printf '{}\n' >"$dir/daemon.json"
    # containerd is started by dockerd itself, below exec-root
    # not `ip netns exec`: it mounts a new /sys, which hides the cgroup hierarchies
    nsenter --net="/run/netns/$ns" dockerd --config-file "$dir/daemon.json" --data-root "$dir/data" \
        --exec-root "$dir/exec" --pidfile "$dir/docker.pid" -H "unix://$dir/docker.sock" \
        --cgroup-parent "/$ns" --group root --iptables=false --ip6tables=false \
        "$@" </dev/null >"$dir/dockerd.log" 2>&1 &
    local _
    for _ in $(seq 100); do
        docker -H "unix://$dir/docker.sock" version >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    echo "engine.sh: dockerd did not come up; the end of $dir/dockerd.log:" >&2
    tail -n 20 "$dir/dockerd.log" >&2
    return 1
}

engine_stop() {
    local dir=$1 ns pid _
    dir=$(cd "$dir" && pwd)
    ns=$(engine_name "$dir")
    if [ -S "$dir/docker.sock" ]; then
        # shellcheck disable=SC2046
        docker -H "unix://$dir/docker.sock" rm -f $(docker -H "unix://$dir/docker.sock" ps -aq) \
            >/dev/null 2>&1 || true
    fi
    if [ -f "$dir/docker.pid" ]; then
        pid=$(cat "$dir/docker.pid")
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 100); do
            [ -d "/proc/$pid" ] || break
            sleep 0.1
        done
    fi
    # netns handles that dockerd leaves mounted below exec-root
    awk -v d="$dir/" 'index($2, d) == 1 { print $2 }' /proc/mounts | sort -r | while read -r m; do
        umount "$m" 2>/dev/null || true
    done
    ip netns del "$ns" 2>/dev/null || true
    find /sys/fs/cgroup -maxdepth 3 -type d -name "$ns" 2>/dev/null | while read -r g; do
        find "$g" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
    rm -rf "$dir"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    case ${1:-} in
    start | stop)
        cmd=engine_$1
        shift
        "$cmd" "$@"
        ;;
    *)
        echo "usage: engine.sh start DIR [DOCKERD-OPTION…] | stop DIR" >&2
        exit 2
        ;;
    esac
fi
