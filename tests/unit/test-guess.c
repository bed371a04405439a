/* SPDX-License-Identifier: Apache-2.0 */

/* What a file is that somebody took for a policy, and what of it may be shown. */

#include "lib/policy/guess.h"

#include "unit.h"

#define TEXT(s) s, sizeof(s) - 1

static const struct {
        const char *text;
        size_t size;
        PlGuess guess;
        unsigned line;
} texts[] = {
        { TEXT(""), PL_GUESS_POLICY, 1 },
        { TEXT("[Daemon]\nDryRun=yes\n"), PL_GUESS_POLICY, 1 },
        { TEXT("\xef\xbb\xbf# x\n\n[Service a.b]\nMatch=name:a\n"), PL_GUESS_POLICY, 3 },
        { TEXT("[Service]\nMatch=name:a\n"), PL_GUESS_POLICY, 1 },
        { TEXT("DryRun=yes\n"), PL_GUESS_POLICY, 1 },
        { TEXT("DryRun: yes\n"), PL_GUESS_YAML, 1 },
        { TEXT("nonsense\n"), PL_GUESS_POLICY, 1 },
        { TEXT("\""), PL_GUESS_POLICY, 1 },
        { TEXT("\"a"), PL_GUESS_POLICY, 1 },
        { TEXT("\"a'"), PL_GUESS_POLICY, 1 },
        { TEXT("Engine=unix:///x\n"), PL_GUESS_POLICY, 1 },
        { TEXT("\n# compose\nversion: '3'\nservices:\n  a:\n"), PL_GUESS_COMPOSE, 3 },
        { TEXT("---\nfoo: bar\n"), PL_GUESS_YAML, 1 },
        { TEXT("\"quoted\": x\n"), PL_GUESS_YAML, 1 },
        { TEXT("- a\n- b\n"), PL_GUESS_YAML, 1 },
        { TEXT("services:"), PL_GUESS_COMPOSE, 1 },
        { TEXT("{\"services\":{}}"), PL_GUESS_JSON, 1 },
        { TEXT("[\n  {\"Id\": 1}\n]"), PL_GUESS_JSON, 1 },
        { TEXT("[{\"Id\": 1}]"), PL_GUESS_JSON, 1 },
        { TEXT("[1, 2]"), PL_GUESS_JSON, 1 },
        { TEXT("[\"a\"]"), PL_GUESS_JSON, 1 },
        { TEXT("[[service]]\nname = \"x\"\n"), PL_GUESS_TOML, 1 },
        { TEXT("[service.postgres]\nmemory = \"4G\"\n"), PL_GUESS_TOML, 1 },
        { TEXT("title = \"x\"\n"), PL_GUESS_TOML, 1 },
        { TEXT("[Unit]\nDescription=x\n"), PL_GUESS_UNIT, 1 },
        { TEXT("[Container]\nImage=x\n"), PL_GUESS_UNIT, 1 },
        { TEXT("[Service]\nExecStart=/bin/x\n"), PL_GUESS_UNIT, 1 },
        { TEXT("\xff\xfe[\0D\0"), PL_GUESS_UTF16, 1 },
        { TEXT("[\0D\0a\0"), PL_GUESS_UTF16, 1 },
        { TEXT("\0[\0D"), PL_GUESS_UTF16, 1 },
        { TEXT("\x1f\x8b\b\0"), PL_GUESS_BINARY, 1 },
        { TEXT("\x7f"
               "ELF\2\1"),
          PL_GUESS_BINARY, 1 },
        { TEXT("PK\3\4"), PL_GUESS_BINARY, 1 },
        { TEXT("PKG=1\n"), PL_GUESS_POLICY, 1 },
};

START_TEST(guess) {
        unsigned line = 0;
        PlGuess g = pl_guess(texts[_i].text, texts[_i].size, &line);

        ck_assert_msg(g == texts[_i].guess, "row %d: %d", _i, (int)g);
        ck_assert_uint_eq(line, texts[_i].line);
        ck_assert((pl_guess_what(g) == NULL) == (g == PL_GUESS_POLICY));
}
END_TEST

static const struct {
        const char *line, *shown;
} lines[] = {
        { "nonsense", "nonsense" },
        { "ELASTIC_PASSWORD=hunter2", "ELASTIC_PASSWORD…" },
        { "POSTGRES_PASSWORD: hunter2", "POSTGRES_PASSWORD…" },
        { "password hunter2", "password…" },
        { "\"password\": \"hunter2\"", "…" },
        { "{\"password\":\"hunter2\"}", "…" },
        { "[Quux x]", "[Quux x…" },
        { "[{\"hunter2\"}]", "[…" },
        { "\x1b[31m", "\\x1b[31m" },
}, values[] = {
        { "4G", "4G" },
        { "a b", "a b" },
        { "tcp://me:hunter2@host:2375", "tcp://…" },
        { "tcp://host:2375", "tcp://host:2375" },
        { "label:db.password=hunter2", "label:db.password=…" },
        { "header:Authorization: Bearer hunter2", "header:Authorization: …" },
        { "name:secret-keeper", "name:secret-keeper" },
        { "API_KEY = hunter2", "API_KEY = …" },
};

START_TEST(shown) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(lines); i++) {
                _cleanup_free_ char *text = pl_show_line(lines[i].line);

                ck_assert_str_eq(text, lines[i].shown);
        }
        for (size_t i = 0; i < PL_ARRAY_SIZE(values); i++) {
                _cleanup_free_ char *text = pl_show_value(values[i].line);

                ck_assert_str_eq(text, values[i].shown);
        }
}
END_TEST

int main(void) {
        TCase *t = tcase_create("guess");

        tcase_add_loop_test(t, guess, 0, PL_ARRAY_SIZE(texts));
        tcase_add_test(t, shown);
        return run_case(t);
}
