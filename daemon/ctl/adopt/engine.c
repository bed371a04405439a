/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Adoption's engine: asked, told to read its file again, stopped, started.
 */

#include "ctl/adopt/engine.h"

#include <errno.h>
#include <signal.h>

#include "ctl/adopt/process.h"
#include "base/clock.h"
#include "ctl/systemctl.h"
#include "lib/base/unit.h"

/* dockerd gives itself 15 s for its containers, and a loaded host more. */
#define STOP_MSEC  90000
#define START_MSEC 90000
#define LOOK_MSEC  100
/* A supervisor other than systemd would have started it again by then. */
#define AFTER_STOP_MSEC 300
/* How long the process may be gone before we give up. */
#define GONE_MSEC 3000

int pl_adopt_get(PlAdoptRun *run, const char *path, json_t **ret) {
        long code = 0;
        json_t *j = NULL;
        int r = pl_ctl_client_request(run->engine, "GET", path, &code, &j);

        if (r < 0)
                return r;
        if (code != 200) {
                json_decref(j);
                return code == 404 ? -ENOENT : -EREMOTEIO;
        }
        *ret = j;
        return 0;
}

bool pl_adopt_answers(PlAdoptRun *run) {
        json_t *j = NULL;
        int r;

        /* under systemd a connection alone would start it */
        if (pl_adopt_engine_pid(run) == 0)
                return false;
        r = pl_adopt_get(run, "/version", &j);
        json_decref(j);
        return r == 0;
}

static bool has_unit(const PlAdoptRun *run) {
        return run->journal.unit && *run->journal.unit;
}

pid_t pl_adopt_engine_pid(const PlAdoptRun *run) {
        uint64_t pid = 0;

        if (!has_unit(run))
                return run->cmdline ? pl_adopt_process_find(run) : 0;
        _cleanup_free_ char *text = pl_systemctl_property(run->journal.unit, "MainPID");
        return text && pl_parse_uint64(text, &pid) == 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

/* systemctl VERB SOCKET… SERVICE */
static int systemctl(const PlAdoptRun *run, const char *verb) {
        const char *arguments[16] = { verb, "--" };
        _cleanup_free_ char *triggers = strdup(run->journal.triggers ?: "");
        char *word, *save = NULL;
        size_t n = 2;

        if (!triggers)
                return -ENOMEM;
        for (word = strtok_r(triggers, " ", &save); word && n < PL_ARRAY_SIZE(arguments) - 2;
             word = strtok_r(NULL, " ", &save))
                arguments[n++] = word;
        arguments[n] = run->journal.unit;
        int r = pl_systemctl(arguments, NULL);
        return r <= 0 ? r : -EIO;
}

static int wait_gone(PlAdoptRun *run) {
        uint64_t until = pl_clock_usec(CLOCK_MONOTONIC) + STOP_MSEC * PL_USEC_PER_MSEC;

        while (pl_adopt_engine_pid(run) != 0) {
                if (pl_clock_usec(CLOCK_MONOTONIC) > until)
                        return -ETIMEDOUT;
                pl_clock_sleep(LOOK_MSEC * PL_USEC_PER_MSEC);
        }
        return 0;
}

int pl_adopt_engine_stop(PlAdoptRun *run) {
        int r;

        if (has_unit(run)) {
                r = systemctl(run, "stop");
                return r < 0 ? r : wait_gone(run);
        }
        pid_t pid = pl_adopt_engine_pid(run);
        if (pid > 0 && kill(pid, SIGTERM) < 0 && errno != ESRCH)
                return -errno;
        r = wait_gone(run);
        if (r < 0)
                return r;
        pl_clock_sleep(AFTER_STOP_MSEC * PL_USEC_PER_MSEC);
        return pl_adopt_engine_pid(run) == 0 ? 0 : -EBUSY;
}

static int wait_up(PlAdoptRun *run) {
        uint64_t until = pl_clock_usec(CLOCK_MONOTONIC) + START_MSEC * PL_USEC_PER_MSEC,
                 seen = pl_clock_usec(CLOCK_MONOTONIC);

        for (;;) {
                if (pl_adopt_engine_pid(run) != 0)
                        seen = pl_clock_usec(CLOCK_MONOTONIC);
                if (pl_adopt_answers(run))
                        return 0;
                if (pl_clock_usec(CLOCK_MONOTONIC) > seen + GONE_MSEC * PL_USEC_PER_MSEC)
                        return -ECHILD;
                if (pl_clock_usec(CLOCK_MONOTONIC) > until)
                        return -ETIMEDOUT;
                pl_clock_sleep(LOOK_MSEC * PL_USEC_PER_MSEC);
        }
}

int pl_adopt_engine_start(PlAdoptRun *run) {
        int r;

        if (has_unit(run)) {
                /* stops and starts count against its start limit */
                (void)systemctl(run, "reset-failed");
                r = systemctl(run, "start");
        } else if (pl_adopt_engine_pid(run) == 0)
                r = pl_adopt_process_start(run);
        else
                r = 0;
        return r < 0 ? r : wait_up(run);
}
