/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Import: one [Service] section per compose service. See the header.
 *
 * One table knows every key of the compose specification, and what becomes of it. What is not in
 * the table is said to be unknown, so that nothing is ever lost in silence.
 */

#include "lib/policy/import.h"

#include <errno.h>

#include "lib/base/circle.h"
#include "lib/base/json.h"
#include "lib/base/map.h"
#include "lib/base/quote.h"
#include "lib/base/unit.h"
#include "lib/docker/answer.h"
#include "lib/docker/compose.h"
#include "lib/docker/update.h"
#include "lib/limits/resource.h"
#include "lib/policy/guess.h"
#include "lib/policy/parser.h"

/* --- values: a number may come as JSON number or as text, whatever version of compose printed it.
 * All: 0; -ENOENT absent, null or "unlimited"; -EINVAL; -ERANGE. */

/* Some versions print 1e9. */
static bool is_whole(const json_t *v) {
        double d = json_real_value(v);

        return json_is_real(v) && d >= -1 && d < 9e15 && d == (double)(int64_t)d;
}

/* No limit, wherever one is allowed at all. */
static bool is_negative(const char *s) {
        return s[0] == '-' && s[1] && !s[1 + strspn(s + 1, "0123456789")];
}

static int from_integer(json_int_t n, uint64_t *ret) {
        if (n <= 0)
                return -ENOENT;
        *ret = (uint64_t)n;
        return 0;
}

/* 4294967296, "4294967296", "4g", "512 MiB". base: 1024 for memory, 1000 for logs, as in
 * docker/go-units RAMInBytes() and FromHumanSize(). */
static int import_size(const json_t *v, uint64_t base, uint64_t *ret_bytes) {
        const char *s = json_string_value(v);
        char buf[40];
        size_t n = 0;
        int r;

        if (json_is_integer(v))
                return from_integer(json_integer_value(v), ret_bytes);
        if (is_whole(v))
                return from_integer((json_int_t)json_real_value(v), ret_bytes);
        if (!v || json_is_null(v))
                return -ENOENT;
        if (!s)
                return -EINVAL;
        if (is_negative(s))
                return -ENOENT;
        for (; *s; s++) {
                if (*s == ' ')
                        continue;
                if (n + 1 == sizeof(buf))
                        return -EINVAL;
                buf[n++] = *s >= 'a' && *s <= 'z' ? (char)(*s - 'a' + 'A') : *s;
        }
        if (n > 1 && buf[n - 1] == 'B')
                n--;
        if (n > 1 && buf[n - 1] == 'I')
                n--;
        buf[n] = '\0';
        if (pl_streq(buf, "INFINITY"))
                return -EINVAL;
        r = base == 1000 ? pl_parse_rate(buf, ret_bytes) : pl_parse_size(buf, ret_bytes);
        return r < 0 ? r : *ret_bytes == 0 || *ret_bytes == PL_UNLIMITED ? -ENOENT : 0;
}

/* 1.5 or "1.5", in CPU microseconds per second; 0 is none. */
static int import_cpus(const json_t *v, uint64_t *ret) {
        const char *s = json_string_value(v);
        double d = json_number_value(v);
        char buf[40];
        int r;

        if (!v || json_is_null(v))
                return -ENOENT;
        if (s) {
                if (strlen(s) + 2 > sizeof(buf) || s[strspn(s, "0123456789.")])
                        return -EINVAL;
                snprintf(buf, sizeof(buf), "%sM", s); /* a million microseconds is one CPU */
                r = pl_parse_rate(buf, ret);
                return r < 0 ? r : *ret == 0 ? -ENOENT : 0;
        }
        if (!json_is_number(v))
                return -EINVAL;
        if (!(d > 0))
                return -ENOENT;
        if (d > 8192)
                return -ERANGE;
        *ret = (uint64_t)(d * 1e6 + 0.5);
        return *ret == 0 ? -ENOENT : 0;
}

/* 100, "100"; 0 and negative numbers are none. */
static int import_count(const json_t *v, uint64_t *ret) {
        const char *s = json_string_value(v);
        int r;

        if (json_is_integer(v))
                return from_integer(json_integer_value(v), ret);
        if (is_whole(v))
                return from_integer((json_int_t)json_real_value(v), ret);
        if (!v || json_is_null(v) || (s && is_negative(s)))
                return -ENOENT;
        if (!s)
                return -EINVAL;
        r = pl_parse_uint64(s, ret);
        return r < 0 ? r : *ret == 0 ? -ENOENT : 0;
}

/* "1m30s", as Go prints it, in microseconds; 0 is Docker's default, which is ENOENT here. */
static int import_duration(const json_t *v, uint64_t *ret_usec) {
        const char *s = json_string_value(v);
        uint64_t usec;
        int r;

        if (!v || json_is_null(v))
                return -ENOENT;
        if (!s)
                return -EINVAL;
        r = pl_parse_sec(s, &usec);
        if (r < 0 || usec == PL_TIME_INFINITY)
                return r < 0 ? r : -EINVAL;
        if (usec == 0)
                return -ENOENT;
        *ret_usec = usec;
        return 0;
}

/* --- what becomes of each key */

typedef enum Fate {
        FATE_OTHER, /* says nothing of limits, logs or health: nothing is lost */
        FATE_TAKEN, /* translated */
        FATE_LOST,  /* is not, and that is said */
        FATE_INSIDE /* an object, each member of which is a key of its own */
} Fate;

typedef struct Key {
        const char *path; /* sorted */
        Fate fate;
        const char *text; /* TAKEN: the policy's keys; LOST: why, and what to do instead */
} Key;

#define GPUS "a policy has no key for GPUs; the engine goes on giving them"
#define KEPT "a policy has no key for it; the engine goes on setting it"

