/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Registry: an event says which container to look at, a list finds what events missed, and an
 * inspection brings the facts. See the header.
 */

#include "registry/containers.h"

#include <errno.h>

#include "base/clock.h"
#include "lib/base/message.h"
#include "lib/base/strv.h"
#include "lib/base/unit.h"
#include "lib/policy/labels.h"
#include "lib/policy/parser.h"

static PlSubject *subject_new(const char *id) {
        PlSubject *s = calloc(1, sizeof(*s));

        if (!s)
                return NULL;
        (void)snprintf(s->id, sizeof(s->id), "%s", id);
        return s;
}

/* What containers were made of. Asked once: what has this id never changes. */
typedef struct PlImage {
        char id[PL_ID_MAX];
        PlContainer *labels; /* NULL: it has not told */
        bool asked;
        size_t n_users;
} PlImage;

static PlImage *use_image(PlRegistry *g, const char *id) {
        PlImage *i = pl_map_get(g->images, id);

        if (!i) {
                i = calloc(1, sizeof(*i));
                if (!i)
                        return NULL;
                (void)snprintf(i->id, sizeof(i->id), "%s", id);
                if (pl_map_put(g->images, i->id, i) < 0) {
                        free(i);
                        return NULL;
                }
        }
        i->n_users++;
        return i;
}

/* For people: why facts were not taken. */
#define TOO_MUCH "the containers of this engine say more of themselves than plimsolld keeps"

/* @have: what it takes already. Return: whether there was room for what it takes now. */
static bool charge(PlRegistry *g, size_t *have, size_t want) {
        if (want > *have && g->bytes - *have + want > PL_REGISTRY_BYTES)
                return false;
        g->bytes = g->bytes - *have + want;
        *have = want;
        return true;
}

static void leave_image(PlRegistry *g, PlImage *i) {
        size_t bytes;

        if (!i || --i->n_users > 0)
                return;
        bytes = i->labels ? i->labels->packed_bytes : 0;
        (void)charge(g, &bytes, 0);
        (void)pl_map_remove(g->images, i->id);
        pl_container_free(i->labels);
        free(i);
}

/* Whatever others keep for it must be gone. Return: NULL. */
static PlSubject *subject_free(PlRegistry *g, PlSubject *s) {
        if (!s)
                return NULL;
        (void)charge(g, &s->bytes, 0);
        leave_image(g, s->image);
        pl_container_free(s->facts);
        pl_container_free(s->waits);
        pl_strv_free(s->labels);
        free(s->labels_error);
        for (PlService *l = s->labelled; l;) {
                PlService *next = l->next;

                pl_service_free(l);
                l = next;
        }
        free(s);
        return NULL;
}

static PlSubject *ensure(PlRegistry *g, const char *id) {
        PlSubject *s = pl_map_get(g->subjects, id);

        if (s)
                return s;
        if (pl_map_size(g->subjects) >= PL_REGISTRY_MAX) {
                if (g->n_over++ == 0)
                        pl_log_warning("The engine has more than %d containers: the others are not "
                                       "looked at",
                                       PL_REGISTRY_MAX);
                return NULL;
        }
        s = subject_new(id);
        if (!s)
                return NULL;
        s->seen = true;
        if (pl_map_put(g->subjects, s->id, s) < 0)
                return subject_free(g, s);
        if (g->handlers->added(g->userdata, s) < 0) {
                (void)pl_map_remove(g->subjects, s->id);
                return subject_free(g, s);
        }
        return s;
}

static void subject_remove(PlRegistry *g, PlSubject *s) {
        g->handlers->removed(g->userdata, s, PL_REMOVAL_GONE);
        (void)pl_map_remove(g->subjects, s->id);
        (void)pl_state_dir_remove(g->state_dir, s->id);
        pl_state_dir_forget(g->state_dir, s->id);
        subject_free(g, s);
}

/* --- labels: settings of a container's creator, once its image has told which are its own --- */

