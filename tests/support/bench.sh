# shellcheck shell=bash
# ./dev bench: each script of tests/bench is a benchmark, and each program bench-NAME. It prints
# figures with the peer's or the floor's beside them, and fails when a goal is missed. Run it on a
# quiet machine.

# shellcheck source=tests/support/build.sh
. "$SUPPORT/build.sh"

# bench_names - what there is
bench_names() {
    local f
    for f in "$ROOT"/tests/bench/*; do
        case $f in
        */bench-*.c) basename "${f%.*}" ;;
        *) if [ -f "$f" ] && [ -x "$f" ]; then basename "${f%.*}"; fi ;;
        esac
    done
}

dev_bench() {
    local name file missed=()
    need_root bench "it starts a private engine and makes cgroups"
    need build engine bench
    mkdir -p "$LOGS"
    trap give_back EXIT
    build_one gcc >"$LOGS/bench-build.log" 2>&1 || die 1 "the build failed, see build/log/bench-build.log"
    # shellcheck disable=SC2046 # a list of words
    [ $# -gt 0 ] || set -- $(bench_names)
    for name in "$@"; do
        file=$(find "$ROOT/tests/bench" "$BUILD/gcc/tests/bench" -maxdepth 1 -name "$name*" \
            -perm -u+x -type f | head -n 1)
        [ -n "$file" ] || die 64 "no such benchmark: $name ($(bench_names | xargs))"
        say "== $name"
        PLIMSOLL_BUILD=$BUILD/gcc "$file" || missed+=("$name")
    done
    [ "${#missed[@]}" -eq 0 ] || die 1 "goals missed in: ${missed[*]}"
}
