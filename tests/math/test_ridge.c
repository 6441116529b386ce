/* Ridge regression by duals against the normal equations, solved by hand or checked directly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/rng.h"
#include "math/ridge.h"
#include "near.h"

enum { ROWS = 7, COLUMNS = 11, TARGETS = 3 };

/* x = 0, 1 and y = 1, 3: centred, w minimises 2 (1 - w / 2)^2 + w^2, so w = 2/3 at penalty 1. */
static void test_ridge__two_points_by_hand(void **state)
{
    (void)state;
    double products[] = { 0, 0, 0, 1 };
    const double targets[] = { 1, 3 };
    double duals[2];
    assert_int_equal(icl_ridge_duals(duals, products, targets, 2, 1, 1, NULL), ICL_OK);
    assert_near(0 * duals[0] + 1 * duals[1], 2.0 / 3, 1e-12);
    assert_near(duals[0] + duals[1], 0, 1e-12); /* the bias is free */
}

static void fill(double *x, double *products, double *targets)
{
    icl_rng rng = icl_rng_new(1, "", "", "test-ridge");
    for (size_t i = 0; i < ROWS * COLUMNS; i++) x[i] = icl_rng_normal(&rng);
    for (size_t i = 0; i < TARGETS * ROWS; i++) targets[i] = 5 + icl_rng_normal(&rng);
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t s = 0; s < ROWS; s++) {
            products[r * ROWS + s] = 0;
            for (size_t c = 0; c < COLUMNS; c++)
                products[r * ROWS + s] += x[r * COLUMNS + c] * x[s * COLUMNS + c];
        }
    }
}

static double predicted(const double *w, const double *x)
{
    double sum = 0;
    for (size_t c = 0; c < COLUMNS; c++) sum += w[c] * x[c];
    return sum;
}

/* At the minimum the gradient is zero: the residuals add up to 0, and their sum weighted by each
 * column is penalty * w. What is left over of a row is penalty * its dual. */
static void test_ridge__the_gradient_is_zero(void **state)
{
    (void)state;
    const double penalty = 0.7;
    double x[ROWS * COLUMNS], products[ROWS * ROWS], targets[TARGETS * ROWS];
    double duals[TARGETS * ROWS];
    fill(x, products, targets);
    assert_int_equal(icl_ridge_duals(duals, products, targets, ROWS, TARGETS, penalty, NULL),
                     ICL_OK);
    for (size_t t = 0; t < TARGETS; t++) {
        double w[COLUMNS] = { 0 }, bias = 0;
        for (size_t r = 0; r < ROWS; r++)
            for (size_t c = 0; c < COLUMNS; c++) w[c] += duals[t * ROWS + r] * x[r * COLUMNS + c];
        for (size_t r = 0; r < ROWS; r++)
            bias += (targets[t * ROWS + r] - predicted(w, &x[r * COLUMNS])) / ROWS;
        double gradient[COLUMNS] = { 0 }, residuals = 0;
        for (size_t r = 0; r < ROWS; r++) {
            const double residual = targets[t * ROWS + r] - predicted(w, &x[r * COLUMNS]) - bias;
            assert_near(residual, penalty * duals[t * ROWS + r], 1e-10);
            residuals += residual;
            for (size_t c = 0; c < COLUMNS; c++) gradient[c] += residual * x[r * COLUMNS + c];
        }
        assert_near(residuals, 0, 1e-10);
        for (size_t c = 0; c < COLUMNS; c++) assert_near(gradient[c], penalty * w[c], 1e-10);
    }
}

static void test_ridge__targets_may_be_overwritten(void **state)
{
    (void)state;
    double x[ROWS * COLUMNS], products[ROWS * ROWS], again[ROWS * ROWS], targets[TARGETS * ROWS];
    double duals[TARGETS * ROWS];
    fill(x, products, targets);
    memcpy(again, products, sizeof products);
    assert_int_equal(icl_ridge_duals(duals, products, targets, ROWS, TARGETS, 2, NULL), ICL_OK);
    assert_int_equal(icl_ridge_duals(targets, again, targets, ROWS, TARGETS, 2, NULL), ICL_OK);
    assert_memory_equal(targets, duals, sizeof duals);
}

static void test_ridge__refuses_what_is_not_definite(void **state)
{
    (void)state;
    double products[] = { -9, 0, 0, -9 }, duals[2];
    const double targets[] = { 1, 3 };
    assert_int_equal(icl_ridge_duals(duals, products, targets, 2, 1, 1, NULL), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "row 0 of 2"));
}

static void test_ridge__stops_when_asked(void **state)
{
    (void)state;
    const atomic_bool cancelled = true;
    const double targets[] = { 1, 3 };
    double products[] = { 1, 0, 0, 1 }, duals[] = { 7, 7 };
    assert_int_equal(icl_ridge_duals(duals, products, targets, 2, 1, 1, &cancelled),
                     ICL_ECANCELLED);
    assert_true(duals[0] == 7 && duals[1] == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ridge__two_points_by_hand),
        cmocka_unit_test(test_ridge__the_gradient_is_zero),
        cmocka_unit_test(test_ridge__targets_may_be_overwritten),
        cmocka_unit_test(test_ridge__refuses_what_is_not_definite),
        cmocka_unit_test(test_ridge__stops_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
