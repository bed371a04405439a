/* SPDX-License-Identifier: Apache-2.0 */

/*
 * History: see the header.
 */

#include "lib/health/history.h"

/* Equal but for their numbers? */
static bool same_words(const char *a, const char *b) {
        for (;;) {
                bool skipped = false;

                while (*a >= '0' && *a <= '9') {
                        a++;
                        skipped = true;
                }
                for (; *b >= '0' && *b <= '9'; b++)
                        if (!skipped)
                                return false;
                if (*a != *b)
                        return false;
                if (*a == '\0')
                        return true;
                a++;
                b++;
        }
}

static void entry_free(PlHistoryEntry *e) {
        if (e)
                free(e->evidence);
        free(e);
}

void pl_history_clear(PlHistory *h) {
        for (unsigned i = 0; i < PL_HISTORY_MAX; i++)
                entry_free(h->entries[i]);
        *h = (PlHistory){ 0 };
}

/* The oldest goes. Return: one without evidence; NULL: out of memory. */
static PlHistoryEntry *push(PlHistory *h, const char *verdict, const char *code,
                            uint64_t realtime_usec) {
        PlHistoryEntry *e = calloc(1, sizeof(*e)), **at = &h->entries[h->n % PL_HISTORY_MAX];

        if (!e)
                return NULL;
        *e = (PlHistoryEntry){ .verdict = verdict, .first_usec = realtime_usec };
        (void)snprintf(e->code, sizeof(e->code), "%s", code);
        entry_free(*at);
        *at = e;
        if (++h->n == 2 * PL_HISTORY_MAX)
                h->n = PL_HISTORY_MAX;
        return e;
}

void pl_history_add(PlHistory *h, const char *verdict, const char *code, const char *evidence,
                    bool anew, uint64_t realtime_usec) {
        PlHistoryEntry *e = h->n > 0 ? h->entries[(h->n - 1) % PL_HISTORY_MAX] : NULL;
        char *text = strndup(evidence, PL_EVIDENCE_MAX - 1);

        if (text && (!e || !pl_streq(e->verdict, verdict) || !pl_streq(e->code, code) ||
                     !same_words(e->evidence, text)))
                e = push(h, verdict, code, realtime_usec);
        else if (!anew)
                e = NULL;
        if (!e || !text) {
                free(text);
                return;
        }
        free(e->evidence);
        e->evidence = text;
        e->last_usec = realtime_usec;
        e->n++;
}

const PlHistoryEntry *pl_history_get(const PlHistory *h, unsigned i) {
        return i < PL_MIN(h->n, (unsigned)PL_HISTORY_MAX)
                               ? h->entries[(h->n - 1 - i) % PL_HISTORY_MAX]
                               : NULL;
}