/* clang-format off */
static const Key keys[] = {
        { "configs", FATE_OTHER, NULL },
        { "include", FATE_OTHER, NULL },
        { "models", FATE_OTHER, NULL },
        { "name", FATE_TAKEN, "Match=compose-project:" },
        { "networks", FATE_OTHER, NULL },
        { "secrets", FATE_OTHER, NULL },
        { "services", FATE_TAKEN, "[Service]" },
        { "services.annotations", FATE_OTHER, NULL },
        { "services.attach", FATE_OTHER, NULL },
        { "services.blkio_config", FATE_INSIDE, NULL },
        { "services.blkio_config.device_read_bps", FATE_TAKEN, "IOReadBandwidthMax" },
        { "services.blkio_config.device_read_iops", FATE_LOST, "a policy limits bytes per second alone; the engine goes on with it" },
        { "services.blkio_config.device_write_bps", FATE_TAKEN, "IOWriteBandwidthMax" },
        { "services.blkio_config.device_write_iops", FATE_LOST, "a policy limits bytes per second alone; the engine goes on with it" },
        { "services.blkio_config.weight", FATE_TAKEN, "IOWeight" },
        { "services.blkio_config.weight_device", FATE_LOST, "a policy has one weight for all disks, IOWeight=; the engine goes on with it" },
        { "services.build", FATE_OTHER, NULL },
        { "services.cap_add", FATE_OTHER, NULL },
        { "services.cap_drop", FATE_OTHER, NULL },
        { "services.cgroup", FATE_OTHER, NULL },
        { "services.cgroup_parent", FATE_LOST, "the engine puts it there, and plimsolld finds it wherever it is" },
        { "services.command", FATE_OTHER, NULL },
        { "services.configs", FATE_OTHER, NULL },
        { "services.container_name", FATE_OTHER, NULL },
        { "services.cpu_count", FATE_LOST, "it is for Windows alone; CPUQuota= is in percent of one CPU" },
        { "services.cpu_percent", FATE_LOST, "it is for Windows alone; CPUQuota= is in percent of one CPU" },
        { "services.cpu_period", FATE_TAKEN, "CPUQuotaPeriodSec" },
        { "services.cpu_quota", FATE_TAKEN, "CPUQuota" },
        { "services.cpu_rt_period", FATE_LOST, "a policy has no key for real-time; the engine goes on setting it" },
        { "services.cpu_rt_runtime", FATE_LOST, "a policy has no key for real-time; the engine goes on setting it" },
        { "services.cpu_shares", FATE_TAKEN, "CPUWeight" },
        { "services.cpus", FATE_TAKEN, "CPUQuota" },
        { "services.cpuset", FATE_TAKEN, "AllowedCPUs" },
        { "services.credential_spec", FATE_OTHER, NULL },
        { "services.depends_on", FATE_TAKEN, "After" },
        { "services.deploy", FATE_INSIDE, NULL },
        { "services.deploy.endpoint_mode", FATE_OTHER, NULL },
        { "services.deploy.labels", FATE_OTHER, NULL },
        { "services.deploy.mode", FATE_OTHER, NULL },
        { "services.deploy.placement", FATE_OTHER, NULL },
        { "services.deploy.replicas", FATE_OTHER, NULL },
        { "services.deploy.resources", FATE_INSIDE, NULL },
        { "services.deploy.resources.limits", FATE_INSIDE, NULL },
        { "services.deploy.resources.limits.cpus", FATE_TAKEN, "CPUQuota" },
        { "services.deploy.resources.limits.memory", FATE_TAKEN, "MemoryMax" },
        { "services.deploy.resources.limits.pids", FATE_TAKEN, "TasksMax" },
        { "services.deploy.resources.reservations", FATE_INSIDE, NULL },
        { "services.deploy.resources.reservations.cpus", FATE_LOST, "the kernel reserves no CPU time; CPUWeight= gives a share" },
        { "services.deploy.resources.reservations.devices", FATE_LOST, GPUS },
        { "services.deploy.resources.reservations.generic_resources", FATE_LOST, "they are for a swarm's scheduler, which keeps them" },
        { "services.deploy.resources.reservations.memory", FATE_TAKEN, "MemoryLow" },
        { "services.deploy.restart_policy", FATE_OTHER, NULL },
        { "services.deploy.rollback_config", FATE_OTHER, NULL },
        { "services.deploy.update_config", FATE_OTHER, NULL },
        { "services.develop", FATE_OTHER, NULL },
        { "services.device_cgroup_rules", FATE_OTHER, NULL },
        { "services.devices", FATE_OTHER, NULL },
        { "services.dns", FATE_OTHER, NULL },
        { "services.dns_opt", FATE_OTHER, NULL },
        { "services.dns_search", FATE_OTHER, NULL },
        { "services.domainname", FATE_OTHER, NULL },
        { "services.entrypoint", FATE_OTHER, NULL },
        { "services.env_file", FATE_OTHER, NULL },
        { "services.environment", FATE_OTHER, NULL },
        { "services.expose", FATE_OTHER, NULL },
        { "services.extends", FATE_OTHER, NULL },
        { "services.external_links", FATE_OTHER, NULL },
        { "services.extra_hosts", FATE_OTHER, NULL },
        { "services.gpus", FATE_LOST, GPUS },
        { "services.group_add", FATE_OTHER, NULL },
        { "services.healthcheck", FATE_INSIDE, NULL },
        { "services.healthcheck.disable", FATE_TAKEN, "(the engine's check alone)" },
        { "services.healthcheck.interval", FATE_TAKEN, "ProbeInterval" },
        { "services.healthcheck.retries", FATE_TAKEN, "ProbeFailures" },
        { "services.healthcheck.start_interval", FATE_LOST, "a policy has one interval, ProbeInterval=" },
        { "services.healthcheck.start_period", FATE_TAKEN, "ProbeStartPeriod" },
        { "services.healthcheck.test", FATE_OTHER, NULL }, /* the engine goes on asking, and plimsolld hears of it */
        { "services.healthcheck.timeout", FATE_TAKEN, "ProbeTimeout" },
        { "services.hostname", FATE_OTHER, NULL },
        { "services.image", FATE_OTHER, NULL },
        { "services.init", FATE_OTHER, NULL },
        { "services.ipc", FATE_OTHER, NULL },
        { "services.isolation", FATE_OTHER, NULL },
        { "services.label_file", FATE_OTHER, NULL },
        { "services.labels", FATE_OTHER, NULL },
        { "services.links", FATE_OTHER, NULL },
        { "services.logging", FATE_TAKEN, "LogMaxSize, LogMaxFiles" },
        { "services.mac_address", FATE_OTHER, NULL },
        { "services.mem_limit", FATE_TAKEN, "MemoryMax" },
        { "services.mem_reservation", FATE_TAKEN, "MemoryLow" },
        { "services.mem_swappiness", FATE_LOST, "MemorySwapMax= says how much swap there is; the engine goes on with it" },
        { "services.memswap_limit", FATE_TAKEN, "MemorySwapMax" },
        { "services.models", FATE_OTHER, NULL },
        { "services.network_mode", FATE_OTHER, NULL },
        { "services.networks", FATE_OTHER, NULL },
        { "services.oom_kill_disable", FATE_LOST, KEPT },
        { "services.oom_score_adj", FATE_LOST, KEPT },
        { "services.pid", FATE_OTHER, NULL },
        { "services.pids_limit", FATE_TAKEN, "TasksMax" },
        { "services.platform", FATE_OTHER, NULL },
        { "services.ports", FATE_OTHER, NULL },
        { "services.post_start", FATE_OTHER, NULL },
        { "services.pre_stop", FATE_OTHER, NULL },
        { "services.privileged", FATE_OTHER, NULL },
        { "services.profiles", FATE_OTHER, NULL }, /* --compose asks for all of them; without it they are the caller's choice */
        { "services.provider", FATE_LOST, "its containers are not made by compose, and may bear no label of it" },
        { "services.pull_policy", FATE_OTHER, NULL },
        { "services.pull_refresh_after", FATE_OTHER, NULL },
        { "services.read_only", FATE_OTHER, NULL },
        { "services.restart", FATE_OTHER, NULL }, /* the engine's own policy, which plimsolld heeds */
        { "services.runtime", FATE_OTHER, NULL },
        { "services.scale", FATE_OTHER, NULL },
        { "services.secrets", FATE_OTHER, NULL },
        { "services.security_opt", FATE_OTHER, NULL },
        { "services.shm_size", FATE_LOST, KEPT },
        { "services.stdin_open", FATE_OTHER, NULL },
        { "services.stop_grace_period", FATE_OTHER, NULL },
        { "services.stop_signal", FATE_OTHER, NULL },
        { "services.storage_opt", FATE_LOST, "a policy has no key for disk space; LogPathMaxSize= bounds log files" },
        { "services.sysctls", FATE_OTHER, NULL },
        { "services.tmpfs", FATE_OTHER, NULL },
        { "services.tty", FATE_OTHER, NULL },
        { "services.ulimits", FATE_LOST, "the engine goes on setting them; TasksMax= limits processes" },
        { "services.use_api_socket", FATE_OTHER, NULL },
        { "services.user", FATE_OTHER, NULL },
        { "services.userns_mode", FATE_OTHER, NULL },
        { "services.uts", FATE_OTHER, NULL },
        { "services.volumes", FATE_OTHER, NULL },
        { "services.volumes_from", FATE_OTHER, NULL },
        { "services.working_dir", FATE_OTHER, NULL },
        { "version", FATE_OTHER, NULL },
        { "volumes", FATE_OTHER, NULL },
};
/* clang-format on */

