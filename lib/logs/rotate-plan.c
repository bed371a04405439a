/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pl_rotate_choose() checks the strongest reasons first: a log that somebody else owns is left
 * alone, whatever the file system could do.
 */

#include "lib/logs/rotate-plan.h"

#include <errno.h>

#include "lib/logs/jsonlog.h"

static const PlRotateWhyInfo whys[_PL_ROTATE_WHY_N] = {
        [PL_ROTATE_WHY_OK] = { "", false },
        [PL_ROTATE_WHY_OFF] = { "LogMethod=off", false },
        [PL_ROTATE_WHY_NATIVE] = { "rotated by the engine itself (max-size)", false },
        [PL_ROTATE_WHY_DRIVER] = { "its log driver writes no json-file log", false },
        [PL_ROTATE_WHY_PODMAN] = { "Podman's logs are not rotated", false },
        [PL_ROTATE_WHY_NO_FILE] = { "the engine names no log file", false },
        [PL_ROTATE_WHY_ENGINE_UNKNOWN] = { "waiting for the engine to tell its version", false },
        [PL_ROTATE_WHY_NOT_PROBED] = { "file system not probed yet", false },
        [PL_ROTATE_WHY_UNABLE] = { "the file system can neither share, collapse nor punch; give "
                                   "the "
                                   "container max-size with 'plimsollctl adopt-logs'",
                                   true },
        [PL_ROTATE_WHY_UNSAFE] = { "LogMethod=collapse would shrink the log under Docker 23 or "
                                   "later "
                                   "and stall its readers; use LogMethod=auto",
                                   true },
        [PL_ROTATE_WHY_HOLES] = { "a full 'docker logs' and '--since' stop at the archived part "
                                  "('-f' "
                                  "and '--tail' work, 'plimsollctl logs' shows all); "
                                  "'plimsollctl adopt-logs' ends this",
                                  true },
        [PL_ROTATE_WHY_SPARED] = { "not rotated while the container runs: this file system allows "
                                   "only a hole, at which 'docker logs' fails; 'plimsollctl "
                                   "adopt-logs' has the engine rotate, LogMethod=punch makes holes",
                                   true },
        [PL_ROTATE_WHY_HOLED] = { "not rotated while the container runs, and an earlier rotation "
                                  "has left a hole, at which a full 'docker logs' and '--since' "
                                  "stop ('plimsollctl logs' shows all); 'plimsollctl adopt-logs' "
                                  "ends both",
                                  true },
        [PL_ROTATE_WHY_LOW] = { "holes are made in it, because less than LogPunchBelow= of its "
                                "file "
                                "system is free: a full 'docker logs' and '--since' stop at them "
                                "('plimsollctl logs' shows all); free some space, and give it "
                                "max-size "
                                "with 'plimsollctl adopt-logs'",
                                true },
};

const PlRotateWhyInfo *pl_rotate_why_info(PlRotateWhy w) {
        return &whys[w];
}

static PlRotateChoice off(PlRotateWhy why) {
        return (PlRotateChoice){ .method = PL_LOG_METHOD_OFF, .why = why };
}

static PlRotateChoice by(const PlRotateFacts *f, PlLogMethod method, PlRotateWhy why) {
        return (PlRotateChoice){ method, why, f->probe->align_bytes[method] };
}

static PlRotateChoice choose_able(const PlRotateFacts *f) {
        const uint64_t *can = f->probe->align_bytes;
        bool new_engine = f->engine_major >= PL_ROTATE_COLLAPSE_ENGINES_BELOW;
        bool may_shrink = !new_engine || !f->running;
        PlLogMethod w = f->wanted;
        bool any = w == PL_LOG_METHOD_AUTO;

        /* a stopped container's log is made short whenever that is possible: size and positions
         * start anew, which no other method can do */
        if (can[PL_LOG_METHOD_COLLAPSE] && may_shrink &&
            (w == PL_LOG_METHOD_COLLAPSE || (any && (!f->running || !can[PL_LOG_METHOD_REFLINK]))))
                return by(f, PL_LOG_METHOD_COLLAPSE, PL_ROTATE_WHY_OK);
        if (w == PL_LOG_METHOD_COLLAPSE && can[PL_LOG_METHOD_COLLAPSE])
                return off(PL_ROTATE_WHY_UNSAFE);
        if (can[PL_LOG_METHOD_REFLINK] && (any || w == PL_LOG_METHOD_REFLINK))
                return by(f, PL_LOG_METHOD_REFLINK, PL_ROTATE_WHY_OK);
        if (can[PL_LOG_METHOD_PUNCH] && w == PL_LOG_METHOD_PUNCH)
                return by(f, PL_LOG_METHOD_PUNCH, PL_ROTATE_WHY_HOLES);
        if (can[PL_LOG_METHOD_PUNCH] && any && f->low)
                return by(f, PL_LOG_METHOD_PUNCH, PL_ROTATE_WHY_LOW);
        return off(can[PL_LOG_METHOD_PUNCH] && any ? PL_ROTATE_WHY_SPARED : PL_ROTATE_WHY_UNABLE);
}