static void report_labels(const PlRegistry *g, const PlSubject *s, const PlDiagList *diag) {
        for (size_t i = 0; i < diag->n; i++) {
                const PlDiag *d = &diag->items[i];

                if (d->line == 0) /* what the section itself says wrong, was said of the policy */
                        pl_subject_report(g->reporter, s,
                                          d->severity == PL_SEVERITY_ERROR ? LOG_WARNING : LOG_INFO,
                                          NULL, d->message, NULL, "%s: %s", d->file, d->message);
        }
}

/* The section with the container's labels, from before where it is there. NULL: out of memory. */
static const PlService *with_labels(PlRegistry *g, PlSubject *s, const PlService *section) {
        PlService **at = &s->labelled, *own = NULL;
        PlDiagList diag = { 0 };

        while (*at && (*at)->section != section)
                at = &(*at)->next;
        own = *at;
        if (own) {
                *at = own->next;
        } else if (pl_policy_label(g->policy, section, &g->options.host, s->labels, &diag, &own) <
                   0) {
                pl_diag_list_deinit(&diag);
                return NULL;
        }
        own->next = s->labelled;
        s->labelled = own;
        s->service = own;
        report_labels(g, s, &diag);
        pl_diag_list_deinit(&diag);
        return own;
}

static void govern(PlRegistry *g, PlSubject *s) {
        const PlService *section, *own = NULL;

        pl_container_mark(s->facts, s->image && !g->policy->daemon.match_image_labels
                                                    ? s->image->labels
                                                    : NULL);
        section = pl_policy_match(g->policy, s->facts);

        if (g->policy->daemon.labels && s->labels && s->labels_known && !s->provisional)
                own = with_labels(g, s, section);
        /* labels that are all wrong make nobody's container ours */
        s->service = own && (section || own->n_origins > 0) ? own : section;
}

static void set_facts(PlRegistry *g, PlSubject *s, PlContainer *facts, bool provisional) {
        pl_container_free(s->facts);
        s->facts = facts;
        s->provisional = provisional;
        govern(g, s);
}

static void refuse_labels(PlSubject *s, const char *why) {
        free(s->labels_error);
        s->labels_error = strdup(why);
}

/* Which settings its creator has given it. @image: NULL: it was made of none. Return: 0, -ENOMEM.
 */
static int know_labels(PlSubject *s, const PlContainer *c, const PlContainer *image) {
        char **labels = NULL;
        int r = pl_labels_of(c, image, &labels);

        if (r < 0)
                return r;
        pl_strv_free(s->labels);
        s->labels = labels;
        s->labels_known = true;
        free(TAKE_PTR(s->labels_error));
        return 0;
}

/* Podman's id of an image has no "sha256:"; a container of a bare directory has no image. */
static const char *image_id(const PlContainer *c) {
        const char *id = c->image_id ?: "";

        return pl_startswith(id, "sha256:") ? id + strlen("sha256:") : id;
}

/* Labels never change, so its image is asked once. Return: 1: the answer is to be waited for,
 * because until then its section may be another's, and [Defaults] might say what a label is there
 * to change; 0; -errno. */
static int ask_image(PlRegistry *g, PlSubject *s, const PlContainer *c,
                     PlEngineInspectReply reply) {
        int r = 0;

        if (s->labels_known || s->labels_asked)
                return s->labels_asked;
        if (c->n_labels == 0 || !*image_id(c))
                return know_labels(s, c, NULL);
        if (!s->image)
                s->image = use_image(g, image_id(c));
        if (!s->image)
                return -ENOMEM;
        if (s->image->labels)
                return know_labels(s, c, s->image->labels);
        if (!s->image->asked)
                r = pl_engine_image(g->engine, s->image->id, reply, g);
        if (r == -EINVAL)
                refuse_labels(s, "the engine does not say what its image is");
        s->image->asked = s->labels_asked = r == 0;
        return r == -EINVAL ? 0 : r < 0 ? r : 1;
}

/* One less to wait for. The sync may be complete even though no container is left. */
static void sync_step(PlRegistry *g) {
        if (g->sync_pending > 0 && --g->sync_pending == 0)
                g->handlers->listed(g->userdata);
}

