/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of plimsollctl: who takes which option, in every order, and how it is explained. */
int plimsollctl_main(int argc, char **argv);
#define main plimsollctl_main
#include "plimsollctl.c"
#undef main

#include "unit.h"

/* clang-format off */
static const struct {
        const char *command, *options;
} takers[] = {
        { "status", "control json" },
        { "show", "control json state" },
        { "probe", "control json" },
        { "why", "control json all state" },
        { "top", "control json interval iterations" },
        { "events", "control json" },
        { "wait", "control json for timeout" },
        { "reload", "control json" },
        { "rotate", "control json" },
        { "notify", "control json" },
        { "logs", "control json since until tail follow grep ignore-case stdout stderr timestamps "
                  "details container path archive" },
        { "check", "control json verbose engine policy" },
        { "match", "control json all engine policy" },
        { "import", "json compose engine" },
        { "adopt-logs", "json dry-run yes max-size max-files engine engine-pid at-start root policy "
                        "archive" },
        { "help", "" },
};

_Static_assert(PL_ARRAY_SIZE(takers) == PL_ARRAY_SIZE(commands), "each command has a row here");

static const struct {
        const char *option, *value, *bad; /* NULL: it has none; every value is good */
} values[] = {
        { "control", "/x", NULL },
        { "json", NULL, NULL },
        { "for", "running", NULL },
        { "timeout", "5s", "soon" },
        { "interval", "5s", "0" },
        { "iterations", "5", "0" },
        { "all", NULL, NULL },
        { "verbose", NULL, NULL },
        { "compose", NULL, NULL },
        { "all", NULL, NULL },
        { "since", "2026-01-02T03:04:05Z", "soon" },
        { "until", "2026-01-02T03:04:05Z", "soon" },
        { "tail", "5", NULL },
        { "follow", NULL, NULL },
        { "grep", "x", NULL },
        { "ignore-case", NULL, NULL },
        { "stdout", NULL, NULL },
        { "stderr", NULL, NULL },
        { "timestamps", NULL, NULL },
        { "details", NULL, NULL },
        { "dry-run", NULL, NULL },
        { "yes", NULL, NULL },
        { "max-size", "10M", "1K" },
        { "max-files", "5", "0" },
        { "engine", "unix:///x", NULL },
        { "engine-pid", "5", "1" },
        { "at-start" },
        { "root", "/data", NULL },
        { "policy", "/x", NULL },
        { "archive", "/x", NULL },
        { "state", "/x", NULL },
        { "path", "/x", NULL },
        { "container", "0123", NULL },
};
/* clang-format on */

static bool has_word(const char *list, const char *word) {
        char padded[256], needle[64];

        (void)snprintf(padded, sizeof(padded), " %s ", list);
        (void)snprintf(needle, sizeof(needle), " %s ", word);
        return strstr(padded, needle) != NULL;
}

/* Up to ten words. Return: NULL: good; what is wrong, to be freed. */
static char *parse(PlCtl *ret, char *const *words) {
        _cleanup_(pl_invocation_deinit) PlInvocation invocation = {};
        char *argv[12] = { (char *)"plimsollctl" }, *what = NULL;
        int argc = 1;

        while (*words)
                argv[argc++] = *words++;
        memset(ret, 0, sizeof(*ret));
        if (pl_grammar_parse(&grammar, argc, argv, ret, &invocation, &what) == 0)
                ck_assert_ptr_null(what);
        else
                ck_assert_ptr_nonnull(what);
        return what;
}

/* The option before and behind the command and its argument, as words and as one. */
static void each_order(const char *name, const char *argument, const char *option,
                       const char *value, bool taken) {
        char dashed[64], joined[96], refused[128];
        char *n = (char *)name, *a = (char *)argument, *o = dashed, *v = (char *)value;
        PlCtl ctl, first, none = {};

        (void)snprintf(dashed, sizeof(dashed), "--%s", option);
        (void)snprintf(joined, sizeof(joined), "--%s=%s", option, value ? value : "");
        (void)snprintf(refused, sizeof(refused), "%s takes no --%s; ", name, option);
        char *const orders[][6] = {
                { o, v ? v : n, v ? n : a, v ? a : NULL, NULL },
                { n, o, v ? v : a, v ? a : NULL, NULL },
                { n, a ? a : o, a ? o : v, a ? v : NULL, NULL },
                { joined, n, a, NULL },
                { n, a ? a : joined, a ? joined : NULL, NULL },
        };
        for (size_t i = 0; i < PL_ARRAY_SIZE(orders) - (value ? 0 : 2); i++) {
                _cleanup_free_ char *what = parse(&ctl, orders[i]);

                if (taken)
                        ck_assert_msg(!what, "%s --%s, order %zu: %s", name, option, i, what);
                else
                        ck_assert_msg(what && pl_startswith(what, refused),
                                      "%s --%s, order %zu: %s", name, option, i,
                                      what ? what : "taken");
                if (i == 0)
                        first = ctl;
                ck_assert_msg(!taken || memcmp(&ctl, &none, sizeof(ctl)) != 0, "%s --%s: not set",
                              name, option);
                ck_assert_msg(i > 2 || memcmp(&ctl, &first, sizeof(ctl)) == 0,
                              "%s --%s: order %zu sets something else", name, option, i);
        }
}

