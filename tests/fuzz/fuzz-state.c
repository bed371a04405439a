/* SPDX-License-Identifier: Apache-2.0 */

/* State files are read back after crashes, and decide what is written into the kernel: whatever is
 * accepted must survive being written and read again. So must the history of OOM kills beside them,
 * which goes into journal entries and JSON. */

#include "lib/limits/originals.h"
#include "lib/oom/report.h"
#include "../unit/same-limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

static void one_history(const char *data, size_t size) {
        PlOomHistory h, back;
        const PlOomReport *r;
        char *text, *again;

        if (pl_oom_history_parse(data, size, &h) < 0)
                return;
        check(pl_oom_history_format(&h, &text) == 0);
        check(pl_oom_history_parse(text, strlen(text), &back) == 0);
        check(pl_oom_history_format(&back, &again) == 0);
        check(pl_streq(text, again));
        for (unsigned i = 0; (r = pl_oom_history_get(&back, i)); i++) {
                json_t *j = pl_oom_json(r, "x", NULL);

                check(j);
                json_decref(j);
        }
        free(text);
        free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        PlContainerState s = {}, back = {};
        char *text;

        one_history((const char *)data, size);
        if (pl_state_parse((const char *)data, size, &s) < 0)
                return 0;
        check(strlen(s.id) == PL_ID_MAX - 1);
        check(pl_state_format(&s, &text) == 0);
        check(pl_state_parse(text, strlen(text), &back) == 0);
        check(back.managed == s.managed && pl_streq(back.id, s.id));
        check(same_some_limits(&back.original, &s.original));
        check(same_some_limits(&back.engine_original, &s.engine_original));
        check(same_some_limits(&back.engine_told, &s.engine_told));
        check(same_some_limits(&back.engine_asked, &s.engine_asked));
        check(pl_streq(back.engine, s.engine) && back.version == s.version);
        check(back.run_usec == s.run_usec &&
              memcmp(&back.period, &s.period, sizeof(s.period)) == 0);
        check(pl_value_equal(&back.squeeze_high, &s.squeeze_high));
        pl_container_state_deinit(&back);
        pl_container_state_deinit(&s);
        free(text);
        return 0;
}
