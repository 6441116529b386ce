#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void test_text__appends_grow_and_stay_terminated(void **state)
{
    icl_text text = { 0 };
    assert_string_equal(icl_text_string(&text), "");
    for (int i = 0; i < 1000; i++) {
        icl_text_append_char(&text, 'a');
        icl_text_append(&text, "b\0c", 3);
        icl_text_append_string(&text, "d");
        icl_text_printf(&text, "%03d", i);
        assert_int_equal(text.length, (size_t)(i + 1) * 8);
        assert_int_equal(text.bytes[text.length], '\0');
    }
    assert_memory_equal(text.bytes + 999 * 8, "ab\0cd999", 8);
    assert_int_equal(icl_text_status(&text), ICL_OK);
    icl_text_clear(&text);
    assert_int_equal(text.length, 0);
    assert_string_equal(icl_text_string(&text), "");
    icl_text_deinit(&text);
}

static void test_text__running_out_of_memory_is_remembered(void **state)
{
    icl_text text = { 0 };
    icl_text_append_string(&text, "kept");
    icl_text_append(&text, NULL, SIZE_MAX / 2); /* refused before anything is read */
    icl_text_append_string(&text, "ignored");
    assert_true(text.failed);
    assert_string_equal(icl_text_string(&text), "kept");
    assert_int_equal(icl_text_status(&text), ICL_ENOMEM);
    assert_null(icl_text_take(&text, NULL));
    assert_null(text.bytes);
}

static void test_text__taking_hands_the_bytes_over(void **state)
{
    icl_text text = { 0 };
    size_t length = 99;
    char *taken = icl_text_take(&text, &length);
    assert_string_equal(taken, "");
    assert_int_equal(length, 0);
    free(taken);
    icl_text_append_string(&text, "word");
    taken = icl_text_take(&text, &length);
    assert_string_equal(taken, "word");
    assert_int_equal(length, 4);
    assert_null(text.bytes);
    free(taken);
}

/* Table 3-7 of the Unicode standard, at its borders. */
static void test_text__utf8_is_valid_up_to_the_first_bad_byte(void **state)
{
    static const struct {
        const char *bytes;
        size_t length, valid;
    } cases[] = {
        { "", 0, 0 },
        { "plain", 5, 5 },
        { "nul\0inside", 10, 10 },
        { "\x7F", 1, 1 },
        { "\x80", 1, 0 },
        { "\xC0\x80", 2, 0 }, /* over-long NUL */
        { "\xC1\xBF", 2, 0 },
        { "\xC2\x80", 2, 2 },
        { "\xDF\xBF", 2, 2 },
        { "\xC2", 1, 0 },
        { "\xC2\x7F", 2, 0 },
        { "\xC2\xC0", 2, 0 },
        { "\xE0\x9F\xBF", 3, 0 }, /* over-long */
        { "\xE0\xA0\x80", 3, 3 },
        { "\xED\x9F\xBF", 3, 3 },
        { "\xED\xA0\x80", 3, 0 }, /* first surrogate */
        { "\xED\xBF\xBF", 3, 0 },
        { "\xEE\x80\x80", 3, 3 },
        { "\xEF\xBF\xBF", 3, 3 },
        { "\xE2\x82", 2, 0 },
        { "\xE2\x82\x28", 3, 0 },
        { "\xF0\x8F\xBF\xBF", 4, 0 }, /* over-long */
        { "\xF0\x90\x80\x80", 4, 4 },
        { "\xF4\x8F\xBF\xBF", 4, 4 }, /* U+10FFFF */
        { "\xF4\x90\x80\x80", 4, 0 },
        { "\xF5\x80\x80\x80", 4, 0 },
        { "\xF0\x9F\x99\x82!", 5, 5 },
        { "\xF0\x9F\x99", 3, 0 },
        { "ok\xFFno", 5, 2 },
        { "\xFE", 1, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(icl_utf8_valid_length(cases[i].bytes, cases[i].length), cases[i].valid);
}

/* Encodes every scalar value by the definition of UTF-8 and asks the checker. */
static void test_text__every_scalar_value_is_valid_utf8(void **state)
{
    for (uint32_t point = 0; point <= 0x10FFFF; point++) {
        char bytes[4];
        size_t length = 0;
        if (point < 0x80) {
            bytes[length++] = (char)point;
        } else if (point < 0x800) {
            bytes[length++] = (char)(0xC0 | point >> 6);
        } else if (point < 0x10000) {
            bytes[length++] = (char)(0xE0 | point >> 12);
            bytes[length++] = (char)(0x80 | (point >> 6 & 0x3F));
        } else {
            bytes[length++] = (char)(0xF0 | point >> 18);
            bytes[length++] = (char)(0x80 | (point >> 12 & 0x3F));
            bytes[length++] = (char)(0x80 | (point >> 6 & 0x3F));
        }
        if (point >= 0x80) bytes[length++] = (char)(0x80 | (point & 0x3F));
        const int surrogate = point >= 0xD800 && point <= 0xDFFF;
        if (icl_utf8_valid_length(bytes, length) != (surrogate ? 0 : length))
            fail_msg("U+%04X is judged wrongly", point);
        if (!surrogate && icl_utf8_count(bytes, length) != 1)
            fail_msg("U+%04X is not counted as one character", point);
    }
}

static void test_text__nearest_name_suggests_only_near_ones(void **state)
{
    static const char *const names[] = { "random", "balanced", "knn", "bm25" };
    assert_int_equal(icl_nearest_name("kn", names, 4), 2);
    assert_int_equal(icl_nearest_name("bm52", names, 4), 3);
    assert_int_equal(icl_nearest_name("randon", names, 4), 0);
    assert_int_equal(icl_nearest_name("temperature", names, 4), 4);
    assert_int_equal(icl_nearest_name("x", names, 0), 0);
    char longest[200];
    memset(longest, 'k', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(icl_nearest_name(longest, names, 4), 4);
    /* Equally near: the first. */
    static const char *const twins[] = { "aab", "aac" };
    assert_int_equal(icl_nearest_name("aaa", twins, 2), 0);
}

static void test_text__numbers_are_decimal_whole_and_finite(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double number;
    } good[] = { { "3", 3 }, { "-0.25", -0.25 }, { "+1e3", 1000 }, { ".5", 0.5 } };
    static const char *const bad[] = { "",    " 3",    "3 ", "3 stars", "inf", "nan",
                                       "0x3", "1e999", "e",  "1e",      "-",   "1.2.3" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double number = 0;
        assert_true(icl_number_parse(&number, good[i].text));
        assert_true(number == good[i].number);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double number = 7;
        assert_false(icl_number_parse(&number, bad[i]));
        assert_true(number == 7);
    }
}

static void test_text__string_copies_are_terminated(void **state)
{
    char *copy = icl_string_copy("abcdef", 3);
    assert_string_equal(copy, "abc");
    free(copy);
    copy = icl_string_copy("", 0);
    assert_string_equal(copy, "");
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text__appends_grow_and_stay_terminated),
        cmocka_unit_test(test_text__running_out_of_memory_is_remembered),
        cmocka_unit_test(test_text__taking_hands_the_bytes_over),
        cmocka_unit_test(test_text__utf8_is_valid_up_to_the_first_bad_byte),
        cmocka_unit_test(test_text__every_scalar_value_is_valid_utf8),
        cmocka_unit_test(test_text__nearest_name_suggests_only_near_ones),
        cmocka_unit_test(test_text__numbers_are_decimal_whole_and_finite),
        cmocka_unit_test(test_text__string_copies_are_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
