#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # bats runs each test in a shell of its own
# The table of giveback.bats on an engine out of Debian's newest suite.

load helper
load giveback

setup_file() {
    newest_engine
    table_setup_file
}
teardown_file() { engine_end; }
setup() { begin; }
teardown() { end; }

@test "the newest engine, too, gives back every resource to the bit in each way out" {
    docker version -f '{{.Server.Version}}' | tee "$T/version"
    [ "$(cut -d. -f1 "$T/version")" -ge 28 ]
    every_way_out
}