static int by_path(const void *path, const void *key) {
        return strcmp(path, ((const Key *)key)->path);
}

static const Key *find_key(const char *path) {
        return bsearch(path, keys, PL_ARRAY_SIZE(keys), sizeof(*keys), by_path);
}

bool pl_import_knows(const char *path, const char **ret_why_not) {
        const Key *key = find_key(path);

        if (key)
                *ret_why_not = key->fate == FATE_LOST ? key->text : NULL;
        return key != NULL;
}

/* --- the document */

#define DEPENDS_MAX 200 /* names of 64 bytes that fit one line of a policy */

/* A service of the file, and what its section is called. */
typedef struct Member {
        const char *name;
        const json_t *json;
        char section[PL_SERVICE_NAME_MAX + 1];
        size_t circle; /* equal for those that wait for each other; SIZE_MAX: none */
} Member;

typedef struct Import {
        const char *file, *service; /* for messages: escaped */
        const char *project;        /* fit for a pattern; NULL: none */
        bool engine;                /* no file, but an engine's containers */
        const PlHost *host;         /* may be NULL */
        Member *members;
        size_t n_members;
        PlMap *by_name, *by_section;
        PlDiagList *diag;
        PlImportCount count;
        FILE *out;
} Import;

static void warn(Import *im, const char *what, const char *why) {
        im->count.n_left_out++;
        pl_diag_add(im->diag, PL_SEVERITY_WARNING, im->file, 0, "%s: %s: %s; left out", im->service,
                    what, why);
}

/* Something is in the policy, but not quite what the file says. */
static void note(const Import *im, const char *what, const char *why) {
        pl_diag_add(im->diag, PL_SEVERITY_WARNING, im->file, 0, "%s: %s: %s", im->service, what,
                    why);
}

static bool says_nothing(const json_t *v) {
        return json_is_null(v) || json_is_false(v) ||
               (json_is_array(v) && json_array_size(v) == 0) ||
               (json_is_object(v) && json_object_size(v) == 0) ||
               (json_is_string(v) && json_string_length(v) == 0);
}

/* Tells of every member of an object that is lost, or not known. */
static void tell_lost(Import *im, const json_t *o, const char *prefix) {
        const char *name;
        const json_t *v;

        json_object_foreach((json_t *)o, name, v) {
                char path[128];
                const Key *key = NULL;

                if (pl_startswith(name, "x-") || says_nothing(v))
                        continue;
                if (snprintf(path, sizeof(path), "%s.%s", prefix, name) < (int)sizeof(path))
                        key = find_key(path);
                if (!key) {
                        _cleanup_free_ char *shown = pl_escape(name, 40);

                        warn(im, shown ?: "", "not a key that is known here");
                } else if (key->fate == FATE_LOST) {
                        warn(im, path + strlen("services."), key->text);
                } else if (key->fate == FATE_INSIDE && json_is_object(v)) {
                        tell_lost(im, v, path);
                } else if (key->fate == FATE_INSIDE) {
                        warn(im, path + strlen("services."), "not an object");
                }
        }
}

/* Follows member names from an object; NULL where one is missing or no object. */
static const json_t *get(const json_t *o, const char *a, const char *b, const char *c) {
        o = json_object_get(o, a);
        if (b)
                o = json_object_get(o, b);
        return c ? json_object_get(o, c) : o;
}

static void print_limit(Import *im, const char *key, const char *value) {
        im->count.n_limits++;
        fprintf(im->out, "%s=%s\n", key, value);
}

/* May the policy ask for it? Says so when not. */
static bool in_range(Import *im, const char *what, PlResource r, uint64_t n) {
        const PlResourceInfo *info = pl_resource_info(r);

        if (n >= info->min && n <= info->max)
                return true;
        warn(im, what, n < info->min ? "too small for a limit" : "too large for a limit");
        return false;
}

/* The first of two places that has a size, in bytes; 0: none. */
static uint64_t memory_of(Import *im, const json_t *s, const char *section, const char *old) {
        const json_t *v = get(get(s, "deploy", "resources", section), "memory", NULL, NULL);
        uint64_t bytes = 0;
        char what[64];
        int r;

        (void)snprintf(what, sizeof(what), "deploy.resources.%s.memory", section);
        r = import_size(v, 1024, &bytes);
        if (r == -ENOENT) {
                r = import_size(json_object_get(s, old), 1024, &bytes);
                (void)snprintf(what, sizeof(what), "%s", old);
        }
        if (r == -EINVAL || r == -ERANGE)
                warn(im, what, "not a size");
        return r < 0 ? 0 : bytes;
}

static void print_bytes(Import *im, const char *key, uint64_t bytes) {
        char buf[PL_FORMAT_MAX];

        print_limit(im, key, pl_format_bytes_exact(bytes, buf));
}

/* It counts memory and swap together; -1 is no limit. */
static void import_swap(Import *im, const json_t *s, uint64_t max) {
        const json_t *swap = json_object_get(s, "memswap_limit");
        uint64_t total;
        int r;

        if (json_integer_value(swap) == -1 || pl_streq_null(json_string_value(swap), "-1")) {
                print_limit(im, "MemorySwapMax", "infinity");
                return;
        }
        r = import_size(swap, 1024, &total);
        if (r == -ENOENT)
                return;
        if (r < 0)
                warn(im, "memswap_limit", "not a size");
        else if (!max)
                warn(im, "memswap_limit", "it counts memory, too, which has no limit here");
        else if (total < max)
                warn(im, "memswap_limit", "smaller than the memory limit");
        else if (in_range(im, "memswap_limit", PL_RESOURCE_MEMORY_SWAP_MAX, total - max))
                print_bytes(im, "MemorySwapMax", total - max);
}

static void import_memory(Import *im, const json_t *s) {
        uint64_t max = memory_of(im, s, "limits", "mem_limit");
        uint64_t low = memory_of(im, s, "reservations", "mem_reservation");

        if (max && !in_range(im, "memory limit", PL_RESOURCE_MEMORY_MAX, max))
                max = 0;
        if (low && !in_range(im, "memory reservation", PL_RESOURCE_MEMORY_LOW, low))
                low = 0;
        if (max)
                print_bytes(im, "MemoryMax", max);
        if (low && max && low > max)
                warn(im, "memory reservation", "larger than the limit");
        else if (low)
                print_bytes(im, "MemoryLow", low);
        import_swap(im, s, max);
}

