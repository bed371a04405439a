/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Health: scripts of evidence, second by second, and the states that must come of them.
 */

#include "lib/base/unit.h"
#include "lib/health/machine.h"
#include "unit.h"

/*
 * A script is a string, one step per character and second:
 *   u d x p s a verdict: up, silent, disputed, impaired, starting; n: none
 *   .         nothing happens        _  ten seconds pass
 *   R         the container starts anew               q  its probe is changed
 *   E Z       it exits with code 3, with code 0    B  it ends by request     X  it is gone
 *   Y         it exits with code 0, as the engine ends
 *   C         a crash loop is seen   K  it is over
 *   P r       it is paused, runs again             G  the engine restarts it
 *   t y       it stands still, and is no more kept from running, without the engine's doing
 *   o         we are restarting it   O  … no more
 *   H S N     Docker says healthy, unhealthy, starting
 *   k         an OOM kill            f  it is frozen at its limit
 *   L         the engine is lost     l  and is back
 *   W w       a dependency fails, is back
 *   1 F       restart policy no, on-failure
 *   c         created                v  it loses its network                  V  and has it again
 *   h j       a limit of ours holds it back, and does not any more
 */
/* clang-format off */
static const struct {
        const char *name, *script;
        bool unprobed;
        PlBudget flap;
        const char *states; /* the first letters of all changes, in order; '*' after an attributed one,
                             * '!' after a flapping one; finished is f */
        const char *reason; /* part of the last */
} rows[] = {
        { "comes up", "u", false, { 0 }, "h", "" },
        { "comes up slowly", "dddu", false, { 0 }, "sh", "" },
        { "says nothing at first", ".", false, { 0 }, "s", "" },
        { "says why it is not up yet", ".dd", false, { 0 }, "s", "connection refused" },
        { "never comes up", "dddddddddddddddddddddddddddddddddd", false, { 0 }, "sd",
          "disputed: connection refused (5 times in a row); it has not been seen to serve since it "
          "started: it hangs, is still at work, or serves elsewhere (ProbePort=, or Probe=none); "
          "OnStartTimeout=restart restarts it" },
        { "failures of the start period do not count", "ddddddddddddddddddddddddddddddd", false,
          { 0 }, "s", "connection refused" },
        { "our own limit holds it back", "hddddd__________ddddddddd", false, { 0 }, "ss",
          "connection refused; CPUQuota=8% holds it back: throttled; its start period is over" },
        { "our own limit, and then it is up", "hddddd__________dddddu", false, { 0 }, "ssh", "" },
        { "our own limit did, and does not any more", "hddddd__________dddddjdd", false, { 0 }, "ss",
          "connection refused; CPUQuota=8%" },
        { "… and it is silent all the same", "hddddd__________dddddjddd", false, { 0 }, "ssd",
          "disputed: connection refused (3 times in a row); it has not been seen" },
        { "our own limit and 404", "hxxxxx__________xxxxx", false, { 0 }, "ss",
          "HTTP 401; CPUQuota=8% holds" },
        { "our own limit, and what was up is silent", "uuhddd", false, { 0 }, "hu", "refused" },
        { "our own limit, Docker's check alone", "NhS____", true, { 0 }, "ss",
          "Docker's healthcheck says unhealthy; CPUQuota=8% holds it back: throttled; its start" },
        { "… and it does not any more", "NhS____j", true, { 0 }, "ssd", "disputed: Docker's" },
        { "loading, then silent", "sss__________ddd", false, { 0 }, "ssd", "(3 times in a row); it has" },
        { "one failure is forgiven", "uuduuu", false, { 0 }, "h", "" },
        { "two failures are forgiven", "uudduu", false, { 0 }, "h", "" },
        { "three are not", "uuddd", false, { 0 }, "hu", "connection refused (3 times in a row)" },
        { "recovery needs two answers", "uuddduu", false, { 0 }, "huh", "" },
        { "one good answer is not enough", "uudddududud", false, { 0 }, "hu", "" },
        { "answers otherwise", "uuxxx", false, { 0 }, "hd", "disputed: HTTP 401 (3 times in a row)" },
        { "answers otherwise, once", "uuxu", false, { 0 }, "h", "" },
        { "answers otherwise, then not at all", "uuxxxddd", false, { 0 }, "hdu",
          "connection refused (6 times in a row)" },
        { "not at all, then otherwise", "uudddx", false, { 0 }, "hud", "disputed: HTTP 401" },
        { "answers otherwise, or not at all", "uuxdxdxd", false, { 0 }, "hd", "disputed: " },
        { "impaired, then otherwise", "uuppxxxx", false, { 0 }, "hdd", "disputed: HTTP 401 (4 times in a row)" },
        { "otherwise, then impaired", "uuxxxppp", false, { 0 }, "hdd", "impaired: full" },
        { "impaired and otherwise in turn is flapping", "uuppxxxppxxx", false, { 3, 600 * PL_USEC_PER_SEC },
          "hdddd!", "flapping: 4 changes of state within its FlapBudget= window; disputed: " },
        { "otherwise, and otherwise again", "uuxxxxxxx", false, { 0 }, "hd", "disputed: HTTP 401" },
        { "always answered otherwise", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", false, { 0 }, "sd",
          "disputed: HTTP 401" },
        { "impaired needs two", "uuppuu", false, { 0 }, "hdh", "" },
        { "impaired once is forgiven", "uupuu", false, { 0 }, "h", "" },
        { "impaired at first sight", "p", false, { 0 }, "d", "impaired: full" },
        { "impaired, and Docker's check fails", "uuppS", false, { 0 }, "hd", "impaired: full" },
        { "loading", "sss", false, { 0 }, "s", "loading" },
        { "loading for long is told once, and is no failure", "ssss__________sssss", false, { 0 }, "ss",
          "loading; its start period is over" },
        { "loading for long, and Docker's check fails", "ssss__________sssssS", false, { 0 }, "ss",
          "loading; its start period is over" },
        { "loading for long, and then it is up", "ssss__________sssu", false, { 0 }, "ssh", "" },
        { "crash recovery while healthy", "uusssuu", false, { 0 }, "hsh", "" },
        { "crash recovery has a start period of its own", "uu__________sssuu", false, { 0 }, "hsh", "" },
        { "crash recovery takes the time that it takes", "uu__________sss__________suu", false, { 0 }, "hsh",
          "" },
        { "crash recovery, and then silent", "uusssddd", false, { 0 }, "hsu", "connection refused" },
        { "no verdict is no failure", "uunnnnnn", false, { 0 }, "h", "" },
        { "restart", "uuRdddu", false, { 0 }, "hsh", "" },
        { "failures after the first answer count", "uuRuddd", false, { 0 }, "hshu", "refused" },
        { "exit with an error", "uuE", false, { 0 }, "hu", "exited with code 3" },
        { "a service that ends with 0", "uuZ", false, { 0 }, "hu", "exited with code 0" },
        { "a job is finished", "1.Z", true, { 0 }, "f", "exited with code 0" },
        { "a job under on-failure is finished", "F.Z", true, { 0 }, "f", "exited with code 0" },
        { "a job failed", "F.E", true, { 0 }, "u", "exited with code 3" },
        { "a job is finished, again and again", "1.ZR.ZR.ZR.Z", true, { 0 }, "fufufuf", "" },
        { "a job is finished while the engine is gone", "1.Y", true, { 0 }, "f", "" },
        { "a service ended with the engine", "1HY", true, { 0 }, "hu", "" },
        { "a job is finished, and the engine is lost", "1.ZLl", true, { 0 }, "f", "" },
        { "stopped by a person", "uuB", false, { 0 }, "ha", "exited with code 137" },
        { "stopped, and the engine is lost", "uuBLl", true, { 0 }, "a", "" },
        { "removed", "uuX", false, { 0 }, "ha", "no such container" },
        { "restarted by the engine", "uuGRu", false, { 0 }, "hsh", "" },
        { "crash loop", "uuEGREGREC.RuuuK", false, { 0 }, "hususuh", "" },
        { "crash loop, ended", "uuEGREGREC.", false, { 0 }, "hususu", "in a row; last: exited with code 3" },
        { "crash loop, runs again", "uuEGREGREC.R.", false, { 0 }, "hususu", "in a row; it runs again" },
        { "paused", "uuP...ru", false, { 0 }, "hdh", "" },
        { "paused, one failure after", "uuP...rd", false, { 0 }, "hdh", "" },
        { "paused for a moment", "uuP..ruuP..ruuP..r", false, { 0 }, "h", "" },
        { "paused for a moment, again and again", "uuP.rP.rP.rP...ru", false, { 0 }, "hdh", "" },
        { "paused for a moment while it starts", ".P.rduu", false, { 0 }, "sh", "" },
        { "frozen by hand", "uudtdddd", false, { 0 }, "hd", "frozen by its cgroup's freezer" },
        { "frozen by hand, and thawed", "uudtddyduu", false, { 0 }, "hdh", "" },
        { "frozen by hand, and silent after that", "uudtddyddd", false, { 0 }, "hdu", "refused" },
        { "frozen by hand, Docker's check fails", "HtS", true, { 0 }, "hd", "frozen by its" },
        { "its network is lost", "uuv", false, { 0 }, "hd", "disputed: unreachable: no network" },
        { "its network is lost, Docker's check passes", "uuHv", false, { 0 }, "hd", "disputed: unreachable" },
        { "its network is lost, Docker's check fails", "uuHSv", false, { 0 }, "hd",
          "disputed: unreachable" },
        { "its network is back, and nothing heard", "uuvV..", false, { 0 }, "hd", "disputed: unreachable" },
        { "its network is back", "uuvVuu", false, { 0 }, "hdh", "" },
        { "its network is lost before it is up", "dvd", false, { 0 }, "s", "unreachable: no network" },
        { "its network is lost for long", "v______", false, { 0 }, "sd", "disputed: unreachable" },
        { "created, and what it needs has failed", "Wc", true, { 0 }, "",
          "created, never started: it waits for postgres, which is unhealthy" },
        { "probe content, Docker not", "uuSu", false, { 0 }, "hd",
          "disputed: it answers, but Docker's healthcheck says unhealthy: " },
        { "and settled", "uuSuHuu", false, { 0 }, "hdh", "" },
        { "Docker content, probe not", "uuHddd", false, { 0 }, "hd",
          "disputed: connection refused (3 times in a row), but Docker's healthcheck says healthy: " },
        { "its probe is changed, to no good", "uuq______ddd", false, { 0 }, "hd",
          "disputed: connection refused (3 times in a row); it has not answered since its probe was "
          "changed" },
        { "its probe is changed: the count begins anew", "u______uddqdd", false, { 0 }, "h", "" },
        { "oom survived", "uuk.u", false, { 0 }, "hd",
          "impaired: a process in it was killed for lack of memory" },
        { "oom forgotten", "uuk______________________________uu", false, { 0 }, "hdh", "" },
        { "frozen at its limit, and answers", "uuf", false, { 0 }, "hd", "impaired: frozen at its" },
        { "frozen at its limit", "uufddd", false, { 0 }, "hdu", "; it is frozen at its memory limit" },
        { "frozen at its limit, without a probe", ".f", true, { 0 }, "d", "impaired: frozen" },
        { "frozen at its limit while it starts", "dddfddd", false, { 0 }, "sd",
          "impaired: frozen at its memory limit: OomKillDisable keeps the kernel from killing" },
        { "frozen at its limit, and not in time", "dddfddd__________ddddd", false, { 0 }, "sd",
          "impaired: frozen" },
        { "frozen at its limit, Docker's check passes", "uuHfddd", false, { 0 }, "hd", "impaired: frozen" },
        { "frozen at its limit, and ended", "uufE", false, { 0 }, "hdu", "exited with code 3" },
        { "frozen at its limit, and paused", "uufPr", false, { 0 }, "hd", "impaired: frozen" },
        { "engine lost, probe goes on", "uuLuddd", false, { 0 }, "hu", "refused" },
        { "engine lost while exited is not known", "uuLE", false, { 0 }, "h", "" },
        { "engine back", "uuLEl", false, { 0 }, "hu", "exited" },
        { "dependency down", "uuWddd", false, { 0 }, "hu*", "; postgres, which it needs, is unhealthy" },
        { "dependency down, never up", "Wdddddddddddddddddddddddddddddddddd", false, { 0 }, "sd",
          "disputed: connection refused (6 times in a row); " },
        { "dependency down, impaired by it", "uuWpp", false, { 0 }, "hd",
          "impaired: full; postgres, which it needs, is unhealthy" },
        { "dependency back, healthy again", "uuWdddwuu", false, { 0 }, "hu*h", "" },
        { "dependency back, fails on", "uuWdddwddd", false, { 0 }, "hu*u", "3 times" },
        { "dependency back, not yet judged", "uuWdddwdd", false, { 0 }, "hu*", "postgres" },
        { "own failure first", "uudddWdd", false, { 0 }, "hu", "refused" },
        { "our own restart, told as nothing else", "uudddoZR.uuO", false, { 0 }, "hush", "" },
        { "our own restart of what was never up", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxoE", false, { 0 }, "sds",
          "plimsolld is restarting it" },
        { "a person stops it meanwhile", "uudddoB", false, { 0 }, "hua", "" },
        { "our own restart, and the new run ends", "uudddoZRE", false, { 0 }, "husu", "code 3" },
        { "it was not started after all", "uudddoEO", false, { 0 }, "hu", "exited with code 3" },
        { "flaps", "uuddduuddduuddduuddd", false, { 4, 600 * PL_USEC_PER_SEC }, "huhuhd!",
          "flapping: 7 changes" },
        { "flaps, then calms down as healthy",
          "uuddduuddduuddduudduu"
          "____________________________________________________________uu",
          false, { 4, 600 * PL_USEC_PER_SEC }, "huhuhd!h", "" },
        { "flaps, then is removed", "uuddduuddduuddduudddX", false, { 4, 600 * PL_USEC_PER_SEC },
          "huhuhd!a", "no such" },
        { "flaps, then exits", "uuddduuddduuddduudddE", false, { 4, 600 * PL_USEC_PER_SEC },
          "huhuhd!u", "exited with code 3" },
        { "flaps, exits, and is restarted by the engine", "uuddduuddduuddduudddEGRu", false,
          { 4, 600 * PL_USEC_PER_SEC }, "huhuhd!ud!", "flapping: " },
        { "flaps, and its reason goes with the times", "uuddduuddduuddduudddxxx", false,
          { 4, 600 * PL_USEC_PER_SEC }, "huhuhd!", "HTTP 401" },
        { "flaps slowly, within the budget", "uuddd__________uu__________ddd__________uu", false,
          { 4, 100 * PL_USEC_PER_SEC }, "huhuh", "" },
        { "our own restarts are no flapping", "uudddoGRuuOdddoGRuuOdddoGRuuOdddoGRuuOddd", false,
          { 4, 600 * PL_USEC_PER_SEC }, "hushushushushu", "connection refused (3 times in a row)" },
        { "no probe, no healthcheck", "...", true, { 0 }, "", "" },
        { "Docker alone: healthy", "H", true, { 0 }, "h", "" },
        { "Docker alone: starting", "NH", true, { 0 }, "sh", "" },
        { "Docker alone: flips", "HSHS", true, { 0 }, "huhu", "Docker's healthcheck says unhealthy" },
        { "Docker alone: never passed", "NS", true, { 0 }, "s", "Docker's healthcheck says unhealthy" },
        { "Docker alone: never passed, and its time is over", "NS____", true, { 0 }, "sd",
          "disputed: Docker's healthcheck says unhealthy; it has not been seen to serve since it "
          "started: it hangs, or its healthcheck is wrong; OnStartTimeout=restart restarts it" },
        { "Docker alone, engine lost", "HLSS", true, { 0 }, "h", "" },
        { "no evidence, exits", ".E", true, { 0 }, "u", "exited with code 3" },
};
/* clang-format on */

