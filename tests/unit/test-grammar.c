/* SPDX-License-Identifier: Apache-2.0 */
/* A command line taken apart: in every order and spelling, and with every mistake. */
#include "lib/base/grammar.h"
#include "unit.h"

typedef struct Values {
        const char *text;
        bool flag, other;
        uint64_t span;
        unsigned count;
} Values;

/* clang-format off */
#define IN(member) offsetof(Values, member)
static const PlCommand commands[] = {
        { "copy", "FILE", NULL, "copies one", NULL },
        { "list", "[FILE...]", NULL, "lists some", "Lists some files,\nor all." },
        { "check", "[FILE]", NULL, "checks one", NULL },
        { "quit", "", NULL, "ends", NULL },
};
static const PlOption options[] = {
        { "text", 't', "TEXT", "", PL_OPTION_TEXT, IN(text), "a text" },
        { "force", 'f', NULL, "copy", PL_OPTION_FLAG, IN(flag), "in any case" },
        { "follow", 'F', NULL, "list", PL_OPTION_FLAG, IN(flag), "go on" },
        { "wait", 0, "SPAN", "!quit list", PL_OPTION_SPAN, IN(span), "so long" },
        { "number", 'n', "N", "copy", PL_OPTION_COUNT, IN(count), "so many" },
        { "lines", 'n', "N", "list check", PL_OPTION_COUNT, IN(count), "so many lines" },
        { "url", 0, "URL", "copy", PL_OPTION_TEXT, IN(text), "there" },
        { "url", 0, "[URL]", "list", PL_OPTION_URL, IN(text), "there, or where it is usual" },
        { "verbose", 'v', NULL, "list", PL_OPTION_FLAG, IN(other), "more" },
        { "version", 0, NULL, "", PL_OPTION_ASKED, 0, "of this" },
        { "help", 'h', NULL, "", PL_OPTION_ASKED, 0, "this" },
};
static const PlGrammar with_commands = {
        "tool", "Works.", "See tool(1).",
        commands, PL_ARRAY_SIZE(commands), options, PL_ARRAY_SIZE(options),
};
static const PlOption plain_options[] = {
        { "text", 't', "TEXT", "", PL_OPTION_TEXT, IN(text), "a text" },
        { "flag", 'f', NULL, "", PL_OPTION_FLAG, IN(flag), "a flag" },
        { "help", 'h', NULL, "", PL_OPTION_ASKED, 0, "this" },
};
static const PlGrammar without = {
        "tool", "Works.", NULL, NULL, 0, plain_options, PL_ARRAY_SIZE(plain_options),
};

