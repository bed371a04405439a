/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The keeper: containers come and go, are recreated, renamed and moved to another section, and what
 * is known of their service stays. The registry is made by hand; the files are real.
 */

#include "memory/keeper.h"

#include <sys/syscall.h>

#include "base/clock.h"
#include "lib/base/message.h"
#include "lib/evidence/pace.h"
#include "tmp.h"

/* --- a clock that stands still until it is told to go on, and what is written --- */

static uint64_t passed_usec, stood_at[16];
static unsigned n_writes;

int clock_gettime(clockid_t clock, struct timespec *ret) {
        size_t i = (size_t)clock % PL_ARRAY_SIZE(stood_at);
        uint64_t at;

        if (stood_at[i] == 0) {
                if (syscall(SYS_clock_gettime, clock, ret) < 0)
                        return -1;
                stood_at[i] = (uint64_t)ret->tv_sec * PL_USEC_PER_SEC - passed_usec;
        }
        at = stood_at[i] + passed_usec;
        ret->tv_sec = (time_t)(at / PL_USEC_PER_SEC);
        ret->tv_nsec = (long)(at % PL_USEC_PER_SEC) * 1000;
        return 0;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to) {
        n_writes += strstr(to, ".json") != NULL;
        return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}

/* --- */

static sd_event *event;
static PlRegistry registry;
static PlKeeper *keeper;
static PlService sections[2] = { { .name = (char *)"web" }, { .name = (char *)"front" } };
static PlUsage usage;

static unsigned n_told;

static void on_entry(void *userdata, const PlEntry *entry, const char *text) {
        n_told += pl_streq_null(entry->message_id, PL_MESSAGE_ENDED);
}

static const PlReporter reporter = { .listen = on_entry };

static void on_usage(void *userdata, const PlSubject *s, PlUsage *ret) {
        *ret = usage;
}

static void on_limits(void *userdata, const PlSubject *s, PlMemoryLimits *ret) {
        strcpy(ret->text, "MemoryMax=64M");
        strcpy(ret->by, "Service web");
}

static void on_bounds(void *userdata, const PlSubject *s, PlPinchReading *ret) {
        ret->tasks_max = 64;
        ret->memory.high_bytes = PL_UNLIMITED;
        ret->memory.max_bytes = MIB(64);
        ret->quota_usec = PL_UNLIMITED;
}

static const PlKeeperHandlers handlers = { .usage = on_usage,
                                           .bounds = on_bounds,
                                           .limits = on_limits };

/* What it has to do before anybody asks for more. */
static void settle(void) {
        for (int i = 0; i < 50; i++)
                ck_assert_int_ge(sd_event_run(event, 0), 0);
}

static void pass(uint64_t usec) {
        passed_usec += usec;
        settle();
}

static void begin(void) {
        ck_assert_int_eq(pl_keeper_new(&registry, tmp, &handlers, NULL, &keeper), 0);
}

static void setup(void) {
        tmp_make("/dev/shm"); /* where fsync() costs nothing */
        ck_assert_int_eq(sd_event_new(&event), 0);
        registry = (PlRegistry){
                .event = event, .synced = true, .subjects = pl_map_new(), .reporter = &reporter
        };
        n_told = n_writes = 0;
        ck_assert_int_eq(pl_state_dir_open(tmp, NULL, NULL, &registry.state_dir), 0);
        pl_usage_init(&usage);
        usage.memory_bytes = MIB(10);
        usage.memory_peak_bytes = MIB(20);
        usage.cpu_usec = 0;
        begin();
}

static void teardown(void) {
        PlSubject *s;

        keeper = pl_keeper_free(keeper);
        PL_MAP_FOREACH(s, registry.subjects) {
                free(s->facts->labels);
                free(s->facts);
                (void)pl_map_remove(registry.subjects, s->id);
                free(s);
        }
        registry.subjects = pl_map_free(registry.subjects);
        registry.state_dir = pl_state_dir_free(registry.state_dir);
        event = sd_event_unref(event);
        tmp_remove();
}

