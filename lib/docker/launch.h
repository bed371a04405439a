/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Launch: what a container was told to run and with which settings, as far as probes need to know.
 *
 * Command lines and environments hold secrets. So this keeps the names of programs, their
 * subcommands, and the values of a few options and variables that say where a service listens; the
 * rest is left out while it is read. What is kept is for decisions, not for people.
 *
 * Wrappers (tini, gosu, env, an image's entry script) and shells with -c are read through. Words
 * are read, no shell runs: what only a shell knows ($PORT) stands as "$".
 */

#include "lib/base/macro.h"

/* What is beyond is left out, and PlLaunch.unsure tells. */
#define PL_LAUNCH_WORDS_MAX 64
#define PL_LAUNCH_WORD_MAX  160 /* bytes of a word or a value */

typedef struct PlPair {
        char *key, *value;
        bool of_image; /* of a label: nobody has given it to the container, its image has it */
} PlPair;

typedef struct PlLaunch {
        char **words; /* of all commands, see pl_launch_next(); ends with NULL; NULL: not known */
        PlPair *env;  /* in the order of their names */
        size_t n_env;
        bool shell;  /* commands stand in a string for a shell */
        bool unsure; /* there is more than was read, or what only a shell knows */
} PlLaunch;

/* One command; borrowed. */
typedef struct PlLaunchCommand {
        const char *program; /* with its path; an entry script only where it gets no program */
        char *const *words;  /* subcommands, then "option=value" in their order */
        size_t n_words;
} PlLaunchCommand;

/**
 * pl_launch_read() - reduce a command line and an environment
 * @words: State's Path and Args, which is entrypoint and command in one; NULL entries are skipped
 * @env:   "NAME=VALUE"
 * @ret:   pl_launch_deinit() it
 * Return: 0, -ENOMEM.
 */
int pl_launch_read(const char *const *words, size_t n_words, const char *const *env, size_t n_env,
                   PlLaunch *ret);
void pl_launch_deinit(PlLaunch *l);

/** pl_launch_env() - Return: the value, borrowed; NULL: not set, or none of those that are kept. A
 * value that was given on the command line counts. */
const char *pl_launch_env(const PlLaunch *l, const char *name);

/** pl_launch_next() - the commands in their order; start with *iter = 0. Return: false at the end.
 */
bool pl_launch_next(const PlLaunch *l, size_t *iter, PlLaunchCommand *ret);

/** pl_launch_name() - the program without its path. Return: borrowed. */
const char *pl_launch_name(const PlLaunchCommand *c);

/** pl_launch_value() - the last value of any of these options, as the programs have it
 * @names: without dashes, in lower case, separated by spaces: "p port"
 * Return: borrowed; "" for a flag, "$" where only a shell knows; NULL: not given. */
const char *pl_launch_value(const PlLaunchCommand *c, const char *names);

/** pl_launch_word() - the nth subcommand, from 0. Return: borrowed, NULL: there are fewer. */
const char *pl_launch_word(const PlLaunchCommand *c, size_t nth);
