/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Import from an engine: what containers have is what the policy says, and a policy that holds
 * changes nothing when it is imported again.
 */

#include "lib/base/json.h"
#include "lib/docker/answer.h"
#include "lib/docker/update.h"
#include "lib/policy/import.h"
#include "policy-texts.h"

#define ID   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEAD "# From the engine at unix:///x, by plimsollctl import.\n"

static PlHierarchy hierarchy = PL_HIERARCHY_V1;

static const char *const web = HEAD "\n[Service web]\nMatch=name:web\n";

/* Of containers; the policy must be a good one. */
static char *import(const json_t *containers, PlDiagList *diag, PlImportCount *count) {
        PlDiagList problems = { 0 };
        char *text = NULL;
        const char *texts[1];
        PlHost here = host;
        int r;

        here.hierarchy = hierarchy;
        r = pl_import_engine("unix:///x", containers, &here, diag, count, &text);

        ck_assert_int_eq(r, 0);
        texts[0] = text;
        pl_policy_unref(parse_texts(texts, 1, &problems, &r));
        ck_assert_msg(r == 0, "%s\n%s", problems.n ? problems.items[0].message : "", text);
        pl_diag_list_deinit(&problems);
        return text;
}

static const struct {
        const char *host, *config, *lines, *warning;
} rows[] = {
        { "", "", "", NULL },
        { "\"Memory\":536870912,\"MemorySwap\":1073741824", "",
          "MemoryMax=512M\nMemorySwapMax=512M\n", NULL },
        { "\"Memory\":536870912,\"MemorySwap\":-1", "", "MemoryMax=512M\nMemorySwapMax=infinity\n",
          NULL },
        { "\"Memory\":536870912,\"MemorySwap\":536870912,\"MemoryReservation\":268435456", "",
          "MemoryMax=512M\nMemoryLow=256M\nMemorySwapMax=0\n", NULL },
        { "\"Memory\":0,\"MemorySwap\":0,\"PidsLimit\":null,\"CpuShares\":0", "", "", NULL },
        { "\"Memory\":0,\"MemorySwap\":-1,\"PidsLimit\":-1", "", "", NULL },
        { "\"NanoCpus\":1500000000,\"PidsLimit\":64", "", "CPUQuota=150%\nTasksMax=64\n", NULL },
        { "\"CpuQuota\":50000,\"CpuPeriod\":200000", "",
          "CPUQuota=25%\nCPUQuotaPeriodSec=200000us\n", NULL },
        { "\"CpuShares\":512,\"CpusetCpus\":\"0,1\"", "", "CPUWeight=50\nAllowedCPUs=0-1\n", NULL },
        { "\"BlkioWeight\":500,\"BlkioDeviceReadBps\":[{\"Path\":\"/dev/sda\",\"Rate\":1000000}]",
          "", "IOWeight=4500\nIOReadBandwidthMax=/dev/sda 1000000\n", NULL },
        { "\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"10m\",\"max-file\":"
          "\"3\"}}",
          "", "LogMaxSize=10000000\nLogMaxFiles=2\n", NULL },
        { "\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{}}", "", "", NULL },
        { "\"LogConfig\":{\"Type\":\"local\",\"Config\":{\"max-size\":\"10m\"}}", "", "",
          "that driver keeps its own logs" },
        { "",
          "\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":5000000000,\"Timeout\":"
          "1500000000,"
          "\"Retries\":7}",
          "ProbeInterval=5s\nProbeTimeout=1.5s\nProbeFailures=7\n", NULL },
        { "", "\"Healthcheck\":{\"Test\":[\"NONE\"],\"Interval\":5000000000}", "", NULL },
        { "\"ShmSize\":67108864,\"OomScoreAdj\":0,\"MemorySwappiness\":-1,\"OomKillDisable\":false,"
          "\"Ulimits\":null,\"DeviceRequests\":[],\"StorageOpt\":{}",
          "", "", NULL },
        { "\"ShmSize\":1073741824", "", "", "shm_size: a policy has no key for it" },
        { "\"Ulimits\":[{\"Name\":\"nofile\",\"Hard\":9,\"Soft\":9}]", "", "", "ulimits: " },
        { "\"DeviceRequests\":[{\"Count\":-1}]", "", "", "gpus: a policy has no key for GPUs" },
        { "\"OomKillDisable\":true", "", "", "oom_kill_disable: " },
        { "\"BlkioDeviceReadIOps\":[{\"Path\":\"/dev/sda\",\"Rate\":9}]", "", "",
          "device_read_iops: " },
        { "\"Memory\":4096", "", "", "memory limit: too small" },
        { "", "\"Env\":[\"POSTGRES_PASSWORD=hunter2\"]", "", NULL },
};

