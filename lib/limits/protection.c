/* SPDX-License-Identifier: Apache-2.0 */

/* Protection: see the header. */

#include "lib/limits/protection.h"

#include <errno.h>

#include "lib/base/unit.h"

static const PlResource resources[PL_PROTECTIONS_N] = { PL_RESOURCE_MEMORY_MIN,
                                                        PL_RESOURCE_MEMORY_LOW };

PlResource pl_protection_resource(unsigned i) {
        return resources[i];
}

void pl_protection_ask(PlProtection *p, uint64_t bytes) {
        if (bytes == 0)
                return;
        p->n++;
        p->asked = bytes > PL_UNLIMITED - p->asked ? PL_UNLIMITED : p->asked + bytes;
}

/* Neither what was there nor what we have told: somebody else has set it, and it is theirs. */
static void note_foreign(PlProtection *p) {
        if (p->in_force != p->own && p->in_force != p->told && p->in_force != p->told_before)
                p->own = p->in_force;
}

/* Return: LEAVE, TELL or FORGET. */
static PlProtectionStep decide(PlProtection *p, bool raise, bool again) {
        uint64_t own = p->ours ? p->own : p->in_force, wanted = raise ? PL_MAX(own, p->asked) : own;

        if (!p->ours) {
                if (wanted == own)
                        return PL_PROTECTION_LEAVE;
                p->ours = true;
                p->own = p->told = own;
        } else if (wanted == own && p->told == own && p->in_force == own) {
                if (!again)
                        return PL_PROTECTION_LEAVE; /* an older value may be on its way */
                p->ours = false;
                return PL_PROTECTION_FORGET;
        }
        if (p->told == wanted && (p->in_force == wanted || !again))
                return PL_PROTECTION_LEAVE;
        if (p->told != wanted)
                p->told_before = p->told;
        p->told = wanted;
        return PL_PROTECTION_TELL;
}

PlProtectionStep pl_protection_step(PlProtection *p, bool raise, bool again) {
        const PlProtection was = *p;
        PlProtectionStep step;

        if (p->ours)
                note_foreign(p);
        /* an older value of ours that shows up from now on is somebody else's, or a reboot's */
        if (p->ours && p->in_force == p->told)
                p->told_before = p->told;
        step = decide(p, raise, again);
        if (step == PL_PROTECTION_LEAVE && p->ours &&
            (p->own != was.own || p->told_before != was.told_before))
                return PL_PROTECTION_KEEP;
        return step;
}

const char *pl_protection_unit(const char *path) {
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        size_t n = strlen(name), suffix = strlen(".slice");

        return n > suffix && pl_streq(name + n - suffix, ".slice") ? name : NULL;
}

size_t pl_protection_next_above(const char *path, size_t offset) {
        const char *slash = strchr(path + offset + (offset > 0), '/');

        return slash ? (size_t)(slash - path) : 0;
}

/* systemctl takes exact bytes, and "4G" where that is the same. */
static int format_bytes(unsigned i, uint64_t bytes, char **ret) {
        const PlValue v = { .set = true, .number = bytes };

        return pl_value_to_string(resources[i], &v, ret);
}

/* What a person can type. @sum: as pl_value_to_string() writes it. */
static int format_remedy(unsigned i, const char *path, uint64_t asked, const char *sum,
                         char **ret) {
        const char *unit = pl_protection_unit(path);
        const PlResourceInfo *info = pl_resource_info(resources[i]);
        int r;

        if (unit)
                r = asprintf(ret,
                             "`systemctl set-property %s %s=%s` ends it, and so does "
                             "ProtectSlice=yes",
                             unit, info->name, sum);
        else if (asked == PL_UNLIMITED)
                r = asprintf(ret, "`echo max >/sys/fs/cgroup/%s/%s` ends it", path,
                             info->file[PL_HIERARCHY_V2]);
        else
                r = asprintf(ret, "`echo %" PRIu64 " >/sys/fs/cgroup/%s/%s` ends it", asked, path,
                             info->file[PL_HIERARCHY_V2]);
        return r < 0 ? -ENOMEM : 0;
}

int pl_protection_text(const PlProtection *p, unsigned i, const char *path, char **ret) {
        _cleanup_free_ char *sum = NULL, *has = NULL, *remedy = NULL;
        const char *name = pl_resource_info(resources[i])->name;
        const char *what = pl_protection_unit(path) ?: path;
        int r;

        if (p->asked == 0 || p->in_force >= p->asked)
                return 0;
        r = format_bytes(i, p->asked, &sum);
        if (r >= 0)
                r = format_bytes(i, p->in_force, &has);
        if (r >= 0)
                r = format_remedy(i, path, p->asked, sum, &remedy);
        if (r < 0)
                return r;
        if (p->in_force == 0)
                r = asprintf(ret, "%s= of %u container%s: no effect: %s protects nothing; %s", name,
                             p->n, pl_plural(p->n), what, remedy);
        else
                r = asprintf(ret,
                             "%s= of %u container%s, %s together: less effect: %s protects %s in "
                             "all; %s",
                             name, p->n, pl_plural(p->n), sum, what, has, remedy);
        return r < 0 ? -ENOMEM : 1;
}

char *pl_protection_format(const char *path, const PlProtection of[static PL_PROTECTIONS_N]) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (unsigned i = 0; i < PL_PROTECTIONS_N; i++)
                if (of[i].ours)
                        fprintf(f, "%s=%" PRIu64 ",%" PRIu64 ",%" PRIu64 " ",
                                pl_resource_info(resources[i])->name, of[i].own, of[i].told,
                                of[i].told_before);
        if (ftell(f) > 0)
                fputs(path, f);
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

/* "NAME=OWN,TOLD,BEFORE " */
static size_t parse_value(const char *s, unsigned i, PlProtection *p) {
        const char *name = pl_resource_info(resources[i])->name;
        size_t n = strlen(name);
        int used = 0;

        if (!pl_startswith(s, name) || s[n] != '=' ||
            sscanf(s + n + 1, "%" SCNu64 ",%" SCNu64 ",%" SCNu64 " %n", &p->own, &p->told,
                   &p->told_before, &used) != 3 ||
            used == 0)
                return 0;
        p->ours = true;
        return n + 1 + (size_t)used;
}

int pl_protection_parse(const char *line, char **ret_path,
                        PlProtection ret[static PL_PROTECTIONS_N]) {
        PlProtection of[PL_PROTECTIONS_N] = { 0 };
        bool any = false;

        for (unsigned i = 0; i < PL_PROTECTIONS_N; i++) {
                line += parse_value(line, i, &of[i]);
                any = any || of[i].ours;
        }
        if (!any || !*line || *line == '/' || strchr(line, ' ') || strstr(line, ".."))
                return -EBADMSG;
        *ret_path = strdup(line);
        if (!*ret_path)
                return -ENOMEM;
        memcpy(ret, of, sizeof(of));
        return 0;
}
