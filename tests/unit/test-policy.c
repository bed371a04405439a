/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policy: what a good one means, key by key, and how files and sections come together.
 */

#include <signal.h>

#include "lib/docker/container.h"
#include "lib/limits/resource.h"
#include "lib/policy/dump.h"
#include "lib/policy/parser.h"
#include "policy-texts.h"

/* One text that must be accepted; warnings are allowed. */
static PlPolicy *good(const char *text) {
        PlDiagList diag = { 0 };
        PlPolicy *p;
        int r;

        p = parse_texts(&text, 1, &diag, &r);
        ck_assert_msg(r == 0, "refused: %s\n%s", diag.n ? diag.items[0].message : "", text);
        pl_diag_list_deinit(&diag);
        return p;
}

START_TEST(nul_byte) {
        static const char text[] = "[Daemon]\nDry\0Run=yes\n" SVC "MemoryMax=\0 1G\n";
        PlPolicySource source = { "main.conf", text, sizeof(text) - 1 };
        PlDiagList diag = { 0 };
        PlPolicy *p = NULL;

        ck_assert_int_eq(pl_policy_parse(&source, 1, &host, &diag, &p), -EBADMSG);
        ck_assert_uint_eq(diag.n, 2);
        ck_assert_uint_eq(diag.items[0].line, 2);
        ck_assert_uint_eq(diag.items[1].line, 5);
        ck_assert_ptr_nonnull(strstr(diag.items[0].message, "a NUL byte"));
        pl_diag_list_deinit(&diag);
}
END_TEST

START_TEST(long_lines) {
        static char text[100000];
        PlDiagList diag = { 0 };
        const char *const texts[] = { text };
        PlPolicy *p;
        int r;

        /* far above inih's own 200 bytes, and still whole */
        snprintf(text, sizeof(text), "[Service a]\nMatch=label:k=%05000d\nMatch=name:b\n", 7);
        p = good(text);
        ck_assert_uint_eq(p->services[0]->n_matches, 2);
        ck_assert_uint_eq(strlen(p->services[0]->matches[0].pattern), 5002);
        pl_policy_unref(p);

        snprintf(text, sizeof(text),
                 "[Service a]\nMatch=name:b\nMatch=name:%020000d\nMemoryMax=x\n", 7);
        ck_assert_ptr_null(parse_texts(texts, 1, &diag, &r));
        ck_assert_uint_eq(diag.n, 2);
        ck_assert_uint_eq(diag.items[0].line, 3);
        ck_assert_ptr_nonnull(strstr(diag.items[0].message, "line of more than 16384 bytes"));
        ck_assert_uint_eq(diag.items[1].line, 4);
        pl_diag_list_deinit(&diag);
}
END_TEST

static const char everything[] =
                "\xef\xbb\xbf# a comment\r\n; "
                "another\r\n[Daemon]\r\nEngine=unix:///run/x.sock   # why\r\n"
                "MetricsListen=[::1]:9478\nLogArchiveBudget=infinity\nDryRun="
                "yes\nRestoreOnStop=on\n"
                "[Service postgres]  # the database\n  Match = "
                "compose-service:postgres\nMatch=image:postgres:*\n"
                "CPUQuota=200%\nCPUQuotaPeriodSec=50ms\nCPUWeight=300\nAllowedCPUs=2,0-"
                "1\nMemoryMin=1G\n"
                "MemoryLow=25%\nMemoryHigh=37.5%\nMemoryMax=4G\nMemorySwapMax=0\nTasksMax="
                "512\nIOWeight=50\n"
                "IOReadBandwidthMax=/dev/sdb 10M\nIOReadBandwidthMax=/dev/sda 5K\n"
                "IOWriteBandwidthMax=/var "
                "1G\nShrinkMode=kill\nLogMaxSize=10M\nLogMaxFiles=3\nLogMaxAge=30d\n"
                "LogMethod=punch\nLogOnFull=drop\nLogPath=/var/log/"
                "*.log\nLogPathMaxSize=1M\n"
                "LogPathMaxAge=7d\nLogPathMaxFiles=9\nLogPathArchive=.old/"
                "\nLogReopen=HUP\nProbe=http\nProbePort="
                "5432\n"
                "ProbeInterval=5s\nProbeTimeout=500ms\nProbeFailures=2\nProbeStartPeriod="
                "2min\n"
                "ProbePath=/"
                "health?x=1\nProbeExpect=status:200-299\nProbeExpect=body:a[#]b[{]5000}\n"
                "OnUnhealthy=restart\nRestartBudget=5/1h\nFlapBudget=4/"
                "5min\nRequired=yes\nAfter=redis, web\n"
                "[Service redis]\nMatch=name:redis\nOnUnhealthy=unit:alert@%s.service\n"
                "[Service web]\nMatch=label:role=web\nProbe=ollama\nOllamaModels=a:1 b/c\n"
                "OnUnhealthy=restart unit:alert@%s.service\n"
                "[Defaults]\nMemoryMax=2G\n";