PlRotateChoice pl_rotate_choose(const PlRotateFacts *f) {
        if (f->wanted == PL_LOG_METHOD_OFF)
                return off(PL_ROTATE_WHY_OFF);
        if (!f->driver || !pl_streq(f->driver, "json-file"))
                return off(PL_ROTATE_WHY_DRIVER);
        if (f->native_max_size)
                return off(PL_ROTATE_WHY_NATIVE);
        if (f->podman)
                return off(PL_ROTATE_WHY_PODMAN);
        if (!f->has_path)
                return off(PL_ROTATE_WHY_NO_FILE);
        if (f->engine_major == 0)
                return off(PL_ROTATE_WHY_ENGINE_UNKNOWN);
        if (!f->probe)
                return off(PL_ROTATE_WHY_NOT_PROBED);
        return choose_able(f);
}

static uint64_t floor_of(uint64_t total_bytes, unsigned percent) {
        return total_bytes / 100 * percent;
}

bool pl_rotate_is_low(uint64_t free_bytes, uint64_t total_bytes, unsigned percent) {
        return percent > 0 && total_bytes > 0 && free_bytes < floor_of(total_bytes, percent);
}

uint64_t pl_rotate_look_at(uint64_t size_bytes, uint64_t max_size_bytes, uint64_t free_bytes,
                           uint64_t total_bytes, unsigned percent) {
        uint64_t floor = floor_of(total_bytes, percent);
        uint64_t room = free_bytes > floor ? (free_bytes - floor) / 2 : 0;
        uint64_t step = PL_MAX(room, max_size_bytes);

        return step > PL_UNLIMITED - size_bytes ? PL_UNLIMITED : size_bytes + step;
}

bool pl_log_policy_equal(const PlLogPolicy *a, const PlLogPolicy *b) {
        return a->max_size_bytes == b->max_size_bytes && a->max_age_usec == b->max_age_usec &&
               a->max_files == b->max_files && a->method == b->method && a->on_full == b->on_full &&
               a->keep == b->keep;
}

bool pl_log_keeps(const PlLogPolicy *p) {
        return p->keep == PL_LOG_KEEP_YES ||
               (p->keep == PL_LOG_KEEP_AUTO && p->max_size_bytes != PL_UNLIMITED);
}

uint64_t pl_log_keep_bytes(const PlLogPolicy *p, uint64_t budget_bytes) {
        uint64_t max = p->max_size_bytes, n = (uint64_t)p->max_files + 1;

        if (p->max_files == 0 || max == PL_UNLIMITED)
                return budget_bytes == PL_UNLIMITED ? PL_UNLIMITED : budget_bytes / 10;
        return max > PL_UNLIMITED / n ? PL_UNLIMITED : max * n;
}

uint64_t pl_rotate_keep(uint64_t live_bytes, uint64_t max_size_bytes) {
        uint64_t keep = PL_MIN(live_bytes / 4, MIB(1));

        /* a log that ran far ahead is cut to what it should have kept */
        return max_size_bytes == PL_UNLIMITED ? keep : PL_MIN(keep, max_size_bytes / 4);
}

uint64_t pl_rotate_free_from(const PlRotateState *s, uint64_t align_bytes) {
        return s->mark & ~(align_bytes - 1);
}

int pl_rotate_mark_at(uint64_t k, uint64_t align_bytes, uint64_t *ret_a) {
        uint64_t a = k & ~(align_bytes - 1);

        if (k - a < PL_JSONLOG_MARKER_MIN) {
                if (a == 0)
                        return -ENODATA;
                a -= align_bytes;
        }
        *ret_a = a;
        return 0;
}

int pl_rotate_place(const PlRotateState *s, PlLogMethod method, uint64_t k, uint64_t align_bytes,
                    uint64_t *ret_a) {
        uint64_t a;

        if (k <= s->head || pl_rotate_mark_at(k, align_bytes, &a) < 0)
                return -ENODATA;
        if (method == PL_LOG_METHOD_COLLAPSE ? a == 0 : a <= pl_rotate_free_from(s, align_bytes))
                return -ENODATA;
        *ret_a = a;
        return 0;
}

