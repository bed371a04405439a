/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policy errors: every way to get a key wrong, with the line and the remedy that must be named.
 */

#include "policy-texts.h"

/* One problem each. line 0: the sum of all. */
static const struct {
        const char *text;
        PlSeverity severity;
        unsigned line;
        const char *message; /* a part of it */
} problems[] = {
#define E(text, line, message) \
        { text, PL_SEVERITY_ERROR, line, message }
#define W(text, line, message) \
        { text, PL_SEVERITY_WARNING, line, message }
        /* lines */
        E("Engine=unix:///x\nDryRun=yes\n", 1, "before the first section"),
        E("[Daemon]\nnonsense\n", 2, "\"nonsense\": neither [Section] nor KEY=VALUE"),
        E("[Daemon]\nDryRun: yes\n", 2, "neither [Section] nor KEY=VALUE"),
        E("[Daemon]\nDry Run=yes\n", 2, "what stands before '=' is not a key"),
        E("[Daemon]\n=yes\n", 2, "is not a key"),
        E("[Daemon]\nDryRun=yes\x01\n", 2, "control character 0x01"),
        E("[Daemon]\nDryRun=y\xc0\xaf\n", 2, "byte 0xc0 is not UTF-8"),
        E("\n\n[Daemon\nDryRun=yes\n", 3, "a section header ends with ']'"),
        E("[Daemon] x\n", 1, "a section header ends with ']'"),
        E("[Daemon]\nLabels=MemoryMax memorymax\n", 2,
          "Labels=memorymax: not a key that labels may set"),
        E("[Daemon]\nLabels=LogPath\n", 2, "Labels=LogPath: not a key that labels may set"),
        E("[Deamon]\nAnything=goes\n", 1, "did you mean [Daemon]?"),
        E("[daemon]\n", 1, "did you mean [Daemon]?"),
        E("[service x]\n", 1, "did you mean [Service NAME]?"),
        E("[Unit]\n", 1, "this is a unit file of systemd or Podman, not a policy"),
        E("[Quux]\n", 1, "there are [Daemon], [Defaults], [Service NAME] and [Notify NAME]"),
        E("[Notify]\n", 1, "[Notify] without a name; write [Notify NAME], such as [Notify ops]"),
        E("[notify x]\n", 1, "did you mean [Notify NAME]?"),
        E("[Notify ../x]\n", 1, "[Notify ../x]: not a good name"),
        E("[Notify a]\nURL=https://a.example/\n", 1, "[Notify a]: Format= is missing"),
        E("[Notify a]\nFormat=json\n" SVC, 1, "[Notify a]: URL= is missing"),
        E(NTF "Quite=json\n", 4, "unknown key Quite=; did you mean Quiet=?"),
        E(NTF "MemoryMax=4G\n", 4, "belongs in a [Service] section or [Defaults]"),
        E(NTF "Quiet=night\n", 4, "Quiet=night: expected two different times"),
        E(NTF "URL=https://me:hunter2@a.example/\n", 4, "URL=: a user or a password"),
        E(NTF "URL https://me:hunter2@a.example/\n", 4, "\"\u2026\": neither [Section] nor"),
        E(SVC "URL=https://a.example/hunter2\n", 3, "URL= stands in the wrong section"),
        W("[Notify a]\nFormat=json\nURL=http://a.example/\nCredential=x\n" SVC, 1,
          "goes over the network unencrypted"),
        E("# stack\nservices:\n  db:\n    environment:\n      PASSWORD=x\n", 2,
          "this is YAML, a compose file and not a policy; plimsollctl import --compose"),
        E("{\n\"a\": 1}\n", 1, "this is JSON, not a policy"),
        E("[service.db]\nmemory = \"4G\"\n", 1, "this is TOML, not a policy"),
        E("[Daemon]\nELASTIC_PASSWORD: hunter2\n", 2,
          "\"ELASTIC_PASSWORD\u2026\": neither [Section] nor KEY=VALUE"),
        E("[Daemon]\nEngine=tcp://me:hunter2@host\n" SVC, 2, "Engine=tcp://\u2026: only unix"),
        E("[Service]\n", 1, "[Service] without a name"),
        E("[Service ../etc]\n", 1, "not a good name"),
        E("[Service a b]\n", 1, "not a good name"),
        E("[Daemon x]\n", 1, "[Daemon] takes no name"),
        E("[Daemon]\nMemoryMax=4G\n", 2, "belongs in a [Service] section or [Defaults]"),
        E("[Defaults]\nMatch=name:a\n", 2, "belongs in a [Service] section"),
        E(SVC "DryRun=yes\n", 3, "belongs in [Daemon]"),
        E(SVC "MemoryMx=4G\n", 3, "unknown key MemoryMx=; did you mean MemoryMax=?"),
        E(SVC "memorymax=4G\n", 3, "did you mean MemoryMax=?"),
        E(SVC "MemoryLimit=4G\n", 3, "did you mean MemoryMax=?"),
        E(SVC "mem_limit=4G\n", 3, "did you mean MemoryMax=?"),
        E(SVC "pids_limit=4\n", 3, "did you mean TasksMax=?"),
        E(SVC "Zzz=4\n", 3, "unknown key Zzz=; plimsoll.conf(5) lists all"),
        E(SVC "LogMaxFile=4\n", 3, "did you mean LogMaxFiles=?"),
        W(SVC "[Daemon]\nDryRun=no\n[Service a]\n", 5, "this section began on line 1 already"),

        /* values */
        E(SVC "MemoryMax=lots\n", 3, "MemoryMax=lots: not understood; expected a size such as 4G"),
        E(SVC "MemoryMax=4g\n", 3, "did you mean MemoryMax=4G?"),
        E(SVC "MemoryMax=4 GiB\n", 3, "did you mean MemoryMax=4G?"),
        E(SVC "MemoryMax=512mb\n", 3, "did you mean MemoryMax=512M?"),
        E(SVC "MemoryMax=-1\n", 3, "did you mean MemoryMax=infinity?"),
        E(SVC "MemoryMax=4095\n", 3, "at least 6M"),
        E(SVC "MemoryMax=0\n", 3, "at least 6M"),
        E(SVC "MemoryHigh=1K\n", 3, "at least 6M"),
        E(SVC "MemoryMax=101%\n", 3, "more than all of the host's memory"),
        E(SVC "MemoryMax=1.234%\n", 3, "not understood"),
        E(SVC "MemoryMax=99999999999999999999\n", 3, "out of range"),
        E(SVC "CPUQuota=2\n", 3,
          "did you mean CPUQuota=200% (2 CPUs of 4) or CPUQuota=2% (of one)?"),
        E(SVC "CPUQuota=0.5\n", 3, "did you mean CPUQuota=50% (of one CPU)?"),
        E(SVC "CPUQuota=4\n", 3, "did you mean CPUQuota=400% (4 CPUs of 4) or CPUQuota=4%"),
        E(SVC "MemoryMax=\"4G\"\n", 3,
          "MemoryMax=\"4G\": values have no quotes here; did you mean MemoryMax=4G?"),
        E(SVC "MemoryMax=\u201c4G\u201d\n", 3, "did you mean MemoryMax=4G?"),
        E(SVC "MemoryMax=\u201e4G\u201c\n", 3, "did you mean MemoryMax=4G?"),
        E(SVC "Required='yes'\n", 3, "did you mean Required=yes?"),
        E(SVC "ProbePath=\"/health\"\n", 3, "did you mean ProbePath=/health?"),
        E(SVC "MemoryMax=4Gi\n", 3, "did you mean MemoryMax=4G?"),
        E(SVC "MemoryMax=512Mi\n", 3, "did you mean MemoryMax=512M?"),
        E(SVC "CPUQuota=10\n", 3, "did you mean CPUQuota=10%?"),
        E(SVC "CPUQuota=150\n", 3, "did you mean CPUQuota=150%?"),
        E(SVC "CPUQuota=0%\n", 3, "out of range"),
        E(SVC "CPUQuota=99999999999999%\n", 3, "out of range"),
        E(SVC "CPUQuota=50%\nCPUQuotaPeriodSec=2s\n", 4, "from 1ms to 1s"),
        E(SVC "CPUWeight=0\n", 3, "1 to 10000"),
        E(SVC "CPUWeight=infinity\n", 3, "1 to 10000"),
        E(SVC "IOWeight=10001\n", 3, "1 to 10000"),
        E(SVC "AllowedCPUs=3-1\n", 3, "a list of CPU numbers"),
        E(SVC "AllowedCPUs=0-9000\n", 3, "out of range"),
        E(SVC "TasksMax=0\n", 3, "from 1 to 4194304"),
        E(SVC "TasksMax=10%\n", 3, "from 1 to 4194304"),
        E(SVC "TasksMax=unlimited\n", 3, "did you mean TasksMax=infinity?"),
        E(SVC "IOReadBandwidthMax=10M\n", 3, "a path and bytes per second"),
        E(SVC "IOReadBandwidthMax=/dev/sda\n", 3, "a path and bytes per second"),
        E(SVC "IOWriteBandwidthMax=/dev/sda 1\n", 3, "at least 4096"),
        E(SVC "IOReadBandwidthMax=/dev/null 10M\n", 3, "/dev/null is no block device"),
        E(SVC "IOWriteBandwidthMax=/proc 10M\n", 3, "/proc is no block device"),
        W(SVC "IOReadBandwidthMax=/dev/gone 10M\n", 3, "no block device is found at /dev/gone"),
        W(SVC "IOReadBandwidthMax=/dev/sda 10M\nIOReadBandwidthMax=/ 20M\n", 4,
          "/ and /dev/sda are the same disk (8:0); the lower of the two rates holds"),
        E(SVC "IOWriteBandwidthMax=/dev/s;a 1M\n", 3, "a path and bytes"),
        E(SVC "ShrinkMode=saef\n", 3, "did you mean ShrinkMode=safe?"),
        E(SVC "ShrinkMode=gentle\n", 3, "expected safe or kill"),
        E(SVC "LogMaxSize=10m\n", 3, "did you mean LogMaxSize=10M?"),
        E(SVC "LogMaxSize=10\n", 3, "from 64K"),
        E(SVC "LogMaxFiles=-1\n", 3, "1 to 10000"),
        E(SVC "LogMaxAge=1s\n", 3, "a minute or more"),
        E(SVC "LogMethod=truncate\n", 3, "auto, reflink, collapse, punch or off"),
        E(SVC "LogOnFull=yes\n", 3, "keep or drop"),
        E(SVC "LogPath=logs/*.log\n", 3, "an absolute path"),
        E(SVC "LogPath=/logs/../../etc/*\n", 3, "would lead out of the mount"),
        E(SVC "LogPath=/logs/..\n", 3, "would lead out of the mount"),
        E(SVC "LogReopen=KILL\n", 3, "HUP, USR1 or USR2"),
        E(SVC "LogPathArchive=/var/log\n", 3, "the name of a directory beside each log"),
        E(SVC "LogPathArchive=..\n", 3, "the name of a directory beside each log"),
        E(SVC "Probe=postgresql\n", 3, "did you mean Probe=postgres?"),
        E(SVC "ProbePort=0\n", 3, "from 1 to 65535"),
        E(SVC "ProbePort=65536\n", 3, "from 1 to 65535"),
        E(SVC "ProbeInterval=100ms\n", 3, "from 1s to 1d"),
        E(SVC "ProbeInterval=infinity\n", 3, "from 1s to 1d"),
        E(SVC "ProbeInterval=often\n", 3, "not understood"),
        E(SVC "ProbeTimeout=20s\nProbeInterval=10s\n", 3,
          "ProbeTimeout=20s is longer than ProbeInterval=10s (main.conf:4)"),
        E(SVC "ProbeFailures=0\n", 3, "1 to 1000"),
        E(SVC "ProbePath=health\n", 3, "the path of a URL"),
        E(SVC "ProbePath=/a b\n", 3, "as %20"),
        E(SVC "Probe=http\nProbeExpect=200\n", 4, "status:200-299"),
        E(SVC "Probe=http\nProbeExpect=status:299-200\n", 4, "a status or a range"),
        E(SVC "Probe=http\nProbeExpect=status:20\n", 4, "a status or a range"),
        E(SVC "Probe=http\nProbeExpect=json:database=ok\n", 4, "a JSON pointer"),
        E(SVC "Probe=http\nProbeExpect=header:=x\n", 4, "a header and its value"),
        E(SVC "Probe=http\nProbeExpect=body:(\n", 4, "not a regular expression: "),
        E(SVC "Probe=http\nProbeExpect=body:((ab){999}c){999}\n", 4, "too large"),
        W(SVC "Probe=http\nProbeExpect=body:(?i)ready\n", 4, "a POSIX one would be read otherwise"),
        E(SVC "Probe=http\nProbeExpect=body:\n", 4, "nothing follows the colon"),
        W(SVC "Probe=redis\nProbeExpect=status:200\n", 4,
          "no effect without a probe that speaks HTTP"),
        W(SVC "Probe=tcp\nProbePath=/x\n", 4, "no effect without a probe that speaks HTTP"),
        W(SVC "Probe=redis\nOllamaModels=llama3.2\n", 4, "no effect without Probe=ollama"),
        E(SVC "OllamaModels=a|b\n", 3, "not the name of a model"),
        E(SVC "OnUnhealthy=reboot\n", 3, "none, restart, unit:NAME"),
        E(SVC "OnUnhealthy=restart alert.service\n", 3, "or restart unit:NAME"),
        E(SVC "OnUnhealthy=restart unit:alert\n", 3, "not the name of a unit"),
        E(SVC "OnUnhealthy=unit:alert\n", 3, "not the name of a unit"),
        E(SVC "OnUnhealthy=unit:a b.service\n", 3, "not the name of a unit"),
        E(SVC "OnUnhealthy=unit:alert@%n.service\n", 3, "not the name of a unit"),
        E(SVC "OnUnhealthy=restart\nRestartBudget=3\n", 4, "such as 3/10min"),
        E(SVC "OnUnhealthy=restart\nRestartBudget=0/10min\n", 4, "such as 3/10min"),
        E(SVC "OnUnhealthy=restart\nRestartBudget=99999999999/10min\n", 4, "out of range"),
        E(SVC "OnUnhealthy=restart\nRestartBudget=3/0\n", 4, "out of range"),
        W(SVC "RestartBudget=3/10min\n", 3, "no effect without OnUnhealthy=restart"),
        W(SVC "CPUQuotaPeriodSec=10ms\n", 3, "no effect without CPUQuota="),
        E(SVC "Required=maybe\n", 3, "expected yes or no"),
        E(SVC "After=a\n", 3, "cannot come after itself"),
        E(SVC "PartOf=a\n", 3, "PartOf=a: a service cannot be part of itself"),
        E(SVC "PartOf=rdis\n[Service redis]\nMatch=name:r\n", 3, "did you mean redis?"),
        E(SVC "PartOf=b\n[Service b]\nMatch=name:b\nPartOf=a\n", 3, "would be part of itself"),
        E(SVC "After=b/c\n", 3, "not the name of a [Service] section"),
        E(SVC "[Service redis]\nMatch=name:r\nAfter=rediss a\n", 5, "there is no [Service rediss]"),
        E(SVC "After=rdis\n[Service redis]\nMatch=name:r\n", 3, "did you mean redis?"),
        E(SVC "After=b\n[Service b]\nMatch=name:b\nAfter=a\n", 3, "would wait for itself"),
        /* told of one that is on the circle, not of one that leads there */
        E(SVC "After=c\n[Service b]\nMatch=name:b\nAfter=c\n[Service c]\nMatch=name:c\nAfter=b\n",
          6, "After=: [Service b] would wait for itself"),
        E("[Daemon]\nEngine=/run/docker.sock\n" SVC, 2, "write unix:// before it"),
        E("[Daemon]\nEngine=tcp://127.0.0.1:2375\n" SVC, 2, "only unix sockets"),
        E("[Daemon]\nEngine=unix://run/docker.sock\n" SVC, 2, "begins with a slash too"),
        E("[Daemon]\nEngine=unix:///\n" SVC, 2, "the root directory is no socket"),
        E("[Daemon]\nEngine=docker\n" SVC, 2, "unix:///run/docker.sock"),
        E("[Daemon]\nMetricsListen=94780\n" SVC, 2, "an address and a port"),
        E("[Daemon]\nMetricsListen=unix:/tmp/m.sock\n" SVC, 2,
          "a socket must lie in /run/plimsoll/"),
        E("[Daemon]\nMetricsHost=a b/c\n" SVC, 2, "not the name of a host"),
        E("[Daemon]\nMetricsListen=localhost:9478\n" SVC, 2, "an address is needed"),
        E("[Daemon]\nMetricsListen=:9478\n" SVC, 2, "an address is needed"),
        E("[Daemon]\nMetricsListen=127.0.0.1:0\n" SVC, 2, "an address and a port"),
        E("[Daemon]\nMetricsListen=[::1:9478\n" SVC, 2, "an address and a port"),
        W("[Daemon]\nMetricsListen=9478\nMetricsListen=0.0.0.0:9478\n" SVC, 3,
          "MetricsListen=0.0.0.0:9478: whoever reaches this address"),
        E("[Daemon]\nLogArchiveBudget=1K\n" SVC, 2, "from 1M"),
        E("[Daemon]\nLogPunchBelow=10\n" SVC, 2, "such as 10%"),
        E("[Daemon]\nLogPunchBelow=51%\n" SVC, 2, "such as 10%"),
        E("[Daemon]\nLogPunchBelow=%\n" SVC, 2, "such as 10%"),
        E("[Daemon]\nLogPunchBelow=2G\n" SVC, 2, "such as 10%"),

        /* matches */
        E("[Service a]\nMemoryMax=1G\n", 1, "add a line such as Match=compose-service:a"),
        E("[Service a]\nMatch=postgres\n", 2, "name:GLOB"),
        E("[Service a]\nMatch=name:\n", 2, "nothing follows the colon"),
        E("[Service a]\nMatch=name:/a\n", 2, "no slash in front"),
        E("[Service a]\nMatch=label:=x\n", 2, "a label has a key"),
        E("[Service a]\nMatch=name: a\n", 2, "white space after the colon"),
        W(SVC "Match=name:a\n", 3, "line 2 of this section matches all of that already"),
        E(SVC "[Service b]\nMatch=name:a\n", 4, "stands already in [Service a], main.conf:2"),
        E("[Service a]\nMatch=image:a name:b\n[Service b]\nMatch=name:b image:a\n", 4,
          "stands already in [Service a], main.conf:2"),
        W("[Service a]\nMatch=image:* name:a*\n[Service b]\nMatch=image:x name:a\n", 4,
          "is matched already by [Service a]"),
        W("[Service a]\nMatch=name:pg*\n[Service b]\nMatch=name:pg-1\n", 4,
          "is matched already by [Service a], main.conf:2"),
        W("[Service a]\nMatch=label:k\n[Service b]\nMatch=label:k=v\n", 4,
          "is matched already by [Service a], main.conf:2"),
        W("[Service a]\nMatch=name:pg-1 name:pg-2\n", 2,
          "no container has both name:pg-1 and name:pg-2; for one of several"),
        W("[Service a]\nMatch=name:pg* name:redis\n", 2, "no container has both"),
        W("[Service a]\nMatch=label:k=a label:k=b\n", 2, "no container has both"),
        W("[Service a]\nMatch=name:x,name:y\n", 2,
          "no name of a container has ',' in it; for one of several"),
        W("[Service a]\nMatch=name:^pg.*$\n", 2, "this is a glob, not a regular expression"),
        W("[Service a]\nMatch=name:(a|b)\n", 2, "this is a glob, not a regular expression"),
        W("[Service a]\nMatch=name:[ab\n", 2, "no name of a container has '[' in it"),
        W("[Service a]\nMatch=compose-project:Shop\n", 2, "compose makes them lower case"),
        W("[Service a]\nMatch=image:a,b\n", 2, "no image has ','"),
        W("[Service a]\nMatch=label:team=data platform\n", 2,
          "a word without name: or the like belongs to the pattern before it"),
        W("[Service a]\nMatch=label:a=it's\n", 2, "a quotation mark that nothing closes"),
        E("[Service a]\nMatch=x name:y\n", 2, "name:GLOB"),
        E("[Service a]\nMatch=name:a image:\n", 2, "nothing follows the colon"),

        /* what must hold together */
        E(SVC "MemoryLow=2G\nMemoryMax=1G\n", 3,
          "MemoryLow=2G is above MemoryMax=1G (main.conf:4)"),
        W(SVC "MemoryLow=2G\n[Defaults]\nMemoryMax=1G\n", 3,
          "MemoryMax=1G of [Defaults] (main.conf:5) contradicts MemoryLow=2G here"),
        W(SVC "MemoryMax=1G\n[Defaults]\nMemoryMin=2G\n", 3,
          "MemoryMin=2G of [Defaults] (main.conf:5) contradicts MemoryMax=1G here"),
        W(SVC "MemoryMax=1G\n[Defaults]\nMemoryHigh=2G\n", 3,
          "MemoryHigh=2G of [Defaults] (main.conf:5) contradicts MemoryMax=1G here"),
        E(SVC "[Defaults]\nMemoryMax=1G\nMemoryMin=2G\n", 5, "MemoryMin=2G is above"),
        W(SVC "[Defaults]\nMemoryMax=9G\n", 4, "more than the 8.0G of memory"),
        W(SVC "ProbeInterval=1s\n[Defaults]\nProbeTimeout=5s\n", 3,
          "ProbeTimeout=5s of [Defaults] (main.conf:5) contradicts ProbeInterval=1s here; for "
          "[Service a] both are 1s"),
        W(SVC "ProbeTimeout=20s\n[Defaults]\nProbeInterval=5s\n", 3,
          "ProbeInterval=5s of [Defaults] (main.conf:5) contradicts ProbeTimeout=20s here"),
        E(SVC "MemoryMin=2G\nMemoryMax=1G\n", 3, "MemoryMin=2G is above MemoryMax=1G"),
        E(SVC "MemoryLow=infinity\nMemoryMax=1G\n", 3, "MemoryLow=infinity is above MemoryMax=1G"),
        W(SVC "MemoryHigh=2G\nMemoryMax=1G\n", 3, "would never be reached"),
        W(SVC "MemoryLow=2G\nMemoryHigh=1G\n", 3, "would be throttled"),
        W(SVC "MemoryMax=9G\n", 3, "more than the 8.0G of memory that this host has"),
        W(SVC "CPUQuota=401%\n", 3, "more than the 4 CPUs of this host can give (400%)"),
        W(SVC "AllowedCPUs=0,4\n", 3, "this host has CPUs 0-3 only"),
        W(SVC "MemoryLow=5G\n[Service b]\nMatch=name:b\nMemoryMin=4G\n", 0,
          "come to 9.0G, but this host has 8.0G"),
        W("[Daemon]\nDryRun=yes\n", 0, "no container will be limited"),
        W("", 0, "no container will be limited"),
        W("\xef\xbb\xbf[Defaults]\n", 0, "no container will be limited"),
#undef E
#undef W
};