/* The older cpu_quota and cpu_period. Return: as import_cpus(); @ret_period: 0: Docker's. */
static int import_quota(Import *im, const json_t *s, uint64_t *ret, uint64_t *ret_period) {
        uint64_t quota, period = 0;
        int r = import_count(json_object_get(s, "cpu_quota"), &quota),
            q = import_count(json_object_get(s, "cpu_period"), &period);

        if (r == 0 && quota > UINT64_MAX / PL_USEC_PER_SEC / 2)
                r = -ERANGE;
        if (q < 0 && q != -ENOENT)
                warn(im, "cpu_period", "not a number of microseconds");
        else if (q == 0 && (period < PL_QUOTA_PERIOD_MIN_USEC || period > PL_QUOTA_PERIOD_MAX_USEC))
                warn(im, "cpu_period", "not from 1000 to 1000000 microseconds");
        else if (q == 0 && r < 0)
                warn(im, "cpu_period", "it says nothing without cpu_quota");
        else if (q == 0)
                *ret_period = period;
        if (r < 0)
                return r;
        period = *ret_period ?: PL_QUOTA_PERIOD_DEFAULT_USEC;
        /* rounded up to what a policy can say, so that it leads to the same quota again */
        *ret = (quota * PL_USEC_PER_SEC + period * 100 - 1) / (period * 100) * 100;
        return 0;
}

/* deploy.resources.limits.cpus, cpus, or the older way. @ret_what: which, for messages. */
static int cpu_time_of(Import *im, const json_t *s, const char **ret_what, uint64_t *ret,
                       uint64_t *ret_period) {
        static const char *const older[] = { "cpu_quota", "cpu_period" };
        uint64_t n;
        int r = import_cpus(get(get(s, "deploy", "resources", "limits"), "cpus", NULL, NULL), ret);

        *ret_what = "deploy.resources.limits.cpus";
        if (r == -ENOENT) {
                *ret_what = "cpus";
                r = import_cpus(json_object_get(s, "cpus"), ret);
        }
        if (r == -ENOENT) {
                *ret_what = "cpu_quota";
                return import_quota(im, s, ret, ret_period);
        }
        for (size_t i = 0; i < PL_ARRAY_SIZE(older); i++)
                if (import_count(json_object_get(s, older[i]), &n) != -ENOENT)
                        warn(im, older[i], "it says nothing beside cpus");
        return r;
}

static int import_cpu_time(Import *im, const json_t *s) {
        _cleanup_free_ char *text = NULL;
        PlValue quota = { .set = true };
        char period_text[32];
        const char *what;
        uint64_t period = 0;
        int r = cpu_time_of(im, s, &what, &quota.number, &period);

        if (r == -EINVAL || r == -ERANGE)
                warn(im, what,
                     pl_streq(what, "cpu_quota") ? "not a number of microseconds"
                                                 : "not a number of CPUs");
        quota.number -= quota.number % 100; /* the policy has two decimals of a per cent */
        if (r < 0)
                return 0;
        if (!in_range(im, what, PL_RESOURCE_CPU_QUOTA, quota.number)) {
                if (period)
                        warn(im, "cpu_period", "it says nothing without cpu_quota");
                return 0;
        }
        if (pl_value_to_string(PL_RESOURCE_CPU_QUOTA, &quota, &text) < 0)
                return -ENOMEM;
        print_limit(im, "CPUQuota", text);
        if (period && period != PL_QUOTA_PERIOD_DEFAULT_USEC) {
                snprintf(period_text, sizeof(period_text), "%" PRIu64 "us", period);
                fprintf(im->out, "CPUQuotaPeriodSec=%s\n", period_text);
        }
        return 0;
}

static void print_number(Import *im, const char *key, uint64_t n) {
        char text[24];

        snprintf(text, sizeof(text), "%" PRIu64, n);
        print_limit(im, key, text);
}

/* What the engine makes of a weight depends on the hierarchy. */
static int print_weight(Import *im, PlResource resource, const PlHostConfig *said) {
        const PlContainer c = { .host = *said };
        PlLimits limits = { 0 };
        int r = pl_container_limits(&c, im->host ? im->host->hierarchy : PL_HIERARCHY_V2, &limits);
        const PlResourceInfo *info = pl_resource_info(resource);
        const PlValue *v = &limits.v[resource];

        if (r == 0 && v->set)
                print_number(im, info->name, PL_MIN(PL_MAX(v->number, info->min), info->max));
        pl_limits_deinit(&limits);
        return r;
}

static int import_cpu(Import *im, const json_t *s) {
        const json_t *set = json_object_get(s, "cpuset");
        const char *list = json_string_value(set);
        _cleanup_free_ char *canonical = NULL;
        uint64_t n;
        int r = import_cpu_time(im, s);

        if (r < 0)
                return r;
        r = import_count(json_object_get(s, "cpu_shares"), &n);
        if (r == 0) /* the kernel has from 2 to 262144 */
                r = print_weight(im, PL_RESOURCE_CPU_WEIGHT,
                                 &(PlHostConfig){ .cpu_shares = (int64_t)PL_MIN(PL_MAX(n, 2U),
                                                                                262144U) });
        else if (r != -ENOENT)
                warn(im, "cpu_shares", "not a number");
        if (r == -ENOMEM)
                return r;
        if (!set || says_nothing(set))
                return 0;
        r = list ? pl_parse_cpuset(list, &canonical) : -EINVAL;
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                warn(im, "cpuset", "not a list of CPUs");
        else
                print_limit(im, "AllowedCPUs", canonical);
        return 0;
}

/* Printable ASCII that neither ends a value nor begins a comment in a policy. */
static bool path_fits(const char *path) {
        const char *c = path;

        while (*c > ' ' && *c < 0x7f && !strchr("\\;#", *c))
                c++;
        return path[0] == '/' && !*c && c - path < PL_DEVICE_MAX;
}

/* What never is on a disk, a policy may not name. */
static bool is_no_disk(const Import *im, const char *path) {
        char number[PL_DEVICE_MAX];

        return im->host && im->host->device && im->host->device(NULL, path, number) == -ENOTBLK;
}

/* {"path", "rate"}; compose-go of some versions writes its own fields' names, with capitals. */
static const json_t *either(const json_t *o, const char *name, const char *capital) {
        return json_object_get(o, name) ?: json_object_get(o, capital);
}

static void import_devices(Import *im, const json_t *s, const char *member, const char *key) {
        const json_t *list = get(s, "blkio_config", member, NULL), *item;
        size_t i;

        if (list && !says_nothing(list) && !json_is_array(list))
                warn(im, member, "not a list");
        json_array_foreach(list, i, item) {
                const char *path = json_string_value(either(item, "path", "Path"));
                char text[PL_DEVICE_MAX + 32];
                uint64_t rate;

                if (i >= PL_POLICY_LIST_MAX / 2) {
                        warn(im, member, "more than 128 of them");
                        break;
                }
                if (!path || !path_fits(path)) {
                        warn(im, member, "not a path");
                } else if (is_no_disk(im, path)) {
                        warn(im, member, "it is no block device, and on none");
                } else if (import_size(either(item, "rate", "Rate"), 1024, &rate) < 0) {
                        warn(im, member, "not a rate");
                } else if (in_range(im, member, PL_RESOURCE_IO_READ_BANDWIDTH_MAX, rate)) {
                        snprintf(text, sizeof(text), "%s %" PRIu64, path, rate);
                        print_limit(im, key, text);
                }
        }
}

