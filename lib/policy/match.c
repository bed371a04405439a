/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Match: see the header.
 *
 * What a name may be made of comes from those who make them: docker/docker daemon/names
 * (RestrictedNameChars), compose-go loader (normalizeProjectName), distribution/reference, systemd
 * unit_name_is_valid().
 */

#include "lib/policy/match.h"

#include <errno.h>
#include <fnmatch.h>

#include "lib/base/quote.h"
#include "lib/base/text.h"

#define SPACES "\t "
#define LOWER  "abcdefghijklmnopqrstuvwxyz0123456789"
#define ALNUM  "ABCDEFGHIJKLMNOPQRSTUVWXYZ" LOWER

static const struct {
        const char *word, *label;
        const char *what;  /* "no … has such a character" */
        const char *chars; /* that it may be made of; NULL: anything */
} kinds[_PL_MATCH_N] = {
        [PL_MATCH_NAME] = { "name", NULL, "name of a container", ALNUM "_.-" },
        [PL_MATCH_IMAGE] = { "image", NULL, "image", ALNUM "._-/:@" },
        [PL_MATCH_LABEL] = { "label", NULL, "label", NULL },
        [PL_MATCH_COMPOSE_SERVICE] = { "compose-service", "com.docker.compose.service",
                                       "service of compose", ALNUM "_.-" },
        [PL_MATCH_COMPOSE_PROJECT] = { "compose-project", "com.docker.compose.project",
                                       "project of compose", LOWER "_-" },
        [PL_MATCH_SWARM_SERVICE] = { "swarm-service", "com.docker.swarm.service.name",
                                     "service of a swarm", ALNUM "_.-" },
        [PL_MATCH_UNIT] = { "unit", "PODMAN_SYSTEMD_UNIT", "unit of systemd", ALNUM ":_.\\@-" },
};

const char *pl_match_word(PlMatchKind k) {
        return kinds[k].word;
}

const char *pl_match_label(PlMatchKind k) {
        return kinds[k].label;
}

/* --- a line to terms */

/* Return: what follows the prefix of a kind, or NULL. */
static const char *after_prefix(const char *word, PlMatchKind *ret) {
        for (PlMatchKind k = 0; k < _PL_MATCH_N; k++) {
                size_t n = strlen(kinds[k].word);

                if (strncmp(word, kinds[k].word, n) == 0 && word[n] == ':') {
                        *ret = k;
                        return word + n + 1;
                }
        }
        return NULL;
}

/* The end of what is quoted from s on, or NULL. A backslash keeps the next character from ending
 * it. */
static const char *closing(const char *s, char quote) {
        for (; *s && *s != quote; s++)
                if (*s == '\\' && s[1])
                        s++;
        return *s ? s : NULL;
}

/* Takes the next word, without its quotes. Backslashes stay: they are the glob's. */
static void take_word(const char **cursor, char *word, bool *ret_unclosed) {
        const char *s = *cursor, *end;

        while (*s && !strchr(SPACES, *s)) {
                end = *s == '"' || *s == '\'' ? closing(s + 1, *s) : NULL;
                if (end) {
                        memcpy(word, s + 1, (size_t)(end - s - 1));
                        word += end - s - 1;
                        s = end + 1;
                        continue;
                }
                *ret_unclosed = *ret_unclosed || *s == '"' || *s == '\'';
                if (*s == '\\' && s[1])
                        *word++ = *s++;
                *word++ = *s++;
        }
        *word = '\0';
        *cursor = s;
}

static const char *fault_of(PlMatchKind k, const char *pattern, bool more) {
        if (!*pattern)
                return more ? "white space after the colon; remove it"
                            : "nothing follows the colon";
        if (k == PL_MATCH_NAME && *pattern == '/')
                return "names have no slash in front here";
        if (k == PL_MATCH_LABEL && *pattern == '=')
                return "a label has a key; write label:KEY=VALUE or label:KEY";
        return NULL;
}

