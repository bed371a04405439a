/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * systemd-oomd: what it says of a group whose processes it kills.
 *
 * It kills a group when memory is short around it, long before the kernel would, by a SIGKILL that
 * looks like anybody's. It leaves two traces: an entry in the journal, and extended attributes of
 * the group, which go with it. Pure: no I/O; daemon/oom/watch.c reads.
 *
 * Sources: systemd-oomd.service(8); systemd, src/oom/oomd-manager.c (the texts; up to 257 one is
 * written after the kill, from 258 on before it) and src/oom/oomd-util.c (user.oomd_ooms, one more
 * before each kill).
 */

#include "lib/oom/kmsg.h"

#define PL_OOMD_UNIT  "systemd-oomd.service"
#define PL_OOMD_XATTR "user.oomd_ooms"

typedef enum PlOomdWord {
        PL_OOMD_NOTHING, /* it is about another group, or about no kill */
        PL_OOMD_PART,    /* about a group inside it: perhaps not its first process */
        PL_OOMD_MARKED,  /* it is going to be killed, as a whole */
        PL_OOMD_KILLED,  /* it was */
} PlOomdWord;

/**
 * pl_oomd_word() - what an entry of systemd-oomd says of a group
 * @message: "Killed GROUP due to memory pressure for …", "Marked GROUP for killing due to …"
 * @group:   below the mount, with or without a leading slash. With a group above it, it is killed,
 *           too
 */
PlOomdWord pl_oomd_word(const char *message, const char *group);

#define PL_OOMD_TEXT_MAX 240

/* What others have written down of an end, printable; "": nothing. */
typedef struct PlOomTraces {
        char oomd[PL_OOMD_TEXT_MAX];   /* systemd-oomd */
        bool killed;                   /* … beyond doubt, and its first process, too */
        char fault[PL_KMSG_FAULT_MAX]; /* the kernel, of its first process */
} PlOomTraces;
