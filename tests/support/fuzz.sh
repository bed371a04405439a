# shellcheck shell=bash
# ./dev fuzz: let libFuzzer work on each harness of tests/fuzz, starting from its corpus. What it
# finds is kept in build/fuzz/found and becomes a corpus file with the fix.

# shellcheck source=tests/support/build.sh
. "$SUPPORT/build.sh"

# fuzz_each SECONDS - TAP on stdout
fuzz_each() {
    local seconds=$1 harness name n=0 bad=0
    build_one fuzz | sed 's/^/# /' || return 1
    mkdir -p "$BUILD/fuzz/found"
    for harness in "$BUILD"/fuzz/tests/fuzz/fuzz-*; do
        if [ ! -f "$harness" ] || [ ! -x "$harness" ]; then continue; fi
        name=${harness##*/fuzz-}
        n=$((n + 1))
        mkdir -p "$BUILD/fuzz/seeds/$name"
        if "$harness" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -close_fd_mask=1 \
            -artifact_prefix="$BUILD/fuzz/found/$name-" "$BUILD/fuzz/seeds/$name" \
            "$ROOT/tests/fuzz/corpus/$name" >"$LOGS/fuzz-$name.log" 2>&1; then
            echo "ok $n $name: $(grep -o 'stat::number_of_executed_units.*\|Done [0-9]* runs.*' "$LOGS/fuzz-$name.log" | tail -n 1)"
        else
            echo "not ok $n $name"
            tail -n 40 "$LOGS/fuzz-$name.log" | sed 's/^/# /'
            bad=1
        fi
    done
    echo "1..$n"
    return $bad
}

dev_fuzz() {
    need build clang
    mkdir -p "$LOGS"
    trap give_back EXIT
    fuzz_each "${1:-60}"
}
