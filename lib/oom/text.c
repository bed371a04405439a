/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OOM in words: the journal entry, its fields, the JSON, and the advice. Names of processes and
 * groups come from containers and are escaped here, since they go into text of our own.
 */

#include "lib/base/diag.h"
#include "lib/base/json.h"
#include "lib/base/quote.h"
#include "lib/base/unit.h"
#include "lib/oom/report.h"

#define NAME_MAX_BYTES  64
#define GROUP_MAX_BYTES 200

static uint64_t round_to(uint64_t bytes, bool up) {
        uint64_t step = 4096;

        while (step <= bytes / 8 && step < (UINT64_C(1) << 60))
                step *= 2;
        return (up ? bytes + step - 1 : bytes) / step * step;
}

/* A limit that would have been enough, in a round number: a quarter more than what is used up to
 * need_bytes, and at most nine tenths of the host's memory (0: unknown). Return: bytes; 0: the host
 * has no more to give. */
static uint64_t suggest(uint64_t need_bytes, uint64_t host_bytes) {
        uint64_t most = host_bytes > 0 ? round_to(host_bytes / 10 * 9, false) : GIB(1 << 20);
        uint64_t bytes;

        if (need_bytes >= most)
                return 0;
        bytes = round_to(need_bytes + need_bytes / 4, true);
        return PL_MIN(bytes, most);
}

static const char *percent(uint64_t permyriad, char buf[static PL_FORMAT_MAX]) {
        if (permyriad >= 1000 || permyriad % 100 == 0)
                (void)snprintf(buf, PL_FORMAT_MAX, "%" PRIu64 "%%", (permyriad + 50) / 100);
        else
                (void)snprintf(buf, PL_FORMAT_MAX, "%" PRIu64 ".%" PRIu64 "%%", permyriad / 100,
                               permyriad % 100 / 10);
        return buf;
}

static void print_escaped(FILE *f, const char *s, size_t max) {
        _cleanup_free_ char *text = pl_escape(s, max);

        fputs(text ?: "?", f);
}

/* A section, which may be cut in the middle of a character, or come from a file that is broken. */
static void print_named(FILE *f, const char *before, const char *section) {
        fprintf(f, "%s [", before);
        print_escaped(f, section, GROUP_MAX_BYTES);
        (void)fputc(']', f);
}

static void print_size(FILE *f, const char *before, uint64_t bytes) {
        char buf[PL_FORMAT_MAX];

        if (bytes != PL_UNLIMITED)
                fprintf(f, "%s%s", before, pl_format_bytes(bytes, buf));
}

static const char *const causes[] = {
        [PL_OOM_CAUSE_UNKNOWN] = "unknown",
        [PL_OOM_CAUSE_LIMIT] = "limit",
        [PL_OOM_CAUSE_PARENT] = "parent",
        [PL_OOM_CAUSE_HOST] = "host",
};

static const char *cause_to_string(PlOomCause c) {
        return causes[c];
}

static void print_owner(FILE *f, const PlOomReport *r) {
        if (r->around.owner == PL_OOM_OWNER_POLICY)
                print_named(f, ", set by", r->around.section);
        else if (r->around.owner == PL_OOM_OWNER_ENGINE)
                fputs(", set in the engine", f);
        else
                fputs(", set by neither the policy nor the engine", f);
}

static void print_victim(FILE *f, const PlOomReport *r) {
        if (r->pid == 0) {
                fputs("a process (the kernel log does not tell which)", f);
        } else {
                print_escaped(f, r->victim, NAME_MAX_BYTES);
                fprintf(f, " (pid %d", (int)r->pid);
                if (r->uid != PL_UNLIMITED)
                        fprintf(f, ", uid %" PRIu64, r->uid);
                print_size(f, ", ", r->victim_bytes);
                fputc(')', f);
        }
        if (r->kills > 1)
                fprintf(f, " and %" PRIu64 " more", r->kills - 1);
        fputs(r->kills > 1 ? " were killed" : " was killed", f);
}

