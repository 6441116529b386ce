#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "train/range.h"

static void test_range__reads_a_number_or_two(void **state)
{
    icl_range range = { 0 };
    assert_int_equal(icl_range_parse(&range, "2-8", 2, 8), ICL_OK);
    assert_true(range.low == 2 && range.high == 8);
    assert_int_equal(icl_range_parse(&range, "4", 1, 4), ICL_OK);
    assert_true(range.low == 4 && range.high == 4);
}

static void test_range__refuses_with_the_reason(void **state)
{
    static const char *const cases[][2] = {
        { "", "\"\" is not a whole number or a range such as 2-8" },
        { "2-", "\"2-\" is not a whole number or a range such as 2-8" },
        { "-3", "\"-3\" is not a whole number or a range such as 2-8" },
        { "2-8x", "\"2-8x\" is not a whole number or a range such as 2-8" },
        { "99999999999999999999999", "\"99999999999999999999999\" is not a whole number or a range "
                                     "such as 2-8" },
        { "8-2", "the range \"8-2\" runs backwards" },
        { "1-8", "\"1-8\" is not within 2..8" },
        { "2-9", "\"2-9\" is not within 2..8" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icl_range range = { .low = 77 };
        assert_int_equal(icl_range_parse(&range, cases[i][0], 2, 8), ICL_EINVAL);
        assert_string_equal(icl_error_message(), cases[i][1]);
        assert_int_equal(range.low, 77);
    }
}

static void test_range__an_option_is_named(void **state)
{
    const icl_option options[] = { { .name = "classes",
                                     .type = ICL_OPTION_TEXT,
                                     .fallback = "2-9",
                                     .minimum = 2,
                                     .maximum = 8,
                                     .help = "classes" } };
    const icl_card card = { .name = "labelled", .options = options, .option_count = 1 };
    icl_call call = { .name = (char *)"labelled" };
    icl_options read = { 0 };
    icl_range range = { 0 };
    assert_int_equal(icl_options_read(&read, &card, &call), ICL_OK);
    assert_int_equal(icl_range_read(&range, &read, "classes"), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "option classes of labelled: \"2-9\" is not within 2..8");
    icl_options_deinit(&read);
}

static void test_range__draws_both_ends_and_all_between(void **state)
{
    icl_rng rng = icl_rng_new(1, "range", "", "");
    size_t counts[9] = { 0 };
    for (int i = 0; i < 700; i++) counts[icl_range_draw((icl_range){ 2, 8 }, &rng)]++;
    for (size_t n = 2; n <= 8; n++) assert_true(counts[n] > 60 && counts[n] < 140);
    assert_int_equal(icl_range_draw((icl_range){ 5, 5 }, &rng), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range__reads_a_number_or_two),
        cmocka_unit_test(test_range__refuses_with_the_reason),
        cmocka_unit_test(test_range__an_option_is_named),
        cmocka_unit_test(test_range__draws_both_ends_and_all_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
