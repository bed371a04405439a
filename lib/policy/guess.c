/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Guess: see the header.
 */

#include "lib/policy/guess.h"

#include <strings.h>

#include "lib/base/quote.h"

#define SHOWN_MAX  80
#define IDENTIFIER "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

/* --- what it is */

static bool is_utf16(const unsigned char *s, size_t size) {
        if (size >= 2 && ((s[0] == 0xff && s[1] == 0xfe) || (s[0] == 0xfe && s[1] == 0xff)))
                return true;
        return size >= 4 && ((s[0] && !s[1] && s[2] && !s[3]) || (!s[0] && s[1] && !s[2] && s[3]));
}

/* Programs, archives, data bases: by their first bytes. */
static bool is_binary(const char *s, size_t size) {
        static const char *const begins[] = { "\x7f"
                                              "ELF",
                                              "\x1f\x8b",
                                              "PK\x03\x04",
                                              "\xfd"
                                              "7zXZ",
                                              "\x28\xb5\x2f\xfd",
                                              "BZh9",
                                              "SQLite format 3" };

        for (size_t i = 0; i < PL_ARRAY_SIZE(begins); i++)
                if (size >= strlen(begins[i]) && memcmp(s, begins[i], strlen(begins[i])) == 0)
                        return true;
        return false;
}

/* The first line that is neither empty nor a comment, without white space before it. */
static const char *first_line(const char *text, unsigned *ret_line) {
        const char *s = text;

        *ret_line = 1;
        if (strncmp(s, "\xef\xbb\xbf", 3) == 0)
                s += 3;
        for (;;) {
                s += strspn(s, " \t\r");
                if (*s == '#' || *s == ';')
                        s += strcspn(s, "\n");
                if (*s != '\n')
                        return s;
                s++;
                (*ret_line)++;
        }
}

static bool has_line(const char *text, const char *begin) {
        size_t n = strlen(begin);

        for (const char *s = text; s; s = strchr(s, '\n')) {
                s += *s == '\n';
                if (strncmp(s, begin, n) == 0)
                        return true;
        }
        return false;
}

/* A line that begins with '['. */
static PlGuess guess_header(const char *text, const char *line) {
        static const char *const units[] = { "[Unit]",   "[Install]", "[Container]", "[Pod]",
                                             "[Kube]",   "[Volume]",  "[Network]",   "[Timer]",
                                             "[Socket]", "[Slice]",   "[Mount]",     "[Path]" };
        const char *inner = line + 1 + strspn(line + 1, " \t\r\n");
        size_t n = strspn(line + 1, IDENTIFIER);

        for (size_t i = 0; i < PL_ARRAY_SIZE(units); i++)
                if (pl_startswith(line, units[i]))
                        return PL_GUESS_UNIT;
        if (pl_startswith(line, "[Service]") &&
            (has_line(text, "ExecStart=") || has_line(text, "[Unit]") ||
             has_line(text, "[Install]")))
                return PL_GUESS_UNIT;
        if (line[1] == '[' && strspn(line + 2, IDENTIFIER) > 0 &&
            line[2 + strspn(line + 2, IDENTIFIER)] == ']' && !strchr("0123456789", line[2]))
                return PL_GUESS_TOML;
        if (!*inner || strchr("{\"[]0123456789", *inner))
                return PL_GUESS_JSON;
        return line[1 + n] == ']' && memchr(line + 1, '.', n) ? PL_GUESS_TOML : PL_GUESS_POLICY;
}

/* "key:" and "- item" of YAML, "key = 'text'" of TOML. */
static PlGuess guess_assignment(const char *text, const char *line) {
        bool quoted = *line == '"' || *line == '\'';
        size_t n = strspn(line + quoted, IDENTIFIER);
        const char *after, *value;

        if (quoted && line[1 + n] != *line)
                return PL_GUESS_POLICY;
        n += 2U * quoted;
        after = line + n + strspn(line + n, " \t");
        if (pl_startswith(line, "---") || pl_startswith(line, "%YAML") || pl_startswith(line, "- "))
                return has_line(text, "services:") ? PL_GUESS_COMPOSE : PL_GUESS_YAML;
        if (n > 0 && *after == ':' && (!after[1] || strchr(" \t\r\n", after[1])))
                return has_line(text, "services:") ? PL_GUESS_COMPOSE : PL_GUESS_YAML;
        if (n == 0 || *after != '=')
                return PL_GUESS_POLICY;
        value = after + 1 + strspn(after + 1, " \t");
        return *value == '"' || *value == '\'' ? PL_GUESS_TOML : PL_GUESS_POLICY;
}