static void print_cause(FILE *f, const PlOomReport *r) {
        switch (r->cause) {
        case PL_OOM_CAUSE_LIMIT:
                print_size(f, " at the limit of ", r->limit_bytes);
                print_owner(f, r);
                break;
        case PL_OOM_CAUSE_PARENT:
                print_size(f, " at the limit of ", r->limit_bytes);
                fputs(r->limit_bytes != PL_UNLIMITED ? " of " : " at the limit of ", f);
                print_escaped(f, r->limit_group, GROUP_MAX_BYTES);
                fputs(", the group above it", f);
                break;
        case PL_OOM_CAUSE_HOST:
                fputs(" because the host ran out of memory", f);
                break;
        case PL_OOM_CAUSE_UNKNOWN:
                print_size(f, "; the limit is ", r->limit_bytes);
                break;
        }
}

static void print_numbers(FILE *f, const PlOomReport *r) {
        char a[PL_FORMAT_MAX];

        if (r->usage_bytes != PL_UNLIMITED || r->peak_bytes != PL_UNLIMITED) {
                fputs(". Used ", f);
                fputs(r->usage_bytes == PL_UNLIMITED ? "unknown"
                                                     : pl_format_bytes(r->usage_bytes, a),
                      f);
                print_size(f, ", peak ", r->peak_bytes);
                print_size(f, ", working set ", r->working_set_bytes);
                print_size(f, ", swap ", r->swap_bytes);
        }
        if (r->some_permyriad != PL_UNLIMITED) {
                fprintf(f, ". Pressure in the minute before: some %s",
                        percent(r->some_permyriad, a));
                if (r->full_permyriad != PL_UNLIMITED)
                        fprintf(f, ", full %s", percent(r->full_permyriad, a));
        }
}

/* Where the limit belongs: what stands in [Defaults] holds for every container. */
static void print_section(FILE *f, const PlOomReport *r) {
        if (r->around.proposed[0])
                print_named(f, " in a section of its own,", r->around.proposed);
        else if (r->around.section[0] && !pl_streq(r->around.section, "Defaults"))
                print_named(f, " in", r->around.section);
        else
                fputs(" in a [Service] section of its own", f);
}

/* "peak 4.0G of 4.0G 3 times in an hour; Postgres shared_buffers is 3.0G: lower it, or raise
 * MemoryMax= to 5G in [Service postgres]" */
static void advise_limit(FILE *f, const PlOomReport *r) {
        uint64_t more = suggest(r->limit_bytes, r->around.host_bytes);
        /* up to half of the limit leaves the rest for everything else: connections and their sorts,
         * a fork that saves a snapshot */
        bool setting = r->around.setting && r->around.setting_bytes > r->limit_bytes / 2;
        char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX];

        if (r->in_hour > 1 && r->peak_bytes != PL_UNLIMITED)
                fprintf(f, "peak %s of %s %u times in an hour; ", pl_format_bytes(r->peak_bytes, a),
                        pl_format_bytes(r->limit_bytes, b), r->in_hour);
        if (setting)
                fprintf(f, "%s %s is %s: lower it", r->around.product, r->around.setting,
                        pl_format_bytes(r->around.setting_bytes, a));
        if (more > r->limit_bytes) {
                fprintf(f,
                        r->around.owner == PL_OOM_OWNER_POLICY ? "%sraise %s= to %s"
                                                               : "%sset %s=%s",
                        setting ? ", or " : "", r->directive, pl_format_bytes_exact(more, a));
                print_section(f, r);
                if (!setting)
                        fputs(", or find out what grows in it", f);
        } else if (!setting) {
                fprintf(f, "the host's %s cannot give more: make it use less",
                        pl_format_bytes(r->around.host_bytes, a));
        }
}

