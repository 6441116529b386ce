/* report/outcome.h - a run's answers as arrays, for figures over all of them.
 *
 *   icl_outcome outcome = { 0 };
 *   status = icl_outcome_init(&outcome, run);
 *   ... icl_metrics_confusion(counts, &outcome.calibrated) ...
 *   icl_outcome_deinit(&outcome);
 */
#ifndef ICL_REPORT_OUTCOME_H
#define ICL_REPORT_OUTCOME_H

#include <stdbool.h>

#include <icl/metrics.h>
#include <icl/run.h>

typedef struct icl_outcome {
    /* The run's predictions with probabilities from its scores, and from the same scores without
     * calibration. */
    icl_predictions calibrated, uncalibrated;
    icl_class_metrics *classes, *classes_uncalibrated; /* [label_count] */
    size_t *indices;                                   /* what the predictions point into */
    double *probabilities;                             /* too */
} icl_outcome;

/* Of an executed run whose queries have labels. Free it on failure too. ICL_ENOMEM; as
 * icl_metrics_per_class. */
icl_status icl_outcome_init(icl_outcome *out, const icl_run *run);
void icl_outcome_deinit(icl_outcome *outcome);

/* Whether calibration made other probabilities of the scores. */
bool icl_outcome_is_calibrated(const icl_run_summary *summary);

#endif
