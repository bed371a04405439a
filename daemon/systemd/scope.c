/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The system bus, and calls to systemd over it.
 *
 * Nothing here waits: authentication and Hello go on in the loop, and each call has a request that
 * lives until its answer comes. A request belongs to its PlSystemd, so that no answer arrives after
 * that is gone. Must not: decide what to tell, or read a unit back.
 */

#include "systemd/scope.h"

#include <errno.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/journal.h"
#include "cgroup/device.h"
#include "lib/base/backoff.h"
#include "lib/docker/container.h"
#include "lib/limits/resource.h"
#include "lib/limits/unit-properties.h"
#include "systemd/dropin.h"

#define MANAGER_NAME      "org.freedesktop.systemd1"
#define MANAGER_PATH      "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"

#define UNIT_DIR      "/run/systemd/system"
#define TRANSIENT_DIR "/run/systemd/transient"

#define RECONNECT_MIN_USEC (100 * PL_USEC_PER_MSEC)
#define RECONNECT_MAX_USEC (30 * PL_USEC_PER_SEC)

/* What waits for an answer. */
typedef struct Request {
        PlSystemd *systemd;
        LIST_ENTRY(Request) link;
        sd_bus_slot *slot;
        char *unit; /* StartUnit: its name; SetUnitProperties: NULL */
        char id[PL_ID_MAX];
} Request;

struct PlSystemd {
        sd_event *event;
        const PlSystemdHandlers *handlers;
        void *userdata;
        sd_bus *bus; /* NULL: not connected */
        sd_event_source *retry;
        unsigned attempts; /* at opening the bus, since it was lost */
        bool supported;
        bool lost;            /* said once, until it is back */
        bool look_again;      /* reloaded() is due as soon as systemd answers */
        uint64_t scope_tasks; /* DefaultTasksMax; 0: not known */
        LIST_HEAD(RequestList, Request) requests;
};

static Request *request_free(Request *q) {
        if (!q)
                return NULL;
        LIST_REMOVE(q, link);
        sd_bus_slot_unref(q->slot);
        free(q->unit);
        free(q);
        return NULL;
}
PL_DEFINE_CLEANUP(Request *, request_free)

static Request *request_new(PlSystemd *s, const char *id) {
        Request *q = calloc(1, sizeof(*q));

        if (!q)
                return NULL;
        q->systemd = s;
        snprintf(q->id, sizeof(q->id), "%s", id);
        LIST_INSERT_HEAD(&s->requests, q, link);
        return q;
}

static int bus_open(PlSystemd *s);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        PlSystemd *s = userdata;

        (void)bus_open(s); /* arms the timer again by itself */
        return 0;
}

static void bus_retry_later(PlSystemd *s) {
        uint64_t wait_usec = pl_backoff_usec(s->attempts++, RECONNECT_MIN_USEC, RECONNECT_MAX_USEC,
                                             pl_clock_usec(CLOCK_MONOTONIC));
        int r;

        if (s->retry) {
                r = sd_event_source_set_time_relative(s->retry, wait_usec);
                if (r >= 0)
                        r = sd_event_source_set_enabled(s->retry, SD_EVENT_ONESHOT);
        } else
                r = sd_event_add_time_relative(s->event, &s->retry, CLOCK_MONOTONIC, wait_usec, 0,
                                               on_retry, s);
        if (r < 0) {
                s->supported = false;
                pl_log_error("Cannot wait for the system bus: %s; systemd is no longer told of "
                             "limits",
                             strerror(-r));
        }
}

static void bus_close(PlSystemd *s) {
        sd_bus_detach_event(s->bus);
        s->bus = sd_bus_close_unref(s->bus);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        PlSystemd *s = userdata;

        if (!s->lost)
                pl_log_notice("Lost the system bus; opening it again");
        s->lost = s->look_again = true;
        bus_close(s);
        bus_retry_later(s);
        return 0;
}

static int on_tasks(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        PlSystemd *s = userdata;
        uint64_t tasks;

        if (!sd_bus_message_is_method_error(m, NULL) &&
            sd_bus_message_read(m, "v", "t", &tasks) >= 0)
                s->scope_tasks = tasks;
        return 0;
}

/* Without an answer the last one stands. */
static void ask_tasks(PlSystemd *s) {
        if (s->bus)
                (void)sd_bus_call_method_async(s->bus, NULL, MANAGER_NAME, MANAGER_PATH,
                                               "org.freedesktop.DBus.Properties", "Get", on_tasks,
                                               s, "ss", MANAGER_INTERFACE, "DefaultTasksMax");
}

