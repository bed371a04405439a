/* SPDX-License-Identifier: Apache-2.0 */

/* Adoption: whom, whether, what the engine's files say afterwards, and which way after an accident.
 */

#include "lib/adopt/rules.h"

#include <errno.h>

#include "unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const PlAdoptSizes sizes = { MIB(10), 3 };

/* ---- whom ---- */

static const struct {
        const char *name, *driver, *option;
        PlPhase phase;
        uint64_t max_size_bytes;
        PlAdoptWhy why;
} choices[] = {
        { "running", "json-file", NULL, PL_PHASE_RUNNING, MIB(1), PL_ADOPT_OK },
        { "stopped", "json-file", NULL, PL_PHASE_EXITED, MIB(1), PL_ADOPT_OK },
        { "never started", "json-file", NULL, PL_PHASE_CREATED, MIB(1), PL_ADOPT_OK },
        { "other options", "json-file", "max-file", PL_PHASE_RUNNING, MIB(1), PL_ADOPT_OK },
        { "native", "json-file", "max-size", PL_PHASE_RUNNING, MIB(1), PL_ADOPT_NATIVE },
        { "native, no size", "json-file", "max-size", PL_PHASE_RUNNING, PL_UNLIMITED,
          PL_ADOPT_NATIVE },
        { "local", "local", NULL, PL_PHASE_RUNNING, MIB(1), PL_ADOPT_DRIVER },
        { "unknown driver", NULL, NULL, PL_PHASE_RUNNING, MIB(1), PL_ADOPT_DRIVER },
        { "no size", "json-file", NULL, PL_PHASE_RUNNING, PL_UNLIMITED, PL_ADOPT_NO_SIZE },
        { "removing", "json-file", NULL, PL_PHASE_REMOVING, MIB(1), PL_ADOPT_REMOVING },
};

START_TEST(choose) {
        PlPair option = { (char *)choices[_i].option, (char *)"5" };
        PlContainer c = { .log.driver = (char *)choices[_i].driver,
                          .phase = choices[_i].phase,
                          .log.options = &option,
                          .log.n_options = choices[_i].option ? 1 : 0 };
        PlAdoptSizes s = { choices[_i].max_size_bytes, 3 };
        PlAdoptWhy why = pl_adopt_choose(&c, &s);

        ck_assert_msg(why == choices[_i].why, "%s: %s", choices[_i].name,
                      pl_adopt_why_to_string(why));
        ck_assert_uint_gt(strlen(pl_adopt_why_to_string(why)), 0);
}
END_TEST

static const struct {
        const char *name;
        PlAdoptSizes given;
        uint64_t policy_bytes; /* 0: no section */
        unsigned policy_files;
        PlAdoptSizes want;
} sized[] = {
        { "nobody says", { PL_UNLIMITED, 0 }, 0, 0, { PL_UNLIMITED, 3 } },
        { "policy", { PL_UNLIMITED, 0 }, MIB(7), 5, { MIB(7), 5 } },
        { "any number", { PL_UNLIMITED, 0 }, MIB(7), 0, { MIB(7), 3 } },
        { "command line wins", { MIB(1), 2 }, MIB(7), 5, { MIB(1), 2 } },
        { "size alone", { MIB(1), 0 }, MIB(7), 5, { MIB(1), 5 } },
        { "policy, no size", { PL_UNLIMITED, 0 }, PL_UNLIMITED, 5, { PL_UNLIMITED, 5 } },
};

START_TEST(size_of) {
        PlService service = { .log = { .max_size_bytes = sized[_i].policy_bytes,
                                       .max_files = sized[_i].policy_files } };
        PlAdoptSizes s = pl_adopt_sizes(&sized[_i].given, sized[_i].policy_bytes ? &service : NULL);

        ck_assert_msg(s.max_size_bytes == sized[_i].want.max_size_bytes &&
                                      s.max_files == sized[_i].want.max_files,
                      "%s", sized[_i].name);
}
END_TEST

/* ---- whether ---- */

