/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Grammar: a command line as two tables, one of commands and one of options.
 *
 * Options come before or after the command, as "--name VALUE", "--name=VALUE", "-nVALUE" or
 * "-n VALUE"; letters may be joined, a name may be shortened to a prefix that only one option of
 * the command has, and "--" ends options. What a command does not take is refused. The help comes
 * from the same tables. Pure: texts are returned, never printed, and the caller decides how to end.
 */

#include "lib/base/macro.h"

/* How an option's value is parsed, and the type of its field. */
typedef enum PlOptionKind {
        PL_OPTION_ASKED, /* --help and --version, which the caller answers; no field */
        PL_OPTION_FLAG,  /* bool */
        PL_OPTION_TEXT,  /* const char *, borrowed */
        PL_OPTION_URL,   /* likewise; a word without "://" is none, and then it is "" */
        PL_OPTION_SPAN,  /* uint64_t, microseconds, not 0 */
        PL_OPTION_COUNT, /* unsigned, not 0 */
        PL_OPTION_OWN,   /* set() knows */
} PlOptionKind;

typedef struct PlOption {
        const char *name;
        char letter;          /* 0: none */
        const char *argument; /* what its value is called; NULL: it takes none */
        /* Who takes it: "top wait"; "!import top": all but those; "": all, and the program itself.
         * Two options may have one name or letter as long as no command takes both, and both or
         * neither have a value. */
        const char *commands;
        PlOptionKind kind;
        size_t field; /* its offset in the program's struct */
        const char *help;
        /* PL_OPTION_OWN. Return: NULL, or what is wrong with the value: "not a count". */
        const char *(*set)(void *field, const char *value);
} PlOption;

struct PlCtl; /* what a command works on; known to the program alone */

typedef struct PlCommand {
        const char *name;
        const char *arguments; /* "", "NAME", "[FILE]", "[NAME...]": how many, and what they are */
        int (*run)(struct PlCtl *ctl);
        const char *help; /* half a line */
        const char *more; /* lines for its own --help; NULL: help will do */
} PlCommand;

typedef struct PlGrammar {
        const char *program, *about, *footer; /* footer: lines below the program's --help */
        const PlCommand *commands;            /* NULL: the program takes options alone */
        size_t n_commands;
        const PlOption *options;
        size_t n_options;
} PlGrammar;

typedef struct PlInvocation {
        const PlCommand *command; /* NULL: none was named, which only --help and --version allow */
        char **arguments;         /* NULL at the end; they themselves are borrowed from argv */
        int n_arguments;
        bool help, version; /* asked for; then nothing else has been checked */
} PlInvocation;

void pl_invocation_deinit(PlInvocation *i);

/**
 * pl_grammar_parse() - a whole command line
 * @argv: borrowed as long as what was set is used; argv[0] is skipped
 * @values: the struct that PlOption.field refers to; written to, also on failure
 * @ret: to be deinited; on failure only its command is set, if one was recognized
 * @reterr_what: one line about what is wrong, owned by the caller; NULL: out of memory
 * Return: 0, -EINVAL, -ENOMEM.
 */
int pl_grammar_parse(const PlGrammar *g, int argc, char **argv, void *values, PlInvocation *ret,
                     char **reterr_what);

/** pl_grammar_help() - of a command, or with NULL of the program. Return: lines, owned by the
 * caller; NULL: out of memory. */
char *pl_grammar_help(const PlGrammar *g, const PlCommand *command);
