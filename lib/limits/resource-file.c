/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Resources in the kernel's files: how each value is written there, how it reads back, and how the
 * kernel rounds it. The only place that knows these formats.
 *
 * Sources: kernel Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/, mm/page_counter.c,
 * kernel/sched/core.c; conversions between v1 and v2 as in systemd (src/core/cgroup.c), so that two
 * managers on one host agree.
 */

#include "lib/limits/resource.h"

#include <errno.h>

#include "lib/base/unit.h"

#define SHARES_MIN     2
#define SHARES_MAX     262144
#define SHARES_DEFAULT 1024
#define WEIGHT_DEFAULT 100
#define WEIGHT_MAX     10000
#define BFQ_MAX        1000
#define QUOTA_MIN_USEC 1000
#define QUOTA_MAX_USEC ((UINT64_C(1) << 44) - 1) /* MAX_BW */

/* PAGE_COUNTER_MAX * page on v1 for every page size up to 64 KiB is this or more. */
#define V1_UNLIMITED UINT64_C(0x7fffffffffff0000)

static uint64_t divide_round(uint64_t a, uint64_t b, uint64_t c) {
        return (uint64_t)(((unsigned __int128)a * b + c / 2) / c);
}

static uint64_t shares_from_weight(uint64_t weight) {
        weight = PL_MIN(weight, (uint64_t)SHARES_MAX);
        return PL_MIN(PL_MAX(weight * SHARES_DEFAULT / WEIGHT_DEFAULT, (uint64_t)SHARES_MIN),
                      (uint64_t)SHARES_MAX);
}

static uint64_t weight_from_shares(uint64_t shares) {
        return divide_round(shares, WEIGHT_DEFAULT, SHARES_DEFAULT);
}

/* BFQ knows 1..1000 with the same default; the two halves are scaled apart, the upper one 11 to 1.
 */
static uint64_t bfq_from_weight(uint64_t weight) {
        weight = PL_MIN(weight, (uint64_t)WEIGHT_MAX);
        if (weight <= WEIGHT_DEFAULT)
                return weight;
        return WEIGHT_DEFAULT + (weight - WEIGHT_DEFAULT) * (BFQ_MAX - WEIGHT_DEFAULT) /
                                                (WEIGHT_MAX - WEIGHT_DEFAULT);
}

/* Of the weights that lead to the same step the roundest, which is what people write: 200 is read
 * back as 200. */
static uint64_t weight_from_bfq(uint64_t bfq) {
        static const uint64_t units[] = { 100, 50, 10 };
        uint64_t step = (WEIGHT_MAX - WEIGHT_DEFAULT) / (BFQ_MAX - WEIGHT_DEFAULT), first, last;

        if (bfq <= WEIGHT_DEFAULT)
                return bfq;
        first = WEIGHT_DEFAULT + (PL_MIN(bfq, (uint64_t)BFQ_MAX) - WEIGHT_DEFAULT) * step;
        last = PL_MIN(first + step - 1, (uint64_t)WEIGHT_MAX);
        for (size_t i = 0; i < PL_ARRAY_SIZE(units); i++)
                if (last / units[i] * units[i] >= first)
                        return last / units[i] * units[i];
        return first;
}

/* CPU time per second as the kernel's pair. period_usec: the wanted one; 0: the default; it is
 * stretched where the quota would fall below the kernel's minimum of 1 ms (systemd does likewise).
 * Quota is rounded down and read back rounded up, so that what was read back leads to the same
 * quota and the same period again. The period grows by doubling for the same reason. */
static void quota_of(uint64_t number, uint64_t period_usec, uint64_t *ret_quota_usec,
                     uint64_t *ret_period_usec) {
        uint64_t period = period_usec ? period_usec : PL_QUOTA_PERIOD_DEFAULT_USEC, quota;

        for (period = PL_MAX(period, PL_QUOTA_PERIOD_MIN_USEC);; period *= 2) {
                period = PL_MIN(period, PL_QUOTA_PERIOD_MAX_USEC);
                quota = (uint64_t)((unsigned __int128)number * period / PL_USEC_PER_SEC);
                if (quota >= QUOTA_MIN_USEC || period == PL_QUOTA_PERIOD_MAX_USEC)
                        break;
        }
        *ret_quota_usec = PL_MIN(PL_MAX(quota, (uint64_t)QUOTA_MIN_USEC), QUOTA_MAX_USEC);
        *ret_period_usec = period;
}

static uint64_t number_from_quota(uint64_t quota, uint64_t period) {
        return (uint64_t)(((unsigned __int128)quota * PL_USEC_PER_SEC + period - 1) / period);
}

uint64_t pl_resource_quota_round(uint64_t number, uint64_t period_usec) {
        uint64_t quota, period;

        if (number == PL_UNLIMITED)
                return number;
        quota_of(number, period_usec, &quota, &period);
        return number_from_quota(quota, period);
}

