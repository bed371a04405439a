/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Parser: texts to a policy.
 *
 * Every line is checked, whatever was wrong before it, so that all errors show at once.
 * From the bottom up: bytes become logical lines; inih splits KEY=VALUE (section headers are read
 * here, because inih keeps only 49 bytes of them and does not tell of sections without keys); a row
 * of the table of keys says where a key may stand and how it is set; where a value is almost right
 * the error says what was probably meant, otherwise what the key expects. Last come the checks
 * between keys, between services and against the host. Errors are for what nobody can mean; a
 * policy that is merely too large for this host is a warning, because one file may serve several.
 *
 * What passes is safe to use: a path has no "..", a service's name is a file name, a
 * regular expression compiles and stays small.
 *
 * A new key is one row of the table and its entry in plimsoll.conf(5); a test holds them together.
 * A limit needs no row here: lib/limits/resource has it.
 */

#include "lib/policy/parser.h"

#include <errno.h>
#include <ini.h>
#include <signal.h>
#include <strings.h>

#include "lib/base/circle.h"
#include "lib/base/map.h"
#include "lib/base/pattern.h"
#include "lib/base/quote.h"
#include "lib/base/similar.h"
#include "lib/base/strv.h"
#include "lib/base/unit.h"
#include "lib/metrics/address.h"
#include "lib/policy/guess.h"
#include "lib/probe/kind.h"

#define KEYS_MAX       64
#define LINE_MAX_BYTES KIB(16) /* one logical line */
#define FILE_MAX_BYTES MIB(1)

typedef struct Place {
        const char *file; /* borrowed from policy->files; NULL: not assigned */
        unsigned line;
} Place;

/* A section under construction: the daemon's, or one service's. */
typedef struct Section {
        unsigned kind;           /* PL_SECTION_* */
        size_t index;            /* in policy->services */
        PlService *service;      /* NULL for [Daemon] and [Notify] */
        PlNotifySection *notify; /* NULL for all others */
        Place first, reopened;   /* reopened: in the file that is being read */
        Place set[KEYS_MAX];     /* by index of the key: where it was assigned last */
        Place empty[KEYS_MAX];   /* … where an empty assignment came after that */
        uint64_t inherited;      /* mask of 1 << index of the key: [Defaults] says it */
        Place *match_places;     /* beside service->matches */
} Section;

typedef struct Parser {
        const PlHost *host;
        PlDiagList *diag;
        PlPolicy *policy;
        Section daemon, defaults;
        Section **services; /* beside policy->services */
        PlMap *by_name;     /* … */
        Section **notifies; /* beside policy->notifies */
        Place at;           /* of the line being read */
        Section *current;   /* NULL: none yet, or one that is to be skipped */
        bool seen_section;  /* in the file being read */
        bool complained;    /* about keys outside of every section, in this file */
        bool oom;
} Parser;

/* Return: 0; -EINVAL or -ERANGE: the caller says what the key accepts; 1: said already; -ENOMEM. */
typedef struct Key Key;
typedef int Setter(Parser *p, const Key *key, Section *s, const char *value);

struct Key {
        const char *name;
        unsigned sections;
        Setter *set;
        size_t offset; /* in PlDaemonPolicy or PlService */
        uint64_t min, max;
        const char *expects; /* completes "expected …", with an example; NULL: the words */
        const void *extra;   /* the setter's own: words */
};

/* One message about the line being read. */
#define complain_here(p, ...) \
        pl_diag_add((p)->diag, PL_SEVERITY_ERROR, (p)->at.file, (p)->at.line, __VA_ARGS__)
#define warn_here(p, ...) \
        pl_diag_add((p)->diag, PL_SEVERITY_WARNING, (p)->at.file, (p)->at.line, __VA_ARGS__)

typedef struct LineReader {
        const char *text, *end; /* what is left */
        unsigned line;          /* number of the physical line that ended last */
        unsigned first;         /* … that the current logical line began on */
        bool begun;
        char buf[LINE_MAX_BYTES + 1];
} LineReader;

/* --- lines: bytes to logical lines; continuation, comments, encoding, length */

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