START_TEST(every_limit) {
        _cleanup_(pl_policy_unrefp) PlPolicy *p = good(everything);
        const PlService *s = p->services[0];
        const PlValue *v = s->limits.v;

        ck_assert_str_eq(p->daemon.engine, "unix:///run/x.sock");
        ck_assert_str_eq(p->daemon.metrics_listen[0], "[::1]:9478");
        ck_assert_uint_eq(p->daemon.log_archive_budget_bytes, PL_UNLIMITED);
        ck_assert(p->daemon.dry_run && p->daemon.restore_on_stop);
        ck_assert_uint_eq(p->n_services, 3);
        ck_assert_str_eq(p->files[0], "main.conf");
        ck_assert_str_eq(s->name, "postgres");
        ck_assert_uint_eq(s->line, 9);
        ck_assert_uint_eq(s->n_matches, 2);
        ck_assert_int_eq(s->matches[1].kind, PL_MATCH_IMAGE);
        ck_assert_str_eq(s->matches[1].pattern, "postgres:*");
        ck_assert_uint_eq(v[PL_RESOURCE_CPU_QUOTA].number, 2000000);
        ck_assert_uint_eq(s->cpu_quota_period_usec, 50000);
        ck_assert_uint_eq(v[PL_RESOURCE_CPU_WEIGHT].number, 300);
        ck_assert_str_eq(v[PL_RESOURCE_ALLOWED_CPUS].text, "0-2");
        ck_assert_uint_eq(v[PL_RESOURCE_MEMORY_MIN].number, GIB(1));
        ck_assert_uint_eq(v[PL_RESOURCE_MEMORY_LOW].number, GIB(2));
        ck_assert_uint_eq(v[PL_RESOURCE_MEMORY_HIGH].number, GIB(3));
        ck_assert_uint_eq(v[PL_RESOURCE_MEMORY_MAX].number, GIB(4));
        ck_assert(v[PL_RESOURCE_MEMORY_SWAP_MAX].set && v[PL_RESOURCE_MEMORY_SWAP_MAX].number == 0);
        ck_assert_uint_eq(v[PL_RESOURCE_TASKS_MAX].number, 512);
        ck_assert_uint_eq(v[PL_RESOURCE_IO_WEIGHT].number, 50);
        ck_assert_str_eq(v[PL_RESOURCE_IO_READ_BANDWIDTH_MAX].text,
                         "/dev/sda 5000; /dev/sdb 10000000");
        ck_assert_str_eq(v[PL_RESOURCE_IO_WRITE_BANDWIDTH_MAX].text, "/var 1000000000");
}
END_TEST

