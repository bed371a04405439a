/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup watch: the directories on the way to a parent.
 *
 * A removed cgroup gives no IN_DELETE_SELF, and a parent may come late, go and come back. So every
 * directory from the mount down is watched for what is made and removed in it. Above the slices
 * that is rare, and costs nothing. Ancestors are armed before their children are looked for, so a
 * directory made meanwhile is either found or announced.
 *
 * Where containers live is nothing that an engine tells before the first one runs, so parents are
 * looked for as well: in one hierarchy, every directory near the top that may be one.
 */

#include "cgroup/watch-internal.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>

#include "lib/limits/parent.h"

#define NODE_EVENTS (IN_CREATE | IN_DELETE)

/* How far from the mount parents are looked for ("a.slice/a-b.slice/a-b-c.slice"), and how many. */
#define EXPLORE_DEPTH 3
#define FOUND_MAX     256

bool pl_cg_watch_is_first(const PlCgroupMounts *m, PlController c) {
        if (c == PL_CONTROLLER_CPUACCT || !m->mount[c])
                return false; /* cpuacct limits nothing */
        for (PlController d = 0; d < c; d++)
                if (m->mount[d] && pl_streq(m->mount[d], m->mount[c]))
                        return false;
        return true;
}

static bool is_below(const char *relative, const char *ancestor) {
        size_t n = strlen(ancestor);

        return n == 0 || (strncmp(relative, ancestor, n) == 0 && relative[n] == '/');
}

static Node *find_node(const PlCgWatch *w, PlController c, const char *relative, size_t length) {
        for (Node *n = w->nodes; n; n = n->next)
                if (n->c == c && strncmp(n->relative, relative, length) == 0 &&
                    n->relative[length] == '\0')
                        return n;
        return NULL;
}

static Node *child_of(const PlCgWatch *w, const Node *n, const char *name) {
        char path[PATH_MAX];

        if ((size_t)snprintf(path, sizeof(path), "%s%s%s", n->relative, *n->relative ? "/" : "",
                             name) >= sizeof(path))
                return NULL;
        return find_node(w, n->c, path, strlen(path));
}

/* Is the node one in whose directory parents are looked for? */
static bool explores(const PlCgWatch *w, const Node *n) {
        unsigned depth = *n->relative ? 1 : 0;

        if (!w->exploring || n->c != w->explored)
                return false;
        for (const char *s = n->relative; *s; s++)
                depth += *s == '/';
        return depth < EXPLORE_DEPTH;
}

static int get_node(PlCgWatch *w, PlController c, const char *relative, size_t length, Node **ret) {
        Node *n = find_node(w, c, relative, length), **tail = &w->nodes;

        if (!n) {
                n = calloc(1, sizeof(*n));
                if (!n)
                        return -ENOMEM;
                n->c = c;
                n->relative = strndup(relative, length);
                if (!n->relative) {
                        free(n);
                        return -ENOMEM;
                }
                while (*tail)
                        tail = &(*tail)->next;
                *tail = n;
        }
        *ret = n;
        return 0;
}

static void disarm(PlCgWatch *w, Node *n) {
        Watch *watch = n->watch;

        if (!watch)
                return;
        n->watch = NULL;
        watch->node = NULL;
        pl_cg_watch_close(w, watch);
}

static int arm_one(PlCgWatch *w, Node *n) {
        char path[PATH_MAX];
        Watch *watch;
        int r;

        if ((size_t)snprintf(path, sizeof(path), "%s/%s", w->mounts->mount[n->c], n->relative) >=
            sizeof(path))
                return -ENAMETOOLONG;
        r = pl_cg_watch_open(w, path, NODE_EVENTS, &watch);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (n->watch == watch)
                return 0;
        disarm(w, n); /* the directory was made anew, and nobody told us */
        n->watch = watch;
        watch->node = n;
        n->scan_due = n->is_parent || explores(w, n);
        return 0;
}

/* Arms this node, if it exists by now, and those below it. Return: 0 (also when absent), -errno. */
static int arm(PlCgWatch *w, Node *n) {
        int r;

        r = arm_one(w, n);
        if (r < 0 || !n->watch)
                return r;
        for (Node *p = w->nodes; p; p = p->next)
                if (p->c == n->c && is_below(p->relative, n->relative) &&
                    !pl_streq(p->relative, n->relative)) {
                        r = arm_one(w, p);
                        if (r < 0)
                                return r;
                }
        return 0;
}

int pl_cg_watch_add_parent(PlCgWatch *w, PlController c, const char *relative) {
        Node *root, *n;
        size_t end = 0;
        int r;

        r = get_node(w, c, "", 0, &root);
        n = root;
        while (r == 0 && relative[end]) {
                end += strspn(relative + end, "/");
                end += strcspn(relative + end, "/");
                r = get_node(w, c, relative, end, &n);
                if (r == 0 && n->found) {
                        n->found = false; /* it has to stay from now on */
                        w->n_found--;
                }
        }
        if (r < 0)
                return r;
        if (!n->is_parent)
                n->is_parent = n->scan_due = true;
        return arm(w, root);
}

