/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OOM history as JSON, so that a daemon that starts again knows how often lately, and shows it.
 *
 * {"total": N, "times": [USEC, …], "reports": [{"time_usec": N, "victim": "…", …}, …]}, the oldest
 * first; what is unknown is left out. Names of processes and groups are any bytes, which JSON does
 * not take: each byte is a character of its own (Latin-1).
 */

#include <errno.h>

#include "lib/base/json.h"
#include "lib/docker/setting.h"
#include "lib/oom/report.h"

static const struct {
        const char *name;
        size_t offset;
} numbers[] = {
#define NUMBER(member) \
        { #member, offsetof(PlOomReport, member) }
#define AROUND(member) \
        { #member, offsetof(PlOomReport, around.member) }
        NUMBER(time_usec),        NUMBER(kills),          NUMBER(uid),
        NUMBER(victim_bytes),     NUMBER(limit_bytes),    NUMBER(usage_bytes),
        NUMBER(peak_bytes),       NUMBER(swap_bytes),     NUMBER(working_set_bytes),
        NUMBER(some_permyriad),   NUMBER(full_permyriad), AROUND(host_bytes),
        AROUND(all_limits_bytes), AROUND(setting_bytes),
#undef NUMBER
#undef AROUND
};

static const struct {
        const char *name;
        size_t offset;
} counts[] = {
        { "in_10min", offsetof(PlOomReport, in_10min) },
        { "in_hour", offsetof(PlOomReport, in_hour) },
        { "in_day", offsetof(PlOomReport, in_day) },
        { "n_unlimited", offsetof(PlOomReport, around.n_unlimited) },
};

static const struct {
        const char *name;
        size_t offset, size;
} texts[] = {
        { "victim", offsetof(PlOomReport, victim), PL_KMSG_COMM_MAX },
        { "limit_group", offsetof(PlOomReport, limit_group), PL_KMSG_GROUP_MAX },
        { "section", offsetof(PlOomReport, around.section),
          sizeof(((PlOomReport *)0)->around.section) },
        { "proposed", offsetof(PlOomReport, around.proposed),
          sizeof(((PlOomReport *)0)->around.proposed) },
};

static json_t *latin1(const char *s) {
        char buf[2 * PL_KMSG_GROUP_MAX];
        size_t n = 0;

        for (; *s && n + 2 < sizeof(buf); s++) {
                unsigned char c = (unsigned char)*s;

                if (c >= 0x80)
                        buf[n++] = (char)(0xc0 | c >> 6);
                buf[n++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
        }
        return json_stringn(buf, n);
}

static int from_latin1(const json_t *v, char *to, size_t size) {
        const char *s = json_string_value(v), *end = s ? s + json_string_length(v) : NULL;
        size_t n = 0;

        if (!s)
                return -EBADMSG;
        while (s < end && n + 1 < size) {
                unsigned c = (unsigned char)*s++;

                if (c == 0 || c >= 0xc4) /* the end of a name, and above U+00FF */
                        return -EBADMSG;
                if (c >= 0xc0)
                        c = (c & 3) << 6 | ((unsigned char)*s++ & 0x3f);
                to[n++] = (char)c;
        }
        to[n] = '\0';
        return s == end ? 0 : -EBADMSG;
}

static json_t *report_to_json(const PlOomReport *r) {
        json_t *o = json_object();
        bool good = o && pl_json_put(o, "cause", json_integer(r->cause)) &&
                    pl_json_put(o, "owner", json_integer(r->around.owner)) &&
                    pl_json_put(o, "pid", json_integer(r->pid));

        for (size_t i = 0; good && i < PL_ARRAY_SIZE(numbers); i++) {
                uint64_t n = *(const uint64_t *)((const char *)r + numbers[i].offset);

                if (n <= INT64_MAX)
                        good = pl_json_put(o, numbers[i].name, json_integer((json_int_t)n));
        }
        for (size_t i = 0; good && i < PL_ARRAY_SIZE(counts); i++)
                good = pl_json_put(o, counts[i].name,
                                   json_integer(*(const unsigned *)((const char *)r +
                                                                    counts[i].offset)));
        for (size_t i = 0; good && i < PL_ARRAY_SIZE(texts); i++) {
                const char *s = (const char *)r + texts[i].offset;

                good = !*s || pl_json_put(o, texts[i].name, latin1(s));
        }
        if (good && r->around.product)
                good = pl_json_put(o, "product", json_string(r->around.product));
        if (good)
                return o;
        json_decref(o);
        return NULL;
}

/* Integers from 0 to max. */
static int number_from_json(const json_t *v, uint64_t max, uint64_t *ret) {
        if (!json_is_integer(v) || json_integer_value(v) < 0 ||
            (uint64_t)json_integer_value(v) > max)
                return -EBADMSG;
        *ret = (uint64_t)json_integer_value(v);
        return 0;
}

static int small_from_json(const json_t *o, PlOomReport *r) {
        uint64_t cause, owner, pid, n;
        int k = number_from_json(json_object_get(o, "cause"), PL_OOM_CAUSE_HOST, &cause);

        if (k >= 0)
                k = number_from_json(json_object_get(o, "owner"), PL_OOM_OWNER_ENGINE, &owner);
        if (k >= 0)
                k = number_from_json(json_object_get(o, "pid"), INT32_MAX, &pid);
        if (k < 0)
                return k;
        r->cause = (PlOomCause)cause;
        r->around.owner = (PlOomOwner)owner;
        r->pid = (pid_t)pid;
        for (size_t i = 0; i < PL_ARRAY_SIZE(counts); i++) {
                k = number_from_json(json_object_get(o, counts[i].name), UINT32_MAX, &n);
                if (k < 0)
                        return k;
                *(unsigned *)((char *)r + counts[i].offset) = (unsigned)n;
        }
        return 0;
}

static int report_from_json(const json_t *o, PlOomReport *ret) {
        PlOomReport r = { .directive = "MemoryMax" };
        const json_t *v;
        int k = small_from_json(o, &r);

        for (size_t i = 0; k >= 0 && i < PL_ARRAY_SIZE(numbers); i++) {
                uint64_t *to = (uint64_t *)((char *)&r + numbers[i].offset);

                *to = PL_UNLIMITED;
                if ((v = json_object_get(o, numbers[i].name)))
                        k = number_from_json(v, INT64_MAX, to);
        }
        for (size_t i = 0; k >= 0 && i < PL_ARRAY_SIZE(texts); i++)
                if ((v = json_object_get(o, texts[i].name)))
                        k = from_latin1(v, (char *)&r + texts[i].offset, texts[i].size);
        if (k < 0)
                return k;
        r.around.setting = pl_setting_of(json_string_value(json_object_get(o, "product")),
                                         &r.around.product);
        *ret = r;
        return 0;
}

int pl_oom_history_format(const PlOomHistory *h, char **ret) {
        json_t *times = json_array(), *reports = json_array(), *o;
        unsigned n = PL_MIN(h->n_times, (unsigned)PL_OOM_TIMES);
        bool good = times && reports;
        const PlOomReport *r;
        char *text = NULL;

        for (unsigned i = h->n_times - n; good && i < h->n_times; i++)
                good = json_array_append_new(
                                       times,
                                       json_integer((json_int_t)h->times[i % PL_OOM_TIMES])) == 0;
        for (unsigned i = 0; good && (r = pl_oom_history_get(h, i)) != NULL; i++)
                good = json_array_append_new(reports, report_to_json(r)) == 0;
        o = json_pack("{s:I, s:o, s:o}", "total", (json_int_t)h->total, "times", times, "reports",
                      reports);
        if (good && o)
                text = json_dumps(o, JSON_COMPACT);
        json_decref(o);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

static int history_from_json(const json_t *o, PlOomHistory *h) {
        const json_t *times = json_object_get(o, "times"), *reports = json_object_get(o, "reports");
        const json_t *v;
        size_t i;
        int r = number_from_json(json_object_get(o, "total"), INT64_MAX, &h->total);

        if (r < 0 || !json_is_array(times) || json_array_size(times) > PL_OOM_TIMES ||
            !json_is_array(reports) || json_array_size(reports) > PL_OOM_REPORTS)
                return -EBADMSG;
        json_array_foreach(times, i, v) {
                r = number_from_json(v, INT64_MAX, &h->times[h->n_times++]);
                if (r < 0)
                        return r;
        }
        json_array_foreach(reports, i, v) {
                r = report_from_json(v, &h->reports[h->n_reports++]);
                if (r < 0)
                        return r;
        }
        return 0;
}

int pl_oom_history_parse(const char *text, size_t size, PlOomHistory *ret) {
        PlOomHistory h = { 0 };
        json_t *o = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        int r = history_from_json(o, &h);

        json_decref(o);
        if (r < 0)
                return r;
        *ret = h;
        return 0;
}