START_TEST(every_log_and_probe_key) {
        _cleanup_(pl_policy_unrefp) PlPolicy *p = good(everything);
        const PlService *s = p->services[0];

        ck_assert_int_eq(s->shrink_mode, PL_SHRINK_KILL);
        ck_assert_uint_eq(s->log.max_size_bytes, MIB(10));
        ck_assert_uint_eq(s->log.max_files, 3);
        ck_assert_uint_eq(s->log.max_age_usec, 30 * PL_USEC_PER_DAY);
        ck_assert_int_eq(s->log.method, PL_LOG_METHOD_PUNCH);
        ck_assert_int_eq(s->log.on_full, PL_LOG_ON_FULL_DROP);
        ck_assert_str_eq(s->log_path.globs[0], "/var/log/*.log");
        ck_assert_ptr_null(s->log_path.globs[1]);
        ck_assert_uint_eq(s->log_path.max_size_bytes, MIB(1));
        ck_assert_uint_eq(s->log_path.max_age_usec, 7 * PL_USEC_PER_DAY);
        ck_assert_uint_eq(s->log_path.max_files, 9);
        ck_assert_int_eq(s->log_path.reopen_signal, SIGHUP);
        ck_assert_str_eq(s->log_path.archive_dir, ".old");
        ck_assert_int_eq(s->probe.kind, PL_PROBE_HTTP);
        ck_assert_uint_eq(s->probe.port, 5432);
        ck_assert_uint_eq(s->probe.interval_usec, 5 * PL_USEC_PER_SEC);
        ck_assert_uint_eq(s->probe.timeout_usec, 500 * PL_USEC_PER_MSEC);
        ck_assert_uint_eq(s->probe.failures, 2);
        ck_assert_uint_eq(s->probe.start_period_usec, 2 * PL_USEC_PER_MIN);
        ck_assert_str_eq(s->probe.path, "/health?x=1");
        ck_assert_str_eq(s->probe.expect[1], "body:a[#]b[{]5000}");
        ck_assert_int_eq(s->probe.on_unhealthy, PL_ON_UNHEALTHY_RESTART);
        ck_assert_uint_eq(s->probe.restart_budget.n, 5);
        ck_assert_uint_eq(s->probe.restart_budget.window_usec, PL_USEC_PER_HOUR);
        ck_assert_uint_eq(s->probe.flap_budget.n, 4);
        ck_assert(s->probe.required);
        ck_assert_str_eq(s->probe.after[0], "redis");
        ck_assert_str_eq(s->probe.after[1], "web");
        ck_assert_str_eq(p->services[1]->probe.unit, "alert@%s.service");
        ck_assert_int_eq(p->services[2]->probe.on_unhealthy, PL_ON_UNHEALTHY_RESTART);
        ck_assert_str_eq(p->services[2]->probe.unit, "alert@%s.service");
        ck_assert_str_eq(p->services[2]->probe.ollama_models[1], "b/c");
        ck_assert_uint_eq(p->defaults->limits.v[PL_RESOURCE_MEMORY_MAX].number, GIB(2));
        ck_assert_ptr_null(p->defaults->name);
        ck_assert_ptr_eq(pl_policy_find(p, "web"), p->services[2]);
        ck_assert_ptr_null(pl_policy_find(p, "nobody"));
}
END_TEST

START_TEST(defaults) {
        _cleanup_(pl_policy_unrefp) PlPolicy *p = good(SVC);
        const PlService *s = p->services[0];

        ck_assert_str_eq(p->daemon.engine, "unix:///run/docker.sock");
        ck_assert_ptr_null(p->daemon.metrics_listen);
        ck_assert_uint_eq(p->daemon.log_archive_budget_bytes, GIB(2));
        ck_assert(!p->daemon.dry_run && !p->daemon.restore_on_stop);
        ck_assert_ptr_null(p->defaults);
        ck_assert(!pl_limits_any(&s->limits));
        ck_assert_uint_eq(s->cpu_quota_period_usec, 100000);
        ck_assert_int_eq(s->shrink_mode, PL_SHRINK_SAFE);
        ck_assert_uint_eq(s->log.max_size_bytes, PL_UNLIMITED);
        ck_assert_int_eq(s->probe.kind, PL_PROBE_AUTO);
        ck_assert_uint_eq(s->probe.interval_usec, 10 * PL_USEC_PER_SEC);
        ck_assert_int_eq(s->probe.on_unhealthy, PL_ON_UNHEALTHY_NONE);
}
END_TEST