static void advise_host(FILE *f, const PlOomReport *r) {
        char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX];

        if (r->around.host_bytes > 0 && r->around.all_limits_bytes != PL_UNLIMITED &&
            (r->around.all_limits_bytes > r->around.host_bytes || r->around.n_unlimited > 0)) {
                fprintf(f, "running containers may use %s",
                        pl_format_bytes(r->around.all_limits_bytes, a));
                if (r->around.n_unlimited > 0)
                        fprintf(f, ", and %u of them without a limit,", r->around.n_unlimited);
                fprintf(f, " of the host's %s: ", pl_format_bytes(r->around.host_bytes, b));
                fputs(r->around.n_unlimited > 0
                                      ? "give each a MemoryMax=, so that they fit together"
                                      : "lower MemoryMax= until they fit together",
                      f);
                return;
        }
        fputs("what else runs on the host needs less, or the host more memory", f);
}

static void print_advice(FILE *f, const PlOomReport *r) {
        switch (r->cause) {
        case PL_OOM_CAUSE_LIMIT:
                if (r->limit_bytes != PL_UNLIMITED)
                        advise_limit(f, r);
                break;
        case PL_OOM_CAUSE_PARENT:
                fputs("raise the limit of ", f);
                print_escaped(f, r->limit_group, GROUP_MAX_BYTES);
                fputs(", or lower MemoryMax= of what is in it", f);
                break;
        case PL_OOM_CAUSE_HOST:
                advise_host(f, r);
                break;
        case PL_OOM_CAUSE_UNKNOWN:
                break;
        }
}

/* What to do, as a sentence; also the end of pl_oom_text(). Caller owns it. */
static char *advice_of(const PlOomReport *r) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        print_advice(f, r);
        return pl_take_text(f, &text);
}

char *pl_oom_text(const PlOomReport *r) {
        _cleanup_free_ char *advice = advice_of(r);
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        fputs("OOM kill: ", f);
        print_victim(f, r);
        print_cause(f, r);
        print_numbers(f, r);
        fprintf(f, ". Kills: %u in 10 min, %u in 1 h, %u in 24 h", r->in_10min, r->in_hour,
                r->in_day);
        if (advice && *advice)
                fprintf(f, ". Advice: %s", advice);
        return pl_take_text(f, &text);
}

char *pl_oom_pressure_text(const PlOomReport *r, uint64_t lasting_usec) {
        char *text = NULL, buf[PL_FORMAT_MAX];
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        fputs("memory is short", f);
        if (r->limit_bytes != PL_UNLIMITED) {
                print_size(f, ": working set ", r->working_set_bytes);
                print_size(f, " of ", r->limit_bytes);
                print_owner(f, r);
        }
        if (r->some_permyriad != PL_UNLIMITED)
                fprintf(f, "; tasks wait for memory %s of the time",
                        percent(r->some_permyriad, buf));
        fprintf(f, ", for %s now. The kernel %s. Advice: ",
                pl_format_sec(lasting_usec / PL_USEC_PER_SEC * PL_USEC_PER_SEC, buf),
                pl_streq(r->directive, "MemoryHigh") ? "slows it down more and more"
                                                     : "kills when nothing can be freed any more");
        advise_limit(f, r);
        return pl_take_text(f, &text);
}

static void add(PlOomFields *f, const char *name, uint64_t n) {
        if (n == PL_UNLIMITED || f->n == PL_OOM_FIELDS_MAX)
                return;
        f->items[f->n].name = name;
        (void)snprintf(f->items[f->n++].value, sizeof(f->items[0].value), "%" PRIu64, n);
}

static void add_text(PlOomFields *f, const char *name, const char *text) {
        _cleanup_free_ char *clean = pl_escape(text, sizeof(f->items[0].value) - 1);

        if (!*text || !clean || f->n == PL_OOM_FIELDS_MAX)
                return;
        f->items[f->n].name = name;
        (void)snprintf(f->items[f->n++].value, sizeof(f->items[0].value), "%s", clean);
}

