/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is right in a random life between owners: what the world would look like without plimsoll,
 * and how it has to look with it. See test-owners.c.
 */

#include "owners-life.h"

#include "enforce/queue.h"
#include "lib/limits/tell.h"
#include "lib/policy/parser.h"
#include "registry/containers.h"
#include "tmp.h"
#include "unit.h"

static PlHost world_host(void) {
        return (PlHost){ GIB(8), world_cpus, WORLD_PAGE };
}

/* --- what is right --- */

static void add_option(Options *o, const Value *v) {
        for (unsigned i = 0; i < o->n; i++)
                if (same_value(&o->v[i], v))
                        return;
        if (o->n == PL_ARRAY_SIZE(o->v)) {
                memmove(o->v, o->v + 1, sizeof(o->v) - sizeof(o->v[0]));
                o->n--;
        }
        o->v[o->n++] = *v;
}

static void allow(PlResource r, const Value *v) {
        add_option(&life.kernel[r], v);
}

static void allow_only(PlResource r, const Value *v) {
        life.kernel[r].n = 0;
        allow(r, v);
}

static bool is_allowed(PlResource r, const Value *v) {
        const Options *o = &life.kernel[r];

        for (unsigned i = 0; i < o->n; i++)
                if (same_value(&o->v[i], v))
                        return true;
        return o->n == 0;
}

/* On v1 the two are one: the sum moves along. */
static uint32_t with_pairs(uint32_t mask) {
        const uint32_t pair = BIT(MEMORY_MAX) | BIT(MEMORY_SWAP_MAX);

        return w.h == PL_HIERARCHY_V1 && mask & pair ? mask | pair : mask;
}

static uint32_t managed(void) {
        return with_pairs(life.policy.mask | life.giving_back);
}

static void derive_allowed(uint32_t mask) {
        const Host *const hosts[] = { &life.truth, &life.persons };

        for (size_t i = 0; i < PL_ARRAY_SIZE(hosts); i++) {
                Group g;
                Scope s;

                derive(hosts[i], &g, &s);
                for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                        if (mask & (UINT32_C(1) << r)) {
                                Value v = group_value(&g, r);

                                allow(r, &v);
                        }
        }
}

/* Is it what HostConfig keeps of ours? Then nobody can tell whose write it was. */
static bool is_of_host(PlResource r, const Value *have) {
        Group g;
        Scope s;
        Value v;

        derive(&w.box.host, &g, &s);
        v = group_value(&g, r);
        return same_value(&v, have);
}

static const char *show(PlResource r, const Value *v, char buf[static 48]) {
        if (r == PL_RESOURCE_ALLOWED_CPUS)
                (void)snprintf(buf, 48, "\"%s\"", v->text);
        else if (v->number == PL_UNLIMITED)
                (void)snprintf(buf, 48, "max/%" PRIu64, v->aux);
        else if (v->aux)
                (void)snprintf(buf, 48, "%" PRIu64 "/%" PRIu64, v->number, v->aux);
        else
                (void)snprintf(buf, 48, "%" PRIu64, v->number);
        return buf;
}

static const char *show_allowed(PlResource r, char buf[static 200]) {
        size_t n = 0;
        char one[48];

        buf[0] = '\0';
        for (unsigned i = 0; i < life.kernel[r].n && n < 150; i++)
                n += (size_t)snprintf(buf + n, 200 - n, "%s%s", i > 0 ? " or " : "",
                                      show(r, &life.kernel[r].v[i], one));
        return buf;
}

/* --- plimsolld --- */

static int on_added(void *userdata, PlSubject *s) {
        return pl_enforcer_add(enforcer, s);
}

static int on_claim(void *userdata, const PlEngineInfo *info) {
        return 0;
}

static void on_removed(void *userdata, PlSubject *s, PlRemoval why) {
        pl_enforcer_remove(enforcer, s);
}

static void on_event(void *userdata, PlSubject *s, const PlEvent *e) {
        pl_enforcer_event(enforcer, s, e);
}

static void on_inspected(void *userdata, PlSubject *s, bool current) {
        pl_enforcer_inspected(enforcer, s);
}

static void on_engine(void *userdata, const PlEngineInfo *info) {
        if (info)
                pl_enforcer_connected(enforcer);
        else
                pl_enforcer_rest(enforcer);
}

