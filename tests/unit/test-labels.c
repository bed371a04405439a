/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Labels: which of a container's are its creator's, and what they make of its section.
 */

#include "lib/policy/labels.h"

#include "lib/base/strv.h"
#include "lib/policy/dump.h"
#include "policy-texts.h"

/* "KEY=VALUE" to pairs, sorted as given. */
static PlContainer *bearing(PlContainer *c, PlPair *pairs, const char *const *labels) {
        *c = (PlContainer){ .labels = pairs };
        for (; labels && labels[c->n_labels]; c->n_labels++) {
                const char *text = labels[c->n_labels];
                size_t n = strcspn(text, "=");

                pairs[c->n_labels] =
                                (PlPair){ .key = strndup(text, n), .value = strdup(text + n + 1) };
        }
        return c;
}

static void forget(PlContainer *c) {
        for (size_t i = 0; i < c->n_labels; i++) {
                free(c->labels[i].key);
                free(c->labels[i].value);
        }
}

#define L(...) \
        { __VA_ARGS__ }

static const struct {
        const char *name, *labels[6], *image[4], *own[4];
        bool image_unknown;
} whose_rows[] = {
        { "none", L("a=b"), L("a=b"), L(NULL) },
        { "the creator's", L("plimsoll.MemoryMax=2G"), L("a=b"), L("MemoryMax=2G") },
        { "the image's", L("plimsoll.MemoryMax=2G"), L("plimsoll.MemoryMax=2G"), L(NULL) },
        { "the creator's over the image's", L("plimsoll.MemoryMax=1G"), L("plimsoll.MemoryMax=2G"),
          L("MemoryMax=1G") },
        { "one of each", L("plimsoll.MemoryMax=2G", "plimsoll.TasksMax=9"),
          L("plimsoll.TasksMax=9"), L("MemoryMax=2G") },
        { "not settings", L("plimsoll.probe=redis", "plimsoll.service=db"), L(NULL), L(NULL) },
        { "an empty one", L("plimsoll.MemoryMax="), L(NULL), L("MemoryMax=") },
        { "with an equals sign in it", L("plimsoll.ProbeExpect=json:/a=b"), L(NULL),
          L("ProbeExpect=json:/a=b") },
        { "another prefix", L("plimsollx.MemoryMax=2G", "my.plimsoll.MemoryMax=2G"), L(NULL),
          L(NULL) },
        { "an image that is not known", L("plimsoll.MemoryMax=2G"), L(NULL), L("MemoryMax=2G"),
          true },
};

START_TEST(whose) {
        PlPair pairs[6], of_image[4];
        PlContainer c, image;
        char **own = NULL;

        bearing(&c, pairs, whose_rows[_i].labels);
        bearing(&image, of_image, whose_rows[_i].image);
        ck_assert_int_eq(pl_labels_of(&c, whose_rows[_i].image_unknown ? NULL : &image, &own), 0);
        ck_assert_msg(pl_strv_equal(own, (char *const *)whose_rows[_i].own), "%s: %s",
                      whose_rows[_i].name, own ? own[0] : "none");
        pl_strv_free(own);
        forget(&c);
        forget(&image);
}
END_TEST

#define ALL  "[Daemon]\nLabels=yes\n"
#define SOME "[Daemon]\nLabels=MemoryMax TasksMax\n"
#define DEF  "[Defaults]\nMemoryMax=256M\nMemoryLow=128M\nLogMaxSize=10M\nProbeTimeout=5s\n"