static bool next_physical(LineReader *r, Physical *ret) {
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
static bool join(Parser *p, LineReader *r, Physical line) {
        bool good = true, more = true, line_start = true;
        size_t size = 0;

        for (bool again = true; again; again = more && next_physical(r, &line)) {
                char buf[64];
                const char *wrong = check_bytes(line.s, line.size, buf);
                const char *s = line.s;
                size_t n = line.size;

                p->at.line = r->line;
                if (wrong)
                        complain_here(p, "%s", wrong);
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
                if (size + n + 1 > LINE_MAX_BYTES) {
                        if (good)
                                complain_here(p, "line of more than %d bytes; split it",
                                              (int)LINE_MAX_BYTES);
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

static bool next_line(Parser *p, LineReader *r) {
        Physical line;

        while (next_physical(r, &line)) {
                r->first = r->line;
                if (join(p, r, line))
                        return true;
        }
        return false;
}

/* --- defaults: what holds without any key, and what an empty assignment puts back */

static const PlDaemonPolicy daemon_defaults = {
        .engine = (char *)"unix:///run/docker.sock",
        .log_archive_budget_bytes = GIB(2),
        .log_punch_below_percent = 10,
        .service_max_age_usec = 90 * PL_USEC_PER_DAY,
};

static const PlService service_defaults = {
        .cpu_quota_period_usec = PL_QUOTA_PERIOD_DEFAULT_USEC,
        .shrink_mode = PL_SHRINK_SAFE,
        .log = {
                .max_size_bytes = PL_UNLIMITED,
                .max_age_usec = PL_TIME_INFINITY,
        },
        .log_path = {
                .max_size_bytes = PL_UNLIMITED,
                .max_age_usec = PL_TIME_INFINITY,
                .compress_after_usec = PL_USEC_PER_DAY,
        },
        .probe = {
                .kind = PL_PROBE_AUTO,
                .interval_usec = 10 * PL_USEC_PER_SEC,
                .timeout_usec = 2 * PL_USEC_PER_SEC,
                .start_period_usec = 60 * PL_USEC_PER_SEC,
                .failures = 3,
                .restart_budget = { 3, 10 * PL_USEC_PER_MIN },
                .flap_budget = { 6, 10 * PL_USEC_PER_MIN },
        },
};

static PlService *service_new(const char *name) {
        PlService *s = malloc(sizeof(*s));

        if (!s)
                return NULL;
        *s = service_defaults;
        if (name) {
                s->name = strdup(name);
                if (!s->name)
                        return pl_service_free(s);
        }
        return s;
}

/* --- did you mean */

/* What compose files, docker run and older systemd call our keys. */
static const char *const foreign[][2] = {
        { "MemoryLimit", "MemoryMax" },
        { "mem_limit", "MemoryMax" },
        { "memory", "MemoryMax" },
        { "memory_limit", "MemoryMax" },
        { "mem_reservation", "MemoryLow" },
        { "memory-reservation", "MemoryLow" },
        { "memswap_limit", "MemorySwapMax" },
        { "memory-swap", "MemorySwapMax" },
        { "cpus", "CPUQuota" },
        { "CPUShares", "CPUWeight" },
        { "cpu_shares", "CPUWeight" },
        { "cpu-shares", "CPUWeight" },
        { "cpuset", "AllowedCPUs" },
        { "cpuset-cpus", "AllowedCPUs" },
        { "pids_limit", "TasksMax" },
        { "pids-limit", "TasksMax" },
        { "BlockIOWeight", "IOWeight" },
        { "blkio_weight", "IOWeight" },
        { "max-size", "LogMaxSize" },
        { "max-file", "LogMaxFiles" },
        { "BlockIOReadBandwidth", "IOReadBandwidthMax" },
        { "BlockIOWriteBandwidth", "IOWriteBandwidthMax" },
};

static const char *similar_key(const char *word, const char *(*get)(const void *userdata, size_t i),
                               const void *userdata) {
        const char *want = word;

        for (size_t i = 0; i < PL_ARRAY_SIZE(foreign); i++)
                if (strcasecmp(word, foreign[i][0]) == 0)
                        want = foreign[i][1];
        return pl_similar(want, get, userdata);
}

/* --- values: numbers, sizes, spans, words, budgets */

static void *field(Parser *p, const Key *key, Section *s) {
        char *base = s->kind == PL_SECTION_DAEMON ? (char *)&p->policy->daemon : (char *)s->service;

        return base + key->offset;
}

static const void *default_of(const Key *key, const Section *s) {
        const char *base = s->kind == PL_SECTION_DAEMON ? (const char *)&daemon_defaults
                                                        : (const char *)&service_defaults;

        return base + key->offset;
}

/* Return: 1, as setters do when they have said what is wrong; -ENOMEM. */
static int did_you_mean(Parser *p, const Key *key, const char *value, const char *meant) {
        _cleanup_free_ char *shown = pl_show_value(value);

        if (!shown)
                return -ENOMEM;
        complain_here(p, "%s=%s: not understood; did you mean %s=%s?", key->name, shown, key->name,
                      meant);
        return 1;
}

/* "4g", "4 GB", "4GiB", "512mb", "unlimited": as compose files and people have it. */
static int refuse_size(Parser *p, const Key *key, const char *value) {
        static const char *const forever[] = { "unlimited", "Infinity", "INFINITY", "inf",
                                               "max",       "none",     "-1" };
        char meant[32];
        uint64_t bytes;
        size_t n = 0;

        for (size_t i = 0; i < PL_ARRAY_SIZE(forever); i++)
                if (pl_streq(value, forever[i]))
                        return did_you_mean(p, key, value, "infinity");
        for (const char *c = value; *c && n + 1 < sizeof(meant); c++)
                if (*c != ' ')
                        meant[n++] = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
        meant[n] = '\0';
        if (n > 2 && meant[n - 1] == 'B' && strchr("IKMGTPE", meant[n - 2]))
                meant[--n] = '\0';
        if (n > 2 && meant[n - 1] == 'I')
                meant[--n] = '\0';
        if (!pl_streq(value, meant) && pl_parse_size(meant, &bytes) == 0)
                return did_you_mean(p, key, value, meant);
        return -EINVAL;
}

static int parse_memory(Parser *p, const Key *key, const char *value, uint64_t *ret) {
        uint64_t permyriad;
        int r;

        if (!strchr(value, '%')) {
                r = pl_parse_size(value, ret);
                return r == -EINVAL ? refuse_size(p, key, value) : r;
        }
        r = pl_parse_permyriad(value, &permyriad);
        if (r < 0)
                return r;
        if (permyriad > 10000) {
                complain_here(p, "%s=%s: more than all of the host's memory", key->name, value);
                return 1;
        }
        *ret = (uint64_t)((unsigned __int128)p->host->memory_bytes * permyriad / 10000);
        if (*ret > MIB(1)) /* nobody counts bytes in a percentage; "3686M" can be read */
                *ret -= *ret % MIB(1);
        return 0;
}

/* "2" and "1.5" are CPUs, as in compose files; what is more than the host has is a sign short. */
static int parse_quota(Parser *p, const Key *key, const char *value, uint64_t *ret) {
        char with_sign[32];
        _cleanup_free_ char *meant = NULL, *as_cpus = NULL;
        uint64_t permyriad;
        int r;

        if (pl_streq(value, "infinity")) {
                *ret = PL_UNLIMITED;
                return 0;
        }
        r = pl_parse_permyriad(value, &permyriad);
        if (r == 0) {
                *ret = permyriad > UINT64_MAX / 200 ? UINT64_MAX / 2 : permyriad * 100;
                return 0;
        }
        if (r == -ERANGE)
                return r;
        snprintf(with_sign, sizeof(with_sign), "%.24s%%", value);
        if (strlen(value) > 24 || pl_parse_permyriad(with_sign, &permyriad) < 0)
                return -EINVAL;
        if (permyriad <= p->host->n_cpus * UINT64_C(100)) {
                PlValue v = { .set = true, .number = permyriad * 10000 };

                if (pl_value_to_string(PL_RESOURCE_CPU_QUOTA, &v, &as_cpus) < 0 ||
                    asprintf(&meant,
                             permyriad < 100 ? "%s (of one CPU)"
                                             : "%s (%s CPUs of %u) or CPUQuota=%s (of one)",
                             as_cpus, value, p->host->n_cpus, with_sign) < 0)
                        return -ENOMEM;
        }
        return did_you_mean(p, key, value, meant ? meant : with_sign);
}

/* A disk that is not there now may come; what is none never will be. Return: 0, 1 when refused. */
static int check_device(Parser *p, const Key *key, const PlDeviceRate *earlier, size_t n,
                        const PlDeviceRate *rate) {
        char number[PL_DEVICE_MAX], other[PL_DEVICE_MAX];
        int r = p->host->device ? p->host->device(NULL, rate->device, number) : -ENOSYS;

        if (r == -ENOSYS)
                return 0;
        if (r == -ENOTBLK) {
                complain_here(p, "%s=: %s is no block device, and on none", key->name,
                              rate->device);
                return 1;
        }
        if (r < 0)
                warn_here(p,
                          "%s=: no block device is found at %s (%s); without one, this has no "
                          "effect",
                          key->name, rate->device, strerror(-r));
        for (size_t i = 0; i < n && r >= 0; i++)
                if (!pl_streq(earlier[i].device, rate->device) && earlier[i].bytes != rate->bytes &&
                    p->host->device(NULL, earlier[i].device, other) >= 0 && pl_streq(other, number))
                        warn_here(p,
                                  "%s=: %s and %s are the same disk (%s); the lower of the two "
                                  "rates holds",
                                  key->name, rate->device, earlier[i].device, number);
        return 0;
}

/* "/dev/sda 10M": adds to the list, or replaces the device's earlier rate. */
static int set_bandwidth(Parser *p, const Key *key, Section *s, const char *value) {
        PlResource resource = (PlResource)key->offset;
        PlValue *v = &s->service->limits.v[resource];
        size_t n = 0, path_size = strcspn(value, " \t");
        const char *rate = value + path_size + strspn(value + path_size, " \t");
        _cleanup_free_ PlDeviceRate *rates = NULL;
        const char *cursor = v->text;
        char *text;
        int r;

        if (!*value) {
                pl_value_deinit(v);
                return 0;
        }
        if (value[0] != '/' || path_size >= PL_DEVICE_MAX || memchr(value, ';', path_size))
                return -EINVAL;
        rates = calloc(PL_POLICY_LIST_MAX + 1, sizeof(*rates));
        if (!rates)
                return -ENOMEM;
        while (n < PL_POLICY_LIST_MAX && pl_resource_devices_next(&cursor, &rates[n]))
                n++;
        if (n == PL_POLICY_LIST_MAX)
                return -E2BIG;
        r = pl_parse_rate(rate, &rates[n].bytes);
        if (r < 0)
                return r;
        if (rates[n].bytes != PL_UNLIMITED &&
            (rates[n].bytes < key->min || rates[n].bytes > key->max))
                return -ERANGE;
        memcpy(rates[n].device, value, path_size);
        rates[n].device[path_size] = '\0';
        r = check_device(p, key, rates, n, &rates[n]);
        if (r != 0)
                return r;
        r = pl_resource_devices_join(rates, n + 1, &text);
        if (r < 0)
                return r;
        pl_value_deinit(v);
        *v = (PlValue){ .set = true, .text = text };
        return 0;
}

static int set_resource(Parser *p, const Key *key, Section *s, const char *value) {
        PlResource resource = (PlResource)key->offset;
        const PlResourceInfo *info = pl_resource_info(resource);
        PlValue parsed = { .set = true };
        int r = -EINVAL;

        if (info->kind == PL_KIND_DEVICES)
                return set_bandwidth(p, key, s, value);
        if (!*value) {
                pl_value_deinit(&s->service->limits.v[resource]);
                return 0;
        }
        switch (info->kind) {
        case PL_KIND_CPU_TIME:
                r = parse_quota(p, key, value, &parsed.number);
                break;
        case PL_KIND_BYTES:
                r = parse_memory(p, key, value, &parsed.number);
                break;
        case PL_KIND_COUNT:
                if (pl_streq(value, "infinity")) {
                        parsed.number = PL_UNLIMITED;
                        r = 0;
                        break;
                }
                r = pl_parse_uint64(value, &parsed.number);
                if (r == -EINVAL)
                        r = refuse_size(p, key, value);
                break;
        case PL_KIND_WEIGHT:
                r = pl_parse_uint64(value, &parsed.number);
                break;
        case PL_KIND_CPUSET:
                r = pl_parse_cpuset(value, &parsed.text);
                break;
        case PL_KIND_DEVICES:
                break;
        }
        if (r != 0)
                return r;
        if (!parsed.text && (parsed.number != PL_UNLIMITED || info->kind == PL_KIND_WEIGHT) &&
            (parsed.number < key->min || parsed.number > key->max))
                return -ERANGE;
        pl_value_deinit(&s->service->limits.v[resource]);
        s->service->limits.v[resource] = parsed;
        return 0;
}

static int set_size(Parser *p, const Key *key, Section *s, const char *value) {
        uint64_t bytes;
        int r;

        if (!*value) {
                memcpy(field(p, key, s), default_of(key, s), sizeof(bytes));
                return 0;
        }
        r = pl_parse_size(value, &bytes);
        if (r == -EINVAL)
                return refuse_size(p, key, value);
        if (r < 0 || (bytes != PL_UNLIMITED && (bytes < key->min || bytes > key->max)))
                return -ERANGE;
        memcpy(field(p, key, s), &bytes, sizeof(bytes));
        return 0;
}

static int set_sec(Parser *p, const Key *key, Section *s, const char *value) {
        uint64_t usec;
        int r;

        if (!*value) {
                memcpy(field(p, key, s), default_of(key, s), sizeof(usec));
                return 0;
        }
        r = pl_parse_sec(value, &usec);
        if (r < 0)
                return r;
        if (usec < key->min || usec > key->max)
                return -ERANGE;
        memcpy(field(p, key, s), &usec, sizeof(usec));
        return 0;
}

static int set_unsigned(Parser *p, const Key *key, Section *s, const char *value) {
        uint64_t n;
        unsigned number;
        int r;

        if (!*value) {
                memcpy(field(p, key, s), default_of(key, s), sizeof(number));
                return 0;
        }
        r = pl_parse_uint64(value, &n);
        if (r < 0)
                return r;
        if (n < key->min || n > key->max)
                return -ERANGE;
        number = (unsigned)n;
        memcpy(field(p, key, s), &number, sizeof(number));
        return 0;
}

/* "10%" */
static int set_percent(Parser *p, const Key *key, Section *s, const char *value) {
        size_t n = strlen(value);
        _cleanup_free_ char *number = NULL;

        if (n == 0)
                return set_unsigned(p, key, s, value);
        if (value[n - 1] != '%')
                return -EINVAL;
        number = strndup(value, n - 1);
        return number ? set_unsigned(p, key, s, *number ? number : "%") : -ENOMEM;
}

static int set_port(Parser *p, const Key *key, Section *s, const char *value) {
        uint64_t n = 0;
        uint16_t port;
        int r = *value ? pl_parse_uint64(value, &n) : 0;

        if (r < 0)
                return r;
        if (*value && (n < key->min || n > key->max))
                return -ERANGE;
        port = (uint16_t)n;
        memcpy(field(p, key, s), &port, sizeof(port));
        return 0;
}

static bool equal_nocase(const char *a, const char *b) {
        for (; *a && *b; a++, b++) {
                char c = *a >= 'A' && *a <= 'Z' ? (char)(*a - 'A' + 'a') : *a;

                if (c != *b)
                        return false;
        }
        return *a == *b;
}

/* Return: 0 or 1, or -EINVAL. */
static int parse_boolean(const char *s) {
        static const char *const words[][2] = {
                { "no", "yes" }, { "false", "true" }, { "off", "on" },
                { "0", "1" },    { "n", "y" },        { "f", "t" },
        };

        for (size_t i = 0; i < PL_ARRAY_SIZE(words); i++)
                for (int value = 0; value < 2; value++)
                        if (equal_nocase(s, words[i][value]))
                                return value;
        return -EINVAL;
}

static int set_boolean(Parser *p, const Key *key, Section *s, const char *value) {
        int r = *value ? parse_boolean(value) : *(const bool *)default_of(key, s);

        if (r < 0)
                return r;
        *(bool *)field(p, key, s) = r > 0;
        return 0;
}

static const char *get_word(const void *userdata, size_t i) {
        return ((const PlWord *)userdata)[i].word;
}

static int set_word(Parser *p, const Key *key, Section *s, const char *value) {
        const PlWord *words = key->extra;
        const char *similar;

        if (!*value) {
                memcpy(field(p, key, s), default_of(key, s), sizeof(words->value));
                return 0;
        }
        for (; words->word; words++)
                if (pl_streq(words->word, value)) {
                        memcpy(field(p, key, s), &words->value, sizeof(words->value));
                        return 0;
                }
        similar = similar_key(value, get_word, key->extra);
        return similar ? did_you_mean(p, key, value, similar) : -EINVAL;
}

/* "3/10min" */
static int set_budget(Parser *p, const Key *key, Section *s, const char *value) {
        const char *slash = strchr(value, '/');
        PlBudget budget;
        char count[8];
        uint64_t n;
        int r;

        if (!*value) {
                memcpy(field(p, key, s), default_of(key, s), sizeof(budget));
                return 0;
        }
        if (!slash)
                return -EINVAL;
        if ((size_t)(slash - value) >= sizeof(count))
                return strspn(value, "0123456789") == (size_t)(slash - value) ? -ERANGE : -EINVAL;
        snprintf(count, sizeof(count), "%.*s", (int)(slash - value), value);
        r = pl_parse_uint64(count, &n);
        if (r == 0)
                r = pl_parse_sec(slash + 1, &budget.window_usec);
        if (r < 0)
                return r;
        if (n < key->min || n > key->max || budget.window_usec < PL_USEC_PER_SEC ||
            budget.window_usec > 365 * PL_USEC_PER_DAY)
                return -ERANGE;
        budget.n = (unsigned)n;
        memcpy(field(p, key, s), &budget, sizeof(budget));
        return 0;
}

/* --- texts: values with a grammar of their own */

#define SOCKET_PATH_MAX 107 /* sun_path with its NUL is 108, unix(7) */

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
static int refuse(Parser *p, const Key *key, const char *value, const char *why) {
        _cleanup_free_ char *shown = pl_show_value(value);

        if (!shown)
                return -ENOMEM;
        complain_here(p, "%s=%s: %s", key->name, shown, why);
        return 1;
}

const char *pl_policy_engine_fault(const char *url) {
        const char *path = url + strlen("unix://");

        if (url[0] == '/')
                return "a path alone; write unix:// before it";
        if (!pl_startswith(url, "unix://"))
                return strstr(url, "://") ? "only unix sockets are spoken to; expected "
                                            "unix:///run/docker.sock"
                                          : "expected unix:///run/docker.sock, or where the "
                                            "engine's socket is";
        if (path[0] != '/')
                return "the path after unix:// begins with a slash too, as in "
                       "unix:///run/docker.sock";
        if (!path[1])
                return "the root directory is no socket; expected one such as "
                       "unix:///run/docker.sock";
        return strlen(path) > SOCKET_PATH_MAX
                               ? "the path of a socket has at most 107 bytes, unix(7)"
                               : NULL;
}

static int set_engine(Parser *p, const Key *key, Section *s, const char *value) {
        const char *fault = *value ? pl_policy_engine_fault(value) : NULL;

        if (fault)
                return refuse(p, key, value, fault);
        return replace(&p->policy->daemon.engine, *value ? value : daemon_defaults.engine);
}

#define LISTEN_MAX 16 /* as many as plimsolld listens on */

static int set_listen(Parser *p, const Key *key, Section *s, const char *value) {
        char ***list = &p->policy->daemon.metrics_listen;
        PlMetricsAddress a;

        if (!*value) {
                *list = pl_strv_free(*list);
                return 0;
        }
        switch (pl_metrics_address_parse(value, &a)) {
        case 0:
                return pl_strv_append(list, LISTEN_MAX, value);
        case -ENOENT:
                return refuse(p, key, value,
                              "an address is needed, not a name; 127.0.0.1 is this host alone");
        case -EACCES:
                return refuse(p, key, value,
                              "a socket must lie in " PL_METRICS_SOCKET_DIR
                              ", as in unix:" PL_METRICS_SOCKET_DIR "metrics.sock");
        default:
                return -EINVAL;
        }
}

/* Takes a line's terms over. Return: 0, -E2BIG, -ENOMEM: they are still the caller's. */
static int add_matches(Parser *p, Section *s, const PlMatch *line, size_t n) {
        PlService *service = s->service;
        PlMatch *matches;
        Place *places;

        if (service->n_matches + n > PL_POLICY_LIST_MAX)
                return -E2BIG;
        matches = realloc(service->matches, (service->n_matches + n) * sizeof(*matches));
        if (!matches)
                return -ENOMEM;
        service->matches = matches;
        places = realloc(s->match_places, (service->n_matches + n) * sizeof(*places));
        if (!places)
                return -ENOMEM;
        s->match_places = places;
        memcpy(&matches[service->n_matches], line, n * sizeof(*line));
        for (size_t i = 0; i < n; i++)
                places[service->n_matches++] = p->at;
        return 0;
}

static int set_match(Parser *p, const Key *key, Section *s, const char *value) {
        PlMatch line[PL_MATCH_TERMS_MAX];
        const char *warning, *fault;
        _cleanup_free_ char *never = NULL, *shown = pl_show_value(value);
        size_t n;
        int r;

        if (!shown)
                return -ENOMEM;
        if (!*value) {
                for (size_t i = 0; i < s->service->n_matches; i++)
                        free(s->service->matches[i].pattern);
                s->service->n_matches = 0;
                return 0;
        }
        r = pl_match_parse(value, line, &n, &warning, &fault);
        if (r == -EBADMSG)
                return refuse(p, key, value, fault);
        if (r < 0)
                return r;
        if (warning)
                warn_here(p, "Match=%s: %s", shown, warning);
        r = pl_match_never(line, n, &never);
        if (never)
                warn_here(p, "Match=%s: no container can match this line: %s", shown, never);
        if (r == 0)
                r = add_matches(p, s, line, n);
        while (r < 0 && n > 0)
                free(line[--n].pattern);
        return r;
}

static int set_expect(Parser *p, const Key *key, Section *s, const char *value) {
        char ***list = &s->service->probe.expect;
        char why[PL_EXPECT_WHY_MAX];
        int r;

        if (!*value) {
                *list = pl_strv_free(*list);
                return 0;
        }
        r = pl_expect_valid(value, why);
        if (r < 0)
                return r == -EINVAL && *why ? refuse(p, key, value, why) : r;
        if (pl_startswith(value, "body:") && pl_pattern_posix_differs(value + strlen("body:")))
                warn_here(p,
                          "%s=: regular expressions are PCRE2's; a POSIX one would be read "
                          "otherwise",
                          key->name);
        r = pl_strv_append(list, PL_EXPECT_MAX, value);
        return r == -E2BIG ? refuse(p, key, value, "too many of them; at most 16") : r;
}

/* Splits at white space and commas; each word must pass. Return: as a setter. */
static int append_words(Parser *p, const Key *key, char ***list, const char *value,
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

static int set_names(Parser *p, const Key *key, Section *s, const char *value) {
        return append_words(p, key, field(p, key, s), value, pl_service_name_valid,
                            "not the name of a [Service] section");
}

static const char *label_key_fault(const char *name);
static bool label_key_valid(const char *name) {
        return !label_key_fault(name);
}

/* "yes", "no", or the keys that labels may set. */
static bool host_valid(const char *s) {
        size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.");

        return n > 0 && n < 254 && !s[n];
}

static int set_metrics_host(Parser *p, const Key *key, Section *s, const char *value) {
        char ***list = &p->policy->daemon.metrics_host;

        if (!*value) {
                *list = pl_strv_free(*list);
                return 0;
        }
        return append_words(p, key, list, value, host_valid,
                            "not the name of a host, such as metrics.example.org");
}

static int set_labels(Parser *p, const Key *key, Section *s, const char *value) {
        char ***list = &p->policy->daemon.labels;
        int r = *value ? parse_boolean(value) : 0;

        if (r >= 0) {
                *list = pl_strv_free(*list);
                return r > 0 ? pl_strv_append(list, 1, "*") : 0;
        }
        if (*list && pl_streq((*list)[0], "*"))
                *list = pl_strv_free(*list);
        return append_words(p, key, list, value, label_key_valid,
                            "not a key that labels may set; plimsoll.conf(5) lists those that they "
                            "may not");
}

static bool model_valid(const char *s) {
        size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/");

        return n > 0 && n <= 256 && !s[n];
}

static int set_models(Parser *p, const Key *key, Section *s, const char *value) {
        return append_words(p, key, &s->service->probe.ollama_models, value, model_valid,
                            "not the name of a model, such as llama3.2:3b");
}

static int set_log_path(Parser *p, const Key *key, Section *s, const char *value) {
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

static int set_log_path_archive(Parser *p, const Key *key, Section *s, const char *value) {
        _cleanup_free_ char *name = strdup(value);
        size_t n = strlen(value);

        if (!name)
                return -ENOMEM;
        if (n > 0 && name[n - 1] == '/')
                name[--n] = '\0';
        if (n > PL_LOGPATH_ARCHIVE_DIR_MAX || strchr(name, '/') || pl_streq(name, ".") ||
            pl_streq(name, "..") || (*value && n == 0))
                return -EINVAL;
        return replace(&s->service->log_path.archive_dir, name);
}

static int set_http_path(Parser *p, const Key *key, Section *s, const char *value) {
        if (*value && (value[0] != '/' || strlen(value) > 1024))
                return -EINVAL;
        for (const char *c = value; *c; c++)
                if (*c <= ' ' || *c >= 0x7f)
                        return refuse(p, key, value,
                                      "white space and non-ASCII are written as %20 and the like "
                                      "in a URL");
        return replace(&s->service->probe.path, value);
}

static int set_host(Parser *p, const Key *key, Section *s, const char *value) {
        /* RFC 1123; an IPv6 address in brackets, and a port, are fine in a Host header */
        if (strlen(value) > 253 ||
            value[strspn(value,
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]")])
                return -EINVAL;
        return replace(&s->service->probe.host, value);
}

static bool unit_valid(const char *s) {
        static const char *const suffixes[] = { ".service", ".target", ".socket", ".timer",
                                                ".path" };
        const char *dot = strrchr(s, '.');
        bool known = false;

        for (size_t i = 0; dot && i < PL_ARRAY_SIZE(suffixes); i++)
                known = known || pl_streq(dot, suffixes[i]);
        if (!known || dot == s || strlen(s) > 255 - PL_SERVICE_NAME_MAX)
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

static int set_unhealthy(Parser *p, const Key *key, Section *s, const char *value) {
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

/* --- keys: the table of the language */

#define SERVICE  PL_SECTION_SERVICE
#define LIMITED  (PL_SECTION_SERVICE | PL_SECTION_DEFAULTS)
#define INHERITS (LIMITED | PL_SECTION_INHERITS)
#define D(field) offsetof(PlDaemonPolicy, field)
#define S(field) offsetof(PlService, field)

static const PlWord shrink_modes[] = {
        { "safe", PL_SHRINK_SAFE },
        { "kill", PL_SHRINK_KILL },
        { NULL },
};

static const PlWord probe_tls[] = {
        { "auto", PL_PROBE_TLS_AUTO },
        { "yes", PL_PROBE_TLS_YES },
        { "no", PL_PROBE_TLS_NO },
        { NULL },
};

static const PlWord restart_or_none[] = {
        { "none", PL_ON_UNHEALTHY_NONE },
        { "restart", PL_ON_UNHEALTHY_RESTART },
        { NULL },
};

static const PlWord log_on_full[] = {
        { "keep", PL_LOG_ON_FULL_KEEP },
        { "drop", PL_LOG_ON_FULL_DROP },
        { NULL },
};

static const PlWord log_keep[] = {
        { "yes", PL_LOG_KEEP_YES },  { "on", PL_LOG_KEEP_YES }, { "true", PL_LOG_KEEP_YES },
        { "1", PL_LOG_KEEP_YES },    { "no", PL_LOG_KEEP_NO },  { "off", PL_LOG_KEEP_NO },
        { "false", PL_LOG_KEEP_NO }, { "0", PL_LOG_KEEP_NO },   { NULL },
};

static const PlWord reopen_signals[] = {
        { "none", 0 },          { "HUP", SIGHUP },   { "SIGHUP", SIGHUP },   { "USR1", SIGUSR1 },
        { "SIGUSR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "SIGUSR2", SIGUSR2 }, { NULL },
};

#define A_YES    "yes or no"
#define A_BUDGET "a number from 1 to 1000 and a time span, such as 3/10min"

/* clang-format off */
#define LIMIT(constant, name, kind, controller, v1, v2, min, max, fresh, turn, property, engine, expects) \
        { name, INHERITS, set_resource, PL_RESOURCE_##constant, min, max, expects, NULL },
/* clang-format on */

static const Key policy_keys[] = {
        { "Engine", PL_SECTION_DAEMON, set_engine, D(engine), 0, 0,
          "the engine's socket, such as unix:///run/docker.sock", NULL },
        { "MetricsListen", PL_SECTION_DAEMON, set_listen, D(metrics_listen), 0, 0,
          "an address and a port, such as 127.0.0.1:9478 or [::1]:9478, a port alone, or "
          "unix:" PL_METRICS_SOCKET_DIR "NAME",
          NULL },
        { "MetricsHost", PL_SECTION_DAEMON, set_metrics_host, D(metrics_host), 0, 0,
          "names of this host, such as metrics.example.org", NULL },
        { "LogArchiveBudget", PL_SECTION_DAEMON, set_size, D(log_archive_budget_bytes), MIB(1),
          GIB(1 << 20), "a size from 1M to 1P such as 2G (base 1024), or infinity", NULL },
        { "LogPunchBelow", PL_SECTION_DAEMON, set_percent, D(log_punch_below_percent), 0, 50,
          "a share of the file system that is free, from 0% to 50% such as 10%; 0% for never",
          NULL },
        { "Labels", PL_SECTION_DAEMON, set_labels, D(labels), 0, 0,
          "yes, no, or keys that labels of a container may set, such as MemoryMax CPUQuota", NULL },
        { "MatchImageLabels", PL_SECTION_DAEMON, set_boolean, D(match_image_labels), 0, 0, A_YES,
          NULL },
        { "LogAdopt", PL_SECTION_DAEMON, set_boolean, D(log_adopt), 0, 0, A_YES, NULL },
        { "ServiceMaxAge", PL_SECTION_DAEMON, set_sec, D(service_max_age_usec), PL_USEC_PER_HOUR,
          PL_TIME_INFINITY, "a time span of at least 1h such as 90d, or infinity", NULL },
        { "DryRun", PL_SECTION_DAEMON, set_boolean, D(dry_run), 0, 0, A_YES, NULL },
        { "RestoreOnStop", PL_SECTION_DAEMON, set_boolean, D(restore_on_stop), 0, 0, A_YES, NULL },
        { "ProtectSlice", PL_SECTION_DAEMON, set_boolean, D(protect_slice), 0, 0, A_YES, NULL },

        { "Match", SERVICE, set_match, S(matches), 0, 0,
          "name:GLOB, image:GLOB, label:KEY=VALUE, compose-service:NAME, compose-project:NAME, "
          "swarm-service:NAME or unit:NAME, such as compose-service:postgres",
          NULL },
        { "ShrinkMode", LIMITED, set_word, S(shrink_mode), 0, 0, NULL, shrink_modes },

        { "CPUQuotaPeriodSec", INHERITS, set_sec, S(cpu_quota_period_usec),
          PL_QUOTA_PERIOD_MIN_USEC, PL_QUOTA_PERIOD_MAX_USEC,
          "a time span from 1ms to 1s, such as 100ms", NULL },

        { "LogMaxSize", INHERITS, set_size, S(log.max_size_bytes), KIB(64), GIB(1 << 20),
          "a size from 64K to 1P such as 10M (base 1024), or infinity", NULL },
        { "LogMaxFiles", INHERITS, set_unsigned, S(log.max_files), 0, 10000,
          "a number of archives from 1 to 10000 such as 3, or 0 for as many as the budget allows",
          NULL },
        { "LogMaxAge", INHERITS, set_sec, S(log.max_age_usec), PL_USEC_PER_MIN, PL_TIME_INFINITY,
          "a time span of a minute or more such as 30d, or infinity", NULL },
        { "LogMethod", INHERITS, set_word, S(log.method), 0, 0, NULL, pl_log_method_words },
        { "LogOnFull", INHERITS, set_word, S(log.on_full), 0, 0, NULL, log_on_full },
        { "LogKeep", INHERITS, set_word, S(log.keep), 0, 0, A_YES, log_keep },
        { "LogPath", INHERITS, set_log_path, S(log_path.globs), 0, 0,
          "an absolute path inside the container, with globs, such as /opt/airflow/logs/*/*.log",
          NULL },
        { "LogPathMaxSize", INHERITS, set_size, S(log_path.max_size_bytes), KIB(64), GIB(1 << 20),
          "a size from 64K to 1P such as 50M (base 1024), or infinity", NULL },
        { "LogPathMaxAge", INHERITS, set_sec, S(log_path.max_age_usec), PL_USEC_PER_MIN,
          PL_TIME_INFINITY, "a time span of a minute or more such as 14d, or infinity", NULL },
        { "LogPathMaxFiles", INHERITS, set_unsigned, S(log_path.max_files), 0, 1000000,
          "a number of files from 1 to 1000000 such as 200, or 0 for no such limit", NULL },
        { "LogPathCompressAfter", INHERITS, set_sec, S(log_path.compress_after_usec),
          PL_USEC_PER_MIN, PL_TIME_INFINITY,
          "a time span of a minute or more such as 1d, or infinity", NULL },
        { "LogPathArchive", INHERITS, set_log_path_archive, S(log_path.archive_dir), 0, 0,
          "the name of a directory beside each log, such as .plimsoll/", NULL },
        { "LogReopen", INHERITS, set_word, S(log_path.reopen_signal), 0, 0, NULL, reopen_signals },

        { "Probe", LIMITED, set_word, S(probe.kind), 0, 0, NULL, pl_probe_kind_words },
        { "ProbePort", LIMITED, set_port, S(probe.port), 1, 65535,
          "a port from 1 to 65535, such as 5432", NULL },
        { "ProbeInterval", INHERITS, set_sec, S(probe.interval_usec), PL_USEC_PER_SEC,
          PL_USEC_PER_DAY, "a time span from 1s to 1d, such as 10s", NULL },
        { "ProbeTimeout", INHERITS, set_sec, S(probe.timeout_usec), 10 * PL_USEC_PER_MSEC,
          10 * PL_USEC_PER_MIN, "a time span from 10ms to 10min, such as 2s", NULL },
        { "ProbeFailures", INHERITS, set_unsigned, S(probe.failures), 1, 1000,
          "a number from 1 to 1000, such as 3", NULL },
        { "ProbeStartPeriod", INHERITS, set_sec, S(probe.start_period_usec), 0, PL_USEC_PER_DAY,
          "a time span up to 1d, such as 60s", NULL },
        { "ProbePath", LIMITED, set_http_path, S(probe.path), 0, 0,
          "the path of a URL, such as /health", NULL },
        { "ProbeExpect", LIMITED, set_expect, S(probe.expect), 0, 0,
          "status:200-299, json:/POINTER=VALUE, body:REGEX or header:NAME=VALUE, such as "
          "json:/database=ok",
          NULL },
        { "ProbeTLS", LIMITED, set_word, S(probe.tls), 0, 0, NULL, probe_tls },
        { "ProbeTLSVerify", LIMITED, set_boolean, S(probe.tls_verify), 0, 0, A_YES, NULL },
        { "ProbeHost", LIMITED, set_host, S(probe.host), 0, 0,
          "a host name, such as grafana.example.org", NULL },
        { "ProbeAuth", LIMITED, set_boolean, S(probe.auth), 0, 0, A_YES, NULL },
        { "OllamaModels", LIMITED, set_models, S(probe.ollama_models), 0, 0,
          "names of models, such as llama3.2:3b nomic-embed-text", NULL },
        { "OnUnhealthy", LIMITED, set_unhealthy, S(probe.on_unhealthy), 0, 0,
          "none, restart, unit:NAME (such as unit:plimsoll-alert@%s.service) or restart unit:NAME",
          NULL },
        { "OnStartTimeout", LIMITED, set_word, S(probe.on_start_timeout), 0, 0, NULL,
          restart_or_none },
        { "OnExit", LIMITED, set_word, S(probe.on_exit), 0, 0, NULL, restart_or_none },
        { "RestartBudget", LIMITED, set_budget, S(probe.restart_budget), 1, 1000, A_BUDGET, NULL },
        { "FlapBudget", LIMITED, set_budget, S(probe.flap_budget), 1, 1000, A_BUDGET, NULL },
        { "Required", SERVICE, set_boolean, S(probe.required), 0, 0, A_YES, NULL },
        { "After", SERVICE, set_names, S(probe.after), 0, 0,
          "names of other [Service] sections, such as postgres redis", NULL },
        { "PartOf", SERVICE, set_names, S(probe.part_of), 0, 0,
          "names of other [Service] sections, such as vpn", NULL },

        PL_RESOURCES(LIMIT)
};

_Static_assert(PL_ARRAY_SIZE(policy_keys) <= KEYS_MAX, "Section.set is too small");

/* NULL: there is no such key. */
static const Key *find_key(const char *name) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(policy_keys); i++)
                if (policy_keys[i].name[0] == name[0] && pl_streq(policy_keys[i].name, name))
                        return &policy_keys[i];
        return NULL;
}

const char *pl_policy_key(size_t i, unsigned *ret_sections) {
        if (i >= PL_ARRAY_SIZE(policy_keys)) {
                *ret_sections = PL_SECTION_NOTIFY;
                return pl_notify_section_key(NULL, i - PL_ARRAY_SIZE(policy_keys));
        }
        *ret_sections = policy_keys[i].sections;
        return policy_keys[i].name;
}

/* --- values as they are written: the other way round */

static size_t key_index(const char *name) {
        return (size_t)(find_key(name) - policy_keys);
}

static void write_list(FILE *f, char *const *list) {
        for (char *const *v = list; v && *v; v++)
                fprintf(f, "%s%s", v == list ? "" : " ", *v);
}

static void write_matches(FILE *f, const PlService *s) {
        for (size_t i = 0, n; i < s->n_matches; i += n) {
                _cleanup_free_ char *line = NULL;

                n = pl_match_line_length(&s->matches[i], s->n_matches - i);
                line = pl_match_format(&s->matches[i], n);
                fprintf(f, "%s%s", i > 0 ? " | " : "", line ?: "");
        }
}

static void write_unhealthy(FILE *f, const PlProbePolicy *probe) {
        fprintf(f, "%s%s%s%s",
                probe->on_unhealthy == PL_ON_UNHEALTHY_NONE      ? "none"
                : probe->on_unhealthy == PL_ON_UNHEALTHY_RESTART ? "restart"
                                                                 : "",
                probe->on_unhealthy == PL_ON_UNHEALTHY_RESTART && probe->unit ? " " : "",
                probe->unit ? "unit:" : "", probe->unit ?: "");
}

/* Values whose setter is one of the generic ones. Return: false: it is not. */
static bool write_plain(FILE *f, const Key *key, const PlService *s) {
        const void *at = (const char *)s + key->offset;
        char buf[PL_FORMAT_MAX];

        if (key->set == set_size)
                fputs(pl_format_bytes_exact(*(const uint64_t *)at, buf), f);
        else if (key->set == set_sec)
                fputs(pl_format_sec_exact(*(const uint64_t *)at, buf), f);
        else if (key->set == set_unsigned)
                fprintf(f, "%u", *(const unsigned *)at);
        else if (key->set == set_port)
                fprintf(f, "%u", (unsigned)*(const uint16_t *)at);
        else if (key->set == set_boolean)
                fputs(*(const bool *)at ? "yes" : "no", f);
        else if (key->set == set_word)
                fputs(pl_word_of(key->extra, *(const int *)at), f);
        else if (key->set == set_budget)
                fprintf(f, "%u/%s", ((const PlBudget *)at)->n,
                        pl_format_sec_exact(((const PlBudget *)at)->window_usec, buf));
        else if (key->set == set_http_path || key->set == set_host ||
                 key->set == set_log_path_archive)
                fputs(*(char *const *)at ?: "", f);
        else if (key->set == set_log_path || key->set == set_expect || key->set == set_names ||
                 key->set == set_models)
                write_list(f, *(char **const *)at);
        else
                return false;
        return true;
}

char *pl_policy_value(const PlService *s, const char *name) {
        const Key *key = &policy_keys[key_index(name)];
        char *text = NULL;
        size_t size;
        FILE *f;

        if (key->set == set_resource)
                return pl_value_to_string((PlResource)key->offset, &s->limits.v[key->offset],
                                          &text) < 0
                                       ? NULL
                                       : text;
        f = open_memstream(&text, &size);
        if (!f)
                return NULL;
        if (key->set == set_match)
                write_matches(f, s);
        else if (key->set == set_unhealthy)
                write_unhealthy(f, &s->probe);
        else
                (void)write_plain(f, key, s);
        return pl_take_text(f, &text);
}

/* --- checks: what must hold between keys, between sections, and against the host */

static Place place_of(const Section *s, const char *name) {
        Place at = s->set[key_index(name)];

        return at.file ? at : s->first;
}

#define complain(p, severity, s, key, ...)                                           \
        do {                                                                         \
                Place _at = place_of((s), (key));                                    \
                pl_diag_add((p)->diag, (severity), _at.file, _at.line, __VA_ARGS__); \
        } while (0)

/* Does the section itself say it? */
static bool is_set(const Section *s, const char *name) {
        return s->set[key_index(name)].file != NULL;
}

static bool is_inherited(const Section *s, const char *name) {
        return s->inherited & UINT64_C(1) << key_index(name);
}

static const PlValue *value(const Section *s, PlResource r) {
        return &s->service->limits.v[r];
}

/* "[Service postgres]", for "%s%s%s" */
#define WHO(s) (s)->name ? "[Service " : "", (s)->name ?: "this container", (s)->name ? "]" : ""

/* What is inherited gives way to what the section says itself, and that is said. */
static void yield_limit(Parser *p, Section *s, PlResource r, const char *text, PlResource to,
                        const char *to_text) {
        const char *name = pl_resource_info(r)->name;
        size_t key = key_index(name);
        Place from = p->defaults.set[key];

        complain(p, PL_SEVERITY_WARNING, s, pl_resource_info(to)->name,
                 "%s=%s of [Defaults] (%s:%u) contradicts %s=%s here, and does not hold for "
                 "%s%s%s; write %s= or a value of its own to say so",
                 name, text, from.file, from.line, pl_resource_info(to)->name, to_text,
                 WHO(s->service), name);
        pl_value_deinit(&s->service->limits.v[r]);
        s->service->limits.v[r] = (PlValue){ 0 };
        s->inherited &= ~(UINT64_C(1) << key);
}

static void check_order(Parser *p, Section *s, PlResource low, PlResource high, PlSeverity severity,
                        const char *why) {
        const PlValue *a = value(s, low), *b = value(s, high);
        const char *low_name = pl_resource_info(low)->name,
                   *high_name = pl_resource_info(high)->name;
        char x[PL_FORMAT_MAX], y[PL_FORMAT_MAX];
        Place other;

        if (!a->set || !b->set || a->number <= b->number)
                return;
        other = place_of(s, high_name);
        pl_format_bytes_exact(a->number, x);
        pl_format_bytes_exact(b->number, y);
        if (is_inherited(s, low_name) && is_inherited(s, high_name))
                return; /* said of [Defaults] */
        if (is_inherited(s, low_name))
                yield_limit(p, s, low, x, high, y);
        else if (is_inherited(s, high_name))
                yield_limit(p, s, high, y, low, x);
        else
                complain(p, severity, s, low_name, "%s=%s is above %s=%s (%s:%u); %s", low_name, x,
                         high_name, y, other.file, other.line, why);
}

static void check_against_host(Parser *p, const Section *s) {
        static const PlResource sizes[] = { PL_RESOURCE_MEMORY_MIN, PL_RESOURCE_MEMORY_LOW,
                                            PL_RESOURCE_MEMORY_HIGH, PL_RESOURCE_MEMORY_MAX };
        const PlValue *quota = value(s, PL_RESOURCE_CPU_QUOTA),
                      *cpus = value(s, PL_RESOURCE_ALLOWED_CPUS);
        char x[PL_FORMAT_MAX], y[PL_FORMAT_MAX];

        for (size_t i = 0; i < PL_ARRAY_SIZE(sizes); i++) {
                const PlValue *v = value(s, sizes[i]);
                const char *name = pl_resource_info(sizes[i])->name;

                if (v->set && v->number != PL_UNLIMITED && v->number > p->host->memory_bytes &&
                    is_set(s, name))
                        complain(p, PL_SEVERITY_WARNING, s, name,
                                 "%s=%s is more than the %s of memory that this host has", name,
                                 pl_format_bytes_exact(v->number, x),
                                 pl_format_bytes(p->host->memory_bytes, y));
        }
        if (quota->set && quota->number != PL_UNLIMITED &&
            quota->number > p->host->n_cpus * PL_USEC_PER_SEC && is_set(s, "CPUQuota"))
                complain(p, PL_SEVERITY_WARNING, s, "CPUQuota",
                         "CPUQuota=%" PRIu64
                         "%% is more than the %u CPUs of this host can give (%u%%)",
                         quota->number / 10000, p->host->n_cpus, p->host->n_cpus * 100);
        if (cpus->set && is_set(s, "AllowedCPUs")) {
                const char *last = cpus->text + strlen(cpus->text);

                /* canonical: the highest number stands last */
                while (last > cpus->text && last[-1] >= '0' && last[-1] <= '9')
                        last--;
                if (strtoul(last, NULL, 10) >= p->host->n_cpus)
                        complain(p, PL_SEVERITY_WARNING, s, "AllowedCPUs",
                                 "AllowedCPUs=%s: this host has CPUs 0-%u only", cpus->text,
                                 p->host->n_cpus - 1);
        }
}

/* A key that only some probes heed. The kind that is inferred may be one of them. */
static void check_probe_key(Parser *p, const Section *s, const char *key, bool heeded,
                            const char *needs) {
        if (!heeded && s->service->probe.kind != PL_PROBE_AUTO && is_set(s, key))
                complain(p, PL_SEVERITY_WARNING, s, key, "%s= has no effect without %s", key,
                         needs);
}

/* A probe must end before the next one begins. What is inherited, and what nobody has set, gives
 * way. */
static void check_probe_times(Parser *p, Section *s) {
        PlProbePolicy *probe = &s->service->probe;
        const char *yields, *stays;
        bool timeout, interval;
        char x[PL_FORMAT_MAX], y[PL_FORMAT_MAX];
        Place other;

        if (probe->timeout_usec <= probe->interval_usec)
                return;
        timeout = is_set(s, "ProbeTimeout");
        interval = is_set(s, "ProbeInterval");
        yields = timeout ? "ProbeInterval" : "ProbeTimeout";
        stays = timeout ? "ProbeTimeout" : "ProbeInterval";
        other = place_of(s, "ProbeInterval");
        pl_format_sec(probe->timeout_usec, x);
        pl_format_sec(probe->interval_usec, y);
        if (timeout && interval) {
                complain(p, PL_SEVERITY_ERROR, s, "ProbeTimeout",
                         "ProbeTimeout=%s is longer than ProbeInterval=%s (%s:%u); a probe would "
                         "begin before the last one ended",
                         x, y, other.file, other.line);
                return;
        }
        if ((timeout || interval) && is_inherited(s, yields)) {
                Place from = p->defaults.set[key_index(yields)];

                complain(p, PL_SEVERITY_WARNING, s, stays,
                         "%s=%s of [Defaults] (%s:%u) contradicts %s=%s here; for %s%s%s both are "
                         "%s",
                         yields, timeout ? y : x, from.file, from.line, stays, timeout ? x : y,
                         WHO(s->service), timeout ? x : y);
                s->inherited &= ~(UINT64_C(1) << key_index(yields));
        }
        if (timeout)
                probe->interval_usec = probe->timeout_usec;
        else
                probe->timeout_usec = probe->interval_usec;
}

static void check_probe(Parser *p, Section *s) {
        const PlProbePolicy *probe = &s->service->probe;
        bool http = pl_probe_kind_info(probe->kind)->transport == PL_TRANSPORT_HTTP;

        check_probe_times(p, s);
        check_probe_key(p, s, "ProbeExpect", http, "a probe that speaks HTTP");
        check_probe_key(p, s, "ProbePath", http, "a probe that speaks HTTP");
        check_probe_key(p, s, "OllamaModels", probe->kind == PL_PROBE_OLLAMA, "Probe=ollama");
        if (probe->on_unhealthy != PL_ON_UNHEALTHY_RESTART &&
            probe->on_start_timeout != PL_ON_UNHEALTHY_RESTART &&
            probe->on_exit != PL_ON_UNHEALTHY_RESTART && is_set(s, "RestartBudget"))
                complain(p, PL_SEVERITY_WARNING, s, "RestartBudget",
                         "RestartBudget= has no effect without OnUnhealthy=restart");
}

/* Whoever reaches it may read it. */
static void check_listen(Parser *p) {
        char *const *listen = p->policy->daemon.metrics_listen;
        PlMetricsAddress a;

        for (; listen && *listen; listen++)
                if (pl_metrics_address_parse(*listen, &a) == 0 && !a.near)
                        complain(p, PL_SEVERITY_WARNING, &p->daemon, "MetricsListen",
                                 "MetricsListen=%s: whoever reaches this address can read the "
                                 "metrics; 127.0.0.1 is this host alone",
                                 *listen);
}

static void check_orders(Parser *p, Section *s) {
        check_order(p, s, PL_RESOURCE_MEMORY_LOW, PL_RESOURCE_MEMORY_MAX, PL_SEVERITY_ERROR,
                    "what is reserved must fit under the limit");
        check_order(p, s, PL_RESOURCE_MEMORY_MIN, PL_RESOURCE_MEMORY_MAX, PL_SEVERITY_ERROR,
                    "what is reserved must fit under the limit");
        check_order(p, s, PL_RESOURCE_MEMORY_HIGH, PL_RESOURCE_MEMORY_MAX, PL_SEVERITY_WARNING,
                    "it would never be reached");
        check_order(p, s, PL_RESOURCE_MEMORY_LOW, PL_RESOURCE_MEMORY_HIGH, PL_SEVERITY_WARNING,
                    "what is reserved would be throttled");
        check_order(p, s, PL_RESOURCE_MEMORY_MIN, PL_RESOURCE_MEMORY_HIGH, PL_SEVERITY_WARNING,
                    "what is reserved would be throttled");
}

static void check_section(Parser *p, Section *s) {
        PlValue *quota = &s->service->limits.v[PL_RESOURCE_CPU_QUOTA];

        check_orders(p, s);
        check_against_host(p, s);
        check_probe(p, s);
        if (quota->set)
                quota->number = pl_resource_quota_round(quota->number,
                                                        s->service->cpu_quota_period_usec);
        if (!quota->set && is_set(s, "CPUQuotaPeriodSec"))
                complain(p, PL_SEVERITY_WARNING, s, "CPUQuotaPeriodSec",
                         "CPUQuotaPeriodSec= has no effect without CPUQuota=");
}

/* A line of Match=, of any section. */
typedef struct MatchLine {
        const Section *section;
        const PlMatch *terms;
        size_t n;
        Place at;
        uint32_t rarest; /* hash of the plain term that the fewest lines have; 0: it has none */
        size_t before;   /* of the same slot, 1 + its index; 0: none */
} MatchLine;

static uint32_t hash_term(const PlMatch *m) {
        uint32_t hash = 2166136261U + m->kind;

        if (m->pattern[strcspn(m->pattern, "*?[\\")] ||
            (m->kind == PL_MATCH_LABEL && !strchr(m->pattern, '=')))
                return 0;
        for (const char *c = m->pattern; *c; c++)
                hash = (hash ^ (unsigned char)*c) * 16777619U;
        return hash ?: 1;
}

static size_t list_match_lines(const Parser *p, MatchLine *ret) {
        size_t count = 0;

        for (size_t i = 0; i < p->policy->n_services; i++) {
                const Section *s = p->services[i];

                for (size_t m = 0, n; m < s->service->n_matches; m += n) {
                        const PlMatch *terms = &s->service->matches[m];

                        n = pl_match_line_length(terms, s->service->n_matches - m);
                        ret[count++] = (MatchLine){ s, terms, n, s->match_places[m], 0, 0 };
                }
        }
        return count;
}

/* counts: as many slots as mask + 1, zeroed again at the end. */
static void find_rarest(MatchLine *lines, size_t n, size_t *counts, size_t mask) {
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < lines[i].n; k++)
                        counts[hash_term(&lines[i].terms[k]) & mask]++;
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < lines[i].n; k++) {
                        uint32_t hash = hash_term(&lines[i].terms[k]), best = lines[i].rarest;

                        if (hash && (!best || counts[hash & mask] < counts[best & mask]))
                                lines[i].rarest = hash;
                }
        memset(counts, 0, (mask + 1) * sizeof(*counts));
}

/* Is nothing left for the later of two lines? */
static bool leaves_nothing(const MatchLine *early, const MatchLine *late) {
        /* the line that says more wins */
        return early->n >= late->n && pl_match_covers(early->terms, early->n, late->terms, late->n);
}

/* The first line before `late` that leaves it nothing. Such a line has no plain term, or its rarest
 * one is a term of `late` too, which finds it by its slot. Return: its index; that of `late`. */
static size_t find_cover(const MatchLine *lines, size_t late, const size_t *slots, size_t mask) {
        size_t first = late;

        for (size_t j = slots[mask + 1]; j > 0; j = lines[j - 1].before)
                if (leaves_nothing(&lines[j - 1], &lines[late]))
                        first = j - 1;
        for (size_t k = 0; k < lines[late].n; k++) {
                uint32_t hash = hash_term(&lines[late].terms[k]);

                for (size_t j = hash ? slots[hash & mask] : 0; j > 0; j = lines[j - 1].before)
                        if (j - 1 < first && leaves_nothing(&lines[j - 1], &lines[late]))
                                first = j - 1;
        }
        return first;
}

static void complain_of_match(Parser *p, const MatchLine *early, const MatchLine *late) {
        _cleanup_free_ char *line = pl_match_format(late->terms, late->n);
        _cleanup_free_ char *shown = line ? pl_escape(line, 80) : NULL;
        const char *text = shown ?: "", *name = early->section->service->name;
        bool same = pl_match_covers(late->terms, late->n, early->terms, early->n);

        if (early->section == late->section && early->at.file != late->at.file)
                return; /* a drop-in says it again: the two are one section */
        if (early->section == late->section)
                pl_diag_add(p->diag, PL_SEVERITY_WARNING, late->at.file, late->at.line,
                            "Match=%s: line %u of this section matches all of that already", text,
                            early->at.line);
        else
                pl_diag_add(p->diag, same ? PL_SEVERITY_ERROR : PL_SEVERITY_WARNING, late->at.file,
                            late->at.line,
                            "Match=%s: %s [Service %s], %s:%u; the first section wins, so this "
                            "line would never apply",
                            text, same ? "stands already in" : "is matched already by", name,
                            early->at.file, early->at.line);
}

static void check_matches(Parser *p) {
        _cleanup_free_ MatchLine *lines = NULL;
        _cleanup_free_ size_t *slots = NULL; /* mask + 1 of plain terms, and one of all others */
        size_t n = 0, mask = 15;

        for (size_t i = 0; i < p->policy->n_services; i++) {
                const Section *s = p->services[i];

                n += s->service->n_matches;
                if (s->service->n_matches == 0 && !is_set(s, "Match"))
                        pl_diag_add(p->diag, PL_SEVERITY_ERROR, s->first.file, s->first.line,
                                    "[Service %s] matches nothing; add a line such as "
                                    "Match=compose-service:%s",
                                    s->service->name, s->service->name);
        }
        while (mask < n)
                mask = mask * 2 + 1;
        lines = calloc(n + 1, sizeof(*lines));
        slots = calloc(mask + 2, sizeof(*slots));
        if (!lines || !slots) {
                p->oom = true;
                return;
        }
        n = list_match_lines(p, lines);
        find_rarest(lines, n, slots, mask);
        for (size_t i = 0; i < n; i++) {
                size_t j = find_cover(lines, i, slots, mask),
                       *slot = &slots[lines[i].rarest ? lines[i].rarest & mask : mask + 1];

                if (j < i)
                        complain_of_match(p, &lines[j], &lines[i]);
                lines[i].before = *slot;
                *slot = i + 1;
        }
}

static const char *service_name(const void *userdata, size_t i) {
        const PlPolicy *policy = userdata;

        return i < policy->n_services ? policy->services[i]->name : NULL;
}

/* Keys that name other services. */
static const struct Relation {
        const char *key, *itself, *circle;
        size_t offset;
} relations[] = {
        { "After", "come after itself", "wait for itself", S(probe.after) },
        { "PartOf", "be part of itself", "be part of itself", S(probe.part_of) },
};

static char **related(const PlService *s, const struct Relation *r) {
        return *(char ***)((char *)s + r->offset);
}

static void check_names(Parser *p, const Section *s, const struct Relation *r) {
        for (char **v = related(s->service, r); v && *v; v++) {
                const char *similar;

                if (pl_streq(*v, s->service->name)) {
                        complain(p, PL_SEVERITY_ERROR, s, r->key, "%s=%s: a service cannot %s",
                                 r->key, *v, r->itself);
                        continue;
                }
                if (pl_map_get(p->by_name, *v))
                        continue;
                similar = similar_key(*v, service_name, p->policy);
                if (similar && !pl_streq(similar, s->service->name))
                        complain(p, PL_SEVERITY_ERROR, s, r->key,
                                 "%s=%s: there is no [Service %s]; did you mean %s?", r->key, *v,
                                 *v, similar);
                else
                        complain(p, PL_SEVERITY_ERROR, s, r->key, "%s=%s: there is no [Service %s]",
                                 r->key, *v, *v);
        }
}

/* Of one relation, between services that there are. Return: how many; @ret NULL: out of memory. */
static size_t list_arrows(const Parser *p, const struct Relation *r, PlArrow **ret) {
        const PlPolicy *policy = p->policy;
        size_t n = 0;

        for (size_t i = 0; i < policy->n_services; i++)
                for (char **v = related(policy->services[i], r); v && *v; v++)
                        n++;
        *ret = calloc(n + 1, sizeof(**ret));
        n = 0;
        for (size_t i = 0; i < policy->n_services && *ret; i++)
                for (char **v = related(policy->services[i], r); v && *v; v++) {
                        const Section *to = pl_map_get(p->by_name, *v);

                        if (to)
                                (*ret)[n++] = (PlArrow){ i, to->index };
                }
        return n;
}

/* Those on a circle wait for each other, or would restart each other for ever. One is told: what is
 * wrong with the others is often the same. */
static void check_circles(Parser *p, const struct Relation *r) {
        size_t n = p->policy->n_services;
        _cleanup_free_ PlArrow *arrows = NULL;
        _cleanup_free_ size_t *circles = calloc(n + 1, sizeof(*circles));
        size_t n_arrows = list_arrows(p, r, &arrows), i = 0;

        if (!circles || !arrows || pl_circles(n, arrows, n_arrows, circles) < 0) {
                p->oom = true;
                return;
        }
        while (i < n && circles[i] == SIZE_MAX)
                i++;
        if (i < n)
                complain(p, PL_SEVERITY_ERROR, p->services[i], r->key,
                         "%s=: [Service %s] would %s, by way of others", r->key,
                         p->policy->services[i]->name, r->circle);
}

static void check_sum(Parser *p) {
        unsigned __int128 sum = 0;
        char x[PL_FORMAT_MAX], y[PL_FORMAT_MAX];

        for (size_t i = 0; i < p->policy->n_services; i++) {
                const PlValue *min = value(p->services[i], PL_RESOURCE_MEMORY_MIN);
                const PlValue *low = value(p->services[i], PL_RESOURCE_MEMORY_LOW);

                sum += PL_MAX(min->set && min->number != PL_UNLIMITED ? min->number : 0,
                              low->set && low->number != PL_UNLIMITED ? low->number : 0);
        }
        if (sum > p->host->memory_bytes)
                pl_diag_add(p->diag, PL_SEVERITY_WARNING, p->policy->files[0], 0,
                            "the reservations (MemoryMin=, MemoryLow=) of all services come to %s, "
                            "but this "
                            "host has %s; not all can be kept",
                            pl_format_bytes(sum < UINT64_MAX ? (uint64_t)sum : UINT64_MAX - 1, x),
                            pl_format_bytes(p->host->memory_bytes, y));
}

/* --- inheritance: what a section does not say, [Defaults] does */

static bool is_list(const Key *key) {
        return key->set == set_log_path || key->set == set_expect || key->set == set_models ||
               key->set == set_names;
}

static bool is_text(const Key *key) {
        return key->set == set_log_path_archive || key->set == set_http_path ||
               key->set == set_host;
}

/* What any other value takes. */
static size_t size_of(const Key *key) {
        if (key->set == set_size || key->set == set_sec)
                return sizeof(uint64_t);
        if (key->set == set_port)
                return sizeof(uint16_t);
        if (key->set == set_boolean)
                return sizeof(bool);
        if (key->set == set_budget)
                return sizeof(PlBudget);
        return sizeof(((PlWord *)NULL)->value);
}

/* Of all keys but Match=. */
static int copy_value(const Key *key, const PlService *from, PlService *to) {
        const char *source = (const char *)from + key->offset;
        char *target = (char *)to + key->offset;

        if (key->set == set_resource)
                return pl_value_copy(&from->limits.v[key->offset], &to->limits.v[key->offset]);
        if (is_list(key)) {
                char **list = pl_strv_copy(*(char *const *const *)source);

                if (!list)
                        return -ENOMEM;
                pl_strv_free(*(char ***)target);
                *(char ***)target = list;
                return 0;
        }
        if (is_text(key))
                return replace((char **)target, *(char *const *)source ?: "");
        memcpy(target, source, size_of(key));
        return key->set == set_unhealthy ? replace(&to->probe.unit, from->probe.unit ?: "") : 0;
}

static int inherit(Parser *p, Section *s) {
        int r = 0;

        for (size_t i = 0; i < PL_ARRAY_SIZE(policy_keys) && r == 0; i++) {
                if (!(policy_keys[i].sections & PL_SECTION_INHERITS) || !p->defaults.set[i].file ||
                    s->set[i].file || s->empty[i].file)
                        continue;
                s->inherited |= UINT64_C(1) << i;
                r = copy_value(&policy_keys[i], p->defaults.service, s->service);
        }
        return r;
}

/* Of the section and of each value of it. */
static int keep_places(Parser *p, Section *s) {
        PlService *service = s->service;
        size_t n = 0;

        service->line = s->first.line;
        service->file = strdup(s->first.file);
        for (size_t i = 0; i < PL_ARRAY_SIZE(policy_keys); i++) {
                n += s->set[i].file || s->inherited & UINT64_C(1) << i;
                if (s->set[i].file || s->empty[i].file)
                        service->said |= UINT64_C(1) << i;
        }
        service->origins = calloc(n + 1, sizeof(*service->origins));
        if (!service->file || !service->origins)
                return -ENOMEM;
        for (size_t i = 0; i < PL_ARRAY_SIZE(policy_keys); i++) {
                bool inherited = s->inherited & UINT64_C(1) << i;
                Place at = inherited ? p->defaults.set[i] : s->set[i];

                if (!at.file)
                        continue;
                service->origins[service->n_origins++] =
                                (PlOrigin){ policy_keys[i].name, at.file, at.line, inherited };
                if (policy_keys[i].set == set_resource && (inherited || s == &p->defaults))
                        service->by_default |= UINT32_C(1) << policy_keys[i].offset;
        }
        return 0;
}

static void check_notify(Parser *p, const Section *s) {
        bool error;
        const char *fault = pl_notify_section_check(s->notify, &error);

        if (fault)
                pl_diag_add(p->diag, error ? PL_SEVERITY_ERROR : PL_SEVERITY_WARNING, s->first.file,
                            s->first.line, "[Notify %s]: %s", s->notify->name, fault);
        s->notify->line = s->first.line;
        s->notify->file = strdup(s->first.file);
        p->oom = p->oom || !s->notify->file;
}

static void check_policy(Parser *p) {
        bool defaults = false;

        for (size_t i = 0; i < PL_ARRAY_SIZE(policy_keys); i++)
                defaults = defaults || p->defaults.set[i].file;
        if (defaults) {
                check_section(p, &p->defaults);
                p->oom = p->oom || keep_places(p, &p->defaults) < 0;
        }
        for (size_t i = 0; i < p->policy->n_services; i++) {
                p->oom = p->oom || inherit(p, p->services[i]) < 0;
                check_section(p, p->services[i]);
                for (size_t j = 0; j < PL_ARRAY_SIZE(relations); j++)
                        check_names(p, p->services[i], &relations[j]);
                p->oom = p->oom || keep_places(p, p->services[i]) < 0;
        }
        for (size_t i = 0; i < p->policy->n_notifies; i++)
                check_notify(p, p->notifies[i]);
        check_matches(p);
        for (size_t j = 0; j < PL_ARRAY_SIZE(relations); j++)
                check_circles(p, &relations[j]);
        check_sum(p);
        check_listen(p);
        if (defaults)
                p->policy->defaults = TAKE_PTR(p->defaults.service);
        else if (p->policy->n_services == 0 && p->diag->n_errors == 0 && p->policy->files)
                pl_diag_add(p->diag, PL_SEVERITY_WARNING, p->policy->files[0], 0,
                            "no [Service] section and nothing in [Defaults]: no container will be "
                            "limited");
}

/* --- sections and keys */

static const char *section_name(const void *userdata, size_t i) {
        static const char *const names[] = { "Daemon", "Defaults", "Service", "Notify" };

        return i < PL_ARRAY_SIZE(names) ? names[i] : NULL;
}

static const char *key_name(const void *userdata, size_t i) {
        return i < PL_ARRAY_SIZE(policy_keys) ? policy_keys[i].name : NULL;
}

/* The [Service] of a name, made when it is new. NULL: out of memory. */
static Section *open_service(Parser *p, const char *name) {
        Section **sections, *s;
        PlService **services;
        size_t n = p->policy->n_services;

        s = pl_map_get(p->by_name, name);
        if (s)
                return s;
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
        s->index = n;
        s->service = service_new(name);
        if (!s->service || pl_map_put(p->by_name, s->service->name, s) < 0) {
                pl_service_free(s->service);
                free(s);
                return NULL;
        }
        p->services[n] = s;
        p->policy->services[n] = s->service;
        p->policy->n_services++;
        return s;
}

/* The [Notify] of a name, likewise. There are few: each one that is new grows the arrays. */
static Section *open_notify(Parser *p, const char *name) {
        PlNotifySection **notifies;
        Section **sections, *s;
        size_t n = p->policy->n_notifies;

        for (size_t i = 0; i < n; i++)
                if (pl_streq(p->policy->notifies[i]->name, name))
                        return p->notifies[i];
        sections = reallocarray(p->notifies, n + 1, sizeof(*sections));
        if (!sections)
                return NULL;
        p->notifies = sections;
        notifies = reallocarray(p->policy->notifies, n + 1, sizeof(*notifies));
        if (!notifies)
                return NULL;
        p->policy->notifies = notifies;
        s = calloc(1, sizeof(*s));
        if (!s)
                return NULL;
        s->kind = PL_SECTION_NOTIFY;
        s->notify = pl_notify_section_new(name);
        if (!s->notify) {
                free(s);
                return NULL;
        }
        p->notifies[n] = s;
        notifies[n] = s->notify;
        p->policy->n_notifies++;
        return s;
}

/* "[Service NAME]" and "[Notify NAME]" */
static Section *open_named(Parser *p, const char *header, const char *name) {
        bool service = pl_streq(header, "Service");
        const char *example = service ? "postgres" : "ops";
        _cleanup_free_ char *shown = NULL;
        Section *s;

        if (!*name) {
                complain_here(p, "[%s] without a name; write [%s NAME], such as [%s %s]", header,
                              header, header, example);
                return NULL;
        }
        if (!pl_service_name_valid(name)) {
                shown = pl_escape(name, 80);
                complain_here(p,
                              "[%s %s]: not a good name; up to 64 letters, digits, '-', '_' and "
                              "'.', beginning with a letter or digit",
                              header, shown ? shown : "");
                return NULL;
        }
        if (!service && p->policy->n_notifies >= PL_POLICY_NOTIFIES_MAX) {
                complain_here(p, "more than %d [Notify] sections", PL_POLICY_NOTIFIES_MAX);
                return NULL;
        }
        s = service ? open_service(p, name) : open_notify(p, name);
        p->oom = p->oom || !s;
        return s;
}

static Section *open_section(Parser *p, const char *header, const char *name) {
        _cleanup_free_ char *shown = pl_show_line(header);
        const char *similar;

        if (!shown) {
                p->oom = true;
                return NULL;
        }
        if (pl_streq(header, "Daemon"))
                return &p->daemon;
        if (pl_streq(header, "Defaults"))
                return &p->defaults;
        if (pl_streq(header, "Service") || pl_streq(header, "Notify"))
                return open_named(p, header, name);
        similar = similar_key(header, section_name, NULL);
        if (similar)
                complain_here(p, "[%s]: unknown section; did you mean [%s%s]?", shown, similar,
                              pl_streq(similar, "Service") || pl_streq(similar, "Notify") ? " NAME"
                                                                                          : "");
        else
                complain_here(p,
                              "[%s]: unknown section; there are [Daemon], [Defaults], "
                              "[Service NAME] and [Notify NAME]",
                              shown);
        return NULL;
}

/* "[Service postgres]" */
static void take_header(Parser *p, char *line) {
        char *end = strrchr(line, ']'), *name;
        Section *s;

        p->seen_section = true;
        p->current = NULL;
        if (!end || end[1]) {
                complain_here(p, "a section header ends with ']', such as [Service postgres]");
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
                complain_here(p, "[%s] takes no name", line);
                return;
        }
        s = open_section(p, line, name);
        if (!s)
                return;
        if (!s->first.file)
                s->first = p->at;
        else if (s->reopened.file == p->at.file)
                warn_here(p,
                          "this section began on line %u already; the two are one, and the "
                          "later of two keys counts",
                          s->reopened.line);
        s->reopened = p->at;
        p->current = s;
}

/* "safe or kill": of several words for one value the first. */
static char *list_words(const PlWord *words) {
        size_t size, n = 0;
        char *text = NULL;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (size_t i = 0; words[i].word; i++)
                n += pl_streq(pl_word_of(words, words[i].value), words[i].word);
        for (size_t i = 0, k = 0; words[i].word; i++)
                if (pl_streq(pl_word_of(words, words[i].value), words[i].word)) {
                        fprintf(f, "%s%s", k == 0 ? "" : k + 1 == n ? " or " : ", ", words[i].word);
                        k++;
                }
        return pl_take_text(f, &text);
}

/* "4G", “4G” and the like. Return: what is inside, owned by the caller; NULL: no quotes, or out of
 * memory. */
static char *inside_quotes(const char *value) {
        static const char *const quotes[] = { "\"",     "'",      "`",      "\u201c", "\u201d",
                                              "\u201e", "\u2018", "\u2019", "\u00ab", "\u00bb" };
        const char *begin = value, *end = value + strlen(value);

        for (size_t i = 0; i < PL_ARRAY_SIZE(quotes); i++)
                if (pl_startswith(value, quotes[i]))
                        begin = value + strlen(quotes[i]);
        for (size_t i = 0; i < PL_ARRAY_SIZE(quotes); i++) {
                size_t n = strlen(quotes[i]);

                if ((size_t)(end - begin) > n && memcmp(end - n, quotes[i], n) == 0) {
                        end -= n;
                        break;
                }
        }
        return begin > value && *end ? strndup(begin, (size_t)(end - begin)) : NULL;
}

static void explain(Parser *p, const Key *key, const char *value, int r) {
        _cleanup_free_ char *inside = r == -EINVAL ? inside_quotes(value) : NULL;
        _cleanup_free_ char *bare = inside ? pl_show_value(inside) : NULL;
        _cleanup_free_ char *shown = pl_show_value(value);
        _cleanup_free_ char *words = key->expects ? NULL : list_words(key->extra);
        const char *expects = key->expects ? key->expects : words;

        if (!shown || !expects)
                p->oom = true;
        else if (bare)
                complain_here(p, "%s=%s: values have no quotes here; did you mean %s=%s?",
                              key->name, shown, key->name, bare);
        else if (r == -ERANGE)
                complain_here(p, "%s=%s: out of range; expected %s", key->name, shown, expects);
        else if (r == -E2BIG)
                complain_here(p, "%s=%s: too many; at most %d", key->name, shown,
                              PL_POLICY_LIST_MAX);
        else
                complain_here(p, "%s=%s: not understood; expected %s", key->name, shown, expects);
}

static void misplaced(Parser *p, const Key *key) {
        static const char *const where[] = {
                [PL_SECTION_DAEMON] = "[Daemon]",
                [PL_SECTION_SERVICE] = "a [Service] section",
                [LIMITED] = "a [Service] section or [Defaults]",
        };

        complain_here(p, "%s= stands in the wrong section; it belongs in %s", key->name,
                      where[key->sections & ~PL_SECTION_INHERITS]);
}

static bool is_notify_key(const char *name) {
        const char *key;

        for (size_t i = 0; (key = pl_notify_section_key(NULL, i)); i++)
                if (pl_streq(key, name))
                        return true;
        return false;
}

/* A value may be a secret in the wrong place: none is shown here. */
static void take_notify(Parser *p, const char *name, const char *value) {
        char why[PL_NOTIFY_WHY_MAX] = "";
        const char *similar;
        int r = pl_notify_section_set(p->current->notify, name, value, why);

        if (r == -ENOMEM)
                p->oom = true;
        else if (r == -EINVAL)
                complain_here(p, "%s", why);
        else if (r == -ENOENT && find_key(name))
                misplaced(p, find_key(name));
        else if (r == -ENOENT && (similar = pl_similar(name, pl_notify_section_key, NULL)))
                complain_here(p, "unknown key %s=; did you mean %s=?", name, similar);
        else if (r == -ENOENT)
                complain_here(p, "unknown key %s=; plimsoll.conf(5) lists all", name);
}

/* inih's handler: the place and the section are the parser's own. */
static int take_assignment(void *userdata, const char *section, const char *name,
                           const char *value) {
        Parser *p = userdata;
        const Key *key = find_key(name);
        const char *similar;
        size_t i;
        int r;

        if (!p->current)
                return 1;
        if (p->current->kind == PL_SECTION_NOTIFY) {
                take_notify(p, name, value);
                return 1;
        }
        if (!key && is_notify_key(name)) {
                complain_here(p,
                              "%s= stands in the wrong section; it belongs in a [Notify] section",
                              name);
                return 1;
        }
        if (!key) {
                similar = similar_key(name, key_name, NULL);
                if (similar)
                        complain_here(p, "unknown key %s=; did you mean %s=?", name, similar);
                else
                        complain_here(p, "unknown key %s=; plimsoll.conf(5) lists all", name);
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
        /* the key was given, if with a bad value: do not also report that it is missing
         */
        i = (size_t)(key - policy_keys);
        p->current->set[i] = *value ? p->at : (Place){ 0 };
        p->current->empty[i] = *value ? (Place){ 0 } : p->at;
        return 1;
}

/* Says what is wrong with a line that is not a header, or readies it for inih. */
static bool is_assignment(Parser *p, const char *line) {
        size_t n = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
        const char *after = line + n + strspn(line + n, " \t");
        /* there it may be an address with a secret in it */
        bool hidden = p->current && p->current->kind == PL_SECTION_NOTIFY;
        _cleanup_free_ char *shown = pl_show_line(hidden ? "…" : line);

        if (!shown)
                p->oom = true;
        else if (!strchr(line, '='))
                complain_here(p, "\"%s\": neither [Section] nor KEY=VALUE; comments begin with #",
                              shown);
        else if (n == 0 || n > 49 || *after != '=')
                complain_here(p, "\"%s\": what stands before '=' is not a key", shown);
        else if (!p->seen_section) {
                if (!p->complained)
                        complain_here(p,
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
        Parser *p;
        LineReader *lines;
        size_t given; /* of the line in hand; SIZE_MAX: take the next one */
} IniStream;

/* inih's reader, like fgets(): a line may be fetched in pieces. */
static char *read_for_ini(char *buf, int size, void *userdata) {
        IniStream *s = userdata;
        const char *rest;
        size_t n;

        while (s->given == SIZE_MAX) {
                if (s->p->oom || !next_line(s->p, s->lines))
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

/* name: that of the source, as the policy keeps it. */
static void parse_source(Parser *p, const PlPolicySource *source, const char *name,
                         LineReader *lines) {
        IniStream stream = { p, lines, SIZE_MAX };
        PlGuess guess;
        unsigned line;

        p->at = (Place){ name, 0 };
        p->current = NULL;
        p->seen_section = p->complained = false;
        if (source->size > FILE_MAX_BYTES) {
                complain_here(p, "file of %zu bytes; a policy has at most %d", source->size,
                              (int)FILE_MAX_BYTES);
                return;
        }
        guess = pl_guess(source->text, source->size, &line);
        if (guess != PL_GUESS_POLICY) {
                p->at.line = line;
                complain_here(p, "%s", pl_guess_what(guess));
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
        ini_max_line = (int)LINE_MAX_BYTES + 8;
        ini_allow_inline_comments = false;
        ini_allow_multiline = false;
        if (ini_parse_stream(read_for_ini, &stream, take_assignment, p) == -2)
                p->oom = true;
}

/* Frees what surrounded the services while they were built; they themselves are the policy's. */
static void sections_deinit(Parser *p) {
        for (size_t i = 0; p->policy && i < p->policy->n_services; i++) {
                free(p->services[i]->match_places);
                free(p->services[i]);
        }
        for (size_t i = 0; p->policy && i < p->policy->n_notifies; i++)
                free(p->notifies[i]);
        free(p->services);
        free(p->notifies);
        pl_map_free(p->by_name);
        pl_service_free(p->defaults.service);
}

static int parser_init(Parser *p) {
        p->daemon.kind = PL_SECTION_DAEMON;
        p->defaults.kind = PL_SECTION_DEFAULTS;
        p->policy = calloc(1, sizeof(*p->policy));
        p->defaults.service = service_new(NULL);
        p->by_name = pl_map_new();
        if (!p->policy || !p->defaults.service || !p->by_name)
                return -ENOMEM;
        p->policy->n_ref = 1;
        p->policy->daemon = daemon_defaults;
        p->policy->daemon.engine = strdup(daemon_defaults.engine);
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
        Parser p = { .host = host, .diag = diag };
        _cleanup_free_ LineReader *lines = malloc(sizeof(*lines));
        size_t n_errors = diag->n_errors, first = diag->n;
        int r;

        r = lines ? parser_init(&p) : -ENOMEM;
        for (size_t i = 0; r == 0 && i < n_sources; i++) {
                r = pl_strv_append(&p.policy->files, PL_POLICY_LIST_MAX, sources[i].file);
                if (r == 0)
                        parse_source(&p, &sources[i], p.policy->files[i], lines);
                if (r == -E2BIG)
                        pl_diag_add(diag, PL_SEVERITY_ERROR, sources[i].file, 0,
                                    "more than %d files make up this policy", PL_POLICY_LIST_MAX);
        }
        if (r == 0 && !p.oom)
                check_policy(&p);
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

/* --- labels of a container: between what its section says, and [Defaults] */

/* Why no label may set it; NULL: one may. What is written where containers are made must not reach
 * beyond the container. */
static const char *label_key_fault(const char *name) {
        const Key *key = find_key(name);

        if (!key)
                return "there is no such key";
        if (key->sections == PL_SECTION_DAEMON)
                return "it is for plimsolld as a whole, in [Daemon]";
        if (key->set == set_log_path || key->set == set_log_path_archive ||
            key->set == set_http_path ||
            (key->set == set_resource &&
             pl_resource_info((PlResource)key->offset)->kind == PL_KIND_DEVICES))
                return "labels name no paths; write it into the policy";
        if (key->set == set_match || key->set == set_names || pl_streq(name, "Required") ||
            pl_streq(name, "LogReopen"))
                return "labels may not set it; write it into the policy";
        return NULL;
}

/* Likewise, of some values. */
static const char *label_value_fault(const char *name, const char *value, char buf[static 64]) {
        if ((pl_streq(name, "ShrinkMode") && pl_streq(value, "kill")) ||
            (pl_streq(name, "LogOnFull") && pl_streq(value, "drop")))
                return "what a label says must not kill, and must lose no lines; write it into the "
                       "policy";
        if (pl_streq(name, "OnUnhealthy") && strstr(value, "unit:"))
                return "labels name no units; write it into the policy";
        return check_bytes(value, strlen(value), buf);
}

static bool may_label(const PlDaemonPolicy *daemon, const char *name) {
        for (char **v = daemon->labels; v && *v; v++)
                if (pl_streq(*v, "*") || pl_streq(*v, name))
                        return true;
        return false;
}

static bool is_label(const Section *s, const char *key) {
        return is_set(s, key) && s->set[key_index(key)].line == 0;
}

static void place_label(Parser *p, const char *name, char (*buf)[80]) {
        _cleanup_free_ char *shown = pl_show_line(name);

        p->oom = p->oom || !shown;
        snprintf(*buf, sizeof(*buf), "label plimsoll.%.60s", shown ?: "");
        p->at = (Place){ *buf, 0 };
}

static void take_label_value(Parser *p, const Key *key, Section *s, const char *value) {
        size_t i = (size_t)(key - policy_keys);
        Section trial = { .kind = PL_SECTION_SERVICE, .service = service_new(NULL) };
        int r = trial.service ? key->set(p, key, &trial, value) : -ENOMEM;

        if (r == 0)
                r = copy_value(key, trial.service, s->service);
        if (r == -ENOMEM)
                p->oom = true;
        else if (r < 0)
                explain(p, key, value, r);
        if (r == 0) {
                s->inherited &= ~(UINT64_C(1) << i);
                s->set[i] = *value ? p->at : (Place){ 0 };
        }
        pl_service_free(trial.service);
}

/* "MemoryMax=2G" */
static void take_label(Parser *p, const PlPolicy *policy, Section *s, const char *label,
                       char (*place)[80]) {
        size_t n = strcspn(label, "=");
        _cleanup_free_ char *name = strndup(label, n);
        const char *value = label[n] ? label + n + 1 : "", *fault, *similar;
        char buf[64];
        const Key *key;

        if (!name) {
                p->oom = true;
                return;
        }
        place_label(p, name, place);
        key = find_key(name);
        fault = label_key_fault(name);
        if (!key && (similar = similar_key(name, key_name, NULL)))
                complain_here(p, "there is no such key; did you mean plimsoll.%s?", similar);
        else if (fault)
                complain_here(p, "%s", fault);
        else if (!may_label(&policy->daemon, name))
                complain_here(p, "Labels= of the policy does not name %s", name);
        else if ((fault = label_value_fault(name, value, buf)))
                (void)refuse(p, key, value, fault);
        else if (!(s->service->said & UINT64_C(1) << (key - policy_keys))) /* it goes first */
                take_label_value(p, key, s, value);
}

/* Puts back what there was without it. */
static void drop_label(Parser *p, Section *s, const char *name, const char *why) {
        const PlService *base = s->service->section;
        size_t i = key_index(name);
        bool inherited = false;

        pl_diag_add(p->diag, PL_SEVERITY_ERROR, s->set[i].file, 0, "%s", why);
        for (size_t k = 0; base && k < base->n_origins; k++)
                inherited = inherited || pl_streq(base->origins[k].key, name);
        p->oom = p->oom || copy_value(&policy_keys[i], base ?: &service_defaults, s->service) < 0;
        s->set[i] = (Place){ 0 };
        if (inherited)
                s->inherited |= UINT64_C(1) << i;
}

/* Where two values cannot hold both, the section's does, and of two labels the second. */
static void drop_contradicting(Parser *p, Section *s) {
        static const char *const pairs[][3] = {
                { "MemoryLow", "MemoryMax", "what is reserved must fit under the limit" },
                { "MemoryMin", "MemoryMax", "what is reserved must fit under the limit" },
                { "ProbeTimeout", "ProbeInterval",
                  "a probe would begin before the last one ended" },
        };

        for (size_t i = 0; i < PL_ARRAY_SIZE(pairs); i++) {
                const char *less = pairs[i][0], *more = pairs[i][1];
                const PlProbePolicy *probe = &s->service->probe;
                PlResource low = pl_resource_from_name(less), high = pl_resource_from_name(more);
                bool wrong = low == _PL_RESOURCE_INVALID
                                             ? probe->timeout_usec > probe->interval_usec
                                             : value(s, low)->set && value(s, high)->set &&
                                                               value(s, low)->number >
                                                                               value(s, high)->number;
                const char *loser = is_label(s, less) ? less : more;
                _cleanup_free_ char *x = NULL, *y = NULL, *why = NULL;

                if (!wrong || !is_set(s, less) || !is_set(s, more) || !is_label(s, loser))
                        continue;
                x = pl_policy_value(s->service, less);
                y = pl_policy_value(s->service, more);
                if (!x || !y ||
                    asprintf(&why, "%s=%s is above %s=%s; %s", less, x, more, y, pairs[i][2]) < 0) {
                        why = NULL;
                        p->oom = true;
                }
                drop_label(p, s, loser, why ?: pairs[i][2]);
        }
}

/* All of it but what makes a section one: its name for messages, and nothing that it matches. */
static PlService *copy_service(const PlService *from) {
        PlService *s = service_new(from ? from->name : NULL);
        int r = s ? 0 : -ENOMEM;

        for (size_t i = 0; from && i < PL_ARRAY_SIZE(policy_keys) && r == 0; i++)
                if (policy_keys[i].sections & PL_SECTION_SERVICE && policy_keys[i].set != set_match)
                        r = copy_value(&policy_keys[i], from, s);
        if (r == 0 && from && from->file && !(s->file = strdup(from->file)))
                r = -ENOMEM;
        if (r < 0)
                return pl_service_free(s);
        if (from) {
                s->line = from->line;
                s->said = from->name ? from->said : 0;
                s->by_default = from->by_default;
                s->section = (PlService *)from;
        }
        return s;
}

/* Where all of it was written. */
static int origins_of_labelled(const Section *s, const PlService *base) {
        PlService *service = s->service;

        service->origins = calloc(PL_ARRAY_SIZE(policy_keys), sizeof(*service->origins));
        if (!service->origins)
                return -ENOMEM;
        for (size_t i = 0; i < PL_ARRAY_SIZE(policy_keys); i++) {
                const char *name = policy_keys[i].name;
                bool label = s->set[i].file && s->set[i].line == 0,
                     inherited = s->inherited & UINT64_C(1) << i;
                PlOrigin o = { .key = name };

                for (size_t k = 0; !label && base && k < base->n_origins; k++)
                        if (pl_streq(base->origins[k].key, name))
                                o = base->origins[k];
                o.inherited = inherited;
                if (label || (o.file && (inherited || s->set[i].file)))
                        service->origins[service->n_origins++] = o;
                if (policy_keys[i].set == set_resource && !inherited)
                        service->by_default &= ~(UINT32_C(1) << policy_keys[i].offset);
        }
        return 0;
}

static int keep_faults(PlService *s, const PlDiagList *diag, size_t first) {
        int r = 0;

        for (size_t i = first; i < diag->n && r == 0; i++) {
                _cleanup_free_ char *text = NULL;

                if (diag->items[i].severity != PL_SEVERITY_ERROR)
                        continue;
                text = pl_diag_format(&diag->items[i]);
                r = text ? pl_strv_append(&s->faults, PL_POLICY_LIST_MAX, text) : -ENOMEM;
        }
        return r == -E2BIG ? 0 : r;
}

int pl_policy_label(const PlPolicy *policy, const PlService *section, const PlHost *host,
                    char *const *labels, PlDiagList *diag, PlService **ret) {
        _cleanup_free_ char(*places)[80] = NULL;
        Parser p = { .host = host, .diag = diag };
        Section s = { .kind = PL_SECTION_SERVICE, .service = copy_service(section) };
        size_t first = diag->n, n = 0;

        while (labels[n])
                n++;
        places = calloc(n + 1, sizeof(*places));
        p.oom = !places || !s.service;
        for (size_t i = 0; !p.oom && section && i < section->n_origins; i++) {
                const PlOrigin *o = &section->origins[i];
                size_t k = key_index(o->key);
                bool inherited = o->inherited || !section->name;

                (inherited ? &p.defaults : &s)->set[k] = (Place){ o->file, o->line };
                s.inherited |= (uint64_t)inherited << k;
        }
        for (size_t i = 0; !p.oom && i < n; i++)
                take_label(&p, policy, &s, labels[i], &places[i]);
        if (!p.oom) {
                PlValue *quota = &s.service->limits.v[PL_RESOURCE_CPU_QUOTA];

                drop_contradicting(&p, &s);
                check_orders(&p, &s);
                check_probe_times(&p, &s);
                if (quota->set)
                        quota->number = pl_resource_quota_round(quota->number,
                                                                s.service->cpu_quota_period_usec);
        }
        if (p.oom || diag->oom || origins_of_labelled(&s, section) < 0 ||
            keep_faults(s.service, diag, first) < 0) {
                pl_service_free(s.service);
                return -ENOMEM;
        }
        *ret = s.service;
        return 0;
}
