/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Unit names: see the header. The result is checked, because systemd does what a name says.
 */

#include "lib/base/unit-name.h"

#include <ctype.h>
#include <errno.h>

#define UNIT_NAME_SIZE 256

/* Letters, digits, ":_." stay; "/" becomes "-"; the rest, and a leading dot, \xNN. */
static void write_escaped(FILE *f, const char *s) {
        for (const char *p = s; *p; p++) {
                if (*p == '/')
                        fputc('-', f);
                else if (isalnum((unsigned char)*p) || *p == ':' || *p == '_' ||
                         (*p == '.' && p != s))
                        fputc(*p, f);
                else
                        fprintf(f, "\\x%02x", (unsigned char)*p);
        }
}

static bool is_unit_name(const char *s) {
        const char *dot = strrchr(s, '.');

        if (strlen(s) >= UNIT_NAME_SIZE || !dot || dot == s || !dot[1] || *s == '@')
                return false;
        for (const char *p = s; *p; p++)
                if (!isalnum((unsigned char)*p) && !strchr(":-_.\\@", *p))
                        return false;
        return true;
}

int pl_unit_name_expand(const char *template, const char *what, char **ret) {
        _cleanup_free_ char *text = NULL;
        _cleanup_fclose_ FILE *f = NULL;
        size_t size;

        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        for (const char *p = template; *p; p++) {
                if (*p != '%')
                        fputc(*p, f);
                else if (p[1] == '%')
                        fputc(*++p, f);
                else if (p[1] == 's') {
                        write_escaped(f, what);
                        p++;
                } else
                        return -EINVAL;
        }
        if (fclose(TAKE_PTR(f)) != 0)
                return -ENOMEM;
        if (!is_unit_name(text))
                return -EINVAL;
        *ret = TAKE_PTR(text);
        return 0;
}
