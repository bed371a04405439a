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

void pl_history_add(PlHistory *h, const char *verdict, const char *code, const char *evidence,
                    bool anew, uint64_t realtime_usec) {
        PlHistoryEntry *e = h->n > 0 ? &h->entries[(h->n - 1) % PL_HISTORY_MAX] : NULL;
        char text[PL_EVIDENCE_MAX];

        (void)snprintf(text, sizeof(text), "%s", evidence); /* it was cut there, too */
        if (!e || !pl_streq(e->verdict, verdict) || !pl_streq(e->code, code) ||
            !same_words(e->evidence, text)) {
                e = &h->entries[h->n++ % PL_HISTORY_MAX];
                if (h->n == 2 * PL_HISTORY_MAX)
                        h->n = PL_HISTORY_MAX;
                *e = (PlHistoryEntry){ .verdict = verdict, .first_usec = realtime_usec };
                (void)snprintf(e->code, sizeof(e->code), "%s", code);
        } else if (!anew) {
                return;
        }
        memcpy(e->evidence, text, sizeof(e->evidence));
        e->last_usec = realtime_usec;
        e->n++;
}

const PlHistoryEntry *pl_history_get(const PlHistory *h, unsigned i) {
        return i < PL_MIN(h->n, (unsigned)PL_HISTORY_MAX)
                               ? &h->entries[(h->n - 1 - i) % PL_HISTORY_MAX]
                               : NULL;
}
