#!/usr/bin/env bash
# Small file systems in files, for tests that must see ext4, XFS and btrfs. Sourced or run:
#   mounts.sh make ext4|xfs|btrfs|tmpfs DIR [MiB]   mounted at DIR; its image stands beside it
#   mounts.sh remove DIR…                           ends what make began
set -euo pipefail

mounts_make() {
    local type=$1 dir=$2 mib=${3:-400}
    mkdir -p "$dir"
    case $type in
    tmpfs)
        mount -t tmpfs -o "size=${mib}m" plimsoll-test "$dir"
        return
        ;;
    ext4) truncate -s "${mib}M" "$dir.img" && mkfs.ext4 -q -m 0 "$dir.img" ;;
    xfs) truncate -s "${mib}M" "$dir.img" && mkfs.xfs -q -m reflink=1 "$dir.img" ;;
    btrfs) truncate -s "${mib}M" "$dir.img" && mkfs.btrfs -q "$dir.img" >/dev/null 2>&1 ;;
    *)
        echo "mounts.sh: no such file system: $type" >&2
        return 2
        ;;
    esac
    mount -o loop "$dir.img" "$dir"
}

mounts_remove() {
    local dir
    for dir; do
        umount "$dir" 2>/dev/null || true
        rm -f "$dir.img"
        rmdir "$dir" 2>/dev/null || true
    done
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    case ${1:-} in
    make | remove)
        cmd=mounts_$1
        shift
        "$cmd" "$@"
        ;;
    *)
        echo "usage: mounts.sh make ext4|xfs|btrfs|tmpfs DIR [MiB] | remove DIR…" >&2
        exit 2
        ;;
    esac
fi
