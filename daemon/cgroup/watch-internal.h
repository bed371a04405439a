/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Cgroup watch, inside: the table of inotify watches, and the tree of directories (nodes) that are
 * watched for what is made in them. Only cg-watch*.c may include this.
 */

#include "cgroup/watch.h"
#include "lib/base/map.h"

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
        Node *next;
        PlController c; /* the first controller of its mount */
        char *relative;
        bool is_parent;
        bool found;    /* by exploring; it goes with its directory */
        bool scan_due; /* what was there before the watch has not been reported */
        Watch *watch;  /* NULL: unarmed */
};

/* A container's own directories, one watch in each hierarchy. */
struct Group {
        char id[PL_ID_MAX];
        Watch *watches[_PL_CONTROLLER_N]; /* by the first controller of the mount */
        uint32_t pending;                 /* resources written since the last report */
        uint64_t due_usec;                /* CLOCK_MONOTONIC */
        Group *next_pending;
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
        Node *nodes;           /* shallow ones before those below them */
        PlController explored; /* in whose hierarchy parents are looked for */
        bool exploring;
        size_t n_found;
        PlMap *groups;                       /* id to Group */
        Group *first_pending, *last_pending; /* in the order in which they are due */
};

/* cg-watch-table.c */
Watch *pl_cg_watch_find(const PlCgWatch *w, int wd);
/** Adds a watch on a path, or joins the one on the same inode. Return: 0, -ENOENT, -errno. */
int pl_cg_watch_open(PlCgWatch *w, const char *path, uint32_t mask, Watch **ret);
/** Ends the watch when no role is left in it. */
void pl_cg_watch_close(PlCgWatch *w, Watch *watch);
/** The kernel has ended it already (IN_IGNORED). */
void pl_cg_watch_forget(PlCgWatch *w, Watch *watch);

/* cg-watch-nodes.c */
bool pl_cg_watch_is_first(const PlCgroupMounts *m, PlController c);
/** @relative: no slash at either end; "" is the mount itself. */
int pl_cg_watch_add_parent(PlCgWatch *w, PlController c, const char *relative);
void pl_cg_watch_drop_parent(PlCgWatch *w, PlController c, const char *relative);
/** Looks for parents in this controller's hierarchy, now and from now on. */
int pl_cg_watch_explore(PlCgWatch *w, PlController c);
/** A directory was made, or has gone, in that of a node. */
void pl_cg_watch_made(PlCgWatch *w, const Node *n, const char *name);
void pl_cg_watch_removed(PlCgWatch *w, const Node *n, const char *name);
/** Reports the directories that were there before the watch. Calls appeared(). */
void pl_cg_watch_scan(PlCgWatch *w);
/** Events were lost: look at everything again. Return: 0, -errno. */
int pl_cg_watch_rescan(PlCgWatch *w);
void pl_cg_watch_free_nodes(PlCgWatch *w);