/* A container of compose's shop/web; @letter: of its id. */
static PlSubject *subject_new(char letter, const char *name, const PlService *section) {
        PlSubject *s = calloc(1, sizeof(*s));

        ck_assert_ptr_nonnull(s);
        memset(s->id, letter, sizeof(s->id) - 1);
        s->service = section;
        s->facts = calloc(1, sizeof(*s->facts));
        s->facts->name = (char *)name;
        s->facts->phase = PL_PHASE_RUNNING;
        s->facts->pid = 1;
        s->facts->labels = calloc(3, sizeof(PlPair));
        s->facts->labels[0] = (PlPair){ (char *)"com.docker.compose.container-number",
                                        (char *)strrchr(name, '-') + 1 };
        s->facts->labels[1] = (PlPair){ (char *)"com.docker.compose.project", (char *)"shop" };
        s->facts->labels[2] = (PlPair){ (char *)"com.docker.compose.service", (char *)"web" };
        s->facts->n_labels = 3;
        ck_assert_int_eq(pl_map_put(registry.subjects, s->id, s), 0);
        pl_keeper_seen(keeper, s);
        return s;
}

static void subject_remove(PlSubject *s) {
        pl_keeper_removed(keeper, s);
        (void)pl_map_remove(registry.subjects, s->id);
        free(s->facts->labels);
        free(s->facts);
        free(s);
}

static void kill_one(const PlSubject *s) {
        PlOomReport r = { .time_usec = pl_clock_usec(CLOCK_REALTIME),
                          .kills = 1,
                          .cause = PL_OOM_CAUSE_LIMIT,
                          .limit_bytes = MIB(64),
                          .usage_bytes = MIB(64),
                          .peak_bytes = MIB(64) };
        PlOomHistory h = { 0 };

        (void)pl_keeper_recall_kills(keeper, s, &h);
        pl_oom_history_add(&h, &r);
        pl_keeper_remember_kills(keeper, s, &h);
}

static void end_one(const PlSubject *s, PlEnder ender, int code) {
        PlEnding e = { .ender = ender,
                       .exit_code = code,
                       .term_usec = ender == PL_ENDER_REQUEST ? pl_clock_usec(CLOCK_REALTIME) : 0,
                       .signal = 15,
                       .stop.timeout_usec = 10 * PL_USEC_PER_SEC,
                       .end_usec = pl_clock_usec(CLOCK_REALTIME) };

        pl_keeper_ended(keeper, s, &e, "; its last line: no such table", NULL, NULL);
}

static PlMemory *get(const PlSubject *s) {
        PlMemory *m = calloc(1, sizeof(*m));

        ck_assert_int_eq(pl_keeper_get(keeper, s, m), 0);
        return m;
}

static unsigned n_files(void) {
        char command[96];
        unsigned n = 99;
        FILE *f;

        (void)snprintf(command, sizeof(command), "ls %s/services | wc -l", tmp);
        f = popen(command, "r");
        ck_assert(f && fscanf(f, "%u", &n) == 1);
        (void)pclose(f);
        return n;
}

START_TEST(recreated) {
        PlSubject *s = subject_new('a', "shop-web-1", &sections[0]);
        _cleanup_free_ PlMemory *m = NULL;

        kill_one(s);
        end_one(s, PL_ENDER_ITSELF, 1);
        subject_remove(s);
        s = subject_new('b', "shop-web-1", &sections[0]);
        settle();
        ck_assert_uint_eq(pl_keeper_n_kills(keeper, s), 1);
        kill_one(s);
        m = get(s);
        ck_assert_uint_eq(m->oom.total, 2);
        ck_assert_uint_eq(m->ends_total, 1);
        ck_assert_ptr_nonnull(strstr(m->ends[0].why.evidence, "no such table"));
        /* … and after a restart of plimsolld */
        keeper = pl_keeper_free(keeper);
        begin();
        pl_keeper_seen(keeper, s);
        settle();
        ck_assert_uint_eq(pl_keeper_n_kills(keeper, s), 2);
        ck_assert_uint_eq(n_files(), 1);
}
END_TEST

START_TEST(scaled) {
        PlSubject *a = subject_new('a', "shop-web-1", &sections[0]),
                  *b = subject_new('b', "shop-web-2", &sections[0]);

        kill_one(a);
        kill_one(b);
        kill_one(a);
        ck_assert_uint_eq(pl_keeper_n_kills(keeper, a), 3);
        ck_assert_uint_eq(pl_keeper_n_kills(keeper, b), 3);
        settle();
        ck_assert_uint_eq(n_files(), 1);
}
END_TEST