PlGuess pl_guess(const char *text, size_t size, unsigned *ret_line) {
        const char *line;

        *ret_line = 1;
        if (is_utf16((const unsigned char *)text, size))
                return PL_GUESS_UTF16;
        if (is_binary(text, size))
                return PL_GUESS_BINARY;
        line = first_line(text, ret_line);
        if (*line == '{')
                return PL_GUESS_JSON;
        return *line == '[' ? guess_header(text, line) : guess_assignment(text, line);
}

const char *pl_guess_what(PlGuess g) {
        static const char *const what[] = {
                [PL_GUESS_UTF16] = "this is UTF-16; a policy is UTF-8 text, which iconv -f UTF-16 "
                                   "-t UTF-8 makes of it",
                [PL_GUESS_BINARY] =
                                "this is a program or a packed file, not a policy, which is text",
                [PL_GUESS_JSON] = "this is JSON, not a policy; if docker compose has made it, "
                                  "plimsollctl import makes a policy of it",
                [PL_GUESS_YAML] = "this is YAML, not a policy; if it is compose's, plimsollctl "
                                  "import "
                                  "--compose makes a policy of it",
                [PL_GUESS_COMPOSE] = "this is YAML, a compose file and not a policy; plimsollctl "
                                     "import --compose makes a policy of it",
                [PL_GUESS_TOML] = "this is TOML, not a policy; there, values have no quotes, and "
                                  "sections are [Daemon], [Defaults] and [Service NAME]",
                [PL_GUESS_UNIT] =
                                "this is a unit file of systemd or Podman, not a policy; there are "
                                "[Daemon], [Defaults] and [Service NAME] in one",
        };

        return what[g];
}

/* --- what may be shown */

static char *show(const char *s, size_t n, bool more) {
        _cleanup_free_ char *part = strndup(s, n);
        char *escaped = part ? pl_escape(part, SHOWN_MAX) : NULL, *text;

        if (!escaped || !more)
                return escaped;
        if (asprintf(&text, "%s\xe2\x80\xa6", escaped) < 0)
                text = NULL;
        free(escaped);
        return text;
}

char *pl_show_line(const char *line) {
        size_t n = strcspn(line, "=:{}\"'<> \t,");

        if (*line == '[') /* a section's header */
                n = 1 + strspn(line + 1, IDENTIFIER " ");
        return show(line, n, line[n] != '\0');
}

/* Where a secret may begin: behind such a word and what parts them. NULL: nowhere. */
static const char *after_secret_word(const char *value) {
        static const char *const words[] = { "passw",   "pwd",        "secret",
                                             "token",   "apikey",     "api_key",
                                             "api-key", "credential", "authorization" };

        for (const char *s = value; *s; s++)
                for (size_t i = 0; i < PL_ARRAY_SIZE(words); i++) {
                        size_t n = strlen(words[i]), m;

                        if (strncasecmp(s, words[i], n) != 0)
                                continue;
                        n += strspn(s + n, IDENTIFIER);
                        m = strspn(s + n, "=: \t\"'");
                        if (m > 0 && s[n + m])
                                return s + n + m;
                }
        return NULL;
}

static const char *before_user(const char *value) {
        const char *scheme = strstr(value, "://"), *at;

        if (!scheme)
                return NULL;
        scheme += strlen("://");
        at = scheme + strcspn(scheme, "@/ \t");
        return *at == '@' && at > scheme ? scheme : NULL;
}

char *pl_show_value(const char *value) {
        const char *a = after_secret_word(value), *b = before_user(value);
        const char *cut = a && b ? PL_MIN(a, b) : a ?: b;

        return show(value, cut ? (size_t)(cut - value) : strlen(value), cut != NULL);
}
