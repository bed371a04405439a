/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the control socket answers holds names, reasons and lines that containers made. Nothing that
 * a terminal would obey may come out of it, in any view.
 */

#include <locale.h>

#include "lib/base/json.h"
#include "lib/base/quote.h"
#include "lib/base/text.h"
#include "lib/status/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

/* Takes the text. */
static void inspect(char *text, bool one_line) {
        for (const char *p = text; *p;) {
                uint32_t c;
                size_t n = pl_utf8_decode(p, strlen(p), &c);

                check(n > 0);
                check(c == '\n' || !pl_utf8_is_hidden(c));
                check(c != '\n' || !one_line || !p[1]);
                p += n;
        }
        free(text);
}

static void view(const json_t *document, const PlViewOptions *o) {
        char *text = NULL;

        if (pl_view_status(document, o, &text) == 0)
                inspect(text, false);
        if (pl_view_show(document, o, &text) == 0)
                inspect(text, false);
        if (pl_view_probe(document, o, &text) == 0)
                inspect(text, false);
        if (pl_view_event(document, o, &text) == 0)
                inspect(text, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static bool begun;
        json_t *document;

        if (!begun)
                (void)setlocale(LC_ALL, "C.UTF-8");
        begun = true;
        document = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
        if (!document)
                return 0;
        for (int k = 0; k < 4; k++)
                view(document, &(PlViewOptions){
                                               .look = { .columns = k & 1 ? 40 : 0, .utf8 = k & 2 },
                                               .now_usec = UINT64_C(1800000000000000),
                                               .elapsed_usec = 1000000,
                                               .previous = k & 1 ? document : NULL,
                                               .sort = (PlViewSort)(k % 3),
                               });
        json_decref(pl_view_problems(document, false));
        json_decref(pl_view_problems(document, true));
        (void)pl_view_is_good(document);
        {
                _cleanup_free_ char *text = pl_json_text(document, JSON_COMPACT);

                check(text);
                inspect(TAKE_PTR(text), true);
        }
        json_decref(document);
        return 0;
}
