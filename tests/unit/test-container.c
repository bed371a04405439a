/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inspect answers to containers: one probe per member, over recorded and hostile answers.
 */
#include <errno.h>

#include "lib/docker/container.h"
#include "lib/base/strv.h"
#include "lib/docker/answer.h"
#include "lib/docker/update.h"
#include "lib/limits/resource.h"
#include "unit.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Everything of a container in one line, so that a row can say all that it expects. */
static void show(FILE *f, const PlContainer *c) {
        fprintf(f, "%s %s image=%s", c->name, pl_phase_to_string(c->phase), c->image);
        if (c->pid)
                fprintf(f, " pid=%d", (int)c->pid);
        if (c->healthcheck.status)
                fprintf(f, " health=%d", c->healthcheck.status);
        if (c->healthcheck.unsure)
                fprintf(f, " unsure");
        if (c->healthcheck.start_period_usec)
                fprintf(f, " startperiod=%" PRIu64, c->healthcheck.start_period_usec);
        if (c->stop.timeout_usec != 10 * PL_USEC_PER_SEC)
                fprintf(f, " stoptimeout=%" PRIu64, c->stop.timeout_usec);
        if (c->stop.signal)
                fprintf(f, " stopsignal=%d", c->stop.signal);
        if (c->host.auto_remove)
                fputs(" rm", f);
        if (c->oom_killed)
                fputs(" oom", f);
        if (c->exit_code)
                fprintf(f, " exit=%d", c->exit_code);
        if (c->restart_count)
                fprintf(f, " restarts=%u", c->restart_count);
        if (c->started_usec)
                fprintf(f, " started=%" PRIu64, c->started_usec);
        if (c->host.memory)
                fprintf(f, " mem=%" PRIi64 "/%" PRIi64, c->host.memory, c->host.memory_swap);
        if (c->host.nano_cpus || c->host.cpu_quota)
                fprintf(f, " cpu=%" PRIi64 "/%" PRIi64, c->host.nano_cpus, c->host.cpu_quota);
        if (c->host.pids_limit)
                fprintf(f, " pids=%" PRIi64, c->host.pids_limit);
        if (c->host.read_bps)
                fprintf(f, " read=%s", c->host.read_bps);
        if (c->host.write_bps)
                fprintf(f, " write=%s", c->host.write_bps);
        if (c->host.restart_policy[0])
                fprintf(f, " restart=%s", c->host.restart_policy);
        for (size_t i = 0; i < c->n_labels; i++)
                fprintf(f, " L:%s=%s", c->labels[i].key, c->labels[i].value);
        for (size_t i = 0; i < c->reach.n_networks; i++)
                fprintf(f, " N:%s=%s,%s%s%s", c->reach.networks[i].name, c->reach.networks[i].ip,
                        c->reach.networks[i].ip6, c->reach.networks[i].id[0] ? "#" : "",
                        c->reach.networks[i].id);
        for (size_t i = 0; i < c->reach.n_ports; i++)
                fprintf(f, " P:%u%s=%s:%u", c->reach.ports[i].container_port,
                        c->reach.ports[i].udp ? "u" : "", c->reach.ports[i].host_ip,
                        c->reach.ports[i].host_port);
        for (size_t i = 0; i < c->n_mounts; i++)
                fprintf(f, " M:%s,%s,%s", c->mounts[i].type, c->mounts[i].source,
                        c->mounts[i].destination);
        if (c->log.driver[0] || c->log.path[0])
                fprintf(f, " log=%s,%s", c->log.driver, c->log.path);
        for (size_t i = 0; i < c->log.n_options; i++)
                fprintf(f, " O:%s=%s", c->log.options[i].key, c->log.options[i].value);
        for (char *const *w = c->launch.words; w && *w; w++)
                fprintf(f, " W:%s", *w);
        for (size_t i = 0; i < c->launch.n_env; i++)
                fprintf(f, " E:%s=%s", c->launch.env[i].key, c->launch.env[i].value);
}

#define BODY(members) \
        "{\"Id\":\"" A64 "\",\"Name\":\"/n\",\"Config\":{\"Image\":\"i\"}," members "}"