/* The advice was to write a section for it. */
START_TEST(a_section_is_written) {
        PlSubject *s = subject_new('a', "shop-web-1", NULL);
        _cleanup_free_ PlMemory *m = NULL;

        kill_one(s);
        settle();
        if (_i == 1) { /* while plimsolld was down */
                keeper = pl_keeper_free(keeper);
                begin();
        }
        s->service = &sections[1];
        pl_keeper_seen(keeper, s);
        m = get(s);
        ck_assert_uint_eq(m->oom.total, 1);
        ck_assert_str_eq(m->section, "front");
        settle();
        ck_assert_uint_eq(n_files(), 1);
        ck_assert_uint_eq(pl_keeper_n_kills(keeper, s), 1);
}
END_TEST

/* What another container of the same origin still uses is not taken from it. */
START_TEST(two_sections) {
        PlSubject *a = subject_new('a', "shop-web-1", &sections[0]), *b;
        _cleanup_free_ PlMemory *m = calloc(1, sizeof(*m));

        kill_one(a);
        settle();
        b = subject_new('b', "shop-web-2", &sections[1]);
        settle();
        ck_assert_uint_eq(pl_keeper_n_kills(keeper, b), 0);
        ck_assert_uint_eq(pl_keeper_n_kills(keeper, a), 1);
}
END_TEST

static const struct {
        const char *name;
        int r;
} finds[] = {
        { "shop/web", 0 },     { "shop-web", 0 },   { "shop-web-1", 0 },       { "web", 0 },
        { "aaaaaaaaaaaa", 0 }, { "shop", -ENOENT }, { "shop-web-2", -ENOENT }, { "", -ENOENT },
        { "aaa", -ENOENT },
};

START_TEST(gone) {
        PlSubject *s = subject_new('a', "shop-web-1", &sections[0]);
        _cleanup_free_ PlMemory *m = calloc(1, sizeof(*m));

        end_one(s, PL_ENDER_ITSELF, 1);
        subject_remove(s);
        if (_i % 2 == 1)
                settle();
        ck_assert_msg(pl_keeper_find(keeper, finds[_i].name, m) == finds[_i].r, "%s",
                      finds[_i].name);
        ck_assert(finds[_i].r < 0 || m->ends_total == 1);
}
END_TEST

/* Once all are known, no file is read for a name that is none of theirs: one that is read is found
 * to be broken, and set aside. */
START_TEST(found_by_index) {
        PlSubject *s = subject_new('a', "shop-web-1", &sections[0]);
        _cleanup_free_ PlMemory *m = calloc(1, sizeof(*m));
        _cleanup_free_ char *path = NULL;
        PlIdentity id;
        FILE *f;

        ck_assert(pl_identity_of(sections[0].name, s->facts, &id));
        end_one(s, PL_ENDER_ITSELF, 1);
        subject_remove(s);
        settle();
        keeper = pl_keeper_free(keeper);
        begin();
        settle(); /* it reads them when it has nothing else to do */
        ck_assert_int_gt(asprintf(&path, "%s/services/%s.json", tmp, id.key), 0);
        f = fopen(path, "w");
        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(fclose(f), 0);
        ck_assert_int_eq(pl_keeper_find(keeper, "nobody", m), -ENOENT);
        ck_assert_int_eq(access(path, F_OK), 0);
        ck_assert_int_eq(pl_keeper_find(keeper, "shop/web", m), -ENOENT);
        ck_assert_int_lt(access(path, F_OK), 0);
}
END_TEST

/* Thousands of short lives that nothing is to be told of leave nothing behind. */
START_TEST(nothing_to_tell) {
        for (int i = 0; i < 20; i++) {
                PlSubject *s = subject_new((char)('a' + i % 6), "shop-web-1", &sections[0]);

                settle();
                subject_remove(s);
        }
        pl_keeper_sweep(keeper, PL_TIME_INFINITY);
        settle();
        ck_assert_uint_eq(n_files(), 0);
}
END_TEST

START_TEST(told_twice) {
        PlSubject *s = subject_new('a', "shop-web-1", &sections[0]);
        _cleanup_free_ PlMemory *m = NULL;

        end_one(s, PL_ENDER_ITSELF, 1);
        end_one(s, PL_ENDER_ITSELF, 1);
        m = get(s);
        ck_assert_uint_eq(m->ends_total, 1);
}
END_TEST