/* Something has happened since we asked, and only the next answer will show it. Taken as current,
 * this one could show a container that has just died as running, and its end would go unnoticed. */
static bool is_outdated(const PlSubject *s) {
        return s->inspect_again || s->inspect_due;
}

/* --- networks: an inspection tells their names, but not whether the host has a way into them ---
 */

static bool add_network(PlRegistry *g, const PlNetworkInfo *info) {
        PlNetworkInfo *grown = reallocarray(g->networks, g->n_networks + 1, sizeof(*grown));

        if (!grown)
                return false;
        g->networks = grown;
        g->networks[g->n_networks++] = *info;
        return true;
}

static const PlNetworkInfo *find_network(const PlRegistry *g, const PlNetwork *n) {
        for (size_t i = 0; i < g->n_networks; i++)
                if (pl_streq(g->networks[i].id, n->id) || pl_streq(g->networks[i].name, n->id))
                        return &g->networks[i];
        return NULL;
}

/* Every engine has these, and they are what they are called. */
static bool is_predefined(const PlNetwork *n) {
        return pl_streq(n->name, "bridge") || pl_streq(n->name, "host") ||
               pl_streq(n->name, "none");
}

/* Return: whether something else is known than before. */
static bool mark_networks(const PlRegistry *g, PlContainer *c, bool *ret_unknown) {
        bool changed = false;

        for (size_t i = 0; i < c->reach.n_networks; i++) {
                PlNetwork *n = &c->reach.networks[i];
                const PlNetworkInfo *info = find_network(g, n);

                if (!info) {
                        *ret_unknown = *ret_unknown || (*n->id && !is_predefined(n));
                        continue;
                }
                changed = changed || n->apart != info->apart;
                n->apart = info->apart;
        }
        return changed;
}

/* It was removed while we asked: do not ask again. */
static void take_as_plain(PlRegistry *g, const PlContainer *c) {
        for (size_t i = 0; i < c->reach.n_networks; i++) {
                PlNetworkInfo info = { 0 };

                if (find_network(g, &c->reach.networks[i]))
                        continue;
                memcpy(info.id, c->reach.networks[i].id, sizeof(info.id));
                (void)add_network(g, &info);
        }
}

static void on_networks(void *userdata, int error, const PlNetworkInfo *networks, size_t n) {
        PlRegistry *g = userdata;
        bool unknown = false;
        PlSubject *s;

        if (error < 0) {
                if (g->connected)
                        pl_log_warning("Cannot list networks: %s; every one is taken for reachable",
                                       strerror(-error));
                return;
        }
        g->networks_asked = false;
        free(TAKE_PTR(g->networks));
        g->n_networks = 0;
        for (size_t i = 0; i < n; i++)
                if (!add_network(g, &networks[i]))
                        return;
        PL_MAP_FOREACH(s, g->subjects) {
                if (!s->facts)
                        continue;
                /* its facts are old where it is being asked for new ones */
                if (mark_networks(g, s->facts, &unknown))
                        g->handlers->inspected(g->userdata, s,
                                               !is_outdated(s) && !s->inspect_in_flight);
                take_as_plain(g, s->facts);
        }
}

static void learn_networks(PlRegistry *g, PlContainer *c) {
        bool unknown = false;

        (void)mark_networks(g, c, &unknown);
        if (unknown && g->connected && !g->networks_asked &&
            pl_engine_networks(g->engine, on_networks, g) >= 0)
                g->networks_asked = true;
}

/* Return: whether there was room for facts that come in place of what is known. */
static bool has_room(PlRegistry *g, PlSubject *s, const PlContainer *c) {
        s->refused = !charge(g, &s->bytes, c->packed_bytes);
        return !s->refused;
}

void pl_registry_take(PlRegistry *g, PlSubject *s, PlContainer *c) {
        if (!has_room(g, s, c)) {
                pl_container_free(c);
                return;
        }
        s->waits = pl_container_free(s->waits); /* c is newer */
        learn_networks(g, c);
        set_facts(g, s, c, false);
        g->handlers->inspected(g->userdata, s, !is_outdated(s));
}

