# shellcheck shell=bash
# What all of ./dev shares: messages, root, and the packages that a task needs.
# Sourced with ROOT (the checkout) and SUPPORT (this folder) set. Defines functions; does nothing.

export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
export HOME=${HOME:-/root}
# sbin is where dockerd and ip are, and not in everyone's PATH
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
BUILD=$ROOT/build
LOGS=$BUILD/log

say() { printf '%s\n' "$*"; }
# a terminal that went away must not stop the cleaning up
note() { printf 'dev: %s\n' "$*" >&2 || true; }

# die STATUS MESSAGE…
die() {
    local status=$1
    shift
    note "$*"
    exit "$status"
}

have() { command -v "$1" >/dev/null 2>&1; }

need_root() {
    [ "$(id -u)" = 0 ] || die 77 "\"./dev $1\" needs root ($2): run  sudo ./dev $1"
}

# What is built by root through sudo belongs to the person afterwards.
give_back() {
    if [ "$(id -u)" = 0 ] && [ -n "${SUDO_UID:-}" ] && [ "$SUDO_UID" != 0 ] && [ -d "$BUILD" ]; then
        chown -Rh "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$BUILD" 2>/dev/null || true
    fi
}

# Debian packages by task. "a|b": the first that this release has; "?a": only if it has it.
packages_of() {
    case $1 in
    build)
        echo "gcc libc6-dev meson ninja-build pkg-config libsystemd-dev" \
            "libcurl4-openssl-dev|libcurl4-gnutls-dev libjansson-dev libcgroup-dev libinih-dev" \
            "libmicrohttpd-dev libpcre2-dev libssl-dev libzstd-dev check"
        ;;
    clang) echo "clang ?libclang-rt-dev" ;;
    lint) echo "?clang-format-14 shellcheck codespell mandoc" ;;
    engine) echo "iproute2 util-linux procps busybox-static mmdebstrap ca-certificates $(packages_of_docker)" ;;
    python) echo "python3" ;;
    integration)
        echo "bats jq curl openssl python3 valgrind zstd xfsprogs btrfs-progs"
        ;;
    bench) echo "python3 zstd logrotate xfsprogs btrfs-progs" ;;
    deb) echo "debhelper dpkg-dev fakeroot ?systemd-dev" ;;
    vm) echo "qemu-system-x86 qemu-utils mmdebstrap e2fsprogs python3 cpio xz-utils debian-archive-keyring" ;;
    esac
}

# Whoever has Docker's own packages keeps them: they conflict with Debian's.
packages_of_docker() {
    have dockerd || echo "docker.io"
    have docker || echo "?docker-cli"
}

installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
available() { apt-cache show --no-all-versions "$1" >/dev/null 2>&1; }

# missing_of SPEC… - packages to install; an optional or alternative one that is there counts.
missing_of() {
    local spec name found
    for spec in "$@"; do
        found=
        for name in ${spec//[|?]/ }; do
            ! installed "$name" || found=yes
        done
        [ -n "$found" ] || printf '%s\n' "$spec"
    done
}

# Resolves what missing_of printed against this release's package lists.
resolve() {
    local spec name found
    for spec in "$@"; do
        found=
        for name in ${spec//[|?]/ }; do
            if available "$name"; then
                printf '%s\n' "$name"
                found=yes
                break
            fi
        done
        [ -n "$found" ] || [ "${spec#\?}" != "$spec" ] || printf '!%s\n' "$spec"
    done
}

# need TASK… - install what the tasks need and this machine lacks
need() {
    local task specs=() missing=() names=() lost=()
    for task in "$@"; do
        read -ra specs <<<"${specs[*]} $(packages_of "$task" | tr '\n' ' ')"
    done
    if ! have dpkg-query; then
        note "no dpkg here: going on in the hope that these are installed: ${specs[*]}"
        return 0
    fi
    mapfile -t missing < <(missing_of "${specs[@]}")
    # optional ones that this release lacks must not cause an apt run each time
    if [ -f "$BUILD/.lacking" ]; then
        mapfile -t missing < <(printf '%s\n' "${missing[@]}" | grep -vxF -f "$BUILD/.lacking" || true)
    fi
    [ -n "${missing[*]}" ] || return 0
    [ "${PLIMSOLL_APT:-yes}" != no ] || die 69 "missing packages (PLIMSOLL_APT=no): ${missing[*]}"
    have apt-get || die 69 "missing, and there is no apt-get to install them: ${missing[*]}"
    [ "$(id -u)" = 0 ] || die 77 "missing packages: ${missing[*]//[|?]/ } - install them with: sudo apt-get install ${missing[*]//[|?]/ }"
    mkdir -p "$LOGS"
    note "updating the package lists (apt-get update)"
    apt_get update || note "apt-get update failed (see $LOGS/apt.log); trying with the old lists"
    mapfile -t names < <(resolve "${missing[@]}")
    mapfile -t lost < <(printf '%s\n' "${names[@]}" | sed -n 's/^!//p')
    [ -z "${lost[*]}" ] || die 69 "this release does not have: ${lost[*]}"
    printf '%s\n' "${missing[@]}" | grep '^?' >"$BUILD/.lacking" || true
    [ -n "${names[*]}" ] || return 0
    note "installing with apt-get: ${names[*]}"
    case " ${names[*]} " in *" docker.io "*)
        note "docker.io brings services of the whole system: they are not started now, and the tests use an" \
            "engine of their own; disable docker and containerd if you do not want them at boot"
        ;;
    esac
    apt_install_quietly "${names[@]}" || {
        tail -n 20 "$LOGS/apt.log" >&2
        die 69 "apt-get install failed; all it said is in $LOGS/apt.log"
    }
}

# Databases and engines are wanted as programs: nothing is started while they are installed
# (policy-rc.d, as Debian's containers have it; 101 means "action not allowed").
apt_install_quietly() {
    local policy=/usr/sbin/policy-rc.d made='' status=0
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && made=yes
    fi
    apt_get install -y --no-install-recommends "$@" || status=$?
    [ -z "$made" ] || rm -f "$policy"
    return "$status"
}

apt_get() { apt-get -q -o DPkg::Lock::Timeout=300 "$@" >>"$LOGS/apt.log" 2>&1; }

# jobs - how many compilers at once: every CPU, with at least 512 MiB for each
jobs() {
    local cpus mem
    cpus=$(nproc)
    mem=$(($(sed -n 's/^MemAvailable: *\([0-9]*\).*/\1/p' /proc/meminfo) / 524288))
    [ "$mem" -ge 1 ] || mem=1
    echo $((cpus < mem ? cpus : mem))
}
