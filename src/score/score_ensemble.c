/* Ensemble: every demonstration alone in a prompt of its own, and the product of these experts:
 * the sum over demonstrations of the mean log-probability of the answer's tokens (of=direct) or of
 * the input's (of=channel), as the authors' code has it. The window limits no number of
 * demonstrations. Without any the query alone is the only expert. */
#include "score/score.h"

typedef enum expert { EXPERT_DIRECT, EXPERT_CHANNEL } expert;

static icl_score_part part_of(const icl_options *options)
{
    return icl_options_int(options, "of") == EXPERT_DIRECT ? ICL_SCORE_ANSWER_EACH
                                                           : ICL_SCORE_INPUT_EACH;
}

static icl_score_wants wants_ensemble(const icl_options *options)
{
    return (icl_score_wants){ .parts = 1u << part_of(options) };
}

static icl_status score_ensemble(double *out, const icl_score_input *input,
                                 const icl_options *options)
{
    const icl_score_part part = part_of(options);
    const icl_score_term experts = { part, ICL_NORMALISE_TOKENS,
                                     part == ICL_SCORE_INPUT_EACH ? ICL_NAMES_MEAN
                                                                  : ICL_NAMES_SUM };
    icl_score_add(out, input, &experts, 1);
    return ICL_OK;
}

static const char *const kinds[] = {
    [EXPERT_DIRECT] = "direct", [EXPERT_CHANNEL] = "channel", NULL
};

static const icl_option options[] = {
    { .name = "of",
      .type = ICL_OPTION_CHOICE,
      .fallback = "channel",
      .choices = kinds,
      .help = "what an expert scores: the answer (direct) or the input (channel)" },
};

const icl_score_method icl_score_ensemble = {
    .card = { .name = "ensemble",
              .summary = "Each demonstration in a prompt of its own; their scores add up.",
              .paper =
                  "Min et al. 2022, \"Noisy Channel Language Model Prompting for Few-Shot Text "
                  "Classification\"",
              .cost = "shots times labels continuations per query",
              .needs = ICL_NEEDS_LOGPROBS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .wants = wants_ensemble,
    .run = score_ensemble,
};
