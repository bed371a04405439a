/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The container of a random life, from its creation to its removal; and the life as a script, that
 * a real engine can play as well. See test-owners.c and tests/support/lives.py.
 */

#include "owners-right.h"

/* --- a life as a script --- */

/* So many lives share one engine and one plimsolld, and with them what happens to these. */
#define BATCH 20

static struct {
        bool on;
        json_t *acts;
        const char *shared; /* what happens to all of the batch in this step */
        unsigned step;
} script;

static PlHierarchy script_hierarchy; /* of the real host */

/* What a person does, as a JSON object. */
static void script_act(const char *format, ...) {
        json_t *o;
        va_list ap;

        if (!script.on)
                return;
        va_start(ap, format);
        o = json_vpack_ex(NULL, 0, format, ap);
        va_end(ap);
        if (!o || json_array_append_new(script.acts, o) < 0)
                abort();
}

static void script_host(const char *act, const Host *h, const char *refusal) {
        script_act("{s:s, s:b, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}}", "act", act,
                   "refused", refusal != NULL, "host", "Memory", (json_int_t)h->memory,
                   "MemorySwap", (json_int_t)h->memory_swap, "MemoryReservation",
                   (json_int_t)h->reservation, "NanoCpus", (json_int_t)h->nano, "CpuQuota",
                   (json_int_t)h->quota, "CpuPeriod", (json_int_t)h->period, "CpuShares",
                   (json_int_t)h->shares, "PidsLimit", (json_int_t)h->pids, "BlkioWeight",
                   (json_int_t)h->blkio, "CpusetCpus", h->cpus);
}

/* Everything is at rest: what the real one has to look like. */
static void script_rest(void) {
        json_t *expect = json_object(), *line;
        char buf[48], *text;

        for (PlResource r = 0; w.box.running && r < _PL_RESOURCE_N; r++) {
                Value have = group_value(box_group(), r);
                json_t *any = json_array();
                bool is_named = life.policy.mask & (UINT32_C(1) << r);

                if (!world_supports(r) || pl_resource_info(r)->kind == PL_KIND_DEVICES ||
                    (is_named && !is_line(r, &have))) {
                        json_decref(any);
                        continue;
                }
                json_array_append_new(any, json_string(show(r, &have, buf)));
                for (unsigned i = 0; !is_named && i < life.kernel[r].n; i++)
                        json_array_append_new(any, json_string(show(r, &life.kernel[r].v[i], buf)));
                json_object_set_new(expect, pl_resource_info(r)->name, any);
        }
        line = json_pack("{s:I, s:i, s:s, s:O, s:b, s:b, s:b, s:o}", "life", (json_int_t)life.seed,
                         "step", (int)script.step++, "shared", script.shared, "acts", script.acts,
                         "runs", w.box.running, "others", life.others != 0, "record",
                         held() && held()->originals.state.managed != 0, "expect", expect);
        text = json_dumps(line, JSON_COMPACT);
        if (!text)
                abort();
        printf("%s\n", text);
        free(text);
        json_decref(line);
        json_array_clear(script.acts);
        script.shared = "";
}

/* --- the container --- */

static void host_random(Host *h) {
        *h = (Host){ 0 };
        if (chance(50)) {
                h->memory = (int64_t)MIB(PICK(16, 64, 128, 256));
                h->memory_swap = (int64_t)PICK(0, 0, 1, 2);
                h->memory_swap = h->memory_swap == 0   ? 2 * h->memory
                                 : h->memory_swap == 1 ? h->memory
                                                       : -1;
                if (chance(30))
                        h->reservation = (int64_t)MIB(8);
        } else if (chance(20))
                h->reservation = (int64_t)MIB(PICK(8, 32));
        if (chance(30))
                h->nano = (int64_t)PICK(500000000, 1000000000, 2000000000);
        else if (chance(20)) {
                h->quota = (int64_t)PICK(20000, 50000, 100000);
                h->period = (int64_t)PICK(0, 50000, 200000);
        }
        if (chance(30))
                h->shares = (int64_t)PICK(2, 512, 1024, 2048);
        if (chance(30))
                h->pids = (int64_t)PICK(100, 200);
        if (chance(20))
                (void)snprintf(h->cpus, sizeof(h->cpus), "%s", pick_cpus());
        if (chance(15) && w.has_bfq)
                h->blkio = (int64_t)PICK(100, 500);
        if (chance(15) && !script.on)
                h->rbps = 1048576;
        if (chance(15) && !script.on)
                h->wbps = 2097152;
        (void)snprintf(h->restart, sizeof(h->restart), "%s", chance(70) ? "always" : "no");
}