#define CONFIG(members) \
        "{\"Id\":\"" A64 "\",\"Name\":\"/n\",\"Config\":{\"Image\":\"i\"," members "}}"

static const struct {
        const char *name, *body, *shown; /* NULL: -EBADMSG */
} rows[] = {
        { "the id alone", "{\"Id\":\"" A64 "\"}", "aaaaaaaaaaaa unknown image=" },
        { "no id", "{\"Name\":\"/n\"}", NULL },
        { "short id", "{\"Id\":\"abc\"}", NULL },
        { "error instead", "{\"message\":\"x\"}", NULL },
        { "half", "{\"Id\":\"" A64 "\",\"Na", NULL },
        { "list instead", "[{\"Id\":\"" A64 "\"}]", NULL },
        { "running",
          BODY("\"State\":{\"Status\":\"running\",\"Running\":true,\"Pid\":12,\"StartedAt\":"
               "\"2023-11-14T22:13:20.5Z\"}"),
          "n running image=i pid=12 started=1700000000500000" },
        { "never started",
          BODY("\"State\":{\"Status\":\"created\",\"StartedAt\":\"0001-01-01T00:00:00Z\"}"),
          "n created image=i" },
        { "Running while restarting, no pid",
          BODY("\"State\":{\"Status\":\"restarting\",\"Running\":true,\"Restarting\":true,\"Pid\":"
               "0},"
               "\"RestartCount\":5"),
          "n restarting image=i restarts=5" },
        { "no Status: restarting before running",
          BODY("\"State\":{\"Running\":true,\"Restarting\":true}"), "n restarting image=i" },
        { "no Status: paused", BODY("\"State\":{\"Running\":true,\"Paused\":true,\"Pid\":3}"),
          "n paused image=i pid=3" },
        { "podman's stopped", BODY("\"State\":{\"Status\":\"stopped\"}"), "n exited image=i" },
        { "a word of tomorrow",
          BODY("\"State\":{\"Status\":\"dreaming\",\"Running\":true,\"Pid\":3}"),
          "n running image=i pid=3" },
        { "OOMKilled, exit 137",
          BODY("\"State\":{\"Status\":\"exited\",\"OOMKilled\":true,\"ExitCode\":137}"),
          "n exited image=i oom exit=137" },
        { "pid out of range", BODY("\"State\":{\"Status\":\"running\",\"Pid\":99999999999}"),
          "n running image=i" },
        { "negative pid", BODY("\"State\":{\"Status\":\"running\",\"Pid\":-1}"),
          "n running image=i" },
        { "unhealthy", BODY("\"State\":{\"Health\":{\"Status\":\"unhealthy\"}}"),
          "n unknown image=i health=3" },
        { "unhealthy, and the check had run",
          BODY("\"State\":{\"Health\":{\"Status\":\"unhealthy\",\"Log\":[{\"ExitCode\":-1,"
               "\"Output\":\"OCI\"},"
               "{\"ExitCode\":1,\"Output\":\"\"}]}}"),
          "n unknown image=i health=3" },
        { "unhealthy, and the check took too long",
          BODY("\"State\":{\"Health\":{\"Status\":\"unhealthy\",\"Log\":[{\"ExitCode\":-1,"
               "\"Output\":"
               "\"Health check exceeded timeout (5s)\"}]}}"),
          "n unknown image=i health=3" },
        { "unhealthy, because the check could not be run",
          BODY("\"State\":{\"Health\":{\"Status\":\"unhealthy\",\"Log\":[{\"ExitCode\":0,"
               "\"Output\":\"\"},"
               "{\"ExitCode\":-1,\"Output\":\"OCI runtime exec failed: exec failed\"}]}}"),
          "n unknown image=i health=4" },
        { "unhealthy, because its shell had no task left",
          BODY("\"State\":{\"Health\":{\"Status\":\"unhealthy\",\"Log\":[{\"ExitCode\":2,"
               "\"Output\":"
               "\"/bin/sh: can't fork: Resource temporarily unavailable\\n\"}]}}"),
          "n unknown image=i health=4" },
        { "unhealthy, and busy",
          BODY("\"State\":{\"Health\":{\"Status\":\"unhealthy\",\"Log\":[{\"ExitCode\":1,"
               "\"Output\":"
               "\"read: Resource temporarily unavailable\"}]}}"),
          "n unknown image=i health=3" },
        { "healthy, although one could not be run",
          BODY("\"State\":{\"Health\":{\"Status\":\"healthy\",\"Log\":[{\"ExitCode\":-1,\"Output\":"
               "\"OCI\"}]}}"),
          "n unknown image=i health=2" },
        { "unhealthy after a pause, and the last check had passed",
          BODY("\"State\":{\"Health\":{\"Status\":\"unhealthy\",\"FailingStreak\":0,\"Log\":[{"
               "\"ExitCode\":0,\"Output\":\"\"}]}}"),
          "n unknown image=i health=2 unsure" },
        { "… and it had failed, and not often enough",
          BODY("\"State\":{\"Health\":{\"Status\":\"unhealthy\",\"FailingStreak\":2,\"Log\":[{"
               "\"ExitCode\":1,\"Output\":\"\"}]}}"),
          "n unknown image=i health=4 unsure" },
        { "… and there was none",
          BODY("\"State\":{\"Health\":{\"Status\":\"unhealthy\",\"FailingStreak\":0,\"Log\":[]}}"),
          "n unknown image=i health=4 unsure" },
        { "unhealthy by its failures",
          BODY("\"State\":{\"Health\":{\"Status\":\"unhealthy\",\"FailingStreak\":3,\"Log\":[{"
               "\"ExitCode\":1,\"Output\":\"\"}]}}"),
          "n unknown image=i health=3" },
        { "healthcheck none", BODY("\"State\":{\"Health\":{\"Status\":\"none\"}}"),
          "n unknown image=i" },
        { "podman, no healthcheck", BODY("\"State\":{\"Health\":{\"Status\":\"\"}}"),
          "n unknown image=i" },
        { "start period", CONFIG("\"Healthcheck\":{\"StartPeriod\":30000000000}"),
          "n unknown image=i startperiod=30000000" },
        { "stopped in its own way", CONFIG("\"StopSignal\":\"SIGINT\",\"StopTimeout\":3"),
          "n unknown image=i stoptimeout=3000000 stopsignal=2" },
        { "stop signal without SIG", CONFIG("\"StopSignal\":\"QUIT\""),
          "n unknown image=i stopsignal=3" },
        { "stop signal by number", CONFIG("\"StopSignal\":\"28\""),
          "n unknown image=i stopsignal=28" },
        { "stop signal of systemd", CONFIG("\"StopSignal\":\"SIGRTMIN+3\""),
          "n unknown image=i stopsignal=37" },
        { "stop signal of nonsense", CONFIG("\"StopSignal\":\"SIGRTMIN+999999999999\""),
          "n unknown image=i" },
        { "stop signal that is none", CONFIG("\"StopSignal\":9"), "n unknown image=i" },
        { "--rm", BODY("\"HostConfig\":{\"AutoRemove\":true}"), "n unknown image=i rm" },
        { "limits",
          BODY("\"HostConfig\":{\"Memory\":67108864,\"MemorySwap\":-1,\"NanoCpus\":1500000000,"
               "\"PidsLimit\":100,\"RestartPolicy\":{\"Name\":\"always\"}}"),
          "n unknown image=i mem=67108864/-1 cpu=1500000000/0 pids=100 restart=always" },
        { "disk rates",
          BODY("\"HostConfig\":{\"BlkioDeviceReadBps\":[{\"Path\":\"/dev/b\",\"Rate\":7},"
               "{\"Path\":\"/dev/a\",\"Rate\":9}],\"BlkioDeviceWriteBps\":null}"),
          "n unknown image=i read=/dev/a 9; /dev/b 7" },
        { "disk rates of nonsense",
          BODY("\"HostConfig\":{\"BlkioDeviceReadBps\":[{\"Path\":\"/a b; c\",\"Rate\":7},7,"
               "{\"Path\":\"sda\",\"Rate\":9},{\"Path\":\"/x\",\"Rate\":-1}],"
               "\"BlkioDeviceWriteBps\":{\"Path\":\"/x\"}}"),
          "n unknown image=i read=" },
        { "limits mistyped",
          BODY("\"HostConfig\":{\"Memory\":\"64m\",\"NanoCpus\":1.5e9,\"PidsLimit\":null,"
               "\"RestartPolicy\":\"always\"}"),
          "n unknown image=i" },
        { "memory of nonsense", BODY("\"HostConfig\":{\"Memory\":-5}"), "n unknown image=i" },
        { "labels sorted", CONFIG("\"Labels\":{\"b\":\"2\",\"a\":\"1\",\"c\":3,\"\":\"x\"}"),
          "n unknown image=i L:a=1 L:b=2" },
        { "NUL in a label", CONFIG("\"Labels\":{\"a\\u0000\":\"1\\u00002\",\"b\":\"\\\\u0000\"}"),
          "n unknown image=i L:a\xEF\xBF\xBD=1\xEF\xBF\xBD"
          "2 L:b=\\u0000" },
        { "labels null", CONFIG("\"Labels\":null"), "n unknown image=i" },
        { "networks, no IPAddress (1.52)",
          BODY("\"NetworkSettings\":{\"Networks\":{\"a\":{\"IPAddress\":\"10.0.0.2\"},"
               "\"b\":{\"IPAddress\":\"\",\"GlobalIPv6Address\":\"fd00::2\"}}}"),
          "n unknown image=i N:a=10.0.0.2, N:b=,fd00::2" },
        { "a network's id, and Podman's, cut",
          BODY("\"NetworkSettings\":{\"Networks\":{\"a\":{\"NetworkID\":\"" A64 "\"},"
               "\"b\":{\"NetworkID\":\"b" A64 "\"},\"c\":{\"NetworkID\":7}}}"),
          "n unknown image=i N:a=,#" A64
          " N:b=,#baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa N:c=," },
        { "the old IPAddress is not asked",
          BODY("\"NetworkSettings\":{\"IPAddress\":\"10.0.0.2\",\"Networks\":{}}"),
          "n unknown image=i" },
        { "address that is none",
          BODY("\"NetworkSettings\":{\"Networks\":{\"a\":{\"IPAddress\":\"10.0.0.2; "
               "rm\"},\"b\":null}}"),
          "n unknown image=i N:a=, N:b=," },
        { "ports",
          BODY("\"NetworkSettings\":{\"Ports\":{\"5432/"
               "tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":"
               "\"5433\"},{\"HostIp\":\"::\",\"HostPort\":\"5433\"}],\"53/udp\":null,"
               "\"9/sctp\":null,\"0/tcp\":null,\"70000/tcp\":null,\"x\":null}}"),
          "n unknown image=i P:5432=127.0.0.1:5433 P:5432=:::5433 P:53u=:0" },
        { "public on an empty address",
          BODY("\"NetworkSettings\":{\"Ports\":{\"80/"
               "tcp\":[{\"HostIp\":\"\",\"HostPort\":\"80\"}]}}"),
          "n unknown image=i P:80=:80" },
        { "not running: what will be published",
          BODY("\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":"
               "\"8080\"}]}},\"NetworkSettings\":{\"Ports\":{}}"),
          "n unknown image=i P:80=0.0.0.0:8080" },
        { "mounts",
          BODY("\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"/s\",\"Destination\":\"/d\"},null]"),
          "n unknown image=i M:volume,/s,/d M:,," },
        { "log",
          BODY("\"LogPath\":\"/"
               "l\",\"HostConfig\":{\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{"
               "\"max-size\":\"1m\"}}}"),
          "n unknown image=i log=json-file,/l O:max-size=1m" },
        { "no secret is kept, the last one wins",
          CONFIG("\"Env\":[\"POSTGRES_PASSWORD=x\",\"POSTGRES_USER=a\",\"PATH=/"
                 "bin\",\"POSTGRES_USER=b\","
                 "\"PGDATA\",7,\"POSTGRES_DB=\",\"POSTGRES_USERS=c\"]"),
          "n unknown image=i E:POSTGRES_DB= E:POSTGRES_USER=b" },
        { "of a command line only what says where it listens",
          BODY("\"Path\":\"docker-entrypoint.sh\",\"Args\":[\"postgres\",7,\"-c\",\"port=5433\","
               "\"-c\",\"ssl_passphrase_command=x\"]"),
          "n unknown image=i W:postgres W:port=5433 W:" },
        { "exposed in the host's network", CONFIG("\"ExposedPorts\":{\"80/tcp\":{}}"),
          "n unknown image=i P:80=:0" },
        { "everything mistyped",
          "{\"Id\":\"" A64
          "\",\"Name\":7,\"State\":[],\"Config\":{\"Labels\":[1],\"Env\":{},\"Image\":1},"
          "\"HostConfig\":9,\"Mounts\":{},\"NetworkSettings\":[],\"RestartCount\":\"5\"}",
          "aaaaaaaaaaaa unknown image=" },
};

