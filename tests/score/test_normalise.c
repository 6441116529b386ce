/* Length normalisation by the four conventions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "score/normalise.h"

static void assert_all(double logprob_nats, icl_answer_size size, const double expected[4])
{
    for (int n = ICL_NORMALISE_SUM; n <= ICL_NORMALISE_BYTES; n++)
        assert_true(icl_normalise_logprob(logprob_nats, (icl_normalise)n, &size) == expected[n]);
}

static void test_normalise__divides_by_the_chosen_count(void **state)
{
    (void)state;
    assert_all(-12, (icl_answer_size){ .tokens = 2, .chars = 3, .bytes = 4 },
               (const double[]){ -12, -6, -4, -3 });
    assert_all(-INFINITY, (icl_answer_size){ 1, 2, 3 },
               (const double[]){ -INFINITY, -INFINITY, -INFINITY, -INFINITY });
}

/* A log-probability of -10 on four bytes is a byte perplexity of 12.1824940. */
static void test_normalise__has_the_golden_value_of_the_sheet(void **state)
{
    (void)state;
    const icl_answer_size size = icl_answer_size_of("good", 1);
    const double per_byte = icl_normalise_logprob(-10, ICL_NORMALISE_BYTES, &size);
    assert_true(fabs(exp(-per_byte) - 12.1824940) < 1e-7);
    assert_true(fabs(-per_byte / log(2) - 3.6067376) < 1e-7);
}

static void test_normalise__other_scripts_tell_characters_from_bytes(void **state)
{
    (void)state;
    const icl_answer_size ascii = icl_answer_size_of("bad", 2);
    assert_true(ascii.tokens == 2 && ascii.chars == 3 && ascii.bytes == 3);
    const icl_answer_size chinese = icl_answer_size_of("\xe5\xa5\xbd\xe7\x9a\x84", 3);
    assert_true(chinese.tokens == 3 && chinese.chars == 2 && chinese.bytes == 6);
    assert_all(-6, chinese, (const double[]){ -6, -2, -3, -1 });
}

/* Repeating the tokens doubles the sum and leaves the per-token score. */
static void test_normalise__repetition_changes_the_sum_only(void **state)
{
    (void)state;
    const icl_answer_size one = { 3, 8, 8 }, two = { 6, 16, 16 };
    const double expected[] = { 2, 1, 1, 1 };
    for (int n = ICL_NORMALISE_SUM; n <= ICL_NORMALISE_BYTES; n++) {
        const double ratio = icl_normalise_logprob(-14, (icl_normalise)n, &two) /
                             icl_normalise_logprob(-7, (icl_normalise)n, &one);
        assert_true(ratio == expected[n]);
    }
}

static void test_normalise__names_stand_in_the_order_of_the_values(void **state)
{
    (void)state;
    assert_string_equal(icl_normalise_names[ICL_NORMALISE_SUM], "sum");
    assert_string_equal(icl_normalise_names[ICL_NORMALISE_TOKENS], "tokens");
    assert_string_equal(icl_normalise_names[ICL_NORMALISE_CHARS], "chars");
    assert_string_equal(icl_normalise_names[ICL_NORMALISE_BYTES], "bytes");
    assert_null(icl_normalise_names[ICL_NORMALISE_BYTES + 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normalise__divides_by_the_chosen_count),
        cmocka_unit_test(test_normalise__has_the_golden_value_of_the_sheet),
        cmocka_unit_test(test_normalise__other_scripts_tell_characters_from_bytes),
        cmocka_unit_test(test_normalise__repetition_changes_the_sum_only),
        cmocka_unit_test(test_normalise__names_stand_in_the_order_of_the_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