/* Drop-ins: later keys win, lists grow, an empty assignment resets. */
START_TEST(drop_ins) {
        static const char *const texts[] = {
                SVC
                "MemoryMax=4G\nTasksMax=9\nCPUWeight=5\nAfter=b\nProbePort=1\nProbeInterval=1min\n"
                "IOReadBandwidthMax=/dev/sda 1M\nIOReadBandwidthMax=/dev/sdb "
                "1M\nOnUnhealthy=unit:x.service\n"
                "[Service "
                "b]\nMatch=name:b\n[Daemon]\nMetricsListen=127.0.0.1:1\nEngine=unix:///a\n",
                "[Service a]\nMemoryMax=2G\nMatch=name:z\nAfter=c\nIOReadBandwidthMax=/dev/sda "
                "2M\n[Service c]\n"
                "Match=name:c\n[Daemon]\nMetricsListen=\nEngine=\n",
                "[Service "
                "a]\nTasksMax=\nMatch=\nMatch=name:q\nProbePort=\nProbeInterval=\nOnUnhealthy=\n"
                "IOReadBandwidthMax=/dev/sdb infinity\n",
        };
        PlDiagList diag = { 0 };
        PlPolicy *p;
        int r;

        p = parse_texts(texts, 3, &diag, &r);
        ck_assert_int_eq(r, 0);
        ck_assert_uint_eq(diag.n, 0);
        ck_assert_uint_eq(p->n_services, 3);
        ck_assert_uint_eq(p->services[0]->limits.v[PL_RESOURCE_MEMORY_MAX].number, GIB(2));
        ck_assert(!p->services[0]->limits.v[PL_RESOURCE_TASKS_MAX].set);
        ck_assert_uint_eq(p->services[0]->limits.v[PL_RESOURCE_CPU_WEIGHT].number, 5);
        ck_assert_str_eq(p->services[0]->limits.v[PL_RESOURCE_IO_READ_BANDWIDTH_MAX].text,
                         "/dev/sda 2000000");
        ck_assert_uint_eq(p->services[0]->n_matches, 1);
        ck_assert_str_eq(p->services[0]->matches[0].pattern, "q");
        ck_assert_uint_eq(p->services[0]->probe.port, 0);
        ck_assert_uint_eq(p->services[0]->probe.interval_usec, 10 * PL_USEC_PER_SEC);
        ck_assert_ptr_null(p->services[0]->probe.unit);
        ck_assert_str_eq(p->services[0]->probe.after[0], "b");
        ck_assert_str_eq(p->services[0]->probe.after[1], "c");
        ck_assert_ptr_null(p->daemon.metrics_listen);
        ck_assert_str_eq(p->daemon.engine, "unix:///run/docker.sock");
        ck_assert_ptr_null(p->files[3]);
        pl_policy_unref(p);
}
END_TEST

START_TEST(problem_in_drop_in) {
        static const char *const texts[] = { SVC "MemoryMax=1G\n",
                                             "[Service a]\n\nMemoryLow=2G\n" };
        PlDiagList diag = { 0 };
        int r;

        ck_assert_ptr_null(parse_texts(texts, 2, &diag, &r));
        ck_assert_uint_eq(diag.n, 1);
        ck_assert_str_eq(diag.items[0].file, "10-a.conf");
        ck_assert_uint_eq(diag.items[0].line, 3);
        pl_diag_list_deinit(&diag);
}
END_TEST

START_TEST(continuation) {
        _cleanup_(pl_policy_unrefp) PlPolicy *p =
                        good("[Service a]\nMatch=name:a\nAfter=b \\\n# a comment\n  c \\\n"
                             "\nMemoryMax=1G # x \\\nTasksMax=2\n"
                             "[Service b]\nMatch=name:x;y\n[Service c]\nMatch=name:x#y");
        const PlService *s = p->services[0];

        ck_assert_str_eq(s->probe.after[0], "b");
        ck_assert_str_eq(s->probe.after[1], "c");
        ck_assert_uint_eq(s->limits.v[PL_RESOURCE_MEMORY_MAX].number, GIB(1));
        ck_assert_uint_eq(s->limits.v[PL_RESOURCE_TASKS_MAX].number, 2);
        ck_assert_str_eq(p->services[1]->matches[0].pattern, "x;y");
        ck_assert_str_eq(p->services[2]->matches[0].pattern, "x#y");
}
END_TEST

static PlPair labels[] = {
        { (char *)"PODMAN_SYSTEMD_UNIT", (char *)"ml-postgres.service" },
        { (char *)"com.docker.compose.project", (char *)"ml" },
        { (char *)"com.docker.compose.service", (char *)"postgres" },
        { (char *)"com.docker.swarm.service.name", (char *)"ml_postgres" },
        { (char *)"role", (char *)"database primary" },
};

