/* pipeline/weighted_metric.h - a task's metric where every query counts a number of times: what a
 * bootstrap over queries asks for again and again.
 *
 *   icl_weighted_metric metric;
 *   status = icl_weighted_metric_init(&metric, ICL_METRIC_MACRO_F1, gold, count, label_count);
 *   icl_resample_weights(weights, count, &rng);
 *   double value = icl_weighted_metric_of(&metric, predicted, weights);
 */
#ifndef ICL_PIPELINE_WEIGHTED_METRIC_H
#define ICL_PIPELINE_WEIGHTED_METRIC_H

#include <stdint.h>

#include <icl/task.h>

typedef struct icl_weighted_metric {
    icl_metric metric;
    const uint32_t *gold; /* [count], borrowed */
    size_t count, label_count;
    uint64_t *label_counts; /* [3][label_count] gold, predicted, both */
} icl_weighted_metric;

/* ICL_ENOMEM. */
icl_status icl_weighted_metric_init(icl_weighted_metric *out, icl_metric metric,
                                    const uint32_t *gold, size_t count, size_t label_count);
void icl_weighted_metric_deinit(icl_weighted_metric *self);

/* The metric as icl_metrics_compute has it, query i counted weights[i] times; both [count], the sum
 * of weights above 0. */
double icl_weighted_metric_of(const icl_weighted_metric *self, const uint32_t *predicted,
                              const uint32_t *weights);

#endif
