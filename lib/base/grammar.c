/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Grammar.
 *
 * Two passes, because an option may stand before the command that says what it means: the first
 * takes the words apart, which only takes knowing whether an option has a value; the second looks
 * each option up among those of the command and sets it.
 */

#include "lib/base/grammar.h"

#include <errno.h>
#include <stdarg.h>

#include "lib/base/similar.h"
#include "lib/base/unit.h"

#define COLUMN_MAX 34 /* of --help: explanations start here at the latest */

/* An option as it was written. */
typedef struct Given {
        const PlOption *row; /* one of its name or letter, not always that of the command */
        char letter;         /* 0: it was written as a name */
        const char *value;
} Given;

typedef struct Parser {
        const PlGrammar *grammar;
        PlInvocation *result;
        Given *given;
        size_t n_given;
        char **next; /* the words that are left, NULL at the end */
        char **reterr_what;
} Parser;

static int PL_PRINTF(2, 3) wrong(Parser *p, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        if (vasprintf(p->reterr_what, format, ap) < 0)
                *p->reterr_what = NULL;
        va_end(ap);
        return *p->reterr_what ? -EINVAL : -ENOMEM;
}

/* ---- tables ---- */

static bool has_word(const char *list, const char *word) {
        size_t n = strlen(word);

        for (const char *p = list; (p = strstr(p, word)); p += n)
                if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
                        return true;
        return false;
}

static bool takes(const PlCommand *c, const PlOption *o) {
        if (*o->commands == '\0')
                return true;
        if (*o->commands == '!')
                return c && !has_word(o->commands + 1, c->name);
        return c && has_word(o->commands, c->name);
}

/* From "NAME", "[NAME]" and "[NAME...]". */
static void count_arguments(const PlCommand *c, int *ret_min, int *ret_max) {
        *ret_min = *ret_max = *c->arguments != '\0';
        if (*c->arguments == '[')
                *ret_min = 0;
        if (strstr(c->arguments, "..."))
                *ret_max = INT32_MAX;
}

static const PlCommand *find_command(const PlGrammar *g, const char *name) {
        for (size_t i = 0; i < g->n_commands; i++)
                if (pl_streq(g->commands[i].name, name))
                        return &g->commands[i];
        return NULL;
}

/* ---- the first pass ---- */

static const char *command_at(const void *userdata, size_t i) {
        const PlGrammar *g = userdata;

        return i < g->n_commands ? g->commands[i].name : NULL;
}

/* Names of the command's options before others: the nearer of two is taken if it is as near. */
static const char *option_at(const void *userdata, size_t i) {
        const Parser *p = userdata;
        const PlGrammar *g = p->grammar;

        for (unsigned pass = 0; pass < 2; pass++)
                for (size_t k = 0; k < g->n_options; k++)
                        if (takes(p->result->command, &g->options[k]) == (pass == 0) && i-- == 0)
                                return g->options[k].name;
        return NULL;
}

static int no_option(Parser *p, const char *name) {
        const char *similar = pl_similar(name, option_at, p);

        return similar ? wrong(p, "no option --%s; did you mean --%s?", name, similar)
                       : wrong(p, "no option --%s", name);
}

/* The one option with this prefix: of the command, or before it of all commands. */
static int find_prefix(Parser *p, const char *name, const PlOption **ret) {
        const PlGrammar *g = p->grammar;
        const PlOption *found = NULL;

        for (size_t i = 0; i < g->n_options; i++) {
                const PlOption *o = &g->options[i];

                if (!pl_startswith(o->name, name) ||
                    (p->result->command && !takes(p->result->command, o)))
                        continue;
                if (found && !pl_streq(found->name, o->name))
                        return wrong(p, "--%s may be --%s or --%s", name, found->name, o->name);
                found = o;
        }
        *ret = found;
        return found ? 0 : no_option(p, name);
}

static int find_name(Parser *p, const char *name, const PlOption **ret) {
        const PlGrammar *g = p->grammar;

        for (size_t i = 0; i < g->n_options; i++)
                if (pl_streq(g->options[i].name, name)) {
                        *ret = &g->options[i];
                        return 0;
                }
        return *name ? find_prefix(p, name, ret) : no_option(p, name);
}

static int find_letter(Parser *p, char letter, const PlOption **ret) {
        const PlGrammar *g = p->grammar;

        for (size_t i = 0; i < g->n_options; i++)
                if (g->options[i].letter == letter) {
                        *ret = &g->options[i];
                        return 0;
                }
        return wrong(p, "no option -%c", letter);
}

/* The command's own row may say so; before the command each has its value. */
static bool is_left_out(const Parser *p, const PlOption *o) {
        const PlGrammar *g = p->grammar;

        for (size_t i = 0; i < g->n_options; i++)
                if (pl_streq(g->options[i].name, o->name) &&
                    takes(p->result->command, &g->options[i]) &&
                    g->options[i].kind == PL_OPTION_URL)
                        return p->result->command && !(*p->next && strstr(*p->next, "://"));
        return false;
}

