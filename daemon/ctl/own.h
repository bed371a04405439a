/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Commands with options of their own, which come after the command's name. They ask no daemon.
 *
 * Return of each: an exit status.
 */

int pl_ctl_logs_main(int argc, char **argv); /* argv[0] is "logs" */

/** pl_ctl_adopt_main() - plimsollctl adopt-logs: the engine's own rotation for containers that
 * exist
 */
int pl_ctl_adopt_main(int argc, char **argv);