typedef struct World {
        PlHealth health;
        PlHealthFacts facts;
        PlHealthConfig config;
        uint64_t now;
        char states[128];
        char reason[PL_HEALTH_REASON_MAX];
} World;

static void step(World *w) {
        PlHealthChange c;

        if (!pl_health_step(&w->health, &w->config, &w->facts, w->now, &c))
                return;
        ck_assert_int_eq(c.to, w->health.state);
        ck_assert_ptr_eq(c.reason, pl_health_reason(&w->health));
        (void)snprintf(w->states + strlen(w->states), sizeof(w->states) - strlen(w->states),
                       "%c%s%s", pl_health_state_to_string(c.to)[0], c.attributed ? "*" : "",
                       c.flapping ? "!" : "");
        (void)snprintf(w->reason, sizeof(w->reason), "%s", c.reason);
}

/* clang-format off */
static void act(World *w, char c) {
        static const PlVerdict up = { .kind = PL_VERDICT_UP }, none = { .kind = PL_VERDICT_NONE };
        static const PlVerdict down = { PL_VERDICT_SILENT, "refused", "connection refused" };
        static const PlVerdict odd = { PL_VERDICT_DISPUTED, "401", "HTTP 401" };
        static const PlVerdict part = { PL_VERDICT_IMPAIRED, "53300", "full" };
        static const PlVerdict loading = { PL_VERDICT_STARTING, "LOADING", "loading" };
        PlHealthFacts *f = &w->facts;

        switch (c) {
        case 'u': pl_health_probe(&w->health, &up); break;
        case 'd': pl_health_probe(&w->health, &down); break;
        case 'x': pl_health_probe(&w->health, &odd); break;
        case 'p': pl_health_probe(&w->health, &part); break;
        case 's': pl_health_probe(&w->health, &loading); break;
        case 'n': pl_health_probe(&w->health, &none); break;
        case 'q': pl_health_reprobe(&w->health); break;
        case '_': w->now += 9 * PL_USEC_PER_SEC; break;
        case 'R': f->between = false; f->phase = PL_PHASE_RUNNING; f->started_usec = w->now; break;
        case 'E': f->phase = PL_PHASE_EXITED; f->exit_code = 3; f->by_request = false; break;
        case 'Z': f->phase = PL_PHASE_EXITED; f->exit_code = 0; f->by_request = false; break;
        case 'Y': f->phase = PL_PHASE_EXITED; f->exit_code = 0; f->by_request = false; f->by_engine = true; break;
        case 'o': f->own = f->between = true; break;
        case 'O': f->own = f->between = false; break;
        case '1': f->once = f->may_finish = true; break;
        case 'F': f->may_finish = true; break;
        case 'h': f->held = "CPUQuota=8% holds it back: throttled"; break;
        case 'j': f->held = NULL; break;
        case 'f': f->frozen = true; break;
        case 'B': f->phase = PL_PHASE_EXITED; f->exit_code = 137; f->by_request = true; break;
        case 'X': f->present = false; break;
        case 'C': f->crashes = 3; break;
        case 'K': f->crashes = 0; break;
        case 'P': f->phase = PL_PHASE_PAUSED; f->paused_usec = w->now; break;
        case 'r': f->phase = PL_PHASE_RUNNING; f->paused_usec = 0; break;
        case 't': f->still = "frozen by its cgroup's freezer"; break;
        case 'y': f->still = NULL; break;
        case 'c': f->phase = PL_PHASE_CREATED; break;
        case 'v': f->unreachable = "unreachable: no network"; pl_health_cut_off(&w->health); break;
        case 'V': f->unreachable = NULL; break;
        case 'G': f->phase = PL_PHASE_RESTARTING; break;
        case 'H': f->docker = PL_DOCKER_HEALTH_HEALTHY; break;
        case 'S': f->docker = PL_DOCKER_HEALTH_UNHEALTHY; break;
        case 'N': f->docker = PL_DOCKER_HEALTH_STARTING; break;
        case 'k': f->oom_usec = w->now; break;
        case 'L': f->stale = true; break;
        case 'l': f->stale = false; break;
        case 'W': f->waits_for = "postgres"; f->waits_state = PL_HEALTH_UNHEALTHY; break;
        case 'w': f->waits_for = NULL; break;
        default: ck_assert_int_eq(c, '.');
        }
}
/* clang-format on */

