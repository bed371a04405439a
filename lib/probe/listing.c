/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Listing: see the header. One byte at a time through a small machine; the depth is counted, and
 * one bit for each tells objects from lists.
 */

#include "lib/probe/listing.h"

#include <errno.h>

enum State {
        VALUE,     /* one must come */
        FIRST,     /* of a list, or its end */
        FIRST_KEY, /* of an object, or its end */
        KEY,
        COLON,
        AFTER, /* a value: a comma, or an end */
        STRING,
        ESCAPE,
        HEX,
        WORD, /* a number, true, false, null */
        END,  /* of the document: white space alone */
        BAD,
};

/* What the value that comes next is good for. */
enum Member {
        OTHER,
        MODELS,
        NAME,
        MODEL,
        SIZE,
        SIZE_VRAM,
};

void pl_listing_begin(PlListing *m) {
        m->state = VALUE;
        m->member = OTHER;
        m->depth = m->models_depth = 0;
        m->objects = 0;
        m->seen = false;
        m->high = 0;
        m->n_text = 0;
        m->entry = (PlListingEntry){};
}

static bool in_object(const PlListing *m) {
        return m->depth > 0 && (m->objects >> (m->depth - 1)) & 1;
}

/* Are we among the members of a model? */
static bool in_entry(const PlListing *m) {
        return m->models_depth > 0 && m->depth == m->models_depth + 1 && in_object(m);
}

/* --- texts --- */

static void put(PlListing *m, char c) {
        if (m->n_text + 1 < sizeof(m->text))
                m->text[m->n_text++] = c;
        else
                m->text_cut = true;
}

static void put_unicode(PlListing *m, uint32_t u) {
        if (u < 0x80) {
                put(m, (char)u);
        } else if (u < 0x800) {
                put(m, (char)(0xc0 | u >> 6));
                put(m, (char)(0x80 | (u & 0x3f)));
        } else if (u < 0x10000) {
                put(m, (char)(0xe0 | u >> 12));
                put(m, (char)(0x80 | (u >> 6 & 0x3f)));
                put(m, (char)(0x80 | (u & 0x3f)));
        } else {
                put(m, (char)(0xf0 | u >> 18));
                put(m, (char)(0x80 | (u >> 12 & 0x3f)));
                put(m, (char)(0x80 | (u >> 6 & 0x3f)));
                put(m, (char)(0x80 | (u & 0x3f)));
        }
}

static void begin_text(PlListing *m, bool is_key) {
        m->n_text = 0;
        m->text_cut = false;
        m->is_key = is_key;
        m->high = 0;
}

/* \uXXXX is whole. Halves of a pair without the other one become "?". */
static void end_hex(PlListing *m) {
        uint32_t u = m->unicode, high = m->high;
        bool low = u >= 0xdc00 && u < 0xe000;

        m->high = 0;
        if (high && !low)
                put(m, '?');
        if (u >= 0xd800 && u < 0xdc00)
                m->high = u;
        else if (low)
                put_unicode(m, high ? 0x10000 + ((high - 0xd800) << 10) + (u - 0xdc00) : '?');
        else
                put_unicode(m, u);
}

/* --- values --- */

static enum State after_value(const PlListing *m) {
        return m->depth == 0 ? END : AFTER;
}

static enum State end_key(PlListing *m) {
        static const struct {
                const char *key;
                enum Member member;
        } members[] = {
                { "name", NAME }, { "model", MODEL }, { "size", SIZE }, { "size_vram", SIZE_VRAM }
        };

        m->member = OTHER;
        m->text[m->n_text] = '\0';
        if (m->depth == 1 && strcmp(m->text, "models") == 0)
                m->member = MODELS;
        for (size_t i = 0; in_entry(m) && i < PL_ARRAY_SIZE(members); i++)
                if (strcmp(m->text, members[i].key) == 0)
                        m->member = (uint8_t)members[i].member;
        return COLON;
}

static enum State end_string(PlListing *m) {
        PlListingEntry *e = &m->entry;

        if (m->is_key)
                return end_key(m);
        m->text[m->n_text] = '\0';
        if (m->member == NAME || (m->member == MODEL && !e->has_name)) {
                memcpy(e->name, m->text, m->n_text + 1);
                e->has_name = m->member == NAME;
                e->cut = m->text_cut;
        }
        return after_value(m);
}

static uint64_t number_of(const PlListing *m) {
        uint64_t v = 0;

        for (size_t i = 0; i < m->n_text; i++)
                if (m->text_cut || m->text[i] < '0' || m->text[i] > '9' ||
                    __builtin_mul_overflow(v, 10, &v) ||
                    __builtin_add_overflow(v, (uint64_t)(m->text[i] - '0'), &v) || v > INT64_MAX)
                        return 0;
        return v;
}

