/* icl/metrics.h - how good a set of predictions is, with intervals.
 *
 *   icl_predictions predictions = { .gold = gold, .predicted = predicted,
 *                                   .probabilities = probabilities, .count = n,
 *                                   .label_count = label_count, .majority_label = majority };
 *   icl_metrics metrics;
 *   icl_status status = icl_metrics_compute(&metrics, &predictions);
 */
#ifndef ICL_METRICS_H
#define ICL_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What is judged; everything borrowed. */
typedef struct icl_predictions {
    const size_t *gold;      /**< [count], each below label_count */
    const size_t *predicted; /**< [count], each below label_count */
    const double
        *probabilities;    /**< [count][label_count], rows sum to 1 within 1e-6; may be NULL */
    size_t count;          /**< queries, at least 1 */
    size_t label_count;    /**< at least 1 */
    size_t majority_label; /**< the pool's most frequent label, see icl_majority_label */
} icl_predictions;

/** Figures over all queries. */
typedef struct icl_metrics {
    /** Queries; those answered right. */
    size_t count, correct;
    double accuracy;          /**< correct / count */
    double accuracy_ci95[2];  /**< Wilson score interval, low and high */
    double macro_f1;          /**< mean over labels that stand in gold or predicted; 0 for 0/0 */
    double majority_accuracy; /**< accuracy of always answering majority_label */
    double majority_ci95[2];  /**< its Wilson interval */
    bool has_probabilities;   /**< false: the figures below are 0 and mean nothing */
    double ece;   /**< expected calibration error, 10 bins of the highest probability, see below */
    double brier; /**< mean over queries of sum over labels of (p - [label is gold])^2, in 0..2 */
    double log_loss;   /**< mean over queries of -log p(gold), nats; p at least DBL_EPSILON */
    double label_bias; /**< half the sum over labels of |icl_class_metrics.bias|, in 0..1 */
} icl_metrics;

/** Figures of one label. */
typedef struct icl_class_metrics {
    /** Queries that have it; that got it; that have and got it. */
    size_t gold_count, predicted_count, correct;
    /** In 0..1; 0 where the denominator is 0. */
    double precision, recall, f1;
    /** Mean probability over all queries less the share that has the label, in -1..1: above 0 the
     *  label is given too much. 0 without probabilities. */
    double bias;
} icl_class_metrics;

/**
 * Accuracy, macro-F1 (scikit-learn's definition), calibration error, Brier score and log loss.
 *
 * Calibration error: queries are put into 10 equal-width bins of their highest probability, bin b
 * holding (b/10, (b+1)/10] and the first also 0; the error is the mean over queries of the distance
 * between a bin's accuracy and its mean highest probability.
 *
 * @param[out] out  untouched on failure
 * @return ICL_OK; ICL_EINVAL, naming the query: an index not below label_count, a probability that
 *   is not in 0..1, a row whose sum is not 1; ICL_ENOMEM
 * Paper: Guo et al. 2017, "On Calibration of Modern Neural Networks" (calibration error);
 *   Brier 1950, "Verification of forecasts expressed in terms of probability".
 */
ICL_API icl_status icl_metrics_compute(icl_metrics *out, const icl_predictions *predictions);

/** Bins of the highest probability. */
#define ICL_RELIABILITY_BINS 10

/** Queries whose highest probability lies in one bin. */
typedef struct icl_reliability_bin {
    size_t count, correct; /**< queries; those answered right */
    double probability;    /**< sum of their highest probabilities */
} icl_reliability_bin;

/**
 * The bins that the calibration error is computed from, see icl_metrics_compute.
 * @param[out] out  [ICL_RELIABILITY_BINS]
 * @param predictions  with probabilities (asserted)
 * @return as icl_metrics_compute
 */
ICL_API icl_status icl_metrics_reliability(icl_reliability_bin *out,
                                           const icl_predictions *predictions);

/**
 * Precision, recall, F1 and bias of each label.
 * @param[out] out  [label_count]
 * @return ICL_OK; ICL_EINVAL: an index not below label_count
 */
ICL_API icl_status icl_metrics_per_class(icl_class_metrics *out,
                                         const icl_predictions *predictions);

/**
 * Confusion matrix: row = gold label, column = predicted label.
 * @param[out] out_counts  [label_count][label_count]
 * @return ICL_OK; ICL_EINVAL: an index not below label_count
 */
ICL_API icl_status icl_metrics_confusion(size_t *out_counts, const icl_predictions *predictions);

/**
 * The most frequent label; ties go to the lowest index. Labels not below label_count, such as
 * ICL_LABEL_NONE, are not counted.
 * @param labels  [count]
 * @param label_count  at least 1 (asserted)
 */
ICL_API size_t icl_majority_label(const size_t *labels, size_t count, size_t label_count);

#ifdef __cplusplus
}
#endif
#endif