static void begin(World *w, uint64_t start_period) {
        *w = (World){ .now = 1000 * PL_USEC_PER_SEC };
        w->config = (PlHealthConfig){ .failures = 3, .start_period_usec = start_period };
        w->facts = (PlHealthFacts){
                .present = true, .probed = true, .phase = PL_PHASE_RUNNING, .started_usec = w->now
        };
        w->health.since_usec = w->now;
        w->health.started_usec = w->now; /* this run is known; a verdict may come first */
}

START_TEST(scripts) {
        World w;

        begin(&w, 30 * PL_USEC_PER_SEC);
        w.config.flap = rows[_i].flap;
        w.facts.probed = !rows[_i].unprobed;
        for (const char *c = rows[_i].script; *c; c++) {
                w.now += PL_USEC_PER_SEC;
                act(&w, *c);
                step(&w);
        }
        ck_assert_msg(pl_streq(w.states, rows[_i].states), "%s: %s instead of %s (%s)",
                      rows[_i].name, w.states, rows[_i].states, pl_health_reason(&w.health));
        ck_assert_msg(strstr(pl_health_reason(&w.health), rows[_i].reason) != NULL, "%s: reason %s",
                      rows[_i].name, pl_health_reason(&w.health));
        if (w.health.state == PL_HEALTH_DEGRADED && !w.health.flapping)
                ck_assert_msg(pl_startswith(pl_health_reason(&w.health), "disputed: ") ||
                                              pl_startswith(pl_health_reason(&w.health),
                                                            "impaired: "),
                              "%s: reason %s", rows[_i].name, pl_health_reason(&w.health));
        pl_health_deinit(&w.health);
}
END_TEST

