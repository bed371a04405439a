/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What proves that it may be done: the engine's database of volumes, which dockerd holds a lock on
 * as long as it runs (moby, volume/service/db.go; bbolt's flock), is locked by us meanwhile; and no
 * process of the host is in a group that has a container's id in its path.
 *
 * Each file is replaced as a whole, so an accident leaves some containers adopted and others not,
 * which is no harm: the next start does the rest. The record is there for the copies.
 */

#include "ctl/adopt/at-start.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/fs.h"
#include "ctl/adopt/run.h"
#include "ctl/cli.h"
#include "lib/base/json.h"
#include "lib/base/map.h"
#include "lib/docker/answer.h"

#define DEFAULT_ROOT   "/var/lib/docker"
#define DEFAULT_CONFIG "/etc/docker/daemon.json"
#define FILE_MAX       MIB(4)
#define ID_CHARS       (PL_ID_MAX - 1)

static bool is_id(const char *s) {
        return strspn(s, "0123456789abcdef") == ID_CHARS;
}

/* Where the engine keeps its data, by its own file. Return: owned by the caller; NULL: no memory.
 */
static char *find_root(const char *root) {
        _cleanup_free_ char *text = NULL;
        json_t *j = NULL;
        char *found;

        if (root)
                return strdup(root);
        if (pl_fs_read(AT_FDCWD, DEFAULT_CONFIG, FILE_MAX, &text, NULL) >= 0)
                j = json_loads(text, 0, NULL);
        root = json_string_value(json_object_get(j, "data-root"));
        found = strdup(root ?: DEFAULT_ROOT);
        json_decref(j);
        return found;
}

/* Return: a descriptor that keeps it away; -EWOULDBLOCK it runs; -ENOENT it has never run here. */
static int keep_engine_away(const char *root) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/volumes/metadata.db", root) < 0)
                path = NULL;
        fd = path ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
        if (fd < 0)
                return path ? -errno : -ENOMEM;
        return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : TAKE_FD(fd);
}

static int note_ids(PlMap *ids, const char *text) {
        for (const char *s = text; *s; s++) {
                char *id;
                int r;

                if (!is_id(s) || s[ID_CHARS] == '\0' || strchr("0123456789abcdef", s[ID_CHARS]))
                        continue;
                id = strndup(s, ID_CHARS);
                r = id ? pl_map_put(ids, id, id) : -ENOMEM;
                if (r < 0)
                        free(id);
                if (r < 0 && r != -EEXIST)
                        return r;
                s += ID_CHARS - 1;
        }
        return 0;
}

/* The ids in the paths of all groups that have a process. Return: 0, -ENOMEM, -errno. */
static int find_live(PlMap *ids) {
        DIR *d = opendir("/proc");
        int r = d ? 0 : -errno;

        for (const struct dirent *e; r >= 0 && (e = readdir(d));) {
                _cleanup_free_ char *path = NULL, *text = NULL;

                if (e->d_name[0] < '1' || e->d_name[0] > '9')
                        continue;
                if (asprintf(&path, "/proc/%s/cgroup", e->d_name) < 0) {
                        path = NULL;
                        r = -ENOMEM;
                } else if (pl_fs_read(AT_FDCWD, path, KIB(64), &text, NULL) >= 0)
                        r = note_ids(ids, text);
        }
        if (d)
                (void)closedir(d);
        return r;
}

/* What an image says, from the engine's file of it: where its own store has images, that of
 * containerd has none. Return: 0, also with NULL: not known; -ENOMEM. */
