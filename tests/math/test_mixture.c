/* Mixtures of Gaussians against scikit-learn (recipe in tests/golden/make_mixture.py) and what
 * expectation maximisation promises. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "math/logspace.h"
#include "math/mixture.h"
#include "near.h"

static double *numbers_of(const json_t *line, const char *key)
{
    const json_t *array = json_object_get(line, key);
    double *values = calloc(json_array_size(array), sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < json_array_size(array); i++)
        values[i] = json_number_value(json_array_get(array, i));
    return values;
}

static size_t size_of(const json_t *line, const char *key)
{
    return (size_t)json_integer_value(json_object_get(line, key));
}

static void assert_numbers(const double *actual, const json_t *line, const char *key)
{
    double *expected = numbers_of(line, key);
    for (size_t i = 0; i < json_array_size(json_object_get(line, key)); i++)
        assert_near(actual[i], expected[i], 1e-8 * (1 + fabs(expected[i])));
    free(expected);
}

static void assert_covariances(const icl_mixture *mixture, const json_t *line)
{
    double *expected = numbers_of(line, "covariances");
    const size_t n = mixture->columns;
    for (size_t g = 0; g < mixture->k; g++)
        for (size_t r = 0; r < n; r++)
            for (size_t s = 0; s <= r; s++) {
                const double *factor = &mixture->factors[g * n * n];
                double sum = 0;
                for (size_t i = 0; i <= s; i++) sum += factor[r * n + i] * factor[s * n + i];
                assert_near(sum, expected[(g * n + r) * n + s], 1e-8);
            }
    free(expected);
}

static void check_line(const json_t *line)
{
    const size_t count = size_of(line, "count"), k = size_of(line, "k");
    double *rows = numbers_of(line, "rows");
    size_t *labels = calloc(count, sizeof *labels);
    assert_non_null(labels);
    for (size_t i = 0; i < count; i++)
        labels[i] = (size_t)json_integer_value(json_array_get(json_object_get(line, "labels"), i));
    icl_mixture mixture = { 0 };
    assert_int_equal(icl_mixture_init(&mixture, rows, count, size_of(line, "columns"), k), ICL_OK);
    assert_int_equal(icl_mixture_start_from(&mixture, labels), ICL_OK);
    assert_int_equal(icl_mixture_run(&mixture, size_of(line, "rounds_max"),
                                     json_number_value(json_object_get(line, "tolerance")), NULL),
                     ICL_OK);
    assert_int_equal(mixture.rounds, size_of(line, "rounds"));
    assert_int_equal(mixture.converged, json_is_true(json_object_get(line, "converged")));
    assert_numbers(mixture.weights, line, "weights");
    assert_numbers(mixture.means, line, "means");
    assert_covariances(&mixture, line);
    assert_numbers(mixture.responsibilities, line, "responsibilities");
    assert_near(mixture.log_likelihood, json_number_value(json_object_get(line, "log_likelihood")),
                1e-8);
    icl_mixture_deinit(&mixture);
    free(labels);
    free(rows);
}

static void test_mixture__ends_where_scikit_learn_ends(void **state)
{
    (void)state;
    FILE *file = fopen(ICL_SOURCE_DIR "/tests/golden/mixture.jsonl", "r");
    assert_non_null(file);
    size_t lines = 0;
    for (json_t *line; (line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL)) != NULL; lines++) {
        check_line(line);
        json_decref(line);
    }
    assert_int_equal(lines, 4);
    fclose(file);
}

enum { COUNT = 120, COLUMNS = 3, K = 4 };

static void fill(double *rows, double apart)
{
    icl_rng rng = icl_rng_new(4, "mixture", "", "test");
    for (size_t i = 0; i < COUNT; i++)
        for (size_t c = 0; c < COLUMNS; c++)
            rows[i * COLUMNS + c] = icl_rng_normal(&rng) + (i % K == c         ? apart
                                                            : i % K == COLUMNS ? -apart
                                                                               : 0);
}

static icl_mixture fitted(const double *rows, size_t k, size_t rounds, uint64_t seed)
{
    icl_mixture mixture = { 0 };
    icl_rng rng = icl_rng_new(seed, "mixture", "", "test");
    assert_int_equal(icl_mixture_init(&mixture, rows, COUNT, COLUMNS, k), ICL_OK);
    assert_int_equal(icl_mixture_start(&mixture, &rng, NULL), ICL_OK);
    assert_int_equal(icl_mixture_run(&mixture, rounds, 0, NULL), ICL_OK);
    return mixture;
}

static void test_mixture__the_likelihood_never_falls(void **state)
{
    (void)state;
    double rows[COUNT * COLUMNS];
    fill(rows, 1);
    double before = -INFINITY;
    for (size_t rounds = 0; rounds < 30; rounds++) {
        icl_mixture mixture = fitted(rows, K, rounds, 1);
        assert_int_equal(mixture.rounds, rounds);
        /* the diagonal that is added to the covariances costs less than this */
        assert_true(mixture.log_likelihood >= before - 1e-6);
        before = mixture.log_likelihood;
        icl_mixture_deinit(&mixture);
    }
}

