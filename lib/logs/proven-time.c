/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Proven time: the rules are in the header. A difference that grows is a new doubt; one that
 * shrinks, because a boot has believed a day of it, is the old one.
 */

#include "lib/logs/proven-time.h"

#include <errno.h>
#include <jansson.h>

#include "lib/base/unit.h"

#define SLACK_SEC INT64_C(3600)
#define DAY_SEC   UINT64_C(86400)

static const int version = 1;

static void believe(PlProvenTime *t, uint64_t wall_sec) {
        t->now_sec = wall_sec;
        t->doubted = false;
        t->ahead_sec = 0;
        t->since_sec = 0;
}

static void take_boot(PlProvenTime *t, const PlClocks *c) {
        t->boot_sec = c->boot_sec;
        (void)snprintf(t->boot_id, sizeof(t->boot_id), "%.*s", (int)strcspn(c->boot_id, "\n"),
                       c->boot_id);
}

/* Return: so far the wall clock is ahead of the count; negative: behind. */
static int64_t count(PlProvenTime *t, const PlClocks *c) {
        size_t n = strcspn(c->boot_id, "\n");
        bool same = strlen(t->boot_id) == PL_MIN(n, sizeof(t->boot_id) - 1) &&
                    strncmp(t->boot_id, c->boot_id, strlen(t->boot_id)) == 0 &&
                    c->boot_sec >= t->boot_sec;
        uint64_t elapsed = same ? c->boot_sec - t->boot_sec : c->boot_sec;

        t->counted_sec += elapsed;
        t->now_sec += elapsed;
        if (!same && c->wall_sec > t->now_sec)
                t->now_sec += PL_MIN(c->wall_sec - t->now_sec, DAY_SEC);
        take_boot(t, c);
        return (int64_t)c->wall_sec - (int64_t)t->now_sec;
}

static bool is_news(const PlProvenTime *t, int64_t ahead_sec) {
        if (!t->doubted || (ahead_sec > 0) != (t->ahead_sec > 0))
                return true;
        return ahead_sec > 0 ? ahead_sec > t->ahead_sec + SLACK_SEC
                             : ahead_sec < t->ahead_sec - SLACK_SEC;
}

uint64_t pl_proven_time_step(PlProvenTime *t, const PlClocks *c, uint64_t *ret_look_sec) {
        int64_t ahead;

        *ret_look_sec = PL_TIME_INFINITY;
        if (t->now_sec == 0) {
                t->now_sec = c->newest_sec > 0 ? PL_MIN(c->newest_sec, c->wall_sec) : c->wall_sec;
                take_boot(t, c);
        }
        ahead = count(t, c);
        if (ahead >= -SLACK_SEC && ahead <= SLACK_SEC)
                believe(t, c->wall_sec);
        else if (is_news(t, ahead)) {
                t->doubted = true;
                t->ahead_sec = ahead;
                t->since_sec = t->counted_sec;
        } else if (t->counted_sec - t->since_sec >= DAY_SEC)
                believe(t, c->wall_sec);
        if (t->doubted)
                *ret_look_sec = DAY_SEC - (t->counted_sec - t->since_sec);
        return PL_MIN(t->now_sec, c->wall_sec);
}

int pl_proven_time_encode(const PlProvenTime *t, char **ret) {
        json_t *j = json_pack("{s:i, s:I, s:I, s:s, s:I, s:b, s:I, s:I}", "version", version, "now",
                              (json_int_t)t->now_sec, "boot", (json_int_t)t->boot_sec, "boot_id",
                              t->boot_id, "counted", (json_int_t)t->counted_sec, "doubted",
                              (int)t->doubted, "ahead", (json_int_t)t->ahead_sec, "since",
                              (json_int_t)t->since_sec);
        char *text = j ? json_dumps(j, JSON_INDENT(1)) : NULL;

        json_decref(j);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

int pl_proven_time_decode(const char *text, size_t size, PlProvenTime *ret) {
        json_int_t of, now, boot, counted, ahead, since;
        const char *boot_id;
        int doubted, r;
        json_t *j = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);

        if (!j)
                return -EBADMSG;
        r = json_unpack(j, "{s:I, s:I, s:I, s:s, s:I, s:b, s:I, s:I}", "version", &of, "now", &now,
                        "boot", &boot, "boot_id", &boot_id, "counted", &counted, "doubted",
                        &doubted, "ahead", &ahead, "since", &since);
        if (r < 0 || of != version || now <= 0 || boot < 0 || counted < 0 || since < 0 ||
            since > counted || strlen(boot_id) >= sizeof(ret->boot_id)) {
                json_decref(j);
                return -EBADMSG;
        }
        *ret = (PlProvenTime){ .now_sec = (uint64_t)now,
                               .boot_sec = (uint64_t)boot,
                               .counted_sec = (uint64_t)counted,
                               .doubted = doubted,
                               .ahead_sec = ahead,
                               .since_sec = (uint64_t)since };
        (void)snprintf(ret->boot_id, sizeof(ret->boot_id), "%s", boot_id);
        json_decref(j);
        return 0;
}
