/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Import: compose's values to the policy's, one by one, a whole file as compose prints it, and what
 * is no compose file at all. Whatever comes out must be a policy.
 */

#include "lib/policy/import.h"

#include <errno.h>

#include "lib/base/json.h"
#include "lib/docker/container.h"
#include "lib/policy/document.h"
#include "lib/policy/parser.h"
#include "unit.h"

/* /dev/null is no disk */
static int device_of(void *unused, const char *path, char ret[static PL_DEVICE_MAX]) {
        snprintf(ret, PL_DEVICE_MAX, "8:0");
        return pl_streq(path, "/dev/null") ? -ENOTBLK : 0;
}

static const PlHost host = { GIB(64), 64, 4096, device_of, PL_HIERARCHY_V1 },
                    host_v2 = { GIB(64), 64, 4096, device_of, PL_HIERARCHY_V2 };

/* Imports, and parses what came out. Return: the policy; ret_text is what was printed. */
static PlPolicy *import(const char *json, PlDiagList *diag, char **ret_text) {
        PlDiagList problems = { 0 };
        PlPolicy *p = NULL;
        int r;

        r = pl_import_compose("stack.json", json, strlen(json), &host, diag, NULL, ret_text);
        ck_assert_msg(r == 0, "%s: %s", json, diag->n ? diag->items[0].message : "");
        r = pl_policy_parse(&(PlPolicySource){ "out", *ret_text, strlen(*ret_text) }, 1, &host,
                            &problems, &p);
        ck_assert_msg(r == 0, "%s in\n%s", problems.n ? problems.items[0].message : "", *ret_text);
        pl_diag_list_deinit(&problems);
        return p;
}

#define ID   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD "# From the compose configuration stack.json, by plimsollctl import.\n"
#define A    HEAD "\n[Service a]\nMatch=compose-service:a\n"

