/* Cholesky factors by their definition, and of matrices that have none. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "math/cholesky.h"
#include "near.h"

enum { ROWS = 7 };

/* A random matrix times its transpose, and a little of the identity. */
static void fill(double *matrix)
{
    double any[ROWS * ROWS];
    icl_rng rng = icl_rng_new(3, "cholesky", "", "test");
    for (size_t i = 0; i < ROWS * ROWS; i++) any[i] = icl_rng_normal(&rng);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t s = 0; s < ROWS; s++) {
            double sum = r == s ? 0.1 : 0;
            for (size_t i = 0; i < ROWS; i++) sum += any[r * ROWS + i] * any[s * ROWS + i];
            matrix[r * ROWS + s] = sum;
        }
}

static void test_cholesky__the_factor_times_its_transpose_is_the_matrix(void **state)
{
    (void)state;
    double matrix[ROWS * ROWS], factor[ROWS * ROWS];
    size_t good = 0;
    fill(matrix);
    memcpy(factor, matrix, sizeof matrix);
    assert_int_equal(icl_cholesky(&good, factor, ROWS, NULL), ICL_OK);
    assert_int_equal(good, ROWS);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t s = 0; s <= r; s++) {
            double sum = 0;
            for (size_t i = 0; i <= s; i++) sum += factor[r * ROWS + i] * factor[s * ROWS + i];
            assert_near(sum, matrix[r * ROWS + s], 1e-12);
        }
    assert_near(factor[1], matrix[1], 0); /* the upper triangle stays */
}

static void test_cholesky__solves_and_knows_the_determinant(void **state)
{
    (void)state;
    double matrix[ROWS * ROWS], factor[ROWS * ROWS], x[ROWS], product[ROWS];
    size_t good = 0;
    fill(matrix);
    memcpy(factor, matrix, sizeof matrix);
    assert_int_equal(icl_cholesky(&good, factor, ROWS, NULL), ICL_OK);
    for (size_t r = 0; r < ROWS; r++) {
        product[r] = 0;
        for (size_t s = 0; s < ROWS; s++) product[r] += matrix[r * ROWS + s] * (double)(s + 1);
    }
    memcpy(x, product, sizeof x);
    icl_cholesky_solve(x, factor, ROWS);
    for (size_t r = 0; r < ROWS; r++) assert_near(x[r], (double)(r + 1), 1e-9);
    icl_cholesky_solve_lower(product, factor, ROWS);
    double square = 0; /* |L^-1 b|^2 = b^T A^-1 b = x . b */
    double dot = 0;
    for (size_t r = 0; r < ROWS; r++) square += product[r] * product[r];
    for (size_t r = 0; r < ROWS; r++)
        for (size_t s = 0; s < ROWS; s++)
            dot += (double)(r + 1) * matrix[r * ROWS + s] * (double)(s + 1);
    assert_near(square, dot, 1e-9);
    const double diagonal[] = { 4, 0, 0, 9 };
    double small[4];
    memcpy(small, diagonal, sizeof small);
    assert_int_equal(icl_cholesky(&good, small, 2, NULL), ICL_OK);
    assert_near(icl_cholesky_log_det(small, 2), log(36), 1e-12);
}

static void test_cholesky__says_where_a_matrix_is_not_positive_definite(void **state)
{
    (void)state;
    double matrix[] = { 1, 0, 0, 1, 1, 0, 0, 2, 5 };
    const atomic_bool cancelled = true;
    size_t good = 9;
    assert_int_equal(icl_cholesky(&good, matrix, 3, NULL), ICL_OK);
    assert_int_equal(good, 1); /* rows 0 and 1 are parallel */
    assert_int_equal(icl_cholesky(&good, matrix, 3, &cancelled), ICL_ECANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cholesky__the_factor_times_its_transpose_is_the_matrix),
        cmocka_unit_test(test_cholesky__solves_and_knows_the_determinant),
        cmocka_unit_test(test_cholesky__says_where_a_matrix_is_not_positive_definite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
