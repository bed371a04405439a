/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Strays: one pass over /proc, in slices, and a second look at what was found. See the header.
 *
 * The second look is for runc: what it starts in a container joins the namespaces first and the
 * groups some milliseconds later. A shell that a person has sent into the namespaces (nsenter)
 * descends from neither of the two, and is none of the container's.
 *
 * A container without a pid namespace of its own is looked at by its groups alone: who is in one of
 * them has to be in all.
 */

#include "enforce/strays.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/loop.h"
#include "cgroup/path.h"
#include "enforce/queue.h"
#include "lib/base/message.h"
#include "lib/base/text.h"
#include "lib/base/unit.h"

#define SLICE_USEC       (2 * PL_USEC_PER_MSEC)
#define SECOND_LOOK_USEC PL_USEC_PER_SEC
/* So many processes are looked at twice; more strays than that are no better known. */
#define SUSPECTS_MAX 32
/* Of a chain of parents; the kernel nests pid namespaces no deeper. */
#define ANCESTORS_MAX 32
#define NS_MAX        32 /* "pid:[4026531836]" */

typedef struct Place {
        char ns[NS_MAX];
        char id[PL_ID_MAX];
        pid_t init, starter; /* its first process, and the parent of that */
} Place;

typedef struct Suspect {
        char id[PL_ID_MAX];
        pid_t pid;
} Suspect;

struct PlStrays {
        PlEnforcer *e;
        sd_event_source *slice, *second;
        DIR *proc;
        bool looked; /* once */
        char own_ns[NS_MAX];
        Place *places;
        size_t n_places;
        Suspect suspects[SUSPECTS_MAX];
        size_t n_suspects;
};

static bool read_ns(const PlStrays *s, const char *pid, char ret[static NS_MAX]) {
        char path[64];
        ssize_t n;

        (void)snprintf(path, sizeof(path), "%.20s/ns/pid", pid);
        n = readlinkat(dirfd(s->proc), path, ret, NS_MAX - 1);
        ret[n > 0 ? n : 0] = '\0';
        return n > 0;
}

/* "1234 (a name) S 1 …". Return: 0 when it is gone. */
static pid_t parent_of(const PlStrays *s, pid_t pid, char ret_name[static 16]) {
        char path[64], text[512], *end;
        _cleanup_close_ int fd = -EBADF;
        int parent = 0;
        ssize_t n;

        (void)snprintf(path, sizeof(path), "%s/%d/stat", s->e->mounts->proc, (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
        if (n <= 0)
                return 0;
        text[n] = '\0';
        end = strrchr(text, ')');
        if (!end || sscanf(end, ") %*c %d", &parent) != 1)
                return 0;
        *end = '\0';
        (void)snprintf(ret_name, 16, "%.15s", strchr(text, '(') ? strchr(text, '(') + 1 : "?");
        return parent;
}

static bool descends(const PlStrays *s, pid_t pid, const Place *p) {
        char name[16];

        for (unsigned i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
                if (pid == p->init || (p->starter > 1 && pid == p->starter))
                        return true;
                pid = parent_of(s, pid, name);
        }
        return false;
}

static void suspect(PlStrays *s, const char *id, pid_t pid) {
        Suspect *x;

        if (s->n_suspects == SUSPECTS_MAX)
                return;
        x = &s->suspects[s->n_suspects++];
        memcpy(x->id, id, sizeof(x->id));
        x->pid = pid;
}

static bool is_outside(const PlStrays *s, const char *id, pid_t pid) {
        const PlHeld *h = pl_enforcer_find(s->e, id);
        uint32_t outside = 0;

        return h && h->cgroup &&
               pl_cgroup_outside(s->e->mounts, h->cgroup, pid, &outside, NULL) >= 0 && outside;
}

static void look_at(PlStrays *s, const char *digits) {
        const Place *own = NULL;
        pid_t pid = (pid_t)atoi(digits);
        char ns[NS_MAX];

        if (!read_ns(s, digits, ns) || pl_streq(ns, s->own_ns))
                return;
        for (size_t i = 0; i < s->n_places; i++) {
                if (!pl_streq(s->places[i].ns, ns))
                        continue;
                if (!is_outside(s, s->places[i].id, pid))
                        return; /* containers may share a namespace */
                if (!own && descends(s, pid, &s->places[i]))
                        own = &s->places[i];
        }
        if (own)
                suspect(s, own->id, pid);
}

/* Without a namespace of its own. */
static void look_at_groups(PlStrays *s, const PlHeld *h) {
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++) {
                _cleanup_fclose_ FILE *f = NULL;
                int fd = h->cgroup->dir_fd[c], pid;

                for (PlController d = 0; d < c; d++)
                        if (h->cgroup->dir_fd[d] == fd)
                                fd = -EBADF; /* mounted together */
                fd = fd >= 0 ? openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC) : -EBADF;
                f = fd >= 0 ? fdopen(fd, "r") : NULL;
                while (f && fscanf(f, "%d", &pid) == 1)
                        if (is_outside(s, h->subject->id, (pid_t)pid))
                                suspect(s, h->subject->id, (pid_t)pid);
        }
}

static bool is_known(const PlHeld *h) {
        return h->cgroup && h->cgroup_started_usec > 0 && pl_held_wanted(h) != 0 &&
               h->subject->facts && h->subject->facts->pid > 0;
}