void pl_resource_normalise(PlResource r, PlHierarchy h, uint64_t page, PlValue *v) {
        if (!v->set || v->number == PL_UNLIMITED)
                return;
        switch (pl_resource_info(r)->kind) {
        case PL_KIND_BYTES:
                v->number -= v->number % page;
                if (v->number >= V1_UNLIMITED)
                        v->number = PL_UNLIMITED;
                break;
        case PL_KIND_WEIGHT:
                if (h == PL_HIERARCHY_V2 &&
                    v->text) { /* shares, from the engine: no word of v2's */
                        free(v->text);
                        v->text = NULL;
                }
                if (h == PL_HIERARCHY_V1 && r == PL_RESOURCE_CPU_WEIGHT)
                        v->number = weight_from_shares(shares_from_weight(v->number));
                else if (h == PL_HIERARCHY_V1)
                        v->number = weight_from_bfq(bfq_from_weight(v->number));
                break;
        default: /* read back as written */
                break;
        }
}

int pl_resource_format_quota(PlHierarchy h, const PlValue *v, uint64_t period_usec, char **ret,
                             uint64_t *ret_period_usec) {
        uint64_t quota = 0, period;
        int r;

        if (v->number == PL_UNLIMITED)
                period = period_usec ? period_usec : PL_QUOTA_PERIOD_DEFAULT_USEC;
        else
                quota_of(v->number, period_usec, &quota, &period);
        if (h == PL_HIERARCHY_V1)
                r = v->number == PL_UNLIMITED ? asprintf(ret, "-1")
                                              : asprintf(ret, "%" PRIu64, quota);
        else if (v->number == PL_UNLIMITED)
                r = asprintf(ret, "max %" PRIu64, period);
        else
                r = asprintf(ret, "%" PRIu64 " %" PRIu64, quota, period);
        if (r < 0)
                return -ENOMEM;
        *ret_period_usec = period;
        return 0;
}

static int format_weight(PlResource r, PlHierarchy h, uint64_t weight, char **ret) {
        const char *prefix = "";

        weight = PL_MIN(weight, (uint64_t)WEIGHT_MAX);
        if (h == PL_HIERARCHY_V1)
                weight = r == PL_RESOURCE_CPU_WEIGHT ? shares_from_weight(weight)
                                                     : bfq_from_weight(weight);
        else if (r == PL_RESOURCE_IO_WEIGHT)
                prefix = "default ";
        return asprintf(ret, "%s%" PRIu64, prefix, weight) < 0 ? -ENOMEM : 0;
}

int pl_resource_format_file(PlResource r, PlHierarchy h, const PlValue *v, char **ret) {
        const PlResourceInfo *info = pl_resource_info(r);
        uint64_t period;
        int n;

        if (!info->file[h])
                return -EOPNOTSUPP;
        if (!v->set)
                return -EINVAL;
        switch (info->kind) {
        case PL_KIND_CPU_TIME:
                return pl_resource_format_quota(h, v, 0, ret, &period);
        case PL_KIND_WEIGHT:
                if (h == PL_HIERARCHY_V1 && v->text)
                        return asprintf(ret, "%s", v->text) < 0 ? -ENOMEM : 0;
                return format_weight(r, h, v->number, ret);
        case PL_KIND_BYTES:
        case PL_KIND_COUNT:
                if (v->number != PL_UNLIMITED)
                        n = asprintf(ret, "%" PRIu64, v->number);
                else /* v1's memory files know no word for it; pids.max is the same on both */
                        n = asprintf(ret, "%s",
                                     h == PL_HIERARCHY_V1 && info->kind == PL_KIND_BYTES ? "-1"
                                                                                         : "max");
                return n < 0 ? -ENOMEM : 0;
        case PL_KIND_CPUSET:
                if ((!v->text || !*v->text) && h == PL_HIERARCHY_V1)
                        return -EOPNOTSUPP;
                return asprintf(ret, "%s", v->text && *v->text ? v->text : "\n") < 0 ? -ENOMEM : 0;
        case PL_KIND_DEVICES:
                return pl_resource_format_devices(r, h, v, NULL, ret);
        }
        return -EOPNOTSUPP;
}

/* "max", "-1" or a number; *s moves behind it and one space. */
static int take_number(const char **s, uint64_t *ret) {
        char word[24];
        size_t n = strcspn(*s, " ");
        uint64_t number = PL_UNLIMITED;

        if (n == 0 || n >= sizeof(word))
                return -EINVAL;
        memcpy(word, *s, n);
        word[n] = '\0';
        if (!pl_streq(word, "max") && !pl_streq(word, "-1") && pl_parse_uint64(word, &number) < 0)
                return -EINVAL;
        *s += n;
        if (**s == ' ')
                (*s)++;
        *ret = number;
        return 0;
}

