/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Section: a table of keys. See the header.
 *
 * Where a value could be a secret that somebody has pasted into the wrong place (URL=,
 * Credential=) it is not shown in what is said of it.
 */

#include "lib/notify/section.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>

#include "lib/base/quote.h"
#include "lib/base/similar.h"
#include "lib/base/strv.h"
#include "lib/base/unit.h"
#include "lib/notify/url.h"

#define LIST_MAX         256
#define CREDENTIAL_MAX   128
#define COOLDOWN_DEFAULT (5 * PL_USEC_PER_MIN)
#define COOLDOWN_MAX     (30 * PL_USEC_PER_DAY)
#define WORD_SEPARATORS  " \t,"
#define CREDENTIAL_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
#define EXPECTED_CREDENTIAL                                                            \
        "Credential=: expected the name of a credential, such as ops-token: letters, " \
        "digits, '-', '_' and '.'; what is secret is in its file, never here"

static const char *const formats[_PL_NOTIFY_FORMAT_N] = {
        [PL_NOTIFY_JSON] = "json",     [PL_NOTIFY_NTFY] = "ntfy",       [PL_NOTIFY_SLACK] = "slack",
        [PL_NOTIFY_GOTIFY] = "gotify", [PL_NOTIFY_DISCORD] = "discord", [PL_NOTIFY_TEXT] = "text",
};

const char *pl_notify_format_word(PlNotifyFormat f) {
        return formats[f];
}

/* Return: _PL_NOTIFY_FORMAT_N: there is none. */
static PlNotifyFormat format_from_word(const char *word) {
        PlNotifyFormat f = 0;

        while (f < _PL_NOTIFY_FORMAT_N && !pl_streq(formats[f], word))
                f++;
        return f;
}

PlNotifySection *pl_notify_section_new(const char *name) {
        PlNotifySection *s = calloc(1, sizeof(*s));

        if (!s)
                return NULL;
        s->on = PL_NOTIFY_ON_DEFAULT;
        s->cooldown_usec = COOLDOWN_DEFAULT;
        s->name = strdup(name);
        return s->name ? s : pl_notify_section_free(s);
}

PlNotifySection *pl_notify_section_free(PlNotifySection *s) {
        if (!s)
                return NULL;
        free(s->name);
        free(s->file);
        free(s->url);
        pl_strv_free(s->services);
        free(s->credential);
        free(s);
        return NULL;
}

/* --- keys --- */

typedef int Setter(PlNotifySection *s, const char *value, char why[static PL_NOTIFY_WHY_MAX]);

static int say(char why[static PL_NOTIFY_WHY_MAX], const char *format, ...) PL_PRINTF(2, 3);
static int say(char why[static PL_NOTIFY_WHY_MAX], const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(why, PL_NOTIFY_WHY_MAX, format, ap);
        va_end(ap);
        return -EINVAL;
}

