/* The BLAS wrappers against three loops, and the row operations against their definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "math/matrix.h"

enum { ROWS_MAX = 9, COLUMNS_MAX = 33 };

static void fill(float *values, size_t count, icl_rng *rng)
{
    for (size_t i = 0; i < count; i++) values[i] = (float)icl_rng_normal(rng);
}

static void test_matrix__product_equals_the_definition(void **state)
{
    (void)state;
    icl_rng rng = icl_rng_new(2, "matrix", "", "test");
    for (int round = 0; round < 50; round++) {
        float a[ROWS_MAX * COLUMNS_MAX], b[ROWS_MAX * COLUMNS_MAX], out[ROWS_MAX * ROWS_MAX];
        const size_t m = icl_rng_below(&rng, ROWS_MAX) + 1, n = icl_rng_below(&rng, ROWS_MAX) + 1;
        const size_t columns = icl_rng_below(&rng, COLUMNS_MAX) + 1;
        fill(a, m * columns, &rng);
        fill(b, n * columns, &rng);
        icl_matrix_multiply_transposed(out, a, m, b, n, columns);
        for (size_t i = 0; i < m; i++) {
            for (size_t j = 0; j < n; j++) {
                double sum = 0;
                for (size_t t = 0; t < columns; t++)
                    sum += (double)a[i * columns + t] * (double)b[j * columns + t];
                assert_true(fabs((double)out[i * n + j] - sum) < 1e-4);
            }
        }
    }
}

/* Alone, in company and at any place in memory the same bits. */
static void test_matrix__dots_are_those_of_double_and_keep_their_bits(void **state)
{
    (void)state;
    icl_rng rng = icl_rng_new(3, "matrix", "", "dots");
    float rows[ROWS_MAX * COLUMNS_MAX + 1], vector[COLUMNS_MAX], out[ROWS_MAX], alone;
    for (size_t columns = 0; columns <= COLUMNS_MAX; columns++) {
        for (size_t shift = 0; shift < 2; shift++) {
            fill(rows, sizeof rows / sizeof *rows, &rng);
            fill(vector, COLUMNS_MAX, &rng);
            icl_vector_dots(out, rows + shift, ROWS_MAX, columns, vector);
            for (size_t i = 0; i < ROWS_MAX; i++) {
                const float *row = rows + shift + i * columns;
                assert_true(fabs((double)out[i] - icl_vector_dot(row, vector, columns)) < 1e-4);
                icl_vector_dots(&alone, row, 1, columns, vector);
                assert_memory_equal(&alone, &out[i], sizeof alone);
            }
        }
    }
}

static void test_matrix__no_columns_give_zeros_and_no_rows_nothing(void **state)
{
    (void)state;
    const float a[1] = { 5 };
    float out[4] = { 7, 7, 7, 7 };
    icl_matrix_multiply_transposed(out, a, 2, a, 2, 0);
    for (size_t i = 0; i < 4; i++) assert_true(out[i] == 0.0F);
    out[0] = 7;
    icl_matrix_multiply_transposed(out, a, 0, a, 1, 1);
    assert_true(out[0] == 7.0F);
}

static void test_matrix__rows_get_length_one_and_zero_stays_zero(void **state)
{
    (void)state;
    float rows[] = { 3, 4, 0, 0, 1e-30F, 0, 3e30F, 4e30F };
    icl_matrix_normalise_rows(rows, rows, 4, 2);
    const float expected[] = { 0.6F, 0.8F, 0, 0, 1, 0, 0.6F, 0.8F };
    for (size_t i = 0; i < 8; i++) assert_true(fabsf(rows[i] - expected[i]) < 1e-6F);
}

static void test_matrix__vector_kernels_have_closed_forms(void **state)
{
    (void)state;
    const float a[] = { 1, 2, 3 }, b[] = { 4, -5, 6 };
    assert_true(icl_vector_dot(a, b, 3) == 12);
    assert_true(icl_vector_distance_squared(a, b, 3) == 9 + 49 + 9);
    assert_true(icl_vector_dot(a, b, 0) == 0);
    assert_true(
        icl_vector_dot_doubles((const double[]){ 1, 2, 3 }, (const double[]){ 4, -5, 6 }, 3) == 12);
    assert_true(icl_vector_dot_doubles(NULL, NULL, 0) == 0);
}

static void test_matrix__first_row_that_is_not_finite_is_found(void **state)
{
    (void)state;
    float rows[] = { 1, 2, 3, 4, 5, 6 };
    assert_int_equal(icl_matrix_finite_rows(rows, 3, 2), 3);
    rows[5] = NAN;
    assert_int_equal(icl_matrix_finite_rows(rows, 3, 2), 2);
    rows[2] = -INFINITY;
    assert_int_equal(icl_matrix_finite_rows(rows, 3, 2), 1);
}

static void test_matrix__squares_and_dots_are_those_of_double(void **state)
{
    (void)state;
    icl_rng rng = icl_rng_new(5, "matrix", "", "squares");
    float rows[ROWS_MAX * COLUMNS_MAX], vector[COLUMNS_MAX];
    for (size_t columns = 0; columns <= COLUMNS_MAX; columns++) {
        float squares[ROWS_MAX], again[ROWS_MAX], dots[ROWS_MAX];
        fill(rows, sizeof rows / sizeof *rows, &rng);
        fill(vector, COLUMNS_MAX, &rng);
        icl_vector_squares(squares, rows, ROWS_MAX, columns);
        icl_vector_squares_and_dots(again, dots, rows, ROWS_MAX, columns, vector);
        for (size_t i = 0; i < ROWS_MAX; i++) {
            const float *row = rows + i * columns;
            assert_true(fabs((double)squares[i] - icl_vector_dot(row, row, columns)) < 1e-4);
            assert_true(fabs((double)dots[i] - icl_vector_dot(row, vector, columns)) < 1e-4);
            assert_true(squares[i] == again[i]);
        }
    }
}

static void test_matrix__places_above_are_those_of_a_loop(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    icl_rng rng = icl_rng_new(6, "matrix", "", "places");
    float values[COUNT], scales[COUNT], offsets[COUNT];
    for (int round = 0; round < 200; round++) {
        fill(values, COUNT, &rng);
        fill(scales, COUNT, &rng);
        fill(offsets, COUNT, &rng);
        const size_t count = icl_rng_below(&rng, COUNT + 1);
        /* Now nearly none, now some, now all; and one that is reached exactly. */
        const float floors[] = { 5, 1, -INFINITY, values[0] * scales[0] - offsets[0] };
        const float floor = floors[round % 4];
        uint32_t places[COUNT];
        const size_t found = icl_places_above(places, values, scales, offsets, count, floor);
        size_t expected = 0;
        for (size_t i = 0; i < count; i++) {
            if (values[i] * scales[i] - offsets[i] < floor) continue;
            assert_true(expected < found);
            assert_int_equal(places[expected++], i);
        }
        assert_int_equal(found, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix__product_equals_the_definition),
        cmocka_unit_test(test_matrix__dots_are_those_of_double_and_keep_their_bits),
        cmocka_unit_test(test_matrix__no_columns_give_zeros_and_no_rows_nothing),
        cmocka_unit_test(test_matrix__rows_get_length_one_and_zero_stays_zero),
        cmocka_unit_test(test_matrix__vector_kernels_have_closed_forms),
        cmocka_unit_test(test_matrix__first_row_that_is_not_finite_is_found),
        cmocka_unit_test(test_matrix__squares_and_dots_are_those_of_double),
        cmocka_unit_test(test_matrix__places_above_are_those_of_a_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
