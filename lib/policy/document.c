/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policy: lines to sections and keys, and the life of the result.
 *
 * Every line is looked at, whatever was wrong before it, so that a person sees all errors at once.
 * inih splits KEY=VALUE; section headers are read here, because inih keeps only 49 bytes of them
 * and does not tell of sections without keys.
 */

#include "lib/policy/document.h"

#include <errno.h>
#include <ini.h>

#include "lib/base/quote.h"
#include "lib/base/strv.h"
#include "lib/policy/parser.h"

PlPolicy *pl_policy_ref(PlPolicy *p) {
        p->n_ref++;
        return p;
}

PlPolicy *pl_policy_unref(PlPolicy *p) {
        if (!p || --p->n_ref > 0)
                return NULL;
        free(p->daemon.engine);
        free(p->daemon.metrics_listen);
        pl_service_free(p->defaults);
        for (size_t i = 0; i < p->n_services; i++)
                pl_service_free(p->services[i]);
        free(p->services);
        pl_strv_free(p->files);
        free(p);
        return NULL;
}

const PlService *pl_policy_find(const PlPolicy *p, const char *service) {
        for (size_t i = 0; i < p->n_services; i++)
                if (pl_streq(p->services[i]->name, service))
                        return p->services[i];
        return NULL;
}

static const char *section_name(const void *userdata, size_t i) {
        static const char *const names[] = { "Daemon", "Defaults", "Service" };

        return i < PL_ARRAY_SIZE(names) ? names[i] : NULL;
}

static const char *key_name(const void *userdata, size_t i) {
        return i < pl_policy_n_keys ? pl_policy_keys[i].name : NULL;
}

/* The [Service] of a name, made when it is new. NULL: out of memory. */
static PlSection *open_service(PlPolicyParser *p, const char *name) {
        PlSection **sections, *s;
        PlService **services;
        size_t n = p->policy->n_services;

        for (size_t i = 0; i < n; i++)
                if (pl_streq(p->policy->services[i]->name, name))
                        return p->services[i];
        /* grows by doubling: n is a power of two, or 0, exactly when the blocks are full */
        if ((n & (n - 1)) == 0) {
                sections = realloc(p->services, PL_MAX(2 * n, (size_t)1) * sizeof(*sections));
                if (!sections)
                        return NULL;
                p->services = sections;
                services = realloc(p->policy->services,
                                   PL_MAX(2 * n, (size_t)1) * sizeof(*services));
                if (!services)
                        return NULL;
                p->policy->services = services;
        }
        s = calloc(1, sizeof(*s));
        if (!s)
                return NULL;
        s->kind = PL_SECTION_SERVICE;
        s->service = pl_service_new(name);
        if (!s->service) {
                free(s);
                return NULL;
        }
        p->services[n] = s;
        p->policy->services[n] = s->service;
        p->policy->n_services++;
        return s;
}

static PlSection *open_section(PlPolicyParser *p, const char *header, const char *name) {
        _cleanup_free_ char *shown = pl_escape(header, 80);
        const char *similar;

        if (!shown) {
                p->oom = true;
                return NULL;
        }
        if (pl_streq(header, "Daemon"))
                return &p->daemon;
        if (pl_streq(header, "Defaults"))
                return &p->defaults;
        if (pl_streq(header, "Service")) {
                PlSection *s;

                if (!*name)
                        pl_policy_error(p,
                                        "[Service] without a name; write [Service NAME], such as "
                                        "[Service postgres]");
                else if (!pl_service_name_valid(name)) {
                        free(shown);
                        shown = pl_escape(name, 80);
                        pl_policy_error(p,
                                        "[Service %s]: not a good name; up to 64 letters, digits, "
                                        "'-', '_' and '.', beginning with a letter or digit",
                                        shown ? shown : "");
                } else {
                        s = open_service(p, name);
                        p->oom = p->oom || !s;
                        return s;
                }
                return NULL;
        }
        similar = pl_policy_similar(header, section_name, NULL);
        if (similar)
                pl_policy_error(p, "[%s]: unknown section; did you mean [%s%s]?", shown, similar,
                                pl_streq(similar, "Service") ? " NAME" : "");
        else
                pl_policy_error(p,
                                "[%s]: unknown section; there are [Daemon], [Defaults] and "
                                "[Service NAME]",
                                shown);
        return NULL;
}

