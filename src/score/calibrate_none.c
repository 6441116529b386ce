/* No calibration: the scores as they are. */
#include <string.h>

#include "score/calibrate.h"

static icl_status calibrate_none(icl_calibration *out, const icl_calibrate_input *input,
                                 const icl_options *options)
{
    (void)options;
    memcpy(out->scores, input->logprob_nats,
           input->query_count * input->label_count * sizeof *out->scores);
    return ICL_OK;
}

const icl_calibrate_method icl_calibrate_none = {
    .card = { .name = "none",
              .summary = "The scores as the model gave them.",
              .paper = "folklore",
              .cost = "none" },
    .run = calibrate_none,
};