/* However evidence comes: no state without a cause, no report without a change. */
START_TEST(random_walks) {
        static const char letters[] = "uuuudddxxppssn._REZYBXCKPrGHSNkfLlWwqoO1FhjcvV";
        uint64_t seed = 88172645463325252u + (uint64_t)_i * 7919;
        World w;

        begin(&w, (uint64_t)(_i % 3) * 20 * PL_USEC_PER_SEC);
        w.config.flap = (PlBudget){ (unsigned)_i % 5, 60 * PL_USEC_PER_SEC };
        for (int n = 0; n < 4000; n++) {
                PlHealthState before = w.health.state;
                bool was_damped = w.health.damped, was_attributed = w.health.attributed;
                bool was_disputed = pl_startswith(pl_health_reason(&w.health), "disputed: ");
                PlHealthChange c;
                uint64_t wake;

                seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
                w.now += PL_USEC_PER_SEC;
                act(&w, letters[seed % (sizeof(letters) - 1)]);
                if (seed % 97 == 0)
                        w.facts.present = true;
                if (pl_health_step(&w.health, &w.config, &w.facts, w.now, &c)) {
                        ck_assert(c.from == before && c.to == w.health.state);
                        ck_assert(c.from != c.to || c.late || was_damped != w.health.damped ||
                                  (was_attributed && !w.health.attributed) ||
                                  (c.to == PL_HEALTH_DEGRADED &&
                                   was_disputed != pl_startswith(pl_health_reason(&w.health),
                                                                 "disputed: ")));
                } else {
                        ck_assert_int_eq(w.health.state, before);
                }
                ck_assert(w.health.damped || w.health.state == w.health.raw);
                ck_assert(!w.health.damped || w.health.state == PL_HEALTH_DEGRADED);
                ck_assert(w.health.flapping || !w.health.damped);
                /* whatever was before: that it has ended is seen */
                ck_assert(w.facts.stale || !w.facts.present || w.facts.between ||
                          w.facts.phase != PL_PHASE_EXITED || w.health.state == PL_HEALTH_ABSENT ||
                          w.health.state == PL_HEALTH_UNHEALTHY ||
                          w.health.state == PL_HEALTH_FINISHED);
                ck_assert(!w.health.attributed || w.health.raw == PL_HEALTH_UNHEALTHY);
                ck_assert(w.facts.stale || w.facts.present || w.health.state == PL_HEALTH_ABSENT);
                /* nothing that runs is broken without proof */
                if (pl_health_is_broken(&w.health) && !w.facts.stale &&
                    w.facts.phase == PL_PHASE_RUNNING) {
                        ck_assert(w.facts.docker != PL_DOCKER_HEALTH_HEALTHY);
                        ck_assert(w.health.answered || w.health.docker_passed);
                        ck_assert(w.health.last.kind == PL_VERDICT_SILENT);
                }
                ck_assert_uint_lt(strlen(pl_health_reason(&w.health)), PL_HEALTH_REASON_MAX);
                /* the same evidence at the same moment changes nothing more */
                ck_assert(!pl_health_step(&w.health, &w.config, &w.facts, w.now, &c));
                wake = pl_health_wakeup(&w.health, &w.config, &w.facts, w.now);
                ck_assert_uint_gt(wake, w.now);
        }
        pl_health_deinit(&w.health);
}
END_TEST

