/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Control routes: a table; a new request is a new row and a new enumerator.
 *
 * It must not decode before it splits: "%2f" inside a name is an error, never a path separator.
 */

#include "control/route.h"

#include <ctype.h>

#define NAME_MARK "*" /* one segment: a name */

static const struct {
        const char *pattern;
        const char *method, *allow;
        PlCtlAction action;
} routes[] = {
        { "/v1/status", "GET", "GET, HEAD", PL_CTL_STATUS },
        { "/v1/containers/*", "GET", "GET, HEAD", PL_CTL_CONTAINER },
        { "/v1/findings", "GET", "GET, HEAD", PL_CTL_FINDINGS },
        { "/v1/events", "GET", "GET", PL_CTL_EVENTS },
        { "/v1/reload", "POST", "POST", PL_CTL_RELOAD },
        { "/v1/containers/*/rotate", "POST", "POST", PL_CTL_ROTATE },
};

/* Compares one segment after the other; a NAME_MARK matches any and reports where it was.
 * Return: does the target have the pattern's shape? */
static bool shape_matches(const char *pattern, const char *target, const char **ret_name,
                          size_t *ret_size) {
        for (;;) {
                size_t p = strcspn(pattern, "/"), t = strcspn(target, "/");

                if (p == strlen(NAME_MARK) && strncmp(pattern, NAME_MARK, p) == 0) {
                        *ret_name = target;
                        *ret_size = t;
                } else if (p != t || strncmp(pattern, target, p) != 0)
                        return false;

                pattern += p;
                target += t;
                if (*pattern != *target)
                        return false;
                if (*pattern == '\0')
                        return true;
                pattern++;
                target++;
        }
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        c = (char)tolower((unsigned char)c);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Names: what Docker allows in a container's name and systemd in a section's, and no more. */
static bool name_char_ok(unsigned char c) {
        return isalnum(c) || (c != '\0' && strchr("_.-@:+", c));
}

static int decode_name(const char *s, size_t size, char ret[static PL_CTL_NAME_MAX]) {
        size_t n = 0;

        for (size_t i = 0; i < size; i++) {
                int c = (unsigned char)s[i];

                if (c == '%') {
                        int high = i + 2 < size ? hex_digit(s[i + 1]) : -1;
                        int low = high >= 0 ? hex_digit(s[i + 2]) : -1;

                        if (low < 0)
                                return PL_CTL_E_NAME;
                        c = high * 16 + low;
                        i += 2;
                }
                if (!name_char_ok((unsigned char)c) || n + 1 >= PL_CTL_NAME_MAX)
                        return PL_CTL_E_NAME;
                ret[n++] = (char)c;
        }
        ret[n] = '\0';
        return n == 0 || pl_streq(ret, ".") || pl_streq(ret, "..") ? PL_CTL_E_NAME : 0;
}

int pl_ctl_route(const char *method, const char *target, PlCtlRoute *ret) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(routes); i++) {
                const char *name = NULL;
                size_t size = 0;

                if (!shape_matches(routes[i].pattern, target, &name, &size))
                        continue;

                *ret = (PlCtlRoute){ .action = routes[i].action, .allow = routes[i].allow };
                if (!pl_streq(method, routes[i].method) &&
                    !(pl_streq(method, "HEAD") && strstr(routes[i].allow, "HEAD")))
                        return PL_CTL_E_METHOD;
                return name ? decode_name(name, size, ret->name) : 0;
        }
        return PL_CTL_E_NOT_FOUND;
}