/* @c: ownership passes; NULL: nothing new, or an error */
static void finish_inspection(PlRegistry *g, PlSubject *s, int error, const char *message,
                              PlContainer *c) {
        if (s->inspect_for_sync) {
                s->inspect_for_sync = false;
                sync_step(g);
        }
        s->inspect_in_flight = false;
        if (error == -ENOENT) {
                subject_remove(g, s);
                return;
        }
        if (error < 0) {
                /* A lost engine is reported once, by lost(); anything else names the container. */
                if (s->refused)
                        pl_subject_report_of_many(g->reporter, s, LOG_WARNING, NULL, message,
                                                  "not looked at: %s", message);
                else if (g->connected)
                        pl_subject_report(g->reporter, s, LOG_WARNING, NULL, message, NULL,
                                          "cannot inspect it: %s", message ?: strerror(-error));
                return;
        }
        if (c) {
                pl_registry_take(g, s, c);
        } else if (s->facts) { /* newer ones have come by another way, without the labels */
                govern(g, s);
                g->handlers->inspected(g->userdata, s, !is_outdated(s));
        }
        if (s->inspect_again) {
                s->inspect_again = false;
                pl_registry_inspect(g, s);
        }
}

/* Return: 0, also where it cannot tell; -errno: it was not asked in the end. */
static int take_image(PlSubject *s, const PlContainer *c, int error, const char *message) {
        int r = error < 0 ? error : know_labels(s, c, s->image->labels);

        switch (r) {
        case 0:
        case -ECONNRESET:
        case -ETIMEDOUT:
        case -ENOMEM:
                return r;
        default:                /* its image is gone, or broken, and may stay so */
                if (!s->labels) /* what they would be is said, though they are not heeded */
                        (void)pl_labels_of(c, NULL, &s->labels);
                refuse_labels(s, message ?: strerror(-r));
                return 0;
        }
}

static void on_image(void *userdata, const char *id, int error, const char *message,
                     PlContainer **labels) {
        PlRegistry *g = userdata;
        PlImage *image = pl_map_get(g->images, id);
        PlSubject *s;

        g->churn++;
        if (!image)
                return; /* nothing of it is left */
        image->asked = false;
        if (error == 0 && !charge(g, &(size_t){ 0 }, (*labels)->packed_bytes)) {
                error = -EMSGSIZE;
                message = TOO_MUCH;
        }
        if (error == 0)
                image->labels = TAKE_PTR(*labels);
        PL_MAP_FOREACH(s, g->subjects) {
                int r;

                if (!s->labels_asked || s->image != image)
                        continue;
                s->labels_asked = false;
                r = take_image(s, s->waits ?: s->facts, error, message);
                if (r < 0)
                        s->waits = pl_container_free(s->waits);
                finish_inspection(g, s, r, message, TAKE_PTR(s->waits));
        }
        pl_reporter_changed(g->reporter);
}

static void on_inspected(void *userdata, const char *id, int error, const char *message,
                         PlContainer **c) {
        PlRegistry *g = userdata;
        PlSubject *s = pl_map_get(g->subjects, id);

        g->churn++;
        pl_reporter_changed(g->reporter);
        if (!s)
                return;
        if (error == 0 && !has_room(g, s, *c)) {
                error = -EMSGSIZE;
                message = TOO_MUCH;
        }
        if (error == 0) {
                /* in a flood it has waited for others, and what happened meanwhile is in the
                 * answer */
                s->inspect_again = s->inspect_again &&
                                   !pl_engine_was_sent_after(g->engine, s->again_sent);
                error = ask_image(g, s, *c, on_image);
        }
        if (error <= 0) {
                finish_inspection(g, s, error, message, error == 0 ? TAKE_PTR(*c) : NULL);
                return;
        }
        pl_container_free(s->waits);
        s->waits = TAKE_PTR(*c);
}