int pl_cg_watch_explore(PlCgWatch *w, PlController c) {
        w->explored = c;
        w->exploring = true;
        return pl_cg_watch_add_parent(w, c, "");
}

/* A directory that nobody has named; without memory or watches for it the start event must do. */
static Node *explore(PlCgWatch *w, const Node *n, const char *name) {
        char path[PATH_MAX], id[PL_ID_MAX];
        Node *child;

        if (!explores(w, n) || w->n_found >= FOUND_MAX || !pl_parent_may_be(name) ||
            pl_cgroup_id_of_name(name, id))
                return NULL;
        if ((size_t)snprintf(path, sizeof(path), "%s%s%s", n->relative, *n->relative ? "/" : "",
                             name) >= sizeof(path) ||
            get_node(w, n->c, path, strlen(path), &child) < 0)
                return NULL;
        child->found = child->is_parent = true;
        w->n_found++;
        return child;
}

static void free_node(PlCgWatch *w, Node **p) {
        Node *n = *p;

        *p = n->next;
        w->n_found -= n->found;
        disarm(w, n);
        free(n->relative);
        free(n);
}

static bool has_below(const PlCgWatch *w, const Node *n) {
        for (const Node *p = n->next; p; p = p->next)
                if (p->c == n->c && is_below(p->relative, n->relative))
                        return true;
        return false;
}

void pl_cg_watch_drop_parent(PlCgWatch *w, PlController c, const char *relative) {
        Node *n = find_node(w, c, relative, strlen(relative)), **p;
        bool again = n;

        if (n) { /* one that exploring would find stays, as found */
                n->is_parent = n->found = explores(w, n) && n->watch && !has_below(w, n);
                w->n_found += n->found;
        }
        while (again) {
                again = false;
                for (p = &w->nodes; *p;) {
                        n = *p;
                        if (n->c != c || n->is_parent || !*n->relative || has_below(w, n)) {
                                p = &n->next;
                                continue;
                        }
                        free_node(w, p);
                        again = true;
                }
        }
}

void pl_cg_watch_made(PlCgWatch *w, const Node *n, const char *name) {
        Node *child = child_of(w, n, name) ?: explore(w, n, name);

        if (!child)
                return;
        (void)arm(w, child);
        pl_cg_watch_scan(w);
}

void pl_cg_watch_removed(PlCgWatch *w, const Node *n, const char *name) {
        Node *top = child_of(w, n, name), **p = &w->nodes;
        _cleanup_free_ char *gone = top ? strdup(top->relative) : NULL;

        while (gone && *p) {
                Node *q = *p;

                if (q->c == n->c && (pl_streq(q->relative, gone) || is_below(q->relative, gone))) {
                        disarm(w, q);
                        if (q->found) {
                                free_node(w, p);
                                continue;
                        }
                }
                p = &q->next;
        }
}

static void scan_node(PlCgWatch *w, const Node *n) {
        char path[PATH_MAX], id[PL_ID_MAX];
        struct dirent *entry;
        DIR *dir;

        (void)snprintf(path, sizeof(path), "%s/%s", w->mounts->mount[n->c], n->relative);
        dir = opendir(path);
        if (!dir)
                return;
        while ((entry = readdir(dir))) {
                const Group *known;

                if (entry->d_type != DT_DIR)
                        continue;
                if (!pl_cgroup_id_of_name(entry->d_name, id)) {
                        Node *child = child_of(w, n, entry->d_name) ?: explore(w, n, entry->d_name);

                        if (child)
                                (void)arm_one(w, child);
                        continue;
                }
                known = pl_map_get(w->groups, id);
                if (n->is_parent && (!known || !known->watches[n->c]))
                        w->handlers->appeared(w->userdata, id, n->relative, n->c);
        }
        (void)closedir(dir);
}

/* A node that is found meanwhile comes after the one in whose directory it lies. */
void pl_cg_watch_scan(PlCgWatch *w) {
        for (Node *n = w->nodes; n; n = n->next)
                if (n->scan_due && n->watch) {
                        n->scan_due = false;
                        scan_node(w, n);
                }
}

int pl_cg_watch_rescan(PlCgWatch *w) {
        int r = 0;

        for (Node *n = w->nodes; n && r == 0; n = n->next) {
                n->scan_due = n->is_parent || explores(w, n);
                if (!*n->relative)
                        r = arm(w, n);
        }
        pl_cg_watch_scan(w);
        return r;
}

void pl_cg_watch_free_nodes(PlCgWatch *w) {
        while (w->nodes)
                free_node(w, &w->nodes);
}
