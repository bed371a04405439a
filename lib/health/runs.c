/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Runs: see the header.
 */

#include "lib/health/runs.h"

void pl_runs_inspect(PlRuns *r, const PlContainer *c, bool own) {
        bool anew = r->started_usec > 0 && c->started_usec != r->started_usec;
        /* it counts when a run has ended, and the start that it counts may be seen later */
        bool pending = c->phase == PL_PHASE_RESTARTING && c->restart_count > 0;
        unsigned count = c->restart_count - pending, by_engine = count;

        /* between two inspections there may have been several */
        if (r->known)
                by_engine -= PL_MIN(r->engine_count, count);
        r->by_engine += by_engine;
        if (r->known && anew && own)
                r->by_plimsolld++;
        else if (r->known && anew && by_engine == 0)
                r->by_others++;
        r->known = true;
        r->started_usec = c->started_usec;
        r->engine_count = count;
}
