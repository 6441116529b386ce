/* Thresholds on confidence against counting by hand and against trying every threshold. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "near.h"
#include "score/abstain.h"

enum { COUNT = 200 };

/* Two labels; item i answers label 0 with the given confidence and is right or not. */
static void set_item(double *probabilities, size_t *gold, size_t i, double confidence, bool right)
{
    probabilities[2 * i] = confidence;
    probabilities[2 * i + 1] = 1 - confidence;
    gold[i] = right ? 0 : 1;
}

/* 100 right at 0.9, then 50 right and 50 wrong at 0.6. The lower end for 100 of 100 is 0.963, for
 * 150 of 200 0.686. */
static void test_abstain__keeps_as_much_as_the_precision_allows(void **state)
{
    (void)state;
    double probabilities[2 * COUNT];
    size_t gold[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        set_item(probabilities, gold, i, i % 2 == 0 ? 0.9 : 0.6, i % 2 == 0 || i % 4 == 1);
    icl_abstention rule = { 0 };
    assert_int_equal(icl_abstention_find(&rule, probabilities, gold, COUNT, 2, 0.95), ICL_OK);
    assert_true(rule.found);
    assert_near(rule.threshold, 0.9, 0);
    assert_int_equal(rule.kept, 100);
    assert_int_equal(rule.correct, 100);
    assert_near(rule.coverage, 0.5, 0);
    assert_near(rule.precision, 1, 0);
    assert_near(rule.interval.low, 0.96300, 1e-5);

    assert_int_equal(icl_abstention_find(&rule, probabilities, gold, COUNT, 2, 0.68), ICL_OK);
    assert_near(rule.threshold, 0.6, 0);
    assert_near(rule.coverage, 1, 0);
    assert_int_equal(icl_abstention_find(&rule, probabilities, gold, COUNT, 2, 0.69), ICL_OK);
    assert_near(rule.threshold, 0.9, 0);

    assert_int_equal(icl_abstention_find(&rule, probabilities, gold, COUNT, 2, 0.97), ICL_OK);
    assert_false(rule.found);
    assert_int_equal(rule.kept, 0);
    assert_int_equal(icl_abstention_find(&rule, probabilities, gold, COUNT, 2, 0), ICL_OK);
    assert_near(rule.coverage, 1, 0);
}

/* The lowest of all confidences at which the counts, taken anew, reach the precision. */
static double threshold_by_trying(const double *probabilities, const size_t *gold, double precision)
{
    double lowest = INFINITY;
    for (size_t t = 0; t < COUNT; t++) {
        const double threshold = fmax(probabilities[2 * t], probabilities[2 * t + 1]);
        size_t kept = 0, correct = 0;
        for (size_t i = 0; i < COUNT; i++) {
            const double *row = &probabilities[2 * i];
            if (fmax(row[0], row[1]) < threshold) continue;
            kept++;
            correct += (row[1] > row[0] ? 1u : 0u) == gold[i];
        }
        if (icl_interval_wilson95(correct, kept).low >= precision) lowest = fmin(lowest, threshold);
    }
    return lowest;
}

static void test_abstain__is_the_lowest_threshold_that_will_do(void **state)
{
    (void)state;
    icl_rng rng = icl_rng_new(7, "abstain", "", "test");
    for (size_t trial = 0; trial < 100; trial++) {
        double probabilities[2 * COUNT];
        size_t gold[COUNT];
        for (size_t i = 0; i < COUNT; i++) {
            /* tenths, so that many items are equally confident */
            const double p = (double)icl_rng_below(&rng, 11) / 10;
            set_item(probabilities, gold, i, p, icl_rng_unit(&rng) < p);
        }
        const double precision = 0.5 + 0.4 * icl_rng_unit(&rng);
        icl_abstention rule = { 0 };
        assert_int_equal(icl_abstention_find(&rule, probabilities, gold, COUNT, 2, precision),
                         ICL_OK);
        const double expected = threshold_by_trying(probabilities, gold, precision);
        assert_int_equal(rule.found, isfinite(expected));
        if (rule.found) assert_near(rule.threshold, expected, 0);
    }
}

/* 100 right at 0.9 promise 0.963; all 200 only 0.686; equal promises answer more. */
static void test_abstain__the_surest_rule_promises_most(void **state)
{
    (void)state;
    double probabilities[2 * COUNT];
    size_t gold[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        set_item(probabilities, gold, i, i % 2 == 0 ? 0.9 : 0.6, i % 2 == 0 || i % 4 == 1);
    icl_abstention rule = { 0 };
    assert_int_equal(icl_abstention_surest(&rule, probabilities, gold, COUNT, 2), ICL_OK);
    assert_true(rule.found);
    assert_near(rule.threshold, 0.9, 0);
    assert_near(rule.interval.low, 0.96300, 1e-5);
    for (size_t i = 0; i < COUNT; i++)
        set_item(probabilities, gold, i, i % 2 == 0 ? 0.9 : 0.6, false);
    assert_int_equal(icl_abstention_surest(&rule, probabilities, gold, COUNT, 2), ICL_OK);
    assert_near(rule.interval.low, 0, 0);
    assert_near(rule.coverage, 1, 0);
}

static void test_abstain__nothing_to_learn_from_and_bad_input(void **state)
{
    (void)state;
    double probabilities[] = { 0.5, 0.5, 0.2, 0.8 };
    size_t gold[] = { 0, 1 };
    icl_abstention rule = { .kept = 77 };
    assert_int_equal(icl_abstention_find(&rule, probabilities, gold, 0, 2, 0.9), ICL_OK);
    assert_false(rule.found);
    rule.kept = 77;
    assert_int_equal(icl_abstention_find(&rule, probabilities, gold, 2, 2, 1.5), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "a precision of 1.5 is not in 0..1");
    gold[1] = 2;
    assert_int_equal(icl_abstention_find(&rule, probabilities, gold, 2, 2, 0.9), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "item 1 has label 2 of 2");
    gold[1] = 1;
    probabilities[2] = (double)NAN;
    assert_int_equal(icl_abstention_find(&rule, probabilities, gold, 2, 2, 0.9), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "item 1: the probability of label 0 is nan");
    assert_int_equal(rule.kept, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_abstain__keeps_as_much_as_the_precision_allows),
        cmocka_unit_test(test_abstain__is_the_lowest_threshold_that_will_do),
        cmocka_unit_test(test_abstain__the_surest_rule_promises_most),
        cmocka_unit_test(test_abstain__nothing_to_learn_from_and_bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
