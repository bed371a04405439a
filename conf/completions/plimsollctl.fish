# SPDX-License-Identifier: Apache-2.0
# Completion of plimsollctl(1) for fish. Names are those that the daemon knows now.

set -l commands status show probe why top events wait reload rotate notify logs check match import adopt-logs help

function __plimsollctl_names
    set -l control
    set -l words (commandline -opc)
    if set -l i (contains -i -- --control $words)
        and set -q words[(math $i + 1)]
        set control --control $words[(math $i + 1)]
    end
    plimsollctl $control --json status 2>/dev/null |
        grep -oE '"(name|service)":"[A-Za-z0-9_.@:+-]+"' | sed -E 's/.*":"(.*)"/\1/' | sort -u
end

function __plimsollctl_sections
    plimsollctl --json notify 2>/dev/null |
        grep -oE '"section":"[A-Za-z0-9_.-]+"' | sed -E 's/.*":"(.*)"/\1/' | sort -u
end

complete -c plimsollctl -f
complete -c plimsollctl -n 'not __fish_seen_subcommand_from import adopt-logs help' -l control -r -F -d 'Socket of the daemon'
complete -c plimsollctl -n 'not __fish_seen_subcommand_from logs help' -l json -d 'Documents for scripts'
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -l version -d 'Show the version'
complete -c plimsollctl -s h -l help -d 'Show help'

complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a status -d 'All containers: health, limits, usage'
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a show -d 'Everything about one container'
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a probe -d 'Ask a service now, and show what it answers'
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a why -d 'Why it ended last, with the evidence'
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a top -d 'Status, again and again, with CPU in use'
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a events -d 'What happens from now on'
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a wait -d 'Until a container is in a state'
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a reload -d 'Load the policy again'
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a rotate -d 'Rotate a log now'
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a notify -d 'Who is told what'
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a check -d 'Is a policy right?'
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a import -d 'Policy from a compose configuration'
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a adopt-logs -d 'Have the engine rotate logs'
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a logs -d 'Archives and log as one'
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a help -d 'Of a command or a topic'

complete -c plimsollctl -n '__fish_seen_subcommand_from show probe why wait rotate logs adopt-logs' -a '(__plimsollctl_names)'
complete -c plimsollctl -n '__fish_seen_subcommand_from notify; and not __fish_seen_subcommand_from test' -a test -d 'Send a test'
complete -c plimsollctl -n '__fish_seen_subcommand_from notify; and __fish_seen_subcommand_from test' -a '(__plimsollctl_sections)'
complete -c plimsollctl -n '__fish_seen_subcommand_from check import' -F
complete -c plimsollctl -n '__fish_seen_subcommand_from import' -l compose -d 'The files are of compose itself'
complete -c plimsollctl -n '__fish_seen_subcommand_from import' -l engine -d 'What an engine has now'
complete -c plimsollctl -n '__fish_seen_subcommand_from check' -l engine -d 'Also limits that it raises'
complete -c plimsollctl -n '__fish_seen_subcommand_from help' -a "$commands names times exit-status"
complete -c plimsollctl -n "not __fish_seen_subcommand_from $commands" -a match -d 'Which section governs a container'
complete -c plimsollctl -n '__fish_seen_subcommand_from match' -l all -d 'Every container'
complete -c plimsollctl -n '__fish_seen_subcommand_from match' -l engine -x -d 'The engine'
complete -c plimsollctl -n '__fish_seen_subcommand_from match' -l policy -r -F -d 'Another policy'
complete -c plimsollctl -n '__fish_seen_subcommand_from check' -l policy -r -F -d 'Another policy'
complete -c plimsollctl -n '__fish_seen_subcommand_from check' -s v -l verbose -d 'Say what was understood'
complete -c plimsollctl -n '__fish_seen_subcommand_from wait' -l for -x -d 'State' -a 'healthy degraded unhealthy starting unknown absent finished created running paused restarting removing exited dead'
complete -c plimsollctl -n '__fish_seen_subcommand_from wait' -l timeout -x -d 'At most so long'
complete -c plimsollctl -n '__fish_seen_subcommand_from why' -s a -l all -d 'All ends that are known'
complete -c plimsollctl -n '__fish_seen_subcommand_from top' -l interval -x -d 'Time between two looks'
complete -c plimsollctl -n '__fish_seen_subcommand_from top' -s n -l iterations -x -d 'So many looks'
complete -c plimsollctl -n '__fish_seen_subcommand_from logs' -l json -d 'The records themselves'
complete -c plimsollctl -n '__fish_seen_subcommand_from logs' -l since -x -d 'Not what is older'
complete -c plimsollctl -n '__fish_seen_subcommand_from logs' -l until -x -d 'Not what is newer'
complete -c plimsollctl -n '__fish_seen_subcommand_from logs' -s n -l tail -x -d 'The last lines'
complete -c plimsollctl -n '__fish_seen_subcommand_from logs' -s f -l follow -d 'Go on with what is written'
complete -c plimsollctl -n '__fish_seen_subcommand_from logs' -s g -l grep -x -d 'Lines that match'
complete -c plimsollctl -n '__fish_seen_subcommand_from logs' -s i -l ignore-case -d 'Match in any case'
complete -c plimsollctl -n '__fish_seen_subcommand_from logs' -l stdout -d 'Standard output alone'
complete -c plimsollctl -n '__fish_seen_subcommand_from logs' -l stderr -d 'Standard error alone'
complete -c plimsollctl -n '__fish_seen_subcommand_from logs' -s t -l timestamps -d 'When each line was written'
complete -c plimsollctl -n '__fish_seen_subcommand_from logs' -l container -x -d 'Of a service one container'
complete -c plimsollctl -n '__fish_seen_subcommand_from logs' -l path -r -F -d 'A file of LogPath='
complete -c plimsollctl -n '__fish_seen_subcommand_from logs' -l details -d 'Labels and variables'
complete -c plimsollctl -n '__fish_seen_subcommand_from show why' -l state -r -F -d 'Where plimsolld keeps what it knows'
complete -c plimsollctl -n '__fish_seen_subcommand_from logs' -l archive -r -d 'Where archives are'
complete -c plimsollctl -n '__fish_seen_subcommand_from adopt-logs' -l dry-run -d 'Change nothing'
complete -c plimsollctl -n '__fish_seen_subcommand_from adopt-logs' -l yes -d 'Do not ask'
complete -c plimsollctl -n '__fish_seen_subcommand_from adopt-logs' -l max-size -x -d 'Of one file'
complete -c plimsollctl -n '__fish_seen_subcommand_from adopt-logs' -l max-files -x -d 'So many files'
complete -c plimsollctl -n '__fish_seen_subcommand_from adopt-logs' -l policy -r -F -d 'Policy'
complete -c plimsollctl -n '__fish_seen_subcommand_from adopt-logs' -l engine -x -d 'The engine'
complete -c plimsollctl -n '__fish_seen_subcommand_from adopt-logs' -l engine-pid -x -d 'Of dockerd'
complete -c plimsollctl -n '__fish_seen_subcommand_from adopt-logs' -l at-start -d 'While the engine does not run'
complete -c plimsollctl -n '__fish_seen_subcommand_from adopt-logs' -l root -r -F -d 'Data of the engine'
complete -c plimsollctl -n '__fish_seen_subcommand_from adopt-logs' -l archive -r -F -d 'Where plimsolld keeps archives'