#define GOOD                                                                          \
        .root = true, .version = "20.10.24+dfsg1", .runner = PL_ADOPT_RUNNER_SYSTEMD, \
        .kill_mode_process = true, .restores = true, .same_files = true

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
static const struct {
        const char *name;
        PlAdoptFacts facts;
        PlAdoptRefusal want;
} checks[] = {
        { "good", { GOOD }, PL_ADOPT_REFUSE_NOT },
        { "by pid",
          { GOOD, .runner = PL_ADOPT_RUNNER_PROCESS, .kill_mode_process = false,
            .restores = false },
          PL_ADOPT_REFUSE_NOT },
        { "a user", { GOOD, .root = false }, PL_ADOPT_REFUSE_ROOT },
        { "Podman", { GOOD, .podman = true }, PL_ADOPT_REFUSE_PODMAN },
        { "1.13", { GOOD, .version = "1.13.1" }, PL_ADOPT_REFUSE_VERSION },
        { "no version", { GOOD, .version = NULL }, PL_ADOPT_REFUSE_VERSION },
        { "17", { GOOD, .version = "17.03.2-ce" }, PL_ADOPT_REFUSE_NOT },
        { "rootless", { GOOD, .rootless = true }, PL_ADOPT_REFUSE_ROOTLESS },
        { "swarm", { GOOD, .swarm = true }, PL_ADOPT_REFUSE_SWARM },
        { "swarm and no runner",
          { GOOD, .swarm = true, .runner = PL_ADOPT_RUNNER_UNKNOWN },
          PL_ADOPT_REFUSE_SWARM },
        { "inside", { GOOD, .inside = true }, PL_ADOPT_REFUSE_INSIDE },
        { "no runner", { GOOD, .runner = PL_ADOPT_RUNNER_UNKNOWN }, PL_ADOPT_REFUSE_RUNNER },
        { "KillMode=control-group",
          { GOOD, .kill_mode_process = false },
          PL_ADOPT_REFUSE_KILL_MODE },
        { "dependents", { GOOD, .restores = false }, PL_ADOPT_REFUSE_DEPENDENTS },
        { "other namespace", { GOOD, .same_files = false }, PL_ADOPT_REFUSE_FILES },
        { "flag", { GOOD, .flags = { .no_live_restore = true } }, PL_ADOPT_REFUSE_FLAG },
};
#pragma GCC diagnostic pop

START_TEST(check) {
        PlAdoptRefusal r = pl_adopt_check(&checks[_i].facts);

        ck_assert_msg(r == checks[_i].want, "%s: %s", checks[_i].name,
                      pl_adopt_refusal_info(r)->text);
        ck_assert(r == PL_ADOPT_REFUSE_NOT ||
                  (*pl_adopt_refusal_info(r)->text && *pl_adopt_refusal_info(r)->remedy));
}
END_TEST

static const struct {
        const char *cmdline; /* spaces are the NULs */
        const char *config_file;
        bool live, no_live, log_opts;
} flags[] = {
        { "dockerd -H fd:// ", NULL, false, false, false },
        { "dockerd --config-file /a/b.json --live-restore ", "/a/b.json", true, false, false },
        { "dockerd --config-file=/a/b.json --live-restore=false ", "/a/b.json", false, true,
          false },
        { "dockerd --live-restore=1 --log-opt max-size=1m ", NULL, true, false, true },
        { "dockerd --log-opt=max-size=1m ", NULL, false, false, true },
        { "dockerd --config-file ", NULL, false, false, false },
        { "dockerd --config-files x --log-opts ", NULL, false, false, false },
        { "dockerd --live-restore", NULL, false, false, false }, /* cut */
        { "", NULL, false, false, false },
};

START_TEST(command_line) {
        size_t n = strlen(flags[_i].cmdline);
        _cleanup_free_ char *line = malloc(n + 1);

        memcpy(line, flags[_i].cmdline, n);
        for (size_t i = 0; i < n; i++)
                if (line[i] == ' ')
                        line[i] = '\0';
        PlAdoptFlags f = pl_adopt_flags(line, n);
        ck_assert_msg(pl_streq_null(f.config_file, flags[_i].config_file) &&
                                      f.live_restore == flags[_i].live &&
                                      f.no_live_restore == flags[_i].no_live &&
                                      f.log_opts == flags[_i].log_opts,
                      "%s", flags[_i].cmdline);
}
END_TEST

