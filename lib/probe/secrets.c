/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Secrets: see the header. Longer ones are cut first, so that one that is a part of another leaves
 * nothing of it.
 */

#include "lib/probe/secrets.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>

#define SECRETS_MAX 4096 /* variants; an environment has some dozens */
#define SHORT_BYTES 4    /* shorter ones are cut only where they stand alone, as a word */
#define PORT_DIGITS 5
#define TAIL_BYTES  3 /* so much of a secret at the end of the data gives it away */

typedef struct Secret {
        char *text;
        size_t n;
} Secret;

struct PlSecrets {
        Secret *items;
        size_t n;
};

static void secret_wipe(char *text, size_t n) {
        if (text)
                explicit_bzero(text, n);
        free(text);
}

PlSecrets *pl_secrets_free(PlSecrets *s) {
        if (!s)
                return NULL;
        for (size_t i = 0; i < s->n; i++)
                secret_wipe(s->items[i].text, s->items[i].n);
        free(s->items);
        free(s);
        return NULL;
}

static int add(PlSecrets *s, const char *text, size_t n) {
        char *copy;

        if (n == 0)
                return 0;
        for (size_t i = 0; i < s->n; i++)
                if (s->items[i].n == n && memcmp(s->items[i].text, text, n) == 0)
                        return 0;
        if (s->n == SECRETS_MAX)
                return -ENOMEM; /* better no conversation than one with secrets in it */
        copy = strndup(text, n);
        if (!copy)
                return -ENOMEM;
        s->items[s->n++] = (Secret){ copy, n };
        return 0;
}

/* As a string of JSON has it. @flags: of json_dumps() */
static int add_json(PlSecrets *s, const char *value, size_t flags) {
        json_t *j = json_string(value); /* NULL: not UTF-8, which JSON cannot have */
        char *text = j ? json_dumps(j, JSON_ENCODE_ANY | flags) : NULL;
        size_t n = text ? strlen(text) : 0;
        int r = 0;

        if (n > 2)
                r = add(s, text + 1, n - 2);
        secret_wipe(text, n);
        json_decref(j);
        return r;
}

/* RFC 3986, 2.3: what is not escaped in an URL. @format: "%%%02X" or "%%%02x" */
static int add_url(PlSecrets *s, const char *value, bool upper) {
        size_t n = strlen(value), used = 0;
        char *text = malloc(3 * n + 1);
        int r;

        if (!text)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)value[i];

                if (isalnum(c) || strchr("-._~", c))
                        text[used++] = (char)c;
                else
                        used += (size_t)snprintf(text + used, 4, upper ? "%%%02X" : "%%%02x", c);
        }
        r = add(s, text, used);
        secret_wipe(text, 3 * n + 1);
        return r;
}

static bool is_switch(const char *value) {
        static const char *const words[] = { "true", "false", "yes", "no", "on", "off" };

        for (size_t i = 0; i < PL_ARRAY_SIZE(words); i++)
                if (strcasecmp(words[i], value) == 0)
                        return true;
        return strlen(value) <= PORT_DIGITS && strspn(value, "0123456789") == strlen(value);
}

static bool says_secret(const char *name, size_t n) {
        static const char *const words[] = { "PASS", "PWD",  "SECRET", "TOKEN",
                                             "KEY",  "CRED", "AUTH",   "PIN" };
        char upper[128];

        n = PL_MIN(n, sizeof(upper) - 1);
        for (size_t i = 0; i < n; i++)
                upper[i] = (char)toupper((unsigned char)name[i]);
        upper[n] = '\0';
        for (size_t i = 0; i < PL_ARRAY_SIZE(words); i++)
                if (strstr(upper, words[i]))
                        return true;
        return false;
}

static int add_value(PlSecrets *s, const char *name, size_t name_size, const char *value) {
        const char *line = value;
        int r;

        if (is_switch(value) && !says_secret(name, name_size))
                return 0;
        if ((r = add(s, value, strlen(value))) < 0 || (r = add_json(s, value, 0)) < 0 ||
            (r = add_json(s, value, JSON_ESCAPE_SLASH)) < 0 ||
            (r = add_json(s, value, JSON_ENSURE_ASCII)) < 0 || (r = add_url(s, value, true)) < 0 ||
            (r = add_url(s, value, false)) < 0)
                return r;
        while (strchr(line, '\n')) {
                size_t n = strcspn(line, "\r\n");

                if (n >= SHORT_BYTES && (r = add(s, line, n)) < 0)
                        return r;
                line += n + strspn(line + n, "\r\n");
        }
        return strlen(line) >= SHORT_BYTES ? add(s, line, strlen(line)) : 0;
}

static int longer_first(const void *a, const void *b) {
        const Secret *x = a, *y = b;

        return (x->n < y->n) - (x->n > y->n);
}

int pl_secrets_new(char *const *environment, PlSecrets **ret) {
        _cleanup_(pl_secrets_freep) PlSecrets *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->items = calloc(SECRETS_MAX, sizeof(*s->items));
        if (!s->items)
                return -ENOMEM;
        for (; environment && *environment; environment++) {
                const char *equals = strchr(*environment, '=');

                if (!equals)
                        continue;
                r = add_value(s, *environment, (size_t)(equals - *environment), equals + 1);
                if (r < 0)
                        return r;
        }
        qsort(s->items, s->n, sizeof(*s->items), longer_first);
        *ret = TAKE_PTR(s);
        return 0;
}

static bool is_word(char c) {
        return isalnum((unsigned char)c) || c == '_';
}

/* The first place of a secret in the data. Return: NULL: none. */
static const char *find(const Secret *secret, const char *data, size_t n, const char *begin) {
        const char *end = begin + n, *at = data;

        while ((at = memmem(at, (size_t)(end - at), secret->text, secret->n))) {
                if (secret->n >= SHORT_BYTES ||
                    ((at == begin || !is_word(at[-1])) &&
                     (at + secret->n == end || !is_word(at[secret->n]))))
                        return at;
                at++;
        }
        return NULL;
}

/* Marks what is to be cut. */
static void mark(const PlSecrets *s, const char *data, size_t n, bool more, bool *ret_marks) {
        for (size_t i = 0; i < s->n; i++) {
                const Secret *secret = &s->items[i];

                for (const char *at = data; (at = find(secret, at, n, data)); at += secret->n)
                        memset(ret_marks + (at - data), true, secret->n);
                for (size_t k = PL_MIN(secret->n - 1, n); more && k >= TAIL_BYTES; k--)
                        if (memcmp(data + n - k, secret->text, k) == 0) {
                                memset(ret_marks + n - k, true, k);
                                break;
                        }
        }
}

char *pl_secrets_cut(const PlSecrets *s, const char *data, size_t n, bool more, size_t *ret_n) {
        _cleanup_free_ bool *marks = calloc(n + 1, sizeof(*marks));
        size_t runs = 0, used = 0;
        char *copy;

        if (!marks)
                return NULL;
        mark(s, data, n, more, marks);
        for (size_t i = 0; i < n; i++)
                runs += marks[i] && (i == 0 || !marks[i - 1]);
        copy = malloc(n + runs * strlen(PL_SECRETS_MARK) + 1);
        if (!copy)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                if (!marks[i]) {
                        copy[used++] = data[i];
                } else if (i == 0 || !marks[i - 1]) {
                        memcpy(copy + used, PL_SECRETS_MARK, strlen(PL_SECRETS_MARK));
                        used += strlen(PL_SECRETS_MARK);
                }
        }
        copy[used] = '\0';
        *ret_n = used;
        return copy;
}
