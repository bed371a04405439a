/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policy lines: the bytes of one file to logical lines that are safe to look at.
 *
 * It exists because inih neither counts joined lines nor minds NUL bytes, encodings and lines that
 * do not fit its buffer: it would cut them in two and read the rest as something else.
 */

#include "lib/base/quote.h"
#include "lib/policy/parser.h"

static bool is_space(char c) {
        return c == ' ' || c == '\t';
}

/* Cuts [s, s + size) at a comment: # or ; at the start, # after white space. Return: the new size.
 */
static size_t strip_comment(const char *s, size_t size, bool line_start) {
        for (size_t i = 0; i < size; i++) {
                bool first = line_start && i == 0;

                if ((s[i] == '#' && (first || (i > 0 && is_space(s[i - 1])))) ||
                    (s[i] == ';' && first))
                        return i;
        }
        return size;
}

/* What is wrong with the bytes of a line, or NULL. */
static const char *check_bytes(const char *s, size_t size, char buf[static 64]) {
        for (size_t i = 0; i < size;) {
                uint32_t c;
                size_t n = pl_utf8_decode(s + i, size - i, &c);
                if (s[i] == '\0')
                        return "a NUL byte; is the file UTF-16? A policy is UTF-8 text";
                if (n == 0) {
                        snprintf(buf, 64, "byte 0x%02x is not UTF-8; a policy is UTF-8 text",
                                 (unsigned char)s[i]);
                        return buf;
                }
                if ((c < 0x20 && c != '\t') || c == 0x7f) {
                        snprintf(buf, 64, "control character 0x%02x; remove it", c);
                        return buf;
                }
                i += n;
        }
        return NULL;
}

typedef struct Physical {
        const char *s;
        size_t size;
} Physical;

static bool next_physical(PlLineReader *r, Physical *ret) {
        const char *newline;

        if (!r->begun) {
                r->begun = true;
                if (r->end - r->text >= 3 && memcmp(r->text, "\xef\xbb\xbf", 3) == 0)
                        r->text += 3;
        }
        if (r->text >= r->end)
                return false;
        newline = memchr(r->text, '\n', (size_t)(r->end - r->text));
        ret->s = r->text;
        ret->size = (size_t)((newline ? newline : r->end) - r->text);
        r->text = newline ? newline + 1 : r->end;
        r->line++;
        if (ret->size > 0 && ret->s[ret->size - 1] == '\r')
                ret->size--;
        return true;
}

/* Joins physical lines while they end in a backslash, which becomes a space. Comment lines between
 * them are skipped, as in systemd. Return: false when something is wrong with the line. */
static bool join(PlPolicyParser *p, PlLineReader *r, Physical line) {
        bool good = true, more = true, line_start = true;
        size_t size = 0;

        for (bool again = true; again; again = more && next_physical(r, &line)) {
                char buf[64];
                const char *wrong = check_bytes(line.s, line.size, buf);
                const char *s = line.s;
                size_t n = line.size;

                p->at.line = r->line;
                if (wrong)
                        pl_policy_error(p, "%s", wrong);
                for (; n > 0 && is_space(*s); n--)
                        s++;
                if (!line_start && n > 0 && (*s == '#' || *s == ';'))
                        continue;
                n = strip_comment(s, n, line_start);
                line_start = false;
                more = n > 0 && s[n - 1] == '\\';
                if (more)
                        n--;
                while (n > 0 && is_space(s[n - 1]))
                        n--;
                good = good && !wrong;
                if (size + n + 1 > PL_POLICY_LINE_MAX) {
                        if (good)
                                pl_policy_error(p, "line of more than %d bytes; split it",
                                                (int)PL_POLICY_LINE_MAX);
                        good = false;
                        continue;
                }
                if (size > 0 && n > 0)
                        r->buf[size++] = ' ';
                memcpy(r->buf + size, s, n);
                size += n;
        }
        r->buf[size] = '\0';
        p->at.line = r->first;
        return good && size > 0;
}

bool pl_policy_next_line(PlPolicyParser *p, PlLineReader *r) {
        Physical line;

        while (next_physical(r, &line)) {
                r->first = r->line;
                if (join(p, r, line))
                        return true;
        }
        return false;
}
