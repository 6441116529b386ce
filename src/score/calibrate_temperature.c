/* Temperature scaling: divides the scores of another calibration by one number, so that the
 * probabilities say how often the answers are right. No prediction changes.
 *
 *   score(y) = s(y) / T, T the minimiser over labelled items of the mean of -log softmax(s /
 * T)(gold)
 *
 * The validation items go through the calibration in option `of` as if they were queries. The loss
 * is convex in 1 / T and so has one valley over log T, where it is sought by golden sections
 * between T = 1/100 and T = 100. An item whose gold label is impossible tells nothing about T.
 */
#include <math.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/logspace.h"
#include "score/calibrate_parts.h"

#define TEMPERATURE_MAX 100.0
enum { SECTIONS = 80 };

typedef struct labelled_rows {
    const double *scores; /* [count][label_count] */
    const size_t *labels; /* [count] */
    size_t count, label_count;
    double *scaled; /* [label_count] */
} labelled_rows;

static double loss_at(const labelled_rows *rows, double log_temperature)
{
    const double factor = exp(-log_temperature);
    double sum = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const double *scores = &rows->scores[i * rows->label_count];
        const double gold = scores[rows->labels[i]];
        if (!isfinite(gold)) continue;
        for (size_t y = 0; y < rows->label_count; y++) rows->scaled[y] = factor * scores[y];
        sum += icl_logsumexp(rows->scaled, rows->label_count) - factor * gold;
    }
    return sum;
}

static double find_log_temperature(const labelled_rows *rows)
{
    const double golden = 0.6180339887498949;
    double low = -log(TEMPERATURE_MAX), high = log(TEMPERATURE_MAX);
    double left = high - golden * (high - low), right = low + golden * (high - low);
    double at_left = loss_at(rows, left), at_right = loss_at(rows, right);
    for (int i = 0; i < SECTIONS; i++) {
        if (at_left <= at_right) {
            high = right;
            right = left;
            at_right = at_left;
            left = high - golden * (high - low);
            at_left = loss_at(rows, left);
        } else {
            low = left;
            left = right;
            at_left = at_right;
            right = low + golden * (high - low);
            at_right = loss_at(rows, right);
        }
    }
    return (low + high) / 2;
}

static icl_status fit_temperature(double *out, const icl_calibrate_input *input,
                                  const icl_options *options)
{
    const icl_calibrate_input items = icl_calibrate_validation_as_queries(input);
    icl_calibration inner = { 0 };
    ICL_TRY(icl_calibrate_run_inner(&inner, &items, options));
    double *scaled = malloc(input->label_count * sizeof *scaled);
    icl_status status = icl_cancel_check(input->cancelled);
    if (scaled == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu labels", input->label_count);
    if (status == ICL_OK)
        *out = exp(find_log_temperature(&(labelled_rows){ .scores = inner.scores,
                                                          .labels = input->validation_labels,
                                                          .count = input->validation_count,
                                                          .label_count = input->label_count,
                                                          .scaled = scaled }));
    free(scaled);
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