static void on_listed(void *userdata) {
        pl_queue_arm(enforcer);
}

static void on_synced(void *userdata, bool first) {}

static void on_quiet(void *userdata) {}

static const PlRegistryHandlers registry_handlers = {
        .added = on_added,
        .claim = on_claim,
        .removed = on_removed,
        .event = on_event,
        .inspected = on_inspected,
        .engine = on_engine,
        .listed = on_listed,
        .synced = on_synced,
        .quiet = on_quiet,
};

static void on_group(void *userdata, PlSubject *s, const PlCgroup *g) {}

static void on_idle(void *userdata) {}

static bool has_stopped;

static void on_stopping(void *userdata, unsigned updates_in_flight, uint64_t usec) {}

static void on_stopped(void *userdata) {
        has_stopped = true;
}

static const PlEnforceHandlers enforce_handlers = {
        .group = on_group,
        .idle = on_idle,
        .stopping = on_stopping,
        .stopped = on_stopped,
};

/* Who is named must have done something. */
static void judge_blame(const char *text) {
        static const struct {
                const char *who;
                unsigned by;
        } rows[] = {
                { "docker update", BY_UPDATE },
                { "systemctl set-property or the engine", BY_PROPERTY | BY_UPDATE },
                { "systemd daemon-reload", BY_RELOAD },
                { "systemd or a direct write", BY_WRITE | BY_RELOAD | BY_PROPERTY },
                { "a direct write", BY_WRITE },
        };

        /* nobody is named */
        if (life.others && (pl_startswith(text, "limits changed, ") ||
                            pl_startswith(text, "stand-off: something ")))
                return;
        for (size_t i = 0; i < PL_ARRAY_SIZE(rows); i++) {
                if (!strstr(text, rows[i].who))
                        continue;
                if (!(life.others & rows[i].by))
                        fault(life.others ? "blames the wrong one" : "blames somebody for nothing",
                              "%s", text);
                return;
        }
        fault("blames somebody for nothing", "%s", text);
}

/* "MemoryMax=64M (was infinity), …": the kernel has it now. */
static void judge_in_force(const char *list) {
        const Group *g = box_group();

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                const PlResourceInfo *info = pl_resource_info(r);
                char key[40], value[40];
                const char *at;
                uint64_t said = PL_UNLIMITED;
                Value have;

                if (info->kind != PL_KIND_BYTES && info->kind != PL_KIND_COUNT)
                        continue;
                (void)snprintf(key, sizeof(key), "%s=", info->name);
                at = strstr(list, key);
                if (!at)
                        continue;
                at += strlen(key);
                (void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, " ,"), at);
                if (!pl_streq(value, "infinity") && pl_parse_size(value, &said) < 0)
                        continue;
                have = group_value(g, r);
                /* a long number is rounded for people */
                if (info->kind == PL_KIND_BYTES &&
                    (strchr(value, '.') || page_down(said) == have.number))
                        continue;
                if (said != have.number)
                        fault("says in force what is not", "%s, the kernel has %" PRIu64, list,
                              have.number);
        }
}

/* "TasksMax= (HostConfig.PidsLimit)" */
static bool names(const char *text, PlResource r) {
        char key[40];

        (void)snprintf(key, sizeof(key), " %s=", pl_resource_info(r)->name);
        return strstr(text, key) != NULL;
}

static void on_entry(void *userdata, const PlEntry *e, const char *text) {
        const char *list;

        if (process.dead)
                return;
        note("          says: %s", text);
        if (pl_startswith(text, "limits changed") || pl_startswith(text, "stand-off: ")) {
                life.standoffs += pl_startswith(text, "stand-off: ");
                judge_blame(text);
        }
        list = strstr(text, "the Engine API cannot take away ");
        for (PlResource r = 0; list && r < _PL_RESOURCE_N; r++)
                if (names(list, r))
                        life.named |= UINT32_C(1) << r;
        list = strstr(text, "limits in force: ");
        if (list && box_group() && !pl_startswith(name_of(e->container_id ?: ""), "side"))
                judge_in_force(list + strlen("limits in force: "));
}

static void on_changed(void *userdata) {}

static PlReporter reporter = { .listen = on_entry, .changed = on_changed };

