/* Principal axes against their definition: unit length, at right angles, in order of the variance
 * along them, which adds up to all there is; and a case that can be worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "math/matrix.h"
#include "math/spectrum.h"
#include "near.h"

enum { ROWS = 200, COLUMNS = 12 };

static double variance_along(const float *axis, const float *rows)
{
    double sum = 0.0;
    for (size_t i = 0; i < ROWS; i++) {
        const double along = icl_vector_dot(axis, rows + i * COLUMNS, COLUMNS);
        sum += along * along;
    }
    return sum;
}

static void test_spectrum__axes_are_what_they_are_called(void **state)
{
    icl_rng rng = icl_rng_new(4, "spectrum", "", "test");
    float rows[ROWS * COLUMNS], axes[COLUMNS * COLUMNS];
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        rows[i] = (float)(icl_rng_normal(&rng) * (double)(1 + i % COLUMNS) + 3.0);
    icl_matrix_centre_columns(rows, ROWS, COLUMNS);
    assert_int_equal(icl_principal_axes(axes, COLUMNS, rows, ROWS, COLUMNS), ICL_OK);
    double total = 0.0, along = 0.0, before = INFINITY;
    for (size_t i = 0; i < ROWS * COLUMNS; i++) total += (double)rows[i] * (double)rows[i];
    for (size_t a = 0; a < COLUMNS; a++) {
        for (size_t b = 0; b <= a; b++)
            assert_near(icl_vector_dot(axes + a * COLUMNS, axes + b * COLUMNS, COLUMNS),
                        a == b ? 1.0 : 0.0, 1e-6); /* single precision */
        const double variance = variance_along(axes + a * COLUMNS, rows);
        assert_true(variance <= before * (1.0 + 1e-6));
        before = variance;
        along += variance;
    }
    assert_near(along / total, 1.0, 1e-6);
}

/* Points on the line through (1, 2) and a little across it. */
static void test_spectrum__a_case_by_hand(void **state)
{
    const float rows[] = { 1, 2, -1, -2, 0.2f, -0.1f, -0.2f, 0.1f };
    float axes[4];
    assert_int_equal(icl_principal_axes(axes, 2, rows, 4, 2), ICL_OK);
    assert_near((double)axes[0], 1.0 / sqrt(5.0), 1e-6);
    assert_near((double)axes[1], 2.0 / sqrt(5.0), 1e-6);
    assert_near((double)axes[2], 2.0 / sqrt(5.0), 1e-6); /* its largest component is positive */
    assert_near((double)axes[3], -1.0 / sqrt(5.0), 1e-6);
}

static void test_spectrum__refuses_what_is_not_finite(void **state)
{
    const float rows[] = { 1, 2, NAN, 4 };
    float axes[4];
    assert_int_equal(icl_principal_axes(axes, 2, rows, 2, 2), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "vector 1 of 2 holds a number that is not finite");
}

static void test_spectrum__centred_columns_have_mean_zero(void **state)
{
    float rows[] = { 1, 10, 2, 20, 6, 30 };
    icl_matrix_centre_columns(rows, 3, 2);
    const float expected[] = { -2, -10, -1, 0, 3, 10 };
    assert_memory_equal(rows, expected, sizeof expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spectrum__axes_are_what_they_are_called),
        cmocka_unit_test(test_spectrum__a_case_by_hand),
        cmocka_unit_test(test_spectrum__refuses_what_is_not_finite),
        cmocka_unit_test(test_spectrum__centred_columns_have_mean_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
