/* Fitted files: what is saved comes back, and what is not such a file is refused by a sentence. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "learn/fit_file.h"

static const icl_fit_origin origin = { .method = "epr",
                                       .options = "epr(k=8)",
                                       .task = "snips",
                                       .encoder = "e1",
                                       .model = "m1",
                                       .pool = "p1",
                                       .pool_count = 300,
                                       .seed = 7 };
static const float map[] = { 1, -0.5F, 3e-30F, 0.1F, 1e30F, 0 };

static icl_fit_file *file_of(void)
{
    icl_fit_file *file = NULL;
    assert_int_equal(icl_fit_file_new(&file, &origin), ICL_OK);
    const icl_fit_array arrays[] = { { .name = "map", .rows = 2, .columns = 3, .values = map },
                                     { .name = "bias", .rows = 1, .columns = 1, .values = map } };
    assert_int_equal(icl_fit_file_add(file, &arrays[0]), ICL_OK);
    assert_int_equal(icl_fit_file_add(file, &arrays[1]), ICL_OK);
    assert_int_equal(icl_fit_file_add_measure(file, "dev_mrr", 0.1), ICL_OK);
    return file;
}

static void saved_bytes(icl_text *out)
{
    char path[] = "/tmp/icl-fit-XXXXXX";
    icl_fit_file *file = file_of();
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    assert_int_equal(icl_fit_file_save(file, path), ICL_OK);
    assert_int_equal(icl_file_read(out, path, 1 << 20), ICL_OK);
    unlink(path);
    icl_fit_file_free(file);
}

static icl_status parse(const char *bytes, size_t length)
{
    icl_fit_file *file = NULL;
    const icl_status status = icl_fit_file_parse(&file, bytes, length, "x.fit");
    if (status != ICL_OK) assert_null(file);
    icl_fit_file_free(file);
    return status;
}

/* A header and a body with the checksum that belongs to them. */
static icl_status parse_made(const char *header, size_t float_count)
{
    icl_text bytes = { 0 };
    icl_text_printf(&bytes, "%s\n", header);
    for (size_t i = 0; i < float_count; i++) icl_text_append(&bytes, "\0\0\0\0", 4);
    const icl_hash128 hash = icl_hash(bytes.bytes, bytes.length);
    for (int shift = 56; shift >= 0; shift -= 8)
        icl_text_append_char(&bytes, (char)(hash.high >> shift));
    for (int shift = 56; shift >= 0; shift -= 8)
        icl_text_append_char(&bytes, (char)(hash.low >> shift));
    const icl_status status = parse(bytes.bytes, bytes.length);
    icl_text_deinit(&bytes);
    return status;
}

static void test_fit_file__what_is_saved_comes_back(void **state)
{
    (void)state;
    icl_text bytes = { 0 };
    icl_fit_file *file = NULL;
    saved_bytes(&bytes);
    assert_int_equal(icl_fit_file_parse(&file, bytes.bytes, bytes.length, "x.fit"), ICL_OK);
    const icl_fit_origin *read = icl_fit_file_origin(file);
    assert_string_equal(read->method, "epr");
    assert_string_equal(read->options, "epr(k=8)");
    assert_string_equal(read->task, "snips");
    assert_string_equal(read->encoder, "e1");
    assert_string_equal(read->model, "m1");
    assert_string_equal(read->pool, "p1");
    assert_true(read->pool_count == 300 && read->seed == 7);
    const float *values = NULL;
    assert_int_equal(icl_fit_file_find(&values, file, "map", 2, 3), ICL_OK);
    assert_memory_equal(values, map, sizeof map);
    size_t count = 0;
    const icl_fit_measure *measures = icl_fit_file_measures(file, &count);
    assert_int_equal(count, 1);
    assert_string_equal(measures[0].name, "dev_mrr");
    assert_true(measures[0].value == 0.1);
    icl_fit_file_free(file);
    icl_text_deinit(&bytes);
}

static void test_fit_file__bytes_do_not_depend_on_the_machine(void **state)
{
    (void)state;
    static const char head[] =
        "{\"icl_fit\":1,\"method\":\"epr\",\"options\":\"epr(k=8)\",\"task\":\"snips\","
        "\"encoder\":\"e1\",\"model\":\"m1\",\"pool\":\"p1\",\"pool_count\":300,\"seed\":7,"
        "\"measures\":{\"dev_mrr\":0.10000000000000001},\"arrays\":[{\"name\":\"map\",\"rows\":2,"
        "\"columns\":3},{\"name\":\"bias\",\"rows\":1,\"columns\":1}]}\n\0\0\x80\x3f";
    icl_text bytes = { 0 };
    saved_bytes(&bytes);
    assert_int_equal(bytes.length, sizeof head - 1 - 4 + 7 * 4 + 16);
    assert_memory_equal(bytes.bytes, head, sizeof head - 1);
    icl_text_deinit(&bytes);
}