void pl_registry_inspect(PlRegistry *g, PlSubject *s) {
        if (!g->connected)
                return; /* the resync after the return of the engine inspects everything */
        if (s->inspect_in_flight) {
                s->inspect_again = true;
                s->again_sent = pl_engine_n_sent(g->engine);
                return;
        }
        if (pl_engine_inspect(g->engine, s->id, on_inspected, g) >= 0)
                s->inspect_in_flight = true;
}

void pl_registry_inspect_due(PlRegistry *g, PlSubject *s) {
        if (!s->inspect_due)
                return;
        s->inspect_due = false;
        pl_registry_inspect(g, s);
}

/* No longer on the engine's list: they were removed and we missed the event. */
static void remove_unseen(PlRegistry *g) {
        _cleanup_free_ PlSubject **gone = calloc(pl_map_size(g->subjects) + 1, sizeof(*gone));
        PlSubject *s;
        size_t n = 0;

        if (!gone)
                return; /* the next list will find them */
        PL_MAP_FOREACH(s, g->subjects)
        if (!s->seen)
                gone[n++] = s;
        for (size_t i = 0; i < n; i++)
                subject_remove(g, gone[i]);
}

static void on_listed(void *userdata, int error, const char *message, const char (*ids)[PL_ID_MAX],
                      size_t n) {
        PlRegistry *g = userdata;

        g->syncing = false;
        if (error < 0) {
                if (g->connected)
                        pl_log_warning("Cannot list containers: %s; trying again at the next sweep",
                                       message ?: strerror(-error));
                return;
        }
        for (size_t i = 0; i < n; i++) {
                PlSubject *s = pl_map_get(g->subjects, ids[i]);

                if (s)
                        s->seen = true;
        }
        remove_unseen(g); /* which makes room */
        g->n_over = 0;
        /* all of them first: requests are gone in a moment, and would leave holes between what
         * stays for days */
        for (size_t i = 0; i < n; i++) {
                PlSubject *s = ensure(g, ids[i]);

                if (!s)
                        continue;
                s->seen = true;
                if (!s->inspect_for_sync) {
                        s->inspect_for_sync = true;
                        g->sync_pending++;
                }
        }
        for (size_t i = 0; i < n; i++) {
                PlSubject *s = pl_map_get(g->subjects, ids[i]);

                if (s)
                        pl_registry_inspect(g, s);
        }
        g->listed = true;
        if (g->sync_pending == 0)
                g->handlers->listed(g->userdata);
        pl_reporter_changed(g->reporter);
}

void pl_registry_resync(PlRegistry *g) {
        PlSubject *s;

        if (g->syncing || !g->connected)
                return;
        /* A container that is created between question and answer counts as seen. */
        PL_MAP_FOREACH(s, g->subjects)
        s->seen = false;
        if (pl_engine_list(g->engine, on_listed, g) >= 0)
                g->syncing = true;
}

static bool is_known(void *userdata, const char *id) {
        PlRegistry *g = userdata;

        return pl_map_get(g->subjects, id) != NULL;
}

void pl_registry_settle(PlRegistry *g) {
        bool first = !g->synced;

        if (!g->connected || !g->listed || g->sync_pending > 0 || (!first && !g->stale))
                return;
        g->stale = false;
        g->synced = true;
        if (!g->pruned && !pl_registry_is_dry_run(g)) {
                unsigned n = pl_state_dir_prune(g->state_dir, pl_clock_usec(CLOCK_REALTIME),
                                                is_known, g);

                if (n > 0)
                        pl_log_info("Removed %u file%s about containers that the engine no longer "
                                    "has, or that were broken for long",
                                    n, pl_plural(n));
                g->pruned = true;
        }
        g->handlers->synced(g->userdata, first);
        pl_reporter_changed(g->reporter);
}

