/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policy checks: what must hold between the keys of a section, between sections, and against the
 * host. Runs after every line was read, with the places of the assignments at hand.
 *
 * Errors are for what cannot be meant; a policy that is merely too large for this host is a
 * warning, because the same file may serve several.
 */

#include "lib/base/quote.h"
#include "lib/policy/parser.h"

#include <errno.h>

#include "lib/base/unit.h"

static PlPlace place_of(const PlSection *s, const char *name) {
        for (size_t i = 0; i < pl_policy_n_keys; i++)
                if (pl_streq(pl_policy_keys[i].name, name) && s->set[i].file)
                        return s->set[i];
        return s->first;
}

#define complain(p, severity, s, key, ...)                                           \
        do {                                                                         \
                PlPlace _at = place_of((s), (key));                                  \
                pl_diag_add((p)->diag, (severity), _at.file, _at.line, __VA_ARGS__); \
        } while (0)

static bool is_set(const PlSection *s, const char *name) {
        for (size_t i = 0; i < pl_policy_n_keys; i++)
                if (pl_streq(pl_policy_keys[i].name, name))
                        return s->set[i].file != NULL;
        return false;
}

static const PlValue *value(const PlSection *s, PlResource r) {
        return &s->service->limits.v[r];
}

static void check_order(PlPolicyParser *p, const PlSection *s, PlResource low, PlResource high,
                        PlSeverity severity, const char *why) {
        const PlValue *a = value(s, low), *b = value(s, high);
        const char *low_name = pl_resource_info(low)->name,
                   *high_name = pl_resource_info(high)->name;
        char x[PL_FORMAT_MAX], y[PL_FORMAT_MAX];

        if (!a->set || !b->set || a->number <= b->number)
                return;
        complain(p, severity, s, low_name, "%s=%s is above %s=%s; %s", low_name,
                 pl_format_bytes_exact(a->number, x), high_name,
                 pl_format_bytes_exact(b->number, y), why);
}

static void check_against_host(PlPolicyParser *p, const PlSection *s) {
        static const PlResource sizes[] = { PL_RESOURCE_MEMORY_MIN, PL_RESOURCE_MEMORY_LOW,
                                            PL_RESOURCE_MEMORY_HIGH, PL_RESOURCE_MEMORY_MAX };
        const PlValue *quota = value(s, PL_RESOURCE_CPU_QUOTA),
                      *cpus = value(s, PL_RESOURCE_ALLOWED_CPUS);
        char x[PL_FORMAT_MAX], y[PL_FORMAT_MAX];

        for (size_t i = 0; i < PL_ARRAY_SIZE(sizes); i++) {
                const PlValue *v = value(s, sizes[i]);
                const char *name = pl_resource_info(sizes[i])->name;

                if (v->set && v->number != PL_UNLIMITED && v->number > p->host->memory_bytes)
                        complain(p, PL_SEVERITY_WARNING, s, name,
                                 "%s=%s is more than the %s of memory that this host has", name,
                                 pl_format_bytes_exact(v->number, x),
                                 pl_format_bytes(p->host->memory_bytes, y));
        }
        if (quota->set && quota->number != PL_UNLIMITED &&
            quota->number > p->host->n_cpus * PL_USEC_PER_SEC)
                complain(p, PL_SEVERITY_WARNING, s, "CPUQuota",
                         "CPUQuota=%" PRIu64
                         "%% is more than the %u CPUs of this host can give (%u%%)",
                         quota->number / 10000, p->host->n_cpus, p->host->n_cpus * 100);
        if (cpus->set) {
                const char *last = cpus->text + strlen(cpus->text);

                /* canonical: the highest number stands last */
                while (last > cpus->text && last[-1] >= '0' && last[-1] <= '9')
                        last--;
                if (strtoul(last, NULL, 10) >= p->host->n_cpus)
                        complain(p, PL_SEVERITY_WARNING, s, "AllowedCPUs",
                                 "AllowedCPUs=%s: this host has CPUs 0-%u only", cpus->text,
                                 p->host->n_cpus - 1);
        }
}

