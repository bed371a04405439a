/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as records of the kernel log, each ended by a newline (dictionary lines begin with a
 * space): what is taken for a kill has a process, and bounded names.
 */
#include "lib/oom/kmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char id[] = "3f4e7a90c1d2";
        PlKmsgFold fold = { 0 };
        const char *p = (const char *)data, *end = p + size;

        while (p < end) {
                const char *eol = memchr(p, '\n', (size_t)(end - p));
                const char *next = eol ? eol + 1 : end;
                PlKmsgRecord r;
                PlKmsgKill k;

                memset(&r, 0xA5, sizeof(r));
                if (pl_kmsg_parse(p, (size_t)(next - p), &r) == 0) {
                        if (!memchr(r.text, '\0', sizeof(r.text)))
                                abort();
                        if (pl_kmsg_fold(&fold, &r, &k)) {
                                if (k.pid <= 0 || !memchr(k.name, '\0', sizeof(k.name)) ||
                                    !memchr(k.group, '\0', sizeof(k.group)) ||
                                    !memchr(k.limit_group, '\0', sizeof(k.limit_group)))
                                        abort();
                                if (pl_kmsg_own_limit(&k, id) && k.scope != PL_KMSG_SCOPE_GROUP)
                                        abort();
                                (void)pl_kmsg_is_about(&k, id);
                        }
                } else if (r.sequence != UINT64_C(0xA5A5A5A5A5A5A5A5)) {
                        abort();
                }
                p = next;
        }
        return 0;
}
