#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "base/file.h"
#include "base/inflate.h"

enum { LONG_BYTES = 300000 };

typedef struct samples {
    char folder[32];
    char *text; /* [LONG_BYTES] */
    icl_text gzip, zstd;
} samples;

static void pack_gzip(icl_text *out, const char *bytes, size_t length)
{
    z_stream stream = { .next_in = (Bytef *)bytes, .avail_in = (uInt)length };
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    char chunk[4096];
    int result = Z_OK;
    while (result != Z_STREAM_END) {
        stream.next_out = (Bytef *)chunk;
        stream.avail_out = sizeof chunk;
        result = deflate(&stream, Z_FINISH);
        icl_text_append(out, chunk, sizeof chunk - stream.avail_out);
    }
    deflateEnd(&stream);
}

static void pack_zstd(icl_text *out, const char *bytes, size_t length)
{
    const size_t bound = ZSTD_compressBound(length);
    char *packed = malloc(bound);
    assert_non_null(packed);
    icl_text_append(out, packed, ZSTD_compress(packed, bound, bytes, length, 3));
    free(packed);
}

/* A folder of its own, and a text that is longer than one step of either format. */
static int setup(void **state)
{
    samples *s = calloc(1, sizeof *s);
    strcpy(s->folder, "test_inflate-XXXXXX");
    if (mkdtemp(s->folder) == NULL || chdir(s->folder) != 0) return -1;
    s->text = malloc(LONG_BYTES);
    for (size_t i = 0; i < LONG_BYTES; i++) s->text[i] = (char)('a' + i * i % 1009 % 26);
    pack_gzip(&s->gzip, s->text, LONG_BYTES);
    pack_zstd(&s->zstd, s->text, LONG_BYTES);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    samples *s = *state;
    unlink("file");
    if (chdir("..") != 0 || rmdir(s->folder) != 0) return -1;
    icl_text_deinit(&s->gzip);
    icl_text_deinit(&s->zstd);
    free(s->text);
    free(s);
    return 0;
}

static icl_status open_bytes(icl_text *out, const char *bytes, size_t length, size_t bytes_max)
{
    assert_int_equal(icl_file_write_atomic("file", bytes, length), ICL_OK);
    icl_text_clear(out);
    return icl_file_read_inflated(out, "file", bytes_max);
}

static void test_inflate__opens_gzip_zstd_and_plain_files(void **state)
{
    const samples *s = *state;
    icl_text text = { 0 };
    const icl_text *packed[] = { &s->gzip, &s->zstd };
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(open_bytes(&text, packed[i]->bytes, packed[i]->length, LONG_BYTES),
                         ICL_OK);
        assert_int_equal(text.length, LONG_BYTES);
        assert_memory_equal(text.bytes, s->text, LONG_BYTES);
    }
    assert_int_equal(open_bytes(&text, "plain", 5, 5), ICL_OK);
    assert_string_equal(text.bytes, "plain");
    assert_int_equal(open_bytes(&text, "", 0, 5), ICL_OK);
    assert_int_equal(text.length, 0);
    icl_text_deinit(&text);
}

static void test_inflate__parts_written_one_after_the_other_are_one_text(void **state)
{
    const samples *s = *state;
    const icl_text *packed[] = { &s->gzip, &s->zstd };
    icl_text text = { 0 }, twice = { 0 };
    for (size_t i = 0; i < 2; i++) {
        icl_text_clear(&twice);
        icl_text_append(&twice, packed[i]->bytes, packed[i]->length);
        icl_text_append(&twice, packed[i]->bytes, packed[i]->length);
        assert_int_equal(open_bytes(&text, twice.bytes, twice.length, 2 * LONG_BYTES), ICL_OK);
        assert_int_equal(text.length, 2 * LONG_BYTES);
        assert_memory_equal(text.bytes + LONG_BYTES, s->text, LONG_BYTES);
    }
    icl_text_deinit(&twice);
    icl_text_deinit(&text);
}

static void test_inflate__a_file_that_is_cut_off_is_said_so(void **state)
{
    const samples *s = *state;
    icl_text text = { 0 };
    for (size_t length = 4; length < s->gzip.length; length += 997) {
        assert_int_equal(open_bytes(&text, s->gzip.bytes, length, LONG_BYTES), ICL_EPARSE);
        assert_non_null(strstr(icl_error_message(), "\"file\" is cut off: its gzip data ends"));
    }
    for (size_t length = 4; length < s->zstd.length; length += 997) {
        assert_int_equal(open_bytes(&text, s->zstd.bytes, length, LONG_BYTES), ICL_EPARSE);
        assert_non_null(strstr(icl_error_message(), "\"file\" is cut off: its zstd data ends"));
    }
    icl_text_deinit(&text);
}

static void test_inflate__damage_and_size_are_refused(void **state)
{
    const samples *s = *state;
    icl_text text = { 0 };
    assert_int_equal(open_bytes(&text, s->gzip.bytes, s->gzip.length, LONG_BYTES - 1), ICL_EPARSE);
    assert_string_equal(icl_error_message(),
                        "\"file\" opens to more than the 299999 bytes allowed");
    assert_int_equal(open_bytes(&text, s->zstd.bytes, s->zstd.length, LONG_BYTES - 1), ICL_EPARSE);
    s->gzip.bytes[s->gzip.length - 6] ^= 1; /* the check sum */
    assert_int_equal(open_bytes(&text, s->gzip.bytes, s->gzip.length, LONG_BYTES), ICL_EPARSE);
    assert_string_equal(icl_error_message(),
                        "\"file\" holds damaged gzip data: incorrect data check");
    s->gzip.bytes[s->gzip.length - 6] ^= 1;
    s->zstd.bytes[4] ^= 8; /* a reserved bit of the frame's header */
    assert_int_equal(open_bytes(&text, s->zstd.bytes, s->zstd.length, LONG_BYTES), ICL_EPARSE);
    assert_non_null(strstr(icl_error_message(), "\"file\" holds damaged zstd data: "));
    s->zstd.bytes[4] ^= 8;
    assert_int_equal(icl_file_read_inflated(&text, "absent", 5), ICL_EIO);
    icl_text_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inflate__opens_gzip_zstd_and_plain_files),
        cmocka_unit_test(test_inflate__parts_written_one_after_the_other_are_one_text),
        cmocka_unit_test(test_inflate__a_file_that_is_cut_off_is_said_so),
        cmocka_unit_test(test_inflate__damage_and_size_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
