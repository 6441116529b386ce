/* The Hungarian method against trying every assignment. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/rng.h"
#include "math/assignment.h"
#include "near.h"

enum { SIDE_MAX = 6 };

/* Largest sum over rows from `row` on, when `skips` rows may stay without a column. */
static double best_from(const double *weights, size_t rows, size_t columns, size_t row,
                        unsigned taken, size_t skips)
{
    if (row == rows) return 0;
    double best = -INFINITY;
    for (size_t c = 0; c < columns; c++) {
        if ((taken >> c & 1u) != 0) continue;
        best = fmax(best, weights[row * columns + c] +
                              best_from(weights, rows, columns, row + 1, taken | 1u << c, skips));
    }
    if (skips > 0) best = fmax(best, best_from(weights, rows, columns, row + 1, taken, skips - 1));
    return best;
}

static double sum_of(const size_t *assigned, const double *weights, size_t rows, size_t columns)
{
    unsigned taken = 0;
    size_t pairs = 0;
    double sum = 0;
    for (size_t r = 0; r < rows; r++) {
        if (assigned[r] == SIZE_MAX) continue;
        assert_true(assigned[r] < columns);
        assert_true((taken >> assigned[r] & 1u) == 0);
        taken |= 1u << assigned[r];
        sum += weights[r * columns + assigned[r]];
        pairs++;
    }
    assert_int_equal(pairs, rows < columns ? rows : columns);
    return sum;
}

static void test_assignment__is_as_heavy_as_the_best_of_all(void **state)
{
    (void)state;
    icl_rng rng = icl_rng_new(1, "assignment", "", "test");
    for (size_t trial = 0; trial < 400; trial++) {
        const size_t rows = 1 + icl_rng_below(&rng, SIDE_MAX);
        const size_t columns = 1 + icl_rng_below(&rng, SIDE_MAX);
        double weights[SIDE_MAX * SIDE_MAX];
        /* Every other trial has many equal weights. */
        for (size_t i = 0; i < rows * columns; i++)
            weights[i] = trial % 2 == 0 ? icl_rng_normal(&rng) : (double)icl_rng_below(&rng, 3);
        size_t assigned[SIDE_MAX];
        assert_int_equal(icl_assignment(assigned, weights, rows, columns), ICL_OK);
        const size_t skips = rows > columns ? rows - columns : 0;
        assert_near(sum_of(assigned, weights, rows, columns),
                    best_from(weights, rows, columns, 0, 0, skips), 1e-12);
    }
}

static void test_assignment__finds_a_hidden_permutation(void **state)
{
    (void)state;
    enum { SIDE = 60 };
    static double weights[SIDE * SIDE];
    size_t hidden[SIDE], assigned[SIDE];
    icl_rng rng = icl_rng_new(2, "assignment", "", "test");
    for (size_t i = 0; i < SIDE; i++) hidden[i] = i;
    icl_rng_shuffle(&rng, hidden, SIDE);
    for (size_t i = 0; i < SIDE * SIDE; i++) weights[i] = -1 - icl_rng_unit(&rng);
    for (size_t r = 0; r < SIDE; r++) weights[r * SIDE + hidden[r]] = 0;
    assert_int_equal(icl_assignment(assigned, weights, SIDE, SIDE), ICL_OK);
    assert_memory_equal(assigned, hidden, sizeof hidden);
}

static void test_assignment__nothing_to_assign_and_weights_that_are_no_numbers(void **state)
{
    (void)state;
    size_t assigned[2] = { 7, 7 };
    assert_int_equal(icl_assignment(assigned, NULL, 0, 3), ICL_OK);
    assert_int_equal(assigned[0], 7);
    assert_int_equal(icl_assignment(assigned, NULL, 2, 0), ICL_OK);
    assert_true(assigned[0] == SIZE_MAX && assigned[1] == SIZE_MAX);
    const double weights[] = { 0, 1, 2, (double)-INFINITY };
    assigned[0] = 7;
    assert_int_equal(icl_assignment(assigned, weights, 2, 2), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "assignment: the weight of row 1, column 1 is -inf");
    assert_int_equal(assigned[0], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_assignment__is_as_heavy_as_the_best_of_all),
        cmocka_unit_test(test_assignment__finds_a_hidden_permutation),
        cmocka_unit_test(test_assignment__nothing_to_assign_and_weights_that_are_no_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
