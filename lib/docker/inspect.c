/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Inspect: GET /containers/{id}/json to a PlContainer.
 *
 * NetworkSettings.IPAddress is not looked at: it is gone from API 1.52 on, and Networks has been
 * there since 1.21. Nothing passes that is not an address or a port number.
 *
 * Keeps what policies, probes, log rotation and audits look at and drops the rest at once. Only the
 * id is indispensable; anything else that is missing or mistyped gets the API's own "unset".
 */

#include "lib/docker/inspect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>

#include "lib/base/time.h"
#include "lib/docker/json.h"
#include "lib/limits/resource.h"

#define NAME_MAX_BYTES 255
#define MOUNTS_MAX     256
#define OPTIONS_MAX    32
#define DEVICES_MAX    32
#define PORTS_MAX      256
#define NETWORKS_MAX   64

static const struct {
        const char *word;
        PlPhase phase;
} phases[] = {
        { "created", PL_PHASE_CREATED },
        { "running", PL_PHASE_RUNNING },
        { "paused", PL_PHASE_PAUSED },
        { "restarting", PL_PHASE_RESTARTING },
        { "removing", PL_PHASE_REMOVING },
        { "exited", PL_PHASE_EXITED },
        { "dead", PL_PHASE_DEAD },
        /* Podman's own */
        { "configured", PL_PHASE_CREATED },
        { "initialized", PL_PHASE_CREATED },
        { "stopping", PL_PHASE_RUNNING },
        { "stopped", PL_PHASE_EXITED },
};

static PlPhase parse_phase(const json_t *state) {
        const char *word = pl_json_string(state, "Status");

        for (size_t i = 0; word && i < PL_ARRAY_SIZE(phases); i++)
                if (pl_streq(word, phases[i].word))
                        return phases[i].phase;

        /* In this order: Running is true while Paused, and while Restarting. */
        return pl_json_true(state, "Restarting") ? PL_PHASE_RESTARTING
               : pl_json_true(state, "Paused")   ? PL_PHASE_PAUSED
               : pl_json_true(state, "Running")  ? PL_PHASE_RUNNING
               : pl_json_true(state, "Dead")     ? PL_PHASE_DEAD
                                                 : PL_PHASE_UNKNOWN;
}

PlDockerHealth pl_docker_health_from_string(const char *s) {
        return !s                         ? PL_DOCKER_HEALTH_NONE
               : pl_streq(s, "starting")  ? PL_DOCKER_HEALTH_STARTING
               : pl_streq(s, "healthy")   ? PL_DOCKER_HEALTH_HEALTHY
               : pl_streq(s, "unhealthy") ? PL_DOCKER_HEALTH_UNHEALTHY
                                          : PL_DOCKER_HEALTH_NONE;
}

/* Return: CLOCK_REALTIME, microseconds; 0: never (Go's zero time), or no time at all. */
static uint64_t time_of(const char *s) {
        uint64_t nsec;

        return s && pl_parse_time(s, strlen(s), PL_TIME_RFC3339, &nsec) == 0
                               ? nsec / PL_NSEC_PER_USEC
                               : 0;
}

static void parse_state(const json_t *state, PlContainer *c) {
        c->phase = parse_phase(state);
        c->docker_health = pl_docker_health_from_string(
                        pl_json_string(json_object_get(state, "Health"), "Status"));
        c->pid = (pid_t)pl_json_int(state, "Pid", 0, INT_MAX, 0);
        c->oom_killed = pl_json_true(state, "OOMKilled");
        c->exit_code = (int)pl_json_int(state, "ExitCode", INT_MIN, INT_MAX, 0);
        c->started_usec = time_of(pl_json_string(state, "StartedAt"));
        c->finished_usec = time_of(pl_json_string(state, "FinishedAt"));
}

