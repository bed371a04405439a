/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup watch: from inotify events to what they mean.
 *
 * Two kinds of news with opposite needs. A group that appears must get its limits before the first
 * instruction of its container, so that is reported from inside the event. systemd, runc and
 * plimsoll itself write files in storms; those are collected for 100 ms.
 *
 * inotify does not say who wrote; the receiver compares values, so our own writes cost one reading
 * and no more. Reading a file is no event.
 *
 * Must not: read or write a value.
 */

#include "cgroup/watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/loop.h"
#include "lib/base/map.h"
#include "lib/limits/parent.h"

#define DEBOUNCE_USEC (100 * PL_USEC_PER_MSEC)

/* Before anything else that is ready: the container is about to run. */
#define PRIORITY (SD_EVENT_PRIORITY_IMPORTANT - 10)

/* Read at once: a storm of 100 events and more. */
#define BUFFER_BYTES 16384

#define NODE_EVENTS (IN_CREATE | IN_DELETE)

/* How far from the mount parents are looked for ("a.slice/a-b.slice/a-b-c.slice"), and how many. */
#define EXPLORE_DEPTH 3
#define FOUND_MAX     256

typedef struct Watch Watch;
typedef struct Node Node;
typedef struct Group Group;

/* One inotify watch. The kernel has one per inode, so a group that is also a parent (a container
 * that runs containers) has both roles in one watch. */
struct Watch {
        int wd;
        Watch *next; /* in its bucket */
        Node *node;
        Group *group;
        PlController group_controller;
};

/* A directory on the way to a parent, or the parent itself, in one hierarchy. It stays in the tree
 * while it does not exist, unarmed. */
struct Node {
        TAILQ_ENTRY(Node) link;
        PlController c; /* the first controller of its mount */
        char *relative;
        bool is_parent;
        bool found;    /* by exploring; it goes with its directory */
        bool scan_due; /* what was there before the watch has not been reported */
        bool made;     /* … and is as new as the directory itself, which was seen to be made */
        Watch *watch;  /* NULL: unarmed */
};

/* A container's own directories, one watch in each hierarchy. */
struct Group {
        char id[PL_ID_MAX];
        Watch *watches[_PL_CONTROLLER_N]; /* by the first controller of the mount */
        uint32_t pending;                 /* resources written since the last report */
        uint64_t due_usec;                /* CLOCK_MONOTONIC */
        TAILQ_ENTRY(Group) link;          /* while something is pending */
};

struct PlCgWatch {
        const PlCgroupMounts *mounts;
        const PlCgWatchHandlers *handlers;
        void *userdata;
        sd_event *event;
        sd_event_source *io, *timer, *scan;
        int fd;
        Watch **buckets;
        size_t n_buckets, n_watches;
        TAILQ_HEAD(NodeList, Node) nodes; /* shallow ones before those below them */
        PlController explored;            /* in whose hierarchy parents are looked for */
        bool exploring;
        size_t n_found;
        PlMap *groups;                         /* id to Group */
        TAILQ_HEAD(GroupQueue, Group) pending; /* in the order in which they are due */
};

/* --- the table: inotify watches by descriptor, in chains; descriptors only grow, so their low bits
 * spread evenly --- */

static Watch **bucket_of(const PlCgWatch *w, int wd) {
        return &w->buckets[(size_t)wd & (w->n_buckets - 1)];
}

static Watch *find_watch(const PlCgWatch *w, int wd) {
        if (w->n_buckets == 0)
                return NULL;
        for (Watch *p = *bucket_of(w, wd); p; p = p->next)
                if (p->wd == wd)
                        return p;
        return NULL;
}

static int grow(PlCgWatch *w) {
        size_t old_n = w->n_buckets;
        Watch **old = w->buckets, **buckets;

        if (w->n_watches < old_n)
                return 0;
        buckets = calloc(PL_MAX(2 * old_n, (size_t)64), sizeof(*buckets));
        if (!buckets)
                return -ENOMEM;
        w->buckets = buckets;
        w->n_buckets = PL_MAX(2 * old_n, (size_t)64);
        for (size_t i = 0; i < old_n; i++)
                for (Watch *p = old[i], *next; p; p = next) {
                        Watch **bucket = bucket_of(w, p->wd);

                        next = p->next;
                        p->next = *bucket;
                        *bucket = p;
                }
        free(old);
        return 0;
}

