/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policy values with a grammar of their own: sockets, matches, expectations, paths, names.
 *
 * What passes here is safe to use as it is: a path has no "..", a service name is a file name, a
 * regular expression compiles and stays small.
 */

#include "lib/base/quote.h"
#include "lib/base/strv.h"
#include "lib/policy/parser.h"

#include <arpa/inet.h>
#include <errno.h>
#include <regex.h>

#include "lib/base/unit.h"

#define NAME_MAX_BYTES  64
#define SOCKET_PATH_MAX 107 /* sun_path with its NUL is 108, unix(7) */
#define REGEX_MAX       512
#define REGEX_NODES_MAX \
        2048 /* length times repetitions: glibc's compiler copies, and is quadratic in it */

/* Replaces an owned string; empty resets it to NULL. */
static int replace(char **field, const char *value) {
        char *copy = NULL;

        if (*value) {
                copy = strdup(value);
                if (!copy)
                        return -ENOMEM;
        }
        free(*field);
        *field = copy;
        return 0;
}

/* Return: 1, as setters do when they have said what is wrong; -ENOMEM. */
static int refuse(PlPolicyParser *p, const PlPolicyKey *key, const char *value, const char *why) {
        _cleanup_free_ char *shown = pl_escape(value, 80);

        if (!shown)
                return -ENOMEM;
        pl_policy_error(p, "%s=%s: %s", key->name, shown, why);
        return 1;
}

bool pl_service_name_valid(const char *s) {
        static const char alphanumeric[] =
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
        size_t n = strspn(s, alphanumeric);

        return n > 0 && n <= NAME_MAX_BYTES && !s[n] && !strchr("-_.", s[0]);
}

int pl_policy_set_engine(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s,
                         const char *value) {
        const char *path = value + strlen("unix://");

        if (!*value)
                return replace(&p->policy->daemon.engine, pl_daemon_defaults.engine);
        if (value[0] == '/')
                return refuse(p, key, value, "a path alone; write unix:// before it");
        if (!pl_startswith(value, "unix://"))
                return strstr(value, "://") ? refuse(p, key, value,
                                                     "only unix sockets are spoken to; "
                                                     "expected unix:///run/docker.sock")
                                            : -EINVAL;
        if (path[0] != '/')
                return refuse(p, key, value,
                              "the path after unix:// begins with a slash too, as in "
                              "unix:///run/docker.sock");
        if (!path[1])
                return refuse(p, key, value,
                              "the root directory is no socket; expected one such "
                              "as unix:///run/docker.sock");
        if (strlen(path) > SOCKET_PATH_MAX)
                return refuse(p, key, value, "the path of a socket has at most 107 bytes, unix(7)");
        return replace(&p->policy->daemon.engine, value);
}

int pl_policy_set_listen(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s,
                         const char *value) {
        const char *colon = strrchr(value, ':');
        struct in6_addr v6;
        struct in_addr v4;
        char host[64];
        uint64_t port;
        bool loopback;

        if (!*value)
                return replace(&p->policy->daemon.metrics_listen, "");
        if (!colon || (size_t)(colon - value) >= sizeof(host) ||
            pl_parse_uint64(colon + 1, &port) < 0 || port < 1 || port > 65535)
                return -EINVAL;
        snprintf(host, sizeof(host), "%.*s", (int)(colon - value), value);
        if (host[0] == '[' && host[strlen(host) - 1] == ']') {
                host[strlen(host) - 1] = '\0';
                if (inet_pton(AF_INET6, host + 1, &v6) != 1)
                        return -EINVAL;
                loopback = IN6_IS_ADDR_LOOPBACK(&v6);
        } else if (inet_pton(AF_INET, host, &v4) == 1)
                loopback = (ntohl(v4.s_addr) >> 24) == 127;
        else if (pl_streq(host, "localhost") || !*host || pl_streq(host, "*"))
                return refuse(p, key, value,
                              "an address is needed, not a name; 127.0.0.1 is this host alone");
        else
                return -EINVAL;
        if (!loopback)
                pl_policy_warning(p,
                                  "%s=%s: whoever reaches this address can read the metrics; "
                                  "127.0.0.1 "
                                  "is this host alone",
                                  key->name, value);
        return replace(&p->policy->daemon.metrics_listen, value);
}

static const struct {
        const char *prefix;
        PlMatchKind kind;
} match_kinds[] = {
        { "name:", PL_MATCH_NAME },
        { "image:", PL_MATCH_IMAGE },
        { "label:", PL_MATCH_LABEL },
        { "compose-service:", PL_MATCH_COMPOSE_SERVICE },
        { "compose-project:", PL_MATCH_COMPOSE_PROJECT },
};