START_TEST(test_inspect) {
        const __typeof__(rows[0]) *t = &rows[_i];
        _cleanup_(pl_container_freep) PlContainer *c = NULL;
        _cleanup_free_ char *shown = NULL;
        size_t size;
        int r = pl_docker_parse_inspect(t->body, strlen(t->body), &c);
        FILE *f;

        ck_assert_msg(r == (t->shown ? 0 : -EBADMSG), "%s: %d", t->name, r);
        if (r < 0) {
                ck_assert_ptr_null(c);
                return;
        }
        f = open_memstream(&shown, &size);
        show(f, c);
        fclose(f);
        ck_assert_msg(pl_streq(shown, t->shown), "%s: %s", t->name, shown);
}
END_TEST

static const struct {
        const char *text;
        uint64_t usec;
} times[] = {
        { "2023-11-14T22:13:20Z", 1700000000000000 },
        { "2023-11-14T22:13:20.123456789Z", 1700000000123456 },
        { "2023-11-14T22:13:20.1Z", 1700000000100000 },
        { "2023-11-15T00:13:20+02:00", 1700000000000000 },
        { "2023-11-14T16:43:20.5-05:30", 1700000000500000 },
        { "0001-01-01T00:00:00Z", 0 },
        { "1969-12-31T23:59:59Z", 0 },
        { "2023-13-14T22:13:20Z", 0 },
        { "2023-11-14 22:13:20", 0 },
        { "2023-11-14T22:13:20", 0 },
        { "2023-11-14T22:13:20Zx", 0 },
        { "2023-11-", 0 },
        { "", 0 },
};