static int open_watch(PlCgWatch *w, const char *path, uint32_t mask, Watch **ret) {
        Watch *watch, **bucket;
        int wd, r;

        r = grow(w);
        if (r < 0)
                return r;
        wd = inotify_add_watch(w->fd, path, mask | IN_ONLYDIR | IN_MASK_ADD);
        if (wd < 0)
                return -errno;
        watch = find_watch(w, wd);
        if (!watch) {
                watch = calloc(1, sizeof(*watch));
                if (!watch) {
                        (void)inotify_rm_watch(w->fd, wd);
                        return -ENOMEM;
                }
                watch->wd = wd;
                bucket = bucket_of(w, wd);
                watch->next = *bucket;
                *bucket = watch;
                w->n_watches++;
        }
        *ret = watch;
        return 0;
}

static void drop(PlCgWatch *w, Watch *watch) {
        Watch **p = bucket_of(w, watch->wd);

        while (*p != watch)
                p = &(*p)->next;
        *p = watch->next;
        w->n_watches--;
        free(watch);
}

static void close_watch(PlCgWatch *w, Watch *watch) {
        if (watch->node || watch->group)
                return;
        (void)inotify_rm_watch(w->fd, watch->wd);
        drop(w, watch);
}

static void forget_watch(PlCgWatch *w, Watch *watch) {
        if (watch->node)
                watch->node->watch = NULL;
        if (watch->group)
                watch->group->watches[watch->group_controller] = NULL;
        drop(w, watch);
}

/*
 * --- nodes: the directories on the way to a parent ---
 *
 * A removed cgroup gives no IN_DELETE_SELF, and a parent may come late, go and come back. So every
 * directory from the mount down is watched for what is made and removed in it. Above the slices
 * that is rare, and costs nothing. Ancestors are armed before their children are looked for, so a
 * directory made meanwhile is either found or announced.
 *
 * No engine tells where containers live before the first one runs, so parents are looked for as
 * well: in one hierarchy, every directory near the top that may be one.
 */

static bool is_first(const PlCgroupMounts *m, PlController c) {
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
        Node *n;

        TAILQ_FOREACH(n, &w->nodes, link)
        if (n->c == c && strncmp(n->relative, relative, length) == 0 && n->relative[length] == '\0')
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
        Node *n = find_node(w, c, relative, length);

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
                TAILQ_INSERT_TAIL(&w->nodes, n, link);
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
        close_watch(w, watch);
}

/* @made: the directory was seen to be made. */
static int arm_one(PlCgWatch *w, Node *n, bool made) {
        char path[PATH_MAX];
        Watch *watch;
        int r;

        if ((size_t)snprintf(path, sizeof(path), "%s/%s", w->mounts->mount[n->c], n->relative) >=
            sizeof(path))
                return -ENAMETOOLONG;
        r = open_watch(w, path, NODE_EVENTS, &watch);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (n->watch == watch)
                return 0;
        disarm(w, n); /* the directory was made anew, and nobody told us */
        n->watch = watch;
        watch->node = n;
        n->scan_due = n->is_parent || explores(w, n);
        n->made = made;
        return 0;
}

/* Arms this node, if it exists by now, and those below it. @made: this one was seen to be made.
 * Return: 0 (also when absent), -errno. */
