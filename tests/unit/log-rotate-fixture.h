/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A log of numbered lines, a store for its archives, and reading both back.
 */

#include <fcntl.h>
#include <zstd.h>

#include "lib/logs/jsonlog.h"
#include "rotate/file.h"
#include "rotate/methods.h"
#include "rotate/sequence.h"
#include "tmp.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char log_path[512], store_path[128];
static PlLogStore *store;
static PlRotateProbe probe;

static inline void setup(void) {
        int fd;

        tmp_make("/var/tmp");
        snprintf(log_path, sizeof(log_path), "%s/" ID, tmp);
        ck_assert_int_eq(mkdir(log_path, 0710), 0);
        fd = open(log_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_eq(pl_log_probe(fd, &probe), 0);
        (void)close(fd);
        strcat(log_path, "/" ID "-json.log");
        snprintf(store_path, sizeof(store_path), "%s/archive", tmp);
        ck_assert_int_eq(pl_log_store_open(store_path, true, (gid_t)-1, &store), 0);
}

static inline void teardown(void) {
        store = pl_log_store_free(store);
        tmp_remove();
}

static inline void append(unsigned from, unsigned to) {
        FILE *f = fopen(log_path, "ae");

        ck_assert_ptr_nonnull(f);
        for (unsigned i = from; i < to; i++)
                fprintf(f,
                        "{\"log\":\"line "
                        "%u\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:%02u:"
                        "%02u.%uZ\"}\n",
                        i, i / 6000 % 60, i / 100 % 60, i % 100 + 1);
        ck_assert_int_eq(fclose(f), 0);
}

static inline PlRotateRequest request(unsigned engine, bool running) {
        return (PlRotateRequest){
                .id = ID,
                .name = (char *)"web",
                .path = log_path,
                .driver = (char *)"json-file",
                .service = (char *)"front",
                .facts = { .engine_major = engine, .has_path = true, .running = running },
                .max_size_bytes = KIB(64),
                .budget_bytes = PL_UNLIMITED,
        };
}

static atomic_uint engine_epoch;

static inline int rotate(const PlRotateRequest *req, PlRotateOutcome *ret) {
        PlRotateContext ctx = { .store = store,
                                .engine_epoch = &engine_epoch,
                                .archiver = pl_archiver_new(1),
                                .now_sec = 1767400000 };
        int r = pl_log_rotate(&ctx, req, ret);

        pl_archiver_free(ctx.archiver);
        return r;
}

static inline int salvage(const PlRotateRequest *req, int fd, PlRotateOutcome *ret) {
        PlRotateContext ctx = { .store = store,
                                .archiver = pl_archiver_new(1),
                                .now_sec = 1767400000 };
        int r = pl_log_salvage(&ctx, req, fd, ret);

        pl_archiver_free(ctx.archiver);
        return r;
}

/* All lines, archives first, then those of the log, if there is one: "line N" must follow each
 * other. Return: the number after the last one. */
static inline unsigned read_from(unsigned next) {
        PlStoredArchive *archives;
        PlRotateState s;
        size_t n, all = 0, size;
        char *text = malloc(MIB(64)), *p, *nl;
        int fd;
        ssize_t got;

        ck_assert_int_eq(pl_log_store_list(store, ID, &archives, &n), 0);
        for (size_t i = 0; i < n; i++) {
                char *packed = malloc(archives[i].size);
                struct stat st;

                ck_assert_uint_eq(archives[i].name.gen, i + 1);
                fd = pl_log_store_open_archive(store, &archives[i]);
                ck_assert_int_eq(fstat(fd, &st), 0);
                ck_assert_uint_eq(st.st_mode & 07777, 0640);
                ck_assert_int_eq(read(fd, packed, archives[i].size), (ssize_t)archives[i].size);
                (void)close(fd);
                size = ZSTD_decompress(text + all, MIB(64) - all, packed, archives[i].size);
                ck_assert_msg(!ZSTD_isError(size), "%s", ZSTD_getErrorName(size));
                all += size;
                free(packed);
        }
        free(archives);
        ck_assert_int_eq(pl_log_store_load(store, ID, &s), 0);
        fd = open(log_path, O_RDONLY | O_CLOEXEC);
        got = fd < 0 ? 0 : pread(fd, text + all, MIB(64) - all, (off_t)s.head);
        ck_assert_int_ge(got, 0);
        if (fd >= 0)
                (void)close(fd);
        pl_rotate_state_deinit(&s);
        all += (size_t)got;
        for (p = text; (nl = memchr(p, '\n', (size_t)(text + all - p))); p = nl + 1) {
                PlJsonlogRecord r;

                ck_assert_int_eq(pl_jsonlog_parse(p, (size_t)(nl - p), &r), PL_JSONLOG_RECORD);
                ck_assert_uint_eq(strtoul(r.log + 5, NULL, 10), next);
                next++;
        }
        ck_assert_ptr_eq(p, text + all);
        free(text);
        return next;
}

static inline unsigned read_back(void) {
        return read_from(0);
}
