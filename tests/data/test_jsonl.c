/* The JSONL reader: a bad line is reported under its number and the next one is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "data/jsonl.h"

static icl_jsonl reader_of(const char *bytes, size_t length)
{
    FILE *stream = tmpfile();
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, length, stream), length);
    rewind(stream);
    return (icl_jsonl){ .stream = stream, .name = "in" };
}

static void close_reader(icl_jsonl *reader)
{
    fclose(reader->stream);
    icl_jsonl_deinit(reader);
}

static void assert_row(icl_jsonl *reader, size_t line, int expected)
{
    json_t *row = NULL;
    assert_int_equal(icl_jsonl_next(reader, &row), ICL_OK);
    assert_non_null(row);
    assert_int_equal(json_integer_value(json_object_get(row, "n")), expected);
    assert_int_equal(reader->line, line);
    json_decref(row);
}

static void assert_bad(icl_jsonl *reader, size_t line, const char *message)
{
    json_t *row = NULL;
    assert_int_equal(icl_jsonl_next(reader, &row), ICL_EPARSE);
    assert_null(row);
    assert_string_equal(icl_error_message(), message);
    assert_int_equal(reader->line, line);
}

static void assert_end(icl_jsonl *reader)
{
    json_t *row = NULL;
    assert_int_equal(icl_jsonl_next(reader, &row), ICL_OK);
    assert_null(row);
}

static void test_jsonl__goes_on_after_a_bad_line(void **state)
{
    static const char bytes[] = "{\"n\": 1}\r\n{\"n\": \n\n[]\n\xC0\n{\"n\"\0: 2}\n{\"n\": 3}";
    icl_jsonl reader = reader_of(bytes, sizeof bytes - 1);
    assert_row(&reader, 1, 1);
    assert_bad(&reader, 2, "in:2:6: invalid JSON: unexpected token near end of file");
    assert_bad(&reader, 4, "in:4: the line is not a JSON object");
    assert_bad(&reader, 5, "in:5: invalid UTF-8: byte 0xc0 at byte offset 0");
    assert_bad(&reader, 6, "in:6:5: NUL byte in the line");
    assert_row(&reader, 7, 3);
    assert_end(&reader);
    assert_end(&reader);
    close_reader(&reader);
}

static void test_jsonl__goes_on_after_a_line_that_is_too_long(void **state)
{
    icl_jsonl reader = reader_of("", 0);
    for (size_t i = 0; i < ICL_LINE_BYTES_MAX / 16 + 1; i++)
        fputs("0123456789abcdef", reader.stream);
    fputs("\n{\"n\": 5}\n", reader.stream);
    rewind(reader.stream);
    assert_bad(&reader, 1, "in:1: the line is longer than 16777216 bytes");
    assert_row(&reader, 2, 5);
    assert_end(&reader);
    close_reader(&reader);
}

static void test_jsonl__skips_a_byte_order_mark_once(void **state)
{
    static const char bytes[] = "\xEF\xBB\xBF\n{\"n\": 1}\n\xEF\xBB\xBF{\"n\": 2}\n";
    icl_jsonl reader = reader_of(bytes, sizeof bytes - 1);
    assert_row(&reader, 2, 1);
    json_t *row = NULL;
    assert_int_equal(icl_jsonl_next(&reader, &row), ICL_EPARSE);
    assert_end(&reader);
    close_reader(&reader);
}

static void test_jsonl__deep_nesting_is_refused(void **state)
{
    char bytes[12000] = "{\"n\": ";
    memset(bytes + 6, '[', sizeof bytes - 7);
    icl_jsonl reader = reader_of(bytes, sizeof bytes - 1);
    json_t *row = NULL;
    assert_int_equal(icl_jsonl_next(&reader, &row), ICL_EPARSE);
    assert_non_null(strstr(icl_error_message(), "maximum parsing depth reached"));
    close_reader(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jsonl__goes_on_after_a_bad_line),
        cmocka_unit_test(test_jsonl__goes_on_after_a_line_that_is_too_long),
        cmocka_unit_test(test_jsonl__skips_a_byte_order_mark_once),
        cmocka_unit_test(test_jsonl__deep_nesting_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