static void on_update_done(const char *body, const char *refusal) {
        note("          engine: %s %s", body, refusal ?: "");
        /* runc has written all that it knows */
        if (!refusal && w.box.running)
                derive_allowed(ALL & ~managed());
}

static void allow_systemd(void) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(life.scope); i++) {
                Group g = *box_group();

                systemd_write(&g, &life.scope[i]);
                for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                        Value v = group_value(&g, r);

                        allow(r, &v);
                }
        }
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                for (unsigned i = 0; i < life.by_hand[r].n; i++)
                        allow(r, &life.by_hand[r].v[i]);
}

/* systemd has written all that it knows */
static void on_set(const char *text) {
        note("          systemd: %s", text);
        allow_systemd();
}

/* The lines of a section, as a policy has them. */
static size_t policy_lines(const Policy *p, char *text, size_t size) {
        size_t n = 0;

        text[0] = '\0';
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                const PlResourceInfo *info = pl_resource_info(r);

                if (!(p->mask & (UINT32_C(1) << r)))
                        continue;
                n += (size_t)snprintf(text + n, size - n, "%s=", info->name);
                if (r == PL_RESOURCE_ALLOWED_CPUS)
                        n += (size_t)snprintf(text + n, size - n, "%s\n", p->cpus);
                else if (p->number[r] == PL_UNLIMITED)
                        n += (size_t)snprintf(text + n, size - n, "infinity\n");
                else if (info->kind == PL_KIND_CPU_TIME)
                        n += (size_t)snprintf(text + n, size - n, "%" PRIu64 "%%\n",
                                              p->number[r] / 10000);
                else if (info->kind == PL_KIND_DEVICES)
                        n += (size_t)snprintf(text + n, size - n, WORLD_DEVICE " %" PRIu64 "\n",
                                              p->number[r]);
                else
                        n += (size_t)snprintf(text + n, size - n, "%" PRIu64 "\n", p->number[r]);
        }
        if (p->kills)
                n += (size_t)snprintf(text + n, size - n, "ShrinkMode=kill\n");
        if (p->period_usec)
                n += (size_t)snprintf(text + n, size - n, "CPUQuotaPeriodSec=%" PRIu64 "us\n",
                                      p->period_usec);
        return n;
}

static size_t sibling_lines(char *text, size_t size) {
        size_t n = (size_t)snprintf(text, size, "[Service side]\nMatch=name:side*\n");

        for (int i = 0; i < 2; i++)
                if (life.side_asks[i] > 0)
                        n += (size_t)snprintf(text + n, size - n, "%s=%" PRIu64 "\n",
                                              i == 0 ? "MemoryMin" : "MemoryLow",
                                              life.side_asks[i]);
        return n;
}

static PlPolicy *parse_policy(const Policy *p) {
        char text[1600];
        size_t n;
        PlPolicySource source = { "plimsoll.conf", text, 0 };
        const PlHost host = world_host();
        PlDiagList diag = { 0 };
        PlPolicy *policy = NULL;

        const char *service = p->mask ? "[Service web]\nMatch=name:web\n"
                                      : "[Service web]\nMatch=name:nobody\n";

        n = (size_t)snprintf(text, sizeof(text), "%s%s",
                             life.protects ? "[Daemon]\nProtectSlice=yes\n" : "",
                             p->defaults && p->mask ? "[Defaults]\n" : service);
        n += policy_lines(p, text + n, sizeof(text) - n);
        if (p->defaults && p->mask)
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", service);
        if (w.has_siblings)
                n += sibling_lines(text + n, sizeof(text) - n);
        source.size = n;
        if (pl_policy_parse(&source, 1, &host, &diag, &policy) < 0) {
                printf("%s", text);
                abort();
        }
        pl_diag_list_deinit(&diag);
        return policy;
}

/* What plimsolld has put on record before it wrote. Otherwise nobody knows what was there. */
static uint32_t on_record(void) {
        PlContainerState s = { 0 };
        uint32_t mask = 0;

        if (registry && pl_state_dir_load(registry->state_dir, w.box.id, &s) >= 0)
                mask = pl_state_captured(&s);
        pl_container_state_deinit(&s);
        return mask;
}