/* A word without a kind is the rest of the pattern before it, with the white space between. */
static int lengthen(PlMatch *m, const char *gap, size_t gap_size, const char *word) {
        char *longer;

        if (asprintf(&longer, "%s%.*s%s", m->pattern, (int)gap_size, gap, word) < 0)
                return -ENOMEM;
        free(m->pattern);
        m->pattern = longer;
        return 0;
}

int pl_match_parse(const char *value, PlMatch ret[static PL_MATCH_TERMS_MAX], size_t *ret_n,
                   const char **ret_warning, const char **reterr_fault) {
        _cleanup_free_ char *word = malloc(strlen(value) + 1);
        const char *warning = NULL;
        size_t n = 0;
        int r = word ? 0 : -ENOMEM;

        for (const char *s = value; r == 0;) {
                const char *gap = s, *pattern;
                bool unclosed = false;
                PlMatchKind kind;
                size_t gap_size;

                s += strspn(s, SPACES);
                gap_size = (size_t)(s - gap);
                if (!*s)
                        break;
                take_word(&s, word, &unclosed);
                if (unclosed)
                        warning = "a quotation mark that nothing closes is taken as it is";
                pattern = after_prefix(word, &kind);
                if (!pattern && n == 0) {
                        r = -EINVAL;
                } else if (!pattern) {
                        r = lengthen(&ret[n - 1], gap, gap_size, word);
                        warning = "a word without name: or the like belongs to the pattern before "
                                  "it; quote that, as in label:\"KEY=TWO WORDS\", or begin another "
                                  "Match= line";
                } else if ((*reterr_fault = fault_of(kind, pattern, *s))) {
                        r = -EBADMSG;
                } else if (n == PL_MATCH_TERMS_MAX) {
                        r = -E2BIG;
                } else {
                        ret[n] = (PlMatch){ kind, n > 0, strdup(pattern) };
                        r = ret[n].pattern ? 0 : -ENOMEM;
                        n += r == 0;
                }
        }
        if (r == 0 && n == 0)
                r = -EINVAL;
        while (r < 0 && n > 0)
                free(ret[--n].pattern);
        if (r < 0)
                return r;
        *ret_n = n;
        *ret_warning = warning;
        return 0;
}

size_t pl_match_line_length(const PlMatch *m, size_t n) {
        size_t length = n > 0;

        while (length < n && m[length].joined)
                length++;
        return length;
}

/* In quotes where it needs them; what would end these stands in the others. */
static void write_pattern(FILE *f, const char *p) {
        bool plain = !p[strcspn(p, SPACES "\"'")];

        while (!plain && *p) {
                char quote = *p == '"' ? '\'' : '"';
                const char *end = p;

                /* one backslash at the very end would take the quotation mark along */
                while (*end && *end != quote && (*end != '\\' || end[1]))
                        end += *end == '\\' ? 2 : 1;
                if (end == p)
                        break;
                fprintf(f, "%c%.*s%c", quote, (int)(end - p), p, quote);
                p = end;
        }
        fputs(p, f);
}

char *pl_match_format(const PlMatch *line, size_t n) {
        size_t size;
        char *text = NULL;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                fprintf(f, "%s%s:", i > 0 ? " " : "", kinds[line[i].kind].word);
                write_pattern(f, line[i].pattern);
        }
        return pl_take_text(f, &text);
}

/* --- what can never be */

static bool is_literal(const char *pattern) {
        return !pattern[strcspn(pattern, "*?[\\")];
}

/* Steps over what stands for a character, and says which one; 0: any of several. */
static char next_literal(const char **cursor) {
        const char *s = *cursor, *end = *s == '[' && s[1] ? strchr(s + 2, ']') : NULL;
        char c = *s;

        if (c == '\\' && s[1]) {
                *cursor = s + 2;
                return s[1];
        }
        *cursor = end ? end + 1 : s + 1;
        return end || c == '*' || c == '?' ? '\0' : c;
}

