/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl adopt-logs: containers that exist get the engine's own log rotation.
 *
 * Looks at everything first, says what it will do and what that costs, and asks for consent. What
 * is done then is in run.c. It does not talk to plimsolld.
 */

#include "ctl/cli.h"

#include <ctype.h>
#include <errno.h>

#include "base/clock.h"
#include "ctl/adopt/at-start.h"
#include "ctl/adopt/plan.h"
#include "ctl/adopt/run.h"
#include "lib/base/unit.h"

static void print_list(const PlAdoptPlan *plan) {
        const PlLook look = pl_ctl_view_options().look;
        char size[PL_FORMAT_MAX];

        for (size_t i = 0; i < plan->n; i++) {
                const PlAdoptChoice *c = &plan->choices[i];
                _cleanup_free_ char *name = pl_text_clean(c->container->name, &look);

                if (!c->chosen)
                        continue;
                if (c->why == PL_ADOPT_OK)
                        (void)printf("  %-24s max-size %s, max-file %u%s\n", name ?: "?",
                                     pl_format_bytes_exact(c->sizes.max_size_bytes, size),
                                     c->sizes.max_files,
                                     pl_container_is_live(c->container) ? "" : " (not running)");
                else
                        (void)printf("  %-24s left alone: %s\n", name ?: "?",
                                     pl_adopt_why_to_string(c->why));
        }
}

/* An engine that starts also starts such containers that somebody has stopped by hand. */
static void warn_of_starts(const PlAdoptPlan *plan) {
        for (size_t i = 0; i < plan->n; i++) {
                const PlContainer *c = plan->choices[i].container;

                if (c->phase == PL_PHASE_EXITED && c->host.restart_policy &&
                    pl_streq(c->host.restart_policy, "always"))
                        (void)printf("  %s is stopped and has the restart policy \"always\": the "
                                     "engine will start it.\n",
                                     c->name);
        }
}

static void print_plan(const PlAdoptPlan *plan, const PlAdoptRun *run) {
        const PlAdoptJournal *j = &run->journal;

        (void)puts("These containers get the engine's own log rotation:");
        print_list(plan);
        if (plan->n_adopt == 0)
                return;
        (void)printf("To do so\n"
                     "  %zu running container%s of this engine will be frozen for some seconds;\n",
                     plan->n_running, pl_plural(plan->n_running));
        if (j->unit && *j->unit)
                (void)printf("  the engine will be restarted (%s%s%s);\n", j->unit,
                             *j->triggers ? ", " : "", j->triggers);
        else
                (void)printf("  the engine will be restarted (dockerd, pid %d);\n", plan->pid);
        if (run->config_text)
                (void)printf("  %s gets live-restore%s;%s%s\n", j->config,
                             strstr(run->config_text, "\"max-size\"")
                                             ? " and log-opts for containers to come"
                                             : "",
                             j->config_existed ? " a copy is kept: " : "",
                             j->config_existed ? j->config_backup : "");
        (void)puts("  attached clients are cut off: docker logs -f, docker attach, docker exec,\n"
                   "  builds and pulls. Containers keep running, and no line is lost. Of logs "
                   "that\n"
                   "  are larger the oldest lines go as the engine rotates.");
        warn_of_starts(plan);
        (void)fflush(stdout);
}

/* Return: does the person agree? */
static bool ask(void) {
        char answer[16] = "";

        (void)printf("Go ahead? [y/N] ");
        (void)fflush(stdout);
        return fgets(answer, sizeof(answer), stdin) && tolower((unsigned char)answer[0]) == 'y';
}

static json_t *plan_to_json(const PlAdoptPlan *plan, const char *result) {
        json_t *list = json_array();

        for (size_t i = 0; i < plan->n; i++) {
                const PlAdoptChoice *c = &plan->choices[i];
                bool ok = c->why == PL_ADOPT_OK;

                if (!c->chosen)
                        continue;
                (void)json_array_append_new(
                                list,
                                json_pack("{s:s, s:s, s:b, s:s, s:o, s:o}", "id", c->container->id,
                                          "name", c->container->name, "adopt", ok, "reason",
                                          pl_adopt_why_to_string(c->why), "max_size_bytes",
                                          ok ? json_integer((json_int_t)c->sizes.max_size_bytes)
                                             : json_null(),
                                          "max_files",
                                          ok ? json_integer(c->sizes.max_files) : json_null()));
        }
        return json_pack("{s:s, s:o}", "result", result, "containers", list);
}

static void say_result(const PlCtl *ctl, const PlAdoptPlan *plan, const char *result,
                       const char *text) {
        if (ctl->json) {
                json_t *j = plan_to_json(plan, result);
                pl_ctl_print_json(j);
                json_decref(j);
        } else
                (void)puts(text);
}

