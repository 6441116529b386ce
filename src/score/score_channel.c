/* Channel: log P(x | C', y), how well a label explains the input. Demonstrations are flipped,
 * answer before input. The number of x's tokens is the same for every label, so sum and mean choose
 * alike; the mean is what the authors' code reports and compares better between queries. */
#include "score/score.h"

typedef enum reduce { REDUCE_SUM, REDUCE_MEAN } reduce;

static icl_score_wants wants_channel(const icl_options *options)
{
    (void)options;
    return (icl_score_wants){ .parts = 1u << ICL_SCORE_INPUT };
}

static icl_status score_channel(double *out, const icl_score_input *input,
                                const icl_options *options)
{
    static const icl_normalise by[] = {
        [REDUCE_SUM] = ICL_NORMALISE_SUM, [REDUCE_MEAN] = ICL_NORMALISE_TOKENS
    };
    const icl_score_term explained = { ICL_SCORE_INPUT, by[icl_options_int(options, "reduce")],
                                       ICL_NAMES_MEAN };
    icl_score_add(out, input, &explained, 1);
    return ICL_OK;
}

static const char *const reductions[] = { [REDUCE_SUM] = "sum", [REDUCE_MEAN] = "mean", NULL };

static const icl_option options[] = {
    { .name = "reduce",
      .type = ICL_OPTION_CHOICE,
      .fallback = "mean",
      .choices = reductions,
      .help = "sum or mean of the log-probabilities of the input's tokens" },
};

const icl_score_method icl_score_channel = {
    .card = { .name = "channel",
              .summary = "Log-probability of the input after the label's words.",
              .paper =
                  "Min et al. 2022, \"Noisy Channel Language Model Prompting for Few-Shot Text "
                  "Classification\"",
              .cost = "labels continuations per query, each as long as the input",
              .needs = ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .wants = wants_channel,
    .run = score_channel,
};
