/* SPDX-License-Identifier: Apache-2.0 */

/*
 * jansson encodes; this file checks that a record makes sense before anybody acts on it: a head
 * beyond its own cut, or an unknown phase, is refused instead of interpreted.
 */

#include "lib/logs/rotate-state.h"

#include <errno.h>
#include <jansson.h>

static const int state_version = 1;

static const char *const phase_names[] = {
        [PL_ROTATE_CLEAN] = "clean",
        [PL_ROTATE_INTENT] = "intent",
};

void pl_rotate_state_deinit(PlRotateState *s) {
        free(s->name);
        free(s->service);
        free(s->path);
        free(s->driver);
        free(s->origin);
        free(s->title);
        free(s->archive);
        *s = (PlRotateState){ 0 };
}

int pl_rotate_state_encode(const PlRotateState *s, char **ret) {
        json_t *j;
        char *text;

        j = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s}", "version",
                      state_version, "id", s->id, "name", s->name ?: "", "service",
                      s->service ?: "", "path", s->path ?: "", "driver", s->driver ?: "", "dev",
                      (json_int_t)s->dev, "ino", (json_int_t)s->ino, "gen", (json_int_t)s->gen,
                      "head", (json_int_t)s->head, "mark", (json_int_t)s->mark, "phase",
                      phase_names[s->phase]);
        if (!j)
                return -ENOMEM;
        if (s->phase == PL_ROTATE_INTENT &&
            json_object_set_new(j, "intent",
                                json_pack("{s:I, s:I, s:s, s:s, s:I}", "k", (json_int_t)s->k, "a",
                                          (json_int_t)s->a, "method",
                                          pl_word_of(pl_log_method_words, s->method), "archive",
                                          s->archive ?: "", "print", (json_int_t)s->print)) < 0) {
                json_decref(j);
                return -ENOMEM;
        }
        if (s->taken && json_object_set_new(j, "taken", json_integer((json_int_t)s->print)) < 0) {
                json_decref(j);
                return -ENOMEM;
        }
        /* a title is cut, and that may be in the middle of a character */
        if (s->origin && *s->origin &&
            (json_object_set_new(j, "origin", json_string(s->origin)) < 0 ||
             (json_object_set_new(j, "title", json_string(s->title ?: "")) < 0 &&
              json_object_set_new(j, "title", json_string("")) < 0))) {
                json_decref(j);
                return -ENOMEM;
        }
        text = json_dumps(j, JSON_INDENT(1));
        json_decref(j);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

static int find_name(const char *const *names, size_t n, const char *s) {
        for (size_t i = 0; i < n; i++)
                if (pl_streq(names[i], s))
                        return (int)i;
        return -1;
}

static int find_method(const char *s) {
        for (const PlWord *w = pl_log_method_words; w->word; w++)
                if (pl_streq(w->word, s))
                        return w->value;
        return -1;
}

static bool is_id(const char *s) {
        return strlen(s) == PL_ID_MAX - 1 && strspn(s, "0123456789abcdef") == PL_ID_MAX - 1;
}

static int decode_intent(json_t *j, PlRotateState *s) {
        const char *method, *archive;
        json_int_t k, a, print;
        int m;

        if (json_unpack(j, "{s:I, s:I, s:s, s:s, s:I}", "k", &k, "a", &a, "method", &method,
                        "archive", &archive, "print", &print) < 0)
                return -EBADMSG;
        m = find_method(method);
        if (m < 0 || m == PL_LOG_METHOD_AUTO || m == PL_LOG_METHOD_OFF)
                return -EBADMSG; /* these never free a head */
        if (a < 0 || k <= a || (uint64_t)k <= s->head || !*archive)
                return -EBADMSG;
        s->k = (uint64_t)k;
        s->a = (uint64_t)a;
        s->method = (PlLogMethod)m;
        s->print = (uint64_t)print;
        s->archive = strdup(archive);
        return s->archive ? 0 : -ENOMEM;
}

static int decode_object(json_t *j, PlRotateState *s) {
        const char *id, *name, *service, *path, *driver, *phase, *origin = NULL, *title = "";
        json_int_t version, dev, ino, gen, head, mark;
        json_t *intent, *taken;
        int p;

        if (json_unpack(j, "{s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s?s, s?s}",
                        "version", &version, "id", &id, "name", &name, "service", &service, "path",
                        &path, "driver", &driver, "dev", &dev, "ino", &ino, "gen", &gen, "head",
                        &head, "mark", &mark, "phase", &phase, "origin", &origin, "title",
                        &title) < 0)
                return -EBADMSG;
        p = find_name(phase_names, PL_ARRAY_SIZE(phase_names), phase);
        if (version != state_version || p < 0 || gen < 0 || head < 0 || mark < 0 || mark > head ||
            !is_id(id))
                return -EBADMSG;
        memcpy(s->id, id, PL_ID_MAX);
        s->dev = (uint64_t)dev;
        s->ino = (uint64_t)ino;
        s->gen = (uint64_t)gen;
        s->head = (uint64_t)head;
        s->mark = (uint64_t)mark;
        s->phase = (PlRotatePhase)p;
        s->name = strdup(name);
        s->service = strdup(service);
        s->path = strdup(path);
        s->driver = strdup(driver);
        s->origin = origin ? strdup(origin) : NULL;
        s->title = origin ? strdup(title) : NULL;
        if (!s->name || !s->service || !s->path || !s->driver ||
            (origin && !(s->origin && s->title)))
                return -ENOMEM;
        taken = json_object_get(j, "taken");
        if (taken && !json_is_integer(taken))
                return -EBADMSG;
        s->taken = taken;
        s->print = (uint64_t)json_integer_value(taken);
        intent = json_object_get(j, "intent");
        if (!intent != (p == PL_ROTATE_CLEAN))
                return -EBADMSG;
        return intent ? decode_intent(intent, s) : 0;
}

int pl_rotate_state_decode(const char *text, size_t size, PlRotateState *ret) {
        PlRotateState s = { 0 };
        json_t *j;
        int r;

        j = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        if (!j)
                return -EBADMSG;
        r = decode_object(j, &s);
        json_decref(j);
        if (r < 0) {
                pl_rotate_state_deinit(&s);
                return r;
        }
        *ret = s;
        return 0;
}