/* What the probes themselves advise has an effect, and "check" says nothing against it. */
static const char *const advised[] = {
        "Probe=prometheus\nProbeExpect=status:401\n",
        "Probe=grafana\nProbeExpect=status:302\nProbePath=/grafana/api/health\n",
        "Probe=mlflow\nProbeExpect=status:200,401-403\nProbeHost=mlflow.example.org\n",
        "ProbeExpect=status:401\nProbePath=/x\n", /* of whatever its image says */
        "Probe=http\nProbeExpect=header:Location\nProbeExpect=json:/status\n",
        "Probe=tcp\n",
        /* what nobody has set gives way to what somebody has */
        "ProbeTimeout=20s\n",
        "ProbeInterval=1s\n",
        "[Defaults]\nProbeInterval=1s\n",
        "[Defaults]\nProbeTimeout=5min\n",
};

START_TEST(advice) {
        char text[256];
        const char *texts[] = { text };
        PlDiagList diag = { 0 };
        PlPolicy *p;
        int r;

        (void)snprintf(text, sizeof(text), "[Service a]\nMatch=name:a\n%s", advised[_i]);
        p = parse_texts(texts, 1, &diag, &r);
        ck_assert_msg(diag.n == 0, "%s%s", text, diag.n ? diag.items[0].message : "");
        ck_assert_int_eq(r, 0);
        pl_policy_unref(p);
        pl_diag_list_deinit(&diag);
}
END_TEST