static int add_match(PlPolicyParser *p, PlSection *s, PlMatchKind kind, const char *pattern) {
        PlService *service = s->service;
        PlMatch *matches;
        PlPlace *places;
        char *copy;

        if (service->n_matches >= PL_POLICY_LIST_MAX)
                return -E2BIG;
        matches = realloc(service->matches, (service->n_matches + 1) * sizeof(*matches));
        if (!matches)
                return -ENOMEM;
        service->matches = matches;
        places = realloc(s->match_places, (service->n_matches + 1) * sizeof(*places));
        if (!places)
                return -ENOMEM;
        s->match_places = places;
        copy = strdup(pattern);
        if (!copy)
                return -ENOMEM;
        places[service->n_matches] = p->at;
        matches[service->n_matches++] = (PlMatch){ kind, copy };
        return 0;
}

int pl_policy_set_match(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s,
                        const char *value) {
        if (!*value) {
                for (size_t i = 0; i < s->service->n_matches; i++)
                        free(s->service->matches[i].pattern);
                s->service->n_matches = 0;
                return 0;
        }
        for (size_t i = 0; i < PL_ARRAY_SIZE(match_kinds); i++) {
                const char *pattern = value + strlen(match_kinds[i].prefix);

                if (!pl_startswith(value, match_kinds[i].prefix))
                        continue;
                if (!*pattern)
                        return refuse(p, key, value, "nothing follows the colon");
                if (match_kinds[i].kind == PL_MATCH_NAME && *pattern == '/')
                        return refuse(p, key, value, "names have no slash in front here");
                if (match_kinds[i].kind == PL_MATCH_LABEL && *pattern == '=')
                        return refuse(p, key, value,
                                      "a label has a key; write label:KEY=VALUE or label:KEY");
                if (strchr(" \t", *pattern))
                        return refuse(p, key, value, "white space after the colon; remove it");
                return add_match(p, s, match_kinds[i].kind, pattern);
        }
        return -EINVAL;
}

static bool status_valid(const char *s) {
        char first[4] = "", last[4] = "";
        uint64_t a, b;

        if (strlen(s) != 3 && (strlen(s) != 7 || s[3] != '-'))
                return false;
        memcpy(first, s, 3);
        memcpy(last, s + strlen(s) - 3, 3);
        return pl_parse_uint64(first, &a) == 0 && pl_parse_uint64(last, &b) == 0 && a >= 100 &&
               a <= b && b <= 599;
}

/* Bounds what regcomp(3) allocates and regexec(3) does: "a{9999}{9999}", back-references. */
static const char *check_regex_size(const char *s) {
        const char *begin = s;
        uint64_t nodes = strlen(s);

        if (strlen(s) > REGEX_MAX)
                return "a regular expression of more than 512 bytes";
        for (; *s; s++) {
                if (*s == '\\' && s[1]) {
                        if (s[1] >= '1' && s[1] <= '9')
                                return "a back-reference; they can take for ever";
                        s++;
                } else if (*s == '{') {
                        uint64_t largest = 1, n = 0;

                        if (s[1 + strspn(s + 1, "0123456789,")] != '}')
                                continue; /* a brace, not a repetition */
                        for (const char *c = s + 1; *c != '}'; c++) {
                                n = *c == ',' ? 0
                                              : PL_MIN(n * 10 + (uint64_t)(*c - '0'),
                                                       UINT64_C(100000));
                                largest = PL_MAX(largest, n);
                        }
                        nodes *= largest;
                } else if (*s == '+' && s > begin && strchr(")+*?}", s[-1]))
                        nodes *= 2; /* (a)+ is compiled as (a)(a)*, and so ((a)+)+ as four */
                if (nodes > REGEX_NODES_MAX)
                        return "its length, times its {n} and 2 for each (…)+, is more than 2048";
        }
        return NULL;
}

static int check_regex(PlPolicyParser *p, const PlPolicyKey *key, const char *value,
                       const char *s) {
        const char *wrong = check_regex_size(s);
        char message[128];
        regex_t re;
        int r;

        if (wrong)
                return refuse(p, key, value, wrong);
        r = regcomp(&re, s, REG_EXTENDED | REG_NOSUB);
        if (r == REG_ESPACE)
                return -ENOMEM;
        if (r != 0) {
                size_t n = (size_t)snprintf(message, sizeof(message), "not a regular expression: ");

                regerror(r, &re, message + n, sizeof(message) - n);
                return refuse(p, key, value, message);
        }
        regfree(&re);
        return 0;
}

int pl_policy_set_expect(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s,
                         const char *value) {
        static const char token[] =
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        char ***list = &s->service->probe.expect;
        const char *rest;
        int r;

        if (!*value) {
                *list = pl_strv_free(*list);
                return 0;
        }
        rest = strchr(value, ':');
        rest = rest ? rest + 1 : "";
        if (pl_startswith(value, "status:")) {
                if (!status_valid(rest))
                        return refuse(p, key, value,
                                      "expected a status or a range, such as status:200-299");
        } else if (pl_startswith(value, "json:")) {
                if (rest[0] != '/' || !strchr(rest, '='))
                        return refuse(p, key, value,
                                      "expected a JSON pointer and a value, such as "
                                      "json:/database=ok");
        } else if (pl_startswith(value, "header:")) {
                size_t n = strspn(rest, token);

                if (n == 0 || rest[n] != '=')
                        return refuse(p, key, value,
                                      "expected a header and its value, such as "
                                      "header:Content-Type=application/json");
        } else if (pl_startswith(value, "body:")) {
                if (!*rest)
                        return refuse(p, key, value, "nothing follows the colon");
                r = check_regex(p, key, value, rest);
                if (r != 0)
                        return r;
        } else
                return -EINVAL;
        return pl_strv_append(list, PL_POLICY_LIST_MAX, value);
}

