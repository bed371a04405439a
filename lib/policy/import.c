/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Import: one [Service] section per compose service. See the header.
 */

#include "lib/policy/import.h"

#include <errno.h>
#include <jansson.h>

#include "lib/base/quote.h"
#include "lib/base/unit.h"
#include "lib/limits/resource.h"
#include "lib/policy/parser.h"

/* --- values: a number may come as JSON number or as text, whatever version of compose printed it.
 * All: 0; -ENOENT absent, null or "unlimited"; -EINVAL; -ERANGE. */

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
        if (!v || json_is_null(v))
                return -ENOENT;
        if (!s)
                return -EINVAL;
        if (s[0] == '-')
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
        if (!v || json_is_null(v) || (s && s[0] == '-'))
                return -ENOENT;
        if (!s)
                return -EINVAL;
        r = pl_parse_uint64(s, ret);
        return r < 0 ? r : *ret == 0 ? -ENOENT : 0;
}

/* "1m30s", as Go prints it, in microseconds. */
static int import_duration(const json_t *v, uint64_t *ret_usec) {
        const char *s = json_string_value(v);

        if (!v || json_is_null(v))
                return -ENOENT;
        if (!s)
                return -EINVAL;
        return pl_parse_sec(s, ret_usec);
}

/* --- the document */

#define DEPENDS_MAX 200 /* names of 64 bytes that fit one line of a policy */

typedef struct Import {
        const char *file, *service;
        const json_t *services;
        PlDiagList *diag;
        FILE *out;
} Import;

static void warn(const Import *im, const char *what, const char *why) {
        pl_diag_add(im->diag, PL_SEVERITY_WARNING, im->file, 0, "%s: %s: %s; left out", im->service,
                    what, why);
}

/* Follows member names from an object; NULL where one is missing or no object. */
static const json_t *get(const json_t *o, const char *a, const char *b, const char *c) {
        o = json_object_get(o, a);
        if (b)
                o = json_object_get(o, b);
        return c ? json_object_get(o, c) : o;
}

/* May the policy ask for it? Says so when not. */
static bool in_range(const Import *im, const char *what, PlResource r, uint64_t n) {
        const PlResourceInfo *info = pl_resource_info(r);

        if (n >= info->min && n <= info->max)
                return true;
        warn(im, what, n < info->min ? "too small for a limit" : "too large for a limit");
        return false;
}

/* The first of two places that has a size, in bytes; 0: none. */
static uint64_t memory_of(const Import *im, const json_t *s, const char *section, const char *old) {
        const json_t *v = get(get(s, "deploy", "resources", section), "memory", NULL, NULL);
        uint64_t bytes = 0;
        int r;

        r = import_size(v, 1024, &bytes);
        if (r == -ENOENT)
                r = import_size(json_object_get(s, old), 1024, &bytes);
        if (r == -EINVAL || r == -ERANGE)
                warn(im, old, "not a size");
        return r < 0 ? 0 : bytes;
}

static void print_bytes(const Import *im, const char *key, uint64_t bytes) {
        char buf[PL_FORMAT_MAX];

        fprintf(im->out, "%s=%s\n", key, pl_format_bytes_exact(bytes, buf));
}

static void import_memory(const Import *im, const json_t *s) {
        uint64_t max = memory_of(im, s, "limits", "mem_limit");
        uint64_t low = memory_of(im, s, "reservations", "mem_reservation"), total;
        const json_t *swap = json_object_get(s, "memswap_limit");

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
        if (!max || !swap || json_is_null(swap))
                return;
        /* it counts memory and swap together; -1 is no limit */
        if (json_integer_value(swap) == -1 || pl_streq_null(json_string_value(swap), "-1"))
                fprintf(im->out, "MemorySwapMax=infinity\n");
        else if (import_size(swap, 1024, &total) == 0) {
                if (total < max)
                        warn(im, "memswap_limit", "smaller than the memory limit");
                else if (in_range(im, "memswap_limit", PL_RESOURCE_MEMORY_SWAP_MAX, total - max))
                        print_bytes(im, "MemorySwapMax", total - max);
        }
}