/* An engine that goes down tells of its own stops as of anybody's. */
START_TEST(engine_lost) {
        PlSubject *s = subject_new('a', "shop-web-1", &sections[0]);
        _cleanup_free_ PlMemory *m = NULL, *after = NULL;

        end_one(s, PL_ENDER_REQUEST, 143);
        settle();
        m = get(s);
        ck_assert(m->ends[0].why.kind == PL_WHY_STOPPED && m->ends[0].why.certain);
        pl_keeper_engine_lost(keeper);
        after = get(s);
        ck_assert(after->ends[0].why.kind == PL_WHY_ENGINE && !after->ends[0].why.certain);
}
END_TEST

START_TEST(samples) {
        PlSubject *s = subject_new('a', "shop-web-1", &sections[0]);
        _cleanup_free_ PlMemory *m = NULL;

        for (int i = 0; i < 40; i++) {
                usage.memory_bytes = MIB(10 + i);
                usage.cpu_usec += 1000;
                passed_usec += 30 * PL_USEC_PER_SEC;
                pl_keeper_sweep(keeper, PL_TIME_INFINITY);
                settle();
        }
        ck_assert_uint_eq(n_files(), 1); /* half an hour is worth a write */
        m = get(s);
        ck_assert_uint_ge(m->memory.spread.n, 40);
        ck_assert_uint_eq(m->memory.peak, MIB(49));
        ck_assert_uint_ge(pl_spread_quantile(&m->memory.spread, 950), MIB(46));
        ck_assert_uint_gt(m->cpu.spread.n, 30);
        pl_keeper_sweep(keeper, PL_TIME_INFINITY);
        settle();
        free(m);
        m = get(s);
        ck_assert_uint_eq(m->n_limits, 1);
        ck_assert_str_eq(m->limits[0].text, "MemoryMax=64M");
}
END_TEST

/* A scheduler that cannot fork lives on, and nothing else tells. */
START_TEST(pinched) {
        PlSubject *s = subject_new('a', "shop-web-1", &sections[0]);
        _cleanup_free_ PlMemory *m = NULL;

        usage.pids_refused = 3;
        pl_keeper_sweep(keeper, PL_TIME_INFINITY);
        settle();
        ck_assert_ptr_null(pl_keeper_pinch(keeper, s, PL_PINCH_TASKS));
        usage.pids_refused = 9;
        pl_keeper_sweep(keeper, PL_TIME_INFINITY);
        settle();
        ck_assert_ptr_nonnull(pl_keeper_pinch(keeper, s, PL_PINCH_TASKS));
        ck_assert_ptr_null(pl_keeper_pinch(keeper, s, PL_PINCH_CPU));
        m = get(s);
        ck_assert_uint_eq(m->n_pinches, 1);
        ck_assert_str_eq(m->pinches[0].limit, "TasksMax");
        ck_assert_uint_eq(m->pinches[0].need, 97);
        s->facts->phase = PL_PHASE_EXITED; /* it holds back what runs alone */
        ck_assert_ptr_null(pl_keeper_pinch(keeper, s, PL_PINCH_TASKS));
}
END_TEST

/* It waits for memory, and nothing is killed: the entry is lib/oom's, the finding is ours. */
START_TEST(waits_for_memory) {
        PlSubject *s = subject_new('a', "shop-web-1", &sections[0]);
        _cleanup_free_ PlMemory *m = NULL;

        usage.max_events = usage.memory_wait_usec = usage.oom_kills = 0;
        pl_keeper_sweep(keeper, PL_TIME_INFINITY);
        settle();
        usage.max_events = 77;
        usage.memory_wait_usec = 60 * PL_USEC_PER_SEC;
        passed_usec += 5 * PL_USEC_PER_MIN;
        pl_keeper_sweep(keeper, PL_TIME_INFINITY);
        settle();
        ck_assert_ptr_nonnull(pl_keeper_pinch(keeper, s, PL_PINCH_MEMORY_MAX));
        ck_assert_ptr_null(pl_keeper_pinch(keeper, s, PL_PINCH_MEMORY_HIGH));
        m = get(s);
        ck_assert_uint_eq(m->n_pinches, 1);
        ck_assert_str_eq(m->pinches[0].limit, "MemoryMax");
        ck_assert_uint_eq(m->pinches[0].need, MIB(80));
}
END_TEST

