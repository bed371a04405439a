/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Health: from a container and its section to what is asked of it, and where.
 */

#include "healthd-internal.h"

#include <errno.h>

#include "pl-probe-kind.h"

static const char *env(const PlContainer *c, const char *key) {
        for (size_t i = 0; i < c->n_env; i++)
                if (pl_streq(c->env[i].key, key))
                        return c->env[i].value;
        return NULL;
}

int pl_healthd_set_probe(PlHealthd *h, PlPatient *p, const PlContainer *c,
                         const PlContainer *netns) {
        const PlProbePolicy *policy = p->service ? &p->service->probe : NULL;
        PlProbeAddresses addresses = {};
        PlProbeTarget target = {};
        int r;

        p->kind = PL_PROBE_NONE;
        p->unprobed = NULL;
        /* a paused container accepts connections and never answers */
        if (policy && c->phase == PL_PHASE_RUNNING && c->pid > 0)
                p->kind = pl_probe_kind_infer(policy->kind, c);
        if (p->kind == PL_PROBE_NONE) {
                pl_prober_remove(h->prober, p->id);
                return 0;
        }
        pl_probe_addresses(c, netns, p->kind, policy->port, &addresses);
        if (addresses.n == 0) {
                p->kind = PL_PROBE_NONE;
                p->unprobed = addresses.why;
                pl_prober_remove(h->prober, p->id);
                return 0;
        }
        target = (PlProbeTarget){
                .kind = p->kind,
                .addresses = &addresses,
                .interval_usec = policy->interval_usec,
                .timeout_usec = policy->timeout_usec,
                .path = policy->path,
                .expect = policy->expect,
                .models = policy->ollama_models,
        };
        if (p->kind == PL_PROBE_POSTGRES) {
                target.user = env(c, "POSTGRES_USER");
                target.database = env(c, "POSTGRES_DB");
        }
        r = pl_prober_set(h->prober, p->id, &target);
        if (r > 0)
                pl_health_reprobe(&p->health);
        if (r < 0) {
                p->kind = PL_PROBE_NONE;
                p->unprobed = "the probe could not be set up";
        }
        return r == -ENOMEM ? r : 0;
}