static int never_alone(const PlMatch *m, char **ret) {
        const char *chars = kinds[m->kind].chars, *what = kinds[m->kind].what;
        const char *cursor = m->pattern, *remedy = "";
        char shown[8];

        while (chars && *cursor) {
                char c = next_literal(&cursor);

                if (!c || strchr(chars, c))
                        continue;
                if (strchr(", \t", c))
                        remedy = "; for one of several, write a Match= line for each";
                else if (strchr("^$|()+{}[", c))
                        remedy = "; this is a glob, not a regular expression, such as pg*";
                else if (m->kind == PL_MATCH_COMPOSE_PROJECT && c >= 'A' && c <= 'Z')
                        remedy = "; compose makes them lower case";
                if ((unsigned char)c >= 0x80)
                        snprintf(shown, sizeof(shown), "such");
                else
                        snprintf(shown, sizeof(shown), "'%c'", c);
                return asprintf(ret, "no %s has %s in it%s", what, shown, remedy) < 0 ? -ENOMEM : 0;
        }
        return 0;
}

/* A label's value pattern; NULL: its key alone. Return: the size of the key. */
static size_t split_label(const char *pattern, const char **ret_value) {
        const char *equal = strchr(pattern, '=');

        *ret_value = equal ? equal + 1 : NULL;
        return equal ? (size_t)(equal - pattern) : strlen(pattern);
}

/* Do both ask for the same thing of a container? Then what they ask for. */
static bool same_subject(const PlMatch *a, const PlMatch *b, const char **ret_a,
                         const char **ret_b) {
        size_t n;

        if (a->kind != b->kind)
                return false;
        *ret_a = a->pattern;
        *ret_b = b->pattern;
        if (a->kind != PL_MATCH_LABEL)
                return true;
        n = split_label(a->pattern, ret_a);
        return split_label(b->pattern, ret_b) == n && strncmp(a->pattern, b->pattern, n) == 0;
}

static bool excludes(const PlMatch *a, const PlMatch *b) {
        const char *x, *y;

        if (!same_subject(a, b, &x, &y) || !x || !y)
                return false;
        if (is_literal(x))
                return fnmatch(y, x, 0) != 0;
        return is_literal(y) && fnmatch(x, y, 0) != 0;
}

int pl_match_never(const PlMatch *line, size_t n, char **ret) {
        int r = 0;

        *ret = NULL;
        for (size_t i = 0; i < n && r == 0 && !*ret; i++) {
                r = never_alone(&line[i], ret);
                for (size_t j = 0; j < i && r == 0 && !*ret; j++) {
                        _cleanup_free_ char *a = NULL, *b = NULL;

                        if (!excludes(&line[i], &line[j]))
                                continue;
                        a = pl_escape(line[j].pattern, 60);
                        b = pl_escape(line[i].pattern, 60);
                        if (!a || !b ||
                            asprintf(ret,
                                     "no container has both %s:%s and %s:%s; for one of several, "
                                     "write a Match= line for each",
                                     kinds[line[j].kind].word, a, kinds[line[i].kind].word, b) < 0)
                                r = -ENOMEM;
                }
        }
        return r;
}

static bool term_covers(const PlMatch *a, const PlMatch *b) {
        const char *x, *y;

        if (!same_subject(a, b, &x, &y))
                return false;
        if (!x || pl_streq(x, "*"))
                return true;
        return y && (pl_streq(x, y) || (is_literal(y) && fnmatch(x, y, 0) == 0));
}

bool pl_match_covers(const PlMatch *a, size_t n_a, const PlMatch *b, size_t n_b) {
        for (size_t i = 0; i < n_a; i++) {
                bool covered = false;

                for (size_t j = 0; j < n_b && !covered; j++)
                        covered = term_covers(&a[i], &b[j]);
                if (!covered)
                        return false;
        }
        return true;
}