static void daemon_begin(void) {
        const PlRegistryOptions options = { .engine_url = "unix:///run/docker.sock",
                                            .state_dir = state_dir,
                                            .host = world_host() };

        process.run++;
        process.dead = false;
        if (life.n_seen == 0 ||
            memcmp(&life.truth, &life.seen[(life.n_seen - 1) % PL_ARRAY_SIZE(life.seen)],
                   sizeof(life.truth)) != 0)
                life.seen[life.n_seen++ % PL_ARRAY_SIZE(life.seen)] = life.truth;
        mounts = world_mounts();
        if (pl_registry_new(event, &reporter, &options, &registry_handlers, NULL, &registry) < 0)
                abort();
        (void)pl_registry_set_policy(registry, parse_policy(&life.policy));
        if (pl_enforcer_new(registry, &mounts, false, &enforce_handlers, NULL, &enforcer) < 0 ||
            pl_registry_use_engine(registry) < 0)
                abort();
        pl_enforcer_begin(enforcer);
        (void)pl_engine_start(registry->engine);
        life.runs = true;
}

/* kill -9, wherever it is: what it does from here on has no effect. */
static void daemon_end(void) {
        if (!life.runs)
                return;
        process.dead = true;
        process.die_in = 0;
        registry = pl_registry_free(registry);
        enforcer = pl_enforcer_free(enforcer);
        process.run++;
        process.dead = engine_connected = false;
        life.runs = false;
        for (size_t i = 0; i < PL_ARRAY_SIZE(files); i++)
                files[i].group = -1;
        total.kills++;
}

/* Lets time pass. A plimsolld that was killed is started again by systemd. */
static void pass(uint64_t usec) {
        uint64_t until = w.now_usec + usec;
        unsigned steps = 0;

        while (step(until)) {
                if (++steps > 3000) {
                        fault("spins", "3000 turns of its loop");
                        return;
                }
                if (process.dead) {
                        note("          plimsolld is killed");
                        daemon_end();
                        w.now_usec += 100 * PL_USEC_PER_MSEC;
                        daemon_begin();
                }
        }
}

/* --- is everything right? --- */

static const PlHeld *held(void) {
        const PlSubject *s = life.runs && registry->connected
                                             ? pl_map_get(registry->subjects, w.box.id)
                                             : NULL;

        return s && s->facts ? s->held : NULL;
}

static bool is_line(PlResource r, const Value *have) {
        const Policy *p = &life.policy;
        uint64_t n = p->number[r];

        switch (pl_resource_info(r)->kind) {
        case PL_KIND_CPU_TIME: {
                uint64_t quota = n == PL_UNLIMITED ? n : n * have->aux / PL_USEC_PER_SEC;

                if (n == PL_UNLIMITED || have->number == PL_UNLIMITED)
                        return n == have->number;
                return PL_MAX(quota, have->number) - PL_MIN(quota, have->number) <= 1;
        }
        case PL_KIND_WEIGHT:
                if (w.h == PL_HIERARCHY_V1 && r == PL_RESOURCE_CPU_WEIGHT)
                        return have->number == PL_MAX(n * 1024 / 100, 2U);
                if (w.h == PL_HIERARCHY_V1 && n > 100)
                        return have->number == 100 + (n - 100) / 11;
                return have->number == n;
        case PL_KIND_CPUSET:
                return pl_streq(p->cpus, have->text);
        case PL_KIND_BYTES:
                return have->number == page_down(n);
        default:
                return have->number == n;
        }
}