START_TEST(dropped_when_unseen) {
        PlSubject *s = subject_new('a', "shop-web-1", &sections[0]);

        end_one(s, PL_ENDER_ITSELF, 1);
        settle();
        pl_keeper_sweep(keeper, 0);
        ck_assert_uint_eq(n_files(), 1); /* it is there */
        subject_remove(s);
        pl_keeper_sweep(keeper, PL_USEC_PER_DAY);
        ck_assert_uint_eq(n_files(), 1); /* not old enough */
        passed_usec += 2000;
        pl_keeper_sweep(keeper, 1000);
        ck_assert_uint_eq(n_files(), 0);
}
END_TEST

START_TEST(bounded) {
        char name[32];

        for (int i = 0; i < PL_KEEPER_SERVICES + 20; i++) {
                PlSubject *s;

                (void)snprintf(name, sizeof(name), "one-%d", i);
                s = subject_new('a', name, NULL);
                s->facts->n_labels = 0;
                pl_keeper_seen(keeper, s);
                end_one(s, PL_ENDER_ITSELF, 1);
                subject_remove(s);
                if (i % 100 == 0)
                        settle();
        }
        keeper = pl_keeper_free(keeper);
        ck_assert_uint_le(n_files(), PL_KEEPER_SERVICES);
        ck_assert_uint_ge(n_files(), PL_KEEPER_SERVICES - 20);
}
END_TEST

START_TEST(entries) {
        PlSubject *s = subject_new('a', "shop-web-1", &sections[0]);
        const PlLogField health[] = { { "PLIMSOLL_HEALTH", "unhealthy" },
                                      { "PLIMSOLL_HEALTH_BEFORE", "healthy" },
                                      { "PLIMSOLL_REASON", "refused" },
                                      {} },
                         restart[] = { { "PLIMSOLL_RESTARTS", "1" }, {} };
        PlEntry e = { .priority = LOG_ERR,
                      .container_id = s->id,
                      .message_id = PL_MESSAGE_HEALTH_FAILED,
                      .fields = health };
        _cleanup_free_ PlMemory *m = NULL;

        pl_keeper_entry(keeper, &e);
        e.message_id = PL_MESSAGE_RESTARTED;
        e.fields = restart;
        pl_keeper_entry(keeper, &e);
        e.fields = NULL; /* its unit was started */
        pl_keeper_entry(keeper, &e);
        e.message_id = PL_MESSAGE_RESTART_GAVE_UP;
        pl_keeper_entry(keeper, &e);
        e.container_id = "nobody";
        pl_keeper_entry(keeper, &e);
        m = get(s);
        ck_assert_uint_eq(m->n_health, 1);
        ck_assert_str_eq(m->health[0].reason, "refused");
        ck_assert_uint_eq(m->restarts.total, 1);
        ck_assert_uint_eq(m->restarts.gave_up, 1);
}
END_TEST

static void restart_one(const PlSubject *s) {
        const PlLogField fields[] = { { "PLIMSOLL_RESTARTS", "1" }, {} };
        const PlEntry e = { .priority = LOG_WARNING,
                            .container_id = s->id,
                            .message_id = PL_MESSAGE_RESTARTED,
                            .fields = fields };

        pl_keeper_entry(keeper, &e);
}

/* They are of the place in the service that the container has, whatever its id is. */
START_TEST(restarts_of_a_place) {
        PlSubject *a = subject_new('a', "shop-web-1", &sections[0]),
                  *b = subject_new('b', "shop-web-2", &sections[0]);
        uint64_t times[4];

        restart_one(a);
        restart_one(a);
        restart_one(b);
        ck_assert_uint_eq(pl_keeper_restarts(keeper, a, times, 4), 2);
        ck_assert_uint_le(times[1], times[0]);
        ck_assert_uint_eq(pl_keeper_restarts(keeper, a, times, 1), 1);
        subject_remove(a);
        a = subject_new('c', "shop-web-1", &sections[0]);
        ck_assert_uint_eq(pl_keeper_restarts(keeper, a, times, 4), 2);
        ck_assert_uint_eq(pl_keeper_restarts(keeper, b, times, 4), 1);
        settle();
        keeper = pl_keeper_free(keeper);
        begin();
        ck_assert_uint_eq(pl_keeper_restarts(keeper, a, times, 4), 2);
        ck_assert_uint_eq(pl_keeper_restarts(keeper, b, times, 4), 1);
}
END_TEST