/* That Docker's check has not passed in time is found out by time alone, at the moment that
 * wakeup() names. */
START_TEST(wakes_up_at_the_end_of_the_start_period) {
        World w;
        uint64_t at;

        begin(&w, 30 * PL_USEC_PER_SEC);
        w.facts.probed = false;
        act(&w, 'S');
        step(&w);
        ck_assert_str_eq(w.states, "s");
        at = pl_health_wakeup(&w.health, &w.config, &w.facts, w.now);
        ck_assert_uint_eq(at, w.now + 30 * PL_USEC_PER_SEC);
        w.now = at - 1;
        step(&w);
        ck_assert_str_eq(w.states, "s");
        w.now = at;
        step(&w);
        ck_assert_str_eq(w.states, "sd");
        ck_assert_uint_eq(pl_health_wakeup(&w.health, &w.config, &w.facts, w.now),
                          PL_TIME_INFINITY);
        pl_health_deinit(&w.health);
}
END_TEST

/* The start period is a grace, and no store of failures that all count when it is over. */
START_TEST(failures_count_from_the_end_of_the_start_period) {
        World w;

        begin(&w, 30 * PL_USEC_PER_SEC);
        for (int i = 0; i < 9; i++) {
                act(&w, 'd');
                step(&w);
        }
        w.now += 30 * PL_USEC_PER_SEC;
        step(&w);
        for (int i = 0; i < 2; i++) {
                ck_assert_str_eq(w.states, "s");
                act(&w, 'd');
                step(&w);
                /* at the interval that the policy sets */
                ck_assert_uint_eq(pl_health_hurry(&w.health), 0);
        }
        ck_assert_str_eq(w.states, "s");
        act(&w, 'd');
        step(&w);
        ck_assert_str_eq(w.states, "sd");
        pl_health_deinit(&w.health);
}
END_TEST