PlRotateRecovery pl_rotate_recover(const PlRotateState *s, const PlRotateSeen *seen) {
        if (s->dev != seen->dev || s->ino != seen->ino)
                return PL_ROTATE_RESET;
        if (s->taken && s->phase == PL_ROTATE_INTENT)
                return seen->size < s->k ? PL_ROTATE_RESET : PL_ROTATE_FINISH;
        if (s->taken)
                return seen->size >= s->head && seen->print == s->print ? PL_ROTATE_GO_ON
                                                                        : PL_ROTATE_RESET;
        if (s->phase == PL_ROTATE_CLEAN) {
                if (s->head == 0)
                        return PL_ROTATE_GO_ON;
                /* truncated and perhaps grown since: our marker is gone */
                return seen->size >= s->head && seen->gen_at_mark == s->gen ? PL_ROTATE_GO_ON
                                                                            : PL_ROTATE_RESET;
        }
        if (s->method == PL_LOG_METHOD_COLLAPSE && seen->gen_at_zero == s->gen + 1)
                return PL_ROTATE_FINISH;
        if (seen->size < s->k)
                return PL_ROTATE_RESET;
        /* Either the marker stands already, or the head is as it was: nothing is freed before the
         * marker is on disk. Otherwise somebody else has been at the file. */
        if (seen->gen_at_a == s->gen + 1 || (seen->print != 0 && seen->print == s->print))
                return PL_ROTATE_REDO;
        return PL_ROTATE_RESET;
}

void pl_rotate_advance(PlRotateState *s) {
        bool collapse = s->method == PL_LOG_METHOD_COLLAPSE;

        s->gen++;
        s->phase = PL_ROTATE_CLEAN;
        if (s->taken) {
                s->head = s->k;
                return;
        }
        s->head = collapse ? s->k - s->a : s->k;
        s->mark = collapse ? 0 : s->a;
}

void pl_rotate_reset(PlRotateState *s, uint64_t dev, uint64_t ino) {
        if (s->phase == PL_ROTATE_INTENT)
                s->gen++;
        s->phase = PL_ROTATE_CLEAN;
        s->dev = dev;
        s->ino = ino;
        s->head = s->mark = s->print = 0;
        s->taken = false;
}

static int compare(uint64_t a, uint64_t b) {
        return a < b ? -1 : a > b;
}

/* By container and generation. */
static int compare_run(const void *pa, const void *pb) {
        const PlRetainEntry *a = pa, *b = pb;
        int c = strcmp(a->group, b->group);

        if (c == 0)
                c = strcmp(a->id ?: "", b->id ?: "");
        return c ?: compare(a->gen, b->gen);
}

/* Oldest first within a group. The container that has the name comes last; of those that had it
 * before, times are all that is known: at_sec is that of a container's last archive. */
static int compare_group(const void *pa, const void *pb) {
        const PlRetainEntry *a = pa, *b = pb;
        int c = strcmp(a->group, b->group);

        if (c == 0)
                c = compare(a->holder, b->holder);
        if (c == 0)
                c = compare(a->at_sec, b->at_sec);
        if (c == 0)
                c = strcmp(a->id ?: "", b->id ?: "");
        return c ?: compare(a->gen, b->gen);
}

static int compare_age(const void *pa, const void *pb) {
        const PlRetainEntry *a = pa, *b = pb;

        return compare(a->at_sec, b->at_sec) ?: compare(a->order, b->order);
}

static bool same_group(const PlRetainEntry *a, const PlRetainEntry *b) {
        return pl_streq(a->group, b->group);
}

static void sort_groups(PlRetainEntry *entries, size_t n, uint64_t now_sec) {
        uint64_t last = 0;

        qsort(entries, n, sizeof(*entries), compare_run);
        for (size_t i = n; i-- > 0;) {
                const PlRetainEntry *after = i + 1 < n ? &entries[i + 1] : NULL;

                if (!after || !same_group(&entries[i], after) ||
                    !pl_streq(entries[i].id ?: "", after->id ?: ""))
                        last = PL_MIN(entries[i].to_sec, now_sec);
                entries[i].at_sec = last;
        }
        qsort(entries, n, sizeof(*entries), compare_group);
}

/* The times of sorted entries, so that none is before those that it follows, and none in the
 * future: a time that has not come yet says less than that of what was made afterwards. */
static void settle_times(PlRetainEntry *entries, size_t n, uint64_t now_sec) {
        uint64_t known = now_sec;

        for (size_t i = n; i-- > 0;) {
                PlRetainEntry *e = &entries[i];

                if (i + 1 == n || !same_group(e, e + 1))
                        known = now_sec;
                e->at_sec = e->to_sec > now_sec ? known : e->to_sec;
                known = PL_MIN(known, e->at_sec);
        }
        for (size_t i = 0; i < n; i++) {
                entries[i].order = i;
                if (i > 0 && same_group(&entries[i - 1], &entries[i]))
                        entries[i].at_sec = PL_MAX(entries[i].at_sec, entries[i - 1].at_sec);
        }
}

