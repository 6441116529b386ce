/* Direct: log P(y | C, x), the log-probability of a label's words after the whole prompt. */
#include "score/score.h"

static icl_score_wants wants_direct(const icl_options *options)
{
    (void)options;
    return (icl_score_wants){ .parts = 1u << ICL_SCORE_ANSWER };
}

static icl_status score_direct(double *out, const icl_score_input *input,
                               const icl_options *options)
{
    const icl_score_term answer = { ICL_SCORE_ANSWER, icl_score_normalise(options), ICL_NAMES_SUM };
    icl_score_add(out, input, &answer, 1);
    return ICL_OK;
}

static const icl_option options[] = {
    ICL_SCORE_OPTION_NORMALISE("sum"),
};

const icl_score_method icl_score_direct = {
    .card = { .name = "direct",
              .summary = "Log-probability of the label's words after the prompt.",
              .paper = "Brown et al. 2020, \"Language Models are Few-Shot Learners\"",
              .cost = "labels continuations per query, all after one prompt",
              .needs = ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .wants = wants_direct,
    .run = score_direct,
};