static int import_rest(Import *im, const json_t *s) {
        const char *what = "deploy.resources.limits.pids";
        uint64_t n;
        int r;

        r = import_count(get(get(s, "deploy", "resources", "limits"), "pids", NULL, NULL), &n);
        if (r == -ENOENT) {
                what = "pids_limit";
                r = import_count(json_object_get(s, what), &n);
        }
        if (r == 0 && in_range(im, what, PL_RESOURCE_TASKS_MAX, n))
                print_number(im, "TasksMax", n);
        else if (r == -EINVAL || r == -ERANGE)
                warn(im, what, "not a number");
        r = import_count(get(s, "blkio_config", "weight", NULL), &n);
        if (r == 0 && n >= 10 && n <= 1000)
                r = print_weight(im, PL_RESOURCE_IO_WEIGHT,
                                 &(PlHostConfig){ .blkio_weight = (uint16_t)n });
        else if (r != -ENOENT)
                warn(im, "blkio_config.weight", "not a number from 10 to 1000");
        if (r == -ENOMEM)
                return r;
        import_devices(im, s, "device_read_bps", "IOReadBandwidthMax");
        import_devices(im, s, "device_write_bps", "IOWriteBandwidthMax");
        return 0;
}

static void import_logging(Import *im, const json_t *s) {
        const char *driver = json_string_value(get(s, "logging", "driver", NULL));
        const json_t *options = get(s, "logging", "options", NULL);
        const json_t *logging = json_object_get(s, "logging");
        uint64_t bytes, n;
        bool bounded;
        int r;

        if ((!json_is_object(logging) && logging && !says_nothing(logging)) ||
            (!json_is_object(options) && options && !says_nothing(options)))
                warn(im, "logging", "not an object");
        if (driver && *driver && !pl_streq(driver, "json-file")) {
                if (json_object_size(options) > 0)
                        warn(im, "logging.options", "that driver keeps its own logs");
                return;
        }
        r = import_size(json_object_get(options, "max-size"), 1000, &bytes);
        bounded = r == 0 && bytes >= KIB(64) && bytes <= GIB(1 << 20);
        if (bounded)
                print_bytes(im, "LogMaxSize", bytes);
        else if (r != -ENOENT)
                warn(im, "logging.options.max-size", "not a size from 64K to 1P");
        /* Docker counts the file that is being written, too */
        r = import_count(json_object_get(options, "max-file"), &n);
        if (r == 0 && n <= 10000 && bounded)
                print_number(im, "LogMaxFiles", PL_MAX(n - 1, UINT64_C(1)));
        else if (r == 0 && n <= 10000)
                warn(im, "logging.options.max-file", "it does nothing without max-size");
        else if (r != -ENOENT)
                warn(im, "logging.options.max-file", "not a number of files");
}

static void print_span(const Import *im, const char *key, uint64_t usec) {
        char text[PL_FORMAT_MAX];

        fprintf(im->out, "%s=%s\n", key, pl_format_sec_exact(usec, text));
}

/* Return: was it given? Says so when it is garbage. */
static bool take_duration(Import *im, const json_t *check, const char *name, uint64_t *ret) {
        int r = import_duration(json_object_get(check, name), ret);
        char what[64];

        snprintf(what, sizeof(what), "healthcheck.%s", name);
        if (r < 0 && r != -ENOENT)
                warn(im, what, "not a time span");
        return r == 0;
}

/* Compose's defaults are 30s for both. What the policy cannot have is moved to what it can. */
static void import_probe_times(Import *im, const json_t *check) {
        uint64_t interval = 30 * PL_USEC_PER_SEC, timeout = interval, asked;
        bool has_interval = take_duration(im, check, "interval", &interval);
        bool has_timeout = take_duration(im, check, "timeout", &timeout);
        char shown[PL_FORMAT_MAX];
        _cleanup_free_ char *why = NULL;

        if (!has_interval && !has_timeout)
                return;
        asked = interval;
        interval = PL_MIN(PL_MAX(interval, PL_USEC_PER_SEC), PL_USEC_PER_DAY);
        if (interval != asked)
                note(im, "healthcheck.interval",
                     "a policy has from 1s to 1d; the nearest is taken");
        asked = timeout;
        timeout = PL_MAX(timeout, 10 * PL_USEC_PER_MSEC);
        timeout = PL_MIN(PL_MIN(timeout, interval), 10 * PL_USEC_PER_MIN);
        if (has_timeout && timeout != asked &&
            asprintf(&why,
                     "a probe ends before the next one begins, and within 10ms to 10min; %s is "
                     "taken",
                     pl_format_sec(timeout, shown)) >= 0)
                note(im, "healthcheck.timeout", why);
        print_span(im, "ProbeInterval", interval);
        print_span(im, "ProbeTimeout", timeout);
}

/* ["NONE"], "NONE", or disable: the engine asks nothing, so there is nothing to take over. */
static bool is_disabled(const json_t *check) {
        const json_t *test = json_object_get(check, "test");

        return json_is_true(json_object_get(check, "disable")) ||
               pl_streq_null(json_string_value(test), "NONE") ||
               pl_streq_null(json_string_value(json_array_get(test, 0)), "NONE");
}

static void import_healthcheck(Import *im, const json_t *s) {
        const json_t *check = json_object_get(s, "healthcheck");
        uint64_t start, retries;
        int r;

        if (!json_is_object(check) || is_disabled(check))
                return;
        import_probe_times(im, check);
        r = import_count(json_object_get(check, "retries"), &retries);
        if (r == 0 && retries > 1000)
                note(im, "healthcheck.retries", "a policy has up to 1000; that is taken");
        if (r == 0)
                fprintf(im->out, "ProbeFailures=%" PRIu64 "\n", PL_MIN(retries, UINT64_C(1000)));
        else if (r != -ENOENT)
                warn(im, "healthcheck.retries", "not a number");
        if (!take_duration(im, check, "start_period", &start))
                return;
        if (start > PL_USEC_PER_DAY)
                note(im, "healthcheck.start_period", "a policy has up to 1d; that is taken");
        print_span(im, "ProbeStartPeriod", PL_MIN(start, PL_USEC_PER_DAY));
}

/* --- dependencies: an object of names, or in older files a list of them */

static const json_t *depends_of(const Member *m) {
        return json_object_get(m->json, "depends_on");
}

/* The i-th of them. NULL: no name, or no more; @iter: begins as NULL, for an object. */
static const char *next_depend(const json_t *depends, size_t *i, void **iter) {
        if (json_is_object(depends)) {
                *iter = *i == 0 ? json_object_iter((json_t *)depends)
                                : json_object_iter_next((json_t *)depends, *iter);
                (*i)++;
                return *iter ? json_object_iter_key(*iter) : NULL;
        }
        while (*i < json_array_size(depends)) {
                const char *name = json_string_value(json_array_get(depends, (*i)++));

                if (name)
                        return name;
        }
        return NULL;
}

static int find_circles(Import *im) {
        _cleanup_free_ PlArrow *arrows = NULL;
        _cleanup_free_ size_t *circles = calloc(im->n_members + 1, sizeof(*circles));
        size_t n = 0;
        int r = 0;

        for (size_t m = 0; m < im->n_members; m++)
                n += PL_MAX(json_object_size(depends_of(&im->members[m])),
                            json_array_size(depends_of(&im->members[m])));
        arrows = calloc(n + 1, sizeof(*arrows));
        if (!arrows || !circles)
                return -ENOMEM;
        n = 0;
        for (size_t m = 0; m < im->n_members; m++) {
                const json_t *depends = depends_of(&im->members[m]);
                const char *name;
                void *iter = NULL;
                size_t i = 0;

                while ((name = next_depend(depends, &i, &iter))) {
                        const Member *other = pl_map_get(im->by_name, name);

                        if (other)
                                arrows[n++] = (PlArrow){ m, (size_t)(other - im->members) };
                }
        }
        r = pl_circles(im->n_members, arrows, n, circles);
        for (size_t m = 0; m < im->n_members && r == 0; m++)
                im->members[m].circle = circles[m];
        return r;
}

