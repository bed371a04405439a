/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Members. All records and all names of archives are read: there are at most some thousands.
 */

#include "ctl/logs/members.h"

#include <errno.h>

#define ID_DIGITS_MIN 4
#define ID_DIGITS     12 /* in the names of archives */

/* How well a name fits; only those with the best fit count. */
typedef enum Fit {
        FIT_NONE,
        FIT_PART, /* of a service's title, behind the project */
        FIT_SERVICE,
        FIT_ID,
        FIT_NAME,
} Fit;

typedef struct Candidate {
        PlLogMember member;
        Fit fit;
} Candidate;

typedef struct Search {
        const char *name;
        char clean[PL_ARCHIVE_NAME_MAX], dir[PL_ARCHIVE_NAME_MAX]; /* as archives have it */
        Candidate *items;
        size_t n;
} Search;

static void member_deinit(PlLogMember *m) {
        free(m->name);
        free(m->path);
        free(m->driver);
        free(m->origin);
        free(m->title);
}

void pl_log_members_deinit(PlLogMembers *m) {
        for (size_t i = 0; i < m->n; i++)
                member_deinit(&m->items[i]);
        free(m->items);
        *m = (PlLogMembers){ 0 };
}

static bool is_id(const char *prefix, const char *id) {
        size_t n = strlen(prefix);

        return n >= ID_DIGITS_MIN && n < PL_ID_MAX &&
               strncmp(id, prefix, PL_MIN(n, strlen(id))) == 0;
}

static Fit fit(const Search *s, const char *id, const char *name, const char *clean,
               const char *dir) {
        if (pl_streq_null(name, s->name) || pl_streq_null(clean, s->clean))
                return FIT_NAME;
        if (is_id(s->name, id))
                return FIT_ID;
        return pl_streq_null(dir, s->dir) ? FIT_SERVICE : FIT_NONE;
}

/* Whose is it? Takes what the record says. */
static void take_identity(Search *s, Candidate *c, PlRotateState *state) {
        const char *slash = state->title ? strchr(state->title, '/') : NULL;
        Fit f = FIT_NONE;

        if (!state->origin || c->member.origin)
                return;
        if (pl_streq(state->title, s->name))
                f = FIT_SERVICE;
        else if (slash && pl_streq(slash + 1, s->name))
                f = FIT_PART;
        c->fit = PL_MAX(c->fit, f);
        c->member.origin = TAKE_PTR(state->origin);
        c->member.title = TAKE_PTR(state->title);
}

/* The candidate with this id, or a new one. Return: NULL out of memory. */
static Candidate *candidate(Search *s, const char *id, const char *name) {
        Candidate *more;

        for (size_t i = 0; i < s->n; i++)
                if (strncmp(s->items[i].member.id, id, ID_DIGITS) == 0)
                        return &s->items[i];
        more = reallocarray(s->items, s->n + 1, sizeof(*more));
        if (!more)
                return NULL;
        s->items = more;
        more[s->n] = (Candidate){ .member = { .name = strdup(name) } };
        if (!more[s->n].member.name)
                return NULL;
        (void)snprintf(more[s->n].member.id, PL_ID_MAX, "%s", id);
        return &more[s->n++];
}

static int add_record(Search *s, PlLogStore *store, const char *id) {
        PlRotateState state = { 0 };
        Candidate *c;
        int r = pl_log_store_load(store, id, &state);

        if (r < 0 && r != -EBADMSG && r != -EACCES)
                return r == -ENOENT ? 0 : r;
        c = candidate(s, id, state.name ?: id);
        if (c) {
                c->member.recorded = true;
                c->fit = fit(s, id, state.name, NULL, state.service);
                c->member.path = TAKE_PTR(state.path);
                c->member.driver = TAKE_PTR(state.driver);
                take_identity(s, c, &state);
        }
        pl_rotate_state_deinit(&state);
        return c ? 0 : -ENOMEM;
}

