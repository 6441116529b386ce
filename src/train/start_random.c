/* The random start of icl_transformer_start, as it is. */
#include "train/start.h"

static icl_status start_random(const icl_start_input *input, const icl_options *options)
{
    (void)input;
    (void)options;
    return ICL_OK;
}

const icl_start_kind icl_start_random = {
    .card = { .name = "random",
              .summary = "Independent normal weights, residual outputs scaled down by depth.",
              .paper = "Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
              .cost = "none" },
    .run = start_random,
};