static void find_places(PlStrays *s) {
        char pid[16], name[16];
        Place *p;
        PlHeld *h;

        TAILQ_FOREACH(h, &s->e->all, all) {
                if (!is_known(h))
                        continue;
                p = reallocarray(s->places, s->n_places + 1, sizeof(*p));
                if (!p)
                        return;
                s->places = p;
                p += s->n_places;
                (void)snprintf(pid, sizeof(pid), "%d", (int)h->subject->facts->pid);
                if (!read_ns(s, pid, p->ns))
                        continue;
                if (pl_streq(p->ns, s->own_ns)) {
                        look_at_groups(s, h);
                        continue;
                }
                memcpy(p->id, h->subject->id, sizeof(p->id));
                p->init = h->subject->facts->pid;
                p->starter = parent_of(s, p->init, name);
                s->n_places++;
        }
}

static uint32_t resources_of(uint32_t controllers) {
        uint32_t mask = 0;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (controllers & (UINT32_C(1) << pl_controller_of(r)))
                        mask |= UINT32_C(1) << r;
        return mask;
}

static char *names_of(uint32_t mask) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        bool first = true;

        if (!f)
                return NULL;
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                if (!(mask & (UINT32_C(1) << r)))
                        continue;
                fprintf(f, "%s%s=", first ? "" : ", ", pl_resource_info(r)->name);
                first = false;
        }
        return pl_take_text(f, &text);
}

/* It was outside a second ago, and still is. */
static void note_stray(PlStrays *s, PlHeld *h, pid_t pid) {
        _cleanup_free_ char *where = NULL, *why = NULL, *names = NULL;
        char name[16] = "?";
        uint32_t outside = 0, evaded;

        if (pl_cgroup_outside(s->e->mounts, h->cgroup, pid, &outside, &where) < 0)
                return;
        evaded = resources_of(outside) & pl_held_wanted(h) & ~h->truth.strayed;
        (void)parent_of(s, pid, name);
        if (evaded == 0 ||
            asprintf(&why, "process %d (%s) is in group %s instead of the container's", (int)pid,
                     name, where ?: "?") < 0)
                return;
        h->truth.strayed |= evaded;
        names = names_of(evaded);
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (evaded & (UINT32_C(1) << r))
                        (void)pl_held_set_error(h, r, PL_OWNER_KERNEL, why);
        if (evaded & ~h->truth.evaded)
                pl_subject_report(
                                s->e->reporter, h->subject, LOG_WARNING, PL_MESSAGE_LIMITS_FAILED,
                                why, NULL,
                                "%s, and evades %s. plimsolld moves no process; whoever has moved "
                                "it can move it back",
                                why, names ?: "limits");
}

static void settle(PlStrays *s) {
        PlHeld *h;

        TAILQ_FOREACH(h, &s->e->all, all)
        h->truth.strayed = 0;
        for (size_t i = 0; i < s->n_suspects; i++) {
                h = pl_enforcer_find(s->e, s->suspects[i].id);
                if (h && is_known(h))
                        note_stray(s, h, s->suspects[i].pid);
        }
        TAILQ_FOREACH(h, &s->e->all, all) {
                if (h->truth.strayed == h->truth.evaded)
                        continue;
                if (h->truth.strayed == 0 && h->cgroup)
                        pl_subject_report(s->e->reporter, h->subject, LOG_NOTICE, NULL, NULL, NULL,
                                          "all its processes are in its group again");
                h->truth.evaded = h->truth.strayed;
                s->e->touched = true;
                h->fresh = false;
                pl_queue_put(s->e, h, PL_QUEUE_KERNEL);
        }
}

static int on_second(sd_event_source *source, uint64_t usec, void *userdata) {
        settle(userdata);
        return 0;
}

static void finish(PlStrays *s) {
        s->proc = s->proc ? (closedir(s->proc), NULL) : NULL;
        free(s->places);
        s->places = NULL;
        s->n_places = 0;
        if (s->n_suspects == 0) {
                settle(s);
                return;
        }
        (void)sd_event_source_set_time_relative(s->second, SECOND_LOOK_USEC);
        (void)sd_event_source_set_enabled(s->second, SD_EVENT_ONESHOT);
}

static int on_slice(sd_event_source *source, void *userdata) {
        PlStrays *s = userdata;
        uint64_t begin = pl_clock_usec(CLOCK_MONOTONIC);
        const struct dirent *d;

        pl_loop_doing("processes of containers");
        while (s->n_places > 0 && (d = readdir(s->proc)) != NULL) {
                if (isdigit((unsigned char)*d->d_name))
                        look_at(s, d->d_name);
                if (pl_clock_usec(CLOCK_MONOTONIC) - begin > SLICE_USEC)
                        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        finish(s);
        return 0;
}

void pl_strays_look(PlStrays *s) {
        s->looked = true;
        if (s->proc)
                return;
        s->proc = opendir(s->e->mounts->proc);
        if (!s->proc)
                return;
        s->n_suspects = 0;
        (void)sd_event_source_set_enabled(s->second, SD_EVENT_OFF);
        (void)read_ns(s, "self", s->own_ns);
        find_places(s);
        (void)sd_event_source_set_enabled(s->slice, SD_EVENT_ONESHOT);
}

void pl_strays_begin(PlStrays *s) {
        if (!s->looked)
                pl_strays_look(s);
}

int pl_strays_new(PlEnforcer *e, PlStrays **ret) {
        PlStrays *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->e = e;
        r = sd_event_add_defer(e->event, &s->slice, on_slice, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->slice, SD_EVENT_OFF);
        if (r >= 0) /* after whatever is urgent */
                r = sd_event_source_set_priority(s->slice, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_add_time(e->event, &s->second, CLOCK_BOOTTIME, 0, 0, on_second, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->second, SD_EVENT_OFF);
        if (r < 0) {
                pl_strays_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

PlStrays *pl_strays_free(PlStrays *s) {
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->slice);
        sd_event_source_disable_unref(s->second);
        if (s->proc)
                (void)closedir(s->proc);
        free(s->places);
        free(s);
        return NULL;
}