/* What came of it: "COMMAND text flag other span count | ARGUMENTS"; or what is wrong. */
static const struct {
        const PlGrammar *grammar;
        const char *line, *result;
} rows[] = {
        { &with_commands, "copy a", "copy - 0 0 0 0 | a" },
        { &with_commands, "list --url", "list  0 0 0 0 |" },
        { &with_commands, "list --url a", "list  0 0 0 0 | a" },
        { &with_commands, "list --url -v", "list  0 1 0 0 |" },
        { &with_commands, "list --url a://b", "list a://b 0 0 0 0 |" },
        { &with_commands, "list --url a://b c", "list a://b 0 0 0 0 | c" },
        { &with_commands, "list --url=b c", "list b 0 0 0 0 | c" },
        { &with_commands, "--url b list", "list b 0 0 0 0 |" },
        { &with_commands, "copy --url b c", "copy b 0 0 0 0 | c" },
        { &with_commands, "copy a -f", "copy - 1 0 0 0 | a" },
        { &with_commands, "-f copy a", "copy - 1 0 0 0 | a" },
        { &with_commands, "copy -f a", "copy - 1 0 0 0 | a" },
        { &with_commands, "--text x copy a", "copy x 0 0 0 0 | a" },
        { &with_commands, "copy a --text x", "copy x 0 0 0 0 | a" },
        { &with_commands, "copy --text=x a", "copy x 0 0 0 0 | a" },
        { &with_commands, "copy --text= a", "copy  0 0 0 0 | a" },
        { &with_commands, "--te x copy a", "copy x 0 0 0 0 | a" },
        { &with_commands, "-tx copy a", "copy x 0 0 0 0 | a" },
        { &with_commands, "-t x copy a", "copy x 0 0 0 0 | a" },
        { &with_commands, "-t -f copy a", "copy -f 0 0 0 0 | a" },
        { &with_commands, "-fn5 copy a", "copy - 1 0 0 5 | a" },
        { &with_commands, "copy a -fn 5 --wait 2s", "copy - 1 0 2000000 5 | a" },
        { &with_commands, "-n 7 list a b", "list - 0 0 0 7 | a b" },
        { &with_commands, "list --fo -v --lines 7", "list - 1 1 0 7 |" },
        { &with_commands, "list -- -v --lines", "list - 0 0 0 0 | -v --lines" },
        { &with_commands, "-- list -", "list - 0 0 0 0 | -" },
        { &with_commands, "check - --wait 1", "check - 0 0 1000000 0 | -" },
        { &with_commands, "quit", "quit - 0 0 0 0 |" },
        { &with_commands, "copy -f -t x -t y a", "copy y 1 0 0 0 | a" },
        { &with_commands, "--help", "help" },
        { &with_commands, "copy -h", "copy help" },
        { &with_commands, "--help copy", "copy help" },
        { &with_commands, "copy --help --nonsense", "copy help" },
        { &with_commands, "copy -fh", "copy help" },
        { &with_commands, "--version", "version" },

        { &with_commands, "", "which command?" },
        { &with_commands, "-t x", "which command?" },
        { &with_commands, "cpy a", "no command \"cpy\"; did you mean copy?" },
        { &with_commands, "nonsense", "no command \"nonsense\"" },
        { &with_commands, "copy", "copy needs a FILE" },
        { &with_commands, "copy a b", "too many arguments for copy: \"b\"" },
        { &with_commands, "check a b", "too many arguments for check: \"b\"" },
        { &with_commands, "quit a", "too many arguments for quit: \"a\"" },
        { &with_commands, "copy --nonsense a", "no option --nonsense" },
        { &with_commands, "list --folow", "no option --folow; did you mean --follow?" },
        { &with_commands, "copy --forse a", "no option --forse; did you mean --force?" },
        { &with_commands, "copy --=x a", "no option --" },
        { &with_commands, "copy -x a", "no option -x" },
        { &with_commands, "--fo copy a", "--fo may be --force or --follow" },
        { &with_commands, "list --ver", "--ver may be --verbose or --version" },
        { &with_commands, "copy --text", "--text needs a TEXT" },
        { &with_commands, "copy a -t", "-t needs a TEXT" },
        { &with_commands, "copy a --force=yes", "--force has no value" },
        { &with_commands, "--follow copy a", "copy takes no --follow; list does" },
        { &with_commands, "copy a --follow", "copy takes no --follow; list does" },
        { &with_commands, "copy -F a", "copy takes no -F; list does" },
        { &with_commands, "quit -n 1", "quit takes no -n; copy and others do" },
        { &with_commands, "quit --wait 1", "quit takes no --wait; copy and others do" },
        { &with_commands, "copy a --wait soon", "--wait soon: not a time span; 30s, 5min and 1h are" },
        { &with_commands, "copy a --wait 0", "--wait 0: not a time span; 30s, 5min and 1h are" },
        { &with_commands, "copy a -n 0", "--number 0: not a count" },
        { &with_commands, "copy a -n -1", "--number -1: not a count" },
        { &with_commands, "list -n 9999999999", "--lines 9999999999: not a count" },

        { &without, "", "- - 0 0 0 0 |" },
        { &without, "-f --text x", "- x 1 0 0 0 |" },
        { &without, "x", "unexpected argument \"x\"" },
        { &without, "-f -- x", "unexpected argument \"x\"" },
        { &without, "--flags", "no option --flags; did you mean --flag?" },
        { &without, "-fh", "help" },
};
/* clang-format on */

