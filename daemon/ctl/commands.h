/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The commands of plimsollctl: a row of this table and a file with the function, pl_ctl_cmd_NAME.
 * Its prototype, the help and the grammar follow from the row.
 *
 *   name, arguments  as on the command line and in the help
 *   function         what comes after pl_ctl_cmd_
 *   about            its line in the list of commands
 *   help             more of it, for its own help; NULL: nothing
 */
/* clang-format off */
#define PL_CTL_COMMANDS(ROW) \
        ROW("status", "", status, "all containers: health, limits, usage", NULL)                  \
        ROW("show", "NAME", show, "everything about one container", NULL)                         \
        ROW("probe", "NAME", probe, "ask a service now, and show what it answers",                \
            "Prints each address that is tried, what is sent and what comes, and the verdict,\n"  \
            "without secrets. It is no evidence and changes nothing.")                            \
        ROW("why", "NAME", why, "why it ended last, with the evidence",                           \
            "Says what is certain or likely, and what would make it certain. NAME may also be\n"  \
            "a service whose containers are gone.")                                               \
        ROW("top", "", top, "status, again and again, with CPU in use", NULL)                     \
        ROW("events", "", events, "what happens from now on", NULL)                               \
        ROW("wait", "NAME", wait, "until it is --for healthy, or --timeout",                      \
            "Returns as soon as the container is in the state, also when the daemon or the\n"     \
            "container come later.")                                                              \
        ROW("reload", "", reload, "load the policy again, all of it or nothing", NULL)            \
        ROW("rotate", "NAME", rotate, "rotate a container's log now", NULL)                       \
        ROW("notify", "[ARGUMENT...]", notify, "who is told what; or: notify test NAME",          \
            "Lists the [Notify] sections of the policy: what waits to be sent, and what came\n"    \
            "of the last try. notify test NAME sends a test to one and says how that went.")      \
        ROW("logs", "[NAME]", logs, "archives and log as one",                                      \
            "Shows a container's archived and live log as one, as docker logs would. NAME may\n"  \
            "also be a container that is gone, or a service: then all containers that it has\n"   \
            "had are one stream.")                                                  \
        ROW("check", "[FILE]", check, "is a policy right? (-v: what was understood)",             \
            "Says whether a policy is right: FILE, \"-\" for standard input, or the one of the\n" \
            "running daemon as it is on disk.")                                                   \
        ROW("match", "[NAME...]", match, "which section governs a container, and why",            \
            "Says which section of the policy, as it is on disk, governs each container that\n"    \
            "is named, or --all; by which line; and which other sections match it, too.")         \
        ROW("import", "[FILE...]", import, "policy from `docker compose config --format json`",   \
            "Prints the policy that says what a compose configuration says. FILE is what\n"       \
            "`docker compose config --format json` prints, or \"-\" for standard input; with\n"   \
            "--compose, the files of compose itself. With --engine there is no FILE: the\n"    \
            "policy says what the engine's containers have now.")                                            \
        ROW("adopt-logs", "[NAME...]", adopt, "let the engine rotate logs itself",                \
            "Gives containers that exist the engine's own log rotation, without recreating\n"     \
            "them: all that have none, or those that are named. Restarts the engine.\n"           \
            "\n"                                                                                  \
            "Running containers stand still for some seconds; clients that are attached, as\n"    \
            "docker logs -f, are cut off.")                                                       \
        ROW("help", "[TOPIC]", help, "a command, or: names, times, exit-status", NULL)
/* clang-format on */
