/* Sums in log space against SciPy (recipe in tests/golden/make_statistics.py) and at their edges.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
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

/* Row and outcome: the two distributions of the method sheet, then its limits. */
static void test_logspace__mutual_information_has_its_closed_forms(void **state)
{
    double mean[3];
    const double unlike[] = { 0.9, 0.1, 0.5, 0.5 };
    assert_near(icl_mutual_information_nats(unlike, 2, 2, mean), 0.1017492, 5e-8);
    assert_near(mean[0], 0.7, 1e-15);
    const double constant[] = { 0.2, 0.3, 0.5, 0.2, 0.3, 0.5, 0.2, 0.3, 0.5 };
    assert_near(icl_mutual_information_nats(constant, 3, 3, mean), 0.0, 1e-15);
    const double one_hot[] = { 1, 0, 0, 0, 0, 1, 0, 1, 0 };
    assert_near(icl_mutual_information_nats(one_hot, 3, 3, mean), log(3.0), 1e-15);
}

static void test_logspace__mutual_information_stays_in_its_bounds(void **state)
{
    enum { ROWS = 6, LABELS = 4 };
    icl_rng rng = icl_rng_new(3, NULL, NULL, NULL);
    for (size_t trial = 0; trial < 500; trial++) {
        double rows[ROWS * LABELS], permuted[ROWS * LABELS], mean[LABELS];
        for (size_t i = 0; i < ROWS * LABELS; i++) rows[i] = 4 * icl_rng_normal(&rng);
        for (size_t r = 0; r < ROWS; r++) {
            icl_softmax(rows + r * LABELS, rows + r * LABELS, LABELS);
            for (size_t i = 0; i < LABELS; i++)
                permuted[r * LABELS + (i + 1) % LABELS] = rows[r * LABELS + i];
        }
        const double information = icl_mutual_information_nats(rows, ROWS, LABELS, mean);
        assert_true(information >= 0 && information <= log(LABELS));
        assert_near(icl_mutual_information_nats(permuted, ROWS, LABELS, mean), information, 1e-14);
    }
}

/* log 0.7 - log 0.2: the winner's margin; the loser's is its negative. At a tie both are 0, and
 * normalising changes nothing. */
static void test_logspace__margin_to_the_best_other(void **state)
{
    (void)state;
    const double values[] = { log(0.2), log(0.7), log(0.1) };
    assert_near(icl_log_margin(values, 3, 1), log(3.5), 1e-12);
    assert_near(icl_log_margin(values, 3, 0), -log(3.5), 1e-12);
    const double shifted[] = { values[0] - 5, values[1] - 5, values[2] - 5 };
    assert_near(icl_log_margin(shifted, 3, 1), log(3.5), 1e-12);
    const double tied[] = { -1, -1 };
    assert_near(icl_log_margin(tied, 2, 0), 0, 0);
    assert_near(icl_log_margin(tied, 1, 0), 0, 0); /* no other */
}

/* A row of little mass hardly counts; what no row gives anything to has probability 0. */
static void test_logspace__mixture_is_the_mean_by_mass(void **state)
{
    (void)state;
    double out[3];
    const double rows[] = { log(.03), log(.01), -INFINITY, log(.4), log(.4), -INFINITY };
    icl_log_mixture(out, rows, 2, 3);
    assert_near(out[0], log(.43 / .84), 1e-14);
    assert_near(out[1], log(.41 / .84), 1e-14);
    assert_true(out[2] == -INFINITY);
    const double none[] = { -INFINITY, -INFINITY };
    icl_log_mixture(out, none, 1, 2);
    assert_near(out[0], log(.5), 1e-15);
    const double poisoned[] = { NAN, -1, -INFINITY, -1 };
    icl_log_mixture(out, poisoned, 2, 2);
    assert_true(isnan(out[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logspace__agrees_with_scipy),
        cmocka_unit_test(test_logspace__impossible_outcomes_have_probability_zero),
        cmocka_unit_test(test_logspace__all_impossible_is_uniform),
        cmocka_unit_test(test_logspace__argmax_takes_the_first_of_equals),
        cmocka_unit_test(test_logspace__mutual_information_has_its_closed_forms),
        cmocka_unit_test(test_logspace__mutual_information_stays_in_its_bounds),
        cmocka_unit_test(test_logspace__margin_to_the_best_other),
        cmocka_unit_test(test_logspace__mixture_is_the_mean_by_mass),
        cmocka_unit_test(test_logspace__nan_never_wins_and_never_hides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