START_TEST(test_time) {
        _cleanup_(pl_container_freep) PlContainer *c = NULL;
        char body[256];

        snprintf(body, sizeof(body), "{\"Id\":\"" A64 "\",\"Created\":\"%s\"}", times[_i].text);
        ck_assert_int_eq(pl_docker_parse_inspect(body, strlen(body), &c), 0);
        ck_assert_msg(c->created_usec == times[_i].usec, "%s: %" PRIu64, times[_i].text,
                      c->created_usec);
}
END_TEST

/* Hundreds of labels: those that policies match by, or that make a service, are kept, values are
 * cut, the rest is dropped.
 */
START_TEST(test_label_bounds) {
        _cleanup_(pl_container_freep) PlContainer *c = NULL;
        _cleanup_free_ char *body = NULL;
        size_t size;
        FILE *f = open_memstream(&body, &size);

        fputs("{\"Id\":\"" A64 "\",\"Config\":{\"Labels\":{", f);
        for (int i = 0; i < 5000; i++)
                fprintf(f, "\"a%04d\":\"x\",", i);
        fputs("\"a0000\":\"", f);
        for (int i = 0; i < 5000; i++)
                fputs("é", f);
        fputs("\",\"com.docker.compose.service\":\"db\","
              "\"com.docker.swarm.service.name\":\"web\"}}}",
              f);
        fclose(f);

        ck_assert_int_eq(pl_docker_parse_inspect(body, size, &c), 0);
        ck_assert_uint_eq(c->n_labels, PL_DOCKER_LABELS_MAX);
        ck_assert_str_eq(pl_container_label(c, "com.docker.compose.service"), "db");
        ck_assert_str_eq(pl_container_label(c, "com.docker.swarm.service.name"), "web");
        ck_assert_uint_eq(strlen(pl_container_label(c, "a0000")), PL_DOCKER_STRING_MAX);
        ck_assert_ptr_null(pl_container_label(c, "a4999"));
        ck_assert_ptr_null(pl_container_label(c, "zzz"));
}
END_TEST

