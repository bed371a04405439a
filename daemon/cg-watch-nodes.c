/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup watch: the directories on the way to a parent.
 *
 * A removed cgroup gives no IN_DELETE_SELF, and a parent may come late, go and come back. So every
 * directory from the mount down is watched for what is made and removed in it. Above the slices
 * that is rare, and costs nothing. Ancestors are armed before their children are looked for, so a
 * directory made meanwhile is either found or announced.
 */

#include "cg-watch-internal.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>

#define NODE_EVENTS (IN_CREATE | IN_DELETE)

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

Node *pl_cg_watch_child(const PlCgWatch *w, const Node *n, const char *name) {
        char path[PATH_MAX];

        if ((size_t)snprintf(path, sizeof(path), "%s%s%s", n->relative, *n->relative ? "/" : "",
                             name) >= sizeof(path))
                return NULL;
        return find_node(w, n->c, path, strlen(path));
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
        pl_cg_watch_disarm(w, n); /* the directory was made anew, and nobody told us */
        n->watch = watch;
        watch->node = n;
        n->scan_due = n->is_parent;
        return 0;
}

int pl_cg_watch_arm(PlCgWatch *w, Node *n) {
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

void pl_cg_watch_disarm(PlCgWatch *w, Node *n) {
        Watch *watch = n->watch;

        if (!watch)
                return;
        n->watch = NULL;
        watch->node = NULL;
        pl_cg_watch_close(w, watch);
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
        }
        if (r < 0)
                return r;
        if (!n->is_parent)
                n->is_parent = n->scan_due = true;
        return pl_cg_watch_arm(w, root);
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

                if (entry->d_type != DT_DIR || !pl_cgroup_id_of_name(entry->d_name, id))
                        continue;
                known = pl_map_get(w->groups, id);
                if (!known || !known->watches[n->c])
                        w->handlers->appeared(w->userdata, id, n->relative, n->c);
        }
        (void)closedir(dir);
}

void pl_cg_watch_scan(PlCgWatch *w) {
        for (Node *n = w->nodes; n; n = n->next)
                if (n->scan_due && n->watch) {
                        n->scan_due = false;
                        scan_node(w, n);
                }
}

void pl_cg_watch_free_nodes(PlCgWatch *w) {
        for (Node *n = w->nodes, *next; n; n = next) {
                next = n->next;
                pl_cg_watch_disarm(w, n);
                free(n->relative);
                free(n);
        }
        w->nodes = NULL;
}
