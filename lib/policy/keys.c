/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policy keys: the table of the language. A new key is one row here, its entry in plimsoll.conf(5)
 * and a line in conf/plimsoll.conf; a test holds the three together.
 */

#include "lib/policy/parser.h"

#include <signal.h>

#define SERVICE  PL_SECTION_SERVICE
#define LIMITED  (PL_SECTION_SERVICE | PL_SECTION_DEFAULTS)
#define D(field) offsetof(PlDaemonPolicy, field)
#define S(field) offsetof(PlService, field)

static const PlWord shrink_modes[] = {
        { "safe", PL_SHRINK_SAFE },
        { "kill", PL_SHRINK_KILL },
        { NULL },
};

static const PlWord log_on_full[] = {
        { "keep", PL_LOG_ON_FULL_KEEP },
        { "drop", PL_LOG_ON_FULL_DROP },
        { NULL },
};

static const PlWord reopen_signals[] = {
        { "none", 0 },          { "HUP", SIGHUP },   { "SIGHUP", SIGHUP },   { "USR1", SIGUSR1 },
        { "SIGUSR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "SIGUSR2", SIGUSR2 }, { NULL },
};

#define A_MEMORY                                                                                 \
        "a size such as 4G or 512M (base 1024), a percentage of the host's memory such as 25%, " \
        "or infinity"
#define A_LIMIT  A_MEMORY "; at least 6M, because less kills or starves what runs there"
#define A_WEIGHT "a whole number from 1 to 10000; 100 is the weight of everybody else"
#define A_RATE   "a path and bytes per second (base 1000, at least 4096), such as /dev/sda 10M"
#define A_YES    "yes or no"
#define A_BUDGET "a number from 1 to 1000 and a time span, such as 3/10min"

const PlPolicyKey pl_policy_keys[] = {
        { "Engine", PL_SECTION_DAEMON, pl_policy_set_engine, D(engine), 0, 0,
          "the engine's socket, such as unix:///run/docker.sock", NULL },
        { "MetricsListen", PL_SECTION_DAEMON, pl_policy_set_listen, D(metrics_listen), 0, 0,
          "an address and a port, such as 127.0.0.1:9478 or [::1]:9478", NULL },
        { "LogArchiveBudget", PL_SECTION_DAEMON, pl_policy_set_size, D(log_archive_budget_bytes),
          MIB(1), GIB(1 << 20), "a size from 1M to 1P such as 2G (base 1024), or infinity", NULL },
        { "DryRun", PL_SECTION_DAEMON, pl_policy_set_boolean, D(dry_run), 0, 0, A_YES, NULL },
        { "RestoreOnStop", PL_SECTION_DAEMON, pl_policy_set_boolean, D(restore_on_stop), 0, 0,
          A_YES, NULL },

        { "Match", SERVICE, pl_policy_set_match, S(matches), 0, 0,
          "name:GLOB, image:GLOB, label:KEY=VALUE, compose-service:NAME or compose-project:NAME, "
          "such as "
          "compose-service:postgres",
          NULL },
        { "ShrinkMode", LIMITED, pl_policy_set_word, S(shrink_mode), 0, 0, "safe or kill",
          shrink_modes },

        { "CPUQuota", LIMITED, pl_policy_set_resource, PL_RESOURCE_CPU_QUOTA, 0, 0,
          "a percentage of one CPU such as 200% (two CPUs; at least 1%), or infinity", NULL },
        { "CPUQuotaPeriodSec", LIMITED, pl_policy_set_sec, S(cpu_quota_period_usec),
          PL_QUOTA_PERIOD_MIN_USEC, PL_QUOTA_PERIOD_MAX_USEC,
          "a time span from 1ms to 1s, such as 100ms", NULL },
        { "CPUWeight", LIMITED, pl_policy_set_resource, PL_RESOURCE_CPU_WEIGHT, 0, 0, A_WEIGHT,
          NULL },
        { "AllowedCPUs", LIMITED, pl_policy_set_resource, PL_RESOURCE_ALLOWED_CPUS, 0, 0,
          "a list of CPU numbers such as 0-3,6", NULL },
        { "MemoryMin", LIMITED, pl_policy_set_resource, PL_RESOURCE_MEMORY_MIN, 0, 0, A_MEMORY,
          NULL },
        { "MemoryLow", LIMITED, pl_policy_set_resource, PL_RESOURCE_MEMORY_LOW, 0, 0, A_MEMORY,
          NULL },
        { "MemoryHigh", LIMITED, pl_policy_set_resource, PL_RESOURCE_MEMORY_HIGH, 0, 0, A_LIMIT,
          NULL },
        { "MemoryMax", LIMITED, pl_policy_set_resource, PL_RESOURCE_MEMORY_MAX, 0, 0, A_LIMIT,
          NULL },
        { "MemorySwapMax", LIMITED, pl_policy_set_resource, PL_RESOURCE_MEMORY_SWAP_MAX, 0, 0,
          A_MEMORY "; 0 forbids swap", NULL },
        { "TasksMax", LIMITED, pl_policy_set_resource, PL_RESOURCE_TASKS_MAX, 0, 0,
          "a whole number from 1 to 4194304 such as 512, or infinity", NULL },
        { "IOWeight", LIMITED, pl_policy_set_resource, PL_RESOURCE_IO_WEIGHT, 0, 0, A_WEIGHT,
          NULL },
        { "IOReadBandwidthMax", LIMITED, pl_policy_set_bandwidth, PL_RESOURCE_IO_READ_BANDWIDTH_MAX,
          0, 0, A_RATE, NULL },
        { "IOWriteBandwidthMax", LIMITED, pl_policy_set_bandwidth,
          PL_RESOURCE_IO_WRITE_BANDWIDTH_MAX, 0, 0, A_RATE, NULL },

        { "LogMaxSize", LIMITED, pl_policy_set_size, S(log.max_size_bytes), KIB(64), GIB(1 << 20),
          "a size from 64K to 1P such as 10M (base 1024), or infinity", NULL },
        { "LogMaxFiles", LIMITED, pl_policy_set_unsigned, S(log.max_files), 0, 10000,
          "a number of archives from 1 to 10000 such as 3, or 0 for as many as the budget allows",
          NULL },
        { "LogMaxAge", LIMITED, pl_policy_set_sec, S(log.max_age_usec), PL_USEC_PER_MIN,
          PL_TIME_INFINITY, "a time span of a minute or more such as 30d, or infinity", NULL },
        { "LogMethod", LIMITED, pl_policy_set_word, S(log.method), 0, 0,
          "auto, reflink, collapse, punch or off", pl_log_method_words },
        { "LogOnFull", LIMITED, pl_policy_set_word, S(log.on_full), 0, 0, "keep or drop",
          log_on_full },
        { "LogPath", LIMITED, pl_policy_set_log_path, S(log_path.globs), 0, 0,
          "an absolute path inside the container, with globs, such as /opt/airflow/logs/*/*.log",
          NULL },
        { "LogPathMaxSize", LIMITED, pl_policy_set_size, S(log_path.max_size_bytes), KIB(64),
          GIB(1 << 20), "a size from 64K to 1P such as 50M (base 1024), or infinity", NULL },
        { "LogPathMaxAge", LIMITED, pl_policy_set_sec, S(log_path.max_age_usec), PL_USEC_PER_MIN,
          PL_TIME_INFINITY, "a time span of a minute or more such as 14d, or infinity", NULL },
        { "LogPathMaxFiles", LIMITED, pl_policy_set_unsigned, S(log_path.max_files), 0, 1000000,
          "a number of files from 1 to 1000000 such as 200, or 0 for no such limit", NULL },
        { "LogPathCompressAfter", LIMITED, pl_policy_set_sec, S(log_path.compress_after_usec),
          PL_USEC_PER_MIN, PL_TIME_INFINITY,
          "a time span of a minute or more such as 1d, or infinity", NULL },
        { "LogReopen", LIMITED, pl_policy_set_word, S(log_path.reopen_signal), 0, 0,
          "none, HUP, USR1 or USR2", reopen_signals },

        { "Probe", LIMITED, pl_policy_set_word, S(probe.kind), 0, 0,
          "auto, none, postgres, redis, airflow, ollama, grafana, mlflow, prometheus, http or tcp",
          pl_probe_kind_words },
        { "ProbePort", LIMITED, pl_policy_set_port, S(probe.port), 1, 65535,
          "a port from 1 to 65535, such as 5432", NULL },
        { "ProbeInterval", LIMITED, pl_policy_set_sec, S(probe.interval_usec), PL_USEC_PER_SEC,
          PL_USEC_PER_DAY, "a time span from 1s to 1d, such as 10s", NULL },
        { "ProbeTimeout", LIMITED, pl_policy_set_sec, S(probe.timeout_usec), 10 * PL_USEC_PER_MSEC,
          10 * PL_USEC_PER_MIN, "a time span from 10ms to 10min, such as 2s", NULL },
        { "ProbeFailures", LIMITED, pl_policy_set_unsigned, S(probe.failures), 1, 1000,
          "a number from 1 to 1000, such as 3", NULL },
        { "ProbeStartPeriod", LIMITED, pl_policy_set_sec, S(probe.start_period_usec), 0,
          PL_USEC_PER_DAY, "a time span up to 1d, such as 60s", NULL },
        { "ProbePath", LIMITED, pl_policy_set_http_path, S(probe.path), 0, 0,
          "the path of a URL, such as /health", NULL },
        { "ProbeExpect", LIMITED, pl_policy_set_expect, S(probe.expect), 0, 0,
          "status:200-299, json:/POINTER=VALUE, body:REGEX or header:NAME=VALUE, such as "
          "json:/database=ok",
          NULL },
        { "OllamaModels", LIMITED, pl_policy_set_models, S(probe.ollama_models), 0, 0,
          "names of models, such as llama3.2:3b nomic-embed-text", NULL },
        { "OnUnhealthy", LIMITED, pl_policy_set_unhealthy, S(probe.on_unhealthy), 0, 0,
          "none, restart, unit:NAME (such as unit:plimsoll-alert@%s.service) or restart unit:NAME",
          NULL },
        { "RestartBudget", LIMITED, pl_policy_set_budget, S(probe.restart_budget), 1, 1000,
          A_BUDGET, NULL },
        { "FlapBudget", LIMITED, pl_policy_set_budget, S(probe.flap_budget), 1, 1000, A_BUDGET,
          NULL },
        { "Required", SERVICE, pl_policy_set_boolean, S(probe.required), 0, 0, A_YES, NULL },
        { "After", SERVICE, pl_policy_set_names, S(probe.after), 0, 0,
          "names of other [Service] sections, such as postgres redis", NULL },
};

const size_t pl_policy_n_keys = PL_ARRAY_SIZE(pl_policy_keys);
_Static_assert(PL_ARRAY_SIZE(pl_policy_keys) <= PL_POLICY_KEYS_MAX, "PlSection.set is too small");

const char *pl_policy_key(size_t i, unsigned *ret_sections) {
        if (i >= pl_policy_n_keys)
                return NULL;
        *ret_sections = pl_policy_keys[i].sections;
        return pl_policy_keys[i].name;
}
