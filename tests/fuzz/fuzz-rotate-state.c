/* SPDX-License-Identifier: Apache-2.0 */

/* State records, archive names and seek tables are read back after crashes: whatever is accepted
 * must survive being written and read again. */

#include "lib/logs/archive-name.h"
#include "lib/logs/rotate-state.h"
#include "lib/logs/seek-table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        PlRotateState s, back;
        PlSeekTable t;
        PlArchiveName n;
        char name[PL_ARCHIVE_NAME_MAX], again[PL_ARCHIVE_NAME_MAX];
        size_t n_name = PL_MIN(size, sizeof(name) - 1);

        if (pl_rotate_state_decode((const char *)data, size, &s) == 0) {
                char *text;

                check(s.mark <= s.head);
                check(pl_rotate_state_encode(&s, &text) == 0);
                check(pl_rotate_state_decode(text, strlen(text), &back) == 0);
                check(back.gen == s.gen && back.head == s.head && back.phase == s.phase);
                pl_rotate_state_deinit(&back);
                pl_rotate_state_deinit(&s);
                free(text);
        }
        if (pl_seek_table_decode(data, size, size, &t) == 0)
                pl_seek_table_deinit(&t);
        memcpy(name, data, n_name);
        name[n_name] = '\0';
        if (pl_archive_name_parse(name, &n)) {
                check(strlen(n.container) > 128 ||
                      (pl_archive_name_format(&n, again) == 0 &&
                       (n.container[0] == '.' || pl_streq(name, again))));
        }
        pl_archive_dir_name(name, again);
        check(again[0] && again[0] != '.' && !strchr(again, '/'));
        return 0;
}