static const struct {
        const char *match;
        bool matches;
} matches[] = {
        { "name:ml-postgres-1", true },
        { "name:ml-*", true },
        { "name:ml-postgres-[0-9]", true },
        { "name:ml", false },
        { "name:ML-*", false },
        { "image:postgres:16", false },
        { "image:*postgres:*", true },
        { "image:docker.io/*", true },
        { "label:role", true },
        { "label:rol", false },
        { "label:role=database*", true },
        { "label:role=database", false },
        { "label:role=", false },
        { "label:nothing=*", false },
        { "label:role=database primary", true },
        { "label:role=database  primary", false },
        { "label:\"role=database primary\"", true },
        { "label:role='database primary'", true },
        { "\"label:role=database primary\"", true },
        { "compose-project:ml compose-service:postgres", true },
        { "compose-project:ml\tcompose-service:postgres name:*-1", true },
        { "compose-project:shop compose-service:postgres", false },
        { "compose-service:postgres compose-project:shop", false },
        { "compose-project:shop compose-service:postgres\nMatch=compose-project:ml name:*", true },
        { "compose-project:ml compose-service:redis\nMatch=name:x compose-project:ml", false },
        { "label:role=database primary compose-project:ml", true },
        { "swarm-service:ml_*", true },
        { "swarm-service:shop_*", false },
        { "unit:ml-*.service", true },
        { "unit:ml.service", false },
        { "compose-service:postgres", true },
        { "compose-service:post*", true },
        { "compose-service:redis", false },
        { "compose-project:ml", true },
        { "compose-project:m", false },
};

START_TEST(match) {
        const PlContainer c = { .name = (char *)"ml-postgres-1",
                                .image = (char *)"docker.io/library/postgres:16",
                                .labels = labels,
                                .n_labels = PL_ARRAY_SIZE(labels) };
        const PlContainer bare = { 0 };
        _cleanup_(pl_policy_unrefp) PlPolicy *p = NULL;
        char text[256];

        snprintf(text, sizeof(text),
                 "[Service a]\nMatch=%s\n[Service b]\nMatch=name:ml-p*\n[Defaults]\nTasksMax=7\n",
                 matches[_i].match);
        p = good(text);
        ck_assert_msg(pl_policy_match(p, &c) == p->services[matches[_i].matches ? 0 : 1], "%s",
                      matches[_i].match);
        ck_assert_ptr_eq(pl_policy_match(p, &bare), p->defaults);
}
END_TEST

/* A line that says more is meant for fewer: it wins, wherever it stands; else the first section. */
START_TEST(most_terms_win) {
        const PlContainer c = { .name = (char *)"ml-postgres-1",
                                .labels = labels,
                                .n_labels = PL_ARRAY_SIZE(labels) };
        _cleanup_(pl_policy_unrefp) PlPolicy *p =
                        good("[Service a]\nMatch=compose-service:postgres\n"
                             "[Service b]\nMatch=compose-project:shop compose-service:postgres\n"
                             "[Service c]\nMatch=compose-service:post*\n"
                             "Match=compose-project:ml compose-service:postgres\n"
                             "[Service d]\nMatch=compose-project:m* compose-service:postgres\n");
        _cleanup_free_ char *why = NULL;
        size_t line = 99;

        ck_assert_str_eq(pl_policy_match(p, &c)->name, "c");
        ck_assert_uint_eq(pl_service_match_line(p->services[2], &c, &line), 2);
        ck_assert_uint_eq(line, 1);
        ck_assert_uint_eq(pl_service_match_line(p->services[1], &c, &line), 0);
        ck_assert_int_eq(pl_policy_explain(p, &c, NULL, &host, &why), 0);
        ck_assert_str_eq(why,
                         "[Service c], main.conf:5: Match=compose-project:ml "
                         "compose-service:postgres\n"
                         "        not [Service a], main.conf:1: Match=compose-service:postgres "
                         "has fewer terms\n"
                         "        not [Service d], main.conf:8: Match=compose-project:m* "
                         "compose-service:postgres comes later");
}
END_TEST