/* [{"Path":"/dev/sda","Rate":1048576}] */
static int parse_rates(const json_t *array, char **ret) {
        _cleanup_free_ PlDeviceRate *rates = NULL;
        size_t n = 0, size = PL_MIN(json_array_size(array), (size_t)DEVICES_MAX);

        if (size == 0)
                return 0;
        rates = calloc(size, sizeof(*rates));
        if (!rates)
                return -ENOMEM;
        for (size_t i = 0; i < size; i++) {
                const json_t *o = json_array_get(array, i);
                const char *path = pl_json_string(o, "Path");
                int64_t rate = pl_json_int(o, "Rate", 0, INT64_MAX, 0);

                if (rate == 0 || !path || *path != '/' || strlen(path) >= PL_DEVICE_MAX ||
                    strpbrk(path, " ;"))
                        continue;
                (void)snprintf(rates[n].device, sizeof(rates[n].device), "%s", path);
                rates[n++].bytes = (uint64_t)rate;
        }
        return pl_resource_devices_join(rates, n, ret);
}

static int parse_host_config(const json_t *host, PlHostConfig *h) {
        static const struct {
                const char *key;
                size_t offset;
                int64_t min;
        } numbers[] = {
                { "Memory", offsetof(PlHostConfig, memory), 0 },
                { "MemorySwap", offsetof(PlHostConfig, memory_swap), -1 },
                { "MemoryReservation", offsetof(PlHostConfig, memory_reservation), 0 },
                { "NanoCpus", offsetof(PlHostConfig, nano_cpus), 0 },
                { "CpuQuota", offsetof(PlHostConfig, cpu_quota), -1 },
                { "CpuPeriod", offsetof(PlHostConfig, cpu_period), 0 },
                { "CpuShares", offsetof(PlHostConfig, cpu_shares), 0 },
                { "PidsLimit", offsetof(PlHostConfig, pids_limit), -1 },
        };
        static const struct {
                const char *key;
                size_t offset;
        } strings[] = {
                { "CpusetCpus", offsetof(PlHostConfig, cpuset_cpus) },
                { "CgroupParent", offsetof(PlHostConfig, cgroup_parent) },
                { "NetworkMode", offsetof(PlHostConfig, network_mode) },
        };
        int r;

        for (size_t i = 0; i < PL_ARRAY_SIZE(numbers); i++)
                *(int64_t *)((char *)h + numbers[i].offset) =
                                pl_json_int(host, numbers[i].key, numbers[i].min, INT64_MAX, 0);
        h->blkio_weight = (uint16_t)pl_json_int(host, "BlkioWeight", 0, 1000, 0);

        r = parse_rates(json_object_get(host, "BlkioDeviceReadBps"), &h->read_bps);
        if (r >= 0)
                r = parse_rates(json_object_get(host, "BlkioDeviceWriteBps"), &h->write_bps);
        if (r < 0)
                return r;
        for (size_t i = 0; i < PL_ARRAY_SIZE(strings); i++) {
                r = pl_json_dup_member(host, strings[i].key, PL_DOCKER_STRING_MAX,
                                       (char **)((char *)h + strings[i].offset));
                if (r < 0)
                        return r;
        }
        return pl_json_dup_member(json_object_get(host, "RestartPolicy"), "Name", NAME_MAX_BYTES,
                                  &h->restart_policy);
}

/* Labels that policies live by: they are kept even when an image brings hundreds of others. */
static bool is_vital(const char *key) {
        return pl_startswith(key, "com.docker.compose.") || pl_startswith(key, "plimsoll.");
}

static int compare_vital(const void *a, const void *b) {
        const char *x = *(const char *const *)a, *y = *(const char *const *)b;

        if (is_vital(x) != is_vital(y))
                return is_vital(x) ? -1 : 1;
        return strcmp(x, y);
}

static int compare_pair(const void *a, const void *b) {
        return strcmp(((const PlPair *)a)->key, ((const PlPair *)b)->key);
}