#define CPU    PL_RESOURCE_CPU_QUOTA
#define WEIGHT PL_RESOURCE_CPU_WEIGHT
#define MAX    PL_RESOURCE_MEMORY_MAX
#define SWAP   PL_RESOURCE_MEMORY_SWAP_MAX
#define LOW    PL_RESOURCE_MEMORY_LOW
#define TASKS  PL_RESOURCE_TASKS_MAX
#define IO     PL_RESOURCE_IO_WEIGHT
#define UNSET  (PL_UNLIMITED - 1)

static const struct {
        const char *name;
        PlHostConfig host;
        PlResource r;
        uint64_t number;
        PlHierarchy h;
} limits[] = {
        { "nothing", {}, MAX, UNSET },
        { "memory", { .memory = 64 }, MAX, 64 },
        { "no swap limit", { .memory = 64 }, SWAP, UNSET },
        { "swap unlimited", { .memory = 64, .memory_swap = -1 }, SWAP, PL_UNLIMITED },
        { "swap is what is above", { .memory = 64, .memory_swap = 96 }, SWAP, 32 },
        { "no swap", { .memory = 64, .memory_swap = 64 }, SWAP, 0 },
        { "swap below memory", { .memory = 64, .memory_swap = 32 }, SWAP, UNSET },
        { "reservation", { .memory_reservation = 32 }, LOW, 32 },
        { "NanoCpus", { .nano_cpus = 1500000000 }, CPU, 1500000 },
        { "CpuQuota", { .cpu_quota = 50000 }, CPU, 500000 },
        { "CpuQuota and CpuPeriod", { .cpu_quota = 50000, .cpu_period = 25000 }, CPU, 2000000 },
        { "CpuPeriod alone", { .cpu_period = 25000 }, CPU, UNSET },
        { "CpuQuota lifted", { .cpu_quota = -1 }, CPU, PL_UNLIMITED },
        { "… wins over NanoCpus", { .cpu_quota = -1, .nano_cpus = 1500000000 }, CPU, PL_UNLIMITED },
        { "… and so does one, after an update by Podman",
          { .cpu_quota = 50000, .cpu_period = 100000, .nano_cpus = 1000000000 },
          CPU,
          500000 },
        { "CpuQuota absurd", { .cpu_quota = INT64_MAX, .cpu_period = 1 }, CPU, PL_UNLIMITED },
        { "tasks", { .pids_limit = 100 }, TASKS, 100 },
        { "tasks unlimited", { .pids_limit = -1 }, TASKS, PL_UNLIMITED },
        { "shares on v1", { .cpu_shares = 2048 }, WEIGHT, 200 },
        { "shares on v2", { .cpu_shares = 1024 }, WEIGHT, 39, PL_HIERARCHY_V2 },
        { "blkio on v1, as runc writes it", { .blkio_weight = 500 }, IO, 4500 },
};

