/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What log path's own sources share: log-path.c (a pass), log-path-walk.c (what there is),
 * log-path-file.c (one file). Nobody else includes this.
 */

#include <sys/stat.h>

#include "logs/path.h"

typedef struct PlLogPathDir {
        char *path; /* below the source; "." */
        size_t parent;
        PlLogpathFolder folder;
} PlLogPathDir;

typedef struct PlLogPathName {
        char *name;
        size_t dir;
        struct stat st; /* when it was listed */
} PlLogPathName;

typedef struct PlLogPathTree {
        int fd; /* the source */
        dev_t dev;
        PlLogPathDir *dirs;
        PlLogPathName *names;
        size_t n_dirs, n_names, n_seen;
        bool too_many;
        int error; /* the first directory that could not be read */
        char *error_name;
} PlLogPathTree;

#define PL_LOG_PATH_TREE_INIT \
        { .fd = -EBADF }

/* log-path-walk.c */
/** pl_log_path_open_beneath() - @path: relative to dir_fd, and stays on its mount; or absolute,
 * with AT_FDCWD. Through no symbolic link. Return: a file descriptor, -ELOOP, -EXDEV, -errno. */
int pl_log_path_open_beneath(int dir_fd, const char *path, int flags);
/** pl_log_path_walk() - Return: 0, -ENOMEM, -ECANCELED, -errno of the source. */
int pl_log_path_walk(const PlRotateContext *ctx, const PlLogPathRequest *req, PlLogPathTree *t);
void pl_log_path_tree_deinit(PlLogPathTree *t);

/** pl_log_path_open_files() - inode numbers, sorted, of what any process has open for writing on a
 * file system. What may not be looked at is left out. Return: 0, -ENOMEM, -ECANCELED, -errno. */
int pl_log_path_open_files(const PlRotateContext *ctx, const char *proc, dev_t dev, ino_t **ret,
                           size_t *ret_n);

/* log-path-file.c; all: 0; -ESTALE: not what was listed any more; -EAGAIN: somebody writes to it;
 * -errno with *reterr_step */
int pl_log_path_delete(int dir_fd, const PlLogPathName *f, const char **reterr_step);
int pl_log_path_rename(int dir_fd, const PlLogPathName *f, uint64_t now_usec,
                       const char **reterr_step);
int pl_log_path_compress(const PlRotateContext *ctx, int dir_fd, const PlLogPathName *f,
                         PlLogPathOutcome *o, const char **reterr_step);
int pl_log_path_truncate(const PlRotateContext *ctx, int dir_fd, const PlLogPathName *f,
                         PlLogPathOutcome *o, const char **reterr_step);
