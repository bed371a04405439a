/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Engine socket: inotify on a directory, and the engine's pid file beside its socket.
 *
 * dockerd keeps docker.pid beside docker.sock by default (/run), writes it at start and removes it
 * at stop. It is trusted only when it was there, with a live process, while the engine answered.
 */

#include "engine/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>

#include "base/fs.h"
#include "lib/base/unit.h"

#define PIDFILE     "docker.pid"
#define PIDFILE_MAX 64
/* a socket is bound, then made accessible; a pid file is created, then written, or renamed */
#define WATCH_MASK (IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_CLOSE_WRITE | IN_ONLYDIR)

struct PlEngineSocket {
        sd_event *event;
        char *dir, *name; /* of the socket */
        void (*changed)(void *userdata);
        void *userdata;
        sd_event_source *inotify;
        bool on_ancestor; /* the directory does not exist yet */
        bool activated;   /* the socket is the activator's, and the pid file tells the engine's life
                           */
};

static int watch(PlEngineSocket *s);

PlEngineSocket *pl_engine_socket_free(PlEngineSocket *s) {
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->inotify);
        sd_event_unref(s->event);
        free(s->dir);
        free(s->name);
        free(s);
        return NULL;
}

int pl_engine_socket_new(sd_event *event, const char *path, void (*changed)(void *userdata),
                         void *userdata, PlEngineSocket **ret) {
        _cleanup_(pl_engine_socket_freep) PlEngineSocket *s = calloc(1, sizeof(*s));
        const char *slash = strrchr(path, '/');

        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->changed = changed;
        s->userdata = userdata;
        s->dir = slash > path ? strndup(path, (size_t)(slash - path)) : strdup("/");
        s->name = strdup(slash ? slash + 1 : path);
        if (!s->dir || !s->name)
                return -ENOMEM;
        *ret = TAKE_PTR(s);
        return 0;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *e, void *userdata) {
        PlEngineSocket *s = userdata;

        if (s->on_ancestor || (e->mask & (IN_IGNORED | IN_UNMOUNT))) {
                /* perhaps the directory is there now, perhaps it has just gone */
                s->inotify = sd_event_source_disable_unref(s->inotify);
                if (watch(s) >= 0 && !s->on_ancestor)
                        s->changed(s->userdata);
                return 0;
        }
        if (e->mask & IN_Q_OVERFLOW ||
            (e->len > 0 && (pl_streq(e->name, s->name) || pl_streq(e->name, PIDFILE))))
                s->changed(s->userdata);
        return 0;
}

static int watch(PlEngineSocket *s) {
        _cleanup_free_ char *dir = strdup(s->dir);
        int r;

        if (!dir)
                return -ENOMEM;
        for (s->on_ancestor = false;; s->on_ancestor = true) {
                char *slash;

                r = sd_event_add_inotify(s->event, &s->inotify, dir, WATCH_MASK, on_inotify, s);
                if (r >= 0 || (r != -ENOENT && r != -ENOTDIR))
                        break;
                slash = strrchr(dir, '/');
                if (!slash || pl_streq(dir, "/"))
                        break;
                slash[slash == dir ? 1 : 0] = '\0';
        }
        if (r >= 0)
                (void)sd_event_source_set_description(s->inotify, "engine-socket");
        return r;
}

void pl_engine_socket_watch(PlEngineSocket *s, bool on) {
        if (!on)
                s->inotify = sd_event_source_disable_unref(s->inotify);
        else if (!s->inotify)
                (void)watch(s);
}

static bool engine_lives(const PlEngineSocket *s) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        uint64_t pid;

        if (asprintf(&path, "%s/" PIDFILE, s->dir) < 0) {
                path = NULL;
                return true;
        }
        if (pl_fs_read(AT_FDCWD, path, PIDFILE_MAX, &text, NULL) < 0)
                return false;
        text[strcspn(text, "\n")] = '\0';
        if (pl_parse_uint64(text, &pid) < 0 || pid == 0 || pid > INT32_MAX)
                return false;
        return kill((pid_t)pid, 0) >= 0 || errno == EPERM;
}

void pl_engine_socket_connected(PlEngineSocket *s, pid_t listener, pid_t activator) {
        s->activated = listener > 0 && listener == activator && engine_lives(s);
}

bool pl_engine_socket_may_knock(PlEngineSocket *s) {
        return !s->activated || engine_lives(s);
}