/* An object of strings to pairs, sorted by key, at most max of them. Others are left out. */
static int parse_pairs(const json_t *object, size_t max, PlPair **ret, size_t *ret_n) {
        _cleanup_free_ const char **keys = NULL;
        const char *key;
        const json_t *value;
        size_t n = 0;
        int r;

        if (json_object_size(object) == 0)
                return 0;
        keys = calloc(json_object_size(object), sizeof(*keys));
        if (!keys)
                return -ENOMEM;
        json_object_foreach((json_t *)object, key, value) if (json_is_string(value) && key[0])
                        keys[n++] = key;
        if (n > max) {
                qsort(keys, n, sizeof(*keys), compare_vital);
                n = max;
        }
        if (n == 0)
                return 0;

        *ret = calloc(n, sizeof(PlPair));
        if (!*ret)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                PlPair *p = *ret + (*ret_n)++;

                r = pl_json_dup(keys[i], PL_DOCKER_STRING_MAX, &p->key);
                if (r < 0)
                        return r;
                r = pl_json_dup_member(object, keys[i], PL_DOCKER_STRING_MAX, &p->value);
                if (r < 0)
                        return r;
        }
        qsort(*ret, n, sizeof(PlPair), compare_pair);
        return 0;
}

/* Only text that is an address, so that nobody downstream connects to or prints anything else. */
static void parse_ip(int family, const char *s, char ret[static 46]) {
        struct in6_addr unused;

        if (s && strlen(s) < 46 && inet_pton(family, s, &unused) == 1)
                strcpy(ret, s);
}

static int parse_networks(const json_t *settings, PlContainer *c) {
        const json_t *networks = json_object_get(settings, "Networks"), *value;
        const char *name;
        size_t n = PL_MIN(json_object_size(networks), (size_t)NETWORKS_MAX);
        int r;

        if (n == 0)
                return 0;
        c->reach.networks = calloc(n, sizeof(PlNetwork));
        if (!c->reach.networks)
                return -ENOMEM;
        json_object_foreach((json_t *)networks, name, value) {
                PlNetwork *net;

                if (c->reach.n_networks == n)
                        break;
                net = &c->reach.networks[c->reach.n_networks++];
                r = pl_json_dup(name, NAME_MAX_BYTES, &net->name);
                if (r < 0)
                        return r;
                parse_ip(AF_INET, pl_json_string(value, "IPAddress"), net->ip);
                parse_ip(AF_INET6, pl_json_string(value, "GlobalIPv6Address"), net->ip6);
        }
        return 0;
}

/* Digits of a port number up to the end or to stop. Return: 0 when it is none. */
static uint16_t parse_port(const char *s, char stop, const char **ret_rest) {
        unsigned v = 0;

        if (!s)
                return 0;
        for (; *s >= '0' && *s <= '9'; s++) {
                v = v * 10 + (unsigned)(*s - '0');
                if (v > UINT16_MAX)
                        return 0;
        }
        if (*s != stop)
                return 0;
        if (ret_rest)
                *ret_rest = s;
        return (uint16_t)v;
}

static void add_bindings(const PlPort *port, const json_t *bindings, PlContainer *c) {
        const json_t *b;
        size_t i;

        if (json_array_size(bindings) == 0) {
                if (c->reach.n_ports < PORTS_MAX)
                        c->reach.ports[c->reach.n_ports++] = *port;
                return;
        }
        json_array_foreach(bindings, i, b) {
                const char *ip = pl_json_string(b, "HostIp");
                PlPort p = *port;

                if (c->reach.n_ports == PORTS_MAX)
                        return;
                p.host_port = parse_port(pl_json_string(b, "HostPort"), '\0', NULL);
                parse_ip(ip && strchr(ip, ':') ? AF_INET6 : AF_INET, ip, p.host_ip);
                c->reach.ports[c->reach.n_ports++] = p;
        }
}