START_TEST(test_limits) {
        const __typeof__(limits[0]) *t = &limits[_i];
        PlContainer c = { .host = t->host };
        PlLimits l;

        ck_assert_int_eq(pl_container_limits(&c, t->h, &l), 0);
        ck_assert_msg(l.v[t->r].set == (t->number != UNSET), "%s: set %d", t->name, l.v[t->r].set);
        if (l.v[t->r].set)
                ck_assert_msg(l.v[t->r].number == t->number, "%s: %" PRIu64, t->name,
                              l.v[t->r].number);
        pl_limits_deinit(&l);
}
END_TEST

START_TEST(test_limits_devices) {
        PlContainer c = { .host.read_bps = (char *)"/dev/sda 1000", .host.write_bps = (char *)"" };
        PlLimits l;

        ck_assert_int_eq(pl_container_limits(&c, PL_HIERARCHY_V1, &l), 0);
        ck_assert_str_eq(l.v[PL_RESOURCE_IO_READ_BANDWIDTH_MAX].text, "/dev/sda 1000");
        ck_assert(!l.v[PL_RESOURCE_IO_WRITE_BANDWIDTH_MAX].set);
        pl_limits_deinit(&l);
}
END_TEST

START_TEST(test_limits_cpuset) {
        PlContainer c = { .host.cpuset_cpus = (char *)"1,0" };
        PlLimits l;

        ck_assert_int_eq(pl_container_limits(&c, PL_HIERARCHY_V1, &l), 0);
        ck_assert_str_eq(l.v[PL_RESOURCE_ALLOWED_CPUS].text, "0-1");
        pl_limits_deinit(&l);
        c.host.cpuset_cpus = (char *)"all of them";
        ck_assert_int_eq(pl_container_limits(&c, PL_HIERARCHY_V1, &l), 0);
        ck_assert(!l.v[PL_RESOURCE_ALLOWED_CPUS].set);
        pl_limits_deinit(&l);
}
END_TEST

