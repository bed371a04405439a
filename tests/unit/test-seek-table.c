/* SPDX-License-Identifier: Apache-2.0 */
/* Seek tables: there and back; a table that does not fit its file is refused. */
#include <errno.h>

#include "lib/logs/seek-table.h"
#include "unit.h"

START_TEST(round_trip) {
        PlSeekTable t = { 0 }, back;
        uint8_t *data;
        size_t size, n_times = PL_SEEK_HEADER_BYTES + (size_t)_i * PL_SEEK_TIMES_BYTES;
        uint8_t *table;
        uint64_t file_bytes;

        for (int i = 0; i < _i; i++)
                ck_assert_int_eq(pl_seek_table_add(&t, 100, 1000 + (uint32_t)i), 0);
        for (int i = 0; i < _i; i++) {
                t.frames[i].from_sec = UINT64_C(5000000000) + (uint64_t)i;
                t.frames[i].to_sec = UINT64_C(6000000000) - (uint64_t)i;
        }
        ck_assert_int_eq(pl_seek_table_encode(&t, &data, &size), 0);
        file_bytes = (uint64_t)_i * 100 + size;
        table = data + n_times;
        size -= n_times;
        ck_assert_uint_eq(pl_seek_table_size(table + size - PL_SEEK_FOOTER_BYTES), size);
        ck_assert_int_eq(pl_seek_table_decode(table, size, file_bytes, &back), 0);
        ck_assert_uint_eq(back.n, t.n);
        ck_assert_uint_eq(back.times_bytes, n_times);
        data[1] ^= 1; /* damaged times say nothing */
        pl_seek_table_times(&back, data);
        for (size_t i = 0; i < t.n; i++)
                ck_assert_uint_eq(back.frames[i].to_sec, 0);
        data[1] ^= 1;
        pl_seek_table_times(&back, data);
        for (size_t i = 0; i < t.n; i++) {
                ck_assert_uint_eq(back.frames[i].packed_bytes, t.frames[i].packed_bytes);
                ck_assert_uint_eq(back.frames[i].raw_bytes, t.frames[i].raw_bytes);
                ck_assert_uint_eq(back.frames[i].from_sec, t.frames[i].from_sec);
                ck_assert_uint_eq(back.frames[i].to_sec, t.frames[i].to_sec);
        }
        pl_seek_table_deinit(&back);
        ck_assert_int_eq(pl_seek_table_decode(table, size, file_bytes + 1, &back), -EBADMSG);
        ck_assert_int_eq(pl_seek_table_decode(table, size - 1, file_bytes - 1, &back), -EBADMSG);
        table[0] ^= 1;
        ck_assert_int_eq(pl_seek_table_decode(table, size, file_bytes, &back), -EBADMSG);
        free(data);
        pl_seek_table_deinit(&t);
}
END_TEST

START_TEST(no_table) {
        static const uint8_t footers[][PL_SEEK_FOOTER_BYTES] = {
                { 0 },
                { 1, 0, 0, 0, 0x80, 0xb1, 0xea, 0x92, 0x8f },          /* checksums: not ours */
                { 0xff, 0xff, 0xff, 0xff, 0, 0xb1, 0xea, 0x92, 0x8f }, /* absurd */
        };

        ck_assert_uint_eq(pl_seek_table_size(footers[_i]), 0);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, round_trip, 0, 40);
        tcase_add_loop_test(c, no_table, 0, 3);
        return run_case(c);
}
