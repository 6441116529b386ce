#include <icl/metrics.h>

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/error.h"
#include "math/interval.h"
#include "math/logspace.h"

static icl_status check_indices(const icl_predictions *in)
{
    for (size_t q = 0; q < in->count; q++) {
        if (in->gold[q] < in->label_count && in->predicted[q] < in->label_count) continue;
        return icl_error_set(ICL_EINVAL, "query %zu: gold label %zu, predicted %zu, of %zu labels",
                             q, in->gold[q], in->predicted[q], in->label_count);
    }
    return ICL_OK;
}

static icl_status check_probabilities(const icl_predictions *in)
{
    for (size_t q = 0; q < in->count; q++) {
        double sum = 0.0;
        for (size_t y = 0; y < in->label_count; y++) {
            const double p = in->probabilities[q * in->label_count + y];
            if (!(p >= 0.0 && p <= 1.0 + 1e-6))
                return icl_error_set(ICL_EINVAL, "query %zu: the probability of label %zu is %g", q,
                                     y, p);
            sum += p;
        }
        if (fabs(sum - 1.0) > 1e-6)
            return icl_error_set(ICL_EINVAL, "query %zu: the probabilities sum to %.9g", q, sum);
    }
    return ICL_OK;
}

static double ratio(size_t numerator, size_t denominator)
{
    return denominator == 0 ? 0.0 : (double)numerator / (double)denominator;
}

/* Mean probability of the label less the share of queries that have it. */
static double label_bias(const icl_predictions *in, size_t label, size_t gold_count)
{
    if (in->probabilities == NULL || in->count == 0) return 0.0;
    double sum = 0.0;
    for (size_t q = 0; q < in->count; q++) sum += in->probabilities[q * in->label_count + label];
    return (sum - (double)gold_count) / (double)in->count;
}

icl_status icl_metrics_per_class(icl_class_metrics *out, const icl_predictions *in)
{
    ICL_TRY(check_indices(in));
    for (size_t y = 0; y < in->label_count; y++) out[y] = (icl_class_metrics){ 0 };
    for (size_t q = 0; q < in->count; q++) {
        out[in->gold[q]].gold_count++;
        out[in->predicted[q]].predicted_count++;
        if (in->gold[q] == in->predicted[q]) out[in->gold[q]].correct++;
    }
    for (size_t y = 0; y < in->label_count; y++) {
        icl_class_metrics *label = &out[y];
        label->precision = ratio(label->correct, label->predicted_count);
        label->recall = ratio(label->correct, label->gold_count);
        label->f1 = ratio(2 * label->correct, label->gold_count + label->predicted_count);
        label->bias = label_bias(in, y, label->gold_count);
    }
    return ICL_OK;
}

icl_status icl_metrics_confusion(size_t *out_counts, const icl_predictions *in)
{
    ICL_TRY(check_indices(in));
    for (size_t i = 0; i < in->label_count * in->label_count; i++) out_counts[i] = 0;
    for (size_t q = 0; q < in->count; q++)
        out_counts[in->gold[q] * in->label_count + in->predicted[q]]++;
    return ICL_OK;
}

size_t icl_majority_label(const size_t *labels, size_t count, size_t label_count)
{
    assert(label_count > 0);
    size_t best = 0, best_count = 0;
    /* Few labels against many rows: counting once per label needs no memory. */
    for (size_t y = 0; y < label_count; y++) {
        size_t seen = 0;
        for (size_t i = 0; i < count; i++) seen += labels[i] == y;
        if (seen > best_count) {
            best = y;
            best_count = seen;
        }
    }
    return best;
}

/* Mean F1 over the labels that stand anywhere. */
static double macro_f1(const icl_class_metrics *classes, size_t label_count)
{
    double sum = 0.0;
    size_t present = 0;
    for (size_t y = 0; y < label_count; y++) {
        if (classes[y].gold_count + classes[y].predicted_count == 0) continue;
        sum += classes[y].f1;
        present++;
    }
    return sum / (double)present;
}

