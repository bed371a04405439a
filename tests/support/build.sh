# shellcheck shell=bash
# ./dev build: one meson build directory per compiler and sanitizer, below build/.

# -O1 -g1: half of the compiler's time, and a report still names file and line
SANITIZED=("-Db_sanitize=address,undefined" -Doptimization=1 -Ddebug=false -Dc_args=-g1)

# build_options NAME - the compiler, then meson's options, one per line
build_options() {
    case $1 in
    gcc) printf '%s\n' gcc -Dwerror=true ;;
    clang) printf '%s\n' clang -Dwerror=true ;;
    # instrumented code misleads gcc's own warnings; the plain build makes errors of them
    gcc-asan) printf '%s\n' gcc "${SANITIZED[@]}" ;;
    clang-asan) printf '%s\n' clang -Dwerror=true "${SANITIZED[@]}" -Db_lundef=false ;;
    release) printf '%s\n' gcc --buildtype=release -Dtests=false ;;
    fuzz)
        printf '%s\n' clang -Dwerror=true -Dfuzzing=true -Db_sanitize=address,undefined \
            -Db_lundef=false
        ;;
    *) return 1 ;;
    esac
}

# build_one NAME - set up if need be, and compile; what the tools say goes to stdout
build_one() {
    local name=$1 dir=$BUILD/$1 options
    mapfile -t options < <(build_options "$name")
    [ "${#options[@]}" -gt 0 ] || die 64 "no such build: $name (gcc, gcc-asan, clang, clang-asan)"
    # a directory that was set up with other options is set up again
    if [ ! -f "$dir/build.ninja" ] || [ "$(cat "$dir/.options" 2>/dev/null)" != "${options[*]}" ]; then
        rm -rf "$dir"
        mkdir -p "$dir"
        printf '%s\n' "${options[*]}" >"$dir/.options"
        CC=${options[0]} meson setup "${options[@]:1}" "$dir" "$ROOT" || return 1
    fi
    ninja -j"$(jobs)" -C "$dir"
}

dev_build() {
    local name
    [ $# -gt 0 ] || set -- gcc
    for name in "$@"; do
        [ -n "$(build_options "$name")" ] || die 64 "no such build: $name (gcc, gcc-asan, clang, clang-asan)"
    done
    case " $* " in
    *clang* | *fuzz*) need build clang ;;
    *) need build ;;
    esac
    trap give_back EXIT
    for name in "$@"; do
        build_one "$name"
    done
}