/* A start may take minutes: it is asked four times soon, and then at the interval. */
START_TEST(hurries) {
        static const uint64_t soon[] = { 1, 2, 4, 0, 0, 0 };
        World w;

        begin(&w, 0);
        w.config.start_period_usec = PL_USEC_PER_MIN;
        step(&w);
        ck_assert_uint_eq(pl_health_hurry(&w.health), PL_USEC_PER_SEC);
        for (unsigned i = 0; i < PL_ARRAY_SIZE(soon); i++) {
                act(&w, i % 2 ? 's' : 'd');
                step(&w);
                ck_assert_uint_eq(pl_health_hurry(&w.health), soon[i] * PL_USEC_PER_SEC);
        }
        act(&w, 'u');
        step(&w);
        ck_assert_uint_eq(pl_health_hurry(&w.health), 0);
        for (int i = 0; i < 3; i++) {
                act(&w, 'd');
                step(&w);
                ck_assert_uint_eq(pl_health_hurry(&w.health), 0);
        }
        act(&w, 'u');
        step(&w);
        ck_assert_uint_eq(pl_health_hurry(&w.health), PL_USEC_PER_SEC);
        pl_health_deinit(&w.health);
}
END_TEST

/* What may be restarted. The start period is long over; D stands for three silences, T for three
 * other answers. */
