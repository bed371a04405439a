/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Kinds: see the header.
 */

#include "lib/notify/kind.h"

#include "lib/base/message.h"

/* As in syslog(3). */
#define CRIT  2
#define INFO  6
#define DEBUG 7

static const struct {
        const char *word;
        unsigned severity;
} kinds[] = {
#define ROW(constant, word, severity) { word, severity },
        PL_NOTIFY_KINDS(ROW)
#undef ROW
};

_Static_assert(_PL_NOTIFY_KIND_N <= 32, "a mask has 32 bits");

/* Words for several kinds. */
static const struct {
        const char *word;
        unsigned severity; /* this and worse ones; 0: all there are */
} groups[] = {
        { "all", 0 },
        { "finding-critical", 1 },
        { "finding-high", 2 },
        { "finding-medium", 3 },
};

/* Which entry is which kind: the first row that holds. */
static const struct {
        const char *message_id;
        int priority; /* this or a more urgent one */
        PlNotifyKind kind;
} rules[] = {
        { PL_MESSAGE_ENGINE_CONNECTED, INFO, PL_NOTIFY_ENGINE_BACK },
        { PL_MESSAGE_ENGINE_LOST, INFO, PL_NOTIFY_ENGINE_LOST },
        { PL_MESSAGE_POLICY_LOADED, DEBUG, _PL_NOTIFY_KIND_N },
        { PL_MESSAGE_POLICY_REJECTED, INFO, PL_NOTIFY_POLICY_REJECTED },
        { PL_MESSAGE_LIMITS_APPLIED, DEBUG, _PL_NOTIFY_KIND_N },
        { PL_MESSAGE_LIMITS_FAILED, INFO, PL_NOTIFY_LIMIT_FAILED },
        { PL_MESSAGE_LIMITS_RESTORED, DEBUG, _PL_NOTIFY_KIND_N },
        { PL_MESSAGE_LIMITS_WAITING, INFO, PL_NOTIFY_LIMIT_WAITS },
        { PL_MESSAGE_DRIFT_REPAIRED, INFO, PL_NOTIFY_DRIFT },
        { PL_MESSAGE_DRIFT_STANDOFF, INFO, PL_NOTIFY_STANDOFF },
        { PL_MESSAGE_UNSUPPORTED, DEBUG, _PL_NOTIFY_KIND_N },
        { PL_MESSAGE_LOG_ROTATED, DEBUG, _PL_NOTIFY_KIND_N },
        { PL_MESSAGE_LOG_FAILED, CRIT, PL_NOTIFY_LOG_FULL },
        { PL_MESSAGE_LOG_FAILED, INFO, PL_NOTIFY_LOG_FAILED },
        { PL_MESSAGE_LOG_DROPPED, INFO, PL_NOTIFY_LOG_DROPPED },
        { PL_MESSAGE_LOG_FILES, DEBUG, _PL_NOTIFY_KIND_N },
        { PL_MESSAGE_LOG_FILES_FAILED, INFO, PL_NOTIFY_LOG_FAILED },
        { PL_MESSAGE_HEALTH_FAILED, INFO, PL_NOTIFY_UNHEALTHY },
        { PL_MESSAGE_HEALTH_DISPUTED, INFO, PL_NOTIFY_DISPUTED },
        { PL_MESSAGE_HEALTH_FLAPPING, INFO, PL_NOTIFY_FLAPPING },
        /* that it is healthy again, see below */
        { PL_MESSAGE_HEALTH_CHANGED, DEBUG, _PL_NOTIFY_KIND_N },
        { PL_MESSAGE_RESTARTED, INFO, PL_NOTIFY_RESTARTED },
        { PL_MESSAGE_RESTART_GAVE_UP, INFO, PL_NOTIFY_GAVE_UP },
        { PL_MESSAGE_ENDED, INFO, PL_NOTIFY_ENDED },
        { PL_MESSAGE_PINCHED, INFO, PL_NOTIFY_PINCHED },
        { PL_MESSAGE_MODEL_TOO_BIG, INFO, PL_NOTIFY_MODEL },
        { PL_MESSAGE_OOM_KILLED, INFO, PL_NOTIFY_OOM },
        { PL_MESSAGE_MEMORY_PRESSURE, INFO, PL_NOTIFY_PRESSURE },
        /* who cannot be told is not told that */
        { PL_MESSAGE_NOTIFY_FAILED, DEBUG, _PL_NOTIFY_KIND_N },
        { PL_MESSAGE_NOTIFY_WORKS, DEBUG, _PL_NOTIFY_KIND_N },
};

const char *pl_notify_kind_word(PlNotifyKind k) {
        return kinds[k].word ?: "test";
}

PlNotifyKind pl_notify_kind_from_word(const char *word) {
        PlNotifyKind k = 0;

        while (k < _PL_NOTIFY_KIND_N && !pl_streq(pl_notify_kind_word(k), word))
                k++;
        return k;
}

unsigned pl_notify_kind_severity(PlNotifyKind k) {
        return kinds[k].severity;
}

uint32_t pl_notify_on(const char *word) {
        uint32_t mask = 0;

        for (size_t g = 0; g < PL_ARRAY_SIZE(groups); g++)
                for (PlNotifyKind k = 0; pl_streq(groups[g].word, word) && k < PL_NOTIFY_TEST; k++)
                        if (groups[g].severity == 0 ||
                            (kinds[k].severity > 0 && kinds[k].severity <= groups[g].severity))
                                mask |= UINT32_C(1) << k;
        for (PlNotifyKind k = 0; k < PL_NOTIFY_TEST; k++)
                if (pl_streq(kinds[k].word, word))
                        mask = UINT32_C(1) << k;
        return mask;
}

const char *pl_notify_on_word(const void *unused, size_t i) {
        if (i < PL_NOTIFY_TEST)
                return kinds[i].word;
        i -= PL_NOTIFY_TEST;
        return i < PL_ARRAY_SIZE(groups) ? groups[i].word : NULL;
}

bool pl_notify_is_trouble(PlNotifyKind k) {
        return k == PL_NOTIFY_UNHEALTHY || k == PL_NOTIFY_DISPUTED || k == PL_NOTIFY_FLAPPING ||
               k == PL_NOTIFY_GAVE_UP;
}

PlNotifyKind pl_notify_kind_of(const char *message_id, int priority, const char *health,
                               bool healthy_counts) {
        if (!message_id)
                return _PL_NOTIFY_KIND_N;
        if (healthy_counts && health && pl_streq(health, "healthy") &&
            pl_streq(message_id, PL_MESSAGE_HEALTH_CHANGED))
                return PL_NOTIFY_RECOVERED;
        for (size_t i = 0; i < PL_ARRAY_SIZE(rules); i++)
                if (priority <= rules[i].priority && pl_streq(message_id, rules[i].message_id))
                        return rules[i].kind;
        return _PL_NOTIFY_KIND_N;
}
