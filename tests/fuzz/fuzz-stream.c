/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The stream of events, in pieces of any size: an event that is handed out is whole and new, the
 * size of the pieces changes nothing, and what is kept is bounded.
 */

#include "lib/docker/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

static bool on_event(void *userdata, PlEvent *e) {
        uint64_t *sum = userdata;

        check(pl_is_id(e->id) && e->action < _PL_EVENT_N);
        *sum = *sum * 31 + (uint64_t)e->action + (unsigned char)e->id[0] + e->time_nsec;
        return true;
}

/* Return: of what was handed out. */
static uint64_t feed(const char *data, size_t size, size_t step) {
        PlEventStream *s = calloc(1, sizeof(*s)); /* as large as its memory of what was seen */
        uint64_t sum = 0;

        check(s);
        for (size_t i = 0; i < size; i += step) {
                size_t n = PL_MIN(step, size - i);
                char *piece = malloc(n); /* exact bounds */

                check(piece);
                memcpy(piece, data + i, n);
                check(pl_event_stream_feed(s, piece, n) == 0);
                free(piece);
                check(pl_event_stream_dispatch(s, on_event, &sum));
                check(s->size <= PL_DOCKER_RECORD_MAX);
        }
        pl_event_stream_reset(s);
        check(s->size == 0);
        {
                char *again = malloc(size ?: 1), id[PL_ID_MAX];
                uint64_t ignored = 0;

                check(again);
                memcpy(again, data, size);
                memset(id, 'a', PL_ID_MAX - 1);
                id[PL_ID_MAX - 1] = '\0';
                pl_event_stream_recall(s, again, size, id, step & 1, on_event, &ignored);
                free(again);
        }
        pl_event_stream_deinit(s);
        free(s);
        return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = (const char *)data;

        if (size == 0)
                return 0;
        check(feed(text + 1, size - 1, data[0] + 1U) == feed(text + 1, size - 1, size));
        return 0;
}