/* --- floods --- */

/* As one that begins now would find it, after a kill -9 of this one. Return: owned; NULL: nothing.
 */
static PlMemory *on_disk(const char *name) {
        PlMemory *m = calloc(1, sizeof(*m));
        PlKeeper *next = NULL;

        ck_assert_int_eq(pl_keeper_new(&registry, tmp, &handlers, NULL, &next), 0);
        if (pl_keeper_find(next, name, m) < 0) {
                free(m);
                m = NULL;
        }
        (void)pl_keeper_free(next);
        return m;
}

static void end_at(const PlSubject *s, uint64_t usec) {
        PlEnding e = { .ender = PL_ENDER_ITSELF, .exit_code = 1, .end_usec = usec };

        pl_keeper_ended(keeper, s, &e, NULL, NULL, NULL);
}

static void lose_health(const PlSubject *s, uint64_t usec) {
        const PlLogField health[] = { { "PLIMSOLL_HEALTH", "unhealthy" },
                                      { "PLIMSOLL_HEALTH_BEFORE", "healthy" },
                                      {} };
        PlEntry e = { .priority = LOG_ERR,
                      .container_id = s->id,
                      .message_id = PL_MESSAGE_HEALTH_FAILED,
                      .fields = health };

        pl_keeper_entry(keeper, &e);
}

static const struct {
        const char *name;
        unsigned n, per_sec; /* events of one service */
        void (*event)(const PlSubject *s, uint64_t usec);
        unsigned at_most; /* files that are written */
} floods[] = {
        { "ends in one moment", 1000, 1000, end_at, 17 },
        { "ends during ten seconds", 600, 60, end_at, 12 },
        { "it is unhealthy again and again", 1000, 1000, lose_health, 17 },
        { "once in two seconds", 10, 0, end_at, 10 },
};

START_TEST(flood) {
        PlSubject *s = subject_new('a', "shop-web-1", &sections[0]);
        uint64_t begun = pl_clock_usec(CLOCK_REALTIME);
        _cleanup_free_ PlMemory *first = NULL, *last = NULL;

        for (unsigned i = 0; i < floods[_i].n; i++) {
                floods[_i].event(s, begun + i * 3 * PL_USEC_PER_SEC);
                settle();
                if (i == 0)
                        first = on_disk("shop/web");
                if (floods[_i].per_sec == 0)
                        pass(2 * PL_USEC_PER_SEC);
                else if (i % floods[_i].per_sec == floods[_i].per_sec - 1)
                        pass(PL_USEC_PER_SEC);
        }
        ck_assert_msg(first, "%s: the first one waits", floods[_i].name);
        ck_assert_msg(n_writes <= floods[_i].at_most, "%s: %u writes", floods[_i].name, n_writes);
        pass(PL_PACE_AGAIN_USEC);
        last = on_disk("shop/web");
        ck_assert_msg(last->ends_total == floods[_i].n || last->n_health == PL_MEMORY_HEALTH,
                      "%s: not all of it is on disk", floods[_i].name);
}
END_TEST

/* What a kill -9 loses is what has happened since the last write: a second at most. */
START_TEST(killed) {
        PlSubject *s = subject_new('a', "shop-web-1", &sections[0]);
        uint64_t begun = pl_clock_usec(CLOCK_REALTIME);
        _cleanup_free_ PlMemory *first = NULL, *then = NULL, *now = get(s);

        end_at(s, begun);
        settle();
        end_at(s, begun + 3 * PL_USEC_PER_SEC);
        kill_one(s);
        settle();
        first = on_disk("shop/web");
        ck_assert_uint_eq(first->ends_total, 1);
        ck_assert_int_eq(pl_keeper_get(keeper, s, now), 0); /* who asks is told all */
        ck_assert_uint_eq(now->ends_total, 2);
        ck_assert_uint_eq(now->oom.total, 1);
        pass(PL_PACE_AGAIN_USEC);
        then = on_disk("shop/web");
        ck_assert_uint_eq(then->ends_total, 2);
        ck_assert_uint_eq(then->oom.total, 1);
        ck_assert_uint_eq(n_writes, 2);
}
END_TEST

