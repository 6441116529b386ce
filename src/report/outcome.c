#include "report/outcome.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "math/logspace.h"

static void fill(size_t *gold, size_t *predicted, double *calibrated, double *uncalibrated,
                 const icl_run *run)
{
    const icl_run_summary *summary = icl_run_get_summary(run);
    const size_t labels = summary->label_count;
    for (size_t q = 0; q < summary->query_count; q++) {
        const icl_run_sample sample = icl_run_sample_at(run, q);
        gold[q] = sample.gold;
        predicted[q] = sample.predicted;
        memcpy(&calibrated[q * labels], sample.probabilities, labels * sizeof *calibrated);
        icl_softmax(&uncalibrated[q * labels], sample.logprobs_nats, labels);
    }
}

icl_status icl_outcome_init(icl_outcome *out, const icl_run *run)
{
    const icl_run_summary *summary = icl_run_get_summary(run);
    const size_t n = summary->query_count, labels = summary->label_count;
    out->indices = calloc(2 * n, sizeof *out->indices);
    out->probabilities = calloc(2 * n * labels, sizeof *out->probabilities);
    out->classes = calloc(2 * labels, sizeof *out->classes);
    if (out->indices == NULL || out->probabilities == NULL || out->classes == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for the results");
    size_t *predicted = out->indices + n;
    double *uncalibrated = out->probabilities + n * labels;
    fill(out->indices, predicted, out->probabilities, uncalibrated, run);
    out->calibrated = (icl_predictions){ .gold = out->indices,
                                         .predicted = predicted,
                                         .probabilities = out->probabilities,
                                         .count = n,
                                         .label_count = labels };
    out->uncalibrated = out->calibrated;
    out->uncalibrated.probabilities = uncalibrated;
    out->classes_uncalibrated = out->classes + labels;
    ICL_TRY(icl_metrics_per_class(out->classes, &out->calibrated));
    return icl_metrics_per_class(out->classes_uncalibrated, &out->uncalibrated);
}

void icl_outcome_deinit(icl_outcome *outcome)
{
    free(outcome->classes);
    free(outcome->probabilities);
    free(outcome->indices);
}

bool icl_outcome_is_calibrated(const icl_run_summary *summary)
{
    return summary->metrics.log_loss != summary->uncalibrated.log_loss;
}