static int arm(PlCgWatch *w, Node *n, bool made) {
        Node *p;
        int r;

        r = arm_one(w, n, made);
        if (r < 0 || !n->watch)
                return r;
        TAILQ_FOREACH(p, &w->nodes, link)
        if (p->c == n->c && is_below(p->relative, n->relative) &&
            !pl_streq(p->relative, n->relative)) {
                r = arm_one(w, p, made);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_parent(PlCgWatch *w, PlController c, const char *relative) {
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
        return arm(w, root, false);
}

static int explore_hierarchy(PlCgWatch *w, PlController c) {
        w->explored = c;
        w->exploring = true;
        return add_parent(w, c, "");
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

static void free_node(PlCgWatch *w, Node *n) {
        TAILQ_REMOVE(&w->nodes, n, link);
        w->n_found -= n->found;
        disarm(w, n);
        free(n->relative);
        free(n);
}

static bool has_below(const Node *n) {
        for (const Node *p = TAILQ_NEXT(n, link); p; p = TAILQ_NEXT(p, link))
                if (p->c == n->c && is_below(p->relative, n->relative))
                        return true;
        return false;
}

/* One that is neither a parent nor on the way to one. */
static Node *find_needless(const PlCgWatch *w, PlController c) {
        Node *n;

        TAILQ_FOREACH(n, &w->nodes, link)
        if (n->c == c && !n->is_parent && *n->relative && !has_below(n))
                return n;
        return NULL;
}

static void drop_parent(PlCgWatch *w, PlController c, const char *relative) {
        Node *n = find_node(w, c, relative, strlen(relative));

        if (!n)
                return;
        /* one that exploring would find stays, as found */
        w->n_found -= n->found;
        n->is_parent = n->found = explores(w, n) && n->watch && !has_below(n);
        w->n_found += n->found;
        while ((n = find_needless(w, c)))
                free_node(w, n);
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
                                (void)arm_one(w, child, n->made);
                        continue;
                }
                known = pl_map_get(w->groups, id);
                if (n->is_parent && (!known || !known->watches[n->c]))
                        w->handlers->appeared(w->userdata, id, n->relative, n->c, n->made);
        }
        (void)closedir(dir);
}

/* Reports the directories that were there before the watch; calls appeared(). A node that is found
 * meanwhile comes after the one in whose directory it lies. */
static void scan(PlCgWatch *w) {
        Node *n;

        TAILQ_FOREACH(n, &w->nodes, link)
        if (n->scan_due && n->watch) {
                n->scan_due = false;
                scan_node(w, n);
        }
}

/* A directory was made in that of a node. */
static void node_made(PlCgWatch *w, const Node *n, const char *name) {
        Node *child = child_of(w, n, name) ?: explore(w, n, name);

        if (!child)
                return;
        (void)arm(w, child, true);
        scan(w);
}

static void node_removed(PlCgWatch *w, const Node *parent, const char *name) {
        const Node *top = child_of(w, parent, name);
        _cleanup_free_ char *gone = top ? strdup(top->relative) : NULL;
        PlController c = parent->c;

        for (Node *n = gone ? TAILQ_FIRST(&w->nodes) : NULL, *next; n; n = next) {
                next = TAILQ_NEXT(n, link);
                if (n->c != c || !(pl_streq(n->relative, gone) || is_below(n->relative, gone)))
                        continue;
                disarm(w, n);
                if (n->found)
                        free_node(w, n);
        }
}

/* Events were lost: look at everything again. Return: 0, -errno. */
static int rescan(PlCgWatch *w) {
        Node *n;
        int r = 0;

        TAILQ_FOREACH(n, &w->nodes, link) {
                n->scan_due = n->is_parent || explores(w, n);
                n->made = false;
                if (!*n->relative)
                        r = arm(w, n, false);
                if (r < 0)
                        break;
        }
        scan(w);
        return r;
}

/* --- groups: what is written, and when it is reported --- */

static uint32_t bit(PlResource r) {
        return UINT32_C(1) << r;
}

/* Files of v1 that say more than their own resource: the quota is a ratio of two files, and the
 * swap limit the difference of two. */
static const struct {
        const char *file;
        PlResource resource;
} also[] = {
        { "cpu.cfs_period_us", PL_RESOURCE_CPU_QUOTA },
        { "memory.limit_in_bytes", PL_RESOURCE_MEMORY_SWAP_MAX },
};

/* The resources behind a file of this mount; 0: none of ours. */
static uint32_t resources_of(const PlCgroupMounts *m, PlController first, const char *name) {
        uint32_t mask = 0;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                PlController c = pl_controller_of(r);
                const char *file = pl_resource_info(r)->file[m->hierarchy[c]];

                if (file && m->mount[c] && pl_streq(m->mount[c], m->mount[first]) &&
                    pl_streq(file, name))
                        mask |= bit(r);
        }
        for (size_t i = 0; i < PL_ARRAY_SIZE(also); i++)
                if (pl_streq(name, also[i].file))
                        mask |= bit(also[i].resource);
        return mask;
}

