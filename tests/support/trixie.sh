#!/usr/bin/env bash
# What only Debian 13 and later have: docker compose 2, and Valkey. Nothing of it is installed.
#   trixie.sh build CACHE           made once per content of this file
#   trixie.sh compose CACHE         a directory for DOCKER_CONFIG, with which "docker compose" works
#   trixie.sh valkey CACHE SOCKET   its image into an engine, as valkey/valkey:debian
set -euo pipefail

here=$(cd -P "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/support/debian.sh
. "$here/debian.sh"

trixie_die() {
    echo "trixie.sh: $*" >&2
    return 1
}

trixie_key() { cat "$here"/{trixie,debian}.sh | cksum | cut -d' ' -f1; }

# trixie_valkey_tree ROOT DIR - the server, its client, and the libraries that its own loader says it needs
trixie_valkey_tree() {
    local root=$1 dir=$2 loader libs file
    loader=$(find -L "$root/usr/lib"* -maxdepth 3 -name 'ld-linux*.so.*' -print -quit)
    libs=$(find "$root/usr/lib" -name 'lib*.so.*' -printf '%h\n' | sort -u | paste -sd:)
    mkdir -p "$dir"/{usr/bin,usr/lib,lib64,data,etc,tmp,proc,sys,dev}
    ln -s usr/bin "$dir/bin"
    ln -s usr/lib "$dir/lib"
    printf 'service:x:70:70::/tmp:/bin/sh\n' >"$dir/etc/passwd"
    chown 70:70 "$dir/data"
    cp "$(command -v busybox)" "$dir/usr/bin/sh"
    cp -L "$loader" "$dir/lib64/"
    for file in server cli; do
        cp -L "$root/usr/bin/valkey-$file" "$dir/usr/bin/"
        "$loader" --library-path "$libs" --list "$root/usr/bin/valkey-$file" |
            awk -v r="$root/" '{ for (i = 1; i <= NF; i++) if (index($i, r) == 1) print $i }' |
            xargs -I{} cp -nL {} "$dir/usr/lib/"
    done
}

trixie_build() {
    local cache work root out
    mkdir -p "$1"
    cache=$(cd "$1" && pwd)
    exec 9>"$cache/.lock" # tests that run side by side
    flock 9
    [ ! -f "$cache/$(trixie_key)/complete" ] || return 0
    command -v mmdebstrap >/dev/null || trixie_die "mmdebstrap is missing" || return
    [ "$(id -u)" = 0 ] || trixie_die "only root can unpack it" || return
    # not below the checkout: the path may have spaces, which mmdebstrap does not take
    work=$(mktemp -d /var/tmp/plimsoll-trixie.XXXXXX)
    # shellcheck disable=SC2064 # this very directory
    trap "rm -rf '$work'" EXIT
    trap 'exit 130' INT TERM HUP
    root=$work/root out=$work/out
    # a mirror may refuse for a moment
    debian_unpack trixie "$root" docker-compose valkey-server ||
        { rm -rf "$root" && sleep 5 && debian_unpack trixie "$root" docker-compose valkey-server; }
    mkdir -p "$out/docker/cli-plugins"
    # it needs the C library alone, and not the newest
    cp -L "$root/usr/libexec/docker/cli-plugins/docker-compose" "$out/docker/cli-plugins/"
    DOCKER_CONFIG=$out/docker docker compose version
    trixie_valkey_tree "$root" "$work/valkey"
    tar -C "$work/valkey" -cf "$out/valkey.tar" .
    : >"$out/complete"
    find "$cache" -mindepth 1 -maxdepth 1 ! -name .lock -exec rm -rf {} + # of other contents
    mv "$out" "$cache/$(trixie_key)"
}

# trixie_path CACHE
trixie_path() {
    [ -f "$1/$(trixie_key)/complete" ] || trixie_die "nothing built in $1" || return
    printf '%s/%s\n' "$(cd "$1" && pwd)" "$(trixie_key)"
}

trixie_compose() { printf '%s/docker\n' "$(trixie_path "$1")"; }

trixie_valkey() {
    docker -H "unix://$2" import --change 'ENV PATH=/usr/bin' --change 'USER 70' --change 'WORKDIR /data' \
        --change 'EXPOSE 6379' --change 'CMD ["valkey-server", "--protected-mode", "no"]' \
        "$(trixie_path "$1")/valkey.tar" valkey/valkey:debian >/dev/null
}

case ${1:-} in
build | compose | valkey)
    [ $# -ge 2 ] || trixie_die "$1: which cache?" || exit 2
    cmd=trixie_$1
    shift
    "$cmd" "$@"
    ;;
*)
    echo "usage: trixie.sh build|compose CACHE | valkey CACHE SOCKET" >&2
    exit 2
    ;;
esac