/* ---- files ---- */

/* clang-format off */
static const struct {
        const char *name, *in;
        int r;
        const char *out;
} hostconfigs[] = {
        { "plain", "{\"Binds\":null,\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{}},\"Memory\":9223372036854775807}", 0,
          "{\"Binds\":null,\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"10485760\",\"max-file\":\"3\"}},\"Memory\":9223372036854775807}\n" },
        { "null", "{\"LogConfig\":{\"Type\":\"json-file\",\"Config\":null}}", 0,
          "{\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"10485760\",\"max-file\":\"3\"}}}\n" },
        { "absent", "{\"LogConfig\":{\"Type\":\"json-file\"}}", 0,
          "{\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"10485760\",\"max-file\":\"3\"}}}\n" },
        { "others kept", "{\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"tag\":\"a\\u0000\\u00e9\",\"max-file\":\"9\"}}}", 0,
          "{\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"tag\":\"a\\u0000\xc3\xa9\",\"max-file\":\"9\",\"max-size\":\"10485760\"}}}\n" },
        { "already", "{\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"1\"}}}", -EALREADY, NULL },
        { "local", "{\"LogConfig\":{\"Type\":\"local\",\"Config\":{}}}", -EINVAL, NULL },
        { "no LogConfig", "{}", -EBADMSG, NULL },
        { "LogConfig a string", "{\"LogConfig\":\"x\"}", -EBADMSG, NULL },
        { "Config an array", "{\"LogConfig\":{\"Type\":\"json-file\",\"Config\":[]}}", -EBADMSG, NULL },
        { "array", "[]", -EBADMSG, NULL },
        { "torn", "{\"LogConfig\":", -EBADMSG, NULL },
        { "empty", "", -EBADMSG, NULL },
};

static const struct {
        const char *name, *in;
        PlAdoptFlags flags;
        bool defaults;
        const char *driver;
        int r;
        const char *out; /* NULL: nothing to change */
} configs[] = {
        { "absent", "", {}, true, "json-file", 0,
          "{\n    \"live-restore\": true,\n    \"log-opts\": {\n        \"max-size\": \"10485760\",\n        \"max-file\": \"3\"\n    }\n}\n" },
        { "white space", " \n", {}, false, "json-file", 0, "{\n    \"live-restore\": true\n}\n" },
        { "kept", "{\"data-root\":\"/x\",\"live-restore\":false,\"dns\":[\"1.1.1.1\"]}", {}, false, "json-file", 0,
          "{\n    \"data-root\": \"/x\",\n    \"live-restore\": true,\n    \"dns\": [\n        \"1.1.1.1\"\n    ]\n}\n" },
        { "other log options kept", "{\"live-restore\":true,\"log-opts\":{\"tag\":\"x\",\"max-file\":\"2\"}}", {}, true, "local", 0,
          "{\n    \"live-restore\": true,\n    \"log-opts\": {\n        \"tag\": \"x\",\n        \"max-file\": \"2\",\n        \"max-size\": \"10485760\"\n    }\n}\n" },
        { "all there", "{\"live-restore\":true,\"log-opts\":{\"max-size\":\"1m\"}}", {}, true, "json-file", 0, NULL },
        { "journald", "{\"live-restore\":true}", {}, true, "journald", 0, NULL },
        { "driver unknown", "{\"live-restore\":true}", {}, true, NULL, 0, NULL },
        { "flags say it", "{}", { .live_restore = true, .log_opts = true }, true, "json-file", 0, NULL },
        { "one flag", "{}", { .log_opts = true }, true, "json-file", 0, "{\n    \"live-restore\": true\n}\n" },
        { "live-restore a string", "{\"live-restore\":\"yes\"}", {}, true, "json-file", -EBADMSG, NULL },
        { "log-opts a string", "{\"log-opts\":\"yes\"}", {}, true, "json-file", -EBADMSG, NULL },
        { "array", "[]", {}, true, "json-file", -EBADMSG, NULL },
        { "comment", "// {}", {}, true, "json-file", -EBADMSG, NULL },
};
/* clang-format on */

