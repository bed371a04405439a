/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Health: the reasons that people read. The machine in pl-health.c must not depend on them.
 */

#include "lib/base/unit.h"
#include "lib/health/machine-internal.h"

/* Signs that need no more words than these. */
static const char *const plain[_PL_SIGN_N] = {
        [PL_SIGN_NOTHING] = "runs; no probe and no healthcheck say more",
        [PL_SIGN_GONE] = "there is no such container",
        [PL_SIGN_RESTARTING] = "the engine is restarting it",
        [PL_SIGN_PAUSED] = "paused",
        [PL_SIGN_DISPUTED] = "it answers, but Docker's healthcheck says unhealthy",
        [PL_SIGN_OOM] = "a process in it was killed for lack of memory",
};

static void explain_end(const PlHealthFacts *f, char *buf, size_t size) {
        if (f->ending && *f->ending)
                (void)snprintf(buf, size, "%s", f->ending);
        else
                (void)snprintf(buf, size, "exited with code %d", f->exit_code);
}

static void explain_failure(const PlHealth *h, const PlHealthFacts *f, char *buf, size_t size) {
        char times[32] = "";
        const char *doubt = "";

        if (h->n_fail > 1)
                (void)snprintf(times, sizeof(times), " (%u times in a row)", h->n_fail);
        /* why it is only told, and nothing done about it */
        if (f->docker == PL_DOCKER_HEALTH_HEALTHY)
                doubt = f->stale ? "" : "; Docker's healthcheck says healthy";
        else if (!h->proven)
                doubt = h->was_up && f->probed ? "; it has not answered since its probe was changed"
                                               : "; it has not been seen to serve since it started";
        (void)snprintf(buf, size, "%s%s%s",
                       f->probed ? h->last.reason : "Docker's healthcheck says unhealthy",
                       f->probed ? times : "", doubt);
}

void pl_health_explain(const PlHealth *h, const PlHealthFacts *f, PlHealthSign sign,
                       uint64_t now_usec, char *buf, size_t size) {
        char text[PL_FORMAT_MAX];
        uint64_t age = f->started_usec > 0 && now_usec > f->started_usec
                                       ? now_usec - f->started_usec
                                       : 0;
        int n;

        (void)snprintf(buf, size, "%s", plain[sign] ? plain[sign] : "");
        switch (sign) {
        case PL_SIGN_NOTHING:
                if (f->phase == PL_PHASE_CREATED)
                        (void)snprintf(buf, size, "created, never started");
                break;
        case PL_SIGN_STOPPED:
        case PL_SIGN_EXITED:
                explain_end(f, buf, size);
                break;
        case PL_SIGN_CRASHING:
                n = snprintf(buf, size,
                             "crash loop, it ended %u times in a row; last: ", f->crashes);
                if (n > 0 && (size_t)n < size)
                        explain_end(f, buf + n, size - (size_t)n);
                break;
        case PL_SIGN_LOADING:
        case PL_SIGN_FAILS_EARLY:
                (void)snprintf(buf, size, "%s",
                               f->probed ? h->last.reason : "its healthcheck is starting");
                break;
        case PL_SIGN_LOADING_LONG:
                age -= age % PL_USEC_PER_SEC;
                (void)snprintf(buf, size, "still starting after %s: %s", pl_format_sec(age, text),
                               h->last.reason);
                break;
        case PL_SIGN_FAILS:
                explain_failure(h, f, buf, size);
                break;
        case PL_SIGN_PART_ONCE:
        case PL_SIGN_PART:
                (void)snprintf(buf, size, "%s", h->last.reason);
                break;
        default:
                break;
        }
}