static int parse_quota(const char *s, uint64_t *ret) {
        uint64_t quota, period = PL_QUOTA_PERIOD_DEFAULT_USEC;

        if (take_number(&s, &quota) < 0 || (*s && take_number(&s, &period) < 0) || *s ||
            period == 0)
                return -EINVAL;
        if (quota == PL_UNLIMITED) {
                *ret = PL_UNLIMITED;
                return 0;
        }
        if (quota > UINT64_MAX / PL_USEC_PER_SEC)
                return -EINVAL;
        *ret = number_from_quota(quota, period);
        return 0;
}

/* io.weight on v2 says "default 100" first, then devices of their own; older files a bare number.
 */
static int parse_weight(PlResource r, PlHierarchy h, const char *s, PlValue *ret) {
        _cleanup_free_ char *back = NULL;
        char line[32];
        uint64_t n;

        if (pl_startswith(s, "default "))
                s += strlen("default ");
        snprintf(line, sizeof(line), "%.*s", (int)PL_MIN(strcspn(s, "\n"), sizeof(line)), s);
        if (pl_parse_uint64(line, &n) < 0)
                return -EINVAL;
        if (h == PL_HIERARCHY_V1)
                n = r == PL_RESOURCE_CPU_WEIGHT ? weight_from_shares(n) : weight_from_bfq(n);
        *ret = (PlValue){ .set = true, .number = n };
        if (h != PL_HIERARCHY_V1)
                return 0;
        if (format_weight(r, h, n, &back) < 0)
                return -ENOMEM;
        if (!pl_streq(back, line)) {
                ret->text = strdup(line);
                if (!ret->text)
                        return -ENOMEM;
        }
        return 0;
}

/* One line of io.max ("8:0 rbps=1 wbps=max …") or of a throttle file ("8:0 1"). */
static int parse_device_line(PlResource r, PlHierarchy h, char *line, PlDeviceRate *ret) {
        const char *key = r == PL_RESOURCE_IO_READ_BANDWIDTH_MAX ? "rbps=" : "wbps=";
        char *rest, *word, *save = NULL;

        rest = strchr(line, ' ');
        if (!rest || (size_t)(rest - line) >= sizeof(ret->device))
                return -EINVAL;
        *rest++ = '\0';
        snprintf(ret->device, sizeof(ret->device), "%s", line);
        ret->bytes = PL_UNLIMITED;
        for (word = strtok_r(rest, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
                if (h == PL_HIERARCHY_V2) {
                        if (!pl_startswith(word, key))
                                continue;
                        word += strlen(key);
                }
                if (!pl_streq(word, "max") && pl_parse_uint64(word, &ret->bytes) < 0)
                        return -EINVAL;
        }
        return 0;
}

static int parse_devices(PlResource r, PlHierarchy h, const char *text, char **ret) {
        _cleanup_free_ PlDeviceRate *rates = NULL;
        _cleanup_free_ char *copy = strdup(text);
        char *line, *save = NULL;
        size_t n = 0, max = 1;

        if (!copy)
                return -ENOMEM;
        for (const char *p = text; *p; p++)
                max += *p == '\n';
        rates = calloc(max, sizeof(*rates));
        if (!rates)
                return -ENOMEM;
        for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                int q = parse_device_line(r, h, line, &rates[n++]);

                if (q < 0)
                        return q;
        }
        return pl_resource_devices_join(rates, n, ret);
}

static int parse_text(PlResource r, PlHierarchy h, const char *text, PlValue *ret) {
        char *parsed = NULL;
        int q;

        if (pl_resource_info(r)->kind == PL_KIND_DEVICES)
                q = parse_devices(r, h, text, &parsed);
        else if (!*text) {
                parsed = strdup("");
                q = parsed ? 0 : -ENOMEM;
        } else
                q = pl_parse_cpuset(text, &parsed);
        if (q < 0)
                return q == -ENOMEM ? q : -EINVAL;
        pl_value_deinit(ret);
        *ret = (PlValue){ .set = true, .text = parsed };
        return 0;
}

int pl_resource_parse_file(PlResource r, PlHierarchy h, const char *text, PlValue *ret) {
        const PlResourceInfo *info = pl_resource_info(r);
        _cleanup_free_ char *copy = NULL;
        PlValue v = { .set = true };
        uint64_t n = 0;
        size_t size;
        const char *s;
        int q;

        if (!info->file[h])
                return -EOPNOTSUPP;
        copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        for (size = strlen(copy); size > 0 && copy[size - 1] == '\n'; size--)
                copy[size - 1] = '\0';
        if (pl_resource_is_text(r))
                return parse_text(r, h, copy, ret);
        s = copy;
        if (info->kind == PL_KIND_CPU_TIME)
                q = parse_quota(s, &v.number);
        else if (info->kind == PL_KIND_WEIGHT)
                q = parse_weight(r, h, s, &v);
        else {
                q = take_number(&s, &n);
                if (q == 0 && *s)
                        q = -EINVAL;
                if (info->kind == PL_KIND_BYTES && n >= V1_UNLIMITED)
                        n = PL_UNLIMITED;
                v.number = n;
        }
        if (q < 0)
                return q;
        pl_value_deinit(ret);
        *ret = v;
        return 0;
}
