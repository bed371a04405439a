/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Repeat: a small table of causes. See the header.
 *
 * A cause that has rested for long begins anew.
 */

#include "lib/status/repeat.h"

#include <errno.h>

#include "lib/base/id.h"
#include "lib/base/map.h"
#include "lib/base/text.h"

#define NAMED_MAX 3
/* More are forgotten, and may be told of again. */
#define TOLD_MAX 4096

typedef struct Cause {
        char *message_id, *reason, *text; /* text NULL: the slot is free */
        int priority;
        char *names[NAMED_MAX], *id, *service;
        PlMap *told;        /* ids that it was, or will be, told of; keys and values are the same */
        unsigned n;         /* containers that wait to be told */
        uint64_t due_usec;  /* when that is */
        uint64_t wait_usec; /* how long the next line waits; 0: there was none yet */
        uint64_t said_usec; /* when the last one was said */
} Cause;

struct PlRepeats {
        Cause causes[PL_REPEAT_CAUSES_MAX];
        char *line; /* what was taken last */
        Cause taken;
};

static void forget_whom(Cause *c) {
        for (size_t i = 0; i < NAMED_MAX; i++)
                free(c->names[i]);
        free(c->id);
        free(c->service);
        memset(c->names, 0, sizeof(c->names));
        c->id = c->service = NULL;
        c->n = 0;
}

/* The map's keys are its values. Return: NULL. */
static PlMap *free_ids(PlMap *ids) {
        char *id;

        if (ids)
                PL_MAP_FOREACH(id, ids)
        free(id);
        return pl_map_free(ids);
}

static void cause_deinit(Cause *c) {
        forget_whom(c);
        free(c->message_id);
        free(c->reason);
        free(c->text);
        free_ids(c->told);
        *c = (Cause){ 0 };
}

/* Once per cause and container. Return: is this one news? */
static bool is_news(Cause *c, const char *id) {
        char *key;

        if (!id)
                return true;
        if (c->told && pl_map_get(c->told, id))
                return false;
        if (!c->told || pl_map_size(c->told) >= TOLD_MAX) {
                c->told = free_ids(c->told);
                c->told = pl_map_new();
        }
        key = c->told ? strdup(id) : NULL;
        if (key && pl_map_put(c->told, key, key) < 0)
                free(key);
        return true;
}

PlRepeats *pl_repeats_new(void) {
        return calloc(1, sizeof(PlRepeats));
}

PlRepeats *pl_repeats_free(PlRepeats *r) {
        if (!r)
                return NULL;
        for (size_t i = 0; i < PL_REPEAT_CAUSES_MAX; i++)
                cause_deinit(&r->causes[i]);
        forget_whom(&r->taken);
        free(r->line);
        free(r);
        return NULL;
}

/* Of those with nothing to tell the one that was told longest ago. NULL: all have. */
static Cause *make_room(PlRepeats *r) {
        Cause *oldest = NULL;

        for (size_t i = 0; i < PL_REPEAT_CAUSES_MAX; i++) {
                Cause *c = &r->causes[i];

                if (!c->text)
                        return c;
                if (c->n == 0 && (!oldest || c->said_usec < oldest->said_usec))
                        oldest = c;
        }
        if (oldest)
                cause_deinit(oldest);
        return oldest;
}

static Cause *find(PlRepeats *r, const PlRepeat *what) {
        for (size_t i = 0; i < PL_REPEAT_CAUSES_MAX; i++)
                if (r->causes[i].text && pl_streq(r->causes[i].text, what->text) &&
                    pl_streq_null(r->causes[i].message_id, what->message_id))
                        return &r->causes[i];
        return NULL;
}

static bool copy(const char *text, char **ret) {
        free(*ret);
        *ret = text ? strdup(text) : NULL;
        return !text || *ret;
}

static Cause *cause_of(PlRepeats *r, const PlRepeat *what, int *reterr) {
        Cause *c = find(r, what);

        if (c)
                return c;
        c = make_room(r);
        *reterr = c ? -ENOMEM : -ENOSPC;
        if (!c)
                return NULL;
        c->priority = what->priority;
        if (copy(what->message_id, &c->message_id) && copy(what->reason, &c->reason) &&
            copy(what->text, &c->text))
                return c;
        cause_deinit(c);
        return NULL;
}