static int schedule(PlCgWatch *w) {
        const Group *first = TAILQ_FIRST(&w->pending);
        int r;

        if (!first)
                return sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
        r = sd_event_source_set_time(w->timer, first->due_usec);
        return r < 0 ? r : sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

static void note_change(PlCgWatch *w, Group *g, uint32_t mask) {
        if (mask == 0)
                return;
        if (g->pending == 0) {
                g->due_usec = pl_clock_loop_usec(w->event, CLOCK_MONOTONIC) + DEBOUNCE_USEC;
                TAILQ_INSERT_TAIL(&w->pending, g, link);
        }
        g->pending |= mask;
        if (TAILQ_FIRST(&w->pending) == g)
                (void)schedule(w);
}

static void drop_pending(PlCgWatch *w, Group *g) {
        if (g->pending == 0)
                return;
        g->pending = 0;
        TAILQ_REMOVE(&w->pending, g, link);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        PlCgWatch *w = userdata;
        Group *g;

        while ((g = TAILQ_FIRST(&w->pending)) && g->due_usec <= usec) {
                uint32_t mask = g->pending;
                char id[PL_ID_MAX];

                drop_pending(w, g);
                memcpy(id, g->id, sizeof(id)); /* the handler may remove the group */
                w->handlers->changed(w->userdata, id, mask);
        }
        return schedule(w);
}

static int on_scan(sd_event_source *source, void *userdata) {
        pl_loop_doing("scan of cgroups");
        scan(userdata);
        return 0;
}

static void on_made(PlCgWatch *w, Node *n, const char *name) {
        char id[PL_ID_MAX];

        node_made(w, n, name);
        if (n->is_parent && pl_cgroup_id_of_name(name, id))
                w->handlers->appeared(w->userdata, id, n->relative, n->c, true);
}

static void on_removed(PlCgWatch *w, Node *n, const char *name) {
        char id[PL_ID_MAX];

        node_removed(w, n, name);
        if (n->is_parent && pl_cgroup_id_of_name(name, id))
                w->handlers->gone(w->userdata, id);
}

static int report_everything(PlCgWatch *w) {
        Group *g;

        PL_MAP_FOREACH(g, w->groups)
        note_change(w, g, (UINT32_C(1) << _PL_RESOURCE_N) - 1);
        return rescan(w);
}

static void on_event(PlCgWatch *w, const struct inotify_event *e) {
        Watch *watch;

        if (e->mask & IN_Q_OVERFLOW) {
                (void)report_everything(w);
                return;
        }
        watch = find_watch(w, e->wd);
        if (!watch)
                return;
        if (e->mask & IN_IGNORED) {
                forget_watch(w, watch);
                return;
        }
        if (e->len == 0)
                return;
        if (!(e->mask & IN_ISDIR)) {
                if (watch->group && e->mask & IN_CLOSE_WRITE)
                        note_change(w, watch->group,
                                    resources_of(w->mounts, watch->group_controller, e->name));
                return;
        }
        if (watch->node && e->mask & IN_CREATE)
                on_made(w, watch->node, e->name);
        else if (watch->node && e->mask & IN_DELETE)
                on_removed(w, watch->node, e->name);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        _Alignas(struct inotify_event) char buf[BUFFER_BYTES];
        PlCgWatch *w = userdata;
        ssize_t n;

        pl_loop_doing("notices of cgroups");
        n = read(fd, buf, sizeof(buf)); /* what is left wakes the loop again */
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        for (char *p = buf; p < buf + n;) {
                const struct inotify_event *e = (const struct inotify_event *)p;

                p += sizeof(*e) + e->len;
                on_event(w, e);
        }
        return 0;
}

static int add_sources(PlCgWatch *w) {
        int r;

        r = sd_event_add_io(w->event, &w->io, w->fd, EPOLLIN, on_io, w);
        if (r >= 0)
                r = sd_event_source_set_priority(w->io, PRIORITY);
        if (r >= 0)
                r = sd_event_add_time(w->event, &w->timer, CLOCK_MONOTONIC, 0, PL_USEC_PER_MSEC,
                                      on_timer, w);
        if (r >= 0)
                r = sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(w->event, &w->scan, on_scan, w);
        if (r >= 0)
                r = sd_event_source_set_enabled(w->scan, SD_EVENT_OFF);
        return r;
}

int pl_cg_watch_new(sd_event *event, const PlCgroupMounts *m, const PlCgWatchHandlers *handlers,
                    void *userdata, PlCgWatch **ret) {
        _cleanup_(pl_cg_watch_freep) PlCgWatch *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (w->fd < 0)
                return -errno;
        w->event = sd_event_ref(event);
        w->mounts = m;
        w->handlers = handlers;
        w->userdata = userdata;
        TAILQ_INIT(&w->pending);
        TAILQ_INIT(&w->nodes);
        w->groups = pl_map_new();
        if (!w->groups)
                return -ENOMEM;
        r = add_sources(w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

static void close_role(PlCgWatch *w, Group *g, PlController c) {
        Watch *watch = g->watches[c];

        if (!watch)
                return;
        g->watches[c] = NULL;
        watch->group = NULL;
        close_watch(w, watch);
}

static void free_group(PlCgWatch *w, Group *g) {
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++)
                close_role(w, g, c);
        drop_pending(w, g);
        free(g);
}

PlCgWatch *pl_cg_watch_free(PlCgWatch *w) {
        Group *g;
        Node *n;

        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->io);
        sd_event_source_disable_unref(w->timer);
        sd_event_source_disable_unref(w->scan);
        if (w->groups) {
                PL_MAP_FOREACH(g, w->groups) {
                        pl_map_remove(w->groups, g->id);
                        free_group(w, g);
                }
                pl_map_free(w->groups);
        }
        while ((n = TAILQ_FIRST(&w->nodes)))
                free_node(w, n);
        free(w->buckets);
        if (w->fd >= 0)
                (void)close(w->fd);
        sd_event_unref(w->event);
        free(w);
        return NULL;
}

/* "/a/b/" to "a/b". Return: owned by the caller; NULL: out of memory. */
static char *without_slashes(const char *parent) {
        size_t n;

        parent += strspn(parent, "/");
        for (n = strlen(parent); n > 0 && parent[n - 1] == '/';)
                n--;
        return strndup(parent, n);
}

int pl_cg_watch_parent(PlCgWatch *w, const char *parent) {
        _cleanup_free_ char *copy = without_slashes(parent);
        int r;

        if (!copy)
                return -ENOMEM;
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++) {
                if (!is_first(w->mounts, c))
                        continue;
                r = add_parent(w, c, copy);
                if (r < 0)
                        return r;
        }
        return sd_event_source_set_enabled(w->scan, SD_EVENT_ONESHOT);
}