/* Lowest and highest known of the kills at this container's own limit. */
static void range_of(const PlOomHistory *h, size_t offset, uint64_t *ret_low, uint64_t *ret_high) {
        const PlOomReport *r;

        *ret_low = PL_UNLIMITED;
        *ret_high = 0;
        for (unsigned i = 0; (r = pl_oom_history_get(h, i)); i++) {
                uint64_t v = *(const uint64_t *)((const char *)r + offset);

                if (r->cause != PL_OOM_CAUSE_LIMIT || v == PL_UNLIMITED)
                        continue;
                *ret_low = PL_MIN(*ret_low, v);
                *ret_high = PL_MAX(*ret_high, v);
        }
}

static void print_range(FILE *f, const char *before, uint64_t low, uint64_t high,
                        const char *both) {
        char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX];

        if (low == PL_UNLIMITED)
                return;
        (void)pl_format_bytes(low, a);
        (void)pl_format_bytes(high, b);
        if (pl_streq(a, b))
                fprintf(f, "%s%s", before, a);
        else
                fprintf(f, "%s%s%s%s", before, a, both, b);
}

const char *pl_oom_past(const PlOomHistory *h, uint64_t now_usec,
                        char buf[static PL_OOM_PAST_MAX]) {
        unsigned n = PL_MIN(h->n_times, (unsigned)PL_OOM_TIMES);
        uint64_t first = n > 0 ? h->times[(h->n_times - n) % PL_OOM_TIMES] : 0, low, high;
        uint64_t span = now_usec > first ? now_usec - first : 0;
        char text[PL_FORMAT_MAX];
        FILE *f = n > 0 ? fmemopen(buf, PL_OOM_PAST_MAX, "w") : NULL;

        *buf = '\0';
        if (!f)
                return buf;
        span = span >= PL_USEC_PER_MIN ? span / PL_USEC_PER_MIN * PL_USEC_PER_MIN
                                       : span / PL_USEC_PER_SEC * PL_USEC_PER_SEC;
        if (n == 1)
                fprintf(f, "killed once, %s ago", pl_format_sec(span, text));
        else
                fprintf(f, "killed %u times in %s", n, pl_format_sec(span, text));
        range_of(h, offsetof(PlOomReport, limit_bytes), &low, &high);
        print_range(f, " at ", low, high, " to ");
        range_of(h, offsetof(PlOomReport, peak_bytes), &low, &high);
        print_range(f, n == 1 ? "; peak before it " : "; peak before each ", low, high, " to ");
        (void)fclose(f);
        buf[PL_OOM_PAST_MAX - 1] = '\0';
        return buf;
}

char *pl_oom_entry(const PlOomReport *r, const PlOomHistory *h) {
        _cleanup_free_ char *text = pl_oom_text(r);
        char past[PL_OOM_PAST_MAX], *whole = NULL;
        unsigned n = PL_MIN(h->n_times, (unsigned)PL_OOM_TIMES);

        if (!text || n <= r->in_day || !*pl_oom_past(h, r->time_usec, past))
                return TAKE_PTR(text);
        return asprintf(&whole, "%s. Its service was %s", text, past) < 0 ? NULL : whole;
}