/* {"5432/tcp": [{"HostIp", "HostPort"}] or null}. SCTP is nobody's probe or audit: left out. */
static int parse_ports(const json_t *settings, const json_t *host, PlContainer *c) {
        const json_t *ports = json_object_get(settings, "Ports"), *bindings;
        const char *spec, *proto;
        void *shrunk;

        /* Not running: nothing is bound yet, what will be is in HostConfig. */
        if (json_object_size(ports) == 0)
                ports = json_object_get(host, "PortBindings");
        if (json_object_size(ports) == 0)
                return 0;

        c->reach.ports = calloc(PORTS_MAX, sizeof(PlPort));
        if (!c->reach.ports)
                return -ENOMEM;
        json_object_foreach((json_t *)ports, spec, bindings) {
                PlPort p = { .container_port = parse_port(spec, '/', &proto) };

                if (p.container_port == 0 || (!pl_streq(proto, "/tcp") && !pl_streq(proto, "/udp")))
                        continue;
                p.udp = pl_streq(proto, "/udp");
                add_bindings(&p, bindings, c);
        }

        shrunk = reallocarray(c->reach.ports, PL_MAX(c->reach.n_ports, (size_t)1), sizeof(PlPort));
        if (shrunk)
                c->reach.ports = shrunk;
        return 0;
}