static int on_reloading(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        PlSystemd *s = userdata;
        int active;

        /* sent twice: true when it begins, false when the units are loaded and realised again */
        if (sd_bus_message_read(m, "b", &active) < 0)
                return 0;
        if (active) {
                s->handlers->reloading(s->userdata);
                return 0;
        }
        ask_tasks(s);
        s->handlers->reloaded(s->userdata);
        return 0;
}

static int on_subscribed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        PlSystemd *s = userdata;

        if (sd_bus_message_is_method_error(m, NULL) &&
            !sd_bus_message_is_method_error(m, MANAGER_NAME ".AlreadySubscribed")) {
                pl_log_warning("Cannot subscribe to systemd, its reloads go unnoticed: %s",
                               sd_bus_message_get_error(m)->message);
                return 0;
        }
        s->attempts = 0;
        ask_tasks(s);
        if (s->lost)
                pl_log_info("The system bus is back");
        s->lost = false;
        if (s->look_again) {
                s->look_again = false;
                s->handlers->reloaded(s->userdata);
        }
        return 0;
}

static int subscribe(PlSystemd *s) {
        return sd_bus_call_method_async(s->bus, NULL, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE,
                                        "Subscribe", on_subscribed, s, "");
}

/* A new owner of systemd's name: it has re-executed and may have forgotten its subscribers. */
static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        PlSystemd *s = userdata;
        const char *name, *old, *new;
        int r;

        if (sd_bus_message_read(m, "sss", &name, &old, &new) < 0 || !*new)
                return 0;
        s->look_again = true;
        r = subscribe(s);
        if (r < 0)
                pl_log_warning("Cannot subscribe to systemd again: %s", strerror(-r));
        return 0;
}

static int bus_match(PlSystemd *s) {
        int r;

        r = sd_bus_match_signal_async(s->bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                      "org.freedesktop.DBus.Local", "Disconnected", on_disconnected,
                                      NULL, s);
        if (r < 0)
                return r;
        r = sd_bus_match_signal_async(s->bus, NULL, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE,
                                      "Reloading", on_reloading, NULL, s);
        if (r < 0)
                return r;
        return sd_bus_add_match_async(s->bus, NULL,
                                      "type='signal',sender='org.freedesktop.DBus',"
                                      "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                                      "arg0='" MANAGER_NAME "'",
                                      on_owner_changed, NULL, s);
}