START_TEST(problem) {
        PlDiagList diag = { 0 };
        PlPolicy *p;
        int r;

        p = parse_texts(&problems[_i].text, 1, &diag, &r);
        ck_assert_msg(diag.n == 1, "row %d: %zu problems, the first: %s\n%s", _i, diag.n,
                      diag.n ? diag.items[0].message : "none", problems[_i].text);
        ck_assert_msg(diag.items[0].line == problems[_i].line &&
                                      strstr(diag.items[0].message, problems[_i].message),
                      "row %d: line %u: %s\n%s", _i, diag.items[0].line, diag.items[0].message,
                      problems[_i].text);
        ck_assert_str_eq(diag.items[0].file, "main.conf");
        ck_assert_int_eq(diag.items[0].severity, problems[_i].severity);
        ck_assert_int_eq(r, problems[_i].severity == PL_SEVERITY_ERROR ? -EBADMSG : 0);
        ck_assert_int_eq(p != NULL, r == 0);
        pl_policy_unref(p);
        pl_diag_list_deinit(&diag);
}
END_TEST

/* All of them in one file: each is found, in the order of lines. */
START_TEST(all_problems_at_once) {
        static const char text[] =
                        "[Daemon]\nDryRun=perhaps\nEngin=x\n[Service a]\nMemoryMax=1\nx\n"
                        "[Service b]\nMemoryLow=3G\nMemoryMax=2G\nMatch=name:b\nAfter=c\n";
        static const unsigned lines[] = { 2, 3, 4, 5, 6, 8, 11 };
        const char *const texts[] = { text };
        PlDiagList diag = { 0 };
        int r;

        ck_assert_ptr_null(parse_texts(texts, 1, &diag, &r));
        ck_assert_int_eq(r, -EBADMSG);
        ck_assert_uint_eq(diag.n, PL_ARRAY_SIZE(lines));
        for (size_t i = 0; i < PL_ARRAY_SIZE(lines); i++)
                ck_assert_msg(diag.items[i].line == lines[i], "%zu: line %u: %s", i,
                              diag.items[i].line, diag.items[i].message);
        pl_diag_list_deinit(&diag);
}
END_TEST

