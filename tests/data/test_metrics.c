/* Metrics against scikit-learn (recipe in tests/golden/make_statistics.py) and by hand. */
#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <icl/dataset.h>
#include <icl/metrics.h>

#include "data/golden_rows.h"

enum { COUNT_MAX = 64, LABELS_MAX = 8 };

static size_t read_indices(size_t out[COUNT_MAX], const json_t *row, const char *key)
{
    size_t count = 0;
    double *numbers = golden_numbers(row, key, &count);
    assert_true(count <= COUNT_MAX);
    for (size_t i = 0; i < count; i++) out[i] = (size_t)numbers[i];
    free(numbers);
    return count;
}

static void check_classes(const json_t *row, const icl_predictions *predictions)
{
    icl_class_metrics classes[LABELS_MAX];
    size_t confusion[LABELS_MAX * LABELS_MAX], n = 0;
    assert_int_equal(icl_metrics_per_class(classes, predictions), ICL_OK);
    assert_int_equal(icl_metrics_confusion(confusion, predictions), ICL_OK);
    double *precision = golden_numbers(row, "precision", &n);
    double *recall = golden_numbers(row, "recall", &n);
    double *f1 = golden_numbers(row, "f1", &n);
    double *support = golden_numbers(row, "support", &n);
    for (size_t y = 0; y < predictions->label_count; y++) {
        assert_near(classes[y].precision, precision[y], 1e-14);
        assert_near(classes[y].recall, recall[y], 1e-14);
        assert_near(classes[y].f1, f1[y], 1e-14);
        assert_int_equal(classes[y].gold_count, (size_t)support[y]);
    }
    double *counts = golden_numbers(row, "confusion", &n);
    assert_int_equal(n, predictions->label_count * predictions->label_count);
    for (size_t i = 0; i < n; i++) assert_int_equal(confusion[i], (size_t)counts[i]);
    free(precision);
    free(recall);
    free(f1);
    free(support);
    free(counts);
}

static void check_bias(const json_t *row, const icl_predictions *predictions, double total)
{
    icl_class_metrics classes[LABELS_MAX];
    size_t n = 0;
    double *bias = golden_numbers(row, "bias", &n), sum = 0;
    assert_int_equal(icl_metrics_per_class(classes, predictions), ICL_OK);
    for (size_t y = 0; y < n; y++) {
        assert_near(classes[y].bias, bias[y], 1e-14);
        sum += fabs(bias[y]);
    }
    assert_near(total, sum / 2, 1e-14);
    free(bias);
}

static void check_predictions(const json_t *row)
{
    size_t gold[COUNT_MAX], predicted[COUNT_MAX], n = 0;
    double *probabilities = golden_numbers(row, "probabilities", &n);
    icl_predictions predictions = { .gold = gold,
                                    .predicted = predicted,
                                    .probabilities = probabilities,
                                    .count = read_indices(gold, row, "gold"),
                                    .label_count = (size_t)golden_number(row, "label_count") };
    read_indices(predicted, row, "predicted");
    icl_metrics metrics;
    assert_int_equal(icl_metrics_compute(&metrics, &predictions), ICL_OK);
    assert_near(metrics.accuracy, golden_number(row, "accuracy"), 1e-14);
    assert_near(metrics.macro_f1, golden_number(row, "macro_f1"), 1e-14);
    assert_near(metrics.brier, golden_number(row, "brier"), 1e-14);
    assert_near(metrics.ece, golden_number(row, "ece"), 1e-14);
    assert_near(metrics.log_loss, golden_number(row, "log_loss"), 1e-13);
    check_bias(row, &predictions, metrics.label_bias);
    check_classes(row, &predictions);
    free(probabilities);
}

static void test_metrics__agree_with_scikit_learn(void **state)
{
    golden_rows_each("predictions", check_predictions);
}

/* A wrong answer given with certainty costs -log(DBL_EPSILON), not infinity; and without
 * probabilities no label is biased. */