/* What is known is about another engine, which has its containers still: nothing on disk goes. */
static void change_engine(PlRegistry *g, const char *identity) {
        _cleanup_free_ PlSubject **all = calloc(pl_map_size(g->subjects) + 1, sizeof(*all));
        PlSubject *s;
        size_t n = 0;

        if (*g->identity && all) {
                PL_MAP_FOREACH(s, g->subjects)
                all[n++] = s;
                for (size_t i = 0; i < n; i++) {
                        g->handlers->removed(g->userdata, all[i], PL_REMOVAL_LEFT);
                        (void)pl_map_remove(g->subjects, all[i]->id);
                        subject_free(g, all[i]);
                }
                g->pruned = false;
        }
        (void)snprintf(g->identity, sizeof(g->identity), "%s", identity);
        pl_state_dir_set_engine(g->state_dir, identity);
}

static void on_connected(void *userdata, const PlEngineInfo *info) {
        PlRegistry *g = userdata;
        PlSubject *s;

        if (g->handlers->claim(g->userdata, info) < 0)
                return;
        if (!pl_streq(g->identity, info->identity))
                change_engine(g, info->identity);
        g->connected = true;
        free(g->engine_error);
        g->engine_error = NULL;
        g->sync_pending = 0;
        g->syncing = g->listed = g->networks_asked = false;
        PL_MAP_FOREACH(s, g->subjects)
        s->inspect_for_sync = false;
        g->handlers->engine(g->userdata, info);
        pl_report(g->reporter,
                  &(PlEntry){ .priority = LOG_INFO, .message_id = PL_MESSAGE_ENGINE_CONNECTED },
                  "Connected to the engine at %s: %s %s, API %u.%u", pl_engine_url(g->engine),
                  info->podman ? "Podman" : "Docker", *info->version ? info->version : "?",
                  info->api.major, info->api.minor);
        pl_registry_resync(g);
        pl_reporter_changed(g->reporter);
}

static void on_lost(void *userdata, int error, const char *why, uint64_t retry_usec) {
        PlRegistry *g = userdata;
        char wait[PL_FORMAT_MAX];

        g->stale = g->synced;
        g->connected = false;
        free(g->engine_error);
        g->engine_error = strdup(why ?: strerror(-error));
        g->handlers->engine(g->userdata, NULL);
        pl_report(g->reporter,
                  &(PlEntry){ .priority = LOG_WARNING, .message_id = PL_MESSAGE_ENGINE_LOST },
                  "%s the engine at %s (%s). %s; retrying, first in %s",
                  g->synced ? "Lost" : "Cannot reach", pl_engine_url(g->engine),
                  g->engine_error ?: "?",
                  g->synced ? "Limits stay in force as they are" : "Nothing is done without it",
                  pl_format_sec(retry_usec, wait));
        pl_reporter_changed(g->reporter);
}

static void on_event(void *userdata, PlEvent *e) {
        PlRegistry *g = userdata;
        PlSubject *s;
        bool begun;

        if (e->action == PL_EVENT_DESTROY) {
                s = pl_map_get(g->subjects, e->id);
                if (s)
                        subject_remove(g, s);
                pl_reporter_changed(g->reporter);
                return;
        }
        if (e->action == PL_EVENT_NETWORK) {
                /* at a start and at an end as well, where other events follow */
                s = pl_map_get(g->subjects, e->id);
                if (s && s->facts && pl_container_is_live(s->facts))
                        pl_registry_inspect(g, s);
                return;
        }
        s = ensure(g, e->id);
        if (!s)
                return;
        if (e->born && !s->facts && has_room(g, s, e->born))
                set_facts(g, s, TAKE_PTR(e->born), true);
        begun = e->action == PL_EVENT_START || e->action == PL_EVENT_RESTART;
        if (begun)
                s->inspect_due = true;
        g->handlers->event(g->userdata, s, e);
        /* a kill alone changes nothing */
        if (!begun && e->action != PL_EVENT_KILL && e->action != PL_EVENT_OTHER)
                pl_registry_inspect(g, s);
}

static void on_missed(void *userdata, const char *why) {
        PlRegistry *g = userdata;

        pl_log_warning("An event of the engine could not be read (%s), listing containers again",
                       why);
        pl_registry_resync(g);
}

static void on_quiet(void *userdata) {
        PlRegistry *g = userdata;

        g->handlers->quiet(g->userdata);
}

