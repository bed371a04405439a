#!/usr/bin/env bats
# ./dev itself: what newcomers and CI type, from odd places and at the worst moments.

load helper

ROOT=$BATS_TEST_DIRNAME/../..

setup() { W=$(mktemp -d /var/tmp/plimsoll-dev.XXXXXX); }
teardown() { rm -rf "$W"; }

# a checkout of its own, without build directories
copy() {
    mkdir -p "$1"
    (cd "$ROOT" && tar -c --exclude=./build --exclude=./.git .) | tar -x -C "$1"
    chmod 755 "$W"
}

@test "--help fits one screen; a wrong command is a usage error" {
    run "$ROOT/dev" --help
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -le 23 ]
    run "$ROOT/dev" nonsense
    [ "$status" -eq 64 ]
    run "$ROOT/dev" test nonsense
    [ "$status" -eq 64 ]
    run "$ROOT/dev" build nonsense
    [ "$status" -eq 64 ]
}

@test "from another directory, a path with spaces, no stdin, no HOME" {
    copy "$W/a check out"
    cd /
    env -u HOME "$W/a check out/dev" lint codespell <&-
    # of all builds the one without tests takes least
    env -u HOME "$W/a check out/dev" build release <&-
    [ -x "$W/a check out/build/release/daemon/plimsolld" ]
    # again: nothing left to do
    "$W/a check out/dev" build release | grep -q 'no work to do'
}

@test "not root: says so, and what to type" {
    copy "$W/c"
    chmod -R a+rX "$W/c"
    for command in run "test integration" "test vm"; do
        # shellcheck disable=SC2086 # words
        run setpriv --reuid 65534 --regid 65534 --clear-groups "$W/c/dev" $command
        echo "$output"
        [ "$status" -eq 77 ]
        [[ "$output" == *"sudo ./dev $command"* ]]
    done
}

@test "missing packages are named when they may not be installed" {
    mkdir "$W/bin"
    printf '#!/bin/sh\nexit 1\n' >"$W/bin/dpkg-query"
    chmod +x "$W/bin/dpkg-query"
    PATH=$W/bin:$PATH PLIMSOLL_APT=no run "$ROOT/dev" build
    echo "$output"
    [ "$status" -eq 69 ]
    [[ "$output" == *meson* ]]
    [[ "$output" == *libcgroup-dev* ]]
}

@test "style: each breach is found" {
    local rows row file line want
    copy "$W/c"
    cd "$W/c"
    rows=(
        'lib/base/map.c|#include <systemd/sd-event.h>|foreign'
        'lib/base/map.c|#include "daemon/base/journal.h"|daemon/'
        'lib/base/map.c|static int x(void) { return open("a", 0); }|no I/O'
        'lib/base/map.c|static long x(void) { return time(NULL); }|no clock|reads no clock'
        'daemon/base/journal.c|#include <libcgroup.h>|one file'
        'daemon/base/journal.c|/* TO''DO later */|unfinished'
        'daemon/base/journal.c|int trailing;   |end of the line'
    )
    for row in "${rows[@]}"; do
        IFS='|' read -r file line want _ <<<"$row"
        cp "$file" "$W/saved"
        printf '%s\n' "$line" >>"$file"
        run tests/style
        echo "$row: $output"
        [ "$status" -ne 0 ]
        [[ "$output" == *"$file:"*"$want"* ]]
        cp "$W/saved" "$file"
    done
    { echo '/* SPDX-License-Identifier: Apache-2.0 */' && echo 'int x(void) {' && yes '        ;' | head -n 70 && echo '}'; } >daemon/long.c
    run tests/style
    echo "$output"
    [[ "$output" == *"daemon/long.c:2: function of 70 lines"* ]]
    rm daemon/long.c
    [[ "$output" == *"daemon/long.c:1: it does not say what it is"* ]]
    echo '/* SPDX-License-Identifier: Apache-2.0 */' >lib/base/untested.c
    run tests/style
    [[ "$output" == *"lib/base/untested.c:1: no unit test includes lib/base/untested.h"* ]]
    rm lib/base/untested.c
    # arrows: up a floor, a circle, a header that joins halves
    cp lib/base/unit.c "$W/saved"
    sed -i '0,/^#include "lib/s,^#include "lib,#include "lib/policy/document.h"\n&,' lib/base/unit.c
    run tests/style
    echo "$output"
    [[ "$output" == *"lib/base/unit.c:"*"lib/base does not know lib/policy/document"* ]]
    [[ "$output" == *"a circle of files: "*"lib/base/unit"* ]]
    cp "$W/saved" lib/base/unit.c
    { echo '/* SPDX-License-Identifier: Apache-2.0 */' && echo 'int pl_x(void);'; } >lib/base/map-internal.h
    run tests/style
    [[ "$output" == *"lib/base/map-internal.h:1: halves"* ]]
}

@test "totals: passed, failed, skipped, and a runner that ended early" {
    local tally=$SUPPORT/tally.py
    printf '1..3\nok 1 a\nnot ok 2 b\nok 3 c # skip no disk\n' >"$W/tap"
    [ "$(python3 "$tally" tap "$W/tap" | head -n 1)" = "1 1 1" ]
    printf '1..3\nok 1 a\n' >"$W/tap"
    [ "$(python3 "$tally" tap "$W/tap" | head -n 1)" = "1 1 0" ]
    : >"$W/tap"
    [ "$(python3 "$tally" tap "$W/tap" | head -n 1)" = "0 1 0" ]
    printf '%s\n' '{"name":"x","result":"OK","stdout":"100%: Checks: 7, Failures: 0, Errors: 0\n"}' \
        '{"name":"y","result":"FAIL","stdout":"50%: Checks: 4, Failures: 1, Errors: 1\n"}' \
        '{"name":"z","result":"TIMEOUT"}' >"$W/log"
    [ "$(python3 "$tally" meson "$W/log" | head -n 1)" = "9 3 0" ]
    printf '%s\n' '{"name":"x","result":"OK","stdout":"# skip a: no disk\n# skip b: no root\n100%: Checks: 7, Failures: 0, Errors: 0\n"}' \
        '{"name":"y","result":"FAIL","stdout":"# skip c: no disk\n50%: Checks: 4, Failures: 1, Errors: 1\n"}' \
        '{"name":"z","result":"SKIP"}' >"$W/log"
    [ "$(python3 "$tally" meson "$W/log" | head -n 1)" = "6 2 4" ]
}