/* Of each: what it says in the end, where it is from, and what is wrong. */
static const struct {
        const char *name, *policy, *labels[4], *key, *value, *origin, *fault;
} rows[] = {
        { "over [Defaults]", ALL DEF, L("MemoryMax=2G"), "MemoryMax", "2G",
          "label plimsoll.MemoryMax", NULL },
        { "beside it", ALL DEF, L("TasksMax=64"), "MemoryMax", "256M", "main.conf:4 [Defaults]",
          NULL },
        { "below the section", ALL DEF SVC "MemoryMax=1G\n", L("MemoryMax=2G"), "MemoryMax", "1G",
          "main.conf:10", NULL },
        { "below a section that says: none", ALL DEF SVC "MemoryMax=\n", L("MemoryMax=2G"),
          "MemoryMax", "-", NULL, NULL },
        { "over what a section inherits", ALL DEF SVC "TasksMax=9\n", L("MemoryMax=2G"),
          "MemoryMax", "2G", "label plimsoll.MemoryMax", NULL },
        { "no section, no [Defaults]", ALL, L("MemoryMax=2G"), "MemoryMax", "2G",
          "label plimsoll.MemoryMax", NULL },
        { "nothing for none", ALL DEF, L("MemoryMax="), "MemoryMax", "-", NULL, NULL },
        { "a percentage", ALL, L("MemoryMax=25%"), "MemoryMax", "2G", "label plimsoll.MemoryMax",
          NULL },
        { "a list replaces", ALL "[Defaults]\nProbeExpect=status:200\nProbe=http\n",
          L("ProbeExpect=status:204"), "ProbeExpect", "status:204", "label plimsoll.ProbeExpect",
          NULL },
        { "a port", ALL, L("ProbePort=5432"), "ProbePort", "5432", "label plimsoll.ProbePort",
          NULL },
        { "a budget", ALL, L("RestartBudget=9/1h"), "RestartBudget", "9/1h",
          "label plimsoll.RestartBudget", NULL },
        { "a restart, and no unit of [Defaults]", ALL "[Defaults]\nOnUnhealthy=unit:a@%s.service\n",
          L("OnUnhealthy=restart"), "OnUnhealthy", "restart", "label plimsoll.OnUnhealthy", NULL },
        { "a log rule", ALL DEF, L("LogMaxSize=1M"), "LogMaxSize", "1M",
          "label plimsoll.LogMaxSize", NULL },
        { "one that the policy names", SOME, L("TasksMax=9"), "TasksMax", "9",
          "label plimsoll.TasksMax", NULL },
        { "one that it does not", SOME DEF, L("LogMaxSize=1M"), "LogMaxSize", "10M",
          "main.conf:6 [Defaults]",
          "label plimsoll.LogMaxSize: Labels= of the policy does not name LogMaxSize" },

        /* what is wrong leaves the rest as it is */
        { "no size", ALL DEF, L("MemoryMax=lots", "TasksMax=9"), "MemoryMax", "256M",
          "main.conf:4 [Defaults]", "label plimsoll.MemoryMax: MemoryMax=lots: not understood" },
        { "no size, and the rest", ALL DEF, L("MemoryMax=lots", "TasksMax=9"), "TasksMax", "9",
          "label plimsoll.TasksMax", "label plimsoll.MemoryMax: MemoryMax=lots: not understood" },
        { "compose's way", ALL, L("MemoryMax=4g"), "MemoryMax", "-", NULL,
          "did you mean MemoryMax=4G?" },
        { "another case", ALL, L("memorymax=4G"), "MemoryMax", "-", NULL,
          "label plimsoll.memorymax: there is no such key; did you mean plimsoll.MemoryMax?" },
        { "no key at all", ALL, L("zzzzzzzz=1"), "MemoryMax", "-", NULL,
          "label plimsoll.zzzzzzzz: there is no such key" },
        { "a control character", ALL, L("ProbeHost=a\nb"), "ProbeHost", "", NULL,
          "control character 0x0a" },

        /* what a label must not */
        { "a file", ALL, L("LogPath=/etc/*.conf"), "LogPath", "", NULL, "labels name no paths" },
        { "a directory", ALL, L("LogPathArchive=x"), "LogPathArchive", "", NULL,
          "labels name no paths" },
        { "a device", ALL, L("IOReadBandwidthMax=/dev/sda 1M"), "IOReadBandwidthMax", "-", NULL,
          "labels name no paths" },
        { "a path of a URL", ALL, L("ProbePath=/x"), "ProbePath", "", NULL,
          "labels name no paths" },
        { "a unit", ALL, L("OnUnhealthy=unit:reboot.target"), "OnUnhealthy", "none", NULL,
          "labels name no units" },
        { "a unit after restarts", ALL, L("OnUnhealthy=restart unit:reboot.target"), "OnUnhealthy",
          "none", NULL, "labels name no units" },
        { "a match", ALL, L("Match=name:*"), "Match", "", NULL, "labels may not set it" },
        { "others", ALL, L("After=db"), "After", "", NULL, "labels may not set it" },
        { "its weight", ALL, L("Required=yes"), "Required", "no", NULL, "labels may not set it" },
        { "a signal", ALL, L("LogReopen=HUP"), "LogReopen", "none", NULL, "labels may not set it" },
        { "killing", ALL, L("ShrinkMode=kill"), "ShrinkMode", "safe", NULL, "must not kill" },
        { "losing lines", ALL, L("LogOnFull=drop"), "LogOnFull", "keep", NULL,
          "must lose no lines" },
        { "the daemon", ALL, L("DryRun=yes"), "MemoryMax", "-", NULL,
          "label plimsoll.DryRun: it is for plimsolld as a whole" },

        /* contradictions */
        { "with [Defaults], which yields", ALL DEF, L("MemoryMax=64M"), "MemoryLow", "-", NULL,
          NULL },
        { "with the section, which wins", ALL SVC "MemoryMax=1G\n", L("MemoryLow=2G"), "MemoryLow",
          "-", NULL, "MemoryLow=2G is above MemoryMax=1G; what is reserved must fit" },
        { "with the section, the other way", ALL SVC "MemoryLow=2G\n", L("MemoryMax=1G"),
          "MemoryMax", "-", NULL, "MemoryLow=2G is above MemoryMax=1G; what is reserved must fit" },
        { "of two labels the second", ALL, L("MemoryLow=2G", "MemoryMax=1G"), "MemoryMax", "1G",
          "label plimsoll.MemoryMax", "MemoryLow=2G is above MemoryMax=1G" },
        { "and back to [Defaults], which yields", ALL DEF, L("MemoryLow=2G", "MemoryMax=64M"),
          "MemoryLow", "-", NULL, "MemoryLow=2G is above MemoryMax=64M" },
        { "of times", ALL DEF, L("ProbeInterval=2s"), "ProbeTimeout", "2s", NULL, NULL },
        { "of two times", ALL, L("ProbeInterval=2s", "ProbeTimeout=9s"), "ProbeTimeout", "2s", NULL,
          "ProbeTimeout=9s is above ProbeInterval=2s; a probe would begin" },
};