/* The values of [Defaults] that a container was made with, or with which persons have left it. */
static bool is_spared(const Host *host, PlResource r, const Value *have) {
        const Host nothing = { 0 };
        Group g, bare;
        Scope with, without;
        Value v;

        derive(host, &g, &with);
        derive(&nothing, &bare, &without);
        v = group_value(&g, r);
        switch (r) {
        case PL_RESOURCE_CPU_QUOTA:
                if (v.number == PL_UNLIMITED ||
                    v.number * PL_USEC_PER_SEC / v.aux >= life.policy.number[r])
                        return is_line(r, have);
                return have->number != PL_UNLIMITED &&
                       PL_MAX(have->number * v.aux, v.number * have->aux) -
                                                       PL_MIN(have->number * v.aux,
                                                              v.number * have->aux) <=
                                       PL_MAX(have->aux, v.aux);
        case PL_RESOURCE_CPU_WEIGHT: /* what everybody has is nobody's word */
                return host->shares > 0 && v.number != group_value(&bare, r).number
                                       ? same_value(&v, have)
                                       : is_line(r, have);
        case PL_RESOURCE_IO_WEIGHT:
                return host->blkio > 0 && v.number != group_value(&bare, r).number
                                       ? same_value(&v, have)
                                       : is_line(r, have);
        case PL_RESOURCE_ALLOWED_CPUS:
                return host->cpus[0] ? same_value(&v, have) : is_line(r, have);
        case PL_RESOURCE_MEMORY_MIN: /* HostConfig has no word for it */
                return is_line(r, have);
        case PL_RESOURCE_MEMORY_LOW:
                return host->reservation > 0 ? same_value(&v, have) : is_line(r, have);
        case PL_RESOURCE_TASKS_MAX:
                return host->pids > 0 && v.number < life.policy.number[r] ? same_value(&v, have)
                                                                          : is_line(r, have);
        default:
                return v.number < page_down(life.policy.number[r]) ? same_value(&v, have)
                                                                   : is_line(r, have);
        }
}

/* Is it what the policy asks for? */
static bool is_wanted(PlResource r, const Value *have) {
        if (!life.policy.defaults)
                return is_line(r, have);
        for (unsigned i = 0; i < PL_MIN(life.n_seen, PL_ARRAY_SIZE(life.seen)); i++)
                if (is_spared(&life.seen[i], r, have))
                        return true;
        return is_spared(&life.truth, r, have) || is_spared(&life.persons, r, have);
}

/* Nobody tells when memory is freed: a limit that waits is looked at every 5 s. */
static bool may_wait;

/* Why a value that is wanted may be missing. */
static bool is_excused(const PlHeld *h, PlResource r) {
        const Group *g = box_group();
        /* the sum of memory and swap waits with memory */
        uint32_t mask = with_pairs(UINT32_C(1) << r);
        bool said = pl_held_has_error(h, mask, PL_OWNER_KERNEL) || h->waiting & mask;

        if (pl_drift_is_standoff(&h->drift))
                return life.standoffs > 0;
        switch (r) {
        case PL_RESOURCE_MEMORY_HIGH:
                return h->squeeze.high_held; /* borrowed for a moment, and lower */
        case PL_RESOURCE_MEMORY_MAX:
        case PL_RESOURCE_MEMORY_SWAP_MAX:
                /* v1 has no swap limit without one of memory; memory in use is not taken */
                if (r == PL_RESOURCE_MEMORY_SWAP_MAX && w.h == PL_HIERARCHY_V1 &&
                    g->max == PL_UNLIMITED)
                        return true;
                if (may_wait && (h->waiting | h->retry.busy) & mask)
                        return true;
                return said && life.policy.mask & BIT(MEMORY_MAX) &&
                       (life.policy.defaults || /* of which the creator's may be lower */
                        g->pinned > life.policy.number[PL_RESOURCE_MEMORY_MAX]);
        case PL_RESOURCE_CPU_QUOTA:
                return said && w.parent_quota >= 0;
        default:
                return false;
        }
}

static void check_lines(const char *when) {
        const PlHeld *h = held();
        const Group *g = box_group();

        if (!h || !w.box.running || !h->cgroup)
                return;
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                Value have = group_value(g, r);
                char buf[48];

                if (!(life.policy.mask & (UINT32_C(1) << r)) || !world_supports(r))
                        continue;
                if (is_wanted(r, &have))
                        continue;
                if (!is_excused(h, r))
                        fault("not in force", "%s: %s is %s, wanted %" PRIu64, when,
                              pl_resource_info(r)->name, show(r, &have, buf),
                              life.policy.number[r]);
                else if (pl_held_in_force(h) & (UINT32_C(1) << r) && h->fresh &&
                         !pl_drift_is_standoff(&h->drift)) /* nobody listens meanwhile */
                        fault("counts as in force what is not", "%s: %s is %s", when,
                              pl_resource_info(r)->name, show(r, &have, buf));
        }
}