/* A record that was dealt with makes room for a new one. */
static void reset(PlAdoptRun *run) {
        char *socket = TAKE_PTR(run->journal.socket);

        pl_adopt_journal_deinit(&run->journal);
        run->journal.socket = socket;
        free(TAKE_PTR(run->cmdline));
        free(TAKE_PTR(run->environ));
        free(TAKE_PTR(run->exe));
}

/* Repairs what an interrupted run has left, before anything else. Return: -1 to go on, or an exit
 * status. */
static int repair(const PlCtl *ctl, PlAdoptRun *run) {
        int r = pl_adopt_load(run);

        if (r == 0)
                return -1;
        if (r < 0) {
                pl_ctl_say("the record of an earlier adoption, %s.json in /var/lib/plimsoll/adopt, "
                           "cannot be read: %s; look at it and remove it",
                           run->key, strerror(-r));
                return PL_EXIT_BAD;
        }
        if (ctl->adopt.dry_run) {
                pl_ctl_say("an earlier adoption was interrupted; run it without --dry-run to "
                           "repair "
                           "that first");
                return PL_EXIT_BAD;
        }
        pl_ctl_say("an earlier adoption was interrupted (%s); repairing that",
                   pl_adopt_phase_to_string(run->journal.phase));
        r = pl_adopt_recover_run(run);
        if (r < 0)
                return PL_EXIT_BAD;
        pl_ctl_say(r ? "it has been finished" : "everything is as it was before");
        reset(run);
        return -1;
}

static int carry_out(const PlCtl *ctl, const PlAdoptPlan *plan, PlAdoptRun *run) {
        uint64_t begin = pl_clock_usec(CLOCK_MONOTONIC);
        _cleanup_free_ char *text = NULL;
        char took[PL_FORMAT_MAX];

        if (pl_adopt_run(run) < 0)
                return PL_EXIT_BAD;
        if (asprintf(&text, "%zu container%s adopted in %s.", plan->n_adopt,
                     pl_plural(plan->n_adopt),
                     pl_format_sec(pl_clock_usec(CLOCK_MONOTONIC) - begin, took)) < 0)
                text = NULL;
        say_result(ctl, plan, "adopted", text ?: "");
        return PL_EXIT_GOOD;
}

static int decide(const PlCtl *ctl, const PlAdoptPlan *plan, PlAdoptRun *run) {
        if (!ctl->json)
                print_plan(plan, run);
        if (plan->n_unfit > 0) {
                pl_ctl_say("%zu of the named containers cannot be adopted; nothing was changed",
                           plan->n_unfit);
                if (ctl->json)
                        say_result(ctl, plan, "refused", "");
                return PL_EXIT_BAD;
        }
        if (plan->n_adopt == 0) {
                say_result(ctl, plan, "nothing", "There is nothing to do.");
                return PL_EXIT_GOOD;
        }
        if (ctl->adopt.dry_run) {
                say_result(ctl, plan, "dry-run", "Nothing was changed (--dry-run).");
                return PL_EXIT_GOOD;
        }
        if (!ctl->adopt.yes) {
                if (ctl->json || !isatty(STDIN_FILENO)) {
                        pl_ctl_say("there is nobody to ask: say --yes, or --dry-run");
                        return PL_EXIT_USAGE;
                }
                if (!ask()) {
                        (void)puts("Nothing was changed.");
                        return PL_EXIT_BAD;
                }
        }
        return carry_out(ctl, plan, run);
}

int pl_ctl_cmd_adopt(PlCtl *ctl) {
        PlAdoptRun run = { .state_dir = -EBADF,
                           .process_dir = -EBADF,
                           .out_fd = -EBADF,
                           .err_fd = -EBADF,
                           .netns_fd = -EBADF };
        PlAdoptPlan plan = {};
        int status;

        status = pl_adopt_plan_begin(ctl, &plan, &run);
        if (status < 0 && !(geteuid() != 0 && ctl->adopt.dry_run)) {
                int r = geteuid() == 0 ? pl_adopt_open(&run) : -EPERM;

                if (r < 0) {
                        pl_ctl_say("%s", r == -EPERM ? "only root can do this; run it with sudo"
                                                     : strerror(-r));
                        status = PL_EXIT_BAD;
                } else if (!ctl->adopt.at_start)
                        status = repair(ctl, &run);
        }
        if (status < 0 && ctl->adopt.at_start)
                status = pl_adopt_at_start(&plan, &run, ctl->adopt.root);
        if (status < 0)
                status = pl_adopt_plan_make(ctl, &plan, &run);
        if (status < 0)
                status = decide(ctl, &plan, &run);
        pl_adopt_plan_deinit(&plan);
        pl_adopt_run_deinit(&run);
        return status;
}
