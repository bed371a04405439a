/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ollama's listings as a stream: whatever the pieces, whatever the length.
 */

#include "lib/probe/listing.h"
#include "unit.h"

/* clang-format off */
static const struct {
        const char *name, *text, *models; /* "NAME SIZE VRAM;…" */
        int r;
        bool complete;
} rows[] = {
        { "empty", "{\"models\":[]}", "", 0, true },
        { "null", "{\"models\":null}", "", 0, true },
        { "two", "{\"models\":[{\"name\":\"a:1b\",\"size\":100},{\"size_vram\":7,\"name\":\"b\",\"size\":8}]}\n",
          "a:1b 100 0;b 8 7;", 0, true },
        { "model for name, in either order", "{\"models\":[{\"model\":\"m\",\"name\":\"n\"},{\"name\":\"n\",\"model\":\"m\"},{\"model\":\"m\"}]}",
          "n 0 0;n 0 0;m 0 0;", 0, true },
        { "what is nested is not a model's", "{\"models\":[{\"name\":\"a\",\"details\":{\"name\":\"x\",\"size\":3,\"models\":[{\"name\":\"y\"}]},\"size\":5}]}",
          "a 5 0;", 0, true },
        { "other members first", "{\"x\":[{\"name\":\"x\"}],\"y\":{\"models\":[{\"name\":\"y\"}]},\"models\":[{\"name\":\"a\"}],\"z\":[{\"name\":\"z\"}]}",
          "a 0 0;", 0, true },
        { "not objects", "{\"models\":[7,null,true,\"name\",[{\"name\":\"x\"}],{}]}", " 0 0;", 0, true },
        { "wrong types", "{\"models\":[{\"name\":3,\"size\":\"9\",\"size_vram\":[1]}]}", " 0 0;", 0, true },
        { "sizes that are none", "{\"models\":[{\"size\":-5,\"size_vram\":1.5},{\"size\":1e9},{\"size\":99999999999999999999}]}",
          " 0 0; 0 0; 0 0;", 0, true },
        { "the largest size", "{\"models\":[{\"size\":9223372036854775807}]}", " 9223372036854775807 0;", 0, true },
        { "escapes", "{\"models\":[{\"n\\u0061me\":\"\\u00e4\\u20ac\\ud83d\\ude00\\/\\\"\"}]}", "ä€😀/\" 0 0;", 0, true },
        { "half a pair", "{\"models\":[{\"name\":\"\\ud83dx\\ude00\\ud83d\"}]}", "?x?? 0 0;", 0, true },
        { "blanks", " {\t\"models\" :\r\n[ { \"name\" : \"a\" , \"size\" : 1 } ] } ", "a 1 0;", 0, true },
        { "not there", "{\"x\":1}", "", 0, false },
        { "no list", "{\"models\":{\"name\":\"a\"}}", "", 0, false },
        { "cut off", "{\"models\":[{\"name\":\"a\"},{\"name\":\"b\"", "a 0 0;", 0, false },
        { "a page", "<!doctype html>", "", -EBADMSG, false },
        { "a list alone", "[{\"name\":\"a\"}]", "", 0, false },
        { "junk after it", "{\"models\":[]}x", "", -EBADMSG, false },
        { "junk in it", "{\"models\":[{\"name\":\"a\"} {", "a 0 0;", -EBADMSG, false },
        { "a word that is none", "{\"models\":nul}", "", -EBADMSG, false },
        { "a bare control character", "{\"models\":[{\"name\":\"a\nb\"}]}", "", -EBADMSG, false },
        { "closed wrongly", "{\"models\":[{\"name\":\"a\"]}", "", -EBADMSG, false },
        { "an escape that is none", "{\"models\":[\"\\x\"]}", "", -EBADMSG, false },
        { "a key that is none", "{models:[]}", "", -EBADMSG, false },
        { "nothing", "", "", 0, false },
};
/* clang-format on */

static int read_piece(PlListing *l, const char *data, size_t n, char *text, size_t size) {
        char *copy = malloc(n ? n : 1); /* reads beyond it are seen by the sanitizer */
        const char *p = copy;
        int r;

        ck_assert_ptr_nonnull(copy);
        memcpy(copy, data, n);
        while ((r = pl_listing_read(l, &p, &n)) > 0) {
                size_t len = strlen(text);

                (void)snprintf(text + len, size - len, "%.64s %ju %ju;", l->entry.name,
                               (uintmax_t)l->entry.size_bytes, (uintmax_t)l->entry.vram_bytes);
        }
        free(copy);
        return r;
}