static int read_image(const char *root, const json_t *container, PlContainer **ret) {
        const char *driver = json_string_value(json_object_get(container, "Driver")),
                   *image = json_string_value(json_object_get(container, "Image"));
        const char *id = image && pl_startswith(image, "sha256:") ? image + strlen("sha256:") : "";
        _cleanup_free_ char *path = NULL, *text = NULL, *body = NULL;
        _cleanup_json_ json_t *file = NULL, *j = NULL;
        int r;

        if (!driver || strchr(driver, '/') || !is_id(id) || id[ID_CHARS])
                return 0;
        if (asprintf(&path, "%s/image/%s/imagedb/content/sha256/%s", root, driver, id) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = pl_fs_read(AT_FDCWD, path, FILE_MAX, &text, NULL);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        file = json_loads(text, 0, NULL);
        j = json_pack("{s:O?}", "Config", json_object_get(file, "config"));
        body = json_object_get(j, "Config") ? json_dumps(j, 0) : NULL;
        r = body ? pl_docker_parse_image(body, strlen(body), ret) : 0;
        return r == -ENOMEM ? r : 0;
}

/* As an inspection would tell it: its files hold the same objects. Return: 0; -EBADMSG; -errno. */
static int read_container(const char *root, const char *id, PlContainer **ret,
                          PlContainer **ret_image) {
        _cleanup_free_ char *path = NULL, *host_path = NULL, *text = NULL, *host_text = NULL;
        _cleanup_free_ char *body = NULL;
        json_t *config = NULL, *host = NULL, *j = NULL;
        int r = -ENOMEM;

        if (asprintf(&path, "%s/containers/%s/config.v2.json", root, id) < 0)
                path = NULL;
        if (asprintf(&host_path, "%s/containers/%s/hostconfig.json", root, id) < 0)
                host_path = NULL;
        if (path && host_path)
                r = pl_fs_read(AT_FDCWD, path, FILE_MAX, &text, NULL);
        if (r >= 0)
                r = pl_fs_read(AT_FDCWD, host_path, FILE_MAX, &host_text, NULL);
        if (r < 0)
                return r;
        config = json_loads(text, 0, NULL);
        host = json_loads(host_text, 0, NULL);
        j = config && host ? json_pack("{s:s, s:O?, s:O?, s:O?, s:O?, s:O?, s:O}", "Id", id, "Name",
                                       json_object_get(config, "Name"), "Image",
                                       json_object_get(config, "Image"), "Config",
                                       json_object_get(config, "Config"), "State",
                                       json_object_get(config, "State"), "LogPath",
                                       json_object_get(config, "LogPath"), "HostConfig", host)
                           : NULL;
        body = j ? json_dumps(j, 0) : NULL;
        r = body ? pl_docker_parse_inspect(body, strlen(body), ret) : -EBADMSG;
        if (r == 0)
                r = read_image(root, config, ret_image);
        json_decref(j);
        json_decref(config);
        json_decref(host);
        return r;
}

static int take_one(PlAdoptPlan *plan, PlAdoptRun *run, const PlMap *live, const char *id) {
        _cleanup_(pl_container_freep) PlContainer *c = NULL, *image = NULL;
        const PlService *s;
        PlAdoptSizes sizes;
        PlAdoptItem *item;
        int r = read_container(run->journal.data_root, id, &c, &image);

        if (r < 0) {
                if (r != -ENOENT && r != -ENOTDIR)
                        pl_ctl_say("%.12s: left alone: its files cannot be read: %s", id,
                                   strerror(-r));
                return r == -ENOMEM ? r : 0;
        }
        r = pl_adopt_govern(plan, c, image, &s, &sizes);
        if (r < 0 || pl_adopt_choose(c, &sizes) != PL_ADOPT_OK)
                return r;
        if (pl_map_get(live, id)) {
                pl_ctl_say("%s: left alone: its processes run (live-restore)", c->name ?: id);
                return 0;
        }
        item = pl_adopt_journal_add(&run->journal);
        if (!item)
                return -ENOMEM;
        memcpy(item->id, id, PL_ID_MAX);
        item->name = strdup(c->name ?: id);
        item->adopt = true;
        item->sizes = sizes;
        return item->name ? 0 : -ENOMEM;
}

static int take_all(PlAdoptPlan *plan, PlAdoptRun *run, const PlMap *live) {
        _cleanup_free_ char *path = NULL;
        DIR *d = NULL;
        int r = 0;

        if (asprintf(&path, "%s/containers", run->journal.data_root) < 0)
                path = NULL;
        d = path ? opendir(path) : NULL;
        if (!d)
                return path ? -errno : -ENOMEM;
        for (const struct dirent *e; r >= 0 && (e = readdir(d));)
                if (is_id(e->d_name) && e->d_name[ID_CHARS] == '\0')
                        r = take_one(plan, run, live, e->d_name);
        (void)closedir(d);
        return r;
}

static int adopt(PlAdoptPlan *plan, PlAdoptRun *run) {
        _cleanup_(pl_map_freep) PlMap *live = pl_map_new();
        char *id;
        int r = live ? find_live(live) : -ENOMEM;

        if (r >= 0)
                r = take_all(plan, run, live);
        if (live)
                PL_MAP_FOREACH(id, live)
        free(id);
        if (r < 0 || run->journal.n_items == 0)
                return r;
        return pl_adopt_write(run);
}

int pl_adopt_at_start(PlAdoptPlan *plan, PlAdoptRun *run, const char *root) {
        _cleanup_close_ int lock = -EBADF;
        PlAdoptJournal *j = &run->journal;
        char *key = NULL;
        int r;

        if (!plan->policy || !plan->policy->daemon.log_adopt)
                return PL_EXIT_GOOD;
        if (plan->policy->daemon.dry_run) {
                pl_ctl_say("DryRun=yes: log options of existing containers stay as they are");
                return PL_EXIT_GOOD;
        }
        /* a record of its own: what an operator's adoption has left is not for us to repair */
        if (asprintf(&key, "%s-at-start", run->key) < 0)
                return PL_EXIT_BAD;
        free(run->key);
        run->key = key;
        r = pl_adopt_load(run);
        if (r < 0) {
                pl_ctl_say("/var/lib/plimsoll/adopt/%s.json cannot be read: %s; look at it and "
                           "remove "
                           "it",
                           run->key, strerror(-r));
                return PL_EXIT_BAD;
        }
        if (r == 1)
                pl_adopt_end(run);
        pl_adopt_journal_deinit(j);
        j->socket = strdup(run->socket);
        j->data_root = find_root(root);
        j->config = strdup(DEFAULT_CONFIG);
        j->boot_id = pl_adopt_boot_id();
        if (!j->socket || !j->data_root || !j->config || !j->boot_id)
                return PL_EXIT_BAD;
        lock = keep_engine_away(j->data_root);
        if (lock < 0) {
                if (lock != -ENOENT)
                        pl_ctl_say("%s: log options stay as they are: %s", j->data_root,
                                   lock == -EWOULDBLOCK ? "the engine runs" : strerror(-lock));
                return lock == -ENOENT || lock == -EWOULDBLOCK ? PL_EXIT_GOOD : PL_EXIT_BAD;
        }
        r = adopt(plan, run);
        if (r < 0)
                pl_ctl_say("log options of existing containers: %s", strerror(-r));
        else if (j->n_items > 0)
                (void)printf("%d container%s adopted: the engine rotates %s from now on.\n", r,
                             pl_plural((uint64_t)r), r == 1 ? "its log" : "their logs");
        return r < 0 ? PL_EXIT_BAD : PL_EXIT_GOOD;
}
