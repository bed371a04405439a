# Random lives of containers between their owners, as tests/unit/test-owners makes them, on a real engine.

load helper

setup_file() { engine_begin; }
teardown_file() { engine_end; }

# PLIMSOLL_LIVES, PLIMSOLL_SEED: how many, and from which one on; ./dev test lives plays 200
@test "what persons, the engine, reboots and kill -9 do to ${PLIMSOLL_LIVES:-20} lives comes to what the model says" {
    run "$SUPPORT/lives.py" "$E/engine" "$BUILD_DIR" "$E/lives" "${PLIMSOLL_LIVES:-20}" "${PLIMSOLL_SEED:-0}"
    printf '%s\n' "$output"
    [ "$status" -eq 0 ]
    printf '# %s\n' "${lines[-1]}" >&3
}