START_TEST(hostconfig) {
        _cleanup_free_ char *out = NULL;
        int r = pl_adopt_hostconfig(hostconfigs[_i].in, strlen(hostconfigs[_i].in), &sizes, &out);

        ck_assert_msg(r == hostconfigs[_i].r, "%s: %d", hostconfigs[_i].name, r);
        ck_assert_msg(pl_streq_null(out, hostconfigs[_i].out), "%s: %s", hostconfigs[_i].name, out);
}
END_TEST

START_TEST(daemon_json) {
        _cleanup_free_ char *out = NULL;
        int r = pl_adopt_daemon_json(configs[_i].in, strlen(configs[_i].in), &configs[_i].flags,
                                     configs[_i].defaults ? &sizes : NULL, configs[_i].driver,
                                     &out);

        ck_assert_msg(r == configs[_i].r, "%s: %d", configs[_i].name, r);
        ck_assert_msg(pl_streq_null(out, configs[_i].out), "%s: %s", configs[_i].name, out);
        if (r == 0 && out) { /* a second time there is nothing to do */
                _cleanup_free_ char *again = NULL;

                ck_assert_int_eq(pl_adopt_daemon_json(out, strlen(out), &configs[_i].flags,
                                                      configs[_i].defaults ? &sizes : NULL,
                                                      configs[_i].driver, &again),
                                 0);
                ck_assert_msg(!again, "%s: %s", configs[_i].name, again);
        }
}
END_TEST

START_TEST(backup_name) {
        _cleanup_free_ char *name = pl_adopt_backup_name("/etc/docker/daemon.json", 1782864000);

        ck_assert_str_eq(name, "/etc/docker/daemon.json.plimsoll-20260701T000000Z");
}
END_TEST

/* ---- the record ---- */

static PlAdoptJournal example(PlAdoptPhase phase) {
        PlAdoptJournal j = { .phase = phase,
                             .boot_id = strdup("5c8d4f64"),
                             .socket = strdup("/run/docker.sock"),
                             .data_root = strdup("/var/lib/docker"),
                             .config = strdup("/etc/docker/daemon.json"),
                             .config_backup = strdup("/etc/docker/daemon.json.b"),
                             .config_existed = true,
                             .unit = strdup("docker.service"),
                             .triggers = strdup("docker.socket") };
        PlAdoptItem *i = pl_adopt_journal_add(&j);

        *i = (PlAdoptItem){ .id = ID, .adopt = true, .pid = 77, .started_usec = 1, .sizes = sizes };
        i->name = strdup("db\n\"1\"");
        i->freezer = strdup("/sys/fs/cgroup/freezer/docker/" ID "/freezer.state");
        i = pl_adopt_journal_add(&j);
        *i = (PlAdoptItem){ .id = ID, .sizes = { PL_UNLIMITED, 0 } };
        return j;
}

START_TEST(round_trip) {
        PlAdoptJournal j = example((PlAdoptPhase)_i), back;
        _cleanup_free_ char *text = NULL;

        ck_assert_int_eq(pl_adopt_journal_encode(&j, &text), 0);
        ck_assert_int_eq(pl_adopt_journal_decode(text, strlen(text), &back), 0);
        ck_assert_int_eq(back.phase, j.phase);
        ck_assert_str_eq(back.config_backup, j.config_backup);
        ck_assert(back.config_existed);
        ck_assert_str_eq(back.unit, j.unit);
        ck_assert_str_eq(back.cwd, "");
        ck_assert_uint_eq(back.n_items, 2);
        ck_assert_str_eq(back.items[0].name, j.items[0].name);
        ck_assert_str_eq(back.items[0].freezer, j.items[0].freezer);
        ck_assert_int_eq(back.items[0].pid, 77);
        ck_assert(back.items[0].adopt && !back.items[1].adopt);
        ck_assert_uint_eq(back.items[0].sizes.max_size_bytes, MIB(10));
        ck_assert_uint_eq(back.items[1].sizes.max_size_bytes, PL_UNLIMITED);
        for (size_t n = 0; n < strlen(text); n++) { /* however it is torn */
                PlAdoptJournal torn;

                ck_assert_int_eq(pl_adopt_journal_decode(text, n, &torn), -EBADMSG);
        }
        pl_adopt_journal_deinit(&back);
        pl_adopt_journal_deinit(&j);
}
END_TEST