static enum State end_word(PlListing *m) {
        static const char *const words[] = { "true", "false", "null" };

        m->text[m->n_text] = '\0';
        if (m->text[0] == '-' || (m->text[0] >= '0' && m->text[0] <= '9')) {
                if (m->text[strspn(m->text, "0123456789+-.eE")])
                        return BAD;
                if (m->member == SIZE)
                        m->entry.size_bytes = number_of(m);
                if (m->member == SIZE_VRAM)
                        m->entry.vram_bytes = number_of(m);
                return after_value(m);
        }
        if (m->member == MODELS && strcmp(m->text, "null") == 0)
                m->seen = true; /* Go writes a list that was never filled so */
        for (size_t i = 0; i < PL_ARRAY_SIZE(words); i++)
                if (strcmp(m->text, words[i]) == 0)
                        return after_value(m);
        return BAD;
}

static enum State enter(PlListing *m, bool object) {
        bool models = m->member == MODELS && !object && m->models_depth == 0;

        if (m->depth == PL_LISTING_DEPTH_MAX)
                return BAD;
        m->objects &= ~(UINT64_C(1) << m->depth);
        m->objects |= (uint64_t)object << m->depth;
        m->depth++;
        m->member = OTHER;
        if (models) {
                m->models_depth = m->depth;
                m->seen = true;
        }
        if (in_entry(m))
                m->entry = (PlListingEntry){};
        return object ? FIRST_KEY : FIRST;
}

/* *ret: whether a model has ended. */
static enum State leave(PlListing *m, bool object, bool *ret) {
        if (m->depth == 0 || in_object(m) != object)
                return BAD;
        *ret = in_entry(m);
        if (m->depth == m->models_depth)
                m->models_depth = 0;
        m->depth--;
        m->member = OTHER;
        return after_value(m);
}

static enum State begin_value(PlListing *m, char c) {
        if (c == '{' || c == '[')
                return enter(m, c == '{');
        begin_text(m, false);
        if (c == '"')
                return STRING;
        if (c == '-' || (c >= '0' && c <= '9') || c == 't' || c == 'f' || c == 'n') {
                put(m, c);
                return WORD;
        }
        return BAD;
}

/* --- the machine --- */

static enum State in_text(PlListing *m, char c) {
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        const char *at;

        switch (m->state) {
        case STRING:
                if (c == '\\')
                        return ESCAPE;
                if (m->high)
                        put(m, '?');
                m->high = 0;
                if (c == '"')
                        return end_string(m);
                if ((unsigned char)c < 0x20)
                        return BAD;
                put(m, c);
                return STRING;
        case ESCAPE:
                m->unicode = m->n_hex = 0;
                if (c == 'u')
                        return HEX;
                if (m->high)
                        put(m, '?');
                m->high = 0;
                at = c ? strchr(from, c) : NULL;
                if (!at)
                        return BAD;
                put(m, to[at - from]);
                return STRING;
        default: /* HEX */
                at = c ? strchr("0123456789abcdef", c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;
                if (!at)
                        return BAD;
                m->unicode = m->unicode << 4 |
                             (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
                if (++m->n_hex < 4)
                        return HEX;
                end_hex(m);
                return STRING;
        }
}

static enum State between(PlListing *m, char c, bool *ret_entry) {
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
                return m->state;
        switch (m->state) {
        case FIRST:
                if (c == ']')
                        return leave(m, false, ret_entry);
                return begin_value(m, c);
        case VALUE:
                return begin_value(m, c);
        case FIRST_KEY:
                if (c == '}')
                        return leave(m, true, ret_entry);
                /* fall through */
        case KEY:
                begin_text(m, true);
                return c == '"' ? STRING : BAD;
        case COLON:
                return c == ':' ? VALUE : BAD;
        case AFTER:
                if (c == '}' || c == ']')
                        return leave(m, c == '}', ret_entry);
                m->member = OTHER;
                return c != ',' ? BAD : in_object(m) ? KEY : VALUE;
        default: /* END, BAD */
                return BAD;
        }
}

static bool is_word(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '+' || c == '-' || c == '.';
}

int pl_listing_read(PlListing *m, const char **data, size_t *n) {
        while (*n > 0 && m->state != BAD) {
                char c = **data;
                bool entry = false;

                if (m->state == WORD && !is_word(c)) {
                        m->state = end_word(m);
                        continue; /* the byte is still to be read */
                }
                (*data)++;
                (*n)--;
                if (m->state == WORD)
                        put(m, c);
                else if (m->state == STRING || m->state == ESCAPE || m->state == HEX)
                        m->state = in_text(m, c);
                else
                        m->state = between(m, c, &entry);
                if (entry)
                        return 1;
        }
        return m->state == BAD ? -EBADMSG : 0;
}

bool pl_listing_complete(const PlListing *m) {
        return m->state == END && m->seen;
}