static bool same_ratio(const Value *have) {
        const Options *o = &life.kernel[PL_RESOURCE_CPU_QUOTA];

        for (unsigned i = 0; i < o->n; i++)
                if (have->number == PL_UNLIMITED
                                    ? o->v[i].number == PL_UNLIMITED
                                    : o->v[i].number * have->aux / o->v[i].aux == have->number)
                        return true;
        return false;
}

/* The start has brought it, from a HostConfig that was not given back. */
static bool is_of_engine(const Group *from_engine, PlResource r, const Value *have) {
        Value v = group_value(from_engine, r);

        return same_value(&v, have) && !is_allowed(r, &v);
}

/* Memory on its way back is not taken while it is in use. */
static bool is_in_use(PlResource r) {
        const Options *o = &life.kernel[PL_RESOURCE_MEMORY_MAX];
        const uint32_t memory = BIT(MEMORY_MAX) | BIT(MEMORY_SWAP_MAX);

        if (!(memory & life.giving_back & (UINT32_C(1) << r)))
                return false;
        for (unsigned i = 0; i < o->n; i++)
                if (o->v[i].number != PL_UNLIMITED &&
                    (life.ends ? box_group()->current : box_group()->pinned) > o->v[i].number)
                        return true;
        return false;
}

/* A person has written it into the kernel's file, and an engine that is told its own limit again
 * writes that one: it waits until the container does not run. */
static bool is_by_hand(void) {
        const Host *h = &life.persons;

        return w.box.running && h->memory > 0 &&
               box_group()->max != page_down((uint64_t)h->memory) &&
               !(life.policy.mask & BIT(MEMORY_MAX));
}

/* The engine takes swap only along with memory, which waits for what is in use. */
static bool swap_waits(void) {
        return w.box.running && life.policy.mask & BIT(MEMORY_MAX) &&
               box_group()->pinned > life.policy.number[PL_RESOURCE_MEMORY_MAX];
}

/* What is wrong with a value that is none of those that would be right. */
static const char *kind_of(const Group *from_engine, PlResource r, const Value *have) {
        const uint32_t memory =
                        BIT(MEMORY_LOW) | BIT(MEMORY_HIGH) | BIT(MEMORY_MAX) | BIT(MEMORY_SWAP_MAX);

        if (is_of_engine(from_engine, r, have))
                return "not given back in HostConfig";
        if (life.wrote_memory && memory & (UINT32_C(1) << r))
                return "gives memory back that was written directly";
        if (r == PL_RESOURCE_CPU_QUOTA && same_ratio(have))
                return "gives back another period";
        if (r == PL_RESOURCE_TASKS_MAX && have->number == PL_UNLIMITED &&
            life.kernel[r].v[0].number == SYSTEMD_TASKS)
                return "gives back no limit of tasks where systemd has one";
        if (r == PL_RESOURCE_MEMORY_LOW && w.h == PL_HIERARCHY_V1 && have->number == 0)
                return "gives back a soft limit of nothing";
        if (r == PL_RESOURCE_IO_WEIGHT && w.h == PL_HIERARCHY_V1)
                return "tells the engine a weight on another scale";
        if (r == PL_RESOURCE_MEMORY_SWAP_MAX && w.h == PL_HIERARCHY_V1)
                return "gives back memory without its swap";
        if (r == PL_RESOURCE_CPU_WEIGHT)
                return "gives back a weight that is rounded";
        return life.giving_back & (UINT32_C(1) << r) ? "not given back in the kernel"
                                                     : "touched what the policy does not name";
}

/* Return: what has to wait, and may. */
static uint32_t check_rest(const char *when) {
        const Group *g = box_group();
        char buf[48], options[200];
        Group from_engine;
        uint32_t waits = 0;
        Scope scope;

        if (!w.box.running)
                return 0;
        derive(&w.box.host, &from_engine, &scope);
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                Value have = group_value(g, r);

                if (life.policy.mask & (UINT32_C(1) << r) || !world_supports(r) ||
                    is_allowed(r, &have))
                        continue;
                if (r == PL_RESOURCE_MEMORY_HIGH && held() && held()->squeeze.high_held)
                        continue; /* borrowed for a moment */
                /* v1 has no allowance of swap where memory has no limit */
                if (r == PL_RESOURCE_MEMORY_SWAP_MAX && w.h == PL_HIERARCHY_V1 &&
                    life.policy.mask & BIT(MEMORY_MAX) && g->max == PL_UNLIMITED)
                        continue;
                if (is_in_use(r)) {
                        waits |= UINT32_C(1) << r;
                        continue;
                }
                fault(kind_of(&from_engine, r, &have), "%s: %s is %s, was %s", when,
                      pl_resource_info(r)->name, show(r, &have, buf), show_allowed(r, options));
        }
        return with_pairs(waits);
}