/* "[Service postgres]" */
static void take_header(PlPolicyParser *p, char *line) {
        char *end = strrchr(line, ']'), *name;
        PlSection *s;

        p->seen_section = true;
        p->current = NULL;
        if (!end || end[1]) {
                pl_policy_error(p, "a section header ends with ']', such as [Service postgres]");
                return;
        }
        *end = '\0';
        for (line++; *line == ' ' || *line == '\t'; line++)
                ;
        while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
                *--end = '\0';
        name = line + strcspn(line, " \t");
        if (*name)
                *name++ = '\0';
        name += strspn(name, " \t");
        if (*name && (pl_streq(line, "Daemon") || pl_streq(line, "Defaults"))) {
                pl_policy_error(p, "[%s] takes no name", line);
                return;
        }
        s = open_section(p, line, name);
        if (!s)
                return;
        if (!s->first.file)
                s->first = p->at;
        else if (s->reopened.file == p->at.file)
                pl_policy_warning(p,
                                  "this section began on line %u already; the two are one, and the "
                                  "later of two keys counts",
                                  s->reopened.line);
        s->reopened = p->at;
        p->current = s;
}

static void explain(PlPolicyParser *p, const PlPolicyKey *key, const char *value, int r) {
        _cleanup_free_ char *shown = pl_escape(value, 80);

        if (!shown)
                p->oom = true;
        else if (r == -ERANGE)
                pl_policy_error(p, "%s=%s: out of range; expected %s", key->name, shown,
                                key->expects);
        else if (r == -E2BIG)
                pl_policy_error(p, "%s=%s: too many; at most %d", key->name, shown,
                                PL_POLICY_LIST_MAX);
        else
                pl_policy_error(p, "%s=%s: not understood; expected %s", key->name, shown,
                                key->expects);
}

static void misplaced(PlPolicyParser *p, const PlPolicyKey *key) {
        static const char *const where[] = {
                [PL_SECTION_DAEMON] = "[Daemon]",
                [PL_SECTION_SERVICE] = "a [Service] section",
                [PL_SECTION_DEFAULTS | PL_SECTION_SERVICE] = "a [Service] section or [Defaults]",
        };

        pl_policy_error(p, "%s= stands in the wrong section; it belongs in %s", key->name,
                        where[key->sections]);
}

/* inih's handler: the place and the section are the parser's own. */
static int take_assignment(void *userdata, const char *section, const char *name,
                           const char *value) {
        PlPolicyParser *p = userdata;
        const PlPolicyKey *key = NULL;
        const char *similar;
        size_t i;
        int r;

        if (!p->current)
                return 1;
        for (i = 0; i < pl_policy_n_keys && !key; i++)
                if (pl_streq(pl_policy_keys[i].name, name))
                        key = &pl_policy_keys[i];
        if (!key) {
                similar = pl_policy_similar(name, key_name, NULL);
                if (similar)
                        pl_policy_error(p, "unknown key %s=; did you mean %s=?", name, similar);
                else
                        pl_policy_error(p, "unknown key %s=; plimsoll.conf(5) lists all", name);
                return 1;
        }
        if (!(key->sections & p->current->kind)) {
                misplaced(p, key);
                return 1;
        }
        r = key->set(p, key, p->current, value);
        if (r == -ENOMEM)
                p->oom = true;
        else if (r < 0)
                explain(p, key, value, r);
        /* even a refused value was meant: what follows from its absence is not to be reported too
         */
        p->current->set[i - 1] = *value ? p->at : (PlPlace){ 0 };
        return 1;
}

/* Says what is wrong with a line that is not a header, or readies it for inih. */
static bool is_assignment(PlPolicyParser *p, const char *line) {
        size_t n = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
        const char *after = line + n + strspn(line + n, " \t");
        _cleanup_free_ char *shown = pl_escape(line, 60);

        if (!shown)
                p->oom = true;
        else if (!strchr(line, '='))
                pl_policy_error(p, "\"%s\": neither [Section] nor KEY=VALUE; comments begin with #",
                                shown);
        else if (n == 0 || n > 49 || *after != '=')
                pl_policy_error(p, "\"%s\": what stands before '=' is not a key", shown);
        else if (!p->seen_section) {
                if (!p->complained)
                        pl_policy_error(p,
                                        "\"%s\": stands before the first section; begin with "
                                        "[Daemon], "
                                        "[Defaults] or [Service NAME]",
                                        shown);
                p->complained = true;
        } else
                return true;
        return false;
}

typedef struct IniStream {
        PlPolicyParser *p;
        PlLineReader *lines;
        size_t given; /* of the line in hand; SIZE_MAX: take the next one */
} IniStream;

/* inih's reader, like fgets(): a line may be fetched in pieces. */
static char *read_for_ini(char *buf, int size, void *userdata) {
        IniStream *s = userdata;
        const char *rest;
        size_t n;

        while (s->given == SIZE_MAX) {
                if (s->p->oom || !pl_policy_next_line(s->p, s->lines))
                        return NULL;
                if (s->lines->buf[0] == '[')
                        take_header(s->p, s->lines->buf);
                else if (is_assignment(s->p, s->lines->buf))
                        s->given = 0;
        }
        rest = s->lines->buf + s->given;
        n = PL_MIN(strlen(rest), (size_t)size - 1);
        memcpy(buf, rest, n);
        s->given += n;
        if (n < (size_t)size - 1 && !rest[n]) {
                buf[n++] = '\n';
                s->given = SIZE_MAX;
        }
        buf[n] = '\0';
        return buf;
}

