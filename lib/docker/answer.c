/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Answers: the engine's JSON to values.
 *
 * A document is measured in one linear pass before jansson builds anything from it: jansson by
 * itself turns 16 MiB of "[[],[],…" into a gigabyte, and refuses a whole document for one NUL in
 * one label. Members are then read with bounds.
 *
 * Of an inspection, only what policies, probes, log rotation and findings look at is kept. Only the
 * id is indispensable; anything else that is missing or mistyped gets the API's own "unset".
 * NetworkSettings.IPAddress is ignored: it is gone from API 1.52 on, and Networks has been there
 * since 1.21. Of an event, only Type, Action, Actor and timeNano are read: the older status, id and
 * from are gone from API 1.52 on. An event is a hint; an inspection tells the rest.
 *
 * No I/O here: the daemon's engine/ asks.
 */

#include "lib/docker/answer.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <sys/sysmacros.h>
#include <limits.h>
#include <signal.h>

#include "lib/base/json.h"
#include "lib/base/quote.h"
#include "lib/base/strv.h"
#include "lib/base/time.h"
#include "lib/docker/prune.h"
#include "lib/limits/resource.h"

/* --- documents and members --- */

/* Values in one document or list element. A real inspect answer has about 300. */
#define VALUES_MAX 200000

/* What a linear look at a document finds before anything is built from it. */
typedef struct JsonScan {
        size_t end; /* offset behind the value */
        size_t n_values;
        bool has_nul; /* an escaped U+0000 is in some string */
} JsonScan;

/* As it is written in JSON; both are six bytes, so that one replaces the other in place. */
#define ESCAPED_NUL         "\\u0000"
#define ESCAPED_REPLACEMENT "\\ufffd"
#define ESCAPED_SIZE        6

static bool is_escaped_nul(const char *s, size_t size) {
        return size >= ESCAPED_SIZE && memcmp(s, ESCAPED_NUL, ESCAPED_SIZE) == 0;
}

static size_t skip_string(const char *text, size_t size, size_t i, bool *has_nul) {
        for (; i < size; i++) {
                if (text[i] == '"')
                        return i;
                if (text[i] == '\\') {
                        if (is_escaped_nul(text + i, size - i))
                                *has_nul = true;
                        i++; /* whatever is escaped cannot end the string */
                }
        }
        return size;
}

static int scan_value(const char *text, size_t size, JsonScan *ret) {
        JsonScan s = {};
        size_t i = 0, depth = 0;

        while (i < size && isspace((unsigned char)text[i]))
                i++;
        if (i == size || (text[i] != '{' && text[i] != '['))
                return -EBADMSG;

        for (; i < size; i++) {
                switch (text[i]) {
                case '"':
                        i = skip_string(text, size, i + 1, &s.has_nul);
                        break;
                case '{':
                case '[':
                        depth++;
                        s.n_values++;
                        break;
                case ',':
                        s.n_values++;
                        break;
                case '}':
                case ']':
                        depth--;
                        break;
                default:
                        break;
                }
                if (s.n_values > VALUES_MAX)
                        return -E2BIG;
                if (depth == 0) {
                        s.end = i + 1;
                        *ret = s;
                        return 0;
                }
        }
        return -EBADMSG;
}

/* jansson cannot keep U+0000 in a key, and a label may have one: without this, one container could
 * make the whole list unreadable. */
static char *without_nul(const char *text, size_t size) {
        char *copy = malloc(size);

        if (!copy)
                return NULL;
        memcpy(copy, text, size);
        for (size_t i = 0; i < size; i++)
                if (copy[i] == '\\') {
                        if (is_escaped_nul(copy + i, size - i))
                                memcpy(copy + i, ESCAPED_REPLACEMENT, ESCAPED_SIZE);
                        i++;
                }
        return copy;
}

static int load_object(const char *text, size_t size, json_t **ret) {
        _cleanup_free_ char *copy = NULL;
        _cleanup_json_ json_t *root = NULL;
        json_error_t error;
        JsonScan scan;
        int r;

        r = scan_value(text, size, &scan);
        if (r < 0)
                return r;
        if (scan.has_nul) {
                copy = without_nul(text, size);
                if (!copy)
                        return -ENOMEM;
        }

        root = json_loadb(copy ?: text, size, 0, &error);
        if (!root)
                return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
        if (!json_is_object(root))
                return -EBADMSG;

        *ret = TAKE_PTR(root);
        return 0;
}

static const char *string_of(const json_t *object, const char *key) {
        return json_string_value(json_object_get(object, key));
}

static int64_t int_of(const json_t *object, const char *key, int64_t min, int64_t max,
                      int64_t fallback) {
        const json_t *j = json_object_get(object, key);
        json_int_t v;

        if (!json_is_integer(j))
                return fallback;
        v = json_integer_value(j);
        return v < min || v > max ? fallback : v;
}

static bool is_true(const json_t *object, const char *key) {
        return json_is_true(json_object_get(object, key));
}

/* The longest prefix of at most max_bytes that ends with a whole UTF-8 character. */
static size_t cut_length(const char *s, size_t max_bytes) {
        size_t n = strnlen(s, max_bytes + 1);

        if (n <= max_bytes)
                return n;
        n = max_bytes;
        while (n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80)
                n--;
        return n;
}

