/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Our own records as they come back from a disk: a course, a service's memory, the history of kills
 * and what a slice protects. What is taken is written as it was read, and never larger than it may
 * be.
 */

#include <errno.h>

#include "lib/evidence/memory.h"
#include "lib/health/restart-state.h"
#include "lib/limits/protection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

static void course(const char *text, size_t size) {
        _cleanup_free_ char *once = NULL, *twice = NULL;
        PlCourse c, again;

        if (pl_restart_state_parse(text, size, PL_USEC_PER_DAY, &c) < 0)
                return;
        check(pl_restart_state_format(&c, &once) == 0);
        check(pl_restart_state_parse(once, strlen(once), PL_USEC_PER_DAY, &again) == 0);
        check(pl_restart_state_format(&again, &twice) == 0 && pl_streq(once, twice));
}

static void memory(const char *text, size_t size) {
        _cleanup_free_ char *once = NULL, *twice = NULL;
        char advice[PL_MEMORY_ADVICE_MAX];
        PlMemory *m = calloc(2, sizeof(*m));
        int r;

        check(m);
        r = pl_memory_parse(text, size, &m[0]);
        check(r == 0 || r == -EBADMSG || r == -EOPNOTSUPP);
        if (r == 0) {
                check(pl_memory_format(&m[0], &once) == 0 && strlen(once) <= PL_MEMORY_SIZE_MAX);
                check(pl_memory_parse(once, strlen(once), &m[1]) == 0);
                check(pl_memory_format(&m[1], &twice) == 0 && pl_streq(once, twice));
                (void)pl_memory_advice(&m[0], UINT64_C(1800000000000000), advice);
        }
        free(m);
}

static void kills(const char *text, size_t size) {
        _cleanup_free_ char *once = NULL, *twice = NULL;
        PlOomHistory *h = calloc(2, sizeof(*h));

        check(h);
        if (pl_oom_history_parse(text, size, &h[0]) == 0) {
                check(pl_oom_history_format(&h[0], &once) == 0);
                check(pl_oom_history_parse(once, strlen(once), &h[1]) == 0);
                check(pl_oom_history_format(&h[1], &twice) == 0 && pl_streq(once, twice));
        }
        free(h);
}

static void protection(const char *text, size_t size) {
        PlProtection of[PL_PROTECTIONS_N];
        _cleanup_free_ char *line = strndup(text, size), *path = NULL, *again = NULL;

        check(line);
        line[strcspn(line, "\n")] = '\0';
        if (pl_protection_parse(line, &path, of) < 0)
                return;
        again = pl_protection_format(path, of);
        check(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static void (*const each[])(const char *, size_t) = { course, memory, kills, protection };

        if (size > 0)
                each[data[0] % PL_ARRAY_SIZE(each)]((const char *)data + 1, size - 1);
        return 0;
}