static void parse_source(PlPolicyParser *p, const PlPolicySource *source, PlLineReader *lines) {
        IniStream stream = { p, lines, SIZE_MAX };

        p->at = (PlPlace){ source->file, 0 };
        p->current = NULL;
        p->seen_section = p->complained = false;
        if (source->size > PL_POLICY_FILE_MAX) {
                pl_policy_error(p, "file of %zu bytes; a policy has at most %d", source->size,
                                (int)PL_POLICY_FILE_MAX);
                return;
        }
        lines->text = source->text;
        lines->end = source->text + source->size;
        lines->line = 0;
        lines->begun = false;

        /* inih's switches are process-wide; these are the only values we ever give them */
        ini_use_stack = false;
        ini_allow_realloc = true;
        ini_initial_alloc = 256;
        ini_max_line = (int)PL_POLICY_LINE_MAX + 8;
        ini_allow_inline_comments = false;
        ini_allow_multiline = false;
        if (ini_parse_stream(read_for_ini, &stream, take_assignment, p) == -2)
                p->oom = true;
}

/* Frees what surrounded the services while they were built; they themselves are the policy's. */
static void sections_deinit(PlPolicyParser *p) {
        for (size_t i = 0; p->policy && i < p->policy->n_services; i++) {
                free(p->services[i]->match_places);
                free(p->services[i]);
        }
        free(p->services);
        pl_service_free(p->defaults.service);
}

static int parser_init(PlPolicyParser *p) {
        p->daemon.kind = PL_SECTION_DAEMON;
        p->defaults.kind = PL_SECTION_DEFAULTS;
        p->policy = calloc(1, sizeof(*p->policy));
        p->defaults.service = pl_service_new(NULL);
        if (!p->policy || !p->defaults.service)
                return -ENOMEM;
        p->policy->n_ref = 1;
        p->policy->daemon = pl_daemon_defaults;
        p->policy->daemon.engine = strdup(pl_daemon_defaults.engine);
        return p->policy->daemon.engine ? 0 : -ENOMEM;
}

/* In the order of files and lines, although checks run last; an insertion sort, for it is stable
 * and all but sorted input is quick. */
static void sort_diag(PlDiagList *diag, size_t first, const PlPolicySource *sources,
                      size_t n_sources) {
        _cleanup_free_ size_t *ranks = calloc(diag->n + 1, sizeof(*ranks));

        if (!ranks) {
                diag->oom = true;
                return;
        }
        for (size_t i = first; i < diag->n; i++) {
                PlDiag d = diag->items[i];
                size_t rank = 0, j = i;

                while (rank < n_sources && !pl_streq(d.file, sources[rank].file))
                        rank++;
                for (; j > first && (ranks[j - 1] > rank ||
                                     (ranks[j - 1] == rank && diag->items[j - 1].line > d.line));
                     j--) {
                        diag->items[j] = diag->items[j - 1];
                        ranks[j] = ranks[j - 1];
                }
                diag->items[j] = d;
                ranks[j] = rank;
        }
}

int pl_policy_parse(const PlPolicySource *sources, size_t n_sources, const PlHost *host,
                    PlDiagList *diag, PlPolicy **ret) {
        PlPolicyParser p = { .host = host, .diag = diag };
        _cleanup_free_ PlLineReader *lines = malloc(sizeof(*lines));
        size_t n_errors = diag->n_errors, first = diag->n;
        int r;

        r = lines ? parser_init(&p) : -ENOMEM;
        for (size_t i = 0; r == 0 && i < n_sources; i++) {
                r = pl_strv_append(&p.policy->files, PL_POLICY_LIST_MAX, sources[i].file);
                if (r == 0)
                        parse_source(&p, &sources[i], lines);
                if (r == -E2BIG)
                        pl_diag_add(diag, PL_SEVERITY_ERROR, sources[i].file, 0,
                                    "more than %d files make up this policy", PL_POLICY_LIST_MAX);
        }
        if (r == 0 && !p.oom)
                pl_policy_check(&p);
        sort_diag(diag, first, sources, n_sources);
        sections_deinit(&p);
        if (r == -ENOMEM || p.oom || diag->oom)
                r = -ENOMEM;
        else if (diag->n_errors > n_errors)
                r = -EBADMSG;
        else
                *ret = TAKE_PTR(p.policy);
        pl_policy_unref(p.policy);
        return r;
}