static void import_depends_on(Import *im, const Member *m) {
        const json_t *depends = depends_of(m);
        const char *name, *lead = "After=";
        void *iter = NULL;
        size_t i = 0, n = 0;

        if (depends && !says_nothing(depends) && !json_is_object(depends) &&
            !json_is_array(depends))
                warn(im, "depends_on", "not a list of services");
        for (size_t k = 0; k < json_array_size(depends); k++)
                if (!json_is_string(json_array_get(depends, k)))
                        warn(im, "depends_on", "not a name of a service");
        while ((name = next_depend(depends, &i, &iter))) {
                const Member *other = pl_map_get(im->by_name, name);

                if (!other)
                        warn(im, "depends_on", "there is no such service in the file");
                else if (other == m)
                        warn(im, "depends_on", "a service cannot come after itself");
                else if (m->circle != SIZE_MAX && m->circle == other->circle)
                        warn(im, "depends_on", "the two wait for each other, by way of others");
                else if (n++ >= DEPENDS_MAX)
                        warn(im, "depends_on", "more than 200 of them");
                else {
                        fprintf(im->out, "%s%s", lead, other->section);
                        lead = " ";
                }
        }
        if (*lead == ' ')
                fputc('\n', im->out);
}

/* --- sections */

/* The project before it, since several projects have a "db". What no section can be called is left
 * out of its name, and a number makes it another one. */
static int name_section(Import *im, Member *m) {
        char name[PL_SERVICE_NAME_MAX + 1];
        size_t n = 0;

        for (const char *part = im->project ?: m->name;; part = m->name) {
                for (const char *c = part; *c && n < PL_SERVICE_NAME_MAX - 6; c++) {
                        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                                      (*c >= '0' && *c <= '9');

                        if (letter || (n > 0 && name[n - 1] != '-' && strchr("-_.", *c)))
                                name[n++] = *c;
                }
                if (part == m->name)
                        break;
                if (n > 0 && name[n - 1] != '-')
                        name[n++] = '-';
        }
        if (n == 0)
                n = (size_t)snprintf(name, sizeof(name), "service");
        name[n] = '\0';
        for (unsigned k = 1; k < 100000; k++) {
                int r;

                if (k == 1)
                        memcpy(m->section, name, n + 1);
                else
                        snprintf(m->section, sizeof(m->section), "%.58s-%u", name, k);
                r = pl_map_put(im->by_section, m->section, m);
                if (r != -EEXIST)
                        return r;
        }
        return -EEXIST;
}

/* Does it stand for itself in a pattern of one word? As compose has them. */
static bool is_plain(const char *s) {
        return *s &&
               !s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")];
}

static int list_members(Import *im, const json_t *services) {
        const char *name;
        const json_t *s;
        int r = 0;

        im->members = calloc(json_object_size(services) + 1, sizeof(*im->members));
        im->by_name = pl_map_new();
        if (!im->by_section) /* of all projects of an engine */
                im->by_section = pl_map_new();
        if (!im->members || !im->by_name || !im->by_section)
                return -ENOMEM;
        json_object_foreach((json_t *)services, name, s) {
                Member *m = &im->members[im->n_members];
                _cleanup_free_ char *shown = pl_escape(name, 80);

                if (!shown)
                        return -ENOMEM;
                im->service = shown;
                if (!is_plain(name) || !json_is_object(s)) {
                        warn(im, "service", "its name is none of compose's, or it is no object");
                        continue;
                }
                m->name = name;
                m->json = s;
                r = pl_map_put(im->by_name, name, m);
                if (r >= 0)
                        r = name_section(im, m);
                if (r < 0)
                        return r == -EEXIST ? 0 : r;
                im->n_members++;
        }
        return 0;
}

/* Of an engine's container: what it is to be matched by, if not by compose. */
#define MATCH "x-match"

static int import_service(Import *im, const Member *m) {
        const char *match = im->engine ? json_string_value(json_object_get(m->json, MATCH)) : NULL;
        int r;

        im->service = m->name; /* plain */
        fprintf(im->out, "\n[Service %s]\nMatch=", m->section);
        if (im->project)
                fprintf(im->out, "compose-project:%s ", im->project);
        fprintf(im->out, "%s:%s\n", match ?: "compose-service", m->name);
        r = import_cpu(im, m->json);
        if (r < 0)
                return r;
        import_memory(im, m->json);
        r = import_rest(im, m->json);
        if (r < 0)
                return r;
        import_logging(im, m->json);
        import_healthcheck(im, m->json);
        import_depends_on(im, m);
        tell_lost(im, m->json, "services");
        return 0;
}

static int import_services(Import *im, const json_t *root) {
        const char *project = json_string_value(json_object_get(root, "name")), *name;
        const json_t *v;
        int r;

        im->project = NULL;
        if (project && is_plain(project))
                im->project = project;
        else if (project && *project) {
                im->service = "name";
                warn(im, "name", "not a name of compose's");
        }
        json_object_foreach((json_t *)root, name, v) {
                _cleanup_free_ char *shown = pl_escape(name, 40);

                im->service = shown ?: "";
                if (!pl_startswith(name, "x-") && !find_key(name))
                        warn(im, "key", "not one that is known here");
        }
        r = list_members(im, json_object_get(root, "services"));
        if (r >= 0)
                r = find_circles(im);
        for (size_t i = 0; i < im->n_members && r >= 0; i++)
                r = import_service(im, &im->members[i]);
        im->count.n_services += im->n_members;
        pl_map_free(im->by_name);
        free(im->members);
        im->by_name = NULL;
        im->members = NULL;
        im->n_members = 0;
        return r;
}

/* --- the text */

static int begin_text(Import *im, const char *from, char **text, size_t *size) {
        _cleanup_free_ char *shown = pl_escape(im->file, 200);

        im->out = shown ? open_memstream(text, size) : NULL;
        if (!im->out)
                return -ENOMEM;
        fprintf(im->out, "# From the %s %s, by plimsollctl import.\n", from, shown);
        return 0;
}

/* @r: of what was written. Return: as the header says. */
static int end_text(Import *im, int r, size_t *size) {
        if (im->out && ferror(im->out))
                r = -ENOMEM;
        if (im->out && fclose(im->out) != 0)
                r = -ENOMEM;
        pl_map_free(im->by_section);
        if (r == 0 && *size > MIB(1)) {
                pl_diag_add(im->diag, PL_SEVERITY_ERROR, im->file, 0,
                            "its policy would be larger than 1M, which none may be; import it in "
                            "parts");
                r = -EBADMSG;
        }
        return r == 0 && im->diag->oom ? -ENOMEM : r;
}

/* --- JSON */

/* Above 2^63 - 1. */
static bool is_huge(const char *digits, size_t n) {
        return n > 19 || (n == 19 && memcmp(digits, "9223372036854775807", 19) > 0);
}

/* jansson refuses what no policy needs: integers above 2^63, NULs, bytes that are no UTF-8, a byte
 * order mark. Each becomes something of the same length that no key takes for a value. */