/* An engine's answer names the container, and nothing else in it differs. Return: owned by the
 * caller; NULL: out of memory. */
static char *without_id(const char *text, const char *id) {
        size_t n = id && pl_is_id(id) ? strlen(id) : 0;
        const char *at;
        char *ret = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&ret, &size);

        if (!f)
                return NULL;
        while (n > 0 && (at = strstr(text, id))) {
                (void)fprintf(f, "%.*s…", (int)(at - text), text);
                text = at + n;
        }
        (void)fputs(text, f);
        return pl_take_text(f, &ret);
}

int pl_repeats_add(PlRepeats *r, const PlRepeat *said, uint64_t now_usec) {
        _cleanup_free_ char *text = without_id(said->text, said->id);
        PlRepeat one = *said;
        const PlRepeat *what = &one;
        int error = 0;
        Cause *c;

        if (!text)
                return -ENOMEM;
        one.text = text;
        c = cause_of(r, what, &error);

        if (!c)
                return error;
        if (c->n == 0 && now_usec - c->said_usec >= PL_MAX(2 * c->wait_usec, PL_REPEAT_REST_USEC)) {
                c->wait_usec = 0; /* it has rested */
                c->told = free_ids(c->told);
        }
        if (!is_news(c, what->id))
                return 0;
        if (c->n == 0) {
                c->due_usec = PL_MAX(now_usec + PL_REPEAT_GATHER_USEC, c->said_usec + c->wait_usec);
                if (!copy(what->id, &c->id) || !copy(what->service, &c->service))
                        return -ENOMEM;
        }
        if (c->n < NAMED_MAX && !copy(what->name, &c->names[c->n]))
                return -ENOMEM;
        c->n++;
        return 0;
}

uint64_t pl_repeats_due(const PlRepeats *r) {
        uint64_t due = 0;

        for (size_t i = 0; i < PL_REPEAT_CAUSES_MAX; i++)
                if (r->causes[i].n > 0 && (due == 0 || r->causes[i].due_usec < due))
                        due = r->causes[i].due_usec;
        return due;
}

static char *line_of(const Cause *c) {
        char *text = NULL;
        size_t size = 0;
        FILE *f;

        if (c->n == 1)
                return strdup(c->text);
        f = open_memstream(&text, &size);
        if (!f)
                return NULL;
        fprintf(f, "%u containers (", c->n);
        for (unsigned i = 0; i < PL_MIN(c->n, NAMED_MAX); i++)
                fprintf(f, "%s%s",
                        i == 0          ? ""
                        : c->n == i + 1 ? " and "
                                        : ", ",
                        c->names[i] ?: "?");
        if (c->n > NAMED_MAX)
                fprintf(f, " and %u more", c->n - NAMED_MAX);
        fprintf(f, "): %s", c->text);
        return pl_take_text(f, &text);
}

bool pl_repeats_take(PlRepeats *r, uint64_t now_usec, PlRepeat *ret) {
        for (size_t i = 0; i < PL_REPEAT_CAUSES_MAX; i++) {
                Cause *c = &r->causes[i];

                if (c->n == 0 || c->due_usec > now_usec)
                        continue;
                free(r->line);
                r->line = line_of(c);
                forget_whom(&r->taken);
                /* what the caller borrows */
                memcpy(r->taken.names, c->names, sizeof(c->names));
                r->taken.id = c->id;
                r->taken.service = c->service;
                *ret = (PlRepeat){
                        .message_id = c->message_id,
                        .reason = c->reason,
                        .priority = c->priority,
                        .name = c->n == 1 ? r->taken.names[0] : NULL,
                        .id = c->n == 1 ? r->taken.id : NULL,
                        .service = c->n == 1 ? r->taken.service : NULL,
                        .text = r->line ?: c->text,
                        .n = c->n,
                };
                memset(c->names, 0, sizeof(c->names));
                c->id = c->service = NULL;
                c->n = 0;
                c->said_usec = now_usec;
                c->wait_usec = c->wait_usec == 0 ? PL_REPEAT_FIRST_USEC
                                                 : PL_MIN(4 * c->wait_usec, PL_REPEAT_MAX_USEC);
                return true;
        }
        return false;
}
