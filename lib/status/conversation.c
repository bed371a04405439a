/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Conversation: see the header.
 */

#include "lib/status/conversation.h"

#include "lib/base/json.h"
#include "lib/base/quote.h"

/* Part of the contract with scripts; see plimsollctl(1). */
static const char *const verdicts[_PL_VERDICT_N] = {
        [PL_VERDICT_NONE] = "none",         [PL_VERDICT_UP] = "up",
        [PL_VERDICT_STARTING] = "starting", [PL_VERDICT_IMPAIRED] = "impaired",
        [PL_VERDICT_DISPUTED] = "disputed", [PL_VERDICT_SILENT] = "silent",
};

/* "for /health?key=abc: …": a query may hold credentials. */
static void cut_queries(const char *from, char *to, size_t size) {
        size_t n = 0;

        while (*from && n + sizeof("?" PL_SECRETS_MARK) < size) {
                bool query = *from == '?' && from[1] && !strchr(" :;,)", from[1]);

                to[n++] = *from++;
                if (!query)
                        continue;
                from += strcspn(from, " :;,)");
                n += (size_t)snprintf(to + n, size - n, "%s", PL_SECRETS_MARK);
        }
        to[n] = '\0';
}

/* A reason may quote what the service said, or the path of the policy. */
static json_t *reason_new(const PlConversation *c) {
        char reason[2 * PL_REASON_MAX];
        size_t n;
        json_t *j;
        char *cut;

        cut_queries(c->verdict ? c->verdict->reason : c->why, reason, sizeof(reason));
        n = strlen(reason);
        if (!c->secrets)
                return json_string(reason);
        cut = pl_secrets_cut(c->secrets, reason, n, false, &n);
        j = cut ? json_stringn(cut, n) : NULL;
        free(cut);
        return j;
}

static json_t *optional_new(const char *text) {
        return text ? json_string(text) : json_null();
}

json_t *pl_conversation(const PlConversation *c) {
        const char *code = c->verdict ? c->verdict->code : "";
        const char *verdict = verdicts[c->verdict ? c->verdict->kind : PL_VERDICT_NONE];
        const char *probe = c->verdict ? pl_probe_kind_info(c->kind)->word : NULL;
        json_t *o = json_object();

        if (o && pl_json_put(o, "id", json_string(c->id)) &&
            pl_json_put(o, "name", json_string(c->name)) &&
            pl_json_put(o, "service", optional_new(c->service)) &&
            pl_json_put(o, "probe", optional_new(probe)) &&
            pl_json_put(o, "asked", json_boolean(c->verdict)) &&
            pl_json_put(o, "verdict", json_string(verdict)) &&
            pl_json_put(o, "code", optional_new(*code ? code : NULL)) &&
            pl_json_put(o, "reason", reason_new(c)) &&
            pl_json_put(o, "remedy", optional_new(c->remedy)) &&
            pl_json_put_number(o, "took_usec", c->verdict ? c->took_usec : PL_UNLIMITED) &&
            pl_json_put(o, "conversation",
                        c->trace ? pl_trace_json(c->trace, c->secrets) : json_array()))
                return o;
        json_decref(o);
        return NULL;
}

/* The first port that it offers; 0: none. */
static uint16_t offered_port(const PlContainer *c) {
        for (size_t i = 0; i < c->reach.n_ports; i++)
                if (!c->reach.ports[i].udp)
                        return c->reach.ports[i].container_port;
        return 0;
}

static void say_probes(const PlContainer *c, char buf[static PL_UNPROBED_MAX]) {
        uint16_t port = offered_port(c);
        char number[8] = "N";

        if (port > 0)
                (void)snprintf(number, sizeof(number), "%u", port);
        (void)snprintf(buf, PL_UNPROBED_MAX,
                       "set Probe=http and ProbePort=%s (ProbePath=, ProbeExpect=), or Probe=tcp "
                       "and ProbePort=%s",
                       number, number);
}

void pl_unprobed(const PlContainer *c, const PlService *s, const char *known,
                 char why[static PL_UNPROBED_MAX], char remedy[static PL_UNPROBED_MAX]) {
        const char *section = s && s->name ? s->name : "Defaults";
        char name[128];

        (void)pl_quote(c->name, strlen(c->name), name, sizeof(name));
        say_probes(c, remedy);
        if (c->phase == PL_PHASE_PAUSED) {
                (void)snprintf(why, PL_UNPROBED_MAX, "it is paused");
                (void)snprintf(remedy, PL_UNPROBED_MAX, "docker unpause %s", name);
        } else if (c->phase != PL_PHASE_RUNNING) {
                (void)snprintf(why, PL_UNPROBED_MAX, "it does not run (%s)",
                               pl_phase_to_string(c->phase));
                (void)snprintf(remedy, PL_UNPROBED_MAX, "plimsollctl show %s says why", name);
        } else if (!s) {
                (void)snprintf(why, PL_UNPROBED_MAX, "no section of the policy governs it");
                (void)snprintf(remedy, PL_UNPROBED_MAX,
                               "make a section [Service NAME] with Match=name:%s; the kind of "
                               "probe "
                               "comes from its image, or Probe=",
                               name);
        } else if (known) {
                (void)snprintf(why, PL_UNPROBED_MAX, "%s", known);
        } else if (s->probe.kind == PL_PROBE_NONE) {
                (void)snprintf(why, PL_UNPROBED_MAX, "Probe=none in [%s%s]",
                               s->name ? "Service " : "", section);
        } else {
                (void)snprintf(why, PL_UNPROBED_MAX,
                               "Probe= is not set in [%s%s], and its image tells of none",
                               s->name ? "Service " : "", section);
        }
}
