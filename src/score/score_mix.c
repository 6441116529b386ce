/* Mix: a * log P(y | C, x) + (1 - a) * log P(x | C', y), both directions as experts. */
#include "score/score.h"

static icl_score_wants wants_mix(const icl_options *options)
{
    const double a = icl_options_real(options, "a");
    return (icl_score_wants){ .parts = (a > 0 ? 1u << ICL_SCORE_ANSWER : 0) |
                                       (a < 1 ? 1u << ICL_SCORE_INPUT : 0) };
}

static icl_status score_mix(double *out, const icl_score_input *input, const icl_options *options)
{
    static const icl_score_term answer = { ICL_SCORE_ANSWER, ICL_NORMALISE_SUM, ICL_NAMES_SUM };
    static const icl_score_term explained = { ICL_SCORE_INPUT, ICL_NORMALISE_SUM, ICL_NAMES_MEAN };
    const double a = icl_options_real(options, "a");
    icl_score_add(out, input, &answer, a);
    icl_score_add(out, input, &explained, 1 - a);
    return ICL_OK;
}

static const icl_option options[] = {
    { .name = "a",
      .type = ICL_OPTION_REAL,
      .fallback = "0.5",
      .maximum = 1,
      .help = "share of direct; the rest is channel" },
};

const icl_score_method icl_score_mix = {
    .card = { .name = "mix",
              .summary = "Weighted sum of direct and channel scores.",
              .paper = "ours, after Min et al. 2022",
              .cost = "as direct and channel together",
              .needs = ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .wants = wants_mix,
    .run = score_mix,
};
