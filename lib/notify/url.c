/* SPDX-License-Identifier: Apache-2.0 */

/*
 * URL: see the header.
 */

#include "lib/notify/url.h"

#include <strings.h>

static const char host_characters[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]";

/* Behind "scheme://". NULL: it is neither http nor https. */
static const char *authority(const char *url) {
        if (strncasecmp(url, "https://", 8) == 0)
                return url + 8;
        return strncasecmp(url, "http://", 7) == 0 ? url + 7 : NULL;
}

/* Names of parameters whose values are secrets: "token", "apikey", "access_token", "sig". */
static bool names_a_secret(const char *name, size_t n) {
        static const char *const words[] = { "token", "key", "secret", "pass",
                                             "pwd",   "sig", "auth",   "credential" };

        for (size_t i = 0; i < PL_ARRAY_SIZE(words); i++) {
                size_t length = strlen(words[i]);

                for (size_t k = 0; k + length <= n; k++)
                        if (strncasecmp(name + k, words[i], length) == 0)
                                return true;
        }
        return false;
}

static bool has_secret_parameter(const char *url) {
        const char *p = strchr(url, '?');

        while (p && *p) {
                size_t n = strcspn(++p, "=&");

                if (p[n] == '=' && names_a_secret(p, n))
                        return true;
                p += strcspn(p, "&");
        }
        return false;
}

/* Webhooks of services whose address is all that is needed to write there. */
static bool is_secret_hook(const char *host) {
        static const char *const hooks[] = { "hooks.slack.com/", "discord.com/api/webhooks/",
                                             "discordapp.com/api/webhooks/" };

        for (size_t i = 0; i < PL_ARRAY_SIZE(hooks); i++)
                if (strncasecmp(host, hooks[i], strlen(hooks[i])) == 0)
                        return true;
        return false;
}

const char *pl_notify_url_fault(const char *url, bool secret) {
        const char *host = authority(url);
        size_t n;

        if (strlen(url) > PL_NOTIFY_URL_MAX)
                return "longer than 2048 bytes";
        for (const char *c = url; *c; c++)
                if (*c <= ' ' || *c >= 0x7f || strchr("\"<>\\^`{|}", *c))
                        return "white space and what is not ASCII are written as %20 and the like "
                               "in an address";
        if (!host)
                return "expected an address that begins with https:// (or http://)";
        n = strcspn(host, "/?#");
        if (memchr(host, '@', n))
                return "a user or a password is in the address, which everybody can read here; put "
                       "what is secret into a file and name it with Credential=";
        if (n == 0 || host[0] == ':' || strspn(host, host_characters) != n)
                return "there is no name of a host behind ://";
        if (strchr(url, '#'))
                return "an address that is sent to has no # in it";
        if (secret)
                return NULL;
        if (has_secret_parameter(url))
                return "a token or a key is in the address, which everybody can read here; put it "
                       "into a file and name that with Credential=";
        if (is_secret_hook(host))
                return "this address is a secret itself: whoever has it can write there. Put it "
                       "into a file, name that with Credential=, and leave URL= out";
        return NULL;
}

bool pl_notify_url_is_open(const char *url) {
        const char *host = authority(url);
        size_t n;

        if (!host || strncasecmp(url, "http:", 5) != 0)
                return false;
        n = strcspn(host, "/?#:");
        if (host[0] == '[')
                return !pl_startswith(host, "[::1]");
        return !(n == 9 && strncasecmp(host, "localhost", 9) == 0) && !pl_startswith(host, "127.");
}