static int dup_cut(const char *s, size_t max_bytes, char **ret) {
        char *copy = strndup(s ?: "", s ? cut_length(s, max_bytes) : 0);

        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

static int dup_member(const json_t *object, const char *key, size_t max_bytes, char **ret) {
        return dup_cut(string_of(object, key), max_bytes, ret);
}

static void copy_cut(const char *s, char *buf, size_t buf_size) {
        size_t n = s ? cut_length(s, buf_size - 1) : 0;

        if (n > 0)
                memcpy(buf, s, n);
        buf[n] = '\0';
}

/* --- versions, lists, errors --- */

#define ERROR_STRING_MAX 400

static int version_compare(PlApiVersion a, PlApiVersion b) {
        if (a.major != b.major)
                return a.major < b.major ? -1 : 1;
        return a.minor == b.minor ? 0 : a.minor < b.minor ? -1 : 1;
}

/* Up to four digits and no sign: a version that needs more is not one. */
static bool parse_component(const char **s, unsigned *ret) {
        unsigned v = 0;
        int n;

        for (n = 0; n < 4 && isdigit((unsigned char)**s); n++, (*s)++)
                v = v * 10 + (unsigned)(**s - '0');
        *ret = v;
        return n > 0;
}

/* "1.41"; Podman says "1.41.0" in some versions. */
static int parse_api_version(const char *s, PlApiVersion *ret) {
        PlApiVersion v;

        if (!s || !parse_component(&s, &v.major) || *s++ != '.' || !parse_component(&s, &v.minor))
                return -EBADMSG;
        if (*s != '\0' && *s != '.')
                return -EBADMSG;
        *ret = v;
        return 0;
}

static bool is_podman(const json_t *root) {
        const json_t *component;
        size_t i;

        json_array_foreach(json_object_get(root, "Components"), i, component) {
                const char *name = string_of(component, "Name");

                if (name && strcasestr(name, "podman"))
                        return true;
        }
        return false;
}

/* The highest version that both know; 0.0: their ranges do not meet. */
static PlApiVersion negotiate(const PlEngineInfo *i) {
        PlApiVersion v = PL_DOCKER_API_TESTED;

        if (version_compare(i->api_max, v) < 0)
                v = i->api_max;
        if (version_compare(v, i->api_min) < 0 || version_compare(v, PL_DOCKER_API_MIN) < 0)
                return (PlApiVersion){};
        return v;
}

int pl_docker_parse_version(const char *body, size_t size, PlEngineInfo *ret) {
        _cleanup_json_ json_t *root = NULL;
        PlEngineInfo info = {};
        int r;

        r = load_object(body, size, &root);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;

        r = parse_api_version(string_of(root, "ApiVersion"), &info.api_max);
        if (r < 0)
                return r;
        /* Engines before 1.13 do not report a minimum: they speak every version up to their own. */
        if (parse_api_version(string_of(root, "MinAPIVersion"), &info.api_min) < 0)
                info.api_min = PL_DOCKER_API_MIN;
        info.api = negotiate(&info);
        info.podman = is_podman(root);
        copy_cut(string_of(root, "Version"), info.version, sizeof(info.version));

        *ret = info;
        return 0;
}

int pl_docker_parse_info(const char *body, size_t size, PlEngineRoot *ret) {
        _cleanup_json_ json_t *root = NULL;
        int r = load_object(body, size, &root);

        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        *ret = (PlEngineRoot){ 0 };
        copy_cut(string_of(root, "ID"), ret->id, sizeof(ret->id));
        copy_cut(string_of(root, "DockerRootDir"), ret->path, sizeof(ret->path));
        ret->no_scopes = pl_streq_null(string_of(root, "CgroupDriver"), "cgroupfs");
        return *ret->id || *ret->path ? 0 : -EBADMSG;
}

bool pl_docker_identity(const PlEngineRoot *root, bool podman,
                        char ret[static PL_ENGINE_IDENTITY_MAX]) {
        char where[64] = "";
        bool has_id = !podman && *root->id;

        if (root->found)
                (void)snprintf(where, sizeof(where), "%u:%u:%llu", major(root->dev),
                               minor(root->dev), (unsigned long long)root->ino);
        (void)snprintf(ret, PL_ENGINE_IDENTITY_MAX, "%s%s%s",
                       has_id   ? root->id
                       : podman ? "podman"
                                : "engine",
                       root->found ? "/" : "", where);
        for (char *c = ret; *c; c++)
                if (*c <= ' ' || *c > '~')
                        *c = '?';
        return has_id || root->found;
}

typedef struct IdList {
        char (*ids)[PL_ID_MAX];
        size_t n, allocated;
} IdList;

static int id_list_add(IdList *l, const char *id) {
        if (l->n == l->allocated) {
                size_t wanted = l->allocated ? l->allocated * 2 : 16;
                void *p = reallocarray(l->ids, wanted, PL_ID_MAX);

                if (!p)
                        return -ENOMEM;
                l->ids = p;
                l->allocated = wanted;
        }
        memcpy(l->ids[l->n++], id, PL_ID_MAX);
        return 0;
}

static int take_id(void *userdata, const json_t *element) {
        const char *id = string_of(element, "Id");

        if (!id || !pl_is_id(id))
                return -EBADMSG;
        return id_list_add(userdata, id);
}

/* What becomes of an element. Return: 0, negative errno. */
typedef int (*Take)(void *userdata, const json_t *element);

/* One element at a time: the tree of a list of thousands would be tens of megabytes. */
static int parse_element(const char *text, size_t size, Take take, void *userdata) {
        _cleanup_json_ json_t *element = NULL;
        int r;

        r = load_object(text, size, &element);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        return take(userdata, element);
}

static void skip_space(const char **p, const char *end) {
        while (*p < end && isspace((unsigned char)**p))
                (*p)++;
}

static int parse_elements(const char *p, const char *end, Take take, void *userdata) {
        JsonScan scan;
        int r;

        skip_space(&p, end);
        if (p == end || *p++ != '[')
                return -EBADMSG;
        skip_space(&p, end);
        if (p < end && *p == ']')
                p++;
        else
                for (;;) {
                        skip_space(&p, end);
                        r = scan_value(p, (size_t)(end - p), &scan);
                        if (r < 0)
                                return -EBADMSG;
                        r = parse_element(p, scan.end, take, userdata);
                        if (r < 0)
                                return r;
                        p += scan.end;
                        skip_space(&p, end);
                        if (p == end || (*p != ',' && *p != ']'))
                                return -EBADMSG;
                        if (*p++ == ']')
                                break;
                }
        skip_space(&p, end);
        return p == end ? 0 : -EBADMSG;
}

int pl_docker_parse_list(const char *body, size_t size, char (**ret_ids)[PL_ID_MAX],
                         size_t *ret_n) {
        IdList l = {};
        int r;

        r = parse_elements(body, body + size, take_id, &l);
        if (r < 0) {
                free(l.ids);
                return r;
        }
        *ret_ids = l.ids;
        *ret_n = l.n;
        return 0;
}

typedef struct NetworkList {
        PlNetworkInfo *items;
        size_t n;
} NetworkList;

/* A macvlan or ipvlan keeps its parent interface, which is the host's, apart from its containers
 * (ip-link(8), Docker's "Macvlan network driver"); an overlay lies in a namespace of its own. */
static bool is_apart(const char *driver) {
        return driver && (pl_streq(driver, "macvlan") || pl_streq(driver, "ipvlan") ||
                          pl_streq(driver, "overlay"));
}

static int take_network(void *userdata, const json_t *element) {
        NetworkList *l = userdata;
        PlNetworkInfo *grown;

        if (l->n % 16 == 0) {
                grown = reallocarray(l->items, l->n + 16, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                l->items = grown;
        }
        grown = &l->items[l->n++];
        copy_cut(string_of(element, "Id"), grown->id, sizeof(grown->id));
        copy_cut(string_of(element, "Name"), grown->name, sizeof(grown->name));
        grown->apart = is_apart(string_of(element, "Driver"));
        return 0;
}

int pl_docker_parse_networks(const char *body, size_t size, PlNetworkInfo **ret, size_t *ret_n) {
        NetworkList l = {};
        int r;

        r = parse_elements(body, body + size, take_network, &l);
        if (r < 0) {
                free(l.items);
                return r;
        }
        *ret = l.items;
        *ret_n = l.n;
        return 0;
}

char *pl_docker_parse_error(const char *body, size_t size) {
        _cleanup_json_ json_t *root = NULL;
        const char *message;

        if (load_object(body, size, &root) < 0)
                return NULL;
        message = string_of(root, "message");
        return message && message[0] ? pl_escape(message, ERROR_STRING_MAX) : NULL;
}

char *pl_docker_parse_warnings(const char *body, size_t size) {
        _cleanup_json_ json_t *root = NULL;
        _cleanup_free_ char *all = NULL;
        const json_t *warning;
        size_t i, n = 0;

        if (load_object(body, size, &root) < 0)
                return NULL;
        json_array_foreach(json_object_get(root, "Warnings"), i, warning) {
                const char *w = json_string_value(warning);
                size_t w_size = w ? strlen(w) : 0;
                char *grown;

                if (w_size == 0 || n + w_size > ERROR_STRING_MAX)
                        continue;
                grown = realloc(all, n + w_size + 3);
                if (!grown)
                        return NULL;
                all = grown;
                n += (size_t)sprintf(all + n, "%s%s", n > 0 ? "; " : "", w);
        }
        return all ? pl_escape(all, ERROR_STRING_MAX) : NULL;
}

/* --- one container --- */

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
        const char *word = string_of(state, "Status");

        for (size_t i = 0; word && i < PL_ARRAY_SIZE(phases); i++)
                if (pl_streq(word, phases[i].word))
                        return phases[i].phase;

        /* In this order: Running is true while Paused, and while Restarting. */
        return is_true(state, "Restarting") ? PL_PHASE_RESTARTING
               : is_true(state, "Paused")   ? PL_PHASE_PAUSED
               : is_true(state, "Running")  ? PL_PHASE_RUNNING
               : is_true(state, "Dead")     ? PL_PHASE_DEAD
                                            : PL_PHASE_UNKNOWN;
}

static PlDockerHealth health_of(const char *s) {
        return !s                         ? PL_DOCKER_HEALTH_NONE
               : pl_streq(s, "starting")  ? PL_DOCKER_HEALTH_STARTING
               : pl_streq(s, "healthy")   ? PL_DOCKER_HEALTH_HEALTHY
               : pl_streq(s, "unhealthy") ? PL_DOCKER_HEALTH_UNHEALTHY
                                          : PL_DOCKER_HEALTH_NONE;
}

/*
 * A check whose command could not be started (no task is left, no memory, an exec that fails)
 * counts as failed for the engine, and says nothing of the service. It has the exit code -1, which
 * one that took too long has as well (tried: 20.10; moby, daemon/health.go). Or its shell was
 * started, and had no task left for the command itself.
 */
static bool was_not_run(const json_t *check) {
        const char *output = string_of(check, "Output");

        if (!output)
                return false;
        if (int_of(check, "ExitCode", -1, INT_MAX, 0) < 0)
                return !pl_startswith(output, "Health check exceeded timeout");
        return strstr(output, "fork") && (strstr(output, "Resource temporarily unavailable") ||
                                          strstr(output, "Cannot allocate memory"));
}

/* Docker's own, where Retries is 0. Source: moby, daemon/health.go. */
#define DOCKER_RETRIES 3

/*
 * While a container is paused the engine checks nothing, and calls what it does not check
 * unhealthy, until the first check after the pause; the number of failures in a row stays what it
 * was (tried: 20.10, 28.5; moby, container/health.go, CloseMonitorChannel()). What failed less
 * often than the check allows is as it was last.
 */
static PlDockerHealth docker_health_of(const json_t *health, const json_t *config) {
        PlDockerHealth status = health_of(string_of(health, "Status"));
        const json_t *log = json_object_get(health, "Log"),
                     *last = json_array_get(log, json_array_size(log) - 1);
        int64_t retries = int_of(config, "Retries", 0, INT_MAX, 0);

        if (status != PL_DOCKER_HEALTH_UNHEALTHY)
                return status;
        if (was_not_run(last))
                return PL_DOCKER_HEALTH_NOT_RUN;
        if (int_of(health, "FailingStreak", 0, INT_MAX, INT_MAX) >=
            (retries > 0 ? retries : DOCKER_RETRIES))
                return status;
        return last && int_of(last, "ExitCode", INT_MIN, INT_MAX, -1) == 0
                               ? PL_DOCKER_HEALTH_HEALTHY
                               : PL_DOCKER_HEALTH_NOT_RUN;
}

/* Return: CLOCK_REALTIME, microseconds; 0: never (Go's zero time), or no time at all. */
static uint64_t time_of(const char *s) {
        uint64_t nsec;

        return s && pl_parse_time(s, strlen(s), PL_TIME_RFC3339, &nsec) == 0
                               ? nsec / PL_NSEC_PER_USEC
                               : 0;
}

static void parse_healthcheck(const json_t *health, const json_t *config, PlHealthcheck *ret) {
        const json_t *log = json_object_get(health, "Log"),
                     *last = json_array_get(log, json_array_size(log) - 1);

        ret->status = docker_health_of(health, config);
        ret->unsure = ret->status != health_of(string_of(health, "Status")) && !was_not_run(last);
        ret->checked_usec = time_of(string_of(last, "Start"));
        ret->start_period_usec = (uint64_t)int_of(config, "StartPeriod", 0, INT64_MAX, 0) / 1000;
}

static void parse_state(const json_t *state, PlContainer *c) {
        c->phase = parse_phase(state);
        c->pid = (pid_t)int_of(state, "Pid", 0, INT_MAX, 0);
        c->oom_killed = is_true(state, "OOMKilled");
        c->start_failed = *(string_of(state, "Error") ?: "") != '\0';
        c->exit_code = (int)int_of(state, "ExitCode", INT_MIN, INT_MAX, 0);
        c->started_usec = time_of(string_of(state, "StartedAt"));
        c->finished_usec = time_of(string_of(state, "FinishedAt"));
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
                const char *path = string_of(o, "Path");
                int64_t rate = int_of(o, "Rate", 0, INT64_MAX, 0);

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
                                int_of(host, numbers[i].key, numbers[i].min, INT64_MAX, 0);
        h->auto_remove = json_is_true(json_object_get(host, "AutoRemove"));
        h->blkio_weight = (uint16_t)int_of(host, "BlkioWeight", 0, 1000, 0);

        r = parse_rates(json_object_get(host, "BlkioDeviceReadBps"), &h->read_bps);
        if (r >= 0)
                r = parse_rates(json_object_get(host, "BlkioDeviceWriteBps"), &h->write_bps);
        if (r < 0)
                return r;
        for (size_t i = 0; i < PL_ARRAY_SIZE(strings); i++) {
                r = dup_member(host, strings[i].key, PL_DOCKER_STRING_MAX,
                               (char **)((char *)h + strings[i].offset));
                if (r < 0)
                        return r;
        }
        h->restart_tries = int_of(json_object_get(host, "RestartPolicy"), "MaximumRetryCount", 0,
                                  INT32_MAX, 0);
        return dup_member(json_object_get(host, "RestartPolicy"), "Name", NAME_MAX_BYTES,
                          &h->restart_policy);
}

/* Labels that policies match by, and that make a service: kept even when an image has hundreds of
 * others. */
static bool is_vital(const char *key) {
        return pl_startswith(key, "com.docker.compose.") || pl_startswith(key, "plimsoll.") ||
               pl_startswith(key, "com.docker.swarm.service.");
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

                r = dup_cut(keys[i], PL_DOCKER_STRING_MAX, &p->key);
                if (r < 0)
                        return r;
                r = dup_member(object, keys[i], PL_DOCKER_STRING_MAX, &p->value);
                if (r < 0)
                        return r;
        }
        qsort(*ret, n, sizeof(PlPair), compare_pair);
        return 0;
}

