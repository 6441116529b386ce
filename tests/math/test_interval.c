/* Intervals against SciPy (recipe in tests/golden/make_statistics.py) and closed forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/golden_rows.h"
#include "math/interval.h"

static void check_wilson(const json_t *row)
{
    const icl_interval interval = icl_interval_wilson95((size_t)golden_number(row, "correct"),
                                                        (size_t)golden_number(row, "count"));
    assert_near(interval.low, golden_number(row, "low"), 1e-12);
    assert_near(interval.high, golden_number(row, "high"), 1e-12);
}

static void test_interval__wilson_agrees_with_scipy(void **state)
{
    golden_rows_each("wilson", check_wilson);
}

static void test_interval__wilson_mirrors(void **state)
{
    for (size_t correct = 0; correct <= 20; correct++) {
        const icl_interval a = icl_interval_wilson95(correct, 20);
        const icl_interval b = icl_interval_wilson95(20 - correct, 20);
        assert_near(a.low, 1.0 - b.high, 1e-15);
        assert_true(a.low >= 0.0 && a.high <= 1.0);
        assert_true(a.low <= (double)correct / 20 && (double)correct / 20 <= a.high);
    }
}

static void check_quantile(const json_t *row)
{
    size_t count = 0, points = 0;
    double *values = golden_numbers(row, "values", &count);
    double *q = golden_numbers(row, "q", &points);
    double *expected = golden_numbers(row, "expected", &points);
    for (size_t i = 0; i < points; i++)
        assert_near(icl_quantile_sorted(values, count, q[i]), expected[i], 1e-14);
    free(values);
    free(q);
    free(expected);
}

static void test_interval__quantile_agrees_with_numpy(void **state)
{
    golden_rows_each("quantile", check_quantile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interval__wilson_agrees_with_scipy),
        cmocka_unit_test(test_interval__wilson_mirrors),
        cmocka_unit_test(test_interval__quantile_agrees_with_numpy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
