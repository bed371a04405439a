/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Docker event: one line of GET /events to a PlEvent.
 *
 * Reads Type, Action, Actor and timeNano alone: the older status, id and from are gone from API
 * 1.52 on. An event is a hint; what it leaves out is learnt by inspecting.
 */

#include "lib/docker/event.h"

#include <errno.h>
#include <limits.h>

#include "lib/docker/inspect.h"
#include "lib/docker/json.h"

static const struct {
        const char *word;
        PlEventAction action;
} actions[] = {
        { "create", PL_EVENT_CREATE },   { "start", PL_EVENT_START },
        { "restart", PL_EVENT_RESTART }, { "update", PL_EVENT_UPDATE },
        { "rename", PL_EVENT_RENAME },   { "pause", PL_EVENT_PAUSE },
        { "unpause", PL_EVENT_UNPAUSE }, { "kill", PL_EVENT_KILL },
        { "stop", PL_EVENT_STOP },       { "die", PL_EVENT_DIE },
        { "died", PL_EVENT_DIE }, /* Podman */
        { "oom", PL_EVENT_OOM },         { "health_status", PL_EVENT_HEALTH_STATUS },
        { "destroy", PL_EVENT_DESTROY }, { "remove", PL_EVENT_DESTROY }, /* Podman */
};

/* "health_status: unhealthy": the word ends at the colon, the payload follows it. */
static PlEventAction parse_action(const char *s, const char **ret_payload) {
        size_t n = strcspn(s, ":");
        const char *payload = s + n;

        payload += strspn(payload, ": ");
        *ret_payload = *payload ? payload : NULL;
        for (size_t i = 0; i < PL_ARRAY_SIZE(actions); i++)
                if (strlen(actions[i].word) == n && strncmp(s, actions[i].word, n) == 0)
                        return actions[i].action;
        return PL_EVENT_OTHER;
}

/* Attributes are strings, numbers too. */
static int parse_attribute(const json_t *attributes, const char *key, int fallback) {
        const char *s = pl_json_string(attributes, key);
        char *end;
        long v;

        if (!s || !*s)
                return fallback;
        errno = 0;
        v = strtol(s, &end, 10);
        return errno != 0 || *end || v < 0 || v > INT_MAX ? fallback : (int)v;
}

static PlDockerHealth parse_health(const char *payload, const json_t *root,
                                   const json_t *attributes) {
        /* Podman puts the word elsewhere, depending on its version. */
        if (!payload)
                payload = pl_json_string(root, "HealthStatus");
        if (!payload)
                payload = pl_json_string(attributes, "health_status");
        return pl_docker_health_from_string(payload);
}

static uint64_t parse_time_nsec(const json_t *root) {
        int64_t nsec = pl_json_int(root, "timeNano", 0, INT64_MAX, 0);

        if (nsec == 0)
                nsec = pl_json_int(root, "time", 0, INT64_MAX / 1000000000, 0) * 1000000000;
        return (uint64_t)nsec;
}

int pl_docker_parse_event(const char *line, size_t size, PlEvent *ret) {
        _cleanup_json_ json_t *root = NULL;
        const json_t *actor, *attributes;
        const char *type, *action, *id, *payload;
        PlEvent e = { .exit_code = -1 };
        int r;

        r = pl_json_load_object(line, size, &root);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;

        type = pl_json_string(root, "Type");
        if (!type)
                return -EBADMSG;
        if (!pl_streq(type, "container"))
                return -ENOMSG;
        actor = json_object_get(root, "Actor");
        attributes = json_object_get(actor, "Attributes");
        action = pl_json_string(root, "Action");
        id = pl_json_string(actor, "ID");
        if (!action || !id || !pl_is_id(id))
                return -EBADMSG;

        memcpy(e.id, id, PL_ID_MAX);
        e.action = parse_action(action, &payload);
        e.time_nsec = parse_time_nsec(root);
        pl_json_cut(pl_json_string(attributes, "name"), e.name, sizeof(e.name));
        if (e.action == PL_EVENT_DIE)
                e.exit_code = parse_attribute(attributes, "exitCode",
                                              parse_attribute(attributes, "containerExitCode", -1));
        else if (e.action == PL_EVENT_KILL)
                e.signal = parse_attribute(attributes, "signal", 0);
        else if (e.action == PL_EVENT_HEALTH_STATUS)
                e.health = parse_health(payload, root, attributes);
        else if (e.action == PL_EVENT_CREATE && pl_docker_parse_born(id, attributes, &e.born) < 0)
                return -ENOMEM;

        *ret = e;
        return 0;
}

void pl_event_deinit(PlEvent *e) {
        e->born = pl_container_free(e->born);
}