START_TEST(applied) {
        _cleanup_(pl_policy_unrefp) PlPolicy *p = NULL;
        _cleanup_free_ char *value = NULL, *origin = NULL;
        PlDiagList diag = { 0 };
        PlService *s = NULL;
        const PlService *section;
        int r;

        p = parse_texts(&rows[_i].policy, 1, &diag, &r);
        ck_assert_msg(r == 0, "%s: %s", rows[_i].name, diag.n ? diag.items[0].message : "");
        pl_diag_list_deinit(&diag);
        diag = (PlDiagList){ 0 };
        section = p->n_services > 0 ? p->services[0] : p->defaults;
        ck_assert_int_eq(pl_policy_label(p, section, &host, (char *const *)rows[_i].labels, &diag,
                                         &s),
                         0);
        ck_assert_ptr_eq(s->section, section);
        value = pl_policy_value(s, rows[_i].key);
        ck_assert_msg(pl_streq(value, rows[_i].value), "%s: %s", rows[_i].name, value);
        origin = pl_service_origin(s, rows[_i].key);
        ck_assert_msg(rows[_i].origin ? pl_streq_null(origin, rows[_i].origin) : !origin, "%s: %s",
                      rows[_i].name, origin ?: "no origin");
        ck_assert_msg(rows[_i].fault ? s->faults && strstr(s->faults[0], rows[_i].fault)
                                     : !s->faults,
                      "%s: %s", rows[_i].name, s->faults ? s->faults[0] : "no fault");
        pl_service_free(s);
        pl_diag_list_deinit(&diag);
}
END_TEST

/* What a label says, its creator has said: it may raise what the container was given, which
 * [Defaults] may not. */
START_TEST(not_by_default) {
        static const char *const policy = ALL "[Defaults]\nMemoryMax=256M\nTasksMax=64\n";
        static const char *const labels[] = { "MemoryMax=2G", NULL };
        PlDiagList diag = { 0 };
        PlService *s = NULL;
        int r;
        _cleanup_(pl_policy_unrefp) PlPolicy *p = parse_texts(&policy, 1, &diag, &r);

        ck_assert_int_eq(pl_policy_label(p, p->defaults, &host, (char *const *)labels, &diag, &s),
                         0);
        ck_assert_uint_eq(s->by_default, 1U << PL_RESOURCE_TASKS_MAX);
        ck_assert(pl_service_has_label(s, "MemoryMax"));
        ck_assert(!pl_service_has_label(s, "TasksMax"));
        ck_assert_ptr_eq(pl_service_section(s), p->defaults);
        ck_assert_ptr_eq(pl_service_section(p->defaults), p->defaults);
        pl_service_free(s);
        pl_diag_list_deinit(&diag);
}
END_TEST