/* What somebody else wrote is not acted upon. */
static const struct {
        const char *name, *from, *to;
} forged[] = {
        { "version", "\"version\": 1", "\"version\": 2" },
        { "phase", "\"planned\"", "\"done\"" },
        { "id", ID "\",\n   \"name", "../x\",\n   \"name" },
        { "relative path", "\"/var/lib/docker\"", "\"lib/docker\"" },
        { "no socket", "\"/run/docker.sock\"", "\"\"" },
        { "an option", "\"docker.service\"", "\"--force\"" },
        { "not a freezer", "/freezer.state", "/memory.max" },
        { "another group", "freezer/docker/" ID, "freezer/docker/x" },
        { "climbing", "freezer/docker/" ID, "freezer/../" ID },
        { "pid", "\"pid\": 77", "\"pid\": -1" },
};

START_TEST(forgery) {
        PlAdoptJournal j = example(PL_ADOPT_PLANNED), back;
        _cleanup_free_ char *text = NULL, *bad = NULL;
        char *at;

        ck_assert_int_eq(pl_adopt_journal_encode(&j, &text), 0);
        at = strstr(text, forged[_i].from);
        ck_assert_msg(at != NULL, "%s: not in %s", forged[_i].name, text);
        ck_assert_int_gt(asprintf(&bad, "%.*s%s%s", (int)(at - text), text, forged[_i].to,
                                  at + strlen(forged[_i].from)),
                         0);
        ck_assert_msg(pl_adopt_journal_decode(bad, strlen(bad), &back) == -EBADMSG, "%s",
                      forged[_i].name);
        pl_adopt_journal_deinit(&j);
}
END_TEST

static const struct {
        PlAdoptPhase phase;
        bool same_boot, answers;
        PlAdoptRecovery want;
} recoveries[] = {
        { PL_ADOPT_PLANNED, true, true, PL_ADOPT_RELEASE },
        { PL_ADOPT_CONFIGURED, true, false, PL_ADOPT_RELEASE },
        { PL_ADOPT_FROZEN, true, true, PL_ADOPT_RELEASE },
        { PL_ADOPT_STOPPING, true, true, PL_ADOPT_UNDO },
        { PL_ADOPT_STOPPED, true, false, PL_ADOPT_UNDO },
        { PL_ADOPT_REWRITTEN, true, false, PL_ADOPT_FINISH },
        { PL_ADOPT_STARTED, true, true, PL_ADOPT_FINISH },
        { PL_ADOPT_THAWED, true, true, PL_ADOPT_FINISH },
        { PL_ADOPT_UNDOING, true, true, PL_ADOPT_UNDO },
        { PL_ADOPT_FROZEN, false, true, PL_ADOPT_FORGET },
        { PL_ADOPT_REWRITTEN, false, true, PL_ADOPT_FORGET },
        { PL_ADOPT_PLANNED, false, false, PL_ADOPT_UNDO },
        { PL_ADOPT_REWRITTEN, false, false, PL_ADOPT_UNDO },
};

START_TEST(recover) {
        ck_assert_int_eq(pl_adopt_recover(recoveries[_i].phase, recoveries[_i].same_boot,
                                          recoveries[_i].answers),
                         recoveries[_i].want);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, choose, 0, PL_ARRAY_SIZE(choices));
        tcase_add_loop_test(c, size_of, 0, PL_ARRAY_SIZE(sized));
        tcase_add_loop_test(c, check, 0, PL_ARRAY_SIZE(checks));
        tcase_add_loop_test(c, command_line, 0, PL_ARRAY_SIZE(flags));
        tcase_add_loop_test(c, hostconfig, 0, PL_ARRAY_SIZE(hostconfigs));
        tcase_add_loop_test(c, daemon_json, 0, PL_ARRAY_SIZE(configs));
        tcase_add_test(c, backup_name);
        tcase_add_loop_test(c, round_trip, 0, _PL_ADOPT_PHASE_N);
        tcase_add_loop_test(c, forgery, 0, PL_ARRAY_SIZE(forged));
        tcase_add_loop_test(c, recover, 0, PL_ARRAY_SIZE(recoveries));
        return run_case(c);
}