static int add_archive(Search *s, const PlStoredArchive *a) {
        Candidate *c = candidate(s, a->name.id, a->name.container);
        PlLogMember *m;
        Fit f;

        if (!c)
                return -ENOMEM;
        f = fit(s, a->name.id, NULL, a->name.container, a->service);
        c->fit = PL_MAX(c->fit, f);
        m = &c->member;
        if (m->n_archives == 0 || a->name.from_sec < m->from_sec)
                m->from_sec = a->name.from_sec;
        m->to_sec = PL_MAX(m->to_sec, a->name.to_sec);
        m->bytes += a->size;
        m->n_archives++;
        return 0;
}

/* Archives can be read without records. */
static int gather(Search *s, PlLogStore *store, int *ret_records_error) {
        char(*ids)[PL_ID_MAX] = NULL;
        PlStoredArchive *archives = NULL;
        size_t n = 0;
        int r = pl_log_store_states(store, &ids, &n);

        *ret_records_error = r;
        if (r < 0 && r != -ENOMEM)
                r = 0;
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = add_record(s, store, ids[i]);
        free(ids);
        n = 0;
        if (r >= 0)
                r = pl_log_store_list(store, NULL, &archives, &n);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = add_archive(s, &archives[i]);
        free(archives);
        for (size_t i = 0; r >= 0 && i < s->n; i++) {
                PlRotateState last = { 0 };

                if (!s->items[i].member.origin &&
                    pl_log_store_load_last(store, s->items[i].member.id, &last) >= 0)
                        take_identity(s, &s->items[i], &last);
                pl_rotate_state_deinit(&last);
        }
        return r;
}

/* A service is all that it has had: also under another section, or before it had one. */
static void complete(Search *s, Fit best) {
        for (size_t i = 0; i < s->n; i++)
                for (size_t k = 0; k < s->n && s->items[i].fit < best; k++)
                        if (s->items[k].fit == best && s->items[i].member.origin &&
                            pl_streq_null(s->items[k].member.origin, s->items[i].member.origin))
                                s->items[i].fit = best;
}

/* Are they of several services, though the name is one's? */
static bool is_ambiguous(const PlLogMembers *m) {
        for (size_t i = 1; i < m->n; i++)
                if (!pl_streq_null(m->items[i].origin, m->items[0].origin))
                        return true;
        return false;
}

static int compare(const void *pa, const void *pb) {
        const PlLogMember *a = pa, *b = pb;

        if ((a->n_archives > 0) != (b->n_archives > 0)) /* no archive yet: the youngest */
                return a->n_archives > 0 ? -1 : 1;
        if (a->from_sec != b->from_sec)
                return a->from_sec < b->from_sec ? -1 : 1;
        return strcmp(a->id, b->id);
}

int pl_log_members_find(PlLogStore *store, const char *name, const char *container,
                        PlLogMembers *ret) {
        PlLogMembers m = { 0 };
        Search s = { .name = name };
        Fit best = FIT_NONE;
        int r;

        pl_archive_container_name(name, s.clean);
        pl_archive_dir_name(name, s.dir);
        r = gather(&s, store, &m.records_error);
        for (size_t i = 0; i < s.n; i++)
                best = PL_MAX(best, s.items[i].fit);
        if (best == FIT_SERVICE || best == FIT_PART)
                complete(&s, best);
        m.items = calloc(s.n ?: 1, sizeof(*m.items));
        if (!m.items)
                r = -ENOMEM;
        for (size_t i = 0; i < s.n; i++) {
                Candidate *c = &s.items[i];

                if (r >= 0 && best != FIT_NONE && c->fit == best &&
                    (!container || is_id(container, c->member.id)))
                        m.items[m.n++] = c->member;
                else
                        member_deinit(&c->member);
        }
        free(s.items);
        if (r < 0) {
                pl_log_members_deinit(&m);
                return r;
        }
        if (m.n > 1)
                qsort(m.items, m.n, sizeof(*m.items), compare);
        m.services = best == FIT_PART && !container && is_ambiguous(&m);
        *ret = m;
        return m.services || (m.n > 1 && (best == FIT_ID || container)) ? -ENOTUNIQ : 0;
}
