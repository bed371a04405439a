/* SPDX-License-Identifier: Apache-2.0 */

/* Command lines as they stand in compose files, and what must not be taken for a setting. */

#include "lib/docker/setting.h"
#include "unit.h"

static const struct {
        const char *args[8];
        const char *name;
        uint64_t bytes;
} rows[] = {
        { { "postgres", "-c", "shared_buffers=3GB" }, "shared_buffers", GIB(3) },
        { { "postgres", "-c", "max_connections=200", "-c", "shared_buffers=256MB" },
          "shared_buffers",
          MIB(256) },
        { { "postgres", "-cshared_buffers=1024kB" }, "shared_buffers", MIB(1) },
        { { "postgres", "--shared-buffers=16384" }, "shared_buffers", MIB(128) },
        { { "postgres", "--shared_buffers=1TB" }, "shared_buffers", GIB(1024) },
        { { "postgres", "-c", "shared_buffers = 64 MB" }, "shared_buffers", MIB(64) },
        { { "postgres", "-c", "shared_buffers=1GB", "-c", "shared_buffers=2GB" },
          "shared_buffers",
          GIB(2) },
        { { "postgres", "-c", "shared_buffers=3gb" } },
        { { "postgres", "-c", "shared_buffers=" } },
        { { "postgres", "-c", "shared_buffers" } },
        { { "postgres", "-c", "shared_buffers=99999999999999999999GB" } },
        { { "postgres", "-c", "shared_buffers=18446744073709551615GB" } },
        { { "postgres", "shared_buffers=3GB" } },
        { { "redis-server", "--maxmemory", "2gb" }, "maxmemory", GIB(2) },
        { { "redis-server", "--maxmemory", "100MB", "--maxmemory-policy", "allkeys-lru" },
          "maxmemory",
          MIB(100) },
        { { "redis-server", "--maxmemory", "2g" }, "maxmemory", 2000000000 },
        { { "redis-server", "--maxmemory", "1048576" }, "maxmemory", MIB(1) },
        { { "redis-server", "--maxmemory", "0" } },
        { { "redis-server", "--maxmemory" } },
        { { "redis-server", "--requirepass", "--maxmemory" } },
        { { "-c" } },
        { { "" } },
        { { "--" } },
};

START_TEST(takes) {
        PlSetting s = { 0 };

        for (size_t i = 0; i < PL_ARRAY_SIZE(rows[_i].args) && rows[_i].args[i]; i++)
                pl_setting_take(i > 0 ? rows[_i].args[i - 1] : NULL, rows[_i].args[i], &s);
        ck_assert_msg(pl_streq_null(s.name, rows[_i].name), "row %d: %s", _i, s.name ?: "none");
        ck_assert_msg(s.bytes == rows[_i].bytes, "row %d: %" PRIu64, _i, s.bytes);
        if (s.name)
                ck_assert_str_eq(s.product, pl_streq(s.name, "maxmemory") ? "Redis" : "Postgres");
}
END_TEST

int main(void) {
        TCase *t = tcase_create("setting");

        tcase_add_loop_test(t, takes, 0, PL_ARRAY_SIZE(rows));
        return run_case(t);
}