static int replace(char **field, const char *value) {
        char *copy = *value ? strdup(value) : NULL;

        if (*value && !copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

static int set_url(PlNotifySection *s, const char *value, char why[static PL_NOTIFY_WHY_MAX]) {
        const char *fault = *value ? pl_notify_url_fault(value, false) : NULL;

        return fault ? say(why, "URL=: %s", fault) : replace(&s->url, value);
}

static const char *get_format(const void *unused, size_t i) {
        return i < _PL_NOTIFY_FORMAT_N ? formats[i] : NULL;
}

static int set_format(PlNotifySection *s, const char *value, char why[static PL_NOTIFY_WHY_MAX]) {
        PlNotifyFormat f = *value ? format_from_word(value) : PL_NOTIFY_JSON;
        const char *similar;
        char shown[80];

        if (f == _PL_NOTIFY_FORMAT_N) {
                similar = pl_similar(value, get_format, NULL);
                return say(why,
                           "Format=%s: expected json, ntfy, slack, gotify, discord or text%s%s%s",
                           pl_quote(value, strlen(value), shown, sizeof(shown)),
                           similar ? "; did you mean " : "", similar ?: "", similar ? "?" : "");
        }
        s->format = f;
        s->has_format = *value;
        return 0;
}

static int set_on(PlNotifySection *s, const char *value, char why[static PL_NOTIFY_WHY_MAX]) {
        _cleanup_free_ char *copy = strdup(value);
        char *save = NULL, shown[80];
        uint32_t mask = 0;

        if (!copy)
                return -ENOMEM;
        for (char *w = strtok_r(copy, WORD_SEPARATORS, &save); w;
             w = strtok_r(NULL, WORD_SEPARATORS, &save)) {
                uint32_t one = pl_notify_on(w);
                const char *similar = one ? NULL : pl_similar(w, pl_notify_on_word, NULL);

                if (one == 0)
                        return say(why,
                                   "On=: there is no %s%s%s%s; plimsoll.conf(5) lists what people "
                                   "can be told of",
                                   pl_quote(w, strlen(w), shown, sizeof(shown)),
                                   similar ? "; did you mean " : "", similar ?: "",
                                   similar ? "?" : "");
                mask |= one;
        }
        s->on = mask ?: PL_NOTIFY_ON_DEFAULT;
        return 0;
}

static int set_services(PlNotifySection *s, const char *value, char why[static PL_NOTIFY_WHY_MAX]) {
        _cleanup_free_ char *copy = strdup(value);
        char *save = NULL;
        int r = 0;

        if (!copy)
                return -ENOMEM;
        s->services = *value ? s->services : pl_strv_free(s->services);
        for (char *w = strtok_r(copy, WORD_SEPARATORS, &save); w && r == 0;
             w = strtok_r(NULL, WORD_SEPARATORS, &save))
                r = strlen(w) > 256 ? -E2BIG : pl_strv_append(&s->services, LIST_MAX, w);
        return r == -E2BIG ? say(why, "Services=: at most 256 names of at most 256 bytes") : r;
}

static int set_cooldown(PlNotifySection *s, const char *value, char why[static PL_NOTIFY_WHY_MAX]) {
        uint64_t usec = COOLDOWN_DEFAULT;
        char shown[80];

        if (*value && (pl_parse_sec(value, &usec) < 0 || usec > COOLDOWN_MAX))
                return say(why, "Cooldown=%s: expected a time span up to 30d, such as 5min",
                           pl_quote(value, strlen(value), shown, sizeof(shown)));
        s->cooldown_usec = usec;
        return 0;
}

static int set_quiet(PlNotifySection *s, const char *value, char why[static PL_NOTIFY_WHY_MAX]) {
        PlQuiet quiet = { 0 };
        char shown[80];

        if (*value && pl_quiet_parse(value, &quiet) < 0)
                return say(why,
                           "Quiet=%s: expected two different times of the day, such as "
                           "22:00-07:00",
                           pl_quote(value, strlen(value), shown, sizeof(shown)));
        s->quiet = quiet;
        return 0;
}

static int set_credential(PlNotifySection *s, const char *value,
                          char why[static PL_NOTIFY_WHY_MAX]) {
        if (strlen(value) > CREDENTIAL_MAX || value[strspn(value, CREDENTIAL_CHARS)] ||
            *value == '.')
                return say(why, EXPECTED_CREDENTIAL);
        return replace(&s->credential, value);
}

static const struct {
        const char *name;
        Setter *set;
} keys[] = {
        { "URL", set_url },
        { "Format", set_format },
        { "On", set_on },
        { "Services", set_services },
        { "Cooldown", set_cooldown },
        { "Quiet", set_quiet },
        { "Credential", set_credential },
};

const char *pl_notify_section_key(const void *unused, size_t i) {
        return i < PL_ARRAY_SIZE(keys) ? keys[i].name : NULL;
}

int pl_notify_section_set(PlNotifySection *s, const char *key, const char *value,
                          char reterr_why[static PL_NOTIFY_WHY_MAX]) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(keys); i++)
                if (pl_streq(keys[i].name, key))
                        return keys[i].set(s, value, reterr_why);
        return -ENOENT;
}

const char *pl_notify_section_check(const PlNotifySection *s, bool *ret_error) {
        bool hook = s->format == PL_NOTIFY_SLACK || s->format == PL_NOTIFY_DISCORD;

        *ret_error = true;
        if (!s->has_format)
                return "Format= is missing: json, ntfy, slack, gotify, discord or text";
        if (hook && s->url)
                return "URL= is not for this Format=, whose address is a secret itself: put the "
                       "address into a file, name that with Credential=, and leave URL= out";
        if (hook && !s->credential)
                return "Credential= is missing: the name of a credential whose file has the "
                       "address of the webhook in it";
        if (!hook && !s->url && !s->credential)
                return "URL= is missing: where to send to, such as https://ntfy.example.org/alerts";
        if (s->format == PL_NOTIFY_GOTIFY && (!s->credential || !s->url))
                return !s->url ? "URL= is missing: where the server is, such as "
                                 "https://gotify.example.org"
                               : "Credential= is missing: the name of a credential whose file has "
                                 "the application's token in it";
        *ret_error = false;
        if (s->url && s->credential && pl_notify_url_is_open(s->url))
                return "what is in the credential goes over the network unencrypted; write "
                       "https:// in URL= where the server can";
        return NULL;
}

bool pl_notify_section_wants(const PlNotifySection *s, PlNotifyKind kind, const char *service,
                             const char *container) {
        if (!(s->on & UINT32_C(1) << kind))
                return false;
        if (!s->services)
                return true;
        for (char **v = s->services; *v; v++)
                if ((service && fnmatch(*v, service, 0) == 0) ||
                    (container && fnmatch(*v, container, 0) == 0))
                        return true;
        return false;
}

char *pl_notify_section_describe(const PlNotifySection *s) {
        char quiet[PL_QUIET_TEXT_MAX], cooldown[PL_FORMAT_MAX];
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        fprintf(f, "%s to %s", formats[s->format], s->url ?: "the address in its credential");
        fputs(", on", f);
        for (PlNotifyKind k = 0; k < PL_NOTIFY_TEST; k++)
                if (s->on & UINT32_C(1) << k)
                        fprintf(f, " %s", pl_notify_kind_word(k));
        if (s->services)
                fputs(", of", f);
        for (char **v = s->services; v && *v; v++)
                fprintf(f, " %s", *v);
        if (s->cooldown_usec > 0)
                fprintf(f, ", each once in %s", pl_format_sec(s->cooldown_usec, cooldown));
        if (s->quiet.set)
                fprintf(f, ", quiet %s", pl_quiet_format(&s->quiet, quiet));
        if (s->credential)
                fprintf(f, ", credential %s", s->credential);
        return pl_take_text(f, &text);
}