static const PlEngineHandlers engine_handlers = {
        .connected = on_connected,
        .lost = on_lost,
        .event = on_event,
        .missed = on_missed,
        .quiet = on_quiet,
};

int pl_registry_use_engine(PlRegistry *g) {
        const char *url = g->options.engine_url ?: g->policy->daemon.engine;
        PlEngine *engine = NULL;
        int r;

        if (g->engine && pl_streq(pl_engine_url(g->engine), url))
                return 0;
        r = pl_engine_new(g->event, url, &engine_handlers, g, &engine);
        if (r < 0) {
                pl_log_error("Cannot use Engine=%s: %s", url, strerror(-r));
                return r;
        }
        if (g->engine) {
                pl_log_info("Leaving the engine at %s for %s", pl_engine_url(g->engine), url);
                g->stale = g->synced;
                g->connected = false;
                g->handlers->engine(g->userdata, NULL);
                pl_engine_hang_up(g->engine); /* nobody waits for its answers any more */
                pl_engine_free(g->engine);
        }
        g->engine = engine;
        return 0;
}

PlPolicy *pl_registry_set_policy(PlRegistry *g, PlPolicy *policy) {
        PlPolicy *old = g->policy;
        PlSubject *s;

        g->policy = policy;
        PL_MAP_FOREACH(s, g->subjects) {
                while (old && s->labelled) { /* as long as that one may be borrowed from */
                        PlService *l = s->labelled;

                        s->labelled = l->next;
                        l->next = old->labelled;
                        old->labelled = l;
                }
                s->service = NULL;
                if (s->facts)
                        govern(g, s);
        }
        return old;
}

PlSubject *pl_registry_find(const PlRegistry *g, const char *name) {
        size_t len = strlen(name);
        PlSubject *s, *by_prefix = NULL;

        PL_MAP_FOREACH(s, g->subjects) {
                if (!s->facts)
                        continue;
                if (pl_streq_null(s->facts->name, name) || pl_streq(s->id, name))
                        return s;
                /* a short id, as the docker command shows it */
                if (len >= 4 && strncmp(s->id, name, len) == 0)
                        by_prefix = s;
        }
        if (by_prefix)
                return by_prefix;
        PL_MAP_FOREACH(s, g->subjects)
        if (s->facts && s->service && pl_streq_null(s->service->name, name))
                return s;
        return NULL;
}

int pl_registry_new(sd_event *event, const PlReporter *reporter, const PlRegistryOptions *options,
                    const PlRegistryHandlers *handlers, void *userdata, PlRegistry **ret) {
        _cleanup_(pl_registry_freep) PlRegistry *g = calloc(1, sizeof(*g));
        int r;

        if (!g)
                return -ENOMEM;
        g->event = sd_event_ref(event);
        g->reporter = reporter;
        g->options = *options;
        g->handlers = handlers;
        g->userdata = userdata;
        g->subjects = pl_map_new();
        g->images = pl_map_new();
        if (!g->subjects || !g->images)
                return -ENOMEM;
        r = pl_state_dir_open(options->state_dir, options->older_state_dir, g->reporter,
                              &g->state_dir);
        if (r < 0) {
                pl_log_error("Cannot use the state directory %s: %s", options->state_dir,
                             strerror(-r));
                return r;
        }
        *ret = TAKE_PTR(g);
        return 0;
}

PlRegistry *pl_registry_free(PlRegistry *g) {
        PlSubject *s;

        if (!g)
                return NULL;
        g->engine = pl_engine_free(g->engine);
        if (g->subjects)
                PL_MAP_FOREACH(s, g->subjects) {
                        (void)pl_map_remove(g->subjects, s->id);
                        g->handlers->removed(g->userdata, s, PL_REMOVAL_END);
                        subject_free(g, s);
                }
        pl_map_free(g->subjects);
        pl_map_free(g->images); /* without users they have gone */
        pl_state_dir_free(g->state_dir);
        pl_policy_unref(g->policy);
        free(g->networks);
        free(g->engine_error);
        sd_event_unref(g->event);
        free(g);
        return NULL;
}
