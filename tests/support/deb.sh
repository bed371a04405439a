#!/usr/bin/env bash
# ./dev deb: a Debian package, by debhelper, from the templates in systemd/debian. Everything goes
# on below build/deb; the source tree stays as it is. Also run by itself:
#   deb.sh stage DIR   only the source package's tree, for a build elsewhere (tests/vm)

deb_version() { sed -n "s/^ *version : '\([^']*\)'.*/\1/p" "$ROOT/meson.build" | head -n 1; }

# deb_date - seconds; of the sources, not of the build: the same sources make the same package
deb_date() {
    git -C "$ROOT" log -1 --format=%ct 2>/dev/null ||
        find "$ROOT" -path "$ROOT/build" -prune -o -type f -printf '%Ts\n' | sort -n | tail -n 1
}

# deb_stage DIR - the sources, with debian/ in the place where dpkg-buildpackage wants it
deb_stage() {
    local dir=$1
    rm -rf "$dir"
    mkdir -p "$dir"
    tar -C "$ROOT" --exclude='./build*' --exclude=./.git -c . | tar -C "$dir" --no-same-owner -x
    cp -r "$ROOT/systemd/debian" "$dir/debian"
    chmod 755 "$dir/debian/rules" "$dir/debian/sbom" "$dir/debian/tests/installed"
    mkdir -p "$dir/debian/source"
    echo '3.0 (native)' >"$dir/debian/source/format"
    # one entry: what has changed is told by NEWS.md
    cat >"$dir/debian/changelog" <<END
plimsoll (${PLIMSOLL_DEB_VERSION:-$(deb_version)}) unstable; urgency=medium

  * See NEWS.md.

 -- $(sed -n 's/^Maintainer: //p' "$dir/debian/control")  $(date -Ru -d "@${SOURCE_DATE_EPOCH:-$(deb_date)}")
END
    # dpkg takes times that are later than the changelog's for its own, and keeps older ones: those of
    # the checkout, which differ
    find "$dir" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-$(deb_date)}" {} +
}

# deb_build DIR - the package from the sources there; what is said goes to stdout
deb_build() {
    (cd "$1" && DEB_BUILD_OPTIONS="nocheck noautodbgsym parallel=$(jobs)" dpkg-buildpackage -b -d -us -uc)
}

# deb_twice - TAP on stdout: the same sources make the same package, wherever, whenever and for whom
deb_twice() {
    local dir=$BUILD/deb-twice version n=0 bad=0 file
    version=$(deb_version)
    rm -rf "$dir"
    SOURCE_DATE_EPOCH=$(deb_date)
    export SOURCE_DATE_EPOCH
    deb_stage "$dir/a/plimsoll-$version"
    (umask 027 && deb_stage "$dir/in-a-longer-path/plimsoll-$version")
    (export TZ=UTC LC_ALL=C && deb_build "$dir/a/plimsoll-$version") >"$LOGS/deb-a.log" 2>&1 || bad=1
    (export TZ=Asia/Tokyo LC_ALL=C.UTF-8 && umask 022 && deb_build "$dir/in-a-longer-path/plimsoll-$version") \
        >"$LOGS/deb-b.log" 2>&1 || bad=1
    for file in "$dir"/a/*.deb; do
        n=$((n + 1))
        if cmp "$file" "$dir/in-a-longer-path/${file##*/}" >&2; then
            echo "ok $n ${file##*/} $(sha256sum <"$file" | cut -d' ' -f1)"
        else
            echo "not ok $n ${file##*/} is another one in another place"
            bad=1
        fi
    done
    echo "1..$n"
    rm -rf "$dir"
    return $bad
}

dev_deb() {
    local dir=$BUILD/deb version log=$LOGS/deb.log file
    need build deb
    version=$(deb_version)
    mkdir -p "$LOGS"
    rm -rf "$dir"
    deb_stage "$dir/plimsoll-$version"
    if ! deb_build "$dir/plimsoll-$version" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        die 1 "the package was not built; all that was said is in $log"
    fi
    for file in "$dir"/*.deb; do
        # as a person who installs it would see it
        dpkg-deb --info "$file" | sed -n '/^ Package:/,$p'
        dpkg-deb --contents "$file" | awk '$1 !~ /^d/ { print "  " $1, $6, $7, $8 }'
        say "built ${file#"$ROOT"/}:  sudo apt-get install ./${file#"$ROOT"/}"
    done
    give_back
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -euo pipefail
    ROOT=$(cd -P "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
    case ${1:-} in
    stage) deb_stage "${2:?usage: deb.sh stage DIR}" ;;
    *)
        echo "usage: deb.sh stage DIR" >&2
        exit 2
        ;;
    esac
fi
