/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of pl-oom have in common: a usual sample, a usual kill, and a usual report, whose
 * rows are given with their differences. */

#include "lib/oom/report.h"
#include "unit.h"

#pragma GCC diagnostic ignored "-Woverride-init"
#pragma GCC diagnostic ignored "-Wunused-function"

#define SEC PL_USEC_PER_SEC
#define ID  "3f4e7a90c1d2b3a4958677665544332211ffeeddccbbaa998877665544332211"
#define U   PL_UNLIMITED
#define NOW (1000 * SEC)
#define OWN "/system.slice/docker-" ID ".scope"

static PlOomSample sample(uint64_t at, uint64_t usage, uint64_t file, uint64_t limit,
                          uint64_t some) {
        PlOomSample s;

        pl_oom_sample_init(&s, at);
        s.usage_bytes = usage;
        s.inactive_file_bytes = file;
        s.limit_bytes = limit;
        s.swap_bytes = 0;
        s.some_avg10 = some;
        s.full_avg10 = some == U ? U : some / 2;
        return s;
}

static PlKmsgKill killed(PlKmsgScope scope, const char *limit_group) {
        PlKmsgKill k = {
                .scope = scope,
                .pid = 1234,
                .uid = 70,
                .name = "python3",
                .anon_rss_bytes = MIB(38),
                .file_rss_bytes = MIB(2),
                .shmem_rss_bytes = 0,
                .group = OWN,
                .usage_bytes = MIB(64),
                .limit_bytes = MIB(64),
        };

        (void)snprintf(k.limit_group, sizeof(k.limit_group), "%s", limit_group);
        if (scope == PL_KMSG_SCOPE_HOST)
                k.usage_bytes = k.limit_bytes = U;
        return k;
}

#define REPORT                                                                           \
        .time_usec = 1, .kills = 1, .cause = PL_OOM_CAUSE_LIMIT, .pid = 1234, .uid = 70, \
        .victim_bytes = MIB(40), .victim = "python3", .directive = "MemoryMax",          \
        .limit_bytes = GIB(4), .usage_bytes = GIB(4), .peak_bytes = GIB(4),              \
        .working_set_bytes = MIB(3994), .swap_bytes = 0, .some_permyriad = 3412,         \
        .full_permyriad = 150, .in_10min = 1, .in_hour = 1, .in_day = 2,                 \
        .around.owner = PL_OOM_OWNER_POLICY, .around.section = "Service postgres",       \
        .around.host_bytes = GIB(16), .around.all_limits_bytes = GIB(12),                \
        .around.setting_bytes = U