START_TEST(listings) {
        size_t n = strlen(rows[_i].text);

        for (size_t piece = 1; piece <= n + 1; piece++) {
                char text[512] = "";
                PlListing l;
                int r = 0;

                memset(&l, 0xA5, sizeof(l));
                pl_listing_begin(&l);
                for (size_t i = 0; i < n && r == 0; i += piece)
                        r = read_piece(&l, rows[_i].text + i, PL_MIN(piece, n - i), text,
                                       sizeof(text));
                ck_assert_msg(r == rows[_i].r, "%s by %zu: %d", rows[_i].name, piece, r);
                ck_assert_msg(pl_streq(text, rows[_i].models), "%s by %zu: %s", rows[_i].name,
                              piece, text);
                ck_assert_msg(pl_listing_complete(&l) == rows[_i].complete, "%s by %zu",
                              rows[_i].name, piece);
        }
}
END_TEST

/* 27,000 models, 10 MB: in the memory of one. */
START_TEST(ten_megabytes) {
        static const char entry[] =
                        "{\"name\":\"m%05u:latest\",\"model\":\"m%05u:latest\",\"size\":%u,"
                        "\"digest\":\"fb2322bed14b42bc7a9a746529ff0dae8222022906f6cefb98492e030c6e8"
                        "3f6\",\"details\":{\"parent_model\":\"\",\"format\":\"gguf\",\"families\":"
                        "[\"llama\"],\"parameter_size\":\"1.2B\",\"quantization_level\":\"Q8_0\"},"
                        "\"capabilities\":[\"completion\",\"tools\",\"insert\",\"vision\"]},";
        char buf[512], name[16];
        size_t total = 0, n_models = 0;
        PlListing l;
        const char *p = "{\"models\":[";
        size_t n = strlen(p);
        int r;

        pl_listing_begin(&l);
        ck_assert_int_eq(pl_listing_read(&l, &p, &n), 0);
        for (unsigned i = 0; total < 10000000; i++) {
                n = (size_t)snprintf(buf, sizeof(buf), entry, i, i, i + 1);
                total += n;
                p = buf;
                while ((r = pl_listing_read(&l, &p, &n)) > 0) {
                        n_models++;
                        (void)snprintf(name, sizeof(name), "m%05u:latest", i);
                        ck_assert_str_eq(l.entry.name, name);
                        ck_assert_uint_eq(l.entry.size_bytes, i + 1);
                }
                ck_assert_int_eq(r, 0);
        }
        p = "{}]}";
        n = 4;
        ck_assert_int_eq(pl_listing_read(&l, &p, &n), 1);
        ck_assert_int_eq(pl_listing_read(&l, &p, &n), 0);
        ck_assert(pl_listing_complete(&l));
        ck_assert_uint_ge(n_models, 25000);
        ck_assert_uint_lt(sizeof(l), 1024);
}
END_TEST

/* What grows without end is cut, or refused. */
START_TEST(bounds) {
        char deep[PL_LISTING_DEPTH_MAX + 2], name[PL_LISTING_NAME_MAX + 64], text[1024];
        const char *p = deep;
        size_t n = PL_LISTING_DEPTH_MAX;
        PlListing l;

        memset(deep, '[', sizeof(deep));
        pl_listing_begin(&l);
        ck_assert_int_eq(pl_listing_read(&l, &p, &n), 0);
        n = 1;
        ck_assert_int_eq(pl_listing_read(&l, &p, &n), -EBADMSG);
        memset(name, 'n', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        n = (size_t)snprintf(text, sizeof(text), "{\"models\":[{\"name\":\"%s\"}]}", name);
        p = text;
        pl_listing_begin(&l);
        ck_assert_int_eq(pl_listing_read(&l, &p, &n), 1);
        ck_assert(l.entry.cut);
        ck_assert_uint_eq(strlen(l.entry.name), PL_LISTING_NAME_MAX - 1);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("listings");

        tcase_add_loop_test(t, listings, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, ten_megabytes);
        tcase_add_test(t, bounds);
        return run_case(t);
}