/* clang-format off */
static const struct {
        const char *name, *body;
        int r;
        const char *list; /* joined by "|" */
} environments[] = {
        { "some", "{\"Config\":{\"Env\":[\"A=b\",\"PW=x=y\"]}}", 0, "A=b|PW=x=y|" },
        { "none", "{\"Config\":{\"Env\":[]}}", 0, "" },
        { "null", "{\"Config\":{\"Env\":null}}", 0, "" },
        { "not there", "{\"Config\":{}}", 0, "" },
        { "other things among them", "{\"Config\":{\"Env\":[1,\"A=b\",null,{}]}}", 0, "A=b|" },
        { "no array", "{\"Config\":{\"Env\":\"A=b\"}}", 0, "" },
        { "no Config", "{\"Id\":1}", -EBADMSG, NULL },
        { "no object", "[]", -EBADMSG, NULL },
        { "no JSON", "{\"Config\":{", -EBADMSG, NULL },
        { "nothing", "", -EBADMSG, NULL },
};
/* clang-format on */

START_TEST(test_environment) {
        char **list = NULL, text[128] = "";
        int r = pl_docker_parse_environment(environments[_i].body, strlen(environments[_i].body),
                                            &list);

        ck_assert_msg(r == environments[_i].r, "%s: %d", environments[_i].name, r);
        for (char **one = list; one && *one; one++) {
                (void)strcat(text, *one);
                (void)strcat(text, "|");
        }
        if (r == 0)
                ck_assert_msg(pl_streq(text, environments[_i].list), "%s: %s",
                              environments[_i].name, text);
        pl_strv_free(list);
}
END_TEST

START_TEST(test_live) {
        static const struct {
                PlContainer c;
                bool live;
        } live[] = {
                { { .phase = PL_PHASE_RUNNING, .pid = 1 }, true },
                { { .phase = PL_PHASE_PAUSED, .pid = 1 }, true },
                { { .phase = PL_PHASE_RUNNING }, false },
                { { .phase = PL_PHASE_RESTARTING, .pid = 1 }, false },
                { { .phase = PL_PHASE_EXITED }, false },
        };

        for (size_t i = 0; i < PL_ARRAY_SIZE(live); i++)
                ck_assert_msg(pl_container_is_live(&live[i].c) == live[i].live, "%zu", i);
        ck_assert_str_eq(pl_phase_to_string((PlPhase)99), "unknown");
}
END_TEST

#define HASH(x) "\"com.docker.compose.config-hash\":\"" x "\","