/* The body of service "a", and the lines that it becomes or the warning that it draws. */
static const struct {
        const char *body, *lines, *warning;
} rows[] = {
        { "", "", NULL },
        { "\"cpus\":1.5", "CPUQuota=150%\n", NULL },
        { "\"cpus\":\"0.333\"", "CPUQuota=33.3%\n", NULL },
        { "\"cpus\":0.123456", "CPUQuota=12.34%\n", NULL },
        { "\"cpus\":2,\"deploy\":{\"resources\":{\"limits\":{\"cpus\":\"1\"}}}", "CPUQuota=100%\n",
          NULL },
        { "\"cpus\":0", "", NULL },
        { "\"cpus\":-1", "", NULL },
        { "\"cpus\":0.001", "", "too small" },
        { "\"cpus\":1e300", "", "not a number of CPUs" },
        { "\"cpus\":\"1e3\"", "", "not a number of CPUs" },
        { "\"cpus\":[1]", "", "not a number of CPUs" },
        { "\"cpu_quota\":50000", "CPUQuota=50%\n", NULL },
        { "\"cpu_quota\":50000,\"cpu_period\":50000", "CPUQuota=100%\nCPUQuotaPeriodSec=50000us\n",
          NULL },
        { "\"cpu_quota\":50000,\"cpu_period\":100000", "CPUQuota=50%\n", NULL },
        { "\"cpu_shares\":512", "CPUWeight=50\n", NULL },
        { "\"cpu_shares\":2", "CPUWeight=1\n", NULL },
        { "\"cpu_shares\":9223372036854775807", "CPUWeight=10000\n", NULL },
        { "\"cpuset\":\"0,1,2\"", "AllowedCPUs=0-2\n", NULL },
        { "\"cpuset\":\"0-\\n[Daemon]\"", "", "not a list of CPUs" },
        { "\"mem_limit\":\"4294967296\"", "MemoryMax=4G\n", NULL },
        { "\"mem_limit\":4294967296", "MemoryMax=4G\n", NULL },
        { "\"mem_limit\":\"512m\"", "MemoryMax=512M\n", NULL },
        { "\"mem_limit\":\"1.5 GiB\"", "MemoryMax=1536M\n", NULL },
        { "\"mem_limit\":\"512MB\"", "MemoryMax=512M\n", NULL },
        { "\"mem_limit\":0", "", NULL },
        { "\"mem_limit\":\"4k\"", "", "too small" },
        { "\"mem_limit\":\"8E\"", "", "too large" },
        { "\"mem_limit\":\"99E\"", "", "not a size" },
        { "\"mem_limit\":\"much\"", "", "not a size" },
        { "\"mem_limit\":\"infinity\"", "", "not a size" },
        { "\"mem_limit\":{}", "", "not a size" },
        { "\"mem_limit\":\"4g\",\"mem_reservation\":\"2g\"", "MemoryMax=4G\nMemoryLow=2G\n", NULL },
        { "\"mem_limit\":\"2g\",\"mem_reservation\":\"4g\"", "MemoryMax=2G\n",
          "larger than the limit" },
        { "\"mem_limit\":\"2g\",\"memswap_limit\":\"2g\"", "MemoryMax=2G\nMemorySwapMax=0\n",
          NULL },
        { "\"mem_limit\":\"2g\",\"memswap_limit\":\"3g\"", "MemoryMax=2G\nMemorySwapMax=1G\n",
          NULL },
        { "\"mem_limit\":\"2g\",\"memswap_limit\":-1", "MemoryMax=2G\nMemorySwapMax=infinity\n",
          NULL },
        { "\"mem_limit\":\"2g\",\"memswap_limit\":\"1g\"", "MemoryMax=2G\n",
          "smaller than the memory limit" },
        { "\"memswap_limit\":\"1g\"", "", "counts memory, too" },
        { "\"mem_limit\":\"2g\",\"memswap_limit\":\"much\"", "MemoryMax=2G\n", "not a size" },
        { "\"mem_limit\":1.073741824e9", "MemoryMax=1G\n", NULL },
        { "\"mem_limit\":12345678901234567890123", "", "not a size" },
        { "\"cpu_shares\":\"lots\"", "", "cpu_shares: not a number" },
        { "\"cpuset\":7", "", "not a list of CPUs" },
        { "\"cpu_period\":50000", "", "says nothing without cpu_quota" },
        { "\"cpu_quota\":5000,\"cpu_period\":10", "CPUQuota=5%\n", "cpu_period: not from" },
        { "\"pids_limit\":100", "TasksMax=100\n", NULL },
        { "\"deploy\":{\"resources\":{\"limits\":{\"pids\":7}}}", "TasksMax=7\n", NULL },
        { "\"pids_limit\":-1", "", NULL },
        { "\"pids_limit\":1.5", "", "not a number" },
        { "\"pids_limit\":99999999", "", "too large" },
        { "\"deploy\":{\"resources\":{\"reservations\":{\"cpus\":\"1\",\"memory\":\"2147483648\"}}"
          "}",
          "MemoryLow=2G\n", "reserves no CPU time" },
        { "\"deploy\":7", "", "deploy: not an object" },
        { "\"deploy\":{\"resources\":{\"limits\":{\"memory\":\"x\"}}}", "",
          "deploy.resources.limits.memory: not a size" },
        { "\"deploy\":{\"resources\":{\"limits\":{\"cpus\":\"x\"}}}", "",
          "deploy.resources.limits.cpus: not a number of CPUs" },
        { "\"deploy\":{\"resources\":{\"limits\":{\"pids\":\"x\"}}}", "",
          "deploy.resources.limits.pids: not a number" },
        { "\"cpu_quota\":\"x\"", "", "cpu_quota: not a number of microseconds" },
        { "\"blkio_config\":{\"weight\":500}", "IOWeight=4500\n", NULL },
        { "\"blkio_config\":{\"weight\":\"x\"}", "", "blkio_config.weight: not a number" },
        { "\"blkio_config\":{\"weight\":5}", "", "blkio_config.weight: not a number from 10" },
        { "\"blkio_config\":{\"weight\":66000}", "", "not a number from 10 to 1000" },
        { "\"blkio_config\":[500]", "", "blkio_config: not an object" },
        { "\"deploy\":{\"resources\":{\"limits\":\"2g\"}}", "",
          "deploy.resources.limits: not an object" },
        { "\"healthcheck\":\"curl\"", "", "healthcheck: not an object" },
        { "\"logging\":\"json-file\"", "", "logging: not an object" },
        { "\"logging\":{\"options\":\"max-size=10m\"}", "", "logging: not an object" },
        { "\"mem_limit\":\"-much\"", "", "not a size" },
        { "\"mem_limit\":\"-1\"", "", NULL },
        { "\"pids_limit\":\"-many\"", "", "not a number" },
        { "\"cpus\":1,\"cpu_quota\":50000", "CPUQuota=100%\n",
          "cpu_quota: it says nothing beside cpus" },
        { "\"cpus\":1,\"cpu_period\":50000", "CPUQuota=100%\n",
          "cpu_period: it says nothing beside cpus" },
        { "\"healthcheck\":{\"retries\":5000}", "ProbeFailures=1000\n",
          "healthcheck.retries: a policy has up to 1000" },
        { "\"healthcheck\":{\"start_period\":\"48h\"}", "ProbeStartPeriod=1d\n",
          "healthcheck.start_period: a policy has up to 1d" },
        { "\"depends_on\":[\"b\",7]", "After=b\n", "depends_on: not a name of a service" },
        { "\"blkio_config\":{\"device_write_bps\":[{\"Path\":\"/dev/sdb\",\"Rate\":\"12582912\"}]}",
          "IOWriteBandwidthMax=/dev/sdb 12582912\n", NULL },
        { "\"blkio_config\":{\"device_write_bps\":[{\"path\":\"/dev/"
          "null\",\"rate\":\"12582912\"}]}",
          "", "device_write_bps: it is no block device" },
        { "\"blkio_config\":{\"device_write_bps\":7}", "", "not a list" },
        { "\"blkio_config\":{\"device_write_iops\":[{\"Path\":\"/dev/sdb\",\"Rate\":\"30\"}]}", "",
          "blkio_config.device_write_iops: a policy limits bytes per second alone" },
        { "\"blkio_config\":{\"weight_device\":[{\"Path\":\"/dev/sda\",\"Weight\":400}]}", "",
          "one weight for all disks" },
        { "\"oom_kill_disable\":true", "", "oom_kill_disable: a policy has no key for it" },
        { "\"oom_kill_disable\":false", "", NULL },
        { "\"mem_swappiness\":\"20\"", "", "mem_swappiness: MemorySwapMax= says" },
        { "\"shm_size\":\"134217728\"", "", "shm_size: a policy has no key" },
        { "\"ulimits\":{\"nofile\":{\"soft\":10032,\"hard\":10032}}", "",
          "ulimits: the engine goes on" },
        { "\"ulimits\":{}", "", NULL },
        { "\"gpus\":[{\"count\":-1}]", "", "no key for GPUs" },
        { "\"storage_opt\":{\"size\":\"20G\"}", "", "no key for disk space" },
        { "\"deploy\":{\"resources\":{\"reservations\":{\"devices\":[{\"count\":1}]}}}", "",
          "deploy.resources.reservations.devices: a policy has no key for GPUs" },
        { "\"cgroup_parent\":\"ml.slice\"", "", "finds it wherever it is" },
        { "\"quux\":{\"password\":\"hunter2\"}", "", "quux: not a key that is known here" },
        { "\"x-quux\":{\"password\":\"hunter2\"},\"profiles\":[\"debug\"]", "", NULL },
        { "\"blkio_config\":{\"device_read_bps\":[{\"path\":\"/dev/sda\",\"rate\":\"12mb\"}]}",
          "IOReadBandwidthMax=/dev/sda 12582912\n", NULL },
        { "\"blkio_config\":{\"device_write_bps\":[{\"path\":\"/dev/s\\nx\",\"rate\":\"12mb\"}]}",
          "", "not a path" },
        { "\"blkio_config\":{\"device_write_bps\":[{\"path\":\"/dev/sda\",\"rate\":[]}]}", "",
          "not a rate" },
        { "\"blkio_config\":{\"device_write_bps\":[7]}", "", "not a path" },
        /* Docker's logs are base 1000, and the live file is one of max-file */
        { "\"logging\":{\"driver\":\"json-file\",\"options\":{\"max-size\":\"10m\",\"max-file\":"
          "\"3\"}}",
          "LogMaxSize=10000000\nLogMaxFiles=2\n", NULL },
        { "\"logging\":{\"options\":{\"max-size\":\"1g\",\"max-file\":\"1\"}}",
          "LogMaxSize=1000000000\nLogMaxFiles=1\n", NULL },
        { "\"logging\":{\"options\":{\"max-size\":\"1k\"}}", "", "from 64K" },
        { "\"logging\":{\"options\":{\"max-size\":\"-1\"}}", "", NULL },
        { "\"logging\":{\"driver\":\"local\",\"options\":{\"max-size\":\"10m\"}}", "",
          "keeps its own logs" },
        { "\"logging\":{\"driver\":\"journald\"}", "", NULL },
        { "\"healthcheck\":{\"test\":[\"CMD\",\"x\"],\"interval\":\"1m30s\",\"timeout\":\"5s\","
          "\"retries\":5,"
          "\"start_period\":\"1h0m0s\"}",
          "ProbeInterval=90s\nProbeTimeout=5s\nProbeFailures=5\nProbeStartPeriod=1h\n", NULL },
        { "\"healthcheck\":{\"interval\":\"10s\"}", "ProbeInterval=10s\nProbeTimeout=10s\n", NULL },
        { "\"healthcheck\":{\"interval\":\"500ms\"}", "ProbeInterval=1s\nProbeTimeout=1s\n",
          "healthcheck.interval: a policy has from 1s to 1d" },
        { "\"healthcheck\":{\"interval\":\"5s\",\"timeout\":\"20s\"}",
          "ProbeInterval=5s\nProbeTimeout=5s\n",
          "healthcheck.timeout: a probe ends before the next one begins, and within 10ms to 10min; "
          "5s is taken" },
        { "\"healthcheck\":{\"interval\":\"0s\",\"timeout\":\"0s\"}", "", NULL },
        { "\"healthcheck\":{\"interval\":\"0s\",\"timeout\":\"3s\"}",
          "ProbeInterval=30s\nProbeTimeout=3s\n", NULL },
        { "\"healthcheck\":{\"interval\":\"soon\"}", "", "healthcheck.interval: not a time span" },
        { "\"healthcheck\":{\"retries\":\"z\"}", "", "healthcheck.retries: not a number" },
        { "\"healthcheck\":{\"test\":[\"NONE\"],\"interval\":\"5s\",\"retries\":7}", "", NULL },
        { "\"healthcheck\":{\"start_interval\":\"5s\"}", "", "one interval" },
        { "\"healthcheck\":{\"interval\":\"10s\",\"disable\":true}", "", NULL },
        { "\"healthcheck\":{\"interval\":7,\"start_period\":\"0s\"}", "",
          "healthcheck.interval: not a time span" },
        { "\"depends_on\":{\"b\":{\"condition\":\"service_healthy\"},\"zz\":{}}", "After=b\n",
          "there is no such service in the file" },
        { "\"depends_on\":[\"b\",\"a\"]", "After=b\n", "cannot come after itself" },
        { "\"logging\":{\"options\":{\"max-file\":\"3\"}}", "", "does nothing without max-size" },
        { "\"environment\":{\"POSTGRES_PASSWORD\":\"hunter2\"},\"command\":[\"x\"]", "", NULL },
};