START_TEST(dump) {
        _cleanup_(pl_policy_unrefp) PlPolicy *p =
                        good("[Daemon]\nDryRun=yes\nLabels=MemoryMax\nLabels=TasksMax\n"
                             "[Service postgres]\nMatch=name:pg\n"
                             "Match=name:\xc3\xa4\nMemoryMax=4G\nLogMaxSize=10M\nLogMaxFiles=3\n"
                             "Probe=postgres\nProbePort=5432\nOnUnhealthy=restart\nRequired=yes\n"
                             "[Defaults]\nTasksMax=100\n");
        _cleanup_free_ char *s = NULL;

        ck_assert_int_eq(pl_policy_dump(p, &s), 0);
        ck_assert_str_eq(s, "engine           unix:///run/docker.sock\n"
                            "metrics          off\n"
                            "log archives     2G in all\n"
                            "holes in logs    below 10% free\n"
                            "service memory   kept for 90d\n"
                            "dry run          yes: nothing is changed, only said\n"
                            "restore on stop  no\n"
                            "labels           MemoryMax TasksMax\n"
                            "read from        main.conf\n"
                            "\n"
                            "SERVICE     MemoryMax  TasksMax\n"
                            "postgres    4G         100\n"
                            "[Defaults]  -          100\n"
                            "\n"
                            "SERVICE     LOG      PROBE                    ON UNHEALTHY     "
                            "REQUIRED  MATCH\n"
                            "postgres    10M x 3  postgres:5432 every 10s  restart 3/10min  yes    "
                            "   name:pg\n"
                            "                                                                      "
                            "   name:ä\n"
                            "[Defaults]  -        auto every 10s           none             -      "
                            "   everything else\n"
                            "\n"
                            "[Service postgres]\n"
                            "Match=name:pg | name:ä  main.conf:7\n"
                            "LogMaxSize=10M          main.conf:9\n"
                            "LogMaxFiles=3           main.conf:10\n"
                            "Probe=postgres          main.conf:11\n"
                            "ProbePort=5432          main.conf:12\n"
                            "OnUnhealthy=restart     main.conf:13\n"
                            "Required=yes            main.conf:14\n"
                            "MemoryMax=4G            main.conf:8\n"
                            "TasksMax=100            main.conf:16 [Defaults]\n"
                            "\n"
                            "[Defaults]\n"
                            "TasksMax=100  main.conf:16 [Defaults]\n");
}
END_TEST

/* What a section does not say, [Defaults] does, wherever it stands. */
static const struct {
        const char *name, *section, *defaults;
        const char *key, *value;
        bool inherited;
} inherited_rows[] = {
        { "a limit", "", "MemoryMax=256M\n", "MemoryMax", "256M", true },
        { "its own", "MemoryMax=1G\n", "MemoryMax=256M\n", "MemoryMax", "1G", false },
        { "empty is unmanaged", "MemoryMax=\n", "MemoryMax=256M\n", "MemoryMax", "-", false },
        { "empty, then its own", "MemoryMax=\nMemoryMax=2G\n", "MemoryMax=256M\n", "MemoryMax",
          "2G", false },
        { "its own, then empty", "MemoryMax=2G\nMemoryMax=\n", "MemoryMax=256M\n", "MemoryMax", "-",
          false },
        { "logs", "", "LogMaxSize=10M\n", "LogMaxSize", "10M", true },
        { "no log rule", "LogMaxSize=\n", "LogMaxSize=10M\n", "LogMaxSize", "infinity", false },
        { "how a log is rotated", "", "LogMethod=punch\n", "LogMethod", "punch", true },
        { "a list", "", "LogPath=/a/*.log\nLogPath=/b\n", "LogPath", "/a/*.log /b", true },
        { "a list is replaced", "LogPath=/c\n", "LogPath=/a/*.log\n", "LogPath", "/c", false },
        { "disks", "IOReadBandwidthMax=/dev/sdb 5000\n", "IOReadBandwidthMax=/dev/sda 9000\n",
          "IOReadBandwidthMax", "/dev/sdb 5000", false },
        { "when it is asked", "", "ProbeInterval=30s\n", "ProbeInterval", "30s", true },
        { "how often it may fail", "", "ProbeFailures=9\n", "ProbeFailures", "9", true },
        { "never what is done", "", "OnUnhealthy=restart\n", "OnUnhealthy", "none", false },
        { "never how it is asked", "", "Probe=tcp\n", "Probe", "auto", false },
        { "never where", "", "ProbePort=80\n", "ProbePort", "0", false },
        { "never that memory may be taken by killing", "", "ShrinkMode=kill\n", "ShrinkMode",
          "safe", false },
        { "a shorter interval than the built-in timeout", "", "ProbeInterval=1s\n", "ProbeTimeout",
          "1s", false },
        { "a contradiction", "MemoryMax=1G\n", "MemoryLow=2G\n", "MemoryLow", "-", false },
        { "a contradiction the other way", "MemoryLow=2G\n", "MemoryMax=1G\n", "MemoryMax", "-",
          false },
        { "a quota in its own period", "CPUQuotaPeriodSec=10ms\n", "CPUQuota=50%\n", "CPUQuota",
          "50%", true },
};