void pl_oom_fields(const PlOomReport *r, PlOomFields *ret) {
        ret->n = 0;
        add_text(ret, "PLIMSOLL_VICTIM", r->victim);
        add(ret, "PLIMSOLL_VICTIM_PID", r->pid > 0 ? (uint64_t)r->pid : PL_UNLIMITED);
        add_text(ret, "PLIMSOLL_OOM_CAUSE", cause_to_string(r->cause));
        add(ret, "PLIMSOLL_OOM_KILLS", r->kills);
        add(ret, "PLIMSOLL_OOM_KILLS_1H", r->in_hour);
        add(ret, "PLIMSOLL_LIMIT_BYTES", r->limit_bytes);
        add_text(ret, "PLIMSOLL_LIMIT_SECTION",
                 r->around.owner == PL_OOM_OWNER_POLICY ? r->around.section : "");
        add(ret, "PLIMSOLL_USAGE_BYTES", r->usage_bytes);
        add(ret, "PLIMSOLL_PEAK_BYTES", r->peak_bytes);
        add(ret, "PLIMSOLL_WORKING_SET_BYTES", r->working_set_bytes);
        add(ret, "PLIMSOLL_SWAP_BYTES", r->swap_bytes);
        add(ret, "PLIMSOLL_PRESSURE_SOME_PERMYRIAD", r->some_permyriad);
        add(ret, "PLIMSOLL_PRESSURE_FULL_PERMYRIAD", r->full_permyriad);
}

static json_t *text_or_null(const char *s) {
        _cleanup_free_ char *clean = s && *s ? pl_escape(s, GROUP_MAX_BYTES) : NULL;

        return clean ? json_string(clean) : json_null();
}

static json_t *share(uint64_t permyriad) {
        return permyriad == PL_UNLIMITED ? json_null() : json_real((double)permyriad / 100.0);
}

static const char *owner_to_string(const PlOomReport *r) {
        return r->around.owner == PL_OOM_OWNER_POLICY   ? "policy"
               : r->around.owner == PL_OOM_OWNER_ENGINE ? "engine"
                                                        : NULL;
}

static bool put_numbers(json_t *o, const PlOomReport *r) {
        return pl_json_put_number(o, "limit_bytes", r->limit_bytes) &&
               pl_json_put(o, "limit_owner", text_or_null(owner_to_string(r))) &&
               pl_json_put(o, "limit_section",
                           text_or_null(r->around.owner == PL_OOM_OWNER_POLICY ? r->around.section
                                                                               : NULL)) &&
               pl_json_put(o, "limit_group", text_or_null(r->limit_group)) &&
               pl_json_put_number(o, "usage_bytes", r->usage_bytes) &&
               pl_json_put_number(o, "peak_bytes", r->peak_bytes) &&
               pl_json_put_number(o, "working_set_bytes", r->working_set_bytes) &&
               pl_json_put_number(o, "swap_bytes", r->swap_bytes) &&
               pl_json_put(o, "pressure_some_percent", share(r->some_permyriad)) &&
               pl_json_put(o, "pressure_full_percent", share(r->full_permyriad)) &&
               pl_json_put(o, "kills_10min", json_integer(r->in_10min)) &&
               pl_json_put(o, "kills_1h", json_integer(r->in_hour)) &&
               pl_json_put(o, "kills_24h", json_integer(r->in_day));
}

json_t *pl_oom_json(const PlOomReport *r, const char *container, const char *message_id) {
        _cleanup_free_ char *message = pl_oom_text(r), *advice = advice_of(r);
        json_t *o = json_object();

        if (o && message && advice && pl_json_put_number(o, "time_usec", r->time_usec) &&
            pl_json_put(o, "priority", json_integer(3)) &&
            pl_json_put(o, "message", json_string(message)) &&
            pl_json_put(o, "message_id", text_or_null(message_id)) &&
            pl_json_put(o, "container", text_or_null(container)) &&
            pl_json_put(o, "cause", json_string(cause_to_string(r->cause))) &&
            pl_json_put_number(o, "kills", r->kills) &&
            pl_json_put(o, "victim", text_or_null(r->victim)) &&
            pl_json_put(o, "victim_pid", r->pid > 0 ? json_integer(r->pid) : json_null()) &&
            pl_json_put_number(o, "victim_uid", r->uid) &&
            pl_json_put_number(o, "victim_bytes", r->victim_bytes) && put_numbers(o, r) &&
            pl_json_put(o, "advice", *advice ? json_string(advice) : json_null()))
                return o;
        json_decref(o);
        return NULL;
}