START_TEST(row) {
        _cleanup_free_ char *json = NULL, *text = NULL, *want = NULL;
        PlDiagList diag = { 0 };
        PlPolicy *p;

        ck_assert_int_ge(asprintf(&json, "{\"services\":{\"a\":{%s},\"b\":{}}}", rows[_i].body), 0);
        ck_assert_int_ge(asprintf(&want, "%s%s\n[Service b]\nMatch=compose-service:b\n", A,
                                  rows[_i].lines),
                         0);
        p = import(json, &diag, &text);
        ck_assert_str_eq(text, want);
        ck_assert_msg(diag.n == (rows[_i].warning ? 1 : 0), "%s: %zu warnings", rows[_i].body,
                      diag.n);
        if (rows[_i].warning) {
                ck_assert_ptr_nonnull(strstr(diag.items[0].message, rows[_i].warning));
                ck_assert_int_eq(diag.items[0].severity, PL_SEVERITY_WARNING);
                ck_assert(pl_startswith(diag.items[0].message, "a: "));
        }
        pl_policy_unref(p);
        pl_diag_list_deinit(&diag);
}
END_TEST

/* What an engine makes of a weight on each hierarchy: what is imported from compose is what the
 * container has. */
static const struct {
        const char *body;
        const PlHost *host;
        const char *lines;
} weight_rows[] = {
        { "\"cpu_shares\":512", &host, "CPUWeight=50\n" },
        { "\"cpu_shares\":1024", &host_v2, "CPUWeight=39\n" },
        { "\"cpu_shares\":1", &host, "CPUWeight=1\n" },
        { "\"cpu_shares\":9223372036854775807", &host_v2, "CPUWeight=10000\n" },
        { "\"blkio_config\":{\"weight\":500}", &host, "IOWeight=4500\n" },
        { "\"blkio_config\":{\"weight\":500}", &host_v2, "IOWeight=4950\n" },
        { "\"blkio_config\":{\"weight\":10}", &host_v2, "IOWeight=1\n" },
};

