/* Direct++: log P(y | C, x) - log P(y | C, "N/A"), each the mean over the answer's tokens. With
 * sums or one-token labels it chooses as contextual calibration with that one content-free input.
 */
#include "score/score.h"

static icl_score_wants wants_direct_plus(const icl_options *options)
{
    (void)options;
    return (icl_score_wants){ .parts = 1u << ICL_SCORE_ANSWER | 1u << ICL_SCORE_UNCONDITIONAL,
                              .given = ICL_GIVEN_CONTENT_FREE,
                              .given_demonstrations = true };
}

static icl_status score_direct_plus(double *out, const icl_score_input *input,
                                    const icl_options *options)
{
    icl_score_add_information(out, input, icl_score_normalise(options));
    return ICL_OK;
}

static const icl_option options[] = {
    ICL_SCORE_OPTION_NORMALISE("tokens"),
};

const icl_score_method icl_score_direct_plus = {
    .card = { .name = "direct-plus",
              .summary = "Direct++: direct less the same with N/A in place of the input; not for "
                         "demonstrations chosen for each query, whose labels are evidence.",
              .paper =
                  "Min et al. 2022, \"Noisy Channel Language Model Prompting for Few-Shot Text "
                  "Classification\"",
              .cost = "as direct, and one content-free query per set of demonstrations",
              .needs = ICL_NEEDS_LOGPROBS | ICL_NEEDS_CONTENT_FREE,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .wants = wants_direct_plus,
    .run = score_direct_plus,
};