static void test_fit_file__arrays_are_asked_for_by_name_and_size(void **state)
{
    (void)state;
    icl_fit_file *file = file_of();
    const float *values = NULL;
    assert_int_equal(icl_fit_file_find(&values, file, "maps", 2, 3), ICL_EPARSE);
    assert_string_equal(icl_error_message(), "the file of method \"epr\" holds no \"maps\"");
    assert_int_equal(icl_fit_file_find(&values, file, "map", 3, 2), ICL_EPARSE);
    assert_string_equal(icl_error_message(),
                        "the file of method \"epr\" holds a \"map\" of 2 x 3, not 3 x 2");
    assert_null(values);
    const float nan_value = NAN;
    const icl_fit_array bad = { .name = "bad", .rows = 1, .columns = 1, .values = &nan_value };
    assert_int_equal(icl_fit_file_add(file, &bad), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "number 0 of the fitted bad is not finite");
    icl_fit_file_free(file);
}

static void test_fit_file__every_cut_and_every_flipped_byte_is_refused(void **state)
{
    (void)state;
    icl_text bytes = { 0 };
    saved_bytes(&bytes);
    for (size_t length = 0; length < bytes.length; length++) {
        char *cut = malloc(length + 1); /* exactly so many, for the address sanitizer */
        memcpy(cut, bytes.bytes, length);
        assert_int_equal(parse(cut, length), ICL_EPARSE);
        free(cut);
    }
    for (size_t i = 0; i < bytes.length; i++) {
        bytes.bytes[i] ^= 4;
        assert_int_equal(parse(bytes.bytes, bytes.length), ICL_EPARSE);
        bytes.bytes[i] ^= 4;
    }
    icl_text_deinit(&bytes);
}

static void test_fit_file__what_is_wrong_is_said(void **state)
{
    (void)state;
#define HEAD                                                                                       \
    "\"method\":\"a\",\"options\":\"\",\"task\":\"\",\"encoder\":\"\",\"model\":\"\",\"pool\":"    \
    "\"\","                                                                                        \
    "\"pool_count\":1,\"seed\":1,\"measures\":{},\"arrays\":"
    static const struct {
        const char *header;
        size_t float_count;
        const char *sentence; /* NULL: fine */
    } cases[] = {
        { "{\"icl_fit\":1," HEAD "[]}", 0, NULL },
        { "{\"icl_fit\":1," HEAD "[{\"name\":\"m\",\"rows\":2,\"columns\":2}]}", 4, NULL },
        { "GGUF", 0, "\"x.fit\" was not written by icl fit" },
        { "{\"text\":\"play\"}", 0, "\"x.fit\" was not written by icl fit" },
        { "{\"icl_fit\":2," HEAD "[]}", 0, "\"x.fit\" is a fitted file of version 2, not 1" },
        { "{\"icl_fit\":1}", 0, "\"x.fit\" has a header that lacks what it was made from" },
        { "{\"icl_fit\":1," HEAD "7}", 0, "\"x.fit\" has a header without arrays" },
        { "{\"icl_fit\":1," HEAD "[7]}", 0,
          "\"x.fit\" has a header with an array that makes no sense" },
        { "{\"icl_fit\":1," HEAD "[{\"name\":\"m\",\"rows\":0,\"columns\":2}]}", 0,
          "\"x.fit\" has a header with an array that makes no sense" },
        { "{\"icl_fit\":1," HEAD "[{\"name\":\"m\",\"rows\":2,\"columns\":2}]}", 3,
          "\"x.fit\" is shorter than the arrays its header promises" },
        { "{\"icl_fit\":1," HEAD "[{\"name\":\"m\",\"rows\":4611686018427387904,\"columns\":4}]}",
          3, "\"x.fit\" is shorter than the arrays its header promises" },
        { "{\"icl_fit\":1," HEAD "[{\"name\":\"m\",\"rows\":1,\"columns\":2}]}", 3,
          "\"x.fit\" is longer than the arrays its header promises" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const icl_status status = parse_made(cases[i].header, cases[i].float_count);
        assert_int_equal(status, cases[i].sentence == NULL ? ICL_OK : ICL_EPARSE);
        if (cases[i].sentence != NULL) assert_string_equal(icl_error_message(), cases[i].sentence);
    }
}

static void test_fit_file__a_device_is_refused_unread(void **state)
{
    (void)state;
    icl_fit_file *file = NULL;
    assert_int_equal(icl_fit_file_open(&file, "/dev/full"), ICL_EPARSE);
    assert_string_equal(icl_error_message(), "\"/dev/full\" is not a regular file");
    assert_null(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit_file__what_is_saved_comes_back),
        cmocka_unit_test(test_fit_file__bytes_do_not_depend_on_the_machine),
        cmocka_unit_test(test_fit_file__arrays_are_asked_for_by_name_and_size),
        cmocka_unit_test(test_fit_file__every_cut_and_every_flipped_byte_is_refused),
        cmocka_unit_test(test_fit_file__what_is_wrong_is_said),
        cmocka_unit_test(test_fit_file__a_device_is_refused_unread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