START_TEST(inherited) {
        for (int order = 0; order < 2; order++) {
                _cleanup_(pl_policy_unrefp) PlPolicy *p = NULL;
                _cleanup_free_ char *value = NULL;
                _cleanup_free_ char *from = NULL;
                char text[512];
                PlResource r;

                snprintf(text, sizeof(text), "%s%s" SVC "%s%s%s", order ? "" : "[Defaults]\n",
                         order ? "" : inherited_rows[_i].defaults, inherited_rows[_i].section,
                         order ? "[Defaults]\n" : "", order ? inherited_rows[_i].defaults : "");
                p = good(text);
                value = pl_policy_value(p->services[0], inherited_rows[_i].key);
                ck_assert_msg(pl_streq(value, inherited_rows[_i].value), "%s: %s",
                              inherited_rows[_i].name, value);
                from = pl_service_origin(p->services[0], inherited_rows[_i].key);
                ck_assert_msg((from && strstr(from, " [Defaults]")) == inherited_rows[_i].inherited,
                              "%s: %s", inherited_rows[_i].name, from ?: "");
                r = pl_resource_from_name(inherited_rows[_i].key);
                ck_assert_msg(r == _PL_RESOURCE_INVALID ||
                                              !!(p->services[0]->by_default & 1U << r) ==
                                                              inherited_rows[_i].inherited,
                              "%s", inherited_rows[_i].name);
        }
}
END_TEST

START_TEST(inherited_is_told) {
        _cleanup_(pl_policy_unrefp) PlPolicy *p =
                        good("[Defaults]\nMemoryMax=256M\nLogMaxSize=10M\nOnUnhealthy=restart\n" SVC
                             "[Service b]\nMatch=name:b\nMemoryMax=\nLogMaxSize=\n");
        PlDiagList diag = { 0 };

        pl_policy_tell_inherited(p, &diag);
        ck_assert_uint_eq(diag.n, 1);
        ck_assert_str_eq(diag.items[0].message,
                         "[Service a] had no LogMaxSize=10M, MemoryMax=256M until now, and has it "
                         "from [Defaults] (main.conf:3); write LogMaxSize= in the section to leave "
                         "it out");
        ck_assert_uint_eq(diag.items[0].line, 5);
        pl_diag_list_deinit(&diag);
}
END_TEST

START_TEST(references) {
        PlPolicy *p = good(SVC);

        ck_assert_ptr_eq(pl_policy_ref(p), p);
        ck_assert_ptr_null(pl_policy_unref(p));
        ck_assert_str_eq(p->services[0]->name, "a");
        ck_assert_ptr_null(pl_policy_unref(p));
        ck_assert_ptr_null(pl_policy_unref(NULL));
}
END_TEST

int main(void) {
        TCase *tc = tcase_create("policy");

        tcase_add_loop_test(tc, match, 0, PL_ARRAY_SIZE(matches));
        tcase_add_loop_test(tc, inherited, 0, PL_ARRAY_SIZE(inherited_rows));
        tcase_add_test(tc, inherited_is_told);
        tcase_add_test(tc, most_terms_win);
        tcase_add_test(tc, nul_byte);
        tcase_add_test(tc, long_lines);
        tcase_add_test(tc, every_limit);
        tcase_add_test(tc, every_log_and_probe_key);
        tcase_add_test(tc, defaults);
        tcase_add_test(tc, drop_ins);
        tcase_add_test(tc, problem_in_drop_in);
        tcase_add_test(tc, continuation);
        tcase_add_test(tc, dump);
        tcase_add_test(tc, references);
        return run_case(tc);
}