static int take(Parser *p, const PlOption *o, char letter, const char *value) {
        if (o->argument && !value)
                value = is_left_out(p, o) ? "" : *p->next ? *p->next++ : NULL;
        if (o->argument && !value)
                return letter ? wrong(p, "-%c needs a %s", letter, o->argument)
                              : wrong(p, "--%s needs a %s", o->name, o->argument);
        if (o->kind == PL_OPTION_ASKED && pl_streq(o->name, "help"))
                p->result->help = true;
        else if (o->kind == PL_OPTION_ASKED)
                p->result->version = true;
        p->given[p->n_given++] = (Given){ o, letter, value };
        return 0;
}

static int take_long(Parser *p, char *word) {
        const char *value = strchr(word, '=');
        _cleanup_free_ char *name = value ? strndup(word, (size_t)(value - word)) : strdup(word);
        const PlOption *o = NULL;
        int r;

        if (!name)
                return -ENOMEM;
        r = find_name(p, name, &o);
        if (r < 0)
                return r;
        if (value && !o->argument)
                return wrong(p, "--%s has no value", o->name);
        return take(p, o, 0, value ? value + 1 : NULL);
}

static int take_letters(Parser *p, const char *letters) {
        bool more = true;
        int r = 0;

        for (; r == 0 && more && *letters; letters++) {
                const PlOption *o = NULL;

                r = find_letter(p, *letters, &o);
                if (r < 0)
                        break;
                r = take(p, o, *letters, o->argument && letters[1] ? letters + 1 : NULL);
                more = !o->argument && !p->result->help && !p->result->version;
        }
        return r;
}

static int take_operand(Parser *p, char *word) {
        const PlGrammar *g = p->grammar;
        PlInvocation *result = p->result;

        if (result->command) {
                result->arguments[result->n_arguments++] = word;
                return 0;
        }
        if (!g->commands)
                return wrong(p, "unexpected argument \"%s\"", word);
        result->command = find_command(g, word);
        if (result->command)
                return 0;
        const char *similar = pl_similar(word, command_at, g);
        return similar ? wrong(p, "no command \"%s\"; did you mean %s?", word, similar)
                       : wrong(p, "no command \"%s\"", word);
}

static int take_words(Parser *p) {
        bool options = true;
        int r = 0;

        while (r == 0 && *p->next && !p->result->help && !p->result->version) {
                char *word = *p->next++;

                if (!options || word[0] != '-' || word[1] == '\0')
                        r = take_operand(p, word);
                else if (pl_streq(word, "--"))
                        options = false;
                else
                        r = word[1] == '-' ? take_long(p, word + 2) : take_letters(p, word + 1);
        }
        if (p->result->help && !p->result->command && *p->next) /* "--help logs" */
                p->result->command = find_command(p->grammar, *p->next);
        return r;
}

/* ---- the second pass ---- */

static bool is_same(const PlOption *o, const Given *given) {
        return given->letter ? o->letter == given->letter : pl_streq(o->name, given->row->name);
}

/* The command's row for it; NULL: the command does not take it. */
static const PlOption *find_own(const PlGrammar *g, const PlCommand *c, const Given *given) {
        for (size_t i = 0; i < g->n_options; i++)
                if (is_same(&g->options[i], given) && takes(c, &g->options[i]))
                        return &g->options[i];
        return NULL;
}

/* "wait does", "show and others do": who takes what the command does not. */
static int not_taken(Parser *p, const Given *given) {
        const PlGrammar *g = p->grammar;
        const char *who = NULL, letter[] = { '-', given->letter, '\0' };
        unsigned n = 0;

        for (size_t i = 0; i < g->n_commands; i++)
                if (find_own(g, &g->commands[i], given) && n++ == 0)
                        who = g->commands[i].name;
        return wrong(p, "%s takes no %s%s; %s %s", p->result->command->name,
                     given->letter ? letter : "--", given->letter ? "" : given->row->name,
                     who ?: "nothing", n > 1 ? "and others do" : "does");
}

static const char *set(const PlOption *o, void *field, const char *value) {
        uint64_t n;

        switch (o->kind) {
        case PL_OPTION_ASKED:
                break;
        case PL_OPTION_FLAG:
                *(bool *)field = true;
                break;
        case PL_OPTION_TEXT:
        case PL_OPTION_URL:
                *(const char **)field = value;
                break;
        case PL_OPTION_SPAN:
                if (pl_parse_sec(value, &n) < 0 || n == 0)
                        return "not a time span; 30s, 5min and 1h are";
                *(uint64_t *)field = n;
                break;
        case PL_OPTION_COUNT:
                if (pl_parse_uint64(value, &n) < 0 || n == 0 || n > INT32_MAX)
                        return "not a count";
                *(unsigned *)field = (unsigned)n;
                break;
        case PL_OPTION_OWN:
                return o->set(field, value);
        }
        return NULL;
}