static const struct {
        const char *text;
        int r;
} booleans[] = {
        { "yes", 1 },      { "No", 0 },
        { "TRUE", 1 },     { "off", 0 },
        { "1", 1 },        { "0", 0 },
        { "y", 1 },        { "f", 0 },
        { "", 0 },         { "yess", -EINVAL },
        { "ye", -EINVAL }, { "2", -EINVAL },
        { "on", 1 },       { "enabled", -EINVAL },
};

/* An empty value is the default, which is no. */
START_TEST(boolean) {
        PlDiagList diag = {};
        char text[64];
        int r;

        (void)snprintf(text, sizeof(text), "[Daemon]\nDryRun=%s\n", booleans[_i].text);
        _cleanup_(pl_policy_unrefp) PlPolicy *p =
                        parse_texts((const char *const[]){ text }, 1, &diag, &r);
        ck_assert_msg(r == (booleans[_i].r < 0 ? -EBADMSG : 0), "%s: %d", text, r);
        ck_assert(r < 0 || p->daemon.dry_run == booleans[_i].r);
        pl_diag_list_deinit(&diag);
}
END_TEST

/* Each waits for the next one: what takes the square of their number, or more, takes longer than
 * Check waits. */
START_TEST(long_chain) {
        char *text = NULL;
        PlDiagList diag = {};
        size_t size;
        int r;
        FILE *f = open_memstream(&text, &size);

        for (unsigned i = 0; i < 3000; i++)
                fprintf(f, "[Service s%u]\nMatch=name:s%u\nAfter=s%u\n", i, i,
                        i < 2999  ? i + 1
                        : _i == 0 ? 1500U
                                  : 2999U);
        ck_assert_int_eq(fclose(f), 0);
        ck_assert_ptr_null(parse_texts((const char *const[]){ text }, 1, &diag, &r));
        ck_assert_int_eq(r, -EBADMSG);
        ck_assert_uint_eq(diag.n, 1);
        ck_assert_uint_eq(diag.items[0].line, _i == 0 ? 1500 * 3 + 3 : 2999 * 3 + 3);
        ck_assert_ptr_nonnull(
                        strstr(diag.items[0].message, _i == 0 ? "by way of others" : "itself"));
        pl_diag_list_deinit(&diag);
        free(text);
}
END_TEST

int main(void) {
        TCase *tc = tcase_create("policy-errors");

        tcase_add_loop_test(tc, advice, 0, PL_ARRAY_SIZE(advised));
        tcase_add_loop_test(tc, problem, 0, PL_ARRAY_SIZE(problems));
        tcase_add_loop_test(tc, boolean, 0, PL_ARRAY_SIZE(booleans));
        tcase_add_test(tc, all_problems_at_once);
        tcase_add_loop_test(tc, long_chain, 0, 2);
        return run_case(tc);
}
