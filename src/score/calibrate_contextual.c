/* Contextual calibration: divides each label's probability by what the same demonstrations give it
 * for inputs without content: "N/A", "" and "[MASK]" in place of the text.
 *
 * As in the authors' code the raw probabilities of the three inputs are averaged and then divided
 * by their sum. In log space and with one such input it is Direct++ (Min et al. 2022): the same
 * prediction, and the same probabilities. StaICC does something else under this name: it averages
 * over 128 random draws of demonstrations with empty queries and takes the softmax of the ratios,
 * which is not their renormalisation.
 */
#include "score/calibrate_parts.h"

static icl_status calibrate_contextual(icl_calibration *out, const icl_calibrate_input *input,
                                       const icl_options *options)
{
    (void)options;
    return icl_calibrate_divide(out, input, input->content_free_nats, input->content_free_count);
}

const icl_calibrate_method icl_calibrate_contextual = {
    .card = { .name = "contextual",
              .summary = "Divides by the probabilities that inputs without content get under the "
                         "same demonstrations; not for demonstrations chosen for each query, whose "
                         "labels are evidence.",
              .paper =
                  "Zhao et al. 2021, \"Calibrate Before Use: Improving Few-Shot Performance of "
                  "Language Models\"",
              .cost = "3 content-free queries per set of demonstrations",
              .needs = ICL_NEEDS_CONTENT_FREE },
    .run = calibrate_contextual,
};