/* HostConfig has a limit of swap only beside one of memory. */
static bool cannot_be_said(PlResource r) {
        return r == PL_RESOURCE_MEMORY_SWAP_MAX && life.policy.mask & BIT(MEMORY_MAX) &&
               life.policy.number[PL_RESOURCE_MEMORY_MAX] == PL_UNLIMITED;
}

/*
 * What HostConfig keeps where the engine has no word for what was there: see lib/docker/engines.c
 * and plimsolld(8). It is exactly that, it was named, and the record stays: so the next run has its
 * own value in the kernel all the same, which check_rest() looks at.
 */
static bool is_kept(PlResource r, const PlHeld *h) {
        const Host *is = &w.box.host, *own = &life.truth;
        const Host *persons = &life.persons;
        bool exact;

        switch (r) {
        case PL_RESOURCE_CPU_QUOTA:
                exact = own->nano == 0 && own->quota <= 0 && is->quota == 0 &&
                        is->nano == (w.parent_quota < 0 ? world_cpus * INT64_C(1000000000)
                                                        : w.parent_quota * 10000);
                break;
        case PL_RESOURCE_ALLOWED_CPUS:
                exact = (!own->cpus[0] || !persons->cpus[0]) && is->cpus[0];
                break;
        case PL_RESOURCE_MEMORY_LOW:
                exact = w.h == PL_HIERARCHY_V2 && is->reservation == (int64_t)MIB(6) &&
                        own->reservation <= 0;
                /* Podman compares it with the memory that somebody has set since */
                exact |= w.podman && is->memory > 0 && own->reservation > is->memory;
                break;
        case PL_RESOURCE_IO_WEIGHT:
                exact = w.h == PL_HIERARCHY_V2 && own->blkio == 0 && is->blkio == 20;
                break;
        default:
                return false;
        }
        return exact && life.named & (UINT32_C(1) << r) &&
               pl_some_limits_get(&h->originals.state.engine_told, r)->set;
}

/* What the next start would bring. */
static void check_engine(const char *when, uint32_t mask) {
        Group is, truth, persons;
        Scope s;
        char a[48], b[48];

        derive(&w.box.host, &is, &s);
        derive(&life.truth, &truth, &s);
        derive(&life.persons, &persons, &s);
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                Value have = group_value(&is, r), want = group_value(&truth, r),
                      other = group_value(&persons, r);

                if (!(mask & (UINT32_C(1) << r)) || !world_supports(r) || cannot_be_said(r) ||
                    same_value(&have, &want) || same_value(&have, &other) || is_kept(r, held()))
                        continue;
                fault("not given back in HostConfig", "%s: %s would be %s, was %s", when,
                      pl_resource_info(r)->name, show(r, &have, a), show(r, &want, b));
        }
}

/* --- slices --- */

static void on_slice_told(int slice, int which, uint64_t n) {
        Own *o = &life.own[slice][which];
        uint64_t least = PL_UNLIMITED;

        note("          systemd: %s %s=%" PRIu64, slice_name(slice),
             which ? "MemoryLow" : "MemoryMin", n);
        for (unsigned i = 0; i < o->count; i++)
                least = PL_MIN(least, o->n[i]);
        if (n < least)
                fault("lowers a slice below its own", "%s: %" PRIu64 ", its own is %" PRIu64,
                      slice_name(slice), n, least);
        memmove(o->told + 1, o->told, sizeof(o->told) - sizeof(*o->told));
        o->told[0] = n;
}

static uint64_t asked_of_box(int which) {
        const uint32_t bit = which ? BIT(MEMORY_LOW) : BIT(MEMORY_MIN);

        if (!w.box.running || !(life.policy.mask & bit))
                return 0;
        return which ? box_group()->low : box_group()->min;
}

