/* Class prior correction: the other calibrations take every label to be equally frequent; where it
 * is known that they are not, their probabilities are multiplied by the frequencies.
 *
 *   score(y) = log q(y) + log prior(y),  prior(y) = (n_y + smoothing) / (n + smoothing * labels)
 *
 * q is what the calibration in option `of` gives, n_y the labelled pool items with label y.
 */
#include <math.h>

#include "base/error.h"
#include "math/logspace.h"
#include "score/calibrate_parts.h"

static icl_status calibrate_prior(icl_calibration *out, const icl_calibrate_input *input,
                                  const icl_options *options)
{
    const size_t labels = input->label_count;
    const double smoothing = icl_options_real(options, "smoothing");
    if (input->label_counts == NULL)
        return icl_error_set(ICL_EINVAL, "calibrate method \"prior\" needs a labelled pool");
    double total = 0;
    for (size_t y = 0; y < labels; y++) total += (double)input->label_counts[y] + smoothing;
    if (!(total > 0))
        return icl_error_set(ICL_EINVAL, "calibrate method \"prior\": no item of the pool has a "
                                         "label; set smoothing above 0");
    icl_calibration inner = { 0 };
    ICL_TRY(icl_calibrate_run_inner(&inner, input, options));
    out->fell_back = inner.fell_back;
    for (size_t at = 0; at < input->query_count * labels; at += labels) {
        icl_log_softmax(&out->scores[at], &inner.scores[at], labels);
        for (size_t y = 0; y < labels; y++)
            out->scores[at + y] += log(((double)input->label_counts[y] + smoothing) / total);
    }
    icl_calibration_deinit(&inner);
    return ICL_OK;
}

static const icl_option options[] = {
    ICL_CALIBRATE_OPTION_OF,
    { .name = "smoothing",
      .type = ICL_OPTION_REAL,
      .fallback = "1",
      .minimum = 0,
      .maximum = 1000000,
      .help = "added to each label's count; 0: a label that the pool lacks is never answered" },
};

const icl_calibrate_method icl_calibrate_prior = {
    .card = { .name = "prior",
              .summary = "Multiplies another calibration's probabilities by how frequent each "
                         "label is in the pool.",
              .paper = "Saerens et al. 2002, \"Adjusting the Outputs of a Classifier to New a "
                       "Priori Probabilities\"",
              .cost = "that of the calibration in `of`",
              .needs = ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = calibrate_prior,
};
