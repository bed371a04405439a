# shellcheck shell=bash
# ./dev format: let clang-format decide.
# shellcheck source=tests/support/lint.sh
. "$SUPPORT/lint.sh"

dev_format() {
    local tool
    need lint
    tool=$(clang_format) || die 69 "clang-format 14 is not here: other versions format differently"
    c_files | xargs -0 "$tool" -i
}
