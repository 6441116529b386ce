/* Paired intervals and tests against statsmodels and SciPy (recipe in tests/golden/make_paired.py),
 * and what must hold whatever the data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/golden_rows.h"
#include "math/paired.h"

#define GOLDEN ICL_SOURCE_DIR "/tests/golden/paired.jsonl"

static void check_mcnemar(const json_t *row)
{
    const double p = golden_number(row, "p");
    const size_t first = (size_t)golden_number(row, "first");
    const size_t second = (size_t)golden_number(row, "second");
    assert_near(icl_mcnemar_exact(first, second), p, 1e-11 * p);
    assert_true(icl_mcnemar_exact(second, first) == icl_mcnemar_exact(first, second));
}

static void test_paired__mcnemar_agrees_with_statsmodels(void **state)
{
    golden_rows_of(GOLDEN, "mcnemar", check_mcnemar);
}

static double clustered(const int32_t *differences, size_t count)
{
    double p = -1;
    assert_int_equal(icl_mcnemar_clustered(&p, differences, count), ICL_OK);
    assert_true(p >= 0 && p <= 1);
    return p;
}

static void check_clustered(const json_t *row)
{
    size_t count = 0;
    double *numbers = golden_numbers(row, "differences", &count);
    int32_t differences[16], mirrored[16];
    for (size_t i = 0; i < count; i++) {
        differences[i] = (int32_t)numbers[i];
        mirrored[i] = -differences[i];
    }
    assert_near(clustered(differences, count), golden_number(row, "p"), 1e-14);
    assert_true(clustered(differences, count) == clustered(mirrored, count));
    free(numbers);
}

static void test_paired__clustered_agrees_with_all_sign_flips(void **state)
{
    golden_rows_of(GOLDEN, "clustered", check_clustered);
}

/* Four seeds with the same answers say no more than one. */
static void test_paired__clustered_does_not_count_copies(void **state)
{
    int32_t once[40] = { 0 }, copied[40] = { 0 };
    for (size_t i = 0; i < 25; i++) {
        once[i] = i < 18 ? 1 : -1;
        copied[i] = 4 * once[i];
    }
    assert_true(clustered(once, 40) == icl_mcnemar_exact(18, 7));
    assert_true(clustered(copied, 40) == icl_mcnemar_exact(18, 7));
}

static void test_paired__equal_methods_have_p_one(void **state)
{
    const int32_t none[5] = { 0 };
    assert_true(clustered(none, 5) == 1.0);
    assert_true(icl_mcnemar_exact(0, 0) == 1.0);
}

static void test_paired__a_larger_lead_has_a_smaller_p(void **state)
{
    double last = 2;
    for (size_t lead = 0; lead <= 30; lead++) {
        const double p = icl_mcnemar_exact(30 + lead, 30 - lead);
        assert_true(p < last && p > 0 && p <= 1);
        last = p;
    }
}

static void check_holm(const json_t *row)
{
    size_t count = 0;
    double *p = golden_numbers(row, "p", &count);
    double *expected = golden_numbers(row, "adjusted", &count);
    double adjusted[16];
    assert_int_equal(icl_holm(adjusted, p, count), ICL_OK);
    for (size_t i = 0; i < count; i++) {
        assert_near(adjusted[i], expected[i], 1e-15);
        assert_true(adjusted[i] >= p[i] && adjusted[i] <= 1);
        for (size_t j = 0; j < count; j++) assert_true(p[i] > p[j] || adjusted[i] <= adjusted[j]);
    }
    assert_int_equal(icl_holm(p, p, count), ICL_OK); /* in place */
    assert_memory_equal(p, adjusted, count * sizeof *p);
    free(expected);
    free(p);
}

static void test_paired__holm_agrees_with_statsmodels(void **state)
{
    golden_rows_of(GOLDEN, "holm", check_holm);
    assert_int_equal(icl_holm(NULL, NULL, 0), ICL_OK);
}

/* Of the mean of differences [seeds][items], which both are samples (Owen 2007, "The pigeonhole
 * bootstrap"), as icl compare and icl search have it for their metrics. */