/* Does the kernel take what runc makes of it? */
static bool can_start(const Host *host) {
        Host k = runc_start(host);
        Group g;

        kernel_fresh(&g);
        return runc_write(&g, &k) >= 0;
}

static void box_new(void) {
        Box *b = &w.box;

        *b = (Box){ .exists = true, .group = -1 };
        (void)snprintf(b->id, sizeof(b->id), "%064x", ++w.n_boxes);
        host_random(&b->host);
        if (!can_start(&b->host)) /* nobody makes one that does not start */
                b->host.nano = b->host.quota = b->host.period = 0;
        if (w.podman)
                podman_cpus(&b->host);
        life.truth = life.persons = life.seen[0] = b->host;
        life.n_seen = 1;
        life.giving_back = life.named = 0;
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                life.kernel[r].n = 0;
        note("docker create: memory %" PRId64 "/%" PRId64 " low %" PRId64 " nano %" PRId64
             " quota %" PRId64 "/%" PRId64 " shares %" PRId64 " pids %" PRId64
             " cpus %s io %" PRId64 " %" PRIu64 " %" PRIu64,
             b->host.memory, b->host.memory_swap, b->host.reservation, b->host.nano, b->host.quota,
             b->host.period, b->host.shares, b->host.pids, b->host.cpus, b->host.blkio,
             b->host.rbps, b->host.wbps);
        script_host("create", &b->host, NULL);
        engine_says(PL_EVENT_CREATE);
}

/* What a start would bring without plimsoll. Values on their way back may be those of before. */
static void expect_start(void) {
        Group g;
        uint32_t own = managed();

        memset(life.by_hand, 0, sizeof(life.by_hand));

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (!(own & (UINT32_C(1) << r)))
                        life.kernel[r].n = 0;
        derive(&life.truth, &g, &life.scope[0]);
        derive(&life.persons, &g, &life.scope[1]);
        derive_allowed(ALL);
}

static void box_start(void) {
        Box *b = &w.box;
        Host k = runc_start(&b->host);
        Group *g;

        if (!b->exists || b->running || !w.engine_up || w.n_groups == GROUPS_MAX)
                return;
        note("docker start");
        script_act("{s:s}", "act", "start");
        expect_start();
        b->starting = true;
        b->group = w.n_groups++;
        g = box_group();
        kernel_fresh(g);
        b->scope = (Scope){ 0 };
        if (is_watched)
                due_in(0, on_group_appeared, false);
        if (chance(70))
                pass(pace(0, 30));
        if (w.systemd) {
                runc_tells_systemd(&b->scope, &k);
                systemd_write(g, &b->scope);
                last_set_usec = pl_clock_usec(CLOCK_REALTIME);
        }
        tell_watcher();
        if (chance(30))
                pass(pace(0, 5));
        b->runc_quota = runc_quota(&b->host);
        b->runc_period = runc_period(&b->host);
        if (runc_write(g, &k) < 0) {
                if (can_start(&life.truth) && can_start(&life.persons))
                        fault("does not start any more", "the kernel refuses what HostConfig says");
                note("it does not start: the kernel refuses what HostConfig says");
                b->starting = g->there = false;
                b->group = -1;
                return;
        }
        tell_watcher();
        b->running = true;
        b->starting = false;
        b->pid = 1000 + (int)++w.n_runs;
        b->started_usec = pl_clock_usec(CLOCK_REALTIME);
        engine_says(PL_EVENT_START);
}