START_TEST(row) {
        _cleanup_json_ json_t *containers = NULL;
        _cleanup_free_ char *json = NULL, *text = NULL, *want = NULL;
        PlDiagList diag = { 0 };

        ck_assert_int_ge(asprintf(&json,
                                  "[{\"Id\":\"" ID "\",\"Name\":\"/web\",\"HostConfig\":{%s},"
                                  "\"Config\":{%s}}]",
                                  rows[_i].host, rows[_i].config),
                         0);
        ck_assert_int_ge(asprintf(&want, "%s%s", web, rows[_i].lines), 0);
        containers = json_loads(json, 0, NULL);
        text = import(containers, &diag, NULL);
        ck_assert_str_eq(text, want);
        ck_assert_msg(diag.n == (rows[_i].warning ? 1 : 0), "%s: %s", json,
                      diag.n ? diag.items[0].message : "no warning");
        if (rows[_i].warning)
                ck_assert_ptr_nonnull(strstr(diag.items[0].message, rows[_i].warning));
        pl_diag_list_deinit(&diag);
}
END_TEST

#define C(name, labels, memory)                                                     \
        "{\"Id\":\"" ID "\",\"Name\":\"/" name "\",\"Config\":{\"Labels\":{" labels \
        "}},\"HostConfig\":{\"Memory\":" memory "}}"
#define COMPOSED(project, service, more)                                                           \
        "\"com.docker.compose.project\":\"" project "\",\"com.docker.compose.service\":\"" service \
        "\"" more

/* clang-format off */
#define DB(project) COMPOSED(project, "db", "")
#define NEEDS       ",\"com.docker.compose.depends_on\":\"db:service_healthy:false,x:y\""
#define ONEOFF      ",\"com.docker.compose.oneoff\":\"True\""
#define SWARM       "\"com.docker.swarm.service.name\":\"api\""
#define QUADLET     "\"PODMAN_SYSTEMD_UNIT\":\"q.service\""

static const char json_of_many[] =
        "[" C("shop-db-1", DB("shop"), "67108864")
        "," C("shop-db-2", DB("shop"), "67108864")
        "," C("blog-db-1", DB("blog"), "134217728")
        "," C("blog-db-2", DB("blog"), "268435456")
        "," C("blog-web-1", COMPOSED("blog", "web", NEEDS), "0")
        "," C("blog-web-run-1", COMPOSED("blog", "web", ONEOFF), "67108864")
        "," C("api.1.q8x", SWARM, "67108864")
        "," C("q", QUADLET, "0")
        "," C("db", "", "0") ",{}]";
/* clang-format on */

/* Whom a section is for outlives the container; two projects have a "db" each. */
START_TEST(belonging) {
        _cleanup_json_ json_t *containers = json_loads(json_of_many, 0, NULL);
        _cleanup_free_ char *text = NULL;
        PlImportCount count = { 0 };
        PlDiagList diag = { 0 };

        text = import(containers, &diag, &count);
        ck_assert_str_eq(text,
                         HEAD "\n[Service shop-db]\nMatch=compose-project:shop compose-service:db\n"
                              "MemoryMax=64M\n"
                              "\n[Service blog-db]\nMatch=compose-project:blog compose-service:db\n"
                              "MemoryMax=128M\n"
                              "\n[Service blog-web]\nMatch=compose-project:blog "
                              "compose-service:web\nAfter=blog-db\n"
                              "\n[Service blog-web-run-1]\nMatch=name:blog-web-run-1\n"
                              "MemoryMax=64M\n"
                              "\n[Service api]\nMatch=swarm-service:api\nMemoryMax=64M\n"
                              "\n[Service q.service]\nMatch=unit:q.service\n"
                              "\n[Service db]\nMatch=name:db\n");
        ck_assert_uint_eq(count.n_services, 7);
        ck_assert_uint_eq(count.n_limits, 4);
        ck_assert_uint_eq(count.n_left_out, 3);
        ck_assert_ptr_nonnull(strstr(diag.items[0].message, "db: another container of it: it has "
                                                            "other values than the first one"));
        ck_assert_ptr_nonnull(strstr(diag.items[1].message,
                                     "container: answer: it is none that an engine gives"));
        ck_assert_ptr_nonnull(strstr(diag.items[2].message, "there is no such service"));
        pl_diag_list_deinit(&diag);
}
END_TEST

/* --- import, hold, import again: nothing changes --- */

static unsigned pick(unsigned *seed, unsigned n) {
        return (unsigned)rand_r(seed) % n;
}

/* Now and then. */
static void put(json_t *o, unsigned *seed, const char *key, json_int_t least, unsigned range,
                json_int_t step) {
        if (pick(seed, 3) > 0)
                (void)json_object_set_new(
                                o, key, json_integer(least + (json_int_t)pick(seed, range) * step));
}