START_TEST(every_option) {
        const PlCommand *c = &commands[_i];
        const char *argument = strchr(c->arguments, 'E') ? "web" : NULL; /* NAME, FILE */

        ck_assert_str_eq(c->name, takers[_i].command);
        for (size_t i = 0; i < PL_ARRAY_SIZE(values); i++)
                each_order(c->name, argument, values[i].option, values[i].value,
                           has_word(takers[_i].options, values[i].option));
}
END_TEST

START_TEST(bad_values) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(values); i++) {
                char option[96], start[128];
                PlCtl ctl;

                if (!values[i].bad || !has_word(takers[_i].options, values[i].option))
                        continue;
                (void)snprintf(option, sizeof(option), "--%s=%s", values[i].option, values[i].bad);
                (void)snprintf(start, sizeof(start), "--%s %s: not a", values[i].option,
                               values[i].bad);
                char *words[] = { (char *)takers[_i].command, option, (char *)"web", NULL };
                _cleanup_free_ char *what = parse(&ctl, words);
                ck_assert_msg(what && pl_startswith(what, start), "%s: %s", option, what);
        }
}
END_TEST

/* What pl_grammar_parse() relies on, and what the tables of this test have to know. */
START_TEST(tables_agree) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(options); i++) {
                const PlOption *o = &options[i];
                bool known = o->kind == PL_OPTION_ASKED;

                for (size_t k = 0; k < PL_ARRAY_SIZE(values); k++)
                        if (pl_streq(values[k].option, o->name)) {
                                known = true;
                                ck_assert_msg(!values[k].value == !o->argument, "--%s", o->name);
                        }
                ck_assert_msg(known, "--%s: no row in this test", o->name);
                ck_assert_msg((o->kind != PL_OPTION_ASKED &&
                               (o->kind == PL_OPTION_OWN) == (o->set != NULL)) ||
                                              pl_streq(o->name, "help") ||
                                              pl_streq(o->name, "version"),
                              "--%s: no setter", o->name);
                for (size_t k = i + 1; k < PL_ARRAY_SIZE(options); k++)
                        if (pl_streq(o->name, options[k].name) ||
                            (o->letter && o->letter == options[k].letter))
                                ck_assert_msg(!o->argument == !options[k].argument,
                                              "--%s and --%s: one has a value", o->name,
                                              options[k].name);
                _cleanup_free_ char *list = strdup(o->commands + (*o->commands == '!'));
                char *save = NULL;
                for (char *w = strtok_r(list, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
                        bool found = false;

                        for (size_t k = 0; k < PL_ARRAY_SIZE(commands); k++)
                                found = found || pl_streq(commands[k].name, w);
                        ck_assert_msg(found, "--%s: no command %s", o->name, w);
                }
        }
}
END_TEST

static void assert_fits(const char *name, const char *text) {
        unsigned lines = 0;

        for (const char *p = text; *p; lines++) {
                size_t n = strcspn(p, "\n");

                ck_assert_msg(n <= 80, "%s: %.*s", name, (int)n, p);
                ck_assert_msg(n == 0 || p[n - 1] != ' ', "%s: %.*s", name, (int)n, p);
                p += n + (p[n] == '\n');
        }
        ck_assert_msg(lines <= 24, "%s: %u lines", name, lines);
}

START_TEST(help_fits_a_screen) {
        _cleanup_free_ char *all = pl_grammar_help(&grammar, NULL);

        assert_fits("plimsollctl", all);
        for (size_t i = 0; i < PL_ARRAY_SIZE(commands); i++) {
                _cleanup_free_ char *text = pl_grammar_help(&grammar, &commands[i]);

                assert_fits(commands[i].name, text);
        }
        for (size_t i = 0; i < PL_ARRAY_SIZE(topics); i++) {
                assert_fits(topics[i].name, topics[i].text);
                ck_assert_msg(strstr(commands[PL_ARRAY_SIZE(commands) - 1].help, topics[i].name),
                              "help does not name the topic %s", topics[i].name);
        }
}
END_TEST

/* clang-format off */
static const struct {
        const char *words[5], *what;
} mistakes[] = {
        { { "show" }, "show needs a NAME" },
        { { "rotate" }, "rotate needs a NAME" },
        { { "logs", "a", "b" }, "too many arguments for logs: \"b\"" },
        { { "status", "web" }, "too many arguments for status: \"web\"" },
        { { "sttus" }, "no command \"sttus\"; did you mean status?" },
        { { "adopt" }, "no command \"adopt\"; did you mean adopt-logs?" },
        { { "logs", "web", "--folow" }, "no option --folow; did you mean --follow?" },
        { { "check", "--for", "running" }, "check takes no --for; wait does" },
        { { "status", "-f" }, "status takes no -f; logs does" },
        { { "--control", "/x" }, "which command?" },
};
/* clang-format on */

START_TEST(mistake) {
        char *words[6] = {};
        PlCtl ctl;

        for (size_t i = 0; i < PL_ARRAY_SIZE(mistakes[_i].words); i++)
                words[i] = (char *)mistakes[_i].words[i];
        _cleanup_free_ char *what = parse(&ctl, words);
        ck_assert_msg(pl_streq_null(what, mistakes[_i].what), "%s: %s", words[0], what);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, every_option, 0, PL_ARRAY_SIZE(commands));
        tcase_add_loop_test(c, bad_values, 0, PL_ARRAY_SIZE(commands));
        tcase_add_test(c, tables_agree);
        tcase_add_test(c, help_fits_a_screen);
        tcase_add_loop_test(c, mistake, 0, PL_ARRAY_SIZE(mistakes));
        return run_case(c);
}