START_TEST(weights) {
        _cleanup_free_ char *json = NULL, *text = NULL, *again = NULL;
        _cleanup_json_ json_t *containers = NULL;
        json_int_t shares = 0, blkio = 0;
        PlDiagList diag = { 0 };

        ck_assert_int_ge(asprintf(&json, "{\"services\":{\"a\":{%s}}}", weight_rows[_i].body), 0);
        ck_assert_int_eq(pl_import_compose("x", json, strlen(json), weight_rows[_i].host, &diag,
                                           NULL, &text),
                         0);
        ck_assert_str_eq(strstr(text, ":a\n") + 3, weight_rows[_i].lines);
        /* and of the container that compose makes of it */
        if (sscanf(weight_rows[_i].body, "\"cpu_shares\":%lld", &shares) != 1)
                (void)sscanf(weight_rows[_i].body, "\"blkio_config\":{\"weight\":%lld", &blkio);
        containers = json_pack("[{s:s,s:s,s:{},s:{s:I,s:I}}]", "Id", ID, "Name", "/a", "Config",
                               "HostConfig", "CpuShares", shares, "BlkioWeight", blkio);
        ck_assert_ptr_nonnull(containers);
        ck_assert_int_eq(pl_import_engine("x", containers, weight_rows[_i].host, &diag, NULL,
                                          &again),
                         0);
        ck_assert_str_eq(strstr(again, "\n[Service a]\nMatch=name:a\n") + 26,
                         weight_rows[_i].lines);
        ck_assert_uint_eq(diag.n, 0);
}
END_TEST

static const struct {
        const char *json, *error;
} refused[] = {
        { "", "nothing is in it; has docker compose config --format json failed?" },
        { " \n", "nothing is in it" },
        { "x", "not JSON: " },
        { "services:\n  a:\n", "not JSON: this is YAML; plimsollctl import --compose reads it" },
        { "[Service a]\nMatch=name:a\n", "this is a policy already" },
        { "[Unit]\n", "this is a unit file" },
        { "\x1f\x8b", "this is a program or a packed file" },
        { "[]", "no \"services\"" },
        { "{}", "no \"services\"" },
        { "{\"services\":[]}", "no \"services\"" },
        { "{\"services\":null}", "no \"services\"" },
        { "{\"services\":{\"a\":{}}} trailing", "not JSON: " },
        { "{\"services\":{\"db\":{\"environment\":{\"POSTGRES_PASSWORD\":\"hunter2secret",
          "not JSON: " },
        { "{\"services\":{\"db\":{\"environment\":{\"POSTGRES_PASSWORD\":\"hunter2\\secret\"}}}}",
          "not JSON: " },
        { "{\"services\":{\"db\":{\"environment\":{\"PASSWORD\":hunter2}}}}", "not JSON: " },
};

