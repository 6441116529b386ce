/* Random starts: GPT-2's small normal weights, which icl_transformer_start has drawn, or weights
 * that keep the size of what goes through them, which learn far sooner in a model of little width.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "train/start.h"

/* Tables are read by row: their numbers are activations already. */
static bool is_table(const char *name)
{
    return strcmp(name, "token_embd.weight") == 0 || strcmp(name, "position_embd.weight") == 0;
}

static icl_status start_by_width(const icl_start_input *input)
{
    icl_parameters *parameters = icl_transformer_parameters(input->model);
    for (size_t i = 0; i < icl_parameters_count(parameters); i++) {
        const icl_parameter *weight = icl_parameters_at(parameters, i);
        if (weight->rank < 2 || weight->frozen) continue;
        const double deviation = is_table(weight->name) ? 1 : 1 / sqrt((double)weight->shape[0]);
        ICL_TRY(icl_parameters_fill_normal(parameters, i, input->seed, deviation));
    }
    return ICL_OK;
}

static icl_status start_random(const icl_start_input *input, const icl_options *options)
{
    return icl_options_int(options, "size") == 1 ? start_by_width(input) : ICL_OK;
}

static const char *const sizes[] = { "small", "width", NULL };

static const icl_option options[] = {
    { .name = "size",
      .type = ICL_OPTION_CHOICE,
      .fallback = "small",
      .choices = sizes,
      .help = "deviation 0.02, less in deep residual outputs; or 1 / sqrt(width), tables 1" },
};

const icl_start_kind icl_start_random = {
    .card = { .name = "random",
              .summary = "Independent normal weights.",
              .paper = "Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
              .cost = "none",
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = start_random,
};