/* Only valid addresses pass: others connect to them and print them. */
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
                r = dup_cut(name, NAME_MAX_BYTES, &net->name);
                if (r < 0)
                        return r;
                copy_cut(string_of(value, "NetworkID"), net->id, sizeof(net->id));
                parse_ip(AF_INET, string_of(value, "IPAddress"), net->ip);
                parse_ip(AF_INET6, string_of(value, "GlobalIPv6Address"), net->ip6);
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
                const char *ip = string_of(b, "HostIp");
                PlPort p = *port;

                if (c->reach.n_ports == PORTS_MAX)
                        return;
                p.host_port = parse_port(string_of(b, "HostPort"), '\0', NULL);
                parse_ip(ip && strchr(ip, ':') ? AF_INET6 : AF_INET, ip, p.host_ip);
                c->reach.ports[c->reach.n_ports++] = p;
        }
}

/* {"5432/tcp": [{"HostIp", "HostPort"}] or null}. SCTP is left out: no probe speaks it. */
static int parse_ports(const json_t *settings, const json_t *host, const json_t *config,
                       PlContainer *c) {
        const json_t *ports = json_object_get(settings, "Ports"), *bindings;
        const char *spec, *proto;
        void *shrunk;

        /* Not running: nothing is bound yet; HostConfig has what will be. In the host's network
         * nothing ever is, but what the image exposes may be said. */
        if (json_object_size(ports) == 0)
                ports = json_object_get(host, "PortBindings");
        if (json_object_size(ports) == 0)
                ports = json_object_get(config, "ExposedPorts");
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

                r = dup_member(j, "Type", NAME_MAX_BYTES, &m->type);
                if (r == 0)
                        r = dup_member(j, "Source", PL_DOCKER_STRING_MAX, &m->source);
                if (r == 0)
                        r = dup_member(j, "Destination", PL_DOCKER_STRING_MAX, &m->destination);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The strings of an array, at most max. Return: how many; they are borrowed from the document. */
static size_t strings_of(const json_t *array, const char **list, size_t max) {
        const json_t *j;
        size_t i, n = 0;

        json_array_foreach(array, i, j) if (json_is_string(j) && n < max) list[n++] =
                        json_string_value(j);
        return n;
}

#define ENV_MAX   1024
#define WORDS_MAX 128

static int parse_launch(const json_t *root, const json_t *config, PlContainer *c) {
        _cleanup_free_ const char **env = calloc(ENV_MAX + WORDS_MAX, sizeof(*env));
        const char **words = env + ENV_MAX;
        size_t n_env, n_words = 0;

        if (!env)
                return -ENOMEM;
        n_env = strings_of(json_object_get(config, "Env"), env, ENV_MAX);
        words[0] = string_of(root, "Path");
        if (words[0])
                n_words = 1 + strings_of(json_object_get(root, "Args"), words + 1, WORDS_MAX - 1);
        return pl_launch_read(words, n_words, env, n_env, &c->launch);
}

int pl_docker_parse_environment(const char *body, size_t size, char ***ret) {
        _cleanup_json_ json_t *root = json_loadb(body, size, 0, NULL);
        const json_t *config = json_object_get(root, "Config"), *env, *j;
        char **list;
        size_t i, n = 0;

        if (!json_is_object(config))
                return -EBADMSG;
        env = json_object_get(config, "Env");
        list = calloc(json_array_size(env) + 1, sizeof(*list));
        if (!list)
                return -ENOMEM;
        json_array_foreach(env, i, j) {
                if (!json_is_string(j))
                        continue;
                list[n] = strdup(json_string_value(j));
                if (!list[n]) {
                        pl_strv_free(list);
                        return -ENOMEM;
                }
                n++;
        }
        *ret = list;
        return 0;
}

static int parse_names(const json_t *root, const json_t *config, PlContainer *c) {
        const char *name = string_of(root, "Name");
        char short_id[13];
        int r;

        snprintf(short_id, sizeof(short_id), "%.12s", c->id);
        if (name && name[0] == '/')
                name++;
        r = dup_cut(name && name[0] ? name : short_id, NAME_MAX_BYTES, &c->name);
        if (r == 0)
                r = dup_member(config, "Image", PL_DOCKER_STRING_MAX, &c->image);
        if (r == 0)
                r = dup_member(root, "Image", NAME_MAX_BYTES, &c->image_id);
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

        r = dup_member(root, "LogPath", PL_DOCKER_STRING_MAX, &c->log.path);
        if (r == 0)
                r = dup_member(log, "Type", NAME_MAX_BYTES, &c->log.driver);
        if (r == 0)
                r = parse_pairs(json_object_get(log, "Config"), OPTIONS_MAX, &c->log.options,
                                &c->log.n_options);
        return r;
}

/* Source: Docker Engine API, ContainerInspect: seconds, null stands for the engine's default, which
 * is 10; -1 waits for ever. */
static uint64_t parse_stop_timeout(const json_t *config) {
        int64_t sec = int_of(config, "StopTimeout", -1, INT_MAX, 10);

        return sec < 0 ? PL_TIME_INFINITY : (uint64_t)sec * PL_USEC_PER_SEC;
}

/* Source: moby/sys/signal, ParseSignal: a number, or a name with or without SIG. The names are
 * those of signals that programs take for a stop. Return: 0: none, or another one. */
static int parse_stop_signal(const char *s) {
        static const struct {
                const char *name;
                int number;
        } names[] = {
                { "TERM", SIGTERM }, { "INT", SIGINT },     { "QUIT", SIGQUIT },
                { "KILL", SIGKILL }, { "HUP", SIGHUP },     { "ABRT", SIGABRT },
                { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 },   { "ALRM", SIGALRM },
                { "PWR", SIGPWR },   { "WINCH", SIGWINCH }, { "CONT", SIGCONT },
        };
        static const int rtmin = 34; /* as Go and glibc have it */
        char *end = NULL;
        long n;

        if (!s || !*s)
                return 0;
        n = strtol(s, &end, 10);
        if (*end == '\0')
                return n > 0 && n <= 64 ? (int)n : 0;
        if (pl_startswith(s, "SIG"))
                s += strlen("SIG");
        if (pl_startswith(s, "RTMIN+")) {
                n = strtol(s + strlen("RTMIN+"), &end, 10);
                return *end == '\0' && n >= 0 && n <= 30 ? rtmin + (int)n : 0;
        }
        for (size_t i = 0; i < PL_ARRAY_SIZE(names); i++)
                if (pl_streq(s, names[i].name))
                        return names[i].number;
        return 0;
}

static int fill(const json_t *root, PlContainer *c) {
        const json_t *config = json_object_get(root, "Config"),
                     *host = json_object_get(root, "HostConfig"),
                     *settings = json_object_get(root, "NetworkSettings");
        int r;

        parse_state(json_object_get(root, "State"), c);
        parse_arguments(json_object_get(root, "Args"), c);
        c->stop.timeout_usec = parse_stop_timeout(config);
        c->stop.signal = parse_stop_signal(string_of(config, "StopSignal"));
        c->restart_count = (unsigned)int_of(root, "RestartCount", 0, UINT_MAX, 0);
        c->created_usec = time_of(string_of(root, "Created"));
        parse_healthcheck(json_object_get(json_object_get(root, "State"), "Health"),
                          json_object_get(config, "Healthcheck"), &c->healthcheck);

        r = parse_names(root, config, c);
        if (r == 0)
                r = parse_host_config(host, &c->host);
        if (r == 0)
                r = parse_pairs(json_object_get(config, "Labels"), PL_DOCKER_LABELS_MAX, &c->labels,
                                &c->n_labels);
        if (r == 0)
                r = parse_networks(settings, c);
        if (r == 0)
                r = parse_ports(settings, host, config, c);
        if (r == 0)
                r = parse_mounts(json_object_get(root, "Mounts"), c);
        if (r == 0)
                r = parse_log(root, host, c);
        if (r == 0)
                r = parse_launch(root, config, c);
        return r;
}

/* Every member that fill() and those that it calls look at. */
static const PlKeep keep_health[] = {
        { "Status", NULL }, { "FailingStreak", NULL }, { "Log", NULL }, {}
};
static const PlKeep keep_state[] = {
        { "Status", NULL },
        { "Running", NULL },
        { "Paused", NULL },
        { "Restarting", NULL },
        { "Dead", NULL },
        { "Pid", NULL },
        { "OOMKilled", NULL },
        { "Error", NULL },
        { "ExitCode", NULL },
        { "StartedAt", NULL },
        { "FinishedAt", NULL },
        { "Health", keep_health },
        {},
};
static const PlKeep keep_config[] = {
        { "Image", NULL },       { "Labels", NULL },
        { "Env", NULL },         { "ExposedPorts", NULL },
        { "StopTimeout", NULL }, { "StopSignal", NULL },
        { "Healthcheck", NULL }, {},
};
static const PlKeep keep_host[] = {
        { "Memory", NULL },
        { "MemorySwap", NULL },
        { "MemoryReservation", NULL },
        { "NanoCpus", NULL },
        { "CpuQuota", NULL },
        { "CpuPeriod", NULL },
        { "CpuShares", NULL },
        { "PidsLimit", NULL },
        { "CpusetCpus", NULL },
        { "CgroupParent", NULL },
        { "NetworkMode", NULL },
        { "AutoRemove", NULL },
        { "BlkioWeight", NULL },
        { "BlkioDeviceReadBps", NULL },
        { "BlkioDeviceWriteBps", NULL },
        { "RestartPolicy", NULL },
        { "PortBindings", NULL },
        { "LogConfig", NULL },
        {},
};
static const PlKeep keep_network[] = {
        { "NetworkID", NULL },
        { "IPAddress", NULL },
        { "GlobalIPv6Address", NULL },
        {},
};
static const PlKeep keep_networks[] = { { "*", keep_network }, {} };
static const PlKeep keep_settings[] = { { "Networks", keep_networks }, { "Ports", NULL }, {} };
static const PlKeep keep_inspect[] = {
        { "Id", NULL },
        { "Name", NULL },
        { "Image", NULL },
        { "Created", NULL },
        { "Path", NULL },
        { "Args", NULL },
        { "RestartCount", NULL },
        { "LogPath", NULL },
        { "Mounts", NULL },
        { "State", keep_state },
        { "Config", keep_config },
        { "HostConfig", keep_host },
        { "NetworkSettings", keep_settings },
        {},
};

/* --- packing. A container lives for days; the JSON it was read from lives for a moment. Forty
 * small strings allocated in between end up in the holes of that JSON and keep its pages alive:
 * 1,000 containers held 6 MiB in use and 13 MiB resident. Packed into one block each they do not.
 * The same walk runs twice, once to count and once to copy. */

typedef struct Packer {
        char *base; /* NULL: only count */
        size_t used;
} Packer;

/* Return: where the copy stands; NULL while counting, and for an empty source. */
static void *pack(Packer *p, const void *src, size_t n, size_t align) {
        char *at;

        if (!src || n == 0)
                return NULL;
        p->used = (p->used + align - 1) & ~(align - 1);
        at = p->base ? p->base + p->used : NULL;
        p->used += n;
        return at ? memcpy(at, src, n) : NULL;
}

static char *pack_string(Packer *p, const char *s) {
        return pack(p, s, s ? strlen(s) + 1 : 0, 1);
}

static PlPair *pack_pairs(Packer *p, const PlPair *pairs, size_t n) {
        PlPair *copy = pack(p, pairs, n * sizeof(*pairs), _Alignof(PlPair));

        for (size_t i = 0; i < n; i++) {
                char *key = pack_string(p, pairs[i].key), *value = pack_string(p, pairs[i].value);

                if (copy)
                        copy[i] = (PlPair){ key, value };
        }
        return copy;
}

static char **pack_words(Packer *p, char *const *words) {
        size_t n = 0;
        char **copy;

        while (words && words[n])
                n++;
        copy = pack(p, words, words ? (n + 1) * sizeof(*words) : 0, _Alignof(char *));
        for (size_t i = 0; i < n; i++) {
                char *word = pack_string(p, words[i]);

                if (copy)
                        copy[i] = word;
        }
        return copy;
}

static PlNetwork *pack_networks(Packer *p, const PlNetwork *networks, size_t n) {
        PlNetwork *copy = pack(p, networks, n * sizeof(*networks), _Alignof(PlNetwork));

        for (size_t i = 0; i < n; i++) {
                char *name = pack_string(p, networks[i].name);

                if (copy)
                        copy[i].name = name;
        }
        return copy;
}

static PlMount *pack_mounts(Packer *p, const PlMount *mounts, size_t n) {
        PlMount *copy = pack(p, mounts, n * sizeof(*mounts), _Alignof(PlMount));

        for (size_t i = 0; i < n; i++) {
                char *type = pack_string(p, mounts[i].type),
                     *source = pack_string(p, mounts[i].source),
                     *destination = pack_string(p, mounts[i].destination);

                if (copy)
                        copy[i] = (PlMount){ type, source, destination };
        }
        return copy;
}

/* ret gets the addresses of the copies; the rest of it is copied already. */
static void walk(Packer *p, const PlContainer *c, PlContainer *ret) {
        ret->labels = pack_pairs(p, c->labels, c->n_labels);
        ret->reach.networks = pack_networks(p, c->reach.networks, c->reach.n_networks);
        ret->reach.ports = pack(p, c->reach.ports, c->reach.n_ports * sizeof(*c->reach.ports),
                                _Alignof(PlPort));
        ret->mounts = pack_mounts(p, c->mounts, c->n_mounts);
        ret->log.options = pack_pairs(p, c->log.options, c->log.n_options);
        ret->launch.words = pack_words(p, c->launch.words);
        ret->launch.env = pack_pairs(p, c->launch.env, c->launch.n_env);
        ret->name = pack_string(p, c->name);
        ret->image = pack_string(p, c->image);
        ret->image_id = pack_string(p, c->image_id);
        ret->host.cpuset_cpus = pack_string(p, c->host.cpuset_cpus);
        ret->host.read_bps = pack_string(p, c->host.read_bps);
        ret->host.write_bps = pack_string(p, c->host.write_bps);
        ret->host.cgroup_parent = pack_string(p, c->host.cgroup_parent);
        ret->host.network_mode = pack_string(p, c->host.network_mode);
        ret->host.restart_policy = pack_string(p, c->host.restart_policy);
        ret->log.driver = pack_string(p, c->log.driver);
        ret->log.path = pack_string(p, c->log.path);
}

static int container_pack(PlContainer **c) {
        PlContainer head = **c, *packed;
        Packer p = { .used = sizeof(PlContainer) };

        walk(&p, *c, &head);
        packed = malloc(p.used);
        if (!packed)
                return -ENOMEM;
        *packed = **c;
        p = (Packer){ .base = (char *)packed, .used = sizeof(PlContainer) };
        walk(&p, *c, packed);
        packed->packed_bytes = p.used;
        pl_container_free(*c);
        *c = packed;
        return 0;
}

int pl_docker_parse_inspect(const char *body, size_t size, PlContainer **ret) {
        _cleanup_(pl_container_freep) PlContainer *c = NULL;
        _cleanup_json_ json_t *root = NULL;
        _cleanup_free_ char *pruned = NULL;
        const char *id;
        size_t n;
        int r;

        r = pl_prune(body, size, keep_inspect, &pruned, &n);
        if (r >= 0)
                r = load_object(pruned, n, &root);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        id = string_of(root, "Id");
        if (!id || !pl_is_id(id))
                return -EBADMSG;

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        memcpy(c->id, id, PL_ID_MAX);
        r = fill(root, c);
        if (r < 0)
                return r;
        /* free its memory first, so that the packed block can reuse it */
        json_decref(TAKE_PTR(root));
        r = container_pack(&c);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(c);
        return 0;
}

int pl_docker_parse_image(const char *body, size_t size, PlContainer **ret) {
        _cleanup_json_ json_t *root = NULL;
        _cleanup_(pl_container_freep) PlContainer *c = calloc(1, sizeof(*c));
        const json_t *config;
        int r = c ? load_object(body, size, &root) : -ENOMEM;

        if (r < 0)
                return r;
        config = json_object_get(root, "Config");
        if (!json_is_object(config) && !json_is_null(config))
                return -EBADMSG;
        r = parse_pairs(json_object_get(config, "Labels"), PL_DOCKER_LABELS_MAX, &c->labels,
                        &c->n_labels);
        if (r >= 0)
                r = container_pack(&c);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

static int parse_born(const char *id, const json_t *attributes, PlContainer **ret) {
        _cleanup_(pl_container_freep) PlContainer *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        (void)snprintf(c->id, sizeof(c->id), "%s", id);
        c->phase = PL_PHASE_CREATED;
        r = dup_member(attributes, "name", PL_DOCKER_STRING_MAX, &c->name);
        if (r == 0)
                r = dup_member(attributes, "image", PL_DOCKER_STRING_MAX, &c->image);
        if (r == 0)
                r = parse_pairs(attributes, PL_DOCKER_LABELS_MAX, &c->labels, &c->n_labels);
        if (r >= 0)
                r = container_pack(&c);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

/* --- events --- */

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
        const char *s = string_of(attributes, key);
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
                payload = string_of(root, "HealthStatus");
        if (!payload)
                payload = string_of(attributes, "health_status");
        return health_of(payload);
}

static uint64_t parse_time_nsec(const json_t *root) {
        int64_t nsec = int_of(root, "timeNano", 0, INT64_MAX, 0);

        if (nsec == 0)
                nsec = int_of(root, "time", 0, INT64_MAX / 1000000000, 0) * 1000000000;
        return (uint64_t)nsec;
}

/* The actor is the network; its attributes name the container. Podman has it the other way round.
 */
static int parse_network_event(const json_t *root, const json_t *actor, PlEvent *ret) {
        const char *action = string_of(root, "Action"), *id;
        PlEvent e = { .action = PL_EVENT_NETWORK, .exit_code = -1 };

        if (!action || (!pl_streq(action, "connect") && !pl_streq(action, "disconnect")))
                return -ENOMSG;
        id = string_of(json_object_get(actor, "Attributes"), "container");
        if (!id)
                id = string_of(actor, "ID");
        if (!id || !pl_is_id(id))
                return -ENOMSG;
        memcpy(e.id, id, PL_ID_MAX);
        e.time_nsec = parse_time_nsec(root);
        *ret = e;
        return 0;
}

/* What is looked at of events that do not tell of a new container. */
static const PlKeep keep_attributes[] = {
        { "name", NULL },
        { "exitCode", NULL },
        { "containerExitCode", NULL },
        { "signal", NULL },
        { "health_status", NULL },
        { "container", NULL },
        {},
};
static const PlKeep keep_actor[] = { { "ID", NULL }, { "Attributes", keep_attributes }, {} };
static const PlKeep keep_event[] = {
        { "Type", NULL },
        { "Action", NULL },
        { "time", NULL },
        { "timeNano", NULL },
        { "HealthStatus", NULL },
        { "Actor", keep_actor },
        {},
};

/* The labels of its container are in each event; only those of a create event are read. */
static int load_event(const char *line, size_t size, json_t **ret) {
        _cleanup_free_ char *pruned = NULL;
        size_t n;
        int r;

        if (memmem(line, size, "\"create\"", strlen("\"create\"")))
                return load_object(line, size, ret);
        r = pl_prune(line, size, keep_event, &pruned, &n);
        return r < 0 ? r : load_object(pruned, n, ret);
}

int pl_docker_parse_event(const char *line, size_t size, PlEvent *ret) {
        _cleanup_json_ json_t *root = NULL;
        const json_t *actor, *attributes;
        const char *type, *action, *id, *payload;
        PlEvent e = { .exit_code = -1 };
        int r;

        r = load_event(line, size, &root);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;

        type = string_of(root, "Type");
        if (!type)
                return -EBADMSG;
        actor = json_object_get(root, "Actor");
        if (pl_streq(type, "network"))
                return parse_network_event(root, actor, ret);
        if (!pl_streq(type, "container"))
                return -ENOMSG;
        attributes = json_object_get(actor, "Attributes");
        action = string_of(root, "Action");
        id = string_of(actor, "ID");
        if (!action || !id || !pl_is_id(id))
                return -EBADMSG;

        memcpy(e.id, id, PL_ID_MAX);
        e.action = parse_action(action, &payload);
        e.time_nsec = parse_time_nsec(root);
        copy_cut(string_of(attributes, "name"), e.name, sizeof(e.name));
        if (e.action == PL_EVENT_DIE)
                e.exit_code = parse_attribute(attributes, "exitCode",
                                              parse_attribute(attributes, "containerExitCode", -1));
        else if (e.action == PL_EVENT_KILL)
                e.signal = parse_attribute(attributes, "signal", 0);
        else if (e.action == PL_EVENT_HEALTH_STATUS)
                e.health = parse_health(payload, root, attributes);
        else if (e.action == PL_EVENT_CREATE && parse_born(id, attributes, &e.born) < 0)
                return -ENOMEM;

        *ret = e;
        return 0;
}

void pl_event_deinit(PlEvent *e) {
        e->born = pl_container_free(e->born);
}