static void test_mixture__finds_groups_that_lie_apart(void **state)
{
    (void)state;
    double rows[COUNT * COLUMNS];
    fill(rows, 12);
    for (uint64_t seed = 0; seed < 5; seed++) {
        icl_mixture mixture = fitted(rows, K, 100, seed);
        for (size_t i = 0; i < COUNT; i++)
            assert_int_equal(icl_argmax(&mixture.responsibilities[i * K], K),
                             icl_argmax(&mixture.responsibilities[i % K * K], K));
        for (size_t g = 0; g < K; g++) assert_near(mixture.weights[g], 1.0 / K, 1e-9);
        icl_mixture_deinit(&mixture);
    }
}

/* One component: the sample's mean and covariance, and the density by its formula. */
static void test_mixture__one_component_is_the_sample(void **state)
{
    (void)state;
    double rows[COUNT * COLUMNS];
    fill(rows, 2);
    icl_mixture mixture = fitted(rows, 1, 3, 0);
    double mean = 0, variance = mixture.regulariser;
    for (size_t i = 0; i < COUNT; i++) mean += rows[i * COLUMNS] / COUNT;
    for (size_t i = 0; i < COUNT; i++)
        variance += (rows[i * COLUMNS] - mean) * (rows[i * COLUMNS] - mean) / COUNT;
    assert_near(mixture.means[0], mean, 1e-12);
    assert_near(mixture.factors[0] * mixture.factors[0], variance, 1e-12);
    double joint, sum = 0;
    for (size_t i = 0; i < COUNT; i++) {
        icl_mixture_log_joint(&joint, &mixture, &rows[i * COLUMNS]);
        sum += joint / COUNT;
    }
    assert_near(sum, mixture.log_likelihood, 1e-12);
    icl_mixture_deinit(&mixture);
}

static void test_mixture__equal_rows_and_a_cluster_without_rows(void **state)
{
    (void)state;
    const double rows[COUNT * COLUMNS] = { 0 };
    icl_mixture mixture = fitted(rows, 3, 10, 2);
    for (size_t i = 0; i < COUNT * 3; i++) assert_true(isfinite(mixture.responsibilities[i]));
    icl_mixture_deinit(&mixture);

    const size_t labels[COUNT] = { 0 };
    assert_int_equal(icl_mixture_init(&mixture, rows, COUNT, COLUMNS, 2), ICL_OK);
    assert_int_equal(icl_mixture_start_from(&mixture, labels), ICL_OK);
    assert_int_equal(icl_mixture_run(&mixture, 10, 1e-3, NULL), ICL_OK);
    assert_near(mixture.weights[1], 0, 1e-9);
    icl_mixture_deinit(&mixture);
}

static void test_mixture__stops_when_asked(void **state)
{
    (void)state;
    double rows[COUNT * COLUMNS];
    const atomic_bool cancelled = true;
    fill(rows, 1);
    icl_mixture mixture = fitted(rows, K, 0, 1);
    assert_int_equal(icl_mixture_run(&mixture, 10, 0, &cancelled), ICL_ECANCELLED);
    icl_mixture_deinit(&mixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixture__ends_where_scikit_learn_ends),
        cmocka_unit_test(test_mixture__the_likelihood_never_falls),
        cmocka_unit_test(test_mixture__finds_groups_that_lie_apart),
        cmocka_unit_test(test_mixture__one_component_is_the_sample),
        cmocka_unit_test(test_mixture__equal_rows_and_a_cluster_without_rows),
        cmocka_unit_test(test_mixture__stops_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
