/* Determinants and their greedy maximisation against brute force on small kernels. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "math/dpp.h"
#include "math/matrix.h"
#include "near.h"

enum { COUNT = 8, COLUMNS = 5 };

typedef struct world {
    float vectors[COUNT * COLUMNS];
    double relevance[COUNT];
    icl_dpp_kernel kernel;
} world;

static void fill(world *w, icl_rng *rng)
{
    double cosines[COUNT];
    for (size_t i = 0; i < COUNT * COLUMNS; i++) w->vectors[i] = (float)icl_rng_normal(rng);
    icl_matrix_normalise_rows(w->vectors, w->vectors, COUNT, COLUMNS);
    for (size_t i = 0; i < COUNT; i++) cosines[i] = (double)w->vectors[i * COLUMNS];
    icl_dpp_relevance(w->relevance, cosines, COUNT, 0.3);
    w->kernel = (icl_dpp_kernel){
        .vectors = w->vectors, .relevance = w->relevance, .count = COUNT, .columns = COLUMNS
    };
}

static double log_det(const icl_dpp_kernel *kernel, const size_t *set, size_t count)
{
    double value = 0;
    assert_int_equal(icl_dpp_log_det(&value, kernel, set, count), ICL_OK);
    return value;
}

/* By expansion along the first row. */
static double determinant(const double *matrix, size_t count)
{
    if (count == 0) return 1;
    double minor[COUNT * COUNT], sum = 0;
    for (size_t column = 0; column < count; column++) {
        for (size_t i = 1; i < count; i++)
            for (size_t j = 0, to = 0; j < count; j++)
                if (j != column) minor[(i - 1) * (count - 1) + to++] = matrix[i * count + j];
        sum += (column % 2 == 0 ? 1 : -1) * matrix[column] * determinant(minor, count - 1);
    }
    return sum;
}

static void test_dpp__log_det_equals_expansion(void **state)
{
    (void)state;
    icl_rng rng = icl_rng_new(1, "dpp", "", "test");
    world w;
    for (int round = 0; round < 20; round++) {
        fill(&w, &rng);
        const size_t set[] = { 6, 1, 3, 7, 0 };
        for (size_t count = 0; count <= 5; count++) {
            double matrix[25];
            for (size_t i = 0; i < count; i++)
                for (size_t j = 0; j < count; j++)
                    matrix[i * count + j] = icl_dpp_kernel_at(&w.kernel, set[i], set[j]);
            const double expected = determinant(matrix, count);
            assert_near(exp(log_det(&w.kernel, set, count)), expected, 1e-12);
        }
    }
}

/* Each choice of the greedy search is the one that makes the determinant largest. */
static void test_dpp__every_step_is_the_best_by_brute_force(void **state)
{
    (void)state;
    icl_rng rng = icl_rng_new(2, "dpp", "", "test");
    world w;
    for (int round = 0; round < 50; round++) {
        fill(&w, &rng);
        size_t chosen[COUNT], count = 0;
        assert_int_equal(icl_dpp_map(chosen, &count, &w.kernel, COLUMNS), ICL_OK);
        assert_int_equal(count, COLUMNS);
        for (size_t step = 0; step < count; step++) {
            size_t trial[COUNT], best = COUNT;
            double best_value = -INFINITY;
            memcpy(trial, chosen, sizeof trial);
            for (size_t i = 0; i < COUNT; i++) {
                bool taken = false;
                for (size_t t = 0; t < step; t++) taken |= chosen[t] == i;
                trial[step] = i;
                const double value = taken ? -INFINITY : log_det(&w.kernel, trial, step + 1);
                if (value > best_value) {
                    best_value = value;
                    best = i;
                }
            }
            assert_int_equal(chosen[step], best);
        }
    }
}

/* Vectors at 0, 10 and 80 degrees, the query at 0: a small lambda wants the two nearest, a large
 * one the two that differ. */