START_TEST(refusal) {
        PlDiagList diag = { 0 };
        char *text = NULL;

        ck_assert_int_eq(pl_import_compose("x.json", refused[_i].json, strlen(refused[_i].json),
                                           &host, &diag, NULL, &text),
                         -EBADMSG);
        ck_assert_ptr_null(text);
        ck_assert_uint_eq(diag.n_errors, 1);
        ck_assert_msg(strstr(diag.items[0].message, refused[_i].error) != NULL, "%s",
                      diag.items[0].message);
        ck_assert_ptr_nonnull(strstr(diag.items[0].message, "docker compose config --format json"));
        ck_assert_ptr_null(strstr(diag.items[0].message, "hunter2"));
        pl_diag_list_deinit(&diag);
}
END_TEST

START_TEST(hostile_names) {
        _cleanup_free_ char *text = NULL;
        PlDiagList diag = { 0 };
        PlPolicy *p = import(
                        "{\"services\":{\"a]\\n[Daemon\":{\"pids_limit\":1},\"../x\":{},\"\":{},"
                        "\"ok\":{\"pids_limit\":2},\"no\":7}}",
                        &diag, &text);

        ck_assert_uint_eq(p->n_services, 1);
        ck_assert_str_eq(p->services[0]->name, "ok");
        ck_assert_uint_eq(diag.n, 4);
        for (size_t i = 0; i < diag.n; i++)
                ck_assert_ptr_null(strchr(diag.items[i].message, '\n'));
        pl_policy_unref(p);
        pl_diag_list_deinit(&diag);
}
END_TEST

START_TEST(depth) {
        enum { N = 100000 };
        char *json = malloc(2 * N + 32), *text = NULL;
        PlDiagList diag = { 0 };

        memset(json, '[', N);
        json[N] = '\0';
        ck_assert_int_eq(pl_import_compose("x", json, N, NULL, &diag, NULL, &text), -EBADMSG);
        ck_assert_uint_eq(diag.n_errors, 1);
        pl_diag_list_deinit(&diag);
        free(json);
}
END_TEST

/* As `docker compose config --format json` prints it. */
START_TEST(whole_file) {
        static const char json[] = "{\"name\":\"ml\",\"services\":{\"postgres\":{\"command\":null,"
                                   "\"deploy\":{\"resources\":{"
                                   "\"limits\":{\"cpus\":2,\"memory\":\"4294967296\",\"pids\":512},"
                                   "\"reservations\":{\"memory\":"
                                   "\"2147483648\"}},\"placement\":{}},\"entrypoint\":null,"
                                   "\"healthcheck\":{\"test\":[\"CMD-SHELL\","
                                   "\"pg_isready\"],\"timeout\":\"5s\",\"interval\":\"10s\","
                                   "\"retries\":5},\"image\":\"postgres:16\","
                                   "\"logging\":{\"driver\":\"json-file\",\"options\":{\"max-"
                                   "file\":\"3\",\"max-size\":\"10m\"}},"
                                   "\"networks\":{\"default\":null}},\"mlflow\":{\"depends_on\":{"
                                   "\"postgres\":{\"condition\":"
                                   "\"service_healthy\",\"required\":true}},\"image\":\"mlflow\"}},"
                                   "\"networks\":{\"default\":{\"name\":"
                                   "\"ml_default\"}}}";
        _cleanup_free_ char *text = NULL;
        PlDiagList diag = { 0 };
        PlPolicy *p = import(json, &diag, &text);

        ck_assert_uint_eq(diag.n, 0);
        ck_assert_str_eq(text, HEAD
                         "\n[Service ml-postgres]\nMatch=compose-project:ml "
                         "compose-service:postgres\nCPUQuota=200%\n"
                         "MemoryMax=4G\nMemoryLow=2G\nTasksMax=512\nLogMaxSize="
                         "10000000\nLogMaxFiles=2\n"
                         "ProbeInterval=10s\nProbeTimeout=5s\nProbeFailures=5\n"
                         "\n[Service ml-mlflow]\nMatch=compose-project:ml compose-service:mlflow\n"
                         "After=ml-postgres\n");
        pl_policy_unref(p);
}
END_TEST

/* What jansson refuses, and no policy needs. */
static const char *const softened[] = {
        "\xef\xbb\xbf{\"services\":{\"db\":{\"mem_limit\":\"1g\"}}}",
        "{\"x-big\":12345678901234567890123,\"services\":{\"db\":{\"mem_limit\":\"1g\"}}}",
        ("{\"x-big\":[-12345678901234567890123 , 0.12345678901234567890123, "
         "12345678901234567890.5e3],\"services\":{\"db\":{\"mem_limit\":\"1g\"}}}"),
        "{\"x-nul\":\"a\\u0000b\\\\\",\"services\":{\"db\":{\"mem_limit\":\"1g\"}}}",
        "{\"x-bytes\":\"\xff\xc3\",\"services\":{\"db\":{\"mem_limit\":\"1g\"}}}",
        "{\"x-text\":\"12345678901234567890123\",\"services\":{\"db\":{\"mem_limit\":\"1g\"}}}",
};

