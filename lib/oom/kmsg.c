/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Kernel log: see the header. Lines are parsed from both ends towards the part that a container
 * controls, so that a process called "a,pid=1,uid=0" is only a strange name.
 */

#include "lib/oom/kmsg.h"

#include <errno.h>

#include "lib/base/unit.h"

/* All processes of a group are killed in one loop of the kernel; what comes later is another kill.
 */
#define WHOLE_GROUP_USEC PL_USEC_PER_SEC

static int hex(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

static const char *end_of(const char *p, const char *end, char c) {
        const char *found = memchr(p, c, (size_t)(end - p));

        return found ?: end;
}

/* Digits up to the next comma or semicolon. Return: behind them, NULL: no number. */
static const char *take_number(const char *p, const char *end, uint64_t *ret) {
        uint64_t n = 0;
        const char *first = p;

        for (; p < end && *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(n, 10, &n) ||
                    __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
                        return NULL;
        if (p == first || p == end || (*p != ',' && *p != ';'))
                return NULL;
        *ret = n;
        return p;
}

/* msg_print_ext_body() in kernel/printk/printk.c: bytes that do not print, and backslashes, are
 * "\xNN" */
static void unescape(const char *p, const char *end, char *to, size_t size) {
        size_t n = 0;

        while (p < end && n + 1 < size) {
                char c = *p++;

                if (c == '\\' && end - p >= 3 && *p == 'x' && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
                        c = (char)(hex(p[1]) * 16 + hex(p[2]));
                        p += 3;
                }
                to[n++] = c ? c : '?';
        }
        to[n] = '\0';
}

int pl_kmsg_parse(const char *data, size_t size, PlKmsgRecord *ret) {
        const char *end = data + size, *p, *text = end_of(data, end, ';');
        uint64_t priority, sequence, usec;

        if (text == end)
                return -EBADMSG;
        p = take_number(data, end, &priority);
        p = p && *p == ',' ? take_number(p + 1, end, &sequence) : NULL;
        p = p && *p == ',' ? take_number(p + 1, end, &usec) : NULL;
        if (!p || p > text)
                return -EBADMSG;
        ret->from_kernel = priority < 8;
        ret->sequence = sequence;
        ret->clock_usec = usec;
        unescape(text + 1, end_of(text + 1, end, '\n'), ret->text, sizeof(ret->text));
        return 0;
}

/* Decimal digits behind a key that stands anywhere in a text. */
static bool number_behind(const char *text, const char *key, uint64_t *ret) {
        const char *p = strstr(text, key);
        char digits[24];
        size_t n;

        if (!p)
                return false;
        p += strlen(key);
        n = strspn(p, "0123456789");
        if (n == 0 || n >= sizeof(digits))
                return false;
        memcpy(digits, p, n);
        digits[n] = '\0';
        return pl_parse_uint64(digits, ret) == 0;
}

static void kib_behind(const char *text, const char *key, uint64_t *ret) {
        uint64_t kib;

        *ret = PL_UNLIMITED;
        if (number_behind(text, key, &kib) && kib < PL_UNLIMITED / 1024)
                *ret = kib * 1024;
}

static const char *find_last(const char *text, const char *what) {
        const char *last = NULL;

        for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
                last = p;
        return last;
}

static void copy(const char *from, size_t n, char *to, size_t size) {
        n = PL_MIN(n, size - 1);
        memcpy(to, from, n);
        to[n] = '\0';
}

/* The name stands between ",task=" and the last ",pid="; it may itself contain either, but is no
 * longer than 15 bytes, so ",task=" is the first one within that reach. */
static const char *find_task(const char *groups, const char *pid) {
        for (const char *p = strstr(groups, ",task="); p && p < pid; p = strstr(p + 1, ",task="))
                if ((size_t)(pid - p) < strlen(",task=") + PL_KMSG_COMM_MAX)
                        return p;
        return NULL;
}

/* oom-kill:constraint=C,nodemask=M,cpuset=N,mems_allowed=L,oom_memcg=G|global_oom,task_memcg=G,
 * task=NAME,pid=P,uid=U */
static bool take_groups(PlKmsgFold *f, const char *text) {
        const char *pid = find_last(text, ",pid="), *own = strstr(text, ",oom_memcg=");
        const char *group = strstr(text, ",task_memcg="), *task;
        PlKmsgKill *k = &f->next;
        uint64_t n;

        if (!pid || !group || !(task = find_task(group, pid)))
                return false;
        group += strlen(",task_memcg=");
        copy(group, (size_t)(task - group), k->group, sizeof(k->group));
        k->limit_group[0] = '\0';
        k->scope = PL_KMSG_SCOPE_HOST;
        if (own && own < group) {
                own += strlen(",oom_memcg=");
                copy(own, (size_t)(strstr(own, ",task_memcg=") - own), k->limit_group,
                     sizeof(k->limit_group));
                k->scope = PL_KMSG_SCOPE_GROUP;
        } else if (!strstr(text, ",global_oom,")) {
                k->scope = PL_KMSG_SCOPE_UNKNOWN;
        }
        k->pid = number_behind(pid, ",pid=", &n) && n <= INT32_MAX ? (pid_t)n : 0;
        k->uid = number_behind(pid, ",uid=", &n) ? n : PL_UNLIMITED;
        return true;
}

/* memory.oom.group: "Tasks in GROUP are going to be killed due to memory.oom.group set" */
static bool take_whole_group(PlKmsgFold *f, const PlKmsgRecord *r) {
        const char *text = r->text;
        const char *end = find_last(text, " are going to be killed due to memory.oom.group set");

        if (!pl_startswith(text, "Tasks in ") || !end)
                return false;
        text += strlen("Tasks in ");
        if (text >= end)
                return false;
        copy(text, (size_t)(end - text), f->next.group, sizeof(f->next.group));
        /* limit_group is still that of the first victim */
        f->next.scope = PL_KMSG_SCOPE_GROUP;
        f->has_groups = f->whole_group = true;
        f->whole_group_usec = r->clock_usec;
        return true;
}

/* WHY: Killed process PID (NAME) total-vm:NkB, anon-rss:NkB, file-rss:NkB, shmem-rss:NkB, UID:U …
 */
static bool take_killed(PlKmsgFold *f, const PlKmsgRecord *r) {
        static const char host[] = "Out of memory", memcg[] = "Memory cgroup out of memory";
        const char *p = strstr(r->text, "Killed process "), *name, *end;
        PlKmsgKill *k = &f->next;
        uint64_t pid;

        if (!p || (p != r->text && !pl_startswith(r->text, host) && !pl_startswith(r->text, memcg)))
                return false;
        if (!number_behind(p, "Killed process ", &pid) || pid == 0 || pid > INT32_MAX)
                return false;
        name = strstr(p, " (");
        end = find_last(p, ") total-vm:");
        if (!name || !end || end < name + 2)
                return false;
        if (f->whole_group ? r->clock_usec - f->whole_group_usec > WHOLE_GROUP_USEC
                           : f->has_groups && k->pid != (pid_t)pid)
                f->has_groups = f->whole_group = false; /* another kill, its groups not written */
        if (!f->has_groups) {
                k->group[0] = k->limit_group[0] = '\0';
                k->uid = PL_UNLIMITED;
                k->scope = pl_startswith(r->text, memcg)  ? PL_KMSG_SCOPE_GROUP
                           : pl_startswith(r->text, host) ? PL_KMSG_SCOPE_HOST
                                                          : PL_KMSG_SCOPE_UNKNOWN;
        }
        if (!f->has_usage || !f->has_groups || k->scope != PL_KMSG_SCOPE_GROUP)
                k->usage_bytes = k->limit_bytes = PL_UNLIMITED;
        k->pid = (pid_t)pid;
        copy(name + 2, (size_t)(end - name - 2), k->name, sizeof(k->name));
        kib_behind(end, " anon-rss:", &k->anon_rss_bytes);
        kib_behind(end, " file-rss:", &k->file_rss_bytes);
        kib_behind(end, " shmem-rss:", &k->shmem_rss_bytes);
        (void)number_behind(end, " UID:", &k->uid);
        k->sequence = r->sequence;
        k->clock_usec = r->clock_usec;
        return true;
}

static void forget(PlKmsgFold *f) {
        *f = (PlKmsgFold){ .last_sequence = f->last_sequence };
}

bool pl_kmsg_fold(PlKmsgFold *f, const PlKmsgRecord *r, PlKmsgKill *ret) {
        const char *limit;

        if (r->sequence > f->last_sequence + 1 && f->last_sequence > 0)
                forget(f);
        f->last_sequence = r->sequence;
        if (!r->from_kernel)
                return false;
        if (strstr(r->text, " invoked oom-killer: ")) {
                forget(f);
        } else if (pl_startswith(r->text, "memory: usage ") &&
                   (limit = strstr(r->text, ", limit "))) {
                kib_behind(r->text, "memory: usage ", &f->next.usage_bytes);
                kib_behind(limit, ", limit ", &f->next.limit_bytes);
                f->has_usage = true;
        } else if (pl_startswith(r->text, "oom-kill:constraint=")) {
                f->has_groups = take_groups(f, r->text);
                f->whole_group = false;
        } else if (take_killed(f, r)) {
                *ret = f->next;
                /* more victims of the same group follow without these records */
                f->has_usage &= f->whole_group;
                f->has_groups &= f->whole_group;
                return true;
        } else {
                (void)take_whole_group(f, r);
        }
        return false;
}

/* "NAME[PID]", then one of the texts. The name, which the process chooses, may hold all of that,
 * too, but is too short to hold it and anything behind it; so may the file that is named at the
 * end, which begins later than any name can end. So the last one that begins within a name's length
 * is it. */
static bool take_fault(const char *text, const char *const behind[], PlKmsgFault *f) {
        bool found = false;

        for (const char *p = text; *p && p < text + PL_KMSG_COMM_MAX; p++) {
                uint64_t pid;
                size_t digits = *p == '[' ? strspn(p + 1, "0123456789") : 0;

                if (digits == 0 || p[1 + digits] != ']' || !number_behind(p, "[", &pid) ||
                    pid == 0 || pid > INT32_MAX)
                        continue;
                for (size_t i = 0; behind[i]; i++)
                        if (pl_startswith(p + digits + 2, behind[i])) {
                                f->pid = (pid_t)pid;
                                found = true;
                        }
        }
        return found;
}

bool pl_kmsg_fault(const PlKmsgRecord *r, PlKmsgFault *ret) {
        static const char *const segfault[] = { ": segfault at ", NULL };
        static const char *const traps[] = { " trap ", " general protection ", NULL };
        bool trap = pl_startswith(r->text, "traps: ");
        PlKmsgFault f = { .clock_usec = r->clock_usec };

        if (!r->from_kernel ||
            !take_fault(r->text + (trap ? strlen("traps: ") : 0), trap ? traps : segfault, &f))
                return false;
        copy(r->text, strlen(r->text), f.text, sizeof(f.text));
        *ret = f;
        return true;
}

/* The id as a path component: "/docker/ID", "/…/docker-ID.scope", "/…/libpod-ID.scope/container" */
static bool names_container(const char *group, const char *id) {
        size_t len = strlen(id);

        for (const char *p = strstr(group, id); len > 0 && p; p = strstr(p + 1, id)) {
                char before = p > group ? p[-1] : '\0', after = p[len];

                if ((before == '/' || before == '-') &&
                    (after == '\0' || after == '/' || pl_streq(p + len, ".scope") ||
                     pl_startswith(p + len, ".scope/")))
                        return true;
        }
        return false;
}

bool pl_kmsg_is_about(const PlKmsgKill *k, const char *id) {
        return names_container(k->group, id);
}

bool pl_kmsg_own_limit(const PlKmsgKill *k, const char *id) {
        return k->scope == PL_KMSG_SCOPE_GROUP && names_container(k->limit_group, id);
}