static void test_dpp__golden_pairs(void **state)
{
    (void)state;
    const double degree = acos(-1) / 180, cosines[] = { 1, cos(10 * degree), cos(80 * degree) };
    float vectors[6];
    double relevance[3];
    for (size_t i = 0; i < 3; i++) {
        vectors[2 * i] = (float)cosines[i];
        vectors[2 * i + 1] = (float)sqrt(1 - cosines[i] * cosines[i]);
    }
    const icl_dpp_kernel kernel = {
        .vectors = vectors, .relevance = relevance, .count = 3, .columns = 2
    };
    const size_t near_pair[] = { 0, 1 }, far_pair[] = { 0, 2 };
    size_t chosen[2], count = 0;
    icl_dpp_relevance(relevance, cosines, 3, 0.1);
    assert_near(exp(log_det(&kernel, near_pair, 2)), 0.014027, 5e-7);
    assert_near(exp(log_det(&kernel, far_pair, 2)), 0.010526, 5e-7);
    assert_int_equal(icl_dpp_map(chosen, &count, &kernel, 2), ICL_OK);
    assert_true(count == 2 && chosen[0] == 0 && chosen[1] == 1);

    icl_dpp_relevance(relevance, cosines, 3, 1);
    assert_near(exp(log_det(&kernel, near_pair, 2)), 0.015020, 5e-7);
    assert_near(exp(log_det(&kernel, far_pair, 2)), 0.433734, 5e-7);
    assert_int_equal(icl_dpp_map(chosen, &count, &kernel, 2), ICL_OK);
    assert_true(count == 2 && chosen[0] == 0 && chosen[1] == 2);
}

static void test_dpp__equal_vectors_have_no_volume(void **state)
{
    (void)state;
    const float vectors[] = { 1, 0, 1, 0, 0, 1, 1, 0 };
    const double relevance[] = { 1, 1, 0.5, 1 };
    const icl_dpp_kernel kernel = {
        .vectors = vectors, .relevance = relevance, .count = 4, .columns = 2
    };
    const size_t twins[] = { 0, 1 };
    assert_true(isinf(log_det(&kernel, twins, 2)));
    size_t chosen[4] = { 9, 9, 9, 9 }, count = 0;
    assert_int_equal(icl_dpp_map(chosen, &count, &kernel, 4), ICL_OK);
    assert_int_equal(count, 2); /* the lowest of the equal ones, then the only other direction */
    assert_true(chosen[0] == 0 && chosen[1] == 2 && chosen[2] == 9);
}

/* A kernel of n columns has rank n + 1 at most. */
static void test_dpp__stops_at_the_rank(void **state)
{
    (void)state;
    icl_rng rng = icl_rng_new(3, "dpp", "", "test");
    world w;
    fill(&w, &rng);
    size_t chosen[COUNT], count = 0;
    assert_int_equal(icl_dpp_map(chosen, &count, &w.kernel, COUNT), ICL_OK);
    assert_int_equal(count, COLUMNS + 1);
}

static void test_dpp__renumbering_the_items_renumbers_the_choice(void **state)
{
    (void)state;
    icl_rng rng = icl_rng_new(4, "dpp", "", "test");
    world w, moved;
    for (int round = 0; round < 20; round++) {
        size_t place[COUNT], chosen[4], moved_chosen[4], count = 0;
        fill(&w, &rng);
        fill(&moved, &rng);
        for (size_t i = 0; i < COUNT; i++) place[i] = i;
        icl_rng_shuffle(&rng, place, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            memcpy(&moved.vectors[place[i] * COLUMNS], &w.vectors[i * COLUMNS],
                   COLUMNS * sizeof(float));
            moved.relevance[place[i]] = w.relevance[i];
        }
        assert_int_equal(icl_dpp_map(chosen, &count, &w.kernel, 4), ICL_OK);
        assert_int_equal(icl_dpp_map(moved_chosen, &count, &moved.kernel, 4), ICL_OK);
        for (size_t i = 0; i < 4; i++) assert_int_equal(moved_chosen[i], place[chosen[i]]);
    }
}

static void test_dpp__a_large_lambda_forgets_the_query(void **state)
{
    (void)state;
    const double cosines[] = { 1, -1, 0.3 };
    double relevance[3];
    icl_dpp_relevance(relevance, cosines, 3, 1e12);
    for (size_t i = 0; i < 3; i++) assert_near(relevance[i], 1, 1e-11);
    icl_dpp_relevance(relevance, cosines, 3, 0.5);
    assert_near(relevance[0], 1, 0);
    assert_near(relevance[1], exp(-1), 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dpp__log_det_equals_expansion),
        cmocka_unit_test(test_dpp__every_step_is_the_best_by_brute_force),
        cmocka_unit_test(test_dpp__golden_pairs),
        cmocka_unit_test(test_dpp__equal_vectors_have_no_volume),
        cmocka_unit_test(test_dpp__stops_at_the_rank),
        cmocka_unit_test(test_dpp__renumbering_the_items_renumbers_the_choice),
        cmocka_unit_test(test_dpp__a_large_lambda_forgets_the_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