static bool is_past(uint64_t at_sec, uint64_t age_usec, uint64_t now_sec, uint64_t *next_sec) {
        uint64_t age_sec = age_usec / PL_USEC_PER_SEC;

        if (now_sec - at_sec > age_sec)
                return true;
        *next_sec = PL_MIN(*next_sec, at_sec + age_sec + 1);
        return false;
}

/* @last_sec: of the newest of its group */
static PlRetainDrop judge_age(const PlRetainEntry *e, uint64_t last_sec, uint64_t now_sec,
                              uint64_t *next_sec) {
        if (e->rule && e->rule->max_age_usec != PL_TIME_INFINITY)
                return is_past(e->at_sec, e->rule->max_age_usec, now_sec, next_sec)
                                       ? PL_RETAIN_DROP_AGE
                                       : PL_RETAIN_KEEP;
        return e->gone && is_past(last_sec, PL_RETAIN_GONE_USEC, now_sec, next_sec)
                               ? PL_RETAIN_DROP_GONE
                               : PL_RETAIN_KEEP;
}

/* What is kept of a group. */
typedef struct Share {
        PlRetainEntry *oldest;
        uint64_t bytes, n;
} Share;

/* Does a give before b? Whoever has the most, so that one flood is nobody else's loss; but the last
 * one of a group goes only where each has but one, and then the oldest of all. */
static bool gives_before(const Share *a, const Share *b) {
        bool spare_a = a->n > 1, spare_b = b->n > 1;

        if (spare_a != spare_b)
                return spare_a;
        if (spare_a && a->bytes != b->bytes)
                return a->bytes > b->bytes;
        return compare_age(a->oldest, b->oldest) < 0;
}

/* @entries: in the order of their groups. Return: NULL: nothing is left. */
static PlRetainEntry *first_to_give(PlRetainEntry *entries, size_t n) {
        Share most = { 0 }, share = { 0 };

        for (size_t i = 0; i < n; i++) {
                if (entries[i].drop == PL_RETAIN_KEEP) {
                        share.oldest = share.oldest ?: &entries[i];
                        share.bytes += entries[i].bytes;
                        share.n++;
                }
                if (i + 1 < n && same_group(&entries[i], &entries[i + 1]))
                        continue;
                if (share.n > 0 && (most.n == 0 || gives_before(&share, &most)))
                        most = share;
                share = (Share){ 0 };
        }
        return most.oldest;
}

uint64_t pl_retain_plan(PlRetainEntry *entries, size_t n, uint64_t budget_bytes,
                        uint64_t free_bytes, uint64_t now_sec, uint64_t *ret_next_sec) {
        uint64_t total = 0, next_sec = PL_TIME_INFINITY, freed = 0, last_sec = 0;
        unsigned in_group = 0;

        if (n > 0) {
                sort_groups(entries, n, now_sec);
                settle_times(entries, n, now_sec);
        }
        for (size_t i = n; i-- > 0;) {
                PlRetainEntry *e = &entries[i];

                in_group = i + 1 < n && same_group(e, e + 1) ? in_group + 1 : 1;
                last_sec = in_group == 1 ? e->at_sec : last_sec;
                if (e->rule && e->rule->max_files > 0 && in_group > e->rule->max_files)
                        e->drop = PL_RETAIN_DROP_COUNT;
                else
                        e->drop = judge_age(e, last_sec, now_sec, &next_sec);
                if (e->drop == PL_RETAIN_KEEP)
                        total += e->bytes;
                else
                        freed += e->bytes;
        }
        while (total > budget_bytes || freed < free_bytes) {
                PlRetainEntry *e = first_to_give(entries, n);

                if (!e)
                        break;
                e->drop = total > budget_bytes ? PL_RETAIN_DROP_BUDGET : PL_RETAIN_DROP_SPACE;
                total -= e->bytes;
                freed += e->bytes;
        }
        if (n > 0)
                qsort(entries, n, sizeof(*entries), compare_age);
        *ret_next_sec = next_sec;
        return total;
}

PlRotateFull pl_rotate_full(uint64_t written_bytes, size_t n_archives, PlLogOnFull on_full) {
        if (written_bytes > 0)
                return PL_ROTATE_FULL_CUT;
        if (n_archives > 0)
                return PL_ROTATE_FULL_MAKE_ROOM;
        return on_full == PL_LOG_ON_FULL_DROP ? PL_ROTATE_FULL_DROP : PL_ROTATE_FULL_GIVE_UP;
}

uint64_t pl_rotate_look_again(uint64_t room_bytes, uint64_t grown_bytes, uint64_t last_usec) {
        if (last_usec == 0 || grown_bytes > room_bytes / 16)
                return PL_ROTATE_LOOK_MIN_USEC;
        return PL_MIN(last_usec * 2, PL_ROTATE_LOOK_MAX_USEC);
}