#define MANY 100

/* A thousand services end with the engine: limits must not wait for as many writes. */
START_TEST(flood_of_many) {
        uint64_t begun = pl_clock_usec(CLOCK_REALTIME);
        _cleanup_free_ PlMemory *m = NULL;
        PlSubject *s;
        char name[32];

        for (int i = 0; i < MANY; i++) {
                (void)snprintf(name, sizeof(name), "one-%d", i);
                s = subject_new((char)('a' + i), name, NULL);
                s->facts->n_labels = 0;
                pl_keeper_removed(keeper, s);
                pl_keeper_seen(keeper, s);
                end_at(s, begun);
                s->facts->name = (char *)"";
        }
        settle();
        ck_assert_uint_eq(n_files(), PL_PACE_PER_SEC);
        /* a kill does not wait for them */
        s = subject_new('Z', "shop-web-1", &sections[0]);
        kill_one(s);
        pass(PL_USEC_PER_SEC / PL_PACE_PER_SEC);
        m = on_disk("shop/web");
        ck_assert_ptr_nonnull(m);
        if (_i == 0) {
                for (int i = 0; i < MANY / PL_PACE_PER_SEC; i++)
                        pass(PL_USEC_PER_SEC);
                ck_assert_uint_eq(n_writes, MANY + 1);
        } else { /* … and a stop waits for all */
                keeper = pl_keeper_free(keeper);
        }
        ck_assert_uint_eq(n_files(), MANY + 1);
}
END_TEST

/* An end is told by its event, by inspections, and by the engine to our next life. */
static const struct {
        const char *name;
        int64_t later_usec;
        bool restart, other;
        unsigned told;
} tellings[] = {
        { "at once", 0, false, false, 1 },
        { "a second off", PL_USEC_PER_SEC, false, false, 1 },
        { "a second off, to the next life", PL_USEC_PER_SEC, true, false, 1 },
        { "another end", 3 * PL_USEC_PER_SEC, false, false, 2 },
        { "another end, in the next life", 3 * PL_USEC_PER_SEC, true, false, 2 },
        { "an older one comes late", -10 * (int64_t)PL_USEC_PER_SEC, false, false, 2 },
        { "another container's", 0, false, true, 2 },
        { "another container's, in the next life", 0, true, true, 2 },
};

START_TEST(told_once) {
        PlSubject *s = subject_new('a', "shop-web-1", &sections[0]),
                  *other = subject_new('b', "shop-web-2", &sections[0]);
        uint64_t begun = pl_clock_usec(CLOCK_REALTIME);
        _cleanup_free_ PlMemory *m = NULL;

        end_at(s, begun);
        if (tellings[_i].restart) {
                keeper = pl_keeper_free(keeper);
                begin();
        }
        s = tellings[_i].other ? other : s;
        end_at(s, begun + (uint64_t)tellings[_i].later_usec);
        end_at(s, begun + (uint64_t)tellings[_i].later_usec);
        ck_assert_msg(n_told == tellings[_i].told, "%s: %u", tellings[_i].name, n_told);
        m = get(s);
        ck_assert_uint_eq(m->ends_total, tellings[_i].told);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("keeper");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, recreated);
        tcase_add_test(t, scaled);
        tcase_add_loop_test(t, a_section_is_written, 0, 2);
        tcase_add_test(t, two_sections);
        tcase_add_loop_test(t, gone, 0, PL_ARRAY_SIZE(finds));
        tcase_add_test(t, found_by_index);
        tcase_add_test(t, nothing_to_tell);
        tcase_add_test(t, told_twice);
        tcase_add_test(t, engine_lost);
        tcase_add_test(t, samples);
        tcase_add_test(t, pinched);
        tcase_add_test(t, waits_for_memory);
        tcase_add_test(t, dropped_when_unseen);
        tcase_add_test(t, bounded);
        tcase_add_test(t, entries);
        tcase_add_test(t, restarts_of_a_place);
        tcase_add_loop_test(t, flood, 0, PL_ARRAY_SIZE(floods));
        tcase_add_test(t, killed);
        tcase_add_loop_test(t, flood_of_many, 0, 2);
        tcase_add_loop_test(t, told_once, 0, PL_ARRAY_SIZE(tellings));
        return run_case(t);
}
