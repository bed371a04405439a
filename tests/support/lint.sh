# shellcheck shell=bash
# ./dev lint: what can be judged without running plimsoll. One function per check: it prints what
# is wrong and fails, or returns 77 when this machine cannot tell.

LINT_CHECKS=(clang-format shellcheck codespell man style)

# find, not git: a release tarball and a checkout that belongs to someone else have no usable git
source_files() {
    (cd "$ROOT" && find . -path './build*' -prune -o -path ./.git -prune -o -type f "$@" -print0 | sort -z)
}

c_files() { source_files -name '*.[ch]' | sed -z "s,^\./,$ROOT/,"; }

# Formatting differs from version to version, so one version decides for everyone.
clang_format() {
    local tool
    for tool in clang-format-14 clang-format; do
        if have "$tool" && "$tool" --version | grep -q 'version 14\.'; then
            echo "$tool"
            return
        fi
    done
    return 1
}

lint_clang_format() {
    local tool
    tool=$(clang_format) || {
        echo "clang-format 14 is not in this release: not checked"
        return 77
    }
    c_files | xargs -0 -r "$tool" --dry-run -Werror 2>&1 |
        sed -nE "s,^$ROOT/([^:]+:[0-9]+):.*,\1: not as clang-format has it (./dev format mends it),p" |
        sort -u -t: -k1,1 | report_lines
}

# report_lines - passes lines on; fails when there is one
report_lines() { ! grep .; }

shell_files() {
    source_files -name '*.sh'
    source_files -name '*.bats'
    source_files -name '*.bash'
    # and scripts without a suffix
    source_files ! -name '*.*' | while IFS= read -rd '' f; do
        case $(head -c 64 "$ROOT/$f" | tr -d '\0' | head -n 1) in
        '#!'*bash | '#!'*/sh) printf '%s\0' "$f" ;;
        esac
    done
}

lint_shellcheck() { shell_files | sort -zu | (cd "$ROOT" && xargs -0 -r shellcheck -x -S warning); }

lint_codespell() {
    # corpora, and tests of error messages, hold broken words on purpose
    source_files ! -path './tests/fuzz/corpus/*' ! -name LICENSE |
        (cd "$ROOT" && xargs -0 -r codespell --ignore-words-list=ro,te,crate,mis,fo,inflight,nd,parm,deamon,startet)
}

lint_man() {
    local page bad=0
    while IFS= read -rd '' page; do
        # STYLE is taste, and differs from release to release
        (cd "$ROOT" && mandoc -Tlint -Wwarning "$page") || bad=1
    done < <(source_files -path './man/*.[1-8]')
    return $bad
}

lint_style() { "$ROOT/tests/style"; }

# lint_each CHECK… - runs them all; TAP on stdout, details as comments
lint_each() {
    local check status n=0 bad=0 out
    for check in "$@"; do
        n=$((n + 1)) status=0
        out=$("lint_${check//-/_}" 2>&1) || status=$?
        case $status in
        0) echo "ok $n $check" ;;
        77) echo "ok $n $check # skip $out" ;;
        *)
            echo "not ok $n $check"
            printf '%s\n' "$out" | sed 's/^/# /'
            bad=1
            ;;
        esac
    done
    echo "1..$n"
    return $bad
}

dev_lint() {
    local check
    [ $# -gt 0 ] || set -- "${LINT_CHECKS[@]}"
    for check in "$@"; do
        case " ${LINT_CHECKS[*]} " in
        *" $check "*) ;;
        *) die 64 "no such check: $check (${LINT_CHECKS[*]})" ;;
        esac
    done
    need lint
    lint_each "$@"
}