START_TEST(soft) {
        _cleanup_free_ char *text = NULL;
        PlDiagList diag = { 0 };
        PlPolicy *p = import(softened[_i], &diag, &text);

        ck_assert_uint_eq(diag.n, 0);
        ck_assert_str_eq(text, HEAD "\n[Service db]\nMatch=compose-service:db\nMemoryMax=1G\n");
        pl_policy_unref(p);
        pl_diag_list_deinit(&diag);
}
END_TEST

/* Two projects have a "db", and each keeps its own limits, whatever else is in the policy. */
START_TEST(two_projects) {
        static const char *const jsons[] = {
                "{\"name\":\"blog\",\"services\":{\"db\":{\"mem_limit\":\"1073741824\"}}}",
                "{\"name\":\"shop\",\"services\":{\"db\":{\"mem_limit\":\"134217728\",\"pids_"
                "limit\":50}}}",
        };
        _cleanup_(pl_policy_unrefp) PlPolicy *policy = NULL;
        PlPolicySource sources[3] = { { "main", "[Service db]\nMatch=compose-service:db\n", 39 } };
        char *texts[2] = { 0 };
        PlDiagList diag = { 0 };

        sources[0].size = strlen(sources[0].text);
        for (size_t i = 0; i < 2; i++) {
                ck_assert_int_eq(pl_import_compose("x", jsons[i], strlen(jsons[i]), &host, &diag,
                                                   NULL, &texts[i]),
                                 0);
                sources[1 + i] = (PlPolicySource){ i ? "b" : "a", texts[i], strlen(texts[i]) };
        }
        ck_assert_int_eq(pl_policy_parse(sources, 3, &host, &diag, &policy), 0);
        ck_assert_uint_eq(diag.n, 0);
        for (size_t i = 0; i < 2; i++) {
                PlPair labels[] = {
                        { (char *)"com.docker.compose.project", (char *)(i ? "shop" : "blog") },
                        { (char *)"com.docker.compose.service", (char *)"db" },
                };
                const PlContainer c = { .labels = labels, .n_labels = 2 };
                const PlService *s = pl_policy_match(policy, &c);

                ck_assert_str_eq(s->name, i ? "shop-db" : "blog-db");
                ck_assert_uint_eq(s->limits.v[PL_RESOURCE_MEMORY_MAX].number,
                                  i ? MIB(128) : GIB(1));
                ck_assert(s->limits.v[PL_RESOURCE_TASKS_MAX].set == (i == 1));
                free(texts[i]);
        }
        pl_diag_list_deinit(&diag);
}
END_TEST

/* Names that no section can have, and circles, which check would refuse. */
START_TEST(names_and_circles) {
        _cleanup_free_ char *text = NULL;
        PlDiagList diag = { 0 };
        PlImportCount count = { 0 };
        PlPolicy *p = NULL;
        static const char json[] =
                        "{\"services\":{\"_db\":{\"mem_limit\":\"1g\"},\"-db\":{},\"db\":{},\"_\":{"
                        "},"
                        "\"web\":{\"depends_on\":{\"_db\":{\"condition\":\"service_healthy\"}}},"
                        "\"x\":{\"depends_on\":[\"y\"]},\"y\":{\"depends_on\":[\"x\",\"web\"]},"
                        "\"z\":{\"depends_on\":[\"x\"]}}}";
        int r;

        ck_assert_int_eq(pl_import_compose("x", json, strlen(json), &host, &diag, &count, &text),
                         0);
        r = pl_policy_parse(&(PlPolicySource){ "out", text, strlen(text) }, 1, &host, &diag, &p);
        ck_assert_msg(r == 0, "%s", text);
        ck_assert_uint_eq(count.n_services, 8);
        ck_assert_uint_eq(count.n_limits, 1);
        ck_assert_msg(strstr(text, "[Service db]\nMatch=compose-service:_db\nMemoryMax=1G\n") &&
                                      strstr(text, "[Service db-2]\nMatch=compose-service:-db\n") &&
                                      strstr(text, "[Service db-3]\nMatch=compose-service:db\n") &&
                                      strstr(text,
                                             "[Service service]\nMatch=compose-service:_\n") &&
                                      strstr(text, "[Service "
                                                   "web]\nMatch=compose-service:web\nAfter=db\n") &&
                                      strstr(text,
                                             "[Service y]\nMatch=compose-service:y\nAfter=web\n"),
                      "%s", text);
        /* z only leads to the circle */
        ck_assert_ptr_nonnull(strstr(text, "[Service z]\nMatch=compose-service:z\nAfter=x\n"));
        ck_assert_uint_eq(diag.n, 2);
        ck_assert_ptr_nonnull(strstr(diag.items[0].message, "wait for each other"));
        pl_policy_unref(p);
        pl_diag_list_deinit(&diag);
}
END_TEST

