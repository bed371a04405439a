#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2154 # bats runs each test in a shell of its own
# What is taken is given back: a table of every resource, with and without a limit of the container's
# own, in each way out. The same on the newest engine: giveback-newest.bats.

load helper
load giveback

setup_file() { table_setup_file; }
teardown_file() { engine_end; }
setup() { begin; }
teardown() { end; }

@test "every resource, with and without own limits, is given back to the bit in each way out" { every_way_out; }