static icl_interval bootstrap(const double *differences, size_t seeds, size_t items, size_t times)
{
    double *means = calloc(times, sizeof *means);
    uint32_t of_seeds[8], of_items[256];
    icl_rng rng = icl_rng_new(7, "test", NULL, "paired");
    assert_true(means != NULL && seeds <= 8 && items <= 256);
    for (size_t r = 0; r < times; r++) {
        icl_resample_weights(of_items, items, &rng);
        icl_resample_weights(of_seeds, seeds, &rng);
        for (size_t s = 0; s < seeds; s++)
            for (size_t i = 0; i < items; i++)
                means[r] += of_seeds[s] * (of_items[i] * differences[s * items + i]);
        means[r] /= (double)(seeds * items);
    }
    const icl_interval interval = icl_interval_percentile95(means, times);
    free(means);
    return interval;
}

/* The tolerance is two steps of the mean, or four standard errors of a quantile. */
static void check_bootstrap(const json_t *row)
{
    size_t count = 0;
    const size_t seeds = (size_t)golden_number(row, "seeds");
    double *values = golden_numbers(row, "values", &count);
    const icl_interval found = bootstrap(values, seeds, count / seeds, 20000);
    const double tolerance = seeds == 1 ? 2.01 / (double)count : 0.015;
    assert_near(found.low, golden_number(row, "low"), tolerance);
    assert_near(found.high, golden_number(row, "high"), tolerance);
    free(values);
}

static void test_paired__bootstrap_agrees_with_scipy(void **state)
{
    golden_rows_of(GOLDEN, "bootstrap", check_bootstrap);
    golden_rows_of(GOLDEN, "two_level", check_bootstrap);
}

static void test_paired__bootstrap_mirrors(void **state)
{
    double differences[3 * 20], mirrored[3 * 20];
    icl_rng rng = icl_rng_new(1, "test", NULL, "differences");
    for (size_t i = 0; i < 60; i++) {
        differences[i] = icl_rng_normal(&rng);
        mirrored[i] = -differences[i];
    }
    const icl_interval a = bootstrap(differences, 3, 20, 500), b = bootstrap(mirrored, 3, 20, 500);
    assert_near(a.low, -b.high, 1e-15);
    assert_near(a.high, -b.low, 1e-15);
    const icl_interval again = bootstrap(differences, 3, 20, 500);
    assert_memory_equal(&a, &again, sizeof a);
}

static void test_paired__bootstrap_of_equal_methods_is_a_point(void **state)
{
    const double none[2 * 4] = { 0 }, all[2 * 4] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    const icl_interval zero = bootstrap(none, 2, 4, 50), one = bootstrap(all, 2, 4, 50);
    assert_true(zero.low == 0 && zero.high == 0);
    assert_true(one.low == 1 && one.high == 1);
}

/* Equal rows for all seeds: the interval is that of one seed, not one of five times as many items.
 */
static void test_paired__bootstrap_does_not_count_copies(void **state)
{
    double differences[5 * 50];
    for (size_t i = 0; i < 250; i++) differences[i] = (double)(i % 50 % 3) - 1.0;
    const icl_interval one = bootstrap(differences, 1, 50, 5000);
    const icl_interval five = bootstrap(differences, 5, 50, 5000);
    assert_near(one.high - one.low, five.high - five.low, 0.041);
}

static void test_paired__weights_sum_to_the_count(void **state)
{
    uint32_t weights[30];
    icl_rng rng = icl_rng_new(1, "test", NULL, "weights");
    size_t sum = 0;
    icl_resample_weights(weights, 30, &rng);
    for (size_t i = 0; i < 30; i++) sum += weights[i];
    assert_int_equal(sum, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paired__mcnemar_agrees_with_statsmodels),
        cmocka_unit_test(test_paired__clustered_agrees_with_all_sign_flips),
        cmocka_unit_test(test_paired__clustered_does_not_count_copies),
        cmocka_unit_test(test_paired__equal_methods_have_p_one),
        cmocka_unit_test(test_paired__a_larger_lead_has_a_smaller_p),
        cmocka_unit_test(test_paired__holm_agrees_with_statsmodels),
        cmocka_unit_test(test_paired__bootstrap_agrees_with_scipy),
        cmocka_unit_test(test_paired__bootstrap_mirrors),
        cmocka_unit_test(test_paired__bootstrap_of_equal_methods_is_a_point),
        cmocka_unit_test(test_paired__bootstrap_does_not_count_copies),
        cmocka_unit_test(test_paired__weights_sum_to_the_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