static int set_all(Parser *p, void *values) {
        for (size_t i = 0; i < p->n_given; i++) {
                const Given *given = &p->given[i];
                const PlOption *o = find_own(p->grammar, p->result->command, given);

                if (!o)
                        return not_taken(p, given);
                const char *bad = set(o, (char *)values + o->field, given->value);
                if (bad)
                        return wrong(p, "--%s %s: %s", o->name, given->value ?: "", bad);
        }
        return 0;
}

static int check_arguments(Parser *p) {
        const PlInvocation *result = p->result;
        int min, max;

        count_arguments(result->command, &min, &max);
        if (result->n_arguments < min)
                return wrong(p, "%s needs a %s", result->command->name, result->command->arguments);
        if (result->n_arguments > max)
                return wrong(p, "too many arguments for %s: \"%s\"", result->command->name,
                             result->arguments[max]);
        return 0;
}

void pl_invocation_deinit(PlInvocation *i) {
        free(i->arguments);
        *i = (PlInvocation){ 0 };
}

static int parse(Parser *p, void *values) {
        PlInvocation *result = p->result;
        int r = take_words(p);

        if (r < 0 || result->help || result->version)
                return r;
        if (p->grammar->commands && !result->command)
                return wrong(p, "which command?");
        r = set_all(p, values);
        return r == 0 && result->command ? check_arguments(p) : r;
}

int pl_grammar_parse(const PlGrammar *g, int argc, char **argv, void *values, PlInvocation *ret,
                     char **reterr_what) {
        size_t n_letters = 0;

        /* each letter of a word may be an option */
        for (int i = 1; i < argc; i++)
                n_letters += strlen(argv[i]) + 1;
        *reterr_what = NULL;
        *ret = (PlInvocation){ .arguments = calloc((size_t)argc + 1, sizeof(char *)) };
        _cleanup_free_ Given *given = calloc(n_letters + 1, sizeof(*given));
        Parser p = { .grammar = g, .result = ret, .given = given, .reterr_what = reterr_what };
        p.next = argc > 0 ? argv + 1 : argv;
        int r = given && ret->arguments ? parse(&p, values) : -ENOMEM;
        if (r < 0) {
                const PlCommand *command = ret->command;

                pl_invocation_deinit(ret);
                ret->command = command;
        }
        return r;
}

/* ---- help ---- */

static int width_of(const PlOption *o) {
        return (int)(strlen(o->name) + (o->argument ? strlen(o->argument) + 1 : 0));
}

static void print_option(FILE *f, const PlOption *o, int width) {
        const char *argument = o->argument ?: "";

        if (o->letter)
                (void)fprintf(f, "  -%c, ", o->letter);
        else
                (void)fputs("      ", f);
        (void)fprintf(f, "--%s%s%-*s  %s\n", o->name, *argument ? " " : "",
                      PL_MAX(width - (int)strlen(o->name) - (*argument != '\0'), 0), argument,
                      o->help);
}

/* A command's own; of the program those that more or less all commands take. */
static bool is_listed(const PlCommand *command, const PlOption *o) {
        if (command)
                return o->kind != PL_OPTION_ASKED && takes(command, o);
        return *o->commands == '\0' || *o->commands == '!';
}

static void print_options(FILE *f, const PlGrammar *g, const PlCommand *command) {
        int width = 0;

        for (size_t i = 0; i < g->n_options; i++)
                if (is_listed(command, &g->options[i]))
                        width = PL_MAX(width, PL_MIN(width_of(&g->options[i]), COLUMN_MAX));
        if (width > 0)
                (void)fputc('\n', f);
        for (size_t i = 0; i < g->n_options; i++)
                if (is_listed(command, &g->options[i]))
                        print_option(f, &g->options[i], width);
}

static void print_commands(FILE *f, const PlGrammar *g) {
        int width = 0;

        for (size_t i = 0; i < g->n_commands; i++)
                width = PL_MAX(width, (int)(strlen(g->commands[i].name) + 1 +
                                            strlen(g->commands[i].arguments)));
        (void)fputc('\n', f);
        for (size_t i = 0; i < g->n_commands; i++) {
                const PlCommand *c = &g->commands[i];

                (void)fprintf(f, "  %s %-*s  %s\n", c->name, width - (int)strlen(c->name) - 1,
                              c->arguments, c->help);
        }
}

char *pl_grammar_help(const PlGrammar *g, const PlCommand *command) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        if (command)
                (void)fprintf(f, "%s %s [OPTION...]%s%s\n%s\n", g->program, command->name,
                              *command->arguments ? " " : "", command->arguments,
                              command->more ?: command->help);
        else
                (void)fprintf(f, "%s [OPTION...]%s\n%s\n", g->program,
                              g->commands ? " COMMAND [ARGUMENT...]" : "", g->about);
        if (!command && g->commands)
                print_commands(f, g);
        print_options(f, g, command);
        if (!command && g->footer)
                (void)fprintf(f, "\n%s\n", g->footer);
        return pl_take_text(f, &text);
}