static int parse_mounts(const json_t *mounts, PlContainer *c) {
        size_t n = PL_MIN(json_array_size(mounts), (size_t)MOUNTS_MAX);
        int r;

        if (n == 0)
                return 0;
        c->mounts = calloc(n, sizeof(PlMount));
        if (!c->mounts)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const json_t *j = json_array_get(mounts, i);
                PlMount *m = &c->mounts[c->n_mounts++];

                r = pl_json_dup_member(j, "Type", NAME_MAX_BYTES, &m->type);
                if (r == 0)
                        r = pl_json_dup_member(j, "Source", PL_DOCKER_STRING_MAX, &m->source);
                if (r == 0)
                        r = pl_json_dup_member(j, "Destination", PL_DOCKER_STRING_MAX,
                                               &m->destination);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What probes need and no more: everything else in there may be a password. */
static const char *const env_names[] = { "OLLAMA_HOST", "PGDATA", "PGPORT", "POSTGRES_DB",
                                         "POSTGRES_USER" };

static PlPair *env_slot(PlContainer *c, const char *name) {
        for (size_t i = 0; i < c->n_env; i++)
                if (pl_streq(c->env[i].key, name))
                        return &c->env[i];
        return NULL;
}

static int parse_env_entry(const char *entry, const char *name, PlContainer *c) {
        PlPair *p = env_slot(c, name);

        if (p) { /* the last one wins, as in the engine */
                free(p->value);
                p->value = NULL;
        } else {
                p = &c->env[c->n_env++];
                if (pl_json_dup(name, NAME_MAX_BYTES, &p->key) < 0)
                        return -ENOMEM;
        }
        return pl_json_dup(entry + strlen(name) + 1, PL_DOCKER_STRING_MAX, &p->value);
}

static int parse_env(const json_t *env, PlContainer *c) {
        const json_t *j;
        size_t i;

        json_array_foreach(env, i, j) {
                const char *entry = json_string_value(j);

                for (size_t k = 0; entry && k < PL_ARRAY_SIZE(env_names); k++) {
                        const char *name = env_names[k];

                        if (!pl_startswith(entry, name) || entry[strlen(name)] != '=')
                                continue;
                        if (!c->env)
                                c->env = calloc(PL_ARRAY_SIZE(env_names), sizeof(PlPair));
                        if (!c->env || parse_env_entry(entry, name, c) < 0)
                                return -ENOMEM;
                }
        }
        return 0;
}

static int parse_names(const json_t *root, const json_t *config, PlContainer *c) {
        const char *name = pl_json_string(root, "Name");
        char short_id[13];
        int r;

        snprintf(short_id, sizeof(short_id), "%.12s", c->id);
        if (name && name[0] == '/')
                name++;
        r = pl_json_dup(name && name[0] ? name : short_id, NAME_MAX_BYTES, &c->name);
        if (r == 0)
                r = pl_json_dup_member(config, "Image", PL_DOCKER_STRING_MAX, &c->image);
        if (r == 0)
                r = pl_json_dup_member(root, "Image", NAME_MAX_BYTES, &c->image_id);
        return r;
}

static void parse_arguments(const json_t *arguments, PlContainer *c) {
        const char *previous = NULL;
        const json_t *j;
        size_t i;

        json_array_foreach(arguments, i, j) {
                const char *argument = json_string_value(j);

                if (argument)
                        pl_setting_take(previous, argument, &c->setting);
                previous = argument;
        }
}

static int parse_log(const json_t *root, const json_t *host, PlContainer *c) {
        const json_t *log = json_object_get(host, "LogConfig");
        int r;

        r = pl_json_dup_member(root, "LogPath", PL_DOCKER_STRING_MAX, &c->log.path);
        if (r == 0)
                r = pl_json_dup_member(log, "Type", NAME_MAX_BYTES, &c->log.driver);
        if (r == 0)
                r = parse_pairs(json_object_get(log, "Config"), OPTIONS_MAX, &c->log.options,
                                &c->log.n_options);
        return r;
}

/* Source: Docker Engine API, ContainerInspect: seconds, null stands for the engine's default, which
 * is 10; -1 waits for ever. */
static uint64_t parse_stop_timeout(const json_t *config) {
        int64_t sec = pl_json_int(config, "StopTimeout", -1, INT_MAX, 10);

        return sec < 0 ? PL_TIME_INFINITY : (uint64_t)sec * PL_USEC_PER_SEC;
}

static int fill(const json_t *root, PlContainer *c) {
        const json_t *config = json_object_get(root, "Config"),
                     *host = json_object_get(root, "HostConfig"),
                     *settings = json_object_get(root, "NetworkSettings");
        int r;

        parse_state(json_object_get(root, "State"), c);
        parse_arguments(json_object_get(root, "Args"), c);
        c->stop_timeout_usec = parse_stop_timeout(config);
        c->restart_count = (unsigned)pl_json_int(root, "RestartCount", 0, UINT_MAX, 0);
        c->created_usec = time_of(pl_json_string(root, "Created"));
        c->docker_start_period_usec = (uint64_t)pl_json_int(json_object_get(config, "Healthcheck"),
                                                            "StartPeriod", 0, INT64_MAX, 0) /
                                      1000;

        r = parse_names(root, config, c);
        if (r == 0)
                r = parse_host_config(host, &c->host);
        if (r == 0)
                r = parse_pairs(json_object_get(config, "Labels"), PL_DOCKER_LABELS_MAX, &c->labels,
                                &c->n_labels);
        if (r == 0)
                r = parse_networks(settings, c);
        if (r == 0)
                r = parse_ports(settings, host, c);
        if (r == 0)
                r = parse_mounts(json_object_get(root, "Mounts"), c);
        if (r == 0)
                r = parse_log(root, host, c);
        if (r == 0)
                r = parse_env(json_object_get(config, "Env"), c);
        return r;
}

int pl_docker_parse_inspect(const char *body, size_t size, PlContainer **ret) {
        _cleanup_(pl_container_freep) PlContainer *c = NULL;
        _cleanup_json_ json_t *root = NULL;
        const char *id;
        int r;

        r = pl_json_load_object(body, size, &root);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        id = pl_json_string(root, "Id");
        if (!id || !pl_is_id(id))
                return -EBADMSG;

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        memcpy(c->id, id, PL_ID_MAX);
        r = fill(root, c);
        if (r < 0)
                return r;
        json_decref(TAKE_PTR(root)); /* its memory first: the packed block finds room there */
        r = pl_container_pack(&c);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(c);
        return 0;
}

int pl_docker_parse_born(const char *id, const json_t *attributes, PlContainer **ret) {
        _cleanup_(pl_container_freep) PlContainer *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        (void)snprintf(c->id, sizeof(c->id), "%s", id);
        c->phase = PL_PHASE_CREATED;
        r = pl_json_dup_member(attributes, "name", PL_DOCKER_STRING_MAX, &c->name);
        if (r == 0)
                r = pl_json_dup_member(attributes, "image", PL_DOCKER_STRING_MAX, &c->image);
        if (r == 0)
                r = parse_pairs(attributes, PL_DOCKER_LABELS_MAX, &c->labels, &c->n_labels);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}