void pl_cg_watch_forget_parent(PlCgWatch *w, const char *parent) {
        _cleanup_free_ char *copy = without_slashes(parent);

        for (PlController c = 0; copy && c < _PL_CONTROLLER_N; c++)
                if (is_first(w->mounts, c))
                        drop_parent(w, c, copy);
}

int pl_cg_watch_discover(PlCgWatch *w) {
        PlController chosen = _PL_CONTROLLER_N;
        int r;

        for (PlController c = 0; c < _PL_CONTROLLER_N; c++)
                if (is_first(w->mounts, c) &&
                    (chosen == _PL_CONTROLLER_N ||
                     pl_streq_null(w->mounts->mount[c], w->mounts->mount[PL_CONTROLLER_MEMORY])))
                        chosen = c;
        if (chosen == _PL_CONTROLLER_N)
                return -ENODEV;
        r = explore_hierarchy(w, chosen);
        return r < 0 ? r : sd_event_source_set_enabled(w->scan, SD_EVENT_ONESHOT);
}

static int get_group(PlCgWatch *w, const char *id, Group **ret) {
        Group *g = pl_map_get(w->groups, id);
        int r;

        if (!g) {
                g = calloc(1, sizeof(*g));
                if (!g)
                        return -ENOMEM;
                (void)snprintf(g->id, sizeof(g->id), "%s", id);
                r = pl_map_put(w->groups, g->id, g);
                if (r < 0) {
                        free(g);
                        return r;
                }
        }
        *ret = g;
        return 0;
}

static int add_one(PlCgWatch *w, Group *group, PlController c, int dir_fd) {
        char path[64];
        Watch *watch;
        int r;

        /* by descriptor: this very directory, not one that has its name by now */
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
        r = open_watch(w, path, IN_CLOSE_WRITE, &watch);
        if (r < 0)
                return r;
        if (group->watches[c] == watch)
                return 0;
        close_role(w, group, c);
        group->watches[c] = watch;
        watch->group = group;
        watch->group_controller = c;
        return 0;
}

int pl_cg_watch_add(PlCgWatch *w, const char *id, const PlCgroup *g) {
        Group *group;
        int r;

        r = get_group(w, id, &group);
        for (PlController c = 0; r == 0 && c < _PL_CONTROLLER_N; c++) {
                int fd = -EBADF;

                if (!is_first(w->mounts, c))
                        continue;
                /* any controller of this mount has the directory */
                for (PlController d = c; d < _PL_CONTROLLER_N && fd < 0; d++)
                        if (w->mounts->mount[d] && g->dir_fd[d] >= 0 &&
                            pl_streq(w->mounts->mount[d], w->mounts->mount[c]))
                                fd = g->dir_fd[d];
                if (fd >= 0)
                        r = add_one(w, group, c, fd);
        }
        return r;
}

void pl_cg_watch_remove(PlCgWatch *w, const char *id) {
        Group *g = pl_map_remove(w->groups, id);

        if (g)
                free_group(w, g);
}
