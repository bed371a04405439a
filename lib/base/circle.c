/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Circles: see the header. Tarjan's strongly connected components ("Depth-first search and linear
 * graph algorithms", 1972), without recursion: a chain may be as long as a policy.
 */

#include "lib/base/circle.h"

#include <errno.h>

typedef struct Node {
        size_t next;  /* the arrow to follow next */
        size_t order; /* in which it was met; 0: not yet; SIZE_MAX: its circle is known */
        size_t low;   /* the earliest that it leads back to */
} Node;

typedef struct Walk {
        Node *nodes;
        size_t *way, n_way;   /* from the start to here */
        size_t *open, n_open; /* met, and their circles are not known */
        size_t count;
} Walk;

static void enter(Walk *w, size_t i) {
        w->nodes[i].order = w->nodes[i].low = ++w->count;
        w->way[w->n_way++] = w->open[w->n_open++] = i;
}

/* What was met since node i, with it, is one circle, or node i alone is none. */
static void close_circle(Walk *w, size_t i, size_t *ret) {
        size_t first = w->n_open, lowest = SIZE_MAX;

        do {
                first--;
                lowest = PL_MIN(lowest, w->open[first]);
        } while (w->open[first] != i);
        if (w->n_open - first == 1)
                lowest = SIZE_MAX;
        while (w->n_open > first) {
                size_t member = w->open[--w->n_open];

                ret[member] = lowest;
                w->nodes[member].order = SIZE_MAX;
        }
}

static void leave(Walk *w, size_t i, size_t *ret) {
        const Node *node = &w->nodes[i];

        w->n_way--;
        if (w->n_way > 0) {
                Node *before = &w->nodes[w->way[w->n_way - 1]];

                before->low = PL_MIN(before->low, node->low);
        }
        if (node->low == node->order)
                close_circle(w, i, ret);
}

int pl_circles(size_t n, const PlArrow *arrows, size_t n_arrows, size_t *ret) {
        _cleanup_free_ Node *nodes = calloc(n + 1, sizeof(*nodes));
        _cleanup_free_ size_t *lists = calloc(n + 1, 2 * sizeof(*lists));
        Walk w = { .nodes = nodes, .way = lists, .open = lists ? lists + n : NULL };

        if (!nodes || !lists)
                return -ENOMEM;
        for (size_t i = n_arrows; i > 0; i--)
                nodes[arrows[i - 1].from].next = i - 1;
        for (size_t start = 0; start < n; start++) {
                if (!nodes[start].order)
                        enter(&w, start);
                while (w.n_way > 0) {
                        size_t i = w.way[w.n_way - 1];
                        Node *node = &nodes[i], *to;

                        if (node->next >= n_arrows || arrows[node->next].from != i) {
                                leave(&w, i, ret);
                                continue;
                        }
                        to = &nodes[arrows[node->next].to];
                        if (!to->order)
                                enter(&w, arrows[node->next].to);
                        else
                                node->low = PL_MIN(node->low, to->order);
                        node->next++;
                }
        }
        return 0;
}