/* Every key that the compose specification has, from its schema; see the file for the source. */
START_TEST(every_key_is_known) {
        char line[256];
        size_t n = 0;
        FILE *f = fopen(PLIMSOLL_SOURCE_ROOT "/tests/unit/compose-keys.txt", "re");

        ck_assert_ptr_nonnull(f);
        while (fgets(line, sizeof(line), f)) {
                const char *why;

                line[strcspn(line, "\n")] = '\0';
                if (*line == '#' || !*line)
                        continue;
                ck_assert_msg(pl_import_knows(line, &why), "nothing is known of the key %s", line);
                n++;
        }
        (void)fclose(f);
        ck_assert_uint_gt(n, 100);
}
END_TEST

/* --- whatever a file says becomes a line, or is told --- */

/* Where a value goes, what it may be (some are garbage, some beyond what a policy can say), the
 * line that it may become, and the words that tell of it else. Of alternatives (deploy's and
 * compose's older names) a service has one: compose refuses more. */
static const struct {
        const char *path, *values[6], *line, *words;
} sayings[] = {
        { "mem_limit",
          { "\"67108864\"", "268435456", "\"1g\"", "\"much\"", "[1]", "\"2k\"" },
          "MemoryMax",
          "mem" },
        { "deploy.resources.limits.memory",
          { "\"67108864\"", "\"512M\"", "7.5", "{\"a\":1}" },
          "MemoryMax",
          "memory" },
        { "mem_reservation",
          { "\"33554432\"", "\"1g\"", "\"x\"", "true" },
          "MemoryLow",
          "reservation" },
        { "memswap_limit",
          { "\"1073741824\"", "-1", "\"-1\"", "1", "\"x\"" },
          "MemorySwapMax",
          "memswap_limit" },
        { "cpus", { "1.5", "\"0.25\"", "0.00001", "\"two\"", "9000" }, "CPUQuota", "cpus" },
        { "cpu_quota",
          { "50000", "\"1000\"", "1", "\"x\"", "9000000000000000000" },
          "CPUQuota",
          "cpu" },
        { "cpu_period", { "50000", "\"200000\"", "5", "[1]" }, "CPUQuotaPeriodSec", "cpu_period" },
        { "cpu_shares", { "512", "\"2048\"", "1", "\"x\"", "1e300" }, "CPUWeight", "cpu_shares" },
        { "cpuset", { "\"0-1\"", "\"1,3\"", "\"a-b\"", "7" }, "AllowedCPUs", "cpuset" },
        { "pids_limit", { "100", "\"7\"", "99999999", "\"x\"", "1.5" }, "TasksMax", "pids_limit" },
        { "blkio_config.weight",
          { "500", "\"10\"", "5", "\"x\"", "70000" },
          "IOWeight",
          "blkio_config.weight" },
        { "blkio_config.device_read_bps",
          { "[{\"path\":\"/dev/sda\",\"rate\":\"12mb\"}]",
            "[{\"Path\":\"/dev/sda\",\"Rate\":4096}]",
            "[{\"path\":\"/dev/null\",\"rate\":\"1mb\"}]", "[7]", "{\"a\":1}", "\"x\"" },
          "IOReadBandwidthMax",
          "device_read_bps" },
        { "blkio_config.device_write_iops",
          { "[{\"path\":\"/dev/sda\",\"rate\":9}]", "\"x\"", "7" },
          NULL,
          "device_write_iops" },
        { "logging.options.max-size",
          { "\"10m\"", "\"1g\"", "\"5\"", "\"x\"", "[1]" },
          "LogMaxSize",
          "max-size" },
        { "logging.options.max-file",
          { "\"3\"", "5", "99999", "\"x\"" },
          "LogMaxFiles",
          "max-file" },
        { "healthcheck.interval",
          { "\"10s\"", "\"1m30s\"", "\"100ms\"", "\"240h\"", "\"soon\"", "7" },
          "ProbeInterval",
          "healthcheck.interval" },
        { "healthcheck.timeout",
          { "\"3s\"", "\"20m\"", "\"1us\"", "\"x\"" },
          "ProbeTimeout",
          "healthcheck.timeout" },
        { "healthcheck.retries",
          { "3", "\"5\"", "100000", "\"z\"" },
          "ProbeFailures",
          "healthcheck.retries" },
        { "healthcheck.start_period",
          { "\"30s\"", "\"72h\"", "{\"a\":1}" },
          "ProbeStartPeriod",
          "healthcheck.start_period" },
        { "healthcheck.start_interval", { "\"5s\"" }, NULL, "start_interval" },
        { "depends_on",
          { "[\"b\"]", "{\"b\":{}}", "[\"zz\"]", "[7]", "\"b\"", "{\"a\":{}}" },
          "After",
          "depends_on" },
        { "ulimits", { "{\"nofile\":9}", "[1]", "7" }, NULL, "ulimits" },
        { "shm_size", { "\"64m\"", "1" }, NULL, "shm_size" },
        { "gpus", { "[{\"count\":-1}]", "\"all\"" }, NULL, "gpus" },
        { "mem_swappiness", { "0", "\"60\"" }, NULL, "mem_swappiness" },
        { "deploy.resources.reservations.cpus", { "\"1\"", "2" }, NULL, "reservations.cpus" },
        { "frobnicate", { "1", "{\"secret\":\"hunter2\"}" }, NULL, "frobnicate" },
};