/* deploy.resources.limits.cpus, cpus, or the older cpu_quota with cpu_period. */
static int cpu_time_of(const json_t *s, uint64_t *ret) {
        uint64_t quota, period = PL_QUOTA_PERIOD_DEFAULT_USEC;
        int r;

        r = import_cpus(get(get(s, "deploy", "resources", "limits"), "cpus", NULL, NULL), ret);
        if (r == -ENOENT)
                r = import_cpus(json_object_get(s, "cpus"), ret);
        if (r != -ENOENT)
                return r;
        r = import_count(json_object_get(s, "cpu_quota"), &quota);
        if (r < 0)
                return r;
        (void)import_count(json_object_get(s, "cpu_period"), &period);
        if (quota > UINT64_MAX / PL_USEC_PER_SEC)
                return -ERANGE;
        *ret = quota * PL_USEC_PER_SEC / period;
        return 0;
}

static int import_cpu(const Import *im, const json_t *s) {
        const char *list = json_string_value(json_object_get(s, "cpuset"));
        _cleanup_free_ char *text = NULL, *canonical = NULL;
        PlValue quota = { .set = true };
        uint64_t n;
        int r;

        r = cpu_time_of(s, &quota.number);
        if (r == -EINVAL || r == -ERANGE)
                warn(im, "cpus", "not a number of CPUs");
        quota.number -= quota.number % 100; /* the policy has two decimals of a per cent */
        if (r == 0 && in_range(im, "cpus", PL_RESOURCE_CPU_QUOTA, quota.number)) {
                if (pl_value_to_string(PL_RESOURCE_CPU_QUOTA, &quota, &text) < 0)
                        return -ENOMEM;
                fprintf(im->out, "CPUQuota=%s\n", text);
        }
        if (import_count(json_object_get(s, "cpu_shares"), &n) == 0) {
                n = PL_MIN(n, UINT64_C(262144)) * 100 / 1024;
                fprintf(im->out, "CPUWeight=%" PRIu64 "\n",
                        PL_MIN(PL_MAX(n, UINT64_C(1)), UINT64_C(10000)));
        }
        if (list && *list) {
                r = pl_parse_cpuset(list, &canonical);
                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        warn(im, "cpuset", "not a list of CPUs");
                else
                        fprintf(im->out, "AllowedCPUs=%s\n", canonical);
        }
        if (get(get(s, "deploy", "resources", "reservations"), "cpus", NULL, NULL))
                warn(im, "reservations.cpus",
                     "the kernel reserves no CPU time; CPUWeight= gives a share");
        return 0;
}

/* Printable ASCII that neither ends a value nor begins a comment in a policy. */
static bool path_fits(const char *path) {
        const char *c = path;

        while (*c > ' ' && *c < 0x7f && !strchr("\\;#", *c))
                c++;
        return path[0] == '/' && !*c && c - path < PL_DEVICE_MAX;
}

static void import_devices(const Import *im, const json_t *s, const char *member, const char *key) {
        const json_t *list = get(s, "blkio_config", member, NULL), *item;
        size_t i;

        json_array_foreach(list, i, item) {
                const char *path = json_string_value(json_object_get(item, "path"));
                uint64_t rate;

                if (i >= PL_POLICY_LIST_MAX / 2)
                        break;
                if (!path || !path_fits(path))
                        warn(im, member, "not a path");
                else if (import_size(json_object_get(item, "rate"), 1024, &rate) < 0)
                        warn(im, member, "not a rate");
                else if (in_range(im, member, PL_RESOURCE_IO_READ_BANDWIDTH_MAX, rate))
                        fprintf(im->out, "%s=%s %" PRIu64 "\n", key, path, rate);
        }
}