static void test_metrics__certain_errors_cost_a_finite_loss(void **state)
{
    const size_t gold[] = { 0, 1 }, predicted[] = { 1, 1 };
    const double probabilities[] = { 0, 1, 0, 1 };
    icl_predictions in = { .gold = gold,
                           .predicted = predicted,
                           .count = 2,
                           .probabilities = probabilities,
                           .label_count = 2 };
    icl_metrics metrics;
    icl_class_metrics classes[2];
    assert_int_equal(icl_metrics_compute(&metrics, &in), ICL_OK);
    assert_near(metrics.log_loss, -log(DBL_EPSILON) / 2, 1e-12);
    assert_near(metrics.label_bias, 0.5, 1e-15);
    in.probabilities = NULL;
    assert_int_equal(icl_metrics_per_class(classes, &in), ICL_OK);
    assert_near(classes[1].bias, 0, 0);
}

/* Confidence 0.6 belongs to (0.5, 0.6], 0.7 to (0.6, 0.7]: two bins, |1 - 0.6|/2 + |0 - 0.7|/2. */
static void test_metrics__calibration_bins_are_closed_on_the_right(void **state)
{
    const size_t gold[] = { 0, 1 }, predicted[] = { 0, 0 };
    const double probabilities[] = { 0.6, 0.4, 0.7, 0.3 };
    const icl_predictions in = { .gold = gold,
                                 .predicted = predicted,
                                 .count = 2,
                                 .probabilities = probabilities,
                                 .label_count = 2 };
    icl_metrics metrics;
    assert_int_equal(icl_metrics_compute(&metrics, &in), ICL_OK);
    assert_near(metrics.ece, 0.55, 1e-15);
    assert_near(metrics.brier, (0.16 + 0.16 + 0.49 + 0.49) / 2, 1e-15);
    assert_int_equal(metrics.correct, 1);
}

static void test_metrics__majority_answers_the_pools_label(void **state)
{
    const size_t pool[] = { 2, 1, 2, ICL_LABEL_NONE, 1, 0 };
    assert_int_equal(icl_majority_label(pool, 6, 3), 1); /* 1 and 2 twice: the lower index */
    const size_t gold[] = { 1, 0, 1, 1 }, predicted[] = { 0, 0, 0, 0 };
    const icl_predictions in = {
        .gold = gold, .predicted = predicted, .count = 4, .label_count = 3, .majority_label = 1
    };
    icl_metrics metrics;
    assert_int_equal(icl_metrics_compute(&metrics, &in), ICL_OK);
    assert_near(metrics.majority_accuracy, 0.75, 0);
    assert_near(metrics.accuracy, 0.25, 0);
    assert_near(metrics.macro_f1, (2.0 / 5.0 + 0.0) / 2, 1e-15); /* label 2 stands nowhere */
    assert_false(metrics.has_probabilities);
    assert_true(metrics.accuracy_ci95[0] < 0.25 && metrics.accuracy_ci95[1] > 0.25);
}

static void test_metrics__refuse_what_is_no_distribution(void **state)
{
    const size_t gold[] = { 0, 1 }, far[] = { 0, 2 };
    double probabilities[] = { 0.5, 0.5, 0.5, 0.4 };
    icl_predictions in = { .gold = gold,
                           .predicted = gold,
                           .count = 2,
                           .probabilities = probabilities,
                           .label_count = 2 };
    icl_metrics metrics = { .count = 77 };
    assert_int_equal(icl_metrics_compute(&metrics, &in), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "query 1: the probabilities sum to 0.9");
    probabilities[3] = NAN;
    assert_int_equal(icl_metrics_compute(&metrics, &in), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "query 1: the probability of label 1 is nan");
    in.probabilities = NULL;
    in.predicted = far;
    assert_int_equal(icl_metrics_compute(&metrics, &in), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "query 1: gold label 1, predicted 2, of 2 labels");
    in.predicted = gold;
    in.majority_label = 2;
    assert_int_equal(icl_metrics_compute(&metrics, &in), ICL_EINVAL);
    assert_int_equal(metrics.count, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics__agree_with_scikit_learn),
        cmocka_unit_test(test_metrics__certain_errors_cost_a_finite_loss),
        cmocka_unit_test(test_metrics__calibration_bins_are_closed_on_the_right),
        cmocka_unit_test(test_metrics__majority_answers_the_pools_label),
        cmocka_unit_test(test_metrics__refuse_what_is_no_distribution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
