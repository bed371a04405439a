# SPDX-License-Identifier: Apache-2.0
# Completion of plimsollctl(1) for bash. Names are those that the daemon knows now.
# shellcheck shell=bash

_plimsollctl_names() {
    # compact JSON, as plimsollctl prints it to a pipe; names hold no quotes
    plimsollctl "$@" --json status 2>/dev/null |
        grep -oE '"(name|service)":"[A-Za-z0-9_.@:+-]+"' | sed -E 's/.*":"(.*)"/\1/' | sort -u
}

_plimsollctl_sections() {
    plimsollctl "$@" --json notify 2>/dev/null |
        grep -oE '"section":"[A-Za-z0-9_.-]+"' | sed -E 's/.*":"(.*)"/\1/' | sort -u
}

_plimsollctl_options() {
    case $1 in
    "") echo --control --json --version --help ;;
    show) echo --control --json --state --help ;;
    status | probe | events | reload | rotate | notify) echo --control --json --help ;;
    why) echo --control --json --all --state --help ;;
    top) echo --control --json --interval --iterations --help ;;
    wait) echo --control --json --for --timeout --help ;;
    logs)
        echo --control --json --since --until --tail --follow --grep --ignore-case --stdout --stderr \
            --timestamps --details --container --path --archive --help
        ;;
    check) echo --control --json --verbose --engine --policy --help ;;
    match) echo --control --json --all --engine --policy --help ;;
    import) echo --compose --engine --json --help ;;
    adopt-logs)
        echo --json --dry-run --yes --max-size --max-files --engine --engine-pid --at-start --root --policy --archive --help
        ;;
    help) echo --help ;;
    esac
}

_plimsollctl() {
    local commands="status show probe why top events wait reload rotate notify logs check match import adopt-logs help"
    local states="healthy degraded unhealthy starting unknown absent finished created running paused restarting removing exited dead"
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command="" i
    local control=()

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --control)
            control=(--control "${COMP_WORDS[i + 1]}")
            i=$((i + 1))
            ;;
        --for | --timeout | --interval | --iterations | -n | --since | --until | --tail | --grep | -g | --container | --archive | --max-size | --max-files | --policy | --engine | --engine-pid | --root | --state) i=$((i + 1)) ;;
        -*) ;;
        *) command=${command:-${COMP_WORDS[i]}} ;;
        esac
    done

    COMPREPLY=()
    case $prev in
    --control | --policy)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --for)
        mapfile -t COMPREPLY < <(compgen -W "$states" -- "$cur")
        return
        ;;
    --archive | --root | --state)
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    --timeout | --interval | --iterations | -n | --since | --until | --tail | --grep | -g | --container | --max-size | --max-files | --engine | --engine-pid) return ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_plimsollctl_options "$command")" -- "$cur")
        return
    fi
    case $command in
    "") mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur") ;;
    show | probe | why | wait | rotate | logs | match | adopt-logs)
        mapfile -t COMPREPLY < <(compgen -W "$(_plimsollctl_names "${control[@]}")" -- "$cur")
        ;;
    notify)
        if [[ $prev == test ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$(_plimsollctl_sections "${control[@]}")" -- "$cur")
        else
            mapfile -t COMPREPLY < <(compgen -W test -- "$cur")
        fi
        ;;
    check | import) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    help) mapfile -t COMPREPLY < <(compgen -W "$commands names times exit-status" -- "$cur") ;;
    esac
}

complete -o filenames -F _plimsollctl plimsollctl
