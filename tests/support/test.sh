# shellcheck shell=bash
# ./dev test: stages, one line each with what it found and how long it took, details of failures
# below it, and in the end one line for all. A stage that cannot run is a failure, not silence.

# shellcheck source=tests/support/build.sh
. "$SUPPORT/build.sh"
# shellcheck source=tests/support/lint.sh
. "$SUPPORT/lint.sh"

STAGES=(lint unit integration vm)
UNIT_BUILDS=(gcc clang-asan gcc-asan)
PASSED=0 FAILED=0 SKIPPED=0
VM_ARGS=()
VM_PID='' VM_START=0
BESIDE_PID=''

# count NAME SECONDS PASSED FAILED SKIPPED
count() {
    printf '%-28s %4d passed, %d failed, %d skipped  (%d s)\n' "$1" "$3" "$4" "$5" "$2"
    PASSED=$((PASSED + $3)) FAILED=$((FAILED + $4)) SKIPPED=$((SKIPPED + $5))
}

# tally NAME SECONDS STATUS KIND FILE LOG - count one file of results; STATUS is the runner's own
tally() {
    local name=$1 seconds=$2 status=$3 kind=$4 file=$5 log=$6 lines sums
    if ! lines=$(python3 "$SUPPORT/tally.py" "$kind" "$file" 2>&1); then
        count "$name" "$seconds" 0 1 0
        show "$log"
        return
    fi
    read -ra sums <<<"${lines%%$'\n'*}"
    # the runner says no, the results say yes: believe the worse
    [ "$status" -eq 0 ] || [ "${sums[1]}" -gt 0 ] || sums[1]=1
    count "$name" "$seconds" "${sums[@]}"
    [ "${sums[1]}" -gt 0 ] || return 0
    if [ "$kind" = meson ]; then
        printf '%s\n' "${lines#*$'\n'}" | sed 's/^/    /'
        python3 "$SUPPORT/tally.py" meson-details "$file" | sed 's/^/    /'
    else
        # each failure with what was said about it
        awk '/^not ok/ { p = 1; n = 0 } /^(ok|1\.\.)/ { p = 0 } p && ++n <= 60 { print "    " $0 }' "$file"
        printf '%s\n' "${lines#*$'\n'}" | sed -n 's/^not ok - /    /p'
    fi
}

# show LOG - the end of it; of a build only what failed
show() {
    [ -f "$1" ] || return 0
    case $1 in
    */build-*) awk '/^FAILED:|ERROR:/ { p = 1 } p' "$1" | head -n 60 ;;
    *) tail -n 60 "$1" ;;
    esac | sed 's/^/    /'
}

# compile NAME - a build directory; counts only when it fails
compile() {
    local start=$SECONDS
    if build_one "$1" >"$LOGS/build-$1.log" 2>&1; then
        printf '%-28s built  (%d s)\n' "build $1" $((SECONDS - start))
    else
        count "build $1" $((SECONDS - start)) 0 1 0
        show "$LOGS/build-$1.log"
        return 1
    fi
}

stage_lint() {
    local start=$SECONDS status=0
    lint_each "${LINT_CHECKS[@]}" >"$LOGS/lint.log" 2>&1 || status=$?
    tally lint $((SECONDS - start)) $status tap "$LOGS/lint.log" "$LOGS/lint.log"
}

stage_unit() {
    local name start status log
    # what waits for events goes first
    [ -z "$BESIDE_PID" ] || renice -n 5 -p $$ >/dev/null
    for name in "${UNIT_BUILDS[@]}"; do
        compile "$name" || continue
        start=$SECONDS status=0
        log=$BUILD/$name/meson-logs/testlog.json
        rm -f "$log"
        UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
            meson test --no-rebuild -C "$BUILD/$name" --suite unit --suite fuzz \
            >"$LOGS/unit-$name.log" 2>&1 || status=$?
        tally "unit $name" $((SECONDS - start)) $status meson "$log" "$LOGS/unit-$name.log"
    done
}