static void fill_bins(icl_reliability_bin bins[ICL_RELIABILITY_BINS], const icl_predictions *in)
{
    for (size_t i = 0; i < ICL_RELIABILITY_BINS; i++) bins[i] = (icl_reliability_bin){ 0 };
    for (size_t q = 0; q < in->count; q++) {
        const double *row = in->probabilities + q * in->label_count;
        const double highest = row[icl_argmax(row, in->label_count)];
        size_t bin = 0;
        while (bin + 1 < ICL_RELIABILITY_BINS && highest > (double)(bin + 1) / ICL_RELIABILITY_BINS)
            bin++;
        bins[bin].count++;
        bins[bin].correct += in->gold[q] == in->predicted[q];
        bins[bin].probability += highest;
    }
}

icl_status icl_metrics_reliability(icl_reliability_bin *out, const icl_predictions *in)
{
    assert(in->probabilities != NULL);
    ICL_TRY(check_indices(in));
    ICL_TRY(check_probabilities(in));
    fill_bins(out, in);
    return ICL_OK;
}

static double calibration_error(const icl_predictions *in)
{
    icl_reliability_bin bins[ICL_RELIABILITY_BINS];
    fill_bins(bins, in);
    double error = 0.0;
    for (size_t i = 0; i < ICL_RELIABILITY_BINS; i++)
        error += fabs((double)bins[i].correct - bins[i].probability);
    return error / (double)in->count;
}

static double brier_score(const icl_predictions *in)
{
    double sum = 0.0;
    for (size_t q = 0; q < in->count; q++)
        for (size_t y = 0; y < in->label_count; y++) {
            const double target = in->gold[q] == y ? 1.0 : 0.0;
            const double error = in->probabilities[q * in->label_count + y] - target;
            sum += error * error;
        }
    return sum / (double)in->count;
}

static double log_loss(const icl_predictions *in)
{
    double sum = 0.0;
    for (size_t q = 0; q < in->count; q++)
        sum -= log(fmax(in->probabilities[q * in->label_count + in->gold[q]], DBL_EPSILON));
    return sum / (double)in->count;
}

/* How much probability stands with the wrong labels over all queries together. */
static double total_bias(const icl_class_metrics *classes, size_t label_count)
{
    double sum = 0.0;
    for (size_t y = 0; y < label_count; y++) sum += fabs(classes[y].bias);
    return sum / 2.0;
}

icl_status icl_metrics_compute(icl_metrics *out, const icl_predictions *in)
{
    assert(in->count > 0 && in->label_count > 0);
    if (in->majority_label >= in->label_count)
        return icl_error_set(ICL_EINVAL, "the majority label is %zu of %zu labels",
                             in->majority_label, in->label_count);
    if (in->probabilities != NULL) ICL_TRY(check_probabilities(in));
    icl_class_metrics *classes = calloc(in->label_count, sizeof *classes);
    if (classes == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for the metrics");
    const icl_status status = icl_metrics_per_class(classes, in);
    if (status != ICL_OK) {
        free(classes);
        return status;
    }
    icl_metrics metrics = { .count = in->count, .macro_f1 = macro_f1(classes, in->label_count) };
    for (size_t y = 0; y < in->label_count; y++) metrics.correct += classes[y].correct;
    const size_t majority_correct = classes[in->majority_label].gold_count;
    const icl_interval interval = icl_interval_wilson95(metrics.correct, in->count);
    const icl_interval majority = icl_interval_wilson95(majority_correct, in->count);
    metrics.accuracy = ratio(metrics.correct, in->count);
    metrics.accuracy_ci95[0] = interval.low;
    metrics.accuracy_ci95[1] = interval.high;
    metrics.majority_accuracy = ratio(majority_correct, in->count);
    metrics.majority_ci95[0] = majority.low;
    metrics.majority_ci95[1] = majority.high;
    if (in->probabilities != NULL) {
        metrics.has_probabilities = true;
        metrics.ece = calibration_error(in);
        metrics.brier = brier_score(in);
        metrics.log_loss = log_loss(in);
        metrics.label_bias = total_bias(classes, in->label_count);
    }
    *out = metrics;
    free(classes);
    return ICL_OK;
}