static char *soften(const char *json, size_t size) {
        char *s = malloc(size + 1);
        bool text = false;

        if (!s)
                return NULL;
        memcpy(s, json, size);
        s[size] = '\0';
        if (size >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0)
                memset(s, ' ', 3);
        for (size_t i = 0; i < size;) {
                size_t n = text ? 0 : strspn(s + i, "0123456789"), k;
                uint32_t c;

                if (is_huge(s + i, n) && !(i > 0 && strchr(".eE+", s[i - 1])) &&
                    !strchr(".eE", s[i + n])) {
                        if (i > 0 && s[i - 1] == '-')
                                s[i - 1] = ' ';
                        memset(s + i, 'x', n);
                        s[i] = s[i + n - 1] = '"';
                }
                if (n > 0) {
                        i += n;
                        continue;
                }
                if (text && s[i] == '\\' && i + 1 < size) {
                        if (i + 5 < size && memcmp(s + i, "\\u0000", 6) == 0)
                                memcpy(s + i, "\\ufffd", 6);
                        i += 2;
                        continue;
                }
                if (s[i] == '"')
                        text = !text;
                k = pl_utf8_decode(s + i, size - i, &c);
                if (k == 0)
                        s[i] = '?';
                i += PL_MAX(k, (size_t)1);
        }
        return s;
}

/* Messages of jansson end with what stands there, which may be a secret. */
static void complain_of_json(PlDiagList *diag, const char *file, const char *json, size_t size,
                             const json_error_t *error) {
        const char *near = strstr(error->text, " near ");
        int n = near ? (int)(near - error->text) : (int)strlen(error->text);
        _cleanup_free_ char *copy = calloc(1, size + 1); /* with a NUL at the end */
        PlGuess kind = PL_GUESS_JSON;
        unsigned line = 0;

        if (copy) {
                memcpy(copy, json, size);
                kind = pl_guess(copy, size, &line);
        }
        if (copy && !copy[strspn(copy, " \t\r\n")])
                pl_diag_add(diag, PL_SEVERITY_ERROR, file, 0,
                            "nothing is in it; has docker compose config --format json failed?");
        else if (kind == PL_GUESS_YAML || kind == PL_GUESS_COMPOSE)
                pl_diag_add(diag, PL_SEVERITY_ERROR, file, line,
                            "not JSON: this is YAML; plimsollctl import --compose reads it, or "
                            "give "
                            "what docker compose config --format json prints");
        else if (kind == PL_GUESS_UTF16)
                pl_diag_add(diag, PL_SEVERITY_ERROR, file, line,
                            "not JSON: this is UTF-16, and JSON is UTF-8; make it again with: "
                            "docker "
                            "compose config --format json");
        else if (kind == PL_GUESS_TOML || kind == PL_GUESS_UNIT || kind == PL_GUESS_BINARY ||
                 (kind == PL_GUESS_POLICY && *copy == '['))
                pl_diag_add(diag, PL_SEVERITY_ERROR, file, line,
                            "not JSON: this is %s; a compose configuration comes from: docker "
                            "compose "
                            "config --format json",
                            kind == PL_GUESS_TOML     ? "TOML"
                            : kind == PL_GUESS_BINARY ? "a program or a packed file"
                            : kind == PL_GUESS_UNIT   ? "a unit file"
                                                      : "a policy already, or a file of that kind");
        else
                pl_diag_add(diag, PL_SEVERITY_ERROR, file, (unsigned)PL_MAX(error->line, 0),
                            "not JSON: %.*s in column %d; make it with: docker compose config "
                            "--format "
                            "json",
                            n, error->text, PL_MAX(error->column, 0));
}

static json_t *load(const char *file, const char *json, size_t size, PlDiagList *diag) {
        _cleanup_free_ char *soft = size <= PL_IMPORT_MAX ? soften(json, size) : NULL;
        json_error_t error;
        json_t *root;

        if (size > PL_IMPORT_MAX) {
                pl_diag_add(diag, PL_SEVERITY_ERROR, file, 0,
                            "larger than 16M; is this a compose configuration?");
                return NULL;
        }
        if (!soft) {
                diag->oom = true;
                return NULL;
        }
        root = json_loadb(soft, size, 0, &error);
        if (!root)
                complain_of_json(diag, file, json, size, &error);
        else if (!json_is_object(json_object_get(root, "services"))) {
                pl_diag_add(diag, PL_SEVERITY_ERROR, file, 0,
                            "no \"services\" in it; make it with: docker compose config --format "
                            "json");
                json_decref(root);
                root = NULL;
        }
        return root;
}

int pl_import_compose(const char *file, const char *json, size_t size, const PlHost *host,
                      PlDiagList *diag, PlImportCount *ret_count, char **ret) {
        Import im = { .file = file, .host = host, .diag = diag };
        _cleanup_free_ char *text = NULL;
        size_t text_size;
        json_t *root = load(file, json, size, diag);
        int r;

        if (!root)
                return diag->oom ? -ENOMEM : -EBADMSG;
        r = begin_text(&im, "compose configuration", &text, &text_size);
        if (r == 0)
                r = import_services(&im, root);
        r = end_text(&im, r, &text_size);
        json_decref(root);
        if (r < 0)
                return r;
        if (ret_count)
                *ret_count = im.count;
        *ret = TAKE_PTR(text);
        return 0;
}

/* --- an engine's containers: said as compose would say it. Source: the Engine API,
 * ContainerInspect.
 */

#define SHM_DEFAULT MIB(64)

/* New references go to the object; what is nothing is left out. */
static void put(json_t *to, const char *key, json_t *value) {
        if (value)
                (void)json_object_set_new(to, key, value);
}

static void put_number(json_t *to, const char *key, const json_t *host, const char *member) {
        json_int_t n = json_integer_value(json_object_get(host, member));

        if (n > 0)
                put(to, key, json_integer(n));
}

/* What there is no word for in a policy, as it is. */
static void put_copy(json_t *to, const char *key, const json_t *host, const char *member) {
        const json_t *value = json_object_get(host, member);

        if (value && !says_nothing(value))
                put(to, key, json_deep_copy(value));
}

static void say_resources(json_t *to, const json_t *host) {
        static const char *const numbers[][2] = {
                { "mem_limit", "Memory" },
                { "mem_reservation", "MemoryReservation" },
                { "cpu_quota", "CpuQuota" },
                { "cpu_period", "CpuPeriod" },
                { "cpu_shares", "CpuShares" },
                { "pids_limit", "PidsLimit" },
                { "cpu_rt_period", "CpuRealtimePeriod" },
                { "cpu_rt_runtime", "CpuRealtimeRuntime" },
        };
        static const char *const copies[][2] = {
                { "cpuset", "CpusetCpus" },      { "ulimits", "Ulimits" },
                { "storage_opt", "StorageOpt" }, { "oom_kill_disable", "OomKillDisable" },
                { "gpus", "DeviceRequests" },
        };
        json_int_t swap = json_integer_value(json_object_get(host, "MemorySwap")),
                   shm = json_integer_value(json_object_get(host, "ShmSize")),
                   nano = json_integer_value(json_object_get(host, "NanoCpus"));

        for (size_t i = 0; i < PL_ARRAY_SIZE(numbers); i++)
                put_number(to, numbers[i][0], host, numbers[i][1]);
        for (size_t i = 0; i < PL_ARRAY_SIZE(copies); i++)
                put_copy(to, copies[i][0], host, copies[i][1]);
        /* without a limit of memory it says nothing */
        if (json_object_get(to, "mem_limit") && swap != 0)
                put(to, "memswap_limit", json_integer(swap));
        if (shm > 0 && shm != (json_int_t)SHM_DEFAULT)
                put(to, "shm_size", json_integer(shm));
        if (nano > 0)
                put(to, "cpus", json_real((double)nano / 1e9));
        if (json_integer_value(json_object_get(host, "MemorySwappiness")) >= 0)
                put_copy(to, "mem_swappiness", host, "MemorySwappiness");
        if (json_integer_value(json_object_get(host, "OomScoreAdj")) != 0)
                put_copy(to, "oom_score_adj", host, "OomScoreAdj");
}

