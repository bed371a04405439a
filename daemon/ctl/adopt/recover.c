/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Adoption after an accident: a step failed, the operator's process died, or the host did.
 *
 * The record says how far it came; lib/adopt/rules.h says which way from there. Each way may itself
 * be cut off and gone again. Whatever happens, containers are thawed in the end, and an engine is
 * never started without live-restore while they run: it would kill them.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "base/fs.h"
#include "ctl/adopt/parts.h"
#include "ctl/cli.h"

char *pl_adopt_boot_id(void) {
        char *text = NULL;

        if (pl_fs_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 4096, &text, NULL) < 0)
                return NULL;
        text[strcspn(text, "\n")] = '\0';
        return text;
}

bool pl_adopt_same_boot(const PlAdoptRun *run) {
        _cleanup_free_ char *id = pl_adopt_boot_id();

        return pl_streq_null(id, run->journal.boot_id);
}

static void tell_engine(PlAdoptRun *run) {
        pid_t pid = pl_adopt_engine_pid(run);

        if (pid > 0)
                (void)kill(pid, SIGHUP);
}

static int thaw(PlAdoptRun *run) {
        int r = pl_adopt_thaw_all(&run->journal);

        if (r < 0)
                pl_ctl_say("a container could not be thawed: %s; see the files %s", strerror(-r),
                           "freezer.state or cgroup.freeze of its cgroup");
        return r;
}

static int start_failed(const PlAdoptRun *run, int error) {
        const char *unit = run->journal.unit;

        pl_ctl_say("the engine does not start: %s", strerror(-error));
        if (unit && *unit)
                pl_ctl_say("see: journalctl -u %s; then run plimsollctl adopt-logs again", unit);
        else
                pl_ctl_say("start dockerd by hand as before, with --live-restore");
        return error;
}

/* The engine was never stopped. */
static int release(PlAdoptRun *run) {
        int thawed = thaw(run), r = pl_adopt_config_put_back(run);

        if (pl_adopt_engine_pid(run) == 0) {
                int started = pl_adopt_engine_start(run);

                if (started < 0)
                        return start_failed(run, started);
        }
        tell_engine(run);
        return thawed < 0 ? thawed : r;
}

static int undo(PlAdoptRun *run) {
        bool same_boot = pl_adopt_same_boot(run);
        int r = pl_adopt_save(run, PL_ADOPT_UNDOING), files, started;

        if (r == 0)
                r = pl_adopt_engine_stop(run);
        /* one that does not stop has read the old files */
        files = r == 0 ? pl_adopt_put_back(run) : 0;
        if (r == 0 && files == 0)
                files = same_boot ? pl_adopt_config_safe(run) : pl_adopt_config_put_back(run);
        started = pl_adopt_engine_start(run);
        int thawed = thaw(run);
        if (started < 0)
                return start_failed(run, started);
        if (r < 0 || files < 0 || thawed < 0)
                return r < 0 ? r : files < 0 ? files : thawed;
        r = pl_adopt_config_put_back(run);
        tell_engine(run);
        return r;
}

static int finish(PlAdoptRun *run) {
        int r = pl_adopt_engine_start(run);

        if (r == 0)
                r = pl_adopt_verify(run);
        return r < 0 ? r : pl_adopt_thaw_all(&run->journal);
}

int pl_adopt_recover_run(PlAdoptRun *run) {
        bool same_boot = pl_adopt_same_boot(run), process = !*run->journal.unit;
        PlAdoptRecovery way;
        int r;

        if (process && (r = pl_adopt_process_recall(run)) < 0 && same_boot) {
                (void)thaw(run);
                pl_ctl_say("what dockerd was started with is not known any more: %s", strerror(-r));
                return r;
        }
        run->flags = pl_adopt_flags(run->cmdline ?: "", run->cmdline_size);
        way = pl_adopt_recover(run->journal.phase, same_boot, pl_adopt_answers(run));
        if (way == PL_ADOPT_FINISH && finish(run) == 0) {
                pl_adopt_forget(run);
                return 1;
        }
        switch (way) {
        case PL_ADOPT_FORGET:
                r = 0;
                break;
        case PL_ADOPT_RELEASE:
                r = release(run);
                break;
        default:
                r = undo(run);
        }
        if (r == 0)
                pl_adopt_forget(run);
        else
                pl_ctl_say("not everything could be put back: %s", strerror(-r));
        return r;
}