static char *result_of(const PlGrammar *g, int argc, char **argv) {
        _cleanup_(pl_invocation_deinit) PlInvocation i = {};
        char *what = NULL, *text = NULL;
        Values v = {};
        size_t size = 0;

        if (pl_grammar_parse(g, argc, argv, &v, &i, &what) < 0)
                return what;
        FILE *f = open_memstream(&text, &size);
        ck_assert_ptr_nonnull(f);
        if (i.help || i.version)
                (void)fprintf(f, "%s%s%s", i.command ? i.command->name : "", i.command ? " " : "",
                              i.help ? "help" : "version");
        else
                (void)fprintf(f, "%s %s %d %d %" PRIu64 " %u |", i.command ? i.command->name : "-",
                              v.text ? v.text : "-", v.flag, v.other, v.span, v.count);
        for (int k = 0; !i.help && !i.version && k < i.n_arguments; k++)
                (void)fprintf(f, " %s", i.arguments[k]);
        (void)fclose(f);
        return text;
}

START_TEST(parse) {
        char line[128], *argv[16] = { (char *)"tool" }, *save = NULL;
        int argc = 1;

        (void)snprintf(line, sizeof(line), "%s", rows[_i].line);
        for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
                argv[argc++] = w;
        _cleanup_free_ char *result = result_of(rows[_i].grammar, argc, argv);
        ck_assert_msg(pl_streq_null(result, rows[_i].result), "'%s': %s", rows[_i].line, result);
}
END_TEST

/* A program that was started without even a name. */
START_TEST(no_words) {
        char *argv[] = { NULL };
        _cleanup_free_ char *result = result_of(&with_commands, 0, argv);

        ck_assert_str_eq(result, "which command?");
}
END_TEST

START_TEST(help) {
        _cleanup_free_ char *all = pl_grammar_help(&with_commands, NULL);
        _cleanup_free_ char *list = pl_grammar_help(&with_commands, &commands[1]);
        _cleanup_free_ char *quit = pl_grammar_help(&with_commands, &commands[3]);
        _cleanup_free_ char *plain = pl_grammar_help(&without, NULL);

        ck_assert_str_eq(all, "tool [OPTION...] COMMAND [ARGUMENT...]\n"
                              "Works.\n"
                              "\n"
                              "  copy FILE       copies one\n"
                              "  list [FILE...]  lists some\n"
                              "  check [FILE]    checks one\n"
                              "  quit            ends\n"
                              "\n"
                              "  -t, --text TEXT  a text\n"
                              "      --wait SPAN  so long\n"
                              "      --version    of this\n"
                              "  -h, --help       this\n"
                              "\n"
                              "See tool(1).\n");
        ck_assert_str_eq(list, "tool list [OPTION...] [FILE...]\n"
                               "Lists some files,\n"
                               "or all.\n"
                               "\n"
                               "  -t, --text TEXT  a text\n"
                               "  -F, --follow     go on\n"
                               "  -n, --lines N    so many lines\n"
                               "      --url [URL]  there, or where it is usual\n"
                               "  -v, --verbose    more\n");
        ck_assert_str_eq(quit, "tool quit [OPTION...]\nends\n\n  -t, --text TEXT  a text\n");
        ck_assert_str_eq(plain, "tool [OPTION...]\nWorks.\n\n"
                                "  -t, --text TEXT  a text\n"
                                "  -f, --flag       a flag\n"
                                "  -h, --help       this\n");
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, parse, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(c, no_words);
        tcase_add_test(c, help);
        return run_case(c);
}
