#!/usr/bin/env bash
# A newer engine than this release has, out of Debian's newest suite, for what engines changed with 23.
# Nothing of it is installed: its /usr is put over the host's, for its own processes alone.
#   engine-newest.sh build CACHE    a root below CACHE, made once per content of this file
#   engine-newest.sh path CACHE     a directory with dockerd and docker in it, to stand first in PATH
set -euo pipefail

here=$(cd -P "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/support/debian.sh
. "$here/debian.sh"

newest_die() {
    echo "engine-newest.sh: $*" >&2
    return 1
}

newest_key() { cat "$here"/{engine-newest,debian}.sh | cksum | cut -d' ' -f1; }

newest_complete() { [ -f "$1/$(newest_key)/complete" ]; }

# newest_wrapper ROOT PROGRAM - in a mount namespace: mounts of the host's still come in, none goes out
newest_wrapper() {
    cat <<END
#!/bin/sh
exec unshare --mount --propagation slave \\
    sh -c 'mount --bind "\$0/usr" /usr && exec /$2 "\$@"' '$1' "\$@"
END
}

newest_build() {
    local cache work root program
    mkdir -p "$1"
    cache=$(cd "$1" && pwd)
    ! newest_complete "$cache" || return 0
    command -v mmdebstrap >/dev/null || newest_die "mmdebstrap is missing" || return
    [ "$(id -u)" = 0 ] || newest_die "only root can unpack it" || return
    # the layout in which one mount is enough
    [ -L /bin ] && [ -L /lib ] || newest_die "this host's /usr is not merged" || return
    # not below the checkout: the path may have spaces, which mmdebstrap does not take
    work=$(mktemp -d /var/tmp/plimsoll-newest.XXXXXX)
    # shellcheck disable=SC2064 # this very directory
    trap "rm -rf '$work'" EXIT
    trap 'exit 130' INT TERM HUP
    debian_unpack unstable "$work/root" docker.io docker-cli docker-compose
    rm -rf "${cache:?}"/*
    root=$cache/$(newest_key)
    mkdir -p "$root/bin"
    mv "$work/root/usr" "$root/usr"
    for program in usr/sbin/dockerd usr/bin/docker; do
        newest_wrapper "$root" $program >"$root/bin/${program##*/}"
        chmod +x "$root/bin/${program##*/}"
    done
    : >"$root/complete"
}

newest_path() {
    newest_complete "$1" || newest_die "not built yet" || return
    printf '%s/%s/bin\n' "$(cd "$1" && pwd)" "$(newest_key)"
}

case ${1:-} in
build | path)
    [ $# -eq 2 ] || newest_die "$1: which directory?" || exit 2
    "newest_$1" "$2"
    ;;
*)
    echo "usage: engine-newest.sh build|path CACHE" >&2
    exit 2
    ;;
esac
