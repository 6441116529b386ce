/* Contextual calibration: divides each label's probability by what the same demonstrations give it
 * for inputs without content.
 *
 *   p_cf(y) = mean over the content-free inputs of the raw probabilities, then divided by its sum
 *   score(y) = log p(y | C, x) - log p_cf(y), with p(. | C, x) renormalised over the labels
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/logspace.h"
#include "score/calibrate.h"

/* log p_cf of one demonstration set. A label that no content-free input gives any probability gets
 * the smallest normal number instead of 0: dividing by it stays finite. */
static void log_bias(double *out, const double *content_free_nats, size_t input_count,
                     size_t label_count, double *column)
{
    for (size_t label = 0; label < label_count; label++) {
        for (size_t i = 0; i < input_count; i++)
            column[i] = content_free_nats[i * label_count + label];
        out[label] = icl_logsumexp(column, input_count) - log((double)input_count);
    }
    icl_log_softmax(out, out, label_count);
    for (size_t label = 0; label < label_count; label++)
        out[label] = fmax(out[label], log(DBL_MIN));
}

static icl_status calibrate_contextual(icl_calibration *out, const icl_calibrate_input *input,
                                       const icl_options *options)
{
    (void)options;
    const size_t labels = input->label_count, inputs = input->content_free_count;
    icl_status status = ICL_OK;
    double *column = malloc(inputs * sizeof *column);
    double *biases = malloc(input->group_count * labels * sizeof *biases);
    if (column == NULL || biases == NULL) {
        status =
            icl_error_set(ICL_ENOMEM, "out of memory for %zu calibrations", input->group_count);
        goto cleanup;
    }
    for (size_t g = 0; g < input->group_count; g++)
        log_bias(&biases[g * labels], &input->content_free_nats[g * inputs * labels], inputs,
                 labels, column);
    for (size_t q = 0; q < input->query_count; q++) {
        const double *bias = &biases[(input->groups != NULL ? input->groups[q] : 0) * labels];
        double *scores = &out->scores[q * labels];
        icl_log_softmax(scores, &input->logprob_nats[q * labels], labels);
        for (size_t label = 0; label < labels; label++) scores[label] -= bias[label];
    }
    status = icl_cancel_check(input->cancelled);

cleanup:
    free(biases);
    free(column);
    return status;
}

const icl_calibrate_method icl_calibrate_contextual = {
    .card = { .name = "contextual",
              .summary = "Divides by the probabilities that inputs without content get.",
              .paper =
                  "Zhao et al. 2021, \"Calibrate Before Use: Improving Few-Shot Performance of "
                  "Language Models\"",
              .cost = "3 content-free queries per set of demonstrations",
              .needs = ICL_NEEDS_CONTENT_FREE },
    .run = calibrate_contextual,
};
