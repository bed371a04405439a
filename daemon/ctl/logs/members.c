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
        return r;
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
        *ret = m;
        return m.n > 1 && (best == FIT_ID || container) ? -ENOTUNIQ : 0;
}