static void import_rest(const Import *im, const json_t *s) {
        uint64_t n;
        int r;

        r = import_count(get(get(s, "deploy", "resources", "limits"), "pids", NULL, NULL), &n);
        if (r == -ENOENT)
                r = import_count(json_object_get(s, "pids_limit"), &n);
        if (r == 0 && in_range(im, "pids_limit", PL_RESOURCE_TASKS_MAX, n))
                fprintf(im->out, "TasksMax=%" PRIu64 "\n", n);
        else if (r == -EINVAL || r == -ERANGE)
                warn(im, "pids_limit", "not a number");
        /* 500 is the middle there, 100 here; as systemd converts BlockIOWeight= */
        if (import_count(get(s, "blkio_config", "weight", NULL), &n) == 0)
                fprintf(im->out, "IOWeight=%" PRIu64 "\n",
                        PL_MIN(PL_MAX(n / 5, UINT64_C(1)), UINT64_C(10000)));
        import_devices(im, s, "device_read_bps", "IOReadBandwidthMax");
        import_devices(im, s, "device_write_bps", "IOWriteBandwidthMax");
}

static void import_logging(const Import *im, const json_t *s) {
        const char *driver = json_string_value(get(s, "logging", "driver", NULL));
        const json_t *options = get(s, "logging", "options", NULL);
        uint64_t bytes, n;
        int r;

        if (driver && !pl_streq(driver, "json-file")) {
                if (json_object_size(options) > 0)
                        warn(im, "logging.options", "that driver keeps its own logs");
                return;
        }
        r = import_size(json_object_get(options, "max-size"), 1000, &bytes);
        if (r == 0 && bytes >= KIB(64) && bytes <= GIB(1 << 20))
                print_bytes(im, "LogMaxSize", bytes);
        else if (r != -ENOENT)
                warn(im, "logging.options.max-size", "not a size from 64K to 1P");
        /* Docker counts the file that is being written, too */
        r = import_count(json_object_get(options, "max-file"), &n);
        if (r == 0 && n <= 10000)
                fprintf(im->out, "LogMaxFiles=%" PRIu64 "\n", PL_MAX(n - 1, UINT64_C(1)));
        else if (r != -ENOENT)
                warn(im, "logging.options.max-file", "not a number of files");
}

/* In the largest unit that says it exactly. */
static void print_span(const Import *im, const char *key, uint64_t usec) {
        static const struct {
                uint64_t usec;
                const char *name;
        } units[] = { { PL_USEC_PER_HOUR, "h" },
                      { PL_USEC_PER_MIN, "min" },
                      { PL_USEC_PER_SEC, "s" },
                      { PL_USEC_PER_MSEC, "ms" },
                      { 1, "us" } };
        size_t i = 0;

        while (usec % units[i].usec)
                i++;
        fprintf(im->out, "%s=%" PRIu64 "%s\n", key, usec / units[i].usec,
                usec ? units[i].name : "s");
}

/* Compose's defaults are 30s for both. What the policy cannot have is moved to what it can. */
static void import_healthcheck(const Import *im, const json_t *s) {
        const json_t *check = json_object_get(s, "healthcheck");
        uint64_t interval = 30 * PL_USEC_PER_SEC, timeout = interval, start, retries;
        int r, q;

        if (!json_is_object(check) || json_is_true(json_object_get(check, "disable")))
                return;
        r = import_duration(json_object_get(check, "interval"), &interval);
        q = import_duration(json_object_get(check, "timeout"), &timeout);
        if (r == 0 || q == 0) {
                interval = PL_MIN(PL_MAX(interval, PL_USEC_PER_SEC), PL_USEC_PER_DAY);
                timeout = PL_MAX(timeout, 10 * PL_USEC_PER_MSEC);
                timeout = PL_MIN(PL_MIN(timeout, interval), 10 * PL_USEC_PER_MIN);
                print_span(im, "ProbeInterval", interval);
                print_span(im, "ProbeTimeout", timeout);
        }
        if (import_count(json_object_get(check, "retries"), &retries) == 0)
                fprintf(im->out, "ProbeFailures=%" PRIu64 "\n", PL_MIN(retries, UINT64_C(1000)));
        if (import_duration(json_object_get(check, "start_period"), &start) == 0)
                print_span(im, "ProbeStartPeriod", PL_MIN(start, PL_USEC_PER_DAY));
}