/* Splits at white space and commas; each word must pass. Return: as a setter. */
static int append_words(PlPolicyParser *p, const PlPolicyKey *key, char ***list, const char *value,
                        bool (*valid)(const char *word), const char *why) {
        _cleanup_free_ char *copy = strdup(value);
        char *word, *save = NULL;
        int r = 0;

        if (!copy)
                return -ENOMEM;
        if (!*value) {
                *list = pl_strv_free(*list);
                return 0;
        }
        for (word = strtok_r(copy, " \t,", &save); word && r == 0;
             word = strtok_r(NULL, " \t,", &save)) {
                bool there = false;

                if (!valid(word))
                        return refuse(p, key, word, why);
                for (char **v = *list; v && *v; v++)
                        there = there || pl_streq(*v, word);
                r = there ? 0 : pl_strv_append(list, PL_POLICY_LIST_MAX, word);
        }
        return r;
}

int pl_policy_set_names(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s,
                        const char *value) {
        return append_words(p, key, &s->service->probe.after, value, pl_service_name_valid,
                            "not the name of a [Service] section");
}

static bool model_valid(const char *s) {
        size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/");

        return n > 0 && n <= 256 && !s[n];
}

int pl_policy_set_models(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s,
                         const char *value) {
        return append_words(p, key, &s->service->probe.ollama_models, value, model_valid,
                            "not the name of a model, such as llama3.2:3b");
}

int pl_policy_set_log_path(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s,
                           const char *value) {
        size_t n = strlen(value);

        if (!n) {
                s->service->log_path.globs = pl_strv_free(s->service->log_path.globs);
                return 0;
        }
        if (value[0] != '/' || n > 1024 || value[n - 1] == '/')
                return -EINVAL;
        if (strstr(value, "/../") || (n >= 3 && pl_streq(value + n - 3, "/..")))
                return refuse(p, key, value,
                              "\"..\" would lead out of the mount; write the path without it");
        return pl_strv_append(&s->service->log_path.globs, PL_POLICY_LIST_MAX, value);
}

int pl_policy_set_http_path(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s,
                            const char *value) {
        if (*value && (value[0] != '/' || strlen(value) > 1024))
                return -EINVAL;
        for (const char *c = value; *c; c++)
                if (*c <= ' ' || *c >= 0x7f)
                        return refuse(p, key, value,
                                      "white space and non-ASCII are written as %20 and the like "
                                      "in a URL");
        return replace(&s->service->probe.path, value);
}

static bool unit_valid(const char *s) {
        static const char *const suffixes[] = { ".service", ".target", ".socket", ".timer",
                                                ".path" };
        const char *dot = strrchr(s, '.');
        bool known = false;

        for (size_t i = 0; dot && i < PL_ARRAY_SIZE(suffixes); i++)
                known = known || pl_streq(dot, suffixes[i]);
        if (!known || dot == s || strlen(s) > 255 - NAME_MAX_BYTES)
                return false;
        for (const char *c = s; *c; c++) {
                if (*c == '%' && c[1] != 's')
                        return false;
                if (*c != '%' && !(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') &&
                    !(*c >= '0' && *c <= '9') && !strchr(":-_.\\@", *c))
                        return false;
        }
        return true;
}

int pl_policy_set_unhealthy(PlPolicyParser *p, const PlPolicyKey *key, PlSection *s,
                            const char *value) {
        PlProbePolicy *probe = &s->service->probe;
        PlOnUnhealthy action = PL_ON_UNHEALTHY_UNIT;
        const char *unit = value;

        if (!*value || pl_streq(value, "none") || pl_streq(value, "restart")) {
                probe->on_unhealthy = pl_streq(value, "restart") ? PL_ON_UNHEALTHY_RESTART
                                                                 : PL_ON_UNHEALTHY_NONE;
                return replace(&probe->unit, "");
        }
        if (pl_startswith(unit, "restart ")) {
                action = PL_ON_UNHEALTHY_RESTART;
                unit += strlen("restart ");
                unit += strspn(unit, " ");
        }
        if (!pl_startswith(unit, "unit:"))
                return -EINVAL;
        unit += strlen("unit:");
        if (!unit_valid(unit))
                return refuse(p, key, value,
                              "not the name of a unit; expected one such as "
                              "unit:plimsoll-alert@%s.service (%s: the service's name)");
        probe->on_unhealthy = action;
        return replace(&probe->unit, unit);
}
