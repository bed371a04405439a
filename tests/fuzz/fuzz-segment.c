/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An archive that is none, or half of one: it is opened and read as far as it goes.
 */

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rotate/segment.h"

/* A frame may say that it is as large as it likes; this keeps each try short. */
#define RAW_MAX MIB(4)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const PlArchiveName name = { .gen = 1, .from_sec = 1, .to_sec = 2 };
        PlLogSegment s = PL_LOG_SEGMENT_INIT;
        int fd = memfd_create("segment", MFD_CLOEXEC);
        int r;

        check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
        r = pl_log_segment_open(fd, &name, &s);
        check(r == 0 || r == -EBADMSG || r == -ENOMEM || r == -ENODATA);
        if (r < 0)
                return 0;
        for (size_t i = 0; i < s.table.n && i < 8; i++) {
                if (s.table.frames[i].raw_bytes > RAW_MAX)
                        continue;
                (void)pl_log_segment_time(&s, i);
                if (pl_log_segment_load(&s, i) == 0)
                        check(s.frame == i && (s.data || s.table.frames[i].raw_bytes == 0));
                (void)pl_log_segment_time(&s, i);
        }
        pl_log_segment_close(&s);
        return 0;
}