static void box_stop(bool is_told) {
        Box *b = &w.box;
        Group *g = box_group();

        if (!b->running)
                return;
        b->running = false;
        g->there = false;
        if (is_watched && g->watched)
                due_in(100, on_group_gone, false);
        b->group = -1;
        if (!is_told)
                return;
        note("docker stop");
        script_act("{s:s}", "act", "stop");
        engine_says(PL_EVENT_DIE);
        engine_says(PL_EVENT_STOP);
}

static void box_remove(void) {
        box_stop(true);
        note("docker rm");
        script_act("{s:s}", "act", "remove");
        engine_says(PL_EVENT_DESTROY);
        w.box.exists = false;
        pass(50 * PL_USEC_PER_MSEC);
}

/* --- those beside it --- */

static void sibling_new(int i) {
        w.siblings[i] = (Box){ .exists = true, .group = -1 };
        (void)snprintf(w.siblings[i].id, sizeof(w.siblings[i].id), "%063x%d", ++w.n_boxes, i + 1);
        (void)snprintf(w.siblings[i].host.restart, sizeof(w.siblings[i].host.restart), "always");
        (void)enter_box(w.siblings[i].id);
        engine_says(PL_EVENT_CREATE);
        leave_box(i + 1);
}

static void sibling_start(int i) {
        Box *b = &w.box;

        if (!w.siblings[i].exists || w.siblings[i].running || !w.engine_up ||
            w.n_groups == GROUPS_MAX)
                return;
        note("docker start side%d", i);
        (void)enter_box(w.siblings[i].id);
        b->group = w.n_groups++;
        kernel_fresh(box_group());
        b->scope = (Scope){ 0 };
        systemd_write(box_group(), &b->scope);
        if (is_watched)
                due_in(0, on_group_appeared, false);
        b->running = true;
        b->pid = 1000 + (int)++w.n_runs;
        b->started_usec = pl_clock_usec(CLOCK_REALTIME);
        engine_says(PL_EVENT_START);
        leave_box(i + 1);
}

static void sibling_stop(int i, bool is_told) {
        if (!w.siblings[i].running)
                return;
        (void)enter_box(w.siblings[i].id);
        w.box.running = false;
        box_group()->there = false;
        if (is_watched && box_group()->watched)
                due_in(100, on_group_gone, false);
        w.box.group = -1;
        if (is_told) {
                note("docker stop side%d", i);
                engine_says(PL_EVENT_DIE);
                engine_says(PL_EVENT_STOP);
        }
        leave_box(i + 1);
}

static void sibling_remove(int i) {
        sibling_stop(i, true);
        if (!w.siblings[i].exists)
                return;
        note("docker rm side%d", i);
        (void)enter_box(w.siblings[i].id);
        engine_says(PL_EVENT_DESTROY);
        w.box.exists = false;
        leave_box(i + 1);
}

static bool is_own(const Own *o, uint64_t n) {
        for (unsigned i = 0; i < o->count; i++)
                if (o->n[i] == n)
                        return true;
        return false;
}

/* Somebody else, or a reboot, has left this. */
static void own_is(int slice, int which, uint64_t n) {
        Own *o = &life.own[slice][which];
        bool ours = false;

        for (size_t i = 0; i < PL_ARRAY_SIZE(o->told); i++)
                ours |= o->told[i] == n;
        if (!ours)
                o->count = 0; /* else nobody can tell whose it is */
        if (is_own(o, n))
                return;
        if (o->count == PL_ARRAY_SIZE(o->n))
                memmove(o->n, o->n + 1, --o->count * sizeof(*o->n));
        o->n[o->count++] = n;
}

/* Everybody below them is gone, and what was set for a run of the host. */
static void slices_reboot(void) {
        for (int k = 0; k < SLICES && slice_name(k); k++) {
                slice_reboot(&w.slices[k]);
                slice_reboot(&life.bare[k]);
                for (int i = 0; i < 2; i++)
                        own_is(k, i, life.bare[k].is[i]);
        }
}

static void slices_reload(void) {
        for (int k = 0; k < SLICES && slice_name(k); k++) {
                slice_reload(&w.slices[k]);
                slice_reload(&life.bare[k]);
                for (int i = 0; i < 2; i++)
                        own_is(k, i, life.bare[k].is[i]);
        }
}