stage_integration() {
    local start=$SECONDS status=0
    compile gcc || return 0
    start=$SECONDS
    if ! "$SUPPORT/images.sh" build "$BUILD/images" >"$LOGS/images.log" 2>&1; then
        count "images" $((SECONDS - start)) 0 1 0
        show "$LOGS/images.log"
        return
    fi
    printf '%-28s built  (%d s)\n' images $((SECONDS - start))
    # Each file has an engine of its own, and waits more than it computes: several at a time.
    local files=("$ROOT"/tests/integration/*.bats) file name
    rm -f "$LOGS"/integration-*
    export -f integration_file
    export LOGS PLIMSOLL_BUILD=$BUILD/gcc PLIMSOLL_IMAGES=$BUILD/images
    printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P $(($(nproc) + 1)) bash -c 'integration_file "$1"' _ || true
    # What fails beside others, on a machine that has no core left, gets one more chance alone. What
    # it said the first time is kept, and that it needed the second is said.
    for file in "${files[@]}"; do
        name=$(basename "$file" .bats)
        read -r status _ <"$LOGS/integration-$name.status" || status=1
        [ "$status" -ne 0 ] || continue
        printf '%-28s failed beside others, once more alone:\n' "integration $name"
        grep -s '^not ok' "$LOGS/integration-$name.log" | sed 's/^/    /' || true
        mv -f "$LOGS/integration-$name.log" "$LOGS/integration-$name.first.log" 2>/dev/null || true
        integration_file "$file"
    done
    for file in "${files[@]}"; do
        name=$(basename "$file" .bats)
        read -r status start <"$LOGS/integration-$name.status" || status=1 start=0
        tally "integration $name" "$start" "$status" tap "$LOGS/integration-$name.log" "$LOGS/integration-$name.log"
    done
}

# integration_file FILE - bats 1.8 cannot end a test that hangs; newer ones end that test alone
integration_file() {
    local name start=$SECONDS status=0
    name=$(basename "$1" .bats)
    BATS_TEST_TIMEOUT=600 timeout -k 10 1500 bats --formatter tap "$1" >"$LOGS/integration-$name.log" 2>&1 || status=$?
    echo "$status $((SECONDS - start))" >"$LOGS/integration-$name.status"
}

# Without a name, the machine of trixie begins before everything else, in the background: it is one thing
# after the other, so what it waits for at the beginning the whole run waits for at the end. Its guest minds
# no delay (see tests/vm/machine.py) and comes behind what waits for events. Its progress and console go to
# the log; results alone to stdout.
vm_begin() {
    VM_START=$SECONDS
    nice -n "$1" "$ROOT/tests/vm/run" "${VM_ARGS[@]}" >"$LOGS/vm.tap" 2>"$LOGS/vm.log" &
    VM_PID=$!
}

stage_vm() {
    local status=0
    [ -n "$VM_PID" ] || vm_begin 0
    wait "$VM_PID" || status=$?
    VM_PID=
    tally vm $((SECONDS - VM_START)) $status tap "$LOGS/vm.tap" "$LOGS/vm.tap"
}

# rows_of STAGE FILE [OPTION…] - rows of one file, longer than the integration stage plays them; what they
# tell in comments is shown
rows_of() {
    local stage=$1 file=$2 start=$SECONDS status=0
    shift 2
    compile gcc || return 0
    if ! "$SUPPORT/images.sh" build "$BUILD/images" >"$LOGS/images.log" 2>&1; then
        count images $((SECONDS - start)) 0 1 0
        show "$LOGS/images.log"
        return
    fi
    start=$SECONDS
    PLIMSOLL_BUILD=$BUILD/gcc PLIMSOLL_IMAGES=$BUILD/images timeout -k 10 7200 \
        bats --formatter tap "$@" "$ROOT/tests/integration/$file" >"$LOGS/$stage.log" 2>&1 || status=$?
    grep '^# .*\(lives played\|removals, \|right [0-9]* of \)' "$LOGS/$stage.log" || true
    tally "$stage" $((SECONDS - start)) $status tap "$LOGS/$stage.log" "$LOGS/$stage.log"
}

# Ten times as many random lives as the integration stage plays, on an engine of their own.
stage_lives() {
    PLIMSOLL_LIVES=${PLIMSOLL_LIVES:-200} rows_of lives lives.bats
}

# 1,000 containers that write at full speed, removed and made again on each file system.
stage_removals() {
    PLIMSOLL_REMOVALS=${PLIMSOLL_REMOVALS:-1000} PLIMSOLL_KILLS=${PLIMSOLL_KILLS:-100} \
        rows_of removals logs.bats --filter '^removals at full speed'
}

# Each kind of end 20 times, in any order, and as often while plimsolld is down.
stage_why() {
    PLIMSOLL_WHY_ROUNDS=${PLIMSOLL_WHY_ROUNDS:-20} rows_of why oom.bats --filter '^why: '
}

# 1 GiB through a log under the shipped LogMaxSize=, on the engine of this release and on the newest: what
# docker prints of it.
stage_gib() {
    local sizes=(PLIMSOLL_LOG_LINES=11100000 PLIMSOLL_LOG_SIZE=10M PLIMSOLL_LOG_SHORT=15000000
        PLIMSOLL_LOG_DISK_MIB=6000 PLIMSOLL_DOCKER_SEC=900)
    export "${sizes[@]}"
    rows_of gib-newest newest.bats --filter '^(with the default method|docker compose logs)'
    rows_of gib logs.bats --filter '^engine below 23: docker prints the end'
}

stage_fuzz() {
    local start=$SECONDS status=0
    # shellcheck source=tests/support/fuzz.sh
    . "$SUPPORT/fuzz.sh"
    fuzz_each 20 >"$LOGS/fuzz.log" 2>&1 || status=$?
    tally fuzz $((SECONDS - start)) $status tap "$LOGS/fuzz.log" "$LOGS/fuzz.log"
}

# Two builds of the Debian package, in different paths, zones, locales and masks: byte by byte the same.
stage_deb() {
    local start=$SECONDS status=0
    # shellcheck source=tests/support/deb.sh
    . "$SUPPORT/deb.sh"
    deb_twice >"$LOGS/deb-twice.log" 2>"$LOGS/deb-twice.err" || status=$?
    tally deb $((SECONDS - start)) $status tap "$LOGS/deb-twice.log" "$LOGS/deb-twice.err"
}

# One wrong operator in lib/ at a time, and which test notices. The goal is 90 %; those that live are shown.
stage_mutants() {
    local start=$SECONDS status=0
    python3 "$SUPPORT/mutants.py" --number "${PLIMSOLL_MUTANTS:-120}" >"$LOGS/mutants.log" 2>&1 || status=$?
    grep '^# ' "$LOGS/mutants.log" || true
    tally mutants $((SECONDS - start)) $status tap "$LOGS/mutants.log" "$LOGS/mutants.log"
}

# Integration waits more than it computes, the unit tests of each build only compute: both at a time.
# What it has to say comes when it is done.
integration_begin() {
    build_one gcc >"$LOGS/build-gcc.log" 2>&1 || return 0 # which the unit stage counts
    set -m # a process group of its own, to be ended as a whole
    stage_integration >"$LOGS/integration.out" 2>&1 &
    set +m
    BESIDE_PID=$!
}

integration_end() {
    local line
    [ -n "$BESIDE_PID" ] || return 0
    wait "$BESIDE_PID" || true
    BESIDE_PID=
    while IFS= read -r line; do
        printf '%s\n' "$line"
        [[ $line =~ \ ([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped\ +\([0-9]+\ s\)$ ]] || continue
        PASSED=$((PASSED + BASH_REMATCH[1])) FAILED=$((FAILED + BASH_REMATCH[2])) SKIPPED=$((SKIPPED + BASH_REMATCH[3]))
    done <"$LOGS/integration.out"
}

# Prints the last line whatever happens before it, an interrupt included.
finish() {
    local status=$?
    trap - EXIT
    [ "$status" -eq 0 ] || FAILED=$((FAILED + 1))
    if [ -n "$VM_PID" ] && kill "$VM_PID" 2>/dev/null; then
        wait "$VM_PID" || true
    fi
    [ -z "$BESIDE_PID" ] || kill -INT -- "-$BESIDE_PID" 2>/dev/null || true
    give_back
    printf '%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
    [ "$status" -ne 69 ] || exit 69 # something is missing here
    [ "$FAILED" -eq 0 ] || exit 1
    exit 0
}

dev_test() {
    local stage
    if [ $# -eq 0 ]; then
        set -- "${STAGES[@]}"
        # what no other stage sees; "./dev test vm" runs every case on both suites, and takes far longer
        VM_ARGS=(trixie -- package drift control)
        # clang's sanitizers and gcc's look for the same; "./dev test unit" has both
        UNIT_BUILDS=(gcc clang-asan)
    fi
    for stage in "$@"; do
        case " ${STAGES[*]} lives removals gib why fuzz mutants deb " in
        *" $stage "*) ;;
        *) die 64 "no such stage: $stage (${STAGES[*]} lives removals gib why fuzz mutants deb)" ;;
        esac
        case $stage in
        integration | lives | removals | gib | why | vm) need_root "test $stage" "it runs Docker engines and writes cgroups" ;;
        esac
    done
    mkdir -p "$LOGS" "$BUILD/tools"
    # Debian's python3: that of a manager of versions (pyenv) is a script that takes a tenth of a second of
    # CPU for each start, and the tests start it some thousand times
    [ ! -x /usr/bin/python3 ] || ln -sf /usr/bin/python3 "$BUILD/tools/python3"
    export PATH=$BUILD/tools:$PATH
    trap finish EXIT
    trap 'note interrupted; exit 130' INT TERM HUP
    case " $* " in *" vm "*) need vm ;; esac
    [ ${#VM_ARGS[@]} -eq 0 ] || "$ROOT/tests/vm/run" --in-real-time || vm_begin 5
    for stage in "$@"; do
        case $stage in
        lint) need lint ;;
        unit | fuzz) need build clang python ;;
        deb) need build deb ;;
        integration | lives | removals | gib | why) need build engine integration ;;
        esac
    done
    for stage in "$@"; do
        if [ "$stage" = unit ] && [[ " $* " == *" integration "* ]]; then
            integration_begin
        fi
        if [ "$stage" = integration ] && [ -n "$BESIDE_PID" ]; then
            integration_end
        else
            "stage_$stage"
        fi
    done
}
