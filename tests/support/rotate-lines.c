/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading back is done with zstd and pl_jsonlog_parse() alone, not with the log reader: what checks
 * must not share the faults of what is checked.
 */

#include "rotate-lines.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <zstd.h>

#include "lib/base/time.h"
#include "lib/logs/jsonlog.h"
#include "rotate/store.h"

void die(const char *what) {
        fprintf(stderr, "rotate-harness: %s: %m\n", what);
        exit(2);
}

/* A record that its number alone determines, but for the time. */
static size_t make_text(uint64_t n, char *buf) {
        uint64_t h = n * UINT64_C(0x9e3779b97f4a7c15);
        size_t pad = (size_t)(h >> 56) % 200, size;

        size = (size_t)sprintf(buf, "line %010" PRIu64 " %016" PRIx64 " ", n, h);
        for (size_t i = 0; i < pad; i++)
                buf[size++] = (char)('a' + (h >> (i % 57)) % 26);
        buf[size] = '\0';
        return size;
}

size_t rotate_make_record(uint64_t n, char buf[static 2 * RECORD_MAX]) {
        char text[RECORD_MAX], when[PL_TIME_TEXT_MAX];
        struct timespec ts;

        (void)clock_gettime(CLOCK_REALTIME, &ts);
        pl_format_time((uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec, when);
        make_text(n, text);
        return (size_t)sprintf(buf, "{\"log\":\"%s\\n\",\"stream\":\"%s\",\"time\":\"%s\"}\n", text,
                               n % 7 ? "stdout" : "stderr", when);
}

/* --- reading back -------------------------------------------------------------------------------
 */

typedef struct Check {
        uint64_t next; /* the line that has to come */
        uint64_t lost, doubled, damaged;
        const char *where; /* being read; borrowed */
        char *rest;        /* an unfinished line */
        size_t n_rest;
} Check;

static void check_line(Check *c, const char *line, size_t size) {
        char want[RECORD_MAX];
        PlJsonlogRecord r;
        uint64_t n;

        switch (pl_jsonlog_parse(line, size, &r)) {
        case PL_JSONLOG_FILLER:
        case PL_JSONLOG_MARKER:
                return;
        case PL_JSONLOG_DAMAGED:
                c->damaged++;
                return;
        case PL_JSONLOG_RECORD:
                break;
        }
        if (r.log_size < 17 || memcmp(r.log, "line ", 5) != 0) {
                c->damaged++;
                return;
        }
        n = strtoull(r.log + 5, NULL, 10);
        if (make_text(n, want) + 2 != r.log_size || memcmp(want, r.log, r.log_size - 2) != 0)
                c->damaged++;
        /* where it begins tells the cause */
        if (n < c->next ? c->doubled == 0 : n > c->next && c->lost == 0)
                printf("  %s: line %" PRIu64 " where %" PRIu64 " was due\n", c->where, n, c->next);
        if (n < c->next)
                c->doubled++;
        else {
                c->lost += n - c->next;
                c->next = n + 1;
        }
}

static void feed(Check *c, const char *data, size_t size) {
        char *all = malloc(c->n_rest + size), *p = all, *end, *nl;

        if (!all)
                die("malloc");
        memcpy(all, c->rest, c->n_rest);
        memcpy(all + c->n_rest, data, size);
        end = all + c->n_rest + size;
        while ((nl = memchr(p, '\n', (size_t)(end - p)))) {
                check_line(c, p, (size_t)(nl - p));
                p = nl + 1;
        }
        free(c->rest);
        c->n_rest = (size_t)(end - p);
        c->rest = malloc(c->n_rest ?: 1);
        memcpy(c->rest, p, c->n_rest);
        free(all);
}

static void feed_archive(Check *c, PlLogStore *store, const PlStoredArchive *a) {
        int fd = pl_log_store_open_archive(store, a);
        ZSTD_DCtx *z = ZSTD_createDCtx();
        static char in[1 << 17], out[1 << 17];
        size_t left = 0;
        ssize_t n;

        if (fd < 0 || !z)
                die(a->file);
        c->where = a->file;
        while ((n = read(fd, in, sizeof(in))) > 0) {
                ZSTD_inBuffer i = { in, (size_t)n, 0 };

                while (i.pos < i.size) {
                        ZSTD_outBuffer o = { out, sizeof(out), 0 };

                        left = ZSTD_decompressStream(z, &o, &i);
                        if (ZSTD_isError(left)) {
                                fprintf(stderr, "%s: %s\n", a->file, ZSTD_getErrorName(left));
                                exit(1);
                        }
                        feed(c, out, o.pos);
                }
        }
        if (left != 0 || c->n_rest != 0) {
                fprintf(stderr, "%s: ends in the middle\n", a->file);
                exit(1);
        }
        ZSTD_freeDCtx(z);
        (void)close(fd);
}

static void feed_log(Check *c, const char *path, uint64_t head) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        static char buf[1 << 20];
        uint64_t at = 0;
        Check before = { .next = 1, .where = "before the head" };
        ssize_t n;

        if (fd < 0)
                die(path);
        c->where = "the log";
        while ((n = pread(fd, buf, sizeof(buf), (off_t)at)) > 0) {
                size_t skip = at < head ? (size_t)PL_MIN(head - at, (uint64_t)n) : 0;

                feed(&before, buf, skip);
                if (before.damaged || before.next > 1) {
                        fprintf(stderr, "%s: something else than filler before its head\n", path);
                        exit(1);
                }
                feed(c, buf + skip, (size_t)n - skip);
                at += (uint64_t)n;
        }
        (void)close(fd);
        free(before.rest);
}

int rotate_verify(const char *dir, uint64_t lines) {
        char path[4096], store_path[4096];
        PlLogStore *store;
        PlStoredArchive *archives;
        PlRotateState state;
        size_t n, size = 0;
        Check c = { .next = 1 };
        int r;

        snprintf(path, sizeof(path), "%s/" ID "/" ID "-json.log", dir);
        snprintf(store_path, sizeof(store_path), "%s/archive", dir);
        r = pl_log_store_open(store_path, false, (gid_t)-1, &store);
        if (r >= 0)
                r = pl_log_store_load(store, ID, &state);
        if (r >= 0)
                r = pl_log_store_list(store, ID, &archives, &n);
        errno = -r;
        if (r < 0)
                die(store_path);
        if (n > state.gen || state.phase != PL_ROTATE_CLEAN) {
                fprintf(stderr, "%zu archives, generation %" PRIu64 ", phase %d\n", n, state.gen,
                        state.phase);
                return 1;
        }
        for (size_t i = 0; i < n; i++) {
                feed_archive(&c, store, &archives[i]);
                size += archives[i].size;
        }
        feed_log(&c, path, state.head);
        c.lost += lines + 1 - c.next;
        printf("  %" PRIu64 " lines in %zu archives (%zu bytes) and the log: %" PRIu64
               " lost, %" PRIu64 " doubled, %" PRIu64 " damaged\n",
               lines, n, size, c.lost, c.doubled, c.damaged);
        free(c.rest);
        free(archives);
        pl_rotate_state_deinit(&state);
        pl_log_store_free(store);
        return c.lost || c.doubled || c.damaged ? 1 : 0;
}