static void check_probe(PlPolicyParser *p, const PlSection *s) {
        const PlProbePolicy *probe = &s->service->probe;
        static const struct {
                const char *key;
                PlProbeKind needs;
        } special[] = { { "ProbeExpect", PL_PROBE_HTTP }, { "OllamaModels", PL_PROBE_OLLAMA } };

        if (probe->timeout_usec > probe->interval_usec)
                complain(p, PL_SEVERITY_ERROR, s,
                         is_set(s, "ProbeTimeout") ? "ProbeTimeout" : "ProbeInterval",
                         "ProbeTimeout= is longer than ProbeInterval=; a probe would begin before "
                         "the last "
                         "one ended");
        for (size_t i = 0; i < PL_ARRAY_SIZE(special); i++) {
                if (!is_set(s, special[i].key) || probe->kind == special[i].needs)
                        continue;
                /* a model list says well enough which probe is meant; an expectation does not */
                if (probe->kind == PL_PROBE_AUTO && special[i].needs == PL_PROBE_OLLAMA)
                        continue;
                complain(p, PL_SEVERITY_WARNING, s, special[i].key,
                         "%s= has no effect without Probe=%s", special[i].key,
                         pl_probe_kind_to_string(special[i].needs));
        }
        if (is_set(s, "RestartBudget") && probe->on_unhealthy != PL_ON_UNHEALTHY_RESTART)
                complain(p, PL_SEVERITY_WARNING, s, "RestartBudget",
                         "RestartBudget= has no effect without OnUnhealthy=restart");
}

static void check_section(PlPolicyParser *p, PlSection *s) {
        PlValue *quota = &s->service->limits.v[PL_RESOURCE_CPU_QUOTA];

        check_order(p, s, PL_RESOURCE_MEMORY_LOW, PL_RESOURCE_MEMORY_MAX, PL_SEVERITY_ERROR,
                    "what is reserved must fit under the limit");
        check_order(p, s, PL_RESOURCE_MEMORY_MIN, PL_RESOURCE_MEMORY_MAX, PL_SEVERITY_ERROR,
                    "what is reserved must fit under the limit");
        check_order(p, s, PL_RESOURCE_MEMORY_HIGH, PL_RESOURCE_MEMORY_MAX, PL_SEVERITY_WARNING,
                    "it would never be reached");
        check_order(p, s, PL_RESOURCE_MEMORY_LOW, PL_RESOURCE_MEMORY_HIGH, PL_SEVERITY_WARNING,
                    "what is reserved would be throttled");
        check_order(p, s, PL_RESOURCE_MEMORY_MIN, PL_RESOURCE_MEMORY_HIGH, PL_SEVERITY_WARNING,
                    "what is reserved would be throttled");
        check_against_host(p, s);
        check_probe(p, s);
        if (quota->set)
                quota->number = pl_resource_quota_round(quota->number,
                                                        s->service->cpu_quota_period_usec);
        if (is_set(s, "CPUQuotaPeriodSec") && !quota->set)
                complain(p, PL_SEVERITY_WARNING, s, "CPUQuotaPeriodSec",
                         "CPUQuotaPeriodSec= has no effect without CPUQuota=");
}

static void check_matches(PlPolicyParser *p, size_t i) {
        const PlSection *s = p->services[i];

        if (s->service->n_matches == 0 && !is_set(s, "Match"))
                pl_diag_add(p->diag, PL_SEVERITY_ERROR, s->first.file, s->first.line,
                            "[Service %s] matches nothing; add a line such as "
                            "Match=compose-service:%s",
                            s->service->name, s->service->name);
        for (size_t m = 0; m < s->service->n_matches; m++)
                for (size_t j = 0; j <= i; j++) {
                        const PlSection *other = p->services[j];

                        for (size_t k = 0; k < (j == i ? m : other->service->n_matches); k++) {
                                _cleanup_free_ char *shown = NULL;

                                if (s->service->matches[m].kind !=
                                                    other->service->matches[k].kind ||
                                    !pl_streq(s->service->matches[m].pattern,
                                              other->service->matches[k].pattern))
                                        continue;
                                shown = pl_escape(s->service->matches[m].pattern, 80);
                                pl_diag_add(p->diag,
                                            j == i ? PL_SEVERITY_WARNING : PL_SEVERITY_ERROR,
                                            s->match_places[m].file, s->match_places[m].line,
                                            "this Match= (…:%s) stands in [Service %s] already, "
                                            "%s:%u; the "
                                            "first section wins, so this one would never apply",
                                            shown ? shown : "", other->service->name,
                                            other->match_places[k].file,
                                            other->match_places[k].line);
                        }
                }
}

static const char *service_name(const void *userdata, size_t i) {
        const PlPolicy *policy = userdata;

        return i < policy->n_services ? policy->services[i]->name : NULL;
}