static void say_devices(json_t *to, const json_t *host) {
        static const char *const members[][2] = {
                { "device_read_bps", "BlkioDeviceReadBps" },
                { "device_write_bps", "BlkioDeviceWriteBps" },
                { "device_read_iops", "BlkioDeviceReadIOps" },
                { "device_write_iops", "BlkioDeviceWriteIOps" },
                { "weight_device", "BlkioWeightDevice" },
        };
        json_t *config = json_object();

        for (size_t i = 0; config && i < PL_ARRAY_SIZE(members); i++)
                put_copy(config, members[i][0], host, members[i][1]);
        put_number(config, "weight", host, "BlkioWeight");
        if (json_object_size(config) > 0)
                put(to, "blkio_config", config);
        else
                json_decref(config);
}

/* In nanoseconds there; 0 is Docker's default. */
static void put_span(json_t *to, const char *key, const json_t *check, const char *member) {
        json_int_t nsec = json_integer_value(json_object_get(check, member));

        if (nsec >= 1000)
                put(to, key, json_sprintf("%" JSON_INTEGER_FORMAT "us", nsec / 1000));
}

static void say_healthcheck(json_t *to, const json_t *check) {
        json_t *o = json_is_object(check) ? json_object() : NULL;

        if (!o)
                return;
        put_copy(o, "test", check, "Test");
        put_span(o, "interval", check, "Interval");
        put_span(o, "timeout", check, "Timeout");
        put_span(o, "start_period", check, "StartPeriod");
        put_span(o, "start_interval", check, "StartInterval");
        put_number(o, "retries", check, "Retries");
        put(to, "healthcheck", o);
}

/* By After= in a policy. */
static void say_needs(json_t *to, const char *needs) {
        json_t *list = needs && *needs ? json_array() : NULL;
        char name[PL_COMPOSE_NAME_MAX];

        while (list && pl_compose_next_needed(&needs, name))
                (void)json_array_append_new(list, json_string(name));
        if (list)
                put(to, "depends_on", list);
}

/* As the engine would take it. Return: 0, -EBADMSG: it is no container, -ENOMEM. */
static int check_container(const json_t *container) {
        _cleanup_free_ char *text = json_dumps(container, JSON_COMPACT);
        _cleanup_(pl_container_freep) PlContainer *c = NULL;
        int r = text ? pl_docker_parse_inspect(text, strlen(text), &c) : -ENOMEM;

        if (text)
                explicit_bzero(text, strlen(text)); /* its environment is in it */
        return r;
}

/* Return: 0 and a new reference; -EBADMSG: it is no container; -ENOMEM. */
static int say_container(const json_t *container, json_t **ret) {
        const json_t *host = json_object_get(container, "HostConfig"),
                     *log = json_object_get(host, "LogConfig");
        _cleanup_json_ json_t *to = json_object();
        json_t *logging = json_object();
        int r = to && logging ? check_container(container) : -ENOMEM;

        if (r < 0) {
                json_decref(logging);
                return r;
        }
        say_resources(to, host);
        say_devices(to, host);
        say_healthcheck(to, get(container, "Config", "Healthcheck", NULL));
        put_copy(logging, "driver", log, "Type");
        put_copy(logging, "options", log, "Config");
        put(to, "logging", logging);
        *ret = TAKE_PTR(to);
        return 0;
}

/* What a container is called, and by what it is matched: compose's service, or, because the name is
 * made anew with each container, a swarm's, or Podman's unit, or else its name. */
typedef struct Belonging {
        const char *project, *match, *name;
} Belonging;

static Belonging belonging_of(const json_t *container) {
        const json_t *labels = get(container, "Config", "Labels", NULL);
        const char *project = json_string_value(json_object_get(labels, PL_COMPOSE_PROJECT)),
                   *service = json_string_value(json_object_get(labels, PL_COMPOSE_SERVICE)),
                   *oneoff = json_string_value(
                                   json_object_get(labels, "com.docker.compose.oneoff")),
                   *name = json_string_value(json_object_get(container, "Name"));

        if (project && service && is_plain(project) && is_plain(service) &&
            !(oneoff && strcasecmp(oneoff, "true") == 0))
                return (Belonging){ project, NULL, service };
        for (PlMatchKind k = PL_MATCH_SWARM_SERVICE; k <= PL_MATCH_UNIT; k++) {
                const char *value = json_string_value(json_object_get(labels, pl_match_label(k)));

                if (value && is_plain(value))
                        return (Belonging){ "", pl_match_word(k), value };
        }
        return (Belonging){ "", pl_match_word(PL_MATCH_NAME),
                            name && *name == '/' ? name + 1 : name };
}

static int gather_container(Import *im, json_t *projects, const json_t *container) {
        Belonging to = belonging_of(container);
        json_t *project, *services, *before, *service;
        int r = to.name ? say_container(container, &service) : -EBADMSG;

        if (r == -EBADMSG) {
                im->service = "container";
                warn(im, "answer", "it is none that an engine gives");
        }
        if (r < 0)
                return r == -EBADMSG ? 0 : r;
        project = json_object_get(projects, to.project);
        if (!project) {
                project = json_pack("{s:s,s:{}}", "name", to.project, "services");
                if (!project || json_object_set_new(projects, to.project, project) < 0) {
                        json_decref(service);
                        return -ENOMEM;
                }
        }
        services = json_object_get(project, "services");
        before = json_object_get(services, to.name);
        if (to.match)
                put(service, MATCH, json_string(to.match));
        else
                say_needs(service, json_string_value(json_object_get(
                                                   get(container, "Config", "Labels", NULL),
                                                   PL_COMPOSE_NEEDS)));
        if (before && !json_equal(before, service)) {
                im->service = is_plain(to.name) ? to.name : "container";
                warn(im, "another container of it", "it has other values than the first one");
        }
        if (before)
                json_decref(service);
        else
                r = json_object_set_new(services, to.name, service);
        return r < 0 ? -ENOMEM : 0;
}

int pl_import_engine(const char *file, const json_t *containers, const PlHost *host,
                     PlDiagList *diag, PlImportCount *ret_count, char **ret) {
        Import im = { .file = file, .engine = true, .host = host, .diag = diag };
        _cleanup_free_ char *text = NULL;
        _cleanup_json_ json_t *projects = json_object();
        const json_t *container;
        const char *name;
        json_t *project;
        size_t i, size;
        int r = projects ? begin_text(&im, "engine at", &text, &size) : -ENOMEM;

        json_array_foreach(containers, i, container) {
                if (r == 0)
                        r = gather_container(&im, projects, container);
        }
        json_object_foreach(projects, name, project) {
                if (r == 0)
                        r = import_services(&im, project);
        }
        r = end_text(&im, r, &size);
        if (r < 0)
                return r;
        if (ret_count)
                *ret_count = im.count;
        *ret = TAKE_PTR(text);
        return 0;
}