static unsigned pick(unsigned *seed, unsigned n) {
        return (unsigned)rand_r(seed) % n;
}

static void put_path(json_t *o, const char *path, json_t *value) {
        char name[64];
        size_t n;

        for (; path[n = strcspn(path, ".")]; path += n + 1) {
                json_t *inner;

                (void)snprintf(name, sizeof(name), "%.*s", (int)n, path);
                inner = json_object_get(o, name);
                if (!inner) {
                        inner = json_object();
                        ck_assert_int_eq(json_object_set_new(o, name, inner), 0);
                }
                o = inner;
        }
        ck_assert_int_eq(json_object_set_new(o, path, value), 0);
}

/* Which ones it has is written as a mask. */
static json_t *random_service(unsigned *seed, uint64_t *ret_mask) {
        json_t *service = json_pack("{s:s}", "image", "x");

        *ret_mask = 0;
        for (size_t i = 0; i < PL_ARRAY_SIZE(sayings); i++) {
                json_t *value = NULL;

                if (pick(seed, 3) > 0 ||
                    (pl_streq(sayings[i].path, "deploy.resources.limits.memory") && *ret_mask & 1))
                        continue;
                while (!value) { /* a value that is none of JSON is passed over */
                        const char *text = sayings[i].values[pick(seed, 6)];

                        value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
                }
                put_path(service, sayings[i].path, value);
                *ret_mask |= UINT64_C(1) << i;
        }
        return service;
}

/* Is there such a line in the section, or such a word in a message? */
static bool is_told(const char *section, const char *key, const char *words,
                    const PlDiagList *diag) {
        _cleanup_free_ char *line = NULL;

        ck_assert_int_ge(asprintf(&line, "\n%s=", key ?: "?"), 0);
        if (key && strstr(section, line))
                return true;
        for (size_t i = 0; i < diag->n; i++)
                if (pl_startswith(diag->items[i].message, "a: ") &&
                    strstr(diag->items[i].message, words))
                        return true;
        return false;
}

START_TEST(nothing_is_lost_in_silence) {
        for (unsigned i = 0; i < 500; i++) {
                unsigned seed = (unsigned)_i * 500 + i;
                uint64_t mask;
                _cleanup_json_ json_t *root =
                                json_pack("{s:s,s:{s:o,s:{}}}", "name", "p", "services", "a",
                                          random_service(&seed, &mask), "b");
                _cleanup_free_ char *json = json_dumps(root, 0), *text = NULL, *again = NULL;
                PlDiagList diag = { 0 }, second = { 0 };
                PlPolicy *p;
                char *end;

                ck_assert_ptr_nonnull(json);
                p = import(json, &diag, &text); /* what comes out passes check */
                ck_assert_int_eq(pl_import_compose("stack.json", json, strlen(json), &host, &second,
                                                   NULL, &again),
                                 0);
                ck_assert_str_eq(text, again);
                ck_assert_ptr_null(strstr(text, "hunter2"));
                for (size_t k = 0; k < diag.n; k++)
                        ck_assert_ptr_null(strstr(diag.items[k].message, "hunter2"));
                end = strstr(text, "\n[Service p-b]");
                ck_assert_ptr_nonnull(end);
                *end = '\0';
                for (size_t k = 0; k < PL_ARRAY_SIZE(sayings); k++)
                        if (mask & UINT64_C(1) << k)
                                ck_assert_msg(is_told(text, sayings[k].line, sayings[k].words,
                                                      &diag),
                                              "%u: %s is lost: %s\n%s", seed, sayings[k].path, json,
                                              text);
                pl_policy_unref(p);
                pl_diag_list_deinit(&diag);
                pl_diag_list_deinit(&second);
        }
}
END_TEST

int main(void) {
        TCase *tc = tcase_create("import");

        tcase_add_loop_test(tc, row, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(tc, weights, 0, PL_ARRAY_SIZE(weight_rows));
        tcase_add_loop_test(tc, nothing_is_lost_in_silence, 0, 4);
        tcase_add_loop_test(tc, refusal, 0, PL_ARRAY_SIZE(refused));
        tcase_add_loop_test(tc, soft, 0, PL_ARRAY_SIZE(softened));
        tcase_add_test(tc, two_projects);
        tcase_add_test(tc, names_and_circles);
        tcase_add_test(tc, every_key_is_known);
        tcase_add_test(tc, hostile_names);
        tcase_add_test(tc, depth);
        tcase_add_test(tc, whole_file);
        return run_case(tc);
}
