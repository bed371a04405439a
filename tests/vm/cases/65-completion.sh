#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Shell completions, by the Tab key of each shell on a terminal of its own: a line is typed up to the
# Tab, and what the shell then runs is what counts. Names are those that the daemon knows now.
# shellcheck source=tests/vm/cases/lib.sh
. "${0%/*}/lib.sh"

# What is typed before the Tab | what is run.
LINES=(
    'sho|show'
    'adopt|adopt-logs'
    'show widg|show widget'
    'show Spe|show Special'
    'rotate widg|rotate widget'
    'logs widg|logs widget'
    'logs --timest|logs --timestamps'
    'adopt-logs --max-si|adopt-logs --max-size'
    'logs --json --tail 3 widg|logs --json --tail 3 widget'
    'wait widg|wait widget'
    'wait --timeout 3s widg|wait --timeout 3s widget'
    'wait widget --for unhea|wait widget --for unhealthy'
    'top --interv|top --interval'
    '--control /run/plimsoll/control.sock show widg|--control /run/plimsoll/control.sock show widget'
    'check /etc/plimsoll/plimsoll.con|check /etc/plimsoll/plimsoll.conf'
)
HOME_OF_SHELL=/run/completion

# What an interactive shell starts with: a prompt to wait for, completion as the distribution has it,
# and a command that only says how it was called. The completions themselves ask the real one.
write_start_files() {
    mkdir -p $HOME_OF_SHELL
    cat >$HOME_OF_SHELL/start <<'S'
PS1='READY> '
plimsollctl() { if [ "$1" = --json ] || [ "$3" = --json ]; then command plimsollctl "$@"; else
    printf '%s\n' "$*" >>/run/completion/ran; fi; }
S
    {
        cat $HOME_OF_SHELL/start
        echo '. /usr/share/bash-completion/bash_completion'
        echo 'bind "set bell-style none"; bind "set enable-bracketed-paste off"'
    } >$HOME_OF_SHELL/.bashrc
    {
        echo 'autoload -Uz compinit && compinit -u -d /run/completion/zcompdump'
        echo 'unsetopt beep zle_bracketed_paste 2>/dev/null; unset zle_bracketed_paste'
        cat $HOME_OF_SHELL/start
    } >$HOME_OF_SHELL/.zshrc
}

# type_into SHELL - lines from stdin, each at a prompt of its own
type_into() {
    local line n=0 script
    rm -f $HOME_OF_SHELL/{in,ran}
    mkfifo $HOME_OF_SHELL/in
    TERM=dumb HOME=$HOME_OF_SHELL ZDOTDIR=$HOME_OF_SHELL PROMPT_EOL_MARK='' \
        script -qfc "$1 -i" $HOME_OF_SHELL/screen <$HOME_OF_SHELL/in >/dev/null 2>&1 &
    script=$!
    exec 8>$HOME_OF_SHELL/in
    within 30 grep -aq 'READY>' $HOME_OF_SHELL/screen
    while IFS= read -r line; do
        n=$((n + 1))
        printf 'plimsollctl %s\t\r' "$line" >&8
        within 20 lines_of_ran $n || {
            tail -n 5 $HOME_OF_SHELL/screen
            return 1
        }
    done
    printf 'exit\r' >&8
    exec 8>&-
    wait $script || true
}

lines_of_ran() { [ "$(wc -l <$HOME_OF_SHELL/ran)" -ge "$1" ]; }

# each LEFT|RIGHT of LINES
halves() {
    case $1 in
    left) printf '%s\n' "${LINES[@]%%|*}" ;;
    right) printf '%s\n' "${LINES[@]#*|}" ;;
    esac
}

test_names_to_complete() {
    policy <<'P'
[Service Special]
Match=name:widget
MemoryMax=64M
P
    container widget
    within 5 in_status '.containers | length == 1'
    write_start_files
}

test_bash_completes() {
    type_into bash < <(halves left)
    diff <(halves right) <(sed 's/ *$//' $HOME_OF_SHELL/ran)
}

test_zsh_completes() {
    type_into zsh < <(halves left)
    diff <(halves right) <(sed 's/ *$//' $HOME_OF_SHELL/ran)
}

# fish says by itself what its Tab key would offer: a candidate a line, with what it is.
fish_candidates() { fish -c "complete -C 'plimsollctl $1'" | cut -f 1; }

test_fish_completes() {
    local line want
    for line in "${LINES[@]}"; do
        want=${line##*[ |]}
        [ "$(fish_candidates "${line%%|*}")" = "$want" ] ||
            fail "${line%%|*}: $(fish_candidates "${line%%|*}")"
    done
}

test_a_container_that_is_gone_is_not_offered() {
    docker rename widget gadget
    within 5 in_status '.containers[] | .name == "gadget"'
    # no section names it now, which is nothing that happened to the container
    refute said HEALTH_CHANGED PLIMSOLL_HEALTH=absent CONTAINER_NAME=gadget
    type_into bash <<<'show gad'
    [ "$(sed 's/ *$//' $HOME_OF_SHELL/ran)" = 'show gadget' ]
    type_into zsh <<<'show gad'
    [ "$(sed 's/ *$//' $HOME_OF_SHELL/ran)" = 'show gadget' ]
    [ "$(fish_candidates 'show gad')" = gadget ]
    [ -z "$(fish_candidates 'show widg')" ]
}

test_no_daemon_is_no_mess() {
    systemctl stop plimsolld.socket plimsolld
    type_into bash <<<'show gad'
    [ "$(sed 's/ *$//' $HOME_OF_SHELL/ran)" = 'show gad' ]
    type_into zsh <<<'show gad'
    [ "$(sed 's/ *$//' $HOME_OF_SHELL/ran)" = 'show gad' ]
    [ -z "$(fish_candidates 'show gad')" ]
    refute grep -aqiE 'error|no daemon|connect' $HOME_OF_SHELL/screen
    systemctl start plimsolld.socket plimsolld
    remove_containers
}

run_tests
