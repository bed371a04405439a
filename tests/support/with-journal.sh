#!/usr/bin/env bash
# with-journal.sh COMMAND… - with a journald of its own, in a mount namespace: what is started in there
# finds it where the host's would be
set -euo pipefail

if [ "${1:-}" != --inside ]; then
    exec unshare --mount --propagation private "$0" --inside "$@"
fi
shift
for dir in /run/systemd /run/log; do
    mkdir -p "$dir"
    mount -t tmpfs plimsoll-test "$dir"
done
mkdir -p /run/systemd/journal /run/log/journal
/usr/lib/systemd/systemd-journald >/dev/null 2>&1 3>&- 4>&- &
journald=$!
for _ in $(seq 200); do
    [ ! -S /run/systemd/journal/socket ] || break
    sleep 0.05
done
status=0
"$@" || status=$?
kill "$journald"
exit "$status"
