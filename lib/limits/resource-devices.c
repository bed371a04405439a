/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Resources per block device: the canonical text "DEVICE BYTES; DEVICE BYTES" and what is done
 * with it. A policy names paths, the kernel MAJ:MIN; the way between them (stat(2)) is injected.
 */

#include "lib/limits/resource.h"

#include <errno.h>

#include "lib/base/unit.h"

bool pl_resource_devices_next(const char **cursor, PlDeviceRate *ret) {
        const char *s = *cursor;
        size_t device_size, bytes_size;
        char bytes[24];

        if (!s || !*s)
                return false;
        device_size = strcspn(s, " ;");
        if (s[device_size] != ' ' || device_size == 0 || device_size >= sizeof(ret->device))
                return false;
        bytes_size = strcspn(s + device_size + 1, ";");
        if (bytes_size == 0 || bytes_size >= sizeof(bytes))
                return false;
        memcpy(bytes, s + device_size + 1, bytes_size);
        bytes[bytes_size] = '\0';
        if (pl_parse_uint64(bytes, &ret->bytes) < 0)
                return false;
        memcpy(ret->device, s, device_size);
        ret->device[device_size] = '\0';
        s += device_size + 1 + bytes_size;
        *cursor = pl_startswith(s, "; ") ? s + 2 : s;
        return true;
}

typedef struct Ranked {
        const PlDeviceRate *rate;
        size_t rank; /* place in the caller's array: qsort() is not stable */
} Ranked;

static int compare_ranked(const void *pa, const void *pb) {
        const Ranked *a = pa, *b = pb;
        int r = strcmp(a->rate->device, b->rate->device);

        return r ? r : (a->rank > b->rank) - (a->rank < b->rank);
}

int pl_resource_devices_join(const PlDeviceRate *rates, size_t n, char **ret) {
        _cleanup_free_ Ranked *order = NULL;
        _cleanup_free_ char *text = NULL;
        FILE *f;
        size_t size;
        bool first = true;
        int r;

        order = calloc(n + 1, sizeof(*order));
        if (!order)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                order[i] = (Ranked){ &rates[i], i };
        qsort(order, n, sizeof(*order), compare_ranked);
        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const PlDeviceRate *d = order[i].rate;

                if (i + 1 < n && pl_streq(d->device, order[i + 1].rate->device))
                        continue;
                if (d->bytes == PL_UNLIMITED)
                        continue;
                fprintf(f, "%s%s %" PRIu64, first ? "" : "; ", d->device, d->bytes);
                first = false;
        }
        r = ferror(f);
        if (fclose(f) != 0 || r || !text)
                return -ENOMEM;
        *ret = TAKE_PTR(text);
        return 0;
}

static size_t count_pairs(const char *text) {
        PlDeviceRate d;
        size_t n = 0;

        while (pl_resource_devices_next(&text, &d))
                n++;
        return n;
}

/* Two names of one device: whatever was meant, the lower rate holds both. */
static void take_lower(PlDeviceRate *rates, size_t n) {
        for (size_t i = 0; i < n; i++)
                for (size_t j = i + 1; j < n; j++)
                        if (pl_streq(rates[i].device, rates[j].device))
                                rates[i].bytes = rates[j].bytes =
                                                PL_MIN(rates[i].bytes, rates[j].bytes);
}

int pl_resource_devices_resolve(const PlValue *v,
                                int (*resolve)(void *userdata, const char *path,
                                               char ret[static PL_DEVICE_MAX]),
                                void *userdata, PlValue *ret) {
        _cleanup_free_ PlDeviceRate *rates = NULL;
        const char *cursor = v->text;
        char *text;
        size_t n = 0;
        int r;

        if (!v->set)
                return pl_value_copy(v, ret);
        rates = calloc(count_pairs(cursor) + 1, sizeof(*rates));
        if (!rates)
                return -ENOMEM;
        for (; pl_resource_devices_next(&cursor, &rates[n]); n++) {
                char device[PL_DEVICE_MAX];

                r = resolve(userdata, rates[n].device, device);
                if (r < 0)
                        return r;
                memcpy(rates[n].device, device, sizeof(device));
        }
        take_lower(rates, n);
        r = pl_resource_devices_join(rates, n, &text);
        if (r < 0)
                return r;
        pl_value_deinit(ret);
        *ret = (PlValue){ .set = true, .text = text };
        return 0;
}

static bool is_major_minor(const char *s) {
        size_t major = strspn(s, "0123456789"), minor;

        if (major == 0 || s[major] != ':')
                return false;
        minor = strspn(s + major + 1, "0123456789");
        return minor > 0 && s[major + 1 + minor] == '\0';
}

/* The rate of one device in a text; PL_UNLIMITED when it has none. */
static uint64_t rate_of(const char *text, const char *device) {
        PlDeviceRate d;

        while (pl_resource_devices_next(&text, &d))
                if (pl_streq(d.device, device))
                        return d.bytes;
        return PL_UNLIMITED;
}

static void print_rate(FILE *f, PlResource r, PlHierarchy h, const char *device, uint64_t bytes) {
        const char *key = r == PL_RESOURCE_IO_READ_BANDWIDTH_MAX ? "rbps" : "wbps";

        if (h == PL_HIERARCHY_V1) /* 0 lifts the limit there */
                fprintf(f, "%s %" PRIu64 "\n", device, bytes == PL_UNLIMITED ? 0 : bytes);
        else if (bytes == PL_UNLIMITED)
                fprintf(f, "%s %s=max\n", device, key);
        else
                fprintf(f, "%s %s=%" PRIu64 "\n", device, key, bytes);
}

int pl_resource_format_devices(PlResource r, PlHierarchy h, const PlValue *want,
                               const PlValue *have, char **ret) {
        const char *wanted = want->set ? want->text : NULL,
                   *in_force = have && have->set ? have->text : NULL;
        _cleanup_free_ char *text = NULL;
        bool bad = false;
        const char *cursor;
        PlDeviceRate d;
        size_t size;
        FILE *f;
        int q;

        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        for (cursor = wanted; pl_resource_devices_next(&cursor, &d);) {
                bad = bad || !is_major_minor(d.device);
                if (rate_of(in_force, d.device) != d.bytes)
                        print_rate(f, r, h, d.device, d.bytes);
        }
        for (cursor = in_force; pl_resource_devices_next(&cursor, &d);)
                if (rate_of(wanted, d.device) == PL_UNLIMITED)
                        print_rate(f, r, h, d.device, PL_UNLIMITED);
        q = ferror(f);
        if (fclose(f) != 0 || q || !text)
                return -ENOMEM;
        if (bad)
                return -EINVAL;
        *ret = TAKE_PTR(text);
        return 0;
}