/* What "match" says, from its first line on. */
static const struct {
        const char *name, *policy, *labels[4], *image[3], *why;
        bool image_unknown;
} explained_rows[] = {
        { "one that holds", "[Daemon]\nLabels=yes\n" SVC, L("plimsoll.MemoryMax=2048M"), L(NULL),
          "[Service a], main.conf:3: Match=name:a\n        label plimsoll.MemoryMax: "
          "MemoryMax=2G" },
        { "the section goes first", "[Daemon]\nLabels=yes\n" SVC "MemoryMax=1G\n",
          L("plimsoll.MemoryMax=2G"), L(NULL),
          "[Service a], main.conf:3: Match=name:a\n        not label plimsoll.MemoryMax: "
          "MemoryMax=1G (main.conf:5) goes first" },
        { "before [Defaults]", "[Daemon]\nLabels=yes\n" SVC "[Defaults]\nMemoryMax=1G\n",
          L("plimsoll.MemoryMax=2G"), L(NULL),
          "[Service a], main.conf:3: Match=name:a\n        label plimsoll.MemoryMax: "
          "MemoryMax=2G" },
        { "two that are wrong", "[Daemon]\nLabels=MemoryMax\n" SVC "[Defaults]\nTasksMax=9\n",
          L("plimsoll.MemoryMax=hunter 2", "plimsoll.TasksMax=5"), L(NULL),
          "[Service a], main.conf:3: Match=name:a\n        not label plimsoll.MemoryMax: "
          "MemoryMax=hunter 2: not understood; expected " },
        { "one that the policy does not name",
          "[Daemon]\nLabels=MemoryMax\n" SVC "[Defaults]\nTasksMax=9\n", L("plimsoll.TasksMax=5"),
          L(NULL),
          "[Service a], main.conf:3: Match=name:a\n        not label plimsoll.TasksMax: Labels= of "
          "the policy does not name TasksMax" },
        { "no labels in the policy", SVC, L("plimsoll.MemoryMax=2G"), L(NULL),
          "[Service a], main.conf:1: Match=name:a\n        no label plimsoll.*: Labels= in "
          "[Daemon] "
          "lets none set anything" },
        { "the image's are not its own", "[Daemon]\nLabels=yes\n" SVC, L("plimsoll.MemoryMax=2G"),
          L("plimsoll.MemoryMax=2G"), "[Service a], main.conf:3: Match=name:a" },
        { "an image that does not tell", "[Daemon]\nLabels=yes\n" SVC, L("plimsoll.MemoryMax=2G"),
          L(NULL),
          "[Service a], main.conf:3: Match=name:a\n        no label plimsoll.*: its image does not "
          "tell which of them are its own",
          true },
        { "labels alone", "[Daemon]\nLabels=yes\n[Service b]\nMatch=name:b\n",
          L("plimsoll.MemoryMax=2G"), L(NULL),
          "its labels alone: no [Service] matches it, and there is no [Defaults]\n"
          "        label plimsoll.MemoryMax: MemoryMax=2G" },
        { "labels alone, all wrong", "[Daemon]\nLabels=yes\n[Service b]\nMatch=name:b\n",
          L("plimsoll.LogPath=/x"), L(NULL),
          "nothing: no [Service] matches it, and there is no [Defaults]\n"
          "        not label plimsoll.LogPath: labels name no paths; write it into the policy" },
        { "what gives way", "[Daemon]\nLabels=yes\n" SVC "[Defaults]\nMemoryLow=1G\n",
          L("plimsoll.MemoryMax=64M"), L(NULL),
          "[Service a], main.conf:3: Match=name:a\n        label plimsoll.MemoryMax: "
          "MemoryMax=64M\n"
          "        label plimsoll.MemoryMax: MemoryLow=1G of [Defaults] (main.conf:6) "
          "contradicts" },
};

START_TEST(explained) {
        PlPair pairs[4], of_image[3];
        PlContainer c, image;
        PlDiagList diag = { 0 };
        _cleanup_free_ char *why = NULL;
        int r;
        _cleanup_(pl_policy_unrefp) PlPolicy *p =
                        parse_texts(&explained_rows[_i].policy, 1, &diag, &r);

        ck_assert_int_eq(r, 0);
        bearing(&c, pairs, explained_rows[_i].labels);
        bearing(&image, of_image, explained_rows[_i].image);
        c.name = (char *)"a";
        ck_assert_int_eq(pl_policy_explain(p, &c, explained_rows[_i].image_unknown ? NULL : &image,
                                           &host, &why),
                         0);
        ck_assert_msg(strncmp(why, explained_rows[_i].why, strlen(explained_rows[_i].why)) == 0,
                      "%s:\n%s\nexpected\n%s", explained_rows[_i].name, why,
                      explained_rows[_i].why);
        forget(&c);
        forget(&image);
        pl_diag_list_deinit(&diag);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("labels");

        tcase_add_loop_test(t, whose, 0, PL_ARRAY_SIZE(whose_rows));
        tcase_add_loop_test(t, applied, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, not_by_default);
        tcase_add_loop_test(t, explained, 0, PL_ARRAY_SIZE(explained_rows));
        return run_case(t);
}