static size_t service_index(const PlPolicy *policy, const char *name) {
        size_t i = 0;

        while (i < policy->n_services && !pl_streq(policy->services[i]->name, name))
                i++;
        return i;
}

static void check_after(PlPolicyParser *p, const PlSection *s) {
        for (char **v = s->service->probe.after; v && *v; v++) {
                const char *similar;

                if (pl_streq(*v, s->service->name)) {
                        complain(p, PL_SEVERITY_ERROR, s, "After",
                                 "After=%s: a service cannot come after itself", *v);
                        continue;
                }
                if (pl_policy_find(p->policy, *v))
                        continue;
                similar = pl_policy_similar(*v, service_name, p->policy);
                if (similar && !pl_streq(similar, s->service->name))
                        complain(p, PL_SEVERITY_ERROR, s, "After",
                                 "After=%s: there is no [Service %s]; did you mean %s?", *v, *v,
                                 similar);
                else
                        complain(p, PL_SEVERITY_ERROR, s, "After",
                                 "After=%s: there is no [Service %s]", *v, *v);
        }
}

/* Removes services that come after nothing unresolved, until none is left or none can go: those
 * that remain wait for each other. */
static void check_after_cycles(PlPolicyParser *p) {
        const PlPolicy *policy = p->policy;
        _cleanup_free_ bool *done = calloc(policy->n_services + 1, sizeof(*done));
        bool progress = true;

        if (!done) {
                p->oom = true;
                return;
        }
        while (progress) {
                progress = false;
                for (size_t i = 0; i < policy->n_services; i++) {
                        bool free_to_go = !done[i];

                        for (char **v = policy->services[i]->probe.after; free_to_go && v && *v;
                             v++) {
                                size_t j = service_index(policy, *v);

                                free_to_go = j == policy->n_services || j == i || done[j];
                        }
                        done[i] = done[i] || free_to_go;
                        progress = progress || free_to_go;
                }
        }
        for (size_t i = 0; i < policy->n_services; i++)
                if (!done[i]) {
                        complain(p, PL_SEVERITY_ERROR, p->services[i], "After",
                                 "After=: [Service %s] would wait for itself, by way of others",
                                 policy->services[i]->name);
                        return;
                }
}

static void check_sum(PlPolicyParser *p) {
        unsigned __int128 sum = 0;
        char x[PL_FORMAT_MAX], y[PL_FORMAT_MAX];

        for (size_t i = 0; i < p->policy->n_services; i++) {
                const PlValue *min = value(p->services[i], PL_RESOURCE_MEMORY_MIN);
                const PlValue *low = value(p->services[i], PL_RESOURCE_MEMORY_LOW);

                sum += PL_MAX(min->set && min->number != PL_UNLIMITED ? min->number : 0,
                              low->set && low->number != PL_UNLIMITED ? low->number : 0);
        }
        if (sum > p->host->memory_bytes)
                pl_diag_add(p->diag, PL_SEVERITY_WARNING, p->policy->files[0], 0,
                            "the reservations (MemoryMin=, MemoryLow=) of all services come to %s, "
                            "but this "
                            "host has %s; not all can be kept",
                            pl_format_bytes(sum < UINT64_MAX ? (uint64_t)sum : UINT64_MAX - 1, x),
                            pl_format_bytes(p->host->memory_bytes, y));
}

static int keep_place(PlSection *s) {
        s->service->line = s->first.line;
        s->service->file = strdup(s->first.file);
        return s->service->file ? 0 : -ENOMEM;
}

void pl_policy_check(PlPolicyParser *p) {
        bool defaults = false;

        for (size_t i = 0; i < pl_policy_n_keys; i++)
                defaults = defaults || p->defaults.set[i].file;
        if (defaults) {
                check_section(p, &p->defaults);
                p->oom = p->oom || keep_place(&p->defaults) < 0;
        }
        for (size_t i = 0; i < p->policy->n_services; i++) {
                check_section(p, p->services[i]);
                check_matches(p, i);
                check_after(p, p->services[i]);
                p->oom = p->oom || keep_place(p->services[i]) < 0;
        }
        check_after_cycles(p);
        check_sum(p);
        if (defaults)
                p->policy->defaults = TAKE_PTR(p->defaults.service);
        else if (p->policy->n_services == 0 && p->diag->n_errors == 0 && p->policy->files)
                pl_diag_add(p->diag, PL_SEVERITY_WARNING, p->policy->files[0], 0,
                            "no [Service] section and nothing in [Defaults]: no container will be "
                            "limited");
}
