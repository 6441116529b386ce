/* Values in error sentences are printable, valid UTF-8 and short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/quote.h"
#include "base/text.h"

static void assert_shown(const char *value, size_t length, const char *expected)
{
    char shown[ICL_QUOTE_BYTES];
    assert_string_equal(icl_quote(shown, value, length), expected);
}

static void test_quote__plain_text_stands_in_quotes(void **state)
{
    assert_shown("", 0, "\"\"");
    assert_shown("caf\xC3\xA9", 5, "\"caf\xC3\xA9\"");
}

static void test_quote__what_cannot_be_printed_is_escaped(void **state)
{
    assert_shown("a\"b\\c\n\t\r", 8, "\"a\\\"b\\\\c\\n\\t\\r\"");
    assert_shown("\0\x1B\x7F\xFF", 4, "\"\\x00\\x1b\\x7f\\xff\"");
    assert_shown("\xE2\x82", 2, "\"\\xe2\\x82\""); /* the start of a character */
}

static void test_quote__long_values_are_clipped_between_characters(void **state)
{
    char value[1000], shown[ICL_QUOTE_BYTES];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(value, 'a', shift);
        for (size_t i = shift; i + 3 <= sizeof value; i += 3) memcpy(value + i, "\xE4\xB8\xAD", 3);
        icl_quote(shown, value, shift + 900);
        const size_t length = strlen(shown);
        assert_true(length < ICL_QUOTE_BYTES && length > ICL_QUOTE_BYTES - 10);
        assert_int_equal(icl_utf8_valid_length(shown, length), length);
        assert_string_equal(shown + length - 4, "\"...");
    }
}

static void test_quote__the_longest_value_that_fits_is_whole(void **state)
{
    char value[ICL_QUOTE_BYTES] = { 0 }, shown[ICL_QUOTE_BYTES];
    memset(value, 'a', sizeof value - 1);
    for (size_t length = 0; length < sizeof value; length++) {
        icl_quote(shown, value, length);
        assert_true(strlen(shown) == length + 2 || strstr(shown, "\"...") != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quote__plain_text_stands_in_quotes),
        cmocka_unit_test(test_quote__what_cannot_be_printed_is_escaped),
        cmocka_unit_test(test_quote__long_values_are_clipped_between_characters),
        cmocka_unit_test(test_quote__the_longest_value_that_fits_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
