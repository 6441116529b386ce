/* Direct: log P(y | C, x), the log-probability of a label's words after the whole prompt. */
#include "score/score.h"

static const icl_option options[] = {
    ICL_SCORE_OPTION_NORMALISE,
};

const icl_score_method icl_score_direct = {
    .card = { .name = "direct",
              .summary = "Log-probability of the label's words after the prompt.",
              .paper = "Brown et al. 2020, \"Language Models are Few-Shot Learners\"",
              .cost = "labels continuations per query, all after one prompt",
              .needs = ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
};