static const struct {
        const char *name, *script;
        bool unprobed, failing, broken;
        bool on_start_timeout, on_exit;
} proofs[] = {
        { "was up, is silent", "uD", false, true, true },
        { "was partly up, is silent", "pD", false, true, true },
        { "was up, answers otherwise", "uT", false, false, false },
        { "was up, answers otherwise, then is silent", "uTD", false, true, true },
        { "was up, answers otherwise or is silent", "uxdxdxdxd", false, false, false },
        { "was up, impaired", "upppp", false, false, false },
        { "was up, says that it starts", "usssss", false, false, false },
        { "was never up", "DDDD", false, false, false },
        { "was never up, which the policy calls dead", "DDDD", false, false, true,
          .on_start_timeout = true },
        { "… but Docker's check passes", "HDDDD", false, false, false, .on_start_timeout = true },
        { "… but it answers otherwise", "TTTT", false, false, false, .on_start_timeout = true },
        { "… but it answered otherwise just now", "TTTTdd", false, false, false,
          .on_start_timeout = true },
        { "… but it says that it starts", "ssss", false, false, false, .on_start_timeout = true },
        { "… but a dependency is down", "WDDDD", false, false, false, .on_start_timeout = true },
        { "… but it is frozen at its memory limit", "fDDDD", false, false, false,
          .on_start_timeout = true },
        { "… but a limit of ours holds it back", "hDDDD", false, false, false,
          .on_start_timeout = true },
        { "… Docker's check alone", "NSSSSSS", true, false, true, .on_start_timeout = true },
        { "… but not at the first look", "NS", true, false, false, .on_start_timeout = true },
        { "… nor at that of the next plimsolld", "NSSSSSS~S", true, false, false,
          .on_start_timeout = true },
        { "only ever said that it loads", "ssD", false, false, false },
        { "not settled", "uudd", false, false, false },
        { "one good answer in between", "uDu", false, true, false },
        { "a good answer, and not settled again", "uDudd", false, true, false },
        { "a good answer, and settled again", "uDuD", false, true, true },
        { "the changed probe was never answered", "uqDD", false, false, false },
        { "… and was up, so it is not late", "uqDD", false, false, false,
          .on_start_timeout = true },
        { "the changed probe was answered, is silent", "uDquD", false, true, true },
        { "the probe is changed while it is silent", "uDqD", false, false, false },
        { "its network is lost", "uvDD", false, false, false },
        { "its network is back, and it is silent there", "uvVDD", false, false, false },
        { "its network is back, was up there, and is silent", "uvVuD", false, true, true },
        { "the changed probe was never answered, Docker's check fails", "HuqDS", false, true,
          true },
        { "Docker's check passes", "HuD", false, false, false },
        { "Docker's check passes since", "uDH", false, false, false },
        { "Docker's check passed, too, and fails", "HuDS", false, true, true },
        { "Docker's check is not through", "NuD", false, true, true },
        { "Docker's check alone passed, and fails", "HDS", false, true, true },
        { "Docker's check passed and fails, the probe is answered otherwise", "HTS", false, false,
          false },
        { "Docker's check passed and fails, the probe is content", "HuuS", false, false, false },
        { "Docker's check passed and fails, impaired", "HppS", false, false, false },
        { "Docker's check alone passes", "HD", false, false, false },
        { "Docker's check never passed either", "NDS", false, false, false },
        { "Docker's check passed before plimsolld came", "SD", false, false, false },
        { "only the last run was up", "uDRDDDD", false, false, false },
        { "only in the last run Docker's check passed", "HDSRNDSD", false, false, false },
        { "a dependency's fault", "uWD", false, false, false },
        { "no probe: Docker's check never passed", "NS", true, false, false },
        { "no probe: it passed, and fails", "NHS", true, true, true },
        { "no probe: it passed in the last run", "HSRNS", true, false, false },
        { "ended with an error, never up", "DE", false, true, true },
        { "ended with an error while Docker's word was good", "HE", false, true, true },
        { "ended with 0, though it is always started", "uZ", false, true, true },
        { "finished", "1uZ", false, false, false },
        { "finished under on-failure", "FuZ", false, false, false },
        { "finished, and is to run again", "1uZ", false, true, true, .on_exit = true },
        { "failed under no, never up", "1DE", false, true, false },
        { "failed under no, never up, Docker's check neither", "1NE", true, true, false },
        { "failed under no, never up, and is to run again", "1DE", false, true, true,
          .on_exit = true },
        { "failed under no, was up", "1uE", false, true, true },
        { "failed under no, Docker's check passed", "1HE", true, true, true },
        { "failed under no, was up in an earlier run", "1uDRDE", false, true, true },
        { "failed under on-failure, never up", "FDE", false, true, true },
        { "ended with the engine", "uY", false, true, true },
        { "ended with the engine under on-failure", "FuY", false, true, true },
        { "stopped by a person", "uDB", false, false, false },
        { "paused for a moment", "uDP", false, true, false },
        { "paused", "uDP...", false, false, false },
        { "silent, and stands still", "uDt", false, false, false },
        { "stands still, Docker's check fails", "HtS", true, false, false },
        { "stood still, and the silence of that time", "utDy", false, false, false },
        { "crash loop, runs just now", "EREREC.R", false, false, false },
        { "crash loop, ended", "EREREC.", false, true, true },
        { "crash loop of a job, ended", "1EREREC.", false, true, false },
        /* ~ the next plimsolld comes; ^ and asks otherwise; % and it is another run */
        { "was up before plimsolld came, is silent", "u~D", false, true, true },
        { "… not settled", "u~dd", false, false, false },
        { "… and asks otherwise", "u^D", false, false, false },
        { "… and is no start that lasts too long", "u^DD", false, false, false,
          .on_start_timeout = true },
        { "… in another run", "u%D", false, false, false },
        { "… and it was never up", "D~D", false, false, false },
        { "the probe had changed before plimsolld came", "uq~D", false, false, false },
        { "Docker's check passed before plimsolld came, and fails", "HS~", true, true, true },
        { "… in another run", "HS%", true, false, false },
        { "failed under no, was up before plimsolld came", "1u~E", false, true, true },
        { "… in an earlier run", "1u%E", false, true, true },
        { "failed under no, was never up before plimsolld came", "1D~E", false, true, false },
        { "between the halves of a restart", "uDG", false, true, true },
        { "between the halves of our own restart", "uDoE", false, true, true },
};

