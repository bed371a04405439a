/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Paths.
 *
 * A connection to the socket that systemd holds for plimsolld starts plimsolld. A question where
 * the policy is must not do that: on a host where plimsolld was stopped on purpose it would take
 * hold of every container. So systemd is asked first. While the service is active its daemon
 * answers. While it is not, a socket unit that is active must be left alone; without one, whoever
 * listens there is no service of systemd, and nothing can be started by asking.
 *
 * "activating" counts as inactive: with its Restart= pending there is nobody to answer, and the
 * question would wait in the socket's queue.
 */

#include "ctl/paths.h"

#include <errno.h>

#include "ctl/systemctl.h"

#define SERVICE      "plimsolld.service"
#define SOCKET       "plimsolld.socket"
#define TIMEOUT_MSEC 5000 /* a daemon that hangs is no reason not to read its logs */

static bool may_ask(void) {
        _cleanup_free_ char *service = NULL, *socket = NULL;

        if (!pl_systemctl_is_there())
                return true;
        service = pl_systemctl_property(SERVICE, "ActiveState");
        if (!service)
                return false;
        if (pl_streq(service, "active") || pl_streq(service, "reloading") ||
            pl_streq(service, "refreshing"))
                return true;
        socket = pl_systemctl_property(SOCKET, "ActiveState");
        return socket && (pl_streq(socket, "inactive") || pl_streq(socket, "failed"));
}

/* @status: NULL: nobody says. Return: as pl_ctl_paths(). */
static int take(const json_t *status, const char *section, const char *key, const char *otherwise,
                char **ret) {
        const char *path =
                        json_string_value(json_object_get(json_object_get(status, section), key));

        if (!ret)
                return -1;
        *ret = strdup(path ?: otherwise);
        if (*ret)
                return -1;
        pl_ctl_say("%s", strerror(ENOMEM));
        return PL_EXIT_BAD;
}

/* Return: 0; 1 the daemon has refused, *ret says why; -errno. */
static int ask(const PlCtl *ctl, json_t **ret) {
        _cleanup_(pl_ctl_client_freep) PlCtlClient *client = NULL;
        long code = 0;
        int r = pl_ctl_client_new(ctl->control, TIMEOUT_MSEC, &client);

        if (r == 0)
                r = pl_ctl_client_request(client, "GET", "/v1/status", &code, ret);
        return r < 0 ? r : code != 200;
}

int pl_ctl_paths(PlCtl *ctl, char **ret_policy, char **ret_archive) {
        json_t *status = NULL;
        int r = -ENOENT, exit_status = -1;

        if (ctl->control_given || may_ask())
                r = ask(ctl, &status);
        if (ctl->control_given && r != 0)
                exit_status = r < 0 ? pl_ctl_failed(ctl, r) : pl_ctl_refused(status);
        else if (r != 0 && r != -ENOENT && r != -ECONNREFUSED && r != -EACCES && r != -EPERM)
                pl_ctl_say("the daemon at %s does not say where its files are; looking in the "
                           "usual places",
                           ctl->control);
        const json_t *says = r == 0 ? status : NULL;
        if (exit_status < 0)
                exit_status = take(says, "policy", "file", PL_CTL_POLICY_PATH, ret_policy);
        if (exit_status < 0)
                exit_status = take(says, "archive", "path", PL_CTL_ARCHIVE_PATH, ret_archive);
        json_decref(status);
        return exit_status;
}

/* The usual sockets are systemd's: a connection would start an engine that was stopped on purpose.
 */
static bool may_connect(const char *socket) {
        _cleanup_free_ char *service = NULL;

        if ((!pl_streq(socket, "/run/docker.sock") && !pl_streq(socket, "/var/run/docker.sock")) ||
            !pl_systemctl_is_there())
                return true;
        service = pl_systemctl_property("docker.service", "ActiveState");
        return service && (pl_streq(service, "active") || pl_streq(service, "reloading"));
}

void pl_ctl_engine(PlCtl *ctl, char **ret_socket, bool *ret_dry_run) {
        const char *url = NULL, *environment = getenv("DOCKER_HOST");
        json_t *status = NULL;

        *ret_socket = NULL;
        *ret_dry_run = false;
        if ((ctl->control_given || may_ask()) && ask(ctl, &status) == 0) {
                url = json_string_value(json_object_get(json_object_get(status, "engine"), "url"));
                *ret_dry_run = json_is_true(json_object_get(status, "dry_run"));
        }
        if (!url && environment && *environment)
                url = environment;
        if (!url)
                url = "unix:///run/docker.sock";
        if (pl_startswith(url, "unix://") && may_connect(url + strlen("unix://")))
                *ret_socket = strdup(url + strlen("unix://"));
        json_decref(status);
}
