/* Sums in log space against SciPy (recipe in tests/golden/make_statistics.py) and at their edges.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/golden_rows.h"
#include "math/logspace.h"

static void check_row(const json_t *row)
{
    size_t count = 0;
    double *values = golden_numbers(row, "values", &count);
    double *log_expected = golden_numbers(row, "log_softmax", &count);
    double *expected = golden_numbers(row, "softmax", &count);
    assert_near(icl_logsumexp(values, count), golden_number(row, "logsumexp"), 1e-12);
    double actual[64];
    assert_true(count <= 64);
    icl_log_softmax(actual, values, count);
    for (size_t i = 0; i < count; i++) assert_near(actual[i], log_expected[i], 1e-12);
    icl_softmax(values, values, count); /* in place */
    for (size_t i = 0; i < count; i++) assert_near(values[i], expected[i], 1e-14);
    assert_near(icl_entropy_nats(values, count), golden_number(row, "entropy"), 1e-12);
    free(values);
    free(log_expected);
    free(expected);
}

static void test_logspace__agrees_with_scipy(void **state)
{
    golden_rows_each("logspace", check_row);
}

static void test_logspace__impossible_outcomes_have_probability_zero(void **state)
{
    const double values[] = { -INFINITY, -2.0, -INFINITY };
    double p[3];
    icl_softmax(p, values, 3);
    assert_true(p[0] == 0.0 && p[1] == 1.0 && p[2] == 0.0);
    assert_true(icl_entropy_nats(p, 3) == 0.0);
    assert_true(icl_logsumexp(values, 3) == -2.0);
    assert_true(icl_logsumexp(values, 1) == -INFINITY);
    assert_true(icl_logsumexp(NULL, 0) == -INFINITY);
}

static void test_logspace__all_impossible_is_uniform(void **state)
{
    const double values[] = { -INFINITY, -INFINITY, -INFINITY, -INFINITY };
    double p[4];
    icl_softmax(p, values, 4);
    for (size_t i = 0; i < 4; i++) assert_near(p[i], 0.25, 1e-16);
    assert_near(icl_entropy_nats(p, 4), log(4.0), 1e-15);
}

static void test_logspace__argmax_takes_the_first_of_equals(void **state)
{
    const double ties[] = { -3.0, -1.0, -1.0 };
    assert_int_equal(icl_argmax(ties, 3), 1);
    const double impossible[] = { -INFINITY, -INFINITY };
    assert_int_equal(icl_argmax(impossible, 2), 0);
}

static void test_logspace__nan_never_wins_and_never_hides(void **state)
{
    const double values[] = { NAN, -5.0, NAN, -4.0 };
    assert_int_equal(icl_argmax(values, 4), 3);
    assert_true(isnan(icl_logsumexp(values, 4)));
    const double lost[] = { -INFINITY, NAN };
    assert_true(isnan(icl_logsumexp(lost, 2)));
    assert_false(icl_log_all_valid(values, 4));
    assert_true(icl_log_all_valid((const double[]){ -INFINITY, -1.0, 3.0 }, 3));
    assert_false(icl_log_all_valid((const double[]){ INFINITY }, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logspace__agrees_with_scipy),
        cmocka_unit_test(test_logspace__impossible_outcomes_have_probability_zero),
        cmocka_unit_test(test_logspace__all_impossible_is_uniform),
        cmocka_unit_test(test_logspace__argmax_takes_the_first_of_equals),
        cmocka_unit_test(test_logspace__nan_never_wins_and_never_hides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