static uint64_t asked_of_siblings(int which) {
        const PlResource r = which ? PL_RESOURCE_MEMORY_LOW : PL_RESOURCE_MEMORY_MIN;
        uint64_t one = life.side_asks[which], sum = 0;

        if (one == 0 && life.policy.defaults && life.policy.mask & (UINT32_C(1) << r))
                one = life.policy.number[r];
        for (int i = 0; i < SIBLINGS; i++)
                sum += w.siblings[i].running ? page_down(one) : 0;
        return sum;
}

/* Everybody below it is protected by the slice, where that is asked for; else it has its own. */
static void check_slices(const char *when) {
        for (int k = 0; k < SLICES; k++)
                for (int i = 0; i < 2 && slice_name(k); i++) {
                        const Own *o = &life.own[k][i];
                        uint64_t is = w.slices[k].is[i], sum = 0;
                        bool right = false;

                        if (life.protects && !life.ends)
                                sum = asked_of_box(i) + asked_of_siblings(i);
                        for (unsigned j = 0; j < o->count; j++)
                                right |= is == PL_MAX(o->n[j], sum);
                        if (!right)
                                fault(life.protects && !life.ends ? "a slice is not their sum"
                                                                  : "a slice is not given back",
                                      "%s: %s %s is %" PRIu64 ", below it %" PRIu64
                                      " are asked for, its own is %" PRIu64,
                                      when, slice_name(k), i ? "MemoryLow" : "MemoryMin", is, sum,
                                      o->n[0]);
                }
}

static void check(const char *when) {
        const PlHeld *h = held();
        uint32_t waits;

        if (w.killed_by_us > 0)
                fault("kills", "%s: memory in use was taken", when);
        if (!pl_streq(w.box.host.restart, life.persons.restart))
                fault("changes the restart policy", "%s: it is \"%s\"", when, w.box.host.restart);
        if (life.runs && registry->connected)
                check_slices(when);
        if (!h)
                return;
        check_lines(when);
        if (pl_drift_is_standoff(&h->drift))
                return;
        waits = check_rest(when);
        if (is_by_hand() || swap_waits())
                waits |= life.giving_back & (BIT(MEMORY_MAX) | BIT(MEMORY_SWAP_MAX));
        if (waits)
                waits |= BIT(MEMORY_MAX) | BIT(MEMORY_SWAP_MAX) | BIT(MEMORY_LOW);
        check_engine(when, life.giving_back & ~life.policy.mask & ~waits);
        if (life.over)
                return;
        if (cannot_be_said(PL_RESOURCE_MEMORY_SWAP_MAX))
                waits |= BIT(MEMORY_SWAP_MAX); /* held for as long as that is so */
        /* what an earlier one has asked for may still come: the record is for the next */
        if (life.ends && w.now_usec < h->told.inherited_until_usec)
                waits |= pl_state_awaited(&h->originals.state);
        if (h->originals.state.managed & ~life.policy.mask & life.giving_back & ~waits)
                fault("does not settle what it gave back", "%s: %#x", when,
                      h->originals.state.managed & ~life.policy.mask);
        life.giving_back &= waits;
}

/* Told when everything has come to rest and was found right. */
static void (*listen_rest)(void);

/* Until everybody has said and done all that follows. */
static void settle(const char *when) {
        unsigned updates = process.updates, writes = process.writes;

        if (life.over)
                return;
        pass(2 * PL_USEC_PER_SEC);
        may_wait = true;
        if (life.runs && registry->connected && !(life.others & BY_RELOAD))
                check_lines(when);
        may_wait = false;
        pass(130 * PL_USEC_PER_SEC);
        for (int i = 0; i < 60 && held() && pl_drift_is_standoff(&held()->drift); i++)
                pass(PL_USEC_PER_MIN);
        if (held() && w.box.running && pl_drift_is_standoff(&held()->drift))
                fault("ends no stand-off", "%s: an hour later", when);
        total.updates += process.updates - updates;
        total.writes += process.writes - writes;
        if (process.updates - updates > 12)
                fault("does not come to rest", "%s: %u updates of the engine", when,
                      process.updates - updates);
        if (process.writes - writes > 400)
                fault("does not come to rest", "%s: %u writes", when, process.writes - writes);
        if (life.runs && w.engine_up)
                check(when);
        if (listen_rest && !life.over)
                listen_rest();
        life.others = 0;
        life.standoffs = 0;
}