/* What one plimsolld knew, to the next. */
static void next_plimsolld(World *w, char how) {
        const uint64_t ran = how == '%' ? 8 : 7, asked = how == '^' ? 10 : 9;
        PlProof known = pl_health_proof(&w->health, 7, 9);

        pl_health_deinit(&w->health);
        w->health = (PlHealth){ .since_usec = w->now };
        pl_health_recall(&w->health, &known, ran, asked, w->facts.started_usec);
}

START_TEST(proof) {
        World w;

        begin(&w, 0);
        w.facts.probed = !proofs[_i].unprobed;
        w.config.on_start_timeout = proofs[_i].on_start_timeout;
        w.config.on_exit = proofs[_i].on_exit;
        for (const char *c = proofs[_i].script; *c; c++)
                for (int n = *c == 'D' || *c == 'T' ? 3 : 1; n > 0; n--) {
                        w.now += PL_USEC_PER_SEC;
                        if (*c == '~' || *c == '^' || *c == '%')
                                next_plimsolld(&w, *c);
                        else
                                act(&w, *c == 'D' ? 'd' : *c == 'T' ? 'x' : *c);
                        step(&w);
                }
        ck_assert_msg(pl_health_is_failing(&w.health) == proofs[_i].failing &&
                                      pl_health_is_broken(&w.health) == proofs[_i].broken,
                      "%s: failing %d, broken %d (%s)", proofs[_i].name,
                      pl_health_is_failing(&w.health), pl_health_is_broken(&w.health),
                      pl_health_reason(&w.health));
        pl_health_deinit(&w.health);
}
END_TEST

START_TEST(broken_and_bad) {
        World w;

        begin(&w, 0);
        for (const char *c = "uuWddd"; *c; c++) {
                act(&w, *c);
                step(&w);
        }
        ck_assert(!pl_health_is_broken(&w.health));
        for (const char *c = "wddd"; *c; c++) {
                act(&w, *c);
                step(&w);
        }
        ck_assert(pl_health_is_broken(&w.health));
        pl_health_deinit(&w.health);
}
END_TEST

START_TEST(words) {
        for (PlHealthState s = 0; s < _PL_HEALTH_N; s++)
                ck_assert_int_eq(pl_health_state_from_string(pl_health_state_to_string(s)), s);
        ck_assert_int_eq(pl_health_state_from_string("fine"), _PL_HEALTH_N);
        ck_assert_int_eq(pl_health_state_from_string(NULL), _PL_HEALTH_N);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("scripts");

        tcase_add_loop_test(t, scripts, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, random_walks, 0, 20);
        tcase_add_test(t, wakes_up_at_the_end_of_the_start_period);
        tcase_add_test(t, failures_count_from_the_end_of_the_start_period);
        tcase_add_test(t, hurries);
        tcase_add_loop_test(t, proof, 0, PL_ARRAY_SIZE(proofs));
        tcase_add_test(t, broken_and_bad);
        tcase_add_test(t, words);
        return run_case(t);
}
