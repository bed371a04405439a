/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Units, the other way: numbers to the text that people read and that a policy accepts back.
 */

#include "lib/base/unit.h"

static const char suffixes[] = "BKMGTPE";

const char *pl_format_bytes(uint64_t bytes, char buf[static PL_FORMAT_MAX]) {
        uint64_t tenths;
        unsigned i;

        if (bytes == PL_UNLIMITED) {
                snprintf(buf, PL_FORMAT_MAX, "infinity");
                return buf;
        }
        if (bytes < 1024) {
                snprintf(buf, PL_FORMAT_MAX, "%" PRIu64 "B", bytes);
                return buf;
        }
        /* 1023.95K and more is shown in the next unit, not as 1024.0K */
        for (i = 1; i < 6; i++) {
                tenths = (uint64_t)(((unsigned __int128)bytes * 10 +
                                     (UINT64_C(1) << (10 * i - 1))) >>
                                    (10 * i));
                if (tenths < 10240)
                        break;
        }
        tenths = (uint64_t)(((unsigned __int128)bytes * 10 + (UINT64_C(1) << (10 * i - 1))) >>
                            (10 * i));
        snprintf(buf, PL_FORMAT_MAX, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10,
                 suffixes[i]);
        return buf;
}

const char *pl_format_bytes_exact(uint64_t bytes, char buf[static PL_FORMAT_MAX]) {
        unsigned i = 0;

        if (bytes == PL_UNLIMITED) {
                snprintf(buf, PL_FORMAT_MAX, "infinity");
                return buf;
        }
        for (; bytes && bytes % 1024 == 0 && i < 6; i++)
                bytes /= 1024;
        if (i == 0)
                snprintf(buf, PL_FORMAT_MAX, "%" PRIu64, bytes);
        else
                snprintf(buf, PL_FORMAT_MAX, "%" PRIu64 "%c", bytes, suffixes[i]);
        return buf;
}

/* "3.2ms", "3ms" */
static const char *format_tenths(uint64_t tenths, const char *unit,
                                 char buf[static PL_FORMAT_MAX]) {
        if (tenths % 10 && tenths < 100)
                snprintf(buf, PL_FORMAT_MAX, "%" PRIu64 ".%" PRIu64 "%s", tenths / 10, tenths % 10,
                         unit);
        else
                snprintf(buf, PL_FORMAT_MAX, "%" PRIu64 "%s", tenths / 10, unit);
        return buf;
}

const char *pl_format_sec(uint64_t usec, char buf[static PL_FORMAT_MAX]) {
        static const struct {
                uint64_t usec;
                const char *name;
        } units[] = {
                { 365 * PL_USEC_PER_DAY, "y" }, { PL_USEC_PER_DAY, "d" }, { PL_USEC_PER_HOUR, "h" },
                { PL_USEC_PER_MIN, "min" },     { PL_USEC_PER_SEC, "s" },
        };
        size_t i = 0;
        uint64_t rest;

        if (usec == PL_TIME_INFINITY) {
                snprintf(buf, PL_FORMAT_MAX, "infinity");
                return buf;
        }
        if (usec == 0 ||
            (usec >= PL_USEC_PER_SEC && usec < 2 * PL_USEC_PER_MIN && usec != PL_USEC_PER_MIN))
                return format_tenths(usec / (PL_USEC_PER_SEC / 10), "s", buf);
        if (usec < PL_USEC_PER_MSEC)
                return format_tenths(usec * 10, "us", buf);
        if (usec < PL_USEC_PER_SEC)
                return format_tenths(usec / (PL_USEC_PER_MSEC / 10), "ms", buf);

        while (usec < units[i].usec)
                i++;
        /* never past the last row: anything here is a minute or more */
        rest = usec % units[i].usec / units[i + 1].usec;
        if (rest)
                snprintf(buf, PL_FORMAT_MAX, "%" PRIu64 "%s %" PRIu64 "%s", usec / units[i].usec,
                         units[i].name, rest, units[i + 1].name);
        else
                snprintf(buf, PL_FORMAT_MAX, "%" PRIu64 "%s", usec / units[i].usec, units[i].name);
        return buf;
}

const char *pl_format_sec_exact(uint64_t usec, char buf[static PL_FORMAT_MAX]) {
        uint64_t back;

        (void)pl_format_sec(usec, buf);
        if (pl_parse_sec(buf, &back) == 0 && back == usec)
                return buf;
        if (usec % PL_USEC_PER_SEC == 0)
                (void)snprintf(buf, PL_FORMAT_MAX, "%" PRIu64 "s", usec / PL_USEC_PER_SEC);
        else if (usec % PL_USEC_PER_MSEC == 0)
                (void)snprintf(buf, PL_FORMAT_MAX, "%" PRIu64 "ms", usec / PL_USEC_PER_MSEC);
        else
                (void)snprintf(buf, PL_FORMAT_MAX, "%" PRIu64 "us", usec);
        return buf;
}
