/* SPDX-License-Identifier: Apache-2.0 */

/* The engine's files, rewritten, and the record of an adoption: what is accepted is accepted again,
 * and says what it should. */

#include <errno.h>

#include "lib/adopt/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const PlAdoptSizes sizes = { MIB(10), 3 };
        _cleanup_free_ char *text = malloc(size + 1), *out = NULL, *again = NULL;
        PlAdoptFlags flags;
        PlAdoptJournal j;

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';
        flags = pl_adopt_flags(text, size);
        check(!flags.config_file || (flags.config_file > text && flags.config_file <= text + size));

        if (pl_adopt_hostconfig(text, size, &sizes, &out) == 0) {
                check(strstr(out, "\"max-size\":\"10485760\"") != NULL);
                check(pl_adopt_hostconfig(out, strlen(out), &sizes, &again) == -EALREADY);
                free(TAKE_PTR(out));
        }
        flags = (PlAdoptFlags){};
        if (pl_adopt_daemon_json(text, size, &flags, &sizes, "json-file", &out) == 0 && out) {
                check(pl_adopt_daemon_json(out, strlen(out), &flags, &sizes, "json-file", &again) ==
                      0);
                check(!again);
        }
        if (pl_adopt_journal_decode(text, size, &j) == 0) {
                _cleanup_free_ char *encoded = NULL;
                PlAdoptJournal back;

                check(pl_adopt_journal_encode(&j, &encoded) == 0);
                check(pl_adopt_journal_decode(encoded, strlen(encoded), &back) == 0);
                check(back.phase == j.phase && back.n_items == j.n_items);
                pl_adopt_journal_deinit(&back);
                pl_adopt_journal_deinit(&j);
        }
        return 0;
}