static json_t *random_container(unsigned *seed) {
        json_t *o = json_object(), *c;
        static const char *const cpus[] = { "0", "0-1", "1,3", "" };

        put(o, seed, "Memory", (json_int_t)MIB(6), 8192, 4096 * 77);
        if (json_object_get(o, "Memory") && pick(seed, 2))
                put(o, seed, "MemorySwap", json_integer_value(json_object_get(o, "Memory")), 4096,
                    4096 * 3);
        put(o, seed, "MemoryReservation", (json_int_t)MIB(1), 9999, 4096);
        if (pick(seed, 2)) {
                put(o, seed, "NanoCpus", 10000000, 400, 9990000);
        } else {
                put(o, seed, "CpuQuota", 1000, 400000, 1);
                put(o, seed, "CpuPeriod", 1000, 1000000, 1);
        }
        put(o, seed, "CpuShares", 2, 262143, 1);
        put(o, seed, "PidsLimit", 1, 5000, 1);
        put(o, seed, "BlkioWeight", 10, 991, 1);
        (void)json_object_set_new(o, "CpusetCpus", json_string(cpus[pick(seed, 4)]));
        c = json_pack("[{s:s,s:s,s:o,s:{}}]", "Id", ID, "Name", "/web", "HostConfig", o, "Config");
        ck_assert_ptr_nonnull(c);
        return c;
}

/* plimsolld tells the engine what the policy says. */
static void hold(json_t *container, const char *policy_text) {
        const PlDockerHost where = { hierarchy, hierarchy, 4, NULL };
        _cleanup_free_ char *document = json_dumps(container, 0), *body = NULL;
        _cleanup_(pl_container_freep) PlContainer *c = NULL;
        PlDiagList diag = { 0 };
        PlPolicy *p;
        uint32_t not ;
        int r;

        p = parse_texts(&policy_text, 1, &diag, &r);
        ck_assert_int_eq(r, 0);
        ck_assert_int_eq(pl_docker_parse_inspect(document, strlen(document), &c), 0);
        ck_assert_int_eq(pl_docker_format_update(&p->services[0]->limits, &c->host, &where, &body,
                                                 &not ),
                         0);
        if (body) {
                json_t *update = json_loads(body, 0, NULL);

                (void)json_object_update(json_object_get(container, "HostConfig"), update);
                json_decref(update);
        }
        pl_policy_unref(p);
        pl_diag_list_deinit(&diag);
}

/* What a compose file says for the engine to make such a container. */
static json_t *compose_of(const json_t *container) {
        static const char *const members[][2] = {
                { "Memory", "mem_limit" },
                { "MemorySwap", "memswap_limit" },
                { "MemoryReservation", "mem_reservation" },
                { "CpuQuota", "cpu_quota" },
                { "CpuPeriod", "cpu_period" },
                { "CpuShares", "cpu_shares" },
                { "PidsLimit", "pids_limit" },
                { "CpusetCpus", "cpuset" },
        };
        const json_t *have = json_object_get(container, "HostConfig");
        json_int_t nano = json_integer_value(json_object_get(have, "NanoCpus"));
        json_t *o = json_object(), *weight = json_object_get(have, "BlkioWeight");

        for (size_t i = 0; i < PL_ARRAY_SIZE(members); i++) {
                json_t *v = json_object_get(have, members[i][0]);

                if (v)
                        (void)json_object_set(o, members[i][1], v);
        }
        if (nano > 0)
                (void)json_object_set_new(o, "cpus", json_real((double)nano / 1e9));
        if (weight)
                (void)json_object_set_new(o, "blkio_config", json_pack("{s:O}", "weight", weight));
        return json_pack("{s:{s:o}}", "services", "web", o);
}

/* From the file and from its container comes the same, but for by what it is matched. */
static void compare_with_compose(const json_t *container, const char *from_engine) {
        const PlHost where = { GIB(8), 4, 4096, NULL, hierarchy };
        _cleanup_json_ json_t *root = compose_of(container);
        _cleanup_free_ char *json = json_dumps(root, 0), *text = NULL;
        const char *a = strstr(from_engine, "Match="), *b;
        PlDiagList diag = { 0 };

        ck_assert_int_eq(pl_import_compose("x", json, strlen(json), &where, &diag, NULL, &text), 0);
        b = strstr(text, "Match=");
        ck_assert(a && b);
        ck_assert_msg(pl_streq(strchr(a, '\n'), strchr(b, '\n')), "%s\n%s\nand of the engine\n%s",
                      json, text, from_engine);
        pl_diag_list_deinit(&diag);
}

START_TEST(again_and_again) {
        hierarchy = _i % 2 ? PL_HIERARCHY_V2 : PL_HIERARCHY_V1;
        for (unsigned i = 0; i < 500; i++) {
                unsigned seed = (unsigned)_i * 500 + i;
                _cleanup_json_ json_t *containers = random_container(&seed);
                _cleanup_free_ char *first = NULL, *second = NULL;
                PlDiagList diag = { 0 };

                first = import(containers, &diag, NULL);
                compare_with_compose(json_array_get(containers, 0), first);
                hold(json_array_get(containers, 0), first);
                second = import(containers, &diag, NULL);
                ck_assert_msg(pl_streq(first, second), "%u: %s\nand then %s", i, first, second);
                pl_diag_list_deinit(&diag);
        }
}
END_TEST

int main(void) {
        TCase *t = tcase_create("import-engine");

        tcase_add_loop_test(t, row, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, belonging);
        tcase_add_loop_test(t, again_and_again, 0, 4);
        return run_case(t);
}
