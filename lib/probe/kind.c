/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Probe kind: the rows.
 */

#include "lib/probe/kind.h"

#define TALK_NONE(talk)
#define TALK_CONNECT(talk)
#define TALK_TCP(talk)  .tcp = &pl_tcp_##talk,
#define TALK_HTTP(talk) .http = &pl_http_##talk,
/* clang-format off */
#define ROW(constant, name, transport_, talk)                                           \
        [PL_PROBE_##constant] = { .word = name, .transport = PL_TRANSPORT_##transport_, \
                                  TALK_##transport_(talk) },
#define WORD(constant, name, ...) { name, PL_PROBE_##constant },
/* clang-format on */

static const PlProbeKindInfo kinds[_PL_PROBE_N] = { PL_PROBE_KINDS(ROW) };
const PlWord pl_probe_kind_words[] = { PL_PROBE_KINDS(WORD){ NULL } };

const PlProbeKindInfo *pl_probe_kind_info(PlProbeKind k) {
        return &kinds[(unsigned)k < _PL_PROBE_N ? k : PL_PROBE_NONE];
}
