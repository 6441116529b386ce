/* Temperature scaling: divides the scores of another calibration by one number, so that the
 * probabilities say how often the answers are right. No prediction changes.
 *
 *   score(y) = s(y) / T, T the minimiser over labelled items of the mean of -log softmax(s /
 * T)(gold)
 *
 * The validation items go through the calibration in option `of` as if they were queries.
 */
#include "base/cancel.h"
#include "base/error.h"
#include "score/calibrate_parts.h"
#include "score/temperature.h"

static icl_status fit_temperature(double *out, const icl_calibrate_input *input,
                                  const icl_options *options)
{
    const icl_calibrate_input items = icl_calibrate_validation_as_queries(input);
    icl_calibration inner = { 0 };
    ICL_TRY(icl_calibrate_run_inner(&inner, &items, options));
    icl_status status = icl_cancel_check(input->cancelled);
    if (status == ICL_OK)
        status = icl_temperature_fit(out, inner.scores, input->validation_labels,
                                     input->validation_count, input->label_count, 0);
    icl_calibration_deinit(&inner);
    return status;
}

static icl_status calibrate_temperature(icl_calibration *out, const icl_calibrate_input *input,
                                        const icl_options *options)
{
    double temperature = 1;
    ICL_TRY(fit_temperature(&temperature, input, options));
    icl_calibration inner = { 0 };
    ICL_TRY(icl_calibrate_run_inner(&inner, input, options));
    out->fell_back = inner.fell_back;
    for (size_t i = 0; i < input->query_count * input->label_count; i++)
        out->scores[i] = inner.scores[i] / temperature;
    icl_calibration_deinit(&inner);
    return ICL_OK;
}

static const icl_option options[] = {
    ICL_CALIBRATE_OPTION_OF,
    { .name = "validation",
      .type = ICL_OPTION_INT,
      .fallback = "100",
      .minimum = 1,
      .maximum = 100000,
      .help = "labelled pool items that the temperature is fitted on" },
};

const icl_calibrate_method icl_calibrate_temperature = {
    .card = { .name = "temperature",
              .summary = "Another calibration's scores over one number, fitted so that "
                         "probabilities say how often answers are right; predictions stay.",
              .paper = "Guo et al. 2017, \"On Calibration of Modern Neural Networks\"",
              .cost = "`validation` queries, and that of the calibration in `of`",
              .needs = ICL_NEEDS_VALIDATION,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = calibrate_temperature,
};