static bool is_service(const Import *im, const char *name) {
        return pl_service_name_valid(name) && json_is_object(json_object_get(im->services, name));
}

/* An object of names, or in older files a list of them. */
static void import_depends_on(const Import *im, const json_t *s) {
        const json_t *depends = json_object_get(s, "depends_on"), *item;
        const char *name, *lead = "After=";
        size_t i, n = 0;

        if (json_is_object(depends))
                json_object_foreach((json_t *)depends, name, item) {
                        if (!is_service(im, name) || pl_streq(name, im->service) ||
                            n++ >= DEPENDS_MAX)
                                continue;
                        fprintf(im->out, "%s%s", lead, name);
                        lead = " ";
                }
        json_array_foreach(depends, i, item) {
                name = json_string_value(item);
                if (!name || !is_service(im, name) || pl_streq(name, im->service) ||
                    n++ >= DEPENDS_MAX)
                        continue;
                fprintf(im->out, "%s%s", lead, name);
                lead = " ";
        }
        if (*lead == ' ')
                fputc('\n', im->out);
}

static int import_services(Import *im) {
        const json_t *s;
        const char *name;
        int r = 0;

        json_object_foreach((json_t *)im->services, name, s) {
                _cleanup_free_ char *shown = pl_escape(name, 80);

                if (!shown)
                        return -ENOMEM;
                im->service = shown;
                if (!is_service(im, name)) {
                        warn(im, "service",
                             "its name is not fit for a section, or it is no object");
                        continue;
                }
                fprintf(im->out, "\n[Service %s]\nMatch=compose-service:%s\n", name, name);
                r = import_cpu(im, s);
                if (r < 0)
                        return r;
                import_memory(im, s);
                import_rest(im, s);
                import_logging(im, s);
                import_healthcheck(im, s);
                import_depends_on(im, s);
        }
        return 0;
}

int pl_import_compose(const char *file, const char *json, size_t size, PlDiagList *diag,
                      char **ret) {
        Import im = { .file = file, .diag = diag };
        _cleanup_free_ char *text = NULL, *shown = pl_escape(file, 200);
        json_error_t error;
        json_t *root = NULL;
        size_t text_size;
        int r = -EBADMSG;

        if (!shown)
                return -ENOMEM;
        if (size > PL_IMPORT_MAX)
                pl_diag_add(diag, PL_SEVERITY_ERROR, file, 0,
                            "larger than 16M; is this a compose configuration?");
        else if (!(root = json_loadb(json, size, 0, &error)))
                pl_diag_add(diag, PL_SEVERITY_ERROR, file, (unsigned)PL_MAX(error.line, 0),
                            "not JSON: %s; make it with: docker compose config --format json",
                            error.text);
        else if (!json_is_object(im.services = json_object_get(root, "services")))
                pl_diag_add(diag, PL_SEVERITY_ERROR, file, 0,
                            "no \"services\" in it; make it with: docker compose config --format "
                            "json");
        else {
                im.out = open_memstream(&text, &text_size);
                r = im.out ? 0 : -ENOMEM;
        }
        if (r == 0) {
                fprintf(im.out, "# From the compose configuration %s, by plimsollctl import.\n",
                        shown);
                r = import_services(&im);
                if (ferror(im.out))
                        r = -ENOMEM;
                if (fclose(im.out) != 0)
                        r = -ENOMEM;
        }
        json_decref(root);
        if (r < 0 || diag->oom)
                return r < 0 ? r : -ENOMEM;
        *ret = TAKE_PTR(text);
        return 0;
}