/* Labels of a container and of its image, and whose com.docker.compose.service (or key) is. */
static const struct {
        const char *name, *container, *image, *key;
        bool counts;
} whose[] = {
        { "given", "{\"com.docker.compose.service\":\"db\"}", "{}", NULL, true },
        { "given another value", "{\"com.docker.compose.service\":\"db\"}",
          "{\"com.docker.compose.service\":\"web\"}", NULL, true },
        { "brought along", "{\"com.docker.compose.service\":\"db\"}",
          "{\"com.docker.compose.service\":\"db\"}", NULL, false },
        { "compose has built the image, and made the container",
          "{" HASH("a") "\"com.docker.compose.service\":\"db\"}",
          "{\"com.docker.compose.service\":\"db\"}", NULL, true },
        { "an image that says so, too", "{" HASH("a") "\"com.docker.compose.service\":\"db\"}",
          "{" HASH("a") "\"com.docker.compose.service\":\"db\"}", NULL, false },
        { "committed from one of compose", "{" HASH("b") "\"com.docker.compose.service\":\"db\"}",
          "{" HASH("a") "\"com.docker.compose.service\":\"db\"}", NULL, true },
        { "compose proves its own alone", "{" HASH("a") "\"team\":\"db\"}", "{\"team\":\"db\"}",
          "team", false },
        { "a task of a swarm",
          "{\"com.docker.swarm.task.id\":\"1\",\"com.docker.swarm.service.name\":\"db\"}",
          "{\"com.docker.swarm.service.name\":\"db\"}", "com.docker.swarm.service.name", true },
        { "as if of a swarm", "{\"com.docker.swarm.service.name\":\"db\"}",
          "{\"com.docker.swarm.service.name\":\"db\"}", "com.docker.swarm.service.name", false },
        { "of a unit", "{\"PODMAN_SYSTEMD_UNIT\":\"a\"}", "{\"PODMAN_SYSTEMD_UNIT\":\"a\"}",
          "PODMAN_SYSTEMD_UNIT", false },
        { "its probe", "{\"plimsoll.probe\":\"redis\"}", "{\"plimsoll.probe\":\"redis\"}",
          "plimsoll.probe", true },
        { "an image without labels", "{\"com.docker.compose.service\":\"db\"}", "null", NULL,
          true },
};

START_TEST(label_is_of_creator) {
        _cleanup_free_ char *text = NULL, *image_text = NULL;
        const char *key = whose[_i].key ?: "com.docker.compose.service";
        PlContainer *c = NULL, *image = NULL;

        ck_assert(asprintf(&text,
                           "{\"Id\":\"%064d\",\"Name\":\"/"
                           "a\",\"State\":{\"Status\":\"running\"},\"Config\":{\"Labels\":%s}}",
                           1, whose[_i].container) > 0);
        ck_assert(asprintf(&image_text, "{\"Config\":{\"Labels\":%s}}", whose[_i].image) > 0);
        ck_assert_int_eq(pl_docker_parse_inspect(text, strlen(text), &c), 0);
        ck_assert_int_eq(pl_docker_parse_image(image_text, strlen(image_text), &image), 0);
        ck_assert_ptr_nonnull(pl_container_label(c, key));
        pl_container_mark(c, image);
        ck_assert_msg(!!pl_container_label(c, key) == whose[_i].counts, "%s", whose[_i].name);
        pl_container_mark(c, NULL);
        ck_assert_ptr_nonnull(pl_container_label(c, key));
        pl_container_free(c);
        pl_container_free(image);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("inspect");

        tcase_add_loop_test(c, test_inspect, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(c, test_time, 0, PL_ARRAY_SIZE(times));
        tcase_add_test(c, test_label_bounds);
        tcase_add_loop_test(c, test_limits, 0, PL_ARRAY_SIZE(limits));
        tcase_add_test(c, test_limits_devices);
        tcase_add_test(c, test_limits_cpuset);
        tcase_add_loop_test(c, test_environment, 0, PL_ARRAY_SIZE(environments));
        tcase_add_test(c, test_live);
        tcase_add_loop_test(c, label_is_of_creator, 0, PL_ARRAY_SIZE(whose));
        return run_case(c);
}