/* Does not wait for the bus: authentication and Hello go on in the loop. */
static int bus_open(PlSystemd *s) {
        int r;

        r = sd_bus_open_system_with_description(&s->bus, "plimsolld");
        if (r >= 0)
                r = sd_bus_attach_event(s->bus, s->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = bus_match(s);
        if (r >= 0)
                r = subscribe(s);
        if (r < 0) {
                if (s->bus)
                        bus_close(s);
                if (s->lost)
                        bus_retry_later(s);
        }
        return r;
}

int pl_systemd_new(sd_event *event, const PlSystemdHandlers *handlers, void *userdata,
                   PlSystemd **ret) {
        _cleanup_(pl_systemd_freep) PlSystemd *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->handlers = handlers;
        s->userdata = userdata;
        LIST_INIT(&s->requests);
        if (sd_booted() > 0) {
                r = bus_open(s);
                if (r == -ENOMEM)
                        return r;
                s->supported = r >= 0;
                if (r < 0)
                        pl_log_info("No system bus (%s); systemd does not learn of limits",
                                    strerror(-r));
        }
        *ret = TAKE_PTR(s);
        return 0;
}

PlSystemd *pl_systemd_free(PlSystemd *s) {
        if (!s)
                return NULL;
        while (!LIST_EMPTY(&s->requests))
                request_free(LIST_FIRST(&s->requests));
        sd_event_source_disable_unref(s->retry);
        if (s->bus) {
                (void)sd_bus_flush(s->bus);
                bus_close(s);
        }
        sd_event_unref(s->event);
        free(s);
        return NULL;
}

bool pl_systemd_is_supported(const PlSystemd *s) {
        return s->supported;
}

uint64_t pl_systemd_scope_tasks(const PlSystemd *s) {
        return s->scope_tasks;
}

static int error_of(sd_bus_message *m, const char **ret_message) {
        const sd_bus_error *e = sd_bus_message_get_error(m);

        *ret_message = NULL;
        if (!e)
                return 0;
        *ret_message = e->message;
        if (sd_bus_error_has_name(e, MANAGER_NAME ".NoSuchUnit"))
                return -ENOENT;
        return -sd_bus_message_get_errno(m);
}

static int on_set_done(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(request_freep) Request *q = userdata;
        const char *message;
        int e = error_of(m, &message);

        q->systemd->handlers->set_done(q->systemd->userdata, q->id, e, message);
        return 0;
}

static int append_value(sd_bus_message *m, const PlUnitProperty *p) {
        int r;

        switch (p->type) {
        case PL_UNIT_PROPERTY_MASK:
                r = sd_bus_message_open_container(m, 'v', "ay");
                if (r >= 0)
                        r = sd_bus_message_append_array(m, 'y', p->mask, p->mask_size);
                break;
        case PL_UNIT_PROPERTY_DEVICES:
                r = sd_bus_message_open_container(m, 'v', "a(st)");
                if (r >= 0)
                        r = sd_bus_message_open_container(m, 'a', "(st)");
                for (size_t i = 0; i < p->n_devices && r >= 0; i++)
                        r = sd_bus_message_append(m, "(st)", p->devices[i].path,
                                                  p->devices[i].bytes_per_sec);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
                break;
        default:
                return sd_bus_message_append(m, "v", "t", p->number);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_properties(sd_bus_message *m, const PlUnitProperties *p) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "(sv)");
        for (size_t i = 0; i < p->n && r >= 0; i++) {
                r = sd_bus_message_open_container(m, 'r', "sv");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", p->items[i].name);
                if (r >= 0)
                        r = append_value(m, &p->items[i]);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int send_properties(PlSystemd *s, const char *id, const char *scope,
                           const PlUnitProperties *p) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(request_freep) Request *q = NULL;
        int r;

        r = sd_bus_message_new_method_call(s->bus, &m, MANAGER_NAME, MANAGER_PATH,
                                           MANAGER_INTERFACE, "SetUnitProperties");
        if (r >= 0)
                r = sd_bus_message_append(m, "sb", scope, true);
        if (r >= 0)
                r = append_properties(m, p);
        if (r < 0)
                return r;
        q = request_new(s, id);
        if (!q)
                return -ENOMEM;
        r = sd_bus_call_async(s->bus, &q->slot, m, on_set_done, q, 0);
        if (r == -ECONNRESET) /* dead, but on_disconnected() is still to come */
                return -ENOTCONN;
        if (r < 0)
                return r;
        TAKE_PTR(q);
        return 0;
}

/* A device that is gone, or a path that stands for none, is left out: it cannot be told. */
static int name_devices(const PlLimits *limits, PlLimits *ret) {
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                bool devices = pl_resource_info(i)->kind == PL_KIND_DEVICES;
                int r = devices ? pl_device_name(&limits->v[i], &ret->v[i])
                                : pl_value_copy(&limits->v[i], &ret->v[i]);

                if (r < 0 && (!devices || r == -ENOMEM))
                        return r;
        }
        return 0;
}

int pl_systemd_set(PlSystemd *s, const char *id, const char *scope, const PlLimits *limits,
                   const PlLimits *base, uint64_t quota_period_usec) {
        _cleanup_(pl_unit_properties_deinit) PlUnitProperties p = { 0 };
        _cleanup_(pl_limits_deinit) PlLimits named = { 0 };
        int r;

        if (!s->supported)
                return -EOPNOTSUPP;
        if (!s->bus)
                return -ENOTCONN;
        r = name_devices(limits, &named);
        if (r >= 0)
                r = pl_unit_properties_from_limits(&named, base, quota_period_usec, &p);
        if (r < 0)
                return r;
        return send_properties(s, id, scope, &p);
}

int pl_systemd_remove_defaults(PlSystemd *s) {
        return s->supported ? pl_scope_dropin_remove(UNIT_DIR) : -EOPNOTSUPP;
}

static int on_unit_started(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(request_freep) Request *q = userdata;
        const char *message;
        int e = error_of(m, &message);

        if (e < 0)
                q->systemd->handlers->unit_failed(q->systemd->userdata, q->id, q->unit,
                                                  message ? message : strerror(-e));
        return 0;
}

int pl_systemd_start_unit(PlSystemd *s, const char *unit, const char *id) {
        _cleanup_(request_freep) Request *q = NULL;
        int r;

        if (!s->supported)
                return -EOPNOTSUPP;
        if (!s->bus)
                return -ENOTCONN;
        q = request_new(s, id);
        if (!q || !(q->unit = strdup(unit)))
                return -ENOMEM;
        r = sd_bus_call_method_async(s->bus, &q->slot, MANAGER_NAME, MANAGER_PATH,
                                     MANAGER_INTERFACE, "StartUnit", on_unit_started, q, "ss", unit,
                                     "replace");
        if (r < 0)
                return r;
        TAKE_PTR(q);
        return 0;
}

uint64_t pl_systemd_last_set_usec(const char *scope) {
        return pl_scope_dropin_changed(TRANSIENT_DIR, scope);
}
